//! What one peer needs where everything is encrypted: a connection of rustls, as its manual has it.

use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::sync::Arc;

use mio::net::TcpStream;
use rcgen::CertificateParams;
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::crypto::ring::Ticketer;
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::tls;

/// The longest plain text of a record (RFC 8446, 5.1).
const RECORD: usize = 16 * 1024;

/// Records that are written at once.
const AT_ONCE: usize = 4;

/// A certificate made for the occasion, and the version and the cipher suite of the load.
pub(super) fn config() -> io::Result<Arc<ServerConfig>> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let names = [String::from("localhost")];
    let about = CertificateParams::new(names).map_err(io::Error::other)?;
    let certificate = about.self_signed(&key).map_err(io::Error::other)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(tls::provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into());
    let mut config = config.map_err(io::Error::other)?;
    config.ticketer = Ticketer::new().map_err(io::Error::other)?;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// A peer's end of the encryption.
pub(super) struct Sealed(Box<ServerConnection>);

impl Sealed {
    pub(super) fn new(config: &Arc<ServerConfig>) -> io::Result<Sealed> {
        let mut tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        tls.set_buffer_limit(None);
        Ok(Sealed(Box::new(tls)))
    }

    /// Whether it may be said something.
    pub(super) fn is_open(&self) -> bool {
        !self.0.is_handshaking()
    }

    /// Whether records of it wait for the socket.
    pub(super) fn waits(&self) -> bool {
        self.0.wants_write()
    }

    /// Reads until there is no more; what it said goes behind `said`.
    pub(super) fn hear(&mut self, stream: &mut TcpStream, said: &mut Vec<u8>) -> io::Result<()> {
        loop {
            match self.0.read_tls(stream) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            self.0.process_new_packets().map_err(io::Error::other)?;
            let mut buffer = [0; 4096];
            while let Ok(count) = self.0.reader().read(&mut buffer) {
                if count == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                said.extend_from_slice(&buffer[..count]);
            }
            self.write(stream, &[])?;
        }
    }

    /// Seals what it is owed, in records as large as they may be, and writes them as long as the socket
    /// takes them. Returns how much was sealed, and whether the socket is full.
    pub(super) fn write(
        &mut self,
        stream: &mut TcpStream,
        owed: &[u8],
    ) -> io::Result<(usize, bool)> {
        let mut sealed = 0;
        loop {
            if self.0.wants_write() {
                match self.0.write_tls(stream) {
                    Ok(_) if !self.0.wants_write() => {}
                    Ok(_) => return Ok((sealed, true)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        return Ok((sealed, true));
                    }
                    Err(error) => return Err(error),
                }
            }
            let rest = &owed[sealed..];
            if rest.is_empty() {
                return Ok((sealed, false));
            }
            let some = &rest[..rest.len().min(AT_ONCE * RECORD)];
            sealed += self.0.writer().write(some)?;
        }
    }
}
