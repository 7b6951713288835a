//! The receiver: from the connection to stdout.
//!
//! It promises: bytes that came before the connection ended or broke are written before either is
//! told; every mover of bytes reports to the flow.

use std::io;
use std::io::ErrorKind;
use std::time::Instant;

use super::ROUNDS;
use super::buffer::Buffer;
use super::recorder::Recorder;
use super::sender::Busy;
use super::sender::Way;
use crate::engine::conversation::Conversation;
use crate::engine::escape::Escaper;
use crate::engine::record::head::Head;
use crate::io::console::Console;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::error::Error;
use crate::io::notices::Stderr;
use crate::io::output::Output;
use crate::io::plain_rows::PlainRows;
use crate::io::stream::Received;
use crate::io::stream::Unread;
use crate::io::world::World;
use crate::io::zero_copy;
use crate::io::zero_copy::Copied;

/// See the module's documentation.
pub(super) struct Receiver<D> {
    pub(super) stdout: Output<D>,
    pub(super) stderr: Stderr<D>,
    buffer: Buffer,
    /// Only where stdout is a terminal.
    escaper: Option<Escaper>,
    /// Those of stdout, if it is a terminal and there is no console.
    rows: Option<PlainRows>,
    /// The bytes that come are thrown away.
    discards: bool,
    /// The program does not have to look at the bytes, so the kernel moves them itself.
    is_direct: bool,
    /// Bytes received.
    pub(super) count: u64,
    /// stdout has no reader any more.
    pub(super) is_unread: bool,
}

impl<D: Device> Receiver<D> {
    /// `is_wire`: the bytes read from the connection are those on the wire, and are not recorded.
    pub(super) fn new(
        stdout: Output<D>,
        stderr: Stderr<D>,
        raw: bool,
        discards: bool,
        is_wire: bool,
        has_console: bool,
    ) -> Receiver<D> {
        let is_terminal = stdout.kind() == Kind::Terminal;
        let has_rows = is_terminal && !has_console;
        Receiver {
            rows: has_rows.then(PlainRows::of_stdout),
            is_direct: is_wire && !discards && zero_copy::suits_output(&stdout),
            escaper: (is_terminal && !raw).then(Escaper::default),
            stdout,
            stderr,
            buffer: Buffer::default(),
            discards,
            count: 0,
            is_unread: false,
        }
    }

    /// One turn.
    ///
    /// # Errors
    /// stdout cannot be written, or the terminal is gone.
    pub(super) fn turn<W: World<Device = D>>(
        &mut self,
        way: &mut Way<'_, W>,
        mut console: Option<&mut Console<D>>,
    ) -> Result<Busy, Error> {
        let mut waited = false;
        for _ in 0..ROUNDS {
            if self.is_direct {
                if !self.receive_directly(way)? {
                    return Ok(false);
                }
                continue;
            }
            let is_busy = match (&console, &self.rows) {
                (Some(console), _) => console.is_busy(),
                (None, Some(rows)) => rows.is_busy(),
                (None, None) => false,
            };
            if is_busy {
                let has_record = way.recorder.has_stdout();
                self.show(way.talk, has_record, console.as_deref_mut(), way.now)?;
                way.talk.down.sink_full(way.now);
                return Ok(self.stdout.is_writable() && !self.is_unread);
            }
            if self.buffer.is_empty() {
                waited |= way.recorder.stdout_is_behind();
                // The other direction was held up by this, and may go on.
                if !self.load_record(way.recorder) {
                    if way.recorder.is_spent() {
                        return Ok(true);
                    }
                    if way.recorder.reader_is_behind() || !self.read(way) {
                        return Ok(waited);
                    }
                }
            }
            let text = self.buffer.waiting();
            let rows = self.rows.as_mut().map(PlainRows::current);
            let is_shown = console.is_some() || rows.is_some();
            match (console.as_deref_mut(), rows, way.recorder.head()) {
                (Some(console), _, Some(head)) => console.record(head, text),
                (Some(console), _, None) => console.say(text),
                (None, Some(rows), Some(head)) => rows.record(head, text),
                (None, Some(rows), None) => rows.say(text),
                (None, None, _) => {}
            }
            if is_shown {
                self.buffer.fill(0);
                continue;
            }
            if !self.stdout.is_writable() {
                way.talk.down.sink_full(way.now);
                return Ok(false);
            }
            match self.stdout.write(self.buffer.waiting()) {
                Ok(count) => {
                    self.buffer.start += count;
                    if !way.recorder.has_stdout() {
                        way.talk.down.gave(count, way.now);
                    }
                }
                Err(error) => {
                    self.give_up(&error)?;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The messages for the person here.
    pub(super) fn show(
        &mut self,
        talk: &mut Conversation,
        has_record: bool,
        console: Option<&mut Console<D>>,
        now: Instant,
    ) -> Result<(), Error> {
        let is_written = match (console, &self.rows) {
            (Some(console), _) => {
                let flushed = console.flush(&mut self.stdout, &mut self.stderr);
                flushed.map_err(|_| Error::hung_up())?;
                console.is_written()
            }
            (None, Some(_)) => {
                self.flush_rows()?;
                self.has_written_rows()
            }
            (None, None) => {
                self.stderr.flush();
                return Ok(());
            }
        };
        if is_written && !has_record && !self.is_unread {
            let shown = talk.down.owed() as usize;
            talk.down.gave(shown, now);
        }
        Ok(())
    }

    /// Received bytes and messages on stderr, at a terminal where no line is edited.
    fn flush_rows(&mut self) -> Result<(), Error> {
        let Some(rows) = &mut self.rows else {
            return Ok(());
        };
        if !self.stderr.is_stdout() {
            self.stderr.flush();
        } else if !rows.is_busy() {
            // Until then they wait where there is a limit to them.
            rows.notice(&self.stderr.take());
        }
        let rows = rows.current();
        match self.stdout.write_rows(rows) {
            Ok(()) => Ok(()),
            Err(error) => {
                rows.forget();
                self.give_up(&error)
            }
        }
    }

    fn has_written_rows(&self) -> bool {
        self.rows.as_ref().is_none_or(|rows| rows.is_empty())
    }

    /// The terminal has shown a line that was typed, and its end, itself.
    pub(super) fn echoed(&mut self) {
        if let Some(rows) = &mut self.rows {
            rows.current().echoed(true);
        }
    }

    /// The end: notices are written as far as they can be at once. Text that is written after that
    /// does not stand behind received bytes.
    pub(super) fn finish(&mut self) {
        if self.rows.is_none() || self.flush_rows().is_err() {
            self.stderr.flush();
        }
        if self.rows.as_ref().is_some_and(|rows| rows.is_midline()) && self.stderr.is_stdout() {
            self.stderr.follow_text();
        }
    }

    /// Bytes of a record that are not on stdout.
    pub(super) fn record_waits(
        &self,
        recorder: &Recorder<D>,
        console: Option<&Console<D>>,
    ) -> usize {
        if !recorder.has_stdout() {
            return 0;
        }
        let shown = console.is_none_or(Console::is_written) && self.has_written_rows();
        recorder.waiting() + self.buffer.waiting().len() + usize::from(!shown)
    }

    /// The last of a record, as much as stdout takes; a console shows it when it is left. Returns whether
    /// that was all.
    pub(super) fn finish_record(
        &mut self,
        recorder: &mut Recorder<D>,
        console: Option<&mut Console<D>>,
    ) -> bool {
        let head = recorder.head().unwrap_or(Head::Nothing);
        if let Some(console) = console {
            if self.load_record(recorder) {
                console.record(head, self.buffer.waiting());
                self.buffer.fill(0);
            }
            return true;
        }
        loop {
            if self.buffer.is_empty() && !self.load_record(recorder) {
                return self.has_written_rows();
            }
            if let Some(rows) = &mut self.rows {
                rows.current().record(head, self.buffer.waiting());
                self.buffer.fill(0);
                if self.stdout.write_rows(rows.current()).is_err() {
                    return false;
                }
                continue;
            }
            match self.stdout.write(self.buffer.waiting()) {
                Ok(count) => self.buffer.start += count,
                // A stdout without a reader is no failure here.
                Err(error) => return error.kind() == ErrorKind::BrokenPipe,
            }
            if !self.buffer.is_empty() {
                return false;
            }
        }
    }

    /// A read and a write without a copy (see [`zero_copy`]). Returns whether to go on at once.
    fn receive_directly<W: World<Device = D>>(
        &mut self,
        way: &mut Way<'_, W>,
    ) -> Result<Busy, Error> {
        let now = way.now;
        if !way.talk.down.is_open() {
            return Ok(false);
        }
        if !way.link.conn.is_readable() {
            way.talk.down.source_silent(now);
            return Ok(false);
        }
        if !self.stdout.is_writable() {
            let conn = &way.link.conn;
            if conn.is_closing() && conn.unread() == Unread::NOTHING {
                // An end needs no room in stdout, but a splice does not find it before there is some; a read does.
                self.is_direct = false;
                return Ok(true);
            }
            way.talk.down.sink_full(now);
            return Ok(false);
        }
        match way.world.receive(&mut way.link.conn, &mut self.stdout) {
            Copied::Bytes(count) => {
                self.count += count as u64;
                if count > 0 {
                    way.talk.carried();
                }
                way.talk.down.moved(count, now);
                return Ok(true);
            }
            Copied::SourcePending => way.talk.down.source_silent(now),
            Copied::SinkFull => return Ok(true),
            Copied::End => way.talk.down.source_ended(now),
            Copied::SourceFailed(error) => way.talk.down.lost(error, now),
            Copied::SinkFailed(error) => self.give_up(&error)?,
            Copied::Refused => {
                self.is_direct = false;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn give_up(&mut self, error: &io::Error) -> Result<(), Error> {
        match error.kind() {
            ErrorKind::BrokenPipe => {
                self.is_unread = true;
                Ok(())
            }
            _ => Err(Error::system("write to stdout", error)),
        }
    }

    /// Fills the empty buffer. Returns whether to go on.
    fn read<W: World<Device = D>>(&mut self, way: &mut Way<'_, W>) -> bool {
        if !way.talk.down.is_open() {
            return false;
        }
        if !way.link.conn.is_readable() {
            way.talk.down.source_silent(way.now);
            return false;
        }
        let space = self.buffer.space();
        let most = space.len().min(way.recorder.fits());
        let received = way.link.conn.read(&mut space[..most]);
        match received {
            Received::Bytes(count) => {
                self.count += count as u64;
                self.buffer.fill(count);
                way.talk.carried();
                way.recorder.heard(self.buffer.waiting());
                if way.recorder.has_stdout() || self.discards {
                    self.buffer.fill(0);
                    way.talk.down.moved(0, way.now);
                    return true;
                }
                if let Some(escaper) = &mut self.escaper {
                    self.buffer
                        .reveal(|bytes, text| escaper.escape(bytes, text));
                }
                way.talk.down.took(self.buffer.waiting().len());
                return true;
            }
            Received::Yield => return true,
            Received::Pending => {
                way.talk.down.source_silent(way.now);
                return false;
            }
            Received::End | Received::Truncated(_) | Received::Failed(_) => {}
        }
        self.buffer.fill(0);
        if let Some(escaper) = &mut self.escaper {
            self.buffer.reveal(|_, text| escaper.finish(text));
            if !way.recorder.has_stdout() {
                way.talk.down.took(self.buffer.waiting().len());
            }
        }
        match received {
            Received::Truncated(error) | Received::Failed(error) => {
                way.talk.down.lost(error, way.now);
            }
            _ => way.talk.down.source_ended(way.now),
        }
        !self.buffer.is_empty()
    }

    /// Fills the empty buffer with what of a record is for stdout. Returns whether there was any.
    fn load_record(&mut self, recorder: &mut Recorder<D>) -> bool {
        let mut text = recorder.take();
        if text.is_empty() {
            return false;
        }
        self.buffer.load(&mut text);
        if let Some(escaper) = &mut self.escaper {
            self.buffer
                .reveal(|bytes, text| escaper.escape(bytes, text));
        }
        true
    }
}
