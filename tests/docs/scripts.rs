//! What a person runs: each script says what it does, refuses what it does not know, and does it.
//! (`scripts/demo-class` has tests of its own, and so has `scripts/package-check`.)

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::support;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::installed;
use crate::support::piped;

fn scripts() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    // What they share is no script.
    paths.filter(|path| path.is_file()).collect()
}

/// A script of ours that calls cargo.
fn script(name: &str, args: &[&str]) -> Command {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut command = piped(scripts.join(name), args);
    // Cargo tells a test of its package, and the script's own cargo would take that for a change that
    // makes it build half of the dependencies again.
    for (name, _) in std::env::vars() {
        let of_package = name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if of_package || name == "OUT_DIR" {
            command.env_remove(name);
        }
    }
    command
}

#[test]
fn each_says_what_it_does_and_refuses_what_it_does_not_know() {
    let scripts = scripts();
    assert!(scripts.len() >= 4, "{scripts:?}");
    for script in scripts {
        let name = script.file_name().unwrap().to_str().unwrap().to_owned();
        for option in ["--help", "-h"] {
            let mut help = Process::start(&mut piped(&script, &[option]));
            help.expect_status(0);
            let told = help.stdout.text();
            assert!(
                told.starts_with(&format!("Usage: scripts/{name}")),
                "{told}"
            );
            // What it does, and not only how it is written.
            assert!(told.lines().count() > 5, "{told}");
        }
        // What these do not know, the tool refuses that they have to build first.
        if ["compare"].contains(&name.as_str()) {
            continue;
        }
        let mut wrong = Process::start(&mut piped(&script, &["--nonsense"]));
        wrong.expect_status(2);
        wrong.stderr.wait_for("--nonsense");
    }
}

#[test]
fn the_picture_shows_what_was_typed() {
    if !installed(&["tmux", "unshare", "nsenter", "ip", "nc", "telnet"]) {
        return;
    }
    // Where there may be no namespaces, that is said.
    if support::Namespace::new().is_none() {
        return;
    }
    if !Path::new(MUXNC).with_file_name("picture").exists() {
        support::left_out("a tool that draws, which only cargo test --workspace builds");
        return;
    }
    let name = format!("muxnc-picture-{}.svg", std::process::id());
    let picture = std::env::temp_dir().join(name);
    let mut command = script("class-picture", &["--muxnc", MUXNC]);
    Process::start(command.arg(&picture)).expect_status(0);
    let drawn = fs::read_to_string(&picture).unwrap();
    fs::remove_file(&picture).unwrap();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/class.svg");
    let committed = fs::read_to_string(committed).unwrap();
    for svg in [drawn, committed] {
        assert!(
            svg.starts_with("<svg ") && svg.ends_with("</svg>\n"),
            "{svg}"
        );
        for text in [
            "listening on [::]:3000",
            " joined, 3 here",
            ">[1 Alice]<",
            "> can we all be right?<",
            "Escape character is",
            ">You can.<",
        ] {
            assert!(svg.contains(text), "{text} is not in {svg}");
        }
    }
}

/// Whether what scripts/web-pictures needs is here.
#[cfg(feature = "web")]
#[track_caller]
fn can_run_the_class_of_the_pictures() -> bool {
    let programs = [
        "tmux",
        "unshare",
        "nsenter",
        "ip",
        "nc",
        "curl",
        "chromium",
        "chromedriver",
    ];
    installed(&programs) && support::Namespace::new().is_some()
}

#[cfg(feature = "web")]
#[test]
fn the_pictures_of_the_page_are_those_of_a_class() {
    if !can_run_the_class_of_the_pictures() {
        return;
    }
    let folder = support::Folder::new("pictures");
    let mut command = script("web-pictures", &["--muxnc", MUXNC]);
    // Three browsers.
    Process::start(command.arg(&folder.0)).expect_status_within(5 * support::DEADLINE, 0);
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for directory in [&folder.0, &committed] {
        for (name, least) in [("web.png", 800), ("web-laptop.png", 900)] {
            let picture = fs::read(directory.join(name)).unwrap();
            // Portable Network Graphics: a signature, and the width in the first chunk.
            assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"), "{name}");
            let width = u32::from_be_bytes(picture[16..20].try_into().unwrap());
            assert!(width >= least && picture.len() < 300_000, "{name}: {width}");
        }
    }
}

/// Whatever they started ends with them, browsers as well.
#[cfg(feature = "web")]
#[test]
fn pictures_that_are_interrupted_leave_nothing_behind() {
    if !can_run_the_class_of_the_pictures() {
        return;
    }
    let folder = support::Folder::new("interrupted");
    // By this everything is known that it starts.
    let mark = format!("TMPDIR={}", folder.0.display());
    let mut command = script("web-pictures", &["--muxnc", MUXNC]);
    let mut process = Process::start(command.arg(&folder.0).env("TMPDIR", &folder.0));
    let of_it = |what: &str| {
        let entries = fs::read_dir("/proc").unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let is_of_it = |path: &PathBuf| {
            let [environment, name] = ["environ", "comm"]
                .map(|file| fs::read_to_string(path.join(file)).unwrap_or_default());
            environment.contains(&mark) && name.contains(what)
        };
        paths.filter(is_of_it).count()
    };
    support::eventually("a browser starts", || of_it("chrom") > 1);
    process.signal(rustix::process::Signal::TERM);
    process.expect_status(143);
    support::eventually("everything ends", || of_it("") == 0);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
}
