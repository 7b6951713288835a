//! Members of a room: what every floor may know of one, and what is the room's alone.
//!
//! It promises: a number belongs to one member for as long as the hub runs.

use std::fmt::Write;
use std::ops::Index;
use std::ops::IndexMut;
use std::time::Instant;

use super::pace::Pace;
use super::returning::Lost;
use crate::engine::escape::Escaper;
use crate::engine::journal::Cursor;
use crate::engine::lines::Lines;
use crate::engine::rate::Meter;

/// Whether a member is known to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It has not ended its side.
    Here,
    /// It ended its side and may be gone.
    Unconfirmed,
    /// It ended its side and reads on.
    Listener,
    /// It left: it has no place any more, but what it said before is still to be heard.
    Gone,
}

impl Presence {
    /// Whether it counts.
    pub fn is_here(self) -> bool {
        matches!(self, Presence::Here | Presence::Listener)
    }
}

/// One member of the room.
#[derive(Debug)]
pub struct Member {
    /// Who it is, and what it did.
    pub account: Account,
    /// Whether it is known to be there.
    pub(super) presence: Presence,
    /// It was heard to its end.
    pub(super) is_silent: bool,
    /// It acknowledged something that it was sent.
    pub(super) has_acknowledged: bool,
    /// In a chat: everybody was told of it.
    pub(super) is_announced: bool,
    pub(super) cursor: Cursor,
    /// From its first word on, or when it falls behind: most only listen.
    pub(super) speech: Option<Box<Speech>>,
}

// A room may have thousands of them that do nothing.
const _: () = assert!(size_of::<Option<Member>>() <= 72);

/// What a room keeps of a member that said something, or fell behind.
#[derive(Debug, Default)]
pub(super) struct Speech {
    pub(super) pace: Pace,
    pub(super) lines: Lines,
    pub(super) meter: Meter,
    /// In a chat: the rest of its bytes that is no complete character yet.
    pub(super) escaper: Escaper,
    /// In a chat: where it is in its line.
    pub(super) place: Place,
    /// In a chat: it was muted in a part of its line.
    pub(super) is_hushed: bool,
    /// In a chat: how much it asked for that it could not be answered.
    pub(super) unanswered: u32,
    /// In a chat: when it last asked for something, and how often in that turn.
    asked: Option<(Instant, u32)>,
    /// In a chat: bytes since it last asked for something.
    talked: usize,
}

/// Bytes of a member that are read at once if it may ask for something with all of them: the answers to that, and
/// what it says so to one alone, are not too many for those who take what they get.
const GULP: usize = 512;

/// Requests of one member in a turn at most. No person types so fast, and each costs some
/// microseconds.
const ASKED: u32 = 500;

impl Speech {
    /// Whether something that it asks for in this turn is to be looked at.
    pub(super) fn may_ask(&mut self, now: Instant) -> bool {
        let before = self.asked.filter(|(turn, _)| *turn == now);
        let count = before.map_or(0, |(_, count)| count);
        self.asked = Some((now, count + 1));
        self.talked = 0;
        count < ASKED
    }

    /// It said so many bytes in a chat.
    pub(super) fn talked(&mut self, bytes: usize) {
        self.talked = self.talked.saturating_add(bytes);
    }

    /// How many bytes of a member of a chat are read at once: a few where they may be full of what it asks for.
    pub(super) fn gulp(speech: Option<&Speech>) -> usize {
        speech.map_or(0, |speech| speech.talked).max(GULP)
    }
}

/// Where a speaker is in its line, as far as that was passed on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At its beginning.
    #[default]
    Start,
    /// A part of it was passed on that is nothing but what may stand before a request: the rest may be one.
    Nothing,
    /// A part of it was passed on, so the rest will be as well.
    Words,
    /// It began with something that was asked for: the rest is not said.
    Request,
}

impl Account {
    /// One that joins now.
    pub(super) fn new(number: u32, now: Instant) -> Account {
        Account {
            number,
            muted: false,
            since: now,
            sent: 0,
            more: None,
        }
    }

    /// What the operator calls it.
    pub fn name(&self) -> Option<&str> {
        self.more.as_ref()?.name.as_deref()
    }

    /// Bytes it sent so far.
    pub fn received(&self) -> u64 {
        self.more.as_ref().map_or(0, |more| more.received)
    }

    /// It sent so many bytes.
    pub(super) fn receive(&mut self, count: usize) {
        self.more.get_or_insert_default().received += count as u64;
    }

    /// It is called so from now on. Returns how it was called before.
    pub(super) fn set_name(&mut self, name: Box<str>) -> Option<Box<str>> {
        self.more.get_or_insert_default().name.replace(name)
    }

    /// It has no name any more. Returns the one that it had.
    pub(super) fn take_name(&mut self) -> Option<Box<str>> {
        self.more.as_mut()?.name.take()
    }

    /// How it is called to the operator: `[3 Ana]`, or `[3]`.
    pub fn label(&self) -> String {
        let mut label = String::new();
        self.push_label(&mut label);
        label
    }

    /// Appends that to `out`.
    pub(super) fn push_label(&self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = match self.name() {
            Some(name) => write!(out, "[{} {name}]", self.number),
            None => write!(out, "[{}]", self.number),
        };
    }
}

impl Member {
    /// Whether it is known to be there.
    pub fn presence(&self) -> Presence {
        self.presence
    }

    /// Whether it was heard to its end: it says nothing more.
    pub fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// How it keeps up, and how much it says.
    pub(super) fn pace(&self) -> &Pace {
        let speech = self.speech.as_ref();
        speech.map_or(Pace::UNKNOWN, |speech| &speech.pace)
    }

    /// The same, to take note of something.
    pub(super) fn pace_mut(&mut self) -> &mut Pace {
        &mut self.speech.get_or_insert_default().pace
    }

    /// The same, if anything is known.
    pub(super) fn known_pace(&mut self) -> Option<&mut Pace> {
        self.speech.as_mut().map(|speech| &mut speech.pace)
    }

    /// Bytes of its unfinished line that are held.
    pub(super) fn unfinished(&self) -> usize {
        self.speech.as_ref().map_or(0, |speech| speech.lines.held())
    }

    /// Whether the line that it is at is said to nobody.
    pub(super) fn is_muted(&self) -> bool {
        let speech = self.speech.as_ref();
        self.account.muted || speech.is_some_and(|speech| speech.is_hushed)
    }

    /// Nobody is to hear anything of the line that it has begun, if it has.
    pub(super) fn hush_line(&mut self) {
        if let Some(speech) = &mut self.speech {
            speech.is_hushed = speech.lines.held() > 0 || speech.place != Place::Start;
        }
    }

    /// Bytes of memory that hold its unfinished line.
    pub(super) fn held(&self) -> usize {
        let speech = self.speech.as_ref();
        speech.map_or(0, |speech| speech.lines.memory())
    }
}

/// Who a member is, and what it did.
#[derive(Debug)]
pub struct Account {
    /// Counts the members that ever joined, from 1 or where [another room](super::Room::count_on_from)
    /// stopped; never reused.
    pub number: u32,
    /// Its words are neither shown nor relayed.
    pub muted: bool,
    /// When it joined.
    pub since: Instant,
    /// Bytes it took so far, also over other connections: where it is in its stream. A stream that
    /// [ended](super::Room::rejoin) counts as one byte more.
    pub sent: u64,
    /// From its first word or name on.
    more: Option<Box<More>>,
}

#[derive(Debug, Default)]
struct More {
    name: Option<Box<str>>,
    received: u64,
}

/// What is left of a member that left.
#[derive(Debug)]
pub struct Left {
    /// As in [`Member`].
    pub account: Account,
    /// Whether it was known to be there.
    pub presence: Presence,
    /// What is kept of it, should it return.
    pub lost: Lost,
}

/// Places that are there for the first member already. Memory of that size is not taken from the heap (mallopt(3),
/// `M_MMAP_THRESHOLD`): it has no pages before they are used, and grows without leaving a hole behind, where that of
/// a thousand members would otherwise have cost twice as much.
pub const PLACES: usize = 4096;

/// The members by the keys that their connections have.
#[derive(Debug, Default)]
pub(super) struct Members {
    places: Vec<Option<Member>>,
    count: usize,
}

impl Members {
    /// How many there are, whether or not they are known to be there.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn get(&self, key: usize) -> Option<&Member> {
        self.places.get(key)?.as_ref()
    }

    /// Puts a member at a key that none has.
    pub(super) fn insert(&mut self, key: usize, member: Member) {
        if self.places.len() <= key {
            if self.places.capacity() == 0 {
                self.places.reserve(PLACES);
            }
            self.places.resize_with(key + 1, || None);
        }
        let before = self.places[key].replace(member);
        debug_assert!(before.is_none(), "two members have the key {key}");
        self.count += 1;
    }

    pub(super) fn remove(&mut self, key: usize) -> Option<Member> {
        let removed = self.places.get_mut(key)?.take()?;
        self.count -= 1;
        Some(removed)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Member)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(key, place)| place.as_ref().map(|member| (key, member)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Member)> {
        let places = self.places.iter_mut().enumerate();
        places.filter_map(|(key, place)| place.as_mut().map(|member| (key, member)))
    }

    /// The lowest key that no member has.
    pub(super) fn vacant_key(&self) -> usize {
        let vacant = self.places.iter().position(Option::is_none);
        vacant.unwrap_or(self.places.len())
    }
}

impl Index<usize> for Members {
    type Output = Member;

    fn index(&self, key: usize) -> &Member {
        self.get(key).expect("there is a member of that key")
    }
}

impl IndexMut<usize> for Members {
    fn index_mut(&mut self, key: usize) -> &mut Member {
        self.places
            .get_mut(key)
            .and_then(Option::as_mut)
            .expect("there is a member of that key")
    }
}
