use proptest::prelude::*;

use super::*;

const SUBJECT: &str = "muxnc.c.room2";

fn signer() -> Signer {
    Signer::new(&[7; 32])
}

fn author(number: u32, name: Option<&str>) -> Author {
    let name = name.map(Into::into);
    Author { number, name }
}

fn envelope(pieces: Vec<Piece>) -> Envelope {
    Envelope {
        hub: "room2".into(),
        key: signer().key(),
        seq: 42,
        first: 1001,
        here: 12,
        claims: false,
        pieces,
    }
}

fn signature(sealed: &Sealed) -> &str {
    let line = sealed
        .headers
        .lines()
        .find_map(|line| line.strip_prefix("Muxnc-Signature: "));
    line.expect("it is signed")
}

fn all() -> Vec<Piece> {
    let ana = || author(3, Some("Ana"));
    vec![
        Piece::Lost(ana(), 5),
        Piece::Said(ana(), b"hello\nclass\n".into()),
        Piece::Said(author(0, None), b"\xff\0 half".into()),
        Piece::Ask {
            key: signer().key(),
            whom: Whom::Number(7),
            what: What::Tell("psst \"\u{1}\n".into()),
        },
        Piece::Ask {
            key: signer().key(),
            whom: Whom::Name("Ana".into()),
            what: What::Kick("too \u{1f4a5}".into()),
        },
        Piece::Bye,
    ]
}

#[test]
fn what_is_sealed_is_opened() {
    for claims in [false, true] {
        let envelope = Envelope {
            claims,
            ..envelope(all())
        };
        let sealed = signer().seal(SUBJECT, &envelope);
        let opened = open(
            "c",
            SUBJECT.as_bytes(),
            Some(signature(&sealed)),
            &sealed.payload,
        );
        assert_eq!(opened.as_ref(), Some(&envelope));
        assert_eq!(envelope.lines(), 5 + 2 + 1);
        assert!(envelope.is_bye());
    }
    let sealed = signer().seal(
        SUBJECT,
        &envelope(vec![Piece::Said(author(3, None), b"hi\n".into())]),
    );
    let text = String::from_utf8(sealed.payload).unwrap();
    let key = signer().key();
    assert_eq!(
        text,
        format!(
            "{{\"v\":1,\"hub\":\"room2\",\"key\":\"{key}\",\"seq\":42,\"first\":1001,\"here\":12,\
             \"pieces\":[{{\"kind\":\"said\",\"from\":3,\"len\":3}}]}}\nhi\n"
        )
    );
}

/// Each byte of it, the subject and the class are part of what is signed, and the id is not to be guessed.
#[test]
fn what_is_changed_is_not_opened() {
    let sealed = signer().seal(SUBJECT, &envelope(all()));
    let signed = signature(&sealed);
    for at in 0..sealed.payload.len() {
        let mut payload = sealed.payload.clone();
        payload[at] ^= 1;
        assert_eq!(
            open("c", SUBJECT.as_bytes(), Some(signed), &payload),
            None,
            "{at}"
        );
    }
    let opens = |class: &str, subject: &str, signature: Option<&str>| {
        open(class, subject.as_bytes(), signature, &sealed.payload).is_some()
    };
    assert!(opens("c", SUBJECT, Some(signed)));
    for subject in [
        "muxnc.c.room1",
        "muxnc.c.",
        "muxnc.c",
        "muxnc.cc.room2",
        "x",
        "",
        "muxnc.c.room2.x",
    ] {
        assert!(!opens("c", subject, Some(signed)), "{subject}");
    }
    assert!(!opens("d", SUBJECT, Some(signed)));
    assert!(!opens("c", SUBJECT, None));
    assert!(!opens("c", SUBJECT, Some("")));
    let other = Signer::new(&[8; 32]).seal(SUBJECT, &envelope(all()));
    assert!(!opens("c", SUBJECT, Some(signature(&other))));
    assert!(
        sealed
            .headers
            .starts_with(&format!("Nats-Msg-Id: {}\r\n", &signed[..32]))
    );
    assert_eq!(signer().seal(SUBJECT, &envelope(all())), sealed);
}

/// With the signature of its author.
fn forged(head: &str, body: &[u8]) -> Option<Envelope> {
    let key = signer().key().to_string();
    let payload = [head.replace("KEY", &key).as_bytes(), b"\n", body].concat();
    let signature = signer().pair.sign(&signed(SUBJECT.as_bytes(), &payload));
    open(
        "c",
        SUBJECT.as_bytes(),
        Some(&URL_SAFE_NO_PAD.encode(signature)),
        &payload,
    )
}

const HEAD: &str =
    "{\"v\":1,\"hub\":\"room2\",\"key\":\"KEY\",\"seq\":1,\"first\":0,\"here\":0,\"pieces\":[P]}";

fn with(piece: &str, body: &[u8]) -> Option<Envelope> {
    forged(&HEAD.replace('P', piece), body)
}

/// Any process can make a key: a signature alone is no reason for trust.
#[test]
fn what_does_not_hold_together_is_not_opened_though_it_is_signed() {
    assert!(with("", b"").is_some());
    assert!(with("{\"kind\":\"said\",\"from\":1,\"len\":3}", b"hi\n").is_some());
    for (piece, body) in [
        ("{\"kind\":\"said\",\"from\":1,\"len\":4}", &b"hi\n"[..]),
        ("{\"kind\":\"said\",\"from\":1,\"len\":2}", b"hi\n"),
        ("{\"kind\":\"said\",\"from\":1,\"len\":0}", b""),
        ("{\"kind\":\"said\",\"from\":-1,\"len\":3}", b"hi\n"),
        (
            "{\"kind\":\"said\",\"from\":1,\"len\":99999999999999999999}",
            b"hi\n",
        ),
        (
            "{\"kind\":\"said\",\"from\":1,\"len\":18446744073709551615}",
            b"hi\n",
        ),
        (
            "{\"kind\":\"said\",\"name\":\"A]\\n[room1\",\"len\":3}",
            b"hi\n",
        ),
        (
            "{\"kind\":\"said\",\"name\":\"Ana@room1\",\"len\":3}",
            b"hi\n",
        ),
        (
            "{\"kind\":\"said\",\"name\":\"room1/3\",\"len\":3}",
            b"hi\n",
        ),
        ("{\"kind\":\"said\",\"name\":\"\",\"len\":3}", b"hi\n"),
        ("{\"kind\":\"lost\",\"lines\":18446744073709551615}", b""),
        ("{\"kind\":\"ask\",\"what\":\"kick\",\"key\":\"x\"}", b""),
        ("7", b""),
    ] {
        assert_eq!(with(piece, body), None, "{piece}");
    }
    let lost = "{\"kind\":\"lost\",\"lines\":9007199254740992}";
    assert!(with(lost, b"").is_some());
    assert_eq!(with(&[lost; 2].join(","), b""), None);
    let long = vec![b'x'; MAX_LINE + 1];
    assert_eq!(with("{\"kind\":\"said\",\"len\":65537}", &long), None);
    assert!(with("{\"kind\":\"said\",\"len\":65536}", &long[1..]).is_some());
    for (from, to) in [
        ("\"v\":1", "\"v\":2"),
        ("room2", "room1"),
        ("\"seq\":1", "\"seq\":9007199254740993"),
        ("\"first\":0", "\"first\":18446744073709551615"),
        ("\"here\":0", "\"here\":9007199254740993"),
        ("KEY", "AAAA"),
    ] {
        assert_eq!(
            forged(&HEAD.replace('P', "").replace(from, to), b""),
            None,
            "{to}"
        );
    }
    assert_eq!(
        forged(
            &format!("{}{}", HEAD.replace('P', ""), " ".repeat(MAX_HEAD)),
            b""
        ),
        None
    );
}

/// A later version may tell more.
#[test]
fn what_is_not_known_is_passed_over() {
    let pieces = "{\"kind\":\"waved\",\"len\":2,\"hand\":[1]},{\"kind\":\"said\",\"len\":3},\
        {\"kind\":\"ask\",\"what\":\"dance\"}";
    let envelope = with(pieces, b"..hi\n").unwrap();
    assert_eq!(
        envelope.pieces,
        [Piece::Said(author(0, None), b"hi\n".into())]
    );
}

#[test]
fn a_word_is_one_of_a_subject() {
    for word in ["room2", "A-b_9", &"x".repeat(32)] {
        assert!(is_word(word), "{word}");
    }
    for word in ["", "a.b", "a b", "*", ">", "é", "a\n", &"x".repeat(33)] {
        assert!(!is_word(word), "{word}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_opened(payload: Vec<u8>, signature in ".{0,100}") {
        prop_assert_eq!(open("c", SUBJECT.as_bytes(), Some(&signature), &payload), None);
    }

    #[test]
    fn lines_are_counted_as_they_are_cut(bytes in "[a\n]{0,40}") {
        let lines = bytes.split_inclusive('\n').count() as u64;
        prop_assert_eq!(count(bytes.as_bytes()), lines);
    }
}
