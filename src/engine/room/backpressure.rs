//! Backpressure, or who waits for whom and how long: the sources for a slow member, all members for
//! a line that is not finished.
//!
//! While the sources wait, a little is let in all the same: see [`RESERVE`].
//!
//! It promises: the slowest member is not left behind by more than [`HIGH_WATER`], one turn's input
//! and the reserve; a member that is waited for and takes nothing, or makes a conversation wait for
//! too long, is named by [`Room::overdue`] when its time is over.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Room;
use super::SlowPeer;
use super::member::Member;
use super::member::Speech;
use super::pace::Blame;
use super::pace::Pace;
use crate::engine::budget::LEAST;
use crate::engine::journal::Cursor;
use crate::engine::journal::Journal;
use crate::engine::journal::SEGMENT;
use crate::engine::rate::Meter;
use crate::engine::rate::Rate;

/// Bytes the slowest member may be behind before the sources wait for it (or, with
/// [`SlowPeer::Disconnect`], before it is cut off, if not everybody is as slow).
pub const HIGH_WATER: u64 = 1024 * 1024;

/// Bytes the slowest member is behind when the sources go on.
pub const LOW_WATER: u64 = 256 * 1024;

/// Bytes above [`HIGH_WATER`] that are kept for the operator's typed lines and for members that
/// said little.
pub const RESERVE: u64 = 256 * 1024;

/// Part of the stall timeout after which a hold is looked into again.
pub(super) const LOOKS: u32 = 8;

/// Places in the log where one member's stream may differ before it is not read until it catches
/// up: bounds what a member that speaks and never reads can make the room remember.
const MAX_EDITS: usize = 1024;

/// The same of all members together; beyond it only members that have hardly any go on.
pub const EDITS: usize = 64 * 1024;
const FEW_EDITS: usize = 16;

/// Bytes of answers that wait for one member before it is not read until it takes them.
pub(super) const MAX_ANSWERS: u64 = 16 * 1024;

/// The same of all members together, beside [`ONE_ANSWER`] of each. The more of it waits, the less may
/// wait for each: no more than what is left for the others. So those who take nothing leave some of
/// it, and who takes what it gets has that.
pub const ANSWERS: u64 = 1024 * 1024;

/// So much may wait for one member whatever waits for the others: the longest answer, and how many
/// commands before it had none; or a line that another member says to it alone. So a member that has
/// taken all of its answers gets the next one.
pub const ONE_ANSWER: u64 = 1536;

/// The length of a chat's line beside its speaker's name: `<> ` and its end, or, if that is more,
/// the bytes that replace a byte that is not shown as it is.
const LABEL: usize = 5;

/// What the number of a member takes in a label at most, with what stands between it and a name.
const NUMBER: usize = 11;

/// Whether the room waits for a member whose cursor that is, while it waits. Not judged by what that is
/// owed: its own lines behind that hold the room up as well.
pub(super) fn lags(journal: &Journal, cursor: &Cursor) -> bool {
    journal.kept_for(cursor) >= LOW_WATER
}

/// Whether a member whose cursor that is may say what is left out of its own stream, or is answered.
pub(super) fn takes_edit(journal: &Journal, cursor: &Cursor) -> bool {
    let edits = journal.edits(cursor);
    let few = edits < FEW_EDITS || journal.edits_of_all() < EDITS;
    let has_taken_all = journal.inserted(cursor) == 0;
    edits < MAX_EDITS && few && (has_taken_all || takes_much(journal, cursor))
}

/// Whether one more answer, of so many bytes, may wait for it.
pub(super) fn takes_answer(journal: &Journal, cursor: &Cursor, len: usize) -> bool {
    let is_one = journal.inserted(cursor) + len as u64 <= ONE_ANSWER;
    is_one || takes_much(journal, cursor)
}

fn takes_much(journal: &Journal, cursor: &Cursor) -> bool {
    let left = ANSWERS.saturating_sub(journal.inserted_of_all());
    journal.inserted(cursor) < MAX_ANSWERS.min(left)
}

/// The sources wait for a slow member.
#[derive(Debug)]
pub(super) struct Backpressure {
    pub(super) since: Instant,
    /// When to look again for members that make no progress.
    check: Instant,
    /// When to look again which of them take something that they were handed before.
    look: Instant,
    /// The bytes that were kept for the slowest member when the hold began, or the high-water mark
    /// if that is more: the reserve begins there.
    base: u64,
    /// Where the journal ended when the hold began.
    begun: u64,
    /// Those that joined since it began, as one: whoever comes back again and again has no more than the others.
    pub(super) newcomers: Pace,
    /// When members last freed a segment of the journal, or joined, since the hold began.
    pub(super) moved: BTreeMap<usize, Instant>,
    /// The members that make a conversation wait.
    pub(super) blame: Blame,
}

impl Backpressure {
    /// How much may be let in in the whole hold: the reserve, and half of what slow members took since it began. The
    /// other half is theirs to catch up, so that the hold ends, however many use the reserve.
    pub(super) fn budget(&self, journal: &Journal) -> u64 {
        let taken = (self.base + self.let_in(journal)).saturating_sub(journal.retained());
        RESERVE + taken / 2
    }

    /// The rest of that.
    pub(super) fn reserve(&self, journal: &Journal) -> u64 {
        self.budget(journal).saturating_sub(self.let_in(journal))
    }

    fn let_in(&self, journal: &Journal) -> u64 {
        journal.end() - self.begun
    }

    /// Whether a member joined since it began.
    pub(super) fn is_newcomer(&self, member: &Member) -> bool {
        member.account.since > self.since
    }
}

/// Why a member is to be let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue {
    /// It made no progress while everything waited for it.
    Stalled,
    /// It is too slow for the conversation of the others.
    Slow,
    /// It fell too far behind a live stream.
    Behind,
}

/// Bytes of a lone speaker are shown as they come. When a second member joins in the middle of a
/// line, the line's owner keeps the screen until that line ends, for a stream cannot be given the
/// line break that would keep the two apart; but only for the stall timeout, so that no member can
/// mute the others.
#[derive(Debug)]
pub(super) struct LineOwner {
    pub(super) key: usize,
    /// When another member could first have spoken.
    pub(super) since: Option<Instant>,
}

impl Room {
    /// Whether the operator's input is wanted: a member is there, or another hub, and none is too
    /// far behind, or the input is typed and there is room for that.
    pub fn wants_input(&self) -> bool {
        let has_hearers = !self.is_empty() || self.is_of_class();
        has_hearers && (self.backpressure.is_none() || self.operators_reserve() > 0)
    }

    /// Whether any member may be read: the screen has room, and while relaying, so has the room.
    pub fn accepts_input(&self) -> bool {
        let has_room = !self.is_on_hold() || self.members_reserve() > 0;
        has_room && !self.screen.is_full()
    }

    /// Whether the sources wait for a slow member.
    pub fn is_held(&self) -> bool {
        self.backpressure.is_some()
    }

    /// Whether a member that takes nothing is itself what keeps it from being heard.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn holds_itself_up(&self, key: usize) -> bool {
        let cursor = &self.members[key].cursor;
        let is_behind = self.is_held() && self.journal.kept_for(cursor) >= LOW_WATER;
        is_behind || !takes_edit(&self.journal, cursor)
    }

    /// Whether the members wait for a slow one.
    fn is_on_hold(&self) -> bool {
        self.policy.relay && self.backpressure.is_some()
    }

    /// Whether this member may be read while [`Room::accepts_input`].
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn may_speak(&self, key: usize) -> bool {
        let owns_line = !self.policy.surface.is_stream()
            || self
                .line_owner
                .as_ref()
                .is_none_or(|owner| owner.key == key);
        owns_line && takes_edit(&self.journal, &self.members[key].cursor)
    }

    /// Lets each member be read so much in a second from now on.
    pub fn limit(&mut self, rate: Rate) {
        self.rate = Some(rate);
    }

    /// How many bytes of a member that [`Room::may_speak`] may be read now.
    ///
    /// # Errors
    /// None; that is when to ask again.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn read_budget(&self, key: usize, now: Instant) -> Result<usize, Instant> {
        let rated = match self.rate {
            None => u64::MAX,
            Some(rate) => match &self.members[key].speech {
                Some(speech) => speech.meter.read_budget(rate, now)?,
                None => Meter::default().read_budget(rate, now)?,
            },
        };
        let reserved = match self.is_on_hold() {
            false => u64::MAX,
            true => self.reserve_of(key, self.expansion(key), now)?,
        };
        let most = usize::try_from(rated.min(reserved)).unwrap_or(usize::MAX);
        Ok(most.min(self.fits(key)))
    }

    /// How many bytes a byte of a member becomes for the others at most: with a label before each line, one
    /// that is empty is twenty times its line feed.
    fn expansion(&self, key: usize) -> u64 {
        let name = || self.members[key].account.name();
        match self.chat {
            None => 1,
            Some(_) => (LABEL + name().map_or(0, str::len) + self.stamp.len()) as u64,
        }
    }

    /// How many bytes of a member may be read so that what they become fits.
    fn fits(&self, key: usize) -> usize {
        if self.chat.is_none() && self.policy.surface.is_stream() {
            return usize::MAX;
        }
        let name = self.members[key].account.name();
        let name = name.map_or(0, str::len);
        let number = if self.chat.is_none() { NUMBER } else { 0 };
        let shown = self.screen.fits(number + name + self.stamp.len());
        match &self.chat {
            None => shown,
            Some(_) => {
                let each = self.expansion(key) as usize;
                let said = match self.policy.relay {
                    true => self.log_fits(self.members_reserve(), each),
                    false => usize::MAX,
                };
                let streamed = match self.policy.surface.is_stream() {
                    true => (self.screen.left() / each).max(LEAST),
                    false => usize::MAX,
                };
                let gulp = Speech::gulp(self.members[key].speech.as_deref());
                shown.min(said).min(streamed).min(gulp)
            }
        }
    }

    /// How many bytes of the operator's may be taken in so that what they become fits.
    pub(super) fn operator_fits(&self) -> usize {
        match &self.chat {
            None => usize::MAX,
            Some(chat) => {
                let each = LABEL + chat.host().len() + self.stamp.len();
                self.log_fits(self.operators_reserve(), each)
            }
        }
    }

    /// How many bytes fit into the log if each becomes so many, with that reserve in a hold.
    fn log_fits(&self, reserve: u64, each: usize) -> usize {
        let left = match self.backpressure {
            None => HIGH_WATER.saturating_sub(self.journal.retained()),
            Some(_) => reserve,
        };
        (left as usize / each).max(LEAST)
    }

    /// When [`Room::overdue`] is to be asked next, if nothing changes before.
    pub fn deadline(&self) -> Option<Instant> {
        let held = self.backpressure.as_ref();
        let deadlines = [
            held.map(|held| held.check),
            held.and_then(|held| held.blame.full_at),
            self.line_owner_expires(),
            self.announcements.deadline(),
            self.screen.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Puts into `late` the members whose time is over, each once and why. Also takes the screen
    /// from the owner of a line that does not end, waits no longer for a terminal that is too slow,
    /// and announces the newcomers that have stayed for a while.
    pub fn overdue(&mut self, now: Instant, late: &mut Vec<(usize, Overdue)>) {
        self.screen.judge(now);
        if self.line_owner_expires().is_some_and(|end| end <= now) {
            self.disown_line();
        }
        self.announce_due(now);
        // `kept_for` counts up to a segment too much: this far behind is surely beyond the mark.
        let limit = HIGH_WATER + SEGMENT as u64;
        if self.policy.slow == SlowPeer::Disconnect && self.journal.retained() > limit {
            let behind = self
                .members
                .iter()
                .filter(|(_, member)| self.journal.kept_for(&member.cursor) > limit);
            late.extend(behind.map(|(key, _)| (key, Overdue::Behind)));
            return;
        }
        self.find_slow(now, |key| late.push((key, Overdue::Slow)));
        self.find_stalled(now, late);
        late.sort_unstable_by_key(|(key, _)| *key);
        late.dedup_by_key(|(key, _)| *key);
    }

    /// The line that the stream is in the middle of does not end in time: the next speaker does not go on with it.
    fn disown_line(&mut self) {
        let owner = self.line_owner.take();
        if let Some(member) = owner.and_then(|owner| self.members.get(owner.key)) {
            self.screen.abandon(member.account.number);
        }
    }

    fn line_owner_expires(&self) -> Option<Instant> {
        let since = self.line_owner.as_ref()?.since?;
        self.policy
            .surface
            .is_stream()
            .then(|| since + self.policy.stall_timeout)
    }

    /// Starts or ends the backpressure on the sources. Called wherever the journal may have
    /// grown or shrunk.
    pub(super) fn update_backpressure(&mut self, now: Instant) {
        let wait = match self.policy.slow {
            SlowPeer::Wait => {
                let mark = match self.backpressure {
                    None => HIGH_WATER,
                    Some(_) => LOW_WATER,
                };
                self.journal.retained() >= mark
            }
            // The fastest sets the pace, or a source faster than the network would cut off
            // everybody; and with nobody here it would have to wait all the same.
            SlowPeer::Disconnect => {
                let near = LOW_WATER as usize / SEGMENT + 1;
                self.journal.retained() >= LOW_WATER && !self.journal.reached_by_any(near)
            }
        };
        if wait != self.backpressure.is_some() {
            self.switch_backpressure(now);
        }
    }

    /// Ends the backpressure, or starts it if there is none.
    #[cold]
    fn switch_backpressure(&mut self, now: Instant) {
        if let Some(held) = self.backpressure.take() {
            self.end_blame(&held, now);
        } else {
            self.backpressure = Some(Backpressure {
                since: now,
                check: now + self.policy.stall_timeout,
                look: now + self.policy.stall_timeout / LOOKS,
                base: self.journal.retained().max(HIGH_WATER),
                begun: self.journal.end(),
                newcomers: Pace::default(),
                moved: BTreeMap::new(),
                blame: Blame::default(),
            });
            self.begin_blame(now);
        }
    }

    /// The members that keep the room under backpressure and freed no segment for the stall timeout
    /// of it.
    fn find_stalled(&mut self, now: Instant, late: &mut Vec<(usize, Overdue)>) {
        let timeout = self.policy.stall_timeout;
        if self.backpressure.as_ref().is_some_and(|h| h.check <= now) {
            self.find_new_laggards(now);
        }
        let Some(held) = self.backpressure.as_mut().filter(|held| held.check <= now) else {
            return;
        };
        let mut next = now + timeout;
        for (key, member) in self.members.iter() {
            if !lags(&self.journal, &member.cursor) {
                continue;
            }
            let end = *held.moved.get(&key).unwrap_or(&held.since) + timeout;
            if end <= now {
                late.push((key, Overdue::Stalled));
            } else {
                next = next.min(end);
            }
        }
        // Slow ones that do move come due one after the other: not a scan for each of them.
        held.check = next.max(now + timeout / LOOKS);
    }

    /// A member freed a segment of the journal, or takes something all the same.
    pub(super) fn note_move(&mut self, key: usize, now: Instant) {
        if let Some(held) = &mut self.backpressure {
            held.moved.insert(key, now);
        }
    }

    /// When [`Room::laggards`] is to be asked next.
    pub fn next_look(&self) -> Option<Instant> {
        self.backpressure.as_ref().map(|held| held.look)
    }

    /// The members that the room waits for, if it is time to look whether they take some of what they
    /// were handed before: then they have [progressed](Room::progressed), and are stalled only a stall
    /// timeout after that.
    pub fn laggards(&mut self, now: Instant) -> Vec<usize> {
        let Some(held) = self.backpressure.as_mut().filter(|held| held.look <= now) else {
            return Vec::new();
        };
        held.look = now + self.policy.stall_timeout / LOOKS;
        let members = self.members.iter();
        let laggards = members.filter(|(_, member)| lags(&self.journal, &member.cursor));
        laggards.map(|(key, _)| key).collect()
    }
}
