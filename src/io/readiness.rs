//! Readiness: what is known of a descriptor that the kernel watches for us, edge by edge.
//!
//! An event sets bits here; the call that would block clears them; nothing else does. So a wrong or
//! stale bit costs one system call that fails, and pausing a source is simply not reading it.
//!
//! ```text
//!              event                      a read that gave less than was asked for,
//!   blocked ──────────► may work            or a call that would block
//!      ▲                    │                          │
//!      └────────────────────┴──────────────────────────┘
//! ```
//!
//! A descriptor is registered for all it can do, and never again; but a hub asks for the room of a
//! plain peer's socket when that is full for the first time ([`Watch`]).
//!
//! An edge is told once (epoll(7)). An end, an error or urgent bytes that an event announced are
//! therefore remembered until a read found nothing: no further event would tell of them.
//!
//! It promises: connections, standard input, outputs and listeners all keep their bits here and by
//! these rules; a bit that says "blocked" is set by a call's own answer only.

use mio::event;

/// What one event says. A plain value, so that a test can make one without a kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Event {
    /// A read may find something.
    pub readable: bool,
    /// A write may get somewhere.
    pub writable: bool,
    /// The other side may have ended its sending side, or the whole.
    pub read_closed: bool,
    /// Nothing can be sent any more.
    pub write_closed: bool,
    /// There is an error to be taken.
    pub error: bool,
    /// Urgent bytes have come (tcp(7), EPOLLPRI).
    pub urgent: bool,
}

impl From<&event::Event> for Event {
    fn from(event: &event::Event) -> Event {
        Event {
            readable: event.is_readable(),
            writable: event.is_writable(),
            read_closed: event.is_read_closed(),
            write_closed: event.is_write_closed(),
            error: event.is_error(),
            urgent: event.is_priority(),
        }
    }
}

/// What the events of a connection tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// That something has come, or it ended or broke. A connection that was just made has room, of
    /// which an event would tell at once: one more turn for each newcomer, for nothing.
    Arrivals,
    /// That it takes more again, too.
    ArrivalsAndRoom,
}

/// Whether a read that gave less than was asked for has found the source empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShortRead {
    /// It has: sockets and pipes give all they have (read(2)).
    Drained,
    /// It has not: a terminal gives a line at a time, a layer above a socket a record.
    MoreMayFollow,
}

/// The bits of one descriptor. See the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness(u8);

const READABLE: u8 = 1;
const WRITABLE: u8 = 2;
/// An end or an error was announced and is still to be read.
const CLOSING: u8 = 4;
/// Urgent bytes were announced: a read stops at their mark, though more may follow (tcp(7)).
const URGENT: u8 = 8;
/// Nothing can be sent any more: the other end is closed, of a kind of socket that tells so
/// (POLLHUP of a Unix socket, poll(2)).
const HUNG_UP: u8 = 16;

impl Readiness {
    /// A descriptor of which nothing is known: the first call will tell.
    pub const UNKNOWN: Readiness = Readiness(READABLE | WRITABLE);

    /// A connection that was just made: there is room to write, and an event tells of the first
    /// bytes to read.
    pub const CONNECTED: Readiness = Readiness(WRITABLE);

    /// A listener, or an input: nothing is there before an event says so.
    pub const BLOCKED: Readiness = Readiness(0);

    /// Takes note of an event.
    pub fn collect(&mut self, event: Event) {
        self.raise(CLOSING, event.read_closed || event.error);
        self.raise(URGENT, event.urgent);
        self.raise(HUNG_UP, event.write_closed);
        let says_more = event.readable || event.urgent || self.has(CLOSING);
        self.raise(READABLE, says_more);
        let takes_more = event.writable || event.write_closed || event.error;
        self.raise(WRITABLE, takes_more);
    }

    /// Whether a read may find something.
    pub fn is_readable(self) -> bool {
        self.has(READABLE)
    }

    /// Whether a write may get somewhere.
    pub fn is_writable(self) -> bool {
        self.has(WRITABLE)
    }

    /// Whether an event announced an end or an error that was not read yet.
    pub fn is_closing(self) -> bool {
        self.has(CLOSING)
    }

    /// Whether an event told that nothing can be sent any more.
    pub fn has_hung_up(self) -> bool {
        self.has(HUNG_UP)
    }

    /// Lets the source be read until it is empty, though no event may tell that there is something.
    pub fn expect_end(&mut self) {
        self.raise(CLOSING | READABLE, true);
    }

    /// There are bytes of which no event will tell, or has told yet.
    pub fn expect_bytes(&mut self) {
        self.raise(READABLE, true);
    }

    /// A read gave `count` bytes of the `wanted`. `short` says what a short one means.
    pub fn has_read(&mut self, count: usize, wanted: usize, short: ShortRead) {
        debug_assert!(count <= wanted, "{count} bytes were read into {wanted}");
        let is_drained = count < wanted && short == ShortRead::Drained;
        self.clear(READABLE);
        self.raise(READABLE, !is_drained || self.has(CLOSING | URGENT));
    }

    /// A read would block: the source is empty, and an event will tell when it is not.
    pub fn read_blocked(&mut self) {
        self.clear(READABLE | URGENT);
    }

    /// A read found the end or an error: there is nothing after it.
    pub fn read_ended(&mut self) {
        self.clear(READABLE);
    }

    /// A write took `count` bytes of the `offered`. A short one means that the sink is full, and an
    /// event will tell when it is not.
    pub fn has_written(&mut self, count: usize, offered: usize) {
        debug_assert!(count <= offered, "{count} bytes were taken of {offered}");
        self.clear(WRITABLE);
        self.raise(WRITABLE, count == offered);
    }

    /// A write would block: the sink is full, and an event will tell when it is not.
    pub fn write_blocked(&mut self) {
        self.clear(WRITABLE);
    }

    /// Whether any of the bits is set.
    fn has(self, bits: u8) -> bool {
        self.0 & bits != 0
    }

    /// Sets the bits if there is a reason to; they stay as they are otherwise.
    fn raise(&mut self, bits: u8, reason: bool) {
        if reason {
            self.0 |= bits;
        }
    }

    fn clear(&mut self, bits: u8) {
        self.0 &= !bits;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READABLE: Event = Event {
        readable: true,
        writable: false,
        read_closed: false,
        write_closed: false,
        error: false,
        urgent: false,
    };

    #[test]
    fn an_end_that_came_with_bytes_is_read_though_no_event_tells_of_it_again() {
        let mut ready = Readiness::CONNECTED;
        assert!(!ready.is_readable() && ready.is_writable());
        ready.collect(Event {
            read_closed: true,
            ..READABLE
        });
        ready.has_read(5, 100, ShortRead::Drained);
        assert!(ready.is_readable(), "the end is still to be read");
        ready.read_ended();
        assert!(!ready.is_readable());
    }

    #[test]
    fn a_short_read_of_a_socket_means_that_it_is_empty() {
        let mut ready = Readiness::CONNECTED;
        ready.collect(READABLE);
        ready.has_read(100, 100, ShortRead::Drained);
        assert!(ready.is_readable());
        ready.has_read(99, 100, ShortRead::Drained);
        assert!(!ready.is_readable());
        ready.collect(READABLE);
        ready.has_read(99, 100, ShortRead::MoreMayFollow);
        assert!(ready.is_readable());
    }

    #[test]
    fn urgent_bytes_are_remembered_until_a_read_blocks() {
        let mut ready = Readiness::CONNECTED;
        ready.collect(Event {
            urgent: true,
            ..Event::default()
        });
        ready.has_read(1, 100, ShortRead::Drained);
        assert!(ready.is_readable());
        ready.read_blocked();
        ready.collect(READABLE);
        ready.has_read(1, 100, ShortRead::Drained);
        assert!(!ready.is_readable());
    }

    #[test]
    fn an_error_makes_both_directions_ready_to_tell_of_it() {
        let mut ready = Readiness::BLOCKED;
        ready.collect(Event {
            error: true,
            ..Event::default()
        });
        assert!(ready.is_readable() && ready.is_writable() && ready.is_closing());
    }
}
