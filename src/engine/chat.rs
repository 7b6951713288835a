//! A chat: the speaker's name stands before every line, and no participant can pretend to be
//! another.
//!
//! What the participants of a chat receive is text, for their terminals may be plain nc: whole
//! lines, each of them `<name> ` and what that name's owner said, or `* ` and an announcement. What
//! would act on a terminal is shown instead, as [`escape`](crate::engine::escape) does it. A
//! private line begins with `<name, to you alone> `, which cannot be a name.
//!
//! ```text
//!   * user3 joined
//!   <user3> what is a socket?
//!   * user3 is now Ana
//!   <host> a door with a number, Ana
//!   <Ana, to you alone> psst
//! ```
//!
//! It promises: no participant's words can begin a line. (A line wider than a terminal continues on
//! its next row without a label: the hub cannot know how wide the participants' terminals are.)

use std::mem;

use crate::engine::escape::Escaper;
use crate::engine::escape::push_letters;
use crate::engine::lines::Lines;

/// Capacity above which what was composed in a turn gives its memory back.
const KEPT: usize = 256 * 1024;

/// The longest welcome, in bytes.
pub const MAX_WELCOME: usize = 400;

/// What a chat is asked to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What the operator is called.
    pub host: String,
    /// The first line that a newcomer reads, at most [`MAX_WELCOME`] bytes.
    pub welcome: Option<String>,
    /// The operator reads what participants say to one alone.
    pub open_messages: bool,
}

impl Rules {
    /// A chat without a welcome whose operator is called so.
    pub fn of(host: &str) -> Rules {
        Rules {
            host: host.into(),
            welcome: None,
            open_messages: false,
        }
    }
}

/// The rules of a chat, and the names in it. See the module's documentation.
#[derive(Debug)]
pub struct Chat {
    rules: Rules,
    line_end: &'static str,
    /// The welcome as a newcomer gets it, with its end.
    welcome: String,
    /// The rest of the operator's bytes that is no complete character yet.
    pub(super) escaper: Escaper,
    /// Here so that its memory is reused.
    composed: Composed,
}

impl Chat {
    /// A chat by these rules, whose operator's name [is free](crate::engine::names::is_free_for_host);
    /// with `crlf` its lines end in CRLF.
    pub fn new(rules: Rules, crlf: bool) -> Chat {
        let line_end = if crlf { "\r\n" } else { "\n" };
        let mut welcome = String::new();
        if let Some(text) = &rules.welcome {
            welcome.push_str("* ");
            push_letters(text, &mut welcome);
            welcome.push_str(line_end);
        }
        Chat {
            line_end,
            welcome,
            escaper: Escaper::default(),
            composed: Composed::default(),
            rules,
        }
    }

    /// What the operator is called.
    pub fn host(&self) -> &str {
        &self.rules.host
    }

    /// Whether the operator reads what participants say to one alone.
    pub fn has_open_messages(&self) -> bool {
        self.rules.open_messages
    }

    /// What a newcomer reads first, if anything.
    pub fn welcome(&self) -> &str {
        &self.welcome
    }

    /// What ends a line for the participants.
    pub fn line_end(&self) -> &'static str {
        self.line_end
    }

    /// Nothing composed, to be given back to [`Chat::put_composed`].
    pub(super) fn take_composed(&mut self) -> Composed {
        mem::take(&mut self.composed)
    }

    pub(super) fn put_composed(&mut self, mut composed: Composed) {
        composed.clear();
        self.composed = composed;
    }
}

/// What a line begins with that is for its reader alone.
pub(super) fn private_label(from: &str) -> String {
    format!("<{from}, to you alone> ")
}

/// A step of what a speaker says.
#[derive(Debug, Clone, Copy)]
pub enum Speech<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// What was held of an unfinished line is passed on, though the speaker may go on with it.
    Pause,
    /// It says no more.
    End,
}

/// One line of what a speaker said, or a piece of one that does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Visible text, ended by a line feed.
    pub text: &'a str,
    /// The same bytes as they are, if they are [kept](Composed::keep_bytes).
    pub bytes: &'a [u8],
    /// The line goes on in the next piece.
    pub is_cut: bool,
}

/// What a speaker said, in lines.
#[derive(Debug, Default)]
pub struct Composed {
    /// Lines of visible text, each ended by a line feed.
    text: String,
    keeps_bytes: bool,
    bytes: Vec<u8>,
    /// Where in the text, and in the bytes, pieces end whose lines go on.
    cuts: Vec<(usize, usize)>,
}

impl Composed {
    /// Keeps the bytes of what is taken in from now on, or does not.
    pub fn keep_bytes(&mut self, wanted: bool) {
        self.keeps_bytes = wanted;
    }

    /// Takes in what a speaker says. Also what does not end makes lines: each
    /// [`MAX_LINE`](crate::engine::lines::MAX_LINE) bytes of it, and the rest at its end.
    pub fn take_in(&mut self, lines: &mut Lines, escaper: &mut Escaper, speech: Speech<'_>) {
        let Speech::Bytes(mut bytes) = speech else {
            lines.finish(|_| (), |rest| self.push(rest, escaper));
            escaper.finish(&mut self.text);
            return self.end_line(matches!(speech, Speech::Pause));
        };
        while !bytes.is_empty() {
            // Cut there, so that the lines are the same however the bytes were read.
            let (now, later) = bytes.split_at(bytes.len().min(lines.room()));
            lines.feed(now, false, |_| (), |whole| self.push(whole, escaper));
            self.end_line(true);
            bytes = later;
        }
    }

    fn push(&mut self, said: &[u8], escaper: &mut Escaper) {
        if self.keeps_bytes {
            self.bytes.extend_from_slice(said);
        }
        escaper.escape(said, &mut self.text);
    }

    /// Ends a piece of a line, if there is one.
    fn end_line(&mut self, is_cut: bool) {
        if self.text.is_empty() || self.text.ends_with('\n') {
            return;
        }
        self.text.push('\n');
        if is_cut {
            self.cuts.push((self.text.len(), self.bytes.len()));
        }
    }

    /// The lines, in order.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let mut cuts = self.cuts.iter().peekable();
        let mut bytes = &self.bytes[..];
        let mut at = 0;
        self.text.split_inclusive('\n').map(move |text| {
            at += text.len();
            let cut = cuts.next_if(|(end, _)| *end == at);
            let left = self.bytes.len() - bytes.len();
            let end = match cut {
                Some((_, end)) => end - left,
                None => memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1),
            };
            let line;
            (line, bytes) = bytes.split_at(end);
            Line {
                text,
                bytes: line,
                is_cut: cut.is_some(),
            }
        })
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(KEPT);
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.cuts.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::escape::is_unsafe;
    use crate::engine::lines::MAX_LINE;

    fn said(pieces: &[&[u8]]) -> String {
        let (mut lines, mut escaper) = (Lines::default(), Escaper::default());
        let mut composed = Composed::default();
        composed.keep_bytes(true);
        let steps = pieces.iter().map(|piece| Speech::Bytes(piece));
        for step in steps.chain([Speech::End]) {
            composed.take_in(&mut lines, &mut escaper, step);
            let text = &composed.text;
            assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
        }
        let all: Vec<u8> = composed
            .lines()
            .flat_map(|line| line.bytes.to_vec())
            .collect();
        assert_eq!(all, pieces.concat(), "each byte is in one line");
        for line in composed.lines() {
            let ends = line.bytes.ends_with(b"\n");
            assert!(!(ends && line.is_cut), "{line:?}");
            let breaks = line.bytes.iter().filter(|&&byte| byte == b'\n');
            assert_eq!(breaks.count(), usize::from(ends), "{line:?}");
            assert_eq!(memchr::memchr_iter(b'\n', line.text.as_bytes()).count(), 1);
        }
        composed.text
    }

    #[test]
    fn a_piece_of_a_line_that_goes_on_is_known_as_one() {
        let (mut lines, mut escaper) = (Lines::default(), Escaper::default());
        let mut composed = Composed::default();
        composed.keep_bytes(true);
        let long = [b'x'; MAX_LINE + 3];
        for step in [
            Speech::Bytes(b"one\ntw"),
            Speech::Pause,
            Speech::Bytes(b"o\r\n"),
            Speech::Bytes(&long),
            Speech::Bytes(b"\nlast"),
            Speech::End,
        ] {
            composed.take_in(&mut lines, &mut escaper, step);
        }
        let got: Vec<(usize, usize, bool)> = composed
            .lines()
            .map(|line| (line.text.len(), line.bytes.len(), line.is_cut))
            .collect();
        let expected = [
            (4, 4, false),
            (3, 2, true),
            (2, 3, false),
            (MAX_LINE + 1, MAX_LINE, true),
            (4, 4, false),
            (5, 4, false),
        ];
        assert_eq!(got, expected);
        composed.clear();
        assert_eq!(composed.lines().count(), 0);
    }

    #[test]
    fn what_is_said_becomes_lines_of_visible_text() {
        let cases: [(&[u8], &str); 9] = [
            (b"", ""),
            (b"\n", "\n"),
            (b"one\ntwo\r\n\nrest", "one\ntwo\n\nrest\n"),
            (b"good\rbad\n", "good^Mbad\n"),
            (b"end\r", "end^M\n"),
            (b"\x1b[2J\x00\x85\n", "^[[2J^@\u{fffd}\n"),
            ("caf\u{e9} \u{65e5}\n".as_bytes(), "caf\u{e9} \u{65e5}\n"),
            (
                "\u{202e}\u{2028}\u{85}\n".as_bytes(),
                "<U+202E><U+2028><U+0085>\n",
            ),
            (b"cut \xe6\x97", "cut \u{fffd}\n"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(said(&[bytes]), expected, "{bytes:?}");
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(said(&single), expected, "{bytes:?} byte by byte");
        }
    }

    #[test]
    fn what_does_not_end_is_cut_at_the_same_places_however_it_comes() {
        // Two bytes each, and an odd one in front: a cut is in the middle of one.
        let long = format!("x{}", "\u{e9}".repeat(MAX_LINE));
        let expected = said(&[long.as_bytes()]);
        let lines: Vec<&str> = expected.lines().collect();
        assert_eq!(lines.concat(), long, "no character is lost at a cut");
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.len() <= MAX_LINE + 2));
        for size in [999, MAX_LINE - 1, MAX_LINE, MAX_LINE + 1] {
            let pieces: Vec<&[u8]> = long.as_bytes().chunks(size).collect();
            assert_eq!(said(&pieces), expected, "in pieces of {size}");
        }
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter_and_nothing_acts(
            bytes in prop::collection::vec(
                prop_oneof![
                    any::<u8>(),
                    prop::sample::select(b"\x1b\r\n\xc2\x85\xe2\x80\xae<>* ".to_vec()),
                ],
                0..100,
            ),
            size in 1usize..20,
        ) {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            let text = said(&pieces);
            prop_assert_eq!(&text, &said(&[&bytes]));
            prop_assert!(text.chars().all(|c| c == '\n' || c == '\t' || !is_unsafe(c)));
        }
    }
}
