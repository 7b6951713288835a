//! How a participant gets its connection.

use std::time::Duration;
use std::time::Instant;

use mio::net::TcpStream;

use crate::io::addr::Addr;
use crate::io::error::Error;
use crate::io::layer::Layer;
use crate::io::net;
use crate::io::net::Remote;
use crate::io::proxy;
use crate::io::proxy::Proxy;
use crate::io::socket::Socket;
use crate::io::tls::ClientTls;
use crate::io::tls::Connector;
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

impl Target {
    /// Who is at the other end, as its certificate should say.
    fn host(&self) -> &str {
        match self {
            Target::Direct(remote) | Target::Proxied(remote, _) => &remote.host,
            Target::Unix(..) => "localhost",
        }
    }

    fn limit(&self) -> Duration {
        match self {
            Target::Direct(remote) | Target::Proxied(remote, _) => remote.limit,
            Target::Unix(_, limit) => *limit,
        }
    }
}

/// Connects, agrees on TLS if that is wanted, and returns a non-blocking stream of which not a byte
/// was read.
///
/// # Errors
/// No connection, or none that is encrypted as it should be.
pub fn dial(target: &Target, tls: Option<&ClientTls>) -> Result<(Layer, Addr), Error> {
    let end = Instant::now() + target.limit();
    let connector = tls.map(|asked| Connector::new(asked, target.host()));
    let connector = connector.transpose()?;
    let (socket, addr) = connect(target)?;
    let Some(connector) = connector else {
        return Ok((socket.into(), addr));
    };
    let session = connector.connect(socket, &addr, end)?;
    log::info!("{addr} speaks {session}");
    Ok((session.into(), addr))
}

fn connect(target: &Target) -> Result<(Socket, Addr), Error> {
    match target {
        Target::Direct(remote) => {
            let (stream, addr) = net::connect(remote)?;
            log::info!("connected to {addr}");
            let socket = Socket::connected(TcpStream::from_std(stream));
            Ok((socket, addr.into()))
        }
        Target::Proxied(remote, proxy) => {
            let (stream, place) = proxy::connect(remote, proxy)?;
            log::info!("connected to {place} through proxy {proxy}");
            let addr = Addr::Proxied(place);
            Ok((Socket::connected(TcpStream::from_std(stream)), addr))
        }
        Target::Unix(name, limit) => {
            let (stream, addr) = unix::connect(name, *limit)?;
            log::info!("connected to {addr}");
            Ok((Socket::connected(stream), addr))
        }
    }
}
