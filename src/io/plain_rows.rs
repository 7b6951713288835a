//! The rows of a terminal at which no line is edited (`--no-edit`, `TERM=dumb`, stdin is a file).
//!
//! It promises: after the program was stopped and goes on (Ctrl-Z and `fg`), an unfinished line of
//! others begins a row of its own, behind its label: a shell had the terminal meanwhile.

use std::ops::Deref;

use crate::engine::rows::Rows;
use crate::io::signals;
use crate::io::terminal::Terminal;

/// See the module's documentation.
#[derive(Debug)]
pub struct PlainRows(Rows);

impl PlainRows {
    /// Those of the terminal that stdout is.
    pub fn new() -> PlainRows {
        signals::has_continued();
        PlainRows(Rows::new(Terminal::is_capable(), Terminal::goes_back()))
    }

    /// Shows whole lines of the program's own, in the width that the terminal has now.
    pub fn notice(&mut self, lines: &[u8]) {
        if !lines.is_empty() {
            self.current().notice(lines, Some(Terminal::columns()));
        }
    }

    /// The rows as they are now, to write to.
    pub fn current(&mut self) -> &mut Rows {
        if signals::has_continued() {
            self.0.lose();
        }
        &mut self.0
    }
}

impl Default for PlainRows {
    fn default() -> PlainRows {
        PlainRows::new()
    }
}

impl Deref for PlainRows {
    type Target = Rows;

    fn deref(&self) -> &Rows {
        &self.0
    }
}
