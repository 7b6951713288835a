//! Private words: whether a line could be meant for one participant alone, so that no other may
//! read it.
//!
//! A `/msg` may be mistyped, or an input method, a paste or a terminal may put something before it.
//! A line that could have been a `/msg`, of the operator or of a participant, is not said to
//! anybody, and it is not obeyed either.
//!
//! It promises: a `/msg`, a name and a text are recognized whatever stands before, between or in
//! place of their signs and letters; a line that has a word before them is text.

mod cursor_keys;

use std::borrow::Cow;

use memchr::memchr_iter;

pub(super) use self::cursor_keys::Form;
pub(super) use self::cursor_keys::command_behind_key;
use crate::engine::lookalike::PRIVATE;
use crate::engine::lookalike::bare;
use crate::engine::lookalike::begins_message;
use crate::engine::lookalike::is_backslash;
use crate::engine::lookalike::is_close;
use crate::engine::lookalike::is_slash;
use crate::engine::lookalike::plain;
use crate::engine::lookalike::plain_letter;
use crate::engine::lookalike::skip_garbled;
use crate::engine::lookalike::skip_unseen;

const FIRST: char = 'm';

/// What the keys of `msg` write where another layout was left on: Russian, Serbian, Ukrainian, Greek, Hebrew,
/// Arabic, Persian, Thai, Korean (one by one, and put together).
const ON_OTHER_LAYOUTS: [&str; 10] = [
    "ьып",
    "мсг",
    "ьіп",
    "μσγ",
    "\u{5e6}\u{5d3}\u{5e2}",
    "\u{629}\u{633}\u{644}",
    "\u{626}\u{633}\u{644}",
    "ทหเ",
    "ㅡㄴㅎ",
    "ㅡㄶ",
];

/// The same as it looks.
const LOOKS_ON_OTHER_LAYOUTS: [&str; 10] = [
    "ьыn",
    "mcr",
    "ьin",
    "μoy",
    "\u{5e6}\u{5d3}\u{5e2}",
    "\u{629}\u{633}\u{644}",
    "\u{626}\u{633}\u{644}",
    "ทหเ",
    "ㅡㄴㅎ",
    "ㅡㄶ",
];

/// The key that completes a command, where it wrote itself.
const TAB: char = '\t';

/// So many of them are looked at.
const TABS: usize = 8;

/// Characters that are looked at of what stands where a line may have many such places. No name is longer; and if more
/// stands there, it is taken for a text.
const LOOKED_AT: usize = 256;

/// The same of what stands behind a key.
const BEHIND_KEY: usize = 64;

/// So many places of a line are looked at in which `msg` stands, without being for one alone. A line with more of them
/// is not said: nobody writes so, and it may go on like that for long.
const MESSAGES: usize = 16;

/// What stands in place of what is not looked at: a number and a text.
const MORE: &str = " 1 x x";

/// What joins `msg` to a path or a longer name, where no blank is behind it.
const JOINS: [char; 4] = ['.', '/', '-', '_'];

/// What may stand before a number.
const BEFORE_NUMBER: &str = "#([<{@\u{2116}";

/// What may stand behind it, or behind an address.
const BEHIND_NUMBER: &str = " ,:;.)]>}";

/// What may stand behind the name of a command.
const PAUSES: [char; 3] = [',', ':', ';'];

/// What begins a quotation.
const QUOTES: [char; 14] = [
    '"', '\'', '`', '\u{ab}', '\u{bb}', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}', '\u{201c}',
    '\u{201d}', '\u{201e}', '\u{2039}', '\u{203a}',
];

/// What ends a line to some.
const BREAKS: [char; 6] = ['\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];

/// Whether a line would be said to one peer alone if it were typed, or looks so. Pasted it is no
/// command, but must not be said to everybody, either.
///
/// It does if it begins with what is taken for a slash and `msg`, or what is almost that with a number and a text, or a
/// word of these letters, with signs or a name in it, and a text; or if a slash, `msg`, a name or a number, and a text
/// stand directly behind what was left on the line; or if it begins with `msg`, a number or a name, and a text directly
/// behind one letter or digit, or behind signs and one letter of another script at most, since on some keyboard that is
/// the key of the slash; or with `msg`, the slash among or behind its letters, and a text; or with `msg`, a number or an
/// address at another hub (`room2/3`, `Ana@room2`, `@room2`), and a text. Behind a sign `msg` may be
/// what its keys write on another layout. The number or the address may stand in brackets or behind a sign, and
/// the text directly behind it, and a name in quotation marks; directly behind one `msg` and a name are text. Blanks and what is not seen do not matter. Behind
/// `//` it is what would be said that counts: the key of the slash may have bounced. A Tab may stand for the rest of
/// `msg`: behind a slash that key writes it. And what stands behind a key that moves the cursor may have been meant to
/// stand in front.
pub fn is_private(line: &str) -> bool {
    let said = match line.starts_with("//") {
        true => &line[1..],
        false => line,
    };
    looks_private(said) || command_behind_key(line, Form::Raw).is_some()
}

/// Whether anything is seen of a line. The first such line of a paste tells whether that is for one alone.
pub fn is_seen(line: &str) -> bool {
    !skip_unseen(line).is_empty()
}

/// Whether a line may be private of which this is the beginning, perhaps behind a letter or a digit, and which goes on.
pub(super) fn may_be_private(rest: &str) -> bool {
    // Tab may stand for the rest of it.
    let rest = rest.split(TAB).next().unwrap_or(rest);
    let looks: String = plain(rest).take(PRIVATE.len()).collect();
    PRIVATE.starts_with(&looks)
        || rest.starts_with(|letter| is_slash(letter) || is_backslash(letter))
}

/// The same where `//` has no meaning (in a participant's line), and of a line as it came or as it
/// is shown.
///
/// In one sentence: directly before `msg`, a name or a number and a text there are signs, one letter or one digit, or a
/// slash with no blank before it, be it at the beginning or behind what ends a line to some (CR, vertical tab, form
/// feed, U+0085, U+2028, U+2029).
pub(super) fn looks_private(line: &str) -> bool {
    if is_like_message(line) || (line.contains(TAB) && is_completed_message(line)) {
        return true;
    }
    rows(line).any(is_like_message)
}

/// The rows of a line that has more than one where what ends a line to some does, as it came or as it is shown.
pub(super) fn rows(line: &str) -> impl Iterator<Item = &str> {
    let may_break = |letter| BREAKS.contains(&letter) || letter == '^' || letter == '<';
    let broken = line.contains(may_break).then_some(line);
    broken
        .into_iter()
        .flat_map(|line| line.split(BREAKS))
        .flat_map(|part| part.split("^M"))
        .flat_map(|part| part.split("^K"))
        .flat_map(|part| part.split("^L"))
        .flat_map(|part| part.split("<U+0085>"))
        .flat_map(|part| part.split("<U+2028>"))
        .flat_map(|part| part.split("<U+2029>"))
        .filter(|part| (1..line.len()).contains(&part.len()))
}

/// The same of a text of which only the beginning is looked at, however long it is. Where it cannot be known without the
/// rest, it looks so.
fn begins_private(text: &str) -> bool {
    match so_far(text, BEHIND_KEY) {
        Cow::Borrowed(whole) => looks_private(whole),
        Cow::Owned(begun) => {
            let has_word = || bare(head(text, BEHIND_KEY)).contains(char::is_alphanumeric);
            looks_private(&begun) || !has_word()
        }
    }
}

/// Whether `msg` is among the first letters of a text, whatever stands between them, or a Tab may stand for it.
fn names_message(text: &str, letters: usize) -> bool {
    let begun = head(text, BEHIND_KEY);
    let bare = bare(begun);
    let first = plain(&bare).filter(|letter| letter.is_alphabetic());
    let first: String = first.take(letters).collect();
    let mut names = LOOKS_ON_OTHER_LAYOUTS.iter().chain([&PRIVATE]);
    let mut tabs = begun.match_indices(TAB).take(TABS);
    names.any(|name| first.contains(name))
        || tabs.any(|(at, _)| completions(&begun[..at]).next().is_some())
}

/// Whether the first that is seen of a text is taken for a slash.
fn begins_with_slash(text: &str) -> bool {
    let bare = bare(head(text, BEHIND_KEY));
    skip_garbled(&bare).starts_with(|sign| is_slash(sign) || is_backslash(sign))
}

/// Whether it would be one if a Tab in it had written the rest of `msg`, as it does behind a slash, or nothing.
fn is_completed_message(line: &str) -> bool {
    line.match_indices(TAB).take(TABS).any(|(at, _)| {
        let before: String = line[..at].chars().filter(|&letter| letter != TAB).collect();
        // What is further behind it does not depend on what the Tab wrote.
        let after = so_far(line[at..].trim_start_matches(TAB), LOOKED_AT);
        let mut completed =
            completions(&before).map(|rest| is_like_message(&format!("{before}{rest} {after}")));
        is_like_message(&format!("{before}{after}")) || completed.any(|is_message| is_message)
    })
}

/// What would make `msg` of the end of a text, on whatever layout it was typed.
fn completions(text: &str) -> impl Iterator<Item = &'static str> {
    let text = text.trim_end_matches(TAB);
    let last = text.char_indices().rev().take(PRIVATE.len()).last();
    let looks = text[last.map_or(0, |(at, _)| at)..].to_lowercase();
    let keyboards = ON_OTHER_LAYOUTS.iter().chain([&PRIVATE]);
    let cuts = keyboards.flat_map(|keys| {
        let cuts = keys.char_indices().skip(1);
        cuts.map(|(cut, _)| keys.split_at(cut))
    });
    cuts.filter(move |(begun, _)| looks.ends_with(begun))
        .map(|(_, rest)| rest)
}

/// The same of a whole line.
fn is_like_message(line: &str) -> bool {
    let bare = bare(line);
    let seen = skip_garbled(&bare);
    let sign = |letter| is_slash(letter) || is_backslash(letter);
    // Invisible characters may have stood between it and the name.
    let is_hidden = matches!(bare, Cow::Owned(_));
    let joined = |rest: &str| {
        let looks: String = plain(rest).collect();
        is_hidden && looks.strip_prefix(PRIVATE).is_some_and(has_text)
    };
    seen.strip_prefix(sign)
        .is_some_and(|rest| is_message(rest, true) || joined(rest))
        || seen
            .strip_prefix(|slip: char| slip.is_ascii_alphanumeric())
            .is_some_and(|rest| begins_msg(rest) && is_message(rest, false))
        || lacks_its_slash(seen)
        || is_behind_rest(seen)
        || is_behind_a_sign(seen)
        || (bare.contains(char::REPLACEMENT_CHARACTER) && is_behind_a_sign(&bare))
        || has_slash_late(seen)
        || is_swapped_behind_sign(seen)
}

/// Whether it is `msg`, a number or an address at another hub, and a text: the slash was forgotten. (With a name behind
/// it, it is a sentence.)
pub(super) fn lacks_its_slash(seen: &str) -> bool {
    begins_msg(seen) && is_message(seen, false) && is_no_sentence(seen)
}

/// Whether a slash, `msg`, a name and a text stand directly behind something that was left on the line.
fn is_behind_rest(seen: &str) -> bool {
    let slashes = memchr_iter(b'/', seen.as_bytes()).map(|at| (at, at + 1));
    // A line of ASCII has no other, and is not decoded to know that.
    let decoded = if seen.is_ascii() { "" } else { seen };
    let is_other = |letter: char| !letter.is_ascii() && is_slash(letter);
    let others = decoded.match_indices(is_other);
    let others = others.map(|(at, slash)| (at, at + slash.len()));
    let mut messages = slashes.chain(others).filter_map(|(at, behind)| {
        let (before, rest) = (&seen[..at], &seen[behind..]);
        let is_directly = !before.is_empty() && !before.ends_with(char::is_whitespace);
        let is_message = is_directly && begins_message(rest) && !is_of_path(rest);
        is_message.then(|| is_behind_slash(&so_far(rest, LOOKED_AT), &JOINS))
    });
    messages
        .by_ref()
        .take(MESSAGES)
        .any(|is_private| is_private)
        || messages.next().is_some()
}

/// Whether its first word is `msg` with the slash between or behind its letters, and a text follows.
fn has_slash_late(seen: &str) -> bool {
    let (word, arguments) = first_word(seen);
    let sign = |letter| is_slash(letter) || is_backslash(letter);
    let letters = plain(word).filter(|letter| letter.is_alphabetic());
    word.contains(sign) && letters.eq(PRIVATE.chars()) && arguments.contains(char::is_alphanumeric)
}

/// Whether signs, the last of them a slash, stand before `msg` with two of its letters the wrong way round, and a text
/// behind it; before the signs there may be one letter or digit.
fn is_swapped_behind_sign(seen: &str) -> bool {
    let rest = seen.strip_prefix(|slip: char| slip.is_ascii_alphanumeric());
    let rest = rest.unwrap_or(seen);
    let is_sign = |letter: char| !letter.is_alphanumeric() && !letter.is_whitespace();
    let from = rest.trim_start_matches(is_sign);
    let signs = &rest[..rest.len() - from.len()];
    if !signs.ends_with(|sign| is_slash(sign) || is_backslash(sign)) {
        return false;
    }
    let (word, arguments) = first_word(from);
    let looks: String = plain(word.trim_end_matches(is_sign)).collect();
    let is_swapped = |letters: &str| {
        let has_all = PRIVATE.chars().all(|letter| letters.contains(letter));
        has_all && letters.len() == PRIVATE.len() && is_close(letters, PRIVATE)
    };
    is_swapped(&looks) && arguments.contains(char::is_alphanumeric)
}

/// Whether something that is no word stands before a message, without a blank between.
fn is_behind_a_sign(seen: &str) -> bool {
    let mut words = 0;
    let mut messages = 0;
    let mut after_blank = true;
    for (at, letter) in seen.char_indices() {
        let (before, rest) = seen.split_at(at);
        let begins = !after_blank && begins_msg(rest);
        if begins && before.ends_with(|sign| is_slash(sign) || is_backslash(sign)) {
            return is_behind_slash(rest, &JOINS) || is_message(rest, false);
        }
        if begins && names_msg(rest) {
            let rest = so_far(rest, LOOKED_AT);
            if is_message(&rest, false) {
                return !before.ends_with(QUOTES) || is_no_sentence(&rest);
            }
            messages += 1;
            if messages > MESSAGES {
                return true;
            }
        }
        words += usize::from(letter.is_alphanumeric());
        if words > 1 || letter.is_ascii_alphanumeric() {
            return false;
        }
        after_blank = letter.is_whitespace();
    }
    false
}

/// Whether it has a name and a text behind it; behind a slash, something like `msg` is enough.
fn is_message(text: &str, behind_slash: bool) -> bool {
    let looks: String = plain(text).collect();
    let looks = looks.trim_start();
    let private = named(looks).filter(|&(name, _)| is_msg(name));
    match behind_slash {
        true => {
            private.is_some()
                || is_almost_message(looks)
                || is_run_on(looks)
                || is_behind_slash(looks, &['.', '/'])
        }
        false => private.is_some_and(|(_, arguments)| {
            let arguments = unquoted(arguments);
            is_to_one(&arguments) || begins_with_name(&arguments)
        }),
    }
}

/// The same without quotation marks around the first word, if there are any.
fn unquoted(arguments: &str) -> Cow<'_, str> {
    let quoted = arguments.trim_start_matches(QUOTES);
    let word = quoted.find(QUOTES).map(|end| quoted.split_at(end));
    match word.filter(|(word, _)| !word.contains(' ')) {
        Some((word, behind)) if quoted.len() < arguments.len() => {
            let is_end = |sign| QUOTES.contains(&sign) || BEHIND_NUMBER.contains(sign);
            format!("{word} {}", behind.trim_start_matches(is_end)).into()
        }
        _ => arguments.into(),
    }
}

/// Whether a text may begin with `msg`, which costs less than to know it.
fn begins_msg(text: &str) -> bool {
    let is_first = |letter| plain_letter(letter).eq_ignore_ascii_case(&FIRST);
    text.starts_with(is_first) || ON_OTHER_LAYOUTS.iter().any(|keys| text.starts_with(keys))
}

/// Whether its first word may be `msg`, on whatever layout it was typed: it has no more letters.
fn names_msg(text: &str) -> bool {
    let name: String = plain(text)
        .take_while(|letter| letter.is_alphabetic())
        .take(PRIVATE.len() + 1)
        .collect();
    is_msg(&name)
}

/// As much of a text as is looked at, and what stands for the rest.
fn so_far(text: &str, characters: usize) -> Cow<'_, str> {
    let begun = head(text, characters);
    match begun.len() < text.len() {
        true => [begun, MORE].concat().into(),
        false => text.into(),
    }
}

/// So many characters of a text, at most.
fn head(text: &str, characters: usize) -> &str {
    let end = text.char_indices().nth(characters);
    end.map_or(text, |(end, _)| &text[..end])
}

/// Whether a word, as it looks, is `msg`, on whatever layout it was typed.
fn is_msg(looks: &str) -> bool {
    looks == PRIVATE || LOOKS_ON_OTHER_LAYOUTS.contains(&looks)
}

/// Whether it is `msg` with anything behind it that is no letter, nor `joins` it to a path or a longer name, then a name
/// or a number, and a text.
fn is_behind_slash(text: &str, joins: &[char]) -> bool {
    let looks: String = plain(text).collect();
    let Some(arguments) = looks.strip_prefix(PRIVATE) else {
        return false;
    };
    let whom = arguments.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    let is_apart = whom.len() < arguments.len() || whom.starts_with(char::is_numeric);
    let further = arguments.trim_start_matches(joins);
    let is_joined = further.len() < arguments.len() && further.starts_with(char::is_alphanumeric);
    is_apart && !is_joined && has_text(whom)
}

/// Whether a text that begins with `msg` goes on as a path or a longer name does.
fn is_of_path(text: &str) -> bool {
    let mut behind = plain(text).skip(PRIVATE.len());
    behind.next().is_some_and(|join| JOINS.contains(&join))
        && behind.next().is_some_and(char::is_alphanumeric)
}

/// Whether its first word has the letters of `msg`, almost these, or these and a name behind them, whatever stands
/// between them (the key beside was hit, or a blank was not); then a text. A path has exactly these, or them first.
fn is_run_on(looks: &str) -> bool {
    let (word, arguments) = first_word(looks);
    let letters: String = word.chars().filter(|c| c.is_alphabetic()).collect();
    let is_almost = !word.contains('/') && is_close(&letters, PRIVATE);
    (letters.starts_with(PRIVATE) || is_almost) && arguments.contains(char::is_alphanumeric)
}

/// Whether a text follows a word.
fn has_text(arguments: &str) -> bool {
    let text = arguments.split_once([' ', ',', ':', ';']);
    text.is_some_and(|(_, text)| text.contains(char::is_alphanumeric))
}

/// Whether it is almost `msg`, a number, perhaps directly behind that, and a text.
fn is_almost_message(looks: &str) -> bool {
    let (word, arguments) = first_word(looks);
    let name = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let arguments = match name.len() == word.len() {
        true => arguments,
        false => &looks[name.len()..],
    };
    is_close(name, PRIVATE) && begins_with_number(arguments)
}

/// Whether a number or an address follows its first word, as in no sentence.
fn is_no_sentence(text: &str) -> bool {
    let looks: String = plain(text).collect();
    named(&looks).is_some_and(|(_, arguments)| is_to_one(arguments))
}

/// The name of a command, and what follows it: behind a blank, or a pause or a number directly.
fn named(looks: &str) -> Option<(&str, &str)> {
    let end = looks.find(|letter: char| !letter.is_alphabetic());
    let (name, rest) = looks.split_at(end.unwrap_or(looks.len()));
    let is_number = |letter: char| letter.is_numeric() || BEFORE_NUMBER.contains(letter);
    let ends = |letter: char| letter == ' ' || PAUSES.contains(&letter) || is_number(letter);
    let is_name = rest.is_empty() || rest.starts_with(ends);
    is_name.then_some((name, rest.trim_start()))
}

/// Whether it is a number, perhaps in brackets or behind a sign, and a text, perhaps directly behind it.
fn begins_with_number(arguments: &str) -> bool {
    let from = arguments
        .trim_start_matches(|letter: char| letter == ' ' || BEFORE_NUMBER.contains(letter));
    let text = from.trim_start_matches(char::is_numeric);
    text.len() < from.len() && has_more(text)
}

/// Whether it is the address of a member or of the operator at another hub, perhaps in brackets, and a text, perhaps
/// directly behind it.
fn begins_with_address(arguments: &str) -> bool {
    let is_number_at = |(hub, number): (&str, &str)| {
        let is_word = !hub.is_empty() && !hub.contains(' ');
        is_word && number.starts_with(char::is_numeric) && begins_with_number(number)
    };
    let ends = |letter: char| letter != '.' && BEHIND_NUMBER.contains(letter);
    let (word, text) = arguments.split_at(arguments.find(ends).unwrap_or(arguments.len()));
    arguments.split_once(is_slash).is_some_and(is_number_at)
        || (word.contains('@') && has_more(text))
}

/// Whether it is a number or an address, perhaps behind a pause, and a text.
fn is_to_one(arguments: &str) -> bool {
    let arguments = arguments.trim_start_matches(PAUSES).trim_start();
    begins_with_number(arguments) || begins_with_address(arguments)
}

/// Whether a text stands behind what may end a number or an address.
fn has_more(behind: &str) -> bool {
    let text = behind.trim_start_matches(|letter: char| BEHIND_NUMBER.contains(letter));
    !text.is_empty()
}

/// Whether it is a word that may be a name, and a text.
fn begins_with_name(arguments: &str) -> bool {
    let (word, text) = first_word(arguments);
    let word = word.trim_start_matches(|letter: char| BEFORE_NUMBER.contains(letter));
    word.starts_with(char::is_alphabetic) && !text.is_empty()
}

/// The first word, and what follows it without the blanks around it.
pub(super) fn first_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::command::Typed;
    use crate::engine::command::may_become_command;
    use crate::engine::command::understand;

    #[test]
    fn what_is_for_one_alone_is_known_wherever_it_comes_from() {
        for line in [
            "/msg 3 psst",
            " /msg 3 psst",
            "/MSG 3 psst",
            "/msg3 psst",
            "／ｍｓｇ　３　psst",
            "\\msg 3 x",
            "/msg",
            "/msg Ana psst",
            " / msg 3 psst",
            "/mgs 3 psst",
            "/ms3 psst",
            "ˊmsg 3 psst",
            "\u{fffc}/msg 3 psst",
            "\u{338}/msg 3 psst",
            "../msg 3 psst",
            "·мѕɡ 3 psst",
            "7msg 3 psst",
            "7msg Ana psst",
            ".msg 3, psst",
            ".msg 1secret",
            ".msg 1,secret",
            ".msg 1. secret",
            ".msg #1 secret",
            ".msg# 1 secret",
            ".msg [1] secret",
            ".msg[1]secret",
            ".msg (1) secret",
            ".msg N1 secret",
            ".msg Ana psst",
            "(msg Ana psst",
            "\u{201c}msg 3 psst",
            "7msg 3psst",
            "/ms 3psst",
            "x/msg 3 psst",
            "x/msg Ana psst",
            "1/msg Ana psst",
            "/msg. Ana psst",
            "/msg/ Ana psst",
            "/msg./ Ana psst",
            "/,sg Ana psst",
            "/m;sg Ana psst",
            "/mgs Ana psst",
            "/msgAna psst",
            "/bmsg Ana psst",
            "/msg.Ana psst",
            "/msg/Ana psst",
            "/ms/g Ana psst",
            "/m5sg Ana psst",
            "/2msg Ana psst",
            "m/sg Ana psst",
            "6msg Ana psst",
            "\u{fffd}/mgs Ana psst",
            "\u{fffd}/msgAna psst",
            "\u{fffd}msg 3 psst",
            "msg/ Ana psst",
            "Ms\\g 3 psst",
            "hello\r/msg Ana psst",
            "hello^M/msg Ana psst^M",
            "hello\u{2028}/msg Ana psst",
            "hello<U+2028>/msg Ana psst",
            "1\u{b}2\u{c}/msg Ana psst",
            "3msg Ana psst",
            "qmsg Ana psst",
            "Pmsg 3 psst",
            "úmsg Ana psst",
            "msg 3 psst",
            "MSG #3: psst",
            " msg [3] psst",
            "\u{200b}msg 3 psst",
            "msg3 psst",
            "msg room2/3 psst",
            "msg [room2/3] psst",
            "msg <room2/3>psst",
            "msg: 3 psst",
            "msg:3 psst",
            "msg, 3 psst",
            "msg; @room2 psst",
            ".msg: 3 psst",
            "./mgs Ben psst",
            "//mgs Ben psst",
            ">//mgs Ben psst",
            "7/mgs Ben psst",
            ",/smg Ben psst",
            "7\\MGS: Ben psst",
            "msg room-2\u{ff0f}3: psst",
            "msg @room2 psst",
            "MSG@room2 psst",
            "msg [@2] psst",
            "msg _2/3 psst",
            "msg <@room2> psst",
            "msg Ana@room2 psst",
            "msg [Ana@room2]psst",
            "msg <Ana@room2>: psst",
            "7msg <Ana@room2> psst",
            "\"msg room2/3 psst",
            "ьып 3 psst",
            ".ьып Ana psst",
            ".ьып 3 psst",
            ".ьіп Аня psst",
            "/ьып Аня psst",
            "./\u{5e6}\u{5d3}\u{5e2} Ana psst",
            "\u{638}\u{629}\u{633}\u{644} Ana psst",
            "/ㅡㄴㅎ Ana psst",
            "or/msg 3 psst",
            "half/msg Ana psst",
            "//msg 3 psst",
            "//mgs 3 psst",
            "//msg: Ana psst",
            "///msg Ana psst",
            "//.msg Ana psst",
            "//msg",
            "well ok/msg Ana psst",
            "now open page 5./msg Ana psst",
            "ok,/msg 3 psst",
            "don't/msg Ana psst",
            "half//msg Ana psst",
            "/wh/msg Ana psst",
            "/me/msg Ana psst",
            "half a word\u{ff0f}msg Ana psst",
            "half a word\u{ff0f}ｍｓｇ Ana psst",
            "half a word\u{2044}msg 3 psst",
            "half a word\u{2215}msg Ana psst",
            "a/b\u{ff0f}msg Ana psst",
            "-мсг Ана psst",
        ] {
            assert!(is_private(line), "{line}");
        }
        for line in [
            "/who",
            "//who",
            "//messages 3 x",
            "see src/msg",
            "see src/msg.rs for more",
            "at http://example.org/msg/3 it is",
            "msg 3",
            "msgs 3 x",
            "msgs room2/3 x",
            "msg: it is 3",
            "msg, Ana said",
            "&msg, size of it",
            "./mss run it",
            "1/ms is a rate",
            "./msh run it",
            "./mgs/run it",
            "/tmp/mgs is full",
            "> ./mgs Ben",
            "./mgs",
            "msg room2/3",
            "msg Ana@room2.",
            "msg Ana at room2/3",
            "msg and/or it",
            "msg of src/main.rs is short",
            "msg me later",
            "a msg 3 people read",
            "I msg Ana every day",
            "3 msg Ana wrote",
            "ьып Ana x",
            "h /msg Ana x",
            "/mgs",
            "/messages 3 x",
            "/msg.txt",
            "/kick 3 loud",
            "x /msg 3 psst",
            "x/msg.txt 3 psst",
            "x \u{ff0f}msg 3 psst",
            "x\u{ff0f}msg.txt 3 psst",
            "ノート\u{ff0f}メモ Ana psst",
            "msg/",
            "m/s is a speed",
            "/m/g is a path",
            ".msg 3",
            ".msg Ana",
            ".msg 3.",
            ".msg",
            "$msg = 3",
            "$msg .= 'text'",
            ".msg { color: red }",
            "{\"msg\": 3, \"to\": 4}",
            "\"msg is broken\", it says",
            ".msgs 3 new ones",
            ".msg.txt 3 x",
        ] {
            assert!(!is_private(line), "{line}");
        }
    }

    #[test]
    fn what_is_typed_on_another_layout_looks_so() {
        let looks = ON_OTHER_LAYOUTS.map(|keys| plain(keys).collect::<String>());
        assert_eq!(looks, LOOKS_ON_OTHER_LAYOUTS);
    }

    /// Every character of Unicode, before and within.
    #[test]
    fn no_character_makes_a_private_line_public() {
        let is_said = |line: &str| matches!(understand(line), Typed::Say(_));
        // Of unassigned and private code points a few stand for all.
        let counts = |&c: &char| {
            let is_other = !c.is_ascii_alphanumeric() && !['\r', '\n'].contains(&c);
            let is_assigned = c < '\u{33480}' || ('\u{e0000}'..='\u{e0fff}').contains(&c);
            is_other && (is_assigned || u32::from(c).is_multiple_of(101))
        };
        for c in ('\0'..=char::MAX).filter(counts) {
            // That is how to say it.
            let is_slash = c == '/';
            let private = |line: String| {
                assert!(is_private(&line) && !is_said(&line), "{line:?}");
            };
            private(format!("{c}msg 3 psst"));
            if !is_slash {
                private(format!("{c}/msg 3 psst"));
                private(format!("/{c}msg 3 psst"));
            }
            // With a blank in it it is neither said nor known.
            match c.is_whitespace() {
                true => assert!(!is_said(&format!("/m{c}sg 3 psst"))),
                false => private(format!("/m{c}sg 3 psst")),
            }
            private(format!("/msg{c} 3 psst"));
            private(format!("/msg 3{c} psst"));
        }
    }

    /// Whoever is used to let Tab write the rest of `/msg` does so behind a slip, too.
    #[test]
    fn a_tab_makes_no_private_line_public() {
        for slip in [
            "7", "q", "é", ".", "-", "//", "half/", "ok./", "5./", "now 5./", "/wh/",
        ] {
            for (begun, rest) in [
                ("", "msg "),
                ("m", "sg "),
                ("ms", ""),
                ("ms", "g "),
                ("msg", ""),
            ] {
                for tab in ["\t", "\t\t"] {
                    let line = format!("{slip}{begun}{tab}{rest}Ana psst");
                    assert!(is_private(&line), "{line:?}");
                    let loud = line.to_uppercase();
                    assert!(is_private(&loud), "{loud:?}");
                    let is_judged = may_become_command(&line) || slip.len() > 1;
                    assert!(is_judged, "{line:?}");
                }
            }
        }
        for line in [
            ".ьы\tАна psst",
            "-мс\tАна psst",
            ".m\tsg\tAna psst",
            "ms\t3 psst",
        ] {
            assert!(is_private(line), "{line:?}");
        }
        for line in [
            "\tindented",
            "7\tapples are red",
            "name\tvalue and more",
            "forms\t3 of them",
            "a\tb\tc d",
            "m\ts\tvelocity is this",
        ] {
            assert!(!is_private(line), "{line:?}");
        }
    }

    /// What stands between the signs, `msg`, a name and a text does not matter.
    #[test]
    fn what_could_be_for_one_alone_is_not_said() {
        for line in [
            "> /msg Ben S",
            ">/msg Ben S",
            ">> * /msg Ben S",
            ":/msg Ben S",
            "\"/msg Ben S",
            "'/msg Ben S",
            "*/msg Ben S",
            "/ /msg Ben S",
            "/msg: Ben S",
            "/msg, Ben S",
            "/msg@Ben S",
            "/msg:Ben: S",
            "/msg-Ben S",
            "/msg\u{200b}Ben S",
            "/msg\0Ben S",
            "/msg\u{b}Ben S",
            "/msg\u{c}Ben S",
            "/msg\u{85}Ben S",
            "/msg\u{2028}Ben S",
            "!msg Ben S",
            "#msg Ben S",
            "-msg Ben S",
            ".msg Ben S",
            ".msg \"Ben\" S",
            ",msg 'Ben' S",
            "7msg \u{ab}Ben\u{bb} S",
            ".msg `Ben`, S",
            ".msg \"Ben\"S",
            ".msg \"1\" S",
            ".msg \u{201c}Ben@room2\u{201d}: S",
            "-msg 'room2/3' S",
            "\x1bOA/msg Ben S",
            "\x7f/msg Ben S",
            "x\x7f/msg Ben S",
        ] {
            assert!(is_private(line), "{line:?}");
            assert!(matches!(understand(line), Typed::Explain(_)), "{line:?}");
        }
        for line in ["//msg Ben S", "///msg Ben S", "//msg: Ben S", "//mgs Ben S"] {
            assert!(looks_private(line) && is_private(line), "{line}");
        }
        for line in [
            "- msg me later",
            "* msg Ben about it",
            "// msg me later",
            "\"msg\" is short",
            "say /msg Ben hi to whisper",
            "2 < 3 ^ 4 /msg",
            "/msg.txt",
            "/msg/msg.txt",
            "/messages are new here",
            "./msg.py Ben x",
            "./msg-tool Ben x",
            "<b>msg Ben hi</b>",
            "a \"msg\" of \"x\"",
            "\"msg \"Ben\" S",
            "msg \"Ben\" S",
            ".msg \"Ben\"",
            ".msg \"Ben\".",
            ".msg \"it is short\" x",
            "$msg 'it is' . 'x'",
        ] {
            assert!(!looks_private(line), "{line}");
        }
    }
}
