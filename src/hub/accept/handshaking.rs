//! Shaking hands: peers on the way to the room that have to agree on TLS first, or to ask in HTTP.
//!
//! It promises: a turn does a bounded number of steps; a peer that sends something else than TLS is
//! told so in the clear, once.

use std::time::Instant;

use super::Accept;
use crate::engine::record::Entry;
use crate::hub::news::Topic;
use crate::hub::peers::Peers;
use crate::io::device::Device;
use crate::io::error::why;
use crate::io::stream::Handshake;
use crate::io::stream::Refusal;
use crate::io::stream::Stream;

/// Steps of handshakes in a turn. Each may cost a millisecond, for which all peers wait.
const BATCH: usize = 16;

impl<L> Accept<L> {
    /// Goes on with those that are on their way, and gives up those that are late.
    pub(super) fn shake_hands<S: Stream, D: Device>(
        &mut self,
        admitted: &mut Vec<usize>,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) {
        self.give_up_late(peers, now);
        let made_way = self.handshakes.let_in(now);
        self.push_out_all(made_way, peers, now);
        for _ in 0..BATCH {
            let Some(key) = self.handshakes.next_ready() else {
                break;
            };
            if self.step(key, peers, now) {
                admitted.push(key);
            }
        }
    }

    /// Goes on with a peer on its way to the room. Returns whether it is in.
    pub(super) fn step<S: Stream, D: Device>(
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
            // The next step of a handshake costs far more than the peer's message. A peer that has
            // ended its side already cannot send the rest.
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
                self.handshakes.heard(key);
                false
            }
            Handshake::Replied => {
                self.handshakes.answered(key, now);
                false
            }
            Handshake::Foreign => {
                self.refuse_plain(key, peers, now);
                false
            }
            Handshake::Asks => {
                self.handshakes.end(key);
                self.tell_admission(key, peers, now);
                false
            }
            Handshake::Fetches => {
                self.fetch(key, peers, now);
                false
            }
            Handshake::Answered(refused) => {
                self.handshakes.end(key);
                if refused.is_none_or(|why| tell_stranger(key, &why, peers, now)) {
                    peers.let_read_why(key, now);
                }
                false
            }
            // A browser opens connections in advance that it may never use: that is not worth a
            // message.
            Handshake::Left => {
                self.handshakes.end(key);
                peers.forget(key);
                false
            }
            Handshake::Failed(error) => {
                self.handshakes.end(key);
                self.give_up(key, &why(&error), peers, now);
                false
            }
        }
    }

    /// A peer wants something of the file that is offered: its bytes only if there is a place.
    fn fetch<S: Stream, D: Device>(&mut self, key: usize, peers: &mut Peers<S, D>, now: Instant) {
        let ip = peers.arriving_mut(key).and_then(|conn| conn.addr().ip());
        if let Err(refusal) = self.admission.ask_lists(ip) {
            self.handshakes.end(key);
            self.turn_away(key, refusal, peers, now);
        } else if peers.answer_at_once(key) {
            // Whether all of that is written is seen in the next step.
            self.handshakes.wake(key);
        } else {
            self.handshakes.end(key);
            self.admit(key, peers, now);
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
            self.refuse(key, Refusal::NoTls, peers, now);
        }
    }

    /// Gives those up whose handshake takes too long. One that has said nothing yet can still be told.
    fn give_up_late<S: Stream, D: Device>(&mut self, peers: &mut Peers<S, D>, now: Instant) {
        while let Some(late) = self.handshakes.take_late(now) {
            let Some(conn) = peers.arriving_mut(late) else {
                continue;
            };
            let is_tls = conn.has_costly_handshake();
            match conn.handshake() {
                Handshake::Silent if !is_tls => peers.forget(late),
                Handshake::Silent | Handshake::Foreign => self.refuse_plain(late, peers, now),
                _ if is_tls => self.give_up(late, "it did not agree on TLS in time", peers, now),
                _ => self.give_up(late, "its request did not end in time", peers, now),
            }
        }
    }

    /// These make way for newcomers.
    pub(super) fn push_out_all<S: Stream, D: Device>(
        &mut self,
        made_way: Vec<usize>,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) {
        for key in made_way {
            let reason = "too many others came before its handshake was over";
            self.push_out(key, reason, peers, now);
        }
    }

    /// A peer makes way for others in the middle of its handshake. For a browser, which connects in
    /// advance, there is no message.
    pub(super) fn push_out<S: Stream, D: Device>(
        &mut self,
        key: usize,
        reason: &str,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) {
        let conn = peers.arriving_mut(key);
        match conn.is_some_and(|conn| !conn.has_costly_handshake()) {
            true => peers.forget(key),
            false => self.give_up(key, reason, peers, now),
        }
    }

    /// A peer whose handshake comes to nothing is closed, and that is told unless many are.
    pub(super) fn give_up<S: Stream, D: Device>(
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

/// The handshake of a peer came to nothing. Returns whether it is still there.
fn tell_stranger<S: Stream, D: Device>(
    key: usize,
    reason: &str,
    peers: &mut Peers<S, D>,
    now: Instant,
) -> bool {
    let Some(conn) = peers.arriving_mut(key) else {
        return false;
    };
    let addr = conn.addr().clone();
    peers.record(|records| records.note(Entry::Refused(&addr, "handshake", &reason)));
    if let Some(permit) = peers.news.ask(Topic::Stranger, now) {
        permit.say(format_args!("{addr} did not join: {reason}"));
    }
    true
}
