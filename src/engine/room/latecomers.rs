//! Latecomers: members that join in the middle of a line.
//!
//! A stream is cut by the reads of the hub, not by its lines, so that a newcomer could be handed the rest
//! of a line of the operator's whose beginning it has not got. It begins with the next one. And where a
//! speaker left its line unfinished, the line feed that ends it before another's words is for those who got
//! any of that line.
//!
//! It promises: nothing is left out of a member's stream behind the first line that it was handed,
//! nor while no other member is known to read, and never more than [`MAX_LINE`]; a line feed that ends a
//! line is not in the stream of a member that joined behind that line.

use std::collections::VecDeque;

use super::Room;
use super::glue::OPERATOR;
use crate::engine::lines::MAX_LINE;

/// Members that were lost in the middle of such a line, of which is known that they got none of it.
const LOST: usize = 1024;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Latecomers {
    /// The members that wait for the next line, and how much each was not handed since it joined.
    waiting: Vec<(usize, usize)>,
    /// Those who got nothing of the line that the stream is in, as long as it ends at `place` of the journal.
    behind: Vec<usize>,
    /// The numbers of those of them who were lost. Of too many the first are forgotten.
    lost: VecDeque<u32>,
    place: u64,
}

impl Latecomers {
    /// Whether nobody waits for the next line.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A member left; if its stream can go on, it is lost with that number.
    pub(super) fn forget(&mut self, key: usize, lost: Option<u32>) {
        self.waiting.retain(|(waiting, _)| *waiting != key);
        let count = self.behind.len();
        self.behind.retain(|behind| *behind != key);
        if let Some(number) = lost
            && self.behind.len() < count
        {
            if self.lost.len() >= LOST {
                self.lost.pop_front();
            }
            self.lost.push_back(number);
        }
    }

    /// A member that was lost is back, and its stream goes on.
    pub(super) fn found(&mut self, number: u32, key: usize) {
        if self.forget_lost(number) {
            self.behind.push(key);
        }
    }

    /// The stream of a member that was lost does not go on. Returns whether it has nothing of that line.
    pub(super) fn forget_lost(&mut self, number: u32) -> bool {
        let count = self.lost.len();
        self.lost.retain(|lost| *lost != number);
        self.lost.len() < count
    }

    /// A member has nothing of the line that the stream is in, which ends there.
    fn note_behind(&mut self, key: usize, place: u64) {
        if self.place != place {
            self.behind.clear();
            self.lost.clear();
            self.place = place;
        }
        self.behind.push(key);
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

    /// A member joined.
    pub(super) fn note_latecomer(&mut self, key: usize) {
        if !self.glue.is_midline() {
            return;
        }
        let end = self.journal.end();
        let is_at_end = self.journal.place(&self.members[key].cursor) == end;
        // What it was told of the trial may be the beginning of a line.
        let mut told = self.trial.kept_before(end);
        let last = told.find_map(|text| text.last());
        if is_at_end && last.is_none_or(|&byte| byte == b'\n') {
            self.latecomers.note_behind(key, end);
        }
        // A line that only the newcomer may hear is not kept from it. With relaying only whole
        // lines are said, and a history begins with a whole line.
        let is_stream = !self.policy.relay && !self.journal.keeps_history();
        if is_stream && !self.is_on_trial() && !self.glue.is_ended_by(OPERATOR) {
            self.latecomers.waiting.push((key, 0));
        }
    }

    /// A line feed that ends a line was put in there: it is not for those who got nothing of the line.
    pub(super) fn skip_end(&mut self, at: u64) {
        let latecomers = &mut self.latecomers;
        latecomers.waiting.clear();
        if latecomers.place != at {
            return;
        }
        for key in latecomers.behind.drain(..) {
            let cursor = &mut self.members[key].cursor;
            self.journal.skip_from(cursor, at, 1);
        }
        for number in latecomers.lost.drain(..) {
            self.line_ends.push(number, at);
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
        let Latecomers {
            waiting,
            behind,
            lost,
            place,
        } = &mut self.latecomers;
        behind.clear();
        lost.clear();
        *place = journal.end();
        waiting.retain_mut(|(key, skipped)| {
            let count = rest.min(MAX_LINE - *skipped);
            if count > 0 {
                journal.skip_from(&mut members[*key].cursor, start, count as u64);
            }
            *skipped += count;
            if count == bytes.len() {
                behind.push(*key);
            }
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
