//! Cooked: what is read at a terminal whose lines the kernel edits (termios(3), canonical mode).
//!
//! It promises: the brackets of a paste are no text, wherever they are cut; what came faster than anybody
//! types is not taken for typed.

use std::time::Instant;

use crate::engine::brackets::Brackets;
use crate::engine::typing::Typing;

/// The state between two reads. See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Cooked {
    brackets: Brackets,
    typing: Typing,
}

/// What was read at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arrived {
    pub(super) text: Vec<u8>,
    /// It came as typed lines come, one at a time.
    pub(super) is_typed: bool,
}

impl Cooked {
    /// Takes in what was read at once. `has_ended`: nothing follows.
    pub(super) fn take_in(&mut self, bytes: &[u8], has_ended: bool, now: Instant) -> Arrived {
        let mut text = Vec::new();
        let is_pasted = self.brackets.take_out(bytes, &mut text);
        if has_ended {
            self.brackets.finish(&mut text);
        }
        let is_typed =
            !text.is_empty() && !self.typing.read(&text, is_pasted, now).in_bulk && !is_pasted;
        Arrived { text, is_typed }
    }

    /// Takes note that nothing more waits to be read.
    pub(super) fn settle(&mut self) {
        self.typing.settle();
    }

    /// Whether what was taken in last was pasted.
    pub(super) fn is_pasting(&self) -> bool {
        self.typing.is_pasting()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_alone_is_typed_and_what_comes_in_brackets_is_not() {
        let mut cooked = Cooked::default();
        let mut now = Instant::now();
        for (bytes, text, is_typed) in [
            ("/who\n", "/who\n", true),
            ("\x1b[200~/who\n", "/who\n", false),
            ("/quit\n\x1b[201~", "/quit\n", false),
            ("one\ntwo\n", "one\ntwo\n", false),
            ("\x1b[20", "", false),
        ] {
            let arrived = cooked.take_in(bytes.as_bytes(), false, now);
            assert_eq!(arrived.text, text.as_bytes(), "{bytes:?}");
            assert_eq!(arrived.is_typed, is_typed, "{bytes:?}");
            cooked.settle();
            now += std::time::Duration::from_secs(1);
        }
        assert_eq!(cooked.take_in(b"", true, now).text, b"\x1b[20");
    }
}
