//! Memory: what is remembered of visitors that are not here, by their tokens: of those that were lost what they need
//! to return, and of those that the operator sent away why.
//!
//! It promises: each is remembered for [`KEPT`], unless more than [`MOST`] are, or what is kept of them takes more
//! than [`BYTES`]: of those the one that left first is forgotten first. Whoever is back takes no part in that any
//! more, however often it was lost.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

use crate::engine::room::Lost;

/// How long one is remembered.
pub(super) const KEPT: Duration = Duration::from_secs(600);

/// Those that are remembered, and bytes that what is kept of them takes.
pub(super) const MOST: usize = 10_000;
pub(super) const BYTES: usize = 4 * 1024 * 1024;

/// Bytes that the stream of one takes of that.
pub(super) const OF_ONE: usize = 64 * 1024;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Memory {
    kept: HashMap<String, Kept>,
    /// Their tokens in the order in which they left, by [`Kept::place`].
    order: BTreeMap<u64, String>,
    /// The place in the order of the next.
    next: u64,
    /// Bytes of what is kept of them.
    held: usize,
}

/// A member that is not here.
#[derive(Debug)]
struct Kept {
    place: u64,
    until: Instant,
    past: Past,
}

/// How it left.
#[derive(Debug)]
pub(super) enum Past {
    /// It was lost.
    Lost(Away),
    /// The operator sent it away, and why.
    SentAway(String),
}

/// A member that was lost.
#[derive(Debug)]
pub(super) struct Away {
    pub(super) lost: Lost,
    /// Bytes of what it said.
    pub(super) heard: u64,
}

impl Past {
    /// Bytes that it takes beside what each does.
    fn held(&self) -> usize {
        match self {
            Past::Lost(away) => away.lost.held(),
            Past::SentAway(why) => why.len(),
        }
    }
}

impl Memory {
    /// Whether nobody is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Remembers one that was lost. Whose stream needs more than one may have is remembered without it.
    pub(super) fn keep(&mut self, token: String, mut away: Away, now: Instant) {
        if away.lost.held() > OF_ONE {
            away.lost.end_stream();
        }
        self.put(token, Past::Lost(away), now);
    }

    /// Remembers one that the operator sent away, and why.
    pub(super) fn send_away(&mut self, token: String, why: String, now: Instant) {
        self.put(token, Past::SentAway(why), now);
    }

    fn put(&mut self, token: String, past: Past, now: Instant) {
        let kept = Kept {
            place: self.next,
            until: now + KEPT,
            past,
        };
        self.next += 1;
        self.held += kept.past.held();
        self.order.insert(kept.place, token.clone());
        self.kept.insert(token, kept);
    }

    /// When the time of the first is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (_, first) = self.order.first_key_value()?;
        Some(self.kept[first].until)
    }

    /// Forgets those whose time is over, and those for whom there is no room. Returns the numbers of those of them
    /// that could have returned.
    pub(super) fn forget_old(&mut self, now: Instant) -> Vec<u32> {
        let mut forgotten = Vec::new();
        while let Some((_, first)) = self.order.first_key_value()
            && (self.kept.len() > MOST || self.held > BYTES || self.kept[first].until <= now)
        {
            let first = first.clone();
            if let Some(Past::Lost(away)) = self.forget(&first) {
                forgotten.push(away.lost.number());
            }
        }
        forgotten
    }

    /// What is remembered of the one with that token.
    pub(super) fn past(&self, token: &str, now: Instant) -> Option<&Past> {
        let kept = self.kept.get(token).filter(|kept| now < kept.until);
        kept.map(|kept| &kept.past)
    }

    /// The one with that token is back, if it was lost.
    pub(super) fn take(&mut self, token: &str, now: Instant) -> Option<Away> {
        let Some(Past::Lost(_)) = self.past(token, now) else {
            return None;
        };
        match self.forget(token)? {
            Past::Lost(away) => Some(away),
            Past::SentAway(_) => None,
        }
    }

    fn forget(&mut self, token: &str) -> Option<Past> {
        let kept = self.kept.remove(token)?;
        self.order.remove(&kept.place);
        self.held -= kept.past.held();
        Some(kept.past)
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.order.len(), self.kept.len());
        self.kept.len()
    }

    /// Bytes of what is kept of them.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let held = self.kept.values().map(|kept| kept.past.held());
        assert_eq!(self.held, held.sum::<usize>());
        self.held
    }
}
