//! `--events`: a line of JSON for each thing that happens, for programs.

use std::fs;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use serde_json::Value;

use crate::support;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::Terminal;
use crate::support::connect;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::muxnc;
use crate::support::pipe;
use crate::support::piped;
use crate::support::read_all;

/// A file for events in a folder of its own.
struct Place(Folder, PathBuf);

impl Place {
    fn new(test: &str) -> Place {
        let folder = Folder::new(&format!("events-{test}"));
        let file = folder.0.join("class.json");
        Place(folder, file)
    }

    /// The option's value.
    fn json(&self) -> String {
        format!("json:{}", self.1.display())
    }

    fn events(&self) -> Vec<Value> {
        parsed(&fs::read_to_string(&self.1).unwrap_or_default())
    }

    /// Waits until there is one of that kind.
    #[track_caller]
    fn wait_for(&self, event: &str) -> Value {
        let find = || {
            self.events()
                .into_iter()
                .find(|line| line["event"] == event)
        };
        eventually(&format!("there is an event {event}"), || find().is_some());
        find().unwrap()
    }
}

/// Lines of JSON, each of which begins as all do.
#[track_caller]
fn parsed(text: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| {
        let value: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(value["v"], 1, "{line}");
        let time = value["time"].as_str().expect("a time");
        assert_eq!(time.len(), "2026-11-22T09:11:33.123Z".len(), "{line}");
        value
    });
    lines.collect()
}

/// The kinds of events, in order.
fn kinds(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect()
}

#[test]
fn a_program_reads_what_a_transcript_tells_people() {
    let place = Place::new("class");
    let json = place.json();
    let mut hub = Hub::start(&["-v", "--events", &json]);
    let mut ana = hub.join_seen();
    let addr = ana.local_addr().unwrap().to_string();
    ana.write_all(b"which \"b\x1b[2Jook\"?\r\n\xff\xfe\nand")
        .unwrap();
    hub.process.stdout.wait_for("and");
    hub.process.type_in("the blue\n");
    expect_bytes(&mut ana, "the blue\n");
    hub.process.type_in("one");
    hub.process.end_input();
    read_all(&mut ana);
    drop(ana);
    hub.process.expect_status(0);
    let events = place.events();
    assert_eq!(
        kinds(&events),
        [
            "listening",
            "joined",
            "said",
            "said",
            "said",
            "said",
            "said",
            "left"
        ]
    );
    let place = events[0]["place"].as_str().unwrap();
    assert!(place.contains(&format!(":{}", hub.port)), "{place}");
    assert_eq!(events[1]["peer"]["number"], 1);
    assert_eq!(events[1]["peer"]["address"], addr);
    assert_eq!(events[1]["peer"]["name"], Value::Null);
    let said: Vec<&Value> = events
        .iter()
        .filter(|line| line["event"] == "said")
        .collect();
    let by = |who: &str| {
        let by: Vec<&&Value> = said.iter().filter(|line| line["by"] == who).collect();
        by.into_iter()
            .map(|line| (line["text"].as_str().unwrap(), line["lf"] == true))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        by("peer"),
        [
            ("which \"b\x1b[2Jook\"?\r", true),
            ("\u{fffd}\u{fffd}", true),
            ("and", false)
        ]
    );
    assert_eq!(by("operator"), [("the blue", true), ("one", false)]);
    let odd = said.iter().find(|line| !line["base64"].is_null()).unwrap();
    assert_eq!(
        STANDARD.decode(odd["base64"].as_str().unwrap()).unwrap(),
        b"\xff\xfe"
    );
    let left = events.last().unwrap();
    assert_eq!(left["reason"], "closed");
    assert_eq!((&left["received"], &left["sent"]), (&25.into(), &12.into()));
}

#[test]
fn a_chats_events_have_the_names_and_what_was_asked_for() {
    let place = Place::new("chat");
    let json = place.json();
    let args = ["-l", "0", "--chat", "--events", &json];
    let mut bob = Terminal::of_kind("xterm", support::MUXNC, &args);
    let port = support::listening_port(&bob.screen);
    let mut ana = connect(port);
    ana.write_all(b"hi\n/nick Ana\nit is me\n").unwrap();
    bob.screen.wait_for("it is me");
    support::pause();
    bob.press("/msg Ana psst\r");
    let told = "* user1 joined\n* user1 is now Ana\n<host, to you alone> psst\n";
    expect_bytes(&mut ana, told);
    support::pause();
    bob.press("/kick Ana too loud\r");
    let left = place.wait_for("left");
    assert_eq!(left["reason"], "kicked");
    assert_eq!(left["words"], "cut off by the operator: too loud");
    let events = place.events();
    assert_eq!(
        kinds(&events),
        [
            "listening",
            "joined",
            "said",
            "asked",
            "said",
            "said",
            "left"
        ]
    );
    let names: Vec<&Value> = events[1..]
        .iter()
        .map(|line| &line["peer"]["name"])
        .collect();
    assert_eq!(names, ["user1", "user1", "user1", "Ana", "Ana", "Ana"]);
    assert_eq!(events[3]["text"], "/nick Ana");
    assert_eq!(events[5]["by"], "operator");
    assert_eq!(events[5]["text"], "psst");
}

#[test]
fn who_is_refused_is_told_with_the_reason() {
    let place = Place::new("refused");
    let json = place.json();
    let hub = Hub::start(&["-v", "-m", "1", "--deny", "127.0.0.2", "--events", &json]);
    let _here = hub.join_seen();
    let late = hub.join();
    let denied = support::connect_from(2, hub.port);
    eventually("both are told", || {
        kinds(&place.events())
            .iter()
            .filter(|kind| **kind == "refused")
            .count()
            == 2
    });
    let addrs = [&late, &denied].map(|peer| peer.local_addr().unwrap().to_string());
    for event in place
        .events()
        .iter()
        .filter(|line| line["event"] == "refused")
    {
        match event["reason"].as_str().unwrap() {
            "full" => assert_eq!(event["address"], addrs[0]),
            "not_allowed" => assert_eq!(event["address"], addrs[1]),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_transfer_tells_who_got_it() {
    let place = Place::new("transfer");
    let json = place.json();
    let file = place.0.0.join("sent");
    fs::write(&file, vec![b'x'; 3_000_000]).unwrap();
    let args = ["-l", "0", "-v", "--wait-for", "2", "--events", &json];
    let mut hub =
        Hub::start_command(piped(support::MUXNC, &args).stdin(File::open(&file).unwrap()));
    let mut whole = hub.join();
    let mut part = hub.join();
    expect_bytes(&mut part, [b'x'; 5000]);
    place.wait_for("transfer");
    drop(part);
    assert_eq!(read_all(&mut whole).len(), 3_000_000);
    drop(whole);
    hub.process.expect_status(1);
    let events = place.events();
    let begun = events
        .iter()
        .find(|line| line["event"] == "transfer")
        .unwrap();
    assert_eq!(begun["state"], "begun");
    let ended = events
        .iter()
        .rfind(|line| line["event"] == "transfer")
        .unwrap();
    assert_eq!(ended["state"], "ended");
    assert_eq!(ended["bytes"], 3_000_000);
    assert_eq!(ended["receivers"], 2);
    assert_eq!(ended["whole"], 1);
    let mut missing: Vec<u64> = events
        .iter()
        .filter(|line| line["event"] == "receiver")
        .map(|line| line["missing"].as_u64().unwrap())
        .collect();
    missing.sort_unstable();
    assert_eq!(missing.len(), 2, "{events:?}");
    assert!(!kinds(&events).contains(&"said"), "the file is in it");
    assert_eq!(missing[0], 0);
    assert!((1..3_000_000).contains(&missing[1]), "{missing:?}");
}

#[test]
fn whoever_is_here_at_the_end_has_left_too() {
    let place = Place::new("end");
    let json = place.json();
    let mut hub = Hub::start(&["-v", "--events", &json]);
    let mut ana = hub.join_seen();
    ana.write_all(b"words").unwrap();
    hub.process.stdout.wait_for("words");
    hub.process.signal(Signal::TERM);
    hub.process.wait();
    let left = place.wait_for("left");
    assert_eq!(left["reason"], "ended");
    assert_eq!(left["received"], 5);
    // What was not ended was said.
    assert_eq!(place.wait_for("said")["text"], "words");
}

/// Here for the rate, in which it may say so much more.
#[test]
fn what_was_not_read_of_one_is_in_its_event() {
    const SAID: u64 = 20_000;
    let place = Place::new("unread");
    let json = place.json();
    let mut hub = Hub::start(&["--rate", "1k", "--events", &json]);
    let mut ana = hub.join();
    ana.write_all(&[b'x'; SAID as usize]).unwrap();
    hub.process.stdout.wait_for("xxx");
    hub.process.signal(Signal::TERM);
    hub.process.wait();
    let left = place.wait_for("left");
    let (received, unread) = (left["received"].as_u64(), left["unread"].as_u64());
    assert_eq!(received.unwrap() + unread.unwrap(), SAID, "{left}");
}

#[test]
fn the_last_events_are_on_stdout_too() {
    let folder = Folder::new("events-stdout");
    let file = folder.0.join("sent");
    fs::write(&file, vec![b'x'; 300_000]).unwrap();
    let args = ["-l", "0", "--wait-for", "1", "--events", "json:-"];
    let mut hub =
        Hub::start_command(piped(support::MUXNC, &args).stdin(File::open(&file).unwrap()));
    let mut ana = hub.join();
    assert_eq!(read_all(&mut ana).len(), 300_000);
    drop(ana);
    hub.process.expect_status(0);
    let events = parsed(&String::from_utf8(hub.process.stdout.wait_end()).unwrap());
    let last: Vec<&str> = kinds(&events).into_iter().rev().take(3).collect();
    assert_eq!(last, ["transfer", "receiver", "left"]);
    for signal in [Signal::TERM, Signal::INT] {
        let mut hub = Hub::start(&["-v", "--events", "json:-"]);
        let _ana = hub.join_seen();
        hub.process.signal(signal);
        hub.process.wait();
        let events = parsed(&String::from_utf8(hub.process.stdout.wait_end()).unwrap());
        assert_eq!(kinds(&events), ["listening", "joined", "left"]);
    }
}

#[test]
fn one_peer_has_events_too() {
    let place = Place::new("once");
    let json = place.json();
    let mut hub = Hub::start(&["--once", "--events", &json]);
    let mut ana = hub.join();
    ana.write_all(b"hello\nwor").unwrap();
    hub.process.stdout.wait_for("hello\n");
    hub.process.type_in("hi\n");
    expect_bytes(&mut ana, "hi\n");
    hub.process.end_input();
    drop(ana);
    hub.process.expect_status(0);
    let events = place.events();
    assert_eq!(
        kinds(&events),
        ["listening", "joined", "said", "said", "said", "left"]
    );
    assert_eq!(events[5]["reason"], "closed");
    assert_eq!(
        (&events[5]["received"], &events[5]["sent"]),
        (&9.into(), &3.into())
    );
}

#[test]
fn how_one_peer_came_to_leave_is_told_as_at_a_hub() {
    for (args, ended, reason) in [
        (&[][..], Some(Signal::TERM), "ended"),
        (&[], Some(Signal::HUP), "ended"),
        (&["-i", "500ms"], None, "idle"),
    ] {
        let place = Place::new("once-left");
        let json = place.json();
        let mut hub = Hub::start(&[&["--once", "--events", &json], args].concat());
        let mut ana = hub.join();
        ana.write_all(b"hello\n").unwrap();
        hub.process.stdout.wait_for("hello\n");
        ended
            .into_iter()
            .for_each(|signal| hub.process.signal(signal));
        hub.process.wait();
        let events = place.events();
        let left = events.last().unwrap();
        assert_eq!(
            (&left["event"], &left["reason"]),
            (&"left".into(), &reason.into())
        );
    }
}

/// A shell opens a descriptor, and so does whoever starts programs.
#[test]
fn a_descriptor_may_be_a_file_a_pipe_or_a_socket() {
    let place = Place::new("descriptor");
    let run = |redirection: &str| {
        let script = format!("exec \"$0\" -l 0 -v --events json:fd:7 {redirection}");
        let file = place.1.to_str().unwrap();
        let mut command = piped("sh", &["-c", &script, support::MUXNC, file]);
        let hub = Hub::start_command(&mut command);
        let mut ana = hub.join_seen();
        ana.write_all(b"words\n").unwrap();
        hub
    };
    fs::write(
        &place.1,
        "{\"v\":1,\"time\":\"2026-11-22T09:11:33.123Z\",\"event\":\"old\"}\n",
    )
    .unwrap();
    let hub = run("7>>\"$1\"");
    place.wait_for("said");
    drop(hub);
    assert_eq!(place.events()[0]["event"], "old");
    let hub = run("7>&1 >/dev/null");
    hub.process.stdout.wait_for("\"text\":\"words\"");
    assert_eq!(parsed(&hub.process.stdout.text())[0]["event"], "listening");
    drop(hub);
    if !installed(&["python3"]) {
        return;
    }
    let program = "\
import json, socket, subprocess, sys
ours, theirs = socket.socketpair()
fd = theirs.fileno()
hub = subprocess.Popen([sys.argv[1], '-l', '0', '--events', f'json:fd:{fd}'],
                       stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, pass_fds=[fd])
theirs.close()
lines = ours.makefile(encoding='utf-8')
port = int(json.loads(next(lines))['place'].split(' ')[0].rsplit(':')[-1])
peer = socket.create_connection(('127.0.0.1', port))
peer.sendall(b'w\\xc3\\xb6rds\\n')
for line in lines:
    event = json.loads(line)
    if event['event'] == 'said':
        print(event['peer']['number'], event['text'])
        hub.terminate()
";
    let python = piped("python3", &["-c", program, support::MUXNC])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&python.stdout), "1 w\u{f6}rds\n");
}

/// A program that starts it waits for the port before anybody can come; and whatever stands in the file is ended first.
#[test]
fn a_hub_for_one_tells_at_once_that_it_listens() {
    let folder = Folder::new("events-once");
    let file = folder.path("events");
    for (place, redirection) in [("fd:7", "7>>\"$1\""), ("-", ">>\"$1\"")] {
        fs::write(&file, if place == "-" { "" } else { "{\"torn" }).unwrap();
        let script = format!("exec \"$0\" -l --once --events json:{place} 0 {redirection}");
        let sh = ["-c", &script, support::MUXNC, &file];
        let _hub = support::Process::start(&mut piped("sh", &sh));
        let listens = |text: &str| text.lines().last().is_some_and(|line| line.ends_with('}'));
        eventually("it is told", || {
            listens(&fs::read_to_string(&file).unwrap())
        });
        let text = fs::read_to_string(&file).unwrap();
        let event = text.strip_prefix("{\"torn\n").unwrap_or(&text);
        assert!(
            event.starts_with("{\"v\":1,") && event.contains("\"event\":\"listening\""),
            "{text:?}"
        );
    }
}

/// What participants say would stand between the events.
#[test]
fn events_do_not_go_where_stdout_goes() {
    for redirection in ["7>&1", "7>\"$1\" >\"$1\""] {
        let folder = Folder::new("events-stdout");
        let script = format!("exec \"$0\" -l 0 --events json:fd:7 {redirection}");
        let sh = ["-c", &script, support::MUXNC, &folder.path("file")];
        let mut hub = support::Process::start(&mut piped("sh", &sh));
        hub.expect_status(1);
        let told = "open descriptor 7: it is the file that stdout is written to";
        let said = hub.stderr.text();
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn what_is_no_place_for_events_is_explained() {
    for (value, status, told) in [
        ("class.json", 2, "write json:class.json"),
        ("json", 2, "write json:FILE"),
        ("json:fd:three", 2, "a descriptor is a number"),
        (
            "json:fd:33",
            1,
            "write to descriptor 33: bad file descriptor",
        ),
        ("json:/nowhere/class.json", 1, "no such file or directory"),
    ] {
        let mut hub = muxnc(&["-l", "0", "--events", value]);
        hub.expect_status(status);
        let said = hub.stderr.text();
        assert!(said.contains(told), "{value}: {said}");
    }
    // A terminal's rows have an owner, and a record is no row.
    let (_master, terminal) = support::pty();
    let script = "exec \"$0\" -l 0 --events json:fd:7 7>&0";
    let mut hub = piped("sh", &["-c", script, support::MUXNC]);
    let mut hub = support::Process::start(hub.stdin(terminal));
    hub.expect_status(1);
    let said = hub.stderr.text();
    let told = "muxnc: write to descriptor 7: it is a terminal";
    assert!(said.starts_with(told), "{said}");
    // It is there, but is read from.
    let script = "exec \"$0\" -l 0 --events json:fd:7 7</dev/null";
    let mut hub = support::Process::start(&mut piped("sh", &["-c", script, support::MUXNC]));
    hub.expect_status(1);
    // It is not there; but what is opened meanwhile gets that number.
    let script = "exec \"$0\" -l 0 --events json:fd:3 3>&-";
    let mut hub = support::Process::start(&mut piped("sh", &["-c", script, support::MUXNC]));
    hub.expect_status(1);
    let said = hub.stderr.text();
    assert!(
        said.starts_with("muxnc: write to descriptor 3: bad file descriptor"),
        "{said}"
    );
    let mut participant = muxnc(&["--events", "json:-", "127.0.0.1", "1"]);
    participant.expect_status(2);
    assert!(participant.stderr.text().contains("that is for a hub"));
    let mut two = muxnc(&["-l", "0", "--events", "json:-", "--transcript", "-"]);
    two.expect_status(2);
    assert!(two.stderr.text().contains("two records on stdout"));
}

#[test]
fn on_stdout_they_stand_for_what_is_said() {
    let mut hub = Hub::start(&["-v", "--events", "json:-"]);
    let mut ana = hub.join_seen();
    ana.write_all(b"hello\n").unwrap();
    hub.process.stdout.wait_for("\"text\":\"hello\"}\n");
    hub.process.type_in("bye\n");
    hub.process.end_input();
    read_all(&mut ana);
    drop(ana);
    hub.process.expect_status(0);
    let events = parsed(&hub.process.stdout.text());
    assert_eq!(
        kinds(&events),
        ["listening", "joined", "said", "said", "left"]
    );
}

#[test]
fn a_file_of_events_can_be_rotated() {
    let place = Place::new("rotation");
    let json = place.json();
    let mut command = piped(support::MUXNC, &["-l", "0", "-v", "--events", &json]);
    let hub = Hub::start_command(command.stdin(Stdio::null()));
    let mut ana = hub.join_seen();
    ana.write_all(b"before\n").unwrap();
    place.wait_for("said");
    let old = place.0.0.join("old");
    fs::rename(&place.1, &old).unwrap();
    hub.process.signal(Signal::HUP);
    hub.process
        .stderr
        .wait_for("SIGHUP: the records were opened anew");
    ana.write_all(b"after\n").unwrap();
    assert_eq!(place.wait_for("said")["text"], "after");
    assert_eq!(
        kinds(&parsed(&fs::read_to_string(old).unwrap())),
        ["listening", "joined", "said"]
    );
}

/// The class waits for no reader of events, and the reader is told what it missed.
#[test]
fn what_a_slow_reader_misses_is_told_where_it_is_missing() {
    let (reader, writer) = pipe();
    let script = "exec \"$0\" -l 0 -v --events json:fd:7 7>&1 >/dev/null";
    let mut command = piped("sh", &["-c", script, support::MUXNC]);
    let mut hub = Hub::start_command(command.stdout(writer));
    drop(command);
    let mut ana = hub.join_seen();
    let line = [&[b'x'; 99][..], b"\n"].concat();
    const LINES: usize = 30_000;
    for _ in 0..LINES / 100 {
        ana.write_all(&line.repeat(100)).unwrap();
    }
    ana.write_all(b"the last\n").unwrap();
    hub.process.type_in("can you hear me?\n");
    expect_bytes(&mut ana, "can you hear me?\n");
    support::wait_at_rest(&hub.process);
    let (mut said, mut lost) = (0, 0);
    let mut lines = BufReader::new(reader).lines();
    while lost == 0 {
        let event = &parsed(&lines.next().expect("it goes on").unwrap())[0];
        said += u64::from(event["event"] == "said");
        if event["event"] == "lost" {
            lost = event["lines"].as_u64().unwrap();
        }
    }
    // What anybody says now is there, and each line before is there or counted.
    ana.write_all(b"after\n").unwrap();
    for line in lines {
        let event = &parsed(&line.unwrap())[0];
        if event["text"] == "after" {
            break;
        }
        said += u64::from(event["event"] == "said");
    }
    assert_eq!(said + lost, LINES as u64 + 2, "{said} and {lost}");
}

#[test]
fn jq_reads_them() {
    if !installed(&["jq"]) {
        return;
    }
    let place = Place::new("jq");
    let json = place.json();
    let hub = Hub::start(&["-v", "--broker", "--events", &json]);
    let (mut ana, mut ben) = (hub.join_seen(), hub.join_seen());
    ana.write_all(b"caf\xc3\xa9\n").unwrap();
    expect_bytes(&mut ben, "caf\u{e9}\n");
    ben.write_all(b"caf\xe9\n").unwrap();
    expect_bytes(&mut ana, b"caf\xe9\n");
    eventually("both are there", || kinds(&place.events()).len() == 5);
    let jq = |filter: &str| {
        let out = piped("jq", &["-r", filter, place.1.to_str().unwrap()])
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let filter = "select(.event == \"said\" and .by == \"peer\") | [.peer.number, .text] | @tsv";
    assert_eq!(jq(filter), "1\tcaf\u{e9}\n2\tcaf\u{fffd}\n");
    assert_eq!(jq("select(.base64) | .base64"), "Y2Fm6Q==\n");
}
