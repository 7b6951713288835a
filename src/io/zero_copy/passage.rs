//! A pipe of our own between a connection and a file: splice(2) wants a pipe at one of its ends.
//!
//! It promises: between two calls the pipe is empty, so that every byte taken from the connection is in
//! the file or counts as lost by its error; the file's own position is used, as by write(2), so that
//! other processes that have the same description open write behind it.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;

use rustix::fs::FileType;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::pipe::SpliceFlags;

use super::Copied;
use super::linux::PORTION;
use super::linux::TRIES;
use super::linux::has_something;
use crate::io::conn::Conn;
use crate::io::output::Output;

/// What is read of the pipe at once where the file does not take it by a splice.
const CHUNK: usize = 64 * 1024;

/// The numbers of the device that throws away what it is given (null(4)).
const NULL: (u32, u32) = (1, 3);

/// See the module's documentation.
#[derive(Debug)]
pub struct Passage {
    from: OwnedFd,
    into: OwnedFd,
    /// The file took nothing by a splice.
    is_refused: bool,
}

impl Passage {
    /// One into that output, if that is a regular file which is not appended to (splice(2), EINVAL), or `/dev/null`.
    pub(super) fn new(stdout: &Output) -> io::Result<Option<Passage>> {
        let stat = rustix::fs::fstat(stdout)?;
        let is_suited = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => !rustix::fs::fcntl_getfl(stdout)?.contains(OFlags::APPEND),
            FileType::CharacterDevice => {
                let device = stat.st_rdev;
                (rustix::fs::major(device), rustix::fs::minor(device)) == NULL
            }
            _ => false,
        };
        if !is_suited {
            return Ok(None);
        }
        let (from, into) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        // A smaller one moves less at a time.
        let _ = rustix::pipe::fcntl_setpipe_size(&into, PORTION);
        Ok(Some(Passage {
            from,
            into,
            is_refused: false,
        }))
    }

    /// Moves from a connection to the file.
    pub(super) fn receive(&mut self, conn: &mut Conn, stdout: &mut Output) -> Copied {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        for _ in 0..TRIES {
            if self.is_refused {
                break;
            }
            match rustix::pipe::splice(conn.as_fd(), None, &self.into, None, PORTION, flags) {
                Ok(0) => {
                    conn.end();
                    return Copied::End;
                }
                Ok(count) => {
                    return match self.pour(count, stdout) {
                        Ok(()) => Copied::Bytes(count),
                        Err(error) => Copied::SinkFailed(error),
                    };
                }
                // The pipe is empty: it is the connection that has nothing.
                Err(Errno::AGAIN) if !has_something(conn) => {
                    conn.block_read();
                    return Copied::SourcePending;
                }
                Err(Errno::AGAIN) => {}
                Err(Errno::INTR) => return Copied::Bytes(0),
                Err(Errno::INVAL | Errno::NOSYS) => break,
                Err(error) => return Copied::SourceFailed(error.into()),
            }
        }
        // A splice never gets past an urgent byte; a read does.
        Copied::Refused
    }

    /// Moves all that is in the pipe to the file.
    fn pour(&mut self, mut count: usize, stdout: &mut Output) -> io::Result<()> {
        while count > 0 {
            match rustix::pipe::splice(
                &self.from,
                None,
                stdout.as_fd(),
                None,
                count,
                SpliceFlags::MOVE,
            ) {
                Ok(moved) if moved > 0 => count -= moved,
                Err(Errno::INTR) => {}
                // It may have become one that is appended to: its flags are not ours alone.
                Ok(_) | Err(Errno::INVAL | Errno::NOSYS | Errno::AGAIN) => {
                    self.is_refused = true;
                    return self.write(count, stdout);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The same by reading and writing.
    fn write(&self, mut count: usize, stdout: &mut Output) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK.min(count)];
        while count > 0 {
            let most = chunk.len().min(count);
            let read =
                rustix::io::retry_on_intr(|| rustix::io::read(&self.from, &mut chunk[..most]))?;
            count -= read;
            let mut written = 0;
            while written < read {
                written += stdout.write(&chunk[written..read])?;
            }
        }
        Ok(())
    }
}
