//! The hub over loopback: the real binary with a pipe for stdin, peers that compare every byte they
//! get with what was sent, and beside it the plainest thing that could do the same: a loop of
//! `read` and `write_all` to one socket after the other.
//!
//! `stream` is throughput: a megabyte after the other, timed until the last peer has the last byte.
//! `line` is latency: one line, timed until the last peer has it.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use mio::Events;
use mio::Interest;
use mio::Poll;
use mio::Token;

const MUXNC: &str = env!("CARGO_BIN_EXE_muxnc");

/// Sent in one iteration of `stream`, and in one of `line`.
const BLOCK: usize = 1024 * 1024;
const LINE: usize = 64;

/// No peer may wait longer than this for a byte: a hub that lost one must not hang the bench.
const DEADLINE: Duration = Duration::from_secs(30);

/// The stream that everybody is sent: numbered lines of 64 bytes, for ever the same block.
fn pattern() -> Vec<u8> {
    (0..BLOCK / LINE)
        .flat_map(|i| format!("{i:>63}\n").into_bytes())
        .collect()
}

/// Something that passes on what is written to its input to every peer.
trait FanOut {
    /// Starts it with this many peers, all of them known to be served.
    fn start(peers: usize) -> (Self, Peers)
    where
        Self: Sized;
    fn input(&mut self) -> &mut (dyn Write + Send);
}

/// `muxnc -l`.
struct Hub(Child);

impl FanOut for Hub {
    fn start(peers: usize) -> (Hub, Peers) {
        let mut child = Command::new(MUXNC)
            .args(["-v", "-l", "127.0.0.1", "0"])
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start the hub");
        let mut said = BufReader::new(child.stderr.take().expect("stderr is a pipe")).lines();
        let mut wait_for = |what: &str| {
            let found = said.by_ref().map_while(Result::ok);
            let line = found.into_iter().find(|line| line.contains(what));
            line.unwrap_or_else(|| panic!("the hub ended without saying {what:?}"))
        };
        let line = wait_for("listening on ");
        let addr = line.rsplit(' ').next().and_then(|addr| addr.parse().ok());
        let connected = Peers::connect(addr.expect("an address"), peers);
        for _ in 0..peers {
            wait_for(" joined");
        }
        // It must never find a full pipe.
        thread::spawn(move || said.for_each(drop));
        (Hub(child), connected)
    }

    fn input(&mut self) -> &mut (dyn Write + Send) {
        self.0.stdin.as_mut().expect("stdin is a pipe")
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The baseline. It ends with its input.
struct Loop(io::PipeWriter);

impl FanOut for Loop {
    fn start(peers: usize) -> (Loop, Peers) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let connected = Peers::connect(listener.local_addr().expect("an address"), peers);
        let mut sockets: Vec<_> = (0..peers)
            .map(|_| listener.accept().expect("accept").0)
            .collect();
        for socket in &sockets {
            socket.set_nodelay(true).expect("set TCP_NODELAY");
        }
        let (mut reader, writer) = io::pipe().expect("make a pipe");
        thread::spawn(move || {
            let mut buffer = vec![0; 256 * 1024];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                for socket in &mut sockets {
                    if socket.write_all(&buffer[..count]).is_err() {
                        return;
                    }
                }
            }
        });
        (Loop(writer), connected)
    }

    fn input(&mut self) -> &mut (dyn Write + Send) {
        &mut self.0
    }
}

/// The receiving side: all peers in one epoll loop, so that it costs little beside what is measured.
struct Peers {
    poll: Poll,
    events: Events,
    peers: Vec<Peer>,
    pattern: Vec<u8>,
    buffer: Vec<u8>,
}

struct Peer {
    stream: mio::net::TcpStream,
    received: usize,
}

impl Peers {
    fn connect(addr: SocketAddr, count: usize) -> Peers {
        let poll = Poll::new().expect("epoll");
        let peers = (0..count).map(|key| {
            let stream = std::net::TcpStream::connect_timeout(&addr, DEADLINE).expect("connect");
            stream.set_nonblocking(true).expect("set non-blocking");
            let mut stream = mio::net::TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(key), Interest::READABLE)
                .expect("register");
            Peer {
                stream,
                received: 0,
            }
        });
        Peers {
            peers: peers.collect(),
            poll,
            events: Events::with_capacity(256),
            pattern: pattern(),
            buffer: vec![0; 256 * 1024],
        }
    }

    /// Reads until every peer has `total` bytes of the stream, each of them as it was sent.
    fn receive(&mut self, total: usize) {
        let mut behind = self.peers.iter().filter(|p| p.received < total).count();
        while behind > 0 {
            self.poll
                .poll(&mut self.events, Some(DEADLINE))
                .expect("wait for events");
            assert!(
                !self.events.is_empty(),
                "{behind} peers waited in vain for the rest of {total} bytes"
            );
            for event in &self.events {
                let peer = &mut self.peers[event.token().0];
                let was_behind = peer.received < total;
                peer.read(&self.pattern, &mut self.buffer);
                assert!(peer.received <= total, "more came than was sent");
                behind -= usize::from(was_behind && peer.received == total);
            }
        }
    }
}

impl Peer {
    fn read(&mut self, pattern: &[u8], buffer: &mut [u8]) {
        loop {
            let at = self.received % pattern.len();
            let room = buffer.len().min(pattern.len() - at);
            match self.stream.read(&mut buffer[..room]) {
                Ok(0) => panic!("a peer was disconnected after {} bytes", self.received),
                Ok(count) => {
                    let same = buffer[..count] == pattern[at..at + count];
                    assert!(same, "wrong bytes after {}", self.received);
                    self.received += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("read after {} bytes: {error}", self.received),
            }
        }
    }
}

/// Writes the stream and reads it at every peer, at the same time.
fn stream<F: FanOut>(c: &mut Criterion, name: &str, count: usize) {
    let (mut fan_out, mut peers) = F::start(count);
    let block = pattern();
    let mut total = 0;
    let mut group = c.benchmark_group("hub/stream");
    group.throughput(Throughput::Bytes((BLOCK * count) as u64));
    group.bench_function(BenchmarkId::new(name, format!("{count} peers")), |b| {
        b.iter_custom(|rounds| {
            total += BLOCK * rounds as usize;
            let input = fan_out.input();
            let start = Instant::now();
            thread::scope(|scope| {
                scope.spawn(|| {
                    for _ in 0..rounds {
                        input.write_all(&block).expect("write to the input");
                    }
                });
                peers.receive(total);
            });
            start.elapsed()
        });
    });
    group.finish();
}

/// One line after the other, each only when everybody has the one before.
fn line<F: FanOut>(c: &mut Criterion, name: &str, count: usize) {
    let (mut fan_out, mut peers) = F::start(count);
    let block = pattern();
    let mut total = 0;
    let mut group = c.benchmark_group("hub/line");
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function(BenchmarkId::new(name, format!("{count} peers")), |b| {
        b.iter(|| {
            let at = total % block.len();
            let line = &block[at..at + LINE];
            fan_out.input().write_all(line).expect("write to the input");
            total += LINE;
            peers.receive(total);
        });
    });
    group.finish();
}

fn loopback(c: &mut Criterion) {
    for count in [1, 30] {
        stream::<Hub>(c, "muxnc", count);
        stream::<Loop>(c, "a loop of write_all", count);
        line::<Hub>(c, "muxnc", count);
        line::<Loop>(c, "a loop of write_all", count);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .sample_size(30);
    targets = loopback
}
criterion_main!(benches);
