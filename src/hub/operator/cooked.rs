//! Cooked: the input of a terminal whose lines the kernel edits (termios(3), canonical mode).
//!
//! A Ctrl-D in a line hands over what there is of it, and the rest comes later.
//!
//! It promises: the brackets of a paste are no text, wherever they are cut; bytes that came faster
//! than a person types are not taken for typed; the beginning of a line that may become a command
//! waits for its end, also behind a Ctrl-D, where it is judged as a line; text that is pasted behind
//! the beginning of a private line is known to belong to it, however many lines it has.

use std::time::Duration;
use std::time::Instant;

use crate::engine::brackets::Brackets;
use crate::engine::brackets::PASTE_BEGINS;
use crate::engine::brackets::PASTE_ENDS;
use crate::engine::brackets::behind_begin;
use crate::engine::brackets::has_words_behind_end;
use crate::engine::command::may_become_command;
use crate::engine::private::is_seen;
use crate::engine::typing::Arrival;
use crate::engine::typing::Typing;

/// A paste whose end did not come goes on for so long after what was read last.
const PASTE_PAUSES: Duration = Duration::from_secs(2);

/// The state between two reads. See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Cooked {
    brackets: Brackets,
    typing: Typing,
    /// The beginning of a line that may become a command, and whether it was typed.
    held: Vec<u8>,
    held_is_typed: bool,
    /// The line goes on of which the beginning was given away.
    is_midline: bool,
    /// The piece that was given away last began a private line.
    is_aside: bool,
    /// Whole lines of a paste were of that, so that its last row, which has no end, may stand in the kernel: what is
    /// typed next goes on behind it.
    leaves_rest: bool,
}

/// What comes behind a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// What is read next.
    Later,
    /// A paste in brackets, in the same read: another text.
    Text,
    /// Nothing ever.
    End,
}

/// What was read at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arrived {
    pub(super) text: Vec<u8>,
    /// It came as typed lines come, one at a time.
    pub(super) is_typed: bool,
    /// It belongs to what began with a line for one alone.
    pub(super) is_aside: bool,
    /// It was typed, or is another paste, but its first line may begin with the last row of a paste that did.
    pub(super) is_behind_rest: bool,
}

impl Cooked {
    /// Takes in what was read at once, or one text of that, and what comes `behind` it. `has_commands`: a line may
    /// be one. `is_for_one`: whether a line, typed or pasted, is for one alone.
    pub(super) fn take_in(
        &mut self,
        bytes: &[u8],
        behind: Behind,
        has_commands: bool,
        is_for_one: impl Fn(&str) -> bool,
        now: Instant,
    ) -> Arrived {
        let has_ended = behind == Behind::End;
        let mut text = Vec::new();
        // With the brackets it is seen that nothing was typed before it.
        let is_beginning = !self.is_midline && self.held.is_empty();
        let behind_end = bytes.strip_prefix(PASTE_ENDS).unwrap_or(bytes);
        let is_text = is_beginning && behind_end.starts_with(PASTE_BEGINS);
        let was_quiet = self.typing.was_quiet(PASTE_PAUSES, now);
        if was_quiet {
            self.brackets.miss_end(bytes);
        }
        // Something stands behind the bracket on the row that a paste left.
        let goes_on_by_hand = self.brackets.is_open() && has_words_behind_end(bytes);
        let is_another = was_quiet && (!self.brackets.is_open() || goes_on_by_hand);
        let is_pasted = self.brackets.take_out(bytes, &mut text);
        if bytes.last() == Some(&b'\r') {
            // Typed ahead while a shell read keys, it was not made a line feed as this terminal's Enter is.
            for byte in text.iter_mut().filter(|byte| **byte == b'\r') {
                *byte = b'\n';
            }
        }
        if has_ended {
            self.brackets.finish(&mut text);
        }
        let arrival = match text.is_empty() {
            true => Arrival::default(),
            false => self.typing.read(&text, is_pasted, now),
        };
        // An Enter alone, and the bracket directly behind it tells that the paste is another text.
        let is_enter = text == b"\n" && bytes.ends_with(PASTE_BEGINS);
        let is_followed = behind == Behind::Text && !is_enter;
        let mut is_typed = !text.is_empty() && !arrival.in_bulk && !is_pasted && !is_followed;
        if !self.held.is_empty() {
            is_typed = self.held_is_typed && (is_typed || text.is_empty());
            text.splice(..0, self.held.drain(..));
        }
        if has_commands && !has_ended {
            let line = memchr::memrchr(b'\n', &text).map_or(0, |lf| lf + 1);
            // What comes behind a part of a line that Ctrl-D sent is judged as a line, too.
            if may_become_command(&String::from_utf8_lossy(&text[line..])) {
                self.held = text.split_off(line);
                self.held_is_typed = is_typed && line == 0;
            }
        }
        let mut arrived = Arrived::default();
        if let Some(&last) = text.last() {
            let is_behind_rest = std::mem::take(&mut self.leaves_rest) && !is_text;
            let is_line = memchr::memchr(b'\n', &text) == Some(text.len() - 1);
            let is_by_hand = goes_on_by_hand && is_line && !arrival.follows;
            let is_rest = is_behind_rest && !is_another && !is_by_hand;
            let follows = (self.is_aside && arrival.follows) || is_rest;
            let is_another_aside = is_behind_rest && begins_aside(behind_begin(bytes), &is_for_one);
            let begins_aside = begins_aside(&text, &is_for_one);
            arrived.is_aside = (follows && !is_typed) || begins_aside || is_another_aside;
            // Enter alone says that nothing stood there, unless Ctrl-D handed it over before. Of another paste it is
            // no more than the first row.
            let has_words = text != b"\n" || self.is_midline;
            let is_told = is_typed || is_by_hand || !arrived.is_aside;
            arrived.is_behind_rest = is_behind_rest && has_words && is_told;
            self.is_midline = last != b'\n';
            // What is pasted directly behind the end of that row belongs to it, too.
            self.is_aside = arrived.is_aside || (is_behind_rest && is_typed);
            // Behind the bracket that ends a paste nothing of it stands in the kernel.
            let is_over = is_pasted && !self.brackets.is_open();
            self.leaves_rest = match self.is_midline {
                // Ctrl-D handed over a part of the row, whose rest stands there.
                true => is_behind_rest || (self.is_aside && !is_typed),
                false => self.is_aside && !is_typed && !is_over,
            };
        }
        arrived.text = text;
        arrived.is_typed = is_typed;
        arrived
    }

    /// Takes note that nothing more waits to be read.
    pub(super) fn settle(&mut self) {
        self.typing.settle();
    }

    /// Behind the rest of a paste, what was taken in last began with a line for one alone.
    pub(super) fn was_for_one(&mut self) {
        self.is_aside = true;
        self.leaves_rest |= self.is_pasting();
    }

    /// Whether what was taken in last was pasted.
    pub(super) fn is_pasting(&self) -> bool {
        self.typing.is_pasting()
    }
}

/// Whether the first line of a text that is not blank is for one alone.
fn begins_aside(text: &[u8], is_for_one: impl Fn(&str) -> bool) -> bool {
    let mut lines = text
        .split(|&byte| byte == b'\n')
        .map(String::from_utf8_lossy);
    let first = lines.find(|line| is_seen(line));
    first.is_some_and(|line| is_for_one(line.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::private::is_private;

    #[test]
    fn a_line_alone_is_typed_and_what_comes_in_brackets_is_not() {
        let mut cooked = Cooked::default();
        let mut now = Instant::now();
        for (bytes, text, is_typed) in [
            ("/who\n", "/who\n", true),
            ("\x1b[200~/who\n", "/who\n", false),
            ("/quit\n\x1b[201~", "/quit\n", false),
            ("one\ntwo\n", "one\ntwo\n", false),
            ("typed ahead\r", "typed ahead\n", true),
            ("/msg 1 x\n", "/msg 1 x\n", true),
            ("\x1b[20", "", false),
        ] {
            let arrived = cooked.take_in(bytes.as_bytes(), Behind::Later, false, is_private, now);
            assert_eq!(arrived.text, text.as_bytes(), "{bytes:?}");
            assert_eq!(arrived.is_typed, is_typed, "{bytes:?}");
            cooked.settle();
            now += Duration::from_secs(1);
        }
        assert_eq!(
            cooked
                .take_in(b"", Behind::End, false, is_private, now)
                .text,
            b"\x1b[20"
        );
    }

    /// What is given away of these pieces, each read after a while, and which of it is typed.
    fn given(pieces: &[&str], ends: bool) -> Vec<(String, bool)> {
        let mut cooked = Cooked::default();
        let mut now = Instant::now();
        let last = pieces.len() - 1;
        let take = |(i, piece): (usize, &&str)| {
            now += Duration::from_secs(1);
            let behind = match ends && i == last {
                true => Behind::End,
                false => Behind::Later,
            };
            let arrived = cooked.take_in(piece.as_bytes(), behind, true, is_private, now);
            cooked.settle();
            let text = String::from_utf8(arrived.text).unwrap();
            (!text.is_empty()).then_some((text, arrived.is_typed))
        };
        pieces.iter().enumerate().filter_map(take).collect()
    }

    #[test]
    fn what_is_pasted_behind_the_beginning_of_a_line_for_one_alone_is_an_aside() {
        let soon = Duration::from_millis(5);
        for (reads, last_is_aside) in [
            // At once, in one read after the other, in brackets.
            (&["/msg Ana one\ntwo\n"][..], true),
            (&["/msg Ana one\n", "two\n", "three\nfour\n"], true),
            (
                &["/msg Ana \x1b[200~one\n", "two\n", "three\x1b[201~\n"],
                true,
            ),
            (&["\x1b[200~/msg Ana one\ntwo\n", "three\x1b[201~\n"], true),
            (&["\n \n/msg Ana one\ntwo\n", "three\n"], true),
            (
                &["\u{feff}\n\u{200b}\n/msg Ana one\ntwo\n", "three\n"],
                true,
            ),
            // Behind a part of a line that Ctrl-D sent.
            (&["hello ", "/msg Ana one\ntwo\n", "three\n"], true),
            // A text that has such a line in it is a text.
            (&["one\n/msg Ana two\n", "three\n"], false),
            (&["one\n", "two\n"], false),
        ] {
            let mut cooked = Cooked::default();
            let mut now = Instant::now();
            let mut last = Arrived::default();
            for read in reads {
                last = cooked.take_in(read.as_bytes(), Behind::Later, true, is_private, now);
                cooked.settle();
                now += soon;
            }
            assert_eq!(last.is_aside, last_is_aside, "{reads:?}");
            // What is typed then is none.
            let later = now + Duration::from_secs(1);
            let typed = cooked.take_in(b"hello\n", Behind::Later, true, is_private, later);
            assert!(typed.is_typed && !typed.is_aside, "{reads:?}");
        }
    }

    /// The end of a paste stands in the kernel until Enter, and may be erased there.
    #[test]
    fn a_paste_whose_end_was_erased_is_over_after_a_while() {
        for (pause, settles, text, is_typed) in [
            (1, true, "/who\n", false),
            (2, true, "/who\n", true),
            (6, true, "/quit\x1b[201~\n", false),
            // It may have come at once with the first, and was not wanted for so long.
            (6, false, "/who\n", false),
        ] {
            let mut cooked = Cooked::default();
            let mut now = Instant::now();
            cooked.take_in(b"\x1b[200~one\n", Behind::Later, true, is_private, now);
            if settles {
                cooked.settle();
            }
            now += Duration::from_secs(pause);
            let arrived = cooked.take_in(text.as_bytes(), Behind::Later, true, is_private, now);
            assert_eq!(arrived.is_typed, is_typed, "{text:?} after {pause} s");
        }
    }

    #[test]
    fn a_line_before_another_text_was_typed_only_if_it_was_ended_by_an_enter_alone() {
        for (reads, is_typed) in [
            (&["/who\n\x1b[200~"][..], false),
            (&["/who\n"], false),
            (&["/who", "\n\x1b[200~"], true),
            (&["/who", "\x1b[201~\n\x1b[200~"], true),
            (&["/who", "\n"], false),
        ] {
            let mut cooked = Cooked::default();
            let mut now = Instant::now();
            let mut arrived = Arrived::default();
            for (i, read) in reads.iter().enumerate() {
                let behind = match i + 1 == reads.len() {
                    true => Behind::Text,
                    false => Behind::Later,
                };
                arrived = cooked.take_in(read.as_bytes(), behind, true, is_private, now);
                cooked.settle();
                now += Duration::from_secs(1);
            }
            assert_eq!(arrived.text, b"/who\n", "{reads:?}");
            assert_eq!(arrived.is_typed, is_typed, "{reads:?}");
        }
    }

    /// The kernel hands over whole lines, and shows none of a row without an end.
    #[test]
    fn what_is_typed_behind_such_a_paste_may_begin_with_its_last_row() {
        let soon = Duration::from_millis(5);
        let later = Duration::from_secs(9);
        let aside = [(soon, "/msg Ana p\n"), (soon, "q\n")];
        for (reads, expected) in [
            (
                &[(later, "rest\n"), (later, "hello\n")][..],
                &[true, false][..],
            ),
            // Its end is seen.
            (
                &[
                    (later, "\x1b[200~/msg Ana p\n"),
                    (soon, "q\n"),
                    (later, "r\x1b[201~\n"),
                    (later, "hello\n"),
                ],
                &[false, false, false, false],
            ),
            // Ctrl-D hands over the row, or a part of it.
            (
                &[(later, "rest"), (later, "more\n"), (later, "hello\n")],
                &[true, true, false],
            ),
            (&[(later, "rest"), (later, "\n")], &[true, true]),
            (
                &[
                    (later, "\x1b[200~/msg Ana p\n"),
                    (soon, "q\n"),
                    (later, "r\x1b[201~x"),
                    (later, "more\n"),
                    (later, "hello\n"),
                ],
                &[false, false, true, true, false],
            ),
            // It is seen that something stands behind it.
            (
                &[
                    (later, "\x1b[200~/msg Ana p\n"),
                    (soon, "q\n"),
                    (Duration::from_millis(500), "r\x1b[201~ typed\n"),
                    (later, "hello\n"),
                ],
                &[false, false, true, false],
            ),
            (
                &[
                    (later, "\x1b[200~/msg Ana p\n"),
                    (Duration::from_millis(500), "r\x1b[201~/msg Ana x\n"),
                    (later, "hello\n"),
                ],
                &[false, true, false],
            ),
            (
                &[
                    (later, "\x1b[200~/msg Ana p\n"),
                    (later, "r\x1b[201~\x1b[200~a text\nof two\n\x1b[201~"),
                    (later, "hello\n"),
                ],
                &[false, true, false],
            ),
            (
                &[
                    (later, "\x1b[200~/msg Ana p\n"),
                    (later, "r\x1b[201~\x1b[200~/msg Ana s\nt\n\x1b[201~"),
                    (later, "hello\n"),
                ],
                &[false, false, false],
            ),
            // Nothing stood there, or it is seen what did.
            (&[(later, "\n"), (later, "hello\n")], &[false, false]),
            (&[(later, "\x1b[200~a text\x1b[201~\n")], &[false]),
            (&[(soon, "r\n"), (later, "rest\n")], &[false, true]),
        ] {
            let mut cooked = Cooked::default();
            let mut now = Instant::now();
            let mut take_in = |&(pause, text): &(Duration, &str)| {
                now += pause;
                let arrived = cooked.take_in(text.as_bytes(), Behind::Later, true, is_private, now);
                cooked.settle();
                arrived
            };
            let before: Vec<Arrived> = aside.iter().map(&mut take_in).collect();
            assert!(before[1].is_aside && !before[1].is_behind_rest);
            let behind: Vec<bool> = reads
                .iter()
                .map(|read| take_in(read).is_behind_rest)
                .collect();
            assert_eq!(behind, expected, "{reads:?}");
        }
        // Nor is one that is pasted directly behind the end of that row.
        for row in ["rest\n", "\n"] {
            let mut cooked = Cooked::default();
            let mut now = Instant::now();
            let mut last = Arrived::default();
            for (pause, text) in [
                (soon, "/msg Ana p\nq\n"),
                (later, row),
                (soon, "more\nand more\n"),
            ] {
                now += pause;
                last = cooked.take_in(text.as_bytes(), Behind::Later, true, is_private, now);
                cooked.settle();
            }
            assert!(last.is_aside && !last.is_typed, "{row:?}");
        }
        // What is pasted soon behind it is no more said than it, and later only its first row is not.
        for (pause, is_aside) in [(Duration::from_secs(1), true), (later, false)] {
            let mut cooked = Cooked::default();
            let mut now = Instant::now();
            cooked.take_in(b"/msg Ana p\nq\n", Behind::Later, true, is_private, now);
            cooked.settle();
            now += pause;
            let arrived = cooked.take_in(b"rest\nmore\n", Behind::Later, true, is_private, now);
            assert_eq!(
                (arrived.is_aside, arrived.is_behind_rest),
                (is_aside, !is_aside)
            );
            cooked.settle();
            now += later;
            let arrived = cooked.take_in(b"a text\nof two\n", Behind::Later, true, is_private, now);
            assert_eq!(
                (arrived.is_aside, arrived.is_behind_rest),
                (false, is_aside)
            );
        }
        // A paste in brackets behind the end of another begins with nothing.
        let mut cooked = Cooked::default();
        let now = Instant::now();
        cooked.take_in(
            b"\x1b[200~/msg Ana p\nq\n",
            Behind::Later,
            true,
            is_private,
            now,
        );
        cooked.settle();
        let paste = b"\x1b[201~\x1b[200~a text\nof two\n";
        let arrived = cooked.take_in(
            paste,
            Behind::Later,
            true,
            is_private,
            now + Duration::from_secs(1),
        );
        assert!(!arrived.is_aside && !arrived.is_behind_rest);
    }

    /// A line that is longer than what is read at once, or than the kernel keeps of one, comes in pieces without a Ctrl-D.
    #[test]
    fn a_long_line_arrives_whole_and_in_order_wherever_it_is_cut() {
        const CUT: usize = 4095;
        let unit = "/a (b) msg 7 é. ";
        for from in 0..unit.chars().count() {
            let line: String = unit.chars().cycle().skip(from).take(5 * CUT).collect();
            for last in ["\n", ""] {
                let line = format!("{line}{last}");
                let mut cooked = Cooked::default();
                let mut now = Instant::now();
                let mut arrived = Vec::new();
                let mut pieces: Vec<&[u8]> = line.as_bytes().chunks(CUT).collect();
                pieces.push(b"");
                let end = pieces.len() - 1;
                for (i, piece) in pieces.into_iter().enumerate() {
                    now += Duration::from_millis(1);
                    let behind = match i == end {
                        true => Behind::End,
                        false => Behind::Later,
                    };
                    arrived.extend(cooked.take_in(piece, behind, true, is_private, now).text);
                }
                assert_eq!(arrived, line.as_bytes(), "from {from}");
            }
        }
    }

    #[test]
    fn the_beginning_of_what_may_be_a_command_waits_for_its_end() {
        let typed = |text: &str| (String::from(text), true);
        for pieces in [
            &["/", "msg 1 a pin\n"][..],
            &["/msg 1 a", " pin\n"],
            &[" ", "/msg", " 1", " a pin\n"],
            &[".", "m", "sg 1 a pin\n"],
            &["7", "msg 1 a pin\n"],
        ] {
            assert_eq!(given(pieces, false), [typed(&pieces.concat())]);
        }
        // Behind a part of a line that Ctrl-D sent, too: there it is judged as a line.
        for (pieces, row) in [
            (&["foo ", "/ms", "g 2 a pin\n"][..], "/msg 2 a pin\n"),
            (&["foo ", "/wh", "o\n"], "/who\n"),
            (&["foo ", "ms", "g 2 a pin\n"], "msg 2 a pin\n"),
            (&["foo ", ".", "m", "sg 2 a pin\n"], ".msg 2 a pin\n"),
        ] {
            assert_eq!(given(pieces, false), [typed("foo "), typed(row)]);
        }
        let pieces = ["login: ", "ana", "/who\n", "/w", "ho\n"];
        let expected = ["login: ", "ana", "/who\n", "/who\n"].map(typed);
        assert_eq!(given(&pieces, false), expected);
        // The end of the input is its end, too.
        assert_eq!(given(&["/who", ""], true), [typed("/who")]);
        assert_eq!(
            given(&["foo ", "(ba", "r", ""], true),
            ["foo ", "(bar"].map(typed)
        );
        // What was pasted stays that, and so does a line that it begins.
        let pieces = ["one\n/wh", "o\n"];
        let expected = [
            (String::from("one\n"), false),
            (String::from("/who\n"), false),
        ];
        assert_eq!(given(&pieces, false), expected);
    }
}
