//! Exits: the keys of peers that leave, until they are taken out.
//!
//! ```text
//!   closing ───────────► leaving ───────────────► taken out
//!   an event told so,       └──► held back ──────────▲
//!   and it was not read          no room for the line that it holds
//! ```
//!
//! It promises: peers that are held back are taken out before those that leave later.

use super::DisconnectReason;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Exits {
    /// An event told that they ended their side or broke, and they were not read since.
    pub(super) closing: Vec<usize>,
    /// They were told to have something to say, or said something and have more, and may have said
    /// goodbye by a word of which no event tells.
    pub(super) speaking: Vec<usize>,
    /// They leave at the end of this turn.
    leaving: Vec<(usize, DisconnectReason)>,
    /// They wait until there is room for what they hold of a line.
    held_back: Vec<(usize, DisconnectReason)>,
    /// So many of them are taken out without that room, since descriptors ran out.
    pressed: usize,
}

impl Exits {
    /// One leaves at the end of this turn.
    pub(super) fn leave(&mut self, key: usize, why: DisconnectReason) {
        self.leaving.push((key, why));
    }

    /// The peers that leave at the end of this turn, without those that waited before.
    pub(super) fn leaving(&self) -> impl Iterator<Item = usize> {
        self.leaving.iter().map(|(key, _)| *key)
    }

    /// Whether any peer waits for room.
    pub(super) fn are_held_back(&self) -> bool {
        !self.held_back.is_empty()
    }

    /// Whether there is something to do at once.
    pub(super) fn is_ready(&self, may_leave: impl Fn(usize) -> bool) -> bool {
        !self.leaving.is_empty()
            || !self.closing.is_empty()
            || !self.speaking.is_empty()
            || self.held_back.iter().any(|(key, _)| may_leave(*key))
    }

    /// Descriptors ran out: so many of the peers that wait for room wait no longer.
    pub(super) fn press(&mut self, count: usize) {
        self.pressed = count;
    }

    /// All peers that leave, or wait to, and how many of them wait no longer, whatever room there
    /// is.
    pub(super) fn take(&mut self) -> (Vec<(usize, DisconnectReason)>, usize) {
        let mut all = std::mem::take(&mut self.held_back);
        all.append(&mut self.leaving);
        (all, std::mem::take(&mut self.pressed))
    }

    /// Those of them for which there is no room.
    pub(super) fn hold_back(&mut self, held_back: Vec<(usize, DisconnectReason)>) {
        self.held_back = held_back;
    }
}
