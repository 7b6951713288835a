//! UDP: a socket for datagrams, to one other side or for all that send something.
//!
//! It promises: one system call per call, repeated only if a signal interrupted it, and none while the kernel is
//! known to have nothing, or no room; a peer is answered from the address that it sent to.

mod peer;

use std::io;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::net::UdpSocket;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;

pub use self::peer::Peer;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::net;
use crate::io::net::Bind;
use crate::io::net::Family;
use crate::io::net::Patience;
use crate::io::net::Remote;
use crate::io::readiness::Event;
use crate::io::readiness::Readiness;
use crate::io::wait::until_ready;

/// See the module's documentation.
#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    ready: Readiness,
}

/// What a call came to.
#[derive(Debug)]
pub enum Moved<T> {
    /// It is done.
    Done(T),
    /// Not now; an event will tell.
    Pending,
    /// It failed. For a socket to one other side that may be about a datagram that went before (ICMP).
    Failed(io::Error),
}

impl Udp {
    /// One for the first of the host's addresses to which there is a way: nothing is sent, so nothing answers.
    ///
    /// # Errors
    /// There is none.
    pub fn connect(remote: &Remote) -> Result<(Udp, SocketAddr), Error> {
        let until = Patience::Until(Instant::now() + remote.limit);
        let (lookup, family) = (remote.lookup, remote.family);
        let mut failure = None;
        for addr in net::resolve(&remote.host, remote.port, family, lookup, until)? {
            let any = match addr {
                SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
                SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            };
            let port = remote.source_port.unwrap_or(0);
            let source = match &remote.source {
                Some(host) => match net::source(host, port, addr, lookup, until) {
                    Ok(source) => Some(source),
                    Err(error) => {
                        failure.get_or_insert(error);
                        continue;
                    }
                },
                None => remote
                    .source_port
                    .map(|port| SocketAddr::new(any.ip(), port)),
            };
            let opened = open(addr, |socket| {
                source.map_or(Ok(()), |source| socket.bind(&source.into()))?;
                socket.connect(&addr.into())
            });
            match opened {
                Ok(udp) => return Ok((udp, addr)),
                Err(error) => {
                    let told =
                        Error::system(format!("send to {} by UDP", net::shown(addr)), &error);
                    failure.get_or_insert(told);
                }
            }
        }
        Err(failure.unwrap_or_else(|| Error::new(format!("look up {}", remote.host), "no address")))
    }

    /// A socket for all that send something there, and a sentence that says where.
    ///
    /// # Errors
    /// The address is taken, not ours, not allowed, …
    pub fn bind(bind: &Bind) -> Result<(Udp, String), Error> {
        let on = |addr: SocketAddr, dual: bool| {
            open(addr, |socket| {
                if addr.is_ipv6() {
                    socket.set_only_v6(!dual)?;
                }
                Peer::ask(socket, addr)?;
                socket.bind(&addr.into())
            })
        };
        let (addr, opened) = net::open_at(bind, on)?;
        let failed = |error: io::Error| {
            let told = Error::new(
                format!("listen on {} by UDP", net::shown(addr)),
                why(&error),
            );
            match error.kind() {
                ErrorKind::AddrInUse => told.hint(format!(
                    "Another program has that port: stop it or choose another one. \
                     To see which it is: ss -uanp 'sport = :{}'",
                    addr.port()
                )),
                ErrorKind::PermissionDenied => told.hint(
                    "Ports below 1024 are for the administrator: choose one from 1024 to 65535.",
                ),
                ErrorKind::AddrNotAvailable => told.hint(
                    "That is not an address of this machine: leave it out to listen on all of them.",
                ),
                _ if net::is_without_ipv6(&error) => told.hint(net::WITHOUT_IPV6),
                _ => told,
            }
        };
        let udp = opened.map_err(failed)?;
        let local = udp.socket.local_addr().map_err(failed)?;
        let both = match bind.host.is_none() && bind.family == Family::Any && local.is_ipv6() {
            true => ", IPv4 and IPv6",
            false => "",
        };
        Ok((udp, format!("{} (UDP{both})", net::shown(local))))
    }

    /// Registers it for both directions, once and for all.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(
            &mut self.socket,
            token,
            Interest::READABLE | Interest::WRITABLE,
        )
    }

    /// Takes note of an event.
    pub fn collect(&mut self, event: Event) {
        self.ready.collect(event);
    }

    /// Whether a read may find something.
    pub fn is_readable(&self) -> bool {
        self.ready.is_readable()
    }

    /// Whether a datagram has come: a look that takes nothing.
    pub fn has_unread(&self) -> bool {
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        self.is_readable() && until_ready(&mut fds, Duration::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Whether a datagram may be taken.
    pub fn is_writable(&self) -> bool {
        self.ready.is_writable()
    }

    /// Reads one datagram, which may be empty: how long it is, and from whom.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Moved<(usize, Peer)> {
        loop {
            match Peer::receive(&self.socket, buffer) {
                Ok(received) => return Moved::Done(received),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.ready.read_blocked();
                    return Moved::Pending;
                }
                Err(error) => return Moved::Failed(error),
            }
        }
    }

    /// Sends one datagram, to that peer or to the other side.
    pub fn send(&mut self, datagram: &[u8], to: Option<Peer>) -> Moved<()> {
        loop {
            let sent = match to {
                Some(peer) => peer.send(&self.socket, datagram),
                None => self.socket.send(datagram).map(drop),
            };
            match sent {
                Ok(()) => return Moved::Done(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.ready.write_blocked();
                    return Moved::Pending;
                }
                Err(error) => return Moved::Failed(error),
            }
        }
    }

    /// The error that ICMP reported for an earlier datagram, if it was not told yet (udp(7)).
    pub fn take_error(&self) -> Option<io::Error> {
        self.socket.take_error().ok().flatten()
    }
}

fn open(addr: SocketAddr, prepare: impl FnOnce(&Socket) -> io::Result<()>) -> io::Result<Udp> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    prepare(&socket)?;
    Ok(Udp {
        socket: UdpSocket::from_std(socket.into()),
        ready: Readiness::UNKNOWN,
    })
}
