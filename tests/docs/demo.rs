//! `scripts/demo-class`: one command shows a class, and nothing of it stays behind.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Pid;
use rustix::process::Signal;

use crate::support::DEADLINE;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::contains;
use crate::support::installed;
use crate::support::piped;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/demo-class");

/// A demo's surroundings: a directory for its temporary files, and a word in the environment by
/// which every process that it starts is known.
struct Stage {
    directory: PathBuf,
    mark: String,
}

impl Stage {
    fn new() -> Stage {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("muxnc-demo-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(&name);
        fs::create_dir(&directory).unwrap();
        Stage {
            directory,
            mark: format!("MUXNC_STAGE={name}"),
        }
    }

    /// The words of a command line that runs the script here, `env` left out.
    fn line<'a>(&'a self, directory: &'a str, options: &[&'a str]) -> Vec<&'a str> {
        let start = [&self.mark, directory, SCRIPT, "--muxnc", MUXNC];
        [&start, options].concat()
    }

    fn tmpdir(&self) -> String {
        format!("TMPDIR={}", self.directory.display())
    }

    /// Runs the script to its end.
    fn run(&self, options: &[&str]) -> Process {
        let directory = self.tmpdir();
        let mut process = Process::start(&mut piped("env", &self.line(&directory, options)));
        process.end_input();
        process.wait();
        process
    }

    /// Runs the script in a terminal until the class is on the screen.
    fn open(&self) -> Terminal {
        let directory = self.tmpdir();
        let terminal = Terminal::of_kind("xterm", "env", &self.line(&directory, &[]));
        terminal.screen.wait_for("end of the demo");
        terminal.screen.wait_for("the hub: muxnc -l 127.0.0.1");
        // The script, the server of tmux, its client, a hub, a participant.
        let started = self.processes().len();
        assert!(started >= 5, "only {started} processes are known");
        terminal
    }

    /// The processes of the demo that run.
    fn processes(&self) -> Vec<Pid> {
        let entries = fs::read_dir("/proc").unwrap();
        entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let pid = entry.file_name().to_str()?.parse().ok()?;
                let environment = fs::read(entry.path().join("environ")).ok()?;
                let marked = contains(&environment, self.mark.as_bytes());
                marked.then(|| Pid::from_raw(pid)).flatten()
            })
            .collect()
    }

    /// Requires that no process and no file of the demo is left.
    #[track_caller]
    fn expect_empty(&self) {
        let end = Instant::now() + DEADLINE;
        while !self.processes().is_empty() {
            assert!(Instant::now() < end, "left: {:?}", self.processes());
            thread::sleep(Duration::from_millis(10));
        }
        let files: Vec<_> = fs::read_dir(&self.directory).unwrap().collect();
        assert!(files.is_empty(), "left: {files:?}");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for pid in self.processes() {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// What `--check` prints for a class of every kind of participant.
#[track_caller]
fn expect_class(process: &mut Process) {
    process.expect_status(0);
    let told = String::from_utf8(process.stdout.wait_end()).unwrap();
    for line in [
        "listening on 127.0.0.1:",
        "[5] 127.0.0.1:",
        "line 1 from muxnc",
        "line 2 from nc",
        "line 3 from ncat",
        "line 4 from telnet",
        "line 5 from socat",
        "a line from the hub",
        "arrived at the hub and at 5 participants",
    ] {
        assert!(told.contains(line), "{line:?} is not in:\n{told}");
    }
}

#[test]
fn a_class_of_every_kind_meets_without_a_terminal() {
    if !installed(&["tmux", "nc", "ncat", "telnet", "socat"]) {
        return;
    }
    let stage = Stage::new();
    expect_class(&mut stage.run(&["--check"]));
    stage.expect_empty();
}

#[test]
fn with_broker_the_participants_read_each_other() {
    if !installed(&["tmux", "nc", "ncat", "telnet", "socat"]) {
        return;
    }
    let stage = Stage::new();
    expect_class(&mut stage.run(&["--check", "--broker"]));
    stage.expect_empty();
}

#[test]
fn a_chat_says_who_said_it_and_what_happens_is_explained_where_that_is_wanted() {
    if !installed(&["tmux", "nc", "ncat", "telnet", "socat"]) {
        return;
    }
    let stage = Stage::new();
    let mut demo = stage.run(&["--check", "--chat", "--explain"]);
    demo.expect_status(0);
    let told = demo.stdout.text();
    for text in [
        "> line 1 from muxnc",
        "[1] TCP: our kernel shook hands by itself",
        "[5] TCP: our first ",
    ] {
        assert!(told.contains(text), "{text:?} is not in:\n{told}");
    }
    stage.expect_empty();
}

#[test]
fn what_is_kept_of_a_class_is_there() {
    if !installed(&["tmux", "nc", "ncat", "telnet", "socat"]) {
        return;
    }
    for also in [&[][..], &["--chat"]] {
        let stage = Stage::new();
        let mut demo = stage.run(&[&["--check", "--records"], also].concat());
        expect_class(&mut demo);
        let told = demo.stdout.text();
        assert!(told.contains("\t18\t0\t0001.txt\n"), "{told}");
        stage.expect_empty();
    }
}

#[cfg(feature = "web")]
#[test]
fn with_web_there_is_a_page() {
    if !installed(&["tmux", "nc", "ncat", "telnet", "socat", "curl"]) {
        return;
    }
    let stage = Stage::new();
    let mut process = stage.run(&["--check", "--web"]);
    let told = process.stdout.text();
    assert!(told.contains("demo-class: http://127.0.0.1:"), "{told}");
    expect_class(&mut process);
    stage.expect_empty();
}

#[test]
fn a_hub_that_does_not_do_its_work_fails_the_check() {
    if !installed(&["tmux"]) {
        return;
    }
    let stage = Stage::new();
    let directory = stage.tmpdir();
    // It ends at once.
    let line = [
        &stage.mark,
        &directory,
        SCRIPT,
        "--check",
        "--muxnc",
        "/bin/false",
    ];
    let mut command = piped("env", &[]);
    command.env("DEMO_DEADLINE", "1").args(line);
    let mut process = Process::start(&mut command);
    process.expect_status(1);
    process.stderr.wait_for("waited in vain for 'listening on");
    stage.expect_empty();
}

#[test]
fn nothing_is_left_when_the_user_detaches() {
    if !installed(&["tmux", "setsid"]) {
        return;
    }
    let stage = Stage::new();
    let mut terminal = stage.open();
    terminal.press("\x02d");
    terminal.process.expect_status(0);
    stage.expect_empty();
}

#[test]
fn nothing_is_left_when_the_script_is_killed() {
    if !installed(&["tmux", "setsid"]) {
        return;
    }
    for (signal, status) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let stage = Stage::new();
        let mut terminal = stage.open();
        terminal.process.signal(signal);
        terminal.process.expect_status(status);
        stage.expect_empty();
    }
}

#[test]
fn help_and_usage_errors_start_nothing() {
    let run = |option: &str| Command::new(SCRIPT).arg(option).output().unwrap();
    let help = run("--help");
    assert!(help.status.success());
    assert!(contains(&help.stdout, b"Usage: scripts/demo-class"));
    let wrong = run("--nonsense");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(contains(&wrong.stderr, b"--nonsense"));
}
