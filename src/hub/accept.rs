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
//! A connection takes its key in [`Peers`] as soon as it is accepted, and is registered once, with
//! that key. Whoever is refused is told why in the protocol of its listener, and lingers until it had
//! time to read that: closing at once, with something of its own unread, would reset the connection
//! and the reason with it (RFC 1122, 4.2.2.13).
//!
//! Who finds no place is asked again for a moment: whoever left before that one connected may not have
//! been read to its end yet, the event of it may come after those of this turn, and the end itself after a
//! SYN that was sent later (the kernel hands over packets of several processors in any order).
//!
//! It promises: a turn accepts a bounded number of connections and does a bounded number of steps of
//! handshakes; running out of descriptors loses nobody and spins never (who cannot be accepted waits
//! in the backlog, and is tried again when a peer left or a second has passed); of too many handshakes
//! those that do not go on make way ([`Handshakes`]).

use std::collections::VecDeque;
use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::time::Duration;
use std::time::Instant;

use super::news::Topic;
use super::peers::Peers;
use crate::engine::admit::Admission;
use crate::engine::admit::AdmissionError;
use crate::engine::handshakes::Handshakes;
use crate::io::addr::Addr;
use crate::io::conn::Conn;
use crate::io::device::Device;
use crate::io::error::why;
use crate::io::net::is_exhausted;
use crate::io::readiness::Event;
use crate::io::readiness::Readiness;
use crate::io::stream::Handshake;
use crate::io::stream::Received;
use crate::io::stream::Stream;
use crate::io::world::World;

/// Connections accepted in a turn.
const ACCEPT_BATCH: usize = 64;

/// How long to wait, if no peer leaves, before trying again with whatever ran out.
const RETRY: Duration = Duration::from_secs(1);

/// How long a refused peer may take to read why.
const LINGER: Duration = Duration::from_secs(1);

/// How long a newcomer that found no place is asked again.
pub const PATIENCE: Duration = Duration::from_millis(50);

/// Newcomers that are asked again, at a time; more than that are refused, the first first.
pub const MOST_WAITING: usize = 64;

/// Refused peers that linger at a time; more than that are cut short.
const MOST_LINGERING: usize = 64;

/// Steps of handshakes in a turn. Each may cost a millisecond, which everybody waits for.
const HANDSHAKE_BATCH: usize = 16;

/// What a peer reads that does not speak TLS to a hub that does.
const PLAIN_REFUSAL: &str = "muxnc: this hub speaks TLS only: muxnc --ssl\n";

/// The listeners, and who is on the way from them to the room. See the module's documentation.
pub(super) struct Accept<L> {
    listeners: Vec<Listening<L>>,
    pub(super) admission: Admission,
    /// Whether a refused peer is told why.
    tells: bool,
    exhausted: Option<Exhausted>,
    handshakes: Handshakes,
    /// Who found no place, the first first.
    waiting: VecDeque<Pending>,
    /// A place may have been freed since they were asked.
    asks_again: bool,
    lingering: VecDeque<Pending>,
    /// The listeners are others' as well (sd_listen_fds(3)), so that they go on when ours is closed.
    is_shared: bool,
    /// Nobody else is let in: what comes from a shared listener is closed at once.
    turns_away: bool,
}

/// One listener.
struct Listening<L> {
    listener: L,
    ready: Readiness,
}

/// A key, and until when it is waited for. A key may have been given to another since: the time
/// tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pending {
    key: usize,
    until: Instant,
}

/// Descriptors or memory ran out.
#[derive(Debug, Clone, Copy)]
struct Exhausted {
    /// None: something changed, try at once.
    retry: Option<Instant>,
}

impl<L> Accept<L> {
    /// Accepts from these listeners.
    pub(super) fn new(listeners: Vec<L>, admission: Admission, tells: bool) -> Accept<L> {
        let listening = |listener| Listening {
            listener,
            ready: Readiness::BLOCKED,
        };
        Accept {
            listeners: listeners.into_iter().map(listening).collect(),
            admission,
            tells,
            exhausted: None,
            handshakes: Handshakes::default(),
            waiting: VecDeque::new(),
            asks_again: false,
            lingering: VecDeque::new(),
            is_shared: false,
            turns_away: false,
        }
    }

    /// The same from listeners that somebody else has open, too.
    pub(super) fn shared(self) -> Accept<L> {
        Accept {
            is_shared: true,
            ..self
        }
    }

    /// Takes note of an event of the listener of that number.
    pub(super) fn collect(&mut self, listener: usize, event: Event) {
        if let Some(listening) = self.listeners.get_mut(listener) {
            listening.ready.collect(event);
        }
    }

    /// Takes note of an event of a peer that is shaking hands.
    pub(super) fn collect_handshake(&mut self, key: usize) {
        self.handshakes.wake(key);
    }

    /// Whether there is something to do that no event will tell of.
    pub(super) fn is_ready(&self) -> bool {
        let arrivals = !self.is_held()
            && self
                .listeners
                .iter()
                .any(|listening| listening.ready.is_readable());
        arrivals || self.handshakes.is_ready() || self.asks_again
    }

    /// Whether descriptors ran out, and it is not time to try again.
    fn is_held(&self) -> bool {
        self.exhausted.is_some_and(|e| e.retry.is_some())
    }

    /// When there is something to do although nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let retry = self.exhausted.and_then(|e| e.retry);
        let linger = self.lingering.front().map(|pending| pending.until);
        let waiting = self.waiting.front().map(|pending| pending.until);
        let handshake = self.handshakes.deadline();
        [retry, linger, waiting, handshake]
            .into_iter()
            .flatten()
            .min()
    }

    /// A descriptor was freed, and perhaps a place.
    pub(super) fn freed(&mut self) {
        self.asks_again = !self.waiting.is_empty();
        if let Some(exhausted) = &mut self.exhausted {
            exhausted.retry = None;
        }
    }

    /// Whether nobody else is let in.
    pub(super) fn is_closed(&self) -> bool {
        self.turns_away
    }

    /// No other peer is let in: the kernel refuses whoever comes from now on, and those who wait; from
    /// a shared listener they are taken and closed.
    pub(super) fn close<S: Stream, D: Device>(&mut self, peers: &mut Peers<S, D>) {
        self.turns_away = true;
        peers.expect_nobody();
        if !self.is_shared {
            self.listeners.clear();
        }
        self.exhausted = None;
        for key in self
            .handshakes
            .end_all()
            .into_iter()
            .chain(self.waiting.drain(..).map(|pending| pending.key))
        {
            peers.forget(key);
        }
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
        self.end_lingering(peers, now);
        if let Some(exhausted) = &mut self.exhausted {
            exhausted.retry = exhausted.retry.filter(|retry| now < *retry);
        }
        if self.is_ready() || !self.waiting.is_empty() {
            // A newcomer is not told again what somebody is known to have heard.
            peers.settle_trial(now);
        }
        let mut admitted = self.admit_waiting(peers, now);
        for _ in 0..ACCEPT_BATCH {
            if self.handshakes.is_stuck(now) {
                // All of them have something to be looked at: the backlog can wait for that.
                break;
            }
            let Some((stream, addr)) = self.accept(world, peers, now) else {
                break;
            };
            if self.turns_away {
                continue;
            }
            let arrived = self.arrive(Conn::new(stream, addr), world, peers, now);
            admitted.extend(arrived.filter(|&key| self.step(key, peers, now)));
        }
        self.give_up_late(peers, now);
        for _ in 0..HANDSHAKE_BATCH {
            let Some(key) = self.handshakes.next_ready() else {
                break;
            };
            if self.step(key, peers, now) {
                admitted.push(key);
            }
        }
        admitted
    }

    /// Takes one connection, from whichever listener has one.
    fn accept<W>(
        &mut self,
        world: &mut W,
        peers: &mut Peers<W::Stream, W::Device>,
        now: Instant,
    ) -> Option<(W::Stream, Addr)>
    where
        W: World<Listener = L>,
    {
        if self.is_held() {
            return None;
        }
        while let Some(listening) = self
            .listeners
            .iter_mut()
            .find(|listening| listening.ready.is_readable())
        {
            match world.accept(&mut listening.listener) {
                Ok(accepted) => return Some(accepted),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    listening.ready.read_blocked();
                    self.exhausted = None;
                }
                Err(error) if is_exhausted(&error) => {
                    tell_not_accepted(&error, peers, now);
                    self.exhaust(peers, now);
                    return None;
                }
                // The error is that one connection's (accept(2): ECONNABORTED, EPROTO, …).
                Err(error) => tell_not_accepted(&error, peers, now),
            }
        }
        None
    }

    /// Descriptors ran out: gives up what needs none, and tries again later. It is said once, until
    /// everybody who waited was let in.
    fn exhaust<S: Stream, D: Device>(&mut self, peers: &mut Peers<S, D>, now: Instant) {
        for pending in self.lingering.drain(..) {
            peers.forget(pending.key);
        }
        peers.free_descriptors(now);
        let was_told = self.exhausted.is_some();
        let made_way = self.handshakes.make_way(now);
        let retry = match made_way.is_empty() {
            true if self.handshakes.is_empty() => Some(now + RETRY),
            // They may make way soon.
            true => Some(now + RETRY / 4),
            false => None,
        };
        for key in made_way {
            let reason = "descriptors ran out before it had agreed on TLS";
            self.give_up(key, reason, peers, now);
        }
        self.exhausted = Some(Exhausted { retry });
        if !was_told && let Some(permit) = peers.news.ask(Topic::Exhausted, now) {
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
        if let Err(error) = world.register(&mut conn, key) {
            if let Some(permit) = peers.news.ask(Topic::Unserved, now) {
                permit.say(format_args!("serve {}: {}", conn.addr(), why(&error)));
            }
            return None;
        }
        if !conn.shakes_hands() {
            peers.arrive(conn);
            return Some(key);
        }
        // Whoever is not wanted at all is not worth a handshake, and without one there are no words
        // for why. How many are here is asked when it is over: who only connects takes no place.
        if let Err(refusal) = self.admission.ask_lists(conn.addr().ip()) {
            tell_refused(conn.addr(), refusal, peers, now);
            return None;
        }
        let ip = conn.addr().ip();
        peers.arrive(conn);
        for key in self.handshakes.begin(key, ip, now) {
            let reason = "too many others came before it had agreed on TLS";
            self.give_up(key, reason, peers, now);
        }
        None
    }

    /// Goes on with a peer on its way to the room. Returns whether it is in.
    fn step<S: Stream, D: Device>(
        &mut self,
        key: usize,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) -> bool {
        let Some(conn) = peers.arriving_mut(key) else {
            // It was given up meanwhile.
            return false;
        };
        match conn.handshake() {
            Handshake::Done => {
                self.handshakes.end(key);
                self.admit(key, peers, now)
            }
            Handshake::Silent => false,
            // What follows costs far more than what it said. Who has ended its side already cannot
            // say what it would take.
            Handshake::Begun if conn.is_closing() => {
                self.handshakes.end(key);
                self.give_up(key, "it broke off the handshake", peers, now);
                false
            }
            Handshake::Begun => {
                self.handshakes.wake(key);
                false
            }
            Handshake::Pending => {
                self.handshakes.answered(key, now);
                false
            }
            Handshake::Foreign => {
                self.refuse_plain(key, peers, now);
                false
            }
            Handshake::Failed(error) => {
                self.handshakes.end(key);
                self.give_up(key, &why(&error), peers, now);
                false
            }
        }
    }

    /// Asks whether there is a place, for the first time.
    fn admit<S: Stream, D: Device>(
        &mut self,
        key: usize,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) -> bool {
        match self.ask_for_place(key, false, peers, now) {
            Ok(()) => return true,
            Err(refusal @ (AdmissionError::Full(_) | AdmissionError::FullOfHost(_))) => {
                if self.waiting.len() == MOST_WAITING
                    && let Some(first) = self.waiting.pop_front()
                {
                    self.turn_away(first.key, refusal, peers, now);
                }
                let until = now + PATIENCE;
                self.waiting.push_back(Pending { key, until });
                // What comes with the events of this turn is known in the next.
                self.asks_again = true;
            }
            Err(refusal @ AdmissionError::NotAllowed) => self.turn_away(key, refusal, peers, now),
        }
        false
    }

    /// Asks again for those who found no place. Returns who is in.
    fn admit_waiting<S: Stream, D: Device>(
        &mut self,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) -> Vec<usize> {
        self.asks_again = false;
        let mut admitted = Vec::new();
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|&Pending { key, until }| {
            match self.ask_for_place(key, true, peers, now) {
                Ok(()) => admitted.push(key),
                Err(refusal) if until <= now => self.turn_away(key, refusal, peers, now),
                Err(_) => return true,
            }
            false
        });
        self.waiting = waiting;
        admitted
    }

    /// Lets a peer in if there is a place.
    fn ask_for_place<S: Stream, D: Device>(
        &mut self,
        key: usize,
        once_more: bool,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) -> Result<(), AdmissionError> {
        let ip = peers.arriving_mut(key).and_then(|conn| conn.addr().ip());
        peers.ask_for_place(&self.admission, ip, once_more, now)?;
        peers.join(key, now);
        Ok(())
    }

    /// With `--once`: the one place is taken, and will not be free again.
    pub(super) fn turn_away_waiting<S: Stream, D: Device>(
        &mut self,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) {
        for pending in std::mem::take(&mut self.waiting) {
            self.turn_away(pending.key, AdmissionError::Full(1), peers, now);
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
            self.refuse(key, &refusal.line(), peers, now);
        }
    }

    /// A peer does not speak the protocol of its listener.
    fn refuse_plain<S: Stream, D: Device>(
        &mut self,
        key: usize,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) {
        self.handshakes.end(key);
        if tell_stranger(key, "it does not speak TLS", peers, now) {
            self.refuse(key, PLAIN_REFUSAL, peers, now);
        }
    }

    /// Tells a peer why it is not let in, and closes it when it had time to read that.
    fn refuse<S: Stream, D: Device>(
        &mut self,
        key: usize,
        reason: &str,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) {
        let Some(conn) = peers.arriving_mut(key) else {
            return;
        };
        if !self.tells || conn.write(&[IoSlice::new(reason.as_bytes())]).is_err() {
            return peers.forget(key);
        }
        conn.shutdown();
        if self.lingering.len() == MOST_LINGERING
            && let Some(oldest) = self.lingering.pop_front()
        {
            close_lingering(oldest, peers);
        }
        let until = now + LINGER;
        peers.refused(key, until);
        self.lingering.push_back(Pending { key, until });
    }

    fn end_lingering<S: Stream, D: Device>(&mut self, peers: &mut Peers<S, D>, now: Instant) {
        while let Some(pending) = pop_due(&mut self.lingering, now) {
            close_lingering(pending, peers);
        }
    }

    /// Gives those up whose handshake takes too long. One that has said nothing yet can still be told.
    fn give_up_late<S: Stream, D: Device>(&mut self, peers: &mut Peers<S, D>, now: Instant) {
        while let Some(late) = self.handshakes.take_late(now) {
            let Some(conn) = peers.arriving_mut(late) else {
                continue;
            };
            match conn.handshake() {
                Handshake::Silent | Handshake::Foreign => self.refuse_plain(late, peers, now),
                _ => self.give_up(late, "it did not agree on TLS in time", peers, now),
            }
        }
    }

    /// A peer whose handshake comes to nothing is closed, and that is told unless many are.
    fn give_up<S: Stream, D: Device>(
        &mut self,
        key: usize,
        reason: &str,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) {
        if tell_stranger(key, reason, peers, now) {
            peers.forget(key);
        }
    }
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

/// Somebody was not let in.
fn tell_refused<S: Stream, D: Device>(
    addr: &Addr,
    refusal: AdmissionError,
    peers: &mut Peers<S, D>,
    now: Instant,
) {
    if let Some(permit) = peers.news.ask(Topic::Refused, now) {
        permit.say(format_args!("{addr} was refused: {refusal}"));
    }
}

/// The handshake of a peer came to nothing. Returns whether it is still there.
fn tell_stranger<S: Stream, D: Device>(
    key: usize,
    reason: &str,
    peers: &mut Peers<S, D>,
    now: Instant,
) -> bool {
    if peers.arriving_mut(key).is_none() {
        return false;
    }
    if let Some(permit) = peers.news.ask(Topic::Stranger, now)
        && let Some(conn) = peers.arriving_mut(key)
    {
        permit.say(format_args!("{} did not join: {reason}", conn.addr()));
    }
    true
}

/// Takes the first off a queue if its time is over.
fn pop_due(queue: &mut VecDeque<Pending>, now: Instant) -> Option<Pending> {
    let is_due = queue.front().is_some_and(|pending| pending.until <= now);
    is_due.then(|| queue.pop_front()).flatten()
}

/// Closes a peer that lingered, with as little unread as possible.
fn close_lingering<S: Stream, D: Device>(pending: Pending, peers: &mut Peers<S, D>) {
    let Some(conn) = peers.lingering_mut(pending.key, pending.until) else {
        return;
    };
    let mut unread = [0; 4096];
    for _ in 0..16 {
        if !matches!(conn.read(&mut unread), Received::Bytes(_)) {
            break;
        }
    }
    peers.forget(pending.key);
}
