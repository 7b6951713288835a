//! Lingering: peers that were told why they are not let in, and may read that.
//!
//! Closing at once, with something of its own unread, would reset the connection and the reason with it
//! (RFC 1122, 4.2.2.13).
//!
//! It promises: none lingers for more than a second, and no more than [`MOST`] at a time.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use crate::hub::peers::Peers;
use crate::io::device::Device;
use crate::io::stream::Received;
use crate::io::stream::Stream;

/// How long a refused peer may take to read why.
const TIME: Duration = Duration::from_secs(1);

/// Peers that linger at a time; more than that are cut short, the first first.
const MOST: usize = 64;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    /// Their keys, and until when they may read, the first first. A key may have been given to another
    /// since: the time tells.
    queue: VecDeque<(usize, Instant)>,
}

impl Lingering {
    /// When the time of the first is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.queue.front().map(|(_, until)| *until)
    }

    /// One was told why it is not let in.
    pub(super) fn push<S: Stream, D: Device>(
        &mut self,
        key: usize,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) {
        if self.queue.len() >= MOST {
            self.close_first(peers);
        }
        let until = now + TIME;
        peers.refused(key, until);
        self.queue.push_back((key, until));
    }

    /// Closes those whose time is over.
    pub(super) fn end_due<S: Stream, D: Device>(&mut self, peers: &mut Peers<S, D>, now: Instant) {
        while self.deadline().is_some_and(|until| until <= now) {
            self.close_first(peers);
        }
    }

    /// Closes all of them.
    pub(super) fn end_all<S: Stream, D: Device>(&mut self, peers: &mut Peers<S, D>) {
        while !self.queue.is_empty() {
            self.close_first(peers);
        }
    }

    /// Closes the first, with as little unread as possible.
    fn close_first<S: Stream, D: Device>(&mut self, peers: &mut Peers<S, D>) {
        let Some((key, until)) = self.queue.pop_front() else {
            return;
        };
        let Some(conn) = peers.lingering_mut(key, until) else {
            return;
        };
        let mut unread = [0; 4096];
        for _ in 0..16 {
            if !matches!(conn.read(&mut unread), Received::Bytes(_)) {
                break;
            }
        }
        peers.forget(key);
    }
}
