use std::io::ErrorKind;
use std::rc::Rc;

use super::super::DisconnectReason;
use super::super::fake::Fake;
use super::super::fake::Wire;
use super::super::fake::peers;
use super::super::fake::say;
use super::*;
use crate::engine::room::TRIAL;
use crate::hub::peers::Unsaid;
use crate::io::stream::Received;

const MILLI: Duration = Duration::from_millis(1);

/// Looks as often as is due until then. Returns how long it was from each look to the next.
fn look_until(peers: &mut Peers<Fake>, mut now: Instant, end: Instant) -> Vec<Duration> {
    let mut pauses = Vec::new();
    while let Some(at) = peers.looks.at().filter(|at| *at <= end) {
        pauses.push(at - now);
        now = at;
        peers.look(now);
    }
    pauses
}

/// The end of one is read.
fn end(wire: &Wire, peers: &mut Peers<Fake>, now: Instant) {
    wire.ends.set(true);
    let key = peers.member_keys().last().expect("one is here");
    let peer = peers.member_mut(key).expect("it is here");
    assert!(matches!(peer.conn.read(&mut [0]), Received::End));
    peers.room.finish(key, now);
    peers.end_presence(key, now);
}

#[test]
fn looks_lie_farther_and_farther_apart_and_each_asks_once() {
    let (joined, wire) = (Instant::now(), Rc::<Wire>::default());
    let now = joined + MOMENT;
    let mut peers = peers();
    wire.join(&mut peers, joined);
    say(&mut peers, b"one\n", now);
    say(&mut peers, b"two\n", now);
    wire.looks.set(0);
    let pauses = look_until(&mut peers, now, now + 256 * MILLI);
    let expected = [1, 1, 2, 4, 8, 16, 32, 64, 64, 64].map(|millis| MILLI * millis);
    assert_eq!(pauses, expected);
    // On trial it is asked whether it is proven, and whether it heard anything.
    assert!(wire.looks.get() <= 2 * expected.len() as u32, "{wire:?}");
    wire.acknowledge();
    peers.look(peers.looks.at().expect("it is looked at"));
    assert_eq!(peers.looks.at(), None);
    // Another one is known to be there: what an end waits for may take long.
    let other = Rc::<Wire>::default();
    other.join(&mut peers, now);
    end(&other, &mut peers, now);
    say(&mut peers, b"three\n", now);
    let pauses = look_until(&mut peers, now, now + 10_000 * MILLI);
    assert_eq!(pauses.last(), Some(&SLOWEST));
}

#[test]
fn what_is_acknowledged_counts_when_a_moment_is_over() {
    let (now, wire) = (Instant::now(), Rc::<Wire>::default());
    let mut peers = peers();
    wire.join(&mut peers, now);
    say(&mut peers, b"one\n", now);
    wire.acknowledge();
    look_until(&mut peers, now, now + MOMENT - MILLI);
    assert!(peers.room.is_unheard());
    // It is looked at then, and not again after that.
    assert_eq!(peers.looks.at(), Some(now + MOMENT));
    peers.look(now + MOMENT);
    assert!(!peers.room.is_on_trial());
    assert_eq!(peers.looks.at(), None);
}

#[test]
fn what_a_peer_acknowledged_that_broke_in_a_moment_is_kept() {
    for has_ended in [false, true] {
        let (now, wire) = (Instant::now(), Rc::<Wire>::default());
        let mut peers = peers();
        wire.join(&mut peers, now);
        say(&mut peers, b"one\n", now);
        wire.acknowledge();
        peers.look(now + MILLI);
        if has_ended {
            end(&wire, &mut peers, now + 2 * MILLI);
            peers.look(now + 3 * MILLI);
        }
        let key = peers.member_keys().last().expect("one is here");
        let why = DisconnectReason::Broke(ErrorKind::ConnectionReset.into());
        peers.depart(key, why, now + 4 * MILLI);
        peers.reap(now + 4 * MILLI);
        assert!(peers.room.is_on_trial());
        let other = Rc::<Wire>::default();
        let key = other.join(&mut peers, now + 5 * MILLI);
        assert_eq!(peers.room.owed(key), 4);
    }
}

/// What it said before it broke waits longer than a moment to be heard: it is gone all that time.
#[test]
fn who_broke_in_a_moment_does_not_stay_until_it_is_heard() {
    let (now, wire) = (Instant::now(), Rc::<Wire>::default());
    let mut peers = peers();
    let key = wire.join(&mut peers, now);
    say(&mut peers, b"one\n", now);
    wire.acknowledge();
    peers.end_presence(key, now + MILLI);
    let why = DisconnectReason::Broke(ErrorKind::ConnectionReset.into());
    peers.depart(key, why, now + 2 * MILLI);
    let later = now + 2 * MOMENT;
    peers.settle_trial(later);
    let other = Rc::<Wire>::default();
    let key = other.join(&mut peers, later);
    assert_eq!(peers.room.owed(key), 4);
}

/// It was here when the whole began, and nothing had been said to it yet that it could acknowledge.
#[test]
fn who_acknowledges_the_first_word_only_later_is_promised_the_rest() {
    let joined = Instant::now();
    let now = joined + MOMENT;
    let mut peers = peers();
    let wires = [(); 2].map(|()| Rc::<Wire>::default());
    wires[0].join(&mut peers, joined);
    say(&mut peers, b"one\n", now);
    wires[0].acknowledge();
    look_until(&mut peers, now, now + MILLI);
    wires[1].join(&mut peers, joined);
    peers.promise_to_proven(now);
    look_until(&mut peers, now, now + 2 * MILLI);
    assert_eq!((peers.promised_here(), peers.looks.at()), (1, None));
    let now = now + MOMENT;
    say(&mut peers, b"two\n", now);
    wires[1].acknowledge();
    look_until(&mut peers, now, now + MILLI);
    assert_eq!(peers.promised_here(), 2);
}

#[test]
fn where_the_system_tells_nothing_silence_is_a_sign_of_life() {
    let (now, wire) = (Instant::now(), Rc::<Wire>::default());
    wire.is_silent.set(true);
    let mut peers = peers();
    wire.join(&mut peers, now);
    say(&mut peers, b"one\n", now);
    look_until(&mut peers, now, now + SILENCE - MILLI);
    assert!(peers.room.is_on_trial());
    look_until(&mut peers, now, now + 2 * SILENCE);
    assert!(!peers.room.is_on_trial());
    // From its end on it has to be silent anew.
    let later = now + 3 * SILENCE;
    end(&wire, &mut peers, later);
    say(&mut peers, b"two\n", later);
    look_until(&mut peers, later, later + SILENCE - MILLI);
    assert_eq!(peers.room.here(), 0);
    look_until(&mut peers, later, later + 2 * SILENCE);
    assert_eq!(peers.room.here(), 1);
}

/// Keys are reused: how long the one was silent that had the key before proves nothing.
#[test]
fn a_newcomer_is_not_there_for_the_silence_of_another() {
    let now = Instant::now();
    let mut peers = peers();
    let wires = [Rc::<Wire>::default(), Rc::<Wire>::default()];
    wires.iter().for_each(|wire| wire.is_silent.set(true));
    let key = wires[0].join(&mut peers, now);
    say(&mut peers, b"one\n", now);
    peers.queue_leave(key, DisconnectReason::Closed);
    peers.reap(now);
    let later = now + 2 * SILENCE;
    assert_eq!(wires[1].join(&mut peers, later), key);
    say(&mut peers, b"two\n", later);
    look_until(&mut peers, later, later + SILENCE - MILLI);
    assert!(peers.room.is_on_trial());
}

#[test]
fn who_is_on_this_machine_needs_no_proof() {
    let (now, wire) = (Instant::now(), Rc::<Wire>::default());
    wire.is_local.set(true);
    let mut peers = peers();
    wire.join(&mut peers, now);
    say(&mut peers, b"one\n", now);
    look_until(&mut peers, now, now + MOMENT);
    assert!(!peers.room.is_on_trial());
}

/// What a handshake wrote may have been acknowledged by a peer that is gone by now.
#[test]
fn the_bytes_of_a_handshake_prove_nothing() {
    let (now, wire) = (Instant::now(), Rc::<Wire>::default());
    wire.has_layer.set(true);
    wire.written.set(100);
    wire.acknowledge();
    let mut peers = peers();
    wire.join(&mut peers, now);
    say(&mut peers, b"one\n", now);
    look_until(&mut peers, now, now + 256 * MILLI);
    assert!(peers.room.is_on_trial());
    wire.acknowledge();
    look_until(&mut peers, now, now + 512 * MILLI);
    assert!(!peers.room.is_on_trial());
}

/// All that it was handed before its end was read by somebody: the trial has room for as much again.
#[test]
fn what_was_acknowledged_to_an_end_is_off_the_trial() {
    let (now, wire) = (Instant::now(), Rc::<Wire>::default());
    let mut peers = peers();
    wire.join(&mut peers, now);
    say(&mut peers, &[b'x'; TRIAL], now);
    end(&wire, &mut peers, now);
    assert_eq!(peers.room.input_budget(), 0);
    wire.acknowledge();
    look_until(&mut peers, now, now + 256 * MILLI);
    assert_eq!(peers.room.input_budget(), TRIAL);
    assert!(peers.room.is_on_trial());
}

/// A layer may hold back what the kernel has not seen: it has not arrived, and nobody leaves before it
/// has.
#[test]
fn what_a_layer_holds_back_has_not_arrived() {
    let (now, wire) = (Instant::now(), Rc::<Wire>::default());
    wire.has_layer.set(true);
    let mut peers = peers();
    let key = wire.join(&mut peers, now);
    say(&mut peers, b"one\n", now);
    peers.typed_end(now);
    wire.acknowledge();
    look_until(&mut peers, now, now + MILLI);
    wire.is_pending.set(true);
    peers.promise();
    assert!(!peers.is_acknowledged());
    assert_eq!(peers.settle(Unsaid::Nothing).missing, [1]);
    end(&wire, &mut peers, now);
    peers.member_mut(key).expect("it is here").end_our_side(0);
    let later = now + 256 * MILLI;
    peers.queue_flush(key);
    peers.flush(now);
    look_until(&mut peers, now, later);
    assert!(!peers.reap(later), "it left");
    // An event tells that the kernel has room again, and what was held back is out.
    wire.is_pending.set(false);
    wire.acknowledge();
    peers.collect(
        key,
        crate::io::readiness::Event {
            writable: true,
            ..Default::default()
        },
    );
    peers.flush(later);
    look_until(&mut peers, later, later + MILLI);
    assert!(peers.reap(later), "it stays");
}

/// Also what the kernel was not handed yet is not acknowledged.
#[test]
fn what_is_still_owed_is_not_acknowledged() {
    let (now, wire) = (Instant::now(), Rc::<Wire>::default());
    let mut peers = peers();
    wire.join(&mut peers, now);
    wire.is_full.set(true);
    say(&mut peers, b"one\n", now);
    assert!(!peers.is_acknowledged());
}

/// On a Unix socket an end is no hang-up: who ended its side and did not hang up listens, though nothing is
/// said to it.
#[test]
fn who_is_on_this_machine_listens_until_it_hangs_up() {
    let (now, wire) = (Instant::now(), Rc::<Wire>::default());
    wire.is_local.set(true);
    let mut peers = peers();
    wire.join(&mut peers, now);
    end(&wire, &mut peers, now);
    assert_eq!(peers.room.here(), 0);
    look_until(&mut peers, now, now + FIRST);
    assert_eq!(peers.room.here(), 1);
}
