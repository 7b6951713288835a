//! Escaping: the bytes of strangers made visible, so that nothing they send can do anything to a
//! terminal but show text.
//!
//! What would act (escape sequences, carriage returns, C1 controls) or deceive (characters that
//! reorder or hide text) is shown instead of obeyed, and never silently removed, so that an attack
//! is seen. Bytes are filtered, not sequences parsed: an unterminated sequence cannot swallow what
//! follows it.
//!
//! It promises: the output is valid UTF-8 of printable text, line feeds and tabs, whatever the
//! input and however it is cut; the same bytes give the same text; at most four bytes and a joiner are held.

use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

/// One stranger's stream on its way to a terminal.
#[derive(Debug, Default, Clone)]
pub struct Escaper {
    /// The beginning of a character that is not complete yet.
    held: [u8; 3],
    len: u8,
    /// A CR came last: it belongs to a line break if an LF follows.
    after_cr: bool,
    letters: Letters,
}

impl Escaper {
    /// Appends `bytes` to `out` as text that is safe to show.
    pub fn escape(&mut self, mut bytes: &[u8], out: &mut String) {
        while self.len > 0 && !bytes.is_empty() {
            // Complete the held character, byte by byte: it may turn out not to be one.
            let (first, rest) = bytes.split_at(1);
            let mut joined = [0; 4];
            let len = usize::from(self.len);
            joined[..len].copy_from_slice(&self.held[..len]);
            joined[len] = first[0];
            let joined = &joined[..=len];
            match std::str::from_utf8(joined) {
                Ok(text) => {
                    self.len = 0;
                    self.escape_text(text, out);
                    bytes = rest;
                }
                Err(error) if error.error_len().is_none() => {
                    self.held[len] = first[0];
                    self.len += 1;
                    bytes = rest;
                }
                Err(_) => {
                    // The new byte is not part of it.
                    self.len = 0;
                    self.invalid(out);
                }
            }
        }
        for chunk in bytes.utf8_chunks() {
            self.escape_text(chunk.valid(), out);
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            let at_end = bytes.as_ptr_range().end == invalid.as_ptr_range().end;
            let unfinished =
                std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if at_end && unfinished {
                self.held[..invalid.len()].copy_from_slice(invalid);
                self.len = invalid.len() as u8;
            } else {
                self.invalid(out);
            }
        }
    }

    /// Appends what is held: the stream has ended.
    pub fn finish(&mut self, out: &mut String) {
        if self.len > 0 {
            self.len = 0;
            self.invalid(out);
        }
        self.settle_cr(out);
        self.letters.end(out);
    }

    fn invalid(&mut self, out: &mut String) {
        self.settle_cr(out);
        self.letters.push(char::REPLACEMENT_CHARACTER, out);
    }

    fn settle_cr(&mut self, out: &mut String) {
        if std::mem::take(&mut self.after_cr) {
            self.letters.end(out);
            out.push_str("^M");
        }
    }

    fn escape_text(&mut self, mut text: &str, out: &mut String) {
        loop {
            // Most of what people write is runs of these.
            let run = text.bytes().position(|byte| !is_printable_ascii(byte));
            let (run, rest) = text.split_at(run.unwrap_or(text.len()));
            if !run.is_empty() {
                self.settle_cr(out);
                self.letters.push_ascii(run, out);
            }
            let mut rest = rest.chars();
            match rest.next() {
                None => return,
                Some(letter) => self.escape_letter(letter, out),
            }
            text = rest.as_str();
        }
    }

    fn escape_letter(&mut self, letter: char, out: &mut String) {
        if letter == '\n' {
            // The CR before it, if any, was half of the line break.
            self.after_cr = false;
            self.letters.end(out);
            out.push('\n');
            return;
        }
        self.settle_cr(out);
        match letter {
            '\r' => self.after_cr = true,
            '\t' => {
                self.letters.end(out);
                out.push('\t');
            }
            letter => self.letters.push(letter, out),
        }
    }
}

/// Whether a byte is a space, or a letter of ASCII that is seen.
fn is_printable_ascii(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// Whether a letter is seen and takes cells of its own, whatever stands before it, and is no space: by
/// its range alone, which is quicker than its properties. Of others that is not said.
fn is_plain(letter: char) -> bool {
    matches!(letter,
        '!'..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{2ff}' | '\u{38e}'..='\u{482}'
        | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | char::REPLACEMENT_CHARACTER)
}

/// Whether a terminal could do more with this character than show it, or would show nothing, whatever
/// stands before it. Of these are all that Unicode calls Default_Ignorable_Code_Point (Unicode
/// Character Database, DerivedCoreProperties.txt), but for the four that [`Letters`] decides on, the
/// format controls of hieroglyphs, noncharacters, and what is drawn as nothing: the pattern of Braille that
/// has no dots, fillers, joiners of numbers and a note without a head.
pub fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || is_noncharacter(letter)
        || matches!(letter,
            // Direction marks, embeddings, overrides and isolates reorder what is read.
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // These are invisible, and hide or imitate.
            | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1107f}' | '\u{13430}'..='\u{1343f}' | '\u{16fe4}' | '\u{1d159}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether Unicode will never make it a character (The Unicode Standard, 23.7).
fn is_noncharacter(letter: char) -> bool {
    let code = u32::from(letter);
    code & 0xfffe == 0xfffe || matches!(code, 0xfdd0..=0xfdef)
}

/// Whether it is a space that is not the one of a keyboard, nor the one at which no line breaks:
/// some are of no width or of two cells, and a reader does not see where one ends.
fn is_odd_space(letter: char) -> bool {
    matches!(
        letter,
        '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// Marks that one letter can have; more are shown by their codes. Unicode calls a text with up to 30
/// safe (UAX #15), but that many cover the rows above and below; no script needs as many as these.
const MARKS: u8 = 8;

/// Letters of strangers, one after the other, as they may go to a terminal.
///
/// A character that takes no cell of its own is let through only where writing needs it, and at
/// most one or a few for each visible letter: marks on a letter, a joiner between two letters that
/// are not ASCII, a non-joiner after one, and the selectors of text or emoji after what can be one.
/// One space that no keyboard has is let through behind a letter. Anywhere else it is shown by its
/// code, so that no row looks empty that is not.
///
/// A joiner is held until it is known what follows: tmux (3.3a) takes whatever is written behind one
/// into the same cell, which may be the first letter of the row on which a line is being typed.
#[derive(Debug, Default, Clone, Copy)]
pub struct Letters {
    /// The letter before, while something may be added to it.
    base: Option<char>,
    marks: u8,
    /// What was added last, but for marks.
    after: Added,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Added {
    #[default]
    Nothing,
    Selector,
    NonJoiner,
    /// It is held.
    Joiner,
    /// It was let through.
    Joined,
}

const NON_JOINER: char = '\u{200c}';
const JOINER: char = '\u{200d}';

impl Letters {
    /// Appends one letter, shown instead of obeyed if it is unsafe there.
    pub fn push(&mut self, letter: char, out: &mut String) {
        if self.after == Added::Joiner {
            self.settle_joiner(self.joins(letter), out);
        }
        if is_plain(letter) {
            self.begin(letter);
            return out.push(letter);
        }
        if is_unsafe(letter) {
            self.end(out);
            return push_escaped(letter, out);
        }
        match letter {
            JOINER => self.add(letter, Added::Joiner, out),
            NON_JOINER => self.add(letter, Added::NonJoiner, out),
            '\u{fe0e}' | '\u{fe0f}' => self.add(letter, Added::Selector, out),
            _ if letter.width() == Some(0) => self.mark(letter, out),
            _ if is_odd_space(letter) => {
                match self.base.is_some() {
                    true => out.push(letter),
                    false => push_code(letter, out),
                }
                self.end(out);
            }
            _ => {
                match letter.is_whitespace() {
                    true => self.end(out),
                    false => self.begin(letter),
                }
                out.push(letter);
            }
        }
    }

    /// Appends a run of letters of ASCII that are seen, and spaces, which is not empty.
    fn push_ascii(&mut self, run: &str, out: &mut String) {
        self.end(out);
        out.push_str(run);
        match run.as_bytes().last() {
            None | Some(b' ') => {}
            Some(&last) => self.begin(char::from(last)),
        }
    }

    /// A letter was appended to which something may be added.
    fn begin(&mut self, letter: char) {
        *self = Letters {
            base: Some(letter),
            ..Letters::default()
        };
    }

    /// Nothing follows that belongs to what came before: no more, or a break.
    pub fn end(&mut self, out: &mut String) {
        if self.after == Added::Joiner {
            push_code(JOINER, out);
        }
        *self = Letters::default();
    }

    /// Whether a letter is one that may be joined to the letter before. (In Bengali that may be a mark.)
    fn joins(&self, letter: char) -> bool {
        let is_selector = matches!(letter, '\u{fe0e}' | '\u{fe0f}');
        let is_joiner = matches!(letter, JOINER | NON_JOINER);
        let is_mark = || letter.width() == Some(0) && self.marks < MARKS;
        let is_letter = || letter.is_alphabetic() || may_be_emoji(letter);
        let is_blank = letter.is_whitespace();
        let is_other =
            letter.is_ascii() || is_blank || is_unsafe(letter) || is_joiner || is_selector;
        !is_other && (is_mark() || (is_letter() && letter.width() != Some(0)))
    }

    /// It is known what follows a joiner.
    fn settle_joiner(&mut self, joins: bool, out: &mut String) {
        match joins {
            true => {
                self.after = Added::Joined;
                out.push(JOINER);
            }
            false => self.end(out),
        }
    }

    fn add(&mut self, letter: char, what: Added, out: &mut String) {
        let fits = self.base.is_some_and(|base| match what {
            Added::Selector => self.after == Added::Nothing && may_be_emoji(base),
            _ => matches!(self.after, Added::Nothing | Added::Selector) && !base.is_ascii(),
        });
        if !fits {
            self.end(out);
            return push_code(letter, out);
        }
        self.after = what;
        if what != Added::Joiner {
            out.push(letter);
        }
    }

    fn mark(&mut self, letter: char, out: &mut String) {
        if self.base.is_none() || self.marks >= MARKS {
            return push_code(letter, out);
        }
        self.marks += 1;
        out.push(letter);
    }
}

/// Appends a whole text of strangers as it may go to a terminal.
pub fn push_letters(text: &str, out: &mut String) {
    let mut letters = Letters::default();
    text.chars().for_each(|letter| letters.push(letter, out));
    letters.end(out);
}

/// Whether a selector after it can have a meaning (emoji-variation-sequences.txt of Unicode), by
/// ranges: what it does to others of them is nothing.
fn may_be_emoji(letter: char) -> bool {
    matches!(letter,
        '#' | '*' | '0'..='9' | '\u{a9}' | '\u{ae}' | '\u{203c}'..='\u{3299}'
        | '\u{1f000}'..='\u{1faff}')
}

/// Appends one character, shown instead of obeyed if it is unsafe wherever it stands: `^[` for a C0
/// control, `^?` for DEL, `<U+202E>` for the rest.
pub fn push_escaped(letter: char, out: &mut String) {
    match letter {
        '\0'..='\x1f' => {
            out.push('^');
            out.push(char::from(letter as u8 + 0x40));
        }
        '\x7f' => out.push_str("^?"),
        letter if is_unsafe(letter) => push_code(letter, out),
        letter => out.push(letter),
    }
}

/// Appends a character by its code, as `<U+202E>`.
pub fn push_code(letter: char, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "<U+{:04X}>", u32::from(letter));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn show(pieces: &[&[u8]]) -> String {
        let mut escaper = Escaper::default();
        let mut out = String::new();
        for piece in pieces {
            escaper.escape(piece, &mut out);
        }
        escaper.finish(&mut out);
        out
    }

    const VECTORS: [(&[u8], &str); 27] = [
        (b"\x1b]0;pwned\x07x", "^[]0;pwned^Gx"),
        (b"\x1b[c\x1b[6n\x05", "^[[c^[[6n^E"),
        (b"\x1b]52;c;ZXZpbA==\x07", "^[]52;c;ZXZpbA==^G"),
        (b"good\rbad", "good^Mbad"),
        (b"end\r", "end^M"),
        (b"a\tb\r\n", "a\tb\n"),
        (b"\r\r\n", "^M\n"),
        (b"\x00\x7f\x9b2J", "^@^?\u{fffd}2J"),
        (b"\xc2\x9b2J", "<U+009B>2J"),
        ("evil \u{202e}txt".as_bytes(), "evil <U+202E>txt"),
        (
            "\u{200b}\u{feff}\u{2066}\u{e0041}".as_bytes(),
            "<U+200B><U+FEFF><U+2066><U+E0041>",
        ),
        (
            b"\xff\xfe\xc0\xaf\xed\xa0\x80\xe6\x97",
            "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}",
        ),
        (b"\xe6\x97x", "\u{fffd}x"),
        (b"\xf0\x9f\r\n", "\u{fffd}\n"),
        (
            "caf\u{e9} \u{2603} \u{65e5}\u{672c}".as_bytes(),
            "caf\u{e9} \u{2603} \u{65e5}\u{672c}",
        ),
        (
            // Invisible everywhere.
            "\u{ad}\u{34f}\u{115f}\u{3164}\u{ffa0}\u{2800}\u{fe00}\u{e0100}".as_bytes(),
            "<U+00AD><U+034F><U+115F><U+3164><U+FFA0><U+2800><U+FE00><U+E0100>",
        ),
        (
            // Joiners that join nothing.
            "\u{200d}\u{200d}a\u{200d} \u{200c}".as_bytes(),
            "<U+200D><U+200D>a<U+200D> <U+200C>",
        ),
        (
            "\u{e9}\u{200d}\u{200d}\u{200c}x".as_bytes(),
            "\u{e9}<U+200D><U+200D><U+200C>x",
        ),
        (
            // Behind which is an end, a blank, an odd one, a sign, a letter of ASCII, or what is escaped.
            "\u{647}\u{200d}\r\n\u{647}\u{200d} \u{647}\u{200d}\u{3000}\u{647}\u{200d}\u{bb}\u{647}\u{200d}x\u{647}\u{200d}\t\u{647}\u{200d}\x07\u{647}\u{200d}\u{200b}"
                .as_bytes(),
            "\u{647}<U+200D>\n\u{647}<U+200D> \u{647}<U+200D><U+3000>\u{647}<U+200D>\u{bb}\u{647}<U+200D>x\u{647}<U+200D>\t\u{647}<U+200D>^G\u{647}<U+200D><U+200B>",
        ),
        (
            b"\xd9\x87\xe2\x80\x8d\xff\xd9\x87\xe2\x80\x8d\r\xd9\x87\xe2\x80\x8d",
            "\u{647}<U+200D>\u{fffd}\u{647}<U+200D>^M\u{647}<U+200D>",
        ),
        (
            // In Bengali a mark may follow, in Sinhala a letter behind a mark; and emoji with selectors and colours.
            "\u{9b0}\u{200d}\u{9cd}\u{9af} \u{d9a}\u{dca}\u{200d}\u{dba} \u{2764}\u{fe0f}\u{200d}\u{1f525} \u{1f3f3}\u{fe0f}\u{200d}\u{1f308}\u{1f469}\u{1f3fd}\u{200d}\u{2764}"
                .as_bytes(),
            "\u{9b0}\u{200d}\u{9cd}\u{9af} \u{d9a}\u{dca}\u{200d}\u{dba} \u{2764}\u{fe0f}\u{200d}\u{1f525} \u{1f3f3}\u{fe0f}\u{200d}\u{1f308}\u{1f469}\u{1f3fd}\u{200d}\u{2764}",
        ),
        (
            // More marks than are let through.
            "\u{9b0}\u{9cd}\u{9cd}\u{9cd}\u{9cd}\u{9cd}\u{9cd}\u{9cd}\u{9cd}\u{200d}\u{9cd}".as_bytes(),
            "\u{9b0}\u{9cd}\u{9cd}\u{9cd}\u{9cd}\u{9cd}\u{9cd}\u{9cd}\u{9cd}<U+200D><U+09CD>",
        ),
        (
            // Selectors: of a heart, a keycap, and of what has none.
            "\u{2764}\u{fe0f} 1\u{fe0f}\u{20e3} x\u{fe0f}\u{fe0f}".as_bytes(),
            "\u{2764}\u{fe0f} 1\u{fe0f}\u{20e3} x<U+FE0F><U+FE0F>",
        ),
        (
            "\u{2764}\u{fe0f}\u{fe0f}".as_bytes(),
            "\u{2764}\u{fe0f}<U+FE0F>",
        ),
        (
            // Marks on nothing.
            "\u{301}e\u{301} \u{301}\n\u{301}".as_bytes(),
            "<U+0301>e\u{301} <U+0301>\n<U+0301>",
        ),
        (
            "e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}x\u{301}".as_bytes(),
            "e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}<U+0309>x\u{301}",
        ),
        (
            // A family joined by ZWJ, and Persian with ZWNJ.
            "\u{1f468}\u{200d}\u{1f469} \u{645}\u{6cc}\u{200c}\u{62e}".as_bytes(),
            "\u{1f468}\u{200d}\u{1f469} \u{645}\u{6cc}\u{200c}\u{62e}",
        ),
    ];

    #[test]
    fn acts_of_strangers_are_shown_and_text_stays() {
        for (bytes, expected) in VECTORS {
            assert_eq!(show(&[bytes]), expected, "{bytes:?}");
        }
    }

    #[test]
    fn cuts_do_not_matter() {
        for (bytes, expected) in VECTORS {
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(show(&single), expected, "{bytes:?} byte by byte");
            for cut in 0..=bytes.len() {
                let (left, right) = bytes.split_at(cut);
                assert_eq!(show(&[left, right]), expected, "{bytes:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn odd_spaces_are_spaces_only_behind_a_letter() {
        for (text, expected) in [
            ("Bonjour\u{202f}!", "Bonjour\u{202f}!"),
            ("\u{65e5}\u{3000}\u{672c}", "\u{65e5}\u{3000}\u{672c}"),
            ("a\u{200a}\u{200a}b", "a\u{200a}<U+200A>b"),
            ("\u{3000}a", "<U+3000>a"),
            ("a \u{2003}b", "a <U+2003>b"),
            ("a\n\u{205f}b", "a\n<U+205F>b"),
            ("a\u{a0}\u{a0}b", "a\u{a0}\u{a0}b"),
        ] {
            assert_eq!(show(&[text.as_bytes()]), expected);
        }
        let odd = ('\0'..=char::MAX).filter(|&letter| is_odd_space(letter));
        for letter in odd {
            let shown = show(&[letter.to_string().repeat(9).as_bytes()]);
            assert!(!shown.contains(letter), "{letter:?}");
        }
        // There are no others.
        let mut all = ('\0'..=char::MAX).filter(|letter| letter.is_whitespace());
        assert!(all.all(|letter| is_odd_space(letter)
            || is_unsafe(letter)
            || [' ', '\u{a0}'].contains(&letter)));
    }

    #[test]
    fn plain_letters_are_what_their_properties_say() {
        for letter in ('\0'..=char::MAX).filter(|&letter| is_plain(letter)) {
            let is_seen = !is_unsafe(letter) && letter.width().is_some_and(|width| width > 0);
            assert!(is_seen && !letter.is_whitespace(), "{letter:?}");
        }
        assert!((0..=u8::MAX).all(|byte| {
            let is_seen = byte == b' ' || (byte.is_ascii() && is_plain(char::from(byte)));
            is_printable_ascii(byte) == is_seen
        }));
    }

    #[test]
    fn what_is_drawn_as_nothing_is_shown_by_its_code() {
        for letter in [
            '\u{115f}',
            '\u{2800}',
            '\u{1107f}',
            '\u{13430}',
            '\u{1343f}',
            '\u{16fe4}',
            '\u{1d159}',
            '\u{fdd0}',
            '\u{fdef}',
            '\u{fffe}',
            '\u{ffff}',
            '\u{1fffe}',
            '\u{10ffff}',
        ] {
            let text = format!("a{letter}b");
            let code = format!("a<U+{:04X}>b", u32::from(letter));
            assert_eq!(show(&[text.as_bytes()]), code);
        }
    }

    proptest! {
        /// Nothing but printable text, line feeds and tabs, whatever comes and however it is cut.
        #[test]
        fn nothing_acts(
            bytes in prop::collection::vec(
                prop_oneof![
                    any::<u8>(),
                    prop::sample::select(b"\x1b\r\n\xc2\x9b\xe2\x80\xae\xf0\x9f[]".to_vec()),
                ],
                0..200,
            ),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.push(0);
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let out = show(&pieces);
            prop_assert!(out.chars().all(|c| c == '\n' || c == '\t' || !is_unsafe(c)));
            prop_assert_eq!(out, show(&[&bytes]));
        }

        /// However much of what takes no cell is sent, what is shown of it grows with it.
        #[test]
        fn nothing_is_invisible(
            letters in prop::collection::vec(
                prop_oneof![
                    4 => prop::sample::select(vec![
                        '\u{200d}', '\u{200c}', '\u{fe0f}', '\u{fe0e}', '\u{301}', '\u{ad}',
                        '\u{34f}', '\u{115f}', '\u{1160}', '\u{3164}', '\u{e0100}', '\u{2800}',
                    ]),
                    1 => prop::sample::select(vec!['a', '1', ' ', '\u{e9}', '\u{2764}']),
                ],
                0..200,
            ),
        ) {
            let text: String = letters.iter().collect();
            let shown = show(&[text.as_bytes()]);
            let mut behind = shown.split(JOINER).skip(1);
            prop_assert!(behind.all(|text| text.starts_with(|c: char| !c.is_ascii() && c != NON_JOINER)));
            let cells: usize = shown.chars().map(|c| c.width().unwrap_or(0)).sum();
            // A letter can have its marks, a selector and a joiner.
            let most = usize::from(MARKS) + 3;
            prop_assert!(cells * most >= letters.len(), "{} cells of {}", cells, letters.len());
        }
    }
}
