//! How a participant gets its connection.

use std::time::Duration;
use std::time::Instant;

use mio::net::TcpStream;

use crate::engine::explain::Belief;
use crate::engine::explain::Observed;
use crate::engine::explain::Witness;
use crate::io::addr::Addr;
use crate::io::error::Error;
use crate::io::layer::Layer;
use crate::io::net;
use crate::io::net::Remote;
use crate::io::proxy;
use crate::io::proxy::Proxy;
use crate::io::small_file::Files;
use crate::io::socket::Socket;
use crate::io::stream::Stream;
use crate::io::tls::ClientTls;
use crate::io::tls::Connector;
use crate::io::tls::Trust;
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
    /// The name of the other end that its certificate has to have.
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
/// was read. The `witness` is handed what happens.
///
/// # Errors
/// No connection, or none that is encrypted as it should be.
pub fn dial(
    target: &Target,
    tls: Option<&ClientTls>,
    witness: &mut dyn Witness,
) -> Result<(Layer, Addr), Error> {
    let end = Instant::now() + target.limit();
    let connector = tls.map(|asked| Connector::new(asked, target.host(), &mut Files::default()));
    let connector = connector.transpose()?;
    let (socket, addr) = connect(target, witness)?;
    let Some(connector) = connector else {
        return Ok((socket.into(), addr));
    };
    let session = connector.connect(socket, &addr, end)?;
    log::info!("{addr} speaks {session}");
    let layer = Layer::from(session);
    for agreement in layer.agreements() {
        witness.observe(Observed::Agreed(&agreement));
    }
    if let Some(asked) = tls {
        witness.observe(Observed::Believed(match asked.trust {
            Trust::System => Belief::System,
            Trust::File(_) => Belief::File,
            Trust::Fingerprint(_) => Belief::Fingerprint,
        }));
    }
    Ok((layer, addr))
}

fn connect(target: &Target, witness: &mut dyn Witness) -> Result<(Socket, Addr), Error> {
    match target {
        Target::Direct(remote) => {
            let (stream, addr) = net::connect(remote, witness)?;
            log::info!("connected to {}", net::shown(addr));
            let socket = Socket::connected(TcpStream::from_std(stream));
            Ok((socket, addr.into()))
        }
        Target::Proxied(remote, proxy) => {
            let (stream, place) = proxy::connect(remote, proxy, witness)?;
            log::info!("connected to {place} through proxy {proxy}");
            let addr = Addr::proxied(place);
            Ok((Socket::connected(TcpStream::from_std(stream)), addr))
        }
        Target::Unix(name, limit) => {
            let (stream, addr) = unix::connect(name, *limit)?;
            log::info!("connected to {addr}");
            witness.observe(Observed::Local(&addr.to_string()));
            Ok((Socket::connected(stream), addr))
        }
    }
}
