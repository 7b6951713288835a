//! Keys, numbers, accounts, and the memory of unfinished lines.

use std::io;

use super::BROKER;
use super::Class;
use super::LIVE;
use super::QUIET;
use super::text;

use muxnc::engine::journal::SEGMENT;
use muxnc::engine::room::HELD;
use muxnc::engine::room::HIGH_WATER;
use muxnc::engine::room::LOW_WATER;
use muxnc::engine::room::Policy;
use muxnc::engine::room::SHORT;
use muxnc::engine::screen::Surface;

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
