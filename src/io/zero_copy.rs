//! Zero copy: bytes that the program does not have to look at go from one descriptor to another
//! inside the kernel, by `sendfile(2)` or `splice(2)`.
//!
//! It promises: the same as a read and a write, readiness included; where the kernel refuses, it
//! says [`Copied::Refused`] and has moved nothing, and is not to be asked again.

use std::io;

#[cfg(target_os = "linux")]
pub use self::linux::receive;
#[cfg(target_os = "linux")]
pub use self::linux::send;
#[cfg(not(target_os = "linux"))]
pub use self::other::receive;
#[cfg(not(target_os = "linux"))]
pub use self::other::send;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::output::Output;
use crate::io::stdin::Stdin;

/// What one call did.
#[derive(Debug)]
pub enum Copied {
    /// So many bytes were moved; none only if a signal interrupted it.
    Bytes(usize),
    /// The source has nothing now; an event will tell.
    SourcePending,
    /// The sink takes nothing now; an event will tell.
    SinkFull,
    /// The source has ended.
    End,
    /// This pair cannot be joined so; read and write instead.
    Refused,
    /// The source failed.
    SourceFailed(io::Error),
    /// The sink failed.
    SinkFailed(io::Error),
}

/// Whether stdin may be sent to a connection so: it is a file. From a pipe a read and a write
/// measured better, since splicing moves no more than the pipe's own small buffers at a time.
pub fn suits_input<D: Device>(stdin: &Stdin<D>) -> bool {
    cfg!(target_os = "linux") && stdin.kind() == Kind::File
}

/// Whether a connection may be received into stdout so: it is a pipe.
pub fn suits_output<D: Device>(stdout: &Output<D>) -> bool {
    cfg!(target_os = "linux") && stdout.kind() == Kind::Pipe
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::AsFd;
    use std::time::Duration;

    use rustix::event::PollFd;
    use rustix::event::PollFlags;
    use rustix::io::Errno;
    use rustix::pipe::SpliceFlags;

    use super::Copied;
    use crate::io::conn::Conn;
    use crate::io::output::Output;
    use crate::io::stdin::Stdin;
    use crate::io::wait::until_ready;

    /// Bytes moved in one call at most: enough that the call itself costs nothing, and little enough
    /// that the other direction need not wait long.
    const PORTION: usize = 1024 * 1024;

    /// Splices that move nothing although both sides seem ready, before reading and writing instead.
    /// One side may just have become ready; that it was so each time is less likely than that the
    /// kernel does not want to.
    const TRIES: usize = 4;

    /// Moves from a file to a connection.
    pub fn send(stdin: &mut Stdin, conn: &mut Conn) -> Copied {
        match rustix::fs::sendfile(conn.as_fd(), stdin.as_fd(), None, PORTION) {
            // A read says so.
            Ok(0) if stdin.is_cut_short() => Copied::Refused,
            Ok(0) => {
                stdin.end();
                Copied::End
            }
            Ok(count) => {
                conn.sent(count);
                Copied::Bytes(count)
            }
            Err(Errno::AGAIN) => {
                conn.block_write();
                Copied::SinkFull
            }
            Err(Errno::INTR) => Copied::Bytes(0),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OVERFLOW) => Copied::Refused,
            // A read says that it is stdin that is to blame.
            Err(Errno::IO | Errno::ISDIR | Errno::BADF) => Copied::Refused,
            Err(error) => Copied::SinkFailed(error.into()),
        }
    }

    /// Moves from a connection to a pipe.
    pub fn receive(conn: &mut Conn, stdout: &mut Output) -> Copied {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        for _ in 0..TRIES {
            match rustix::pipe::splice(conn.as_fd(), None, stdout.as_fd(), None, PORTION, flags) {
                Ok(0) => {
                    conn.end();
                    return Copied::End;
                }
                Ok(count) => return Copied::Bytes(count),
                // It does not say which of the two, and meanwhile both may be ready.
                Err(Errno::AGAIN) => match are_ready(conn, stdout) {
                    (false, _) => {
                        conn.block_read();
                        return Copied::SourcePending;
                    }
                    (true, false) => {
                        stdout.block();
                        return Copied::SinkFull;
                    }
                    (true, true) => {}
                },
                Err(Errno::INTR) => return Copied::Bytes(0),
                Err(Errno::INVAL | Errno::NOSYS) => return Copied::Refused,
                Err(error @ Errno::PIPE) => return Copied::SinkFailed(error.into()),
                Err(error) => return Copied::SourceFailed(error.into()),
            }
        }
        // A splice never gets past an urgent byte; a read does.
        Copied::Refused
    }

    /// Whether a read of the connection would find something, and whether the pipe has room.
    fn are_ready(conn: &Conn, pipe: &Output) -> (bool, bool) {
        let mut fds = [
            PollFd::new(conn, PollFlags::IN),
            // Without a reader it counts as ready: the next try will tell.
            PollFd::new(pipe, PollFlags::OUT),
        ];
        match until_ready(&mut fds, Duration::ZERO) {
            Ok(_) => (!fds[0].revents().is_empty(), !fds[1].revents().is_empty()),
            // Interrupted: another try will tell.
            Err(_) => (true, true),
        }
    }
}

/// The kernel of no other system is asked: `sendfile` differs on each, and only Linux has `splice`.
#[cfg(not(target_os = "linux"))]
mod other {
    use super::Copied;
    use crate::io::conn::Conn;
    use crate::io::output::Output;
    use crate::io::stdin::Stdin;

    /// Nothing is moved.
    pub fn send(_: &mut Stdin, _: &mut Conn) -> Copied {
        Copied::Refused
    }

    /// Nothing is moved.
    pub fn receive(_: &mut Conn, _: &mut Output) -> Copied {
        Copied::Refused
    }
}
