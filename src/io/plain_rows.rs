//! The rows of a terminal at which no line is edited (`--no-edit`, `TERM=dumb`, stdin is a file), and
//! those of stderr.
//!
//! It promises: after the program was stopped and goes on (Ctrl-Z and `fg`), nothing is erased that a shell
//! wrote meanwhile, and an unfinished line of others begins a row of its own, behind its label; no row of
//! progress is drawn while another job has the terminal.

use std::mem;
use std::ops::Deref;

use crate::engine::rows::Rows;
use crate::io::job;
use crate::io::signals;
use crate::io::terminal::Terminal;

/// See the module's documentation. By default those of something that can show no bold.
#[derive(Debug, Default)]
pub struct PlainRows {
    rows: Rows,
    /// How often the program had gone on after a stop when they were written to last.
    continuations: u64,
}

impl PlainRows {
    /// Those of the terminal that stdout is.
    pub fn of_stdout() -> PlainRows {
        PlainRows {
            rows: Rows::new(Terminal::is_capable(), Terminal::goes_back()),
            continuations: signals::continuations(),
        }
    }

    /// Shows whole lines of the program's own, in the width that the terminal has now.
    pub fn notice(&mut self, lines: &[u8]) {
        if !lines.is_empty() {
            self.current().notice(lines, Some(Terminal::columns()));
        }
    }

    /// Draws the row that tells how far something is, on the terminal that stderr is, unless another job has
    /// that: on its row is a shell's prompt, and below it perhaps what an editor shows.
    pub fn progress(&mut self, row: &str) {
        if !job::is_elsewhere(rustix::stdio::stderr()) {
            self.current().progress(row);
        }
    }

    /// The rows as they are now, to write to.
    pub fn current(&mut self) -> &mut Rows {
        let now = signals::continuations();
        if mem::replace(&mut self.continuations, now) != now {
            self.rows.lose();
        }
        &mut self.rows
    }
}

impl Deref for PlainRows {
    type Target = Rows;

    fn deref(&self) -> &Rows {
        &self.rows
    }
}
