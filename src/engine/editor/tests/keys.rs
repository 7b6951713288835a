//! What each key does to the line, and how much a line takes.

use super::Editor;
use super::Event;
use super::MAX_LINE;
use super::feed;
use super::gives;
use super::line;
use super::look;
use super::looks;
use super::pasted;

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
