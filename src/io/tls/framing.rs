//! Framing: where one record ends and the next begins (RFC 8446, 5.1; RFC 5246, 6.2.1).
//!
//! ```text
//!   type   version    length
//!   [17]   [03 03]   [00 12]   … so many bytes
//! ```
//!
//! To decrypt a record costs about a microsecond however little is in it, so a turn of bounded time
//! has to know how many there are.
//!
//! It promises: each record is counted once, when the last byte of its header comes, however the bytes
//! are cut.

/// Bytes of a header.
pub(super) const HEADER: usize = 5;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Framing {
    /// Bytes of the next header that have come, and its length as far as it has.
    header: usize,
    length: usize,
    /// Bytes of the record that are still to come.
    rest: usize,
}

impl Framing {
    /// Whether what comes next begins a record.
    pub(super) fn is_between(&self) -> bool {
        (self.header, self.rest) == (0, 0)
    }

    /// Bytes that are still to come of the record that is being read, as far as that is known.
    pub(super) fn rest(&self) -> usize {
        self.rest
    }

    /// How long a record is with its header, if it is whole in these bytes, with which it begins.
    pub(super) fn whole(bytes: &[u8]) -> Option<usize> {
        let &[_, _, _, high, low, ..] = bytes else {
            return None;
        };
        let end = HEADER + usize::from(u16::from_be_bytes([high, low]));
        (end <= bytes.len()).then_some(end)
    }

    /// Takes note of bytes, the next that came. Returns how many records begin in them.
    pub(super) fn count(&mut self, mut bytes: &[u8]) -> usize {
        let mut count = 0;
        loop {
            let skipped = self.rest.min(bytes.len());
            self.rest -= skipped;
            bytes = &bytes[skipped..];
            let Some((&byte, later)) = bytes.split_first() else {
                return count;
            };
            bytes = later;
            // The length is the last two bytes.
            self.length = (self.length << 8 | usize::from(byte)) & 0xffff;
            self.header += 1;
            if self.header == HEADER {
                count += 1;
                (self.header, self.rest) = (0, self.length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(length: usize) -> Vec<u8> {
        let mut record = vec![23, 3, 3, (length >> 8) as u8, length as u8];
        record.resize(HEADER + length, 0x55);
        record
    }

    proptest! {
        #[test]
        fn each_record_is_counted_once_however_it_is_cut(
            lengths in prop::collection::vec(0usize..20_000, 0..20),
            size in 1usize..5000,
        ) {
            let bytes: Vec<u8> = lengths.iter().flat_map(|&length| record(length)).collect();
            let mut framing = Framing::default();
            let counts = bytes.chunks(size).map(|piece| framing.count(piece));
            prop_assert_eq!(counts.sum::<usize>(), lengths.len());
            prop_assert_eq!((framing.header, framing.rest), (0, 0));
        }
    }
}
