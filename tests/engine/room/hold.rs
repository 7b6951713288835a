//! Rule 5: who waits for whom, and for how long.

use std::time::Duration;

use super::BROKER;
use super::Class;
use super::LIVE;
use super::QUIET;
use super::SEG;
use super::T;
use super::TICK;
use super::text;

use muxnc::engine::room::EDITS;
use muxnc::engine::room::HIGH_WATER;
use muxnc::engine::room::LOW_WATER;
use muxnc::engine::room::Policy;

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
