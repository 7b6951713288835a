//! Pace: how long one member made the others wait, and how much it said lately.
//!
//! Each member has a bucket of time. It fills while the member is to blame for a hold (see
//! [`fairness`](super::fairness)), one second per second, and drains otherwise, half a second per second.
//!
//! ```text
//!   hold:  ▁▁█████▁▁▁▁███████████▁        the sources wait for slow members
//!   blame: ▁▁▁▁███▁▁▁▁▁▁█████████▁        … for longer than GRACE, and enough of the others keep up
//!   level: ▁▁▁▁▂▄▆▅▄▃▂▁▁▂▄▆█████ cut off
//! ```
//!
//! So a member is cut off after a while that takes less than about two thirds of what the others take,
//! and less than some 6 MB in a second: nobody notices a hold of a few milliseconds, which is what one
//! costs that takes hundreds of MB in a second and is still the slowest.
//!
//! It promises: a bucket is full no sooner than after as long a time of blame as it holds; what a member
//! said is forgotten [`MEMORY`] after it, but for less than [`FRESH`].

use std::time::Duration;
use std::time::Instant;

use crate::engine::rate::Meter;
use crate::engine::rate::Rate;

/// Bytes that are forgotten in a second. A member that said that many lately has said much: no
/// person types as fast.
const FORGOTTEN: u64 = 64 * 1024;

const NANOS_OF_SECOND: u64 = 1_000_000_000;

/// What is not forgotten after so long means that a member has said much.
const MUCH: Duration = Duration::from_secs(1);

/// When all but [`FRESH`] is forgotten, however much it was.
const MEMORY: Duration = Duration::from_secs(16);

/// Bytes that a member said last and that are not given a time yet: the arithmetic of `Instant` took a
/// fifth of what a relayed line costs the room. A second of forgetting is 64 times as much.
const FRESH: u64 = 1024;

/// Bytes in a second that a member who has not said much may say while the others wait.
const LITTLE: u64 = 4 * 1024;

/// What is known of a member's pace, and of how much it says. It takes memory from the first relayed word of a
/// member on, or when it falls behind: most do neither.
#[derive(Debug, Default)]
pub(super) struct Pace(Option<Box<State>>);

impl Pace {
    /// That of a member that never spoke nor fell behind.
    pub(super) const UNKNOWN: &Pace = &Pace(None);

    /// Whether it is behind in a hold.
    pub(super) fn lags(&self) -> bool {
        self.0.as_ref().is_some_and(|state| state.lags)
    }

    /// Whether it keeps up and says little: that others are slow is at its cost.
    pub(super) fn is_witness(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|state| !state.lags && !state.floods)
    }

    /// A hold has begun.
    pub(super) fn begin(&mut self, lags: bool, now: Instant) {
        if lags || self.0.is_some() {
            self.known(now).begin(lags, now);
        }
    }

    /// It is behind by now, and was not when the hold began.
    pub(super) fn fall_behind(&mut self, now: Instant) {
        let state = self.known(now);
        state.settle(None, now);
        state.lags = true;
    }

    /// It is not behind any more, after those that are were to blame since then.
    pub(super) fn catch_up(&mut self, blamed_since: Option<Instant>, now: Instant) {
        self.settle(blamed_since, now);
        if let Some(state) = &mut self.0 {
            state.lags = false;
        }
    }

    /// Brings its level up to now, after those that are behind were to blame since then, or were not.
    pub(super) fn settle(&mut self, blamed_since: Option<Instant>, now: Instant) {
        if let Some(state) = &mut self.0 {
            state.settle(blamed_since, now);
        }
    }

    /// Its level now.
    pub(super) fn level(&self, blamed_since: Option<Instant>, now: Instant) -> Duration {
        let level = self.0.as_ref().map(|state| state.level(blamed_since, now));
        level.unwrap_or_default()
    }

    /// How long it will take until all that it said is forgotten: the more it said, the longer.
    pub(super) fn said_lately(&self, now: Instant) -> Duration {
        let said = self.0.as_ref().map(|state| state.said_lately(now));
        said.unwrap_or_default()
    }

    /// Bytes that it said since the hold began.
    pub(super) fn said_in_hold(&self) -> u64 {
        self.0.as_ref().map_or(0, |state| state.said_in_hold)
    }

    /// It said so much, while others waited or not.
    pub(super) fn say(&mut self, bytes: u64, in_hold: bool, now: Instant) {
        self.known(now).say(bytes, in_hold, now);
    }

    /// How many bytes it may say now while others wait.
    ///
    /// # Errors
    /// None; that is when to ask again.
    pub(super) fn allowance(&self, now: Instant) -> Result<u64, Instant> {
        match &self.0 {
            Some(state) => state.allowance(now),
            None => Meter::default().read_budget(Rate::per_second(LITTLE), now),
        }
    }

    fn known(&mut self, now: Instant) -> &mut State {
        self.0.get_or_insert_with(|| Box::new(State::new(now)))
    }
}

/// The same of a member that said something or fell behind.
#[derive(Debug)]
struct State {
    lags: bool,
    floods: bool,
    /// How long it made others wait, less half of the time in which it did not.
    level: Duration,
    /// The time at which that was its level.
    level_at: Instant,
    /// When all that it said is forgotten, but for what is fresh.
    forgotten_at: Instant,
    /// Bytes that it said since, fewer than [`FRESH`].
    fresh: u64,
    /// What it said while others waited, of late.
    meter: Meter,
    /// Bytes that it said since they began to wait.
    said_in_hold: u64,
}

impl State {
    /// Nothing is known yet.
    fn new(now: Instant) -> State {
        State {
            lags: false,
            floods: false,
            level: Duration::ZERO,
            level_at: now,
            forgotten_at: now,
            fresh: 0,
            meter: Meter::default(),
            said_in_hold: 0,
        }
    }

    /// A hold has begun.
    fn begin(&mut self, lags: bool, now: Instant) {
        self.settle(None, now);
        self.said_in_hold = 0;
        self.lags = lags;
        self.floods = self.said_lately(now) >= MUCH;
    }

    /// Brings its level up to now, after those that are behind were to blame since then, or were not.
    fn settle(&mut self, blamed_since: Option<Instant>, now: Instant) {
        self.level = self.level(blamed_since, now);
        self.level_at = self.level_at.max(now);
    }

    /// Its level now.
    fn level(&self, blamed_since: Option<Instant>, now: Instant) -> Duration {
        // A member is not to blame for the time before it fell behind.
        let since = blamed_since.filter(|_| self.lags).unwrap_or(now);
        let since = since.max(self.level_at);
        let drained = since.min(now).saturating_duration_since(self.level_at) / 2;
        self.level.saturating_sub(drained) + now.saturating_duration_since(since)
    }

    /// How long it will take until all that it said is forgotten: the more it said, the longer.
    fn said_lately(&self, now: Instant) -> Duration {
        let said = self.forgotten_at.saturating_duration_since(now);
        (said + time_to_forget(self.fresh)).min(MEMORY)
    }

    /// It said so much, while others waited or not.
    fn say(&mut self, bytes: u64, in_hold: bool, now: Instant) {
        self.fresh = self.fresh.saturating_add(bytes);
        if self.fresh >= FRESH {
            self.forgotten_at = now + self.said_lately(now);
            self.fresh = 0;
        }
        if in_hold {
            self.meter.spend(Rate::per_second(LITTLE), bytes, now);
            self.said_in_hold += bytes;
        }
    }

    /// How many bytes it may say now while others wait.
    ///
    /// # Errors
    /// None; that is when to ask again.
    fn allowance(&self, now: Instant) -> Result<u64, Instant> {
        if let Some(left) = self.said_lately(now).checked_sub(MUCH) {
            return Err(now + left + Duration::from_millis(1));
        }
        self.meter.read_budget(Rate::per_second(LITTLE), now)
    }
}

/// How long it takes until so many bytes are forgotten.
fn time_to_forget(bytes: u64) -> Duration {
    Duration::from_nanos(bytes.saturating_mul(NANOS_OF_SECOND) / FORGOTTEN)
}

/// The members that are to blame for a hold.
#[derive(Debug, Default)]
pub(super) struct Blame {
    /// The hold is of a conversation.
    pub(super) is_possible: bool,
    /// The members that lag.
    laggards: usize,
    /// The members that keep up and say little.
    witnesses: usize,
    /// Since when the members that lag are to blame, or from when on they will be.
    pub(super) since: Option<Instant>,
    /// When the first of them is to be cut off, if nothing changes before.
    pub(super) full_at: Option<Instant>,
}

impl Blame {
    /// Counts a member of the room.
    pub(super) fn count(&mut self, pace: &Pace) {
        self.laggards += usize::from(pace.lags());
        self.witnesses += usize::from(pace.is_witness());
    }

    /// Counts a member no more.
    pub(super) fn discount(&mut self, pace: &Pace) {
        self.laggards -= usize::from(pace.lags());
        self.witnesses -= usize::from(pace.is_witness());
    }

    /// Whether those of so many members who lag are to blame.
    pub(super) fn is_fair(&self, members: usize) -> bool {
        let keeping_up = members - self.laggards;
        self.is_possible && self.laggards > 0 && self.witnesses > 0 && keeping_up * 2 >= members
    }

    /// Whether no member lags.
    pub(super) fn is_over(&self) -> bool {
        self.laggards == 0
    }
}
