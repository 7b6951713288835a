use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::engine::journal::GATHER;
use crate::engine::room::HIGH_WATER;
use crate::hub::peers::Kick;
use crate::hub::peers::MOMENT;
use crate::hub::peers::fake;
use crate::hub::peers::fake::Wire;
use crate::hub::peers::fake::peers;
use crate::hub::peers::fake::writable;

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn who_leaves_is_handed_nothing_more() {
    let now = Instant::now();
    let wire = Rc::<Wire>::default();
    let mut peers = peers();
    let key = wire.join(&mut peers, now);
    peers.typed(b"one\n", now);
    peers.queue_flush(key);
    peers.queue_leave(key, DisconnectReason::Kicked(Kick::by_us("")));
    peers.flush(now);
    assert_eq!(wire.written.get(), 0);
}

/// A stream from which many own lines are left out takes more than one write; no event tells that there is
/// more.
#[test]
fn a_write_that_does_not_reach_the_end_is_gone_on_with() {
    let now = Instant::now();
    let wires = [(); 2].map(|()| Rc::<Wire>::default());
    let mut peers = fake::relaying();
    let [slow, other] = wires.each_ref().map(|wire| wire.join(&mut peers, now));
    wires[0].is_full.set(true);
    for _ in 0..4 * GATHER {
        peers.room.heard(slow, b"own\n", now);
        peers.room.heard(other, b"other\n", now);
        peers.flush(now);
    }
    let shown = peers.room.screen().front().len();
    peers.room.screen_mut().consume(shown);
    wires[0].is_full.set(false);
    peers.collect(slow, writable());
    let mut turns = 0;
    while !peers.owed.is_empty() {
        peers.flush(now);
        turns += 1;
        assert!(turns <= 4 * GATHER, "it never ends");
    }
    assert!(turns > 1, "one write was enough");
    assert_eq!(peers.room.owed(slow), 0);
}

/// It may send on for hours: nothing is learned of it until it ends.
#[test]
fn who_was_told_the_end_and_goes_on_is_not_looked_at() {
    let now = Instant::now();
    let wire = Rc::<Wire>::default();
    let mut peers = peers();
    let key = wire.join(&mut peers, now);
    let now = now + MOMENT;
    peers.typed(b"one\n", now);
    peers.flush(now);
    wire.acknowledge();
    peers.look(now + MILLI);
    peers.typed(b"two\n", now);
    peers.say_no_more(now);
    peers.half_close_all();
    peers.flush(now);
    peers.flush(now);
    assert!(wire.is_ended.get());
    peers.look(now + 2 * MILLI);
    assert_eq!(peers.looks.at(), None);
    peers.queue_flush(key);
    peers.flush(now + 3 * MILLI);
    assert_eq!(peers.looks.at(), None);
}

#[test]
fn nobody_waits_for_one_that_takes_no_more() {
    let now = Instant::now();
    let wires = [(); 2].map(|()| Rc::<Wire>::default());
    let mut peers = peers();
    let [deaf, other] = wires.each_ref().map(|wire| wire.join(&mut peers, now));
    let peer = peers.member_mut(deaf).expect("it is here");
    assert!(peer.end_our_side(0));
    peers.typed(&vec![b'x'; HIGH_WATER as usize + 1], now);
    assert!(peers.room.is_held());
    while peers.room.owed(other) > 0 {
        peers.flush(now);
    }
    assert!(!peers.room.is_held());
    assert_eq!(wires[0].written.get(), 0);
}

/// With `--send-only` the hub ends when everything was acknowledged, whether its kernel has it already when
/// the operator ends, or takes it later.
#[test]
fn what_was_said_last_is_looked_after() {
    let now = Instant::now();
    let wire = Rc::<Wire>::default();
    let mut peers = peers();
    peers.linger();
    let key = wire.join(&mut peers, now);
    let now = now + MOMENT;
    peers.typed(b"one\n", now);
    peers.flush(now);
    wire.acknowledge();
    peers.look(now + MILLI);
    peers.typed(b"two\n", now);
    peers.flush(now);
    assert_eq!(peers.looks.at(), None);
    peers.say_no_more(now);
    assert!(peers.looks.at().is_some());
    wire.is_full.set(true);
    peers.typed(b"three\n", now);
    peers.flush(now);
    wire.acknowledge();
    peers.look(now + 2 * MILLI);
    assert_eq!(peers.looks.at(), None);
    wire.is_full.set(false);
    peers.collect(key, writable());
    peers.flush(now);
    assert!(peers.looks.at().is_some());
}

/// Where they hear each other, the last one that spoke may be slow to take what it is owed: the others do
/// not wait for that.
#[test]
fn when_the_last_one_says_no_more_all_are_told_the_end() {
    let now = Instant::now();
    let wires = [(); 2].map(|()| Rc::<Wire>::default());
    let mut peers = fake::relaying();
    let keys = wires.each_ref().map(|wire| wire.join(&mut peers, now));
    peers.typed(b"one\n", now);
    peers.flush(now);
    wires[0].acknowledge();
    peers.typed_end(now);
    peers.say_no_more(now);
    peers.expect_nobody(now);
    for (wire, key) in wires.iter().zip(keys) {
        assert!(!wires[0].is_ended.get(), "the other one may say something");
        wire.ends.set(true);
        peers.collect(key, fake::ended());
        fake::read(&mut peers, now);
    }
    assert!(peers.room.member(keys[1]).is_some(), "it left");
    assert!(wires[0].is_ended.get());
}

#[test]
fn when_nobody_else_will_come_who_waits_for_one_is_told_the_end() {
    let now = Instant::now();
    let mut peers = fake::relaying();
    let ([wire], [key]) = fake::join(&mut peers, now);
    peers.say_no_more(now);
    wire.ends.set(true);
    peers.collect(key, fake::ended());
    fake::read(&mut peers, now);
    assert!(!wire.is_ended.get(), "another may come and say something");
    peers.expect_nobody(now);
    assert!(wire.is_ended.get());
}

/// Its end is known before it is read, so that nothing asks for it then: the other one, which may speak on,
/// does not matter to it.
#[test]
fn who_was_told_the_end_leaves_when_its_own_is_read() {
    let now = Instant::now();
    let mut peers = fake::relaying();
    let (wires, [key, _]) = fake::join::<2>(&mut peers, now);
    let now = now + MOMENT;
    fake::say(&mut peers, b"one\n", now);
    peers.typed_end(now);
    peers.say_no_more(now);
    peers.expect_nobody(now);
    peers.half_close_all();
    peers.flush(now);
    assert!(wires[0].is_ended.get());
    peers.collect(key, fake::ended());
    fake::judge(&mut peers, now);
    wires.iter().for_each(|wire| wire.acknowledge());
    peers.look(now + MILLI);
    assert_eq!(peers.looks.at(), None);
    wires[0].ends.set(true);
    fake::read(&mut peers, now);
    assert!(fake::is_leaving(&peers, key));
}

/// No event tells of the room of a plain connection before it was asked for, and one over which a
/// layer writes by itself tells of it from the beginning.
#[test]
fn who_is_full_for_the_first_time_is_asked_for_its_room() {
    let now = Instant::now();
    let wires = [(); 3].map(|()| Rc::<Wire>::default());
    wires[2].has_layer.set(true);
    let mut peers = peers();
    let keys = wires.each_ref().map(|wire| wire.join(&mut peers, now));
    for wire in [&wires[0], &wires[2]] {
        wire.is_full.set(true);
    }
    fake::say(&mut peers, b"one\n", now);
    let mut asked = Vec::new();
    let mut ask = |_: &mut Conn<fake::Fake>, key| {
        asked.push(key);
        Ok(())
    };
    peers.await_room(&mut ask, now);
    peers.await_room(&mut ask, now);
    peers.collect(keys[0], writable());
    peers.flush(now);
    peers.await_room(&mut ask, now);
    assert_eq!(asked, [keys[0]]);
}

#[test]
fn who_cannot_be_asked_for_its_room_takes_no_more() {
    let now = Instant::now();
    let wire = Rc::<Wire>::default();
    let mut peers = peers();
    let key = wire.join(&mut peers, now);
    wire.is_full.set(true);
    fake::say(&mut peers, b"one\n", now);
    peers.await_room(|_, _| Err(io::ErrorKind::OutOfMemory.into()), now);
    assert!(peers.conns[key].has_departed() || peers.conns[key].leaving);
}
