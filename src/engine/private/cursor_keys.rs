//! Cursor keys: what was meant with a line in which keys stand that should have moved the cursor.
//!
//! Where the kernel edits a line, a key that moves the cursor (Home, Ctrl-A, an arrow) or deletes what is there
//! is text like any other: what was to stand in front stands behind it. `you failed`, Home, `/msg Ana ` is such
//! a line, and so is `oh /msg Ana you failed`, Home, and Delete three times.
//!
//! It promises: a line is known in which a slash stands directly behind such a key, or begins a word of letters
//! anywhere, or which would be for one alone if what stands behind the key stood in front, or if it began with any of
//! the signs in a key, the rest of which Backspace took; other text with such keys in it is text.

use std::ops::Range;

use super::begins_private;
use super::first_word;
use super::looks_private;
use super::names_message;
use crate::engine::lookalike::bare;
use crate::engine::lookalike::is_backslash;
use crate::engine::lookalike::is_slash;
use crate::engine::lookalike::is_unseen;
use crate::engine::lookalike::shown_letter;
use crate::engine::lookalike::skip_unseen;

/// How a line is there that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Form {
    /// As it came.
    Raw,
    /// As it is [shown](crate::engine::escape::push_escaped).
    Shown,
}

impl Form {
    /// The first character of a text of that form, and what follows.
    fn letter(self, text: &str) -> Option<(char, &str)> {
        match self {
            Form::Shown => shown_letter(text),
            Form::Raw => first_letter(text),
        }
    }
}

/// So many pieces of a line are put in front of the others at most, and so many keys looked into. A line that has more
/// of them is held back: so no run of keys hides what is behind it.
const PIECES: usize = 16;

/// So often what stands behind something is looked at where a line may have more such places. If it has, that is held
/// back.
const LOOKS: usize = 16;

/// Characters behind an `ESC` that may be a key's, at most.
const SEQUENCE: usize = 16;

/// One letter that a key may begin with, one of another script behind it, and those of `msg`.
const LETTERS: usize = 5;

/// Characters of the line that is made so that are looked at.
const LOOKED_AT: usize = 128;

/// The first word behind a key in a line that begins a command there, or in front of one where the key may have been
/// pressed to have it so, as far as one can know. None: there is no such key, or nothing before it.
pub(in crate::engine) fn command_behind_key(line: &str, form: Form) -> Option<String> {
    let may_begin_key = |letter| match letter {
        '^' | '<' => form == Form::Shown,
        letter => begins_sequence(letter) || is_surely_key(letter) || is_control_key(letter),
    };
    if !line.contains(may_begin_key) {
        return None;
    }
    if let Some(message) = private_in_key(line, form) {
        return Some(first_word(message).0.into());
    }
    let (pieces, has_key) = pieces(line, form);
    if has_key && let Some(command) = pieces.iter().find_map(|piece| command_in(piece)) {
        return Some(command.into());
    }
    let begun = pieces
        .iter()
        .position(|piece| !skip_unseen(piece).is_empty())?;
    // A command with nothing before it but keys is known as one, but for keys with Alt.
    let is_first_seen = !skip_unseen(line).starts_with(is_slash) && begins_with_key(line, form);
    let first = begun + usize::from(!is_first_seen);
    let mut behind = (first..pieces.len()).map(|at| (at, &*pieces[at]));
    let is_known = |at| match pieces.len() > PIECES {
        true => at == pieces.len() - 1,
        false => is_private_in_front(&pieces, at),
    };
    let found = behind.find(|&(at, piece)| begins_with_slash(piece) || is_known(at));
    found.map(|(_, piece)| first_word(piece.trim_start()).0.into())
}

/// What looks private in a line from one of the signs on that a key consists of: Backspace may have taken the rest of the
/// key from there on, and what stands there was typed.
fn private_in_key(line: &str, form: Form) -> Option<&str> {
    let mut rest = line;
    let mut keys = 0;
    let mut looks = LOOKS;
    while let Some((letter, behind)) = form.letter(rest) {
        rest = behind;
        if begins_sequence(letter) {
            keys += 1;
            if keys > PIECES {
                return Some(behind);
            }
            let letters = LETTERS + letters_of_mouse(behind);
            let names_message = names_message(behind, letters);
            for (count, typed) in signs_of_key(behind).enumerate() {
                // What is private without regard to what it begins with was found from the first on.
                let is_first = count == 0;
                // What is not seen may be shown by signs.
                let is_sign = |sign| is_slash(sign) || is_backslash(sign) || "^<".contains(sign);
                let is_slashed = || typed.starts_with(is_sign) && super::begins_with_slash(typed);
                if !(is_first || names_message || is_slashed()) {
                    continue;
                }
                if looks == 0 || begins_private(typed) {
                    return Some(typed);
                }
                looks -= usize::from(!is_first);
            }
        }
    }
    None
}

/// What begins at each of the signs and digits that a key may consist of, of which the text begins behind the `ESC`. It ends with a
/// letter, or where it was erased; behind `ESC [ M` three characters more tell the button and the place of a mouse.
fn signs_of_key(text: &str) -> impl Iterator<Item = &str> {
    let ends = |letter: char| letter.is_alphabetic() || letter.is_whitespace();
    // The first of them may be an `O`.
    let length = 1 + text
        .chars()
        .skip(1)
        .take(SEQUENCE)
        .take_while(|&letter| !ends(letter))
        .count();
    let length = (length + letters_of_mouse(text)).min(SEQUENCE);
    let letters = text.char_indices().take(length + 1);
    let signs = letters.filter(|(_, letter)| !letter.is_alphabetic());
    signs.map(|(at, _)| &text[at..])
}

/// So many letters may be in what a mouse did.
fn letters_of_mouse(text: &str) -> usize {
    match text.starts_with("[M") || text.starts_with('M') {
        true => "M".len() + 3,
        false => 0,
    }
}

/// The first word in a piece, behind a blank, that begins a command, if one does.
fn command_in(piece: &str) -> Option<&str> {
    let has_blank = piece.starts_with(char::is_whitespace);
    let words = piece.split_whitespace().skip(usize::from(!has_blank));
    let mut commands = words.filter(|word| {
        let name = word.strip_prefix('/').unwrap_or_default();
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphabetic())
    });
    commands.next()
}

/// Whether nothing that is seen stands before the first key.
fn begins_with_key(line: &str, form: Form) -> bool {
    let first = form.letter(line.trim_start());
    first.is_some_and(|(letter, _)| begins_sequence(letter))
}

/// What stands between the keys of a line that move the cursor, without what is empty or not seen; and whether
/// there are any.
fn pieces(line: &str, form: Form) -> (Vec<String>, bool) {
    let (mut pieces, mut has_key) = (Vec::new(), false);
    let mut push = |piece: &str| {
        let seen = bare(piece);
        if !seen.is_empty() {
            pieces.push(seen.into_owned());
        }
    };
    let (mut piece, mut rest) = (line, line);
    let mut looks = LOOKS;
    while !rest.is_empty() {
        match step(rest, form, &mut looks) {
            Step::Key(behind) => {
                push(&piece[..piece.len() - rest.len()]);
                has_key = true;
                (piece, rest) = (behind, behind);
            }
            Step::Text(behind) => rest = behind,
        }
    }
    push(piece);
    (pieces, has_key)
}

/// Whether a piece begins with a slash, or with a sign that looks like one and a letter.
fn begins_with_slash(piece: &str) -> bool {
    let seen = piece.trim_start_matches(char::REPLACEMENT_CHARACTER);
    let mut letters = seen.chars();
    match letters.next() {
        Some('/' | '\u{ff0f}') => true,
        Some(sign) if is_slash(sign) => letters.next().is_some_and(|c| c.is_ascii_alphabetic()),
        _ => false,
    }
}

/// Whether a line is for one alone if the piece at `at`, or that and all behind it, stands in front.
fn is_private_in_front(pieces: &[String], at: usize) -> bool {
    let is_private = |moved: Range<usize>| {
        let order = [moved.clone(), 0..moved.start, moved.end..pieces.len()];
        let moved = order.into_iter().flat_map(|part| &pieces[part]);
        let mut line = String::with_capacity(LOOKED_AT);
        line.extend(moved.flat_map(|piece| piece.chars()).take(LOOKED_AT));
        looks_private(&line)
    };
    is_private(at..at + 1) || is_private(at..pieces.len())
}

/// Whether a character begins a sequence.
fn begins_sequence(letter: char) -> bool {
    matches!(letter, '\x1b' | '\u{8f}' | '\u{9b}')
}

/// Whether a character is such a key: Ctrl-A, Ctrl-B, Ctrl-E, Ctrl-F, Ctrl-N, Ctrl-P, Ctrl-_; and Ctrl-H and Delete, of
/// which Backspace is one, and the terminal erases with the other.
fn is_surely_key(letter: char) -> bool {
    matches!(
        letter,
        '\x01' | '\x02' | '\x05' | '\x06' | '\x08' | '\x0e' | '\x10' | '\x1f' | '\x7f'
    )
}

/// Whether it is another that is neither a blank nor ends a line. It is one as well; but shown it is a sign and a
/// letter, which may be meant as these (`x^Y/2`), if what is behind it is not for one alone.
fn is_control_key(letter: char) -> bool {
    let is_control = matches!(letter, '\x03'..='\x07' | '\x0f'..='\x1a' | '\x1c'..='\x1e');
    is_control && !is_surely_key(letter)
}

/// What a text begins with that is not empty.
enum Step<'a> {
    /// A key that moves the cursor, deletes or may have been pressed in place of one that does; and what follows it.
    Key(&'a str),
    /// None, up to there.
    Text(&'a str),
}

/// What a text begins with. A key is one of [`is_surely_key`] and [`is_control_key`], any other with Alt, or a sequence
/// (xterm's control sequences, rxvt's, those of the Linux console, and keys that are coded as numbers). A run of them is
/// taken at once, and `looks` is how often it may still be looked at what stands behind one: so the work grows with the
/// line, whatever that consists of.
fn step<'a>(text: &'a str, form: Form, looks: &mut usize) -> Step<'a> {
    let Some((letter, rest)) = form.letter(text) else {
        return Step::Text("");
    };
    let key = match letter {
        '\x1b' => {
            let rest = behind_escapes(rest, form);
            return behind_escape(rest, form).map_or(Step::Text(rest), Step::Key);
        }
        '\u{9b}' => behind_control_sequence(rest),
        '\u{8f}' => behind_shift(rest),
        _ if is_surely_key(letter) => Some(rest),
        _ if is_control_key(letter) => match form {
            Form::Raw => Some(rest),
            Form::Shown => return shown_control(text, rest, looks),
        },
        _ => None,
    };
    let first = text.chars().next().map_or(0, char::len_utf8);
    key.map_or(Step::Text(&text[first..]), Step::Key)
}

/// Whether one of [`is_control_key`] is a key where it is shown, with what is not seen behind it. If many of a line were
/// none, it is one.
fn shown_control<'a>(text: &'a str, behind: &'a str, looks: &mut usize) -> Step<'a> {
    let is_more = |letter: char| {
        let is_other = begins_sequence(letter) || is_surely_key(letter) || letter.is_whitespace();
        is_unseen(letter) && !is_other
    };
    let (mut last, mut rest) = (text, behind);
    while let Some((letter, behind)) = shown_letter(rest)
        && is_more(letter)
    {
        (last, rest) = (rest, behind);
    }
    // That something is not seen there counts.
    let looked_at = if last.len() < text.len() { last } else { rest };
    let is_key = *looks == 0 || begins_private(looked_at);
    *looks = looks.saturating_sub(1);
    match is_key {
        true => Step::Key(rest),
        false => Step::Text(rest),
    }
}

/// What follows a key of which the text begins behind its `ESC`s. None if it is none.
fn behind_escape(text: &str, form: Form) -> Option<&str> {
    match form.letter(text)? {
        ('[', rest) => behind_control_sequence(rest),
        ('O', rest) => behind_shift(rest),
        // Backspace took the rest of it.
        (letter, _) if is_slash(letter) => Some(text),
        (_, rest) => Some(rest),
    }
}

/// The same behind `ESC O`.
fn behind_shift(text: &str) -> Option<&str> {
    behind_parameters(text, |last, _| last.is_ascii_alphabetic())
}

/// What follows the `ESC`s that a text begins with: with Alt some terminals put one more before the key.
fn behind_escapes(text: &str, form: Form) -> &str {
    let mut rest = text;
    while let Some(('\x1b', behind)) = form.letter(rest) {
        rest = behind;
    }
    rest
}

/// The same behind `ESC [`.
fn behind_control_sequence(text: &str) -> Option<&str> {
    // A function key of the Linux console, or what Backspace left of it.
    if let Some(function) = text.strip_prefix('[') {
        let behind = function.strip_prefix(|letter: char| letter.is_ascii_alphabetic());
        return Some(behind.unwrap_or(function));
    }
    if let Some(place) = text.strip_prefix('M') {
        let is_place = |(count, letter): &(usize, char)| *count < 3 && !is_slash(*letter);
        let length = place.chars().enumerate().take_while(is_place);
        let length = length.map(|(_, letter)| letter.len_utf8()).sum();
        return Some(&place[length..]);
    }
    behind_parameters(text, |last, parameters| match last {
        // A place of the mouse, or an answer; but not a mode that is set or reset.
        _ if parameters.starts_with(is_private_marker) => !matches!(last, 'h' | 'l'),
        // Neither colours nor what erases: these are in copied text.
        'A'..='I' | 'P'..='S' | 'Z' | 'a'..='d' | 'u' | '$' | '^' | '@' => true,
        // Answers: the size of the window, and that all is well.
        'n' | 't' => !parameters.is_empty(),
        // Not the brackets of a paste.
        '~' => !matches!(parameters, "200" | "201"),
        _ => false,
    })
}

/// What follows the parameters of a sequence and its last character, if that is of such a key, or if Backspace took
/// it: what stands there ends no sequence.
fn behind_parameters(text: &str, is_of_key: impl Fn(char, &str) -> bool) -> Option<&str> {
    let is_parameter = |letter: char| matches!(letter, '0'..='9' | ';' | ':');
    let rest = text.trim_start_matches(|letter| is_parameter(letter) || is_private_marker(letter));
    let parameters = &text[..text.len() - rest.len()];
    // The answer whether a mode is set.
    if parameters.starts_with(is_private_marker)
        && let Some(behind) = rest.strip_prefix("$y")
    {
        return Some(behind);
    }
    match first_letter(rest) {
        // A key with Shift ends with a sign in rxvt.
        Some((last @ ('@'..='~' | '$'), behind)) => is_of_key(last, parameters).then_some(behind),
        _ => Some(rest),
    }
}

/// Whether it makes a sequence a terminal's own (ECMA-48, 5.4.1): those of the mouse, and the answers.
fn is_private_marker(letter: char) -> bool {
    matches!(letter, '<'..='?')
}

fn first_letter(text: &str) -> Option<(char, &str)> {
    let letter = text.chars().next()?;
    Some((letter, &text[letter.len_utf8()..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::command::Typed;
    use crate::engine::command::understand;
    use crate::engine::escape::push_escaped;
    use crate::engine::private::is_private;
    use crate::engine::request::request;

    /// Home, End, Left, Right and their like, alone and with Ctrl or Shift; those that delete, undo and transpose; and
    /// those that are beside them.
    const KEYS: [&str; 42] = [
        "\u{8f}H",
        "\x7f",
        "\x1f",
        "\x1b\x08",
        "\x1b\x7f",
        "\x1bu",
        "\x1bt",
        "\x1b[2~",
        "\x1bOP",
        "\x1b[[A",
        "\x1b[1;2P",
        "\x1b[127;5u",
        "\x1b[27;5;8~",
        "\x1b[8:8;5:1u",
        "\x08",
        "\x0e",
        "\x10",
        "\x1b[3~",
        "\x01",
        "\x02",
        "\x05",
        "\x06",
        "\x1b[H",
        "\x1bOH",
        "\x1b[1~",
        "\x1b[7~",
        "\x1b[F",
        "\x1bOF",
        "\x1b[4~",
        "\x1b[8~",
        "\x1b[D",
        "\x1bOD",
        "\x1b[C",
        "\x1b[A",
        "\x1b[1;5D",
        "\x1b[1;2H",
        "\x1b[d",
        "\x1bOd",
        "\x1b[7$",
        "\x1bOw",
        "\x1bb",
        "\u{9b}H",
    ];

    /// What else a key with Ctrl writes. Shown it may be meant as it looks.
    const CONTROLS: [&str; 10] = [
        "\x04", "\x07", "\x0f", "\x11", "\x14", "\x15", "\x17", "\x18", "\x19", "\x1d",
    ];

    fn shown(line: &str) -> String {
        let mut shown = String::new();
        line.chars()
            .for_each(|letter| push_escaped(letter, &mut shown));
        shown
    }

    /// Whether the operator, or a participant of a chat, says it to all.
    fn is_said(line: &str) -> [bool; 2] {
        let says = who_says(line);
        assert!(says[0] || is_private(line), "{line:?}");
        says
    }

    /// The same of a line that may be a command, and so is not said.
    fn who_says(line: &str) -> [bool; 2] {
        let by_operator = matches!(understand(line), Typed::Say(_));
        [by_operator, request(&shown(line)).is_none()]
    }

    #[test]
    fn what_was_to_stand_in_front_is_not_said_behind_a_key() {
        for key in KEYS {
            for line in [
                "you failed the test|/msg Ana ",
                "you failed the test|/msg Ana",
                "msg Ana you failed|/",
                "Ana you failed|/msg ",
                "Ana you failed|/msg",
                "sg Ana you failed|/m",
                "sg Ana you failed|.m",
                "Ana you failed|.msg ",
                "you failed|.msg Ana ",
                "you failed|.msg Ana |",
                "you failed|/msg Ana |",
                "you failed|/msg Ana | more",
                "Ana you failed|.msg | more",
                "msg Ana you failed|.",
                "you failed|||/msg Ana ",
                "|you failed|/msg Ana ",
                "hello|/who",
                "you failed|\u{ff0f}msg Ana ",
                "you failed|\u{2215}msg Ana ",
                "you failed|\\msg Ana ",
                "you failed| /msg Ana ",
                "you failed| /kick Ana",
                "you failed|\x7f/msg Ana ",
                "//you failed|/msg Ana ",
                "/me failed|/msg Ana ",
                "oh /msg Ana you failed|||",
                "oh /who||",
                "so |oh /kick Ana|",
            ] {
                let line = line.replace('|', key);
                // A participant's `/me` is no command of the operator's, but explained as one.
                assert_eq!(is_said(&line), [false; 2], "{line:?}");
            }
        }
        for key in CONTROLS {
            for (text, command) in [("you failed", "/msg Ana "), ("hi", "7msg Ana psst")] {
                let line = format!("{text}{key}{command}");
                assert!(!is_said(&line)[0], "{line:?}");
            }
            let line = format!("hi{key}{key}/msg Ana psst");
            assert_eq!(is_said(&line), [false; 2], "{line:?}");
        }
        // Backspace took some of the key.
        for rest in ["\x1b", "\x1b[", "\x1bO", "\x1b[1;", "\u{9b}"] {
            for command in ["/msg Ana ", " /msg Ana "] {
                let line = format!("you failed{rest}{command}");
                assert_eq!(is_said(&line), [false; 2], "{line:?}");
            }
        }
    }

    /// However far Backspace went, and whichever key it was: what is typed then is a command, or the slip of one, at the
    /// beginning of the line and behind a word.
    #[test]
    fn a_key_that_was_partly_erased_hides_no_command() {
        let others = [
            "\x1b[<0;10;5M",
            "\x1b[<64;132;5m",
            "\x1b[?1;2c",
            "\x1b[>1;10;0c",
            "\x1b[?2004;1$y",
            "\x1b[8;24;80t",
            "\x1b[0n",
            "\x1b\x1b[D",
            "\x1b[200~",
            "\x1b[201~",
            "\x1b[M Vp",
            "\x1b]1",
            "\x1bP!",
            "\x1b_G",
        ];
        let typed = [
            "/msg 1 psst",
            "/msg Ana psst",
            ".msg 1 psst",
            "?msg Ana psst",
            "$msg 1 psst",
            "@msg 1 psst",
            "[msg 1 psst",
            "]msg 1 psst",
            "^msg 1 psst",
            "_msg 1 psst",
            "{msg 1 psst",
            "|msg 1 psst",
            "}msg 1 psst",
            "~msg 1 psst",
            "\\msg 1 psst",
            "<msg 1 psst",
            ">msg 1 psst",
            "=msg 1 psst",
            "-msg 1 psst",
            "&msg 1 psst",
            "/who",
            " /msg 1 psst",
            "7msg 1 psst",
            "/mgs 1 psst",
            "/m 1 psst",
            "/kick 9 too loud",
            " /kick 9 too loud",
        ];
        // The marks of a paste are no keys, and these strings have no end.
        let parts = ["\x1b[200~", "\x1b[201~", "\x1b]1", "\x1bP!", "\x1b_G"];
        let keys = KEYS
            .iter()
            .chain(&others)
            .filter(|key| key.starts_with(['\x1b', '\u{9b}']));
        for key in keys {
            let whole = (!parts.contains(key)).then_some(key.len());
            let cuts = key.char_indices().map(|(end, _)| end).skip(1).chain(whole);
            for end in cuts {
                for typed in typed {
                    for before in ["", "hi ", "hi"] {
                        let line = format!("{before}{}{typed}", &key[..end]);
                        assert_eq!(who_says(&line), [false; 2], "{line:?}");
                    }
                }
                for typed in ["hello", "hello, msg me", "12", "and/or"] {
                    let line = format!("oh {} {typed}", &key[..end]);
                    assert_eq!(is_said(&line), [true; 2], "{line:?}");
                }
            }
        }
    }

    #[test]
    fn other_text_with_such_a_key_in_it_is_said() {
        for key in KEYS {
            for line in [
                "hello| there",
                "hello|",
                "|hello",
                "see src|s/msg",
                "one and| or",
                "1 /|2",
                "1|2/3",
                "well|, msg me",
                "ノート|ノート",
                "see /etc/passwd|",
                "and/or|",
            ] {
                let line = line.replace('|', key);
                assert_eq!(is_said(&line), [true; 2], "{line:?}");
            }
        }
        // Colours, the brackets of a paste.
        for key in ["\x1b[01;34m", "\x1b[200~", "\x1b[201~", "\x1b[K"] {
            let line = format!("in {key}/etc/passwd");
            assert_eq!(is_said(&line), [true; 2], "{line:?}");
        }
        // A sign and a letter are no key to whoever types them.
        assert!(is_said("x^A/2")[0]);
        assert_eq!(is_said("x^Y/2"), [true; 2]);
        assert_eq!(is_said("x^Y/dx"), [true; 2]);
        assert!(command_behind_key("", Form::Raw).is_none());
    }

    /// A line full of keys, be they of somebody who wants it to take long: what stands behind many is not looked at,
    /// and so not said.
    #[test]
    fn a_line_with_many_keys_is_held_back() {
        assert_eq!(is_said(&"x\x01".repeat(PIECES)), [true; 2]);
        for (unit, private) in [
            ("x\x04", ".msg 1 secret"),
            ("x^C", "7msg Ben secret"),
            ("é\x0f", ".msg 1 secret"),
            ("m^R", "msg 3 secret"),
            ("x \x03", "msg @room2 secret"),
            ("mgs^\\", ".ьып Ben secret"),
            ("ab \x18", "7msg Ben secret"),
            ("<U+^O", "1msg 3 secret"),
            ("1 \x1b[", "7msg Ben secret"),
            ("12 \x1b[ M", "msg 3 secret"),
            ("x\x01", "msg 3 secret"),
            ("x\x1b[A", "7msg Ben secret"),
            ("x^A", ".msg 3 secret"),
            ("x\x1bOA", "/msg Ben secret"),
        ] {
            for count in [1, 10, 33, 48, 49, 50, 60, 100, 1000, 20_000] {
                let line = format!("{}{private}", unit.repeat(count));
                assert!(!is_said(&line)[1], "{count} times {unit:?}, {private:?}");
            }
        }
    }

    proptest! {
        /// Whatever was typed, and whatever key and whatever else that is not seen stands before the slash.
        #[test]
        fn no_slash_behind_a_key_is_said(
            text in "[a-zäж][a-z ,.!?äж0-9]{0,20}",
            keys in prop::collection::vec(prop::sample::select(&KEYS[..]), 1..4),
            unseen in "[\x00\u{200b}\u{fffd}]{0,2}",
            command in "/[a-z]{0,4}[a-zA-Z 0-9]{0,20}",
        ) {
            let line = format!("{text}{}{unseen}{command}", keys.concat());
            prop_assert_eq!(is_said(&line), [false; 2], "{:?}", line);
        }

        /// Whatever is said without the keys is said with them, if no sign stands behind one.
        #[test]
        fn text_is_said_with_keys_and_without(
            words in prop::collection::vec("[a-ln-z ]{1,8}", 1..5),
            key in prop::sample::select(&KEYS[..]),
        ) {
            let line = words.join(key);
            prop_assert_eq!(is_said(&line), [true; 2], "{:?}", line);
        }
    }
}
