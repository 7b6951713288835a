//! Digests of what went through a hub (`--sha256`): of what the operator said to everybody, and of what
//! each peer said.
//!
//! It promises: a peer that has left, and whose digest was told, takes no memory.

use std::collections::HashMap;
use std::time::Instant;

use super::Peers;
use crate::engine::digest::Digest;
use crate::hub::news::Topic;
use crate::io::device::Device;
use crate::io::stream::Stream;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Digests {
    said: Digest,
    /// The digests of peers that said something, by their keys.
    heard: HashMap<usize, Digest>,
}

impl Digests {
    /// The operator said `bytes` to everybody.
    pub(super) fn said(&mut self, bytes: &[u8]) {
        self.said.add(bytes);
    }

    /// A peer said `bytes`.
    pub(super) fn heard(&mut self, key: usize, bytes: &[u8]) {
        self.heard.entry(key).or_default().add(bytes);
    }

    /// A peer left: the digest of what it said, if it said anything.
    fn left(&mut self, key: usize) -> Option<Digest> {
        self.heard.remove(&key)
    }
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// From now on there are digests.
    pub fn digest(&mut self) {
        self.digests = Some(Box::default());
    }

    /// A peer left, called `who`: tells of what it said.
    pub(super) fn tell_digest(&mut self, key: usize, who: &str, now: Instant) {
        let digest = self.digests.as_mut().and_then(|digests| digests.left(key));
        if let Some(digest) = digest
            && let Some(permit) = self.news.ask(Topic::Digest, now)
        {
            permit.say(format_args!("{who} sent {digest}"));
        }
    }

    /// It is over: tells of what those said who are still here, and returns what is to be told of the
    /// operator's own.
    pub fn tell_digests(&mut self, now: Instant) -> Option<String> {
        let mut keys: Vec<usize> = self.digests.as_ref()?.heard.keys().copied().collect();
        keys.sort_unstable();
        for key in keys {
            let who = self.who(key);
            self.tell_digest(key, &who, now);
        }
        let said = &self.digests.as_ref()?.said;
        (!said.is_empty() || self.received() == 0).then(|| format!("sent {said}"))
    }
}
