//! The engine of the bus against real servers of NATS, over plain sockets.
#![cfg(feature = "bus")]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::sync::mpsc::TryRecvError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::support::DEADLINE;
use crate::support::Folder;
use crate::support::Process;
use crate::support::eventually;
use crate::support::installed;
use crate::support::piped;
use crate::support::reserved_port;
use muxnc::engine::bus::Bus;
use muxnc::engine::bus::Event;
use muxnc::engine::bus::Fault;
use muxnc::engine::bus::Login;
use muxnc::engine::bus::Server;
use muxnc::engine::bus::Settings;
use muxnc::engine::bus::Speaker;
use socket2::Socket;

/// A nats-server, which can be killed and started again.
struct Nats {
    process: Option<Process>,
    folder: Folder,
    args: Vec<String>,
    port: u16,
    _reserved: Socket,
}

impl Nats {
    fn start(config: &str) -> Nats {
        let folder = Folder::new("nats");
        let (reserved, port) = reserved_port();
        let store = folder.path("store");
        let config = config.replace("STORE", &format!("store_dir: {store:?}"));
        let file = folder.path("nats.conf");
        std::fs::write(&file, format!("listen: \"127.0.0.1:{port}\"\n{config}\n")).unwrap();
        let mut nats = Nats {
            process: None,
            folder,
            args: vec!["-c".into(), file],
            port,
            _reserved: reserved,
        };
        nats.restart();
        nats
    }

    fn restart(&mut self) {
        // It is where only root looks for programs.
        let found = "PATH=$PATH:/usr/sbin exec nats-server \"$@\"";
        let mut command = piped("sh", &["-c", found, "nats-server"]);
        command.args(&self.args).current_dir(&self.folder.0);
        self.process = Some(Process::start(&mut command));
        let port = self.port;
        eventually("the server listens", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
    }

    /// With SIGKILL.
    fn kill(&mut self) {
        self.process = None;
    }

    fn settings(&self, hub: &str) -> Settings {
        Settings {
            class: "maths".into(),
            hub: hub.into(),
            servers: vec![Server {
                host: "127.0.0.1".into(),
                port: self.port,
            }],
            login: Login::None,
            tls: false,
            buffer: 64 * 1024 * 1024,
            at_most_once: false,
            history: 0,
        }
    }

    /// A client that speaks for itself, and what the server answers to its PING.
    fn client(&self, says: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let text = format!("CONNECT {{\"verbose\":false,\"headers\":true}}\r\n{says}PING\r\n");
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains("PONG") {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend(&bytes[..count]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

enum Word {
    Say(u32, String),
    Bye,
}

/// A hub in a thread of its own: what it was told comes as text.
struct Hub {
    words: Sender<Word>,
    told: Receiver<String>,
    lines: BTreeMap<String, Vec<String>>,
    notices: Vec<String>,
}

impl Hub {
    fn start(settings: Settings, number: u8) -> Hub {
        let (words, heard) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || drive(settings, number, &heard, &tell));
        Hub {
            words,
            told,
            lines: BTreeMap::new(),
            notices: Vec::new(),
        }
    }

    fn say(&self, number: u32, line: &str) {
        self.words
            .send(Word::Say(number, format!("{line}\n")))
            .unwrap();
    }

    /// Listens until it is so.
    #[track_caller]
    fn until(&mut self, what: &str, is_so: impl Fn(&Hub) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !is_so(self) {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(text) = self.told.recv_timeout(left) else {
                let counts = self.lines.iter().map(|(who, lines)| (who, lines.len()));
                let counts: Vec<_> = counts.collect();
                panic!("waited in vain for: {what}; {:?} {counts:?}", self.notices);
            };
            match text.strip_prefix("line ") {
                Some(line) => {
                    let (who, line) = line.split_once(' ').unwrap();
                    self.lines.entry(who.into()).or_default().push(line.into());
                }
                None => self.notices.push(text),
            }
        }
    }

    #[track_caller]
    fn until_told(&mut self, notice: &str) {
        self.until(notice, |hub| {
            hub.notices.iter().any(|told| told.starts_with(notice))
        });
    }

    fn count(&self, who: &str) -> usize {
        self.lines.get(who).map_or(0, Vec::len)
    }
}

/// What a hub does in a turn, with a blocking socket.
fn drive(settings: Settings, number: u8, words: &Receiver<Word>, tell: &Sender<String>) {
    let mut bus = Bus::new(settings, [number; 32], Instant::now());
    let mut stream: Option<TcpStream> = None;
    let mut bytes = vec![0; 64 * 1024];
    let mut is_ending = false;
    loop {
        let now = Instant::now();
        if let Some(server) = bus.dial(now) {
            match TcpStream::connect((&server.host[..], server.port)) {
                Ok(new) => {
                    new.set_nodelay(true).unwrap();
                    new.set_read_timeout(Some(Duration::from_millis(2)))
                        .unwrap();
                    stream = Some(new);
                    bus.connected(now);
                }
                Err(error) => bus.lost(&error.to_string(), now),
            }
        }
        let came = match stream.as_mut().map(|stream| stream.read(&mut bytes)) {
            None => {
                thread::sleep(Duration::from_millis(2));
                Ok(())
            }
            Some(Ok(0)) => Err(Fault::Drop("it closed the connection".into())),
            Some(Ok(count)) => bus.received(&bytes[..count], Instant::now()),
            Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Some(Err(error)) => Err(Fault::Drop(error.to_string())),
        };
        for _ in 0..200 {
            match words.try_recv() {
                Ok(Word::Say(number, line)) => {
                    bus.say(Speaker { number, name: None }, line.as_bytes());
                }
                Ok(Word::Bye) => {
                    is_ending = true;
                    bus.bye();
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        let now = Instant::now();
        while let Some(event) = bus.take(true, now) {
            let text = match event {
                Event::Said { speaker, line, .. } => {
                    let line = String::from_utf8_lossy(line);
                    format!(
                        "line {}/{} {}",
                        speaker.hub,
                        speaker.number,
                        line.trim_end()
                    )
                }
                other => format!("{other:?}"),
            };
            let _ = tell.send(text);
        }
        let wrote = came.and_then(|()| bus.turn(now)).and_then(|()| {
            while let Some(stream) = stream.as_mut().filter(|_| !bus.output().is_empty()) {
                match stream.write(bus.output()) {
                    Ok(count) => bus.written(count),
                    Err(error) => return Err(Fault::Drop(error.to_string())),
                }
            }
            Ok(())
        });
        match wrote {
            Ok(()) => {}
            Err(Fault::Drop(why)) => {
                stream = None;
                bus.lost(&why, now);
            }
            Err(Fault::End { why, hint }) => {
                let _ = tell.send(format!("end: {why}; {hint}"));
                return;
            }
        }
        if is_ending && bus.is_flushed() {
            let _ = tell.send("flushed".into());
            return;
        }
    }
}

const STREAMS: &str = "jetstream { STORE }";

#[test]
fn a_server_that_is_killed_loses_nothing() {
    const LINES: usize = 20_000;
    if !installed(&["nats-server"]) {
        return;
    }
    let mut nats = Nats::start(STREAMS);
    let mut hubs = [
        Hub::start(nats.settings("room1"), 1),
        Hub::start(nats.settings("room2"), 2),
    ];
    for hub in &mut hubs {
        hub.until_told("Up");
    }
    for at in 0..LINES {
        for hub in &hubs {
            hub.say(at as u32 % 3, &format!("{at}"));
        }
    }
    for kill in 1..=3 {
        let total = |hub: &Hub| hub.lines.values().map(Vec::len).sum::<usize>();
        hubs[1].until("a part", |hub| total(hub) > kill * LINES / 5);
        nats.kill();
        nats.restart();
    }
    for (at, other) in [(0, "room2"), (1, "room1")] {
        let hub = &mut hubs[at];
        let whose = [0, 1, 2].map(|number| format!("{other}/{number}"));
        hub.until("all lines", |hub| {
            whose.iter().map(|who| hub.count(who)).sum::<usize>() >= LINES
        });
        for (number, who) in whose.iter().enumerate() {
            let expected: Vec<String> = (number..LINES)
                .step_by(3)
                .map(|at| at.to_string())
                .collect();
            assert!(hub.lines[who] == expected, "{who}");
        }
        hub.until_told("Back");
    }
    // All may have been there before the last kill. Who ends while the bus is away, with nothing to tell, says no bye.
    hubs[0].say(3, "it is back");
    hubs[1].until("one more", |hub| hub.count("room1/3") == 1);
    hubs[0].words.send(Word::Bye).unwrap();
    hubs[0].until_told("flushed");
    hubs[1].until_told("Gone { hub: \"room1\", here: 0, clean: true }");
}

#[test]
fn a_late_hub_has_history_and_a_name_has_one_hub() {
    if !installed(&["nats-server"]) {
        return;
    }
    let nats = Nats::start(STREAMS);
    let mut first = Hub::start(nats.settings("room1"), 1);
    first.until_told("Up");
    for at in 0..3000 {
        first.say(1, &format!("{at}"));
    }
    let mut all = Hub::start(
        Settings {
            history: 3000,
            ..nats.settings("all")
        },
        2,
    );
    all.until("all", |hub| hub.count("room1/1") == 3000);
    let mut late = Hub::start(
        Settings {
            history: 10,
            ..nats.settings("late")
        },
        3,
    );
    late.until("ten lines", |hub| hub.count("room1/1") == 10);
    assert_eq!(late.lines["room1/1"][0], "2990");
    let mut rival = Hub::start(nats.settings("room1"), 4);
    rival.until_told("end: room1 is taken by another hub; --bus-name");
    assert!(!rival.notices.contains(&String::from("Up")));
    first.say(1, "still here");
    late.until("one more", |hub| hub.count("room1/1") == 11);
}

#[test]
fn a_server_without_streams_does_what_it_can() {
    if !installed(&["nats-server"]) {
        return;
    }
    let nats = Nats::start("");
    let mut hubs = [
        Hub::start(nats.settings("room1"), 1),
        Hub::start(nats.settings("room2"), 2),
    ];
    for hub in &mut hubs {
        hub.until_told("AtMostOnce");
        hub.until_told("Up");
    }
    for at in 0..1000 {
        hubs[0].say(4, &format!("{at}"));
    }
    hubs[1].until("all lines", |hub| hub.count("room1/4") == 1000);
    hubs[0].words.send(Word::Bye).unwrap();
    hubs[0].until_told("flushed");
    hubs[1].until_told("Gone { hub: \"room1\", here: 0, clean: true }");
}

#[test]
fn strangers_are_shown_as_such_and_do_no_harm() {
    if !installed(&["nats-server"]) {
        return;
    }
    let nats = Nats::start(STREAMS);
    let mut hubs = [
        Hub::start(nats.settings("room1"), 1),
        Hub::start(nats.settings("room2"), 2),
    ];
    for hub in &mut hubs {
        hub.until_told("Up");
    }
    let huge = "x".repeat(1024 * 1024);
    nats.client(&format!(
        "PUB muxnc.maths.room1 2\r\nhi\r\nPUB muxnc.maths.x.y.z 3\r\n\x1b[c\r\n\
         PUB muxnc.maths.room2 {}\r\n{huge}\r\nHPUB muxnc.maths.room1 12 16\r\nNATS/1.0\r\n\r\nhello\r\n",
        huge.len()
    ).replace("12 16\r\nNATS/1.0\r\n\r\nhello", "12 17\r\nNATS/1.0\r\n\r\nhello"));
    for hub in &mut hubs {
        hub.until_told("Stranger { text: \"hi\", count: ");
    }
    hubs[0].say(0, "behind them");
    hubs[1].until("a line", |hub| hub.count("room1/0") == 1);
    assert_eq!(hubs[1].lines.len(), 1);
}

#[test]
fn what_cannot_be_is_told_with_words() {
    if !installed(&["nats-server"]) {
        return;
    }
    let nats = Nats::start("jetstream { STORE }\nauthorization { user: ana, password: \"a@b/c\" }");
    let login = |pass: &str| Login::User {
        user: "ana".into(),
        pass: pass.into(),
    };
    for (login, told) in [
        (Login::None, "end: the server says: Authorization Violation"),
        (
            login("wrong"),
            "end: the server says: Authorization Violation",
        ),
        (login("a@b/c"), "Up"),
    ] {
        Hub::start(
            Settings {
                login,
                ..nats.settings("room1")
            },
            1,
        )
        .until_told(told);
    }
    let nats = Nats::start("jetstream { STORE }\nmax_payload: 100000");
    Hub::start(nats.settings("room1"), 1).until_told("end: the server takes only short messages");

    let nats = Nats::start(STREAMS);
    let make = |name: &str, config: &str| {
        let body = format!("{{\"name\":\"{name}\",\"storage\":\"memory\",{config}}}");
        let all = body.len();
        nats.client(&format!(
            "PUB $JS.API.STREAM.CREATE.{name} {all}\r\n{body}\r\n"
        ));
    };
    make("OTHER", "\"subjects\":[\"muxnc.maths.room1\"]");
    Hub::start(nats.settings("room1"), 1).until_told("end: another stream than MUXNC_maths");
    let settings = |class: &str| Settings {
        class: class.into(),
        ..nats.settings("room1")
    };
    make("MUXNC_a", "\"subjects\":[\"muxnc.a.x\"]");
    Hub::start(settings("a"), 1).until_told("end: the stream MUXNC_a does not keep muxnc.a.>");
    make(
        "MUXNC_b",
        "\"subjects\":[\"muxnc.b.>\"],\"retention\":\"workqueue\"",
    );
    Hub::start(settings("b"), 1).until_told("end: the stream MUXNC_b does not keep what was read");
    make("MUXNC_c", "\"subjects\":[\"muxnc.c.*\"],\"max_msgs\":1000");
    Hub::start(settings("c"), 1).until_told("Up");
}
