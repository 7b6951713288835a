//! Presence: which members are known to be in the room, and for whom the operator's first words are
//! kept.
//!
//! A TCP end says only that a peer sends no more: it may still read, or be gone. So a member that
//! ended its side is *unconfirmed* until it acknowledged something that was sent after that.
//! Whether the words before its end were passed on is another question, as long as the room is
//! held.
//!
//! ```text
//!              its end came                     it acknowledged a byte sent after that
//!   Here ─────────────────────► Unconfirmed ──────────────────────────────► Listener
//!    │ it broke                     │                                          │ it broke
//!    └─────► Gone ◄─────────────────┴──── gives its place to whoever needs it, │
//!             ▲                           the first first                      │
//!             └────────────────────────────────────────────────────────────────┘
//! ```
//!
//! And as long as no member that is known to be there acknowledged anything, the hub is on *trial*:
//! of what the operator says at most [`TRIAL`] bytes go out, and they are kept for newcomers.
//!
//! It promises: [`Room::here`] is the one count of members that are there; bytes of a trial that no
//! member acknowledged are handed to every newcomer before anything else.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Room;
use super::member::Member;
use super::member::Presence;
use crate::engine::journal::Journal;

/// Bytes of the operator's that go out before any member is known to read them: a port check reads
/// nothing. Where only whole lines are said, the last of them may be longer.
pub const TRIAL: usize = 1024;

/// The operator's words before any member is known to read them.
#[derive(Debug)]
pub(super) struct Trial {
    /// So many have to acknowledge something until it is over.
    quorum: usize,
    /// There is no other trial after this one: what follows is one whole (a transfer).
    is_final: bool,
    is_over: bool,
    /// What was said, each piece with its place in the journal.
    kept: Vec<(u64, Box<[u8]>)>,
    /// Bytes of these.
    said: usize,
}

impl Default for Trial {
    /// Over as soon as one acknowledged something.
    fn default() -> Trial {
        Trial {
            quorum: 1,
            is_final: false,
            is_over: false,
            kept: Vec::new(),
            said: 0,
        }
    }
}

impl Trial {
    /// Takes note of a piece of the operator's words, which is the last of the common stream.
    #[inline]
    pub(super) fn keep(&mut self, journal: &Journal, text: &[u8]) {
        if !self.is_over {
            self.keep_last(journal, text);
        }
    }

    /// The same of a trial that is not over.
    #[cold]
    fn keep_last(&mut self, journal: &Journal, text: &[u8]) {
        if !text.is_empty() {
            let at = journal.end() - text.len() as u64;
            self.kept.push((at, text.into()));
            self.said += text.len();
        }
    }

    /// `text` continues the last piece: a member that heard only the beginning of it heard no line.
    #[inline]
    pub(super) fn keep_on(&mut self, text: &[u8]) {
        if !self.is_over
            && let Some((_, last)) = self.kept.last_mut()
        {
            *last = [last, text].concat().into();
            self.said += text.len();
        }
    }

    /// The pieces before that place in the journal, the last one first.
    pub(super) fn kept_before(&self, at: u64) -> impl Iterator<Item = &[u8]> {
        self.kept.iter().rev().map(move |(place, text)| {
            let before = at.saturating_sub(*place).min(text.len() as u64);
            &text[..before as usize]
        })
    }

    /// Whether a member is one of those that have to acknowledge something before the trial is
    /// over. A receiver of a transfer may end its side at once, and be given too little to prove
    /// more.
    pub(super) fn counts(&self, member: &Member) -> bool {
        let counts = match self.is_final {
            true => member.presence != Presence::Gone,
            false => member.presence.is_here(),
        };
        member.has_acknowledged && counts
    }

    /// No acknowledgement is needed.
    pub(super) fn waive(&mut self) {
        self.quorum = 0;
        self.end();
    }

    fn end(&mut self) {
        self.is_over = true;
        self.kept = Vec::new();
        self.said = 0;
    }

    /// The pieces before that place in the journal were heard, those that end there included.
    fn renew_before(&mut self, at: u64) {
        let ends_before = |(place, text): &(u64, Box<[u8]>)| place + text.len() as u64 <= at;
        let count = self.kept.partition_point(ends_before);
        for (_, text) in self.kept.drain(..count) {
            self.said -= text.len();
        }
    }

    fn begin(&mut self) {
        self.is_over &= self.is_final;
    }
}

/// The members that may be gone.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    /// Their keys, by the order of their ends.
    keys: BTreeMap<u64, usize>,
    /// By their keys: the order, and where in the journal the member stood when its end was noticed. All before
    /// that was handed to it.
    ends: BTreeMap<usize, (u64, u64)>,
    /// How many ever ended their side.
    count: u64,
}

impl Unconfirmed {
    /// A member ended its side, and stood there.
    fn insert(&mut self, key: usize, place: u64) {
        self.count += 1;
        self.keys.insert(self.count, key);
        let before = self.ends.insert(key, (self.count, place));
        debug_assert!(before.is_none(), "{key} ended its side twice");
    }

    /// It is gone, or it is not.
    fn remove(&mut self, key: usize) {
        if let Some((order, _)) = self.ends.remove(&key) {
            self.keys.remove(&order);
        }
    }

    /// Where it stood, if it may be gone.
    fn place(&self, key: usize) -> Option<u64> {
        self.ends.get(&key).map(|(_, place)| *place)
    }

    /// Their keys, the one that ended its side first before the others.
    pub(super) fn keys(&self) -> impl Iterator<Item = usize> {
        self.keys.values().copied()
    }
}

impl Room {
    /// How many are known to be there.
    pub fn here(&self) -> usize {
        self.here
    }

    /// How many places are taken: by members that are there, and by those that may be.
    pub fn places_taken(&self) -> usize {
        self.members.len() - self.gone
    }

    /// Whether no member is or may be there.
    pub fn is_empty(&self) -> bool {
        self.places_taken() == 0
    }

    /// Whether no member is or may be there, and everything that members said was passed on.
    pub fn is_over(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether any member may still say something.
    pub fn has_speakers(&self) -> bool {
        self.speakers > 0
    }

    /// A transfer to so many receivers begins now: the trial lasts until each of them has
    /// acknowledged something, and there is no other after it.
    pub fn expect_receivers(&mut self, quorum: usize) {
        self.trial.quorum = quorum;
        self.trial.is_final = true;
    }

    /// Whether it is not known yet that what the operator says is read.
    pub fn is_on_trial(&self) -> bool {
        !self.trial.is_over
    }

    /// Whether a transfer begins, of which each receiver gets all or nothing.
    pub fn is_whole(&self) -> bool {
        self.trial.is_final
    }

    /// Whether any word of the operator's is not known to be read by a member.
    pub fn is_unheard(&self) -> bool {
        !self.trial.is_over && self.trial.said > 0
    }

    /// Whether it matters for a newcomer's stream if a member that is here reads: then the trial is
    /// over, and the newcomer is not told its bytes.
    pub fn may_be_heard(&self) -> bool {
        self.is_unheard() || (self.is_on_trial() && self.glue.is_midline())
    }

    /// How many bytes of the operator's are wanted now, at most.
    pub fn input_budget(&self) -> usize {
        match self.wants_input() {
            false => 0,
            true if self.trial.is_over && self.backpressure.is_some() => {
                let reserve = self.operators_reserve();
                usize::try_from(reserve)
                    .unwrap_or(usize::MAX)
                    .min(self.operator_fits())
            }
            true if self.trial.is_over => self.operator_fits(),
            true => TRIAL.saturating_sub(self.trial.said),
        }
    }

    /// A member was heard to its end: it says no more, and may be gone. Its unfinished line is to be
    /// [finished](Room::finish) by itself.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn end(&mut self, key: usize) {
        self.change(key, |member| member.is_silent = true);
        self.end_unheard(key);
        self.show_the_last();
    }

    /// A member ended its side and may be gone, though not all that it said before was heard.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn end_unheard(&mut self, key: usize) {
        if self.members[key].presence != Presence::Here {
            return;
        }
        let cursor = &self.members[key].cursor;
        let ended_at = match self.journal.inserted(cursor) {
            0 => self.journal.place(cursor),
            // What was kept for it is still to be told.
            _ => 0,
        };
        self.unconfirmed.insert(key, ended_at);
        self.change(key, |member| member.presence = Presence::Unconfirmed);
    }

    /// A member left that was not heard to its end: its place and its name are free, it does not count
    /// any more, and nothing is owed to it. It [leaves](Room::leave) for good when all that it said
    /// before was heard.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn depart(&mut self, key: usize, now: Instant) {
        match self.members[key].presence {
            Presence::Gone => return,
            Presence::Unconfirmed => self.unconfirmed.remove(key),
            Presence::Here | Presence::Listener => {}
        }
        self.owe_no_more(key, now);
        self.change(key, |member| member.presence = Presence::Gone);
        self.forget_pace(key, now);
    }

    /// A member acknowledged a byte that it was sent, and a program reads it: what was said so far
    /// is heard by it, and the trial is over, if the member is known to be there and no others are
    /// needed.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn heard_by(&mut self, key: usize) {
        self.change(key, |member| member.has_acknowledged = true);
    }

    /// A member acknowledged all that it was handed before its end was read. Of what was said after that
    /// it may have heard nothing.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn heard_to_its_end(&mut self, key: usize) {
        if !self.trial.is_final
            && let Some(place) = self.unconfirmed.place(key)
        {
            self.trial.renew_before(place);
        }
    }

    /// A member acknowledged a byte that it was sent since its end was read: it is there.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn confirm(&mut self, key: usize) {
        if self.members[key].presence == Presence::Unconfirmed {
            self.unconfirmed.remove(key);
            self.change(key, |member| member.presence = Presence::Listener);
        }
    }

    /// A member acknowledged a byte that it was sent while it was here, or since its end was read,
    /// and a program reads it.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn acknowledged(&mut self, key: usize) {
        self.confirm(key);
        self.heard_by(key);
    }

    /// Whether a member acknowledged anything.
    pub fn has_acknowledged(&self, key: usize) -> bool {
        self.members.get(key).is_some_and(|m| m.has_acknowledged)
    }

    /// Those that may be gone, the one that ended its side first before the others.
    pub fn unconfirmed(&self) -> impl Iterator<Item = usize> {
        self.unconfirmed.keys()
    }

    /// Whether a member may be gone.
    pub fn is_unconfirmed(&self, key: usize) -> bool {
        self.unconfirmed.place(key).is_some()
    }

    /// A member is gone: it does not count any more.
    pub(super) fn discount(&mut self, key: usize, member: &Member) {
        if member.presence == Presence::Unconfirmed {
            self.unconfirmed.remove(key);
        }
        self.here -= usize::from(member.presence.is_here());
        self.readers -= usize::from(self.trial.counts(member));
        self.speakers -= usize::from(!member.is_silent);
        self.gone -= usize::from(member.presence == Presence::Gone);
        self.check_trial();
    }

    /// Changes what is known of a member, and the counts with it: the one place, beside its coming
    /// and going, where a count changes.
    fn change(&mut self, key: usize, change: impl FnOnce(&mut Member)) {
        let member = &mut self.members[key];
        self.here -= usize::from(member.presence.is_here());
        self.readers -= usize::from(self.trial.counts(member));
        self.speakers -= usize::from(!member.is_silent);
        self.gone -= usize::from(member.presence == Presence::Gone);
        change(member);
        self.here += usize::from(member.presence.is_here());
        self.readers += usize::from(self.trial.counts(member));
        self.speakers += usize::from(!member.is_silent);
        self.gone += usize::from(member.presence == Presence::Gone);
        self.check_trial();
    }

    /// Begins or ends the trial, whenever it may have changed who acknowledged what.
    fn check_trial(&mut self) {
        self.check();
        match self.readers < self.trial.quorum {
            true => self.trial.begin(),
            false => self.trial.end(),
        }
    }
}
