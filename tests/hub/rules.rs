//! The hub's rules: who hears what and in which order, who is let in, where it listens, and what
//! it tells.

use std::collections::HashMap;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Signal;
use socket2::Domain;
use socket2::Socket;
use socket2::Type;

use crate::support;
use crate::support::DEADLINE;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Namespace;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::connect;
use crate::support::connect_soon;
use crate::support::contains;
use crate::support::expect_bytes;
use crate::support::leave_seen;
use crate::support::left_out;
use crate::support::listening_port;
use crate::support::muxnc;
use crate::support::piped;
use crate::support::read_all;
use crate::support::reserved_port;
use crate::support::stay;
use crate::support::while_stopped;

/// Numbers that look random and come again in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// The lines of one source, each with its name and number, of all lengths.
fn lines_of(name: &str, count: usize) -> Vec<u8> {
    let mut random = Random(count as u64 + u64::from(name.as_bytes()[0]));
    let mut bytes = Vec::new();
    for number in 0..count {
        let filler = "x".repeat(random.below(120) as usize);
        bytes.extend(format!("{name} {number} {filler}\n").bytes());
    }
    bytes
}

/// Writes `bytes` in pieces that end anywhere.
fn write_cut(stream: &mut impl Write, bytes: &[u8], seed: u64) {
    let mut random = Random(seed);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(rest.len().min(1 + random.below(300) as usize));
        stream.write_all(piece).expect("write a piece");
        rest = later;
    }
}

/// Fails unless `bytes` are exactly the lines of these sources: each source's whole and in order,
/// whatever the order of the sources.
#[track_caller]
fn expect_lines(bytes: &[u8], sources: &HashMap<&str, Vec<u8>>) {
    let mut rests: HashMap<&str, &[u8]> = sources
        .iter()
        .map(|(name, bytes)| (*name, &bytes[..]))
        .collect();
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        let text = String::from_utf8_lossy(line);
        let name = text.split(' ').next().unwrap();
        let rest = rests
            .get_mut(name)
            .unwrap_or_else(|| panic!("nobody said {text:?}"));
        match rest.strip_prefix(line) {
            Some(later) => *rest = later,
            None => panic!("{name} did not say that, or not then: {text:?}"),
        }
    }
    for (name, rest) in rests {
        assert_eq!(rest.len(), 0, "the end of what {name} said is missing");
    }
}

/// Closes so that the other side sees a reset.
fn reset(stream: TcpStream) {
    let socket = Socket::from(stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

// Rule 1.

#[test]
fn every_byte_of_stdin_goes_to_everybody_unchanged() {
    let mut hub = Hub::start(&["-v"]);
    let peers: Vec<TcpStream> = (0..5).map(|_| hub.join_seen()).collect();
    let mut random = Random(7);
    let mut said: Vec<u8> = (0..=255).collect();
    said.extend((0..3_000_000).map(|_| random.below(256) as u8));
    let readers: Vec<_> = peers
        .into_iter()
        .map(|mut peer| thread::spawn(move || read_all(&mut peer)))
        .collect();
    hub.process.type_in(&said);
    hub.process.end_input();
    for reader in readers {
        assert!(
            reader.join().unwrap() == said,
            "what came is not what was said"
        );
    }
    hub.process.expect_status(0);
}

/// Its kernel has megabytes of it, takes no more until a third of them is read, and acknowledges all the while.
#[test]
fn a_stream_waits_for_who_reads_slowly_what_the_kernel_has() {
    const LEN: usize = 24 * 1024 * 1024;
    let mut hub = Hub::start(&["-v", "--stall-timeout", "2"]);
    let mut fast = hub.join_seen();
    let slow = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    slow.set_recv_buffer_size(64 * 1024).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, hub.port));
    slow.connect(&address.into()).unwrap();
    let mut slow = TcpStream::from(slow);
    hub.wait_joined(&slow);
    let all = thread::spawn(move || read_all(&mut fast).len());
    let slow = thread::spawn(move || {
        let start = Instant::now();
        let (mut taken, mut buffer) = (0, [0; 8 * 1024]);
        // 160 kB in a second, for three times as long as who takes nothing is waited for.
        while start.elapsed() < Duration::from_secs(6) {
            taken += slow.read(&mut buffer).unwrap();
            thread::sleep(Duration::from_millis(50));
        }
        taken + read_all(&mut slow).len()
    });
    hub.process.type_in(vec![b'x'; LEN]);
    hub.process.end_input();
    let took = [all, slow].map(|reader| reader.join().unwrap());
    assert_eq!(took, [LEN; 2], "{}", hub.process.stderr.text());
    hub.process.expect_status(0);
}

#[test]
fn what_is_said_without_a_newline_goes_out_at_once() {
    let mut hub = Hub::start(&["-v"]);
    let (mut alice, mut carol) = (hub.join_seen(), hub.join_seen());
    for said in ["Hel", "lo", "\0", "\n\n", "\r", "\n"] {
        hub.process.type_in(said);
        expect_bytes(&mut alice, said);
        expect_bytes(&mut carol, said);
    }
}

#[test]
fn with_minus_c_a_lone_lf_becomes_crlf_across_reads() {
    let mut hub = Hub::start(&["-v", "-C"]);
    let (mut alice, mut carol) = (hub.join_seen(), hub.join_seen());
    for (said, sent) in [
        ("GET /\n", "GET /\r\n"),
        ("a\r\nb\n\n", "a\r\nb\r\n\r\n"),
        ("c\r", "c\r"),
        ("\n", "\n"),
        ("\n", "\r\n"),
        ("\r\r", "\r\r"),
    ] {
        hub.process.type_in(said);
        expect_bytes(&mut alice, sent);
        expect_bytes(&mut carol, sent);
    }
    // What peers say is not touched.
    alice.write_all(b"x\ny\r\n").unwrap();
    hub.process.stdout.wait_until("x, y", |b| b == b"x\ny\r\n");
}

// Rule 2.

#[test]
fn a_lone_peer_is_heard_at_once_byte_for_byte() {
    let hub = Hub::start(&["-v"]);
    let mut alice = hub.join_seen();
    let mut said = Vec::new();
    for piece in [&b"Hel"[..], b"lo", b"\n", b"\0\xff\r", b"no end"] {
        alice.write_all(piece).unwrap();
        said.extend_from_slice(piece);
        hub.process.stdout.wait_until("a piece", |b| b == said);
    }
}

#[test]
fn the_lines_of_several_are_never_mixed() {
    let hub = Hub::start(&["-v"]);
    let names = ["alice", "bella", "carol", "david", "erika"];
    let sources: HashMap<&str, Vec<u8>> = names
        .map(|name| (name, lines_of(name, 3000)))
        .into_iter()
        .collect();
    let peers: Vec<TcpStream> = names.iter().map(|_| hub.join_seen()).collect();
    thread::scope(|scope| {
        for (seed, (mut peer, name)) in peers.iter().zip(names).enumerate() {
            let said = &sources[name];
            scope.spawn(move || write_cut(&mut peer, said, 1 + seed as u64));
        }
    });
    let total: usize = sources.values().map(Vec::len).sum();
    let shown = hub
        .process
        .stdout
        .wait_until("everything", |b| b.len() >= total);
    expect_lines(&shown, &sources);
}

#[test]
fn an_unfinished_line_waits_for_its_end() {
    let hub = Hub::start(&["-v"]);
    let (mut alice, mut carol) = (hub.join_seen(), hub.join_seen());
    let stdout = &hub.process.stdout;
    alice.write_all(b"one\nunfin").unwrap();
    stdout.wait_until("one", |b| b == b"one\n");
    carol.write_all(b"two\n").unwrap();
    stdout.wait_until("two", |b| b == b"one\ntwo\n");
    alice.write_all(b"ished\nrest").unwrap();
    stdout.wait_until("the end of it", |b| b == b"one\ntwo\nunfinished\n");
}

#[test]
fn an_unfinished_line_is_passed_on_when_its_peer_leaves() {
    let leaves: [fn(TcpStream); 2] = [drop, reset];
    for leave in leaves {
        let hub = Hub::start(&["-v"]);
        let (mut alice, mut carol, _dave) = (hub.join_seen(), hub.join_seen(), hub.join_seen());
        let stdout = &hub.process.stdout;
        alice.write_all(b"one\nunfinished").unwrap();
        stdout.wait_until("one", |b| b == b"one\n");
        carol.write_all(b"two\n").unwrap();
        stdout.wait_until("two", |b| b == b"one\ntwo\n");
        leave(alice);
        stdout.wait_until("the rest", |b| b == b"one\ntwo\nunfinished");
    }
}

#[test]
fn an_unfinished_line_is_passed_on_when_its_peer_ends_its_side() {
    let hub = Hub::start(&["-v"]);
    let (mut alice, _carol) = (hub.join_seen(), hub.join_seen());
    alice.write_all(b"one\nunfinished").unwrap();
    alice.shutdown(Shutdown::Write).unwrap();
    hub.process
        .stdout
        .wait_until("the rest", |b| b == b"one\nunfinished");
}

#[test]
fn a_line_of_64_kib_is_passed_on_in_pieces() {
    let hub = Hub::start(&["-v"]);
    let (mut alice, mut carol) = (hub.join_seen(), hub.join_seen());
    let stdout = &hub.process.stdout;
    // A little less is held however long it takes.
    let mut long = vec![b'a'; 60 * 1024];
    alice.write_all(&long).unwrap();
    let mut shown = Vec::new();
    for turn in 0..5 {
        let line = format!("turn {turn}\n");
        carol.write_all(line.as_bytes()).unwrap();
        shown.extend(line.bytes());
        stdout.wait_until("only Carol", |b| b == shown);
    }
    alice.write_all(&[b'b'; 140 * 1024]).unwrap();
    long.extend([b'b'; 140 * 1024]);
    // At most the last 64 KiB may still be held.
    let enough = shown.len() + long.len() - 64 * 1024;
    stdout.wait_until("pieces", |b| b.len() > enough);
    alice.write_all(b"\n").unwrap();
    long.push(b'\n');
    shown.extend(long);
    stdout.wait_until("the end of the line", |b| b == shown);
}

#[test]
fn a_line_that_is_half_shown_is_not_mixed_with_who_joins_then() {
    let hub = Hub::start(&["-v"]);
    let mut alice = hub.join_seen();
    let stdout = &hub.process.stdout;
    alice.write_all(b"Hel").unwrap();
    stdout.wait_until("what Alice began", |b| b == b"Hel");
    let mut carol = hub.join_seen();
    carol.write_all(b"Carol is here\n").unwrap();
    // Whoever joins next is served in a later turn than what Carol said.
    let _dave = hub.join_seen();
    alice.write_all(b"lo\n").unwrap();
    stdout.wait_until("both", |b| b == b"Hello\nCarol is here\n");
}

#[test]
fn who_waits_for_a_half_shown_line_is_heard_when_its_peer_is_gone() {
    let leaves: [fn(TcpStream); 2] = [drop, reset];
    for leave in leaves {
        let hub = Hub::start(&["-v"]);
        let mut alice = hub.join_seen();
        let stdout = &hub.process.stdout;
        alice.write_all(b"Hel").unwrap();
        stdout.wait_until("what Alice began", |b| b == b"Hel");
        let mut carol = hub.join_seen();
        carol.write_all(b"Carol is here\n").unwrap();
        let _dave = hub.join_seen();
        leave(alice);
        stdout.wait_until("Carol", |b| b == b"Hel\nCarol is here\n");
    }
}

#[test]
fn a_half_shown_line_mutes_nobody_for_longer_than_the_stall_timeout() {
    let hub = Hub::start(&["-v", "--stall-timeout", "500ms"]);
    let mut alice = hub.join_seen();
    let stdout = &hub.process.stdout;
    alice.write_all(b"Hel").unwrap();
    stdout.wait_until("what Alice began", |b| b == b"Hel");
    let mut carol = hub.join_seen();
    carol.write_all(b"Carol is here\n").unwrap();
    stdout.wait_until("Carol", |b| b == b"Hel\nCarol is here\n");
}

// Rule 4.

#[test]
fn peers_do_not_see_each_other() {
    let mut hub = Hub::start(&["-v"]);
    let (mut alice, mut carol) = (hub.join_seen(), hub.join_seen());
    alice.write_all(b"from alice\n").unwrap();
    hub.process.stdout.wait_for("from alice\n");
    carol.write_all(b"from carol\n").unwrap();
    hub.process.stdout.wait_for("from carol\n");
    hub.process.type_in("from bob\n");
    hub.process.end_input();
    for peer in [&mut alice, &mut carol] {
        assert_eq!(read_all(peer), b"from bob\n");
    }
    // Nor does Bob see himself.
    drop((alice, carol));
    hub.process.expect_status(0);
    assert_eq!(hub.process.stdout.wait_end(), b"from alice\nfrom carol\n");
}

#[test]
fn a_broker_passes_lines_to_everybody_but_their_author() {
    let mut hub = Hub::start(&["-v", "--broker"]);
    let (mut alice, mut carol, mut dave) = (hub.join_seen(), hub.join_seen(), hub.join_seen());
    alice.write_all(b"from alice\n").unwrap();
    for peer in [&mut carol, &mut dave] {
        expect_bytes(peer, "from alice\n");
    }
    carol.write_all(b"from carol\n").unwrap();
    for peer in [&mut alice, &mut dave] {
        expect_bytes(peer, "from carol\n");
    }
    hub.process.type_in("from bob\n");
    hub.process.end_input();
    for peer in [&mut alice, &mut carol, &mut dave] {
        assert_eq!(read_all(peer), b"from bob\n");
    }
    drop((alice, carol, dave));
    hub.process.expect_status(0);
    assert_eq!(hub.process.stdout.wait_end(), b"from alice\nfrom carol\n");
}

#[test]
fn a_broker_cuts_bobs_input_into_lines_too() {
    let mut hub = Hub::start(&["-v", "--broker"]);
    let (mut alice, mut carol) = (hub.join_seen(), hub.join_seen());
    hub.process.type_in("one\nHel");
    expect_bytes(&mut alice, "one\n");
    expect_bytes(&mut carol, "one\n");
    alice.write_all(b"from alice\nunfin").unwrap();
    expect_bytes(&mut carol, "from alice\n");
    hub.process.type_in("lo\n");
    expect_bytes(&mut carol, "Hello\n");
    alice.write_all(b"ished\n").unwrap();
    expect_bytes(&mut carol, "unfinished\n");
    // The end of his input ends his line.
    hub.process.type_in("bye");
    hub.process.end_input();
    assert_eq!(read_all(&mut carol), b"bye");
    assert_eq!(read_all(&mut alice), b"Hello\nbye");
}

#[test]
fn a_broker_passes_on_a_line_that_began_when_nobody_else_was_there() {
    let hub = Hub::start(&["-v", "--broker"]);
    let mut alice = hub.join_seen();
    alice.write_all(b"before\nHel").unwrap();
    hub.process
        .stdout
        .wait_until("Hel", |b| b == b"before\nHel");
    let mut carol = hub.join_seen();
    alice.write_all(b"lo\n").unwrap();
    expect_bytes(&mut carol, "Hello\n");
    hub.process
        .stdout
        .wait_until("Hello", |b| b == b"before\nHello\n");
}

#[test]
fn a_broker_keeps_every_line_whole_and_every_source_in_order() {
    let mut hub = Hub::start(&["-v", "--broker"]);
    let names = ["alice", "carol", "david", "erika"];
    let mut sources: HashMap<&str, Vec<u8>> = names
        .map(|name| (name, lines_of(name, 1000)))
        .into_iter()
        .collect();
    let bob = lines_of("bob", 1000);
    let peers: Vec<TcpStream> = names.iter().map(|_| hub.join_seen()).collect();
    let from_peers: usize = sources.values().map(Vec::len).sum();
    let mut stdin = hub.process.stdin.take().unwrap();
    let heard: Vec<Vec<u8>> = thread::scope(|scope| {
        let sources = &sources;
        for (seed, (mut peer, name)) in peers.iter().zip(names).enumerate() {
            scope.spawn(move || write_cut(&mut peer, &sources[name], 11 + seed as u64));
        }
        scope.spawn(|| write_cut(&mut stdin, &bob, 17));
        let readers: Vec<_> = peers
            .iter()
            .zip(names)
            .map(|(mut peer, name)| {
                let mut heard = vec![0; from_peers - sources[name].len() + bob.len()];
                scope.spawn(move || {
                    peer.read_exact(&mut heard).expect("everybody else's lines");
                    heard
                })
            })
            .collect();
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .collect()
    });
    let shown = hub
        .process
        .stdout
        .wait_until("everything", |b| b.len() >= from_peers);
    expect_lines(&shown, &sources);
    sources.insert("bob", bob);
    for (name, heard) in names.iter().zip(heard) {
        let mut others = sources.clone();
        others.remove(name);
        expect_lines(&heard, &others);
    }
    // There is nothing after it.
    drop(stdin);
    for mut peer in peers {
        assert_eq!(read_all(&mut peer), b"");
    }
}

// Rule 8.

#[test]
fn once_serves_one_and_ends_with_it() {
    let mut hub = Hub::start(&["--once"]);
    let mut alice = hub.join();
    hub.process.type_in("Hello\n");
    expect_bytes(&mut alice, "Hello\n");
    alice.write_all(b"World").unwrap();
    hub.process.stdout.wait_until("World", |b| b == b"World");
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, hub.port));
    let second = TcpStream::connect_timeout(&addr, DEADLINE);
    assert_eq!(
        second.expect_err("only one is served").kind(),
        std::io::ErrorKind::ConnectionRefused
    );
    drop(alice);
    // Whoever reads Bob's stdout sees the end; his stdin is still open, and may have more to send.
    assert_eq!(hub.process.stdout.wait_end(), b"World");
    assert!(hub.process.is_running());
    hub.process.end_input();
    hub.process.expect_status(0);
}

#[test]
fn once_tells_who_came_as_a_hub_does() {
    let hub = Hub::start(&["--once", "-v"]);
    let alice = hub.join();
    let addr = alice.local_addr().unwrap();
    hub.process
        .stderr
        .wait_for(&format!("muxnc: {addr} joined\n"));
}

#[test]
fn a_hub_stays_when_everybody_left() {
    let mut hub = Hub::start(&["-v"]);
    for turn in 1..=3 {
        let mut peer = hub.join_seen();
        let said = format!("turn {turn}\n");
        hub.process.type_in(&said);
        expect_bytes(&mut peer, &said);
        stay();
        reset(peer);
        let left = format!("muxnc: [{turn}] ");
        hub.process.stderr.wait_until("leaves", |b| {
            let text = String::from_utf8_lossy(b);
            text.lines()
                .any(|line| line.starts_with(&left) && line.contains(" left "))
        });
    }
    assert!(hub.process.is_running());
}

#[test]
fn who_closed_is_found_out_when_something_is_said() {
    let mut hub = Hub::start(&["-v"]);
    let alice = hub.join_seen();
    let mut carol = hub.join_seen();
    drop(alice);
    // So far she may as well have ended her side only, and still listen.
    hub.process.stderr.wait_for(" ended its side\n");
    hub.process.type_in("Hello\n");
    // It left in the normal way: that somebody said something then is no fault of its.
    hub.process.stderr.wait_for(" left after ");
    hub.process.stderr.wait_for(" 1 here\n");
    expect_bytes(&mut carol, "Hello\n");
    assert!(hub.process.is_running());
}

#[test]
fn what_is_typed_while_nobody_is_there_reaches_the_first_who_joins() {
    let mut hub = Hub::start(&["-v"]);
    hub.process.type_in("early\n");
    let mut alice = hub.join_seen();
    expect_bytes(&mut alice, "early\n");
    stay();
    reset(alice);
    hub.process.stderr.wait_for(" left ");
    hub.process.type_in("between\n");
    let mut carol = hub.join_seen();
    expect_bytes(&mut carol, "between\n");
}

#[test]
fn what_comes_as_the_only_one_leaves_waits_for_the_next() {
    for options in [&[][..], &["-k"], &["--broker"]] {
        let mut hub = Hub::start(options);
        let mut ana = hub.join();
        hub.process.type_in("hello\n");
        expect_bytes(&mut ana, "hello\n");
        stay();
        let mut stdin = hub.process.stdin.take().expect("it is a pipe");
        while_stopped(&hub.process, || {
            leave_seen(ana);
            stdin.write_all(b"for the next\n").unwrap();
        });
        let mut bo = hub.join();
        expect_bytes(&mut bo, "for the next\n");
    }
}

// Rule 9.

/// It connects and the line is typed while the hub is stopped, so that the hub is told of both at once.
#[test]
fn a_newcomer_hears_what_is_typed_right_after_it_connected() {
    for mode in [&[][..], &["--broker"], &["--chat"]] {
        let mut hub = Hub::start(mode);
        let mut bob = hub.join();
        bob.write_all(b"hello\n").unwrap();
        hub.process.stdout.wait_for("hello\n");
        // That he has it is known before he says something again: nothing is kept for who joins.
        hub.process.type_in("good morning\n");
        read_line(&mut bob, "good morning\n");
        stay();
        let mut stdin = hub.process.stdin.take().unwrap();
        let mut class = vec![bob];
        for page in 0..20 {
            let line = format!("page {page}\n");
            let newcomer = while_stopped(&hub.process, || {
                let newcomer = hub.join();
                stdin.write_all(line.as_bytes()).unwrap();
                newcomer
            });
            class.push(newcomer);
            for member in &mut class {
                read_line(member, &line);
            }
        }
    }
}

/// Reads lines until this one comes, with or without a name before it; it is not to be missed.
#[track_caller]
fn read_line(stream: &mut TcpStream, expected: &str) {
    let mut line = Vec::new();
    while !line.ends_with(expected.as_bytes()) {
        let mut byte = [0];
        let count = stream
            .read(&mut byte)
            .unwrap_or_else(|error| panic!("{expected:?}: {error}"));
        assert_eq!(count, 1, "{expected:?} did not come");
        line.extend(byte);
    }
}

#[test]
fn one_too_many_is_told_why() {
    let mut hub = Hub::start(&["-v", "-m", "2"]);
    let (alice, mut carol) = (hub.join_seen(), hub.join_seen());
    let mut dave = hub.join();
    assert_eq!(read_all(&mut dave), b"muxnc: full, 2 are here already\n");
    let addr = dave.local_addr().unwrap();
    hub.process
        .stderr
        .wait_for(&format!("muxnc: {addr} was refused: 2 are here already\n"));
    // He was never one of them.
    dave.write_all(b"from dave\n").ok();
    reset(alice);
    hub.process.stderr.wait_for(" left ");
    let mut erika = hub.join_seen();
    hub.process.type_in("Hello\n");
    expect_bytes(&mut carol, "Hello\n");
    expect_bytes(&mut erika, "Hello\n");
    erika.write_all(b"from erika\n").unwrap();
    hub.process
        .stdout
        .wait_until("Erika", |b| b == b"from erika\n");
    assert!(
        !hub.process
            .stderr
            .text()
            .contains(&format!("{addr} joined"))
    );
}

// Rule 11.

#[test]
fn listening_can_be_spelled_in_many_ways() {
    for args in [
        &["-l", "0"][..],
        &["0", "-l"],
        &["-l", "-p", "0"],
        &["-lp", "0"],
        &["-lvnp", "0"],
        &["-p", "0", "-l", "-v"],
        &["--listen", "--source-port", "0"],
    ] {
        let hub = Hub::start_command(&mut piped(MUXNC, args));
        // All addresses of this machine, of which 127.0.0.2 is one.
        for host in [[127, 0, 0, 1], [127, 0, 0, 2]] {
            TcpStream::connect_timeout(&(host, hub.port).into(), DEADLINE)
                .unwrap_or_else(|error| panic!("{args:?}: {host:?}: {error}"));
        }
    }
    for args in [
        &["-l", "127.0.0.2", "0"][..],
        &["127.0.0.2", "0", "-l"],
        &["-l", "127.0.0.2", "-p", "0"],
        &["-l", "-s", "127.0.0.2", "0"],
        &["-l", "0", "-s", "127.0.0.2"],
        &["-lvns", "127.0.0.2", "-p", "0"],
        &["--listen", "--source", "127.0.0.2", "--source-port", "0"],
    ] {
        let hub = Hub::start_command(&mut piped(MUXNC, args));
        let said = hub.process.stderr.wait_for("\n");
        assert!(
            said.starts_with("muxnc: listening on 127.0.0.2:"),
            "{args:?}: {said}"
        );
        TcpStream::connect_timeout(&([127, 0, 0, 2], hub.port).into(), DEADLINE)
            .unwrap_or_else(|error| panic!("{args:?}: {error}"));
        TcpStream::connect_timeout(&([127, 0, 0, 1], hub.port).into(), DEADLINE)
            .expect_err("only the address that was asked for");
    }
}

#[test]
fn the_port_that_nobody_could_know_is_always_told() {
    for args in [&[][..], &["--quiet"], &["-v"], &["--once", "--quiet"]] {
        let hub = Hub::start(args);
        assert_ne!(hub.port, 0);
        hub.join();
        let mut off = piped(MUXNC, &["-l", "0"]);
        let hub = Hub::start_command(off.args(args).env("RUST_LOG", "off"));
        hub.join();
    }
}

/// Whether `port` can be reached over IPv4 and over IPv6.
fn reached(port: u16) -> (bool, bool) {
    let over = |ip: IpAddr| TcpStream::connect_timeout(&(ip, port).into(), DEADLINE).is_ok();
    (
        over(Ipv4Addr::LOCALHOST.into()),
        over(Ipv6Addr::LOCALHOST.into()),
    )
}

#[test]
fn one_listener_serves_both_families_unless_told_otherwise() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return left_out("IPv6 on this machine");
    }
    for (args, expected, place) in [
        (&["-l", "0"][..], (true, true), "[::]:PORT (IPv4 and IPv6)"),
        (&["-l", "-4", "0"], (true, false), "0.0.0.0:PORT"),
        (&["-l", "-6", "0"], (false, true), "[::]:PORT"),
        (&["-l", "::", "0"], (false, true), "[::]:PORT"),
        (&["-l", "::1", "0"], (false, true), "[::1]:PORT"),
        (&["-l", "0.0.0.0", "0"], (true, false), "0.0.0.0:PORT"),
        (&["-l", "127.0.0.1", "0"], (true, false), "127.0.0.1:PORT"),
        (
            &["-l", "-4", "localhost", "0"],
            (true, false),
            "127.0.0.1:PORT",
        ),
    ] {
        let hub = Hub::start_command(&mut piped(MUXNC, args));
        let place = place.replace("PORT", &hub.port.to_string());
        let said = hub.process.stderr.wait_for("\n");
        assert_eq!(said, format!("muxnc: listening on {place}\n"), "{args:?}");
        assert_eq!(reached(hub.port), expected, "{args:?}");
    }
}

#[test]
fn a_peer_over_ipv4_looks_like_ipv4_and_one_over_ipv6_like_ipv6() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return left_out("IPv6 on this machine");
    }
    let hub = Hub::start(&["-v"]);
    let alice = hub.join();
    let addr = alice.local_addr().unwrap();
    hub.process
        .stderr
        .wait_for(&format!("muxnc: [1] {addr} joined, 1 here\n"));
    let carol = TcpStream::connect((Ipv6Addr::LOCALHOST, hub.port)).unwrap();
    let addr = carol.local_addr().unwrap();
    hub.process
        .stderr
        .wait_for(&format!("muxnc: [2] {addr} joined, 2 here\n"));
}

/// Whether the kernel remembers a connection of this port that was closed from this side.
fn has_time_wait(port: u16) -> bool {
    let local = format!(":{port:04X}");
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
        .iter()
        .any(|table| {
            let table = std::fs::read_to_string(table).unwrap_or_default();
            table.lines().any(|line| {
                let fields: Vec<&str> = line.split_whitespace().collect();
                fields[1].ends_with(&local) && fields[3] == "06"
            })
        })
}

/// How many connections the kernel did not keep in TIME_WAIT, since it kept as many as it may
/// (`net.ipv4.tcp_max_tw_buckets`): after a storm of other tests.
fn time_wait_overflows() -> Option<String> {
    let table = std::fs::read_to_string("/proc/self/net/netstat").unwrap_or_default();
    let mut lines = table.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, counts) = (lines.next()?, lines.next()?);
    let mut both = names.split_whitespace().zip(counts.split_whitespace());
    let found = both.find(|(name, _)| *name == "TCPTimeWaitOverflow");
    found.map(|(_, count)| count.to_owned())
}

#[test]
fn a_hub_starts_again_at_once_on_its_port() {
    let overflows = time_wait_overflows();
    let mut hub = Hub::start(&["-v"]);
    let mut alice = hub.join_seen();
    let _carol = hub.join_seen();
    hub.process.signal(Signal::INT);
    hub.process.wait();
    // The hub closed first, so it is its end that the kernel keeps for a minute.
    assert_eq!(read_all(&mut alice), b"");
    drop(alice);
    let end = Instant::now() + DEADLINE;
    while !has_time_wait(hub.port) && time_wait_overflows() == overflows {
        assert!(Instant::now() < end, "no connection is in TIME_WAIT");
        thread::sleep(Duration::from_millis(5));
    }
    let port = hub.port.to_string();
    let again = Process::start(&mut piped(MUXNC, &["-l", "-v", &port]));
    assert_eq!(listening_port(&again.stderr), hub.port);
    connect(hub.port);
    again.stderr.wait_for(" joined");
}

// Rule 16: service names. Where nobody else listens, as on a machine that may have a web server.

#[test]
fn a_port_can_be_the_name_of_a_service() {
    let services = std::fs::read_to_string("/etc/services").unwrap_or_default();
    if !services.lines().any(|line| line.starts_with("http")) {
        return left_out("/etc/services");
    }
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let mut alice = namespace.piped(MUXNC, &["127.0.0.1", "http"]);
    let mut alice = Process::start(alice.stdin(Stdio::null()));
    alice.expect_status(1);
    alice
        .stderr
        .wait_for("muxnc: connect to 127.0.0.1:80: connection refused\n");
    let mut bob = Process::start(&mut namespace.piped(MUXNC, &["-l", "-v", "http"]));
    assert_eq!(listening_port(&bob.stderr), 80);
    let alice = Process::start(&mut namespace.piped(MUXNC, &["127.0.0.1", "http"]));
    bob.type_in("Hello\n");
    alice.stdout.wait_for("Hello\n");
    // With -n nothing is looked up.
    let mut numbers = muxnc(&["-n", "127.0.0.1", "http"]);
    numbers.expect_status(2);
    numbers
        .stderr
        .wait_for("muxnc: port 'http': not a number\n");
}

// Rule 17.

#[test]
fn minus_v_tells_who_came_and_who_left_why_and_with_how_much() {
    let mut hub = Hub::start(&["-v"]);
    let stderr = hub.process.stderr.clone();
    let mut alice = hub.join_seen();
    let first = alice.local_addr().unwrap();
    stderr.wait_for(&format!("muxnc: [1] {first} joined, 1 here\n"));
    let carol = hub.join();
    let second = carol.local_addr().unwrap();
    stderr.wait_for(&format!("muxnc: [2] {second} joined, 2 here\n"));
    alice.write_all(b"Hello Bob\n").unwrap();
    hub.process.stdout.wait_for("Hello Bob\n");
    hub.process.type_in("Hello\n");
    expect_bytes(&mut alice, "Hello\n");
    reset(alice);
    let told = stderr.wait_for(" out, 1 here\n");
    let told = told.lines().find(|line| line.contains(" left ")).unwrap();
    let start = format!("muxnc: [1] {first} left (connection reset by peer) after ");
    assert!(told.starts_with(&start), "{told}");
    assert!(told.ends_with("s, 10 bytes in, 6 out, 1 here"), "{told}");
    // The port is told first, and every line is muxnc's.
    let text = stderr.text();
    assert!(text.starts_with("muxnc: listening on "), "{text}");
    assert!(
        text.lines().all(|line| line.starts_with("muxnc: ")),
        "{text}"
    );
    drop(carol);
}

#[test]
fn a_peer_that_closes_in_order_is_told_without_a_reason() {
    let mut hub = Hub::start(&["-v"]);
    let alice = hub.join_seen();
    let addr = alice.local_addr().unwrap();
    hub.process.type_in("Hello\n");
    hub.process.end_input();
    let mut alice = alice;
    assert_eq!(read_all(&mut alice), b"Hello\n");
    drop(alice);
    hub.process.expect_status(0);
    hub.process.stderr.wait_end();
    let text = hub.process.stderr.text();
    let told = text.lines().find(|line| line.contains(" left ")).unwrap();
    assert!(
        told.starts_with(&format!("muxnc: [1] {addr} left after ")),
        "{text}"
    );
    assert!(told.ends_with("s, 0 bytes in, 6 out, 0 here"), "{text}");
}

/// What a hub in a script says about a peer that comes, speaks and goes. (There is one before it.)
fn told_in_a_script(args: &[&str], log: Option<&str>) -> String {
    let (_reserved, port) = reserved_port();
    let port = port.to_string();
    let mut command = piped(MUXNC, &["-l", &port]);
    if let Some(log) = log {
        command.env("RUST_LOG", log);
    }
    let mut hub = Process::start(command.args(args));
    let mut alice = connect_soon(port.parse().unwrap());
    // Who was heard has certainly joined.
    alice.write_all(b"World\n").unwrap();
    hub.stdout.wait_for("World\n");
    hub.type_in("Hello\n");
    expect_bytes(&mut alice, "Hello\n");
    hub.end_input();
    assert_eq!(read_all(&mut alice), b"");
    drop(alice);
    hub.expect_status(0);
    hub.stderr.wait_end();
    hub.stderr.text()
}

#[test]
fn a_hub_in_a_script_is_quiet() {
    assert_eq!(told_in_a_script(&[], None), "");
    assert_eq!(told_in_a_script(&["--quiet"], None), "");
}

#[test]
fn more_vs_tell_more_and_rust_log_has_the_last_word() {
    let story = ["listening on", "joined", "left", "out, 0 here"];
    let once = told_in_a_script(&["-v"], None);
    let thrice = told_in_a_script(&["-vvv"], None);
    for told in [
        &once,
        &thrice,
        &told_in_a_script(&["-vv"], None),
        &told_in_a_script(&[], Some("info")),
        &told_in_a_script(&[], Some("muxnc=info")),
        &told_in_a_script(&[], Some("muxnc::notice=info")),
    ] {
        for part in story {
            assert!(told.contains(part), "{part} is missing in {told}");
        }
    }
    assert!(
        thrice.lines().count() > once.lines().count(),
        "{thrice}\nis no more than\n{once}"
    );
    assert_eq!(told_in_a_script(&["-v"], Some("warn")), "");
    assert_eq!(told_in_a_script(&["-vvv"], Some("off")), "");
}

#[test]
fn at_a_terminal_a_hub_tells_who_comes_and_goes_unless_quiet() {
    let (_reserved, port) = reserved_port();
    let bob = Terminal::muxnc(&["-l", &port.to_string()]);
    bob.screen.wait_for("muxnc: listening on ");
    let alice = connect(port);
    let addr = alice.local_addr().unwrap();
    bob.screen
        .wait_for(&format!("muxnc: [1] {addr} joined, 1 here\r\n"));
    reset(alice);
    bob.screen.wait_for(&format!(
        "muxnc: [1] {addr} left (connection reset by peer) after "
    ));

    let (_reserved, port) = reserved_port();
    let bob = Terminal::muxnc(&["-l", "--quiet", "--label", "never", &port.to_string()]);
    let mut alice = connect_soon(port);
    alice.write_all(b"Hello\n").unwrap();
    bob.screen.wait_for("Hello\r\n");
    reset(alice);
    // Who comes after her is heard after her leaving would have been told.
    let mut carol = connect(port);
    carol.write_all(b"World\n").unwrap();
    bob.screen
        .wait_until("two lines and nothing else", |b| b == b"Hello\r\nWorld\r\n");
}

#[test]
fn only_stderr_decides_whether_a_hub_tells() {
    // stdin and stdout a terminal, stderr a pipe: as in `muxnc -l 3000 2>log`.
    let (_reserved, port) = reserved_port();
    let (master, slave) = support::pty();
    let mut command = piped(MUXNC, &["-l", &port.to_string()]);
    command.stdin(slave.try_clone().unwrap()).stdout(slave);
    let hub = Process::start(&mut command);
    let screen = support::Watched::new(master);
    let mut alice = connect_soon(port);
    alice.write_all(b"Hello\n").unwrap();
    screen.wait_until("Hello", |b| contains(b, b"Hello"));
    assert_eq!(hub.stderr.text(), "");
}

// Rule 18.

fn threads(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .count()
}

/// How often it has gone to sleep, and has therefore been awake.
fn sleeps(pid: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = |name| status.lines().find(|line| line.starts_with(name)).unwrap();
    line("voluntary_ctxt_switches").to_owned()
}

#[test]
fn one_thread_serves_everybody() {
    if !Path::new("/proc/self/task").exists() {
        return left_out("/proc");
    }
    let mut hub = Hub::start(&["-v", "--broker"]);
    let mut peers: Vec<TcpStream> = (0..20).map(|_| hub.join_seen()).collect();
    let port = hub.port.to_string();
    // A name has to be looked up, too.
    let client = muxnc(&["localhost", &port]);
    hub.process.stderr.wait_for("[21] ");
    hub.process.type_in("Hello\n");
    client.stdout.wait_for("Hello\n");
    for peer in &mut peers {
        expect_bytes(peer, "Hello\n");
    }
    peers[0].write_all(b"World\n").unwrap();
    client.stdout.wait_for("World\n");
    assert_eq!(threads(hub.process.pid()), 1);
    assert_eq!(threads(client.pid()), 1);
    let once = Hub::start(&["--once"]);
    let mut alice = once.join();
    alice.write_all(b"Hello\n").unwrap();
    once.process.stdout.wait_for("Hello\n");
    assert_eq!(threads(once.process.pid()), 1);
}

#[test]
fn who_has_nothing_to_do_does_not_wake() {
    if !Path::new("/proc/self/status").exists() {
        return left_out("/proc");
    }
    let mut hub = Hub::start(&["-v"]);
    let _peers: Vec<TcpStream> = (0..20).map(|_| hub.join_seen()).collect();
    let client = muxnc(&["127.0.0.1", &hub.port.to_string()]);
    hub.process.stderr.wait_for("[21] ");
    hub.process.type_in("Hello\n");
    client.stdout.wait_for("Hello\n");
    for pid in [hub.process.pid(), client.pid()] {
        // It may take a moment until everything is done.
        let end = Instant::now() + DEADLINE;
        loop {
            let before = sleeps(pid);
            thread::sleep(Duration::from_millis(1500));
            if sleeps(pid) == before {
                break;
            }
            assert!(Instant::now() < end, "it wakes again and again");
        }
    }
}

/// Where several sources meet the operator's words are cut into lines, and one without an end is said
/// at the end of the input, or when it is too long to be held.
#[test]
fn an_input_without_a_line_feed_is_said_where_lines_are_cut() {
    let endless = "x".repeat(200_000);
    for (mode, input) in [
        ("--broker", "hello"),
        ("--broker", "two\nlines"),
        ("--chat", "hello"),
        ("--broker", &endless),
    ] {
        let mut hub = Hub::start(&[mode]);
        let mut participant = hub.join();
        hub.process.type_in(input);
        hub.process.end_input();
        let heard = String::from_utf8(read_all(&mut participant)).unwrap();
        match mode {
            "--chat" => assert!(heard.ends_with(&format!("<host> {input}\n")), "{heard}"),
            _ => assert!(heard == input, "{} bytes", heard.len()),
        }
        drop(participant);
        hub.process.expect_status(0);
    }
}
