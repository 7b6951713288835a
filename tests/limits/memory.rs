//! What a peer costs the hub: memory of its own, and work while nobody says anything.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::support;
use crate::support::Descriptors;
use crate::support::Hub;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::while_stopped;

/// Lets this process have so many descriptors, and some for everything else.
#[track_caller]
fn allow_descriptors(count: u64) -> Descriptors {
    let wanted = count + 200;
    let descriptors = support::allow_descriptors();
    assert!(
        descriptors.most >= wanted,
        "this test needs {wanted} descriptors: raise the hard limit (ulimit -Hn)"
    );
    descriptors
}

/// So many peers, each of which was heard by the hub: they are all in.
fn join(hub: &Hub, count: usize) -> Vec<TcpStream> {
    let peers: Vec<TcpStream> = (0..count).map(|_| hub.join()).collect();
    // The backlog is a queue: with the last one all are in.
    let mut last = peers.last().unwrap();
    let line = format!("{} is in\n", last.local_addr().unwrap());
    last.write_all(line.as_bytes()).unwrap();
    hub.process.stdout.wait_for(&line);
    peers
}

/// Lets the operator say a line, and waits until everybody has heard it.
fn say_to_all(hub: &mut Hub, peers: &mut [TcpStream], line: &str) {
    hub.process.type_in(line);
    peers.iter_mut().for_each(|peer| expect_bytes(peer, line));
}

#[test]
fn an_idle_peer_costs_at_most_180_bytes_and_600_when_it_has_spoken() {
    const PEERS: usize = 2000;
    const FIRST: usize = 1000;
    let _descriptors = allow_descriptors((PEERS + FIRST) as u64);
    let mut hub = Hub::start(&[]);
    // What the first ones cost (the allocator's first pages) is not what each of them costs.
    let mut peers = join(&hub, FIRST);
    say_to_all(&mut hub, &mut peers, "good morning\n");
    let before = hub.process.own_kib();

    peers.extend(join(&hub, PEERS));
    let silent = hub.process.own_kib();
    let idle = (silent - before) * 1024 / PEERS as u64;
    // 16 of them are mio's, in a debug build.
    assert!(idle <= 180, "{idle} B for each of {PEERS} silent peers");

    // Nor is anything left of what they heard, or said in long lines that came in pieces. Not all
    // at once: what an allocator has had to give once it does not give back to the system.
    say_to_all(&mut hub, &mut peers, "how are you?\n");
    let (teacher, class) = peers.split_first_mut().unwrap();
    for (i, some) in class.chunks_mut(100).enumerate() {
        for piece in [&[b'x'; 5000][..], b"\n"] {
            some.iter_mut().for_each(|p| p.write_all(piece).unwrap());
            // Who writes last is read last.
            let line = format!("<{i}: {} read>\n", piece.len());
            teacher.write_all(line.as_bytes()).unwrap();
            hub.process.stdout.wait_for(&line);
        }
    }
    let idle = idle + (hub.process.own_kib() - silent) * 1024 / peers.len() as u64;
    assert!(idle <= 600, "{idle} B for each peer at rest");
}

#[test]
fn an_idle_peer_costs_at_most_a_kilobyte_after_everybody_spoke_to_everybody() {
    const PEERS: usize = 500;
    let _descriptors = allow_descriptors(PEERS as u64);
    let hub = Hub::start(&["--broker", "-v"]);
    let mut peers = vec![hub.join_seen()];
    let before = hub.process.own_kib();
    peers.extend((1..PEERS).map(|_| hub.join_seen()));
    // All at once, so that each has lines of its own among those it is owed.
    for round in 0..5 {
        let line = format!("round {round}\n");
        while_stopped(&hub.process, || {
            for peer in &mut peers {
                peer.write_all(line.as_bytes()).unwrap();
            }
        });
        let others = line.repeat(PEERS - 1);
        let mut heard = vec![0; others.len()];
        for peer in &mut peers {
            peer.read_exact(&mut heard).unwrap();
            assert!(heard == others.as_bytes());
        }
    }
    let idle = hub.process.own_kib() - before;
    // The log of the whole room, too, is given back but for a few segments.
    let log = 6 * 64;
    let limit = PEERS as u64 + log;
    assert!(idle <= limit, "{idle} KiB for {PEERS} peers at rest");
}

#[test]
fn four_thousand_peers_fit_into_16_mib() {
    const PEERS: usize = 4000;
    let _descriptors = allow_descriptors(PEERS as u64);
    let mut hub = Hub::start(&[]);
    let mut peers = join(&hub, PEERS);
    for i in 0..3 {
        say_to_all(&mut hub, &mut peers, &format!("line {i} for everybody\n"));
    }
    let peak = hub.process.peak_rss_kib();
    assert!(peak < 16 * 1024, "{peak} KiB");
}

/// All that tells of a process that does anything: where it is in which system call, how often it
/// was switched to and from, and the time it used.
fn activity(hub: &Hub) -> (String, u64, u64) {
    let path = format!("/proc/{}/syscall", hub.process.pid());
    let call = std::fs::read_to_string(path).unwrap();
    let switches = hub.process.context_switches();
    (call, switches, hub.process.cpu_ticks())
}

#[track_caller]
fn assert_sleeps(hub: &Hub) {
    // What was begun is brought to its end first.
    let mut before = activity(hub);
    eventually("the hub comes to rest", || {
        thread::sleep(Duration::from_millis(100));
        let now = activity(hub);
        std::mem::replace(&mut before, now) == before
    });
    assert_ne!(before.0.trim(), "running");
    thread::sleep(Duration::from_millis(2500));
    assert_eq!(activity(hub), before, "it did something");
}

#[test]
fn an_idle_hub_makes_no_system_call() {
    let mut hub = Hub::start(&["-v"]);
    let mut peers: Vec<TcpStream> = (0..200).map(|_| hub.join_seen()).collect();
    assert_sleeps(&hub);

    // Nor after a lesson, with a line begun, and one who speaks no more.
    say_to_all(&mut hub, &mut peers, "what do you say?\n");
    for peer in &mut peers {
        peer.write_all(b"something\nand").unwrap();
    }
    hub.process.stdout.wait_until("all lines", |shown| {
        shown.iter().filter(|&&byte| byte == b'\n').count() == 200
    });
    peers[0].shutdown(std::net::Shutdown::Write).unwrap();
    hub.process.stderr.wait_for("ended its side");
    assert_sleeps(&hub);
}

#[test]
fn what_is_kept_to_explain_what_a_peer_says_is_bounded() {
    const PEERS: usize = 500;
    let hub = Hub::start(&["--explain"]);
    join(&hub, 10);
    let before = hub.process.own_kib();
    // Heads of requests that do not end, as long as they are kept, and longer; of short lines, which
    // are not kept for any other reason.
    for len in [8000, 20_000] {
        let head = format!("GET /{len} HTTP/1.1\r\n{}", "X: y\r\n".repeat(len / 6));
        let mut peers: Vec<TcpStream> = (0..PEERS).map(|_| hub.join()).collect();
        for peer in &mut peers {
            peer.write_all(head.as_bytes()).unwrap();
        }
        eventually("all of them are heard", || {
            let first = format!("GET /{len} HTTP/1.1\r\n");
            hub.process.stdout.text().matches(&first).count() == PEERS
        });
        let each = (hub.process.own_kib() - before) / PEERS as u64;
        assert!(
            each <= 20,
            "{each} KiB for each of {PEERS} with {len} bytes of a head"
        );
    }
}
