//! Job control: which job has the terminal, and whether a shell could make a stopped job go on.
//!
//! It promises: nothing is read from or done to a terminal that another job has; a process group,
//! session or parent beyond our PID namespace (as after `docker run -t`) has no number here, and
//! counts as none.

use std::os::fd::AsFd;
use std::sync::OnceLock;

use rustix::termios::isatty;
use rustix::termios::tcgetpgrp;

use super::proc;

/// What `proc(5)` says of a process in `/proc/PID/stat`. 0 is what has no number here.
#[derive(Debug, Clone, Copy)]
struct Process {
    parent: i32,
    group: i32,
    session: i32,
    /// Its controlling terminal, as a device, or 0.
    terminal: i32,
}

impl Process {
    /// None if it is gone, or there is no `/proc`.
    fn find(pid: &str) -> Option<Process> {
        Process::parse(&proc::read(&format!("{pid}/stat")).ok()?)
    }

    fn parse(stat: &str) -> Option<Process> {
        // The name before them may have anything in it.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut numbers = fields.split_whitespace().skip(1).map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Process {
            parent: next()?,
            group: next()?,
            session: next()?,
            terminal: next()?,
        })
    }
}

/// Our process group, as it was when first asked for: a shell puts its jobs into their groups
/// before they run.
fn our_group() -> Option<i32> {
    static GROUP: OnceLock<Option<i32>> = OnceLock::new();
    *GROUP.get_or_init(|| Process::find("self").map(|ours| ours.group))
}

/// Whether another job has the terminal `fd`: reading it or setting its modes would stop us
/// (SIGTTIN and SIGTTOU in `credentials(7)`). No for what is not our controlling terminal.
pub fn is_elsewhere(fd: impl AsFd) -> bool {
    match (tcgetpgrp(fd), our_group()) {
        (Ok(job), Some(group)) => job.as_raw_pid() != group,
        _ => false,
    }
}

/// Whether our job is the one that has the terminal `fd`, which controls our session.
pub fn is_ours(fd: impl AsFd) -> bool {
    matches!((tcgetpgrp(fd), our_group()), (Ok(job), Some(group)) if job.as_raw_pid() == group)
}

/// Whether a terminal controls our session. After it hung up none does.
pub fn has_terminal() -> bool {
    Process::find("self").is_some_and(|ours| ours.terminal != 0)
}

/// Whether `fd` is the terminal that controls our session, which `/dev/tty` names too.
pub fn is_controlled_by(fd: impl AsFd) -> bool {
    // Most are none, and need not be asked for.
    if !isatty(&fd) {
        return false;
    }
    let Ok(stat) = rustix::fs::fstat(fd) else {
        return false;
    };
    let Some(ours) = Process::find("self").filter(|ours| ours.terminal != 0) else {
        return false;
    };
    // As the kernel writes it: new_encode_dev() in linux/kdev_t.h.
    let device = ours.terminal as u32;
    let major = device >> 8 & 0xfff;
    let minor = device & 0xff | device >> 12 & 0xf_ff00;
    let theirs = stat.st_rdev;
    (rustix::fs::major(theirs), rustix::fs::minor(theirs)) == (major, minor)
}

/// Whether an ancestor in our session has put us into a process group of our own, as a shell with
/// job control does, and could make us go on after Ctrl-Z. (The kernel checks the same before
/// SIGTSTP stops a process, but not before SIGSTOP, which has to stand in for it.)
pub fn has_shell() -> bool {
    let Some(ours) = Process::find("self") else {
        // Not known: it may be so.
        return true;
    };
    let mut ancestor = ours.parent;
    while ancestor != 0 {
        let Some(process) = Process::find(&ancestor.to_string()) else {
            return false;
        };
        if process.session != ours.session {
            return false;
        }
        if process.group != ours.group {
            return true;
        }
        ancestor = process.parent;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_anything() {
        let stat = "71 (a) R 9 (b) S 12 71 0 34817 71 4194304 127";
        let process = Process::parse(stat).unwrap();
        assert_eq!(
            (
                process.parent,
                process.group,
                process.session,
                process.terminal
            ),
            (12, 71, 0, 34817)
        );
        assert!(Process::parse("71 (cat) S 12 71").is_none());
        assert!(Process::parse("").is_none());
    }
}
