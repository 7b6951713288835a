//! One TLS connection: plain text on this side, records on the other.
//!
//! It promises what every [`Stream`] does: a read that gives fewer bytes than fit found the socket
//! empty, or it [has more of it buffered](Stream::has_buffered_input); a write that takes fewer than it
//! was given found the socket full. At most [`BUFFER`] bytes that were taken are not written yet, and
//! are [pending](Stream::has_pending_output) until they are.

use std::fmt;
use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::io::Read;
use std::io::Write;

use rustls::AlertDescription;
use rustls::CertificateError;
use rustls::Connection;

use super::verify::fingerprint;
use crate::engine::dead_peer::Outstanding;
use crate::io::conn::Stream;
use crate::io::tcp_info::TcpInfo;
use crate::io::transport::Transport;

/// Bytes of records that may wait for the socket: four records, so that one system call takes
/// them, and little enough for thousands of participants that all read nothing.
const BUFFER: usize = 64 * 1024;

/// Reads from the socket, of a few KiB each, that may bring nothing to read before it is somebody
/// else's turn: a peer may send records without content as fast as it can.
const EMPTY_READS: usize = 16;

/// One TLS connection. See the module's documentation.
#[derive(Debug)]
pub struct Session {
    transport: Transport,
    tls: Connection,
    /// A read would find something although the socket has nothing: an end, an error, or the rest
    /// of a turn.
    has_buffered_input: bool,
    failure: Option<io::Error>,
}

impl Session {
    pub(super) fn new(transport: Transport, tls: impl Into<Connection>) -> Session {
        let mut tls = tls.into();
        tls.set_buffer_limit(Some(BUFFER));
        Session {
            transport,
            tls,
            has_buffered_input: true,
            failure: None,
        }
    }

    /// What it runs over.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The same, to register it.
    pub fn transport_mut(&mut self) -> &mut Transport {
        &mut self.transport
    }

    /// The same, as it was before a handshake that has not begun.
    pub fn into_transport(self) -> Transport {
        self.transport
    }

    /// Goes on with the handshake as far as it gets. `Ok(true)`: it is over.
    ///
    /// # Errors
    /// The two cannot agree, or the connection broke.
    pub fn handshake(&mut self) -> io::Result<bool> {
        loop {
            match self.pass_on() {
                Ok(true) if !self.tls.is_handshaking() => return Ok(true),
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => {
                    // Why the other side broke off may still be there to be read.
                    while self.receive(&mut false).is_ok_and(|count| count > 0) {
                        self.process()?;
                    }
                    return Err(error);
                }
            }
            match self.receive(&mut false) {
                Ok(0) => {
                    let closed = "it closed the connection in the middle of the handshake";
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, closed));
                }
                Ok(_) => self.process()?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes what was taken. `Ok(false)`: the socket is full before the end of it.
    fn pass_on(&mut self) -> io::Result<bool> {
        while self.tls.wants_write() {
            let mut socket = Socket::of(&mut self.transport);
            match self.tls.write_tls(&mut socket) {
                Ok(_) if socket.exhausted => return Ok(!self.tls.wants_write()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads records. `dry`: no more are there.
    fn receive(&mut self, dry: &mut bool) -> io::Result<usize> {
        let mut socket = Socket::of(&mut self.transport);
        let count = self.tls.read_tls(&mut socket);
        *dry = socket.exhausted;
        count
    }

    /// Opens the records that were read, and answers where TLS has to.
    fn process(&mut self) -> io::Result<()> {
        let pending = self.tls.wants_write();
        let opened = self.tls.process_new_packets();
        if !pending {
            // That it cannot be written now is no news: the next write or read will tell.
            let _ = self.pass_on();
        }
        opened
            .map(|_| ())
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, Failure(error)))
    }
}

impl Read for Session {
    /// Reads what is there of the plain text. `Ok(0)` is the end that the other side told of
    /// (close_notify); `UnexpectedEof` is one that it did not tell of; `Interrupted` means that
    /// records came and nothing was in them, for as long as a turn may take.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.has_buffered_input = true;
        let (mut filled, mut reads, mut dry) = (0, 0, false);
        loop {
            match self.tls.reader().read(&mut buffer[filled..]) {
                Ok(0) => return Ok(filled),
                Ok(count) => {
                    filled += count;
                    if filled == buffer.len() {
                        return Ok(filled);
                    }
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) if filled > 0 => return Ok(filled),
                Err(_) => return Err(cut_off()),
            }
            if filled > 0 && (dry || self.failure.is_some()) {
                self.has_buffered_input = self.failure.is_some();
                return Ok(filled);
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            if filled == 0 && reads == EMPTY_READS {
                return Err(ErrorKind::Interrupted.into());
            }
            reads += 1;
            match self.receive(&mut dry) {
                Ok(_) => self.failure = self.process().err(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.has_buffered_input = false;
                    return match filled {
                        0 => Err(error),
                        _ => Ok(filled),
                    };
                }
                Err(error) => self.failure = Some(error),
            }
        }
    }
}

impl Write for Session {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// Takes what fits of `slices`, and writes what the socket takes of that.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut taken = 0;
        for slice in slices {
            let mut rest = &slice[..];
            while !rest.is_empty() {
                let count = self.tls.writer().write(rest)?;
                taken += count;
                rest = &rest[count..];
                if !rest.is_empty() && !self.pass_on()? {
                    return Ok(taken);
                }
            }
        }
        self.pass_on()?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.pass_on()? {
            true => Ok(()),
            false => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Stream for Session {
    /// Tells the other side, after everything that was written, that no more will come
    /// (close_notify). It may go on sending. TCP's own end is not sent: it says nothing more, and
    /// nginx takes it as a sign that nobody wants the answer.
    fn shutdown(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        self.pass_on().map(|_| ())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        self.transport.take_error()
    }

    fn outstanding(&self, tcp_info: &mut TcpInfo) -> Option<Outstanding> {
        self.transport.outstanding(tcp_info)
    }

    fn has_buffered_input(&self) -> bool {
        self.has_buffered_input
    }

    fn has_pending_output(&self) -> bool {
        self.tls.wants_write()
    }

    fn authenticates_eof(&self) -> bool {
        true
    }
}

impl fmt::Display for Session {
    /// What the two agreed on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tls.protocol_version() {
            Some(version) => write!(f, "{version:?}")?,
            None => f.write_str("no TLS yet")?,
        }
        if let Some(suite) = self.tls.negotiated_cipher_suite() {
            write!(f, " with {:?}", suite.suite())?;
        }
        if let Some(alpn) = self.tls.alpn_protocol() {
            write!(f, " for {}", alpn.escape_ascii())?;
        }
        if let Some([certificate, ..]) = self.tls.peer_certificates() {
            write!(f, ", its certificate is {}", fingerprint(certificate))?;
        }
        Ok(())
    }
}

/// The socket as rustls wants it, with the news whether it was read empty or written full.
struct Socket<'a> {
    transport: &'a mut Transport,
    exhausted: bool,
}

impl Socket<'_> {
    fn of(transport: &mut Transport) -> Socket<'_> {
        Socket {
            transport,
            exhausted: false,
        }
    }
}

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.transport.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(count) => {
                    self.exhausted = count < buffer.len();
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        loop {
            match self.transport.write_vectored(slices) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(count) => {
                    self.exhausted = count < offered;
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The connection ended, and nobody vouches for that this is where the other side ended it
/// (RFC 8446, 6.1).
fn cut_off() -> io::Error {
    io::Error::new(
        ErrorKind::UnexpectedEof,
        "the connection was cut without TLS's goodbye (close_notify)",
    )
}

/// What TLS found wrong, in plain words; "it" is the other side.
#[derive(Debug)]
pub(super) struct Failure(pub(super) rustls::Error);

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            rustls::Error::InvalidMessage(_) => f.write_str("what it sent is not TLS"),
            rustls::Error::AlertReceived(alert) => match alert {
                AlertDescription::CertificateRequired => {
                    f.write_str("it wants to see a certificate, and there was none")
                }
                AlertDescription::CloseNotify => f.write_str("it said goodbye"),
                alert => write!(f, "it refused: {}", words(alert)),
            },
            rustls::Error::InvalidCertificate(error) => certificate(error, f),
            rustls::Error::NoCertificatesPresented => f.write_str("it has shown no certificate"),
            rustls::Error::NoApplicationProtocol => {
                f.write_str("none of the application protocols (ALPN) is spoken on both sides")
            }
            rustls::Error::PeerIncompatible(_) => {
                f.write_str("there is no version and cipher of TLS that both sides speak")
            }
            rustls::Error::DecryptError => {
                f.write_str("what it sent cannot be decrypted: it was damaged or forged")
            }
            other => write!(f, "{other}"),
        }
    }
}

fn certificate(error: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        CertificateError::UnknownIssuer => {
            f.write_str("its certificate is signed by nobody who is trusted here")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            f.write_str("its certificate has expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            f.write_str("its certificate is not valid yet")
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let expected = expected.to_str();
            match presented.is_empty() {
                true => write!(f, "its certificate is not for {expected}"),
                false => write!(
                    f,
                    "its certificate is not for {expected}, but for {}",
                    presented.join(", ")
                ),
            }
        }
        CertificateError::ApplicationVerificationFailure => {
            f.write_str("its certificate has another fingerprint")
        }
        other => write!(f, "its certificate is not valid ({})", words(other)),
    }
}

/// `UnknownCA` as `unknown CA`.
fn words(name: &impl fmt::Debug) -> String {
    let name = format!("{name:?}");
    let mut words = String::with_capacity(name.len() + 4);
    let mut letters = name.chars().peekable();
    let mut after_lower = false;
    while let Some(letter) = letters.next() {
        let begins = letter.is_ascii_uppercase() && after_lower;
        if begins {
            words.push(' ');
        }
        let alone = letters.peek().is_some_and(char::is_ascii_lowercase);
        after_lower = letter.is_ascii_lowercase();
        match (begins || words.is_empty()) && alone {
            true => words.push(letter.to_ascii_lowercase()),
            false => words.push(letter),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        assert_eq!(words(&AlertDescription::UnknownCA), "unknown CA");
        assert_eq!(
            words(&AlertDescription::HandshakeFailure),
            "handshake failure"
        );
        assert_eq!(words(&AlertDescription::BadCertificate), "bad certificate");
    }
}
