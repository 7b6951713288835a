//! The edit line without a terminal: every key, every way of cutting, every row.

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

mod pastes;

use super::*;
use crate::engine::lookalike::skip_unseen;

/// Hands in the pieces, each as one read that was typed, and gives back what came of them.
fn feed(editor: &mut Editor, pieces: &[&[u8]]) -> Vec<Event> {
    let mut events = Vec::new();
    for piece in pieces {
        editor.arrive(Arrival::default());
        events.extend(feed_at_once(editor, &[piece]));
    }
    events
}

/// The same with pieces of one read.
fn feed_at_once(editor: &mut Editor, pieces: &[&[u8]]) -> Vec<Event> {
    let mut events = Vec::new();
    for &piece in pieces {
        let mut keys = piece;
        events.extend(std::iter::from_fn(|| editor.next(&mut keys)));
        assert!(keys.is_empty());
    }
    events
}

/// The same with reads that came late: what an Esc began is no key any more.
fn feed_late(editor: &mut Editor, pieces: &[&[u8]]) -> Vec<Event> {
    let mut events = Vec::new();
    for piece in pieces {
        editor.arrive(Arrival {
            is_late: true,
            ..Arrival::default()
        });
        events.extend(feed_at_once(editor, &[piece]));
    }
    events
}

/// The line with a `|` where the cursor is.
fn look(editor: &Editor) -> String {
    let before = editor.before_cursor();
    format!("{before}|{}", &editor.text()[before.len()..])
}

/// After these reads nothing was sent, and the line looks like this.
#[track_caller]
fn looks(pieces: &[&[u8]], expected: &str) {
    let mut editor = Editor::new();
    assert_eq!(feed(&mut editor, pieces), []);
    assert_eq!(look(&editor), expected);
}

/// After these reads these are the events, and the line looks like this.
#[track_caller]
fn gives(pieces: &[&[u8]], events: &[Event], expected: &str) {
    let mut editor = Editor::new();
    assert_eq!(feed(&mut editor, pieces), events);
    assert_eq!(look(&editor), expected);
}

fn line(text: &str) -> Event {
    Event::Line(text.to_owned())
}

fn pasted(text: &str) -> Event {
    Event::Pasted(text.to_owned())
}

#[test]
fn enter_ends_a_line_wherever_the_cursor_is() {
    gives(
        &[b"one\rtwo\n\rth"],
        &[line("one"), line("two"), line("")],
        "th|",
    );
    gives(&[b"hello\x01\r"], &[line("hello")], "|");
    gives(&[b"keypad\x1bOM"], &[line("keypad")], "|");
    gives(&[b"\x1bOomsg\x1bO \x1bOq\x1bOM"], &[line("/msg 1")], "|");
    // Shift and F1 of Konsole, the keypad's 5, Ctrl and Up of others.
    gives(
        &[b"\x1bO2P\x1bOE\x1bO5A/msg 1 x\r"],
        &[line("/msg 1 x")],
        "|",
    );
    // Alt and a bracket is no key of its own, and swallows nothing.
    gives(&[b"\x1b[", b"/msg 1 x\r"], &[line("[/msg 1 x")], "|");
}

#[test]
fn the_cursor_moves_by_characters() {
    looks(&[b"abc\x01"], "|abc");
    looks(&[b"abc\x01\x05"], "abc|");
    looks(&[b"abc\x02\x02"], "a|bc");
    looks(&[b"abc\x02\x02\x06"], "ab|c");
    looks(&[b"\x02\x06\x08\x7f\x1b[3~"], "|");
}

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
fn backspace_and_delete_take_one_character() {
    looks(&[b"abc\x7f"], "ab|");
    looks(&[b"abc\x08\x08"], "a|");
    looks(&[b"abc\x02\x02\x04"], "a|c");
    looks(&[b"abc\x04"], "abc|");
}

#[test]
fn ctrl_d_on_an_empty_line_is_the_end() {
    gives(&[b"\x04\x04"], &[Event::End, Event::End], "|");
    gives(&[b"a\x7f\x04"], &[Event::End], "|");
}

#[test]
fn words_are_letters_and_digits() {
    looks(&[b"one, two.three  \x1bb"], "one, two.|three  ");
    looks(&[b"one, two\x1bb\x1bb"], "|one, two");
    looks(&[b"one, two\x01\x1bf"], "one|, two");
    looks(&[b"one, two\x01\x1bf\x1bf\x1bf"], "one, two|");
    looks(&[b"one, two\x01\x1bd"], "|, two");
    looks(&[b"one, two\x01\x1b[3;5~"], "|, two");
    looks(&[b"one, two\x01\x1b[3^"], "|, two");
    looks(&[b"cd /usr/share\x1b\x7f"], "cd /usr/|");
    looks(&[b"cd /usr/share\x1b\x08"], "cd /usr/|");
    looks(&["übung größe\x1bb".as_bytes()], "übung |größe");
}

#[test]
fn ctrl_w_takes_back_to_the_last_blank() {
    looks(&[b"cd /usr/share\x17"], "cd |");
    looks(&[b"foo... ???  \x17"], "foo... |");
    looks(&[b"one two\x02\x17"], "one |o");
    looks(&[b"\x17"], "|");
}

#[test]
fn what_was_killed_comes_back() {
    looks(&[b"hello world\x1bb\x0b\x01\x19"], "world|hello ");
    looks(&[b"hello world\x1bb\x15\x05\x19"], "worldhello |");
    looks(&[b"one two\x17\x19\x19"], "one twotwo|");
    looks(&[b"\x19"], "|");
}

#[test]
fn kills_in_a_row_come_back_together_and_in_order() {
    looks(&[b"one two three\x17\x17\x19"], "one two three|");
    looks(&[b"one two three\x01\x1bd\x1bd\x05\x19"], " threeone two|");
    looks(&[b"one two\x1bb\x15\x0b\x19"], "one two|");
    looks(&[b"one two\x17x\x17\x19"], "one x|");
}

#[test]
fn a_kill_of_nothing_keeps_what_was_killed() {
    looks(&[b"one two\x17\x06\x0b\x19"], "one two|");
    looks(&[b"one\x17\x02\x15\x17\x1bd\x19"], "one|");
}

#[test]
fn ctrl_t_swaps_characters() {
    looks(&[b"teh\x14"], "the|");
    looks(&[b"teh \x02\x02\x14"], "the| ");
    looks(&[b"a\x14"], "a|");
    looks(&[b"\x14"], "|");
}

#[test]
fn ctrl_v_takes_the_next_key_literally() {
    looks(&[b"\x16\x07\x16\t\x16\x00"], "\x07\t\0|");
    looks(&[b"\x16", b"\x01a\x01"], "|\x01a");
    looks(&[b"\x16\x1b[A"], "\x1b[A|");
    looks(&[b"\x16\x1b"], "\x1b|");
    looks(&[b"\x16x\x16\xc3\xa9"], "xé|");
    gives(&[b"GET /\x16\n\n"], &[line("GET /\r")], "|");
    gives(&[b"GET /\x16\r\r"], &[line("GET /\r")], "|");
}

#[test]
fn ctrl_v_before_a_paste_does_not_undo_the_paste() {
    gives(&[b"\x16\x1b[200~/quit\n\x1b[201~"], &[pasted("/quit")], "|");
    gives(
        &[b"\x16\x1b[2", b"00~/quit\n\x1b[201~"],
        &[pasted("/quit")],
        "|",
    );
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
fn tab_and_ctrl_l_are_for_the_caller() {
    gives(&[b"a\t\x0c"], &[Event::Complete, Event::Redraw], "a|");
}

#[test]
fn completing_happens_before_the_keys_behind_the_tab() {
    let mut editor = Editor::new();
    let mut keys: &[u8] = b"hi /wh\tx\r";
    assert_eq!(editor.next(&mut keys), Some(Event::Complete));
    assert_eq!(editor.before_cursor(), "hi /wh");
    editor.replace_word("/who\n ");
    assert_eq!(editor.next(&mut keys), Some(line("hi /who x")));
    editor.insert("\ta\n");
    assert_eq!(look(&editor), "\ta|");
    editor.replace_word("b");
    assert_eq!(look(&editor), "\tb|");
}

#[test]
fn history_goes_back_and_keeps_the_draft() {
    let mut editor = Editor::new();
    feed(&mut editor, &[b"one\rtwo\rdraft"]);
    let steps: [(&[u8], &str); 8] = [
        (b"\x1b[A", "two|"),
        (b"\x10", "one|"),
        (b"\x1bOA", "one|"),
        (b"\x0e", "two|"),
        (b"\x1b[B", "draft|"),
        (b"\x1bOB", "draft|"),
        (b"s\x10", "two|"),
        (b"\x0e", "drafts|"),
    ];
    for (key, expected) in steps {
        assert_eq!(feed(&mut editor, &[key]), []);
        assert_eq!(look(&editor), expected);
    }
}

#[test]
fn a_changed_line_of_history_is_kept_until_a_line_is_sent() {
    gives(
        &[b"one\rtwo\r\x10!\x10\x0e"],
        &[line("one"), line("two")],
        "two!|",
    );
    gives(
        &[b"one\rtwo\r\x10!\x10\r\x10\x10"],
        &[line("one"), line("two"), line("one")],
        "two|",
    );
    gives(
        &[b"one\r\x10!\x0e\x10\x7f\x0edraft\x10"],
        &[line("one")],
        "one|",
    );
}

#[test]
fn history_has_no_empty_lines_and_no_duplicates_in_a_row() {
    let mut editor = Editor::new();
    feed(&mut editor, &[b"a\rb\rb\r\rb\r\x10\x10"]);
    assert_eq!(look(&editor), "a|");
    feed(&mut editor, &[b"\x10"]);
    assert_eq!(look(&editor), "a|");
}

#[test]
fn history_is_bounded_in_lines_and_bytes() {
    let mut editor = Editor::new();
    for i in 0..600 {
        feed(&mut editor, &[format!("{i}\r").as_bytes()]);
    }
    feed(&mut editor, &[&[0x10; 1000]]);
    assert_eq!(look(&editor), "100|");
    editor.clear();
    for i in 0..5 {
        feed(
            &mut editor,
            &[format!("{i}{}\r", "x".repeat(300_000)).as_bytes()],
        );
    }
    feed(&mut editor, &[&[0x10; 1000]]);
    assert!(editor.text().starts_with('2'));
}

#[test]
fn characters_of_several_code_points_are_one() {
    let characters = [
        "e\u{301}",
        "か\u{3099}",
        "日",
        "👩\u{200d}👩\u{200d}👧",
        "👍🏽",
        "❤\u{fe0f}",
        "🇩🇪",
        "각",
        "1\u{fe0f}\u{20e3}",
        "ی\u{200c}",
    ];
    for c in characters {
        let text = format!("a{c}b");
        looks(&[text.as_bytes(), b"\x02\x02"], &format!("a|{c}b"));
        looks(&[text.as_bytes(), b"\x01\x06\x06"], &format!("a{c}|b"));
        looks(&[text.as_bytes(), b"\x02\x7f"], "a|b");
        looks(&[text.as_bytes(), b"\x01\x06\x04"], "a|b");
        looks(&[text.as_bytes(), b"\x02\x14"], &format!("ab{c}|"));
    }
}

#[test]
fn what_is_typed_in_front_of_its_like_stays_where_it_is_typed() {
    looks(&["🇫🇷\x01🇩🇪".as_bytes()], "🇩🇪|🇫🇷");
    looks(&["👦\x01👩\u{200d}👧".as_bytes()], "👩\u{200d}👧|👦");
    looks(&["\u{301}\x01e".as_bytes()], "e|\u{301}");
}

#[test]
fn half_a_character_waits_and_holds_up_nothing() {
    looks(&[b"a\xe6", b"\x97", b"\xa5b"], "a日b|");
    looks(&[b"\xf0\x9f\x87", b"\xa9"], "🇩|");
    looks(&[b"a\xe6\x97"], "a|");
    gives(&[b"a\xe6\x97", b"\r"], &[line("a\u{fffd}")], "|");
    looks(&[b"a\xe6\x97", b"b"], "a\u{fffd}b|");
    looks(&[b"ab\xc3", b"\x1b[D"], "ab|\u{fffd}");
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced() {
    let bytes = b"\xff\xfe\xc0\xaf\xed\xa0\x80\xe6\x97";
    let expected = format!("{}|", "\u{fffd}".repeat(8));
    looks(&[bytes, b"\x00"], &expected);
    let bytewise: Vec<&[u8]> = bytes.chunks(1).chain([&b"\x00"[..]]).collect();
    looks(&bytewise, &expected);
    looks(&[b"caf\xe9 x"], "caf\u{fffd} x|");
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

/// What an operator's editor makes of keys, each piece of which came in bulk or not.
fn commands(pieces: &[(&str, bool)]) -> (Vec<Event>, String) {
    let mut editor = Editor::with_commands();
    let mut events = Vec::new();
    for (keys, in_bulk) in pieces {
        editor.arrive(Arrival {
            in_bulk: *in_bulk,
            follows: *in_bulk,
            is_late: false,
        });
        events.extend(feed_at_once(&mut editor, &[keys.as_bytes()]));
    }
    (events, look(&editor))
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
fn pasted_lines_are_not_in_the_history() {
    gives(
        &[b"typed\r\x1b[200~pasted\nrest\x1b[201~", b"\r\x10"],
        &[line("typed"), pasted("pasted"), pasted("rest")],
        "typed|",
    );
}

#[test]
fn a_line_of_the_history_is_not_pasted() {
    gives(
        &[b"/who\r\x1b[200~one\ntwo\x1b[201~", b"\x10\r"],
        &[line("/who"), pasted("one"), line("/who")],
        "|",
    );
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

#[test]
fn clear_forgets_the_line_half_a_key_and_a_paste() {
    let mut editor = Editor::new();
    feed(&mut editor, &[b"old\r\x1b[200~abc\ndef\xe6"]);
    assert!(!editor.is_empty());
    editor.clear();
    assert!(editor.is_empty());
    assert_eq!(feed(&mut editor, &[b"x\r\x04"]), [line("x"), Event::End]);
    feed(&mut editor, &[b"\x10\x10!\x1b["]);
    editor.clear();
    assert_eq!(feed(&mut editor, &[b"D\x10\x10"]), []);
    assert_eq!(look(&editor), "old|");
}

#[test]
fn long_lines_are_whole() {
    let text = "0123456789".repeat(10_000);
    let keys = format!("{text}\r");
    gives(&[keys.as_bytes()], &[line(&text)], "|");
    let bytewise: Vec<&[u8]> = keys.as_bytes().chunks(1).collect();
    gives(&bytewise, &[line(&text)], "|");
}

#[test]
fn a_full_line_says_so_and_keeps_what_it_has() {
    let mut editor = Editor::new();
    let text = format!("a{}", "é".repeat(MAX_LINE / 2 - 10));
    feed(&mut editor, &[text.as_bytes()]);
    let more = "é".repeat(100);
    assert_eq!(feed(&mut editor, &[more.as_bytes()]), [Event::Full]);
    assert!(editor.text().len() <= MAX_LINE);
    assert!(editor.text().len() > MAX_LINE - 4);
    assert_eq!(feed(&mut editor, &[b"b"]), []);
    assert_eq!(feed(&mut editor, &[b"\x7f\x7fab\x01\x06\x04"]), []);
    assert_eq!(feed(&mut editor, &[b"\x15\x19"]), []);
    assert_eq!(feed(&mut editor, &[b"\x05\x15\x19\x19"]), [Event::Full]);
}

#[test]
fn what_a_full_line_takes_does_not_depend_on_the_cuts() {
    let text = "a".repeat(MAX_LINE - 8);
    let more = "é日👩\u{200d}aé".as_bytes();
    let mut whole = Editor::new();
    feed(&mut whole, &[text.as_bytes(), more]);
    for size in 1..more.len() {
        let mut editor = Editor::new();
        feed(&mut editor, &[text.as_bytes()]);
        feed(&mut editor, &more.chunks(size).collect::<Vec<_>>());
        assert!(editor.text() == whole.text());
    }
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

/// What `draw` appends for the line that `keys` make.
fn row(keys: &str, prompt: &str, columns: u16) -> String {
    let mut editor = Editor::new();
    feed(&mut editor, &[keys.as_bytes()]);
    let mut out = Vec::new();
    editor.draw("", prompt, columns, &mut out);
    let out = String::from_utf8(out).unwrap();
    let row = out.strip_prefix("\x1b[?7l").expect("wrapping is off");
    let row = row.strip_suffix("\x1b[?7h").expect("it is on again");
    row.to_owned()
}

#[test]
fn the_row_has_the_prompt_the_line_and_the_cursor() {
    assert_eq!(row("", "> ", 80), "\r> \x1b[K\x1b[J");
    assert_eq!(row("hello", "> ", 80), "\r> hello\x1b[K\x1b[J");
    assert_eq!(
        row("hello\x02\x02", "> ", 80),
        "\r> hello\x1b[K\x1b[J\r> hel"
    );
    assert_eq!(row("日本\x02", "", 80), "\r日本\x1b[K\x1b[J\r日");
}

#[test]
fn the_row_leaves_the_last_column_free_and_marks_what_is_out_of_sight() {
    assert_eq!(row("123456789", "", 10), "\r123456789\x1b[K\x1b[J");
    assert_eq!(row("1234567890", "", 10), "\r<34567890\x1b[K\x1b[J");
    assert_eq!(row("1234567890\x01", "", 10), "\r12345678>\x1b[K\x1b[J\r");
    assert_eq!(
        row("abcdefghijkl\x02\x02\x02\x02\x02", "", 10),
        "\rabcdefgh>\x1b[K\x1b[J\rabcdefg"
    );
    assert_eq!(row("日本日本日", "", 10), "\r<本日本日\x1b[K\x1b[J");
    assert_eq!(row("x", "a long prompt: ", 13), "\r<rompt: x\x1b[K\x1b[J");
}

#[test]
fn the_row_follows_the_cursor_with_something_ahead_of_it_in_sight() {
    let keys = format!("abcdefghijklmnopqrstuvwxyz{}", "\x02".repeat(13));
    assert_eq!(
        row(&keys, "", 14),
        "\r<efghijklmno>\x1b[K\x1b[J\r<efghijklm"
    );
    assert_eq!(
        row(&keys, "> ", 14),
        "\r> <fghijklmn>\x1b[K\x1b[J\r> <fghijklm"
    );
}

#[test]
fn the_row_is_something_on_the_narrowest_screen() {
    for columns in 0..8 {
        for keys in ["", "hello", "hello\x01", "日本\x02"] {
            check_row("login: ", keys, keys.len().min(3), columns);
        }
    }
    assert_eq!(row("hello", "> ", 0), "\r\x1b[K\x1b[J");
    assert_eq!(row("hello", "> ", 1), "\r\x1b[K\x1b[J");
}

#[test]
fn the_row_spells_out_what_must_not_go_to_a_terminal() {
    assert_eq!(
        row("\x16\x1b]0;x\x16\x07\x16\t\x16\x7f\u{9b}a\u{202e}b", "", 80),
        "\r^[]0;x^G^I^?<U+009B>a<U+202E>b\x1b[K\x1b[J"
    );
    assert_eq!(
        row("", "\x1b[2Jlogin:\n ", 80),
        "\r^[[2Jlogin:^J \x1b[K\x1b[J"
    );
    assert_eq!(
        row("\u{301}a\u{301}", "> ", 80),
        "\r> <U+0301>a\u{301}\x1b[K\x1b[J"
    );
    assert_eq!(row("👩\u{200d}👧", "", 80), "\r👩\u{200d}👧\x1b[K\x1b[J");
    let tower = format!("a{}b", "\u{301}".repeat(1000));
    assert_eq!(row(&tower, "", 80), "\r\u{fffd}b\x1b[K\x1b[J");
}

#[test]
fn the_row_never_cuts_a_character_in_two() {
    assert_eq!(row("🇫🇷\x01🇩", "", 80), "\r🇩🇫🇷\x1b[K\x1b[J\r🇩🇫");
    assert_eq!(
        row("👦\x01👩\u{200d}", "", 80),
        "\r👩\u{200d}👦\x1b[K\x1b[J"
    );
}

/// Draws and checks what holds for every row; that it stays one row whatever the terminal believes is
/// tested where rows are.
fn check_row(prompt: &str, text: &str, cursor: usize, columns: u16) {
    let mut out = Vec::new();
    row::draw("", prompt, text, cursor, columns, &mut out);
    let out = String::from_utf8(out).unwrap();
    let inside = out.strip_prefix("\x1b[?7l\r").unwrap();
    let inside = inside.strip_suffix("\x1b[?7h").unwrap();
    let (shown, again) = inside.split_once("\x1b[K\x1b[J").unwrap();
    // The cursor is put back by what stands before it.
    assert!(again.is_empty() || shown.starts_with(&again[1..]));
    assert!(!shown.contains(char::is_control), "{shown:?}");
    assert!(
        !shown.contains(crate::engine::escape::is_unsafe),
        "{shown:?}"
    );
    // What is joined where two parts meet is drawn as one, wider or narrower by a cell or two.
    let room = usize::from(columns).saturating_sub(1);
    assert!(
        shown.width() <= room + 3,
        "{shown:?} of {} in {room}",
        shown.width()
    );
}

#[test]
fn a_label_is_whole_or_nothing_of_its_line_is_there() {
    let draw = |columns| {
        let mut out = Vec::new();
        row::draw(
            "\x1b[1m[1]\x1b[0m ",
            "name: [Ana] ",
            "x",
            1,
            columns,
            &mut out,
        );
        String::from_utf8(out).unwrap()
    };
    assert!(draw(80).contains("\r\x1b[1m[1]\x1b[0m name: [Ana] x"));
    assert!(
        draw(15).contains("\r\x1b[1m[1]\x1b[0m <Ana] x"),
        "{:?}",
        draw(15)
    );
    assert!(draw(5).contains("\rx"));
}

/// Text with everything that is hard to draw.
fn hard_text() -> impl Strategy<Value = String> {
    let hard = [
        "a",
        "1",
        " ",
        "<",
        "日",
        "e\u{301}",
        "\u{301}",
        "\u{200d}",
        "\u{200c}",
        "\u{fe0f}",
        "\u{fe0e}",
        "❤",
        "👩",
        "🏽",
        "🇩",
        "🇪",
        "\u{1100}",
        "\u{1161}",
        "\u{11a8}",
        "ل",
        "ا",
        "\x1b",
        "\t",
        "\n",
        "\r",
        "\u{9b}",
        "\u{202e}",
        "\u{200b}",
        "\u{feff}",
        "\u{e0041}",
        "🏴",
        "\u{2028}",
        "\u{ad}",
        "\u{17d2}",
        "\u{915}\u{94d}",
        "\u{20e3}",
    ];
    let piece = prop_oneof![
        8 => prop::sample::select(hard.to_vec()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Bytes of which many are keys, whole or not.
fn any_keys() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "a",
        "b c",
        "/x",
        "é",
        "日",
        "e\u{301}",
        "👩\u{200d}👧",
        "🇩🇪",
        "\r",
        "\n",
        "\t",
        "\x01",
        "\x02",
        "\x04",
        "\x06",
        "\x0b",
        "\x0e",
        "\x10",
        "\x14",
        "\x15",
        "\x16",
        "\x17",
        "\x19",
        "\x7f",
        "\x1b",
        "\x1bb",
        "\x1bd",
        "\x1b\x7f",
        "\x1b[",
        "\x1b[A",
        "\x1b[D",
        "\x1b[1;5D",
        "\x1b[3~",
        "\x1bO",
        "\x1bOH",
        "\x1b[[",
        "\x1b]1",
        "\x07",
        "\x1b\\",
        "\x1bP>",
        "\x1b[200~",
        "\x1b[201~",
        "[2",
        "~",
    ];
    let piece = prop_oneof![
        10 => prop::sample::select(known.to_vec()).prop_map(|keys| keys.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Cut anywhere but directly behind an Esc, the same keys make the same events and line.
    #[test]
    fn cuts_do_not_matter(
        keys in any_keys(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut whole = Editor::new();
        let expected = feed_at_once(&mut whole, &[&keys]);

        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(keys.len() + 1)).collect();
        cuts.retain(|&cut| cut == 0 || keys[cut - 1] != 0x1b);
        cuts.sort_unstable();
        let mut editor = Editor::new();
        let mut events = Vec::new();
        let mut start = 0;
        for cut in cuts.into_iter().chain([keys.len()]) {
            events.extend(feed_at_once(&mut editor, &[&keys[start..cut]]));
            start = cut;
        }
        prop_assert_eq!(events, expected);
        prop_assert_eq!(look(&editor), look(&whole));
        // What is held and what is remembered is the same as well.
        let more: &[u8] = b"[D~\x10x\x19\x0e";
        prop_assert_eq!(feed_at_once(&mut editor, &[more]), feed_at_once(&mut whole, &[more]));
        prop_assert_eq!(look(&editor), look(&whole));
    }

    /// However the keys are cut, also behind an Esc, text that holds no control character and
    /// follows an Enter is sent as it is.
    #[test]
    fn no_key_is_lost_to_what_came_before(keys in any_keys(), size in 1..5_usize) {
        let mut editor = Editor::new();
        let pieces: Vec<&[u8]> = keys.chunks(size).collect();
        feed(&mut editor, &pieces);
        // A paste may not be over, and a Ctrl-V may be waiting for the first Enter.
        feed(&mut editor, &[b"\x1b[201~", b"\r\r"]);
        prop_assert_eq!(feed(&mut editor, &[b"hello\r"]), vec![line("hello")]);
    }

    /// No line has a line feed, and the row is always a safe one.
    #[test]
    fn lines_are_lines_and_rows_are_rows(keys in any_keys(), columns in 0..50_u16) {
        let mut editor = Editor::new();
        for event in feed(&mut editor, &[&keys]) {
            if let Event::Line(line) | Event::Pasted(line) = event {
                prop_assert!(!line.contains('\n'));
            }
        }
        check_row("> ", editor.text(), editor.before_cursor().len(), columns);
    }

    /// Whatever the text, the row is safe and fits.
    #[test]
    fn every_row_is_safe_and_fits(
        prompt in hard_text(),
        text in hard_text(),
        cursor in any::<prop::sample::Index>(),
        columns in 0..100_u16,
    ) {
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        check_row(&prompt, &text, ends[cursor.index(ends.len())], columns);
    }
}

/// An editor at a terminal where Ctrl-C is a key.
fn interruptible() -> Editor {
    let mut editor = Editor::with_commands();
    editor.set_signals(Some(0x03), None);
    editor
}

#[test]
fn ctrl_c_clears_what_was_typed_before_it_and_nothing_else() {
    for cut in 0..=b"/msg 1 oops\x03hello\r".len() {
        let (first, then) = b"/msg 1 oops\x03hello\r".split_at(cut);
        let mut editor = interruptible();
        assert_eq!(feed(&mut editor, &[first, then]), [line("hello")]);
        assert_eq!(look(&editor), "|");
    }
    let mut editor = interruptible();
    let events = feed(&mut editor, &[b"one\r", b"\xc3\x03", b"\x03", b"two\r"]);
    assert_eq!(events, [line("one"), Event::Interrupt, line("two")]);
    // Half a character, half a sequence, and what was quoted.
    for keys in [
        &b"abc\x1b[\x03"[..],
        b"abc\xc3\x03",
        b"abc\x1b\x03",
        b"a\x16\x03\x03",
    ] {
        let mut editor = interruptible();
        assert_eq!(feed(&mut editor, &[keys]), []);
        assert_eq!(look(&editor), "|", "{keys:?}");
    }
    // Elsewhere it is the terminal's, and no key.
    gives(&[b"abc\x03d"], &[], "abcd|");
    let mut editor = Editor::new();
    editor.set_signals(Some(b'c'), None);
    feed(&mut editor, &[b"abc"]);
    assert_eq!(look(&editor), "abc|");
}

#[test]
fn ctrl_c_is_the_way_out_of_a_paste_that_does_not_end_and_is_no_text_of_one() {
    let mut editor = interruptible();
    let events = feed(&mut editor, &[b"\x1b[200~one\rtwo\x03/quit\r", b"three"]);
    assert_eq!(events, [pasted("one"), pasted("two/quit")]);
    assert_eq!(feed(&mut editor, &[b"\x03"]), []);
    assert_eq!(look(&editor), "|");
    assert!(!editor.is_bracketed());
    assert_eq!(feed(&mut editor, &[b"/who\r"]), [line("/who")]);
    // A paste without a line ends nothing.
    let mut editor = interruptible();
    assert_eq!(feed(&mut editor, &[b"\x1b[200~", b"\x03"]), []);
    assert_eq!(feed(&mut editor, &[b"\x03"]), [Event::Interrupt]);
}

#[test]
fn what_comes_in_bulk_does_so_behind_ctrl_c_too() {
    let mut editor = interruptible();
    editor.arrive(Arrival {
        in_bulk: true,
        ..Arrival::default()
    });
    let events = feed_at_once(&mut editor, &[b"one\rtwo\x03/quit\r"]);
    assert_eq!(events, [pasted("one"), pasted("/quit")]);
}

#[test]
fn a_paste_that_begins_with_a_message_is_an_aside() {
    let aside = |line: &str| Event::Aside(line.into());
    let bracketed = &b"\x1b[200~/msg Ana one\rtwo\rthree\x1b[201~"[..];
    let mut editor = Editor::with_commands();
    let events = feed(&mut editor, &[bracketed]);
    assert_eq!(events, [pasted("/msg Ana one"), aside("two")]);
    // Its last line is there, and goes on.
    assert_eq!(look(&editor), "three|");
    assert_eq!(feed(&mut editor, &[b" more", b"\r"]), [aside("three more")]);
    assert_eq!(feed(&mut editor, &[b"four\r"]), [line("four")]);
    // What is pasted then is another one, and so is what is pasted when the row was emptied.
    let other = b"\x1b[200~five\r/msg Ana six\rseven\r\x1b[201~";
    let others = [pasted("five"), pasted("/msg Ana six"), pasted("seven")];
    assert_eq!(feed(&mut editor, &[other]), others);
    feed(&mut editor, &[bracketed, b"\x15"]);
    assert_eq!(feed(&mut editor, &[other]), others);
    // Behind a word that was left on the row.
    let events = feed(
        &mut editor,
        &[b"half", b"\x1b[200~/msg Ana one\rtwo\r\x1b[201~"],
    );
    assert_eq!(events, [pasted("half/msg Ana one"), aside("two")]);
    for (typed, beginning, joined) in [
        ("half ", "", "half /msg Ana one"),
        ("what she said\x1bb", "", "what she /msg Ana one"),
        ("half ", "\r \r", "/msg Ana one"),
    ] {
        let paste = format!("\x1b[200~{beginning}/msg Ana one\rtwo\r\x1b[201~");
        let events = feed(&mut editor, &[typed.as_bytes(), paste.as_bytes()]);
        let [
            ..,
            Event::Aside(first) | Event::Pasted(first),
            Event::Aside(second),
        ] = &events[..]
        else {
            panic!("{typed:?}: {events:?}");
        };
        assert!(first.starts_with(joined), "{first}");
        assert_eq!(second, "two");
        let is_said = |event: &&Event| matches!(event, Event::Pasted(text) if !is_private(text));
        assert!(
            events
                .iter()
                .filter(is_said)
                .all(|said| *said == pasted("half ") || *said == pasted(" "))
        );
    }
    // Where nothing is a command, all is text.
    let mut editor = Editor::new();
    let events = feed(&mut editor, &[bracketed]);
    assert_eq!(events, [pasted("/msg Ana one"), pasted("two")]);
}

#[test]
fn what_comes_in_bulk_behind_a_message_is_an_aside() {
    for (follows, second) in [(true, Event::Aside("two".into())), (false, pasted("two"))] {
        let mut editor = Editor::with_commands();
        assert_eq!(
            feed(&mut editor, &[b"/msg Ana one\r"]),
            [line("/msg Ana one")]
        );
        editor.arrive(Arrival {
            in_bulk: true,
            follows,
            ..Arrival::default()
        });
        assert_eq!(feed_at_once(&mut editor, &[b"two\r"]), [second]);
    }
}

/// What is left of such a paste on the row is said by no key.
#[test]
fn the_rest_of_an_aside_does_not_come_back_without_being_one() {
    let aside = |line: &str| Event::Aside(line.into());
    let paste = &b"\x1b[200~\r/msg Ana one\rtwo part\x1b[201~"[..];
    for keys in [
        // Up and down, killed and yanked.
        &[&b"\x1b[A"[..], b"\x1b[B", b"\r"][..],
        &[b"\x1b[A", b"\x1b[B", b"x", b"\r"],
        &[b"\x15", b"\x19", b"\r"],
        &[b"\x17", b"\x17", b"\x19", b"\r"],
        &[b"\x1bb", b"\x0b", b"\x15", b"\x19", b"\r"],
    ] {
        let mut editor = Editor::with_commands();
        feed(&mut editor, &[b"old\r"]);
        let begun = feed(&mut editor, &[paste]);
        assert_eq!(begun, [pasted(""), pasted("/msg Ana one")]);
        for event in feed(&mut editor, keys) {
            let (Event::Line(line) | Event::Pasted(line)) = event else {
                continue;
            };
            assert!(
                !line.contains("part") && !line.contains("two"),
                "{keys:?}: {line}"
            );
        }
    }
    // What is typed is there again.
    let mut editor = Editor::with_commands();
    let events = feed(
        &mut editor,
        &[b"old\r", b"draft", b"\x1b[A", b"\x1b[B", b"\x15\x19\r"],
    );
    assert_eq!(events, [line("old"), line("draft")]);
    // Keys within a paste without brackets end it not.
    for (within, first) in [(&b"sec\x03ond"[..], "ond"), (b"\x1b[Asecond", "oldsecond")] {
        let mut editor = interruptible();
        feed(&mut editor, &[b"old\r"]);
        editor.arrive(Arrival {
            in_bulk: true,
            ..Arrival::default()
        });
        let read = [b"/msg Ana one\r", within, b"\rthird\r"].concat();
        let events = feed_at_once(&mut editor, &[&read]);
        assert_eq!(
            events,
            [pasted("/msg Ana one"), aside(first), aside("third")]
        );
    }
}

/// Without brackets, one paste directly after another, with nothing typed between.
#[test]
fn each_paste_is_judged_by_its_own_first_line() {
    let aside = |line: &str| Event::Aside(line.into());
    let mut editor = Editor::with_commands();
    let bulk = Arrival {
        in_bulk: true,
        ..Arrival::default()
    };
    for (paste, events) in [
        (&b"a\rb\r"[..], [pasted("a"), pasted("b")]),
        (
            b"/msg Ana one\rtwo\r",
            [pasted("/msg Ana one"), aside("two")],
        ),
        (b"a\r/msg Ana one\r", [pasted("a"), pasted("/msg Ana one")]),
        (b"one\rtwo\r", [pasted("one"), pasted("two")]),
    ] {
        editor.arrive(bulk);
        assert_eq!(feed_at_once(&mut editor, &[paste]), events);
        // The rest of it comes at once.
        editor.arrive(Arrival {
            follows: true,
            ..bulk
        });
        let more = feed_at_once(&mut editor, &[b"more\r"]);
        let is_aside = matches!(events[1], Event::Aside(_));
        assert_eq!(
            more,
            [if is_aside {
                aside("more")
            } else {
                pasted("more")
            }]
        );
    }
}

/// A paste in brackets begins at its bracket, whatever was read at once with it.
#[test]
fn a_paste_for_one_alone_is_an_aside_behind_another_line_of_the_same_read() {
    let aside = |line: &str| Event::Aside(line.into());
    let paste = "\x1b[200~/msg 1 one\rtwo\r\x1b[201~";
    for (typed, read, text) in [
        ("text", "\r", "text"),
        ("", "text\r", "text"),
        ("", "\x1b[200~text\r\x1b[201~", "text"),
        ("", "\r", ""),
    ] {
        let mut editor = Editor::with_commands();
        assert_eq!(feed(&mut editor, &[typed.as_bytes()]), []);
        let bulk = Arrival {
            in_bulk: !read.starts_with('\x1b'),
            ..Arrival::default()
        };
        editor.arrive(bulk);
        let read = format!("{read}{paste}three\r");
        let events = feed_at_once(&mut editor, &[read.as_bytes()]);
        let expected = [
            pasted(text),
            pasted("/msg 1 one"),
            aside("two"),
            aside("three"),
        ];
        assert_eq!(events, expected, "{typed:?}, {read:?}");
    }
}

/// In brackets as without.
#[test]
fn what_is_pasted_directly_behind_an_aside_is_one() {
    let aside = |line: &str| Event::Aside(line.into());
    let soon = Arrival {
        follows: true,
        ..Arrival::default()
    };
    let first = &b"\x1b[200~/msg Ana one\r\x1b[201~"[..];
    let mut editor = Editor::with_commands();
    assert_eq!(feed(&mut editor, &[first]), [pasted("/msg Ana one")]);
    // Line by line, each in its own brackets, then one whose end is pressed later.
    for line in ["two", "three"] {
        editor.arrive(soon);
        let paste = format!("\x1b[200~{line}\r\x1b[201~");
        let events = feed_at_once(&mut editor, &[paste.as_bytes()]);
        assert_eq!(events, [aside(line)]);
    }
    editor.arrive(soon);
    assert_eq!(feed_at_once(&mut editor, &[b"\x1b[200~four\x1b[201~"]), []);
    assert_eq!(feed(&mut editor, &[b"\r"]), [aside("four")]);
    // Directly behind the end of that row.
    editor.arrive(soon);
    let paste = b"\x1b[200~two\rthree\r\x1b[201~";
    let events = feed_at_once(&mut editor, &[paste]);
    assert_eq!(events, [aside("two"), aside("three")]);
    // Later it is another paste, or what is typed.
    let other = b"\x1b[200~five\rsix\r\x1b[201~";
    assert_eq!(feed(&mut editor, &[first]), [pasted("/msg Ana one")]);
    assert_eq!(feed(&mut editor, &[other]), [pasted("five"), pasted("six")]);
    assert_eq!(feed(&mut editor, &[first]), [pasted("/msg Ana one")]);
    assert_eq!(feed(&mut editor, &[b"five\r"]), [line("five")]);
    // Behind a typed one.
    assert_eq!(
        feed(&mut editor, &[b"/msg Ana one\r"]),
        [line("/msg Ana one")]
    );
    editor.arrive(soon);
    assert_eq!(feed_at_once(&mut editor, &[b"\x1b[200~two\x1b[201~"]), []);
    assert_eq!(feed(&mut editor, &[b"\r"]), [aside("two")]);
}

/// Keys were typed where the row was not seen: they go on behind it, but for a command, which was meant alone.
#[test]
fn what_is_typed_behind_a_row_that_is_not_seen_is_no_part_of_its_command() {
    for (kept, keys, stays) in [
        ("half", &b"a line\r"[..], true),
        ("/msg 1 the answer is ", b"42\r", true),
        ("/msg 1 the answer is ", b"-5", true),
        ("/msg 1 the answer is ", "да".as_bytes(), true),
        ("/msg 1 the answer is ", b".msg 1 x\r", true),
        ("/msg 1 the answer is ", b"\x1b[200~/etc/passwd", true),
        ("/msg 1 the answer is ", b" / of it\r", true),
        ("/msg 1 the answer is ", b"//x of it\r", true),
        ("/msg 1 the answer is ", b"/a row\rand another\r", true),
        ("/msg 1 the answer is ", b"/who\r", false),
        ("/msg 1 the answer is ", b"/w", false),
        ("half", "да".as_bytes(), true),
        ("half", b"(", true),
        ("half", b" ", true),
        ("half", b"\x04", true),
        ("hello ", b"/", false),
        ("hello ", "／m".as_bytes(), false),
        ("hello ", b"/msg 1 sec", false),
        ("hello ", b".msg 1 x\r", false),
        ("hello ", b"/who\r", false),
        ("hello ", b".msg 2 S", false),
        ("hello ", b"msg 2 S", false),
        ("hello ", b".", true),
        ("hello ", b"msg", true),
        ("hello ", b"\x1b[200~/msg 1 a\rb", false),
        ("", b"/who\r", true),
    ] {
        let mut editor = Editor::with_commands();
        feed(&mut editor, &[kept.as_bytes()]);
        let draft = editor.take_draft(keys);
        assert_eq!(draft.is_none(), stays, "{kept:?} {keys:?}");
        assert_eq!(editor.text(), if stays { kept } else { "" });
    }
}

/// What was put away for a command is of a paste only if it was, and what comes behind that command may still be.
#[test]
fn a_row_that_was_put_back_is_what_it_was() {
    let paste = |follows| Arrival {
        in_bulk: true,
        follows,
        ..Arrival::default()
    };
    let aside = |text: &str| Event::Aside(text.into());
    let half = || Event::Line("half".into());
    for (arrival, keys, expected) in [
        (paste(true), &b"c\r"[..], aside("halfc")),
        (Arrival::default(), b"\r", half()),
    ] {
        let mut editor = Editor::with_commands();
        feed(&mut editor, &[b"half"]);
        let lines = b"/msg 1 a\nb\n";
        let draft = editor.take_draft(lines).unwrap();
        editor.arrive(paste(false));
        feed_at_once(&mut editor, &[lines]);
        editor.put_draft(draft);
        editor.arrive(arrival);
        assert_eq!(feed_at_once(&mut editor, &[keys]), [expected]);
    }
    // It is itself the rest of one.
    let mut editor = Editor::with_commands();
    editor.arrive(paste(false));
    feed_at_once(&mut editor, &[b"/msg 1 a\nb\nc"]);
    let draft = editor.take_draft(b"/who\r").unwrap();
    assert_eq!(
        feed(&mut editor, &[b"/who\r"]),
        [Event::Line("/who".into())]
    );
    editor.put_draft(draft);
    assert_eq!(feed(&mut editor, &[b"\r"]), [aside("c")]);
    // The cursor is where it was.
    let mut editor = Editor::new();
    feed(&mut editor, &[b"ac\x1b[D"]);
    let draft = editor.take_draft(b"/who\r").unwrap();
    feed(&mut editor, &[b"/who\r"]);
    editor.put_draft(draft);
    assert_eq!(look(&editor), "a|c");
}

/// Keys that are one byte and more, and reports of a terminal.
const SEQUENCES: [&str; 22] = [
    "\x1b[A",
    "\x1b[D",
    "\x1bOD",
    "\x1bOH",
    "\x1bOP",
    "\x1b[[A",
    "\x1b[3~",
    "\x1b[15~",
    "\x1b[1;5D",
    "\x1b[1;2P",
    "\x1b[7$",
    "\x1b[8^",
    "\x1b[97;5u",
    "\x1b[27;5;8~",
    "\x1bb",
    "\x1b\x1b[D",
    "\x1b[<0;10;5M",
    "\x1b[<64;132;5m",
    "\x1b[?1;2c",
    "\x1b[?2004;1$y",
    "\x1b[24;80R",
    "\x1b[8;24;80t",
];

/// What the kernel edited on a row where nothing was seen, and then what came as keys.
fn feed_edited(editor: &mut Editor, edited: &[u8], typed: &[u8]) -> Vec<Event> {
    editor.arrive(Arrival::default());
    editor.edited_by_kernel(true);
    let mut events = feed_at_once(editor, &[edited]);
    editor.edited_by_kernel(false);
    events.extend(feed(editor, &[typed]));
    events
}

/// Backspace took the end of a key where the kernel edited: what follows was typed, to the letter.
#[test]
fn no_part_of_a_key_takes_a_letter_of_what_the_kernel_edited() {
    for key in SEQUENCES {
        for (end, _) in key.char_indices().skip(1) {
            for text in [
                "/msg 1 psst",
                " /msg 1 psst",
                ".msg 1 psst",
                "/kick 1",
                "/who",
                "message for all",
                "sure",
                "it is u",
                "12",
                "ты",
            ] {
                let part = &key[..end];
                // A button of the mouse that is let go.
                if part.starts_with("\x1b[<") && part.ends_with("5") && text.starts_with('m') {
                    continue;
                }
                let mut editor = Editor::with_commands();
                let edited = format!("{part}{text}\r");
                let got = feed_edited(&mut editor, edited.as_bytes(), b"");
                let [Event::Line(got) | Event::BehindEscape(got)] = &got[..] else {
                    panic!("{edited:?} gave {got:?}");
                };
                let is_number = text == "12" && part.contains('[');
                assert!(
                    got == text || (is_number && got.is_empty()),
                    "{edited:?}: {got:?}"
                );
                // The other half came as keys.
                let (edited, typed) = text.split_at(text.chars().next().unwrap().len_utf8());
                let edited = format!("{part}{edited}");
                feed_edited(&mut editor, edited.as_bytes(), typed.as_bytes());
                assert!(
                    editor.text() == text || is_number,
                    "{edited:?}: {:?}",
                    editor.text()
                );
            }
            // The slip of a slash is the digit or the sign before it.
            for slip in [
                "7msg 1 psst",
                ";msg 1 psst",
                "$msg 1 psst",
                "~msg 1 psst",
                "[msg 1 psst",
            ] {
                let mut editor = Editor::with_commands();
                let edited = format!("{}{slip}\r", &key[..end]);
                let got = feed_edited(&mut editor, edited.as_bytes(), b"");
                let [Event::Line(got) | Event::BehindEscape(got)] = &got[..] else {
                    panic!("{edited:?} gave {got:?}");
                };
                assert!(is_private(got), "{edited:?}: {got:?}");
            }
        }
        // A whole key is one there, and what it is not, is nothing.
        let mut editor = Editor::with_commands();
        let edited = format!("ab{key}c");
        assert_eq!(feed_edited(&mut editor, edited.as_bytes(), b""), []);
        let mut other = Editor::with_commands();
        assert_eq!(feed(&mut other, &[edited.as_bytes()]), []);
        assert_eq!(look(&editor), look(&other), "{edited:?}");
        // It may come in two parts.
        for (end, _) in key.char_indices().skip(1) {
            let mut editor = Editor::with_commands();
            let (edited, typed) = edited.as_bytes().split_at("ab".len() + end);
            assert_eq!(feed_edited(&mut editor, edited, typed), []);
            assert_eq!(look(&editor), look(&other), "{key:?} at {end}");
        }
    }
}

/// A tilde that ends a key, or the mark of a paste, is no sign in front of a `msg`.
#[test]
fn a_whole_key_before_a_message_leaves_nothing_of_itself() {
    for key in ["\x1b[3~", "\x1b[15~", "\x1b[6;5~"] {
        let mut editor = Editor::with_commands();
        let edited = format!("{key}msg: hello\r");
        let got = feed_edited(&mut editor, edited.as_bytes(), b"");
        assert_eq!(got, [line("msg: hello")], "{key:?}");
    }
    let mut editor = Editor::with_commands();
    let pasted_text = b"\x1b[200~msg 1 one\rtwo\rthree\x1b[201~";
    let got = feed_edited(&mut editor, pasted_text, b"");
    let aside = |text: &str| Event::Aside(text.into());
    assert_eq!(got, [pasted("msg 1 one"), aside("two")]);
}
