//! `--once`: the core with room for one, until it hands that one over.
//!
//! Connections come, shake hands as far as they get, or break off, and say something; each of the same
//! hosts as in the other schedules, of which one may not be let in. Handed over is the first whose
//! handshake was completed, with every byte that it said unread.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use muxnc::engine::handshakes;
use muxnc::engine::room::SlowPeer;
use muxnc::hub::core::Core;
use muxnc::hub::core::Turn;
use muxnc::io::conn::Conn;

use super::Chance;
use super::Mode;
use super::terms::Terms;
use super::terms::host;
use super::wire::Shake;
use super::wire::Wire;
use super::world::Did;
use super::world::Fake;
use super::world::Handle;
use super::world::Model;
use super::world::Net;

/// What is left to chance is the same whatever kind of hub it is.
const MODE: Mode = Mode {
    relay: false,
    chat: false,
    slow: SlowPeer::Wait,
    is_whole: false,
};

/// What a schedule came to.
pub(crate) struct Ended {
    /// Bytes that were handed over unread.
    pub(crate) bytes: usize,
    /// Who was accepted before, and came to nothing.
    pub(crate) failed: usize,
}

pub(crate) struct Once {
    core: Core<Model>,
    net: Handle,
    is_denied: bool,
    /// What each has said.
    said: BTreeMap<usize, Vec<u8>>,
    /// When each was accepted.
    accepted: BTreeMap<usize, Instant>,
    until: Option<Instant>,
    failed: usize,
    /// Those that were given up since descriptors ran out.
    made_way: BTreeSet<usize>,
}

impl Once {
    /// Runs one schedule to its end.
    pub(crate) fn run(seed: u64) -> Ended {
        let mut chance = Chance(seed);
        let terms = Terms::once(MODE, &mut chance);
        let now = Instant::now();
        let net = Net::new(chance, now, terms.stdin, false);
        net.borrow_mut().stdin.there.extend(b"not to be read\n");
        net.borrow_mut().stdin.event = true;
        let mut once = Once {
            core: terms.open(MODE, &net, now),
            net,
            is_denied: !terms.lists.deny.is_empty(),
            said: BTreeMap::new(),
            accepted: BTreeMap::new(),
            until: None,
            made_way: BTreeSet::new(),
            failed: 0,
        };
        let conn = once.serve();
        once.check_handed_over(conn)
    }

    fn serve(&mut self) -> Conn<Fake> {
        let steps = self.net.borrow_mut().chance.below(60);
        for _ in 0..steps {
            self.happen();
            if self.net.borrow_mut().chance.one_in(2)
                && let Some(conn) = self.turn()
            {
                return conn;
            }
        }
        if let Some(conn) = self.settle() {
            return conn;
        }
        let net = self.net.borrow();
        assert!(net.listens, "it listens no more, and served nobody");
        for (id, wire) in net.wires.iter().enumerate() {
            let comes = self.lets_in(wire) && wire.fate == Shake::Done && wire.sends();
            assert!(wire.dropped || !comes, "{id} is not served: {wire:?}");
        }
        drop(net);
        // Whatever came before: the next who can be served is. It may break off before it is accepted.
        for _ in 0..20 {
            let wire = self.newcomer([192, 0, 2, 1]);
            self.net.borrow_mut().connect(wire);
            if let Some(conn) = self.settle() {
                return conn;
            }
        }
        panic!("nobody is served");
    }

    fn newcomer(&self, ip: [u8; 4]) -> Wire {
        let net = &mut *self.net.borrow_mut();
        Wire::new(ip.into(), 10_000, net.now, &mut net.chance)
    }

    /// Something happens in the world.
    fn happen(&mut self) {
        let net = &mut *self.net.borrow_mut();
        let (now, chance) = (net.now, &mut net.chance);
        let what = chance.below(100);
        if what < 12 || net.wires.is_empty() {
            let mut wire = Wire::new(host(chance), 10_000, now, chance);
            // Most do not get there, or it would be over with the first.
            if !chance.one_in(8) {
                wire.shake = Shake::Waits(chance.below(4) as u32);
                wire.fate = *chance.pick(&[
                    Shake::Done,
                    Shake::Foreign,
                    Shake::Failed,
                    Shake::Failed,
                    Shake::Failed,
                ]);
            }
            return net.connect(wire);
        }
        let id = chance.below(net.wires.len());
        let wire = &mut net.wires[id];
        match what {
            12..40 => wire.shake(),
            40..60 if wire.sends() && wire.fate == Shake::Done => {
                let line = format!("{id} says {what}\n");
                wire.under_way.extend(line.bytes());
                self.said.entry(id).or_default().extend(line.bytes());
            }
            60..75 => wire.arrive(chance.up_to(100)),
            75..79 if !wire.vanished => wire.end(),
            79..82 => wire.reset(),
            82..85 if !wire.vanished => wire.close(),
            85..87 if wire.sends() => wire.vanish(now),
            87..95 => net.now += Duration::from_millis(chance.below(4000) as u64),
            _ => {}
        }
    }

    /// Everything arrives, who can goes on, and time passes until nothing is to be done.
    fn settle(&mut self) -> Option<Conn<Fake>> {
        for _ in 0..10_000 {
            {
                let net = &mut *self.net.borrow_mut();
                for wire in net.wires.iter_mut().filter(|wire| !wire.dropped) {
                    wire.arrive(usize::MAX);
                    wire.shake();
                }
                // Of stdin it does not want to know.
                net.stdin.event = false;
                let is_due = self.until.is_some_and(|at| at <= net.now);
                if !is_due && !net.has_event() {
                    net.now = self.until?;
                }
            }
            if let Some(conn) = self.turn() {
                return Some(conn);
            }
        }
        panic!("it never comes to rest");
    }

    /// One turn of the core.
    fn turn(&mut self) -> Option<Conn<Fake>> {
        let (sources, now) = {
            let net = &mut *self.net.borrow_mut();
            (net.take_events(), net.now)
        };
        for (source, event) in sources {
            self.core.collect(source, event);
        }
        let turn = self.core.turn(now).expect("a turn");
        let places = self.core.room().places_taken();
        assert_eq!(places, 0, "somebody is in and not handed over");
        match turn {
            Turn::HandOver(conn) => Some(*conn),
            Turn::Wait(until) => {
                self.until = until;
                self.check_wait(now);
                None
            }
            Turn::Exit(status) => panic!("it ended with {status:?} and served nobody"),
        }
    }

    /// Nobody could be served yet.
    fn check_wait(&mut self, now: Instant) {
        self.check_log();
        let net = self.net.borrow();
        for (id, wire) in net.wires.iter().enumerate() {
            if wire.key.is_none() || !self.lets_in(wire) {
                continue;
            }
            let is_through = wire.shake == Shake::Done && !wire.dropped;
            assert!(!is_through, "{id} could be served: {wire:?}");
            let is_late = now - self.accepted[&id] >= handshakes::LIMIT;
            let is_over = wire.fate != Shake::Done || !wire.sends() || is_late;
            let is_over = is_over || self.made_way.contains(&id);
            assert!(!wire.dropped || is_over, "{id} was closed: {wire:?}");
        }
    }

    /// What was done to whoever is not served. Returns who was read.
    fn check_log(&mut self) -> Vec<usize> {
        let mut heard = Vec::new();
        let (log, now) = {
            let net = &mut *self.net.borrow_mut();
            (std::mem::take(&mut net.log), net.now)
        };
        let mut has_run_out = false;
        for did in log {
            match did {
                Did::Accepted(id) => drop(self.accepted.insert(id, now)),
                Did::RanOut => has_run_out = true,
                Did::Failed(_) | Did::Shut(_) => {}
                Did::Judged(_) | Did::Replaced(_) => {}
                Did::Dropped(id) => {
                    self.failed += 1;
                    // Who does not go on makes way for whoever needs a descriptor.
                    let came = self.accepted.get(&id);
                    let is_slow = came.is_some_and(|came| now - *came >= handshakes::SILENCE);
                    if has_run_out && is_slow {
                        self.made_way.insert(id);
                    }
                }
                Did::Heard(id, _) | Did::HeardEnd(id) => heard.push(id),
                Did::Handed(id, bytes) => {
                    let is_why = bytes.starts_with(&b"muxnc: "[..bytes.len().min(7)]);
                    assert!(is_why, "{id} is handed {bytes:?}");
                }
                Did::Typed(_) | Did::Shown(_) | Did::FoundClosed | Did::ClosedListener => {
                    panic!("that is for whoever serves: {did:?}")
                }
            }
        }
        // Only from who is turned away and was told why something is read, and that is thrown away.
        let net = self.net.borrow();
        for id in &heard {
            let wire = &net.wires[*id];
            let is_told_why = wire.written > 0;
            assert!(wire.shut || is_told_why, "{id} was read");
        }
        heard
    }

    /// Exactly one is handed over, and it lacks nothing.
    fn check_handed_over(mut self, conn: Conn<Fake>) -> Ended {
        let Some(addr) = conn.addr().socket_addr() else {
            panic!("an address without a port");
        };
        let id = usize::from(addr.port());
        let heard = self.check_log();
        assert!(!heard.contains(&id), "{id} was read");
        let failed = self.failed;
        let is_let_in = self.lets_in(&self.net.borrow().wires[id]);
        drop(self.core);
        let net = Rc::clone(&self.net);
        let bytes = {
            let net = net.borrow();
            let wire = &net.wires[id];
            assert!(is_let_in, "{id} may not be served");
            assert_eq!(wire.shake, Shake::Done, "{id} is not through: {wire:?}");
            assert!(!wire.dropped && !wire.shut, "{id} was closed: {wire:?}");
            assert_eq!(wire.written, 0, "{id} was told something");
            let said = self.said.remove(&id).unwrap_or_default();
            let left: Vec<u8> = wire.up.iter().chain(&wire.under_way).copied().collect();
            // A reset undoes what is still under way.
            assert!(said.starts_with(&left), "{id} was read");
            assert!(wire.broken || left == said, "{id} was read");
            let mut others = net.wires.iter().enumerate();
            let other = others.find(|(other, wire)| *other != id && !wire.dropped);
            assert!(other.is_none(), "not refused: {other:?}");
            assert!(!net.listens, "it listens on");
            left.len()
        };
        drop(conn);
        assert!(net.borrow().wires[id].dropped);
        Ended { bytes, failed }
    }

    fn lets_in(&self, wire: &Wire) -> bool {
        !self.is_denied || wire.ip != std::net::IpAddr::from([192, 0, 2, 3])
    }
}
