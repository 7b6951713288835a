//! Those who did not get all that was promised to them.
//!
//! A receiver that leaves in the middle of a transfer may have everything that was said until then. What
//! it lacks is known when the operator has said the last word, so it is remembered until then how much
//! had been said.
//!
//! It promises: a receiver that lacks a byte is named, or counted, with the number of bytes.

/// How many of those who did not get everything are named.
const NAMED: usize = 20;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Shortfall {
    left: Vec<Leaver>,
}

/// A receiver that left.
#[derive(Debug)]
struct Leaver {
    /// Its number and address.
    who: String,
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

/// Who lacks what, in the end.
#[derive(Debug, Default)]
pub struct Settled {
    /// A line for each of the first twenty, and one for the others.
    pub lines: Vec<String>,
    /// Bytes that each lacks.
    pub missing: Vec<u64>,
}

impl Shortfall {
    /// A receiver left without `missing` bytes, when the operator had said `said`.
    pub(super) fn add(&mut self, who: String, missing: u64, said: u64) {
        self.left.push(Leaver { who, missing, said });
    }

    /// How many lack something after the operator said so many bytes.
    pub(super) fn count(&self, said: u64) -> usize {
        let left = self.left.iter();
        left.filter(|leaver| leaver.lacks(said) > 0).count()
    }

    /// Who lacks what after the operator said so many bytes.
    pub(super) fn settle(&self, said: u64) -> Settled {
        let mut settled = Settled::default();
        for leaver in &self.left {
            let lacks = leaver.lacks(said);
            if lacks == 0 {
                continue;
            }
            settled.missing.push(lacks);
            if settled.missing.len() <= NAMED {
                let line = format!("{} did not get the last {lacks} bytes", leaver.who);
                settled.lines.push(line);
            }
        }
        let unnamed = settled.missing.len().saturating_sub(NAMED);
        if unnamed > 0 {
            let line = format!("{unnamed} more did not get everything");
            settled.lines.push(line);
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_lacks_what_was_said_after_it_left() {
        let mut shortfall = Shortfall::default();
        shortfall.add("[1] a".into(), 0, 100);
        assert_eq!((shortfall.count(100), shortfall.count(130)), (0, 1));
        assert!(shortfall.settle(100).lines.is_empty());
        shortfall.add("[2] b".into(), 7, 130);
        let settled = shortfall.settle(130);
        assert_eq!(settled.missing, [30, 7]);
        let lines = [
            "[1] a did not get the last 30 bytes",
            "[2] b did not get the last 7 bytes",
        ];
        assert_eq!(settled.lines, lines);
    }

    #[test]
    fn twenty_are_named_and_the_others_counted() {
        let mut shortfall = Shortfall::default();
        for _ in 0..22 {
            shortfall.add("somebody".into(), 1, 0);
        }
        let settled = shortfall.settle(0);
        assert_eq!((settled.lines.len(), settled.missing.len()), (21, 22));
        assert_eq!(settled.lines[20], "2 more did not get everything");
    }
}
