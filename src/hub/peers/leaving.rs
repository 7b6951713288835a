//! How a peer leaves, why, and what it did not get.
//!
//! It promises: a peer leaves in [`Peers::reap`] and nowhere else, and no queue has its key after
//! that; however many leave together, no more of their unfinished lines is passed on in a turn than
//! would be read; what is lost with it is counted, recorded and told.

mod kick;
mod notice;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fmt::Display;
use std::io;
use std::io::ErrorKind;
use std::time::Duration;
use std::time::Instant;

pub use self::kick::Kick;
use self::notice::Limits;
use self::notice::Parting;
use self::notice::Traffic;
use super::Peer;
use super::Peers;
use super::Stage;
use super::explaining::label;
use super::peer::Goodbye;
use super::peer::Lack;
use super::reading::TURN;
use super::shortfall::Receiver;
use crate::engine::admit::Hosts;
use crate::engine::aside::Aside;
use crate::engine::aside::Farewell;
use crate::engine::idle::Idle;
use crate::engine::record::Leaving;
use crate::engine::record::Who;
use crate::engine::room::Account;
use crate::engine::room::Left;
use crate::engine::room::Presence;
use crate::hub::news::Topic;
use crate::io::device::Device;
use crate::io::error::why;
use crate::io::stream::Stream;
use crate::io::stream::Unread;

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
    /// An operator wanted it.
    Kicked(Kick),
    /// It is here again, over another connection.
    Returned,
}

/// A member that was taken out of the room and of the slab.
#[derive(Debug)]
pub(super) struct TakenOut<S> {
    pub(super) peer: Peer<S>,
    /// Bytes that it was owed and is not handed any more.
    owed: u64,
    /// Bytes on the wire before what tells it why.
    goodbye_from: u64,
    /// It has time to read why.
    lingers: bool,
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

impl DisconnectReason {
    /// Whether the peer left by itself.
    pub(super) fn is_its_own(&self) -> bool {
        matches!(
            self,
            DisconnectReason::Closed | DisconnectReason::Broke(_) | DisconnectReason::Returned
        )
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
            DisconnectReason::Kicked(kick) => write!(f, "cut off {}", kick.recorded()),
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
    /// A member's number, name and address, as it is told.
    pub fn who(&self, key: usize) -> String {
        let receiver = self.receiver(key);
        receiver.map_or_else(String::new, |receiver| receiver.to_string())
    }

    pub(super) fn receiver(&self, key: usize) -> Option<Receiver> {
        let (member, peer) = (self.room.member(key)?, self.conns.get(key)?);
        Some(Receiver::of(&member.account, peer.conn.addr()))
    }

    /// Whether a peer that leaves can be taken out: there is room for what it holds of a line.
    pub(super) fn may_leave(&self, key: usize) -> bool {
        let is_spent = self.records.as_ref().is_some_and(|r| r.is_spent());
        !self.room.holds_much(key) || (self.room.accepts_input() && !is_spent)
    }

    /// An operator sends a member away, which is told so, and why: by a last line, or by the word
    /// that its protocol has for that.
    pub fn kick(&mut self, key: usize, kick: Kick, now: Instant) {
        // It can read what it takes of all that now; after this turn it is not in the room any more.
        self.flush_one(key, now);
        let from = self.conns.get(key).map_or(0, Peer::written);
        let peer = self.conns.get_mut(key);
        if peer.is_some_and(|peer| peer.conn.beside().is_none()) {
            self.room.tell_kicked(key, &kick.told_to_it());
            self.flush_one(key, now);
        }
        // What others say in this turn is not for it any more, and it does not lack that.
        let (lack, heard) = (self.lack(key), self.heard_of(key));
        if let Some(peer) = self.conns.get_mut(key) {
            peer.send_away(Goodbye { from, lack, heard });
        }
        self.remember_why(key, &kick.told_to_it(), now);
        self.note_proof(key, now);
        let was_on_trial = self.room.is_on_trial();
        self.free_place(key, now);
        self.look_if_trial_began(was_on_trial, now);
        self.queue_leave(key, DisconnectReason::Kicked(kick));
    }

    /// The same to all from some addresses. Returns how many they are.
    pub(in crate::hub) fn kick_from(&mut self, hosts: &Hosts, kick: &Kick, now: Instant) -> usize {
        let is_from = |key: &usize| {
            let ip = self.member(*key).and_then(|peer| peer.conn.addr().ip());
            ip.is_some_and(|ip| hosts.has(ip))
        };
        let keys: Vec<usize> = self.member_keys().filter(is_from).collect();
        for &key in &keys {
            self.kick(key, kick.clone(), now);
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
        let mut passed_on = 0;
        let all = leaving.len();
        for (key, why) in leaving {
            let is_too_much = passed_on >= TURN && self.room.holds_much(key);
            if is_too_much || !self.may_leave(key) {
                if pressed == 0 {
                    held_back.push((key, why));
                    continue;
                }
                pressed -= 1;
            }
            passed_on += self.room.held(key);
            let lack = self.lack(key);
            self.take_out(key, lack, why, now);
        }
        let are_gone = held_back.len() < all;
        self.exits.hold_back(held_back);
        self.look_if_trial_began(was_on_trial, now);
        self.check();
        if !self.room.has_speakers() {
            self.close_all_over(now);
        }
        are_gone
    }

    /// What a peer lacks that leaves now, or was sent away before.
    pub(super) fn lack(&self, key: usize) -> Lack {
        let peer = self.conns.get(key);
        if let Some(goodbye) = peer.and_then(Peer::goodbye) {
            return goodbye.lack;
        }
        let is_promised = peer.is_some_and(|peer| peer.is_promised);
        Lack {
            owed: self.owed(key),
            missing: is_promised.then(|| self.missing(key)),
        }
    }

    /// How many bytes were heard of a member that leaves now, or was sent away before: over all its connections.
    pub(super) fn heard_of(&self, key: usize) -> u64 {
        if let Some(goodbye) = self.conns.get(key).and_then(Peer::goodbye) {
            return goodbye.heard;
        }
        let before = self.visitors.as_ref().map_or(0, |v| v.heard_before(key));
        let member = self.room.member(key);
        before + member.map_or(0, |member| member.account.received())
    }

    fn take_out(&mut self, key: usize, lack: Lack, why: DisconnectReason, now: Instant) {
        let who = self.who(key);
        let is_its_own = why.is_its_own();
        let Some(out) = self.take_member_out(key, lack, why, now) else {
            return;
        };
        if out.lingers {
            let again = self.conns.insert(Peer::new(out.peer.conn));
            debug_assert_eq!(again, key, "events come with the key that it had");
            self.let_read_why(again, now);
            if !is_its_own {
                self.lingering.tell_of(again, who, out.goodbye_from);
            }
        }
    }

    /// Takes a connection out, and its member, if it is one, out of the room. Returns it in that case.
    pub(super) fn take_member_out(
        &mut self,
        key: usize,
        lack: Lack,
        why: DisconnectReason,
        now: Instant,
    ) -> Option<TakenOut<S>> {
        // It lacks what is said after it left as well.
        if let Some(missing) = lack.missing {
            self.fall_short(key, missing);
        }
        let heard = self.heard_of(key);
        let mut peer = self.conns.try_remove(key)?;
        if peer.stage != Stage::Member {
            self.lingering.forget(key);
            let addr = peer.conn.addr().to_string();
            self.tell_last_explained(key, &addr, &mut peer, now);
            return None;
        }
        let Left {
            account,
            presence,
            lost,
        } = self.room.leave(key, now)?;
        let lost = Some(lost).filter(|_| !peer.conn.has_hung_up());
        let visitors = self.visitors.as_mut();
        let may_return = visitors.is_some_and(|v| v.left(key, lost, account.received(), now));
        self.record_lines(Some(peer.conn.addr()));
        let mut out = self.say_goodbye(peer, lack, heard, &why);
        self.uncount(key, &account, presence, &out.peer);
        let parting = self.part(key, &account, lack, why, &mut out, now);
        if !may_return {
            self.record(|records| records.gone(account.number));
        }
        self.tell_parting(&parting, now);
        Some(out)
    }

    /// Tells a member that is taken out why, as far as it can be told, and lets it read the truth.
    fn say_goodbye(
        &self,
        mut peer: Peer<S>,
        lack: Lack,
        heard: u64,
        why: &DisconnectReason,
    ) -> TakenOut<S> {
        // It did not get what it was owed when it lost its place.
        let owed = lack.owed + peer.ledger().lost;
        let goodbye = peer.goodbye();
        let goodbye_from = goodbye.map_or_else(|| peer.written(), |goodbye| goodbye.from);
        peer.tell_why(why, heard);
        let is_kicked = matches!(why, DisconnectReason::Kicked(_));
        let is_told = is_kicked || peer.conn.beside().is_some_and(|b| b.has_told_why());
        // A peer that lingers is not cut short here: after this step no peer may be left that
        // leaves.
        let lingers = is_told && lack.owed == 0 && self.lingering.has_room();
        let breaks = peer.breaks_truthfully(owed, !self.says_no_more);
        if !breaks && !lingers {
            peer.tell_end(heard);
        }
        TakenOut {
            owed,
            goodbye_from,
            lingers,
            peer,
        }
    }

    /// One that is not in the room any more counts nowhere else.
    fn uncount(&mut self, key: usize, account: &Account, presence: Presence, peer: &Peer<S>) {
        if let Some(idle) = &mut self.idle {
            idle.remove(key);
        }
        // For a member that is gone this was counted when it departed.
        if presence != Presence::Gone
            && let (Some(headcount), Some(ip)) = (&mut self.headcount, peer.conn.addr().ip())
        {
            headcount.left(ip);
        }
        self.received += account.received();
    }

    /// What becomes of a member that was taken out, in the account of the promises and in the records.
    fn part(
        &mut self,
        key: usize,
        account: &Account,
        lack: Lack,
        why: DisconnectReason,
        out: &mut TakenOut<S>,
        now: Instant,
    ) -> Parting {
        let peer = &mut out.peer;
        let addr = peer.conn.addr().clone();
        let who = Receiver::of(account, &addr).to_string();
        self.tell_last_explained(key, &label(account), peer, now);
        self.tell_digest(key, &who, now);
        // What its kernel was not sent, or did not acknowledge, is lost with a connection that is reset. (Where it
        // lingers, that is told behind it.)
        let is_reset = peer.conn.breaks_on_close() || peer.is_unread();
        let info = peer.conn.tcp_info().filter(|_| !why.is_its_own());
        let underway = info.map_or(0, |info| info.unacknowledged().min(account.sent));
        let unheard = info.map_or(0, |info| {
            out.goodbye_from
                .saturating_sub(info.acknowledged)
                .min(account.sent)
        });
        // The last words of a peer that leaves by itself were read first; where they are given up,
        // that is told. What one had said that is back it says once more.
        let waiting = peer.conn.unread();
        let unrepeated = peer.unrepeated(account.received() > 0, waiting);
        let unread = match why {
            DisconnectReason::Returned => Unread::NOTHING,
            _ => waiting.and(unrepeated),
        };
        let leaving = Leaving {
            code: why.code(),
            words: &why.to_string(),
            received: account.received(),
            sent: account.sent - if is_reset || out.lingers { underway } else { 0 },
            unread: unread.bytes,
        };
        self.record(|records| records.left(Who::of(account, &addr), leaving));
        Parting {
            who,
            undelivered: out.owed + if is_reset && !out.lingers { unheard } else { 0 },
            missing: lack.missing,
            unread: if why.is_its_own() { unrepeated } else { unread },
            traffic: Traffic {
                stayed: now.saturating_duration_since(account.since),
                received: account.received(),
                sent: account.sent,
                here: self.room.here(),
            },
            why,
        }
    }

    fn tell_parting(&mut self, parting: &Parting, now: Instant) {
        let permit = match parting.topic() {
            Topic::Unheard => self.news.ask_of(Topic::Unheard, parting.unread.bytes, now),
            topic => self.news.ask(topic, now),
        };
        if let Some(permit) = permit {
            let limits = Limits {
                stall: self.room.policy().stall_timeout,
                idle: self.idle.as_ref().map_or(Duration::ZERO, Idle::limit),
            };
            permit.say(format_args!("{}", parting.told(limits)));
        }
    }
}

impl<S: Stream> Peer<S> {
    /// Tells it why it has to leave, and how much was `heard` of it, where its protocol has a word for that.
    pub(super) fn tell_why(&mut self, why: &DisconnectReason, heard: u64) {
        let farewell = |reason| Farewell {
            reason: Some(reason),
            heard: Some(heard),
            hears: false,
        };
        match why {
            DisconnectReason::Kicked(kick) => {
                self.say_beside(&Aside::Kicked(farewell(&kick.told_to_it())));
            }
            DisconnectReason::Idle => {
                let reason = "nothing was sent or received for too long";
                self.say_beside(&Aside::Ended(farewell(reason)));
            }
            DisconnectReason::Returned => {
                let reason = "it is back over another connection";
                self.say_beside(&Aside::Ended(farewell(reason)));
            }
            _ => {}
        }
    }

    /// Tells it, before it is closed, that this is the end, where its protocol has a word for that and if its kernel takes
    /// it at once. Nothing is heard of it any more.
    pub(super) fn tell_end(&mut self, heard: u64) {
        self.tell_over(heard, false);
        self.conn.close_notify();
    }

    /// Tells it that the class is over, how much was `heard` of it, and whether the hub `hears` more; nothing, if it was
    /// told why else it has to leave.
    pub(super) fn tell_over(&mut self, heard: u64, hears: bool) {
        self.say_beside(&Aside::Over(Farewell {
            reason: None,
            heard: Some(heard),
            hears,
        }));
    }

    /// Tells it something, where its protocol has a place for that beside its stream.
    pub(super) fn say_beside(&mut self, aside: &Aside<'_>) {
        if let Some(beside) = self.conn.beside() {
            beside.say(aside);
            // The error does not matter any more.
            let _ = self.conn.flush();
        }
    }
}
