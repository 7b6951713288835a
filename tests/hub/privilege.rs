//! What a hub gives up when it is open: it opens no file that it was not told to, and could write
//! none and run no program.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

use rustix::process::Signal;

use crate::support;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::piped;

/// Whether this is a system call that names a file, other than a descriptor of the hub's own.
fn names_a_file(line: &str) -> bool {
    // "PID call(arguments) = result"; "+++ exited" and signals are no calls.
    let Some((_, call)) = line.split_once(' ') else {
        return false;
    };
    !call.trim_start().starts_with(['+', '-']) && !call.contains("\"/proc/self/fd/")
}

#[test]
fn a_hub_opens_nothing_while_it_serves() {
    if !installed(&["strace"]) {
        return;
    }
    let name = format!("muxnc-privilege-{}", std::process::id());
    let trace = std::env::temp_dir().join(name);
    let args = [
        "-f",
        "-e",
        "trace=%file",
        "-o",
        trace.to_str().unwrap(),
        MUXNC,
    ];
    let mut command = piped("strace", &args);
    command.env_remove("LD_LIBRARY_PATH");
    let mut hub = Hub::start_command(command.args(["-l", "0", "-v", "--chat", "--rate", "1M"]));
    let calls = || fs::read_to_string(&trace).unwrap();
    let mut first = hub.join_seen();
    expect_bytes(&mut first, "* user1 joined\n");
    let before = calls();
    let mut second = hub.join_seen();
    expect_bytes(&mut first, "* user2 joined\n");
    second.write_all(b"/nick Ana\n/etc/passwd\n").unwrap();
    expect_bytes(&mut first, "* user2 is now Ana\n<Ana> /etc/passwd\n");
    hub.process.type_in("../../etc/passwd\n");
    expect_bytes(&mut first, "<host> ../../etc/passwd\n");
    // It has read nothing, so that this is a reset.
    drop(second);
    expect_bytes(&mut first, "* Ana left\n");
    hub.process.type_in("bye\n");
    expect_bytes(&mut first, "<host> bye\n");
    hub.process.end_input();
    support::read_all(&mut first);
    drop(first);
    hub.process.expect_status(0);
    let after = calls();
    fs::remove_file(&trace).unwrap();
    let late: Vec<&str> = after[before.len()..]
        .lines()
        .filter(|line| names_a_file(line))
        .collect();
    assert!(late.is_empty(), "while it served: {late:#?}");
    // And before: what the system's loader and Rust's start open, and itself.
    for line in before.lines().filter(|line| line.contains("open")) {
        let path = line.split('"').nth(1).unwrap_or(line);
        let known = [
            "/etc/ld.so",
            "/lib",
            "/usr/lib",
            "/proc/self/",
            "/sys/",
            "/dev/null",
        ];
        assert!(known.iter().any(|known| path.starts_with(known)), "{line}");
    }
}

/// Whether this kernel confines a hub that was asked for `-vv`; else it is said that this is left out.
fn is_confined(hub: &Hub) -> bool {
    hub.process.stderr.wait_until("what became of it", |told| {
        let told = String::from_utf8_lossy(told);
        told.contains("no program run any more") || told.contains("not confined")
    });
    let told = hub.process.stderr.text();
    let is_left_out = told.contains("NotEnforced") || told.contains("not confined");
    if is_left_out {
        let _ = writeln!(
            std::io::stderr(),
            "left out: this kernel has no Landlock: {told}"
        );
    }
    !is_left_out
}

#[test]
fn a_hub_is_confined_where_the_kernel_can() {
    let hub = Hub::start(&["-vv"]);
    if !is_confined(&hub) {
        return;
    }
    let status = format!("/proc/{}/status", hub.process.pid());
    eventually("it can gain no privilege", || {
        fs::read_to_string(&status)
            .unwrap()
            .contains("NoNewPrivs:\t1\n")
    });
    // Nobody is bothered with it who did not ask.
    let hub = Hub::start(&["-v"]);
    drop(hub.join_seen());
    assert!(!hub.process.stderr.text().contains("any more"));
}

/// Whoever collects answers writes them in their folder for as long as it runs, and records in theirs, and
/// nowhere else: also where a record's name leads somewhere else by now.
#[test]
fn a_hub_that_collects_is_confined_to_its_folders() {
    let folder = Folder::new("confined");
    let [answers, minutes, elsewhere] =
        ["answers", "minutes", "elsewhere"].map(|name| folder.0.join(name));
    for dir in [&minutes, &elsewhere] {
        fs::create_dir(dir).unwrap();
    }
    let (log, target) = (minutes.join("log"), elsewhere.join("log"));
    let [collect, transcript] = [&answers, &log].map(|path| path.to_str().unwrap());
    let records = ["--collect", collect, "--transcript", transcript];
    let hub = Hub::start(&[&["-vv", "--recv-only"][..], &records].concat());
    if !is_confined(&hub) {
        return;
    }
    let answer = |number: usize| {
        let mut ana = hub.join_seen();
        ana.write_all(b"an answer\n").unwrap();
        drop(ana);
        eventually("it is kept, with its row", || {
            let index = fs::read_to_string(answers.join("index.tsv")).unwrap_or_default();
            index.lines().count() == 1 + number
        });
        let kept = fs::read(answers.join(format!("{number:04}.txt")));
        assert_eq!(kept.unwrap(), b"an answer\n");
    };
    answer(1);
    for is_there in [false, true] {
        if is_there {
            fs::write(&target, "mine\n").unwrap();
        }
        fs::remove_file(&log).unwrap();
        symlink(&target, &log).unwrap();
        let refused = || {
            let told = hub.process.stderr.text();
            told.matches("the old file is written on").count()
        };
        let before = refused();
        hub.process.signal(Signal::HUP);
        eventually("the record cannot be opened there", || refused() > before);
        hub.process.stderr.wait_for("permission denied");
    }
    assert_eq!(fs::read_to_string(&target).unwrap(), "mine\n");
    answer(2);
    fs::remove_file(&log).unwrap();
    hub.process.signal(Signal::HUP);
    eventually("it is opened where it may be", || log.exists());
    answer(3);
    assert!(fs::read_to_string(&log).unwrap().contains("an answer"));
}
