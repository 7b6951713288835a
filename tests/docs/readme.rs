//! README.md: from a fresh clone to a running class.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rustix::process::Signal;

use super::blocks::blocks;
use super::stage::Stage;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::Watched;
use crate::support::contains;
use crate::support::has_in_order;
use crate::support::installed;
use crate::support::piped;
use crate::support::without_marks;

const README: &str = "README.md";

/// The scenarios below. A block of any other name is a command that nobody runs.
const SCENARIOS: [&str; 18] = [
    "three", "demo", "exercise", "http", "explain", "send", "receive", "collect", "chat", "log",
    "request", "free", "health", "proxy", "unix", "tls", "web", "download",
];

/// Whose links are looked at.
const DOCUMENTS: [&str; 9] = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/ARCHITECTURE.md",
    "docs/EVENTS.md",
    "docs/RELEASING.md",
    "docs/TEACHING.md",
    "docs/WEB.md",
];

#[test]
fn every_block_is_of_a_scenario_and_every_scenario_has_a_block() {
    let named: BTreeSet<String> = blocks(README).into_iter().map(|b| b.scenario).collect();
    let run: BTreeSet<String> = SCENARIOS.iter().map(ToString::to_string).collect();
    assert_eq!(named, run);
}

#[test]
fn what_it_links_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in DOCUMENTS {
        let text = fs::read_to_string(root.join(document)).unwrap();
        let beside = root.join(document).parent().unwrap().to_owned();
        // Files are also named without a link.
        for span in text.split('`').skip(1).step_by(2) {
            let places = [
                "benches/",
                "dist/",
                "docs/",
                "examples/",
                "scripts/",
                "src/",
                "tests/",
            ];
            let is_file = places.iter().any(|place| span.starts_with(place)) && !span.contains(' ');
            assert!(!is_file || root.join(span).exists(), "{document}: `{span}`");
        }
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = match file {
                "" => root.join(document),
                _ => beside.join(file),
            };
            assert!(file.exists(), "{document}: {link}");
            if anchor.is_empty() {
                continue;
            }
            let text = fs::read_to_string(file).unwrap();
            let anchors = text.lines().filter(|line| line.starts_with('#'));
            let found = anchors.map(anchor_of).any(|found| found == anchor);
            assert!(found, "{document}: no heading for {link}");
        }
    }
}

#[test]
fn every_option_has_a_row_for_those_who_come_from_nc() {
    let text = fs::read_to_string(super::blocks::path(README)).unwrap();
    let section = text.split("\n## Coming from nc").nth(1).unwrap();
    let table = section.split("What differs on purpose").next().unwrap();
    let mentioned: BTreeSet<&str> = table
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .collect();
    for option in muxnc::cli::command().get_arguments() {
        let long = option.get_long().map(|long| format!("--{long}"));
        let short = option.get_short().map(|short| format!("-{short}"));
        let names: Vec<String> = long.into_iter().chain(short).collect();
        if names.is_empty() || option.is_hide_set() || option.get_help_heading().is_none() {
            continue;
        }
        let found = names.iter().any(|name| mentioned.contains(name.as_str()));
        assert!(found, "{names:?} has no row in README's table");
    }
}

/// How a heading is named in links.
fn anchor_of(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words
        .chars()
        .filter(|&c| c.is_alphanumeric() || c == ' ' || c == '-');
    kept.collect::<String>().replace(' ', "-")
}

/// Requires that each line of the document is on the screen, digits aside: ports differ.
#[track_caller]
pub(super) fn expect_shown(screen: &str, shown: &[String]) {
    let screen = &without_marks(screen);
    let digits = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0");
    for line in shown.iter().filter(|line| *line != "...") {
        assert!(
            digits(screen).contains(&digits(line)),
            "'{line}' is not on the screen:\n{screen}"
        );
    }
}

/// Text in which blanks, numbers and times are as in any other run, and no row is folded: a folded one
/// begins with who says it again.
fn as_explained(text: &str) -> String {
    let is_time = |word: &str| {
        let number = word.trim_end_matches([',', ';', ':']);
        let number = number.trim_end_matches(['s', 'm', 'n', 'µ']);
        number.parse::<f64>().is_ok() && word.contains('s')
    };
    let words = text.split_whitespace().filter(|word| *word != "muxnc:");
    let words = words.map(|word| match is_time(word) {
        true => String::from("TIME"),
        false => {
            let mut digits = word.replace(|c: char| c.is_ascii_digit(), "0");
            while digits.contains("00") {
                digits = digits.replace("00", "0");
            }
            digits
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Waits until all of these lines were told, in this order.
#[track_caller]
pub(super) fn expect_explained(told: &Watched, lines: &[String]) {
    let wanted: Vec<String> = lines.iter().map(|line| as_explained(line)).collect();
    told.wait_until(&lines.join("\n"), |bytes| {
        let text = as_explained(&without_marks(&String::from_utf8_lossy(bytes)));
        has_in_order(&text, &wanted)
    });
}

/// A request typed line by line, and what is told of it: all that is shown, in order.
#[track_caller]
pub(super) fn explained_in(document: &str) {
    let Some(stage) = Stage::new(document, "explain", &[]) else {
        return;
    };
    let typed = stage.next_shown("muxnc --explain -C");
    let mut alice = stage.start("alice", &typed.command);
    let (mut told, mut is_request) = (Vec::new(), true);
    for line in typed.shown.iter().filter(|line| *line != "...") {
        if line.starts_with("muxnc: ") {
            told.push(line.clone());
            expect_explained(&alice.stderr, &told);
        } else if is_request {
            alice.type_in(format!("{line}\n"));
            is_request = !line.is_empty();
        } else {
            alice.stdout.wait_for(line);
        }
    }
}

#[test]
fn what_have_i_done() {
    explained_in(README);
}

#[test]
fn three_commands() {
    let Some(stage) = Stage::new(README, "three", &[]) else {
        return;
    };
    let mut bob = stage.sit("bob", &stage.next("muxnc -l 3000"));
    bob.screen.wait_for("to join: nc 192.0.2.7 3000");
    let mut alice = stage.sit("alice", &stage.next("muxnc 192.0.2.7 3000"));
    bob.screen.wait_for("joined, 1 here");
    talk(&mut bob, &mut alice);
    let mut web = stage.start("alice", &stage.next("muxnc example.org 80"));
    web.type_in("GET / HTTP/1.0\r\n\r\n");
    web.stdout.wait_for("HTTP/1.1 200 OK\r\n");
    web.end_input();
    web.expect_status(0);
}

/// The exercise: what one types, the other reads.
#[track_caller]
fn talk(bob: &mut Terminal, alice: &mut Terminal) {
    alice.press("Hello\r");
    bob.screen.wait_for("Hello");
    bob.press("World\r");
    alice.screen.wait_for("World");
}

#[test]
fn the_demo() {
    if !installed(&["tmux"]) {
        return;
    }
    let commands: Vec<String> = blocks(README)
        .into_iter()
        .filter(|block| block.scenario == "demo")
        .flat_map(|block| block.commands)
        .map(|typed| typed.command)
        .collect();
    assert_eq!(commands, ["scripts/demo-class"]);
    // What it shows is the business of tests/demo.rs.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(&commands[0]);
    let mut help = Process::start(&mut piped(script, &["--help"]));
    help.expect_status(0);
}

#[test]
fn the_exercise() {
    let programs = ["nc", "ncat", "telnet", "socat"];
    let Some(stage) = Stage::new(README, "exercise", &programs) else {
        return;
    };
    let listen = stage.next_shown("muxnc -l 3000");
    let mut bob = stage.sit("bob", &listen.command);
    let screen = bob.screen.wait_for("to join: nc 192.0.2.7 3000");
    expect_shown(&screen, &listen.shown);
    let join = stage.next_shown("muxnc 192.0.2.7 3000");
    let mut alice = stage.sit("alice", &join.command);
    let screen = alice.screen.wait_for("Ctrl-C leaves)");
    expect_shown(&screen, &join.shown);
    bob.screen.wait_for("joined, 1 here");
    talk(&mut bob, &mut alice);
    let mut class = Vec::new();
    for (i, begin) in ["nc ", "ncat ", "telnet ", "socat - "]
        .into_iter()
        .enumerate()
    {
        let mut other = stage.sit(begin.trim(), &stage.next(begin));
        bob.screen.wait_for(&format!("joined, {} here", i + 2));
        other.press(format!("{begin}was here\r"));
        bob.screen.wait_for(&format!("{begin}was here"));
        class.push(other);
    }
    bob.press("Welcome\r");
    for other in class.iter().chain([&alice]) {
        other.screen.wait_for("Welcome");
    }
    bob.press("\x03");
    alice
        .screen
        .wait_for("muxnc:\x1b[0m 192.0.2.7:3000 closed the connection");
    alice.process.expect_status(0);
}

#[test]
fn http_by_hand() {
    http_by_hand_in(README, &["muxnc -C", "nc -C"]);
}

/// Types the requests of a document, and reads the answers.
#[track_caller]
pub(super) fn http_by_hand_in(document: &str, begins: &[&str]) {
    let Some(stage) = Stage::new(document, "http", &["nc"]) else {
        return;
    };
    for begin in begins {
        let typed = stage.next_shown(begin);
        let mut alice = stage.sit("alice", &typed.command);
        let mut lines = typed.shown.iter();
        // The request, to its empty line; then what the server answers.
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            alice.press(format!("{line}\r"));
        }
        alice.press("\r");
        for line in lines.filter(|line| *line != "...") {
            alice.screen.wait_for(line);
        }
    }
}

#[test]
fn a_file_to_the_whole_class() {
    let Some(stage) = Stage::new(README, "send", &["sha256sum"]) else {
        return;
    };
    let lesson: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
    fs::write(stage.home("bob").join("lesson.pdf"), &lesson).unwrap();
    let mut bob = stage.start("bob", &stage.next("muxnc -l --wait-for 30 3000 <"));
    stage.wait_listening(3000);
    let join = stage.next("muxnc 192.0.2.7 3000 > lesson.pdf");
    let names: Vec<String> = (1..=30).map(|i| format!("student{i}")).collect();
    let mut class: Vec<Process> = names.iter().map(|name| stage.start(name, &join)).collect();
    for participant in &mut class {
        // Nobody here has more to say.
        participant.end_input();
        participant.expect_status(0);
    }
    bob.expect_status(0);
    let hash = stage.next("sha256sum lesson.pdf");
    let ours = stage.run("bob", &hash);
    assert_eq!(ours.len(), "  lesson.pdf\n".len() + 64);
    for name in names {
        assert_eq!(stage.run(&name, &hash), ours);
    }
}

#[test]
fn the_same_file_to_phones() {
    let Some(stage) = Stage::new(README, "download", &["curl", "nc"]) else {
        return;
    };
    let lesson: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
    fs::write(stage.home("bob").join("lesson.pdf"), &lesson).unwrap();
    let both = stage.next("muxnc -l --web 8080 3000 < lesson.pdf");
    let alone = stage.next("muxnc -l --web 8080 < lesson.pdf");
    let fetch = stage.next("curl -C - -O http://192.0.2.7:8080/file");
    let mut bob = stage.start("bob", &both);
    stage.wait_listening(8080);
    let page = stage.run("carla", "curl -sS http://192.0.2.7:8080/");
    assert!(page.contains("<bdi>lesson.pdf</bdi>"), "{page}");
    stage.run("carla", &fetch);
    stage.run("alice", "nc 192.0.2.7 3000 > file");
    bob.expect_status(0);
    let _bob = stage.start("bob", &alone);
    stage.wait_listening(8080);
    fs::write(stage.home("dana").join("file"), &lesson[..300_000]).unwrap();
    stage.run("dana", &fetch);
    for who in ["alice", "carla", "dana"] {
        assert!(
            fs::read(stage.home(who).join("file")).unwrap() == lesson,
            "{who}"
        );
    }
}

#[test]
fn a_file_from_one_participant() {
    let Some(stage) = Stage::new(README, "receive", &["nc"]) else {
        return;
    };
    fs::write(
        stage.home("alice").join("homework.txt"),
        "the answer is 42\n",
    )
    .unwrap();
    let listen = stage.next("muxnc -l --once 3000 > homework.txt");
    for begin in ["muxnc 192.0.2.7 3000 <", "nc -N 192.0.2.7 3000 <"] {
        let received = stage.home("bob").join("homework.txt");
        let _ = fs::remove_file(&received);
        let mut bob = stage.start("bob", &listen);
        stage.wait_listening(3000);
        // Bob has nothing to say.
        bob.end_input();
        stage.run("alice", &stage.next(begin));
        bob.expect_status(0);
        assert_eq!(fs::read(&received).unwrap(), b"the answer is 42\n");
    }
}

#[test]
fn everybodys_answers_in_a_file() {
    let Some(stage) = Stage::new(README, "collect", &[]) else {
        return;
    };
    let mut bob = stage.start(
        "bob",
        &stage.next("muxnc -l 3000 < /dev/null > answers.txt"),
    );
    stage.wait_listening(3000);
    let answer = stage.next("echo 'Ana: 42' | muxnc --send-only 192.0.2.7 3000");
    for name in ["ana", "eve"] {
        stage.run(name, &answer);
    }
    let answers = stage.home("bob").join("answers.txt");
    crate::support::eventually("both answers are there", || {
        fs::read(&answers).unwrap() == b"Ana: 42\nAna: 42\n"
    });
    stage.signal(&bob, Signal::INT);
    bob.wait();
}

#[test]
fn a_chat_room() {
    let Some(stage) = Stage::new(README, "chat", &["nc"]) else {
        return;
    };
    let mut bob = stage.start(
        "bob",
        &stage.next("muxnc -l --chat --name Bob --transcript"),
    );
    stage.wait_listening(3000);
    let join = stage.next("nc 192.0.2.7 3000");
    let mut alice = stage.start("alice", &join);
    stage.wait_connected(3000, 1);
    let mut carol = stage.start("carol", &join);
    alice.stdout.wait_for("* user2 joined\n");
    alice.type_in("/nick Ana\nwhat is a socket?\n");
    carol.stdout.wait_for("<Ana> what is a socket?\n");
    bob.type_in("one end of a connection\n");
    carol.stdout.wait_for("<Bob> one end of a connection\n");
    carol.type_in("thanks\n");
    alice.stdout.wait_for("<user2> thanks\n");
    let minutes = stage.home("bob").join("minutes.txt");
    crate::support::eventually("the minutes are kept", || {
        let minutes = fs::read(&minutes).unwrap();
        contains(&minutes, b"\tAna\twhat is a socket?\n") && contains(&minutes, b"\tthanks\n")
    });
}

#[test]
fn a_log_to_whoever_is_there() {
    let Some(stage) = Stage::new(README, "log", &["tail"]) else {
        return;
    };
    let log = stage.home("bob").join("app.log");
    fs::write(&log, "before\n").unwrap();
    let _bob = stage.start("bob", &stage.next("tail -n 0 -f app.log | muxnc -l"));
    stage.wait_listening(3000);
    let alice = stage.start("alice", "muxnc 192.0.2.7 3000");
    stage.wait_connected(3000, 1);
    // tail may not have begun to look yet.
    crate::support::eventually("a line arrives", || {
        let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
        std::io::Write::write_all(&mut file, b"it happened\n").unwrap();
        contains(&alice.stdout.bytes(), b"it happened\n")
    });
    assert!(!contains(&alice.stdout.bytes(), b"before"));
}

#[test]
fn one_request() {
    let Some(stage) = Stage::new(README, "request", &[]) else {
        return;
    };
    let answer = stage.run("alice", &stage.next("printf 'GET / HTTP/1.0"));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nHello\n"), "{answer}");
}

#[test]
fn is_it_there() {
    let Some(stage) = Stage::new(README, "health", &[]) else {
        return;
    };
    let check = stage.next("muxnc -z -w 2s 192.0.2.7 3000 &&");
    let mut nobody = stage.start("alice", &check);
    nobody.expect_status(1);
    assert_eq!(nobody.stdout.text(), "");
    let mut wait = stage.start("alice", &stage.next("until muxnc -z"));
    wait.stderr.wait_for("connection refused");
    assert!(wait.is_running());
    let bob = stage.start("bob", "muxnc -l -v 3000");
    bob.stderr.wait_for("listening on");
    wait.expect_status(0);
    assert_eq!(stage.run("alice", &check), "the hub is there\n");
}

#[test]
fn through_a_proxy() {
    let Some(stage) = Stage::new(README, "proxy", &["ncat"]) else {
        return;
    };
    for (begin, auth) in [
        ("muxnc --proxy", ""),
        ("NCAT_PROXY_AUTH=", "--proxy-auth ana:secret"),
    ] {
        let serve = format!("ncat -l --proxy-type http {auth} 192.0.2.1 3128");
        let mut proxy = stage.start("proxy", &serve);
        stage.wait_listening(3128);
        let mut alice = stage.start("alice", &stage.next(begin));
        alice.type_in("GET / HTTP/1.0\r\n\r\n");
        alice.stdout.wait_for("HTTP/1.1 200 OK\r\n");
        alice.end_input();
        alice.expect_status(0);
        stage.signal(&proxy, Signal::KILL);
        proxy.wait();
    }
}

#[test]
fn on_one_machine() {
    let Some(stage) = Stage::new(README, "unix", &[]) else {
        return;
    };
    let mut bob = stage.start("bob", &stage.next("muxnc -l -U class.sock"));
    let socket = stage.home("bob").join("class.sock");
    crate::support::eventually("the hub is there", || socket.exists());
    let mut alice = stage.start("bob", &stage.next("muxnc -U class.sock"));
    alice.type_in("Hello\n");
    bob.stdout.wait_for("Hello\n");
    bob.type_in("World\n");
    alice.stdout.wait_for("World\n");
}

#[test]
fn encrypted() {
    let Some(stage) = Stage::new(README, "tls", &[]) else {
        return;
    };
    let mut bob = stage.sit("bob", &stage.next("muxnc -l --ssl 3000"));
    let told = bob.screen.wait_until("how to join", |screen| {
        let screen = String::from_utf8_lossy(screen);
        screen.contains(" 192.0.2.7 3000\r\n")
    });
    let told = String::from_utf8_lossy(&told).into_owned();
    let line = told.lines().find(|line| line.contains(" 192.0.2.7 3000"));
    // It is one line to be copied, however wide the terminal is.
    let command = line.unwrap().split("to join: ").nth(1).unwrap();
    let mut alice = stage.sit("alice", command.trim());
    bob.screen.wait_for("joined, 1 here");
    talk(&mut bob, &mut alice);
}

#[test]
fn from_a_browser() {
    let Some(stage) = Stage::new(README, "web", &["curl"]) else {
        return;
    };
    let mut bob = stage.sit("bob", &stage.next("muxnc -l --web 8080 3000"));
    bob.screen.wait_for("to join: nc 192.0.2.7 3000");
    bob.screen.wait_for("to join: http://192.0.2.7:8080/");
    let page = stage.run("carla", "curl -sS http://192.0.2.7:8080/");
    assert!(page.starts_with("<!doctype html>"), "{page}");
    let mut alice = stage.sit("alice", "nc 192.0.2.7 3000");
    bob.screen.wait_for("joined, 1 here");
    talk(&mut bob, &mut alice);
}

#[test]
fn a_free_port() {
    let Some(stage) = Stage::new(README, "free", &[]) else {
        return;
    };
    let bob = stage.start("bob", &stage.next("muxnc -l 127.0.0.1 0"));
    assert_ne!(crate::support::listening_port(&bob.stderr), 0);
}
