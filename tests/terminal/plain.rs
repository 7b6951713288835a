//! Where there is nothing to edit on, or nobody wants it: nc's behaviour, to the byte.

use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::fs::fcntl_getfl;

use muxnc::engine::lines::MAX_LINE;

use crate::Seat;
use crate::Stream;
use crate::is_canonical;
use crate::modes;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::Server;
use crate::support::Watched;
use crate::support::connect;
use crate::support::expect_bytes;
use crate::support::listening_port;
use crate::support::pause;
use crate::support::pty;
use crate::support::read_all;
use crate::support::without_marks;

#[test]
fn without_an_edit_line_the_kernel_edits_and_echoes() {
    for (kind, more) in [("dumb", &[][..]), ("", &[]), ("xterm", &["--no-edit"])] {
        let line = [&[MUXNC, "-l", "0"], more].concat();
        let mut seat = Seat::start(kind, Stream::Pipe, &line);
        let mut peer = connect(listening_port(&seat.process.stderr));
        peer.write_all(b"hello\n").unwrap();
        seat.wait_for("hello\r\n");
        assert_eq!(modes(&seat.tty), seat.found);
        assert!(is_canonical(&seat.tty));
        seat.press("hi\r");
        expect_bytes(&mut peer, "hi\n");
        seat.screen
            .wait_until("the echo and nothing else", |bytes| {
                bytes == b"hello\r\nhi\r\n"
            });
    }
}

/// The terminal shows what is typed, wherever its cursor is: never behind another's label.
#[test]
fn no_typed_line_stands_behind_a_label() {
    for (mut seat, port) in Seat::plain_hubs() {
        let mut ana = seat.join(port);
        ana.write_all(b"name: ").unwrap();
        // Who never had company has no label.
        seat.wait_for("name: ");
        ana.write_all(b"Ana\n").unwrap();
        seat.wait_for("name: Ana\r\n");
        drop(seat.join(port));
        seat.process.stderr.wait_for("ended its side");
        ana.write_all(b"my answer is ").unwrap();
        for _ in 0..2 {
            seat.press("I will not fail you\r");
            expect_bytes(&mut ana, "I will not fail you\n");
        }
        ana.write_all(b"42\n").unwrap();
        seat.wait_for("[1] my answer is 42\r\n");
        // Nor behind a piece of a line that is too long to wait for.
        ana.write_all(&[b'x'; MAX_LINE]).unwrap();
        seat.wait_for("xx\r\n");
        seat.press("That is long\r");
        expect_bytes(&mut ana, "That is long\n");
        ana.write_all(b"my last words").unwrap();
        ana.shutdown(Shutdown::Write).unwrap();
        seat.wait_for("[1] my last words\r\n");
        let shown = without_marks(&seat.screen.text());
        for (said, times) in [("I will not fail you\r\n", 2), ("That is long\r\n", 1)] {
            let rows = shown.split_inclusive('\n');
            assert_eq!(rows.filter(|row| *row == said).count(), times, "{shown:?}");
        }
    }
}

/// The row that tells how far a transfer is would erase what was typed of a line.
#[test]
fn a_conversation_through_a_pipe_has_no_row_of_progress() {
    let server = Server::new();
    let line = format!("{MUXNC} 127.0.0.1 {} | cat", server.port);
    let mut seat = Seat::start("xterm", Stream::Terminal, &["sh", "-c", &line]);
    let mut peer = server.accept();
    peer.write_all(b"name: ").unwrap();
    seat.wait_for("name: ");
    seat.press("Ana\r");
    expect_bytes(&mut peer, "Ana\n");
    peer.write_all(b"welcome\n").unwrap();
    seat.wait_for("welcome\r\n");
    drop(peer);
    seat.wait_for("closed the connection\r\n");
    seat.process.expect_status(0);
    let shown = seat.screen.text();
    assert!(!shown.contains("received"), "{shown:?}");
}

#[test]
fn a_terminal_without_a_name_has_no_edit_line() {
    let line = ["env", "-u", "TERM", MUXNC, "-l", "0"];
    let seat = Seat::start("xterm", Stream::Pipe, &line);
    let mut peer = connect(listening_port(&seat.process.stderr));
    peer.write_all(b"hello\n").unwrap();
    seat.screen
        .wait_until("the line and nothing else", |bytes| bytes == b"hello\r\n");
    assert!(is_canonical(&seat.tty));
}

/// stdin at a terminal, stdout a pipe.
#[test]
fn a_pipe_at_the_other_end_gets_every_byte_and_nothing_else() {
    let (master, tty) = pty();
    let screen = Watched::new(master.try_clone().unwrap());
    let found = modes(&tty);
    let mut command = Command::new("setsid");
    command
        .args(["--ctty", MUXNC, "-l", "0"])
        .env("TERM", "xterm")
        .stdin(tty.try_clone().unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let hub = Process::start(&mut command);
    let port = listening_port(&hub.stderr);
    let (mut one, mut two) = (connect(port), connect(port));
    let line: Vec<u8> = (0..=255).filter(|&byte| byte != b'\n').collect();
    let line = [&line[..], b"\x1b[2J\r\n"].concat();
    one.write_all(&line).unwrap();
    two.write_all(&line).unwrap();
    let both = line.repeat(2);
    hub.stdout.wait_until("the bytes", |bytes| bytes == both);
    let mut keyboard = master;
    keyboard.write_all(b"hi\r").unwrap();
    expect_bytes(&mut one, "hi\n");
    // Commands are the operator's wherever stdout goes, as through `| tee`.
    pause();
    keyboard.write_all(b"/who\r").unwrap();
    hub.stderr.wait_for("muxnc: [1] 127.0.0.1:");
    pause();
    keyboard.write_all(b"/msg 1 psst\r").unwrap();
    expect_bytes(&mut one, "psst\n");
    assert_eq!(modes(&tty), found);
    screen.wait_until("the echo, and nothing else", |bytes| {
        bytes == b"hi\r\n/who\r\n/msg 1 psst\r\n"
    });
}

/// Ctrl-D in a line hands over what there is of it. What the line is, its beginning says with its end.
#[test]
fn a_line_in_pieces_is_what_it_is_as_a_whole() {
    for (mut seat, port) in Seat::plain_hubs() {
        let (mut one, mut two) = (seat.join(port), seat.join(port));
        for (first, rest, told) in [
            ("/", "msg 1 one", ["one\n", ""]),
            ("/msg 1 my pin", " is two", ["my pin is two\n", ""]),
            (".msg ", "2 not this", ["", ""]),
            ("log", "in: ", ["login: \n", "login: \n"]),
        ] {
            seat.press(format!("{first}\x04"));
            if first == "log" {
                expect_bytes(&mut one, "log");
                expect_bytes(&mut two, "log");
            }
            seat.pause();
            seat.press(format!("{rest}\r"));
            for (peer, told) in [&mut one, &mut two].into_iter().zip(told) {
                expect_bytes(peer, told.strip_prefix("log").unwrap_or(told));
            }
            if first == ".msg " {
                seat.wait_for(".msg was not sent");
            }
            seat.pause();
        }
        // Behind a part of a line, too.
        seat.press("half\x04");
        expect_bytes(&mut one, "half");
        expect_bytes(&mut two, "half");
        seat.pause();
        seat.press("\u{2044}1 not this\r");
        seat.wait_for("1 was not sent: /msg says it to one alone");
        seat.pause();
        seat.press("/wh\x04");
        seat.pause();
        seat.press("\x04");
        seat.wait_for("/wh is no command, and was not sent");
        assert_eq!(read_all(&mut one), b"");
        assert_eq!(read_all(&mut two), b"");
    }
}

/// The key stands in the line, and behind it what was to stand in front.
#[test]
fn a_command_behind_a_key_that_moved_no_cursor_is_not_said() {
    for (mut seat, port) in Seat::plain_hubs() {
        let (mut one, mut two) = (seat.join(port), seat.join(port));
        for (text, key, command) in [
            ("a pin", "\x1b[H", "/msg 1 "),
            ("1 a pin", "\x1bOH", "/msg "),
            ("msg 1 a pin", "\x1b[1~", "/"),
            ("sg 1 a pin", "\x01", "/m"),
            ("1 a pin", "\x1b[D\x1b[D", ".msg "),
            ("a pin", "\x1b[1;5D", "/msg 1 \x1b[F"),
            // Backspace takes a part of the key.
            ("", "\x1b[3~\x7f", "/msg 1 a pin"),
            ("", "\x1b[3~\x7f", "$msg 1 a pin"),
            ("hi ", "\x1b[<0;10;5M\x7f", "/msg 1 a pin"),
        ] {
            seat.press([text, key, command].concat());
            let before = seat.screen.bytes().len();
            seat.press("\r");
            seat.screen.wait_until("why it was not sent", |shown| {
                String::from_utf8_lossy(&shown[before..])
                    .contains("was not sent: the key before it moved no cursor here")
            });
            seat.pause();
        }
        seat.press("hel\x1b[Dlo\r");
        for peer in [&mut one, &mut two] {
            expect_bytes(peer, "hel\x1b[Dlo\n");
        }
    }
}

/// The terminal has a new row there, at the latest when somebody speaks.
#[test]
fn a_command_behind_a_part_of_a_line_is_a_command() {
    for more in [&[][..], &["--broker"]] {
        let (mut seat, port) = Seat::hub(&[&["--no-edit"], more].concat());
        let (mut one, mut two) = (seat.join(port), seat.join(port));
        for (line, answer) in [
            ("/msg 1 psst", ""),
            ("/mute 2", "is neither shown nor relayed now"),
            ("/mgs 1 no", "was not sent"),
        ] {
            seat.pause();
            seat.press("half\x04");
            seat.pause();
            let hello = format!("hello before {line}");
            writeln!(one, "{hello}").unwrap();
            seat.wait_for(&format!("half\r\n[1] {hello}\r\n"));
            seat.press(format!("{line}\r"));
            if !answer.is_empty() {
                seat.wait_for(answer);
            }
            seat.pause();
            seat.press(" a line\r");
            let psst = if answer.is_empty() { "psst\n" } else { "" };
            if more.is_empty() {
                expect_bytes(&mut one, format!("half{psst} a line\n"));
                expect_bytes(&mut two, "half a line\n");
            } else {
                expect_bytes(&mut one, format!("{psst}half a line\n"));
                expect_bytes(&mut two, format!("{hello}\nhalf a line\n"));
            }
        }
    }
}

/// The last row of such a paste stands in the kernel: it is no more said when Ctrl-D hands it over, or a part of a
/// line was said before it.
#[test]
fn the_last_row_of_a_paste_for_one_alone_is_not_said_when_ctrl_d_hands_it_over() {
    for more in [&[][..], &["--broker"], &["--chat"]] {
        for (before, ends, said) in [
            ("", &["\x04", "\r"][..], ""),
            ("", &["typed\x04", "more\r"], ""),
            ("half\x04", &["\r"], "half"),
            ("half\x04", &["typed\r"], "half"),
        ] {
            let (mut seat, port) = Seat::hub(&[&["--no-edit"], more].concat());
            let (_one, mut two) = (seat.join(port), seat.join(port));
            if !before.is_empty() {
                seat.press(before);
                seat.pause();
            }
            seat.press("/msg 1 secret\rsecond\rthird");
            seat.wait_for("is not said to everybody");
            for (presses, end) in ends.iter().enumerate() {
                seat.pause();
                seat.press(end);
                let told = |screen: &[u8]| {
                    let screen = String::from_utf8_lossy(screen);
                    screen.matches("since it may begin").count() > presses
                };
                seat.screen.wait_until("it is asked for again", told);
            }
            seat.pause();
            seat.press("hello\r");
            let mut heard = String::new();
            while !heard.ends_with("hello\n") {
                let mut byte = [0];
                two.read_exact(&mut byte).unwrap();
                heard.push(char::from(byte[0]));
            }
            let of_it = ["second", "third", "typed", "more"];
            assert!(
                !of_it.iter().any(|word| heard.contains(word)),
                "{more:?}: {heard:?}"
            );
            assert!(
                heard.contains(&format!("{said}hello\n")),
                "{more:?}: {heard:?}"
            );
        }
    }
}

/// Each line that is not said would put off what tells so.
#[test]
fn lines_that_count_as_pasted_do_not_vanish_without_a_word() {
    let (mut seat, port) = Seat::hub(&["--no-edit"]);
    let (_one, _two) = (seat.join(port), seat.join(port));
    seat.press("\x1b[200~/msg 1 secret\rsecond\r");
    seat.wait_for("is not said to everybody");
    let is_told_again = |seat: &Seat| {
        let screen = seat.screen.bytes();
        let screen = String::from_utf8_lossy(&screen);
        screen.matches("is not said to everybody").count() > 1
    };
    for _ in 0..20 {
        if is_told_again(&seat) {
            return;
        }
        seat.press("a line\r");
        thread::sleep(Duration::from_millis(700));
    }
    panic!("{}", String::from_utf8_lossy(&seat.screen.bytes()));
}

/// A paste in brackets begins at its bracket, whatever was read at once with it; and another paste is another one.
#[test]
fn a_paste_for_one_alone_is_refused_behind_another_line_and_ordinary_ones_are_said() {
    let refused = "\x1b[200~/msg 1 secret\rsecond\r\x1b[201~";
    for before in ["text\r", "\x1b[200~text\r\x1b[201~"] {
        let (mut seat, port) = Seat::hub(&["--no-edit"]);
        let (_one, mut two) = (seat.join(port), seat.join(port));
        seat.press(format!("{before}{refused}"));
        expect_bytes(&mut two, "text\n");
        seat.wait_for("is not said to everybody");
        seat.pause();
        // The end of the paste stands in the kernel, and is the beginning of this.
        seat.press("\x1b[200~an ordinary\rtext\r\x1b[201~");
        expect_bytes(&mut two, "an ordinary\ntext\n");
    }
    // Something is typed, or pasted, behind the bracket that stands there.
    let (mut seat, port) = Seat::hub(&["--no-edit"]);
    let (_one, mut two) = (seat.join(port), seat.join(port));
    for (pause, behind, said) in [
        (Duration::from_millis(500), "typed\r", ""),
        (Duration::from_millis(500), "/who\r", ""),
        (
            Duration::from_secs(3),
            "\x1b[200~third\rfourth\r\x1b[201~\r",
            "fourth\n\n",
        ),
    ] {
        let so_far = seat.screen.bytes().len();
        seat.press("\x1b[200~/msg 1 secret\rsecond\x1b[201~");
        thread::sleep(pause);
        seat.press(behind);
        let told = |screen: &[u8]| {
            String::from_utf8_lossy(&screen[so_far..]).contains("since it may begin")
        };
        seat.screen.wait_until("it is asked for again", told);
        seat.pause();
        seat.press("hello\r");
        expect_bytes(&mut two, format!("{said}hello\n"));
        seat.pause();
    }
    // Without brackets nobody knows where the row ends that stands there.
    let (mut seat, port) = Seat::hub(&["--no-edit"]);
    let (_one, mut two) = (seat.join(port), seat.join(port));
    seat.press("/msg 1 secret\rsecond\r");
    seat.wait_for("is not said to everybody");
    thread::sleep(Duration::from_secs(3));
    seat.press("third\rfourth\rfifth\r");
    expect_bytes(&mut two, "fourth\nfifth\n");
    seat.wait_for("since it may begin");
    seat.pause();
    seat.press("hello\r");
    expect_bytes(&mut two, "hello\n");
}

/// What is pasted where the terminal knows no brackets can contain one: more follows that line in the same read.
#[test]
fn a_command_before_a_bracket_in_the_same_read_was_not_typed() {
    for behind in ["\x1b[200~", "row\x1b[200~"] {
        let (mut seat, port) = Seat::hub(&["--no-edit"]);
        let mut two = seat.join(port);
        seat.press(format!("/quit\r{behind}more\r\x1b[201~"));
        seat.wait_for("/quit was pasted, or typed too fast");
        let row = behind.trim_end_matches("\x1b[200~");
        expect_bytes(&mut two, format!("/quit\n{row}more\n"));
        seat.pause();
        // An Enter alone ends what was typed before it.
        seat.press("/nobody\x04");
        seat.pause();
        seat.press(format!("\r{behind}more\r\x1b[201~"));
        if row.is_empty() {
            seat.wait_for("/nobody is no command");
            expect_bytes(&mut two, "more\n");
        } else {
            expect_bytes(&mut two, format!("/nobody\n{row}more\n"));
        }
    }
}

/// Where whole lines are relayed it waits for its end, and the end of the class is one.
#[test]
fn a_part_of_a_line_is_said_before_quit() {
    for more in [&[][..], &["--broker"], &["--chat"]] {
        let (mut seat, port) = Seat::hub(&[&["--no-edit"], more].concat());
        let mut one = seat.join(port);
        seat.press("half\x04");
        seat.pause();
        seat.press("/quit\r");
        let said = if more == ["--chat"] {
            "<host> half\n"
        } else {
            "half"
        };
        let heard = read_all(&mut one);
        assert!(heard.ends_with(said.as_bytes()), "{more:?}: {heard:?}");
        seat.process.expect_status(0);
    }
}

/// Of a terminal that is not of UTF-8, or behind half a letter that was erased.
#[test]
fn a_command_that_is_not_of_letters_is_obeyed_and_said_to_nobody() {
    let garbled = "that is not UTF-8, and was neither obeyed nor said to everybody";
    for (mut seat, port) in Seat::plain_hubs() {
        let (mut one, mut two) = (seat.join(port), seat.join(port));
        for (line, answer) in [
            (&b"/msg 1 caf\xe9"[..], garbled),
            (
                b"\xe2\x81\x841 caf\xe9",
                "was not sent: /msg says it to one alone",
            ),
            (b"/kick 2 \xe9", garbled),
            (b"\xc3/msg 1 pin", ""),
            (b"\xc3/kick 2 lazy", "was not sent"),
            (b"\xa0/mgs 1 pin", ""),
            (b"\xc3/Ana pin", "was not sent"),
            (b"/ms\xe9g 1 pin", ""),
            // A key that nobody edits the line with here.
            (b"\x1bOP/kick 2 lazy", "was not sent"),
            (b"/quit\xe9", "is no command, and was not sent"),
        ] {
            let before = seat.screen.bytes().len();
            seat.press([line, b"\r"].concat());
            seat.screen.wait_until("an answer", |shown| {
                let new = String::from_utf8_lossy(&shown[before..]).into_owned();
                let new = without_marks(&new);
                new.contains("muxnc: ") && new.contains(answer) && new.ends_with('\n')
            });
            seat.pause();
        }
        seat.press(b"caf\xe9\r");
        for peer in [&mut one, &mut two] {
            expect_bytes(peer, b"caf\xe9\n");
        }
    }
}

/// stdin a pipe, stdout at a terminal.
#[test]
fn piped_lines_are_never_commands() {
    let (master, tty) = pty();
    let screen = Watched::new(master);
    let found = modes(&tty);
    let mut command = Command::new(MUXNC);
    command
        .args(["-l", "0"])
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(tty.try_clone().unwrap())
        .stderr(Stdio::piped());
    let mut hub = Process::start(&mut command);
    let mut peer = connect(listening_port(&hub.stderr));
    hub.type_in("/quit\n/who\n//x\n");
    expect_bytes(&mut peer, "/quit\n/who\n//x\n");
    peer.write_all(b"\x1b[2Jhello\n").unwrap();
    screen.wait_until("the line, shown and not obeyed", |bytes| {
        bytes == b"^[[2Jhello\r\n"
    });
    assert_eq!(modes(&tty), found);
    assert!(hub.is_running());
}

/// Editing needs a terminal's modes, but the flags of its description belong to everybody.
#[test]
fn an_edit_line_changes_no_flags() {
    let (mut seat, port) = Seat::hub(&[]);
    let flags = || fcntl_getfl(&seat.tty).unwrap();
    let before = flags();
    let mut peer = seat.join(port);
    peer.write_all(b"hello\n").unwrap();
    seat.wait_for("hello\r\n");
    assert_eq!(flags(), before);
    assert!(!before.contains(rustix::fs::OFlags::NONBLOCK));
    seat.press("x");
}
