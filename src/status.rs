//! How the program ends, and how its loops report to their caller.
//!
//! It promises: the status 0 cannot be made but from the proof that everything was delivered.

use crate::engine::flow::Proof;

/// The log target of what a person at a terminal is told without asking.
pub const NOTICE: &str = "muxnc::notice";

/// The log target of explanations (`--explain`).
pub const EXPLAIN: &str = "muxnc::explain";

/// How the program ended, as the shell sees it. Death by a signal is the system's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Everything was delivered, as is proved.
    Done(Proof),
    /// The network, or an input or output, failed.
    Failed,
    /// The command line made no sense.
    Usage,
    /// Our output has no reader any more, which ends a filter as SIGPIPE would.
    BrokenPipe,
    /// A signal is to end it, now that the terminal is as it was.
    Killed(i32),
}

impl From<Status> for u8 {
    fn from(status: Status) -> u8 {
        match status {
            Status::Done(_) => 0,
            Status::Failed => 1,
            Status::Usage => 2,
            Status::BrokenPipe => 128 + 13,
            Status::Killed(signal) => 128_u8.wrapping_add(signal as u8),
        }
    }
}
