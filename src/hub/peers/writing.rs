//! Writing to the peers: each gets what it is owed, by one gathered write in a turn.
//!
//! It promises: the turn does not wait for a peer that takes no more; the end is told to a peer
//! after everything else, and only once.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::io::IoSlice;
use std::time::Instant;

use super::DisconnectReason;
use super::Peer;
use super::Peers;
use crate::engine::dead_peer;
use crate::engine::journal::GATHER;
use crate::io::conn::Conn;
use crate::io::device::Device;
use crate::io::readiness::Watch;
use crate::io::stream::Stream;
use crate::io::stream::Unread;

/// How many are handed what is said on trial before the others are, in case that ends it.
pub(super) const SCOUTS: usize = 4;

impl<S: Stream, D: Device> Peers<S, D> {
    /// One gathered write to every peer that is owed something and can take it. If the first few
    /// end a trial (on one machine, and in a fast network, the acknowledgement is there when the
    /// write returns), the others are flushed in the next turn: the operator may say more now, and
    /// one large write costs less than a small one before it.
    pub fn flush(&mut self, now: Instant) {
        if self.flushed < self.room.said() {
            self.flushed = self.room.said();
            self.queue_flush_all();
        }
        if self.room.has_told() {
            let told = self.room.take_told();
            told.into_iter().for_each(|key| self.queue_flush(key));
        }
        let mut due = self.owed.len();
        if self.room.is_on_trial() && due > SCOUTS {
            for i in 0..SCOUTS {
                let key = self.owed[i];
                self.flush_one(key, now);
                self.note_proof(key, now);
            }
            self.owed.drain(..SCOUTS);
            due -= SCOUTS;
            if !self.room.is_on_trial() {
                return;
            }
        }
        for i in 0..due {
            self.flush_one(self.owed[i], now);
        }
        // Peers that were queued meanwhile are written to in the next turn.
        self.owed.drain(..due);
    }

    /// Asks with `ask` for an event of each peer that took less than it was owed, unless its events
    /// tell of room already.
    pub fn await_room(
        &mut self,
        mut ask: impl FnMut(&mut Conn<S>, usize) -> io::Result<()>,
        now: Instant,
    ) {
        while let Some(key) = self.full.pop() {
            let Some(peer) = self.member_mut(key) else {
                continue;
            };
            match ask(&mut peer.conn, key) {
                Ok(()) => peer.watch = Watch::ArrivalsAndRoom,
                Err(error) => self.depart(key, error.into(), now),
            }
        }
    }

    /// One write to a peer. No event will tell of the room of one that is full, if that was not
    /// asked for: then [`Peers::await_room`] asks.
    pub(super) fn flush_one(&mut self, key: usize, now: Instant) {
        self.write_one(key, now);
        if let Some(peer) = self.conns.get(key)
            && peer.watch == Watch::Arrivals
            && !peer.conn.is_writable()
        {
            self.full.push(key);
        }
    }

    fn write_one(&mut self, key: usize, now: Instant) {
        let Some(peer) = self.conns.get_mut(key) else {
            return;
        };
        peer.to_flush = false;
        if peer.leaving {
            return;
        }
        if !peer.has_departed()
            && let Err(error) = peer.conn.flush()
        {
            self.depart(key, error.into(), now);
            return;
        }
        self.note_given(key);
        let Some(peer) = self.conns.get(key) else {
            return;
        };
        if peer.takes_no_more() {
            // Lines relayed after the end of its stream are not for it, and a write after
            // shutdown(2) would fail.
            let is_over = peer.conn.has_ended();
            self.room.owe_no_more(key, now);
            if is_over {
                // The last of what it was owed was all that it waited for.
                self.look_soon(key, now);
            }
            return;
        }
        if !peer.conn.is_writable() {
            return;
        }
        let most = self.left_to_give(key);
        let mut flushed = self.write_most(key, most, now);
        self.note_given(key);
        let is_given = most.is_some() && self.left_to_give(key).is_none();
        let has_more = matches!(flushed, Ok(owed) if owed > 0);
        if is_given && has_more && self.conns[key].conn.is_writable() {
            flushed = self.write_most(key, None, now);
        }
        match flushed {
            // What follows is none of that: an event tells when the layer has given it.
            Ok(0) if self.conns[key].conn.has_pending_output() => {}
            Ok(0) => {
                self.half_close(key, now);
                self.close_if_over(key, now);
            }
            Ok(_) => {
                self.note_full(key);
                self.queue_flush(key);
            }
            Err(error) => self.depart(key, error.into(), now),
        }
        if self.conns[key].conn.is_watched() {
            self.checkup.get_or_insert(now + dead_peer::EVERY);
        }
    }

    /// Writes what a peer is owed, or so much of it at most. Returns what it is still owed.
    fn write_most(&mut self, key: usize, most: Option<u64>, now: Instant) -> io::Result<u64> {
        let Some(peer) = self.conns.get_mut(key) else {
            return Ok(0);
        };
        let mut taken = 0;
        let flushed = self.room.flush(key, now, |slices| {
            taken = match most {
                None => peer.conn.write(slices)?,
                Some(most) => {
                    let mut cut = [IoSlice::new(&[]); GATHER];
                    let count = cut_to(slices, most, &mut cut);
                    peer.conn.write(&cut[..count])?
                }
            };
            Ok(taken)
        });
        if taken > 0 {
            self.wrote(key, now);
        }
        flushed
    }

    /// The kernel may have taken no more for a peer: what is acknowledged from now on is progress, also while it goes on
    /// to take nothing. That is one question of less than a microsecond for what fills a send buffer.
    fn note_full(&mut self, key: usize) {
        if let Some(peer) = self.member_mut(key)
            && !peer.conn.is_writable()
            && let Some(info) = peer.conn.tcp_info()
        {
            let ledger = peer.ledger_mut();
            (ledger.taken, ledger.freed) = (info.acknowledged, info.acknowledged);
        }
    }

    /// The kernel took something for a peer.
    fn wrote(&mut self, key: usize, now: Instant) {
        self.touch(key, now);
        let is_last = self.says_no_more && self.lingers;
        let may_be_gone = self.room.is_on_trial() || self.room.is_unconfirmed(key);
        // No look is needed while all are known to be there and more may be said.
        if may_be_gone || is_last || self.awaits_promise(key) {
            self.look_soon(key, now);
        }
    }

    /// Nothing more will be said by the operator. Members that have ended their side and wait for
    /// nothing else are closed.
    pub fn say_no_more(&mut self, now: Instant) {
        self.said_all();
        if self.lingers {
            // The hub looks at their acknowledgements until they have acknowledged everything.
            let keys: Vec<usize> = self.member_keys().collect();
            keys.into_iter().for_each(|key| self.look_soon(key, now));
        }
        self.close_all_over(now);
    }

    /// No other peer will join. Members that have ended their side and wait for nothing else are
    /// closed.
    pub fn expect_nobody(&mut self, now: Instant) {
        self.expects_nobody = true;
        self.close_all_over(now);
    }

    /// Closes the members that have ended their side, if they will hear nothing more: now that another
    /// one speaks no more.
    pub fn close_all_over(&mut self, now: Instant) {
        if self.will_ever_hear() {
            return;
        }
        let keys: Vec<usize> = self.member_keys().collect();
        for key in keys {
            self.close_if_over(key, now);
        }
    }

    /// Nothing more will be said by the operator: each peer is told so when it was handed all that
    /// was.
    pub fn half_close_all(&mut self) {
        self.half_closing = true;
        self.queue_flush_all();
    }

    /// Whether anything will ever be said to a member that says no more itself: by the operator, by
    /// another member, by one that is still to come, or at another hub.
    pub(super) fn will_ever_hear(&self) -> bool {
        let may_hear_members = !self.expects_nobody || self.room.has_speakers();
        let may_hear_hubs = self.room.is_of_class() && !self.half_closing;
        !self.says_no_more || may_hear_hubs || (self.room.policy().relay && may_hear_members)
    }

    /// Ends the stream of a peer that is owed nothing more, if nothing will follow.
    fn half_close(&mut self, key: usize, now: Instant) {
        let is_whole = self.says_no_more;
        if !self.half_closing {
            if let Some(peer) = self.member_mut(key).filter(|_| is_whole) {
                peer.conn.break_on_close(peer.is_broken_off);
            }
            return;
        }
        let heard = self.heard_of(key);
        if let Some(peer) = self.member_mut(key)
            && peer.end_our_side(heard)
        {
            self.look_soon(key, now);
        }
    }

    /// Whether the kernel has everything that the members are owed.
    pub fn has_delivered_all(&self) -> bool {
        let pending = |(_, peer): (usize, &Peer<S>)| peer.conn.has_pending_output();
        self.room.has_delivered_all() && !self.conns.iter().any(pending)
    }

    /// Whether the other sides acknowledged everything that the members are owed.
    pub fn is_acknowledged(&self) -> bool {
        let is_out = |(_, peer): (usize, &Peer<S>)| {
            let info = peer.conn.tcp_info();
            info.is_some_and(|info| info.unacknowledged() > 0)
        };
        self.has_delivered_all() && !self.conns.iter().any(is_out)
    }

    /// At the end: each member that has everything that was said may know that nothing is missing,
    /// and each that has not, that something is. Unfinished lines that are shown and recorded behind
    /// that are not sent to members any more.
    pub fn close_all(&mut self, now: Instant) {
        let keys: Vec<usize> = self.member_keys().collect();
        for key in keys {
            let (owed, more) = (self.owed(key), !self.says_no_more);
            let heard = self.heard_of(key);
            if let Some(peer) = self.member_mut(key) {
                peer.close_truthfully(owed, more, heard);
            }
        }
        self.finish_members(now);
        self.end_all_lingering(now);
    }

    /// Closes the connections: the kernel must not go on with what is told of as missing while the last words of the
    /// hub wait for a stdout. Returns what members had said that is unread, by their keys: each is looked at when it
    /// is closed, so that what comes later reaches nobody's kernel. (A browser that talks reads its
    /// end first: it was told itself how much was heard.)
    pub fn hang_up(&mut self, now: Instant) -> BTreeMap<usize, Unread> {
        let keys: Vec<usize> = self.member_keys().collect();
        let mut unread = BTreeMap::new();
        for key in keys {
            let words = self.unread_words(key);
            let talks = words.is_some() || self.talks(key, now);
            let peer = self.conns.try_remove(key).filter(|_| talks);
            self.talkers.extend(peer.and_then(Peer::reading_end_beside));
            unread.extend(words.map(|words| (key, words)));
        }
        self.conns.clear();
        unread
    }

    /// The keys of all members.
    pub(super) fn member_keys(&self) -> impl Iterator<Item = usize> {
        self.room.members().map(|(key, _)| key)
    }

    /// A peer was told something: it is flushed in this turn.
    pub fn queue_flush(&mut self, key: usize) {
        if self.member_mut(key).is_some_and(Peer::is_to_be_flushed) {
            self.owed.push(key);
        }
    }

    /// All are flushed in this turn.
    fn queue_flush_all(&mut self) {
        for (key, peer) in &mut self.conns {
            if !peer.leaving && peer.is_member() && peer.is_to_be_flushed() {
                self.owed.push(key);
            }
        }
    }

    /// Both ends were told, and what the kernel has was acknowledged: the peer leaves, unless a layer holds
    /// something back.
    pub(super) fn leave_acknowledged(&mut self, key: usize) {
        let peer = self.member(key);
        if peer.is_some_and(|peer| !peer.conn.has_pending_output()) {
            self.queue_leave(key, DisconnectReason::Closed);
        }
    }
}

/// Puts the first bytes of some slices, `most` of them, into others. Returns how many of these there are.
fn cut_to<'a>(slices: &'a [IoSlice<'_>], most: u64, cut: &mut [IoSlice<'a>; GATHER]) -> usize {
    let mut left = usize::try_from(most).unwrap_or(usize::MAX);
    let mut count = 0;
    for (slice, cut) in slices.iter().zip(cut) {
        let part = &slice[..slice.len().min(left)];
        if part.is_empty() {
            break;
        }
        left -= part.len();
        *cut = IoSlice::new(part);
        count += 1;
    }
    count
}
