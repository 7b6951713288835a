//! What the tests of the real binary share: processes with deadlines, streams that are watched,
//! pseudo-terminals, and the other netcats if they are installed.
//!
//! Nothing here sleeps to wait for something: it waits for the thing, and fails with a message
//! that says what did not happen.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a module shared by test files, none of which uses all of it"
)]

pub mod disk;
mod folder;
pub mod source;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::process::Pid;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::Signal;
use rustix::process::getrlimit;
use rustix::process::setrlimit;
use rustix::pty::OpenptFlags;
use socket2::Domain;
use socket2::Socket;
use socket2::Type;

pub use folder::Folder;

/// How long anything may take before a test gives up on it. Generous: a slow machine is no failure.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The binary under test.
pub const MUXNC: &str = env!("CARGO_BIN_EXE_muxnc");

/// Bytes collected from a stream by a thread, which a test can wait for.
#[derive(Clone, Default)]
pub struct Watched(Arc<(Mutex<Collected>, Condvar)>);

#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    ended: bool,
}

impl Watched {
    /// Collects everything that `stream` gives, until its end or an error.
    pub fn new(mut stream: impl Read + Send + 'static) -> Watched {
        let watched = Watched::default();
        let shared = watched.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let read = stream.read(&mut buffer);
                let mut collected = shared.0.0.lock().unwrap();
                match read {
                    Ok(count) if count > 0 => collected.bytes.extend_from_slice(&buffer[..count]),
                    _ => collected.ended = true,
                }
                shared.0.1.notify_all();
                if collected.ended {
                    return;
                }
            }
        });
        watched
    }

    /// Nothing, and its end.
    fn nothing() -> Watched {
        let watched = Watched::default();
        watched.0.0.lock().unwrap().ended = true;
        watched
    }

    /// Gives what a process wrote before it ended the time to be collected. (Somebody else may
    /// hold the stream open; then its end is not waited for.)
    fn settle(&self) {
        let (lock, changed) = &*self.0;
        let limit = Duration::from_secs(1);
        let collected = lock.lock().unwrap_or_else(PoisonError::into_inner);
        drop(changed.wait_timeout_while(collected, limit, |c| !c.ended));
    }

    /// What was collected so far.
    pub fn bytes(&self) -> Vec<u8> {
        let collected = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        collected.bytes.clone()
    }

    /// The same as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// Waits until what was collected satisfies `enough`.
    #[track_caller]
    pub fn wait_until(&self, what: &str, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        self.wait(what, |collected| enough(&collected.bytes))
    }

    /// Waits for `text` somewhere in it.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        let bytes = self.wait_until(text, |bytes| contains(bytes, text.as_bytes()));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for all of these, in this order.
    #[track_caller]
    pub fn wait_for_all(&self, texts: &[&str]) -> String {
        let bytes = self.wait_until(&texts.join("\n… "), |bytes| {
            has_in_order(&String::from_utf8_lossy(bytes), texts)
        });
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for the end of the stream and returns everything.
    #[track_caller]
    pub fn wait_end(&self) -> Vec<u8> {
        self.wait("the end", |collected| collected.ended)
    }

    #[track_caller]
    fn wait(&self, what: &str, enough: impl Fn(&Collected) -> bool) -> Vec<u8> {
        let (lock, changed) = &*self.0;
        let (collected, timeout) = changed
            .wait_timeout_while(lock.lock().unwrap(), DEADLINE, |c| !enough(c))
            .unwrap();
        if timeout.timed_out() {
            let tail = &collected.bytes[collected.bytes.len().saturating_sub(2000)..];
            let told = format!(
                "waited in vain for {what:?}; {} bytes came, ended: {}; the last of them:\n{}",
                collected.bytes.len(),
                collected.ended,
                String::from_utf8_lossy(tail)
            );
            // Whoever cleans up may look at it.
            drop(collected);
            panic!("{told}");
        }
        collected.bytes.clone()
    }
}

/// Whether `needle` is somewhere in `bytes`.
pub fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || bytes.windows(needle.len()).any(|window| window == needle)
}

/// Whether all of these stand in `text`, one behind the other.
pub fn has_in_order(text: &str, wanted: &[impl AsRef<str>]) -> bool {
    let mut rest = text;
    wanted
        .iter()
        .all(|wanted| match rest.split_once(wanted.as_ref()) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
}

/// A running process, killed when the test is done with it.
pub struct Process {
    pub child: Child,
    /// Its stdin, if that is a pipe that was not closed yet.
    pub stdin: Option<ChildStdin>,
    /// Its stdout and stderr, if they are pipes.
    pub stdout: Watched,
    pub stderr: Watched,
    name: String,
}

impl Process {
    /// Starts a command. Streams that the caller did not set are pipes.
    #[track_caller]
    pub fn start(command: &mut Command) -> Process {
        let name = format!("{command:?}");
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("start {name}: {error}"));
        Process::named(name, child)
    }

    /// One that was started elsewhere.
    pub fn of(child: Child) -> Process {
        Process::named(format!("process {}", child.id()), child)
    }

    fn named(name: String, mut child: Child) -> Process {
        let stdout = child
            .stdout
            .take()
            .map_or_else(Watched::nothing, Watched::new);
        let stderr = child
            .stderr
            .take()
            .map_or_else(Watched::nothing, Watched::new);
        Process {
            stdin: child.stdin.take(),
            stdout,
            stderr,
            child,
            name,
        }
    }

    /// Writes to its stdin.
    #[track_caller]
    pub fn type_in(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("stdin is an open pipe");
        stdin.write_all(bytes.as_ref()).expect("write to stdin");
        stdin.flush().expect("write to stdin");
    }

    /// Closes its stdin.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, and until what it wrote was collected.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        self.wait_for_end(DEADLINE)
    }

    #[track_caller]
    fn wait_for_end(&mut self, deadline: Duration) -> ExitStatus {
        let end = Instant::now() + deadline;
        loop {
            if let Some(status) = self.child.try_wait().expect("wait for a child") {
                self.stdout.settle();
                self.stderr.settle();
                return status;
            }
            assert!(
                Instant::now() < end,
                "{} did not end; stderr: {}",
                self.name,
                self.stderr.text()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for its end and requires this exit status.
    #[track_caller]
    pub fn expect_status(&mut self, code: i32) {
        self.expect_status_within(DEADLINE, code);
    }

    /// The same of one that starts many others, and has a deadline of its own for each thing that it waits for.
    #[track_caller]
    pub fn expect_status_within(&mut self, deadline: Duration, code: i32) {
        let status = self.wait_for_end(deadline);
        assert_eq!(
            status.code(),
            Some(code),
            "{}: {status}; stderr: {}",
            self.name,
            self.stderr.text()
        );
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("wait for a child").is_none()
    }

    /// Sends it a signal, by its number.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("send a signal");
    }

    /// Its resident memory in KiB.
    pub fn rss_kib(&self) -> u64 {
        status_field(self.pid(), "VmRSS:")
    }

    /// Memory of its own in KiB, counted page by page (proc_pid_smaps(5)). What `status` says lags
    /// behind by some pages, and a page of the program that is used for the first time brings
    /// fifteen others with it.
    pub fn own_kib(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.pid());
        let text = std::fs::read_to_string(path).unwrap();
        field(&text, "Anonymous:")
    }

    /// The most memory it ever had resident, in KiB.
    pub fn peak_rss_kib(&self) -> u64 {
        status_field(self.pid(), "VmHWM:")
    }

    /// How often it was taken off a processor so far, and in particular woke up.
    pub fn context_switches(&self) -> u64 {
        let pid = self.pid();
        status_field(pid, "voluntary_ctxt_switches:")
            + status_field(pid, "nonvoluntary_ctxt_switches:")
    }

    /// CPU time used so far, user and system, in clock ticks (usually 10 ms).
    pub fn cpu_ticks(&self) -> u64 {
        let fields = stat(self.pid());
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

impl Drop for Process {
    /// A test that fails tells what each of its processes said last, and whether it had ended.
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let ended = ended.map_or(String::from("it ran"), |status| status.to_string());
            eprintln!("{}: {ended}", self.name);
            for (stream, said) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
                said.settle();
                let said = said.bytes();
                if !said.is_empty() {
                    let tail = &said[said.len().saturating_sub(2000)..];
                    eprintln!(
                        "its last words on {stream}:\n{}",
                        String::from_utf8_lossy(tail)
                    );
                }
            }
        }
    }
}

/// The fields of a process's status behind its name: state, ppid, pgrp, session, tty, tpgid, …
pub fn stat(pid: u32) -> Vec<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit(')').next().unwrap();
    fields.split_whitespace().map(String::from).collect()
}

/// As many descriptors as this process may have: one test of a binary has them at a time.
#[must_use]
pub struct Descriptors {
    pub most: u64,
    _alone: MutexGuard<'static, ()>,
}

/// Lets this process have as many descriptors as it may, when no other test needs as many.
pub fn allow_descriptors() -> Descriptors {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    Descriptors {
        most: limit.maximum.unwrap_or(u64::MAX),
        _alone: alone,
    }
}

fn status_field(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    self::field(&status, field)
}

/// The number behind a name in a text of `/proc`.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A command with all three streams as pipes.
pub fn piped(program: impl AsRef<OsStr>, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(args)
        .env_remove("RUST_LOG")
        .env("LC_ALL", "C")
        .env("TERM", "dumb")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// muxnc with these arguments, all three streams as pipes.
#[track_caller]
pub fn muxnc(args: &[&str]) -> Process {
    Process::start(&mut piped(MUXNC, args))
}

/// A hub on a port of the system's choice.
pub struct Hub {
    pub process: Process,
    pub port: u16,
}

impl Hub {
    /// Starts `muxnc -l 0` with more arguments, and waits until it listens.
    #[track_caller]
    pub fn start(args: &[&str]) -> Hub {
        Hub::start_command(piped(MUXNC, &["-l", "0"]).args(args))
    }

    /// The same with a command whose streams the caller has set; stderr must be a pipe.
    #[track_caller]
    pub fn start_command(command: &mut Command) -> Hub {
        let process = Process::start(command);
        let port = listening_port(&process.stderr);
        Hub { process, port }
    }

    /// A plain participant.
    #[track_caller]
    pub fn join(&self) -> TcpStream {
        connect(self.port)
    }

    /// A plain participant that the hub is known to have let in: `-v` must have been given, and
    /// nobody else may join meanwhile.
    #[track_caller]
    pub fn join_seen(&self) -> TcpStream {
        let stream = self.join();
        self.wait_joined(&stream);
        stream
    }

    /// Waits until the hub says that this participant joined; `-v` must have been given.
    #[track_caller]
    pub fn wait_joined(&self, stream: &TcpStream) {
        let addr = stream.local_addr().unwrap();
        self.process.stderr.wait_for(&format!("{addr} joined"));
    }
}

/// The port in `muxnc: listening on …`, which it waits for.
#[track_caller]
pub fn listening_port(stderr: &Watched) -> u16 {
    port_after(stderr, "listening on ")
}

/// The port in `muxnc: listening for browsers on …`, which it waits for.
#[track_caller]
pub fn web_port(stderr: &Watched) -> u16 {
    port_after(stderr, "listening for browsers on ")
}

/// The port at the end of the address behind this, which it waits for.
#[track_caller]
fn port_after(told: &Watched, before: &str) -> u16 {
    let text = told.wait_until(before, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        text.split_once(before)
            .is_some_and(|(_, after)| after.contains('\n'))
    });
    let text = String::from_utf8_lossy(&text).into_owned();
    let place = text.split(before).nth(1).unwrap();
    let place = place.split([' ', '\r', '\n']).next().unwrap();
    let port = place.rsplit(':').next().unwrap();
    port.parse()
        .unwrap_or_else(|_| panic!("no port in {text:?}"))
}

/// The fingerprint that a hub with `--ssl` shows, which it waits for, in groups of four digits.
#[track_caller]
pub fn fingerprint_shown(stderr: &Watched) -> String {
    let told = stderr.wait_for(" (the first 5 groups are enough)\n");
    let (_, shown) = told.split_once("its certificate is ").unwrap();
    let (groups, _) = shown.split_once(" (").unwrap();
    assert_eq!(groups.len(), 16 * 5 - 1);
    groups.to_owned()
}

/// Of that what is enough for `--ssl-fingerprint`.
pub fn enough_of(fingerprint: &str) -> &str {
    &fingerprint[..5 * 5 - 1]
}

/// The port that a program listens on, which it waits for; none if the program ended first. The
/// kernel is asked, for not every netcat tells its port, and none without being asked to chatter.
pub fn port_of(process: &mut Process) -> Option<u16> {
    let end = Instant::now() + DEADLINE;
    while process.is_running() {
        let fds = std::fs::read_dir(format!("/proc/{}/fd", process.pid())).ok()?;
        let sockets: BTreeSet<String> = fds
            .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
            .filter_map(|link| {
                let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
                Some(inode.to_owned())
            })
            .collect();
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let port = table.lines().skip(1).find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let listens = fields[3] == "0A" && sockets.contains(fields[9]);
            let port = fields[1].rsplit(':').next()?;
            listens.then(|| u16::from_str_radix(port, 16).unwrap())
        });
        if port.is_some() {
            return port;
        }
        assert!(Instant::now() < end, "{} never listened", process.pid());
        thread::sleep(Duration::from_millis(2));
    }
    None
}

/// The same of one that goes on.
#[track_caller]
pub fn listening(process: &mut Process) -> u16 {
    port_of(process).unwrap_or_else(|| panic!("it ended: {}", process.stderr.text()))
}

/// A connection to this port on this machine, with deadlines on everything.
#[track_caller]
pub fn connect(port: u16) -> TcpStream {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&addr, DEADLINE)
        .unwrap_or_else(|error| panic!("connect to {addr}: {error}"));
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// The same as soon as somebody listens there.
#[track_caller]
pub fn connect_soon(port: u16) -> TcpStream {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    eventually(&format!("somebody listens on {addr}"), || {
        TcpStream::connect(addr).is_ok()
    });
    connect(port)
}

/// The same from 127.0.0.`host`.
#[track_caller]
pub fn connect_from(host: u8, port: u16) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0));
    socket.bind(&from.into()).unwrap();
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    socket.connect_timeout(&to.into(), DEADLINE).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// The next to come, with deadlines on everything.
#[track_caller]
pub fn accept(listener: &TcpListener) -> TcpStream {
    assert!(is_ready(listener, PollFlags::IN, DEADLINE), "nobody came");
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Whether something is so of a descriptor, which it waits for that long.
pub fn is_ready(fd: impl AsFd, wanted: PollFlags, limit: Duration) -> bool {
    let limit = Timespec {
        tv_sec: limit.as_secs() as i64,
        tv_nsec: limit.subsec_nanos().into(),
    };
    rustix::event::poll(&mut [PollFd::new(&fd, wanted)], Some(&limit)).unwrap() > 0
}

/// A server for one participant.
pub struct Server {
    listener: TcpListener,
    pub port: String,
}

impl Server {
    pub fn new() -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        Server { listener, port }
    }

    /// The arguments that lead to it, and more of them.
    pub fn args<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        [&["127.0.0.1", &self.port], args].concat()
    }

    #[track_caller]
    pub fn accept(&self) -> TcpStream {
        accept(&self.listener)
    }
}

/// Reads exactly this and fails on anything else.
#[track_caller]
pub fn expect_bytes(stream: &mut impl Read, expected: impl AsRef<[u8]>) {
    let expected = expected.as_ref();
    let mut got = vec![0; expected.len()];
    let mut count = 0;
    while count < got.len() {
        match stream.read(&mut got[count..]) {
            Ok(0) => break,
            Ok(n) => count += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => panic!(
                "{error} after {:?}, expected {:?}",
                String::from_utf8_lossy(&got[..count]),
                String::from_utf8_lossy(expected)
            ),
        }
    }
    assert_eq!(
        String::from_utf8_lossy(&got[..count]),
        String::from_utf8_lossy(expected)
    );
}

/// Reads to the end.
#[track_caller]
pub fn read_all(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("read to the end");
    bytes
}

/// A pseudo-terminal with a process in it, as if somebody sat there.
pub struct Terminal {
    pub process: Process,
    /// Everything on the screen, as bytes.
    pub screen: Watched,
    keyboard: File,
}

impl Terminal {
    /// Starts a command whose stdin, stdout and stderr are a new terminal, which is its
    /// controlling one (`setsid --ctty` of util-linux). It can do nothing but show text, so lines
    /// are edited by the kernel.
    #[track_caller]
    pub fn start(program: &str, args: &[&str]) -> Terminal {
        Terminal::of_kind("dumb", program, args)
    }

    /// The same with a terminal of this kind, as TERM names it.
    #[track_caller]
    pub fn of_kind(kind: &str, program: &str, args: &[&str]) -> Terminal {
        let (master, slave) = pty();
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(program)
            .args(args)
            .env_remove("RUST_LOG")
            .env("LC_ALL", "C")
            .env("TERM", kind)
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave);
        let process = Process::start(&mut command);
        Terminal {
            process,
            screen: Watched::new(master.try_clone().unwrap()),
            keyboard: master,
        }
    }

    /// muxnc in a terminal.
    #[track_caller]
    pub fn muxnc(args: &[&str]) -> Terminal {
        Terminal::start(MUXNC, args)
    }

    /// Presses keys: `"\r"` is Enter, `"\x03"` Ctrl-C, `"\x04"` Ctrl-D, `"\x13"` Ctrl-S.
    #[track_caller]
    pub fn press(&mut self, keys: impl AsRef<[u8]>) {
        self.keyboard.write_all(keys.as_ref()).expect("press keys");
    }
}

/// The number after `pid:`, where a shell has put it in.
pub fn pid_in(screen: &[u8]) -> Option<u32> {
    let screen = String::from_utf8_lossy(screen);
    screen.split("pid:").find_map(|rest| {
        let (digits, _) = rest.split_once(';')?;
        digits.parse().ok()
    })
}

/// Waits for as long as somebody needs for a few keys: what comes sooner behind a line was pasted.
pub fn pause() {
    thread::sleep(muxnc::engine::typing::SAME_PASTE * 2);
}

/// Both ends of a new pseudo-terminal, the master first.
pub fn pty() -> (File, OwnedFd) {
    // A child that inherited the master would keep the terminal from ever hanging up.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags).unwrap();
    rustix::pty::grantpt(&master).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
    let slave = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    (File::from(master), OwnedFd::from(slave))
}

/// Whether all these programs are installed. If not the test is to be left out, and says so; with
/// MUXNC_REQUIRE_PEERS set, as in CI, that is a failure.
#[track_caller]
pub fn installed(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing: Vec<&&str> = programs
        .iter()
        .filter(|program| {
            let places = std::env::split_paths(&path).chain([Path::new("/usr/sbin").to_owned()]);
            !places
                .map(|place| place.join(program))
                .any(|file| file.exists())
        })
        .collect();
    if missing.is_empty() {
        return true;
    }
    assert!(
        std::env::var_os("MUXNC_REQUIRE_PEERS").is_none(),
        "not installed: {missing:?}"
    );
    // Written past the test harness, which would keep it to itself.
    let _ = writeln!(
        std::io::stderr(),
        "left out: a test that needs {missing:?}, which is not installed"
    );
    false
}

/// Says past the test harness, which would keep it to itself, that a test is left out; with
/// MUXNC_REQUIRE_PEERS set, as in CI, that is a failure.
#[track_caller]
pub fn left_out(why: &str) {
    assert!(std::env::var_os("MUXNC_REQUIRE_PEERS").is_none(), "{why}");
    let _ = writeln!(std::io::stderr(), "left out: a test that needs {why}");
}

/// An nginx of our own: nothing of the system's configuration, one process, no privileges.
pub struct Nginx {
    pub process: Process,
    pub port: u16,
    _reserved: Socket,
}

impl Nginx {
    /// Serves a folder's files on 127.0.0.1, with `options` of `listen` and more `directives`.
    pub fn start(folder: &Folder, options: &str, directives: &str) -> Nginx {
        // It refuses port 0.
        let (reserved, port) = reserved_port();
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;
            events {{}}
            http {{
                access_log off;
                client_body_temp_path body; proxy_temp_path proxy;
                fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                server {{ listen 127.0.0.1:{port} {options}; root .; {directives} }}
            }}"
        );
        std::fs::write(folder.0.join("nginx.conf"), config).unwrap();
        // It is where only root looks for programs.
        let found = "PATH=$PATH:/usr/sbin exec nginx \"$@\"";
        let mut command = piped("sh", &["-c", found, "nginx", "-e", "stderr"]);
        command.args(["-c", "nginx.conf", "-p"]).arg(&folder.0);
        let mut process = Process::start(&mut command);
        assert_eq!(listening(&mut process), port);
        Nginx {
            process,
            port,
            _reserved: reserved,
        }
    }
}

/// A network of its own, with nothing in it but its loopback. What runs in it ends with it.
pub struct Namespace {
    keeper: Process,
    /// Whether it needed a user namespace, because we are not root.
    user: bool,
    /// Whether it has mounts of its own.
    mounts: bool,
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.end();
    }
}

impl Namespace {
    /// None where that is not permitted: the test is to be left out, which was said.
    #[track_caller]
    pub fn new() -> Option<Namespace> {
        Namespace::furnished("", false)
    }

    /// The same with more addresses, and with this file as `/etc/hosts`.
    #[track_caller]
    pub fn with_hosts(addresses: &[&str], hosts: &Path) -> Option<Namespace> {
        let mut script = format!("mount --bind '{}' /etc/hosts && ", hosts.display());
        for address in addresses {
            script += &format!("ip address add {address}/32 dev lo && ");
        }
        Namespace::furnished(&script, true)
    }

    /// The same in which this was done first, in sh's words, each of them with ` && ` behind it; with
    /// mounts of its own if it needs some.
    #[track_caller]
    pub fn furnished(script: &str, mounts: bool) -> Option<Namespace> {
        if !installed(&["unshare", "nsenter", "ip"]) {
            return None;
        }
        let flags = match mounts {
            true => ["-nm", "-rnm"],
            false => ["-n", "-rn"],
        };
        let permitted = |flags: &str| {
            let mut unshare = piped("unshare", &[flags, "ip", "link", "set", "lo", "up"]);
            unshare.output().is_ok_and(|made| made.status.success())
        };
        let Some(flags) = flags.into_iter().find(|flags| permitted(flags)) else {
            left_out("a network namespace, which is not permitted here");
            return None;
        };
        let script = format!("ip link set lo up && {script}echo up && exec cat");
        let keeper = Process::start(&mut piped("unshare", &[flags, "sh", "-c", &script]));
        keeper.stdout.wait_for("up\n");
        Some(Namespace {
            keeper,
            user: flags.starts_with("-r"),
            mounts,
        })
    }

    /// A process that lives in it for as long as it lasts.
    pub fn pid(&self) -> u32 {
        self.keeper.pid()
    }

    /// Ends every process in it, whoever started that. A number that one had may be another's by now,
    /// which is in no network of ours.
    pub fn end(&self) {
        let network = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let Some(ours) = network(self.pid()) else {
            return;
        };
        assert_ne!(network(std::process::id()), Some(ours.clone()));
        let numbers = std::fs::read_dir("/proc").into_iter().flatten();
        let numbers = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        for pid in numbers.filter(|&pid| network(pid).as_ref() == Some(&ours)) {
            if let Some(pid) = Pid::from_raw(pid as i32) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
    }

    /// The words of a command that runs in it, `nsenter` left out.
    pub fn words(&self, program: &str, args: &[&str]) -> Vec<String> {
        let pid = self.keeper.pid().to_string();
        let mut all = vec!["--net", "--target", &pid];
        if self.user {
            all.extend(["--user", "--preserve-credentials"]);
        }
        if self.mounts {
            all.push("--mount");
        }
        all.extend(["--", program]);
        all.extend(args);
        all.into_iter().map(String::from).collect()
    }

    /// A command that runs in it, all three streams as pipes.
    pub fn piped(&self, program: &str, args: &[&str]) -> Command {
        let words = self.words(program, args);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        piped("nsenter", &words)
    }

    /// The same without any privilege: anybody must be able to reach the program.
    pub fn piped_as_nobody(&self, program: &str, args: &[&str]) -> Command {
        let mut all = match self.user {
            // Root in name only, and execve(2) gives nothing that the bounding set has not.
            true => vec!["--bounding-set=-all", "--inh-caps=-all"],
            false => vec!["--reuid=65534", "--regid=65534", "--clear-groups"],
        };
        all.extend(["--", program]);
        all.extend(args);
        self.piped("setpriv", &all)
    }

    /// Sets a kernel parameter of this network alone; false if that is not permitted.
    pub fn sysctl(&self, name: &str, value: &str) -> bool {
        let script = format!("echo {value} > /proc/sys/{}", name.replace('.', "/"));
        let mut set = self.piped("sh", &["-c", &script]);
        set.output().is_ok_and(|set| set.status.success())
    }
}

/// A port of this machine on which nobody listens and which the system gives to nobody else, for
/// as long as the socket lives: only a server that asks for it can have it. The socket is to be kept
/// as long as the port is needed; a port that was free a moment ago may be somebody else's by now. It is that of
/// every address: else somebody could listen there on 127.0.0.2, and whoever wants all of them (ncat as a proxy)
/// would not get it.
pub fn reserved_port() -> (Socket, u16) {
    reserved_port_at(Ipv4Addr::UNSPECIFIED.into()).unwrap()
}

/// The same of this address; an error where this machine has none of its family.
pub fn reserved_port_at(ip: IpAddr) -> std::io::Result<(Socket, u16)> {
    let any = SocketAddr::new(ip, 0);
    let socket = Socket::new(Domain::for_address(any), Type::STREAM, None)?;
    // Two sockets that both say so may have the same port as long as only one listens.
    socket.set_reuse_address(true)?;
    socket.bind(&any.into())?;
    let addr = socket.local_addr()?.as_socket().unwrap();
    Ok((socket, addr.port()))
}

/// Waits until something that nothing tells of has come about.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Lets a moment pass: whoever breaks off before, or has not stayed for so long when another joins, may have
/// been a port check, and what it got is kept.
pub fn stay() {
    thread::sleep(muxnc::hub::peers::MOMENT);
}

/// Copies the binary under test to where any user may start it. Not by ourselves: a process that another test starts in
/// this moment would have it open for writing until it executes its program, and nobody could start it (`ETXTBSY`).
#[track_caller]
pub fn copy_program(to: &Path) {
    let copied = Command::new("cp").arg(MUXNC).arg(to).status();
    assert!(copied.unwrap().success());
}

/// Closes a connection and waits until the kernel of the other side knows: a process that another test starts in this
/// moment has a copy of it until it executes its program, and what is typed before that is still acknowledged.
#[track_caller]
pub fn leave_seen(stream: TcpStream) {
    let port = stream.local_addr().unwrap().port();
    drop(stream);
    eventually("its end arrives", || has_peer(port, CLOSE_WAIT));
}

/// Waits until the kernel of the other side knows of an end that was told: on a busy machine what another connection
/// brings may come before.
#[track_caller]
pub fn wait_end_known(port: u16) {
    eventually("its end arrives", || !has_peer(port, ESTABLISHED));
}

/// States of a connection, as proc_net_tcp(5) writes them (include/net/tcp_states.h).
const ESTABLISHED: &str = "01";
const CLOSE_WAIT: &str = "08";

/// Whether a process of this machine has a connection in that state whose other side has that port.
fn has_peer(port: u16, wanted: &str) -> bool {
    let theirs = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
        let table = std::fs::read_to_string(table).unwrap_or_default();
        table.lines().any(|row| {
            let fields: Vec<&str> = row.split_whitespace().take(4).collect();
            matches!(fields[..], [_, _, peer, state] if peer.ends_with(&theirs) && state == wanted)
        })
    })
}

/// Stops a process where it waits for events: one that was stopped in the middle of a turn would go on with that,
/// and find only a part of what came meanwhile.
#[track_caller]
pub fn stop(process: &Process) {
    let is = |state: &str| stat(process.pid())[0] == state;
    eventually("the process waits", || is("S"));
    process.signal(Signal::STOP);
    eventually("the process stops", || is("T"));
}

/// Stops a process while `act` runs, so that all that `act` does comes to it at once.
#[track_caller]
pub fn while_stopped<T>(process: &Process, act: impl FnOnce() -> T) -> T {
    stop(process);
    let result = act();
    process.signal(Signal::CONT);
    result
}

/// A long stream of bytes in which every place is known, so that whoever receives it can tell
/// the first byte that is lost, repeated, moved or changed.
#[derive(Clone)]
pub struct Pattern(Arc<Vec<u8>>);

impl Pattern {
    /// It begins anew after so many bytes: a prime, with which no buffer size has a common factor.
    const PERIOD: usize = 1_000_003;

    /// Bytes of every value.
    pub fn bytes() -> Pattern {
        Pattern::map(|byte| byte)
    }

    /// The same without a line feed.
    pub fn one_line() -> Pattern {
        Pattern::map(|byte| if byte == b'\n' { b'-' } else { byte })
    }

    fn map(map: impl Fn(u8) -> u8) -> Pattern {
        let mut state: u32 = 1;
        let bytes = (0..Pattern::PERIOD).map(|_| {
            // Numerical Recipes' generator; its low bits are too regular.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            map((state >> 24) as u8)
        });
        Pattern(Arc::new(bytes.collect()))
    }

    /// A part of the stream, at most `len` bytes of it and at least one.
    pub fn slice(&self, at: u64, len: usize) -> &[u8] {
        let start = (at % Pattern::PERIOD as u64) as usize;
        &self.0[start..Pattern::PERIOD.min(start + len)]
    }

    /// Writes the first `len` bytes of the stream.
    pub fn write(&self, out: &mut impl Write, len: u64) -> std::io::Result<()> {
        let mut at = 0;
        while at < len {
            let slice = self.slice(at, (len - at).min(64 * 1024) as usize);
            out.write_all(slice)?;
            at += slice.len() as u64;
        }
        Ok(())
    }

    /// Requires that `bytes` are those of the stream at `at`.
    #[track_caller]
    pub fn expect(&self, mut at: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let slice = self.slice(at, bytes.len());
            let (now, later) = bytes.split_at(slice.len());
            if now != slice {
                let wrong = now.iter().zip(slice).position(|(a, b)| a != b).unwrap();
                panic!("byte {} of the stream differs", at + wrong as u64);
            }
            at += now.len() as u64;
            bytes = later;
        }
    }

    /// Reads to the end, or to an error, or until `limit` bytes came, requires that it is the
    /// stream, and returns how much of it came.
    #[track_caller]
    pub fn read(&self, input: &mut impl Read, limit: u64) -> u64 {
        let mut buffer = vec![0; 64 * 1024];
        let mut at = 0;
        while at < limit {
            let most = (limit - at).min(buffer.len() as u64) as usize;
            match input.read(&mut buffer[..most]) {
                Ok(count) if count > 0 => {
                    self.expect(at, &buffer[..count]);
                    at += count as u64;
                }
                _ => break,
            }
        }
        at
    }
}

/// The reading end of a pipe, with a deadline on every read.
pub struct Patient(std::io::PipeReader);

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if !is_ready(&self.0, PollFlags::IN, DEADLINE) {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        self.0.read(buffer)
    }
}

/// A pipe for a stdout that is too much to be collected, or is to be read late or never.
pub fn pipe() -> (Patient, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    (Patient(reader), writer)
}

/// Waits until a process has nothing to do.
#[track_caller]
pub fn wait_at_rest(process: &Process) {
    let activity = || (process.context_switches(), process.cpu_ticks());
    let mut before = activity();
    eventually("the process comes to rest", || {
        thread::sleep(Duration::from_millis(100));
        // One that could run, and is not let, as on a busy machine, is at work.
        let wants_to_run = stat(process.pid())[0] == "R";
        std::mem::replace(&mut before, activity()) == before && !wants_to_run
    });
}

/// Writes to a process that is at rest then, and takes no more.
pub fn fill(stream: &mut TcpStream, bytes: &[u8], process: &Process) {
    stream.set_nonblocking(true).unwrap();
    loop {
        while stream.write(bytes).is_ok() {}
        wait_at_rest(process);
        if stream.write(bytes).is_err() {
            break;
        }
    }
    stream.set_nonblocking(false).unwrap();
}

/// What was written to a terminal without what we write ourselves to change its modes or to erase.
pub fn without_own(screen: &str) -> String {
    [
        "\x1b[?2004h",
        "\x1b[?2004l",
        "\x1b[?7h",
        "\x1b[?7l",
        "\x1b[K",
        "\x1b[J",
    ]
    .iter()
    .fold(screen.to_owned(), |text, own| text.replace(own, ""))
}

/// The same without what makes text bold or coloured.
pub fn without_marks(screen: &str) -> String {
    let text = without_own(screen);
    let mut parts = text.split("\x1b[");
    let mut plain = String::from(parts.next().unwrap_or_default());
    for part in parts {
        match part.split_once('m') {
            Some((mark, rest)) if mark.bytes().all(|b| b.is_ascii_digit() || b == b';') => {
                plain.push_str(rest);
            }
            _ => plain.push_str(&format!("\x1b[{part}")),
        }
    }
    plain
}
