//! What a class wants and no netcat has: a history for who comes late.

mod support;

use std::io::Write;
use std::process::Stdio;

use support::Hub;
use support::Process;
use support::expect_bytes;
use support::installed;
use support::piped;

/// A netcat that is to hear what the hub says, its input left open.
fn listener(hub: &Hub, program: &str, args: &[&str]) -> Process {
    let port = hub.port.to_string();
    let args = [args, &["127.0.0.1", &port]].concat();
    Process::start(piped(program, &args).stderr(Stdio::null()))
}

#[test]
fn a_latecomer_of_any_kind_gets_the_last_lines_and_then_the_present() {
    if !installed(&["nc", "ncat"]) {
        return;
    }
    let mut hub = Hub::start(&["-v", "--history", "2"]);
    let mut early = hub.join_seen();
    hub.process.type_in("one\ntwo\nthree\n");
    expect_bytes(&mut early, "one\ntwo\nthree\n");
    let latecomers = [
        listener(&hub, "nc", &[]),
        listener(&hub, "ncat", &[]),
        listener(&hub, support::MUXNC, &[]),
    ];
    for late in &latecomers {
        late.stdout.wait_for("two\nthree\n");
    }
    hub.process.type_in("four\n");
    for late in latecomers {
        late.stdout.wait_for("four\n");
        assert_eq!(late.stdout.text(), "two\nthree\nfour\n");
    }
    expect_bytes(&mut early, "four\n");
}

#[test]
fn the_first_gets_what_was_typed_early_once_and_the_room_remembers_when_it_is_empty() {
    let mut hub = Hub::start(&["-v", "-k", "--history", "10"]);
    hub.process.type_in("early\n");
    let mut first = hub.join_seen();
    expect_bytes(&mut first, "early\n");
    hub.process.type_in("more\n");
    expect_bytes(&mut first, "more\n");
    drop(first);
    hub.process.stderr.wait_for("will send no more");
    hub.process.type_in("nobody may have read this\n");
    hub.process.stderr.wait_for(" left");
    let mut second = hub.join_seen();
    expect_bytes(&mut second, "early\nmore\nnobody may have read this\n");
    hub.process.type_in("now\n");
    expect_bytes(&mut second, "now\n");
}

#[test]
fn a_chats_history_has_the_names_of_then() {
    let mut hub = Hub::start(&["-v", "--chat", "--history", "3"]);
    let mut ana = hub.join_seen();
    expect_bytes(&mut ana, "* user1 joined\n");
    ana.write_all(b"alone\n/nick Ana\n").unwrap();
    expect_bytes(&mut ana, "* user1 is now Ana\n");
    hub.process.type_in("hello\n");
    expect_bytes(&mut ana, "<host> hello\n");
    let mut late = hub.join_seen();
    expect_bytes(
        &mut late,
        "<user1> alone\n* user1 is now Ana\n<host> hello\n* user2 joined\n",
    );
    expect_bytes(&mut ana, "* user2 joined\n");
}
