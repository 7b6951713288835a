//! A transfer to all at once: waiting until its receivers are here, and how far it is.
//!
//! ```text
//!   waiting ──────────► on trial ─────────────► begun ─────────► ended
//!     ▲  enough came        │   each of them        │ nobody else is let in
//!     └─────────────────────┘   acknowledged        └─► failed: all left before, or its input
//!            one left                                   cannot be read on
//! ```
//!
//! It promises: nothing of stdin is said before as many are here as were asked for, and no more
//! than a [trial](crate::engine::room::TRIAL) before as many are known to be there; a transfer that
//! has begun goes on, whoever leaves, and a newcomer is refused then instead of getting a part; one of
//! nothing begins and ends as soon as as many are here.

use std::time::Duration;
use std::time::Instant;

use super::news::Topic;
use super::peers::Peers;
use super::peers::Settled;
use crate::engine::progress::Size;
use crate::engine::progress::TransferProgress;
use crate::engine::record::Entry;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::stdin::Stdin;
use crate::io::stream::Stream;
use crate::status::NOTICE;

/// How long the hub waits silently for receivers that have everything.
const PATIENCE: Duration = Duration::from_secs(1);

/// How far the transfer is.
#[derive(Default)]
pub(super) struct Transfer {
    /// How many must be here before anything is said.
    awaited: Option<usize>,
    /// The input is one whole: a file, or a pipe with `--wait-for`.
    is_whole: bool,
    /// It is one also if it is empty: with `--wait-for` a pipe or a regular file, and not `/dev/null`.
    may_be_empty: bool,
    /// Only where there is a terminal to draw it on.
    progress: Option<TransferProgress>,
    /// When as many were here as the hub waited for.
    began: Option<Instant>,
    /// It goes on, also if receivers leave.
    has_begun: bool,
    /// A line for each of those that have all of it, when it is over.
    whole: Option<Vec<String>>,
    /// Since when all receivers have all of it, while some are still here.
    complete: Option<Instant>,
    /// The operator was told for whom the hub waits.
    is_wait_told: bool,
}

impl Transfer {
    /// A transfer of that input, which begins when so many are here, if any number is given.
    pub(super) fn new<D: Device>(
        awaited: Option<usize>,
        stdin: Option<&Stdin<D>>,
        keeps_open: bool,
    ) -> Transfer {
        let is_whole = stdin.is_some_and(|stdin| {
            let is_typed = stdin.kind() == Kind::Terminal;
            !is_typed && is_whole(stdin.remaining(), awaited, keeps_open)
        });
        let has_end = |stdin: &Stdin<D>| stdin.kind() != Kind::File || stdin.remaining().is_some();
        Transfer {
            awaited,
            is_whole,
            may_be_empty: is_whole && awaited.is_some() && stdin.is_some_and(has_end),
            ..Transfer::default()
        }
    }

    /// How many have to be known to be there before it begins for good, if it is a transfer.
    pub(super) fn quorum(&self) -> Option<usize> {
        self.is_whole.then_some(self.awaited.unwrap_or(1))
    }

    /// Whether the input is one whole.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether an input that is empty is a transfer of nothing, and no missing keyboard.
    pub(super) fn may_be_empty(&self) -> bool {
        self.may_be_empty
    }

    /// Whether fewer are here than it begins with.
    fn is_short<S: Stream, D: Device>(&self, peers: &Peers<S, D>) -> bool {
        let wanted = self.awaited.or(self.quorum()).unwrap_or(0);
        !self.has_begun && peers.staying() < wanted
    }

    /// Whether it waits for receivers to come.
    pub(super) fn is_waiting<S: Stream, D: Device>(&self, peers: &Peers<S, D>) -> bool {
        let awaited = self.awaited.unwrap_or(0);
        !self.has_begun && peers.staying() < awaited
    }

    /// How many bytes of the operator's are wanted now, at most.
    pub(super) fn budget<S: Stream, D: Device>(&self, peers: &Peers<S, D>) -> usize {
        match self.is_waiting(peers) {
            true => 0,
            false => peers.input_budget(),
        }
    }

    /// How many are here, in words, without those that came `later`.
    pub(super) fn here<S: Stream, D: Device>(
        &self,
        peers: &Peers<S, D>,
        later: &[usize],
    ) -> String {
        match self.awaited.filter(|_| !self.has_begun) {
            // A participant that only receives may have ended its side at once.
            Some(awaited) => format!("{} of {awaited} here", peers.staying_without(later)),
            None => format!("{} here", peers.here_without(later)),
        }
    }

    /// Whether no other peer may come, now that it has begun.
    pub(super) fn is_closed(&self) -> bool {
        self.is_whole && self.has_begun
    }

    /// Whether all receivers left before the end. Who came just before it began, and is not known yet to be there, is
    /// one of them.
    pub(super) fn has_failed<S: Stream, D: Device>(&self, peers: &Peers<S, D>) -> bool {
        self.is_closed() && peers.promised_here() == 0 && peers.room.is_empty()
    }

    /// Takes note of how many came and how many are known to be there, and whether all of the input was
    /// said. Returns whether it seems to begin now.
    pub(super) fn begin_if_complete<S: Stream, D: Device>(
        &mut self,
        peers: &mut Peers<S, D>,
        is_over: bool,
        now: Instant,
    ) -> bool {
        if self.has_begun {
            return false;
        }
        // Enough have acknowledged something, or there was nothing to acknowledge: a receiver that leaves now
        // was one of them.
        let is_proven = self.is_whole && (is_over || !peers.room.is_on_trial());
        if !is_proven && self.is_short(peers) {
            if self.began.take().is_some() {
                // One of them left before it was known to be there.
                let awaited = self.awaited.or(self.quorum()).unwrap_or(0);
                let staying = peers.staying();
                peers.record(|records| records.note(Entry::Waiting(staying, awaited)));
                let here = self.here(peers, &[]);
                if let Some(permit) = peers.news.ask(Topic::Transfer, now) {
                    permit.say(format_args!("waiting again: {here}"));
                }
            }
            return false;
        }
        let begins = self.is_told() && self.began.is_none();
        if begins && self.awaited.is_some() {
            let here = peers.staying();
            if let Some(permit) = peers.news.ask(Topic::Transfer, now) {
                permit.say(format_args!("all {here} are here: it begins"));
            }
        }
        self.began.get_or_insert(now);
        self.has_begun = !self.is_whole || is_proven;
        if self.is_closed() {
            peers.promise_to_proven(now);
            let receivers = peers.promised_here();
            peers.record(|records| records.note(Entry::Begun(receivers)));
        }
        begins
    }

    /// Whether it is told how far it is.
    fn is_told(&self) -> bool {
        self.is_whole || self.awaited.is_some()
    }

    /// How many of those it began with lack nothing that was said, as far as is known.
    fn reached<S: Stream, D: Device>(&self, peers: &Peers<S, D>) -> usize {
        peers.promised().saturating_sub(peers.short())
    }

    /// Draws from now on how far it is, for a source of that size.
    pub(super) fn draw_from(&mut self, size: Option<u64>, now: Instant) {
        if self.is_told() {
            self.progress = Some(TransferProgress::new(size, now));
        }
    }

    /// When the line that tells how far it is is to be drawn next, if something moved.
    pub(super) fn draws<S: Stream, D: Device>(&self, peers: &Peers<S, D>) -> Option<Instant> {
        let progress = self.progress.as_ref().filter(|_| !self.is_wait_told)?;
        progress.due(moved(peers))
    }

    /// That line, if it is time.
    pub(super) fn row<S: Stream, D: Device>(
        &mut self,
        peers: &Peers<S, D>,
        columns: u16,
        now: Instant,
    ) -> Option<String> {
        self.draws(peers).filter(|at| *at <= now)?;
        let progress = self.progress.as_mut()?;
        let slowest = peers.room.slowest();
        let slowest = slowest.map(|(account, behind)| (account.label(), behind));
        Some(progress.line(moved(peers), slowest, columns, now))
    }

    /// All that are here have all of it. Returns whether to tell now for whom the hub waits:
    /// receivers that leave by themselves have had the time for that.
    pub(super) fn lingers(&mut self, now: Instant) -> bool {
        let complete = *self.complete.get_or_insert(now);
        let is_due = self.progress.is_some() && !self.is_wait_told && now >= complete + PATIENCE;
        self.is_wait_told |= is_due;
        is_due
    }

    /// When that is to be told.
    pub(super) fn tells_wait(&self) -> Option<Instant> {
        let is_wanted = self.progress.is_some() && !self.is_wait_told;
        self.complete.filter(|_| is_wanted).map(|at| at + PATIENCE)
    }

    /// The account is settled: it says who of its receivers has all of it.
    pub(super) fn settled<S: Stream, D: Device>(
        &mut self,
        settled: Settled,
        peers: &mut Peers<S, D>,
    ) {
        self.whole = Some(settled.whole);
        if !self.is_closed() {
            return;
        }
        let bytes = settled.bytes;
        for (receiver, missing) in &settled.receivers {
            let received = Entry::Received {
                who: receiver.who(),
                bytes,
                missing: *missing,
            };
            peers.record(|records| records.note(received));
        }
        let ended = Entry::Ended {
            bytes,
            receivers: settled.receivers.len(),
            whole: settled.complete,
        };
        peers.record(|records| records.note(ended));
    }

    /// Whether the account is settled.
    pub(super) fn is_settled(&self) -> bool {
        self.whole.is_some()
    }

    /// Says what was moved, all in all, since `start` if it is no transfer.
    pub(super) fn sum_up<S: Stream, D: Device>(
        &self,
        peers: &Peers<S, D>,
        start: Instant,
        now: Instant,
    ) {
        let (said, received) = (peers.said, peers.received());
        let moved = match self.is_closed() {
            true => said,
            false => said + received,
        };
        let time = now.saturating_duration_since(self.began.unwrap_or(start));
        let rate = Size((moved as f64 / time.as_secs_f64().max(0.001)) as u64);
        match self.is_closed() {
            true => {
                let whom = match (self.reached(peers), peers.promised()) {
                    (0, 1) => String::from(", but not all of them"),
                    (0, _) => String::from(", all of them to nobody"),
                    (reached, _) => format!(" to {reached}"),
                };
                let sum =
                    format!("sent {said} bytes{whom}, received {received} in {time:.1?}: {rate}/s");
                for line in self.whole.iter().flatten().chain([&sum]) {
                    log::info!(target: NOTICE, "{line}");
                }
            }
            false => log::info!(
                "sent {said} bytes to everybody, received {received} in {time:.1?}: {rate}/s"
            ),
        }
    }
}

/// Whether a pipe, or a file of which so much remains, is one whole.
pub(super) fn is_whole(remaining: Option<u64>, awaited: Option<usize>, keeps_open: bool) -> bool {
    !keeps_open && (awaited.is_some() || remaining.is_some_and(|left| left > 0))
}

/// The number of bytes that were moved: when it changes, there is something new to draw.
fn moved<S: Stream, D: Device>(peers: &Peers<S, D>) -> (u64, u64) {
    (peers.said, peers.room.retained())
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::hub::peers::DisconnectReason;
    use crate::hub::peers::MOMENT;
    use crate::hub::peers::fake;
    use crate::hub::peers::fake::Fake;
    use crate::hub::peers::fake::Wire;
    use crate::hub::peers::fake::peers;

    /// A transfer of one whole to two receivers.
    fn transfer(peers: &mut Peers<Fake>) -> Transfer {
        peers.room.expect_receivers(2);
        Transfer {
            awaited: Some(2),
            is_whole: true,
            ..Transfer::default()
        }
    }

    #[test]
    fn it_begins_again_after_one_left_before_it_was_known_to_be_there() {
        let now = Instant::now();
        let mut peers = peers();
        let mut transfer = transfer(&mut peers);
        let wires = [(); 3].map(|()| Rc::<Wire>::default());
        wires[0].join(&mut peers, now);
        assert!(!transfer.begin_if_complete(&mut peers, false, now));
        let key = wires[1].join(&mut peers, now);
        assert!(transfer.begin_if_complete(&mut peers, false, now));
        assert!(
            !transfer.begin_if_complete(&mut peers, false, now),
            "it began"
        );
        peers.queue_leave(key, DisconnectReason::Closed);
        peers.reap(now);
        assert!(!transfer.begin_if_complete(&mut peers, false, now));
        let later = now + Duration::from_secs(1);
        wires[2].join(&mut peers, later);
        assert!(transfer.begin_if_complete(&mut peers, false, later));
        assert_eq!(transfer.began, Some(later));
    }

    /// It came just before it began for good, and is not known yet to be there.
    #[test]
    fn it_goes_on_for_who_came_before_it_began() {
        let now = Instant::now();
        let mut peers = peers();
        peers.room.expect_receivers(1);
        let mut transfer = Transfer {
            is_whole: true,
            ..Transfer::default()
        };
        let wires = [(); 2].map(|()| Rc::<Wire>::default());
        let first = wires[0].join(&mut peers, now);
        transfer.begin_if_complete(&mut peers, false, now);
        peers.typed(b"some\n", now);
        peers.flush(now);
        let second = wires[1].join(&mut peers, now + MOMENT);
        wires[0].acknowledge();
        peers.look(now + MOMENT);
        transfer.begin_if_complete(&mut peers, false, now + MOMENT);
        assert!(transfer.is_closed());
        peers.queue_leave(first, DisconnectReason::Closed);
        peers.reap(now + MOMENT);
        assert!(!transfer.has_failed(&peers));
        peers.flush(now + MOMENT);
        wires[1].acknowledge();
        peers.look(now + 2 * MOMENT);
        assert_eq!((peers.promised(), peers.promised_here()), (2, 1));
        peers.queue_leave(second, DisconnectReason::Closed);
        peers.reap(now + 2 * MOMENT);
        assert!(transfer.has_failed(&peers));
    }

    #[test]
    fn one_of_nothing_is_promised_to_all_that_stay() {
        let now = Instant::now();
        let mut peers = peers();
        let mut transfer = transfer(&mut peers);
        let wires = [(); 2].map(|()| Rc::<Wire>::default());
        let keys = wires.each_ref().map(|wire| wire.join(&mut peers, now));
        wires[0].ends.set(true);
        peers.collect(keys[0], fake::ended());
        fake::read(&mut peers, now);
        peers.say_no_more(now);
        transfer.begin_if_complete(&mut peers, true, now);
        assert!(transfer.is_closed());
        assert_eq!(peers.promised(), 2);
    }

    #[test]
    fn it_counts_those_who_got_everything() {
        let now = Instant::now();
        let mut peers = peers();
        let mut transfer = transfer(&mut peers);
        let wires = [(); 2].map(|()| Rc::<Wire>::default());
        let keys = wires.each_ref().map(|wire| wire.join(&mut peers, now));
        transfer.begin_if_complete(&mut peers, false, now);
        peers.typed(b"some\n", now);
        peers.flush(now);
        wires.iter().for_each(|wire| wire.acknowledge());
        peers.look(now + MOMENT);
        transfer.begin_if_complete(&mut peers, false, now);
        assert!(transfer.is_closed());
        assert_eq!(transfer.reached(&peers), 2);
        peers.queue_leave(keys[0], DisconnectReason::Closed);
        peers.reap(now);
        peers.typed(b"more\n", now);
        assert_eq!(transfer.reached(&peers), 1);
    }
}
