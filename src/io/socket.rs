//! A socket: TCP or Unix, connected and non-blocking, as the lowest layer of a connection.
//!
//! It promises: one system call per call, repeated only if a signal interrupted it; differences
//! between the kinds of sockets are handled here and nowhere else.

use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;

use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::net::TcpStream;
use mio::net::UnixStream;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use socket2::SockRef;

use crate::engine::explain::Agreement;
use crate::engine::explain::Reading;
use crate::engine::explain::Witness;
use crate::io::net;
use crate::io::readiness::Watch;
use crate::io::stream::Ahead;
use crate::io::stream::Beside;
use crate::io::stream::Handshake;
use crate::io::stream::Received;
use crate::io::stream::Refusal;
use crate::io::stream::Sent;
use crate::io::stream::Stream;
use crate::io::stream::Unread;
use crate::io::tcp_info::TcpInfo;

/// What a socket is registered for. That there are urgent bytes has to be known: a read stops at
/// their mark, though more may follow (tcp(7); RFC 6093 says why new programs should not send them).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn interest(watch: Watch) -> Interest {
    let arrivals = Interest::READABLE | Interest::PRIORITY;
    match watch {
        Watch::Arrivals => arrivals,
        Watch::ArrivalsAndRoom => arrivals | Interest::WRITABLE,
    }
}

/// The same where kqueue(2) tells of a hang-up only with the room.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn interest(_: Watch) -> Interest {
    Interest::READABLE | Interest::WRITABLE
}

/// A connected socket. See the module's documentation.
#[derive(Debug)]
pub struct Socket {
    kind: Kind,
    /// Our side called connect(2): the kernel's account counts its SYN (see [`TcpInfo::of`]).
    connected: bool,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// One that our side connected.
    pub fn connected(stream: impl Into<Socket>) -> Socket {
        Socket {
            connected: true,
            ..stream.into()
        }
    }

    /// Registers it.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn register(&mut self, registry: &Registry, token: Token, watch: Watch) -> io::Result<()> {
        match &mut self.kind {
            Kind::Tcp(stream) => registry.register(stream, token, interest(watch)),
            Kind::Unix(stream) => registry.register(stream, token, interest(watch)),
        }
    }

    /// Registers it anew, to be told of room, too: an event tells at once what is so already (epoll_ctl(2)).
    ///
    /// # Errors
    /// The error of the system call.
    pub fn await_room(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = interest(Watch::ArrivalsAndRoom);
        match &mut self.kind {
            Kind::Tcp(stream) => registry.reregister(stream, token, interest),
            Kind::Unix(stream) => registry.reregister(stream, token, interest),
        }
    }

    /// Takes it out of the registry that it was registered with.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match &mut self.kind {
            Kind::Tcp(stream) => registry.deregister(stream),
            Kind::Unix(stream) => registry.deregister(stream),
        }
    }
}

/// The first of the bytes that are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstByte {
    /// It has not come; an event will tell.
    Pending,
    /// This one, which is still to be read.
    Byte(u8),
    /// There will be none.
    End,
}

impl Socket {
    /// Looks at the first byte that has come, and leaves it there.
    ///
    /// # Errors
    /// The connection broke.
    pub fn first_byte(&self) -> io::Result<FirstByte> {
        let mut first = [0];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let peek = || rustix::net::recv(self.as_fd(), &mut first, flags);
        match rustix::io::retry_on_intr(peek) {
            Ok((_, 0)) => Ok(FirstByte::End),
            Ok(_) => Ok(FirstByte::Byte(first[0])),
            Err(Errno::AGAIN) => Ok(FirstByte::Pending),
            Err(error) => Err(error.into()),
        }
    }
}

impl Socket {
    fn has_urgent_byte(&self) -> bool {
        let mut polled = [PollFd::new(self, PollFlags::PRI)];
        matches!(self.kind, Kind::Tcp(_))
            && rustix::event::poll(&mut polled, Some(&Timespec::default()))
                .is_ok_and(|ready| ready > 0)
            && polled[0].revents().contains(PollFlags::PRI)
    }
}

impl Stream for Socket {
    fn shakes_hands(&self) -> bool {
        false
    }

    fn handshake(&mut self, _: &mut dyn Witness) -> Handshake {
        Handshake::Done
    }

    fn read(&mut self, buffer: &mut [u8]) -> Received {
        loop {
            let read = match &mut self.kind {
                Kind::Tcp(stream) => stream.read(buffer),
                Kind::Unix(stream) => stream.read(buffer),
            };
            return match read {
                Ok(0) => Received::End,
                Ok(count) => Received::Bytes(count),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => continue,
                    ErrorKind::WouldBlock => Received::Pending,
                    _ => Received::Failed(error),
                },
            };
        }
    }

    /// Its end is none that has a word: an event tells of it.
    fn peek(&mut self, buffer: &mut [u8]) -> Ahead {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let peek = || rustix::net::recv(self.as_fd(), &mut *buffer, flags);
        match rustix::io::retry_on_intr(peek) {
            Ok((_, count)) => Ahead::Bytes(count),
            Err(Errno::AGAIN) => Ahead::Bytes(0),
            Err(error) => Ahead::Failed(error.into()),
        }
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Sent {
        loop {
            // The kernel takes one slice with less ado than a list of one.
            let written = match (&mut self.kind, slices) {
                (Kind::Tcp(stream), [slice]) => stream.write(slice),
                (Kind::Tcp(stream), slices) => stream.write_vectored(slices),
                (Kind::Unix(stream), [slice]) => stream.write(slice),
                (Kind::Unix(stream), slices) => stream.write_vectored(slices),
            };
            return match written {
                Ok(count) => Sent::Bytes(count),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => continue,
                    ErrorKind::WouldBlock => Sent::Full,
                    _ => Sent::Failed(error),
                },
            };
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn shutdown(&mut self) -> io::Result<()> {
        // The FIN goes out behind all that was written, and the other direction stays open
        // (shutdown(2); RFC 9293, 3.6).
        match &mut self.kind {
            Kind::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Kind::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    fn hang_up(&mut self) -> io::Result<()> {
        match &mut self.kind {
            Kind::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Kind::Unix(stream) => stream.shutdown(Shutdown::Both),
        }
    }

    fn take_error(&mut self) -> Option<io::Error> {
        // SO_ERROR gives an error once and clears it (socket(7)).
        let taken = match &self.kind {
            Kind::Tcp(stream) => stream.take_error(),
            Kind::Unix(stream) => stream.take_error(),
        };
        taken.ok().flatten()
    }

    fn has_buffered_input(&self) -> bool {
        false
    }

    fn unread(&self) -> Unread {
        let socket = SockRef::from(self);
        // What stands behind an urgent byte is counted only if that is a part of the stream (tcp(7), SIOCINQ), and it
        // is none.
        let passes_over =
            self.has_urgent_byte() && socket.out_of_band_inline().is_ok_and(|inline| !inline);
        if passes_over {
            let _ = socket.set_out_of_band_inline(true);
        }
        let waiting = rustix::io::ioctl_fionread(self.as_fd());
        let said = waiting.map(|bytes| bytes.saturating_sub(u64::from(passes_over)));
        let unread = said.map_or(Unread::UNKNOWN, Unread::all);
        if passes_over {
            let _ = socket.set_out_of_band_inline(false);
        }
        unread
    }

    fn has_pending_output(&self) -> bool {
        false
    }

    fn authenticates_eof(&self) -> bool {
        false
    }

    fn is_wire(&self) -> bool {
        true
    }

    fn tells_hang_up(&self) -> bool {
        matches!(self.kind, Kind::Unix(_))
    }

    fn has_closed(&self) -> bool {
        false
    }

    fn can_half_close(&self) -> bool {
        true
    }

    fn probe_soon(&mut self) {
        if let Kind::Tcp(stream) = &self.kind {
            net::probe_soon(stream);
        }
    }

    fn break_on_close(&mut self, breaks: bool) {
        if let Kind::Tcp(stream) = &self.kind {
            net::break_on_close(stream, breaks);
        }
    }

    fn tcp_info(&self) -> Option<TcpInfo> {
        match &self.kind {
            Kind::Tcp(stream) => TcpInfo::of(stream, self.connected),
            Kind::Unix(_) => None,
        }
    }

    fn refuse(&mut self, refusal: &Refusal, witness: &mut dyn Witness) -> io::Result<()> {
        refusal.write_line(self, witness)
    }

    fn beside(&mut self) -> Option<&mut dyn Beside> {
        None
    }

    fn reading(&self) -> Option<Reading> {
        match &self.kind {
            Kind::Tcp(stream) => TcpInfo::reading(stream, self.connected),
            Kind::Unix(_) => None,
        }
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Tcp(stream) => stream.local_addr().ok(),
            Kind::Unix(_) => None,
        }
    }

    fn agreements(&self) -> Vec<Agreement> {
        Vec::new()
    }
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Socket {
        Socket {
            kind: Kind::Tcp(stream),
            connected: false,
        }
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Socket {
        Socket {
            kind: Kind::Unix(stream),
            connected: false,
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.kind {
            Kind::Tcp(stream) => stream.as_fd(),
            Kind::Unix(stream) => stream.as_fd(),
        }
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_stands_behind_an_urgent_byte_is_unread_as_well() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut sender = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (taken, _) = listener.accept().unwrap();
        taken.set_nonblocking(true).unwrap();
        let mut socket = Socket::from(TcpStream::from_std(taken));
        let send = |sender: &mut std::net::TcpStream| {
            sender.write_all(b"before").unwrap();
            SockRef::from(&*sender).send_out_of_band(b"!").unwrap();
            sender.write_all(b"behind").unwrap();
        };
        for round in 0..2 {
            send(&mut sender);
            // All of it is there when the last of it is.
            let patience = Instant::now() + Duration::from_secs(20);
            while socket.unread().bytes < 12 && Instant::now() < patience {
                std::thread::yield_now();
            }
            assert_eq!(socket.unread(), Unread::all(12), "{round}");
            let mut text = Vec::new();
            while text.len() < 12 {
                let mut buffer = [0; 100];
                if let Received::Bytes(count) = socket.read(&mut buffer) {
                    text.extend_from_slice(&buffer[..count]);
                }
            }
            assert_eq!(text, b"beforebehind", "it is passed over");
            assert_eq!(socket.unread(), Unread::NOTHING);
        }
    }

    #[test]
    fn what_is_said_to_one_that_hung_up_is_not_acknowledged() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut sender = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (taken, _) = listener.accept().unwrap();
        let mut socket = Socket::from(TcpStream::from_std(taken));
        socket.shutdown().unwrap();
        socket.hang_up().unwrap();
        assert_eq!(sender.read(&mut [0; 1]).unwrap(), 0, "it reads an end");
        sender.write_all(b"in vain").unwrap();
        let patience = Instant::now() + Duration::from_secs(20);
        while sender.take_error().unwrap().is_none() {
            assert!(Instant::now() < patience, "it is not reset");
            std::thread::yield_now();
        }
        let info = TcpInfo::of(&sender, true).unwrap();
        assert_eq!((info.written, info.acknowledged), (7, 0));
    }
}
