//! The file that is offered for download: what standard input is.
//!
//! It promises: it is read at positions of its own, so that the reader of standard input goes on
//! where it was; of its path only the last part is kept.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::FileType;
use rustix::fs::Stat;

use crate::engine::web::offer::Stamp;

/// See the module's documentation.
#[derive(Debug)]
pub struct Offered {
    file: OwnedFd,
    name: Option<String>,
    start: u64,
    stamp: Stamp,
}

impl Offered {
    /// Standard input from where it stands, if that is a regular file. To be called before it is read, and
    /// while the system still tells its name.
    pub fn stdin() -> Option<Offered> {
        let file = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 0).ok()?;
        let mut offered = Offered::new(file, None)?;
        // The name of a file that was removed is not told: the system gives it one with
        // ` (deleted)` behind it (proc(5)).
        let links = rustix::fs::fstat(&offered.file).ok()?.st_nlink;
        let is_named = cfg!(target_os = "linux") && links > 0;
        let path = is_named.then(|| std::fs::read_link("/proc/self/fd/0"));
        let name = path.and_then(Result::ok);
        let name = name.as_deref().and_then(Path::file_name);
        offered.name = name.map(|name| name.to_string_lossy().into_owned());
        Some(offered)
    }

    /// A regular file from where it stands, called so.
    pub fn new(file: OwnedFd, name: Option<String>) -> Option<Offered> {
        let stat = rustix::fs::fstat(&file).ok()?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let start = rustix::fs::tell(&file).ok().filter(|_| is_file)?;
        Some(Offered {
            name,
            start,
            stamp: stamp(&stat),
            file,
        })
    }

    /// What it is called, if that is known.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where in the file it begins.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// What the file was when it was offered.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Bytes from there to its end.
    pub fn remaining(&self) -> u64 {
        self.stamp.size.saturating_sub(self.start)
    }

    /// What the file is now.
    pub fn stamp_now(&self) -> Option<Stamp> {
        rustix::fs::fstat(&self.file).ok().as_ref().map(stamp)
    }

    /// Reads from there on.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        loop {
            match rustix::io::pread(&self.file, &mut *buffer, at) {
                Err(rustix::io::Errno::INTR) => {}
                read => return Ok(read?),
            }
        }
    }
}

impl AsFd for Offered {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[allow(
    clippy::unnecessary_cast,
    clippy::cast_lossless,
    reason = "the types of these numbers are not the same on every system"
)]
fn stamp(stat: &Stat) -> Stamp {
    Stamp {
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
        size: stat.st_size as u64,
        modified: (stat.st_mtime as i64, stat.st_mtime_nsec as u32),
    }
}
