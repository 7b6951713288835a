//! stdin of every kind that is not a terminal.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::thread;

use rustix::fs::OFlags;

use crate::stdio::DEADLINE;
use crate::stdio::QUIET;
use crate::stdio::every_byte;
use crate::stdio::expect_exactly;
use crate::stdio::expect_rest;
use crate::stdio::expect_serving;
use crate::stdio::expect_silence;
use crate::stdio::fifo;
use crate::stdio::numbered;
use crate::stdio::participant;
use crate::stdio::redirected;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::Server;
use crate::support::Watched;
use crate::support::expect_bytes;
use crate::support::listening_port;
use crate::support::piped;
use crate::support::read_all;
use crate::support::stay;

/// A pipe, and what everybody expects of it.
#[test]
fn a_hub_sends_every_byte_of_a_pipe_and_half_closes_at_its_end() {
    let mut hub = Hub::start(&["-v"]);
    let mut peers = [hub.join_seen(), hub.join_seen()];
    hub.process.type_in(every_byte());
    for peer in &mut peers {
        expect_exactly(peer, &every_byte());
    }
    // Without a line's end, and at the end of everything.
    hub.process.type_in("unfinished");
    hub.process.end_input();
    for peer in &mut peers {
        assert_eq!(read_all(peer), b"unfinished");
        // Only half of it is closed.
        peer.write_all(b"still heard\n").unwrap();
    }
    hub.process.stdout.wait_for("still heard\nstill heard\n");
    assert!(hub.process.is_running());
    drop(peers);
    hub.process.expect_status(0);
}

#[test]
fn what_is_typed_before_anyone_connects_reaches_the_first_who_joins() {
    let mut hub = Hub::start(&["-v"]);
    hub.process.type_in("early\n");
    // Nobody is there: it stays in the pipe.
    expect_rest(&hub.process);
    let mut first = hub.join_seen();
    expect_bytes(&mut first, "early\n");
    stay();
    let mut second = hub.join_seen();
    hub.process.type_in("later\n");
    expect_bytes(&mut first, "later\n");
    expect_bytes(&mut second, "later\n");
}

#[test]
fn a_finished_pipe_still_reaches_the_first_who_joins() {
    let mut hub = Hub::start(&[]);
    hub.process.type_in("said and gone\n");
    hub.process.end_input();
    expect_rest(&hub.process);
    let mut peer = hub.join();
    assert_eq!(read_all(&mut peer), b"said and gone\n");
    drop(peer);
    hub.process.expect_status(0);
}

#[test]
fn a_hub_that_is_kept_open_half_closes_nobody_at_the_end_of_a_pipe() {
    let mut hub = Hub::start(&["-v", "-k"]);
    let mut peer = hub.join_seen();
    hub.process.type_in("the end");
    hub.process.end_input();
    expect_bytes(&mut peer, "the end");
    expect_silence(&peer);
    peer.write_all(b"I am here\n").unwrap();
    hub.process.stdout.wait_for("I am here\n");
    drop(peer);
    expect_serving(&hub);
    expect_rest(&hub.process);
}

#[test]
fn a_pipe_that_was_empty_from_the_start_is_no_end() {
    let mut hub = Hub::start(&["-v"]);
    hub.process.end_input();
    expect_serving(&hub);
    expect_rest(&hub.process);
}

/// Nothing is a whole, too: the end of it is told to all that it was to go to.
#[test]
fn an_empty_transfer_ends_all_that_came_for_it() {
    let folder = Folder::new("empty-transfer");
    let path = folder.path("empty");
    File::create(&path).unwrap();
    for is_file in [false, true] {
        let mut command = piped(MUXNC, &["-l", "0", "-v", "--wait-for", "2"]);
        if is_file {
            command.stdin(File::open(&path).unwrap());
        }
        let mut hub = Hub::start_command(&mut command);
        if !is_file {
            hub.process.end_input();
        }
        let mut first = hub.join_seen();
        expect_silence(&first);
        let mut second = hub.join();
        for peer in [&mut first, &mut second] {
            assert_eq!(read_all(peer), b"");
        }
        drop((first, second));
        hub.process.expect_status(0);
        let told = hub.process.stderr.text();
        assert!(!told.contains("waiting again"), "{told}");
    }
    // This is none.
    let mut command = piped(MUXNC, &["-l", "0", "-v", "--wait-for", "1"]);
    let hub = Hub::start_command(command.stdin(Stdio::null()));
    expect_serving(&hub);
    expect_rest(&hub.process);
}

#[test]
fn without_a_keyboard_a_hub_serves_on_and_half_closes_nobody() {
    for args in [&["-v"] as &[&str], &["-v", "--broker"]] {
        let mut command = piped(MUXNC, &["-l", "0"]);
        let hub = Hub::start_command(command.args(args).stdin(Stdio::null()));
        expect_serving(&hub);
        expect_rest(&hub.process);
    }
}

#[test]
fn a_closed_stdin_is_no_keyboard() {
    let hub = Hub::start_command(&mut redirected("<&-", &["-l", "0", "-v"]));
    expect_serving(&hub);
    expect_rest(&hub.process);
}

/// What `nohup` makes of a terminal.
#[test]
fn a_stdin_that_cannot_be_read_is_told_and_the_hub_serves_on() {
    let folder = Folder::in_temp("unreadable");
    let directory = File::open(&folder.0).unwrap();
    let write_only = OpenOptions::new().write(true).open("/dev/null").unwrap();
    for (stdin, why) in [
        (directory, "is a directory"),
        (write_only, "bad file descriptor"),
    ] {
        let mut command = piped(MUXNC, &["-l", "0", "-v"]);
        let hub = Hub::start_command(command.stdin(stdin));
        expect_serving(&hub);
        let told = format!("muxnc: read from stdin: {why}; serving without\n");
        hub.process.stderr.wait_for(&told);
        assert_eq!(hub.process.stderr.text().matches("stdin").count(), 1);
        expect_rest(&hub.process);
    }
}

#[test]
fn a_participant_says_that_it_cannot_read_its_stdin() {
    let folder = Folder::in_temp("directory");
    let directory = File::open(&folder.0).unwrap();
    let (mut process, _server) = participant(&[], |command| {
        command.stdin(directory);
    });
    process.expect_status(1);
    let said = process.stderr.wait_end();
    assert_eq!(
        String::from_utf8_lossy(&said),
        "muxnc: read from stdin: is a directory\n"
    );
}

#[test]
fn a_fifo_is_a_pipe() {
    let folder = Folder::in_temp("fifo");
    let path = folder.0.join("fifo");
    fifo(&path);
    let mut command = redirected("<\"$FIFO\"", &["-l", "0", "-v"]);
    let process = Process::start(command.env("FIFO", &path));
    // The shell waits for a writer before it starts the hub.
    let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
    writer.write_all(b"early\n").unwrap();
    let port = listening_port(&process.stderr);
    let mut hub = Hub { process, port };
    let mut peer = hub.join_seen();
    expect_bytes(&mut peer, "early\n");
    writer.write_all(&every_byte()).unwrap();
    expect_exactly(&mut peer, &every_byte());
    expect_rest(&hub.process);
    drop(writer);
    assert_eq!(read_all(&mut peer), b"");
    drop(peer);
    hub.process.expect_status(0);
}

#[test]
fn a_participant_reads_a_fifo_to_its_end() {
    let folder = Folder::in_temp("fifo-to-participant");
    let path = folder.0.join("fifo");
    fifo(&path);
    let server = Server::new();
    let mut command = redirected("<\"$FIFO\"", &server.args(&[]));
    let mut process = Process::start(command.env("FIFO", &path));
    let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
    let mut stream = server.accept();
    writer.write_all(&every_byte()).unwrap();
    expect_exactly(&mut stream, &every_byte());
    drop(writer);
    assert_eq!(read_all(&mut stream), b"");
    drop(stream);
    process.expect_status(0);
}

/// As `printf x > fifo & muxnc HOST PORT < fifo`: its writers may be gone before the program begins.
/// Then no event tells of the end, since nobody had the FIFO open for writing after the program
/// opened it anew; a read does.
#[test]
fn a_fifo_ends_with_its_writers_however_early_they_go() {
    let folder = Folder::in_temp("fifo-end");
    let path = folder.0.join("fifo");
    fifo(&path);
    let open = |how: &mut OpenOptions| how.open(&path).unwrap();
    // What a shell opens has seen a writer; what was opened without waiting may not even have that.
    for waited in [true, false] {
        for said in [&b"x"[..], b""] {
            let mut writer = open(OpenOptions::new().read(true).write(true));
            let mut reader = open(OpenOptions::new().read(true));
            writer.write_all(said).unwrap();
            drop(writer);
            if !waited {
                let nonblocking = OFlags::NONBLOCK.bits() as i32;
                reader = open(OpenOptions::new().read(true).custom_flags(nonblocking));
            }
            let (mut alice, mut stream) = participant(&[], |command| {
                command.stdin(OwnedFd::from(reader));
            });
            assert_eq!(read_all(&mut stream), said, "{waited}");
            drop(stream);
            alice.expect_status(0);
        }
    }
}

#[test]
fn a_fifo_whose_writer_is_silent_costs_nothing_and_still_ends() {
    let folder = Folder::in_temp("fifo-silent");
    let path = folder.0.join("fifo");
    fifo(&path);
    let mut writer = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let reader = File::open(&path).unwrap();
    let (mut alice, mut stream) = participant(&[], |command| {
        command.stdin(OwnedFd::from(reader));
    });
    for said in [&b"one"[..], b"two"] {
        writer.write_all(said).unwrap();
        expect_exactly(&mut stream, said);
        expect_rest(&alice);
    }
    let other = OpenOptions::new().write(true).open(&path).unwrap();
    drop(writer);
    expect_rest(&alice);
    drop(other);
    assert_eq!(read_all(&mut stream), b"");
    drop(stream);
    alice.expect_status(0);
}

#[test]
fn a_socket_serves_as_stdin_and_stdout_of_a_hub() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut command = piped(MUXNC, &["-l", "0", "-v"]);
    command
        .stdin(OwnedFd::from(theirs.try_clone().unwrap()))
        .stdout(OwnedFd::from(theirs));
    let mut hub = Hub::start_command(&mut command);
    drop(command);
    let mut peer = hub.join_seen();
    ours.write_all(&every_byte()).unwrap();
    expect_exactly(&mut peer, &every_byte());
    peer.write_all(&every_byte()).unwrap();
    expect_exactly(&mut ours, &every_byte());
    expect_rest(&hub.process);
    ours.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut peer), b"");
    peer.write_all(b"goodbye\n").unwrap();
    drop(peer);
    hub.process.expect_status(0);
    assert_eq!(read_all(&mut ours), b"goodbye\n");
}

/// What a read has no room for of a message is lost, so each has room, however little may be said yet.
#[cfg(target_os = "linux")]
#[test]
fn an_input_that_keeps_messages_apart_arrives_whole() {
    use rustix::net::AddressFamily;
    use rustix::net::SocketFlags;
    use rustix::net::SocketType;
    use rustix::pipe::PipeFlags;
    for (is_socket, options) in [
        (false, &[][..]),
        (false, &["--broker"]),
        (true, &[]),
        (true, &["--broker"]),
    ] {
        let message = |number: u32| format!("{number:999}\n");
        let (reader, writer) = match is_socket {
            true => {
                let kind = SocketType::SEQPACKET;
                rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
            }
            false => rustix::pipe::pipe_with(PipeFlags::DIRECT | PipeFlags::CLOEXEC),
        }
        .unwrap();
        let args = [&["-l", "0", "-v"], options].concat();
        let mut hub = Hub::start_command(piped(MUXNC, &args).stdin(Stdio::from(reader)));
        let mut peer = hub.join_seen();
        for number in 0..20 {
            let message = message(number);
            assert_eq!(rustix::io::write(&writer, message.as_bytes()), Ok(1000));
        }
        drop(writer);
        let all: String = (0..20).map(message).collect();
        assert_eq!(String::from_utf8(read_all(&mut peer)).unwrap(), all);
        drop(peer);
        hub.process.expect_status(0);
    }
}

/// Such as `/dev/kmsg`, whose reader waits for the next record.
#[test]
fn a_device_that_has_nothing_now_stops_nobody() {
    use rustix::event::EventfdFlags;
    let device = || rustix::event::eventfd(0, EventfdFlags::CLOEXEC).unwrap();
    let mut writer = device();
    let mut args = vec!["-l", "-v", "127.0.0.1", "0"];
    for options in [&[][..], &["--once"]] {
        args.extend(options);
        let reader = writer.try_clone().unwrap();
        let hub = Hub::start_command(piped(MUXNC, &args).stdin(Stdio::from(reader)));
        let mut peer = hub.join();
        peer.write_all(b"heard\n").unwrap();
        hub.process.stdout.wait_for("heard\n");
        assert_eq!(rustix::io::write(&writer, &7_u64.to_ne_bytes()), Ok(8));
        expect_bytes(&mut peer, 7_u64.to_ne_bytes());
        peer.write_all(b"and again\n").unwrap();
        hub.process.stdout.wait_for("and again\n");
        writer = device();
    }
    let reader = writer.try_clone().unwrap();
    let (process, mut server) = participant(&[], |command| {
        command.stdin(Stdio::from(reader));
    });
    server.write_all(b"heard\n").unwrap();
    process.stdout.wait_for("heard\n");
    assert_eq!(rustix::io::write(&writer, &7_u64.to_ne_bytes()), Ok(8));
    expect_bytes(&mut server, 7_u64.to_ne_bytes());
}

#[test]
fn a_socket_serves_as_stdin_and_stdout_of_a_participant() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(DEADLINE)).unwrap();
    let (mut process, mut server) = participant(&[], |command| {
        command
            .stdin(OwnedFd::from(theirs.try_clone().unwrap()))
            .stdout(OwnedFd::from(theirs));
    });
    ours.write_all(&every_byte()).unwrap();
    expect_exactly(&mut server, &every_byte());
    server.write_all(&every_byte()).unwrap();
    expect_exactly(&mut ours, &every_byte());
    ours.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut server), b"");
    drop(server);
    process.expect_status(0);
    assert_eq!(read_all(&mut ours), b"");
}

#[test]
fn a_file_is_not_read_before_somebody_is_there_and_then_arrives_whole() {
    let folder = Folder::in_temp("file");
    let path = folder.0.join("lesson");
    let lesson = [every_byte(), numbered(100_000), b"no end of line".to_vec()].concat();
    std::fs::write(&path, &lesson).unwrap();
    // The copy shares its offset with the hub's stdin.
    let mut file = File::open(&path).unwrap();
    let mut command = piped(MUXNC, &["-l", "0"]);
    let mut hub = Hub::start_command(command.stdin(file.try_clone().unwrap()));
    expect_rest(&hub.process);
    // One chunk ahead, so that an end or an empty input is known; no further.
    let ahead = file.stream_position().unwrap();
    assert!(ahead <= 64 * 1024, "{ahead} bytes were read for nobody");

    let mut peer = hub.join();
    let received = read_all(&mut peer);
    assert!(received == lesson, "{} bytes came", received.len());
    assert_eq!(file.stream_position().unwrap(), lesson.len() as u64);
    drop(peer);
    hub.process.expect_status(0);
}

#[test]
fn a_participant_sends_a_file_from_where_it_stands() {
    let folder = Folder::in_temp("file-from-the-middle");
    let path = folder.0.join("file");
    let content = numbered(20_000);
    std::fs::write(&path, &content).unwrap();
    let mut file = File::open(&path).unwrap();
    file.seek(SeekFrom::Start(1000)).unwrap();
    let (mut process, mut server) = participant(&[], |command| {
        command.stdin(file);
    });
    let received = read_all(&mut server);
    assert!(received == content[1000..], "{} bytes came", received.len());
    drop(server);
    process.expect_status(0);
}

#[test]
fn once_without_a_keyboard_does_not_half_close() {
    let mut command = piped(MUXNC, &["-l", "0", "--once"]);
    let mut hub = Hub::start_command(command.stdin(Stdio::null()));
    let mut peer = hub.join();
    expect_silence(&peer);
    peer.write_all(b"heard\n").unwrap();
    hub.process.stdout.wait_for("heard\n");
    expect_rest(&hub.process);
    drop(peer);
    hub.process.expect_status(0);
}

#[test]
fn once_half_closes_at_the_end_of_a_pipe() {
    let mut hub = Hub::start(&["--once"]);
    let mut peer = hub.join();
    hub.process.type_in("all there is");
    hub.process.end_input();
    assert_eq!(read_all(&mut peer), b"all there is");
    peer.write_all(b"an answer").unwrap();
    drop(peer);
    hub.process.expect_status(0);
    assert_eq!(hub.process.stdout.wait_end(), b"an answer");
}

#[test]
fn a_participant_without_input_half_closes_and_listens() {
    for redirection in ["</dev/null", "<&-"] {
        let server = Server::new();
        let mut process = Process::start(&mut redirected(redirection, &server.args(&[])));
        let mut stream = server.accept();
        assert_eq!(read_all(&mut stream), b"");
        stream.write_all(b"an answer\n").unwrap();
        process.stdout.wait_for("an answer\n");
        drop(stream);
        process.expect_status(0);
    }
}

/// CR and LF that come in different reads are one line's end.
#[test]
fn crlf_is_made_across_reads() {
    let mut hub = Hub::start(&["-v", "-C"]);
    let mut peer = hub.join_seen();
    let (mut process, mut server) = participant(&["-C"], |_| {});
    for (stdin, receiver) in [(&mut hub.process, &mut peer), (&mut process, &mut server)] {
        for (typed, sent) in [
            ("a\r", "a\r"),
            ("\nb\n", "\nb\r\n"),
            ("c", "c"),
            ("\n\r\n\n", "\r\n\r\n\r\n"),
        ] {
            stdin.type_in(typed);
            expect_exactly(receiver, sent.as_bytes());
        }
    }
}

#[test]
fn a_hub_that_only_receives_leaves_its_stdin_alone() {
    let folder = Folder::in_temp("recv-only");
    let path = folder.0.join("file");
    std::fs::write(&path, "nobody's business\n").unwrap();
    let mut file = File::open(&path).unwrap();
    let mut command = piped(MUXNC, &["-l", "0", "-v", "--recv-only"]);
    let hub = Hub::start_command(command.stdin(file.try_clone().unwrap()));
    expect_serving(&hub);
    assert_eq!(file.stream_position().unwrap(), 0);
}

/// A slow producer: the hub neither spins nor misses the end while it waits for more.
#[test]
fn a_silent_pipe_costs_nothing() {
    let mut hub = Hub::start(&["-v"]);
    let peer = hub.join_seen();
    let heard = Watched::new(peer.try_clone().unwrap());
    for word in ["one\n", "two\n"] {
        expect_rest(&hub.process);
        hub.process.type_in(word);
        heard.wait_for(word);
    }
    thread::sleep(QUIET);
    hub.process.end_input();
    assert_eq!(heard.wait_end(), b"one\ntwo\n");
}
