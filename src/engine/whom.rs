//! Whom: how a command, or a line that may be one, says whom it is for.
//!
//! It promises: what stands behind a slash is taken for a command, or for words to somebody, by one rule
//! for the operator and the participants of a chat, whatever blanks are before the slash; a path is neither.

use crate::engine::lookalike::is_slash;
use crate::engine::lookalike::is_unseen;
use crate::engine::lookalike::plain;
use crate::engine::lookalike::plain_letter;
use crate::engine::lookalike::skip_garbled;

/// What may stand around a name, a number or an address.
const AROUND: &str = "@#<>()[]{},:;\"'`\u{ab}\u{bb}\u{2018}\u{2019}\u{201a}\u{201b}\u{201c}\u{201d}\u{201e}\
    \u{2039}\u{203a}";

/// What a name has beside letters and digits.
const IN_NAME: &str = "-_.";

/// Whom a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom<'a> {
    /// The peer with the number of its label.
    Number(u32),
    /// The peer of that name, if there is one.
    Name(&'a str),
    /// The peer of that label, if the name in it is its own.
    Label(u32, &'a str),
}

impl<'a> Whom<'a> {
    /// Whom a word means: a number is one, anything else a name.
    pub fn of(word: &'a str) -> Whom<'a> {
        word.parse().map_or(Whom::Name(word), Whom::Number)
    }

    /// The same of a line that is only looked at: what looks like a number (in full-width digits) may be meant as one.
    fn looking_like(word: &'a str) -> Whom<'a> {
        let looks: String = plain(word).collect();
        match Whom::of(&looks) {
            Whom::Number(number) => Whom::Number(number),
            _ => Whom::of(word),
        }
    }
}

/// The participant for whom a line may be meant that is a slash, a name or a number, and a text
/// (`/3 hello`).
pub fn addressed(line: &str) -> Option<Whom<'_>> {
    let rest = skip_garbled(line).strip_prefix(is_slash)?;
    addressee(rest).map(Whom::looking_like)
}

/// Whether a line may be meant for somebody who is here: by a slash, the name or the number, and a text, whatever signs
/// stand around the name or behind the number. Only what makes a longer name, a path or a sum of it does not count
/// (`/Ben/Ana text`, `/1+1 text`), nor what makes an amount of a number (`/$1 text`).
pub fn is_for_member(line: &str, is_here: impl Fn(Whom<'_>) -> bool) -> bool {
    let by_signs = |(before, word, behind): (&str, &str, &str)| {
        let is_meant = |word| match Whom::looking_like(word) {
            Whom::Name(name) => is_here(Whom::Name(name)),
            number => before.chars().all(is_around) && has_sign(behind) && is_here(number),
        };
        let is_end = |end| IN_NAME.contains(end) || is_mark(end);
        is_meant(word) || is_meant(word.trim_end_matches(is_end))
    };
    addressed(line).is_some_and(&is_here) || among_signs(line).is_some_and(by_signs)
}

/// What stands behind a slash and may be a whole name or a number, before a text, with the signs before it and what
/// follows it.
fn among_signs(line: &str) -> Option<(&str, &str, &str)> {
    let rest = skip_garbled(line).strip_prefix(is_slash)?;
    let from = rest.trim_start_matches(is_sign);
    let behind = from.trim_start_matches(is_of_name);
    let has_text = !behind.trim_start_matches(is_sign).trim().is_empty();
    let is_whole = has_text && !behind.starts_with(is_slash);
    let (before, word) = (rest.len() - from.len(), from.len() - behind.len());
    is_whole.then(|| (&rest[..before], &from[..word], behind))
}

/// Whether a sign follows a number that makes no sum of it.
fn has_sign(behind: &str) -> bool {
    let is_sum = |added: &str| added.starts_with(|digit: char| digit.is_ascii_digit());
    behind.starts_with(is_sign) && !behind.strip_prefix('+').is_some_and(is_sum)
}

/// Whether what stands behind a slash is the name of a command, known or not, which is a word of letters, or
/// may be for somebody.
pub(super) fn is_command_or_for_somebody(text: &str) -> bool {
    let word: String = plain(text).take_while(|&letter| letter != ' ').collect();
    let is_word = !word.is_empty() && word.chars().all(char::is_alphabetic);
    is_word || addressee(text).is_some()
}

/// Whom a text may be for: what it begins with, if that may be a name, a number or an address at another hub
/// (`room2/3`, `Ana@room2`, `@room2`), perhaps with signs around it, and more than signs follows. Behind an address at
/// another hub any sign may stand but a slash: nothing else is written so, and who is there is not asked for.
fn addressee(text: &str) -> Option<&str> {
    let from = text.trim_start_matches(is_around);
    let before = &text[..text.len() - from.len()];
    let rest = from.trim_start_matches(may_be_of_name);
    let is_hub = from[..from.len() - rest.len()].contains(char::is_alphabetic);
    let at_hub = rest
        .strip_prefix('@')
        .filter(|hub| hub.starts_with(may_be_of_name));
    let number = rest.strip_prefix(is_slash).filter(|_| is_hub);
    let number = number.filter(|number| number.starts_with(char::is_numeric));
    let behind = match (at_hub, number) {
        (Some(hub), _) => hub.trim_start_matches(may_be_of_name),
        (None, Some(number)) => number.trim_start_matches(char::is_numeric),
        (None, None) => rest,
    };
    let whom = &from[..from.len() - behind.len()];
    let is_all_of_hub = || before.ends_with(|sign| plain_letter(sign) == '@');
    let further = match at_hub.or(number).is_some() || is_all_of_hub() {
        true => behind_signs(behind),
        false => behind.trim_start_matches(is_around),
    };
    // Behind `[a-z]+/` there is no text.
    let begins_text = |letter: char| letter.is_whitespace() || letter.is_alphanumeric();
    let has_text = further.starts_with(begins_text) && !further.trim().is_empty();
    (whom.contains(char::is_alphanumeric) && has_text).then_some(whom)
}

/// What follows the signs behind an address. Signs of a name that join it to more make a longer word
/// (`python/3.12`), and nothing is cut off.
fn behind_signs(behind: &str) -> &str {
    let may_follow =
        |sign| is_sign(sign) || is_slash(sign) || is_mark(sign) || IN_NAME.contains(sign);
    let further = match behind.starts_with(is_slash) {
        true => behind,
        false => behind.trim_start_matches(may_follow),
    };
    let signs = &behind[..behind.len() - further.len()];
    let is_joined = further.starts_with(char::is_alphanumeric);
    match is_joined && signs.chars().all(|sign| IN_NAME.contains(sign)) {
        true => behind,
        false => further,
    }
}

/// Whether it may stand around a name, a number or an address, or looks so.
fn is_around(sign: char) -> bool {
    AROUND.contains(plain_letter(sign))
}

/// Whether a name has such a character. What is not seen of one by itself is of a name, accents above all.
fn is_of_name(letter: char) -> bool {
    is_mark(letter) || IN_NAME.contains(letter) || letter.is_alphanumeric()
}

/// The same, or it looks like a letter or a digit, as some signs do. Where the form of a line decides alone, such a sign
/// may be a letter of a name; where it is known who is here, it is a sign behind the name.
fn may_be_of_name(letter: char) -> bool {
    is_of_name(letter) || plain_letter(letter).is_alphanumeric()
}

/// Whether it is neither of a name, nor a slash or a blank.
fn is_sign(letter: char) -> bool {
    !(is_of_name(letter) || is_slash(letter) || letter.is_whitespace())
}

/// Whether nothing is seen of it by itself, as of an accent.
fn is_mark(letter: char) -> bool {
    is_unseen(letter) && !letter.is_whitespace()
}

/// Cuts the arguments of a command into whom it is about, the name in a label, and the rest. A label
/// `[3 Ana]` is the number 3 with the name `Ana`; else the name is empty.
pub(super) fn cut_whom(text: &str) -> (&str, &str, &str) {
    let Some((label, rest)) = cut_label(text) else {
        let (first, rest) = cut(text);
        return (first, "", rest);
    };
    let (first, name) = cut(label);
    (first, name, rest)
}

/// What is in a label as it stands before a line, `[3 Ana]` or in a chat `<Ana>`, and what follows it.
pub(super) fn cut_label(text: &str) -> Option<(&str, &str)> {
    let (label, rest) = match text.strip_prefix('<') {
        Some(label) => label.split_once('>')?,
        None => text.strip_prefix('[')?.split_once(']')?,
    };
    let rest = rest.trim_start_matches([',', ':']);
    Some((label.trim_matches(' '), rest.trim_matches(' ')))
}

/// The first word and what follows it.
pub(super) fn cut(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    (word, rest.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_line_is_for_is_known_without_a_command() {
        for line in [
            "/2 psst",
            "\u{ff0f}2 psst",
            "/2: psst",
            "/2,psst",
            "/[2 Ana] psst",
            "/[2]psst",
            "/<2> psst",
            "/\"2\" psst",
            " \t/2 psst",
            "\u{200b}/2 psst",
        ] {
            assert_eq!(addressed(line), Some(Whom::Number(2)), "{line}");
        }
        for (line, name) in [
            ("/@Ana, psst", "Ana"),
            ("/Ana-1. psst", "Ana-1."),
            ("/user3 psst", "user3"),
            ("/\u{936}\u{94d}\u{937}: psst", "\u{936}\u{94d}\u{937}"),
            ("/Ana@room2 psst", "Ana@room2"),
            ("/room2/3: psst", "room2/3"),
            ("/@room2 psst", "room2"),
        ] {
            assert_eq!(addressed(line), Some(Whom::Name(name)), "{line}");
        }
        for line in [
            "/2",
            "/2:",
            "2 psst",
            "say /2 psst",
            "/",
            "",
            "/ 2 psst",
            "//2 psst",
            "/1/2 of it",
            "/usr/bin/3 x",
            "/etc/passwd x",
            "/* code */",
            "/[a-z]+/ x",
        ] {
            assert_eq!(addressed(line), None, "{line}");
        }
    }
}
