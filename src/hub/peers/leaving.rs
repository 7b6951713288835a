//! How a peer leaves, and why.
//!
//! It promises: a peer leaves in [`Peers::reap`] and nowhere else, and nobody who is gone is found in a
//! queue after that.

use std::fmt;
use std::fmt::Display;
use std::io;
use std::io::ErrorKind;
use std::time::Duration;
use std::time::Instant;

use super::Peer;
use super::Peers;
use crate::engine::dead_peer;
use crate::engine::idle::Idle;
use crate::engine::record::Who;
use crate::engine::room::Room;
use crate::engine::room::SlowPeer;
use crate::io::conn::Stream;
use crate::io::error::why;
use crate::status::NOTICE;

/// Why a peer left.
#[derive(Debug)]
pub enum DisconnectReason {
    /// It closed its connection.
    Closed,
    /// Its connection broke.
    Broke(io::Error),
    /// It held the others up for too long.
    Stalled,
    /// It fell too far behind.
    Behind,
    /// Nothing was sent to it or received from it for too long.
    Idle,
    /// The operator wanted it, and why.
    Kicked(String),
}

impl Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DisconnectReason::Closed => f.write_str("closed"),
            DisconnectReason::Broke(error) => f.write_str(&why(error)),
            DisconnectReason::Stalled => f.write_str("cut off: took nothing"),
            DisconnectReason::Behind => f.write_str("cut off: too far behind"),
            DisconnectReason::Idle => f.write_str("cut off: idle"),
            DisconnectReason::Kicked(reason) => write!(f, "cut off by the operator: {reason}"),
        }
    }
}

impl<S: Stream> Peers<S> {
    /// Gives up whoever vanished: see [`dead_peer`].
    pub fn find_vanished(&mut self, now: Instant) {
        if self.checkup.is_none_or(|checkup| checkup > now) {
            return;
        }
        self.checkup = None;
        let mut vanished = std::mem::take(&mut self.queues.overdue);
        for (key, peer) in self.room.peers_mut() {
            if peer.leaving || peer.broken.is_some() {
                continue;
            }
            if peer.conn.has_vanished(&mut self.tcp_info) {
                vanished.push(key);
            } else if peer.conn.is_watched() {
                self.checkup = Some(now + dead_peer::EVERY);
            }
        }
        for key in vanished.drain(..) {
            self.break_off(key, ErrorKind::TimedOut.into(), now);
        }
        self.queues.overdue = vanished;
    }

    /// Lets everybody go whose time is over.
    pub fn find_overdue(&mut self, now: Instant) {
        let mut overdue = std::mem::take(&mut self.queues.overdue);
        self.room.overdue(now, &mut overdue);
        for key in overdue.drain(..) {
            let why = match self.room.policy().slow {
                SlowPeer::Wait => DisconnectReason::Stalled,
                SlowPeer::Disconnect => DisconnectReason::Behind,
            };
            self.queue_leave(key, why);
        }
        self.queues.overdue = overdue;
        while let Some(key) = self.idle.as_mut().and_then(|idle| idle.expired(now)) {
            // What it said and we did not read yet is our delay, not its.
            match self.room.peer_mut(key).is_some_and(|peer| peer.to_read) {
                true => self.touch(key, now),
                false => self.queue_leave(key, DisconnectReason::Idle),
            }
        }
    }

    /// The only place where a peer leaves the room. Returns whether one did.
    pub fn reap(&mut self, now: Instant) -> bool {
        if self.queues.leaving.is_empty() {
            return false;
        }
        let mut leaving = std::mem::take(&mut self.queues.leaving);
        // Keys are reused: nobody who is gone may be found in a queue.
        let gone =
            |room: &mut Room<Peer<S>>, key: usize| room.peer_mut(key).is_some_and(|p| p.leaving);
        self.queues
            .readable
            .retain(|&key| !gone(&mut self.room, key));
        self.queues.parked.retain(|&key| !gone(&mut self.room, key));
        self.queues
            .limited
            .retain(|&key| !gone(&mut self.room, key));
        self.queues.owed.retain(|&key| !gone(&mut self.room, key));
        for (key, why) in leaving.drain(..) {
            self.leave(key, why, now);
        }
        self.queues.leaving = leaving;
        true
    }

    fn leave(&mut self, key: usize, why: DisconnectReason, now: Instant) {
        let mut left = self.room.leave(key, now);
        if left.owed == 0 {
            left.peer.conn.close_notify();
        }
        if let Some(idle) = &mut self.idle {
            idle.remove(key);
        }
        if let (Some(headcount), Some(ip)) = (&mut self.headcount, left.peer.conn.addr().ip()) {
            headcount.left(ip);
        }
        let account = &left.account;
        self.received += account.received;
        let who = format!("[{}] {}", account.number, left.peer.conn.addr());
        let traffic = format!(
            "after {:.1?}, {} bytes in, {} out, {} here",
            now.saturating_duration_since(account.since),
            account.received,
            account.sent,
            self.room.len()
        );
        let owed = left.owed;
        let addr = left.peer.conn.addr();
        self.record(|records| records.left(Who::of(account, &addr), &why.to_string()));
        match why {
            DisconnectReason::Closed => log::info!(target: NOTICE, "{who} left {traffic}"),
            DisconnectReason::Broke(error) => {
                let why = self::why(&error);
                log::info!(target: NOTICE, "{who} left ({why}) {traffic}");
            }
            DisconnectReason::Stalled => log::warn!(
                "{who} was cut off: it took nothing for {:?} while the others waited, \
                 {owed} bytes were not delivered; {traffic}",
                self.room.policy().stall_timeout
            ),
            DisconnectReason::Idle => {
                let limit = self.idle.as_ref().map_or(Duration::ZERO, Idle::limit);
                log::info!(
                    target: NOTICE,
                    "{who} was disconnected: nothing was sent or received for {limit:?}; {traffic}"
                );
            }
            DisconnectReason::Kicked(reason) if reason.is_empty() => {
                log::warn!("{who} was cut off by you; {traffic}");
            }
            DisconnectReason::Kicked(reason) => {
                log::warn!("{who} was cut off by you: {reason}; {traffic}");
            }
            DisconnectReason::Behind => log::warn!(
                "{who} was cut off: it fell too far behind, {owed} bytes were not delivered; \
                 {traffic}"
            ),
        }
    }
}
