//! Handovers: names that were another's a moment ago.
//!
//! `/msg Ana` means the participant that had the name when its sender began to type. If that
//! participant leaves, and another takes the name, before the line has its end, the other would
//! read what was not meant for it.
//!
//! It promises: of 4,096 names that were given back in the last ten minutes, whose they were is known for
//! [`TIME`] after another took one.

use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

/// How long typing a line may take.
pub const TIME: Duration = Duration::from_secs(15);

/// How long the former owner of a free name is remembered.
const KEPT: Duration = Duration::from_secs(600);

/// Names of which it is known: more than a class gives back in that time.
const MOST: usize = 4096;

/// Who uses a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// The operator, who knows which names it gave itself.
    Operator,
    /// A participant.
    Member,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Handovers {
    /// By each of their marks, as names are compared.
    freed: HashMap<String, Freed>,
}

/// The owners of one name.
#[derive(Debug)]
struct Freed {
    number: u32,
    /// The one that had it since then for a moment only, if there was one.
    between: Option<u32>,
    at: Instant,
    /// Since when it is another's.
    taken: Option<Instant>,
    /// The operator gave it to that one.
    is_given: bool,
}

impl Handovers {
    /// The member with that number gave a name back, of which this is a mark.
    pub(super) fn free(&mut self, mark: String, number: u32, now: Instant) {
        if self.freed.len() >= MOST {
            self.freed.retain(|_, freed| freed.may_be_meant(now));
        }
        let has_room = self.freed.len() < MOST;
        match self.freed.get_mut(&mark) {
            // A participant that had the name for a moment only is not its owner, unless the
            // operator says so.
            Some(freed) if freed.number != number && freed.is_fresh(now) && !freed.is_given => {
                freed.taken = None;
                freed.between = Some(number);
            }
            _ if has_room => {
                let freed = Freed {
                    number,
                    between: None,
                    at: now,
                    taken: None,
                    is_given: false,
                };
                self.freed.insert(mark, freed);
            }
            _ => {}
        }
    }

    /// The member with that number took it.
    pub(super) fn take(&mut self, mark: &str, number: u32, now: Instant) {
        let Some(freed) = self.freed.get_mut(mark) else {
            return;
        };
        if !freed.may_be_meant(now) {
            self.freed.remove(mark);
        } else if freed.number == number {
            // The owner is back; the one that had the name meanwhile may be meant, too.
            match freed.between.filter(|&between| between != number) {
                Some(between) => {
                    freed.number = between;
                    freed.taken = Some(now);
                    freed.is_given = false;
                }
                None => drop(self.freed.remove(mark)),
            }
        } else if freed.taken.is_none() {
            freed.taken = Some(now);
            freed.is_given = false;
        }
    }

    /// The operator gave the name to its owner.
    pub(super) fn give(&mut self, mark: &str) {
        if let Some(freed) = self.freed.get_mut(mark) {
            freed.is_given = true;
        }
    }

    /// Marks of which something is known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.freed.len()
    }

    /// The number of another member that had the name a moment before, and may be meant.
    pub(super) fn former(
        &self,
        mark: &str,
        number: u32,
        asking: Asking,
        now: Instant,
    ) -> Option<u32> {
        let freed = self.freed.get(mark)?;
        let is_known = freed.is_given && asking == Asking::Operator;
        let is_other = freed.number != number && freed.is_fresh(now);
        (is_other && !is_known).then_some(freed.number)
    }
}

impl Freed {
    /// It was taken a moment ago.
    fn is_fresh(&self, now: Instant) -> bool {
        self.taken
            .is_some_and(|taken| now.saturating_duration_since(taken) < TIME)
    }

    /// It was, or may be yet.
    fn may_be_meant(&self, now: Instant) -> bool {
        let is_free = self.taken.is_none() && now.saturating_duration_since(self.at) < KEPT;
        is_free || self.is_fresh(now)
    }
}
