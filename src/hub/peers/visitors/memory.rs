//! Memory: what is remembered of visitors that were lost, by their tokens, so that they may return.
//!
//! It promises: one that was lost is remembered for [`KEPT`], unless more than [`MOST`] are, or what they
//! need takes more than [`BYTES`]: of those the one that was lost first is forgotten first. Whoever is back
//! takes no part in that any more, however often it was lost.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

use crate::engine::room::Lost;

/// How long one that was lost may take to return.
pub(super) const KEPT: Duration = Duration::from_secs(600);

/// Those that are remembered, and bytes that what they need to go on takes.
pub(super) const MOST: usize = 10_000;
pub(super) const BYTES: usize = 4 * 1024 * 1024;

/// Bytes of that of one.
pub(super) const OF_ONE: usize = 64 * 1024;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Memory {
    kept: HashMap<String, Kept>,
    /// Their tokens in the order in which they were lost, by [`Kept::place`].
    order: BTreeMap<u64, String>,
    /// The place in the order of the next.
    next: u64,
    /// Bytes of what they need to go on.
    held: usize,
}

/// A member that was lost.
#[derive(Debug)]
pub(super) struct Kept {
    place: u64,
    until: Instant,
    pub(super) lost: Lost,
    /// Bytes of what it said.
    pub(super) heard: u64,
}

impl Memory {
    /// Whether nobody is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Remembers one that was lost, of which so many bytes were heard. Whose stream needs more than one may have
    /// is remembered without it.
    pub(super) fn keep(&mut self, token: String, mut lost: Lost, heard: u64, now: Instant) {
        if lost.held() > OF_ONE {
            lost.end_stream();
        }
        let kept = Kept {
            place: self.next,
            until: now + KEPT,
            lost,
            heard,
        };
        self.next += 1;
        self.held += kept.lost.held();
        self.order.insert(kept.place, token.clone());
        self.kept.insert(token, kept);
        while let Some((_, first)) = self.order.first_key_value()
            && (self.kept.len() > MOST || self.held > BYTES || self.kept[first].until <= now)
        {
            let first = first.clone();
            self.forget(&first);
        }
    }

    /// Whether one of that token is remembered.
    pub(super) fn has(&self, token: &str, now: Instant) -> bool {
        self.kept.get(token).is_some_and(|kept| now < kept.until)
    }

    /// One of that token is back, if it is remembered.
    pub(super) fn take(&mut self, token: &str, now: Instant) -> Option<Kept> {
        self.forget(token).filter(|kept| now < kept.until)
    }

    fn forget(&mut self, token: &str) -> Option<Kept> {
        let kept = self.kept.remove(token)?;
        self.order.remove(&kept.place);
        self.held -= kept.lost.held();
        Some(kept)
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.order.len(), self.kept.len());
        self.kept.len()
    }

    /// Bytes of what they need to go on.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let held = self.kept.values().map(|kept| kept.lost.held());
        assert_eq!(self.held, held.sum::<usize>());
        self.held
    }
}
