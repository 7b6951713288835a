//! Addresses, and the sockets made from them: looking up, listening, connecting.
//!
//! It promises: every failure names the address and says what to do about it; every connection
//! has the same options.

mod connect;
mod listen;
mod passed;
mod resolve;

use std::io;
use std::time::Duration;

use socket2::Socket;
use socket2::TcpKeepalive;

pub use self::connect::Remote;
pub use self::connect::connect;
pub use self::listen::Bind;
pub use self::listen::is_exhausted;
pub use self::listen::listen;
pub use self::listen::raise_descriptor_limit;
pub use self::listen::reachable;
pub use self::passed::Passed;
pub use self::passed::passed;
pub use self::resolve::Family;
pub use self::resolve::Lookup;
pub use self::resolve::port;
pub use self::resolve::resolve;

/// A closed laptop sends nothing: ask after a minute of silence, and give up 50 seconds later.
/// That is for a connection on which nothing is on its way; see
/// [`crate::engine::dead_peer`] for one to which something is.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(10))
    .with_retries(5);

/// What every connection has: no waiting for more to send, and a question to whoever is silent.
fn set_options(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&KEEPALIVE)
}
