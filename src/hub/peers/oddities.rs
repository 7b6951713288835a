//! Oddities: peers whose bytes nobody here can read, of which the operator is told why.
//!
//! A peer that sends a CR without an LF may still send the LF, so the operator is not told at once.
//!
//! It promises: of lines that seem not to end the operator is told only when no LF came for [`PATIENCE`], or
//! none can come any more; where the reads cut the bytes makes no difference.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use super::Peers;
use crate::engine::dialect::Oddity;
use crate::hub::news::Topic;
use crate::io::device::Device;
use crate::io::stream::Stream;

/// How long a line may go on behind a CR alone, as one of a progress that is drawn again and again does,
/// before it is said that it does not end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Members whose lines seem to end with CR alone.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// Their keys and numbers, and when to say it, the first first. A key may have been given to another
    /// since: the number tells.
    queue: VecDeque<(usize, u32, Instant)>,
}

impl Doubts {
    /// When the first is to be looked at.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.queue.front().map(|&(_, _, until)| until)
    }
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// These bytes look like the beginning of TLS (RFC 8446, 5.1): if they are the peer's first, it
    /// speaks TLS to a hub without it.
    pub(super) fn look_for_tls(&mut self, key: usize, now: Instant) {
        let member = self.room.member(key);
        if member.is_some_and(|member| member.account.received() == 0) {
            self.tell_odd(key, "speaks TLS, which this hub does only with --ssl", now);
        }
    }

    /// Whether these bytes are no text that the others could read: the operator is told why, once for
    /// each peer.
    pub(super) fn look_for_oddity(&mut self, key: usize, bytes: &[u8], now: Instant) {
        let oddity = self.conns.get_mut(key).map(|peer| peer.dialect.hear(bytes));
        match oddity.flatten() {
            Some(Oddity::CarriageReturns) => {
                if let Some(member) = self.room.member(key) {
                    let doubt = (key, member.account.number, now + PATIENCE);
                    self.doubts.queue.push_back(doubt);
                }
            }
            Some(Oddity::Utf16) => self.tell_odd(
                key,
                "sends UTF-16, of which every other byte shows as ^@: it has to send UTF-8",
                now,
            ),
            None => {}
        }
    }

    /// Tells of those whose lines did not end for long.
    pub fn look_for_ends(&mut self, now: Instant) {
        while self.doubts.deadline().is_some_and(|until| until <= now) {
            let Some((key, number, _)) = self.doubts.queue.pop_front() else {
                return;
            };
            let member = self.room.member(key);
            if member.is_some_and(|member| member.account.number == number) {
                self.tell_doubt(key, now);
            }
        }
    }

    /// If the lines of a peer seem to end with CR alone, no LF will come any more.
    pub(super) fn tell_doubt(&mut self, key: usize, now: Instant) {
        let peer = self.conns.get_mut(key);
        if peer.is_some_and(|peer| peer.dialect.take_doubt()) {
            let what =
                "ends its lines with CR alone, so none of them ends: it has to send LF or CRLF";
            self.tell_odd(key, what, now);
        }
    }

    /// Tells the operator what a peer does wrong.
    fn tell_odd(&mut self, key: usize, what: &str, now: Instant) {
        if let Some(permit) = self.news.ask(Topic::Odd, now) {
            permit.say(format_args!("{} {what}", self.who(key)));
        }
    }
}
