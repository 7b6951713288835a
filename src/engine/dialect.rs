//! Dialects: text of which no line ends, or whose letters are two bytes each.
//!
//! The lines of a peer that sends only carriage returns never appear (a line ends with a line
//! feed), and UTF-16 appears with `^@` between its letters. Neither is supported; but the operator
//! can be told why it looks so.
//!
//! It promises: of each speaker it is told once at most, and not at all once the speaker has ended
//! a line properly; bytes that are no text are not taken for such a dialect; a few bytes of state
//! for each.

/// Bytes that are looked at for UTF-16.
const LOOKED_AT: usize = 64;

/// What is odd about a speaker's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// Its lines end with CR alone.
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
    /// The speaker's dialect is known, or does not matter any more.
    Known,
}

impl Dialect {
    /// Takes in what came, cut anywhere, and tells what is odd about it if that is seen now.
    pub fn hear(&mut self, bytes: &[u8]) -> Option<Oddity> {
        if self.0 == State::Known || bytes.is_empty() {
            return None;
        }
        let found = match self.0 == State::Unheard && is_utf16(bytes) {
            true => Some(Oddity::Utf16),
            false => return self.look_for_returns(bytes),
        };
        self.0 = State::Known;
        found
    }

    fn look_for_returns(&mut self, bytes: &[u8]) -> Option<Oddity> {
        for &byte in bytes {
            let (state, found) = match (self.0, byte) {
                (State::AfterCr, b'\r') => (State::AfterCr, None),
                // Telnet sends a NUL behind what is a CR alone (RFC 854), and its Enter as CR LF.
                (State::AfterCr, byte) if byte == 0 || is_text(byte) => {
                    (State::Known, Some(Oddity::CarriageReturns))
                }
                (State::Unheard | State::Text, b'\r') => (State::AfterCr, None),
                (State::Unheard | State::Text, byte) if is_text(byte) => (State::Text, None),
                _ => (State::Known, None),
            };
            self.0 = state;
            if self.0 == State::Known {
                return found;
            }
        }
        None
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

    fn found(pieces: &[&[u8]]) -> Vec<Oddity> {
        let mut dialect = Dialect::default();
        pieces
            .iter()
            .filter_map(|piece| dialect.hear(piece))
            .collect()
    }

    #[test]
    fn carriage_returns_alone_are_found_once_however_they_are_cut() {
        let text: &[u8] = "one\rtwo é\rthree\r".as_bytes();
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(found(&[text]), [Oddity::CarriageReturns]);
        assert_eq!(found(&single), [Oddity::CarriageReturns]);
        assert_eq!(
            found(&[b"one\r", b"\r", b"two\r"]),
            [Oddity::CarriageReturns]
        );
        assert_eq!(found(&[b"one\r\0two"]), [Oddity::CarriageReturns]);
    }

    #[test]
    fn whoever_ends_a_line_properly_is_left_alone() {
        let cases: [&[&[u8]]; 6] = [
            &[b"one\n", b"two\rthree\r"],
            &[b"one\r", b"\ntwo\rthree"],
            &[b"progress\r\n\rmore\r"],
            &[b"not yet ended"],
            &[b"one\r"],
            &[b"\x1f\x8b\x08\0\r\0\rbinary\rx"],
        ];
        for pieces in cases {
            assert_eq!(found(pieces), [], "{pieces:?}");
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
