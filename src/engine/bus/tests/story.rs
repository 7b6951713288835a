//! What is told of the bus, and what goes on in a class on it.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn late(world: &mut World, history: u64) -> usize {
    let number = 100 + world.nodes.len() as u8;
    let at = world.add(
        Settings {
            history,
            ..settings("late")
        },
        number,
    );
    world.run(2 * SECOND);
    at
}

#[test]
fn a_hub_that_comes_late_has_the_last_lines() {
    let mut world = World::new(1, &["room1", "room2"]);
    world.run(2 * SECOND);
    for round in 0..700 {
        // Lines are few among what hubs say to be there.
        if round % 7 == 0 {
            world.nodes[round % 2].say(3, 5);
        } else {
            let other = ["room2", "room1"][round % 2];
            world.nodes[round % 2].bus.ask(unmute(other)).unwrap();
        }
        world.run(Duration::from_millis(50));
    }
    let all = [&world.nodes[0].said[&3][..], &world.nodes[1].said[&3][..]].concat();
    assert_eq!(all.len(), 100);
    let at = late(&mut world, 75);
    let node = &world.nodes[at];
    assert_eq!(node.order.len(), 75);
    for hub in 0..2 {
        let said = &world.nodes[hub].said[&3];
        let heard = &node.heard[&(world.nodes[hub].name.clone(), 3)];
        assert!(said.ends_with(heard), "{heard:?}");
        assert!((37..=38).contains(&heard.len()));
    }
    let mut notices = node.notices.clone();
    notices.sort();
    assert_eq!(notices, ["Up", "came room1", "came room2"]);

    // More than there is, and none; and what is said later comes too.
    let many = world.add(
        Settings {
            history: 500,
            ..settings("many")
        },
        10,
    );
    let none = world.add(settings("none"), 11);
    world.run(2 * SECOND);
    assert_eq!(world.nodes[many].order.len(), 100);
    world.nodes[0].say(3, 5);
    world.run(SECOND);
    assert_eq!(world.nodes[many].order.len(), 101);
    assert_eq!(world.nodes[none].order.len(), 1);
}

#[test]
fn what_the_stream_did_not_keep_long_enough_is_counted() {
    let mut world = World::new(1, &["room1", "room2"]);
    world.nodes[0].say(0, 0);
    world.run(2 * SECOND);
    let link = world.nodes[1].link.take().unwrap();
    world.model.cut(link, &mut Chance(1));
    let now = world.model.now;
    world.nodes[1].bus.lost("cut", now);
    for _ in 0..50 {
        for _ in 0..3 {
            world.nodes[0].say(2, 0);
        }
        world.turn(0, usize::MAX, true);
        world.pass(Duration::from_millis(20));
    }
    world.turn(0, usize::MAX, true);
    let before = world.nodes[1].order.len();
    world.model.keep_last(5);
    world.run(2 * SECOND);
    let node = &world.nodes[1];
    let (heard, missing) = (node.order.len(), node.missing[&("room1".into(), None)]);
    assert!(missing > 100 && heard > before, "{missing} {heard}");
    assert_eq!(heard as u64 + missing, 151);
}

/// The answers to a message come late, so that it is sent again; the second answer comes when the next message is in
/// flight, which the server never gets.
#[test]
fn an_answer_that_comes_twice_is_about_one_message() {
    let mut world = World::new(1, &["room1", "room2"]);
    world.run(2 * SECOND);
    let link = world.nodes[0].link.unwrap();
    world.nodes[0].say(1, 0);
    let mut held = Vec::new();
    for _ in 0..16 {
        world.turn(0, usize::MAX, true);
        world.pass(SECOND / 2);
        held.extend(
            world
                .model
                .links
                .get_mut(&link)
                .unwrap()
                .to_client
                .drain(..),
        );
    }
    world.nodes[0].say(1, 0);
    // The answers come, and nothing that is sent now arrives.
    let now = world.model.now;
    let node = &mut world.nodes[0];
    for part in held.chunks(100) {
        node.bus.received(part, now).unwrap();
        node.take(true, now);
        node.bus.turn(now).unwrap();
        let count = node.bus.output().len();
        node.bus.written(count);
    }
    node.link = None;
    node.bus.lost("cut", now);
    world.model.cut(link, &mut Chance(1));
    world.run(20 * SECOND);
    world.check();
}

#[test]
fn a_stream_that_was_removed_is_made_again() {
    let mut world = World::new(1, &["room1", "room2"]);
    world.run(2 * SECOND);
    for _ in 0..3 {
        world.model.delete_stream();
        world.nodes[0].say(1, 0);
        world.nodes[1].say(1, 0);
        world.run(20 * SECOND);
    }
    world.check();
}

/// The new one has grown past the place where the old one was read to.
#[test]
fn a_stream_in_the_place_of_another_is_read_from_its_first() {
    let mut world = World::new(1, &["room1", "room2"]);
    world.run(2 * SECOND);
    let link = world.nodes[1].link.take().unwrap();
    world.model.cut(link, &mut Chance(1));
    let now = world.model.now;
    world.nodes[1].bus.lost("cut", now);
    world.model.delete_stream();
    for _ in 0..300 {
        world.nodes[0].say(1, 0);
        world.turn(0, usize::MAX, true);
        world.pass(Duration::from_millis(40));
    }
    assert!(world.model.last > 20, "{}", world.model.last);
    world.run(3 * SECOND);
    world.check();
}

#[test]
fn a_room_that_takes_nothing_is_sent_no_more_than_it_asked_for() {
    let mut world = World::new(1, &["slow", "room1", "room2"]);
    world.run(2 * SECOND);
    let mut most = 0;
    for round in 0..600 {
        world.nodes[1].say(5, 20_000);
        for at in 0..3 {
            world.turn(at, usize::MAX, at > 0);
        }
        let bus = &world.nodes[0].bus;
        most = most.max(bus.intake.kept());
        world.pass(Duration::from_millis(if round % 100 == 0 {
            20_000
        } else {
            10
        }));
    }
    world.run(SECOND);
    assert!(world.nodes[2].order.len() == 600);
    assert!(most < 2 * 1024 * 1024, "{most}");
    world.heal();
    world.check();
}

#[test]
fn what_is_asked_is_asked_of_one_process() {
    let mut world = World::new(1, &["room1", "room2", "room3"]);
    world.run(2 * SECOND);
    let ask = |hub, what| Ask {
        hub,
        whom: Whom::Name("Ana"),
        what,
    };
    let bus = &mut world.nodes[0].bus;
    assert_eq!(bus.ask(ask("room2", What::Tell("psst"))), Ok(()));
    assert_eq!(bus.ask(ask("room2", What::Kick("spam"))), Ok(()));
    let no_hub = Err(NotAsked::NoHub);
    assert_eq!(bus.ask(ask("room1", What::Kick(""))), no_hub);
    assert_eq!(bus.ask(ask("room9", What::Kick(""))), no_hub);
    let nobody = Ask {
        whom: Whom::Name("A]\n[room1"),
        ..ask("room2", What::Kick("spam"))
    };
    assert_eq!(bus.ask(nobody), Err(NotAsked::NoName));
    let long = "é".repeat(5000);
    let seventh = Ask {
        whom: Whom::Number(7),
        ..ask("room3", What::Tell(&long))
    };
    assert_eq!(bus.ask(seventh), Ok(()));
    world.run(SECOND);
    let asked = |node: &Node| -> Vec<String> {
        let asks = node.notices.iter().filter(|notice| notice.contains("asks"));
        asks.cloned().collect()
    };
    let expected = [
        "room1 asks Tell(\"psst\") Name(\"Ana\")",
        "room1 asks Kick(\"spam\") Name(\"Ana\")",
    ];
    assert_eq!(asked(&world.nodes[1]), expected);
    let [told] = &asked(&world.nodes[2])[..] else {
        panic!("room3 was asked once");
    };
    assert_eq!(told.matches('é').count(), MAX_TEXT / 2);
    // The next in that name is not whom it was said to.
    let log = world.model.log.clone();
    world.nodes[1].bus.bye();
    world.run(SECOND);
    world.nodes[1].ended = Some("quit".into());
    let next = world.add(settings("room2"), 9);
    world.run(SECOND);
    for stored in log {
        let headers = String::from_utf8(stored.headers)
            .unwrap()
            .replace("Msg-Id", "Other");
        world
            .model
            .publish(&stored.subject, headers.as_bytes(), &stored.payload);
    }
    world.run(SECOND);
    assert!(asked(&world.nodes[next]).is_empty());
    assert_eq!(asked(&world.nodes[1]).len(), 2);
}

/// Another may have the name, or there is nobody who asked, when it gets there.
#[test]
fn what_is_asked_does_not_wait_for_the_bus() {
    let withdrawn = |node: &Node, count: u64| node.has(&format!("Withdrawn {{ count: {count} }}"));
    let kick = |whom| Ask {
        hub: "room2",
        whom,
        what: What::Kick(""),
    };
    // What is in flight got there before the connection broke, or did not.
    for got_there in [true, false] {
        let mut world = World::new(1, &["room1", "room2"]);
        world.run(7 * SECOND);
        world.nodes[0].bus.ask(kick(Whom::Name("Ana"))).unwrap();
        world.nodes[0].say(1, 5);
        world.turn(0, if got_there { usize::MAX } else { 0 }, true);
        assert!(!world.nodes[0].bus.outbox.is_ready(), "it is in flight");
        world.nodes[0].say(1, 6);
        world.nodes[0].bus.ask(kick(Whom::Number(7))).unwrap();
        let answer = Ask {
            what: What::Absent,
            ..kick(Whom::Number(9))
        };
        world.nodes[0].bus.ask(answer).unwrap();
        world.nodes[0].say(1, 7);
        let id = world.nodes[0].link.take().unwrap();
        world.model.cut(id, &mut Chance(1));
        world.is_up = false;
        let now = world.model.now;
        world.nodes[0].bus.lost("cut", now);
        world.turn(0, usize::MAX, true);
        assert!(
            withdrawn(&world.nodes[0], 2),
            "{:?}",
            world.nodes[0].notices
        );
        let by_name = world.nodes[0].bus.ask(kick(Whom::Name("Ana")));
        assert_eq!(by_name, Err(NotAsked::Away));
        world.nodes[1].notices.clear();
        world.heal();
        world.check();
        let asks = world.nodes[1].notices.iter();
        let asks: Vec<_> = asks.filter(|told| told.contains("asks")).collect();
        let answer = "room1 asks Absent Number(9)";
        match got_there {
            true => assert_eq!(asks, ["room1 asks Kick(\"\") Name(\"Ana\")", answer]),
            false => assert_eq!(asks, [answer]),
        }
        assert_eq!(world.nodes[0].bus.waiting(), Waiting::default());
    }
    // The buffer is full of lines: of those some are dropped.
    let mut world = World::new(1, &["room2"]);
    let settings = Settings {
        buffer: 1500,
        ..settings("room1")
    };
    let one = world.add(settings, 2);
    world.run(7 * SECOND);
    world.nodes[one].bus.ask(kick(Whom::Number(7))).unwrap();
    world.nodes[one].say(1, 2000);
    world.run(SECOND);
    assert!(!withdrawn(&world.nodes[one], 1));
    let asked = "room1 asks Kick(\"\") Number(7)".to_owned();
    assert!(world.nodes[0].notices.contains(&asked));
    // It is full of what is asked.
    for _ in 0..20 {
        world.nodes[one].bus.ask(kick(Whom::Number(7))).unwrap();
    }
    world.nodes[one].say(1, 100);
    world.run(SECOND);
    let count = |told: &String| told.starts_with("Withdrawn");
    assert_eq!(
        world.nodes[one]
            .notices
            .iter()
            .filter(|told| count(told))
            .count(),
        1
    );
}

#[test]
fn who_is_muted_is_a_member_of_one_process() {
    let mut world = World::new(1, &["room1"]);
    world.run(2 * SECOND);
    // It would be whoever gets that number there.
    assert_eq!(world.nodes[0].bus.mute("room2", 1, true), None);
    assert_eq!(world.nodes[0].bus.mute("room1", 1, true), None);
    let two = world.add(settings("room2"), 2);
    world.run(2 * SECOND);
    let says = |world: &mut World, at: usize, number| {
        world.nodes[at].say(number, 0);
        world.run(SECOND);
        let notices = &world.nodes[0].notices;
        notices.last().is_some_and(|last| last.starts_with("muted"))
    };
    assert!(!says(&mut world, two, 1));
    assert_eq!(world.nodes[0].bus.mute("room2", 1, true), Some(false));
    assert_eq!(world.nodes[0].bus.mute("room2", 0, true), Some(false));
    assert_eq!(world.nodes[0].bus.mute("room2", 0, true), Some(true));
    assert_eq!(world.nodes[0].bus.hubs().next().unwrap().muted, [0, 1]);
    assert_eq!(world.nodes[0].bus.mute("room2", 0, false), Some(true));
    assert!(says(&mut world, two, 1));
    // What it said is muted though it left before that was given.
    world.nodes[two].say(1, 0);
    world.nodes[two].bus.bye();
    for _ in 0..40 {
        world.turn(two, usize::MAX, true);
        world.turn(0, usize::MAX, false);
        world.pass(Duration::from_millis(50));
    }
    assert_eq!(world.nodes[0].bus.hubs().count(), 0);
    world.run(SECOND);
    let told = &world.nodes[0].notices;
    let last = &told[told.len() - 2..];
    assert!(last[0].starts_with("muted"), "{last:?}");
    assert_eq!(last[1], "gone room2 true");
    world.nodes[two].ended = Some("quit".into());
    // The next process has other members.
    let next = world.add(settings("room2"), 9);
    world.run(2 * SECOND);
    assert!(world.nodes[0].bus.hubs().next().unwrap().muted.is_empty());
    assert!(!says(&mut world, next, 1));
    // One that was not heard for long, and goes on, has the same.
    assert_eq!(world.nodes[0].bus.mute("room2", 1, true), Some(false));
    for _ in 0..400 {
        world.turn(0, usize::MAX, true);
        world.pass(Duration::from_millis(50));
    }
    assert_eq!(world.nodes[0].bus.hubs().count(), 0);
    assert!(says(&mut world, next, 1));
    world.nodes[next].ended = Some("power".into());
    world.run(20 * SECOND);
    let last = world.add(settings("room2"), 11);
    world.run(2 * SECOND);
    assert!(!says(&mut world, last, 1));
}

#[test]
fn who_is_there_is_known_and_a_hub_that_vanishes_is_one_notice() {
    let mut world = World::new(1, &["room1", "room2"]);
    world.nodes[0].bus.set_here(12);
    world.run(12 * SECOND);
    let hubs: Vec<(String, u64)> = world.nodes[1]
        .bus
        .hubs()
        .map(|hub| (hub.name.into(), hub.here))
        .collect();
    assert_eq!(hubs, [("room1".to_string(), 12)]);
    world.nodes[0].ended = Some("power".into());
    world.run(25 * SECOND);
    assert_eq!(world.nodes[1].bus.hubs().count(), 0);
    let gone = world.nodes[1]
        .notices
        .iter()
        .filter(|notice| notice.contains("gone"));
    assert_eq!(gone.collect::<Vec<_>>(), ["gone room1 false"]);
}

#[test]
fn the_operator_is_told_that_the_bus_is_away_and_that_it_is_back() {
    let mut world = World::new(1, &["room1", "room2"]);
    world.run(2 * SECOND);
    world.model.kill(&mut Chance(1));
    world.is_up = false;
    for _ in 0..1500 {
        world.turn(0, usize::MAX, true);
        world.turn(1, usize::MAX, true);
        world.pass(Duration::from_millis(100));
    }
    for _ in 0..3 {
        world.nodes[0].say(1, 0);
    }
    let told: Vec<&str> = world.nodes[0].notices.iter().map(String::as_str).collect();
    let still = "StillAway { why: \"refused\", waiting: Waiting { lines: 0, bytes: 0, lost: 0 } }";
    assert_eq!(
        told[told.len() - 3..],
        ["Away { why: \"reset\" }", still, still]
    );
    world.is_up = true;
    world.run(6 * SECOND);
    assert_eq!(world.nodes[0].backs, 1);
    assert_eq!(world.nodes[1].heard[&("room1".into(), 1)].len(), 3);
}

#[test]
fn a_stream_that_takes_nothing_is_as_if_the_bus_were_away() {
    let mut world = World::new(1, &["room1", "room2"]);
    world.run(2 * SECOND);
    world.model.is_full = true;
    world.nodes[0].say(1, 0);
    world.run(70 * SECOND);
    let node = &world.nodes[0];
    let told = "StillAway { why: \"the stream does not take what is said: maximum bytes exceeded\"";
    assert!(
        node.notices.iter().any(|notice| notice.starts_with(told)),
        "{:?}",
        node.notices
    );
    let away = node
        .notices
        .iter()
        .filter(|notice| notice.starts_with("Away"));
    assert_eq!((away.count(), node.backs), (1, 0));
    world.model.is_full = false;
    world.run(10 * SECOND);
    assert_eq!(world.nodes[0].backs, 1);
    world.check();
}

#[test]
fn a_room_that_takes_nothing_from_the_start_has_its_name() {
    let mut world = World::new(1, &["room1"]);
    world.run(2 * SECOND);
    for _ in 0..40 {
        world.nodes[0].say(1, 1000);
    }
    world.run(SECOND);
    let second = world.add(
        Settings {
            history: 40,
            ..settings("room2")
        },
        9,
    );
    for _ in 0..100 {
        world.turn(second, usize::MAX, false);
        world.pass(Duration::from_millis(10));
    }
    assert!(world.nodes[second].has("Up"));
    assert!(world.nodes[second].order.is_empty());
    world.run(SECOND);
    assert_eq!(world.nodes[second].order.len(), 40);
}

#[test]
fn a_start_without_a_server_is_told_once_each_was_tried() {
    let mut world = World::new(1, &[]);
    world.is_up = false;
    let servers = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    let servers = servers
        .map(|server| Server::parse(server).unwrap())
        .to_vec();
    let at = world.add(
        Settings {
            servers,
            ..settings("room")
        },
        1,
    );
    world.turn(at, 1, true);
    world.turn(at, 1, true);
    assert!(world.nodes[at].notices.is_empty());
    world.turn(at, 1, true);
    assert_eq!(world.nodes[at].notices, ["Away { why: \"refused\" }"]);
    world.is_up = true;
    world.run(6 * SECOND);
    assert_eq!(world.nodes[at].notices[1..], ["Up"]);
}

/// The server passes a question on to whoever subscribes to all, and tells only where nobody does that nobody answers.
#[test]
fn a_server_without_streams_is_known_though_somebody_reads_the_question() {
    let mut world = World::new(1, &["room1", "room2"]);
    world.model.has_streams = false;
    world.model.is_overheard = true;
    world.run(20 * SECOND);
    for node in &world.nodes {
        assert!(
            node.has("AtMostOnce") && node.has("Up"),
            "{:?}",
            node.notices
        );
        assert!(!node.notices.iter().any(|told| told.starts_with("Away")));
    }
}

#[test]
fn a_server_without_streams_is_told_loudly_and_once() {
    let mut world = World::new(1, &["room1", "room2"]);
    world.model.has_streams = false;
    world.run(8 * SECOND);
    world.model.kill(&mut Chance(1));
    world.nodes[0].say(1, 0);
    world.run(8 * SECOND);
    world.nodes[0].say(1, 0);
    world.nodes[0].bus.bye();
    world.run(SECOND);
    assert!(world.nodes[0].bus.is_flushed());
    let told = world.nodes[0]
        .notices
        .iter()
        .filter(|notice| *notice == "AtMostOnce");
    assert_eq!(told.count(), 1);
    assert!(world.nodes[1].has("gone room1 true"));
    assert!(world.nodes[1].order.contains(&"room1/1:1\n".to_string()));
}

#[test]
fn what_waits_is_told_before_the_end_and_nothing_after_it() {
    let mut world = World::new(1, &["room1", "room2"]);
    world.run(2 * SECOND);
    for _ in 0..3000 {
        world.nodes[0].say(1, 200);
    }
    world.nodes[0].bus.bye();
    assert!(!world.nodes[0].bus.is_flushed());
    world.nodes[0].bus.say(
        Speaker {
            number: 1,
            name: None,
        },
        b"too late\n",
    );
    world.run(2 * SECOND);
    assert!(world.nodes[0].bus.is_flushed());
    world.run(20 * SECOND);
    world.check();
    let seen: Vec<&String> = world.nodes[1]
        .notices
        .iter()
        .filter(|notice| notice.contains("room1"))
        .collect();
    assert_eq!(seen, ["came room1", "gone room1 true"]);
}

/// `INFO` and then whatever the server says, to a hub that has `login` and wants TLS or not.
fn spoken_to(tls: bool, info: &str, then: &str) -> (Bus, Result<(), Fault>) {
    let now = start();
    let mut bus = Bus::new(
        Settings {
            tls,
            ..settings("room")
        },
        seed(1),
        now,
    );
    bus.dial(now).unwrap();
    bus.connected(now);
    let text = format!("INFO {{\"headers\":true,\"max_payload\":1048576{info}}}\r\n{then}");
    let result = bus.received(text.as_bytes(), now);
    (bus, result)
}

#[test]
fn with_tls_nothing_is_said_or_heard_before() {
    for (tls, info) in [
        (true, ",\"tls_available\":true"),
        (false, ",\"tls_required\":true"),
    ] {
        let (mut bus, result) = spoken_to(tls, info, "");
        assert_eq!(result, Ok(()));
        assert!(bus.wants_tls() && bus.output().is_empty());
        bus.secured(start());
        assert!(!bus.wants_tls() && bus.output().starts_with(b"CONNECT "));
        let (_, result) = spoken_to(tls, info, "PONG\r\n");
        assert_eq!(
            result,
            Err(Fault::Drop("it says something without TLS".into()))
        );
    }
    let (_, result) = spoken_to(true, "", "");
    assert!(matches!(result, Err(Fault::End { .. })));
    let (bus, _) = spoken_to(false, ",\"tls_available\":true", "");
    assert!(!bus.wants_tls());
}

#[test]
fn a_server_that_does_not_do_ends_the_hub_with_words() {
    let says = |info: &str, then: &str| match spoken_to(false, info, then).1 {
        Err(Fault::End { why, hint }) => format!("{why}: {hint}"),
        other => panic!("{info} {then}: {other:?}"),
    };
    let refused = says("", "-ERR 'Authorization Violation'\r\n");
    assert!(
        refused.contains("says: Authorization Violation: --bus nats://USER"),
        "{refused}"
    );
    assert!(says(",\"nonce\":\"x\"", "-ERR 'Authorization Violation'\r\n").contains("nkey"));
    let refused = says(
        "",
        "PONG\r\n-ERR 'Permissions Violation for Publish to \"x\"'\r\n",
    );
    assert!(refused.contains("must be allowed to publish"), "{refused}");
    for then in [
        "HTTP/1.1 400 Bad Request\r\n",
        "-ERR 'Unknown Protocol Operation'\r\n",
        "INFO x\r\n",
    ] {
        assert!(
            matches!(spoken_to(false, "", then).1, Err(Fault::Drop(_))),
            "{then}"
        );
    }
    let now = start();
    for info in [
        "INFO {\"max_payload\":1048576}\r\n",
        "INFO {\"headers\":true,\"max_payload\":1000}\r\n",
    ] {
        let mut bus = Bus::new(settings("room"), seed(1), now);
        bus.dial(now).unwrap();
        bus.connected(now);
        assert!(
            matches!(bus.received(info.as_bytes(), now), Err(Fault::End { .. })),
            "{info}"
        );
    }
}

#[test]
fn a_server_that_is_silent_is_given_up() {
    let mut world = World::new(1, &["room1"]);
    world.run(2 * SECOND);
    let start = world.model.now;
    let link = world.nodes[0].link.unwrap();
    world.model.cut(link, &mut Chance(1));
    world
        .model
        .links
        .get_mut(&link)
        .unwrap()
        .to_server
        .extend([0; 0]);
    let now = loop {
        world.model.now += Duration::from_millis(100);
        let (now, bus) = (world.model.now, &mut world.nodes[0].bus);
        if let Err(fault) = bus.turn(now) {
            assert!(matches!(fault, Fault::Drop(_)));
            break now;
        }
    };
    assert!(
        (10..=16).contains(&(now - start).as_secs()),
        "{:?}",
        now - start
    );
}

#[test]
fn the_servers_that_one_names_are_dialled_too() {
    let (mut bus, _) = spoken_to(
        false,
        ",\"connect_urls\":[\"192.0.2.9:4333\",\"[::1]:1\",\"?\"]",
        "",
    );
    let names: Vec<String> = bus.servers().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["192.0.2.1:4222", "192.0.2.9:4333", "[::1]:1"]);
    let mut now = start();
    for port in [4333, 1, 4222, 4333] {
        bus.lost("cut", now);
        now += Duration::from_secs(1);
        assert_eq!(bus.dial(now).unwrap().port, port);
    }
}

#[test]
fn a_cluster_keeps_what_is_said_on_three_servers_if_it_can() {
    for (servers, most, kept, told) in [
        (1, 3, 1, false),
        (2, 3, 1, false),
        (3, 3, 3, false),
        (3, 1, 1, true),
    ] {
        let mut world = World::new(1, &[]);
        world.model.servers = servers;
        world.model.most_replicas = most;
        let first = world.add(settings("room1"), 1);
        let second = world.add(settings("room2"), 2);
        world.nodes[first].say(1, 0);
        world.run(20 * SECOND);
        assert_eq!(world.model.replicas, kept);
        let tellers = [first, second].map(|at| world.nodes[at].has("OneServer"));
        assert_eq!(tellers.contains(&true), told, "{servers} {most}");
        world.check();
    }
}

/// The server came back with another password.
#[test]
fn a_refusal_is_told_once_in_an_outage() {
    let mut world = World::new(1, &["room1"]);
    world.run(2 * SECOND);
    let link = world.nodes[0].link.take().unwrap();
    world.model.cut(link, &mut Chance(1));
    let mut now = world.model.now;
    let bus = &mut world.nodes[0].bus;
    bus.lost("closed", now);
    let mut told = Vec::new();
    for _ in 0..5 {
        now += 10 * SECOND;
        bus.dial(now).unwrap();
        bus.connected(now);
        let info = b"INFO {\"headers\":true,\"max_payload\":1048576} \r\n";
        bus.received(info, now).unwrap();
        let Err(Fault::Drop(why)) = bus.received(b"-ERR 'Authorization Violation'\r\n", now) else {
            panic!("it goes on");
        };
        bus.lost(&why, now);
        while let Some(event) = bus.take(true, now) {
            told.push(format!("{event:?}"));
        }
    }
    let is_told = |event: &&String| event.contains("Authorization Violation");
    assert_eq!(told.iter().filter(is_told).count(), 1, "{told:?}");
}

/// Somebody changes the stream: what ends a hub that begins does not end one that has a class.
#[test]
fn a_stream_that_does_not_do_any_more_is_waited_for() {
    let mut world = World::new(1, &["room1", "room2"]);
    world.run(2 * SECOND);
    world.model.longest = 100_000;
    world.model.kill(&mut Chance(1));
    world.run(SECOND);
    world.nodes[0].say(1, 0);
    world.run(20 * SECOND);
    let late = world.add(settings("late"), 9);
    world.run(SECOND);
    assert!(world.nodes[late].ended.is_some(), "it begins");
    for node in &world.nodes[..2] {
        assert_eq!(node.ended, None);
        let is_told = |told: &&String| told.contains("takes only short messages (remove it, and");
        assert_eq!(
            node.notices.iter().filter(is_told).count(),
            1,
            "{:?}",
            node.notices
        );
    }
    world.model.longest = -1;
    world.run(10 * SECOND);
    assert_eq!(world.nodes[1].order, ["room1/1:0\n"]);
    assert_eq!((world.nodes[0].backs, world.nodes[1].backs), (1, 1));
}

#[test]
fn who_leaves_before_it_has_joined_is_not_told_that_it_has() {
    let mut world = World::new(1, &["room1", "room2"]);
    world.model.has_streams = false;
    world.run(2 * SECOND);
    world.nodes[0].say(1, 0);
    world.nodes[0].bus.bye();
    world.run(8 * SECOND);
    assert!(world.nodes[0].bus.is_flushed());
    assert!(!world.nodes[0].has("Up") && world.nodes[1].has("Up"));
    assert!(world.nodes[1].order.contains(&"room1/1:0\n".to_string()));
}
