//! Keys of several bytes: every spelling, cut anywhere, late, whole or not.

use super::Editor;
use super::Event;
use super::feed;
use super::feed_late;
use super::gives;
use super::line;
use super::look;
use super::looks;
use super::pasted;
use crate::engine::lookalike::skip_unseen;

#[test]
fn arrows_home_end_and_delete_come_in_many_spellings() {
    for left in ["\x1b[D", "\x1bOD", "\x1b[d", "\x1b[1;2D", "\x1b\x1b[D"] {
        looks(&[b"a bc", left.as_bytes()], "a b|c");
    }
    for right in ["\x1b[C", "\x1bOC", "\x1b[c", "\x1b[1;2C"] {
        looks(&[b"a bc\x01", right.as_bytes()], "a| bc");
    }
    for home in [
        "\x1b[H",
        "\x1bOH",
        "\x1b[1~",
        "\x1b[7~",
        "\x1b[1;5H",
        "\x1b[7^",
        "\x1b[7$",
        "\x1b[7@",
    ] {
        looks(&[b"abc", home.as_bytes()], "|abc");
    }
    for end in [
        "\x1b[F",
        "\x1bOF",
        "\x1b[4~",
        "\x1b[8~",
        "\x1b[1;5F",
        "\x1b[8^",
        "\x1b[8$",
    ] {
        looks(&[b"abc\x01", end.as_bytes()], "abc|");
    }
    for delete in ["\x1b[3~", "\x1b[3;2~", "\x1b[3$", "\x04"] {
        looks(&[b"abc\x01", delete.as_bytes()], "|bc");
    }
    for left in ["\x1b[1;5D", "\x1b[1;3D", "\x1b[5D", "\x1bOd", "\x1bb"] {
        looks(&[b"one two", left.as_bytes()], "one |two");
    }
    for right in ["\x1b[1;5C", "\x1b[1;3C", "\x1b[5C", "\x1bOc", "\x1bf"] {
        looks(&[b"one two\x01", right.as_bytes()], "one| two");
    }
}

#[test]
fn other_control_keys_and_unknown_sequences_do_nothing() {
    looks(
        &[b"a\x00\x03\x07\x0f\x11\x12\x13\x18\x1a\x1c\x1d\x1e\x1fb"],
        "ab|",
    );
    let sequences = [
        "\x1b[2~",
        "\x1b[5~",
        "\x1b[15~",
        "\x1b[15;5~",
        "\x1b[P",
        "\x1b[1;2S",
        "\x1b[Z",
        "\x1bOP",
        "\x1b[[A",
        "\x1b[I",
        "\x1b[O",
        "\x1b[3;1R",
        "\x1b[?1;2c",
        "\x1b[?2026;2$y",
        "\x1b[>1;2;3c",
        "\x1b[<0;1;1M",
        "\x1b[13;5u",
        "\x1b[201~",
        "\x1b[9999999999~",
        "\x1b[1;2;3;4A",
        "\x1b]11;rgb:1e1e/1e1e/1e1e\x07",
        "\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\",
        "\x1bP>|term 1.0\x1b\\",
        "\x1bP!|00000000\x1b\\",
    ];
    for sequence in sequences {
        looks(&[b"ab\x02", sequence.as_bytes(), b"x"], "ax|b");
    }
}

#[test]
fn half_a_sequence_waits_and_swallows_no_key() {
    looks(&[b"ab\x1b[", b"D"], "a|b");
    looks(&[b"one two\x1b[1", b";", b"5D"], "one |two");
    looks(&[b"ab\x1bO", b"D"], "a|b");
    gives(&[b"ab\x1b[", b"\r"], &[line("ab[")], "|");
    gives(&[b"ab\x1b[1", b"\r", b"hi"], &[line("ab[1")], "hi|");
    gives(&[b"ab\x1bO", b"\r"], &[line("abO")], "|");
    looks(&[b"ab\x1bO", b"k"], "ab+|");
    looks_late(&[b"ab\x1bO", b"k"], "abOk|");
    gives(&[b"\x1b]", b"hello", b"\r"], &[line("]hello")], "|");
    gives(&[b"\x1b]", b"52 cards", b"\r"], &[line("]52 cards")], "|");
    gives(&[b"\x1bP", b"Paul", b"\r"], &[line("PPaul")], "|");
    gives(&[b"\x1b]5", b"\x1b", b"\r"], &[line("]5")], "|");
    looks(&[b"\x1b]5\x1b[D"], "]|5");
    looks(&[b"ab\x1b[1\x1b[D"], "ab[|1");
    looks(&["\x1b[é".as_bytes()], "[é|");
    looks(&["\x1b[[é".as_bytes()], "[[é|");
}

/// The line after these reads, each of which came late.
fn looks_late(pieces: &[&[u8]], expected: &str) {
    let mut editor = Editor::new();
    assert_eq!(feed_late(&mut editor, pieces), []);
    assert_eq!(look(&editor), expected);
}

#[test]
fn an_esc_that_was_pressed_alone_swallows_nothing() {
    looks(&[b"a\x1b"], "a|");
    looks_late(&[b"a\x1b", b"b"], "ab|");
    looks_late(&[b"a\x1b", b"d"], "ad|");
    looks_late(&[b"a\x1b", b"Oh"], "aOh|");
    looks_late(&[b"a\x1bO", b"D"], "aOD|");
    looks_late(&[b"a\x1b", b"]", b"x"], "a]x|");
    looks_late(&[b"a\x1b]1", b"x"], "a]1x|");
    looks_late(&[b"ab\x1b", b"\x1b[D"], "a|b");
    looks(&[b"ab\x1b\x1b[D"], "a|b");
    looks_late(&[b"ab\x1b", b"\x1b", b"\x7f"], "a|");
    looks_late(&[b"ab\x1b", b"[D"], "ab[D|");
    looks_late(&[b"ab\x1b", b"[note] x"], "ab[note] x|");
    looks_late(&[b"ab\x1b", b"[", b"1", b"]"], "ab[1]|");
    looks_late(&[b"ab\x1b", b"[[Alice]]"], "ab[[Alice]]|");
    looks_late(&[b"\x1b", b"[Dear all"], "[Dear all|");
    looks_late(&[b"\x1b[", b"D"], "[D|");
    for pieces in [["a\x1b", "\r"], ["a", "\x1b\r"]] {
        let mut editor = Editor::new();
        let events = feed_late(&mut editor, &pieces.map(str::as_bytes));
        assert_eq!(events, [line("a")]);
    }
}

#[test]
fn what_came_late_behind_an_esc_is_told_from_other_lines() {
    let late = |text: &str| Event::BehindEscape(text.to_owned());
    for (pieces, expected) in [
        (["\x1b", "OP/msg 1 x\r"], late("OP/msg 1 x")),
        (["\x1bO", "P/msg 1 x\r"], late("OP/msg 1 x")),
        (["\x1b", "hello\r"], late("hello")),
        (["\x1b", "x\x7fhello\r"], line("hello")),
        (["a\x1b", "[D\r"], line("a[D")),
        (["\x1b", "\r"], late("")),
    ] {
        let mut editor = Editor::new();
        let events = feed_late(&mut editor, &pieces.map(str::as_bytes));
        assert_eq!(events, [expected]);
        assert_eq!(feed_late(&mut editor, &[b"hello\r"]), [line("hello")]);
    }
}

#[test]
fn a_paste_is_known_however_late_the_rest_of_its_mark_comes() {
    let (begin, end): (&[u8], &[u8]) = (b"\x1b[200~", b"\x1b[201~");
    for cut in 0..=begin.len() {
        let (left, right) = begin.split_at(cut);
        let mut editor = Editor::new();
        let events = feed_late(
            &mut editor,
            &[left, right, b"/quit\r", &end[..2], &end[2..]],
        );
        assert_eq!(events, [pasted("/quit")], "{cut}");
        assert!(!editor.is_bracketed());
    }
}

#[test]
fn keys_of_a_protocol_that_another_program_left_on_are_what_is_on_them() {
    for (keys, typed) in [
        ("\x1b[47u", "/"),
        ("\x1b[47;2u", "/"),
        ("\x1b[55:47;2u", "/"),
        ("\x1b[27;2;47~", "/"),
        ("\x1b[27;2;55~", "7"),
        ("\x1b[57410u", "/"),
        ("\x1b[57399;1:1u", "0"),
        ("\x1b[97;1:2u\x1b[97;1:3u", "a"),
        ("\x1b[97;2:3u\x1b[13;1:3u\x1b[127;1:3u", ""),
        ("\x1b[228;65u", "\u{e4}"),
        ("\x1b?o", "/"),
        ("\x1b?j", "*"),
        // With Alt or Ctrl it is another key; let go it is none, nor is one without a sign on it.
        ("\x1b[97;5u", ""),
        ("\x1b[97;3u", ""),
        ("\x1b[27;5;97~", ""),
        ("\x1b[57358u", ""),
        ("\x1b[27u", ""),
        ("\x1b[u", ""),
    ] {
        looks(&[keys.as_bytes()], &format!("{typed}|"));
    }
    gives(&[b"a\x1b[57414u"], &[line("a")], "|");
    gives(&[b"a\x1b[13u"], &[line("a")], "|");
    gives(&[b"a\x1b?M"], &[line("a")], "|");
}

/// What is no text to the editor is not seen before a command where the kernel edits, either.
#[test]
fn where_the_kernel_edits_the_same_keys_are_not_seen() {
    let params = [
        "",
        "1",
        "1;5",
        "?1",
        "?1;2",
        "<0;10;5",
        "1;1:3",
        "97:65;2:3",
        "57358",
        "27;5;97",
        ">1;2",
    ];
    let finals = ('@'..='~').flat_map(|end| params.map(|params| format!("\x1b[{params}{end}")));
    let signs = [" ", "!", "#", "V", "p", "\u{a1}"];
    let mice = signs
        .iter()
        .flat_map(|a| signs.map(|b| format!("\x1b[M{a}{b}z")));
    let others =
        ('A'..='z').flat_map(|end| ["O", "O2", "?", "[["].map(|with| format!("\x1b{with}{end}")));
    let mut swallowed = 0;
    for keys in finals.chain(mice).chain(others) {
        let mut editor = Editor::new();
        let events = feed(&mut editor, &[keys.as_bytes(), b"/x"]);
        if events.is_empty() && look(&editor) == "/x|" {
            swallowed += 1;
            let behind = skip_unseen(&keys).len();
            assert_eq!(behind, 0, "of {keys:?} something is seen");
        }
    }
    assert!(swallowed > 500, "{swallowed}");
}

#[test]
fn an_esc_before_a_key_that_has_no_alt_is_nothing() {
    looks(&[b"\x1bhello"], "hello|");
    looks(&["\x1bé".as_bytes()], "é|");
    gives(&[b"a\x1b\r"], &[line("a")], "|");
}

#[test]
fn a_key_may_be_cut_anywhere() {
    for (key, expected) in [
        ("\x1b[D", "a|b"),
        ("\x1bOD", "a|b"),
        ("\x1b[3~", "ab|"),
        ("\x1bOP", "ab|"),
        ("\x1bO2P", "ab|"),
        ("\x1bOj", "ab*|"),
        ("\x1b?j", "ab*|"),
        ("\x1b[I", "ab|"),
        ("\x1b[[A", "ab|"),
        ("\x1b[M !!", "ab|"),
        ("\x1b[M`/m", "ab|"),
        ("\x1b[M \0!", "ab|"),
        ("\x1b[1;1:3D", "ab|"),
        ("\x1b[1;1:2D", "a|b"),
        ("\x1b[3;1:3~", "ab|"),
        ("\x1b[<0;10;5M", "ab|"),
        ("\x1b[?62;22c", "ab|"),
        ("\x1b[?2004;1$y", "ab|"),
        ("\x1b[47;2u", "ab/|"),
        ("\x1b]11;rgb:ffff/ffff/ffff\x07", "ab|"),
        ("\x1b]lsome title\x1b\\", "ab|"),
        ("\x1b_Gi=31;OK\x1b\\", "ab|"),
        ("\x1bP!|7E7E0000\x1b\\", "ab|"),
        ("\x1bb", "|ab"),
    ] {
        for cut in 0..=key.len() {
            let (left, right) = key.as_bytes().split_at(cut);
            looks(&[b"ab", left, right], expected);
        }
    }
    gives(
        &[b"\x1b", b"[200~/quit\r\x1b", b"[201~"],
        &[pasted("/quit")],
        "|",
    );
    gives(&[b"\x1b", b"[", b"\r"], &[line("[")], "|");
}

#[test]
fn an_endless_sequence_holds_little() {
    for introducer in ["\x1b[1", "\x1b]1"] {
        let mut editor = Editor::new();
        feed(&mut editor, &[introducer.as_bytes()]);
        feed(&mut editor, &[&[b'1'; 10_000]]);
        assert!(editor.text().len() > 9_000);
    }
}
