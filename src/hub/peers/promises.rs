//! Promises: what members are promised to get, whether they got it, and what each lacks.
//!
//! All that the operator says is promised to the members that are there when the last of it was said, and to
//! those that are proven to be there while a transfer is under way. What breaks off is promised to nobody: who
//! heard a part of it reads no end behind that.
//!
//! It promises: of a member that was promised something and did not get it, the number of bytes is
//! remembered, and stays true: what its kernel has not acknowledged by then is not sent any more, and it
//! reads a break.

#[cfg(test)]
mod tests;

use std::time::Instant;

use super::Peer;
use super::Peers;
use super::shortfall::Settled;
use super::shortfall::Unsaid;
use crate::io::device::Device;
use crate::io::stream::Stream;
use crate::io::tcp_info::TcpInfo;

impl<S: Stream, D: Device> Peers<S, D> {
    /// All that was said, and no more will be, is promised to the members that are there: those
    /// that do not get it are remembered.
    pub fn promise(&mut self) {
        self.said_all();
        self.promise_to_those_here();
    }

    /// All was said, and no more will be.
    pub(super) fn said_all(&mut self) {
        self.says_no_more = true;
        if self.room.is_whole() {
            let keys: Vec<usize> = self.member_keys().collect();
            keys.into_iter()
                .for_each(|key| self.break_while_it_lacks(key));
        }
    }

    fn promise_to_those_here(&mut self) {
        self.promises = true;
        let keys: Vec<usize> = self.member_keys().collect();
        for key in keys {
            let end = self.stream_end(key);
            // A member that ended its side since it was promised something perhaps has all of it
            // now.
            let mut is_promised = false;
            if let Some(peer) = self.conns.get_mut(key) {
                peer.ledger_mut().promised_until.get_or_insert(end);
                is_promised = peer.is_promised;
            }
            let member = self.room.member(key);
            if is_promised || member.is_some_and(|m| m.presence().is_here()) {
                self.promise_to(key);
            }
            self.note_given(key);
        }
    }

    /// Over a layer: how many bytes a member's kernel is still to be given of what was promised. What follows is written
    /// behind that, so that it is known how much of it is on the wire.
    pub(super) fn left_to_give(&self, key: usize) -> Option<u64> {
        let peer = self.conns.get(key).filter(|peer| !peer.conn.is_wire())?;
        let ledger = peer.ledger();
        let end = ledger.promised_until.filter(|_| ledger.given.is_none())?;
        let left = end.checked_sub(self.room.member(key)?.account.sent)?;
        (left > 0).then_some(left)
    }

    /// Takes note of how much is on the wire, if a layer is between, when a member's kernel was given all that was
    /// promised: what the layer writes behind that, the goodbye above all, is none of it.
    pub(super) fn note_given(&mut self, key: usize) {
        let Some(peer) = self.conns.get_mut(key).filter(|peer| !peer.conn.is_wire()) else {
            return;
        };
        let ledger = peer.ledger();
        let sent = self.room.member(key).map(|member| member.account.sent);
        let is_given = |end| sent.is_some_and(|sent| sent >= end);
        if ledger.given.is_none()
            && ledger.promised_until.is_some_and(is_given)
            && !peer.conn.has_pending_output()
            && let Some(info) = peer.conn.tcp_info()
        {
            peer.ledger_mut().given = Some(info.written);
        }
    }

    /// Whether a member has not acknowledged all that it was promised, of which its kernel has everything.
    pub fn awaits_acknowledgement(&self) -> bool {
        let is_out = |(key, peer): (usize, &Peer<S>)| {
            let sent = self
                .room
                .member(key)
                .map_or(0, |member| member.account.sent);
            let is_given = peer.ledger().promised_until.is_some_and(|end| sent >= end);
            peer.is_promised && is_given && !peer.conn.has_pending_output() && self.missing(key) > 0
        };
        self.conns.iter().any(is_out)
    }

    /// The same to the members that are proven to be there, and to those in the room that turn out
    /// to be. Of nothing there is no proof: it is promised to all that stay.
    pub fn promise_to_proven(&mut self, now: Instant) {
        self.promises = true;
        let is_nothing = self.says_no_more && self.said == 0;
        let keys: Vec<usize> = self.member_keys().collect();
        for key in keys {
            match is_nothing || self.room.has_acknowledged(key) {
                true => self.promise_to(key),
                false => self.look_soon(key, now),
            }
        }
    }

    /// Whether a member is promised what was and will be said as soon as it is proven to be there.
    pub(super) fn awaits_promise(&self, key: usize) -> bool {
        self.promises && self.member(key).is_some_and(|peer| !peer.is_promised)
    }

    /// The same to one, which may be leaving: then it is known that it does not get it.
    pub(super) fn promise_to(&mut self, key: usize) {
        if let Some(peer) = self.conns.get_mut(key)
            && peer.is_member()
            && !peer.has_departed()
        {
            if !std::mem::replace(&mut peer.is_promised, true) {
                self.receivers += 1;
            }
            self.break_while_it_lacks(key);
        }
    }

    /// Should the hub be killed, a member must not take a part for the whole, nor the whole for a part.
    fn break_while_it_lacks(&mut self, key: usize) {
        let (owed, more) = (self.room.owed(key), !self.says_no_more);
        if let Some(peer) = self.conns.get_mut(key)
            && !peer.conn.is_shut()
        {
            peer.breaks_truthfully(owed, more);
        }
    }

    /// The operator's words broke off in their midst: no member that heard some of them, or will hear
    /// those that nobody did, reads an end behind them.
    pub fn break_off(&mut self) {
        self.has_broken_off = true;
        let keys: Vec<usize> = self.member_keys().collect();
        keys.into_iter().for_each(|key| self.break_off_to(key));
    }

    /// The same, and what would have followed was promised to the members that are there: those are
    /// told of as members that did not get it.
    pub fn break_promise(&mut self) {
        self.promise_to_those_here();
        self.break_off();
    }

    /// A transfer is ended, perhaps before it began for good: it was promised to the members that are there. If not
    /// all of it was said, that promise is broken.
    pub fn promise_last(&mut self) {
        match self.says_no_more {
            true => self.promise_to_those_here(),
            false => self.break_promise(),
        }
    }

    /// The operator's words to one broke off. It holds also if the hub is killed.
    pub(super) fn break_off_to(&mut self, key: usize) {
        // Also to one that is leaving, which is closed at the end of the turn.
        if let Some(peer) = self.conns.get_mut(key)
            && !peer.conn.is_shut()
        {
            peer.break_off();
        }
    }

    /// A member departs: it will not get what it has not got yet, nor what is said from now on.
    pub(super) fn note_shortfall(&mut self, key: usize) {
        let missing = self.missing(key);
        let peer = self.conns.get_mut(key);
        if peer.is_some_and(|peer| std::mem::take(&mut peer.is_promised)) {
            self.fall_short(key, missing);
        }
    }

    /// A member gets no more of what it was promised, of which it has not acknowledged `missing` bytes. Those are told
    /// of as bytes that it did not get, so they must not come later: closing it breaks the connection.
    pub(super) fn fall_short(&mut self, key: usize, missing: u64) {
        if let Some(who) = self.receiver(key) {
            self.shortfall.add(who, missing, self.said);
        }
        if missing > 0
            && let Some(peer) = self.conns.get_mut(key)
        {
            peer.break_off();
        }
    }

    /// How many of those it was made to did not get everything, as far as is known.
    pub fn short(&self) -> usize {
        self.shortfall.count(self.said)
    }

    /// How many it was made to, those that left included.
    pub fn promised(&self) -> usize {
        self.receivers
    }

    /// How many of those are still here.
    pub fn promised_here(&self) -> usize {
        let conns = self.conns.iter();
        conns.filter(|(_, peer)| peer.is_promised).count()
    }

    /// Ends the account: members that are still here and have not got everything are counted too, and
    /// get no more.
    pub fn settle(&mut self, unsaid: Unsaid) -> Settled {
        let keys: Vec<usize> = self.member_keys().collect();
        for key in keys {
            if self.conns[key].is_promised {
                self.fall_short(key, self.missing(key));
            }
        }
        self.shortfall.settle(self.said, unsaid)
    }

    /// Bytes that a member has not acknowledged of what it was promised, or is owed. Those of a layer count as they
    /// are on the wire.
    pub(super) fn missing(&self, key: usize) -> u64 {
        let (Some(peer), Some(member)) = (self.conns.get(key), self.room.member(key)) else {
            return 0;
        };
        let (info, ledger) = (peer.conn.tcp_info(), peer.ledger());
        let sent = member.account.sent;
        // Words of other members after the operator's last one were not promised; they come last.
        let end = ledger.promised_until.unwrap_or(self.stream_end(key));
        if let (Some(given), Some(info)) = (ledger.given, info) {
            return given.saturating_sub(info.acknowledged).min(end);
        }
        let unacknowledged = info.map_or(0, TcpInfo::unacknowledged);
        // Neither the room nor the kernel counts the bytes that a layer holds back.
        let pending = u64::from(peer.conn.has_pending_output());
        let arrived = sent.saturating_sub(unacknowledged.max(pending));
        end.saturating_sub(arrived)
    }

    /// How long a member's own stream is: what it took and is owed.
    fn stream_end(&self, key: usize) -> u64 {
        let sent = self.room.member(key).map(|member| member.account.sent);
        sent.map_or(0, |sent| sent + self.owed(key))
    }

    /// Bytes that a member is owed, if it is one.
    pub(super) fn owed(&self, key: usize) -> u64 {
        let Some(peer) = self
            .conns
            .get(key)
            .filter(|_| self.room.member(key).is_some())
        else {
            return 0;
        };
        let owed = self.room.owed(key);
        peer.ledger().owed_last.map_or(owed, |last| owed.min(last))
    }

    /// A peer takes no more: it will not get what it is owed now.
    pub(super) fn note_loss(&mut self, key: usize) {
        let owed = self.owed(key);
        if let Some(peer) = self.conns.get_mut(key) {
            peer.ledger_mut().lost += owed;
        }
    }
}
