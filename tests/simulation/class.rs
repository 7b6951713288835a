//! One class over several hubs: their very cores, each in a world of its own, joined by a server of NATS as
//! its contract allows it to be.
//!
//! Bytes are on their way to it and from it for as long as chance likes; cables are cut with or without
//! anybody hearing of it; the server is killed and forgets whatever is not in the stream, also which messages
//! it had already; it forgets who reads, and acknowledges what it has already as a repeat.
//!
//! Of what members and operators said nothing is lost at any member of any hub, nothing comes twice, and what
//! each said comes in its order.

#[path = "../../src/engine/bus/tests/model.rs"]
#[allow(dead_code, reason = "it is shared with the engine's tests")]
mod nats;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use muxnc::engine::bus::Url;
use muxnc::engine::room::SlowPeer;
use muxnc::hub::BusConfig;
use muxnc::hub::core::BUS;
use muxnc::hub::core::Core;
use muxnc::hub::core::Source;
use muxnc::hub::core::Turn;
use muxnc::hub::core::Uplink;
use muxnc::io::caller::Call;
use muxnc::io::caller::Called;
use muxnc::io::device::Kind;
use muxnc::io::error::Error;
use muxnc::io::readiness::Event;
use muxnc::io::tls::Trust;

use super::Chance;
use super::Mode;
use super::terms::Terms;
use super::wire::Wire;
use super::world::Did;
use super::world::Fake;
use super::world::Handle;
use super::world::Model;
use super::world::Net;

const MODE: Mode = Mode {
    relay: true,
    chat: false,
    slow: SlowPeer::Wait,
    is_whole: false,
};

/// Members of each hub.
const MEMBERS: usize = 2;

/// Bytes that the kernels between a hub and somebody else hold.
const CAPACITY: u64 = 64 * 1024;

/// What schedules came to.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// Lines that were heard at another hub than that at which they were said.
    pub(crate) heard: usize,
    /// Connections to the server that broke.
    pub(crate) broke: usize,
    /// Messages that the server had already.
    pub(crate) repeats: usize,
}

impl Ended {
    pub(crate) fn add(&mut self, other: &Ended) {
        self.heard += other.heard;
        self.broke += other.broke;
        self.repeats += other.repeats;
    }
}

/// How a hub leaves its class.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leaving {
    pub(crate) quit_after: Option<Duration>,
    /// Its operator says something first, which the server does not get.
    pub(crate) speaks: bool,
    /// By `/quit`, and not by the end of its input.
    pub(crate) quits: bool,
    /// By a signal.
    pub(crate) is_cut: bool,
    /// How long after that.
    pub(crate) later: Duration,
}

/// What a hub asked of its caller, and what came of it.
#[derive(Debug, Default)]
struct Phone {
    is_calling: bool,
    /// The wire, or that nobody answers.
    answer: Option<Option<usize>>,
}

struct Caller {
    net: Handle,
    phone: Rc<RefCell<Phone>>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.phone.fmt(f)
    }
}

impl Call<Fake> for Caller {
    fn call(&mut self, _: &str, _: u16, _: Instant) {
        *self.phone.borrow_mut() = Phone {
            is_calling: true,
            answer: None,
        };
    }

    fn step(&mut self) -> Called<Fake> {
        match self.phone.borrow_mut().answer.take() {
            None => Called::Pending,
            Some(None) => Called::Failed(Error::new("connect", "nobody answers")),
            Some(Some(id)) => {
                let net = Rc::clone(&self.net);
                let ip = net.borrow().wires[id].ip;
                let addr = std::net::SocketAddr::from((ip, id as u16));
                Called::Done(Fake { id, net }, addr.into())
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn encrypt(&mut self, _: Fake) -> Result<Fake, Error> {
        panic!("this server wants no TLS");
    }
}

/// A hub's connection to the server.
struct Cable {
    /// The hub's end of it.
    wire: usize,
    /// What the hub has written, and was not carried.
    out: VecDeque<u8>,
    /// What the server calls it.
    link: usize,
    /// It is cut, and nobody has heard of it.
    is_cut: bool,
    /// Nothing comes back over it.
    is_deaf: bool,
}

/// A hub, its members, and its connection to the server.
struct Site {
    core: Core<Model>,
    net: Handle,
    phone: Rc<RefCell<Phone>>,
    cable: Option<Cable>,
    /// What each said, the operator being 0, in lines; and what each member heard.
    said: Vec<Vec<String>>,
    heard: Vec<Vec<u8>>,
}

pub(crate) struct Class {
    sites: Vec<Site>,
    server: nats::Model,
    /// It runs.
    is_up: bool,
    chance: Chance,
    ended: Ended,
}

impl Class {
    /// Runs one schedule to its end.
    pub(crate) fn run(seed: u64) -> Ended {
        let now = Instant::now();
        let mut chance = Chance(seed);
        let count = 2 + chance.below(2);
        let mut class = Class {
            sites: (0..count).map(|at| Site::new(at, seed, now)).collect(),
            server: nats::Model::new(now),
            is_up: true,
            chance,
            ended: Ended::default(),
        };
        // Everybody is there first: to whom a name belongs, and what was said before, is told elsewhere.
        class.settle();
        for at in 0..count {
            for id in 0..MEMBERS {
                let is_in = class.sites[at].net.borrow().wires[id].key.is_some();
                assert!(is_in, "member {id} of hub {at} is not let in");
            }
        }
        for _ in 0..400 {
            class.happen();
        }
        class.settle();
        class.check();
        class.ended.repeats = class.server.repeats;
        for site in class.sites {
            site.net.borrow_mut().is_over = true;
        }
        class.ended
    }

    /// A hub ends whose server has stopped, and so long after its input ended, perhaps by a command or a signal.
    /// Returns for how long it goes on delivering, and how many lines the other hubs may lack.
    pub(crate) fn leave(how: &Leaving) -> (Duration, u64) {
        let now = Instant::now();
        let site = Site::with(0, 1, now, |terms| {
            // Where commands are typed.
            terms.stdin = Kind::Terminal;
            terms.quit_after = how.quit_after;
        });
        let mut class = Class {
            sites: vec![site],
            server: nats::Model::new(now),
            is_up: true,
            chance: Chance(1),
            ended: Ended::default(),
        };
        class.settle();
        class.sites[0].cable.as_mut().expect("a cable").is_cut = true;
        if how.speaks {
            class.sites[0].say(0, 0, 20);
            class.turn(0);
        }
        // What is typed at once is pasted, and no command.
        class.pass(Duration::from_secs(1));
        {
            let stdin = &mut class.sites[0].net.borrow_mut().stdin;
            match how.quits {
                true => stdin.there.extend(*b"/quit\n"),
                false => stdin.ended = true,
            }
            stdin.event = true;
        }
        let ends = class.sites[0].collect();
        let mut ended = class.sites[0].core.turn(ends).expect("a turn");
        if matches!(ended, Turn::Wait(_)) {
            class.pass(how.later);
            let now = class.sites[0].collect();
            ended = class.sites[0].core.turn(now).expect("a turn");
        }
        drop(ended);
        let site = &mut class.sites[0];
        let begins = site.collect();
        let mut now = begins;
        site.core.leave_class(how.is_cut, now);
        while let Some(until) = site.core.finish_class(now).expect("a class") {
            assert!(until > now, "it waits for nothing");
            now = until;
        }
        let lines = site.core.lines_unheard();
        site.net.borrow_mut().is_over = true;
        (now - begins, lines)
    }

    /// Something happens.
    fn happen(&mut self) {
        let at = self.chance.below(self.sites.len());
        match self.chance.below(30) {
            0..=7 => {
                let who = self.chance.below(MEMBERS + 1);
                let len = if self.chance.one_in(20) { 5000 } else { 20 };
                let len = self.chance.below(len);
                self.sites[at].say(at, who, len);
            }
            8..=13 => {
                // What is said may be there long before what is answered is back.
                let up = 1 << self.chance.below(18);
                let down = match self.chance.one_in(2) {
                    true => 0,
                    false => 1 << self.chance.below(18),
                };
                self.carry(at, up, down);
            }
            14..=21 => self.turn(at),
            22..=24 => {
                let most = [10, 300, 2500][self.chance.below(3)];
                let time = Duration::from_millis(self.chance.below(most) as u64);
                self.pass(time);
            }
            25 | 26 => self.is_up = true,
            _ => self.go_wrong(at),
        }
    }

    fn go_wrong(&mut self, at: usize) {
        match self.chance.below(8) {
            // The cable is cut: everybody hears of it, or nobody.
            0 | 1 => self.hang_up(at),
            2 => {
                if let Some(cable) = &mut self.sites[at].cable {
                    cable.is_cut = true;
                    self.server
                        .cut(cable.link, &mut nats::Chance(self.chance.0));
                }
            }
            // What the hub says is there, and it does not learn of it.
            3 | 4 => {
                if let Some(cable) = &mut self.sites[at].cable {
                    cable.is_deaf = true;
                }
            }
            5 | 6 => {
                self.is_up = false;
                self.server.kill(&mut nats::Chance(self.chance.0));
            }
            _ => self.server.forget_consumers(),
        }
    }

    /// A hub's connection to the server breaks.
    fn hang_up(&mut self, at: usize) {
        if let Some(cable) = self.sites[at].cable.take() {
            self.sites[at].net.borrow_mut().wires[cable.wire].reset();
            self.server
                .cut(cable.link, &mut nats::Chance(self.chance.0));
            self.ended.broke += 1;
        }
    }

    fn pass(&mut self, time: Duration) {
        self.server.now += time;
        self.server.serve();
        for site in &self.sites {
            site.net.borrow_mut().now = self.server.now;
        }
    }

    /// So many bytes go from a hub to the server and its members, and so many to it.
    fn carry(&mut self, at: usize, up: usize, down: usize) {
        let site = &mut self.sites[at];
        if std::mem::take(&mut site.phone.borrow_mut().is_calling) {
            let answer = self.is_up.then(|| {
                let net = &mut *site.net.borrow_mut();
                let mut wire = Wire::new([192, 0, 2, 1].into(), CAPACITY, net.now, &mut net.chance);
                wire.window = u64::MAX / 2;
                net.wires.push(wire);
                let wire = net.wires.len() - 1;
                site.cable = Some(Cable {
                    wire,
                    out: VecDeque::new(),
                    link: self.server.open(),
                    is_cut: false,
                    is_deaf: false,
                });
                wire
            });
            site.phone.borrow_mut().answer = Some(answer);
            site.core.collect(Source::Bus, Event::default());
        }
        let mut is_gone = false;
        if let Some(cable) = site.cable.as_mut().filter(|cable| !cable.is_cut) {
            let net = &mut *site.net.borrow_mut();
            let (now, wire) = (net.now, &mut net.wires[cable.wire]);
            match self.server.links.get_mut(&cable.link) {
                None => is_gone = true,
                Some(there) => {
                    let count = up.min(cable.out.len());
                    there.to_server.extend(cable.out.drain(..count));
                    wire.ack(count as u64, now);
                    wire.take(count as u64, now);
                    let down = if cable.is_deaf { 0 } else { down };
                    let count = down.min(there.to_client.len());
                    wire.under_way.extend(there.to_client.drain(..count));
                    wire.arrive(down);
                }
            }
            self.server.carry(cable.link, up);
        }
        if is_gone {
            self.hang_up(at);
        }
        let net = &mut *self.sites[at].net.borrow_mut();
        let now = net.now;
        for wire in &mut net.wires[..MEMBERS] {
            wire.arrive(down);
            wire.ack(up as u64, now);
            wire.take(up as u64, now);
            wire.ack(0, now);
        }
        let room = net.stdout.room.max(up);
        net.stdout.drain(room);
    }

    /// A turn of a hub.
    fn turn(&mut self, at: usize) {
        let site = &mut self.sites[at];
        site.turn();
        // It has given the connection up.
        let is_dropped = |cable: &Cable| site.net.borrow().wires[cable.wire].dropped;
        if site.cable.as_ref().is_some_and(is_dropped) {
            self.hang_up(at);
        }
    }

    /// All works, until nothing more happens.
    fn settle(&mut self) {
        self.is_up = true;
        for _ in 0..160 {
            for _ in 0..2 {
                for at in 0..self.sites.len() {
                    self.turn(at);
                    self.carry(at, usize::MAX / 4, usize::MAX / 4);
                }
            }
            self.pass(Duration::from_millis(500));
        }
    }

    fn check(&mut self) {
        for (at, site) in self.sites.iter().enumerate() {
            for (member, heard) in site.heard.iter().enumerate() {
                let mut left: BTreeMap<String, VecDeque<&String>> = BTreeMap::new();
                for (hub, other) in self.sites.iter().enumerate() {
                    for (who, said) in other.said.iter().enumerate() {
                        // What it said itself it does not hear.
                        if (hub, who) != (at, member + 1) {
                            left.insert(format!("{hub}/{who}"), said.iter().collect());
                        }
                    }
                }
                let heard = String::from_utf8(heard.clone()).expect("text");
                for line in heard.split_inclusive('\n') {
                    let whose = line.split(':').next().unwrap_or_default();
                    let next = left.get_mut(whose).and_then(VecDeque::pop_front);
                    let where_ = format!("member {member} of hub {at}");
                    assert_eq!(next.map(String::as_str), Some(line), "{where_}");
                    self.ended.heard += usize::from(!whose.starts_with(&at.to_string()));
                }
                let missing: Vec<_> = left.values().flatten().collect();
                assert!(
                    missing.is_empty(),
                    "member {member} of hub {at}: {missing:?}"
                );
            }
        }
    }
}

impl Site {
    fn new(at: usize, seed: u64, now: Instant) -> Site {
        Site::with(at, seed, now, |_| {})
    }

    /// The same, with other terms.
    fn with(at: usize, seed: u64, now: Instant, change: impl FnOnce(&mut Terms)) -> Site {
        let mut chance = Chance(seed.wrapping_add(at as u64 * 1000 + 1));
        let url = Url::parse("nats://192.0.2.1/c").expect("a URL");
        let mut terms = Terms::joined(
            MODE,
            BusConfig {
                url,
                name: format!("room{at}"),
                buffer: 64_000_000,
                at_most_once: false,
                trusts: false,
                trust: Trust::System,
            },
            &mut chance,
        );
        change(&mut terms);
        let net = Net::new(chance, now, terms.stdin, false);
        net.borrow_mut().is_calm = true;
        let phone = Rc::new(RefCell::new(Phone::default()));
        let caller = Caller {
            net: Rc::clone(&net),
            phone: Rc::clone(&phone),
        };
        let uplink = Uplink {
            caller: Box::new(caller),
            seed: [at as u8 + 1; 32],
        };
        let core = terms.open_joined(MODE, &net, Some(uplink), now);
        for _ in 0..MEMBERS {
            let world = &mut *net.borrow_mut();
            let ip = [192, 0, 2, 2].into();
            let mut wire = Wire::new(ip, CAPACITY, now, &mut world.chance);
            wire.is_steady = true;
            wire.window = wire.sndbuf;
            world.connect(wire);
        }
        Site {
            core,
            net,
            phone,
            cable: None,
            said: vec![Vec::new(); MEMBERS + 1],
            heard: vec![Vec::new(); MEMBERS],
        }
    }

    /// Somebody says a line.
    fn say(&mut self, hub: usize, who: usize, len: usize) {
        let number = self.said[who].len();
        let line = format!("{hub}/{who}: {number} {}\n", "x".repeat(len));
        let net = &mut *self.net.borrow_mut();
        match who {
            0 => {
                net.stdin.there.extend(line.bytes());
                net.stdin.event = true;
            }
            member => net.wires[member - 1].under_way.extend(line.bytes()),
        }
        self.said[who].push(line);
    }

    /// The core takes note of what happened. Returns when it is now.
    fn collect(&mut self) -> Instant {
        let (sources, now) = {
            let net = &mut *self.net.borrow_mut();
            (net.take_events(), net.now)
        };
        for (source, event) in sources {
            let source = match source {
                Source::Peer(BUS) => Source::Bus,
                source => source,
            };
            self.core.collect(source, event);
        }
        now
    }

    fn turn(&mut self) {
        let now = self.collect();
        match self.core.turn(now).expect("a turn") {
            Turn::Wait(_) => {}
            Turn::HandOver(_) => panic!("it serves many"),
            Turn::Exit(status) => panic!("it ended with {status:?}"),
        }
        let log = std::mem::take(&mut self.net.borrow_mut().log);
        for did in log {
            let Did::Handed(id, bytes) = did else {
                continue;
            };
            match &mut self.cable {
                _ if id < MEMBERS => self.heard[id].extend(bytes),
                Some(cable) if cable.wire == id => cable.out.extend(bytes),
                _ => {}
            }
        }
    }
}
