//! Members that did not get all that was promised to them.
//!
//! A receiver that leaves in the middle of a transfer may have everything that was said until then.
//! How much it lacks is known when the operator has said the last word, so it is remembered until
//! then how much had been said.
//!
//! It promises: a receiver that lacks a byte is named, or counted, with the number of bytes; so is one
//! that has all that was read of an input whose end is not known, and one that has all of them, if that
//! is asked for.

use std::fmt;

use crate::engine::names::default_name;
use crate::engine::record::Who;
use crate::engine::room::Account;
use crate::io::addr::Addr;

/// So many of the members that did not get everything are named.
const NAMED: usize = 20;

/// So many of those that did: a lecture's.
const NAMED_WHOLE: usize = 300;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Shortfall {
    left: Vec<Leaver>,
}

/// A member's number, name and address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    number: u32,
    addr: String,
    name: Option<Box<str>>,
}

impl Receiver {
    /// The member of that account, at that address.
    pub(super) fn of(account: &Account, addr: &Addr) -> Receiver {
        Receiver {
            number: account.number,
            addr: addr.to_string(),
            name: account.name().map(Box::from),
        }
    }

    /// The same for a record.
    pub fn who(&self) -> Who<'_> {
        Who {
            number: self.number,
            addr: &self.addr,
            name: self.name.as_deref(),
        }
    }
}

impl fmt::Display for Receiver {
    /// Its number, its name and its address, as it is told.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, addr) = (self.number, &self.addr);
        match &self.name {
            // `user7` says no more than the number.
            Some(name) if **name != default_name(number) => write!(out, "[{number}] {name} {addr}"),
            _ => write!(out, "[{number}] {addr}"),
        }
    }
}

/// A receiver that left.
#[derive(Debug)]
struct Leaver {
    who: Receiver,
    /// Bytes that it had not acknowledged.
    missing: u64,
    /// Bytes that the operator had said by then.
    said: u64,
}

impl Leaver {
    /// Bytes it lacks after the operator said so many.
    fn lacks(&self, said: u64) -> u64 {
        self.missing + said.saturating_sub(self.said)
    }
}

/// What the operator had still to say when it was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsaid {
    /// Nothing: what was said is all there is.
    Nothing,
    /// So many bytes of a file.
    Bytes(u64),
    /// The number of bytes is not known.
    Unknown,
}

/// What each receiver lacks, in the end.
#[derive(Debug, Default)]
pub struct Settled {
    /// A line for each of the first twenty, and one for the others.
    pub lines: Vec<String>,
    /// Bytes that each lacks.
    pub missing: Vec<u64>,
    /// The same for members that have everything.
    pub whole: Vec<String>,
    /// How many have.
    pub complete: usize,
    /// Of how many bytes, as far as is known.
    pub bytes: u64,
    /// All of them, and how many bytes each lacks.
    pub receivers: Vec<(Receiver, u64)>,
}

impl Shortfall {
    /// A receiver left without `missing` bytes, when the operator had said `said`.
    pub(super) fn add(&mut self, who: Receiver, missing: u64, said: u64) {
        self.left.push(Leaver { who, missing, said });
    }

    /// How many lack something after the operator said so many bytes.
    pub(super) fn count(&self, said: u64) -> usize {
        let left = self.left.iter();
        left.filter(|leaver| leaver.lacks(said) > 0).count()
    }

    /// What each receiver lacks after the operator said so many bytes of the whole.
    pub(super) fn settle(&self, said: u64, unsaid: Unsaid) -> Settled {
        let mut settled = Settled::default();
        let mut short = 0;
        let (said, so_far) = match unsaid {
            Unsaid::Nothing => (said, ""),
            Unsaid::Bytes(unsaid) => (said + unsaid, ""),
            Unsaid::Unknown => (said, " that were read of the input, and nothing after them"),
        };
        settled.bytes = said;
        for leaver in &self.left {
            let lacks = leaver.lacks(said);
            settled.receivers.push((leaver.who.clone(), lacks));
            // Who has all that was read of an input that broke off has not all of it.
            if lacks == 0 && unsaid != Unsaid::Unknown {
                settled.complete += 1;
                if settled.complete <= NAMED_WHOLE {
                    let line = format!("{} has all of the {said} bytes", leaver.who);
                    settled.whole.push(line);
                }
                continue;
            }
            if lacks > 0 {
                settled.missing.push(lacks);
            }
            short += 1;
            if short <= NAMED {
                // It is owed the words of other members as well, and TLS adds to the count.
                let of = match lacks <= said {
                    true => format!("{lacks} of {said}"),
                    false => lacks.to_string(),
                };
                let line = match lacks {
                    0 => format!("{} has all of the {said} bytes{so_far}", leaver.who),
                    _ => format!("{} did not get the last {of} bytes{so_far}", leaver.who),
                };
                settled.lines.push(line);
            }
        }
        let unnamed = short - short.min(NAMED);
        if unnamed > 0 {
            let line = format!("{unnamed} more did not get everything");
            settled.lines.push(line);
        }
        if settled.complete > NAMED_WHOLE {
            let line = format!("{} more have everything", settled.complete - NAMED_WHOLE);
            settled.whole.push(line);
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(number: u32) -> Receiver {
        Receiver {
            number,
            addr: String::from("a"),
            name: None,
        }
    }

    #[test]
    fn what_was_not_said_yet_is_missing_too() {
        let mut shortfall = Shortfall::default();
        shortfall.add(receiver(1), 0, 100);
        shortfall.add(receiver(2), 7, 90);
        let settled = shortfall.settle(100, Unsaid::Bytes(900));
        assert_eq!(
            settled.lines,
            [
                "[1] a did not get the last 900 of 1000 bytes",
                "[2] a did not get the last 917 of 1000 bytes",
            ]
        );
        assert_eq!(settled.missing, [900, 917]);
        let settled = shortfall.settle(100, Unsaid::Unknown);
        let rest = "that were read of the input, and nothing after them";
        assert_eq!(
            settled.lines,
            [
                format!("[1] a has all of the 100 bytes {rest}"),
                format!("[2] a did not get the last 17 of 100 bytes {rest}"),
            ]
        );
        assert_eq!((settled.complete, &settled.missing[..]), (0, &[17][..]));
        assert!(settled.whole.is_empty());
    }

    #[test]
    fn a_receiver_lacks_what_was_said_after_it_left() {
        let mut shortfall = Shortfall::default();
        shortfall.add(receiver(1), 0, 100);
        assert_eq!((shortfall.count(100), shortfall.count(130)), (0, 1));
        let settled = shortfall.settle(100, Unsaid::Nothing);
        assert!(settled.lines.is_empty());
        assert_eq!(settled.whole, ["[1] a has all of the 100 bytes"]);
        shortfall.add(receiver(2), 7, 130);
        let settled = shortfall.settle(130, Unsaid::Nothing);
        assert_eq!(settled.missing, [30, 7]);
        let lines = [
            "[1] a did not get the last 30 of 130 bytes",
            "[2] a did not get the last 7 of 130 bytes",
        ];
        assert_eq!(settled.lines, lines);
        assert!(settled.whole.is_empty());
    }

    #[test]
    fn of_those_with_everything_a_lecture_is_named() {
        let mut shortfall = Shortfall::default();
        for _ in 0..NAMED_WHOLE + 5 {
            shortfall.add(receiver(3), 0, 9);
        }
        let settled = shortfall.settle(9, Unsaid::Nothing);
        assert!(settled.lines.is_empty() && settled.missing.is_empty());
        assert_eq!(settled.whole.len(), NAMED_WHOLE + 1);
        assert_eq!(settled.whole[NAMED_WHOLE], "5 more have everything");
    }

    #[test]
    fn twenty_are_named_and_the_others_counted() {
        let mut shortfall = Shortfall::default();
        for _ in 0..22 {
            shortfall.add(receiver(3), 1, 0);
        }
        let settled = shortfall.settle(0, Unsaid::Nothing);
        assert_eq!((settled.lines.len(), settled.missing.len()), (21, 22));
        assert_eq!(settled.lines[20], "2 more did not get everything");
    }
}
