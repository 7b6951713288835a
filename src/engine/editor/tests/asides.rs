//! A paste that begins with a message for one alone: none of its lines is said to all.

use super::Arrival;
use super::Editor;
use super::Event;
use super::feed;
use super::feed_at_once;
use super::interruptible;
use super::is_private;
use super::line;
use super::look;
use super::pasted;

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
