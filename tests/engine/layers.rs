//! The floors of the source: imports go down only and never in a circle, floor 0 is pure, only the
//! loops own a Poll.
//!
//! Reads `src/` as the compiler does, without comments and strings, and with every `use` spelled
//! out, so that a word in a sentence is no violation and an import in braces is no way around.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// What floor 0 may use of other crates: a slab, a search in bytes, a hex dump as text, what Unicode
/// says of characters, JSON, for proxies and browsers the grammar of HTTP and hashes, codes for cameras, and
/// signatures.
const ENGINE_CRATES: [&str; 16] = [
    "base64",
    "httparse",
    "md5",
    "memchr",
    "pretty_hex",
    "qrcode",
    "ring",
    "sha1",
    "serde",
    "serde_json",
    "sha2",
    "slab",
    "unicode_normalization",
    "unicode_security",
    "unicode_segmentation",
    "unicode_width",
];

/// What floor 0 may use of the standard library, module by module.
const ENGINE_STD: [&str; 11] = [
    "array",
    "borrow",
    "cmp",
    "collections",
    "fmt",
    "io",
    "iter",
    "mem",
    "ops",
    "str",
    "time",
];

/// Floor 2, but for what is below `hub/` and `client/`.
const LOOPS: [&str; 4] = ["hub.rs", "client.rs", "scan.rs", "udp.rs"];

#[test]
fn floor_0_is_pure() {
    let files = under("engine");
    assert!(files.len() > 10, "hardly any files in src/engine");
    check(&files, engine_violation);
}

#[test]
fn the_edges_know_nothing_of_the_loops_and_the_command_line() {
    let files = under("io");
    assert!(files.len() > 10, "hardly any files in src/io");
    check(&files, edge_violation);
}

#[test]
fn the_loops_know_nothing_of_the_command_line() {
    let mut files = under("hub");
    files.extend(under("client"));
    files.extend(LOOPS.map(source));
    check(&files, loop_violation);
}

#[test]
fn only_the_command_line_knows_clap() {
    let mut files = under("");
    let cli = source("cli");
    files.retain(|file| *file != source("cli.rs") && !file.starts_with(&cli));
    check(&files, clap_violation);
}

#[test]
fn only_the_loops_own_a_poll() {
    let mut files = under("");
    files.retain(|file| LOOPS.iter().all(|owner| *file != source(owner)));
    check(&files, poll_violation);
    for owner in LOOPS {
        let paths = paths(&code(&read(&source(owner))));
        assert!(
            paths.iter().any(|path| poll_violation(path)),
            "{owner} has no Poll: is this test looking at the right thing?"
        );
    }
}

/// A file may name the file that it is a part of (`room/member.rs` the type in `room.rs`): both are
/// one room. Nothing else that a file imports may lead back to it.
#[test]
fn no_import_goes_in_a_circle() {
    let mut sources = BTreeMap::new();
    for file in under("") {
        if !file.ends_with("tests.rs") {
            sources.insert(module(&file), read(&file));
        }
    }
    assert!(sources.len() > 60, "hardly any files in src");
    let circle = circle(&imports(&sources));
    assert!(circle.is_empty(), "a circle: {}", circle.join(" -> "));
}

/// Nothing waits for, or counts by, a clock that somebody can set: it is read for what says when something
/// was, and nowhere else.
#[test]
fn one_room_knows_the_wall_clock() {
    let mut files = under("");
    let clock = source("io/clock.rs");
    files.retain(|file| *file != clock);
    check(&files, wall_clock_violation);
    let paths = paths(&code(&read(&clock)));
    assert!(
        paths.iter().any(|path| wall_clock_violation(path)),
        "io/clock.rs has no clock: is this test looking at the right thing?"
    );
}

/// What a peer can cause to be said is limited, since only a room that limits it can say it. The others
/// tell of the operator's own files and of the end: so often in each, and each of these only once.
#[test]
fn what_peers_cause_is_said_by_one_room_of_the_hub() {
    // One of them once, when a file was sent to all and some stay; one as often as the terminal took what was
    // shown before, one when it is over, and one as often as somebody sends a signal.
    let own = [
        ("hub/core.rs", 1),
        ("display.rs", 3),
        ("operator/ending.rs", 2),
        ("reload.rs", 3),
        ("transfer.rs", 2),
    ];
    for file in under("hub") {
        let said = paths(&code(&read(&file)));
        let said = said.iter().filter(|path| is_log_macro(path)).count();
        let own = own.iter().find(|(name, _)| file.ends_with(name));
        let expected = match own {
            _ if file.ends_with("hub/news.rs") => 1,
            Some((_, count)) => *count,
            None => 0,
        };
        let file = file.display();
        assert_eq!(said, expected, "{file}: what peers cause, hub/news.rs says");
    }
}

#[test]
fn no_file_can_be_unsafe() {
    let manifest = read(&root().join("Cargo.toml"));
    let lints = manifest
        .split("\n[")
        .find(|section| section.starts_with("workspace.lints.rust]"))
        .expect("Cargo.toml has lints");
    let forbidden = lints
        .lines()
        .any(|line| line.replace(' ', "").starts_with("unsafe_code=\"forbid\""));
    assert!(forbidden, "Cargo.toml does not forbid unsafe code");
    // `forbid` cannot be allowed again, but a file outside the package's lints could be unsafe.
    for file in under("") {
        let unsafe_at = code(&read(&file)).iter().any(|token| token == "unsafe");
        assert!(!unsafe_at, "{} is unsafe", file.display());
    }
}

#[test]
fn every_file_has_its_floor() {
    let known = ["cli.rs", "lib.rs", "main.rs"];
    for file in under("") {
        let path = file.strip_prefix(root().join("src")).unwrap();
        let path = path.to_str().unwrap();
        let placed = ["engine/", "io/", "hub/", "client/", "cli/"]
            .iter()
            .any(|floor| path.starts_with(floor));
        // The status is what every floor may say.
        assert!(
            placed || known.contains(&path) || LOOPS.contains(&path) || path == "status.rs",
            "src/{path} is on no floor that this test watches"
        );
    }
    // A status is made of a proof, and that of a flow.
    let status = paths(&code(&read(&source("status.rs"))));
    let proof = ["crate", "engine", "flow", "Proof"];
    assert!(
        !status
            .iter()
            .any(|path| path[0] == "crate" && *path != proof),
        "src/status.rs is used by every floor and may use none"
    );
}

/// No mio, no socket, no descriptor, no clock, no log, and of our own code only itself.
fn engine_violation(path: &[String]) -> bool {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    // A name alone is a variable; `use mio;` comes as `mio::self`.
    let foreign =
        names.len() > 1 && dependencies().contains(names[0]) && !ENGINE_CRATES.contains(&names[0]);
    let std = match names[..] {
        // Addresses, and unlike std's no sockets.
        ["core", "net", ..] => false,
        ["std" | "core" | "alloc", module, ..] => !ENGINE_STD.contains(&module),
        _ => false,
    };
    let upstairs = match names[..] {
        ["crate" | "muxnc", module, ..] => module != "engine",
        // From a module of a module, that is the crate.
        ["super", "super", ..] => true,
        _ => false,
    };
    let impure = names.iter().any(|name| {
        [
            "SystemTime",
            "UNIX_EPOCH",
            "elapsed",
            "stdin",
            "stdout",
            "stderr",
            "print!",
            "println!",
            "eprint!",
            "eprintln!",
            "dbg!",
        ]
        .contains(name)
    });
    let clock = names.windows(2).any(|pair| pair == ["Instant", "now"]);
    foreign || std || upstairs || impure || clock
}

fn edge_violation(path: &[String]) -> bool {
    reaches(path, &["hub", "client", "scan", "udp", "cli"])
}

fn loop_violation(path: &[String]) -> bool {
    reaches(path, &["cli"]) || clap_violation(path)
}

fn clap_violation(path: &[String]) -> bool {
    path.len() > 1 && path[0] == "clap"
}

fn wall_clock_violation(path: &[String]) -> bool {
    let names = ["SystemTime", "UNIX_EPOCH", "jiff"];
    path.iter().any(|name| names.contains(&name.as_str()))
}

/// Whether it writes to the log.
fn is_log_macro(path: &[String]) -> bool {
    let macros = ["log!", "error!", "warn!", "info!", "debug!", "trace!"];
    path.last().is_some_and(|name| macros.contains(&&name[..]))
}

fn poll_violation(path: &[String]) -> bool {
    match path {
        [first, second, ..] if first == "mio" => ["Poll", "*", "self"].contains(&&second[..]),
        [first, ..] => first == "Poll",
        [] => false,
    }
}

/// Whether a path goes to one of these modules of ours, or to all of them at once.
fn reaches(path: &[String], modules: &[&str]) -> bool {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    match names[..] {
        ["crate" | "muxnc", module, ..] => {
            ["*", "self"].contains(&module) || modules.contains(&module)
        }
        // From a module of a module, that is the crate.
        ["super", "super", ..] => true,
        _ => false,
    }
}

#[track_caller]
fn check(files: &[PathBuf], violation: fn(&[String]) -> bool) {
    let mut found = Vec::new();
    // Tests may know more: a file of theirs is no part of the program, as a module of theirs is not.
    let own = |file: &&PathBuf| !file.ends_with("tests.rs");
    for file in files.iter().filter(own) {
        for path in paths(&code(&read(file))) {
            if violation(&path) {
                found.push(format!("{}: {}", file.display(), path.join("::")));
            }
        }
    }
    assert!(found.is_empty(), "not on this floor:\n{}", found.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn source(name: &str) -> PathBuf {
    root().join("src").join(name)
}

/// Every source file of a folder of `src/`.
#[track_caller]
fn under(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("src").join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of src/") {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "no files in src/{folder}");
    files
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("read {}: {error}", file.display()))
}

/// The crates that Cargo.toml lets the source use, as the source spells them.
fn dependencies() -> BTreeSet<String> {
    let manifest = read(&root().join("Cargo.toml"));
    let mut names = BTreeSet::from([String::from("libc")]);
    let mut inside = false;
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section == "dependencies]" || section.ends_with(".dependencies]");
        } else if let Some((name, _)) = line.split_once('=').filter(|_| inside) {
            names.insert(name.trim().replace('-', "_"));
        }
    }
    assert!(names.contains("mio"), "Cargo.toml names no mio: {names:?}");
    names
}

/// The tokens of a source file: names, and single characters of punctuation. Comments, strings
/// and whatever is compiled for tests only are left out.
fn code(text: &str) -> Vec<String> {
    without_tests(&tokens(text))
}

fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let starts = |at: usize, what: &str| {
        what.chars()
            .enumerate()
            .all(|(i, c)| chars.get(at + i) == Some(&c))
    };
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if starts(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            let mut depth = 0;
            loop {
                match (starts(at, "/*"), starts(at, "*/")) {
                    (true, _) => depth += 1,
                    (_, true) => depth -= 1,
                    _ if at >= chars.len() => panic!("a comment does not end"),
                    _ => {
                        at += 1;
                        continue;
                    }
                }
                at += 2;
                if depth == 0 {
                    break;
                }
            }
        } else if let Some(end) = literal(&chars, at) {
            at = end;
            tokens.push(String::from("\"\""));
        } else if c.is_alphabetic() || c == '_' {
            let start = at;
            while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                at += 1;
            }
            let mut name: String = chars[start..at].iter().collect();
            // A macro's name is not that of a function.
            if chars.get(at) == Some(&'!') && chars.get(at + 1) != Some(&'=') {
                name.push('!');
                at += 1;
            }
            // r#log is log.
            if name == "r" && chars.get(at) == Some(&'#') {
                at += 1;
                continue;
            }
            tokens.push(name);
        } else if c.is_ascii_digit() {
            while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                at += 1;
            }
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            at += 1;
        }
    }
    tokens
}

/// The end of the string, byte or character that starts here, if one does.
fn literal(chars: &[char], at: usize) -> Option<usize> {
    let mut from = at;
    while from < at + 2 && matches!(chars.get(from), Some('b' | 'c' | 'r')) {
        from += 1;
    }
    let raw = from > at && chars[from - 1] == 'r';
    let hashes = match raw {
        true => chars[from..].iter().take_while(|&&c| c == '#').count(),
        false => 0,
    };
    let quote = from + hashes;
    match chars.get(quote)? {
        '"' if raw => {
            let closing: Vec<char> = std::iter::once('"')
                .chain(std::iter::repeat_n('#', hashes))
                .collect();
            let rest = &chars[quote + 1..];
            let end = rest.windows(closing.len()).position(|w| w == closing);
            Some(quote + 1 + end.expect("a string does not end") + closing.len())
        }
        '"' => Some(closing_quote(chars, quote, '"')),
        // 'a' is a character, 'a a lifetime.
        '\'' if chars.get(quote + 1) == Some(&'\\') || chars.get(quote + 2) == Some(&'\'') => {
            Some(closing_quote(chars, quote, '\''))
        }
        _ => None,
    }
}

fn closing_quote(chars: &[char], quote: usize, kind: char) -> usize {
    let mut at = quote + 1;
    while chars[at] != kind {
        at += 1 + usize::from(chars[at] == '\\');
    }
    at + 1
}

/// Leaves out every item that is `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        if !rest.iter().take(ATTRIBUTE.len()).eq(ATTRIBUTE.iter()) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut depth = 0;
        at += ATTRIBUTE.len();
        loop {
            let token = tokens[at].as_str();
            at += 1;
            match token {
                "{" | "[" | "(" => depth += 1,
                "}" | "]" | ")" => depth -= 1,
                _ => {}
            }
            if depth == 0 && (token == "}" || token == ";") {
                break;
            }
        }
    }
    kept
}

/// Every path that is named, with every `use` spelled out.
fn paths(tokens: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "use" {
            at = expand(tokens, at + 1, &[], &mut paths);
        } else if is_name(&tokens[at]) {
            let (path, end) = path(tokens, at);
            paths.push(path);
            at = end;
        } else {
            at += 1;
        }
    }
    paths
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The names from here on that are joined by `::`, and where they end.
fn path(tokens: &[String], mut at: usize) -> (Vec<String>, usize) {
    let mut path = vec![tokens[at].clone()];
    at += 1;
    while let [one, two, name, ..] = &tokens[at..]
        && one == ":"
        && two == ":"
        && is_name(name)
    {
        path.push(name.clone());
        at += 3;
    }
    (path, at)
}

/// Spells out one tree of a `use`, which starts here, and returns where it ends.
fn expand(
    tokens: &[String],
    mut at: usize,
    prefix: &[String],
    paths: &mut Vec<Vec<String>>,
) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens[at].as_str() {
            ":" => at += 1,
            "{" => {
                at += 1;
                while tokens[at] != "}" {
                    at = expand(tokens, at, &path, paths);
                    at += usize::from(tokens[at] == ",");
                }
                return at + 1;
            }
            "as" => at += 2,
            "," | ";" | "}" => {
                if path.last().is_some_and(|last| last == "self") {
                    path.pop();
                }
                if path.len() == 1 {
                    path.push(String::from("self"));
                }
                paths.push(path);
                return at;
            }
            name => {
                path.push(String::from(name));
                at += 1;
            }
        }
    }
}

/// Where a module is, from the crate down; nothing for the crate itself.
type Module = Vec<String>;

/// The module that a file of `src/` is.
fn module(file: &Path) -> Module {
    let path = file.strip_prefix(root().join("src")).unwrap();
    let mut module: Module = path
        .with_extension("")
        .iter()
        .map(|name| name.to_str().unwrap().to_owned())
        .collect();
    if module
        .last()
        .is_some_and(|last| ["mod", "lib"].contains(&&last[..]))
    {
        module.pop();
    }
    module
}

/// Which modules each module imports, without those that it is a part of.
fn imports(sources: &BTreeMap<Module, String>) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut imports = BTreeMap::new();
    for (module, text) in sources {
        let mut named: BTreeSet<Module> = paths(&code(text))
            .iter()
            .filter_map(|path| target(module, path, sources))
            .collect();
        named.retain(|target| !module.starts_with(target));
        imports.insert(module.clone(), named);
    }
    imports
}

/// The module of ours that a path in this module leads to.
fn target(module: &Module, path: &[String], sources: &BTreeMap<Module, String>) -> Option<Module> {
    let mut target = module.clone();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" | "muxnc" => {
            target.clear();
            rest = &path[1..];
        }
        "self" | "super" => {
            if path[0] == "self" {
                rest = &path[1..];
            }
            while let [first, more @ ..] = rest
                && first == "super"
            {
                target.pop();
                rest = more;
            }
        }
        // A child of this module, or something that is none of ours.
        child => {
            target.push(child.to_owned());
            if path.len() < 2 || !sources.contains_key(&target) {
                return None;
            }
            rest = &path[1..];
        }
    }
    for name in rest {
        target.push(name.clone());
        if !sources.contains_key(&target) {
            // An item of the module.
            target.pop();
            break;
        }
    }
    sources.contains_key(&target).then_some(target)
}

/// The modules of one circle, in order; nothing where there is none.
fn circle(imports: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    /// Whoever is on the way to `module` is in `way`; whoever leads into no circle is in `clear`.
    fn walk(
        module: &Module,
        imports: &BTreeMap<Module, BTreeSet<Module>>,
        way: &mut Vec<Module>,
        clear: &mut BTreeSet<Module>,
    ) -> Vec<String> {
        if clear.contains(module) {
            return Vec::new();
        }
        if let Some(start) = way.iter().position(|known| known == module) {
            way.push(module.clone());
            return way[start..].iter().map(|m| m.join("::")).collect();
        }
        way.push(module.clone());
        for target in imports.get(module).into_iter().flatten() {
            let found = walk(target, imports, way, clear);
            if !found.is_empty() {
                return found;
            }
        }
        way.pop();
        clear.insert(module.clone());
        Vec::new()
    }
    let mut clear = BTreeSet::new();
    for module in imports.keys() {
        let found = walk(module, imports, &mut Vec::new(), &mut clear);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

// What follows proves that the above sees what it should, and nothing else.

fn violations(text: &str, violation: fn(&[String]) -> bool) -> Vec<String> {
    paths(&code(text))
        .into_iter()
        .filter(|path| violation(path))
        .map(|path| path.join("::"))
        .collect()
}

#[test]
fn what_is_not_code_is_no_violation() {
    for text in [
        "// use mio::Poll;\n",
        "//! mio::Poll, std::net, Instant::now(), log::info!\n",
        "/* use mio::Poll; /* nested */ use std::net::TcpStream; */",
        "const A: &str = \"use mio::Poll; \\\" log::info!()\";",
        "const A: &str = r#\"use \"mio::Poll\"; log::info!()\"#;",
        "const A: &[u8] = b\"std::net::TcpStream\"; const B: &[u8] = br\"\\\";",
        "const A: char = '\"'; const B: char = '\\''; fn a<'a>(mio: &'a str) -> &'a str { mio }",
        "#[cfg(test)]\nmod tests {\n use std::net::TcpStream;\n fn a() { Instant::now(); }\n}",
        "#[cfg(test)]\nuse std::fs;\n",
        "pub(crate) fn a() { let log = journal.log; } log.append(log); logged::info();",
        "use core::net::IpAddr;",
        "use std::time::Instant; use std::io::IoSlice; use memchr::memrchr; fn a(now: Instant) {}",
        "use crate::engine::journal::Journal; let a = b == 'c' && d != 3e5;",
    ] {
        let found = violations(text, engine_violation);
        assert!(found.is_empty(), "{text}\n{found:?}");
    }
}

#[test]
fn every_way_out_of_floor_0_is_seen() {
    for text in [
        "use mio::Poll;",
        "use mio;",
        "fn a() { mio::Poll::new(); }",
        "use std::net::TcpStream;",
        "use std::{io, net::{self, TcpStream}};",
        "use std::{io, fs};",
        "use std as s;",
        "use std::*;",
        "use ::std::os::fd::OwnedFd;",
        "fn a(b: std::os::fd::OwnedFd) {}",
        "fn a(b: &dyn Fn(std::net::SocketAddr)) {}",
        "let now = Instant::now();",
        "let now = std::time::Instant::now();",
        "let now = Instant /* here */ :: now();",
        "let long = since.elapsed();",
        "use std::time::{Duration, SystemTime};",
        "log::info!(\"hello\");",
        "use log::info;",
        "println!(\"hello\");",
        "io::stdout().write_all(b);",
        "use rustix::io::Errno;",
        "use r#mio::Poll;",
        "use crate::io::conn::Conn;",
        "use crate::{engine::room::Room, io::conn};",
        "use crate::*;",
        "use super::super::io;",
        "use muxnc::hub;",
        "std::thread::sleep(a);",
        "let a = '\\''; use mio::Poll; let b = '\\'';",
        "let a = \"\\\\\"; use mio::Poll; let b = \"\";",
        "#[cfg(test)] mod tests { fn a() { [{}] } } use mio::Poll;",
    ] {
        let found = violations(text, engine_violation);
        assert!(!found.is_empty(), "not seen: {text}");
    }
}

#[test]
fn every_way_up_is_seen() {
    for text in [
        "use crate::hub;",
        "use crate::{io::conn, cli::Mode};",
        "crate::client::run();",
    ] {
        assert!(!violations(text, edge_violation).is_empty(), "{text}");
    }
    for text in [
        "use crate::cli;",
        "use clap::Parser;",
        "#[derive(clap::Parser)] struct A;",
    ] {
        assert!(!violations(text, loop_violation).is_empty(), "{text}");
    }
    for text in [
        "use mio::Poll;",
        "use mio::{Token, Poll};",
        "mio::Poll::new()?;",
        "use mio::*;",
    ] {
        assert!(!violations(text, poll_violation).is_empty(), "{text}");
    }
    for text in [
        "use crate::io::conn::Conn; use crate::engine::lines::Lines;",
        "// crate::cli",
    ] {
        assert!(violations(text, edge_violation).is_empty(), "{text}");
        assert!(violations(text, loop_violation).is_empty(), "{text}");
    }
    let text = "use mio::Registry; use rustix::event::poll; use rustix::event::PollFd;";
    assert!(violations(text, poll_violation).is_empty());
}

/// The circle in a crate of these files.
fn circle_in(files: &[(&str, &str)]) -> Vec<String> {
    let sources: BTreeMap<Module, String> = files
        .iter()
        .map(|(file, text)| (module(&source(file)), String::from(*text)))
        .collect();
    circle(&imports(&sources))
}

#[test]
fn every_circle_is_seen() {
    let circles: [&[(&str, &str)]; 5] = [
        &[("a.rs", "use crate::b::B;"), ("b.rs", "use crate::a::A;")],
        &[
            ("a/b.rs", "use super::c::C;"),
            ("a/c.rs", "fn c(d: crate::d::D) {}"),
            ("d.rs", "use crate::{a::b::{self, B}, e};"),
            ("a.rs", ""),
        ],
        // By way of what is a part of it.
        &[
            ("a.rs", "mod b; use b::B;"),
            ("a/b.rs", "use crate::c::C;"),
            ("c.rs", "use crate::a::A;"),
        ],
        &[
            ("io/mod.rs", ""),
            ("io/a.rs", "impl self::super::b::B {}"),
            ("io/b.rs", "pub use super::a::A;"),
        ],
        &[
            ("io/mod.rs", ""),
            ("io/a.rs", "use crate::io::b;"),
            ("io/b/c.rs", "use super::super::a::A;"),
            ("io/b.rs", "mod c; pub use self::c::C;"),
        ],
    ];
    for files in circles {
        assert!(!circle_in(files).is_empty(), "not seen: {files:?}");
    }
    let straight: [&[(&str, &str)]; 4] = [
        &[
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "// use crate::a::A;"),
        ],
        &[("a.rs", "mod b; use b::B;"), ("a/b.rs", "use super::A;")],
        &[
            ("a.rs", "use crate::c::C; use crate::b::B;"),
            ("b.rs", "use crate::c::C; let a = a; a(); crate::b::b();"),
            ("c.rs", "use std::a;"),
        ],
        &[
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "#[cfg(test)] mod tests { use crate::a::A; }"),
        ],
    ];
    for files in straight {
        let found = circle_in(files);
        assert!(found.is_empty(), "{found:?} in {files:?}");
    }
}
