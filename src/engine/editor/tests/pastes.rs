//! What was pasted stays that, whatever stood on the row and whatever keys come then: nothing of a paste that begins
//! with a `/msg` is said, and no command of a paste is obeyed.

use proptest::prelude::*;

use super::Arrival;
use super::Editor;
use super::Event;
use super::commands;
use super::feed_at_once;
use super::is_private;
use crate::engine::command::Typed;
use crate::engine::command::understand;

/// What may stand on the row, and where the cursor is in it: keys.
const ROWS: [&str; 14] = [
    "",
    " ",
    "foo ",
    "foo bar",
    "foo bar\x1b[D\x1b[D\x1b[D",
    "foo bar \x1b[D",
    "foo\x01",
    "some words\x1bb",
    "foo bar\x17",
    "foo\x15\x19",
    "foo\x15",
    "\x1b[A",
    "//",
    "//etc ",
];

/// What may come in the same read before it.
const BEFORE: [&str; 6] = [
    "",
    "\r",
    "x\r",
    "foo ",
    "\x1b[200~foo \x1b[201~",
    "\x1b[200~a\nfoo \x1b[201~",
];

/// First lines in which nothing is seen.
const UNSEEN: [&str; 8] = [
    "",
    "\n",
    " \n\t\n",
    "\u{feff}\r\n",
    "\u{200b}\n",
    "\u{a0}\n",
    "\0\n",
    "\u{feff}",
];

/// Keys that type no command: they move, take away, give back, recall and add a little.
const KEYS: [&str; 20] = [
    "x",
    " ",
    "hello ",
    "abcdefghijkl",
    "\x7f",
    "\x7f\x7f\x7f\x7f\x7f",
    "\x15",
    "\x0b",
    "\x17",
    "\x19",
    "\x14",
    "\x04",
    "\x1b[A",
    "\x1b[B",
    "\x1b[D",
    "\x01",
    "\x05",
    "\x1bb",
    "\x1bd",
    "\x1b\x7f",
];

fn any_of(texts: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(texts)
}

fn some_keys() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(any_of(&KEYS), 0..8)
}

/// An operator's editor in which a line was typed before, and this is on the row.
fn editor_with(row: &str) -> Editor {
    let mut editor = Editor::with_commands();
    type_in(&mut editor, "an old line\r");
    type_in(&mut editor, row);
    editor
}

fn type_in(editor: &mut Editor, keys: &str) -> Vec<Event> {
    editor.arrive(Arrival::default());
    feed_at_once(editor, &[keys.as_bytes()])
}

fn paste(editor: &mut Editor, text: &str) -> Vec<Event> {
    editor.arrive(Arrival {
        in_bulk: !text.starts_with("\x1b[200~"),
        ..Arrival::default()
    });
    feed_at_once(editor, &[text.as_bytes()])
}

/// What the hub says to everybody of these events.
fn said<'a>(events: &'a [Event]) -> Vec<&'a str> {
    let said = |event: &'a Event| match event {
        Event::Line(text) if matches!(understand(text), Typed::Say(_)) => Some(text.as_str()),
        Event::Pasted(text) if !is_private(text) => Some(text.as_str()),
        _ => None,
    };
    events.iter().filter_map(said).collect()
}

/// What it obeys of them.
fn obeyed<'a>(events: &'a [Event]) -> Vec<&'a str> {
    let obeyed = |event: &'a Event| match event {
        Event::Line(text) if matches!(understand(text), Typed::Do(_)) => Some(text.as_str()),
        _ => None,
    };
    events.iter().filter_map(obeyed).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_is_said_of_a_paste_that_begins_with_a_message(
        row in any_of(&ROWS),
        before in any_of(&BEFORE),
        unseen in any_of(&UNSEEN),
        has_rest in any::<bool>(),
        keys in some_keys(),
        behind in any_of(&["", "\x1b[200~SECd\nSECe\n\x1b[201~"]),
    ) {
        let mut editor = editor_with(row);
        let rest = if has_rest { "SECc" } else { "" };
        let text = format!("{before}\x1b[200~{unseen}/msg 2 SEC\nSECb\n{rest}\x1b[201~{behind}");
        let mut events = paste(&mut editor, &text);
        for keys in keys {
            events.extend(type_in(&mut editor, keys));
        }
        events.extend(type_in(&mut editor, "\r"));
        prop_assert!(said(&events).iter().all(|text| !text.contains("SEC")), "{events:?}");
        // What is typed then is none of it.
        let typed = type_in(&mut editor, "\x15hello\r");
        prop_assert_eq!(typed, [Event::Line("hello".into())]);
    }

    /// Where no brackets tell where the paste begins, what came with it is a part of it.
    #[test]
    fn nothing_is_said_of_one_without_brackets(
        row in any_of(&ROWS),
        unseen in any_of(&UNSEEN),
        cleared in any_of(&["", "\x15", "\x03", "\x15\x15"]),
        has_rest in any::<bool>(),
        keys in some_keys(),
    ) {
        let mut editor = editor_with(row);
        let rest = if has_rest { "SECc" } else { "" };
        let text = format!("{cleared}{unseen}/msg 2 SEC\rSECb\r{rest}").replace('\n', "\r");
        let mut events = paste(&mut editor, &text);
        for keys in keys {
            events.extend(type_in(&mut editor, keys));
        }
        events.extend(type_in(&mut editor, "\r"));
        prop_assert!(said(&events).iter().all(|text| !text.contains("SEC")), "{events:?}");
    }

    #[test]
    fn no_command_of_a_paste_is_obeyed(
        row in any_of(&["", "foo\r", "foo\x15"]),
        command in any_of(&["/quit", "/q", "/kick 1 ", "/kick 1", "/lock", "/who", "/relay off"]),
        in_brackets in any::<bool>(),
        typed_ahead in any_of(&["", "/stats\r", "x", "x\r"]),
        keys in some_keys(),
    ) {
        let mut editor = editor_with(row);
        let text = match in_brackets {
            true => format!("\x1b[200~one\n{command}\x1b[201~"),
            false => format!("one\r{command}"),
        };
        let mut events = paste(&mut editor, &text);
        // As after Ctrl-Z and `fg`.
        let draft = editor.take_draft(typed_ahead.as_bytes());
        let ahead = type_in(&mut editor, typed_ahead);
        let is_obeyed = obeyed(&ahead) == ["/stats"];
        prop_assert_eq!(is_obeyed, typed_ahead == "/stats\r", "{:?}", ahead);
        if let Some(draft) = draft {
            editor.put_draft(draft);
        }
        for keys in keys {
            events.extend(type_in(&mut editor, keys));
        }
        events.extend(type_in(&mut editor, "\r"));
        // What was typed may be obeyed again.
        prop_assert!(obeyed(&events).iter().all(|text| text.starts_with("/stats")), "{events:?}");
    }
}

/// The beginning of a paste counts that finds no room in the line.
#[test]
fn a_paste_into_a_full_line_is_judged_as_a_whole() {
    for room in [0, 1, 3, 4, 7, 30] {
        let row = "x".repeat(super::MAX_LINE - room);
        let paste = "\x1b[200~/msg 2 SEC\nSECb\n\x1b[201~";
        let (events, _) = commands(&[(&row, false), (paste, false)]);
        assert!(
            said(&events).iter().all(|text| !text.contains("SEC")),
            "{room}"
        );
    }
}

/// What is typed where the row is not seen goes on behind it: a private line stays one.
#[test]
fn what_is_typed_ahead_goes_on_behind_the_row() {
    let mut editor = editor_with("/msg 2 SEC\x01");
    assert!(editor.take_draft(b"hello \r").is_none());
    let events = type_in(&mut editor, "hello \r");
    assert_eq!(events, [Event::Line("/msg 2 SEChello ".into())]);
    // Nothing was typed.
    let mut editor = editor_with("half\x1b[D");
    assert!(editor.take_draft(b"").is_none());
    assert_eq!(editor.before_cursor(), "hal");
}

/// However much stands before it in which nothing is seen.
#[test]
fn what_is_not_seen_does_not_hide_the_beginning() {
    for unseen in ["\u{200b}", " "] {
        let unseen = unseen.repeat(5000);
        let paste = format!("\x1b[200~{unseen}/msg 2 SEC\nSECb\n\x1b[201~");
        let mut editor = editor_with("foo ");
        let mut events = Vec::new();
        for piece in paste.as_bytes().chunks(1000) {
            events.extend(feed_at_once(&mut editor, &[piece]));
        }
        assert_eq!(said(&events), [""; 0]);
    }
}

/// A word processor ends a line by a vertical tab, where the paragraph goes on.
#[test]
fn what_ends_a_line_elsewhere_ends_one_in_a_paste() {
    let mut editor = editor_with("");
    let events = paste(&mut editor, "\x1b[200~foo \x0b/msg 2 SEC\x0cbar\x1b[201~");
    let pasted = |text: &str| Event::Pasted(text.into());
    assert_eq!(events, [pasted("foo "), pasted("/msg 2 SEC")]);
    assert_eq!(editor.text(), "bar");
}

/// Where nothing is a command, nothing is lost.
#[test]
fn what_a_paste_left_comes_back_where_all_is_text() {
    for (rest, keys) in [
        ("/etc/passwd", "\x1b[A\x1b[B"),
        ("/etc/passwd", "\x15\x19"),
        ("/etc/passwd x", "\x17\x19"),
        ("msg 2 hello", "\x1b[A\x1b[B"),
    ] {
        let mut editor = Editor::new();
        type_in(&mut editor, "old\r");
        paste(&mut editor, &format!("\x1b[200~a\n{rest}\x1b[201~"));
        type_in(&mut editor, keys);
        assert_eq!(editor.text(), rest, "{keys:?}");
    }
}

/// Only the hub knows whether somebody is number 2.
#[test]
fn the_hub_may_know_that_a_line_was_for_one_alone() {
    let aside = |text: &str| Event::Aside(text.into());
    let behind = Arrival {
        in_bulk: true,
        follows: true,
        ..Arrival::default()
    };
    // The first line of a paste, and its rest.
    let mut editor = editor_with("");
    editor.arrive(Arrival::default());
    let mut keys = &b"\x1b[200~\n/2 SEC\nSECb\nSECc\x1b[201~"[..];
    let blank = editor.next(&mut keys);
    editor.was_for_one();
    let first = editor.next(&mut keys);
    editor.was_for_one();
    let second = editor.next(&mut keys);
    let expected = [
        Event::Pasted("".into()),
        Event::Pasted("/2 SEC".into()),
        aside("SECb"),
    ];
    assert_eq!([blank, first, second], expected.map(Some));
    assert_eq!(editor.next(&mut keys), None);
    assert_eq!(type_in(&mut editor, "\r"), [aside("SECc")]);
    assert_eq!(
        type_in(&mut editor, "hello\r"),
        [Event::Line("hello".into())]
    );
    // No other line of it.
    let mut keys = &b"\x1b[200~text\n/2 of it\nmore\n\x1b[201~"[..];
    editor.arrive(Arrival::default());
    for text in ["text", "/2 of it", "more"] {
        assert_eq!(editor.next(&mut keys), Some(Event::Pasted(text.into())));
        if text == "/2 of it" {
            editor.was_for_one();
        }
    }
    // What is pasted directly behind a line that was typed.
    assert_eq!(editor.next(&mut keys), None);
    assert_eq!(type_in(&mut editor, "/2 hi\r").len(), 1);
    editor.was_for_one();
    editor.arrive(behind);
    assert_eq!(feed_at_once(&mut editor, &[b"SECb\r"]), [aside("SECb")]);
}
