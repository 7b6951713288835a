//! Small files: those that an option names to be read as a whole, as lists of hosts, certificates and keys.
//!
//! It promises: of a file that is too long, or has no end, a bounded number of bytes is read and kept, and it is an error
//! that names the file; at the start each is read once, however many options name it; reading a file again waits only
//! for a disk.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::Mode;
use rustix::fs::OFlags;

use crate::io::error::Error;

/// The longest at the start, in MiB: all authorities that a system trusts are less than one.
const MOST: u64 = 16;

/// The longest that is read again: the class waits meanwhile.
const MOST_AGAIN: u64 = 1;

/// What was read at the start, by the device and the number of the file: it may have several names. See the module's
/// documentation.
#[derive(Default)]
pub struct Files(HashMap<(u64, u64), Vec<u8>>);

impl Files {
    /// Reads a file of any kind, since a shell hands over a pipe (`<(...)`), whose writer is waited for. It is read
    /// the first time only: a pipe is empty then.
    ///
    /// # Errors
    /// It cannot be read, or is too long.
    pub fn read(&mut self, path: &Path) -> Result<&[u8], Error> {
        // Before it is opened: that of a FIFO waits for another writer.
        let metadata = fs::metadata(path).map_err(|e| cannot_read(path, &e))?;
        Ok(match self.0.entry((metadata.dev(), metadata.ino())) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let file = File::open(path).map_err(|e| cannot_read(path, &e))?;
                unknown.insert(take(
                    path,
                    file,
                    MOST,
                    "the most that is read of such a file",
                )?)
            }
        })
    }
}

/// Without what was read, which may be a key.
impl fmt::Debug for Files {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.0.keys()).finish()
    }
}

/// Reads a file again while others wait.
///
/// # Errors
/// It is no regular file, cannot be read, or is too long.
pub fn read_again(path: &Path) -> Result<Vec<u8>, Error> {
    // open(2) of a FIFO for reading waits for a writer (fifo(7)).
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(file.map_err(|e| cannot_read(path, &e.into()))?);
    let metadata = file.metadata().map_err(|e| cannot_read(path, &e))?;
    if !metadata.is_file() {
        return Err(Error::new(doing(path), "it is no regular file any more"));
    }
    take(
        path,
        file,
        MOST_AGAIN,
        "the most that is read while the hub runs",
    )
}

fn take(path: &Path, file: File, most: u64, limit: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let most_bytes = most << 20;
    let read = file.take(most_bytes + 1).read_to_end(&mut bytes);
    read.map_err(|e| cannot_read(path, &e))?;
    match bytes.len() as u64 > most_bytes {
        true => Err(Error::new(
            doing(path),
            format!("it has more than {most} MiB, {limit}"),
        )),
        false => Ok(bytes),
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> Error {
    Error::system(doing(path), error)
}

fn doing(path: &Path) -> String {
    format!("read {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_not_read_to_its_end() {
        let read = |path| Files::default().read(path).map(<[u8]>::len);
        let read_again = |path| read_again(path).map(|bytes| bytes.len());
        let told = |read: Result<usize, Error>| read.unwrap_err().to_string();
        let zero = Path::new("/dev/zero");
        let why = "read /dev/zero: it has more than 16 MiB, the most that is read of such a file";
        assert_eq!(told(read(zero)), why);
        let why = "read /dev/zero: it is no regular file any more";
        assert_eq!(told(read_again(zero)), why);

        let name = format!("muxnc-small-file-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = File::create(&path).unwrap();
        file.set_len(1 << 20).unwrap();
        let fits = read_again(&path);
        file.set_len((1 << 20) + 1).unwrap();
        let (at_start, again) = (read(&path), read_again(&path));
        fs::remove_file(&path).unwrap();
        assert_eq!((fits, at_start), (Ok(1 << 20), Ok((1 << 20) + 1)));
        let why = "it has more than 1 MiB, the most that is read while the hub runs";
        assert_eq!(again.unwrap_err().why(), why);
    }
}
