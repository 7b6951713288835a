//! Looking whether a member is there: by what the kernel says was acknowledged.
//!
//! An end, a trial and a departure wait for an acknowledgement, and epoll(7) does not report any.
//! So the hub looks at the members concerned, 1, 2, 4 … 64 ms after something was written to them
//! and only while it is out. It does not look at others: an idle hub never wakes.
//!
//! It promises: a look is one system call; no member counts as there without proof, where the
//! system can give one ([`SILENCE`] without a reset counts where it cannot); and none that may be a
//! port check (it neither said anything nor stayed for a [`MOMENT`]) counts as having heard
//! something. A member that lost its place was looked at then, and does not count as staying while
//! its last words wait to be read.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;
use std::time::Instant;

use super::DisconnectReason;
use super::Peer;
use super::Peers;
use crate::engine::room::Member;
use crate::engine::room::Presence;
use crate::io::device::Device;
use crate::io::stream::Stream;

/// The first look after something was written, and how far they come to lie apart.
const FIRST: Duration = Duration::from_millis(1);
const FARTHEST: Duration = Duration::from_millis(64);

/// The longest pause between looks, where the members that are looked at read too slowly.
const SLOWEST: Duration = Duration::from_secs(1);

/// Where the system does not tell what was acknowledged: a peer that was written to and did not
/// answer with a reset for so long is there.
const SILENCE: Duration = Duration::from_secs(2);

/// An acknowledgement counts as reading if the peer stays for so long: the kernel of a port check
/// on the same machine acknowledges what comes before its connection is closed, and closing it with
/// something unread breaks it (RFC 1122, 4.2.2.13).
pub const MOMENT: Duration = Duration::from_millis(50);

/// The members to look at, and when.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Their keys, and since when something is out to them.
    keys: Vec<(usize, Instant)>,
    at: Option<Instant>,
    pause: Duration,
}

impl Looks {
    /// When the next look is due.
    pub(super) fn at(&self) -> Option<Instant> {
        self.at
    }

    /// Whom it looks at.
    pub(super) fn keys(&self) -> impl Iterator<Item = &usize> {
        self.keys.iter().map(|(key, _)| key)
    }

    /// Forgets all but those.
    pub(super) fn retain(&mut self, stays: impl Fn(&usize) -> bool) {
        self.keys.retain(|(key, _)| stays(key));
    }
}

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Something is still out: look again.
    Out,
    /// There is nothing more to learn.
    Settled,
}

impl<S: Stream> Peer<S> {
    /// Whether it has that address, if there is one to ask for.
    fn is_from(&self, ip: Option<IpAddr>) -> bool {
        let theirs = self.conn.addr().ip().map(|ip| ip.to_canonical());
        ip.is_none() || theirs == ip.map(|ip| ip.to_canonical())
    }

    /// Whether it acknowledged something that was written since its end was noticed.
    fn is_proven(&self) -> bool {
        let info = self.conn.tcp_info();
        info.is_some_and(|info| info.acknowledged > self.ledger().unproven)
    }
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// A peer is looked at soon: something was written to it, or may have been acknowledged.
    pub(super) fn look_soon(&mut self, key: usize, now: Instant) {
        let Some(peer) = self.member_mut(key) else {
            return;
        };
        if !peer.to_look {
            peer.to_look = true;
            self.looks.keys.push((key, now));
        }
        self.looks.pause = FIRST;
        let soon = now + FIRST;
        self.looks.at = Some(self.looks.at.map_or(soon, |at| at.min(soon)));
    }

    /// A peer ended its side: from here on only what it acknowledges of what is said now proves that it
    /// is there.
    pub(super) fn end_presence(&mut self, key: usize, now: Instant) {
        if !self.is_here(key) {
            return;
        }
        self.note_proof(key, now);
        let was_on_trial = self.room.is_on_trial();
        if let Some(peer) = self.member_mut(key) {
            peer.ledger_mut().unproven = peer.conn.tcp_info().map_or(0, |info| info.written);
        }
        self.room.end_unheard(key);
        self.look_soon(key, now);
        self.look_if_trial_began(was_on_trial, now);
    }

    /// Closes a peer that has ended its side and will hear nothing more, if it got everything; else it
    /// is looked at until it has.
    pub(super) fn close_if_over(&mut self, key: usize, now: Instant) {
        let may_hear = self.will_ever_hear() || self.room.owed(key) > 0;
        let heard = self.heard_of(key);
        let Some(peer) = self.member_mut(key).filter(|peer| peer.conn.has_ended()) else {
            return;
        };
        // A member that was told the end hears nothing more, also of other members.
        if may_hear && !peer.conn.is_shut() {
            return;
        }
        if peer.is_broken_off {
            // There is no end to be told.
            return self.queue_leave(key, DisconnectReason::Closed);
        }
        peer.end_our_side(heard);
        if self.look_at(key, now, now) == Look::Out {
            self.look_soon(key, now);
        }
    }

    /// [Looks at all](Peers::look_at_all) if a trial has begun where there was none before.
    pub(super) fn look_if_trial_began(&mut self, was_on_trial: bool, now: Instant) {
        if !was_on_trial && self.room.is_on_trial() {
            self.look_at_all(now);
        }
    }

    /// A trial has begun: which of the members that are there acknowledged something before? The
    /// hub looks at all of them at once, so that it need not look again whenever one of them
    /// leaves.
    fn look_at_all(&mut self, now: Instant) {
        let keys: Vec<usize> = self.member_keys().collect();
        for key in keys {
            let Some(peer) = self
                .member(key)
                .filter(|_| !self.room.has_acknowledged(key))
            else {
                continue;
            };
            let info = peer.conn.tcp_info();
            let is_heard = info.is_some_and(|info| info.acknowledged > peer.ledger().preamble);
            let is_out = info.is_none_or(|info| info.unacknowledged() > 0);
            if is_heard && self.has_stayed(key, now) {
                self.room.heard_by(key);
            } else if is_heard || is_out {
                self.look_soon(key, now);
            }
        }
    }

    /// Looks at the members concerned, if it is time.
    pub fn look(&mut self, now: Instant) {
        if self.looks.at.is_none_or(|at| now < at) {
            return;
        }
        let mut keys = std::mem::take(&mut self.looks.keys);
        let mut next = None;
        keys.retain(|&(key, since)| {
            let again = self.look_at(key, since, now) == Look::Out;
            if let Some(peer) = self.conns.get_mut(key) {
                peer.to_look = again;
            }
            if again && !self.has_stayed(key, now) {
                next = [next, self.moment_over(key)].into_iter().flatten().min();
            }
            again
        });
        debug_assert!(self.looks.keys.is_empty(), "a look asks for no other");
        self.looks.keys = keys;
        self.looks.at = match self.looks.keys.is_empty() {
            true => None,
            false => {
                let regular = now + self.looks.pause;
                Some(next.map_or(regular, |next| regular.min(next)))
            }
        };
        // A trial is short; a slow reader may take its time.
        let farthest = match self.room.is_on_trial() {
            true => FARTHEST,
            false => SLOWEST,
        };
        self.looks.pause = (self.looks.pause * 2).min(farthest);
    }

    fn look_at(&mut self, key: usize, since: Instant, now: Instant) -> Look {
        let (on_trial, awaits_promise) = (self.room.is_on_trial(), self.awaits_promise(key));
        let (says_no_more, lingers) = (self.says_no_more, self.lingers);
        let Some(presence) = self.room.member(key).map(Member::presence) else {
            return Look::Settled;
        };
        let was_heard = self.room.has_acknowledged(key);
        let has_stayed = self.has_stayed(key, now);
        let Some(peer) = self.member_mut(key) else {
            return Look::Settled;
        };
        let wants_proof = match presence {
            Presence::Here | Presence::Listener => awaits_promise,
            Presence::Unconfirmed => true,
            Presence::Gone => return Look::Settled,
        };
        let wants_hearing = on_trial && !was_heard;
        // The hub waits for the acknowledgement of a peer's last bytes if the peer has ended its
        // side, and with `--send-only` in any case.
        let is_over = peer.conn.is_shut() && peer.conn.has_ended();
        let is_closing = is_over || (says_no_more && lingers);
        if !wants_proof && !wants_hearing && !is_closing {
            return Look::Settled;
        }
        let (heard, proven, is_out) = match peer.conn.tcp_info() {
            Some(info) => (
                info.acknowledged > peer.ledger().preamble,
                info.acknowledged > peer.ledger().unproven,
                info.unacknowledged() > 0,
            ),
            None if peer.conn.tells_hang_up() => (true, true, false),
            None => {
                let silent = now >= since + SILENCE;
                (silent, silent, !silent)
            }
        };
        if heard && wants_hearing && has_stayed {
            self.room.heard_by(key);
        }
        if proven && wants_proof {
            self.confirm(key, now);
        } else if on_trial {
            self.note_hearing(key, now);
        }
        if is_over && !is_out {
            self.leave_acknowledged(key);
        }
        let waits = is_closing || (wants_proof && !proven) || (wants_hearing && !heard);
        let is_early = (wants_proof && proven) || (wants_hearing && heard);
        match (is_out && waits) || (is_early && !has_stayed) {
            true => Look::Out,
            false => Look::Settled,
        }
    }

    /// When a peer's first [`MOMENT`] is over.
    fn moment_over(&self, key: usize) -> Option<Instant> {
        let member = self.room.member(key);
        member.map(|member| member.account.since + MOMENT)
    }

    /// Whether a peer is no port check, so that what it acknowledged is read: it has been here for a
    /// [`MOMENT`], or has said something, or agreed on a protocol before it joined.
    fn has_stayed(&self, key: usize, now: Instant) -> bool {
        let member = self.room.member(key);
        let has_said = member.is_some_and(|member| member.account.received() > 0);
        let has_agreed = || self.member(key).is_some_and(|peer| !peer.conn.is_wire());
        let is_over = || self.moment_over(key).is_some_and(|over| over <= now);
        has_said || has_agreed() || is_over()
    }

    /// Looks whether a peer acknowledged anything that is read.
    fn note_hearing(&mut self, key: usize, now: Instant) {
        let Some(peer) = self.member(key) else {
            return;
        };
        let Some(info) = peer.conn.tcp_info() else {
            return;
        };
        if info.acknowledged <= peer.ledger().preamble || !self.has_stayed(key, now) {
            return;
        }
        let is_all = info.acknowledged >= peer.ledger().unproven;
        self.room.heard_by(key);
        if is_all && !self.is_here(key) {
            self.room.heard_to_its_end(key);
        }
    }

    /// A peer is proven to be there.
    fn confirm(&mut self, key: usize, now: Instant) {
        self.room.confirm(key);
        if self.has_stayed(key, now) {
            self.room.heard_by(key);
            if self.promises {
                self.promise_to(key);
            }
        }
    }

    /// Looks, before a newcomer is handed the kept bytes or the rest of a line, whether a member
    /// heard them already. In a transfer every receiver is handed all of it anyway.
    pub fn settle_trial(&mut self, now: Instant) {
        if self.room.may_be_heard() && !self.room.is_whole() {
            let keys: Vec<usize> = self.member_keys().collect();
            for key in keys {
                self.note_proof(key, now);
                if !self.room.may_be_heard() {
                    return;
                }
            }
        }
    }

    /// The last look at a peer that leaves: a program read what it acknowledged since the last
    /// look.
    pub(super) fn note_proof(&mut self, key: usize, now: Instant) {
        if !self.room.is_on_trial() || !self.has_place(key) {
            return;
        }
        if self.room.is_unconfirmed(key) && self.member(key).is_some_and(Peer::is_proven) {
            self.confirm(key, now);
        }
        self.note_hearing(key, now);
    }

    /// The peer that ended its side first of those that are not proven to be there; with an address, of
    /// those of that.
    pub(super) fn first_unconfirmed(&self, ip: Option<IpAddr>) -> Option<usize> {
        let suits = |key: &usize| {
            let peer = self.conns.get(*key);
            peer.is_some_and(|peer| !peer.leaving && peer.is_from(ip) && !peer.is_proven())
        };
        self.room.unconfirmed().find(suits)
    }

    /// The peer of which an event first told that it ended its side or broke, of those that are not read to
    /// that yet: until then they cannot prove to be there. With an address, of those of that.
    pub(super) fn first_unread(&self, ip: Option<IpAddr>) -> Option<usize> {
        let suits = |key: &usize| {
            let peer = self.conns.get(*key);
            peer.is_some_and(|peer| !peer.leaving && peer.is_from(ip)) && self.is_here(*key)
        };
        self.exits.closing.iter().copied().find(suits)
    }
}
