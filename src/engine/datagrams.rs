//! Datagrams: what is read of stdin, cut into what goes out by UDP.
//!
//! ```text
//!   a block of text          a datagram for each line, with its end; a line that goes on beyond the block is held
//!                            until it ends, or until there is nothing more to read now
//!   a block with a NUL in    a datagram as it is, as nc sends what one read gave: a question to a name server may
//!   it, or no UTF-8          have the byte of a line feed anywhere
//! ```
//!
//! It promises: not a byte is added, lost or out of order; none is longer than [`MOST`] and none is empty; what is
//! held is shorter than that.

use std::collections::VecDeque;

/// Bytes of a datagram at most: what every path carries in one packet (QUIC counts on as much, RFC 9000, 14).
pub const MOST: usize = 1200;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Datagrams {
    held: Vec<u8>,
    ready: VecDeque<Vec<u8>>,
}

impl Datagrams {
    /// Takes in what a read gave.
    pub fn feed(&mut self, block: &[u8]) {
        let held = std::mem::take(&mut self.held);
        let whole = [&held, block].concat();
        if !is_text(&whole) {
            self.cut(&held);
            self.cut(block);
            return;
        }
        let end = memchr::memrchr(b'\n', &whole).map_or(0, |lf| lf + 1);
        let (lines, rest) = whole.split_at(end);
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            self.cut(line);
        }
        let (long, rest) = rest.split_at(rest.len() / MOST * MOST);
        self.cut(long);
        self.held = rest.to_vec();
    }

    /// There is nothing more to read, now or ever: the held bytes go out.
    pub fn finish(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.cut(&held);
    }

    fn cut(&mut self, bytes: &[u8]) {
        self.ready.extend(bytes.chunks(MOST).map(<[u8]>::to_vec));
    }

    /// Takes the next one, if there is one.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        self.ready.pop_front()
    }

    /// Whether there is none, though something may be held.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }
}

/// Whether bytes are text, as far as they go: the last letter may be cut.
fn is_text(bytes: &[u8]) -> bool {
    let is_whole = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    is_whole && memchr::memchr(0, bytes).is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(blocks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut datagrams = Datagrams::default();
        for block in blocks {
            datagrams.feed(block);
        }
        datagrams.finish();
        std::iter::from_fn(|| datagrams.take()).collect()
    }

    #[test]
    fn a_line_is_one() {
        assert_eq!(
            cut(&[b"one\ntwo\n\nth", b"ree"]),
            [&b"one\n"[..], b"two\n", b"\n", b"three"]
        );
        assert_eq!(cut(&["h\u{e9}\n".as_bytes()]), [b"h\xc3\xa9\n"]);
        // A letter that two reads share.
        assert_eq!(
            cut(&[b"a\nh\xc3", b"\xa9\n"]),
            [&b"a\n"[..], b"h\xc3\xa9\n"]
        );
        assert_eq!(cut(&[b""]), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_long_line_is_cut() {
        let line = [b'x'; 3 * MOST + 1];
        let sizes: Vec<usize> = cut(&[&line]).iter().map(Vec::len).collect();
        assert_eq!(sizes, [MOST, MOST, MOST, 1]);
    }

    /// What dig asks for cloudflare.com has a line feed in it: the length of a label.
    #[test]
    fn a_block_that_is_no_text_is_one() {
        let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x0acloudflare\x03com\0\0\x01\0\x01";
        assert_eq!(cut(&[question]), [question]);
        assert_eq!(
            cut(&[b"text", question, b"a\nb\n"]),
            [&b"text"[..], question, b"a\n", b"b\n"]
        );
        assert_eq!(cut(&[b"caf\xe9\nau lait\n"]), [b"caf\xe9\nau lait\n"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_none_is_too_long(
            blocks in prop::collection::vec(
                prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'x'), any::<u8>()], 0..3000),
                0..6,
            ),
        ) {
            let blocks: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
            let datagrams = cut(&blocks);
            prop_assert!(datagrams.iter().all(|one| (1..=MOST).contains(&one.len())));
            prop_assert_eq!(datagrams.concat(), blocks.concat());
        }
    }
}
