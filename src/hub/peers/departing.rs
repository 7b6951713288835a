//! Departing: peers that leave while the room is held and their last words cannot be passed on.
//!
//! A room that is held, a stdout that is stuck, a line that another has open, a rate: all of them may
//! keep a peer from being read for long, and its end or a reset stands behind what was said before it.
//! An event tells of it at once. So a peer of which an event told that, and which could not be read in
//! that turn, is judged before it is heard. So is one whose protocol has a goodbye (TLS's close_notify, a
//! close frame), of which no event tells, if it stands before any word that was not heard:
//!
//! ```text
//!   it broke, nobody is there (Unix),
//!   a browser's goodbye or end,        ─► departed: no place, no name, no count ─► heard, closed
//!   a chat's end, idle after its end                                               or dropped
//!   end of a TCP peer, or of TLS ───────► unconfirmed, as after an end that was read
//! ```
//!
//! It promises: when the turn is over in which the kernel told that a peer left, it keeps nothing but its
//! descriptor, and that only if something of it is unread, until that was taken in or until descriptors
//! run out; what is dropped then is counted and told.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Instant;

use super::DisconnectReason;
use super::Peer;
use super::Peers;
use crate::engine::room::Presence;
use crate::hub::news::Topic;
use crate::io::device::Device;
use crate::io::stream::Ahead;
use crate::io::stream::Stream;
use crate::io::stream::Unread;

/// Departed peers that are dropped at a time when descriptors ran out: few, since something is lost of
/// each, and more than one, since several may wait for a descriptor.
const DROPPED: usize = 8;

/// Looks at what a member says next at the end of the hub, as long as that is no word: it may be a ping.
const LOOKS: usize = 64;

impl<S: Stream> Peer<S> {
    /// Whether nothing that it said is unread.
    pub(super) fn is_heard(&self) -> bool {
        self.conn.has_ended() || self.conn.unread() == Unread::NOTHING
    }

    /// Whether something that it said is unread, or may be.
    pub(super) fn is_unread(&self) -> bool {
        let unread = self.conn.unread();
        unread.bytes > 0 || (unread.may_be_more && self.to_read)
    }
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// An event told that a member ended its side, or that its connection broke.
    pub(super) fn note_closing(&mut self, key: usize) {
        if let Some(peer) = self.member_mut(key)
            && !peer.is_closing
        {
            peer.is_closing = true;
            self.exits.closing.push(key);
        }
    }

    /// Whether events told of all members known to be here that they ended their side or broke, and
    /// none of that is acted on yet.
    pub fn are_all_closing(&self) -> bool {
        let is_known = |key: &&usize| {
            let member = self.room.member(**key);
            member.is_some_and(|member| member.presence().is_here())
        };
        let closing = self.exits.closing.iter().filter(is_known).count();
        closing > 0 && closing == self.room.here()
    }

    /// A member has something to say, which may be its goodbye.
    pub(super) fn note_speaking(&mut self, key: usize) {
        let peer = self.member_mut(key);
        if peer.is_some_and(|peer| peer.to_read && peer.conn.may_say_goodbye()) {
            self.exits.speaking.push(key);
        }
    }

    /// Of members that could not be read in this turn, looks at what they say next: again in the next turn,
    /// if that was no word and there may be more.
    fn look_for_goodbyes(&mut self, turn: u32, now: Instant) {
        let mut speaking = std::mem::take(&mut self.exits.speaking);
        speaking.sort_unstable();
        speaking.dedup();
        speaking.retain(|&key| {
            let peer = self.member_mut(key).filter(|peer| peer.to_read);
            let Some(peer) = peer.filter(|peer| !peer.has_departed()) else {
                return false;
            };
            if peer.read_in == turn {
                return true;
            }
            match peer.conn.look_ahead() {
                Ahead::Bytes(_) => {}
                Ahead::Yield => return true,
                Ahead::End => self.note_closing(key),
                Ahead::Failed(error) => self.depart(key, error.into(), now),
            }
            false
        });
        self.exits.speaking = speaking;
    }

    /// Acts on ends and breaks that events reported, and on goodbyes, of peers that could not be read in
    /// this turn.
    pub fn judge_unread(&mut self, now: Instant) {
        let turn = self.speakers.turn();
        self.look_for_goodbyes(turn, now);
        let mut closing = std::mem::take(&mut self.exits.closing);
        closing.retain(|&key| {
            let Some(peer) = self.member_mut(key) else {
                return false;
            };
            // A peer that was read is read on, until the end itself is read.
            let goes_on = peer.to_read && peer.read_in == turn;
            peer.is_closing = goes_on;
            if !goes_on && peer.to_read {
                self.judge(key, now);
            }
            goes_on
        });
        debug_assert!(self.exits.closing.is_empty(), "to judge closes nobody");
        self.exits.closing = closing;
    }

    /// A member that cannot be read has ended its side, or broke.
    fn judge(&mut self, key: usize, now: Instant) {
        let ends_with_its_side = self.ends_with_its_side(key);
        let Some(peer) = self.member_mut(key) else {
            return;
        };
        if let Some(error) = peer.conn.take_error() {
            self.depart(key, error.into(), now);
        } else if peer.conn.has_hung_up() || ends_with_its_side {
            self.depart(key, DisconnectReason::Closed, now);
        } else if self.is_here(key) {
            // The notice that it ended its side comes when all its words are read.
            self.end_presence(key, now);
        }
    }

    /// Whether a member that ended its side has left: in a chat, and where its protocol has no half-close.
    pub(super) fn ends_with_its_side(&self, key: usize) -> bool {
        let peer = self.conns.get(key);
        self.room.is_chat() || peer.is_some_and(|peer| !peer.conn.can_half_close())
    }

    /// Whether a member has not ended its side, as far as is known.
    pub(super) fn is_here(&self, key: usize) -> bool {
        let member = self.room.member(key);
        member.is_some_and(|member| member.presence() == Presence::Here)
    }

    /// A peer takes no more. Its place is free at once; it leaves when all that it said was read,
    /// and until then the others do not wait for it.
    pub(super) fn depart(&mut self, key: usize, why: DisconnectReason, now: Instant) {
        if self.member_mut(key).is_some() {
            // The bytes that it had acknowledged were read by a program, if the peer stayed for a
            // moment.
            self.note_proof(key, now);
            self.give_up(key, why, now);
        }
    }

    /// The same of one that makes way for another: its acknowledgements were looked at when the
    /// other came, and must not begin a transfer while the other is let in.
    pub(super) fn give_up(&mut self, key: usize, why: DisconnectReason, now: Instant) {
        let was_on_trial = self.room.is_on_trial();
        let Some(peer) = self.member_mut(key).filter(|peer| !peer.has_departed()) else {
            return;
        };
        if peer.is_heard() {
            self.queue_leave(key, why);
            return;
        }
        peer.depart(why);
        peer.conn.expect_end();
        self.lose_place(key, now);
        self.queue_read(key);
        self.look_if_trial_began(was_on_trial, now);
    }

    /// A member that takes no more loses its place: it will not get what it is owed.
    pub(super) fn lose_place(&mut self, key: usize, now: Instant) {
        if !self.has_place(key) {
            return;
        }
        self.note_shortfall(key);
        self.note_loss(key);
        self.free_place(key, now);
    }

    /// A member has no place, no name and no count from now on, and nothing more is for it.
    pub(super) fn free_place(&mut self, key: usize, now: Instant) {
        if !self.has_place(key) {
            return;
        }
        let ip = self.conns.get(key).and_then(|peer| peer.conn.addr().ip());
        if let (Some(headcount), Some(ip)) = (&mut self.headcount, ip) {
            headcount.left(ip);
        }
        if let Some(idle) = &mut self.idle {
            idle.remove(key);
        }
        self.room.depart(key, now);
    }

    /// A departed peer was heard to its end, or is not to be heard. Returns whether it had departed.
    pub(super) fn leave_departed(&mut self, key: usize) -> bool {
        let Some(peer) = self.conns.get_mut(key) else {
            return false;
        };
        let why = peer.take_reason();
        let has_departed = why.is_some();
        if let Some(why) = why {
            self.queue_leave(key, why);
        }
        has_departed
    }

    /// Descriptors ran out: closes some who departed, though not all that they said was heard, or else
    /// one that ended its side and may be gone.
    pub fn free_descriptors(&mut self, now: Instant) {
        if self.exits.are_held_back() {
            // These lose nothing.
            self.exits.press(DROPPED);
            return;
        }
        let mut keys = Vec::new();
        let is_unheard = |peer: &Peer<S>| peer.has_departed() && !peer.leaving;
        let departed = self.conns.iter().filter(|(_, peer)| is_unheard(peer));
        keys.extend(departed.map(|(key, _)| key).take(DROPPED));
        if keys.is_empty()
            && let Some(key) = self.first_unconfirmed(None)
        {
            self.give_up(key, DisconnectReason::Closed, now);
            keys.extend(self.member_mut(key).map(|_| key));
        }
        self.drop_unheard(&keys, now);
    }

    /// Lets departed peers go that were not heard to their end, and tells how much that was.
    fn drop_unheard(&mut self, keys: &[usize], now: Instant) {
        let unread = self.unread_of(keys);
        self.dropped = self.dropped.and(unread);
        for &key in keys {
            self.leave_departed(key);
        }
        if unread != Unread::NOTHING
            && let Some(permit) = self.news.ask_of(Topic::Unheard, unread.bytes.max(1), now)
        {
            let last = last_words(unread);
            permit.say(format_args!(
                "no descriptor is left: the {last} of {} who left were not heard",
                keys.len()
            ));
        }
    }

    /// At the end: what a member had said that is unread, if anything. A goodbye is no word, nor is what a layer or a
    /// browser answers to the end that it is told: so this is asked once, and looks at what comes next.
    pub(super) fn unread_words(&mut self, key: usize) -> Option<Unread> {
        let has_words = self.is_unread(key) && !self.says_goodbye(key) && self.is_unread(key);
        has_words.then(|| self.unread_of(&[key]))
    }

    /// Whether what a member says next, if that is known, is its goodbye.
    fn says_goodbye(&mut self, key: usize) -> bool {
        let peer = self.conns.get_mut(key);
        let Some(peer) = peer.filter(|peer| peer.conn.may_say_goodbye()) else {
            return false;
        };
        let mut looks = (0..LOOKS).map(|_| peer.conn.look_ahead());
        let next = looks.find(|next| !matches!(next, Ahead::Yield));
        matches!(next, Some(Ahead::End))
    }

    /// At the end, when all are closed: how much members had said that nobody heard, if anything: what was `unread`,
    /// and what was read and is passed on to nobody any more.
    pub fn never_heard(&self, mut unread: BTreeMap<usize, Unread>) -> Option<String> {
        for key in self.member_keys() {
            let held = Unread::all(self.room.unfinished(key) as u64);
            if held != Unread::NOTHING {
                let words = unread.entry(key).or_insert(Unread::NOTHING);
                *words = words.and(held);
            }
        }
        let whose = match unread.len() {
            0 => return None,
            1 => String::from("1 participant"),
            count => format!("{count} participants"),
        };
        let last = last_words(unread.into_values().fold(Unread::NOTHING, Unread::and));
        Some(format!("the {last} of {whose} were not heard"))
    }

    /// Whether somebody was let go unheard.
    pub fn has_dropped(&self) -> bool {
        self.dropped != Unread::NOTHING
    }

    fn is_unread(&self, key: usize) -> bool {
        let peer = self.conns.get(key);
        // Of one that is here it is not worth a word that something may have come.
        self.unread_of(&[key]).bytes > 0
            || peer.is_some_and(|peer| !peer.is_heard() && !self.is_here(key))
    }

    /// What is unread of these, all in all.
    pub(super) fn unread_of(&self, keys: &[usize]) -> Unread {
        let unread = |&key: &usize| {
            let peer = self.conns.get(key)?;
            let member = self.room.member(key);
            let has_spoken = member.is_some_and(|member| member.account.received() > 0);
            let unread = peer.conn.unread();
            Some(unread.and(peer.unrepeated(has_spoken, unread)))
        };
        let all = keys.iter().filter_map(unread);
        all.fold(Unread::NOTHING, Unread::and)
    }
}

/// The words for what peers had said last, and nobody will read.
fn last_words(unread: Unread) -> String {
    match (unread.bytes, unread.may_be_more) {
        (0, _) => String::from("last words"),
        (bytes, true) => format!("last bytes, at least {bytes},"),
        (bytes, false) => format!("last {bytes} bytes"),
    }
}
