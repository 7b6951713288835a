//! What others send: text on the screen, and nothing else; and who it was.

use std::io::Write;
use std::net::Shutdown;
use std::net::TcpStream;

use crate::COLUMNS;
use crate::Seat;
use crate::Stream;
use crate::at_both;
use crate::expect_rest;
use crate::support::MUXNC;
use crate::support::connect;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::listening_port;
use crate::support::without_own;
use crate::tmux::Tmux;

/// What would act on a terminal, and what is to be seen of it.
const ATTACKS: [(&[u8], &str); 11] = [
    (b"\x1b]0;pwned\x07x", "^[]0;pwned^Gx"),
    (b"\x1b]52;c;ZXZpbA==\x07", "^[]52;c;ZXZpbA==^G"),
    (b"\x1b[c\x1b[6n\x05", "^[[c^[[6n^E"),
    (b"\x1b[2J\x1b[H", "^[[2J^[[H"),
    (b"\x1bP+q544e\x1b\\", "^[P+q544e^[\\"),
    (b"good\rbad", "good^Mbad"),
    (b"\x00\x7f\x9b2J", "^@^?\u{fffd}2J"),
    (b"\xc2\x9b2J", "<U+009B>2J"),
    ("evil \u{202e} txt".as_bytes(), "evil <U+202E> txt"),
    (b"\x08\x08\x08[2] me", "^H^H^H[2] me"),
    (b"\x1b]0;never ended", "^[]0;never ended"),
];

#[test]
fn nothing_of_what_others_send_acts_on_the_terminal() {
    at_both(|seat, mut peer| {
        for (attack, _) in ATTACKS {
            // Whole, and byte by byte.
            peer.write_all(&[attack, b"\r\n"].concat()).unwrap();
            for byte in [attack, b"\n"].concat() {
                peer.write_all(&[byte]).unwrap();
            }
        }
        peer.write_all(b"the end\n").unwrap();
        let shown = seat.wait_for("the end\r\n");
        for (_, text) in ATTACKS {
            assert!(shown.contains(&format!("{text}\r\n")), "{text} in {shown}");
        }
        let acting = |c: char| c.is_control() && !"\r\n\t".contains(c);
        assert!(!shown.contains(acting), "{shown:?}");
        // The emulator leaves out what stands for invalid bytes.
        let texts = ATTACKS.map(|(_, text)| text.replace('\u{fffd}', ""));
        let mut rows: Vec<&str> = texts.iter().flat_map(|text| [text.as_str(); 2]).collect();
        rows.extend(["the end", ""]);
        seat.expect(&rows, 0);
    });
}

#[test]
fn also_without_an_edit_line_nothing_acts() {
    for args in [&["-l", "0", "--no-edit"][..], &["-l", "0", "--once"]] {
        let seat = Seat::start("xterm", Stream::Pipe, &[&[MUXNC], args].concat());
        let mut peer = connect(listening_port(&seat.process.stderr));
        for (attack, _) in ATTACKS {
            peer.write_all(&[attack, b"\n"].concat()).unwrap();
        }
        peer.write_all(b"the end\n").unwrap();
        let shown = without_own(&seat.wait_for("the end\r\n"));
        for (_, text) in ATTACKS {
            assert!(shown.contains(&format!("{text}\r\n")), "{text} in {shown}");
        }
        assert!(!shown.contains(|c: char| c.is_control() && !"\r\n\t".contains(c)));
    }
}

/// The vectors that reached every other netcat's user: the title, the clipboard, and answers of
/// the terminal that are typed into the victim's line.
#[test]
fn a_real_terminal_keeps_its_title_its_clipboard_and_its_silence() {
    if !installed(&["tmux"]) {
        return;
    }
    let tmux = Tmux::start(&[]);
    tmux.run(&["set-buffer", "mine"]);
    let title = tmux.ask(&["display", "-p", "#{pane_title}"]);
    let port = tmux.hub_port();
    let mut peer = connect(port);
    for (attack, _) in ATTACKS {
        peer.write_all(&[attack, b"\n"].concat()).unwrap();
    }
    peer.write_all(b"the end\n").unwrap();
    tmux.wait_for("the end");
    tmux.run(&["send-keys", "Enter"]);
    // No answer of the terminal is in it.
    expect_bytes(&mut peer, "\n");
    assert_eq!(tmux.ask(&["display", "-p", "#{pane_title}"]), title);
    assert_eq!(tmux.ask(&["show-buffer"]), "mine");
    let pane = tmux.ask(&["capture-pane", "-p"]);
    assert!(pane.contains("^[]52;c;ZXZpbA==^G"), "{pane}");
    assert!(pane.contains("^[]0;never ended"), "{pane}");
}

#[test]
fn raw_output_is_raw_if_asked_for() {
    let attack = b"\x1b]0;title\x07\x1b[1mbold\x1b[0m \xff\n";
    let (seat, mut server) = Seat::participant(&["--raw-output"]);
    server.write_all(attack).unwrap();
    let wanted = [&attack[..attack.len() - 1], b"\r\n"].concat();
    seat.screen.wait_until("the bytes as they are", |bytes| {
        crate::support::contains(bytes, &wanted)
    });
    let (seat, port) = Seat::hub(&["--raw-output"]);
    let mut peer = seat.join(port);
    peer.write_all(attack).unwrap();
    seat.screen.wait_until("the bytes as they are", |bytes| {
        crate::support::contains(bytes, &wanted)
    });
}

/// Two peers of a hub, of which the first speaks, then the second joins and both speak.
#[track_caller]
fn conversation(args: &[&str]) -> (Seat, TcpStream, TcpStream) {
    let (seat, port) = Seat::hub(args);
    let mut first = seat.join(port);
    first.write_all(b"alone\n").unwrap();
    seat.wait_for("alone\r\n");
    let mut second = seat.join(port);
    second.write_all(b"hello\n").unwrap();
    seat.wait_for("hello\r\n");
    first.write_all(b"more\nand more\n").unwrap();
    seat.wait_for("and more\r\n");
    (seat, first, second)
}

#[test]
fn from_the_second_participant_on_lines_say_who_spoke() {
    let (seat, ..) = conversation(&[]);
    let rows = ["alone", "[2] hello", "[1] more", "[1] and more", ""];
    seat.expect(&rows, 0);
    let (seat, ..) = conversation(&["--label", "always"]);
    let rows = ["[1] alone", "[2] hello", "[1] more", "[1] and more", ""];
    seat.expect(&rows, 0);
    let (seat, ..) = conversation(&["--label", "never"]);
    seat.expect(&["alone", "hello", "more", "and more", ""], 0);
}

#[test]
fn nobody_can_speak_as_somebody_else() {
    let (seat, mut first, mut second) = conversation(&[]);
    let rows = ["alone", "[2] hello", "[1] more", "[1] and more"];
    first
        .write_all(b"x\r[2] forged\n\x1b[1A[2] forged\n\x08\x08\x08\x08[2] forged\nun")
        .unwrap();
    // Unfinished lines of two do not become one; nor does half a character of one.
    second.write_all(b"half\xe2\x9c").unwrap();
    first.write_all(b"finished\n\xe2").unwrap();
    seat.wait_for("unfinished\r\n");
    second.write_all(b"\n").unwrap();
    // The emulator leaves out what stands for the rest.
    seat.wait_for("[2] half\u{fffd}\r\n");
    let more = [
        "[1] x^M[2] forged",
        "[1] ^[[1A[2] forged",
        "[1] ^H^H^H^H[2] forged",
        "[1] unfinished",
        "[2] half",
        "",
    ];
    seat.expect(&[&rows[..], &more].concat(), 0);
}

/// Every row of a record begins in bold, up to what others said, and nothing that they said is; in a
/// window in which what they say wraps.
#[test]
fn a_record_on_the_screen_cannot_be_forged() {
    for record in [["--transcript", "-"], ["-x", "-"]] {
        for options in [&[][..], &["--no-edit"]] {
            for once in [&[][..], &["--once"]] {
                let args = [&record[..], options, once].concat();
                let line = [&[MUXNC, "-l", "0", "-v"][..], &args].concat();
                let seat = Seat::start("xterm", Stream::Pipe, &line);
                let mut peer = connect(listening_port(&seat.process.stderr));
                let forged = "2026-01-01T00:00:00.000Z\tfrom\t1\t-\tAna\tI give up # 0000: 41";
                let said = format!("{}{forged}\nlast", "x".repeat(COLUMNS as usize));
                peer.write_all(said.as_bytes()).unwrap();
                peer.shutdown(Shutdown::Write).unwrap();
                seat.wait_for(if record[0] == "-x" { "00:   " } else { "last" });
                expect_rest(&seat.process);
                let shown = seat.screen.text();
                let rows: Vec<&str> = shown
                    .split("\r\n")
                    .filter(|row| {
                        ["Z\tfrom", "Z from", "0:   "]
                            .iter()
                            .any(|s| row.contains(s))
                    })
                    .collect();
                assert!(rows.len() >= 2, "{shown:?}");
                for row in rows {
                    let (head, said) = row
                        .split_once("\x1b[1m")
                        .and_then(|(_, row)| row.split_once("\x1b[0m"))
                        .unwrap_or_else(|| panic!("{row:?} in {shown:?}"));
                    assert!(!head.contains("xx") && !said.contains("\x1b["), "{row:?}");
                }
            }
        }
    }
}

/// The program says nothing in it, so nothing in it is marked.
#[test]
fn a_record_of_the_bytes_on_the_screen_cannot_be_forged() {
    for options in [&[][..], &["--no-edit"], &["--once"], &["--label", "always"]] {
        let line = [&[MUXNC, "-l", "0", "-v", "-o", "-"], options].concat();
        let seat = Seat::start("xterm", Stream::Pipe, &line);
        let mut peer = connect(listening_port(&seat.process.stderr));
        peer.write_all(b"muxnc: [7] joined\n# [1] I give up\n{[1]}\na\tb\tc\td\te\tf\nlast\n")
            .unwrap();
        seat.wait_for("last");
        let shown = seat.screen.text();
        assert!(!shown.contains("\x1b[1m"), "{shown:?}");
    }
}

#[test]
fn numbers_are_not_given_twice() {
    let (seat, port) = Seat::hub(&["--label", "always"]);
    for number in 1..4 {
        let mut peer = seat.join(port);
        peer.write_all(format!("I am {number}\n").as_bytes())
            .unwrap();
        seat.wait_for(&format!("[{number}] I am {number}\r\n"));
        // Gone altogether, and not only silent.
        let linger = Some(std::time::Duration::ZERO);
        socket2::SockRef::from(&peer).set_linger(linger).unwrap();
        drop(peer);
        eventually("it left", || {
            let told = seat.process.stderr.text();
            told.lines().any(|line| {
                line.starts_with(&format!("muxnc: [{number}]")) && line.contains("left")
            })
        });
    }
}

/// The first label of a hub with these arguments and environment.
#[track_caller]
fn label(kind: &str, environment: &[&str], args: &[&str]) -> String {
    let line = [
        &["env"],
        environment,
        &[MUXNC, "-l", "0", "--label", "always"],
        args,
    ]
    .concat();
    let seat = Seat::start(kind, Stream::Pipe, &line);
    let mut peer = connect(listening_port(&seat.process.stderr));
    peer.write_all(b"hello\n").unwrap();
    let shown = without_own(&seat.screen.wait_for("hello\r\n"));
    let (label, _) = shown.split_once("hello").unwrap();
    label.trim_start_matches('\r').to_owned()
}

#[test]
fn labels_are_coloured_where_that_is_wanted() {
    // Bold is no colour, and what tells a label from what others say.
    let plain = "\x1b[1m[1]\x1b[0m ";
    let coloured = label("xterm", &[], &[]);
    assert!(coloured.starts_with("\x1b[1;3"), "{coloured:?}");
    assert!(coloured.ends_with("m[1]\x1b[0m "), "{coloured:?}");
    assert_eq!(label("xterm", &["NO_COLOR=1"], &[]), plain);
    assert_eq!(label("xterm", &["NO_COLOR="], &[]), coloured);
    assert_eq!(label("xterm", &[], &["--color", "never"]), plain);
    assert_eq!(label("dumb", &[], &[]), "[1] ");
    let asked = ["--color", "always"];
    assert_eq!(label("xterm", &["NO_COLOR=1"], &asked), coloured);
    assert_eq!(label("dumb", &[], &asked), coloured);
}
