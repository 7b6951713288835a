//! Lingering: peers that are not in the room, were told why, and may read that.
//!
//! They were refused, or sent away by the operator. Closing at once, with something of theirs unread, would
//! reset the connection and the reason with it (RFC 1122, 4.2.2.13).
//!
//! It promises: none lingers for more than a second, and no more than [`MOST`] at a time.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use super::Peers;
use super::Stage;
use crate::hub::news::Topic;
use crate::io::device::Device;
use crate::io::stream::Received;
use crate::io::stream::Stream;

/// How long a peer may take to read why.
const TIME: Duration = Duration::from_secs(1);

/// Peers that linger at a time; more than that are cut short, the first first.
const MOST: usize = 64;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    /// Their keys, and until when they may read, the first first.
    queue: VecDeque<(usize, Instant)>,
    /// Those that were members, by their keys: it is told what they did not take.
    members: BTreeMap<usize, Former>,
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

    /// When the time of the first is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.queue.front().map(|(_, until)| *until)
    }

    /// One was taken out, and its key may be another's soon.
    pub(super) fn forget(&mut self, key: usize) {
        self.queue.retain(|(lingering, _)| *lingering != key);
        self.members.remove(&key);
    }

    /// One that lingers was this member, and what it does not take of so many bytes on the wire is to be told.
    pub(super) fn tell_of(&mut self, key: usize, who: String, goodbye_from: u64) {
        self.members.insert(key, Former { who, goodbye_from });
    }
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// A peer that is not in the room was told why.
    pub(in crate::hub) fn let_read_why(&mut self, key: usize, now: Instant) {
        if self.lingering.queue.len() >= MOST {
            self.close_first_lingering(now);
        }
        let until = now + TIME;
        if let Some(peer) = self.conns.get_mut(key) {
            peer.stage = Stage::Lingering;
            self.lingering.queue.push_back((key, until));
        }
    }

    /// Closes those whose time is over.
    pub(in crate::hub) fn end_lingering(&mut self, now: Instant) {
        while self.lingering.deadline().is_some_and(|until| until <= now) {
            self.close_first_lingering(now);
        }
    }

    /// Closes all of them.
    pub(in crate::hub) fn end_all_lingering(&mut self, now: Instant) {
        while !self.lingering.queue.is_empty() {
            self.close_first_lingering(now);
        }
    }

    /// Closes the first, with as little unread as possible.
    fn close_first_lingering(&mut self, now: Instant) {
        let Some((key, _)) = self.lingering.queue.pop_front() else {
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
        let mut unread = [0; 4096];
        for _ in 0..16 {
            if !matches!(peer.conn.read(&mut unread), Received::Bytes(_)) {
                break;
            }
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
}
