//! TLS as the load speaks it: version 1.3 and one cipher suite, so that every hub seals with the same; and
//! whatever certificate it is shown, since who is there is not what is measured.

#[path = "../../tests/support/credulous.rs"]
mod credulous;

use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::HandshakeKind;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;

use self::credulous::Credulous;

/// How long a hub may take for its part of a handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the plain text may be longer than the records of one read: what came of a record before.
pub(crate) const REST: usize = 32 * 1024;

/// How the load speaks: see the module's documentation.
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_AES_256_GCM_SHA384],
        ..ring::default_provider()
    }
}

/// Those who connect, of whom so many may come back with a ticket.
#[derive(Clone)]
pub(crate) struct Connector(Arc<ClientConfig>);

impl Connector {
    /// Connections of the same connector.
    ///
    /// # Panics
    /// The provider has no version 1.3.
    pub(crate) fn new(returning: usize) -> Connector {
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has version 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous))
            .with_no_client_auth();
        config.resumption = match returning {
            0 => Resumption::disabled(),
            // There is room for eight tickets of each name.
            count => Resumption::in_memory_sessions(8 * count),
        };
        Connector(Arc::new(config))
    }

    /// The one of that number, whose handshake has not begun.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn begin(&self, addr: SocketAddr, id: usize) -> io::Result<Client> {
        // Tickets are kept by name.
        let name = ServerName::try_from(format!("peer{id}.example.org"));
        let name = name.map_err(io::Error::other)?;
        let tls = ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        Ok(Client { stream, tls })
    }

    /// The same after its handshake, as far as it has a part in that.
    ///
    /// # Errors
    /// There is no agreement, or not in time.
    pub(crate) fn connect(&self, addr: SocketAddr, id: usize) -> io::Result<Client> {
        let mut client = self.begin(addr, id)?;
        while !client.shake_hands()? {
            let limit = PATIENCE.try_into().map_err(io::Error::other)?;
            let fd = client.stream.as_fd();
            let wanted = match client.tls.wants_write() {
                true => PollFlags::OUT,
                false => PollFlags::IN,
            };
            let ready = rustix::event::poll(&mut [PollFd::new(&fd, wanted)], Some(&limit))?;
            if ready == 0 {
                return Err(ErrorKind::TimedOut.into());
            }
        }
        Ok(client)
    }
}

/// Somebody who connected.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    tls: ClientConnection,
}

impl Client {
    /// Goes on with the handshake as far as it gets. Returns whether it is over.
    ///
    /// # Errors
    /// There is no agreement.
    pub(crate) fn shake_hands(&mut self) -> io::Result<bool> {
        loop {
            if !self.flush()? {
                return Ok(false);
            }
            if !self.tls.is_handshaking() {
                return Ok(true);
            }
            match self.tls.read_tls(&mut self.stream) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {
                    self.tls.process_new_packets().map_err(io::Error::other)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the hub knew it again.
    pub(crate) fn has_come_back(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    fn flush(&mut self) -> io::Result<bool> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.stream) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Says a few bytes, which the socket takes at once.
    ///
    /// # Errors
    /// It does not, or what the system says.
    pub(crate) fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        io::Write::write_all(&mut self.tls.writer(), bytes)?;
        match self.flush()? {
            true => Ok(()),
            false => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Reads once, through `wire`, which is shorter than `plain` by [`REST`].
    ///
    /// # Errors
    /// What the system says, or that the other side does not keep to the rules.
    pub(crate) fn read(&mut self, wire: &mut [u8], plain: &mut [u8]) -> io::Result<usize> {
        loop {
            let filled = self.take(plain)?;
            if filled > 0 {
                return Ok(filled);
            }
            let count = self.stream.read(wire)?;
            if count == 0 {
                return Ok(0);
            }
            let (mut raw, mut filled) = (&wire[..count], 0);
            while !raw.is_empty() {
                self.tls.read_tls(&mut raw)?;
                self.tls.process_new_packets().map_err(io::Error::other)?;
                filled += self.take(&mut plain[filled..])?;
            }
            if filled > 0 {
                return Ok(filled);
            }
        }
    }

    /// What was opened and not taken.
    fn take(&mut self, plain: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        loop {
            match self.tls.reader().read(&mut plain[filled..]) {
                Ok(0) => return Ok(filled),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(filled),
                Err(error) => return Err(error),
            }
        }
    }
}
