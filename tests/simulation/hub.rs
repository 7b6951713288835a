//! The hub's loop over the streams of `wire.rs`: the order of a turn as in `src/hub.rs`, with the
//! real steps, a stdin and a stdout of plain bytes, and a schedule of what happens between turns.

use std::cell::RefCell;
use std::cell::RefMut;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use muxnc::engine::chat::Chat;
use muxnc::engine::journal::SEGMENT;
use muxnc::engine::lines::MAX_LINE;
use muxnc::engine::room::HIGH_WATER;
use muxnc::engine::room::LOW_WATER;
use muxnc::engine::room::Label;
use muxnc::engine::room::Policy;
use muxnc::engine::room::Room;
use muxnc::engine::room::SlowPeer;
use muxnc::engine::screen;
use muxnc::engine::screen::Screen;
use muxnc::engine::screen::Surface;
use muxnc::hub::peers::CHUNK;
use muxnc::hub::peers::DisconnectReason;
use muxnc::hub::peers::Peers;
use muxnc::io::conn::Conn;
use muxnc::io::conn::Hints;

use super::Chance;
use super::Mode;
use super::spec::Spec;
use super::wire::Fake;
use super::wire::Wire;
use super::wire::World;
use super::wire::expect;

const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that a client has under way at most.
const UNDER_WAY: usize = 512 * 1024;

/// Turns in a row that may do nothing although something was ready.
const IDLE: u32 = 3;

/// Deadlines in a row at which nothing happens, until nothing ever will: more than it takes to find
/// out who has vanished.
const WAITS: u32 = 100;

/// What a schedule came to.
pub(crate) struct Ended {
    pub(crate) turns: u64,
    pub(crate) bytes: u64,
}

pub(crate) struct Hub {
    peers: Peers<Fake>,
    world: Rc<RefCell<World>>,
    mode: Mode,
    buffer: Box<[u8]>,
    /// What the operator has typed and nobody has read.
    stdin: Vec<u8>,
    /// Whom the operator has commanded to leave.
    kicked: Vec<usize>,
    /// The operator will type no more, and that was read.
    ended: bool,
    /// Bytes that stdout takes before it is full.
    stdout: usize,
    /// What was shown of a line of a chat that is not complete.
    shown: Vec<u8>,
    /// How much everybody likes to say at once, at most.
    volume: usize,
    most_peers: usize,
    lines: usize,
    turns: u64,
    idle: u32,
}

impl Hub {
    /// Runs one schedule to its end.
    pub(crate) fn run(seed: u64, mode: Mode) -> Ended {
        let mut chance = Chance(seed);
        let mut room = Room::new(Policy {
            relay: mode.relay,
            slow: mode.slow,
            stall_timeout: STALL_TIMEOUT,
            surface: Surface::Stream,
            label: Label::Auto,
            color: false,
        });
        if mode.chat {
            room.open_chat(Chat::new("host", false));
        }
        // Few schedules are heavy: they cost most of the time.
        let volume = *chance.pick(&[40, 40, 500, 500, 500, 20_000, 20_000, 400_000]);
        let steps = 20 + chance.below(if volume == 40 { 500 } else { 150 });
        let idle = chance.one_in(6).then_some(3 * STALL_TIMEOUT);
        let mut peers = Peers::new(room);
        if let Some(limit) = idle {
            peers.limit_idle(limit);
        }
        let mut hub = Hub {
            peers,
            mode,
            buffer: vec![0; CHUNK].into(),
            stdin: Vec::new(),
            kicked: Vec::new(),
            ended: false,
            stdout: 100_000,
            shown: Vec::new(),
            volume,
            most_peers: 2 + chance.below(7),
            lines: 0,
            turns: 0,
            idle: 0,
            world: Rc::new(RefCell::new(World {
                chance,
                spec: Spec::new(mode.relay, mode.chat),
                wires: Vec::new(),
                now: Instant::now(),
                stall_timeout: STALL_TIMEOUT,
                idle,
                slow: mode.slow,
                calls: 0,
                delivered: 0,
            })),
        };
        for _ in 0..steps {
            for _ in 0..hub.below(6) {
                hub.happen();
            }
            while hub.is_ready() || hub.has_event() || hub.is_due() || hub.one_in(20) {
                hub.turn();
                if hub.one_in(2) {
                    break;
                }
            }
        }
        hub.settle();
        hub.finish();
        let ended = Ended {
            turns: hub.turns,
            bytes: hub.world().delivered,
        };
        drop(hub);
        ended
    }

    /// One turn of the loop.
    fn turn(&mut self) {
        self.turns += 1;
        let before = self.progress();
        let was_ready = self.is_ready();
        self.show();
        self.collect();
        let now = self.now();
        self.hear_operator();
        let (world, stdout, shown) = (&self.world, &mut self.stdout, &mut self.shown);
        let heard = self.peers.hear(&mut self.buffer, now, |screen| {
            show(screen, world, stdout, shown);
            Ok::<(), Infallible>(())
        });
        let Ok(()) = heard;
        self.peers.flush(now);
        self.peers.find_overdue(now);
        self.peers.find_vanished(now);
        self.peers.reap(now);
        self.check_memory();
        self.check_hold();
        match was_ready && self.progress() == before {
            true => self.idle += 1,
            false => self.idle = 0,
        }
        assert!(self.idle <= IDLE, "turns and turns, and nothing is done");
    }

    /// What says whether a turn did anything.
    fn progress(&self) -> (u64, usize, usize, usize) {
        let calls = self.world().calls;
        let here = self.peers.room.len();
        (calls, self.stdin.len(), self.stdout, here)
    }

    /// Whether the hub would not wait, as in `Hub::timeout`.
    fn is_ready(&self) -> bool {
        let said = !self.stdin.is_empty() && self.peers.room.wants_input();
        let operator = said || !self.kicked.is_empty();
        let screen = !self.peers.room.screen().is_empty() && self.stdout > 0;
        operator || screen || self.peers.is_ready()
    }

    /// Whether the hub would wait no longer.
    fn is_due(&self) -> bool {
        let deadline = self.peers.deadline();
        deadline.is_some_and(|deadline| deadline <= self.now())
    }

    fn has_event(&self) -> bool {
        let world = self.world();
        world.wires.iter().any(|w| w.has_event && !w.dropped)
    }

    /// Hands over events, in any order, and perhaps not all of them.
    fn collect(&mut self) {
        let mut ids = self.world().spec.here.clone();
        let start = self.below(ids.len() + 1);
        ids.rotate_left(start);
        for id in ids {
            let (key, hints) = {
                let mut world = self.world_mut();
                if !world.wires[id].has_event || world.chance.one_in(10) {
                    continue;
                }
                let wire = &mut world.wires[id];
                (wire.key, wire.hints())
            };
            self.peers.collect(key, hints);
        }
        if self.one_in(10) {
            // One of nobody, and one of nothing.
            let key = self.below(10);
            self.peers.collect(key + 1000, Hints::default());
            self.peers.collect(key, Hints::default());
        }
    }

    fn show(&mut self) {
        let screen = self.peers.room.screen_mut();
        show(screen, &self.world, &mut self.stdout, &mut self.shown);
    }

    fn hear_operator(&mut self) {
        for key in self.kicked.drain(..) {
            self.peers
                .queue_leave(key, DisconnectReason::Kicked(String::new()));
        }
        if self.stdin.is_empty() || !self.peers.room.wants_input() {
            return;
        }
        let count = self.stdin.len().min(CHUNK);
        let now = self.now();
        let bytes: Vec<u8> = self.stdin.drain(..count).collect();
        self.world_mut().spec.typed(&bytes);
        self.peers.room.typed(&bytes, now);
    }

    /// No more is held than may be.
    fn check_memory(&self) {
        let world = self.world();
        // A turn's input: the operator's, one read, and what everybody who leaves has begun.
        let input = 2 * CHUNK + (world.spec.here.len() + 2) * MAX_LINE;
        // The shortest lines of a chat are mostly label.
        let input = if self.mode.chat { 5 * input } else { input };
        let most = HIGH_WATER + SEGMENT as u64 + input as u64;
        let retained = self.peers.room.retained();
        assert!(retained <= most, "{retained} bytes are held");
        for &id in &world.spec.here {
            let owed = world.spec.peers[id].owed.len() as u64;
            assert!(owed <= most, "[{}] is owed {owed} bytes", id + 1);
        }
        let waiting = world.spec.screen.len();
        let most = screen::HIGH_WATER + input;
        assert!(waiting <= most, "{waiting} bytes wait for stdout");
    }

    /// Nobody waits but for somebody who could take something.
    fn check_hold(&self) {
        let world = self.world();
        let waits = !self.peers.room.wants_input() && !world.spec.here.is_empty();
        if !waits || self.mode.slow == SlowPeer::Disconnect {
            return;
        }
        let slow = world.spec.here.iter().any(|&id| {
            let peer = &world.spec.peers[id];
            let behind = world.spec.said - peer.caught_up;
            !peer.deaf && behind + 2 * SEGMENT as u64 >= LOW_WATER
        });
        assert!(slow, "everybody waits for nobody");
    }

    /// Something happens in the world.
    fn happen(&mut self) {
        self.idle = 0;
        let here = self.world().spec.here.clone();
        let what = self.below(100);
        let volume = self.volume;
        if here.is_empty() || (what < 5 && here.len() < self.most_peers) {
            return self.connect();
        }
        let id = here[self.below(here.len())];
        let mut world = self.world_mut();
        let now = world.now;
        let World { wires, chance, .. } = &mut *world;
        let wire = &mut wires[id];
        let key = wire.key;
        match what {
            5..30 if wire.sends() && wire.under_way.len() < UNDER_WAY => {
                let size = chance.up_to(volume);
                let ends = !chance.one_in(6);
                drop(world);
                let said = self.lines(id + 1, size, ends);
                self.world_mut().wires[id].under_way.extend(said);
            }
            30..50 => {
                let count = chance.up_to(2 * volume);
                wire.arrive(count);
            }
            50..65 if !wire.sleeps => {
                let count = chance.up_to(2 * volume);
                wire.take(count);
            }
            65..80 if !self.ended && self.stdin.len() < 4 * volume => {
                let size = chance.up_to(volume);
                let ends = !chance.one_in(6);
                drop(world);
                let said = self.lines(0, size, ends);
                self.stdin.extend(said);
            }
            80..84 => {
                let room = match chance.below(3) {
                    0 => 0,
                    _ => chance.up_to(4 * volume),
                };
                drop(world);
                self.stdout = room;
            }
            84..90 => {
                let most = *chance.pick(&[1, 100, 4000, 11_000]);
                let millis = chance.below(most + 1) as u64;
                world.now += Duration::from_millis(millis);
            }
            // The rest is rare: whoever is gone does nothing any more.
            90 => wire.sleeps = true,
            91 if wire.vanished.is_none() => {
                wire.ended = true;
                wire.arrive(0);
            }
            92 if chance.one_in(2) => wire.reset(),
            93 if chance.one_in(2) && wire.vanished.is_none() => {
                wire.ended = true;
                wire.closed = true;
                wire.arrive(UNDER_WAY);
            }
            94 if chance.one_in(2) => {
                wire.kicked = true;
                drop(world);
                self.kicked.push(key);
            }
            95 => {
                let on = chance.one_in(2);
                world.spec.muted(id, on);
                drop(world);
                self.peers.room.mute(key, on, now);
            }
            96 if chance.one_in(3) && self.mode.relay => {
                let on = chance.one_in(2);
                world.spec.relayed(on);
                drop(world);
                self.peers.room.relay(on, now);
            }
            97 if !wire.shut => {
                let times = chance.up_to(30);
                drop(world);
                for _ in 0..times {
                    self.tell(id, key);
                }
            }
            98 if wire.sends() => wire.vanished = Some(now),
            99 if chance.one_in(10) && !self.ended => {
                drop(world);
                self.end();
            }
            _ => {}
        }
    }

    /// A line of the operator to one peer alone, as in `Hub::obey`.
    fn tell(&mut self, id: usize, key: usize) {
        let said = self.lines(0, 1, true);
        let label: &[u8] = if self.mode.chat { b"<host> " } else { b"" };
        self.world_mut().spec.told(id, &[label, &said].concat());
        self.peers.room.tell(key, &said);
        self.peers.queue_flush(key);
    }

    fn connect(&mut self) {
        if self.ended {
            return;
        }
        let id = {
            let mut world = self.world_mut();
            let World {
                wires,
                chance,
                spec,
                now,
                ..
            } = &mut *world;
            let key = self.peers.room.next_key();
            let capacity = self.volume / 50 + chance.up_to(20 * self.volume.min(40_000));
            wires.push(Wire::new(key, capacity, *now, chance));
            spec.joined()
        };
        let fake = Fake {
            id,
            world: Rc::clone(&self.world),
        };
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let key = self.peers.admit(Conn::new(fake, addr), self.now());
        assert_eq!(key, self.world().wires[id].key);
    }

    /// The end of the operator's input, as in `Hub::finish_input`.
    fn end(&mut self) {
        self.ended = true;
        self.world_mut().spec.typed_end();
        self.peers.room.typed_end(self.now());
        self.peers.half_close_all();
        self.peers.queue_flush_all();
    }

    /// Lets everything arrive. Whoever sleeps may be waited for and cut off, but everybody else has
    /// everything then; and then those who slept have it too. At last things happen one by one, so
    /// that no other covers up for what is forgotten after it.
    fn settle(&mut self) {
        for round in 0..8 {
            if round > 1 {
                self.happen();
            }
            if round > 0 {
                let wires = &mut self.world_mut().wires;
                wires.iter_mut().for_each(|wire| wire.sleeps = false);
            }
            self.run_until_quiet();
            let world = self.world();
            assert!(world.idle.is_none() || world.spec.here.is_empty(), "idle");
            let unsaid = self.stdin.len();
            assert!(unsaid == 0 || world.spec.here.is_empty(), "{unsaid} unsaid");
            assert!(world.spec.screen.is_empty(), "not all was shown");
            for &id in &world.spec.here {
                let (wire, peer) = (&world.wires[id], &world.spec.peers[id]);
                if wire.sleeps {
                    continue;
                }
                let who = id + 1;
                let owed = peer.owed.len();
                assert_eq!(owed, 0, "[{who}] was not handed all: {wire:?}");
                assert!(wire.is_drained(), "[{who}] was not heard: {wire:?}");
                assert!(!wire.must_leave(), "[{who}] stays: {wire:?}");
            }
        }
    }

    /// Everybody is told the end, and ends.
    fn finish(&mut self) {
        self.stdin.clear();
        if !self.ended {
            self.end();
        }
        self.run_until_quiet();
        for wire in &mut self.world_mut().wires {
            assert!(wire.shut || wire.dropped, "was not ended: {wire:?}");
            wire.vanished = None;
            wire.ended = true;
            wire.arrive(0);
        }
        self.run_until_quiet();
        assert!(self.peers.room.is_empty(), "somebody stays");
        assert!(self.world().spec.screen.is_empty(), "not all was shown");
    }

    /// Turns until the hub would wait for ever, while the network brings everything there and
    /// whoever is awake reads.
    fn run_until_quiet(&mut self) {
        let mut waits = 0;
        for _ in 0..100_000 {
            self.stdout = usize::MAX / 2;
            for wire in &mut self.world_mut().wires {
                wire.arrive(UNDER_WAY);
                if !wire.sleeps && !wire.is_slow {
                    wire.take(usize::MAX);
                }
            }
            let before = self.progress();
            if !self.is_ready() && !self.has_event() {
                waits += 1;
                // While somebody is asleep, there is no end of looking whether it is still there.
                if waits > WAITS || !self.wait() {
                    return;
                }
            }
            self.turn();
            if self.progress() != before {
                waits = 0;
            }
        }
        panic!("it never comes to rest");
    }

    /// Nothing is to be done before time has passed. Returns false if time changes nothing.
    fn wait(&self) -> bool {
        let deadline = self.peers.deadline();
        let World {
            wires, now, chance, ..
        } = &mut *self.world_mut();
        let mut slow = wires
            .iter_mut()
            .filter(|wire| wire.is_slow && !wire.sleeps && !wire.dropped && wire.down > 0)
            .peekable();
        if slow.peek().is_some() {
            // They do take something, shortly before they would be cut off.
            *now += STALL_TIMEOUT * (5 + chance.below(5) as u32) / 10;
            slow.for_each(|wire| wire.take(3 * SEGMENT));
            return true;
        }
        *now = (*now).max(deadline.unwrap_or(*now));
        deadline.is_some()
    }

    /// Lines of somebody, each of which tells whose and which it is.
    fn lines(&mut self, who: usize, size: usize, ends: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < size {
            self.lines += 1;
            bytes.extend(format!("{who}.{} ", self.lines).bytes());
            let most = (size - bytes.len().min(size)).max(1);
            let filling = self.world_mut().chance.up_to(most);
            let letter = b'a' + (self.lines % 26) as u8;
            bytes.resize(bytes.len() + filling, letter);
            bytes.push(b'\n');
        }
        if !ends {
            bytes.pop();
        }
        bytes
    }

    fn world(&self) -> std::cell::Ref<'_, World> {
        self.world.borrow()
    }

    fn world_mut(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    fn now(&self) -> Instant {
        self.world().now
    }

    fn below(&self, bound: usize) -> usize {
        self.world_mut().chance.below(bound)
    }

    fn one_in(&self, of: usize) -> bool {
        self.below(of) == 0
    }
}

/// The screen to a stdout that takes so many bytes more.
fn show(screen: &mut Screen, world: &RefCell<World>, room: &mut usize, part: &mut Vec<u8>) {
    while *room > 0 && !screen.is_empty() {
        let count = screen.front().len().min(*room);
        let spec = &mut world.borrow_mut().spec;
        let bytes = &screen.front()[..count];
        if spec.chat {
            // Who comes and goes is not announced to a stdout that is stuck.
            part.extend(bytes);
            let whole = part
                .iter()
                .rposition(|&b| b == b'\n')
                .map_or(0, |lf| lf + 1);
            for line in part[..whole].split_inclusive(|&byte| byte == b'\n') {
                if !line.starts_with(b"* ") {
                    expect(&mut spec.screen, line, format_args!("the screen shows"));
                }
            }
            part.drain(..whole);
        } else {
            expect(&mut spec.screen, bytes, format_args!("the screen shows"));
        }
        *room -= count;
        screen.consume(count);
    }
}
