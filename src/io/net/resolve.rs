//! Names and numbers: hosts to addresses, services to ports.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::SocketAddrV6;
use std::net::ToSocketAddrs;

use dns_lookup::AddrInfoHints;
use dns_lookup::SockType;

use crate::io::error::Error;
use crate::io::error::why;

/// Which addresses of a name are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// All of them.
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    fn has(self, addr: &SocketAddr) -> bool {
        match self {
            Family::Any => true,
            Family::V4 => addr.is_ipv4(),
            Family::V6 => addr.is_ipv6(),
        }
    }
}

/// Whether names may be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Names and numbers.
    Names,
    /// Numbers only.
    Numeric,
}

/// A port from what was typed: 1 to 65535, or the name of a service. 0 is taken too: for
/// listening it means any.
///
/// # Errors
/// Anything else, as a usage error.
pub fn port(text: &str, lookup: Lookup) -> Result<u16, Error> {
    let bad = |why: &str| {
        Error::usage(format!("port '{text}'"), why)
            .hint("A port is a number from 1 to 65535, or the name of a service, as http.")
    };
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map_err(|_| bad("out of range"));
    }
    let named = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if !named || lookup == Lookup::Numeric {
        return Err(bad("not a port"));
    }
    let hints = AddrInfoHints {
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    dns_lookup::getaddrinfo(None, Some(text), Some(hints))
        .ok()
        .and_then(|mut found| found.next()?.ok())
        .map(|found| found.sockaddr.port())
        .ok_or_else(|| bad("no such service"))
}

/// The addresses of `host`, in the order the system prefers.
///
/// # Errors
/// None were found.
pub fn resolve(
    host: &str,
    port: u16,
    family: Family,
    lookup: Lookup,
) -> Result<Vec<SocketAddr>, Error> {
    let doing = || format!("look up {host}");
    if let Some(addr) = numeric(host, port) {
        return match family.has(&addr) {
            true => Ok(vec![addr]),
            false => Err(Error::usage(doing(), "not an address of that family")
                .hint("-4 and -6 must fit the address.")),
        };
    }
    if lookup == Lookup::Numeric {
        return Err(Error::usage(doing(), "not a numeric address")
            .hint("With -n nothing is looked up; leave it out to use a name."));
    }
    let found: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|error| {
            let why = why(&error);
            let why = why.rsplit(": ").next().unwrap_or(&why).to_lowercase();
            Error::new(doing(), why).hint("Check the spelling, or use the numeric address.")
        })?
        .filter(|addr| family.has(addr))
        .collect();
    match found.is_empty() {
        true => Err(Error::new(doing(), "it has no address of that family")
            .hint("Leave out -4 or -6 to use those it has.")),
        false => Ok(found),
    }
}

/// An address written in numbers, with a numeric scope if any.
fn numeric(host: &str, port: u16) -> Option<SocketAddr> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, port));
    }
    let scoped: SocketAddrV6 = format!("[{host}]:{port}").parse().ok()?;
    Some(scoped.into())
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_strict() {
        assert_eq!(port("1", Lookup::Names), Ok(1));
        assert_eq!(port("65535", Lookup::Numeric), Ok(65535));
        for text in [
            "", "65536", "99999", "-5", "+5", "80x", "0x50", " 80", "8.0",
        ] {
            let error = port(text, Lookup::Names).expect_err(text);
            assert!(error.is_usage() && error.to_string().contains(&format!("'{text}'")));
        }
        assert!(port("http", Lookup::Numeric).is_err());
    }

    #[test]
    fn numbers_need_no_lookup() {
        let resolve = |host, family| resolve(host, 7, family, Lookup::Numeric);
        let v4 = SocketAddr::from(([127, 0, 0, 1], 7));
        assert_eq!(resolve("127.0.0.1", Family::Any), Ok(vec![v4]));
        assert!(resolve("127.0.0.1", Family::V6).is_err());
        assert!(resolve("localhost", Family::Any).is_err());
        let scoped = resolve("fe80::1%2", Family::V6).unwrap()[0];
        assert_eq!(scoped.to_string(), "[fe80::1%2]:7");
    }
}
