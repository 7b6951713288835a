//! Datagrams: what is read of stdin, cut into what goes out by UDP.
//!
//! ```text
//!   a block of text          a datagram for each line, with its end; a line that has not ended is held until it does,
//!                            until nothing came for PATIENCE, or until stdin ends
//!   a block with a NUL in    a datagram as it is, as nc sends what one read gave: a question to a name server may
//!   it, or no UTF-8          have the byte of a line feed anywhere
//! ```
//!
//! It promises: not a byte is added, lost or out of order; none is longer than [`MOST`] and none is
//! empty; no more than that is held; no letter of a text is cut, except one whose rest does not
//! come.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// Bytes of a datagram at most: what every path carries in one packet (QUIC counts on as much, RFC 9000, 14).
pub const MOST: usize = 1200;

/// How long a line waits for its rest: a program that writes it in pieces is done by then, and one
/// that asks something without ending the line waits no longer than that.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Datagrams {
    held: Vec<u8>,
    /// Since when nothing came behind what is held.
    since: Option<Instant>,
    ready: VecDeque<Vec<u8>>,
    /// Bytes in those.
    bytes: usize,
}

impl Datagrams {
    /// Takes in what a read gave.
    pub fn feed(&mut self, block: &[u8], now: Instant) {
        let held = std::mem::take(&mut self.held);
        let whole = [&held, block].concat();
        if is_text(&whole) {
            let end = memchr::memrchr(b'\n', &whole).map_or(0, |lf| lf + 1);
            let (lines, mut rest) = whole.split_at(end);
            for line in lines.split_inclusive(|&byte| byte == b'\n') {
                self.cut(line);
            }
            while rest.len() > MOST {
                let (piece, more) = rest.split_at(letters(rest, MOST));
                self.cut(piece);
                rest = more;
            }
            self.held = rest.to_vec();
        } else {
            self.cut(&held);
            block.chunks(MOST).for_each(|piece| self.push(piece));
        }
        self.since = (!self.held.is_empty()).then_some(now);
    }

    /// Nothing more comes, or nothing that belongs to what is held: that goes out.
    pub fn finish(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.cut(&held);
        self.since = None;
    }

    /// What is held goes out if its time is over: whole letters first.
    pub fn look(&mut self, now: Instant) {
        if self.deadline().is_none_or(|at| now < at) {
            return;
        }
        let whole = letters_that_are_whole(&self.held);
        if whole == 0 {
            return self.finish();
        }
        let rest = self.held.split_off(whole);
        let held = std::mem::replace(&mut self.held, rest);
        self.cut(&held);
        self.since = (!self.held.is_empty()).then_some(now);
    }

    /// When to [`Datagrams::look`].
    pub fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + PATIENCE)
    }

    fn cut(&mut self, mut text: &[u8]) {
        while !text.is_empty() {
            let (piece, rest) = text.split_at(letters(text, MOST));
            self.push(piece);
            text = rest;
        }
    }

    fn push(&mut self, piece: &[u8]) {
        self.bytes += piece.len();
        self.ready.push_back(piece.to_vec());
    }

    /// Takes the next one, if there is one.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let next = self.ready.pop_front()?;
        self.bytes -= next.len();
        Some(next)
    }

    /// Whether there is none, though something may be held.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ready.len()
    }

    /// Bytes in them.
    pub fn bytes(&self) -> usize {
        self.bytes
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

/// How many of the bytes are as many letters as fit into `most` bytes.
fn letters(text: &[u8], most: usize) -> usize {
    if text.len() <= most {
        return text.len();
    }
    // No letter is longer than four bytes, of which the first alone does not look like this.
    let is_begin = |&at: &usize| text[at] & 0b1100_0000 != 0b1000_0000;
    (most - 3..=most).rev().find(is_begin).unwrap_or(most)
}

/// How many of the bytes are letters that have not to wait for their rest.
fn letters_that_are_whole(text: &[u8]) -> usize {
    match std::str::from_utf8(text) {
        Ok(_) => text.len(),
        Err(error) => error.valid_up_to(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(blocks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut datagrams = Datagrams::default();
        for block in blocks {
            datagrams.feed(block, Instant::now());
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
    fn a_line_that_has_not_ended_waits_for_its_rest() {
        let start = Instant::now();
        let mut datagrams = Datagrams::default();
        datagrams.feed(b"hel", start);
        let almost = start + PATIENCE - Duration::from_nanos(1);
        datagrams.look(almost);
        assert_eq!(datagrams.take(), None);
        datagrams.feed(b"lo\nwor\xc3", almost);
        assert_eq!(datagrams.take().as_deref(), Some(&b"hello\n"[..]));
        datagrams.look(start + PATIENCE);
        assert_eq!(datagrams.take(), None);
        let over = almost + PATIENCE;
        assert_eq!(datagrams.deadline(), Some(over));
        datagrams.look(over);
        assert_eq!(datagrams.take().as_deref(), Some(&b"wor"[..]));
        // The half of a letter has its time, too.
        assert_eq!(datagrams.deadline(), Some(over + PATIENCE));
        datagrams.look(over + PATIENCE);
        assert_eq!(datagrams.take().as_deref(), Some(&b"\xc3"[..]));
        assert_eq!(datagrams.deadline(), None);
    }

    #[test]
    fn a_long_line_is_cut_between_letters() {
        let line = [b'x'; 3 * MOST + 1];
        let sizes: Vec<usize> = cut(&[&line]).iter().map(Vec::len).collect();
        assert_eq!(sizes, [MOST, MOST, MOST, 1]);
        for letter in ["\u{e9}", "\u{20ac}", "\u{1f600}"] {
            for before in 0..4 {
                let line = "x".repeat(before) + &letter.repeat(1000) + "\n";
                let (begin, end) = line.as_bytes().split_at(1201);
                for one in [cut(&[line.as_bytes()]), cut(&[begin, end])].concat() {
                    assert!(std::str::from_utf8(&one).is_ok(), "{one:?}");
                }
            }
        }
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

        /// However text is cut on its way here, a datagram is a line, or whole letters of one that is too long.
        #[test]
        fn lines_of_text_stay_whole(
            text in "[a\u{e9}\u{20ac}\u{1f600}\n]{0,2000}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            at.extend([0, text.len()]);
            at.sort_unstable();
            let pieces = at.windows(2).map(|two| &text.as_bytes()[two[0]..two[1]]);
            let datagrams = cut(&pieces.collect::<Vec<_>>());
            for (number, one) in datagrams.iter().enumerate() {
                let one = str::from_utf8(one).unwrap();
                let lines = one.matches('\n').count();
                prop_assert!(lines == 0 || (lines == 1 && one.ends_with('\n')));
                let is_whole = lines == 1 || number + 1 == datagrams.len();
                prop_assert!(is_whole || one.len() > MOST - 4);
            }
            prop_assert_eq!(datagrams.concat(), text.as_bytes());
        }
    }
}
