//! Events to be recorded: entries, made of what is said as it comes, and the texts that files get
//! of them.
//!
//! ```text
//!   bytes said ─► Speech ─► Entry ─┬─► transcript   for people
//!   who came, left, … ─────────────┤
//!                                  └─► events       for programs
//!   bytes either way ──────────────►   dump
//! ```
//!
//! It promises: a line is one entry however it was cut, or a piece of one that is too long to be held or did
//! not end; at most [`MAX_LINE`] bytes of either direction are held, and nothing of a room's members, whose lines
//! [the room](crate::engine::room::Room::take_minutes) holds.

pub mod dump;
pub mod events;
pub mod head;
pub mod transcript;

use std::fmt::Display;
use std::fmt::Write;

use crate::engine::escape::is_unsafe;
use crate::engine::lines::MAX_LINE;
use crate::engine::room::Account;

/// Capacity above which an emptied buffer gives its memory back.
const KEPT: usize = 256;

/// The other side of a connection, which said something or to which it was said.
#[derive(Clone, Copy)]
pub struct Who<'a> {
    /// As the hub counts them, from 1; 0 for a peer that is not counted, or of which only the name is known.
    pub number: u32,
    /// Where it is.
    pub addr: &'a dyn Display,
    /// What it is called.
    pub name: Option<&'a str>,
}

impl<'a> Who<'a> {
    /// Bytes that tell where it is and what it is called.
    fn length(self) -> usize {
        let mut length = Length(self.name.map_or(1, str::len));
        // Counting cannot fail.
        let _ = write!(length, "{}", self.addr);
        length.0
    }

    /// The member of that account, which is at `addr`.
    pub fn of(account: &'a Account, addr: &'a dyn Display) -> Who<'a> {
        Who {
            number: account.number,
            addr,
            name: account.name(),
        }
    }
}

/// How long a text is in a transcript.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        // Bytes that would act are escaped, each as four.
        let plain = |byte: &u8| byte.is_ascii_graphic() && *byte != b'\\';
        self.0 += text
            .bytes()
            .map(|b| if plain(&b) { 1 } else { 4 })
            .sum::<usize>();
        Ok(())
    }
}

/// Which way something went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It was received.
    From,
    /// It was sent.
    To,
}

/// Something that happened.
#[derive(Clone, Copy)]
pub enum Entry<'a> {
    /// Connections are accepted from now on.
    Listening {
        /// Where, in words.
        place: &'a str,
        /// With a browser.
        web: bool,
    },
    /// A peer joined.
    Joined(Who<'a>),
    /// A line was said, or a piece of one without its line feed.
    Said(Speaker<'a>, &'a [u8]),
    /// A participant of a chat asked for something, in these words.
    Asked(Who<'a>, &'a [u8]),
    /// A peer left.
    Left(Who<'a>, Leaving<'a>),
    /// A connection from there was not let in: why, in a word for programs and in words for people.
    Refused(&'a dyn Display, &'static str, &'a dyn Display),
    /// A transfer to all at once waits again: so many are here, of so many that are to be.
    Waiting(usize, usize),
    /// It began for good, with so many receivers.
    Begun(usize),
    /// It is over: one of its receivers lacks so many of so many bytes.
    Received {
        /// Who that is.
        who: Who<'a>,
        /// Bytes that were said.
        bytes: u64,
        /// Bytes that it has not acknowledged.
        missing: u64,
    },
    /// It is over: so many bytes went whole to so many of so many.
    Ended {
        /// Bytes that were said.
        bytes: u64,
        /// With whom it began.
        receivers: usize,
        /// Those who got everything.
        whole: usize,
    },
    /// A client from there has downloaded something of the file that is offered.
    Fetched(&'a dyn Display, Fetched<'a>),
    /// So many entries before this one are missing.
    Lost(u64),
}

/// Who said a line.
#[derive(Clone, Copy)]
pub enum Speaker<'a> {
    /// The other side of a connection.
    Peer(Who<'a>),
    /// We: the person here and its name, to one peer alone or to all.
    Us(Option<&'a str>, Option<Who<'a>>),
    /// A person at the hub of that name: one of its members, or its operator.
    Hub(&'a str, Option<Who<'a>>),
    /// The operator of the hub of that name, to one alone here.
    HubAlone(&'a str, Who<'a>),
}

/// The part of a file that a client downloaded.
#[derive(Debug, Clone, Copy)]
pub struct Fetched<'a> {
    /// What the file is called.
    pub name: &'a str,
    /// The first byte that was asked for.
    pub from: u64,
    /// How many were.
    pub wanted: u64,
    /// How many of them it took.
    pub taken: u64,
    /// How it ended, in a word for programs.
    pub code: &'static str,
    /// The same in words.
    pub words: &'a str,
}

/// How a peer left.
#[derive(Debug, Clone, Copy)]
pub struct Leaving<'a> {
    /// Why, in a word for programs.
    pub code: &'static str,
    /// Why, in words.
    pub words: &'a str,
    /// Bytes that it said.
    pub received: u64,
    /// Bytes that it took.
    pub sent: u64,
    /// Bytes that it had said and nobody read, as far as is known (with TLS: as they are on the wire).
    pub unread: u64,
}

/// Bytes that were said and whose lines are not ended yet. See the module's documentation.
#[derive(Debug, Default)]
pub struct Speech {
    /// What we say to all peers.
    said: Unfinished,
    /// What the other side of one connection says.
    heard: Unfinished,
}

/// The beginning of a line.
#[derive(Debug, Default)]
struct Unfinished(Vec<u8>);

impl Unfinished {
    /// Takes in `bytes` and passes on every line that is whole, or too long.
    fn feed(&mut self, bytes: &[u8], mut say: impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let whole = piece.ends_with(b"\n");
            if whole && self.0.is_empty() {
                say(piece);
                continue;
            }
            self.0.extend_from_slice(piece);
            if whole || self.0.len() >= MAX_LINE {
                self.finish(&mut say);
            }
        }
    }

    /// Passes on what is held, if anything.
    fn finish(&mut self, say: impl FnOnce(&[u8])) {
        if !self.0.is_empty() {
            say(&self.0);
            self.0.clear();
            self.0.shrink_to(KEPT);
        }
    }
}

impl Speech {
    /// The other side of the connection said `bytes`.
    pub fn heard(&mut self, who: Who<'_>, bytes: &[u8], enter: &mut dyn FnMut(Entry<'_>)) {
        let heard = &mut self.heard;
        heard.feed(bytes, |line| enter(Entry::Said(Speaker::Peer(who), line)));
    }

    /// The other side will say no more: its unfinished line becomes an entry as it is.
    pub fn finished(&mut self, who: Who<'_>, enter: &mut dyn FnMut(Entry<'_>)) {
        let heard = &mut self.heard;
        heard.finish(|rest| enter(Entry::Said(Speaker::Peer(who), rest)));
    }

    /// We said `bytes`.
    pub fn said(&mut self, us: Speaker<'_>, bytes: &[u8], enter: &mut dyn FnMut(Entry<'_>)) {
        let said = &mut self.said;
        said.feed(bytes, |line| enter(Entry::Said(us, line)));
    }

    /// We say no more.
    pub fn said_all(&mut self, us: Speaker<'_>, enter: &mut dyn FnMut(Entry<'_>)) {
        self.said.finish(|rest| enter(Entry::Said(us, rest)));
    }
}

/// A speaker said whole lines, or a piece of a line as an entry of its own.
pub fn lines(speaker: Speaker<'_>, lines: &[u8], enter: &mut dyn FnMut(Entry<'_>)) {
    for line in lines.split_inclusive(|&byte| byte == b'\n') {
        enter(Entry::Said(speaker, line));
    }
}

/// Appends `bytes` as printable text without a tab or a line's end, so that they can be had back:
/// `\\` is a backslash, `\t` a tab, `\r` a carriage return, `\n` a line feed, `\x1b` the byte of
/// that value, and `\u{202e}` the character of that number. Everything else stands for itself.
pub fn push_escaped(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            // Writing to a String cannot fail.
            let _ = match letter {
                '\\' => out.write_str("\\\\"),
                '\t' => out.write_str("\\t"),
                '\r' => out.write_str("\\r"),
                '\n' => out.write_str("\\n"),
                '\0'..='\x7f' if is_unsafe(letter) => write!(out, "\\x{:02x}", letter as u8),
                letter if is_unsafe(letter) => write!(out, "\\u{{{:x}}}", letter as u32),
                letter => out.write_char(letter),
            };
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

#[cfg(test)]
mod tests;
