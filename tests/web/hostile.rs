//! Strangers: what they send harms nobody, and is answered as it has to be.

use std::fs;
use std::io::Read;
use std::io::Write;

use crate::BINARY;
use crate::CLOSE;
use crate::Hub;
use crate::TEXT;
use crate::Web;
use crate::ask;
use crate::masked;
use crate::support::Folder;
use crate::support::allow_descriptors;
use crate::support::connect;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::upgrade;

#[test]
fn what_is_not_allowed_is_closed_with_its_code() {
    let hub = Hub::start(&["--broker"]);
    let mut witness = hub.join_plain();
    let mut long = vec![0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255];
    long.extend([0; 4]);
    for (bytes, code) in [
        (vec![BINARY, 5, b'h', b'e', b'l', b'l', b'o'], 1002),
        (masked(0xc2, b"reserved"), 1002),
        (masked(0x83, b"no such opcode"), 1002),
        (masked(0x80, b"nothing to go on with"), 1002),
        (masked(0x89, &[0; 126]), 1002),
        (masked(TEXT, b"\xff"), 1007),
        (long, 1009),
        (masked(BINARY, &vec![b'x'; 70_000]), 1009),
    ] {
        let mut web = hub.join();
        web.say("before");
        web.stream.write_all(&bytes).unwrap();
        web.stream.write_all(&masked(BINARY, b"after")).unwrap();
        web.expect_close(code);
        // It is the server that ends the connection first, and whoever sent that reads an end.
        assert_eq!(web.stream.read(&mut [0]).unwrap(), 0, "{code}");
        expect_bytes(&mut witness, "before\n");
    }
    let mut last = hub.join();
    last.say("the last");
    expect_bytes(&mut witness, "the last\n");
}

/// Also where what it said before in the same packet is answered, which cannot be written any more.
#[test]
fn what_is_not_allowed_is_why_it_left_in_every_room() {
    let folder = Folder::new("not-allowed");
    let unmasked = [BINARY, 5, b'h', b'e', b'l', b'l', b'o'];
    for surface in [&[][..], &["--broker"], &["--chat"]] {
        let path = folder.path("events");
        let events = format!("json:{path}");
        let hub = Hub::start(&[&["--events", &events], surface].concat());
        for (before, count) in [(vec![], 1), (masked(BINARY, b"before"), 2)] {
            let mut web = hub.join();
            web.stream
                .write_all(&[&before[..], &unmasked].concat())
                .unwrap();
            while web.frame().0 != CLOSE {}
            let told = "(web) left (it sent a frame unmasked) after";
            let is_told = |stderr: &[u8]| {
                let stderr = String::from_utf8_lossy(stderr);
                stderr.matches(told).count() == count
            };
            hub.process.stderr.wait_until(told, is_told);
        }
        let is_told = |event: &&str| {
            event.contains(r#""event":"left""#)
                && event.contains(r#""reason":"broke""#)
                && event.contains(r#""words":"it sent a frame unmasked""#)
        };
        eventually("both are recorded so", || {
            let events = fs::read_to_string(&path).unwrap();
            events.lines().filter(is_told).count() == 2
        });
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn heads_have_limits() {
    let hub = Hub::start(&[]);
    let long = format!("X: {}", "x".repeat(10_000));
    let many = "X: y\r\n".repeat(100);
    for head in [long, many] {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{head}\r\n\r\n",
            hub.web
        );
        let mut stream = connect(hub.web);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 431");
    }
}

#[test]
fn who_asks_for_nothing_is_closed_and_holds_nobody_up() {
    // As many as a teacher's machine may ever see: this process holds the other end of each.
    let descriptors = allow_descriptors();
    let count = descriptors.most.saturating_sub(200).min(10_000);
    let hub = Hub::start(&["-m", "20000"]);
    // What anybody makes it take in the first place is there.
    hub.join().say("first");
    hub.process.stdout.wait_for("first\n");
    let before = hub.process.rss_kib();
    let mut silent: Vec<_> = (0..count).map(|_| connect(hub.web)).collect();
    // Every other one begins to ask, and says no more.
    for stream in silent.iter_mut().step_by(2) {
        stream.write_all(b"GET /socket HTTP/1.1\r\nX: ").unwrap();
    }
    let mut slow = connect(hub.web);
    slow.write_all(b"GET / HT").unwrap();
    let mut web = hub.join();
    web.say("here");
    hub.process.stdout.wait_for("here\n");
    slow.write_all(b"TP/1.1\r\nX: ").unwrap();
    let mut end = [0];
    assert_eq!(slow.read(&mut end).unwrap(), 0, "after ten seconds");
    hub.process
        .stderr
        .wait_for("(web) did not join: its request did not end in time");
    for stream in &mut silent {
        assert_eq!(stream.read(&mut end).unwrap_or(0), 0);
    }
    // Browsers connect in advance: that is no news.
    let told = hub.process.stderr.text().matches("did not join").count();
    assert!(told <= 1 + silent.len().div_ceil(2), "{told}");
    let grown = hub.process.peak_rss_kib() - before;
    assert!(grown < 4 * 1024, "{grown} KiB more for {count}");
    let page = ask(
        hub.web,
        &format!("GET / HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", hub.web),
    );
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
}

#[test]
fn garbage_and_half_frames_grow_nothing() {
    let hub = Hub::start(&[]);
    let upgrade = upgrade(hub.web, "/socket", &[]);
    let mut held = Vec::new();
    // What anybody makes it take in the first place is there.
    hub.join().say("first");
    hub.process.stdout.wait_for("first\n");
    let before = hub.process.rss_kib();
    for n in 0..300_usize {
        let mut web = Web::over(connect(hub.web), &upgrade);
        let bytes: Vec<u8> = (0..n).map(|i| (i * 7 + n * 13) as u8).collect();
        let _ = web.stream.write_all(&bytes);
        if n % 3 == 0 {
            held.push(web);
        }
    }
    eventually("the others leave", || {
        let told = hub.process.stderr.text();
        told.matches("(web) left").count() >= 200
    });
    hub.join().say("here");
    hub.process.stdout.wait_for("here\n");
    // A hundred are members, and each of the others has left a place that it may come back to.
    let grown = hub.process.peak_rss_kib() - before;
    assert!(grown < 4 * 1024, "it took {grown} KiB more");
    drop(held);
}
