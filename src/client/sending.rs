//! stdin to the connection.
//!
//! It promises: what was read is sent, in order, or whoever sits here is told that it was not.

use std::io;
use std::io::IoSlice;
use std::time::Instant;

use super::CHUNK;
use super::Client;
use super::ROUNDS;
use super::Role;
use crate::engine::editor::Event;
use crate::engine::line_delay::LineDelay;
use crate::io::console::Keys;
use crate::io::device::Kind;
use crate::io::error::Error;
use crate::io::stdin::Stdin;
use crate::io::stream::Received;
use crate::io::zero_copy;
use crate::io::zero_copy::Copied;

impl Client {
    /// stdin to the connection. Returns whether there is more to do at once.
    pub(super) fn send(&mut self, now: Instant) -> Result<bool, Error> {
        if self.stdin().is_some_and(Stdin::has_hung_up) {
            return Err(Error::hung_up());
        }
        // Whoever types sees it, also while the other side takes nothing.
        self.read_keys(now)?;
        if let Err(error) = self.conn.flush() {
            self.give_up_sending(error, now);
        }
        let busy = self.send_input(now)?;
        Ok(busy || self.has_keys())
    }

    pub(super) fn send_input(&mut self, now: Instant) -> Result<bool, Error> {
        for _ in 0..ROUNDS {
            if self.records_wait() {
                return Ok(false);
            }
            if self.zero_copy.up {
                if !self.send_directly(now) {
                    return Ok(false);
                }
                continue;
            }
            if self
                .line_delay
                .as_mut()
                .is_some_and(|delay| delay.pauses(now))
            {
                return Ok(false);
            }
            if self.up.is_empty() && !self.read_input(now)? {
                return Ok(false);
            }
            if !self.conn.is_writable() {
                return Ok(false);
            }
            let mut portion = self.up.waiting();
            if self.line_delay.is_some() {
                portion = &portion[..LineDelay::portion(portion)];
            }
            match self.conn.write(&[IoSlice::new(portion)]) {
                Ok(count) => {
                    if let Some(delay) = &mut self.line_delay {
                        delay.sent(&portion[..count], now);
                    }
                    if self.records.is_some() {
                        let bytes = std::mem::take(&mut self.up.bytes);
                        let sent = &bytes[self.up.start..self.up.start + count];
                        self.record(|records, who| records.said(Some(who), sent));
                        self.up.bytes = bytes;
                    }
                    self.up.start += count;
                    self.state.sent += count as u64;
                    self.state.moved |= count > 0;
                }
                Err(error) => self.give_up_sending(error, now),
            }
        }
        Ok(true)
    }

    /// The same without a copy (see [`zero_copy`]). Returns whether to go on at once.
    pub(super) fn send_directly(&mut self, now: Instant) -> bool {
        let Some(stdin) = self.stdin.as_mut().filter(|stdin| stdin.is_ready()) else {
            return false;
        };
        if !self.conn.is_writable() {
            return false;
        }
        match zero_copy::send(stdin, &mut self.conn) {
            Copied::Bytes(count) => {
                self.state.sent += count as u64;
                self.state.spoke = true;
                self.state.moved |= count > 0;
                return true;
            }
            Copied::SourcePending | Copied::SinkFull => {}
            Copied::End => self.end_input(now),
            Copied::SinkFailed(error) => self.give_up_sending(error, now),
            Copied::Refused | Copied::SourceFailed(_) => {
                self.zero_copy.up = false;
                return true;
            }
        }
        false
    }

    /// Our input is over. A listener without a keyboard has not said anything, nor that it is
    /// done.
    pub(super) fn end_input(&mut self, now: Instant) {
        let typed = self.stdin().map(Stdin::kind) == Some(Kind::Terminal);
        let silent = self.role == Role::Server && !self.state.spoke && !typed;
        self.state.finished = (!silent).then_some(now);
    }

    /// The connection takes no more; what came before it broke is still to be read and printed.
    pub(super) fn give_up_sending(&mut self, error: io::Error, now: Instant) {
        log::debug!("send to {}: {error}", self.conn.addr());
        self.state.unsendable = Some(error);
        self.state.finished.get_or_insert(now);
        self.up.fill(0);
        self.typed.clear();
        if let Some(stdin) = self.stdin_mut() {
            stdin.end();
        }
    }

    /// Fills the empty buffer. Returns whether there is something in it.
    pub(super) fn read_input(&mut self, now: Instant) -> Result<bool, Error> {
        if self.console.is_some() {
            self.read_keys(now)?;
            if !self.typed.is_empty() {
                self.up.load(&mut self.typed);
                if self.settings.crlf {
                    self.up.convert(&mut self.crlf);
                }
            }
            return Ok(!self.up.is_empty());
        }
        let Some(stdin) = self.stdin.as_mut().filter(|stdin| stdin.is_ready()) else {
            return Ok(false);
        };
        match stdin.read(self.up.space()) {
            Received::Bytes(count) => {
                self.up.fill(count);
                self.state.spoke = true;
                self.state.silent = None;
                if self.settings.crlf {
                    self.up.convert(&mut self.crlf);
                }
            }
            Received::Yield | Received::Pending => {}
            Received::End | Received::Truncated(_) => self.end_input(now),
            Received::Failed(_) if stdin.has_hung_up() => return Err(Error::hung_up()),
            Received::Failed(error) => return Err(Error::system("read from stdin", &error)),
        }
        Ok(!self.up.is_empty())
    }

    /// Whether keys pressed at the console can be read at once.
    pub(super) fn has_keys(&self) -> bool {
        let ready = self.stdin().is_some_and(Stdin::is_ready);
        self.console.is_some() && ready && self.typed.len() < CHUNK
    }

    /// What was pressed at the console; whole lines are to be sent.
    pub(super) fn read_keys(&mut self, now: Instant) -> Result<(), Error> {
        if !self.has_keys() {
            return Ok(());
        }
        let Some(console) = &mut self.console else {
            return Ok(());
        };
        match console.read()? {
            Keys::Pressed => {}
            Keys::None => return Ok(()),
            Keys::End => {
                self.end_input(now);
                return Ok(());
            }
        }
        while let Some(event) = console.next() {
            match event {
                Event::Line(line) | Event::Pasted(line) => {
                    console.typed(&line);
                    self.typed.extend(line.as_bytes());
                    self.typed.push(b'\n');
                    self.state.spoke = true;
                }
                Event::Complete => console.editor().insert("\t"),
                Event::End => {
                    console.stdin_mut().end();
                    self.state.finished = Some(now);
                }
                Event::Redraw | Event::Full => {}
            }
        }
        Ok(())
    }
}
