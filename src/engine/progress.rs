//! How far a transfer is, as a line to be drawn again and again while bytes move.
//!
//! It promises: at most ten lines a second; the last that moved is drawn, and where nothing moves for a
//! second, that is drawn, once; then nothing is drawn and nothing is waited for.

use std::fmt;
use std::fmt::Display;
use std::fmt::Write;
use std::time::Duration;
use std::time::Instant;

use unicode_width::UnicodeWidthStr;

/// How long a line stays before the next one.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// After how long without a byte it is drawn that none moves.
const STILL: Duration = Duration::from_secs(1);

/// How much of the rate is what it was a tick ago. The rest is what moved since.
const INERTIA: f64 = 0.8;

/// When to draw what moved, and how fast it moves.
#[derive(Debug)]
pub(super) struct Meter {
    began: Instant,
    drawn: Option<Drawn>,
}

#[derive(Debug, Clone, Copy)]
struct Drawn {
    at: Instant,
    state: (u64, u64),
    /// Bytes per second.
    rate: f64,
}

impl Meter {
    /// Nothing moved, and nothing is drawn.
    pub(super) fn new(now: Instant) -> Meter {
        Meter {
            began: now,
            drawn: None,
        }
    }

    /// Whether anything was drawn.
    pub(super) fn is_drawn(&self) -> bool {
        self.drawn.is_some()
    }

    /// See [`TransferProgress::due`].
    pub(super) fn due(&self, state: (u64, u64)) -> Option<Instant> {
        match &self.drawn {
            None if state.0 == 0 => None,
            None => Some(self.began),
            Some(drawn) if drawn.state == state => (drawn.rate > 0.0).then(|| drawn.at + STILL),
            Some(drawn) => Some(drawn.at + TICK),
        }
    }

    /// Whether nothing moved since it was drawn.
    fn is_still(&self, state: (u64, u64)) -> bool {
        self.drawn.is_some_and(|drawn| drawn.state == state)
    }

    /// It is drawn in this `state`: how many bytes move in a second now.
    pub(super) fn rate(&mut self, state: (u64, u64), now: Instant) -> u64 {
        let (at, before, rate) = match &self.drawn {
            Some(drawn) => (drawn.at, drawn.state.0, Some(drawn.rate)),
            None => (self.began, 0, None),
        };
        let time = now.saturating_duration_since(at).max(TICK).as_secs_f64();
        let current = state.0.saturating_sub(before) as f64 / time;
        // Bytes that come seldom are drawn seldom, and a sample is as old as it is, in whole ticks: for
        // `powf` alone each start of the program would load `libm.so`.
        let inertia = INERTIA.powi((time / TICK.as_secs_f64()) as i32);
        let rate = match rate {
            Some(_) if self.is_still(state) => 0.0,
            Some(rate) => rate * inertia + current * (1.0 - inertia),
            None => current,
        };
        self.drawn = Some(Drawn {
            at: now,
            state,
            rate,
        });
        rate as u64
    }
}

/// A transfer. See the module's documentation.
#[derive(Debug)]
pub struct TransferProgress {
    total: Option<u64>,
    meter: Meter,
}

impl TransferProgress {
    /// A transfer of `total` bytes, if that is known, which begins now.
    pub fn new(total: Option<u64>, now: Instant) -> TransferProgress {
        TransferProgress {
            total,
            meter: Meter::new(now),
        }
    }

    /// When a line is to be drawn for this `state`: bytes moved, and anything else that changes as
    /// they are taken. None: it is drawn already.
    pub fn due(&self, state: (u64, u64)) -> Option<Instant> {
        // What is over stands still.
        let is_over =
            self.total.is_some_and(|total| state.0 >= total) && self.meter.is_still(state);
        self.meter.due(state).filter(|_| !is_over)
    }

    /// The line for this `state`, for a terminal that has so many `columns`, and how `slowest` is called,
    /// and by how many bytes it is behind.
    pub fn line(
        &mut self,
        state: (u64, u64),
        slowest: Option<(String, u64)>,
        columns: u16,
        now: Instant,
    ) -> String {
        let (bytes, _) = state;
        let rate = self.meter.rate(state, now);
        let mut line = format!("muxnc: {}", Size(bytes));
        // Writing to a String cannot fail.
        if let Some(total) = self.total.filter(|&total| total > 0) {
            let percent = bytes.min(total) * 100 / total;
            let _ = write!(line, " of {}, {percent}%", Size(total));
        }
        let _ = write!(line, ", {}/s", Size(rate));
        if let Some((who, behind)) = slowest.filter(|&(_, behind)| behind > 0) {
            let _ = write!(line, ", {who} is behind by {}", Size(behind));
        }
        // The last column stays free: a terminal might begin another line.
        while line.width() >= usize::from(columns.max(1)) {
            line.pop();
        }
        line
    }
}

/// A number of bytes for people.
#[derive(Debug, Clone, Copy)]
pub struct Size(pub u64);

impl Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
        if self.0 < 1024 {
            let word = if self.0 == 1 { "byte" } else { "bytes" };
            return write!(f, "{} {word}", self.0);
        }
        let mut size = self.0 as f64 / 1024.0;
        let mut unit = 0;
        // What would be rounded up to 1024 is one of the next unit.
        while size >= 1023.95 && unit + 1 < UNITS.len() {
            size /= 1024.0;
            unit += 1;
        }
        write!(f, "{size:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (5 * 1024 * 1024 * 1024 / 2, "2.5 GiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }

    #[test]
    fn a_line_is_due_while_bytes_move_and_not_too_often() {
        let now = Instant::now();
        let mut progress = TransferProgress::new(Some(4 * 1024 * 1024), now);
        assert_eq!(progress.due((0, 0)), None);
        assert_eq!(progress.due((1, 0)), Some(now));
        let now = now + TICK;
        let state = (1024 * 1024, 0);
        let behind = |bytes| Some((String::from("[7 漢字]"), bytes));
        let line = progress.line(state, behind(300 * 1024), 80, now);
        assert_eq!(
            line,
            "muxnc: 1.0 MiB of 4.0 MiB, 25%, 10.0 MiB/s, [7 漢字] is behind by 300.0 KiB"
        );
        assert_eq!(progress.due((1024 * 1024, 1)), Some(now + TICK));
        // Nothing moves: that is told once.
        assert_eq!(progress.due(state), Some(now + STILL));
        let mut stuck = TransferProgress::new(Some(4 * 1024 * 1024), now);
        stuck.line(state, behind(300 * 1024), 80, now);
        assert_eq!(
            stuck.line(state, behind(300 * 1024), 80, now + STILL),
            "muxnc: 1.0 MiB of 4.0 MiB, 25%, 0 bytes/s, [7 漢字] is behind by 300.0 KiB"
        );
        assert_eq!(stuck.due(state), None);
        stuck.line((4 * 1024 * 1024, 0), None, 80, now + 2 * STILL);
        assert_eq!(stuck.due((4 * 1024 * 1024, 0)), None, "it is over");
        let line = progress.line((2 * 1024 * 1024, 0), behind(0), 80, now + TICK);
        assert_eq!(line, "muxnc: 2.0 MiB of 4.0 MiB, 50%, 10.0 MiB/s");
        let line = progress.line((2 * 1024 * 1024, 0), None, 20, now + TICK * 2);
        assert_eq!(line, "muxnc: 2.0 MiB of 4");
        for columns in 0..80 {
            let line = progress.line((2 * 1024 * 1024, 0), behind(1), columns, now + TICK * 3);
            assert!(line.width() < usize::from(columns.max(1)), "{line}");
        }
    }

    /// However often it is drawn: a burst at the beginning is forgotten in a few seconds.
    #[test]
    fn a_rate_is_of_the_last_moments() {
        for every in [TICK, 10 * TICK] {
            let mut now = Instant::now();
            let mut meter = Meter::new(now);
            let mut bytes = 1024 * 1024;
            meter.rate((bytes, 0), now);
            let end = now + 50 * TICK;
            let mut rate = 0;
            while now < end {
                now += every;
                bytes += every.as_millis() as u64 * 100;
                rate = meter.rate((bytes, 0), now);
            }
            assert!(
                (100_000..101_000).contains(&rate),
                "{rate} in steps of {every:?}"
            );
        }
    }
}
