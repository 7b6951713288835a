//! Those who do not speak TLS, or not to the end: they hold nobody up.

use std::collections::VecDeque;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::Encrypted;
use crate::HOST;
use crate::refused;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::connect;
use crate::support::contains;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::muxnc;
use crate::support::piped;
use crate::support::read_all;
use crate::support::wait_at_rest;

/// The beginning of a record with a ClientHello that says it is 512 bytes long.
const HALF_A_HELLO: [u8; 12] = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 7];

#[test]
fn nobody_joins_before_they_agreed() {
    let mut secret = Encrypted::start(&[]);
    let silent = connect(secret.hub.port);
    let mut half = connect(secret.hub.port);
    half.write_all(&HALF_A_HELLO).unwrap();
    let mut participant = secret.join(&[]);
    secret.hub.process.type_in("hello\n");
    participant.stdout.wait_for("hello\n");
    participant.type_in("good morning\n");
    secret.hub.process.stdout.wait_for("good morning\n");
    let told = secret.hub.process.stderr.text();
    assert!(told.contains("[1] "), "{told}");
    assert_eq!(told.matches(" joined").count(), 1, "{told}");
    drop((silent, half));
    secret
        .hub
        .process
        .stderr
        .wait_for("did not join: it closed the connection");
}

#[test]
fn a_handshake_has_ten_seconds() {
    let secret = Encrypted::start(&[]);
    let start = Instant::now();
    let mut silent = connect(secret.hub.port);
    let mut half = connect(secret.hub.port);
    half.write_all(&HALF_A_HELLO).unwrap();
    wait_at_rest(&secret.hub.process);
    let activity = secret.hub.process.context_switches();
    // Somebody who may not know that it is TLS is told so.
    expect_bytes(
        &mut silent,
        "muxnc: this hub speaks TLS only: muxnc --ssl\n",
    );
    assert_eq!(read_all(&mut silent), b"");
    let _ = half.read(&mut [0; 64]);
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(9), "{took:?}");
    secret
        .hub
        .process
        .stderr
        .wait_for("it did not agree on TLS in time");
    secret.hub.process.stderr.wait_for("it does not speak TLS");
    // Until then nothing was done for them.
    let woken = secret.hub.process.context_switches() - activity;
    assert!(woken < 20, "woken {woken} times");
}

#[test]
fn plain_text_is_answered_in_plain_text() {
    let secret = Encrypted::start(&[]);
    let mut plain = connect(secret.hub.port);
    plain.write_all(b"hello?\n").unwrap();
    expect_bytes(&mut plain, "muxnc: this hub speaks TLS only: muxnc --ssl\n");
    secret
        .hub
        .process
        .stderr
        .wait_for("did not join: it does not speak TLS");
    assert_eq!(secret.hub.process.stdout.text(), "");
}

#[test]
fn rubbish_is_refused_and_does_no_harm() {
    let secret = Encrypted::start(&[]);
    for rubbish in [
        &[22, 3, 1, 0, 4, 1, 2, 3, 4][..],
        &[22, 3, 1, 255, 255],
        &[22; 4000],
        &[22, 3, 3, 0, 0],
        // A record of application data before any handshake.
        &[22, 3, 1, 0, 0, 23, 3, 3, 0, 3, 1, 2, 3],
    ] {
        let mut stream = connect(secret.hub.port);
        stream.write_all(rubbish).unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let mut participant = secret.join(&[]);
    participant.type_in("still here\n");
    secret.hub.process.stdout.wait_for("still here\n");
    assert_eq!(secret.hub.process.stdout.text(), "still here\n");
}

#[test]
fn a_crowd_that_never_agrees_keeps_nobody_out() {
    let secret = Encrypted::start(&[]);
    let crowd: Vec<TcpStream> = (0..1100)
        .map(|_| {
            let mut stream = connect(secret.hub.port);
            stream.write_all(&HALF_A_HELLO).unwrap();
            stream
        })
        .collect();
    secret.hub.process.stderr.wait_for("too many others came");
    let mut participant = secret.join(&[]);
    participant.type_in("let me in\n");
    secret.hub.process.stdout.wait_for("let me in\n");
    drop(crowd);
}

/// The first words of a participant, as a network would see them.
fn hello(secret: &Encrypted) -> Vec<u8> {
    let network = TcpListener::bind((HOST, 0)).unwrap();
    let port = network.local_addr().unwrap().port().to_string();
    let fingerprint = ["--ssl-fingerprint", &secret.fingerprint];
    let _participant = muxnc(&[&fingerprint[..], &[HOST, &port]].concat());
    let (mut stream, _) = network.accept().unwrap();
    let mut words = vec![0; 4096];
    let count = stream.read(&mut words).unwrap();
    words.truncate(count);
    words
}

/// A hello costs its sender nothing, and the hub an answer. Whoever goes on with the handshake is not
/// pushed out by thousands who never do.
#[test]
fn a_flood_of_hellos_resets_no_participant() {
    const MOST: usize = 20_000;
    const HELD: usize = 1500;
    let secret = Encrypted::start(&[]);
    let words = hello(&secret);
    let port = secret.hub.port;
    let over = Arc::new(AtomicBool::new(false));
    let flood = thread::spawn({
        let over = over.clone();
        move || {
            let mut held = VecDeque::new();
            for _ in 0..MOST {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(mut stream) = TcpStream::connect((HOST, port)) {
                    let _ = stream.write_all(&words);
                    held.push_back(stream);
                }
                if held.len() > HELD {
                    held.pop_front();
                }
            }
        }
    });
    secret.hub.process.stderr.wait_for("more did not join");
    let participants: Vec<Process> = (0..10).map(|_| secret.join(&[])).collect();
    over.store(true, Ordering::Relaxed);
    flood.join().unwrap();
    for participant in &participants {
        let told = participant.stderr.text();
        assert!(!told.contains("reset"), "{told}");
    }
    // A line for each of thousands would be a flood of its own.
    let told = secret.hub.process.stderr.text();
    assert!(told.matches(" did not join").count() < 100, "{told}");
}

#[test]
fn a_crowd_that_never_agrees_does_not_count_as_members() {
    let secret = Encrypted::start(&["-m", "1"]);
    let silent: Vec<TcpStream> = (0..10).map(|_| connect(secret.hub.port)).collect();
    secret.join(&[]);
    drop(silent);
}

#[test]
fn once_is_for_the_first_who_agrees() {
    let mut secret = Encrypted::start(&["--once"]);
    let _silent = connect(secret.hub.port);
    let mut plain = connect(secret.hub.port);
    plain.write_all(b"hello?\n").unwrap();
    expect_bytes(&mut plain, "muxnc: this hub speaks TLS only: muxnc --ssl\n");
    let mut participant = Process::start(&mut secret.participant(&[]));
    participant.type_in("me\n");
    participant.end_input();
    secret.hub.process.stdout.wait_for("me\n");
    secret.hub.process.type_in("you\n");
    secret.hub.process.end_input();
    participant.stdout.wait_for("you\n");
    participant.expect_status(0);
    secret.hub.process.expect_status(0);
}

/// Each of many connections may do it wrong: the log does not grow with them.
#[test]
fn of_many_who_speak_tls_to_a_hub_without_it_few_are_told_one_by_one() {
    let hub = Hub::start(&["-v"]);
    let hello = [22, 3, 1, 0, 5, 1];
    let _strangers: Vec<_> = (0..40)
        .map(|_| {
            let mut stranger = connect(hub.port);
            stranger.write_all(&hello).unwrap();
            stranger
        })
        .collect();
    // However long that took: all are told of, and not all of them one by one.
    let both = |told: &str| {
        let one_by_one = told.matches("speaks TLS, which this").count();
        let more = told.lines().filter_map(|line| {
            let count = line
                .strip_prefix("muxnc: ")?
                .split_once(" more spoke TLS")?;
            count.0.parse::<usize>().ok()
        });
        (one_by_one, more.sum::<usize>())
    };
    let told = hub.process.stderr.wait_until("all of them", |told| {
        let (one_by_one, more) = both(&String::from_utf8_lossy(told));
        one_by_one + more == 40
    });
    let (one_by_one, _) = both(&String::from_utf8_lossy(&told));
    assert!((10..40).contains(&one_by_one), "{one_by_one}");
}

#[test]
fn a_port_without_tls_is_called_so() {
    let hub = Hub::start(&["-v"]);
    let port = hub.port.to_string();
    let told = refused(&["--ssl", "-w", "1s", HOST, &port]);
    assert!(told.contains("timed out"), "{told}");
    assert!(told.contains("a port without TLS?"), "{told}");
    hub.process
        .stderr
        .wait_for("speaks TLS, which this hub does only with --ssl");
    // One that talks at once.
    let mut hub = Hub::start(&[]);
    let port = hub.port.to_string();
    hub.process.type_in("welcome, friend\n");
    let mut early = muxnc(&["--ssl", HOST, &port]);
    early.expect_status(1);
    let told = early.stderr.text();
    assert!(told.contains("what it sent is not TLS"), "{told}");
    assert!(told.contains("leave out --ssl"), "{told}");
    // One that closes as soon as it is spoken to, with and without having read all of that.
    for read in [1, 4096] {
        let listener = TcpListener::bind((HOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let mut refused = muxnc(&["--ssl", HOST, &port]);
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut vec![0; read]).unwrap() > 0);
        drop(stream);
        refused.expect_status(1);
        let told = refused.stderr.text();
        assert!(told.contains("Is it a port without TLS?"), "{told}");
    }
}

/// Its first words come between the look whether there are any and the read: strace makes the look
/// last long enough for that.
#[test]
fn nobody_is_a_stranger_for_beginning_at_the_wrong_moment() {
    const LOOK: Duration = Duration::from_secs(1);
    if !installed(&["strace"]) {
        return;
    }
    let delay = format!("inject=recvfrom:delay_exit={}:when=1", LOOK.as_micros());
    let mut command = piped("strace", &["-D", "-qq", "-o", "/dev/null", "-e", &delay]);
    command.args([MUXNC, "-l", "0", "-v", "--ssl"]);
    let secret = Encrypted::of(Hub::start_command(&mut command));
    // A network that keeps the first words for a while.
    let network = TcpListener::bind((HOST, 0)).unwrap();
    let port = network.local_addr().unwrap().port().to_string();
    let fingerprint = ["--ssl-fingerprint", &secret.fingerprint];
    let participant = muxnc(&[&fingerprint[..], &[HOST, &port]].concat());
    let (mut near, _) = network.accept().unwrap();
    let mut words = [0; 4096];
    let count = near.read(&mut words).unwrap();
    let mut far = connect(secret.hub.port);
    // In the middle of the look.
    wait_at_rest(&secret.hub.process);
    far.write_all(&words[..count]).unwrap();
    // What comes next comes when the first words have been read.
    let count = far.read(&mut words).unwrap();
    wait_at_rest(&secret.hub.process);
    near.write_all(&words[..count]).unwrap();
    let (mut answers, mut asker) = (far.try_clone().unwrap(), near.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut answers, &mut asker));
    thread::spawn(move || std::io::copy(&mut near, &mut far));
    secret
        .hub
        .process
        .stderr
        .wait_until("the participant", |told| {
            contains(told, b" joined") || contains(told, b"did not join")
        });
    let told = secret.hub.process.stderr.text();
    assert!(told.contains(" joined"), "{told}");
    drop(participant);
}

#[test]
fn who_is_denied_is_refused_before_any_handshake() {
    let secret = Encrypted::start(&["--deny", HOST]);
    let mut participant = Process::start(&mut secret.participant(&[]));
    participant.expect_status(1);
    let told = &secret.hub.process.stderr;
    told.wait_for("was refused: the address is not allowed");
    assert!(!told.text().contains("did not join"), "{}", told.text());
}
