//! Addresses, and the sockets made from them: looking up, listening, connecting.
//!
//! It promises: every failure names the address and says what to do about it; every connection
//! has the same options.

mod connect;
mod dialling;
mod listen;
mod passed;
mod question;
mod race;
mod resolve;

use std::io;
use std::time::Duration;

use socket2::Socket;
use socket2::TcpKeepalive;

pub use self::connect::connect;
pub use self::dialling::Dialled;
pub use self::dialling::Dialling;
pub use self::listen::Bind;
pub(in crate::io) use self::listen::WITHOUT_IPV6;
pub use self::listen::is_exhausted;
pub(in crate::io) use self::listen::is_without_ipv6;
pub use self::listen::listen;
pub(in crate::io) use self::listen::open_at;
pub use self::listen::raise_descriptor_limit;
pub use self::listen::reachable;
pub use self::passed::Passed;
pub use self::passed::passed;
pub(crate) use self::race::Purpose;
pub use self::race::Remote;
pub(crate) use self::race::begin;
pub(crate) use self::race::forget;
pub(crate) use self::race::is_itself;
pub(crate) use self::race::rank;
pub use self::resolve::Family;
pub use self::resolve::Lookup;
pub use self::resolve::Patience;
pub use self::resolve::USUAL;
pub use self::resolve::is_port_alone;
pub use self::resolve::port;
pub use self::resolve::port_as_address;
pub use self::resolve::port_as_host;
pub use self::resolve::resolve;
pub use self::resolve::service;
pub use self::resolve::shown;
pub use self::resolve::source;

/// Connections that may wait to be accepted (listen(2)). A class arrives at once, and what overflows
/// the backlog waits a second for its next SYN. The kernel lowers it to `net.core.somaxconn`.
pub(super) const BACKLOG: i32 = 4096;

/// A closed laptop sends nothing: ask after a minute of silence, and give up 50 seconds later.
/// That is for a connection on which nothing is on its way; see
/// [`crate::engine::dead_peer`] for one to which something is.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(10))
    .with_retries(5);

/// The same for a connection whose other side has ended its sending side: one that was closed for
/// good answers the first probe with a reset, once the kernel over there has given up waiting for our
/// end (tcp(7), `tcp_fin_timeout`: a minute).
const KEEPALIVE_SOON: TcpKeepalive = KEEPALIVE.with_time(PROBES_SOON);

/// After so much silence, then.
pub(super) const PROBES_SOON: Duration = Duration::from_secs(10);

/// Asks more often whether the other side is there. That it cannot be asked so is no error: it is
/// asked as before.
pub(super) fn probe_soon(stream: &mio::net::TcpStream) {
    let _ = socket2::SockRef::from(stream).set_tcp_keepalive(&KEEPALIVE_SOON);
}

/// Whether closing it sends a reset instead of an end: SO_LINGER with a time of zero makes close(2)
/// an abort (RFC 9293, 3.9.1.6), which throws away what is unsent and sends a RST. A failure on a
/// connection that just broke is ignored.
pub(super) fn break_on_close(stream: &mio::net::TcpStream, breaks: bool) {
    let linger = breaks.then_some(Duration::ZERO);
    let _ = socket2::SockRef::from(stream).set_linger(linger);
}

/// The options of every connection: TCP_NODELAY, and keepalive for a silent peer (tcp(7)).
fn set_options(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&KEEPALIVE)
}
