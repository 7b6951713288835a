use proptest::prelude::*;

use super::*;
use crate::io::web::wire::Wire;
use crate::io::web::wire::frames;

const BINARY: u8 = 0x82;
const TEXT: u8 = 0x81;

/// The stream in the frames of what was written.
fn stream(output: &[u8]) -> Vec<u8> {
    let binary = frames(output)
        .into_iter()
        .filter(|(first, _)| *first == BINARY);
    binary.flat_map(|(_, payload)| payload).collect()
}

#[test]
fn what_is_little_is_one_slice_and_what_is_much_is_not_copied() {
    let (mut wire, mut outgoing) = (Wire::default(), Outgoing::default());
    let little = [IoSlice::new(b"one "), IoSlice::new(b"two")];
    assert!(matches!(outgoing.write(&mut wire, &little), Sent::Bytes(7)));
    assert_eq!((wire.writes, wire.slices), (1, 1));
    assert_eq!(frames(&wire.output), [(BINARY, b"one two".to_vec())]);
    let much = vec![b'x'; 64 * 1024];
    let slices = [IoSlice::new(&much); GATHER];
    let sent = outgoing.write(&mut wire, &slices);
    assert!(matches!(sent, Sent::Bytes(count) if count == GATHER * much.len()));
    assert_eq!((wire.writes, wire.slices), (2, 2 * GATHER));
    assert!(!outgoing.is_open() && !outgoing.is_pending());
}

#[test]
fn control_waits_for_the_end_of_a_frame() {
    let (mut wire, mut outgoing) = (Wire::default(), Outgoing::default());
    let slice = [IoSlice::new(b"hello, world")];
    wire.takes = [7].into();
    assert!(matches!(outgoing.write(&mut wire, &slice), Sent::Bytes(5)));
    outgoing.push_text("{}");
    outgoing.pong(b"first");
    outgoing.pong(b"second");
    (1..1000).for_each(|count| outgoing.here(count));
    (1..1000).for_each(|count| outgoing.relay(count % 2 == 0));
    assert!(outgoing.is_open() && !outgoing.is_pending());
    assert!(outgoing.flush(&mut wire).unwrap());
    let rest = [IoSlice::new(b", world and more")];
    assert!(matches!(outgoing.write(&mut wire, &rest), Sent::Bytes(16)));
    assert!(!outgoing.is_open() && !outgoing.is_pending());
    let said = frames(&wire.output);
    assert_eq!(said[0], (BINARY, b"hello, world".to_vec()));
    assert_eq!(stream(&wire.output), b"hello, world and more");
    let control: Vec<_> = said.iter().filter(|(first, _)| *first != BINARY).collect();
    let relay = br#"{"type":"relay","relay":false}"#;
    let here = br#"{"type":"here","here":999}"#;
    let pong = 0x8a;
    assert_eq!(
        control,
        [
            &(TEXT, b"{}".to_vec()),
            &(pong, b"second".to_vec()),
            &(TEXT, relay.to_vec()),
            &(TEXT, here.to_vec())
        ]
    );
    outgoing.here(5);
    outgoing.relay(true);
    outgoing.close(Some(1001));
    wire.output.clear();
    outgoing.flush(&mut wire).unwrap();
    let close = (0x88, 1001_u16.to_be_bytes().to_vec());
    assert_eq!(frames(&wire.output), [close], "nothing follows a close");
}

#[test]
fn a_ping_is_one_more_frame_and_only_where_nothing_waits() {
    let (mut wire, mut outgoing) = (Wire::default(), Outgoing::default());
    outgoing.ping();
    outgoing.ping();
    outgoing.flush(&mut wire).unwrap();
    assert_eq!(frames(&wire.output), [(0x89, Vec::new())]);
    wire.takes = [7].into();
    assert!(matches!(
        outgoing.write(&mut wire, &[IoSlice::new(b"hello, world")]),
        Sent::Bytes(5)
    ));
    outgoing.ping();
    outgoing.write(&mut wire, &[IoSlice::new(b", world")]);
    assert_eq!(frames(&wire.output).len(), 2);
}

proptest! {
    /// However little is taken at a time, of frames however long, with control between them: each byte of
    /// the stream is in one frame, in order, and each control frame is whole.
    #[test]
    fn a_stream_is_whole_however_little_is_taken(
        lengths in prop::collection::vec(prop_oneof![0usize..10, 100usize..140, 1000usize..70_000], 1..8),
        offers in prop::collection::vec((1usize..4, any::<bool>()), 1..40),
        takes in prop::collection::vec(prop_oneof![0usize..4, 5usize..100_000], 0..60),
    ) {
        let total: usize = lengths.iter().sum();
        let bytes: Vec<u8> = (0..total).map(|at| (at % 251) as u8).collect();
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        for length in &lengths {
            let (now, later) = rest.split_at(*length);
            pieces.push(now);
            rest = later;
        }
        let mut wire = Wire { takes: takes.into(), ..Wire::default() };
        let (mut outgoing, mut at, mut told) = (Outgoing::default(), 0, 0);
        // As a room does: what is owed from where it stands, and later more.
        let mut offers = offers.into_iter().cycle();
        let mut known = 0;
        while at < total || outgoing.is_pending() {
            let (more, tells) = offers.next().unwrap();
            known = (known + more).min(pieces.len());
            if tells && told < 50 {
                outgoing.push_text(&told.to_string());
                told += 1;
            }
            let end: usize = lengths[..known].iter().sum();
            let mut start = 0;
            let slices: Vec<IoSlice<'_>> = pieces[..known].iter().filter_map(|piece| {
                let from = at.max(start) - start;
                start += piece.len();
                piece.get(from..).filter(|rest| !rest.is_empty()).map(IoSlice::new)
            }).collect();
            if at < end {
                match outgoing.write(&mut wire, &slices) {
                    Sent::Bytes(count) => at += count,
                    Sent::Full => {}
                    Sent::Failed(error) => panic!("{error}"),
                }
            } else {
                outgoing.flush(&mut wire).unwrap();
            }
        }
        prop_assert!(!outgoing.is_open());
        prop_assert_eq!(stream(&wire.output), bytes);
        let texts: Vec<Vec<u8>> = frames(&wire.output).into_iter()
            .filter(|(first, _)| *first == TEXT).map(|(_, payload)| payload).collect();
        let expected: Vec<Vec<u8>> = (0..told).map(|n| n.to_string().into_bytes()).collect();
        prop_assert_eq!(texts, expected);
        prop_assert!(frames(&wire.output).iter().all(|(_, payload)| payload.len() as u64 <= FRAME));
    }
}
