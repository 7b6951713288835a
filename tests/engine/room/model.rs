//! All of it at once, against a specification that keeps everything it was ever told.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::Class;
use super::SEG;
use super::T;
use super::is_said;

use muxnc::engine::journal::HISTORY;
use muxnc::engine::journal::SEGMENT;
use muxnc::engine::lines::MAX_LINE;
use muxnc::engine::room::HIGH_WATER;
use muxnc::engine::room::LOW_WATER;
use muxnc::engine::room::Label;
use muxnc::engine::room::Policy;
use muxnc::engine::room::SlowPeer;
use muxnc::engine::screen::Surface;

/// What somebody says in one go: runs of bytes, each with or without a line's end after it.
type Text = Vec<(usize, bool)>;

/// One step in the random life of a room; members are named by an index that is reduced to the
/// members there are.
#[derive(Debug, Clone)]
enum Step {
    Join,
    Leave(usize),
    Typed(Text),
    TypedEnd,
    Heard(usize, Text),
    Finish(usize),
    /// A member takes at most so much.
    Flush(usize, usize),
    /// stdout takes at most so much.
    Show(usize),
}

fn words(largest: usize) -> impl Strategy<Value = Text> {
    let run = prop_oneof![20 => 0..30usize, 1 => 0..largest];
    prop::collection::vec((run, any::<bool>()), 0..6)
}

fn step() -> impl Strategy<Value = Step> {
    let who = any::<usize>;
    prop_oneof![
        3 => Just(Step::Join),
        1 => who().prop_map(Step::Leave),
        6 => words(4 * SEGMENT).prop_map(Step::Typed),
        2 => (SEGMENT..6 * SEGMENT).prop_map(|run| Step::Typed(vec![(run, true)])),
        1 => Just(Step::TypedEnd),
        12 => (who(), words(SEGMENT)).prop_map(|(who, text)| Step::Heard(who, text)),
        1 => who().prop_map(Step::Finish),
        4 => (who(), 0..100usize).prop_map(|(who, limit)| Step::Flush(who, limit)),
        4 => (who(), 0..8 * SEGMENT).prop_map(|(who, limit)| Step::Flush(who, limit)),
        4 => (0..2 * SEGMENT).prop_map(Step::Show),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let slow = prop_oneof![Just(SlowPeer::Wait), Just(SlowPeer::Disconnect)];
    // What a terminal makes of the bytes is the screen's own matter, and tested there.
    let surface = prop_oneof![Just(Surface::Stream), Just(Surface::RawTerminal)];
    (any::<bool>(), slow, surface).prop_map(|(relay, slow, surface)| Policy {
        relay,
        slow,
        stall_timeout: T,
        surface,
        label: Label::Never,
        color: false,
        bold: false,
        announced: 300,
    })
}

/// Everything somebody said, how much of it was passed on to the room, and how much was shown.
struct Voice {
    id: u32,
    said: Vec<u8>,
    passed: usize,
    shown: usize,
}

/// A member, everything it is to hear, and how much of that it took.
struct Person {
    voice: Voice,
    finished: bool,
    /// It joined in the middle of a line, and how much of that it was not handed.
    is_late: bool,
    missed: usize,
    hears: Vec<u8>,
    taken: usize,
}

struct Spec {
    policy: Policy,
    operator: Voice,
    people: BTreeMap<usize, Person>,
    joined: u32,
    /// Everything that is to appear on stdout, and who said the last of it.
    screen: Vec<u8>,
    last: u32,
    /// Everything that was said to everybody, and how many lines of it are given to who joins.
    log: Vec<u8>,
    history: usize,
    /// Who wrote last to the screen or the log will not go on with the line it is in.
    screen_left: bool,
    log_left: bool,
    /// Who said the last of the log.
    log_last: u32,
}

impl Voice {
    fn new(id: u32) -> Voice {
        Voice {
            id,
            said: Vec::new(),
            passed: 0,
            shown: 0,
        }
    }

    /// Adds to what was said; every byte tells who said it and about where.
    fn say(&mut self, text: &Text) -> Vec<u8> {
        let from = self.said.len();
        for &(run, ends) in text {
            let places = (self.said.len()..).map(|place| (place % 13) as u8);
            let first = speaker(self.id);
            self.said
                .extend(places.take(run).map(|place| first + place));
            if ends {
                self.said.push(b'\n');
            }
        }
        self.said[from..].to_vec()
    }

    /// How much is to be passed on: whole lines, and what is too long to be kept.
    fn due(&self) -> usize {
        let unfinished = &self.said[self.passed..];
        let line = unfinished.iter().rposition(|&byte| byte == b'\n');
        let due = line.map_or(0, |end| end + 1);
        match unfinished.len() - due >= MAX_LINE {
            true => self.said.len(),
            false => self.passed + due,
        }
    }

    /// Whether the beginning of a line that is not finished is on the screen.
    fn is_open(&self) -> bool {
        self.shown > self.passed
    }
}

/// The first of the bytes that this speaker uses; none of them ends a line.
fn speaker(id: u32) -> u8 {
    0x20 + (id % 14) as u8 * 16
}

impl Person {
    /// How much of that is the rest of a line whose beginning it has not got.
    fn misses(&mut self, news: &[u8]) -> usize {
        let mut count = 0;
        while self.is_late && count < news.len() {
            self.missed += 1;
            self.is_late = news[count] != b'\n' && self.missed < MAX_LINE;
            count += 1;
        }
        count
    }
}

impl Spec {
    fn join(&mut self, key: usize) {
        self.joined += 1;
        let person = Person {
            voice: Voice::new(self.joined),
            finished: false,
            is_late: self.is_late(),
            missed: 0,
            hears: self.past().to_vec(),
            taken: 0,
        };
        assert!(self.people.insert(key, person).is_none());
    }

    /// The last lines, and what of another one was said: as many as are whole in what is kept.
    fn past(&self) -> &[u8] {
        let kept = self.log.len().saturating_sub(HISTORY as usize);
        let mut starts: Vec<usize> = (kept..=self.log.len())
            .filter(|&at| at == 0 || self.log[at - 1] == b'\n')
            .collect();
        // The last of these is the line that is not finished, or not begun.
        let wanted = starts.len().min(self.history.saturating_add(1));
        starts.drain(..starts.len() - wanted);
        match starts.first() {
            Some(&start) if self.history > 0 => &self.log[start..],
            _ => &[],
        }
    }

    fn typed(&mut self, text: &Text) -> Vec<u8> {
        let bytes = self.operator.say(text);
        let due = match self.policy.relay {
            true => self.operator.due(),
            false => self.operator.said.len(),
        };
        self.typed_until(due);
        bytes
    }

    fn typed_until(&mut self, due: usize) {
        let news = self.operator.said[self.operator.passed..due].to_vec();
        self.separate(0, &news);
        for person in self.people.values_mut() {
            let rest = person.misses(&news);
            person.hears.extend_from_slice(&news[rest..]);
        }
        self.log.extend_from_slice(&news);
        self.operator.passed = due;
    }

    /// Whether whoever joins now comes in the middle of a line that another hears.
    fn is_late(&self) -> bool {
        let is_midline = self.log.last().is_some_and(|&byte| byte != b'\n');
        let is_raw = !self.policy.relay && self.history == 0;
        is_midline && is_raw && !self.people.is_empty()
    }

    /// Where a speaker left an unfinished line in the log, it ends before another's words; who has not got
    /// any of that line, as its speaker, or who joined behind it, is not given its end.
    fn separate(&mut self, id: u32, news: &[u8]) {
        if news.is_empty() {
            return;
        }
        let midline = self.log.last().is_some_and(|&byte| byte != b'\n');
        if midline && self.log_left && self.log_last != id && self.policy.surface == Surface::Stream
        {
            self.log.push(b'\n');
            for person in self.people.values_mut() {
                let has_some = person.hears.last().is_some_and(|&byte| byte != b'\n');
                if person.voice.id != self.log_last && has_some {
                    person.hears.push(b'\n');
                }
            }
        }
        self.log_left = false;
        self.log_last = id;
    }

    fn typed_end(&mut self) {
        self.typed_until(self.operator.said.len());
        self.log_left |= self.log_last == 0;
    }

    fn heard(&mut self, key: usize, text: &Text) -> Vec<u8> {
        let voice = &mut self.people.get_mut(&key).unwrap().voice;
        let bytes = voice.say(text);
        let due = voice.due();
        self.heard_until(key, due);
        if self.people.len() == 1 {
            self.show_all(key);
        }
        bytes
    }

    fn heard_until(&mut self, key: usize, due: usize) {
        let voice = &mut self.people.get_mut(&key).unwrap().voice;
        let news = voice.said[voice.passed..due].to_vec();
        voice.passed = due;
        self.show_until(key, due);
        if self.policy.relay && (self.people.len() > 1 || self.history > 0) {
            self.separate(self.people[&key].voice.id, &news);
            self.log.extend_from_slice(&news);
        }
        for (&other, person) in &mut self.people {
            if self.policy.relay && other != key {
                person.hears.extend_from_slice(&news);
            }
        }
    }

    fn finish(&mut self, key: usize) {
        self.heard_until(key, self.people[&key].voice.said.len());
        let id = self.people[&key].voice.id;
        if self.last == id {
            let midline = self.screen.last().is_some_and(|&byte| byte != b'\n');
            match self.policy.surface == Surface::Stream {
                true => self.screen_left = true,
                // Its row ends with it.
                false if midline => self.screen.push(b'\n'),
                false => {}
            }
        }
        self.log_left |= self.log_last == id;
    }

    /// Returns who left, and what it was to hear before its last words were passed on.
    fn leave(&mut self, key: usize) -> (Person, usize) {
        let heard = self.people[&key].hears.len();
        self.finish(key);
        let person = self.people.remove(&key).unwrap();
        if self.people.len() == 1 {
            let last = *self.people.keys().next().unwrap();
            self.show_all(last);
        }
        (person, heard)
    }

    fn show_all(&mut self, key: usize) {
        self.show_until(key, self.people[&key].voice.said.len());
    }

    fn show_until(&mut self, key: usize, due: usize) {
        let voice = &mut self.people.get_mut(&key).unwrap().voice;
        if due <= voice.shown {
            return;
        }
        let midline = self.screen.last().is_some_and(|&byte| byte != b'\n');
        let is_stream = self.policy.surface == Surface::Stream;
        let left = std::mem::take(&mut self.screen_left);
        if midline && self.last != voice.id && (left || !is_stream) {
            self.screen.push(b'\n');
        }
        self.screen.extend_from_slice(&voice.said[voice.shown..due]);
        self.last = voice.id;
        voice.shown = due;
    }
}

/// A room and its specification side by side.
struct Both {
    class: Class,
    spec: Spec,
    /// What stdout took.
    shown: Vec<u8>,
}

impl Both {
    fn new(policy: Policy, history: usize) -> Both {
        let mut class = Class::new(policy.clone());
        class.room.keep_history(history);
        Both {
            class,
            spec: Spec {
                policy,
                operator: Voice::new(0),
                people: BTreeMap::new(),
                joined: 0,
                screen: Vec::new(),
                last: 0,
                log: Vec::new(),
                screen_left: false,
                log_left: false,
                log_last: 0,
                history,
            },
            shown: Vec::new(),
        }
    }

    /// What a hub would do, which asks before it reads.
    fn take(&mut self, step: Step) {
        let keys: Vec<usize> = self.spec.people.keys().copied().collect();
        match step {
            Step::Join => {
                let key = self.class.join();
                self.spec.join(key);
            }
            Step::Show(limit) => self.show(limit),
            _ if keys.is_empty() => {}
            Step::Typed(text) => {
                if self.class.room.wants_input() {
                    let bytes = self.spec.typed(&text);
                    self.class.typed(bytes);
                }
            }
            Step::TypedEnd => {
                self.spec.typed_end();
                self.class.room.typed_end(self.class.now);
            }
            Step::Leave(who) => self.leave(keys[who % keys.len()]),
            Step::Heard(who, text) => {
                let key = keys[who % keys.len()];
                let room = &self.class.room;
                if room.accepts_input() && room.may_speak(key) && !self.spec.people[&key].finished {
                    let bytes = self.spec.heard(key, &text);
                    self.class.heard(key, bytes);
                }
            }
            Step::Finish(who) => {
                let key = keys[who % keys.len()];
                self.spec.finish(key);
                self.spec.people.get_mut(&key).unwrap().finished = true;
                self.class.room.finish(key, self.class.now);
            }
            Step::Flush(who, limit) => self.flush(keys[who % keys.len()], limit),
        }
    }

    fn leave(&mut self, key: usize) {
        let (person, heard) = self.spec.leave(key);
        let owed = self.class.room.owed(key);
        assert_eq!(owed, (heard - person.taken) as u64);
        let left = self
            .class
            .room
            .leave(key, self.class.now)
            .expect("it was there");
        assert_eq!(left.account.number, person.voice.id);
        assert_eq!(left.account.received(), person.voice.said.len() as u64);
        assert_eq!(left.account.sent, person.taken as u64);
    }

    fn flush(&mut self, key: usize, limit: usize) {
        let got = self.class.flush(key, limit as u64);
        let person = self.spec.people.get_mut(&key).unwrap();
        let owed = &person.hears[person.taken..];
        assert!(owed.starts_with(&got), "a stream differs from its model");
        assert!(!got.is_empty() || limit.min(owed.len()) == 0);
        person.taken += got.len();
    }

    fn show(&mut self, limit: usize) {
        let front = self.class.room.screen().front();
        let count = front.len().min(limit);
        self.shown
            .extend(front[..count].iter().filter(|&byte| is_said(byte)));
        self.class.room.screen_mut().consume(count);
    }

    /// What is true between any two steps.
    fn check(&mut self) {
        let cut_off = self.class.overdue();
        let people = &self.spec.people;
        let behind = |key: &usize| (people[key].hears.len() - people[key].taken) as u64;
        let slowest = people.keys().map(behind).max().unwrap_or(0);
        match self.spec.policy.slow {
            // No time passes here.
            SlowPeer::Wait => {
                assert!(cut_off.is_empty(), "{cut_off:?}");
                if slowest >= HIGH_WATER {
                    assert!(self.class.is_on_hold());
                } else if self.class.is_on_hold() && !self.spec.policy.relay {
                    assert!(slowest + SEG > LOW_WATER);
                }
            }
            SlowPeer::Disconnect => {
                assert!(slowest <= HIGH_WATER + SEG || !cut_off.is_empty());
                assert!(
                    self.spec.policy.relay || cut_off.iter().all(|key| behind(key) > HIGH_WATER)
                );
            }
        }
        for key in people.keys() {
            assert_eq!(self.class.room.owed(*key), behind(key));
            let mut others = people.iter().filter(|(other, _)| *other != key);
            let taken = self.spec.policy.surface == Surface::Stream
                && others.any(|(_, person)| person.voice.is_open());
            assert_eq!(self.class.room.may_speak(*key), !taken);
        }
        for key in cut_off {
            self.leave(key);
        }
    }

    /// Everybody takes everything.
    fn end(mut self) {
        let keys: Vec<usize> = self.spec.people.keys().copied().collect();
        for key in keys {
            while self.class.room.owed(key) > 0 {
                self.flush(key, usize::MAX);
            }
            let person = &self.spec.people[&key];
            assert_eq!(person.taken, person.hears.len());
        }
        assert!(self.class.room.has_delivered_all());
        while !self.class.room.screen().is_empty() {
            self.show(usize::MAX);
        }
        let is_terminal = self.spec.policy.surface != Surface::Stream;
        let dropped = self.class.room.screen_mut().take_left_out();
        if dropped == 0 {
            assert!(self.shown == self.spec.screen, "the screen differs");
        }
        assert!(dropped == 0 || (is_terminal && self.spec.policy.relay));
        if is_terminal {
            for line in self.shown.split(|&byte| byte == b'\n') {
                let mut speakers = line.iter().map(|byte| (byte - 0x20) / 16);
                let first = speakers.next();
                assert!(speakers.all(|speaker| Some(speaker) == first));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_stream_and_the_screen_are_as_specified(
        policy in policy(),
        history in prop_oneof![Just(0), 1..6usize, Just(usize::MAX)],
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut both = Both::new(policy, history);
        for step in steps {
            both.take(step);
            both.check();
        }
        both.end();
    }
}
