//! The engine alone, no socket in sight: what a byte and a line cost from the operator to every
//! peer, and from a peer to the others and to the screen. Beside each the obvious way, as one
//! writes it with nothing but `std`: for the room, a buffer per peer into which everything is
//! copied.
//!
//! - `engine/append`: the operator says lines; nobody takes them yet, and that is not timed.
//! - `engine/flush`: lines are said, then everybody takes them: one is a class that keeps up, many
//!   are a burst between two turns of the loop. `1 % stalled`: but for some, who take nothing.
//! - `engine/relay`: peers say a line each, and everybody takes those of the others.
//! - `engine/lines`, `engine/escape`, `engine/crlf`: framing, escaping, line breaks.

#![allow(missing_docs, reason = "criterion's macros make public items")]

#[path = "support/table.rs"]
mod table;

use std::collections::VecDeque;
use std::hint::black_box;
use std::io::IoSlice;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;

use muxnc::engine::crlf::Crlf;
use muxnc::engine::escape::Escaper;
use muxnc::engine::lines::Lines;
use muxnc::engine::room::Policy;
use muxnc::engine::room::Room;

const LINE: &[u8] = b"The quick brown fox jumps over the lazy dog, and then once more\n";

/// What a text is long that is taken in at once: as much as a read brings.
const TEXT: usize = 64 * 1024;

/// What those who stall are behind when they catch up: less than makes the sources wait.
const BEHIND: usize = 512 * 1024;

fn volume(lines: usize) -> Throughput {
    Throughput::ElementsAndBytes {
        elements: lines as u64,
        bytes: (lines * LINE.len()) as u64,
    }
}

/// What both ways of fanning out have in common.
trait FanOut {
    const NAME: &str;

    fn with_peers(peers: usize, relay: bool) -> Self;

    /// The operator says it to everybody.
    fn say(&mut self, bytes: &[u8]);

    /// A peer says it to everybody else, and to the operator.
    fn relay(&mut self, peer: usize, bytes: &[u8]);

    /// The operator's screen takes what is shown, and returns how many bytes that were.
    fn show(&mut self) -> usize;

    /// Everybody but the first `stalled` takes what is owed; returns how many bytes that were.
    fn flush(&mut self, stalled: usize) -> usize;

    /// What one peer is owed, taken.
    fn heard(&mut self, peer: usize) -> Vec<u8>;
}

/// What was timed only counted bytes. Afterwards, with nobody owed anything, the peers say another
/// line each and the operator says one, and everybody must be given just that but for their own.
fn check<F: FanOut>(room: &mut F, peers: usize, speakers: usize) {
    let line = |peer: usize| format!("{peer} is still here\n").into_bytes();
    for peer in 0..speakers {
        room.relay(peer, &line(peer));
    }
    room.say(LINE);
    room.show();
    for peer in 0..peers {
        let others = (0..speakers).filter(|&other| other != peer);
        let mut expected: Vec<u8> = others.flat_map(line).collect();
        expected.extend_from_slice(LINE);
        assert!(room.heard(peer) == expected, "wrong bytes for peer {peer}");
    }
}

/// The room as the hub uses it, with nothing for a connection.
struct Journal {
    room: Room,
    keys: Vec<usize>,
    now: Instant,
}

impl FanOut for Journal {
    const NAME: &str = "muxnc";

    fn with_peers(peers: usize, relay: bool) -> Journal {
        let now = Instant::now();
        let mut room = Room::new(Policy {
            relay,
            ..Policy::PLAIN
        });
        let keys: Vec<usize> = (0..peers).collect();
        keys.iter().for_each(|&key| room.join(key, now));
        // A class that has begun: before anybody acknowledged a byte the room keeps what is said.
        room.heard_by(0);
        Journal { room, keys, now }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.room.typed(bytes, self.now);
    }

    fn relay(&mut self, peer: usize, bytes: &[u8]) {
        self.room.heard(self.keys[peer], bytes, self.now);
    }

    fn show(&mut self) -> usize {
        let mut shown = 0;
        while !self.room.screen().is_empty() {
            let count = black_box(self.room.screen().front()).len();
            self.room.screen_mut().consume(count);
            shown += count;
        }
        shown
    }

    fn flush(&mut self, stalled: usize) -> usize {
        let mut taken = 0;
        for &key in &self.keys[stalled..] {
            // One gathered write may not be all of it.
            while take_some(&mut self.room, key, self.now, |slice| taken += slice.len()) {}
        }
        taken
    }

    fn heard(&mut self, peer: usize) -> Vec<u8> {
        let mut heard = Vec::new();
        let key = self.keys[peer];
        while take_some(&mut self.room, key, self.now, |slice| {
            heard.extend_from_slice(slice);
        }) {}
        heard
    }
}

/// One gathered write that takes everything. Returns whether more is owed.
fn take_some(room: &mut Room, key: usize, now: Instant, mut take: impl FnMut(&[u8])) -> bool {
    let left = room.flush(key, now, |slices| {
        black_box(slices).iter().for_each(|slice| take(slice));
        Ok(slices.iter().map(|slice| slice.len()).sum())
    });
    left.expect("the sink cannot fail") > 0
}

/// A buffer per peer, and one for the screen.
struct Buffers {
    peers: Vec<VecDeque<u8>>,
    screen: VecDeque<u8>,
}

impl FanOut for Buffers {
    const NAME: &str = "a buffer per peer";

    fn with_peers(peers: usize, _relay: bool) -> Buffers {
        Buffers {
            peers: vec![VecDeque::new(); peers],
            screen: VecDeque::new(),
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        for buffer in &mut self.peers {
            buffer.extend(bytes);
        }
    }

    fn relay(&mut self, peer: usize, bytes: &[u8]) {
        self.screen.extend(bytes);
        for (i, buffer) in self.peers.iter_mut().enumerate() {
            if i != peer {
                buffer.extend(bytes);
            }
        }
    }

    fn show(&mut self) -> usize {
        take(&mut self.screen)
    }

    fn flush(&mut self, stalled: usize) -> usize {
        self.peers[stalled..].iter_mut().map(take).sum()
    }

    fn heard(&mut self, peer: usize) -> Vec<u8> {
        self.peers[peer].drain(..).collect()
    }
}

fn take(buffer: &mut VecDeque<u8>) -> usize {
    let (front, back) = buffer.as_slices();
    black_box([IoSlice::new(front), IoSlice::new(back)]);
    let count = buffer.len();
    buffer.clear();
    count
}

fn append<F: FanOut>(c: &mut Criterion, peers: usize) {
    // As many as a buffer for each of so many can hold.
    let burst = (4 * BEHIND / peers).clamp(TEXT / 8, BEHIND) / LINE.len();
    let mut group = c.benchmark_group("engine/append");
    group.throughput(volume(1));
    group.bench_function(BenchmarkId::new(F::NAME, format!("{peers} peers")), |b| {
        let mut room = F::with_peers(peers, false);
        b.iter_custom(|lines| {
            let mut time = Duration::ZERO;
            let mut left = lines as usize;
            while left > 0 {
                let count = left.min(burst);
                let start = Instant::now();
                for _ in 0..count {
                    room.say(black_box(LINE));
                }
                time += start.elapsed();
                let taken = room.flush(0);
                assert_eq!(taken, count * peers * LINE.len(), "bytes were lost");
                left -= count;
            }
            time
        });
        check(&mut room, peers, 0);
    });
    group.finish();
}

fn flush<F: FanOut>(c: &mut Criterion, peers: usize, lines: usize, stalled: usize) {
    let takers = peers - stalled;
    let mut group = c.benchmark_group(match stalled {
        0 => format!("engine/flush of {lines} line(s)"),
        _ => format!("engine/flush of {lines} line(s), 1 % stalled"),
    });
    group.throughput(volume(lines * takers));
    group.bench_function(BenchmarkId::new(F::NAME, format!("{peers} peers")), |b| {
        let mut room = F::with_peers(peers, false);
        let mut behind = 0;
        b.iter_custom(|rounds| {
            let mut time = Duration::ZERO;
            let mut left = rounds as usize;
            while left > 0 {
                let count = match stalled {
                    0 => left,
                    _ => left.min((BEHIND - behind).div_ceil(lines * LINE.len())),
                };
                let start = Instant::now();
                for _ in 0..count {
                    for _ in 0..lines {
                        room.say(black_box(LINE));
                    }
                    let taken = room.flush(stalled);
                    assert_eq!(taken, takers * lines * LINE.len(), "bytes were lost");
                }
                time += start.elapsed();
                left -= count;
                behind += count * lines * LINE.len();
                if stalled > 0 && behind >= BEHIND {
                    assert_eq!(room.flush(0), stalled * behind, "bytes were lost");
                    behind = 0;
                }
            }
            time
        });
        assert_eq!(room.flush(0), stalled * behind, "bytes were lost");
        check(&mut room, peers, 0);
    });
    group.finish();
}

fn relay<F: FanOut>(c: &mut Criterion, peers: usize, speakers: usize) {
    let lines = speakers * (peers - 1);
    let mut group = c.benchmark_group("engine/relay");
    group.throughput(volume(lines));
    let id = BenchmarkId::new(F::NAME, format!("{speakers} of {peers} peers"));
    group.bench_function(id, |b| {
        let mut room = F::with_peers(peers, true);
        b.iter(|| {
            for peer in 0..speakers {
                room.relay(peer, black_box(LINE));
            }
            assert_eq!(room.show(), speakers * LINE.len(), "bytes were not shown");
            assert_eq!(room.flush(0), lines * LINE.len(), "bytes were lost");
        });
        check(&mut room, peers, speakers);
    });
    group.finish();
}

fn room(c: &mut Criterion) {
    for peers in [1, 100, 10_000] {
        append::<Journal>(c, peers);
        append::<Buffers>(c, peers);
    }
    // Peers, lines, and how many stall.
    let turns = [
        (1, 1, 0),
        (100, 1, 0),
        (10_000, 1, 0),
        (1, 1000, 0),
        (100, 1000, 0),
        (100, 1, 1),
        (10_000, 1, 100),
    ];
    for (peers, lines, stalled) in turns {
        flush::<Journal>(c, peers, lines, stalled);
        flush::<Buffers>(c, peers, lines, stalled);
    }
    for (peers, speakers) in [(30, 1), (30, 30), (100, 100), (10_000, 1)] {
        relay::<Journal>(c, peers, speakers);
        relay::<Buffers>(c, peers, speakers);
    }
}

type Way<'a, S> = &'a dyn Fn(&[u8], &mut S);

/// A text that is transformed into another one, by the engine and in the obvious way.
fn transform<S>(
    c: &mut Criterion,
    group: &str,
    label: &str,
    text: &[u8],
    engine: impl Fn(&[u8], &mut S),
    plain: impl Fn(&[u8], &mut S),
    check: impl Fn(&S),
) where
    S: Default + Clear,
{
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::ElementsAndBytes {
        elements: text.split_inclusive(|&byte| byte == b'\n').count() as u64,
        bytes: text.len() as u64,
    });
    let ways: [(&str, Way<'_, S>); 2] = [("muxnc", &engine), ("plain std", &plain)];
    for (name, way) in ways {
        let mut out = S::default();
        group.bench_function(BenchmarkId::new(name, label), |b| {
            b.iter(|| {
                out.clear();
                way(black_box(text), &mut out);
                black_box(&out);
            });
            check(&out);
        });
    }
    group.finish();
}

/// What keeps its memory when it is emptied.
trait Clear {
    fn clear(&mut self);
}

impl Clear for String {
    fn clear(&mut self) {
        String::clear(self);
    }
}

impl Clear for Vec<u8> {
    fn clear(&mut self) {
        Vec::clear(self);
    }
}

/// Lines cut in pieces: as somebody types, as packets come, as large reads bring them.
fn lines(c: &mut Criterion) {
    let text = LINE.repeat(TEXT / LINE.len());
    for piece in [7, 1448, TEXT] {
        transform(
            c,
            "engine/lines",
            &format!("pieces of {piece} B"),
            &text,
            |text, out: &mut Vec<u8>| {
                let mut lines = Lines::default();
                for piece in text.chunks(piece) {
                    lines.feed(piece, false, |_| (), |whole| out.extend_from_slice(whole));
                }
            },
            |text, out| {
                let mut held = Vec::new();
                for piece in text.chunks(piece) {
                    held.extend_from_slice(piece);
                    if let Some(end) = held.iter().rposition(|&byte| byte == b'\n') {
                        out.extend(held.drain(..=end));
                    }
                }
            },
            |out| assert!(*out == text, "the lines are not those that were fed"),
        );
    }
}

/// What strangers send, made visible. `std` only makes it text, and obeys what is in it.
fn escape(c: &mut Criterion) {
    let plain = LINE.repeat(TEXT / LINE.len());
    let letters = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich, 日本語 ☃\n";
    let letters = letters.repeat(TEXT / letters.len()).into_bytes();
    let hostile = b"\x1b]0;pwned\x07\x1b[2J\x9b6n\xe2\x80\xaetxt\xff\xfe\rbad\x00\x7f\xf0\x9f\n";
    let hostile = hostile.repeat(TEXT / hostile.len());
    for (label, text) in [
        ("plain", &plain),
        ("letters", &letters),
        ("hostile", &hostile),
    ] {
        let lines = text.iter().filter(|&&byte| byte == b'\n').count();
        transform(
            c,
            "engine/escape",
            label,
            text,
            |text, out: &mut String| {
                let mut escaper = Escaper::default();
                escaper.escape(text, out);
                escaper.finish(out);
            },
            |text, out| out.push_str(&String::from_utf8_lossy(text)),
            |out| {
                let shown = out.bytes().filter(|&byte| byte == b'\n').count();
                assert_eq!(shown, lines, "lines were lost");
                if label != "hostile" {
                    assert!(out.as_bytes() == text, "harmless text was changed");
                }
            },
        );
    }
}

fn crlf(c: &mut Criterion) {
    let text = LINE.repeat(TEXT / LINE.len());
    let expected = String::from_utf8_lossy(&text).replace('\n', "\r\n");
    transform(
        c,
        "engine/crlf",
        "lines of 64 B",
        &text,
        |text, out: &mut Vec<u8>| Crlf::default().convert(text, out),
        |text, out| {
            for &byte in text {
                if byte == b'\n' {
                    out.push(b'\r');
                }
                out.push(byte);
            }
        },
        |out| assert!(out == expected.as_bytes(), "a line break is wrong"),
    );
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500))
        .sample_size(30);
    targets = room, lines, escape, crlf
}
fn main() {
    let start = SystemTime::now();
    benches();
    Criterion::default().configure_from_args().final_summary();
    table::print_since(start);
}
