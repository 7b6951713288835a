//! An output as a sink that may be slow, stuck or closed, and never stops the loop.
//!
//! It promises: one write per call, none while the kernel is known to have no room, and never a
//! blocking one (a file's excepted).

use std::io;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::event::Event;

use crate::io::descriptor::Descriptor;
use crate::io::descriptor::Direction;
use crate::io::descriptor::Kind;

/// Standard output, standard error, or a file beside them.
#[derive(Debug)]
pub struct Output {
    descriptor: Descriptor,
    writable: bool,
}

impl Output {
    /// Standard output.
    pub fn stdout() -> Output {
        Output {
            descriptor: Descriptor::new(rustix::stdio::stdout(), Direction::Out),
            writable: true,
        }
    }

    /// Standard error.
    pub fn stderr() -> Output {
        Output {
            descriptor: Descriptor::new(rustix::stdio::stderr(), Direction::Out),
            writable: true,
        }
    }

    /// A file to write at its end; see [`Descriptor::open`].
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path, appended: bool) -> io::Result<Output> {
        Ok(Output {
            descriptor: Descriptor::open(path, appended)?,
            writable: true,
        })
    }

    /// Registers it for the news that it takes bytes again.
    ///
    /// # Errors
    /// What the system says.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.descriptor
            .register(registry, token, Interest::WRITABLE)
            .map(drop)
    }

    /// Takes note of an event.
    pub fn collect(&mut self, event: &Event) {
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    /// Waits until a write may get somewhere, or for `limit`. Not for use in a loop that polls.
    pub fn wait(&mut self, limit: Duration) {
        self.descriptor.wait_writable(limit);
        self.writable = true;
    }

    /// Whether a write may get somewhere.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.descriptor.kind()
    }

    /// Whether both are one terminal, by whatever names they were opened.
    pub fn is_same_terminal(&self, other: &Output) -> bool {
        self.descriptor.is_same_terminal(&other.descriptor)
    }

    /// Takes note, for [`zero_copy`](crate::io::zero_copy), that a write would get nowhere now.
    pub(super) fn block(&mut self) {
        self.writable = false;
    }

    /// Writes what fits and returns how much that was: less than everything means that an event
    /// will tell when there is room again.
    ///
    /// # Errors
    /// The other side is closed, the disk is full, …
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while self.writable && written < bytes.len() {
            match self.descriptor.write(&bytes[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
