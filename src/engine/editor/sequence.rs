//! Sequences: what `ESC [ …` says in the dialects of xterm, rxvt, kitty and the Linux console.

use super::key::Key;

/// What a whole sequence means.
pub(super) enum Sequence {
    Key(Key<'static>),
    /// What follows is pasted.
    Paste,
    /// What follows is not.
    PasteEnd,
    /// Nothing that is known here.
    Nothing,
}

/// The bits of a modifier, less one, that make another key of it: Alt, Ctrl, Super, Hyper and Meta.
const ANOTHER_KEY: u16 = 0b11_1110;

/// The first of the numbers by which kitty calls the keys of the keypad
/// (<https://sw.kovidgoyal.net/kitty/keyboard-protocol/>), and what is on these in their order.
const KEYPAD: u32 = 57399;
const ON_KEYPAD: &str = "0123456789./*-+\r=";

/// What kitty calls the event of a key that was let go.
const RELEASED: u32 = 3;

/// What `ESC [ params last` means.
pub(super) fn sequence(params: &[u8], last: u8) -> Sequence {
    let Ok(params) = std::str::from_utf8(params) else {
        return Sequence::Nothing;
    };
    let number = |text: &str| text.parse::<u32>().ok();
    let part = |at: usize| params.split(';').nth(1)?.split(':').nth(at)?.parse().ok();
    if part(1) == Some(RELEASED) {
        return Sequence::Nothing;
    }
    let whole = |text: &str| number(text.split(':').next()?);
    let mut numbers = params.split(';').map(whole);
    let (first, second, third) = (
        numbers.next().flatten(),
        numbers.next().flatten(),
        numbers.next().flatten(),
    );
    // One more than Alt (2), Ctrl (4) and Meta (8) together; some terminals send it alone.
    let modifier = second
        .or(first.filter(|_| last.is_ascii_alphabetic()))
        .unwrap_or(1);
    let word = last == b'^' || modifier.saturating_sub(1) & 14 != 0;
    let is_key = params
        .split([';', ':'])
        .all(|text| text.is_empty() || number(text).is_some());
    let key = match last {
        b'u' => return typed(kitty_key(params), part(0)),
        b'~' if first == Some(27) => return typed(third, second),
        _ if !is_key => return Sequence::Nothing,
        b'A' | b'a' => Key::Up,
        b'B' | b'b' => Key::Down,
        b'C' | b'c' if word => Key::WordRight,
        b'C' | b'c' => Key::Right,
        b'D' | b'd' if word => Key::WordLeft,
        b'D' | b'd' => Key::Left,
        b'F' => Key::End,
        b'H' => Key::Home,
        b'~' | b'^' | b'$' | b'@' => match first {
            Some(1 | 7) => Key::Home,
            Some(4 | 8) => Key::End,
            Some(3) if word => Key::KillWordRight,
            Some(3) => Key::Delete,
            Some(200) if last == b'~' => return Sequence::Paste,
            Some(201) if last == b'~' => return Sequence::PasteEnd,
            _ => return Sequence::Nothing,
        },
        _ => return Sequence::Nothing,
    };
    Sequence::Key(key)
}

/// Whether `ESC [ params last` is a key, the mark of a paste, what a mouse did or an answer, and surely not a part of
/// one with a typed character behind it: a letter that many words begin with ends none, unless numbers stand before it.
pub(super) fn is_surely_whole(params: &[u8], last: u8) -> bool {
    let is_own = params.starts_with(b"?") || params.starts_with(b">");
    let of_mouse = params.starts_with(b"<");
    let is_ended = params.last().is_some_and(u8::is_ascii_digit);
    let has_numbers = is_ended && !is_own && !of_mouse;
    let numbers = 1 + params.iter().filter(|&&byte| byte == b';').count();
    match last {
        b'A'..=b'D' | b'F' | b'H' | b'Z' => !is_own && !of_mouse,
        b'~' | b'^' | b'@' | b'P'..=b'S' => has_numbers,
        // The end of a key, or the end of an answer follows.
        b'$' | b'u' => has_numbers || (is_own && is_ended),
        b'M' | b'm' => of_mouse && is_ended && numbers == 3,
        b't' => has_numbers && numbers == 3,
        b'n' => (is_own && is_ended) || params == b"0",
        b'c' => is_own && is_ended,
        b'y' => is_own && params.ends_with(b"$"),
        _ => false,
    }
}

/// The key of a sequence of kitty's, `key:shifted:base ; modifiers:event ; text u`: what Shift makes of it, if that is
/// told.
fn kitty_key(params: &str) -> Option<u32> {
    let key = params.split(';').next()?;
    let shifted = key.split(':').nth(1).and_then(|text| text.parse().ok());
    shifted.or_else(|| key.split(':').next()?.parse().ok())
}

/// A key that a keyboard protocol tells by the number of its character: what another program asked the terminal for
/// (kitty's protocol, xterm's modifyOtherKeys) and did not take back.
fn typed(code: Option<u32>, modifier: Option<u32>) -> Sequence {
    let modifier = u16::try_from(modifier.unwrap_or(1).saturating_sub(1)).unwrap_or(u16::MAX);
    let code = code.filter(|_| modifier & ANOTHER_KEY == 0);
    let letter = code.and_then(|code| match code.checked_sub(KEYPAD) {
        Some(at) if (at as usize) < ON_KEYPAD.len() => ON_KEYPAD.chars().nth(at as usize),
        _ => char::from_u32(code),
    });
    match letter {
        Some('\r') => Sequence::Key(Key::Enter),
        Some('\x7f' | '\x08') => Sequence::Key(Key::Backspace),
        // The other keys have code points for private use there.
        Some('\u{e000}'..='\u{f8ff}') | None => Sequence::Nothing,
        Some(letter) if letter.is_control() => Sequence::Nothing,
        Some(letter) => Sequence::Key(Key::Text(letter.to_string().into())),
    }
}
