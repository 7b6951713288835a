use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::engine::admit::Admission;
use crate::engine::admit::Lists;
use crate::engine::idle::Idle;
use crate::hub::peers::MOMENT;
use crate::hub::peers::Unsaid;
use crate::hub::peers::fake;
use crate::hub::peers::fake::Fake;
use crate::hub::peers::fake::Wire;
use crate::hub::peers::fake::ended;
use crate::hub::peers::fake::hung_up;
use crate::hub::peers::fake::is_leaving;
use crate::hub::peers::fake::join;
use crate::hub::peers::fake::peers;
use crate::hub::peers::fake::readable;
use crate::hub::peers::fake::say;

const MILLI: Duration = Duration::from_millis(1);

fn presence(peers: &Peers<Fake>, key: usize) -> Presence {
    peers.room.member(key).expect("it is here").presence()
}

#[test]
fn who_departs_is_heard_to_its_end_and_leaves() {
    let now = Instant::now();
    let mut peers = peers();
    let (_, [key]) = join(&mut peers, now);
    peers.depart(key, DisconnectReason::Closed, now);
    assert_eq!(presence(&peers, key), Presence::Gone);
    assert!(!peers.reap(now), "it is unheard");
    fake::read(&mut peers, now);
    assert!(peers.reap(now), "it stays");
    assert!(peers.room.member(key).is_none());
}

#[test]
fn who_departs_after_its_end_was_heard_leaves_at_once() {
    let now = Instant::now();
    let mut peers = peers();
    let ([wire], [key]) = join(&mut peers, now);
    wire.ends.set(true);
    peers.collect(key, ended());
    fake::read(&mut peers, now);
    peers.depart(key, DisconnectReason::Closed, now);
    assert!(is_leaving(&peers, key));
}

#[test]
fn what_it_acknowledged_was_heard_though_nobody_looked() {
    let now = Instant::now();
    let mut peers = peers();
    let ([wire], [key]) = join(&mut peers, now);
    let now = now + MOMENT;
    say(&mut peers, b"one\n", now);
    wire.acknowledge();
    peers.depart(key, DisconnectReason::Closed, now);
    assert!(!peers.room.is_unheard());
}

#[test]
fn when_the_only_one_that_was_heard_of_departs_the_others_are_asked() {
    let now = Instant::now();
    let mut peers = peers();
    let (wires, keys) = join::<2>(&mut peers, now);
    let now = now + MOMENT;
    say(&mut peers, b"one\n", now);
    wires[0].acknowledge();
    peers.look(now + MILLI);
    peers.look(now + 10 * MILLI);
    assert!(!peers.room.is_on_trial());
    assert_eq!(peers.looks.at(), None);
    wires[1].acknowledge();
    peers.depart(keys[0], DisconnectReason::Closed, now);
    assert!(!peers.room.is_on_trial());
}

#[test]
fn who_departed_is_not_looked_at() {
    let now = Instant::now();
    let mut peers = peers();
    let (_, [key]) = join(&mut peers, now);
    say(&mut peers, b"one\n", now);
    peers.depart(key, DisconnectReason::Closed, now);
    peers.look(now + MILLI);
    assert!(peers.room.is_on_trial());
    assert_eq!(peers.looks.at(), None);
}

/// What it had not acknowledged, and what is said after that, also while it is still heard.
#[test]
fn who_was_promised_something_lacks_what_is_said_after_it_departed() {
    let now = Instant::now();
    let mut peers = peers();
    let (wires, keys) = join::<3>(&mut peers, now);
    say(&mut peers, b"0123456789", now);
    wires[1].acknowledge();
    wires[2].acknowledge();
    keys[..2].iter().for_each(|&key| peers.promise_to(key));
    for key in keys {
        peers.depart(key, DisconnectReason::Closed, now);
    }
    assert_eq!(peers.promised_here(), 0);
    say(&mut peers, b"01234", now);
    fake::read(&mut peers, now);
    assert!(peers.reap(now));
    peers.typed_end(now);
    peers.promise();
    // To the third nothing was promised.
    assert_eq!(peers.settle(Unsaid::Nothing).missing, [15, 5]);
}

#[test]
fn who_departed_is_no_receiver_of_what_begins() {
    let now = Instant::now();
    let mut peers = peers();
    let (wires, keys) = join::<2>(&mut peers, now);
    let now = now + MOMENT;
    say(&mut peers, b"one\n", now);
    wires.iter().for_each(|wire| wire.acknowledge());
    peers.look(now + MILLI);
    peers.depart(keys[0], DisconnectReason::Closed, now);
    assert!(peers.room.has_acknowledged(keys[0]));
    peers.promise_to_proven(now);
    assert_eq!(peers.promised_here(), 1);
}

#[test]
fn what_it_lacks_it_reads_as_a_break() {
    let now = Instant::now();
    let mut peers = peers();
    let (wires, keys) = join::<2>(&mut peers, now);
    wires[0].is_full.set(true);
    say(&mut peers, b"one\n", now);
    for key in keys {
        peers.depart(key, DisconnectReason::Idle, now);
    }
    fake::read(&mut peers, now);
    assert!(peers.reap(now));
    assert_eq!(wires.map(|wire| wire.breaks.get()), [true, false]);
}

#[test]
fn it_departs_once_whatever_events_tell() {
    let now = Instant::now();
    let mut peers = peers();
    peers.count_hosts();
    let (wires, keys) = join::<2>(&mut peers, now);
    let ip = peers.conns[keys[0]].conn.addr().ip().expect("an address");
    for _ in 0..2 {
        wires[0].is_broken.set(true);
        peers.collect(keys[0], hung_up());
        fake::judge(&mut peers, now);
        assert_eq!(presence(&peers, keys[0]), Presence::Gone);
        let counted = peers.headcount.as_ref().map(|hosts| hosts.of(ip));
        assert_eq!(counted, Some(1));
    }
}

#[test]
fn nobody_waits_for_an_idle_one_that_departed() {
    let now = Instant::now();
    let mut peers = peers();
    peers.limit_idle(Duration::from_secs(1));
    let (_, [key]) = join(&mut peers, now);
    assert!(peers.idle.as_ref().and_then(Idle::deadline).is_some());
    peers.depart(key, DisconnectReason::Closed, now);
    assert_eq!(peers.idle.as_ref().and_then(Idle::deadline), None);
}

#[test]
fn an_end_is_not_yet_one_where_hang_ups_are_told_or_there_are_half_closes() {
    let now = Instant::now();
    for (is_local, is_whole, event, expected) in [
        (true, false, hung_up(), Presence::Gone),
        (true, false, ended(), Presence::Unconfirmed),
        (false, false, hung_up(), Presence::Unconfirmed),
        (false, true, ended(), Presence::Gone),
    ] {
        let mut peers = peers();
        let ([wire], [key]) = join(&mut peers, now);
        wire.is_local.set(is_local);
        wire.is_whole.set(is_whole);
        peers.collect(key, event);
        fake::judge(&mut peers, now);
        let found = presence(&peers, key);
        assert_eq!(found, expected, "{is_local} {is_whole} {event:?}");
    }
}

/// No event tells of it: an event that tells of bytes is looked into.
#[test]
fn a_goodbye_that_cannot_be_heard_is_seen() {
    let now = Instant::now();
    for (has_layer, says_goodbye, has_closed, expected) in [
        (true, true, true, Presence::Gone),
        (true, true, false, Presence::Unconfirmed),
        (true, false, false, Presence::Here),
        (false, true, true, Presence::Here),
    ] {
        let mut peers = peers();
        let ([wire], [key]) = join(&mut peers, now);
        wire.has_layer.set(has_layer);
        wire.says_goodbye.set(says_goodbye);
        wire.has_closed.set(has_closed);
        peers.collect(key, readable());
        fake::judge(&mut peers, now);
        assert_eq!(presence(&peers, key), expected);
        // Without another event it is not looked into again.
        wire.says_goodbye.set(true);
        fake::judge(&mut peers, now);
        assert_eq!(presence(&peers, key), expected);
        assert!(peers.exits.speaking.is_empty());
    }
}

/// What is no word is looked at a few bytes in a turn.
#[test]
fn a_goodbye_behind_much_that_is_no_word_is_seen() {
    let now = Instant::now();
    let mut peers = peers();
    let ([wire], [key]) = join(&mut peers, now);
    wire.has_layer.set(true);
    wire.has_closed.set(true);
    wire.says_goodbye.set(true);
    wire.idle_looks.set(3);
    peers.collect(key, readable());
    for _ in 0..3 {
        fake::judge(&mut peers, now);
        assert_eq!(presence(&peers, key), Presence::Here);
        assert!(peers.is_ready(), "no event tells of the rest");
    }
    fake::judge(&mut peers, now);
    assert_eq!(presence(&peers, key), Presence::Gone);
}

/// The look takes the error from the kernel, which tells it once.
#[test]
fn a_break_that_a_look_ahead_finds_is_acted_on() {
    let now = Instant::now();
    let mut peers = peers();
    let ([wire], [key]) = join(&mut peers, now);
    wire.has_layer.set(true);
    wire.is_seen_broken.set(true);
    peers.collect(key, ended());
    fake::judge(&mut peers, now);
    assert_eq!(presence(&peers, key), Presence::Gone);
}

#[test]
fn who_hung_up_leaves_when_its_end_is_read() {
    let now = Instant::now();
    let mut peers = peers();
    let ([wire], [key]) = join(&mut peers, now);
    wire.is_local.set(true);
    wire.ends.set(true);
    peers.collect(key, hung_up());
    fake::read(&mut peers, now);
    assert!(is_leaving(&peers, key));
}

#[test]
fn an_end_that_came_before_it_joined_is_noticed() {
    let now = Instant::now();
    let mut peers = peers();
    let wire = Rc::<Wire>::default();
    let key = wire.arrive(&mut peers);
    assert!(peers.collect(key, ended()));
    peers.join(key, now);
    fake::judge(&mut peers, now);
    assert_eq!(presence(&peers, key), Presence::Unconfirmed);
}

#[test]
fn descriptors_are_freed_of_some_who_departed_and_nobody_else() {
    let now = Instant::now();
    let mut peers = peers();
    let (_, keys) = join::<{ DROPPED + 3 }>(&mut peers, now);
    let [departed @ .., unconfirmed] = keys;
    peers.end_presence(unconfirmed, now);
    for key in departed {
        peers.depart(key, DisconnectReason::Closed, now);
    }
    peers.free_descriptors(now);
    assert_eq!(peers.exits.leaving().count(), DROPPED);
    // Those that leave already free none.
    peers.free_descriptors(now);
    assert_eq!(peers.exits.leaving().count(), departed.len());
    let may_be_gone = matches!(presence(&peers, unconfirmed), Presence::Unconfirmed);
    assert!(may_be_gone, "it gave up its place");
    assert!(peers.reap(now));
    // Where none departed, one that may be gone is closed.
    peers.free_descriptors(now);
    assert!(is_leaving(&peers, unconfirmed));
}

#[test]
fn who_leaves_takes_no_place_of_its_host() {
    let now = Instant::now();
    let mut peers = peers();
    peers.count_hosts();
    let (_, [key]) = join(&mut peers, now);
    let comes = Rc::<Wire>::default().arrive(&mut peers);
    let admission = Admission::new(Lists::default(), None, Some(1));
    assert!(peers.ask_for_place(&admission, comes, false, now).is_err());
    peers.queue_leave(key, DisconnectReason::Closed);
    assert!(peers.ask_for_place(&admission, comes, false, now).is_ok());
}

#[test]
fn an_end_that_is_read_once_more_is_told_once() {
    let now = Instant::now();
    let mut peers = peers();
    let ([wire], [key]) = join(&mut peers, now);
    wire.ends.set(true);
    for _ in 0..2 {
        peers.collect(key, ended());
        fake::read(&mut peers, now);
    }
    assert_eq!(peers.news.total(Topic::Ended), 1);
}

/// What was read of a line, and stdout has no room for, is no more heard than what was not read.
#[test]
fn what_is_held_of_a_line_is_unheard_where_it_is_not_shown() {
    let now = Instant::now();
    for (said, told) in [
        (&b""[..], None),
        (
            &[b'\n'; 1024 * 1024],
            Some("the last 9 bytes of 2 participants were not heard"),
        ),
    ] {
        let mut peers = peers();
        let (wires, [ana, ben, other]) = join(&mut peers, now);
        wires.iter().for_each(|wire| wire.unread.set(Some(0)));
        peers.room.heard(ana, b"half a ", now);
        peers.room.heard(ben, b"li", now);
        peers.room.heard(other, said, now);
        assert_eq!(peers.room.screen().is_full(), told.is_some());
        peers.close_all(now);
        let unread = peers.hang_up(now);
        assert_eq!(peers.never_heard(unread).as_deref(), told);
    }
}

/// A layer's goodbye, and what a browser answers to the end that it was told, are no words, whatever comes before.
#[test]
fn a_goodbye_is_no_word_that_nobody_heard() {
    let now = Instant::now();
    for (says_goodbye, told) in [
        (true, None),
        (
            false,
            Some("the last 8 bytes of 1 participant were not heard"),
        ),
    ] {
        let mut peers = peers();
        let ([wire], _) = join(&mut peers, now);
        wire.has_layer.set(true);
        wire.unread.set(Some(8));
        wire.idle_looks.set(3);
        wire.says_goodbye.set(says_goodbye);
        peers.close_all(now);
        let unread = peers.hang_up(now);
        assert_eq!(peers.never_heard(unread).as_deref(), told);
    }
}
