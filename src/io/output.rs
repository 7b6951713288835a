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

use crate::engine::rows::Rows;
use crate::engine::screen::Surface;
use crate::io::descriptor::Descriptor;
use crate::io::descriptor::Direction;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::file_id::FileId;
use crate::io::readiness::Event;
use crate::io::readiness::Readiness;

/// How long the end of the program waits for an output that is stuck.
pub const LAST_WORDS: Duration = Duration::from_millis(500);

/// Standard output, standard error, or a file beside them.
#[derive(Debug)]
pub struct Output<D = Descriptor> {
    device: D,
    ready: Readiness,
}

impl Output {
    /// Standard output.
    ///
    /// One that was closed at the start (`>&-`) is not told from `/dev/null`: before `main` Rust's
    /// runtime opens that in its place, for reading and writing, and so does a caller that runs the
    /// program with Python's `DEVNULL`. Only code that runs before the runtime could look, which no
    /// crate offers where `unsafe_code` is forbidden (`ctor` 0.6 has to allow it).
    pub fn stdout() -> Output {
        Output::new(Descriptor::new(rustix::stdio::stdout(), Direction::Out))
    }

    /// Standard error.
    pub fn stderr() -> Output {
        Output::new(Descriptor::new(rustix::stdio::stderr(), Direction::Out))
    }

    /// A file to write at its end; see [`Descriptor::open`].
    ///
    /// # Errors
    /// The error of the system call.
    pub fn open(path: &Path) -> io::Result<Output> {
        Ok(Output::new(Descriptor::open(path)?))
    }

    /// Empties it, if it is a regular file.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn empty(&self) -> io::Result<()> {
        self.device.empty()
    }

    /// Which file or pipe it is, if it is one.
    pub fn file_id(&self) -> Option<FileId> {
        FileId::of(&self.device)
    }

    /// The descriptor of that number, which the program that started us opened; see
    /// [`Descriptor::adopt`].
    ///
    /// # Errors
    /// There is none, or it is not open for writing.
    pub fn adopt(number: u32) -> io::Result<Output> {
        Ok(Output::new(Descriptor::adopt(number)?))
    }

    /// Registers it for the news that it takes bytes again.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.device
            .register(registry, token, Interest::WRITABLE)
            .map(drop)
    }

    /// Waits until a write may get somewhere, or for `limit`. Not for use in a loop that polls.
    pub fn wait(&mut self, limit: Duration) {
        self.device.wait_writable(limit);
        self.ready = Readiness::UNKNOWN;
    }

    /// Whether it is the terminal that stdout is, by whatever names they were opened.
    pub fn is_same_terminal_as_stdout(&self) -> bool {
        self.device.is_same_terminal(rustix::stdio::stdout())
    }
}

impl<D: Device> Output<D> {
    /// An output of which nothing is known yet: the first write will tell.
    pub fn new(device: D) -> Output<D> {
        Output {
            device,
            ready: Readiness::UNKNOWN,
        }
    }

    /// Takes note of an event.
    pub fn collect(&mut self, event: impl Into<Event>) {
        self.ready.collect(event.into());
    }

    /// Whether a write may get somewhere.
    pub fn is_writable(&self) -> bool {
        self.ready.is_writable()
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.device.kind()
    }

    /// How members' words are shown there: as they are if `is_raw`.
    pub fn surface(&self, is_raw: bool) -> Surface {
        match (self.kind(), is_raw) {
            (Kind::Terminal, false) => Surface::Terminal,
            (Kind::Terminal, true) => Surface::RawTerminal,
            (_, false) => Surface::Stream,
            (_, true) => Surface::RawStream,
        }
    }

    /// The descriptor, for a copy inside the kernel.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Takes note, for a copy inside the kernel, that a write would get nowhere now.
    pub fn block(&mut self) {
        self.ready.write_blocked();
    }

    /// Lets its reader see the end: nothing more will be written.
    pub fn close(&mut self) {
        self.device.close();
    }

    /// Writes what fits and returns how much that was: less than everything means that an event
    /// will tell when there is room again, or that the next call fails.
    ///
    /// # Errors
    /// The other side is closed, the disk is full, …
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while self.is_writable() && written < bytes.len() {
            match self.device.write(&bytes[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.ready.write_blocked(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The next call finds the same error.
                Err(_) if written > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Writes of the rows what fits, each row in one call if it can be.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub fn write_rows(&mut self, rows: &mut Rows) -> io::Result<()> {
        while self.is_writable() && !rows.is_empty() {
            let count = self.write(rows.front())?;
            rows.consume(count);
        }
        Ok(())
    }
}

impl<D: AsFd> AsFd for Output<D> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}
