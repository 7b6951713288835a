//! Look-alikes: what a reader takes for the slash and the letters of a command, though it is neither.
//!
//! An input method, an autocorrection or a copied text puts a FULLWIDTH SOLIDUS where one meant a
//! slash, or something that nobody sees before it. What looks like a command is recognized by this as
//! such, so that it is not said to everybody by mistake; it is not obeyed for that.
//!
//! It promises: ASCII letters and digits stand for themselves.

use unicode_width::UnicodeWidthChar;

use crate::engine::escape::is_unsafe;

/// What of `text` is left where something is seen: without the blanks, the invisible characters and the
/// sequences of keys (`ESC [ A`) that it begins with.
pub(super) fn skip_unseen(text: &str) -> &str {
    let mut rest = text;
    loop {
        let Some(first) = rest.chars().next() else {
            return rest;
        };
        let sequence = rest.strip_prefix("\x1b[").and_then(|sequence| {
            let end = sequence.find(|letter: char| !matches!(letter, '0'..='?'))?;
            sequence[end..]
                .starts_with(|letter| matches!(letter, '@'..='~'))
                .then(|| &sequence[end + 1..])
        });
        rest = match sequence {
            Some(behind) => behind,
            None if is_unseen(first) => &rest[first.len_utf8()..],
            None => return rest,
        };
    }
}

/// Whether nothing is seen of a character by itself. The strokes that are drawn over others are.
fn is_unseen(letter: char) -> bool {
    let is_stroke = matches!(letter, '\u{337}' | '\u{338}');
    letter.is_whitespace() || is_unsafe(letter) || (letter.width() == Some(0) && !is_stroke)
}

/// Whether it is taken for a slash. These are what Unicode calls confusable with it (Unicode Technical
/// Standard 39, confusables.txt, as of version 16, and compatibility equivalents), and the other
/// slashes and strokes.
pub(super) fn is_slash(letter: char) -> bool {
    matches!(
        letter,
        '/' | '\u{337}'
            | '\u{338}'
            | '\u{1735}'
            | '\u{2041}'
            | '\u{2044}'
            | '\u{2215}'
            | '\u{2571}'
            | '\u{27cb}'
            | '\u{29f6}'
            | '\u{29f8}'
            | '\u{2afb}'
            | '\u{2afd}'
            | '\u{2cc6}'
            | '\u{2e4a}'
            | '\u{2f03}'
            | '\u{3033}'
            | '\u{30ce}'
            | '\u{31d3}'
            | '\u{4e3f}'
            | '\u{ff0f}'
            | '\u{ff89}'
            | '\u{1d23a}'
            | '\u{1f67c}'
    )
}

/// Whether it is taken for a backslash, which somebody may take for a slash.
pub(super) fn is_backslash(letter: char) -> bool {
    matches!(
        letter,
        '\\' | '\u{2216}' | '\u{2572}' | '\u{29f5}' | '\u{29f9}' | '\u{fe68}' | '\u{ff3c}'
    )
}

/// A text as it looks: what is not seen is left out, every blank is a space, and what looks like a
/// letter or a digit of ASCII is that, in lower case.
pub(super) fn plain(text: &str) -> String {
    let as_it_looks = |letter: char| match letter {
        letter if letter.is_whitespace() => Some(' '),
        letter if is_unseen(letter) => None,
        letter => Some(plain_letter(letter).to_ascii_lowercase()),
    };
    text.chars().filter_map(as_it_looks).collect()
}

/// The letters of ASCII that others are taken for: those of the scripts that are typed beside it.
const LETTERS: [(&str, char); 22] = [
    ("аɑα", 'a'),
    ("ЬƄ", 'b'),
    ("сϲᴄ", 'c'),
    ("ԁ", 'd'),
    ("еҽ", 'e'),
    ("ɡց", 'g'),
    ("һհ", 'h'),
    ("іıɩι", 'i'),
    ("јϳ", 'j'),
    ("кκᴋ", 'k'),
    ("ӏǀΙІӀ", 'l'),
    ("мᴍМΜ", 'm'),
    ("пոռ", 'n'),
    ("оοօ", 'o'),
    ("рρ", 'p'),
    ("ԛ", 'q'),
    ("г", 'r'),
    ("ѕꜱЅ", 's'),
    ("тτᴛТΤ", 't'),
    ("υսᴜ", 'u'),
    ("ѡԝᴡ", 'w'),
    ("уγ", 'y'),
];

fn plain_letter(letter: char) -> char {
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
        _ => LETTERS
            .iter()
            .find(|(others, _)| others.contains(letter))
            .map_or(letter, |&(_, plain)| plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "\x1b",
        ] {
            let text = format!("{unseen}/msg");
            assert_eq!(skip_unseen(&text), "/msg", "{unseen:?}");
        }
        assert_eq!(skip_unseen("x /msg"), "x /msg");
        assert_eq!(skip_unseen("\x1b[/msg"), "[/msg");
        assert_eq!(skip_unseen(" \u{338}msg"), "\u{338}msg");
    }

    #[test]
    fn a_text_is_what_it_looks_like() {
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

    #[test]
    fn letters_are_slashes_by_their_looks() {
        assert!("/／∕⁄⧸╱⟋".chars().all(is_slash));
        assert!(!"\\|1l7!(人".chars().any(is_slash));
        assert!("\\＼∖⧵".chars().all(is_backslash));
    }
}
