use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::engine::room::HIGH_WATER;
use crate::engine::room::Presence;
use crate::hub::peers::DisconnectReason;
use crate::hub::peers::fake;
use crate::hub::peers::fake::Fake;
use crate::hub::peers::fake::Wire;
use crate::hub::peers::fake::ended;
use crate::hub::peers::fake::is_leaving;
use crate::hub::peers::fake::join;
use crate::hub::peers::fake::peers;
use crate::hub::peers::fake::readable;
use crate::hub::peers::fake::say;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn who_departed_is_not_asked_whether_it_vanished() {
    let now = Instant::now();
    let mut peers = peers();
    let (_, [key]) = join(&mut peers, now);
    say(&mut peers, b"one\n", now);
    peers.depart(key, DisconnectReason::Closed, now);
    assert!(peers.checkup.is_some());
    peers.find_vanished(now + dead_peer::EVERY);
    assert_eq!(peers.checkup, None);
}

/// One that is here is disconnected; one that ended its side makes way, and what it said is heard later.
#[test]
fn who_is_idle_after_its_end_is_heard() {
    let now = Instant::now();
    let mut peers = peers();
    peers.limit_idle(10 * SECOND);
    let (_, [here, silent]) = join(&mut peers, now);
    peers.collect(silent, ended());
    fake::judge(&mut peers, now);
    peers.find_overdue(now + 9 * SECOND);
    assert!(peers.exits.leaving().next().is_none());
    peers.find_overdue(now + 10 * SECOND);
    assert!(is_leaving(&peers, here));
    assert!(!is_leaving(&peers, silent));
    let silent = peers.room.member(silent).expect("it is here");
    assert_eq!(silent.presence(), Presence::Gone);
}

/// A hub that may hear nobody has not read it, but knows that nothing is there.
#[test]
fn who_is_silent_is_idle_though_it_was_never_read() {
    let now = Instant::now();
    for (unread, is_cut) in [(None, false), (Some(1), false), (Some(0), true)] {
        let mut peers = peers();
        peers.limit_idle(10 * SECOND);
        let ([wire], [key]) = join(&mut peers, now);
        peers.collect(key, readable());
        wire.unread.set(unread);
        fake::judge(&mut peers, now);
        peers.find_overdue(now + 10 * SECOND);
        assert_eq!(is_leaving(&peers, key), is_cut, "{unread:?}");
    }
}

/// While the sources wait for one, nobody else can be handed anything; nor is that one heard, but by its
/// own fault.
#[test]
fn who_waits_for_another_is_not_idle() {
    let now = Instant::now();
    let mut peers = peers();
    peers.limit_idle(10 * SECOND);
    let (wires, [slow, other]) = join(&mut peers, now);
    wires[0].is_full.set(true);
    let much = vec![b'x'; HIGH_WATER as usize + 1];
    peers.typed(&much, now);
    while peers.room.owed(other) > 0 {
        peers.flush(now);
    }
    wires[1].acknowledge();
    assert!(peers.room.is_held());
    // It has something to say.
    peers.collect(slow, readable());
    peers.find_overdue(now + 10 * SECOND);
    assert!(is_leaving(&peers, slow));
    assert!(!is_leaving(&peers, other));
}

#[test]
fn who_takes_some_of_what_is_out_is_not_idle_and_who_has_all_is() {
    let now = Instant::now();
    let mut peers = peers();
    peers.limit_idle(10 * SECOND);
    let (wires, [slow, other]) = join(&mut peers, now);
    say(&mut peers, b"one\n", now);
    wires[0].acknowledged.set(2);
    wires[1].acknowledge();
    peers.find_overdue(now + 10 * SECOND);
    assert!(is_leaving(&peers, other));
    assert!(!is_leaving(&peers, slow));
    peers.find_overdue(now + 20 * SECOND);
    assert!(is_leaving(&peers, slow), "it took nothing since");
}

/// Here when its time to be idle was just over: it is handed that, and reads an end later.
#[test]
fn who_is_spoken_to_in_this_turn_is_not_idle() {
    let now = Instant::now();
    for takes in [true, false] {
        let mut peers = peers();
        peers.limit_idle(10 * SECOND);
        let ([wire], [key]) = join(&mut peers, now);
        if !takes {
            wire.is_full.set(true);
            say(&mut peers, b"before\n", now);
            peers.find_overdue(now + 5 * SECOND);
        }
        peers.typed(b"now\n", now + 10 * SECOND);
        peers.find_overdue(now + 20 * SECOND);
        assert_eq!(is_leaving(&peers, key), !takes);
        peers.flush(now + 20 * SECOND);
        wire.acknowledge();
        peers.find_overdue(now + 40 * SECOND);
        peers.reap(now + 40 * SECOND);
        assert_eq!(
            wire.breaks.get(),
            !takes,
            "it reads why the connection ends"
        );
    }
}

/// A room that waits for two whose kernels take no more, and have acknowledged a byte.
fn held_up(now: Instant) -> (Peers<Fake>, [Rc<Wire>; 3], [usize; 2]) {
    let mut peers = peers();
    let (wires, [one, other, fast]) = join(&mut peers, now);
    say(&mut peers, &[b'x'; 4 * SEGMENT], now);
    wires.iter().for_each(|wire| wire.acknowledged.set(1));
    wires[0].is_full.set(true);
    wires[1].is_full.set(true);
    say(&mut peers, &vec![b'x'; HIGH_WATER as usize + 1], now);
    while peers.room.owed(fast) > 0 {
        peers.flush(now);
    }
    assert!(peers.room.is_held());
    (peers, wires, [one, other])
}

/// A kernel that was given megabytes takes nothing while its peer takes them one by one.
#[test]
fn who_takes_what_is_out_is_not_stalled() {
    let now = Instant::now();
    let timeout = fake::POLICY.stall_timeout;
    let (mut peers, wires, [slow, stuck]) = held_up(now);
    wires[0].acknowledged.set(1 + SEGMENT as u64);
    wires[1].acknowledged.set(SEGMENT as u64);
    peers.find_overdue(now + timeout);
    assert!(is_leaving(&peers, stuck));
    assert!(!is_leaving(&peers, slow));
    peers.find_overdue(now + timeout * 2 - SECOND);
    assert!(!is_leaving(&peers, slow));
    peers.find_overdue(now + timeout * 2 + timeout / 8);
    assert!(is_leaving(&peers, slow), "it took nothing since");
}

/// The hub looks several times in a stall timeout, and adds up what is little.
#[test]
fn a_stall_is_counted_from_what_was_taken_last() {
    let now = Instant::now();
    let timeout = fake::POLICY.stall_timeout;
    let (mut peers, wires, [early, slow]) = held_up(now);
    // In the moment after the kernel took no more.
    wires[0].acknowledged.set(1 + SEGMENT as u64);
    wires[1].written.set(16 * SEGMENT as u64);
    for look in 1..=16 {
        let acknowledged = &wires[1].acknowledged;
        acknowledged.set(acknowledged.get() + SEGMENT as u64 / 4);
        peers.find_overdue(now + timeout * look / 8);
        assert_eq!(is_leaving(&peers, early), look > 8, "{look}");
        assert!(!is_leaving(&peers, slow), "{look}");
    }
}

#[test]
fn nobody_is_idle_while_others_are_waited_for() {
    let now = Instant::now();
    let mut peers = peers();
    peers.limit_idle(10 * SECOND);
    let (_, [key]) = join(&mut peers, now);
    peers.withhold(true, now);
    peers.find_overdue(now + 15 * SECOND);
    peers.withhold(false, now + 20 * SECOND);
    peers.find_overdue(now + 29 * SECOND);
    assert!(!is_leaving(&peers, key));
    peers.find_overdue(now + 30 * SECOND);
    assert!(is_leaving(&peers, key));
}
