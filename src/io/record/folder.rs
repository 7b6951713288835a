//! A folder of answers: the files in it, and the index of them.
//!
//! Ten thousand participants cannot have a descriptor each beside those of their connections. So a file is
//! opened for each piece that is appended to it, and one descriptor is kept that is given up for that when none is
//! left.
//!
//! It promises: a file is made where none is, or it is one that this hub made; no link is followed;
//! a file that already has a name which one of ours should get stays. One hub at a time writes
//! there.

use std::fs;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::Access;
use rustix::fs::AtFlags;
use rustix::fs::FlockOperation;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::engine::answers::COLUMNS;
use crate::engine::answers::INDEX;
use crate::engine::answers::file_name;
use crate::engine::answers::number_of_file;
use crate::engine::answers::number_of_row;
use crate::io::error::Error;

/// How every file is opened: never through a link, and never to wait for anything.
const FLAGS: OFlags = OFlags::WRONLY
    .union(OFlags::APPEND)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// What answers are written to: a folder, or what stands for one in a test.
pub(super) trait Store {
    /// Where it is.
    fn path(&self) -> &Path;

    /// Appends to the file of that number what fits, and returns how much that was: less than all means that
    /// the next call tells why. `is_there`: something was written to it before. If nothing was, no file is left.
    ///
    /// # Errors
    /// The error of the system call.
    fn append(&mut self, number: u32, is_there: bool, bytes: &[u8]) -> Result<usize, Errno>;

    /// Gives the file of that number its name, if it gets another one, and returns it.
    fn name(&mut self, number: u32, name: Option<&str>) -> String;

    /// Appends to the index; as [`Store::append`].
    ///
    /// # Errors
    /// The error of the system call.
    fn note(&mut self, bytes: &[u8]) -> Result<usize, Errno>;
}

/// See the module's documentation.
pub(super) struct Folder {
    path: PathBuf,
    folder: OwnedFd,
    index: OwnedFd,
    /// Given up for a file where no other descriptor is left.
    spare: Option<OwnedFd>,
    /// The highest number that is in it, of an earlier hub.
    last: u32,
}

impl Folder {
    /// Opens a folder, which is made if it is not there.
    ///
    /// # Errors
    /// It is none, or cannot be written to, or another hub writes there.
    pub(super) fn open(path: &Path) -> Result<Folder, Error> {
        let shown = path.display();
        let system = |error: io::Error| {
            let told = Error::system(format!("collect in {shown}"), &error);
            told.hint("What participants say was to be kept there.")
        };
        match fs::create_dir(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let told = Error::system(format!("collect in {shown}"), &error);
                return Err(told.hint("The folder is made, but not those that it is in."));
            }
            made => made.map_err(system)?,
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| {
            let told = Error::system(format!("collect in {shown}"), &error.into());
            match error {
                Errno::NOTDIR => {
                    told.hint("A folder is wanted: each participant has a file in it.")
                }
                _ => told,
            }
        })?;
        let access = Access::WRITE_OK | Access::EXEC_OK;
        rustix::fs::accessat(&folder, ".", access, AtFlags::EACCESS)
            .map_err(|error| system(error.into()))?;
        let (index, last) = open_index(&folder).map_err(|error| match error {
            Errno::AGAIN => Error::new(
                format!("collect in {shown}"),
                "another hub collects there just now",
            )
            .hint("Give each hub a folder of its own."),
            error => {
                let told = Error::system(
                    format!("open {}", path.join(INDEX).display()),
                    &error.into(),
                );
                told.hint("It is the index of what participants say.")
            }
        })?;
        let files = fs::read_dir(path).map_err(system)?;
        let files = files.filter_map(|file| number_of_file(file.ok()?.file_name().to_str()?));
        Ok(Folder {
            path: path.into(),
            last: files.fold(last, u32::max),
            spare: rustix::io::dup(&folder).ok(),
            folder,
            index,
        })
    }

    /// The highest number that was in it.
    pub(super) fn last(&self) -> u32 {
        self.last
    }

    fn open_file(&self, name: &str, is_there: bool) -> Result<OwnedFd, Errno> {
        let mode = Mode::from_raw_mode(0o666);
        if is_there {
            match rustix::fs::openat(&self.folder, name, FLAGS, mode) {
                // Another process took the file away, with what was in it.
                Err(Errno::NOENT) => {}
                opened => return opened,
            }
        }
        let flags = FLAGS | OFlags::CREATE | OFlags::EXCL;
        rustix::fs::openat(&self.folder, name, flags, mode)
    }
}

impl Store for Folder {
    fn path(&self) -> &Path {
        &self.path
    }

    fn append(&mut self, number: u32, is_there: bool, bytes: &[u8]) -> Result<usize, Errno> {
        let name = file_name(number, None);
        let mut file = self.open_file(&name, is_there);
        if let Err(Errno::MFILE | Errno::NFILE) = file
            && self.spare.take().is_some()
        {
            file = self.open_file(&name, is_there);
        }
        let is_new = file.is_ok() && !is_there;
        let written = file.and_then(|file| write(&file, bytes));
        if written.is_err() && is_new {
            // The next call makes it anew, and takes none that is there for its own.
            let _ = rustix::fs::unlinkat(&self.folder, &name, AtFlags::empty());
        }
        if self.spare.is_none() {
            self.spare = rustix::io::dup(&self.folder).ok();
        }
        written
    }

    fn name(&mut self, number: u32, name: Option<&str>) -> String {
        let (old, new) = (file_name(number, None), file_name(number, name));
        match new != old && rename(&self.folder, &old, &new).is_ok() {
            true => new,
            false => old,
        }
    }

    fn note(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        write(&self.index, bytes)
    }
}

/// Calls a file otherwise, but not as another one is called.
#[cfg(target_os = "linux")]
fn rename(folder: &OwnedFd, old: &str, new: &str) -> Result<(), Errno> {
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    rustix::fs::renameat_with(folder, old, folder, new, flags)
}

/// The same in two steps, where the system cannot do it in one.
#[cfg(not(target_os = "linux"))]
fn rename(folder: &OwnedFd, old: &str, new: &str) -> Result<(), Errno> {
    rustix::fs::linkat(folder, old, folder, new, AtFlags::empty())?;
    rustix::fs::unlinkat(folder, old, AtFlags::empty())
}

/// Opens the index, which no other hub may have open, and looks which number is the highest in it.
fn open_index(folder: &OwnedFd) -> Result<(OwnedFd, u32), Errno> {
    let flags = FLAGS.difference(OFlags::WRONLY) | OFlags::RDWR | OFlags::CREATE;
    let index = rustix::fs::openat(folder, INDEX, flags, Mode::from_raw_mode(0o666))?;
    // Not every file system can do that.
    if let Err(Errno::AGAIN) = rustix::fs::flock(&index, FlockOperation::NonBlockingLockExclusive) {
        return Err(Errno::AGAIN);
    }
    let stat = rustix::fs::fstat(&index)?;
    if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
        return Err(Errno::EXIST);
    }
    let mut rows = BufReader::new(File::from(rustix::io::dup(&index)?));
    let (mut row, mut last, mut is_torn) = (Vec::new(), 0, false);
    loop {
        row.clear();
        let count = rows.read_until(b'\n', &mut row);
        if count.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))? == 0 {
            break;
        }
        is_torn = row.last() != Some(&b'\n');
        let number = number_of_row(&String::from_utf8_lossy(&row));
        last = last.max(number.unwrap_or(0));
    }
    let begin = match (stat.st_size, is_torn) {
        (0, _) => COLUMNS,
        (_, true) => "\n",
        (_, false) => "",
    };
    let mut begin = begin.as_bytes();
    while !begin.is_empty() {
        begin = &begin[write(&index, begin)?..];
    }
    Ok((index, last))
}

/// Writes what fits.
fn write(file: impl AsFd, bytes: &[u8]) -> Result<usize, Errno> {
    let mut written = 0;
    while written < bytes.len() {
        match rustix::io::write(&file, &bytes[written..]) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => written += count,
            Err(Errno::INTR) => {}
            // The next call finds it, too.
            Err(_) if written > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}
