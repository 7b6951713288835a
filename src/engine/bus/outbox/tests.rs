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
        outbox.ask(Piece::Ask {
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

fn said(envelope: &Envelope, number: u32) -> Vec<u8> {
    let said = envelope.pieces.iter().filter_map(|piece| match piece {
        Piece::Said(author, bytes) if author.number == number => Some(&bytes[..]),
        _ => None,
    });
    said.collect::<Vec<_>>().concat()
}

/// A hundred speakers have megabytes waiting, and whatever they do, it goes on.
#[test]
fn a_line_does_not_wait_for_what_others_said_before() {
    const FLOODERS: u32 = 100;
    let (mut outbox, signer, now) = outbox(64 << 20);
    let long = [&vec![b'x'; MAX_LINE - 1][..], b"\n"].concat();
    for length in [100, 1000, MAX_LINE] {
        for _ in 0..MAX_LINE / length {
            (1..=FLOODERS).for_each(|who| outbox.say(&author(who), &long[MAX_LINE - length..]));
        }
    }
    let round = FLOODERS as usize * (4096 + 128) / MAX_BODY + 2;
    for at in 0..10 {
        let line = format!("line {at}\n");
        outbox.say(&author(0), line.as_bytes());
        let messages = (0..round).map(|_| next(&mut outbox, &signer, now));
        let heard: Vec<Vec<u8>> = messages.map(|message| said(&message, 0)).collect();
        assert_eq!(heard.concat(), line.as_bytes());
    }
    // Nor do they wait for each other.
    let mut waited = 0;
    while outbox.waiting().bytes > 1 << 20 {
        let message = next(&mut outbox, &signer, now);
        let (fed, hungry): (Vec<u32>, Vec<u32>) =
            (1..=FLOODERS).partition(|who| !said(&message, *who).is_empty());
        assert!(!fed.is_empty() && !hungry.is_empty());
        waited += 1;
    }
    assert!(waited > 100, "{waited}");
}

/// What was said meanwhile in a class without a flood is told as it was said.
#[test]
fn what_fits_into_a_message_goes_as_it_was_said() {
    let (mut outbox, signer, now) = outbox(1 << 20);
    let mut expected = Vec::new();
    for at in 0..200 {
        let who = author(at * at % 7);
        let line = format!("{at}\n").into_bytes();
        outbox.say(&who, &line);
        expected.push((who, line));
    }
    outbox.bye();
    let mut pieces = next(&mut outbox, &signer, now).pieces.into_iter();
    let mut at = expected.into_iter().peekable();
    while at.peek().is_some() {
        let Some(Piece::Said(who, bytes)) = pieces.next() else {
            panic!("more was said");
        };
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            assert_eq!(at.next(), Some((who.clone(), line.to_vec())));
        }
    }
    assert_eq!(pieces.collect::<Vec<_>>(), [Piece::Bye]);
    assert!(outbox.is_empty());
}

/// The buffer is full since one speaker says so much: the others' lines are told, and the last word is the last.
#[test]
fn who_fills_the_buffer_loses_its_own_lines() {
    let (mut outbox, signer, now) = outbox(1 << 20);
    outbox.say(&author(2), b"quiet\n");
    let ask = Piece::Ask {
        key: signer.key(),
        whom: Whom::Number(1),
        what: What::Kick(String::new()),
    };
    outbox.ask(ask.clone());
    (0..100_000).for_each(|_| outbox.say(&author(1), b"a line of a flood that goes on and on\n"));
    outbox.bye();
    let first = next(&mut outbox, &signer, now);
    assert!(matches!(&first.pieces[0], Piece::Lost(who, _) if *who == author(1)));
    assert_eq!(said(&first, 2), b"quiet\n");
    assert!(first.pieces.contains(&ask));
    let mut last = first;
    while !outbox.is_empty() {
        assert!(!last.is_bye());
        last = next(&mut outbox, &signer, now);
        assert!(
            last.pieces
                .iter()
                .all(|piece| !matches!(piece, Piece::Lost(..)))
        );
    }
    assert_eq!(last.pieces.last(), Some(&Piece::Bye));
}

/// However many say as much as there is room for, and however seldom a message is taken.
#[test]
fn who_says_no_more_than_there_is_room_for_loses_nothing() {
    for (speakers, limit) in [(20, 128 << 10), (200, 4 << 20)] {
        let (mut outbox, signer, now) = outbox(limit);
        let line = [&vec![b'x'; 40][..], b"\n"].concat();
        let mut sent = 0;
        for round in 0..300 {
            for who in 1..=speakers {
                let lines = outbox.room_for(Some(who)) / line.len();
                sent += lines.min(500);
                outbox.say(&author(who), &line.repeat(lines.min(500)));
            }
            // Who said nothing before may say a line.
            assert!(outbox.room_for(Some(0)) >= line.len(), "{round}: {limit}");
            if round % 3 == 0 {
                next(&mut outbox, &signer, now);
            }
        }
        let waiting = outbox.waiting();
        assert!(waiting.lost == 0 && sent > 0, "{waiting:?} of {sent}");
        assert!(waiting.bytes < limit, "{waiting:?}");
        while outbox.room_for(Some(1)) == 0 {
            next(&mut outbox, &signer, now);
        }
    }
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
            prop_assert!(outbox.queue.waiting().bytes <= limit);
        }
        outbox.taken();
        while !outbox.is_empty() {
            read(next(&mut outbox, &signer, now), &mut told, &mut lost, &mut counted);
        }
        prop_assert_eq!(outbox.queue.waiting(), Waiting::default());
        for (who, said) in said {
            let told = told.get(&who).cloned().unwrap_or_default();
            let lost = lost.get(&who).copied().unwrap_or(0);
            prop_assert_eq!(told.len() as u64 + lost, said.len() as u64);
            let mut rest = said.iter();
            prop_assert!(told.iter().all(|line| rest.any(|said| said == line)));
        }
    }
}
