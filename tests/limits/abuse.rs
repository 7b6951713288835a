//! Peers that want too much: more than their rate, more memory than there is, more connections than
//! anybody serves. The hub stays as large as docs/RELIABILITY.md says, and serves everybody else.

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
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use socket2::SockRef;

use crate::forgery;
use crate::support;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Pattern;
use crate::support::Terminal;
use crate::support::allow_descriptors;
use crate::support::connect;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::pipe;
use crate::support::piped;
use crate::support::while_stopped;

fn descriptors(hub: &Hub) -> usize {
    let path = format!("/proc/{}/fd", hub.process.pid());
    std::fs::read_dir(path).unwrap().count()
}

/// What docs/RELIABILITY.md says a hub takes at most, in KiB: `long` peers hold unfinished lines of
/// more than a kilobyte, all hold something.
fn most_kib(peers: u64, long: u64) -> u64 {
    let base = 8 * 1024;
    let log = 1024 + 256 + 2 * 512 + 9 * 64;
    let held = 16 * 1024;
    base + log + 2 * peers + held.min(128 * long)
}

#[test]
fn whoever_sends_more_than_its_rate_waits_and_nobody_else_does() {
    const RATE: u64 = 20_000;
    const LEN: u64 = 60_000;
    let (mut stdout, writer) = pipe();
    let args = ["-l", "0", "-v", "--rate", "20k"];
    let hub = Hub::start_command(piped(MUXNC, &args).stdout(writer));
    let mut greedy = hub.join_seen();
    let mut modest = hub.join_seen();
    let start = Instant::now();
    let pattern = Pattern::one_line();
    pattern.write(&mut greedy, LEN).unwrap();
    greedy.write_all(b"\n").unwrap();
    let before = (hub.process.cpu_ticks(), hub.process.context_switches());
    modest.write_all(b"may I?\n").unwrap();
    expect_bytes(&mut stdout, "may I?\n");
    // The first second's bytes may be saved up; it holds its line until the end is read.
    assert_eq!(pattern.read(&mut stdout, LEN), LEN);
    let least = Duration::from_secs_f64((LEN - RATE) as f64 / RATE as f64);
    let took = start.elapsed();
    assert!(took >= least, "{took:?} for {LEN} bytes");
    // The hub slept meanwhile.
    let ticks = hub.process.cpu_ticks() - before.0;
    let switches = hub.process.context_switches() - before.1;
    let seconds = took.as_secs() + 1;
    assert!(ticks <= 10 * seconds, "{ticks} ticks in {took:?}");
    assert!(switches <= 30 * seconds, "{switches} switches in {took:?}");
}

#[test]
fn who_waits_for_its_rate_is_seen_to_leave_with_all_it_said() {
    let mut hub = Hub::start(&["-v", "--rate", "5k", "--broker"]);
    let mut greedy = hub.join_seen();
    let mut reader = hub.join_seen();
    let lines = "a line of twenty-one\n".repeat(500);
    greedy.write_all(lines.as_bytes()).unwrap();
    drop(greedy);
    expect_bytes(&mut reader, &lines);
    hub.process.type_in("bye\n");
    expect_bytes(&mut reader, "bye\n");
    hub.process.stderr.wait_for("left");
    let all = |bytes: &[u8]| bytes.len() >= lines.len();
    let shown = hub.process.stdout.wait_until("every line", all);
    assert_eq!(shown, lines.as_bytes());
}

/// So many peers, sending `bytes` as often as the hub takes them, from one thread, until told to
/// stop. What they hear is read.
fn pester(hub: &Hub, count: usize, bytes: &'static [u8], stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let mut peers: Vec<TcpStream> = (0..count).map(|_| hub.join()).collect();
    let stop = stop.clone();
    thread::spawn(move || {
        let mut unwanted = vec![0; 64 * 1024];
        for peer in &peers {
            peer.set_nonblocking(true).unwrap();
        }
        while !stop.load(Ordering::Relaxed) {
            for peer in &mut peers {
                let _ = peer.write(bytes);
                let _ = peer.read(&mut unwanted);
            }
        }
    })
}

#[test]
fn beside_a_hundred_who_flood_and_a_hundred_who_spell_everybody_is_heard() {
    let _descriptors = allow_descriptors();
    static NOISE: [u8; 4096] = [b'!'; 4096];
    // What is relayed goes to everybody: a tenth of them is as much.
    for (mode, pests) in [(&["-v"][..], 100), (&["-v", "--broker"], 10)] {
        let (stdout, writer) = pipe();
        let mut hub = Hub::start_command(piped(MUXNC, &["-l", "0"]).args(mode).stdout(writer));
        let mut alice = hub.join_seen();
        let heard = Arc::new(AtomicU64::new(0));
        let count = heard.clone();
        let shown = thread::spawn(move || {
            for line in BufReader::with_capacity(1 << 20, stdout).split(b'\n') {
                let line = line.unwrap();
                let number = count.load(Ordering::Relaxed);
                // The noise may have ended just before.
                if line.ends_with(format!("alice says {number}").as_bytes()) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let stop = Arc::new(AtomicBool::new(false));
        let noise = [
            pester(&hub, pests, &NOISE, &stop),
            pester(&hub, pests, b".", &stop),
        ];
        let mut ear = BufReader::new(alice.try_clone().unwrap());
        let mut line = Vec::new();
        for i in 0..20 {
            hub.process.type_in(format!("Bob says {i}\n"));
            while !line.ends_with(format!("Bob says {i}\n").as_bytes()) {
                line.clear();
                assert!(ear.read_until(b'\n', &mut line).unwrap() > 0, "no Bob {i}");
            }
            alice
                .write_all(format!("alice says {i}\n").as_bytes())
                .unwrap();
            // She goes on listening, as everybody does.
            eventually("alice is heard", || {
                alice.set_nonblocking(true).unwrap();
                while ear.fill_buf().is_ok_and(|bytes| !bytes.is_empty()) {
                    let count = ear.buffer().len();
                    ear.consume(count);
                }
                alice.set_nonblocking(false).unwrap();
                heard.load(Ordering::Relaxed) == i + 1
            });
        }
        stop.store(true, Ordering::Relaxed);
        noise.into_iter().for_each(|noise| noise.join().unwrap());
        drop(hub);
        shown.join().unwrap();
    }
}

#[test]
fn unfinished_lines_of_hundreds_take_a_bounded_memory_and_none_is_lost() {
    const PEERS: usize = 600;
    const LEN: usize = 60_000;
    let _descriptors = allow_descriptors();
    for mode in [&[][..], &["--broker"]] {
        let (mut stdout, writer) = pipe();
        let hub = Hub::start_command(piped(MUXNC, &["-l", "0"]).args(mode).stdout(writer));
        let shown = thread::spawn(move || {
            let mut counts = [0u64; 256];
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                buffer[..count]
                    .iter()
                    .for_each(|&b| counts[b as usize] += 1);
            }
            counts
        });
        let mut peers: Vec<TcpStream> = (0..PEERS).map(|_| hub.join()).collect();
        // They listen, as everybody does: with --broker it is much that they hear.
        let ears: Vec<_> = peers
            .iter()
            .map(|peer| {
                let mut peer = peer.try_clone().unwrap();
                thread::Builder::new()
                    .stack_size(64 * 1024)
                    .spawn(move || std::io::copy(&mut peer, &mut std::io::sink()))
                    .unwrap()
            })
            .collect();
        for (i, peer) in peers.iter_mut().enumerate() {
            peer.write_all(&[b'a' + (i % 26) as u8; LEN]).unwrap();
        }
        support::wait_at_rest(&hub.process);
        let (rss, most) = (
            hub.process.peak_rss_kib(),
            most_kib(PEERS as u64, PEERS as u64),
        );
        assert!(rss <= most, "{rss} KiB, {most} at most, with {mode:?}");
        println!("{PEERS} peers with {LEN} bytes each, {mode:?}: {rss} KiB of {most}");
        for peer in &peers {
            peer.shutdown(Shutdown::Write).unwrap();
        }
        let mut hub = hub;
        hub.process.type_in("good night\n");
        hub.process.end_input();
        ears.into_iter().for_each(|ear| drop(ear.join().unwrap()));
        hub.process.expect_status(0);
        let counts = shown.join().unwrap();
        for letter in 0..26 {
            let speakers = (0..PEERS).filter(|i| i % 26 == letter).count();
            let count = counts[usize::from(b'a') + letter];
            assert_eq!(count, (speakers * LEN) as u64, "letter {letter}, {mode:?}");
        }
    }
}

#[test]
fn storms_of_connections_that_vanish_leave_nothing_behind() {
    const STORM: usize = 2000;
    let _descriptors = allow_descriptors();
    let mut hub = Hub::start(&[]);
    let mut witness = hub.join();
    witness.write_all(b"here\n").unwrap();
    hub.process.stdout.wait_for("here\n");
    let before = (descriptors(&hub), hub.process.own_kib());
    for reset in [true, false] {
        for _ in 0..STORM {
            let stream = hub.join();
            if reset {
                SockRef::from(&stream)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
            }
        }
        // Whoever closed properly is known to be gone when something was sent to it.
        eventually("those who came and went are gone", || {
            hub.process.type_in("anybody?\n");
            expect_bytes(&mut witness, "anybody?\n");
            descriptors(&hub) == before.0
        });
    }
    let grown = hub.process.own_kib().saturating_sub(before.1);
    // What an allocator has had to give once it keeps: not more than all of them at a time.
    assert!(grown <= STORM as u64, "{grown} KiB more than before");
}

#[test]
fn a_stopped_hub_goes_on_where_it_was_and_blames_nobody() {
    const LEN: u64 = 30_000_000;
    let mut hub = Hub::start(&["-v", "--stall-timeout", "5s"]);
    let peers: Vec<TcpStream> = (0..3).map(|_| hub.join_seen()).collect();
    let mut stdin = hub.process.stdin.take().unwrap();
    let teacher = thread::spawn(move || Pattern::bytes().write(&mut stdin, LEN));
    // Everybody holds everybody up when the hub is stopped, for longer than anybody may.
    support::wait_at_rest(&hub.process);
    let ears = while_stopped(&hub.process, || {
        let read = |mut peer: TcpStream| Pattern::bytes().read(&mut peer, LEN + 1);
        let ears: Vec<_> = peers
            .into_iter()
            .map(|peer| thread::spawn(move || read(peer)))
            .collect();
        thread::sleep(Duration::from_secs(6));
        ears
    });
    for ear in ears {
        assert_eq!(ear.join().unwrap(), LEN);
    }
    teacher.join().unwrap().unwrap();
    hub.process.expect_status(0);
    let told = hub.process.stderr.text();
    assert!(!told.contains("cut off"), "{told}");
}

/// Reads so many bytes in a second, until the end. Returns how many they were, if they are the
/// pattern's.
fn read_slowly(mut peer: TcpStream, rate: usize, pattern: Option<Pattern>) -> JoinHandle<u64> {
    const PIECE: usize = 16 * 1024;
    thread::spawn(move || {
        let (mut buffer, mut total) = (vec![0; PIECE], 0);
        while let Ok(count @ 1..) = peer.read(&mut buffer) {
            if let Some(pattern) = &pattern {
                pattern.expect(total, &buffer[..count]);
            }
            total += count as u64;
            thread::sleep(Duration::from_secs_f64(count as f64 / rate as f64));
        }
        total
    })
}

#[test]
fn who_is_too_slow_for_a_conversation_is_cut_off_and_the_others_go_on() {
    let args = ["--broker", "-v", "--stall-timeout", "1s"];
    let (shown, writer) = pipe();
    let mut hub = Hub::start_command(piped(MUXNC, &["-l", "0"]).args(args).stdout(writer));
    let shown = thread::spawn(move || std::io::copy(&mut { shown }, &mut std::io::sink()));
    let mut ana = hub.join_seen();
    let bob = hub.join_seen();
    let slow = hub.join_seen();
    let address = slow.local_addr().unwrap();
    let slow = read_slowly(slow, 1_000_000, None);
    let ear = {
        let mut ana = ana.try_clone().unwrap();
        thread::spawn(move || std::io::copy(&mut ana, &mut std::io::sink()))
    };
    let heard = Arc::new(AtomicU64::new(0));
    let count = heard.clone();
    let bob = thread::spawn(move || {
        for line in BufReader::with_capacity(1 << 20, bob).split(b'\n') {
            let says = |line: Vec<u8>| line.ends_with(b"ana says it");
            count.fetch_add(u64::from(line.is_ok_and(says)), Ordering::Relaxed);
        }
    });
    let stop = Arc::new(AtomicBool::new(false));
    let noise = pester(&hub, 2, &[b'!'; 4096], &stop);
    let told = hub.process.stderr.wait_for("too slow for the others");
    assert!(told.contains(&format!("{address} was cut off")), "{told}");
    for said in 1..=20 {
        ana.write_all(b"\nana says it\n").unwrap();
        eventually("bob hears her", || heard.load(Ordering::Relaxed) == said);
    }
    stop.store(true, Ordering::Relaxed);
    noise.join().unwrap();
    let told = hub.process.stderr.text();
    assert_eq!(told.matches("was cut off").count(), 1, "{told}");
    hub.process.type_in("/quit\n");
    drop(hub);
    slow.join().unwrap();
    bob.join().unwrap();
    drop(ear.join().unwrap());
    drop(shown.join().unwrap());
}

/// Connects, says as much as is taken of that at once, and leaves, again and again until told to stop.
fn reconnect(port: u16, bytes: &'static [u8], stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let stop = stop.clone();
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            // No descriptor may be left, here or there.
            if let Ok(mut peer) = TcpStream::connect(("127.0.0.1", port)) {
                peer.set_nonblocking(true).unwrap();
                let _ = peer.write(bytes);
            }
        }
    })
}

/// Counts `alice says N`, in order.
fn count_alice(mut heard: impl Read + Send + 'static) -> (Arc<AtomicU64>, JoinHandle<()>) {
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let reading = thread::spawn(move || {
        let (mut buffer, mut kept) = (vec![0; 1 << 20], Vec::new());
        while let Ok(len @ 1..) = heard.read(&mut buffer) {
            kept.extend_from_slice(&buffer[..len]);
            let next = format!("alice says {}\n", count.load(Ordering::Relaxed));
            if memchr::memmem::find(&kept, next.as_bytes()).is_some() {
                count.fetch_add(1, Ordering::Relaxed);
            }
            kept.drain(..kept.len().saturating_sub(next.len()));
        }
    });
    (counted, reading)
}

/// Each of its connections is a newcomer that has said nothing yet, and one that leaves has still to be heard.
#[test]
fn beside_one_who_comes_back_thousands_of_times_everybody_is_heard() {
    static NOISE: [u8; 200_000] = [b'\n'; 200_000];
    let (stdout, writer) = pipe();
    let within = "ulimit -n 4096; exec \"$0\" -l 0 -v --broker";
    let hub = Hub::start_command(piped("sh", &["-c", within, MUXNC]).stdout(writer));
    let (heard, shown) = count_alice(stdout);
    let mut alice = hub.join_seen();
    let ear = ear(&alice);
    // It takes all, and no faster than some networks do: so all others wait for it again and again.
    let slow = read_slowly(hub.join_seen(), 20_000_000, None);
    let stop = Arc::new(AtomicBool::new(false));
    let flooder = reconnect(hub.port, &NOISE, &stop);
    hub.process.stderr.wait_for("no descriptor is left");
    for i in 0..20 {
        let line = format!("alice says {i}\n");
        alice.write_all(line.as_bytes()).unwrap();
        eventually("alice is heard", || heard.load(Ordering::Relaxed) == i + 1);
    }
    stop.store(true, Ordering::Relaxed);
    flooder.join().unwrap();
    let told = hub.process.stderr.text();
    assert!(!told.contains("cut off"), "{told}");
    drop(hub);
    shown.join().unwrap();
    ear.join().unwrap();
    slow.join().unwrap();
}

#[test]
fn a_stream_waits_for_its_slowest_reader_however_slow() {
    const LEN: u64 = 20_000_000;
    for mode in [&[][..], &["--broker"]] {
        let args = ["-v", "--stall-timeout", "2s"];
        let mut hub = Hub::start(&[mode, &args].concat());
        let fast = hub.join_seen();
        let slow = hub.join_seen();
        let mut stdin = hub.process.stdin.take().unwrap();
        let teacher = thread::spawn(move || Pattern::one_line().write(&mut stdin, LEN));
        let ears = [(fast, 1 << 30), (slow, 5_000_000)]
            .map(|(peer, rate)| read_slowly(peer, rate, Some(Pattern::one_line())));
        for ear in ears {
            assert_eq!(ear.join().unwrap(), LEN, "with {mode:?}");
        }
        teacher.join().unwrap().unwrap();
        hub.process.expect_status(0);
        let told = hub.process.stderr.text();
        assert!(!told.contains("cut off"), "{told}");
    }
}

/// The port of a hub at a terminal, between marks for that.
fn port_shown(hub: &Terminal) -> u16 {
    let shown = hub.screen.wait_for("\r\n");
    let (_, port) = shown.split_once("127.0.0.1:").unwrap();
    port.split("\r\n").next().unwrap().parse().unwrap()
}

/// Reads and forgets what a peer is told.
fn ear(peer: &TcpStream) -> JoinHandle<()> {
    let mut peer = peer.try_clone().unwrap();
    thread::spawn(move || drop(std::io::copy(&mut peer, &mut std::io::sink())))
}

#[test]
fn a_forged_row_is_counted() {
    for (row, forged, plain) in [
        ("\x1b[1m[Ana]\x1b[0m FORGED", 1, 0),
        ("\x1b[1mmuxnc: FORGED\x1b[0m", 1, 0),
        ("\x1b[1m[2]\x1b[0m \x1b[1mFORGED\x1b[0m", 1, 0),
        ("\x1b[1m[2]\x1b[0m [Ana] FORGED", 0, 0),
        ("[Ana] FORGED", 0, 1),
    ] {
        let seen = forgery::look(format!("a row\r\n{row}\r\nthe end\r\n").as_bytes());
        let expected = forgery::Seen {
            rows: 3,
            said: 1,
            forged,
            plain,
        };
        assert_eq!(seen, expected, "{row:?}");
    }
    // Also above the screen.
    let seen = forgery::look(&b"\x1b[1m[Ana]\x1b[0m FORGED\r\n".repeat(100));
    assert_eq!((seen.rows, seen.forged), (100, 100));
}

#[test]
fn what_a_peer_says_looks_like_nobody_elses_words_on_a_terminal() {
    for args in [&[][..], &["--chat"]] {
        for (attack, before) in forgery::attacks() {
            let words = [&["-l", "127.0.0.1", "0", "--color", "never"], args].concat();
            let mut hub = Terminal::of_kind("xterm", MUXNC, &words);
            let port = port_shown(&hub);
            let mut ana = connect(port);
            ana.write_all(b"/nick Ana\nI am Ana\n").unwrap();
            hub.screen.wait_for("I am Ana");
            let mut mallory = connect(port);
            mallory.write_all(b"I am not\n").unwrap();
            hub.screen.wait_for("I am not");
            if args.is_empty() {
                hub.press("/name 1 Ana\r");
            }
            ana.write_all(b"Which book?\n").unwrap();
            hub.screen.wait_for("Which book?");
            let ears = [ear(&ana), ear(&mallory)];
            support::wait_at_rest(&hub.process);
            let start = hub.screen.bytes().len();
            for question in ["Page 12?", "And then?"] {
                mallory.write_all(&before).unwrap();
                support::wait_at_rest(&hub.process);
                // What it has begun is interrupted.
                ana.write_all(format!("{question}\n").as_bytes()).unwrap();
                hub.screen.wait_for(question);
                mallory.write_all(&forgery::rows()).unwrap();
            }
            mallory.write_all(b"the end\n").unwrap();
            hub.screen.wait_for("the end");
            support::wait_at_rest(&hub.process);
            let seen = forgery::look(&hub.screen.bytes()[start..]);
            // In a chat the rest of a line that began with nothing to be seen is not said.
            assert!(seen.said >= 6, "{attack}, {args:?}: {seen:?}");
            assert_eq!(seen.forged, 0, "{attack}, {args:?}: {seen:?}");
            drop(hub);
            ears.into_iter().for_each(|ear| ear.join().unwrap());
        }
    }
}

/// One that another user owns: `tests/terminal/stdio`.
#[test]
fn a_terminal_that_is_stopped_holds_nobody_up() {
    const LINES: usize = 1024;
    let words = ["-l", "127.0.0.1", "0", "--broker"];
    let mut hub = Terminal::of_kind("xterm", MUXNC, &words);
    let port = port_shown(&hub);
    let (mut ana, mut bob) = (connect(port), connect(port));
    ana.write_all(b"hello\n").unwrap();
    expect_bytes(&mut bob, "hello\n");
    hub.press("\x13");
    let line = [[b'w'; 1023].as_slice(), b"\n"].concat();
    let flood = {
        let mut ana = ana.try_clone().unwrap();
        let line = line.clone();
        thread::spawn(move || (0..LINES).for_each(|_| ana.write_all(&line).unwrap()))
    };
    for _ in 0..LINES {
        expect_bytes(&mut bob, &line);
    }
    flood.join().unwrap();
    let mut newcomer = connect(port);
    hub.press("page 12\r");
    for peer in [&mut ana, &mut bob, &mut newcomer] {
        expect_bytes(peer, "page 12\n");
    }
    assert!(!hub.screen.text().contains("page 12"), "it was not stopped");
}
