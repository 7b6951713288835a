//! The beginning of a paste: its first line in which anything is seen, as it was pasted. On the row it may stand behind
//! or before what was there, and find no room.

use crate::engine::private::is_seen;

/// So much of it is kept, in bytes. What stands further back makes nothing private.
const KEPT: usize = 4096;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Beginning {
    text: String,
}

impl Beginning {
    /// Takes note of what is pasted.
    pub(super) fn add(&mut self, text: &str) {
        let room = KEPT.saturating_sub(self.text.len());
        let fits = (0..=room.min(text.len())).rev();
        let end = fits.into_iter().find(|&end| text.is_char_boundary(end));
        self.text.push_str(&text[..end.unwrap_or(0)]);
        if !is_seen(&self.text) {
            // However much of that there is.
            self.text.clear();
        }
    }

    /// A line ended, or another paste begins. Returns what was pasted of the line.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}
