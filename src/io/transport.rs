//! What a connection runs over.
//!
//! It promises: what `read(2)` and `write(2)` do on a non-blocking stream, whatever is underneath,
//! and that nothing but the kind of stream is decided here.

use std::io;
use std::io::IoSlice;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;

use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::net::TcpStream;
use mio::net::UnixStream;

use crate::engine::dead_peer::Outstanding;
use crate::io::conn::Stream;
use crate::io::tcp_info::TcpInfo;
use crate::io::tls::Session;

/// What every stream is registered for. That there are urgent bytes has to be known: a read stops
/// at their mark, though more may follow (tcp(7); RFC 6093 has why nobody should send them).
#[cfg(any(target_os = "linux", target_os = "android"))]
const BOTH: Interest = Interest::READABLE
    .add(Interest::WRITABLE)
    .add(Interest::PRIORITY);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A connected stream of one kind or another, which must be non-blocking.
#[derive(Debug)]
pub enum Transport {
    /// TCP as it is.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// TLS over any of the others.
    Tls(Box<Session>),
}

impl Transport {
    /// Registers it for both directions.
    ///
    /// # Errors
    /// What the system says.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Transport::Tcp(stream) => registry.register(stream, token, BOTH),
            Transport::Unix(stream) => registry.register(stream, token, BOTH),
            Transport::Tls(session) => session.transport_mut().register(registry, token),
        }
    }

    /// Undoes that.
    ///
    /// # Errors
    /// What the system says.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Transport::Tcp(stream) => registry.deregister(stream),
            Transport::Unix(stream) => registry.deregister(stream),
            Transport::Tls(session) => session.transport_mut().deregister(registry),
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Transport::Tcp(stream) => stream.read(buffer),
            Transport::Unix(stream) => stream.read(buffer),
            Transport::Tls(session) => session.read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Transport::Tcp(stream) => stream.write(bytes),
            Transport::Unix(stream) => stream.write(bytes),
            Transport::Tls(session) => session.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Transport::Tcp(stream) => stream.write_vectored(slices),
            Transport::Unix(stream) => stream.write_vectored(slices),
            Transport::Tls(session) => session.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Transport::Tcp(stream) => stream.flush(),
            Transport::Unix(stream) => stream.flush(),
            Transport::Tls(session) => session.flush(),
        }
    }
}

impl Stream for Transport {
    fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Transport::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Transport::Unix(stream) => stream.shutdown(Shutdown::Write),
            Transport::Tls(session) => session.shutdown(),
        }
    }

    fn take_error(&mut self) -> Option<io::Error> {
        match self {
            Transport::Tcp(stream) => stream.take_error().ok().flatten(),
            Transport::Unix(stream) => stream.take_error().ok().flatten(),
            Transport::Tls(session) => session.take_error(),
        }
    }

    fn has_buffered_input(&self) -> bool {
        match self {
            Transport::Tcp(_) | Transport::Unix(_) => false,
            Transport::Tls(session) => session.has_buffered_input(),
        }
    }

    fn has_pending_output(&self) -> bool {
        match self {
            Transport::Tcp(_) | Transport::Unix(_) => false,
            Transport::Tls(session) => session.has_pending_output(),
        }
    }

    fn authenticates_eof(&self) -> bool {
        matches!(self, Transport::Tls(_))
    }

    fn outstanding(&self, tcp_info: &mut TcpInfo) -> Option<Outstanding> {
        match self {
            Transport::Tcp(stream) => {
                tcp_info.query(stream.local_addr().ok()?, stream.peer_addr().ok()?)
            }
            // On one machine nobody vanishes without a word.
            Transport::Unix(_) => None,
            Transport::Tls(session) => session.outstanding(tcp_info),
        }
    }
}

impl From<TcpStream> for Transport {
    fn from(stream: TcpStream) -> Transport {
        Transport::Tcp(stream)
    }
}

impl From<UnixStream> for Transport {
    fn from(stream: UnixStream) -> Transport {
        Transport::Unix(stream)
    }
}

impl From<Session> for Transport {
    fn from(session: Session) -> Transport {
        Transport::Tls(Box::new(session))
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Transport::Tcp(stream) => stream.as_fd(),
            Transport::Unix(stream) => stream.as_fd(),
            Transport::Tls(session) => session.transport().as_fd(),
        }
    }
}
