//! Events, for programs: a line of JSON (RFC 8259) for each thing that happened, as docs/EVENTS.md has them.
//!
//! What is said may be any bytes, and a string of JSON is Unicode. So bytes that are no UTF-8 have
//! a U+FFFD for each fault in `text`, and exactly these bytes in `base64`, which is there only
//! then.
//!
//! It promises: each entry is one line of valid UTF-8, which can do nothing to a terminal; what was said can be
//! had back from it byte by byte.

use std::borrow::Cow;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::Entry;
use super::Speaker;
use super::Who;
use crate::engine::escape::is_unsafe;

/// The version of what is written: a reader need not know keys and events that are added, and another
/// meaning of those that are there is another version.
const VERSION: u32 = 1;

/// The length of a line beside the peer's address and name.
const FRAME: usize = 176;

/// The most that a byte of a peer becomes: a line of its own.
pub fn most(who: Who<'_>) -> usize {
    FRAME + who.length()
}

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    time: &'a str,
    #[serde(flatten)]
    event: Event<'a>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Listening {
        web: bool,
        place: &'a str,
    },
    Joined {
        peer: Peer<'a>,
    },
    Said {
        by: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        hub: Option<&'a str>,
        peer: Option<Peer<'a>>,
        lf: bool,
        #[serde(flatten)]
        text: Text<'a>,
    },
    Asked {
        peer: Peer<'a>,
        #[serde(flatten)]
        text: Text<'a>,
    },
    Left {
        peer: Peer<'a>,
        reason: &'static str,
        received: u64,
        sent: u64,
        unread: u64,
        words: &'a str,
    },
    Refused {
        address: String,
        reason: &'static str,
        words: String,
    },
    Transfer(Transfer),
    Receiver {
        peer: Peer<'a>,
        bytes: u64,
        missing: u64,
    },
    Download {
        address: String,
        file: &'a str,
        from: u64,
        bytes: u64,
        taken: u64,
        reason: &'static str,
        words: &'a str,
    },
    Lost {
        lines: u64,
    },
}

#[derive(Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Transfer {
    Waiting {
        here: usize,
        wanted: usize,
    },
    Begun {
        receivers: usize,
    },
    Ended {
        bytes: u64,
        receivers: usize,
        whole: usize,
    },
}

#[derive(Serialize)]
struct Peer<'a> {
    number: u32,
    address: String,
    name: Option<&'a str>,
}

/// Bytes that may be no text.
#[derive(Serialize)]
struct Text<'a> {
    text: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl<'a> Text<'a> {
    fn of(bytes: &'a [u8]) -> Text<'a> {
        let text = String::from_utf8_lossy(bytes);
        let base64 = matches!(text, Cow::Owned(_)).then(|| STANDARD.encode(bytes));
        Text { text, base64 }
    }
}

impl<'a> Peer<'a> {
    fn of(who: Who<'a>) -> Peer<'a> {
        Peer {
            number: who.number,
            address: who.addr.to_string(),
            name: who.name,
        }
    }
}

impl<'a> Event<'a> {
    fn of(entry: Entry<'a>) -> Event<'a> {
        match entry {
            Entry::Listening { place, web } => Event::Listening { web, place },
            Entry::Joined(who) => Event::Joined {
                peer: Peer::of(who),
            },
            Entry::Said(speaker, line) => {
                let (by, hub, who) = match speaker {
                    Speaker::Peer(who) => ("peer", None, Some(who)),
                    Speaker::Us(_, who) => ("operator", None, who),
                    Speaker::Hub(hub, Some(who)) => ("peer", Some(hub), Some(who)),
                    Speaker::Hub(hub, None) => ("operator", Some(hub), None),
                    Speaker::HubAlone(hub, who) => ("operator", Some(hub), Some(who)),
                };
                let text = line.strip_suffix(b"\n");
                Event::Said {
                    by,
                    hub,
                    peer: who.map(Peer::of),
                    lf: text.is_some(),
                    text: Text::of(text.unwrap_or(line)),
                }
            }
            Entry::Asked(who, words) => Event::Asked {
                peer: Peer::of(who),
                text: Text::of(words),
            },
            Entry::Left(who, leaving) => Event::Left {
                peer: Peer::of(who),
                reason: leaving.code,
                received: leaving.received,
                sent: leaving.sent,
                unread: leaving.unread,
                words: leaving.words,
            },
            Entry::Refused(addr, reason, words) => Event::Refused {
                address: addr.to_string(),
                reason,
                words: words.to_string(),
            },
            Entry::Waiting(here, wanted) => Event::Transfer(Transfer::Waiting { here, wanted }),
            Entry::Begun(receivers) => Event::Transfer(Transfer::Begun { receivers }),
            Entry::Received {
                who,
                bytes,
                missing,
            } => Event::Receiver {
                peer: Peer::of(who),
                bytes,
                missing,
            },
            Entry::Ended {
                bytes,
                receivers,
                whole,
            } => Event::Transfer(Transfer::Ended {
                bytes,
                receivers,
                whole,
            }),
            Entry::Fetched(addr, fetched) => Event::Download {
                address: addr.to_string(),
                file: fetched.name,
                from: fetched.from,
                bytes: fetched.wanted,
                taken: fetched.taken,
                reason: fetched.code,
                words: fetched.words,
            },
            Entry::Lost(lines) => Event::Lost { lines },
        }
    }
}

/// JSON in one line, of which every letter is shown by a terminal and does nothing to it.
struct Shown;

impl Formatter for Shown {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_unsafe) {
            let (shown, from) = rest.split_at(at);
            out.write_all(shown.as_bytes())?;
            let mut letters = from.chars();
            let letter = letters.next().unwrap_or_default();
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = letters.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

/// Appends the line of what happened at that time.
pub fn push(at: &str, entry: Entry<'_>, out: &mut Vec<u8>) {
    let line = Line {
        v: VERSION,
        time: at,
        event: Event::of(entry),
    };
    // Neither writing to memory nor making JSON of this can fail.
    let _ = line.serialize(&mut Serializer::with_formatter(&mut *out, Shown));
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::Fetched;
    use super::super::Leaving;
    use super::*;

    const AT: &str = "2026-11-22T09:11:33.123Z";

    fn ana(number: u32) -> Who<'static> {
        Who {
            number,
            addr: &"192.0.2.11:50124",
            name: (number == 1).then_some("Ana"),
        }
    }

    fn line(entry: Entry<'_>) -> String {
        let mut out = Vec::new();
        push(AT, entry, &mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        text.trim_end().into()
    }

    /// The manual of the events shows exactly what is written.
    #[test]
    fn each_event_is_as_documented() {
        let leaving = Leaving {
            code: "closed",
            words: "closed",
            received: 17,
            sent: 9,
            unread: 0,
        };
        let received = Entry::Received {
            who: ana(1),
            bytes: 81920,
            missing: 700,
        };
        let ended = Entry::Ended {
            bytes: 81920,
            receivers: 30,
            whole: 29,
        };
        let fetched = Fetched {
            name: "lesson.pdf",
            from: 0,
            wanted: 81920,
            taken: 7000,
            code: "closed",
            words: "closed",
        };
        let far = Who {
            number: 3,
            addr: &"room2",
            name: Some("Eva"),
        };
        let there = Who {
            number: 0,
            name: None,
            ..far
        };
        let refused = "30 are here already";
        let entries = [
            Entry::Listening {
                place: "[::]:3000 (IPv4 and IPv6)",
                web: false,
            },
            Entry::Joined(ana(2)),
            Entry::Said(Speaker::Peer(ana(1)), b"which book?\n"),
            Entry::Said(Speaker::Us(Some("Bob"), None), b"the blue one\n"),
            Entry::Said(Speaker::Us(None, Some(ana(1))), b"for you alone\n"),
            Entry::Said(Speaker::Peer(ana(2)), b"caf\xe9"),
            Entry::Said(Speaker::Hub("room2", Some(far)), b"here too\n"),
            Entry::Said(Speaker::Hub("room2", None), b"good morning\n"),
            Entry::Said(Speaker::HubAlone("room2", ana(1)), b"for you alone\n"),
            Entry::Said(Speaker::Us(None, Some(far)), b"for you alone\n"),
            Entry::Said(Speaker::Us(None, Some(there)), b"between us\n"),
            Entry::Asked(ana(1), b"/nick Ana"),
            Entry::Left(ana(1), leaving),
            Entry::Refused(&"192.0.2.12:50200", "full", &refused),
            Entry::Waiting(29, 30),
            Entry::Begun(30),
            received,
            ended,
            Entry::Fetched(&"192.0.2.13:50310 (web)", fetched),
            Entry::Lost(12),
        ];
        let manual = include_str!("../../../docs/EVENTS.md");
        for entry in entries {
            let line = line(entry);
            assert!(manual.contains(&line), "not in docs/EVENTS.md: {line}");
        }
    }

    /// What is read of a peer in a turn is counted by this.
    #[test]
    fn a_line_is_no_longer_than_was_counted() {
        for (addr, name) in [
            ("192.0.2.1:1", None),
            ("\u{202e}\u{1}\"\\", Some("\u{6f22}\u{5b57}")),
        ] {
            let who = Who {
                number: u32::MAX,
                addr: &addr,
                name,
            };
            for bytes in [&b"\n"[..], b"", b"\xff", b"\x01", b"\"", b"\xff\n"] {
                let length = line(Entry::Said(Speaker::Peer(who), bytes)).len() + 1;
                let most = most(who) * bytes.len().max(1);
                assert!(length <= most, "{length} of {most} for {bytes:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_said_can_be_had_back_and_nothing_acts(
            bytes in prop::collection::vec(
                prop_oneof![
                    2 => any::<u8>(),
                    5 => prop::sample::select(
                        "\\\"\t\r\n\u{1b}/u{}\u{7f}\u{85}\u{e9}\u{202e}\u{e0041}\u{1f600}".as_bytes().to_vec()
                    ),
                ],
                0..40,
            ),
            text in any::<String>(),
            is_text in any::<bool>(),
        ) {
            let bytes = if is_text { text.into_bytes() } else { bytes };
            for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
                let line = line(Entry::Said(Speaker::Peer(ana(1)), piece));
                prop_assert!(!line.contains(is_unsafe), "{line:?}");
                let read: Value = serde_json::from_str(&line).expect("JSON");
                let mut back = match read["base64"].as_str() {
                    Some(base64) => STANDARD.decode(base64).expect("base64"),
                    None => read["text"].as_str().expect("a text").as_bytes().to_vec(),
                };
                if read["lf"] == Value::Bool(true) {
                    back.push(b'\n');
                }
                prop_assert_eq!(&back, piece);
                prop_assert_eq!(&read["peer"]["name"], "Ana");
            }
        }
    }
}
