use std::time::Duration;

use super::*;

const ESTABLISHED: Reading = Reading {
    phase: Phase::Established,
    round_trip: Duration::from_micros(1500),
    segment: 1448,
    window: Some(65536),
    written: 0,
    acknowledged: 0,
    unsent: 0,
    in_flight: 0,
    resent: 0,
    probes: 0,
};

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A story that has got as far as to be connected, with nothing to tell.
fn connected(now: Instant) -> Story {
    let mut story = Story::default();
    story.observe(Observed::Connected {
        local: addr("192.0.2.1:50000"),
        remote: addr("192.0.2.7:80"),
        took: Duration::from_millis(2),
    });
    story.observe(Observed::Looked(ESTABLISHED, now));
    story.take(now);
    story
}

fn told(story: &mut Story, now: Instant) -> Vec<String> {
    story.take(now).iter().map(ToString::to_string).collect()
}

fn send(story: &mut Story, bytes: &[u8]) {
    story.observe(Observed::Sent(&[IoSlice::new(bytes)], bytes.len()));
}

#[track_caller]
fn expect(told: &[String], expected: &[&str]) {
    let fits = |(told, expected): (&String, &&str)| told.contains(*expected);
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    assert!(told.iter().zip(expected).all(fits), "{told:#?}");
}

#[test]
fn how_a_connection_comes_about_is_told_layer_by_layer() {
    let now = Instant::now();
    let mut story = Story::default();
    let (first, second) = (addr("[2001:db8::1]:80"), addr("192.0.2.7:80"));
    story.observe(Observed::Asked("example.org"));
    let took = Duration::from_millis(3);
    story.observe(Observed::Found("example.org", &[first, second], took));
    story.observe(Observed::Attempt {
        addr: first,
        beside: false,
    });
    story.observe(Observed::Attempt {
        addr: second,
        beside: true,
    });
    story.observe(Observed::Connected {
        local: addr("192.0.2.1:50000"),
        remote: second,
        took,
    });
    story.observe(Observed::Outrun {
        loser: first,
        winner: second,
    });
    assert!(story.wants_look(now));
    story.observe(Observed::Looked(ESTABLISHED, now));
    expect(
        &told(&mut story, now),
        &[
            "name: the system is asked for the addresses of example.org",
            "name: example.org has 2 addresses, found after 3.0ms, to be tried in this order: \
             2001:db8::1, 192.0.2.7",
            "TCP: our kernel is asked for a connection to [2001:db8::1]:80: it sends a SYN",
            "TCP: no answer yet: a SYN goes to 192.0.2.7:80, too",
            "TCP: SYN, SYN-ACK, ACK: the handshake with 192.0.2.7:80 is over, 3.0ms after our SYN",
            "TCP: its four numbers: 192.0.2.1 port 50000 here, 192.0.2.7 port 80 there",
            "TCP: [2001:db8::1]:80 did not answer before 192.0.2.7:80 did: it lost the race",
            "TCP: the kernel measured a round trip of 1.5ms; a segment carries up to 1448 bytes",
        ],
    );
    assert_eq!(story.deadline(), None, "nothing is on its way");
}

#[test]
fn a_connection_on_one_machine_says_that_no_packet_leaves_it() {
    let now = Instant::now();
    let both = |local: &str, remote: &str| {
        let mut story = Story::default();
        story.observe(Observed::Accepted {
            local: Some(addr(local)),
            remote: Some(addr(remote)),
        });
        told(&mut story, now).concat().contains("no packet leaves")
    };
    assert!(both("[::ffff:127.0.0.1]:3000", "127.0.0.1:40000"));
    assert!(both("192.0.2.7:3000", "192.0.2.7:40000"));
    assert!(!both("192.0.2.7:3000", "192.0.2.8:40000"));
}

#[test]
fn looks_are_timed_only_while_something_is_not_acknowledged() {
    let now = Instant::now();
    let mut story = connected(now);
    assert!(!story.wants_look(now) && story.deadline().is_none());
    send(&mut story, b"Hello\n");
    assert!(story.wants_look(now));
    let mut reading = Reading {
        written: 6,
        in_flight: 1,
        ..ESTABLISHED
    };
    let mut at = now;
    let mut pauses = Vec::new();
    for _ in 0..14 {
        story.observe(Observed::Looked(reading, at));
        let next = story.deadline().unwrap();
        pauses.push((next - at).as_millis());
        assert!(!story.wants_look(at) && story.wants_look(next));
        at = next;
    }
    assert_eq!(pauses[..4], [1, 2, 4, 8]);
    assert_eq!(pauses[12..], [1000, 1000]);
    expect(&told(&mut story, at), &["our first 6 bytes"]);
    reading.acknowledged = 6;
    reading.in_flight = 0;
    story.observe(Observed::Looked(reading, at));
    expect(
        &told(&mut story, at),
        &["the ACK came, for all 6 bytes so far"],
    );
    assert_eq!(story.deadline(), None);
    // What is received needs none at all.
    story.observe(Observed::Received(b"Hi\n"));
    assert!(!story.wants_look(at));
    expect(&told(&mut story, at), &["the first 3 bytes have come"]);
}

#[test]
fn who_ends_first_is_told_of_both_halves_and_of_the_time_after() {
    let now = Instant::now();
    let mut story = connected(now);
    story.observe(Observed::InputEnded);
    story.observe(Observed::InputEnded);
    story.observe(Observed::Shut);
    assert!(story.wants_look(now));
    let half = Reading {
        phase: Phase::FinWait2,
        ..ESTABLISHED
    };
    story.observe(Observed::Looked(half, now));
    story.observe(Observed::Looked(half, now));
    story.observe(Observed::Ended);
    story.observe(Observed::Ended);
    story.observe(Observed::Closing {
        breaks: false,
        unread: 0,
    });
    expect(
        &told(&mut story, now),
        &[
            "program: stdin has ended",
            "TCP: we end our side: a FIN goes out",
            "TCP: our FIN is acknowledged: half closed; our kernel calls this state FIN-WAIT-2",
            "TCP: the other side's FIN came, too: both directions have ended",
            "TIME-WAIT",
            "TCP: both sides have said their last: the connection is closed",
        ],
    );
}

#[test]
fn who_ends_last_is_told_that_it_is_waited_for() {
    let now = Instant::now();
    let mut story = connected(now);
    story.observe(Observed::Ended);
    assert!(story.wants_look(now));
    let half = Reading {
        phase: Phase::CloseWait,
        ..ESTABLISHED
    };
    story.observe(Observed::Looked(half, now));
    assert_eq!(
        story.deadline(),
        None,
        "half closed, and nothing is on its way"
    );
    story.observe(Observed::Closing {
        breaks: false,
        unread: 0,
    });
    expect(
        &told(&mut story, now),
        &[
            "the other side sends no more: its FIN came. We may still send",
            "CLOSE-WAIT",
            "we close the connection: our FIN goes out, too",
        ],
    );
}

#[test]
fn a_break_is_told_once_and_nothing_after_it() {
    let now = Instant::now();
    for (kind, expected) in [
        (
            io::ErrorKind::ConnectionReset,
            "a RST came: the other side broke off",
        ),
        (
            io::ErrorKind::BrokenPipe,
            "a RST came: the other side had ended its side",
        ),
        (io::ErrorKind::TimedOut, "(keepalive), got no answer"),
        (
            io::ErrorKind::ConnectionAborted,
            "the connection broke: connection aborted",
        ),
    ] {
        let mut story = connected(now);
        story.observe(Observed::Broke(&kind.into()));
        story.observe(Observed::Broke(&kind.into()));
        story.observe(Observed::Ended);
        story.observe(Observed::Closing {
            breaks: true,
            unread: 5,
        });
        expect(&told(&mut story, now), &[expected]);
    }
    let mut story = connected(now);
    send(&mut story, b"x");
    story.observe(Observed::Looked(
        Reading {
            written: 1,
            in_flight: 1,
            ..ESTABLISHED
        },
        now,
    ));
    story.take(now);
    story.observe(Observed::Broke(&io::ErrorKind::TimedOut.into()));
    expect(&told(&mut story, now), &["got no ACK"]);
}

#[test]
fn how_a_close_looks_on_the_wire_is_told() {
    let now = Instant::now();
    for (breaks, unread, expected) in [
        (true, 0, "not a FIN goes out, but a RST"),
        (
            false,
            5,
            "we close with 5 bytes unread: the kernel then sends a RST",
        ),
        (false, 0, "we close before the other side has ended its own"),
    ] {
        let mut story = connected(now);
        story.observe(Observed::Closing { breaks, unread });
        expect(&told(&mut story, now), &[expected]);
    }
}

#[test]
fn a_window_is_told_of_when_it_stays_closed_and_when_it_opens() {
    let start = Instant::now();
    let ms = |count| start + Duration::from_millis(count);
    let mut story = connected(start);
    send(&mut story, &[b'x'; 1000]);
    let closed = Reading {
        written: 100_000,
        acknowledged: 60_000,
        unsent: 40_000,
        window: Some(0),
        ..ESTABLISHED
    };
    let open = Reading {
        window: Some(65536),
        ..closed
    };
    // A moment is nothing.
    story.observe(Observed::Looked(closed, ms(0)));
    story.observe(Observed::Looked(closed, ms(100)));
    story.observe(Observed::Looked(open, ms(110)));
    expect(&told(&mut story, ms(110)), &["our first 1000 bytes"]);
    story.observe(Observed::Looked(closed, ms(200)));
    story.observe(Observed::Looked(closed, ms(400)));
    story.observe(Observed::Looked(closed, ms(600)));
    expect(
        &told(&mut story, ms(600)),
        &["the window is closed (win 0): their program does not read. 40000 bytes wait here"],
    );
    story.observe(Observed::Looked(open, ms(2200)));
    expect(
        &told(&mut story, ms(2200)),
        &["the window is open again after 2.0s"],
    );
    // Nothing waits for it: nobody cares.
    let unasked = Reading {
        unsent: 0,
        ..closed
    };
    story.observe(Observed::Looked(unasked, ms(3000)));
    story.observe(Observed::Looked(unasked, ms(9000)));
    expect(&told(&mut story, ms(9000)), &[]);
}

#[test]
fn what_was_sent_again_is_told_when_it_doubled() {
    let now = Instant::now();
    let mut story = connected(now);
    let mut counts = Vec::new();
    for resent in 0..20 {
        story.observe(Observed::Looked(
            Reading {
                resent,
                ..ESTABLISHED
            },
            now,
        ));
        if !told(&mut story, now).is_empty() {
            counts.push(resent);
        }
    }
    assert_eq!(counts, [1, 3, 7, 15]);
}

#[test]
fn what_a_peer_causes_is_bounded_and_the_rest_counted() {
    let now = Instant::now();
    let mut story = connected(now);
    for _ in 0..100_000 {
        story.observe(Observed::WaitedFor(1));
    }
    assert_eq!(story.telling.sentences.len(), WAITING);
    let burst = told(&mut story, now);
    // Some were taken when it was connected.
    assert!(
        burst.len() <= BURST as usize && burst.len() > 20,
        "{}",
        burst.len()
    );
    let later = story.deadline().unwrap();
    let rest = told(&mut story, later);
    let untold = 100_000 - burst.len();
    expect(
        &rest,
        &[&format!(
            "program: {untold} things more happened than was explained"
        )],
    );
    assert_eq!(story.deadline(), None);
    // At the end nothing is left to be told later.
    for _ in 0..200 {
        story.observe(Observed::WaitedFor(1));
    }
    story.observe(Observed::Vanished);
    let last = told(&mut story, later);
    assert!(last.last().unwrap().contains("more happened"), "{last:?}");
    assert_eq!(story.deadline(), None);
}

#[test]
fn a_unix_socket_has_no_tcp_to_tell_of() {
    let now = Instant::now();
    let mut story = Story::default();
    story.observe(Observed::Local("/tmp/x"));
    send(&mut story, b"a");
    assert!(!story.wants_look(now));
    story.observe(Observed::Received(b"b"));
    story.observe(Observed::Shut);
    story.observe(Observed::Ended);
    story.observe(Observed::Closing {
        breaks: false,
        unread: 0,
    });
    let told = told(&mut story, now);
    assert_eq!(told.len(), 5);
    assert!(
        told.iter().all(|one| one.starts_with("Unix socket: ")),
        "{told:#?}"
    );
    for word in ["FIN", "ACK", "RST"] {
        assert!(!told[1..].concat().contains(word), "{told:#?}");
    }
}

#[test]
fn tls_ends_in_words_of_its_own() {
    let now = Instant::now();
    let agreement = Agreement::Tls(TlsAgreement {
        version: String::from("TLS 1.3"),
        cipher: String::from("AES_256_GCM_SHA384"),
        protocol: Some(String::from("h2\x1b[2J")),
        certificate: Some(CertificateShown {
            names: String::from("example.org"),
            fingerprint: String::from("0123:4567"),
        }),
    });
    let mut story = connected(now);
    story.observe(Observed::Agreed(&agreement));
    story.observe(Observed::Believed(Belief::System));
    story.observe(Observed::Shut);
    story.observe(Observed::Truncated);
    expect(
        &told(&mut story, now),
        &[
            "TLS: the two agreed on TLS 1.3 and encrypt with AES_256_GCM_SHA384",
            "TLS: they also agreed to speak h2^[[2J (ALPN)",
            "TLS: its certificate is for example.org and has the fingerprint 0123:4567…",
            "TLS: we believe that it is who it says: an authority",
            "TLS: we say that we send no more (close_notify)",
            "TLS: the connection ended (FIN) without TLS's goodbye",
        ],
    );
}

/// What is told of HTTP when these pieces go out.
fn http(pieces: &[&str]) -> Vec<String> {
    let now = Instant::now();
    let mut story = connected(now);
    for piece in pieces {
        send(&mut story, piece.as_bytes());
    }
    let mut told = told(&mut story, now);
    told.retain(|one| one.starts_with("HTTP: "));
    told
}

#[test]
fn a_request_is_explained_line_by_line_as_it_is_typed() {
    let lines = ["GET / HTTP/1.1\r\n", "Host: example.org\r\n", "\r\n"];
    let expected = [
        "HTTP: we send a request line: the method GET (give me), the target /, the version HTTP/1.1",
        "HTTP: Host: example.org (which of the sites at this address is meant)",
        "HTTP: an empty line ends the request: now it is the server's turn",
    ];
    for until in 0..=3 {
        expect(&http(&lines[..until]), &expected[..until]);
    }
    expect(&http(&[&lines.concat()]), &expected);
    let text = lines.concat();
    let bytes: Vec<&str> = (0..text.len()).map(|at| &text[at..=at]).collect();
    expect(&http(&bytes), &expected);
}

#[test]
fn what_a_request_lacks_is_told() {
    expect(
        &http(&["GET / HTTP/1.1\n\n"]),
        &[
            "request line",
            "ends with LF alone, where HTTP wants CR LF (-C)",
            "has no Host field",
            "an empty line",
        ],
    );
    expect(
        &http(&["GET / HTTP/1.0\r\n\r\n"]),
        &["HTTP/1.0", "an empty line"],
    );
    expect(
        &http(&["GET /\r\n"]),
        &["lacks the version, as in: GET / HTTP/1.1"],
    );
    expect(
        &http(&["GET / HTTP/1.1\r\n", "Ho st: x\r\n"]),
        &["request line", "but is none"],
    );
}

#[test]
fn what_is_no_http_is_not_explained_and_not_kept() {
    for text in [
        "Hello\n",
        "GETTING there\n",
        "GET well soon\n",
        "HTTP is fun\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "get / HTTP/1.1\r\n\r\n",
        "\n\n\nHello\n",
    ] {
        expect(&http(&[text, "GET / HTTP/1.1\r\n\r\n"]), &[]);
    }
    let mut story = connected(Instant::now());
    for _ in 0..100 {
        send(&mut story, &[b'\n'; 1000]);
    }
    assert!(story.http.kept() <= 8 * 1024);
}

#[test]
fn bodies_are_passed_over_and_the_next_message_is_found() {
    let post = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\nGET /no HTTP/1.1\r\n";
    let next = "HEAD /b HTTP/1.1\r\nHost: x\r\nX-1: 1\r\nX-2: 2\r\n\r\n";
    let expected = [
        "the method POST (take this and do something with it), the target /a",
        "Host",
        "Content-Length: 18",
        "an empty line ends the head of the request; a body of 18 bytes follows",
        "the method HEAD (give me the head only), the target /b",
        "Host",
        "and 2 other fields: X-1, X-2",
        "an empty line ends the request",
    ];
    let text = [post, next].concat();
    expect(&http(&[&text]), &expected);
    for cut in [10, 60, post.len() - 1, post.len(), post.len() + 3] {
        expect(&http(&[&text[..cut], &text[cut..]]), &expected);
    }
}

#[test]
fn answers_are_explained_with_how_their_end_is_known() {
    let now = Instant::now();
    let answer = |request: &str, text: &str| {
        let mut story = connected(now);
        send(&mut story, request.as_bytes());
        story.observe(Observed::Received(text.as_bytes()));
        let mut told = told(&mut story, now);
        told.retain(|one| one.starts_with("HTTP: ") && !one.contains("Host"));
        told.split_off(2)
    };
    let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let ok = "HTTP/1.1 200 OK\r\n";
    expect(
        &answer(get, &format!("{ok}Content-Length: 5\r\n\r\nHello{ok}\r\n")),
        &[
            "the other side sends a status line: HTTP/1.1, 200 OK: done as you wish (2xx)",
            "Content-Length: 5",
            "an empty line ends the head; a body of 5 bytes follows",
            "200 OK",
            "the body follows, to the end of the connection (FIN)",
        ],
    );
    expect(
        &answer(
            get,
            &format!("{ok}Transfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n"),
        ),
        &[
            "200 OK",
            "Transfer-Encoding: chunked",
            "in chunks, each behind its length",
        ],
    );
    let head = "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n";
    expect(
        &answer(
            head,
            &format!("{ok}Content-Length: 5\r\n\r\nHTTP/1.1 404 Not Found\r\n"),
        ),
        &[
            "200 OK",
            "Content-Length: 5",
            "no body follows",
            "404 Not Found: there is no such thing",
        ],
    );
    expect(
        &answer(
            get,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n",
        ),
        &["100", "no body follows", "304", "no body follows"],
    );
}

#[test]
fn what_strangers_write_into_a_head_is_shown_and_never_obeyed() {
    let told = http(&["GET /\u{202e}\u{9b} HTTP/1.1\r\nServer: a\tb\u{1b}[2J\r\n\r\n"]);
    let text = told.concat();
    assert!(
        !text.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\t', '\n']),
        "{told:#?}"
    );
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(3000));
    assert!(http(&[&long])[0].len() < 200);
}

#[test]
fn a_flood_of_heads_is_explained_up_to_a_limit() {
    let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let told = http(&[&request.repeat(1000)]);
    assert_eq!(told.len(), 3 * 10);
    let endless = format!("GET / HTTP/1.1\r\n{}", "x: y\r\n".repeat(10_000));
    assert!(http(&[&endless]).len() <= 3);
}

#[test]
fn any_bytes_in_any_pieces_are_survived() {
    let now = Instant::now();
    let mut seed = 1u64;
    let mut next = move || {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (seed >> 33) as usize
    };
    let words: [&[u8]; 12] = [
        b"GET ",
        b"HTTP/1.1 ",
        b"/ HTTP/1.1\r\n",
        b"\r\n",
        b"\n",
        b"200 OK\r\n",
        b"Host: x\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"\x00\xff",
        b":",
        b"x",
    ];
    for _ in 0..3000 {
        let mut story = connected(now);
        for _ in 0..next() % 20 {
            let word = words[next() % words.len()];
            match next() % 2 {
                0 => send(&mut story, word),
                _ => story.observe(Observed::Received(word)),
            }
            assert!(story.http.kept() <= 2 * 8 * 1024);
        }
        told(&mut story, now);
    }
}

#[test]
fn websocket_ends_in_words_of_its_own() {
    let now = Instant::now();
    let mut story = connected(now);
    story.observe(Observed::Agreed(&Agreement::WebSocket));
    send(&mut story, b"Hi\n");
    story.observe(Observed::Ended);
    story.observe(Observed::Shut);
    story.observe(Observed::Closing {
        breaks: false,
        unread: 0,
    });
    expect(
        &told(&mut story, now),
        &[
            "WebSocket: from here on it is WebSocket and HTTP no more (Upgrade)",
            "TCP: our first 3 bytes, as WebSocket wraps them: the kernel sends them",
            "WebSocket: the other side said that it is over (a close frame)",
            "WebSocket: we say that it is over (a close frame)",
            "TCP: both sides have said their last, in WebSocket: now we close, and a FIN goes out",
        ],
    );
    let mut story = connected(now);
    story.observe(Observed::Agreed(&Agreement::WebSocket));
    story.observe(Observed::Truncated);
    story.observe(Observed::Shut);
    story.observe(Observed::Closing {
        breaks: false,
        unread: 0,
    });
    expect(
        &told(&mut story, now)[1..],
        &[
            "without WebSocket's goodbye (a close frame)",
            "WebSocket: we say that it is over (a close frame)",
            "TCP: we close, too: a FIN goes out, and both directions have ended",
        ],
    );
}
