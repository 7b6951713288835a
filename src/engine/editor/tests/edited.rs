//! What the kernel edited before it came: parts of keys, and letters behind them.

use super::Arrival;
use super::Editor;
use super::Event;
use super::feed;
use super::feed_at_once;
use super::is_private;
use super::line;
use super::look;
use super::pasted;

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
