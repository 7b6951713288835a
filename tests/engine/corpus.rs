//! The fuzz targets without a fuzzer: every input of `fuzz/corpus/`, and as many made by chance.
//!
//! ```text
//! INPUTS=1000000 cargo test --release --test engine corpus::    # a longer run
//! SEED=17 cargo test --test engine corpus::lines               # one input of chance again
//! ```

use std::env;
use std::fs;
use std::path::Path;
use std::thread;

#[allow(unreachable_pub, reason = "it is a library elsewhere")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use self::targets::TARGETS;
use self::targets::Target;
use crate::chance::Chance;

/// Inputs by chance per target, if `INPUTS` does not say.
const INPUTS: u64 = 1000;

fn number(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().expect("a number"))
}

#[test]
fn every_target_has_a_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut known: Vec<String> = TARGETS.iter().map(|(name, _)| name.to_string()).collect();
    let mut found: Vec<String> = fs::read_dir(folder)
        .expect("fuzz/corpus")
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| cfg!(feature = "bus") || name != "bus")
        .collect();
    known.sort();
    found.sort();
    assert_eq!(found, known);
}

/// Runs the corpus of a target, and inputs that are made from it by chance.
fn run(name: &str) {
    let target: Target = TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|&(_, target)| target)
        .expect("a target");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut files: Vec<_> = fs::read_dir(folder.join(name))
        .expect("a corpus")
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut corpus = Vec::new();
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let _report = Report(format!("{}", file.display()));
        target(&bytes);
        corpus.push(bytes);
    }
    assert!(corpus.len() > 2, "hardly any corpus");
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("INPUTS").unwrap_or(INPUTS),
    };
    for seed in seeds {
        let bytes = by_chance(seed, &corpus);
        let again = format!("SEED={seed} cargo test --test engine -- --exact corpus::{name}");
        let _report = Report(again);
        target(&bytes);
    }
}

/// Two inputs of the corpus, joined and changed here and there, or nothing but chance.
fn by_chance(seed: u64, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut chance = Chance(seed);
    let mut bytes = Vec::new();
    if chance.below(4) > 0 {
        for _ in 0..2 {
            let from = &corpus[chance.below(corpus.len())];
            let start = chance.below(from.len() + 1) / 2;
            bytes.extend(&from[start..]);
        }
    } else {
        let most = [10, 100, 1000][chance.below(3)];
        let len = chance.below(most);
        bytes.extend((0..len).map(|_| chance.byte()));
    }
    for _ in 0..chance.below(8) {
        let at = chance.below(bytes.len() + 1);
        match chance.below(3) {
            0 => bytes.insert(at, chance.byte()),
            1 if at < bytes.len() => bytes[at] = chance.byte(),
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            _ => {}
        }
    }
    bytes
}

/// Tells which input it was, if it fails.
struct Report(String);

impl Drop for Report {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("again: {}", self.0);
        }
    }
}

impl Chance {
    /// Any byte, but mostly one that means something to somebody.
    fn byte(&mut self) -> u8 {
        const TELLING: &[u8] = b"\n\r\t /[]<>*:;~0139aAbdfmu\x00\x01\x02\x03\x04\x0b\x15\x17\x19\
            \x1b\x7f\x80\x85\x9b\xc2\xe2\xae\xf0\xf8\xff";
        match self.below(3) {
            0 => self.next() as u8,
            _ => TELLING[self.below(TELLING.len())],
        }
    }
}

#[test]
fn access() {
    run("access");
}

#[cfg(feature = "bus")]
#[test]
fn bus() {
    run("bus");
}

#[test]
fn chat() {
    run("chat");
}

#[test]
fn command() {
    run("command");
}

#[test]
fn editor() {
    run("editor");
}

#[test]
fn frames() {
    run("frames");
}

#[test]
fn http() {
    run("http");
}

#[test]
fn journal() {
    run("journal");
}

#[test]
fn lines() {
    run("lines");
}

#[test]
fn crlf() {
    run("crlf");
}

#[test]
fn room() {
    run("room");
}

#[test]
fn screen() {
    run("screen");
}

#[test]
fn escape() {
    run("escape");
}

#[test]
fn proxy() {
    run("proxy");
}

#[test]
fn events() {
    run("events");
}

#[test]
fn fetch() {
    run("fetch");
}

#[test]
fn moderation() {
    run("moderation");
}

#[test]
fn requests() {
    run("requests");
}

#[test]
fn telnet() {
    run("telnet");
}

#[test]
fn udp() {
    run("udp");
}
