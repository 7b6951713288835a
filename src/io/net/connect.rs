//! Connecting: from a name to the first of its addresses that answers.

use std::io;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;

use super::resolve::Family;
use super::resolve::Lookup;
use super::resolve::resolve;
use super::set_options;
use crate::io::error::Error;

/// Where a participant connects to, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Name or address.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// Which of its addresses.
    pub family: Family,
    /// Whether the host may be a name.
    pub lookup: Lookup,
    /// The address to come from, if it matters.
    pub source: Option<String>,
    /// The port to come from, if it matters.
    pub source_port: Option<u16>,
    /// How long to try, over all addresses together.
    pub limit: Duration,
}

/// Connects to the first address that answers. The time left is shared out among the addresses
/// left, so that a dead one does not use up the time of the others.
///
/// # Errors
/// None answered.
pub fn connect(remote: &Remote) -> Result<(std::net::TcpStream, SocketAddr), Error> {
    let end = Instant::now() + remote.limit;
    let addrs = resolve(&remote.host, remote.port, remote.family, remote.lookup)?;
    let mut failure = None;
    for (i, &addr) in addrs.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match connect_to(addr, remote, left / (addrs.len() - i) as u32) {
            Ok(stream) => return Ok((stream, addr)),
            Err(error) => {
                log::debug!("connect to {addr}: {error}");
                failure = Some((addr, error));
            }
        }
    }
    let (addr, error) = failure.unwrap_or((addrs[0], ErrorKind::TimedOut.into()));
    Err(connect_error(addr, remote, &error))
}

fn connect_to(
    addr: SocketAddr,
    remote: &Remote,
    limit: Duration,
) -> io::Result<std::net::TcpStream> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    set_options(&socket)?;
    if remote.source.is_some() || remote.source_port.is_some() {
        let source = source(addr, remote)?;
        socket.set_reuse_address(true)?;
        socket.bind(&source.into())?;
    }
    socket.connect_timeout(&addr.into(), limit)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn source(addr: SocketAddr, remote: &Remote) -> io::Result<SocketAddr> {
    let port = remote.source_port.unwrap_or(0);
    let family = match addr {
        SocketAddr::V4(_) => Family::V4,
        SocketAddr::V6(_) => Family::V6,
    };
    match &remote.source {
        Some(host) => resolve(host, port, family, remote.lookup)
            .map(|addrs| addrs[0])
            .map_err(|error| io::Error::new(ErrorKind::AddrNotAvailable, error.to_string())),
        None if addr.is_ipv4() => Ok((Ipv4Addr::UNSPECIFIED, port).into()),
        None => Ok((Ipv6Addr::UNSPECIFIED, port).into()),
    }
}

fn connect_error(addr: SocketAddr, remote: &Remote, error: &io::Error) -> Error {
    let named = match remote.host.parse::<IpAddr>() {
        Ok(_) => format!("connect to {addr}"),
        Err(_) => format!("connect to {}:{} ({addr})", remote.host, remote.port),
    };
    match error.kind() {
        ErrorKind::ConnectionRefused => Error::system(named, error)
            .hint("Nothing listens on that port: is the other side started, is the port right?"),
        ErrorKind::TimedOut => Error::new(named, "timed out").hint(
            "Nobody answered: is the address right, is a firewall in between? \
             (-w SECS sets how long to try.)",
        ),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Error::system(named, error)
            .hint("There is no way to that address from here: is the network up?"),
        ErrorKind::AddrNotAvailable if remote.source.is_some() => Error::system(named, error)
            .hint("-s must be an address of this machine, of the same family."),
        ErrorKind::AddrInUse | ErrorKind::PermissionDenied if remote.source_port.is_some() => {
            Error::system(named, error).hint("-p must be a port that is free and allowed here.")
        }
        _ => Error::system(named, error),
    }
}
