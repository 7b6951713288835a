//! How long a hub that ends goes on delivering to the other hubs of its class.
//!
//! It promises: a hub that is told to end, by a command or a signal, waits for a moment only, and so does one whose
//! members were waited for until the end of `-q`; nothing is waited for longer than `-q` allows, but for that
//! moment; where no line can be lost, only the word that this hub ends is waited for, and not longer than that.

use std::time::Duration;
use std::time::Instant;

use crate::io::output::LAST_WORDS;

/// How long the end of the hub waits for the bus to take what was said last.
const LAST_LINES: Duration = Duration::from_secs(5);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Farewell {
    end: Instant,
}

impl Farewell {
    /// Of a hub that is told to end.
    pub(super) fn short(now: Instant) -> Farewell {
        Farewell {
            end: now + LAST_WORDS,
        }
    }

    /// Of a hub that has nothing left to do for its members, or may not wait for them any more since it `quits_at`
    /// that time.
    pub(super) fn long(quits_at: Option<Instant>, now: Instant) -> Farewell {
        let end = now + LAST_LINES;
        let end = quits_at.map_or(end, |quits_at| quits_at.min(end));
        Farewell {
            end: end.max(now + LAST_WORDS),
        }
    }

    /// Until when it is waited, if the other hubs may lack so many lines.
    pub(super) fn until(&mut self, lines: u64, now: Instant) -> Instant {
        if lines == 0 {
            self.end = self.end.min(now + LAST_WORDS);
        }
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_waits_until_the_end_of_q_at_the_latest() {
        let now = Instant::now();
        let until = |quits_at| Farewell::long(quits_at, now).until(1, now) - now;
        assert_eq!(until(None), LAST_LINES);
        assert_eq!(until(Some(now + 2 * SECOND)), 2 * SECOND);
        assert_eq!(until(Some(now + 60 * SECOND)), LAST_LINES);
        // It has passed while members were waited for, just now or in a turn that took long.
        for quits_at in [now, now.checked_sub(SECOND).unwrap_or(now)] {
            assert_eq!(until(Some(quits_at)), LAST_WORDS);
        }
        assert_eq!(Farewell::short(now).until(1, now) - now, LAST_WORDS);
    }

    #[test]
    fn where_nothing_can_be_lost_it_waits_for_a_moment() {
        let now = Instant::now();
        let mut farewell = Farewell::long(None, now);
        assert_eq!(farewell.until(2, now), now + LAST_LINES);
        let later = now + SECOND;
        assert_eq!(farewell.until(0, later), later + LAST_WORDS);
        // The moment does not begin again.
        let end = later + LAST_WORDS;
        assert_eq!(farewell.until(0, end), end);
        assert_eq!(Farewell::long(None, now).until(0, now), now + LAST_WORDS);
    }
}
