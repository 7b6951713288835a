//! The whole participant without a kernel: its very core, over a world that is a model.
//!
//! Everything random comes from one seed: what stdin and stdout are, how fast whoever writes and reads
//! them is, what the other side sends and takes, when acknowledgements come, who ends, breaks off or
//! leaves first, the options, and the time. Each turn is held against what has to be so, and the end
//! against what was promised.
//!
//! ```text
//! SEEDS=1000000 cargo test --release --test simulation participant::    # a longer run
//! SEED=17 cargo test --test simulation participant::stream           # one schedule again
//! ```

mod kernel;
mod schedule;
mod world;

use muxnc::io::device::Kind;

use crate::Report;
use crate::seeds;

use self::schedule::Ended;
use self::schedule::Schedule;

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

/// `-q` ends a wait for the other side's end, and not one for its own stdout: whichever way its bytes go there.
#[test]
fn what_a_stuck_pipe_does_not_take_is_missing_and_an_end_needs_no_room() {
    const ROOM: u64 = 20_000;
    for seed in 0..20 {
        for digest in [false, true] {
            for (sent, expected) in [
                (0, Ended::Done),
                (ROOM, Ended::Done),
                (ROOM + 1, Ended::Short),
                (2 * ROOM, Ended::Short),
            ] {
                let ended = Schedule::of_a_stuck_pipe(seed, sent, ROOM, digest);
                assert_eq!(
                    ended, expected,
                    "{sent} of {ROOM}, digest: {digest}, {seed}"
                );
            }
        }
    }
}

fn simulate(stdin: Kind) {
    let seeds = seeds(SEEDS);
    let mut ends = [0; 4];
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
    let count = seeds.end - seeds.start;
    let rarest = count / 500;
    assert!(
        count == 1 || ends.iter().all(|&count| count >= rarest),
        "{ends:?}"
    );
}
