//! No event that a peer can cause ends the hub, stops it or mutes the others: resets at every
//! stage, more peers than descriptors, endless lines, floods, lines that never end.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use socket2::SockRef;

use crate::support;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Pattern;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::pipe;
use crate::support::piped;
use crate::support::stay;
use crate::support::wait_at_rest;
use crate::support::while_stopped;

/// Closes a connection with a reset, as a crash or a yanked cable would in the end.
fn reset(stream: TcpStream) {
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

fn descriptors(hub: &Hub) -> usize {
    let path = format!("/proc/{}/fd", hub.process.pid());
    std::fs::read_dir(path).unwrap().count()
}

/// Reads one byte of the stream: whoever has it is being sent to.
fn read_a_byte(stream: &mut TcpStream) {
    stream.read_exact(&mut [0]).unwrap();
}

#[test]
fn hundreds_of_resets_at_every_stage_harm_nobody() {
    const PEERS: usize = 300;
    // Those who are to be reset do not read: they must not be cut off before.
    let mut hub = Hub::start(&["--stall-timeout", "1h"]);
    let mut witness = hub.join();
    witness.write_all(b"the witness is here\n").unwrap();
    hub.process.stdout.wait_for("the witness is here\n");
    let before = descriptors(&hub);

    // Bob speaks all the time, and the witness must miss nothing of it.
    let stop = Arc::new(AtomicBool::new(false));
    let mut stdin = hub.process.stdin.take().unwrap();
    let speaker = thread::spawn({
        let stop = stop.clone();
        move || {
            let pattern = Pattern::bytes();
            let mut at = 0;
            while !stop.load(Ordering::Relaxed) {
                let slice = pattern.slice(at, 4096);
                stdin.write_all(slice).unwrap();
                at += slice.len() as u64;
            }
            at
        }
    });
    let mut heard = witness.try_clone().unwrap();
    let listener = thread::spawn(move || Pattern::bytes().read(&mut heard, u64::MAX));

    // Before they are accepted, all at once.
    while_stopped(&hub.process, || (0..PEERS).for_each(|_| reset(hub.join())));
    // Right after they connected.
    (0..PEERS).for_each(|_| reset(hub.join()));
    // In the middle of a line.
    for i in 0..PEERS {
        let mut peer = hub.join();
        write!(peer, "<half a line {i}>").unwrap();
        reset(peer);
    }
    // While they are sent to.
    for _ in 0..PEERS {
        let mut peer = hub.join();
        read_a_byte(&mut peer);
        reset(peer);
    }
    // A close with something unread is a reset too.
    for _ in 0..PEERS {
        let mut peer = hub.join();
        read_a_byte(&mut peer);
        peer.peek(&mut [0]).unwrap();
        drop(peer);
    }
    // After they ended their own stream.
    for _ in 0..PEERS {
        let mut peer = hub.join();
        peer.shutdown(Shutdown::Write).unwrap();
        read_a_byte(&mut peer);
        reset(peer);
    }
    // Together with their last words, all in one batch of events.
    // They come at once too: the first of them would soon hold up what is sent to the last.
    let mut peers: Vec<TcpStream> =
        while_stopped(&hub.process, || (0..PEERS).map(|_| hub.join()).collect());
    peers.iter_mut().for_each(read_a_byte);
    while_stopped(&hub.process, || {
        for (i, mut peer) in peers.drain(..).enumerate() {
            writeln!(peer, "<last words {i}>").unwrap();
            reset(peer);
        }
    });

    // All are gone, and their descriptors with them; what they said was heard, also half of it.
    eventually("all descriptors are closed", || descriptors(&hub) == before);
    witness.write_all(b"the witness is still here\n").unwrap();
    let heard = hub.process.stdout.wait_for("the witness is still here\n");
    for i in 0..PEERS {
        assert!(heard.contains(&format!("<half a line {i}>")), "{i}");
        assert!(heard.contains(&format!("<last words {i}>\n")), "{i}");
    }
    stop.store(true, Ordering::Relaxed);
    let said = speaker.join().unwrap();
    assert_eq!(listener.join().unwrap(), said);
    assert!(hub.process.is_running());
    drop(witness);
    hub.process.expect_status(0);
}

#[test]
fn with_more_peers_than_descriptors_those_who_wait_get_in_when_others_leave() {
    if !installed(&["prlimit"]) {
        return;
    }
    let mut command = piped("prlimit", &["--nofile=40:40", MUXNC, "-l", "0", "-v"]);
    let mut hub = Hub::start_command(&mut command);
    let mut peers: Vec<TcpStream> = (0..80).map(|_| hub.join()).collect();
    let mut round = 0;
    while !peers.is_empty() {
        // The backlog is a queue: who came first is let in first.
        let full = "no descriptor is left after ";
        let inside = match peers.len() < 20 {
            true => peers.len(),
            false => {
                let told = hub.process.stderr.wait_for(full);
                let count = told.split(full).nth(1).unwrap();
                count.split(' ').next().unwrap().parse().unwrap()
            }
        };
        assert!(inside >= peers.len().min(20), "only {inside} were let in");
        let waiting = peers.split_off(inside.min(peers.len()));
        peers.iter().for_each(|peer| hub.wait_joined(peer));
        if round == 0 {
            assert_idle_for_a_while(&hub);
        }
        round += 1;

        let line = format!("line {round}\n");
        hub.process.type_in(&line);
        for (i, peer) in peers.iter_mut().enumerate() {
            expect_bytes(peer, &line);
            let answer = format!("answer {i} in round {round}\n");
            peer.write_all(answer.as_bytes()).unwrap();
            hub.process.stdout.wait_for(&answer);
        }
        stay();
        peers.drain(..).for_each(reset);
        peers = waiting;
    }
    assert!(round >= 3, "all were let in within {round} rounds");
    let told = hub.process.stderr.text();
    let warnings = told.matches("no descriptor is left").count();
    assert!(warnings < 10, "said {warnings} times:\n{told}");
}

/// The hub may look a few times whether something became free, but it must not spin.
fn assert_idle_for_a_while(hub: &Hub) {
    let before = (hub.process.cpu_ticks(), hub.process.context_switches());
    thread::sleep(Duration::from_millis(2500));
    let ticks = hub.process.cpu_ticks() - before.0;
    let switches = hub.process.context_switches() - before.1;
    assert!(
        ticks <= 5,
        "{ticks} ticks of CPU time while nothing happened"
    );
    assert!(switches <= 20, "woke up {switches} times for nothing");
}

#[test]
fn an_endless_line_is_passed_on_whole_and_does_not_grow_the_hub() {
    const LEN: u64 = 48_000_000;
    for mode in [&["-v"][..], &["-v", "--broker"]] {
        let (mut stdout, writer) = pipe();
        let mut hub = Hub::start_command(piped(MUXNC, &["-l", "0"]).args(mode).stdout(writer));
        let mut endless = hub.join_seen();
        let mut witness = hub.join_seen();
        let sender = thread::spawn(move || {
            Pattern::one_line().write(&mut endless, LEN).unwrap();
            endless.write_all(b"!\n").unwrap();
            endless
        });
        let relayed = mode.contains(&"--broker").then(|| {
            let mut witness = witness.try_clone().unwrap();
            thread::spawn(move || Pattern::one_line().read(&mut witness, LEN))
        });
        assert_eq!(Pattern::one_line().read(&mut stdout, LEN), LEN, "{mode:?}");
        expect_bytes(&mut stdout, "!\n");
        let mut endless = sender.join().unwrap();
        if let Some(relayed) = relayed {
            assert_eq!(relayed.join().unwrap(), LEN, "to another peer");
        }
        let peak = hub.process.peak_rss_kib();
        assert!(peak < 24 * 1024, "{peak} KiB in {mode:?}");

        // Life goes on as before.
        witness.write_all(b"are you done?\n").unwrap();
        expect_bytes(&mut stdout, "are you done?\n");
        hub.process.type_in("at last\n");
        let mut last = "at last\n";
        if mode.contains(&"--broker") {
            last = "are you done?\nat last\n";
            expect_bytes(&mut witness, "!\n");
        }
        expect_bytes(&mut endless, last);
        expect_bytes(&mut witness, "at last\n");
    }
}

/// Sends numbered lines as fast as they are taken, until told to stop; returns how many.
fn flood(mut stream: TcpStream, stop: Arc<AtomicBool>) -> thread::JoinHandle<u64> {
    thread::spawn(move || {
        let mut sent = 0;
        while !stop.load(Ordering::Relaxed) {
            let lines: String = (sent..sent + 1000)
                .map(|i| format!("flood {i} of all that noise\n"))
                .collect();
            stream.write_all(lines.as_bytes()).unwrap();
            sent += 1000;
        }
        stream.shutdown(Shutdown::Write).unwrap();
        sent
    })
}

/// Reads lines to the end and requires that those of the flood and of every other speaker are
/// whole, complete and in order. Returns how many each of the `others` said, and the flood.
fn sort_out(input: impl Read, others: &[&str]) -> (Vec<u64>, u64) {
    sort_out_counting(input, others, &AtomicU64::new(0))
}

/// The same, with a count of what the others have said so far.
fn sort_out_counting(input: impl Read, others: &[&str], heard: &AtomicU64) -> (Vec<u64>, u64) {
    let (mut said, mut flooded) = (vec![0; others.len()], 0);
    for line in BufReader::new(input).lines() {
        let line = line.expect("a line");
        if line == format!("flood {flooded} of all that noise") {
            flooded += 1;
            continue;
        }
        let speaker = others.iter().position(|name| line.starts_with(name));
        let speaker = speaker.unwrap_or_else(|| panic!("who said {line:?}?"));
        assert_eq!(line, format!("{} says {}", others[speaker], said[speaker]));
        said[speaker] += 1;
        heard.fetch_add(1, Ordering::Relaxed);
    }
    (said, flooded)
}

/// Waits until so many have ended their streams, and the hub has read all of them.
fn wait_said_all(hub: &Hub, count: usize) {
    hub.process.stderr.wait_until("all is said", |told| {
        let told = String::from_utf8_lossy(told);
        told.matches("ended its side").count() == count
    });
}

/// A reader slower than the flood, so that the hub always has more to show than it may.
struct Slow<R>(R);

impl<R: Read> Read for Slow<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        thread::sleep(Duration::from_millis(1));
        self.0.read(buffer)
    }
}

#[test]
fn beside_a_flooder_everybody_is_heard() {
    const LINES: u64 = 200;
    let (stdout, writer) = pipe();
    let mut hub = Hub::start_command(piped(MUXNC, &["-l", "0", "-v"]).stdout(writer));
    let heard = Arc::new(AtomicU64::new(0));
    let shown = thread::spawn({
        let heard = heard.clone();
        move || sort_out_counting(Slow(stdout), &["alice"], &heard)
    });
    let flooder = hub.join_seen();
    let mut alice = hub.join_seen();
    let stop = Arc::new(AtomicBool::new(false));
    let flood = flood(flooder.try_clone().unwrap(), stop.clone());
    // The flooder does not even listen.
    for i in 0..LINES {
        let line = format!("Bob says {i}\n");
        hub.process.type_in(&line);
        expect_bytes(&mut alice, &line);
        writeln!(alice, "alice says {i}").unwrap();
    }
    eventually("alice is heard beside the flood", || {
        heard.load(Ordering::Relaxed) == LINES
    });
    alice.shutdown(Shutdown::Write).unwrap();
    stop.store(true, Ordering::Relaxed);
    let flooded = flood.join().unwrap();
    wait_said_all(&hub, 2);
    hub.process.end_input();
    support::read_all(&mut alice);
    drop((alice, flooder));
    hub.process.expect_status(0);
    assert_eq!(shown.join().unwrap(), (vec![LINES], flooded));
}

#[test]
fn beside_a_flooder_everybody_is_heard_by_everybody_with_broker() {
    const LINES: u64 = 200;
    let (stdout, writer) = pipe();
    let args = ["-l", "0", "-v", "--broker"];
    let mut hub = Hub::start_command(piped(MUXNC, &args).stdout(writer));
    let shown = thread::spawn(move || sort_out(stdout, &["alice"]));
    let flooder = hub.join_seen();
    let mut alice = hub.join_seen();
    let carol = hub.join_seen();
    let carol = thread::spawn(move || sort_out(carol, &["alice", "Bob"]));
    let stop = Arc::new(AtomicBool::new(false));
    let flood = flood(flooder.try_clone().unwrap(), stop.clone());
    // The flooder hears the others; that it hears none of its own is why it may keep flooding.
    let overheard = thread::spawn(move || sort_out(flooder, &["alice", "Bob"]));
    let mut lines = BufReader::new(alice.try_clone().unwrap());
    for i in 0..LINES {
        hub.process.type_in(format!("Bob says {i}\n"));
        writeln!(alice, "alice says {i}").unwrap();
        let mut line = String::new();
        while line != format!("Bob says {i}\n") {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "no Bob says {i}");
        }
    }
    alice.shutdown(Shutdown::Write).unwrap();
    stop.store(true, Ordering::Relaxed);
    let rest = thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    let flooded = flood.join().unwrap();
    wait_said_all(&hub, 2);
    hub.process.end_input();
    assert_eq!(carol.join().unwrap(), (vec![LINES, LINES], flooded));
    assert_eq!(overheard.join().unwrap(), (vec![LINES, LINES], 0));
    rest.join().unwrap().unwrap();
    drop(alice);
    hub.process.expect_status(0);
    assert_eq!(shown.join().unwrap(), (vec![LINES], flooded));
}

#[test]
fn what_a_peer_said_before_it_broke_off_outlasts_a_stuck_stdout() {
    let (mut stdout, writer) = pipe();
    let mut hub = Hub::start_command(piped(MUXNC, &["-l", "0", "-v"]).stdout(writer));
    let mut broken = hub.join_seen();
    let mut listener = hub.join_seen();
    let stop = Arc::new(AtomicBool::new(false));
    let flooder = hub.join_seen();
    let flood = flood(flooder.try_clone().unwrap(), stop.clone());
    // The flood has filled the hub and the pipe when it gets no further.
    wait_at_rest(&hub.process);
    broken.write_all(b"last words\n").unwrap();
    reset(broken);
    for line in ["did you hear that?\n", "all of you?\n"] {
        hub.process.type_in(line);
        expect_bytes(&mut listener, line);
    }
    stop.store(true, Ordering::Relaxed);
    let shown = thread::spawn(move || {
        let mut shown = Vec::new();
        stdout.read_to_end(&mut shown).map(|_| shown)
    });
    flood.join().unwrap();
    listener.shutdown(Shutdown::Write).unwrap();
    wait_said_all(&hub, 2);
    hub.process.end_input();
    hub.process.expect_status(0);
    let shown = shown.join().unwrap().unwrap();
    assert!(support::contains(&shown, b"\nlast words\n"));
}

/// A hub at whose screen one peer, alone at first, has begun a line, and a second one that joined
/// in the middle of it. The third makes sure that the second does not become alone.
fn with_an_open_line(args: &[&str]) -> (Hub, TcpStream, TcpStream, TcpStream) {
    let hub = Hub::start(&[&["-v"], args].concat());
    let mut first = hub.join_seen();
    first.write_all(b"this begins, ").unwrap();
    hub.process.stdout.wait_for("this begins, ");
    let second = hub.join_seen();
    let third = hub.join_seen();
    (hub, first, second, third)
}

#[test]
fn a_line_held_back_by_an_open_one_is_shown_after_it() {
    let (hub, mut first, mut second, _third) = with_an_open_line(&[]);
    // In one batch of events, the second one's first.
    while_stopped(&hub.process, || {
        second.write_all(b"and this is another\n").unwrap();
        first.write_all(b"this ends\n").unwrap();
    });
    let expected = "this begins, this ends\nand this is another\n";
    hub.process.stdout.wait_for("another\n");
    assert_eq!(hub.process.stdout.text(), expected);
}

#[test]
fn a_line_held_back_by_an_open_one_is_shown_when_its_speaker_breaks_off() {
    let (hub, first, mut second, _third) = with_an_open_line(&[]);
    while_stopped(&hub.process, || {
        second.write_all(b"and this is another\n").unwrap();
        reset(first);
    });
    hub.process.stdout.wait_for("and this is another\n");
}

#[test]
fn a_line_that_is_not_ended_mutes_the_others_for_the_stall_timeout_only() {
    let (hub, _first, mut second, _third) = with_an_open_line(&["--stall-timeout", "200ms"]);
    second.write_all(b"and this is another\n").unwrap();
    hub.process.stdout.wait_for("and this is another\n");
}

/// A hub with these options whose stdout nobody reads, one who listens, and one whose flood has filled
/// the hub and the pipe.
struct Stuck {
    hub: Hub,
    stdout: Option<support::Patient>,
    listener: TcpStream,
    stop: Arc<AtomicBool>,
    flood: Option<thread::JoinHandle<u64>>,
}

impl Stuck {
    fn start(program: &str, args: &[&str]) -> Stuck {
        let (stdout, writer) = pipe();
        let hub = Hub::start_command(piped(program, args).stdout(writer));
        // Also where nothing tells that they joined.
        let listener = hub.join();
        let stop = Arc::new(AtomicBool::new(false));
        let flood = flood(hub.join(), stop.clone());
        wait_at_rest(&hub.process);
        Stuck {
            hub,
            stdout: Some(stdout),
            listener,
            stop,
            flood: Some(flood),
        }
    }

    fn hears(&mut self, line: &str) {
        self.hub.process.type_in(line);
        expect_bytes(&mut self.listener, line);
    }

    /// Ends the flood and the class, and returns what was shown.
    fn end(self) -> Vec<u8> {
        self.end_with(0)
    }

    /// The same of a hub that ends with that status.
    fn end_with(mut self, status: i32) -> Vec<u8> {
        self.stop.store(true, Ordering::Relaxed);
        let mut stdout = self.stdout.take().unwrap();
        let shown = thread::spawn(move || {
            let mut shown = Vec::new();
            stdout.read_to_end(&mut shown).map(|_| shown)
        });
        self.flood.take().unwrap().join().unwrap();
        drop(self.listener);
        // One that is known to have left before the end of the input is promised nothing.
        wait_at_rest(&self.hub.process);
        self.hub.process.end_input();
        self.hub.process.expect_status(status);
        shown.join().unwrap().unwrap()
    }
}

/// Leaves with a reset, or with an end and nothing more.
fn leave(stream: TcpStream, i: usize) {
    match i % 2 {
        0 => reset(stream),
        _ => drop(stream),
    }
}

/// What one who leaves says last.
fn last_words(i: usize) -> String {
    format!("these are the last words of {i}\n")
}

#[test]
fn a_class_that_leaves_while_nobody_may_be_heard_makes_room_for_the_next_and_is_heard_later() {
    const CLASS: usize = 37;
    for chat in [&[][..], &["--chat"]] {
        let args = [&["-l", "0", "-v", "-m", "40"][..], chat].concat();
        let mut stuck = Stuck::start(MUXNC, &args);
        stuck.hub.process.type_in("good morning\n");
        let class: Vec<_> = (0..CLASS).map(|_| stuck.hub.join_seen()).collect();
        for (i, mut peer) in class.into_iter().enumerate() {
            peer.write_all(last_words(i).as_bytes()).unwrap();
            leave(peer, i);
        }
        let next: Vec<_> = (0..CLASS).map(|_| stuck.hub.join_seen()).collect();
        let told = stuck.hub.process.stderr.text();
        assert!(!told.contains("refused"), "{told}");
        drop(next);
        let shown = stuck.end();
        for i in 0..CLASS {
            assert!(support::contains(&shown, last_words(i).as_bytes()), "{i}");
        }
    }
}

/// Also if not all that it said was heard.
#[test]
fn the_transcript_tells_of_everybody_who_had_left_when_the_hub_ends() {
    let folder = Folder::new("faults-left");
    let file = folder.path("minutes");
    let args = ["-l", "0", "--transcript", &file];
    let mut stuck = Stuck::start(MUXNC, &args);
    let mut leaves = stuck.hub.join();
    leaves.write_all(last_words(0).as_bytes()).unwrap();
    reset(leaves);
    stuck.stop.store(true, Ordering::Relaxed);
    wait_at_rest(&stuck.hub.process);
    stuck.hub.process.signal(Signal::TERM);
    stuck.hub.process.wait();
    let minutes = std::fs::read_to_string(file).unwrap();
    let left: Vec<&str> = minutes
        .lines()
        .filter(|line| line.contains("\tleft\t"))
        .collect();
    assert!(
        left.len() == 1 && left[0].contains("\tleft\t3\t"),
        "{left:?}"
    );
}

#[test]
fn what_stdout_never_took_is_told_once_whatever_is_silenced() {
    for args in [&["-v"][..], &["--quiet"]] {
        let mut stuck = Stuck::start(MUXNC, &[&["-l", "0", "-q", "1s"], args].concat());
        stuck.stop.store(true, Ordering::Relaxed);
        stuck.hub.process.type_in("so long\n");
        stuck.hub.process.end_input();
        stuck.hub.process.expect_status(1);
        let told = stuck.hub.process.stderr.text();
        let lost = told.matches("stdout did not take the last ").count();
        assert_eq!(lost, 1, "{told}");
    }
}

#[test]
fn who_leaves_while_nobody_may_be_heard_counts_no_more() {
    let mut stuck = Stuck::start(MUXNC, &["-l", "0", "-v", "-m", "4"]);
    for i in 0..6 {
        let (mut one, mut two) = (stuck.hub.join_seen(), stuck.hub.join_seen());
        let told = stuck.hub.process.stderr.text();
        let joined = told.lines().rfind(|line| line.contains("joined"));
        assert!(joined.unwrap().ends_with(", 4 here"), "{told}");
        one.write_all(last_words(i).as_bytes()).unwrap();
        leave(one, i);
        let line = format!("page {i}\n");
        stuck.hears(&line);
        expect_bytes(&mut two, &line);
        two.write_all(last_words(i).as_bytes()).unwrap();
        leave(two, i + 1);
        wait_at_rest(&stuck.hub.process);
    }
    let shown = stuck.end();
    for i in 0..6 {
        assert!(support::contains(&shown, last_words(i).as_bytes()), "{i}");
    }
}

#[test]
fn who_is_idle_after_its_end_while_nobody_may_be_heard_is_let_go_and_heard_later() {
    let mut stuck = Stuck::start(MUXNC, &["-l", "0", "-v", "-m", "3", "-i", "1s"]);
    // Whoever waits to be heard is not idle.
    stuck.listener.write_all(b"I am here\n").unwrap();
    let mut idle = stuck.hub.join_seen();
    idle.write_all(last_words(0).as_bytes()).unwrap();
    idle.shutdown(Shutdown::Write).unwrap();
    wait_at_rest(&stuck.hub.process);
    // It reads this, and so keeps its place.
    stuck.hears("good morning\n");
    expect_bytes(&mut idle, "good morning\n");
    let told = |what: &str| stuck.hub.process.stderr.text().contains(what);
    let mut newcomer = None;
    eventually("there is a place", || {
        let stream = newcomer.insert(stuck.hub.join());
        let address = stream.local_addr().unwrap();
        let (joined, refused) = (
            format!("{address} joined"),
            format!("{address} was refused"),
        );
        eventually("it is let in or not", || told(&joined) || told(&refused));
        // Not more than are told of one by one.
        thread::sleep(Duration::from_millis(200));
        told(&joined)
    });
    stuck.hears("and on\n");
    let shown = stuck.end();
    assert!(support::contains(&shown, last_words(0).as_bytes()));
}

#[test]
fn without_descriptors_who_left_unheard_is_dropped_and_counted() {
    if !installed(&["prlimit"]) {
        return;
    }
    let args = ["--nofile=40:40", MUXNC, "-l", "0", "-v"];
    let mut stuck = Stuck::start("prlimit", &args);
    for i in 0..200 {
        let mut peer = stuck.hub.join();
        peer.write_all(b"who hears me?\n").unwrap();
        leave(peer, i);
    }
    let mut newcomer = stuck.hub.join();
    stuck.hub.wait_joined(&newcomer);
    stuck.hears("page 13\n");
    expect_bytes(&mut newcomer, "page 13\n");
    let told = stuck.hub.process.stderr.wait_for("who left were not heard");
    let lost = |line: &str| {
        let (_, rest) = line.split_once("the last ")?;
        rest.split(' ').next()?.parse::<usize>().ok()
    };
    assert!(
        told.lines().filter_map(lost).all(|bytes| bytes % 14 == 0),
        "{told}"
    );
    drop(newcomer);
    // Not all that was said has arrived.
    stuck.end_with(1);
}

/// What members had said when the time was over, and were not read since they say too much.
#[test]
fn a_hub_that_ends_before_it_has_heard_all_fails() {
    for args in [&[] as &[&str], &["--quiet"]] {
        let mut hub = Hub::start(&[&["-q", "1s", "--rate", "1k"], args].concat());
        let mut peer = hub.join();
        hub.process.type_in("say\n");
        expect_bytes(&mut peer, "say\n");
        peer.write_all(&b"0123456789abcde\n".repeat(4000)).unwrap();
        hub.process.end_input();
        hub.process.expect_status(1);
        let told = hub.process.stderr.text();
        assert!(
            told.contains(" bytes of 1 participant were not heard\n"),
            "{told}"
        );
    }
    // What is for nobody is no loss.
    let mut hub = Hub::start(&["--send-only"]);
    let mut peer = hub.join();
    hub.process.type_in("say\n");
    expect_bytes(&mut peer, "say\n");
    hub.process.end_input();
    while peer.write_all(&[b'x'; 4096]).is_ok() {}
    hub.process.expect_status(0);
}

#[test]
fn at_the_end_it_is_told_how_much_was_never_heard() {
    let folder = Folder::new("never-heard");
    let events = folder.path("events");
    let to_events = format!("json:{events}");
    let (_stdout, writer) = pipe();
    let args = ["-l", "0", "-v", "--events", &to_events];
    let mut hub = Hub::start_command(piped(MUXNC, &args).stdout(writer));
    let mut noisy = hub.join_seen();
    let flood = thread::spawn(move || while noisy.write_all(&[b'\n'; 4096]).is_ok() {});
    wait_at_rest(&hub.process);
    for i in 0..2 {
        let mut peer = hub.join_seen();
        peer.write_all(b"who hears me?\n").unwrap();
        leave(peer, i);
    }
    drop(hub.join_seen());
    wait_at_rest(&hub.process);
    hub.process.signal(Signal::TERM);
    hub.process.wait();
    flood.join().unwrap();
    let told = hub.process.stderr.text();
    let unheard = told.split_once("muxnc: the last ").and_then(|(_, rest)| {
        let bytes = rest.strip_suffix('\n').unwrap_or(rest);
        bytes
            .split_once(" bytes of 3 participants were not heard")?
            .0
            .parse::<u64>()
            .ok()
    });
    assert!(unheard > Some(28), "{told}");
    // One was reset, and had left before.
    let events = std::fs::read_to_string(events).unwrap();
    let reasons = |reason: &str| events.matches(&format!("\"reason\":\"{reason}\"")).count();
    assert_eq!((reasons("broke"), reasons("ended")), (1, 3), "{events}");
}

#[test]
fn who_leaves_and_has_said_nothing_keeps_no_descriptor_though_nobody_may_be_heard() {
    let mut stuck = Stuck::start(MUXNC, &["-l", "0", "-v"]);
    let before = descriptors(&stuck.hub);
    for _ in 0..100 {
        reset(stuck.hub.join_seen());
    }
    eventually("all descriptors are closed", || {
        descriptors(&stuck.hub) == before
    });
    stuck.hears("page 13\n");
    stuck.end();
}

#[test]
fn who_broke_off_gives_its_place_up_though_a_line_is_open_before_its_own() {
    let mut hub = Hub::start(&["-v", "-m", "2", "--stall-timeout", "1h"]);
    let mut alice = hub.join_seen();
    alice.write_all(b"this begins, ").unwrap();
    hub.process.stdout.wait_for("this begins, ");
    let mut bob = hub.join_seen();
    // It waits for the end of the line of alice, and so does what follows it.
    bob.write_all(b"and this is another\n").unwrap();
    reset(bob);
    // This cannot be written to bob.
    hub.process.type_in("from the hub\n");
    expect_bytes(&mut alice, "from the hub\n");
    stay();
    let mut carol = hub.join_seen();
    hub.process.type_in("and more\n");
    expect_bytes(&mut carol, "and more\n");
    assert_eq!(hub.process.stdout.text(), "this begins, ");
    alice.write_all(b"this ends\n").unwrap();
    hub.process
        .stdout
        .wait_for("this begins, this ends\nand this is another\n");
}

/// A newcomer makes way for the next in the turn in which both came, and the notice of it counts neither twice.
#[test]
fn who_comes_speaks_and_breaks_off_ends_no_hub_that_is_full() {
    for limit in ["-m", "--max-per-host"] {
        let mut hub = Hub::start(&["-v", limit, "1"]);
        for _ in 0..5 {
            while_stopped(&hub.process, || {
                for _ in 0..5 {
                    let mut peer = hub.join();
                    peer.write_all(b"a line\n").unwrap();
                    reset(peer);
                }
            });
        }
        let mut last = let_in(&hub);
        last.write_all(b"the last\n").unwrap();
        hub.process.stdout.wait_for("the last\n");
        assert!(hub.process.is_running());
    }
}

/// A newcomer that is let in: one that comes while the others are not found to have left is refused.
fn let_in(hub: &Hub) -> TcpStream {
    let told = |peer: &TcpStream| {
        let addr = peer.local_addr().unwrap();
        let text = hub.process.stderr.text();
        let is = |what: &str| {
            text.lines()
                .any(|line| line.contains(&format!("{addr} {what}")))
        };
        (is("joined"), is("was refused"))
    };
    loop {
        let peer = hub.join();
        eventually("it is told", || told(&peer) != (false, false));
        if told(&peer).0 {
            return peer;
        }
    }
}
