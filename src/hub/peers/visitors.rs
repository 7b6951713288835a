//! Visitors: members that come from a browser, what they are told beside their stream, and those of them that
//! were lost and may return (docs/WEB.md).
//!
//! ```text
//!   joined ─► has a token ─► lost ─► kept for a while ─┬─► returned: the same number, and its stream goes on
//!                              ▲                       └─► forgotten
//!                              └── returned over another connection, while this one seemed alive
//! ```
//!
//! It promises: each has a token that nobody else can guess; of those who were lost at most [`MOST`] are
//! kept, for [`KEPT`], and nobody waits for them: they have left.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use sha2::Digest;
use sha2::Sha256;

use super::DisconnectReason;
use super::Peer;
use super::Peers;
use crate::engine::aside::Aside;
use crate::engine::aside::Hello;
use crate::engine::aside::Returning;
use crate::engine::room::Lost;
use crate::io::device::Device;
use crate::io::stream::Stream;

/// How long one that was lost may take to return.
const KEPT: Duration = Duration::from_secs(600);

/// After so long without a word either way a visitor is asked for a sign of life: proxies close what is silent
/// for a minute.
const PINGED_AFTER: Duration = Duration::from_secs(45);

/// Those that were lost and are kept; of more the first are forgotten.
const MOST: usize = 10_000;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Visitors {
    secret: [u8; 32],
    epoch: String,
    /// Tokens that were given out.
    tokens: u64,
    /// The members that are here, by their tokens, and the tokens by their keys.
    here: HashMap<String, usize>,
    known: HashMap<usize, Known>,
    /// When to look who is silent, while any is here.
    look: Option<Instant>,
    /// Those who lost their place before it was known whether they were lost.
    leaving: HashMap<usize, Lost>,
    /// Those who were lost, by their tokens, and in the order in which they are forgotten.
    lost: HashMap<String, (Instant, Lost)>,
    order: VecDeque<(Instant, String)>,
}

/// A member that is here.
#[derive(Debug)]
struct Known {
    token: String,
    /// Bytes that were said either way when it was last looked at.
    moved: u64,
}

impl Visitors {
    fn new(secret: [u8; 32]) -> Visitors {
        let mut visitors = Visitors {
            secret,
            epoch: String::new(),
            tokens: 0,
            here: HashMap::new(),
            known: HashMap::new(),
            look: None,
            leaving: HashMap::new(),
            lost: HashMap::new(),
            order: VecDeque::new(),
        };
        visitors.epoch = visitors.token();
        visitors
    }

    /// One that was not given out before.
    fn token(&mut self) -> String {
        let number = self.tokens.to_be_bytes();
        self.tokens += 1;
        let digest = Sha256::new()
            .chain_update(self.secret)
            .chain_update(number)
            .finalize();
        let bytes = digest[..16].iter();
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    /// One has joined, or returned.
    fn came(&mut self, key: usize, token: String, now: Instant) {
        self.here.insert(token.clone(), key);
        // So it is not silent when it is first looked at.
        let moved = u64::MAX;
        self.known.insert(key, Known { token, moved });
        self.look.get_or_insert(now + PINGED_AFTER);
    }

    /// One has left; it may return if it was `lost`.
    fn left(&mut self, key: usize, lost: Option<Lost>, now: Instant) {
        let Some(Known { token, .. }) = self.known.remove(&key) else {
            return;
        };
        self.here.remove(&token);
        let Some(lost) = lost else {
            return;
        };
        self.order.push_back((now + KEPT, token.clone()));
        self.lost.insert(token, (now + KEPT, lost));
        while let Some((until, token)) = self.order.front()
            && (*until <= now || self.order.len() > MOST)
        {
            // It may have returned, and have been lost again.
            if self.lost.get(token).is_some_and(|(kept, _)| kept == until) {
                self.lost.remove(token);
            }
            self.order.pop_front();
        }
    }

    /// One returns.
    fn take(&mut self, returning: &Returning, now: Instant) -> Option<Lost> {
        if returning.epoch != self.epoch {
            return None;
        }
        let (until, lost) = self.lost.remove(&returning.token)?;
        (now < until).then_some(lost)
    }
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// Some may come from a browser: what makes their tokens is `secret`. To be called before anybody joins.
    pub fn expect_visitors(&mut self, secret: [u8; 32]) {
        self.visitors = Some(Box::new(Visitors::new(secret)));
        self.room.keep_past();
    }

    /// One that is about to be let in may be a member already, as far as we know: the connection of that is
    /// closed.
    pub(in crate::hub) fn replace_former(&mut self, key: usize, now: Instant) {
        if self.visitors.is_none() {
            return;
        }
        let Some(returning) = self.returning(key) else {
            return;
        };
        let Some(visitors) = &self.visitors else {
            return;
        };
        let former = visitors.here.get(&returning.token).copied();
        let Some(former) = former.filter(|_| returning.epoch == visitors.epoch) else {
            return;
        };
        if let Some(peer) = self.take_member_out(former, DisconnectReason::Returned, now) {
            let again = self.conns.insert(Peer::new(peer.conn));
            debug_assert_eq!(again, former, "events come with the key that it had");
            self.forget(again);
        }
    }

    /// What a peer said of where it was, if it was here before.
    fn returning(&mut self, key: usize) -> Option<Returning> {
        let beside = self.conns.get_mut(key)?.conn.beside()?;
        beside.returning().cloned()
    }

    /// Lets a peer into the room: where it was, if it was here before.
    pub(super) fn enter(&mut self, key: usize, now: Instant) {
        if self.visitors.is_none() {
            return self.room.join(key, now);
        }
        let returning = self.returning(key);
        let back = returning.as_ref().and_then(|returning| {
            let lost = self.visitors.as_mut()?.take(returning, now)?;
            let is_back = self.room.rejoin(key, lost, returning.from, now);
            is_back.then(|| returning.clone())
        });
        if back.is_none() {
            self.room.join(key, now);
        }
        self.greet(key, returning.is_some(), back, now);
    }

    /// A member is told that it is in, where its protocol has a word for it.
    fn greet(&mut self, key: usize, was_here: bool, back: Option<Returning>, now: Instant) {
        let Some(visitors) = &mut self.visitors else {
            return;
        };
        let Some(peer) = self.conns.get_mut(key) else {
            return;
        };
        let Some(beside) = peer.conn.beside() else {
            return;
        };
        let (resumed, at) = (back.is_some(), back.as_ref().map_or(0, |back| back.from));
        let token = back.map_or_else(|| visitors.token(), |back| back.token);
        if !resumed {
            self.room.may_return(key);
        }
        if let Some(member) = self.room.member(key) {
            let is_chat = self.room.is_chat();
            beside.say(&Aside::Hello(Hello {
                epoch: &visitors.epoch,
                token: &token,
                at,
                resumed,
                missing: was_here && !resumed,
                number: member.account.number,
                name: member.account.name.as_deref().filter(|_| is_chat),
                is_chat,
                relays: self.room.policy().relay,
                here: self.room.here(),
            }));
        }
        visitors.came(key, token, now);
    }

    /// When to look who is silent.
    pub(super) fn looks_for_silence(&self) -> Option<Instant> {
        self.visitors.as_ref().and_then(|visitors| visitors.look)
    }

    /// Asks those for a sign of life to whom nothing was said for long, nor by them.
    pub fn ping_silent(&mut self, now: Instant) {
        if self.looks_for_silence().is_none_or(|look| now < look) {
            return;
        }
        let Some(visitors) = &mut self.visitors else {
            return;
        };
        visitors.look = (!visitors.known.is_empty()).then_some(now + PINGED_AFTER);
        let mut silent = Vec::new();
        for (&key, known) in &mut visitors.known {
            let (Some(member), Some(peer)) = (self.room.member(key), self.conns.get_mut(key))
            else {
                continue;
            };
            let moved = member.account.sent + member.account.received;
            let is_silent = std::mem::replace(&mut known.moved, moved) == moved;
            if is_silent && let Some(beside) = peer.conn.beside() {
                beside.ping();
                silent.push(key);
            }
        }
        silent.into_iter().for_each(|key| self.queue_flush(key));
    }

    /// A member is about to lose its place in the stream: what it needs to go on is kept until it is known
    /// why.
    pub(super) fn note_place(&mut self, key: usize) {
        if let Some(visitors) = &mut self.visitors
            && visitors.known.contains_key(&key)
            && let Some(lost) = self.room.lost(key)
        {
            visitors.leaving.insert(key, lost);
        }
    }

    /// A member leaves, and was lost or not.
    pub(super) fn note_lost(&mut self, key: usize, is_lost: bool, now: Instant) {
        let Some(visitors) = &mut self.visitors else {
            return;
        };
        let noted = visitors.leaving.remove(&key);
        let lost = match is_lost {
            true => noted.or_else(|| self.room.lost(key)),
            false => None,
        };
        visitors.left(key, lost, now);
    }
}

#[cfg(test)]
mod tests;
