//! Whatever a hub listens on.

use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use log::Level;
use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::net::TcpListener;

use crate::io::addr::Addr;
use crate::io::error::Error;
use crate::io::layer::Layer;
use crate::io::net;
use crate::io::net::Bind;
use crate::io::socket::Socket;
use crate::io::tls::Acceptor;
use crate::io::unix;
use crate::io::unix::Name;
use crate::io::web::Site;

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

/// A listening socket, non-blocking, and the layer that is put over what it accepts.
#[derive(Debug)]
pub struct Listener {
    socket: Listening,
    /// Without it what comes is plain.
    acceptor: Option<Acceptor>,
    /// Telnet's negotiation is hidden and answered.
    telnet: bool,
    /// Without it a newcomer is a peer at once; with it, a browser.
    site: Option<Arc<Site>>,
}

#[derive(Debug)]
enum Listening {
    Tcp(TcpListener),
    Unix(unix::NamedListener),
}

/// A listener, and where it listens in words. With an `acceptor` newcomers have to speak TLS.
///
/// # Errors
/// It cannot listen there.
pub fn listen(place: &Place, acceptor: Option<Acceptor>) -> Result<(Listener, String), Error> {
    let tcp = |bind| {
        let (listener, told) = net::listen(bind)?;
        Ok((Listening::Tcp(TcpListener::from_std(listener)), told))
    };
    let (socket, told) = match place {
        Place::Inet(bind) => tcp(Some(bind)),
        Place::Passed => tcp(None),
        Place::Unix(name) => {
            let listener = unix::listen(name)?;
            Ok((Listening::Unix(listener), format!("unix:{name}")))
        }
    }?;
    let listener = Listener {
        socket,
        acceptor,
        telnet: false,
        site: None,
    };
    Ok((listener, told))
}

impl Listener {
    /// It is for browsers, which are served this.
    pub fn serve(&mut self, site: Site) {
        self.site = Some(Arc::new(site));
    }

    /// Newcomers may be telnets, whose negotiation is hidden and answered.
    pub fn answer_telnet(&mut self) {
        self.telnet = true;
    }

    /// Registers it.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match &mut self.socket {
            Listening::Tcp(listener) => registry.register(listener, token, Interest::READABLE),
            Listening::Unix(listener) => {
                registry.register(listener.source(), token, Interest::READABLE)
            }
        }
    }

    /// Takes a connection, if there is one.
    ///
    /// # Errors
    /// As `accept(2)`.
    pub fn accept(&self) -> io::Result<(Layer, Addr)> {
        let (socket, addr) = match &self.socket {
            Listening::Tcp(listener) => {
                let (stream, addr) = listener.accept()?;
                if let Some(site) = &self.site {
                    let local = stream.local_addr()?;
                    return Ok((
                        self.layer(stream.into()).for_web(site, local),
                        Addr::web(addr),
                    ));
                }
                (Socket::from(stream), addr.into())
            }
            Listening::Unix(listener) => {
                let (stream, addr) = listener.accept()?;
                (Socket::from(stream), addr)
            }
        };
        let layer = self.layer(socket);
        Ok(match self.telnet {
            // Whoever comes can cause it, as often as he comes.
            true => (layer.for_telnet(Level::Debug), addr),
            false => (layer, addr),
        })
    }

    /// The layers over a socket that was accepted, without those of browsers.
    fn layer(&self, socket: Socket) -> Layer {
        match &self.acceptor {
            Some(acceptor) => Layer::from(acceptor.accept(socket)),
            None => socket.into(),
        }
    }

    /// Whether it has a file, which goes with it.
    pub fn has_file(&self) -> bool {
        matches!(&self.socket, Listening::Unix(listener) if matches!(listener.name(), Name::Path(_)))
    }

    /// The port that it listens on, if it has one.
    pub fn port(&self) -> Option<u16> {
        match &self.socket {
            Listening::Tcp(listener) => listener.local_addr().ok().map(|local| local.port()),
            Listening::Unix(_) => None,
        }
    }

    /// Addresses that a browser finds the page at: from elsewhere, or if there is no way from there, here.
    pub fn pages(&self) -> Vec<String> {
        let Listening::Tcp(listener) = &self.socket else {
            return Vec::new();
        };
        let mut places = net::reachable(listener);
        if places.is_empty() {
            let local = listener.local_addr().ok();
            places.extend(local.map(|local| match local.ip().is_unspecified() {
                true => SocketAddr::from((Ipv4Addr::LOCALHOST, local.port())),
                false => local,
            }));
        }
        let scheme = match &self.acceptor {
            Some(_) => "https",
            None => "http",
        };
        let page = |place: &SocketAddr| format!("{scheme}://{place}/");
        places.iter().map(page).collect()
    }

    /// Whether it listens on all addresses of a machine that others cannot reach at any.
    pub fn is_out_of_reach(&self) -> bool {
        match &self.socket {
            Listening::Tcp(listener) => {
                let local = listener.local_addr();
                let is_everywhere = local.is_ok_and(|local| local.ip().is_unspecified());
                is_everywhere && net::reachable(listener).is_empty()
            }
            Listening::Unix(_) => false,
        }
    }

    /// Commands that others may type to get here from elsewhere (see [`net::reachable`]); with
    /// `tls` the beginning of such a command, since a fingerprint is too long to be put together by
    /// hand.
    pub fn invitations(&self, tls: Option<&str>) -> Vec<String> {
        match &self.socket {
            Listening::Tcp(listener) => {
                let mut reachable = net::reachable(listener);
                if tls.is_some() && reachable.is_empty() {
                    reachable.extend(listener.local_addr());
                }
                let program = tls.unwrap_or("nc");
                let told = |addr: &SocketAddr| format!("{program} {} {}", addr.ip(), addr.port());
                reachable.iter().map(told).collect()
            }
            Listening::Unix(listener) => vec![match (tls, listener.name()) {
                (None, Name::Path(path)) => format!("nc -U {}", path.display()),
                (tls, name) => format!("{} -U {name}", tls.unwrap_or("muxnc")),
            }],
        }
    }
}
