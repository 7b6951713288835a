//! What TLS adds to what a peer costs the hub, as docs/RELIABILITY.md says: at rest, with a record that is
//! not complete, and with records that it does not take.

#![cfg(feature = "tls")]

mod support;

use std::io::IoSlice;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Instant;

use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getrlimit;
use rustix::process::setrlimit;
use socket2::Domain;
use socket2::Type;

use muxnc::io::addr::Addr;
use muxnc::io::socket::Socket;
use muxnc::io::stream::Sent;
use muxnc::io::stream::Stream;
use muxnc::io::tls::ClientTls;
use muxnc::io::tls::Connector;
use muxnc::io::tls::Session;
use muxnc::io::tls::Trust;

use support::DEADLINE;
use support::Hub;

/// How many peers.
const PEERS: usize = 1200;

/// A hub with a certificate made for the occasion, and how to connect to it.
struct Encrypted {
    hub: Hub,
    connector: Connector,
}

impl Encrypted {
    fn start(args: &[&str]) -> Encrypted {
        let hub = Hub::start(&[&["--ssl"], args].concat());
        let told = hub.process.stderr.wait_for(" (the first");
        let (_, told) = told.split_once("its certificate is ").unwrap();
        let (fingerprint, _) = told.split_once(" (the first").unwrap();
        let asked = ClientTls {
            trust: Trust::Fingerprint(fingerprint.parse().unwrap()),
            identity: None,
            name: None,
            alpn: Vec::new(),
        };
        let connector = Connector::new(&asked, "localhost").unwrap();
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

    fn rss_kib(&self) -> u64 {
        support::wait_at_rest(&self.hub.process);
        self.hub.process.rss_kib()
    }
}

fn allow_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}

/// What docs/RELIABILITY.md says: for each, and in KiB.
const IDLE: u64 = 10;
const BEGUN: u64 = 24;
const UNTAKEN: u64 = 16 * 1024 + 6 * PEERS as u64;

#[test]
fn what_tls_costs_is_bounded() {
    allow_descriptors();
    let mut secret = Encrypted::start(&["--stall-timeout", "1h"]);
    let _first = secret.join(1);
    let before = secret.rss_kib();
    let mut peers = secret.join(PEERS);
    let grown = |kib: u64| kib.saturating_sub(before);
    let all = PEERS as u64;
    let idle = grown(secret.rss_kib());
    println!("{idle} KiB of {PEERS} at rest");
    assert!(idle <= IDLE * all, "{idle} KiB");
    // What they are said and do not take. The log is as everybody's.
    let log = 3 * 1024;
    let mut stdin = secret.hub.process.stdin.take().unwrap();
    std::thread::spawn(move || {
        // Until the hub ends.
        while stdin.write_all(&[b'x'; 64 * 1024]).is_ok() {}
    });
    let untaken = grown(secret.rss_kib());
    println!("{untaken} KiB with records that are not taken");
    let most = IDLE * all + log + UNTAKEN;
    assert!(untaken <= most, "{untaken} KiB, {most} at most");
    // The beginning of a record, as long as one may be.
    let record = [&[23, 3, 3, 0x41, 0x00][..], &[0; 16 * 1024]].concat();
    for peer in &mut peers {
        let sent = peer.socket_mut().write(&[IoSlice::new(&record)]);
        assert!(matches!(sent, Sent::Bytes(count) if count == record.len()));
    }
    let begun = grown(secret.rss_kib());
    println!("{begun} KiB with records that are not complete");
    let most = most + BEGUN * all;
    assert!(begun <= most, "{begun} KiB, {most} at most");
}
