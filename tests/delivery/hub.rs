//! The hub's side of it: files and streams to receivers that are slow, late, break off, leave before
//! it begins or only look whether somebody listens; and answers to a hub that says nothing.

use std::fs::File;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Signal;
use socket2::SockRef;

use crate::rule::ENDS;
use crate::rule::MUCH;
use crate::server::Checked;
use crate::stream::unacknowledged;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::Server;
use crate::support::connect;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::leave_seen;
use crate::support::listening;
use crate::support::piped;
use crate::support::read_all;
use crate::support::wait_at_rest;
use crate::support::while_stopped;

const HOST: &str = "127.0.0.1";

/// Where a receiver breaks off.
const MIDWAY: usize = 1_000_000;

fn long() -> Arc<Vec<u8>> {
    let mut long = Vec::new();
    let all = Pattern::bytes().write(&mut long, MUCH as u64);
    all.unwrap();
    Arc::new(long)
}

/// A hub that gives a long file away.
struct Giver {
    hub: Hub,
    bytes: Arc<Vec<u8>>,
    _folder: Folder,
}

impl Giver {
    #[track_caller]
    fn start(name: &str, args: &[&str]) -> Giver {
        let bytes = long();
        let folder = Folder::new(&format!("giver-{name}"));
        let path = folder.0.join("stdin");
        std::fs::write(&path, &**bytes).unwrap();
        let mut command = hub_command(args);
        let hub = Hub::start_command(command.stdin(File::open(path).unwrap()));
        Giver {
            hub,
            bytes,
            _folder: folder,
        }
    }

    fn join(&self) -> TcpStream {
        let stream = connect(self.hub.port);
        SockRef::from(&stream)
            .set_recv_buffer_size(64 * 1024)
            .unwrap();
        stream
    }

    /// Somebody who takes what comes, as this receiver does.
    fn receive(&self, how: Receiver) -> JoinHandle<Checked> {
        let stream = self.join();
        let checked = Checked::new(&self.bytes);
        thread::spawn(move || how.receive(stream, checked))
    }

    /// Looks whether somebody listens, and leaves before it can be given anything: what it had
    /// acknowledged would be its own.
    fn check_port(&self) {
        while_stopped(&self.hub.process, || leave_seen(self.join()));
        wait_at_rest(&self.hub.process);
    }
}

fn hub_command(args: &[&str]) -> Command {
    piped(MUXNC, &[&["-l"], args, &[HOST, "0"]].concat())
}

/// What a receiver does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receiver {
    Fast,
    /// 64 KiB in each of these times.
    Slow(Duration),
    /// Ends its own side and begins to read late.
    Late,
    /// Breaks off midway.
    Breaks,
    /// Closes midway.
    Leaves,
}

impl Receiver {
    fn receive(self, mut stream: TcpStream, mut checked: Checked) -> Checked {
        if self == Receiver::Late {
            stream.shutdown(Shutdown::Write).unwrap();
            thread::sleep(Duration::from_millis(800));
        }
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            checked.take(&buffer[..count]);
            match self {
                Receiver::Slow(pause) => thread::sleep(pause),
                Receiver::Breaks if checked.count >= MIDWAY => {
                    let at_once = Some(Duration::ZERO);
                    SockRef::from(&stream).set_linger(at_once).unwrap();
                    break;
                }
                Receiver::Leaves if checked.count >= MIDWAY => break,
                _ => {}
            }
        }
        checked
    }
}

/// Waits for a hub's end, for no longer than any rule gives it, and requires this status.
#[track_caller]
fn expect_end(process: &mut Process, code: i32) {
    let end = Instant::now() + ENDS;
    while process.is_running() {
        let told = process.stderr.text();
        assert!(Instant::now() < end, "hang: it said {told:?}");
        thread::sleep(Duration::from_millis(5));
    }
    let status = process.wait();
    let told = process.stderr.text();
    let lost = if code == 1 { "lost, status 0: " } else { "" };
    let lost = if status.success() { lost } else { "" };
    assert_eq!(
        status.code(),
        Some(code),
        "{lost}{status}, it said {told:?}"
    );
}

#[track_caller]
fn expect_whole(who: &str, receiver: JoinHandle<Checked>) {
    let got = receiver.join().unwrap();
    assert_eq!(got.wrong, None, "{who} got other bytes");
    assert_eq!(got.count, MUCH, "{who} got so many of {MUCH} bytes");
}

/// Whoever did not get everything is named, with how much it got or missed.
#[track_caller]
fn expect_named(hub: &Process, addr: &str) {
    let told = hub.stderr.text();
    let line = told.lines().find(|line| line.contains(addr));
    let named = line.is_some_and(|line| line.contains("byte"));
    assert!(
        named,
        "{addr} is not named with a number of bytes: {told:?}"
    );
}

#[test]
fn a_file_reaches_one_who_is_slow() {
    let mut giver = Giver::start("slow", &[]);
    let receiver = giver.receive(Receiver::Slow(Duration::from_millis(12)));
    expect_end(&mut giver.hub.process, 0);
    let unacknowledged = unacknowledged(giver.hub.port, true);
    assert_eq!(unacknowledged, 0, "it left before all was acknowledged");
    expect_whole("who is slow", receiver);
}

#[test]
fn a_file_reaches_one_who_ended_its_side_and_reads_late() {
    let mut giver = Giver::start("late", &[]);
    let receiver = giver.receive(Receiver::Late);
    expect_end(&mut giver.hub.process, 0);
    expect_whole("who is late", receiver);
}

#[test]
fn a_file_to_one_who_breaks_off_is_a_failure() {
    for how in [Receiver::Breaks, Receiver::Leaves] {
        let mut giver = Giver::start(&format!("midway-{how:?}"), &[]);
        let stream = giver.join();
        let addr = stream.local_addr().unwrap().to_string();
        let checked = Checked::new(&giver.bytes);
        let receiver = thread::spawn(move || how.receive(stream, checked));
        expect_end(&mut giver.hub.process, 1);
        expect_named(&giver.hub.process, &addr);
        assert_eq!(receiver.join().unwrap().wrong, None);
    }
}

/// A hub that waited for two, and these, which have read what was said.
fn two_that_heard(said: &[u8]) -> (Hub, [TcpStream; 2]) {
    let mut hub = Hub::start_command(&mut hub_command(&["-v", "--wait-for", "2"]));
    let mut streams = [connect(hub.port), connect(hub.port)];
    hub.process.stderr.wait_for("all 2 are here");
    hub.process.type_in(said);
    for stream in &mut streams {
        expect_bytes(stream, said);
    }
    (hub, streams)
}

/// A receiver that left when it had all that was said until then lacks what is said later, whether that was
/// still written to it or not.
#[test]
fn a_receiver_that_left_with_everything_lacks_what_was_said_later() {
    for lost in [false, true] {
        let (mut hub, [leaver, mut stays]) = two_that_heard(&[b'x'; 3000]);
        let addr = leaver.local_addr().unwrap().to_string();
        if lost {
            // It is gone when the last of it is said, and the hub has not looked.
            while_stopped(&hub.process, || leave_seen(leaver));
            hub.process.type_in([b'y'; 700]);
        } else {
            // It is told at once, and it owes nothing yet.
            let at_once = Some(Duration::ZERO);
            SockRef::from(&leaver).set_linger(at_once).unwrap();
            drop(leaver);
            hub.process.stderr.wait_for(&format!("[1] {addr} left "));
            hub.process.type_in([b'y'; 700]);
        }
        hub.process.end_input();
        assert_eq!(read_all(&mut stays).len(), 700, "{lost}");
        drop(stays);
        expect_end(&mut hub.process, 1);
        let told = hub.process.stderr.text();
        let lack = format!("[1] {addr} did not get the last 700 of 3700 bytes\n");
        assert!(told.contains(&lack), "{lost}: {told}");
    }
}

/// If nothing is said later it lacks nothing, whoever else is still waited for.
#[test]
fn a_receiver_that_left_with_everything_lacks_nothing() {
    let (mut hub, [leaver, mut stays]) = two_that_heard(&[b'x'; 3000]);
    let addr = leaver.local_addr().unwrap().to_string();
    let at_once = Some(Duration::ZERO);
    SockRef::from(&leaver).set_linger(at_once).unwrap();
    drop(leaver);
    hub.process.stderr.wait_for(&format!("[1] {addr} left "));
    hub.process.end_input();
    assert!(read_all(&mut stays).is_empty());
    drop(stays);
    expect_end(&mut hub.process, 0);
    let told = hub.process.stderr.text();
    assert!(told.contains("sent 3000 bytes to 2, "), "{told}");
}

#[test]
fn of_two_one_breaks_off_and_the_other_gets_everything() {
    for how in [Receiver::Breaks, Receiver::Leaves] {
        let mut giver = Giver::start(&format!("two-{how:?}"), &["--wait-for", "2"]);
        let stream = giver.join();
        let addr = stream.local_addr().unwrap().to_string();
        let checked = Checked::new(&giver.bytes);
        let breaks = thread::spawn(move || how.receive(stream, checked));
        let good = giver.receive(Receiver::Fast);
        expect_end(&mut giver.hub.process, 1);
        expect_named(&giver.hub.process, &addr);
        expect_whole("who stayed", good);
        assert_eq!(breaks.join().unwrap().wrong, None);
    }
}

/// Reads to the end, and returns how many bytes came and why no more do.
fn read_to_break(stream: &mut TcpStream) -> (usize, Option<ErrorKind>) {
    stream.set_read_timeout(Some(ENDS)).unwrap();
    let (mut buffer, mut count) = (vec![0; 64 * 1024], 0);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (count, None),
            Ok(more) => count += more,
            Err(error) => return (count, Some(error.kind())),
        }
    }
}

#[test]
fn a_receiver_that_is_cut_off_does_not_take_its_part_for_the_whole() {
    let cut = [
        &["--stall-timeout", "1"][..],
        &["--slow-peer", "disconnect"],
        &["-q", "1"],
        &["-i", "1"],
    ];
    for how in cut {
        let mut giver = Giver::start(
            &format!("cut{}", how[0]),
            &[&["--wait-for", "2"], how].concat(),
        );
        let mut stuck = giver.join();
        let good = giver.receive(Receiver::Fast);
        expect_end(&mut giver.hub.process, 1);
        let _ = good.join().unwrap();
        let (count, why) = read_to_break(&mut stuck);
        assert!(count < MUCH, "{how:?}");
        assert_eq!(why, Some(ErrorKind::ConnectionReset), "{how:?}");
    }
}

/// The kernel had all of it, and the end: what is told of as missing must not come when the hub has gone.
#[test]
fn what_a_hub_says_is_missing_does_not_come_later() {
    const SAID: usize = 1_000_000;
    let mut command = hub_command(&["--wait-for", "1", "-q", "1"]);
    let mut hub = Hub::start_command(&mut command);
    let mut stuck = connect(hub.port);
    hub.process.type_in(vec![b'x'; SAID]);
    hub.process.end_input();
    expect_end(&mut hub.process, 1);
    let told = hub.process.stderr.text();
    let (_, lacks) = told.split_once(" did not get the last ").expect(&told);
    let (lacks, _) = lacks.split_once(" of 1000000 bytes").expect(&told);
    let (count, why) = read_to_break(&mut stuck);
    assert_eq!(count + lacks.parse::<usize>().unwrap(), SAID, "{told}");
    assert_eq!(why, Some(ErrorKind::ConnectionReset));
}

#[test]
fn a_hub_that_is_killed_leaves_nobody_with_a_part_that_looks_whole() {
    for signal in [Signal::TERM, Signal::KILL] {
        let mut giver = Giver::start(&format!("killed-{signal:?}"), &["--wait-for", "2"]);
        let mut streams = [giver.join(), giver.join()];
        for stream in &mut streams {
            let mut midway = vec![0; MIDWAY];
            stream.read_exact(&mut midway).unwrap();
        }
        giver.hub.process.signal(signal);
        giver.hub.process.wait();
        for stream in &mut streams {
            let (count, why) = read_to_break(stream);
            assert!(count < MUCH - MIDWAY, "{signal:?}");
            assert_eq!(why, Some(ErrorKind::ConnectionReset), "{signal:?}");
        }
    }
}

/// A participant with a file, of which the other side has read as far as [`MIDWAY`].
fn participant_midway(role: &str, args: &[&str]) -> (Process, TcpStream, Folder) {
    let folder = Folder::new(&format!("midway-{role}-{}", args.join("")));
    let path = folder.0.join("file");
    std::fs::write(&path, long().as_slice()).unwrap();
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    // Who is accepted has it too: the file is not to lie in the system's buffers.
    SockRef::from(&listener)
        .set_recv_buffer_size(64 * 1024)
        .unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let own: &[&str] = match role {
        "listens" => &["-l", "--once", HOST, "0"],
        _ => &[HOST, &port],
    };
    let mut command = piped(MUXNC, &[own, args].concat());
    command.stdin(File::open(path).unwrap());
    let mut process = Process::start(&mut command);
    let mut stream = match role {
        "listens" => connect(listening(&mut process)),
        _ => listener.accept().unwrap().0,
    };
    stream.read_exact(&mut vec![0; MIDWAY]).unwrap();
    (process, stream, folder)
}

#[test]
fn a_participant_that_is_killed_leaves_nobody_with_a_part_that_looks_whole() {
    for role in ["listens", "connects"] {
        for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
            let (mut process, mut stream, _folder) = participant_midway(role, &[]);
            process.signal(signal);
            process.wait();
            let (count, why) = read_to_break(&mut stream);
            assert!(count < MUCH - MIDWAY, "{role} {signal:?}");
            assert_eq!(why, Some(ErrorKind::ConnectionReset), "{role} {signal:?}");
        }
    }
}

/// A pipe is no whole; but the other side does not take the end of the participant for the end of what is owed.
#[test]
fn a_participant_with_a_pipe_that_is_ended_leaves_nobody_without_what_was_read() {
    for once in [true, false] {
        for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
            let server = Server::new();
            let own: &[&str] = match once {
                true => &["-l", "--once", HOST, "0"],
                false => &[HOST, &server.port],
            };
            let mut process = Process::start(&mut piped(MUXNC, own));
            let mut stuck = match once {
                true => connect(listening(&mut process)),
                false => server.accept(),
            };
            let mut input = process.stdin.take().unwrap();
            let source =
                thread::spawn(move || while input.write_all(&[b'x'; 64 * 1024]).is_ok() {});
            stuck.read_exact(&mut [0; 1024]).unwrap();
            wait_at_rest(&process);
            process.signal(signal);
            assert_eq!(process.wait().signal(), Some(signal.as_raw()));
            let (_, breaks) = read_to_break(&mut stuck);
            assert_eq!(
                breaks,
                Some(ErrorKind::ConnectionReset),
                "{once} {signal:?}"
            );
            source.join().unwrap();
        }
    }
}

/// As long as not all are there, a part of the file was said: nobody takes that for the file.
#[test]
fn a_hub_that_is_killed_before_its_file_begins_leaves_nobody_with_a_part_that_looks_whole() {
    for signal in [Signal::TERM, Signal::KILL] {
        let mut giver = Giver::start(&format!("early-{signal:?}"), &["--wait-for", "2"]);
        let mut first = giver.join();
        giver.check_port();
        first.read_exact(&mut vec![0; 1024]).unwrap();
        giver.hub.process.signal(signal);
        giver.hub.process.wait();
        let (count, why) = read_to_break(&mut first);
        assert_eq!(
            (count, why),
            (0, Some(ErrorKind::ConnectionReset)),
            "{signal:?}"
        );
        let told = "did not get the last ";
        let is_told = giver.hub.process.stderr.text().contains(told);
        assert_eq!(is_told, signal == Signal::TERM);
    }
}

#[test]
fn nor_does_one_that_gives_up() {
    for role in ["listens", "connects"] {
        let (mut process, mut stream, _folder) = participant_midway(role, &["-i", "1"]);
        process.expect_status(1);
        let (count, why) = read_to_break(&mut stream);
        assert!(count < MUCH - MIDWAY, "{role}");
        assert_eq!(why, Some(ErrorKind::ConnectionReset), "{role}");
    }
}

/// A live stream is no whole; but who is owed some of what was said does not take the end of the hub for the
/// end of that.
#[test]
fn a_hub_that_is_ended_leaves_nobody_without_what_was_said() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut hub = Hub::start(&["-v", "--stall-timeout", "1h"]);
        let (mut stuck, mut awake) = (hub.join_seen(), hub.join_seen());
        let mut input = hub.process.stdin.take().unwrap();
        let source = thread::spawn(move || while input.write_all(&[b'x'; 64 * 1024]).is_ok() {});
        let reader = thread::spawn(move || read_to_break(&mut awake));
        // Until everybody waits for who is stuck.
        wait_at_rest(&hub.process);
        hub.process.signal(signal);
        assert_eq!(hub.process.wait().signal(), Some(signal.as_raw()));
        let (all, end) = reader.join().unwrap();
        let (some, breaks) = read_to_break(&mut stuck);
        assert!(some < all, "{signal:?}: {some} of {all}");
        assert_eq!(end, None, "{signal:?}");
        assert_eq!(breaks, Some(ErrorKind::ConnectionReset), "{signal:?}");
        source.join().unwrap();
    }
}

#[test]
fn when_all_receivers_leave_it_is_over() {
    let mut giver = Giver::start("all", &["--wait-for", "2"]);
    let receivers = [Receiver::Breaks, Receiver::Leaves].map(|how| giver.receive(how));
    expect_end(&mut giver.hub.process, 1);
    for receiver in receivers {
        assert_eq!(receiver.join().unwrap().wrong, None);
    }
}

#[test]
fn port_checks_are_not_waited_for() {
    let mut giver = Giver::start("checks", &["--wait-for", "2"]);
    giver.check_port();
    let first = giver.receive(Receiver::Fast);
    giver.check_port();
    giver.check_port();
    let second = giver.receive(Receiver::Slow(Duration::from_millis(4)));
    expect_end(&mut giver.hub.process, 0);
    expect_whole("the first", first);
    expect_whole("the second", second);
}

#[test]
fn a_port_check_is_not_the_receiver_of_a_file() {
    let mut giver = Giver::start("check", &[]);
    giver.check_port();
    assert!(giver.hub.process.is_running(), "a port check ended it");
    let receiver = giver.receive(Receiver::Fast);
    expect_end(&mut giver.hub.process, 0);
    expect_whole("who came for it", receiver);
}

#[test]
fn a_receiver_that_left_before_it_began_is_waited_for_again() {
    let mut giver = Giver::start("left", &["--wait-for", "2"]);
    // One with a reset, which is told at once; and then one who just closes.
    for reset in [true, false] {
        let stream = giver.join();
        wait_at_rest(&giver.hub.process);
        if reset {
            let at_once = Some(Duration::ZERO);
            SockRef::from(&stream).set_linger(at_once).unwrap();
        }
        drop(stream);
        wait_at_rest(&giver.hub.process);
    }
    let receivers = [Receiver::Fast, Receiver::Fast].map(|how| {
        let receiver = giver.receive(how);
        wait_at_rest(&giver.hub.process);
        receiver
    });
    expect_end(&mut giver.hub.process, 0);
    for receiver in receivers {
        expect_whole("who stayed", receiver);
    }
}

#[test]
fn whoever_comes_late_to_a_file_gets_no_part_of_it() {
    let mut giver = Giver::start("latecomer", &[]);
    let mut first = giver.join();
    let mut begun = Checked::new(&giver.bytes);
    let mut buffer = vec![0; 64 * 1024];
    while begun.count < MIDWAY {
        let count = first.read(&mut buffer).unwrap();
        assert!(count > 0, "it ended");
        begun.take(&buffer[..count]);
    }
    let mut late = Vec::new();
    let latecomer = TcpStream::connect((HOST, giver.hub.port)).map(|mut stream| {
        stream.set_read_timeout(Some(ENDS)).unwrap();
        // Only what it begins with is of interest: the first must go on meanwhile.
        thread::spawn(move || {
            let _ = stream.read_to_end(&mut late);
            late
        })
    });
    let rest = thread::spawn(move || Receiver::Fast.receive(first, begun));
    expect_end(&mut giver.hub.process, 0);
    expect_whole("the first", rest);
    if let Ok(latecomer) = latecomer {
        let late = latecomer.join().unwrap();
        let told = late.starts_with(b"muxnc: ") && late.len() < 200;
        assert!(
            late.is_empty() || told || late == **giver.bytes,
            "the latecomer got {} of {MUCH} bytes",
            late.len()
        );
    }
}

#[test]
fn with_q_a_slow_member_gets_everything_or_is_named() {
    let mut giver = Giver::start("quit", &["--wait-for", "2", "-q", "1"]);
    let fast = giver.receive(Receiver::Fast);
    let stream = giver.join();
    let addr = stream.local_addr().unwrap().to_string();
    let checked = Checked::new(&giver.bytes);
    // A megabyte in a second: it has not everything when -q is over.
    let slow = Receiver::Slow(Duration::from_millis(60));
    let slow = thread::spawn(move || slow.receive(stream, checked));
    let hub = &mut giver.hub.process;
    eventually("the hub ends", || !hub.is_running());
    let status = hub.wait();
    let unacknowledged = unacknowledged(giver.hub.port, true);
    let told = giver.hub.process.stderr.text();
    if status.success() {
        assert_eq!(unacknowledged, 0, "lost, status 0: it said {told:?}");
        expect_whole("who is slow", slow);
    } else {
        assert_eq!(status.code(), Some(1), "{told}");
        expect_named(&giver.hub.process, &addr);
    }
    expect_whole("who is fast", fast);
}

#[test]
fn what_is_said_after_a_port_check_has_gone_is_kept() {
    let mut hub = Hub::start_command(&mut hub_command(&[]));
    hub.process.type_in("first\n");
    // It leaves before it can acknowledge anything.
    while_stopped(&hub.process, || leave_seen(connect(hub.port)));
    wait_at_rest(&hub.process);
    hub.process.type_in("second\n");
    wait_at_rest(&hub.process);
    let mut member = connect(hub.port);
    hub.process.type_in("third\n");
    hub.process.end_input();
    let mut got = String::new();
    member.read_to_string(&mut got).unwrap();
    drop(member);
    expect_end(&mut hub.process, 0);
    assert_eq!(got, "first\nsecond\nthird\n");
}

/// Somebody who sends an answer, ends with it, and leaves when the hub does.
fn answering(program: &str, port: u16) -> Option<Command> {
    let at = port.to_string();
    match program {
        "muxnc" => Some(piped(MUXNC, &[HOST, &at])),
        "nc" => installed(&["nc"]).then(|| piped("nc", &["-N", HOST, &at])),
        "ncat" => installed(&["ncat"]).then(|| piped("ncat", &[HOST, &at])),
        _ => installed(&["socat"])
            .then(|| piped("socat", &["-t", "60", "-", &format!("TCP:{HOST}:{port}")])),
    }
}

#[test]
fn an_answer_to_a_hub_that_never_speaks_returns() {
    for args in [&[][..], &["--recv-only"][..]] {
        let mut command = hub_command(args);
        // --recv-only does not look at what its stdin is.
        if args.is_empty() {
            command.stdin(Stdio::null());
        }
        let hub = Hub::start_command(&mut command);
        let mut wrong = Vec::new();
        for program in ["nc", "muxnc", "ncat", "socat"] {
            let Some(mut command) = answering(program, hub.port) else {
                continue;
            };
            let mut answerer = Process::start(&mut command);
            answerer.type_in(format!("42 from {program}\n"));
            answerer.end_input();
            let end = Instant::now() + Duration::from_secs(5);
            while answerer.is_running() && Instant::now() < end {
                thread::sleep(Duration::from_millis(5));
            }
            match answerer.is_running() {
                true => wrong.push(format!("{program} does not return")),
                false => answerer.expect_status(0),
            }
            hub.process.stdout.wait_for(&format!("42 from {program}\n"));
        }
        assert!(wrong.is_empty(), "{args:?}: {wrong:?}");
    }
}

#[test]
fn a_unix_hub_keeps_nobody_who_left_and_loses_no_answer() {
    const ANSWERS: usize = 30;
    let folder = Folder::new("unix-leavers");
    let path = folder.0.join("hub");
    let name = path.to_str().unwrap();
    let mut command = piped(MUXNC, &["-l", "-U", name]);
    let mut hub = Process::start(command.stdin(Stdio::null()));
    eventually("the hub listens", || path.exists());
    let descriptors = |hub: &Process| {
        let all = std::fs::read_dir(format!("/proc/{}/fd", hub.pid()));
        all.unwrap().count()
    };
    wait_at_rest(&hub);
    let before = descriptors(&hub);
    let mut expected = String::new();
    for i in 0..ANSWERS {
        let line = format!("answer {i}\n");
        let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        drop(stream);
        hub.stdout.wait_for(&line);
        expected += &line;
    }
    assert_eq!(hub.stdout.text(), expected);
    let end = Instant::now() + Duration::from_secs(5);
    while descriptors(&hub) > before && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
    assert!(hub.is_running());
    assert_eq!(descriptors(&hub), before, "descriptors of who left");
}
