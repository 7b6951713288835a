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
use mio::event::Event;
use rustix::fs::FileType;

use crate::io::descriptor::Descriptor;
use crate::io::descriptor::Direction;
use crate::io::descriptor::Kind;

/// Standard input. See the module's documentation.
#[derive(Debug)]
pub struct Stdin {
    descriptor: Descriptor,
    ready: bool,
    /// An event said that there is an end or an error to be read.
    hinted: bool,
    ended: bool,
    gone: bool,
}

/// What a read found.
#[derive(Debug)]
pub enum Input {
    /// So many bytes.
    Bytes(usize),
    /// Nothing now; an event will tell.
    Nothing,
    /// The end. There is nothing after it.
    End,
    /// The terminal is gone.
    Gone,
    /// It cannot be read.
    Failed(io::Error),
}

impl Stdin {
    /// Registers standard input.
    ///
    /// # Errors
    /// What the system says, unless it is that this kind of input is always ready.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Stdin> {
        let mut descriptor = Descriptor::new(rustix::stdio::stdin(), Direction::In);
        descriptor.register(registry, token, Interest::READABLE)?;
        Ok(Stdin {
            descriptor,
            // Data, or the end, may have been there before anybody asked to be told.
            ready: true,
            hinted: false,
            ended: false,
            gone: false,
        })
    }

    /// Takes note of an event.
    pub fn collect(&mut self, event: &Event) {
        self.hinted |= event.is_read_closed() || event.is_error();
        self.ready |= event.is_readable() || self.hinted;
        if self.kind() == Kind::Terminal && event.is_read_closed() && !self.ended {
            self.gone = self.descriptor.is_gone();
        }
    }

    /// Whether it was a terminal that hung up, as an event said. It may be long until it is read
    /// again, and nobody would type any more meanwhile.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether a read may find something.
    pub fn is_ready(&self) -> bool {
        self.ready && !self.ended
    }

    /// Whether the end was read.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.descriptor.kind()
    }

    /// Bytes left to be read, if it is a regular file.
    pub fn remaining(&self) -> Option<u64> {
        let stat = rustix::fs::fstat(self.as_fd()).ok()?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let at = rustix::fs::tell(self.as_fd()).ok().filter(|_| is_file)?;
        Some(u64::try_from(stat.st_size).ok()?.saturating_sub(at))
    }

    /// Pretends that the end was read: there will be no more input.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Reads once.
    pub fn read(&mut self, buffer: &mut [u8]) -> Input {
        loop {
            match self.descriptor.read(buffer) {
                Ok(0) => {
                    self.ended = true;
                    let terminal = self.kind() == Kind::Terminal;
                    return match terminal && self.descriptor.is_gone() {
                        true => Input::Gone,
                        false => Input::End,
                    };
                }
                Ok(count) => {
                    // A pipe gave all it had, and will tell of more; but not of an end that it
                    // told of already. (A terminal gives a line at a time.)
                    let drained = self.kind() == Kind::Pipe && count < buffer.len();
                    self.ready = self.hinted || !drained;
                    return Input::Bytes(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.ready = false;
                    return Input::Nothing;
                }
                Err(error) => {
                    self.ended = true;
                    let eio = rustix::io::Errno::IO.raw_os_error();
                    return match error.raw_os_error() {
                        Some(code) if code == eio && self.kind() == Kind::Terminal => Input::Gone,
                        _ => Input::Failed(error),
                    };
                }
            }
        }
    }
}

impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
