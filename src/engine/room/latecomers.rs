//! Latecomers: members that join while a line of the operator's goes out.
//!
//! A stream is cut by the reads of the hub, not by its lines, so that a newcomer could be handed the rest
//! of a line whose beginning it has not got. It begins with the next one.
//!
//! It promises: nothing is left out of a member's stream behind the first line that it was handed,
//! nor while no other member is known to read, and never more than [`MAX_LINE`].

use super::Room;
use crate::engine::lines::MAX_LINE;

/// The members that wait for the next line, and how much each was not handed since it joined.
#[derive(Debug, Default)]
pub(super) struct Latecomers {
    waiting: Vec<(usize, usize)>,
}

impl Latecomers {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A member left.
    pub(super) fn forget(&mut self, key: usize) {
        self.waiting.retain(|(waiting, _)| *waiting != key);
    }

    /// The next bytes are heard by all.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

impl Room {
    /// Whether a member came in the middle of a line that goes on.
    pub fn has_latecomers(&self) -> bool {
        !self.latecomers.is_empty()
    }

    /// A member joined at the end of everybody's stream.
    pub(super) fn note_latecomer(&mut self, key: usize) {
        // A line that only the newcomer may hear is not kept from it. With relaying only whole
        // lines are said, and a history begins with a whole line.
        let is_stream = !self.policy.relay && !self.journal.keeps_history();
        if is_stream && !self.is_on_trial() && self.glue.is_midline() {
            self.latecomers.waiting.push((key, 0));
        }
    }

    /// Leaves the rest of a line, which was appended just now, out of the streams of latecomers.
    #[cold]
    pub(super) fn skip_begun(&mut self, bytes: &[u8]) {
        if self.is_on_trial() {
            return self.latecomers.clear();
        }
        let rest = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        let is_over = rest < bytes.len() || bytes.ends_with(b"\n");
        let start = self.journal.end() - bytes.len() as u64;
        let (members, journal) = (&mut self.members, &mut self.journal);
        self.latecomers.waiting.retain_mut(|(key, skipped)| {
            let count = rest.min(MAX_LINE - *skipped);
            if count > 0 {
                journal.skip_from(&mut members[*key].cursor, start, count as u64);
            }
            *skipped += count;
            !is_over && *skipped < MAX_LINE
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::engine::room::Policy;

    /// What a member takes now.
    fn reads(room: &mut Room, key: usize) -> Vec<u8> {
        let mut got = Vec::new();
        while room.owed(key) > 0 {
            let all = |slices: &[std::io::IoSlice<'_>]| {
                let before = got.len();
                slices.iter().for_each(|slice| got.extend_from_slice(slice));
                Ok(got.len() - before)
            };
            room.flush(key, Instant::now(), all).expect("it takes all");
        }
        got
    }

    /// A room with one member that is known to read, which has heard that.
    fn room_that_heard(said: &[u8]) -> Room {
        let mut room = Room::new(Policy::PLAIN);
        room.join(0, Instant::now());
        room.acknowledged(0);
        room.typed(said, Instant::now());
        assert_eq!(reads(&mut room, 0), said);
        room
    }

    #[test]
    fn a_latecomer_begins_with_the_next_line() {
        let now = Instant::now();
        for rest in [
            &["ne\nnext\n"][..],
            &["ne\n", "next\n"],
            &["n", "e", "\n", "next\n"],
        ] {
            let mut room = room_that_heard(b"first\nbegun li");
            room.join(1, now);
            rest.iter()
                .for_each(|bytes| room.typed(bytes.as_bytes(), now));
            assert_eq!(reads(&mut room, 1), b"next\n");
            assert_eq!(reads(&mut room, 0), b"ne\nnext\n");
            room.join(2, now);
            room.typed(b"more\n", now);
            assert_eq!(reads(&mut room, 2), b"more\n");
        }
    }

    #[test]
    fn what_has_no_lines_is_not_waited_for() {
        let now = Instant::now();
        let mut room = room_that_heard(b"x");
        room.join(1, now);
        room.typed(&[b'x'; MAX_LINE - 1], now);
        assert_eq!(room.owed(1), 0);
        room.typed(b"xy", now);
        assert_eq!(reads(&mut room, 1), b"y");
        room.typed(b"z", now);
        assert_eq!(reads(&mut room, 1), b"z");
    }

    #[test]
    fn nothing_is_kept_from_who_is_the_only_one_to_hear_it() {
        let now = Instant::now();
        let mut room = room_that_heard(b"begun li");
        room.join(1, now);
        room.leave(0, now);
        room.typed(b"ne\n", now);
        assert_eq!(reads(&mut room, 1), b"ne\n");
        let mut room = room_that_heard(b"begun li");
        room.leave(0, now);
        room.join(1, now);
        room.typed(b"ne\n", now);
        assert_eq!(reads(&mut room, 1), b"ne\n");
    }

    #[test]
    fn a_latecomer_that_left_is_forgotten_with_its_key() {
        let now = Instant::now();
        let mut room = room_that_heard(b"begun li");
        room.join(1, now);
        room.typed(b"n", now);
        room.leave(1, now);
        room.typed(b"e\n", now);
        room.join(1, now);
        room.typed(b"next\n", now);
        assert_eq!(reads(&mut room, 1), b"next\n");
    }
}
