//! Rules 1 and 4: who hears whom.

use super::BROKER;
use super::Class;
use super::QUIET;

use muxnc::engine::lines::MAX_LINE;

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
