//! The edit line without a terminal: every key, every way of cutting, every row.

mod any;
mod asides;
mod bulk;
mod edited;
mod history;
mod interrupt;
mod keys;
mod pastes;
mod rows;
mod sequences;

use super::*;

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

/// An editor at a terminal where Ctrl-C is a key.
fn interruptible() -> Editor {
    let mut editor = Editor::with_commands();
    editor.set_signals(Some(0x03), None);
    editor
}
