//! Several hubs as one class, joined by real servers of NATS (`--bus`).

#![cfg(feature = "bus")]
#![allow(missing_docs, reason = "a test")]

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use socket2::Socket;

use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::Watched;
use crate::support::connect;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::muxnc;
use crate::support::piped;
use crate::support::pty;
use crate::support::reserved_port;
use crate::support::wait_at_rest;

/// A nats-server with a store of its own.
struct Nats {
    folder: Folder,
    args: Vec<String>,
    child: Child,
    port: u16,
}

impl Nats {
    /// None: it is not installed.
    fn start(args: &[&str]) -> Option<Nats> {
        if !installed(&["nats-server"]) {
            return None;
        }
        let folder = Folder::in_temp("nats");
        let mut args: Vec<String> = args.iter().map(ToString::to_string).collect();
        args.extend(["-a", "127.0.0.1", "-sd"].map(String::from));
        args.push(folder.path("store"));
        fs::create_dir(folder.path("ports")).unwrap();
        let child = Nats::run(&args, -1, &folder);
        let port = Nats::port(&folder, child.id());
        Some(Nats {
            folder,
            args,
            child,
            port,
        })
    }

    fn run(args: &[String], port: i32, folder: &Folder) -> Child {
        let mut command = Command::new("nats-server");
        command.args(args).args(["-p", &port.to_string()]);
        command.args(["--ports_file_dir", &folder.path("ports")]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null()).spawn().expect("nats-server")
    }

    /// The port it says that it listens on.
    fn port(folder: &Folder, pid: u32) -> u16 {
        let file = folder.path(&format!("ports/nats-server_{pid}.ports"));
        let mut found = None;
        eventually("nats-server tells its port", || {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let digits = text.split("127.0.0.1:").nth(1).map(|rest| {
                let digits = rest.chars().take_while(char::is_ascii_digit);
                digits.collect::<String>()
            });
            found = digits.and_then(|digits| digits.parse().ok());
            found.is_some()
        });
        found.unwrap()
    }

    /// SIGKILL.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.child = Nats::run(&self.args, self.port.into(), &self.folder);
        Nats::port(&self.folder, self.child.id());
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}/class", self.port)
    }

    /// Asks the server something as any client would, and gives its answer; nothing where none comes soon.
    fn ask(&self, subject: &str, body: &str) -> String {
        let mut stream = connect(self.port);
        stream
            .set_read_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        let all = format!(
            "CONNECT {{\"verbose\":false}}\r\nSUB _ask 1\r\nPUB {subject} _ask {}\r\n{body}\r\n",
            body.len()
        );
        stream.write_all(all.as_bytes()).unwrap();
        let mut answer = String::new();
        let mut bytes = [0; 4096];
        // INFO and this answer end in a brace.
        while !(answer.contains("\r\nMSG _ask 1 ") && answer.ends_with("}\r\n")) {
            let Ok(count @ 1..) = stream.read(&mut bytes) else {
                return String::new();
            };
            answer.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        let (_, answer) = answer.split_once("\r\nMSG _ask 1 ").unwrap();
        answer.split_once("\r\n").unwrap().1.trim_end().into()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A hub of that name that is on the bus.
fn hub(url: &str, name: &str, more: &[&str]) -> Hub {
    let args = ["-l", "-v", "--bus", url, "--bus-name", name];
    let mut command = piped(MUXNC, &args);
    let hub = Hub::start_command(command.args(more).args(["127.0.0.1", "0"]));
    hub.process.stderr.wait_for(&format!("is {name} of class"));
    hub
}

/// Waits until they know of each other.
fn meet(hubs: &[&Hub], names: &[&str]) {
    for (at, hub) in hubs.iter().enumerate() {
        for name in names.iter().enumerate().filter(|(other, _)| *other != at) {
            hub.process.stderr.wait_for(&format!("hub {} came", name.1));
        }
    }
}

/// Types a line, as a person who reads what is there first.
fn press(terminal: &mut Terminal, line: &str) {
    wait_at_rest(&terminal.process);
    terminal.press(line);
}

/// So many numbered lines.
fn lines(name: &str, count: u32) -> String {
    (1..=count).map(|n| format!("{name} {n}\n")).collect()
}

#[test]
fn two_hubs_are_one_class() {
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let (mut one, mut two) = (
        hub(&nats.url(), "room1", &["--broker"]),
        hub(&nats.url(), "room2", &["--chat"]),
    );
    meet(&[&one, &two], &["room1", "room2"]);
    let (mut ana, mut ben) = (one.join_seen(), two.join_seen());
    ben.write_all(b"/nick Ben\n").unwrap();
    let heard = Watched::new(ben.try_clone().unwrap());
    heard.wait_for("Ben");
    one.process.type_in("hello from one\n");
    expect_bytes(&mut ana, "hello from one\n");
    heard.wait_for("\n<@room1> hello from one\n");
    ben.write_all(b"a question\n").unwrap();
    expect_bytes(&mut ana, "a question\n");
    ana.write_all(b"an answer\x1b[2J\n").unwrap();
    heard.wait_for("\n<room1/1> an answer^[[2J\n");
    two.process.type_in("bye\n");
    expect_bytes(&mut ana, "bye\n");
    heard.wait_for("\n<host> bye\n");
    one.process
        .stdout
        .wait_for("a question\nan answer\x1b[2J\nbye\n");
    two.process
        .stdout
        .wait_for("<@room1> hello from one\n<Ben> a question\n");
    drop(ana);
    ben.shutdown(Shutdown::Both).unwrap();
    one.process.end_input();
    one.process.expect_status(0);
    two.process.stderr.wait_for("hub room1 left");
    two.process.end_input();
    two.process.expect_status(0);
}

#[test]
fn without_a_stream_it_is_told_that_lines_may_be_lost() {
    let Some(nats) = Nats::start(&[]) else {
        return;
    };
    let mut one = hub(&nats.url(), "room1", &[]);
    let two = hub(&nats.url(), "room2", &[]);
    one.process
        .stderr
        .wait_for("lines between hubs may be lost");
    meet(&[&one, &two], &["room1", "room2"]);
    let mut ben = two.join_seen();
    one.process.type_in("hello\n");
    expect_bytes(&mut ben, "hello\n");
}

#[test]
fn an_operator_alone_is_told_only_that_nobody_hears() {
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let url = nats.url();
    let mut one = Terminal::muxnc(&["-l", "--bus", &url, "--bus-name", "room1", "0"]);
    one.screen.wait_for("is room1 of class");
    press(&mut one, "to nobody\r");
    one.screen
        .wait_for("nobody is here, and no other hub is there");
    let two = hub(&url, "room2", &[]);
    one.screen.wait_for("hub room2 came");
    press(&mut one, "to room2\r");
    two.process.stdout.wait_for("to room2\n");
    press(&mut one, "/who\r");
    let screen = one.screen.wait_for("hub room2: 0 there");
    let alone = screen.matches("nobody is here, and").count();
    assert_eq!((alone, screen.matches(" wait").count()), (1, 0), "{screen}");
}

#[test]
fn a_hub_whose_window_is_closed_says_that_it_leaves() {
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let two = hub(&nats.url(), "room2", &[]);
    let (mut master, slave) = pty();
    let mut command = Command::new("setsid");
    command
        .args(["--ctty", MUXNC, "-l", "--bus", &nats.url()])
        .args(["--bus-name", "room1", "127.0.0.1", "0"])
        .stdin(slave.try_clone().unwrap())
        .stdout(slave.try_clone().unwrap())
        .stderr(slave);
    let mut one = Process::start(&mut command);
    drop(command);
    two.process.stderr.wait_for("hub room1 came");
    // Until it is known that no other hub has its name it may say nothing, not even that it leaves.
    let mut screen = String::new();
    while !screen.contains("is room1 of class") {
        let mut bytes = [0; 4096];
        let count = master.read(&mut bytes).unwrap();
        assert!(count > 0, "{screen}");
        screen += &String::from_utf8_lossy(&bytes[..count]);
    }
    drop(master);
    one.wait();
    two.process.stderr.wait_for("hub room1 left");
}

#[test]
fn what_telnet_negotiates_is_not_said_to_the_class() {
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let one = hub(&nats.url(), "room1", &["-t", "--broker"]);
    let mut two = hub(&nats.url(), "room2", &["--broker"]);
    meet(&[&one, &two], &["room1", "room2"]);
    let (mut ana, mut ben) = (one.join_seen(), two.join_seen());
    ana.write_all(b"\xff\xfb\x18a \xff\xfd\x01question\xff\xff\r\n")
        .unwrap();
    expect_bytes(&mut ben, b"a question\xff\r\n");
    two.process.type_in(b"an \xffanswer\n");
    // Its wishes are refused, and then what is said is doubled.
    expect_bytes(&mut ana, b"\xff\xfe\x18\xff\xfc\x01an \xff\xffanswer\n");
}

#[test]
fn a_server_that_is_killed_in_the_middle_loses_nothing() {
    let Some(mut nats) = Nats::start(&["-js"]) else {
        return;
    };
    const COUNT: u32 = 200_000;
    let mut one = hub(&nats.url(), "room1", &["--broker"]);
    let two = hub(&nats.url(), "room2", &["--broker"]);
    meet(&[&one, &two], &["room1", "room2"]);
    let heard: Vec<Watched> = [&one, &two]
        .into_iter()
        .flat_map(|hub| [hub.join_seen(), hub.join_seen()])
        .map(Watched::new)
        .collect();
    let (said, mut ben) = (lines("one", COUNT), two.join_seen());
    let mut pipe = one.process.stdin.take().unwrap();
    let text = said.clone();
    let piping = thread::spawn(move || {
        pipe.write_all(text.as_bytes()).unwrap();
        pipe
    });
    heard[2].wait_for("one 2000\n");
    nats.kill();
    two.process.stderr.wait_for("the bus is away");
    ben.write_all(b"while it was away\n").unwrap();
    nats.start_again();
    let _pipe = piping.join().unwrap();
    for heard in &heard {
        let heard = heard.wait_until("all lines", |bytes| bytes.len() >= said.len() + 18);
        let heard = String::from_utf8(heard).unwrap();
        let (others, ours): (Vec<&str>, Vec<&str>) =
            heard.lines().partition(|line| line.starts_with("one "));
        assert_eq!(ours, ["while it was away"]);
        assert!(others.iter().copied().eq(said.lines()), "not what was said");
    }
}

/// Three servers that are one: what one of them has, two have at least.
fn cluster() -> Option<[Nats; 3]> {
    let ports: Vec<(Socket, u16)> = (0..3).map(|_| reserved_port()).collect();
    let routes: Vec<String> = ports
        .iter()
        .map(|(_, port)| format!("nats://127.0.0.1:{port}"))
        .collect();
    let start = |at: usize| {
        let name = format!("server{at}");
        let others = routes.join(",");
        let args = ["-js", "-n", &name, "--cluster_name", "three"];
        Nats::start(&[&args[..], &["--cluster", &routes[at], "--routes", &others]].concat())
    };
    let servers = [start(0)?, start(1)?, start(2)?];
    let stream = r#"{"name":"T","subjects":["t.>"],"storage":"file","num_replicas":3}"#;
    eventually("the three elect who leads them", || {
        let answer = servers[0].ask("$JS.API.STREAM.CREATE.T", stream);
        answer.contains("\"created\"")
    });
    Some(servers)
}

#[test]
fn a_cluster_of_which_one_is_killed_loses_nothing() {
    const COUNT: u32 = 50_000;
    let Some(mut servers) = cluster() else {
        return;
    };
    let hosts: Vec<String> = servers
        .iter()
        .map(|server| format!("127.0.0.1:{}", server.port))
        .collect();
    // Each hub has another server.
    let url = |first: usize| {
        let mut hosts = hosts.clone();
        hosts.rotate_left(first);
        format!("nats://{}/class", hosts.join(","))
    };
    let mut hubs: Vec<Hub> = (0..3)
        .map(|at| hub(&url(at), &format!("room{at}"), &["--broker"]))
        .collect();
    meet(
        &hubs.iter().collect::<Vec<_>>(),
        &["room0", "room1", "room2"],
    );
    let made = servers[0].ask("$JS.API.STREAM.INFO.MUXNC_class", "");
    assert!(made.contains("\"num_replicas\":3"), "{made}");
    let heard: Vec<Watched> = hubs
        .iter()
        .map(|hub| Watched::new(hub.join_seen()))
        .collect();
    let said: Vec<String> = (0..3).map(|at| lines(&format!("{at}"), COUNT)).collect();
    let speaking: Vec<_> = hubs
        .iter_mut()
        .zip(&said)
        .map(|(hub, said)| {
            let (mut pipe, said) = (hub.process.stdin.take().unwrap(), said.clone());
            thread::spawn(move || {
                pipe.write_all(said.as_bytes()).unwrap();
                pipe
            })
        })
        .collect();
    for victim in [0, 1] {
        heard[2].wait_for(&format!("\n{} {}\n", victim, 5000 * (victim + 1)));
        // A server that is back has not yet what it missed: with another one killed then, two of three would
        // be, and nats-server 2.9 loses lines that it has acknowledged.
        eventually("both others have all lines", || {
            let told = servers[2].ask("$JS.API.STREAM.INFO.MUXNC_class", "");
            told.matches("\"current\":true").count() == 2
        });
        servers[victim].kill();
        servers[victim].start_again();
    }
    let _pipes: Vec<_> = speaking
        .into_iter()
        .map(|speaking| speaking.join().unwrap())
        .collect();
    let all: usize = said.iter().map(String::len).sum();
    for heard in &heard {
        let heard = heard.wait_until("all lines", |bytes| bytes.len() >= all);
        let heard = String::from_utf8(heard).unwrap();
        for (at, said) in said.iter().enumerate() {
            let label = format!("{at} ");
            let theirs = heard.lines().filter(|line| line.starts_with(&label));
            assert!(theirs.eq(said.lines()), "not what room{at} said");
        }
    }
}

/// Passes bytes on both ways, until it is cut.
struct Wire {
    port: u16,
    is_cut: Arc<AtomicBool>,
    ends: Arc<std::sync::Mutex<Vec<TcpStream>>>,
}

impl Wire {
    fn to(port: u16) -> Wire {
        Wire::slow(port, Duration::ZERO)
    }

    /// Passes a piece of 16 KiB on, each way, in that time at least.
    fn slow(port: u16, piece: Duration) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Wire {
            port: listener.local_addr().unwrap().port(),
            is_cut: Arc::default(),
            ends: Arc::default(),
        };
        let (is_cut, ends) = (Arc::clone(&wire.is_cut), Arc::clone(&wire.ends));
        thread::spawn(move || {
            for near in listener.incoming() {
                let Ok(near) = near else { return };
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    ends.lock().unwrap().push(from.try_clone().unwrap());
                    thread::spawn(move || {
                        let mut buffer = [0; 16 * 1024];
                        while let Ok(count @ 1..) = from.read(&mut buffer) {
                            thread::sleep(piece);
                            if to.write_all(&buffer[..count]).is_err() {
                                break;
                            }
                        }
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        wire
    }

    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for end in self.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

#[test]
fn a_cable_that_is_cut_and_mended_loses_nothing_and_repeats_nothing() {
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let wire = Wire::to(nats.port);
    let url = format!("nats://127.0.0.1:{}/class", wire.port);
    let mut one = hub(&url, "room1", &[]);
    let mut two = hub(&nats.url(), "room2", &[]);
    meet(&[&one, &two], &["room1", "room2"]);
    let heard = Watched::new(two.join_seen());
    let mut said = String::new();
    for round in 1..=4 {
        let more = lines(&format!("round {round}"), 2000);
        said.push_str(&more);
        one.process.type_in(&more);
        wire.cut();
        one.process.type_in(format!("away {round}\n"));
        said.push_str(&format!("away {round}\n"));
        let is_told = |what: &str| {
            let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches(what).count();
            (one.process.stderr).wait_until(what, |bytes| told(bytes) == round);
        };
        is_told("bus is away");
        wire.mend();
        heard.wait_for(&format!("away {round}\n"));
        // The others may have the lines before the hub knows that.
        is_told("bus is back");
    }
    assert_eq!(heard.text(), said);
    // The server acknowledged all of that before it passes on an answer.
    two.process.type_in("seen\n");
    one.process.stdout.wait_for("seen\n");
    // The bus is away; the class in the room goes on.
    wire.cut();
    let mut ana = one.join_seen();
    one.process.type_in("local\n");
    expect_bytes(&mut ana, "local\n");
    drop(ana);
    one.process.end_input();
    one.process.expect_status(1);
    one.process
        .stderr
        .wait_for("1 line did not get to the other hubs");
}

/// It is read no faster than the bus takes what it says, and the others' lines do not wait for that.
#[test]
fn who_says_more_than_the_bus_takes_loses_nothing_and_makes_nobody_late() {
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let wire = Wire::slow(nats.port, Duration::from_millis(5));
    let url = format!("nats://127.0.0.1:{}/class", wire.port);
    let one = hub(&url, "room1", &["--broker", "--bus-buffer", "128k"]);
    let two = hub(&nats.url(), "room2", &["--broker"]);
    meet(&[&one, &two], &["room1", "room2"]);
    let heard = Watched::new(two.join_seen());
    let mut ana = one.join_seen();
    let _reads = Watched::new(ana.try_clone().unwrap());
    let said: Vec<String> = (0..4)
        .map(|at| lines(&format!("{at}{}", "x".repeat(90)), 10_000))
        .collect();
    let saying: Vec<_> = said
        .iter()
        .map(|said| {
            let (mut flood, said) = (one.join_seen(), said.clone());
            let hears = Watched::new(flood.try_clone().unwrap());
            thread::spawn(move || {
                flood.write_all(said.as_bytes()).unwrap();
                (flood, hears)
            })
        })
        .collect();
    heard.wait_for("x 1\n");
    for at in 1..=5 {
        let line = format!("line {at}\n");
        ana.write_all(line.as_bytes()).unwrap();
        heard.wait_for(&line);
        assert!(
            !heard.text().contains(" 10000\n"),
            "it was later than the flood"
        );
    }
    let is_whole = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches(" 10000\n").count() == 4;
    let heard = heard.wait_until("the end of all floods", is_whole);
    let heard = String::from_utf8(heard).unwrap();
    for (at, said) in said.iter().enumerate() {
        let flood = heard
            .lines()
            .filter(|line| line.starts_with(&format!("{at}x")));
        assert!(flood.eq(said.lines()), "something of the flood is missing");
    }
    for hub in [one, two] {
        let told = hub.process.stderr.text();
        assert!(!told.contains("did not"), "{told}");
    }
    for saying in saying {
        drop(saying.join().unwrap());
    }
}

#[test]
fn what_is_lost_on_a_bus_that_keeps_nothing_is_counted() {
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let wire = Wire::to(nats.port);
    let url = format!("nats://127.0.0.1:{}/class", wire.port);
    let mut one = hub(&nats.url(), "room1", &["--bus-at-most-once"]);
    let two = hub(&url, "room2", &["--bus-at-most-once"]);
    meet(&[&one, &two], &["room1", "room2"]);
    let heard = Watched::new(two.join_seen());
    one.process.type_in(lines("before", 10));
    heard.wait_for("before 10\n");
    wire.cut();
    two.process.stderr.wait_for("the bus is away");
    let three = hub(&nats.url(), "room3", &["--bus-at-most-once"]);
    one.process.type_in(lines("away", 100));
    three.process.stdout.wait_for("away 100\n");
    wire.mend();
    two.process.stderr.wait_for("the bus is back");
    eventually("it hears again", || {
        one.process.type_in("again\n");
        heard.text().contains("again\n")
    });
    let told = two
        .process
        .stderr
        .wait_for(" of hub room1 did not come here");
    let lost = told.split(" line").find_map(|text| {
        let digits = text.rsplit(' ').next()?;
        digits.parse::<usize>().ok()
    });
    let before = lines("before", 10);
    let text = heard.text();
    assert!(
        text.starts_with(&before) && !text.contains("away"),
        "{text}"
    );
    // Of what was said last, some may have come to nobody too.
    assert!(lost.unwrap() >= 100, "{told}");
}

#[test]
fn what_does_not_fit_in_the_buffer_is_counted_at_every_hub() {
    const COUNT: usize = 5000;
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let wire = Wire::to(nats.port);
    let url = format!("nats://127.0.0.1:{}/class", wire.port);
    let one = hub(&url, "room1", &["--bus-buffer", "128k", "--chat"]);
    let (two, three) = (
        hub(&nats.url(), "room2", &["--broker"]),
        hub(&nats.url(), "room3", &["--broker"]),
    );
    meet(&[&one, &two, &three], &["room1", "room2", "room3"]);
    let heard = [&two, &three].map(|hub| Watched::new(hub.join_seen()));
    let mut ana = one.join_seen();
    ana.write_all(b"/nick Ana\nhello\n").unwrap();
    for heard in &heard {
        heard.wait_for("hello\n");
    }
    wire.cut();
    one.process.stderr.wait_for("the bus is away");
    let said = lines(&"x".repeat(90), COUNT as u32);
    ana.write_all(said.as_bytes()).unwrap();
    one.process.stdout.wait_for(&format!(" {COUNT}\n"));
    wire.mend();
    let lost = |hub: &Hub, told: &str| {
        let text = hub.process.stderr.wait_for(told);
        let (before, _) = text.split_once(told).unwrap();
        before.rsplit(' ').next().unwrap().parse::<usize>().unwrap()
    };
    let own = lost(&one, " lines of [1] did not go to the other hubs");
    assert!(own > COUNT / 2, "{own}");
    for (hub, heard) in [&two, &three].into_iter().zip(&heard) {
        assert_eq!(lost(hub, " lines of Ana@room1 did not come here"), own);
        heard.wait_for(&format!(" {COUNT}\n"));
        let kept = std::iter::once("hello").chain(said.lines().skip(own));
        assert!(heard.text().lines().eq(kept), "it has the last, in order");
    }
}

#[test]
fn a_hub_that_comes_late_has_a_long_history() {
    const COUNT: u32 = 50_000;
    const WANTED: usize = 20_000;
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let (mut one, two) = (
        hub(&nats.url(), "room1", &[]),
        hub(&nats.url(), "room2", &[]),
    );
    meet(&[&one, &two], &["room1", "room2"]);
    let said = lines("line", COUNT);
    one.process.type_in(&said);
    two.process.stdout.wait_for(&format!("line {COUNT}\n"));
    let late = hub(&nats.url(), "late", &["--history", &WANTED.to_string()]);
    late.process.stdout.wait_for(&format!("line {COUNT}\n"));
    let kept: String = said
        .split_inclusive('\n')
        .skip(COUNT as usize - WANTED)
        .collect();
    assert!(late.process.stdout.text() == kept, "not the last lines");
    // As many as a hub keeps for whoever joins.
    let ana = Watched::new(late.join());
    ana.wait_for(&format!("line {COUNT}\n"));
    one.process.type_in("now\n");
    let heard = ana.wait_for("now\n");
    let heard = heard.strip_suffix("now\n").unwrap();
    assert!(kept.ends_with(heard) && heard.len() > 100_000);
}

/// As those are that were idle for longer than the server waits.
#[test]
fn consumers_that_the_server_has_forgotten_are_made_anew() {
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let mut one = hub(&nats.url(), "room1", &[]);
    let two = hub(&nats.url(), "room2", &["--stall-timeout", "1h"]);
    meet(&[&one, &two], &["room1", "room2"]);
    let said = lines(&"x".repeat(1000), 20_000);
    let forget = || {
        let names = nats.ask("$JS.API.CONSUMER.NAMES.MUXNC_class", "");
        let (_, names) = names.split_once("\"consumers\":[").unwrap();
        let names = names.split_once(']').unwrap().0;
        let names: Vec<&str> = names
            .split(',')
            .map(|name| name.trim_matches('"'))
            .collect();
        for name in &names {
            let subject = format!("$JS.API.CONSUMER.DELETE.MUXNC_class.{name}");
            let answer = nats.ask(&subject, "");
            assert!(answer.contains("\"success\":true"), "{answer}");
        }
        names.len()
    };
    // While nothing is said, and while one asks for nothing since its member reads nothing.
    assert_eq!(forget(), 2);
    let mut slow = two.join_seen();
    one.process.type_in(&said);
    two.process
        .stdout
        .wait_until("as much as a room holds", |bytes| bytes.len() > 1 << 20);
    forget();
    let mut all = vec![0; said.len()];
    slow.read_exact(&mut all).unwrap();
    assert!(all == said.as_bytes(), "not what was said");
}

#[test]
fn four_hubs_hear_all_in_order_and_one_that_is_slow_holds_up_nobody() {
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let names = ["room1", "room2", "room3", "room4"];
    let mut hubs: Vec<Hub> = names
        .iter()
        .map(|name| hub(&nats.url(), name, &["--broker", "--stall-timeout", "1h"]))
        .collect();
    meet(&hubs.iter().collect::<Vec<_>>(), &names);
    let heard: Vec<Watched> = hubs
        .iter()
        .map(|hub| Watched::new(hub.join_seen()))
        .collect();
    // Reads nothing.
    let mut slow = hubs[3].join_seen();
    let said = lines(&"x".repeat(200), 30_000);
    let mut talker = hubs[0].join_seen();
    let text = said.clone();
    let talking = thread::spawn(move || {
        talker.write_all(text.as_bytes()).unwrap();
        talker
    });
    for heard in &heard[..3] {
        let heard = heard.wait_until("all", |bytes| bytes.len() >= said.len());
        assert!(heard == said.as_bytes(), "not what was said");
    }
    let _talker = talking.join().unwrap();
    assert!(
        heard[3].bytes().len() < said.len(),
        "it waits for its slow member"
    );
    let mut all = vec![0; said.len()];
    slow.read_exact(&mut all).unwrap();
    assert!(all == said.as_bytes(), "not what was said");
    heard[3].wait_until("all", |bytes| bytes.len() == said.len());
    for (at, hub) in hubs.iter_mut().enumerate() {
        hub.process.type_in(format!("from {at}\n"));
        for heard in &heard {
            heard.wait_for(&format!("from {at}\n"));
        }
    }
}

#[test]
fn a_hub_that_was_killed_and_comes_back_gets_the_history_and_its_name() {
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let mut one = hub(&nats.url(), "room1", &[]);
    let two = hub(&nats.url(), "room2", &[]);
    meet(&[&one, &two], &["room1", "room2"]);
    one.process.type_in("before\n");
    two.process.stdout.wait_for("before\n");
    two.process.signal(rustix::process::Signal::KILL);
    one.process.type_in("meanwhile\n");
    // The name is its own again when the log says that nobody has it any more.
    let two = hub(&nats.url(), "room2", &["--history", "5"]);
    expect_bytes(&mut two.join(), "before\nmeanwhile\n");
    one.process.stderr.wait_for("hub room2 is heard no more");
    let mut taken = muxnc(&["-l", "--bus", &nats.url(), "--bus-name", "room2", "0"]);
    taken.expect_status(1);
    let told = taken.stderr.wait_for("room2 is taken by another hub");
    assert!(told.contains("--bus-name"), "{told}");
    // Before it is known whether it is there.
    let held = "another hub is called room2, or was until a moment ago: waiting ";
    assert!(told.contains(held), "{told}");
}

#[test]
fn what_strangers_publish_is_shown_as_theirs_and_said_to_nobody() {
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let mut one = hub(&nats.url(), "room1", &["--broker"]);
    let two = hub(&nats.url(), "room2", &["--broker"]);
    meet(&[&one, &two], &["room1", "room2"]);
    let mut ana = one.join_seen();
    let mut stranger = connect(nats.port);
    stranger
        .write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n")
        .unwrap();
    let mut publish = |subject: &str, payload: &[u8]| {
        let head = format!("PUB {subject} {}\r\n", payload.len());
        stranger
            .write_all(&[head.as_bytes(), payload, b"\r\n"].concat())
            .unwrap();
    };
    let forged = br#"{"v":1,"hub":"room2","key":"AAAA","seq":9,"first":1,"here":1,"pieces":[{"kind":"said","from":0,"len":5}]}"#;
    publish("muxnc.class.room2", &[&forged[..], b"\nevil\n"].concat());
    publish("muxnc.class.room2", b"\x1b[2J\xff\x00 binary");
    publish("muxnc.class.room9", &vec![b'x'; 900_000]);
    publish("muxnc.class.", b"no hub");
    publish("muxnc.class.a.b", b"");
    for hub in [&one, &two] {
        let told = hub.process.stderr.wait_for("[a stranger on the bus] ");
        assert!(!told.contains('\x1b'), "{told}");
    }
    one.process.type_in("fine\n");
    expect_bytes(&mut ana, "fine\n");
    two.process.stdout.wait_for("fine\n");
    assert_eq!(two.process.stdout.text(), "fine\n");
}

#[test]
fn operators_reach_members_of_other_hubs_as_far_as_those_allow() {
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let two = hub(&nats.url(), "room2", &["--chat", "--bus-trust"]);
    let three = hub(&nats.url(), "room3", &["--chat"]);
    let (mut ben, mut eva) = (two.join_seen(), three.join_seen());
    ben.write_all(b"/nick Ben\n").unwrap();
    let heard_by_ben = Watched::new(ben.try_clone().unwrap());
    heard_by_ben.wait_for("Ben");
    let url = nats.url();
    let mut one = Terminal::muxnc(&["-l", "--bus", &url, "--bus-name", "room1", "0"]);
    one.screen
        .wait_for_all(&["hub room2 came", "hub room3 came"]);
    ben.write_all(b"hello\n").unwrap();
    one.screen.wait_for("[Ben@room2] hello");
    press(&mut one, "/who\r");
    one.screen.wait_for("hub room2: 1 there");
    press(&mut one, "/msg Ben@room2 psst\r");
    heard_by_ben.wait_for("\n<@room1, to you alone> psst\n");
    press(&mut one, "/msg room3/1 hush\r");
    let heard_by_eva = Watched::new(eva.try_clone().unwrap());
    heard_by_eva.wait_for("<@room1, to you alone> hush\n");
    press(&mut one, "/kick room3/1\r");
    three.process.stderr.wait_for("was not done (--bus-trust)");
    press(&mut one, "/mute room3/1\r");
    one.screen.wait_for("room3/1 is neither shown");
    press(&mut one, "/who\r");
    one.screen.wait_for("; muted here: room3/1");
    press(&mut one, "/mute room7/1\r");
    one.screen.wait_for("no other hub is called room7");
    for (line, address) in [
        ("/msg Ben@ psst\r", "Ben@"),
        ("/msg /1 psst\r", "/1"),
        ("/kick @\r", " @"),
    ] {
        press(&mut one, line);
        let told = format!("{address} names no hub: /who lists the others");
        one.screen.wait_for(&told);
    }
    eva.write_all(b"muted\n").unwrap();
    ben.write_all(b"last\n").unwrap();
    let screen = one.screen.wait_for("[Ben@room2] last");
    two.process.stdout.wait_for("<user1@room3> muted");
    assert!(!screen.contains("@room3] muted"), "{screen}");
    press(&mut one, "/kick Ben@room2 spam is not allowed\r");
    two.process
        .stderr
        .wait_for("was cut off by room1: spam is not allowed");
    heard_by_ben.wait_for("* host disconnected you: spam is not allowed (by room1)\n");
    press(&mut one, "/msg Ben,@room2 hi\r");
    one.screen.wait_for("Ben,@room2 has no name");
    // A name that was another's a moment ago may mean that one.
    let eve = two.join_seen();
    let heard_by_eve = Watched::new(eve.try_clone().unwrap());
    (&eve).write_all(b"/nick Ben\n").unwrap();
    heard_by_eve.wait_for("Ben joined");
    press(&mut one, "/msg Ben@room2 secret\r");
    one.screen
        .wait_for("Ben at room2 was somebody else until a moment ago");
    press(&mut one, "/kick Ben@room2\r");
    press(&mut one, "/msg room2/2 by number\r");
    heard_by_eve.wait_for("<@room1, to you alone> by number\n");
    assert!(!heard_by_eve.text().contains("secret"));
    // Who is not there is told by the hub that would know.
    press(&mut one, "/msg Zoe@room3 psst\r");
    one.screen
        .wait_for("nobody at room3 is called Zoe: nothing was done there");
    press(&mut one, "/kick room3/7\r");
    one.screen
        .wait_for("nobody at room3 has number 7: nothing was done there");
}

#[test]
fn records_have_what_is_said_over_the_bus_muted_or_to_one_alone() {
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let (url, folder) = (nats.url(), Folder::new("bus-records"));
    let (here, there) = (folder.path("here"), folder.path("there"));
    let told = folder.path("told");
    let events = [&here, &there].map(|file| format!("json:{file}"));
    let two = hub(
        &url,
        "room2",
        &["--chat", "--events", &events[1], "--transcript", &told],
    );
    let mut ben = two.join_seen();
    let mut one = Terminal::muxnc(&[
        "-l",
        "--bus",
        &url,
        "--bus-name",
        "room1",
        "--events",
        &events[0],
        "0",
    ]);
    one.screen.wait_for("hub room2 came");
    press(&mut one, "/mute room2/1\r");
    one.screen.wait_for("room2/1 is neither shown");
    ben.write_all(b"unseen\n").unwrap();
    press(&mut one, "/msg room2/1 hush\r");
    press(&mut one, "/msg user1@room2 psst\r");
    press(&mut one, "/msg @room2 between us\r");
    two.process.stdout.wait_for("between us");
    let said = |by: &str, hub: &str, peer: &str, text: &str| {
        format!(
            "\"event\":\"said\",\"by\":\"{by}\",{hub}\"peer\":{{{peer},\"lf\":true,\"text\":\"{text}\"}}"
        )
    };
    let of = |hub: &str| format!("\"hub\":\"{hub}\",");
    let ben_there = "\"number\":1,\"address\":\"room2\",\"name\":\"user1\"}";
    let has = |file: &str, wanted: &str| {
        eventually(wanted, || {
            fs::read_to_string(file).unwrap().contains(wanted)
        });
    };
    has(&here, &said("peer", &of("room2"), ben_there, "unseen"));
    let by_number = "\"number\":1,\"address\":\"room2\",\"name\":null}";
    has(&here, &said("operator", "", by_number, "hush"));
    let by_name = ben_there.replace("\"number\":1", "\"number\":0");
    has(&here, &said("operator", "", &by_name, "psst"));
    let operator = "\"number\":0,\"address\":\"room2\",\"name\":null}";
    has(&here, &said("operator", "", operator, "between us"));
    has(
        &there,
        &said("operator", &of("room1"), operator, "between us"),
    );
    let address = ben.local_addr().unwrap();
    let ben_here = format!("\"number\":1,\"address\":\"{address}\",\"name\":\"user1\"}}");
    has(&there, &said("operator", &of("room1"), &ben_here, "psst"));
    has(&told, &format!("\ttold\t1\t{address}\tuser1\tpsst\n"));
    let screen = one.screen.text();
    assert!(!screen.contains("unseen"), "{screen}");
}

#[test]
fn operators_reach_each_other() {
    let Some(mut nats) = Nats::start(&["-js"]) else {
        return;
    };
    let url = nats.url();
    let start = |name: &str, more: &[&str]| {
        let args = ["-l", "--bus", &*url, "--bus-name", name];
        Terminal::muxnc(&[&args[..], more, &["0"]].concat())
    };
    let (mut one, mut two) = (start("room1", &[]), start("room2", &["--chat"]));
    let mut three = hub(&url, "room3", &[]);
    for name in ["room2", "room3"] {
        one.screen.wait_for(&format!("hub {name} came"));
    }
    press(&mut one, "/msg @room2 psst\r");
    two.screen.wait_for("<@room1, to you alone>");
    press(&mut two, "/msg @room1 what?\r");
    one.screen.wait_for("[room2, to you alone]");
    press(&mut one, "/msg room2 psst\r");
    one.screen.wait_for("and a hub is: /msg @room2 TEXT is");
    press(&mut two, "msg @room1 aside\r");
    two.screen.wait_for("msg was not sent: /msg says it");
    press(&mut one, "/kick @room2\r");
    one.screen.wait_for("the operator of room2 stays");
    // Where stdout is a stream of what all say, it does not belong there.
    press(&mut one, "/msg @room3 psst\r");
    three
        .process
        .stderr
        .wait_for("[room1, to you alone] psst\n");
    press(&mut one, "/mute @room2\r");
    one.screen
        .wait_for("the operator of room2 is neither shown");
    press(&mut two, "unheard\r");
    three.process.stdout.wait_for("unheard\n");
    // All hear it in the same order.
    three.process.type_in("behind that\n");
    one.screen.wait_for("behind that");
    press(&mut one, "/unmute @room2\r");
    one.screen
        .wait_for("the operator of room2 is heard here again");
    press(&mut two, "again\r");
    let screen = one.screen.wait_for("] again");
    let is_said = screen.contains("unheard") || screen.contains("aside");
    assert!(!is_said, "{screen}");
    nats.kill();
    one.screen.wait_for("the bus is away");
    press(&mut one, "/msg @room2 late\r");
    one.screen
        .wait_for("the bus is away: nothing was done, and nothing waits for it");
}

#[test]
fn the_unit_beside_a_server_joins_it() {
    let Some(nats) = Nats::start(&["-js"]) else {
        return;
    };
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/dist/systemd/bus.conf");
    let unit = fs::read_to_string(unit).unwrap();
    let (_, options) = unit.split_once("\nEnvironment=\"OPTIONS=").unwrap();
    let options = options.split_once('"').unwrap().0;
    let options = options.replace("4222", &nats.port.to_string());
    let mut command = piped(MUXNC, &["-l", "-v", "127.0.0.1", "0"]);
    let hub = Hub::start_command(command.args(options.split(' ')).stdin(Stdio::null()));
    hub.process.stderr.wait_for("is room1 of class physics now");
}

#[test]
fn what_does_not_go_with_the_bus_is_refused() {
    for (args, told) in [
        (&["--bus", "nats://127.0.0.1/a b"][..], "--bus"),
        (&["--bus", "http://127.0.0.1/a"][..], "nats://"),
        (&["--bus", "nats://127.0.0.1/a", "--once"][..], "--once"),
        (
            &["--bus", "nats://127.0.0.1/a", "--wait-for", "3"][..],
            "--wait-for",
        ),
        (
            &["--bus", "nats://127.0.0.1/a", "--bus-name", "a b"][..],
            "--bus-name",
        ),
        (
            &["--bus-name", "a"][..],
            "--bus-name: that means nothing without --bus",
        ),
    ] {
        let mut process = muxnc(&[&["-l", "0"], args].concat());
        process.expect_status(2);
        process.stderr.wait_for(told);
    }
    // A file is for each hub to send.
    let folder = Folder::new("bus-file");
    fs::write(folder.path("lesson"), "text\n").unwrap();
    let mut command = piped(
        MUXNC,
        &["-l", "--bus", "nats://127.0.0.1:1/a", "127.0.0.1", "0"],
    );
    command.stdin(fs::File::open(folder.path("lesson")).unwrap());
    let mut process = Process::start(&mut command);
    process.expect_status(2);
    process.stderr.wait_for("a hub each, the file on each");
}

#[test]
fn a_class_goes_on_where_there_is_no_server_at_all() {
    let start = Instant::now();
    let args = ["--bus", "nats://127.0.0.1:1/class", "--bus-name", "room1"];
    let mut hub = Hub::start(&[&["-v"], &args[..]].concat());
    hub.process
        .stderr
        .wait_for("the bus is away: connect to 127.0.0.1:1");
    let mut ana = hub.join_seen();
    hub.process.type_in("hello\n");
    expect_bytes(&mut ana, "hello\n");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_server_is_verified_and_knows_who_it_lets_in() {
    if !installed(&["openssl"]) {
        return;
    }
    let folder = Folder::in_temp("nats-tls");
    let (cert, key) = (folder.path("cert.pem"), folder.path("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-subj", "/CN=bus", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-keyout", &key, "-out", &cert])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let secret = ["--user", "ann", "--pass", "s3cret"];
    let tls = ["-js", "--tls", "--tlscert", &cert, "--tlskey", &key];
    let Some(mut nats) = Nats::start(&[&tls[..], &secret].concat()) else {
        return;
    };
    let port = nats.port;
    let url = |login: &str| format!("tls://{login}@127.0.0.1:{port}/class");
    let believes = ["--bus-trustfile", &*cert];
    let mut one = hub(&url("ann:s3cret"), "room1", &believes);
    let two = hub(&url("ann:s3cret"), "room2", &believes);
    meet(&[&one, &two], &["room1", "room2"]);
    one.process.type_in("hello\n");
    two.process.stdout.wait_for("hello\n");
    let start = |login: &str, more: &[&str]| {
        let url = url(login);
        muxnc(
            &[
                &["-l", "--bus", &url, "--bus-name", "room3"],
                more,
                &["127.0.0.1", "0"],
            ]
            .concat(),
        )
    };
    // Where nobody else can read it.
    let bare = format!("tls://127.0.0.1:{port}/class");
    let args = [
        "-l",
        "-v",
        "--bus",
        &bare,
        "--bus-name",
        "room4",
        "--bus-trustfile",
        &cert,
    ];
    let mut command = piped(MUXNC, &args);
    let four = Process::start(command.arg("0").env("MUXNC_BUS_AUTH", "ann:s3cret"));
    four.stderr.wait_for("is room4 of class");
    let mut wrong = piped(MUXNC, &args);
    let mut wrong = Process::start(wrong.arg("0").env("MUXNC_BUS_AUTH", ""));
    wrong.expect_status(2);
    wrong.stderr.wait_for("MUXNC_BUS_AUTH");
    let mut refused = start("ann:other", &believes);
    refused.expect_status(1);
    let told = String::from_utf8(refused.stderr.wait_end()).unwrap();
    assert!(
        told.contains("uthoriz") && !told.contains("other"),
        "{told}"
    );
    let doubts = start("ann:s3cret", &[]);
    doubts
        .stderr
        .wait_for("the bus is away: TLS with 127.0.0.1");
    // It comes back with another password.
    nats.kill();
    let secret = nats.args.iter_mut().find(|arg| *arg == "s3cret").unwrap();
    *secret = String::from("t0psecret");
    nats.start_again();
    one.process.stderr.wait_for(
        "still away: the server says: Authorization Violation (it let this hub in before",
    );
}
