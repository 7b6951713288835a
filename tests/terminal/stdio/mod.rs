//! The three standard descriptors: whatever they are, the program reads and writes them without
//! blocking, without spinning and without changing them.

mod broken;
mod flags;
mod input;
mod output;
mod participant;
mod terminal;

use std::ffi::OsStr;
use std::io::PipeReader;
use std::io::PipeWriter;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;

use crate::support::DEADLINE;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::Server;
use crate::support::is_ready;
use crate::support::piped;

/// How long nothing has to happen, where that is what is to be shown.
const QUIET: Duration = Duration::from_millis(200);

/// muxnc with a redirection that only a shell can express, as `<&-`.
fn redirected(redirection: &str, args: &[&str]) -> Command {
    let mut command = piped("sh", &["-c", &format!(r#"exec "$0" "$@" {redirection}"#)]);
    command.arg(MUXNC).args(args);
    command
}

/// A participant whose streams are pipes unless `streams` changes them, and the server's side of
/// its connection.
#[track_caller]
fn participant(args: &[&str], streams: impl FnOnce(&mut Command)) -> (Process, TcpStream) {
    let server = Server::new();
    let mut command = piped(MUXNC, &server.args(args));
    streams(&mut command);
    let process = Process::start(&mut command);
    // It keeps its own copies of what the streams were set to.
    drop(command);
    let stream = server.accept();
    (process, stream)
}

/// As [`support::expect_bytes`], for bytes that are no text.
#[track_caller]
fn expect_exactly(stream: &mut impl Read, expected: &[u8]) {
    let mut got = vec![0; expected.len()];
    stream.read_exact(&mut got).unwrap();
    assert!(got == expected, "{got:?} instead of {expected:?}");
}

/// Requires that nothing comes from there now, not even an end.
#[track_caller]
fn expect_silence(stream: &TcpStream) {
    if is_ready(stream, PollFlags::IN, QUIET) {
        let mut byte = [0];
        let read = { stream }.read(&mut byte);
        panic!("not silent: {read:?} {:?}", byte[0]);
    }
}

/// Requires that the process comes to rest: then it uses no CPU time at all.
#[track_caller]
fn expect_rest(process: &Process) {
    let used = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/schedstat", process.pid())).unwrap();
        stat.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let end = Instant::now() + Duration::from_secs(15);
    let mut before = used();
    loop {
        thread::sleep(QUIET / 2);
        let now = used();
        if now == before {
            return;
        }
        assert!(Instant::now() < end, "{} never rests", process.pid());
        before = now;
    }
}

/// Closes both ends, and waits until the pipe has no reader: a process that another test starts in this moment has a
/// copy until it executes its program.
#[track_caller]
fn leave_unread(reader: PipeReader, writer: PipeWriter) {
    drop(reader);
    assert!(is_ready(&writer, PollFlags::ERR, DEADLINE), "it is read");
}

/// A pipe into which nothing fits any more.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    fill(&writer);
    (reader, writer)
}

/// Fills a pipe to the last byte, through a description of its own: the flags of `writer` stay.
fn fill(writer: &PipeWriter) {
    let name = format!("/proc/self/fd/{}", writer.as_raw_fd());
    let own = rustix::fs::open(name, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
    // Whole pages first, then whatever is left of the last one.
    for size in [4096, 1] {
        while rustix::io::write(&own, &vec![b'.'; size]).is_ok() {}
    }
}

/// Writes all of `bytes` from a thread, for a receiver that may be slow.
fn send_from_thread(stream: &TcpStream, bytes: Vec<u8>) -> thread::JoinHandle<()> {
    let mut stream = stream.try_clone().unwrap();
    thread::spawn(move || stream.write_all(&bytes).unwrap())
}

/// Numbered lines, `total` of them.
fn numbered(total: usize) -> Vec<u8> {
    (0..total)
        .flat_map(|i| format!("line {i:06}, and some more of it\n").into_bytes())
        .collect()
}

/// Every byte there is, upwards and downwards.
fn every_byte() -> Vec<u8> {
    (0..=255).chain((0..=255).rev()).collect()
}

/// Shows that a hub serves: two peers hear nothing but each what it is told, and the hub hears
/// them. `-v` must have been given, and stdout be a pipe.
#[track_caller]
fn expect_serving(hub: &Hub) {
    for word in ["one\n", "two\n"] {
        let mut peer = hub.join_seen();
        peer.write_all(word.as_bytes()).unwrap();
        hub.process.stdout.wait_for(word);
        expect_silence(&peer);
    }
}

/// A named pipe.
fn fifo(path: impl AsRef<OsStr>) {
    let made = Command::new("mkfifo").arg(path.as_ref()).status().unwrap();
    assert!(made.success());
}
