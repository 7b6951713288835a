//! A connection: a stream, and what is known of its readiness.
//!
//! Sockets are registered once, for both directions, and never again. Events only set bits here;
//! a bit leads to a read or write, and that tells the truth. So a wrong or stale bit costs one
//! system call that fails, and pausing a peer is simply not reading it.
//!
//! It promises: one system call per call, bounded by the buffer given; the last bytes before a
//! reset or a close are read before either is reported. What the stream is (`S`) does not matter, so
//! the same bits are tested over a stream that no kernel has.

use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;

use mio::Registry;
use mio::Token;
use mio::event::Event;

use crate::engine::dead_peer::DeadPeerTimer;
use crate::engine::dead_peer::Outstanding;
use crate::io::addr::Addr;
use crate::io::tcp_info::TcpInfo;
use crate::io::transport::Transport;

/// What a connection needs of the stream under it.
pub trait Stream: Read + Write {
    /// Ends the sending side. See shutdown(2).
    ///
    /// # Errors
    /// What the system says.
    fn shutdown(&mut self) -> io::Result<()>;

    /// Why the stream broke, told once. See `SO_ERROR` in socket(7).
    fn take_error(&mut self) -> Option<io::Error>;

    /// Whether a read would find something although no event may tell of it. `Interrupted` from a
    /// stream that has buffered input means that it is somebody else's turn.
    fn has_buffered_input(&self) -> bool {
        false
    }

    /// Whether something that was written waits for [`Write::flush`], which fails with
    /// `WouldBlock` when the kernel takes only a part of it.
    fn has_pending_output(&self) -> bool {
        false
    }

    /// Whether an end that the other side told of is known from a cut connection.
    fn authenticates_eof(&self) -> bool {
        false
    }

    /// What was sent and is unanswered, if the system tells.
    fn outstanding(&self, _: &mut TcpInfo) -> Option<Outstanding> {
        None
    }
}

/// What an event says of a stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints {
    /// A read may find something.
    pub readable: bool,
    /// A write may get somewhere.
    pub writable: bool,
    /// The other side may have ended, or broken.
    pub read_closed: bool,
    /// Nothing may be sent any more.
    pub write_closed: bool,
    /// The stream may be broken.
    pub error: bool,
    /// Urgent bytes have come.
    pub urgent: bool,
}

impl From<&Event> for Hints {
    fn from(event: &Event) -> Hints {
        Hints {
            readable: event.is_readable(),
            writable: event.is_writable(),
            read_closed: event.is_read_closed(),
            write_closed: event.is_write_closed(),
            error: event.is_error(),
            urgent: event.is_priority(),
        }
    }
}

/// A connected stream. See the module's documentation.
#[derive(Debug)]
pub struct Conn<S = Transport> {
    stream: S,
    addr: Addr,
    readable: bool,
    writable: bool,
    /// The kernel hinted that there is an end or an error to be read.
    hinted: bool,
    /// There are urgent bytes: what is there need not come in one read.
    urgent: bool,
    ended: bool,
    shut: bool,
    dead_peer: DeadPeerTimer,
}

impl<S: AsFd> AsFd for Conn<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// What a read found.
#[derive(Debug)]
pub enum Heard {
    /// So many bytes; none at all means only that it is somebody else's turn.
    Bytes(usize),
    /// Nothing now; an event will tell.
    Nothing,
    /// The other side will send no more. It may still listen.
    End,
    /// The same, but the other side did not tell, and anybody may have cut the connection: only
    /// of streams that know.
    Cut(io::Error),
    /// The connection broke.
    Failed(io::Error),
}

impl Conn {
    /// Registers it, once and for all.
    ///
    /// # Errors
    /// What the system says.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.stream.register(registry, token)
    }

    /// Whether what is read and written are the bytes on the wire, so that the kernel may move
    /// them by itself.
    pub fn is_plain(&self) -> bool {
        !matches!(self.stream, Transport::Tls(_))
    }
}

impl<S: Stream> Conn<S> {
    /// A connection to `addr`, which must be non-blocking.
    pub fn new(stream: S, addr: impl Into<Addr>) -> Conn<S> {
        Conn {
            readable: stream.has_buffered_input(),
            stream,
            addr: addr.into(),
            writable: true,
            hinted: false,
            urgent: false,
            ended: false,
            shut: false,
            dead_peer: DeadPeerTimer::default(),
        }
    }

    /// Takes note of an event.
    pub fn collect(&mut self, event: impl Into<Hints>) {
        let hints = event.into();
        let hinted = hints.read_closed || hints.error;
        self.hinted |= hinted;
        self.urgent |= hints.urgent;
        self.readable |= hints.readable || hinted || hints.urgent;
        self.writable |= hints.writable || hints.write_closed || hints.error;
    }

    /// The other side's address.
    pub fn addr(&self) -> &Addr {
        &self.addr
    }

    /// Whether a read may find something.
    pub fn is_readable(&self) -> bool {
        self.readable
    }

    /// Whether a write may get somewhere.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Lets it be read to its end, though no event may tell that there is something: for a
    /// connection that takes no more, of which something may still be unread.
    pub fn expect_end(&mut self) {
        self.hinted = true;
        self.readable = true;
    }

    /// Whether the other side's end was read.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether our own side was ended.
    pub fn is_shut(&self) -> bool {
        self.shut
    }

    /// Why the connection broke after the end was read. Reading does not tell: after an end the
    /// kernel reports nothing but ends.
    pub fn take_error(&mut self) -> Option<io::Error> {
        self.stream.take_error()
    }

    /// Reads once. After the end it may be called again, and [`Conn::take_error`] be asked whether
    /// a reset has come.
    pub fn read(&mut self, buffer: &mut [u8]) -> Heard {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => {
                    self.end();
                    return Heard::End;
                }
                Ok(count) => {
                    // Everything was read, unless an end or what is behind an urgent mark follows
                    // that was announced together with these bytes: no further event would tell
                    // of it (epoll(7), edge-triggered).
                    let more = self.hinted || self.urgent || self.stream.has_buffered_input();
                    self.readable = count == buffer.len() || more;
                    return Heard::Bytes(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    if self.stream.has_buffered_input() {
                        return Heard::Bytes(0);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    self.urgent = false;
                    return Heard::Nothing;
                }
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    self.end();
                    return Heard::Cut(error);
                }
                Err(error) => {
                    self.readable = false;
                    return Heard::Failed(error);
                }
            }
        }
    }

    /// Writes what fits of `slices` and returns how much that was. Less than everything means
    /// that the kernel is full, and an event will tell when it is not.
    ///
    /// # Errors
    /// The connection broke.
    pub fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        loop {
            let written = match slices {
                // The kernel takes one slice with less ado than a list of one.
                [slice] => self.stream.write(slice),
                slices => self.stream.write_vectored(slices),
            };
            match written {
                Ok(count) => {
                    self.writable = count == offered && !self.stream.has_pending_output();
                    self.sent(count);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.writable = false;
                    return Ok(0);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether something that was written waits for [`Conn::flush`].
    pub fn has_pending_output(&self) -> bool {
        self.stream.has_pending_output()
    }

    /// Hands the kernel the pending output, if it may take something.
    ///
    /// # Errors
    /// The connection broke.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.writable || !self.stream.has_pending_output() {
            return Ok(());
        }
        match self.stream.flush() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.writable = false;
                Ok(())
            }
            flushed => {
                self.dead_peer.sent();
                flushed
            }
        }
    }

    /// Whether something was written of which is not known that it was acknowledged.
    pub fn is_watched(&self) -> bool {
        self.dead_peer.is_armed()
    }

    /// Checks whether the other side answers, [`crate::engine::dead_peer::EVERY`] so often while
    /// something is watched. Returns whether it has vanished.
    pub fn has_vanished(&mut self, tcp_info: &mut TcpInfo) -> bool {
        if !self.is_watched() {
            return false;
        }
        self.dead_peer.check(self.stream.outstanding(tcp_info))
    }

    /// Takes note that so much was written.
    pub(super) fn sent(&mut self, count: usize) {
        if count > 0 {
            self.dead_peer.sent();
        }
    }

    /// Takes note, for [`zero_copy`](crate::io::zero_copy), that a read would find nothing now.
    pub(super) fn block_read(&mut self) {
        self.readable = false;
    }

    /// Takes note, for [`zero_copy`](crate::io::zero_copy), that a write would get nowhere now.
    pub(super) fn block_write(&mut self) {
        self.writable = false;
    }

    /// Takes note, for [`zero_copy`](crate::io::zero_copy), that the other side will send no more.
    pub(super) fn end(&mut self) {
        self.readable = false;
        self.ended = true;
    }

    /// Ends our side: everything written is delivered (see [`Conn::has_pending_output`]), then the
    /// other side reads an end. That it fails on a connection that just broke is no news; reading it
    /// will tell.
    pub fn shutdown(&mut self) {
        self.shut = true;
        // The end has to be acknowledged as well.
        self.dead_peer.sent();
        let _ = self.stream.shutdown();
        self.writable &= !self.stream.has_pending_output();
    }

    /// Before leaving, when everything was said: tells that this is the end, where that makes a
    /// difference (close_notify of TLS) and if the kernel takes it at once.
    pub fn close_notify(&mut self) {
        if !self.shut && !self.stream.has_pending_output() && self.stream.authenticates_eof() {
            self.shutdown();
        }
    }
}
