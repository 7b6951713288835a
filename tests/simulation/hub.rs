//! A schedule: what happens between the turns of a core, and what has to be so when it is over.

mod ending;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use muxnc::client::Traffic;
use muxnc::engine::journal::SEGMENT;
use muxnc::engine::lines::MAX_LINE;
use muxnc::engine::room::ANSWERS;
use muxnc::engine::room::EDITS;
use muxnc::engine::room::HELD;
use muxnc::engine::room::HIGH_WATER;
use muxnc::engine::room::LOW_WATER;
use muxnc::engine::room::ONE_ANSWER;
use muxnc::engine::room::SHORT;
use muxnc::engine::room::SlowPeer;
use muxnc::engine::room::TRIAL;
use muxnc::engine::screen;
use muxnc::hub::core::Core;
use muxnc::hub::core::Turn;
use muxnc::hub::peers::CHUNK;
use muxnc::io::device::Kind;
use muxnc::status::Status;

use super::Chance;
use super::Mode;
use super::answers::Answers;
use super::replay::Newcomer;
use super::rule::Rule;
use super::spec::Member;
use super::spec::Presence;
use super::spec::Spec;
use super::spec::WELCOME;
use super::terms::Terms;
use super::terms::host;
use super::wire::Wire;
use super::world::Did;
use super::world::Handle;
use super::world::Model;
use super::world::Net;

/// Bytes that a client has under way at most.
const UNDER_WAY: usize = 512 * 1024;

/// Turns in a row that may do nothing although something was ready.
const IDLE: u32 = 3;

/// Deadlines in a row at which nothing happens, until nothing ever will: more than it takes to find
/// out who has vanished or is idle, as from the first of them on it is woken up late.
const WAITS: u32 = 250;
const PUNCTUAL: u32 = 20;

/// What ends a hub at once, and how long nothing is typed before it, so that it is no paste. As many bytes
/// may wait to be said.
const QUIT: &str = "/quit\n";
const PAUSE: Duration = Duration::from_secs(1);
const PENDING: usize = 512 * 1024;

/// What the members of a chat ask for, at most: so many answers may wait for anybody, and are given.
const ASKED: usize = 100;

/// In one of so many schedules what each says is collected.
pub(super) const COLLECTS: usize = 16;

/// What a schedule came to.
pub(crate) struct Ended {
    pub(crate) turns: u64,
    pub(crate) bytes: u64,
    pub(crate) how: &'static str,
}

pub(crate) struct Hub {
    pub(super) core: Core<Model>,
    pub(super) net: Handle,
    pub(super) spec: Spec,
    pub(super) mode: Mode,
    pub(super) terms: Terms,
    /// Before this turn the sources waited for somebody; nothing was said until more were here.
    pub(super) was_held: bool,
    pub(super) awaited: bool,
    /// Who waited to be accepted when this turn began.
    pub(super) at_the_door: Vec<usize>,
    /// Who found no place, and until when it is asked again.
    pub(super) waiting: Vec<Newcomer>,
    /// What was read of stdin and not said, and how much was said; to those who left, until then.
    pub(super) unsaid: VecDeque<u8>,
    pub(super) said: u64,
    pub(super) said_to: BTreeMap<usize, u64>,
    /// How much had been written to those whose end was noticed before it was read.
    pub(super) ended_unread: BTreeMap<usize, u64>,
    /// No descriptor was left; somebody was let go unheard for that, or may have been.
    pub(super) has_run_out: bool,
    pub(super) has_dropped: bool,
    pub(super) may_have_dropped: bool,
    /// Who left and waited until there was room for the line that it did not end.
    pub(super) leave_later: BTreeSet<usize>,
    /// How much had been written to each when the turn began.
    pub(super) written: Vec<u64>,
    /// All of stdin was said, a line without an end included; and that is known to be heard.
    pub(super) has_said: bool,
    pub(super) has_said_all: bool,
    /// A transfer goes on whoever leaves.
    pub(super) has_begun: bool,
    /// As many came as were waited for, for what is no whole.
    pub(super) has_started: bool,
    pub(super) may_have_started: bool,
    /// Who is to get everything that was said.
    pub(super) promised: BTreeSet<usize>,
    /// The last that was read of stdin is no whole line; `/quit` was typed.
    pub(super) is_midline: bool,
    pub(super) quits: bool,
    /// What was commanded about who is let in, and a command that was typed and not read: its text, and what
    /// holds when it was obeyed.
    pub(super) rule: Rule,
    commanded: Option<(String, Rule)>,
    /// When the end of the input was told.
    pub(super) finished: Option<Instant>,
    /// To whom the input broke off: who was here then, or was told later what nobody had heard.
    pub(super) broken_off: BTreeSet<usize>,
    pub(super) breaks_off: bool,
    /// With `--send-only`: when everything was acknowledged after it.
    pub(super) acknowledged: Option<Instant>,
    /// Since when there is nothing to be learned of anybody.
    pub(super) settled: Option<Instant>,
    pub(super) delivered: u64,
    /// What each said, if that is collected.
    pub(super) answers: Option<Answers>,
    /// When the core wants to be woken up.
    until: Option<Instant>,
    /// It wants to go on at once.
    is_ready: bool,
    exit: Option<Status>,
    /// How much everybody likes to say at once, at most.
    volume: usize,
    most_peers: usize,
    lines: usize,
    /// How much members asked for.
    asked: usize,
    pub(super) turns: u64,
    idle: u32,
}

impl Hub {
    /// Runs one schedule to its end.
    pub(crate) fn run(seed: u64, mode: Mode) -> Ended {
        let mut hub = Hub::new(seed, mode);
        let steps = 20 + hub.below(if hub.volume == 40 { 500 } else { 150 });
        hub.turn();
        hub.check_read_ahead();
        for _ in 0..steps {
            for _ in 0..hub.below(6) {
                hub.happen();
            }
            hub.moderate();
            while hub.exit.is_none() && (hub.has_work() || hub.one_in(20)) {
                hub.turn();
                if hub.one_in(2) {
                    break;
                }
            }
        }
        hub.quit();
        hub.settle();
        hub.finish();
        hub.check_answers();
        let ended = Ended {
            turns: hub.turns,
            bytes: hub.delivered,
            how: match hub.exit {
                Some(Status::Done(_)) => "done",
                Some(_) => "failed",
                None => "serving",
            },
        };
        hub.net.borrow_mut().is_over = true;
        ended
    }

    /// What each said is there, when the hub has ended, however it did.
    fn check_answers(&mut self) {
        if let Some(answers) = &self.answers {
            if self.exit.is_none() {
                let _ = self.core.finish(Ok(Status::Failed), self.now());
            }
            answers.check(self.spec.joined);
        }
    }

    fn new(seed: u64, mode: Mode) -> Hub {
        let mut chance = Chance(seed);
        // Few schedules are heavy: they cost most of the time.
        let volume = match chance.below(24) {
            0..8 => 40,
            8..19 => 500,
            19..23 => 20_000,
            _ => 400_000,
        };
        let mut terms = Terms::new(mode, &mut chance);
        let most_peers = 2 + chance.below(7);
        // A file that is empty is a transfer only with --wait-for.
        let is_empty = (!mode.is_whole || terms.wait_for.is_some()) && chance.one_in(12);
        if is_empty && !mode.is_whole && terms.stdin == Kind::Pipe && chance.one_in(3) {
            terms.stdin = Kind::File;
        }
        // In a chat only what was said is kept, in the words that were made of it.
        let collects = !mode.chat && Chance(chance.0).one_in(COLLECTS);
        let answers = collects.then(Answers::new);
        terms.collect = answers.as_ref().map(|answers| answers.folder().into());
        let now = Instant::now();
        let net = Net::new(chance, now, terms.stdin, is_empty);
        let mut spec = terms.spec(mode, now);
        spec.quorum = terms.quorum();
        spec.shows = terms.traffic != Traffic::SendOnly;
        let mut hub = Hub {
            // A file is there before the hub looks at it.
            core: Terms::open(&terms, mode, &Self::filled(&net, &terms, volume), now),
            net,
            spec,
            mode,
            has_said: false,
            has_said_all: terms.traffic == Traffic::ReceiveOnly,
            terms,
            at_the_door: Vec::new(),
            waiting: Vec::new(),
            was_held: false,
            awaited: false,
            unsaid: VecDeque::new(),
            said: 0,
            said_to: BTreeMap::new(),
            ended_unread: BTreeMap::new(),
            has_run_out: false,
            has_dropped: false,
            may_have_dropped: false,
            leave_later: BTreeSet::new(),
            written: Vec::new(),
            has_begun: false,
            has_started: false,
            may_have_started: false,
            promised: BTreeSet::new(),
            is_midline: false,
            quits: false,
            rule: Rule::default(),
            commanded: None,
            finished: None,
            broken_off: BTreeSet::new(),
            breaks_off: false,
            acknowledged: None,
            settled: None,
            delivered: 0,
            answers,
            until: None,
            is_ready: false,
            exit: None,
            volume,
            most_peers,
            lines: 0,
            asked: 0,
            turns: 0,
            idle: 0,
        };
        hub.lines = 1000;
        hub
    }

    fn filled(net: &Handle, terms: &Terms, volume: usize) -> Handle {
        if terms.stdin == Kind::File && !net.borrow().stdin.ended {
            let net = &mut *net.borrow_mut();
            let size = net.chance.up_to(8 * volume);
            let mut lines = 0;
            net.stdin.there = lines_of(0, size, true, &mut lines, &mut net.chance).into();
            net.stdin.ended = true;
        }
        Rc::clone(net)
    }

    /// One turn of the core.
    fn turn(&mut self) {
        self.turns += 1;
        self.collect();
        let (before, now) = (self.progress(), self.now());
        self.was_held = self.core.room().is_held();
        self.awaited = self.awaits_others();
        {
            let net = &mut *self.net.borrow_mut();
            self.at_the_door = net.backlog.iter().copied().collect();
            self.written = net.wires.iter().map(|wire| wire.written).collect();
            net.wires.iter_mut().for_each(|wire| wire.was_read = false);
        }
        let turn = self.core.turn(now).expect("a turn");
        let (was_freed, obeyed) = self.note_log();
        self.replay();
        // Who had come before it was read was let in, or not, before it was obeyed.
        if let Some(rule) = obeyed {
            self.rule = rule;
        }
        self.note_acknowledged();
        match turn {
            Turn::Wait(until) => self.until = until,
            Turn::Exit(status) => {
                self.exit = Some(status);
                return self.check_exit(status);
            }
            Turn::HandOver(_) => panic!("handed over"),
        }
        let goes_on = self.until.is_some_and(|at| at <= now);
        assert!(
            goes_on || !was_freed || self.may_close() || !self.net.borrow().listens,
            "a descriptor is free, and those who wait are not let in"
        );
        // Of nothing nobody hears anything: its end waits until all are here.
        let awaits = self.spec.quorum.is_some() && self.said == 0;
        let is_unheard = awaits || self.core.room().is_unheard();
        assert!(
            goes_on || self.has_said_all || !self.has_said || is_unheard,
            "all was heard, and the end is not told"
        );
        self.check_stay();
        self.check_memory();
        self.check_hold();
        self.check_ears();
        let was_ready =
            std::mem::replace(&mut self.is_ready, self.until.is_some_and(|at| at <= now));
        match was_ready && self.progress() == before {
            true => self.idle += 1,
            false => self.idle = 0,
        }
        assert!(self.idle <= IDLE, "turns and turns, and nothing is done");
    }

    /// What of the turn does not concern the specification. Returns whether a descriptor was freed after they
    /// had run out, and what is commanded now.
    fn note_log(&mut self) -> (bool, Option<Rule>) {
        let net = &mut *self.net.borrow_mut();
        let ran_out = net.log.iter().position(|did| matches!(did, Did::RanOut));
        let was_freed = ran_out.is_some_and(|at| {
            let mut later = net.log[at..].iter();
            later.any(|did| matches!(did, Did::Dropped(id) if net.wires[*id].key.is_some()))
        });
        for did in &net.log {
            if let Did::Typed(bytes) = did {
                self.is_midline = !bytes.ends_with(b"\n");
            }
        }
        if self.quits {
            net.log
                .retain(|did| !matches!(did, Did::Typed(bytes) if bytes == QUIT.as_bytes()));
        }
        let is_command = |did: &Did, command: &str| matches!(did, Did::Typed(bytes) if bytes == command.as_bytes());
        let obeyed = self
            .commanded
            .take_if(|(command, _)| net.log.iter().any(|did| is_command(did, command)));
        if let Some((command, _)) = &obeyed {
            net.log.retain(|did| !is_command(did, command));
        }
        (was_freed, obeyed.map(|(_, rule)| rule))
    }

    /// Whether a command can be typed now, at a terminal at which nothing else was typed for a while.
    fn can_command(&mut self) -> bool {
        self.net.borrow_mut().now += PAUSE;
        self.turn();
        let net = &mut *self.net.borrow_mut();
        net.now += PAUSE;
        let reads = net.stdin.there.is_empty() && !net.stdin.ended && !net.stdin.fails;
        self.exit.is_none() && reads && !self.is_midline && self.unsaid.len() <= PENDING
    }

    fn command(&self, line: &str) {
        let stdin = &mut self.net.borrow_mut().stdin;
        stdin.there.extend(line.as_bytes());
        stdin.event = true;
    }

    /// Perhaps the operator says who is let in.
    fn moderate(&mut self) {
        let is_typed = self.terms.stdin == Kind::Terminal && self.terms.wait_for.is_none();
        let is_read = self.terms.traffic != Traffic::ReceiveOnly;
        if self.exit.is_some() || !is_typed || !is_read || !self.one_in(12) || !self.can_command() {
            return;
        }
        let (command, rule) = {
            let net = &mut *self.net.borrow_mut();
            // Who is here from there would be cut off.
            let is_free = |host: u8| {
                let ip = IpAddr::from([192, 0, 2, host]);
                !net.wires.iter().any(|wire| wire.ip == ip && !wire.dropped)
            };
            self.rule.change(&mut net.chance, is_free)
        };
        self.command(&command);
        self.commanded = Some((command, rule));
        for _ in 0..100 {
            self.turn();
            if self.exit.is_some() || self.commanded.is_none() {
                return;
            }
            self.net.borrow_mut().now += Duration::from_millis(10);
        }
        panic!("it does not obey");
    }

    /// Perhaps `/quit` is typed, at a terminal at which nothing else was typed for a while.
    fn quit(&mut self) {
        let is_typed = self.terms.stdin == Kind::Terminal;
        if self.exit.is_some() || !is_typed || !self.one_in(3) {
            return;
        }
        if !self.can_command() {
            return;
        }
        self.command(QUIT);
        self.quits = true;
        for _ in 0..100 {
            self.turn();
            if self.exit.is_some() {
                return;
            }
            self.net.borrow_mut().now += Duration::from_millis(10);
        }
        panic!("it does not quit");
    }

    /// What says whether a turn did anything.
    fn progress(&self) -> (u64, u64, usize) {
        let calls = self.net.borrow().calls;
        (calls, self.core.said(), self.core.room().places_taken())
    }

    /// Whether the core would be woken up now.
    fn has_work(&self) -> bool {
        let net = self.net.borrow();
        let is_due = self.until.is_some_and(|at| at <= net.now);
        is_due || net.has_event()
    }

    /// Hands over events, in any order, and perhaps not all of them.
    fn collect(&mut self) {
        let sources = self.net.borrow_mut().take_events();
        for (source, event) in sources {
            self.core.collect(source, event);
        }
    }

    /// The operator has said the last word.
    pub(super) fn says_no_more(&mut self, net: &Net) {
        let is_whole = self.spec.quorum.is_some();
        let spoke = self.said > 0 || is_whole || self.terms.stdin == Kind::Terminal;
        if self.terms.keep_open || !spoke || net.stdin.fails {
            return;
        }
        assert!(net.stdin.end_read, "the end was told before it came");
        if !std::mem::replace(&mut self.has_said, true) {
            self.spec.typed_all();
        }
        assert!(
            self.unsaid.is_empty(),
            "the end was told before all was said"
        );
        assert!(
            self.spec.unheard() == 0,
            "the end was told before all was heard"
        );
        self.finished = Some(net.now);
        let members = &self.spec.members;
        let here = self.spec.here.iter().copied();
        self.promised
            .extend(here.filter(|id| members[id].is_known()));
    }

    /// The input cannot be read on: nobody who heard some of it reads an end.
    pub(super) fn breaks_off(&mut self, net: &Net) {
        if !net.stdin.has_failed || std::mem::replace(&mut self.breaks_off, true) {
            return;
        }
        assert!(self.unsaid.is_empty(), "more was read before all was said");
        if self.said > 0 || self.ends_broken_off(net) {
            self.broken_off = self.spec.here.iter().copied().collect();
        }
    }

    /// Whether the class was to read the end of an input that cannot be read on.
    pub(super) fn ends_broken_off(&self, net: &Net) -> bool {
        let was_to_end = !self.terms.keep_open && (self.said > 0 || self.spec.quorum.is_some());
        net.stdin.has_failed && was_to_end
    }

    /// Whether the end of the input was told.
    pub(super) fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// Whether nobody else is to be let in.
    pub(super) fn may_close(&self) -> bool {
        let is_whole = self.spec.quorum.is_some();
        self.finished.is_some() || (is_whole && !self.core.room().is_on_trial())
    }

    /// Nobody who is owed something sleeps deaf to the news that there is room for it.
    fn check_ears(&self) {
        let net = self.net.borrow();
        for (id, wire) in net.wires.iter().enumerate() {
            let key = wire.key.filter(|_| wire.wants_room && !wire.dropped);
            let member = key.filter(|&key| self.core.room().member(key).is_some());
            let owed = member.map_or(0, |key| self.core.room().owed(key));
            assert!(
                owed == 0 || wire.tells_room || wire.must_leave(),
                "{id} is full, owed {owed} bytes, and never heard of again: {wire:?}"
            );
        }
    }

    /// No more is held than may be.
    fn check_memory(&self) {
        // A turn's input: the operator's, one read, and what everybody who leaves has begun.
        let input = 2 * CHUNK + (self.spec.here.len() + 2) * MAX_LINE;
        // The shortest lines of a chat are mostly label.
        let input = if self.mode.chat { 5 * input } else { input };
        let most = HIGH_WATER + SEGMENT as u64 + input as u64;
        let held = self.core.room().holdings();
        assert!(held.log <= most, "{} bytes are held", held.log);
        let members = self.spec.here.len();
        let lines = HELD + members * 2 * SHORT;
        assert!(held.lines <= lines + MAX_LINE, "{held:?}");
        assert!(held.edits <= EDITS + members * 2048, "{held:?}");
        // What is said on trial is told to each newcomer.
        let trial = (TRIAL + MAX_LINE) * members;
        let welcome = members * (WELCOME.len() + 3);
        let answers = ANSWERS + ONE_ANSWER * members as u64;
        assert!(
            held.answers <= answers + (trial + welcome) as u64,
            "{held:?}"
        );
        let waiting = self.spec.screen.len();
        let most = screen::HIGH_WATER + input;
        assert!(waiting <= most, "{waiting} bytes wait for stdout");
    }

    /// Nobody waits but for somebody who could take something.
    fn check_hold(&self) {
        let waits = !self.core.room().wants_input() && !self.spec.placed().is_empty();
        if !waits || self.mode.slow == SlowPeer::Disconnect {
            return;
        }
        let slow = self.spec.here.iter().any(|id| {
            let member = &self.spec.members[id];
            let behind = self.spec.said - member.caught_up;
            !member.deaf && behind + 2 * SEGMENT as u64 >= LOW_WATER
        });
        assert!(slow, "everybody waits for nobody");
    }

    /// Something happens in the world.
    fn happen(&mut self) {
        self.idle = 0;
        let what = self.below(100);
        let volume = self.volume;
        let live = self.live();
        if live.is_empty() || (what < 5 && live.len() < self.most_peers) {
            return self.connect();
        }
        let net = &mut *self.net.borrow_mut();
        let now = net.now;
        let id = live[net.chance.below(live.len())];
        let (wire, chance) = (&mut net.wires[id], &mut net.chance);
        match what {
            5..30 if wire.sends() && wire.under_way.len() < UNDER_WAY => {
                let size = chance.up_to(volume);
                let ends = !chance.one_in(6);
                if self.mode.chat && self.asked < ASKED && chance.one_in(4) && !wire.is_midline {
                    self.asked += 1;
                    wire.under_way
                        .extend(request(self.spec.joined, &mut self.lines, chance));
                }
                let said = lines_of(id + 1, size, ends, &mut self.lines, chance);
                wire.is_midline = !said.ends_with(b"\n");
                wire.under_way.extend(said);
            }
            30..45 => wire.arrive(chance.up_to(2 * volume)),
            45..60 => wire.ack(chance.up_to(2 * volume) as u64, now),
            60..68 if !wire.sleeps => wire.take(chance.up_to(2 * volume) as u64, now),
            68..80 if !net.stdin.ended && net.stdin.there.len() < 4 * volume => {
                let size = chance.up_to(volume);
                let ends = !chance.one_in(6);
                let said = lines_of(0, size, ends, &mut self.lines, chance);
                net.stdin.there.extend(said);
                net.stdin.event = true;
            }
            80..84 => {
                let room = match chance.below(3) {
                    0 => 0,
                    _ => chance.up_to(4 * volume),
                };
                net.stdout.drain(room);
            }
            84..90 => {
                let most = *chance.pick(&[1, 100, 4000, 11_000]);
                net.now += Duration::from_millis(chance.below(most + 1) as u64);
            }
            // The rest is rare: whoever is gone does nothing any more.
            90 => wire.sleeps = true,
            91 | 92 if !wire.vanished => wire.end(),
            93 if chance.one_in(2) => wire.reset(),
            94 | 95 if chance.one_in(2) && !wire.vanished => wire.close(),
            96 if chance.one_in(2) && wire.sends() => wire.vanish(now),
            97 if chance.one_in(20) => {
                net.stdout.closed = true;
                net.stdout.drain(0);
            }
            98 if chance.one_in(8) && !net.stdin.ended => {
                net.stdin.ended = true;
                net.stdin.event = true;
            }
            99 if chance.one_in(16) && net.stdin.may_fail() => {
                net.stdin.fails = true;
                net.stdin.event = true;
            }
            _ => {}
        }
    }

    /// Whom something can happen to.
    fn live(&self) -> Vec<usize> {
        let net = self.net.borrow();
        let wires = net.wires.iter().enumerate();
        let live = wires.filter(|(_, wire)| !wire.dropped);
        live.map(|(id, _)| id).collect()
    }

    fn connect(&mut self) {
        let net = &mut *self.net.borrow_mut();
        if !net.listens {
            return;
        }
        let ip = host(&mut net.chance);
        let most = 20 * self.volume.min(40_000);
        let capacity = self.volume / 50 + net.chance.up_to(most);
        let mut wire = Wire::new(ip, capacity as u64, net.now, &mut net.chance);
        match net.chance.below(10) {
            // A port check; one that only listens.
            0 => wire.close(),
            1 => wire.end(),
            _ => {}
        }
        net.connect(wire);
    }

    fn now(&self) -> Instant {
        self.net.borrow().now
    }

    fn below(&self, bound: usize) -> usize {
        self.net.borrow_mut().chance.below(bound)
    }

    fn one_in(&self, of: usize) -> bool {
        self.below(of) == 0
    }
}

/// What a member of a chat asks for that so many have joined.
fn request(joined: u32, lines: &mut usize, chance: &mut Chance) -> Vec<u8> {
    *lines += 1;
    let to = match chance.below(8) {
        0 => String::from("host"),
        1 => String::from("nobody"),
        // Some of them left.
        _ => format!("user{}", 1 + chance.below(joined.max(1) as usize)),
    };
    let text = match chance.below(6) {
        0 => format!("/me does {lines}\n"),
        1 => String::from("/shrug\n"),
        _ => format!("/msg {to} psst {lines}\n"),
    };
    text.into_bytes()
}

/// Lines of somebody, each of which tells whose and which it is.
fn lines_of(
    who: usize,
    size: usize,
    ends: bool,
    lines: &mut usize,
    chance: &mut Chance,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < size {
        *lines += 1;
        bytes.extend(format!("{who}.{lines} ").bytes());
        let most = (size - bytes.len().min(size)).max(1);
        let filling = chance.up_to(most);
        let letter = b'a' + (*lines % 26) as u8;
        bytes.resize(bytes.len() + filling, letter);
        bytes.push(b'\n');
    }
    if !ends {
        bytes.pop();
    }
    bytes
}
