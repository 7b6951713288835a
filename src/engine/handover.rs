//! Handovers: names that were another's a moment ago.
//!
//! Whoever types `/msg Ana` means who was called so when the line was begun. If that one leaves, and another
//! takes the name, before the line has its end, it would be told what was not for it.
//!
//! It promises: of the last [`MOST`] names that were given back, whose they were is known for [`TIME`] after
//! another took one.

use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

/// How long somebody may take to type a line.
pub const TIME: Duration = Duration::from_secs(15);

/// Names of which it is known: more than a class gives back in that time.
const MOST: usize = 4096;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Handovers {
    /// By each of their marks, as names are compared.
    freed: HashMap<String, Freed>,
}

/// Whose a name was, and when it was given back, or taken by another.
#[derive(Debug)]
struct Freed {
    number: u32,
    at: Instant,
}

impl Handovers {
    /// The member with that number gave a name back, of which this is a mark.
    pub(super) fn free(&mut self, mark: String, number: u32, now: Instant) {
        if self.freed.len() >= MOST {
            self.freed.retain(|_, freed| freed.is_fresh(now));
        }
        // Who has it for a moment only is not whom the name stood for.
        if self.former(&mark, number, now).is_none() && self.freed.len() < MOST {
            self.freed.insert(mark, Freed { number, at: now });
        }
    }

    /// The member with that number took it.
    pub(super) fn take(&mut self, mark: &str, number: u32, now: Instant) {
        if let Some(freed) = self.freed.get_mut(mark)
            && freed.is_fresh(now)
            && freed.number != number
        {
            freed.at = now;
        }
    }

    /// Whose it is, is known to who asks.
    pub(super) fn settle(&mut self, mark: &str) {
        self.freed.remove(mark);
    }

    /// Marks of which something is known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.freed.len()
    }

    /// The number of another than this member who was called so a moment ago.
    pub(super) fn former(&self, mark: &str, number: u32, now: Instant) -> Option<u32> {
        let freed = self.freed.get(mark)?;
        (freed.is_fresh(now) && freed.number != number).then_some(freed.number)
    }
}

impl Freed {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < TIME
    }
}
