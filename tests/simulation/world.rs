//! A world that no kernel has: a listener with its backlog, the connections of `wire.rs`, stdin,
//! stdout and stderr.
//!
//! What the core does to it is written down, in its order, and held against the specification when the
//! turn is over; nothing here knows what should happen.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::time::Instant;

use muxnc::engine::explain::Agreement;
use muxnc::engine::explain::Reading;
use muxnc::engine::explain::Witness;
use muxnc::hub::core;
use muxnc::io::addr::Addr;
use muxnc::io::conn::Conn;
use muxnc::io::device::Device;
use muxnc::io::device::Kind;
use muxnc::io::output::Output;
use muxnc::io::readiness::Event;
use muxnc::io::readiness::Watch;
use muxnc::io::stdin::Stdin;
use muxnc::io::stream::Ahead;
use muxnc::io::stream::Beside;
use muxnc::io::stream::Handshake;
use muxnc::io::stream::Received;
use muxnc::io::stream::Refusal;
use muxnc::io::stream::Sent;
use muxnc::io::stream::Stream;
use muxnc::io::stream::Unread;
use muxnc::io::tcp_info::TcpInfo;
use muxnc::io::world::World;
use muxnc::io::zero_copy::Copied;

use super::Chance;
use super::terms::host;
use super::wire::Shake;
use super::wire::Wire;

/// No descriptor is left (accept(2)).
const EMFILE: i32 = 24;

/// Something that the core did.
#[derive(Debug)]
pub(crate) enum Did {
    /// Read so much of stdin.
    Typed(Vec<u8>),
    /// Took a connection.
    Accepted(usize),
    /// Found no descriptor for another one.
    RanOut,
    /// Read from a connection; read its end.
    Heard(usize, Vec<u8>),
    HeardEnd(usize),
    /// Wrote to a connection; was told that it broke.
    Handed(usize, Vec<u8>),
    Failed(usize),
    /// Ended our side of a connection; closed it.
    Shut(usize),
    Dropped(usize),
    /// Decided whether to close a browser's connection is to break it: so it does when that leaves.
    Judged(usize),
    /// Let one from a browser go, which is back over another connection.
    Replaced(usize),
    /// Closed the listener.
    ClosedListener,
    /// Wrote to stdout; found it closed.
    Shown(Vec<u8>),
    FoundClosed,
}

/// Everything there is beside the core.
pub(crate) struct Net {
    pub(crate) chance: Chance,
    pub(crate) now: Instant,
    pub(crate) wires: Vec<Wire>,
    /// How many were told of that ended or broke.
    told: usize,
    /// Who waits to be accepted, and whether an event tells of it.
    pub(crate) backlog: VecDeque<usize>,
    pub(crate) knocks: bool,
    /// The last who tried to take one found no descriptor.
    pub(crate) is_exhausted: bool,
    pub(crate) listens: bool,
    pub(crate) stdin: Source,
    pub(crate) stdout: Sink,
    pub(crate) stderr: Vec<u8>,
    /// What the core did in this turn.
    pub(crate) log: Vec<Did>,
    /// How often it did something.
    pub(crate) calls: u64,
    /// Nobody comes or goes but when the schedule says so.
    pub(crate) is_calm: bool,
    /// The schedule is over: what happens now does not matter.
    pub(crate) is_over: bool,
}

/// Standard input.
pub(crate) struct Source {
    pub(crate) kind: Kind,
    pub(crate) there: VecDeque<u8>,
    pub(crate) ended: bool,
    pub(crate) end_read: bool,
    /// It cannot be read on; and that was found out.
    pub(crate) fails: bool,
    pub(crate) has_failed: bool,
    pub(crate) event: bool,
}

/// Standard output.
pub(crate) struct Sink {
    /// Bytes that it takes before it is full.
    pub(crate) room: usize,
    pub(crate) closed: bool,
    pub(crate) wants_room: bool,
    pub(crate) event: bool,
}

impl Source {
    /// Whether it can happen that it fails: not behind its end, and a terminal is another matter.
    pub(crate) fn may_fail(&self) -> bool {
        let is_before_end = !self.ended || !self.there.is_empty();
        is_before_end && self.kind != Kind::Terminal
    }
}

impl Sink {
    pub(crate) fn drain(&mut self, room: usize) {
        self.room = room;
        if self.wants_room && (room > 0 || self.closed) {
            self.wants_room = false;
            self.event = true;
        }
    }
}

impl Net {
    /// One in which nothing has happened yet.
    pub(crate) fn new(chance: Chance, now: Instant, stdin: Kind, ended: bool) -> Handle {
        Rc::new(RefCell::new(Net {
            chance,
            now,
            told: 0,
            wires: Vec::new(),
            backlog: VecDeque::new(),
            knocks: false,
            is_exhausted: false,
            listens: true,
            stdin: Source {
                kind: stdin,
                there: VecDeque::new(),
                ended,
                end_read: false,
                fails: false,
                has_failed: false,
                event: false,
            },
            stdout: Sink {
                room: 100_000,
                closed: false,
                wants_room: false,
                event: false,
            },
            stderr: Vec::new(),
            log: Vec::new(),
            calls: 0,
            is_calm: false,
            is_over: false,
        }))
    }

    /// Whether any event tells of something.
    pub(crate) fn has_event(&self) -> bool {
        let knocks = self.knocks && self.listens;
        let mut wires = self.wires.iter();
        let event = wires.any(|w| w.has_event && !w.dropped && w.key.is_some());
        event || knocks || self.stdin.event || self.stdout.event
    }

    /// What events tell of, in any order, and perhaps not all of them.
    pub(crate) fn take_events(&mut self) -> Vec<(core::Source, Event)> {
        let mut sources: Vec<(core::Source, Event)> = Vec::new();
        for wire in &mut self.wires {
            wire.is_untold = false;
            let Some(key) = wire.key.filter(|_| wire.has_event && !wire.dropped) else {
                continue;
            };
            wire.is_untold = self.chance.one_in(10);
            if !wire.is_untold {
                sources.push((core::Source::Peer(key), wire.event()));
            }
        }
        let stdin = Event {
            read_closed: self.stdin.ended,
            ..READY
        };
        let others = [
            (core::Source::Listener(0), READY, &mut self.knocks),
            (core::Source::Stdin, stdin, &mut self.stdin.event),
            (core::Source::Stdout, READY, &mut self.stdout.event),
        ];
        for (source, what, event) in others {
            if *event && !self.chance.one_in(10) {
                *event = false;
                sources.push((source, what));
            }
        }
        if self.chance.one_in(10) {
            // One of nobody, and one of nothing.
            let key = self.chance.below(10);
            sources.push((core::Source::Peer(key + 1000), READY));
            sources.push((core::Source::Peer(key), Event::default()));
        }
        let start = self.chance.below(sources.len() + 1);
        sources.rotate_left(start);
        for (source, _) in &sources {
            let is_its = |wire: &&mut Wire| {
                wire.key
                    .is_some_and(|key| *source == core::Source::Peer(key))
            };
            let wire = self
                .wires
                .iter_mut()
                .filter(|wire| !wire.dropped)
                .find(is_its);
            if let Some(wire) = wire.filter(|wire| wire.told_end || wire.told_break) {
                self.told += 1;
                wire.told_after = self.told;
            }
        }
        sources
    }

    /// Somebody connects.
    pub(crate) fn connect(&mut self, mut wire: Wire) {
        let others = self.wires.iter().enumerate();
        let over = others.filter(|(_, other)| other.is_over() && !other.dropped);
        wire.over_before = over.map(|(id, _)| id).collect();
        self.backlog.push_back(self.wires.len());
        self.wires.push(wire);
        self.knocks = true;
    }

    /// Somebody leaves and somebody else comes, at this very moment.
    fn change_places(&mut self) {
        let id = self.chance.below(self.wires.len());
        let wire = &mut self.wires[id];
        if wire.dropped || wire.vanished {
            return;
        }
        match self.chance.below(3) {
            0 => wire.end(),
            1 => wire.close(),
            _ => wire.reset(),
        }
        let mut newcomer = Wire::new(host(&mut self.chance), 10_000, self.now, &mut self.chance);
        newcomer.window = newcomer.sndbuf;
        self.connect(newcomer);
    }

    fn did(&mut self, what: Did) {
        self.calls += 1;
        self.log.push(what);
    }
}

/// So few bytes are read only where they were looked at before.
const SEEN: usize = 300;

/// A handle to the world.
pub(crate) type Handle = Rc<RefCell<Net>>;

/// The hub's end of a wire.
pub(crate) struct Fake {
    pub(crate) id: usize,
    pub(crate) net: Handle,
}

impl Stream for Fake {
    fn shakes_hands(&self) -> bool {
        self.net.borrow().wires[self.id].shake != Shake::Done
    }

    fn handshake(&mut self, _: &mut dyn Witness) -> Handshake {
        let net = &mut *self.net.borrow_mut();
        net.calls += 1;
        net.wires[self.id].step()
    }

    fn read(&mut self, buffer: &mut [u8]) -> Received {
        let net = &mut *self.net.borrow_mut();
        let Net {
            wires, chance, now, ..
        } = net;
        let wire = &mut wires[self.id];
        wire.was_read = true;
        let mut count = wire.up.len().min(buffer.len());
        // A layer that has seen what is there reads it, a few bytes.
        let is_seen = wire.is_web && buffer.len() < SEEN;
        if wire.is_web && !is_seen && count == buffer.len() {
            // So that a layer has room for a line feed after the last byte of a message; an event tells of the rest.
            count -= 1;
            wire.has_event = true;
        }
        // To find nothing, or the end once more, is nothing done.
        net.calls += u64::from(count > 0 || (wire.end_arrived && !wire.end_read));
        if count > 0 && !is_seen && chance.one_in(30) {
            return Received::Yield;
        }
        // Something may arrive at that very moment.
        let more = chance.one_in(3).then(|| chance.up_to(100_000));
        wire.was_empty = count == 0;
        if count > 0 {
            wire.active = *now;
            for (to, from) in buffer.iter_mut().zip(wire.up.drain(..count)) {
                *to = from;
            }
            wire.arrive(more.unwrap_or(0));
            net.log.push(Did::Heard(self.id, buffer[..count].to_vec()));
            return Received::Bytes(count);
        }
        if wire.end_arrived {
            if !wire.end_read && !wire.write_failed && !wire.broken {
                wire.written_before_end = wire.written;
                net.log.push(Did::HeardEnd(self.id));
            }
            wire.end_read = true;
            return Received::End;
        }
        wire.arrive(more.unwrap_or(0));
        match (wire.error.take(), wire.broken) {
            (Some(error), _) => Received::Failed(error.into()),
            (None, true) => Received::End,
            (None, false) => Received::Pending,
        }
    }

    fn peek(&mut self, buffer: &mut [u8]) -> Ahead {
        let up = &self.net.borrow().wires[self.id].up;
        for (to, from) in buffer.iter_mut().zip(up) {
            *to = *from;
        }
        Ahead::Bytes(buffer.len().min(up.len()))
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Sent {
        let net = &mut *self.net.borrow_mut();
        net.calls += 1;
        let Net {
            wires, chance, now, ..
        } = net;
        let wire = &mut wires[self.id];
        let who = self.id;
        assert!(
            !wire.write_failed || wire.is_web,
            "{who} was written to after it broke"
        );
        assert!(!wire.shut, "{who} was written to after its end");
        // What a browser is told first goes at once, though perhaps nowhere, so that it is known whether it is let in.
        let is_first = wire.is_web && wire.written == 0;
        let may_fail = !is_first && !wire.is_steady;
        // Also without that an event tells of it; and a layer may have a last word all the same.
        if may_fail && (wire.broken || wire.write_failed || chance.one_in(1000)) {
            wire.write_failed = true;
            let error = wire.error.take().unwrap_or(ErrorKind::BrokenPipe);
            net.log.push(Did::Failed(who));
            return Sent::Failed(error.into());
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(offered > 0, "{who} was written nothing");
        let mut count = offered.min(wire.room() as usize);
        if count > 0 && !is_first && chance.one_in(8) {
            // It was full, and is not any more.
            count = chance.up_to(count);
            wire.has_event |= count < offered && wire.tells_room;
        }
        if count < offered {
            wire.wants_room = true;
            wire.filled.set(wire.filled.get() + 1);
        }
        if count == 0 {
            return Sent::Full;
        }
        wire.has_written(count as u64, *now);
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        net.log.push(Did::Handed(who, bytes.take(count).collect()));
        Sent::Bytes(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn shutdown(&mut self) -> io::Result<()> {
        let net = &mut *self.net.borrow_mut();
        let (wire, now) = (&mut net.wires[self.id], net.now);
        assert!(!wire.shut, "{} was ended twice", self.id);
        wire.shut(now);
        let broken = wire.broken;
        net.did(Did::Shut(self.id));
        match broken {
            true => Err(ErrorKind::NotConnected.into()),
            false => Ok(()),
        }
    }

    fn hang_up(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        let error = self.net.borrow_mut().wires[self.id].error.take();
        error.map(io::Error::from)
    }

    fn has_buffered_input(&self) -> bool {
        false
    }

    fn unread(&self) -> Unread {
        Unread::all(self.net.borrow().wires[self.id].up.len() as u64)
    }

    fn has_pending_output(&self) -> bool {
        false
    }

    fn authenticates_eof(&self) -> bool {
        false
    }

    fn is_wire(&self) -> bool {
        // Nothing is copied inside of a kernel that is none.
        !self.net.borrow().wires[self.id].is_download
    }

    fn tells_hang_up(&self) -> bool {
        false
    }

    fn has_closed(&self) -> bool {
        false
    }

    fn can_half_close(&self) -> bool {
        true
    }

    fn probe_soon(&mut self) {}

    fn break_on_close(&mut self, breaks: bool) {
        let net = &mut *self.net.borrow_mut();
        net.wires[self.id].breaks = breaks;
        if net.wires[self.id].is_web {
            net.log.push(Did::Judged(self.id));
        }
    }

    fn tcp_info(&self) -> Option<TcpInfo> {
        let net = self.net.borrow();
        let wire = &net.wires[self.id];
        wire.looks.set(wire.looks.get() + 1);
        Some(wire.tcp_info(net.now))
    }

    fn refuse(&mut self, refusal: &Refusal, witness: &mut dyn Witness) -> io::Result<()> {
        refusal.write_line(self, witness)
    }

    fn beside(&mut self) -> Option<&mut dyn Beside> {
        None
    }

    fn reading(&self) -> Option<Reading> {
        None
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn agreements(&self) -> Vec<Agreement> {
        Vec::new()
    }
}

impl AsFd for Fake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        panic!("a wire of the model has no descriptor");
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let Ok(mut net) = self.net.try_borrow_mut() else {
            return;
        };
        if !net.is_over {
            net.wires[self.id].dropped = true;
            net.did(Did::Dropped(self.id));
        }
    }
}

/// The hub's listener.
pub(crate) struct Door(pub(crate) Handle);

impl Drop for Door {
    fn drop(&mut self) {
        let Ok(mut net) = self.0.try_borrow_mut() else {
            return;
        };
        if !net.is_over {
            net.listens = false;
            // The kernel refuses whoever waits.
            for id in std::mem::take(&mut net.backlog) {
                net.wires[id].dropped = true;
            }
            net.did(Did::ClosedListener);
        }
    }
}

/// Standard input, output and error: a device is one of them.
pub(crate) enum Fd {
    In(Handle),
    Out(Handle),
    Err(Handle),
}

impl Device for Fd {
    fn kind(&self) -> Kind {
        match self {
            Fd::In(net) => net.borrow().stdin.kind,
            Fd::Out(_) | Fd::Err(_) => Kind::Pipe,
        }
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Fd::In(net) = self else {
            panic!("read from an output");
        };
        let net = &mut *net.borrow_mut();
        net.calls += 1;
        let stdin = &mut net.stdin;
        assert!(!stdin.end_read, "stdin was read after its end");
        assert!(!stdin.has_failed, "stdin was read after it failed");
        if stdin.fails {
            stdin.has_failed = true;
            return Err(ErrorKind::Other.into());
        }
        let mut count = stdin.there.len().min(buffer.len());
        if stdin.kind == Kind::Terminal {
            // A line at a time.
            let line = stdin.there.iter().position(|&byte| byte == b'\n');
            count = count.min(line.map_or(count, |end| end + 1));
        }
        if count > 0 {
            let bytes: Vec<u8> = stdin.there.drain(..count).collect();
            buffer[..count].copy_from_slice(&bytes);
            net.log.push(Did::Typed(bytes));
            return Ok(count);
        }
        if stdin.ended {
            stdin.end_read = true;
            return Ok(0);
        }
        Err(ErrorKind::WouldBlock.into())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let net = match self {
            Fd::Out(net) => net,
            Fd::Err(net) => {
                net.borrow_mut().stderr.extend(bytes);
                return Ok(bytes.len());
            }
            Fd::In(_) => panic!("write to an input"),
        };
        let net = &mut *net.borrow_mut();
        net.calls += 1;
        let stdout = &mut net.stdout;
        if stdout.closed {
            net.log.push(Did::FoundClosed);
            return Err(ErrorKind::BrokenPipe.into());
        }
        let count = bytes.len().min(stdout.room);
        stdout.room -= count;
        stdout.wants_room |= count < bytes.len();
        match count {
            0 => Err(ErrorKind::WouldBlock.into()),
            count => {
                net.log.push(Did::Shown(bytes[..count].to_vec()));
                Ok(count)
            }
        }
    }

    fn is_hung_up(&self) -> bool {
        false
    }

    fn remaining(&self) -> Option<u64> {
        match self {
            Fd::In(net) => {
                let net = net.borrow();
                let left = net.stdin.there.len() as u64;
                (net.stdin.kind == Kind::File).then_some(left)
            }
            Fd::Out(_) | Fd::Err(_) => None,
        }
    }

    fn close(&mut self) {
        panic!("a hub closes nothing");
    }
}

/// What a connection's stream is made of the hub's end of a wire.
pub(crate) trait Over: Stream + Sized {
    /// The stream, of one that comes from a browser or not.
    fn over(fake: Fake, is_web: bool) -> Self;
}

impl Over for Fake {
    fn over(fake: Fake, _: bool) -> Fake {
        fake
    }
}

/// The core's world, with such streams.
pub(crate) struct Model<S = Fake> {
    net: Handle,
    stream: PhantomData<S>,
}

impl<S> Model<S> {
    pub(crate) fn new(net: &Handle) -> Model<S> {
        Model {
            net: Rc::clone(net),
            stream: PhantomData,
        }
    }
}

/// The wire under a connection.
fn id_of<S: Stream>(conn: &Conn<S>) -> usize {
    let Some(addr) = conn.addr().socket_addr() else {
        panic!("an address without a port");
    };
    usize::from(addr.port())
}

impl<S: Over> World for Model<S> {
    type Stream = S;
    type Device = Fd;
    type Listener = Door;

    fn time_of_day(&mut self) -> Option<muxnc::engine::room::TimeOfDay> {
        None
    }

    fn register(&mut self, conn: &mut Conn<S>, key: usize, watch: Watch) -> io::Result<()> {
        let id = id_of(conn);
        let net = &mut *self.net.borrow_mut();
        if net.chance.one_in(300) && !net.wires[id].is_steady {
            return Err(ErrorKind::OutOfMemory.into());
        }
        net.wires[id].key = Some(key);
        net.wires[id].register(watch);
        net.did(Did::Accepted(id));
        Ok(())
    }

    fn await_room(&mut self, conn: &mut Conn<S>, key: usize) -> io::Result<()> {
        let wire = &mut self.net.borrow_mut().wires[id_of(conn)];
        assert_eq!(wire.key, Some(key), "asked for with another's key");
        assert!(!wire.tells_room, "asked for again");
        wire.register(Watch::ArrivalsAndRoom);
        Ok(())
    }

    fn accept(&mut self, listener: &mut Door) -> io::Result<(S, Addr)> {
        assert!(Rc::ptr_eq(&self.net, &listener.0));
        let mut world = self.net.borrow_mut();
        let net = &mut *world;
        net.calls += 1;
        net.is_exhausted = false;
        if net.backlog.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let is_steady = net.wires[net.backlog[0]].is_steady;
        match net.chance.below(60) {
            0 if !is_steady => {
                // It broke off before it was accepted.
                let id = net.backlog.pop_front().expect("not empty");
                net.wires[id].dropped = true;
                return Err(ErrorKind::ConnectionAborted.into());
            }
            1 | 2 => {
                net.log.push(Did::RanOut);
                net.is_exhausted = true;
                return Err(io::Error::from_raw_os_error(EMFILE));
            }
            _ => {}
        }
        let id = net.backlog.pop_front().expect("not empty");
        let (ip, is_web) = (net.wires[id].ip, net.wires[id].is_web);
        net.wires[id].active = net.now;
        if net.chance.one_in(10) && !net.is_calm {
            net.change_places();
        }
        // The stream looks at its wire.
        drop(world);
        let fake = Fake {
            id,
            net: Rc::clone(&self.net),
        };
        Ok((
            S::over(fake, is_web),
            SocketAddr::from((ip, id as u16)).into(),
        ))
    }

    fn send(&mut self, _: &mut Stdin<Fd>, _: &mut Conn<S>) -> Copied {
        panic!("a hub copies nothing inside the kernel");
    }

    fn receive(&mut self, _: &mut Conn<S>, _: &mut Output<Fd>) -> Copied {
        panic!("a hub copies nothing inside the kernel");
    }
}

/// Nothing in particular happened.
pub(crate) const READY: Event = Event {
    readable: true,
    writable: true,
    read_closed: false,
    write_closed: false,
    error: false,
    urgent: false,
};
