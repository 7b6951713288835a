//! The dimensions of the matrix, and which of their combinations are tried: all that match a
//! pattern, or few in which every two (three, …) values occur together.
//!
//! It promises: the choice is the same each time, for the same seed.

use std::collections::BTreeSet;
use std::fmt;

use crate::chance::Chance;

/// A dimension: an enum whose values have names.
macro_rules! dimension {
    ($(#[$about:meta])* $name:ident { $($(#[$of:meta])* $value:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $($(#[$of])* $value,)* }

        impl $name {
            const ALL: &[$name] = &[$($name::$value,)*];
            const NAMES: &[&str] = &[$($text,)*];
        }
    };
}

dimension! {
    /// What stdin is.
    Stdin {
        /// A regular file of several megabytes.
        File = "file",
        /// A pipe that gives as much without a pause.
        Pipe = "pipe",
        /// The same, silent for 0.7 s before its first byte and in the middle.
        Pausing = "pipe-pauses",
        /// A FIFO whose writer leaves when the next one has come.
        Fifo = "fifo",
        /// A FIFO whose only writer has come and gone before anybody reads; what it said is there.
        FifoLeft = "fifo-left",
        /// `</dev/null`
        Null = "null",
        /// `<&-`
        Closed = "closed",
        /// A socket.
        Socket = "socket",
        /// A terminal with lines that were typed, and Ctrl-D.
        Typed = "typed",
        /// The same without Ctrl-D: somebody still sits there.
        Sitting = "sitting",
        /// A pipe that ends at once.
        Empty = "pipe-empty",
    }
}

dimension! {
    /// What stdout is.
    Stdout {
        Pipe = "pipe",
        File = "file",
        Null = "null",
        /// A pipe that is read slowly.
        Slow = "slow",
        /// A pipe of which a little is read before it is closed.
        Early = "early",
        /// A pipe that nobody has ever read.
        Gone = "gone",
        /// `>&-`
        Closed = "closed",
        /// `>/dev/full`
        Full = "full",
    }
}

dimension! {
    /// What carries the bytes.
    Transport {
        Tcp = "tcp",
        Tls = "tls",
        Unix = "unix",
        Socks = "socks",
        Http = "http",
    }
}

dimension! {
    /// What the other side does. Whoever says something says it first, but for the first and the
    /// echo.
    Server {
        /// Reads to our end, answers, closes.
        ReadsAll = "reads-all",
        /// Ends its side at once and reads slowly.
        HalfSlow = "half-slow",
        /// Ends its side at once and begins to read late.
        HalfLate = "half-late",
        /// Reads a little and resets.
        Resets = "resets",
        /// Reads a little and closes when there is more to read.
        ClosesUnread = "closes-unread",
        /// Neither reads, nor says anything, nor closes.
        NeverReads = "never-reads",
        /// Says several megabytes and closes, without reading.
        SaysMuch = "says-much",
        /// Says what it hears, to our end, and closes.
        Echoes = "echoes",
        /// Ends its side at once, reads everything, and never closes.
        HalfStays = "half-stays",
    }
}

dimension! {
    /// What muxnc is told.
    Opt {
        None = "none",
        HalfClose = "-N",
        NoShutdown = "--no-shutdown",
        Quit = "-q",
        Idle = "-i",
        SendOnly = "--send-only",
        RecvOnly = "--recv-only",
        /// muxnc listens, and the other side connects.
        Once = "--once",
        Crlf = "-C",
        Record = "-o",
        /// `-o /dev/full`
        RecordFull = "-o/dev/full",
    }
}

/// The names of each dimension's values, in the order of a case's name.
const NAMES: [&[&str]; 5] = [
    Stdin::NAMES,
    Stdout::NAMES,
    Transport::NAMES,
    Server::NAMES,
    Opt::NAMES,
];

/// What each dimension is called in the table.
pub(crate) const DIMENSIONS: [&str; 5] = ["stdin", "stdout", "transport", "server", "options"];

/// A combination: the number of a value in each dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case([u8; 5]);

impl Case {
    pub(crate) fn stdin(self) -> Stdin {
        Stdin::ALL[usize::from(self.0[0])]
    }

    pub(crate) fn stdout(self) -> Stdout {
        Stdout::ALL[usize::from(self.0[1])]
    }

    pub(crate) fn transport(self) -> Transport {
        Transport::ALL[usize::from(self.0[2])]
    }

    pub(crate) fn server(self) -> Server {
        Server::ALL[usize::from(self.0[3])]
    }

    pub(crate) fn opt(self) -> Opt {
        Opt::ALL[usize::from(self.0[4])]
    }

    /// The name of its value in a dimension.
    pub(crate) fn value(self, dimension: usize) -> &'static str {
        NAMES[dimension][usize::from(self.0[dimension])]
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<&str> = (0..5).map(|dimension| self.value(dimension)).collect();
        f.write_str(&values.join(","))
    }
}

/// Stands for a value that is not chosen yet.
const OPEN: u8 = u8::MAX;

/// Whether such a combination exists, as far as it is chosen: a listener has no proxy, and without
/// TLS there is none.
fn exists(chosen: [u8; 5]) -> bool {
    let is = |dimension: usize, name: &str| {
        NAMES[dimension].get(usize::from(chosen[dimension])) == Some(&name)
    };
    let proxied = is(2, "socks") || is(2, "http");
    let built = cfg!(feature = "tls") || !is(2, "tls");
    built && !(proxied && is(4, "--once"))
}

/// Every combination that there is and that matches: five names, or `*` for any.
pub(crate) fn matching(pattern: &str) -> Vec<Case> {
    let wanted: Vec<&str> = pattern.split(',').collect();
    assert_eq!(wanted.len(), 5, "five values, as {DIMENSIONS:?}: {pattern}");
    for (names, want) in NAMES.iter().zip(&wanted) {
        let known = *want == "*" || names.contains(want);
        assert!(known, "{want} is none of {names:?}");
    }
    let mut chosen = vec![[OPEN; 5]];
    for (dimension, names) in NAMES.iter().enumerate() {
        let fits = |value: &u8| ["*", names[usize::from(*value)]].contains(&wanted[dimension]);
        let values: Vec<u8> = (0..names.len() as u8).filter(fits).collect();
        let longer = chosen.iter().flat_map(|begun| {
            values.iter().map(move |&value| {
                let mut begun = *begun;
                begun[dimension] = value;
                begun
            })
        });
        chosen = longer.filter(|chosen| exists(*chosen)).collect();
    }
    chosen.into_iter().map(Case).collect()
}

/// Few combinations in which every `strength` values of different dimensions that can occur
/// together do.
pub(crate) fn covering(strength: u32, seed: u64) -> Vec<Case> {
    let all = matching("*,*,*,*,*");
    if strength >= 5 {
        return all;
    }
    let masks: Vec<u8> = (0..32)
        .filter(|m: &u8| m.count_ones() == strength)
        .collect();
    // The values of these dimensions alone.
    let part = |case: [u8; 5], mask: u8| -> [u8; 5] {
        std::array::from_fn(|d| if mask >> d & 1 == 1 { case[d] } else { OPEN })
    };
    let mut missing: BTreeSet<[u8; 5]> = BTreeSet::new();
    for case in &all {
        missing.extend(masks.iter().map(|&mask| part(case.0, mask)));
    }
    let mut chance = Chance(seed);
    let mut cases = Vec::new();
    while let Some(&begun) = missing.first() {
        let mut case = begun;
        for dimension in 0..5 {
            if case[dimension] != OPEN {
                continue;
            }
            let with = |value: u8| {
                let mut with = case;
                with[dimension] = value;
                with
            };
            let values = (0..NAMES[dimension].len() as u8).map(with);
            // The one that brings most that is missing; of equals, any.
            case = values
                .filter(|with| exists(*with))
                .max_by_key(|with| {
                    let news = masks.iter().map(|&mask| part(*with, mask));
                    let news = news.filter(|part| missing.contains(part)).count();
                    (news, chance.next())
                })
                .expect("some value fits");
        }
        for &mask in &masks {
            missing.remove(&part(case, mask));
        }
        cases.push(Case(case));
    }
    cases
}

#[test]
fn every_two_values_that_can_occur_together_do() {
    let cases = covering(2, 1);
    let all = matching("*,*,*,*,*");
    assert!(cases.len() < 200, "{}", cases.len());
    for one in 0..5 {
        for other in one + 1..5 {
            let pairs = |cases: &[Case]| -> BTreeSet<(u8, u8)> {
                cases.iter().map(|c| (c.0[one], c.0[other])).collect()
            };
            assert_eq!(pairs(&cases), pairs(&all));
        }
    }
    assert_eq!(covering(2, 1), cases, "not the same a second time");
}
