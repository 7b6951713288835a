use proptest::prelude::*;

use super::*;

/// All that comes of `bytes`, cut into pieces of that length, as text; and whether it was refused.
fn read(bytes: &[u8], cut: usize) -> (Vec<String>, Option<&'static str>) {
    let (mut reader, mut found) = (Reader::default(), Vec::new());
    for piece in bytes.chunks(cut) {
        reader.feed(piece);
        loop {
            match reader.read() {
                Ok(Some(op)) => found.push(format!("{op:?}")),
                Ok(None) => break,
                Err(violation) => return (found, Some(violation.0)),
            }
        }
        assert!(reader.buffer.len() - reader.at <= MAX_MESSAGE + MAX_LINE);
    }
    (found, None)
}

fn message<'a>(subject: &'a str, reply: &'a str, headers: &'a [u8], payload: &'a [u8]) -> Op<'a> {
    Op::Message(Message {
        subject: subject.as_bytes(),
        sid: 7,
        reply: reply.as_bytes(),
        headers,
        payload,
        is_cut: false,
    })
}

#[test]
fn what_a_server_says_is_read_however_it_is_cut() {
    let headers = b"NATS/1.0\r\nA: b\r\n\r\n";
    let bytes = [
        &b"INFO {\"a\":1} \r\n+OK\r\nPING\r\npong\r\n-ERR 'no such thing'\r\nMSG a.b 7 5\r\nhe\r\no\r\n"[..],
        b"MSG a.b 7 re.ply 0\r\n\r\nHMSG a.b 7 18 20\r\n",
        headers,
        b"hi\r\nHMSG\ta.b  7 re 18 18\r\n",
        headers,
        b"\r\n",
    ]
    .concat();
    let expected = [
        Op::Info(b"{\"a\":1}"),
        Op::Ok,
        Op::Ping,
        Op::Pong,
        Op::Error(b"'no such thing'"),
        message("a.b", "", b"", b"he\r\no"),
        message("a.b", "re.ply", b"", b""),
        message("a.b", "", headers, b"hi"),
        message("a.b", "re", headers, b""),
    ];
    let expected: Vec<String> = expected.iter().map(|op| format!("{op:?}")).collect();
    for cut in [1, 2, 3, 7, 1000] {
        assert_eq!(read(&bytes, cut), (expected.clone(), None));
    }
}

#[test]
fn of_a_message_that_is_too_long_the_beginning_is_given() {
    for len in [MAX_MESSAGE - 2, MAX_MESSAGE - 1, 3 * MAX_MESSAGE] {
        let payload = vec![b'x'; len];
        let mut bytes = format!("HMSG a 7 4 {}\r\nABCD", len + 4).into_bytes();
        bytes.truncate(bytes.len() - 4);
        bytes.extend(b"ABCD");
        bytes.extend(&payload);
        bytes.extend(b"\r\nPING\r\n");
        for cut in [1000, 4096, 100_000, usize::MAX] {
            let (mut reader, mut seen) = (Reader::default(), 0);
            for piece in bytes.chunks(cut.min(bytes.len())) {
                reader.feed(piece);
                while let Some(op) = reader.read().unwrap() {
                    seen += 1;
                    match op {
                        Op::Message(message) => {
                            assert!(message.is_cut);
                            assert_eq!(message.headers, b"ABCD");
                            assert_eq!(message.payload.len(), KEPT - 4);
                        }
                        op => assert_eq!(op, Op::Ping),
                    }
                }
                assert!(
                    reader.buffer.len() <= KEPT + 1200 || cut > KEPT,
                    "it keeps what it drops"
                );
            }
            assert_eq!((seen, reader.has_rest()), (2, false));
        }
    }
}

#[test]
fn what_no_server_says_is_refused() {
    for bytes in [
        &b"HTTP/1.1 400 Bad Request\r\n"[..],
        b"\r\n",
        b"MSG a 7\r\n",
        b"MSG a 7 x\r\n",
        b"MSG a x 5\r\n",
        b"MSG a 7 b c 5\r\n",
        b"MSG a 7 +5\r\n",
        b"MSG a 7 -5\r\n",
        b"MSG a 7 18446744073709551616\r\n",
        b"MSG a 7 99999999999\r\n",
        b"HMSG a 7 6 5\r\nhello\r\n",
        b"MSG a 7 5\r\nhello world\r\n",
    ] {
        assert!(read(bytes, 100).1.is_some(), "{}", bytes.escape_ascii());
    }
    assert!(read(&vec![b'x'; 2 * MAX_LINE], 1000).1.is_some());
}

#[test]
fn a_header_is_found() {
    let headers = b"NATS/1.0 503\r\nAb: c d \r\nab2:x\r\nbad\r\n: y\r\nlast: \xff\r\n\r\n";
    let Op::Message(message) = message("a", "", headers, b"") else {
        unreachable!()
    };
    assert_eq!(message.header("AB"), Some("c d"));
    assert_eq!(message.header("ab2"), Some("x"));
    assert_eq!(message.header("last"), None);
    assert_eq!(message.header("none"), None);
    assert_eq!(message.status(), Some(503));
    let none = Message {
        headers: b"NATS/1.0\r\n\r\n",
        ..message
    };
    assert_eq!(none.status(), None);
}

#[test]
fn what_a_client_says_is_as_nats_has_it() {
    let mut out = Vec::new();
    push_connect("{}", &mut out);
    push_subscription("a.>", 1, &mut out);
    push_message("a", "", "", b"hi", &mut out);
    push_message("a", "b", "", b"", &mut out);
    push_message("a", "b", "C: d\r\n", b"hi", &mut out);
    let expected = "CONNECT {}\r\nSUB a.> 1\r\nPUB a 2\r\nhi\r\nPUB a b 0\r\n\r\n\
        HPUB a b 18 20\r\nNATS/1.0\r\nC: d\r\n\r\nhi\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

proptest! {
    #[test]
    fn nothing_panics_and_cuts_do_not_matter(
        bytes in "(MSG|HMSG|INFO|PING|-ERR|x| |\r\n|\n|[0-9]{1,6}|a|\\{|\u{e9}){0,60}",
        cut in 1..9_usize,
    ) {
        prop_assert_eq!(read(bytes.as_bytes(), cut), read(bytes.as_bytes(), 1000));
    }

    #[test]
    fn any_bytes_do_nothing_bad(bytes: Vec<u8>, cut in 1..9_usize) {
        prop_assert_eq!(read(&bytes, cut), read(&bytes, 1000));
    }
}
