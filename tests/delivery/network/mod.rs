//! Two hosts and a bad network between them: packets are lost, late and out of order, the wire is
//! cut and mended, or cut for good. Nothing that was sent is lost or changed, and whoever vanished
//! is noticed.
//!
//! The hosts are network namespaces, the wire is `wire.py` beside this file. The tests that take
//! minutes are ignored; `scripts/network-faults` runs them, too, and others with more bytes.

use std::fmt::Write as _;
use std::io::Write;
use std::process::ChildStdin;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Namespace;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::eventually;
use crate::support::installed;
use crate::support::left_out;
use crate::support::piped;

const HUB: &str = "10.99.0.1";

/// Two hosts: the hub's and everybody else's.
struct Hosts {
    hub: Namespace,
    peers: Namespace,
    wire: Process,
    orders: usize,
}

impl Hosts {
    /// With a perfect wire between them; none where that cannot be, which was said.
    #[track_caller]
    fn new() -> Option<Hosts> {
        if !installed(&["python3"]) {
            return None;
        }
        let (hub, peers) = (Namespace::new()?, Namespace::new()?);
        let program = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/delivery/network/wire.py"
        );
        let pids = [hub.pid().to_string(), peers.pid().to_string()];
        let seed = std::env::var("MUXNC_SEED").unwrap_or_else(|_| String::from("1"));
        let mut wire = Process::start(&mut piped("python3", &[program, &pids[0], &pids[1], &seed]));
        eventually("the wire is up", || {
            wire.stdout.text().contains("up\n") || !wire.is_running()
        });
        if !wire.is_running() {
            let why = wire.stderr.text();
            left_out(&format!("a wire between two networks, which failed: {why}"));
            return None;
        }
        Some(Hosts {
            hub,
            peers,
            wire,
            orders: 0,
        })
    }

    /// Gives the wire an order, and waits until it is obeyed.
    #[track_caller]
    fn order(&mut self, order: &str) {
        self.wire.type_in(format!("{order}\n"));
        self.orders += 1;
        let orders = self.orders;
        self.wire.stdout.wait_until("the wire obeys", |told| {
            String::from_utf8_lossy(told).matches("done\n").count() == orders
        });
    }

    /// 2 % of the packets are lost, 10 % overtake others, and each way takes 50 ms.
    fn go_bad(&mut self) {
        for order in ["loss 0.02", "delay 50", "reorder 0.1"] {
            self.order(order);
        }
    }

    /// How many packets had this fate so far.
    #[track_caller]
    fn count(&mut self, fate: &str) -> u64 {
        self.order("count");
        let told = self.wire.stdout.text();
        let last = told.rsplit("passed ").next().unwrap();
        let counts = format!("passed {last}");
        let (_, count) = counts.split_once(&format!("{fate} ")).unwrap();
        let digits = count.split(|c: char| !c.is_ascii_digit()).next().unwrap();
        digits.parse().unwrap()
    }

    #[track_caller]
    fn start_hub(&self, args: &[&str]) -> Hub {
        let all = [&["-l", "0", "-v"], args].concat();
        Hub::start_command(&mut self.hub.piped(MUXNC, &all))
    }

    /// Somebody at the other host who connects to the hub.
    #[track_caller]
    fn join(&self, program: &str, args: &[&str], port: u16) -> Process {
        let port = port.to_string();
        let all = [args, &[HUB, &port]].concat();
        Process::start(&mut self.peers.piped(program, &all))
    }
}

/// How many times more bytes than a quick test sends: what `scripts/network-faults` sets.
fn scale() -> usize {
    let scale = std::env::var("MUXNC_NETWORK_SCALE").ok();
    scale.map_or(1, |scale| scale.parse().expect("a number"))
}

/// Numbered lines of one speaker, so many bytes of them.
fn lines(speaker: &str, len: usize) -> String {
    let mut text = String::new();
    for i in 0.. {
        writeln!(text, "{speaker} says that this is line {i}").unwrap();
        if text.len() >= len {
            break;
        }
    }
    text
}

/// Writes it all while others read, and ends the stream.
fn write_apart(mut stdin: ChildStdin, text: String) -> JoinHandle<()> {
    thread::spawn(move || stdin.write_all(text.as_bytes()).expect("write to stdin"))
}

/// Of what a hub showed, the lines of one speaker.
fn said_by(speaker: &str, shown: &str) -> String {
    let start = format!("{speaker} ");
    let lines = shown.lines().filter(|line| line.starts_with(&start));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn streams_are_whole_both_ways_when_packets_are_lost_late_and_out_of_order() {
    if !installed(&["nc", "ncat"]) {
        return;
    }
    let Some(mut hosts) = Hosts::new() else {
        return;
    };
    let mut hub = hosts.start_hub(&[]);
    let programs: [(&str, &str, &[&str]); 4] = [
        ("alice", MUXNC, &[]),
        ("bob", MUXNC, &["-n"]),
        ("carol", "nc", &["-N"]),
        ("dave", "ncat", &[]),
    ];
    hosts.go_bad();
    let mut peers: Vec<Process> = programs
        .iter()
        .map(|(_, program, args)| hosts.join(program, args, hub.port))
        .collect();
    hub.process.stderr.wait_for("joined, 4 here");
    let lesson = lines("teacher", 120_000 * scale());
    let mut writers = vec![write_apart(
        hub.process.stdin.take().unwrap(),
        lesson.clone(),
    )];
    for ((name, ..), peer) in programs.iter().zip(&mut peers) {
        let text = lines(name, 60_000 * scale());
        writers.push(write_apart(peer.stdin.take().unwrap(), text));
    }
    for ((name, ..), peer) in programs.iter().zip(&mut peers) {
        let heard = peer
            .stdout
            .wait_until(name, |heard| heard.len() >= lesson.len());
        assert!(heard == lesson.as_bytes(), "{name} heard something else");
        peer.expect_status(0);
    }
    hub.process.expect_status(0);
    let shown = hub.process.stdout.text();
    for (name, ..) in programs {
        let said = lines(name, 60_000 * scale());
        assert!(said_by(name, &shown) == said, "{name} said something else");
    }
    assert_eq!(shown.lines().count(), {
        let said = programs
            .iter()
            .map(|(name, ..)| lines(name, 60_000 * scale()));
        said.map(|text| text.lines().count()).sum::<usize>()
    });
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
    let (lost, reordered) = (hosts.count("lost"), hosts.count("reordered"));
    assert!(
        lost > 10 && reordered > 10,
        "{lost} lost, {reordered} out of order"
    );
}

/// Everybody says a line every now and then, in turn, until there are so many.
fn converse(speakers: &mut [(&str, &mut Process)], from: usize, to: usize) {
    for i in from..to {
        for (name, process) in &mut *speakers {
            process.type_in(format!("{name} says that this is line {i}\n"));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn lines_come_in_order_when_the_wire_is_cut_for_five_seconds() {
    if !installed(&["nc"]) {
        return;
    }
    let Some(mut hosts) = Hosts::new() else {
        return;
    };
    hosts.go_bad();
    let mut hub = hosts.start_hub(&["--broker"]);
    let mut alice = hosts.join(MUXNC, &[], hub.port);
    let mut carol = hosts.join("nc", &[], hub.port);
    hub.process.stderr.wait_for("joined, 2 here");
    let mut speakers = [
        ("teacher", &mut hub.process),
        ("alice", &mut alice),
        ("carol", &mut carol),
    ];
    converse(&mut speakers, 0, 30);
    hosts.order("cut");
    let cut = Instant::now();
    converse(&mut speakers, 30, 60);
    thread::sleep(Duration::from_secs(5).saturating_sub(cut.elapsed()));
    hosts.order("mend");
    converse(&mut speakers, 60, 90);
    let said = |name: &str| {
        (0..90).fold(String::new(), |text, i| {
            text + &format!("{name} says that this is line {i}\n")
        })
    };
    let heard = [
        (&hub.process, ["alice", "carol"]),
        (&alice, ["teacher", "carol"]),
        (&carol, ["teacher", "alice"]),
    ];
    for (listener, speakers) in heard {
        for speaker in speakers {
            let said = said(speaker);
            listener.stdout.wait_until(speaker, |heard| {
                said_by(speaker, &String::from_utf8_lossy(heard)) == said
            });
        }
    }
    assert!(hosts.count("cut") > 0);
}

#[test]
fn what_is_sent_again_while_the_wire_is_cut_is_explained_at_both_ends() {
    let Some(mut hosts) = Hosts::new() else {
        return;
    };
    let mut hub = hosts.start_hub(&["--explain"]);
    let mut alice = hosts.join(MUXNC, &["--explain"], hub.port);
    hub.process.stderr.wait_for("joined, 1 here");
    hosts.order("cut");
    hub.process.type_in("are you there?\n");
    alice.type_in("are you?\n");
    let again = "TCP: the kernel has sent ";
    hub.process.stderr.wait_for(&format!("muxnc: [1] {again}"));
    alice.stderr.wait_for(&format!("muxnc: {again}"));
    for told in [alice.stderr.text(), hub.process.stderr.text()] {
        assert!(!told.contains("the ACK came"), "{told}");
    }
    hosts.order("mend");
    hub.process
        .stderr
        .wait_for("muxnc: [1] TCP: the ACK came, for all 15 bytes so far: ");
    alice
        .stderr
        .wait_for("muxnc: TCP: the ACK came, for all 9 bytes so far: ");
}

/// Waits for something that takes up to two minutes.
#[track_caller]
fn within_two_minutes(since: Instant, what: &str, mut is_so: impl FnMut() -> bool) {
    // Some seconds for a machine that has other things to do.
    let end = since + Duration::from_secs(130);
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(50));
    }
    println!("{what}: after {:.1} s", since.elapsed().as_secs_f64());
}

#[test]
#[ignore = "takes two minutes"]
fn who_vanishes_without_a_word_is_noticed_by_both_sides_within_two_minutes() {
    let Some(mut hosts) = Hosts::new() else {
        return;
    };
    let mut silent = hosts.start_hub(&[]);
    let mut speaking = hosts.start_hub(&[]);
    let mut idle = hosts.join(MUXNC, &["--explain"], silent.port);
    let mut listener = hosts.join(MUXNC, &[], speaking.port);
    let mut speaker = hosts.join(MUXNC, &[], silent.port);
    silent.process.stderr.wait_for("joined, 2 here");
    speaking.process.stderr.wait_for("joined, 1 here");
    speaker.type_in("can you hear me?\n");
    silent.process.stdout.wait_for("can you hear me?\n");
    speaking.process.type_in("good morning\n");
    listener.stdout.wait_for("good morning\n");

    hosts.order("cut");
    let cut = Instant::now();
    speaker.type_in("and now?\n");
    speaking.process.type_in("is anybody there?\n");
    let left = |hub: &Hub| hub.process.stderr.text().matches("timed out)").count();
    within_two_minutes(cut, "a peer that was being sent to left", || {
        left(&speaking) == 1
    });
    within_two_minutes(cut, "a participant that was sending gave up", || {
        !speaker.is_running()
    });
    within_two_minutes(cut, "idle peers left", || left(&silent) == 2);
    within_two_minutes(cut, "idle participants gave up", || {
        !idle.is_running() && !listener.is_running()
    });
    for participant in [&mut speaker, &mut idle, &mut listener] {
        participant.expect_status(1);
        let told = participant.stderr.text();
        assert!(
            told.contains(&format!("muxnc: receive from {HUB}:")),
            "{told}"
        );
        assert!(told.contains("timed out\n"), "{told}");
    }
    let told = idle.stderr.text();
    assert!(
        told.contains("asked again and again whether anybody is there (keepalive)"),
        "{told}"
    );
    // The hubs serve on.
    assert!(silent.process.is_running() && speaking.process.is_running());
}

#[test]
#[ignore = "takes two minutes"]
fn who_sleeps_with_its_window_closed_stays_for_as_long_as_it_likes() {
    // More than fits into what a sleeper's kernel takes, and less than the hub waits for.
    const LEN: u64 = 1_500_000;
    let mut hub = Hub::start(&["-v"]);
    let mut sleeper = hub.join_seen();
    let pattern = Pattern::bytes();
    pattern
        .write(hub.process.stdin.as_mut().unwrap(), LEN)
        .unwrap();
    thread::sleep(Duration::from_secs(140));
    assert!(
        !hub.process.stderr.text().contains("left"),
        "it was cut off"
    );
    assert_eq!(pattern.read(&mut sleeper, LEN), LEN);
}
