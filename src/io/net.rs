//! Addresses, and the sockets made from them: looking up, listening, connecting.
//!
//! It promises: every failure names the address and says what to do about it; accepted sockets
//! need no further system call, because they inherit their options from the listener (`tcp(7)`).

use std::io;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::SocketAddrV6;
use std::net::ToSocketAddrs;
use std::time::Duration;
use std::time::Instant;

use dns_lookup::AddrInfoHints;
use dns_lookup::SockType;
use rustix::io::Errno;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getrlimit;
use rustix::process::setrlimit;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::TcpKeepalive;
use socket2::Type;

use crate::io::error::Error;
use crate::io::error::why;

/// Connections that may wait to be accepted. A class arrives at once, and what overflows the
/// backlog waits a second for its next SYN. The kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// A closed laptop sends nothing: ask after a minute of silence, and give up 50 seconds later.
/// That is for a connection on which nothing is on its way; see [`crate::engine::vigil`] for one to
/// which something is.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(10))
    .with_retries(5);

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

/// Where a hub listens: one address, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// One address or name; without it all addresses.
    pub host: Option<String>,
    /// 0 lets the system choose.
    pub port: u16,
    /// Which family.
    pub family: Family,
    /// Whether the host may be a name.
    pub lookup: Lookup,
}

/// A listening socket, non-blocking, and a sentence that says where it listens.
///
/// # Errors
/// The address is taken, not ours, not allowed, …
pub fn listen(bind: &Bind) -> Result<(std::net::TcpListener, String), Error> {
    let everywhere4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, bind.port));
    let everywhere6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, bind.port));
    let (addr, result) = match (&bind.host, bind.family) {
        (Some(host), family) => {
            let addr = resolve(host, bind.port, family, bind.lookup)?[0];
            (addr, listen_on(addr))
        }
        (None, Family::V4) => (everywhere4, listen_on(everywhere4)),
        (None, Family::V6) => (everywhere6, listen_on(everywhere6)),
        (None, Family::Any) => match listen_dual(everywhere6) {
            Err(error) if is_without_ipv6(&error) => (everywhere4, listen_on(everywhere4)),
            result => (everywhere6, result),
        },
    };
    let listener = result.map_err(|error| listen_error(addr, &error))?;
    let local = listener
        .local_addr()
        .map_err(|error| listen_error(addr, &error))?;
    let both = match (&bind.host, bind.family) {
        (None, Family::Any) if local.is_ipv6() => " (IPv4 and IPv6)",
        _ => "",
    };
    Ok((listener, format!("{local}{both}")))
}

/// The addresses under which a hub that listens on all of them can be reached from other machines,
/// IPv4 first; none for a hub that listens on one. Those of one link only are left out: they need
/// to be told with an interface that the other machine has.
pub fn reachable(bind: &Bind, listener: &std::net::TcpListener) -> Vec<SocketAddr> {
    let Ok(local) = listener.local_addr() else {
        return Vec::new();
    };
    if !local.ip().is_unspecified() {
        return Vec::new();
    }
    let both = bind.host.is_none() && bind.family == Family::Any && local.is_ipv6();
    // Nobody is worse off without.
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut found: Vec<SocketAddr> = interfaces
        .iter()
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(|interface| SocketAddr::new(interface.ip(), local.port()))
        .filter(|addr| both || addr.is_ipv4() == local.is_ipv4())
        .collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found
}

fn listen_on(addr: SocketAddr) -> io::Result<std::net::TcpListener> {
    if addr.is_ipv6() {
        require_ipv6()?;
    }
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    open(socket, addr)
}

fn listen_dual(addr: SocketAddr) -> io::Result<std::net::TcpListener> {
    require_ipv6()?;
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_only_v6(false)?;
    open(socket, addr)
}

fn open(socket: Socket, addr: SocketAddr) -> io::Result<std::net::TcpListener> {
    // So that a hub can start again at once; never SO_REUSEPORT, with which two programs would
    // share the port and each get half the class.
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    set_options(&socket)?;
    socket.set_nonblocking(true)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn set_options(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&KEEPALIVE)
}

/// Fails as a machine without the protocol does, also where it is only switched off: there all
/// addresses together can still be listened on, but nobody can ever come.
fn require_ipv6() -> io::Result<()> {
    let probe = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    match probe.bind(&SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).into()) {
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => Err(Errno::AFNOSUPPORT.into()),
        _ => Ok(()),
    }
}

fn is_without_ipv6(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

fn listen_error(addr: SocketAddr, error: &io::Error) -> Error {
    let port = addr.port();
    let told = Error::system(format!("listen on {addr}"), error);
    match error.kind() {
        ErrorKind::AddrInUse => told.hint(format!(
            "Port {port} is already in use by another program: stop it or choose another port. \
             To see which it is: ss -ltnp 'sport = :{port}'"
        )),
        ErrorKind::PermissionDenied => {
            told.hint("Ports below 1024 are for the administrator: choose one from 1024 to 65535.")
        }
        ErrorKind::AddrNotAvailable => told
            .hint("That is not an address of this machine: leave it out to listen on all of them."),
        _ if is_without_ipv6(error) => told.hint("This machine has no IPv6: use -4."),
        _ => told,
    }
}

/// Whether an accept failed because something ran out, so that a later one can succeed, and not
/// because of the one connection that was being accepted (`accept(2)`).
pub fn is_exhausted(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Raises the limit of open descriptors as far as this process may. That it may not is no error:
/// the hub serves as many as it can.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        log::debug!("raise the limit of open descriptors: {error}");
    }
}

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
