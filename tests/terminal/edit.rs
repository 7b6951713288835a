//! The edit line: whole, and with its cursor where it was, whatever else happens.

use std::io::Read;
use std::io::Write;
use std::thread;
use std::time::Instant;

use muxnc::engine::typing::SAME_PASTE;

use crate::COLUMNS;
use crate::Seat;
use crate::at_both;
use crate::expect_rest;
use crate::in_time;
use crate::support::expect_bytes;

#[test]
fn a_line_being_typed_stays_whole_while_others_speak() {
    at_both(|mut seat, mut peer| {
        seat.press("hel");
        seat.expect(&["hel"], 3);
        peer.write_all(b"one\n").unwrap();
        seat.expect(&["one", "hel"], 3);
        seat.press("lo\x1b[D\x1b[D");
        seat.expect(&["one", "hello"], 3);
        peer.write_all(b"two\nthree\n").unwrap();
        seat.expect(&["one", "two", "three", "hello"], 3);
        seat.press("\r");
        expect_bytes(&mut peer, "hello\n");
        seat.expect(&["one", "two", "three", "hello", ""], 0);
    });
}

#[test]
fn a_flood_tears_neither_the_line_being_typed_nor_its_own() {
    at_both(|mut seat, peer| {
        const LINES: u16 = 3000;
        seat.sizes = vec![(0, LINES + 1, COLUMNS)];
        let mut sender = peer.try_clone().unwrap();
        let flood = thread::spawn(move || {
            for i in 0..LINES {
                sender
                    .write_all(format!("line {i} of the flood\n").as_bytes())
                    .unwrap();
            }
        });
        let typed = "still being typed while it floods";
        for key in typed.chars() {
            seat.press(key.to_string());
            thread::yield_now();
        }
        seat.press("\x1b[D");
        flood.join().unwrap();
        seat.wait_for(&format!("line {} of the flood", LINES - 1));
        let lines: Vec<String> = (0..LINES)
            .map(|i| format!("line {i} of the flood"))
            .collect();
        let mut rows: Vec<&str> = lines.iter().map(String::as_str).collect();
        rows.push(typed);
        // Parsing all of it takes a while: not for every piece of it that comes.
        expect_rest(&seat.process);
        seat.expect(&rows, typed.len() as u16 - 1);
    });
}

#[test]
fn the_cursor_knows_how_wide_characters_are() {
    at_both(|mut seat, mut peer| {
        seat.press("a\u{65e5}\u{672c}\u{e9}");
        seat.expect(&["a\u{65e5}\u{672c}\u{e9}"], 6);
        seat.press("\x02\x02");
        seat.expect(&["a\u{65e5}\u{672c}\u{e9}"], 3);
        peer.write_all("\u{8a9e}\n".as_bytes()).unwrap();
        seat.expect(&["\u{8a9e}", "a\u{65e5}\u{672c}\u{e9}"], 3);
        seat.press("\x7f");
        seat.expect(&["\u{8a9e}", "a\u{672c}\u{e9}"], 1);
        // A letter and its accent are one.
        seat.press("e\u{301}o");
        seat.expect(&["\u{8a9e}", "ae\u{301}o\u{672c}\u{e9}"], 3);
        seat.press("\x02\x7f\r");
        expect_bytes(&mut peer, "ao\u{672c}\u{e9}\n");
    });
}

#[test]
fn the_usual_keys_do_the_usual_things() {
    at_both(|mut seat, mut peer| {
        // Ctrl-A, Ctrl-E, Ctrl-W, Ctrl-Y, Alt-B, Ctrl-K, Home, Delete.
        seat.press("two three\x01one \x05 four\x17\x1bb\x0b\x19!\x1b[H\x1b[3~O");
        seat.expect(&["One two three !"], 1);
        seat.press("\x05\x15\x19 again\r");
        expect_bytes(&mut peer, "One two three ! again\n");
        seat.press("x");
        seat.clear();
        seat.expect(&["x"], 1);
    });
}

#[test]
fn lines_come_back_and_the_draft_is_kept() {
    at_both(|mut seat, mut peer| {
        seat.type_lines(&["first", "second"]);
        expect_bytes(&mut peer, "first\nsecond\n");
        seat.press("draft\x1b[A\x1b[A");
        seat.expect(&["first", "second", "first"], 5);
        seat.press("\x0e\x0e");
        seat.expect(&["first", "second", "draft"], 5);
        seat.press("\x10\r");
        expect_bytes(&mut peer, "second\n");
    });
}

#[test]
fn a_paste_of_ten_kilobytes_arrives_whole() {
    at_both(|mut seat, mut peer| {
        let text: String = (0..250)
            .map(|i| format!("\tpasted line {i:03}, {}\n", "\u{2713}".repeat(10)))
            .collect();
        assert!(text.len() > 10_000);
        let mut keyboard = seat.keyboard.try_clone().unwrap();
        let keys = format!("\x1b[200~{}\x1b[201~", text.replace('\n', "\r"));
        let paste = thread::spawn(move || keyboard.write_all(keys.as_bytes()).unwrap());
        expect_bytes(&mut peer, &text);
        paste.join().unwrap();
        seat.press("typed\r");
        expect_bytes(&mut peer, "typed\n");
    });
}

#[test]
fn a_line_may_be_longer_than_the_kernel_edits() {
    at_both(|mut seat, mut peer| {
        let line = "0123456789".repeat(600);
        seat.press(&line);
        let end = line[line.len() - 78..].to_owned();
        seat.expect(&[&format!("<{end}")], 79);
        seat.press("\x01");
        seat.expect(&[&format!("{}>", &line[..78])], 0);
        seat.press("\r");
        expect_bytes(&mut peer, format!("{line}\n"));
    });
}

#[test]
fn the_row_fits_the_terminal_whatever_size_it_gets() {
    at_both(|mut seat, mut peer| {
        seat.press("abcdefghijklmnopqrst");
        seat.expect(&["abcdefghijklmnopqrst"], 20);
        seat.resize(10, 15);
        // A copy of the old row may stay behind, but none of it is in the new one.
        seat.wait_for("\r<hijklmnopqrst");
        seat.resize(24, 60);
        seat.clear();
        seat.expect(&["abcdefghijklmnopqrst"], 20);
        peer.write_all(b"above\n").unwrap();
        seat.expect(&["above", "abcdefghijklmnopqrst"], 20);
        seat.press("\r");
        expect_bytes(&mut peer, "abcdefghijklmnopqrst\n");
    });
}

#[test]
fn half_a_key_holds_up_nobody_and_is_not_lost() {
    at_both(|mut seat, mut peer| {
        for (half, rest, typed) in [
            (&b"\xe6\x97"[..], &b"\xa5"[..], "x\u{65e5}"),
            // Esc alone, and a key after it.
            (b"\x1b", b"y", "xy"),
        ] {
            seat.press("x");
            seat.press(half);
            // It is shown though the half is there, and by then the half was read.
            peer.write_all(b"nobody waits\n").unwrap();
            seat.expect(&["nobody waits", "x"], 1);
            expect_rest(&seat.process);
            seat.press(rest);
            seat.press("\r");
            expect_bytes(&mut peer, format!("{typed}\n"));
            seat.clear();
            seat.expect(&[""], 0);
        }
    });
}

#[test]
fn an_unfinished_line_of_the_other_side_stands_before_the_cursor() {
    let (mut seat, mut server) = Seat::participant(&[]);
    server.write_all(b"welcome\nlogin: ").unwrap();
    seat.expect(&["welcome", "login: "], 7);
    seat.press("bob");
    seat.expect(&["welcome", "login: bob"], 10);
    seat.press("\x01\r");
    expect_bytes(&mut server, "bob\n");
    seat.expect(&["welcome", "login: bob", ""], 0);
    seat.press("sec");
    // A character in two pieces, and the line goes on while one types.
    server.write_all(b"\xe2\x9c").unwrap();
    expect_rest(&seat.process);
    server.write_all(b"\x93 pass").unwrap();
    seat.expect(&["welcome", "login: bob", "\u{2713} passsec"], 9);
    server.write_all(b"word\nmore> ").unwrap();
    let rows = ["welcome", "login: bob", "\u{2713} password", "more> sec"];
    seat.expect(&rows, 9);
}

/// Also where it begins with a coloured label, and at a hub.
#[test]
fn a_label_before_an_unfinished_line_is_no_riddle() {
    let (mut seat, port) = Seat::hub(&["--label", "always", "--color", "always"]);
    let mut peer = seat.join(port);
    peer.write_all(b"name: ").unwrap();
    seat.expect(&["[1] name: "], 10);
    seat.press("x");
    seat.expect(&["[1] name: x"], 11);
    peer.write_all(b"Ana\n").unwrap();
    seat.expect(&["[1] name: Ana", "x"], 1);
    seat.screen.wait_for("m[1]\x1b[0m name: Ana\r\n");
}

/// As they come, where nobody looks at them on the way.
#[test]
fn characters_stay_whole_wherever_they_are_cut() {
    let (seat, mut server) = Seat::participant(&["--raw-output"]);
    server.write_all(b"caf\xc3").unwrap();
    seat.wait_for("caf");
    server.write_all(b"\xa9\n").unwrap();
    let shown = seat.wait_for("\n");
    assert!(shown.contains("caf\u{e9}\r\n"), "{shown:?}");
}

#[test]
fn what_is_typed_is_shown_but_not_obeyed() {
    at_both(|mut seat, mut peer| {
        // Ctrl-V makes the next key text.
        seat.press("a\x16\x1b]0;b\x16\x07c");
        seat.expect(&["a^[]0;b^Gc"], 10);
        seat.press("\r");
        expect_bytes(&mut peer, "a\x1b]0;b\x07c\n");
        seat.expect(&["a^[]0;b^Gc", ""], 0);
    });
}

#[test]
fn an_idle_edit_line_costs_nothing() {
    at_both(|mut seat, mut peer| {
        seat.press("half a line");
        peer.write_all(b"and half a line").unwrap();
        seat.wait_for("and half a line");
        expect_rest(&seat.process);
        let before = (seat.process.cpu_ticks(), seat.process.context_switches());
        // Nothing is to happen in that time.
        thread::sleep(std::time::Duration::from_millis(1200));
        let after = (seat.process.cpu_ticks(), seat.process.context_switches());
        assert_eq!(before, after);
    });
}

#[test]
fn a_pasted_crlf_ends_one_line() {
    for end in ["\n", "\r", "\r\n"] {
        let request = ["GET / HTTP/1.1", "Host: example.org", "", ""].join(end);
        let (mut seat, mut server) = Seat::participant(&["-C"]);
        seat.press(format!("\x1b[200~{request}\x1b[201~"));
        expect_bytes(&mut server, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
        // Also where a paste has no brackets.
        seat.press(format!("{request}last\r"));
        expect_bytes(
            &mut server,
            "GET / HTTP/1.1\r\nHost: example.org\r\n\r\nlast\r\n",
        );
    }
}

#[test]
fn a_crlf_in_two_pieces_ends_one_line() {
    in_time(|| {
        let (mut seat, mut server) = Seat::participant(&["-C"]);
        let mut before = Instant::now();
        for (keys, line) in [
            ("GET / HTTP/1.1\r", "GET / HTTP/1.1\r\n"),
            ("\nHost: example.org\r", "Host: example.org\r\n"),
            ("\n\r", "\r\n"),
            ("\nlast\r", "last\r\n"),
        ] {
            let pressed = Instant::now();
            seat.press(keys);
            let mut read = vec![0; line.len()];
            server.read_exact(&mut read).unwrap();
            if before.elapsed() >= SAME_PASTE {
                return None;
            }
            before = pressed;
            assert_eq!(String::from_utf8_lossy(&read), line);
        }
        Some(())
    });
    // Enter and Ctrl-J are two keys.
    let (mut seat, mut server) = Seat::participant(&[]);
    seat.press("one\r");
    expect_bytes(&mut server, "one\n");
    seat.pause();
    seat.press("\n");
    expect_bytes(&mut server, "\n");
}
