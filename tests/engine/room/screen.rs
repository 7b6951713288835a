//! Rule 2: the operator's screen, and who owns the line on it: one begun alone is not cut by who joins in its middle.

use super::BROKER;
use super::Class;
use super::QUIET;
use super::SEG;
use super::T;
use super::TICK;
use super::text;

use muxnc::engine::room::HIGH_WATER;
use muxnc::engine::room::Policy;
use muxnc::engine::screen::LEAVES_OUT;
use muxnc::engine::screen::STUCK;
use muxnc::engine::screen::Surface;

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
fn nobody_goes_on_with_the_line_of_an_owner_whose_time_is_over() {
    for (goes_on, shown) in [
        ("ld\n", "42 world\n43\n"),
        ("ld", "42 wor\n43\nld"),
        ("", "42 wor\n43\n"),
    ] {
        let mut class = Class::new(QUIET);
        let alice = class.join();
        class.heard(alice, "42 wor");
        let bob = class.join();
        class.passes(T);
        assert!(class.overdue().is_empty());
        class.heard(alice, goes_on);
        class.heard(bob, "43\n");
        class.room.finish(alice, class.now);
        assert_eq!(class.shown(), shown);
    }
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
