//! Where the other side of a connection is, as people read it.

use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;

/// The other side's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addr {
    /// TCP; IPv4 looks like IPv4, also on a dual-stack socket.
    Inet(SocketAddr),
    /// The same, from a browser.
    Web(SocketAddr),
    /// A Unix socket, and who connected to it if that is known.
    Unix(String),
    /// What a proxy was asked to connect to: a host and a port.
    Proxied(String),
}

impl Addr {
    /// The address of the machine, if that is how the other side is reached.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Addr::Inet(addr) | Addr::Web(addr) => Some(addr.ip()),
            Addr::Unix(_) | Addr::Proxied(_) => None,
        }
    }
}

impl Addr {
    /// That of a browser.
    pub fn web(addr: SocketAddr) -> Addr {
        Addr::Web(canonical(addr))
    }
}

impl From<SocketAddr> for Addr {
    fn from(addr: SocketAddr) -> Addr {
        Addr::Inet(canonical(addr))
    }
}

fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Addr::Inet(addr) => addr.fmt(f),
            Addr::Web(addr) => write!(f, "{addr} (web)"),
            Addr::Unix(place) | Addr::Proxied(place) => place.fmt(f),
        }
    }
}
