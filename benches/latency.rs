//! How long a line is under way over loopback, from the hub's stdin or from a peer, until it is at
//! the first, the median and the last of its receivers: with the real binary, and with the plainest
//! hub that `std` makes beside it.
//!
//! Lines come on a schedule that waits for nobody, and each one's time counts from when it was due:
//! while a hub is stalled, every line that was due meanwhile counts its whole delay. So what
//! criterion shows as time is the mean until the last receiver; the percentiles are in the table at
//! the end.

#![allow(missing_docs, reason = "criterion's macros make public items")]

mod support;

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::SamplingMode;
use criterion::Throughput;
use criterion::criterion_group;
use hdrhistogram::Histogram;

use support::Role;
use support::Room;
use support::SUBJECTS;
use support::load::Latency;
use support::may_connect;
use support::table;

const LINE: usize = 64;

/// 200 lines each second: nobody is busy, and a line never waits for the one before.
const INTERVAL: Duration = Duration::from_millis(5);

/// What each bench saw, in microseconds.
static SEEN: Mutex<Vec<(String, Latency)>> = Mutex::new(Vec::new());

fn note(label: &str, latency: Latency) {
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((_, all)) = seen.iter_mut().find(|(known, _)| known == label) else {
        seen.push((label.to_owned(), latency));
        return;
    };
    let pairs = [
        (&mut all.first, latency.first),
        (&mut all.median, latency.median),
        (&mut all.last, latency.last),
    ];
    for (all, more) in pairs {
        all.add(more).expect("they have the same bounds");
    }
}

fn latency(c: &mut Criterion) {
    for from in ["stdin", "a peer"] {
        for receivers in [1, 30, 300] {
            for subject in SUBJECTS {
                if !may_connect(subject, receivers + 1) {
                    continue;
                }
                let name = subject.name();
                let mut group = c.benchmark_group(format!("latency/from {from}"));
                group.sampling_mode(SamplingMode::Flat);
                group.throughput(Throughput::Elements(receivers as u64));
                let label = format!("{name}, {from} to {receivers}");
                let mut room = None;
                group.bench_function(BenchmarkId::new(name, format!("to {receivers}")), |b| {
                    let room = room.get_or_insert_with(|| match from {
                        "stdin" => Room::fan_out(subject, Role::FanOut, receivers, LINE),
                        _ => Room::relay(subject, 1, receivers + 1, LINE),
                    });
                    b.iter_custom(|lines| {
                        let latency = room.paced(lines, INTERVAL);
                        assert_eq!(latency.last.len(), lines, "a line was not measured");
                        let micros = latency.last.mean() * lines as f64;
                        note(&label, latency);
                        Duration::from_secs_f64(micros / 1e6)
                    });
                });
                group.finish();
            }
        }
    }
}

criterion_group! {
    name = benches;
    // A thousand lines each, in the time that passes and not in that of the lines.
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .sample_size(10);
    targets = latency
}

fn row(histogram: &Histogram<u64>) -> String {
    let mut row = String::new();
    for quantile in [0.5, 0.9, 0.99, 0.999] {
        let _ = write!(row, "{:>7}", histogram.value_at_quantile(quantile));
    }
    let _ = write!(row, "{:>8}", histogram.max());
    row
}

fn main() {
    let start = SystemTime::now();
    benches();
    Criterion::default().configure_from_args().final_summary();
    table::print_since(start);
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.is_empty() {
        return;
    }
    println!("until a line is there, in µs        p50    p90    p99  p99.9     max   lines");
    for (label, latency) in seen.iter() {
        let receivers = [
            ("first", &latency.first),
            ("median", &latency.median),
            ("last", &latency.last),
        ];
        for (which, histogram) in receivers {
            println!(
                "{label:<24} {which:<7}{}{:>8}",
                row(histogram),
                histogram.len()
            );
        }
    }
}
