//! The rate: how much of a peer's bytes may be read, if a limit is set.
//!
//! A token bucket that holds [`BURST`] worth of bytes, kept as the one moment at which all that was
//! read is paid for: so it costs a peer 16 bytes and needs no refilling.
//!
//! It promises: in any time `t` at most `rate × (t + BURST)` bytes are allowed; a peer that was
//! read less than that is allowed the rest, [`QUANTUM`] after it was refused at the latest.

use std::time::Duration;
use std::time::Instant;

/// What may be saved up.
pub const BURST: Duration = Duration::from_secs(1);

/// The least that is worth a read, unless a byte takes longer.
pub const QUANTUM: Duration = Duration::from_millis(100);

/// Bytes in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(u64);

impl Rate {
    /// So many, and at least one.
    pub fn per_second(bytes: u64) -> Rate {
        Rate(bytes.max(1))
    }

    /// How long so many bytes take.
    fn time(self, bytes: u64) -> Duration {
        Duration::from_secs_f64(bytes as f64 / self.0 as f64)
    }

    /// How many bytes take so long.
    fn bytes(self, time: Duration) -> u64 {
        // Rounded, so that a time made of whole bytes is as many again.
        (time.as_secs_f64() * self.0 as f64).round() as u64
    }

    /// The least time that is worth a read.
    fn least(self) -> Duration {
        QUANTUM.max(self.time(1))
    }
}

/// What one peer was read.
#[derive(Debug, Default)]
pub struct Meter {
    /// When all that was read is paid for.
    paid: Option<Instant>,
}

impl Meter {
    /// How many bytes may be read; if none, when to ask again.
    ///
    /// # Errors
    /// The moment at which some may be read.
    pub fn read_budget(&self, rate: Rate, now: Instant) -> Result<u64, Instant> {
        let paid = self.paid.unwrap_or(now).max(now);
        let left = BURST.saturating_sub(paid - now);
        match left < rate.least() {
            true => Err(paid + rate.least() - BURST),
            false => Ok(rate.bytes(left).max(1)),
        }
    }

    /// So many bytes were read.
    pub fn spend(&mut self, rate: Rate, bytes: u64, now: Instant) {
        let paid = self.paid.unwrap_or(now).max(now);
        self.paid = Some(paid + rate.time(bytes));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whoever reads all that is allowed, at whatever moments, never gets more than was
        /// promised, and whoever always waits until it may gets no less.
        #[test]
        fn over_any_time_it_is_the_rate(
            bytes in 1..10_000_000u64,
            pauses in prop::collection::vec(0..400u64, 1..200),
        ) {
            let (rate, start) = (Rate::per_second(bytes), Instant::now());
            let (mut meter, mut now, mut read) = (Meter::default(), start, 0u64);
            for pause in pauses {
                now += Duration::from_millis(pause);
                if let Ok(allowed) = meter.read_budget(rate, now) {
                    meter.spend(rate, allowed, now);
                    read += allowed;
                }
                let most = bytes as f64 * ((now - start) + BURST).as_secs_f64();
                prop_assert!(read as f64 <= most + 1.0, "{read} bytes, at most {most}");
            }
            let (from, already) = (now, read);
            for _ in 0..50 {
                match meter.read_budget(rate, now) {
                    Ok(allowed) => {
                        meter.spend(rate, allowed, now);
                        read += allowed;
                    }
                    Err(later) => {
                        prop_assert!(later > now && later <= now + BURST);
                        now = later;
                    }
                }
            }
            let least = bytes as f64 * (now - from).as_secs_f64();
            prop_assert!((read - already) as f64 >= least.floor() - 1.0);
        }
    }

    #[test]
    fn a_second_is_saved_up_and_no_more() {
        let (rate, now) = (Rate::per_second(1000), Instant::now());
        let mut meter = Meter::default();
        assert_eq!(meter.read_budget(rate, now), Ok(1000));
        meter.spend(rate, 1000, now);
        assert_eq!(meter.read_budget(rate, now), Err(now + QUANTUM));
        assert_eq!(meter.read_budget(rate, now + QUANTUM), Ok(100));
        let later = now + Duration::from_secs(3600);
        assert_eq!(meter.read_budget(rate, later), Ok(1000));
    }

    #[test]
    fn a_byte_in_a_second_comes_by_the_second() {
        let (rate, now) = (Rate::per_second(1), Instant::now());
        let mut meter = Meter::default();
        assert_eq!(meter.read_budget(rate, now), Ok(1));
        meter.spend(rate, 1, now);
        assert_eq!(
            meter.read_budget(rate, now),
            Err(now + Duration::from_secs(1))
        );
    }
}
