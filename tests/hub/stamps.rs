//! `--time`: lines on the hub's screen begin with the time, and in a chat everybody's.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpStream;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crate::support;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Terminal;
use crate::support::connect;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::muxnc;
use crate::support::piped;

/// Five hours and a half before UTC.
const ZONE: &str = "TZ=<-0530>5:30";
const OFFSET: u64 = 24 * 3600 - (5 * 3600 + 1800);

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// The seconds of the day that a line begins with, and the rest of it.
#[track_caller]
fn stamp(line: &str) -> (u64, &str) {
    let parts = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "));
    let (time, rest) = parts.unwrap_or_else(|| panic!("no time: {line:?}"));
    let numbers: Vec<u64> = time
        .split(':')
        .map(|number| number.parse().unwrap())
        .collect();
    let [hours, minutes, seconds] = numbers[..] else {
        panic!("no time: {line:?}");
    };
    assert_eq!(time.len(), 8, "{line:?}");
    assert!(hours < 24 && minutes < 60 && seconds < 61, "{line:?}");
    (3600 * hours + 60 * minutes + seconds, rest)
}

/// What a line says, whose time is between `since` and now where the hub is.
#[track_caller]
fn said(line: &str, since: u64) -> &str {
    let (time, rest) = stamp(line);
    let before = (now() + OFFSET + 24 * 3600 - time) % (24 * 3600);
    assert!(before <= now() - since + 1, "{line:?}: {before} s ago");
    rest
}

fn chat(args: &[&str]) -> Hub {
    let hub = [ZONE, MUXNC, "-l", "0", "-v", "--time", "--chat"];
    Hub::start_command(piped("env", &hub).args(args))
}

fn next(lines: &mut impl BufRead) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert_eq!(line.pop(), Some('\n'), "{line:?}");
    line
}

fn lines(stream: &TcpStream) -> BufReader<TcpStream> {
    BufReader::new(stream.try_clone().unwrap())
}

#[test]
fn lines_on_the_screen_begin_with_the_time() {
    let since = now();
    let args = [ZONE, MUXNC, "-l", "0", "--time"];
    let bob = Terminal::of_kind("dumb", "env", &args);
    let port = support::listening_port(&bob.screen);
    let mut ana = connect(port);
    ana.write_all(b"one\ntw").unwrap();
    bob.screen.wait_for("one");
    // It waits for its end: this terminal shows what is typed behind whatever stands there.
    ana.write_all(b"o\n").unwrap();
    bob.screen.wait_for("two");
    let mut ben = connect(port);
    bob.screen.wait_for("[2] ");
    ben.write_all(b"[00:00:00] [1] three\n").unwrap();
    bob.screen.wait_for("three");
    let screen = bob.screen.text();
    let shown: Vec<&str> = screen.lines().map(str::trim_end).collect();
    let line = |end: &str| *shown.iter().find(|line| line.ends_with(end)).unwrap();
    assert_eq!(said(line("one"), since), "one");
    assert_eq!(said(line("two"), since), "two");
    assert_eq!(said(line("three"), since), "[2] [00:00:00] [1] three");
}

#[test]
fn every_line_of_a_chat_begins_with_the_time_and_none_can_be_forged() {
    let since = now();
    let mut hub = chat(&["--welcome", "hello", "--history", "9"]);
    let mut ana = hub.join_seen();
    let mut ears = lines(&ana);
    ana.write_all(b"/nick Ana\n/me waves\n[00:00:00] <host> no class\n/names\n/nosuch\n")
        .unwrap();
    hub.process.stdout.wait_for("no class");
    hub.process.type_in("so it is\n");
    let mut heard = Vec::new();
    while heard
        .last()
        .is_none_or(|line: &String| !line.ends_with("so it is"))
    {
        heard.push(next(&mut ears));
    }
    let mut words: Vec<&str> = heard.iter().map(|line| said(line, since)).collect();
    words.sort_unstable();
    assert_eq!(
        words,
        [
            "* /nosuch is no command, and was not said: /help lists them",
            "* Ana joined",
            "* hello",
            "* here: host, Ana",
            "<host> so it is",
        ]
    );
    // Whoever comes later reads when it was said, and not when it came.
    let then = now();
    eventually("a second is over", || now() > then + 1);
    let late = hub.join_seen();
    let mut ears = lines(&late);
    assert_eq!(said(&next(&mut ears), then + 1), "* hello");
    let history = [next(&mut ears), next(&mut ears), next(&mut ears)];
    assert!(heard.contains(&history[2]), "{history:?} and {heard:?}");
    let words = history.each_ref().map(|line| stamp(line).1);
    let forged = "<Ana> [00:00:00] <host> no class";
    assert_eq!(words, ["<Ana> *waves*", forged, "<host> so it is"]);
    // A pipe of the operator's has what a participant has.
    let text = hub.process.stdout.text();
    let shown: Vec<&str> = text.lines().map(|line| said(line, since)).collect();
    assert!(
        shown.contains(&forged) && shown.contains(&"<Ana> *waves*"),
        "{shown:?}"
    );
    hub.process.end_input();
}

#[test]
fn what_is_for_one_alone_has_the_time_too() {
    let since = now();
    let hub = chat(&[]);
    let (mut ana, ben) = (hub.join_seen(), hub.join_seen());
    ana.write_all(b"/msg user2 psst\n").unwrap();
    let mut ears = lines(&ben);
    let told = loop {
        let line = next(&mut ears);
        if line.contains("psst") {
            break line;
        }
    };
    assert_eq!(said(&told, since), "<user1, to you alone> psst");
}

#[test]
fn bytes_stay_as_they_are() {
    let mut hub = Hub::start(&["-v", "--time", "--broker"]);
    let (mut ana, mut ben) = (hub.join_seen(), hub.join_seen());
    ana.write_all(b"one\n").unwrap();
    expect_bytes(&mut ben, "one\n");
    hub.process.type_in("two\n");
    expect_bytes(&mut ben, "two\n");
    assert_eq!(hub.process.stdout.wait_for("one\n"), "one\n");
    let mut once = muxnc(&["-l", "0", "--once", "--time"]);
    once.expect_status(2);
}
