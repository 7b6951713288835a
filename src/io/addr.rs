//! Where the other side of a connection is, as people read it.
//!
//! It promises: an IPv4 address, as most have, takes sixteen bytes; every other one takes memory of its own.

use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::SocketAddrV4;

/// The other side's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addr(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// TCP over IPv4; IPv4 looks like IPv4, also on a dual-stack socket.
    Short { addr: SocketAddrV4, is_web: bool },
    /// Any other.
    Long(Box<Long>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Long {
    /// TCP over IPv6.
    Inet { addr: SocketAddr, is_web: bool },
    /// In words.
    Words(String),
}

// Each peer of a hub has one.
const _: () = assert!(size_of::<Addr>() <= 16);

impl Addr {
    /// That of a browser.
    pub fn web(addr: SocketAddr) -> Addr {
        Addr::inet(addr, true)
    }

    /// A Unix socket, and who connected to it if that is known.
    pub fn unix(place: String) -> Addr {
        Addr::words(place)
    }

    /// What a proxy was asked to connect to: a host and a port.
    pub fn proxied(place: String) -> Addr {
        Addr::words(place)
    }

    fn words(place: String) -> Addr {
        Addr(Form::Long(Box::new(Long::Words(place))))
    }

    fn inet(addr: SocketAddr, is_web: bool) -> Addr {
        let port = addr.port();
        Addr(match addr.ip().to_canonical() {
            IpAddr::V4(ip) => Form::Short {
                addr: SocketAddrV4::new(ip, port),
                is_web,
            },
            ip => Form::Long(Box::new(Long::Inet {
                addr: SocketAddr::new(ip, port),
                is_web,
            })),
        })
    }

    /// The address and the port, if that is how the other side is reached.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            Form::Short { addr, .. } => Some((*addr).into()),
            Form::Long(long) => match **long {
                Long::Inet { addr, .. } => Some(addr),
                Long::Words(_) => None,
            },
        }
    }

    /// The address of the machine, if that is how the other side is reached.
    pub fn ip(&self) -> Option<IpAddr> {
        self.socket_addr().map(|addr| addr.ip())
    }

    /// Whether the other side is a browser.
    fn is_web(&self) -> bool {
        match &self.0 {
            Form::Short { is_web, .. } => *is_web,
            Form::Long(long) => matches!(**long, Long::Inet { is_web: true, .. }),
        }
    }
}

impl From<SocketAddr> for Addr {
    fn from(addr: SocketAddr) -> Addr {
        Addr::inet(addr, false)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Short { addr, .. } => addr.fmt(f)?,
            Form::Long(long) => match &**long {
                Long::Inet { addr, .. } => addr.fmt(f)?,
                Long::Words(place) => place.fmt(f)?,
            },
        }
        match self.is_web() {
            true => f.write_str(" (web)"),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_as_people_read_it_and_known_by_its_machine_if_there_is_one() {
        let inet = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let cases = [
            (Addr::from(inet("192.0.2.1:80")), "192.0.2.1:80"),
            (Addr::from(inet("[::ffff:192.0.2.1]:80")), "192.0.2.1:80"),
            (Addr::from(inet("[2001:db8::1%2]:80")), "[2001:db8::1]:80"),
            (Addr::web(inet("192.0.2.1:80")), "192.0.2.1:80 (web)"),
            (
                Addr::web(inet("[2001:db8::1]:80")),
                "[2001:db8::1]:80 (web)",
            ),
            (Addr::unix("unix:/run/hub".into()), "unix:/run/hub"),
            (Addr::proxied("example.org:80".into()), "example.org:80"),
        ];
        for (addr, text) in cases {
            assert_eq!(addr.to_string(), text);
            let told = text.trim_end_matches(" (web)").parse::<SocketAddr>().ok();
            assert_eq!(addr.socket_addr(), told);
            assert_eq!(addr.ip(), told.map(|told| told.ip()));
        }
    }
}
