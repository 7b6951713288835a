//! Where the other side of a connection is, as people read it.

use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;

/// The other side's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addr {
    /// TCP; IPv4 looks like IPv4, also on a dual-stack socket.
    Inet(SocketAddr),
    /// A Unix socket, and who connected to it if that is known.
    Unix(String),
    /// What a proxy was asked to connect to: a host and a port.
    Proxied(String),
}

impl Addr {
    /// The address of the machine, if that is how the other side is reached.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Addr::Inet(addr) => Some(addr.ip()),
            Addr::Unix(_) | Addr::Proxied(_) => None,
        }
    }
}

impl From<SocketAddr> for Addr {
    fn from(addr: SocketAddr) -> Addr {
        Addr::Inet(SocketAddr::new(addr.ip().to_canonical(), addr.port()))
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Addr::Inet(addr) => addr.fmt(f),
            Addr::Unix(place) | Addr::Proxied(place) => place.fmt(f),
        }
    }
}
