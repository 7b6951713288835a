use super::*;
use crate::engine::web::condition::Conditions;

const STAMP: Stamp = Stamp {
    device: 1,
    inode: 2,
    size: 100,
    modified: (784_111_777, 5),
};

/// One of 90 bytes whose digest is known.
fn offer() -> Offer {
    let mut offer = Offer::new(Some("exam.pdf"), 10, STAMP);
    assert_eq!(offer.unsummed(), Some(10..100));
    offer.add(&[b'x'; 60], || panic!("it is not the last"));
    assert_eq!(offer.unsummed(), Some(70..100));
    offer.add(&[b'x'; 30], || Some(STAMP));
    assert_eq!(offer.unsummed(), None);
    offer
}

fn file() -> Wanted {
    Wanted {
        what: What::File,
        head_only: false,
        range: None,
        conditions: Conditions::default(),
    }
}

fn page() -> Wanted {
    Wanted {
        what: What::Page,
        ..file()
    }
}

/// When all is answered: a day later than the file was changed.
fn time() -> Date {
    Date::new(784_111_777 + 24 * 60 * 60).unwrap()
}

/// The answer's text, and the bytes of the file that follow.
#[track_caller]
fn ask(offer: &Offer, wanted: &Wanted, now: Stamp) -> (String, Range<u64>) {
    let Answer { bytes, body } = offer.answer(wanted, now, time());
    (String::from_utf8(bytes).expect("text"), body)
}

fn tag(answer: &str) -> &str {
    let (_, tag) = answer.split_once("\r\nETag: ").expect("a tag");
    tag.split_once("\r\n").expect("a line").0
}

#[test]
fn the_whole_file_is_told_with_all_that_is_known_of_it() {
    let (answer, body) = ask(&offer(), &file(), STAMP);
    let tag = tag(&answer);
    // head -c 90 /dev/zero | tr '\0' x | openssl dgst -sha256 -binary | base64
    let expected = format!(
        "HTTP/1.1 200 OK\r\n\
         Date: Mon, 07 Nov 1994 08:49:37 GMT\r\n\
         Cache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\n\
         Content-Type: application/octet-stream\r\n\
         Content-Length: 90\r\n\
         Content-Disposition: attachment; filename=\"exam.pdf\"; filename*=UTF-8''exam.pdf\r\n\
         Accept-Ranges: bytes\r\n\
         ETag: {tag}\r\n\
         Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         Repr-Digest: sha-256=:79/Z7pd8ttn2yjHhqk6HHfjvfa2V60g+neOjEbrLpA8=:\r\n\
         Connection: close\r\n\r\n"
    );
    assert_eq!(answer, expected);
    assert_eq!(body, 10..100);
    assert!(tag.len() == 34 && tag.starts_with('"'), "{tag}");
    let head = Wanted {
        head_only: true,
        range: Some(String::from("bytes=7-")),
        ..file()
    };
    assert_eq!(ask(&offer(), &head, STAMP), (expected, 0..0));
}

#[test]
fn a_part_is_one_of_the_bytes_that_are_offered() {
    let part = |range: &str| Wanted {
        range: Some(range.into()),
        ..file()
    };
    let (answer, body) = ask(&offer(), &part("bytes=80-"), STAMP);
    assert!(answer.starts_with("HTTP/1.1 206 Partial Content\r\n"));
    for field in ["Content-Range: bytes 80-89/90", "Content-Length: 10"] {
        assert!(answer.contains(&format!("\r\n{field}\r\n")), "{answer}");
    }
    // It is of the whole (RFC 9530, section 3).
    assert!(answer.contains("Repr-Digest: sha-256=:79/Z"), "{answer}");
    assert_eq!(body, 90..100);
    let (answer, body) = ask(&offer(), &part("bytes=90-"), STAMP);
    assert!(
        answer.starts_with("HTTP/1.1 416 Range Not Satisfiable\r\n"),
        "{answer}"
    );
    assert!(
        answer.contains("\r\nContent-Range: bytes */90\r\n"),
        "{answer}"
    );
    assert_eq!(body, 0..0);
    let (answer, body) = ask(&offer(), &part("bytes=0-1,5-6"), STAMP);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(body, 10..100);
}

#[test]
fn parts_of_two_files_are_not_put_together() {
    let (answer, _) = ask(&offer(), &file(), STAMP);
    let tag = tag(&answer);
    let changed = Stamp {
        modified: (784_111_777, 6),
        ..STAMP
    };
    let part = |if_range: &str| Wanted {
        range: Some(String::from("bytes=80-")),
        conditions: Conditions {
            if_range: Some(if_range.into()),
            ..Conditions::default()
        },
        ..file()
    };
    let body = |wanted: &Wanted, now| ask(&offer(), wanted, now).1;
    assert_eq!(body(&part(tag), STAMP), 90..100);
    assert_eq!(body(&part(tag), changed), 10..100);
    for other in [
        "\"x\"",
        &format!("W/{tag}"),
        "Sun, 06 Nov 1994 08:49:37 GMT",
    ] {
        assert_eq!(body(&part(other), STAMP), 10..100, "{other}");
    }
    let same = |if_match: &str| Wanted {
        conditions: Conditions {
            if_match: Some(if_match.into()),
            ..Conditions::default()
        },
        ..file()
    };
    assert_eq!(body(&same("*"), changed), 10..100);
    assert_eq!(body(&same(&format!("\"x\", {tag}")), STAMP), 10..100);
    let (answer, body) = ask(&offer(), &same(tag), changed);
    assert!(answer.starts_with("HTTP/1.1 412 "), "{answer}");
    assert_eq!(body, 0..0);
}

#[test]
fn who_has_it_already_is_told_no_more_than_that() {
    let (whole, _) = ask(&offer(), &file(), STAMP);
    let tag = tag(&whole);
    let none_match = |tags: &str| Wanted {
        // There is no such byte, but nobody gets to that.
        range: Some(String::from("bytes=90-")),
        conditions: Conditions {
            if_none_match: Some(tags.into()),
            ..Conditions::default()
        },
        ..file()
    };
    // What the whole would have of the fields that matter to a cache, and no length (RFC 9110, section 15.4.5).
    let expected = format!(
        "HTTP/1.1 304 Not Modified\r\n\
         Date: Mon, 07 Nov 1994 08:49:37 GMT\r\n\
         Cache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\n\
         ETag: {tag}\r\n\
         Connection: close\r\n\r\n"
    );
    let same = none_match(tag);
    assert_eq!(ask(&offer(), &same, STAMP), (expected.clone(), 0..0));
    let head = Wanted {
        head_only: true,
        ..same
    };
    assert_eq!(ask(&offer(), &head, STAMP), (expected, 0..0));
    let (answer, _) = ask(&offer(), &none_match("\"x\""), STAMP);
    assert!(answer.starts_with("HTTP/1.1 416 "), "{answer}");
}

#[test]
fn a_date_is_that_of_the_file_and_never_one_to_come() {
    let since = |date: Date| Wanted {
        conditions: Conditions {
            if_modified_since: Some(date.to_string()),
            ..Conditions::default()
        },
        ..file()
    };
    let status = |date, now| {
        let (answer, _) = ask(&offer(), &since(date), now);
        answer.split(' ').nth(1).map(String::from)
    };
    let then = Date::new(STAMP.modified.0).unwrap();
    let before = Date::new(STAMP.modified.0 - 1).unwrap();
    assert_eq!(status(then, STAMP).as_deref(), Some("304"));
    assert_eq!(status(before, STAMP).as_deref(), Some("200"));
    let to_come = Stamp {
        modified: (i64::from(u32::MAX), 0),
        ..STAMP
    };
    let (answer, _) = ask(&offer(), &file(), to_come);
    let told = format!("\r\nLast-Modified: {}\r\n", time());
    assert!(answer.contains(&told), "{answer}");
    assert_eq!(status(then, to_come).as_deref(), Some("200"));
    let undated = Stamp {
        modified: (i64::MAX, 0),
        ..STAMP
    };
    let (answer, _) = ask(&offer(), &since(then), undated);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(!answer.contains("Last-Modified"), "{answer}");
}

#[test]
fn a_tag_is_the_files_and_a_digest_does_not_change_it() {
    let of = |start, stamp, now| {
        let (answer, _) = ask(&Offer::new(Some("a"), start, stamp), &file(), now);
        (tag(&answer).to_owned(), answer.contains("Repr-Digest"))
    };
    let (known, _) = ask(&offer(), &file(), STAMP);
    assert_eq!(of(10, STAMP, STAMP), (tag(&known).to_owned(), false));
    let mut tags = vec![of(10, STAMP, STAMP).0, of(9, STAMP, STAMP).0];
    for (device, inode, size, modified) in [
        (9, 2, 100, (784_111_777, 5)),
        (1, 9, 100, (784_111_777, 5)),
        (1, 2, 101, (784_111_777, 5)),
        (1, 2, 100, (784_111_778, 5)),
    ] {
        let other = Stamp {
            device,
            inode,
            size,
            modified,
        };
        tags.push(of(10, STAMP, other).0);
    }
    let count = tags.len();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), count);
    // Of nothing the digest is known at once.
    assert!(of(100, STAMP, STAMP).1);
    assert!(of(101, STAMP, STAMP).1);
}

#[test]
fn a_digest_is_told_only_of_the_file_that_it_is_of() {
    let changed = Stamp { size: 99, ..STAMP };
    let mut shorter = Offer::new(None, 0, STAMP);
    shorter.add(b"", || Some(changed));
    let mut other = Offer::new(None, 0, STAMP);
    other.add(&[0; 100], || Some(changed));
    let mut gone = Offer::new(None, 0, STAMP);
    gone.add(&[0; 100], || None);
    for offer in [shorter, other, gone] {
        assert_eq!(offer.unsummed(), None);
        let (answer, _) = ask(&offer, &file(), STAMP);
        assert!(!answer.contains("Repr-Digest"), "{answer}");
        let (html, _) = ask(&offer, &page(), STAMP);
        assert!(html.contains("the file was changed"), "{html}");
    }
    let (answer, _) = ask(&offer(), &file(), changed);
    assert!(!answer.contains("Repr-Digest"), "{answer}");
    let (html, _) = ask(&offer(), &page(), changed);
    assert!(html.contains("the file was changed"), "{html}");
}

#[test]
fn the_page_tells_of_the_file() {
    let stamp = Stamp {
        size: 5_678_901,
        ..STAMP
    };
    let name = Some("a <b> & {size} 'c'\".pdf");
    let (html, body) = ask(&Offer::new(name, 0, stamp), &page(), stamp);
    assert_eq!(body, 0..0);
    for text in [
        "a &lt;b&gt; &amp; {size} &#39;c&#39;&quot;.pdf",
        "5,678,901 bytes (5.4 MiB)",
        "is being computed",
        " href=\"/file\"",
        "default-src 'none'; script-src 'none'; style-src 'sha256-",
        "connect-src 'none'; ",
    ] {
        assert!(html.contains(text), "{text}: {html}");
    }
    let (html, _) = ask(&offer(), &page(), STAMP);
    let hash = "efdfd9ee977cb6d9f6ca31e1aa4e871df8ef7dad95eb483e9de3a311bacba40f";
    assert!(html.contains(hash) && html.contains("90 bytes"), "{html}");
    let only_head = Wanted {
        head_only: true,
        ..page()
    };
    let (head, _) = ask(&offer(), &only_head, STAMP);
    assert!(head.ends_with("\r\n\r\n") && html.starts_with(&head));
}

#[test]
fn numbers_are_grouped() {
    for (number, expected) in [
        (0, "0"),
        (999, "999"),
        (1000, "1,000"),
        (1_234_567, "1,234,567"),
    ] {
        assert_eq!(grouped(number), expected);
    }
}
