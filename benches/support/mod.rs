//! What the benches over loopback share: the real binary as a hub, the plainest hub that `std`
//! makes beside it, and the peers of either.
//!
//! The peers are a load that `tools/` compares with as well: one thread for all, every byte compared with what
//! was sent. Whatever is lost, added, changed or late beyond all measure is a panic.

#![allow(dead_code, reason = "no bench needs all of it")]

mod frames;
pub(crate) mod load;
pub(crate) mod plain;
pub(crate) mod table;
mod tls;

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getrlimit;
use rustix::process::setrlimit;

use self::load::Ledger;
use self::load::Load;
use self::load::Pattern;
use self::load::Stream;
use self::plain::PlainHub;
use self::tls::Connector;

/// The release build: this is a bench.
pub(crate) const MUXNC: &str = env!("CARGO_BIN_EXE_muxnc");

/// Nothing may take longer: who waits for a lost byte must not wait for ever.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Who does the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Subject {
    /// The real binary.
    Muxnc,
    /// What `std` makes of the same task in a few lines.
    Plain,
}

pub(crate) const SUBJECTS: [Subject; 2] = [Subject::Muxnc, Subject::Plain];

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Subject::Muxnc => "muxnc",
            Subject::Plain => "plain std",
        }
    }
}

/// How many peers a notice of the hub tells of: of more than a thousand at once there is a sum.
fn joined_by(notice: &str) -> usize {
    let sum = notice.trim_end().strip_suffix(" more joined");
    let count = sum.and_then(|sum| sum.rsplit(' ').next()?.parse().ok());
    count.unwrap_or(1)
}

/// What a hub does with what its peers send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// They send nothing.
    FanOut,
    /// The same, and all is encrypted; [`Subject::Plain`] cannot.
    Tls,
    /// Whole lines to all the others.
    Relay,
    /// Whole lines to stdout. It says nothing on stderr.
    Gather,
}

/// A hub that runs until it is dropped.
pub(crate) struct Hub {
    pub(crate) addr: SocketAddr,
    pub(crate) stdin: Option<ChildStdin>,
    /// Only of one that gathers.
    pub(crate) stdout: Option<ChildStdout>,
    running: Running,
}

enum Running {
    Process(Child, Box<dyn BufRead + Send>),
    Threads(PlainHub),
}

impl Hub {
    pub(crate) fn start(subject: Subject, role: Role) -> Hub {
        if subject == Subject::Plain {
            let (hub, stdin, stdout) = PlainHub::start(role);
            return Hub {
                addr: hub.addr,
                stdin: Some(stdin),
                stdout,
                running: Running::Threads(hub),
            };
        }
        let mut command = Command::new(MUXNC);
        command.args(["-l", "127.0.0.1", "0"]);
        match role {
            Role::Relay => command.arg("--broker"),
            Role::Tls => command.arg("--ssl"),
            Role::FanOut | Role::Gather => &mut command,
        };
        // Where arrivals are what is measured, they are not reported.
        let notices = match role {
            Role::Gather => "info/listening on",
            Role::FanOut | Role::Tls | Role::Relay => "info",
        };
        let stdout = match role {
            Role::Gather => Stdio::piped(),
            Role::FanOut | Role::Tls | Role::Relay => Stdio::null(),
        };
        command.env("RUST_LOG", notices).stdout(stdout);
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("start the hub");
        let mut said = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        let line = wait_for(&mut said, "listening on ");
        let addr = line.rsplit(' ').next().and_then(|addr| addr.parse().ok());
        Hub {
            addr: addr.expect("an address"),
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            running: Running::Process(child, Box::new(said)),
        }
    }

    /// Connects `count` peers, and returns when all are let in.
    pub(crate) fn join(&mut self, count: usize) -> Vec<TcpStream> {
        let peers = (0..count).map(|_| connect(self.addr)).collect();
        self.wait_for_peers(count);
        peers
    }

    /// The same, encrypted.
    fn join_encrypted(&mut self, count: usize) -> Vec<Stream> {
        let connector = Connector::new(0);
        let join = |id| connector.connect(self.addr, id).expect("shake hands");
        let peers = (0..count)
            .map(|id| Stream::Tls(Box::new(join(id))))
            .collect();
        self.wait_for_peers(count);
        peers
    }

    fn wait_for_peers(&mut self, count: usize) {
        match &mut self.running {
            Running::Process(_, said) => {
                let mut joined = 0;
                while joined < count {
                    joined += joined_by(&wait_for(said, " joined"));
                }
                let mut said = std::mem::replace(said, Box::new(std::io::empty()));
                // It must never find a full pipe.
                thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
            }
            Running::Threads(hub) => hub.wait_for_peers(count),
        }
    }

    /// Bytes of memory that are its own, and nobody else's.
    pub(crate) fn memory(&self) -> Option<u64> {
        let process = match &self.running {
            Running::Process(child, _) => child.id().to_string(),
            Running::Threads(_) => "self".to_owned(),
        };
        let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        let line = text.lines().find(|line| line.starts_with("Anonymous:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib * 1024)
    }

    /// Fills `lines` with what the hub prints.
    pub(crate) fn printed(&mut self, lines: &mut [u8]) {
        let stdout = self.stdout.as_mut().expect("it gathers");
        let mut read = 0;
        while read < lines.len() {
            let limit = DEADLINE.try_into().expect("it fits");
            let ready =
                rustix::event::poll(&mut [PollFd::new(stdout, PollFlags::IN)], Some(&limit));
            assert_eq!(ready, Ok(1), "{read} of {} bytes printed", lines.len());
            let count = stdout.read(&mut lines[read..]).expect("read its stdout");
            assert!(count > 0, "it ended after it printed {read} bytes");
            read += count;
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Running::Process(child, _) = &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn wait_for(said: &mut impl BufRead, what: &str) -> String {
    let mut lines = said.lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains(what));
    line.unwrap_or_else(|| panic!("the hub ended without saying {what:?}"))
}

pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&addr, DEADLINE).expect("connect");
    // A line is sent when it is said.
    stream.set_nodelay(true).expect("set TCP_NODELAY");
    stream
}

/// A hub with everybody in, and what they send and receive.
pub(crate) struct Room {
    pub(crate) load: Load,
    /// By sender.
    patterns: Rc<[Pattern]>,
    /// Keys in `load` of those who send, and of those who receive with how many they hear.
    senders: Vec<usize>,
    receivers: Vec<(usize, u64)>,
    _hub: Hub,
}

impl Room {
    /// The hub's stdin is sent to every peer.
    pub(crate) fn fan_out(subject: Subject, role: Role, peers: usize, line: usize) -> Room {
        let mut hub = Hub::start(subject, role);
        let streams = match role {
            Role::Tls => hub.join_encrypted(peers),
            _ => hub.join(peers).into_iter().map(tcp).collect(),
        };
        let stdin = hub.stdin.take().expect("stdin is a pipe");
        let stdin = Stream::stdin(stdin, true).expect("the hub's stdin");
        let mut room = Room::with(hub, [Pattern::new(0, line)].into());
        for stream in streams {
            room.add(stream, 1);
        }
        let key = room.load.add(stdin, None).expect("watch it");
        room.load.feed(key, &room.patterns, 0, 0);
        room.senders.push(key);
        room
    }

    /// Some of the peers send; all the others hear each.
    pub(crate) fn relay(subject: Subject, senders: usize, peers: usize, line: usize) -> Room {
        let mut hub = Hub::start(subject, Role::Relay);
        let streams = hub.join(peers);
        let patterns = (0..senders).map(|origin| Pattern::new(origin, line));
        let mut room = Room::with(hub, patterns.collect());
        // The senders are in the middle, so that their place in the hub's order says nothing.
        let first = (peers - senders) / 2;
        for (i, stream) in streams.into_iter().enumerate() {
            let own = i.checked_sub(first).filter(|&origin| origin < senders);
            let key = room.add(tcp(stream), (senders - usize::from(own.is_some())) as u64);
            if let Some(origin) = own {
                room.load.feed(key, &room.patterns, origin, 0);
                room.senders.push(key);
            }
        }
        room
    }

    fn with(hub: Hub, patterns: Rc<[Pattern]>) -> Room {
        Room {
            load: Load::new().expect("a poll"),
            patterns,
            senders: Vec::new(),
            receivers: Vec::new(),
            _hub: hub,
        }
    }

    fn add(&mut self, stream: Stream, heard: u64) -> usize {
        // One who hears nothing is to be sent nothing: that would be its own.
        let patterns = &self.patterns;
        let ledger = (heard > 0).then(|| Ledger::new(patterns, 0));
        let hears = ledger.is_some();
        let key = self.load.add(stream, ledger).expect("watch it");
        if hears {
            self.receivers.push((key, heard));
        }
        key
    }

    /// Has every sender send `lines` lines more, until everybody has them all.
    pub(crate) fn send(&mut self, lines: u64) -> Duration {
        let bytes = lines * self.patterns[0].line() as u64;
        for (origin, &key) in self.senders.iter().enumerate() {
            self.load.feed(key, &self.patterns, origin, bytes);
        }
        for &(key, heard) in &self.receivers {
            self.load.expect_at(key, heard * bytes);
        }
        let time = self.load.run(DEADLINE).expect("every byte as it was sent");
        assert_eq!(self.load.torn(), 0, "somebody got torn lines");
        time
    }

    /// Has the one sender send lines on a schedule. See [`Load::paced`].
    pub(crate) fn paced(&mut self, lines: u64, interval: Duration) -> load::Latency {
        let line = self.patterns[0].line();
        let latency = self
            .load
            .paced(self.senders[0], line, line, lines, interval);
        latency.expect("every byte as it was sent")
    }
}

fn tcp(stream: TcpStream) -> Stream {
    Stream::tcp(stream).expect("a connection")
}

/// Whether a bench may have `peers` connections, of which with [`Subject::Plain`] both ends are
/// here. Raises the limit as far as it goes; says so where it does not suffice.
pub(crate) fn may_connect(subject: Subject, peers: usize) -> bool {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("raise the limit of open descriptors");
    let each = match subject {
        Subject::Muxnc => 1,
        Subject::Plain => 2,
    };
    let wanted = (peers * each + 200) as u64;
    let may = limit.maximum.is_none_or(|maximum| maximum >= wanted);
    if !may {
        let name = subject.name();
        eprintln!("{name}: left out, {peers} peers need {wanted} descriptors (ulimit -Hn)");
    }
    may
}
