//! Lingering: peers that are not in the room, were told why, and may read that.
//!
//! They were refused, or sent away by the operator, and what they say now nobody hears. A reset tells them so, but may
//! destroy the reason before they read it (RFC 1122, 4.2.2.13), and what comes behind an end of ours would count as
//! delivered. So nothing is ended before the reason was acknowledged:
//!
//! ```text
//!   told why ─► acknowledged ─► has said something that nobody heard ─► reset
//!                          └──► has not ─► reads an end; what it says now its kernel is refused ─► reset
//! ```
//!
//! (A program that reads on after an end, nc does, knows by the last reset that it is over.) A browser is told by a
//! word of HTTP or WebSocket, reads an end at once, and no reset (RFC 9112, 9.6). When it has ended its side as well,
//! by WebSocket's goodbye or the end of TCP, it has read why, and waits for our end (RFC 6455, 7.1.1).
//!
//! So may a browser that talked while the hub ended: what it says is thrown away until it has ended its side, or the
//! hub waits no longer.
//!
//! It promises: none lingers for more than a second, and no more than [`MOST`] at a time; a browser no longer than
//! until its end; whoever else said something that was thrown away reads no end.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use super::Peer;
use super::Peers;
use super::Stage;
use crate::hub::news::Topic;
use crate::io::device::Device;
use crate::io::stream::Received;
use crate::io::stream::Stream;

/// How long a peer may take to read why.
const TIME: Duration = Duration::from_secs(1);

/// Reads of what is thrown away, at most.
const READS: usize = 16;

/// How soon it is looked whether it was acknowledged, and how often. There is time in it for what a program says as
/// soon as it is connected, and for one that has not read what its kernel acknowledged.
const LOOK: Duration = Duration::from_millis(20);

/// Peers that linger at a time; more than that are cut short, the first first.
const MOST: usize = 64;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    /// The first first.
    queue: VecDeque<Reader>,
    /// Those that were members, by their keys: it is told what they did not take.
    members: BTreeMap<usize, Former>,
}

/// One that lingers.
#[derive(Debug)]
struct Reader {
    key: usize,
    /// Since when it may read.
    since: Instant,
    /// When it is looked whether it acknowledged that, or ended its side; none where its end was told, and an event tells
    /// of its own.
    look: Option<Instant>,
    is_browser: bool,
}

impl Reader {
    /// Until when it may read.
    fn until(&self) -> Instant {
        self.since + TIME
    }
}

/// What came of throwing away what one says.
struct Thrown {
    has_spoken: bool,
    follows: Follows,
}

/// What is to be read next of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    /// Nothing now; an event will tell.
    Nothing,
    /// There may be more.
    More,
    /// It has ended its side, or broke.
    End,
}

/// A member that was sent away.
#[derive(Debug)]
struct Former {
    who: String,
    /// Bytes on the wire before what told it why.
    goodbye_from: u64,
}

impl Lingering {
    /// Whether another peer may linger without cutting one short.
    pub(super) fn has_room(&self) -> bool {
        self.queue.len() < MOST
    }

    /// When there is something to do for one of them.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let until = self.queue.front().map(Reader::until);
        let looks = self.queue.iter().filter_map(|reader| reader.look);
        looks.chain(until).min()
    }

    /// An event told something of one. Of a browser's end nothing else tells.
    pub(super) fn stir(&mut self, key: usize) {
        let reader = self.queue.iter_mut().find(|reader| reader.key == key);
        if let Some(reader) = reader.filter(|reader| reader.is_browser) {
            reader.look = Some(reader.since);
        }
    }

    /// One was taken out, and its key may be another's soon.
    pub(super) fn forget(&mut self, key: usize) {
        self.queue.retain(|reader| reader.key != key);
        self.members.remove(&key);
    }

    /// One that lingers was this member, and what it does not take of so many bytes on the wire is to be told.
    pub(super) fn tell_of(&mut self, key: usize, who: String, goodbye_from: u64) {
        self.members.insert(key, Former { who, goodbye_from });
    }
}

impl<S: Stream> Peer<S> {
    /// Whether all that was written was acknowledged.
    fn has_taken_all(&self) -> bool {
        let is_out = match self.conn.tcp_info() {
            Some(info) => info.unacknowledged() > 0,
            // What a Unix socket was given stays there.
            None => !self.conn.tells_hang_up(),
        };
        !is_out && !self.conn.has_pending_output()
    }

    /// Whether it said something that nobody heard.
    fn has_spoken_in_vain(&mut self) -> bool {
        // It is left there: only so a Unix socket breaks, when it is closed, as well.
        let is_left = self.conn.is_wire() && self.conn.unread().bytes > 0;
        is_left || self.throw_away().has_spoken
    }

    /// Throws away what it says, a layer's own words among that, and sees its end.
    fn throw_away(&mut self) -> Thrown {
        let mut has_spoken = false;
        let mut heard = [0; 4096];
        for _ in 0..READS {
            let follows = match self.conn.read(&mut heard) {
                Received::Bytes(_) => {
                    has_spoken = true;
                    continue;
                }
                Received::Yield => continue,
                Received::Pending => Follows::Nothing,
                Received::End | Received::Truncated(_) | Received::Failed(_) => Follows::End,
            };
            return Thrown {
                has_spoken,
                follows,
            };
        }
        Thrown {
            has_spoken,
            follows: Follows::More,
        }
    }

    /// It, if it was told by a word of its protocol that this is the end.
    pub(super) fn reading_end_beside(mut self) -> Option<Peer<S>> {
        let is_told =
            self.conn.is_shut() && !self.conn.breaks_on_close() && self.conn.beside().is_some();
        is_told.then_some(self)
    }

    /// What follows in a browser that reads why.
    fn look_at_browser(&mut self) -> Follows {
        // An error does not matter any more: a read tells of it.
        let _ = self.conn.flush();
        match self.throw_away().follows {
            // It may be the end of what it asks for only: it reads the answer first.
            Follows::End if self.conn.has_pending_output() => Follows::Nothing,
            follows => follows,
        }
    }
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// A peer that is not in the room was told why.
    pub(in crate::hub) fn let_read_why(&mut self, key: usize, now: Instant) {
        if self.lingering.queue.len() >= MOST {
            self.close_first_lingering(now);
        }
        let Some(peer) = self.conns.get_mut(key).filter(|peer| !peer.leaving) else {
            return;
        };
        peer.stage = Stage::Lingering;
        let is_browser = peer.conn.beside().is_some();
        if is_browser && !peer.conn.is_shut() && !peer.conn.breaks_on_close() {
            peer.conn.shutdown();
        }
        self.lingering.queue.push_back(Reader {
            key,
            since: now,
            // No event may tell of what has come already.
            look: Some(if is_browser { now } else { now + LOOK }),
            is_browser,
        });
    }

    /// Ends those that read why, and closes those whose time is over.
    pub(in crate::hub) fn end_lingering(&mut self, now: Instant) {
        if self.lingering.deadline().is_none_or(|at| now < at) {
            return;
        }
        let is_over = |reader: &Reader| reader.until() <= now;
        while self.lingering.queue.front().is_some_and(is_over) {
            self.close_first_lingering(now);
        }
        let (mut over, mut ended) = (Vec::new(), Vec::new());
        for reader in &mut self.lingering.queue {
            if reader.look.is_none_or(|look| now < look) {
                continue;
            }
            reader.look = Some(now + LOOK);
            let Some(peer) = self.conns.get_mut(reader.key) else {
                continue;
            };
            if reader.is_browser {
                let follows = peer.look_at_browser();
                reader.look = (follows == Follows::More).then_some(now);
                if follows == Follows::End {
                    ended.push(reader.key);
                }
                continue;
            }
            if !peer.has_taken_all() {
                continue;
            }
            if peer.conn.breaks_on_close() || peer.has_spoken_in_vain() {
                over.push(reader.key);
            } else {
                peer.conn.hang_up();
                reader.look = None;
            }
            peer.conn.break_on_close(true);
        }
        for key in over {
            self.lingering.forget(key);
            self.forget(key);
        }
        for key in ended {
            self.close_lingering(key, now);
        }
    }

    /// When all are closed but browsers that talked until then: throws away what these say, and closes those that have
    /// ended their side, and at `end` all. Returns until when to wait for an event; None: all are closed.
    pub(in crate::hub) fn let_read_end(&mut self, end: Instant, now: Instant) -> Option<Instant> {
        let mut until = end;
        self.talkers.retain_mut(|peer| {
            let follows = peer.look_at_browser();
            if follows == Follows::More {
                until = now;
            }
            follows != Follows::End
        });
        if now >= end {
            self.talkers.clear();
        }
        (!self.talkers.is_empty()).then_some(until)
    }

    /// Closes all of them.
    pub(in crate::hub) fn end_all_lingering(&mut self, now: Instant) {
        while !self.lingering.queue.is_empty() {
            self.close_first_lingering(now);
        }
    }

    /// Closes the first.
    fn close_first_lingering(&mut self, now: Instant) {
        if let Some(&Reader { key, .. }) = self.lingering.queue.front() {
            self.close_lingering(key, now);
        }
    }

    /// Closes one of them.
    fn close_lingering(&mut self, key: usize, now: Instant) {
        let at = self
            .lingering
            .queue
            .iter()
            .position(|reader| reader.key == key);
        let Some(Reader {
            look, is_browser, ..
        }) = at.and_then(|at| self.lingering.queue.remove(at))
        else {
            return;
        };
        let member = self.lingering.members.remove(&key);
        let Some(peer) = self.conns.get_mut(key) else {
            return;
        };
        debug_assert_eq!(peer.stage, Stage::Lingering, "{key} is another's by now");
        if peer.leaving {
            return;
        }
        if !is_browser && look.is_some() && peer.has_spoken_in_vain() {
            peer.conn.break_on_close(true);
        }
        if !peer.conn.breaks_on_close() {
            if is_browser {
                // A browser reads no reset for what it said last.
                peer.throw_away();
            }
            peer.conn.close_notify();
        }
        let acknowledged = peer.conn.tcp_info().map(|info| info.acknowledged);
        if let (Some(former), Some(acknowledged)) = (member, acknowledged)
            && let untaken @ 1.. = former.goodbye_from.saturating_sub(acknowledged)
            && let Some(permit) = self.news.ask(Topic::CutOff, now)
        {
            let who = former.who;
            permit.say(format_args!("{who} did not get the last {untaken} bytes"));
        }
        self.forget(key);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::super::fake;
    use super::super::fake::Wire;
    use super::*;

    #[test]
    fn a_key_that_another_has_by_now_is_not_closed_for_the_first() {
        let now = Instant::now();
        let mut peers = fake::peers();
        let first = Rc::<Wire>::default().arrive(&mut peers);
        peers.let_read_why(first, now);
        peers.forget(first);
        peers.reap(now);

        let second = Rc::<Wire>::default().arrive(&mut peers);
        assert_eq!(first, second);
        let later = now + TIME / 2;
        peers.let_read_why(second, later);
        peers.end_lingering(now + TIME);
        assert!(!fake::is_leaving(&peers, second), "its time is not over");
        peers.end_lingering(later + TIME);
        assert!(fake::is_leaving(&peers, second));
    }

    /// A peer that was turned away by a line.
    fn turned_away(peers: &mut Peers<fake::Fake>, now: Instant) -> (Rc<Wire>, usize) {
        let wire = Rc::<Wire>::default();
        wire.unread.set(Some(0));
        let key = wire.arrive(peers);
        wire.written.set(20);
        peers.let_read_why(key, now);
        (wire, key)
    }

    #[test]
    fn who_spoke_in_vain_reads_why_and_no_end() {
        let now = Instant::now();
        let mut peers = fake::peers();
        let (wire, key) = turned_away(&mut peers, now);
        wire.unread.set(Some(7));
        peers.end_lingering(now + LOOK);
        assert!(
            !fake::is_leaving(&peers, key),
            "a reset may destroy what it did not take"
        );
        wire.acknowledge();
        let next = peers.lingering.deadline().expect("it is looked at again");
        assert!(next <= now + 2 * LOOK);
        peers.end_lingering(next);
        assert!(fake::is_leaving(&peers, key));
        assert_eq!((wire.is_ended.get(), wire.breaks.get()), (false, true));
        // Nor does one that takes nothing.
        let (wire, key) = turned_away(&mut peers, now);
        wire.unread.set(Some(7));
        peers.end_lingering(now + TIME);
        assert!(fake::is_leaving(&peers, key));
        assert_eq!((wire.is_ended.get(), wire.breaks.get()), (false, true));
    }

    #[test]
    fn who_said_nothing_reads_an_end_and_is_not_heard_behind_it() {
        let now = Instant::now();
        let mut peers = fake::peers();
        let (wire, key) = turned_away(&mut peers, now);
        assert!(!wire.is_ended.get(), "what comes now would count as taken");
        wire.acknowledge();
        peers.end_lingering(now + LOOK);
        assert!(wire.is_ended.get() && wire.is_over.get());
        assert!(!fake::is_leaving(&peers, key), "it may go on reading");
        assert_eq!(peers.lingering.deadline(), Some(now + TIME));
        peers.end_lingering(now + TIME);
        assert!(fake::is_leaving(&peers, key) && wire.breaks.get());
    }

    #[test]
    fn a_browser_reads_an_end_at_once_and_no_reset() {
        let now = Instant::now();
        let mut peers = fake::peers();
        let wire = Rc::<Wire>::default();
        wire.is_web.set(true);
        wire.unread.set(Some(7));
        let key = wire.arrive(&mut peers);
        peers.let_read_why(key, now);
        assert!(wire.is_ended.get());
        peers.end_lingering(now + TIME);
        assert!(fake::is_leaving(&peers, key) && !wire.breaks.get());
    }

    #[test]
    fn a_browser_that_has_ended_its_side_waits_for_nothing() {
        let now = Instant::now();
        let mut peers = fake::peers();
        let arrive = |peers: &mut Peers<fake::Fake>| {
            let wire = Rc::<Wire>::default();
            wire.is_web.set(true);
            let key = wire.arrive(peers);
            peers.let_read_why(key, now);
            (wire, key)
        };
        let (wire, key) = arrive(&mut peers);
        peers.end_lingering(now);
        assert!(!fake::is_leaving(&peers, key), "it has not read why");
        assert_eq!(peers.lingering.deadline(), Some(now + TIME));
        wire.ends.set(true);
        peers.collect(key, fake::readable());
        assert!(peers.lingering.deadline() <= Some(now));
        peers.end_lingering(now);
        assert!(fake::is_leaving(&peers, key) && !wire.breaks.get());
        assert_eq!(peers.lingering.deadline(), None, "its place is free");
        // Its end may have come before.
        let wire = Rc::<Wire>::default();
        wire.is_web.set(true);
        wire.ends.set(true);
        let key = wire.arrive(&mut peers);
        peers.let_read_why(key, now);
        assert!(peers.lingering.deadline() <= Some(now));
        peers.end_lingering(now);
        assert!(fake::is_leaving(&peers, key));
        // What it is to read goes first.
        let (wire, key) = arrive(&mut peers);
        wire.ends.set(true);
        wire.is_pending.set(true);
        peers.collect(key, fake::readable());
        peers.end_lingering(now);
        assert!(!fake::is_leaving(&peers, key));
        wire.is_pending.set(false);
        peers.collect(key, fake::readable());
        peers.end_lingering(now);
        assert!(fake::is_leaving(&peers, key));
    }
}
