//! Holdings: what a room holds that its members caused, as docs/RELIABILITY.md bounds it.

use super::Room;

/// Bytes, and edits, that are held for members, or of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Bytes of the log that the slowest member has not taken, to within a segment.
    pub log: u64,
    /// Bytes of memory that hold unfinished lines.
    pub lines: usize,
    /// Places where a member's own stream differs from the log.
    pub edits: usize,
    /// Bytes that were said to one member alone and that it has not taken.
    pub answers: u64,
    /// Bytes that wait to be shown.
    pub screen: usize,
}

impl Room {
    /// What it holds now.
    pub fn holdings(&self) -> Holdings {
        Holdings {
            log: self.journal.retained(),
            lines: self.held.drawn(),
            edits: self.journal.edits_of_all(),
            answers: self.journal.inserted_of_all(),
            screen: self.screen.waiting(),
        }
    }
}
