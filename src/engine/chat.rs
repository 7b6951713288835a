//! A chat: who said it stands before every line, and nobody can pretend to be somebody else.
//!
//! What the participants of a chat receive is text, for their terminals may be plain nc: whole
//! lines, each of them `<name> ` and what that name's owner said, or `* ` and an announcement. What
//! would act on a terminal is shown instead, as [`escape`](crate::engine::escape) does it.
//!
//! ```text
//!   * user3 joined
//!   <user3> what is a socket?
//!   * user3 is now Ana
//!   <host> a door with a number, Ana
//! ```
//!
//! It promises: nothing anybody says can begin a line; at any time every name has one owner, and no
//! two names look alike. (A line wider than a terminal continues on its next row without a label:
//! how wide that is nobody here can know.)

use std::collections::HashSet;
use std::fmt;
use std::mem;

use crate::engine::command::MAX_NAME;
use crate::engine::command::is_name;
use crate::engine::escape::Escaper;
use crate::engine::lines::Lines;
use crate::engine::lookalike::is_slash;
use crate::engine::lookalike::plain;
use crate::engine::lookalike::skip_unseen;

/// What the operator is called if not said otherwise.
pub const HOST: &str = "host";

/// Names that only the program may have.
const RESERVED: [&str; 2] = [HOST, "muxnc"];

/// What a participant is called until it has a name is this and its number.
const DEFAULT: &str = "user";

/// The command by which a participant takes a name.
const NICK: &str = "nick";

/// Capacity above which the text of a turn gives its memory back.
const KEPT: usize = 256 * 1024;

/// The rules of a chat, and the names in it. See the module's documentation.
#[derive(Debug)]
pub struct Chat {
    host: Box<str>,
    line_end: &'static str,
    /// What of the operator's bytes is not complete enough to be said.
    pub(super) escaper: Escaper,
    /// The names that were given or taken, the operator's too, as [`fold`] makes them.
    taken: HashSet<String>,
    /// Here so that its memory is reused.
    text: String,
}

/// Why somebody cannot have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// It is not what a name may be.
    NoName,
    /// It is somebody else's, or looks like it.
    Taken,
    /// It would not be another name.
    Same,
    /// Nothing goes from participant to participant just now, so names do not either.
    Quiet,
}

impl fmt::Display for NameError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::NoName => {
                write!(out, "1 to {MAX_NAME} letters, digits, - _ . with a letter")
            }
            NameError::Taken => out.write_str("that is taken, or looks like another's name"),
            NameError::Same => out.write_str("that is the name already"),
            NameError::Quiet => out.write_str("names stay while nobody hears the others"),
        }
    }
}

impl Chat {
    /// A chat whose operator has this name, [`is_free_for_host`]; with `crlf` its lines end in CRLF.
    pub fn new(host: &str, crlf: bool) -> Chat {
        Chat {
            host: host.into(),
            line_end: if crlf { "\r\n" } else { "\n" },
            escaper: Escaper::default(),
            taken: HashSet::from([fold(host)]),
            text: String::new(),
        }
    }

    /// What the operator is called.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What ends a line for the participants.
    pub fn line_end(&self) -> &'static str {
        self.line_end
    }

    /// Whether participant `number`, who is called `old`, may be called `new`; from now on it is.
    ///
    /// # Errors
    /// Why it may not.
    pub fn rename(&mut self, number: u32, old: &str, new: &str) -> Result<(), NameError> {
        if !has_letter(new) {
            return Err(NameError::NoName);
        }
        if old == new {
            return Err(NameError::Same);
        }
        let (before, after) = (fold(old), fold(new));
        let own = new == default_name(number);
        let reserved = RESERVED.iter().any(|&name| fold(name) == after) || is_default(&after);
        let taken = before != after && self.taken.contains(&after);
        if !own && (reserved || taken) {
            return Err(NameError::Taken);
        }
        self.taken.remove(&before);
        if !own {
            self.taken.insert(after);
        }
        Ok(())
    }

    /// Somebody of that name left: somebody else may have it.
    pub fn release(&mut self, name: &str) {
        self.taken.remove(&fold(name));
    }

    /// An empty text to compose in, to be given back to [`Chat::put_text`].
    pub(super) fn take_text(&mut self) -> String {
        mem::take(&mut self.text)
    }

    pub(super) fn put_text(&mut self, mut text: String) {
        text.clear();
        text.shrink_to(KEPT);
        self.text = text;
    }
}

/// What a participant is called until it has a name.
pub fn default_name(number: u32) -> String {
    format!("{DEFAULT}{number}")
}

/// Whether the operator may be called so: no participant is.
pub fn is_free_for_host(name: &str) -> bool {
    has_letter(name) && !is_default(&fold(name))
}

/// The name that a participant's line asks for, if that is what the line does: `/nick` in any case, and with
/// blanks, or a slash that only looks like one, before it.
pub fn nick(line: &str) -> Option<&str> {
    let rest = skip_unseen(line).strip_prefix(is_slash)?;
    let (word, name) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    plain(word).eq(NICK.chars()).then(|| name.trim())
}

/// Takes in what a speaker said, None for its end, and appends what is to be passed on now to
/// `text`: whole lines of visible text, each ended by a line feed. Also what does not end makes
/// lines: each [`MAX_LINE`](crate::engine::lines::MAX_LINE) bytes of it, and the rest at its end.
/// `said` gets the same bytes as they are.
pub fn compose(
    lines: &mut Lines,
    escaper: &mut Escaper,
    bytes: Option<&[u8]>,
    text: &mut String,
    mut said: impl FnMut(&[u8]),
) {
    let end = |text: &mut String| {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
    };
    let Some(mut bytes) = bytes else {
        lines.finish(
            |_| (),
            |rest| {
                said(rest);
                escaper.escape(rest, text);
            },
        );
        escaper.finish(text);
        return end(text);
    };
    while !bytes.is_empty() {
        // Cut there, so that the lines are the same however the bytes were read.
        let (now, later) = bytes.split_at(bytes.len().min(lines.room()));
        lines.feed(
            now,
            false,
            |_| (),
            |whole| {
                said(whole);
                escaper.escape(whole, text);
            },
        );
        end(text);
        bytes = later;
    }
}

/// Whether two names could be taken for each other.
pub fn is_same(one: &str, other: &str) -> bool {
    fold(one) == fold(other)
}

/// Numbers mean participants to the operator, so a name is not one.
fn has_letter(name: &str) -> bool {
    is_name(name) && name.contains(|c: char| c.is_ascii_alphabetic())
}

/// Whether a folded name could be taken for one that participants have until they get another.
fn is_default(folded: &str) -> bool {
    let number = |letter| DIGITS.contains(&letter);
    folded
        .strip_prefix(&fold(DEFAULT))
        .is_some_and(|rest| rest.chars().all(number))
}

/// The letters that the digits are taken for, each for one that no other digit is: `Ana6` and `Ana8` are
/// two names.
const DIGITS: [char; 10] = ['o', 'l', 'z', 'e', 'a', 's', 'g', 't', 'b', 'q'];

/// What is left of a name when all that is easily overlooked is: two names that are the same then
/// are taken for each other.
fn fold(name: &str) -> String {
    let folded: String = name
        .chars()
        .filter(|&letter| !"-_.".contains(letter))
        .map(|letter| match letter.to_ascii_lowercase() {
            'i' => 'l',
            letter => match letter.to_digit(10) {
                Some(digit) => DIGITS[digit as usize],
                None => letter,
            },
        })
        .collect();
    folded.replace("rn", "m").replace("vv", "w")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::escape::is_unsafe;
    use crate::engine::lines::MAX_LINE;

    #[test]
    fn a_refusal_fits_a_terminal() {
        let name = "x".repeat(MAX_NAME);
        for refusal in [
            NameError::NoName,
            NameError::Taken,
            NameError::Same,
            NameError::Quiet,
        ] {
            let line = format!("* you are still {name}: {refusal}");
            assert!(line.len() <= 80, "{line}");
        }
    }

    fn said(pieces: &[&[u8]]) -> String {
        let (mut lines, mut escaper) = (Lines::default(), Escaper::default());
        let mut text = String::new();
        for piece in pieces {
            compose(&mut lines, &mut escaper, Some(piece), &mut text, |_| ());
            assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
        }
        compose(&mut lines, &mut escaper, None, &mut text, |_| ());
        text
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

    #[test]
    fn only_what_looks_like_slash_nick_asks_for_a_name() {
        assert_eq!(nick("/nick Ana"), Some("Ana"));
        assert_eq!(nick("/nick \t Ana  "), Some("Ana"));
        assert_eq!(nick("/nick two words"), Some("two words"));
        assert_eq!(nick("/nick"), Some(""));
        for line in [
            "/NICK Ana",
            "  /nick Ana",
            "\t/Nick\tAna",
            "／ｎｉｃｋ　Ana",
            "\u{2215}nick Ana",
        ] {
            assert_eq!(nick(line), Some("Ana"), "{line}");
        }
        for line in [
            "/nickname",
            "//nick Ana",
            "x /nick Ana",
            "nick Ana",
            "",
            "/",
        ] {
            assert_eq!(nick(line), None, "{line}");
        }
    }

    #[test]
    fn nobody_can_look_like_somebody_else() {
        let mut chat = Chat::new("Bob", false);
        assert_eq!(chat.rename(1, "user1", "Ana"), Ok(()));
        for taken in [
            "Ana", "ana", "ANA", "A-n-a", "Ana_",
            ".Ana", // the same but for what is overlooked
            "Bob", "bob", "B0b", "B.o.b", "host", "Host", "h0st",
            "muxnc", // not a participant
            "user", "user1", "user3", "User3", "user03", "user-3", "userl", "useriO", "user.10",
            "userz", "u5er8", "us3r4",
        ] {
            assert_eq!(
                chat.rename(2, "user2", taken),
                Err(NameError::Taken),
                "{taken}"
            );
        }
        let seventeen = "seventeen-letters";
        for wrong in [
            "",
            " ",
            "two words",
            seventeen,
            "\u{410}na",
            "An\u{e1}",
            "A<b>",
            "* x",
            "a\tb",
            "a:b",
            "7",
            "1.2",
            "-_.",
            "Ana<U+202E>",
            "^[[2J",
        ] {
            assert_eq!(
                chat.rename(2, "user2", wrong),
                Err(NameError::NoName),
                "{wrong}"
            );
        }
        for fine in ["Bea", "user2x", "x", "sixteen-letters_", "7of9", "joined"] {
            assert_eq!(
                Chat::new("Bob", false).rename(2, "user2", fine),
                Ok(()),
                "{fine}"
            );
        }
    }

    #[test]
    fn look_alike_letters_are_the_same() {
        let mut chat = Chat::new(HOST, false);
        for (name, other) in [
            ("Olli", "0LL1"),
            ("corn", "com"),
            ("swing", "svving"),
            ("Bob", "8ob"),
            ("Ana", "4na"),
            ("Eva", "3va"),
            ("Tess", "7e55"),
            ("Liz", "Li2"),
            ("Gus", "6us"),
        ] {
            assert_eq!(chat.rename(1, "user1", name), Ok(()));
            assert_eq!(
                chat.rename(2, "user2", other),
                Err(NameError::Taken),
                "{other}"
            );
            chat.release(name);
        }
        // Numbers tell apart.
        for digit in 0..10 {
            let name = format!("student{digit}");
            assert_eq!(
                chat.rename(digit + 1, &default_name(digit + 1), &name),
                Ok(())
            );
        }
    }

    #[test]
    fn a_name_that_is_given_up_is_free() {
        let mut chat = Chat::new(HOST, false);
        assert_eq!(chat.rename(1, "user1", "Ana"), Ok(()));
        assert_eq!(chat.rename(1, "Ana", "Ana"), Err(NameError::Same));
        assert_eq!(
            chat.rename(1, "Ana", "ANA"),
            Ok(()),
            "one's own, written otherwise"
        );
        assert_eq!(chat.rename(2, "user2", "Ana"), Err(NameError::Taken));
        assert_eq!(
            chat.rename(1, "ANA", "user1"),
            Ok(()),
            "back to one's own default"
        );
        assert_eq!(chat.rename(2, "user2", "Ana"), Ok(()));
        chat.release("Ana");
        assert_eq!(chat.rename(3, "user3", "Ana"), Ok(()), "it left");
        assert_eq!(chat.rename(4, "user4", "user4"), Err(NameError::Same));
    }

    #[test]
    fn the_operator_is_no_participant() {
        for name in ["host", "Bob", "mr.teacher", "user-x"] {
            assert!(is_free_for_host(name), "{name}");
        }
        for name in ["", "user1", "USER", "user-7", "two words", "12", "B\u{f6}b"] {
            assert!(!is_free_for_host(name), "{name}");
        }
    }
}
