//! Every kind of end: the terminal is as it was, and the shell is told.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use muxnc::io::terminal::Terminal;
use rustix::process::Signal;
use rustix::termios::SpecialCodeIndex;
use rustix::termios::tcgetattr;

use crate::Seat;
use crate::Stream;
use crate::at_both;
use crate::expect_rest;
use crate::is_canonical;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::Server;
use crate::support::Watched;
use crate::support::connect;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::listening_port;
use crate::support::pty;
use crate::support::read_all;
use crate::support::stay;
use crate::support::wait_at_rest;
use crate::support::while_stopped;
use crate::support::without_marks;

#[track_caller]
fn expect_death(seat: &mut Seat, signal: Signal) {
    let status = seat.process.wait();
    assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
    seat.expect_found();
}

#[test]
fn ctrl_c_clears_the_line_and_then_ends() {
    at_both(|mut seat, mut peer| {
        seat.press("not that");
        seat.expect(&["not that"], 8);
        seat.press("\x03");
        seat.expect(&[""], 0);
        seat.press("this\r");
        expect_bytes(&mut peer, "this\n");
        seat.press("\x03");
        expect_death(&mut seat, Signal::INT);
    });
}

#[test]
fn ctrl_c_in_a_shell_is_seen_by_it() {
    let mut seat = shell();
    let hub = format!("for i in 1 2 3; do {MUXNC} -l 0; done; echo st:$?\\;\r");
    seat.press(&hub);
    seat.wait_for("listening on");
    seat.wait_editing();
    seat.press("\x03");
    seat.screen.wait_until("the prompt", |bytes| {
        String::from_utf8_lossy(bytes).matches("shell$ ").count() == 2
    });
    seat.press("echo 'st:'$?';'\r");
    seat.wait_for("st:130;");
    let times = seat.screen.text().matches("listening on").count();
    assert_eq!(times, 1, "the loop went on");
}

/// A slow network or a busy machine has them come together; the terminal threw away what came before.
#[test]
fn what_comes_with_ctrl_c_in_one_read_is_acted_on_in_order() {
    at_both(|mut seat, mut peer| {
        let mut rows = vec![""];
        for keys in ["not that\x03", "not that\x03this\r", "half\x03\x1b[A\x03"] {
            while_stopped(&seat.process, || {
                seat.keyboard.write_all(keys.as_bytes()).unwrap();
            });
            if keys.contains('\r') {
                expect_bytes(&mut peer, "this\n");
                rows.insert(0, "this");
            }
            seat.expect(&rows, 0);
            seat.pause();
        }
        seat.press("a line\r");
        expect_bytes(&mut peer, "a line\n");
        seat.pause();
        // What is behind the end is for whoever has the terminal then.
        while_stopped(&seat.process, || {
            seat.keyboard
                .write_all(b"and this\r\x03not that\r")
                .unwrap();
        });
        expect_bytes(&mut peer, "and this\n");
        expect_death(&mut seat, Signal::INT);
        assert_eq!(read_all(&mut peer), b"");
    });
}

/// Only the key clears a line: who sends the signal means the program.
#[test]
fn an_interrupt_from_outside_ends_it_whatever_is_typed() {
    at_both(|mut seat, _peer| {
        seat.press("half a line");
        seat.expect(&["half a line"], 11);
        seat.process.signal(Signal::INT);
        expect_death(&mut seat, Signal::INT);
    });
}

#[test]
fn ctrl_c_ends_it_where_keys_are_not_read_any_more() {
    at_both(|mut seat, mut peer| {
        seat.press("\x04");
        if seat.process.stderr.text().contains("joined") {
            seat.wait_for("Ctrl-D again ends the class");
            seat.press("\x04");
        }
        assert_eq!(read_all(&mut peer), b"");
        eventually("Ctrl-C is the terminal's", || interrupts(&seat.tty));
        seat.press("\x03");
        expect_death(&mut seat, Signal::INT);
    });
}

/// Whether Ctrl-C is a signal of this terminal.
fn interrupts(tty: &OwnedFd) -> bool {
    let modes = tcgetattr(tty).unwrap();
    modes.special_codes[SpecialCodeIndex::VINTR] == 0x03
}

#[test]
fn another_key_may_interrupt() {
    let line = format!("stty intr ^X; exec {MUXNC} -l 0 -v");
    let mut seat = Seat::start("xterm", Stream::Pipe, &["sh", "-c", &line]);
    let mut peer = seat.join(listening_port(&seat.process.stderr));
    seat.wait_editing();
    seat.press("no\x18thi\x03s\r");
    expect_bytes(&mut peer, "this\n");
    seat.pause();
    seat.press("\x18");
    let status = seat.process.wait();
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "{status}");
}

#[test]
fn ctrl_c_ends_the_script_that_runs_it_too() {
    let script = format!("for i in 1 2 3; do {MUXNC} -l 0 -v; done; echo it went on >&2");
    let mut seat = Seat::start("xterm", Stream::Pipe, &["bash", "-c", &script]);
    seat.process.stderr.wait_for("listening on");
    seat.wait_editing();
    seat.press("\x03");
    let status = seat.process.wait();
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "{status}");
    assert!(!seat.process.stderr.text().contains("it went on"));
}

fn shell() -> Seat {
    let seat = Seat::start(
        "xterm",
        Stream::Terminal,
        &["bash", "--norc", "--noprofile", "-i"],
    );
    seat.wait_for("shell$ ");
    seat
}

/// Those whose default no library can bring back: a shell sees the same status.
#[test]
fn rare_signals_leave_the_terminal_as_it_was_too() {
    for signal in [Signal::IO, Signal::POWER] {
        at_both(|mut seat, _| {
            seat.wait_editing();
            seat.process.signal(signal);
            seat.process.expect_status(128 + signal.as_raw());
            seat.expect_found();
        });
    }
}

#[test]
fn signals_end_it_properly_and_leave_the_terminal_as_it_was() {
    for signal in [
        Signal::TERM,
        Signal::HUP,
        Signal::INT,
        Signal::USR1,
        Signal::USR2,
        Signal::ALARM,
        Signal::PROF,
        Signal::XCPU,
        Signal::ABORT,
        // As a fault, too, though nothing is wrong.
        Signal::FPE,
        Signal::ILL,
        Signal::BUS,
        Signal::SEGV,
    ] {
        at_both(|mut seat, mut peer| {
            peer.write_all(b"a line\nand half").unwrap();
            seat.wait_for("and half");
            seat.wait_editing();
            seat.process.signal(signal);
            expect_death(&mut seat, signal);
            // Nothing is left of the row, and what was said stays.
            seat.expect(&["a line", "and half", ""], 0);
        });
    }
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let line = ["sh", "-c", "trap '' HUP; exec \"$0\" -l 0", MUXNC];
    let mut seat = Seat::start("xterm", Stream::Pipe, &line);
    let mut peer = connect(listening_port(&seat.process.stderr));
    seat.wait_editing();
    seat.process.signal(Signal::HUP);
    seat.press("still here\r");
    expect_bytes(&mut peer, "still here\n");
}

/// Nobody can do anything about it, but the shell does.
#[test]
fn after_sigkill_the_shell_puts_the_terminal_right() {
    let mut seat = shell();
    seat.press(format!("{MUXNC} -l 0 & echo pid:$!';'; fg\r"));
    let port = listening_port(&seat.screen);
    drop(connect(port));
    let told = seat
        .screen
        .wait_until("its pid", |bytes| pid_in(bytes).is_some());
    let pid = rustix::process::Pid::from_raw(pid_in(&told).unwrap()).unwrap();
    seat.wait_for("joined");
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    seat.wait_for("Killed");
    seat.press("stty -a | grep -c ' icanon.* echo .*'; stty -a\r");
    seat.wait_for(" icanon ");
}

/// The number after `pid:`, where the shell has put it in.
fn pid_in(screen: &[u8]) -> Option<i32> {
    let screen = String::from_utf8_lossy(screen);
    screen.split("pid:").find_map(|rest| {
        let (digits, _) = rest.split_once(';')?;
        digits.parse().ok()
    })
}

#[test]
fn the_other_side_closing_leaves_the_terminal_as_it_was() {
    let (mut seat, mut server) = Seat::participant(&[]);
    seat.press("half a line");
    seat.expect(&["half a line"], 11);
    server.write_all(b"goodbye").unwrap();
    drop(server);
    seat.process.expect_status(0);
    seat.expect(&["goodbye", ""], 0);
    seat.expect_found();
}

#[test]
fn ctrl_d_is_asked_for_twice_if_somebody_is_there() {
    let (mut seat, port) = Seat::hub(&[]);
    let mut one = seat.join(port);
    seat.press("\x04");
    let asked = "muxnc: 1 participant is here: Ctrl-D again ends the class (so does Ctrl-C)";
    seat.expect(&[asked, ""], 0);
    seat.press("no\r");
    expect_bytes(&mut one, "no\n");
    // Whatever was pressed meanwhile, it is asked anew.
    seat.press("\x04");
    seat.expect(&[asked, "no", asked, ""], 0);
    seat.press("x\x7f\x04");
    seat.expect(&[asked, "no", asked, asked, ""], 0);
    seat.press("\x04");
    assert_eq!(read_all(&mut one), b"");
    one.write_all(b"goodbye\n").unwrap();
    seat.wait_for("goodbye\r\n");
    drop(one);
    seat.process.expect_status(0);
    seat.expect_found();
}

#[test]
fn ctrl_d_is_asked_for_twice_if_lines_wait() {
    let (mut seat, _) = Seat::hub(&[]);
    seat.press("good morning\r\x04");
    seat.wait_for("muxnc: 1 line was never said: Ctrl-D again ends the class (so does");
    seat.press("\x04");
    seat.process.expect_status(0);
    seat.expect_found();
}

/// What waits is given up only where nobody would hear it.
#[test]
fn what_waits_at_ctrl_d_is_said_to_who_is_there_or_comes_with_keep_open() {
    let (mut seat, port) = Seat::hub(&["--delay", "200ms"]);
    let mut one = seat.join(port);
    seat.type_lines(&["a", "b", "c"]);
    seat.press("\x04");
    seat.wait_for("muxnc: 1 participant is here: Ctrl-D again ends the class (so does");
    seat.press("\x04");
    assert_eq!(read_all(&mut one), b"a\nb\nc\n");
    for edit in [&[][..], &["--no-edit"]] {
        let (mut seat, port) = Seat::hub(&[&["--keep-open"], edit].concat());
        seat.press("for the first\r");
        seat.wait_for("muxnc: nobody is here yet: 1 line waits for the first to join\r\n");
        seat.press("\x04");
        seat.wait_for("muxnc: you say no more, and have no commands; the hub serves on (--keep");
        expect_rest(&seat.process);
        expect_bytes(&mut seat.join(port), "for the first\n");
    }
}

/// One is here, and they wait for another.
#[test]
fn what_waits_for_more_participants_is_asked_for_and_given_up() {
    let (mut seat, port) = Seat::hub(&["--wait-for", "2"]);
    let mut peer = seat.join(port);
    seat.press("text\r");
    seat.wait_for("1 of 2 here: 1 line waits for the others to join");
    seat.press("\x04");
    seat.wait_for("1 of 2 here: 1 line was never said: Ctrl-D again ends the class");
    seat.press("\x04");
    assert_eq!(read_all(&mut peer), b"");
    seat.wait_for("no more is said; waiting until [1] leaves");
    drop(peer);
    seat.process.expect_status(0);
    // Where the kernel edits the one Ctrl-D is the end: when it is, is told.
    let (mut seat, port) = Seat::hub(&["--wait-for", "2", "--no-edit"]);
    seat.press("text\r");
    seat.wait_for("0 of 2 here: 1 line waits");
    seat.press("\x04");
    seat.wait_for("0 of 2 here: what waits is said when all are; then the class ends");
    for mut peer in [seat.join(port), seat.join(port)]
        .map(Some)
        .into_iter()
        .flatten()
    {
        assert_eq!(read_all(&mut peer), b"text\n");
    }
    seat.process.expect_status(0);
}

/// `/quit` ends at once, and a command does not make what waits come sooner.
#[test]
fn quit_tells_what_was_never_said() {
    for more in [&[][..], &["--no-edit"]] {
        let (mut seat, port) = Seat::hub(&[&["--delay", "60"], more].concat());
        let mut peer = seat.join(port);
        seat.type_lines(&["one", "two", "three"]);
        expect_bytes(&mut peer, "one\n");
        seat.pause();
        seat.press("/quit\r");
        assert_eq!(read_all(&mut peer), b"");
        seat.process.expect_status(0);
        let told = "2 lines were never said";
        assert!(seat.process.stderr.text().contains(told) || seat.screen.text().contains(told));
    }
}

#[test]
fn ctrl_d_ends_at_once_where_nobody_is_cut_off() {
    let (mut seat, _) = Seat::hub(&[]);
    seat.press("\x04");
    seat.process.expect_status(0);
    seat.expect_found();

    let (mut seat, mut server) = Seat::participant(&[]);
    seat.press("question\r\x04");
    assert_eq!(read_all(&mut server), b"question\n");
    server.write_all(b"answer\n").unwrap();
    drop(server);
    seat.process.expect_status(0);
    seat.expect(&["question", "answer", ""], 0);
    seat.expect_found();
}

#[test]
fn a_class_that_ends_after_a_time_says_so() {
    let (mut seat, port) = Seat::hub(&["-q", "500ms"]);
    let mut stream = seat.join(port);
    seat.press("\x04");
    seat.wait_for("Ctrl-D again ends the class");
    seat.press("\x04");
    seat.wait_for("waiting until [1] leaves, 500ms at most");
    assert_eq!(read_all(&mut stream), b"");
    seat.process.expect_status(0);
}

#[test]
fn whoever_sends_no_more_is_told_and_before_how_to() {
    let server = Server::new();
    let line = [MUXNC, "127.0.0.1", &server.port];
    for more in [&[][..], &["--no-edit"]] {
        let mut seat = Seat::start("xterm", Stream::Terminal, &[&line[..], more].concat());
        let mut stream = server.accept();
        seat.wait_for(&format!(
            "muxnc: connected to 127.0.0.1:{} (Ctrl-D: you send no more, Ctrl-C leaves)\r\n",
            server.port
        ));
        seat.press("\x04");
        assert_eq!(read_all(&mut stream), b"");
        seat.wait_for("muxnc: you send no more; ");
        stream.write_all(b"still heard\n").unwrap();
        seat.wait_for("still heard\r\n");
        drop(stream);
        seat.process.expect_status(0);
    }
    // Who hears nothing does not wait for its end.
    let line = [&line[..], &["--send-only"]].concat();
    let mut seat = Seat::start("xterm", Stream::Terminal, &line);
    let stream = server.accept();
    seat.wait_for("connected to");
    seat.press("\x04");
    seat.wait_for("muxnc: you send no more; this ends when the other side has all of it");
    seat.process.expect_status(0);
    drop(stream);
    let line = [MUXNC, "127.0.0.1", &server.port];
    // Who leaves then all the same is told when.
    let mut seat = Seat::start(
        "xterm",
        Stream::Terminal,
        &[&line[..], &["-q", "500ms"]].concat(),
    );
    let stream = server.accept();
    seat.wait_for("connected to");
    seat.press("\x04");
    seat.wait_for("what comes is shown until the other side ends, 500ms");
    seat.process.expect_status(0);
    drop(stream);
    // A script is told nothing.
    let mut seat = Seat::start(
        "xterm",
        Stream::Terminal,
        &[&line[..], &["--quiet"]].concat(),
    );
    drop(server.accept());
    seat.process.expect_status(0);
    assert!(!seat.screen.text().contains("muxnc:"));
}

/// Nothing shows what is typed behind Ctrl-D; neither does a shell obey it that reads the terminal after us.
#[test]
fn what_is_typed_behind_ctrl_d_goes_nowhere_and_is_told() {
    at_both(|mut seat, mut peer| {
        seat.press("\x04");
        if seat.process.stderr.text().contains("listening on") {
            seat.wait_for("Ctrl-D again ends the class");
            seat.press("\x04");
            seat.wait_for("muxnc: no more is said; waiting until [1] leaves");
        }
        assert_eq!(read_all(&mut peer), b"");
        for line in [
            "rm -r lesson\r",
            "one\r/quit\r\x04",
            "\x1b[200~two\r\x1b[201~",
        ] {
            let before = seat.screen.text().len();
            seat.press(line);
            let told = "muxnc: that went nowhere: your input has ended (Ctrl-C ends it now)\r\n";
            seat.screen.wait_until("the notice", |bytes| {
                without_marks(&String::from_utf8_lossy(&bytes[before..])).contains(told)
            });
        }
        seat.press("not ended");
        eventually("everything is read", || unread(&seat) == 0);
        assert!(!seat.screen.text().contains("lesson"));
        peer.write_all(b"still heard\n").unwrap();
        seat.wait_for("still heard\r\n");
        drop(peer);
        seat.process.expect_status(0);
        seat.expect_found();
    });
}

/// The kernel edits what is typed until there is somebody whom it is for, and shows it.
#[test]
fn what_is_typed_before_the_other_side_is_there_comes_to_the_edit_line() {
    let start = || {
        let line = [MUXNC, "-l", "0", "-v", "--once", "--color", "never"];
        let seat = Seat::start("xterm", Stream::Pipe, &line);
        let port = listening_port(&seat.process.stderr);
        (seat, port)
    };
    let (mut seat, port) = start();
    seat.press("one\rhalf");
    seat.expect(&["one", "half"], 4);
    let mut peer = connect(port);
    expect_bytes(&mut peer, "one\n");
    seat.wait_editing();
    peer.write_all(b"hello\n").unwrap();
    seat.expect(&["one", "hello", "half"], 4);
    seat.press(" more\r");
    expect_bytes(&mut peer, "half more\n");
    seat.expect(&["one", "hello", "half more", ""], 0);
    // Also a Ctrl-D: what is behind it is for nobody.
    let (mut seat, port) = start();
    seat.press("one\r\x04two\r");
    seat.expect(&["one", "two", ""], 0);
    let mut peer = connect(port);
    assert_eq!(read_all(&mut peer), b"one\n");
    seat.wait_for("that went nowhere");
    drop(peer);
    seat.process.expect_status(0);
}

/// Keys that nobody has read yet.
fn unread(seat: &Seat) -> u64 {
    rustix::io::ioctl_fionread(&seat.tty).unwrap()
}

#[test]
fn ctrl_d_asks_first_if_nobody_read_what_was_said() {
    let (mut seat, port) = Seat::hub(&[]);
    // A port check: it is told of only when something is said, and by then it is gone.
    drop(connect(port));
    seat.process.stderr.wait_for("ended its side");
    seat.press("is anybody there\r");
    seat.process.stderr.wait_for(" left");
    seat.press("\x04");
    seat.wait_for("muxnc: what was said was read by nobody: Ctrl-D again ends the class (so does");
    assert!(seat.process.is_running());
    seat.press("\x04");
    seat.process.expect_status(0);
}

#[test]
fn a_hub_that_ends_says_for_whom_it_waits() {
    for more in [&[][..], &["--no-edit"]] {
        let (mut seat, port) = Seat::hub(more);
        let mut one = seat.join(port);
        seat.press("/name 1 Ana\r");
        // Two lines at once would be a paste.
        expect_rest(&seat.process);
        seat.press("/who\r");
        seat.wait_for("[1] Ana ");
        seat.press("\x04");
        if more.is_empty() {
            seat.press("\x04");
        }
        seat.wait_for(
            "muxnc: no more is said; waiting until [1] Ana leaves (Ctrl-C ends it now)\r\n",
        );
        assert_eq!(read_all(&mut one), b"");
        let addr = one.local_addr().unwrap();
        drop(one);
        seat.process.expect_status(0);
        let told = seat.process.stderr.text();
        assert!(
            told.contains(&format!("muxnc: [1] Ana {addr} left after ")),
            "{told}"
        );
    }
}

#[test]
fn a_notice_that_names_many_fits_the_rows_of_a_terminal() {
    let line = [MUXNC, "-l", "0", "-v", "--no-edit"];
    let mut seat = Seat::start("xterm", Stream::Pipe, &line);
    let port = listening_port(&seat.process.stderr);
    let _all: Vec<_> = (0..10).map(|_| seat.join(port)).collect();
    seat.press("\x04");
    seat.wait_for("muxnc: no more is said; waiting until [1], [2], ");
    seat.wait_for(" ends it now)\r\n");
    let told = seat.screen.text();
    let told = told.replace("\x1b[1m", "").replace("\x1b[0m", "");
    assert!(told.lines().all(|row| row.len() <= 80), "{told}");
    assert_eq!(told.matches("muxnc: ").count(), 1, "{told}");
    assert_eq!(told.matches("\n     : ").count(), 1, "{told}");
}

/// In a line it deletes, as in a shell.
#[test]
fn ctrl_d_in_a_line_is_no_end() {
    at_both(|mut seat, mut peer| {
        seat.press("ab\x01\x04\r");
        expect_bytes(&mut peer, "b\n");
    });
}

/// Ctrl-S, which the kernel obeys a little later.
#[track_caller]
pub(super) fn stop(seat: &mut Seat) {
    seat.press("\x13");
    eventually("Ctrl-S", || {
        let fds = &mut [rustix::event::PollFd::new(
            &seat.tty,
            rustix::event::PollFlags::OUT,
        )];
        rustix::event::poll(fds, Some(&Default::default())).unwrap() == 0
    });
}

#[test]
fn a_stopped_screen_stops_nobody_and_nothing_is_lost() {
    const LINES: usize = 20_000;
    let (mut seat, port) = Seat::hub(&["--label", "never"]);
    let mut flooder = seat.join(port);
    // It has that when it has stayed for a moment: nothing is kept for who joins.
    seat.press("hello\r");
    expect_bytes(&mut flooder, "hello\n");
    stay();
    stop(&mut seat);
    let mut sender = flooder.try_clone().unwrap();
    let flood = thread::spawn(move || {
        for i in 0..LINES {
            sender.write_all(format!("line {i}\n").as_bytes()).unwrap();
        }
    });
    for round in ["one", "two"] {
        let mut peer = seat.join(port);
        seat.press(format!("{round}\r"));
        expect_bytes(&mut peer, format!("{round}\n"));
        expect_bytes(&mut flooder, format!("{round}\n"));
    }
    seat.press("half a line");
    expect_rest(&seat.process);
    assert!(!seat.screen.text().contains("half"));

    seat.press("\x11");
    flood.join().unwrap();
    seat.wait_for(&format!("line {}\r\n", LINES - 1));
    seat.wait_for("\rhalf a line");
    expect_rest(&seat.process);
    let shown = seat.screen.text();
    let lines = shown.lines().filter(|line| line.contains("line ")).count();
    // Each once, and the row, which is drawn now and then.
    assert!(lines >= LINES, "{lines}");
    for i in 0..LINES {
        assert!(
            i % 500 != 0 || shown.matches(&format!("line {i}\r\n")).count() == 1,
            "line {i}"
        );
    }
}

#[test]
fn a_signal_ends_it_also_while_the_screen_is_stopped() {
    at_both(|mut seat, mut peer| {
        seat.press("half a line");
        seat.expect(&["half a line"], 11);
        stop(&mut seat);
        peer.write_all(&b"not to be seen\n".repeat(10_000)).unwrap();
        seat.process.signal(Signal::TERM);
        let status = seat.process.wait();
        assert_eq!(status.signal(), Some(Signal::TERM.as_raw()));
        assert!(is_canonical(&seat.tty));
    });
}

#[test]
fn a_terminal_that_is_closed_ends_it() {
    for ignoring in [false, true] {
        for listens in [false, true] {
            let server = Server::new();
            let mut line = vec!["sh", "-c", "exec \"$0\" \"$@\"", MUXNC, "-v"];
            if ignoring {
                line[2] = "trap '' HUP; exec \"$0\" \"$@\"";
            }
            match listens {
                true => line.extend(["-l", "0"]),
                false => line.extend(["127.0.0.1", &server.port]),
            }
            let Seat {
                mut process,
                keyboard,
                screen,
                tty,
                ..
            } = closable(&line);
            let peer = match listens {
                true => connect(listening_port(&process.stderr)),
                false => server.accept(),
            };
            eventually("the edit line", || !is_canonical(&tty));
            expect_rest(&process);
            drop((keyboard, screen));
            let status = process.wait();
            if ignoring {
                assert_eq!(status.code(), Some(1));
                let told = "muxnc: read from the terminal: it was closed\n";
                process.stderr.wait_for(told);
            } else {
                assert_eq!(status.signal(), Some(Signal::HUP.as_raw()));
            }
            drop(peer);
        }
    }
}

/// A seat whose screen nobody collects, so that closing the keyboard closes the terminal.
#[track_caller]
fn closable(line: &[&str]) -> Seat {
    let (keyboard, tty) = pty();
    let mut command = Command::new("setsid");
    command
        .arg("--ctty")
        .args(line)
        .env("TERM", "xterm")
        .env_remove("RUST_LOG")
        .stdin(tty.try_clone().unwrap())
        .stdout(tty.try_clone().unwrap())
        .stderr(Stdio::piped());
    let process = Process::start(&mut command);
    Seat {
        process,
        screen: Watched::default(),
        keyboard,
        tty,
        found: String::new(),
        sizes: Vec::new(),
    }
}

/// Not a test of its own: what the next one runs in a terminal.
#[test]
fn a_panic_in_a_terminal() {
    if std::env::var_os(PANIC).is_none() {
        return;
    }
    let mut terminal = Terminal::open().expect("a terminal that can be edited on");
    let paste_on = terminal.enter().expect("it is ours");
    std::io::stdout().write_all(paste_on).unwrap();
    std::io::stdout().flush().unwrap();
    panic!("as it was meant to");
}

#[test]
fn a_panic_leaves_the_terminal_as_it_was() {
    let tests = std::env::current_exe().unwrap();
    let set = format!("{PANIC}=1");
    let line = [
        "env",
        &set,
        tests.to_str().unwrap(),
        "--exact",
        "ends::a_panic_in_a_terminal",
        "--nocapture",
    ];
    let mut seat = Seat::start("xterm", Stream::Terminal, &line);
    seat.screen.wait_for("\x1b[?2004h");
    seat.process.expect_status(101);
    seat.wait_for("as it was meant to");
    seat.expect_found();
}

const PANIC: &str = "MUXNC_TEST_PANICS";

/// The terminal of a hub that ends is waited for, but not long; what it did not take is told where somebody may read it.
#[test]
fn what_a_terminal_did_not_take_at_the_end_is_told() {
    let (mut keyboard, tty) = pty();
    let mut command = Command::new("setsid");
    command
        .args(["--ctty", MUXNC, "-l", "0", "--label", "never"])
        .env_remove("RUST_LOG")
        .env("TERM", "xterm")
        .stdin(tty.try_clone().unwrap())
        .stdout(tty.try_clone().unwrap())
        .stderr(Stdio::piped());
    let mut process = Process::start(&mut command);
    drop(command);
    let port = listening_port(&process.stderr);
    let mut peer = connect(port);
    for _ in 0..300 {
        peer.write_all(format!("{}\n", "x".repeat(99)).as_bytes())
            .unwrap();
    }
    // Nobody reads the terminal: it is full of that.
    wait_at_rest(&process);
    keyboard.write_all(b"/quit\r").unwrap();
    process.expect_status(1);
    let told = process.stderr.text();
    assert!(
        told.contains("muxnc: stdout did not take the last "),
        "{told}"
    );
    drop(tty);
}
