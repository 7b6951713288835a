//! A caller: makes one connection after another for a loop, which goes on meanwhile.
//!
//! ```text
//!   call ─► step … ─► a stream, in plain ─► encrypt ─► the same with TLS, whose handshake is to be done
//! ```
//!
//! It promises: nothing waits; one is made at a time, and whatever was begun before is given up.

use std::fmt::Debug;
use std::time::Instant;

use mio::Registry;
use mio::Token;
use mio::net::TcpStream;

use crate::io::addr::Addr;
use crate::io::error::Error;
use crate::io::layer::Layer;
use crate::io::net::Dialled;
use crate::io::net::Dialling;
use crate::io::small_file::Files;
use crate::io::socket::Socket;
use crate::io::tls::ClientTls;
use crate::io::tls::Connector;
use crate::io::tls::Trust;

/// What makes connections (`S`) for a loop; in a simulation it is a model.
pub trait Call<S>: Debug {
    /// Begins to connect to a host.
    fn call(&mut self, host: &str, port: u16, now: Instant);

    /// Goes on with that, as far as it can be gone on now.
    fn step(&mut self) -> Called<S>;

    /// When to go on, if no event comes before; none: nothing was begun.
    fn deadline(&self) -> Option<Instant>;

    /// TLS over a connection to the host that was called last. Nothing was said in it yet.
    ///
    /// # Errors
    /// There can be none.
    fn encrypt(&mut self, stream: S) -> Result<S, Error>;
}

/// How far a call is.
#[derive(Debug)]
pub enum Called<S> {
    /// Not yet.
    Pending,
    /// It is connected to that address.
    Done(S, Addr),
    /// It could not be connected.
    Failed(Error),
}

/// The real one. See the module's documentation.
#[derive(Debug)]
pub struct Caller {
    registry: Registry,
    token: Token,
    tls: ClientTls,
    connector: Option<Connector>,
    host: String,
    dialling: Option<Dialling>,
}

impl Caller {
    /// One whose events come with `token`. Whom it believes is read now if all is `encrypted`, and a file in any
    /// case; whom the system trusts, else when a server wants that.
    ///
    /// # Errors
    /// A file cannot be read or makes no sense.
    pub fn new(
        registry: &Registry,
        token: Token,
        tls: ClientTls,
        encrypted: bool,
        files: &mut Files,
    ) -> Result<Caller, Error> {
        let is_read_now = encrypted || matches!(tls.trust, Trust::File(_));
        let registry = registry
            .try_clone()
            .map_err(|e| Error::system("start the event loop", &e))?;
        Ok(Caller {
            registry,
            token,
            connector: match is_read_now {
                true => Some(connector(&tls, files)?),
                false => None,
            },
            tls,
            host: String::new(),
            dialling: None,
        })
    }
}

impl Call<Layer> for Caller {
    fn call(&mut self, host: &str, port: u16, now: Instant) {
        self.host = host.into();
        self.dialling = Some(Dialling::new(host, port, now));
    }

    fn step(&mut self) -> Called<Layer> {
        let Some(dialling) = &mut self.dialling else {
            return Called::Pending;
        };
        match dialling.step(&self.registry, self.token) {
            Dialled::Pending => Called::Pending,
            Dialled::Done(stream, addr) => {
                self.dialling = None;
                let socket = Socket::connected(TcpStream::from_std(stream));
                Called::Done(socket.into(), addr.into())
            }
            Dialled::Failed(error) => {
                self.dialling = None;
                Called::Failed(error)
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.dialling.as_ref().map(Dialling::deadline)
    }

    fn encrypt(&mut self, stream: Layer) -> Result<Layer, Error> {
        let twice = || Error::new("set up TLS", "it is encrypted already");
        let socket = stream.into_plain().ok_or_else(twice)?;
        let connector = match self.connector.take() {
            Some(connector) => connector,
            // No file is named.
            None => connector(&self.tls, &mut Files::default())?,
        };
        let session = connector.begin(socket, &self.host);
        self.connector = Some(connector);
        session.map(Layer::from)
    }
}

/// Each host is verified by its own name.
fn connector(tls: &ClientTls, files: &mut Files) -> Result<Connector, Error> {
    Connector::new(tls, "localhost", files)
}
