//! Whatever a hub listens on.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::net::TcpListener;

use crate::io::addr::Addr;
use crate::io::error::Error;
use crate::io::net;
use crate::io::net::Bind;
use crate::io::transport::Transport;
use crate::io::unix;
use crate::io::unix::Name;

/// Where a hub listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// TCP.
    Inet(Bind),
    /// The socket that was passed to us.
    Passed,
    /// A Unix socket.
    Unix(Name),
}

impl Place {
    /// The folder that a file is removed from at the end, if any.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Place::Unix(name) => name.folder(),
            Place::Inet(_) | Place::Passed => None,
        }
    }
}

/// A listening socket, non-blocking.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(unix::NamedListener),
}

/// A listener, and where it listens in words.
///
/// # Errors
/// It cannot listen there.
pub fn listen(place: &Place) -> Result<(Listener, String), Error> {
    let tcp = |bind| {
        let (listener, told) = net::listen(bind)?;
        Ok((Listener::Tcp(TcpListener::from_std(listener)), told))
    };
    match place {
        Place::Inet(bind) => tcp(Some(bind)),
        Place::Passed => tcp(None),
        Place::Unix(name) => {
            let listener = unix::listen(name)?;
            Ok((Listener::Unix(listener), format!("unix:{name}")))
        }
    }
}

impl Listener {
    /// Registers it.
    ///
    /// # Errors
    /// What the system says.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Listener::Tcp(listener) => registry.register(listener, token, Interest::READABLE),
            Listener::Unix(listener) => {
                registry.register(listener.source(), token, Interest::READABLE)
            }
        }
    }

    /// Takes a connection, if there is one.
    ///
    /// # Errors
    /// As `accept(2)`.
    pub fn accept(&self) -> io::Result<(Transport, Addr)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, addr) = listener.accept()?;
                Ok((stream.into(), addr.into()))
            }
            Listener::Unix(listener) => {
                let (stream, addr) = listener.accept()?;
                Ok((stream.into(), addr))
            }
        }
    }

    /// Whether it has a file, which goes with it.
    pub fn has_file(&self) -> bool {
        matches!(self, Listener::Unix(listener) if matches!(listener.name(), Name::Path(_)))
    }

    /// What others may type to get here from elsewhere (see [`net::reachable`]); with `tls` that is
    /// what it begins with, and too long to be put together by hand where there is no elsewhere.
    pub fn invitations(&self, tls: Option<&str>) -> Vec<String> {
        match self {
            Listener::Tcp(listener) => {
                let mut reachable = net::reachable(listener);
                if tls.is_some() && reachable.is_empty() {
                    reachable.extend(listener.local_addr());
                }
                let program = tls.unwrap_or("nc");
                let told = |addr: &SocketAddr| format!("{program} {} {}", addr.ip(), addr.port());
                reachable.iter().map(told).collect()
            }
            Listener::Unix(listener) => vec![match (tls, listener.name()) {
                (None, Name::Path(path)) => format!("nc -U {}", path.display()),
                (tls, name) => format!("{} -U {name}", tls.unwrap_or("muxnc")),
            }],
        }
    }
}
