//! The peers' side of the hub: letting them in, hearing them, handing them what they are owed, and
//! taking them out.
//!
//! It promises: each peer gets one read and one write in a turn, so none can starve another; a
//! peer leaves in `reap` and nowhere else, and what it said before it broke off is heard
//! first.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use mio::Token;

use super::Hub;
use crate::engine::room::Room;
use crate::engine::room::SlowPeer;
use crate::io::conn::Conn;
use crate::io::conn::Heard;
use crate::io::door::Arrival;
use crate::io::error::Error;
use crate::io::error::why;
use crate::status::NOTICE;

/// Bytes read from one peer in a turn, to be shown only: what stays in the processor's cache until
/// it is written.
const PEER_CHUNK: usize = 64 * 1024;

/// The same to be relayed: like stdin, each read costs one large write per peer.
const RELAY_CHUNK: usize = 256 * 1024;

/// Connections accepted in a turn.
const ACCEPT_BATCH: usize = 64;

/// A peer as the loop knows it.
pub(super) struct Peer {
    pub(super) conn: Conn,
    /// It takes no more, and why. What it said before is still to be read.
    pub(super) broken: Option<io::Error>,
    /// Its key is in one of the queues already.
    pub(super) to_read: bool,
    pub(super) to_flush: bool,
    pub(super) leaving: bool,
}

/// Why a peer left.
pub(super) enum Leave {
    Closed,
    Broke(io::Error),
    Stalled,
    Behind,
    Kicked(String),
}

/// Keys of peers with work to do.
#[derive(Default)]
pub(super) struct Queues {
    /// Something can be read. Who could not be read for everybody's sake stays at its place.
    pub(super) readable: VecDeque<usize>,
    /// Readable, but not allowed to speak just now.
    pub(super) parked: Vec<usize>,
    /// Owed something, and the kernel has room.
    pub(super) owed: Vec<usize>,
    pub(super) leaving: Vec<(usize, Leave)>,
    pub(super) overdue: Vec<usize>,
}

impl Hub {
    /// One read from each peer that has something to say, as long as there is room for it.
    pub(super) fn hear_peers(&mut self, now: Instant) -> Result<(), Error> {
        self.queues.readable.extend(self.queues.parked.drain(..));
        for _ in 0..self.queues.readable.len() {
            if self.room.screen().is_full() {
                // The more is read in a turn, the larger and the fewer are the writes.
                self.show()?;
            }
            if !self.room.hears() {
                // Everybody keeps the place in the queue.
                return Ok(());
            }
            let Some(key) = self.queues.readable.pop_front() else {
                return Ok(());
            };
            if self.room.may_speak(key) {
                self.hear(key, now);
            } else {
                self.queues.parked.push(key);
            }
        }
        Ok(())
    }

    fn hear(&mut self, key: usize, now: Instant) {
        let chunk = match self.room.relays() {
            true => RELAY_CHUNK,
            false => PEER_CHUNK,
        };
        let Some(peer) = self.room.conn_mut(key) else {
            return;
        };
        peer.to_read = false;
        if peer.leaving {
            return;
        }
        let was_ended = peer.conn.has_ended();
        let heard = peer.conn.read(&mut self.buffer[..chunk]);
        if !matches!(heard, Heard::Bytes(_))
            && let Some(error) = peer.broken.take()
        {
            self.queue_leave(key, Leave::Broke(error));
            return;
        }
        match heard {
            Heard::Bytes(count) => {
                self.room.heard(key, &self.buffer[..count], now);
                self.queue_read(key);
                if self.config.chat.is_some() {
                    // It may have been answered.
                    self.queue_flush(key);
                }
            }
            Heard::Nothing => {}
            Heard::End => {
                if let Some(error) = peer.conn.take_error() {
                    self.queue_leave(key, Leave::Broke(error));
                    return;
                }
                if was_ended {
                    return;
                }
                let is_shut = peer.conn.is_shut();
                self.room.finish(key, now);
                if self.room.dismiss(key) {
                    self.queue_flush(key);
                }
                if is_shut {
                    self.queue_leave(key, Leave::Closed);
                } else if let Some(member) = self.room.member(key) {
                    // It may still listen; if it does not, the next write will tell.
                    let addr = member.conn.conn.addr();
                    log::info!(target: NOTICE, "[{}] {addr} will send no more (it may still listen)", member.account.number);
                }
            }
            Heard::Failed(error) => self.queue_leave(key, Leave::Broke(error)),
        }
    }

    pub(super) fn accept(&mut self, now: Instant) {
        for _ in 0..ACCEPT_BATCH {
            match self.door.accept(now) {
                Arrival::Nobody => return,
                Arrival::Exhausted => {
                    log::warn!(
                        "no descriptor is left after {} peers: whoever else comes waits until \
                         one leaves (ulimit -n sets the limit)",
                        self.room.len()
                    );
                    return;
                }
                Arrival::Peer(stream, addr) => self.admit(Conn::new(stream, addr), now),
                Arrival::Failed => {}
            }
        }
    }

    fn admit(&mut self, mut conn: Conn, now: Instant) {
        if let Some(max) = self.config.max_peers.filter(|&max| self.room.len() >= max) {
            log::info!(target: NOTICE, "{} was refused: {max} are here already", conn.addr());
            self.door
                .refuse(conn, &format!("muxnc: full, {max} are here already\n"), now);
            return;
        }
        let token = Token(self.room.next_key());
        if let Err(error) = conn.register(self.poll.registry(), token) {
            log::warn!("serve {}: {}", conn.addr(), why(&error));
            return;
        }
        let addr = conn.addr().clone();
        let key = self.room.join(
            Peer {
                conn,
                broken: None,
                to_read: false,
                to_flush: false,
                leaving: false,
            },
            now,
        );
        if let Some(member) = self.room.member(key) {
            let (number, here) = (member.account.number, self.room.len());
            log::info!(target: NOTICE, "[{number}] {addr} joined, {here} here");
        }
    }

    /// One gathered write to everybody who is owed something and can take it.
    pub(super) fn flush(&mut self, now: Instant) {
        if self.flushed < self.room.said() {
            self.flushed = self.room.said();
            self.queue_flush_all();
        }
        let due = self.queues.owed.len();
        for i in 0..due {
            self.flush_one(self.queues.owed[i], now);
        }
        // What was queued meanwhile wants more, in the next turn.
        self.queues.owed.drain(..due);
    }

    fn flush_one(&mut self, key: usize, now: Instant) {
        let Some(peer) = self.room.conn_mut(key) else {
            return;
        };
        peer.to_flush = false;
        if peer.leaving || !peer.conn.is_writable() {
            return;
        }
        if peer.conn.is_shut() || peer.broken.is_some() {
            // What is relayed after the end of its stream is not for it, and writing would fail.
            self.room.forgo(key, now);
            return;
        }
        match self
            .room
            .flush(key, now, |peer, slices| peer.conn.write(slices))
        {
            Ok(0) => self.half_close(key),
            Ok(_) => self.queue_flush(key),
            Err(error) => self.break_off(key, error, now),
        }
    }

    /// Takes note that a peer takes no more. It leaves when all it said before was heard, and
    /// until then nobody waits for it.
    fn break_off(&mut self, key: usize, error: io::Error, now: Instant) {
        self.room.forgo(key, now);
        if let Some(peer) = self.room.conn_mut(key) {
            peer.broken = Some(error);
            peer.conn.expect_end();
        }
        self.queue_read(key);
    }

    /// Ends the stream of a peer that is owed nothing more, if stdin has ended.
    fn half_close(&mut self, key: usize) {
        if self.operator.finished.is_none() || !self.config.settings.half_close {
            return;
        }
        let Some(peer) = self.room.conn_mut(key) else {
            return;
        };
        if !peer.conn.is_shut() {
            peer.conn.shutdown();
            if peer.conn.has_ended() {
                self.queue_leave(key, Leave::Closed);
            }
        }
    }

    pub(super) fn find_overdue(&mut self, now: Instant) {
        let mut overdue = std::mem::take(&mut self.queues.overdue);
        self.room.overdue(now, &mut overdue);
        for key in overdue.drain(..) {
            let why = match self.config.slow {
                SlowPeer::Wait => Leave::Stalled,
                SlowPeer::Disconnect => Leave::Behind,
            };
            self.queue_leave(key, why);
        }
        self.queues.overdue = overdue;
    }

    /// The only place where a peer leaves the room.
    pub(super) fn reap(&mut self, now: Instant) {
        if self.queues.leaving.is_empty() {
            return;
        }
        let mut leaving = std::mem::take(&mut self.queues.leaving);
        // Keys are reused: nobody who is gone may be found in a queue.
        let gone =
            |room: &mut Room<Peer>, key: usize| room.conn_mut(key).is_some_and(|p| p.leaving);
        self.queues
            .readable
            .retain(|&key| !gone(&mut self.room, key));
        self.queues.parked.retain(|&key| !gone(&mut self.room, key));
        self.queues.owed.retain(|&key| !gone(&mut self.room, key));
        for (key, why) in leaving.drain(..) {
            self.leave(key, why, now);
        }
        self.queues.leaving = leaving;
        self.door.someone_left();
    }

    fn leave(&mut self, key: usize, why: Leave, now: Instant) {
        let left = self.room.leave(key, now);
        let account = &left.account;
        let who = format!("[{}] {}", account.number, left.conn.conn.addr());
        let traffic = format!(
            "after {:.1?}, {} bytes in, {} out, {} here",
            now.saturating_duration_since(account.since),
            account.received,
            account.sent,
            self.room.len()
        );
        let owed = left.owed;
        match why {
            Leave::Closed => log::info!(target: NOTICE, "{who} left {traffic}"),
            Leave::Broke(error) => {
                let why = self::why(&error);
                log::info!(target: NOTICE, "{who} left ({why}) {traffic}");
            }
            Leave::Stalled => log::warn!(
                "{who} was cut off: it took nothing for {:?} while the others waited, \
                 {owed} bytes were not delivered; {traffic}",
                self.config.stall_timeout
            ),
            Leave::Kicked(reason) if reason.is_empty() => {
                log::warn!("{who} was cut off by you; {traffic}");
            }
            Leave::Kicked(reason) => log::warn!("{who} was cut off by you: {reason}; {traffic}"),
            Leave::Behind => log::warn!(
                "{who} was cut off: it fell too far behind, {owed} bytes were not delivered; \
                 {traffic}"
            ),
        }
    }

    pub(super) fn queue_read(&mut self, key: usize) {
        if let Some(peer) = self.room.conn_mut(key)
            && peer.conn.is_readable()
            && !peer.to_read
            && !peer.leaving
        {
            peer.to_read = true;
            self.queues.readable.push_back(key);
        }
    }

    pub(super) fn queue_flush(&mut self, key: usize) {
        if let Some(peer) = self.room.conn_mut(key)
            && peer.conn.is_writable()
            && !peer.to_flush
            && !peer.leaving
        {
            peer.to_flush = true;
            self.queues.owed.push(key);
        }
    }

    pub(super) fn queue_flush_all(&mut self) {
        for (key, peer) in self.room.conns_mut() {
            if peer.conn.is_writable() && !peer.to_flush && !peer.leaving {
                peer.to_flush = true;
                self.queues.owed.push(key);
            }
        }
    }

    pub(super) fn queue_leave(&mut self, key: usize, why: Leave) {
        if let Some(peer) = self.room.conn_mut(key)
            && !peer.leaving
        {
            peer.leaving = true;
            self.queues.leaving.push((key, why));
        }
    }
}
