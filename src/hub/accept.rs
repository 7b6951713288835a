//! Accepting: from a listener to the room, one key all the way.
//!
//! ```text
//!   listener ─► accepted ─► asked (lists) ─► handshaking ─► asked (places) ─► member
//!                  │             │                │            │       ▲
//!                  ▼             ▼                ▼            ▼       │
//!              exhausted:     closed          given up,     asked again, for ─► told why, lingers,
//!              tried later                    or told why   a moment            closed
//! ```
//!
//! A connection takes its key in [`Peers`] as soon as it is accepted, and is registered with that
//! key. A peer that is refused is told why in the protocol of its listener, and lingers until it had
//! time to read that; one that finds no place waits (`Waiting`) for a moment before.
//!
//! It promises: a turn accepts a bounded number of connections and does a bounded number of steps
//! of handshakes; running out of descriptors loses no connection (those that cannot be accepted
//! wait in the backlog) and never spins (`Exhaustion`); of too many handshakes those of the address
//! that has most make way, and those that do not go on ([`Handshakes`]); whoever shakes no hands does
//! not wait for them.

mod exhaustion;
mod handshaking;
mod listeners;
mod waiting;

use std::io;
use std::time::Instant;

use self::exhaustion::Exhaustion;
use self::exhaustion::Remedy;
use self::listeners::Accepted;
use self::listeners::Listeners;
pub use self::waiting::PATIENCE;
use self::waiting::Waiting;
use super::news::Topic;
use super::peers::Peers;
use super::peers::watch_first;
use crate::engine::admit::Admission;
use crate::engine::admit::AdmissionError;
use crate::engine::handshakes::Handshakes;
use crate::engine::record::Entry;
use crate::io::addr::Addr;
use crate::io::conn::Conn;
use crate::io::device::Device;
use crate::io::error::why;
use crate::io::net::is_exhausted;
use crate::io::readiness::Event;
use crate::io::stream::Refusal;
use crate::io::stream::Stream;
use crate::io::world::World;

/// Connections accepted in a turn.
const BATCH: usize = 64;

/// The listeners, and the peers that are on the way from them to the room. See the module's
/// documentation.
pub(super) struct Accept<L> {
    listeners: Listeners<L>,
    admission: Admission,
    /// Whether a refused peer is told why.
    tells: bool,
    exhaustion: Exhaustion,
    handshakes: Handshakes,
    waiting: Waiting,
    /// No other peer is let into the room.
    is_closed: bool,
}

impl<L> Accept<L> {
    /// Accepts from these listeners, which other processes may have open, too; the peers of one of
    /// them, of that number, want a file and do not join the room.
    pub(super) fn new(
        listeners: Vec<L>,
        are_shared: bool,
        downloads: Option<usize>,
        admission: Admission,
        tells: bool,
    ) -> Accept<L> {
        Accept {
            listeners: Listeners::new(listeners, are_shared, downloads),
            admission,
            tells,
            exhaustion: Exhaustion::default(),
            handshakes: Handshakes::default(),
            waiting: Waiting::default(),
            is_closed: false,
        }
    }

    /// Who is let in, for the operator's commands and the lists.
    pub(super) fn admission_mut(&mut self) -> &mut Admission {
        &mut self.admission
    }

    /// Takes note of an event of the listener of that number.
    pub(super) fn collect(&mut self, listener: usize, event: Event) {
        self.listeners.collect(listener, event);
    }

    /// A peer may have connected of which no event has told yet.
    pub(super) fn expect(&mut self) {
        self.listeners.expect();
    }

    /// Takes note of an event of a peer that is shaking hands.
    pub(super) fn collect_handshake(&mut self, key: usize) {
        self.handshakes.wake(key);
    }

    /// Whether there is something to do that no event will tell of.
    pub(super) fn is_ready(&self) -> bool {
        let is_full = self.handshakes.is_full();
        let arrivals = !self.exhaustion.is_held() && self.listeners.is_ready(is_full);
        arrivals || self.handshakes.is_ready() || self.waiting.asks_again()
    }

    /// When there is something to do although nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.exhaustion.deadline(),
            self.waiting.deadline(),
            self.handshakes.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// A descriptor was freed, and perhaps a place.
    pub(super) fn freed(&mut self) {
        self.waiting.freed();
        self.exhaustion.freed();
    }

    /// Whether no other peer is let into the room.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// No other peer is let into the room: the kernel refuses newcomers from now on, and those that
    /// wait; from a shared listener they are accepted and closed. Peers that want a file are still
    /// accepted.
    pub(super) fn close<S: Stream, D: Device>(&mut self, peers: &mut Peers<S, D>, now: Instant) {
        self.is_closed = true;
        peers.expect_nobody(now);
        self.listeners.close_room();
        self.exhaustion.end();
        self.end_arriving(peers, |is_for_a_file| !is_for_a_file);
    }

    /// No more peers that want a file are accepted from now on.
    pub(super) fn close_downloads<S: Stream, D: Device>(&mut self, peers: &mut Peers<S, D>) {
        self.listeners.close_downloads();
        self.end_arriving(peers, |is_for_a_file| is_for_a_file);
    }

    /// Closes the connections that are on their way to the room or to the file.
    fn end_arriving<S: Stream, D: Device>(
        &mut self,
        peers: &mut Peers<S, D>,
        ends: impl Fn(bool) -> bool,
    ) {
        let mut ends = |key| ends(peers.is_for_a_file(key));
        let mut ended = self.handshakes.end_those(&mut ends);
        ended.extend(self.waiting.take_those(&mut ends));
        ended.into_iter().for_each(|key| peers.reset(key));
    }

    /// Lets those in who have come and may. Returns their keys.
    pub(super) fn turn<W>(
        &mut self,
        world: &mut W,
        peers: &mut Peers<W::Stream, W::Device>,
        now: Instant,
    ) -> Vec<usize>
    where
        W: World<Listener = L>,
    {
        peers.end_lingering(now);
        self.exhaustion.look(now);
        // A newcomer is not told again what a member is known to have heard: so the hub looks at
        // the members before it lets the first newcomer in.
        let mut is_settled = false;
        let mut settle = |peers: &mut Peers<W::Stream, W::Device>| {
            if !std::mem::replace(&mut is_settled, true) {
                peers.settle_trial(now);
            }
        };
        if !self.waiting.is_empty() || self.handshakes.is_ready() {
            settle(peers);
        }
        let mut admitted = self.admit_waiting(peers, now);
        for _ in 0..BATCH {
            let Some(accepted) = self.accept(world, peers, now) else {
                break;
            };
            let Accepted::Peer(stream, addr) = accepted else {
                continue;
            };
            settle(peers);
            let arrived = self.arrive(Conn::new(stream, addr), world, peers, now);
            admitted.extend(arrived.filter(|&key| self.step(key, peers, now)));
        }
        self.shake_hands(&mut admitted, peers, now);
        // A peer that downloads has not joined.
        admitted.retain(|&key| peers.member(key).is_some());
        admitted
    }

    /// Takes one connection.
    fn accept<W>(
        &mut self,
        world: &mut W,
        peers: &mut Peers<W::Stream, W::Device>,
        now: Instant,
    ) -> Option<Accepted<W::Stream>>
    where
        W: World<Listener = L>,
    {
        while !self.exhaustion.is_held() {
            // Where too many wait to shake hands, others who would can wait in the backlog.
            match self.listeners.accept(world, self.handshakes.is_full()) {
                Some(Ok(accepted)) => return Some(accepted),
                Some(Err(error)) if is_exhausted(&error) => {
                    tell_not_accepted(&error, peers, now);
                    // Before a member makes way the hub looks at what it acknowledged.
                    peers.settle_trial(now);
                    self.exhaust(peers, now);
                    return None;
                }
                // The error is that one connection's (accept(2): ECONNABORTED, EPROTO, …).
                Some(Err(error)) => tell_not_accepted(&error, peers, now),
                None => {
                    self.exhaustion.end();
                    return None;
                }
            }
        }
        None
    }

    /// Descriptors ran out: gives up what needs none, and tries again later.
    fn exhaust<S: Stream, D: Device>(&mut self, peers: &mut Peers<S, D>, now: Instant) {
        peers.end_all_lingering(now);
        peers.free_descriptors(now);
        let made_way = self.handshakes.make_way(now);
        let remedy = match (made_way.is_empty(), self.handshakes.is_empty()) {
            (false, _) => Remedy::Freed,
            (true, false) => Remedy::Soon,
            (true, true) => Remedy::None,
        };
        for key in made_way {
            let reason = "descriptors ran out before its handshake was over";
            self.push_out(key, reason, peers, now);
        }
        if self.exhaustion.begin(remedy, now)
            && let Some(permit) = peers.news.ask(Topic::Exhausted, now)
        {
            permit.say(format_args!(
                "no descriptor is left after {} peers: whoever else comes waits until one leaves \
                 (ulimit -n sets the limit)",
                peers.room.here()
            ));
        }
    }

    /// A connection was accepted: it takes its key, unless its address is not wanted at all. Returned
    /// is the key of one that may go on at once; of a handshake an event will tell.
    fn arrive<W>(
        &mut self,
        mut conn: Conn<W::Stream>,
        world: &mut W,
        peers: &mut Peers<W::Stream, W::Device>,
        now: Instant,
    ) -> Option<usize>
    where
        W: World<Listener = L>,
    {
        let key = peers.next_key();
        let watch = watch_first(&conn);
        if let Err(error) = world.register(&mut conn, key, watch) {
            if let Some(permit) = peers.news.ask(Topic::Unserved, now) {
                permit.say(format_args!("serve {}: {}", conn.addr(), why(&error)));
            }
            return None;
        }
        if !conn.shakes_hands() {
            peers.arrive(conn);
            return Some(key);
        }
        // A peer whose address is not let in is not worth the cost of a handshake, and without one
        // there is no way to tell it why. Whether there is a place is asked when the handshake is
        // over: a peer that only connects takes none.
        if conn.has_costly_handshake()
            && let Err(refusal) = peers.ask_lists(&self.admission, conn.addr().ip())
        {
            tell_refused(conn.addr(), refusal, peers, now);
            return None;
        }
        let ip = conn.addr().ip();
        peers.arrive(conn);
        let made_way = self.handshakes.come(key, ip, now);
        self.push_out_all(made_way, peers, now);
        None
    }

    /// Asks whether there is a place, for the first time.
    fn admit<S: Stream, D: Device>(
        &mut self,
        key: usize,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) -> bool {
        match ask_for_place(&self.admission, key, false, peers, now) {
            Ok(()) => return true,
            Err(refusal @ (AdmissionError::Full(_) | AdmissionError::FullOfHost(_))) => {
                if let Some(first) = self.waiting.push(key, now) {
                    self.turn_away(first, refusal, peers, now);
                }
            }
            Err(refusal) => self.turn_away(key, refusal, peers, now),
        }
        false
    }

    /// Asks again for the newcomers that found no place. Returns those that are in.
    fn admit_waiting<S: Stream, D: Device>(
        &mut self,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) -> Vec<usize> {
        let admission = &self.admission;
        let ask = |key| ask_for_place(admission, key, true, peers, now);
        let asked = self.waiting.ask(now, ask);
        for (key, refusal) in asked.refused {
            self.turn_away(key, refusal, peers, now);
        }
        asked.admitted
    }

    /// With `--once`: the one place is taken, and will not be free again.
    pub(super) fn turn_away_waiting<S: Stream, D: Device>(
        &mut self,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) {
        let waiting: Vec<usize> = self.waiting.take_all().collect();
        for key in waiting {
            self.turn_away(key, AdmissionError::Full(1), peers, now);
        }
    }

    /// A peer is not let in.
    fn turn_away<S: Stream, D: Device>(
        &mut self,
        key: usize,
        refusal: AdmissionError,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) {
        if let Some(conn) = peers.arriving_mut(key) {
            let addr = conn.addr().clone();
            tell_refused(&addr, refusal, peers, now);
            if refusal == AdmissionError::SentAway {
                peers.tell_sent_away(key, now);
                return peers.let_read_why(key, now);
            }
            self.refuse(key, Refusal::Admission(refusal), peers, now);
        }
    }

    /// A peer wants to know whether it would be let in.
    fn tell_admission<S: Stream, D: Device>(
        &mut self,
        key: usize,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) {
        let ip = peers.arriving_mut(key).and_then(|conn| conn.addr().ip());
        let refusal = match peers.has_place_for(&self.admission, ip) {
            Ok(()) => Refusal::NoUpgrade,
            Err(refusal) => Refusal::Admission(refusal),
        };
        self.refuse(key, refusal, peers, now);
    }

    /// Tells a peer why it is not let in, and closes it when it had time to read that.
    fn refuse<S: Stream, D: Device>(
        &mut self,
        key: usize,
        refusal: Refusal,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) {
        let Some(conn) = peers.arriving_mut(key) else {
            return;
        };
        if !self.tells || conn.refuse(&refusal).is_err() {
            return peers.forget(key);
        }
        peers.let_read_why(key, now);
    }
}

/// Lets a peer in, or download, if there is a place.
fn ask_for_place<S: Stream, D: Device>(
    admission: &Admission,
    key: usize,
    once_more: bool,
    peers: &mut Peers<S, D>,
    now: Instant,
) -> Result<(), AdmissionError> {
    if peers.is_for_a_file(key) {
        return peers.ask_to_download(key, admission, now);
    }
    peers.ask_for_place(admission, key, once_more, now)?;
    peers.join(key, now);
    Ok(())
}

/// A connection could not be accepted.
fn tell_not_accepted<S: Stream, D: Device>(
    error: &io::Error,
    peers: &mut Peers<S, D>,
    now: Instant,
) {
    if let Some(permit) = peers.news.ask(Topic::NotAccepted, now) {
        permit.say(format_args!("accept: {error}"));
    }
}

/// A newcomer was not let in.
fn tell_refused<S: Stream, D: Device>(
    addr: &Addr,
    refusal: AdmissionError,
    peers: &mut Peers<S, D>,
    now: Instant,
) {
    peers.record(|records| records.note(Entry::Refused(addr, refusal.code(), &refusal)));
    if let Some(permit) = peers.news.ask(Topic::Refused, now) {
        permit.say(format_args!("{addr} was refused: {refusal}"));
    }
}
