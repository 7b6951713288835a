//! A device: a descriptor that is read as standard input, or written as an output.
//!
//! It only names the operations and their results, and promises nothing itself. `descriptor.rs` implements
//! them, and in `tests/simulation/participant` and `tests/simulation` so do models of files, pipes and
//! terminals.

use std::io;

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A terminal.
    Terminal,
    /// A pipe or FIFO.
    Pipe,
    /// A socket.
    Socket,
    /// Anything else that can be waited for: a device such as `/dev/kmsg`, an eventfd.
    Waiting,
    /// A file, `/dev/null`, or anything else that is always ready, as epoll says by refusing it.
    File,
}

/// Something to read from or write to that never blocks.
pub trait Device {
    /// What it is.
    fn kind(&self) -> Kind;

    /// Reads what is there. `Ok(0)` is the end.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there now; whatever else the system says.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes what fits.
    ///
    /// # Errors
    /// `WouldBlock` when nothing fits now; whatever else the system says.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Whether the other side is gone for good: a terminal that hung up.
    fn is_hung_up(&self) -> bool;

    /// Bytes left to be read, of a regular file; of one that is shorter than it was, as of what it was.
    fn remaining(&self) -> Option<u64>;

    /// Whether the end of a file was read before the place where it had ended when it was taken, and the file is
    /// shorter now.
    fn is_cut_short(&self) -> bool {
        false
    }

    /// The room that a read needs: of a message or a block it loses what it has no room for, or fails.
    fn least_read(&self) -> usize {
        0
    }

    /// Closes an output, as far as it is ours to close: the reader of a pipe sees the end.
    fn close(&mut self);
}
