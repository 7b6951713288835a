//! Streams that no kernel has, which do what a kernel's may do: give and take in pieces, be full or
//! empty at any point, be interrupted, break, and tell of all that once, as epoll(7) does when it is
//! edge-triggered.
//!
//! Whatever the hub does to a stream is held against the specification at once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::fmt::Debug;
use std::fmt::Formatter;
use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::io::Read;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use muxnc::engine::dead_peer::Outstanding;
use muxnc::engine::journal::SEGMENT;
use muxnc::engine::room::HIGH_WATER;
use muxnc::engine::room::LOW_WATER;
use muxnc::engine::room::SlowPeer;
use muxnc::io::conn::Hints;
use muxnc::io::conn::Stream;
use muxnc::io::tcp_info::TcpInfo;

use super::Chance;
use super::spec::Spec;

/// Nobody is given up before it was silent for so long.
const VANISHED: Duration = Duration::from_secs(80);

/// The network, everybody on it, and what should happen.
pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) spec: Spec,
    pub(crate) wires: Vec<Wire>,
    pub(crate) now: Instant,
    pub(crate) stall_timeout: Duration,
    /// How long somebody may be idle, if there is a limit.
    pub(crate) idle: Option<Duration>,
    pub(crate) slow: SlowPeer,
    /// How often the hub did something to a stream.
    pub(crate) calls: u64,
    pub(crate) delivered: u64,
}

/// One connection, as the kernel sees it.
#[derive(Default)]
pub(crate) struct Wire {
    /// Its key in the room.
    pub(crate) key: usize,
    /// What the client sent and the network still has.
    pub(crate) under_way: VecDeque<u8>,
    /// What has arrived and was not read.
    up: VecDeque<u8>,
    /// The client has ended its side: so it says, that has arrived, it was read.
    pub(crate) ended: bool,
    end_arrived: bool,
    end_read: bool,
    /// The last read found nothing.
    was_empty: bool,
    /// Bytes that were written and that the client has not read, and how many may be.
    pub(crate) down: usize,
    pub(crate) capacity: usize,
    /// The hub could not write all it wanted.
    wants_room: bool,
    /// The hub has ended its side.
    pub(crate) shut: bool,
    /// The client has closed: what is sent to it breaks the connection.
    pub(crate) closed: bool,
    pub(crate) broken: bool,
    /// What a system call is told of that, once.
    error: Option<ErrorKind>,
    write_failed: bool,
    /// It has no power or no cable any more: since when nothing comes from it, and nothing arrives.
    pub(crate) vanished: Option<Instant>,
    /// When anything was last read or written, or it came.
    pub(crate) active: Option<Instant>,
    /// The operator wants it to leave.
    pub(crate) kicked: bool,
    /// The hub has closed it.
    pub(crate) dropped: bool,
    /// Something has changed that an event tells of.
    pub(crate) has_event: bool,
    /// It reads only when everybody else is through.
    pub(crate) sleeps: bool,
    /// It reads little, but that it does.
    pub(crate) is_slow: bool,
    /// When how much had been written in all.
    written: Vec<(Instant, u64)>,
}

impl Debug for Wire {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let mut flags = Vec::new();
        for (name, is) in [
            ("ended", self.ended),
            ("end_arrived", self.end_arrived),
            ("end_read", self.end_read),
            ("was_empty", self.was_empty),
            ("wants_room", self.wants_room),
            ("shut", self.shut),
            ("closed", self.closed),
            ("broken", self.broken),
            ("write_failed", self.write_failed),
            ("kicked", self.kicked),
            ("dropped", self.dropped),
            ("has_event", self.has_event),
            ("sleeps", self.sleeps),
            ("is_slow", self.is_slow),
            ("vanished", self.vanished.is_some()),
        ] {
            if is {
                flags.push(name);
            }
        }
        write!(
            out,
            "key {}, {} bytes under way, {} arrived, {} of {} not taken, {:?}, {flags:?}",
            self.key,
            self.under_way.len(),
            self.up.len(),
            self.down,
            self.capacity,
            self.error,
        )
    }
}

/// The hub's end of a wire.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) id: usize,
    pub(crate) world: Rc<RefCell<World>>,
}

impl Wire {
    pub(crate) fn new(key: usize, capacity: usize, now: Instant, chance: &mut Chance) -> Wire {
        Wire {
            active: Some(now),
            key,
            capacity,
            sleeps: chance.one_in(12),
            is_slow: chance.one_in(6),
            // Registering tells of what is so already.
            has_event: true,
            ..Wire::default()
        }
    }

    /// Lets some of what is under way arrive.
    pub(crate) fn arrive(&mut self, count: usize) {
        if self.broken || self.vanished.is_some() {
            return;
        }
        let count = count.min(self.under_way.len());
        self.up.extend(self.under_way.drain(..count));
        let ended = self.ended && self.under_way.is_empty() && !self.end_arrived;
        self.end_arrived |= ended;
        self.has_event |= count > 0 || ended;
    }

    /// The client takes some of what was sent to it.
    pub(crate) fn take(&mut self, count: usize) {
        if self.vanished.is_some() {
            return;
        }
        let count = count.min(self.down);
        self.down -= count;
        if count > 0 && self.wants_room {
            self.wants_room = false;
            self.has_event = true;
        }
    }

    /// A reset has arrived. What had arrived before can still be read.
    pub(crate) fn reset(&mut self) {
        if !self.broken {
            self.broken = true;
            // tcp_reset(): who has read the end is told that the pipe is broken.
            self.error = Some(match self.end_arrived {
                true => ErrorKind::BrokenPipe,
                false => ErrorKind::ConnectionReset,
            });
            self.under_way.clear();
            self.down = 0;
            self.has_event = true;
        }
    }

    /// What the event says.
    pub(crate) fn hints(&mut self) -> Hints {
        self.has_event = false;
        Hints {
            readable: !self.up.is_empty() || self.end_arrived || self.broken,
            writable: self.down < self.capacity || self.broken,
            read_closed: self.end_arrived || self.broken,
            write_closed: self.broken,
            error: self.broken,
            urgent: false,
        }
    }

    /// Whether everything that can be read was read.
    pub(crate) fn is_drained(&self) -> bool {
        if self.vanished.is_some() {
            return self.up.is_empty();
        }
        self.under_way.is_empty() && self.up.is_empty() && (self.end_read || !self.ended)
    }

    /// Whether it cannot stay.
    pub(crate) fn must_leave(&self) -> bool {
        let vanished = self.vanished.is_some() && self.down > 0;
        let ended = self.shut && self.ended;
        self.broken || self.write_failed || self.kicked || vanished || ended
    }

    /// Whether the client can say more.
    pub(crate) fn sends(&self) -> bool {
        !self.ended && !self.broken && self.vanished.is_none()
    }

    /// Bytes written for so long.
    fn written_since(&self, since: Instant) -> u64 {
        let sum = |at: Option<&(Instant, u64)>| at.map_or(0, |&(_, sum)| sum);
        let before = self.written.partition_point(|&(at, _)| at <= since);
        sum(self.written.last()) - sum(before.checked_sub(1).map(|at| &self.written[at]))
    }
}

impl Read for Fake {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let World {
            wires,
            chance,
            spec,
            calls,
            now,
            ..
        } = &mut *self.world.borrow_mut();
        *calls += 1;
        let wire = &mut wires[self.id];
        if chance.one_in(20) {
            return Err(ErrorKind::Interrupted.into());
        }
        let count = wire.up.len().min(buffer.len());
        if count > 0 {
            wire.active = Some(*now);
            for (to, from) in buffer.iter_mut().zip(wire.up.drain(..count)) {
                *to = from;
            }
            spec.heard(self.id, &buffer[..count]);
        }
        // Something may arrive at that very moment.
        if chance.one_in(3) {
            let more = chance.up_to(100_000);
            wire.arrive(more);
        }
        wire.was_empty = count == 0;
        if count > 0 {
            return Ok(count);
        }
        if wire.end_arrived {
            if !wire.end_read && !wire.write_failed && wire.error.is_none() {
                spec.ended(self.id);
                if spec.chat {
                    spec.told(self.id, b"* you only listen from now on\n");
                }
            }
            wire.end_read = true;
            return Ok(0);
        }
        if let Some(error) = wire.error.take() {
            return Err(error.into());
        }
        match wire.broken {
            true => Ok(0),
            false => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Fake {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let World {
            wires,
            chance,
            spec,
            calls,
            delivered,
            now,
            ..
        } = &mut *self.world.borrow_mut();
        *calls += 1;
        let wire = &mut wires[self.id];
        let who = self.id + 1;
        assert!(!wire.write_failed, "[{who}] was written to after it broke");
        assert!(!wire.shut, "[{who}] was written to after its end");
        if chance.one_in(20) {
            return Err(ErrorKind::Interrupted.into());
        }
        // Also without that an event tells of it.
        if wire.broken || chance.one_in(1000) {
            wire.write_failed = true;
            spec.peers[self.id].deaf = true;
            let error = wire.error.take().unwrap_or(ErrorKind::BrokenPipe);
            return Err(error.into());
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(offered > 0, "[{who}] was written nothing");
        let mut count = offered.min(wire.capacity - wire.down);
        if count > 0 && chance.one_in(8) {
            // It was full, and is not any more.
            count = chance.up_to(count);
            wire.has_event |= count < offered;
        }
        wire.wants_room |= count < offered;
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        // Here it is seen whether each is handed what it should be.
        let peer = &mut spec.peers[self.id];
        let mut left = count;
        for slice in slices {
            let bytes = &slice[..slice.len().min(left)];
            expect(&mut peer.owed, bytes, format_args!("[{who}] is handed"));
            left -= bytes.len();
        }
        if peer.owed.is_empty() {
            peer.caught_up = spec.said;
        }
        let sum = wire.written.last().map_or(0, |&(_, sum)| sum) + count as u64;
        wire.written.push((*now, sum));
        wire.down += count;
        wire.active = Some(*now);
        *delivered += count as u64;
        if wire.closed {
            wire.reset();
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Fake {
    fn shutdown(&mut self) -> io::Result<()> {
        let World {
            wires, spec, calls, ..
        } = &mut *self.world.borrow_mut();
        *calls += 1;
        let who = self.id + 1;
        let (wire, peer) = (&mut wires[self.id], &mut spec.peers[self.id]);
        assert!(!wire.shut, "[{who}] was ended twice");
        let owed = peer.owed.len();
        assert_eq!(owed, 0, "[{who}] was ended before it was handed all");
        wire.shut = true;
        peer.deaf = true;
        match wire.broken {
            true => Err(ErrorKind::NotConnected.into()),
            false => Ok(()),
        }
    }

    fn take_error(&mut self) -> Option<io::Error> {
        let error = self.world.borrow_mut().wires[self.id].error.take();
        error.map(io::Error::from)
    }

    fn outstanding(&self, _: &mut TcpInfo) -> Option<Outstanding> {
        let world = self.world.borrow();
        let wire = &world.wires[self.id];
        let vanished = wire.vanished.filter(|_| wire.down > 0);
        Some(Outstanding {
            unanswered: vanished.is_some(),
            waiting: wire.down > 0,
            silent: vanished.map_or(Duration::MAX, |since| world.now - since),
        })
    }
}

/// The hub has closed it: was it right?
impl Drop for Fake {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let world = &mut *self.world.borrow_mut();
        world.calls += 1;
        let now = world.now;
        let who = self.id + 1;
        let spec = &mut world.spec;
        let wire = &mut world.wires[self.id];
        wire.dropped = true;
        let peer = &spec.peers[self.id];
        let behind = spec.said - peer.caught_up;
        let stalled = now.checked_sub(world.stall_timeout).is_some_and(|since| {
            let enough = 2 * SEGMENT as u64;
            behind + SEGMENT as u64 >= LOW_WATER && wire.written_since(since) < enough
        });
        let too_far = world.slow == SlowPeer::Disconnect && behind > HIGH_WATER;
        let vanished = wire.vanished.is_some_and(|at| now - at >= VANISHED);
        let idle = world.idle.is_some_and(|limit| {
            let active = wire.active.expect("it came");
            now - active >= limit
        });
        if !wire.kicked && !stalled && !too_far && !vanished && !idle {
            let over = wire.broken || wire.write_failed || (wire.end_read && wire.shut);
            assert!(over, "[{who}] was cut off for nothing: {wire:?}");
            // What it said before is heard first.
            assert!(wire.was_empty, "[{who}] left unheard: {wire:?}");
        }
        spec.left(self.id);
        spec.peers[self.id].deaf = true;
        spec.peers[self.id].owed = VecDeque::new();
    }
}

/// Takes `bytes` from what should come next.
pub(crate) fn expect(next: &mut VecDeque<u8>, bytes: &[u8], what: fmt::Arguments<'_>) {
    assert!(
        bytes.len() <= next.len(),
        "{what} {} bytes of {}: {:?}",
        bytes.len(),
        next.len(),
        String::from_utf8_lossy(&bytes[next.len().min(bytes.len())..][..1]),
    );
    let (head, tail) = next.as_slices();
    let middle = head.len().min(bytes.len());
    let same = head[..middle] == bytes[..middle] && tail[..bytes.len() - middle] == bytes[middle..];
    if !same {
        let at = next
            .iter()
            .zip(bytes)
            .position(|(a, b)| a != b)
            .unwrap_or(0);
        let from = at.saturating_sub(20);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        panic!(
            "{what} at {at}\n {:?}\n instead of\n {:?}",
            text(bytes.iter().skip(from).take(60).copied().collect()),
            text(next.iter().skip(from).take(60).copied().collect()),
        );
    }
    next.drain(..bytes.len());
}
