//! The world that is a model against the one that is real: the same script runs over both, and the
//! participant comes to the same end, with the same bytes at both sides.
//!
//! The script says what happens in which order; in the real world each step waits until the participant
//! sleeps, so that the order is the same, and the sizes are below all that a kernel holds.

use std::fs::File;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use muxnc::io::device::Kind;
use socket2::SockRef;

use super::schedule::Ended;
use super::schedule::Schedule;
use super::world::Happening;
use super::world::pattern;
use crate::chance::Chance;

/// Scripts per kind of stdin.
const SCRIPTS: u64 = 25;

/// Longer than any step takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// A script: what stdin holds at first, and what happens then, one after the other.
pub(crate) struct Script {
    pub(crate) there: u64,
    pub(crate) steps: Vec<Happening>,
    pub(crate) half_close: bool,
    pub(crate) is_file: bool,
}

impl Script {
    /// Every script ends with both ends over.
    fn new(chance: &mut Chance, is_file: bool) -> Script {
        // What is shown first says that the real one knows that it is connected.
        let mut steps = vec![Happening::Send(7)];
        for _ in 0..chance.below(6) {
            steps.push(match chance.below(4) {
                0 | 1 => Happening::Send(chance.up_to(20_000) as u64),
                2 if !is_file => Happening::Input(chance.up_to(20_000) as u64),
                _ => Happening::Send(1),
            });
        }
        let breaks_off = chance.one_in(4);
        let last = if breaks_off {
            Happening::Reset
        } else {
            Happening::Fin
        };
        let mut ends = vec![last];
        if !is_file && !breaks_off {
            ends.insert(chance.below(2), Happening::InputEnd);
        }
        steps.extend(ends);
        Script {
            there: if is_file {
                chance.up_to(50_000) as u64
            } else {
                0
            },
            steps,
            half_close: !chance.one_in(4),
            is_file,
        }
    }
}

impl Script {
    fn breaks_off(&self) -> bool {
        matches!(self.steps.last(), Some(Happening::Reset))
    }
}

/// What both worlds have to agree on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) ended: Ended,
    pub(crate) sent: u64,
    pub(crate) shown: u64,
    pub(crate) half_closed: bool,
}

#[test]
fn a_pipe_is_as_a_real_one() {
    agree(Kind::Pipe);
}

#[test]
fn a_file_is_as_a_real_one() {
    agree(Kind::File);
}

fn agree(kind: Kind) {
    for seed in 0..SCRIPTS {
        let mut chance = Chance(seed);
        let script = Script::new(&mut chance, kind == Kind::File);
        let mut model = Schedule::follow(&script, kind);
        let real = Real::follow(&script, seed);
        if script.breaks_off() {
            // Whoever broke off does not say what it got.
            (model.sent, model.half_closed) = (real.sent, real.half_closed);
        }
        assert_eq!(
            model, real,
            "seed {seed}: {:?} of {}",
            script.steps, script.there
        );
    }
}

/// The real world: the program, and both ends of what it works on.
struct Real {
    child: Child,
    stream: Option<TcpStream>,
    input: Option<OwnedFd>,
    typed: u64,
    sent: u64,
}

impl Real {
    fn follow(script: &Script, seed: u64) -> Account {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let path = std::env::temp_dir().join(format!("muxnc-kernel-{}-{seed}", std::process::id()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_muxnc"));
        if !script.half_close {
            command.arg("--no-shutdown");
        }
        command.args(["127.0.0.1", &port]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut input = None;
        match script.is_file {
            true => {
                command.stdin(file(&path, script.there));
            }
            false => {
                let (reader, writer) = std::io::pipe().unwrap();
                command.stdin(reader);
                input = Some(OwnedFd::from(writer));
            }
        }
        let child = command.spawn().unwrap();
        drop(command);
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut real = Real {
            child,
            stream: Some(stream),
            input,
            typed: script.there,
            sent: 0,
        };
        let (mut got, mut half_closed) = (0, false);
        let mut stdout = real.child.stdout.take().unwrap();
        let mut shown = Vec::new();
        for step in &script.steps {
            real.do_step(*step, &mut got, &mut half_closed);
            if shown.is_empty() {
                shown.resize(7, 0);
                stdout.read_exact(&mut shown).unwrap();
            }
        }
        // What is still to come from it, and to be shown.
        if let Some(stream) = &mut real.stream {
            half_closed |= drain(stream, &mut got, None);
        }
        stdout.read_to_end(&mut shown).unwrap();
        for (at, byte) in shown.iter().enumerate() {
            assert_eq!(*byte, pattern(at as u64, 1));
        }
        let status = real.child.wait().unwrap();
        let ended = match status.code() {
            Some(0) => Ended::Done,
            _ => Ended::Short,
        };
        Account {
            ended,
            sent: got,
            shown: shown.len() as u64,
            half_closed: half_closed && script.half_close,
        }
    }

    fn do_step(&mut self, step: Happening, got: &mut u64, half_closed: &mut bool) {
        match step {
            Happening::Input(count) => {
                let mut input = File::from(self.input.take().unwrap());
                input.write_all(&bytes(self.typed, count, 0)).unwrap();
                self.input = Some(input.into());
                self.typed += count;
            }
            Happening::InputEnd => self.input = None,
            Happening::Send(count) => {
                let sent = bytes(self.sent, count, 1);
                self.stream.as_mut().unwrap().write_all(&sent).unwrap();
                self.sent += count;
            }
            Happening::Fin => self
                .stream
                .as_ref()
                .unwrap()
                .shutdown(Shutdown::Write)
                .unwrap(),
            Happening::Reset => {
                let stream = self.stream.take().unwrap();
                wait_taken(&stream);
                SockRef::from(&stream)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
            }
            _ => unreachable!("no such step"),
        }
        // The next step comes when this one has arrived.
        if let Some(stream) = &mut self.stream {
            *half_closed |= drain(stream, got, Some(self.typed));
        }
    }
}

/// Reads to the end, or until `wanted` bytes have come in all. Returns whether the end was read.
fn drain(stream: &mut TcpStream, got: &mut u64, wanted: Option<u64>) -> bool {
    let mut buffer = [0; 65536];
    while wanted.is_none_or(|wanted| *got < wanted) {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(count) => {
                for (i, byte) in buffer[..count].iter().enumerate() {
                    assert_eq!(*byte, pattern(*got + i as u64, 0));
                }
                *got += count as u64;
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return false,
            Err(error) => panic!("{error}"),
        }
    }
    false
}

/// Waits until the participant has read all that was sent: a reset would take it.
fn wait_taken(stream: &TcpStream) {
    let end = Instant::now() + DEADLINE;
    // The other kernel has it when nothing is unacknowledged; then it is readable before the reset.
    while muxnc::io::tcp_info::TcpInfo::of(stream.as_fd(), false)
        .is_some_and(|info| info.unacknowledged() > 0)
    {
        assert!(Instant::now() < end, "nothing is acknowledged");
        std::thread::yield_now();
    }
}

fn bytes(from: u64, count: u64, stream: u64) -> Vec<u8> {
    (from..from + count).map(|at| pattern(at, stream)).collect()
}

fn file(path: &PathBuf, len: u64) -> File {
    let mut file = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    std::fs::remove_file(path).unwrap();
    file.write_all(&bytes(0, len, 0)).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}
