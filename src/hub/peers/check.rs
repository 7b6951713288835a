//! Checks of the peers' queues when a turn is over, in debug builds.
//!
//! It promises: each key in a queue is that of a peer that is there and knows it, and no peer waits for
//! a queue that it is not in.

use std::collections::HashSet;

use super::Peer;
use super::Peers;
use crate::io::device::Device;
use crate::io::stream::Stream;

/// So many peers are checked in every turn; of more, one turn of as many.
const FEW: usize = 64;

impl<S: Stream, D: Device> Peers<S, D> {
    /// To be called when no peer leaves but those that wait for room.
    pub(super) fn check(&self) {
        let is_sample = self.conns.len() <= FEW || self.speakers.turn().is_multiple_of(FEW as u32);
        if !cfg!(debug_assertions) || !is_sample {
            return;
        }
        assert!(self.exits.leaving().next().is_none(), "somebody is leaving");
        self.check_queue("read", self.speakers.keys(), |peer| peer.to_read);
        self.check_queue("flushed", &self.owed, |peer| peer.to_flush);
        self.check_queue("looked at", self.looks.keys(), |peer| peer.to_look);
        self.check_queue("judged", &self.exits.closing, |peer| peer.is_closing);
        let mut closing = self.exits.closing.iter().map(|&key| &self.conns[key]);
        let is_read = closing.all(|peer| peer.to_read);
        assert!(is_read, "one is to be judged of which all was read");
    }

    /// The keys in the queue are those of the peers that are marked as queued.
    fn check_queue<'a>(
        &self,
        what: &str,
        queue: impl IntoIterator<Item = &'a usize>,
        says: impl Fn(&Peer<S>) -> bool,
    ) {
        let mut queued = HashSet::new();
        for &key in queue {
            assert!(queued.insert(key), "{key} is to be {what} twice");
        }
        // For peers that leave it does not matter.
        let say = self.conns.iter();
        let say = say.filter(|(_, peer)| !peer.leaving && says(peer));
        let say: HashSet<usize> = say.map(|(key, _)| key).collect();
        assert_eq!(queued, say, "who is to be {what}");
    }
}
