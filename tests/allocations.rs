//! The steady state allocates nothing: memory is taken when somebody joins or falls behind, not
//! when somebody speaks.

use std::io;
use std::io::IoSlice;
use std::time::Instant;

use muxnc::engine::chat::Chat;
use muxnc::engine::chat::Rules;
use muxnc::engine::room::Label;
use muxnc::engine::room::Policy;
use muxnc::engine::room::Room;

const PEERS: usize = 100;

/// What the operator says in a turn: one line.
const TEACHER: [u8; 1024] = {
    let mut line = [b'x'; 1024];
    line[1023] = b'\n';
    line
};

fn room(relay: bool, chat: bool, history: usize) -> (Room, Instant) {
    let now = Instant::now();
    let mut room = Room::new(Policy {
        relay,
        label: Label::Auto,
        ..Policy::PLAIN
    });
    room.keep_history(history);
    if chat {
        room.open_chat(Chat::new(Rules::of("host"), false));
    }
    for key in 0..PEERS {
        room.join(key, now);
        room.acknowledged(key);
    }
    (room, now)
}

fn take(slices: &[IoSlice<'_>]) -> io::Result<usize> {
    Ok(slices.iter().map(|slice| slice.len()).sum())
}

/// One turn: the operator says something, every peer a line that is cut in two reads, everybody
/// is flushed and the screen is emptied.
fn turn(room: &mut Room, now: Instant) {
    room.typed(&TEACHER, now);
    for key in 0..PEERS {
        room.heard(key, b"a line of mo", now);
        room.heard(key, b"derate length\nand the next", now);
        room.heard(key, b"\n", now);
    }
    for key in 0..PEERS {
        room.flush(key, now, take).expect("taking cannot fail");
    }
    while !room.screen().is_empty() {
        let count = room.screen().front().len();
        room.screen_mut().consume(count);
    }
}

#[test]
fn a_turn_allocates_nothing() {
    for (relay, chat, history) in [
        (false, false, 0),
        (true, false, 0),
        (true, true, 0),
        (true, true, 100),
    ] {
        let (mut room, now) = room(relay, chat, history);
        // Enough turns to wrap every ring and reuse every segment.
        for _ in 0..200 {
            turn(&mut room, now);
        }
        let before = room.said();
        let counted = allocation_counter::measure(|| {
            for _ in 0..200 {
                turn(&mut room, now);
            }
        });
        assert!(room.said() > before + 100_000, "the turns said something");
        assert_eq!(
            counted.count_total, 0,
            "relay: {relay}, chat: {chat}, history: {history}: {counted:?}"
        );
    }
}

#[test]
fn the_count_counts() {
    // Without this the test above could pass because nothing is counted at all.
    let counted = allocation_counter::measure(|| drop(vec![0u8; 100]));
    assert_eq!(counted.count_total, 1);
}
