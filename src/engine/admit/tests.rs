//! Which hosts a list means, and whom it lets in.

use super::*;

fn hosts(text: &str) -> Hosts {
    match Word::parse(text) {
        Ok(Word::Hosts(hosts)) => hosts,
        other => panic!("{text}: {other:?}"),
    }
}

#[track_caller]
fn expect(text: &str, inside: &[&str], outside: &[&str]) {
    let hosts = hosts(text);
    for ip in inside {
        assert!(hosts.has(ip.parse().unwrap()), "{ip} is in {text}");
    }
    for ip in outside {
        assert!(!hosts.has(ip.parse().unwrap()), "{ip} is not in {text}");
    }
}

#[test]
fn a_word_means_addresses() {
    expect(
        "192.0.2.7",
        &["192.0.2.7", "::ffff:192.0.2.7"],
        &["192.0.2.8", "::c000:207"],
    );
    expect("::ffff:192.0.2.7", &["192.0.2.7"], &["192.0.2.8"]);
    expect(
        "192.0.2.77/24",
        &["192.0.2.0", "192.0.2.255"],
        &["192.0.3.0", "192.0.1.255"],
    );
    expect("192.0.2.128/25", &["192.0.2.128"], &["192.0.2.127"]);
    expect("::ffff:192.0.2.0/120", &["192.0.2.9"], &["192.0.3.9"]);
    expect(
        "0.0.0.0/0",
        &["0.0.0.0", "255.255.255.255"],
        &["::", "2001:db8::1"],
    );
    expect(
        "::/0",
        &["::", "2001:db8::1", "ffff::"],
        &["192.0.2.7", "::ffff:192.0.2.7"],
    );
    expect(
        "2001:db8::/33",
        &["2001:db8:7fff::1"],
        &["2001:db8:8000::", "2001:db9::"],
    );
    expect("fe80::1%eth0", &["fe80::1"], &["fe80::2"]);
    expect("2001:db8::1/128", &["2001:db8::1"], &["2001:db8::"]);
}

#[test]
fn bytes_may_have_ranges() {
    expect(
        "192.0.2.*",
        &["192.0.2.0", "::ffff:192.0.2.9"],
        &["192.0.3.0", "::c000:200"],
    );
    expect("192.0-1.2.7", &["192.0.2.7", "192.1.2.7"], &["192.2.2.7"]);
    expect(
        "192.0.2.250-",
        &["192.0.2.250", "192.0.2.255"],
        &["192.0.2.249"],
    );
    expect("-9.0.2.1", &["0.0.2.1", "9.0.2.1"], &["10.0.2.1"]);
    expect("-.*.-.*", &["1.2.3.4"], &["2001:db8::1"]);
}

#[test]
fn a_number_that_may_be_octal_is_refused() {
    for text in [
        "127.0.0.010",
        "010.0.0.1",
        "192.0.2.01-9",
        "192.0.2.1-010",
        "127.0.0.00",
        "127.0.0.1/08",
        "127.0.0.0/010",
        "2001:db8::/032",
    ] {
        let why = Word::parse(text).unwrap_err();
        assert!(why.contains("octal"), "{text}: {why}");
    }
    expect("10.0.0.0", &["10.0.0.0"], &["8.0.0.0"]);
}

#[test]
fn an_address_that_others_write_so_is_no_name() {
    for text in [
        "0x7f.0.0.1",
        "0x7f000001",
        "0X7F.1",
        "0x7f.1.",
        "127.0.0.0x1",
        "0x7f.1/24",
        "127.0.0.1.",
        "1.0x",
    ] {
        assert!(Word::parse(text).is_err(), "{text}");
    }
    for text in ["0x7f.example", "0xyz", "7f.1a", "x0x7f"] {
        assert!(matches!(Word::parse(text), Ok(Word::Name(..))), "{text}");
    }
}

#[test]
fn a_word_may_be_a_name() {
    let name = |text: &str, bits| Ok(Word::Name(text.into(), bits));
    assert_eq!(Word::parse("localhost"), name("localhost", None));
    assert_eq!(
        Word::parse("a-b.example.org/24"),
        name("a-b.example.org", Some(24))
    );
    assert_eq!(Word::parse("1und1.example"), name("1und1.example", None));
}

#[test]
fn what_means_nothing_is_refused() {
    for text in [
        "",
        "/",
        "/8",
        "192.0.2.7/",
        "192.0.2.7/33",
        "192.0.2.7/-1",
        "192.0.2.7/+8",
        "::/129",
        "127.1",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.7.1",
        "192.0.2.9-3",
        "192.0.2.*/24",
        "192.0.2.3-300",
        "a b",
        "a:80",
        "[::1]",
        "192.0.2.7:80",
        "!a",
        "2130706433",
        "localhost/x",
    ] {
        assert!(Word::parse(text).is_err(), "{text}");
    }
}

fn admission(allow: Option<&[&str]>, deny: &[&str]) -> Admission {
    let list = |words: &[&str]| words.iter().map(|word| hosts(word)).collect();
    let lists = Lists {
        allow: allow.map(list),
        deny: list(deny),
    };
    Admission::new(lists, None, None)
}

#[test]
fn deny_wins_and_allow_limits() {
    let ask = |admission: &Admission, ip: &str| admission.ask(ip.parse().ok(), 0, 0);
    let all = admission(None, &[]);
    assert_eq!(ask(&all, "192.0.2.7"), Ok(()));
    let but_one = admission(None, &["192.0.2.7"]);
    assert_eq!(ask(&but_one, "192.0.2.7"), Err(AdmissionError::NotAllowed));
    assert_eq!(
        ask(&but_one, "::ffff:192.0.2.7"),
        Err(AdmissionError::NotAllowed)
    );
    assert_eq!(ask(&but_one, "192.0.2.8"), Ok(()));
    let some = admission(Some(&["192.0.2.0/24", "::1"]), &["192.0.2.7"]);
    assert_eq!(ask(&some, "192.0.2.8"), Ok(()));
    assert_eq!(ask(&some, "::1"), Ok(()));
    assert_eq!(ask(&some, "192.0.2.7"), Err(AdmissionError::NotAllowed));
    assert_eq!(ask(&some, "192.0.3.8"), Err(AdmissionError::NotAllowed));
    let nobody = admission(Some(&[]), &[]);
    assert_eq!(ask(&nobody, "192.0.2.7"), Err(AdmissionError::NotAllowed));
}

#[test]
fn so_many_are_let_in_and_so_many_of_one_address() {
    let ip = "192.0.2.7".parse().unwrap();
    let ask = |admission: Admission, here, from_there| admission.ask(Some(ip), here, from_there);
    let all = || Admission::new(Lists::default(), None, None);
    let some = || Admission::new(Lists::default(), Some(3), Some(2));
    assert_eq!(ask(all(), 1000, 1000), Ok(()));
    assert_eq!(ask(some(), 2, 1), Ok(()));
    assert_eq!(ask(some(), 2, 2), Err(AdmissionError::FullOfHost(2)));
    assert_eq!(ask(some(), 3, 0), Err(AdmissionError::Full(3)));
    assert_eq!(ask(some(), 3, 2), Err(AdmissionError::Full(3)));
}

#[test]
fn heads_are_counted_by_address() {
    let ip = |text: &str| text.parse().unwrap();
    let mut headcount = Headcount::default();
    headcount.joined(ip("192.0.2.7"));
    headcount.joined(ip("::ffff:192.0.2.7"));
    headcount.joined(ip("::1"));
    assert_eq!(headcount.of(ip("192.0.2.7")), 2);
    assert_eq!(headcount.of(ip("192.0.2.8")), 0);
    headcount.left(ip("192.0.2.7"));
    headcount.left(ip("192.0.2.7"));
    assert_eq!(headcount.of(ip("192.0.2.7")), 0);
    assert_eq!(headcount.0.len(), 1);
}

#[test]
#[cfg(debug_assertions)]
fn counts_that_cannot_be_do_not_pass() {
    use std::panic::catch_unwind;
    let ip: IpAddr = "192.0.2.1".parse().unwrap();
    let left = catch_unwind(|| Headcount::default().left(ip));
    assert!(left.is_err(), "more left than came");
    let kept = Headcount(HashMap::from([(ip, 0)]));
    assert!(catch_unwind(|| kept.check(ip)).is_err(), "kept for no peer");
}

#[test]
fn hosts_are_written_as_in_a_list() {
    for text in [
        "192.0.2.7",
        "192.0.2.0/24",
        "0.0.0.0/0",
        "192.0.2-4.*",
        "192.0.2.1-99",
        "2001:db8::1",
        "2001:db8::/32",
        "::/0",
        "::fffe:0:0/95",
    ] {
        assert_eq!(hosts(text).to_string(), text);
    }
    assert_eq!(hosts("::ffff:192.0.2.7").to_string(), "192.0.2.7");
}

#[test]
fn what_is_commanded_stands_beside_the_lists() {
    let lists = |allow: Option<&str>, deny: &str| Lists {
        allow: allow.map(|text| vec![hosts(text)]),
        deny: vec![hosts(deny)],
    };
    let ip = |text: &str| Some(text.parse().unwrap());
    let mut admission = Admission::new(lists(None, "198.51.100.1"), None, None);
    assert_eq!(admission.ask(ip("192.0.2.1"), 0, 0), Ok(()));
    assert_eq!(admission.door(), Door::Open);
    admission.ban(hosts("192.0.2.1"));
    let refused = Err(AdmissionError::NotAllowed);
    assert_eq!(admission.ask(ip("192.0.2.1"), 0, 0), refused);
    assert_eq!(admission.ask(ip("192.0.2.2"), 0, 0), Ok(()));
    // Who is allowed by command is the only one.
    admission.allow(hosts("192.0.2.0/30"));
    assert_eq!(admission.ask(ip("192.0.2.2"), 0, 0), Ok(()));
    assert_eq!(admission.ask(ip("192.0.2.1"), 0, 0), refused, "banned");
    assert_eq!(admission.ask(ip("203.0.113.1"), 0, 0), refused);
    // Lists that are read again take nothing of it back.
    admission.set_lists(lists(Some("203.0.113.1"), "192.0.2.2"));
    assert_eq!(admission.ask(ip("203.0.113.1"), 0, 0), Ok(()));
    assert_eq!(admission.ask(ip("192.0.2.3"), 0, 0), Ok(()));
    assert_eq!(admission.ask(ip("192.0.2.2"), 0, 0), refused);
    assert_eq!(admission.ask(ip("192.0.2.1"), 0, 0), refused);
    assert_eq!(admission.ask(None, 0, 0), Ok(()), "it has no address");
    admission.lock();
    for newcomer in [None, ip("203.0.113.1"), ip("192.0.2.3")] {
        assert_eq!(admission.ask(newcomer, 0, 0), Err(AdmissionError::Locked));
    }
    // Whom a command names since then is let in, if nothing refuses it.
    for named in ["192.0.2.1", "192.0.2.2", "203.0.113.9"] {
        admission.allow(hosts(named));
    }
    assert_eq!(admission.ask(ip("203.0.113.9"), 0, 0), Ok(()));
    assert_eq!(admission.ask(ip("192.0.2.1"), 0, 0), refused, "banned");
    assert_eq!(admission.ask(ip("192.0.2.2"), 0, 0), refused, "denied");
    assert_eq!(admission.ask(None, 0, 0), Err(AdmissionError::Locked));
    // Without the lock it is as it was before.
    admission.unlock();
    assert_eq!(admission.door(), Door::Invited(&[hosts("192.0.2.0/30")]));
    assert_eq!(admission.ask(ip("203.0.113.9"), 0, 0), refused);
    assert_eq!(admission.ask(ip("192.0.2.3"), 0, 0), Ok(()));
    admission.lock();
    admission.allow(hosts("203.0.113.9"));
    admission.allow_all();
    assert_eq!(admission.door(), Door::Locked(&[]));
    admission.unlock();
    assert_eq!(admission.door(), Door::Invited(&[]), "the list is left");
}

#[test]
fn which_hosts_are_among_which() {
    for (outer, inner) in [
        ("192.0.2.0/24", "192.0.2.7"),
        ("192.0.2.0/24", "192.0.2.1-9"),
        ("192.0.2.*", "192.0.2.128/25"),
        ("192.0.0-2.*", "192.0.2.7"),
        ("0.0.0.0/0", "*.*.*.*"),
        ("::/0", "2001:db8::/32"),
        ("2001:db8::1", "2001:db8::1/128"),
    ] {
        let (outer, inner) = (hosts(outer), hosts(inner));
        assert!(outer.contain(&inner), "{outer} {inner}");
        assert!(outer.meet(&inner) && inner.meet(&outer));
    }
    for (one, other) in [
        ("192.0.2.7", "192.0.2.8"),
        ("192.0.2.0/25", "192.0.2.128-"),
        ("192.0.2.*", "192.0.3.0/24"),
        ("2001:db8::/32", "192.0.2.*"),
        ("2001:db8::/32", "2001:db9::/32"),
        ("::1", "192.0.2.*"),
    ] {
        let (one, other) = (hosts(one), hosts(other));
        assert!(!one.meet(&other) && !other.meet(&one), "{one} {other}");
        assert!(!one.contain(&other) && !other.contain(&one));
    }
    let (one, other) = (hosts("192.0.2.0-9"), hosts("192.0.2.8/29"));
    assert!(one.meet(&other) && other.meet(&one));
    assert!(!one.contain(&other) && !other.contain(&one));
}

/// So it can be taken back as it was told, and as it is written elsewhere.
#[test]
fn the_same_addresses_are_equal_however_they_were_written() {
    for (told, others) in [
        ("192.0.2.1", &["192.0.2.1-1", "192.0.2.1/32"][..]),
        (
            "192.0.2.0/24",
            &[
                "192.0.2.7/24",
                "192.0.2.*",
                "192.0.2-2.-",
                "::ffff:192.0.2.7/120",
            ],
        ),
        ("192.0.2.128/25", &["192.0.2.128-", "192.0.2.200/25"]),
        ("192.0.2.8/31", &["192.0.2.8-9"]),
        ("192.0.2.7-8", &[]),
        ("192.0.2-3.1", &[]),
        ("192.0.2.0/23", &["192.0.2-3.*", "192.0.3.9/23"]),
        ("192.0.1-2.*", &[]),
        ("0.0.0.0/0", &["*.*.*.*", "192.0.2.7/0", "::ffff:0:0/96"]),
        ("2001:db8::/32", &["2001:db8::7/32", "2001:db8:ffff::1/32"]),
        ("2001:db8::1", &["2001:db8::1/128", "2001:db8::1%eth0"]),
        ("::/0", &["2001:db8::1/0"]),
    ] {
        assert_eq!(hosts(told).to_string(), told);
        for other in others {
            assert_eq!(hosts(other), hosts(told), "{other}");
        }
    }
}

#[test]
fn all_of_ipv6_has_nothing_of_ipv4() {
    let (all, wide) = (hosts("::/0"), hosts("::ffff:0:0/90"));
    for ipv4 in ["192.0.2.7", "192.0.2.0/24", "192.0.2-3.*"].map(hosts) {
        for ipv6 in [&all, &wide] {
            assert!(!ipv6.contain(&ipv4) && !ipv6.meet(&ipv4) && !ipv4.meet(ipv6));
        }
    }
    assert!(all.contain(&wide) && all.contain(&hosts("::1")) && all.meet(&wide));
}
