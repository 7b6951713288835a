//! What TLS adds to what a peer costs the hub, as docs/RELIABILITY.md says: at rest, with a record that is
//! not complete, and with records that it does not take.

#![cfg(feature = "tls")]

use std::io::IoSlice;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Instant;

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
const BEGUN: u64 = 24;
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
