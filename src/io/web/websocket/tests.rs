use proptest::prelude::*;

use super::*;
use crate::engine::admit::AdmissionError;
use crate::engine::aside::Farewell;
use crate::engine::aside::Hello;
use crate::engine::explain::Unexplained;
use crate::io::conn::Conn;
use crate::io::web::wire::Wire;
use crate::io::web::wire::frames;
use crate::io::web::wire::masked;

const HEAD: &str = "Host: 192.0.2.7:8080\r\n\r\n";
const UPGRADE: &str = "GET /socket HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://192.0.2.7:8080\r\nHost: 192.0.2.7:8080\r\n\r\n";
const HELLO: Hello<'_> = Hello {
    epoch: "e",
    token: "t",
    at: 0,
    heard: 0,
    resumed: false,
    missing: false,
    number: 1,
    name: None,
    is_chat: false,
    has_stamps: false,
    relays: false,
    is_of_class: false,
    here: 1,
};

fn over(wire: Wire) -> WebSocket<Wire> {
    let site = Arc::new(Site::new(None, &[], false).unwrap());
    WebSocket::new(wire, site, "192.0.2.7:8080".parse().unwrap())
}

fn asking(request: &str) -> WebSocket<Wire> {
    over(Wire {
        input: request.bytes().collect(),
        ..Wire::default()
    })
}

/// One that was let in; what was written until then is forgotten.
fn open() -> WebSocket<Wire> {
    let mut web = asking(UPGRADE);
    assert!(matches!(web.handshake(&mut Unexplained), Handshake::Done));
    assert!(web.under.output.is_empty(), "it is not let in yet");
    web.welcome(&mut Unexplained);
    web.say(&Aside::Hello(HELLO));
    web.flush().unwrap();
    web.under.output.clear();
    web
}

/// Reads all that is there, so many bytes at a time. Returns what was said, and what a read found then.
fn hear(web: &mut WebSocket<Wire>, size: usize) -> (Vec<u8>, Received) {
    let (mut said, mut buffer) = (Vec::new(), vec![0; size]);
    loop {
        match web.read(&mut buffer) {
            Received::Bytes(count) => said.extend(&buffer[..count]),
            Received::Yield => {}
            other => return (said, other),
        }
    }
}

fn written(web: &WebSocket<Wire>) -> String {
    String::from_utf8_lossy(&web.under.output).into_owned()
}

/// However the frames are cut, and whatever stands around the goodbye.
#[test]
fn a_goodbye_before_any_word_is_seen_and_no_word_is_taken() {
    let close = masked(0x88, &1000_u16.to_be_bytes());
    let ping = masked(0x89, b"there?");
    let long_ping = masked(0x89, &[b'x'; 125]);
    let word = masked(0x82, b"psst");
    for (frames, ends, said) in [
        (&[&close][..], true, ""),
        (&[&ping, &long_ping, &ping, &close], true, ""),
        (&[&close, &word], true, ""),
        (&[&word, &close], false, "psst\n"),
        (&[&ping, &word, &close], false, "psst\n"),
        (&[&word], false, "psst\n"),
        (&[&ping], false, ""),
    ] {
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.to_vec()).collect();
        for cut in 0..=bytes.len() {
            let mut web = open();
            web.under.input.extend(&bytes[..cut]);
            let before = web.peek(&mut []);
            web.under.input.extend(&bytes[cut..]);
            let ahead = web.peek(&mut []);
            let sees_end = matches!(ahead, Ahead::End);
            assert_eq!(sees_end, ends, "{frames:?} cut at {cut}");
            assert!(matches!(before, Ahead::Bytes(0)) || ends);
            assert_eq!(web.has_closed(), ends);
            let (heard, end) = hear(&mut web, 100);
            assert_eq!(heard, said.as_bytes(), "{frames:?} cut at {cut}");
            let is_end = matches!(end, Received::End);
            assert_eq!(is_end, frames.contains(&&close), "{end:?}");
        }
    }
    // Records of a layer below may be cut anywhere.
    for most in [1, 2, 5] {
        let mut web = open();
        web.under.most = most;
        for frame in [&ping, &long_ping, &close] {
            web.under.input.extend(frame);
        }
        while matches!(web.peek(&mut []), Ahead::Yield) {}
        assert!(web.has_closed(), "{most} bytes at a time");
        assert_eq!(web.unread(), Unread::NOTHING);
    }
    // Pings without end are another's turn after some of them.
    let mut web = open();
    for _ in 0..100 {
        web.under.input.extend(&long_ping);
    }
    web.under.input.extend(&close);
    let mut looks = 0;
    while matches!(web.peek(&mut []), Ahead::Yield) {
        looks += 1;
    }
    assert!((10..100).contains(&looks), "{looks}");
    assert!(web.has_closed());
    // What is not allowed is told by a read.
    let mut web = open();
    web.under.input.extend(masked(0x8f, b""));
    assert!(matches!(web.peek(&mut []), Ahead::Bytes(0)));
    assert!(matches!(hear(&mut web, 100).1, Received::Failed(_)));
    // So is an end without a goodbye.
    let mut web = open();
    web.under.has_ended = true;
    assert!(matches!(web.peek(&mut []), Ahead::Bytes(0)));
    assert!(matches!(hear(&mut web, 100).1, Received::Truncated(_)));
}

#[test]
fn the_page_is_answered_however_slowly_it_is_asked_for_and_taken() {
    let request = format!("GET / HTTP/1.1\r\n{HEAD}");
    let mut web = over(Wire {
        takes: [0, 100, 0].into(),
        most: 1,
        ..Wire::default()
    });
    assert!(matches!(web.handshake(&mut Unexplained), Handshake::Silent));
    for byte in request.bytes() {
        assert!(matches!(
            web.handshake(&mut Unexplained),
            Handshake::Silent | Handshake::Pending
        ));
        web.under.input.push_back(byte);
    }
    assert!(
        matches!(web.handshake(&mut Unexplained), Handshake::Pending),
        "it was full"
    );
    assert!(
        matches!(web.handshake(&mut Unexplained), Handshake::Replied),
        "it was full again"
    );
    assert!(matches!(
        web.handshake(&mut Unexplained),
        Handshake::Answered(None)
    ));
    let answer = written(&web);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (head, page) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("Content-Length: {}", page.len())),
        "{head}"
    );
    assert!(page.ends_with("</html>\n"), "{page}");
}

#[test]
fn refusals_are_answers_in_http() {
    for (request, status) in [
        (format!("GET /x HTTP/1.1\r\n{HEAD}"), "404 Not Found"),
        (UPGRADE.replace("http://192", "http://198"), "403 Forbidden"),
        (String::from("hello\r\n"), "400 Bad Request"),
        (String::from("\x16\x03\x01"), "400 Bad Request"),
        (
            "x".repeat(request::MAX_HEAD + 10),
            "431 Request Header Fields Too Large",
        ),
    ] {
        let mut web = asking(&request);
        let Handshake::Answered(refused) = web.handshake(&mut Unexplained) else {
            panic!("{request} is not answered");
        };
        assert_eq!(refused.is_some(), status.starts_with("403"), "{refused:?}");
        let answer = written(&web);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{answer}"
        );
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    }
    for (refusal, status, why) in [
        (
            Refusal::Admission(AdmissionError::Full(3)),
            503,
            "full, 3 are here already\n",
        ),
        (
            Refusal::Admission(AdmissionError::Locked),
            403,
            "nobody else is let in now\n",
        ),
        (Refusal::NoUpgrade, 426, "you would be let in\n"),
    ] {
        let mut web = asking(UPGRADE);
        assert!(matches!(web.handshake(&mut Unexplained), Handshake::Done));
        web.refuse(&refusal, &mut Unexplained).unwrap();
        let answer = written(&web);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.ends_with(&format!("\r\n\r\n{why}")), "{answer}");
        web.shutdown().unwrap();
        assert!(web.under.is_shut);
    }
    let mut gone = asking("");
    gone.under.has_ended = true;
    assert!(matches!(gone.handshake(&mut Unexplained), Handshake::Left));
    let plain = UPGRADE.replace("Upgrade: websocket\r\n", "");
    assert!(matches!(
        asking(&plain).handshake(&mut Unexplained),
        Handshake::Asks
    ));
}

#[test]
fn who_is_let_in_is_told_and_greeted_before_anything_else() {
    let mut web = asking(UPGRADE);
    assert!(matches!(web.handshake(&mut Unexplained), Handshake::Done));
    web.welcome(&mut Unexplained);
    web.say(&Aside::Hello(HELLO));
    web.write(&[IoSlice::new(b"hello")]);
    let answer = written(&web);
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{head}"
    );
    assert!(
        head.ends_with("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        "{head}"
    );
    let said = frames(&web.under.output[head.len() + 4..]);
    let hello = Aside::Hello(HELLO).to_string().into_bytes();
    assert_eq!(said, [(0x81, hello), (0x82, b"hello".to_vec())]);
}

#[test]
fn each_message_is_a_line() {
    for size in [1, 2, 7, 8, 9, 1000] {
        let mut web = open();
        web.under.input.extend(masked(0x82, b"one"));
        web.under.input.extend(masked(0x02, b"t"));
        web.under.input.extend(masked(0x89, b"are you there"));
        web.under.input.extend(masked(0x80, b"wo\n"));
        web.under
            .input
            .extend(masked(0x81, b"{\"type\":\"unknown\"}"));
        web.under.input.extend(masked(0x82, b""));
        web.under.input.extend(masked(0x02, b"x\n"));
        web.under.input.extend(masked(0x80, b""));
        web.under.input.extend(masked(0x82, b"three\nfour"));
        let (said, then) = hear(&mut web, size);
        assert_eq!(
            said.escape_ascii().to_string(),
            r"one\ntwo\n\nx\nthree\nfour\n"
        );
        assert!(matches!(then, Received::Pending), "{then:?}");
        assert!(!web.has_buffered_input());
        let answered = frames(&web.under.output);
        assert_eq!(answered, [(0x8a, b"are you there".to_vec())]);
    }
}

#[test]
fn a_close_is_answered_and_an_end_without_it_is_none() {
    let mut web = open();
    web.under.input.extend(masked(0x82, b"bye"));
    web.under
        .input
        .extend(masked(0x88, &1000_u16.to_be_bytes()));
    let (said, then) = hear(&mut web, 100);
    assert_eq!(said, b"bye\n");
    assert!(matches!(then, Received::End) && web.has_closed());
    assert!(matches!(web.read(&mut [0; 9]), Received::End));
    assert_eq!(frames(&web.under.output), [(0x88, vec![0x03, 0xe8])]);
    assert!(matches!(web.write(&[IoSlice::new(b"x")]), Sent::Failed(_)));
    let mut lost = open();
    lost.under.input.extend(&masked(0x82, b"half")[..8]);
    lost.under.has_ended = true;
    let (said, then) = hear(&mut lost, 100);
    assert_eq!(said, b"ha");
    assert!(matches!(then, Received::Truncated(_)) && !lost.has_closed());
    // It may come back: the class is not over.
    lost.shutdown().unwrap();
    assert_eq!(frames(&lost.under.output), []);
}

#[test]
fn what_is_not_allowed_ends_it_after_what_was_said() {
    let mut web = open();
    web.under.input.extend(masked(0x82, b"before"));
    web.under.input.extend([0x82, 0x05]);
    web.under.input.extend(masked(0x82, b"after"));
    let (said, then) = hear(&mut web, 100);
    assert_eq!(said, b"before\n");
    assert!(matches!(then, Received::Failed(_)), "{then:?}");
    assert_eq!(frames(&web.under.output), [(0x88, vec![0x03, 0xea])]);
    assert!(web.has_told_why());
}

/// And not what came of it in the layer below.
#[test]
fn what_is_not_allowed_is_told_by_whichever_call_notices_first() {
    type Call = fn(&mut Conn<WebSocket<Wire>>) -> io::Result<()>;
    let calls: [Call; 2] = [
        |conn| conn.write(&[IoSlice::new(b"said of it")]).map(drop),
        |conn| conn.flush(),
    ];
    for call in calls {
        let mut web = open();
        web.under.input.extend(masked(0x82, b"before"));
        web.under.input.extend([0x82, 0x05]);
        web.under.is_broken = true;
        let mut conn = Conn::new(web, SocketAddr::from(([192, 0, 2, 9], 5000)));
        let read = conn.read(&mut [0; 100]);
        assert!(matches!(read, Received::Bytes(7)), "{read:?}");
        let told = call(&mut conn).map_err(|error| error.to_string());
        assert_eq!(told, Err(String::from("it sent a frame unmasked")));
        let Received::Failed(error) = conn.read(&mut [0; 100]) else {
            panic!("a read tells it as well");
        };
        assert_eq!(error.to_string(), "it sent a frame unmasked");
    }
}

#[test]
fn the_end_says_why() {
    let aside = Aside::Over(Farewell {
        reason: None,
        heard: Some(0),
        hears: true,
    });
    let over = (0x81, aside.to_string().into_bytes());
    let mut web = open();
    web.say(&Aside::Here(2));
    web.say(&aside);
    web.shutdown().unwrap();
    web.shutdown().unwrap();
    assert_eq!(frames(&web.under.output), [over, (0x88, vec![0x03, 0xe9])]);
    // What is said until the other side's close is heard.
    web.under.input.extend(masked(0x82, b"wait"));
    web.under.input.extend(masked(0x88, b""));
    let (said, then) = hear(&mut web, 100);
    assert_eq!(said, b"wait\n");
    assert!(matches!(then, Received::End), "{then:?}");
    assert_eq!(frames(&web.under.output).len(), 2, "it closed first");
    let mut kicked = open();
    let farewell = Aside::Kicked(Farewell {
        reason: Some("be quiet"),
        heard: Some(5),
        hears: false,
    });
    kicked.say(&farewell);
    // It was told already.
    kicked.say(&aside);
    kicked.shutdown().unwrap();
    let why = farewell.to_string().into_bytes();
    assert_eq!(
        frames(&kicked.under.output),
        [(0x81, why), (0x88, vec![0x03, 0xf0])]
    );
}

#[test]
fn a_flood_of_pings_is_answered_with_one_and_gives_others_a_turn() {
    let mut web = open();
    for n in 0..1000_u32 {
        web.under.input.extend(masked(0x89, &n.to_be_bytes()));
    }
    web.under.takes = vec![0; 10_000].into();
    let mut buffer = [0; 100];
    assert!(matches!(web.read(&mut buffer), Received::Yield));
    assert!(!web.under.input.is_empty() && web.has_buffered_input());
    while !matches!(web.read(&mut buffer), Received::Pending) {}
    web.under.takes.clear();
    web.flush().unwrap();
    let pongs = frames(&web.under.output);
    assert!(pongs.len() <= 2, "{} pongs", pongs.len());
    assert_eq!(pongs.last(), Some(&(0x8a, 999_u32.to_be_bytes().to_vec())));
}

proptest! {
    /// In buffers of any size, from a stream that is cut anywhere.
    #[test]
    fn lines_are_whole_in_buffers_of_any_size(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..12),
        size in 1usize..400,
        most in 0usize..400,
    ) {
        let mut web = open();
        let mut expected = Vec::new();
        for message in &messages {
            web.under.input.extend(masked(0x82, message));
            expected.extend(message);
            if message.last() != Some(&b'\n') {
                expected.push(b'\n');
            }
        }
        web.under.most = most;
        let (said, then) = hear(&mut web, size);
        prop_assert_eq!(said, expected);
        prop_assert!(matches!(then, Received::Pending));
    }
}
