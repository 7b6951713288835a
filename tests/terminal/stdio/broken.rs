//! A stdin that breaks off in its midst: a connection that is reset, or what cannot be read at all.

use std::fs::File;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpStream;

use crate::stdio::expect_serving;
use crate::stdio::participant;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::expect_bytes;
use crate::support::left_out;
use crate::support::piped;
use crate::support::read_all;
use crate::support::source::Source;

/// It reads nothing more, and no end.
fn expect_broken(peer: &mut TcpStream) {
    let mut rest = Vec::new();
    let read = peer.read_to_end(&mut rest);
    let why = read.expect_err("a part is taken for the whole").kind();
    assert_eq!((why, rest.len()), (ErrorKind::ConnectionReset, 0));
}

#[test]
fn the_receivers_of_a_transfer_that_breaks_off_read_no_end() {
    for option in ["-v", "--sha256"] {
        let (mut source, stdin) = Source::new();
        let mut command = piped(MUXNC, &["-l", "0", "--wait-for", "2", option]);
        let mut hub = Hub::start_command(command.stdin(stdin));
        let mut peers = [hub.join(), hub.join()];
        source.say("a part");
        for peer in &mut peers {
            expect_bytes(peer, "a part");
        }
        source.break_off();
        peers.iter_mut().for_each(expect_broken);
        hub.process.expect_status(1);
        hub.process.stderr.wait_end();
        let told = hub.process.stderr.text();
        let why = "muxnc: read from stdin: connection reset by peer\n";
        assert_eq!(told.matches(why).count(), 1, "{told}");
        let part = " has all of the 6 bytes that were read of the input, and nothing after them\n";
        assert_eq!(told.matches(part).count(), 2, "{told}");
    }
}

/// Behind the end of a pipe it would have read one.
#[test]
fn a_class_whose_operator_breaks_off_reads_no_end() {
    for surface in [&["-v"] as &[&str], &["-v", "--broker"]] {
        let (mut source, stdin) = Source::new();
        let mut command = piped(MUXNC, &["-l", "0"]);
        let mut hub = Hub::start_command(command.args(surface).stdin(stdin));
        let mut peers = [hub.join_seen(), hub.join_seen()];
        peers[1].shutdown(Shutdown::Write).unwrap();
        hub.process.stderr.wait_for("ended its side");
        source.say("a part\n");
        for peer in &mut peers {
            expect_bytes(peer, "a part\n");
        }
        source.break_off();
        peers.iter_mut().for_each(expect_broken);
        hub.process.expect_status(1);
        let why = "muxnc: read from stdin: connection reset by peer\n";
        hub.process.stderr.wait_for(why);
    }
}

#[test]
fn a_hub_that_is_kept_open_serves_on_without_an_operator_that_broke_off() {
    let (mut source, stdin) = Source::new();
    let mut command = piped(MUXNC, &["-l", "0", "-v", "-k"]);
    let hub = Hub::start_command(command.stdin(stdin));
    let mut peer = hub.join_seen();
    let mut listener = hub.join_seen();
    listener.shutdown(Shutdown::Write).unwrap();
    hub.process.stderr.wait_for("ended its side");
    source.say("a part");
    for peer in [&mut peer, &mut listener] {
        expect_bytes(peer, "a part");
    }
    peer.write_all(b"I have it\n").unwrap();
    hub.process.stdout.wait_for("I have it\n");
    source.break_off();
    let told = "muxnc: read from stdin: connection reset by peer; serving without\n";
    hub.process.stderr.wait_for(told);
    expect_broken(&mut listener);
    // The other one is still heard, and reads no end either when it ends its side.
    peer.write_all(b"and I stay\n").unwrap();
    hub.process.stdout.wait_for("and I stay\n");
    peer.shutdown(Shutdown::Write).unwrap();
    expect_broken(&mut peer);
    // Who was told nothing has no part of it.
    let mut newcomer = hub.join_seen();
    newcomer.write_all(b"here too\n").unwrap();
    newcomer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut newcomer), b"");
    expect_serving(&hub);
}

/// Nothing will be sent, and whoever waits for it does so no longer.
#[test]
fn a_transfer_of_which_nothing_can_be_read_fails() {
    let folder = Folder::in_temp("no-transfer");
    let directory = File::open(&folder.0).unwrap();
    let mut process =
        Process::start(piped(MUXNC, &["-l", "0", "--wait-for", "2"]).stdin(directory));
    process.expect_status(1);
    process.stderr.wait_end();
    let told = process.stderr.text();
    let told = told.lines().last();
    assert_eq!(told, Some("muxnc: read from stdin: is a directory"));
}

#[test]
fn a_participant_whose_stdin_breaks_off_tells_no_end() {
    for args in [&[] as &[&str], &["--sha256"], &["--crlf"]] {
        let (mut source, stdin) = Source::new();
        let (mut process, mut server) = participant(args, |command| {
            command.stdin(stdin);
        });
        source.say("a part");
        expect_bytes(&mut server, "a part");
        source.break_off();
        expect_broken(&mut server);
        process.expect_status(1);
        let why = "muxnc: read from stdin: connection reset by peer\n";
        process.stderr.wait_for(why);
    }
}

/// A file of which the rest was cut off while it was sent is a part, also where the kernel copies it.
#[test]
fn a_file_that_is_cut_short_is_no_whole() {
    const LEN: u64 = 64 * 1024 * 1024;
    const CUT: u64 = 1024;
    let why = "muxnc: read from stdin: the file is shorter than it was\n";
    let expect_part = |mut peer: TcpStream, cut: &dyn Fn()| {
        expect_bytes(&mut peer, [0; 4096]);
        cut();
        let mut rest = Vec::new();
        let read = peer.read_to_end(&mut rest);
        let kind = read.expect_err("a part is taken for the whole").kind();
        assert_eq!(kind, ErrorKind::ConnectionReset);
        assert!((rest.len() as u64) < LEN - 4096);
    };
    let folder = Folder::new("cut-short");
    let path = folder.path("file");
    let make = || {
        let file = File::create(&path).unwrap();
        file.set_len(LEN).unwrap();
        (file, File::open(&path).unwrap())
    };
    for args in [&[] as &[&str], &["--sha256"], &["--crlf"]] {
        let (file, stdin) = make();
        let (mut process, server) = participant(args, |command| {
            command.stdin(stdin);
        });
        expect_part(server, &|| file.set_len(CUT).unwrap());
        process.expect_status(1);
        process.stderr.wait_for(why);
    }
    for args in [&["--wait-for", "1"] as &[&str], &[], &["--once"]] {
        let (file, stdin) = make();
        let mut command = piped(MUXNC, &[&["-l", "0"], args].concat());
        let mut hub = Hub::start_command(command.stdin(stdin));
        expect_part(hub.join(), &|| file.set_len(CUT).unwrap());
        hub.process.expect_status(1);
        let told = hub.process.stderr.wait_for(why);
        if args != ["--once"] {
            let lacks = hub.process.stderr.wait_for(&format!(" of {LEN} bytes\n"));
            assert!(lacks.contains(" did not get the last "), "{told}");
        }
    }
}

/// The kernel tells of some of its own files that they are as long as a page, whatever is in them (sysfs(5)).
#[test]
fn a_file_that_ends_before_its_size_is_sent_whole() {
    const PATH: &str = "/sys/class/net/lo/mtu";
    let Ok(content) = std::fs::read(PATH) else {
        return left_out(PATH);
    };
    for args in [&[] as &[&str], &["--crlf"]] {
        let (mut process, mut server) = participant(args, |command| {
            command.stdin(File::open(PATH).unwrap());
        });
        assert!(read_all(&mut server).starts_with(content.trim_ascii()));
        drop(server);
        process.expect_status(0);
    }
    for args in [&["--wait-for", "1"] as &[&str], &[], &["--once"]] {
        let mut command = piped(MUXNC, &[&["-l", "0"], args].concat());
        let mut hub = Hub::start_command(command.stdin(File::open(PATH).unwrap()));
        let mut peer = hub.join();
        assert_eq!(read_all(&mut peer), content, "{args:?}");
        drop(peer);
        hub.process.expect_status(0);
    }
}
