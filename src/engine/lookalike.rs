//! Look-alikes: characters that a reader takes for the slash and the letters of a command.
//!
//! An input method, an autocorrection or a copied text puts a FULLWIDTH SOLIDUS in place of a
//! slash, or an invisible character before it. A line that looks like a command is recognized here,
//! so that it is not said to everybody by mistake. It is not obeyed either, nor is a name that was
//! almost typed.
//!
//! It promises: ASCII letters and digits stand for themselves; what Unicode calls confusable with a slash,
//! a backslash or a letter of a command is taken for that character.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

use crate::engine::escape::is_unsafe;

/// The command by which something is said to one alone.
pub(super) const PRIVATE: &str = "msg";

/// A text without what is not seen of it, and without that by which it is
/// [shown](crate::engine::escape::push_escaped): controls, `^X` and `<U+200B>`. Of the
/// sequences of keys (`ESC [ A`, `ESC O A`) nothing is left, a key that deletes took the letter before it, and a
/// break of a line or of a page is a blank.
pub(super) fn bare(text: &str) -> Cow<'_, str> {
    let is_bare = |letter| letter != '^' && letter != '<' && !is_unsafe(letter);
    if text.chars().all(is_bare) {
        return text.into();
    }
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((letter, after)) = shown_letter(rest) {
        rest = after;
        match letter {
            '\x1b' => rest = behind_key(rest),
            '\u{9b}' => rest = behind_control_sequence(rest),
            '\u{8f}' => rest = behind_shift(rest),
            // A backspace takes a letter away; behind a sign it is ignored, so that the sign
            // counts.
            '\x08' | '\x7f' if bare.ends_with(char::is_alphanumeric) => drop(bare.pop()),
            '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => bare.push(' '),
            letter if is_unsafe(letter) => {}
            letter => bare.push(letter),
        }
    }
    bare.into()
}

/// The first character of a text as it came, however it is shown, and what follows it.
pub(super) fn shown_letter(text: &str) -> Option<(char, &str)> {
    let first = text.chars().next()?;
    let rest = &text[first.len_utf8()..];
    let control = |rest: &str| match rest.as_bytes().first()? {
        b'?' => Some('\x7f'),
        // A sign, and then a control character: a record separator is shown in the same way, but it
        // is never typed.
        b'^' if matches!(rest.as_bytes().get(1), Some(b'?'..=b'_')) => None,
        letter @ b'@'..=b'_' => Some(char::from(letter - b'@')),
        _ => None,
    };
    let code = |rest: &str| {
        let rest = rest.strip_prefix("U+")?;
        // No code is longer.
        let end = rest.bytes().take(7).position(|byte| byte == b'>')?;
        let code = &rest[..end];
        let letter = u32::from_str_radix(code, 16)
            .ok()
            .and_then(char::from_u32)?;
        Some((letter, "U+>".len() + code.len()))
    };
    let shown = match first {
        '^' => control(rest).map(|letter| (letter, 1)),
        '<' => code(rest),
        _ => None,
    };
    Some(match shown {
        Some((letter, length)) => (letter, &rest[length..]),
        None => (first, rest),
    })
}

/// What follows a key, or the answer of a terminal, of which the text begins behind an `ESC`: it is
/// taken out as a whole. If it is no sequence, only the `ESC` is taken out, or that and the key
/// that was pressed with Alt.
fn behind_key(text: &str) -> &str {
    let with_alt = |letter: char| letter.is_ascii_alphanumeric() && letter != 'O';
    let behind_alt = || {
        let behind = text.strip_prefix(with_alt)?;
        (!begins_message(text) && !begins_message(behind)).then_some(behind)
    };
    behind_sequence(text).or_else(behind_alt).unwrap_or(text)
}

/// What follows a sequence (ECMA-48, 5.4 and 5.6; xterm's control sequences, rxvt's, those of the Linux console and
/// of a VT52), as it came or as it is shown, of which the text begins behind the `ESC`. Where the kernel edits, a key
/// may be there in part: Backspace took the end of it, and what follows was typed. None if it is none.
fn behind_sequence(text: &str) -> Option<&str> {
    let (introducer, rest) = shown_letter(text)?;
    let is_letter = |letter: char| letter.is_ascii_alphabetic();
    match introducer {
        '[' => Some(behind_control_sequence(rest)),
        'O' => Some(behind_shift(rest)),
        '?' => Some(behind_final(rest, rest, is_letter)),
        // With Alt it is a key.
        ']' | 'P' | '_' | 'X' if rest.starts_with(is_slash) => Some(rest),
        ']' | 'P' | '_' | 'X' => behind_control_string(rest),
        _ => None,
    }
}

/// The same behind `ESC O`.
fn behind_shift(text: &str) -> &str {
    let is_parameter = |letter: char| letter.is_ascii_digit() || letter == ';';
    let rest = text.trim_start_matches(is_parameter);
    behind_final(text, rest, |letter| letter.is_ascii_alphabetic())
}

/// The same behind `ESC [`.
fn behind_control_sequence(text: &str) -> &str {
    if let Some(function) = text.strip_prefix('[') {
        return behind_final(function, function, |letter| matches!(letter, 'A'..='E'));
    }
    let (mut rest, mut is_private) = (text, false);
    loop {
        let is_first = rest.len() == text.len();
        rest = match shown_letter(rest) {
            Some(('<'..='?', after)) => {
                is_private = true;
                after
            }
            Some(('0'..=';', after)) => after,
            // A sequence of a terminal's own has a final letter behind it; a key with Shift in rxvt ends so.
            Some(('$', after)) if is_private => after,
            Some(('$', after)) if !is_first => return after,
            Some(('M', after)) if is_first && !begins_message(rest) => {
                return behind_mouse(after);
            }
            _ => return behind_final(text, rest, |letter| matches!(letter, '@'..='~')),
        };
    }
}

/// What follows the letter with which a sequence ends, of which `rest` is what follows its parameters, ASCII, at the
/// beginning of `text`. If another character is there, or a backslash and `msg`, the end was erased; and if `msg` is, that
/// was typed with what stands directly before it.
fn behind_final<'a>(text: &'a str, rest: &'a str, is_final: impl Fn(char) -> bool) -> &'a str {
    match shown_letter(rest) {
        Some((letter, after)) if is_final(letter) => match begins_message(rest) {
            true => &text[(text.len() - rest.len()).saturating_sub(1)..],
            false if letter == '\\' && begins_message(after) => rest,
            false => after,
        },
        _ => rest,
    }
}

/// Whether `msg` is there, or what looks like it.
pub(super) fn begins_message(text: &str) -> bool {
    plain(text).take(PRIVATE.len()).eq(PRIVATE.chars())
}

/// The same behind `ESC [ M`: the button and the place of a mouse (xterm's control sequences, "Normal tracking mode").
/// The kernel may have taken some of that for Backspace, and on some consoles it is a key by itself: a command that
/// begins there was typed.
fn behind_mouse(text: &str) -> &str {
    let begins_command = |text: &str, sign: char, behind: &str| {
        let is_slash = is_slash(sign) || is_backslash(sign);
        let is_word = || plain(behind).next().is_some_and(char::is_alphanumeric);
        (is_slash && is_word()) || begins_message(text) || begins_message(behind)
    };
    let mut rest = text;
    for _ in 0..3 {
        match shown_letter(rest) {
            Some((letter, after)) if letter != '\x1b' && !begins_command(rest, letter, after) => {
                rest = after;
            }
            _ => return rest,
        }
    }
    rest
}

/// The same behind what begins a string of control: up to BEL, `ESC \` or U+009C.
fn behind_control_string(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some((letter, after)) = shown_letter(rest) {
        match letter {
            '\x07' | '\u{9c}' => return Some(after),
            '\x1b' => return after.strip_prefix('\\'),
            letter if letter.is_control() => return None,
            _ => rest = after,
        }
    }
    None
}

/// What of `text` is left where something is seen: without the blanks, the invisible characters and the
/// sequences of keys (`ESC [ A`) that it begins with.
pub(super) fn skip_unseen(text: &str) -> &str {
    let mut rest = text;
    loop {
        let behind = skip_first_unseen(rest);
        if behind.len() == rest.len() {
            return rest;
        }
        rest = behind;
    }
}

/// The same without the first of these.
fn skip_first_unseen(text: &str) -> &str {
    let sequence = text.strip_prefix('\x1b').and_then(behind_sequence);
    let control = || text.strip_prefix('\u{9b}').map(behind_control_sequence);
    let shift = || text.strip_prefix('\u{8f}').map(behind_shift);
    sequence
        .or_else(control)
        .or_else(shift)
        .unwrap_or_else(|| text.strip_prefix(is_unseen).unwrap_or(text))
}

/// The same without what stands for bytes that are no letters.
pub(super) fn skip_garbled(text: &str) -> &str {
    let mut rest = text;
    loop {
        let behind = rest.strip_prefix(char::REPLACEMENT_CHARACTER);
        let behind = behind.unwrap_or_else(|| skip_first_unseen(rest));
        if behind.len() == rest.len() {
            return rest;
        }
        rest = behind;
    }
}

/// Whether nothing is seen of a character by itself. The strokes that are drawn over others are.
pub(super) fn is_unseen(letter: char) -> bool {
    let is_stroke = matches!(letter, '\u{337}' | '\u{338}');
    letter.is_whitespace() || is_unsafe(letter) || (letter.width() == Some(0) && !is_stroke)
}

/// Whether it is taken for a slash: one of those that Unicode calls confusable with it (Unicode Technical
/// Standard 39, confusables.txt, as of version 18), a compatibility equivalent of one, or another slash
/// or stroke.
pub(super) fn is_slash(letter: char) -> bool {
    match letter.is_ascii() {
        true => letter == '/',
        false => SLASHES.contains(letter) || OTHER_SLASHES.contains(letter),
    }
}

/// Whether a reader takes it for a backslash, and that for a slash.
pub(super) fn is_backslash(letter: char) -> bool {
    match letter.is_ascii() {
        true => letter == '\\',
        false => BACKSLASHES.contains(letter) || letter == '\u{ff3c}',
    }
}

const SLASHES: &str = "\u{1735}\u{2041}\u{2044}\u{2215}\u{2571}\u{27cb}\u{29f8}\u{2cc6}\u{2cc7}\u{2f03}\
    \u{3033}\u{30ce}\u{31d2}\u{31d3}\u{4e3f}\u{ff89}\u{1d23a}";

const OTHER_SLASHES: &str = "\u{337}\u{338}\u{29f6}\u{2afb}\u{2afd}\u{2e4a}\u{ff0f}\u{1f67c}";

const BACKSLASHES: &str =
    "\u{2216}\u{2572}\u{27cd}\u{29f5}\u{29f9}\u{2f02}\u{31d4}\u{4e36}\u{fe68}\u{1d20f}\u{1d23b}";

/// A text as it looks: what is not seen is left out, every blank is a space, and what looks like a
/// letter or a digit of ASCII is that, in lower case.
pub(super) fn plain(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter_map(|letter| match letter {
        letter if letter.is_whitespace() => Some(' '),
        letter if is_unseen(letter) => None,
        letter => Some(plain_letter(letter).to_ascii_lowercase()),
    })
}

/// The letter or digit of ASCII that it looks like, or itself.
pub(super) fn plain_letter(letter: char) -> char {
    const SMALL_A: u32 = 'a' as u32;
    let code = u32::from(letter);
    let among_letters =
        |first: u32| char::from_u32(SMALL_A + (code - first) % 26).unwrap_or(letter);
    match code {
        // Fullwidth forms, in the order of ASCII.
        0xff01..=0xff5e => char::from_u32(code - 0xff01 + 0x21).unwrap_or(letter),
        // The alphabets of mathematics, and those in circles and the like.
        0x1d400..=0x1d6a3 => among_letters(0x1d400),
        0x1d7ce..=0x1d7ff => {
            char::from_u32(u32::from('0') + (code - 0x1d7ce) % 10).unwrap_or(letter)
        }
        0x249c..=0x24b5 => among_letters(0x249c),
        0x24b6..=0x24e9 => among_letters(0x24b6),
        _ if letter.is_ascii() => letter,
        _ => letter_of_command(letter),
    }
}

/// One of the letters of the commands, if Unicode calls it confusable with that, small or capital
/// (confusables.txt, as above; an I is an l there, and an O a zero), or if it is the same capital in
/// a script that is typed beside Latin ones; or itself.
fn letter_of_command(letter: char) -> char {
    match letter {
        'ɑ' | 'Α' | 'α' | 'А' | 'а' | 'Ꭺ' | 'ᗅ' | '⍺' | 'ꓮ' | 'ꭤ' | '𐊠' | '𖽀' | '\u{1ccd6}'
        | '𝚨' | '𝛂' | '𝛢' | '𝛼' | '𝜜' | '𝜶' | '𝝖' | '𝝰' | '𝞐' | '𝞪' | '\u{1df5a}' | '\u{1df6a}' => {
            'a'
        }
        'Ƅ' | 'Β' | 'В' | 'Ь' | '\u{7d5}' | 'Ꮟ' | 'Ᏼ' | 'ᑲ' | 'ᖯ' | 'ᗷ' | 'ℬ' | 'Ⲃ' | 'ꓐ' | 'ꕗ'
        | 'Ꞵ' | '𐊂' | '𐊡' | '𐌁' | '\u{1031c}' | '\u{16eb6}' | '\u{1ccd7}' | '𝈇' | '𝚩' | '𝛣'
        | '𝜝' | '𝝗' | '𝞑' => 'b',
        'ϲ' | 'Ϲ' | 'С' | 'с' | 'င' | 'ၚ' | 'Ꮯ' | 'ᲃ' | 'ᴄ' | 'ℂ' | 'ℭ' | 'Ⅽ' | 'ⅽ' | 'Ⲥ' | 'ⲥ'
        | 'ꓚ' | 'ꮯ' | '𐊢' | '𐌂' | '𐐕' | '𐐽' | '𐔛' | '𑣩' | '𑣲' | '\u{1ccd8}' | '𝄴' | '🝌' => {
            'c'
        }
        'Ε' | 'Е' | 'е' | 'ҽ' | 'Ꭼ' | '℮' | 'ℯ' | 'ℰ' | 'ⅇ' | '⋿' | 'ⴹ' | 'ꓰ' | 'ꗋ' | 'ꬲ' | '𐊆'
        | '𑢦' | '𑢮' | '\u{1ccda}' | '𝚬' | '𝛦' | '𝜠' | '𝝚' | '𝞔' | '\u{1df81}' => {
            'e'
        }
        'ƍ' | 'ɡ' | 'Ԍ' | 'ց' | 'Ꮐ' | 'Ᏻ' | 'ᶃ' | 'ℊ' | 'ꓖ' | '\u{1ccdc}' => 'g',
        'Η' | 'Н' | 'Һ' | 'һ' | 'հ' | 'Ⴙ' | 'Ꮋ' | 'Ꮒ' | 'ᕼ' | 'ℋ' | 'ℌ' | 'ℍ' | 'ℎ' | 'Ⲏ' | 'ꓧ'
        | '𐋏' | '\u{1ccdd}' | '𝚮' | '𝛨' | '𝜢' | '𝝜' | '𝞖' => 'h',
        '¡' | 'ı' | 'ɩ' | 'ɪ' | 'ι' | 'і' | 'ւ' | 'Ꭵ' | 'ι' | 'ℹ' | 'ⅈ' | 'ⅰ' | '⍳' | 'ⲓ' | 'ꙇ'
        | 'ꭵ' | '𑣃' | '𝚤' | '𝛊' | '𝜄' | '𝜾' | '𝝸' | '𝞲' => 'i',
        'Κ' | 'κ' | 'К' | 'к' | 'Ꮶ' | 'ᛕ' | 'ᴋ' | 'K' | 'Ⲕ' | 'ꓗ' | '𐔘' | '\u{1cce0}' | '𝚱'
        | '𝛫' | '𝜥' | '𝝟' | '𝞙' => 'k',
        'Ɩ' | 'ǀ' | 'Ι' | 'І' | 'Ӏ' | 'ӏ' | '\u{5c0}' | '\u{5d5}' | '\u{5df}' | '\u{627}'
        | '\u{661}' | '۱' | '\u{7ca}' | '।' | '၊' | 'Ꮮ' | 'ᒪ' | 'ᛁ' | 'ᛐ' | 'ℐ' | 'ℑ' | 'ℒ'
        | 'ℓ' | 'Ⅰ' | 'Ⅼ' | 'ⅼ' | '↿' | '∣' | '⏽' | '│' | '┃' | 'Ⲓ' | 'Ⳑ' | 'ⵊ' | 'ⵏ' | 'ꓡ'
        | 'ꓲ' | 'ꕯ' | 'ꞁ' | 'Ɪ' | 'ꟾ' | '꠰' | '꣎' | '꩝' | '︱' | '\u{fe8d}' | '\u{fe8e}' | '￨'
        | '𐊊' | '𐌉' | '𐌠' | '𐐛' | '𐔎' | '𐔦' | '\u{10926}' | '\u{10c3e}' | '\u{10ca5}'
        | '\u{10cfa}' | '𑁇' | '𑃀' | '𑅁' | '𑇅' | '\u{113d4}' | '𑑋' | '𑗅' | '𑙁' | '𑢣' | '𑢲' | '𑱁'
        | '\u{11dda}' | '\u{11de1}' | '\u{16d63}' | '\u{16eaa}' | '𖼖' | '𖼨' | '\u{1ccde}'
        | '\u{1cce1}' | '\u{1ccf1}' | '𝄀' | '𝈪' | '𝍷' | '𝚰' | '𝛪' | '𝜤' | '𝝞' | '𝞘' | '𞅁'
        | '\u{1e8c7}' | '\u{1ed01}' | '\u{1ee00}' | '\u{1ee80}' | '🯱' => 'l',
        'Μ' | 'Ϻ' | 'М' | 'м' | 'ՠ' | 'Ꮇ' | 'ᗰ' | 'ᛖ' | 'ᴍ' | 'ℳ' | 'Ⅿ' | 'ⅿ' | 'Ⲙ' | 'ꓟ' | '𐊰'
        | '𐌑' | '\u{10c21}' | '𑜀' | '𑣣' | '\u{1cce2}' | '𝚳' | '𝛭' | '𝜧' | '𝝡' | '𝞛' => {
            'm'
        }
        'Ν' | 'п' | 'ո' | 'ռ' | 'ℕ' | 'Ⲛ' | 'ꓠ' | '𐔓' | '𑪾' | '\u{1cce3}' | '𝚴' | '𝛮' | '𝜨'
        | '𝝢' | '𝞜' => 'n',
        'Ο' | 'ο' | 'σ' | 'ϭ' | 'О' | 'о' | 'Օ' | 'օ' | '\u{5e1}' | '\u{647}' | '\u{665}'
        | '\u{6be}' | '\u{6c1}' | '\u{6d5}' | '۵' | '\u{7c0}' | '\u{7cb}' | '\u{840}' | '०'
        | '০' | '੦' | '૦' | 'ଠ' | '୦' | '௦' | '\u{c02}' | '౦' | '\u{c82}' | '೦' | '\u{d02}'
        | 'ഠ' | '൦' | '\u{d82}' | '๐' | '໐' | 'ဝ' | '၀' | 'ჿ' | 'ᄋ' | 'ᆼ' | 'ዐ' | '០' | 'ᩅ'
        | '᪀' | '᪐' | '\u{1bea}' | 'ᲂ' | 'Ჿ' | 'ᴏ' | 'ᴑ' | 'ℴ' | 'Ⲟ' | 'ⲟ' | 'ⵔ' | '〇' | 'ㅇ'
        | 'ꓳ' | 'ꬽ' | '\u{fba6}' | '\u{fba7}' | '\u{fba8}' | '\u{fba9}' | '\u{fbaa}'
        | '\u{fbab}' | '\u{fbac}' | '\u{fbad}' | '\u{fee9}' | '\u{feea}' | '\u{feeb}'
        | '\u{feec}' | 'ﾷ' | '𐊒' | '𐊫' | '𐌏' | '𐐄' | '𐐬' | '𐓂' | '𐓪' | '𐔖' | '\u{1092c}'
        | '\u{10c17}' | '\u{10d07}' | '𑄤' | '\u{11302}' | '𑓐' | '𑢵' | '𑣈' | '𑣗' | '𑣠'
        | '\u{11de0}' | '𖫩' | '\u{1cce4}' | '\u{1ccf0}' | '𝚶' | '𝛐' | '𝛔' | '𝛰' | '𝜊' | '𝜎'
        | '𝜪' | '𝝄' | '𝝈' | '𝝤' | '𝝾' | '𝞂' | '𝞞' | '𝞸' | '𝞼' | '𞅀' | '𞋰' | '\u{1ee24}'
        | '\u{1ee84}' | '🯰' => 'o',
        'þ' | 'ƿ' | 'Ρ' | 'ρ' | 'ϱ' | 'ϸ' | 'Р' | 'р' | 'Ꮲ' | 'ᑭ' | 'ℙ' | '⍴' | 'Ⲣ' | 'ⲣ' | 'Ⳏ'
        | 'ⳏ' | 'ꓑ' | '𐊕' | '\u{1cce5}' | '𝚸' | '𝛒' | '𝛠' | '𝛲' | '𝜌' | '𝜚' | '𝜬' | '𝝆' | '𝝔'
        | '𝝦' | '𝞀' | '𝞎' | '𝞠' | '𝞺' | '𝟈' => 'p',
        'Ԛ' | 'ԛ' | 'գ' | 'զ' | 'ℚ' | 'ⵕ' | '\u{1cce6}' => 'q',
        'Ʀ' | 'Ɍ' | 'г' | 'Ꭱ' | 'Ꮢ' | 'ᖇ' | 'ᴦ' | 'ℛ' | 'ℜ' | 'ℝ' | 'ⲅ' | 'ꓣ' | 'ꭇ' | 'ꭈ' | 'ꮁ'
        | '𐒴' | '𖨙' | '𖼵' | '\u{1cce7}' | '𝈖' => 'r',
        'ƽ' | 'Ѕ' | 'ѕ' | 'Տ' | 'ട' | 'Ⴝ' | 'ჽ' | 'Ꮥ' | 'Ꮪ' | 'Ჽ' | 'ꓢ' | 'ꕶ' | 'ꜱ' | 'ꮪ' | '𐊖'
        | '𐐠' | '𐑈' | '𑣁' | '𖫖' | '𖼺' | '\u{1cce8}' => 's',
        'Τ' | 'τ' | 'Т' | 'т' | '\u{7e0}' | 'Ꭲ' | 'ᴛ' | '⊤' | '⟙' | 'Ⲧ' | 'ㄒ' | '丅' | 'ꓔ'
        | 'ꔋ' | '𐊗' | '𐊱' | '𐌕' | '𑢼' | '𖼊' | '\u{1cce9}' | '𝍳' | '𝚻' | '𝛵' | '𝜯' | '𝝩' | '𝞣'
        | '🝨' => 't',
        'ʋ' | 'υ' | 'Ս' | 'ս' | 'ሀ' | 'ᑌ' | 'ᴜ' | '∪' | '⋃' | 'ꓴ' | 'ꞟ' | 'ꭎ' | 'ꭒ' | '𐓎' | '𐓶'
        | '𑢸' | '𑣘' | '𖽂' | '\u{1ccea}' | '𝛖' | '𝜐' | '𝝊' | '𝞄' | '𝞾' => {
            'u'
        }
        'ɯ' | 'ш' | 'ѡ' | 'Ԝ' | 'ԝ' | 'ա' | 'Ꮃ' | 'Ꮤ' | 'ᴡ' | '⧢' | 'ⲽ' | 'ꓪ' | 'ꟺ' | 'ꮃ' | 'ꮤ'
        | '𑜊' | '𑜎' | '𑜏' | '𑣦' | '𑣯' | '\u{1ccec}' | '𝈌' | '\u{1df7d}' => 'w',
        'ɣ' | 'ʏ' | 'Υ' | 'γ' | 'ϒ' | 'У' | 'у' | 'Ү' | 'ү' | '\u{7cc}' | 'ყ' | 'Ꭹ' | 'Ꮍ' | 'ᶌ'
        | 'ỿ' | 'ℽ' | 'Ⲩ' | 'ⲩ' | 'ㄚ' | '丫' | 'ꓬ' | 'ꭚ' | '𐊲' | '\u{10c20}' | '𑢤' | '𑣄' | '𑣜'
        | '𖽃' | '\u{1ccee}' | '𝚼' | '𝛄' | '𝛶' | '𝛾' | '𝜰' | '𝜸' | '𝝪' | '𝝲' | '𝞤' | '𝞬' => {
            'y'
        }
        _ => letter,
    }
}

/// Whether one meant `name` with what looks like `word`, perhaps with the number behind it: at most one
/// letter is missing, too many or another one, or two stand the wrong way round.
pub(super) fn is_close(word: &str, name: &str) -> bool {
    let word = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if !word.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        return false;
    }
    let (mut one, mut other) = (word, name);
    while let (Some(a), Some(b)) = (one.chars().next(), other.chars().next())
        && a == b
    {
        (one, other) = (&one[a.len_utf8()..], &other[b.len_utf8()..]);
    }
    while let (Some(a), Some(b)) = (one.chars().next_back(), other.chars().next_back())
        && a == b
    {
        one = &one[..one.len() - a.len_utf8()];
        other = &other[..other.len() - b.len_utf8()];
    }
    match (one.chars().count(), other.chars().count()) {
        (0 | 1, 0 | 1) => true,
        (2, 2) => one.chars().rev().eq(other.chars()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::escape::push_escaped;

    #[test]
    fn what_is_not_seen_is_skipped() {
        for unseen in [
            "",
            " ",
            "\t \u{a0}\u{3000}",
            "\u{200b}",
            "\u{feff}",
            "\u{2060}",
            "\u{ad}",
            "\u{200e}",
            "\u{115f}",
            "\u{301}",
            "\u{200d}\u{fe0f}",
            "\u{e0041}",
            "\x00\x7f",
            "\x1b[A\x1b[1;5D",
            "\x1bOP\x1bO2P\x1b?j",
            "\x1b[[A\x1b[[A",
            " \x1b[2$ ",
            "\x1b[?2004;1$y",
            "\x1b[<0;10;5M\x1b[<0;10;5m",
            "\x1b[M Vp\x1b[M#Vp",
            "\x1b[M \u{a1}b\x1b[M\x1b[M!",
            "\u{9b}1;5D\u{9b}<0;1;1M",
            "\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b]11;rgb:ffff/ffff/ffff\x07",
            "\x1bP!|7E7E0000\x1b\\\x1b_Gi=31;OK\x1b\\",
            "\x1b",
        ] {
            let text = format!("{unseen}/msg");
            assert_eq!(skip_unseen(&text), "/msg", "{unseen:?}");
        }
        assert_eq!(skip_unseen("x /msg"), "x /msg");
        for (text, left) in [
            ("\x1b[/msg", "/msg"),
            ("\x1b[3.msg", ".msg"),
            ("\x1b[37msg", "7msg"),
        ] {
            assert_eq!(skip_unseen(text), left);
        }
        assert_eq!(skip_unseen(" \u{338}msg"), "\u{338}msg");
    }

    #[test]
    fn nothing_is_left_of_what_is_not_seen_however_it_is_shown() {
        for (text, left) in [
            ("/msg Ben", "/msg Ben"),
            ("^[[A/msg", "/msg"),
            ("\x1b[1;5D^[OA^[[200~/msg", "/msg"),
            ("^[b/msg", "/msg"),
            ("^[/msg", "/msg"),
            ("^^[[A/msg", "^/msg"),
            ("^^A/msg", "^/msg"),
            ("^^^^?/msg^^", "^^^/msg"),
            ("x^?/ms^Hsg", "/msg"),
            ("/^Hmsg", "/msg"),
            ("^@^L<U+FEFF>\u{fffd}/m<U+200B>sg", " \u{fffd}/msg"),
            ("/msg^KBen<U+2028>x<U+85>y", "/msg Ben x y"),
            ("^[]11;rgb:ffff/ffff^[\\/msg", "/msg"),
            ("/ms^[[<0;10;5M^[P!|7E^Gg", "/msg"),
            ("^[[M Vp^[[M#Vp/msg", "/msg"),
            ("^[[M/msg", "/msg"),
            ("^[[M!^[[M!/msg", "/msg"),
            ("\u{9b}1;5D<U+009B><0;1;1M/msg", "/msg"),
            ("^[?j^[[[A^[[3$^[[?1;1$y/msg", "/msg"),
            ("^[]11;rgb/msg", "]11;rgb/msg"),
            ("2^10 <U+> <U+110000> <b> a^", "2^10 <U+> <U+110000> <b> a^"),
            ("^é ^a <U+41>", "^é ^a A"),
        ] {
            assert_eq!(bare(text), left, "{text:?}");
        }
    }

    proptest! {
        /// The same is left of the bytes that came and of what is shown of them.
        #[test]
        fn it_does_not_matter_how_it_is_shown(
            text in "([^\x1e\\^<]|[\x1b\x7f\x08\u{200b}\\[O/msg 1;]){0,30}",
        ) {
            let mut shown = String::new();
            text.chars().for_each(|letter| push_escaped(letter, &mut shown));
            let once = bare(&shown).into_owned();
            prop_assert_eq!(&once, &bare(&text));
            prop_assert!(!once.contains(is_unsafe));
        }
    }

    #[test]
    fn a_text_is_what_it_looks_like() {
        let plain = |text: &str| plain(text).collect::<String>();
        for text in [
            "msg 3 no",
            "ＭＳＧ　３ ｎｏ",
            "mѕɡ 3 nо",
            "m\u{200b}sg\u{a0}3 no",
            "𝐦𝓈𝗀 𝟛 ⓝⓞ",
        ] {
            assert_eq!(plain(text), "msg 3 no", "{text}");
        }
        let ascii: String = ('!'..='~').collect();
        assert_eq!(plain(&ascii), ascii.to_ascii_lowercase());
        assert_eq!(plain("人 ß"), "人 ß");
    }

    fn skeleton(text: &str) -> String {
        unicode_security::confusable_detection::skeleton(text).collect()
    }

    /// Beside the table of another program.
    #[test]
    fn what_unicode_calls_confusable_is_taken_for_it() {
        let letters: Vec<(char, [String; 2])> = "abceghiklmnopqrstuwy"
            .chars()
            .map(|letter| {
                let both = [letter, letter.to_ascii_uppercase()];
                (letter, both.map(|letter| skeleton(&letter.to_string())))
            })
            .collect();
        // Those of an I are an l's, and those of a zero an O's.
        let commands = crate::engine::command::COMMANDS;
        let used = |letter| commands.iter().any(|(name, ..)| name.contains(letter));
        assert!(('a'..='z').all(|letter| !used(letter) || letters.iter().any(|l| l.0 == letter)));
        for letter in ('\0'..=char::MAX).filter(|letter| !letter.is_ascii()) {
            let looks = skeleton(&letter.to_string());
            let is_other = OTHER_SLASHES.contains(letter);
            assert_eq!(is_slash(letter), looks == "/" || is_other, "{letter:?}");
            let is_other = letter == '\u{ff3c}';
            assert_eq!(
                is_backslash(letter),
                looks == "\\" || is_other,
                "{letter:?}"
            );
            if letters.iter().any(|(_, both)| both.contains(&looks)) {
                let plain = plain_letter(letter).to_ascii_lowercase();
                let both = [plain, plain.to_ascii_uppercase()];
                let is_taken = both.iter().any(|l| skeleton(&l.to_string()) == looks);
                assert!(is_taken, "{letter:?} is {plain}, and it looks like {looks}");
            }
        }
    }
}
