//! What file something is.
//!
//! It promises: two names or descriptors have the same [`FileId`] if what is written to one is written to
//! the other (inode(7)). A device has none: `/dev/null` may be everything at once.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::FileType;
use rustix::fs::Stat;

/// Which regular file or pipe something is. See the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    device: rustix::fs::Dev,
    number: u64,
}

impl FileId {
    /// That of something that is open.
    pub fn of(fd: impl AsFd) -> Option<FileId> {
        rustix::fs::fstat(fd).ok().and_then(FileId::new)
    }

    /// That of what has a name, links followed.
    pub fn at(path: &Path) -> Option<FileId> {
        rustix::fs::stat(path).ok().and_then(FileId::new)
    }

    fn new(stat: Stat) -> Option<FileId> {
        let kind = FileType::from_raw_mode(stat.st_mode);
        matches!(kind, FileType::RegularFile | FileType::Fifo).then_some(FileId {
            device: stat.st_dev,
            number: stat.st_ino,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_known_by_either_end_and_a_device_is_nothing() {
        let (reader, writer) = std::io::pipe().unwrap();
        let (other, _) = std::io::pipe().unwrap();
        assert!(FileId::of(&reader).is_some());
        assert_eq!(FileId::of(&reader), FileId::of(&writer));
        assert_ne!(FileId::of(&reader), FileId::of(&other));
        assert_eq!(FileId::at(Path::new("/dev/null")), None);
        assert_eq!(FileId::at(Path::new("/")), None);
    }
}
