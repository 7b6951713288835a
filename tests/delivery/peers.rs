//! Real receivers: the other netcats as they are used to receive a file, on either side.

use std::fs::File;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::ends::feed;
use crate::rule::MUCH;
use crate::server::Checked;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::installed;
use crate::support::listening;
use crate::support::pipe;
use crate::support::piped;

const HOST: &str = "127.0.0.1";

/// Whoever receives: all of them end their own side at once, or never use it.
const RECEIVERS: [&str; 4] = ["ncat", "nc", "socat", "muxnc"];

/// Three ways in which the same bytes come.
const SOURCES: [&str; 3] = ["file", "pipe", "pipe-pauses"];

fn listener(program: &str) -> Command {
    match program {
        "ncat" => piped("ncat", &["-l", "--recv-only", HOST, "0"]),
        "nc" => piped("nc", &["-N", "-l", HOST, "0"]),
        "socat" => {
            let place = format!("TCP-LISTEN:0,bind={HOST}");
            piped("socat", &["-u", &place, "-"])
        }
        _ => piped(MUXNC, &["-l", "--once", HOST, "0"]),
    }
}

fn caller(program: &str, port: u16) -> Command {
    let at = port.to_string();
    match program {
        "ncat" => piped("ncat", &["--recv-only", HOST, &at]),
        "nc" => piped("nc", &["-N", HOST, &at]),
        "socat" => piped("socat", &["-u", &format!("TCP:{HOST}:{port}"), "-"]),
        _ => piped(MUXNC, &[HOST, &at]),
    }
}

/// A receiver in a process, and a thread that compares what it writes.
struct Receiver {
    process: Process,
    written: thread::JoinHandle<Checked>,
}

impl Receiver {
    /// `pause` is how long whoever reads what it writes waits between two reads.
    fn start(mut command: Command, expected: &Arc<Vec<u8>>, pause: Duration) -> Receiver {
        let (mut reader, writer) = pipe();
        command.stdin(Stdio::null()).stdout(writer);
        let process = Process::start(&mut command);
        drop(command);
        let mut checked = Checked::new(expected);
        let written = thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = std::io::Read::read(&mut reader, &mut buffer) {
                checked.take(&buffer[..count]);
                if !pause.is_zero() {
                    thread::sleep(pause);
                }
            }
            checked
        });
        Receiver { process, written }
    }

    #[track_caller]
    fn expect_all(mut self, what: &str) {
        self.process.expect_status(0);
        let written = self.written.join().unwrap();
        assert_eq!(written.wrong, None, "{what}: other bytes");
        assert_eq!(written.count, MUCH, "{what}: of {MUCH} bytes came");
    }
}

fn long() -> Arc<Vec<u8>> {
    let mut long = Vec::new();
    Pattern::bytes().write(&mut long, MUCH as u64).unwrap();
    Arc::new(long)
}

fn source(kind: &str, bytes: &Arc<Vec<u8>>, folder: &Folder) -> Stdio {
    if kind == "file" {
        let path = folder.0.join("stdin");
        std::fs::write(&path, &**bytes).unwrap();
        return File::open(path).unwrap().into();
    }
    let (reader, writer) = std::io::pipe().unwrap();
    let pause = (kind == "pipe-pauses").then_some(Duration::from_millis(700));
    feed(writer, bytes, pause);
    reader.into()
}

/// Goes through all receivers and sources, and tells of all that went wrong.
#[track_caller]
fn each(name: &str, attempt: impl Fn(&str, &str, &Arc<Vec<u8>>, &Folder)) {
    let bytes = long();
    let folder = Folder::new(name);
    let mut wrong = Vec::new();
    for program in RECEIVERS {
        if program != "muxnc" && !installed(&[program]) {
            continue;
        }
        for kind in SOURCES {
            let one = || attempt(program, kind, &bytes, &folder);
            if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(one)) {
                let text = panic.downcast_ref::<String>().cloned();
                wrong.push(format!("{kind} to {program}: {}", text.unwrap_or_default()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_participant_sends_everything_to_whoever_listens_to_receive() {
    each("peers-listen", |program, kind, bytes, folder| {
        let pause = Duration::from_millis(8);
        let mut receiver = Receiver::start(listener(program), bytes, pause);
        let port = listening(&mut receiver.process).to_string();
        let mut command = piped(MUXNC, &[HOST, &port]);
        command.stdin(source(kind, bytes, folder));
        Process::start(&mut command).expect_status(0);
        receiver.expect_all(program);
    });
}

#[test]
fn once_sends_everything_to_whoever_connects_to_receive() {
    each("peers-once", |program, kind, bytes, folder| {
        let mut command = piped(MUXNC, &["-l", "--once", HOST, "0"]);
        command.stdin(source(kind, bytes, folder));
        let mut sender = Hub::start_command(&mut command);
        let pause = Duration::from_millis(8);
        let receiver = Receiver::start(caller(program, sender.port), bytes, pause);
        sender.process.expect_status(0);
        receiver.expect_all(program);
    });
}

#[test]
fn a_hub_gives_everything_to_all_it_waited_for() {
    let bytes = long();
    let folder = Folder::new("peers-hub");
    if !installed(&["ncat", "nc", "socat"]) {
        return;
    }
    for kind in SOURCES {
        let mut command = piped(MUXNC, &["-l", "--wait-for", "4", HOST, "0"]);
        command.stdin(source(kind, &bytes, &folder));
        let mut hub = Hub::start_command(&mut command);
        let receivers = RECEIVERS.map(|program| {
            // One of them is slow.
            let pause = Duration::from_millis(if program == "nc" { 8 } else { 0 });
            let receiver = Receiver::start(caller(program, hub.port), &bytes, pause);
            (program, receiver)
        });
        hub.process.expect_status(0);
        for (program, receiver) in receivers {
            receiver.expect_all(&format!("{kind} to {program}"));
        }
    }
}
