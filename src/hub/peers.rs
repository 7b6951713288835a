//! The peers of the hub: the one slab of connections, and every step that a turn does for them.
//!
//! A peer takes its key when it is accepted and keeps it until it is closed; the room is keyed by it.
//!
//! ```text
//!   accepted ─► arriving ─► member ──────────────► leaving ─► reaped
//!                  │           └─► departed (heard) ──▲
//!                  └─► lingering (told why not) ──────┘
//! ```
//!
//! [`Peers`] knows nothing of a Poll, and what is under a connection (`S`) does not matter: it is a
//! socket here and a model of one in a simulation.
//!
//! It promises: each peer gets one read and one write in a turn, so none can starve another; a
//! peer is taken out in [`Peers::reap`] and nowhere else, and what it said before it broke off is
//! read first.

mod check;
mod departing;
#[cfg(test)]
pub(super) mod fake;
mod leaving;
mod presence;
mod reading;
mod shortfall;
#[cfg(test)]
mod tests;
mod writing;

use std::collections::VecDeque;
use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;
use std::time::Instant;

use slab::Slab;

pub use self::leaving::DisconnectReason;
use self::presence::Looks;
pub use self::presence::MOMENT;
pub use self::reading::CHUNK;
use self::shortfall::Shortfall;
use super::news::News;
use crate::engine::admit::Admission;
use crate::engine::admit::AdmissionError;
use crate::engine::admit::Headcount;
use crate::engine::dialect::Dialect;
use crate::engine::idle::Idle;
use crate::engine::record::Who;
use crate::engine::room::Overdue;
use crate::engine::room::Presence;
use crate::engine::room::Room;
use crate::io::addr::Addr;
use crate::io::conn::Conn;
use crate::io::descriptor::Descriptor;
use crate::io::device::Device;
use crate::io::readiness::Event;
use crate::io::record::Records;
use crate::io::stream::Stream;

/// A connection as the loop knows it.
#[derive(Debug)]
pub struct Peer<S> {
    /// Its connection.
    pub conn: Conn<S>,
    stage: Stage,
    /// It takes no more and has no place, and why. What it said before is still to be read.
    departed: Option<Box<DisconnectReason>>,
    ledger: Option<Box<Ledger>>,
    /// It is among those that the operator's words are promised to (see [`Peers::promise`]).
    is_promised: bool,
    /// Its key is in one of the queues already.
    to_read: bool,
    to_flush: bool,
    to_look: bool,
    /// An event told that it ended its side or broke, and it was not read since.
    is_closing: bool,
    leaving: bool,
    /// The turn in which it was read last.
    read_in: u32,
    /// What is known of its text.
    dialect: Dialect,
}

/// What is kept of a peer to prove that it is there and got what was promised. Most need none: those
/// that shook no hands, did not end their side and did not break, while the operator goes on.
#[derive(Debug, Default, Clone, Copy)]
struct Ledger {
    /// Bytes on the wire whose acknowledgement proves nothing: those of a handshake.
    preamble: u64,
    /// From its end on: those whose acknowledgement does not prove that it is still there, since they
    /// were written before.
    unproven: u64,
    /// How long its own stream was when the operator had said all that was promised.
    promised_until: Option<u64>,
    /// Bytes that it was owed when it took no more.
    lost: u64,
    /// Bytes on the wire that it had acknowledged when its time to be idle was over, and they were not
    /// all.
    taken: u64,
}

impl<S> Peer<S> {
    fn ledger(&self) -> Ledger {
        self.ledger.as_deref().copied().unwrap_or_default()
    }

    fn ledger_mut(&mut self) -> &mut Ledger {
        self.ledger.get_or_insert_default()
    }

    fn is_member(&self) -> bool {
        self.stage == Stage::Member
    }

    /// Whether it is handed nothing more: its stream has ended, or it departed.
    fn takes_no_more(&self) -> bool
    where
        S: Stream,
    {
        self.conn.is_shut() || self.departed.is_some()
    }

    /// Tells it that nothing follows, once. Returns whether it is told now.
    fn end_our_side(&mut self) -> bool
    where
        S: Stream,
    {
        let is_told = !self.conn.is_shut();
        if is_told {
            self.conn.shutdown();
            if self.is_promised {
                self.conn.break_on_close(false);
            }
        }
        is_told
    }

    /// Lets what the other side reads when the connection is closed be the truth. A member that is
    /// `owed` bytes, that was promised what `more` will be said, or of whose bytes a layer holds some
    /// back, reads that the connection broke; any other that it ended.
    fn close_truthfully(&mut self, owed: u64, more: bool)
    where
        S: Stream,
    {
        let lacks = owed > 0 || (self.is_promised && more);
        let breaks = (lacks && !self.conn.is_shut()) || self.conn.has_pending_output();
        self.conn.break_on_close(breaks);
        if !breaks {
            self.conn.close_notify();
        }
    }
}

/// How far a peer is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Accepted; not in the room yet.
    Arriving,
    /// Refused, and until when it may read why.
    Lingering { until: Instant },
    /// In the room.
    Member,
}

/// Keys of peers with work to do.
#[derive(Default)]
struct Queues {
    /// Something can be read. Who could not be read for everybody's sake stays at its place.
    readable: VecDeque<usize>,
    /// The same of those who had nothing to say when they were read last: they come before those who
    /// go on and on.
    fresh: VecDeque<usize>,
    /// Readable, but not allowed to speak just now.
    parked: Vec<usize>,
    /// Readable, but more than its rate just now.
    limited: Vec<usize>,
    /// Owed something, and the kernel has room.
    owed: Vec<usize>,
    /// An event told that they ended their side or broke, and they were not read since.
    closing: Vec<usize>,
    leaving: Vec<(usize, DisconnectReason)>,
    /// Those of them that wait until there is room for what they hold of a line.
    held_back: Vec<(usize, DisconnectReason)>,
    overdue: Vec<(usize, Overdue)>,
}

/// All connections, and what is to be done for each. See the module's documentation.
pub struct Peers<S, D = Descriptor> {
    conns: Slab<Peer<S>>,
    /// Who is in, and what everybody says.
    pub room: Room,
    queues: Queues,
    /// Where the shared stream ended when everybody was last queued to be flushed.
    flushed: u64,
    /// Nothing will ever follow what was said.
    says_no_more: bool,
    /// Nobody else will join.
    expects_nobody: bool,
    /// Whoever is owed nothing is told that nothing will follow.
    half_closing: bool,
    /// The hub ends soon after everything was acknowledged.
    lingers: bool,
    /// Who is proven to be there is promised what was and will be said.
    promises: bool,
    /// Whose departure would leave something undelivered that was promised.
    shortfall: Shortfall,
    /// What the peers make us say on stderr.
    pub news: News,
    /// Only where something is to be recorded.
    records: Option<Box<Records<D>>>,
    /// So many of those that wait for room to be taken out are taken out without, since descriptors ran out.
    pressed: usize,
    /// Counts the turns, so that it is known who was read in this one.
    turn: u32,
    /// Bytes that the operator said to everybody.
    pub said: u64,
    /// Bytes received from those who left.
    received: u64,
    looks: Looks,
    /// When to look again who of the limited may be read.
    release: Option<Instant>,
    /// When to look who answers, while something is on its way to anybody.
    checkup: Option<Instant>,
    /// How many are here of each address, if that matters.
    headcount: Option<Headcount>,
    /// Who may not be idle for how long, if anybody may not.
    idle: Option<Idle>,
    /// What the operator says is not read until others have come: until then nobody is idle.
    withholds: bool,
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// Nobody yet, in this room.
    pub fn new(room: Room) -> Peers<S, D> {
        Peers {
            conns: Slab::new(),
            room,
            queues: Queues::default(),
            flushed: 0,
            news: News::default(),
            says_no_more: false,
            expects_nobody: false,
            half_closing: false,
            lingers: false,
            promises: false,
            shortfall: Shortfall::default(),
            looks: Looks::default(),
            release: None,
            checkup: None,
            headcount: None,
            idle: None,
            withholds: false,
            records: None,
            pressed: 0,
            turn: 0,
            said: 0,
            received: 0,
        }
    }

    /// The same, and what happens is recorded.
    pub fn recorded(mut self, records: Option<Records<D>>) -> Peers<S, D> {
        self.records = records.map(Box::new);
        if self.records.as_ref().is_some_and(|r| r.wants_lines()) {
            self.room.keep_minutes();
        }
        self
    }

    /// From now on whoever joins and is idle for so long is disconnected.
    pub fn limit_idle(&mut self, limit: Duration) {
        self.idle = Some(Idle::new(limit));
    }

    /// What was said last is looked after until everybody acknowledged it (`--send-only`).
    pub fn linger(&mut self) {
        self.lingers = true;
    }

    /// Counts how many there are of each address from now on.
    pub fn count_hosts(&mut self) {
        self.headcount.get_or_insert_default();
    }

    /// The key that the next connection will have.
    pub fn next_key(&self) -> usize {
        self.conns.vacant_key()
    }

    /// Takes a connection in, whose events will come with the key returned: [`Peers::next_key`], as
    /// it was before. It is not in the room.
    pub fn arrive(&mut self, conn: Conn<S>) -> usize {
        self.conns.insert(Peer {
            conn,
            stage: Stage::Arriving,
            departed: None,
            ledger: None,
            is_promised: false,
            to_read: false,
            to_flush: false,
            to_look: false,
            is_closing: false,
            leaving: false,
            read_in: 0,
            dialect: Dialect::default(),
        })
    }

    /// The connection of a peer that is on its way to the room.
    pub fn arriving_mut(&mut self, key: usize) -> Option<&mut Conn<S>> {
        let peer = self.conns.get_mut(key)?;
        (peer.stage == Stage::Arriving && !peer.leaving).then_some(&mut peer.conn)
    }

    /// The connection of a peer that was told why it is not let in, and may read that until then: the
    /// time tells it from a peer that got the key since.
    pub(super) fn lingering_mut(&mut self, key: usize, until: Instant) -> Option<&mut Conn<S>> {
        let peer = self.conns.get_mut(key)?;
        (peer.stage == Stage::Lingering { until } && !peer.leaving).then_some(&mut peer.conn)
    }

    /// A peer was told why it is not let in, and may read that until then.
    pub(super) fn refused(&mut self, key: usize, until: Instant) {
        if let Some(peer) = self.conns.get_mut(key) {
            peer.stage = Stage::Lingering { until };
        }
    }

    /// A peer that is not in the room is closed at the end of this turn.
    pub fn forget(&mut self, key: usize) {
        if let Some(peer) = self.conns.get_mut(key)
            && peer.stage != Stage::Member
            && !peer.leaving
        {
            peer.leaving = true;
            self.queues.leaving.push((key, DisconnectReason::Closed));
        }
    }

    /// Whether there is a place in the room for a peer from that address. Whoever ended its side and
    /// is not known to be there makes way, the one that ended first; if it is asked `once_more`, then whoever
    /// is read on to its end.
    ///
    /// # Errors
    /// There is none, and why.
    pub fn ask_for_place(
        &mut self,
        admission: &Admission,
        ip: Option<IpAddr>,
        once_more: bool,
        now: Instant,
    ) -> Result<(), AdmissionError> {
        loop {
            let (members, of_host) = (self.staying(), self.staying_from(ip));
            let refusal = match admission.ask(ip, members, of_host) {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            };
            let whose = match refusal {
                AdmissionError::Full(_) => None,
                AdmissionError::FullOfHost(_) => ip,
                AdmissionError::NotAllowed => return Err(refusal),
            };
            let unconfirmed = self.first_unconfirmed(whose);
            let unread = || self.first_unread(whose).filter(|_| once_more);
            let makes_way = unconfirmed.or_else(unread).ok_or(refusal)?;
            self.give_up(makes_way, DisconnectReason::Closed, now);
        }
    }

    /// Lets a peer into the room.
    pub fn join(&mut self, key: usize, now: Instant) {
        let Some(peer) = self.conns.get_mut(key) else {
            return;
        };
        peer.stage = Stage::Member;
        // What a handshake wrote may be acknowledged by a peer that is gone by now.
        if !peer.conn.is_wire() {
            let preamble = peer.conn.tcp_info().map_or(0, |info| info.written);
            *peer.ledger_mut() = Ledger {
                preamble,
                unproven: preamble,
                ..Ledger::default()
            };
        }
        if let (Some(headcount), Some(ip)) = (&mut self.headcount, peer.conn.addr().ip()) {
            headcount.joined(ip);
        }
        self.room.join(key, now);
        self.touch(key, now);
        self.record_of(key, Records::joined);
        // Of what came with the end of a handshake, or before it, no event will tell.
        self.queue_read(key);
        if self.conns[key].conn.is_closing() {
            self.note_closing(key);
        }
        self.queue_flush(key);
    }

    /// Takes note of an event. Returns whether it is of a peer on its way to the room; an event of a
    /// peer that is gone is no news.
    pub fn collect(&mut self, key: usize, event: impl Into<Event>) -> bool {
        let Some(peer) = self.conns.get_mut(key) else {
            return false;
        };
        let event = event.into();
        let is_closing = event.read_closed || event.write_closed || event.error;
        peer.conn.collect(event);
        match peer.stage {
            Stage::Arriving => return true,
            Stage::Lingering { .. } => {}
            Stage::Member => {
                self.queue_read(key);
                self.queue_flush(key);
                if is_closing {
                    self.note_closing(key);
                }
            }
        }
        false
    }

    /// Takes the connection of a peer out for good: somebody else serves it.
    pub fn hand_over(&mut self, key: usize, now: Instant) -> Option<Conn<S>> {
        self.room.leave(key, now)?;
        self.conns.try_remove(key).map(|peer| peer.conn)
    }

    /// The peer of that key, if it is a member.
    pub fn member(&self, key: usize) -> Option<&Peer<S>> {
        self.conns.get(key).filter(|peer| peer.is_member())
    }

    /// The same, to work on; not one that is leaving.
    fn member_mut(&mut self, key: usize) -> Option<&mut Peer<S>> {
        self.conns
            .get_mut(key)
            .filter(|peer| peer.is_member() && !peer.leaving)
    }

    /// How many places are taken by those who are not leaving already.
    pub(super) fn staying(&self) -> usize {
        let leaving = self.queues.leaving.iter();
        let members = leaving.filter(|(key, _)| self.has_place(*key));
        self.room.places_taken() - members.count()
    }

    /// Whether a member takes a place.
    fn has_place(&self, key: usize) -> bool {
        let member = self.room.member(key);
        member.is_some_and(|member| member.presence() != Presence::Gone)
    }

    /// How many of them there are of one address, if that is counted.
    fn staying_from(&self, ip: Option<IpAddr>) -> usize {
        let Some((headcount, ip)) = self.headcount.as_ref().zip(ip) else {
            return 0;
        };
        let is_of = |peer: &Peer<S>| {
            let theirs = peer.conn.addr().ip();
            theirs.is_some_and(|theirs| theirs.to_canonical() == ip.to_canonical())
        };
        let leaving = self.queues.leaving.iter();
        let leaving =
            leaving.filter(|(key, _)| self.has_place(*key) && self.member(*key).is_some_and(is_of));
        headcount.of(ip) - leaving.count()
    }

    /// Records something, if anything is recorded.
    pub fn record(&mut self, record: impl FnOnce(&mut Records<D>)) {
        if let Some(records) = &mut self.records {
            record(records);
            let screen = self.room.screen_mut();
            records.take_for_stdout(|text| screen.record(text));
        }
    }

    /// Takes the records out, to be finished.
    pub fn take_records(&mut self) -> Option<Records<D>> {
        self.records.take().map(|records| *records)
    }

    /// The same about a member.
    fn record_of(&mut self, key: usize, record: impl FnOnce(&mut Records<D>, Who<'_>)) {
        if let (Some(records), Some(member), Some(peer)) = (
            &mut self.records,
            self.room.member(key),
            self.conns.get(key),
        ) {
            let addr = peer.conn.addr();
            record(records, Who::of(&member.account, &addr));
            let screen = self.room.screen_mut();
            records.take_for_stdout(|text| screen.record(text));
        }
    }

    /// Records what the members said since the last time. `gone`: where the one was that is just taken
    /// out.
    pub(super) fn record_lines(&mut self, gone: Option<&Addr>) {
        if !self.room.has_minutes() {
            return;
        }
        let Some(records) = &mut self.records else {
            return;
        };
        let conns = &self.conns;
        self.room.take_minutes(|key, number, name, said| {
            let addr = match (gone, conns.get(key)) {
                (Some(gone), _) => gone,
                (None, Some(peer)) => peer.conn.addr(),
                (None, None) => return,
            };
            let addr: &dyn Display = &addr;
            records.lines(Who { number, addr, name }, said);
        });
        let screen = self.room.screen_mut();
        records.take_for_stdout(|text| screen.record(text));
    }

    /// How many bytes of the operator's are wanted now, at most.
    pub(super) fn input_budget(&self) -> usize {
        let wanted = self.room.input_budget();
        match &self.records {
            Some(records) => wanted.min(records.fits(None, 0)),
            None => wanted,
        }
    }

    /// Bytes received so far, from everybody.
    pub fn received(&self) -> u64 {
        let here = self
            .room
            .members()
            .map(|(_, member)| member.account.received);
        self.received + here.sum::<u64>()
    }

    /// The operator said `bytes` to everybody.
    pub fn typed(&mut self, bytes: &[u8], now: Instant) {
        self.said += bytes.len() as u64;
        if self.room.has_latecomers() {
            self.settle_trial(now);
        }
        self.room.typed(bytes, now);
        self.record(|records| records.said(None, bytes));
    }

    /// The operator will say no more.
    pub fn typed_end(&mut self, now: Instant) {
        self.room.typed_end(now);
        self.record(|records| records.said_all(None));
    }

    /// The operator said `lines` to one alone.
    pub fn tell(&mut self, key: usize, lines: &[u8]) {
        self.room.tell(key, lines);
        self.record_of(key, |records, who| records.told(who, lines));
        self.queue_flush(key);
    }

    /// Something was sent to a peer, or received from it.
    fn touch(&mut self, key: usize, now: Instant) {
        if let Some(idle) = &mut self.idle
            && (self.conns.get(key)).is_some_and(|peer| peer.departed.is_none())
        {
            idle.touch(key, now);
        }
    }

    /// Whether there is work that no event will tell of.
    pub fn is_ready(&self) -> bool {
        // A line may have ended, or an author caught up, after the parked ones were passed over.
        let mut parked = self.queues.parked.iter();
        let are_waiting = !self.queues.readable.is_empty() || !self.queues.fresh.is_empty();
        let speakers = are_waiting || parked.any(|&key| self.room.may_speak(key));
        let owed = !self.queues.owed.is_empty() || self.flushed < self.room.said();
        let mut held_back = self.queues.held_back.iter();
        let released = self.room.was_released() && !self.queues.limited.is_empty();
        ((speakers || released) && self.room.accepts_input())
            || owed
            || !self.queues.leaving.is_empty()
            || held_back.any(|(key, _)| self.may_leave(*key))
            || !self.queues.closing.is_empty()
    }

    /// When there is something to do next, if nothing changes before.
    pub fn deadline(&self) -> Option<Instant> {
        let release = self.release.filter(|_| self.room.accepts_input());
        let idle = self.idle.as_ref().filter(|_| !self.withholds);
        let idle = idle.and_then(Idle::deadline);
        let deadlines = [
            self.room.deadline(),
            release,
            self.checkup,
            self.looks.at(),
            self.news.deadline(),
            idle,
        ];
        deadlines.into_iter().flatten().min()
    }

    /// A peer leaves at the end of this turn.
    pub fn queue_leave(&mut self, key: usize, why: DisconnectReason) {
        if let Some(peer) = self.member_mut(key) {
            peer.leaving = true;
            self.queues.leaving.push((key, why));
        }
    }
}
