//! The hub's turn: who may be heard again is heard at once, not with somebody else's next event,
//! and the end of the operator's input ends nobody else's.

use std::io::Write;
use std::net::Shutdown;

use rustix::process::Signal;

use crate::support::Hub;
use crate::support::expect_bytes;
use crate::support::read_all;
use crate::support::stop;

#[test]
fn who_waited_for_the_floor_is_heard_in_the_turn_that_frees_it() {
    let mut hub = Hub::start(&["-v", "--stall-timeout", "1h"]);
    let mut alice = hub.join_seen();
    alice.write_all(b"one").unwrap();
    hub.process.stdout.wait_for("one");
    let mut bob = hub.join_seen();
    // Both in one turn, and first the one who has to wait for the other.
    stop(&hub.process);
    bob.write_all(b"two\n").unwrap();
    alice.write_all(b"!\n").unwrap();
    hub.process.signal(Signal::CONT);
    hub.process.stdout.wait_for("one!\ntwo\n");
    assert!(hub.process.is_running());
}

#[test]
fn who_waited_for_the_floor_is_heard_when_its_time_is_over() {
    let hub = Hub::start(&["-v", "--stall-timeout", "300ms"]);
    let mut alice = hub.join_seen();
    alice.write_all(b"one").unwrap();
    hub.process.stdout.wait_for("one");
    let mut bob = hub.join_seen();
    bob.write_all(b"two\n").unwrap();
    hub.process.stdout.wait_for("one\ntwo\n");
}

#[test]
fn peers_are_heard_after_the_end_of_input_also_while_relaying() {
    let mut hub = Hub::start(&["-v", "--broker"]);
    let (mut alice, mut bob) = (hub.join_seen(), hub.join_seen());
    hub.process.type_in("bye\n");
    hub.process.end_input();
    for peer in [&mut alice, &mut bob] {
        expect_bytes(peer, "bye\n");
        assert_eq!(read_all(peer), b"");
    }
    // Nobody can be told any more, which is no reason not to listen to them.
    for i in 0..3 {
        let before = "from alice\nfrom bob\n".repeat(i);
        alice.write_all(b"from alice\n").unwrap();
        hub.process
            .stdout
            .wait_for(&format!("{before}from alice\n"));
        bob.write_all(b"from bob\n").unwrap();
        hub.process
            .stdout
            .wait_for(&format!("{before}from alice\nfrom bob\n"));
    }
    for peer in [&alice, &bob] {
        peer.shutdown(Shutdown::Write).unwrap();
    }
    hub.process.expect_status(0);
}
