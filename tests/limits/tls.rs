//! What TLS adds to what a peer costs the hub, as docs/RELIABILITY.md says: at rest, with a record or a
//! message that is not complete, and with records that it does not take.

#![cfg(feature = "tls")]

use std::io::IoSlice;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::ConnectionTrafficSecrets;
use rustls::ContentType;
use rustls::ProtocolVersion;
use rustls::SupportedCipherSuite;
use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::MessageEncrypter;
use rustls::crypto::cipher::OutboundChunks;
use rustls::crypto::cipher::OutboundPlainMessage;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use socket2::Domain;
use socket2::Type;

use muxnc::io::addr::Addr;
use muxnc::io::small_file::Files;
use muxnc::io::socket::Socket;
use muxnc::io::stream::Sent;
use muxnc::io::stream::Stream;
use muxnc::io::tls::ClientTls;
use muxnc::io::tls::Connector;
use muxnc::io::tls::Session;
use muxnc::io::tls::Trust;

use crate::credulous::Credulous;
use crate::support;
use crate::support::DEADLINE;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::allow_descriptors;
use crate::support::piped;

/// How many peers.
const PEERS: usize = 1200;

/// A hub with a certificate made for the occasion, and how to connect to it.
struct Encrypted {
    hub: Hub,
    connector: Connector,
}

impl Encrypted {
    fn start(args: &[&str]) -> Encrypted {
        Encrypted::of(Hub::start(&[&["--ssl"], args].concat()))
    }

    /// One that has so many KiB of addresses.
    fn within(kib: u64, args: &[&str]) -> Encrypted {
        let line = format!("ulimit -v {kib}; exec '{MUXNC}' -l 0 --ssl \"$@\"");
        let mut command = piped("sh", &["-c", &line, "sh"]);
        let hub = Hub::start_command(command.args(args).stdout(Stdio::null()));
        Encrypted::of(hub)
    }

    fn of(hub: Hub) -> Encrypted {
        let fingerprint = support::fingerprint_shown(&hub.process.stderr);
        let asked = ClientTls {
            trust: Trust::Fingerprint(fingerprint.parse().unwrap()),
            identity: None,
            name: None,
            alpn: Vec::new(),
        };
        let connector = Connector::new(&asked, "localhost", &mut Files::default()).unwrap();
        Encrypted { hub, connector }
    }

    /// Connects a socket that takes hardly anything before it is read.
    fn connect(&self) -> Session {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, self.hub.port));
        let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect_timeout(&addr.into(), DEADLINE).unwrap();
        socket.set_nonblocking(true).unwrap();
        let stream = TcpStream::from(socket);
        let socket = Socket::from(mio::net::TcpStream::from_std(stream));
        let end = Instant::now() + DEADLINE;
        let addr = Addr::from(addr);
        self.connector.connect(socket, &addr, end).unwrap()
    }

    /// So many who said a line that the hub heard.
    fn join(&self, count: usize) -> Vec<Session> {
        let mut peers: Vec<Session> = (0..count).map(|_| self.connect()).collect();
        for peer in &mut peers {
            let sent = peer.write(&[IoSlice::new(b"here\n")]);
            assert!(matches!(sent, Sent::Bytes(5)), "{sent:?}");
        }
        self.hub.process.stdout.wait_until("all of them", |text| {
            text.iter().filter(|&&byte| byte == b'\n').count() >= count
        });
        peers
    }

    /// Whether somebody is still let in.
    fn join_one(&self) {
        let mut peer = self.connect();
        let sent = peer.write(&[IoSlice::new(b"here\n")]);
        assert!(matches!(sent, Sent::Bytes(5)), "{sent:?}");
    }

    fn own_kib(&self) -> u64 {
        support::wait_at_rest(&self.hub.process);
        self.hub.process.own_kib()
    }
}

/// What docs/RELIABILITY.md says: for each, and in KiB.
const IDLE: u64 = 10;
const BEGUN: u64 = 40;
const UNTAKEN: u64 = 16 * 1024 + 6 * PEERS as u64;

#[test]
fn what_tls_costs_is_bounded() {
    let _descriptors = allow_descriptors();
    let mut secret = Encrypted::start(&["--stall-timeout", "1h"]);
    let _first = secret.join(1);
    let before = secret.own_kib();
    let mut peers = secret.join(PEERS);
    let grown = |kib: u64| kib.saturating_sub(before);
    let all = PEERS as u64;
    let idle = grown(secret.own_kib());
    println!("{idle} KiB of {PEERS} at rest");
    assert!(idle <= IDLE * all, "{idle} KiB");
    // What they are said and do not take. The log is as everybody's.
    let log = 3 * 1024;
    let mut stdin = secret.hub.process.stdin.take().unwrap();
    std::thread::spawn(move || {
        // Until the hub ends.
        while stdin.write_all(&[b'x'; 64 * 1024]).is_ok() {}
    });
    let untaken = grown(secret.own_kib());
    println!("{untaken} KiB with records that are not taken");
    let most = IDLE * all + log + UNTAKEN;
    assert!(untaken <= most, "{untaken} KiB, {most} at most");
    // The beginning of a record, as long as one may be.
    let record = [&[23, 3, 3, 0x41, 0x00][..], &[0; 16 * 1024]].concat();
    for peer in &mut peers {
        let sent = peer.socket_mut().write(&[IoSlice::new(&record)]);
        assert!(matches!(sent, Sent::Bytes(count) if count == record.len()));
    }
    let begun = grown(secret.own_kib());
    println!("{begun} KiB with records that are not complete");
    let most = most + BEGUN * all;
    assert!(begun <= most, "{begun} KiB, {most} at most");
}

/// Somebody who agreed on TLS like everybody, and then makes each record by hand.
struct ByHand {
    socket: TcpStream,
    seals: Box<dyn MessageEncrypter>,
    sealed: u64,
}

impl ByHand {
    fn connect(port: u16) -> ByHand {
        let suite = ring::cipher_suite::TLS13_AES_256_GCM_SHA384;
        let provider = CryptoProvider {
            cipher_suites: vec![suite],
            ..ring::default_provider()
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider));
        let mut config = (builder.with_protocol_versions(&[&rustls::version::TLS13]))
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous))
            .with_no_client_auth();
        config.enable_secret_extraction = true;
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(&mut socket).unwrap();
        }
        let (sealed, secrets) = tls.dangerous_extract_secrets().unwrap().tx;
        let ConnectionTrafficSecrets::Aes256Gcm { key, iv } = secrets else {
            panic!("another cipher");
        };
        let SupportedCipherSuite::Tls13(suite) = suite else {
            panic!("another version");
        };
        ByHand {
            socket,
            seals: suite.aead_alg.encrypter(key, iv),
            sealed,
        }
    }

    /// These bytes as one record.
    fn seal(&mut self, typ: ContentType, bytes: &[u8]) -> Vec<u8> {
        let plain = OutboundPlainMessage {
            typ,
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(bytes),
        };
        let record = self.seals.encrypt(plain, self.sealed).unwrap();
        self.sealed += 1;
        record.encode()
    }
}

/// Waits until the hub closed or reset it.
fn read_to_end(socket: &mut TcpStream) {
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    if let Err(error) = socket.read_to_end(&mut Vec::new()) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

/// Bytes that may come without a word in them, and with the last word.
const WORDLESS: usize = 24 * 1024;
const BEHIND: usize = 4096;

/// A record says how long it is, but a message of TLS itself may be in many, and claim to be longer: here
/// 64 KiB, in whole records.
#[test]
fn half_a_message_of_tls_costs_no_more_than_half_a_record() {
    /// The hub cuts whoever has not agreed when more than 1,000 have not.
    const HELLOS: usize = 1000;
    /// Bytes of it in a record.
    const PIECE: usize = 1000;
    let _descriptors = allow_descriptors();
    // `client_hello(1)` and `key_update(24)` (RFC 8446, 4).
    let claims = |kind: u8| [&[kind, 0, 0xff, 0xfb][..], &[0; 0xfffb]].concat();
    // As the first words of all.
    let record = |piece: &[u8]| {
        let head = [&[22, 3, 1][..], &(piece.len() as u16).to_be_bytes()].concat();
        [head, piece.to_vec()].concat()
    };
    let hello: Vec<u8> = claims(1).chunks(PIECE).flat_map(record).collect();
    let (some, rest) = hello.split_at(WORDLESS);
    let secret = Encrypted::start(&["-v"]);
    let _first = secret.join(1);
    let before = secret.own_kib();
    let mut strangers: Vec<TcpStream> = (0..HELLOS)
        .map(|_| {
            let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, secret.hub.port)).unwrap();
            socket.write_all(some).unwrap();
            socket
        })
        .collect();
    let grown = secret.own_kib().saturating_sub(before);
    let most = (IDLE + BEGUN) * HELLOS as u64;
    println!("{grown} KiB with hellos that are not complete");
    assert!(grown <= most, "{grown} KiB, {most} at most");
    for socket in &mut strangers {
        // It may be broken off in the middle.
        let _ = socket.write_all(rest);
        read_to_end(socket);
    }
    let why = "it sent more than 24 KiB before TLS was agreed on";
    secret.hub.process.stderr.wait_for(why);

    let secret = Encrypted::start(&["-v"]);
    let _first = secret.join(1);
    let before = secret.own_kib();
    let mut members: Vec<(ByHand, Vec<u8>)> = (0..PEERS)
        .map(|_| {
            let mut member = ByHand::connect(secret.hub.port);
            let mut bytes = member.seal(ContentType::ApplicationData, b"here\n");
            for piece in claims(24).chunks(PIECE) {
                bytes.extend(member.seal(ContentType::Handshake, piece));
            }
            let rest = bytes.split_off(BEHIND);
            member.socket.write_all(&bytes).unwrap();
            (member, rest)
        })
        .collect();
    secret.hub.process.stdout.wait_until("all of them", |text| {
        text.iter().filter(|&&byte| byte == b'\n').count() > PEERS
    });
    for (member, rest) in &mut members {
        // The last of the handshake may have been read with the first of it.
        let later = rest.split_off(WORDLESS - 200);
        member.socket.write_all(rest).unwrap();
        *rest = later;
    }
    let grown = secret.own_kib().saturating_sub(before);
    let most = (IDLE + BEGUN) * PEERS as u64;
    println!("{grown} KiB with key updates that are not complete");
    assert!(grown <= most, "{grown} KiB, {most} at most");
    for (member, rest) in &mut members {
        let _ = member.socket.write_all(rest);
        read_to_end(&mut member.socket);
    }
    let why = "it sent more than 24 KiB of TLS without a word in it";
    secret.hub.process.stderr.wait_for(why);
}

/// An allocation that fails ends a program at once. With TLS the formula needs more than 64 MiB of addresses
/// for so many.
#[test]
fn it_lives_in_128_mib_of_addresses_with_unfinished_lines_and_tls() {
    const PEERS: usize = 400;
    const LEN: usize = 60_000;
    let _descriptors = allow_descriptors();
    for args in [&["--broker"][..], &["--chat", "--transcript", "/dev/null"]] {
        let secret = Encrypted::within(128 * 1024, args);
        let mut peers: Vec<Session> = (0..PEERS).map(|_| secret.connect()).collect();
        for peer in &mut peers {
            let mut left = LEN;
            support::eventually("the hub takes the line", || {
                match peer.write(&[IoSlice::new(&vec![b'x'; left])]) {
                    Sent::Bytes(count) => left -= count,
                    Sent::Full => {}
                    Sent::Failed(error) => panic!("{error}"),
                }
                left == 0 && peer.flush().is_ok() && !peer.has_pending_output()
            });
        }
        support::wait_at_rest(&secret.hub.process);
        drop(peers);
        support::wait_at_rest(&secret.hub.process);
        let all = PEERS as u64;
        let peak = secret.hub.process.peak_rss_kib();
        let plain = (6 + 16 + 8 + 1 + 3) * 1024 + 2880 + 2 * all;
        let most = plain + IDLE * all + BEGUN * all + 16 * 1024 + 6 * all;
        println!("{args:?}: {peak} KiB of {most}");
        assert!(peak <= most, "{peak} KiB with {args:?}, {most} at most");
        secret.join_one();
    }
}
