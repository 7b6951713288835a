//! What the core did in a turn, held against the specification in the order in which it was done.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::fmt::Arguments;
use std::net::IpAddr;
use std::time::Duration;

use muxnc::engine::journal::SEGMENT;
use muxnc::engine::lines::MAX_LINE;
use muxnc::engine::room;
use muxnc::engine::room::HIGH_WATER;
use muxnc::engine::room::LOW_WATER;
use muxnc::engine::room::SlowPeer;
use muxnc::engine::room::TRIAL;
use muxnc::hub::accept::PATIENCE;

use super::hub::Hub;
use super::spec::Acked;
use super::spec::Member;
use super::spec::Presence;
use super::world::Did;
use super::world::Net;

/// Nobody is given up before it was silent for so long.
pub(super) const VANISHED: Duration = Duration::from_secs(80);

/// How often it is looked whether anybody vanished.
const CHECKUP: Duration = Duration::from_secs(20);

/// How often anybody is looked at in one turn, at most.
const LOOKS: u32 = 12;

/// What is known of a turn when it is over.
struct Turn {
    now: std::time::Instant,
    /// Who is in the room after it, and who of all was dropped in it.
    inside: BTreeSet<usize>,
    dropped: BTreeSet<usize>,
    /// Who is asked again whether there is a place, and until when, and who found none just now.
    waiting: Vec<Newcomer>,
    found_none: Vec<usize>,
    /// Who was let in.
    let_in: Vec<usize>,
    /// Who makes way for another and is closed when the turn is over.
    making_way: BTreeSet<usize>,
    /// Somebody needed a place, or a descriptor; and from where.
    is_crowded: bool,
    came: Vec<IpAddr>,
    /// Somebody came, and be it one that could not be served: before the first it was asked who reads.
    is_asked: bool,
    /// Who was dropped was seen to leave the room.
    has_reaped: bool,
    /// Ends and breaks that events told of were seen, of those who were not read.
    has_read: bool,
    /// Descriptors ran out: those who departed, or may be gone, are closed unheard.
    has_run_out: bool,
}

/// One that found no place, and is asked for again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newcomer {
    id: usize,
    /// Until when; in the turn after that it is for the last time.
    until: std::time::Instant,
    is_late: bool,
}

/// A place for a newcomer.
enum Place {
    Free,
    /// Of one that makes way.
    Of(usize),
    None,
}

impl Hub {
    pub(super) fn replay(&mut self) {
        let mut log = std::mem::take(&mut self.net.borrow_mut().log);
        let net = self.net.clone();
        let net = net.borrow();
        let mut turn = Turn {
            now: net.now,
            inside: self.inside(&net),
            dropped: BTreeSet::new(),
            is_crowded: !self.waiting.is_empty(),
            is_asked: !self.waiting.is_empty(),
            came: self
                .waiting
                .iter()
                .map(|newcomer| net.wires[newcomer.id].ip)
                .collect(),
            waiting: std::mem::take(&mut self.waiting),
            found_none: Vec::new(),
            let_in: Vec::new(),
            making_way: BTreeSet::new(),
            has_reaped: false,
            has_read: false,
            has_run_out: false,
        };
        let mut has_typed = false;
        for did in &log {
            match did {
                Did::Typed(bytes) => {
                    has_typed = true;
                    self.unsaid.extend(bytes);
                }
                Did::Dropped(id) => {
                    turn.dropped.insert(*id);
                    turn.is_asked |= net.wires[*id].key.is_none();
                }
                Did::Accepted(id) => {
                    (turn.is_crowded, turn.is_asked) = (true, true);
                    turn.came.push(net.wires[*id].ip);
                }
                Did::RanOut => {
                    self.has_run_out = true;
                    (turn.is_crowded, turn.is_asked, turn.has_run_out) = (true, true, true);
                }
                _ => {}
            }
        }
        self.spec.now = turn.now;
        let was_settled = self.is_settled(&net);
        let is_busy = log.iter().any(|did| {
            let is_told = matches!(
                did,
                Did::Typed(_) | Did::Heard(..) | Did::Handed(..) | Did::Shown(_)
            );
            !is_told
        });
        // Whoever found no place is asked again, then those are let in who wait at the door: before what the
        // operator typed is said.
        self.admit_waiting(&mut turn, &net);
        let is_arrival = |did: &Did| matches!(did, Did::Accepted(_) | Did::RanOut);
        let arrivals = log.iter().rposition(is_arrival).map_or(0, |at| at + 1);
        let later = log.split_off(arrivals);
        for did in log {
            self.replay_one(did, &mut turn, &net);
        }
        if has_typed {
            self.check_door(&net);
        }
        self.hear_operator(turn.is_asked, &net);
        let reads = self.reads(&later);
        for (at, did) in later.into_iter().enumerate() {
            if at == reads {
                self.judge(&mut turn, &net);
            }
            self.replay_one(did, &mut turn, &net);
        }
        self.judge(&mut turn, &net);
        if turn.has_run_out {
            // Who is let go for its descriptor may have to wait with its line, too.
            let waits = |id: &usize| self.waits_with_its_line(*id, &net);
            let waiting: Vec<usize> = self.spec.here.iter().copied().filter(waits).collect();
            self.leave_later.extend(waiting);
        }
        self.reap(&mut turn, &net);
        self.look(&turn, &net);
        for id in std::mem::take(&mut turn.found_none) {
            match turn.dropped.contains(&id) {
                true => assert!(
                    self.has_said_all || self.may_close(),
                    "{id} was not asked again"
                ),
                false => self.waiting.push(Newcomer {
                    id,
                    until: turn.now + PATIENCE,
                    is_late: false,
                }),
            }
        }
        let is_settled = was_settled && !is_busy && self.is_settled(&net);
        self.check_looks(is_settled, &net);
    }

    /// Whether nothing is to be learned of anybody: everybody is known to be there.
    fn is_settled(&self, net: &Net) -> bool {
        let is_known = |id: &usize| {
            let is_promised = !self.has_begun || self.promised.contains(id);
            self.spec.members[id].is_known() && is_promised
        };
        let goes_on = !self.has_said_all && !net.stdin.fails;
        goes_on && !self.spec.on_trial && self.spec.here.iter().all(is_known)
    }

    /// Nobody is asked too often what was acknowledged, and where nothing is to be learned only whether
    /// it vanished, and where everything waits for it eight times in a stall timeout; beside that once
    /// whenever the kernel took no more.
    fn check_looks(&mut self, is_settled: bool, net: &Net) {
        let since = self.settled.filter(|_| is_settled);
        let checks = since.map(|since| {
            let quiet = net.now - since;
            let stalls = quiet.as_nanos() / (self.terms.stall_timeout / 8).as_nanos();
            quiet.as_secs() / CHECKUP.as_secs() + stalls as u64
        });
        for id in &self.spec.here {
            let wire = &net.wires[*id];
            let looks = wire.looks.get().saturating_sub(wire.filled.get());
            // Of what was asked for before one more look may be due; of the first turn after it nothing is
            // counted. Who may be idle is asked for that.
            let most = match (checks, self.settled) {
                (Some(_), _) if self.terms.idle.is_some() => u32::MAX,
                (Some(checks), _) => 2 + checks as u32,
                (None, None) => LOOKS,
                (None, Some(_)) => u32::MAX,
            };
            assert!(looks <= most, "{id} was looked at {looks} times: {wire:?}");
            if since.is_none() {
                wire.looks.set(0);
                wire.filled.set(0);
            }
        }
        if since.is_none() {
            self.settled = is_settled.then_some(net.now);
        }
    }

    /// Who is in the room, by the connections that have their keys.
    fn inside(&self, net: &Net) -> BTreeSet<usize> {
        let wires = net.wires.iter().enumerate();
        wires
            .filter(|(_, wire)| !wire.dropped)
            .filter(|(_, wire)| {
                wire.key
                    .is_some_and(|key| self.core.room().member(key).is_some())
            })
            .map(|(id, _)| id)
            .collect()
    }

    /// Something was typed: who had connected before is in, or it is known why not.
    fn check_door(&self, net: &Net) {
        let mut at_the_door = self.at_the_door.iter();
        let waits = at_the_door.find(|id| net.backlog.contains(id));
        assert!(
            waits.is_none() || net.is_exhausted || !net.listens,
            "{waits:?} connected before something was typed, and does not hear it"
        );
    }

    /// The operator comes when those are in who came before.
    fn hear_operator(&mut self, is_asked: bool, net: &Net) {
        let count = (self.core.said() - self.said) as usize;
        assert!(count <= self.unsaid.len(), "more was said than was read");
        self.said += count as u64;
        let early = &self.ended_unread;
        self.spec.forget_heard(|id| acked(net, early, id));
        if is_asked {
            self.spec.settles_trial();
        }
        let before = self.spec.on_trial.then(|| self.spec.unheard());
        if count > 0 {
            assert!(
                !self.spec.placed().is_empty(),
                "something was said to nobody"
            );
            assert!(
                !self.are_all_leaving(net),
                "something was said to those who left"
            );
            let needed = self
                .terms
                .wait_for
                .filter(|_| !self.has_begun && !self.may_have_started);
            let here = self.spec.here.len();
            assert!(
                needed.is_none_or(|needed| here >= needed),
                "it began before all were here"
            );
            let bytes: Vec<u8> = self.unsaid.drain(..count).collect();
            self.spec.typed(&bytes);
        }
        if let Some(before) = before.filter(|_| !self.spec.chat) {
            let unheard = self.spec.unheard();
            assert!(
                unheard <= self.trial_limit() || unheard == before,
                "{unheard} bytes are out on trial"
            );
        }
        // The line that the end cuts off is not said to those who are leaving.
        let is_said = net.stdin.end_read && self.unsaid.is_empty() && !self.are_all_leaving(net);
        if is_said && !std::mem::replace(&mut self.has_said, true) {
            self.spec.typed_all();
        }
        self.breaks_off(net);
        if self.core.has_said_all() && !std::mem::replace(&mut self.has_said_all, true) {
            self.says_no_more(net);
        }
    }

    /// Whether an event told of everybody who is known to be here that it ended its side or broke.
    fn are_all_leaving(&self, net: &Net) -> bool {
        let here = self.spec.here.iter();
        let mut known = here.filter(|id| self.spec.members[id].is_known());
        let stays = |id: &usize| {
            let (wire, presence) = (&net.wires[*id], self.spec.members[id].presence);
            !wire.told_break && (presence == Presence::Listener || !wire.told_end)
        };
        self.spec.known() > 0 && !known.any(stays)
    }

    /// How much may be out on trial: where only whole lines are said, the last of them may be longer.
    fn trial_limit(&self) -> usize {
        match self.spec.relay {
            true => TRIAL + MAX_LINE,
            false => TRIAL,
        }
    }

    /// How many entries of the log come before the members have been read: what is handed over comes later,
    /// and who is heard after that is dropped.
    fn reads(&self, log: &[Did]) -> usize {
        let is_member = |id: &usize| self.spec.here.contains(id);
        let is_later = |did: &Did| match did {
            Did::Handed(id, _) | Did::Failed(id) => is_member(id),
            Did::Dropped(_) => true,
            _ => false,
        };
        let end = log.iter().position(is_later).unwrap_or(log.len());
        let is_read = |did: &Did| match did {
            Did::Heard(id, _) | Did::HeardEnd(id) => is_member(id),
            Did::Typed(_) => true,
            _ => false,
        };
        log[..end].iter().rposition(is_read).map_or(0, |at| at + 1)
    }

    /// Ends and breaks that events told of are acted on when all were read, of those who could not be.
    fn judge(&mut self, turn: &mut Turn, net: &Net) {
        if std::mem::replace(&mut turn.has_read, true) {
            return;
        }
        for id in self.spec.here.clone() {
            let wire = &net.wires[id];
            let (before, after) = (self.spec.members[&id].presence, self.presence(id, net));
            let has_left = wire.broken || (self.spec.chat && wire.told_end);
            let is_gone = after == Some(room::Presence::Gone) && !wire.write_failed;
            let has_ended = after.is_some_and(|after| after != room::Presence::Here);
            if is_gone && has_left && before != Presence::Gone {
                self.departs(id, net);
            } else if has_ended && wire.told_end && before == Presence::Here {
                self.ended_unread.insert(id, self.written[id]);
                let early = &self.ended_unread;
                self.spec.ends_unheard(id, |id| acked(net, early, id));
            }
        }
    }

    /// Whoever found no place is asked again, for a moment behind the last who found one.
    fn admit_waiting(&mut self, turn: &mut Turn, net: &Net) {
        let mut has_let_in = false;
        for mut newcomer in std::mem::take(&mut turn.waiting) {
            if self.lets_in(newcomer.id, turn, net) {
                has_let_in = true;
                continue;
            }
            self.check_refusal(newcomer.id, turn, net);
            if has_let_in {
                newcomer.until = turn.now + PATIENCE;
            } else if newcomer.is_late {
                continue;
            }
            // What events tell in the turn in which its time is over is known in the next.
            newcomer.is_late = newcomer.until <= turn.now;
            if !self.may_close() {
                self.waiting.push(newcomer);
            }
        }
    }

    /// Somebody asks for a place. Returns whether there was one.
    fn lets_in(&mut self, newcomer: usize, turn: &mut Turn, net: &Net) -> bool {
        let wire = &net.wires[newcomer];
        let stays = turn.inside.contains(&newcomer);
        let may_have_left = wire.is_over() || wire.write_failed;
        let may_have_left = may_have_left && turn.dropped.contains(&newcomer);
        // A number that was given to somebody who is gone may be another's, for whom there was a place.
        let left_at_once = || may_have_left && self.has_come_and_gone(turn, net);
        let place = match stays || left_at_once() {
            true => self.place_for(newcomer, turn, net),
            false => return false,
        };
        match place {
            Place::None => {
                assert!(!stays, "nobody made way for {newcomer}, or {:?}", self.rule);
                return false;
            }
            Place::Free => {}
            Place::Of(id) => self.makes_way(id, turn, net),
        }
        turn.let_in.push(newcomer);
        if !self.broken_off.is_empty() && self.spec.unheard() > 0 {
            self.broken_off.insert(newcomer);
        }
        let early = &self.ended_unread;
        self.spec
            .joins(newcomer, turn.now, |id| acked(net, early, id));
        if !stays && !wire.write_failed && !wire.was_read {
            // Another took its place at once, or descriptors ran out.
            self.departs(newcomer, net);
        }
        true
    }

    /// Which place a newcomer gets.
    fn place_for(&self, newcomer: usize, turn: &Turn, net: &Net) -> Place {
        let ip = net.wires[newcomer].ip;
        if !self.rule.lets_in(ip) {
            return Place::None;
        }
        let is_left = |id: &usize| !turn.making_way.contains(id);
        let placed: Vec<usize> = self.spec.placed().into_iter().filter(is_left).collect();
        let is_of_host = |id: &usize| net.wires[*id].ip == ip;
        let is_full = |most: Option<usize>, count: usize| most.is_some_and(|most| count >= most);
        let of_host = placed.iter().copied().filter(is_of_host).count();
        let among: Vec<usize> = match is_full(self.terms.max_per_host, of_host) {
            true => placed.into_iter().filter(is_of_host).collect(),
            false if is_full(self.terms.max, placed.len()) => placed,
            false => return Place::Free,
        };
        let has_gone = |id: &usize| {
            let is_gone = self.presence(*id, net) == Some(room::Presence::Gone);
            is_gone || turn.dropped.contains(id)
        };
        // Who may be gone comes before those whose end was not read, of which one was told first.
        let rank = |id: &usize| {
            let wire = &net.wires[*id];
            match self.spec.members[id].presence {
                Presence::Unconfirmed if acked(net, &self.ended_unread, *id).is_proven => None,
                Presence::Unconfirmed => Some(0),
                Presence::Here if wire.told_end || wire.told_break => {
                    // Of one that was just let in it was told before.
                    Some(match turn.let_in.contains(id) {
                        true => usize::MAX,
                        false => wire.told_after,
                    })
                }
                _ => None,
            }
        };
        let gone = among.into_iter().filter(has_gone);
        let ranked = gone.filter_map(|id| rank(&id).map(|rank| (rank, id)));
        ranked.min().map_or(Place::None, |(_, id)| Place::Of(id))
    }

    /// One gives its place to a newcomer.
    fn makes_way(&mut self, id: usize, turn: &mut Turn, net: &Net) {
        match turn.dropped.contains(&id) && !net.wires[id].was_read {
            true => drop(turn.making_way.insert(id)),
            false => {
                self.check_departed(id, turn, net);
                self.departs(id, net);
            }
        }
    }

    /// Whether the next number was given to somebody who is not here any more.
    fn has_come_and_gone(&self, turn: &Turn, net: &Net) -> bool {
        let room = self.core.room();
        let numbers = turn.inside.iter().filter_map(|id| {
            let member = room.member(net.wires[*id].key?)?;
            (!self.spec.members.contains_key(id)).then_some(member.account.number)
        });
        numbers.min().unwrap_or(room.joined() + 1) > self.spec.joined + 1
    }

    /// Whether one that leaves holds much of a line, so that it may wait until there is room for that.
    fn waits_with_its_line(&self, id: usize, net: &Net) -> bool {
        let key = net.wires[id].key;
        key.is_some_and(|key| self.core.room().holds_much(key))
    }

    /// What the core knows of one that is in its room after the turn.
    fn presence(&self, id: usize, net: &Net) -> Option<room::Presence> {
        let wire = &net.wires[id];
        let key = wire.key.filter(|_| !wire.dropped)?;
        self.core.room().member(key).map(room::Member::presence)
    }

    fn departs(&mut self, id: usize, net: &Net) {
        if self.waits_with_its_line(id, net) {
            self.leave_later.insert(id);
        }
        let early = &self.ended_unread;
        self.spec.departs(id, |id| acked(net, early, id));
    }

    fn replay_one(&mut self, did: Did, turn: &mut Turn, net: &Net) {
        match did {
            Did::Typed(_) | Did::RanOut | Did::Judged(_) | Did::Replaced(_) => {}
            Did::Accepted(id) => {
                if !self.lets_in(id, turn, net) && self.rule.lets_in(net.wires[id].ip) {
                    turn.found_none.push(id);
                }
            }
            // Who is not let in is not heard.
            Did::Heard(id, _) | Did::HeardEnd(id) if !self.spec.here.contains(&id) => {}
            // It leaves at the end of the turn, and its unfinished line is passed on then.
            Did::HeardEnd(id) if self.spec.members[&id].presence == Presence::Gone => {}
            Did::Heard(id, bytes) => {
                self.spec.heard(id, &bytes);
                if let Some(answers) = &mut self.answers {
                    answers.heard(self.spec.members[&id].number, &bytes);
                }
            }
            Did::HeardEnd(id) => {
                // Who is given up as dead is not known to have ended.
                let is_dead = net.wires[id].is_silent_for(VANISHED, turn.now);
                if !(is_dead && turn.dropped.contains(&id)) {
                    let early = &self.ended_unread;
                    self.spec.ends(id, |id| acked(net, early, id));
                }
            }
            Did::Handed(id, bytes) if self.spec.members.contains_key(&id) => {
                let said = self.spec.said;
                let member = self.spec.member(id);
                expect(&mut member.owed, &bytes, format_args!("{id} is handed"));
                if member.owed.is_empty() {
                    member.caught_up = said;
                }
                self.delivered += bytes.len() as u64;
            }
            Did::Handed(id, bytes) => {
                let is_why = bytes.starts_with(&b"muxnc: "[..bytes.len().min(7)]);
                assert!(is_why, "{id} is handed {bytes:?}");
            }
            Did::Failed(id) => {
                if self.spec.here.contains(&id) {
                    self.departs(id, net);
                }
            }
            Did::Shut(id) => {
                if self.spec.members.contains_key(&id) {
                    let speaks = |id| self.spec.members[id].presence == Presence::Here;
                    let hears =
                        self.spec.relay && (!self.may_close() || self.spec.here.iter().any(speaks));
                    let is_over = net.wires[id].end_read && self.has_said_all && !hears;
                    let is_told = self.terms.half_close && self.is_finished();
                    assert!(is_over || is_told, "{id} was told the end");
                    let member = self.spec.member(id);
                    let owed = member.owed.len();
                    assert!(owed == 0, "{id} was ended with {owed} bytes owed to it");
                    self.spec.takes_no_more(id);
                }
            }
            // It could not be served.
            Did::Dropped(id) if net.wires[id].key.is_none() => {}
            Did::Dropped(id) => {
                self.reap(turn, net);
                self.note_dropped(id, turn, net);
                if self.spec.here.contains(&id) {
                    self.check_departure(id, turn, net);
                    self.check_close(id, net);
                    self.spec.leaves(id);
                    self.said_to.insert(id, self.said);
                }
            }
            Did::ClosedListener => {
                assert!(self.may_close(), "the listener was closed");
            }
            Did::Shown(bytes) => self.spec.expect_shown(&bytes),
            Did::FoundClosed => {
                self.spec.shows = false;
                self.spec.screen.clear();
            }
        }
    }

    /// Whether somebody was let go unheard for want of a descriptor, which may be closed in a later turn.
    fn note_dropped(&mut self, id: usize, turn: &Turn, net: &Net) {
        let Some(member) = self.spec.members.get(&id) else {
            return;
        };
        let is_unheard = !net.wires[id].up.is_empty();
        // One that is not known to have left may have been cut off for another reason.
        let had_left = member.presence == Presence::Gone;
        self.has_dropped |= is_unheard && had_left && turn.has_run_out;
        self.may_have_dropped |= is_unheard && self.has_run_out;
    }

    /// What is done in a turn before anybody leaves.
    fn reap(&mut self, turn: &mut Turn, net: &Net) {
        if std::mem::replace(&mut turn.has_reaped, true) {
            return;
        }
        self.spec.announce_due();
        if !turn.dropped.is_empty() {
            let early = &self.ended_unread;
            self.spec.forget_heard(|id| acked(net, early, id));
        }
        // Who was found to be there.
        for id in self.spec.here.clone() {
            let presence = self.presence(id, net);
            let is_there = presence == Some(room::Presence::Listener);
            let is_gone = presence == Some(room::Presence::Gone);
            if is_gone && self.spec.members[&id].presence != Presence::Gone {
                let wire = &net.wires[id];
                let has_left = wire.broken || wire.write_failed;
                match self.waits_with_its_line(id, net) {
                    true if has_left => {}
                    true => self.check_departure(id, turn, net),
                    false => self.check_departed(id, turn, net),
                }
                self.departs(id, net);
            }
            let member = self.spec.member(id);
            if is_there && member.presence == Presence::Unconfirmed {
                assert!(
                    acked(net, &self.ended_unread, id).is_proven,
                    "{id} is not proven to be there"
                );
                member.presence = Presence::Listener;
            }
            // That somebody reads it is known when it has stayed.
            let has_read = net.wires[id]
                .key
                .is_some_and(|key| self.core.room().has_acknowledged(key));
            if is_there && has_read && self.finished.is_some() {
                self.promised.insert(id);
            }
        }
    }

    /// What is so after a turn.
    fn look(&mut self, turn: &Turn, net: &Net) {
        let here: BTreeSet<usize> = self.spec.here.iter().copied().collect();
        assert_eq!(here, turn.inside, "who is in the room");
        let core_room = self.core.room();
        assert_eq!(core_room.here(), self.spec.known(), "how many are here");
        assert_eq!(
            core_room.places_taken(),
            self.spec.placed().len(),
            "how many places"
        );
        for &id in &here {
            if !turn.let_in.contains(&id) {
                self.check_noticed(id, net);
            }
        }
        for (key, member) in core_room.members() {
            let is_key = |wire: &super::wire::Wire| wire.key == Some(key) && !wire.dropped;
            let id = net.wires.iter().position(is_key).expect("a connection");
            let number = self.spec.members[&id].number;
            assert_eq!(member.account.number, number, "the number of {id}");
        }
        let was_on_trial = self.spec.on_trial;
        self.spec.on_trial = core_room.is_on_trial();
        if !self.spec.on_trial {
            // Who left in this turn may have been counted before.
            let heard = here.union(&turn.dropped).filter(|&&id| {
                let is_whole = self.spec.quorum.is_some();
                let member = self.spec.members.get(&id);
                let known = member.is_some_and(Member::is_known);
                let has_stayed = member.is_some_and(|member| member.has_stayed(turn.now));
                let counts = known || (is_whole && member.is_some());
                net.wires[id].acked > 0 && has_stayed && counts
            });
            let needed = self.spec.quorum.unwrap_or(1);
            let begun = self.has_begun;
            assert!(begun || heard.count() >= needed, "the trial ended too soon");
            self.spec.ends_trial();
        }
        if self.spec.quorum.is_some() && was_on_trial && !self.spec.on_trial {
            for &id in &here {
                let key = net.wires[id].key.expect("it joined");
                let is_gone = self.spec.members[&id].presence == Presence::Gone;
                if !is_gone && self.core.room().has_acknowledged(key) {
                    self.promised.insert(id);
                }
            }
            self.has_begun = true;
            let is_gone = |id: &&usize| self.spec.members[*id].presence == Presence::Gone;
            let left = turn.dropped.iter().chain(here.iter().filter(is_gone));
            let left = left.filter(|id| net.wires[**id].acked > 0);
            assert!(self.promised.len() + left.count() >= self.spec.quorum.unwrap_or(1));
        }
        let is_whole = self.spec.quorum.is_some();
        let has_begun = is_whole && !was_on_trial;
        assert!(
            !has_begun || !net.listens || self.terms.is_shared,
            "it has begun, and others may come"
        );
        self.has_started |= !is_whole && here.len() >= self.terms.wait_for.unwrap_or(0);
        // Who left in this turn was there when it was looked whether all are.
        let left = turn.dropped.iter();
        let left = left.filter(|id| self.spec.members.contains_key(id));
        let most = here.union(&left.copied().collect()).count();
        self.may_have_started |= most >= self.terms.wait_for.unwrap_or(0);
        let here = self.spec.placed();
        if let Some(max) = self.terms.max {
            assert!(here.len() <= max, "more are here than may be");
        }
        if let Some(max) = self.terms.max_per_host {
            for id in &here {
                let ip = net.wires[*id].ip;
                let of_host = here.iter().filter(|id| net.wires[**id].ip == ip);
                assert!(of_host.count() <= max, "more of one host than may be");
            }
        }
    }

    /// Somebody was not let in: was there no place?
    fn check_refusal(&self, newcomer: usize, turn: &Turn, net: &Net) {
        if self.has_said_all || self.has_begun || self.may_close() {
            return;
        }
        let ip = net.wires[newcomer].ip;
        if !self.rule.lets_in(ip) {
            return;
        }
        let here = &self.spec.placed();
        let of_host = here.iter().filter(|id| net.wires[**id].ip == ip);
        let of_host: Vec<usize> = of_host.copied().collect();
        let makes_way = |id: &usize| {
            let other = &net.wires[*id];
            let may_be_there = match self.spec.members[id].presence {
                Presence::Here => !net.wires[newcomer].over_before.contains(id) || other.is_untold,
                Presence::Unconfirmed => acked(net, &self.ended_unread, *id).is_proven,
                Presence::Listener | Presence::Gone => true,
            };
            // It made way already, for another.
            let is_gone = self.presence(*id, net) == Some(room::Presence::Gone);
            !may_be_there && !is_gone && !turn.dropped.contains(id)
        };
        let is_full = |max: Option<usize>, who: &[usize]| {
            max.is_some_and(|max| who.len() >= max && !who.iter().any(makes_way))
        };
        let was_full = is_full(self.terms.max, here) || is_full(self.terms.max_per_host, &of_host);
        assert!(was_full, "{newcomer} was refused for nothing");
    }

    /// An event told that one left, or may be gone, and it was not read in this turn: it is known.
    fn check_noticed(&self, id: usize, net: &Net) {
        let (wire, presence) = (&net.wires[id], self.presence(id, net));
        if wire.was_read {
            return;
        }
        let is_gone = presence == Some(room::Presence::Gone);
        let has_left = wire.told_break || (self.spec.chat && wire.told_end);
        assert!(is_gone || !has_left, "{id} left and has a place: {wire:?}");
        let is_here = presence == Some(room::Presence::Here);
        assert!(!(is_here && wire.told_end), "{id} may be gone: {wire:?}");
    }

    /// Somebody gave up its place and is still to be heard, though it did not leave: was that right?
    fn check_departed(&self, id: usize, turn: &Turn, net: &Net) {
        let (wire, member) = (&net.wires[id], &self.spec.members[&id]);
        let idle = self.is_idle(id, turn, net) && wire.told_end;
        // Who was just let in is not heard yet.
        let may_be_gone = match member.presence {
            Presence::Here => wire.told_end || wire.told_break,
            Presence::Unconfirmed => !acked(net, &self.ended_unread, id).is_proven,
            Presence::Listener | Presence::Gone => false,
        };
        let makes_way = may_be_gone && self.is_needed(id, turn, net);
        assert!(
            wire.vanished || idle || makes_way,
            "{id} departed for nothing: {wire:?}"
        );
        // What it had said may be heard in the same turn, and what it holds of a line may have to wait for room.
        let is_unheard = !wire.up.is_empty() || wire.was_read || self.waits_with_its_line(id, net);
        assert!(is_unheard, "{id} was heard to its end: {wire:?}");
    }

    /// Whether the place of one was wanted by whoever came, or its descriptor.
    fn is_needed(&self, id: usize, turn: &Turn, net: &Net) -> bool {
        let is_of_host = turn.came.contains(&net.wires[id].ip);
        let is_full = self.terms.max.is_some() || (self.terms.max_per_host.is_some() && is_of_host);
        turn.is_crowded && (turn.has_run_out || is_full)
    }

    /// Whether nothing was sent to one or received from it for too long, and that was not for the hub.
    fn is_idle(&self, id: usize, turn: &Turn, net: &Net) -> bool {
        let (wire, member) = (&net.wires[id], &self.spec.members[&id]);
        let flows = |limit| wire.acked < wire.written && turn.now - wire.progressed < limit;
        let is_over = |limit| turn.now - wire.active >= limit && !flows(limit);
        // Who has all that was said cannot be handed more while the sources wait for another, or for more
        // to come.
        let is_held = self.was_held && self.core.room().is_held();
        let is_kept_waiting = (member.owed.is_empty() && is_held) || self.awaited;
        self.terms.idle.is_some_and(is_over) && !is_kept_waiting
    }

    /// Somebody was closed: was that right?
    fn check_departure(&self, id: usize, turn: &Turn, net: &Net) {
        let (wire, member) = (&net.wires[id], &self.spec.members[&id]);
        let behind = self.spec.said - member.caught_up;
        let stall_timeout = self.terms.stall_timeout;
        let stalled = turn.now.checked_sub(stall_timeout).is_some_and(|since| {
            let enough = 2 * SEGMENT as u64;
            behind + SEGMENT as u64 >= LOW_WATER && wire.written_since(since) < enough
        });
        // Who makes a conversation wait for that long in all is too slow for it, whatever it takes.
        let is_slow = self.spec.relay
            && behind + SEGMENT as u64 >= LOW_WATER
            && turn.now - member.since >= stall_timeout;
        let too_far = self.mode.slow == SlowPeer::Disconnect && behind > HIGH_WATER;
        let vanished = wire.is_silent_for(VANISHED, turn.now);
        let idle = self.is_idle(id, turn, net);
        let may_be_gone =
            member.presence == Presence::Unconfirmed || (wire.told_end && !wire.end_read);
        let is_heard = wire.was_empty || wire.end_read || wire.up.is_empty();
        let makes_way = may_be_gone
            && self.is_needed(id, turn, net)
            && !acked(net, &self.ended_unread, id).is_proven;
        if member.presence == Presence::Gone {
            assert!(
                is_heard || wire.vanished || turn.has_run_out || self.leave_later.contains(&id),
                "{id} left unheard: {wire:?}"
            );
            return;
        }
        if stalled || is_slow || too_far || vanished || idle || makes_way {
            return;
        }
        let is_over = wire.shut && wire.acked == wire.written;
        let ended = match self.spec.chat {
            true => wire.end_read || wire.told_end,
            false => wire.end_read && is_over,
        };
        let waits_for_nothing = wire.end_read && self.has_said_all && self.broken_off.contains(&id);
        let over = wire.broken || wire.write_failed || ended || waits_for_nothing;
        assert!(over, "{id} was cut off for nothing: {wire:?}");
        // What it said before is heard first.
        assert!(is_heard || turn.has_run_out, "{id} left unheard: {wire:?}");
    }

    /// Nothing is said until more are here.
    pub(super) fn awaits_others(&self) -> bool {
        let has_started = self.may_have_started && self.spec.quorum.is_none();
        let has_begun = self.has_begun || has_started || self.has_said_all;
        let awaited = self.terms.wait_for.filter(|_| !has_begun);
        awaited.is_some_and(|all| self.spec.placed().len() < all)
    }
}

/// How much somebody acknowledged.
fn acked(net: &Net, ended_unread: &BTreeMap<usize, u64>, id: usize) -> Acked {
    let wire = &net.wires[id];
    let unread = ended_unread.get(&id).copied();
    let has_ended = wire.end_read || unread.is_some();
    let before = unread.unwrap_or(wire.written_before_end);
    Acked {
        count: wire.acked,
        is_proven: has_ended && wire.acked > before,
        is_to_its_end: has_ended && before > 0 && wire.acked >= before,
    }
}

/// Takes `bytes` from what should come next.
pub(super) fn expect(next: &mut VecDeque<u8>, bytes: &[u8], what: Arguments<'_>) {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let same = bytes.len() <= next.len() && next.iter().zip(bytes).all(|(a, b)| a == b);
    if !same {
        let mut pairs = next.iter().zip(bytes);
        let at = pairs.position(|(a, b)| a != b);
        let at = at.unwrap_or(next.len().min(bytes.len()));
        let from = at.saturating_sub(20);
        panic!(
            "{what} at {at} of {}\n {:?}\n instead of {}\n {:?}",
            bytes.len(),
            text(bytes.iter().skip(from).take(60).copied().collect()),
            next.len(),
            text(next.iter().skip(from).take(60).copied().collect()),
        );
    }
    next.drain(..bytes.len());
}
