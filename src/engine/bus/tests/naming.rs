//! To whom a name belongs.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn two(name: &str, seed: u64, has_streams: bool) -> World {
    let mut world = World::new(seed, &[name, name]);
    world.model.has_streams = has_streams;
    world
}

/// In any order of bytes and turns, with a log and without.
#[test]
fn of_two_that_begin_at_once_one_has_the_name() {
    for seed in 0..60 {
        let _report = Report(seed);
        let mut world = two("room", seed, seed % 2 == 0);
        world.nodes[0].say(0, 3);
        world.nodes[1].say(0, 3);
        let third = world.add(
            Settings {
                history: 10,
                ..settings("third")
            },
            9,
        );
        for _ in 0..80 {
            let at = world.chance.below(2);
            let bytes = [1, 40, 1000][world.chance.below(3)];
            world.turn(at, bytes, true);
            world.pass(Duration::from_millis(3));
        }
        world.run(20 * SECOND);
        let mut ended = world.nodes.iter().filter_map(|node| node.ended.clone());
        assert_eq!(
            ended.next().as_deref(),
            Some("room is taken by another hub")
        );
        assert_eq!(ended.next(), None);
        // Only the holder of the name is heard.
        let heard = &world.nodes[third].order;
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert!(world.nodes[0].has("Up") != world.nodes[1].has("Up"));
    }
}

#[test]
fn a_name_in_use_is_refused_at_once() {
    for has_streams in [true, false] {
        let mut world = World::new(1, &["room"]);
        world.model.has_streams = has_streams;
        world.run(10 * SECOND);
        let second = world.add(settings("room"), 2);
        world.run(6 * SECOND);
        assert!(world.nodes[second].ended.is_some());
        assert_eq!(world.nodes[0].ended, None);
    }
}

#[test]
fn the_name_of_a_hub_that_was_killed_is_waited_for() {
    let mut world = World::new(1, &["room", "other"]);
    world.run(3 * SECOND);
    world.nodes[0].ended = Some("killed".into());
    let second = world.add(settings("room"), 7);
    world.nodes[second].say(4, 0);
    world.run(5 * SECOND);
    let node = &world.nodes[second];
    assert!(
        node.notices[0].starts_with("NameHeld { left: 1"),
        "{:?}",
        node.notices
    );
    assert!(!node.has("Up"));
    assert!(world.nodes[1].order.is_empty());
    world.run(11 * SECOND);
    assert!(
        world.nodes[second].has("Up"),
        "{:?}",
        world.nodes[second].notices
    );
    assert_eq!(
        world.nodes[second].notices.len(),
        3,
        "{:?}",
        world.nodes[second].notices
    );
    assert_eq!(world.nodes[1].order, ["room/4:0\n"]);
    let told = ["Up", "came room", "gone room false", "came room"].map(String::from);
    let mut heard = world.nodes[1].notices.clone();
    // Who is up first is not what this is about.
    heard.sort_by_key(|notice| notice != "Up");
    assert_eq!(heard, told);
}

/// The end of the log is full of what others said since.
#[test]
fn who_spoke_last_in_a_name_is_asked_for() {
    let mut world = World::new(1, &["room", "other"]);
    world.run(3 * SECOND);
    world.nodes[0].ended = Some("killed".into());
    for _ in 0..300 {
        world.nodes[1].bus.ask(unmute("room")).unwrap();
        world.turn(1, usize::MAX, true);
        world.pass(Duration::from_millis(10));
    }
    let second = world.add(settings("room"), 7);
    world.run(3 * SECOND);
    let node = &world.nodes[second];
    assert!(
        node.notices
            .iter()
            .any(|notice| notice.starts_with("NameHeld")),
        "{:?}",
        node.notices
    );
    assert!(!node.has("Up"));
}

#[test]
fn a_name_that_was_given_up_is_free() {
    let mut world = World::new(1, &["room", "other"]);
    world.run(3 * SECOND);
    world.nodes[0].bus.bye();
    world.run(SECOND);
    assert!(world.nodes[0].bus.is_flushed());
    world.nodes[0].ended = Some("quit".into());
    assert!(world.nodes[1].has("gone room true"));
    let second = world.add(settings("room"), 7);
    world.run(SECOND);
    assert!(world.nodes[second].has("Up"));
}

#[test]
fn a_name_that_nobody_used_for_long_is_free() {
    let mut world = World::new(1, &["room"]);
    world.run(3 * SECOND);
    world.nodes[0].ended = Some("killed".into());
    world.pass(60 * SECOND);
    let second = world.add(settings("room"), 7);
    world.run(SECOND);
    assert_eq!(world.nodes[second].notices, ["Up"]);
}

/// While it is away another takes its name. One line is in flight when the cable is cut, one is said later.
#[test]
fn whoever_was_away_too_long_waits_until_it_has_its_name_again() {
    for says_farewell in [true, false] {
        let mut world = World::new(1, &["room", "other"]);
        world.run(3 * SECOND);
        let id = world.nodes[0].link.take().unwrap();
        world.model.links.remove(&id);
        let (now, node) = (world.model.now, &mut world.nodes[0]);
        node.say(1, 0);
        node.bus.turn(now).unwrap();
        node.bus.lost("cut", now);
        node.say(1, 0);
        // Nobody turns it meanwhile.
        world.pass(20 * SECOND);
        let away = world.nodes.remove(0);
        let rival = world.add(settings("room"), 7);
        world.run(SECOND);
        world.nodes.push(away);
        world.run(90 * SECOND);
        let ended: Vec<_> = world.nodes.iter().map(|node| node.ended.clone()).collect();
        assert_eq!(ended, [None, None, None]);
        let told = &world.nodes[2].notices;
        let why = "another hub is called room now";
        let reminders = told.iter().filter(|told| told.contains(why)).count();
        assert_eq!(reminders, 2, "{told:?}");
        assert!(!world.nodes[2].bus.is_live() && world.nodes[2].backs == 0);
        // Not as a stranger's either.
        assert_eq!(
            (world.nodes[0].order.len(), world.nodes[0].strangers),
            (0, 0)
        );

        match says_farewell {
            true => world.nodes[rival].bus.bye(),
            false => world.nodes[rival].ended = Some("killed".into()),
        }
        world.run(if says_farewell { SECOND } else { 20 * SECOND });
        assert_eq!(world.nodes[0].order, ["room/1:0\n", "room/1:1\n"]);
        assert!(world.nodes[0].missing.is_empty());
        assert!(world.nodes[2].bus.is_live() && world.nodes[2].backs == 1);
    }
}

/// Its machine slept, and the connection is there still: what it says before it reads who has its name is counted.
#[test]
fn whoever_slept_too_long_waits_as_well() {
    let mut world = World::new(1, &["room", "other"]);
    world.run(3 * SECOND);
    let mut asleep = world.nodes.remove(0);
    let rival = world.add(settings("room"), 7);
    world.run(40 * SECOND);
    assert!(world.nodes[rival].has("Up"));
    asleep.say(1, 0);
    world.nodes.push(asleep);
    world.run(5 * SECOND);
    world.nodes[2].say(1, 0);
    world.run(5 * SECOND);
    assert_eq!(world.nodes[2].ended, None);
    let told = &world.nodes[2].notices;
    assert!(
        told.last().unwrap().starts_with("Away { why: \"another"),
        "{told:?}"
    );
    world.nodes[rival].bus.bye();
    world.run(SECOND);
    let heard = world.nodes[0].order.len() as u64;
    let missing: u64 = world.nodes[0].missing.values().sum();
    assert_eq!(heard + missing, 2);
    assert_eq!(world.nodes[0].order.last().unwrap(), "room/1:1\n");
}

#[test]
fn garbage_in_our_name_only_makes_us_listen_first() {
    let mut world = World::new(1, &["room", "other"]);
    world.run(3 * SECOND);
    world.model.publish("muxnc.c.room", b"", b"garbage");
    let second = world.add(settings("room"), 7);
    let third = world.add(settings("free"), 8);
    world.model.publish("muxnc.c.free", b"", b"garbage");
    world.run(5 * SECOND);
    assert!(world.nodes[second].ended.is_some());
    assert!(!world.nodes[third].has("Up"));
    world.run(3 * SECOND);
    assert!(world.nodes[third].has("Up"));
}
