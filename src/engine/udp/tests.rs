//! The decisions of a conversation of datagrams, without a socket.

use super::datagrams::PATIENCE;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Everything that goes out now, and to whom.
fn sent(exchange: &mut Exchange<usize>, now: Instant) -> Vec<(String, Option<usize>)> {
    let mut sent = Vec::new();
    while exchange.begin(now) {
        while let Some((datagram, to)) = exchange.due() {
            sent.push((String::from_utf8(datagram.to_vec()).unwrap(), to));
            exchange.went(now);
        }
    }
    sent
}

/// Everything that is told.
fn told(exchange: &mut Exchange<usize>) -> Vec<String> {
    std::iter::from_fn(|| exchange.take_news())
        .map(|news| news.to_string())
        .collect()
}

fn to_one(text: &str) -> (String, Option<usize>) {
    (text.into(), None)
}

#[test]
fn what_is_typed_waits_for_the_first_and_goes_to_everybody() {
    let now = Instant::now();
    let mut hub = Exchange::with_many(Rules::default(), now);
    hub.feed(b"early\n", now);
    assert!(!hub.can_send(now) && !hub.wants_input());
    assert!(sent(&mut hub, now).is_empty());
    assert_eq!(hub.heard(2, 10, now), 1);
    assert_eq!(sent(&mut hub, now), [("early\n".into(), Some(2))]);
    assert_eq!((hub.heard(4, 10, now), hub.heard(2, 1, now)), (2, 1));
    hub.feed(b"hi\n", now);
    let hi = |to| (String::from("hi\n"), Some(to));
    assert_eq!(sent(&mut hub, now), [hi(2), hi(4)]);
    assert!(hub.has_several());
    assert_eq!(
        told(&mut hub),
        ["[1] 2 is heard, 1 here", "[2] 4 is heard, 2 here"]
    );
    hub.look(now + REMEMBERED);
    assert_eq!(
        told(&mut hub),
        [
            "[2] 4 was silent for long, 1 here",
            "[1] 2 was silent for long, 0 here"
        ]
    );
}

#[test]
fn keys_are_read_while_lines_wait_up_to_a_bound() {
    let now = Instant::now();
    let mut hub = Exchange::with_many(Rules::default(), now);
    let line = [&[b'x'; 99][..], b"\n"].concat();
    let mut lines = 0;
    while hub.wants_keys() {
        hub.feed(&line, now);
        lines += 1;
        assert!(!hub.wants_input());
        assert_eq!(hub.waiting_for_somebody(), lines);
    }
    assert_eq!(lines, BACKLOG / 100 + 1);
    hub.heard(2, 10_000, now);
    assert!(hub.begin(now) && hub.wants_keys());
    assert_eq!(hub.waiting_for_somebody(), 0);
    hub.end(now);
    assert!(!hub.wants_keys(), "there is no key behind the end");
}

#[test]
fn who_is_left_out_is_told_once_and_many_are_summed_up() {
    let start = Instant::now();
    let mut hub = Exchange::with_many(Rules::default(), start);
    hub.heard(2, 0, start);
    assert_eq!(told(&mut hub).len(), 1);
    for _ in 0..1000 {
        hub.feed(b"\n", start);
        sent(&mut hub, start);
    }
    let rule = "who has not answered yet gets at most 3 times what it sent, headers counted (UDP's addresses can be \
                forged)";
    assert_eq!(
        told(&mut hub),
        [format!("1 byte did not go to [1] 2: {rule}")]
    );
    // Whatever is sent, whatever goes wrong: a few, and sums.
    let mut lines = 0;
    for addr in 0..20_000 {
        let now = start + SECOND * 60 * addr as u32 / 20_000;
        hub.heard(addr + 10, 0, now);
        hub.feed(&[b"x".repeat(100), b"\n".to_vec()].concat(), now);
        while hub.begin(now) {
            while hub.due().is_some() {
                hub.failed("no way".into(), now);
            }
        }
        hub.look(now);
        lines += told(&mut hub).len();
    }
    assert!(lines < 3 * (10 + 2 * 60 + 12), "{lines}");
}

#[test]
fn a_failure_of_one_is_told_and_the_others_get_it() {
    let now = Instant::now();
    let mut hub = Exchange::with_many(Rules::default(), now);
    hub.heard(2, 10, now);
    hub.heard(4, 10, now);
    told(&mut hub);
    hub.feed(b"hi\n", now);
    assert!(hub.begin(now));
    assert_eq!(hub.due(), Some((&b"hi\n"[..], Some(2))));
    hub.failed("no way".into(), now);
    assert_eq!(hub.due(), Some((&b"hi\n"[..], Some(4))));
    hub.went(now);
    assert_eq!(hub.due(), None);
    assert_eq!(told(&mut hub), ["send to 2 by UDP: no way"]);
}

#[test]
fn a_pause_is_kept_and_stdin_waits_meanwhile() {
    let now = Instant::now();
    let rules = Rules {
        delay: Some(SECOND),
        crlf: true,
        ..Rules::default()
    };
    let mut alice = Exchange::with_one(rules, now);
    alice.feed(b"a\nb\n", now);
    assert_eq!(sent(&mut alice, now), [to_one("a\r\n")]);
    assert!(!alice.wants_input());
    assert_eq!(alice.deadline(), Some(now + SECOND));
    assert_eq!(sent(&mut alice, now + SECOND), [to_one("b\r\n")]);
    assert!(alice.wants_input());
    assert_eq!(alice.deadline(), None);
}

#[test]
fn a_line_waits_for_its_rest() {
    let now = Instant::now();
    let mut alice = Exchange::with_one(Rules::default(), now);
    alice.feed(b"hel", now);
    assert!(alice.wants_input());
    assert!(sent(&mut alice, now).is_empty());
    assert_eq!(alice.deadline(), Some(now + PATIENCE));
    alice.look(now + PATIENCE);
    assert_eq!(sent(&mut alice, now + PATIENCE), [to_one("hel")]);
    alice.feed(b"lo", now);
    alice.finish();
    assert_eq!(sent(&mut alice, now), [to_one("lo")]);
    alice.feed(b"end", now);
    alice.end(now);
    assert_eq!(sent(&mut alice, now), [to_one("end")]);
}

#[test]
fn it_is_over_when_it_is_to_be() {
    let now = Instant::now();
    let later = now + SECOND;
    let rules = |rules: Rules| Exchange::<usize>::with_one(rules, now);
    let mut stays = rules(Rules::default());
    stays.end(now);
    assert_eq!((stays.ending(later), stays.deadline()), (None, None));
    let mut quits = rules(Rules {
        quit_after: Some(SECOND),
        ..Rules::default()
    });
    quits.feed(b"x", now);
    quits.end(now);
    // Not all is sent, and nothing is waited for meanwhile.
    assert_eq!((quits.ending(later), quits.deadline()), (None, None));
    sent(&mut quits, now);
    assert_eq!(quits.deadline(), Some(later));
    assert_eq!(quits.ending(now), None);
    assert_eq!(quits.ending(later), Some(Ending::Over));
    let mut sends = rules(Rules {
        sends_only: true,
        ..Rules::default()
    });
    assert_eq!(sends.ending(later), None);
    sends.end(now);
    assert_eq!(sends.ending(now), Some(Ending::Over));
    let mut silent = rules(Rules {
        silence: Some(SECOND),
        ..Rules::default()
    });
    assert_eq!((silent.ending(now), silent.deadline()), (None, Some(later)));
    assert_eq!(silent.ending(later), Some(Ending::Silence));
    silent.heard(2, 0, later);
    assert_eq!(silent.ending(later), None);
    silent.end(later);
    assert_eq!(silent.ending(later + SECOND), Some(Ending::Over));
}

#[test]
fn nobody_is_silent_who_cannot_be_heard() {
    let now = Instant::now();
    let rules = Rules {
        silence: Some(10 * SECOND),
        ..Rules::default()
    };
    let mut alice = Exchange::<usize>::with_one(rules, now);
    let mut hub = Exchange::with_many(rules, now);
    hub.heard(2, 10, now);
    hub.heard(4, 10, now);
    told(&mut hub);
    for time in [10, 15] {
        alice.excuse(now + time * SECOND);
        hub.excuse(now + time * SECOND);
        hub.look(now + time * SECOND);
    }
    hub.heard(4, 10, now + 16 * SECOND);
    assert_eq!(alice.ending(now + 20 * SECOND), None);
    assert_eq!(alice.ending(now + 25 * SECOND), Some(Ending::Silence));
    hub.look(now + 25 * SECOND);
    assert_eq!(told(&mut hub), ["[1] 2 was silent for long, 1 here"]);
}

/// As in nc; and what was read is not thrown away.
#[test]
fn a_hub_waits_for_the_first_whatever_limits_the_end() {
    let now = Instant::now();
    let later = now + 10 * SECOND;
    let rules = [
        Rules {
            quit_after: Some(SECOND),
            ..Rules::default()
        },
        Rules {
            sends_only: true,
            ..Rules::default()
        },
    ];
    for rules in rules {
        for said in ["", "x"] {
            let mut hub = Exchange::<usize>::with_many(rules, now);
            hub.feed(said.as_bytes(), now);
            hub.end(now);
            assert_eq!((hub.ending(later), hub.deadline()), (None, None));
            hub.heard(2, 100, later);
            let all = match said {
                "" => vec![],
                said => vec![(String::from(said), Some(2))],
            };
            assert_eq!(sent(&mut hub, later), all);
            let end = later + rules.quit_after.unwrap_or_default();
            let early = hub.ending(end - SECOND / 2);
            assert_eq!(early, None);
            assert_eq!(hub.ending(end), Some(Ending::Over));
        }
    }
}

#[test]
fn no_command_is_for_everybody() {
    let sent = |line: &'static str, is_pasted| for_everybody(line.as_bytes(), is_pasted);
    for (line, how) in [
        ("/who\n", "; // says it"),
        ("/msg 1 psst\n", "; a word before it says it"),
        ("7msg 1 psst\n", "; a word before it says it"),
        (".msg 1 psst", "; a word before it says it"),
        ("//msg 1 psst\n", "; it may be for one alone"),
        ("x/msg 1 psst\n", "; it may be for one alone"),
        ("text\x1b[H/msg 1 psst\n", "; it may be for one alone"),
    ] {
        let told = format!("a hub of UDP has no commands: that was not sent{how}");
        assert_eq!(sent(line, false), Err(told), "{line}");
    }
    assert_eq!(sent("//who\n", false), Ok(&b"/who\n"[..]));
    assert_eq!(sent("hi\n", false), Ok(&b"hi\n"[..]));
    assert_eq!(sent("//x\n", true), Ok(&b"//x\n"[..]));
    assert_eq!(sent("/etc/hosts\n", true), Ok(&b"/etc/hosts\n"[..]));
    assert!(sent("/msg 1 psst\n", true).is_err());
}
