//! What is sent arrives whole, whatever the others do: slow and dead peers beside good ones, a
//! stdout that nobody reads, streams that end in one direction first.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use crate::support::DEADLINE;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::connect;
use crate::support::expect_bytes;
use crate::support::muxnc;
use crate::support::pipe;
use crate::support::piped;
use crate::support::read_all;
use crate::support::wait_at_rest;
use crate::support::while_stopped;

const MB: u64 = 1_000_000;

/// A file with the pattern in it, gone when dropped from every directory but still readable.
fn file_of(pattern: &Pattern, len: u64) -> File {
    let path = std::env::temp_dir().join(format!("muxnc-delivery-{}-{len}", std::process::id()));
    pattern
        .write(&mut File::create(&path).unwrap(), len)
        .unwrap();
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file
}

/// Reads a peer's whole stream in a thread of its own, and gives the connection back at its end.
fn good_reader(mut stream: TcpStream, len: u64) -> thread::JoinHandle<TcpStream> {
    thread::spawn(move || {
        let got = Pattern::bytes().read(&mut stream, u64::MAX);
        assert_eq!(got, len, "of the stream came to {:?}", stream.local_addr());
        stream
    })
}

/// Writes the stream to a process, and its end, in a thread of its own: were it never taken, the
/// deadlines are elsewhere.
fn feed(process: &mut Process, len: u64) -> thread::JoinHandle<()> {
    let mut stdin = process.stdin.take().unwrap();
    thread::spawn(move || Pattern::bytes().write(&mut stdin, len).unwrap())
}

#[test]
fn a_peer_that_never_reads_is_cut_off_and_the_others_get_everything() {
    const LEN: u64 = 96 * MB;
    let mut hub = Hub::start(&["-v", "--stall-timeout", "2s"]);
    let mut dead = hub.join_seen();
    let good: Vec<TcpStream> = (0..4).map(|_| hub.join_seen()).collect();
    let good: Vec<_> = good.into_iter().map(|s| good_reader(s, LEN)).collect();

    let source = feed(&mut hub.process, LEN);
    // They are kept open so that the hub does not end before it is looked at.
    let good: Vec<TcpStream> = good.into_iter().map(|g| g.join().unwrap()).collect();

    let addr = dead.local_addr().unwrap();
    let told = hub.process.stderr.wait_for("was cut off: it took nothing");
    let line = told.lines().find(|line| line.contains("was cut off"));
    assert!(line.unwrap().contains(&addr.to_string()), "{told}");
    assert_eq!(told.matches("was cut off").count(), 1, "{told}");
    let peak = hub.process.peak_rss_kib();
    assert!(peak < 64 * 1024, "{peak} KiB");
    // Cut off, but not deceived: what it got is the beginning, without a gap.
    let got = Pattern::bytes().read(&mut dead, u64::MAX);
    assert!(0 < got && got < LEN, "{got}");

    source.join().unwrap();
    drop(good);
    hub.process.expect_status(0);
}

#[test]
fn a_slow_reader_among_six_gets_the_whole_file_as_the_others_do() {
    const LEN: u64 = 60 * MB;
    let file = file_of(&Pattern::bytes(), LEN);
    let mut hub = Hub::start_command(piped(MUXNC, &["-l", "0", "-v"]).stdin(file));
    // The file begins with the first to come, so all six come at once.
    let mut peers: Vec<TcpStream> =
        while_stopped(&hub.process, || (0..6).map(|_| hub.join()).collect());
    let slow = peers.pop().unwrap();
    SockRef::from(&slow)
        .set_recv_buffer_size(64 * 1024)
        .unwrap();
    let slow = thread::spawn(move || {
        let mut slow = Paced(slow);
        Pattern::bytes().read(&mut slow, u64::MAX)
    });
    let good: Vec<_> = peers.into_iter().map(|s| good_reader(s, LEN)).collect();
    for reader in good {
        reader.join().unwrap();
    }
    assert_eq!(slow.join().unwrap(), LEN);
    hub.process.expect_status(0);
    let told = hub.process.stderr.text();
    assert!(!told.contains("cut off"), "{told}");
}

/// A reader that takes its time.
struct Paced(TcpStream);

impl Read for Paced {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        thread::sleep(Duration::from_millis(2));
        self.0.read(buffer)
    }
}

#[test]
fn with_slow_peer_disconnect_the_source_waits_for_nobody() {
    // The dead one owes its place to no timeout: with this one it could stay for ever.
    let args = ["-v", "--slow-peer=disconnect", "--stall-timeout", "1h"];
    let mut hub = Hub::start(&args);
    let dead = hub.join_seen();
    let mut good: Vec<TcpStream> = (0..3).map(|_| hub.join_seen()).collect();
    let pattern = Pattern::bytes();
    let mut stdin = hub.process.stdin.take().unwrap();
    // A live stream: the next piece when everybody who listens has the last. The kernel's buffers
    // for the dead one are full after a few megabytes.
    let mut at = 0;
    let mut piece = vec![0; 64 * 1024];
    while at < 32 * MB {
        let sent = pattern.slice(at, piece.len());
        stdin.write_all(sent).unwrap();
        for peer in &mut good {
            peer.read_exact(&mut piece[..sent.len()]).unwrap();
            pattern.expect(at, &piece[..sent.len()]);
        }
        at += sent.len() as u64;
    }
    let told = hub
        .process
        .stderr
        .wait_for("was cut off: it fell too far behind");
    let line = told.lines().find(|line| line.contains("was cut off"));
    let addr = dead.local_addr().unwrap().to_string();
    assert!(line.unwrap().contains(&addr), "{told}");
    assert!(line.unwrap().contains("3 here"), "{told}");
    drop(stdin);
    for peer in &mut good {
        assert_eq!(read_all(peer), b"");
    }
    drop(good);
    hub.process.expect_status(0);
    assert_eq!(hub.process.stderr.text().matches("was cut off").count(), 1);
}

/// It is the fastest, and a burst cuts off nobody.
#[test]
fn with_slow_peer_disconnect_the_source_waits_for_the_only_participant() {
    let args = ["-v", "--slow-peer=disconnect", "--stall-timeout", "1h"];
    let mut hub = Hub::start(&args);
    let mut alone = hub.join_seen();
    let mut stdin = hub.process.stdin.take().unwrap();
    let source = thread::spawn(move || Pattern::bytes().write(&mut stdin, 32 * MB).unwrap());
    wait_at_rest(&hub.process);
    assert!(!source.is_finished(), "{}", hub.process.stderr.text());
    assert_eq!(Pattern::bytes().read(&mut alone, u64::MAX), 32 * MB);
    source.join().unwrap();
    drop(alone);
    hub.process.expect_status(0);
    let told = hub.process.stderr.text();
    assert!(!told.contains("cut off"), "{told}");
}

#[test]
fn a_stdout_that_nobody_reads_does_not_stop_the_class() {
    const LINES: usize = 400_000;
    let (stdout, writer) = pipe();
    let mut hub = Hub::start_command(piped(MUXNC, &["-l", "0", "-v"]).stdout(writer));
    let mut alice = hub.join_seen();
    let mut carol = hub.join_seen();
    // Far more than the pipe, the hub and the kernel's buffers hold: they will be held up.
    let speakers: Vec<_> = [("alice", &alice), ("carol", &carol)]
        .map(|(name, stream)| {
            let mut stream = stream.try_clone().unwrap();
            thread::spawn(move || {
                let lines: String = (0..LINES)
                    .map(|i| format!("{name} says line {i} of many, so that it adds up\n"))
                    .collect();
                stream.write_all(lines.as_bytes()).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
            })
        })
        .into_iter()
        .collect();
    for i in 0..100 {
        let line = format!("Bob says line {i}\n");
        hub.process.type_in(&line);
        expect_bytes(&mut alice, &line);
        expect_bytes(&mut carol, &line);
    }
    let mut late = hub.join_seen();
    hub.process.type_in("welcome\n");
    for peer in [&mut alice, &mut carol, &mut late] {
        expect_bytes(peer, "welcome\n");
    }
    late.write_all(b"late says one line\n").unwrap();
    late.shutdown(Shutdown::Write).unwrap();
    wait_at_rest(&hub.process);
    assert!(
        speakers.iter().all(|speaker| !speaker.is_finished()),
        "they were read although nobody took what they say"
    );
    let peak = hub.process.peak_rss_kib();
    assert!(peak < 16 * 1024, "{peak} KiB");

    // Now somebody reads, and nothing is missing.
    hub.process.end_input();
    let reader = thread::spawn(move || {
        let mut next = [0, 0];
        let mut late = 0;
        for line in BufReader::new(stdout).lines() {
            let line = line.unwrap();
            if line == "late says one line" {
                late += 1;
                continue;
            }
            let who = usize::from(line.starts_with("carol"));
            let name = ["alice", "carol"][who];
            let expected = format!("{name} says line {} of many, so that it adds up", next[who]);
            assert_eq!(line, expected);
            next[who] += 1;
        }
        (next, late)
    });
    for speaker in speakers {
        speaker.join().unwrap();
    }
    for peer in [&mut alice, &mut carol, &mut late] {
        assert_eq!(read_all(peer), b"");
    }
    hub.process.expect_status(0);
    assert_eq!(reader.join().unwrap(), ([LINES, LINES], 1));
}

#[test]
fn a_peer_that_ended_its_stream_still_receives() {
    let mut hub = Hub::start(&["-v"]);
    let mut peer = hub.join_seen();
    peer.write_all(b"my last words, unfinished").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    hub.process.stdout.wait_for("my last words, unfinished");
    hub.process.stderr.wait_for("ended its side");
    for i in 0..100 {
        let line = format!("line {i}\n");
        hub.process.type_in(&line);
        expect_bytes(&mut peer, &line);
    }
    hub.process.end_input();
    assert_eq!(read_all(&mut peer), b"");
    hub.process.expect_status(0);
}

#[test]
fn after_the_end_of_stdin_peers_read_an_end_and_are_heard_until_they_leave() {
    let mut hub = Hub::start(&["-v"]);
    let mut peers: Vec<TcpStream> = (0..3).map(|_| hub.join_seen()).collect();
    hub.process.type_in("goodbye, unfinished");
    hub.process.end_input();
    for peer in &mut peers {
        assert_eq!(read_all(peer), b"goodbye, unfinished");
    }
    // The door is closed, and those inside still speak.
    let addr = (Ipv4Addr::LOCALHOST, hub.port);
    TcpStream::connect(addr).expect_err("nobody else is let in");
    let mut expected = String::new();
    while let Some(mut peer) = peers.pop() {
        let line = format!("{} of us are still here\n", peers.len() + 1);
        peer.write_all(line.as_bytes()).unwrap();
        hub.process.stdout.wait_for(&line);
        expected += &line;
        assert!(hub.process.is_running());
    }
    hub.process.expect_status(0);
    assert_eq!(hub.process.stdout.wait_end(), expected.as_bytes());
}

/// A server that says something, ends its own stream, and only then reads, to the end.
fn half_closing_server() -> (u16, thread::JoinHandle<u64>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(b"that is all from me\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        Pattern::bytes().read(&mut stream, u64::MAX)
    });
    (port, server)
}

#[test]
fn a_server_that_ends_its_stream_first_still_gets_the_whole_file() {
    const LEN: u64 = 20 * MB;
    let (port, server) = half_closing_server();
    let file = file_of(&Pattern::bytes(), LEN);
    let port = port.to_string();
    let mut participant = Process::start(piped(MUXNC, &["127.0.0.1", &port]).stdin(file));
    participant.expect_status(0);
    assert_eq!(participant.stdout.wait_end(), b"that is all from me\n");
    assert_eq!(server.join().unwrap(), LEN);
}

#[test]
fn a_server_that_ends_its_stream_first_still_gets_all_of_a_pipe() {
    const LEN: u64 = 30 * MB;
    let (port, server) = half_closing_server();
    let mut participant = muxnc(&["127.0.0.1", &port.to_string()]);
    let source = feed(&mut participant, LEN);
    participant.expect_status(0);
    source.join().unwrap();
    assert_eq!(participant.stdout.wait_end(), b"that is all from me\n");
    assert_eq!(server.join().unwrap(), LEN);
}

#[test]
fn an_echo_of_40_megabytes_goes_through_one_participant() {
    const LEN: u64 = 40 * MB;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        // It writes back all it read before it reads on: whoever does not take the answer while
        // still asking is stuck with it.
        let (mut stream, _) = listener.accept().unwrap();
        std::io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap()
    });
    let (mut stdout, writer) = pipe();
    let mut participant = Process::start(
        piped(MUXNC, &["127.0.0.1", &port.to_string()])
            .stdout(writer)
            .stderr(Stdio::inherit()),
    );
    let reader = thread::spawn(move || Pattern::bytes().read(&mut stdout, u64::MAX));
    let source = feed(&mut participant, LEN);
    participant.expect_status(0);
    source.join().unwrap();
    assert_eq!(server.join().unwrap(), LEN);
    assert_eq!(reader.join().unwrap(), LEN);
}

/// A reader that takes a page at a time, as some filters do.
struct Sipping<R>(R);

impl<R: Read> Read for Sipping<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(4096);
        self.0.read(&mut buffer[..most])
    }
}

#[test]
fn a_pipe_that_is_emptied_by_the_page_is_never_taken_for_a_silent_connection() {
    // A pipe that has room again at the very moment when it was found full: some hundred chances
    // for that, of which one was enough.
    const LEN: u64 = 400 * MB;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stdout, writer) = pipe();
    let _participant = Process::start(
        piped(MUXNC, &["--recv-only", "127.0.0.1", &port.to_string()])
            .stdout(writer)
            .stderr(Stdio::inherit()),
    );
    let (mut stream, _) = listener.accept().unwrap();
    let server = thread::spawn(move || {
        Pattern::bytes().write(&mut stream, LEN).unwrap();
        // It does not end: that would be news of it.
        stream
    });
    assert_eq!(Pattern::bytes().read(&mut Sipping(stdout), LEN), LEN);
    drop(server.join().unwrap());
}

#[test]
fn one_too_many_is_told_why_and_a_free_place_is_given_to_the_next() {
    let mut hub = Hub::start(&["-v", "-m", "2"]);
    let mut first = hub.join_seen();
    let mut second = hub.join_seen();
    for _ in 0..3 {
        // What it said before it was looked at does not cost it the reason.
        let mut third = while_stopped(&hub.process, || {
            let mut third = hub.join();
            third.write_all(b"hello, may I come in?\n").unwrap();
            third
        });
        expect_bytes(&mut third, b"muxnc: full, 2 are here already\n");
        let read = third.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(read, Err(ErrorKind::ConnectionReset), "nobody heard it");
    }
    // A close looks like the end of one direction; the next line finds out that it was both.
    drop(second);
    hub.process.stderr.wait_for("ended its side");
    hub.process.type_in("who is here?\n");
    expect_bytes(&mut first, "who is here?\n");
    hub.process.stderr.wait_for(" left ");
    second = hub.join_seen();
    hub.process.type_in("welcome\n");
    expect_bytes(&mut first, "welcome\n");
    expect_bytes(&mut second, "welcome\n");
    let mut third = connect(hub.port);
    assert_eq!(read_all(&mut third), b"muxnc: full, 2 are here already\n");
    second.write_all(b"it is I\n").unwrap();
    hub.process.stdout.wait_for("it is I\n");
    assert_eq!(hub.process.stdout.text(), "it is I\n");
}
