//! The whole hub without sockets: the real steps of a turn, over streams that no kernel has.
//!
//! Everything random comes from one seed: who connects, what is said and in which pieces, what the
//! network delays, who reads slowly or not at all, breaks off or half-closes, what the operator does,
//! and the time. After every schedule all that is still under way is let arrive, so that whatever
//! was forgotten is missed. The specification (`spec.rs`) is one plain buffer per peer.
//!
//! ```text
//! SEEDS=100000 cargo test --release --test simulation    # a longer run
//! SEED=17 cargo test --test simulation relay             # one schedule again
//! ```

#[path = "../support/chance.rs"]
mod chance;
mod hub;
mod spec;
mod wire;

use std::env;
use std::thread;

use muxnc::engine::room::SlowPeer;

use chance::Chance;
use hub::Hub;

/// Schedules per test, if `SEEDS` does not say.
const SEEDS: u64 = 1000;

/// What kind of hub it is; the rest is left to chance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode {
    relay: bool,
    chat: bool,
    slow: SlowPeer,
}

#[test]
fn broadcast() {
    simulate(Mode {
        relay: false,
        chat: false,
        slow: SlowPeer::Wait,
    });
}

#[test]
fn relay() {
    simulate(Mode {
        relay: true,
        chat: false,
        slow: SlowPeer::Wait,
    });
}

#[test]
fn chat() {
    simulate(Mode {
        relay: true,
        chat: true,
        slow: SlowPeer::Wait,
    });
}

#[test]
fn live_stream() {
    simulate(Mode {
        relay: false,
        chat: false,
        slow: SlowPeer::Disconnect,
    });
}

#[test]
fn live_relay() {
    simulate(Mode {
        relay: true,
        chat: false,
        slow: SlowPeer::Disconnect,
    });
}

fn simulate(mode: Mode) {
    let number = |name| {
        let value = env::var(name).ok()?;
        Some(value.parse::<u64>().expect("a number"))
    };
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    };
    let (mut turns, mut bytes) = (0, 0);
    for seed in seeds.clone() {
        let _report = Report(seed);
        let ended = Hub::run(seed, mode);
        turns += ended.turns;
        bytes += ended.bytes;
    }
    let count = seeds.end - seeds.start;
    println!("{mode:?}: {count} schedules, {turns} turns, {bytes} bytes delivered");
    assert!(bytes > 1000 * count, "hardly anything was delivered");
}

/// Tells which schedule it was, if it fails.
struct Report(u64);

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
