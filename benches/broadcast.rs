//! The engine alone: what a line costs from the operator to every peer, no socket in sight. Beside
//! it the obvious way, a buffer per peer into which every line is copied.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::collections::VecDeque;
use std::hint::black_box;
use std::io::IoSlice;
use std::time::Duration;
use std::time::Instant;

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;

use muxnc::engine::room::Label;
use muxnc::engine::room::Policy;
use muxnc::engine::room::Room;
use muxnc::engine::room::SlowPeer;
use muxnc::engine::screen::Surface;

const LINE: &[u8] = b"The quick brown fox jumps over the lazy dog, and then once more\n";

/// What both ways of fanning out have in common: one call says a line to everybody, the other
/// hands everybody what is owed and returns how many bytes that were.
trait FanOut {
    fn with_peers(peers: usize) -> Self;
    fn say(&mut self, bytes: &[u8]);
    fn flush(&mut self) -> usize;
}

/// The room as the hub uses it, with nothing for a connection.
struct Journal {
    room: Room<()>,
    keys: Vec<usize>,
    now: Instant,
}

impl FanOut for Journal {
    fn with_peers(peers: usize) -> Journal {
        let now = Instant::now();
        let mut room = Room::new(Policy {
            relay: false,
            slow: SlowPeer::Wait,
            stall_timeout: Duration::from_secs(10),
            surface: Surface::Stream,
            label: Label::Never,
            color: false,
        });
        let keys = (0..peers).map(|_| room.join((), now)).collect();
        Journal { room, keys, now }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.room.typed(bytes, self.now);
    }

    fn flush(&mut self) -> usize {
        let mut taken = 0;
        for &key in &self.keys {
            let left = self.room.flush(key, self.now, |(), slices| {
                let count = slices.iter().map(|slice| slice.len()).sum();
                black_box(slices);
                taken += count;
                Ok(count)
            });
            assert_eq!(
                left.expect("the sink cannot fail"),
                0,
                "owed more than a gather"
            );
        }
        taken
    }
}

/// A buffer per peer.
struct Buffers(Vec<VecDeque<u8>>);

impl FanOut for Buffers {
    fn with_peers(peers: usize) -> Buffers {
        Buffers(vec![VecDeque::new(); peers])
    }

    fn say(&mut self, bytes: &[u8]) {
        for buffer in &mut self.0 {
            buffer.extend(bytes);
        }
    }

    fn flush(&mut self) -> usize {
        let mut taken = 0;
        for buffer in &mut self.0 {
            let (front, back) = buffer.as_slices();
            black_box([IoSlice::new(front), IoSlice::new(back)]);
            taken += buffer.len();
            buffer.clear();
        }
        taken
    }
}

/// `lines` lines are said, then everybody takes them: one is a class that keeps up, many are a
/// burst between two turns of the loop.
fn deliver<F: FanOut>(c: &mut Criterion, name: &str, peers: usize, lines: usize) {
    let mut fan_out = F::with_peers(peers);
    let expected = peers * lines * LINE.len();
    let mut group = c.benchmark_group(format!("broadcast/{lines} line(s)"));
    group.throughput(Throughput::Bytes(expected as u64));
    group.bench_function(BenchmarkId::new(name, format!("{peers} peers")), |b| {
        b.iter(|| {
            for _ in 0..lines {
                fan_out.say(black_box(LINE));
            }
            assert_eq!(
                fan_out.flush(),
                expected,
                "somebody got too little or too much"
            );
        });
    });
    group.finish();
}

fn broadcast(c: &mut Criterion) {
    for (peers, lines) in [(1, 1), (100, 1), (10_000, 1), (1, 1000), (100, 1000)] {
        deliver::<Journal>(c, "journal", peers, lines);
        deliver::<Buffers>(c, "a buffer per peer", peers, lines);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50);
    targets = broadcast
}
criterion_main!(benches);
