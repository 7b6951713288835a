//! Bulk through the participant: the real binary with a file or a pipe at one end and a connection
//! at the other, from its start to the end of the stream, in each direction. Beside it
//! `std::io::copy` in a thread, which on Linux leaves the work to the kernel where it can.
//!
//! Whoever is at the far end compares every byte with what was sent; a file is compared after it
//! was timed.

#![allow(missing_docs, reason = "criterion's macros make public items")]

mod support;

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::rc::Rc;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::SamplingMode;
use criterion::Throughput;
use criterion::criterion_group;
use muxnc::engine::aligned::AlignedBuffer;

use support::DEADLINE;
use support::MUXNC;
use support::SUBJECTS;
use support::Subject;
use support::load::Ledger;
use support::load::Pattern;
use support::table;

/// The stream of one iteration: a start is a small part of the time it takes.
const SIZE: u64 = 128 * 1024 * 1024;
const LINE: usize = 64;
const CHUNK: usize = 256 * 1024;

/// A participant that runs. It ends by itself.
enum Participant {
    Process(std::process::Child),
    Thread(thread::JoinHandle<io::Result<u64>>),
}

impl Participant {
    fn send<R>(subject: Subject, addr: SocketAddr, mut stdin: R) -> Participant
    where
        R: Read + Into<Stdio> + Send + 'static,
    {
        match subject {
            Subject::Muxnc => Participant::process(addr, stdin.into(), Stdio::null()),
            Subject::Plain => Participant::Thread(thread::spawn(move || {
                let mut stream = TcpStream::connect(addr)?;
                let count = io::copy(&mut stdin, &mut stream)?;
                stream.shutdown(Shutdown::Write)?;
                Ok(count)
            })),
        }
    }

    /// Its stdin has ended: with one that may still speak it would wait for a while at the end.
    fn receive<W>(subject: Subject, addr: SocketAddr, mut stdout: W) -> Participant
    where
        W: Write + Into<Stdio> + Send + 'static,
    {
        match subject {
            Subject::Muxnc => Participant::process(addr, Stdio::null(), stdout.into()),
            Subject::Plain => Participant::Thread(thread::spawn(move || {
                let mut stream = TcpStream::connect(addr)?;
                io::copy(&mut stream, &mut stdout)
            })),
        }
    }

    fn process(addr: SocketAddr, stdin: Stdio, stdout: Stdio) -> Participant {
        let mut command = Command::new(MUXNC);
        command.args([addr.ip().to_string(), addr.port().to_string()]);
        let child = command.stdin(stdin).stdout(stdout).spawn();
        Participant::Process(child.expect("start a participant"))
    }

    fn end(self) {
        match self {
            Participant::Process(mut child) => {
                let status = child.wait().expect("wait for it");
                assert!(status.success(), "the participant failed: {status}");
            }
            Participant::Thread(thread) => {
                let count = thread.join().expect("it does not panic");
                assert_eq!(count.expect("copy"), SIZE, "the baseline copied");
            }
        }
    }
}

/// Where participants connect to, what is sent, and a file with all of it.
struct Bench {
    listener: TcpListener,
    patterns: Rc<[Pattern]>,
    source: Scratch,
    sink: Scratch,
}

impl Bench {
    fn new() -> Bench {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let patterns: Rc<[Pattern]> = [Pattern::new(0, LINE)].into();
        let source = Scratch::new("source");
        let mut file = source.create();
        patterns[0]
            .write_file(&mut file, SIZE)
            .expect("write a file");
        Bench {
            listener,
            patterns,
            source,
            sink: Scratch::new("sink"),
        }
    }

    fn addr(&self) -> SocketAddr {
        self.listener.local_addr().expect("an address")
    }

    /// The participant's connection. Whoever waits here for ever would have failed by itself.
    fn accept(&self) -> TcpStream {
        let (stream, _) = self.listener.accept().expect("accept");
        let limit = Some(DEADLINE);
        stream.set_read_timeout(limit).expect("limit reads");
        stream.set_write_timeout(limit).expect("limit writes");
        stream
    }

    fn file_to_socket(&self, subject: Subject) -> Duration {
        let start = Instant::now();
        let participant = Participant::send(subject, self.addr(), self.source.open());
        self.check(self.accept());
        participant.end();
        start.elapsed()
    }

    fn pipe_to_socket(&self, subject: Subject) -> Duration {
        let (stdin, mut input) = io::pipe().expect("make a pipe");
        let start = Instant::now();
        let participant = Participant::send(subject, self.addr(), stdin);
        let pattern = &self.patterns[0];
        thread::scope(|scope| {
            scope.spawn(move || feed(pattern, &mut input));
            self.check(self.accept());
        });
        participant.end();
        start.elapsed()
    }

    fn socket_to_pipe(&self, subject: Subject) -> Duration {
        let (output, stdout) = io::pipe().expect("make a pipe");
        let start = Instant::now();
        let participant = Participant::receive(subject, self.addr(), stdout);
        let stream = self.accept();
        let pattern = &self.patterns[0];
        thread::scope(|scope| {
            scope.spawn(move || feed(pattern, &mut &stream));
            self.check(output);
        });
        participant.end();
        start.elapsed()
    }

    fn socket_to_file(&self, subject: Subject) -> Duration {
        let file = self.sink.create();
        let start = Instant::now();
        let participant = Participant::receive(subject, self.addr(), file);
        let stream = self.accept();
        feed(&self.patterns[0], &mut &stream);
        drop(stream);
        participant.end();
        let time = start.elapsed();
        self.check(self.sink.open());
        time
    }

    /// Reads until the end: everything must be there, and nothing else.
    fn check(&self, mut from: impl Read) {
        let mut ledger = Ledger::new(&self.patterns, SIZE);
        let mut buffer = AlignedBuffer::zeroed(CHUNK);
        loop {
            match from.read(&mut buffer).expect("read") {
                0 => break,
                count => ledger.take(&buffer[..count]).expect("the bytes sent"),
            }
        }
        assert_eq!(ledger.total(), SIZE, "bytes are missing");
    }
}

fn feed(pattern: &Pattern, to: &mut impl Write) {
    let mut sent = 0;
    while sent < SIZE {
        let bytes = pattern.at(sent);
        let count = bytes.len().min(CHUNK).min((SIZE - sent) as usize);
        to.write_all(&bytes[..count]).expect("feed");
        sent += count as u64;
    }
}

/// A file that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let name = format!("muxnc-bench-{}-{name}", std::process::id());
        Scratch(std::env::temp_dir().join(name))
    }

    fn create(&self) -> File {
        File::create(&self.0).expect("create a file")
    }

    fn open(&self) -> File {
        File::open(&self.0).expect("open a file")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn bulk(c: &mut Criterion) {
    type Way = fn(&Bench, Subject) -> Duration;
    let ways: [(&str, Way); 4] = [
        ("file to socket", Bench::file_to_socket),
        ("pipe to socket", Bench::pipe_to_socket),
        ("socket to pipe", Bench::socket_to_pipe),
        ("socket to file", Bench::socket_to_file),
    ];
    let mut bench = None;
    for (name, way) in ways {
        let mut group = c.benchmark_group(format!("client/{name}"));
        group.sampling_mode(SamplingMode::Flat);
        group.throughput(Throughput::Bytes(SIZE));
        for subject in SUBJECTS {
            group.bench_function(BenchmarkId::from_parameter(subject.name()), |b| {
                let bench = bench.get_or_insert_with(Bench::new);
                b.iter_custom(|rounds| (0..rounds).map(|_| way(bench, subject)).sum());
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(10);
    targets = bulk
}
fn main() {
    let start = SystemTime::now();
    benches();
    Criterion::default().configure_from_args().final_summary();
    table::print_since(start);
}
