//! A stream: what a connection needs of the layer that carries its bytes.
//!
//! A socket is a stream, and so is a layer over it (TLS). Each answers in the words of this file, not
//! in error kinds that mean something else; and each has to say whether the bytes handed to it are
//! those on the wire, what input and what output it holds itself, and whether its end can be
//! believed: no answer is a default, so a new layer cannot forget one.
//!
//! It only names the operations and their results, and promises nothing itself. They are implemented by
//! `socket.rs`, `tls/session.rs`, `web/websocket.rs`, `web/download.rs`, `layer.rs`, and in
//! `tests/simulation/participant` and `tests/simulation` by models of a kernel.

use std::borrow::Cow;
use std::io;
use std::io::IoSlice;
use std::net::SocketAddr;
#[cfg(feature = "web")]
use std::os::fd::BorrowedFd;

use crate::engine::admit::AdmissionError;
use crate::engine::aside::Aside;
use crate::engine::aside::Returning;
use crate::engine::explain::Agreement;
use crate::engine::explain::Observed;
use crate::engine::explain::Reading;
use crate::engine::explain::Witness;
#[cfg(feature = "web")]
use crate::engine::web::fetch::Wanted;
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
    /// a third party may have cut it (RFC 8446, 6.1).
    Truncated(io::Error),
    /// It broke.
    Failed(io::Error),
}

/// What would be read next, as far as it can be seen without reading it.
#[derive(Debug)]
pub enum Ahead {
    /// So many bytes, or none that can be seen.
    Bytes(usize),
    /// None can be seen yet, though there is more to look at: it is another's turn, and no event will tell.
    Yield,
    /// The other side's end, by the word that a stream of its kind ends with.
    End,
    /// It broke. The kernel tells that once (`SO_ERROR`, socket(7)): a read tells an end.
    Failed(io::Error),
}

/// What has come from the other side and was not read, as it is on the wire, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    /// So many bytes, at least.
    pub bytes: u64,
    /// There may be more, of which the number is not known, or an end.
    pub may_be_more: bool,
}

impl Unread {
    /// Nothing is unread.
    pub const NOTHING: Unread = Unread {
        bytes: 0,
        may_be_more: false,
    };

    /// It is not known whether anything is.
    pub const UNKNOWN: Unread = Unread {
        bytes: 0,
        may_be_more: true,
    };

    /// These and the others.
    #[must_use]
    pub fn and(self, other: Unread) -> Unread {
        Unread {
            bytes: self.bytes + other.bytes,
            may_be_more: self.may_be_more || other.may_be_more,
        }
    }

    /// So many bytes are, and no more.
    pub fn all(bytes: u64) -> Unread {
        Unread {
            bytes,
            may_be_more: false,
        }
    }
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
    /// The same, and what it has said was answered in this step: so far it was whole.
    Replied,
    /// The other side does not speak the protocol of this stream. From here on the stream is a plain
    /// one, so that it can be told.
    Foreign,
    /// The other side wants to know whether it would be let in, and no more.
    Asks,
    /// The other side wants something of a file, and no place in the room.
    Fetches,
    /// The other side wanted something else, and has its answer; why it was refused, if that is news.
    Answered(Option<Cow<'static, str>>),
    /// The other side went away without having wanted anything.
    Left,
    /// The two cannot agree, or the connection broke.
    Failed(io::Error),
}

/// Why a peer is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no place for it.
    Admission(AdmissionError),
    /// It does not speak TLS to a hub that does.
    NoTls,
    /// It only asked, and would be let in.
    NoUpgrade,
}

impl Refusal {
    /// The line that tells it, where nothing else has to be said.
    pub fn line(&self) -> String {
        match self {
            Refusal::Admission(error) => error.line(),
            Refusal::NoTls => String::from("muxnc: this hub speaks TLS only: muxnc --ssl\n"),
            Refusal::NoUpgrade => String::from("muxnc: you would be let in\n"),
        }
    }

    /// Writes that line, as far as it fits: how a stream without a protocol of its own
    /// [refuses](Stream::refuse).
    ///
    /// # Errors
    /// The stream broke.
    pub fn write_line(
        &self,
        stream: &mut impl Stream,
        witness: &mut dyn Witness,
    ) -> io::Result<()> {
        let line = self.line();
        let slices = [IoSlice::new(line.as_bytes())];
        match stream.write(&slices) {
            Sent::Failed(error) => Err(error),
            Sent::Full => Ok(()),
            Sent::Bytes(count) => {
                witness.observe(Observed::Sent(&slices, count));
                Ok(())
            }
        }
    }
}

/// What a protocol has beside the stream itself.
pub trait Beside {
    /// Whether its handshake costs more than a few words.
    fn is_costly(&self) -> bool;

    /// How the other side is given a file, if that is what it came for and no place in the room.
    #[cfg(feature = "web")]
    fn fetching(&mut self) -> Option<&mut dyn Fetching>;

    /// Tells the other side that it is let in: to be called once, before anything is said. The witness hears that, too.
    fn welcome(&mut self, witness: &mut dyn Witness);

    /// What the other side said if it was here before, and returns.
    fn returning(&self) -> Option<&Returning>;

    /// Whether the other side was told why it is over, and may still have to read that.
    fn has_told_why(&self) -> bool;

    /// Asks the other side for a sign of life; it waits for [`Stream::flush`].
    fn ping(&mut self);

    /// Says something beside the stream; it waits for [`Stream::flush`].
    fn say(&mut self, aside: &Aside<'_>);
}

/// What a protocol has in which a file is asked for (docs/WEB.md).
#[cfg(feature = "web")]
pub trait Fetching {
    /// What the other side wants, as soon as it has said that.
    fn wanted(&self) -> Option<&Wanted>;

    /// Answers, as much as is taken; the rest waits for [`Stream::flush`]. Bytes that are written
    /// then follow it.
    fn answer(&mut self, answer: &[u8]);

    /// Hands over bytes of a file inside the kernel, from there on and so many at most: refused while
    /// something waits for [`Stream::flush`], and where the bytes are not those on the wire.
    fn send(&mut self, file: BorrowedFd<'_>, at: u64, most: usize) -> Handed;
}

/// What handing over bytes of a file inside the kernel came to.
#[cfg(feature = "web")]
#[derive(Debug)]
pub enum Handed {
    /// So many; none only if a signal interrupted it.
    Bytes(usize),
    /// The stream takes nothing now; an event will tell.
    Full,
    /// The file has nothing there.
    Nothing,
    /// It cannot be done so: read and write instead, which tell what is wrong, too.
    Refused,
    /// The stream broke.
    Failed(io::Error),
}

/// What carries the bytes of a connection, non-blocking.
pub trait Stream {
    /// Whether a handshake comes first.
    fn shakes_hands(&self) -> bool;

    /// Goes on with the handshake as far as it gets. To be called until it is done, before anything
    /// else. The witness is told the questions and answers of this layer; those of a layer below
    /// are told there.
    fn handshake(&mut self, witness: &mut dyn Witness) -> Handshake;

    /// Reads once.
    fn read(&mut self, buffer: &mut [u8]) -> Received;

    /// Looks at what would be read next, without taking any of it: where nothing may be heard, a goodbye
    /// is seen all the same if no word stands before it. What is no word (a sign of life) may be taken.
    fn peek(&mut self, buffer: &mut [u8]) -> Ahead;

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
    /// The error of the system call.
    fn shutdown(&mut self) -> io::Result<()>;

    /// After [`Stream::shutdown`], ends the other direction as well: from now on Linux answers what the other side
    /// says with a reset, and does not acknowledge it (`tcp_rcv_state_process()` in net/ipv4/tcp_input.c).
    ///
    /// # Errors
    /// The error of the system call.
    fn hang_up(&mut self) -> io::Result<()>;

    /// Why the stream broke, as far as that is known: what the other side did that is not allowed and a read
    /// has still to tell, or else what the system tells once (`SO_ERROR`, socket(7)).
    fn take_error(&mut self) -> Option<io::Error>;

    /// Whether a read would find something although no event will tell of it.
    fn has_buffered_input(&self) -> bool;

    /// What has come from the other side and was not read (`FIONREAD`, ioctl_tty(2), and what waits in the
    /// layers above).
    fn unread(&self) -> Unread;

    /// Whether something that was written waits here for [`Stream::flush`].
    fn has_pending_output(&self) -> bool;

    /// Whether an end that the other side told is known from one that it did not: whether
    /// [`Received::End`] is proof and [`Received::Truncated`] is possible.
    fn authenticates_eof(&self) -> bool;

    /// Whether what is read and written are the very bytes on the wire, so that the kernel may move
    /// them by itself (sendfile(2), splice(2)).
    fn is_wire(&self) -> bool;

    /// Whether the system tells when the other end is closed altogether, also after a half-close
    /// (POLLHUP, poll(2)): Unix sockets, and not TCP.
    fn tells_hang_up(&self) -> bool;

    /// Whether the other side told that it reads nothing any more, either.
    fn has_closed(&self) -> bool;

    /// Whether the other side can end what it sends and still read (a half-close): in TCP it can, in WebSocket
    /// it cannot (RFC 6455, 1.4 and 7.1.1).
    fn can_half_close(&self) -> bool;

    /// The other side's end was read, and there is still something to come from ours: sends probes
    /// more often (keepalive, tcp(7)).
    fn probe_soon(&mut self);

    /// From now on, whether closing it breaks the connection instead of ending it: the other side reads
    /// an error (ECONNRESET) instead of an end, also when the process dies (`SO_LINGER`, socket(7)). A
    /// Unix socket has no such error: closed with nothing unread, it ends.
    fn break_on_close(&mut self, breaks: bool);

    /// The kernel's account of the connection. None: there is no such account.
    fn tcp_info(&self) -> Option<TcpInfo>;

    /// Tells the other side why it is not let in, as its protocol has it.
    ///
    /// # Errors
    /// It broke.
    fn refuse(&mut self, refusal: &Refusal, witness: &mut dyn Witness) -> io::Result<()>;

    /// The means to say something beside the stream, if the layer has one.
    fn beside(&mut self) -> Option<&mut dyn Beside>;

    /// What [`Stream::tcp_info`] is a part of, to explain it.
    fn reading(&self) -> Option<Reading>;

    /// Our end, if it has an address and a port.
    fn local_addr(&self) -> Option<SocketAddr>;

    /// What a handshake came to, the lowest layer first, as far as the witness was not told of it; nothing where there
    /// is none.
    fn agreements(&self) -> Vec<Agreement>;
}
