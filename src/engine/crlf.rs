//! CRLF: a lone LF becomes CRLF, for protocols that insist on it (`-C`).
//!
//! It promises: an LF that already follows a CR stays as it is, also when the two came in
//! different reads; nothing else is touched.

use memchr::memchr;

/// The conversion's only memory: whether the last byte seen was a CR.
#[derive(Debug, Default)]
pub struct Crlf {
    after_cr: bool,
}

impl Crlf {
    /// Appends `input` to `out`, every lone LF as CRLF. `out` grows by at most twice the input.
    pub fn convert(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        while let Some(lf) = memchr(b'\n', input) {
            let (before, rest) = input.split_at(lf);
            out.extend_from_slice(before);
            if let Some(&last) = before.last() {
                self.after_cr = last == b'\r';
            }
            if !self.after_cr {
                out.push(b'\r');
            }
            out.push(b'\n');
            self.after_cr = false;
            input = &rest[1..];
        }
        out.extend_from_slice(input);
        if let Some(&last) = input.last() {
            self.after_cr = last == b'\r';
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn convert(pieces: &[&[u8]]) -> Vec<u8> {
        let mut crlf = Crlf::default();
        let mut out = Vec::new();
        for piece in pieces {
            crlf.convert(piece, &mut out);
        }
        out
    }

    #[test]
    fn lone_lf_becomes_crlf_and_crlf_stays() {
        assert_eq!(convert(&[b"a\nb\r\nc"]), b"a\r\nb\r\nc");
        assert_eq!(convert(&[b"\n\n"]), b"\r\n\r\n");
        assert_eq!(convert(&[b"a\rb\n"]), b"a\rb\r\n");
        assert_eq!(convert(&[b"\r\r\n"]), b"\r\r\n");
    }

    #[test]
    fn the_state_lives_across_reads() {
        assert_eq!(convert(&[b"a\r", b"\nb"]), b"a\r\nb");
        assert_eq!(convert(&[b"a\r", b"", b"\nb"]), b"a\r\nb");
        assert_eq!(convert(&[b"a", b"\nb"]), b"a\r\nb");
        assert_eq!(convert(&[b"\r\n", b"\n"]), b"\r\n\r\n");
    }

    proptest! {
        /// However it is cut, the result is the same, and undoing it byte by byte gives the input
        /// with every lone LF as CRLF.
        #[test]
        fn cuts_do_not_matter(
            input in prop::collection::vec(prop::sample::select(b"\r\nab".to_vec()), 0..60),
            cut in any::<prop::sample::Index>(),
        ) {
            let (left, right) = input.split_at(cut.index(input.len() + 1));
            let mut expected = Vec::new();
            for (i, &byte) in input.iter().enumerate() {
                if byte == b'\n' && (i == 0 || input[i - 1] != b'\r') {
                    expected.push(b'\r');
                }
                expected.push(byte);
            }
            prop_assert_eq!(convert(&[left, right]), expected);
        }
    }
}
