//! The line being typed: its text, where the cursor is, and what was last killed.
//!
//! What a reader takes for one character (letters with accents, emoji sequences, flags) is one step
//! for the cursor and one deletion. The text itself is never changed but by what is asked for.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::MAX_LINE;

/// A line and its cursor. See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Line {
    text: String,
    /// In bytes, always between two chars.
    cursor: usize,
    killed: String,
    /// Whether the last key killed, so that the next kill adds to it.
    killing: bool,
}

impl Line {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn before(&self) -> &str {
        &self.text[..self.cursor]
    }

    fn after(&self) -> &str {
        &self.text[self.cursor..]
    }

    /// Takes the whole line away.
    pub(super) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Becomes `text`, with the cursor at its end.
    pub(super) fn set(&mut self, text: String) {
        self.cursor = text.len();
        self.text = text;
    }

    /// Becomes `text`, with the cursor there, where it was in that.
    pub(super) fn restore(&mut self, text: String, cursor: usize) {
        (self.text, self.cursor) = (text, cursor);
    }

    /// Inserts what of `text` still fits; `false` if that is not all of it.
    pub(super) fn insert(&mut self, text: &str) -> bool {
        // Whether a char still fits must not depend on what came together with it.
        let room = (MAX_LINE - 3).saturating_sub(self.text.len());
        let mut fits = text.len().min(room);
        while !text.is_char_boundary(fits) {
            fits += 1;
        }
        self.text.insert_str(self.cursor, &text[..fits]);
        self.cursor += fits;
        fits == text.len()
    }

    /// Puts `text` in the place of what is between the last blank and the cursor.
    pub(super) fn replace_word(&mut self, text: &str) -> bool {
        let start = self.back_over(self.cursor, |cluster| !is_blank(cluster));
        self.remove(start..self.cursor);
        self.insert(text)
    }

    pub(super) fn left(&mut self) {
        self.cursor = self.one_left();
    }

    pub(super) fn right(&mut self) {
        self.cursor = self.one_right();
    }

    pub(super) fn word_left(&mut self) {
        self.cursor = self.start_of_word();
    }

    pub(super) fn word_right(&mut self) {
        self.cursor = self.end_of_word();
    }

    pub(super) fn home(&mut self) {
        self.cursor = 0;
    }

    pub(super) fn end(&mut self) {
        self.cursor = self.text.len();
    }

    pub(super) fn backspace(&mut self) {
        self.remove(self.one_left()..self.cursor);
    }

    pub(super) fn delete(&mut self) {
        self.remove(self.cursor..self.one_right());
    }

    /// Swaps the characters around the cursor, at the end of the line the last two. A character
    /// alone is not moved, nor is the cursor: the next key belongs behind it.
    pub(super) fn transpose(&mut self) {
        let at = self.cursor;
        if self.after().is_empty() {
            self.left();
        }
        let (start, end) = (self.one_left(), self.one_right());
        if start == self.cursor {
            self.cursor = at;
        } else {
            let swapped = [&self.text[self.cursor..end], &self.text[start..self.cursor]].concat();
            self.text.replace_range(start..end, &swapped);
            self.cursor = end;
        }
    }

    pub(super) fn kill_to_start(&mut self) {
        self.kill(0..self.cursor);
    }

    pub(super) fn kill_to_end(&mut self) {
        self.kill(self.cursor..self.text.len());
    }

    pub(super) fn kill_word_left(&mut self) {
        self.kill(self.start_of_word()..self.cursor);
    }

    pub(super) fn kill_word_right(&mut self) {
        self.kill(self.cursor..self.end_of_word());
    }

    /// Kills back to the last blank.
    pub(super) fn kill_field(&mut self) {
        let start = self.back_over(self.cursor, is_blank);
        let start = self.back_over(start, |cluster| !is_blank(cluster));
        self.kill(start..self.cursor);
    }

    /// Inserts what was killed last; `false` if not all of it fits.
    pub(super) fn yank(&mut self) -> bool {
        let killed = std::mem::take(&mut self.killed);
        let all = self.insert(&killed);
        self.killed = killed;
        all
    }

    /// What was killed does not come back.
    pub(super) fn forget_killed(&mut self) {
        self.killed = String::new();
    }

    /// The next kill is a new one.
    pub(super) fn stop_killing(&mut self) {
        self.killing = false;
    }

    fn kill(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        if !std::mem::replace(&mut self.killing, true) {
            self.killed.clear();
        }
        let at = match range.end == self.cursor {
            true => 0,
            false => self.killed.len(),
        };
        self.killed.insert_str(at, &self.text[range.clone()]);
        self.remove(range);
    }

    /// Removes a range that begins or ends at the cursor.
    fn remove(&mut self, range: Range<usize>) {
        self.cursor = range.start;
        self.text.drain(range);
    }

    fn one_left(&self) -> usize {
        let cluster = self.before().graphemes(true).next_back();
        self.cursor - cluster.map_or(0, str::len)
    }

    fn one_right(&self) -> usize {
        let cluster = self.after().graphemes(true).next();
        self.cursor + cluster.map_or(0, str::len)
    }

    fn start_of_word(&self) -> usize {
        let end = self.back_over(self.cursor, |cluster| !is_word(cluster));
        self.back_over(end, is_word)
    }

    fn end_of_word(&self) -> usize {
        let start = self.forward_over(self.cursor, |cluster| !is_word(cluster));
        self.forward_over(start, is_word)
    }

    /// Where those of the `class` end that stand directly after `from`.
    fn forward_over(&self, from: usize, class: impl Fn(&str) -> bool) -> usize {
        let clusters = self.text[from..].graphemes(true);
        let among = clusters.take_while(|cluster| class(cluster));
        from + among.map(str::len).sum::<usize>()
    }

    /// Where those of the `class` begin that stand directly before `from`.
    fn back_over(&self, from: usize, class: impl Fn(&str) -> bool) -> usize {
        let clusters = self.text[..from].graphemes(true).rev();
        let among = clusters.take_while(|cluster| class(cluster));
        from - among.map(str::len).sum::<usize>()
    }
}

fn is_word(cluster: &str) -> bool {
    cluster.starts_with(char::is_alphanumeric)
}

fn is_blank(cluster: &str) -> bool {
    cluster.starts_with(char::is_whitespace)
}
