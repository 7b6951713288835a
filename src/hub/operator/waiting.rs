//! Waiting: input of the operator that is not wanted yet.
//!
//! It promises: the bytes stay in their order, and are counted by the lines that the operator knows them
//! as; of how many lines wait the operator is told when there are more, of a paste when there are twice as
//! many.

/// Bytes that may wait; then no key is read.
const MOST: usize = 1024 * 1024;

/// Input that waits to be said. See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    text: Vec<u8>,
    /// How many lines end in it, and how many of them were told of.
    lines: usize,
    told: usize,
    /// The last input was no end of a line.
    is_midline: bool,
}

impl Waiting {
    /// Bytes.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether no more is to be read.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= MOST
    }

    /// Whole lines.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Whether the line that came last is not ended, also if it was said since.
    pub(super) fn is_midline(&self) -> bool {
        self.is_midline
    }

    /// Lets bytes wait.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if let Some(&last) = bytes.last() {
            self.text.extend_from_slice(bytes);
            self.lines += lines(bytes);
            self.is_midline = last != b'\n';
        }
    }

    /// Lets a line wait, which is given without its end.
    pub(super) fn push_line(&mut self, line: &str) {
        self.push(line.as_bytes());
        self.push(b"\n");
    }

    /// The first of it, so many bytes at most.
    pub(super) fn first(&self, most: usize) -> &[u8] {
        &self.text[..self.text.len().min(most)]
    }

    /// So many bytes of it were said.
    pub(super) fn said(&mut self, count: usize) {
        self.lines -= lines(&self.text[..count]);
        self.told = self.told.min(self.lines);
        self.text.drain(..count);
    }

    /// It will not be said.
    pub(super) fn give_up(&mut self) {
        *self = Waiting::default();
    }

    /// Whether the operator is to be told how many lines wait.
    pub(super) fn is_to_be_told(&self, is_pasting: bool) -> bool {
        let more = self.lines - self.told;
        more > 0 && (!is_pasting || self.told == 0 || more >= self.told)
    }

    /// How many lines wait, in words for the operator, who is told now.
    pub(super) fn tell(&mut self) -> String {
        self.told = self.lines;
        match self.lines {
            1 => String::from("1 line waits"),
            lines => format!("{lines} lines wait"),
        }
    }
}

/// How many lines end in `bytes`.
fn lines(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_in_pieces_and_in_order() {
        let mut waiting = Waiting::default();
        waiting.push_line("one");
        waiting.push(b"two\nthr");
        assert_eq!((waiting.lines(), waiting.is_midline()), (2, true));
        assert_eq!(waiting.first(6), b"one\ntw");
        waiting.said(6);
        assert_eq!((waiting.first(99), waiting.lines()), (&b"o\nthr"[..], 1));
        waiting.said(5);
        assert!(waiting.is_empty() && waiting.lines() == 0);
        assert!(waiting.is_midline(), "its end is still to come");
        waiting.push(b"");
        assert!(waiting.is_midline());
        waiting.push(b"ee\n");
        assert!(!waiting.is_midline());
    }

    #[test]
    fn of_a_paste_it_is_told_when_there_are_twice_as_many() {
        let mut waiting = Waiting::default();
        assert!(!waiting.is_to_be_told(false));
        let mut told = Vec::new();
        for _ in 0..9 {
            waiting.push_line("pasted");
            if waiting.is_to_be_told(true) {
                told.push(waiting.tell());
            }
        }
        let expected = [
            "1 line waits",
            "2 lines wait",
            "4 lines wait",
            "8 lines wait",
        ];
        assert_eq!(told, expected);
        assert!(waiting.is_to_be_told(false), "typed, it is told each time");
        waiting.said(7 * 8);
        assert!(!waiting.is_to_be_told(false), "what is left counts as told");
        waiting.push_line("typed");
        assert!(waiting.is_to_be_told(false));
        waiting.give_up();
        assert!(waiting.is_empty() && !waiting.is_to_be_told(false));
    }

    #[test]
    fn it_is_full_at_a_mebibyte() {
        let mut waiting = Waiting::default();
        waiting.push(&vec![b'x'; MOST - 1]);
        assert!(!waiting.is_full());
        waiting.push(b"x");
        assert!(waiting.is_full());
    }
}
