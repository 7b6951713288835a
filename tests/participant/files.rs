//! Files, verified: everybody sees how far it is, and both sides can compare what it was.

use std::fs;
use std::fs::File;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;
use socket2::SockRef;

use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::enough_of;
use crate::support::eventually;
use crate::support::fingerprint_shown;
use crate::support::listening_port;
use crate::support::piped;

/// How three letters are told, with the digest of FIPS 180-2's first example.
const ABC: &str =
    "3 bytes, SHA-256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// Long enough to take several turns.
const LEN: u64 = 3_000_000;

/// A file in that folder, and what `sha256sum` says of it.
fn image(folder: &Folder) -> (File, String) {
    let path = folder.0.join("image");
    Pattern::bytes()
        .write(&mut File::create(&path).unwrap(), LEN)
        .unwrap();
    (File::open(&path).unwrap(), sha256sum(&path))
}

fn sha256sum(path: &Path) -> String {
    let told = piped("sha256sum", &[path.to_str().unwrap()])
        .output()
        .unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    told.split(' ').next().unwrap().into()
}

#[test]
fn both_sides_of_a_conversation_tell_the_digest_of_a_file() {
    let folder = Folder::new("files-once");
    let (image, digest) = image(&folder);
    let copy = folder.0.join("copy");
    for tls in [&[][..], &["--ssl"]] {
        if !tls.is_empty() && cfg!(not(feature = "tls")) {
            continue;
        }
        let listen = [&["-l", "--once", "--sha256", "127.0.0.1", "0"], tls].concat();
        let mut bob = piped(MUXNC, &listen);
        // Both are files, which the kernel would move by itself.
        bob.stdin(Stdio::null())
            .stdout(File::create(&copy).unwrap());
        let mut bob = Process::start(&mut bob);
        let port = listening_port(&bob.stderr).to_string();
        let mut args = vec!["--sha256", "127.0.0.1", &port];
        let fingerprint = match tls.is_empty() {
            true => String::new(),
            false => fingerprint_shown(&bob.stderr),
        };
        if !tls.is_empty() {
            args.extend(["--ssl-fingerprint", enough_of(&fingerprint)]);
        }
        let mut alice = piped(MUXNC, &args);
        let mut alice = Process::start(alice.stdin(image.try_clone().unwrap()));
        alice.expect_status(0);
        bob.expect_status(0);
        let sent = String::from_utf8(alice.stderr.wait_end()).unwrap();
        assert_eq!(sent, format!("muxnc: sent {LEN} bytes, SHA-256 {digest}\n"));
        let received = String::from_utf8(bob.stderr.wait_end()).unwrap();
        let expected = format!("muxnc: received {LEN} bytes, SHA-256 {digest}\n");
        assert!(received.ends_with(&expected), "{received}");
        assert!(!received.contains("sent"), "{received}");
        assert_eq!(sha256sum(&copy), digest);
        std::io::Seek::rewind(&mut &image).unwrap();
    }
}

#[test]
fn a_hub_tells_the_digest_of_what_it_sent_and_of_what_each_peer_said() {
    let folder = Folder::new("files-hub");
    let (image, digest) = image(&folder);
    let mut hub = piped(MUXNC, &["-l", "0", "--sha256", "--wait-for", "2", "-v"]);
    let mut hub = Hub::start_command(hub.stdin(image));
    let port = hub.port.to_string();
    let mut receivers = ["one", "two"].map(|name| {
        let mut command = piped(MUXNC, &["--sha256", "127.0.0.1", &port]);
        command.stdout(File::create(folder.0.join(name)).unwrap());
        if name == "one" {
            command.stdin(Stdio::null());
        }
        Process::start(&mut command)
    });
    receivers[1].type_in("abc");
    receivers[1].end_input();
    let received = format!("muxnc: received {LEN} bytes, SHA-256 {digest}\n");
    for (i, receiver) in receivers.iter_mut().enumerate() {
        receiver.expect_status(0);
        let told = String::from_utf8(receiver.stderr.wait_end()).unwrap();
        match i {
            0 => assert_eq!(told, received),
            _ => assert_eq!(told, format!("muxnc: sent {ABC}\n{received}")),
        }
    }
    hub.process.expect_status(0);
    let told = String::from_utf8(hub.process.stderr.wait_end()).unwrap();
    assert_eq!(told.matches(&format!(" sent {ABC}\n")).count(), 1, "{told}");
    assert!(
        told.ends_with(&format!("muxnc: sent {LEN} bytes, SHA-256 {digest}\n")),
        "{told}"
    );
    // A line for each receiver.
    let whole = format!(" has all of the {LEN} bytes\n");
    assert_eq!(told.matches(&whole).count(), 2, "{told}");
    for number in ["[1] ", "[2] "] {
        let mut lines = told.lines().filter(|line| line.contains(number));
        assert!(lines.any(|line| line.ends_with(whole.trim_end())), "{told}");
    }
}

#[test]
fn those_who_are_here_at_the_end_are_told_of_too() {
    let hub = Hub::start(&["--sha256"]);
    let mut peer = hub.join();
    std::io::Write::write_all(&mut peer, b"abc").unwrap();
    hub.process.stdout.wait_for("abc");
    hub.process.signal(Signal::TERM);
    hub.process.stderr.wait_for("[1] 127.0.0.1:");
    hub.process.stderr.wait_for(&format!(" sent {ABC}\n"));
}

/// Also where it is ended before its end: of what there was until then.
#[test]
fn what_is_ended_by_a_signal_tells_its_digests() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut bob = Process::start(&mut piped(MUXNC, &["-l", "0", "--once", "--sha256"]));
        let port = listening_port(&bob.stderr).to_string();
        let mut alice = Process::start(&mut piped(MUXNC, &["--sha256", "127.0.0.1", &port]));
        alice.type_in("abc");
        bob.stdout.wait_for("abc");
        for (process, what) in [(&mut alice, "sent"), (&mut bob, "received")] {
            process.signal(signal);
            let status = process.wait();
            assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
            let told = String::from_utf8(process.stderr.wait_end()).unwrap();
            assert!(told.ends_with(&format!("muxnc: {what} {ABC}\n")), "{told}");
        }
    }
}

/// The number that stands before some words.
#[track_caller]
fn number(told: &str, words: &str) -> u64 {
    let before = told.split(words).next().filter(|before| *before != told);
    let before = before.unwrap_or_else(|| panic!("no {words:?} in {told}"));
    let number = before.rsplit(' ').next().and_then(|n| n.parse().ok());
    number.unwrap_or_else(|| panic!("no number before {words:?} in {told}"))
}

/// What the digest is of, less what was not acknowledged, and what was not taken are the whole file: where
/// the other side breaks off in the middle, and where it takes nothing any more.
#[test]
fn what_was_sent_and_what_was_not_taken_are_the_whole_file() {
    let folder = Folder::new("files-broken");
    let path = folder.0.join("image");
    // More than the buffers of both kernels hold.
    let len = 40_000_000;
    Pattern::bytes()
        .write(&mut File::create(&path).unwrap(), len)
        .unwrap();
    for resets in [true, false] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        // So that most of what is sent waits on our side.
        SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let mut args = vec!["--sha256", "127.0.0.1", &port];
        if !resets {
            args.extend(["-i", "500ms"]);
        }
        let mut alice = piped(MUXNC, &args);
        let mut alice = Process::start(alice.stdin(File::open(&path).unwrap()));
        let (mut peer, _) = listener.accept().unwrap();
        let mut some = vec![0; 100_000];
        peer.read_exact(&mut some).unwrap();
        // Unread bytes make its end a reset.
        let peer = (!resets).then_some(peer);
        alice.expect_status(1);
        let told = String::from_utf8(alice.stderr.wait_end()).unwrap();
        drop(peer);
        let sent = number(&told, " bytes, of which ");
        let unacknowledged = number(&told, " were not acknowledged");
        let not_taken = number(&told, " bytes were not taken");
        assert_eq!(sent - unacknowledged + not_taken, len, "{told}");
        let beginning = folder.0.join("beginning");
        let mut copy = File::create(&beginning).unwrap();
        Pattern::bytes().write(&mut copy, sent).unwrap();
        let digest = format!(", SHA-256 {}\n", sha256sum(&beginning));
        assert!(told.contains(&digest), "{told}");
    }
}

/// A participant at a terminal whose stdout is a file, what it is told, and how it was drawn.
fn at_a_terminal(kind: &str, options: &str, input: &str) -> (String, Vec<u8>) {
    let folder = Folder::new(&format!("files-{kind}{options}{}", input.len()));
    let (image, _) = image(&folder);
    let copy = folder.0.join("copy");
    let mut hub = piped(MUXNC, &["-l", "0", "--once"]);
    let mut hub = Process::start(hub.stdin(image));
    let port = listening_port(&hub.stderr);
    let script = format!(
        "exec '{MUXNC}' {options} 127.0.0.1 {port} {input} > '{}'",
        copy.display()
    );
    let mut alice = Terminal::of_kind(kind, "sh", &["-c", &script]);
    alice.process.expect_status(0);
    hub.expect_status(0);
    // The end of who had the terminal is the end of what it shows.
    let screen = alice.screen.wait_end();
    let screen = String::from_utf8(screen).unwrap();
    (screen, fs::read(copy).unwrap())
}

#[test]
fn at_a_terminal_a_participant_sees_how_far_it_is() {
    for input in ["", "< /dev/null"] {
        let (screen, copy) = at_a_terminal("xterm", "", input);
        assert_eq!(copy.len() as u64, LEN);
        Pattern::bytes().expect(0, &copy);
        assert!(screen.contains("\r\x1b[K"), "{screen:?}");
        let row = screen
            .split("muxnc:\x1b[0m received ")
            .nth(1)
            .expect(&screen);
        let row = row.split(['\r', '\n', '\x1b']).next().unwrap();
        assert!(row.contains("/s, 0:0"), "{screen:?}");
        // In the end one line remains.
        let sum = format!("sent 0 bytes, received {LEN} in ");
        assert_eq!(screen.matches(&sum).count(), 1, "{screen:?}");
        let (_, time) = screen.split_once(&sum).unwrap();
        // A rate only if it was more than a moment.
        let end = if time.contains("ms\r\n") {
            "ms\r\n"
        } else {
            "/s\r\n"
        };
        assert!(time.ends_with(end), "{screen:?}");
    }
}

#[test]
fn who_sends_a_file_sees_how_much_of_it_is_sent() {
    let folder = Folder::new("files-send");
    let (_, digest) = image(&folder);
    let mut bob = piped(MUXNC, &["-l", "0", "--once", "--sha256"]);
    bob.stdin(Stdio::null()).stdout(Stdio::null());
    let mut bob = Process::start(&mut bob);
    let port = listening_port(&bob.stderr);
    let image = folder.0.join("image");
    let script = format!(
        "exec '{MUXNC}' 127.0.0.1 {port} < '{}' > /dev/null",
        image.display()
    );
    let mut alice = Terminal::of_kind("xterm", "sh", &["-c", &script]);
    alice.process.expect_status(0);
    bob.expect_status(0);
    let screen = String::from_utf8(alice.screen.wait_end()).unwrap();
    assert!(screen.contains("muxnc:\x1b[0m sent "), "{screen:?}");
    assert!(screen.contains(" of 2.9 MiB, "), "{screen:?}");
    eventually("Bob tells what came", || {
        bob.stderr.text().contains(&digest)
    });
}

#[test]
fn nothing_is_drawn_where_it_is_not_wanted_or_cannot_be() {
    for (kind, options) in [("xterm", "--quiet"), ("dumb", "")] {
        let (screen, copy) = at_a_terminal(kind, options, "< /dev/null");
        assert_eq!(copy.len() as u64, LEN);
        assert!(!screen.contains("received"), "{kind} {options}: {screen:?}");
        assert!(!screen.contains('\x1b'), "{kind} {options}: {screen:?}");
    }
}
