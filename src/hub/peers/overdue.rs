//! Overdue: members that vanished, that hold the others up, or to which and from which nothing comes.
//!
//! It promises: nobody is let go for a delay that is the hub's own, nor while its kernel acknowledges what it
//! was sent.

#[cfg(test)]
mod tests;

use std::io;
use std::io::ErrorKind;
use std::time::Instant;

use super::DisconnectReason;
use super::Peer;
use super::Peers;
use super::peer::Ledger;
use crate::engine::dead_peer;
use crate::engine::journal::SEGMENT;
use crate::engine::room::Overdue;
use crate::io::device::Device;
use crate::io::stream::Stream;

impl<S: Stream, D: Device> Peers<S, D> {
    /// Gives up peers that vanished: see [`dead_peer`].
    pub fn find_vanished(&mut self, now: Instant) {
        if self.checkup.is_none_or(|checkup| checkup > now) {
            return;
        }
        self.checkup = None;
        let mut vanished = Vec::new();
        for (key, peer) in &mut self.conns {
            if peer.has_departed() || !peer.is_member() {
                continue;
            }
            if peer.conn.has_vanished() {
                vanished.push(key);
            } else if peer.conn.is_watched() {
                self.checkup = Some(now + dead_peer::EVERY);
            }
        }
        for key in vanished {
            let error = io::Error::from(ErrorKind::TimedOut);
            self.depart(key, error.into(), now);
        }
    }

    /// Whether the hub withholds the operator's words until others have come: while it does, no
    /// member is idle. To be called when a member has come or left.
    pub fn withhold(&mut self, withholds: bool, now: Instant) {
        if std::mem::replace(&mut self.withholds, withholds) && !withholds {
            let keys: Vec<usize> = self.member_keys().collect();
            keys.into_iter().for_each(|key| self.touch(key, now));
        }
    }

    /// Lets all members go whose time is over.
    pub fn find_overdue(&mut self, now: Instant) {
        for key in self.room.laggards(now) {
            if self.took_much(key) {
                self.room.progressed(key, now);
            }
        }
        let mut overdue = std::mem::take(&mut self.overdue);
        self.room.overdue(now, &mut overdue);
        for (key, why) in overdue.drain(..) {
            let why = match why {
                Overdue::Stalled if self.took_much(key) => {
                    self.room.progressed(key, now);
                    continue;
                }
                Overdue::Stalled => DisconnectReason::Stalled,
                Overdue::Slow => DisconnectReason::Slow,
                Overdue::Behind => DisconnectReason::Behind,
            };
            self.queue_leave(key, why);
        }
        self.overdue = overdue;
        if self.withholds {
            return;
        }
        while let Some(key) = self.idle.as_mut().and_then(|idle| idle.expired(now)) {
            match self.is_spoken_to(key) || self.waits_for_us(key) || self.takes_something(key) {
                true => self.touch(key, now),
                // A peer that has ended its side says nothing more, and its last words are read
                // later.
                false if !self.is_here(key) => self.depart(key, DisconnectReason::Idle, now),
                false => self.queue_leave(key, DisconnectReason::Idle),
            }
        }
    }

    /// Whether something was said to a member in this turn that it is not handed yet.
    fn is_spoken_to(&self, key: usize) -> bool {
        let takes = |peer: &Peer<S>| peer.conn.is_writable() && !peer.takes_no_more();
        self.member(key).is_some_and(takes) && self.room.owed(key) > 0
    }

    /// Whether a member acknowledged some of what is out to it since that was last asked: a kernel that has much of
    /// it (megabytes, at a third of which it asks for more: tcp(7), `tcp_wmem`) takes nothing for as long as that lasts.
    fn takes_something(&mut self, key: usize) -> bool {
        self.took(key, 1, |ledger| &mut ledger.taken)
    }

    /// The same of as much as counts as progress where others wait for it.
    fn took_much(&mut self, key: usize) -> bool {
        self.took(key, SEGMENT as u64, |ledger| &mut ledger.freed)
    }

    /// Whether a member acknowledged so many bytes on the wire since that was last so, or its kernel last took some and
    /// no more: not if nothing is out, or the system does not tell.
    fn took(&mut self, key: usize, bytes: u64, before: fn(&mut Ledger) -> &mut u64) -> bool {
        let Some(peer) = self.member_mut(key) else {
            return false;
        };
        let info = peer.conn.tcp_info();
        let Some(info) = info.filter(|info| info.unacknowledged() > 0) else {
            return false;
        };
        let before = before(peer.ledger_mut());
        let took = info.acknowledged.saturating_sub(*before) >= bytes;
        if took {
            *before = info.acknowledged;
        }
        took
    }

    /// Whether the delay is the hub's and not the member's: its bytes are not read for a reason
    /// that is not its own, or the words for it are not said for the sake of others.
    fn waits_for_us(&self, key: usize) -> bool {
        let Some(peer) = self.member(key) else {
            return false;
        };
        let may_say_more = peer.is_unread() && self.is_here(key);
        let is_unread = may_say_more && !self.room.holds_itself_up(key);
        is_unread || (self.room.is_held() && self.room.owed(key) == 0)
    }
}
