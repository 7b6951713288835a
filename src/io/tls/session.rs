//! One TLS connection: plain text on this side, records on the other.
//!
//! It promises: a read that gives fewer bytes than fit found the socket empty, or
//! [has buffered input](Stream::has_buffered_input); a write that takes fewer than it was given found
//! the socket full. Records are as long as they may be, but for the last of a write. Bytes that were taken
//! and are not written yet are [pending output](Stream::has_pending_output): they are few, and fewer of each
//! session the more wait of all sessions of a hub (see [`sealing`](super::sealing)). A read opens one record
//! for each [`RECORD`] bytes that it may give, or [`LEAST`], and those that came with the last of them.
//! What it keeps of what a peer of the hub sent is bounded: whoever sends more than [`WORDLESS`] bytes
//! without a word in them is broken off.

use std::fmt;
use std::io;
use std::io::BufRead;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use rustls::ClientConnection;
use rustls::Connection;
use rustls::ProtocolVersion;
use rustls::ServerConfig;
use rustls::ServerConnection;

use super::certificate::Certificate;
use super::failure::Failure;
use super::failure::Names;
use super::framing::Framing;
use super::framing::HEADER;
use super::sealing::Rest;
use super::sealing::Waiting;
use super::verify::fingerprint;
use super::wire::Wire;
use crate::engine::explain::Agreement;
use crate::engine::explain::CertificateShown;
use crate::engine::explain::Observed;
use crate::engine::explain::Reading;
use crate::engine::explain::TlsAgreement;
use crate::engine::explain::Witness;
use crate::io::socket::FirstByte;
use crate::io::socket::Socket;
use crate::io::stream::Ahead;
use crate::io::stream::Beside;
use crate::io::stream::Handshake;
use crate::io::stream::Received;
use crate::io::stream::Refusal;
use crate::io::stream::Sent;
use crate::io::stream::Stream;
use crate::io::stream::Unread;
use crate::io::tcp_info::TcpInfo;

/// Slices that are sealed at once.
const SLICES: usize = 32;

/// Bytes of a read for each of which it may open one record: a peer may send records of one byte, or of
/// none, as fast as it can, and each costs as much as a kilobyte.
const RECORD: usize = 1024;

/// Records that a read may open however few bytes it may give, and a step of a handshake.
const LEAST: usize = 32;

/// Bytes that a hub's side is sent at most without a word in them: all of a handshake together, and later
/// since the last word. It has to be more than the longest record, 18 KiB, which may come in pieces. What
/// is no text, TLS joins from as many records as it claims to be in, and rustls keeps up to 64 KiB of it
/// until it is whole. What honest peers say without a word is short: their certificates, and 27 bytes to
/// change keys. A participant talks to one server, whose certificates may be longer: on its side the 64 KiB
/// are the bound.
///
/// Together with [`BEHIND`], and the 4 KiB that rustls makes room for, it is 32 KiB, to which rustls' buffer
/// grows for a record, too: it doubles.
const WORDLESS: usize = 24 * 1024;

/// Bytes that are read behind the record that is being read: when a word comes, no more is kept.
const BEHIND: usize = 4096;

/// The longest record that is opened to [look ahead](Stream::peek): a close_notify and what is sealed
/// around it, or a control frame of WebSocket (125 bytes and its header).
const AHEAD: usize = HEADER + 192;

/// The first byte of a handshake (RFC 8446, 5.1: `handshake(22)`).
const HANDSHAKE: u8 = 22;

/// One TLS connection. See the module's documentation.
#[derive(Debug)]
pub struct Session {
    socket: Socket,
    speech: Speech,
}

/// What is spoken.
#[derive(Debug)]
enum Speech {
    /// Whether it is TLS the other side's first byte will tell: until then nothing is spent on it.
    Undecided(Arc<ServerConfig>, Waiting),
    /// It is not TLS.
    Plain,
    /// It is.
    Tls(Box<Tls>),
}

#[derive(Debug)]
struct Tls {
    connection: Connection,
    /// Bytes of its records that wait for the socket, as they are counted among those of all.
    waits: usize,
    waiting: Waiting,
    /// A read would find something although the socket has nothing: an end, an error, or the rest
    /// of a turn.
    has_buffered_input: bool,
    /// Bytes of plain text that were opened and not read, of those that it could open.
    opened: usize,
    /// Bytes that came since its last word, or the handshake's end, or at all.
    wordless: usize,
    /// Its end was seen, and before that all that it said was read.
    is_heard: bool,
    failure: Option<io::Error>,
    framing: Framing,
}

impl Session {
    /// The side that connected.
    pub(super) fn client(socket: Socket, connection: ClientConnection) -> Session {
        Session {
            socket,
            speech: Speech::Tls(Box::new(Tls::new(connection, Waiting::default()))),
        }
    }

    /// The side that was connected to.
    pub(super) fn server(socket: Socket, config: Arc<ServerConfig>, waiting: Waiting) -> Session {
        Session {
            socket,
            speech: Speech::Undecided(config, waiting),
        }
    }

    /// What it runs over.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The same, to register it.
    pub fn socket_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Whether a handshake has to write, and not to read, to get on.
    pub(super) fn wants_write(&self) -> bool {
        self.has_pending_output()
    }

    /// Finds out what the other side speaks, if its first byte has come.
    fn decide(&mut self, witness: &mut dyn Witness) -> Handshake {
        let Speech::Undecided(config, waiting) = &self.speech else {
            return Handshake::Done;
        };
        match self.socket.first_byte() {
            // Not to be read now: the next byte would not be its first one later.
            Ok(FirstByte::Pending) => return Handshake::Silent,
            Ok(FirstByte::Byte(byte)) if byte != HANDSHAKE => {
                self.speech = Speech::Plain;
                return Handshake::Foreign;
            }
            Ok(FirstByte::Byte(_)) => {}
            // The handshake will report the error, if there is another step of it.
            Ok(FirstByte::End) => witness.observe(Observed::Ended),
            Err(error) => witness.observe(Observed::Broke(&error)),
        }
        match ServerConnection::new(Arc::clone(config)) {
            Ok(connection) => {
                let tls = Tls::new(connection, waiting.clone());
                self.speech = Speech::Tls(Box::new(tls));
                Handshake::Begun
            }
            Err(error) => Handshake::Failed(io::Error::new(
                ErrorKind::InvalidData,
                Failure::to_agree(error),
            )),
        }
    }
}

impl Tls {
    fn new(connection: impl Into<Connection>, waiting: Waiting) -> Tls {
        let mut connection = connection.into();
        // What is sealed is limited where it is written.
        connection.set_buffer_limit(None);
        Tls {
            connection,
            waits: 0,
            waiting,
            has_buffered_input: true,
            opened: 0,
            wordless: 0,
            is_heard: false,
            failure: None,
            framing: Framing::default(),
        }
    }

    fn handshake(&mut self, socket: &mut Socket) -> io::Result<Handshake> {
        let mut turn = Turn::default();
        let mut replies = false;
        loop {
            replies |= self.connection.wants_write();
            match self.pass_on(socket) {
                Ok(true) if !self.connection.is_handshaking() => return Ok(Handshake::Done),
                Ok(true) => {}
                Ok(false) => return Ok(Handshake::Pending),
                Err(error) => {
                    // Why the other side broke off may still be there to be read.
                    while turn.records <= LEAST
                        && self
                            .receive(socket, usize::MAX, &mut turn)
                            .is_ok_and(|count| count > 0)
                    {
                        self.process(socket)?;
                    }
                    return Err(error);
                }
            }
            if turn.records > LEAST {
                return Ok(Handshake::Begun);
            }
            match self.receive(socket, usize::MAX, &mut turn) {
                Ok(0) => {
                    let closed = "it closed the connection before TLS was agreed on";
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, closed));
                }
                Ok(_) => replies |= self.process(socket)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(match replies {
                        true => Handshake::Replied,
                        false => Handshake::Pending,
                    });
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes what was taken. `Ok(false)`: the socket is full before the end of it.
    fn pass_on(&mut self, socket: &mut Socket) -> io::Result<bool> {
        while self.connection.wants_write() {
            let mut wire = Wire::of(socket);
            let written = self.connection.write_tls(&mut wire);
            let (is_full, waits) = (wire.exhausted, wire.untaken);
            self.count(waits);
            match written {
                Ok(_) if is_full => return Ok(!self.connection.wants_write()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Counts what waits of it among what waits of all.
    fn count(&mut self, waits: usize) {
        if waits != self.waits {
            self.waiting.count(self.waits, waits);
            self.waits = waits;
        }
    }

    /// Reads records, a few KiB, and no more than `most` bytes.
    fn receive(&mut self, socket: &mut Socket, most: usize, turn: &mut Turn) -> io::Result<usize> {
        let mut wire = Wire::of(socket);
        wire.most = most.min(self.framing.rest() + BEHIND);
        wire.framing = Some(&mut self.framing);
        let count = self.connection.read_tls(&mut wire);
        turn.dry = wire.exhausted;
        turn.records += wire.records;
        self.wordless += count.as_ref().unwrap_or(&0);
        count
    }

    /// Opens the records that were read, and answers where TLS has to. Returns whether it did.
    fn process(&mut self, socket: &mut Socket) -> io::Result<bool> {
        let pending = self.connection.wants_write();
        let shook = self.connection.is_handshaking();
        let opened = self.connection.process_new_packets();
        if let Ok(state) = &opened {
            self.opened = state.plaintext_bytes_to_read();
        }
        let shakes = self.connection.is_handshaking();
        if self.opened > 0 || shook != shakes {
            self.wordless = 0;
        }
        let answers = !pending && self.connection.wants_write();
        if answers {
            // A failure to write is ignored: the next write or read reports it.
            let _ = self.pass_on(socket);
        }
        opened.map_err(|error| {
            let failure = match shook {
                true => Failure::to_agree(error),
                false => Failure::later(error, self.connection.protocol_version()),
            };
            io::Error::new(ErrorKind::InvalidData, failure)
        })?;
        match &self.connection {
            Connection::Server(_) if self.wordless > WORDLESS => Err(wordless(shakes)),
            _ => Ok(answers),
        }
    }

    /// Reads what is there of the plain text.
    fn read(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> Received {
        self.has_buffered_input = true;
        let (mut filled, mut turn) = (0, Turn::default());
        let most = (buffer.len() / RECORD).max(LEAST);
        loop {
            match self.connection.reader().read(&mut buffer[filled..]) {
                // The other side said close_notify.
                Ok(0) if filled == 0 => return Received::End,
                Ok(0) => return Received::Bytes(filled),
                Ok(count) => {
                    self.opened = self.opened.saturating_sub(count);
                    filled += count;
                    if filled == buffer.len() {
                        return Received::Bytes(filled);
                    }
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) if filled > 0 => return Received::Bytes(filled),
                Err(_) => return Received::Truncated(truncated()),
            }
            if filled > 0 && (turn.dry || self.failure.is_some()) {
                self.has_buffered_input = self.failure.is_some();
                return Received::Bytes(filled);
            }
            if let Some(failure) = self.failure.take() {
                return Received::Failed(failure);
            }
            if turn.records > most {
                return match filled {
                    0 => Received::Yield,
                    _ => Received::Bytes(filled),
                };
            }
            match self.receive(socket, usize::MAX, &mut turn) {
                Ok(_) => self.failure = self.process(socket).err(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.has_buffered_input = false;
                    return match filled {
                        0 => Received::Pending,
                        _ => Received::Bytes(filled),
                    };
                }
                Err(error) => self.failure = Some(error),
            }
        }
    }

    /// Looks at the plain text, for which the next record is opened if none is there and that one is
    /// short and whole. What it says stays here: there is no more of it than that.
    fn peek(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> Ahead {
        let mut has_opened = false;
        loop {
            match self.connection.reader().fill_buf() {
                Ok([]) => {
                    self.is_heard = true;
                    return Ahead::End;
                }
                Ok(said) => {
                    let count = said.len().min(buffer.len());
                    buffer[..count].copy_from_slice(&said[..count]);
                    return Ahead::Bytes(count);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return Ahead::Bytes(0),
            }
            if self.failure.is_some() {
                return Ahead::Bytes(0);
            }
            self.has_buffered_input = false;
            if has_opened {
                // It had no text: an alert, a key update, nothing.
                return Ahead::Yield;
            }
            let mut next = [0; AHEAD];
            let count = match socket.peek(&mut next) {
                Ahead::Bytes(count) => count,
                other => return other,
            };
            let whole = Framing::whole(&next[..count]);
            let Some(length) = whole.filter(|_| self.framing.is_between()) else {
                return Ahead::Bytes(0);
            };
            if let Err(error) = self.receive(socket, length, &mut Turn::default()) {
                return Ahead::Failed(error);
            }
            // A read finds what was opened, or why it could not be.
            (has_opened, self.has_buffered_input) = (true, true);
            self.failure = self.process(socket).err();
        }
    }

    /// Takes what fits of `slices`, and writes what the socket takes of that. Nothing is sealed behind
    /// what waits: a record would be as long as the room beside that.
    fn write(&mut self, socket: &mut Socket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let (mut taken, mut rest) = (0, Rest::of(slices));
        while self.pass_on(socket)? {
            let mut batch = [IoSlice::new(&[]); SLICES];
            let batch = rest.next(&mut batch, self.waiting.share());
            if batch.is_empty() {
                break;
            }
            taken += self.connection.writer().write_vectored(batch)?;
        }
        Ok(taken)
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.count(0);
    }
}

impl Stream for Session {
    fn shakes_hands(&self) -> bool {
        true
    }

    fn handshake(&mut self, witness: &mut dyn Witness) -> Handshake {
        match self.decide(witness) {
            Handshake::Done => {}
            undecided => return undecided,
        }
        let Speech::Tls(tls) = &mut self.speech else {
            return Handshake::Foreign;
        };
        tls.handshake(&mut self.socket).unwrap_or_else(|error| {
            match error.kind() {
                ErrorKind::UnexpectedEof => witness.observe(Observed::Ended),
                // TLS failed, and not what carries it.
                ErrorKind::InvalidData => {}
                _ => witness.observe(Observed::Broke(&error)),
            }
            Handshake::Failed(error)
        })
    }

    fn read(&mut self, buffer: &mut [u8]) -> Received {
        match &mut self.speech {
            Speech::Tls(tls) => tls.read(&mut self.socket, buffer),
            Speech::Undecided(..) | Speech::Plain => self.socket.read(buffer),
        }
    }

    fn peek(&mut self, buffer: &mut [u8]) -> Ahead {
        match &mut self.speech {
            Speech::Tls(tls) => tls.peek(&mut self.socket, buffer),
            Speech::Undecided(..) | Speech::Plain => self.socket.peek(buffer),
        }
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Sent {
        match &mut self.speech {
            Speech::Tls(tls) => match tls.write(&mut self.socket, slices) {
                Ok(count) => Sent::Bytes(count),
                Err(error) => Sent::Failed(error),
            },
            Speech::Undecided(..) | Speech::Plain => self.socket.write(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.speech {
            Speech::Tls(tls) => tls.pass_on(&mut self.socket).map(drop),
            Speech::Undecided(..) | Speech::Plain => Ok(()),
        }
    }

    /// Tells the other side, after everything that was written, that no more will come
    /// (close_notify). It may go on sending. TCP's own end is not sent: it says nothing more, and
    /// nginx takes it as a sign that the client does not want the answer.
    fn shutdown(&mut self) -> io::Result<()> {
        match &mut self.speech {
            Speech::Tls(tls) => {
                tls.connection.send_close_notify();
                tls.pass_on(&mut self.socket).map(drop)
            }
            Speech::Undecided(..) | Speech::Plain => self.socket.shutdown(),
        }
    }

    fn hang_up(&mut self) -> io::Result<()> {
        self.socket.hang_up()
    }

    fn take_error(&mut self) -> Option<io::Error> {
        let known = match &mut self.speech {
            Speech::Tls(tls) => tls.failure.take(),
            Speech::Undecided(..) | Speech::Plain => None,
        };
        known.or_else(|| self.socket.take_error())
    }

    fn has_buffered_input(&self) -> bool {
        match &self.speech {
            Speech::Tls(tls) => tls.has_buffered_input,
            Speech::Undecided(..) | Speech::Plain => false,
        }
    }

    fn unread(&self) -> Unread {
        let Speech::Tls(tls) = &self.speech else {
            return self.socket.unread();
        };
        if tls.is_heard {
            return Unread::NOTHING;
        }
        let here = Unread {
            bytes: tls.opened as u64,
            // Plain text was more on the wire, and of a record that is not whole yet a part is here.
            may_be_more: tls.has_buffered_input || !tls.framing.is_between(),
        };
        here.and(self.socket.unread())
    }

    fn has_pending_output(&self) -> bool {
        match &self.speech {
            Speech::Tls(tls) => tls.connection.wants_write(),
            Speech::Undecided(..) | Speech::Plain => false,
        }
    }

    fn authenticates_eof(&self) -> bool {
        matches!(self.speech, Speech::Tls(_))
    }

    fn is_wire(&self) -> bool {
        false
    }

    fn tells_hang_up(&self) -> bool {
        self.socket.tells_hang_up()
    }

    fn has_closed(&self) -> bool {
        false
    }

    fn can_half_close(&self) -> bool {
        true
    }

    fn probe_soon(&mut self) {
        self.socket.probe_soon();
    }

    fn break_on_close(&mut self, breaks: bool) {
        self.socket.break_on_close(breaks);
    }

    fn tcp_info(&self) -> Option<TcpInfo> {
        self.socket.tcp_info()
    }

    fn refuse(&mut self, refusal: &Refusal, witness: &mut dyn Witness) -> io::Result<()> {
        refusal.write_line(self, witness)
    }

    fn beside(&mut self) -> Option<&mut dyn Beside> {
        None
    }

    fn reading(&self) -> Option<Reading> {
        self.socket.reading()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr()
    }

    fn agreements(&self) -> Vec<Agreement> {
        let Speech::Tls(tls) = &self.speech else {
            return Vec::new();
        };
        let tls = &tls.connection;
        let suite = tls.negotiated_cipher_suite();
        let suite = suite.map(|suite| format!("{:?}", suite.suite()));
        let shown = tls.peer_certificates().and_then(|chain| chain.first());
        vec![Agreement::Tls(TlsAgreement {
            version: String::from(version(tls)),
            cipher: String::from(suite.as_deref().map_or("an unknown cipher", cipher)),
            protocol: (tls.alpn_protocol()).map(|name| name.escape_ascii().to_string()),
            certificate: shown.map(|certificate| CertificateShown {
                names: Names(&names(certificate)).to_string(),
                fingerprint: fingerprint(certificate).short(),
            }),
        })]
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl fmt::Display for Session {
    /// What the two agreed on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Speech::Tls(tls) = &self.speech else {
            return f.write_str("no TLS yet");
        };
        let tls = &tls.connection;
        f.write_str(version(tls))?;
        if let Some(suite) = tls.negotiated_cipher_suite() {
            write!(f, " with {}", cipher(&format!("{:?}", suite.suite())))?;
        }
        if let Some(alpn) = tls.alpn_protocol() {
            write!(f, " for {}", alpn.escape_ascii())?;
        }
        if let Some([certificate, ..]) = tls.peer_certificates() {
            let names = names(certificate);
            f.write_str("; its certificate")?;
            if !names.is_empty() {
                write!(f, " is for {} and", Names(&names))?;
            }
            write!(f, " has the fingerprint {}", fingerprint(certificate))?;
        }
        Ok(())
    }
}

fn version(tls: &Connection) -> &'static str {
    match tls.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    }
}

/// For whom a certificate is.
fn names(certificate: &[u8]) -> Vec<String> {
    Certificate::read(certificate).map_or_else(Vec::new, Certificate::into_names)
}

/// What both sides encrypt with, of the library's name of a suite.
fn cipher(suite: &str) -> &str {
    let suite = suite.strip_prefix("TLS13_").unwrap_or(suite);
    suite
        .split_once("_WITH_")
        .map_or(suite, |(_, cipher)| cipher)
}

/// What was read in one turn.
#[derive(Debug, Default)]
struct Turn {
    /// Records that began.
    records: usize,
    /// No more bytes are there.
    dry: bool,
}

/// The connection ended without close_notify, so it is not proven that the other side ended it here
/// (RFC 8446, 6.1).
fn truncated() -> io::Error {
    io::Error::new(
        ErrorKind::UnexpectedEof,
        "the connection was cut without TLS's goodbye (close_notify)",
    )
}

/// Nobody has so much to say that is no text.
fn wordless(shakes: bool) -> io::Error {
    let what = match shakes {
        true => "before TLS was agreed on",
        false => "of TLS without a word in it",
    };
    let what = format!("it sent more than {} KiB {what}", WORDLESS / 1024);
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::net::TcpStream;
    use std::thread;
    use std::time::Duration;
    use std::time::Instant;

    use super::*;
    use crate::engine::explain::Unexplained;
    use crate::io::addr::Addr;
    use crate::io::small_file::Files;
    use crate::io::tls::Acceptor;
    use crate::io::tls::ClientTls;
    use crate::io::tls::Connector;
    use crate::io::tls::HubTls;
    use crate::io::tls::Trust;
    use crate::io::tls::sealing::LONGEST;

    fn socket(stream: TcpStream) -> Socket {
        stream.set_nonblocking(true).unwrap();
        mio::net::TcpStream::from_std(stream).into()
    }

    /// Both sides of a connection after its handshake: a hub's and a participant's.
    fn both() -> (Session, Session) {
        let asked = HubTls {
            identity: None,
            clients: None,
            alpn: Vec::new(),
        };
        let acceptor = Acceptor::new(&asked, &mut Files::default()).unwrap();
        let asked = ClientTls {
            trust: Trust::Fingerprint(acceptor.fingerprint().to_string().parse().unwrap()),
            identity: None,
            name: None,
            alpn: Vec::new(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let participant = thread::spawn(move || {
            let connector = Connector::new(&asked, "localhost", &mut Files::default()).unwrap();
            let stream = socket(TcpStream::connect(addr).unwrap());
            let end = Instant::now() + Duration::from_secs(60);
            connector.connect(stream, &Addr::from(addr), end).unwrap()
        });
        let mut hub = acceptor.accept(socket(listener.accept().unwrap().0));
        loop {
            match hub.handshake(&mut Unexplained) {
                Handshake::Done => break,
                Handshake::Failed(error) => panic!("{error}"),
                _ => thread::yield_now(),
            }
        }
        (hub, participant.join().unwrap())
    }

    fn write(session: &mut Session, bytes: &[u8]) {
        match session.write(&[IoSlice::new(bytes)]) {
            Sent::Bytes(count) => assert_eq!(count, bytes.len()),
            sent => panic!("{sent:?}"),
        }
    }

    /// Reads so many bytes. Returns how many each read gave, and how many reads left something for the
    /// next turn.
    fn reads(session: &mut Session, share: usize, total: usize) -> (Vec<usize>, usize) {
        let mut buffer = vec![0; share];
        let (mut counts, mut stopped) = (Vec::new(), 0);
        while counts.iter().sum::<usize>() < total {
            match session.read(&mut buffer) {
                Received::Bytes(count) => {
                    counts.push(count);
                    stopped += usize::from(session.has_buffered_input());
                }
                // Not all that was written has come.
                Received::Pending => thread::yield_now(),
                received => panic!("{received:?} after {counts:?}"),
            }
        }
        (counts, stopped)
    }

    /// Whoever was told the end may send anything.
    #[test]
    fn what_cannot_be_decrypted_behind_our_end_is_an_error_like_any_other() {
        let forged = [&[23, 3, 3, 0, 32][..], &[b'?'; 32]].concat();
        let (mut hub, mut participant) = both();
        hub.shutdown().unwrap();
        let (mut other, mut ended) = both();
        ended.shutdown().unwrap();
        for (from, to) in [(&mut participant, &mut hub), (&mut other, &mut ended)] {
            let sent = from.socket.write(&[IoSlice::new(&forged)]);
            assert!(matches!(sent, Sent::Bytes(37)), "{sent:?}");
            let received = loop {
                match to.read(&mut [0; 100]) {
                    Received::Pending => thread::yield_now(),
                    received => break received,
                }
            };
            assert!(matches!(received, Received::Failed(_)), "{received:?}");
        }
    }

    /// A read has still to tell it, but a write may find first that nobody is there.
    #[test]
    fn what_is_known_of_a_break_is_told_to_whoever_asks_first() {
        let forged = [&[23, 3, 3, 0, 32][..], &[b'?'; 32]].concat();
        let (mut hub, mut participant) = both();
        write(&mut participant, b"a word");
        let sent = participant.socket.write(&[IoSlice::new(&forged)]);
        assert!(matches!(sent, Sent::Bytes(37)), "{sent:?}");
        while hub.socket.unread().bytes < 37 + 6 {
            thread::yield_now();
        }
        let mut said: Vec<u8> = Vec::new();
        let mut buffer = [0; 100];
        while said.len() < 6 || !hub.has_buffered_input() {
            match hub.read(&mut buffer) {
                Received::Bytes(count) => said.extend(&buffer[..count]),
                received => panic!("{received:?} after {said:?}"),
            }
        }
        assert_eq!(said, b"a word");
        let known = hub.take_error().map(|error| error.kind());
        assert_eq!(known, Some(ErrorKind::InvalidData));
        // It is not forgotten for that.
        drop(participant);
        assert!(!matches!(
            hub.read(&mut buffer),
            Received::Bytes(_) | Received::End
        ));
    }

    /// Slices as the log has them, of which the first and the last may be of any length.
    #[test]
    fn records_are_as_long_as_they_may_be() {
        const LENGTHS: [usize; 5] = [1000, 64 * 1024, 64 * 1024, 64 * 1024, 501];
        let (mut hub, mut participant) = both();
        // What belongs to the handshake comes first.
        write(&mut hub, b"x");
        assert_eq!(reads(&mut participant, 1, 1).0, [1]);
        let pieces = LENGTHS.map(|length| vec![b'x'; length]);
        let total: usize = LENGTHS.iter().sum();
        let (mut taken, mut records, mut bytes) = (0, 0, 0);
        let (mut framing, mut wire) = (Framing::default(), vec![0; total]);
        // So long it is on the wire: five bytes before each record, and 17 behind.
        while bytes < total + 22 * records || taken < total {
            hub.flush().unwrap();
            let mut rest = taken;
            let slices = pieces.each_ref().map(|piece| {
                let (_, slice) = piece.split_at(piece.len().min(rest));
                rest -= piece.len() - slice.len();
                IoSlice::new(slice)
            });
            match hub.write(&slices) {
                Sent::Bytes(count) => taken += count,
                sent => panic!("{sent:?}"),
            }
            while let Received::Bytes(count) = participant.socket.read(&mut wire) {
                records += framing.count(&wire[..count]);
                bytes += count;
            }
        }
        assert_eq!(records, total.div_ceil(LONGEST));
    }

    /// What is seen next, when all that was written has come.
    fn peek(session: &mut Session, come: u64, buffer: &mut [u8]) -> Ahead {
        let end = Instant::now() + Duration::from_secs(60);
        while session.socket.unread().bytes < come {
            assert!(Instant::now() < end, "it does not come");
            thread::yield_now();
        }
        session.peek(buffer)
    }

    #[test]
    fn a_goodbye_before_any_word_is_seen_and_no_word_is_lost() {
        // A record's header, its kind and what authenticates it; a goodbye has two bytes.
        const AROUND: usize = 5 + 1 + 16;
        const GOODBYE: u64 = AROUND as u64 + 2;
        let mut buffer = [0; 300];
        for words in [&[][..], &[1], &[3, 5], &[150, 3], &[1000]] {
            let (mut hub, mut participant) = both();
            let mut said = Vec::new();
            let mut come = 0;
            for &length in words {
                let word = vec![b'a' + length as u8 % 26; length];
                write(&mut participant, &word);
                come += (AROUND + length) as u64;
                said.extend(word);
            }
            participant.shutdown().unwrap();
            let ahead = peek(&mut hub, come + GOODBYE, &mut buffer);
            match words.first() {
                None => {
                    assert!(matches!(ahead, Ahead::End));
                    assert_eq!(hub.unread(), Unread::NOTHING);
                }
                // It is too long to be opened ahead.
                Some(1000) => assert!(matches!(ahead, Ahead::Bytes(0))),
                Some(&first) => {
                    assert!(matches!(ahead, Ahead::Bytes(count) if count == first));
                    assert_eq!(buffer[..first], said[..first]);
                    let again = hub.peek(&mut buffer);
                    assert!(matches!(again, Ahead::Bytes(count) if count == first));
                    let rest = come - (AROUND + first) as u64 + GOODBYE;
                    let unread = Unread {
                        bytes: first as u64 + rest,
                        may_be_more: true,
                    };
                    assert_eq!(hub.unread(), unread);
                    assert!(hub.has_buffered_input());
                }
            }
            let mut heard: Vec<u8> = Vec::new();
            loop {
                match hub.read(&mut buffer) {
                    Received::Bytes(count) => heard.extend(&buffer[..count]),
                    Received::End => break,
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(heard, said);
            assert!(matches!(hub.peek(&mut buffer), Ahead::End));
        }
    }

    /// The first message of a client to this hub.
    fn hello(acceptor: &Acceptor) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let asked = ClientTls {
            trust: Trust::Fingerprint(acceptor.fingerprint().to_string().parse().unwrap()),
            identity: None,
            name: None,
            alpn: Vec::new(),
        };
        let client = thread::spawn(move || {
            let connector = Connector::new(&asked, "localhost", &mut Files::default()).unwrap();
            let stream = socket(TcpStream::connect(addr).unwrap());
            let end = Instant::now() + Duration::from_secs(60);
            assert!(connector.connect(stream, &Addr::from(addr), end).is_err());
        });
        let (mut conn, _) = listener.accept().unwrap();
        let mut hello = vec![0; 5];
        conn.read_exact(&mut hello).unwrap();
        let len = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
        hello.resize(5 + len, 0);
        conn.read_exact(&mut hello[5..]).unwrap();
        drop(conn);
        client.join().unwrap();
        hello
    }

    /// Or else whoever sends a byte now and then would seem to go on.
    #[test]
    fn a_part_of_a_message_is_not_answered() {
        let asked = HubTls {
            identity: None,
            clients: None,
            alpn: Vec::new(),
        };
        let acceptor = Acceptor::new(&asked, &mut Files::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut hub = acceptor.accept(socket(listener.accept().unwrap().0));
        let hello = hello(&acceptor);
        let (most, rest) = hello.split_at(hello.len() - 1);
        client.write_all(most).unwrap();
        loop {
            match hub.handshake(&mut Unexplained) {
                Handshake::Silent | Handshake::Begun => thread::yield_now(),
                Handshake::Pending => break,
                step => panic!("{step:?}"),
            }
        }
        client.write_all(rest).unwrap();
        loop {
            match hub.handshake(&mut Unexplained) {
                Handshake::Pending => thread::yield_now(),
                Handshake::Replied => break,
                step => panic!("{step:?}"),
            }
        }
        assert!(matches!(
            hub.handshake(&mut Unexplained),
            Handshake::Pending
        ));
    }

    /// The kernel does not know of what was taken from it and is no whole record.
    #[test]
    fn a_part_of_a_record_is_not_known_to_be_all_that_is_unread() {
        let (mut hub, mut participant) = both();
        let record = records(&mut participant, &[3000]);
        let part = IoSlice::new(&record[..1000]);
        assert!(matches!(
            participant.socket.write(&[part]),
            Sent::Bytes(1000)
        ));
        peek(&mut hub, 1000, &mut []);
        assert_eq!(hub.unread(), Unread::all(1000));
        assert!(matches!(hub.read(&mut [0; 300]), Received::Pending));
        assert_eq!(hub.unread(), Unread::UNKNOWN);
    }

    /// A participant's records with these numbers of bytes in them.
    fn records(participant: &mut Session, lengths: &[usize]) -> Vec<u8> {
        let Speech::Tls(tls) = &mut participant.speech else {
            panic!("it speaks TLS");
        };
        let mut records = Vec::new();
        for &length in lengths {
            tls.connection
                .writer()
                .write_all(&vec![b'x'; length])
                .unwrap();
            while tls.connection.wants_write() {
                tls.connection.write_tls(&mut records).unwrap();
            }
        }
        records
    }

    /// Or else whoever says a word now and then could have any number of bytes kept beside it.
    #[test]
    fn what_is_kept_is_known_after_a_word() {
        const LONG: usize = 16_000;
        const SHORT: usize = 300;
        let (mut hub, mut participant) = both();
        let all = records(&mut participant, &[LONG, SHORT, LONG]);
        // The long one makes rustls' buffer long, and the part of the short one keeps it so.
        let (first, rest) = all.split_at(LONG + 100);
        let (rest, _) = rest.split_at(rest.len() - 100);
        let mut kept = first.len() + rest.len();
        for (bytes, said) in [(first, LONG), (rest, SHORT)] {
            let sent = participant.socket.write(&[IoSlice::new(bytes)]);
            assert!(matches!(sent, Sent::Bytes(count) if count == bytes.len()));
            reads(&mut hub, LONG, said);
            kept -= said;
        }
        while !matches!(hub.read(&mut [0; 300]), Received::Pending) {}
        let Speech::Tls(tls) = &hub.speech else {
            panic!("it speaks TLS");
        };
        // Around the first two are 22 bytes each.
        assert!(tls.wordless + BEHIND >= kept - 44, "{}", tls.wordless);
    }

    #[test]
    fn a_goodbye_behind_a_record_without_text_is_seen_in_the_next_turn() {
        let (mut hub, mut participant) = both();
        let Speech::Tls(tls) = &mut participant.speech else {
            panic!("it speaks TLS");
        };
        tls.connection.refresh_traffic_keys().unwrap();
        participant.shutdown().unwrap();
        // A key update has five bytes, a goodbye two, and around both are 22.
        let ahead = peek(&mut hub, 27 + 24, &mut []);
        assert!(matches!(ahead, Ahead::Yield));
        assert!(matches!(hub.peek(&mut []), Ahead::End));
    }

    /// Nothing is unread of one that was only looked at, and a break that a look finds is told.
    #[test]
    fn a_look_finds_silence_and_a_break() {
        let (mut hub, participant) = both();
        assert!(matches!(hub.peek(&mut []), Ahead::Bytes(0)));
        assert_eq!(hub.unread(), Unread::NOTHING);
        let mut socket = participant.socket;
        socket.break_on_close(true);
        drop(socket);
        let end = Instant::now() + Duration::from_secs(60);
        let error = loop {
            match hub.peek(&mut []) {
                Ahead::Failed(error) => break error,
                Ahead::Bytes(0) if Instant::now() < end => thread::yield_now(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_read_opens_as_many_records_as_it_is_worth() {
        const TINY: usize = 4000;
        const SHARE: usize = 64 * 1024;
        // So many records a read of a few KiB may bring at once: five bytes of each are its header.
        const CAME: usize = 4096 / (5 + 17);
        let (mut hub, mut participant) = both();
        for _ in 0..TINY {
            write(&mut participant, b"x");
        }
        let (counts, stopped) = reads(&mut hub, SHARE, TINY);
        let most = SHARE / RECORD + CAME;
        assert!(counts.iter().all(|&count| count <= most), "{counts:?}");
        assert!(stopped > 0);
        // An honest sender's are as large as they can be, or fill a packet.
        for size in [16 * 1024 - 1, 1400] {
            let bytes = vec![b'x'; size];
            let count = SHARE / size;
            for _ in 0..count {
                write(&mut participant, &bytes);
            }
            let (counts, stopped) = reads(&mut hub, SHARE, count * size);
            assert_eq!(stopped, 0, "{counts:?} of {size} each");
        }
    }
}
