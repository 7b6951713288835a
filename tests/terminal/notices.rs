//! What is said on stderr, beside an edit line and elsewhere.

use std::io::Write;
use std::process::Command;
use std::process::Stdio;

use crate::Seat;
use crate::Stream;
use crate::expect_rest;
use crate::support::MUXNC;
use crate::support::Namespace;
use crate::support::Process;
use crate::support::Watched;
use crate::support::connect;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::listening_port;
use crate::support::pty;
use crate::support::stay;
use crate::support::wait_at_rest;
#[cfg(feature = "web")]
use crate::support::web_port;
use crate::support::without_marks;

#[test]
fn notices_appear_above_the_line_being_typed() {
    let mut seat = Seat::start("xterm", Stream::Terminal, &[MUXNC, "-l", "0"]);
    let port = listening_port(&seat.screen);
    seat.wait_editing();
    seat.press("hel");
    seat.wait_for("\rhel");
    let mut peer = connect(port);
    let addr = peer.local_addr().unwrap();
    let joined = format!("muxnc: [1] {addr} joined, 1 here");
    let is_last = |line: &str, rest: &str| {
        let screen = seat.view(&seat.screen.bytes());
        let rows: Vec<String> = screen.rows(0, 80).collect();
        let row = usize::from(screen.cursor_position().0);
        rows[row] == rest && rows[row - 1] == line
    };
    eventually("the notice above the row", || is_last(&joined, "hel"));
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    let ended = format!("muxnc: [1] {addr} ended its side");
    eventually("the notice above the row", || is_last(&ended, "hel"));
    seat.press("lo\r");
    expect_bytes(&mut peer, "hello\n");
}

/// What the further rows of a notice begin with.
const GOES_ON: &str = "     : ";

/// Answers to commands, and what is told of those who come and go, with and without an edit line.
#[test]
fn whatever_the_operator_is_told_fits_the_terminal() {
    for (columns, how) in [(80, "-v"), (50, "-v"), (80, "--no-edit"), (50, "--no-edit")] {
        let sized = format!("stty cols {columns}; exec \"$@\"");
        let hub = ["sh", "-c", &sized, "sh", MUXNC, "-l", "0", "--chat", how];
        let mut seat = Seat::start("xterm", Stream::Terminal, &hub);
        let port = listening_port(&seat.screen);
        if how == "-v" {
            seat.wait_editing();
        }
        let (mut one, two) = (connect(port), connect(port));
        seat.wait_for("2 here");
        one.write_all(b"/nick Abcdefghijklmnop\n").unwrap();
        expect_bytes(&mut one, "* Abcdefghijklmnop joined\n");
        let long = format!("/{} 1", "x".repeat(100));
        let spaced = format!(" /msg{} hi", "1".repeat(100));
        let reason = format!("/kick 2 for a reason that goes{}", " on and".repeat(20));
        seat.type_lines(&[
            &long,
            &spaced,
            "/relay x",
            "/relay off",
            "/relay on",
            "/kick 9",
            "/name 1 ###",
            "/name 1 host",
            "/mute 1",
            "/unmute 1",
            "/quit now",
            "/help",
            "/who",
            "/stats",
            &reason,
        ]);
        seat.wait_for("cut off by you");
        drop(two);
        seat.pause();
        seat.press("\x04");
        if how == "-v" {
            seat.wait_for("1 participant is here: Ctrl-D again");
            seat.press("\x04");
        }
        seat.wait_for("now)");
        let told = without_marks(&seat.screen.text());
        let is_ours = |row: &&str| row.starts_with("muxnc:") || row.starts_with(GOES_ON);
        let rows: Vec<&str> = told.split(['\r', '\n']).filter(is_ours).collect();
        for row in &rows {
            assert!(row.chars().count() <= columns, "{row}");
            assert!(row.len() > 8 && row[6..].starts_with(' '), "{row}");
        }
        let all = rows.join("").replace(GOES_ON, " ");
        for whole in [
            "/xxxxxxxxxxxxxxxxxxxx\u{2026} is no command, and was not sent: /help lists them; // says",
            "2 here of 2 that joined, ",
            " bytes received from those here",
            "neither show nor relay what WHO says",
            " Abcdefghijklmnop ",
            "cut off by you: for a reason that goes on and on and",
        ] {
            assert!(all.contains(whole), "{whole:?} in {rows:#?}");
        }
    }
}

/// The code of a page's address is shown where it leaves half of the terminal; else that it can be, to whoever
/// can type a command.
#[cfg(feature = "web")]
#[test]
fn where_there_is_no_room_for_the_code_of_a_page_the_way_to_it_is_told() {
    const HINT: &str = " (/qr shows it for a camera)";
    for (size, input, option, (is_shown, is_told)) in [
        ("rows 24 cols 80", "", "-v", (false, true)),
        ("rows 40 cols 80", "", "-v", (true, false)),
        ("rows 24 cols 80", "", "--no-commands", (false, false)),
        ("rows 24 cols 80", "", "--recv-only", (false, false)),
        ("rows 24 cols 80", "</dev/null", "-k", (false, false)),
    ] {
        let run = format!("stty {size}; exec \"$@\" {input}");
        let hub = [
            "sh",
            "-c",
            &run,
            "sh",
            MUXNC,
            "-l",
            "--web",
            "127.0.0.1:0",
            option,
        ];
        let seat = Seat::start("xterm", Stream::Terminal, &hub);
        let port = web_port(&seat.screen);
        // What is told of a newcomer follows.
        let upgrade = format!(
            "GET /socket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let mut web = connect(port);
        web.write_all(upgrade.as_bytes()).unwrap();
        seat.wait_for("joined");
        let told = without_marks(&seat.screen.text());
        assert!(
            told.contains(&format!("to join: http://127.0.0.1:{port}/")),
            "{told}"
        );
        assert_eq!(
            told.contains('\u{2588}'),
            is_shown,
            "{size} {input} {option}: {told}"
        );
        assert_eq!(
            told.contains(HINT),
            is_told,
            "{size} {input} {option}: {told}"
        );
    }
}

/// With a log of everything, for somebody who pressed Ctrl-S: bounded, and counted.
#[test]
fn notices_for_a_stopped_terminal_are_bounded() {
    let line = ["env", "RUST_LOG=trace", MUXNC, "-l", "0"];
    let mut seat = Seat::start("xterm", Stream::Terminal, &line);
    let port = listening_port(&seat.screen);
    seat.wait_editing();
    let mut first = connect(port);
    seat.wait_for("joined, 1 here");
    seat.press("\x13");
    seat.press("stopped\r");
    expect_bytes(&mut first, "stopped\n");
    stay();
    for _ in 0..1500 {
        drop(connect(port));
    }
    let mut last = connect(port);
    // Nothing tells when it was let in: the terminal is stopped.
    wait_at_rest(&seat.process);
    seat.press("welcome\r");
    expect_bytes(&mut last, "welcome\n");
    let before = seat.screen.bytes().len();
    seat.press("\x11");
    seat.wait_for(" messages were lost here\r\n");
    expect_rest(&seat.process);
    let kept = seat.screen.bytes().len() - before;
    // One full queue on its way, one behind it, and what the kernel had.
    assert!(kept < 200_000, "{kept} bytes waited");
}

#[test]
fn a_stderr_on_another_terminal_is_written_there() {
    let (ours, tty) = pty();
    let (theirs, other) = pty();
    let (screen, log) = (
        Watched::new(ours.try_clone().unwrap()),
        Watched::new(theirs),
    );
    let mut command = Command::new("setsid");
    command
        .args(["--ctty", MUXNC, "-l", "0"])
        .env("TERM", "xterm")
        .env_remove("RUST_LOG")
        .stdin(tty.try_clone().unwrap())
        .stdout(tty)
        .stderr(other);
    let _hub = Process::start(&mut command);
    let mut peer = connect(listening_port(&log));
    log.wait_for("joined, 1 here\r\n");
    peer.write_all(b"hello\n").unwrap();
    let shown = screen.wait_for("hello\r\n");
    assert!(!shown.contains("muxnc:"), "{shown:?}");
    assert!(!log.text().contains("hello"));
}

/// `/dev/tty` is another name for it.
#[test]
fn a_stderr_on_the_same_terminal_by_another_name_goes_above_the_row() {
    let line = ["sh", "-c", "exec \"$0\" -l 0 2>/dev/tty", MUXNC];
    let mut seat = Seat::start("xterm", Stream::Pipe, &line);
    let port = listening_port(&seat.screen);
    seat.wait_editing();
    seat.press("typing");
    seat.wait_for("\rtyping");
    let peer = connect(port);
    let addr = peer.local_addr().unwrap();
    // The row is taken away before, and drawn again after.
    seat.wait_for(&format!("\rmuxnc: [1] {addr} joined, 1 here\r\n\rtyping"));
}

#[test]
fn a_hub_tells_how_to_join_from_another_machine() {
    let Some(network) = Namespace::new() else {
        return;
    };
    let alone = "muxnc: this machine has no address that others could reach: only who";
    let is_alone = |args: &[&str]| {
        let line = [&["-v", "-l", "0"], args].concat();
        let hub = Process::start(network.piped(MUXNC, &line).stdin(Stdio::null()));
        listening_port(&hub.stderr);
        hub.stderr.text().contains(alone)
    };
    assert!(is_alone(&[]) && !is_alone(&["-s", "127.0.0.1"]));
    for addr in ["192.0.2.7/24", "2001:db8::7/64"] {
        let mut add = network.piped("ip", &["addr", "add", addr, "dev", "lo"]);
        assert!(add.status().unwrap().success());
    }
    let told = |args: &[&str]| {
        let line = [&["-l", "0"], args].concat();
        let hub = Process::start(network.piped(MUXNC, &line).stdin(Stdio::null()));
        // All of it is written at once.
        let port = listening_port(&hub.stderr).to_string();
        let text = hub.stderr.text();
        let ways = text
            .lines()
            .filter_map(|line| line.strip_prefix("muxnc: to join: "));
        ways.map(|way| way.replace(&port, "PORT"))
            .collect::<Vec<_>>()
    };
    let (four, six) = ("nc 192.0.2.7 PORT", "nc 2001:db8::7 PORT");
    assert!(!is_alone(&[]));
    assert_eq!(told(&["-v"]), [four, six]);
    assert_eq!(told(&["-v", "-4"]), [four]);
    assert_eq!(told(&["-v", "-6"]), [six]);
    assert_eq!(told(&["-v", "-s", "127.0.0.1"]), [""; 0]);
    assert_eq!(told(&[]), [""; 0]);
    assert_eq!(told(&["--quiet"]), [""; 0]);
}
