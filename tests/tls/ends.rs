//! Everything arrives, both ways, and the end is told as what it is.

use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use rustix::process::Signal;

use crate::Encrypted;
use crate::HOST;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::connect;
use crate::support::installed;
use crate::support::muxnc;
use crate::support::pipe;
use crate::support::piped;
use crate::support::source::Source;
use crate::support::wait_at_rest;

/// More than all the buffers on the way hold.
const LONG: u64 = 24 * 1024 * 1024 + 12_345;

#[test]
fn both_directions_at_once_and_both_ends_are_told() {
    let (mut from_hub, to_stdout) = pipe();
    let mut command = piped(MUXNC, &["-l", "0", "-v", "--ssl"]);
    let mut secret = Encrypted::of(Hub::start_command(command.stdout(to_stdout)));
    drop(command);
    let (mut received, to_stdout) = pipe();
    let mut command = secret.participant(&[]);
    let mut participant = Process::start(command.stdout(to_stdout));
    drop(command);
    let pattern = Pattern::bytes();
    let feed = |mut stdin: std::process::ChildStdin| {
        let pattern = pattern.clone();
        thread::spawn(move || pattern.write(&mut stdin, LONG).unwrap())
    };
    let hub_stdin = secret.hub.process.stdin.take().unwrap();
    let feeders = [feed(hub_stdin), feed(participant.stdin.take().unwrap())];
    let pattern_of_hub = pattern.clone();
    let reader = thread::spawn(move || pattern_of_hub.read(&mut from_hub, u64::MAX));
    assert_eq!(pattern.read(&mut received, u64::MAX), LONG);
    for feeder in feeders {
        feeder.join().unwrap();
    }
    participant.expect_status(0);
    secret.hub.process.expect_status(0);
    assert_eq!(reader.join().unwrap(), LONG);
    let told = secret.hub.process.stderr.text();
    assert!(!told.contains("goodbye"), "{told}");
}

#[test]
fn files_are_not_sent_past_the_encryption_by_sendfile() {
    // A file as stdin and a pipe as stdout: what the kernel would move by itself.
    let file = || std::fs::File::open(MUXNC).unwrap();
    let expected = std::fs::read(MUXNC).unwrap();
    let mut hub = piped(MUXNC, &["-l", "0", "-v", "--ssl", "--once"]);
    let mut secret = Encrypted::of(Hub::start_command(hub.stdin(file())));
    let mut participant = Process::start(secret.participant(&[]).stdin(file()));
    participant.expect_status(0);
    secret.hub.process.expect_status(0);
    assert!(participant.stdout.wait_end() == expected);
    assert!(secret.hub.process.stdout.wait_end() == expected);
}

#[test]
fn a_late_reader_gets_everything_before_the_end() {
    let mut secret = Encrypted::start(&[]);
    let (mut received, to_stdout) = pipe();
    let mut command = secret.participant(&[]);
    let mut late = Process::start(command.stdout(to_stdout));
    drop(command);
    late.end_input();
    secret.hub.process.stderr.wait_for("ended its side");
    let pattern = Pattern::bytes();
    let mut stdin = secret.hub.process.stdin.take().unwrap();
    // The hub reads it all, and the last of it lies in its own buffers.
    let len = 3 * 1024 * 1024 + 777_u64;
    let feeder = {
        let pattern = pattern.clone();
        thread::spawn(move || pattern.write(&mut stdin, len).unwrap())
    };
    wait_at_rest(&secret.hub.process);
    assert_eq!(pattern.read(&mut received, u64::MAX), len);
    feeder.join().unwrap();
    late.expect_status(0);
    secret.hub.process.expect_status(0);
}

#[test]
fn a_late_hub_gets_everything_before_the_end() {
    let (mut from_hub, to_stdout) = pipe();
    let mut command = piped(MUXNC, &["-l", "0", "-v", "--ssl"]);
    let secret = Encrypted::of(Hub::start_command(command.stdout(to_stdout)));
    drop(command);
    let mut participant = Process::start(&mut secret.participant(&[]));
    let pattern = Pattern::bytes();
    let feeder = {
        let (pattern, mut stdin) = (pattern.clone(), participant.stdin.take().unwrap());
        thread::spawn(move || pattern.write(&mut stdin, LONG).unwrap())
    };
    wait_at_rest(&participant);
    assert_eq!(pattern.read(&mut from_hub, LONG), LONG);
    feeder.join().unwrap();
    secret.hub.process.stderr.wait_for("ended its side");
    assert!(!secret.hub.process.stderr.text().contains("goodbye"));
}

#[test]
fn a_participant_that_ended_its_side_still_listens() {
    let mut secret = Encrypted::start(&[]);
    let mut participant = secret.join(&[]);
    participant.type_in("question\n");
    participant.end_input();
    secret.hub.process.stdout.wait_for("question\n");
    secret.hub.process.stderr.wait_for("ended its side");
    secret.hub.process.type_in("answer\n");
    participant.stdout.wait_for("answer\n");
    secret.hub.process.end_input();
    participant.expect_status(0);
    secret.hub.process.expect_status(0);
}

#[test]
fn a_stream_that_was_cut_is_an_error() {
    let mut secret = Encrypted::start(&[]);
    let mut participant = secret.join(&[]);
    secret.hub.process.type_in("the first half\n");
    participant.stdout.wait_for("the first half\n");
    secret.hub.process.signal(Signal::KILL);
    participant.expect_status(1);
    let told = participant.stderr.text();
    assert!(told.contains("without TLS's goodbye"), "{told}");
    assert!(told.contains("may be missing"), "{told}");
}

/// The hub has a goodbye only for who has everything.
#[test]
fn a_transfer_that_breaks_off_says_no_goodbye() {
    let (mut source, stdin) = Source::new();
    let mut command = piped(MUXNC, &["-l", "0", "-v", "--ssl", "--wait-for", "1"]);
    let mut secret = Encrypted::of(Hub::start_command(command.stdin(stdin)));
    let mut participant = secret.join(&[]);
    participant.end_input();
    source.say("a part");
    participant.stdout.wait_for("a part");
    source.break_off();
    participant.expect_status(1);
    let told = participant.stderr.text();
    assert!(told.contains("connection reset by peer"), "{told}");
    secret.hub.process.expect_status(1);
}

/// Somebody in between, who hands everything on until it is told to cut the connection.
fn in_between(to: u16) -> (u16, impl FnOnce()) {
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (cut, wait) = std::sync::mpsc::channel::<()>();
    thread::spawn(move || {
        let (near, _) = listener.accept().unwrap();
        let far = connect(to);
        let pass = |mut from: TcpStream, mut to: TcpStream| {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = from.read(&mut buffer) {
                    if to.write_all(&buffer[..count]).is_err() {
                        return;
                    }
                }
            });
        };
        pass(near.try_clone().unwrap(), far.try_clone().unwrap());
        pass(far.try_clone().unwrap(), near.try_clone().unwrap());
        let _ = wait.recv();
        near.shutdown(Shutdown::Write).unwrap();
        far.shutdown(Shutdown::Write).unwrap();
    });
    (port, move || cut.send(()).unwrap())
}

#[test]
fn who_cuts_the_connection_cannot_pass_it_off_as_the_end() {
    let mut secret = Encrypted::start(&[]);
    let (port, cut) = in_between(secret.hub.port);
    let port = port.to_string();
    let mut participant = muxnc(&["--ssl-fingerprint", &secret.fingerprint, HOST, &port]);
    secret.hub.process.type_in("all of it?\n");
    participant.stdout.wait_for("all of it?\n");
    cut();
    participant.expect_status(1);
    assert!(participant.stderr.text().contains("goodbye"));
    let told = secret.hub.process.stderr.wait_for("goodbye");
    assert!(
        told.contains(" left (") && told.contains("cut without"),
        "{told}"
    );
}

#[test]
fn whoever_was_told_everything_is_told_that_it_is_the_end() {
    // However the hub ends, as long as it is not killed.
    let mut secret = Encrypted::start(&["-q", "1ms", "--no-shutdown"]);
    let mut participant = secret.join(&[]);
    secret.hub.process.type_in("that is all\n");
    participant.stdout.wait_for("that is all\n");
    secret.hub.process.end_input();
    secret.hub.process.expect_status(0);
    participant.end_input();
    participant.expect_status(0);
}

/// What happens at a hub, which this starts, while it may hear nobody: its stdout takes nothing, and one
/// floods.
fn while_nobody_may_be_heard(mut command: Command, act: impl FnOnce(&Encrypted)) {
    let (_stdout, writer) = pipe();
    command.args(["-l", "0", "-v", "--ssl"]).stdout(writer);
    let secret = Encrypted::of(Hub::start_command(&mut command));
    drop(command);
    let mut flood = secret.join(&["--send-only"]);
    let mut words = flood.stdin.take().unwrap();
    let flooding = thread::spawn(move || while words.write_all(&[b'\n'; 4096]).is_ok() {});
    wait_at_rest(&secret.hub.process);
    act(&secret);
    drop(flood);
    flooding.join().unwrap();
}

/// TLS's goodbye is no word, and TCP's end does not come with it.
#[test]
fn who_says_goodbye_while_nobody_may_be_heard_makes_room_for_the_next() {
    while_nobody_may_be_heard(piped(MUXNC, &["-m", "2"]), |secret| {
        for _ in 0..3 {
            let mut leaver = secret.join(&[]);
            leaver.end_input();
            secret.join(&[]);
        }
    });
}

/// It is not known of TLS what is unread, before that is looked at.
#[test]
fn who_is_silent_while_nobody_may_be_heard_is_idle() {
    while_nobody_may_be_heard(piped(MUXNC, &["-i", "1s"]), |secret| {
        let silent = secret.join(&[]);
        let told = &secret.hub.process.stderr;
        told.wait_for("nothing was sent or received for 1s");
        drop(silent);
    });
}

/// The records are opened ahead, so that the kernel does not know how much of them is unread.
#[test]
fn without_descriptors_it_is_told_that_last_words_were_not_heard() {
    if !installed(&["prlimit"]) {
        return;
    }
    let few = piped("prlimit", &["--nofile=40:40", MUXNC]);
    while_nobody_may_be_heard(few, |secret| {
        for _ in 0..45 {
            let mut leaver = secret.join(&[]);
            leaver.type_in("who hears me?\n");
            wait_at_rest(&leaver);
        }
        let told = &secret.hub.process.stderr;
        told.wait_for("who left were not heard");
    });
}

#[test]
fn the_hubs_full_is_told_in_tls() {
    let secret = Encrypted::start(&["-m", "1"]);
    let _first = secret.join(&[]);
    let mut second = Process::start(&mut secret.participant(&[]));
    second.stdout.wait_end();
    second.end_input();
    second.expect_status(0);
    assert_eq!(second.stdout.text(), "muxnc: full, 1 are here already\n");
}

#[test]
fn a_slow_participant_is_waited_for_and_loses_nothing() {
    let mut secret = Encrypted::start(&["--stall-timeout", "1h"]);
    let (mut received, to_stdout) = pipe();
    let mut command = secret.participant(&["--recv-only"]);
    let mut slow = Process::start(command.stdout(to_stdout).stdin(Stdio::null()));
    drop(command);
    secret.hub.process.stderr.wait_for(" joined, 1 here");
    let mut quick = secret.join(&["--recv-only"]);
    let pattern = Pattern::bytes();
    let feeder = {
        let (pattern, mut stdin) = (pattern.clone(), secret.hub.process.stdin.take().unwrap());
        thread::spawn(move || pattern.write(&mut stdin, LONG).unwrap())
    };
    wait_at_rest(&secret.hub.process);
    // What is not delivered is not kept without a limit either.
    let kib = secret.hub.process.own_kib();
    assert!(kib < 24 * 1024, "{kib} KiB");
    assert_eq!(pattern.read(&mut received, u64::MAX), LONG);
    feeder.join().unwrap();
    slow.expect_status(0);
    quick.expect_status(0);
    pattern.expect(0, &quick.stdout.wait_end());
    secret.hub.process.expect_status(0);
}

/// The other side reads no more: what it did not take is told with its number, and that -q is over.
#[test]
fn what_was_not_taken_in_the_time_of_q_is_told() {
    const LAST: usize = 300_000;
    let hub = Hub::start(&["--ssl", "--once", "-q", "1"]);
    let mut secret = Encrypted::of(hub);
    let participant = Process::start(&mut secret.participant(&[]));
    secret.hub.process.type_in("first\n");
    participant.stdout.wait_for("first\n");
    participant.signal(Signal::STOP);
    secret.hub.process.type_in(vec![b'x'; LAST]);
    secret.hub.process.end_input();
    secret.hub.process.expect_status(1);
    participant.signal(Signal::CONT);
    let told = secret.hub.process.stderr.text();
    let last = told.lines().last().unwrap();
    let (before, _) = last
        .split_once(" bytes were not taken in the time that -q gives")
        .unwrap_or_else(|| panic!("{told}"));
    let number: usize = before.rsplit(' ').next().unwrap().parse().unwrap();
    // As they are on the wire; some are with its kernel.
    assert!((1..LAST + LAST / 100).contains(&number), "{told}");
}
