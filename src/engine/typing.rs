//! Typing: whether the bytes that are read at a terminal were typed, or came faster than a person
//! types.
//!
//! A terminal sends a paste as if it were typed. Not all terminals put brackets around it (see
//! `brackets.rs`), and the pasted text can contain the closing one. But a paste does not come at a
//! person's pace: a typed Enter has nothing behind it in the same read, and no other line ends within
//! a tenth of a second.
//!
//! It promises: a line that comes alone is typed, also if it comes in one read, as programs send it; so is
//! the first of a paste that the transport hands on alone, since nothing waits to see what follows. Nothing
//! else of a paste of several lines passes for typed, wherever the transport cuts it, unless that pauses for
//! [`SAME_PASTE`] directly behind the end of a line.

use std::time::Duration;
use std::time::Instant;

use crate::engine::brackets::PASTE_BEGINS;

/// A read that comes within this time after the end of a line, or after a paste, and ends a line
/// itself, belongs to the same paste. A person does not press three keys in this time.
pub const SAME_PASTE: Duration = Duration::from_millis(100);

/// Bytes that come within this time of each other are one paste, if they began as one. Two keys may be
/// pressed in it (they roll over each other), but not one after the other for a whole line.
const SAME_STREAM: Duration = Duration::from_millis(20);

/// The rest of a key follows its Esc within this time: a terminal sends it in one piece, and what
/// carries it on may cut that. A person does not press Esc and then another key so soon.
const SAME_KEY: Duration = Duration::from_millis(200);

/// How something came that was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrival {
    /// It was not typed: it is text, and no line of it is a command.
    pub in_bulk: bool,
    /// It came so soon after what was read before that a line feed is the second half of a carriage
    /// return that was the last of that.
    pub follows: bool,
    /// It came so long after that that no key goes on in it.
    pub is_late: bool,
}

/// The pace of a terminal. See the module's documentation.
#[derive(Debug, Default)]
pub struct Typing {
    /// Until when what comes belongs to what came before.
    until: Option<Instant>,
    /// It was not seen yet that nothing waited behind it, so that what is read next may have come at once
    /// with it, whenever it is read.
    is_unsettled: bool,
    /// When something was read last.
    last: Option<Instant>,
    /// What was read last ended in a carriage return.
    after_cr: bool,
    /// What was read last was pasted.
    is_pasting: bool,
}

impl Typing {
    /// Takes note of what was read at once. `is_bracketed`: a paste in brackets was going on.
    pub fn read(&mut self, bytes: &[u8], is_bracketed: bool, now: Instant) -> Arrival {
        let follows = self.is_unsettled || self.until.is_some_and(|until| now < until);
        let is_late = self.was_quiet(SAME_KEY, now);
        self.last = Some(now);
        // The second half of the end before is none by itself.
        let fresh = match follows && self.after_cr {
            true => bytes.strip_prefix(b"\n").unwrap_or(bytes),
            false => bytes,
        };
        self.after_cr = bytes.last() == Some(&b'\r') || (bytes.is_empty() && self.after_cr);
        let bracket = memchr::memmem::find(fresh, PASTE_BEGINS);
        let in_bulk = !is_bracketed
            && match end_of_line(&fresh[..bracket.unwrap_or(fresh.len())]) {
                Some(end) => {
                    // An Enter alone, and the brackets tell that the paste behind it is another text.
                    let is_enter =
                        bracket == Some(end) && matches!(&fresh[..end], b"\r" | b"\n" | b"\r\n");
                    follows || (end < fresh.len() && !is_enter)
                }
                None => follows && bracket.is_none() && is_more_than_a_key(fresh),
            };
        self.is_pasting = in_bulk || is_bracketed || bracket.is_some();
        let while_after = match self.is_pasting || end_of_line(fresh).is_some() {
            true => Some(SAME_PASTE),
            false => follows.then_some(SAME_STREAM),
        };
        if let Some(while_after) = while_after {
            self.until = self.until.max(Some(now + while_after));
            self.is_unsettled = true;
        }
        Arrival {
            in_bulk,
            follows,
            is_late,
        }
    }

    /// Whether it is known that nothing came for so long: what waited to be read may have come at once.
    pub fn was_quiet(&self, time: Duration, now: Instant) -> bool {
        let was_quiet = |last| now.saturating_duration_since(last) >= time;
        !self.is_unsettled && self.last.is_some_and(was_quiet)
    }

    /// Takes note that nothing more waits to be read.
    pub fn settle(&mut self) {
        self.is_unsettled = false;
    }

    /// Whether what was read last was pasted.
    pub fn is_pasting(&self) -> bool {
        self.is_pasting
    }
}

/// Where the first line ends that does so in what was read.
fn end_of_line(bytes: &[u8]) -> Option<usize> {
    let at = memchr::memchr2(b'\r', b'\n', bytes)?;
    Some(match bytes[at..].starts_with(b"\r\n") {
        true => at + 2,
        false => at + 1,
    })
}

/// Whether it takes more than one key to type it. What begins with an Esc is one.
fn is_more_than_a_key(bytes: &[u8]) -> bool {
    bytes.first() != Some(&0x1b)
        && match std::str::from_utf8(bytes) {
            Ok(text) => text.chars().nth(1).is_some(),
            Err(_) => bytes.len() > 4,
        }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What was made of these reads, each so many milliseconds after the one before, with nothing left
    /// to read between them: whether it was pasted.
    fn judged(reads: &[(u64, &str)]) -> Vec<bool> {
        let mut typing = Typing::default();
        let mut now = Instant::now();
        let judge = |&(after, bytes): &(u64, &str)| {
            now += Duration::from_millis(after);
            let arrival = typing.read(bytes.as_bytes(), false, now);
            typing.settle();
            arrival.in_bulk
        };
        reads.iter().map(judge).collect()
    }

    #[test]
    fn a_line_alone_is_typed_however_it_comes() {
        assert_eq!(judged(&[(0, "/quit\r")]), [false]);
        assert_eq!(judged(&[(0, "/quit\r\n")]), [false]);
        assert_eq!(judged(&[(0, "/qu"), (0, "it"), (0, "\r")]), [false; 3]);
        let apart = [(0, "one\r"), (100, "two\r"), (100, "/quit\r")];
        assert_eq!(judged(&apart), [false; 3]);
        // As fast as anybody types: 200 words a minute, and keys that roll over each other.
        let keys: Vec<(u64, &str)> = "/who\r/who\r"
            .split("")
            .filter(|key| !key.is_empty())
            .enumerate()
            .map(|(i, key)| (if i % 3 == 0 { 15 } else { 80 }, key))
            .collect();
        assert_eq!(judged(&keys), [false; 10]);
        // Enter, what was typed before, Enter.
        let recalled = [(0, "/who\r"), (60, "\x1b[A"), (60, "\r")];
        assert_eq!(judged(&recalled), [false; 3]);
    }

    #[test]
    fn what_comes_late_is_no_rest_of_a_key() {
        let mut typing = Typing::default();
        let mut now = Instant::now();
        for (after, settles, is_late) in [
            (0, true, false),
            (199, true, false),
            (200, true, true),
            // It may have waited to be read.
            (0, false, false),
            (5000, true, false),
            (5000, true, true),
        ] {
            now += Duration::from_millis(after);
            let text: &[u8] = if settles { b"x" } else { b"x\r" };
            assert_eq!(typing.read(text, false, now).is_late, is_late, "{after}");
            if settles {
                typing.settle();
            }
        }
    }

    #[test]
    fn what_has_something_behind_the_end_of_a_line_is_pasted() {
        for text in [
            "one\rtwo\r",
            "/quit\rmore",
            "one\r\n/quit\n",
            "\n\n",
            "/quit\r\x1b[200~",
        ] {
            assert_eq!(judged(&[(0, text)]), [true], "{text:?}");
        }
        // But for an Enter alone before a paste in brackets: it ends what was typed.
        for (after, pasted) in [(500, false), (50, true)] {
            let reads = [(0, "/who"), (after, "\r\x1b[200~one\rtwo\r\x1b[201~")];
            assert!(!judged(&reads)[1], "{after}");
            let reads = [(0, "one\r"), (after, "\r\x1b[200~one\r")];
            assert_eq!(judged(&reads)[1], pasted, "{after}");
        }
    }

    #[test]
    fn a_paste_that_is_cut_is_one() {
        for pause in [0, 1, 40, 99] {
            let cut = [(0, "one\rtwo\r"), (pause, "/quit\r"), (pause, "/quit\r")];
            assert_eq!(judged(&cut), [true; 3], "{pause} ms");
            let cut = [(0, "one\r"), (pause, "/quit\r"), (pause, "/quit\r")];
            assert_eq!(judged(&cut), [false, true, true], "{pause} ms");
            let cut = [(0, "one\r"), (pause, "/quit"), (pause, "\r")];
            assert!(judged(&cut)[1], "{pause} ms");
        }
        // A byte at a time, as over a slow line.
        let text = format!("one\r{}\r/quit\r", "x".repeat(300));
        let bytes: Vec<(u64, &str)> = (0..text.len()).map(|i| (15, &text[i..=i])).collect();
        let ends: Vec<bool> = judged(&bytes)
            .into_iter()
            .zip(text.bytes())
            .filter_map(|(pasted, byte)| (byte == b'\r').then_some(pasted))
            .collect();
        assert_eq!(ends, [false, true, true]);
    }

    #[test]
    fn what_is_not_read_for_a_while_is_no_slower_for_it() {
        let mut typing = Typing::default();
        let now = Instant::now();
        typing.read(b"one\r", false, now);
        // Nobody looked whether more was there.
        let later = now + Duration::from_secs(9);
        assert!(typing.read(b"/quit\r", false, later).in_bulk);
        typing.settle();
        assert!(!typing.read(b"/quit\r", false, later + SAME_PASTE).in_bulk);
    }

    #[test]
    fn a_paste_in_brackets_goes_on_for_a_moment() {
        let mut typing = Typing::default();
        let now = Instant::now();
        assert!(!typing.read(b"/q\x1b[200~a\n", false, now).in_bulk);
        assert!(typing.is_pasting());
        typing.settle();
        assert!(!typing.read(b"b\n\x1b[201~", true, now).in_bulk);
        typing.settle();
        let soon = now + Duration::from_millis(99);
        assert!(typing.read(b"/quit\n\x1b[200~x", false, soon).in_bulk);
        let later = soon + SAME_PASTE;
        typing.settle();
        assert!(!typing.read(b"/quit\n", false, later).in_bulk);
        assert!(!typing.is_pasting());
    }

    #[test]
    fn the_halves_of_an_end_of_a_line_find_each_other() {
        let cut = [(0, "/who\r"), (5, "\n"), (95, "/who\r"), (5, "\n")];
        assert_eq!(judged(&cut), [false; 4]);
        let cut = [(0, "GET\r"), (5, "\nHost\r"), (5, "\n\r"), (5, "\n")];
        assert_eq!(judged(&cut), [false, true, true, false]);
    }

    proptest! {
        /// Wherever a paste of several lines is cut, and with whatever pauses that are no longer than a
        /// paste's, of its lines only the first can pass for typed.
        #[test]
        fn no_cut_makes_a_paste_typed(
            lines in prop::collection::vec("[a-z/ ]{0,12}", 2..6),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..100_u64), 0..8),
        ) {
            let text = lines.join("\r") + "\r";
            let mut ends: Vec<(usize, u64)> = cuts
                .iter()
                .map(|(at, pause)| (at.index(text.len()), *pause))
                // Behind the end of a line, or with hardly a pause.
                .map(|(at, pause)| match at == 0 || text.as_bytes()[at - 1] == b'\r' {
                    true => (at, pause),
                    false => (at, pause % 20),
                })
                .collect();
            ends.sort_unstable();
            ends.dedup_by_key(|&mut (at, _)| at);
            let mut typing = Typing::default();
            let mut now = Instant::now();
            let (mut start, mut typed, mut seen) = (0, 0, 0);
            for (end, pause) in ends.into_iter().chain([(text.len(), 0)]) {
                let piece = &text[start..end];
                if !piece.is_empty() {
                    let arrival = typing.read(piece.as_bytes(), false, now);
                    typing.settle();
                    let first = seen == 0;
                    seen += piece.matches('\r').count();
                    typed += usize::from(!arrival.in_bulk && piece.contains('\r') && !first);
                }
                now += Duration::from_millis(pause);
                start = end;
            }
            prop_assert_eq!(typed, 0);
        }
    }
}
