//! README.md: from a fresh clone to a running class.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use super::blocks::blocks;
use super::shown::expect_shown;
use super::shown::http_by_hand_in;
use super::stage::Stage;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::contains;
use crate::support::installed;
use crate::support::piped;

const README: &str = "README.md";

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
    // What it shows is the business of tests/docs/demo.rs.
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
    http_by_hand_in(README, &["muxnc -C"]);
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
