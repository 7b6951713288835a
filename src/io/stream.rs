//! A stream: what a connection needs of whatever carries its bytes.
//!
//! A socket is a stream, and so is a layer over it (TLS). Each answers in the words of this file, not
//! in error kinds that mean something else; and each has to say whether the bytes handed to it are
//! those on the wire, what input and what output it holds itself, and whether its end can be
//! believed: no answer is a default, so a new layer cannot forget one.
//!
//! It promises: nothing but words; who implements them is `socket.rs`, `tls/session.rs`, `layer.rs`,
//! and in `tests/participant` and `tests/simulation` models of a kernel.

use std::io;
use std::io::IoSlice;

use crate::io::tcp_info::TcpInfo;

/// What a read found, of a stream or of standard input.
#[derive(Debug)]
pub enum Received {
    /// So many bytes, at least one.
    Bytes(usize),
    /// Nothing yet, though there is more to work on: it is another's turn, and no event will tell.
    Yield,
    /// Nothing now; an event will tell.
    Pending,
    /// The other side sends no more. It may still read.
    End,
    /// The same, but the stream ended without the word that a stream of its kind ends with, so that
    /// anybody may have cut it (RFC 8446, 6.1).
    Truncated(io::Error),
    /// It broke.
    Failed(io::Error),
}

/// What a write came to.
#[derive(Debug)]
pub enum Sent {
    /// So many bytes were taken. Fewer than were offered: it is full, and an event will tell when it
    /// is not.
    Bytes(usize),
    /// Nothing was taken: it is full, and an event will tell when it is not.
    Full,
    /// It broke.
    Failed(io::Error),
}

/// What a step of what has to be agreed on before anything is said came to.
#[derive(Debug)]
pub enum Handshake {
    /// It is over, or there is nothing to agree on.
    Done,
    /// The other side has said nothing at all yet, so that plain words may still be said to it.
    Silent,
    /// The other side speaks the protocol of this stream. The next step, which need not wait for an
    /// event, is the first that costs something, or goes on after one that has cost enough.
    Begun,
    /// The other side has to say more; an event will tell when it did.
    Pending,
    /// The other side does not speak the protocol of this stream. From here on the stream is a plain
    /// one, so that it can be told.
    Foreign,
    /// The two cannot agree, or the connection broke.
    Failed(io::Error),
}

/// What carries the bytes of a connection, non-blocking.
pub trait Stream {
    /// Whether a handshake comes first.
    fn shakes_hands(&self) -> bool;

    /// Goes on with the handshake as far as it gets. To be called until it is done, before anything
    /// else.
    fn handshake(&mut self) -> Handshake;

    /// Reads once.
    fn read(&mut self, buffer: &mut [u8]) -> Received;

    /// Writes once, what fits of `slices`.
    fn write(&mut self, slices: &[IoSlice<'_>]) -> Sent;

    /// Hands on what [`Stream::has_pending_output`], as much as is taken.
    ///
    /// # Errors
    /// It broke.
    fn flush(&mut self) -> io::Result<()>;

    /// Ends the sending side, after all that was written. See shutdown(2).
    ///
    /// # Errors
    /// What the system says.
    fn shutdown(&mut self) -> io::Result<()>;

    /// Why the stream broke, told once. See `SO_ERROR` in socket(7).
    fn take_error(&mut self) -> Option<io::Error>;

    /// Whether a read would find something although no event will tell of it.
    fn has_buffered_input(&self) -> bool;

    /// Bytes that have come from the other side and were not read, as they are on the wire (`FIONREAD`,
    /// ioctl_tty(2)). None: not known.
    fn unread(&self) -> Option<u64>;

    /// Whether something that was written waits here for [`Stream::flush`].
    fn has_pending_output(&self) -> bool;

    /// Whether an end that the other side told is known from one that it did not: whether
    /// [`Received::End`] is proof and [`Received::Truncated`] is possible.
    fn authenticates_eof(&self) -> bool;

    /// Whether what is read and written are the very bytes on the wire, so that the kernel may move
    /// them by itself (sendfile(2), splice(2)).
    fn is_wire(&self) -> bool;

    /// Whether the system tells when nobody is at the other end any more, also after an end of which
    /// it would be unclear (POLLHUP, poll(2)): Unix sockets, and not TCP.
    fn tells_hang_up(&self) -> bool;

    /// The other side's end was read, and there is still something to come from ours: asks more often
    /// whether anybody is there (keepalive, tcp(7)).
    fn probe_soon(&mut self);

    /// From now on, whether closing it breaks the connection instead of ending it: the other side reads
    /// an error (ECONNRESET) instead of an end, also when the process dies (`SO_LINGER`, socket(7)). A
    /// Unix socket has no such error: closed with nothing unread, it ends.
    fn break_on_close(&mut self, breaks: bool);

    /// What the system knows of the way to the other side. None: it does not tell.
    fn tcp_info(&self) -> Option<TcpInfo>;
}
