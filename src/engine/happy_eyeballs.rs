//! Happy Eyeballs (RFC 8305): which of a name's addresses is tried when, so that a dead one costs
//! little.
//!
//! The addresses take turns by family, each starts a moment after the one before it, and at once
//! when one failed. The first to connect wins.
//!
//! It promises: every address is tried as long as there is time, none twice; nothing is tried and
//! nothing waited for beyond the limit.

use std::time::Duration;
use std::time::Instant;

/// How long an attempt goes on alone before the next one starts beside it (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// The least of that (the same section), however little time there is.
const LEAST_STAGGER: Duration = Duration::from_millis(10);

/// Puts `found` into the order in which they are to be tried: theirs, but the families take turns,
/// that of the first one first (RFC 8305, section 4).
pub fn interleave<T, F: PartialEq>(found: Vec<T>, family: impl Fn(&T) -> F) -> Vec<T> {
    let Some(first) = found.first().map(&family) else {
        return found;
    };
    let (ours, others): (Vec<T>, Vec<T>) = found.into_iter().partition(|one| family(one) == first);
    let (mut ours, mut others) = (ours.into_iter(), others.into_iter());
    let mut order = Vec::new();
    loop {
        let pair = [ours.next(), others.next()];
        if pair.iter().all(Option::is_none) {
            return order;
        }
        order.extend(pair.into_iter().flatten());
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Start the attempt with this address.
    Start(usize),
    /// Wait for news of those that run, or until then.
    Wait(Instant),
    /// All have failed, or the time is up: no address wins.
    GiveUp,
}

/// A race of addresses. See the module's documentation.
#[derive(Debug)]
pub struct HappyEyeballs {
    entrants: usize,
    started: usize,
    running: usize,
    stagger: Duration,
    /// When the next one starts, if none fails before.
    next: Instant,
    end: Instant,
}

impl HappyEyeballs {
    /// A race of so many addresses from `now` until `end`. Where there is little time, they start
    /// so much closer that each gets its turn.
    pub fn new(entrants: usize, now: Instant, end: Instant) -> HappyEyeballs {
        let each =
            end.saturating_duration_since(now) / u32::try_from(entrants.max(1)).unwrap_or(u32::MAX);
        HappyEyeballs {
            entrants,
            started: 0,
            running: 0,
            stagger: each.clamp(LEAST_STAGGER, STAGGER),
            next: now,
            end,
        }
    }

    /// Decides what to do at `now`.
    pub fn next(&mut self, now: Instant) -> Move {
        let waiting = self.started < self.entrants;
        if now >= self.end || (self.running == 0 && !waiting) {
            return Move::GiveUp;
        }
        if !waiting {
            return Move::Wait(self.end);
        }
        if now < self.next {
            return Move::Wait(self.next.min(self.end));
        }
        let entrant = self.started;
        self.started += 1;
        self.running += 1;
        self.next = now + self.stagger;
        Move::Start(entrant)
    }

    /// Takes note that one of those that run failed: the next starts at once.
    pub fn failed(&mut self, now: Instant) {
        self.running -= 1;
        self.next = now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn order(found: &str) -> String {
        let found: Vec<char> = found.chars().collect();
        interleave(found, char::is_ascii_uppercase)
            .into_iter()
            .collect()
    }

    #[test]
    fn families_take_turns_and_the_first_stays_first() {
        assert_eq!(order(""), "");
        assert_eq!(order("ABC"), "ABC");
        assert_eq!(order("ABCxy"), "AxByC");
        assert_eq!(order("xABCy"), "xAyBC");
        assert_eq!(order("AxByzC"), "AxByCz");
    }

    #[test]
    fn one_after_the_other_and_at_once_after_a_failure() {
        let start = Instant::now();
        let at = |ms| start + ms * MS;
        let mut attempts = HappyEyeballs::new(4, start, at(10_000));
        assert_eq!(attempts.next(at(0)), Move::Start(0));
        assert_eq!(attempts.next(at(0)), Move::Wait(at(250)));
        assert_eq!(attempts.next(at(249)), Move::Wait(at(250)));
        assert_eq!(attempts.next(at(250)), Move::Start(1));
        attempts.failed(at(260));
        assert_eq!(attempts.next(at(260)), Move::Start(2));
        assert_eq!(attempts.next(at(260)), Move::Wait(at(510)));
        attempts.failed(at(300));
        attempts.failed(at(300));
        assert_eq!(attempts.next(at(300)), Move::Start(3));
        assert_eq!(attempts.next(at(300)), Move::Wait(at(10_000)));
        attempts.failed(at(301));
        assert_eq!(attempts.next(at(301)), Move::GiveUp);
    }

    #[test]
    fn the_limit_ends_it_and_a_short_one_brings_them_closer() {
        let start = Instant::now();
        let at = |ms| start + ms * MS;
        let mut attempts = HappyEyeballs::new(2, start, at(100));
        assert_eq!(attempts.next(at(0)), Move::Start(0));
        assert_eq!(attempts.next(at(0)), Move::Wait(at(50)));
        assert_eq!(attempts.next(at(50)), Move::Start(1));
        assert_eq!(attempts.next(at(50)), Move::Wait(at(100)));
        assert_eq!(attempts.next(at(100)), Move::GiveUp);
        let mut late = HappyEyeballs::new(1, at(5), at(5));
        assert_eq!(late.next(at(5)), Move::GiveUp);
        assert_eq!(
            HappyEyeballs::new(0, start, at(5)).next(start),
            Move::GiveUp
        );
    }

    proptest! {
        /// Whatever happens when: every address starts once and in order, as long as there is time;
        /// no wait is for the past or beyond the end; and the end comes.
        #[test]
        fn every_address_gets_its_turn(
            entrants in 0_usize..20,
            limit in 0_u32..20_000,
            // After how many milliseconds an attempt fails, if it does.
            fates in prop::collection::vec(prop::option::of(0_u32..15_000), 20),
        ) {
            let start = Instant::now();
            let end = start + limit * MS;
            let mut attempts = HappyEyeballs::new(entrants, start, end);
            let mut now = start;
            let mut failures: Vec<Instant> = Vec::new();
            let mut started = 0;
            loop {
                match attempts.next(now) {
                    Move::Start(entrant) => {
                        prop_assert_eq!(entrant, started);
                        prop_assert!(now < end);
                        failures.extend(fates[entrant].map(|after| now + after * MS));
                        started += 1;
                    }
                    Move::Wait(until) => {
                        prop_assert!(now < until && until <= end);
                        failures.sort();
                        match failures.first().copied().filter(|&at| at <= until) {
                            Some(at) => {
                                now = at.max(now);
                                failures.remove(0);
                                attempts.failed(now);
                            }
                            None => now = until,
                        }
                    }
                    Move::GiveUp => break,
                }
            }
            // Each start costs a failure or a share of the time, but for the least one.
            if limit as usize >= 10 * entrants {
                prop_assert_eq!(started, entrants);
            }
            prop_assert!(now <= end);
        }
    }
}
