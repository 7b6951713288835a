//! Events for programs: whatever is said, by whoever is called whatever.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use muxnc::engine::record;
use muxnc::engine::record::Entry;
use muxnc::engine::record::Leaving;
use muxnc::engine::record::Speaker;
use muxnc::engine::record::Who;
use muxnc::engine::record::events;
use muxnc::engine::record::transcript;
use serde_json::Value;

use super::FILLING;
use super::Input;
use super::is_safe;

const TIME: &str = "2026-11-22T09:11:33.123Z";

/// Each entry is one line of JSON that can do nothing to a terminal, and what was said can be had back from them,
/// byte by byte and by whom; in a transcript it is one line of six columns at most.
pub fn events(data: &[u8]) {
    let mut input = Input(data, FILLING);
    let who = input.byte();
    let name = String::from_utf8_lossy(input.take(usize::from(who % 16))).into_owned();
    let address = String::from_utf8_lossy(input.take(usize::from(who / 16))).into_owned();
    let peer = Who {
        number: u32::from(who),
        addr: &address,
        name: (who % 16 > 0).then_some(&*name),
    };
    let mut speech = record::Speech::default();
    let us = Speaker::Us(Some("host"), None);
    // What the peer said, what was said to all, and what of that is told.
    let mut said = [const { Vec::<u8>::new() }; 2];
    let mut told = [const { Vec::<u8>::new() }; 2];
    while !input.0.is_empty() {
        let what = input.byte() % 12;
        let piece = input.piece();
        let words = String::from_utf8_lossy(&piece);
        let number = piece.len() as u64;
        let mut got = Vec::new();
        let mut enter = |entry: Entry<'_>| got.push(tell(entry));
        match what {
            0..=2 => {
                speech.heard(peer, &piece, &mut enter);
                said[0].extend(&piece);
            }
            3 | 4 => {
                speech.said(us, &piece, &mut enter);
                said[1].extend(&piece);
            }
            5 => {
                record::lines(Speaker::Peer(peer), &piece, &mut enter);
                let length: usize = got.iter().map(|(_, length)| length).sum();
                assert!(length <= piece.len() * events::most(peer), "{length} bytes");
                let lines: Vec<u8> = got.iter().flat_map(|(event, _)| bytes_of(event)).collect();
                assert!(lines == piece, "{lines:?} for {piece:?}");
                got.clear();
            }
            6 => {
                enter(Entry::Asked(peer, &piece));
                assert!(bytes_of(&got[0].0) == piece, "asked");
                got.clear();
            }
            7 => {
                enter(Entry::Left(
                    peer,
                    Leaving {
                        code: "closed",
                        words: &words,
                        received: number,
                        sent: u64::MAX - number,
                        unread: number / 2,
                    },
                ));
                assert_eq!(got[0].0["words"], *words);
                assert_eq!(got[0].0["received"], number);
                assert_eq!(got[0].0["unread"], number / 2);
            }
            8 => enter(Entry::Refused(&words, "full", &words)),
            9 => enter(Entry::Listening {
                place: &words,
                web: piece.is_empty(),
            }),
            10 => {
                enter(Entry::Joined(peer));
                enter(Entry::Begun(piece.len()));
                enter(Entry::Waiting(piece.len(), usize::MAX));
                enter(Entry::Lost(number));
            }
            _ => {
                enter(Entry::Received {
                    who: peer,
                    bytes: u64::MAX,
                    missing: number,
                });
                enter(Entry::Ended {
                    bytes: number,
                    receivers: usize::MAX,
                    whole: piece.len(),
                });
            }
        }
        take_said(&got, &mut told);
        for (event, _) in &got {
            if let Some(peer) = event.get("peer").filter(|peer| !peer.is_null()) {
                assert_eq!(peer["number"], u32::from(who));
                assert_eq!(peer["address"], *address);
                assert_eq!(peer["name"].as_str(), (who % 16 > 0).then_some(&*name));
            }
        }
    }
    let mut got = Vec::new();
    speech.finished(peer, &mut |entry| got.push(tell(entry)));
    speech.said_all(us, &mut |entry| got.push(tell(entry)));
    take_said(&got, &mut told);
    assert!(told == said, "{told:?} for {said:?}");
}

/// Adds what is told to have been said by the peer, and by the operator.
fn take_said(got: &[(Value, usize)], told: &mut [Vec<u8>; 2]) {
    for (event, _) in got.iter().filter(|(event, _)| event["event"] == "said") {
        let by = usize::from(event["by"] == "operator");
        told[by].extend(bytes_of(event));
    }
}

/// The line of an entry, as a program understands it, and its length.
fn tell(entry: Entry<'_>) -> (Value, usize) {
    let mut line = Vec::new();
    events::push(TIME, entry, &mut line);
    let length = line.len();
    let line = String::from_utf8(line).expect("UTF-8");
    let (line, rest) = line.split_once('\n').expect("a line");
    assert!(
        rest.is_empty() && is_safe(line) && !line.contains('\t'),
        "{line:?}"
    );
    let event: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!((&event["v"], &event["time"]), (&1.into(), &TIME.into()));
    assert!(event["event"].is_string(), "{line}");
    let mut row = String::new();
    transcript::push(TIME, entry, &mut row);
    if !row.is_empty() {
        let row = row.strip_suffix('\n').expect("a line");
        assert!(is_safe(row) && !row.contains('\n'), "{row:?}");
        assert_eq!(row.split('\t').count(), 6, "{row:?}");
    }
    (event, length)
}

/// What was said, from the event that tells it.
fn bytes_of(event: &Value) -> Vec<u8> {
    let mut bytes = match event["base64"].as_str() {
        Some(bytes) => STANDARD.decode(bytes).expect("base64"),
        None => event["text"].as_str().expect("a text").into(),
    };
    if event["lf"] == true {
        bytes.push(b'\n');
    }
    bytes
}
