use super::*;
use crate::engine::bus::envelope::Author;
use crate::engine::bus::envelope::Piece;

fn key(number: usize) -> Key {
    Key::from_number(number)
}

fn message(hub: &str, key: Key, seq: u64, first: u64, lines: usize) -> Envelope {
    let author = Author::default();
    let said = Piece::Said(author, "x\n".repeat(lines).into_bytes());
    Envelope {
        hub: hub.into(),
        key,
        seq,
        first,
        here: 4,
        claims: false,
        pieces: if lines == 0 { vec![] } else { vec![said] },
    }
}

fn at(millis: u64) -> Stamp {
    Stamp(1_000_000_000_000 + millis * 1_000_000)
}

fn heard(came: bool, missing: u64) -> Verdict {
    Verdict::Heard { came, missing }
}

#[test]
fn a_name_is_held_until_the_lease_is_over_or_given_up() {
    let (mut roll, now) = (Roll::default(), Instant::now());
    let (a, b) = (key(1), key(2));
    let lease = LEASE.as_millis() as u64;
    roll.expire(at(0));
    assert_eq!(roll.hear(&message("room", a, 1, 0, 0), now), heard(true, 0));
    assert_eq!(
        roll.hear(&message("room", b, 1, 0, 0), now),
        Verdict::Foreign
    );
    assert_eq!(roll.holder("room"), Some((a, LEASE)));
    assert_eq!(roll.expire(at(lease)), []);
    assert_eq!(
        roll.hear(&message("room", b, 2, 0, 0), now),
        Verdict::Foreign
    );
    assert_eq!(
        roll.hear(&message("room", a, 2, 0, 0), now),
        heard(false, 0)
    );
    assert_eq!(roll.expire(at(2 * lease)), []);
    let gone = Gone {
        hub: "room".into(),
        key: a,
        here: 4,
        clean: false,
    };
    assert_eq!(roll.expire(at(2 * lease + 1)), [gone]);
    assert_eq!(roll.hear(&message("room", b, 3, 0, 0), now), heard(true, 0));
    assert_eq!(
        roll.hear(&message("room", a, 3, 0, 0), now),
        Verdict::Foreign
    );
    assert!(
        roll.leave("room")
            .is_some_and(|gone| gone.clean && gone.key == b)
    );
    assert_eq!(roll.leave("room"), None);
    // The clock of a log does not go back, though that of another leader may.
    roll.expire(at(0));
    assert_eq!(roll.hear(&message("room", a, 4, 0, 0), now), heard(true, 0));
    assert_eq!(roll.holder("room"), Some((a, LEASE)));
}

#[test]
fn each_message_counts_once_and_what_did_not_come_is_counted() {
    let (mut roll, now, a) = (Roll::default(), Instant::now(), key(1));
    // Lines before the first message do not count.
    assert_eq!(
        roll.hear(&message("room", a, 9, 100, 3), now),
        heard(true, 0)
    );
    assert_eq!(
        roll.hear(&message("room", a, 9, 100, 3), now),
        Verdict::Repeat
    );
    assert_eq!(
        roll.hear(&message("room", a, 8, 90, 3), now),
        Verdict::Repeat
    );
    assert_eq!(
        roll.hear(&message("room", a, 10, 103, 1), now),
        heard(false, 0)
    );
    assert_eq!(
        roll.hear(&message("room", a, 14, 110, 2), now),
        heard(false, 6)
    );
    roll.expire(at(60_000));
    assert_eq!(roll.present().count(), 0);
    // It was only away.
    assert_eq!(
        roll.hear(&message("room", a, 14, 110, 2), now),
        Verdict::Repeat
    );
    assert_eq!(
        roll.hear(&message("room", a, 15, 113, 0), now),
        heard(true, 1)
    );
}

#[test]
fn who_held_a_name_before_is_noted_if_nothing_newer_is_known() {
    let (mut roll, now, a, b) = (Roll::default(), Instant::now(), key(1), key(2));
    roll.expire(at(10_000));
    roll.note_holder("room", a, at(4_000), now);
    let left = LEASE - Duration::from_secs(6);
    assert_eq!(roll.holder("room"), Some((a, left)));
    roll.note_holder("room", b, at(9_000), now);
    assert_eq!(roll.holder("room"), Some((a, left)));
    assert_eq!(roll.expire(at(19_001)).len(), 1);
}

#[test]
fn what_is_kept_is_bounded_and_who_is_here_is_not_forgotten() {
    let (mut roll, now) = (Roll::default(), Instant::now());
    let ana = key(0);
    for number in 1..3 * MAX_KEYS {
        let (hub, key) = (format!("x{}", number % (2 * MAX_HUBS)), key(number));
        roll.expire(at(number as u64));
        roll.hear(&message(&hub, key, 1, 0, 0), now);
        roll.hear(&message("ana", ana, number as u64, 0, 0), now);
        if number % 3 == 0 {
            roll.leave(&hub);
        }
        assert!(roll.names.len() <= MAX_HUBS && roll.keys.len() <= MAX_KEYS);
    }
    assert_eq!(
        roll.hear(&message("ana", ana, 5, 0, 0), now),
        Verdict::Repeat
    );
    assert_eq!(roll.holder("ana").unwrap().0, ana);
}
