//! Where a document's commands are run as they stand there: a network in which its example
//! addresses and names are real, with a web server, and a directory for each person.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use rustix::process::Pid;
use rustix::process::Signal;

use super::blocks::Typed;
use super::blocks::blocks;
use crate::support::MUXNC;
use crate::support::Namespace;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::eventually;
use crate::support::installed;
use crate::support::piped;

/// The addresses of the documents: Bob's, Alice's, a proxy's, and that of example.org (RFC 5737).
const ADDRESSES: [&str; 4] = ["192.0.2.7", "192.0.2.11", "192.0.2.1", "198.51.100.80"];

const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost\n198.51.100.80 example.org\n";

/// Answers one request after its empty line, and closes.
const WEB_SERVER: &str = "while read -r line && [ \"$line\" != \"$(printf '\\r')\" ] && \
                          [ -n \"$line\" ]; do :; done; \
                          printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nHello\\n'";

/// A scenario of a document, with its commands still to be run.
pub(crate) struct Stage {
    commands: RefCell<VecDeque<Typed>>,
    namespace: Namespace,
    directory: PathBuf,
    _web: Process,
}

impl Stage {
    /// None where something is missing: the test is to be left out, which was said.
    #[track_caller]
    pub(crate) fn new(document: &str, scenario: &str, programs: &[&str]) -> Option<Stage> {
        let commands: VecDeque<Typed> = blocks(document)
            .into_iter()
            .filter(|block| block.scenario == scenario)
            .flat_map(|block| block.commands)
            .collect();
        assert!(
            !commands.is_empty(),
            "{document} has no block of {scenario}"
        );
        if !installed(&["socat", "setsid"]) || !installed(programs) {
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("muxnc-docs-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        let hosts = directory.join("hosts");
        fs::write(&hosts, HOSTS).unwrap();
        fs::write(directory.join("web"), WEB_SERVER).unwrap();
        // Whoever made the network is root in it.
        let sudo = directory.join("sudo");
        fs::write(&sudo, "#!/bin/sh\nexec \"$@\"\n").unwrap();
        fs::set_permissions(&sudo, PermissionsExt::from_mode(0o755)).unwrap();
        let namespace = Namespace::with_hosts(&ADDRESSES, &hosts)?;
        let web = format!("EXEC:sh {}", directory.join("web").display());
        let listen = "TCP-LISTEN:80,bind=198.51.100.80,fork,reuseaddr";
        let web = Process::start(&mut namespace.piped("socat", &[listen, &web]));
        let stage = Stage {
            commands: RefCell::new(commands),
            namespace,
            directory,
            _web: web,
        };
        stage.wait_listening(80);
        Some(stage)
    }

    /// The next command of the scenario, which must begin so.
    #[track_caller]
    pub(crate) fn next(&self, begin: &str) -> String {
        self.next_shown(begin).command
    }

    /// The same with what the document shows after it.
    #[track_caller]
    pub(crate) fn next_shown(&self, begin: &str) -> Typed {
        let typed = self.commands.borrow_mut().pop_front();
        let typed = typed.unwrap_or_else(|| panic!("no command is left to be '{begin}'"));
        let command = &typed.command;
        assert!(command.starts_with(begin), "'{command}' is not '{begin}'");
        typed
    }

    /// Somebody's directory.
    pub(crate) fn home(&self, who: &str) -> PathBuf {
        let home = self.directory.join(who);
        fs::create_dir_all(&home).unwrap();
        home
    }

    /// The shell that runs this in somebody's directory.
    fn words(&self, who: &str, command: &str) -> Vec<String> {
        let programs = Path::new(MUXNC).parent().unwrap().display();
        let script = format!(
            "PATH='{programs}:{}':$PATH:/usr/sbin; cd '{}'\n{command}",
            self.directory.display(),
            self.home(who).display()
        );
        self.namespace.words("sh", &["-c", &script])
    }

    /// Starts a command in somebody's directory, all three streams as pipes.
    #[track_caller]
    pub(crate) fn start(&self, who: &str, command: &str) -> Process {
        let words = self.words(who, command);
        let mut all = vec!["nsenter"];
        all.extend(words.iter().map(String::as_str));
        // A group of its own, as from an interactive shell.
        Process::start(&mut piped("setsid", &all))
    }

    /// Runs a command to its end, without any input, and returns what it printed.
    #[track_caller]
    pub(crate) fn run(&self, who: &str, command: &str) -> String {
        let mut process = self.start(who, command);
        process.end_input();
        process.expect_status(0);
        process.stdout.text()
    }

    /// Starts a command at a terminal of somebody's own.
    #[track_caller]
    pub(crate) fn sit(&self, who: &str, command: &str) -> Terminal {
        let words = self.words(who, command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Terminal::of_kind("xterm", "nsenter", &words)
    }

    /// Sends a signal to a command and all that it started, as Ctrl-C does.
    pub(crate) fn signal(&self, process: &Process, signal: Signal) {
        let group = Pid::from_child(&process.child);
        rustix::process::kill_process_group(group, signal).unwrap();
    }

    /// Waits until somebody listens on this port.
    #[track_caller]
    pub(crate) fn wait_listening(&self, port: u16) {
        eventually("somebody listens", || self.is_listening(port));
    }

    /// Waits until nobody does: a program ends a moment after its shell.
    #[track_caller]
    pub(crate) fn wait_not_listening(&self, port: u16) {
        eventually("nobody listens", || !self.is_listening(port));
    }

    fn is_listening(&self, port: u16) -> bool {
        let port = format!(":{port:04X}");
        let mut sockets = self.sockets();
        sockets.any(|socket| socket.local.ends_with(&port) && socket.state == "0A")
    }

    /// Waits until a program listens on a Unix socket of that name: its file is there from bind(2) on,
    /// but a connection is refused until listen(2).
    #[track_caller]
    pub(crate) fn wait_listening_at(&self, name: &str) {
        // The flag of `/proc/net/unix` for a socket that listens: __SO_ACCEPTCON (linux/net.h).
        const LISTENS: &str = "00010000";
        eventually("a program listens", || {
            let mut cat = self.namespace.piped("cat", &["/proc/thread-self/net/unix"]);
            let table = String::from_utf8(cat.output().unwrap().stdout).unwrap();
            table.lines().any(|line| {
                let fields: Vec<&str> = line.split_whitespace().collect();
                fields.get(3) == Some(&LISTENS) && fields.last() == Some(&name)
            })
        });
    }

    /// Waits until so many are connected to this port.
    #[track_caller]
    pub(crate) fn wait_connected(&self, port: u16, count: usize) {
        let port = format!(":{port:04X}");
        eventually("they are connected", || {
            let connected = |s: &Socket| s.local.ends_with(&port) && s.state == "01";
            self.sockets().filter(connected).count() == count
        });
    }

    /// The TCP sockets of the network: `/proc/net/tcp`, of a process in it.
    fn sockets(&self) -> impl Iterator<Item = Socket> {
        let mut cat = self.namespace.piped(
            "cat",
            &["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"],
        );
        let table = String::from_utf8(cat.output().unwrap().stdout).unwrap();
        let sockets: Vec<Socket> = table
            .lines()
            .filter_map(|line| {
                let mut fields = line.split_whitespace().skip(1);
                Some(Socket {
                    local: fields.next()?.into(),
                    state: fields.nth(1)?.into(),
                })
            })
            .collect();
        sockets.into_iter()
    }
}

struct Socket {
    /// Address and port, in hexadecimal digits.
    local: String,
    /// 01 is connected, 0A listens.
    state: String,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.namespace.end();
        let _ = fs::remove_dir_all(&self.directory);
        if !std::thread::panicking() {
            let commands = self.commands.borrow();
            let left: Vec<&str> = commands.iter().map(|c| c.command.as_str()).collect();
            assert!(left.is_empty(), "never run: {left:?}");
        }
    }
}
