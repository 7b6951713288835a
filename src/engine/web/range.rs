//! Ranges: which part of a content is asked for (RFC 9110, section 14).
//!
//! It promises: a part that it names is not empty and lies within the content; a field that it does
//! not understand, or with several parts, means the whole, which is always a right answer (RFC
//! 9110, section 14.2).

use std::ops::Range;

/// What of a content is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// These bytes.
    Bytes(Range<u64>),
    /// It has no byte of what is asked for.
    Nothing,
}

/// What a field `Range` means for a content of so many bytes.
pub fn part(field: &str, size: u64) -> Part {
    understand(field, size).unwrap_or(Part::Whole)
}

fn understand(field: &str, size: u64) -> Option<Part> {
    let (unit, ranges) = field.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = ranges.trim_matches([' ', '\t']).split_once('-')?;
    let part = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.is_empty() => first..size,
        // An empty content has no range: its last bytes are none.
        (None, Some(count)) if first.is_empty() && (size > 0 || count == 0) => {
            size.saturating_sub(count)..size
        }
        _ => return None,
    };
    Some(match part.is_empty() {
        true => Part::Nothing,
        false => Part::Bytes(part),
    })
}

/// A number in digits; of one that is too large, that it is.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, digit| {
        let digit = u64::from(char::from(digit).to_digit(10)?);
        Some(number.saturating_mul(10).saturating_add(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_named_by_its_ends_or_its_length() {
        for (field, expected) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-99", 0..100),
            ("bytes=0-", 0..100),
            ("BYTES=99-", 99..100),
            ("bytes= 7-8\t", 7..9),
            ("bytes=90-100", 90..100),
            ("bytes=007-99999999999999999999999", 7..100),
            ("bytes=-1", 99..100),
            ("bytes=-100", 0..100),
            ("bytes=-99999999999999999999999", 0..100),
        ] {
            assert_eq!(part(field, 100), Part::Bytes(expected), "{field}");
        }
    }

    #[test]
    fn what_is_beyond_the_end_is_not_there() {
        for field in [
            "bytes=100-",
            "bytes=100-200",
            "bytes=99999999999999999999999-",
            "bytes=-0",
        ] {
            assert_eq!(part(field, 100), Part::Nothing, "{field}");
        }
        assert_eq!(part("bytes=0-", 0), Part::Nothing);
        assert_eq!(part("bytes=-5", 0), Part::Whole);
    }

    #[test]
    fn what_is_not_understood_means_the_whole() {
        for field in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5",
            "bytes=5-4",
            "bytes=0-1,3-4",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=--2",
            "bytes=1-2-3",
            "bytes =1-2",
            "lines=1-2",
            "bytes=٣-٤",
        ] {
            assert_eq!(part(field, 100), Part::Whole, "{field}");
        }
    }
}
