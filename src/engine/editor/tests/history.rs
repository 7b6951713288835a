//! The lines that were sent before: what is kept of them, and how much.

use super::Editor;
use super::feed;
use super::gives;
use super::line;
use super::look;
use super::pasted;

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
