//! Patience: how long the members that speak wait for a terminal that does not keep up.
//!
//! A terminal that is read takes a burst in a moment, and loses nothing of it if the members that
//! speak wait that long. A terminal that is stopped takes nothing, and a slow one takes a flood too
//! slowly: the members do not wait for these.
//!
//! ```text
//!            full                 it took nothing for STUCK, or
//!   ready ─────────► waiting ─────────────────────────────────────► given up
//!     ▲                │ room again        PATIENCE is spent            │ room again
//!     └────────────────┴────────────────────────────────────────────────┘
//! ```
//!
//! It promises: in any time `t` the waits for one terminal take [`PATIENCE`] and a quarter of `t` at most;
//! one that takes nothing is waited for [`STUCK`], and not again before it took what was kept for it.

use std::time::Duration;
use std::time::Instant;

/// How long the members that speak wait at most, if they did not wait before.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// How long they wait for a terminal that takes nothing.
pub const STUCK: Duration = Duration::from_millis(250);

/// This part of the time in which the members did not wait may be waited later.
const REGAINED: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    Waiting {
        since: Instant,
        /// When it last took something.
        moved: Instant,
    },
    GivenUp,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Patience {
    state: State,
    /// How long they would wait now.
    left: Duration,
    /// When that was so.
    at: Option<Instant>,
    /// The terminal took something since it was last judged.
    took: bool,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            state: State::Ready,
            left: PATIENCE,
            at: None,
            took: false,
        }
    }
}

impl Patience {
    /// Takes note that the terminal took something.
    pub(super) fn took(&mut self) {
        self.took = true;
    }

    /// Finds out whether a terminal that is full is still waited for.
    pub(super) fn judge(&mut self, is_full: bool, now: Instant) {
        let took = std::mem::take(&mut self.took);
        let at = self.at.replace(now).unwrap_or(now);
        let passed = now.saturating_duration_since(at);
        match &mut self.state {
            State::Waiting { moved, .. } if took => *moved = now,
            State::Waiting { .. } => {}
            State::Ready | State::GivenUp => {
                self.left = PATIENCE.min(self.left + passed / REGAINED);
            }
        }
        self.state = match self.state {
            State::Waiting { since, moved } => {
                let waited = now.saturating_duration_since(since);
                let is_over = now >= self.gives_up_at(since, moved);
                match (is_full, is_over) {
                    (true, false) => return,
                    (true, true) => self.stop(waited, State::GivenUp),
                    (false, _) => self.stop(waited, State::Ready),
                }
            }
            State::Ready if is_full => State::Waiting {
                since: now,
                moved: now,
            },
            State::GivenUp if is_full => State::GivenUp,
            State::Ready | State::GivenUp => State::Ready,
        };
    }

    fn stop(&mut self, waited: Duration, then: State) -> State {
        self.left = self.left.saturating_sub(waited);
        then
    }

    fn gives_up_at(&self, since: Instant, moved: Instant) -> Instant {
        (since + self.left).min(moved + STUCK)
    }

    /// Whether a full one is waited for.
    pub(super) fn waits(&self) -> bool {
        self.state != State::GivenUp
    }

    /// When to [`Patience::judge`] next, if the terminal is full until then.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            // It is not known yet since when it is full.
            State::Ready => self.at,
            State::Waiting { since, moved } => Some(self.gives_up_at(since, moved)),
            State::GivenUp => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn who_takes_something_is_waited_for_and_who_takes_nothing_is_not() {
        for (takes, waited) in [(true, PATIENCE), (false, STUCK)] {
            let start = Instant::now();
            let mut patience = Patience::default();
            patience.judge(false, start);
            patience.judge(true, start);
            let mut now = start;
            while patience.waits() {
                now += MS;
                if takes {
                    patience.took();
                }
                patience.judge(true, now);
            }
            assert_eq!(now - start, waited);
            assert_eq!(patience.deadline(), None);
            // Also when it takes a little, until there is room again.
            patience.took();
            patience.judge(true, now + 10 * PATIENCE);
            assert!(!patience.waits());
            patience.judge(false, now + 10 * PATIENCE);
            assert!(patience.waits());
        }
    }

    #[test]
    fn the_deadline_is_when_it_is_given_up() {
        let now = Instant::now();
        let mut patience = Patience::default();
        assert_eq!(patience.deadline(), None);
        patience.judge(false, now);
        assert_eq!(
            patience.deadline(),
            Some(now),
            "it may have become full since"
        );
        patience.judge(true, now);
        assert_eq!(patience.deadline(), Some(now + STUCK));
        patience.took();
        patience.judge(true, now + 900 * MS);
        assert_eq!(patience.deadline(), Some(now + PATIENCE));
        patience.judge(true, now + PATIENCE);
        assert!(!patience.waits());
    }

    proptest! {
        /// However a terminal is full and takes something: no more is waited for it than was promised.
        #[test]
        fn in_any_time_they_wait_for_a_quarter_of_it_and_the_patience(
            steps in prop::collection::vec((0..400_u32, any::<bool>(), any::<bool>()), 1..300),
        ) {
            let start = Instant::now();
            let (mut patience, mut now, mut waited) = (Patience::default(), start, Duration::ZERO);
            patience.judge(false, start);
            let mut is_full = false;
            for (pause, full, took) in steps {
                // A loop wakes up at the deadline.
                let due = patience.deadline().filter(|_| is_full).map(|at| at.max(now));
                let next = due.map_or(now + pause * MS, |due| due.min(now + pause * MS));
                if is_full && patience.waits() {
                    waited += next - now;
                }
                now = next;
                if took {
                    patience.took();
                }
                is_full = full;
                patience.judge(is_full, now);
                prop_assert!(waited <= PATIENCE + (now - start) / REGAINED, "{waited:?}");
            }
        }
    }
}
