//! The connection to stdout.
//!
//! It promises: what came before the connection ended or broke is written before either is told.

use std::io;
use std::io::ErrorKind;

use super::Client;
use super::ROUNDS;
use super::Traffic;
use crate::io::console::Console;
use crate::io::error::Error;
use crate::io::stream::Received;
use crate::io::zero_copy;
use crate::io::zero_copy::Copied;

impl Client {
    /// The connection to stdout. Returns whether there is more to do at once.
    pub(super) fn receive(&mut self) -> Result<bool, Error> {
        let mut waited = false;
        for _ in 0..ROUNDS {
            if self.zero_copy.down {
                if !self.receive_directly()? {
                    return Ok(false);
                }
                continue;
            }
            if self.console.as_ref().is_some_and(Console::is_busy) {
                self.show()?;
                return Ok(self.stdout.is_writable());
            }
            if self.down.is_empty() {
                waited |= self.records_wait();
                // What was held up by this may go on.
                if !self.load_record() && !self.read_conn() {
                    return Ok(waited);
                }
            }
            if let Some(console) = &mut self.console {
                console.show(self.down.waiting());
                self.down.fill(0);
                continue;
            }
            if !self.stdout.is_writable() {
                return Ok(false);
            }
            match self.stdout.write(self.down.waiting()) {
                Ok(count) => self.down.start += count,
                Err(error) => {
                    self.give_up_showing(&error)?;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The same without a copy (see [`zero_copy`]). Returns whether to go on at once.
    pub(super) fn receive_directly(&mut self) -> Result<bool, Error> {
        if !self.conn.is_readable() || !self.stdout.is_writable() {
            return Ok(false);
        }
        match zero_copy::receive(&mut self.conn, &mut self.stdout) {
            Copied::Bytes(count) => {
                self.state.received += count as u64;
                self.state.moved |= count > 0;
                return Ok(true);
            }
            Copied::SourcePending | Copied::SinkFull | Copied::End => {}
            Copied::SourceFailed(error) => self.state.broken = Some(error),
            Copied::SinkFailed(error) => self.give_up_showing(&error)?,
            Copied::Refused => {
                self.zero_copy.down = false;
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn give_up_showing(&mut self, error: &io::Error) -> Result<(), Error> {
        match error.kind() {
            ErrorKind::BrokenPipe => {
                self.state.broken_pipe = true;
                Ok(())
            }
            _ => Err(Error::system("write to stdout", error)),
        }
    }

    /// Fills the empty buffer. Returns whether to go on.
    pub(super) fn read_conn(&mut self) -> bool {
        if !self.conn.is_readable() {
            return false;
        }
        match self.conn.read(self.down.space()) {
            Received::Bytes(count) => {
                self.state.received += count as u64;
                if self.records.is_some() {
                    let bytes = std::mem::take(&mut self.down.bytes);
                    self.record(|records, who| records.heard(who, &bytes[..count]));
                    self.down.bytes = bytes;
                }
                if self.shows_records() {
                    return true;
                }
                self.state.moved = true;
                if self.settings.traffic != Traffic::SendOnly {
                    self.down.fill(count);
                    if let Some(escaper) = &mut self.escaper {
                        self.down.reveal(|bytes, text| escaper.escape(bytes, text));
                    }
                }
                return true;
            }
            Received::Yield => return true,
            Received::Pending => return false,
            Received::End => {}
            Received::Truncated(error) | Received::Failed(error) => self.state.broken = Some(error),
        }
        self.down.fill(0);
        if let Some(escaper) = &mut self.escaper {
            self.down.reveal(|_, text| escaper.finish(text));
        }
        !self.down.is_empty()
    }
}
