//! How a participant gets its connection.

use std::time::Duration;

use mio::net::TcpStream;

use crate::io::addr::Addr;
use crate::io::error::Error;
use crate::io::net;
use crate::io::net::Remote;
use crate::io::proxy;
use crate::io::proxy::Proxy;
use crate::io::transport::Transport;
use crate::io::unix;
use crate::io::unix::Name;

/// Whom a participant connects to, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// TCP.
    Direct(Remote),
    /// TCP that a proxy passes on.
    Proxied(Remote, Proxy),
    /// A Unix socket, to be tried that long.
    Unix(Name, Duration),
}

/// Connects, and returns a non-blocking stream of which not a byte was read.
///
/// # Errors
/// No connection.
pub fn dial(target: &Target) -> Result<(Transport, Addr), Error> {
    match target {
        Target::Direct(remote) => {
            let (stream, addr) = net::connect(remote)?;
            log::info!("connected to {addr}");
            Ok((TcpStream::from_std(stream).into(), addr.into()))
        }
        Target::Proxied(remote, proxy) => {
            let (stream, place) = proxy::connect(remote, proxy)?;
            log::info!("connected to {place} through proxy {proxy}");
            let addr = Addr::Proxied(place);
            Ok((TcpStream::from_std(stream).into(), addr))
        }
        Target::Unix(name, limit) => {
            let (stream, addr) = unix::connect(name, *limit)?;
            log::info!("connected to {addr}");
            Ok((stream.into(), addr))
        }
    }
}
