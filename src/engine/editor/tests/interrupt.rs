//! Ctrl-C where it is a key.

use super::Arrival;
use super::Editor;
use super::Event;
use super::feed;
use super::feed_at_once;
use super::gives;
use super::interruptible;
use super::line;
use super::look;
use super::pasted;

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
