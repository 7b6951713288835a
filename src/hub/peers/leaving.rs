//! How a peer leaves, why, and what it did not get.
//!
//! It promises: a peer leaves in [`Peers::reap`] and nowhere else, and no queue has its key after
//! that; however many leave together, no more of their unfinished lines is passed on in a turn than
//! would be read; of a member that was promised something and did not get it, the number of bytes
//! is remembered.

#[cfg(test)]
mod tests;

use std::fmt;
use std::fmt::Display;
use std::io;
use std::io::ErrorKind;
use std::time::Duration;
use std::time::Instant;

use super::Peer;
use super::Peers;
use super::Stage;
use super::explaining::label;
use super::peer::Ledger;
use super::shortfall::Receiver;
use super::shortfall::Settled;
use super::shortfall::Unsaid;
use crate::engine::admit::Hosts;
use crate::engine::aside::Aside;
use crate::engine::dead_peer;
use crate::engine::idle::Idle;
use crate::engine::journal::SEGMENT;
use crate::engine::record::Leaving;
use crate::engine::record::Who;
use crate::engine::room::Overdue;
use crate::engine::room::Presence;
use crate::hub::news::Topic;
use crate::io::device::Device;
use crate::io::error::why;
use crate::io::stream::Stream;
use crate::io::stream::Unread;
use crate::io::tcp_info::TcpInfo;

/// Why a peer left.
#[derive(Debug)]
pub enum DisconnectReason {
    /// It closed its connection.
    Closed,
    /// Its connection broke.
    Broke(io::Error),
    /// It held the others up and took nothing for too long.
    Stalled,
    /// It was too slow for the conversation of the others.
    Slow,
    /// It fell too far behind.
    Behind,
    /// Nothing was sent to it or received from it for too long.
    Idle,
    /// The operator wanted it, and why.
    Kicked(String),
    /// It is here again, over another connection.
    Returned,
}

/// What a peer lacks that leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lack {
    /// Bytes that it was still owed.
    owed: u64,
    /// Bytes that it has not acknowledged of what it was promised.
    missing: Option<u64>,
}

impl DisconnectReason {
    /// The same in a word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            DisconnectReason::Closed => "closed",
            DisconnectReason::Broke(_) => "broke",
            DisconnectReason::Stalled => "stalled",
            DisconnectReason::Slow => "slow",
            DisconnectReason::Behind => "behind",
            DisconnectReason::Idle => "idle",
            DisconnectReason::Kicked(_) => "kicked",
            DisconnectReason::Returned => "returned",
        }
    }
}

impl Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DisconnectReason::Closed => f.write_str("closed"),
            DisconnectReason::Broke(error) => f.write_str(&why(error)),
            DisconnectReason::Stalled => f.write_str("cut off: took nothing"),
            DisconnectReason::Slow => f.write_str("cut off: too slow for the others"),
            DisconnectReason::Behind => f.write_str("cut off: too far behind"),
            DisconnectReason::Idle => f.write_str("cut off: idle"),
            DisconnectReason::Kicked(reason) if reason.is_empty() => {
                f.write_str("cut off by the operator")
            }
            DisconnectReason::Kicked(reason) => write!(f, "cut off by the operator: {reason}"),
            DisconnectReason::Returned => f.write_str("returned over another connection"),
        }
    }
}

impl From<io::Error> for DisconnectReason {
    /// Why a peer left whose connection fails so. It closed it if we write to one that ended its side
    /// before it was reset (`tcp_reset()` in Linux's net/ipv4/tcp_input.c): that is what the end of a
    /// program looks like to which something was said in that moment.
    fn from(error: io::Error) -> DisconnectReason {
        match error.kind() {
            ErrorKind::BrokenPipe => DisconnectReason::Closed,
            _ => DisconnectReason::Broke(error),
        }
    }
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// All that was said, and no more will be, is promised to the members that are there: those
    /// that do not get it are remembered.
    pub fn promise(&mut self) {
        self.says_no_more = true;
        self.promise_to_those_here();
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
        }
    }

    /// The same to the members that are proven to be there, and to those in the room that turn out
    /// to be.
    pub fn promise_to_proven(&mut self, now: Instant) {
        self.promises = true;
        let keys: Vec<usize> = self.member_keys().collect();
        for key in keys {
            match self.room.has_acknowledged(key) {
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
            peer.is_promised = true;
            if !peer.conn.is_shut() {
                // Should the hub be killed, it must not take a part for the whole, nor the whole for a part.
                let lacks = !self.says_no_more || self.room.owed(key) > 0;
                peer.conn
                    .break_on_close(lacks || peer.conn.has_pending_output());
            }
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

    /// The same to one. It holds also if the hub is killed.
    pub(super) fn break_off_to(&mut self, key: usize) {
        // Also to one that is leaving, which is closed at the end of the turn.
        if let Some(peer) = self.conns.get_mut(key)
            && !peer.conn.is_shut()
        {
            peer.is_broken_off = true;
            peer.conn.break_on_close(true);
        }
    }

    /// A member departs: it will not get what it has not got yet, nor what is said from now on.
    pub(super) fn note_shortfall(&mut self, key: usize) {
        let missing = self.missing(key);
        let peer = self.conns.get_mut(key);
        let was_promised = peer.is_some_and(|peer| std::mem::take(&mut peer.is_promised));
        if was_promised && let Some(who) = self.receiver(key) {
            self.shortfall.add(who, missing, self.said);
        }
    }

    /// How many of those it was made to did not get everything, as far as is known.
    pub fn short(&self) -> usize {
        self.shortfall.count(self.said)
    }

    /// How many of those are still here.
    pub fn promised_here(&self) -> usize {
        let conns = self.conns.iter();
        conns.filter(|(_, peer)| peer.is_promised).count()
    }

    /// Ends the account: members that are still here and have not got everything are counted too.
    pub fn settle(&mut self, unsaid: Unsaid) -> Settled {
        let keys: Vec<usize> = self.member_keys().collect();
        for key in keys {
            let missing = self.missing(key);
            if self.conns[key].is_promised
                && let Some(who) = self.receiver(key)
            {
                self.shortfall.add(who, missing, self.said);
            }
        }
        self.shortfall.settle(self.said, unsaid)
    }

    /// Bytes that a member has not acknowledged of what it is owed. Encrypted ones count as they are
    /// on the wire.
    fn missing(&self, key: usize) -> u64 {
        let Some(peer) = self.conns.get(key) else {
            return 0;
        };
        let Some(member) = self.room.member(key) else {
            return 0;
        };
        let unacknowledged = peer.conn.tcp_info().map_or(0, TcpInfo::unacknowledged);
        // Neither the room nor the kernel counts the bytes that a layer holds back.
        let pending = u64::from(peer.conn.has_pending_output());
        let sent = member.account.sent;
        let arrived = sent.saturating_sub(unacknowledged.max(pending));
        // Words of other members after the operator's last one were not promised; they come last.
        let end = peer.ledger().promised_until.unwrap_or(self.stream_end(key));
        end.saturating_sub(arrived)
    }

    /// How long a member's own stream is: what it took and is owed.
    fn stream_end(&self, key: usize) -> u64 {
        let sent = self.room.member(key).map(|member| member.account.sent);
        sent.map_or(0, |sent| sent + self.room.owed(key))
    }

    /// A member's number, name and address, as it is told.
    pub fn who(&self, key: usize) -> String {
        let receiver = self.receiver(key);
        receiver.map_or_else(String::new, |receiver| receiver.to_string())
    }

    fn receiver(&self, key: usize) -> Option<Receiver> {
        let (member, peer) = (self.room.member(key)?, self.conns.get(key)?);
        Some(Receiver::of(&member.account, peer.conn.addr()))
    }

    /// A peer takes no more: it will not get what it is owed now.
    pub(super) fn note_loss(&mut self, key: usize) {
        let owed = self.room.owed(key);
        if let Some(peer) = self.conns.get_mut(key) {
            peer.ledger_mut().lost += owed;
        }
    }

    /// Gives up peers that vanished: see [`dead_peer`].
    pub fn find_vanished(&mut self, now: Instant) {
        if self.checkup.is_none_or(|checkup| checkup > now) {
            return;
        }
        self.checkup = None;
        let mut vanished = Vec::new();
        for (key, peer) in &mut self.conns {
            if peer.has_departed() || !peer.is_member() {
                continue;
            }
            if peer.conn.has_vanished() {
                vanished.push(key);
            } else if peer.conn.is_watched() {
                self.checkup = Some(now + dead_peer::EVERY);
            }
        }
        for key in vanished {
            let error = io::Error::from(ErrorKind::TimedOut);
            self.depart(key, error.into(), now);
        }
    }

    /// Whether the hub withholds the operator's words until others have come: while it does, no
    /// member is idle. To be called when a member has come or left.
    pub fn withhold(&mut self, withholds: bool, now: Instant) {
        if std::mem::replace(&mut self.withholds, withholds) && !withholds {
            let keys: Vec<usize> = self.member_keys().collect();
            keys.into_iter().for_each(|key| self.touch(key, now));
        }
    }

    /// Lets all members go whose time is over.
    pub fn find_overdue(&mut self, now: Instant) {
        for key in self.room.laggards(now) {
            if self.took_much(key) {
                self.room.progressed(key, now);
            }
        }
        let mut overdue = std::mem::take(&mut self.overdue);
        self.room.overdue(now, &mut overdue);
        for (key, why) in overdue.drain(..) {
            let why = match why {
                Overdue::Stalled if self.took_much(key) => {
                    self.room.progressed(key, now);
                    continue;
                }
                Overdue::Stalled => DisconnectReason::Stalled,
                Overdue::Slow => DisconnectReason::Slow,
                Overdue::Behind => DisconnectReason::Behind,
            };
            self.queue_leave(key, why);
        }
        self.overdue = overdue;
        if self.withholds {
            return;
        }
        while let Some(key) = self.idle.as_mut().and_then(|idle| idle.expired(now)) {
            match self.is_spoken_to(key) || self.waits_for_us(key) || self.takes_something(key) {
                true => self.touch(key, now),
                // A peer that has ended its side says nothing more, and its last words are read
                // later.
                false if !self.is_here(key) => self.depart(key, DisconnectReason::Idle, now),
                false => self.queue_leave(key, DisconnectReason::Idle),
            }
        }
    }

    /// Whether something was said to a member in this turn that it is not handed yet.
    fn is_spoken_to(&self, key: usize) -> bool {
        let takes = |peer: &Peer<S>| peer.conn.is_writable() && !peer.takes_no_more();
        self.member(key).is_some_and(takes) && self.room.owed(key) > 0
    }

    /// Whether a member acknowledged some of what is out to it since that was last asked: a kernel that has much of
    /// it (megabytes, at a third of which it asks for more: tcp(7), `tcp_wmem`) takes nothing for as long as that lasts.
    fn takes_something(&mut self, key: usize) -> bool {
        self.took(key, 1, |ledger| &mut ledger.taken)
    }

    /// The same of as much as counts as progress where others wait for it.
    fn took_much(&mut self, key: usize) -> bool {
        self.took(key, SEGMENT as u64, |ledger| &mut ledger.freed)
    }

    /// Whether a member acknowledged so many bytes on the wire since that was last so, or its kernel last took some and
    /// no more: not if nothing is out, or the system does not tell.
    fn took(&mut self, key: usize, bytes: u64, before: fn(&mut Ledger) -> &mut u64) -> bool {
        let Some(peer) = self.member_mut(key) else {
            return false;
        };
        let info = peer.conn.tcp_info();
        let Some(info) = info.filter(|info| info.unacknowledged() > 0) else {
            return false;
        };
        let before = before(peer.ledger_mut());
        let took = info.acknowledged.saturating_sub(*before) >= bytes;
        if took {
            *before = info.acknowledged;
        }
        took
    }

    /// Whether the delay is the hub's and not the member's: its bytes are not read for a reason
    /// that is not its own, or the words for it are not said for the sake of others.
    fn waits_for_us(&self, key: usize) -> bool {
        let Some(peer) = self.member(key) else {
            return false;
        };
        let may_say_more = peer.is_unread() && self.is_here(key);
        let is_unread = may_say_more && !self.room.holds_itself_up(key);
        is_unread || (self.room.is_held() && self.room.owed(key) == 0)
    }

    /// Whether a peer that leaves can be taken out: there is room for what it holds of a line.
    pub(super) fn may_leave(&self, key: usize) -> bool {
        let is_spent = self.records.as_ref().is_some_and(|r| r.is_spent());
        !self.room.holds_much(key) || (self.room.accepts_input() && !is_spent)
    }

    /// The operator sends a member away, which is told so, and why: by a last line, or by the word
    /// that its protocol has for that.
    pub fn kick(&mut self, key: usize, reason: String, now: Instant) {
        let peer = self.conns.get_mut(key);
        let has_word = peer.is_some_and(|peer| peer.conn.beside().is_some());
        if !has_word {
            self.room.tell_kicked(key, &reason);
        }
        // It can read what it takes of that now; after this turn it is not in the room any more.
        self.flush_one(key, now);
        self.queue_leave(key, DisconnectReason::Kicked(reason));
    }

    /// The same to all from some addresses. Returns how many they are.
    pub(in crate::hub) fn kick_from(&mut self, hosts: &Hosts, reason: &str, now: Instant) -> usize {
        let is_from = |key: &usize| {
            let ip = self.member(*key).and_then(|peer| peer.conn.addr().ip());
            ip.is_some_and(|ip| hosts.has(ip))
        };
        let keys: Vec<usize> = self.member_keys().filter(is_from).collect();
        for &key in &keys {
            self.kick(key, reason.into(), now);
        }
        keys.len()
    }

    /// The only place where a peer is taken out. Returns whether one was.
    pub fn reap(&mut self, now: Instant) -> bool {
        let (leaving, mut pressed) = self.exits.take();
        if leaving.is_empty() {
            self.check();
            return false;
        }
        // Keys are reused: the key of a peer that is gone must not be in a queue.
        let conns = &self.conns;
        let stays = |key: &usize| conns.get(*key).is_some_and(|peer| !peer.leaving);
        self.speakers.retain(stays);
        self.owed.retain(stays);
        self.exits.closing.retain(stays);
        self.exits.speaking.retain(stays);
        self.looks.retain(stays);
        // Acknowledgements before they leave count.
        self.settle_trial(now);
        let was_on_trial = self.room.is_on_trial();
        // A peer that may have to wait has no place meanwhile.
        for (key, _) in &leaving {
            if self.room.holds_much(*key) {
                self.lose_place(*key, now);
            }
        }
        let mut held_back = Vec::new();
        let all = leaving.len();
        // What is said because others leave with it, it will not read, but does not lack.
        let lacks: Vec<Lack> = leaving.iter().map(|(key, _)| self.lack(*key)).collect();
        for ((key, why), lack) in leaving.into_iter().zip(lacks) {
            if !self.may_leave(key) {
                if pressed == 0 {
                    held_back.push((key, why));
                    continue;
                }
                pressed -= 1;
            }
            self.take_out(key, lack, why, now);
        }
        let are_gone = held_back.len() < all;
        self.exits.hold_back(held_back);
        if !was_on_trial && self.room.is_on_trial() {
            self.look_at_all(now);
        }
        self.check();
        if !self.room.has_speakers() {
            self.close_all_over(now);
        }
        are_gone
    }

    /// What a peer lacks that leaves now.
    pub(super) fn lack(&self, key: usize) -> Lack {
        let is_promised = self.conns.get(key).is_some_and(|peer| peer.is_promised);
        Lack {
            owed: self.room.member(key).map_or(0, |_| self.room.owed(key)),
            missing: is_promised.then(|| self.missing(key)),
        }
    }

    fn take_out(&mut self, key: usize, lack: Lack, why: DisconnectReason, now: Instant) {
        let is_kicked = matches!(why, DisconnectReason::Kicked(_));
        let who = self.who(key);
        let Some(mut peer) = self.take_member_out(key, lack, why, now) else {
            return;
        };
        if self.lingers(&mut peer, is_kicked, lack) {
            if !peer.conn.breaks_on_close() {
                peer.conn.shutdown();
            }
            // A program that reads on after an end (nc does) knows by the reset that it is over.
            peer.conn.break_on_close(true);
            let again = self.conns.insert(Peer::new(peer.conn));
            debug_assert_eq!(again, key, "events come with the key that it had");
            self.let_read_why(again, now);
            self.lingering.tell_of(again, who);
        }
    }

    /// Whether a member that is taken out has time to read why.
    fn lingers(&self, peer: &mut Peer<S>, is_kicked: bool, lack: Lack) -> bool {
        let is_told = is_kicked || peer.conn.beside().is_some_and(|b| b.has_told_why());
        // A peer that lingers is not cut short here: after this step no peer may be left that
        // leaves.
        is_told && lack.owed == 0 && self.lingering.has_room()
    }

    /// Takes a connection out, and its member, if it is one, out of the room. Returns it in that case.
    pub(super) fn take_member_out(
        &mut self,
        key: usize,
        lack: Lack,
        why: DisconnectReason,
        now: Instant,
    ) -> Option<Peer<S>> {
        let mut peer = self.conns.try_remove(key)?;
        if peer.stage != Stage::Member {
            self.lingering.forget(key);
            let addr = peer.conn.addr().to_string();
            self.tell_last_explained(key, &addr, &mut peer, now);
            return None;
        }
        self.leave(key, &mut peer, lack, why, now);
        Some(peer)
    }

    fn leave(
        &mut self,
        key: usize,
        peer: &mut Peer<S>,
        lack: Lack,
        why: DisconnectReason,
        now: Instant,
    ) {
        let Some(left) = self.room.leave(key, now) else {
            return;
        };
        if let Some(visitors) = &mut self.visitors {
            let lost = left.lost.filter(|_| peer.is_lost(&why));
            visitors.left(key, lost, left.account.received(), now);
        }
        self.record_lines(Some(peer.conn.addr()));
        // It did not get what it was owed when it lost its place.
        let owed = lack.owed + peer.ledger().lost;
        peer.tell_why(&why);
        peer.close_truthfully(owed, !self.says_no_more);
        // What its kernel was not sent, or did not acknowledge, is lost with a connection that is reset. (Where it
        // lingers, that is told behind it.)
        let leaves_by_itself = matches!(
            why,
            DisconnectReason::Closed | DisconnectReason::Broke(_) | DisconnectReason::Returned
        );
        let is_kicked = matches!(why, DisconnectReason::Kicked(_));
        let is_reset = peer.conn.breaks_on_close() || peer.is_unread();
        let lingers = self.lingers(peer, is_kicked, lack);
        let underway = match leaves_by_itself {
            true => 0,
            false => peer.conn.tcp_info().map_or(0, TcpInfo::unacknowledged),
        };
        let underway = underway.min(left.account.sent);
        let owed = match is_reset && !lingers {
            true => owed + underway,
            false => owed,
        };
        if let Some(idle) = &mut self.idle {
            idle.remove(key);
        }
        // For a member that is gone this was counted when it departed.
        if left.presence != Presence::Gone
            && let (Some(headcount), Some(ip)) = (&mut self.headcount, peer.conn.addr().ip())
        {
            headcount.left(ip);
        }
        let account = &left.account;
        self.received += account.received();
        let receiver = Receiver::of(account, peer.conn.addr());
        let who = receiver.to_string();
        self.tell_last_explained(key, &label(account), peer, now);
        // It lacks what is said after it left as well.
        if let Some(missing) = lack.missing {
            self.shortfall.add(receiver, missing, self.said);
        }
        self.tell_digest(key, &who, now);
        let traffic = format!(
            "after {:.1?}, {} bytes in, {} out, {} here",
            now.saturating_duration_since(account.since),
            account.received(),
            account.sent,
            self.room.here()
        );
        // The last words of a peer that leaves by itself were read first; where they are given up,
        // that is told.
        let waiting = peer.conn.unread();
        let unrepeated = peer.unrepeated(account.received() > 0, waiting);
        let left_unread = match why {
            // What it had said it says once more.
            DisconnectReason::Returned => Unread::NOTHING,
            _ => waiting.and(unrepeated),
        };
        let unread = match leaves_by_itself {
            true => unrepeated,
            false => left_unread,
        };
        let addr = peer.conn.addr();
        let leaving = Leaving {
            code: why.code(),
            words: &why.to_string(),
            received: account.received(),
            sent: account.sent - if is_reset || lingers { underway } else { 0 },
            unread: left_unread.bytes,
        };
        self.record(|records| records.left(Who::of(account, &addr), leaving));
        // How much it lacks of the whole is told at the end: one number for one loss.
        let loss = match lack.missing {
            Some(_) => String::from("what it lacks is told at the end"),
            None => format!("{owed} bytes were not delivered"),
        };
        let unread = match unread.bytes {
            0 => String::new(),
            bytes if unread.may_be_more => {
                format!(", at least {bytes} bytes it had said were not read")
            }
            bytes => format!(", {bytes} bytes it had said were not read"),
        };
        // Where that need not be so.
        let lacks = match (lack.missing, owed) {
            (Some(0), _) | (None, 0) => String::new(),
            _ => format!(", {loss}"),
        };
        let kind = match why {
            DisconnectReason::Idle if !lacks.is_empty() || !unread.is_empty() => Topic::CutOff,
            DisconnectReason::Closed
            | DisconnectReason::Broke(_)
            | DisconnectReason::Idle
            | DisconnectReason::Returned => Topic::Left,
            DisconnectReason::Stalled | DisconnectReason::Slow | DisconnectReason::Behind => {
                Topic::CutOff
            }
            DisconnectReason::Kicked(_) => Topic::Kicked,
        };
        let permit = match leaves_by_itself && unrepeated != Unread::NOTHING {
            true => self.news.ask_of(Topic::Unheard, unrepeated.bytes, now),
            false => self.news.ask(kind, now),
        };
        let Some(permit) = permit else {
            return;
        };
        let stall_timeout = self.room.policy().stall_timeout;
        match why {
            DisconnectReason::Closed if unread.is_empty() => {
                permit.say(format_args!("{who} left {traffic}"));
            }
            DisconnectReason::Closed => permit.say(format_args!("{who} left{unread}; {traffic}")),
            DisconnectReason::Broke(error) => {
                let why = self::why(&error);
                match unread.is_empty() {
                    true => permit.say(format_args!("{who} left ({why}) {traffic}")),
                    false => permit.say(format_args!("{who} left ({why}){unread}; {traffic}")),
                }
            }
            DisconnectReason::Returned => permit.say(format_args!(
                "{who} left, since it is back over another connection, {traffic}"
            )),
            DisconnectReason::Stalled => permit.say(format_args!(
                "{who} was cut off: it took nothing for {stall_timeout:?} while all waited for it, \
                 {loss}{unread}; {traffic}"
            )),
            DisconnectReason::Slow => permit.say(format_args!(
                "{who} was cut off: it was too slow for the others, who waited {stall_timeout:?} \
                 for it, {loss}{unread}; {traffic}"
            )),
            DisconnectReason::Idle => {
                let limit = self.idle.as_ref().map_or(Duration::ZERO, Idle::limit);
                permit.say(format_args!(
                    "{who} was disconnected: nothing was sent or received for {limit:?}{lacks}{unread}; {traffic}"
                ));
            }
            DisconnectReason::Kicked(reason) if reason.is_empty() => {
                permit.say(format_args!(
                    "{who} was cut off by you{lacks}{unread}; {traffic}"
                ));
            }
            DisconnectReason::Kicked(reason) => {
                permit.say(format_args!(
                    "{who} was cut off by you: {reason}{lacks}{unread}; {traffic}"
                ));
            }
            DisconnectReason::Behind => permit.say(format_args!(
                "{who} was cut off: it fell too far behind, {loss}{unread}; {traffic}"
            )),
        }
    }
}

impl<S: Stream> Peer<S> {
    /// Whether its connection was lost, though it did not want that, nor did we.
    fn is_lost(&mut self, why: &DisconnectReason) -> bool {
        let is_cut = match why {
            DisconnectReason::Closed | DisconnectReason::Broke(_) => !self.conn.has_hung_up(),
            DisconnectReason::Returned => true,
            _ => false,
        };
        is_cut
            && self
                .conn
                .beside()
                .is_some_and(|beside| !beside.has_told_why())
    }

    /// Tells it why it has to leave, where its protocol has a word for that.
    fn tell_why(&mut self, why: &DisconnectReason) {
        let aside = match why {
            DisconnectReason::Kicked(reason) => Aside::Kicked(reason),
            DisconnectReason::Idle => Aside::Ended("nothing was sent or received for too long"),
            DisconnectReason::Returned => Aside::Ended("it is back over another connection"),
            _ => return,
        };
        if let Some(beside) = self.conn.beside() {
            beside.say(&aside);
            // The error does not matter any more.
            let _ = self.conn.flush();
        }
    }
}
