//! Reloading: the files that SIGHUP makes the hub read again or open anew, where stdin is no
//! terminal.
//!
//! The files of `--allowfile` and `--denyfile` are read again unless they are pipes, and those of
//! `--transcript`, `--events`, `-o` and `-x` opened by their names, so that a log can be rotated. Names of hosts
//! are not looked up again, since the class would wait for that; members that are here stay; and a
//! file that cannot be read or opened leaves everything as it was.
//!
//! It promises: a hub that has nothing to reload, and one whose terminal hung up, ends by SIGHUP as any
//! program does.

use std::path::Path;
use std::path::PathBuf;

use rustix::stdio::stdin;
use rustix::termios::isatty;

use super::core::Core;
use crate::io::access::Again;
use crate::io::access::Guard;
use crate::io::job;
use crate::io::record::Prepared;
use crate::io::world::Kernel;
use crate::status::NOTICE;

/// The files that can be reloaded. See the module's documentation.
pub(super) struct Reload {
    guard: Guard,
    /// Where records can be opened anew.
    folders: Vec<PathBuf>,
    /// This process had a controlling terminal at the start.
    had_terminal: bool,
}

impl Reload {
    /// None: there are no such files, or there is a person at a keyboard.
    pub(super) fn new(guard: Guard, records: Option<&Prepared>) -> Option<Reload> {
        let folders = records.map(Prepared::folders).unwrap_or_default();
        // A pipe is not opened anew, but a hub with a record is not ended, either.
        let has_something = guard.has_files() || records.is_some_and(Prepared::has_files);
        (has_something && !isatty(stdin())).then(|| Reload {
            guard,
            folders,
            had_terminal: job::has_terminal(),
        })
    }

    /// Where files are to be made and written to.
    pub(super) fn folders(&self) -> Vec<&Path> {
        self.folders.iter().map(PathBuf::as_path).collect()
    }

    /// Whether a process sent SIGHUP, and not the kernel because the terminal hung up.
    pub(super) fn is_wanted(&self) -> bool {
        !self.had_terminal || job::has_terminal()
    }

    /// Does it.
    pub(super) fn reload(&self, core: &mut Core<Kernel>) {
        if self.guard.has_files() {
            match self.guard.reload() {
                Ok(lists) => {
                    core.set_lists(lists);
                    let told = match self.guard.again() {
                        Again::All => "the lists of hosts were read again",
                        Again::Regular => {
                            "the lists of hosts that are regular files were read again"
                        }
                        Again::None => {
                            "no list of hosts is a regular file that could be read again"
                        }
                    };
                    log::info!(target: NOTICE, "SIGHUP: {told}");
                }
                Err(error) => {
                    let error = error.to_string();
                    let error = error.lines().next().unwrap_or_default();
                    log::warn!("{error}; the lists of hosts stay as they were");
                }
            }
        }
        let Some(records) = core.records_mut() else {
            return;
        };
        let told = match self.folders.is_empty() {
            true if self.guard.has_files() => return,
            true => "no record is a file that could be opened anew",
            false => match records.reopen() {
                (0, _) => return,
                (_, 0) => "the records were opened anew",
                // Those that could not be opened were told.
                (_, _) => "the other records were opened anew",
            },
        };
        log::info!(target: NOTICE, "SIGHUP: {told}");
    }
}
