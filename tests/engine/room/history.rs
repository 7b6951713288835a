//! History: what who joins late is given first.

use super::BROKER;
use super::Class;
use super::LIVE;
use super::QUIET;
use super::SEG;
use super::T;

use muxnc::engine::journal::HISTORY;
use muxnc::engine::room::HIGH_WATER;

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
