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
}

/// The participant for whom a line may be meant that is a slash, a name or a number, and a text
/// (`/3 hello`).
pub fn addressed(line: &str) -> Option<Whom<'_>> {
    let rest = skip_garbled(line).strip_prefix(is_slash)?;
    addressee(rest).map(Whom::of)
}

/// Whether a line may be meant for a member that is here: by a slash, its name or its number, and a text, or by a slash
/// and its whole name, whatever stands around that. Only what makes a longer name or a path of it does not count
/// (`/Ben/Ana text`).
pub fn is_for_member(line: &str, is_here: impl Fn(Whom<'_>) -> bool) -> bool {
    let by_name = |name| !str::is_empty(name) && is_here(Whom::Name(name));
    addressed(line).is_some_and(&is_here)
        || named(line).is_some_and(|name| {
            by_name(name)
                || by_name(name.trim_end_matches(|end| IN_NAME.contains(end) || is_mark(end)))
        })
}

/// What stands behind a slash, perhaps behind other signs, and may be a whole name, before a text.
fn named(line: &str) -> Option<&str> {
    let is_of_name =
        |letter: char| is_mark(letter) || IN_NAME.contains(letter) || letter.is_alphanumeric();
    let is_sign =
        |letter: char| !(is_of_name(letter) || is_slash(letter) || letter.is_whitespace());
    let rest = skip_garbled(line).strip_prefix(is_slash)?;
    let from = rest.trim_start_matches(is_sign);
    let behind = from.trim_start_matches(is_of_name);
    let has_text = !behind.trim_start_matches(is_sign).trim().is_empty();
    (has_text && !behind.starts_with(is_slash)).then(|| &from[..from.len() - behind.len()])
}

/// Whether what stands behind a slash is the name of a command, known or not, which is a word of letters, or
/// may be for somebody.
pub(super) fn is_command_or_for_somebody(text: &str) -> bool {
    let word: String = plain(text).take_while(|&letter| letter != ' ').collect();
    let is_word = !word.is_empty() && word.chars().all(char::is_alphabetic);
    is_word || addressee(text).is_some()
}

/// Whom a text may be for: what it begins with, if that may be a name, a number or an address at another hub
/// (`room2/3`, `Ana@room2`), perhaps with signs around it, and more than signs follows.
fn addressee(text: &str) -> Option<&str> {
    let is_around = |sign| AROUND.contains(plain_letter(sign));
    let from = text.trim_start_matches(is_around);
    let rest = from.trim_start_matches(is_of_name);
    let is_hub = from[..from.len() - rest.len()].contains(char::is_alphabetic);
    let at_hub = rest
        .strip_prefix('@')
        .filter(|hub| hub.starts_with(is_of_name));
    let number = rest.strip_prefix(is_slash).filter(|_| is_hub);
    let behind = match (at_hub, number) {
        (Some(hub), _) => hub.trim_start_matches(is_of_name),
        (_, Some(number)) if number.starts_with(char::is_numeric) => {
            number.trim_start_matches(char::is_numeric)
        }
        _ => rest,
    };
    let whom = &from[..from.len() - behind.len()];
    let further = behind.trim_start_matches(is_around);
    // Behind `[a-z]+/` there is no text.
    let begins_text = |letter: char| letter.is_whitespace() || letter.is_alphanumeric();
    let has_text = further.starts_with(begins_text) && !further.trim().is_empty();
    (whom.contains(char::is_alphanumeric) && has_text).then_some(whom)
}

/// Whether a name may have a character. What is not seen of one by itself is of a name, accents above all.
fn is_of_name(letter: char) -> bool {
    is_mark(letter) || IN_NAME.contains(letter) || plain_letter(letter).is_alphanumeric()
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
