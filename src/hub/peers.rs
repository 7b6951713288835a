//! The peers' side of the hub: letting them in, hearing them, handing them what they are owed, and
//! taking them out.
//!
//! [`Peers`] has every step that a turn does for them, and knows nothing of a Poll: what is under a
//! connection (`S`) is a socket here and a model of one in `tests/simulation.rs`, which runs these
//! very steps. The door, which lets them in, is the hub's.
//!
//! It promises: each peer gets one read and one write in a turn, so none can starve another; a
//! peer leaves in [`Peers::reap`] and nowhere else, and what it said before it broke off is heard
//! first.

mod hearing;
mod leaving;

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use std::time::Instant;

pub use self::hearing::CHUNK;
pub use self::leaving::DisconnectReason;
use crate::engine::admit::Headcount;
use crate::engine::dead_peer;
use crate::engine::idle::Idle;
use crate::engine::record::Who;
use crate::engine::room::Room;
use crate::io::conn::Conn;
use crate::io::conn::Hints;
use crate::io::conn::Stream;
use crate::io::record::Records;
use crate::io::tcp_info::TcpInfo;

/// A peer as the loop knows it.
#[derive(Debug)]
pub struct Peer<S> {
    /// Its connection.
    pub conn: Conn<S>,
    /// It takes no more, and why. What it said before is still to be read.
    broken: Option<io::Error>,
    /// Its key is in one of the queues already.
    to_read: bool,
    to_flush: bool,
    leaving: bool,
}

/// Keys of peers with work to do.
#[derive(Default)]
struct Queues {
    /// Something can be read. Who could not be read for everybody's sake stays at its place.
    readable: VecDeque<usize>,
    /// Readable, but not allowed to speak just now.
    parked: Vec<usize>,
    /// Readable, but more than its rate just now.
    limited: Vec<usize>,
    /// Owed something, and the kernel has room.
    owed: Vec<usize>,
    leaving: Vec<(usize, DisconnectReason)>,
    overdue: Vec<usize>,
}

/// Everybody who is connected, and what is to be done for each. See the module's documentation.
pub struct Peers<S> {
    /// Who is in, and what everybody says.
    pub room: Room<Peer<S>>,
    queues: Queues,
    /// Where the shared stream ended when everybody was last queued to be flushed.
    flushed: u64,
    /// Whoever is owed nothing is told that nothing will follow.
    half_closing: bool,
    /// Only where something is to be recorded.
    records: Option<Box<Records>>,
    /// Bytes that the operator said to everybody.
    pub said: u64,
    /// Bytes received from those who left.
    received: u64,
    tcp_info: TcpInfo,
    /// When to look again who of the limited may be read.
    release: Option<Instant>,
    /// When to look who answers, while something is on its way to anybody.
    checkup: Option<Instant>,
    /// How many are here of each address, if that matters.
    headcount: Option<Headcount>,
    /// Who may not be idle for how long, if anybody may not.
    idle: Option<Idle>,
}

impl<S: Stream> Peers<S> {
    /// Nobody yet, in this room.
    pub fn new(room: Room<Peer<S>>) -> Peers<S> {
        Peers {
            room,
            queues: Queues::default(),
            flushed: 0,
            half_closing: false,
            tcp_info: TcpInfo::new(),
            release: None,
            checkup: None,
            headcount: None,
            idle: None,
            records: None,
            said: 0,
            received: 0,
        }
    }

    /// The same, and what happens is recorded.
    pub fn recorded(mut self, records: Option<Records>) -> Peers<S> {
        self.records = records.map(Box::new);
        self
    }

    /// Records something, if anything is recorded.
    pub fn record(&mut self, record: impl FnOnce(&mut Records)) {
        if let Some(records) = &mut self.records {
            record(records);
            let screen = self.room.screen_mut();
            records.take_for_stdout(|text| screen.record(text));
        }
    }

    /// The same about a member.
    fn record_of(&mut self, key: usize, record: impl FnOnce(&mut Records, Who<'_>)) {
        if let (Some(records), Some(member)) = (&mut self.records, self.room.member(key)) {
            let addr = member.peer.conn.addr();
            record(records, Who::of(&member.account, &addr));
            // What of it is for stdout is on its way there.
            self.record(|_| ());
        }
    }

    /// Bytes received so far, from everybody.
    pub fn received(&self) -> u64 {
        let members = self.room.members();
        let here = members.iter().map(|(_, member)| member.account.received);
        self.received + here.sum::<u64>()
    }

    /// The operator said `bytes` to everybody.
    pub fn typed(&mut self, bytes: &[u8], now: Instant) {
        self.said += bytes.len() as u64;
        self.room.typed(bytes, now);
        self.record(|records| records.said(None, bytes));
    }

    /// The operator will say no more.
    pub fn typed_end(&mut self, now: Instant) {
        self.room.typed_end(now);
        self.record(|records| records.said_all(None));
    }

    /// The operator said `lines` to one alone.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn tell(&mut self, key: usize, lines: &[u8]) {
        self.room.tell(key, lines);
        self.record_of(key, |records, who| records.told(who, lines));
    }

    /// From now on whoever joins and is idle for so long is disconnected.
    pub fn limit_idle(&mut self, limit: Duration) {
        self.idle = Some(Idle::new(limit));
    }

    /// Counts how many there are of each address from now on.
    pub fn count_hosts(&mut self) {
        self.headcount.get_or_insert_default();
    }

    /// How many there are of one address, if that is counted.
    pub fn count_from(&self, ip: Option<IpAddr>) -> usize {
        let counted = self.headcount.as_ref().zip(ip);
        counted.map_or(0, |(headcount, ip)| headcount.of(ip))
    }

    /// Lets a connection in, whose events will come with the key returned: [`Room::next_key`], as
    /// it was before.
    pub fn admit(&mut self, conn: Conn<S>, now: Instant) -> usize {
        let peer = Peer {
            conn,
            broken: None,
            to_read: false,
            to_flush: false,
            leaving: false,
        };
        if let (Some(headcount), Some(ip)) = (&mut self.headcount, peer.conn.addr().ip()) {
            headcount.joined(ip);
        }
        let key = self.room.join(peer, now);
        self.touch(key, now);
        self.record_of(key, Records::joined);
        // Of what came with the end of a handshake no event will tell.
        self.queue_read(key);
        key
    }

    /// Takes note of an event. Of one who is gone it is no news.
    pub fn collect(&mut self, key: usize, event: impl Into<Hints>) {
        if let Some(peer) = self.room.peer_mut(key) {
            peer.conn.collect(event);
            self.queue_read(key);
            self.queue_flush(key);
        }
    }

    /// Something was sent to a peer, or received from it.
    fn touch(&mut self, key: usize, now: Instant) {
        if let Some(idle) = &mut self.idle {
            idle.touch(key, now);
        }
    }

    /// Whether there is work that no event will tell of.
    pub fn is_ready(&self) -> bool {
        // The line owner may have expired, or an author caught up, after the parked ones were
        // passed over.
        let mut parked = self.queues.parked.iter();
        let speakers =
            !self.queues.readable.is_empty() || parked.any(|&key| self.room.may_speak(key));
        let owed = !self.queues.owed.is_empty() || self.flushed < self.room.said();
        (speakers && self.room.accepts_input()) || owed
    }

    /// One gathered write to everybody who is owed something and can take it.
    pub fn flush(&mut self, now: Instant) {
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
        let Some(peer) = self.room.peer_mut(key) else {
            return;
        };
        peer.to_flush = false;
        if peer.leaving {
            return;
        }
        if peer.broken.is_none()
            && let Err(error) = peer.conn.flush()
        {
            self.break_off(key, error, now);
            return;
        }
        if !peer.conn.is_writable() {
            return;
        }
        if peer.conn.is_shut() && peer.conn.has_ended() {
            // The last of what it was owed was all that it waited for.
            self.queue_leave(key, DisconnectReason::Closed);
            return;
        }
        if peer.conn.is_shut() || peer.broken.is_some() {
            // What is relayed after the end of its stream is not for it, and writing would fail.
            self.room.skip_to_end(key, now);
            return;
        }
        let mut taken = 0;
        let flushed = self.room.flush(key, now, |peer, slices| {
            taken = peer.conn.write(slices)?;
            Ok(taken)
        });
        if taken > 0 {
            self.touch(key, now);
        }
        match flushed {
            Ok(0) => self.half_close(key),
            Ok(_) => self.queue_flush(key),
            Err(error) => self.break_off(key, error, now),
        }
        if let Some(peer) = self.room.peer_mut(key)
            && peer.conn.is_watched()
        {
            self.checkup.get_or_insert(now + dead_peer::EVERY);
        }
    }

    /// Takes note that a peer takes no more. It leaves when all it said before was heard, and
    /// until then nobody waits for it.
    fn break_off(&mut self, key: usize, error: io::Error, now: Instant) {
        self.room.skip_to_end(key, now);
        if let Some(peer) = self.room.peer_mut(key) {
            peer.broken = Some(error);
            peer.conn.expect_end();
        }
        self.queue_read(key);
    }

    /// Nothing more will be said by the operator: each peer is told so when it was handed all that
    /// was. To be followed by [`Peers::queue_flush_all`].
    pub fn half_close_all(&mut self) {
        self.half_closing = true;
    }

    /// Ends the stream of a peer that is owed nothing more, if nothing will follow.
    fn half_close(&mut self, key: usize) {
        if !self.half_closing {
            return;
        }
        let Some(peer) = self.room.peer_mut(key) else {
            return;
        };
        if !peer.conn.is_shut() {
            peer.conn.shutdown();
            if peer.conn.has_ended() && !peer.conn.has_pending_output() {
                self.queue_leave(key, DisconnectReason::Closed);
            }
        }
    }

    /// Whether the kernel has everything that anybody is owed.
    pub fn has_delivered_all(&mut self) -> bool {
        self.room.has_delivered_all()
            && !self
                .room
                .peers_mut()
                .any(|(_, peer)| peer.conn.has_pending_output())
    }

    /// At the end: whoever has everything that was said may know that nothing is missing.
    pub fn close_notify(&mut self) {
        let everybody: Vec<usize> = self.room.peers_mut().map(|(key, _)| key).collect();
        for key in everybody {
            if self.room.owed(key) == 0
                && let Some(peer) = self.room.peer_mut(key)
            {
                peer.conn.close_notify();
            }
        }
    }

    /// When there is something to do next, if nothing changes before.
    pub fn deadline(&self) -> Option<Instant> {
        let release = self.release.filter(|_| self.room.accepts_input());
        let idle = self.idle.as_ref().and_then(Idle::deadline);
        let deadlines = [self.room.deadline(), release, self.checkup, idle];
        deadlines.into_iter().flatten().min()
    }

    /// A peer was told something: it is flushed in this turn.
    pub fn queue_flush(&mut self, key: usize) {
        if let Some(peer) = self.room.peer_mut(key)
            && peer.conn.is_writable()
            && !peer.to_flush
            && !peer.leaving
        {
            peer.to_flush = true;
            self.queues.owed.push(key);
        }
    }

    /// Everybody is flushed in this turn.
    pub fn queue_flush_all(&mut self) {
        for (key, peer) in self.room.peers_mut() {
            if peer.conn.is_writable() && !peer.to_flush && !peer.leaving {
                peer.to_flush = true;
                self.queues.owed.push(key);
            }
        }
    }

    /// A peer leaves at the end of this turn.
    pub fn queue_leave(&mut self, key: usize, why: DisconnectReason) {
        if let Some(peer) = self.room.peer_mut(key)
            && !peer.leaving
        {
            peer.leaving = true;
            self.queues.leaving.push((key, why));
        }
    }
}
