use std::rc::Rc;

use super::*;
use crate::engine::chat::Chat;
use crate::engine::chat::Rules;
use crate::engine::room::HIGH_WATER;
use crate::hub::peers::fake;
use crate::hub::peers::fake::Fake;
use crate::hub::peers::fake::Wire;
use crate::hub::peers::fake::ended;
use crate::hub::peers::fake::is_leaving;
use crate::hub::peers::fake::join;
use crate::hub::peers::fake::peers;
use crate::hub::peers::fake::readable;
use crate::hub::peers::fake::say;
use crate::io::record::Records;

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

/// What is said because it leaves, or others leave with it (an unfinished line, a request, who left), it does not lack;
/// what was said to it before, it does.
#[test]
fn who_leaves_together_in_a_chat_reads_an_end() {
    let now = Instant::now();
    let mut peers = fake::relaying();
    peers.room.open_chat(Chat::new(Rules::of("host"), false));
    let (wires, keys) = join::<4>(&mut peers, now);
    peers.room.heard(keys[0], b"/nick Ana", now);
    peers.room.heard(keys[1], b"good", now);
    say(&mut peers, b"one\n", now);
    let reasons = [
        DisconnectReason::Kicked(String::from("enough")),
        DisconnectReason::Idle,
        DisconnectReason::Idle,
    ];
    for (key, reason) in keys.into_iter().zip(reasons) {
        peers.queue_leave(key, reason);
    }
    assert!(peers.reap(now));
    let breaks = |wires: &[Rc<Wire>]| wires.iter().any(|wire| wire.breaks.get());
    // It lingers, and is reset then.
    assert!(wires[0].is_ended.get() && !breaks(&wires[1..]));
    wires[3].is_full.set(true);
    say(&mut peers, b"two\n", now);
    peers.queue_leave(keys[3], DisconnectReason::Idle);
    assert!(peers.reap(now));
    assert!(breaks(&wires[3..]));
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

/// Its end is on its way already.
#[test]
fn who_was_told_the_end_is_not_broken_for_what_a_layer_adds_to_it() {
    let now = Instant::now();
    let mut peers = peers();
    let ([wire], [key]) = join(&mut peers, now);
    wire.has_layer.set(true);
    let peer = peers.member_mut(key).expect("it is here");
    assert!(peer.end_our_side());
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

#[test]
fn a_reason_that_was_not_given_leaves_no_colon() {
    let told = |reason: &str| DisconnectReason::Kicked(reason.into()).to_string();
    assert_eq!(told("too loud"), "cut off by the operator: too loud");
    assert_eq!(told(""), "cut off by the operator");
}
