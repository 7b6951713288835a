//! Brackets: the marks that a terminal puts around what is pasted, taken out where there is no edit
//! line.
//!
//! A terminal that was told to (by a shell, an editor, another program before) sends `ESC [ 200 ~`
//! before what is pasted and `ESC [ 201 ~` behind it (xterm's control sequences, "Bracketed Paste
//! Mode"), and goes on doing so for every program that reads it later. They are no text.
//!
//! It promises: wherever the bytes are cut, no whole mark is left; of an unfinished one at most five bytes
//! are held.

/// The beginning of a paste in brackets.
pub const PASTE_BEGINS: &[u8] = b"\x1b[200~";

/// And its end.
pub const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// Where to cut what was read at once, since a paste in brackets begins behind the end of a line of it: it is
/// another text. That is behind its mark, or, if it goes on with a row that has no end, before that row.
pub fn cut_before_paste(bytes: &[u8]) -> Option<usize> {
    let mut marks = memchr::memmem::find_iter(bytes, PASTE_BEGINS);
    marks.find_map(|at| {
        let before = &bytes[..at];
        let before = before.strip_suffix(PASTE_ENDS).unwrap_or(before);
        let row = memchr::memrchr2(b'\n', b'\r', before)? + 1;
        match row == before.len() {
            true => Some(at + PASTE_BEGINS.len()),
            false => Some(row),
        }
    })
}

/// What stands behind the bracket that begins the last paste.
pub fn behind_begin(bytes: &[u8]) -> &[u8] {
    let begin = memchr::memmem::rfind(bytes, PASTE_BEGINS);
    begin.map_or(&[], |at| &bytes[at + PASTE_BEGINS.len()..])
}

/// Whether something stands behind the first bracket that ends a paste, in the same line.
pub fn has_words_behind_end(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, PASTE_ENDS).is_some_and(|at| {
        let behind = &bytes[at + PASTE_ENDS.len()..];
        let line = behind.split(|&byte| byte == b'\n').next();
        line.is_some_and(|line| !line.trim_ascii().is_empty())
    })
}

/// The state between two reads. See the module's documentation.
#[derive(Debug, Default)]
pub struct Brackets {
    is_open: bool,
    /// What may be the beginning of a mark.
    held: Vec<u8>,
}

impl Brackets {
    /// Appends `bytes` without the marks to `text`. Returns whether a line in it was pasted: its end stands
    /// within brackets, or its beginning does, behind such an end.
    pub fn take_out(&mut self, bytes: &[u8], text: &mut Vec<u8>) -> bool {
        let mut goes_on = self.is_open;
        let mut is_pasted = false;
        let joined;
        let mut rest = match self.held.is_empty() {
            true => bytes,
            false => {
                self.held.extend_from_slice(bytes);
                joined = std::mem::take(&mut self.held);
                &joined[..]
            }
        };
        while let Some(esc) = memchr::memchr(b'\x1b', rest) {
            let (before, mark) = rest.split_at(esc);
            is_pasted |= self.push(before, goes_on, text);
            if let Some(behind) = mark.strip_prefix(PASTE_BEGINS) {
                (self.is_open, rest) = (true, behind);
            } else if let Some(behind) = mark.strip_prefix(PASTE_ENDS) {
                (self.is_open, rest) = (false, behind);
                goes_on = false;
            } else if PASTE_BEGINS.starts_with(mark) || PASTE_ENDS.starts_with(mark) {
                self.held = mark.to_vec();
                return is_pasted;
            } else {
                text.push(b'\x1b');
                rest = &mark[1..];
            }
        }
        is_pasted | self.push(rest, goes_on, text)
    }

    /// Whether a paste goes on.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// So long nothing came that what comes now, without an end, is no part of a paste: that was taken back at the
    /// terminal (Backspace, Ctrl-U), where the kernel edits.
    pub fn miss_end(&mut self, bytes: &[u8]) {
        if memchr::memmem::find(bytes, PASTE_ENDS).is_none() {
            self.is_open = false;
        }
    }

    /// Appends what was held to `text`: no more follows.
    pub fn finish(&mut self, text: &mut Vec<u8>) {
        text.append(&mut self.held);
    }

    /// Appends bytes without a mark. Returns whether a line ends in them within brackets, or a paste that
    /// began before `goes_on` in them.
    fn push(&self, bytes: &[u8], goes_on: bool, text: &mut Vec<u8>) -> bool {
        text.extend_from_slice(bytes);
        self.is_open && (bytes.contains(&b'\n') || (goes_on && !bytes.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of the pieces, and whether a line in each was pasted.
    fn taken(pieces: &[&str]) -> (String, Vec<bool>) {
        let (mut brackets, mut text) = (Brackets::default(), Vec::new());
        let pasted = pieces
            .iter()
            .map(|piece| brackets.take_out(piece.as_bytes(), &mut text))
            .collect();
        brackets.finish(&mut text);
        (String::from_utf8(text).unwrap(), pasted)
    }

    #[test]
    fn marks_are_no_text_and_lines_between_them_are_pasted() {
        for (pieces, text, pasted) in [
            (&["typed\n"][..], "typed\n", &[false][..]),
            (&["\x1b[200~a\nb\n\x1b[201~\n"], "a\nb\n\n", &[true]),
            // One line, and Enter pressed behind it.
            (&["\x1b[200~/who\x1b[201~\n"], "/who\n", &[false]),
            (
                &["\x1b[200~a\n", "/quit\x1b[201~\n", "/who\n"],
                "a\n/quit\n/who\n",
                &[true, true, false],
            ),
            // Whatever does not belong there.
            (&["\x1b[201~a\x1b[201~\n"], "a\n", &[false]),
            (
                &["\x1b[200~\x1b[200~a\n\x1b[201~", "b\n"],
                "a\nb\n",
                &[true, false],
            ),
            (
                &["\x1b[200~a\n", "\x1b[201~\x1b[200~/who\x1b[201~\n"],
                "a\n/who\n",
                &[true, false],
            ),
            (&["\x1b[A\x1b\x1b[20\n"], "\x1b[A\x1b\x1b[20\n", &[false]),
        ] {
            assert_eq!(taken(pieces), (text.into(), pasted.into()), "{pieces:?}");
        }
    }

    #[test]
    fn cuts_do_not_matter() {
        let all = "x\x1b[200~a\n\x1b[20\x1b[201~\x1b\x1b[201~y\n\x1b[2";
        let (text, _) = taken(&[all]);
        assert_eq!(text, "xa\n\x1b[20\x1by\n\x1b[2");
        for cut in 0..=all.len() {
            let (left, right) = all.split_at(cut);
            assert_eq!(taken(&[left, right]).0, text, "cut at {cut}");
        }
        let single: Vec<&str> = all.split("").collect();
        assert_eq!(taken(&single).0, text);
    }
}
