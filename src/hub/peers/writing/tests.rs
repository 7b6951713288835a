use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::engine::journal::GATHER;
use crate::hub::peers::MOMENT;
use crate::hub::peers::fake;
use crate::hub::peers::fake::Wire;
use crate::hub::peers::fake::peers;
use crate::io::readiness::Event;

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn who_leaves_is_handed_nothing_more() {
    let now = Instant::now();
    let wire = Rc::<Wire>::default();
    let mut peers = peers();
    let key = wire.join(&mut peers, now);
    peers.typed(b"one\n", now);
    peers.queue_flush(key);
    peers.queue_leave(key, DisconnectReason::Kicked(String::new()));
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
    let event = Event {
        writable: true,
        ..Event::default()
    };
    peers.collect(slow, event);
    let mut turns = 0;
    while !peers.queues.owed.is_empty() {
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
