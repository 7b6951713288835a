use proptest::prelude::*;

use super::*;
use crate::engine::bus::envelope;
use crate::engine::bus::envelope::SIGNATURE;
use crate::engine::bus::envelope::What;
use crate::engine::bus::envelope::Whom;

const SUBJECT: &str = "muxnc.c.room";

fn outbox(limit: usize) -> (Outbox, Signer, Instant) {
    let outbox = Outbox::new(SUBJECT.into(), "room".into(), limit);
    (outbox, Signer::new(&[1; 32]), Instant::now())
}

fn author(number: u32) -> Author {
    let name = (number > 1).then(|| format!("Ana{number}"));
    Author { number, name }
}

fn opened(sealed: &Sealed) -> Envelope {
    assert!(sealed.payload.len() + sealed.headers.len() < MIN_PAYLOAD as usize - 1024);
    let mut lines = sealed.headers.lines();
    let signature = lines.find_map(|line| line.strip_prefix(SIGNATURE)).unwrap();
    let signature = signature.strip_prefix(": ");
    envelope::open("c", SUBJECT.as_bytes(), signature, &sealed.payload).expect("it can be read")
}

/// The next message, which is taken.
fn next(outbox: &mut Outbox, signer: &Signer, now: Instant) -> Envelope {
    outbox.make(signer, now);
    let envelope = opened(outbox.send(now).unwrap().expect("it is sent"));
    outbox.taken();
    envelope
}

#[test]
fn what_gathers_meanwhile_becomes_the_next_message() {
    let (mut outbox, signer, now) = outbox(1 << 20);
    outbox.set_here(3);
    outbox.say(&author(1), b"one\n");
    outbox.make(&signer, now);
    let first = opened(outbox.send(now).unwrap().unwrap());
    outbox.say(&author(1), b"two\nthree\n");
    outbox.say(&author(1), b"four\n");
    outbox.say(&author(0), b"five\n");
    assert!(outbox.send(now).unwrap().is_none() && !outbox.is_ready());
    outbox.taken();
    let second = next(&mut outbox, &signer, now);
    assert_eq!((first.seq, first.first, first.here), (1, 0, 3));
    assert_eq!((second.seq, second.first), (2, 1));
    let expected = [
        Piece::Said(author(1), b"two\nthree\nfour\n".into()),
        Piece::Said(author(0), b"five\n".into()),
    ];
    assert_eq!(second.pieces, expected);
    assert!(outbox.is_empty() && outbox.waiting() == Waiting::default());
    assert_eq!(next(&mut outbox, &signer, now).first, 5);
}

#[test]
fn what_is_in_flight_is_the_same_each_time_it_is_sent() {
    let (mut outbox, signer, start) = outbox(10);
    outbox.say(&author(1), b"x\n");
    outbox.make(&signer, start);
    let first = outbox.send(start).unwrap().cloned().unwrap();
    // It does not count for the buffer.
    outbox.say(&author(1), b"dropped\n");
    assert_eq!(outbox.waiting().lost, 2 - 1);
    for _ in 1..TRIES {
        let now = outbox.resend().unwrap();
        assert!(
            outbox
                .send(now - Duration::from_millis(1))
                .unwrap()
                .is_none()
        );
        assert_eq!(outbox.send(now).unwrap(), Some(&first));
    }
    let now = outbox.resend().unwrap();
    assert_eq!(outbox.send(now).unwrap_err(), InVain);
    outbox.interrupted();
    assert_eq!(outbox.send(now).unwrap(), Some(&first));
    outbox.refused(now);
    assert_eq!(outbox.resend(), Some(now + Duration::from_secs(1)));
}

#[test]
fn a_hub_that_says_nothing_says_that_it_is_there() {
    let (mut outbox, signer, start) = outbox(1 << 20);
    assert!(outbox.is_due(true, start) && !outbox.is_due(false, start));
    assert!(next(&mut outbox, &signer, start).pieces.is_empty());
    assert_eq!(outbox.heartbeat(), Some(start + HEARTBEAT));
    assert!(!outbox.is_due(true, start));
    assert!(outbox.is_due(true, start + HEARTBEAT));
    outbox.claim(&signer, start);
    assert!(opened(outbox.send(start).unwrap().unwrap()).claims);
}

#[test]
fn no_message_is_longer_than_every_server_takes() {
    let (mut outbox, signer, now) = outbox(usize::MAX);
    let long = [vec![b'x'; 3 * MAX_LINE], b"\n".to_vec()].concat();
    outbox.say(&author(2), &long);
    for at in 0..2000 {
        outbox.say(&author(2 + at % 3), b"short\n");
    }
    for _ in 0..20 {
        outbox.push(Piece::Ask {
            key: signer.key(),
            whom: Whom::Number(1),
            what: What::Tell("\u{1}".repeat(envelope::MAX_TEXT)),
        });
    }
    let (mut lines, mut asks, mut messages) = (0, 0, 0);
    while !outbox.is_empty() {
        let envelope = next(&mut outbox, &signer, now);
        assert_eq!(envelope.first, lines);
        lines += envelope.lines();
        let is_ask = |piece: &&Piece| matches!(piece, Piece::Ask { .. });
        asks += envelope.pieces.iter().filter(is_ask).count();
        messages += 1;
    }
    assert_eq!((lines, asks), (3 + 1 + 2000, 20));
    assert!(messages < 60, "{messages}");
}

proptest! {
    /// Against a model: all lines in their order, of which the oldest may be gone, and are counted.
    #[test]
    fn each_line_is_told_or_counted(
        limit in 0..3000_usize,
        steps in prop::collection::vec((0..6_u32, 0..4_usize, 0..60_usize), 1..200),
    ) {
        let (mut outbox, signer, now) = outbox(limit);
        let mut said: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
        let mut told: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
        let (mut lost, mut counted) = (BTreeMap::<u32, u64>::new(), 0);
        let mut number = 0;
        let read = |envelope: Envelope,
                        told: &mut BTreeMap<u32, Vec<Vec<u8>>>,
                        lost: &mut BTreeMap<u32, u64>,
                        counted: &mut u64| {
            assert_eq!(envelope.first, *counted);
            *counted += envelope.lines();
            for piece in envelope.pieces {
                match piece {
                    Piece::Said(author, bytes) => {
                        let lines = bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec);
                        told.entry(author.number).or_default().extend(lines);
                    }
                    Piece::Lost(author, lines) => *lost.entry(author.number).or_default() += lines,
                    other => panic!("{other:?}"),
                }
            }
        };
        for (who, lines, len) in steps {
            if who == 5 {
                if outbox.is_ready() {
                    outbox.make(&signer, now);
                    read(opened(outbox.send(now).unwrap().unwrap()), &mut told, &mut lost, &mut counted);
                } else {
                    outbox.taken();
                }
                continue;
            }
            let mut bytes = Vec::new();
            for _ in 0..lines {
                number += 1;
                let line = format!("{number}{}\n", "x".repeat(len)).into_bytes();
                bytes.extend(&line);
                said.entry(who).or_default().push(line);
            }
            if len == 7 {
                bytes.extend(b"no end");
                said.entry(who).or_default().push(b"no end".to_vec());
            }
            outbox.say(&author(who), &bytes);
            prop_assert!(outbox.queued.bytes <= limit);
        }
        outbox.taken();
        while !outbox.is_empty() {
            read(next(&mut outbox, &signer, now), &mut told, &mut lost, &mut counted);
        }
        prop_assert_eq!(outbox.queued, Waiting::default());
        for (who, said) in said {
            let told = told.get(&who).cloned().unwrap_or_default();
            let lost = lost.get(&who).copied().unwrap_or(0);
            prop_assert_eq!(told.len() as u64 + lost, said.len() as u64);
            let mut rest = said.iter();
            prop_assert!(told.iter().all(|line| rest.any(|said| said == line)));
        }
    }
}
