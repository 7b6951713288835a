//! A retry: when what could not be written is tried again, after a second and then less and less often.

use std::time::Duration;
use std::time::Instant;

/// How long it takes until it is tried again: at first, and at most.
const FIRST: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(10);

/// See the module's documentation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retry {
    /// When to try again; none before the turn is over in which it failed.
    at: Option<Instant>,
    /// How long after that.
    wait: Duration,
}

impl Default for Retry {
    /// Something failed in this turn, for the first time.
    fn default() -> Retry {
        Retry {
            at: None,
            wait: FIRST,
        }
    }
}

impl Retry {
    /// When to try again, if that is known yet.
    pub(super) fn at(self) -> Option<Instant> {
        self.at
    }

    /// A turn is over. Returns whether it is time to try again.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let at = *self.at.get_or_insert(now + self.wait);
        at <= now
    }

    /// It was tried again, and failed.
    pub(super) fn put_off(&mut self, now: Instant) {
        self.at = Some(now + self.wait);
        self.wait = (2 * self.wait).min(SELDOM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_less_and_less_often() {
        let mut now = Instant::now();
        let mut retry = Retry::default();
        assert_eq!(retry.at(), None);
        assert!(!retry.is_due(now));
        let mut waits = Vec::new();
        for _ in 0..9 {
            let at = retry.at().expect("it is known now");
            waits.push((at - now).as_secs());
            now = at;
            assert!(retry.is_due(now));
            retry.put_off(now);
        }
        assert_eq!(waits, [1, 1, 2, 4, 8, 10, 10, 10, 10]);
    }
}
