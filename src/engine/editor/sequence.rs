//! Sequences: what `ESC [ …` says in the dialects of xterm, rxvt and the Linux console.

use super::key::Key;

/// What a whole sequence means.
pub(super) enum Sequence {
    Key(Key<'static>),
    /// What follows is pasted.
    Paste,
    /// A key that means nothing here.
    Nothing,
    /// No key of a keyboard that is known here.
    Unknown,
}

/// What `ESC [ params last` means.
pub(super) fn sequence(params: &[u8], last: u8) -> Sequence {
    let mut numbers = [None; 2];
    for (i, param) in params.split(|&byte| byte == b';').enumerate() {
        let number = std::str::from_utf8(param).ok();
        match number.and_then(|text| text.parse::<u16>().ok()) {
            Some(number) if i < 2 => numbers[i] = Some(number),
            None if params.is_empty() => {}
            _ => return Sequence::Unknown,
        }
    }
    let [first, second] = numbers;
    // One more than Alt (2), Ctrl (4) and Meta (8) together; some terminals send it alone.
    let modifier = second
        .or(first.filter(|_| last.is_ascii_alphabetic()))
        .unwrap_or(1);
    let word = last == b'^' || modifier.saturating_sub(1) & 14 != 0;
    let key = match last {
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
            Some(_) => return Sequence::Nothing,
            None => return Sequence::Unknown,
        },
        b'P'..=b'S' | b'Z' => return Sequence::Nothing,
        _ => return Sequence::Unknown,
    };
    Sequence::Key(key)
}
