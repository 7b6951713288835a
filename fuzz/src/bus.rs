//! What a server of NATS says, and what anybody says through it.

use std::time::Duration;
use std::time::Instant;

use muxnc::engine::bus::Bus;
use muxnc::engine::bus::Event;
use muxnc::engine::bus::Fault;
use muxnc::engine::bus::Login;
use muxnc::engine::bus::Remote;
use muxnc::engine::bus::Server;
use muxnc::engine::bus::Settings;
use muxnc::engine::bus::Speaker;
use muxnc::engine::escape::is_unsafe;
use muxnc::engine::lines::MAX_LINE;
use muxnc::engine::names::is_name;

use super::Input;

/// The corpus answers what this hub asks: its inbox is that of the seed.
const SEED: [u8; 32] = [1; 32];

/// Nothing that a server says makes a hub panic, say much, or take anybody for somebody else.
pub fn bus(data: &[u8]) {
    let mut input = Input(data, 0);
    let (size, kind) = (1 + usize::from(input.byte()) * 8, input.byte());
    let mut now = Instant::now();
    let settings = Settings {
        class: "c".into(),
        hub: "room1".into(),
        servers: vec![Server {
            host: "192.0.2.1".into(),
            port: 4222,
        }],
        login: Login::None,
        tls: kind & 1 == 1,
        buffer: 10_000,
        at_most_once: kind & 2 == 2,
        history: u64::from(kind >> 5),
    };
    let mut bus = Bus::new(settings, SEED, now);
    for (turn, piece) in input.0.chunks(size).enumerate() {
        if bus.dial(now).is_some() {
            bus.connected(now);
        }
        if bus.wants_tls() {
            bus.secured(now);
        }
        let came = bus.received(piece, now);
        if turn % 3 == 0 {
            let name = Some("Ana");
            bus.say(Speaker { number: 3, name }, b"hello\n");
        }
        while let Some(event) = bus.take(kind & 4 == 0, now) {
            check(event);
        }
        match came.and_then(|()| bus.turn(now)) {
            Ok(()) => {}
            Err(Fault::Drop(why)) => bus.lost(&why, now),
            Err(Fault::End { .. }) => return,
        }
        assert!(bus.output().len() < 2 * 1024 * 1024);
        if kind & 8 == 0 {
            bus.written(bus.output().len());
        }
        let _ = (bus.hubs().count(), bus.deadline(), bus.is_flushed());
        now += Duration::from_millis(if kind & 16 == 16 { 700 } else { 1 });
    }
}

fn check(event: Event<'_>) {
    let is_other = |speaker: Remote<'_>| {
        assert!(speaker.name.is_none_or(is_name) && speaker.hub != "room1");
    };
    match event {
        Event::Said { speaker, line, .. } => {
            is_other(speaker);
            assert!((1..=MAX_LINE + 1).contains(&line.len()));
            assert!(!line[..line.len() - 1].contains(&b'\n'));
        }
        Event::Stranger { text, count } => {
            assert!(text.len() <= 1024 && count > 0 && !text.contains(is_unsafe));
        }
        _ => {}
    }
}
