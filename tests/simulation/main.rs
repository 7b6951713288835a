//! The whole hub without a kernel: its very core, over a world that is a model.
//!
//! Everything random comes from one seed: who connects, what is said and in which pieces, what the
//! network delays, what is acknowledged and when, who reads slowly or not at all, breaks off,
//! half-closes or vanishes, when stdin ends, the options, and the time. What the core did in a turn is
//! held against the specification (`spec.rs`: one plain buffer per member) when the turn is over
//! (`replay.rs`). After every schedule all that is still under way is let arrive, so that whatever was
//! forgotten is missed.
//!
//! ```text
//! SEEDS=100000 cargo test --release --test simulation    # a longer run
//! SEED=17 cargo test --test simulation relay             # one schedule again
//! ```

mod answers;
#[path = "../support/chance.rs"]
mod chance;
#[cfg(feature = "bus")]
mod class;
#[cfg(feature = "web")]
mod downloads;
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared by test files, none of which uses all of it"
)]
#[path = "../support/folder.rs"]
mod folder;
mod hub;
mod notices;
mod once;
mod participant;
mod replay;
mod rule;
mod spec;
mod terms;
#[cfg(feature = "web")]
mod web;
mod wire;
mod world;

use std::collections::BTreeMap;
use std::env;
use std::ops::Range;
use std::thread;

use muxnc::engine::room::SlowPeer;

use chance::Chance;
use hub::Hub;

/// Schedules per test, if `SEEDS` does not say.
const SEEDS: u64 = 1500;

/// What kind of hub it is; the rest is left to chance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode {
    relay: bool,
    chat: bool,
    slow: SlowPeer,
    /// What is said is one whole: `--wait-for`, or a file.
    is_whole: bool,
}

#[test]
fn broadcast() {
    simulate(Mode {
        relay: false,
        chat: false,
        slow: SlowPeer::Wait,
        is_whole: false,
    });
}

#[test]
fn relay() {
    simulate(Mode {
        relay: true,
        chat: false,
        slow: SlowPeer::Wait,
        is_whole: false,
    });
}

#[test]
fn chat() {
    simulate(Mode {
        relay: true,
        chat: true,
        slow: SlowPeer::Wait,
        is_whole: false,
    });
}

/// As after `/relay off`.
#[test]
fn quiet_chat() {
    simulate(Mode {
        relay: false,
        chat: true,
        slow: SlowPeer::Wait,
        is_whole: false,
    });
}

#[test]
fn live_stream() {
    simulate(Mode {
        relay: false,
        chat: false,
        slow: SlowPeer::Disconnect,
        is_whole: false,
    });
}

#[test]
fn live_relay() {
    simulate(Mode {
        relay: true,
        chat: false,
        slow: SlowPeer::Disconnect,
        is_whole: false,
    });
}

#[test]
fn transfer() {
    simulate(Mode {
        relay: false,
        chat: false,
        slow: SlowPeer::Wait,
        is_whole: true,
    });
}

#[test]
fn relayed_transfer() {
    simulate(Mode {
        relay: true,
        chat: false,
        slow: SlowPeer::Wait,
        is_whole: true,
    });
}

#[test]
fn once() {
    let (mut bytes, mut failed) = (0, 0);
    let seeds = seeds(SEEDS);
    for seed in seeds.clone() {
        let _report = Report::new(seed);
        let ended = once::Once::run(seed);
        bytes += ended.bytes;
        failed += ended.failed;
    }
    let count = seeds.end - seeds.start;
    println!("once: {count} schedules, {bytes} bytes handed over after {failed} came to nothing");
    if count > 1 {
        assert!(bytes > 0, "nobody had said anything");
        assert!(failed as u64 > count, "hardly anybody came to nothing");
    }
}

#[cfg(feature = "web")]
#[test]
fn web_relay() {
    simulate_web(Mode {
        relay: true,
        chat: false,
        slow: SlowPeer::Wait,
        is_whole: false,
    });
}

#[cfg(feature = "web")]
#[test]
fn web_chat() {
    simulate_web(Mode {
        relay: true,
        chat: true,
        slow: SlowPeer::Wait,
        is_whole: false,
    });
}

#[cfg(feature = "web")]
#[test]
fn downloads() {
    let seeds = seeds(SEEDS);
    let mut sum = downloads::Ended::default();
    for seed in seeds.clone() {
        let _report = Report::new(seed);
        sum.add(&downloads::Shop::run(seed));
    }
    println!("downloads: {} schedules, {sum:?}", seeds.end - seeds.start);
    if seeds.end - seeds.start > 100 {
        let all = [sum.whole, sum.resumed, sum.cut, sum.full, sum.named];
        assert!(all.iter().all(|&count| count > 20), "{sum:?}");
    }
}

/// A schedule has several hubs, so there are fewer of them.
#[cfg(feature = "bus")]
#[test]
fn joined() {
    let seeds = seeds(SEEDS / 10);
    let mut sum = class::Ended::default();
    for seed in seeds.clone() {
        let _report = Report::new(seed);
        sum.add(&class::Class::run(seed));
    }
    let count = (seeds.end - seeds.start) as usize;
    println!("joined: {count} schedules, {sum:?}");
    if count > 100 {
        assert!(sum.heard > 100 * count, "hardly anything was heard");
        let was_bad = sum.broke > count && sum.repeats > 0;
        assert!(was_bad, "hardly anything broke");
    }
}

/// A hub whose server has stopped goes on delivering until the end of `-q` at the latest, but for a moment; and for a
/// moment only where it is told to end, or where nobody lacks a line.
#[cfg(feature = "bus")]
#[test]
fn who_leaves_a_class_keeps_to_q() {
    use class::Leaving;
    let second = std::time::Duration::from_secs(1);
    let with = |seconds| Leaving {
        quit_after: Some(seconds * second),
        speaks: true,
        ..Leaving::default()
    };
    let (moment, most) = (second / 2, 5 * second);
    let kept = [
        (with(2), 2 * second),
        (with(60), most),
        (
            Leaving {
                quit_after: None,
                ..with(0)
            },
            most,
        ),
        (
            Leaving {
                later: second,
                ..with(3)
            },
            2 * second,
        ),
        (
            Leaving {
                later: 4 * second,
                ..with(3)
            },
            moment,
        ),
        (
            Leaving {
                quits: true,
                ..with(3)
            },
            moment,
        ),
        (
            Leaving {
                is_cut: true,
                ..with(3)
            },
            moment,
        ),
    ];
    for (how, wanted) in kept {
        assert_eq!(class::Class::leave(&how), (wanted, 1), "{how:?}");
        let silent = Leaving {
            speaks: false,
            ..how
        };
        let (waited, lines) = class::Class::leave(&silent);
        assert!(waited <= moment && lines == 0, "{silent:?}: {waited:?}");
    }
}

#[cfg(feature = "web")]
fn simulate_web(mode: Mode) {
    let seeds = seeds(SEEDS);
    let mut sum = web::Ended::default();
    for seed in seeds.clone() {
        let _report = Report::new(seed);
        sum.add(&web::Class::run(seed, mode));
    }
    println!("{mode:?}: {} schedules, {sum:?}", seeds.end - seeds.start);
    if seeds.end - seeds.start > 100 {
        assert!(
            sum.returned > 100 && sum.anew > 10 && sum.missed > 0 && sum.refused > 100,
            "{sum:?}"
        );
    }
}

fn simulate(mode: Mode) {
    let seeds = seeds(SEEDS);
    let (mut turns, mut bytes) = (0, 0);
    let mut ends = BTreeMap::new();
    for seed in seeds.clone() {
        let _report = Report::new(seed);
        let ended = Hub::run(seed, mode);
        turns += ended.turns;
        bytes += ended.bytes;
        *ends.entry(ended.how).or_insert(0) += 1;
    }
    let count = seeds.end - seeds.start;
    println!("{mode:?}: {count} schedules, {turns} turns, {bytes} bytes delivered; {ends:?}");
    assert!(
        count == 1 || bytes > 1000 * count,
        "hardly anything was delivered"
    );
}

/// Tells which schedule it was, if it fails.
struct Report(u64);

impl Report {
    fn new(seed: u64) -> Report {
        notices::begin();
        Report(seed)
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if thread::panicking() {
            let name = thread::current().name().map(String::from);
            let name = name.unwrap_or_default();
            let seed = self.0;
            eprintln!("again: SEED={seed} cargo test --test simulation -- --exact {name}");
        }
    }
}

impl Chance {
    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// From 1 to `most`, and mostly far less: every order of magnitude is as likely.
    fn up_to(&mut self, most: usize) -> usize {
        let magnitude = most.ilog2() as usize + 1;
        let bound = 1 << (self.below(magnitude) + 1);
        1 + self.below(bound.min(most))
    }
}

/// Which schedules are run.
fn seeds(usual: u64) -> Range<u64> {
    let number = |name| {
        let value = env::var(name).ok()?;
        Some(value.parse::<u64>().expect("a number"))
    };
    match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(usual),
    }
}
