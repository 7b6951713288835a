use std::time::Duration;

use super::*;
use crate::hub::peers::DisconnectReason;
use crate::hub::peers::fake;
use crate::hub::peers::fake::Fake;
use crate::hub::peers::fake::ended;
use crate::hub::peers::fake::is_leaving;
use crate::hub::peers::fake::join;
use crate::hub::peers::fake::peers;
use crate::hub::peers::fake::say;

const SECOND: Duration = Duration::from_secs(1);

/// What is not promised and lacks nothing reads an end; who lacks something a break, also if a layer holds
/// it.
#[test]
fn what_is_read_at_the_end_is_the_truth() {
    let now = Instant::now();
    let mut peers = peers();
    let (wires, keys) = join::<3>(&mut peers, now);
    wires.iter().for_each(|wire| wire.has_layer.set(true));
    wires[0].is_full.set(true);
    say(&mut peers, b"one\n", now);
    wires[1].is_pending.set(true);
    for key in keys {
        peers.queue_leave(key, DisconnectReason::Stalled);
    }
    assert!(peers.reap(now));
    let breaks = wires.each_ref().map(|wire| wire.breaks.get());
    let is_ended = wires.each_ref().map(|wire| wire.is_ended.get());
    assert_eq!(
        (breaks, is_ended),
        ([true, true, false], [false, false, true])
    );
}

/// Should the hub be killed before that is out, it must not look as if it were all.
#[test]
fn what_a_layer_holds_back_of_a_promise_breaks() {
    let now = Instant::now();
    let mut peers = peers();
    let ([wire], [_]) = join(&mut peers, now);
    wire.has_layer.set(true);
    say(&mut peers, b"one\n", now);
    wire.is_pending.set(true);
    peers.promise();
    assert!(wire.breaks.get());
}

/// Also before it is known to be there, and should the hub be killed.
#[test]
fn who_is_let_in_for_a_whole_takes_no_part_for_it() {
    let now = Instant::now();
    let mut peers = peers();
    peers.room.expect_receivers(2);
    let (wires, keys) = join::<2>(&mut peers, now);
    let breaks = || wires.each_ref().map(|wire| wire.breaks.get());
    assert_eq!(breaks(), [true, true]);
    say(&mut peers, b"one\n", now);
    peers.queue_leave(keys[0], DisconnectReason::Stalled);
    peers.reap(now);
    peers.break_promise();
    assert_eq!(peers.settle(Unsaid::Bytes(6)).missing, [10]);
    peers.close_all(now);
    assert_eq!(breaks(), [true, true]);
    // Who has all of it reads an end.
    let mut peers = fake::peers();
    peers.room.expect_receivers(1);
    let ([wire], _) = join(&mut peers, now);
    say(&mut peers, b"one\n", now);
    wire.acknowledge();
    peers.promise();
    peers.close_all(now);
    assert!(!wire.breaks.get());
}

/// Its end is on its way already.
#[test]
fn who_was_told_the_end_is_not_broken_for_what_a_layer_adds_to_it() {
    let now = Instant::now();
    let mut peers = peers();
    let ([wire], [key]) = join(&mut peers, now);
    wire.has_layer.set(true);
    let peer = peers.member_mut(key).expect("it is here");
    assert!(peer.end_our_side(0));
    wire.is_pending.set(true);
    peers.promise_to(key);
    assert!(!wire.breaks.get());
}

#[test]
fn when_all_was_said_who_has_it_reads_an_end() {
    let now = Instant::now();
    let mut peers = peers();
    let (wires, keys) = join::<2>(&mut peers, now);
    say(&mut peers, b"one\n", now);
    wires.iter().for_each(|wire| wire.acknowledge());
    peers.promise_to(keys[0]);
    assert!(wires[0].breaks.get(), "more may be said");
    peers.promise();
    peers.close_all(now);
    assert_eq!(wires.map(|wire| wire.breaks.get()), [false, false]);
}

/// The kernel has all of it and the end, which would come later than it is told that they did not.
#[test]
fn who_is_told_of_as_lacking_something_reads_no_end() {
    let now = Instant::now();
    let mut peers = peers();
    let (wires, keys) = join::<3>(&mut peers, now);
    say(&mut peers, b"one\n", now);
    wires[0].acknowledge();
    peers.promise();
    peers.half_close_all();
    peers.flush(now);
    assert!(wires.iter().all(|wire| wire.is_ended.get()));
    peers.queue_leave(keys[2], DisconnectReason::Stalled);
    peers.reap(now);
    assert_eq!(peers.settle(Unsaid::Nothing).missing, [4, 4]);
    peers.close_all(now);
    assert_eq!(wires.map(|wire| wire.breaks.get()), [false, true, true]);
}

/// Also should the hub be killed; and who leaves in that turn has no more of it.
#[test]
fn where_the_words_broke_off_nobody_reads_an_end() {
    let now = Instant::now();
    let mut peers = peers();
    let (wires, keys) = join::<2>(&mut peers, now);
    say(&mut peers, b"one\n", now);
    wires.iter().for_each(|wire| wire.acknowledge());
    peers.queue_leave(keys[1], DisconnectReason::Closed);
    peers.break_off();
    peers.say_no_more(now);
    peers.queue_flush(keys[0]);
    peers.flush(now);
    assert!(wires[0].breaks.get(), "the hub may be killed");
    peers.reap(now);
    peers.close_all(now);
    assert_eq!(wires.map(|wire| wire.breaks.get()), [true, true]);
}

/// There is no end to be told to it: neither then nor when it ended its side before.
#[test]
fn who_waits_for_words_that_broke_off_leaves() {
    let now = Instant::now();
    let mut peers = peers();
    let (wires, keys) = join::<2>(&mut peers, now);
    say(&mut peers, b"one\n", now);
    wires.iter().for_each(|wire| wire.acknowledge());
    peers.look(now + SECOND);
    let end = |peers: &mut Peers<Fake>, at: usize| {
        wires[at].ends.set(true);
        peers.collect(keys[at], ended());
        fake::read(peers, now);
    };
    end(&mut peers, 0);
    peers.break_off();
    peers.say_no_more(now);
    end(&mut peers, 1);
    assert!(keys.iter().all(|&key| is_leaving(&peers, key)));
    peers.reap(now);
    for wire in &wires {
        assert_eq!((wire.breaks.get(), wire.is_ended.get()), (true, false));
    }
}

/// What nobody heard is kept for it, and is a part; what another heard is not told to it.
#[test]
fn who_comes_after_the_words_broke_off_reads_no_end_behind_those_that_it_hears() {
    let now = Instant::now();
    for is_heard in [false, true] {
        let mut peers = peers();
        let ([first], _) = join(&mut peers, now);
        say(&mut peers, b"one\n", now);
        if is_heard {
            first.acknowledge();
            peers.look(now + SECOND);
        }
        peers.break_off();
        let (wires, _) = join::<1>(&mut peers, now);
        assert_eq!(wires[0].breaks.get(), !is_heard);
    }
}

/// What would have followed was promised to those who are there.
#[test]
fn who_is_there_when_a_promise_is_broken_is_told_of() {
    let now = Instant::now();
    let mut peers = peers();
    let (wires, _) = join::<2>(&mut peers, now);
    say(&mut peers, b"one\n", now);
    wires[0].acknowledge();
    peers.break_promise();
    let settled = peers.settle(Unsaid::Bytes(6));
    assert_eq!((settled.missing, settled.complete), (vec![6, 10], 0));
    assert_eq!(wires.map(|wire| wire.breaks.get()), [true, true]);
}

/// Until then it had to break if the hub was killed: more was to be said.
#[test]
fn who_ended_its_side_and_has_all_that_was_promised_reads_an_end() {
    let now = Instant::now();
    let mut peers = peers();
    let ([wire], [key]) = join(&mut peers, now);
    say(&mut peers, b"one\n", now);
    wire.acknowledge();
    peers.promise_to(key);
    peers.end_presence(key, now);
    assert!(wire.breaks.get());
    peers.promise();
    assert!(!wire.breaks.get());
}

/// What was promised is what the operator had said, and not what another one said after that.
#[test]
fn what_others_say_after_the_last_word_is_not_promised() {
    let now = Instant::now();
    let mut peers = fake::relaying();
    let (wires, keys) = join::<2>(&mut peers, now);
    say(&mut peers, b"one\n", now);
    wires.iter().for_each(|wire| wire.acknowledge());
    peers.typed_end(now);
    peers.promise();
    peers.room.heard(keys[1], b"and two\n", now);
    peers.flush(now);
    assert!(peers.settle(Unsaid::Nothing).missing.is_empty());
}

/// What a layer says behind it, or others, is no part of what was promised, though it is on the same wire.
#[test]
fn over_a_layer_only_what_was_promised_is_missing() {
    let now = Instant::now();
    let mut peers = fake::relaying();
    let (wires, [key, other]) = join::<2>(&mut peers, now);
    let wire = &wires[0];
    wire.has_layer.set(true);
    peers.typed(b"the end\n", now);
    peers.promise();
    // In the same turn.
    peers.room.heard(other, b"bye\n", now);
    peers.flush(now);
    let promised = "the end\n".len() as u64;
    assert!(wire.written.get() > promised);
    assert_eq!(peers.missing(key), promised);
    assert!(peers.awaits_acknowledgement());
    // All but what the other said, and the goodbye of the layer.
    wire.acknowledged.set(promised);
    wire.written.set(wire.written.get() + 24);
    assert_eq!(peers.missing(key), 0);
    wire.acknowledged.set(3);
    assert_eq!(peers.missing(key), 5);
    wires.iter().for_each(|wire| wire.acknowledge());
    assert!(!peers.awaits_acknowledgement());
    assert!(
        peers
            .settle(Unsaid::Nothing)
            .missing
            .iter()
            .all(|&bytes| bytes == 0)
    );
}

/// What a layer holds back is counted when it has given it.
#[test]
fn what_a_layer_holds_back_of_a_promise_is_not_given() {
    let now = Instant::now();
    let mut peers = peers();
    let ([wire], [key]) = join(&mut peers, now);
    wire.has_layer.set(true);
    wire.is_pending.set(true);
    peers.typed(b"the end\n", now);
    peers.promise();
    peers.half_close_all();
    peers.flush(now);
    assert!(!wire.is_ended.get(), "it is not told the end before");
    assert!(!peers.awaits_acknowledgement());
    wire.is_pending.set(false);
    peers.collect(key, fake::writable());
    peers.flush(now);
    assert!(wire.is_ended.get() && peers.awaits_acknowledgement());
    wire.acknowledge();
    wire.written.set(wire.written.get() + 24);
    assert_eq!(peers.missing(key), 0);
}

/// What it has not been given is not waited for at the end of `-q`: it would not get it.
#[test]
fn what_was_not_given_is_not_awaited() {
    let now = Instant::now();
    let mut peers = peers();
    let ([wire], _) = join(&mut peers, now);
    wire.is_full.set(true);
    peers.typed(b"the end\n", now);
    peers.promise();
    peers.flush(now);
    assert!(!peers.awaits_acknowledgement());
}
