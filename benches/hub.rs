//! The hub over loopback: the real binary, with peers that compare every byte they get with what
//! was sent. Beside it the plainest hub that `std` makes (`support/plain.rs`).
//!
//! - `hub/fan-out`: a stream of lines from stdin, until the last peer has the last of them.
//! - `hub/tls`: the same, encrypted.
//! - `hub/relay`: the same, said by some of 30 peers, to all the others.
//! - `hub/storm`: everybody connects at once and says a line, until the last one is printed.
//! - `hub/arrival`: everybody connects and says nothing, until the last one is heard. Memory that
//!   each of them costs while idle is printed at the end.

#![allow(missing_docs, reason = "criterion's macros make public items")]

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::SamplingMode;
use criterion::Throughput;
use criterion::criterion_group;

use support::Hub;
use support::Role;
use support::Room;
use support::SUBJECTS;
use support::Subject;
use support::connect;
use support::may_connect;
use support::table;

/// What one iteration delivers in all: much more than fits between a sender and its receivers, or
/// only the filling of buffers would be timed.
const VOLUME: usize = 64 * 1024 * 1024;

/// And the least that one sends in it, however many hear it.
const LEAST: usize = 64 * 1024;

/// What a peer says when it connects.
const HELLO: usize = 8;

fn hello(id: usize) -> [u8; HELLO] {
    let text = format!("{id:07}\n");
    text.as_bytes().try_into().expect("a short number")
}

/// Times a room, which is made when criterion wants it and not before.
fn stream(
    c: &mut Criterion,
    name: &str,
    id: BenchmarkId,
    (lines, heard): (usize, usize),
    line: usize,
    make: impl Fn() -> Room,
) {
    let mut group = c.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    let elements = (lines * heard) as u64;
    group.throughput(Throughput::ElementsAndBytes {
        elements,
        bytes: elements * line as u64,
    });
    let mut room = None;
    group.bench_function(id, |b| {
        let room = room.get_or_insert_with(&make);
        b.iter_custom(|rounds| room.send(rounds * lines as u64));
    });
    group.finish();
}

fn fan_out(c: &mut Criterion) {
    for peers in [1, 30, 300, 3000] {
        for line in [16, 64, 1024] {
            for subject in SUBJECTS {
                if !may_connect(subject, peers) {
                    continue;
                }
                let lines = (VOLUME / peers).max(LEAST) / line;
                let id = BenchmarkId::new(subject.name(), format!("{peers} peers x {line} B"));
                stream(c, "hub/fan-out", id, (lines, peers), line, || {
                    Room::fan_out(subject, Role::FanOut, peers, line)
                });
            }
        }
    }
}

/// What `std` has nothing for.
#[cfg(feature = "tls")]
fn encrypted(c: &mut Criterion) {
    for peers in [1, 30, 300] {
        for line in [64, 65_536] {
            let lines = (VOLUME / peers).max(LEAST) / line;
            let id = BenchmarkId::new(Subject::Muxnc.name(), format!("{peers} peers x {line} B"));
            stream(c, "hub/tls", id, (lines, peers), line, || {
                Room::fan_out(Subject::Muxnc, Role::Tls, peers, line)
            });
        }
    }
}

#[cfg(not(feature = "tls"))]
fn encrypted(_: &mut Criterion) {}

fn relay(c: &mut Criterion) {
    const PEERS: usize = 30;
    const LINE: usize = 64;
    for senders in [1, 3, 29] {
        for subject in SUBJECTS {
            let heard = senders * (PEERS - 1);
            let lines = VOLUME / heard / LINE;
            let id = BenchmarkId::new(subject.name(), format!("{senders} of {PEERS} send"));
            stream(c, "hub/relay", id, (lines, heard), LINE, || {
                Room::relay(subject, senders, PEERS, LINE)
            });
        }
    }
}

/// From the first connection until the last one of `peers` was heard, of which `speakers`, the
/// last ones, say something.
fn arrive(hub: &mut Hub, peers: usize, speakers: usize) -> (Duration, Vec<TcpStream>) {
    let mut printed = vec![0; speakers * HELLO];
    let start = Instant::now();
    let mut streams = Vec::with_capacity(peers);
    for id in 0..peers {
        let mut stream = connect(hub.addr);
        if id >= peers - speakers {
            stream.write_all(&hello(id)).expect("say hello");
        }
        streams.push(stream);
    }
    hub.printed(&mut printed);
    let time = start.elapsed();
    let mut expected: Vec<_> = (peers - speakers..peers).map(hello).collect();
    let mut lines: Vec<&[u8]> = printed.chunks(HELLO).collect();
    // Whoever was heard first: the order is not promised.
    lines.sort_unstable();
    expected.sort_unstable();
    assert!(lines == expected, "somebody's line is missing, or wrong");
    (time, streams)
}

/// A new hub for each time, which one peer has tried already: what is done once does not count.
fn arrival(c: &mut Criterion, name: &str, subject: Subject, peers: usize, speakers: usize) {
    if !may_connect(subject, peers) {
        return;
    }
    let mut group = c.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(peers as u64));
    let label = format!("{peers} peers");
    group.bench_function(BenchmarkId::new(subject.name(), &label), |b| {
        b.iter_custom(|rounds| {
            (0..rounds)
                .map(|_| {
                    let mut hub = Hub::start(subject, Role::Gather);
                    let (_, _first) = arrive(&mut hub, 1, 1);
                    let before = hub.memory();
                    let (time, _streams) = arrive(&mut hub, peers, speakers);
                    if let (1, Some(before), Some(after)) = (speakers, before, hub.memory()) {
                        let each = after.saturating_sub(before) / peers as u64;
                        note_memory(format!("{}, {label}", subject.name()), each);
                    }
                    time
                })
                .sum()
        });
    });
    group.finish();
}

fn arrivals(c: &mut Criterion) {
    for subject in SUBJECTS {
        arrival(c, "hub/storm", subject, 1000, 1000);
    }
    for subject in SUBJECTS {
        arrival(c, "hub/arrival", subject, 1000, 1);
    }
    // As many threads are more than a machine may allow.
    arrival(c, "hub/arrival", Subject::Muxnc, 10_000, 1);
}

/// Bytes that an idle peer costs its hub. Of several measurements the largest: threads of this
/// process that ended leave memory to those that follow.
static MEMORY: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

fn note_memory(whose: String, each: u64) {
    let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let most = memory.entry(whose).or_default();
    *most = each.max(*most);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(10);
    targets = fan_out, encrypted, relay, arrivals
}

fn main() {
    let start = SystemTime::now();
    benches();
    Criterion::default().configure_from_args().final_summary();
    table::print_since(start);
    let memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    for (whose, each) in memory.iter() {
        println!("memory per idle peer ({whose}): {each} B");
    }
}
