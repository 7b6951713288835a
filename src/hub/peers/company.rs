//! Company: whether two speakers have taken turns lately, or only one speaks.
//!
//! A large read costs little for each byte, but every other speaker's line waits for it and for the writes
//! that follow from it. So a peer that floods is read in small pieces while there is a conversation, in
//! very small ones in a turn in which another said a line, and in large ones otherwise.
//!
//! It promises: while one speaker speaks, however often, there is no conversation; when a second one speaks
//! after it, there is one for [`CONVERSATION`]; a line makes only its own turn shorter.

use std::time::Duration;
use std::time::Instant;

/// A conversation goes on for so long after two have spoken in turn.
const CONVERSATION: Duration = Duration::from_secs(10);

/// Who says more than this at once sends a file or floods, and loses nothing by waiting.
const LINE: usize = 4096;

/// Who says something to the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    /// The operator.
    Operator,
    /// The peer of that key.
    Peer(usize),
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Company {
    last: Option<Speaker>,
    until: Option<Instant>,
    /// The turn in which somebody last said a line.
    line_at: Option<Instant>,
}

impl Company {
    /// That speaker said so many bytes.
    pub(super) fn spoke(&mut self, speaker: Speaker, count: usize, now: Instant) {
        if count <= LINE {
            self.line_at = Some(now);
        }
        let before = self.last.replace(speaker);
        if before.is_some_and(|before| before != speaker) {
            self.until = Some(now + CONVERSATION);
        }
    }

    /// Whether two have spoken in turn not long ago.
    pub(super) fn converses(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Whether somebody said a line in this turn, which waits until all of it was read and written.
    pub(super) fn has_line(&self, now: Instant) -> bool {
        self.line_at == Some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_makes_only_its_own_turn_shorter() {
        let now = Instant::now();
        let mut company = Company::default();
        company.spoke(Speaker::Operator, LINE + 1, now);
        assert!(!company.has_line(now));
        company.spoke(Speaker::Operator, LINE, now);
        company.spoke(Speaker::Peer(1), LINE + 1, now);
        assert!(company.has_line(now));
        assert!(!company.has_line(now + Duration::from_nanos(1)));
    }

    #[test]
    fn who_speaks_alone_is_alone_until_another_speaks() {
        let start = Instant::now();
        let mut company = Company::default();
        company.spoke(Speaker::Peer(1), 1, start);
        company.spoke(Speaker::Peer(1), 1, start);
        assert!(!company.converses(start));
        company.spoke(Speaker::Operator, 1, start);
        company.spoke(Speaker::Operator, 1, start + CONVERSATION / 2);
        assert!(company.converses(start + CONVERSATION / 2));
        assert!(!company.converses(start + CONVERSATION));
        company.spoke(Speaker::Peer(2), 1, start + CONVERSATION);
        assert!(company.converses(start + CONVERSATION));
    }
}
