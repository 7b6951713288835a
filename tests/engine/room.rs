//! The room's whole policy without a socket: who hears whom, who waits for whom and for how long.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use std::time::Instant;

use proptest::prelude::*;

use muxnc::engine::chat::Chat;
use muxnc::engine::chat::Rules;
use muxnc::engine::journal::HISTORY;
use muxnc::engine::journal::SEGMENT;
use muxnc::engine::lines::MAX_LINE;
use muxnc::engine::room::EDITS;
use muxnc::engine::room::HELD;
use muxnc::engine::room::HIGH_WATER;
use muxnc::engine::room::LOW_WATER;
use muxnc::engine::room::Label;
use muxnc::engine::room::Overdue;
use muxnc::engine::room::Policy;
use muxnc::engine::room::RESERVE;
use muxnc::engine::room::Room;
use muxnc::engine::room::SHORT;
use muxnc::engine::room::SlowPeer;
use muxnc::engine::rows::LINE;
use muxnc::engine::rows::REST;
use muxnc::engine::screen::LEAVES_OUT;
use muxnc::engine::screen::STUCK;
use muxnc::engine::screen::Surface;

/// Whether it is no mark of where a label ends, which is for those who draw rows.
fn is_said(byte: &u8) -> bool {
    ![LINE, REST].contains(byte)
}

const T: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_nanos(1);
/// How long a hold is nobody's fault.
const GRACE: Duration = Duration::from_millis(100);
const SEG: u64 = SEGMENT as u64;

const QUIET: Policy = Policy {
    stall_timeout: T,
    ..Policy::PLAIN
};
const BROKER: Policy = Policy {
    relay: true,
    ..QUIET
};
const LIVE: Policy = Policy {
    slow: SlowPeer::Disconnect,
    ..QUIET
};

/// A room of members without connections, and the time it is there.
struct Class {
    room: Room,
    now: Instant,
}

impl Class {
    fn new(policy: Policy) -> Class {
        Class {
            room: Room::new(policy),
            now: Instant::now(),
        }
    }

    /// Lets a member in that is known to be there.
    fn join(&mut self) -> usize {
        let key = self.visit();
        self.room.acknowledged(key);
        key
    }

    /// Lets a member in of which nothing is known yet.
    fn visit(&mut self) -> usize {
        let key = self.room.vacant_key();
        self.room.join(key, self.now);
        key
    }

    fn leave(&mut self, key: usize) {
        self.room.leave(key, self.now);
    }

    fn typed(&mut self, bytes: impl AsRef<[u8]>) {
        self.room.typed(bytes.as_ref(), self.now);
    }

    /// The operator says that many bytes, in lines.
    fn types(&mut self, count: u64) {
        self.typed(text(count));
    }

    fn heard(&mut self, key: usize, bytes: impl AsRef<[u8]>) {
        self.room.heard(key, bytes.as_ref(), self.now);
    }

    /// What one flush gives to a member that takes at most `limit`.
    fn flush(&mut self, key: usize, limit: u64) -> Vec<u8> {
        let mut got = Vec::new();
        self.room
            .flush(key, self.now, |slices| {
                for slice in slices {
                    let count = slice.len().min(limit as usize - got.len());
                    got.extend_from_slice(&slice[..count]);
                }
                Ok(got.len())
            })
            .expect("nothing that could fail");
        got
    }

    /// Lets a member take exactly so many bytes.
    fn takes(&mut self, key: usize, mut count: u64) {
        while count > 0 {
            let got = self.flush(key, count).len() as u64;
            assert!(got > 0, "it is owed {count} bytes less");
            count -= got;
        }
    }

    /// Lets a member take all it is owed.
    fn reads(&mut self, key: usize) -> Vec<u8> {
        let mut got = Vec::new();
        while self.room.owed(key) > 0 {
            got.extend(self.flush(key, u64::MAX >> 1));
        }
        got
    }

    /// What stdout takes now.
    fn shown(&mut self) -> String {
        let mut shown = Vec::new();
        while !self.room.screen().is_empty() {
            let front = self.room.screen().front().to_vec();
            self.room.screen_mut().consume(front.len());
            shown.extend(front);
        }
        shown.retain(is_said);
        String::from_utf8(shown).expect("text")
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
    }

    fn overdue(&mut self) -> Vec<usize> {
        self.late().into_iter().map(|(key, _)| key).collect()
    }

    /// The same, and why.
    fn late(&mut self) -> Vec<(usize, Overdue)> {
        let mut late = Vec::new();
        self.room.overdue(self.now, &mut late);
        late
    }

    /// How long until somebody is to be asked for.
    fn deadline(&self) -> Option<Duration> {
        let deadline = self.room.deadline()?;
        Some(deadline.saturating_duration_since(self.now))
    }

    fn is_on_hold(&self) -> bool {
        !self.room.is_empty() && !self.room.wants_input()
    }
}

fn text(count: u64) -> Vec<u8> {
    (1..=count)
        .map(|i| match i % 80 == 0 || i == count {
            true => b'\n',
            false => b'x',
        })
        .collect()
}

// Rule 5: who waits for whom.

#[test]
fn an_empty_room_wants_no_input() {
    let mut class = Class::new(QUIET);
    assert!(!class.room.wants_input());
    let alice = class.join();
    assert!(class.room.wants_input());
    class.leave(alice);
    assert!(!class.room.wants_input());
}

#[test]
fn a_hold_begins_at_high_water_and_ends_under_low_water() {
    let mut class = Class::new(QUIET);
    let alice = class.join();
    class.types(HIGH_WATER - 1);
    assert!(!class.is_on_hold());
    class.types(1);
    assert!(class.is_on_hold());
    class.takes(alice, HIGH_WATER - LOW_WATER);
    assert!(class.is_on_hold());
    class.takes(alice, SEG - 1);
    assert!(class.is_on_hold());
    class.takes(alice, 1);
    assert!(!class.is_on_hold());
    // And it takes all the way up for another one.
    class.types(HIGH_WATER - LOW_WATER + SEG - 1);
    assert!(!class.is_on_hold());
    class.types(1);
    assert!(class.is_on_hold());
}

#[test]
fn the_slowest_sets_the_pace_until_it_leaves() {
    let mut class = Class::new(QUIET);
    let (fast, slow) = (class.join(), class.join());
    class.types(HIGH_WATER);
    class.reads(fast);
    assert!(class.is_on_hold());
    class.leave(slow);
    assert!(!class.is_on_hold());
}

#[test]
fn a_hold_silences_the_members_only_while_they_are_relayed() {
    for (policy, hears) in [(QUIET, true), (BROKER, false)] {
        let mut class = Class::new(policy);
        class.join();
        class.types(HIGH_WATER);
        assert!(class.is_on_hold());
        let speaks = class.room.read_budget(0, class.now) == Ok(usize::MAX);
        assert_eq!(speaks, hears);
    }
}

#[test]
fn relayed_lines_can_hold_the_operator_up() {
    let mut class = Class::new(BROKER);
    let (alice, bob) = (class.join(), class.join());
    class.heard(alice, text(HIGH_WATER));
    assert!(class.is_on_hold());
    class.reads(bob);
    assert!(!class.is_on_hold());
}

#[test]
fn who_holds_up_and_makes_no_progress_is_overdue_exactly_after_the_timeout() {
    let mut class = Class::new(QUIET);
    let (fast, slow) = (class.join(), class.join());
    class.types(HIGH_WATER);
    class.reads(fast);
    assert_eq!(class.deadline(), Some(T));
    class.passes(T - TICK);
    assert!(class.overdue().is_empty());
    class.passes(TICK);
    assert_eq!(class.overdue(), [slow]);
    class.leave(slow);
    assert!(!class.is_on_hold());
    assert_eq!(class.deadline(), None);
    class.passes(T * 100);
    assert!(class.overdue().is_empty());
}

#[test]
fn a_segment_of_progress_buys_another_timeout_and_less_does_not() {
    for (progress, expected) in [(SEG, false), (SEG - 1, true)] {
        let mut class = Class::new(QUIET);
        let slow = class.join();
        class.types(HIGH_WATER);
        class.passes(T / 2);
        class.takes(slow, progress);
        class.passes(T / 2);
        assert_eq!(class.overdue() == [slow], expected);
        if !expected {
            assert_eq!(class.deadline(), Some(T / 2));
            class.passes(T / 2 - TICK);
            assert!(class.overdue().is_empty());
            class.passes(TICK);
            assert_eq!(class.overdue(), [slow]);
        }
    }
}

#[test]
fn a_slow_member_that_moves_holds_the_room_up_for_as_long_as_it_takes() {
    let mut class = Class::new(QUIET);
    let slow = class.join();
    class.types(HIGH_WATER);
    while class.is_on_hold() {
        class.passes(T - TICK);
        class.takes(slow, SEG);
        assert!(class.overdue().is_empty());
    }
}

#[test]
fn who_sleeps_while_the_room_has_space_stays() {
    let mut class = Class::new(QUIET);
    let sleeper = class.join();
    class.types(HIGH_WATER - 1);
    assert_eq!(class.deadline(), None);
    class.passes(T * 1000);
    assert!(class.overdue().is_empty());
    // From when it does hold the others up it has the whole timeout, however long it slept.
    class.types(1);
    assert_eq!(class.deadline(), Some(T));
    class.passes(T - TICK);
    assert!(class.overdue().is_empty());
    class.passes(TICK);
    assert_eq!(class.overdue(), [sleeper]);
}

#[test]
fn each_hold_has_its_own_timeout() {
    let mut class = Class::new(QUIET);
    let slow = class.join();
    class.types(HIGH_WATER);
    class.passes(T / 2);
    class.reads(slow);
    class.passes(T);
    class.types(HIGH_WATER);
    class.passes(T - TICK);
    assert!(class.overdue().is_empty());
    class.passes(TICK);
    assert_eq!(class.overdue(), [slow]);
}

#[test]
fn only_those_behind_low_water_are_to_blame() {
    let mut class = Class::new(QUIET);
    let (dead, asleep) = (class.join(), class.join());
    class.types(HIGH_WATER);
    class.takes(asleep, HIGH_WATER - LOW_WATER + SEG);
    class.passes(T * 2);
    assert_eq!(class.overdue(), [dead]);
    class.leave(dead);
    assert!(!class.is_on_hold());
}

#[test]
fn all_who_hold_the_room_up_are_overdue_together() {
    let mut class = Class::new(QUIET);
    let first = class.join();
    class.types(HIGH_WATER - LOW_WATER);
    let second = class.join();
    class.types(LOW_WATER);
    class.passes(T);
    // With the first gone the second alone would keep the backpressure.
    assert_eq!(class.overdue(), [first, second]);
}

#[test]
fn a_hold_is_not_looked_into_again_and_again() {
    let mut class = Class::new(QUIET);
    let slow: Vec<usize> = (0..8).map(|_| class.join()).collect();
    class.types(HIGH_WATER);
    for &key in &slow {
        class.takes(key, SEG);
        class.passes(TICK);
    }
    class.passes(T - TICK * 8);
    assert_eq!(class.deadline(), Some(Duration::ZERO));
    assert_eq!(class.overdue(), [slow[0]]);
    assert_eq!(class.deadline(), Some(T / 8), "not the next nanosecond");
}

#[test]
fn who_is_owed_little_but_its_own_lines_behind_that_is_to_blame_too() {
    let mut class = Class::new(BROKER);
    let (deaf, good) = (class.join(), class.join());
    class.typed("hello\n");
    class.heard(deaf, text(HIGH_WATER));
    class.reads(good);
    assert_eq!(class.room.owed(deaf), 6);
    assert!(class.is_on_hold(), "the log is kept for those six bytes");
    class.passes(T);
    assert_eq!(class.overdue(), [deaf]);
}

#[test]
fn where_the_streams_of_many_differ_is_remembered_within_bounds() {
    const MEMBERS: usize = 2000;
    let mut class = Class::new(BROKER);
    let keys: Vec<usize> = (0..MEMBERS).map(|_| class.join()).collect();
    for _ in 0..200 {
        for &key in &keys {
            if class.room.accepts_input() && class.room.may_speak(key) {
                class.heard(key, "\n");
            }
        }
        class.shown();
    }
    let edits = class.room.holdings().edits;
    assert!(edits <= EDITS + 16 * MEMBERS, "{edits} edits");
    assert!(!class.room.may_speak(keys[0]));
    // Who takes what it is owed goes on.
    class.reads(keys[0]);
    assert!(class.room.may_speak(keys[0]));
    class.heard(keys[0], "on it goes\n");
    keys.iter().for_each(|&key| class.leave(key));
    assert_eq!(class.room.holdings().edits, 0);
}

#[test]
fn live_whoever_is_more_than_high_water_behind_is_cut_off() {
    let mut class = Class::new(LIVE);
    let (fast, slow) = (class.join(), class.join());
    for _ in 0..HIGH_WATER / SEG + 1 {
        assert!(class.overdue().is_empty());
        assert!(class.room.wants_input());
        class.types(SEG);
        class.reads(fast);
    }
    // The mark itself, to within a segment.
    assert!(class.overdue().is_empty());
    class.types(1);
    assert_eq!(class.overdue(), [slow]);
    class.leave(slow);
    assert!(class.overdue().is_empty());
    assert_eq!(class.deadline(), None);
}

#[test]
fn live_the_fastest_sets_the_pace() {
    let mut class = Class::new(LIVE);
    let (fast, _slow) = (class.join(), class.join());
    class.types(LOW_WATER + SEG - 1);
    assert!(!class.is_on_hold());
    class.types(1);
    assert!(class.is_on_hold());
    class.takes(fast, SEG - 1);
    assert!(class.is_on_hold());
    class.takes(fast, 1);
    assert!(!class.is_on_hold());
    assert!(class.overdue().is_empty());
}

#[test]
fn live_when_the_fastest_leaves_the_next_sets_the_pace() {
    let mut class = Class::new(LIVE);
    let (fast, slow) = (class.join(), class.join());
    class.types(LOW_WATER);
    class.reads(fast);
    class.types(SEG);
    assert!(!class.is_on_hold());
    class.leave(fast);
    assert!(class.is_on_hold());
    class.leave(slow);
    assert!(!class.is_on_hold());
}

#[test]
fn live_a_newcomer_ends_the_hold_of_those_who_are_stuck() {
    let mut class = Class::new(LIVE);
    let stuck = class.join();
    class.types(LOW_WATER + SEG);
    assert!(class.is_on_hold());
    let newcomer = class.join();
    assert!(!class.is_on_hold());
    class.types(HIGH_WATER);
    assert_eq!(class.overdue(), [stuck]);
    assert_eq!(class.room.owed(newcomer), HIGH_WATER);
}

#[test]
fn live_a_room_in_which_everybody_is_stuck_is_not_on_hold_for_ever() {
    let mut class = Class::new(LIVE);
    let (slow, stuck) = (class.join(), class.join());
    class.types(LOW_WATER + 2 * SEG);
    assert!(class.is_on_hold());
    assert_eq!(class.deadline(), Some(T));
    class.passes(T / 2);
    class.takes(slow, SEG);
    assert!(class.is_on_hold());
    class.passes(T / 2);
    assert_eq!(class.overdue(), [stuck]);
}

#[test]
fn live_own_lines_do_not_pile_up_behind_a_few_bytes() {
    let mut class = Class::new(Policy {
        relay: true,
        ..LIVE
    });
    let (deaf, good) = (class.join(), class.join());
    class.typed("hello\n");
    for _ in 0..HIGH_WATER / SEG + 1 {
        class.heard(deaf, text(SEG));
        class.reads(good);
    }
    assert_eq!(class.room.owed(deaf), 6);
    assert_eq!(class.overdue(), [deaf]);
}

// Rule 5: nobody sets the pace of a conversation.

/// Lets a member take so much of what it is owed that the room is still on hold, in a time.
fn crawl(class: &mut Class, slow: usize, time: Duration) {
    let rounds = 4;
    for _ in 0..rounds {
        class.passes(time / rounds);
        class.takes(slow, SEG / 2);
    }
}

/// A broker in which one of five is slow and one floods: a hold lasts for long enough that it is to blame,
/// and the others have read.
fn held_up() -> (Class, [usize; 5]) {
    let mut class = Class::new(BROKER);
    let keys: [usize; 5] = std::array::from_fn(|_| class.join());
    floods(&mut class, keys);
    (class, keys)
}

fn floods(class: &mut Class, [flooder, _slow, rest @ ..]: [usize; 5]) {
    class.heard(flooder, text(HIGH_WATER));
    rest.into_iter().for_each(|key| drop(class.reads(key)));
    assert!(class.is_on_hold());
    class.passes(GRACE);
}

#[test]
fn who_makes_a_conversation_wait_for_the_timeout_is_cut_off_though_it_moves() {
    let (mut class, [_, slow, ..]) = held_up();
    crawl(&mut class, slow, T - TICK * 4);
    assert_eq!(class.late(), []);
    class.passes(TICK * 3);
    assert_eq!(class.late(), []);
    assert_eq!(class.deadline(), Some(TICK));
    class.passes(TICK);
    assert_eq!(class.late(), [(slow, Overdue::Slow)]);
    class.leave(slow);
    assert!(!class.is_on_hold());
    assert_eq!(class.deadline(), None);
}

#[test]
fn a_stream_waits_for_its_slowest_reader_and_typed_words_do_not() {
    for (is_typed, policy) in [
        (false, QUIET),
        (false, BROKER),
        (true, QUIET),
        (true, BROKER),
    ] {
        let mut class = Class::new(policy);
        if is_typed {
            class.room.expect_typing();
        }
        let (slow, fast) = (class.join(), class.join());
        class.types(HIGH_WATER);
        class.reads(fast);
        crawl(&mut class, slow, GRACE + T);
        match is_typed {
            true => assert_eq!(class.late(), [(slow, Overdue::Slow)]),
            false => assert_eq!(class.late(), []),
        }
    }
}

#[test]
fn a_bucket_drains_half_as_fast_as_it_fills() {
    let (mut class, keys) = held_up();
    let [_, slow, ..] = keys;
    crawl(&mut class, slow, T / 2);
    class.reads(slow);
    assert!(!class.is_on_hold());
    class.passes(T / 2);
    assert_eq!(class.late(), []);
    // Half of what came in has drained: a quarter is in it, less what drains until it is to blame.
    floods(&mut class, keys);
    assert_eq!(class.deadline(), Some(T * 3 / 4 + GRACE / 2));
    crawl(&mut class, slow, T * 3 / 4 + GRACE / 2);
    assert_eq!(class.late(), [(slow, Overdue::Slow)]);
    // After long enough there is nothing in it.
    class.reads(slow);
    class.passes(T * 2);
    floods(&mut class, keys);
    crawl(&mut class, slow, T - TICK * 4);
    assert_eq!(class.late(), []);
}

#[test]
fn where_fewer_than_half_keep_up_nobody_is_cut_off_for_its_pace() {
    let mut class = Class::new(BROKER);
    let keys: Vec<usize> = (0..5).map(|_| class.join()).collect();
    let (flooder, slow) = (keys[0], &keys[1..4]);
    class.heard(flooder, text(HIGH_WATER));
    class.reads(keys[4]);
    for _ in 0..3 {
        class.passes(T - TICK);
        slow.iter().for_each(|&key| class.takes(key, SEG));
        assert_eq!(class.late(), []);
    }
    // From when half of them keep up the others are to blame.
    class.reads(slow[0]);
    for &key in &slow[1..] {
        class.takes(key, SEG);
    }
    class.passes(T - TICK);
    assert_eq!(class.late(), []);
    for &key in &slow[1..] {
        class.takes(key, SEG);
    }
    class.passes(TICK);
    assert_eq!(
        class.late(),
        [(slow[1], Overdue::Slow), (slow[2], Overdue::Slow)]
    );
    // One of them leaves, and the other one is to blame as before; a newcomer is not.
    class.leave(slow[1]);
    let newcomer = class.join();
    class.passes(T / 8);
    assert_eq!(class.late(), [(slow[2], Overdue::Slow)]);
    class.reads(slow[2]);
    assert!(!class.is_on_hold());
    assert_eq!(class.room.owed(newcomer), 0);
}

#[test]
fn who_floods_waits_for_its_only_listener() {
    let mut class = Class::new(BROKER);
    let (flooder, listener) = (class.join(), class.join());
    for _ in 0..3 {
        class.heard(flooder, text(HIGH_WATER));
        while class.is_on_hold() {
            class.passes(T / 2);
            class.takes(listener, SEG);
            assert_eq!(class.late(), [], "there is nobody else");
        }
    }
    // With somebody else who keeps up it is another thing.
    let other = class.join();
    class.heard(flooder, text(HIGH_WATER));
    class.reads(other);
    crawl(&mut class, listener, GRACE + T);
    assert_eq!(class.late(), [(listener, Overdue::Slow)]);
}

#[test]
fn who_departed_is_no_witness_that_others_are_slow() {
    for departs in [true, false] {
        let mut class = Class::new(BROKER);
        let [flooder, one, two, rest @ ..]: [usize; 6] = std::array::from_fn(|_| class.join());
        class.heard(flooder, text(HIGH_WATER));
        rest.iter().for_each(|&key| drop(class.reads(key)));
        assert!(class.is_on_hold());
        if departs {
            rest.iter()
                .for_each(|&key| class.room.depart(key, class.now));
        }
        // One of three keeps up then, or four of six.
        for _ in 0..5 {
            class.passes(T / 4);
            class.takes(one, SEG / 2);
            class.takes(two, SEG / 2);
        }
        let late = [(one, Overdue::Slow), (two, Overdue::Slow)];
        assert_eq!(class.late(), if departs { &[][..] } else { &late });
        if departs {
            rest.iter().for_each(|&key| class.leave(key));
            class.passes(T / 8);
            assert_eq!(class.late(), []);
        }
    }
}

#[test]
fn a_live_stream_has_no_buckets() {
    let mut class = Class::new(Policy {
        relay: true,
        ..LIVE
    });
    class.room.expect_typing();
    let (slow, stuck) = (class.join(), class.join());
    class.types(LOW_WATER + 2 * SEG);
    class.passes(T / 2);
    class.takes(slow, SEG);
    class.passes(T / 2);
    assert_eq!(class.late(), [(stuck, Overdue::Stalled)]);
}

#[test]
fn while_others_wait_typed_lines_enter_from_a_reserve() {
    let (mut class, _) = held_up();
    assert_eq!(class.room.input_budget(), 0, "a stream waits");
    class.room.expect_typing();
    let mut entered = 0;
    while class.room.wants_input() {
        let count = class.room.input_budget().min(1000);
        class.types(count as u64);
        entered += count as u64;
    }
    assert_eq!(entered, RESERVE);
    // Half of what the slow one takes is there again: by the other half it catches up.
    let slow = 1;
    class.takes(slow, SEG);
    assert_eq!(class.room.input_budget() as u64, SEG / 2);
}

/// Each of many says what it may as soon as it may: what is left is enough for a line of one that said nothing yet.
#[test]
fn however_many_use_the_reserve_each_has_a_part_of_it() {
    let mut class = Class::new(BROKER);
    let members: [usize; 200] = std::array::from_fn(|_| class.join());
    let [flooder, quiet, many @ ..] = members;
    class.heard(flooder, text(HIGH_WATER));
    assert!(class.is_on_hold());
    for round in 0..10 {
        class.passes(Duration::from_secs(1));
        for &key in &many {
            if let Ok(count @ 1..) = class.room.read_budget(key, class.now) {
                class.heard(key, text(count as u64));
            }
        }
        let allowed = class.room.read_budget(quiet, class.now);
        assert!(
            allowed.is_ok_and(|allowed| allowed >= 40),
            "{round}: {allowed:?}"
        );
        class.heard(quiet, text(40));
    }
}

/// However many use the reserve as soon as there is some, and however small their words are.
#[test]
fn a_hold_ends_whoever_uses_the_reserve() {
    let (mut class, [_, slow, ana, bob, last]) = held_up();
    class.room.expect_typing();
    let mut taken = 0;
    while class.is_on_hold() {
        class.passes(Duration::from_secs(1));
        for key in [ana, bob, last] {
            while let Ok(count @ 1..) = class.room.read_budget(key, class.now) {
                class.heard(key, text(count as u64));
                class.reads(key);
            }
        }
        class.types(class.room.input_budget() as u64);
        class.takes(slow, SEG);
        taken += SEG;
        assert!(taken <= 2 * (HIGH_WATER + RESERVE), "{taken}");
    }
}

/// Who joins in a hold, and says a little, and leaves, again and again, uses up no more of the reserve than one.
#[test]
fn who_joins_in_a_hold_has_what_all_have_together_that_do() {
    let (mut class, [.., ana, bob, _]) = held_up();
    class.passes(Duration::from_millis(1));
    let mut entered = 0;
    for _ in 0..1000 {
        let key = class.join();
        if let Ok(count) = class.room.read_budget(key, class.now) {
            class.heard(key, text(count as u64));
            entered += count;
        }
        class.room.depart(key, class.now);
        assert!(class.room.read_budget(key, class.now).is_err());
    }
    assert_eq!(entered, 4096);
    assert_eq!(class.room.read_budget(ana, class.now), Ok(4096));
    assert_eq!(class.room.read_budget(bob, class.now), Ok(4096));
    // Who was there when the next one began is as all others.
    let late = class.join();
    assert!(class.room.read_budget(late, class.now).is_err());
}

#[test]
fn while_others_wait_a_little_enters_of_those_who_said_little() {
    const LITTLE: usize = 4096;
    let (mut class, [flooder, slow, ana, bob, last]) = held_up();
    assert_eq!(class.room.read_budget(ana, class.now), Ok(LITTLE));
    class.heard(ana, text(1000));
    assert_eq!(class.room.read_budget(ana, class.now), Ok(LITTLE - 1000));
    class.heard(ana, text(3096));
    let later = class.room.read_budget(ana, class.now).unwrap_err();
    assert!(later > class.now && later < class.now + Duration::from_secs(1));
    assert_eq!(class.reads(bob).len(), LITTLE);
    class.passes(Duration::from_secs(1));
    assert_eq!(class.room.read_budget(ana, class.now), Ok(LITTLE));
    // Who flooded has to be silent for as long as it takes to say so much at a fair rate.
    let later = class.room.read_budget(flooder, class.now).unwrap_err();
    class.now = later - Duration::from_millis(2);
    assert!(class.room.read_budget(flooder, class.now).is_err());
    class.now = later;
    assert_eq!(class.room.read_budget(flooder, class.now), Ok(LITTLE));
    class.shown();
    // One alone takes a tenth of what is not the operator's, and so may each of five.
    let mut entered = [(ana, LITTLE as u64), (bob, 0), (last, 0)];
    for (key, entered) in &mut entered {
        loop {
            class.passes(Duration::from_secs(1));
            class.takes(slow, 1);
            let Ok(count) = class.room.read_budget(*key, class.now) else {
                break;
            };
            class.heard(*key, text(count as u64));
            class.shown();
            *entered += count as u64;
        }
    }
    let members = RESERVE - 64 * 1024;
    let shares = entered.map(|(_, entered)| entered);
    let is_tenth = |share: &u64| share.abs_diff(members / 10) < SEG / 64;
    assert!(shares.iter().all(is_tenth), "{shares:?}");
    assert!(class.room.accepts_input());
    class.room.expect_typing();
    let left = RESERVE - shares.iter().sum::<u64>();
    assert_eq!(class.room.input_budget() as u64, left);
}

#[test]
fn after_a_hold_those_are_told_apart_who_said_least() {
    let (mut class, [flooder, slow, ana, bob, _]) = held_up();
    class.heard(ana, text(80));
    assert!(!class.room.take_release());
    class.reads(slow);
    assert!(class.room.was_released() && class.room.take_release() && !class.room.take_release());
    let mut keys = [flooder, ana, bob];
    keys.sort_by_key(|&key| class.room.said_lately(key, class.now));
    // Who said hardly anything comes in the order in which they joined: so do those who come back again and again.
    assert_eq!(keys, [ana, bob, flooder]);
    class.passes(Duration::from_secs(60));
    keys.sort_by_key(|&key| class.room.said_lately(key, class.now));
    assert_eq!(keys, [flooder, ana, bob], "it is forgotten");
}

/// Members of a broker that take so many bytes in a millisecond each, and read by it as a hub does.
struct Network {
    class: Class,
    /// Each member's bytes in a millisecond, and what it may still take of them.
    rates: BTreeMap<usize, (u64, u64)>,
    /// Those who always have more to say.
    flooders: Vec<usize>,
    /// What one says that types: when it began to wait, and to be read.
    typed: Option<Instant>,
    cut_off: Vec<(usize, Overdue)>,
    /// What those hear who are listened to.
    heard: BTreeMap<usize, Vec<u8>>,
    noise: Vec<u8>,
}

impl Network {
    fn new() -> Network {
        Network::of(Class::new(BROKER), &text(512 * 1024))
    }

    /// What those say who flood is that, again and again.
    fn of(class: Class, noise: &[u8]) -> Network {
        Network {
            class,
            rates: BTreeMap::new(),
            flooders: Vec::new(),
            typed: None,
            cut_off: Vec::new(),
            heard: BTreeMap::new(),
            noise: noise.iter().copied().cycle().take(512 * 1024).collect(),
        }
    }

    fn join(&mut self, rate: u64) -> usize {
        let key = self.class.join();
        self.rates.insert(key, (rate, 0));
        key
    }

    fn floods(&mut self, rate: u64) {
        let key = self.join(rate);
        self.flooders.push(key);
    }

    /// A millisecond passes, in which `ana` may have a line to say.
    fn turn(&mut self, ana: usize) {
        self.class.passes(Duration::from_millis(1));
        let mut keys = self.flooders.clone();
        keys.extend(self.typed.map(|_| ana));
        if self.class.room.take_release() {
            let room = &self.class.room;
            keys.sort_by_key(|&key| room.said_lately(key, self.class.now));
        }
        for key in keys {
            let room = &self.class.room;
            if !room.accepts_input() || !room.may_speak(key) {
                continue;
            }
            let Ok(most) = room.read_budget(key, self.class.now) else {
                continue;
            };
            if key != ana {
                let noise = &self.noise[..most.min(self.noise.len())];
                self.class.room.heard(key, noise, self.class.now);
            } else if let Some(typed) = self.typed.take() {
                let late = self.class.now - typed;
                self.class.heard(ana, format!("ana {}\n", late.as_millis()));
            }
        }
        let shown = self.class.room.screen().front().len();
        self.class.room.screen_mut().consume(shown);
        for (&key, (rate, left)) in &mut self.rates {
            *left = (*left + *rate).min(64 * *rate);
            while *left > 0 && self.class.room.owed(key) > 0 {
                let heard = &mut self.heard;
                let taken = self.class.room.flush(key, self.class.now, |slices| {
                    let mut taken = 0;
                    for slice in slices {
                        let count = slice.len().min(*left as usize - taken);
                        if let Some(heard) = heard.get_mut(&key) {
                            heard.extend_from_slice(&slice[..count]);
                        }
                        taken += count;
                    }
                    *left -= taken as u64;
                    Ok(taken)
                });
                taken.expect("nothing that could fail");
            }
        }
        for (key, why) in self.class.late() {
            self.class.leave(key);
            self.rates.remove(&key);
            self.flooders.retain(|&flooder| flooder != key);
            self.cut_off.push((key, why));
        }
    }
}

fn chat_class() -> Class {
    let mut class = Class::new(BROKER);
    class.room.open_chat(Chat::new(Rules::of("host"), false));
    class
}

#[test]
fn one_slow_reader_does_not_make_a_conversation_late() {
    one_slow_reader(Class::new(BROKER), &text(1000), 2, 60);
    one_slow_reader(Class::new(BROKER), b"x", 8, 14);
}

#[test]
fn one_slow_reader_does_not_make_a_chat_late() {
    one_slow_reader(chat_class(), b"\n", 3, 60);
}

#[test]
fn one_slow_reader_does_not_make_a_chat_late_whatever_a_byte_becomes() {
    for noise in [&b"\n"[..], b"\x01", b"\x1b[31m\n"] {
        one_slow_reader(chat_class(), noise, 8, 14);
    }
}

/// Some that flood and one that reads 12 kB in a second: what Ana says is at Bob's soon all the same.
fn one_slow_reader(class: Class, noise: &[u8], flooders: usize, seconds: usize) {
    let first = String::from_utf8_lossy(&noise[..noise.len().min(10)]);
    let is_chat = class.room.is_chat();
    let what = format!("{flooders} flood with {first:?}, chat: {is_chat}");
    let mut network = Network::of(class, noise);
    let (ana, bob) = (network.join(10_000), network.join(10_000));
    let slow = network.join(12);
    (0..flooders).for_each(|_| network.floods(10_000));
    network.heard.insert(bob, Vec::new());
    let (mut said, mut late) = (Vec::new(), Vec::new());
    for millisecond in 0..seconds * 1000 {
        if millisecond % 500 == 0 {
            network.typed.get_or_insert(network.class.now);
            said.push(network.class.now);
        }
        network.turn(ana);
        let heard = network.heard.get_mut(&bob).unwrap();
        let whole = memchr::memrchr(b'\n', heard).map_or(0, |end| end + 1);
        let heard: Vec<u8> = heard.drain(..whole).collect();
        // A line that does not end, of somebody else, may be before it.
        let end = |line: &[u8]| line[line.len().saturating_sub(10)..].to_vec();
        let lines = heard.split(|&byte| byte == b'\n').map(end);
        for _ in lines.filter(|end| end.windows(4).any(|word| word == b"ana ")) {
            late.push(network.class.now - said[late.len()]);
        }
    }
    assert_eq!(network.cut_off, [(slow, Overdue::Slow)], "{what}");
    late.sort_unstable();
    let (median, worst) = (late[late.len() / 2], late[late.len() - 1]);
    assert!(
        late.len() >= 2 * seconds - 1,
        "{what}: {} of {} lines",
        late.len(),
        said.len()
    );
    assert!(median <= Duration::from_millis(300), "{what}: {median:?}");
    assert!(worst <= Duration::from_secs(4), "{what}: {worst:?}");
}

/// Thirty on a slow network, none as fast as the other: nobody is cut off, whoever floods.
#[test]
fn a_slow_network_is_nobodys_fault() {
    for slowest in [70, 100] {
        let mut network = Network::new();
        // From 1 MB/s down to that many percent of it.
        let keys: Vec<usize> = (0..30)
            .map(|i| network.join(1000 - i * (100 - slowest) * 10 / 29))
            .collect();
        network.floods(1000);
        network.floods(1000);
        for _ in 0..30_000 {
            network.turn(keys[0]);
        }
        assert_eq!(network.cut_off, [], "the slowest at {slowest} %");
    }
}

/// Who takes more than 6 MB in a second is not cut off, however fast the others are: a hold that it causes
/// is over before anybody would notice. Who takes less than 4 is.
#[test]
fn nobody_is_cut_off_who_takes_much() {
    for rate in [4_000, 6_000, 20_000, 240_000] {
        let mut network = Network::new();
        let ana = network.join(1_000_000);
        let slowest = network.join(rate);
        network.floods(1_000_000);
        network.floods(1_000_000);
        for _ in 0..60_000 {
            network.turn(ana);
        }
        let expected = match rate <= 4_000 {
            true => vec![(slowest, Overdue::Slow)],
            false => vec![],
        };
        assert_eq!(network.cut_off, expected, "{rate} bytes in a millisecond");
    }
}

/// One step in the life of a room in which one floods and the others listen.
#[derive(Debug, Clone)]
enum Pause {
    Flood,
    /// A listener takes so many segments.
    Take(usize, u64),
    /// So many eighths of the timeout pass.
    Pass(u32),
    /// So many milliseconds pass.
    Wait(u64),
    Leave(usize),
}

fn pause() -> impl Strategy<Value = Pause> {
    prop_oneof![
        4 => Just(Pause::Flood),
        8 => (any::<usize>(), 1..24u64).prop_map(|(who, count)| Pause::Take(who, count)),
        4 => (1..8u32).prop_map(Pause::Pass),
        2 => (1..90u64).prop_map(Pause::Wait),
        1 => any::<usize>().prop_map(Pause::Leave),
    ]
}

/// A listener as the specification sees it: where it is, whether it lags, and its bucket.
struct Listener {
    taken: u64,
    lags: bool,
    level: Duration,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The buckets are what counting them at every step comes to.
    #[test]
    fn buckets_are_as_specified(
        count in 1..7usize,
        steps in prop::collection::vec(pause(), 1..80),
    ) {
        let mut class = Class::new(BROKER);
        let flooder = class.join();
        let mut listeners: BTreeMap<usize, Listener> = (0..count)
            .map(|_| (class.join(), Listener { taken: 0, lags: false, level: Duration::ZERO }))
            .collect();
        let mut said = 0;
        let mut held = false;
        // What is left of the time for which the hold is nobody's fault.
        let mut grace = GRACE;
        for step in steps {
            let keys: Vec<usize> = listeners.keys().copied().collect();
            match step {
                Pause::Flood if !class.is_on_hold() => {
                    class.heard(flooder, text(HIGH_WATER));
                    said += HIGH_WATER;
                }
                Pause::Take(who, segments) if !keys.is_empty() => {
                    let key = keys[who % keys.len()];
                    let owed = class.room.owed(key).min(segments * SEG);
                    class.takes(key, owed);
                    listeners.get_mut(&key).unwrap().taken += owed;
                }
                Pause::Leave(who) if !keys.is_empty() => {
                    let key = keys[who % keys.len()];
                    class.leave(key);
                    listeners.remove(&key);
                }
                Pause::Pass(_) | Pause::Wait(_) => {
                    let time = match step {
                        Pause::Pass(eighths) => T * eighths / 8,
                        Pause::Wait(milliseconds) => Duration::from_millis(milliseconds),
                        _ => unreachable!(),
                    };
                    class.passes(time);
                    let lagging = listeners.values().filter(|l| l.lags).count();
                    let members = listeners.len() + 1;
                    // The flooder is no witness.
                    let is_fair = lagging > 0
                        && listeners.len() > lagging
                        && (members - lagging) * 2 >= members;
                    let excused = time.min(grace);
                    grace -= excused;
                    for listener in listeners.values_mut() {
                        let blamed = match is_fair && listener.lags {
                            true => time - excused,
                            false => Duration::ZERO,
                        };
                        listener.level = listener.level.saturating_sub((time - blamed) / 2) + blamed;
                    }
                    let slow: Vec<usize> = listeners
                        .iter()
                        .filter(|(_, l)| is_fair && l.lags && l.level >= T)
                        .map(|(key, _)| *key)
                        .collect();
                    for (key, why) in class.late() {
                        prop_assert!(why != Overdue::Slow || slow.contains(&key));
                        class.leave(key);
                        listeners.remove(&key);
                    }
                    for key in slow {
                        prop_assert!(!listeners.contains_key(&key), "its bucket is full");
                    }
                }
                _ => {}
            }
            let began = class.is_on_hold() && !held;
            held = class.is_on_hold();
            if began {
                grace = GRACE;
            }
            for listener in listeners.values_mut() {
                let behind = said - listener.taken / SEG * SEG;
                listener.lags = held && behind >= LOW_WATER && (began || listener.lags);
            }
            prop_assert!(!listeners.is_empty() || !held);
        }
    }
}

// Rules 1 and 4: who hears whom.

#[test]
fn everybody_hears_the_operator_from_joining_on() {
    let mut class = Class::new(QUIET);
    let alice = class.join();
    class.typed("one\n");
    let carol = class.join();
    class.typed("two");
    assert_eq!(class.reads(alice), b"one\ntwo");
    assert_eq!(class.reads(carol), b"two");
    assert!(class.room.has_delivered_all());
}

#[test]
fn without_relaying_members_do_not_hear_each_other() {
    let mut class = Class::new(QUIET);
    let (alice, bob) = (class.join(), class.join());
    class.heard(alice, "hello\n");
    assert_eq!(class.room.owed(alice) + class.room.owed(bob), 0);
    assert_eq!(class.room.said(), 0);
    assert_eq!(class.shown(), "hello\n");
}

#[test]
fn relayed_lines_reach_everybody_but_their_author_in_one_order() {
    let mut class = Class::new(BROKER);
    let (alice, bob, carol) = (class.join(), class.join(), class.join());
    class.heard(alice, "a1\n");
    class.typed("op\n");
    class.heard(bob, "b1\n");
    class.heard(alice, "a2\n");
    assert_eq!(class.reads(alice), b"op\nb1\n");
    assert_eq!(class.reads(bob), b"a1\nop\na2\n");
    assert_eq!(class.reads(carol), b"a1\nop\nb1\na2\n");
    assert_eq!(class.shown(), "a1\nb1\na2\n");
}

#[test]
fn relayed_lines_are_whole_the_operators_too() {
    let mut class = Class::new(BROKER);
    let (alice, bob, carol) = (class.join(), class.join(), class.join());
    class.heard(alice, "a");
    class.typed("o");
    class.heard(bob, "b\nB");
    class.typed("p\nend");
    class.heard(alice, "1\n");
    assert_eq!(class.reads(carol), b"b\nop\na1\n");
    class.room.typed_end(class.now);
    assert_eq!(class.reads(carol), b"end");
    assert_eq!(class.shown(), "b\na1\n");
}

#[test]
fn a_lone_source_is_passed_on_as_it_is() {
    let mut class = Class::new(QUIET);
    let alice = class.join();
    class.typed("no end");
    assert_eq!(class.reads(alice), b"no end");
    class.room.typed_end(class.now);
    assert_eq!(class.room.owed(alice), 0);
}

#[test]
fn an_endless_line_is_relayed_in_pieces() {
    let mut class = Class::new(BROKER);
    let (alice, bob) = (class.join(), class.join());
    class.heard(alice, vec![b'x'; MAX_LINE - 1]);
    assert_eq!(class.room.owed(bob), 0);
    assert_eq!(class.shown(), "");
    class.heard(alice, "y");
    assert_eq!(class.room.owed(bob), MAX_LINE as u64);
    assert_eq!(class.shown().len(), MAX_LINE);
    assert_eq!(class.room.owed(alice), 0);
}

#[test]
fn a_line_begun_before_anybody_came_is_heard_whole() {
    let mut class = Class::new(BROKER);
    let alice = class.join();
    class.heard(alice, "to nobody\nhel");
    assert_eq!(class.room.said(), 0, "nothing is kept for nobody");
    let bob = class.join();
    class.heard(alice, "lo\n");
    assert_eq!(class.reads(bob), b"hello\n");
    assert_eq!(class.shown(), "to nobody\nhello\n");
}

#[test]
fn what_a_leaver_did_not_finish_is_relayed_as_it_is() {
    let mut class = Class::new(BROKER);
    let (alice, bob) = (class.join(), class.join());
    class.heard(alice, "bye");
    assert_eq!(class.room.owed(bob), 0);
    class.typed("so long\n");
    assert_eq!(class.room.owed(alice), 8);
    let left = class.room.leave(alice, class.now).expect("it was there");
    assert_eq!((left.account.received(), left.account.sent), (3, 0));
    assert_eq!(class.reads(bob), b"so long\nbye");
    assert_eq!(class.shown(), "bye");
}

#[test]
fn who_speaks_and_never_reads_is_not_remembered_without_end() {
    let mut class = Class::new(BROKER);
    let (deaf, good) = (class.join(), class.join());
    class.typed("hello\n");
    let mut lines = 0;
    while class.room.may_speak(deaf) {
        class.heard(deaf, "a\n");
        class.heard(good, "b\n");
        class.reads(good);
        lines += 1;
        assert!(lines < 100_000);
    }
    assert!(class.room.may_speak(good) && class.room.accepts_input());
    class.reads(deaf);
    assert!(class.room.may_speak(deaf));
}

// Rule 2: the operator's screen.

#[test]
fn alone_shows_at_once_and_several_show_whole_lines() {
    let mut class = Class::new(QUIET);
    let alice = class.join();
    class.heard(alice, "on");
    assert_eq!(class.shown(), "on");
    class.heard(alice, "e\n");
    assert_eq!(class.shown(), "e\n");
    let bob = class.join();
    class.heard(alice, "tw");
    class.heard(bob, "thr");
    assert_eq!(class.shown(), "");
    class.heard(bob, "ee\nfour");
    assert_eq!(class.shown(), "three\n");
    class.heard(alice, "o\n");
    assert_eq!(class.shown(), "two\n");
}

#[test]
fn a_leavers_unfinished_line_is_shown_and_then_what_the_last_one_began() {
    let mut class = Class::new(QUIET);
    let (alice, bob, carol) = (class.join(), class.join(), class.join());
    class.heard(alice, "alice");
    class.heard(bob, "bob");
    class.heard(carol, "carol");
    class.leave(bob);
    assert_eq!(class.shown(), "bob");
    class.leave(alice);
    assert_eq!(class.shown(), "\nalice\ncarol");
    class.heard(carol, "!");
    assert_eq!(class.shown(), "!");
}

#[test]
fn who_will_say_no_more_has_its_line_shown() {
    let mut class = Class::new(BROKER);
    let (alice, bob) = (class.join(), class.join());
    class.heard(alice, "last words");
    class.room.finish(alice, class.now);
    assert_eq!(class.shown(), "last words");
    assert_eq!(class.reads(bob), b"last words");
    class.room.finish(alice, class.now);
    assert_eq!(class.shown(), "");
}

#[test]
fn a_full_screen_silences_everybody_but_the_operator() {
    let mut class = Class::new(QUIET);
    let (alice, bob) = (class.join(), class.join());
    class.heard(alice, text(SEG));
    assert!(!class.room.accepts_input());
    assert!(class.room.wants_input());
    class.typed("the class goes on\n");
    assert_eq!(class.reads(bob), b"the class goes on\n");
    class.shown();
    assert!(class.room.accepts_input());
}

#[test]
fn a_terminal_misses_lines_only_while_relaying() {
    for (policy, hears) in [(QUIET, false), (BROKER, true)] {
        let mut class = Class::new(Policy {
            surface: Surface::Terminal,
            ..policy
        });
        let (alice, bob) = (class.join(), class.join());
        for _ in 0..LEAVES_OUT as u64 / SEG {
            class.heard(alice, text(SEG));
            class.reads(bob);
        }
        assert!(!class.room.accepts_input(), "it is waited for");
        assert!(class.overdue().is_empty());
        assert_eq!(class.room.deadline().is_some(), hears);
        class.passes(STUCK);
        assert!(class.overdue().is_empty());
        assert_eq!(class.room.accepts_input(), hears);
        class.heard(alice, text(SEG));
        class.reads(bob);
        class.shown();
        assert_eq!(class.room.screen_mut().take_left_out() > 0, hears);
    }
}

// The line owner: a line begun alone is not cut by who joins in its middle.

#[test]
fn the_line_a_stream_shows_the_beginning_of_owns_the_screen_until_it_ends() {
    let mut class = Class::new(QUIET);
    let alice = class.join();
    class.heard(alice, "hel");
    let bob = class.join();
    let carol = class.join();
    class.leave(carol);
    assert!(class.room.may_speak(alice) && !class.room.may_speak(bob));
    class.heard(alice, "lo");
    assert!(class.room.may_speak(alice) && !class.room.may_speak(bob));
    class.heard(alice, "!\nmo");
    assert!(class.room.may_speak(alice) && class.room.may_speak(bob));
    class.heard(bob, "hi\n");
    assert_eq!(class.shown(), "hello!\nhi\n");
    assert_eq!(class.deadline(), None);
}

#[test]
fn the_line_owner_lasts_the_stall_timeout_from_when_somebody_else_came() {
    let mut class = Class::new(QUIET);
    let alice = class.join();
    class.heard(alice, "hel");
    assert_eq!(class.deadline(), None);
    class.passes(T * 3);
    assert!(class.overdue().is_empty());
    let bob = class.join();
    assert_eq!(class.deadline(), Some(T));
    class.passes(T / 2);
    class.join();
    class.heard(alice, "lo");
    assert_eq!(class.deadline(), Some(T / 2));
    class.passes(T / 2 - TICK);
    assert!(class.overdue().is_empty());
    assert!(!class.room.may_speak(bob));
    class.passes(TICK);
    assert!(class.overdue().is_empty(), "nobody is cut off for it");
    assert!(class.room.may_speak(alice) && class.room.may_speak(bob));
    assert_eq!(class.deadline(), None);
    class.heard(alice, " wor");
    assert!(class.room.may_speak(bob), "it does not come back");
}

#[test]
fn the_line_owner_goes_with_its_line() {
    for leaves in [true, false] {
        let mut class = Class::new(QUIET);
        let alice = class.join();
        class.heard(alice, "hel");
        let (bob, _carol) = (class.join(), class.join());
        assert!(!class.room.may_speak(bob));
        match leaves {
            true => class.leave(alice),
            false => class.room.finish(alice, class.now),
        }
        assert!(class.room.may_speak(bob));
        assert_eq!(class.deadline(), None);
    }
}

#[test]
fn beside_one_that_is_still_to_be_heard_nobody_is_alone() {
    let ends: [fn(&mut Class, usize); 2] = [
        |class, key| class.room.end_unheard(key),
        |class, key| class.room.depart(key, class.now),
    ];
    for end in ends {
        let mut class = Class::new(QUIET);
        let (alice, bob) = (class.join(), class.join());
        class.heard(bob, "this is ");
        end(&mut class, bob);
        assert_eq!(class.room.here(), 1);
        class.heard(alice, "hel");
        assert!(class.room.may_speak(bob));
        class.heard(bob, "the last\n");
        assert_eq!(class.shown(), "this is the last\n");
        class.leave(bob);
        assert_eq!(class.shown(), "hel");
    }
}

#[test]
fn a_receiver_that_departed_begins_no_transfer() {
    for departs in [true, false] {
        let mut class = Class::new(QUIET);
        class.room.expect_receivers(2);
        let (one, two) = (class.visit(), class.visit());
        class.typed("of one whole");
        class.room.heard_by(one);
        if departs {
            class.room.depart(one, class.now);
        }
        class.room.heard_by(two);
        assert_eq!(class.room.is_on_trial(), departs);
    }
}

/// Whoever ended its side may be gone, until it acknowledges something that came after that.
#[test]
fn who_ended_its_side_is_there_again_when_it_acknowledged_something() {
    let mut class = Class::new(QUIET);
    let key = class.visit();
    class.room.end(key);
    assert!(class.room.is_unconfirmed(key));
    assert_eq!((class.room.here(), class.room.places_taken()), (0, 1));
    class.room.acknowledged(key);
    assert!(!class.room.is_unconfirmed(key) && !class.room.is_on_trial());
    assert_eq!(class.room.here(), 1);
}

/// The beginning of a line and what comes behind it are one: who heard the beginning on trial and left
/// heard no line, and nobody is told the rest alone.
#[test]
fn of_a_line_that_was_heard_in_part_a_newcomer_is_told_all() {
    let mut class = Class::new(BROKER);
    let one = class.visit();
    class.typed("zero\n");
    class.typed("one, ");
    class.typed("two\nthree\n");
    class.takes(one, 10);
    class.room.end(one);
    class.room.heard_to_its_end(one);
    class.leave(one);
    let other = class.visit();
    assert_eq!(class.reads(other), b"one, two\nthree\n");
}

#[test]
fn the_end_of_a_line_is_for_those_who_got_any_of_it() {
    for speaks_first in [false, true] {
        let mut class = Class::new(BROKER);
        let (ana, ben) = (class.join(), class.join());
        class.heard(ben, "unfinished");
        class.leave(ben);
        let cyd = class.join();
        class.heard(if speaks_first { cyd } else { ana }, "hello\n");
        let (to_ana, to_cyd) = match speaks_first {
            true => ("unfinished\nhello\n", ""),
            false => ("unfinished\n", "hello\n"),
        };
        assert_eq!(class.reads(ana), to_ana.as_bytes());
        assert_eq!(class.reads(cyd), to_cyd.as_bytes());
    }
}

/// Its key may be another one's then, and may be the one who left it.
#[test]
fn who_joined_behind_a_line_and_left_is_forgotten() {
    let mut class = Class::new(BROKER);
    let (ana, ben) = (class.join(), class.join());
    let dan = class.join();
    class.heard(ben, "unfinished");
    class.leave(ben);
    let cyd = class.join();
    class.leave(cyd);
    class.heard(ana, "hello\nhalf");
    class.leave(ana);
    let eve = class.join();
    class.heard(dan, "next\n");
    assert_eq!(class.reads(dan), b"unfinished\nhello\nhalf\n");
    assert_eq!(class.reads(eve), b"next\n");
}

#[test]
fn what_a_history_ends_with_is_ended_for_the_newcomer_too() {
    let mut class = Class::new(BROKER);
    class.room.keep_history(5);
    let (ana, ben) = (class.join(), class.join());
    class.heard(ben, "unfinished");
    class.leave(ben);
    let cyd = class.join();
    class.heard(ana, "hello\n");
    assert_eq!(class.reads(cyd), b"unfinished\nhello\n");
}

/// On trial a newcomer is told what the operator said, which may be the line that was left.
#[test]
fn what_was_said_on_trial_is_ended_for_the_newcomer_too() {
    for (said, told) in [("all\n", "all\nhello\n"), ("half", "half\nhello\n")] {
        let mut class = Class::new(BROKER);
        let (ana, ben) = (class.visit(), class.visit());
        class.typed(said);
        class.room.typed_end(class.now);
        if said.ends_with('\n') {
            class.heard(ben, "unfinished");
        }
        class.leave(ben);
        let cyd = class.visit();
        class.heard(ana, "hello\n");
        assert_eq!(class.reads(cyd), told.as_bytes(), "{said:?}");
    }
}

/// A line of a member's that was left goes not on with what the operator says.
#[test]
fn who_joins_behind_a_line_when_relaying_is_over_misses_nothing() {
    let mut class = Class::new(BROKER);
    let (ana, ben) = (class.join(), class.join());
    class.heard(ben, "unfinished");
    class.leave(ben);
    class.room.relay(false, class.now);
    let cyd = class.join();
    class.typed("hello\n");
    assert_eq!(class.reads(ana), b"unfinished\nhello\n");
    assert_eq!(class.reads(cyd), b"hello\n");
    // And the rest of the operator's line is kept from who came behind its beginning, with its end.
    class.typed("begun");
    let dan = class.join();
    class.typed(" li");
    class.room.relay(true, class.now);
    class.heard(ana, "next\n");
    assert_eq!(class.reads(cyd), b"begun li\nnext\n");
    assert_eq!(class.reads(dan), b"next\n");
}

/// The line feed behind what somebody left unfinished is no word of the operator's, of which somebody
/// would have to hear.
#[test]
fn all_that_was_said_on_trial_can_be_heard() {
    let mut class = Class::new(BROKER);
    let (one, two) = (class.visit(), class.visit());
    class.heard(one, "cut o");
    class.leave(one);
    class.typed("all\n");
    assert_eq!(class.reads(two), b"cut o\nall\n");
    class.room.end(two);
    assert!(class.room.is_unheard());
    class.room.heard_to_its_end(two);
    assert!(!class.room.is_unheard());
}

#[test]
fn who_is_alone_again_may_take_its_time() {
    let mut class = Class::new(QUIET);
    let alice = class.join();
    class.heard(alice, "hel");
    let bob = class.join();
    class.leave(bob);
    assert_eq!(class.deadline(), None);
    class.passes(T * 3);
    let bob = class.join();
    assert!(class.overdue().is_empty());
    assert!(!class.room.may_speak(bob));
    assert_eq!(class.deadline(), Some(T));
}

#[test]
fn the_last_one_owns_the_line_of_what_it_began_among_others() {
    let mut class = Class::new(QUIET);
    let (alice, bob) = (class.join(), class.join());
    class.heard(alice, "hel");
    class.leave(bob);
    let carol = class.join();
    assert!(class.room.may_speak(alice) && !class.room.may_speak(carol));
}

#[test]
fn nobody_owns_the_line_of_a_terminal() {
    let mut class = Class::new(Policy {
        surface: Surface::Terminal,
        ..QUIET
    });
    let alice = class.join();
    class.heard(alice, "hel");
    let bob = class.join();
    assert!(class.room.may_speak(bob));
    assert_eq!(class.deadline(), None);
    class.heard(bob, "hi\n");
    class.heard(alice, "lo\n");
    assert_eq!(class.shown(), "hel\nhi\nlo\n");
}

#[test]
fn the_earlier_of_two_deadlines_counts() {
    let mut class = Class::new(QUIET);
    let alice = class.join();
    class.heard(alice, "hel");
    class.types(HIGH_WATER);
    class.passes(T / 4);
    class.join();
    assert_eq!(class.deadline(), Some(T * 3 / 4), "the backpressure's");
    class.reads(alice);
    assert_eq!(class.deadline(), Some(T), "the line owner's");
    class.passes(T / 4);
    class.types(HIGH_WATER);
    assert_eq!(class.deadline(), Some(T * 3 / 4), "the line owner's");
}

// Keys, numbers, accounts.

#[test]
fn keys_are_reused_and_numbers_are_not() {
    let mut class = Class::new(QUIET);
    let next = class.room.vacant_key();
    let alice = class.join();
    assert_eq!(alice, next);
    let bob = class.join();
    class.leave(alice);
    assert_eq!(class.room.vacant_key(), alice);
    assert_eq!(class.join(), alice);
    let number = |key| class.room.member(key).map(|member| member.account.number);
    assert_eq!(
        (number(alice), number(bob), number(99)),
        (Some(3), Some(2), None)
    );
    assert_eq!(class.room.here(), 2);
}

#[test]
fn a_failed_write_leaves_the_stream_where_it_was() {
    let mut class = Class::new(QUIET);
    let alice = class.join();
    class.typed("hello");
    let failed = class
        .room
        .flush(alice, class.now, |_| Err(io::ErrorKind::BrokenPipe.into()));
    assert!(failed.is_err());
    assert_eq!(class.room.owed(alice), 5);
    assert_eq!(class.flush(alice, 2), b"he");
    assert_eq!(class.room.member(alice).map(|m| m.account.sent), Some(2));
    assert_eq!(class.room.owed(alice), 3);
    let left = class.room.leave(alice, class.now).expect("it was there");
    assert_eq!(left.account.sent, 2);
}

#[test]
fn a_stream_that_ended_holds_nobody_up_and_counts_no_bytes() {
    let mut class = Class::new(BROKER);
    let (alice, bob) = (class.join(), class.join());
    class.typed("bye\n");
    class.reads(alice);
    class.reads(bob);
    class.heard(bob, text(HIGH_WATER));
    assert!(class.is_on_hold());
    class.room.owe_no_more(alice, class.now);
    assert!(!class.is_on_hold());
    class.typed("more\n");
    // What it says is still passed on, and answered to nobody.
    class.heard(alice, "good night\n");
    assert!(class.room.tell(alice, b"psst\n"));
    assert_eq!(class.room.owed(alice), 0);
    assert_eq!(class.room.member(alice).map(|m| m.account.sent), Some(4));
    let heard = class.reads(bob);
    assert!(heard.ends_with(b"more\ngood night\n"), "{}", heard.len());
}

/// Nor does it set the pace of a live stream, whether it is gone or only takes no more.
#[test]
fn who_takes_no_more_is_not_the_fastest() {
    for is_gone in [true, false] {
        let mut class = Class::new(LIVE);
        let (alice, bob) = (class.join(), class.join());
        class.typed("hello\n");
        class.reads(alice);
        class.reads(bob);
        match is_gone {
            true => class.room.depart(alice, class.now),
            false => class.room.owe_no_more(alice, class.now),
        }
        let mut said = 0;
        while class.room.wants_input() {
            class.typed(text(SEGMENT as u64));
            said += SEGMENT as u64;
            assert!(said < HIGH_WATER, "nobody waits for bob");
        }
        assert!(said >= LOW_WATER, "{said}");
        class.reads(bob);
        assert!(class.room.wants_input());
        // With nobody else it waits for nobody.
        class.room.leave(bob, class.now);
        class.typed(text(HIGH_WATER));
        assert!(!class.room.is_held());
    }
}

#[test]
fn nothing_is_written_to_who_is_owed_nothing() {
    let mut class = Class::new(QUIET);
    let alice = class.join();
    let owed = class.room.flush(alice, class.now, |_| unreachable!());
    assert_eq!(owed.expect("no write, no error"), 0);
}

// History: what who joins late is given first.

#[test]
fn who_joins_late_hears_the_last_lines_first_and_nothing_twice() {
    let mut class = Class::new(QUIET);
    class.room.keep_history(2);
    let early = class.join();
    assert_eq!(class.reads(early), b"");
    class.typed("one\ntwo\nthree\nfo");
    class.heard(early, "an answer\n");
    let late = class.join();
    class.typed("ur\n");
    assert_eq!(class.reads(early), b"one\ntwo\nthree\nfour\n");
    assert_eq!(class.reads(late), b"two\nthree\nfour\n");
    class.typed("five\n");
    assert_eq!(class.reads(late), b"five\n");
}

#[test]
fn what_one_alone_said_is_history_and_what_it_was_told_is_not() {
    let mut class = Class::new(BROKER);
    class.room.keep_history(10);
    let alice = class.join();
    class.heard(alice, "is anybody the");
    class.heard(alice, "re?\n");
    assert!(class.room.tell(alice, b"not yet\n"));
    assert_eq!(class.reads(alice), b"not yet\n", "nor her own line");
    let bob = class.join();
    class.heard(bob, "I am\n");
    class.leave(alice);
    class.leave(bob);
    let carol = class.join();
    assert_eq!(class.reads(carol), b"is anybody there?\nI am\n");
    class.room.mute(carol, true, class.now);
    class.heard(carol, "rubbish\n");
    let dave = class.join();
    assert_eq!(class.reads(dave), b"is anybody there?\nI am\n");
}

#[test]
fn a_history_makes_nobody_slow_and_nobody_wait() {
    for policy in [QUIET, BROKER, LIVE] {
        let mut class = Class::new(policy);
        class.room.keep_history(usize::MAX);
        let fast = class.join();
        for _ in 0..64 {
            class.types(SEG);
            class.reads(fast);
            assert!(!class.is_on_hold());
        }
        // The others hold the room up, and go on when they have read; not when the newcomer has.
        class.types(HIGH_WATER);
        let late = class.join();
        assert!(class.room.owed(late) > HISTORY - 80);
        class.reads(fast);
        assert!(!class.is_on_hold());
        class.passes(T * 100);
        assert!(class.overdue().is_empty());
        assert_eq!(class.deadline(), None);
    }
}

// All of it at once, against a specification that keeps everything it was ever told.

/// What somebody says in one go: runs of bytes, each with or without a line's end after it.
type Text = Vec<(usize, bool)>;

/// One step in the random life of a room; members are named by an index that is reduced to the
/// members there are.
#[derive(Debug, Clone)]
enum Step {
    Join,
    Leave(usize),
    Typed(Text),
    TypedEnd,
    Heard(usize, Text),
    Finish(usize),
    /// A member takes at most so much.
    Flush(usize, usize),
    /// stdout takes at most so much.
    Show(usize),
}

fn words(largest: usize) -> impl Strategy<Value = Text> {
    let run = prop_oneof![20 => 0..30usize, 1 => 0..largest];
    prop::collection::vec((run, any::<bool>()), 0..6)
}

fn step() -> impl Strategy<Value = Step> {
    let who = any::<usize>;
    prop_oneof![
        3 => Just(Step::Join),
        1 => who().prop_map(Step::Leave),
        6 => words(4 * SEGMENT).prop_map(Step::Typed),
        2 => (SEGMENT..6 * SEGMENT).prop_map(|run| Step::Typed(vec![(run, true)])),
        1 => Just(Step::TypedEnd),
        12 => (who(), words(SEGMENT)).prop_map(|(who, text)| Step::Heard(who, text)),
        1 => who().prop_map(Step::Finish),
        4 => (who(), 0..100usize).prop_map(|(who, limit)| Step::Flush(who, limit)),
        4 => (who(), 0..8 * SEGMENT).prop_map(|(who, limit)| Step::Flush(who, limit)),
        4 => (0..2 * SEGMENT).prop_map(Step::Show),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let slow = prop_oneof![Just(SlowPeer::Wait), Just(SlowPeer::Disconnect)];
    // What a terminal makes of the bytes is the screen's own matter, and tested there.
    let surface = prop_oneof![Just(Surface::Stream), Just(Surface::RawTerminal)];
    (any::<bool>(), slow, surface).prop_map(|(relay, slow, surface)| Policy {
        relay,
        slow,
        stall_timeout: T,
        surface,
        label: Label::Never,
        color: false,
        bold: false,
        announced: 300,
    })
}

/// Everything somebody said, how much of it was passed on to the room, and how much was shown.
struct Voice {
    id: u32,
    said: Vec<u8>,
    passed: usize,
    shown: usize,
}

/// A member, everything it is to hear, and how much of that it took.
struct Person {
    voice: Voice,
    finished: bool,
    /// It joined in the middle of a line, and how much of that it was not handed.
    is_late: bool,
    missed: usize,
    hears: Vec<u8>,
    taken: usize,
}

struct Spec {
    policy: Policy,
    operator: Voice,
    people: BTreeMap<usize, Person>,
    joined: u32,
    /// Everything that is to appear on stdout, and who said the last of it.
    screen: Vec<u8>,
    last: u32,
    /// Everything that was said to everybody, and how many lines of it are given to who joins.
    log: Vec<u8>,
    history: usize,
    /// Who wrote last to the screen or the log will not go on with the line it is in.
    screen_left: bool,
    log_left: bool,
    /// Who said the last of the log.
    log_last: u32,
}

impl Voice {
    fn new(id: u32) -> Voice {
        Voice {
            id,
            said: Vec::new(),
            passed: 0,
            shown: 0,
        }
    }

    /// Adds to what was said; every byte tells who said it and about where.
    fn say(&mut self, text: &Text) -> Vec<u8> {
        let from = self.said.len();
        for &(run, ends) in text {
            let places = (self.said.len()..).map(|place| (place % 13) as u8);
            let first = speaker(self.id);
            self.said
                .extend(places.take(run).map(|place| first + place));
            if ends {
                self.said.push(b'\n');
            }
        }
        self.said[from..].to_vec()
    }

    /// How much is to be passed on: whole lines, and what is too long to be kept.
    fn due(&self) -> usize {
        let unfinished = &self.said[self.passed..];
        let line = unfinished.iter().rposition(|&byte| byte == b'\n');
        let due = line.map_or(0, |end| end + 1);
        match unfinished.len() - due >= MAX_LINE {
            true => self.said.len(),
            false => self.passed + due,
        }
    }

    /// Whether the beginning of a line that is not finished is on the screen.
    fn is_open(&self) -> bool {
        self.shown > self.passed
    }
}

/// The first of the bytes that this speaker uses; none of them ends a line.
fn speaker(id: u32) -> u8 {
    0x20 + (id % 14) as u8 * 16
}

impl Person {
    /// How much of that is the rest of a line whose beginning it has not got.
    fn misses(&mut self, news: &[u8]) -> usize {
        let mut count = 0;
        while self.is_late && count < news.len() {
            self.missed += 1;
            self.is_late = news[count] != b'\n' && self.missed < MAX_LINE;
            count += 1;
        }
        count
    }
}

impl Spec {
    fn join(&mut self, key: usize) {
        self.joined += 1;
        let person = Person {
            voice: Voice::new(self.joined),
            finished: false,
            is_late: self.is_late(),
            missed: 0,
            hears: self.past().to_vec(),
            taken: 0,
        };
        assert!(self.people.insert(key, person).is_none());
    }

    /// The last lines, and what of another one was said: as many as are whole in what is kept.
    fn past(&self) -> &[u8] {
        let kept = self.log.len().saturating_sub(HISTORY as usize);
        let mut starts: Vec<usize> = (kept..=self.log.len())
            .filter(|&at| at == 0 || self.log[at - 1] == b'\n')
            .collect();
        // The last of these is the line that is not finished, or not begun.
        let wanted = starts.len().min(self.history.saturating_add(1));
        starts.drain(..starts.len() - wanted);
        match starts.first() {
            Some(&start) if self.history > 0 => &self.log[start..],
            _ => &[],
        }
    }

    fn typed(&mut self, text: &Text) -> Vec<u8> {
        let bytes = self.operator.say(text);
        let due = match self.policy.relay {
            true => self.operator.due(),
            false => self.operator.said.len(),
        };
        self.typed_until(due);
        bytes
    }

    fn typed_until(&mut self, due: usize) {
        let news = self.operator.said[self.operator.passed..due].to_vec();
        self.separate(0, &news);
        for person in self.people.values_mut() {
            let rest = person.misses(&news);
            person.hears.extend_from_slice(&news[rest..]);
        }
        self.log.extend_from_slice(&news);
        self.operator.passed = due;
    }

    /// Whether whoever joins now comes in the middle of a line that another hears.
    fn is_late(&self) -> bool {
        let is_midline = self.log.last().is_some_and(|&byte| byte != b'\n');
        let is_raw = !self.policy.relay && self.history == 0;
        is_midline && is_raw && !self.people.is_empty()
    }

    /// Where a speaker left an unfinished line in the log, it ends before another's words; who has not got
    /// any of that line, as its speaker, or who joined behind it, is not given its end.
    fn separate(&mut self, id: u32, news: &[u8]) {
        if news.is_empty() {
            return;
        }
        let midline = self.log.last().is_some_and(|&byte| byte != b'\n');
        if midline && self.log_left && self.log_last != id && self.policy.surface == Surface::Stream
        {
            self.log.push(b'\n');
            for person in self.people.values_mut() {
                let has_some = person.hears.last().is_some_and(|&byte| byte != b'\n');
                if person.voice.id != self.log_last && has_some {
                    person.hears.push(b'\n');
                }
            }
        }
        self.log_left = false;
        self.log_last = id;
    }

    fn typed_end(&mut self) {
        self.typed_until(self.operator.said.len());
        self.log_left |= self.log_last == 0;
    }

    fn heard(&mut self, key: usize, text: &Text) -> Vec<u8> {
        let voice = &mut self.people.get_mut(&key).unwrap().voice;
        let bytes = voice.say(text);
        let due = voice.due();
        self.heard_until(key, due);
        if self.people.len() == 1 {
            self.show_all(key);
        }
        bytes
    }

    fn heard_until(&mut self, key: usize, due: usize) {
        let voice = &mut self.people.get_mut(&key).unwrap().voice;
        let news = voice.said[voice.passed..due].to_vec();
        voice.passed = due;
        self.show_until(key, due);
        if self.policy.relay && (self.people.len() > 1 || self.history > 0) {
            self.separate(self.people[&key].voice.id, &news);
            self.log.extend_from_slice(&news);
        }
        for (&other, person) in &mut self.people {
            if self.policy.relay && other != key {
                person.hears.extend_from_slice(&news);
            }
        }
    }

    fn finish(&mut self, key: usize) {
        self.heard_until(key, self.people[&key].voice.said.len());
        let id = self.people[&key].voice.id;
        if self.last == id {
            let midline = self.screen.last().is_some_and(|&byte| byte != b'\n');
            match self.policy.surface == Surface::Stream {
                true => self.screen_left = true,
                // Its row ends with it.
                false if midline => self.screen.push(b'\n'),
                false => {}
            }
        }
        self.log_left |= self.log_last == id;
    }

    /// Returns who left, and what it was to hear before its last words were passed on.
    fn leave(&mut self, key: usize) -> (Person, usize) {
        let heard = self.people[&key].hears.len();
        self.finish(key);
        let person = self.people.remove(&key).unwrap();
        if self.people.len() == 1 {
            let last = *self.people.keys().next().unwrap();
            self.show_all(last);
        }
        (person, heard)
    }

    fn show_all(&mut self, key: usize) {
        self.show_until(key, self.people[&key].voice.said.len());
    }

    fn show_until(&mut self, key: usize, due: usize) {
        let voice = &mut self.people.get_mut(&key).unwrap().voice;
        if due <= voice.shown {
            return;
        }
        let midline = self.screen.last().is_some_and(|&byte| byte != b'\n');
        let is_stream = self.policy.surface == Surface::Stream;
        let left = std::mem::take(&mut self.screen_left);
        if midline && self.last != voice.id && (left || !is_stream) {
            self.screen.push(b'\n');
        }
        self.screen.extend_from_slice(&voice.said[voice.shown..due]);
        self.last = voice.id;
        voice.shown = due;
    }
}

/// A room and its specification side by side.
struct Both {
    class: Class,
    spec: Spec,
    /// What stdout took.
    shown: Vec<u8>,
}

impl Both {
    fn new(policy: Policy, history: usize) -> Both {
        let mut class = Class::new(policy.clone());
        class.room.keep_history(history);
        Both {
            class,
            spec: Spec {
                policy,
                operator: Voice::new(0),
                people: BTreeMap::new(),
                joined: 0,
                screen: Vec::new(),
                last: 0,
                log: Vec::new(),
                screen_left: false,
                log_left: false,
                log_last: 0,
                history,
            },
            shown: Vec::new(),
        }
    }

    /// What a hub would do, which asks before it reads.
    fn take(&mut self, step: Step) {
        let keys: Vec<usize> = self.spec.people.keys().copied().collect();
        match step {
            Step::Join => {
                let key = self.class.join();
                self.spec.join(key);
            }
            Step::Show(limit) => self.show(limit),
            _ if keys.is_empty() => {}
            Step::Typed(text) => {
                if self.class.room.wants_input() {
                    let bytes = self.spec.typed(&text);
                    self.class.typed(bytes);
                }
            }
            Step::TypedEnd => {
                self.spec.typed_end();
                self.class.room.typed_end(self.class.now);
            }
            Step::Leave(who) => self.leave(keys[who % keys.len()]),
            Step::Heard(who, text) => {
                let key = keys[who % keys.len()];
                let room = &self.class.room;
                if room.accepts_input() && room.may_speak(key) && !self.spec.people[&key].finished {
                    let bytes = self.spec.heard(key, &text);
                    self.class.heard(key, bytes);
                }
            }
            Step::Finish(who) => {
                let key = keys[who % keys.len()];
                self.spec.finish(key);
                self.spec.people.get_mut(&key).unwrap().finished = true;
                self.class.room.finish(key, self.class.now);
            }
            Step::Flush(who, limit) => self.flush(keys[who % keys.len()], limit),
        }
    }

    fn leave(&mut self, key: usize) {
        let (person, heard) = self.spec.leave(key);
        let owed = self.class.room.owed(key);
        assert_eq!(owed, (heard - person.taken) as u64);
        let left = self
            .class
            .room
            .leave(key, self.class.now)
            .expect("it was there");
        assert_eq!(left.account.number, person.voice.id);
        assert_eq!(left.account.received(), person.voice.said.len() as u64);
        assert_eq!(left.account.sent, person.taken as u64);
    }

    fn flush(&mut self, key: usize, limit: usize) {
        let got = self.class.flush(key, limit as u64);
        let person = self.spec.people.get_mut(&key).unwrap();
        let owed = &person.hears[person.taken..];
        assert!(owed.starts_with(&got), "a stream differs from its model");
        assert!(!got.is_empty() || limit.min(owed.len()) == 0);
        person.taken += got.len();
    }

    fn show(&mut self, limit: usize) {
        let front = self.class.room.screen().front();
        let count = front.len().min(limit);
        self.shown
            .extend(front[..count].iter().filter(|&byte| is_said(byte)));
        self.class.room.screen_mut().consume(count);
    }

    /// What is true between any two steps.
    fn check(&mut self) {
        let cut_off = self.class.overdue();
        let people = &self.spec.people;
        let behind = |key: &usize| (people[key].hears.len() - people[key].taken) as u64;
        let slowest = people.keys().map(behind).max().unwrap_or(0);
        match self.spec.policy.slow {
            // No time passes here.
            SlowPeer::Wait => {
                assert!(cut_off.is_empty(), "{cut_off:?}");
                if slowest >= HIGH_WATER {
                    assert!(self.class.is_on_hold());
                } else if self.class.is_on_hold() && !self.spec.policy.relay {
                    assert!(slowest + SEG > LOW_WATER);
                }
            }
            SlowPeer::Disconnect => {
                assert!(slowest <= HIGH_WATER + SEG || !cut_off.is_empty());
                assert!(
                    self.spec.policy.relay || cut_off.iter().all(|key| behind(key) > HIGH_WATER)
                );
            }
        }
        for key in people.keys() {
            assert_eq!(self.class.room.owed(*key), behind(key));
            let mut others = people.iter().filter(|(other, _)| *other != key);
            let taken = self.spec.policy.surface == Surface::Stream
                && others.any(|(_, person)| person.voice.is_open());
            assert_eq!(self.class.room.may_speak(*key), !taken);
        }
        for key in cut_off {
            self.leave(key);
        }
    }

    /// Everybody takes everything.
    fn end(mut self) {
        let keys: Vec<usize> = self.spec.people.keys().copied().collect();
        for key in keys {
            while self.class.room.owed(key) > 0 {
                self.flush(key, usize::MAX);
            }
            let person = &self.spec.people[&key];
            assert_eq!(person.taken, person.hears.len());
        }
        assert!(self.class.room.has_delivered_all());
        while !self.class.room.screen().is_empty() {
            self.show(usize::MAX);
        }
        let is_terminal = self.spec.policy.surface != Surface::Stream;
        let dropped = self.class.room.screen_mut().take_left_out();
        if dropped == 0 {
            assert!(self.shown == self.spec.screen, "the screen differs");
        }
        assert!(dropped == 0 || (is_terminal && self.spec.policy.relay));
        if is_terminal {
            for line in self.shown.split(|&byte| byte == b'\n') {
                let mut speakers = line.iter().map(|byte| (byte - 0x20) / 16);
                let first = speakers.next();
                assert!(speakers.all(|speaker| Some(speaker) == first));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_stream_and_the_screen_are_as_specified(
        policy in policy(),
        history in prop_oneof![Just(0), 1..6usize, Just(usize::MAX)],
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut both = Both::new(policy, history);
        for step in steps {
            both.take(step);
            both.check();
        }
        both.end();
    }
}

#[test]
fn unfinished_lines_are_bounded_together_and_short_ones_wait_even_then() {
    const MEMBERS: usize = 1000;
    const LONG: usize = 50_000;
    let mut late_ones = Vec::new();
    // Every byte is counted: none is put in between two speakers.
    let mut class = Class::new(Policy {
        surface: Surface::RawStream,
        ..QUIET
    });
    let keys: Vec<usize> = (0..MEMBERS).map(|_| class.join()).collect();
    let mut shown = 0;
    let mut show = |class: &mut Class| {
        while !class.room.screen().is_empty() {
            let count = class.room.screen().front().len();
            class.room.screen_mut().consume(count);
            shown += count;
        }
        shown
    };
    for &key in &keys {
        class.room.heard(key, &[b'x'; LONG], class.now);
    }
    let held = MEMBERS * LONG - show(&mut class);
    assert!(held <= HELD, "{held} bytes are held");
    // Waiting is still the rule while there is room for it.
    assert!(held > HELD / 2, "only {held} bytes are held");
    // What people type is short, and waits for its end even then.
    let before = show(&mut class);
    for _ in 0..100 {
        let late = class.join();
        class.room.heard(late, &[b'y'; SHORT / 2], class.now);
        assert_eq!(show(&mut class), before);
        late_ones.push(late);
    }
    // Nothing is lost, and what was given back may be taken again, however many came and went.
    for key in keys.into_iter().chain(late_ones) {
        class.room.leave(key, class.now);
    }
    let all = MEMBERS * LONG + 100 * (SHORT / 2);
    assert_eq!(show(&mut class), all);
    let _two: Vec<usize> = (0..2).map(|_| class.join()).collect();
    for _ in 0..HELD / 100 {
        let key = class.join();
        class.room.heard(key, &[b'z'; 200], class.now);
        class.room.leave(key, class.now);
    }
    let all = show(&mut class);
    for _ in 0..100 {
        let key = class.join();
        class.room.heard(key, &[b'x'; LONG], class.now);
    }
    assert_eq!(show(&mut class), all, "all of it can be held again");
}
