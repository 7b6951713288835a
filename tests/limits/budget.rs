//! What peers can make a hub hold, in every mode: at most what docs/RELIABILITY.md says, whatever they
//! send and whoever does not read.
//!
//! A byte is counted by what it becomes: these send what becomes the most.

use std::io::BufRead;
use std::io::BufReader;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use crate::support;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::allow_descriptors;
use crate::support::expect_bytes;
use crate::support::pipe;
use crate::support::piped;

/// What docs/RELIABILITY.md says a hub takes at most, in KiB: `long` of the `peers` hold unfinished
/// lines of more than a kilobyte, and there are so many records.
fn most_kib(peers: u64, long: u64, records: u64) -> u64 {
    let base = 8 * 1024;
    let log = 1024 + 256 + 2 * 512 + 9 * 64;
    let held = 16 * 1024;
    base + log + 2 * peers + held.min(128 * long) + 3 * 1024 * records
}

/// Sends as many of `bytes` as the hub takes, at most `most` times, until it takes no more.
fn stuff(peer: &mut TcpStream, bytes: &[u8], most: usize) -> usize {
    let limit = std::time::Duration::from_millis(500);
    peer.set_write_timeout(Some(limit)).unwrap();
    let mut sent = 0;
    for _ in 0..most {
        match peer.write(bytes) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error} after {sent} bytes"),
        }
    }
    sent
}

#[track_caller]
fn assert_fits(hub: &Hub, most: u64, what: &str) {
    assert_process_fits(&hub.process, most, what);
}

#[track_caller]
fn assert_process_fits(hub: &Process, most: u64, what: &str) {
    let peak = hub.peak_rss_kib();
    println!("{what}: {peak} KiB of {most}");
    assert!(peak <= most, "{peak} KiB, {most} at most: {what}");
}

/// The worst for each mode is line feeds, each of which becomes a line with all that stands before one.
#[test]
fn line_feeds_are_counted_by_what_they_become() {
    const SENT: usize = 1 << 19;
    let feeds = vec![b'\n'; 64 * 1024];
    let folder = support::Folder::new("budget-feeds");
    let answers = folder.0.join("answers");
    let collect = ["--collect", answers.to_str().unwrap()];
    let modes: [(&[&str], u64); 10] = [
        (&collect, 1),
        (&["--events", "json:/dev/null"], 1),
        (&["--events", "json:-"], 1),
        (&["--transcript", "-"], 1),
        (&["--transcript", "/dev/null"], 1),
        (&["-x", "/dev/null", "-o", "/dev/null"], 2),
        (&["-x", "-"], 1),
        (&["--chat"], 0),
        (&["--chat", "--time"], 0),
        (&["--chat", "--transcript", "/dev/null"], 1),
    ];
    for (args, records) in modes {
        let hub = Hub::start(&[&["-v"], args].concat());
        let mut flood = hub.join_seen();
        let ear = hub.join_seen();
        let heard = std::thread::spawn(move || std::io::copy(&mut { ear }, &mut std::io::sink()));
        for _ in 0..SENT / feeds.len() {
            flood.write_all(&feeds).unwrap();
        }
        flood.write_all(b"the end\n").unwrap();
        support::wait_at_rest(&hub.process);
        assert_fits(&hub, most_kib(2, 2, records), &format!("{args:?}"));
        drop(hub);
        drop(heard.join().unwrap());
    }
}

/// The same where nobody reads what becomes of it: who sends it is not read.
#[test]
fn line_feeds_wait_in_the_kernel_where_nobody_reads_what_they_become() {
    let feeds = vec![b'\n'; 64 * 1024];
    for args in [&["--transcript", "-"][..], &["-x", "-"], &["--chat"], &[]] {
        let (_reader, writer) = pipe();
        let mut command = piped(MUXNC, &["-l", "0", "-v"]);
        let mut hub = Hub::start_command(command.args(args).stdout(writer));
        drop(command);
        let mut flood = hub.join_seen();
        let _other = hub.join_seen();
        let sent = stuff(&mut flood, &feeds, 1024);
        assert!(sent < 32 << 20, "{sent} bytes were taken, with {args:?}");
        if args != ["--chat"] {
            hub.process.type_in("on it goes\n");
            expect_bytes(&mut flood, "on it goes\n");
        }
        assert_fits(&hub, most_kib(2, 2, 1), &format!("stuck, {args:?}"));
    }
}

/// Whoever asks for something and does not read the answers is read no further, and nobody else goes
/// without an answer.
#[test]
fn answers_that_are_not_read_are_bounded_and_are_not_at_the_cost_of_others() {
    const PEERS: usize = 100;
    // A Unix socket holds less in the kernel than one of TCP.
    let folder = support::Folder::new("budget-answers");
    let path = folder.0.join("socket");
    let args = ["-l", "-U", path.to_str().unwrap(), "--chat", "-v"];
    let hub = Process::start(piped(MUXNC, &args).stdout(Stdio::null()));
    hub.stderr.wait_for("listening on ");
    let join = || UnixStream::connect(&path).unwrap();
    let mut ana = join();
    ana.set_read_timeout(Some(support::DEADLINE)).unwrap();
    let mut peers: Vec<UnixStream> = (0..PEERS).map(|_| join()).collect();
    for peer in &peers {
        peer.set_nonblocking(true).unwrap();
    }
    let asked = b"/names\n".repeat(100);
    let is_refused = |peer: &mut UnixStream| match peer.write(&asked) {
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::WouldBlock => true,
        Err(error) => panic!("{error}"),
    };
    // What the hub does not read any more waits in the kernel.
    support::eventually("the hub to read none of them", || {
        let refused = peers.iter_mut().map(is_refused).filter(|&is| is).count();
        refused == PEERS
    });
    support::wait_at_rest(&hub);
    let mut ear = BufReader::new(ana.try_clone().unwrap());
    for _ in 0..3 {
        ana.write_all(b"/names\n").unwrap();
        let mut heard = String::new();
        while !heard.ends_with("user101\n") {
            assert!(ear.read_line(&mut heard).unwrap() > 0);
            assert!(!heard.contains("too many at once"), "{heard}");
        }
    }
    let all = PEERS as u64;
    let answers = 1024 + 3 * all / 2;
    assert_process_fits(&hub, most_kib(all, 0, 0) + answers, "answers");
}

/// What is longer on the wire than it was said needs room only while it is written, however many hear it; and the
/// answers to what is negotiated are few.
#[test]
fn what_telnet_doubles_and_answers_needs_no_room_of_each_peer() {
    const PEERS: usize = 600;
    let descriptors = allow_descriptors();
    if descriptors.most < PEERS as u64 + 200 {
        return support::left_out("so many descriptors, which are not permitted here");
    }
    let mut command = piped(MUXNC, &["-l", "0", "--broker", "-t"]);
    let hub = Hub::start_command(command.stdout(Stdio::null()));
    let mut peers: Vec<TcpStream> = (0..PEERS).map(|_| hub.join()).collect();
    let mut speaker = hub.join();
    let line = [&[0xff; 30_000][..], b"\n"].concat();
    let options = |verb| (0..=255).flat_map(move |option| [0xff, verb, option]);
    // DO and WILL, of which the second are asked while the answers to the first wait.
    let asked: Vec<u8> = options(253).chain(options(251)).collect();
    speaker.write_all(&line).unwrap();
    for peer in &mut peers {
        let mut heard = vec![0; line.len()];
        peer.read_exact(&mut heard).unwrap();
    }
    for peer in &mut peers {
        peer.write_all(&asked).unwrap();
        peer.write_all(&asked).unwrap();
    }
    support::wait_at_rest(&hub.process);
    let all = PEERS as u64;
    assert_fits(&hub, most_kib(all, 1, 0) + 3 * all, "telnet");
}

/// What a browser was told last is remembered, in case it comes back: of all together no more than of a few.
#[cfg(feature = "web")]
#[test]
fn what_browsers_were_told_is_remembered_within_bounds() {
    const BROWSERS: usize = 400;
    let args = ["-l", "--chat", "-v", "--web", "0", "127.0.0.1", "0"];
    let hub = Process::start(piped(MUXNC, &args).stdout(Stdio::null()));
    let port = support::web_port(&hub.stderr);
    // The mask is none.
    let asked = [&[0x82, 0x80 | 7, 0, 0, 0, 0], &b"/bogus\n"[..]].concat();
    let asked = asked.repeat(20);
    let mut browsers: Vec<TcpStream> = (0..BROWSERS)
        .map(|_| {
            let mut browser = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let head = format!(
                "GET /socket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n\
                 Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            browser.write_all(head.as_bytes()).unwrap();
            browser.read_exact(&mut [0; 12]).unwrap();
            browser.set_nonblocking(true).unwrap();
            browser
        })
        .collect();
    for _ in 0..10 {
        for browser in &mut browsers {
            // Where it waits, the hub has enough.
            let _ = browser.write(&asked);
        }
        support::wait_at_rest(&hub);
    }
    let all = BROWSERS as u64;
    let answers = 1024 + 3 * all / 2;
    // Nobody was lost.
    let remembered = 1024 + 2 * all;
    let most = most_kib(all, 0, 0) + answers + remembered;
    assert_process_fits(&hub, most, "what browsers were told");
}

/// Also where its lines may be left out: a terminal that is stopped has them wait.
#[test]
fn a_console_holds_no_more_than_it_shows() {
    for (args, is_stopped, left_out) in [
        (&[][..], false, 0),
        (&["--broker"], false, 1024),
        (&["--chat"], false, 1024),
        (&["--broker"], true, 1024),
        (&["--chat"], true, 1024),
    ] {
        let args = [&["-l", "0"], args].concat();
        let mut bob = Terminal::of_kind("xterm", MUXNC, &args);
        let port = support::listening_port(&bob.screen);
        let mut flood = support::connect(port);
        let mut other = support::connect(port);
        bob.screen.wait_for("[2]");
        bob.press("/name 1 Annegret\r");
        if is_stopped {
            bob.screen.wait_for("/name 1 Annegret\x1b[0m\r\n");
            bob.press("\x13");
        }
        let feeds = vec![b'\n'; 300_000];
        let ends_with = |text: &'static str| {
            move |shown: &[u8]| {
                let last = &shown[shown.len().saturating_sub(300)..];
                support::contains(last, text.as_bytes())
            }
        };
        support::while_stopped(&bob.process, || {
            flood.write_all(&feeds).unwrap();
            flood.write_all(b"the end\n").unwrap();
        });
        if is_stopped {
            // All of it was said, and waits or is left out.
            other.write_all(b"so it is\n").unwrap();
            let mut ear = BufReader::new(&mut flood);
            let mut heard = String::new();
            while !heard.ends_with("so it is\n") {
                assert!(ear.read_line(&mut heard).unwrap() > 0);
            }
            support::wait_at_rest(&bob.process);
            bob.press("\x11");
        }
        bob.screen.wait_until("the end", ends_with("the end"));
        other.write_all(b"after\n").unwrap();
        bob.screen.wait_until("after", ends_with("after"));
        let (peak, most) = (bob.process.peak_rss_kib(), most_kib(2, 2, 0) + left_out);
        println!("a console, {args:?}: {peak} KiB of {most}");
        assert!(peak <= most, "{peak} KiB, {most} at most");
    }
}

/// So does whoever talks with one alone, a participant or `--once`.
#[test]
fn a_record_of_one_connection_is_counted_by_what_it_becomes_too() {
    const SENT: usize = 4 << 20;
    // The program, what moves both ways, and as much of records as at a hub.
    const MOST: u64 = (6 + 2 + 3) * 1024;
    let records: [&[&str]; 4] = [
        &["--once", "--transcript", "/dev/null"],
        &["--once", "--transcript", "-"],
        &["-x", "/dev/null", "-o", "/dev/null"],
        &["-x", "-"],
    ];
    for args in records {
        let (mut process, mut conn) = match args[0] {
            "--once" => {
                let mut command = piped(MUXNC, &["-l", "0", "--recv-only"]);
                let hub = Hub::start_command(command.args(args).stdout(Stdio::null()));
                let conn = hub.join();
                (hub.process, conn)
            }
            _ => {
                let server = TcpListener::bind("127.0.0.1:0").unwrap();
                let port = server.local_addr().unwrap().port().to_string();
                let place = ["--recv-only", "127.0.0.1", &port];
                let mut command = piped(MUXNC, &[args, &place].concat());
                let process = Process::start(command.stdout(Stdio::null()));
                (process, server.accept().unwrap().0)
            }
        };
        let feeds = vec![b'\n'; 64 * 1024];
        for _ in 0..SENT / feeds.len() {
            conn.write_all(&feeds).unwrap();
        }
        support::wait_at_rest(&process);
        let peak = process.peak_rss_kib();
        println!("one connection, {args:?}: {peak} KiB of {MOST}");
        assert!(peak <= MOST, "{peak} KiB with {args:?}");
        drop(conn);
        process.expect_status(0);
    }
}

/// What is said waits for a server that says nothing, up to the limit that the option sets.
#[cfg(feature = "bus")]
#[test]
fn what_waits_for_the_bus_fits() {
    const BUFFER: u64 = 16 * 1024;
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("nats://{}/class", server.local_addr().unwrap());
    let bus = ["--bus", &url, "--bus-name", "room1", "--bus-buffer", "16M"];
    for length in [10, 200, 3000] {
        let hub = Hub::start(&[&["-v", "--broker"][..], &bus].concat());
        let mut flood = hub.join_seen();
        let ear = hub.join_seen();
        let heard = std::thread::spawn(move || std::io::copy(&mut { ear }, &mut std::io::sink()));
        let line = [&vec![b'x'; length - 1][..], b"\n"].concat();
        let lines = line.repeat(64 * 1024 / length);
        for _ in 0..1024 {
            flood.write_all(&lines).unwrap();
        }
        flood.write_all(b"the end\n").unwrap();
        support::wait_at_rest(&hub.process);
        let most = most_kib(2, 2, 0) + 2 * BUFFER;
        assert_fits(&hub, most, &format!("lines of {length} bytes"));
        drop(hub);
        drop(heard.join().unwrap());
    }
}

/// Everybody's unfinished line is held once, whoever records it.
#[test]
fn thousands_of_unfinished_lines_fit_with_a_record_too() {
    const PEERS: usize = 3000;
    const LEN: usize = 65_000;
    let descriptors = allow_descriptors();
    if descriptors.most < PEERS as u64 + 200 {
        return support::left_out("so many descriptors, which are not permitted here");
    }
    let mut command = piped(MUXNC, &["-l", "0", "--transcript", "/dev/null"]);
    let mut hub = Hub::start_command(command.stdout(Stdio::null()));
    let mut peers: Vec<TcpStream> = (0..PEERS).map(|_| hub.join()).collect();
    let line = [b'x'; LEN];
    for peer in &mut peers {
        peer.write_all(&line).unwrap();
    }
    support::wait_at_rest(&hub.process);
    let all = PEERS as u64;
    assert_fits(&hub, most_kib(all, all, 1), "unfinished lines");
    hub.process.type_in("still there?\n");
    let mut heard = [0; 13];
    peers[PEERS / 2].read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"still there?\n");
}

/// As with `ulimit -v 65536`: an allocation that fails ends a program at once, so that none may be needed
/// that the formula does not count.
#[test]
fn it_lives_in_64_mib_of_addresses_in_every_mode() {
    const PEERS: usize = 600;
    const LEN: usize = 60_000;
    let descriptors = allow_descriptors();
    if descriptors.most < PEERS as u64 + 200 {
        return support::left_out("so many descriptors, which are not permitted here");
    }
    // What a mode may take besides, in MiB: edits of those who are relayed, refused names.
    let folder = support::Folder::new("budget-64-mib");
    let answers = folder.0.join("answers");
    let modes: [(&[&str], u64, u64); 8] = [
        (&[], 0, 0),
        (&["--collect", answers.to_str().unwrap()], 1, 0),
        (&["--transcript", "/dev/null"], 1, 0),
        (&["--events", "json:/dev/null"], 1, 0),
        (&["-x", "-"], 1, 0),
        (&["-o", "/dev/null", "-x", "/dev/null"], 2, 0),
        (&["--broker"], 0, 8),
        (&["--chat", "--transcript", "/dev/null"], 1, 8 + 1),
    ];
    // Those who are relayed and do not read are cut off soon: it is that which has to fit.
    let limit = format!("ulimit -v 65536; exec '{MUXNC}' -l 0 --stall-timeout 2s \"$@\"");
    for (args, records, relayed) in modes {
        let mut command = piped("sh", &["-c", &limit, "sh"]);
        let mut hub = Hub::start_command(command.args(args).stdout(Stdio::null()));
        let mut flood = hub.join();
        let mut peers: Vec<TcpStream> = (0..PEERS).map(|_| hub.join()).collect();
        // What they hear is as much as they say, with relaying, and nobody reads it.
        for peer in &mut peers {
            stuff(peer, &[b'x'; LEN], 1);
        }
        // As a record that is several times what all may take, and no more: each line costs time.
        stuff(&mut flood, &[b'\n'; 64 * 1024], 4);
        support::wait_at_rest(&hub.process);
        drop((flood, peers));
        support::wait_at_rest(&hub.process);
        let mut newcomer = hub.join();
        hub.process.type_in("still there?\n");
        let mut heard = String::new();
        let mut ear = BufReader::new(&mut newcomer);
        while !heard.ends_with("still there?\n") {
            assert!(ear.read_line(&mut heard).unwrap() > 0, "it ended: {args:?}");
        }
        let all = PEERS as u64;
        let most = most_kib(all, all, records) + relayed * 1024;
        assert_fits(&hub, most, &format!("cut off together, {args:?}"));
    }
}
