//! When a participant ends, and what it says about it.

use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::event::PollFlags;
use socket2::SockRef;

use crate::stdio::every_byte;
use crate::stdio::expect_rest;
use crate::stdio::expect_silence;
use crate::stdio::numbered;
use crate::stdio::participant;
use crate::stdio::send_from_thread;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Pattern;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::is_ready;
use crate::support::pipe;
use crate::support::piped;
use crate::support::read_all;

#[test]
fn both_directions_are_8_bit_clean() {
    let (mut process, mut server) = participant(&[], |_| {});
    process.type_in(every_byte());
    let mut received = vec![0; every_byte().len()];
    server.read_exact(&mut received).unwrap();
    assert_eq!(received, every_byte());
    server.write_all(&every_byte()).unwrap();
    drop(server);
    process.end_input();
    process.expect_status(0);
    assert_eq!(process.stdout.wait_end(), every_byte());
}

#[test]
fn both_directions_run_at_once() {
    let (mut process, mut server) = participant(&[], |_| {});
    let (up, down) = (numbered(200_000), numbered(250_000));
    let sender = send_from_thread(&server, down.clone());
    let mut stdin = process.stdin.take().unwrap();
    let typed = up.clone();
    let typist = thread::spawn(move || stdin.write_all(&typed).unwrap());
    assert!(read_all(&mut server) == up);
    typist.join().unwrap();
    sender.join().unwrap();
    drop(server);
    process.expect_status(0);
    assert!(process.stdout.wait_end() == down);
}

#[test]
fn the_end_of_stdin_half_closes_and_the_answer_is_awaited() {
    for args in [&[] as &[&str], &["-N"]] {
        let (mut process, mut server) = participant(args, |_| {});
        process.type_in("a question");
        process.end_input();
        assert_eq!(read_all(&mut server), b"a question");
        expect_rest(&process);
        assert!(process.is_running());
        server.write_all(b"an answer").unwrap();
        drop(server);
        process.expect_status(0);
        assert_eq!(process.stdout.wait_end(), b"an answer");
        assert_eq!(process.stderr.text(), "");
    }
}

#[test]
fn no_shutdown_keeps_the_sending_side_open() {
    let (mut process, mut server) = participant(&["--no-shutdown"], |_| {});
    process.type_in("a question");
    process.end_input();
    expect_bytes(&mut server, "a question");
    expect_silence(&server);
    server.write_all(b"an answer").unwrap();
    process.stdout.wait_for("an answer");
    assert!(process.is_running());
    drop(server);
    process.expect_status(0);
}

#[test]
fn q_ends_the_wait_for_the_server_after_the_end_of_stdin_and_not_before() {
    let (mut process, mut server) = participant(&["-q", "100ms"], |_| {});
    for _ in 0..3 {
        // Longer than that, but stdin is open.
        thread::sleep(Duration::from_millis(150));
        process.type_in("still here\n");
        expect_bytes(&mut server, "still here\n");
    }
    process.end_input();
    process.expect_status(0);
    assert_eq!(read_all(&mut server), b"");
}

#[test]
fn q_0_still_sends_everything() {
    let (mut process, mut server) = participant(&["-q", "0"], |_| {});
    process.type_in("all of this\n");
    process.end_input();
    process.expect_status(0);
    assert_eq!(read_all(&mut server), b"all of this\n");
}

/// More than a turn takes, and while nothing was read the other side had to hold back a part.
#[test]
fn what_stdout_takes_behind_the_time_of_q_is_whole() {
    const LEN: u64 = 3_000_000;
    let folder = Folder::new("held-up");
    let record = folder.path("record");
    for more in [&[][..], &["--sha256"], &["-o", &record], &["-x", &record]] {
        let (mut reader, writer) = pipe();
        let (mut process, mut server) = participant(&[&["-q", "1"], more].concat(), |command| {
            command.stdout(writer);
        });
        let sender = thread::spawn(move || {
            // It reads a break if the participant gave up.
            let sent = Pattern::bytes().write(&mut server, LEN);
            let _ = sent.and_then(|_| server.shutdown(Shutdown::Write));
            server
        });
        process.end_input();
        // The time of `-q` is over then, and that of the last words is not.
        thread::sleep(Duration::from_millis(1300));
        let taken = Pattern::bytes().read(&mut reader, u64::MAX);
        let status = process.wait();
        let told = process.stderr.text();
        match status.code() {
            Some(0) => assert_eq!(taken, LEN, "{more:?}: {told}"),
            // Where the machine was slow.
            status => assert!(status == Some(1) && told.contains("-q gives"), "{told}"),
        }
        drop(sender.join().unwrap());
    }
}

/// Whether the kernel moves the bytes to stdout or the program does (`--sha256`), and whoever connected.
#[test]
fn what_stdout_does_not_take_in_the_time_of_q_is_told() {
    // More than the kernel holds of a connection.
    const LEN: u64 = 1_000_000_000;
    for more in [&[][..], &["--sha256"]] {
        for once in [false, true] {
            let (mut reader, writer) = pipe();
            let own = writer.try_clone().unwrap();
            let args = [&["-q", "1"], more].concat();
            let (mut process, mut other) = match once {
                false => participant(&args, |command| {
                    command.stdout(writer);
                }),
                true => {
                    let args = [&["-l", "0", "--once"], &args[..]].concat();
                    let hub = Hub::start_command(piped(MUXNC, &args).stdout(writer));
                    let other = hub.join();
                    (hub.process, other)
                }
            };
            process.type_in("more than it takes\n");
            let sender = thread::spawn(move || {
                let sent = Pattern::bytes().write(&mut other, LEN);
                assert!(sent.is_err(), "it was read to its end");
            });
            eventually("stdout is full", || {
                !is_ready(&own, PollFlags::OUT, Duration::ZERO)
            });
            drop(own);
            process.end_input();
            process.expect_status(1);
            sender.join().unwrap();
            let taken = Pattern::bytes().read(&mut reader, u64::MAX);
            let told = process.stderr.text();
            let number = told
                .split_once("muxnc: write to stdout: ")
                .and_then(|(_, told)| {
                    told.split_once(" bytes were not taken in the time that -q gives")
                })
                .and_then(|(number, _)| number.parse::<u64>().ok())
                .unwrap_or_else(|| panic!("{told}"));
            assert!(
                number > 0 && number + taken < LEN,
                "{taken} were taken: {told}"
            );
        }
    }
}

#[test]
fn send_only_throws_away_what_comes_and_ends_with_stdin() {
    let (mut process, mut server) = participant(&["--send-only"], |_| {});
    server.write_all(b"unasked for\n").unwrap();
    process.type_in("all there is");
    process.end_input();
    assert_eq!(read_all(&mut server), b"all there is");
    // The server never closes, and is not waited for.
    process.expect_status(0);
    assert_eq!(process.stdout.wait_end(), b"");
}

#[test]
fn recv_only_reads_no_stdin_and_half_closes_nothing() {
    for stdin_ends in [true, false] {
        let (mut process, mut server) = participant(&["--recv-only"], |command| {
            if stdin_ends {
                command.stdin(Stdio::null());
            }
        });
        if !stdin_ends {
            process.type_in("nobody's business\n");
        }
        expect_silence(&server);
        server.write_all(b"news\n").unwrap();
        process.stdout.wait_for("news\n");
        drop(server);
        process.expect_status(0);
        assert_eq!(process.stdout.wait_end(), b"news\n");
    }
}

#[test]
fn the_server_closing_is_shown_to_the_reader_and_a_pipe_is_still_sent_to_its_end() {
    for verbose in [false, true] {
        let args: &[&str] = if verbose { &["-v"] } else { &[] };
        let (mut process, mut server) = participant(args, |_| {});
        server.write_all(b"the last words").unwrap();
        let addr = server.local_addr().unwrap();
        drop(server);
        // Whoever reads it sees the end, though stdin is open.
        assert_eq!(process.stdout.wait_end(), b"the last words");
        assert!(process.is_running());
        process.end_input();
        process.expect_status(0);
        let said = String::from_utf8(process.stderr.wait_end()).unwrap();
        let told = format!("muxnc: {addr} ended its side\n");
        assert_eq!(said.contains(&told), verbose, "{said}");
        assert!(verbose || said.is_empty(), "{said}");
    }
}

#[test]
fn a_stdin_that_stays_open_after_the_servers_end_is_told_once_after_5_s() {
    let (mut process, server) = participant(&[], |_| {});
    let addr = server.local_addr().unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    let told = format!(
        "muxnc: {addr} ended its side; stdin is still open (--recv-only or </dev/null where nothing \
         is to be sent)\n"
    );
    process.stderr.wait_for(&told);
    process.type_in("here it is");
    process.end_input();
    process.expect_status(0);
    assert_eq!(process.stderr.text(), told);
}

/// A pipe, and a socket: some shells make their pipelines of those.
#[test]
fn stdin_is_sent_to_its_end_though_the_server_half_closed() {
    let (pipe, to_pipe) = std::io::pipe().unwrap();
    let (socket, to_socket) = UnixStream::pair().unwrap();
    let inputs: [(OwnedFd, OwnedFd); 2] = [
        (pipe.into(), to_pipe.into()),
        (socket.into(), to_socket.into()),
    ];
    for (stdin, to_stdin) in inputs {
        let (mut process, mut server) = participant(&[], |command| {
            command.stdin(stdin);
        });
        let lesson = numbered(500_000);
        let typed = lesson.clone();
        let typist = thread::spawn(move || File::from(to_stdin).write_all(&typed));
        // Until all buffers on the way are full.
        expect_rest(&process);
        server.write_all(b"that was all from here\n").unwrap();
        server.shutdown(Shutdown::Write).unwrap();
        process.stdout.wait_for("from here\n");
        let received = read_all(&mut server);
        assert!(received == lesson, "{} bytes came", received.len());
        typist.join().unwrap().unwrap();
        drop(server);
        process.expect_status(0);
    }
}

#[test]
fn a_reset_is_an_error() {
    let (mut process, mut server) = participant(&[], |_| {});
    let addr = server.local_addr().unwrap();
    // Not before it knows that it is connected.
    server.write_all(b"welcome\n").unwrap();
    process.stdout.wait_for("welcome\n");
    SockRef::from(&server)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(server);
    process.expect_status(1);
    let said = process.stderr.wait_end();
    assert_eq!(
        String::from_utf8_lossy(&said),
        format!(
            "muxnc: receive from {addr}: connection reset by peer\n  The other side broke off: what it \
             had sent may not all have come.\n"
        )
    );
}
