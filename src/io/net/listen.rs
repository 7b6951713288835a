//! Listening: the sockets a hub waits at.
//!
//! It promises: accepted sockets need no further system call, because they inherit their options
//! from the listener (`tcp(7)`).

use std::io;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpListener;

use rustix::io::Errno;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getrlimit;
use rustix::process::setrlimit;
use socket2::Domain;
use socket2::Protocol;
use socket2::SockRef;
use socket2::Socket;
use socket2::Type;

use super::BACKLOG;
use super::passed;
use super::resolve::Family;
use super::resolve::Lookup;
use super::resolve::Patience;
use super::resolve::resolve;
use super::resolve::shown;
use super::set_options;
use crate::io::error::Error;

/// What to do on a machine without IPv6.
pub(in crate::io) const WITHOUT_IPV6: &str = "This machine has no IPv6: use -4.";

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

/// A listening socket, non-blocking, and a sentence that says where it listens. Without `bind` it is
/// the one that was [`passed`](passed::passed).
///
/// # Errors
/// The address is taken, not ours, not allowed, …
pub fn listen(bind: Option<&Bind>) -> Result<(TcpListener, String), Error> {
    let listener = match bind {
        Some(bind) => bind_to(bind)?,
        None => passed::take()?,
    };
    let local = listener
        .local_addr()
        .map_err(|error| Error::system("listen", &error))?;
    let both = match is_dual(&SockRef::from(&listener), local) {
        true => " (IPv4 and IPv6)",
        false => "",
    };
    Ok((listener, format!("{}{both}", shown(local))))
}

fn bind_to(bind: &Bind) -> Result<TcpListener, Error> {
    let (addr, result) = open_at(bind, listen_on)?;
    result.map_err(|error| listen_error(addr, &error))
}

/// Opens a socket where `bind` says, and says at which address: `open` does it at an address, for IPv4 as well
/// if that is the second. Without a host that is the case, if this machine has IPv6.
pub(in crate::io) fn open_at<T>(
    bind: &Bind,
    open: impl Fn(SocketAddr, bool) -> io::Result<T>,
) -> Result<(SocketAddr, io::Result<T>), Error> {
    let everywhere4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, bind.port));
    let everywhere6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, bind.port));
    let at = |addr: SocketAddr, is_dual: bool| {
        if addr.is_ipv6() {
            require_ipv6()?;
        }
        open(addr, is_dual)
    };
    Ok(match (&bind.host, bind.family) {
        (Some(host), family) => {
            let addr = resolve(host, bind.port, family, bind.lookup, Patience::Usual)?[0];
            (addr, at(addr, false))
        }
        (None, Family::V4) => (everywhere4, at(everywhere4, false)),
        (None, Family::V6) => (everywhere6, at(everywhere6, false)),
        (None, Family::Any) => match at(everywhere6, true) {
            Err(error) if is_without_ipv6(&error) => (everywhere4, at(everywhere4, false)),
            result => (everywhere6, result),
        },
    })
}

/// Whether a listener on all addresses takes IPv4 as well as IPv6.
fn is_dual(listener: &Socket, local: SocketAddr) -> bool {
    let everywhere6 = local.is_ipv6() && local.ip().is_unspecified();
    everywhere6 && !listener.only_v6().unwrap_or(true)
}

/// The addresses under which a hub that listens on all of them can be reached from other machines,
/// IPv4 first; none for a hub that listens on one. Those of one link only are left out: they need
/// to be told with an interface that the other machine has.
pub fn reachable(listener: &mio::net::TcpListener) -> Vec<SocketAddr> {
    let Ok(local) = listener.local_addr() else {
        return Vec::new();
    };
    if !local.ip().is_unspecified() {
        return Vec::new();
    }
    let both = is_dual(&SockRef::from(listener), local);
    // It works without as well.
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

fn listen_on(addr: SocketAddr, is_dual: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        // The default is the system's choice (ipv6(7), `net.ipv6.bindv6only`).
        socket.set_only_v6(!is_dual)?;
    }
    // So that a hub can start again at once, while connections of the former one are in TIME_WAIT
    // (socket(7), SO_REUSEADDR); never SO_REUSEPORT, with which two programs would share the port
    // and each get half the class.
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    set_options(&socket)?;
    socket.set_nonblocking(true)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Fails as a machine without the protocol does, also where it is only switched off: there a socket
/// can still listen on all addresses, but no connection can ever come.
fn require_ipv6() -> io::Result<()> {
    let probe = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    match probe.bind(&SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).into()) {
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => Err(Errno::AFNOSUPPORT.into()),
        _ => Ok(()),
    }
}

/// Whether that is the error of a machine without IPv6.
pub(in crate::io) fn is_without_ipv6(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

fn listen_error(addr: SocketAddr, error: &io::Error) -> Error {
    let port = addr.port();
    let told = Error::system(format!("listen on {}", shown(addr)), error);
    match error.kind() {
        // An outgoing connection does not listen, and in TIME_WAIT it has no program any more.
        ErrorKind::AddrInUse => told.hint(format!(
            "Port {port} is already in use, by a program or by a connection that is not over yet: \
             stop it, wait, or choose another port. \
             To see which it is: ss -tanp 'sport = :{port}'"
        )),
        ErrorKind::PermissionDenied => {
            told.hint("Ports below 1024 are for the administrator: choose one from 1024 to 65535.")
        }
        ErrorKind::AddrNotAvailable => told
            .hint("That is not an address of this machine: leave it out to listen on all of them."),
        _ if is_without_ipv6(error) => told.hint(WITHOUT_IPV6),
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
