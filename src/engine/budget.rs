//! A budget: how much may be held, or made, of something that a peer can cause, and how much is.
//!
//! Everything that grows by what peers send has a budget: unfinished lines, the screen, the records
//! that wait for a file, the work of a turn, the answers to members that do not read. What is
//! limited is what the input *becomes*: a line feed that becomes a record of eighty bytes draws
//! eighty. So the caller that asks how much of a peer may be read asks for the bytes that
//! [fit](Budget::fits) if each of them becomes as much as it can.
//!
//! ```text
//!   read ◄── fits(80) ◄── budget ◄── give_back ◄── written
//!    │                       ▲
//!    └──► record ──► draw ───┘
//! ```
//!
//! It promises: a budget that is spent stays so until enough was given back; the sum of what was
//! drawn is what is held, as [`Budget::check`] makes sure of in debug builds.

/// The bytes of a peer that are read although less would fit: smaller reads cost more than they save.
pub const LEAST: usize = 1024;

/// A limit, and what is drawn from it. See the module's documentation.
#[derive(Debug)]
pub struct Budget {
    /// From so many bytes on it is spent.
    high: usize,
    /// At so many it is not any more.
    low: usize,
    drawn: usize,
    is_spent: bool,
}

impl Budget {
    /// A budget that is spent from `high` bytes on, until no more than `low` are drawn.
    pub const fn new(high: usize, low: usize) -> Budget {
        Budget {
            high,
            low,
            drawn: 0,
            is_spent: false,
        }
    }

    /// Draws so many bytes. What was read must be held, so drawing more than is left is not
    /// refused; but then nothing more is to be read.
    pub fn draw(&mut self, bytes: usize) {
        self.hold(self.drawn + bytes);
    }

    /// Gives so many bytes back.
    pub fn give_back(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.drawn, "{bytes} of {}", self.drawn);
        self.hold(self.drawn.saturating_sub(bytes));
    }

    /// Sets what is held to so many bytes, by the count of the part that holds them.
    pub fn hold(&mut self, bytes: usize) {
        self.drawn = bytes;
        self.is_spent = bytes >= self.high || (self.is_spent && bytes > self.low);
    }

    /// Gives all bytes back.
    pub fn clear(&mut self) {
        self.hold(0);
    }

    /// Whether the parts that draw from it have to wait.
    pub fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// How much is drawn.
    pub fn drawn(&self) -> usize {
        self.drawn
    }

    /// How much is left.
    pub fn left(&self) -> usize {
        self.high.saturating_sub(self.drawn)
    }

    /// How many bytes fit if each of them becomes `each`, but not less than [`LEAST`]: what is beyond
    /// the limit is at most what these become, and what was held of one line before.
    pub fn fits(&self, each: usize) -> usize {
        (self.left() / each.max(1)).max(LEAST)
    }

    /// Checks, in debug builds, that as much is drawn as is `held`.
    pub fn check(&self, held: usize) {
        debug_assert_eq!(self.drawn, held, "what is drawn, and what is held");
        debug_assert!(self.is_spent || self.drawn < self.high, "{self:?}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_that_is_spent_stays_so_until_enough_is_given_back() {
        let mut budget = Budget::new(100, 20);
        budget.draw(99);
        assert!(!budget.is_spent());
        budget.draw(1);
        assert!(budget.is_spent());
        budget.give_back(79);
        assert!(budget.is_spent());
        budget.give_back(1);
        assert!(!budget.is_spent());
        budget.check(20);
    }

    proptest! {
        /// Also where both limits are one.
        #[test]
        fn it_is_spent_at_its_limit_however_it_came_there(
            (high, low) in (1..100usize).prop_flat_map(|high| (Just(high), 0..=high)),
            steps in prop::collection::vec((any::<bool>(), 0..60usize), 1..40),
        ) {
            let mut budget = Budget::new(high, low);
            let mut held = 0;
            for (draws, bytes) in steps {
                let bytes = if draws { bytes } else { bytes.min(held) };
                match draws {
                    true => budget.draw(bytes),
                    false => budget.give_back(bytes),
                }
                held = if draws { held + bytes } else { held - bytes };
                budget.check(held);
                prop_assert!(!budget.is_spent() || held > low || held >= high);
            }
        }
    }

    #[test]
    fn what_fits_is_counted_by_what_it_becomes() {
        let mut budget = Budget::new(1_000_000, 0);
        assert_eq!(budget.fits(1), 1_000_000);
        assert_eq!(budget.fits(80), 12_500);
        budget.draw(999_999);
        assert_eq!(budget.left(), 1);
        assert_eq!(budget.fits(80), LEAST);
    }
}
