//! The hubs on the bus, and the owners of names: read from the log, the same at every hub.
//!
//! ```text
//!   nobody's ── a message of key A ──▶ A's ── a bye of A ──▶ nobody's
//!                                       │
//!                                       └─ LEASE without a message of A ──▶ nobody's
//! ```
//!
//! Time is that of the log, so all that reads it decides alike.
//!
//! It promises: a name is held by one key at most, and what another signs in it counts for nothing; each
//! message of a key counts once; how many lines of a key did not come is counted exactly from the first
//! message on. What it keeps is bounded, whatever is published.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;
use std::time::Instant;

use crate::engine::bus::envelope::Envelope;
use crate::engine::bus::envelope::Key;
use crate::engine::bus::jetstream::Stamp;

/// A name is held so long without a message.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// Names that are held at a time: others are not given any.
const MAX_HUBS: usize = 2048;

/// Keys of which it is known what they said, those that hold no name any more included.
const MAX_KEYS: usize = 4 * MAX_HUBS;

/// The holder of a name.
#[derive(Debug, Clone, Copy)]
struct Holder {
    key: Key,
    /// Its last message.
    last: Stamp,
    here: u64,
    /// When we read that.
    heard: Instant,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy)]
struct Counts {
    seq: u64,
    next_line: u64,
    last: Stamp,
}

/// What a message means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the hub's.
    Heard {
        /// It was not here before.
        came: bool,
        /// So many lines of it did not come before.
        missing: u64,
    },
    /// It came before.
    Repeat,
    /// The name belongs to another key.
    Foreign,
}

/// A hub that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone {
    /// Its name.
    pub(super) hub: String,
    /// Whose it was.
    pub(super) key: Key,
    /// How many members it had.
    pub(super) here: u64,
    /// It said so.
    pub(super) clean: bool,
}

/// A hub that is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Present<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Whose it is.
    pub(super) key: Key,
    /// How many members it has.
    pub(super) here: u64,
    /// When it was heard last.
    pub(super) heard: Instant,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Roll {
    names: HashMap<String, Holder>,
    keys: HashMap<Key, Counts>,
    clock: Stamp,
    /// No name was heard longer ago.
    oldest: Stamp,
}

impl Roll {
    /// The hubs that are gone by then.
    pub(super) fn expire(&mut self, stamp: Stamp) -> Vec<Gone> {
        self.clock = self.clock.max(stamp);
        let mut gone = Vec::new();
        let clock = self.clock;
        if clock.since(self.oldest) <= LEASE {
            return gone;
        }
        self.names.retain(|hub, holder| {
            let holds = clock.since(holder.last) <= LEASE;
            if !holds {
                gone.push(Gone {
                    hub: hub.clone(),
                    key: holder.key,
                    here: holder.here,
                    clean: false,
                });
            }
            holds
        });
        let stamps = self.names.values().map(|holder| holder.last);
        self.oldest = stamps.min().unwrap_or(clock);
        gone.sort_by(|a, b| a.hub.cmp(&b.hub));
        gone
    }

    /// What a message means that the log took then, after [`Roll::expire`].
    pub(super) fn hear(&mut self, envelope: &Envelope, now: Instant) -> Verdict {
        let known = self.keys.get(&envelope.key).copied();
        if known.is_some_and(|known| envelope.seq <= known.seq) {
            return Verdict::Repeat;
        }
        let holder = self.names.get(&envelope.hub).map(|holder| holder.key);
        let came = match holder {
            Some(key) if key != envelope.key => return Verdict::Foreign,
            None if self.names.len() >= MAX_HUBS => return Verdict::Foreign,
            holder => holder.is_none(),
        };
        let last = self.clock;
        let next = Holder {
            key: envelope.key,
            last,
            here: envelope.here,
            heard: now,
        };
        self.names.insert(envelope.hub.clone(), next);
        self.make_room();
        let counts = Counts {
            seq: envelope.seq,
            next_line: envelope.first.saturating_add(envelope.lines()),
            last,
        };
        self.keys.insert(envelope.key, counts);
        let missing = known.map_or(0, |known| envelope.first.saturating_sub(known.next_line));
        Verdict::Heard { came, missing }
    }

    /// The hub of that name said that it ends.
    pub(super) fn leave(&mut self, hub: &str) -> Option<Gone> {
        let (hub, holder) = self.names.remove_entry(hub)?;
        Some(Gone {
            hub,
            key: holder.key,
            here: holder.here,
            clean: true,
        })
    }

    /// A key held a name then, before anything was heard of it.
    pub(super) fn note_holder(&mut self, hub: &str, key: Key, last: Stamp, now: Instant) {
        self.oldest = self.oldest.min(last);
        self.names.entry(hub.into()).or_insert(Holder {
            key,
            last,
            here: 0,
            heard: now,
        });
    }

    /// The holder of a name, and how long it stays so without a further message.
    pub(super) fn holder(&self, hub: &str) -> Option<(Key, Duration)> {
        let holder = self.names.get(hub)?;
        let left = LEASE.saturating_sub(self.clock.since(holder.last));
        Some((holder.key, left))
    }

    /// Who is here.
    pub(super) fn present(&self) -> impl Iterator<Item = Present<'_>> {
        self.names.iter().map(|(name, holder)| Present {
            name,
            key: holder.key,
            here: holder.here,
            heard: holder.heard,
        })
    }

    /// Forgets those keys that were heard longest ago, half of them: they hold no name.
    fn make_room(&mut self) {
        if self.keys.len() < MAX_KEYS {
            return;
        }
        let mut stamps: Vec<Stamp> = self.keys.values().map(|counts| counts.last).collect();
        let half = stamps.len() / 2;
        stamps.select_nth_unstable_by_key(half, |stamp| Reverse(*stamp));
        let limit = stamps[half];
        let holders: HashSet<Key> = self.names.values().map(|holder| holder.key).collect();
        let is_kept = |key: &Key, counts: &Counts| counts.last > limit || holders.contains(key);
        self.keys.retain(|key, counts| is_kept(key, counts));
    }
}

#[cfg(test)]
mod tests;
