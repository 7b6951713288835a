//! Terminals: typed at, stopped with Ctrl-S, taken over by another job, hung up.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFlags;
use rustix::termios::LocalModes;
use rustix::termios::OptionalActions;
use rustix::termios::tcgetattr;
use rustix::termios::tcsetattr;

use crate::stdio::DEADLINE;
use crate::stdio::expect_rest;
use crate::stdio::expect_serving;
use crate::stdio::expect_silence;
use crate::stdio::numbered;
use crate::stdio::send_from_thread;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::Server;
use crate::support::Terminal;
use crate::support::Watched;
use crate::support::connect;
use crate::support::copy_program;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::is_ready;
use crate::support::left_out;
use crate::support::listening_port;
use crate::support::pid_in;
use crate::support::piped;
use crate::support::pty;
use crate::support::read_all;
use crate::support::stat;
use crate::support::stay;

/// A terminal that echoes nothing, so that what appears on it is what was written to it.
struct Seat {
    keyboard: File,
    tty: OwnedFd,
}

impl Seat {
    fn new() -> Seat {
        let (keyboard, tty) = pty();
        let mut modes = tcgetattr(&tty).unwrap();
        modes.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&tty, OptionalActions::Now, &modes).unwrap();
        Seat { keyboard, tty }
    }

    /// A hub whose stdin and stdout it is, and whose controlling terminal. stderr is a pipe.
    #[track_caller]
    fn hub(&self, args: &[&str]) -> Hub {
        let mut command = piped("setsid", &["--ctty", MUXNC, "-l", "0", "-v"]);
        Hub::start_command(command.args(args).stdin(self.tty()).stdout(self.tty()))
    }

    fn tty(&self) -> OwnedFd {
        self.tty.try_clone().unwrap()
    }

    fn screen(&self) -> Watched {
        Watched::new(self.keyboard.try_clone().unwrap())
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Ctrl-S, which the kernel obeys a little later.
    #[track_caller]
    fn stop(&mut self) {
        self.press("\x13");
        let end = Instant::now() + DEADLINE;
        while is_ready(&self.tty, PollFlags::OUT, Duration::ZERO) {
            assert!(Instant::now() < end, "Ctrl-S stops nothing");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ctrl-Q.
    fn go_on(&mut self) {
        self.press("\x11");
    }
}

#[test]
fn lines_typed_before_anyone_connects_reach_the_first_who_joins() {
    let mut seat = Seat::new();
    let hub = seat.hub(&[]);
    seat.press("good morning\rclass\r");
    expect_rest(&hub.process);
    let mut peer = hub.join_seen();
    expect_bytes(&mut peer, "good morning\nclass\n");
    seat.press("sit down\r");
    expect_bytes(&mut peer, "sit down\n");
}

#[test]
fn ctrl_d_half_closes_and_the_class_may_finish() {
    let mut seat = Seat::new();
    let screen = seat.screen();
    let mut hub = seat.hub(&[]);
    let mut peer = hub.join_seen();
    // In the middle of a line it only passes on what is there.
    seat.press("the last\rwords\x04");
    expect_bytes(&mut peer, "the last\nwords");
    seat.press("\x04");
    assert_eq!(read_all(&mut peer), b"");
    peer.write_all(b"goodbye\n").unwrap();
    screen.wait_for("goodbye\r\n");
    assert!(hub.process.is_running());
    drop(peer);
    hub.process.expect_status(0);
}

#[test]
fn what_was_typed_before_ctrl_d_waits_for_who_comes() {
    for args in [&[] as &[&str], &["--no-commands"]] {
        let mut seat = Seat::new();
        let screen = seat.screen();
        let mut hub = seat.hub(args);
        seat.press("good morning\rclass\r");
        expect_rest(&hub.process);
        seat.press("\x04");
        if args.is_empty() {
            screen.wait_for("muxnc: the first to join gets what waits; then the class ends");
        }
        expect_rest(&hub.process);
        let mut peer = hub.join_seen();
        assert_eq!(read_all(&mut peer), b"good morning\nclass\n");
        drop(peer);
        hub.process.expect_status(0);
    }
    // Where nothing waits it is the end.
    let mut seat = Seat::new();
    let mut hub = seat.hub(&[]);
    seat.press("\x04");
    hub.process.expect_status(0);
}

#[test]
fn ctrl_d_half_closes_also_who_heard_nothing() {
    for args in [&[] as &[&str], &["--once"]] {
        let mut seat = Seat::new();
        let mut hub = seat.hub(args);
        let mut peer = hub.join_seen();
        seat.press("\x04");
        assert_eq!(read_all(&mut peer), b"");
        drop(peer);
        hub.process.expect_status(0);
    }
}

#[test]
fn ctrl_d_half_closes_nobody_if_the_hub_is_kept_open() {
    let mut seat = Seat::new();
    let screen = seat.screen();
    let hub = seat.hub(&["-k"]);
    let mut peer = hub.join_seen();
    seat.press("that was all\r\x04");
    expect_bytes(&mut peer, "that was all\n");
    expect_silence(&peer);
    peer.write_all(b"thank you\n").unwrap();
    screen.wait_for("thank you\r\n");
    expect_rest(&hub.process);
}

#[test]
fn ctrl_d_half_closes_a_participant() {
    let server = Server::new();
    let mut terminal = Terminal::muxnc(&server.args(&[]));
    let mut stream = server.accept();
    terminal.press("a question\r\x04");
    assert_eq!(read_all(&mut stream), b"a question\n");
    stream.write_all(b"an answer\n").unwrap();
    terminal.screen.wait_for("an answer\r\n");
    drop(stream);
    terminal.process.expect_status(0);
}

#[test]
fn the_server_closing_ends_a_participant_at_a_terminal_and_tells_why() {
    let server = Server::new();
    let mut terminal = Terminal::muxnc(&server.args(&[]));
    let stream = server.accept();
    let addr = stream.local_addr().unwrap();
    drop(stream);
    terminal.process.expect_status(0);
    let told = format!("muxnc: {addr} closed the connection\r\n");
    terminal.screen.wait_for(&told);
}

#[test]
fn a_stopped_terminal_stops_nobody_and_everything_appears_when_it_goes_on() {
    let mut seat = Seat::new();
    let screen = seat.screen();
    let mut hub = seat.hub(&["--label", "never"]);
    let mut flooder = hub.join_seen();
    // It has that when it has stayed for a moment: nothing is kept for who joins.
    seat.press("hello\r");
    expect_bytes(&mut flooder, "hello\n");
    stay();
    seat.stop();
    let total = 20_000;
    let sender = send_from_thread(&flooder, numbered(total));
    for round in ["one", "two"] {
        let mut peer = hub.join_seen();
        seat.press(&format!("{round}\r"));
        expect_bytes(&mut peer, format!("{round}\n"));
        expect_bytes(&mut flooder, format!("{round}\n"));
    }
    expect_rest(&hub.process);
    assert_eq!(screen.text(), "");

    seat.go_on();
    sender.join().unwrap();
    let shown = String::from_utf8(numbered(total)).unwrap();
    let shown = shown.replace('\n', "\r\n");
    screen.wait_for(&shown[shown.len() - 40..]);
    assert!(screen.text() == shown);
    assert!(hub.process.is_running());
}

#[test]
fn a_stopped_terminal_stops_no_broker_and_the_oldest_lines_are_dropped_and_counted() {
    let mut seat = Seat::new();
    let screen = seat.screen();
    let hub = seat.hub(&["--broker", "--label", "never"]);
    let mut flooder = hub.join_seen();
    let listener = hub.join_seen();
    seat.stop();
    let flood = numbered(20_000);
    let sender = send_from_thread(&flooder, flood.clone());
    let heard = Watched::new(listener.try_clone().unwrap());
    // While the screen stands still, the class hears every line.
    heard.wait_until("the flood", |bytes| bytes.len() == flood.len());
    sender.join().unwrap();
    assert!(heard.bytes() == flood);
    seat.press("quiet, please\r");
    expect_bytes(&mut flooder, "quiet, please\n");
    heard.wait_for("quiet, please\n");
    assert_eq!(screen.text(), "");

    seat.go_on();
    let told = hub.process.stderr.wait_for(" lines were not shown");
    let (before, _) = told.split_once(" lines were not shown").unwrap();
    let dropped: usize = before.rsplit(' ').next().unwrap().parse().unwrap();
    let last = "line 019999, and some more of it\r\n";
    let shown = screen.wait_for(last);
    let shown: Vec<&str> = shown.lines().collect();
    assert!(dropped > 10_000);
    assert_eq!(dropped + shown.len(), 20_000);
    // What was on its way to the terminal is there, and the latest without a gap; in the order they
    // had.
    let all = String::from_utf8(flood).unwrap();
    let all: Vec<&str> = all.lines().collect();
    assert!(shown.is_sorted());
    assert!(shown.iter().all(|line| all.binary_search(line).is_ok()));
    let latest = shown.iter().rev().zip(all.iter().rev());
    let latest = latest.take_while(|(a, b)| a == b).count();
    assert!(latest > 500, "{latest}");
}

/// As after `su`: nobody may open the terminal under its own name, and a write that does not fit
/// would block for good. With `su -c` it is not even the controlling one.
#[test]
fn a_terminal_of_another_user_that_nobody_reads_stops_nobody() {
    if !installed(&["setpriv"]) {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return left_out("to be another user, which is for root");
    }
    // Where it was built others may not be allowed to look.
    let folder = Folder::in_temp("other-user");
    let copy = folder.0.join("muxnc");
    copy_program(&copy);
    for controls in [true, false] {
        let mut seat = Seat::new();
        let mut words = vec!["--reuid=65534", "--regid=65534", "--clear-groups"];
        words.extend([copy.to_str().unwrap(), "-l", "127.0.0.1", "0", "-v"]);
        words.extend(["--broker", "--label", "never"]);
        let mut command = match controls {
            true => piped("setsid", &["--ctty", "setpriv"]),
            false => piped("setsid", &["setpriv"]),
        };
        command.args(words).stdin(seat.tty()).stdout(seat.tty());
        let hub = Hub::start_command(&mut command);
        let mut flooder = hub.join_seen();
        let listener = hub.join_seen();
        let heard = Watched::new(listener.try_clone().unwrap());
        let flood = numbered(20_000);
        let sender = send_from_thread(&flooder, flood.clone());
        heard.wait_until("the flood", |bytes| bytes.len() == flood.len());
        sender.join().unwrap();
        if controls {
            seat.press("quiet, please\r");
            expect_bytes(&mut flooder, "quiet, please\n");
        }
        expect_rest(&hub.process);

        let screen = seat.screen();
        screen.wait_for("line 019999, and some more of it\r\n");
        // It can be written to as before.
        flooder.write_all(b"\xc3\xa4 and the end\n").unwrap();
        screen.wait_for("\u{e4} and the end\r\n");
    }
}

#[test]
fn a_stopped_terminal_does_not_hold_up_what_a_participant_sends() {
    let mut seat = Seat::new();
    let screen = seat.screen();
    let server = Server::new();
    let mut command = piped("setsid", &["--ctty", MUXNC]);
    command.args(server.args(&[]));
    let mut process = Process::start(command.stdin(seat.tty()).stdout(seat.tty()));
    let mut stream = server.accept();
    seat.stop();
    let total = 200_000;
    let sender = send_from_thread(&stream, numbered(total));
    expect_rest(&process);
    seat.press("stop it\r");
    expect_bytes(&mut stream, "stop it\n");

    seat.go_on();
    sender.join().unwrap();
    drop(stream);
    process.expect_status(0);
    let shown = String::from_utf8(numbered(total)).unwrap();
    let shown = shown.replace('\n', "\r\n");
    screen.wait_for(&shown[shown.len() - 40..]);
    assert!(screen.text() == shown);
}

#[test]
fn notices_on_a_stopped_terminal_stop_nobody() {
    let mut seat = Seat::new();
    let screen = seat.screen();
    let mut command = piped(MUXNC, &["-l", "0"]);
    let mut process = Process::start(command.env("RUST_LOG", "trace").stderr(seat.tty()));
    let port = listening_port(&screen);
    let hub_heard = process.stdout.clone();
    seat.stop();
    let mut first = connect(port);
    for _ in 0..1500 {
        drop(connect(port));
    }
    let mut last = connect(port);
    last.write_all(b"I am the last\n").unwrap();
    hub_heard.wait_for("I am the last\n");
    process.type_in("welcome\n");
    expect_bytes(&mut first, "welcome\n");
    expect_bytes(&mut last, "welcome\n");
    assert!(!screen.text().contains("joined"));

    seat.go_on();
    screen.wait_for("joined, ");
    screen.wait_for(" messages were lost here\r\n");
}

/// A shell with job control at a terminal, muxnc in the background, and somebody who types for
/// the job in the foreground.
#[test]
fn in_the_background_it_is_neither_stopped_nor_steals_what_is_typed() {
    for listens in [true, false] {
        let server = Server::new();
        let mut terminal = Terminal::start("bash", &["--norc", "--noprofile", "-i"]);
        let screen = terminal.screen.clone();
        let args = match listens {
            true => vec!["-l", "0"],
            false => server.args(&[]),
        };
        // The digits are not in what is echoed, only in what is answered.
        let start = format!("{MUXNC} {} & echo \"pid:$!;\"\r", args.join(" "));
        terminal.press(&start);
        let pid = screen.wait_until("its pid", |bytes| pid_in(bytes).is_some());
        let pid = pid_in(&pid).unwrap();
        let mut peer = match listens {
            true => {
                let peer = connect(listening_port(&screen));
                screen.wait_for(" joined, 1 here");
                peer
            }
            false => server.accept(),
        };

        terminal.press("cat; echo 'cat has ''ended'\r");
        for round in ["a\n", "b\n", "c\n"] {
            terminal.press(format!("for cat, {round}"));
            // It is alive after that, and has heard of the key press before this.
            let echo = format!("peer says {round}");
            screen.wait_for(&format!("for cat, {}", round.trim()));
            peer.write_all(echo.as_bytes()).unwrap();
            screen.wait_for(&format!("peer says {}", round.trim()));
            let state = state(pid);
            assert_ne!(state, 'T', "stopped by a line that is not for it");
        }
        terminal.press("\x04");
        screen.wait_for("cat has ended");

        terminal.press("fg\r");
        // Whatever bash still reads before it gave the terminal away is not for the class.
        wait_foreground(pid);
        terminal.press("for the class\r");
        expect_bytes(&mut peer, "for the class\n");
    }
}

/// Its wait for events is interrupted by that, which is no error.
#[test]
fn stopped_with_ctrl_z_and_brought_back_it_goes_on() {
    for listens in [true, false] {
        let server = Server::new();
        let mut terminal = Terminal::start("bash", &["--norc", "--noprofile", "-i"]);
        let screen = terminal.screen.clone();
        let args = match listens {
            true => vec!["-l", "0"],
            false => server.args(&[]),
        };
        terminal.press(format!("{MUXNC} {}; echo \"st:$?;\"\r", args.join(" ")));
        let mut peer = match listens {
            true => connect(listening_port(&screen)),
            false => server.accept(),
        };
        terminal.press("one\r");
        expect_bytes(&mut peer, "one\n");
        terminal.press("\x1a");
        // The shell's own words, and the status by which it knows.
        screen.wait_for("st:148;");
        peer.write_all(b"said meanwhile\n").unwrap();
        terminal.press("fg\r");
        screen.wait_for("said meanwhile\r\n");
        terminal.press("two\r");
        expect_bytes(&mut peer, "two\n");
    }
}

#[test]
fn a_terminal_that_hangs_up_ends_the_program() {
    for (ignoring, who) in [
        // The usual end: SIGHUP.
        (false, Who::Hub),
        (false, Who::Participant),
        // Where the signal is ignored, or never comes.
        (true, Who::Hub),
        (true, Who::HubWithPeer),
        (true, Who::Participant),
    ] {
        let server = Server::new();
        let Seat { keyboard, tty } = Seat::new();
        let mut args = vec!["-c", "trap '' HUP; exec \"$0\" \"$@\"", MUXNC];
        if !ignoring {
            args[1] = "exec \"$0\" \"$@\"";
        }
        match who {
            Who::Participant => args.extend(server.args(&["-v"])),
            _ => args.extend(["-l", "0", "-v"]),
        }
        let mut command = Command::new("setsid");
        command.args(["--ctty", "sh"]).args(args);
        let mut process = start_with_pipe_as_stderr(command, tty);
        let peer = match who {
            Who::Participant => Some(server.accept()),
            Who::Hub => {
                listening_port(&process.stderr);
                None
            }
            Who::HubWithPeer => {
                let peer = connect(listening_port(&process.stderr));
                process.stderr.wait_for("joined");
                Some(peer)
            }
        };
        if let Who::Participant = who {
            process.stderr.wait_for("connected");
        }
        expect_rest(&process);
        drop(keyboard);
        let status = process.wait();
        let said = process.stderr.wait_end();
        let said = String::from_utf8_lossy(&said);
        if ignoring {
            assert_eq!(status.code(), Some(1), "{who:?}: {status} {said}");
            let told = "muxnc: read from the terminal: it was closed\n";
            assert!(said.ends_with(told), "{who:?}: {said}");
        } else {
            let hangup = rustix::process::Signal::HUP.as_raw();
            assert_eq!(status.signal(), Some(hangup), "{who:?}: {said}");
        }
        drop(peer);
    }
}

/// It is the same terminal, whose stdin has ended only for those who read it.
#[test]
fn a_hub_that_only_receives_serves_on_after_its_terminal_hung_up() {
    let Seat { keyboard, tty } = Seat::new();
    let mut command = piped("setsid", &[MUXNC, "-l", "0", "-v", "--recv-only"]);
    let hub = Hub::start_command(command.stdin(tty));
    drop(command);
    drop(keyboard);
    expect_serving(&hub);
    expect_rest(&hub.process);
}

#[derive(Debug, Clone, Copy)]
enum Who {
    Hub,
    HubWithPeer,
    Participant,
}

#[track_caller]
fn start_with_pipe_as_stderr(mut command: Command, tty: OwnedFd) -> Process {
    command
        .env_remove("RUST_LOG")
        .stdin(tty.try_clone().unwrap())
        .stdout(tty)
        .stderr(std::process::Stdio::piped());
    Process::start(&mut command)
}

fn state(pid: u32) -> char {
    stat(pid)[0].chars().next().unwrap()
}

/// Waits until its terminal is its own.
#[track_caller]
fn wait_foreground(pid: u32) {
    let end = Instant::now() + DEADLINE;
    while stat(pid)[2] != stat(pid)[5] {
        assert!(Instant::now() < end, "it never got the terminal");
        thread::sleep(Duration::from_millis(2));
    }
}
