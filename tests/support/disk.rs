//! A disk that is full, for one process.

use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use super::Folder;
use super::MUXNC;
use super::Process;
use super::installed;
use super::left_out;
use super::piped;

/// A disk of 4 MiB of which half a MiB is free, until what takes the rest is removed. Only the process that
/// was started with it has it.
pub struct FullDisk {
    place: String,
    flags: &'static [&'static str],
    _folder: Folder,
}

impl FullDisk {
    /// What is free of it.
    pub const ROOM: usize = 512 * 1024;

    const SCRIPT: &str = "mount -t tmpfs -o size=4m none \"$1\" && \
        head -c 3670016 /dev/zero >\"$1/filling\" && shift && exec \"$@\"";

    /// None where that is not permitted: the test is to be left out, which was said.
    #[track_caller]
    pub fn new(name: &str) -> Option<FullDisk> {
        if !installed(&["unshare", "mount"]) {
            return None;
        }
        let folder = Folder::new(name);
        // Below /proc/PID/root a link would lead out of the namespace.
        let place = folder.0.canonicalize().unwrap().join("disk");
        std::fs::create_dir(&place).unwrap();
        let mut disk = FullDisk {
            place: place.to_str().unwrap().to_owned(),
            flags: &["-m"],
            _folder: folder,
        };
        let ways: [&[&str]; 2] = [&["-m"], &["-rm"]];
        for flags in ways {
            disk.flags = flags;
            let tried = disk.piped("true", &[]).output();
            if tried.is_ok_and(|tried| tried.status.success()) {
                return Some(disk);
            }
        }
        left_out("a mount namespace, which is not permitted here");
        None
    }

    /// The path of a file on it, for the process that has it.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.place)
    }

    /// muxnc that has it.
    pub fn muxnc(&self, args: &[&str]) -> Command {
        self.piped(MUXNC, args)
    }

    fn piped(&self, program: &str, args: &[&str]) -> Command {
        let script = ["sh", "-c", FullDisk::SCRIPT, "sh", &self.place, program];
        let mut command = piped("unshare", &[self.flags, &script, args].concat());
        command.stdout(Stdio::piped());
        command
    }

    /// The path of a file on it from outside.
    pub fn seen(&self, process: &Process, name: &str) -> PathBuf {
        format!("/proc/{}/root{}", process.pid(), self.path(name)).into()
    }

    /// Removes what takes the rest of it.
    pub fn make_room(&self, process: &Process) {
        std::fs::remove_file(self.seen(process, "filling")).unwrap();
    }
}
