//! A flow: one direction of a conversation, from its source through our buffers to its sink, and on
//! to the confirmation that the sink delivered it.
//!
//! ```text
//!   source ── took ──► our buffers ── gave ──► sink ── acknowledged ──► the other side
//!
//!            source_silent        sink_full
//!   Silent ◄────────────── Moving ──────────► Full
//!      └───────── took, gave ─┘ ▲ took, gave ───┘
//!                  │ source_ended, stop
//!                  ▼
//!              Draining ──── all of it acknowledged ────► Delivered
//!
//!   any but Delivered ── lost ──► Lost
//! ```
//!
//! Whatever moves the bytes (a read and a write, `sendfile(2)`, `splice(2)`) reports here, always by
//! the same calls. That a source has ended is told by the mover, never inferred from an empty buffer.
//!
//! It promises: [`Delivered`] is made here only, when the source has ended (or a limit stands in for its
//! end) and the last byte that was taken from it was acknowledged; so is [`Proof`], of which the
//! program's status 0 is made.

use std::io;
use std::time::Instant;

/// The last byte of a flow was delivered: nothing but a [`Flow`] can say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    since: Instant,
}

impl Delivered {
    /// Since when it is known.
    pub fn since(self) -> Instant {
        self.since
    }
}

/// Everything that was promised was delivered: what the status 0 is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof(());

impl Proof {
    /// Both directions of a conversation were delivered.
    pub fn of(_up: Delivered, _down: Delivered) -> Proof {
        Proof(())
    }

    /// A help text, a port check: there was nothing to deliver.
    pub fn nothing_was_promised() -> Proof {
        Proof(())
    }

    /// The operator commanded the end, and is told what was not delivered.
    pub fn waived_by_the_operator() -> Proof {
        Proof(())
    }

    /// The account of a hub: bytes that did not get to whom they were for, one by one. None: there are some.
    pub fn settle(missing: impl IntoIterator<Item = u64>) -> Option<Proof> {
        let is_whole = missing.into_iter().all(|bytes| bytes == 0);
        is_whole.then_some(Proof(()))
    }
}

/// What a flow lost.
#[derive(Debug)]
pub struct Loss {
    /// Why.
    pub why: io::Error,
    /// When it was found out.
    pub since: Instant,
}

/// How far a flow is.
#[derive(Debug)]
pub enum State {
    /// Bytes go, or may at any moment.
    Moving,
    /// The source has nothing, and everything taken from it was given to the sink.
    Silent {
        /// Since when.
        since: Instant,
    },
    /// The sink takes nothing of what the source has.
    Full {
        /// Since when.
        since: Instant,
    },
    /// The source has ended, and what was taken from it is not all acknowledged.
    Draining,
    /// Everything is.
    Delivered(Delivered),
    /// Something was lost, or it is not known whether it was.
    Lost(Loss),
}

/// What confirms that bytes which the sink took are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirmation {
    /// Nothing has to: bytes that an output took are delivered.
    Taken,
    /// The other side, of which [`Flow::acknowledged_but`] tells.
    Acknowledged,
}

/// How a source came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The mover read its end.
    Read(Instant),
    /// A limit stands in for the end: it is not read any more.
    Stopped(Instant),
    /// There never was one.
    Absent,
}

/// One direction. See the module's documentation.
#[derive(Debug)]
pub struct Flow {
    state: State,
    confirmation: Confirmation,
    ended: Option<Ended>,
    /// Bytes for the sink that were taken from the source; of those, given to the sink; of those,
    /// acknowledged.
    taken: u64,
    given: u64,
    acknowledged: u64,
    /// A layer between us and the sink holds some of what it took.
    held: bool,
}

impl Flow {
    /// To a connection, whose other side acknowledges.
    pub fn to_connection() -> Flow {
        Flow::new(Confirmation::Acknowledged)
    }

    /// To an output: what it took is delivered.
    pub fn to_output() -> Flow {
        Flow::new(Confirmation::Taken)
    }

    /// To a connection, and nothing ever will go there.
    pub fn without_source(now: Instant) -> Flow {
        let mut flow = Flow::to_connection();
        flow.end(Ended::Absent, now);
        flow
    }

    fn new(confirmation: Confirmation) -> Flow {
        Flow {
            state: State::Moving,
            confirmation,
            ended: None,
            taken: 0,
            given: 0,
            acknowledged: 0,
            held: false,
        }
    }

    /// `count` bytes for the sink were taken from the source into our buffers.
    pub fn took(&mut self, count: usize) {
        debug_assert!(self.ended.is_none(), "bytes came after the end: {self:?}");
        self.taken += count as u64;
        self.move_on();
        self.check();
    }

    /// The sink took `count` of those.
    pub fn gave(&mut self, count: usize, now: Instant) {
        self.given += count as u64;
        if self.confirmation == Confirmation::Taken {
            self.acknowledged = self.given;
        }
        if count > 0 {
            self.move_on();
        }
        self.settle(now);
        self.check();
    }

    /// The kernel moved `count` bytes from the source to the sink by itself.
    pub fn moved(&mut self, count: usize, now: Instant) {
        self.took(count);
        self.gave(count, now);
    }

    /// Whether a layer between us and the sink holds some of what was given.
    pub fn holds(&mut self, held: bool, now: Instant) {
        self.held = held;
        self.settle(now);
        self.check();
    }

    /// The source has nothing now.
    pub fn source_silent(&mut self, now: Instant) {
        if let State::Moving | State::Full { .. } = self.state
            && self.owed() == 0
        {
            self.state = State::Silent { since: now };
        }
        self.check();
    }

    /// The source is known to have something again.
    pub fn source_stirs(&mut self) {
        if let State::Silent { .. } = self.state {
            self.state = State::Moving;
        }
    }

    /// The sink takes nothing now, and the source has something for it.
    pub fn sink_full(&mut self, now: Instant) {
        if let State::Moving | State::Silent { .. } = self.state {
            self.state = State::Full { since: now };
        }
        self.check();
    }

    /// The mover read the end of the source.
    pub fn source_ended(&mut self, now: Instant) {
        self.end(Ended::Read(now), now);
    }

    /// A limit stands in for the end of the source: it is not read any more.
    pub fn stop(&mut self, now: Instant) {
        self.end(Ended::Stopped(now), now);
    }

    fn end(&mut self, ended: Ended, now: Instant) {
        if self.ended.is_none() && !matches!(self.state, State::Lost(_)) {
            self.ended = Some(ended);
            self.state = State::Draining;
            self.settle(now);
        }
        self.check();
    }

    /// The other side acknowledged everything that was given to the sink, but for `count` bytes.
    pub fn acknowledged_but(&mut self, count: u64, now: Instant) {
        // What a layer holds was given, and is not among what the system counts.
        if self.held {
            return;
        }
        // What a layer adds counts as well, so it may be more than was given.
        let acknowledged = self.given - count.min(self.given);
        self.acknowledged = self.acknowledged.max(acknowledged);
        self.settle(now);
        self.check();
    }

    /// The sink takes no more, or the source broke. Delivered bytes stay delivered.
    pub fn lost(&mut self, why: io::Error, now: Instant) {
        if !self.is_over() {
            self.state = State::Lost(Loss { why, since: now });
        }
        self.check();
    }

    /// How far it is.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The proof that all of it was delivered.
    pub fn delivered(&self) -> Option<Delivered> {
        match self.state {
            State::Delivered(delivered) => Some(delivered),
            _ => None,
        }
    }

    /// What was lost.
    pub fn loss(&self) -> Option<&Loss> {
        match &self.state {
            State::Lost(loss) => Some(loss),
            _ => None,
        }
    }

    /// Whether the source may still be read.
    pub fn is_open(&self) -> bool {
        self.ended.is_none() && !matches!(self.state, State::Lost(_))
    }

    /// Whether nothing will change any more.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Delivered(_) | State::Lost(_))
    }

    /// When the mover read the end of the source.
    pub fn ended_at(&self) -> Option<Instant> {
        match self.ended {
            Some(Ended::Read(at)) => Some(at),
            _ => None,
        }
    }

    /// When a limit stood in for the end of the source.
    pub fn stopped_at(&self) -> Option<Instant> {
        match self.ended {
            Some(Ended::Stopped(at)) => Some(at),
            _ => None,
        }
    }

    /// Since when the source has had nothing, though all before was given to the sink.
    pub fn silent_since(&self) -> Option<Instant> {
        match self.state {
            State::Silent { since } => Some(since),
            _ => None,
        }
    }

    /// Whether it is the sink that holds it up.
    pub fn is_held_up(&self) -> bool {
        self.owed() > 0 || matches!(self.state, State::Full { .. })
    }

    /// Whether the source has ended and the kernel has all of it.
    pub fn is_given(&self) -> bool {
        self.ended.is_some() && self.owed() == 0 && !self.held
    }

    /// Bytes taken from the source.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Bytes given to the sink.
    pub fn given(&self) -> u64 {
        self.given
    }

    /// Bytes known to be acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Bytes taken from the source and not given to the sink.
    pub fn owed(&self) -> u64 {
        self.taken - self.given
    }

    /// Bytes taken from the source that are not known to have arrived.
    pub fn missing(&self) -> u64 {
        self.taken - self.acknowledged
    }

    /// The silence, or the fullness, is over.
    fn move_on(&mut self) {
        if let State::Silent { .. } | State::Full { .. } = self.state {
            self.state = State::Moving;
        }
    }

    /// Delivered is what has ended, is given and acknowledged.
    fn settle(&mut self, now: Instant) {
        if let State::Draining = self.state
            && self.missing() == 0
            && !self.held
        {
            self.state = State::Delivered(Delivered { since: now });
        }
    }

    /// The states mean what they say.
    fn check(&self) {
        debug_assert!(self.given <= self.taken, "{self:?}");
        debug_assert!(self.acknowledged <= self.given, "{self:?}");
        let open = self.ended.is_none();
        let settled = self.missing() == 0 && !self.held;
        let valid = match &self.state {
            State::Moving | State::Full { .. } => open,
            State::Silent { .. } => open && self.owed() == 0,
            State::Draining => !open && !settled,
            State::Delivered(_) => !open && settled,
            State::Lost(_) => true,
        };
        debug_assert!(valid, "{self:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_is_delivered_when_the_last_byte_was_acknowledged_and_not_before() {
        let now = Instant::now();
        let mut flow = Flow::to_connection();
        flow.took(10);
        flow.gave(10, now);
        flow.acknowledged_but(0, now);
        assert!(flow.delivered().is_none(), "the source may say more");
        flow.took(5);
        flow.source_ended(now);
        assert!(!flow.is_given() && flow.delivered().is_none());
        flow.gave(5, now);
        assert!(flow.is_given() && flow.delivered().is_none());
        flow.acknowledged_but(1, now);
        assert_eq!((flow.missing(), flow.acknowledged()), (1, 14));
        flow.acknowledged_but(0, now + Duration::from_secs(1));
        flow.acknowledged_but(9, now);
        assert_eq!(flow.missing(), 0, "what was acknowledged stays so");
        let delivered = flow.delivered().unwrap();
        assert_eq!(delivered.since(), now + Duration::from_secs(1));
    }

    #[test]
    fn what_an_output_took_is_delivered() {
        let now = Instant::now();
        let mut flow = Flow::to_output();
        flow.took(10);
        flow.source_ended(now);
        flow.gave(9, now);
        assert!(flow.is_held_up() && flow.delivered().is_none());
        flow.gave(1, now);
        assert!(flow.delivered().is_some());
    }

    #[test]
    fn what_a_layer_holds_is_not_delivered() {
        let now = Instant::now();
        let mut flow = Flow::to_connection();
        flow.took(3);
        flow.gave(3, now);
        flow.holds(true, now);
        flow.source_ended(now);
        flow.acknowledged_but(0, now);
        assert!(!flow.is_given() && flow.delivered().is_none());
        let mut last = Flow::to_connection();
        last.moved(3, now);
        last.acknowledged_but(0, now);
        last.holds(true, now);
        last.source_ended(now);
        assert!(
            last.delivered().is_none(),
            "a layer may hold what counts as acknowledged"
        );
        flow.holds(false, now);
        assert!(flow.is_given() && flow.delivered().is_none());
        flow.acknowledged_but(0, now);
        assert!(flow.delivered().is_some());
    }

    #[test]
    fn silence_begins_once_and_ends_with_the_next_byte() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut flow = Flow::to_connection();
        flow.source_silent(now);
        flow.source_silent(later);
        assert_eq!(flow.silent_since(), Some(now));
        flow.took(1);
        flow.source_silent(later);
        assert_eq!(flow.silent_since(), None, "it owes a byte");
        flow.gave(1, later);
        flow.source_silent(later);
        assert_eq!(flow.silent_since(), Some(later));
        flow.sink_full(later);
        assert_eq!(flow.silent_since(), None);
        assert!(flow.is_held_up());
        flow.moved(1, later);
        assert!(!flow.is_held_up());
        flow.took(1);
        flow.sink_full(later);
        flow.gave(1, later);
        assert!(!flow.is_held_up());
    }

    #[test]
    fn a_loss_stays_and_what_is_missing_is_known() {
        let now = Instant::now();
        let mut flow = Flow::to_connection();
        flow.took(10);
        flow.gave(8, now);
        flow.acknowledged_but(3, now);
        flow.lost(ErrorKind::BrokenPipe.into(), now);
        flow.lost(ErrorKind::ConnectionReset.into(), now);
        flow.source_ended(now);
        assert_eq!(flow.loss().unwrap().why.kind(), ErrorKind::BrokenPipe);
        assert!(flow.is_over() && !flow.is_open());
        assert_eq!(flow.missing(), 5);
        // A look tells also afterwards.
        flow.acknowledged_but(1, now);
        assert_eq!(flow.missing(), 3);
    }

    #[test]
    fn what_was_delivered_stays_delivered() {
        let now = Instant::now();
        let mut flow = Flow::without_source(now);
        flow.lost(ErrorKind::ConnectionReset.into(), now);
        assert!(flow.delivered().is_some());
        assert_eq!((flow.ended_at(), flow.stopped_at()), (None, None));
    }

    #[test]
    fn a_limit_ends_the_reading_and_proves_nothing() {
        let now = Instant::now();
        let mut flow = Flow::to_output();
        flow.took(2);
        flow.stop(now);
        flow.source_ended(now);
        assert!(!flow.is_open() && flow.delivered().is_none());
        assert_eq!((flow.stopped_at(), flow.ended_at()), (Some(now), None));
        flow.gave(2, now);
        assert!(flow.delivered().is_some());
    }

    #[test]
    fn an_account_is_settled_when_nobody_lacks_anything() {
        assert!(Proof::settle([0, 0]).is_some());
        assert!(Proof::settle([0, 7, 3]).is_none());
    }
}
