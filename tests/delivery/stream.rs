//! What carries the bytes, from the other side: TCP, TLS, Unix sockets, and proxies that pass on
//! faithfully, ends as ends and resets as resets.

use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use socket2::SockRef;

use crate::plan::Transport;
use crate::rule::ENDS;

/// No read or write of the other side lasts longer: by then the case is over.
const PATIENCE: Duration = Duration::from_secs(25);

/// Small, so that a long stream is more than the kernel holds.
const BUFFER: usize = 64 * 1024;

/// Our side of a connection.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    #[cfg(feature = "tls")]
    Tls(Box<tls::Tls>),
}

impl Stream {
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.read(buffer),
        }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.write_all(bytes),
        }
    }

    /// Sends no more.
    pub(crate) fn end(&mut self) {
        let _ = match self {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.end(),
        };
    }

    /// Closes, after a goodbye where there is one.
    pub(crate) fn close(mut self) {
        #[cfg(feature = "tls")]
        if let Stream::Tls(stream) = &mut self {
            stream.say_goodbye();
        }
        #[cfg(not(feature = "tls"))]
        let _ = &mut self;
    }

    /// Breaks off. A Unix socket cannot but close.
    pub(crate) fn reset(self) {
        let socket = match &self {
            Stream::Tcp(stream) => stream,
            Stream::Unix(_) => return,
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.socket(),
        };
        let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
    }

    /// Waits until there is something to be read, and leaves it there.
    pub(crate) fn wait_unread(&mut self) {
        let socket = match self {
            Stream::Tcp(stream) => SockRef::from(&*stream),
            Stream::Unix(stream) => SockRef::from(&*stream),
            // It may have read to the end already, with more than it was asked for.
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => {
                if stream.holds_some() {
                    return;
                }
                SockRef::from(stream.socket())
            }
        };
        let _ = socket.peek(&mut [std::mem::MaybeUninit::uninit()]);
    }
}

fn prepare(stream: &TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // What is said before a reset is on its way before it.
    stream.set_nodelay(true).unwrap();
    let socket = SockRef::from(stream);
    socket.set_recv_buffer_size(BUFFER).unwrap();
    socket.set_send_buffer_size(BUFFER).unwrap();
}

/// Who waits for muxnc.
pub(crate) enum Listener {
    Tcp(TcpListener, Transport),
    Unix(UnixListener),
}

impl Listener {
    /// Listens, at `path` if it is a Unix socket.
    pub(crate) fn new(transport: Transport, path: &Path) -> Listener {
        if transport == Transport::Unix {
            return Listener::Unix(UnixListener::bind(path).unwrap());
        }
        Listener::Tcp(listen(), transport)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        match self {
            Listener::Tcp(listener, _) => listener.local_addr().unwrap().port(),
            Listener::Unix(_) => 0,
        }
    }

    /// Whoever comes first; nobody, if it is over before somebody came.
    pub(crate) fn accept(&self, over: &AtomicBool) -> Option<Stream> {
        match self {
            Listener::Tcp(listener, transport) => {
                let stream = accept(listener, over)?;
                match transport {
                    #[cfg(feature = "tls")]
                    Transport::Tls => tls::Tls::accepted(stream).map(Box::new).map(Stream::Tls),
                    _ => Some(Stream::Tcp(stream)),
                }
            }
            Listener::Unix(listener) => {
                let accept = || listener.accept().map(|(stream, _)| stream);
                let stream = waiting(over, &SockRef::from(listener), accept)?;
                Some(prepared(stream))
            }
        }
    }
}

fn prepared(stream: UnixStream) -> Stream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    Stream::Unix(stream)
}

fn listen() -> TcpListener {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    SockRef::from(&listener)
        .set_recv_buffer_size(BUFFER)
        .unwrap();
    listener
}

fn accept(listener: &TcpListener, over: &AtomicBool) -> Option<TcpStream> {
    let accept = || listener.accept().map(|(stream, _)| stream);
    let stream = waiting(over, &SockRef::from(listener), accept)?;
    prepare(&stream);
    Some(stream)
}

/// Accepts in turns, between which it is seen whether anybody is still to come. Whoever came before
/// it was over is let in.
fn waiting<T>(
    over: &AtomicBool,
    socket: &SockRef<'_>,
    accept: impl Fn() -> io::Result<T>,
) -> Option<T> {
    socket
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    loop {
        let last = over.load(Ordering::SeqCst);
        match accept() {
            Ok(stream) => return Some(stream),
            Err(_) if last => return None,
            Err(_) => {}
        }
    }
}

/// Connects to a muxnc that listens; nobody, if it never does.
pub(crate) fn connect(transport: Transport, port: u16, path: &Path) -> Option<Stream> {
    if transport == Transport::Unix {
        let end = Instant::now() + ENDS;
        while Instant::now() < end {
            if let Ok(stream) = UnixStream::connect(path) {
                return Some(prepared(stream));
            }
            thread::sleep(Duration::from_millis(5));
        }
        return None;
    }
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    prepare(&stream);
    match transport {
        #[cfg(feature = "tls")]
        Transport::Tls => tls::Tls::connected(stream).map(Box::new).map(Stream::Tls),
        _ => Some(Stream::Tcp(stream)),
    }
}

/// A proxy for one connection to this port. It is gone when both sides are.
pub(crate) struct Proxy {
    listener: TcpListener,
    transport: Transport,
    target: u16,
}

impl Proxy {
    pub(crate) fn new(transport: Transport, target: u16) -> Proxy {
        Proxy {
            listener: listen(),
            transport,
            target,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// Serves until the end.
    pub(crate) fn serve(&self, over: &AtomicBool) {
        let Some(mut client) = accept(&self.listener, over) else {
            return;
        };
        let agreed = match self.transport {
            Transport::Socks => agree_socks(&mut client),
            _ => agree_http(&mut client),
        };
        if agreed.is_err() {
            return;
        }
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.target)).unwrap();
        prepare(&server);
        let (server, client) = (Leg::new(server), Leg::new(client));
        thread::scope(|scope| {
            scope.spawn(|| pass_on(&server, &client));
            pass_on(&client, &server);
        });
    }
}

/// SOCKS 5, without a password.
fn agree_socks(client: &mut TcpStream) -> io::Result<()> {
    let mut head = [0; 2];
    client.read_exact(&mut head)?;
    client.read_exact(&mut vec![0; usize::from(head[1])])?;
    client.write_all(&[5, 0])?;
    let mut request = [0; 4];
    client.read_exact(&mut request)?;
    assert_eq!(request, [5, 1, 0, 1], "CONNECT to an IPv4 address");
    client.read_exact(&mut [0; 6])?;
    client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0])
}

fn agree_http(client: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"CONNECT "));
    client.write_all(b"HTTP/1.1 200 here you are\r\n\r\n")
}

/// A connection of a proxy.
struct Leg {
    stream: TcpStream,
    /// No more is written to it.
    is_shut: AtomicBool,
}

impl Leg {
    fn new(stream: TcpStream) -> Leg {
        let is_shut = AtomicBool::new(false);
        Leg { stream, is_shut }
    }

    /// Whether the end that was read is a reset: a socket tells its error once, and the thread that writes to it may
    /// have been told.
    fn was_reset(&self) -> bool {
        let mut fds = [PollFd::new(&self.stream, PollFlags::empty())];
        let polled = poll(&mut fds, Some(&Timespec::default()));
        let has_hung_up = polled.is_ok() && fds[0].revents().contains(PollFlags::HUP);
        has_hung_up && !self.is_shut.load(Ordering::SeqCst)
    }
}

/// One direction of a proxy. An end is passed on as an end; what breaks off on one side does so on
/// the other.
fn pass_on(from: &Leg, to: &Leg) {
    let mut buffer = vec![0; BUFFER];
    let failed = loop {
        match (&from.stream).read(&mut buffer) {
            Ok(0) => break from.was_reset(),
            Ok(count) => {
                if (&to.stream).write_all(&buffer[..count]).is_err() {
                    break true;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break true,
        }
    };
    if failed {
        // Both, for the other direction's thread may be waiting at either; this is a reset.
        let _ = rustix::net::connect_unspec(&from.stream);
        let _ = rustix::net::connect_unspec(&to.stream);
    } else {
        to.is_shut.store(true, Ordering::SeqCst);
        let _ = to.stream.shutdown(Shutdown::Write);
    }
}

/// Bytes of muxnc's that nobody has acknowledged when the process is gone: of its connections from
/// this port if it listened, else to it. The end that was sent counts as one, and is left out.
pub(crate) fn unacknowledged(port: u16, listened: bool) -> u64 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let port = format!(":{port:04X}");
    let queued = |line: &str| -> Option<u64> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let end = fields.get(if listened { 1 } else { 2 })?;
        let queued = fields.get(4)?.split(':').next()?;
        // FIN-WAIT-1, LAST-ACK, CLOSING: what a closed socket is in while it has something to say.
        let closed = ["04", "09", "0B"].contains(fields.get(3)?);
        let ours = closed && end.ends_with(&port);
        ours.then(|| u64::from_str_radix(queued, 16).unwrap_or(0))
    };
    let most = table.lines().skip(1).filter_map(queued).max();
    most.unwrap_or(0).saturating_sub(1)
}

/// TLS by rustls, with one certificate for this process.
#[cfg(feature = "tls")]
pub(crate) mod tls {
    use std::io;
    use std::io::ErrorKind;
    use std::io::Read;
    use std::io::Write;
    use std::net::Shutdown;
    use std::net::TcpStream;
    use std::sync::Arc;
    use std::sync::LazyLock;

    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use rustls::ClientConfig;
    use rustls::ClientConnection;
    use rustls::Connection;
    use rustls::RootCertStore;
    use rustls::ServerConfig;
    use rustls::ServerConnection;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::PrivateKeyDer;

    /// Who we are, and whom we believe.
    pub(crate) struct Identity {
        /// Both as PEM, for muxnc.
        pub(crate) certificate: String,
        pub(crate) key: String,
        server: Arc<ServerConfig>,
        client: Arc<ClientConfig>,
    }

    pub(crate) static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
        let names = vec![String::from("127.0.0.1")];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let der: CertificateDer<'static> = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let server = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![der.clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(der).unwrap();
        let client = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Identity {
            certificate: pem("CERTIFICATE", made.cert.der()),
            key: pem("PRIVATE KEY", &made.signing_key.serialize_der()),
            server: Arc::new(server),
            client: Arc::new(client),
        }
    });

    fn pem(what: &str, der: &[u8]) -> String {
        let lines = BASE64_STANDARD.encode(der);
        let lines: Vec<&str> = lines
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        let lines = lines.join("\n");
        format!("-----BEGIN {what}-----\n{lines}\n-----END {what}-----\n")
    }

    /// A connection on which the handshake is over.
    pub(crate) struct Tls {
        layer: Connection,
        socket: TcpStream,
    }

    impl Tls {
        pub(super) fn accepted(socket: TcpStream) -> Option<Tls> {
            let layer = ServerConnection::new(IDENTITY.server.clone()).unwrap();
            Tls::agreed(layer.into(), socket)
        }

        pub(super) fn connected(socket: TcpStream) -> Option<Tls> {
            let name = "127.0.0.1".try_into().unwrap();
            let layer = ClientConnection::new(IDENTITY.client.clone(), name).unwrap();
            Tls::agreed(layer.into(), socket)
        }

        fn agreed(mut layer: Connection, mut socket: TcpStream) -> Option<Tls> {
            while layer.is_handshaking() || layer.wants_write() {
                layer.complete_io(&mut socket).ok()?;
            }
            Some(Tls { layer, socket })
        }

        pub(super) fn socket(&self) -> &TcpStream {
            &self.socket
        }

        /// An end without close_notify is one, too: what came is compared with what was sent.
        pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            loop {
                match self.layer.reader().read(buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                    read => return read,
                }
                self.layer.read_tls(&mut self.socket)?;
                self.layer.process_new_packets().map_err(io::Error::other)?;
            }
        }

        pub(super) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
            while !bytes.is_empty() {
                let count = self.layer.writer().write(bytes)?;
                bytes = &bytes[count..];
                self.flush()?;
            }
            Ok(())
        }

        /// Whether it has something that was not read from it.
        pub(super) fn holds_some(&mut self) -> bool {
            let state = self.layer.process_new_packets();
            state.is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
        }

        fn flush(&mut self) -> io::Result<()> {
            while self.layer.wants_write() {
                self.layer.write_tls(&mut self.socket)?;
            }
            Ok(())
        }

        pub(super) fn say_goodbye(&mut self) {
            self.layer.send_close_notify();
            let _ = self.flush();
        }

        pub(super) fn end(&mut self) -> io::Result<()> {
            self.say_goodbye();
            self.socket.shutdown(Shutdown::Write)
        }
    }
}
