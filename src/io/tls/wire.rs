//! The socket as rustls reads and writes it.
//!
//! It promises: it is known afterwards whether the socket was read empty or written full, how many bytes
//! were not written, and how many records began in what was read.

use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::io::Read;
use std::io::Write;

use super::framing::Framing;
use crate::io::socket::Socket;
use crate::io::stream::Received;
use crate::io::stream::Sent;
use crate::io::stream::Stream as _;

/// The socket as rustls wants it, with the news whether it was read empty or written full, and how many
/// records began in what was read.
pub(super) struct Wire<'a> {
    socket: &'a mut Socket,
    pub(super) exhausted: bool,
    /// So much is read at most.
    pub(super) most: usize,
    /// Bytes that were offered and not written.
    pub(super) untaken: usize,
    pub(super) framing: Option<&'a mut Framing>,
    pub(super) records: usize,
}

impl Wire<'_> {
    pub(super) fn of(socket: &mut Socket) -> Wire<'_> {
        Wire {
            socket,
            exhausted: false,
            most: usize::MAX,
            untaken: 0,
            framing: None,
            records: 0,
        }
    }
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(self.most);
        match self.socket.read(&mut buffer[..wanted]) {
            Received::Bytes(count) => {
                self.exhausted = count < wanted;
                if let Some(framing) = &mut self.framing {
                    self.records += framing.count(&buffer[..count]);
                }
                Ok(count)
            }
            Received::End => {
                self.exhausted = true;
                Ok(0)
            }
            Received::Pending | Received::Yield => Err(ErrorKind::WouldBlock.into()),
            Received::Failed(error) | Received::Truncated(error) => Err(error),
        }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        self.untaken = offered;
        match self.socket.write(slices) {
            Sent::Bytes(count) => {
                self.exhausted = count < offered;
                self.untaken = offered - count;
                Ok(count)
            }
            Sent::Full => Err(ErrorKind::WouldBlock.into()),
            Sent::Failed(error) => Err(error),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
