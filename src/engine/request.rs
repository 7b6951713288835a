//! Requests: the commands of a chat's participants, which are lines that are not said.
//!
//! A request is a slash, letters, and then a blank or the end of the line; invisible characters before the
//! slash do not count. So `/etc/passwd` and `/* code` are no requests, and are said. A slash with a name and a text
//! (`/Ana-1 hello`) is taken for one that is badly written.
//!
//! It promises: a request, well or badly written, is not said to everybody, nor is a line that
//! could be meant for one participant alone.

use std::borrow::Cow;

use crate::engine::lookalike::PRIVATE;
use crate::engine::lookalike::bare;
use crate::engine::lookalike::is_backslash;
use crate::engine::lookalike::is_slash;
use crate::engine::lookalike::is_unseen;
use crate::engine::lookalike::plain;
use crate::engine::lookalike::plain_letter;
use crate::engine::lookalike::skip_unseen;
use crate::engine::names::MAX_NAME;
use crate::engine::private::Form;
use crate::engine::private::command_behind_key;
use crate::engine::private::first_word;
use crate::engine::private::looks_private;
use crate::engine::private::rows;
use crate::engine::whom::Whom;
use crate::engine::whom::cut_label;
use crate::engine::whom::is_command_or_for_somebody;
use crate::engine::whom::is_for_member;

/// What a line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// To be called so.
    Nick(&'a str),
    /// To say something to one alone.
    Message {
        /// Its name.
        to: &'a str,
        /// What.
        text: &'a str,
    },
    /// To say what one does.
    Me(&'a str),
    /// Who is here.
    Names,
    /// What can be asked for.
    Help,
    /// Something is missing: how it is written.
    Incomplete(&'static str),
    /// There is no request of that name.
    Unknown(&'a str),
    /// It looks as if it were for one alone.
    Unclear,
    /// A command stands behind a key that should have moved the cursor.
    BehindKey,
}

/// How the requests are written, and what they do, as `/help` tells it.
pub const REQUESTS: [(&str, &str); 5] = [
    (NICK, "be called NAME"),
    (MESSAGE, "say TEXT to NAME alone"),
    (ME, "say what you do"),
    ("/names", "who is here"),
    ("/help", "this list"),
];

/// The slash of an input method for Chinese, Japanese or Korean.
const FULL_WIDTH: char = '\u{ff0f}';

const NICK: &str = "/nick NAME";
const MESSAGE: &str = "/msg NAME TEXT";
const ME: &str = "/me TEXT";

/// What a line asks for, if it is not to be said.
pub fn request(line: &str) -> Option<Request<'_>> {
    let seen = skip_unseen(line);
    let behind_slash = seen.strip_prefix(is_slash);
    let (word, arguments) = first_word(behind_slash.unwrap_or_default());
    let name: String = plain(word).take(MAX_NAME + 1).collect();
    if let Some(request) = known(&name, arguments) {
        return Some(match request {
            Request::Message { .. } => request,
            // What was left on the line is not what is meant.
            _ => behind_requests(line, held_back).unwrap_or(request),
        });
    }
    let is_word = !word.is_empty() && word.chars().all(char::is_alphabetic);
    if is_word && seen.starts_with('/') {
        return Some(Request::Unknown(word));
    }
    if is_behind_unseen(line) {
        return Some(Request::Unclear);
    }
    if let Some(held) = held_back(line).or_else(|| behind_requests(line, held_back)) {
        return Some(held);
    }
    // Other characters that look like a slash are letters or signs of their own in some scripts.
    let asked = seen.strip_prefix(['/', FULL_WIDTH]);
    let is_unknown = asked.is_some_and(is_command_or_for_somebody);
    is_unknown.then_some(Request::Unknown(word))
}

/// The same among those who are here: a line that may be for one of them, as its name or its number is in it, is not
/// said, be that at its beginning, behind the names of requests or behind what ends a line to some.
pub fn request_among<'a>(line: &'a str, is_here: impl Fn(Whom<'_>) -> bool) -> Option<Request<'a>> {
    let is_for_one = |text: &str| {
        let slashes = text.trim_start().trim_start_matches(is_slash);
        let last_slash = text[..text.len() - slashes.len()]
            .char_indices()
            .next_back();
        let from = last_slash.map_or(0, |(at, _)| at);
        is_for_member(&text[from..], &is_here)
    };
    let held = |text: &str| is_for_one(text).then_some(Request::Unclear);
    let begins_for_one = |line: &str| is_for_one(line) || rows(line).any(is_for_one);
    let is_held = || {
        let bare_begins = || matches!(bare(line), Cow::Owned(bare) if begins_for_one(&bare));
        begins_for_one(line) || bare_begins() || behind_requests(line, held).is_some()
    };
    match request(line) {
        None | Some(Request::Me(_)) if is_held() => Some(Request::Unclear),
        asked => asked,
    }
}

/// Whether the beginning of a line is nothing but what may stand before a request, and perhaps its first letters.
pub fn tells_nothing(begun: &str) -> bool {
    let begun = bare(begun);
    let before = begun.trim_end_matches(char::is_alphabetic);
    let letters = begun[before.len()..].chars().take(MAX_NAME + 1).count();
    letters <= MAX_NAME && !before.contains(char::is_alphanumeric)
}

/// Whether a text has something of a word in it. Behind a beginning that [tells nothing](tells_nothing) that may be
/// a request, or become one.
pub fn has_word(text: &str) -> bool {
    bare(text).contains(char::is_alphanumeric)
}

/// Whether the text of a request may be for one alone, though it is sent to another.
pub fn is_for_another(text: &str) -> bool {
    held_back(text).is_some()
}

/// Why a text is not said to everybody, if it may be for one alone.
fn held_back(text: &str) -> Option<Request<'static>> {
    if looks_private(text) {
        return Some(Request::Unclear);
    }
    is_behind_key(text).then_some(Request::BehindKey)
}

/// What is `held` of what stands behind the names of requests, of which the first is behind a sign: they were left on
/// the line. Only what is behind the first and behind the last of them is looked at, however many there are: what begins
/// with such a name is no message to one alone.
fn behind_requests(
    line: &str,
    held: impl Fn(&str) -> Option<Request<'static>>,
) -> Option<Request<'static>> {
    let behind_left = |text: &str| {
        if skip_unseen(text).starts_with(is_letter) {
            return None;
        }
        let first = behind_name(text)?;
        let mut last = first;
        while let Some(behind) = behind_name(last) {
            last = behind;
        }
        [first, last].into_iter().find_map(&held)
    };
    behind_left(line).or_else(|| match bare(line) {
        Cow::Owned(bare) => behind_left(&bare),
        Cow::Borrowed(_) => None,
    })
}

/// What follows the name of a request but `msg` that a text begins with, whatever signs stand before it.
fn behind_name(text: &str) -> Option<&str> {
    let from = text.trim_start_matches(|sign| !is_letter(sign));
    let is_inside = |letter: char| is_unseen(letter) && !letter.is_whitespace();
    let behind = from.trim_start_matches(|letter| is_letter(letter) || is_inside(letter));
    let word = &from[..from.len() - behind.len()];
    let name: String = plain(word).take(MAX_NAME + 1).collect();
    (name != PRIVATE && known(&name, behind).is_some()).then_some(behind)
}

/// Whether it is, or looks like, a letter or a digit, and no slash.
fn is_letter(letter: char) -> bool {
    let is_sign = is_slash(letter) || is_backslash(letter) || is_unseen(letter);
    !is_sign && plain_letter(letter).is_alphanumeric()
}

/// Whether it may be a request that stands behind a key which should have moved the cursor.
fn is_behind_key(line: &str) -> bool {
    command_behind_key(line, Form::Shown).is_some()
}

/// Whether a request stands behind something that is not seen but where it is shown.
fn is_behind_unseen(line: &str) -> bool {
    let bare = bare(line);
    let asked = bare.trim_start().strip_prefix('/');
    matches!(bare, Cow::Owned(_)) && asked.is_some_and(is_command_or_for_somebody)
}

fn known<'a>(name: &str, arguments: &'a str) -> Option<Request<'a>> {
    Some(match name {
        "nick" => Request::Nick(arguments),
        "msg" => {
            let (to, text) = match cut_label(arguments) {
                Some((label, text)) => (first_word(label).0, text),
                None => first_word(arguments),
            };
            match to.is_empty() || text.is_empty() {
                true => Request::Incomplete(MESSAGE),
                false => Request::Message {
                    to: to.trim_end_matches([',', ':']),
                    text,
                },
            }
        }
        "me" if arguments.is_empty() => Request::Incomplete(ME),
        "me" => Request::Me(arguments),
        "names" => Request::Names,
        "help" => Request::Help,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::command::Typed;
    use crate::engine::command::understand;
    use crate::engine::escape::push_escaped;
    use crate::engine::private::is_private;
    use crate::engine::whom::addressed;

    #[test]
    fn a_request_is_a_slash_and_letters() {
        for line in [
            "/nick Ana",
            "/nick \t Ana  ",
            "/NICK Ana",
            "  /nick Ana",
            "\t/Nick\tAna",
            "／ｎｉｃｋ　Ana",
            "\u{2215}nick Ana",
        ] {
            assert_eq!(request(line), Some(Request::Nick("Ana")), "{line}");
        }
        let message = |to, text| Some(Request::Message { to, text });
        for (line, expected) in [
            ("/nick two words", Some(Request::Nick("two words"))),
            ("/nick", Some(Request::Nick(""))),
            ("/me waves ", Some(Request::Me("waves"))),
            ("/me", Some(Request::Incomplete("/me TEXT"))),
            ("/names", Some(Request::Names)),
            ("/Help me", Some(Request::Help)),
            ("/msg Ana  well  done ", message("Ana", "well  done")),
            ("/MSG Ana: hi", message("Ana", "hi")),
            ("/msg Ana, /me hi", message("Ana", "/me hi")),
            ("/msg <Ana> hi", message("Ana", "hi")),
            ("/msg <Ana>: hi", message("Ana", "hi")),
            ("/msg <Ana, to you alone> hi", message("Ana", "hi")),
            ("/msg <Ana hi", message("<Ana", "hi")),
            ("/msg <Ana>", Some(Request::Incomplete("/msg NAME TEXT"))),
            ("/msg <> hi", Some(Request::Incomplete("/msg NAME TEXT"))),
            ("/msg Ana", Some(Request::Incomplete("/msg NAME TEXT"))),
            ("/msg", Some(Request::Incomplete("/msg NAME TEXT"))),
            ("/shrug", Some(Request::Unknown("shrug"))),
            ("/nickname", Some(Request::Unknown("nickname"))),
            (" /mgs Ana psst", Some(Request::Unknown("mgs"))),
            ("/привет всем", Some(Request::Unknown("привет"))),
            ("\u{ff0f}Ana psst", Some(Request::Unknown("Ana"))),
            ("/Ana: psst", Some(Request::Unknown("Ana:"))),
            ("/@Ana psst", Some(Request::Unknown("@Ana"))),
            ("/<Ana> psst", Some(Request::Unclear)),
            ("/2 psst", Some(Request::Unknown("2"))),
            ("/user3 psst", Some(Request::Unknown("user3"))),
            (" /Ana-1: psst", Some(Request::Unknown("Ana-1:"))),
            ("/[Ana]psst", Some(Request::Unknown("[Ana]psst"))),
            ("/room2/3 psst", Some(Request::Unknown("room2/3"))),
            ("/Ana@room2 psst", Some(Request::Unknown("Ana@room2"))),
        ] {
            assert_eq!(request(line), expected, "{line}");
        }
    }

    #[test]
    fn behind_what_is_not_seen_nothing_is_said_that_would_be_a_request() {
        for unseen in [
            "\u{200b}",
            "<U+200B>",
            "^[[A",
            "^[]11;rgb:ff/ff^[\\",
            "^[[<0;1;1M",
            "^[[[A^[[[A",
            "^[?j",
        ] {
            for asked in ["/Ana psst", "/msg Ana psst", "/mgs Ana psst"] {
                let line = format!("{unseen}{asked}");
                assert!(request(&line).is_some(), "{line}");
            }
        }
        assert_eq!(request("<U+200B>/etc/passwd"), None);
        assert_eq!(request("2^8 /x"), None);
    }

    #[test]
    fn anything_else_is_said() {
        for line in [
            "",
            "/",
            "/ ",
            "/etc/passwd",
            "/* code",
            "/*",
            "/2",
            "/Ana:",
            "/1/2 of it",
            "/usr/bin is a folder",
            "//",
            "//nick Ana",
            "//TODO",
            "// a comment",
            "x /nick Ana",
            "nick Ana",
            "me too",
            "ノート",
            "丿",
            "1/2",
            "/msg.txt",
            "-/msg",
        ] {
            assert_eq!(request(line), None, "{line}");
        }
    }

    #[test]
    fn what_could_be_for_one_alone_is_not_said() {
        for line in [
            "\\msg Ana psst",
            "/msg3 psst",
            "7msg 3 psst",
            ".msg 3 psst",
            "·мѕɡ 3 psst",
            "／mgs 3 psst",
            "^[[A/msg Ana psst",
            "^[OA/msg Ana psst",
            "<U+FEFF>/msg Ana psst",
            "^@/msg Ana psst",
            "^H/msg Ana psst",
            "^?/msg Ana psst",
            "\u{fffd}/msg Ana psst",
            "/msg^KAna psst",
            "/msg<U+2028>Ana psst",
            "/m<U+200B>sg Ana psst",
            "//msg Ana psst",
            "/ /msg Ana psst",
            "\"/msg Ana psst",
            "> /msg Ana psst",
            "/msg: Ana psst",
            "/msg@Ana psst",
            "!msg Ana psst",
        ] {
            assert_eq!(request(line), Some(Request::Unclear), "{line}");
        }
        assert_eq!(
            request("／ｍｓｇ　Ana　psst"),
            Some(Request::Message {
                to: "Ana",
                text: "psst"
            })
        );
    }

    /// One of them that was left on the line, or several, or what a terminal or telnet put before them.
    #[test]
    fn a_message_behind_other_requests_is_neither_said_nor_done() {
        for left in [
            "/me ",
            "\u{fffd}\u{fffd}/me ",
            "\u{fffd}/nick ",
            "\u{fffd}/names ",
            "\u{fffd}^[[A/me ",
            "\u{fffd}<U+200B>/me ",
            "//me ",
            "//me: ",
            ".me ",
            "> /Help ",
            "／ｍｅ ",
            "\u{30ce}me ",
            "\u{115f}/me ",
            "/m\u{301}e ",
            "/ me ",
            "/me /me ",
            "/me /nick ",
            "/me me ",
            "/me <U+200B>/me ",
            "/me \u{fffd}/me ",
            "/names /help /me /nick .me /me /me /me ",
        ] {
            for message in ["/msg Ana psst", ".msg 3 psst", "psst^[[H/msg Ana "] {
                let line = format!("{left}{message}");
                let asked = request(&line);
                let is_held = matches!(asked, Some(Request::Unclear | Request::BehindKey));
                assert!(is_held, "{line}: {asked:?}");
            }
        }
        assert_eq!(
            request(".me /me Names psst^[[H.msg "),
            Some(Request::BehindKey)
        );
        for line in [
            "me /msg Ana psst",
            " me /msg Ana psst",
            "\u{fffd}/me waves",
            ".me too",
            "//nick names help",
            "//mess /msg Ana psst",
            ".me and /msg Ana psst",
        ] {
            assert_eq!(request(line), None, "{line}");
        }
        for text in ["/me /me", "help help help", "too /msg Ana psst", "names: 3"] {
            let line = format!("/me {text}");
            assert_eq!(request(&line), Some(Request::Me(text)), "{line}");
        }
    }

    proptest! {
        /// Neither the operator nor a participant says behind blanks what is not said without, as it may be for
        /// one alone.
        #[test]
        fn blanks_make_no_private_line_public(
            blanks in "[ \t\u{a0}\u{2003}\u{3000}]{0,4}",
            (line, is_sure) in prop_oneof![
                (
                    "(/(msg |whisper |w |tell |pm )?|[.,!~7q-]msg )\
                     ([12]|Ben|user3|Ana-1|\\[1 Ben\\]|\\[Ben\\]|<Ben>|\"Ben\"|@room2|Ben@room2|room2/3)[:,]?",
                    Just(true),
                ).prop_map(|(line, is_sure)| (line + " secret", is_sure)),
                ("/[ !-~\u{e9}\u{301}\u{ff0f}]{0,12}", Just(false)),
            ],
        ) {
            let is_for_one = is_private(&line) || addressed(&line).is_some();
            prop_assert!(is_for_one || !is_sure, "{line}");
            let is_said = |line: &str| matches!(understand(line), Typed::Say(_));
            if is_for_one && !is_said(&line) {
                let line = format!("{blanks}{line}");
                prop_assert!(!is_said(&line), "{line:?}");
                prop_assert!(request(&line).is_some(), "{line:?}");
            }
        }

        /// Whatever signs and keys stand before it, and whatever else than a letter behind it.
        #[test]
        fn what_is_meant_for_one_alone_is_never_said(
            before in "([!-/:-@\\[-`{-~ ]|[\x00-\x1f\x7f\u{ad}\u{200b}\u{feff}\u{fffd}]|\x1b\\[[0-9;]{0,3}[A-Z]){0,6}",
            behind in "[\x09\x0b\x0c\u{85}\u{2028} :,;@#]{1,3}",
        ) {
            let mut shown = String::new();
            let line = format!("{before}/msg{behind}Ana psst");
            line.chars().for_each(|letter| push_escaped(letter, &mut shown));
            prop_assert!(request(&shown).is_some(), "{shown}");
        }
    }
}
