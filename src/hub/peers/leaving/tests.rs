use std::rc::Rc;

use super::*;
use crate::engine::chat::Chat;
use crate::engine::chat::Rules;
use crate::hub::peers::fake;
use crate::hub::peers::fake::Wire;
use crate::hub::peers::fake::join;
use crate::hub::peers::fake::peers;
use crate::hub::peers::fake::say;
use crate::io::record::Records;

/// A room whose members hear each other, in a chat or not.
fn relaying(is_chat: bool) -> Peers<fake::Fake> {
    let mut peers = fake::relaying();
    if is_chat {
        peers.room.open_chat(Chat::new(Rules::of("host"), false));
    }
    peers
}

/// What is said because it leaves, or others leave with it (an unfinished line, a request, who left), it does not lack;
/// what was said to it before, it does.
#[test]
fn who_leaves_together_in_a_chat_reads_an_end() {
    let now = Instant::now();
    let mut peers = relaying(true);
    let (wires, keys) = join::<4>(&mut peers, now);
    peers.room.heard(keys[0], b"/nick Ana", now);
    peers.room.heard(keys[1], b"good", now);
    say(&mut peers, b"one\n", now);
    let reasons = [
        DisconnectReason::Kicked(Kick::by_us("enough")),
        DisconnectReason::Idle,
        DisconnectReason::Idle,
    ];
    for (key, reason) in keys.into_iter().zip(reasons) {
        peers.queue_leave(key, reason);
    }
    assert!(peers.reap(now));
    let breaks = |wires: &[Rc<Wire>]| wires.iter().any(|wire| wire.breaks.get());
    assert!(!breaks(&wires));
    wires[0].acknowledge();
    peers.end_lingering(peers.lingering.deadline().expect("it lingers"));
    assert!(wires[0].is_ended.get() && !breaks(&wires[1..]));
    wires[3].is_full.set(true);
    say(&mut peers, b"two\n", now);
    peers.queue_leave(keys[3], DisconnectReason::Idle);
    assert!(peers.reap(now));
    assert!(breaks(&wires[3..]));
}

/// As where a whole class ends its sending at once.
#[test]
fn who_has_left_lacks_nothing_of_what_others_say_in_the_same_turn() {
    let now = Instant::now();
    for is_chat in [false, true] {
        let mut peers = relaying(is_chat);
        let (wires, keys) = join::<3>(&mut peers, now);
        say(&mut peers, b"one\n", now);
        for key in keys {
            peers.room.heard(key, b"answer", now);
            peers.room.finish(key, now);
            peers.flush_one(key, now);
            peers.queue_leave(key, DisconnectReason::Closed);
        }
        assert!(peers.reap(now));
        assert!(wires.iter().all(|wire| !wire.breaks.get()), "{is_chat}");
    }
}

/// A reset would tell it nothing, and may destroy the answer to its goodbye.
#[test]
fn who_reads_nothing_any_more_lacks_nothing() {
    let now = Instant::now();
    let mut peers = peers();
    let (wires, keys) = join::<2>(&mut peers, now);
    wires.iter().for_each(|wire| wire.is_full.set(true));
    say(&mut peers, b"one\n", now);
    wires[0].has_closed.set(true);
    for key in keys {
        peers.queue_leave(key, DisconnectReason::Closed);
    }
    assert!(peers.reap(now));
    assert_eq!(wires.map(|wire| wire.breaks.get()), [false, true]);
}

/// A line that did not end is recorded when the hub ends, and nobody can be handed it any more.
#[test]
fn what_is_recorded_at_the_end_breaks_nobody() {
    let now = Instant::now();
    let folder = std::env::temp_dir().join(format!("muxnc-recorded-{}", std::process::id()));
    let records = Records::collecting(&folder).expect("a folder");
    let mut peers = fake::relaying().recorded(Some(records));
    let (wires, [speaker, _]) = join::<2>(&mut peers, now);
    peers.room.heard(speaker, b"begun", now);
    peers.close_all(now);
    std::fs::remove_dir_all(folder).expect("it is there");
    assert_eq!(peers.room.said(), 5, "it is recorded");
    assert!(!wires[1].breaks.get());
}

/// Only the words before it count, and a lost member is not told of for the word that it was sent away.
#[test]
fn nobody_lacks_the_word_that_it_was_sent_away() {
    let now = Instant::now();
    let mut peers = peers();
    let (wires, keys) = join::<2>(&mut peers, now);
    say(&mut peers, b"one\n", now);
    wires[0].acknowledge();
    for (at, untold) in [(0, 0), (1, 1)] {
        peers.kick(keys[at], Kick::by_us("enough"), now);
        peers.reap(now);
        let before = wires[at].acknowledged.get();
        assert!(wires[at].written.get() > before + "enough".len() as u64);
        peers.end_all_lingering(now);
        assert_eq!(peers.news.total(Topic::CutOff), untold);
        peers.reap(now);
    }
}

/// What others say in that turn is said behind its last line.
#[test]
fn what_is_said_behind_the_goodbye_is_not_for_who_was_sent_away() {
    let now = Instant::now();
    for is_chat in [false, true] {
        let mut peers = relaying(is_chat);
        let (wires, keys) = join::<3>(&mut peers, now);
        peers.room.heard(keys[0], b"/nick Ana\n", now);
        peers.flush(now);
        peers.kick(keys[0], Kick::by_us("enough"), now);
        let written = wires[0].written.get();
        peers.room.heard(keys[1], b"after\n/nick Ana\n", now);
        peers.flush(now);
        peers.reap(now);
        assert_eq!(wires[0].written.get(), written);
        assert_eq!(peers.news.total(Topic::CutOff), 0);
    }
}

/// With TLS the end is a word, which would be the last that it believes.
#[test]
fn who_is_sent_away_reads_no_end_before_it_is_known_what_it_said() {
    let now = Instant::now();
    let mut peers = peers();
    let (wires, keys) = join::<1>(&mut peers, now);
    wires[0].has_layer.set(true);
    peers.kick(keys[0], Kick::by_us("enough"), now);
    peers.reap(now);
    assert!(!wires[0].is_ended.get());
    wires[0].acknowledge();
    peers.end_lingering(peers.lingering.deadline().expect("it lingers"));
    assert!(wires[0].is_ended.get());
}
