//! Visitors: members that come from a browser, what they are told beside their stream, and those of them that
//! were lost and may return (docs/WEB.md).
//!
//! ```text
//!   joined ─► has a token ─► lost ─► kept for a while ─┬─► returned: the same member, whose stream may go on
//!                    │         ▲                       └─► forgotten
//!                    │         └── returned over another connection, while this one seemed alive
//!                    └─► sent away by the operator ─► told so if it comes back in that time
//! ```
//!
//! It promises: each has a token that others cannot guess; whoever comes with one that is known is the member that it
//! was, and anybody else a newcomer, in every respect; the room does not wait for those that were lost, of which
//! a [bounded number](memory) is kept: they have left. Each visitor is told how many are here when the number is not
//! the one it was told last, and not more often than [`TOLD_EVERY`]; at once whether members hear each other,
//! when that changes; and how much was heard of it, whenever that is [`UNTOLD`] bytes more.

mod memory;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

use sha2::Digest;
use sha2::Sha256;

use self::memory::Away;
use self::memory::Memory;
use self::memory::Past;
use super::DisconnectReason;
use super::Peer;
use super::Peers;
use crate::engine::aside::Aside;
use crate::engine::aside::Farewell;
use crate::engine::aside::Hello;
use crate::engine::aside::Returning;
use crate::engine::room::Lost;
use crate::io::device::Device;
use crate::io::stream::Stream;

/// After so long without a word either way a visitor is asked for a sign of life: proxies close what is silent
/// for a minute.
const PINGED_AFTER: Duration = Duration::from_secs(45);

/// After how many were told how many are here, others come and go for so long before they are told again.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// As soon as so many bytes more were heard of a visitor, it is told.
const UNTOLD: u64 = 16 * 1024;

/// A visitor of which something was heard so short a time ago may say more.
const TALKS: Duration = Duration::from_millis(200);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Visitors {
    secret: [u8; 32],
    epoch: String,
    /// Tokens that were given out.
    tokens: u64,
    /// The members that are here, by their tokens, and the tokens by their keys.
    here: HashMap<String, usize>,
    known: BTreeMap<usize, Known>,
    /// When to look for silent ones, while any is here.
    look: Option<Instant>,
    /// How many are here, if all visitors were told this number last.
    told: Option<usize>,
    /// When a visitor was told that last, apart from the hello.
    told_at: Option<Instant>,
    /// The visitors that are not here any more.
    gone: Memory,
}

/// Whether one that comes was here before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WasHere {
    /// It is a member still, of that key, over an old connection.
    Still(usize),
    /// It was lost a while ago.
    Lost,
    /// The operator sent it away.
    SentAway,
    /// It is new here, or may not return.
    No,
}

/// A member that is here.
#[derive(Debug)]
struct Known {
    token: String,
    /// Bytes that were said either way when it was last looked at.
    moved: u64,
    /// How many are here, as it was last told.
    here: usize,
    /// Bytes of what it said over other connections.
    heard_before: u64,
    /// Bytes of what it said over all, as it was last told.
    told_heard: u64,
    /// When something was last heard of it over this connection.
    heard_at: Option<Instant>,
}

/// How a member that was here before comes in.
#[derive(Debug)]
struct Back {
    token: String,
    /// Its stream goes on.
    resumed: bool,
    /// Bytes of what it said over other connections.
    heard: u64,
}

impl Visitors {
    fn new(secret: [u8; 32]) -> Visitors {
        let mut visitors = Visitors {
            secret,
            epoch: String::new(),
            tokens: 0,
            here: HashMap::new(),
            known: BTreeMap::new(),
            look: None,
            told: None,
            told_at: None,
            gone: Memory::default(),
        };
        visitors.epoch = visitors.token();
        visitors
    }

    /// A token that was not given out before.
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

    /// A visitor has joined, or returned.
    fn came(&mut self, key: usize, known: Known, now: Instant) {
        self.here.insert(known.token.clone(), key);
        if self.told != Some(known.here) {
            self.told = None;
        }
        self.known.insert(key, known);
        self.look.get_or_insert(now + PINGED_AFTER);
    }

    /// A member has left, of which so many bytes were received; a visitor that was `lost` may return. Returns whether it
    /// may.
    pub(super) fn left(
        &mut self,
        key: usize,
        lost: Option<Lost>,
        received: u64,
        now: Instant,
    ) -> bool {
        let Some((known, lost)) = self.leave(key).zip(lost) else {
            return false;
        };
        let heard = known.heard_before + received;
        self.gone.keep(known.token, Away { lost, heard }, now);
        true
    }

    /// Bytes of what a member said over other connections than its last.
    pub(super) fn heard_before(&self, key: usize) -> u64 {
        self.known.get(&key).map_or(0, |known| known.heard_before)
    }

    /// A visitor is not here any more.
    fn leave(&mut self, key: usize) -> Option<Known> {
        let known = self.known.remove(&key)?;
        self.here.remove(&known.token);
        Some(known)
    }

    /// The operator sends a visitor away: it is none from now on.
    fn send_away(&mut self, key: usize, why: &str, now: Instant) {
        if let Some(known) = self.leave(key) {
            self.gone.send_away(known.token, why.into(), now);
        }
    }

    /// A visitor returns.
    fn take(&mut self, returning: &Returning, now: Instant) -> Option<Away> {
        match returning.epoch == self.epoch {
            true => self.gone.take(&returning.token, now),
            false => None,
        }
    }
}

impl Known {
    fn new(token: String, here: usize, heard_before: u64) -> Known {
        Known {
            token,
            // So it is not silent when it is first looked at.
            moved: u64::MAX,
            here,
            heard_before,
            told_heard: heard_before,
            heard_at: None,
        }
    }
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// Visitors may come from now on; their tokens are made of `secret`. To be called before the
    /// first member joins.
    pub fn expect_visitors(&mut self, secret: [u8; 32]) {
        self.visitors = Some(Box::new(Visitors::new(secret)));
        self.room.keep_past();
    }

    /// Whether a peer that is not in the room yet was here before.
    pub(super) fn was_here(&mut self, key: usize, now: Instant) -> WasHere {
        let returning = self.visitors.is_some().then(|| self.returning(key));
        let (Some(returning), Some(visitors)) = (returning.flatten(), &self.visitors) else {
            return WasHere::No;
        };
        if returning.epoch != visitors.epoch {
            return WasHere::No;
        }
        let token = &returning.token;
        let has_closed = |former| {
            self.conns
                .get(former)
                .is_none_or(|peer| peer.conn.has_hung_up())
        };
        match visitors.here.get(token) {
            // It is not taken out yet.
            Some(&former) if has_closed(former) => WasHere::No,
            Some(&former) => WasHere::Still(former),
            None => match visitors.gone.past(token, now) {
                Some(Past::Lost(_)) => WasHere::Lost,
                Some(Past::SentAway(_)) => WasHere::SentAway,
                None => WasHere::No,
            },
        }
    }

    /// Whether there is anybody who may come back.
    pub(super) fn may_come_back(&self) -> bool {
        let visitors = self.visitors.as_ref();
        visitors.is_some_and(|visitors| !(visitors.here.is_empty() && visitors.gone.is_empty()))
    }

    /// The operator sends a member away, and it may not have read that before its connection breaks.
    pub(super) fn remember_why(&mut self, key: usize, why: &str, now: Instant) {
        if let Some(visitors) = &mut self.visitors {
            visitors.send_away(key, why, now);
        }
    }

    /// A peer that the operator had sent away is told that, and why, as over the connection that it had then.
    pub(in crate::hub) fn tell_sent_away(&mut self, key: usize, now: Instant) {
        let returning = self.returning(key);
        if let (Some(returning), Some(visitors)) = (returning, &self.visitors)
            && let Some(Past::SentAway(why)) = visitors.gone.past(&returning.token, now)
            && let Some(peer) = self.conns.get_mut(key)
        {
            peer.conn.welcome();
            peer.say_beside(&Aside::Kicked(Farewell {
                reason: Some(why),
                heard: None,
                hears: false,
            }));
        }
    }

    /// A visitor is about to be let in over the connection at `key`, and still a member over an old one,
    /// which is closed.
    pub(super) fn replace_former(&mut self, former: usize, key: usize, now: Instant) {
        // What was not heard it says again.
        let lack = self.lack(former);
        let unread = self.unread_of(&[former]).bytes;
        if let Some(out) = self.take_member_out(former, lack, DisconnectReason::Returned, now) {
            if let Some(back) = self.conns.get_mut(key) {
                back.repeats(unread);
            }
            let again = self.conns.insert(Peer::new(out.peer.conn));
            debug_assert_eq!(again, former, "events come with the key that it had");
            self.forget(again);
        }
    }

    /// When to forget somebody who left.
    pub(super) fn forgets(&self) -> Option<Instant> {
        self.visitors.as_ref().and_then(|v| v.gone.deadline())
    }

    /// Forgets those whose time to come back is over, and those for whom there is no room.
    pub fn forget_visitors(&mut self, now: Instant) {
        let forget = |visitors: &mut Box<Visitors>| visitors.gone.forget_old(now);
        let gone = self.visitors.as_mut().map(forget).unwrap_or_default();
        for number in gone {
            self.record(|records| records.gone(number));
        }
    }

    /// Where a peer says its stream was cut, if it was here before.
    fn returning(&mut self, key: usize) -> Option<Returning> {
        let beside = self.conns.get_mut(key)?.conn.beside()?;
        beside.returning().cloned()
    }

    /// Lets a peer into the room: as the member that it was, if it was here before.
    pub(super) fn enter(&mut self, key: usize, now: Instant) {
        if self.visitors.is_none() {
            return self.room.join(key, now);
        }
        let returning = self.returning(key);
        let was_here = returning.is_some();
        let kept = (returning.as_ref()).and_then(|r| self.visitors.as_mut()?.take(r, now));
        let back = returning.zip(kept).map(
            |(Returning { token, from, .. }, Away { lost, heard })| Back {
                token,
                resumed: self.room.rejoin(key, lost, from, now),
                heard,
            },
        );
        if back.is_none() {
            self.room.join(key, now);
        }
        self.greet(key, was_here, back, now);
    }

    /// A member is told that it is in, where its protocol has a word for it.
    fn greet(&mut self, key: usize, was_here: bool, back: Option<Back>, now: Instant) {
        let Some(visitors) = &mut self.visitors else {
            return;
        };
        let Some(peer) = self.conns.get_mut(key) else {
            return;
        };
        let Some(beside) = peer.conn.beside() else {
            return;
        };
        let Back {
            token,
            resumed,
            heard,
        } = back.unwrap_or_else(|| Back {
            token: visitors.token(),
            resumed: false,
            heard: 0,
        });
        if !resumed {
            self.room.may_return(key);
        }
        let here = self.room.here();
        if let Some(member) = self.room.member(key) {
            let is_chat = self.room.is_chat();
            beside.say(&Aside::Hello(Hello {
                epoch: &visitors.epoch,
                token: &token,
                at: member.account.sent,
                heard,
                resumed,
                missing: was_here && !resumed,
                number: member.account.number,
                name: member.account.name().filter(|_| is_chat),
                is_chat,
                has_stamps: self.room.has_stamps(),
                relays: self.room.policy().relay,
                is_of_class: self.room.is_of_class(),
                here,
            }));
        }
        visitors.came(key, Known::new(token, here, heard), now);
    }

    /// Whether members hear each other from now on; visitors are told.
    pub fn relay(&mut self, on: bool, now: Instant) {
        let is_news = self.room.policy().relay != on;
        self.room.relay(on, now);
        let Some(visitors) = self.visitors.as_ref().filter(|_| is_news) else {
            return;
        };
        let keys: Vec<usize> = visitors.known.keys().copied().collect();
        for key in keys {
            self.say_beside(key, &Aside::Relay(on));
        }
    }

    /// Says something to a peer beside its stream, if there is a way to. Returns whether there is.
    fn say_beside(&mut self, key: usize, aside: &Aside<'_>) -> bool {
        let peer = self.conns.get_mut(key);
        let Some(beside) = peer.and_then(|peer| peer.conn.beside()) else {
            return false;
        };
        beside.say(aside);
        self.queue_flush(key);
        true
    }

    /// Something was heard of a member. A visitor is told how much that is all in all, if it was not told lately.
    pub(super) fn note_heard(&mut self, key: usize, now: Instant) {
        if self.visitors.is_none() {
            return;
        }
        let heard = self.heard_of(key);
        let visitors = self.visitors.as_mut();
        let Some(known) = visitors.and_then(|visitors| visitors.known.get_mut(&key)) else {
            return;
        };
        known.heard_at = Some(now);
        if heard - known.told_heard >= UNTOLD {
            known.told_heard = heard;
            self.say_beside(key, &Aside::Heard(heard));
        }
    }

    /// Whether something was heard of a visitor so lately that more may be on its way.
    pub(super) fn talks(&self, key: usize, now: Instant) -> bool {
        let visitors = self.visitors.as_ref();
        let known = visitors.and_then(|visitors| visitors.known.get(&key));
        let heard_at = known.and_then(|known| known.heard_at);
        heard_at.is_some_and(|at| now < at + TALKS)
    }

    /// When to tell how many are here, if that changed a moment ago.
    pub(super) fn tells_here(&self) -> Option<Instant> {
        let visitors = self.visitors.as_ref()?;
        let is_news = visitors.told != Some(self.room.here());
        (visitors.told_at.filter(|_| is_news)).map(|at| at + TOLD_EVERY)
    }

    /// Tells the number to visitors that were told another one.
    pub fn tell_here(&mut self, now: Instant) {
        let here = self.room.here();
        let is_due = self.tells_here().is_none_or(|at| at <= now);
        let visitors = self.visitors.as_mut().filter(|_| is_due);
        let Some(visitors) = visitors.filter(|visitors| visitors.told != Some(here)) else {
            return;
        };
        visitors.told = Some(here);
        let known = visitors.known.iter_mut();
        let unaware: Vec<usize> = known
            .filter_map(|(&key, known)| {
                let before = std::mem::replace(&mut known.here, here);
                (before != here).then_some(key)
            })
            .collect();
        let mut is_told = false;
        for key in unaware {
            is_told |= self.say_beside(key, &Aside::Here(here));
        }
        if let Some(visitors) = self.visitors.as_mut().filter(|_| is_told) {
            visitors.told_at = Some(now);
        }
    }

    /// When to look for silent ones.
    pub(super) fn looks_for_silence(&self) -> Option<Instant> {
        self.visitors.as_ref().and_then(|visitors| visitors.look)
    }

    /// Pings the visitors that neither said nor were told anything for long.
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
            let moved = member.account.sent + member.account.received();
            let is_silent = std::mem::replace(&mut known.moved, moved) == moved;
            if is_silent && let Some(beside) = peer.conn.beside() {
                beside.ping();
                silent.push(key);
            }
        }
        silent.into_iter().for_each(|key| self.queue_flush(key));
    }
}

#[cfg(test)]
mod tests;
