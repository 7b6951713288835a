//! Minutes: the lines of the members as the room passes them on, for records and other hubs; other
//! hubs get the operator's lines, too.
//!
//! A record needs whole lines, and the room has them, so no second place has to wait for their
//! ends. They are taken from here after each read, so that hardly more than a read is ever here.
//!
//! It promises: each byte of a member, muted or not, is in one piece, in order, when it is passed on or
//! when the member is taken out, but for what it asked for in a chat, which is there in words of ours; a
//! line that ends is in one piece, however it was cut.

use super::Room;
use super::glue::OPERATOR;
use super::member::Account;

/// Capacity above which what was taken gives its memory back.
const KEPT: usize = 64 * 1024;

/// What was said and not yet taken.
#[derive(Debug, Default)]
pub(super) struct Minutes {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

/// What one member said, or asked for, under one name.
#[derive(Debug)]
struct Piece {
    key: usize,
    number: u32,
    name: Option<Box<str>>,
    kind: Kind,
    /// Where in the bytes it ends.
    end: usize,
}

/// How a piece is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Said,
    Muted,
    Asked,
}

/// One piece of the minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Minute<'a> {
    /// Whole lines were said, of which the last has no end if it was not finished or is too long to be
    /// held.
    Said(&'a [u8]),
    /// The same of a member that is muted.
    Muted(&'a [u8]),
    /// In a chat something was asked for, in these words without an end.
    Asked(&'a [u8]),
}

impl Minutes {
    /// A member said whole lines, or a piece of one, which continues its unfinished line.
    pub(super) fn push(&mut self, key: usize, account: &Account, is_muted: bool, said: &[u8]) {
        if said.is_empty() {
            return;
        }
        let kind = match is_muted {
            true => Kind::Muted,
            false => Kind::Said,
        };
        let is_same = |last: &Piece| {
            last.kind == kind
                && last.number == account.number
                && last.name.as_deref() == account.name()
        };
        self.bytes.extend_from_slice(said);
        match self.pieces.last_mut() {
            Some(last) if is_same(last) => last.end = self.bytes.len(),
            _ => self.begin(key, account, kind),
        }
    }

    /// A member asked for something.
    pub(super) fn push_asked(&mut self, key: usize, account: &Account, asked: &str) {
        self.bytes.extend_from_slice(asked.as_bytes());
        self.begin(key, account, Kind::Asked);
    }

    /// The operator said whole lines, or a piece of one.
    pub(super) fn push_operator(&mut self, said: &[u8]) {
        if said.is_empty() {
            return;
        }
        self.bytes.extend_from_slice(said);
        match self.pieces.last_mut() {
            Some(last) if last.number == OPERATOR => last.end = self.bytes.len(),
            _ => self.pieces.push(Piece {
                key: usize::MAX,
                number: OPERATOR,
                name: None,
                kind: Kind::Said,
                end: self.bytes.len(),
            }),
        }
    }

    /// What was added last is a piece of its own.
    fn begin(&mut self, key: usize, account: &Account, kind: Kind) {
        self.pieces.push(Piece {
            key,
            number: account.number,
            name: account.name().map(Box::from),
            kind,
            end: self.bytes.len(),
        });
    }
}

impl Room {
    /// Keeps what the members say for [`Room::take_minutes`]. To be called before the first member
    /// joins.
    pub fn keep_minutes(&mut self) {
        debug_assert!(self.members.is_empty());
        self.minutes = Some(Box::default());
    }

    /// Hands out what was said since the last time, with the speakers' keys, numbers and names; the
    /// operator's number is 0, and its key is no member's.
    pub fn take_minutes(&mut self, mut take: impl FnMut(usize, u32, Option<&str>, Minute<'_>)) {
        let Some(minutes) = &mut self.minutes else {
            return;
        };
        let mut start = 0;
        for piece in minutes.pieces.drain(..) {
            let bytes = &minutes.bytes[start..piece.end];
            let minute = match piece.kind {
                Kind::Said => Minute::Said(bytes),
                Kind::Muted => Minute::Muted(bytes),
                Kind::Asked => Minute::Asked(bytes),
            };
            take(piece.key, piece.number, piece.name.as_deref(), minute);
            start = piece.end;
        }
        minutes.bytes.clear();
        minutes.bytes.shrink_to(KEPT);
    }

    /// A muted member said `bytes`, or None: will say no more. It is in the minutes and nowhere else. (In
    /// a chat, [`Room::member_says`] sees to that.)
    #[cold]
    pub(super) fn note_muted(&mut self, key: usize, bytes: Option<&[u8]>) {
        let Some(minutes) = &mut self.minutes else {
            return;
        };
        let member = &mut self.members[key];
        let lines = &mut member.speech.get_or_insert_default().lines;
        let note = |said: &[u8]| minutes.push(key, &member.account, true, said);
        match bytes {
            Some(bytes) => lines.feed(bytes, false, |_| (), note),
            None => lines.finish(|_| (), note),
        }
    }

    /// Whether something was said that was not taken.
    pub fn has_minutes(&self) -> bool {
        let minutes = self.minutes.as_ref();
        minutes.is_some_and(|minutes| !minutes.pieces.is_empty())
    }
}
