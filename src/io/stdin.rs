//! Standard input of every kind: terminal, pipe, FIFO, socket, file, nothing.
//!
//! It promises: a read never blocks; a source that epoll refuses is simply always ready; no byte
//! is read before it is asked for; a terminal that hangs up is noticed also while it is not read.

use std::io;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;

use mio::Interest;
use mio::Registry;
use mio::Token;

use crate::io::descriptor::Descriptor;
use crate::io::descriptor::Direction;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::readiness::Event;
use crate::io::readiness::Readiness;
use crate::io::readiness::ShortRead;
use crate::io::stream::Received;

/// Standard input. See the module's documentation.
#[derive(Debug)]
pub struct Stdin<D = Descriptor> {
    device: D,
    ready: Readiness,
    ended: bool,
    hung_up: bool,
    /// A read has found nothing, and no end: the input has a writer.
    was_empty: bool,
}

impl Stdin {
    /// Registers standard input.
    ///
    /// # Errors
    /// What the system says, unless it is that this kind of input is always ready.
    pub fn open(registry: &Registry, token: Token) -> io::Result<Stdin> {
        let mut descriptor = Descriptor::new(rustix::stdio::stdin(), Direction::In);
        descriptor.register(registry, token, Interest::READABLE)?;
        Ok(Stdin::new(descriptor))
    }
}

impl<D: Device> Stdin<D> {
    /// An input of which nothing was read.
    pub fn new(device: D) -> Stdin<D> {
        Stdin {
            device,
            // Data, or the end, may have been there before it was registered.
            ready: Readiness::UNKNOWN,
            ended: false,
            hung_up: false,
            was_empty: false,
        }
    }

    /// Takes note of an event.
    pub fn collect(&mut self, event: impl Into<Event>) {
        let event = event.into();
        self.ready.collect(event);
        if self.kind() == Kind::Terminal && event.read_closed && !self.ended {
            self.hung_up = self.device.is_hung_up();
        }
    }

    /// Whether it is a terminal that hung up, as an event or a read said. It may be long until it
    /// is read again, and nothing can be typed any more meanwhile.
    pub fn has_hung_up(&self) -> bool {
        self.hung_up
    }

    /// A read may find something of which no event told.
    pub fn expect(&mut self) {
        self.ready = Readiness::UNKNOWN;
    }

    /// Whether a read may find something.
    pub fn is_ready(&self) -> bool {
        self.ready.is_readable() && !self.ended
    }

    /// Whether the end was read.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.device.kind()
    }

    /// Bytes left to be read, if it is a regular file.
    pub fn remaining(&self) -> Option<u64> {
        self.device.remaining()
    }

    /// Whether a file has its end before the place where it had it at first: a read fails there.
    pub fn is_cut_short(&self) -> bool {
        self.device.is_cut_short()
    }

    /// The room that a read needs, as far as there is any: see [`Device::least_read`].
    pub fn least_read(&self) -> usize {
        self.device.least_read()
    }

    /// The descriptor, for a copy inside the kernel.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Pretends that the end was read: there will be no more input.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Reads once. [`Received::Failed`] for a terminal that hung up, too: see
    /// [`Stdin::has_hung_up`].
    pub fn read(&mut self, buffer: &mut [u8]) -> Received {
        loop {
            match self.device.read(buffer) {
                Ok(0) => {
                    self.ended = true;
                    if self.is_cut_short() {
                        let shorter = "the file is shorter than it was";
                        return Received::Failed(io::Error::new(ErrorKind::UnexpectedEof, shorter));
                    }
                    self.hung_up = self.kind() == Kind::Terminal && self.device.is_hung_up();
                    return match self.hung_up {
                        true => Received::Failed(rustix::io::Errno::IO.into()),
                        false => Received::End,
                    };
                }
                Ok(count) => {
                    // A pipe gave all it had and will tell of more; a terminal gives a line at a
                    // time, and a file has no events.
                    let short = match self.kind() {
                        Kind::Pipe if self.was_empty => ShortRead::Drained,
                        // A FIFO that was opened when its last writer had gone tells of no hang-up
                        // (fifo(7)): the next read tells.
                        Kind::Pipe | Kind::Terminal | Kind::Socket | Kind::Waiting | Kind::File => {
                            ShortRead::MoreMayFollow
                        }
                    };
                    self.ready.has_read(count, buffer.len(), short);
                    return Received::Bytes(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.was_empty = true;
                    self.ready.read_blocked();
                    return Received::Pending;
                }
                Err(error) => {
                    self.ended = true;
                    let is_eio = error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
                    self.hung_up = is_eio && self.kind() == Kind::Terminal;
                    return Received::Failed(error);
                }
            }
        }
    }

    /// Reads once behind the end that was [pretended](Stdin::end), where nothing counts any more. Returns how many
    /// bytes there were; None if there are none now.
    pub fn discard(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let may_read = self.ended && !self.hung_up && self.ready.is_readable();
        match may_read.then(|| self.read(buffer))? {
            Received::Bytes(count) => Some(count),
            Received::Yield
            | Received::Pending
            | Received::End
            | Received::Truncated(_)
            | Received::Failed(_) => None,
        }
    }
}

impl<D: AsFd> AsFd for Stdin<D> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}
