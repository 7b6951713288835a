//! Who is compared, whether it is here, and how each is started for each kind of work.

use std::fs;
use std::fs::File;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::dialect::Dialect;
use crate::load::Stream;
use crate::process::Process;

/// A program that is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The least that is possible: a hub, or `read` and `write` in one direction.
    Floor,
    /// The least that is possible past the program, with `splice` or `sendfile`.
    FloorSplice,
    Muxnc,
    /// Another muxnc, as it was before a change: for whoever made the change.
    Before,
    Ncat,
    NcOpenbsd,
    NcTraditional,
    Socat,
    Redis,
    Nats,
    Mosquitto,
    /// Node's `ws`, with the few lines that a hub is.
    Ws,
    Websocat,
    /// stunnel, which decrypts for an ncat behind it.
    Stunnel,
}

/// Everybody, in the order of the tables.
pub const ALL: [Subject; 14] = [
    Subject::Floor,
    Subject::FloorSplice,
    Subject::Muxnc,
    Subject::Before,
    Subject::Ncat,
    Subject::NcOpenbsd,
    Subject::NcTraditional,
    Subject::Socat,
    Subject::Redis,
    Subject::Nats,
    Subject::Mosquitto,
    Subject::Ws,
    Subject::Websocat,
    Subject::Stunnel,
];

/// Every program that can serve many.
pub const HUBS: [Subject; 6] = [
    Subject::Floor,
    Subject::Muxnc,
    Subject::Ncat,
    Subject::Redis,
    Subject::Nats,
    Subject::Mosquitto,
];

/// Every program that can serve many browsers.
pub const WEB: [Subject; 5] = [
    Subject::Floor,
    Subject::Muxnc,
    Subject::Nats,
    Subject::Ws,
    Subject::Websocat,
];

/// Every program that can serve many who are encrypted. socat cannot: each of its children takes a part of
/// stdin.
pub const TLS: [Subject; 4] = [
    Subject::Floor,
    Subject::Muxnc,
    Subject::Ncat,
    Subject::Stunnel,
];

/// What a hub is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// stdin, or one publisher, to every peer.
    FanOut,
    /// Each peer's lines, or each publisher's, to all the others.
    Relay,
    /// Each peer's lines to stdout.
    Gather,
    /// stdin, or one publisher, to every peer over a WebSocket.
    Web,
    /// stdin to every peer, and each peer's lines to stdout, all of it encrypted.
    Tls,
    /// Hubs to each other.
    Bus,
}

/// Which way a participant's bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// stdin to the connection.
    Send,
    /// The connection to stdout.
    Receive,
}

impl Subject {
    /// Its name in tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Floor => "floor",
            Subject::FloorSplice => "floor-splice",
            Subject::Muxnc => "muxnc",
            Subject::Before => "before",
            Subject::Ncat => "ncat",
            Subject::NcOpenbsd => "nc.openbsd",
            Subject::NcTraditional => "nc.traditional",
            Subject::Socat => "socat",
            Subject::Redis => "redis",
            Subject::Nats => "nats",
            Subject::Mosquitto => "mosquitto",
            Subject::Ws => "ws",
            Subject::Websocat => "websocat",
            Subject::Stunnel => "stunnel",
        }
    }

    /// Whether it takes part in what these subjects do: the muxnc of before does whatever muxnc does.
    pub fn is_among(self, subjects: &[Subject]) -> bool {
        match self {
            Subject::Before => subjects.contains(&Subject::Muxnc),
            other => subjects.contains(&other),
        }
    }

    /// One of the floors, which everything else is measured against.
    pub fn is_floor(self) -> bool {
        matches!(self, Subject::Floor | Subject::FloorSplice)
    }

    /// Whether it is another program than muxnc.
    pub fn is_rival(self) -> bool {
        !self.is_floor() && !matches!(self, Subject::Muxnc | Subject::Before)
    }

    /// The program, if it is here.
    pub fn program(self) -> Option<PathBuf> {
        let me = || std::env::current_exe().ok();
        match self {
            Subject::Floor | Subject::FloorSplice => me(),
            // Built beside this one.
            Subject::Muxnc => match std::env::var_os("MUXNC") {
                Some(path) => Some(PathBuf::from(path)),
                None => Some(me()?.with_file_name("muxnc")).filter(|path| path.exists()),
            },
            Subject::Before => std::env::var_os("MUXNC_BEFORE").map(PathBuf::from),
            Subject::Stunnel => which("ncat").and_then(|_| which("stunnel")),
            Subject::Redis => which("redis-server"),
            Subject::Nats => which("nats-server"),
            Subject::Ws => which("node").filter(|node| node_says(node, "require('ws')").is_some()),
            other => which(other.name()),
        }
    }

    /// What it says its version is.
    pub fn version(self) -> String {
        if self == Subject::Ws {
            let say =
                "console.log('ws', require('ws/package.json').version, 'node', process.version)";
            return which("node")
                .and_then(|node| node_says(&node, say))
                .unwrap_or_default();
        }
        let argument = match self {
            Subject::Floor | Subject::FloorSplice => return String::new(),
            Subject::NcOpenbsd | Subject::NcTraditional | Subject::Mosquitto => "-h",
            Subject::Socat => "-V",
            Subject::Stunnel => "-version",
            _ => "--version",
        };
        let Some(program) = self.program() else {
            return String::new();
        };
        let output = Command::new(program)
            .arg(argument)
            .stdin(Stdio::null())
            .output();
        let Ok(output) = output else {
            return String::new();
        };
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let line = said
            .lines()
            .find(|line| line.contains(|c: char| c.is_ascii_digit()));
        line.unwrap_or_default().trim().chars().take(60).collect()
    }

    /// How whoever receives from it speaks to it.
    fn dialect(self, role: Role) -> Dialect {
        match (self, role) {
            (Subject::Nats, Role::Web) => Dialect::WebNats,
            (_, Role::Web) => Dialect::Web,
            (_, Role::Tls) => Dialect::Tls,
            (Subject::Redis, _) => Dialect::Redis,
            (Subject::Nats, _) => Dialect::Nats,
            (Subject::Mosquitto, _) => Dialect::Mqtt,
            _ => Dialect::Plain,
        }
    }

    /// How many lines it may be given to deliver in all, so that the slow ones end as well.
    pub fn deliveries(self) -> u64 {
        match self {
            Subject::Redis | Subject::Nats => 8_000_000,
            Subject::Mosquitto => 150_000,
            Subject::Ws | Subject::Websocat => 8_000_000,
            _ => u64::MAX,
        }
    }

    /// Starts it as a hub and waits until it listens.
    ///
    /// # Errors
    /// It does not start, or does not listen.
    pub fn hub(self, role: Role, extra: &[&str], scratch: &Path) -> Result<Hub, String> {
        let addr = free_address()?;
        let port = addr.port().to_string();
        // Where a publisher goes, if that is elsewhere.
        let other = free_address()?;
        let mut command = self.command()?;
        command.stderr(Stdio::null());
        match self {
            Subject::Floor | Subject::FloorSplice => {
                let mode = match role {
                    Role::FanOut => "hub",
                    Role::Relay => "relay",
                    Role::Gather => "gather",
                    Role::Web => "web",
                    Role::Tls => "tls",
                    Role::Bus => return Err("it joins no hubs".to_owned()),
                };
                command.args(["--floor", mode, &port]);
            }
            Subject::Muxnc | Subject::Before => {
                match role {
                    Role::Web => command.args(["-l", "--web", &addr.to_string()]),
                    _ => command.args(["-l", "127.0.0.1", &port]),
                };
                if role == Role::Relay {
                    command.arg("--broker");
                }
                if role == Role::Tls {
                    command.arg("--ssl");
                }
                command.args(extra);
            }
            Subject::Ncat => {
                command.args(["-lk", "-m", "20000", "127.0.0.1", &port]);
                match role {
                    Role::Relay => command.arg("--broker"),
                    Role::Tls => command.arg("--ssl"),
                    _ => &mut command,
                };
            }
            Subject::Redis => {
                command.args(["--port", &port, "--bind", "127.0.0.1", "--save", ""]);
                command.args(["--appendonly", "no", "--maxclients", "15000"]);
                command.args(["--client-output-buffer-limit", "pubsub 0 0 0"]);
                command.args(["--tcp-backlog", "4096", "--tcp-keepalive", "0"]);
                command.arg("--dir").arg(scratch);
            }
            Subject::Nats => {
                let file = scratch.join("nats.conf");
                let mut config =
                    "max_pending: 1GB\nwrite_deadline: \"60s\"\nping_interval: \"1h\"\n".to_owned();
                let mut plain = addr;
                if role == Role::Bus {
                    let store = scratch.join("nats");
                    // The streams of the last round are no longer needed.
                    let _ = fs::remove_dir_all(&store);
                    config += &format!("jetstream {{ store_dir: {store:?} }}\n");
                }
                if role == Role::Web {
                    plain = other;
                    config += &format!("websocket {{ listen: \"{addr}\", no_tls: true }}\n");
                }
                fs::write(&file, config).map_err(|e| e.to_string())?;
                let port = plain.port().to_string();
                command
                    .args(["-a", "127.0.0.1", "-p", &port, "-c"])
                    .arg(file);
            }
            Subject::Mosquitto => {
                let file = scratch.join("mosquitto.conf");
                let user = match rustix::process::getuid().is_root() {
                    true => "user root\n",
                    false => "",
                };
                let config = format!(
                    "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n\
                     max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\n\
                     log_dest none\n{user}"
                );
                fs::write(&file, config).map_err(|e| e.to_string())?;
                command.arg("-c").arg(file);
            }
            Subject::Ws => {
                command.args(["-e", include_str!("ws.js"), &port]);
            }
            Subject::Websocat => {
                let here = format!("ws-l:{addr}");
                command.args(["-b", "-E", &here, "broadcast:stdio:"]);
            }
            Subject::Stunnel => {
                command = Subject::Ncat.command()?;
                command.stderr(Stdio::null());
                let there = other.port().to_string();
                command.args(["-lk", "-m", "20000", "127.0.0.1", &there]);
            }
            other => {
                // One peer only: for what needs no more.
                command.args(other.listen_args(&port));
            }
        }
        command.stdin(Stdio::piped());
        command.stdout(match role {
            Role::Gather if self.dialect(role) == Dialect::Plain => Stdio::piped(),
            Role::Tls => Stdio::piped(),
            _ => Stdio::null(),
        });
        let mut process = Process::start(&mut command)?;
        let limit = Duration::from_secs(10);
        let mut before = None;
        if self == Subject::Stunnel {
            process.wait_until("it listened", limit, |_| listens(other.port()))?;
            let mut stunnel = stunnel(addr, other, scratch)?;
            before = Some(Process::start(&mut stunnel)?);
        }
        process.wait_until("it listened", limit, |_| listens(addr.port()))?;
        let descriptors = process.descriptors();
        let publisher = match self {
            Subject::Nats if role == Role::Web => Some((other, Dialect::Nats)),
            Subject::Redis | Subject::Nats | Subject::Mosquitto => Some((addr, self.dialect(role))),
            _ => None,
        };
        Ok(Hub {
            process,
            before,
            addr,
            dialect: self.dialect(role),
            publisher,
            descriptors,
        })
    }

    /// Starts it as a participant that connects to `addr`.
    ///
    /// # Errors
    /// It does not start.
    pub fn participant(
        self,
        addr: SocketAddr,
        way: Way,
        stdin: Stdio,
        stdout: Stdio,
    ) -> Result<Process, String> {
        let (host, port) = (addr.ip().to_string(), addr.port().to_string());
        let mut command = self.command()?;
        match self {
            Subject::Floor | Subject::FloorSplice => {
                let way = match way {
                    Way::Send => "send",
                    Way::Receive => "receive",
                };
                command.args(["--floor", way, self.method(), &port]);
            }
            Subject::Socat => {
                let there = format!("TCP4:{host}:{port}");
                command.args(["-u", "-b", "65536"]);
                match way {
                    Way::Send => command.args(["STDIN", &there]),
                    Way::Receive => command.args([&there, "STDOUT"]),
                };
            }
            Subject::NcOpenbsd => {
                command.args(["-N", &host, &port]);
            }
            _ => {
                command.args([&host, &port]);
            }
        }
        command.stdin(stdin).stdout(stdout).stderr(Stdio::null());
        Process::start(&mut command)
    }

    /// Starts it as a listener for one peer, whose bytes it prints.
    ///
    /// # Errors
    /// It does not start, or does not listen.
    pub fn listener(self, extra: &[&str]) -> Result<Hub, String> {
        let addr = free_address()?;
        let port = addr.port().to_string();
        let mut command = self.command()?;
        match self {
            Subject::Floor | Subject::FloorSplice => {
                command.args(["--floor", "listen", self.method(), &port]);
            }
            Subject::Muxnc | Subject::Before => {
                command.args(["-l", "127.0.0.1", &port]).args(extra);
            }
            other => {
                command.args(other.listen_args(&port));
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::null());
        let mut process = Process::start(&mut command)?;
        process.wait_until("it listened", Duration::from_secs(10), |_| {
            listens(addr.port())
        })?;
        Ok(Hub {
            process,
            before: None,
            addr,
            dialect: Dialect::Plain,
            publisher: None,
            descriptors: 0,
        })
    }

    /// How a hub for one peer is started and not waited for.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_listener(self, addr: SocketAddr) -> Result<Process, String> {
        let port = addr.port().to_string();
        let mut command = self.command()?;
        match self {
            Subject::Floor | Subject::FloorSplice => {
                command.args(["--floor", "hub", &port]);
            }
            Subject::Muxnc | Subject::Before => {
                command.args(["-l", "127.0.0.1", &port]);
            }
            Subject::Ncat => {
                command.args(["-lk", "127.0.0.1", &port]);
            }
            other => {
                command.args(other.listen_args(&port));
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        Process::start(&mut command)
    }

    fn command(self) -> Result<Command, String> {
        let program = self.program().ok_or_else(|| "not here".to_owned())?;
        Ok(Command::new(program))
    }

    fn method(self) -> &'static str {
        match self {
            Subject::FloorSplice => "splice",
            _ => "copy",
        }
    }

    fn listen_args(self, port: &str) -> Vec<String> {
        let list = |args: &[&str]| args.iter().map(|&arg| arg.to_owned()).collect();
        match self {
            Subject::NcTraditional => list(&["-l", "-s", "127.0.0.1", "-p", port]),
            Subject::Socat => {
                let here = format!("TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr");
                list(&["-u", "-b", "65536", &here, "STDOUT"])
            }
            _ => list(&["-l", "127.0.0.1", port]),
        }
    }
}

/// A hub that runs.
pub struct Hub {
    /// The process.
    pub process: Process,
    /// Another one through which everything goes.
    before: Option<Process>,
    /// Where it listens.
    pub addr: SocketAddr,
    /// How whoever receives from it speaks to it.
    pub dialect: Dialect,
    /// Where and how it is published to, if that is not its stdin.
    publisher: Option<(SocketAddr, Dialect)>,
    /// Descriptors it had open before anybody came.
    descriptors: usize,
}

impl Hub {
    /// Seconds of processor that it has used.
    pub fn cpu(&self) -> f64 {
        self.process.cpu() + self.before.as_ref().map_or(0.0, Process::cpu)
    }

    /// Its own memory, in bytes.
    pub fn memory(&self) -> f64 {
        let of = |process: &Process| process.memory("RssAnon:");
        of(&self.process) + self.before.as_ref().map_or(0.0, of)
    }

    /// Waits until it does nothing any more.
    ///
    /// # Errors
    /// It ended, or goes on.
    pub fn wait_at_rest(&mut self) -> Result<(), String> {
        const REST: Duration = Duration::from_millis(100);
        let (mut used, mut since) = (self.cpu(), Instant::now());
        let before = &self.before;
        let limit = Duration::from_secs(20);
        self.process.wait_until("it came to rest", limit, |it| {
            let now = it.cpu() + before.as_ref().map_or(0.0, Process::cpu);
            if now > std::mem::replace(&mut used, now) {
                since = Instant::now();
            }
            since.elapsed() > REST
        })
    }

    /// Waits until it has accepted `peers` connections.
    ///
    /// # Errors
    /// It ended, or does not.
    pub fn wait_for_peers(&mut self, peers: usize) -> Result<(), String> {
        let want = self.descriptors + peers;
        let mut last = 0;
        let served =
            self.process
                .wait_until("everybody was served", Duration::from_secs(20), |it| {
                    last = it.descriptors();
                    last >= want
                });
        served.map_err(|error| {
            let most = last.saturating_sub(self.descriptors);
            format!("{error} ({most} of {peers} were)")
        })
    }

    /// What it has open now is no peer's.
    pub fn count_anew(&mut self) {
        self.descriptors = self.process.descriptors();
    }

    /// The stream that feeds it, and how its lines are put into that; it counts as the peer `id`.
    ///
    /// # Errors
    /// It does not let a publisher in.
    pub fn source(&mut self, id: usize) -> Result<(Stream, Dialect), String> {
        if let Some((addr, dialect)) = self.publisher {
            let stream = dialect.connect(addr, id, false)?;
            return Ok((Stream::tcp(stream).map_err(|e| e.to_string())?, dialect));
        }
        let stdin = self.process.stdin().ok_or("its stdin was taken")?;
        let stream = Stream::stdin(stdin, true).map_err(|e| e.to_string())?;
        Ok((stream, Dialect::Plain))
    }
}

/// How stunnel is started that decrypts what comes to `addr`.
fn stunnel(addr: SocketAddr, there: SocketAddr, scratch: &Path) -> Result<Command, String> {
    let key = rcgen::KeyPair::generate().map_err(|e| e.to_string())?;
    let about = rcgen::CertificateParams::new([String::from("localhost")]);
    let certificate = about.and_then(|about| about.self_signed(&key));
    let certificate = certificate.map_err(|e| e.to_string())?;
    let pem = scratch.join("stunnel.pem");
    let both = key.serialize_pem() + &certificate.pem();
    fs::write(&pem, both).map_err(|e| e.to_string())?;
    let file = scratch.join("stunnel.conf");
    let config = format!(
        "foreground = quiet\npid =\nsyslog = no\ndebug = err\n[hub]\naccept = {addr}\n\
         connect = {there}\ncert = {}\n",
        pem.display()
    );
    fs::write(&file, config).map_err(|e| e.to_string())?;
    let mut command = Subject::Stunnel.command()?;
    command.arg(file).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null());
    Ok(command)
}

/// What node prints for a script, if it does.
fn node_says(node: &Path, script: &str) -> Option<String> {
    let output = Command::new(node)
        .args(["-e", script])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(said)
}

/// A loopback address that nobody uses.
///
/// # Errors
/// There is none.
pub fn free_address() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    listener.local_addr().map_err(|e| e.to_string())
}

/// Whether somebody listens on a port: asked of the kernel, since a connection would be a peer.
fn listens(port: u16) -> bool {
    let mut tables = ["tcp", "tcp6"]
        .into_iter()
        .map(|table| fs::read_to_string(format!("/proc/self/net/{table}")).unwrap_or_default());
    tables.any(|table| {
        table.lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next().and_then(|local| local.rsplit(':').next());
            let is_it = local.and_then(|p| u16::from_str_radix(p, 16).ok()) == Some(port);
            is_it && fields.nth(1) == Some("0A")
        })
    })
}

/// A program in the search path, or where servers are.
fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    places
        .map(|place| place.join(name))
        .find(|path| path.is_file())
}

/// A file to be read or written, removed when it is no longer needed.
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A file of this name in the scratch directory.
    pub fn new(directory: &Path, name: &str) -> Scratch {
        Scratch {
            path: directory.join(name),
        }
    }

    /// Creates it, empty.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(&self) -> Result<File, String> {
        File::create(&self.path).map_err(|e| e.to_string())
    }

    /// Opens it for reading.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(&self) -> Result<File, String> {
        File::open(&self.path).map_err(|e| e.to_string())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
