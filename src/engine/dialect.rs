//! Dialects: text of which no line ends, or whose letters are two bytes each.
//!
//! The lines of a peer that sends only carriage returns never appear (a line ends with a line
//! feed), and UTF-16 appears with `^@` between its letters. Neither is supported; but the operator
//! can be told why it looks so.
//!
//! ```text
//!   unheard ─► text ◄─► after a CR ─► text behind it: in doubt ─► known: nobody asks any more
//! ```
//!
//! Text behind a CR alone does not prove that the speaker's lines end with CR: a progress bar writes one
//! line over and over, and ends it with an LF at last. So the speaker is in doubt first, and the caller
//! decides when it has waited long enough for the LF.
//!
//! It promises: a speaker is reported once at most, and not at all once it has ended a line with an LF,
//! wherever the reads cut what it sends; bytes that are no text are not taken for such a dialect; a few
//! bytes of state for each speaker.

/// Bytes that are looked at for UTF-16.
const LOOKED_AT: usize = 64;

/// What is odd about a speaker's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// Its lines seem to end with CR alone: [`Dialect::take_doubt`] tells later whether they do.
    CarriageReturns,
    /// Its letters are UTF-16.
    Utf16,
}

/// What is known of one speaker's text.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Dialect(State);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Unheard,
    /// Text without an end of a line so far.
    Text,
    /// The same, and a CR came last.
    AfterCr,
    /// Text came behind a CR alone, and no LF since.
    InDoubt,
    /// The speaker's dialect is known, or does not matter any more.
    Known,
}

impl Dialect {
    /// Takes in what came, cut anywhere, and tells what is odd about it if that is seen now.
    pub fn hear(&mut self, bytes: &[u8]) -> Option<Oddity> {
        if self.0 == State::Unheard && is_utf16(bytes) {
            self.0 = State::Known;
            return Some(Oddity::Utf16);
        }
        let before = self.0;
        for &byte in bytes {
            self.0 = self.0.after(byte);
            if self.0 == State::Known {
                return None;
            }
        }
        let is_doubted = self.0 == State::InDoubt && before != State::InDoubt;
        is_doubted.then_some(Oddity::CarriageReturns)
    }

    /// Whether its lines end with CR alone, now that no LF came for long. It is asked once.
    pub fn take_doubt(&mut self) -> bool {
        let is_doubted = self.0 == State::InDoubt;
        if is_doubted {
            self.0 = State::Known;
        }
        is_doubted
    }
}

impl State {
    fn after(self, byte: u8) -> State {
        match (self, byte) {
            (State::InDoubt, b'\r') => State::InDoubt,
            (State::AfterCr | State::Unheard | State::Text, b'\r') => State::AfterCr,
            // Telnet sends a NUL behind what is a CR alone (RFC 854), and its Enter as CR LF.
            (State::AfterCr | State::InDoubt, byte) if byte == 0 || is_text(byte) => State::InDoubt,
            (State::Unheard | State::Text, byte) if is_text(byte) => State::Text,
            _ => State::Known,
        }
    }
}

/// Whether a byte is of a line of text, in any encoding that has ASCII in it.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether bytes begin as UTF-16 does: with its mark, or with two ASCII letters at least.
fn is_utf16(bytes: &[u8]) -> bool {
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = bytes {
        return true;
    }
    let pairs = bytes[..bytes.len().min(LOOKED_AT)].chunks_exact(2);
    let is_letter = |byte: u8| is_text(byte) && byte.is_ascii() || matches!(byte, b'\r' | b'\n');
    let little = |pair: &[u8]| is_letter(pair[0]) && pair[1] == 0;
    let big = |pair: &[u8]| pair[0] == 0 && is_letter(pair[1]);
    pairs.len() >= 2 && (pairs.clone().all(little) || pairs.clone().all(big))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is odd about a speaker who sends these pieces, and nothing more for long.
    fn found(pieces: &[&[u8]]) -> Vec<Oddity> {
        let mut dialect = Dialect::default();
        let mut found: Vec<Oddity> = pieces
            .iter()
            .filter_map(|piece| dialect.hear(piece))
            .collect();
        if !dialect.take_doubt() {
            found.retain(|oddity| *oddity != Oddity::CarriageReturns);
        }
        assert!(!dialect.take_doubt());
        found
    }

    /// The same of a text at once, which does not depend on how it is cut.
    fn found_in(text: &[u8]) -> Vec<Oddity> {
        let at_once = found(&[text]);
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(found(&single), at_once, "{text:?}");
        for cut in 0..text.len() {
            let (first, second) = text.split_at(cut);
            assert_eq!(found(&[first, second]), at_once, "{first:?}, {second:?}");
        }
        at_once
    }

    #[test]
    fn carriage_returns_alone_are_found_however_they_are_cut() {
        for text in [
            "one\rtwo é\rthree\r",
            "one\rtwo",
            "one\r\rtwo\r",
            "one\r\0two",
        ] {
            let found = found_in(text.as_bytes());
            assert_eq!(found, [Oddity::CarriageReturns], "{text:?}");
        }
    }

    #[test]
    fn whoever_ends_a_line_properly_is_left_alone() {
        let cases: [&[u8]; 9] = [
            b"one\ntwo\rthree\r",
            b"one\r\ntwo\rthree",
            b"progress\r\n\rmore\r",
            b"a\rb\r\n",
            b"10 %\r20 %\r30 %\n",
            b"one\r\0two\r\n",
            b"not yet ended",
            b"one\r",
            b"\x1f\x8b\x08\0\r\0\rbinary\rx",
        ];
        for text in cases {
            assert_eq!(found_in(text), [], "{text:?}");
        }
    }

    #[test]
    fn utf_16_is_found_with_and_without_its_mark() {
        let cases: [&[u8]; 4] = [
            b"\xff\xfeh\0",
            b"\xfe\xff\0h",
            b"h\0i\0\r\0\n\0",
            b"\0h\0i\0\n",
        ];
        for text in cases {
            assert_eq!(found(&[text, text]), [Oddity::Utf16], "{text:?}");
        }
        let others: [&[u8]; 4] = [b"hi\n", b"h\0", b"\0\0\0\0", "日本\n".as_bytes()];
        for text in others {
            assert_eq!(found(&[text]), [], "{text:?}");
        }
    }
}
