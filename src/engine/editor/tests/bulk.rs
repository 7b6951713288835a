//! What comes in bulk is text, with brackets and without.

use super::Arrival;
use super::Editor;
use super::Event;
use super::MAX_LINE;
use super::commands;
use super::feed;
use super::feed_at_once;
use super::gives;
use super::line;
use super::looks;
use super::pasted;

#[test]
fn no_sequence_in_a_paste_is_a_key_nor_text() {
    for sequence in [
        "\x1b[C",
        "\x1bOC",
        "\x1bOM",
        "\x1b[I",
        "\x1b[<0;1;1M",
        "\x1b[[A",
        "\x1b]0;x\x07",
        "\x1b[31m",
        "\x1b[13u",
        "\x1b[A",
        "\x1b",
    ] {
        let keys = format!("\x1b[200~{sequence}/msg 1 x\n{sequence}two\x1b[201~");
        gives(&[keys.as_bytes()], &[pasted("/msg 1 x")], "two|");
    }
}

#[test]
fn a_paste_is_text_whatever_is_in_it() {
    gives(
        &[b"\x1b[200~/quit\ra\tb\n\n\r\nlast\x1b[201~!"],
        &[pasted("/quit"), pasted("a\tb"), pasted(""), pasted("")],
        "last!|",
    );
    looks(
        &[b"\x1b[200~a\x04\x15\x03\x1bb\x1b[31mc\x7f\x00\x16d\x1b[201~"],
        "abcd|",
    );
    looks(&[b"ab\x02\x1b[200~XY\x1b[201~Z"], "aXYZ|b");
    looks(
        &["\x1b[200~a\u{202e}b\u{9b}\x1b[201~".as_bytes()],
        "a\u{202e}b\u{9b}|",
    );
}

#[test]
fn the_end_of_a_paste_may_be_cut_anywhere() {
    let end: &[u8] = b"\x1b[201~";
    for cut in 0..=end.len() {
        let (left, right) = end.split_at(cut);
        looks(&[b"\x1b[200~a", left, right, b"\x01"], "|a");
    }
    looks(&[b"\x1b[200~a\x1b[2", b"\x1b[201~\x01"], "|a[2");
}

#[test]
fn what_a_paste_of_lines_leaves_is_still_pasted() {
    gives(
        &[b"\x1b[200~one\n/quit\x1b[201~", b"\r", b"/who\r"],
        &[pasted("one"), pasted("/quit"), line("/who")],
        "|",
    );
    gives(&[b"\x1b[200~/who\x1b[201~", b"\r"], &[line("/who")], "|");
    gives(
        &[b"\x1b[200~one\n\x1b[201~", b"/who\r"],
        &[pasted("one"), line("/who")],
        "|",
    );
    gives(
        &[b"\x1b[200~one\ntwo\x1b[201~", b"\x15/who\r"],
        &[pasted("one"), line("/who")],
        "|",
    );
    gives(&[b"/kick \x1b[200~1\n\x1b[201~"], &[pasted("/kick 1")], "|");
}

#[test]
fn a_paste_that_holds_its_own_end_is_pasted_to_its_end() {
    gives(
        &[b"\x1b[200~a\n\x1b[201~/quit\nx\ty\n\x1b[201~"],
        &[pasted("a"), pasted("/quit"), pasted("x\ty")],
        "|",
    );
    gives(
        &[b"\x1b[200~\x1b[201~/quit\n\x1b[201~", b"/who\r"],
        &[pasted("/quit"), line("/who")],
        "|",
    );
    // What it leaves is pasted, too, and ends no command.
    gives(
        &[b"\x1b[200~a\x1b[201~\n/quit", b"\r"],
        &[pasted("a"), pasted("/quit")],
        "|",
    );
    let (events, rest) = commands(&[("/kick ", false), ("\x1b[200~1\x1b[201~\r/quit\r", false)]);
    assert_eq!((events, rest.as_str()), (vec![], "/kick 1 /quit |"));
    // What looks like a command is one here.
    for beginning in [" /msg Ana ", ".msg Ana ", "x/msg Ana", "7msg 1", "msg 1 "] {
        let (events, rest) =
            commands(&[(beginning, false), ("\x1b[200~ one\ntwo\n\x1b[201~", false)]);
        assert_eq!((events, rest), (vec![], format!("{beginning} one two |")));
    }
    for beginning in ["- ", "say: ", "msg "] {
        let (events, rest) = commands(&[(beginning, false), ("\x1b[200~one\ntwo\x1b[201~", false)]);
        let first = pasted(&format!("{beginning}one"));
        assert_eq!((events, rest.as_str()), (vec![first], "two|"));
    }
}

#[test]
fn what_comes_in_bulk_is_pasted() {
    let (events, rest) = commands(&[("/quit\r/who\ra\tb\r/kick", true), ("\r", false)]);
    let expected = ["/quit", "/who", "a\tb", "/kick"].map(pasted);
    assert_eq!((events, rest.as_str()), (Vec::from(expected), "|"));
    let (events, _) = commands(&[("/who\r\nx\r\n", true), ("/who\r", false)]);
    assert_eq!(events, [pasted("/who"), pasted("x"), line("/who")]);
    // What is left behind the last end is ended by a key, and no command.
    let (events, _) = commands(&[("one\r", false), ("/quit", true), ("\r", false)]);
    assert_eq!(events, [line("one"), pasted("/quit")]);
    let (events, _) = commands(&[("/ki", false), ("ck 1", true), ("\r", false)]);
    assert_eq!(events, [line("/kick 1")]);
}

/// A slow line hands on a few keys together, or an Enter and a key, as if they were pasted.
#[test]
fn a_line_of_which_a_few_keys_came_together_is_typed() {
    for (bulk, typed, is_typed) in [
        ("/k", "ick 9 loud", true),
        ("one\r/w", "ho", true),
        ("one\r/qu", "it", true),
        ("one\r/quit", "", false),
        ("one\r/quit", "abcde\x7f\x7f\x7f\x7f\x7f", false),
        ("one\r/kick 9 ", "and more than that", false),
        ("\x1b[200~one\n/q\x1b[201~", "uit", false),
        // What was pasted is that, also when it was taken away and is there again.
        ("one\r/quit", "\x15\x19", false),
        ("one\r/quit", "\x1b[A\x1b[B", false),
    ] {
        let pieces = [("\r", false), (bulk, true), (typed, false), ("\r", false)];
        let (events, _) = commands(&pieces);
        let last = events.last().unwrap();
        let is_command = matches!(last, Event::Line(text) if !text.is_empty());
        assert_eq!(is_command, is_typed, "{bulk:?}, {typed:?}: {events:?}");
        // The next is what it is.
        let (events, _) = commands(&[&pieces[..], &[("/who", true), ("\r", false)]].concat());
        assert_eq!(events.last(), Some(&pasted("/who")));
    }
    // Unless it may be for one alone.
    let (events, _) = commands(&[("/msg 1 a\rb", true), ("ut not that", false), ("\r", false)]);
    assert_eq!(events.last(), Some(&Event::Aside("but not that".into())));
}

/// Tab alone makes no command of the beginning of one that was pasted: none of its letters was typed.
#[test]
fn a_pasted_line_that_tab_completed_is_no_command() {
    for (bulk, typed, is_typed) in [
        ("text one\r/k", "", false),
        ("text one\r/ki", "", false),
        ("text one\r/ki", "c", true),
    ] {
        let mut editor = Editor::with_commands();
        let mut last = None;
        for (keys, in_bulk) in [(bulk, true), (typed, false), ("\t\t", false), ("\r", false)] {
            editor.arrive(Arrival {
                in_bulk,
                follows: in_bulk,
                is_late: false,
            });
            let mut keys = keys.as_bytes();
            while let Some(event) = editor.next(&mut keys) {
                if event == Event::Complete {
                    editor.replace_word("/kick");
                }
                last = Some(event);
            }
        }
        let expected = match is_typed {
            true => line("/kick"),
            false => pasted("/kick"),
        };
        assert_eq!(last, Some(expected), "{bulk:?}, {typed:?}");
    }
}

#[test]
fn a_paste_does_not_end_a_command() {
    let (events, rest) = commands(&[("/msg 3 ", false), ("\x1b[200~a\nb\n\x1b[201~", false)]);
    assert_eq!((events, rest.as_str()), (vec![], "/msg 3 a b |"));
    let (events, rest) = commands(&[("/msg 3 ", false), ("a\rb\r", true), ("c\r", false)]);
    assert_eq!((events, rest.as_str()), (vec![line("/msg 3 a b c")], "|"));
    // A slash that is pasted begins no command.
    let (events, _) = commands(&[("\x1b[200~/bin\n/etc\n\x1b[201~", false)]);
    assert_eq!(events, [pasted("/bin"), pasted("/etc")]);
    let (events, _) = commands(&[("say ", false), ("\x1b[200~/bin\n/etc\n\x1b[201~", false)]);
    assert_eq!(events, [pasted("say /bin"), pasted("/etc")]);
}

#[test]
fn a_crlf_that_comes_at_once_is_one_end() {
    gives(&[b"a\r\nb\n\n"], &[line("a"), line("b"), line("")], "|");
    gives(&[b"a\r", b"\n"], &[line("a"), line("")], "|");
    for in_bulk in [false, true] {
        let mut editor = Editor::new();
        feed(&mut editor, &[b"a\r"]);
        let follows = true;
        editor.arrive(Arrival {
            in_bulk,
            follows,
            is_late: false,
        });
        assert_eq!(feed_at_once(&mut editor, &[b"\n"]), []);
        assert_eq!(feed_at_once(&mut editor, &[b"\n"]).len(), 1);
    }
    // In brackets however long it takes.
    gives(&[b"\x1b[200~a\r", b"\nb"], &[pasted("a")], "b|");
}

#[test]
fn of_a_full_line_it_is_told_once() {
    let mut editor = Editor::new();
    let text = vec![b'q'; MAX_LINE / 5 * 2];
    let full = [Event::Full];
    for told in [&[][..], &[], &full, &[], &[]] {
        assert_eq!(feed(&mut editor, &[&text]), told);
    }
    let ended = feed(&mut editor, &[b"\r"]);
    assert!(matches!(&ended[..], [Event::Line(line)] if line.len() <= MAX_LINE));
    editor.clear();
    for told in [&[][..], &[], &full, &[]] {
        assert_eq!(feed(&mut editor, &[&text]), told);
    }
}

#[test]
fn a_paste_of_ten_kilobytes_arrives_whole() {
    let lines: Vec<String> = (0..200)
        .map(|i| format!("{i}\t{}", "é".repeat(24)))
        .collect();
    let paste = format!("\x1b[200~{}\n\x1b[201~", lines.join("\n"));
    assert!(paste.len() > 10_000);
    let expected: Vec<Event> = lines.into_iter().map(Event::Pasted).collect();
    for size in [1, 7, 4096, 100_000] {
        let pieces: Vec<&[u8]> = paste.as_bytes().chunks(size).collect();
        gives(&pieces, &expected, "|");
    }
}
