//! Mutes: the speakers of other hubs that this hub neither shows nor relays.
//!
//! It promises: who is muted is a member of one process of a hub. Another process of that name, and a hub that
//! was not there yet, have other members under the same numbers, and these are heard.

use std::collections::HashMap;

use crate::engine::bus::envelope::Key;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Mutes(HashMap<Key, Vec<u32>>);

impl Mutes {
    /// Mutes a speaker of that process, or hears it again. Returns whether it was muted.
    pub(super) fn set(&mut self, key: Key, number: u32, on: bool) -> bool {
        let numbers = self.0.entry(key).or_default();
        let place = numbers.binary_search(&number);
        match (place, on) {
            (Err(at), true) => numbers.insert(at, number),
            (Ok(at), false) => {
                numbers.remove(at);
            }
            _ => {}
        }
        place.is_ok()
    }

    /// Whether a speaker of that process is muted.
    pub(super) fn has(&self, key: Key, number: u32) -> bool {
        self.of(key).binary_search(&number).is_ok()
    }

    /// The muted speakers of that process, the lowest number first.
    pub(super) fn of(&self, key: Key) -> &[u32] {
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }

    /// That process says nothing more.
    pub(super) fn forget(&mut self, key: Key) {
        self.0.remove(&key);
    }
}
