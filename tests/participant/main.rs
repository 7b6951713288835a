//! The whole participant without a kernel: its very core, over a world that is a model.
//!
//! Everything random comes from one seed: what stdin and stdout are, how fast whoever writes and reads
//! them is, what the other side sends and takes, when acknowledgements come, who ends, breaks off or
//! leaves first, the options, and the time. Each turn is held against what has to be so, and the end
//! against what was promised.
//!
//! ```text
//! SEEDS=1000000 cargo test --release --test participant    # a longer run
//! SEED=17 cargo test --test participant stream             # one schedule again
//! ```

#[path = "../support/chance.rs"]
mod chance;
mod kernel;
mod schedule;
mod world;

use std::env;
use std::thread;

use muxnc::io::device::Kind;

use chance::Chance;
use schedule::Ended;
use schedule::Schedule;

/// Schedules per test, if `SEEDS` does not say.
const SEEDS: u64 = 5000;

#[test]
fn stream() {
    simulate(Kind::Pipe);
}

#[test]
fn file() {
    simulate(Kind::File);
}

#[test]
fn terminal() {
    simulate(Kind::Terminal);
}

#[test]
fn socket() {
    simulate(Kind::Socket);
}

fn simulate(stdin: Kind) {
    let number = |name| {
        let value = env::var(name).ok()?;
        Some(value.parse::<u64>().expect("a number"))
    };
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    };
    let mut ends = [0; 4];
    let single = number("SEED").is_some();
    for seed in seeds.clone() {
        let _report = Report(seed);
        let ended = Schedule::run(seed, stdin);
        ends[ended as usize] += 1;
    }
    println!(
        "{stdin:?}: {} schedules: {} done, {} short, {} whose output was closed, {} still open",
        seeds.end - seeds.start,
        ends[Ended::Done as usize],
        ends[Ended::Short as usize],
        ends[Ended::Unread as usize],
        ends[Ended::Open as usize],
    );
    let rarest = (seeds.end - seeds.start) / 500;
    assert!(
        single || ends.iter().all(|&count| count >= rarest),
        "{ends:?}"
    );
}

/// Tells which schedule it was, if it fails.
struct Report(u64);

impl Drop for Report {
    fn drop(&mut self) {
        if thread::panicking() {
            let name = thread::current().name().map(String::from);
            let (name, seed) = (name.unwrap_or_default(), self.0);
            eprintln!("again: SEED={seed} cargo test --test participant -- --exact {name}");
        }
    }
}

impl Chance {
    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// From 1 to `most`: every order of magnitude is as likely.
    fn up_to(&mut self, most: usize) -> u64 {
        let bound = 1 << (self.below(most.ilog2() as usize + 1) + 1);
        1 + self.below(bound.min(most)) as u64
    }
}
