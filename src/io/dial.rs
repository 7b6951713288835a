//! How a participant gets its connection.

use mio::net::TcpStream;

use crate::io::addr::Addr;
use crate::io::error::Error;
use crate::io::net;
use crate::io::net::Remote;
use crate::io::proxy;
use crate::io::proxy::Proxy;
use crate::io::transport::Transport;

/// Whom a participant connects to, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// TCP.
    Direct(Remote),
    /// TCP that a proxy passes on.
    Proxied(Remote, Proxy),
}

/// Connects, and returns a non-blocking stream of which not a byte was read.
///
/// # Errors
/// No connection.
pub fn dial(target: &Target) -> Result<(Transport, Addr), Error> {
    let (stream, addr) = match target {
        Target::Direct(remote) => {
            let (stream, addr) = net::connect(remote)?;
            log::info!("connected to {addr}");
            (stream, addr.into())
        }
        Target::Proxied(remote, proxy) => {
            let (stream, place) = proxy::connect(remote, proxy)?;
            log::info!("connected to {place} through proxy {proxy}");
            (stream, Addr::Proxied(place))
        }
    };
    Ok((TcpStream::from_std(stream).into(), addr))
}
