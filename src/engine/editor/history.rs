//! History: the lines that were typed, and what was made of them since.
//!
//! It promises: the line that was being typed, and every change made to an older one, is there
//! again when one comes back to it, until a line is sent; at most [`MAX_LINES`] lines and
//! [`MAX_BYTES`] bytes of them are kept.

use std::collections::HashMap;
use std::collections::VecDeque;

/// How many lines are kept.
const MAX_LINES: usize = 500;

/// How many bytes they have together at most.
const MAX_BYTES: usize = 1024 * 1024;

/// The lines typed so far. See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct History {
    lines: VecDeque<String>,
    bytes: usize,
    /// How many lines up one has gone.
    up: usize,
    /// What was being typed (at 0) or made of a line, by how far up it stands.
    changed: HashMap<usize, String>,
}

impl History {
    /// Remembers `line` as the newest, if it says anything new, and comes back down.
    pub(super) fn add(&mut self, line: &str) {
        self.reset();
        let known = self.lines.back().is_some_and(|newest| newest == line);
        if known || line.is_empty() {
            return;
        }
        self.lines.push_back(line.to_owned());
        self.bytes += line.len();
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            let oldest = self.lines.pop_front();
            self.bytes -= oldest.map_or(0, |line| line.len());
        }
    }

    /// Comes back down and forgets what was changed on the way.
    pub(super) fn reset(&mut self) {
        self.up = 0;
        self.changed = HashMap::new();
    }

    /// One line up: leaves `line` behind and gives the one to show, if there is any.
    pub(super) fn older(&mut self, line: &str) -> Option<String> {
        (self.up < self.lines.len()).then(|| self.go(self.up + 1, line))
    }

    /// One line down, likewise.
    pub(super) fn newer(&mut self, line: &str) -> Option<String> {
        (self.up > 0).then(|| self.go(self.up - 1, line))
    }

    fn go(&mut self, up: usize, line: &str) -> String {
        if self.line(self.up) == line {
            self.changed.remove(&self.up);
        } else {
            self.changed.insert(self.up, line.to_owned());
        }
        self.up = up;
        match self.changed.get(&up) {
            Some(changed) => changed.clone(),
            None => self.line(up).to_owned(),
        }
    }

    /// The line `up` from the bottom, where nothing has been typed yet.
    fn line(&self, up: usize) -> &str {
        let index = self.lines.len().checked_sub(up);
        index
            .and_then(|index| self.lines.get(index))
            .map_or("", String::as_str)
    }
}
