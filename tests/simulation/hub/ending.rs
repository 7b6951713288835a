//! The end of a schedule: everything still under way arrives, so that whatever was forgotten is
//! missed; and how the core may end, and when it has to.

use std::time::Duration;

use muxnc::client::Traffic;
use muxnc::engine::conversation::LAST_WORDS;
use muxnc::engine::journal::SEGMENT;
use muxnc::io::device::Kind;
use muxnc::status::Status;

use super::Hub;
use super::Member;
use super::Net;
use super::PUNCTUAL;
use super::Presence;
use super::Spec;
use super::UNDER_WAY;
use super::WAITS;
use super::Wire;

impl Hub {
    /// Lets everything arrive. Whoever sleeps may be waited for and cut off, but everybody else has
    /// everything then; and then those who slept have it too. At last things happen one by one, so
    /// that no other covers up for what is forgotten after it.
    pub(super) fn settle(&mut self) {
        for round in 0..8 {
            if self.exit.is_some() {
                return;
            }
            if round > 1 {
                self.happen();
            }
            if round > 0 {
                let wires = &mut self.net.borrow_mut().wires;
                wires.iter_mut().for_each(|wire| wire.sleeps = false);
            }
            self.run_until_quiet();
            if self.exit.is_none() {
                self.check_quiet();
                self.promise_to_proven();
            }
        }
    }

    /// After the end of the input, or when a transfer has begun, one may turn out to be there.
    fn promise_to_proven(&mut self) {
        let net = self.net.borrow();
        if !self.expects_nobody() {
            return;
        }
        for id in &self.spec.here {
            let (wire, member) = (&net.wires[*id], &self.spec.members[id]);
            let since_its_end = if wire.end_read {
                wire.written_before_end
            } else {
                0
            };
            if member.is_known() && !wire.vanished && wire.acked > since_its_end {
                self.promised.insert(*id);
            }
        }
    }

    fn check_quiet(&self) {
        let net = self.net.borrow();
        let Spec { here, members, .. } = &self.spec;
        // Before anything was said, those who are waited for may have been here or not.
        let may_wait = self.said == 0 && !self.has_said_all && self.terms.wait_for.is_some();
        let withholds = may_wait || self.awaits_others();
        let limit = self.terms.idle.filter(|_| !withholds);
        // Who still takes something of what is out is not.
        let takes = |id: &usize| net.wires[*id].written > net.wires[*id].acked;
        assert!(limit.is_none() || here.iter().all(takes), "idle");
        assert!(self.spec.screen.is_empty(), "not all was shown");
        let mut awake = 0;
        for id in here {
            let (wire, member) = (&net.wires[*id], &members[id]);
            if wire.sleeps {
                continue;
            }
            let owed = member.owed.len();
            assert_eq!(owed, 0, "{id} was not handed all: {wire:?}");
            assert!(wire.is_drained(), "{id} was not heard: {wire:?}");
            assert!(!wire.must_leave(), "{id} stays: {wire:?}");
            let proven = wire.end_read && wire.acked > wire.written_before_end;
            let unconfirmed = member.presence == Presence::Unconfirmed;
            assert!(!(unconfirmed && proven), "{id} is there: {wire:?}");
            awake += usize::from(!wire.vanished);
        }
        let unsaid = net.stdin.there.len() + self.unsaid.len();
        let waits = self
            .terms
            .wait_for
            .filter(|_| !self.has_begun && !self.has_started);
        let needed = waits.unwrap_or(1).max(self.spec.quorum.unwrap_or(1));
        let sleeping = here.iter().any(|id| net.wires[id.to_owned()].sleeps);
        assert!(
            unsaid == 0 || self.has_said_all || awake < needed || sleeping,
            "{unsaid} bytes are unsaid"
        );
        let is_typed = self.terms.stdin == Kind::Terminal;
        let is_heard = awake >= needed && !sleeping;
        // Where there is no console what waits is for whoever comes.
        let waits = unsaid > 0 || self.spec.unheard() > 0;
        let is_dropped = is_typed && !self.terms.keep_open && self.spec.placed().is_empty();
        let nobody_hears = is_dropped && !waits;
        let is_empty = self.said == 0 && unsaid == 0 && self.spec.quorum.is_none();
        let told = net.stdin.ended && (is_heard || nobody_hears || is_empty);
        assert!(!told || self.has_said_all, "the end was not told");
        for id in here {
            let (wire, member) = (&net.wires[*id], &members[id]);
            let stays = !wire.sleeps && member.presence != Presence::Gone;
            let is_told = wire.shut || !self.terms.half_close || self.finished.is_none();
            assert!(is_told || !stays, "{id} was not told the end: {wire:?}");
            let waits = wire.end_read && !wire.shut && stays;
            let is_silent =
                |presence| matches!(presence, Presence::Unconfirmed | Presence::Listener);
            let are_silent = here.iter().all(|id| is_silent(members[id].presence));
            let will_hear =
                !self.has_said_all || (self.spec.relay && !(are_silent && self.expects_nobody()));
            assert!(will_hear || !waits, "{id} waits for nothing: {wire:?}");
        }
        let lingers = self.lingers() && self.is_acknowledged();
        assert!(!lingers, "it waits although all was acknowledged");
        self.check_trial();
        self.check_read_ahead();
        here.iter().for_each(|id| self.check_close(*id, &net));
    }

    /// Whoever has acknowledged something is known to be there.
    fn check_trial(&self) {
        let net = self.net.borrow();
        let has_heard = |id: &usize| {
            let member = &self.spec.members[id];
            member.is_known() && !net.wires[*id].vanished && net.wires[*id].acked > 0
        };
        let heard = self.spec.here.iter().filter(|id| has_heard(id)).count();
        let needed = self.spec.quorum.unwrap_or(1);
        assert!(
            heard < needed || !self.core.room().is_on_trial(),
            "it is on trial, though {heard} heard something"
        );
    }

    /// What is not wanted yet is read ahead, so that an end is known.
    pub(super) fn check_read_ahead(&self) {
        let is_input = self.terms.traffic != Traffic::ReceiveOnly;
        let net = self.net.borrow();
        let stdin = &net.stdin;
        let here = self.spec.placed().len();
        let waits = |count| here < count && !self.has_begun && !self.has_started;
        let is_ahead = here == 0 || self.terms.wait_for.is_some_and(waits);
        let is_read = stdin.there.is_empty() && (stdin.end_read || !stdin.ended);
        assert!(
            !is_input || !is_ahead || is_read || !self.unsaid.is_empty() || stdin.fails,
            "stdin was not looked at"
        );
    }

    /// Whether nobody else will come.
    pub(crate) fn expects_nobody(&self) -> bool {
        self.finished.is_some() || self.has_begun
    }

    /// Whether the hub ends as soon as everybody has everything.
    fn lingers(&self) -> bool {
        self.terms.traffic == Traffic::SendOnly && self.finished.is_some()
    }

    /// What a member reads if it is closed now is the truth: that the connection broke, if it lacks what
    /// it was promised; else that it ended.
    pub(crate) fn check_close(&self, id: usize, net: &Net) {
        let (wire, member) = (&net.wires[id], &self.spec.members[&id]);
        if wire.broken || wire.write_failed || wire.vanished || member.presence == Presence::Gone {
            return;
        }
        let has_begun = self.spec.quorum.is_some() && !self.core.room().is_on_trial();
        // Of one whole nobody takes a part for it, whether it has begun for good or not.
        let is_whole = self.spec.quorum.is_some();
        let more = is_whole && (!self.has_said_all || net.stdin.fails);
        let owed = member.owed.len() as u64;
        let is_part = self.broken_off.contains(&id);
        // It is told of as lacking what it has not acknowledged, which must not come later.
        let is_promised = is_whole || self.promised.contains(&id);
        let is_short = is_promised && member.acked(wire.acked) < member.total;
        let may_break = ((more || owed > 0 || is_part) && !wire.shut) || is_short;
        assert!(may_break || !wire.breaks, "{id} breaks: {wire:?}");
        // What others say after the operator's last word is not promised.
        let lacks = (!self.has_said_all && has_begun || member.total - owed < member.last_word)
            && !wire.shut;
        let is_promised = (self.expects_nobody() || self.quits) && self.promised.contains(&id);
        assert!(wire.breaks || !lacks || !is_promised, "{id} ends: {wire:?}");
        let is_part = is_part || (is_whole && !self.has_said_all);
        assert!(
            wire.breaks || !is_part || wire.shut,
            "{id} takes a part for the whole: {wire:?}"
        );
    }

    /// The input ends, and everybody ends.
    pub(super) fn finish(&mut self) {
        if self.exit.is_some() {
            return;
        }
        {
            let net = &mut *self.net.borrow_mut();
            net.stdin.ended = true;
            net.stdin.event = true;
        }
        self.run_until_quiet();
        if self.exit.is_some() {
            return;
        }
        self.check_quiet();
        for wire in &mut self.net.borrow_mut().wires {
            wire.vanished = false;
            wire.end();
        }
        self.run_until_quiet();
        if self.exit.is_some() {
            return;
        }
        assert!(self.finished.is_none(), "it does not end");
        assert!(self.spec.screen.is_empty(), "not all was shown");
        // Who only listens stays as long as something may be said to it.
        for id in &self.spec.here {
            let presence = self.spec.members[id].presence;
            assert!(presence != Presence::Here, "{id} has not ended");
            assert!(
                !self.has_said_all || self.spec.relay,
                "{id} waits for nothing"
            );
        }
    }

    /// Turns until the core would wait for ever, while the network brings everything there and whoever
    /// is awake reads.
    fn run_until_quiet(&mut self) {
        let mut waits = 0;
        for _ in 0..100_000 {
            let before = (self.progress(), self.acked());
            {
                let net = &mut *self.net.borrow_mut();
                net.stdout.drain(usize::MAX / 2);
                let now = net.now;
                for wire in &mut net.wires {
                    if wire.dropped {
                        continue;
                    }
                    wire.arrive(UNDER_WAY);
                    wire.ack(u64::MAX, now);
                    if !wire.sleeps && !wire.is_slow {
                        wire.take(u64::MAX, now);
                        wire.ack(u64::MAX, now);
                    }
                }
            }
            if !self.has_work() {
                waits += 1;
                if !self.wait(waits) {
                    return;
                }
                if waits > WAITS {
                    return self.check_wakes();
                }
            }
            self.turn();
            if self.exit.is_some() {
                return;
            }
            if (self.progress(), self.acked()) != before {
                waits = 0;
            }
        }
        panic!("it never comes to rest");
    }

    /// Bytes acknowledged by everybody.
    fn acked(&self) -> u64 {
        let net = self.net.borrow();
        net.wires.iter().map(|wire| wire.acked).sum()
    }

    /// Nothing is to be done before time has passed. Returns false if time changes nothing.
    fn wait(&mut self, waits: u32) -> bool {
        let net = &mut *self.net.borrow_mut();
        let mut slow = net
            .wires
            .iter_mut()
            .filter(|wire| wire.is_slow && !wire.sleeps && !wire.dropped && !wire.closed)
            .filter(|wire| !wire.vanished && wire.acked > wire.taken)
            .peekable();
        if slow.peek().is_some() {
            // They do take something, shortly before they would be cut off.
            net.now += self.terms.stall_timeout * (5 + net.chance.below(5) as u32) / 10;
            let now = net.now;
            slow.for_each(|wire| wire.take(3 * SEGMENT as u64, now));
            return true;
        }
        let Some(until) = self.until else {
            return false;
        };
        net.now = net.now.max(until);
        if waits > PUNCTUAL {
            net.now += Duration::from_millis(net.chance.below(3000) as u64);
        }
        true
    }

    /// It wakes up again and again: that is only for who has something that it does not acknowledge.
    fn check_wakes(&self) {
        let net = self.net.borrow();
        let mut wires = net.wires.iter().filter(|wire| !wire.dropped);
        assert!(
            wires.any(|wire| wire.written > wire.acked),
            "it wakes up for nothing, {:?} from now",
            self.until.map(|at| at - net.now)
        );
    }

    /// It stays: is there a reason?
    pub(super) fn check_stay(&self) {
        let Some(finished) = self.finished else {
            // Who is not known yet to be there may turn out to be.
            let net = self.net.borrow();
            assert!(
                !self.ends_broken_off(&net),
                "it goes on though its input broke off"
            );
            let failed = self.has_begun && self.spec.placed().is_empty();
            assert!(!failed, "it goes on without receivers");
            return;
        };
        let is_over = self.spec.here.is_empty() && self.core.room().screen().is_empty();
        assert!(!is_over, "it stays when all is over");
        let quits = self
            .terms
            .quit_after
            .is_some_and(|q| self.now() >= finished + q);
        // The last of it may not be acknowledged yet.
        let awaits = self.now() < finished + LAST_WORDS && !self.is_acknowledged();
        assert!(!quits || awaits, "it stays after its time");
        let in_time = |end| self.until.is_some_and(|at| at <= end);
        let last = if quits { LAST_WORDS } else { Duration::ZERO };
        assert!(
            self.terms
                .quit_after
                .is_none_or(|q| in_time(finished + q.max(last))),
            "it sleeps longer than its time"
        );
        assert!(
            self.acknowledged.is_none_or(|at| in_time(at + LINGER)),
            "it lingers for ever"
        );
        assert!(
            !(self.lingers() && self.is_handed()) || in_time(self.now() + LOOK),
            "nobody looks whether all arrived"
        );
    }

    /// Whether everybody was handed everything, and somebody has not acknowledged it.
    fn is_handed(&self) -> bool {
        let net = self.net.borrow();
        let mut members = self.spec.here.iter().map(|id| (&self.spec.members[id], id));
        let is_out = |id: &usize| net.wires[*id].tcp_info(net.now).unacknowledged() > 0;
        let is_waited_for =
            |(member, id): (&Member, &usize)| member.presence != Presence::Gone && is_out(id);
        members.clone().all(|(member, _)| member.owed.is_empty()) && members.any(is_waited_for)
    }

    /// With `--send-only` the others have a moment to close from when they acknowledged everything, and so did
    /// whoever is told why it is not in.
    pub(super) fn note_acknowledged(&mut self) {
        let net = self.net.borrow();
        let is_out = |wire: &Wire| wire.key.is_some() && !wire.dropped && wire.written > wire.acked;
        if self.lingers() && self.is_acknowledged() && !net.wires.iter().any(is_out) {
            self.acknowledged.get_or_insert(net.now);
        }
    }

    /// Whether everybody who is here acknowledged everything.
    fn is_acknowledged(&self) -> bool {
        let net = self.net.borrow();
        let mut here = self.spec.here.iter();
        here.all(|id| {
            let wire = &net.wires[*id];
            self.spec.members[id].owed.is_empty() && wire.tcp_info(net.now).unacknowledged() == 0
        })
    }

    /// Between its last turn and the closing of their connections, members may say more, which their kernels
    /// take for delivered.
    fn say_at_the_last_moment(&mut self) {
        let net = &mut *self.net.borrow_mut();
        for id in &self.spec.here {
            let wire = &mut net.wires[*id];
            let speaks = !wire.ended && !wire.broken && !wire.vanished;
            if speaks && net.chance.one_in(8) {
                wire.up.extend(b"the last words\n");
            }
        }
    }

    /// It ended: was that right, and does it say so?
    pub(super) fn check_exit(&mut self, status: Status) {
        self.say_at_the_last_moment();
        // What waits for stderr is written at the end, when it is known what nobody heard.
        let status = self.core.finish(Ok(status), self.now());
        let status = status.expect("the hub ended with a status");
        self.exit = Some(status);
        let net = self.net.borrow();
        let stderr = String::from_utf8_lossy(&net.stderr).into_owned();
        let is_done = matches!(status, Status::Done(_));
        let here = &self.spec.here;
        if self.quits {
            let members = &self.spec.members;
            let known = here.iter().filter(|id| members[id].is_known());
            self.promised.extend(known);
        }
        here.iter().for_each(|id| self.check_close(*id, &net));
        for id in here {
            // Who is owed something, whatever it was promised, does not take a part for all.
            let (wire, member) = (&net.wires[*id], &self.spec.members[id]);
            let reads = !wire.broken && !wire.write_failed && !wire.vanished && !wire.shut;
            let lacks = !member.owed.is_empty() && member.presence != Presence::Gone;
            assert!(wire.breaks || !reads || !lacks, "{id} ends: {wire:?}");
        }
        let mut short = Vec::new();
        for id in &self.promised {
            let member = &self.spec.members[id];
            let said = self.said_to.get(id).unwrap_or(&self.said);
            let acked = member.acked(net.wires[*id].acked);
            let is_short = *said < self.said || acked < member.last_word;
            if is_short {
                let wire = &net.wires[*id];
                let is_gone = wire.broken || wire.write_failed;
                assert!(
                    wire.breaks || is_gone,
                    "{id} may get more than is told: {wire:?}"
                );
                let number = member.number;
                short.push(number);
                let told = stderr.contains(&format!("muxnc: [{number}] 192.0.2."))
                    || stderr.contains("more did not get everything");
                assert!(told, "nobody says what {id} lacks: {stderr:?}");
                // Elsewhere not only the operator's words are owed to it.
                let is_exact = !self.spec.relay && !self.spec.chat && !net.wires[*id].write_failed;
                if is_exact && let Some(lacks) = told_of(&stderr, number) {
                    let later = match member.deaf {
                        true => self.spec.said - member.deaf_since,
                        false => 0,
                    };
                    let unacked = member.total - acked;
                    // What is left of a file nobody gets any more.
                    let unsaid = match self.finished {
                        None if net.stdin.kind == Kind::File => {
                            net.stdin.there.len() + self.unsaid.len()
                        }
                        _ => 0,
                    };
                    let expected = unacked + later + unsaid as u64;
                    assert_eq!(lacks, expected, "{id} lacks: {:?}", net.wires[*id]);
                }
            }
        }
        if self.quits {
            return assert!(is_done, "it was commanded to end: {stderr:?}");
        }
        assert!(!is_done || short.is_empty(), "{short:?} did not get all");
        if self.ends_broken_off(&net) {
            assert!(!is_done, "it is done with a part: {stderr:?}");
            assert!(stderr.contains("muxnc: read from stdin: "), "{stderr:?}");
            return;
        }
        // What was said and is not heard is no success, unless it is for nobody.
        let is_unread = |id: &&usize| !net.wires[**id].up.is_empty();
        let unread = here.iter().filter(is_unread).count();
        let is_unheard = unread > 0 || self.has_dropped;
        let is_unheard = is_unheard && self.terms.traffic != Traffic::SendOnly;
        assert!(!is_unheard || !is_done, "{unread} are unheard: {stderr:?}");
        let Some(finished) = self.finished else {
            assert!(self.has_begun && !is_done, "it ended early: {stderr:?}");
            assert!(self.spec.placed().is_empty());
            assert!(stderr.contains("everybody left before the end of the input"));
            return;
        };
        let quits = self
            .terms
            .quit_after
            .is_some_and(|q| net.now >= finished + q);
        // What is announced meanwhile is not waited for.
        let lingered = self.acknowledged.is_some_and(|at| net.now >= at + LINGER);
        let is_shown = self.spec.screen.is_empty();
        let is_over = here.is_empty() && is_shown;
        assert!(is_over || quits || lingered, "it ended too soon");
        // What was handed over so late that it could not be acknowledged is waited for.
        let awaits = |id: &usize| {
            let (wire, member) = (&net.wires[*id], &self.spec.members[id]);
            let is_out = wire.tcp_info(net.now).unacknowledged() > 0;
            let is_lost = wire.broken || wire.write_failed || member.presence == Presence::Gone;
            self.promised.contains(id) && member.owed.is_empty() && is_out && !is_lost
        };
        let awaits = net.now < finished + LAST_WORDS && here.iter().any(awaits);
        assert!(!awaits || lingered, "it did not wait: {stderr:?}");
        assert!(is_shown || !is_done, "done, and not all was shown");
        // Who was not known to be there may have turned out to be.
        let perhaps = self.spec.members.iter().any(|(id, member)| {
            let said = self.said_to.get(id).unwrap_or(&self.said);
            let acked = member.acked(net.wires[*id].acked);
            *said < self.said || acked < member.total.max(member.last_word)
        });
        assert!(
            is_done
                || !short.is_empty()
                || !is_shown
                || perhaps
                || is_unheard
                || self.may_have_dropped,
            "it failed for nothing: {stderr:?}"
        );
        // What stdout lacks is told when it has had its last chance, and what was dropped, when it was.
        let is_told = !stderr.is_empty() || self.may_have_dropped;
        assert!(is_done || !is_shown || is_told, "it fails silently");
    }
}

/// How many bytes a member is told to lack, by its number.
fn told_of(stderr: &str, number: u32) -> Option<u64> {
    let who = format!("muxnc: [{number}] ");
    let mut lines = stderr.lines().filter(|line| line.starts_with(&who));
    let (_, lacks) = lines.next()?.split_once(" did not get the last ")?;
    let lacks = lacks.strip_suffix(" bytes")?;
    lacks.split(" of ").next()?.parse().ok()
}

/// With `--send-only`: how long the others may take to close, and how often it is looked before that
/// whether everything arrived.
const LINGER: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_secs(1);
