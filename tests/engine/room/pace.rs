//! Rule 5: nobody sets the pace of a conversation.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::BROKER;
use super::Class;
use super::GRACE;
use super::LIVE;
use super::QUIET;
use super::SEG;
use super::T;
use super::TICK;
use super::text;

use muxnc::engine::room::HIGH_WATER;
use muxnc::engine::room::LOW_WATER;
use muxnc::engine::room::Overdue;
use muxnc::engine::room::Policy;
use muxnc::engine::room::RESERVE;

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
