//! What a record lacks: what did not fit into what waits for its file, and what of that was told.
//!
//! ```text
//!   add ──► total ───► news: to the operator, at once, and then seldom
//!    │         └─────► the sum, at the end
//!    └────► gap ─────► in the record itself, where it is
//! ```
//!
//! A gap that began goes on until there is room for much: what is missing is missing in one place,
//! and the record goes on behind it.
//!
//! It promises: each byte and line that is missing is counted once, and is in the sum.

use std::fmt;
use std::fmt::Display;
use std::time::Duration;
use std::time::Instant;

/// How long it takes until it is told again that more is missing.
const SELDOM: Duration = Duration::from_secs(10);

/// So much is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) bytes: u64,
    /// Of a record of lines: ends of lines.
    pub(super) lines: u64,
}

impl Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.bytes, self.lines) {
            (bytes, 0) => write!(f, "{bytes} bytes"),
            (bytes, 1) => write!(f, "{bytes} bytes (1 line)"),
            (bytes, lines) => write!(f, "{bytes} bytes ({lines} lines)"),
        }
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Loss {
    total: Missing,
    /// How many of these bytes the operator was told of.
    told: u64,
    /// More is not to be told before.
    tells_at: Option<Instant>,
    /// Lines that the record was not told of.
    gap: u64,
    /// What comes now belongs to the gap.
    is_open: bool,
}

impl Loss {
    /// All that is missing.
    pub(super) fn total(&self) -> Missing {
        self.total
    }

    /// So much is missing.
    pub(super) fn add(&mut self, missing: Missing) {
        self.total.bytes += missing.bytes;
        self.total.lines += missing.lines;
        self.gap += missing.lines;
    }

    /// What comes next is missing as well.
    pub(super) fn open_gap(&mut self) {
        self.is_open = true;
    }

    /// Whether what comes now is missing.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether there is a gap to be closed.
    pub(super) fn has_gap(&self) -> bool {
        self.is_open || self.gap > 0
    }

    /// The record goes on. Returns how many lines it is to be told of.
    pub(super) fn close_gap(&mut self) -> u64 {
        self.is_open = false;
        std::mem::take(&mut self.gap)
    }

    /// What is to be told now: all that is missing, if more is than was told.
    pub(super) fn news(&mut self, now: Instant) -> Option<Missing> {
        if !self.has_news() || self.tells_at.is_some_and(|at| at > now) {
            return None;
        }
        self.tells_at = Some(now + SELDOM);
        self.told();
        Some(self.total)
    }

    /// When more is to be told, if more is missing than was told.
    pub(super) fn tells_at(&self) -> Option<Instant> {
        self.tells_at.filter(|_| self.has_news())
    }

    /// The operator knows how much is missing.
    pub(super) fn told(&mut self) {
        self.told = self.total.bytes;
    }

    fn has_news(&self) -> bool {
        self.total.bytes > self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Missing = Missing {
        bytes: 80,
        lines: 1,
    };

    #[test]
    fn it_is_told_at_once_and_then_seldom() {
        let start = Instant::now();
        let mut loss = Loss::default();
        assert_eq!(loss.news(start), None);
        loss.add(LINE);
        assert_eq!(loss.news(start), Some(LINE));
        assert_eq!(loss.tells_at(), None, "nothing more is missing");
        loss.add(LINE);
        loss.add(LINE);
        let at = loss.tells_at().expect("more is missing");
        assert_eq!(at, start + SELDOM);
        assert_eq!(loss.news(start + SELDOM / 2), None);
        let told = loss.news(at).map(|missing| missing.to_string());
        assert_eq!(told.as_deref(), Some("240 bytes (3 lines)"));
        assert_eq!(loss.news(at + SELDOM), None);
    }

    #[test]
    fn a_gap_goes_on_until_it_is_closed_and_has_its_own_count() {
        let mut loss = Loss::default();
        loss.add(LINE);
        loss.open_gap();
        loss.add(LINE);
        assert!(loss.is_open() && loss.has_gap());
        assert_eq!(loss.close_gap(), 2);
        assert!(!loss.is_open() && !loss.has_gap());
        loss.add(LINE);
        assert_eq!(loss.close_gap(), 1);
        assert_eq!(loss.total().lines, 3);
    }
}
