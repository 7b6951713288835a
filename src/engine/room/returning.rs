//! Returning: members that were lost, and come back over another connection.
//!
//! They have left, as all others that leave: the room does not wait for them, and others may have
//! their place and their name. What they need to go on is small, and what was said meanwhile is
//! kept as long as the history is.
//!
//! It promises: who returns is the member that it was; its stream goes on where its reader wants, byte for
//! byte, or begins as a newcomer's does.

use std::collections::VecDeque;
use std::time::Instant;

use super::Room;
use crate::engine::journal::Bookmark;

/// Line feeds that are known of: as many as may be cut off together, and then some.
const LINE_ENDS: usize = 1024;

/// Who a member was that left, and what its stream needs to go on.
#[derive(Debug)]
pub struct Lost {
    number: u32,
    name: Option<Box<str>>,
    muted: bool,
    /// Bytes that it was handed, whether they arrived or not.
    sent: u64,
    /// None: its stream cannot go on.
    bookmark: Option<Bookmark>,
}

impl Lost {
    /// Its number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Bytes that it takes beside what each does.
    pub fn held(&self) -> usize {
        self.bookmark.as_ref().map_or(0, Bookmark::held)
    }

    /// Whether its stream can go on, as long as what was said since is kept.
    pub(super) fn goes_on(&self) -> bool {
        self.bookmark.is_some()
    }

    /// Its stream cannot go on from now on.
    pub fn end_stream(&mut self) {
        self.bookmark = None;
    }
}

/// Line feeds that were put behind lines which members who were lost have not in their streams, by their numbers: their
/// own lines, and those behind which they had joined. Of too many the first are forgotten.
#[derive(Debug, Default)]
pub(super) struct LineEnds(VecDeque<(u32, u64)>);

impl LineEnds {
    /// There is one at that place of the journal.
    pub(super) fn push(&mut self, number: u32, at: u64) {
        if self.0.len() >= LINE_ENDS {
            self.0.pop_front();
        }
        self.0.push_back((number, at));
    }

    /// The places of those that are not for that member, the first first; they are forgotten.
    fn take(&mut self, number: u32) -> Vec<u64> {
        let own = self.0.iter().filter(|(speaker, _)| *speaker == number);
        let own = own.map(|(_, at)| *at).collect();
        self.0.retain(|(speaker, _)| *speaker != number);
        own
    }
}

impl Room {
    /// Keeps the history for those that return. To be called before the first member joins.
    pub fn keep_past(&mut self) {
        self.journal.keep_past();
    }

    /// A member that has joined just now may return.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn may_return(&mut self, key: usize) {
        self.journal.remember(&mut self.members[key].cursor);
    }

    /// What is kept of a member, should it return: of its stream what it was told until it had no place any more, and
    /// what it said since.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub(super) fn lost(&self, key: usize) -> Lost {
        let member = &self.members[key];
        let account = &member.account;
        Lost {
            number: account.number,
            name: account.name().map(Box::from),
            muted: account.muted,
            sent: account.sent,
            bookmark: self.journal.bookmark(&member.cursor),
        }
    }

    /// Lets a member that was lost in at the key of its connection. It is the one that it was: it has its number, is
    /// muted if it was, and has its name, unless another member has that now. Returns whether its stream goes on
    /// where the member says that it is, `from`; if what it lacks is not kept any more, the stream begins as a
    /// newcomer's does, behind every place that the member may know ([`Account::sent`](super::Account::sent)).
    pub fn rejoin(&mut self, key: usize, lost: Lost, from: u64, now: Instant) -> bool {
        let number = lost.number;
        let line_ends = self.line_ends.take(number);
        let cursor = lost.bookmark.and_then(|bookmark| {
            let back = lost.sent.checked_sub(from)?;
            self.journal.go_on(bookmark, back)
        });
        let goes_on = cursor.is_some();
        // Its last words were cut where its connection broke.
        self.screen.part(number);
        match cursor {
            Some(mut cursor) => {
                self.glue.part(number);
                for at in line_ends {
                    self.journal.skip_from(&mut cursor, at, 1);
                }
                self.enter(key, number, cursor, now);
                self.latecomers.found(number, key);
            }
            None => {
                self.glue.disown(number);
                self.latecomers.forget_lost(number);
                self.begin(key, number, now);
            }
        }
        self.let_in(key, now);
        let account = &mut self.members[key].account;
        // No place in a stream that ended is one in the stream that begins then.
        account.sent = if goes_on { from } else { lost.sent + 1 };
        account.muted = lost.muted;
        if let Some(name) = &lost.name
            && self.names.owner(name).is_none()
        {
            // It is free, and was a name before.
            let _ = self.rename(key, name, now);
        }
        self.update_backpressure(now);
        self.check();
        goes_on
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::chat::Chat;
    use crate::engine::chat::Rules;
    use crate::engine::room::Policy;

    fn room() -> Room {
        let mut room = Room::new(Policy {
            relay: true,
            ..Policy::PLAIN
        });
        room.keep_past();
        room
    }

    /// What a member takes, at most so much.
    fn takes(room: &mut Room, key: usize, most: usize, now: Instant) -> Vec<u8> {
        let mut got = Vec::new();
        while got.len() < most && room.owed(key) > 0 {
            let before = got.len();
            let take = |slices: &[std::io::IoSlice<'_>]| {
                let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
                got.extend(bytes.take(most - before));
                Ok(got.len() - before)
            };
            room.flush(key, now, take).expect("it takes something");
        }
        got
    }

    #[test]
    fn a_stream_goes_on_with_own_lines_and_answers_where_they_were() {
        let now = Instant::now();
        let all = b"one\ntheirs\npsst\ntwo\nthree\n";
        for from in [0, 3, 4, 11, 14, 18] {
            let mut room = with_one_who_took(18, now);
            let lost = leave(&mut room, 1, now);
            room.typed(b"three\n", now);
            assert!(room.rejoin(2, lost, from, now), "from {from}");
            assert_eq!(takes(&mut room, 2, 100, now), all[from as usize..]);
            assert_eq!(room.members[2].account.number, 2);
        }
    }

    /// Something was said to everybody, by the second member itself and to it alone, and it took so much.
    fn with_one_who_took(most: usize, now: Instant) -> Room {
        let mut room = room();
        room.join(0, now);
        room.join(1, now);
        room.may_return(1);
        room.typed(b"one\n", now);
        room.heard(1, b"mine\n", now);
        room.heard(0, b"theirs\n", now);
        assert!(room.tell(1, b"psst\n"));
        room.typed(b"two\n", now);
        takes(&mut room, 1, most, now);
        room
    }

    #[test]
    fn a_line_that_was_cut_does_not_go_on_with_the_next() {
        let now = Instant::now();
        let mut room = room();
        room.join(0, now);
        room.join(1, now);
        room.may_return(1);
        room.typed(b"all\n", now);
        takes(&mut room, 1, 100, now);
        room.heard(1, b"one\ncu", now);
        let lost = leave(&mut room, 1, now);
        assert!(room.rejoin(2, lost, 4, now));
        room.heard(2, b"next\n", now);
        room.heard(2, b"la", now);
        room.heard(2, b"st\n", now);
        let all = b"all\none\ncu\nnext\nlast\n";
        assert_eq!(takes(&mut room, 0, 100, now), all);
        assert_eq!(room.owed(2), 0, "it knows what it said");
        let mut shown = Vec::new();
        while !room.screen().is_empty() {
            let front = room.screen().front().to_vec();
            room.screen_mut().consume(front.len());
            shown.extend(front);
        }
        assert_eq!(shown, all[4..]);
    }

    /// It comes back before somebody else speaks or after that, speaks itself, and is lost again.
    #[test]
    fn the_end_of_a_line_that_was_cut_is_not_in_its_own_stream() {
        let now = Instant::now();
        for (before, after) in [("", "own\n"), ("hub\n", "own\n"), ("hub\n", ""), ("", "")] {
            for taken in [0, 100] {
                let mut room = room();
                room.join(0, now);
                room.join(1, now);
                room.may_return(1);
                room.typed(b"one\n", now);
                takes(&mut room, 1, 100, now);
                room.heard(1, b"half", now);
                let lost = leave(&mut room, 1, now);
                room.typed(before.as_bytes(), now);
                let from = lost.sent;
                assert!(room.rejoin(2, lost, from, now));
                takes(&mut room, 2, taken, now);
                room.heard(2, after.as_bytes(), now);
                room.typed(b"two\n", now);
                assert!(room.tell(2, b"psst\n"));
                let lost = leave(&mut room, 2, now);
                room.typed(b"three\n", now);
                assert!(room.rejoin(3, lost, from, now));
                let told = takes(&mut room, 3, 100, now);
                let expected = format!("{before}two\npsst\nthree\n");
                assert_eq!(String::from_utf8(told).unwrap(), expected);
                let others = takes(&mut room, 0, 100, now);
                let expected = format!("one\nhalf\n{before}{after}two\nthree\n");
                assert_eq!(String::from_utf8(others).unwrap(), expected);
            }
        }
        // Of many that are not back the first are forgotten.
        let mut ends = LineEnds::default();
        for number in 0..5000 {
            ends.push(number, 0);
        }
        assert_eq!(ends.0.len(), LINE_ENDS);
        assert_eq!(ends.take(4999), [0]);
    }

    /// It joined behind a line that another left unfinished, and is lost before or behind the end of that, or comes back
    /// before that.
    #[test]
    fn the_end_of_a_line_is_not_for_who_joined_behind_it_and_returns() {
        let now = Instant::now();
        for is_back_first in [false, true] {
            let mut room = room();
            room.join(0, now);
            room.join(1, now);
            room.heard(1, b"half", now);
            room.leave(1, now);
            room.join(2, now);
            room.may_return(2);
            let lost = leave(&mut room, 2, now);
            if !is_back_first {
                room.heard(0, b"one\n", now);
            }
            assert!(room.rejoin(3, lost, 0, now));
            if is_back_first {
                room.heard(0, b"one\n", now);
            }
            room.heard(0, b"two\n", now);
            let lost = leave(&mut room, 3, now);
            assert!(room.rejoin(4, lost, 0, now));
            assert_eq!(takes(&mut room, 4, 100, now), b"one\ntwo\n");
        }
        // Who was lost before the line has it, and its end.
        let mut room = room();
        room.join(0, now);
        room.join(1, now);
        room.join(2, now);
        room.may_return(2);
        let lost = leave(&mut room, 2, now);
        room.heard(1, b"half", now);
        room.leave(1, now);
        assert!(room.rejoin(3, lost, 0, now));
        room.heard(0, b"one\n", now);
        assert_eq!(takes(&mut room, 3, 100, now), b"half\none\n");
    }

    /// Who has no place any more may be heard all the same, and answered; it is not told what it said, and nobody says
    /// anything to it alone.
    #[test]
    fn what_is_said_between_is_as_it_would_have_been() {
        let now = Instant::now();
        let mut room = with_one_who_took(0, now);
        room.depart(1, now);
        room.heard(1, b"still on its way\n", now);
        room.typed(b"three\n", now);
        assert!(!room.tell(1, b"unheard\n"));
        room.journal
            .insert(&mut room.members[1].cursor, b"an answer\n");
        room.heard(1, b"cut", now);
        let lost = leave(&mut room, 1, now);
        assert!(room.rejoin(2, lost, 0, now));
        room.typed(b"four\n", now);
        let all = b"one\ntheirs\npsst\ntwo\nthree\nan answer\nfour\n";
        assert_eq!(
            String::from_utf8(takes(&mut room, 2, 100, now)).unwrap(),
            String::from_utf8_lossy(all)
        );
        // More than is kept: something is missing then, and it is said.
        room.depart(2, now);
        for _ in 0..100 {
            room.heard(2, b"mine\n", now);
            room.heard(0, b"theirs\n", now);
        }
        assert!(!leave(&mut room, 2, now).goes_on());
    }

    fn leave(room: &mut Room, key: usize, now: Instant) -> Lost {
        room.leave(key, now).expect("it was there").lost
    }

    #[test]
    fn a_name_is_its_own_unless_somebody_has_it_now() {
        let now = Instant::now();
        let mut room = room();
        room.open_chat(Chat::new(Rules::of("host"), false));
        for key in [0, 1] {
            room.join(key, now);
            room.may_return(key);
        }
        room.heard(0, b"/nick Ana\n", now);
        room.heard(1, b"/nick Ben\n", now);
        let [ana, ben] = [0, 1].map(|key| leave(&mut room, key, now));
        room.join(3, now);
        room.heard(3, b"/nick Ben\n", now);
        let (sent_ana, sent_ben) = (ana.sent, ben.sent);
        assert!(room.rejoin(4, ana, sent_ana, now));
        assert!(room.rejoin(5, ben, sent_ben, now));
        let name = |key: usize| room.members[key].account.name();
        assert_eq!(
            [name(3), name(4), name(5)],
            [Some("Ben"), Some("Ana"), Some("user2")]
        );
    }

    /// The one who says it may be the only one who is here.
    #[test]
    fn what_was_said_meanwhile_by_others_is_heard() {
        for is_chat in [false, true] {
            let now = Instant::now();
            let mut room = room();
            if is_chat {
                room.open_chat(Chat::new(Rules::of("host"), false));
            }
            room.join(0, now);
            room.join(1, now);
            room.may_return(1);
            takes(&mut room, 1, 100, now);
            let lost = leave(&mut room, 1, now);
            let sent = lost.sent;
            room.heard(0, b"meanwhile\n", now);
            assert!(room.rejoin(2, lost, sent, now));
            let heard = takes(&mut room, 2, 1000, now);
            let heard = String::from_utf8_lossy(&heard);
            assert!(heard.contains("meanwhile\n"), "chat: {is_chat}: {heard:?}");
        }
    }

    #[test]
    fn who_is_back_is_announced_when_it_has_stayed_since_then() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let mut room = room();
        room.open_chat(Chat::new(Rules::of("host"), false));
        room.join(1, start);
        room.may_return(1);
        let lost = leave(&mut room, 1, after(500));
        assert!(room.rejoin(1, lost, 0, after(1000)));
        for (at, is_announced) in [(2500, false), (3000, true)] {
            room.announce_due(after(at));
            assert_eq!(room.members[1].is_announced, is_announced, "after {at} ms");
        }
    }

    /// It asks for more than it was handed, what it lacks is not kept, or it was never to return.
    #[test]
    fn whose_stream_cannot_go_on_is_the_member_that_it_was() {
        let now = Instant::now();
        for why in ["it was never handed that", "not kept", "not remembered"] {
            let mut room = room();
            room.open_chat(Chat::new(Rules::of("host"), false));
            room.join(0, now);
            room.join(1, now);
            if why != "not remembered" {
                room.may_return(1);
            }
            room.heard(1, b"/nick Ana\n", now);
            room.mute(1, true, now);
            takes(&mut room, 1, 100, now);
            let mut lost = leave(&mut room, 1, now);
            let from = lost.sent + u64::from(why == "it was never handed that");
            if why == "not kept" {
                lost.end_stream();
            }
            room.join(2, now);
            assert!(!room.rejoin(3, lost, from, now), "{why}");
            let account = &room.members[3].account;
            let is_it = (account.number, account.name(), account.muted);
            assert_eq!(is_it, (2, Some("Ana"), true), "{why}");
            assert_eq!(room.members[2].account.number, 3);
            // It may go on there in its turn.
            let begins = account.sent;
            room.may_return(3);
            let told = takes(&mut room, 3, 1000, now);
            let lost = leave(&mut room, 3, now);
            room.typed(b"meanwhile\n", now);
            assert!(room.rejoin(4, lost, begins, now), "{why}");
            let again = takes(&mut room, 4, 1000, now);
            assert!(again.starts_with(&told), "{why}");
            let again = String::from_utf8(again).unwrap();
            assert!(again.contains("<host> meanwhile\n"), "{why}: {again:?}");
        }
    }

    /// A member that has not learnt that its stream ended asks for a place in that.
    #[test]
    fn a_place_in_a_stream_that_ended_is_none_in_the_next() {
        let now = Instant::now();
        let mut room = room();
        room.join(0, now);
        room.may_return(0);
        room.typed(b"one\n", now);
        takes(&mut room, 0, 100, now);
        let mut lost = leave(&mut room, 0, now);
        let sent = lost.sent;
        lost.end_stream();
        assert!(!room.rejoin(1, lost, sent, now));
        room.may_return(1);
        room.typed(b"two\nthree\n", now);
        takes(&mut room, 1, 100, now);
        for from in [0, 2, sent] {
            let lost = leave(&mut room, 1, now);
            assert!(!room.rejoin(1, lost, from, now), "from {from}");
            room.may_return(1);
        }
    }

    /// Its new stream begins behind that, or with it.
    #[test]
    fn the_line_that_was_cut_is_another_ones_where_the_stream_does_not_go_on() {
        let now = Instant::now();
        for history in [0, 10] {
            let mut room = Room::new(Policy {
                relay: true,
                ..Policy::PLAIN
            });
            room.keep_history(history);
            room.keep_past();
            for key in [0, 1] {
                room.join(key, now);
                room.may_return(key);
            }
            room.typed(b"one\n", now);
            takes(&mut room, 0, 100, now);
            room.acknowledged(0);
            room.heard(1, b"half", now);
            let lost = leave(&mut room, 1, now);
            assert!(!room.rejoin(2, lost, 99, now));
            room.may_return(2);
            room.typed(b"two\n", now);
            assert_eq!(takes(&mut room, 0, 100, now), b"half\ntwo\n");
            let told: &[u8] = match history {
                0 => b"two\n",
                _ => b"one\nhalf\ntwo\n",
            };
            assert_eq!(takes(&mut room, 2, 100, now), told);
        }
    }
}
