//! How a participant gets its connection.

use std::time::Instant;

use mio::net::TcpStream;

use crate::io::addr::Addr;
use crate::io::error::Error;
use crate::io::net;
use crate::io::net::Remote;
use crate::io::proxy;
use crate::io::proxy::Proxy;
use crate::io::tls::Caller;
use crate::io::tls::Connector;
use crate::io::transport::Transport;

/// Whom a participant connects to, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// TCP.
    Direct(Remote),
    /// TCP that a proxy passes on.
    Proxied(Remote, Proxy),
}

impl Target {
    /// Who is at the other end.
    fn remote(&self) -> &Remote {
        match self {
            Target::Direct(remote) | Target::Proxied(remote, _) => remote,
        }
    }
}

/// Connects, agrees on TLS if that is wanted, and returns a non-blocking stream of which not a byte
/// was read.
///
/// # Errors
/// No connection, or none that is encrypted as it should be.
pub fn dial(target: &Target, tls: Option<&Caller>) -> Result<(Transport, Addr), Error> {
    let remote = target.remote();
    let end = Instant::now() + remote.limit;
    let connector = tls.map(|asked| Connector::new(asked, &remote.host));
    let connector = connector.transpose()?;
    let (transport, addr) = connect(target)?;
    let Some(connector) = connector else {
        return Ok((transport, addr));
    };
    let session = connector.connect(transport, &addr, end)?;
    log::info!("{addr} speaks {session}");
    Ok((session.into(), addr))
}

fn connect(target: &Target) -> Result<(Transport, Addr), Error> {
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
