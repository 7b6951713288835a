//! A key: what was pressed, by its meaning, whatever bytes a terminal sends for it.

use std::borrow::Cow;

/// What was pressed, by its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key<'a> {
    Text(Cow<'a, str>),
    Enter,
    Tab,
    /// Ctrl-D: delete, or the end of input.
    DeleteOrEnd,
    Delete,
    Backspace,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Up,
    Down,
    KillStart,
    KillEnd,
    /// Ctrl-W: back to the last blank.
    KillField,
    KillWordLeft,
    KillWordRight,
    Yank,
    Transpose,
    Redraw,
    /// Ctrl-C, or what the terminal has instead of it: clear the line, or the end of the program.
    Interrupt,
    /// The same in a paste that the terminal did not end.
    BreakPaste,
    /// Ctrl-Z, or what the terminal has instead of it.
    Suspend,
    /// The end of a paste. Its beginning is not a key: the parser keeps it to itself.
    PasteEnd,
}

impl Key<'_> {
    /// Whether it kills: removes text that can be yanked.
    pub(super) fn kills(&self) -> bool {
        matches!(
            self,
            Key::KillStart | Key::KillEnd | Key::KillField | Key::KillWordLeft | Key::KillWordRight
        )
    }
}
