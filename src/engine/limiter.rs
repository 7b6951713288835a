//! A limiter of what peers can cause the hub to say: a few events are told one by one, and the
//! others as a number.
//!
//! ```text
//!   caused:  ||||||||||||||||   |    |
//!   told:    |||||          Σ11 |    |        a burst of five; the sum, a while after the first of it
//! ```
//!
//! It promises: in a time `t`, at most as many are told as the burst and one for each `each` of `t`, and
//! one sum for each [`SUMS_UP`] of those; whatever is not told is in a sum.

use std::time::Duration;
use std::time::Instant;

/// After so long one more event may be told, by default.
pub const EACH: Duration = Duration::from_millis(500);

/// After so many of these times the limiter says how many were not told.
pub const SUMS_UP: u32 = 10;

/// See the module's documentation.
#[derive(Debug)]
pub struct Limiter {
    burst: u32,
    each: Duration,
    /// When the whole burst may be told again.
    full_at: Option<Instant>,
    total: u64,
    untold: u64,
    /// When to say how many were not told.
    sums_up_at: Option<Instant>,
}

impl Limiter {
    /// A limiter that lets so many events at once be told one by one, and after each time `each`
    /// one more.
    pub const fn new(burst: u32, each: Duration) -> Limiter {
        Limiter {
            burst,
            each,
            full_at: None,
            total: 0,
            untold: 0,
            sums_up_at: None,
        }
    }

    /// Something happened that counts as `count`. Returns whether that is to be told.
    pub fn count(&mut self, count: u64, now: Instant) -> bool {
        self.total += count;
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + self.each;
        let is_told = full_at <= now + self.each * self.burst;
        match is_told {
            true => self.full_at = Some(full_at),
            false => self.leave_out(count, now),
        }
        self.check();
        is_told
    }

    fn leave_out(&mut self, count: u64, now: Instant) {
        self.untold += count;
        self.sums_up_at.get_or_insert(now + self.each * SUMS_UP);
    }

    /// The same of events that can be told only as a sum.
    pub fn count_for_sum(&mut self, count: u64, now: Instant) {
        if count > 0 {
            self.total += count;
            self.leave_out(count, now);
        }
        self.check();
    }

    /// The same of events that are never told one by one.
    pub fn count_silently(&mut self, count: u64) {
        self.total += count;
    }

    /// All that was counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// When to ask [`Limiter::take_untold`].
    pub fn deadline(&self) -> Option<Instant> {
        self.sums_up_at
    }

    /// How many were not told, when it is time to tell that.
    pub fn take_untold(&mut self, now: Instant) -> Option<u64> {
        self.sums_up_at.take_if(|at| *at <= now)?;
        let untold = std::mem::take(&mut self.untold);
        self.check();
        Some(untold)
    }

    /// The same at the end, when it is time anyway.
    pub fn take_last(&mut self) -> Option<u64> {
        self.sums_up_at.and_then(|at| self.take_untold(at))
    }

    /// Checks the counts, in debug builds: every event that was not told is counted.
    fn check(&self) {
        debug_assert!(self.untold <= self.total, "{self:?}");
        let will_be_told = self.sums_up_at.is_some();
        debug_assert_eq!(self.untold > 0, will_be_told, "{self:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_at_once_the_burst_is_told_and_the_others_are_summed_up() {
        let start = Instant::now();
        let mut limiter = Limiter::new(10, EACH);
        let told = (0..1000).filter(|_| limiter.count(1, start)).count();
        assert_eq!(told, 10);
        let end = start + EACH * SUMS_UP;
        assert_eq!(limiter.deadline(), Some(end));
        assert_eq!(limiter.take_untold(end - Duration::from_nanos(1)), None);
        assert_eq!(limiter.take_untold(end), Some(990));
        assert_eq!(limiter.deadline(), None);
        assert!(limiter.count(3, end));
        assert_eq!((limiter.total(), limiter.deadline()), (1003, None));
    }

    #[test]
    fn a_steady_flood_is_told_at_a_steady_rate() {
        let start = Instant::now();
        let mut limiter = Limiter::new(10, EACH);
        let (mut told, mut summed, mut sums) = (0, 0, 0);
        for i in 0..100_000 {
            let now = start + Duration::from_millis(i);
            told += u64::from(limiter.count(1, now));
            if let Some(untold) = limiter.take_untold(now) {
                summed += untold;
                sums += 1;
            }
        }
        assert_eq!(told, 10 + 199, "a burst, and two in each second");
        assert!((19..=20).contains(&sums), "{sums}");
        let end = start + Duration::from_secs(1000);
        summed += limiter.take_untold(end).unwrap();
        assert_eq!(told + summed, 100_000);
    }

    #[test]
    #[cfg(debug_assertions)]
    fn a_count_that_would_never_be_told_does_not_pass() {
        let forgotten = Limiter {
            total: 1,
            untold: 1,
            ..Limiter::new(1, EACH)
        };
        assert!(std::panic::catch_unwind(|| forgotten.check()).is_err());
    }
}
