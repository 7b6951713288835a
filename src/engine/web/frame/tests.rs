use proptest::prelude::*;

use super::*;

/// A frame as a client sends it.
fn masked(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let opcode = Opcode::of(first & 0xf).unwrap_or(Opcode::Binary);
    let mut bytes = Header::new(opcode, payload.len() as u64).bytes().to_vec();
    bytes[0] = first;
    bytes[1] |= MASKED;
    bytes.extend(mask);
    let keys = mask.iter().cycle();
    bytes.extend(payload.iter().zip(keys).map(|(byte, key)| byte ^ key));
    bytes
}

/// What came of a stream that is cut into pieces so long.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    /// The messages, whether they are binary, and whether each ended.
    messages: Vec<(bool, Vec<u8>, bool)>,
    controls: Vec<(Event, Vec<u8>)>,
    violation: Option<Violation>,
}

fn hear(stream: &[u8], size: usize) -> Heard {
    let mut reader = Reader::new(MAX_MESSAGE);
    let mut heard = Heard::default();
    for piece in stream.chunks(size.max(1)) {
        let mut bytes = piece.to_vec();
        let mut at = 0;
        loop {
            match reader.read(&mut bytes, &mut at) {
                Ok(None) => break,
                Ok(Some(Event::Piece {
                    at,
                    is_binary,
                    ends,
                })) => {
                    if !matches!(heard.messages.last(), Some((_, _, false))) {
                        heard.messages.push((is_binary, Vec::new(), false));
                    }
                    let (_, message, has_ended) = heard.messages.last_mut().unwrap();
                    message.extend(&bytes[at]);
                    *has_ended = ends;
                }
                Ok(Some(event)) => heard.controls.push((event, reader.control().to_vec())),
                Err(violation) => {
                    heard.violation = Some(violation);
                    assert_eq!(reader.read(&mut bytes, &mut at), Ok(None), "it is over");
                }
            }
        }
        assert_eq!(at, bytes.len(), "all of it was read");
    }
    heard
}

#[test]
fn headers_are_as_the_rfc_has_them() {
    let header = |payload| Header::new(Opcode::Binary, payload).bytes().to_vec();
    assert_eq!(header(0), [0x82, 0]);
    assert_eq!(header(125), [0x82, 125]);
    assert_eq!(header(126), [0x82, 126, 0, 126]);
    assert_eq!(header(65535), [0x82, 126, 255, 255]);
    assert_eq!(header(65536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    let mut out = Vec::new();
    push_close(Some(Code::GoingAway as u16), &mut out);
    push(Opcode::Pong, b"x", &mut out);
    assert_eq!(out, [0x88, 2, 0x03, 0xe9, 0x8a, 1, b'x']);
}

#[test]
fn the_rfcs_own_examples() {
    // Section 5.7.
    let hello = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    let heard = hear(&hello, 100);
    assert_eq!(heard.messages, [(false, b"Hello".to_vec(), true)]);
    let unmasked = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(hear(&unmasked, 100).violation.unwrap().code, Code::Protocol);
}

#[test]
fn what_is_not_allowed_is_refused_with_its_code() {
    let mask = [1, 2, 3, 4];
    let one = |first, payload: &[u8]| masked(first, payload, mask);
    let both = |a: Vec<u8>, b: Vec<u8>| [a, b].concat();
    let mut huge = vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0];
    huge.extend(mask);
    let mut large = vec![0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255];
    large.extend(mask);
    let long = vec![b'x'; MAX_MESSAGE as usize];
    let cases: Vec<(Vec<u8>, Code)> = vec![
        (one(0xc2, b"reserved"), Code::Protocol),
        (one(0xa2, b"reserved"), Code::Protocol),
        (one(0x92, b"reserved"), Code::Protocol),
        (one(0x83, b"no such kind"), Code::Protocol),
        (one(0x8b, b"no such kind"), Code::Protocol),
        (one(0x80, b"nothing to go on with"), Code::Protocol),
        (one(0x09, b"a ping in pieces"), Code::Protocol),
        (one(0x89, &[0; 126]), Code::Protocol),
        (both(one(0x02, b"a"), one(0x82, b"b")), Code::Protocol),
        (both(one(0x01, b"a"), one(0x81, b"b")), Code::Protocol),
        (vec![0x82, 0xfe, 0, 125, 1, 2, 3, 4], Code::Protocol),
        (
            vec![0x82, 0xff, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4],
            Code::Protocol,
        ),
        (huge, Code::Protocol),
        (large, Code::TooLong),
        (both(one(0x02, &long), one(0x80, b"x")), Code::TooLong),
        (one(0x81, b"\xff"), Code::NotUtf8),
        (one(0x81, b"\xce"), Code::NotUtf8),
        (one(0x81, b"\xed\xa0\x80"), Code::NotUtf8),
        (one(0x81, b"\xf4\x90\x80\x80"), Code::NotUtf8),
        (one(0x88, b"\x03"), Code::Protocol),
        (one(0x88, b"\x03\xe8\xff"), Code::NotUtf8),
        (one(0x88, &999_u16.to_be_bytes()), Code::Protocol),
        (one(0x88, &1005_u16.to_be_bytes()), Code::Protocol),
        (one(0x88, &1016_u16.to_be_bytes()), Code::Protocol),
        (one(0x88, &2999_u16.to_be_bytes()), Code::Protocol),
        (one(0x88, &5000_u16.to_be_bytes()), Code::Protocol),
    ];
    for (stream, code) in cases {
        for size in [1, 3, stream.len()] {
            let heard = hear(&both(stream.clone(), one(0x82, b"more")), size);
            let start = &stream[..stream.len().min(20)];
            let found = heard.violation.map(|violation| violation.code);
            assert_eq!(found, Some(code), "{start:x?} in pieces of {size}");
            let more = heard.messages.iter().any(|(_, said, _)| said == b"more");
            assert!(!more, "nothing is heard after {start:x?}");
        }
    }
}

#[test]
fn a_close_is_the_last_that_is_heard() {
    for (payload, code) in [
        (&b""[..], None),
        (b"\x03\xe9", Some(1001)),
        (b"\x0f\xa0bye", Some(4000)),
    ] {
        let mut stream = masked(0x88, payload, [9, 8, 7, 6]);
        stream.extend(masked(0x82, b"more", [0; 4]));
        let heard = hear(&stream, 2);
        assert_eq!(heard.controls, [(Event::Close(code), payload.to_vec())]);
        assert!(heard.messages.is_empty());
    }
}

proptest! {
    /// Messages in fragments of any length, with control frames between them, are heard whole, however
    /// the stream is cut.
    #[test]
    fn messages_are_whole_however_they_are_cut(
        messages in prop::collection::vec(
            (any::<bool>(), "\\PC{0,300}", prop::collection::vec(0usize..200, 0..4)),
            0..6,
        ),
        mask in any::<[u8; 4]>(),
        ping in "\\PC{0,20}",
        size in 1usize..700,
    ) {
        let mut stream = Vec::new();
        let (mut expected, mut pings) = (Vec::new(), 0);
        for (is_binary, text, cuts) in &messages {
            let mut rest = text.as_bytes();
            let mut opcode = if *is_binary { 2 } else { 1 };
            for &cut in cuts {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                stream.extend(masked(opcode, now, mask));
                stream.extend(masked(0x89, ping.as_bytes(), mask));
                pings += 1;
                (opcode, rest) = (0, later);
            }
            stream.extend(masked(0x80 | opcode, rest, mask));
            expected.push((*is_binary, text.as_bytes().to_vec(), true));
        }
        let heard = hear(&stream, size);
        prop_assert_eq!(heard.violation, None);
        prop_assert_eq!(heard.messages, expected);
        prop_assert_eq!(heard.controls, vec![(Event::Ping, ping.into_bytes()); pings]);
    }

    #[test]
    fn any_bytes_are_the_same_in_any_pieces(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        size in 1usize..50,
    ) {
        // How much is heard of a text until it is found to be none depends on the pieces.
        let finished = |mut heard: Heard| {
            heard.messages.retain(|(_, _, has_ended)| *has_ended);
            heard
        };
        let (cut, whole) = (hear(&bytes, size), hear(&bytes, bytes.len()));
        prop_assert_eq!(finished(cut), finished(whole));
    }
}
