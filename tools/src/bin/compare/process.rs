//! A process that is measured: pinned, watched through /proc, and ended by its id.
//!
//! It promises: no process outlives the value that stands for it; and if this program is itself
//! killed, its caller finds the ids of what is left as names in the directory it gave.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use rustix::thread::CpuSet;

/// The processor that subjects run on.
pub const SUBJECT_CPU: usize = 0;

/// The processor that the load runs on.
pub const LOAD_CPU: usize = 1;

/// Pins this thread, and what it starts from now on, to a processor.
pub fn pin(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

/// The directory in which a file named after each running process lies.
fn ledger() -> Option<PathBuf> {
    std::env::var_os("COMPARE_PIDS").map(PathBuf::from)
}

/// A running process.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a command on the subjects' processor.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(command: &mut Command) -> Result<Process, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let fail = |error: io::Error| format!("start {name}: {error}");
        // What is started inherits the processor; on a machine with one, nothing is pinned.
        let pinned = pin(SUBJECT_CPU).is_ok();
        let child = command.spawn();
        if pinned {
            let _ = pin(LOAD_CPU);
        }
        let process = Process {
            child: child.map_err(fail)?,
        };
        if let Some(ledger) = ledger() {
            fs::write(ledger.join(process.id().to_string()), "").map_err(fail)?;
        }
        Ok(process)
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input, once.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its standard output, once.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Seconds of processor that all its threads have used. It may have ended, as long as it was
    /// not waited for.
    pub fn cpu(&self) -> f64 {
        let of = |path: PathBuf| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let nanos = text.split(' ').next().and_then(|n| n.parse::<f64>().ok());
            nanos.unwrap_or(0.0) / 1e9
        };
        let tasks = fs::read_dir(self.proc("task")).into_iter().flatten();
        tasks
            .flatten()
            .map(|task| of(task.path().join("schedstat")))
            .sum()
    }

    /// How often its threads went to sleep.
    pub fn sleeps(&self) -> f64 {
        let tasks = fs::read_dir(self.proc("task")).into_iter().flatten();
        let counts = tasks.flatten().filter_map(|task| {
            let status = fs::read_to_string(task.path().join("status")).ok()?;
            field(&status, "voluntary_ctxt_switches:")
        });
        counts.sum()
    }

    /// A memory figure of /proc/PID/status, in bytes.
    pub fn memory(&self, name: &str) -> f64 {
        let status = fs::read_to_string(self.proc("status")).unwrap_or_default();
        field(&status, name).unwrap_or(0.0) * 1024.0
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).map_or(0, Iterator::count)
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        use rustix::process::WaitId;
        use rustix::process::WaitIdOptions;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let pid = rustix::process::Pid::from_child(&self.child);
        !matches!(rustix::process::waitid(WaitId::Pid(pid), options), Ok(None))
    }

    /// Waits until `done` says so.
    ///
    /// # Errors
    /// It ended, or `limit` passed.
    pub fn wait_until(
        &mut self,
        what: &str,
        limit: Duration,
        mut done: impl FnMut(&Process) -> bool,
    ) -> Result<(), String> {
        let begin = Instant::now();
        while !done(self) {
            if self.has_ended() {
                return Err(format!("it ended before {what}"));
            }
            if begin.elapsed() > limit {
                return Err(format!("waited in vain for {what}"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.id()))
    }
}

fn field(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(ledger) = ledger() {
            let _ = fs::remove_file(ledger.join(self.id().to_string()));
        }
    }
}
