//! The peers of the hub: the one slab of connections, and every step that a turn does for them.
//!
//! A peer takes its key when it is accepted and keeps it until it is closed; the room is keyed by it.
//!
//! ```text
//!   accepted ─► arriving ─► member ──────────────► leaving ─► reaped
//!                  │           ├─► departed (heard) ──▲
//!                  ├───────────┴─► lingering (told ───┤
//!                  │               why it is not in)  │
//!                  └─► downloading (a file) ──────────┘
//! ```
//!
//! [`Peers`] knows nothing of a Poll, and what is under a connection (`S`) does not matter: it is a
//! socket here and a model of one in a simulation.
//!
//! It promises: each peer gets one read and one write in a turn, so none can starve another; a
//! peer is taken out in [`Peers::reap`] and nowhere else, and what it said before it broke off is
//! read first.

mod check;
#[cfg(feature = "bus")]
mod class;
#[cfg(not(feature = "bus"))]
#[path = "peers/class/absent.rs"]
mod class;
mod company;
mod departing;
mod digests;
#[cfg(feature = "web")]
mod downloads;
#[cfg(not(feature = "web"))]
#[path = "peers/downloads/absent.rs"]
mod downloads;
mod exits;
mod explaining;
#[cfg(test)]
pub(super) mod fake;
mod leaving;
mod lingering;
mod oddities;
mod overdue;
mod peer;
mod places;
mod presence;
mod promises;
mod reading;
mod recording;
mod shortfall;
mod speakers;
#[cfg(test)]
mod tests;
mod visitors;
mod writing;

use std::time::Duration;
use std::time::Instant;

use slab::Slab;

pub(in crate::hub) use self::class::Demand;
use self::company::Company;
use self::company::Speaker;
use self::digests::Digests;
use self::downloads::Downloads;
use self::exits::Exits;
use self::explaining::Explaining;
pub use self::leaving::DisconnectReason;
pub use self::leaving::Kick;
use self::lingering::Lingering;
use self::oddities::Doubts;
use self::peer::Ledger;
pub use self::peer::Peer;
use self::peer::Stage;
pub(in crate::hub) use self::peer::watch_first;
use self::presence::Looks;
pub use self::presence::MOMENT;
pub use self::reading::CHUNK;
pub use self::shortfall::Settled;
use self::shortfall::Shortfall;
pub use self::shortfall::Unsaid;
use self::speakers::Speakers;
use self::visitors::Visitors;
use super::link::Link;
use super::news::News;
use crate::engine::admit::Headcount;
use crate::engine::idle::Idle;
use crate::engine::room::Overdue;
use crate::engine::room::PLACES;
use crate::engine::room::Room;
use crate::io::conn::Conn;
use crate::io::descriptor::Descriptor;
use crate::io::device::Device;
use crate::io::readiness::Event;
use crate::io::record::Records;
use crate::io::stream::Stream;
use crate::io::stream::Unread;

/// All connections, and what is to be done for each. See the module's documentation.
pub struct Peers<S, D = Descriptor> {
    conns: Slab<Peer<S>>,
    /// The members, and every rule about them.
    pub room: Room,
    /// Peers that have something to say.
    speakers: Speakers,
    /// Whether there is a conversation.
    company: Company,
    /// Peers that are owed something and whose socket has room.
    owed: Vec<usize>,
    /// Peers that are full, and whose events do not tell of room.
    full: Vec<usize>,
    /// Peers that leave.
    exits: Exits,
    overdue: Vec<(usize, Overdue)>,
    /// Peers that were refused and may still read why.
    lingering: Lingering,
    /// Browsers that talked while the hub ended, and may still read that.
    talkers: Vec<Peer<S>>,
    /// Members whose lines may not end.
    doubts: Doubts,
    /// Where the shared stream ended when all members were last queued to be flushed.
    flushed: u64,
    /// Nothing will ever follow what was said.
    says_no_more: bool,
    /// The operator's words broke off.
    has_broken_off: bool,
    /// No other peer will join.
    expects_nobody: bool,
    /// A member that is owed nothing is told that nothing will follow.
    half_closing: bool,
    /// The hub ends soon after everything was acknowledged.
    lingers: bool,
    /// Members that are proven to be there are promised all that was and will be said.
    promises: bool,
    /// How many members were promised something.
    receivers: usize,
    /// Members that were promised something: if one leaves before it has it, that is a loss.
    shortfall: Shortfall,
    /// Messages on stderr that peers can cause.
    pub news: News,
    /// Only where something is to be recorded.
    records: Option<Box<Records<D>>>,
    /// Only with `--sha256`.
    digests: Option<Box<Digests>>,
    /// Only with `--explain`.
    explaining: Option<Box<Explaining>>,
    /// Bytes that the operator said to everybody.
    pub said: u64,
    /// Bytes received from peers that left.
    received: u64,
    /// What members had said that were let go unheard, since no descriptor was left.
    dropped: Unread,
    looks: Looks,
    /// When to look which peers answer, while something is on its way to any.
    checkup: Option<Instant>,
    /// How many are here of each address, if that matters.
    headcount: Option<Headcount>,
    /// The limit for idle members (`-i`), if there is one.
    idle: Option<Idle>,
    /// The operator's input is not read until others have come: until then no member is idle.
    withholds: bool,
    /// What is known of members from browsers, if they can come.
    visitors: Option<Box<Visitors>>,
    /// The downloads, if a file is offered.
    downloads: Option<Box<Downloads>>,
    /// Only where the class is more than this hub.
    link: Option<Box<Link<S>>>,
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// No peer yet, in this room.
    pub fn new(room: Room) -> Peers<S, D> {
        Peers {
            conns: Slab::new(),
            room,
            speakers: Speakers::default(),
            company: Company::default(),
            owed: Vec::new(),
            full: Vec::new(),
            exits: Exits::default(),
            overdue: Vec::new(),
            lingering: Lingering::default(),
            talkers: Vec::new(),
            doubts: Doubts::default(),
            flushed: 0,
            news: News::default(),
            says_no_more: false,
            has_broken_off: false,
            receivers: 0,
            expects_nobody: false,
            half_closing: false,
            lingers: false,
            promises: false,
            shortfall: Shortfall::default(),
            looks: Looks::default(),
            checkup: None,
            headcount: None,
            idle: None,
            withholds: false,
            visitors: None,
            downloads: None,
            link: None,
            records: None,
            digests: None,
            explaining: None,
            said: 0,
            received: 0,
            dropped: Unread::NOTHING,
        }
    }

    /// A member that joins from now on and is idle for so long is disconnected.
    pub fn limit_idle(&mut self, limit: Duration) {
        self.idle = Some(Idle::new(limit));
    }

    /// The hub looks at what was acknowledged until all have acknowledged the last word
    /// (`--send-only`).
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
    pub fn arrive(&mut self, mut conn: Conn<S>) -> usize {
        self.explain_arrival(&mut conn);
        if self.conns.capacity() == 0 {
            self.conns.reserve(PLACES);
        }
        self.conns.insert(Peer::new(conn))
    }

    /// The connection of a peer that is on its way to the room.
    pub fn arriving_mut(&mut self, key: usize) -> Option<&mut Conn<S>> {
        let peer = self.conns.get_mut(key)?;
        (peer.stage == Stage::Arriving && !peer.leaving).then_some(&mut peer.conn)
    }

    /// A peer that is not in the room is closed at the end of this turn.
    pub fn forget(&mut self, key: usize) {
        if let Some(peer) = self.conns.get_mut(key)
            && peer.stage != Stage::Member
            && !peer.leaving
        {
            peer.leaving = true;
            self.exits.leave(key, DisconnectReason::Closed);
        }
    }

    /// The same, and it finds its connection reset, as if no program listened there.
    pub fn reset(&mut self, key: usize) {
        if let Some(conn) = self.arriving_mut(key) {
            conn.break_on_close(true);
        }
        self.forget(key);
    }

    /// Lets a peer into the room.
    pub fn join(&mut self, key: usize, now: Instant) {
        let Some(peer) = self.conns.get_mut(key) else {
            return;
        };
        peer.stage = Stage::Member;
        peer.conn.welcome();
        if let (Some(headcount), Some(ip)) = (&mut self.headcount, peer.conn.addr().ip()) {
            headcount.joined(ip);
        }
        self.enter(key, now);
        if self.room.is_whole() && !self.says_no_more {
            self.conns[key].expect_whole();
        }
        if self.has_broken_off && self.room.is_unheard() {
            // What nobody heard is told to it: a part.
            self.break_off_to(key);
        }
        self.note_preamble(key);
        self.touch(key, now);
        self.record_of(key, Records::joined);
        // Bytes may have come with the end of the handshake, or before it: no further event tells
        // of them.
        self.queue_read(key);
        self.note_speaking(key);
        if self.conns[key].conn.is_closing() {
            self.note_closing(key);
        }
        self.queue_flush(key);
    }

    /// The bytes of a handshake and of a greeting may have been acknowledged by a peer that is gone
    /// by now.
    fn note_preamble(&mut self, key: usize) {
        let peer = &mut self.conns[key];
        if peer.conn.is_wire() {
            return;
        }
        // The next read or write reports the error.
        let _ = peer.conn.flush();
        let preamble = peer.conn.tcp_info().map_or(0, |info| info.written);
        *peer.ledger_mut() = Ledger {
            preamble,
            unproven: preamble,
            ..Ledger::default()
        };
    }

    /// Takes note of an event. Returns whether it is of a peer on its way to the room; an event of
    /// a peer that is gone is ignored.
    pub fn collect(&mut self, key: usize, event: impl Into<Event>) -> bool {
        let Some(peer) = self.conns.get_mut(key) else {
            return false;
        };
        let event = event.into();
        let is_closing = event.read_closed || event.write_closed || event.error;
        peer.conn.collect(event);
        match peer.stage {
            Stage::Arriving => return true,
            Stage::Lingering => self.lingering.stir(key),
            #[cfg(feature = "web")]
            Stage::Downloading => {
                if let Some(downloads) = &mut self.downloads {
                    downloads.wake(key);
                }
            }
            Stage::Member => {
                self.queue_read(key);
                self.note_speaking(key);
                self.queue_flush(key);
                if is_closing {
                    self.note_closing(key);
                }
            }
        }
        false
    }

    /// Takes the connection of a peer out for good: another loop serves it.
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

    /// How many bytes of the operator's are wanted now, at most. Members that are just leaving
    /// would not hear it: their last words are read first.
    pub(super) fn input_budget(&self) -> usize {
        if self.are_all_closing() {
            return 0;
        }
        let wanted = self.room.input_budget().min(self.class_takes_input());
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
            .map(|(_, member)| member.account.received());
        self.received + here.sum::<u64>()
    }

    /// The operator said `bytes` to everybody.
    pub fn typed(&mut self, bytes: &[u8], now: Instant) {
        self.said += bytes.len() as u64;
        self.company.spoke(Speaker::Operator, bytes.len(), now);
        if let Some(digests) = &mut self.digests {
            digests.said(bytes);
        }
        if self.room.has_latecomers() {
            self.settle_trial(now);
        }
        self.room.typed(bytes, now);
        self.record_lines(None);
        self.record(|records| records.said(None, bytes));
    }

    /// The operator will say no more.
    pub fn typed_end(&mut self, now: Instant) {
        self.room.typed_end(now);
        self.record_lines(None);
        self.record(|records| records.said_all(None));
    }

    /// The operator said `lines` to one alone. False: it is gone, and is told nothing.
    #[must_use]
    pub fn tell(&mut self, key: usize, lines: &[u8]) -> bool {
        let is_told = self.room.tell(key, lines);
        if is_told {
            self.record_of(key, |records, who| records.told(who, lines));
            self.queue_flush(key);
        }
        is_told
    }

    /// Something was sent to a peer, or received from it.
    fn touch(&mut self, key: usize, now: Instant) {
        if let Some(idle) = &mut self.idle
            && (self.conns.get(key)).is_some_and(|peer| !peer.has_departed())
        {
            idle.touch(key, now);
        }
    }

    /// Whether a member may be read now: the room takes what it says, and so does the bus.
    fn may_speak(&self, key: usize) -> bool {
        self.room.may_speak(key) && self.class_takes(key) > 0
    }

    /// Whether there is work that no event will tell of.
    pub fn is_ready(&self) -> bool {
        // A line may have ended, or an author caught up, after the parked ones were passed over.
        let may_speak = |key| self.may_speak(key);
        let speakers = self.speakers.is_due(may_speak, self.room.was_released());
        let is_said = self.flushed < self.room.said() || self.room.has_told();
        let owed = !self.owed.is_empty() || is_said;
        (speakers && self.room.accepts_input())
            || owed
            || self.exits.is_ready(|key| self.may_leave(key))
            || self.downloads.as_ref().is_some_and(|d| d.is_ready())
            || self.is_class_ready()
    }

    /// When there is something to do next, if nothing changes before.
    pub fn deadline(&self) -> Option<Instant> {
        let release = self.speakers.release();
        let release = release.filter(|_| self.room.accepts_input());
        let idle = self.idle.as_ref().filter(|_| !self.withholds);
        let idle = idle.and_then(Idle::deadline);
        let deadlines = [
            self.room.deadline(),
            self.room.next_look(),
            release,
            self.checkup,
            self.looks.at(),
            self.news.deadline(),
            self.lingering.deadline(),
            self.doubts.deadline(),
            self.looks_for_silence(),
            self.tells_here(),
            self.forgets(),
            self.records.as_ref().and_then(|r| r.deadline()),
            idle,
            self.explains_at(),
            self.downloads.as_ref().and_then(|d| d.deadline()),
            self.class_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// A peer leaves at the end of this turn. What others say until then is not for it.
    pub fn queue_leave(&mut self, key: usize, why: DisconnectReason) {
        let owed = self.owed(key);
        if let Some(peer) = self.member_mut(key) {
            peer.leaving = true;
            peer.ledger_mut().owed_last = Some(owed);
            self.exits.leave(key, why);
        }
    }
}
