//! Lines: bytes in as they come, whole lines out.
//!
//! A speaker's bytes have two readers with different needs: the *screen* (the operator's stdout),
//! which shows a lone peer's bytes at once, and the *room* (the other peers), which gets whole
//! lines only, also of a line whose beginning was on the screen before a second peer was there.
//!
//! It promises: each reader gets every byte once and in order; at most [`MAX_LINE`] bytes are held;
//! a speaker with no unfinished line holds no memory to speak of.

mod held;

use memchr::memrchr;

use held::Held;

/// The longest unfinished line that is held, in bytes. A longer one is passed on in pieces.
pub const MAX_LINE: usize = 64 * 1024;

/// Capacity above which an emptied buffer gives its memory back.
const KEPT: usize = 256;

/// One speaker's unfinished line.
#[derive(Debug, Default)]
pub struct Lines {
    held: Held,
    /// How much of `held` is on the screen already.
    shown: usize,
}

impl Lines {
    /// Takes in `bytes` and passes on every whole line; what is left is held, and with `at_once`
    /// shown on the screen already. The calls to each reader come in order.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        at_once: bool,
        mut screen: impl FnMut(&[u8]),
        mut room: impl FnMut(&[u8]),
    ) {
        let (whole, rest) = bytes.split_at(memrchr(b'\n', bytes).map_or(0, |lf| lf + 1));
        if !whole.is_empty() {
            self.finish(&mut screen, &mut room);
            screen(whole);
            room(whole);
        }
        if rest.is_empty() {
            return;
        }
        if self.held.len() + rest.len() >= MAX_LINE {
            self.finish(&mut screen, &mut room);
            screen(rest);
            room(rest);
            return;
        }
        self.held.extend(rest);
        if at_once {
            self.show(screen);
        }
    }

    /// Shows what is held and not yet on the screen.
    pub fn show(&mut self, mut screen: impl FnMut(&[u8])) {
        self.held.pieces(self.shown).for_each(&mut screen);
        self.shown = self.held.len();
    }

    /// Passes on what is held as it is: the speaker will not end this line.
    pub fn finish(&mut self, mut screen: impl FnMut(&[u8]), mut room: impl FnMut(&[u8])) {
        self.held.pieces(self.shown).for_each(&mut screen);
        self.held.pieces(0).for_each(&mut room);
        self.shown = 0;
        self.held.clear(KEPT);
    }

    /// How many more bytes without an end make the unfinished line too long to be held.
    pub fn room(&self) -> usize {
        MAX_LINE - self.held.len()
    }

    /// Bytes of the unfinished line that are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Bytes of memory that hold the unfinished line.
    pub fn memory(&self) -> usize {
        self.held.memory()
    }

    /// Whether the beginning of an unfinished line is on the screen.
    pub fn is_open(&self) -> bool {
        self.shown > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the pieces and returns what the screen and the room got after each.
    fn feed(pieces: &[&[u8]], at_once: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut lines = Lines::default();
        let mut got = Vec::new();
        for piece in pieces {
            let (mut screen, mut room) = (Vec::new(), Vec::new());
            lines.feed(
                piece,
                at_once,
                |b| screen.extend_from_slice(b),
                |b| room.extend_from_slice(b),
            );
            got.push((screen, room));
        }
        got
    }

    #[test]
    fn whole_lines_pass_and_the_rest_is_held() {
        let got = feed(&[b"on", b"e\ntwo\nth", b"ree\n"], false);
        let expected: [&[u8]; 3] = [b"", b"one\ntwo\n", b"three\n"];
        for ((screen, room), expected) in got.iter().zip(expected) {
            assert_eq!((&screen[..], &room[..]), (expected, expected));
        }
    }

    #[test]
    fn at_once_shows_beginnings_once_and_the_room_gets_whole_lines() {
        let got = feed(&[b"on", b"e\ntwo\nth", b"ree\n"], true);
        let screens: [&[u8]; 3] = [b"on", b"e\ntwo\nth", b"ree\n"];
        let rooms: [&[u8]; 3] = [b"", b"one\ntwo\n", b"three\n"];
        for (i, (screen, room)) in got.iter().enumerate() {
            assert_eq!((&screen[..], &room[..]), (screens[i], rooms[i]));
        }
    }

    #[test]
    fn every_cut_gives_the_same_lines() {
        let text = b"\none\n\ntwo two\nno end";
        for i in 0..=text.len() {
            for j in i..=text.len() {
                let mut lines = Lines::default();
                let mut room = Vec::new();
                for piece in [&text[..i], &text[i..j], &text[j..]] {
                    lines.feed(piece, false, |_| (), |b| room.extend_from_slice(b));
                    assert!(room.is_empty() || room.ends_with(b"\n"));
                }
                assert_eq!(room, b"\none\n\ntwo two\n");
                lines.finish(|_| (), |b| room.extend_from_slice(b));
                assert_eq!(room, text);
            }
        }
    }

    #[test]
    fn an_endless_line_passes_in_pieces_and_holds_little() {
        let mut lines = Lines::default();
        let mut passed = 0;
        for i in 1..=100 {
            lines.feed(&[b'x'; 5000], false, |_| (), |b| passed += b.len());
            assert!(lines.held.len() < MAX_LINE);
            assert_eq!(passed + lines.held.len(), i * 5000);
        }
        lines.feed(b"\n", false, |_| (), |b| passed += b.len());
        assert_eq!(passed, 500_001);
        assert!(lines.memory() <= KEPT);
    }
}
