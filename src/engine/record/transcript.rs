//! A transcript, for people: a line for each line that was said and for each peer that came or
//! went, in six columns with a tab between them.
//!
//! ```text
//! 2026-11-22T09:11:33.123Z  joined  1  192.0.2.11:50124  -    -
//! 2026-11-22T09:11:35.001Z  from    1  192.0.2.11:50124  Ana  which book?
//! 2026-11-22T09:11:41.740Z  to      *  -                 -    the \x1b[1mblue\x1b[0m one
//! 2026-11-22T09:11:52.310Z  to      1  192.0.2.11:50124  Ana  for you alone
//! 2026-11-22T09:11:58.142Z  asked   1  192.0.2.11:50124  Ana  /msg Ben
//! 2026-11-22T09:12:02.007Z  left    1  192.0.2.11:50124  Ana  closed
//! ```
//!
//! `asked` is a command of a participant of a chat; the text of a private message is there only
//! with `--open-messages`.
//!
//! `told` is what the operator of another hub said to that participant alone.
//!
//! `lost` tells that so many lines of the transcript are missing there.
//!
//! `from+` and `to+` are said in the middle of a line: no line feed followed. That was too long to
//! be held, or nothing followed at all.
//!
//! It promises: nothing that a peer sends can look like another line or column, or act on a
//! terminal; what was said to everybody can be had back from it byte by byte, by undoing
//! [`push_escaped`].

use std::borrow::Cow;
use std::fmt::Write;

use super::Entry;
use super::Speaker;
use super::Who;
use super::push_escaped;

/// The length of a line beside the peer's address and name.
const FRAME: usize = 64;

/// The most that a byte of a peer becomes: a line of its own.
pub fn most(who: Who<'_>) -> usize {
    FRAME + who.length()
}

/// Appends what happened at that time, if a transcript tells of it.
pub fn push(at: &str, entry: Entry<'_>, out: &mut String) {
    match entry {
        Entry::Joined(who) => push_line(at, "joined", Some(who), None, b"", out),
        Entry::Left(who, leaving) => {
            let why = match leaving.unread {
                0 => Cow::Borrowed(leaving.words),
                bytes => format!("{}, {bytes} bytes were not read", leaving.words).into(),
            };
            push_line(at, "left", Some(who), None, why.as_bytes(), out);
        }
        Entry::Asked(who, words) => push_line(at, "asked", Some(who), None, words, out),
        Entry::Said(speaker, line) => {
            let (who, name, ended, cut) = match speaker {
                Speaker::Peer(who) => (Some(who), None, "from", "from+"),
                Speaker::Us(name, who) => (who, name, "to", "to+"),
                Speaker::Hub(hub, None) => (None, Some(hub), "from", "from+"),
                Speaker::Hub(_, who) => (who, None, "from", "from+"),
                Speaker::HubAlone(_, who) => (Some(who), None, "told", "told+"),
            };
            let (text, event) = match line.strip_suffix(b"\n") {
                Some(text) => (text, ended),
                None => (line, cut),
            };
            push_line(at, event, who, name, text, out);
        }
        Entry::Listening { .. }
        | Entry::Refused(..)
        | Entry::Waiting(..)
        | Entry::Begun(_)
        | Entry::Received { .. }
        | Entry::Ended { .. }
        | Entry::Fetched(..) => {}
        Entry::Lost(lines) => {
            let told = match lines {
                1 => String::from("1 line is missing here"),
                lines => format!("{lines} lines are missing here"),
            };
            push_line(at, "lost", None, None, told.as_bytes(), out);
        }
    }
}

fn push_line(
    at: &str,
    event: &str,
    who: Option<Who<'_>>,
    name: Option<&str>,
    text: &[u8],
    out: &mut String,
) {
    // Writing to a String cannot fail.
    let _ = match who {
        Some(who) => write!(out, "{at}\t{event}\t{}\t", who.number),
        None => write!(out, "{at}\t{event}\t*\t"),
    };
    let addr = who.map_or(String::from("-"), |who| who.addr.to_string());
    push_escaped(addr.as_bytes(), out);
    out.push('\t');
    let name = who.map_or(name, |who| who.name);
    push_escaped(name.unwrap_or("-").as_bytes(), out);
    out.push('\t');
    push_escaped(text, out);
    out.push('\n');
}
