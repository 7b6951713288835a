//! Fairness: which members are to blame for a hold, and what is let in meanwhile.
//!
//! A stream from a pipe or a file waits for its slowest reader, on purpose. A conversation does not:
//! while at least half of the members owe less than [`LOW_WATER`](super::LOW_WATER), each that owes more
//! is to blame for what the hold lasts beyond [`GRACE`], and is cut off when its [bucket](super::pace)
//! holds `--stall-timeout`. That members which flood keep up does not
//! prove that the others are slow: where only those keep up, there is no conversation.
//!
//! It promises: a member is never cut off for its pace while fewer than half of the others keep up, and
//! so never the last one; what is let in during a hold is bounded by [`RESERVE`](super::RESERVE) and half of what
//! slow members took since, the last of it the operator's alone, and no members use up what is another's; members are
//! counted once in a hold, and whenever it changes which of them are to blame, not with each write.

use std::time::Duration;
use std::time::Instant;

use super::Presence;
use super::Room;
use super::SlowPeer;
use super::backpressure::Backpressure;
use super::backpressure::LOOKS;
use super::backpressure::lags;
use super::pace::Pace;
use crate::engine::rate::QUANTUM;

/// How long a hold may last before anybody is to blame for it: no person notices less. Who takes what is
/// between the marks in that time, 7.8 MB in a second, harms nobody, however fast the others are.
const GRACE: Duration = Duration::from_millis(100);

/// The part of the reserve that is the operator's alone.
const OPERATORS: u64 = 64 * 1024;

/// Of half of what all of them have, a member may have said as much in a hold as one part in so many of what is
/// left: however many use theirs up, as much and more is left for members that said less (the dynamic
/// thresholds of Choudhury and Hahne, IEEE/ACM Transactions on Networking 6 (2), 1998). Of the other half each
/// has an equal part, whoever comes first.
const PARTS: u64 = 4;

/// What is forgotten so soon is hardly anything: it is not known when it was said.
const HARDLY: Duration = Duration::from_millis(16);

impl Room {
    /// The operator's words are typed and no stream: no member sets the pace of them.
    pub fn expect_typing(&mut self) {
        self.is_typed = true;
    }

    /// A hold has begun.
    pub(super) fn begin_blame(&mut self, now: Instant) {
        let is_conversation = self.is_typed || self.journal.bulk() * 2 <= self.journal.retained();
        let Some(held) = &mut self.backpressure else {
            return;
        };
        held.blame.is_possible = is_conversation && self.policy.slow == SlowPeer::Wait;
        let staying = self.members.iter_mut();
        for (_, member) in staying.filter(|(_, m)| m.presence != Presence::Gone) {
            let lags = lags(&self.journal, &member.cursor);
            if lags || member.speech.is_some() {
                member.pace_mut().begin(lags, now);
            }
            held.blame.count(member.pace());
        }
        self.judge(now);
    }

    /// A hold is over.
    pub(super) fn end_blame(&mut self, held: &Backpressure, now: Instant) {
        if !held.blame.is_over() {
            let known = self.members.iter_mut();
            for pace in known.filter_map(|(_, member)| member.known_pace()) {
                pace.catch_up(held.blame.since, now);
            }
        }
        self.was_released = true;
    }

    /// A member took something: it may have caught up.
    pub(super) fn note_progress(&mut self, key: usize, now: Instant) {
        let Some(held) = &mut self.backpressure else {
            return;
        };
        let member = &mut self.members[key];
        if member.pace().lags() && !lags(&self.journal, &member.cursor) {
            held.blame.discount(member.pace());
            member.pace_mut().catch_up(held.blame.since, now);
            held.blame.count(member.pace());
            self.judge(now);
        }
    }

    /// A member joined, perhaps in a hold.
    pub(super) fn note_newcomer(&mut self, key: usize, now: Instant) {
        if let Some(held) = &mut self.backpressure {
            held.moved.insert(key, now);
            held.blame.count(self.members[key].pace());
            self.judge(now);
        }
    }

    /// A member that was just taken out had this pace.
    pub(super) fn note_leaver(&mut self, pace: &Pace, now: Instant) {
        if let Some(held) = &mut self.backpressure {
            held.blame.discount(pace);
            self.judge(now);
        }
    }

    /// A member that is still to be heard left: it takes nothing more, and is no witness that others are
    /// slow.
    pub(super) fn forget_pace(&mut self, key: usize, now: Instant) {
        if let Some(held) = &mut self.backpressure {
            held.blame.discount(self.members[key].pace());
            self.judge(now);
        }
    }

    /// It may have changed whether the members that lag are to blame.
    fn judge(&mut self, now: Instant) {
        let Some(held) = &mut self.backpressure else {
            return;
        };
        let is_fair = held.blame.is_fair(self.members.len() - self.gone);
        if is_fair == held.blame.since.is_some() {
            return;
        }
        let blamed_from = now.max(held.since + GRACE);
        let since = std::mem::replace(&mut held.blame.since, is_fair.then_some(blamed_from));
        let known = self.members.iter_mut();
        let known = known.filter_map(|(_, member)| member.known_pace());
        known
            .filter(|pace| pace.lags())
            .for_each(|pace| pace.settle(since, now));
        self.find_next_full(now);
    }

    /// Finds out when the first of the members that are to blame is to be cut off.
    fn find_next_full(&mut self, now: Instant) {
        let timeout = self.policy.stall_timeout;
        if let Some(held) = &mut self.backpressure {
            let since = held.blame.since;
            let paces = self.members.iter().map(|(_, member)| member.pace());
            let laggards = paces.filter(|pace| pace.lags());
            let from = since.map_or(now, |since| since.max(now));
            let levels = laggards.map(|pace| pace.level(since, from));
            let fullest = levels.max().filter(|_| since.is_some());
            held.blame.full_at = fullest.map(|level| from + timeout.saturating_sub(level));
        }
    }

    /// Looks for members that are behind by now and were not when the hold began.
    pub(super) fn find_new_laggards(&mut self, now: Instant) {
        let Some(held) = &mut self.backpressure else {
            return;
        };
        let mut found = false;
        let staying = self.members.iter_mut();
        for (_, member) in staying.filter(|(_, m)| m.presence != Presence::Gone) {
            if !member.pace().lags() && lags(&self.journal, &member.cursor) {
                held.blame.discount(member.pace());
                member.pace_mut().fall_behind(now);
                held.blame.count(member.pace());
                found = true;
            }
        }
        if found {
            self.judge(now);
            self.find_next_full(now);
        }
    }

    /// The members that made the others wait for too long, if it is time.
    pub(super) fn find_slow(&mut self, now: Instant, mut found: impl FnMut(usize)) {
        let timeout = self.policy.stall_timeout;
        let Some(held) = &mut self.backpressure else {
            return;
        };
        if held.blame.full_at.is_none_or(|at| at > now) {
            return;
        }
        let mut next = timeout / LOOKS;
        for (key, member) in self.members.iter().filter(|(_, m)| m.pace().lags()) {
            match timeout.saturating_sub(member.pace().level(held.blame.since, now)) {
                Duration::ZERO => found(key),
                left => next = next.min(left),
            }
        }
        held.blame.full_at = Some(now + next);
    }

    /// How many bytes of the operator's may be let in although the room is on hold.
    pub(super) fn operators_reserve(&self) -> u64 {
        match &self.backpressure {
            Some(held) if self.is_typed && self.policy.slow == SlowPeer::Wait => {
                held.reserve(&self.journal)
            }
            _ => 0,
        }
    }

    /// The same of all members together.
    pub(super) fn members_reserve(&self) -> u64 {
        match &self.backpressure {
            Some(held) if self.policy.slow == SlowPeer::Wait => {
                held.reserve(&self.journal).saturating_sub(OPERATORS)
            }
            _ => 0,
        }
    }

    /// How much a member may have said in this hold.
    fn part_of_reserve(&self) -> u64 {
        let Some(held) = &self.backpressure else {
            return 0;
        };
        let half = held.budget(&self.journal).saturating_sub(OPERATORS) / 2;
        let left = self.members_reserve().saturating_sub(half);
        let members = (self.members.len() - self.gone).max(1) as u64;
        (left / PARTS).max(half / members)
    }

    /// How many bytes of one member may be read although it is on hold, if each becomes so many at most. What
    /// it holds of a line may be passed on with them. One that is gone can wait.
    ///
    /// # Errors
    /// None; that is when to ask again.
    pub(super) fn reserve_of(&self, key: usize, each: u64, now: Instant) -> Result<u64, Instant> {
        let member = &self.members[key];
        if member.presence == Presence::Gone {
            return Err(now + QUANTUM);
        }
        let held = self.backpressure.as_ref();
        let newcomers = held.filter(|held| held.is_newcomer(member));
        let account = newcomers.map_or(member.pace(), |held| &held.newcomers);
        let allowed = account.allowance(now)?.min(member.pace().allowance(now)?);
        let share = self
            .part_of_reserve()
            .saturating_sub(account.said_in_hold());
        match (share / each).saturating_sub(member.unfinished() as u64) {
            0 => Err(now + QUANTUM),
            share => Ok(share.min((allowed / each).max(1))),
        }
    }

    /// A member said so much that the others hear.
    pub(super) fn note_said(&mut self, key: usize, bytes: u64, now: Instant) {
        let member = &mut self.members[key];
        member
            .pace_mut()
            .say(bytes, self.backpressure.is_some(), now);
        if let Some(held) = &mut self.backpressure
            && held.is_newcomer(member)
        {
            held.newcomers.say(bytes, true, now);
        }
    }

    /// Whether a hold is over, and [`Room::take_release`] was not called since.
    pub fn was_released(&self) -> bool {
        self.was_released
    }

    /// The same, once: the members that said least come first now.
    pub fn take_release(&mut self) -> bool {
        std::mem::take(&mut self.was_released)
    }

    /// Where a member stands in the order of those that said least lately: by the time until that is forgotten, and of
    /// those that said hardly anything, who came last is last, whatever it will say.
    pub fn said_lately(&self, key: usize, now: Instant) -> Option<(Duration, u32)> {
        let member = self.members.get(key)?;
        let said = member.pace().said_lately(now);
        Some((said.saturating_sub(HARDLY), member.account.number))
    }
}
