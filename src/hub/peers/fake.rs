//! A connection for tests, of which everything is set by hand: what its kernel says, what a layer holds
//! back, whether an end or a break has come.

use std::cell::Cell;
use std::cell::OnceCell;
use std::cell::RefCell;
use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use super::CHUNK;
use super::Peers;
use crate::engine::aside::Aside;
use crate::engine::aside::Returning;
use crate::engine::explain::Agreement;
use crate::engine::explain::Reading;
use crate::engine::explain::Witness;
use crate::engine::room::Policy;
use crate::engine::room::Room;
use crate::io::conn::Conn;
use crate::io::readiness::Event;
use crate::io::stream::Ahead;
use crate::io::stream::Beside;
#[cfg(feature = "web")]
use crate::io::stream::Fetching;
use crate::io::stream::Handshake;
use crate::io::stream::Received;
use crate::io::stream::Refusal;
use crate::io::stream::Sent;
use crate::io::stream::Stream;
use crate::io::stream::Unread;
use crate::io::tcp_info::TcpInfo;

/// What is known of one, and how it behaves.
#[derive(Debug, Default)]
pub(in crate::hub) struct Wire {
    /// Bytes written to it, a handshake's included, and of those, acknowledged.
    pub(in crate::hub) written: Cell<u64>,
    pub(in crate::hub) acknowledged: Cell<u64>,
    /// Its system tells nothing of that; it tells when nobody is there.
    pub(in crate::hub) is_silent: Cell<bool>,
    pub(in crate::hub) is_local: Cell<bool>,
    /// A layer is between, which holds something back.
    pub(in crate::hub) has_layer: Cell<bool>,
    pub(in crate::hub) is_pending: Cell<bool>,
    /// Its end is read next.
    pub(in crate::hub) ends: Cell<bool>,
    /// A layer's goodbye stands before any word; with it the other side closed altogether.
    pub(in crate::hub) says_goodbye: Cell<bool>,
    pub(in crate::hub) has_closed: Cell<bool>,
    /// It broke, which a look ahead finds.
    pub(in crate::hub) is_seen_broken: Cell<bool>,
    /// How much of it is unread, if that is known.
    pub(in crate::hub) unread: Cell<Option<u64>>,
    /// So many looks ahead find nothing yet.
    pub(in crate::hub) idle_looks: Cell<u32>,
    /// Its protocol has no half-close.
    pub(in crate::hub) is_whole: Cell<bool>,
    /// It takes nothing.
    pub(in crate::hub) is_full: Cell<bool>,
    /// How often it was asked what was acknowledged.
    pub(in crate::hub) looks: Cell<u32>,
    /// It broke, which a system call is told of once.
    pub(in crate::hub) is_broken: Cell<bool>,
    /// The other side reads a break when it is closed; it was told an end.
    pub(in crate::hub) breaks: Cell<bool>,
    pub(in crate::hub) is_ended: Cell<bool>,
    /// Nothing that it says is taken any more.
    pub(in crate::hub) is_over: Cell<bool>,
    /// Something can be said beside the stream; how often it was asked for a sign of life.
    pub(in crate::hub) is_web: Cell<bool>,
    pub(in crate::hub) pings: Cell<u32>,
    /// How many are here, each time that it was told, and how many bytes of its own were heard.
    pub(in crate::hub) here: RefCell<Vec<usize>>,
    pub(in crate::hub) heard: Cell<u64>,
    /// What it was told of whether members hear each other.
    pub(in crate::hub) relays: RefCell<Vec<bool>>,
    /// Why it was told that the operator sent it away.
    pub(in crate::hub) kicked: RefCell<Vec<String>>,
    /// How it returns, if it does.
    pub(in crate::hub) returning: OnceCell<Returning>,
}

/// How the rooms of these tests are.
pub(in crate::hub) const POLICY: Policy = Policy {
    stall_timeout: Duration::from_secs(60),
    ..Policy::PLAIN
};

/// Nobody yet.
pub(in crate::hub) fn peers() -> Peers<Fake> {
    Peers::new(Room::new(POLICY))
}

/// The same where they will hear each other.
pub(in crate::hub) fn relaying() -> Peers<Fake> {
    Peers::new(Room::new(Policy {
        relay: true,
        ..POLICY
    }))
}

/// So many join, over a connection each.
pub(in crate::hub) fn join<const COUNT: usize>(
    peers: &mut Peers<Fake>,
    now: Instant,
) -> ([Rc<Wire>; COUNT], [usize; COUNT]) {
    let wires = [(); COUNT].map(|()| Rc::<Wire>::default());
    let keys = wires.each_ref().map(|wire| wire.join(peers, now));
    (wires, keys)
}

/// Something is said to everybody, and flushed.
pub(in crate::hub) fn say(peers: &mut Peers<Fake>, bytes: &[u8], now: Instant) {
    peers.typed(bytes, now);
    peers.flush(now);
}

/// Whether a peer leaves at the end of the turn.
pub(in crate::hub) fn is_leaving(peers: &Peers<Fake>, key: usize) -> bool {
    peers.exits.leaving().any(|other| other == key)
}

/// What an event tells of bytes, of an end, and of one after which nobody is there.
pub(in crate::hub) fn readable() -> Event {
    Event {
        readable: true,
        ..Event::default()
    }
}

pub(in crate::hub) fn writable() -> Event {
    Event {
        writable: true,
        ..Event::default()
    }
}

pub(in crate::hub) fn ended() -> Event {
    Event {
        read_closed: true,
        ..readable()
    }
}

pub(in crate::hub) fn hung_up() -> Event {
    Event {
        write_closed: true,
        ..ended()
    }
}

/// Reads everybody once, and acts on the ends and breaks of those who could not be read.
pub(in crate::hub) fn read(peers: &mut Peers<Fake>, now: Instant) {
    let mut buffer = vec![0; CHUNK];
    let read = peers.read(&mut buffer, now, |_| Ok::<_, ()>(()));
    assert_eq!(read, Ok(()));
    peers.judge_unread(now);
}

/// A turn in which nobody may be read.
pub(in crate::hub) fn judge(peers: &mut Peers<Fake>, now: Instant) {
    peers.speakers.begin_turn(now);
    peers.judge_unread(now);
}

/// The connection.
#[derive(Debug)]
pub(in crate::hub) struct Fake(Rc<Wire>);

impl Wire {
    /// A peer joins over it. Returned is its key.
    pub(in crate::hub) fn join(self: &Rc<Wire>, peers: &mut Peers<Fake>, now: Instant) -> usize {
        let key = self.arrive(peers);
        peers.join(key, now);
        key
    }

    /// One comes over it, and is not in the room. Returned is its key.
    pub(in crate::hub) fn arrive(self: &Rc<Wire>, peers: &mut Peers<Fake>) -> usize {
        let addr = SocketAddr::from(([192, 0, 2, 1], 1));
        peers.arrive(Conn::new(Fake(Rc::clone(self)), addr))
    }

    /// Everything written is acknowledged.
    pub(in crate::hub) fn acknowledge(&self) {
        self.acknowledged.set(self.written.get());
    }
}

impl Stream for Fake {
    fn shakes_hands(&self) -> bool {
        false
    }

    fn handshake(&mut self, _: &mut dyn Witness) -> Handshake {
        Handshake::Done
    }

    fn read(&mut self, _: &mut [u8]) -> Received {
        match self.0.ends.get() {
            true => Received::End,
            false => Received::Pending,
        }
    }

    fn peek(&mut self, _: &mut [u8]) -> Ahead {
        let idle = self.0.idle_looks.get();
        if idle > 0 {
            self.0.idle_looks.set(idle - 1);
            return Ahead::Yield;
        }
        match (self.0.is_seen_broken.take(), self.0.says_goodbye.get()) {
            (true, _) => Ahead::Failed(ErrorKind::ConnectionReset.into()),
            (false, true) => Ahead::End,
            (false, false) => Ahead::Bytes(0),
        }
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Sent {
        if self.0.is_full.get() {
            return Sent::Full;
        }
        let count: usize = slices.iter().map(|slice| slice.len()).sum();
        self.0.written.set(self.0.written.get() + count as u64);
        Sent::Bytes(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn shutdown(&mut self) -> io::Result<()> {
        self.0.is_ended.set(true);
        Ok(())
    }

    fn hang_up(&mut self) -> io::Result<()> {
        self.0.is_over.set(true);
        Ok(())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        let is_broken = self.0.is_broken.take();
        is_broken.then(|| ErrorKind::ConnectionReset.into())
    }

    fn has_buffered_input(&self) -> bool {
        false
    }

    fn unread(&self) -> Unread {
        self.0.unread.get().map_or(Unread::UNKNOWN, Unread::all)
    }

    fn has_pending_output(&self) -> bool {
        self.0.is_pending.get()
    }

    fn authenticates_eof(&self) -> bool {
        self.0.has_layer.get()
    }

    fn is_wire(&self) -> bool {
        !self.0.has_layer.get()
    }

    fn tells_hang_up(&self) -> bool {
        self.0.is_local.get()
    }

    fn has_closed(&self) -> bool {
        self.0.has_closed.get()
    }

    fn can_half_close(&self) -> bool {
        !self.0.is_whole.get()
    }

    fn probe_soon(&mut self) {}

    fn break_on_close(&mut self, breaks: bool) {
        self.0.breaks.set(breaks);
    }

    fn tcp_info(&self) -> Option<TcpInfo> {
        self.0.looks.set(self.0.looks.get() + 1);
        if self.0.is_silent.get() || self.0.is_local.get() {
            return None;
        }
        let (written, acknowledged) = (self.0.written.get(), self.0.acknowledged.get());
        Some(TcpInfo {
            written,
            acknowledged,
            in_flight: u32::from(written > acknowledged),
            probes: 0,
            last_answer: Duration::ZERO,
        })
    }

    fn refuse(&mut self, refusal: &Refusal, _: &mut dyn Witness) -> io::Result<()> {
        let line = refusal.line();
        drop(self.write(&[IoSlice::new(line.as_bytes())]));
        Ok(())
    }

    fn beside(&mut self) -> Option<&mut dyn Beside> {
        match self.0.is_web.get() {
            true => Some(self),
            false => None,
        }
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

impl Beside for Fake {
    fn is_costly(&self) -> bool {
        false
    }

    #[cfg(feature = "web")]
    fn fetching(&mut self) -> Option<&mut dyn Fetching> {
        None
    }

    fn welcome(&mut self, _: &mut dyn Witness) {}

    fn returning(&self) -> Option<&Returning> {
        self.0.returning.get()
    }

    fn has_told_why(&self) -> bool {
        false
    }

    fn ping(&mut self) {
        self.0.pings.set(self.0.pings.get() + 1);
    }

    fn say(&mut self, aside: &Aside<'_>) {
        match aside {
            Aside::Hello(hello) => {
                self.0.here.borrow_mut().push(hello.here);
                self.0.heard.set(hello.heard);
                self.0.relays.borrow_mut().push(hello.relays);
            }
            Aside::Here(count) => self.0.here.borrow_mut().push(*count),
            Aside::Relay(on) => self.0.relays.borrow_mut().push(*on),
            Aside::Kicked(farewell) => {
                let reason = farewell.reason.unwrap_or_default();
                self.0.kicked.borrow_mut().push(reason.into());
            }
            _ => {}
        }
    }
}
