//! How long things may take: `-i` and `-d`. (`-w` is in `participant/errors.rs`, `-q` in `terminal/stdio/`.)

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::support;
use crate::support::DEADLINE;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::connect;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::listening_port;
use crate::support::muxnc;
use crate::support::pipe;
use crate::support::piped;
use crate::support::read_all;
use crate::support::wait_at_rest;

/// A pause of somebody who is active, and how often to make one, so that all of them together are
/// longer than [`LIMIT`], and one is not, by far, also on a slow machine.
const TICK: Duration = Duration::from_millis(250);
const TICKS: u32 = 10;
const LIMIT: &str = "2s";

/// A participant with these arguments, and the other end of its connection.
#[track_caller]
fn participant(args: &[&str]) -> (Process, TcpStream) {
    pair(piped(MUXNC, args).args(["--"]))
}

#[track_caller]
fn pair(command: &mut std::process::Command) -> (Process, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let process = Process::start(command.args(["127.0.0.1", &port]));
    let stream = support::accept(&listener);
    (process, stream)
}

// -i

#[test]
fn an_idle_participant_ends_with_1_and_says_why() {
    let start = Instant::now();
    let (mut process, mut stream) = participant(&["-i", "300ms"]);
    process.expect_status(1);
    assert!(start.elapsed() >= Duration::from_millis(300));
    let addr = stream.local_addr().unwrap();
    assert_eq!(
        process.stderr.text(),
        format!(
            "muxnc: wait for {addr}: nothing was sent or received for 300ms\n  \
             -i sets how long that may be.\n"
        )
    );
    assert_eq!(read_all(&mut stream), b"");
}

#[test]
fn ncat_ends_with_1_too() {
    if installed(&["ncat"]) {
        let (mut process, _stream) = pair(&mut piped("ncat", &["-i", "300ms"]));
        process.expect_status(1);
        assert!(process.stderr.text().contains("Idle timeout expired"));
    }
}

#[test]
fn what_was_received_before_it_became_idle_is_shown() {
    for more in [&[][..], &["--recv-only"], &["--no-shutdown"]] {
        let (mut process, mut stream) = participant(&[&["-i", "300ms"], more].concat());
        stream.write_all(b"login: ").unwrap();
        process.expect_status(1);
        assert_eq!(process.stdout.text(), "login: ", "{more:?}");
    }
}

#[test]
fn after_the_end_of_stdin_an_answer_may_take_so_long() {
    let (mut process, mut stream) = participant(&["-i", "300ms"]);
    process.end_input();
    assert_eq!(read_all(&mut stream), b"");
    process.expect_status(1);
    let (mut process, mut stream) = participant(&["-i", "60s"]);
    process.end_input();
    assert_eq!(read_all(&mut stream), b"");
    stream.write_all(b"the answer\n").unwrap();
    drop(stream);
    process.expect_status(0);
    assert_eq!(process.stdout.text(), "the answer\n");
}

#[test]
fn a_stdin_that_stays_open_after_the_other_sides_end_is_idle_in_time() {
    let (mut process, stream) = participant(&["-i", "450ms"]);
    drop(stream);
    process.expect_status(1);
    let said = process.stderr.text();
    assert!(
        said.contains("nothing was sent or received for 450ms\n"),
        "{said}"
    );
}

#[test]
fn either_direction_keeps_a_participant() {
    // What is received goes to a pipe by the kernel, and to a file by us.
    let (mut hears, mut speaks_to_it) = participant(&["-i", LIMIT]);
    let (mut throws_away, mut speaks_too) = participant(&["-i", LIMIT, "--send-only"]);
    let (mut speaks, mut hears_it) = participant(&["-i", LIMIT, "--no-shutdown"]);
    for _ in 0..TICKS {
        thread::sleep(TICK);
        speaks_to_it.write_all(b".").unwrap();
        speaks_too.write_all(b".").unwrap();
        speaks.type_in(".");
        expect_bytes(&mut hears_it, ".");
    }
    for process in [&mut hears, &mut throws_away, &mut speaks] {
        assert!(process.is_running(), "{}", process.stderr.text());
    }
    for process in [&mut hears, &mut throws_away, &mut speaks] {
        process.expect_status(1);
    }
    assert_eq!(hears.stdout.bytes().len(), TICKS as usize);
}

#[test]
fn a_file_that_is_taken_slowly_keeps_a_participant() {
    const LEN: u64 = 64 * 1024 * 1024;
    let path = std::env::temp_dir().join(format!("muxnc-time-{}", std::process::id()));
    let mut file = std::fs::File::create_new(&path).unwrap();
    Pattern::bytes().write(&mut file, LEN).unwrap();
    let file = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let (mut process, mut stream) = pair(piped(MUXNC, &["-i", LIMIT]).stdin(file));
    let mut taken = 0;
    let mut buffer = vec![0; 1024 * 1024];
    for _ in 0..TICKS {
        thread::sleep(TICK);
        stream.read_exact(&mut buffer).unwrap();
        Pattern::bytes().expect(taken, &buffer);
        taken += buffer.len() as u64;
    }
    assert!(process.is_running(), "{}", process.stderr.text());
    taken += stream.read_to_end(&mut buffer).unwrap() as u64;
    assert_eq!(taken, LEN);
    drop(stream);
    process.expect_status(0);
}

#[test]
fn a_stuck_stdout_is_not_the_other_sides_idleness() {
    const LEN: u64 = 16 * 1024 * 1024;
    let (mut reader, writer) = pipe();
    let (mut process, mut stream) = pair(piped(MUXNC, &["-i", "300ms"]).stdout(writer));
    let sender = thread::spawn(move || Pattern::bytes().write(&mut stream, LEN));
    wait_at_rest(&process);
    thread::sleep(Duration::from_secs(1));
    assert!(process.is_running(), "{}", process.stderr.text());
    assert_eq!(Pattern::bytes().read(&mut reader, LEN), LEN);
    sender.join().unwrap().unwrap();
    process.end_input();
    process.expect_status(0);
}

#[test]
fn once_ends_with_1_too() {
    // ncat's listener ends with 2 there, which is a usage error here.
    let mut hub = Hub::start(&["--once", "-i", "300ms"]);
    let mut stream = hub.join();
    stream.write_all(b"hello").unwrap();
    hub.process.expect_status(1);
    assert_eq!(hub.process.stdout.text(), "hello");
    hub.process
        .stderr
        .wait_for("nothing was sent or received for 300ms\n");
}

#[test]
fn waiting_for_somebody_is_not_idleness() {
    for more in [&[][..], &["--once"]] {
        let mut hub = Hub::start(&[&["-i", "200ms"], more].concat());
        thread::sleep(Duration::from_millis(600));
        assert!(hub.process.is_running(), "{more:?}");
    }
}

#[test]
fn a_hub_disconnects_whoever_is_idle_and_serves_on() {
    let mut hub = Hub::start(&["-v", "-i", LIMIT]);
    let mut silent = hub.join_seen();
    silent.write_all(b"only once\n").unwrap();
    let mut speaker = hub.join_seen();
    for _ in 0..TICKS {
        thread::sleep(TICK);
        speaker.write_all(b"x\n").unwrap();
    }
    assert_eq!(read_all(&mut silent), b"");
    let addr = silent.local_addr().unwrap();
    let said = hub.process.stderr.wait_for(" 1 here\n");
    let notice =
        format!("muxnc: [1] {addr} was disconnected: nothing was sent or received for 2s; after ");
    assert!(said.contains(&notice), "{said}");
    assert!(!said.contains("[2] was disconnected"), "{said}");
    hub.process.type_in("still here?\n");
    expect_bytes(&mut speaker, "still here?\n");
    speaker.shutdown(Shutdown::Write).unwrap();
    hub.process.end_input();
    hub.process.expect_status(0);
}

/// Also without -v, as with who is cut off for holding the others up.
#[test]
fn what_who_is_idle_never_took_is_told() {
    let mut hub = Hub::start(&["-i", "1s"]);
    let _takes_nothing = hub.join();
    let mut stdin = hub.process.stdin.take().unwrap();
    let teacher = thread::spawn(move || while stdin.write_all(&[b'x'; 64 * 1024]).is_ok() {});
    let told = "was disconnected: nothing was sent or received for 1s, ";
    let said = hub
        .process
        .stderr
        .wait_for_all(&[told, " bytes were not delivered; "]);
    assert!(!said.contains("1s, 0 bytes were"), "{said}");
    drop(hub);
    teacher.join().unwrap();
}

#[test]
fn what_is_said_to_somebody_keeps_them_too() {
    let mut hub = Hub::start(&["-v", "--broker", "-i", LIMIT]);
    let mut listener = hub.join_seen();
    let mut speaker = hub.join_seen();
    for i in 0..TICKS {
        thread::sleep(TICK);
        match i % 2 {
            0 => speaker.write_all(b"x\n").unwrap(),
            _ => hub.process.type_in("x\n"),
        }
        expect_bytes(&mut listener, "x\n");
    }
    let said = hub.process.stderr.text();
    assert!(!said.contains("disconnected"), "{said}");
    // Nobody says anything any more.
    assert_eq!(read_all(&mut listener), b"");
    hub.process.stderr.wait_for(" 0 here\n");
}

#[test]
fn whom_a_stuck_stdout_keeps_waiting_is_not_idle() {
    const LEN: u64 = 16 * 1024 * 1024;
    let (mut reader, writer) = pipe();
    let hub = Hub::start_command(piped(MUXNC, &["-l", "0", "-v", "-i", "300ms"]).stdout(writer));
    let mut stream = hub.join_seen();
    let sender = thread::spawn(move || {
        Pattern::bytes().write(&mut stream, LEN).unwrap();
        stream
    });
    wait_at_rest(&hub.process);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(Pattern::bytes().read(&mut reader, LEN), LEN);
    let mut stream = sender.join().unwrap();
    // Now it is.
    assert_eq!(read_all(&mut stream), b"");
    hub.process.stderr.wait_for(&format!(" {LEN} bytes in, "));
}

/// Who has everything and gets no more since another is slow, or has not come, is not idle. A receiver
/// that takes nothing is.
#[test]
fn whom_the_hub_keeps_waiting_for_others_is_not_idle() {
    const LEN: u64 = 16 * 1024 * 1024;
    let options = ["-v", "-i", "1s", "--stall-timeout", "1h", "--wait-for", "2"];
    let mut hub = Hub::start(&options);
    let mut input = hub.process.stdin.take().unwrap();
    let mut fast = hub.join_seen();
    // It waits for the other: for longer than anybody may be idle.
    thread::sleep(Duration::from_millis(1500));
    let mut slow = hub.join_seen();
    let writer = thread::spawn(move || Pattern::bytes().write(&mut input, LEN).unwrap());
    let reader = thread::spawn(move || Pattern::bytes().read(&mut fast, LEN));
    // It takes little, so that its kernel asks for more seldom, and the other gets nothing meanwhile.
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(200));
        let mut some = vec![0; 64 * 1024];
        slow.read_exact(&mut some).unwrap();
    }
    let said = hub.process.stderr.text();
    assert!(!said.contains("was disconnected"), "{said}");
    let rest = thread::spawn(move || std::io::copy(&mut slow, &mut std::io::sink()));
    assert_eq!(reader.join().unwrap(), LEN);
    writer.join().unwrap();
    rest.join().unwrap().unwrap();
    hub.process.expect_status(0);
}

#[test]
fn who_has_time_left_wakes_nobody() {
    let mut hub = Hub::start(&["-v", "-i", "1h"]);
    let mut peers: Vec<TcpStream> = (0..20).map(|_| hub.join_seen()).collect();
    for peer in &mut peers {
        peer.write_all(b"hello\n").unwrap();
    }
    hub.process.type_in("hello\n");
    for peer in &mut peers {
        expect_bytes(peer, "hello\n");
    }
    let (participant, _stream) = participant(&["-i", "1h"]);
    for process in [&hub.process, &participant] {
        wait_at_rest(process);
        let before = process.context_switches();
        thread::sleep(Duration::from_millis(1500));
        assert_eq!(process.context_switches(), before);
    }
}

// -d

#[test]
fn a_participant_waits_after_each_line() {
    let lines = "one\ntwo\nthree\n\nfive\nunfinished";
    let path = std::env::temp_dir().join(format!("muxnc-delay-{}", std::process::id()));
    std::fs::write(&path, lines).unwrap();
    let start = Instant::now();
    let (mut piped_in, mut from_pipe) = participant(&["-d", "200ms"]);
    piped_in.type_in(lines);
    piped_in.end_input();
    let file = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let (mut filed, mut from_file) = pair(piped(MUXNC, &["-C", "-d", "200ms"]).stdin(file));
    assert_eq!(read_all(&mut from_pipe), lines.as_bytes());
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(
        read_all(&mut from_file),
        lines.replace('\n', "\r\n").as_bytes()
    );
    drop((from_pipe, from_file));
    piped_in.expect_status(0);
    filed.expect_status(0);
}

/// Requires that nothing comes for a while, not even an end.
#[track_caller]
fn expect_silence(stream: &mut TcpStream) {
    stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let got = stream.read(&mut [0]);
    let kind = got.map_err(|error| error.kind());
    assert!(
        matches!(kind, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)),
        "{kind:?}"
    );
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
}

#[test]
fn in_a_pause_nothing_is_sent_and_everything_is_received() {
    let path = std::env::temp_dir().join(format!("muxnc-pause-{}", std::process::id()));
    std::fs::write(&path, "one\ntwo\n").unwrap();
    let file = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let (mut process, stream) = participant(&["-d", "1h"]);
    process.type_in("one\ntwo\n");
    let filed = pair(piped(MUXNC, &["-d", "1h"]).stdin(file));
    for (mut process, mut stream) in [(process, stream), filed] {
        expect_bytes(&mut stream, "one\n");
        expect_silence(&mut stream);
        stream.write_all(b"go on\n").unwrap();
        process.stdout.wait_for("go on\n");
        assert!(process.is_running());
    }
}

#[test]
fn a_server_that_half_closed_gets_what_comes_after_a_pause() {
    let (mut process, mut stream) = participant(&["-d", "1500ms"]);
    process.type_in("one\n");
    expect_bytes(&mut stream, "one\n");
    stream.shutdown(Shutdown::Write).unwrap();
    process.type_in("two\n");
    expect_bytes(&mut stream, "two\n");
    process.end_input();
    assert_eq!(read_all(&mut stream), b"");
    process.expect_status(0);
}

#[test]
fn a_hub_waits_after_each_line_of_its_own() {
    let start = Instant::now();
    let mut hub = Hub::start(&["-v", "-C", "-d", "200ms"]);
    hub.process.type_in("one\ntwo\nthree\n\nfive\nunfinished");
    hub.process.end_input();
    let mut stream = hub.join();
    let expected = b"one\r\ntwo\r\nthree\r\n\r\nfive\r\nunfinished";
    assert_eq!(read_all(&mut stream), expected);
    assert!(start.elapsed() >= Duration::from_secs(1));
    drop(stream);
    hub.process.expect_status(0);
}

#[test]
fn what_participants_say_is_not_delayed() {
    let mut hub = Hub::start(&["-v", "--broker", "-d", "1h"]);
    let (mut one, mut two) = (hub.join_seen(), hub.join_seen());
    hub.process.type_in("hello\nnever\n");
    expect_bytes(&mut one, "hello\n");
    expect_bytes(&mut two, "hello\n");
    for line in ["a\n", "b\n", "c\n"] {
        one.write_all(line.as_bytes()).unwrap();
        expect_bytes(&mut two, line);
    }
    hub.process.stdout.wait_for("a\nb\nc\n");
    expect_silence(&mut two);
}

#[test]
fn lines_typed_at_a_hub_are_delayed_and_its_end_waits_for_them() {
    let mut hub = Terminal::of_kind("xterm", MUXNC, &["-l", "0", "-d", "200ms"]);
    let mut stream = connect(listening_port(&hub.screen));
    hub.screen.wait_for(" joined, 1 here");
    let start = Instant::now();
    hub.press("one\rtwo\rthree\r\x04\x04");
    assert_eq!(read_all(&mut stream), b"one\ntwo\nthree\n");
    assert!(start.elapsed() >= Duration::from_millis(400));
    drop(stream);
    hub.process.expect_status(0);
}

#[test]
fn who_typed_for_nobody_may_leave_at_once() {
    let mut hub = Terminal::of_kind("xterm", MUXNC, &["-l", "0", "-d", "1h"]);
    let port = listening_port(&hub.screen);
    let mut stream = connect(port);
    hub.screen.wait_for(" joined, 1 here");
    hub.press("one\rtwo\r");
    expect_bytes(&mut stream, "one\n");
    hub.press("\x04\x04");
    expect_silence(&mut stream);
    // The only one who could hear the rest.
    socket2::SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
    hub.process.expect_status(0);
}

#[test]
fn lines_typed_at_a_participant_are_delayed() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let args = ["-d", "200ms", "127.0.0.1", &port];
    let mut terminal = Terminal::of_kind("xterm", MUXNC, &args);
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // The row is being edited: bracketed paste is on.
    terminal.screen.wait_for("\x1b[?2004h");
    let start = Instant::now();
    terminal.press("one\rtwo\rthree\r\x04");
    assert_eq!(read_all(&mut stream), b"one\ntwo\nthree\n");
    assert!(start.elapsed() >= Duration::from_millis(400));
    drop(stream);
    terminal.process.expect_status(0);
}

#[test]
fn times_that_make_no_sense_are_usage_errors() {
    for args in [
        &["-i", "0"][..],
        &["-i", "x"],
        &["-i", "-1"],
        &["-i"],
        &["-d", "0"],
        &["-d", "x"],
        &["-d", "1s", "-i", "1s"],
    ] {
        for mode in [&["127.0.0.1", "9"][..], &["-l", "0"]] {
            muxnc(&[mode, args].concat()).expect_status(2);
        }
    }
}
