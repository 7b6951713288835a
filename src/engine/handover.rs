//! Handovers: names that were another's a moment ago.
//!
//! `/msg Ana` means the participant that had the name when its sender began to type. If that
//! participant leaves, and another takes the name, before the line has its end, the other would
//! read what was not meant for it.
//!
//! It promises: of a name that was given back in the last ten minutes it is known, for [`TIME`] after another took
//! it, that it was another's; of 4,096 marks of names also whose. If more are given back, whatever name is taken may
//! have been another's.

use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

/// How long typing a line may take.
pub const TIME: Duration = Duration::from_secs(15);

/// How long the former owner of a free name is remembered.
const KEPT: Duration = Duration::from_secs(600);

/// Marks of names of which it is known whose they were: more than a class gives back in that time.
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
    /// When one was given back last that there was no room for.
    forgot: Option<Instant>,
}

/// Who had a name before its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Former {
    /// The member of that number.
    Number(u32),
    /// Perhaps somebody: more names were given back than are known.
    Forgotten,
}

/// The owners of one name.
#[derive(Debug)]
struct Freed {
    former: Former,
    /// The one that had it since then for a moment only, if there was one.
    between: Option<u32>,
    at: Instant,
    /// Since when it is another's.
    taken: Option<Instant>,
    /// The operator gave it to its owner.
    is_given: bool,
}

impl Handovers {
    /// The member with that number gave a name back, of which this is a mark.
    pub(super) fn free(&mut self, mark: String, number: u32, now: Instant) {
        if self.freed.len() >= MOST {
            self.freed.retain(|_, freed| freed.may_be_meant(now));
        }
        let is_known = self.freed.contains_key(&mark);
        if self.freed.len() - usize::from(is_known) >= MOST {
            self.freed.remove(&mark);
            self.forgot = Some(now);
            return;
        }
        let before = self.freed.get_mut(&mark);
        match before.filter(|freed| !freed.is_of(number) && freed.is_fresh(now) && !freed.is_given)
        {
            // A participant that had the name for a moment only is not its owner, unless the
            // operator says so.
            Some(freed) => {
                freed.taken = None;
                freed.at = now;
                freed.between = Some(number);
            }
            None => {
                let freed = Freed::by(Former::Number(number), now);
                self.freed.insert(mark, freed);
            }
        }
    }

    /// The member with that number took it.
    pub(super) fn take(&mut self, mark: &str, number: u32, now: Instant) {
        let Some(freed) = self.freed.get_mut(mark) else {
            let forgot = self
                .forgot
                .filter(|&at| now.saturating_duration_since(at) < KEPT);
            if forgot.is_some() {
                let freed = Freed {
                    taken: Some(now),
                    ..Freed::by(Former::Forgotten, now)
                };
                self.freed.insert(mark.into(), freed);
            }
            return;
        };
        if !freed.may_be_meant(now) {
            self.freed.remove(mark);
        } else if freed.is_of(number) {
            // The owner is back; the one that had the name meanwhile may be meant, too.
            match freed.between.filter(|&between| between != number) {
                Some(between) => {
                    freed.former = Former::Number(between);
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

    /// Whether somebody had the name and may be meant by it, or may be when another takes it.
    pub(super) fn keep(&self, mark: &str, now: Instant) -> bool {
        self.freed
            .get(mark)
            .is_some_and(|freed| freed.may_be_meant(now))
    }

    /// Marks of which something is known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.freed.len()
    }

    /// Another that had the name a moment before its owner, the member with that number, and may be meant.
    pub(super) fn former(
        &self,
        mark: &str,
        number: u32,
        asking: Asking,
        now: Instant,
    ) -> Option<Former> {
        let freed = self.freed.get(mark)?;
        let is_known = freed.is_given && asking == Asking::Operator;
        let is_other = !freed.is_of(number) && freed.is_fresh(now);
        (is_other && !is_known).then_some(freed.former)
    }
}

impl Freed {
    fn by(former: Former, now: Instant) -> Freed {
        Freed {
            former,
            between: None,
            at: now,
            taken: None,
            is_given: false,
        }
    }

    fn is_of(&self, number: u32) -> bool {
        self.former == Former::Number(number)
    }

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
