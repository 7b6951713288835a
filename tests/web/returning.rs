//! Who was lost, and comes back.

use std::fs;
use std::io::Write;

use rustix::process::Signal;

use crate::CLOSE;
use crate::Hub;
use crate::Web;
use crate::support::Folder;
use crate::support::Terminal;
use crate::support::expect_bytes;
use crate::support::pause;
use crate::support::web_port;

/// What a hello said of a member of it, without quotes.
fn said<'a>(hello: &'a str, name: &str) -> &'a str {
    let (_, after) = hello.split_once(&format!("\"{name}\":")).expect(name);
    after.split([',', '}']).next().unwrap().trim_matches('"')
}

impl Web {
    /// Where it asks to go on, with so many bytes.
    pub(crate) fn place(&self, from: u64) -> String {
        let [epoch, token] = ["epoch", "token"].map(|name| said(&self.hello, name));
        format!("/socket?epoch={epoch}&token={token}&from={from}")
    }
}

/// One goes on with so many bytes, and is known.
#[track_caller]
fn resumed(hub: &Hub, place: &str, from: u64) -> Web {
    let web = Web::join_at(hub.web, place);
    assert_eq!(said(&web.hello, "resumed"), "true", "{}", web.hello);
    assert_eq!(said(&web.hello, "missing"), "false", "{}", web.hello);
    assert_eq!(said(&web.hello, "at"), from.to_string(), "{}", web.hello);
    web
}

/// One is somebody else now, and was told so.
#[track_caller]
fn not_resumed(hub: &Hub, place: &str) -> Web {
    let web = Web::join_at(hub.web, place);
    assert_eq!(said(&web.hello, "resumed"), "false", "{}", web.hello);
    assert_eq!(said(&web.hello, "missing"), "true", "{}", web.hello);
    assert_eq!(said(&web.hello, "at"), "0", "{}", web.hello);
    web
}

#[test]
fn who_was_lost_goes_on_without_a_gap_or_a_repeat() {
    let all = "one\ngrüße\nmeanwhile\n".as_bytes();
    // Also in the middle of a letter; the second time it is where the first was.
    for from in [0, 4, 7, 12] {
        let mut hub = Hub::start(&["--broker"]);
        let mut plain = hub.join_plain();
        let mut web = hub.join();
        hub.process.type_in("one\n");
        web.expect("one\n");
        web.say("mine");
        expect_bytes(&mut plain, "one\nmine\n");
        plain.write_all("grüße\n".as_bytes()).unwrap();
        web.expect("grüße\n");
        let place = web.place(from);
        for meanwhile in ["meanwhile\n", ""] {
            let lost = web.stream.local_addr().unwrap();
            drop(web);
            hub.process
                .stderr
                .wait_for(&format!("{lost} (web) left (the connection was lost"));
            hub.process.type_in(meanwhile);
            expect_bytes(&mut plain, meanwhile);
            web = resumed(&hub, &place, from);
            assert_eq!(said(&web.hello, "you"), "2");
            // "mine", with a line feed.
            assert_eq!(said(&web.hello, "heard"), "5");
            let mut got = Vec::new();
            while got.len() < all.len() - from as usize {
                got.extend(web.frame().1);
            }
            assert_eq!(got, all[from as usize..]);
        }
    }
}

#[test]
fn who_is_back_before_it_was_missed_takes_its_own_place() {
    let mut hub = Hub::start(&["-m", "1", "--chat"]);
    let mut web = hub.join();
    web.say("/nick Ana");
    web.expect("* Ana joined\n");
    let place = web.place(0);
    let mut again = resumed(&hub, &place, 0);
    assert_eq!(
        (said(&again.hello, "name"), said(&again.hello, "you")),
        ("Ana", "1")
    );
    let why = r#"{"type":"ended","reason":"it is back over another connection","heard":10}"#;
    web.expect_end(why, 1008);
    again.expect("* Ana joined\n* Ana left\n* Ana joined\n");
    hub.process.type_in("hello\n");
    loop {
        let said = String::from_utf8(again.frame().1).unwrap();
        if said.ends_with("<host> hello\n") {
            break;
        }
    }
    hub.process
        .stderr
        .wait_for("left, since it is back over another connection, after");
}

/// It may have been told that when it read nothing.
#[test]
fn who_was_kicked_is_told_so_when_it_comes_back() {
    let mut hub = Terminal::muxnc(&["-l", "--web", "127.0.0.1:0"]);
    let port = web_port(&hub.screen);
    let mut web = Web::join(port);
    hub.screen.wait_for("[1] ");
    pause();
    hub.press("/kick 1 be kinder\r");
    let why = r#"{"type":"kicked","reason":"be kinder"}"#;
    web.expect_end(r#"{"type":"kicked","reason":"be kinder","heard":0}"#, 1008);
    for _ in 0..2 {
        Web::turned_away(port, &web.place(0)).expect_end(why, 1008);
    }
    hub.screen
        .wait_for("was refused: it comes back, and an operator cut it");
    // Its user may ask to be let in.
    assert_eq!(said(&Web::join(port).hello, "you"), "2");
}

#[test]
fn whose_stream_cannot_go_on_is_the_member_that_it_was() {
    let mut hub = Hub::start(&["--chat"]);
    let mut web = hub.join();
    web.say("/nick Ana");
    web.expect("* Ana joined\n");
    let (place, mut before) = (web.place(9999), 0);
    for _ in 0..2 {
        let again = Web::join_at(hub.web, &place);
        for (name, value) in [
            ("resumed", "false"),
            ("missing", "true"),
            ("heard", "10"),
            ("you", "1"),
            ("name", "Ana"),
            ("token", said(&web.hello, "token")),
        ] {
            assert_eq!(said(&again.hello, name), value, "{}", again.hello);
        }
        let at = said(&again.hello, "at").parse().unwrap();
        assert!(at > before, "{}", again.hello);
        before = at;
    }
    // The new stream goes on as any other.
    let mut again = resumed(&hub, &web.place(before), before);
    hub.process.type_in("hello\n");
    let mut told = String::new();
    while !told.ends_with("<host> hello\n") {
        told += std::str::from_utf8(&again.frame().1).unwrap();
    }
}

/// It says something over each of its connections, and has another name at the end.
#[test]
fn who_comes_back_goes_on_in_its_file() {
    let folder = Folder::new("web-returning");
    let answers = folder.0.join("answers");
    let mut hub = Hub::start(&["--chat", "--collect", answers.to_str().unwrap()]);
    let mut web = hub.join();
    for (name, words) in [("Ana", "one"), ("Ana", "two"), ("Ben", "three")] {
        web.say(format!("/nick {name}"));
        web.say(words);
        hub.process.stdout.wait_for(&format!("<{name}> {words}\n"));
        assert!(answers.join("0001.txt").exists(), "{words}");
        let (place, lost) = (web.place(0), web.stream.local_addr().unwrap());
        drop(web);
        hub.process.stderr.wait_for(&format!("{lost} (web) left ("));
        web = resumed(&hub, &place, 0);
    }
    hub.process.signal(Signal::TERM);
    hub.process.wait();
    let said = fs::read_to_string(answers.join("0001-Ben.txt")).unwrap();
    assert_eq!(said, "one\ntwo\nthree\n");
    let index = fs::read_to_string(answers.join("index.tsv")).unwrap();
    let rows: Vec<Vec<&str>> = index.lines().map(|row| row.split('\t').collect()).collect();
    assert_eq!(rows.len(), 2, "{index}");
    assert_eq!(rows[1][..2], ["1", "Ben"]);
    assert_eq!(rows[1][5..], ["14", "0", "0001-Ben.txt"]);
    assert_eq!(fs::read_dir(&answers).unwrap().count(), 2);
}

#[test]
fn who_left_or_is_not_known_is_somebody_else() {
    let hub = Hub::start(&[]);
    let mut web = hub.join();
    let place = web.place(0);
    web.send(CLOSE, &1000_u16.to_be_bytes());
    web.expect_close(1000);
    hub.process.stderr.wait_for("(web) left");
    let new = not_resumed(&hub, &place);
    assert_eq!(said(&new.hello, "you"), "2");
    // Another run of the hub, no token of it.
    let epoch = said(&new.hello, "epoch");
    for place in [
        new.place(0).replace(epoch, "other"),
        new.place(0).replace(said(&new.hello, "token"), "other"),
    ] {
        not_resumed(&hub, &place);
    }
    assert!(
        hub.process
            .stderr
            .text()
            .matches("since it is back")
            .count()
            == 0
    );
}

#[test]
fn a_class_comes_back_at_once() {
    let mut hub = Hub::start(&[]);
    let webs: Vec<Web> = (0..300).map(|_| hub.join()).collect();
    hub.process.type_in("before\n");
    let places: Vec<String> = webs
        .into_iter()
        .map(|mut web| {
            web.expect("before\n");
            web.place(3)
        })
        .collect();
    hub.process.stderr.wait_for(", 0 here");
    hub.process.type_in("meanwhile\n");
    let mut back: Vec<Web> = places.iter().map(|place| resumed(&hub, place, 3)).collect();
    hub.process.type_in("after\n");
    let mut numbers: Vec<u32> = Vec::new();
    for web in &mut back {
        web.expect("ore\nmeanwhile\nafter\n");
        numbers.push(said(&web.hello, "you").parse().unwrap());
    }
    assert!(numbers.into_iter().eq(1..=300));
}
