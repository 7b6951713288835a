//! stdout and stderr of every kind that is not a terminal.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use crate::stdio::every_byte;
use crate::stdio::expect_rest;
use crate::stdio::expect_silence;
use crate::stdio::fill;
use crate::stdio::full_pipe;
use crate::stdio::leave_unread;
use crate::stdio::numbered;
use crate::stdio::participant;
use crate::stdio::redirected;
use crate::stdio::send_from_thread;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::Server;
use crate::support::Watched;
use crate::support::connect;
use crate::support::connect_soon;
use crate::support::contains;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::piped;
use crate::support::read_all;
use crate::support::reserved_port;
use crate::support::stay;

#[test]
fn a_lone_peers_bytes_are_passed_on_at_once_and_unchanged() {
    let mut hub = Hub::start(&["-v"]);
    let mut peer = hub.join_seen();
    peer.write_all(b"no end of li").unwrap();
    hub.process.stdout.wait_for("no end of li");
    peer.write_all(b"ne\n").unwrap();
    peer.write_all(&every_byte()).unwrap();
    drop(peer);
    hub.process.stderr.wait_for("ended its side");
    hub.process.end_input();
    let expected = [b"no end of line\n".to_vec(), every_byte()].concat();
    hub.process
        .stdout
        .wait_until("every byte", |bytes| bytes == expected);
}

#[test]
fn of_several_peers_whole_lines_are_passed_on_and_the_rest_when_one_leaves() {
    for half_close in [false, true] {
        let hub = Hub::start(&["-v"]);
        let stdout = &hub.process.stdout;
        let mut alice = hub.join_seen();
        let mut carol = hub.join_seen();
        // In one piece, so that the half was certainly read when the whole line is there.
        alice.write_all(b"whole\nhalf").unwrap();
        stdout.wait_for("whole\n");
        carol.write_all(b"another\nt\0ail\xff").unwrap();
        stdout.wait_for("another\n");
        assert_eq!(stdout.text(), "whole\nanother\n");
        alice.write_all(b" and half\n").unwrap();
        stdout.wait_for("and half\n");
        assert_eq!(stdout.text(), "whole\nanother\nhalf and half\n");
        // As it is, whether it leaves or only ends its own side.
        match half_close {
            true => carol.shutdown(Shutdown::Write).unwrap(),
            false => drop(carol),
        }
        let expected = b"whole\nanother\nhalf and half\nt\0ail\xff";
        stdout.wait_until("the tail", |bytes| bytes == expected);
    }
}

#[test]
fn a_half_line_that_others_interrupted_is_shown_when_they_have_left() {
    let hub = Hub::start(&["-v"]);
    let mut alice = hub.join_seen();
    let carol = hub.join_seen();
    alice.write_all(b"whole\nhalf").unwrap();
    hub.process.stdout.wait_for("whole\n");
    // Gone for good, which an end alone would not say: she might still listen.
    SockRef::from(&carol)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(carol);
    hub.process
        .stdout
        .wait_until("the half", |bytes| bytes == b"whole\nhalf");
}

#[test]
fn a_file_opened_for_append_is_appended_to() {
    let folder = Folder::in_temp("append");
    let path = folder.0.join("log");
    std::fs::write(&path, "before\n").unwrap();
    let append = || OpenOptions::new().append(true).open(&path).unwrap();

    let mut command = piped(MUXNC, &["-l", "0"]);
    let hub = Hub::start_command(command.stdout(append()));
    let mut peer = hub.join();
    peer.write_all(b"hub\n").unwrap();
    wait_for_file(&path, "before\nhub\n");
    // Somebody else writes to it as well, and nothing of that is overwritten.
    append().write_all(b"between\n").unwrap();
    peer.write_all(b"hub again\n").unwrap();
    wait_for_file(&path, "before\nhub\nbetween\nhub again\n");

    let (mut process, mut server) = participant(&[], |command| {
        command.stdout(append());
    });
    server.write_all(b"participant\n").unwrap();
    drop(server);
    process.end_input();
    process.expect_status(0);
    wait_for_file(&path, "before\nhub\nbetween\nhub again\nparticipant\n");
}

/// One description, and so one offset, for three programs in a row.
#[test]
fn a_file_is_written_from_where_it_stands() {
    let folder = Folder::in_temp("in-a-row");
    let path = folder.0.join("file");
    let server = Server::new();
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"echo before; "$0" "$@" </dev/null; echo after"#])
        .arg(MUXNC)
        .args(server.args(&[]))
        .stdout(File::create(&path).unwrap());
    let mut process = Process::start(&mut command);
    let mut stream = server.accept();
    stream.write_all(b"between\n").unwrap();
    drop(stream);
    process.expect_status(0);
    wait_for_file(&path, "before\nbetween\nafter\n");
}

/// There is one offset for all who have it open, or the end of the file.
#[test]
fn a_long_stream_is_written_where_the_file_stands() {
    const LENGTH: u64 = 8_000_003;
    let pattern = Pattern::bytes();
    let folder = Folder::in_temp("long");
    let path = folder.0.join("file");
    for (append, becomes_append) in [(false, false), (true, false), (false, true)] {
        let mut options = OpenOptions::new();
        let file = match append {
            true => options.append(true).open(&path),
            false => options.write(true).create(true).truncate(true).open(&path),
        };
        let file = file.unwrap();
        file.set_len(0).unwrap();
        let server = Server::new();
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                r#"echo before; "$0" "$@" </dev/null; status=$?; echo after; exit $status"#,
            ])
            .arg(MUXNC)
            .args(server.args(&[]))
            .stdout(file.try_clone().unwrap());
        let mut process = Process::start(&mut command);
        let mut stream = server.accept();
        let mut sent = 0;
        for half in [LENGTH / 2, LENGTH] {
            while sent < half {
                let slice = pattern.slice(sent, (half - sent).min(65_536) as usize);
                stream.write_all(slice).unwrap();
                sent += slice.len() as u64;
            }
            let written = "before\n".len() as u64 + half;
            eventually("it is written", || {
                file.metadata().unwrap().len() == written
            });
            if becomes_append {
                rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::APPEND).unwrap();
            }
        }
        drop(stream);
        process.expect_status(0);
        let written = std::fs::read(&path).unwrap();
        let written = written.strip_prefix(b"before\n").unwrap();
        let written = written.strip_suffix(b"after\n").unwrap();
        assert_eq!(written.len() as u64, LENGTH);
        pattern.expect(0, written);
    }
}

/// What was read of it cannot be given back.
#[test]
fn a_long_stream_that_finds_no_room_is_a_failure() {
    let folder = Folder::in_temp("no-room");
    let path = folder.0.join("file");
    let server = Server::new();
    // In blocks of 512 or 1024 bytes (dash, bash).
    let run = r#"ulimit -f 4000; exec "$0" "$@" </dev/null"#;
    let mut command = piped("sh", &["-c", run, MUXNC]);
    command
        .args(server.args(&[]))
        .stdout(File::create(&path).unwrap());
    let mut process = Process::start(&mut command);
    let mut stream = server.accept();
    // It breaks off when it cannot go on.
    let _ = Pattern::bytes().write(&mut stream, 8_000_000);
    process.expect_status(1);
    process
        .stderr
        .wait_for("muxnc: write to stdout: file too large\n");
    let written = std::fs::read(&path).unwrap();
    assert!(
        [2_048_000, 4_096_000].contains(&written.len()),
        "{}",
        written.len()
    );
    Pattern::bytes().expect(0, &written);
}

/// What its stdin had besides is not known, so the other side does not read an end.
#[test]
fn who_gives_up_in_the_middle_of_its_input_breaks_off() {
    let folder = Folder::in_temp("gives-up");
    let server = Server::new();
    let run = r#"ulimit -f 8; exec "$0" "$@""#;
    let mut command = piped("sh", &["-c", run, MUXNC]);
    command
        .args(server.args(&[]))
        .stdout(File::create(folder.0.join("file")).unwrap());
    let mut process = Process::start(&mut command);
    let mut stream = server.accept();
    process.type_in("one\n");
    expect_bytes(&mut stream, "one\n");
    // It is read at once, or what is unread would break the connection.
    stream.write_all(&[b'x'; 10_000]).unwrap();
    process.expect_status(1);
    let read = stream.read(&mut [0; 8]);
    let kind = read.map_err(|error| error.kind());
    assert_eq!(kind, Err(ErrorKind::ConnectionReset));
}

#[test]
fn a_reader_that_leaves_is_told_once_and_the_hub_serves_on() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = piped(MUXNC, &["-l", "0", "-v"]);
    let mut hub = Hub::start_command(command.stdout(writer.try_clone().unwrap()));
    drop(command);
    let told = "muxnc: write to stdout: broken pipe; serving without\n";
    leave_unread(reader, writer);
    for round in ["one\n", "two\n", "three\n"] {
        let mut peer = hub.join_seen();
        peer.write_all(b"nobody reads this\n").unwrap();
        hub.process.stderr.wait_for(told);
        hub.process.type_in(round);
        expect_bytes(&mut peer, round);
    }
    assert_eq!(hub.process.stderr.text().matches("stdout").count(), 1);
    expect_rest(&hub.process);
}

#[test]
fn a_full_disk_is_told_once_and_the_hub_serves_on() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = piped(MUXNC, &["-l", "0"]);
    let mut hub = Hub::start_command(command.stdout(full));
    let mut peer = hub.join();
    for round in ["one\n", "two\n"] {
        peer.write_all(b"there is no room for this\n").unwrap();
        let told = "muxnc: write to stdout: no space left on device; serving without\n";
        hub.process.stderr.wait_for(told);
        hub.process.type_in(round);
        expect_bytes(&mut peer, round);
    }
    assert_eq!(hub.process.stderr.text().matches("stdout").count(), 1);
    expect_rest(&hub.process);
    drop(peer);
    hub.process.end_input();
    hub.process.expect_status(1);
}

#[test]
fn what_nobody_was_shown_is_told_though_little_is() {
    for more in [
        &[][..],
        &["-o", "/dev/full"],
        &["--transcript", "/dev/full"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = piped(MUXNC, &[&["-l", "0", "--quiet", "-q", "1"], more].concat());
        if more.is_empty() {
            command.stdout(full);
        }
        let mut hub = Hub::start_command(&mut command);
        let mut peer = hub.join();
        peer.write_all(b"there is no room for this\n").unwrap();
        hub.process.type_in("all\n");
        hub.process.end_input();
        assert_eq!(read_all(&mut peer), b"all\n");
        drop(peer);
        hub.process.expect_status(1);
        let told = hub.process.stderr.text();
        let why = match more {
            [] => "write to stdout: no space left on device; serving without",
            _ => " of the record are missing in /dev/full",
        };
        assert!(told.contains(why), "{more:?}: {told}");
    }
}

/// Descriptor 1 must not become somebody's connection.
#[test]
fn with_a_closed_stdout_the_hub_serves_and_nobody_gets_what_others_say() {
    let mut hub = Hub::start_command(&mut redirected(">&-", &["-l", "0", "-v"]));
    let mut alice = hub.join_seen();
    let mut carol = hub.join_seen();
    alice.write_all(b"for nobody\n").unwrap();
    carol.write_all(b"for nobody\n").unwrap();
    hub.process.type_in("for everybody\n");
    expect_bytes(&mut alice, "for everybody\n");
    expect_bytes(&mut carol, "for everybody\n");
    expect_silence(&alice);
    expect_silence(&carol);
    expect_rest(&hub.process);
}

#[test]
fn all_three_may_be_closed() {
    // It cannot say which port it took.
    let (_reserved, port) = reserved_port();
    let server = Server::new();
    let closed = "<&- >&- 2>&-";
    let args = ["-l", &port.to_string(), "-v"];
    let mut hub = Process::start(&mut redirected(closed, &args));
    let mut peer = connect_soon(port);
    peer.write_all(b"anybody?\n").unwrap();
    expect_silence(&peer);
    assert!(hub.is_running());
    expect_rest(&hub);

    let mut process = Process::start(&mut redirected(closed, &server.args(&["-v"])));
    let mut stream = server.accept();
    stream.write_all(b"anybody?\n").unwrap();
    assert_eq!(read_all(&mut stream), b"");
    drop(stream);
    process.expect_status(0);
}

#[test]
fn a_stuck_pipe_stops_nobody_and_loses_nothing() {
    let (reader, writer) = full_pipe();
    let mut command = piped(MUXNC, &["-l", "0", "-v"]);
    let mut hub = Hub::start_command(command.stdout(writer));
    drop(command);
    let mut flooder = hub.join_seen();
    stay();
    let flood = numbered(100_000);
    let sender = send_from_thread(&flooder, flood.clone());
    for round in ["one\n", "two\n", "three\n"] {
        // Whoever comes is let in, and everybody hears the teacher.
        let mut peer = hub.join_seen();
        hub.process.type_in(round);
        expect_bytes(&mut peer, round);
        expect_bytes(&mut flooder, round);
        drop(peer);
    }
    expect_rest(&hub.process);

    let before = 64 * 1024;
    let shown =
        Watched::new(reader).wait_until("the flood", |shown| shown.len() >= before + flood.len());
    sender.join().unwrap();
    assert!(shown[before..] == flood);
}

#[test]
fn a_participants_stuck_stdout_does_not_hold_up_what_it_sends() {
    let (reader, writer) = full_pipe();
    let (mut process, mut server) = participant(&[], |command| {
        command.stdout(writer);
    });
    let flood = numbered(300_000);
    let sender = send_from_thread(&server, flood.clone());
    let lesson = numbered(50_000);
    let mut stdin = process.stdin.take().unwrap();
    let typed = lesson.clone();
    let typist = thread::spawn(move || stdin.write_all(&typed).unwrap());
    let mut received = vec![0; lesson.len()];
    server.read_exact(&mut received).unwrap();
    assert!(received == lesson);
    typist.join().unwrap();
    expect_rest(&process);

    let before = 64 * 1024;
    let shown =
        Watched::new(reader).wait_until("the flood", |shown| shown.len() >= before + flood.len());
    assert!(shown[before..] == flood);
    sender.join().unwrap();
    drop(server);
    process.expect_status(0);
}

#[test]
fn a_participant_whose_reader_left_ends_quietly_as_a_filter_does() {
    let (reader, writer) = std::io::pipe().unwrap();
    let (mut process, mut server) = participant(&["-v"], |command| {
        command.stdout(writer.try_clone().unwrap());
    });
    process.stderr.wait_for("connected");
    leave_unread(reader, writer);
    server.write_all(b"nobody reads this\n").unwrap();
    process.expect_status(141);
    let said = String::from_utf8(process.stderr.wait_end()).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_participant_says_that_the_disk_is_full() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (mut process, mut server) = participant(&[], |command| {
        command.stdout(full);
    });
    server.write_all(b"there is no room for this\n").unwrap();
    process.expect_status(1);
    let said = process.stderr.wait_end();
    assert_eq!(
        String::from_utf8_lossy(&said),
        "muxnc: write to stdout: no space left on device\n"
    );
}

/// More than the queue holds is said while nobody reads; then somebody does.
#[test]
fn a_stuck_stderr_stops_nobody_and_counts_what_it_lost() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = piped(MUXNC, &["-l", "0"]);
    command
        .env("RUST_LOG", "trace")
        .stderr(writer.try_clone().unwrap());
    let mut process = Process::start(&mut command);
    drop(command);
    let port = read_port(&mut reader);
    fill(&writer);
    drop(writer);

    let mut first = connect(port);
    for _ in 0..1500 {
        drop(connect(port));
    }
    let mut last = connect(port);
    last.write_all(b"I am the last\n").unwrap();
    process.stdout.wait_for("I am the last\n");
    process.type_in("welcome\n");
    expect_bytes(&mut first, "welcome\n");
    expect_bytes(&mut last, "welcome\n");

    // Not a word more is said: the count comes by itself.
    let said = Watched::new(reader);
    said.wait_until("the count", |bytes| {
        contains(bytes, b" messages were lost here\n")
    });
    drop((first, last));
    said.wait_for("2 here");
}

#[test]
fn a_stuck_stderr_does_not_keep_the_program_from_ending() {
    let (_reader, writer) = full_pipe();
    let (mut process, mut server) = participant(&["-vvv"], |command| {
        command.stderr(writer);
    });
    process.type_in("hello\n");
    process.end_input();
    assert_eq!(read_all(&mut server), b"hello\n");
    server.write_all(b"good morning\n").unwrap();
    drop(server);
    process.expect_status(0);
    assert_eq!(process.stdout.wait_end(), b"good morning\n");
}

#[test]
fn a_stderr_that_nobody_reads_any_more_stops_nobody() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = piped(MUXNC, &["-l", "0", "-v"]);
    let mut process = Process::start(command.stderr(writer.try_clone().unwrap()));
    drop(command);
    let port = read_port(&mut reader);
    leave_unread(reader, writer);
    for round in ["one\n", "two\n"] {
        let mut peer = connect(port);
        peer.write_all(round.as_bytes()).unwrap();
        process.stdout.wait_for(round);
        process.type_in(round);
        expect_bytes(&mut peer, round);
    }
    expect_rest(&process);
}

/// The port in the notice of listening, read to the end of that line and no further.
fn read_port(stderr: &mut impl Read) -> u16 {
    let mut line = Vec::new();
    while !contains(&line, b"listening on ") || line.last() != Some(&b'\n') {
        let mut byte = [0];
        stderr.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    let line = String::from_utf8(line).unwrap();
    let place = line.split("listening on ").nth(1).unwrap();
    let place = place.split([' ', '\n']).next().unwrap();
    place.rsplit(':').next().unwrap().parse().unwrap()
}

#[track_caller]
fn wait_for_file(path: &Path, expected: &str) {
    eventually(&format!("{} is {expected:?}", path.display()), || {
        std::fs::read_to_string(path).unwrap() == expected
    });
}
