//! What a hub gives up when it is open: it opens no file that it was not told to, and could write
//! none and run no program.

mod support;

use std::fs;
use std::io::Write;

use support::Hub;
use support::MUXNC;
use support::eventually;
use support::expect_bytes;
use support::installed;
use support::piped;

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

#[test]
fn a_hub_is_confined_where_the_kernel_can() {
    let hub = Hub::start(&["-vv"]);
    hub.process.stderr.wait_until("what became of it", |told| {
        let told = String::from_utf8_lossy(told);
        told.contains("no program run any more") || told.contains("not confined")
    });
    let told = hub.process.stderr.text();
    if told.contains("NotEnforced") || told.contains("not confined") {
        let _ = writeln!(
            std::io::stderr(),
            "left out: this kernel has no Landlock: {told}"
        );
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
