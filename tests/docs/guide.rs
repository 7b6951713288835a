//! docs/GUIDE.md: what README has no room for.

use std::fs;

use muxnc::engine::names::MAX_NAME;
use muxnc::engine::record::Entry;
use muxnc::engine::record::Speaker;
use muxnc::engine::record::Way;
use muxnc::engine::record::Who;
use muxnc::engine::record::dump;
use muxnc::engine::record::events;
use muxnc::engine::record::transcript;
use rustix::process::Signal;

use super::shown::explained_in;
use super::stage::Stage;
use crate::support::contains;

const GUIDE: &str = "docs/GUIDE.md";

#[test]
fn what_have_i_done() {
    explained_in(GUIDE);
}

/// What a byte becomes in each record, to the nearest ten.
#[test]
fn a_byte_becomes_as_much_in_a_file_as_the_table_says() {
    const AT: &str = "2026-11-22T09:11:33.123Z";
    let guide = fs::read_to_string(GUIDE).unwrap();
    let usual = Who {
        number: 1,
        addr: &"192.0.2.11:50124",
        name: None,
    };
    let name = "漢".repeat(MAX_NAME);
    let longest = Who {
        number: 10_000,
        addr: &"[2001:db8:1111:2222:3333:4444:5555:6666]:50124",
        name: Some(&name),
    };
    let [usual, longest] = [usual, longest].map(|who| {
        let line = Entry::Said(Speaker::Peer(who), b"\n");
        let (mut entered, mut dumped, mut told) = (String::new(), String::new(), Vec::new());
        transcript::push(AT, line, &mut entered);
        dump::push(AT, Way::From, Some(who), b"\n", &mut dumped);
        events::push(AT, line, &mut told);
        [entered.len(), dumped.len(), told.len()].map(|len| (len + 5) / 10 * 10)
    });
    for (n, record) in ["--transcript", "-x", "--events"].iter().enumerate() {
        let row = format!("| `{record}` | {} | {} | ", usual[n], longest[n]);
        assert!(guide.contains(&row), "{row}");
    }
}

#[test]
fn the_same_file_to_phones() {
    let Some(stage) = Stage::new(GUIDE, "download", &["curl", "nc"]) else {
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
fn one_request() {
    let Some(stage) = Stage::new(GUIDE, "request", &[]) else {
        return;
    };
    let answer = stage.run("alice", &stage.next("printf 'GET / HTTP/1.0"));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nHello\n"), "{answer}");
}

#[test]
fn is_it_there() {
    let Some(stage) = Stage::new(GUIDE, "health", &[]) else {
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
fn a_log_to_whoever_is_there() {
    let Some(stage) = Stage::new(GUIDE, "log", &["tail"]) else {
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
fn through_a_proxy() {
    let Some(stage) = Stage::new(GUIDE, "proxy", &["ncat"]) else {
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
    let Some(stage) = Stage::new(GUIDE, "unix", &[]) else {
        return;
    };
    let mut bob = stage.start("bob", &stage.next("muxnc -l -U class.sock"));
    stage.wait_listening_at("class.sock");
    let mut alice = stage.start("bob", &stage.next("muxnc -U class.sock"));
    alice.type_in("Hello\n");
    bob.stdout.wait_for("Hello\n");
    bob.type_in("World\n");
    alice.stdout.wait_for("World\n");
}

#[test]
fn a_free_port() {
    let Some(stage) = Stage::new(GUIDE, "free", &[]) else {
        return;
    };
    let bob = stage.start("bob", &stage.next("muxnc -l 127.0.0.1 0"));
    assert_ne!(crate::support::listening_port(&bob.stderr), 0);
}
