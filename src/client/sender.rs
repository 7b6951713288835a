//! The sender: from stdin, or the line being typed, to the connection.
//!
//! It promises: bytes that were read are sent, in order, or the flow knows that they were lost;
//! every mover of bytes reports to the flow; where stdin breaks off, the other side reads no end.

use std::io;
use std::io::IoSlice;
use std::time::Duration;
use std::time::Instant;

use super::CHUNK;
use super::ROUNDS;
use super::buffer::Buffer;
use super::link::Link;
use super::recorder::Recorder;
use crate::engine::conversation::Conversation;
use crate::engine::crlf::Crlf;
use crate::engine::editor::Event;
use crate::engine::line_delay::LineDelay;
use crate::io::console::Keys;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::error::Error;
use crate::io::input::Input;
use crate::io::stdin::Stdin;
use crate::io::stream::Received;
use crate::io::stream::Stream;
use crate::io::world::World;
use crate::io::zero_copy;
use crate::io::zero_copy::Copied;
use crate::status::NOTICE;

/// Whether there is more to do at once.
pub(super) type Busy = bool;

/// See the module's documentation.
pub(super) struct Sender<D> {
    pub(super) input: Input<D>,
    buffer: Buffer,
    /// Lines typed at the console, in the form that is sent, of which nothing was sent yet.
    typed: Vec<u8>,
    crlf: Option<Crlf>,
    line_delay: Option<LineDelay>,
    /// The program does not have to look at the bytes, so the kernel moves them itself.
    is_direct: bool,
    /// A line was read that the terminal has shown as it was typed.
    echoed: bool,
}

/// What a turn of the sender works on.
pub(super) struct Way<'a, W: World> {
    pub(super) world: &'a mut W,
    pub(super) link: &'a mut Link<W::Stream>,
    pub(super) talk: &'a mut Conversation,
    pub(super) recorder: &'a mut Recorder<W::Device>,
    pub(super) now: Instant,
}

impl<D: Device> Sender<D> {
    /// `is_wire`: the bytes given to the connection are those on the wire, and are not recorded.
    pub(super) fn new(
        input: Input<D>,
        crlf: bool,
        line_delay: Option<Duration>,
        is_wire: bool,
    ) -> Sender<D> {
        let changed = crlf || line_delay.is_some();
        let file = input.plain().is_some_and(zero_copy::suits_input);
        Sender {
            is_direct: is_wire && !changed && file,
            input,
            echoed: false,
            buffer: Buffer::default(),
            typed: Vec::new(),
            crlf: crlf.then(Crlf::default),
            line_delay: line_delay.map(LineDelay::new),
        }
    }

    /// Until when nothing is sent.
    pub(super) fn pause(&self) -> Option<Instant> {
        self.line_delay.as_ref()?.until()
    }

    /// Whether a line was read since the last call that the terminal has shown as it was typed. (Where Ctrl-D
    /// handed over a part of one, the other side's words go on behind it, as in nc.)
    pub(super) fn take_echoed(&mut self) -> bool {
        std::mem::take(&mut self.echoed)
    }

    /// One turn.
    ///
    /// # Errors
    /// stdin cannot be read, or the terminal is gone.
    pub(super) fn turn<W: World<Device = D>>(
        &mut self,
        way: &mut Way<'_, W>,
    ) -> Result<Busy, Error> {
        if self.input.stdin().is_some_and(Stdin::has_hung_up) {
            return Err(Error::hung_up());
        }
        // The person who types sees it, also while the other side takes nothing.
        self.read_keys(way.talk, way.now)?;
        if way.talk.up.loss().is_some() {
            return Ok(false);
        }
        if let Err(error) = way.link.conn.flush() {
            self.give_up(error, way);
        }
        let busy = self.send(way)?;
        // The bytes that a layer adds to tell the end are not counted as ours.
        let held = way.link.conn.has_pending_output() && !way.link.conn.is_shut();
        way.talk.up.holds(held, way.now);
        Ok(busy || self.has_keys(way.talk))
    }

    fn send<W: World<Device = D>>(&mut self, way: &mut Way<'_, W>) -> Result<Busy, Error> {
        for _ in 0..ROUNDS {
            if way.recorder.stdout_is_behind() || way.recorder.reader_is_behind() {
                return Ok(false);
            }
            if way.recorder.is_spent() {
                return Ok(true);
            }
            if self.is_direct {
                if !self.send_directly(way) {
                    return Ok(false);
                }
                continue;
            }
            let now = way.now;
            if self
                .line_delay
                .as_mut()
                .is_some_and(|delay| delay.pauses(now))
            {
                return Ok(false);
            }
            if self.buffer.is_empty() && !self.fill(way)? {
                return Ok(false);
            }
            if !way.link.conn.is_writable() {
                way.talk.up.sink_full(now);
                return Ok(false);
            }
            self.write(way);
        }
        Ok(true)
    }

    fn write<W: World<Device = D>>(&mut self, way: &mut Way<'_, W>) {
        let mut portion = self.buffer.waiting();
        if self.line_delay.is_some() {
            portion = &portion[..LineDelay::portion(portion)];
        }
        portion = &portion[..portion.len().min(way.recorder.fits_said())];
        match way.link.conn.write(&[IoSlice::new(portion)]) {
            Ok(count) => {
                let sent = &portion[..count];
                if let Some(delay) = &mut self.line_delay {
                    delay.sent(sent, way.now);
                }
                way.recorder.said(sent);
                self.buffer.start += count;
                way.gave(count);
            }
            Err(error) => self.give_up(error, way),
        }
    }

    /// The same without a copy (see [`zero_copy`]). Returns whether to go on at once.
    fn send_directly<W: World<Device = D>>(&mut self, way: &mut Way<'_, W>) -> Busy {
        let now = way.now;
        if !way.talk.up.is_open() {
            return false;
        }
        let Some(stdin) = self.input.plain_mut().filter(|stdin| stdin.is_ready()) else {
            way.talk.up.source_silent(now);
            return false;
        };
        if !way.link.conn.is_writable() {
            way.talk.up.sink_full(now);
            return false;
        }
        match way.world.send(stdin, &mut way.link.conn) {
            Copied::Bytes(count) => {
                way.talk.up.took(count);
                way.gave(count);
                return true;
            }
            Copied::SourcePending => way.talk.up.source_silent(now),
            Copied::SinkFull => way.talk.up.sink_full(now),
            Copied::End => way.talk.up.source_ended(now),
            Copied::SinkFailed(error) => self.give_up(error, way),
            Copied::Refused | Copied::SourceFailed(_) => {
                self.is_direct = false;
                return true;
            }
        }
        false
    }

    /// The connection takes no more; bytes that came before it broke are still to be read and
    /// shown.
    fn give_up<W: World<Device = D>>(&mut self, error: io::Error, way: &mut Way<'_, W>) {
        log::debug!("send to {}: {error}", way.link.conn.addr());
        way.talk.up.lost(error, way.now);
        way.link.conn.expect_end();
        self.buffer.fill(0);
        self.typed.clear();
        if let Some(stdin) = self.input.stdin_mut() {
            stdin.end();
        }
    }

    /// Fills the empty buffer. Returns whether there is something in it.
    fn fill<W: World<Device = D>>(&mut self, way: &mut Way<'_, W>) -> Result<bool, Error> {
        let (talk, now) = (&mut *way.talk, way.now);
        let Input::Plain(stdin) = &mut self.input else {
            self.read_keys(talk, now)?;
            if self.typed.is_empty() {
                talk.up.source_silent(now);
                return Ok(false);
            }
            self.buffer.load(&mut self.typed);
            return Ok(true);
        };
        if !talk.up.is_open() {
            return Ok(false);
        }
        if !stdin.is_ready() {
            talk.up.source_silent(now);
            return Ok(false);
        }
        match stdin.read(self.buffer.space()) {
            Received::Bytes(count) => {
                self.buffer.fill(count);
                let is_typed = stdin.kind() == Kind::Terminal;
                self.echoed |= is_typed && self.buffer.waiting().ends_with(b"\n");
                if let Some(crlf) = &mut self.crlf {
                    self.buffer.convert(crlf);
                }
                talk.up.took(self.buffer.waiting().len());
            }
            Received::Yield => {}
            Received::Pending => talk.up.source_silent(now),
            Received::End | Received::Truncated(_) => {
                talk.up.source_ended(now);
                if stdin.kind() == Kind::Terminal {
                    tell_end(talk);
                }
            }
            Received::Failed(_) if stdin.has_hung_up() => return Err(Error::hung_up()),
            Received::Failed(error) => {
                way.link.break_off();
                return Err(Error::system("read from stdin", &error));
            }
        }
        Ok(!self.buffer.is_empty())
    }

    /// Whether what is pressed at the console is read now, or will be when there is a key.
    pub(super) fn reads_keys(&self, talk: &Conversation) -> bool {
        talk.up.is_open() && self.typed.len() < CHUNK
    }

    /// Whether keys pressed at the console can be read at once.
    fn has_keys(&self, talk: &Conversation) -> bool {
        match &self.input {
            Input::Console(console) => self.reads_keys(talk) && console.stdin().is_ready(),
            Input::None | Input::Plain(_) => false,
        }
    }

    /// What was pressed at the console; whole lines are to be sent.
    fn read_keys(&mut self, talk: &mut Conversation, now: Instant) -> Result<(), Error> {
        if !self.has_keys(talk) {
            return Ok(());
        }
        let Input::Console(console) = &mut self.input else {
            return Ok(());
        };
        match console.read(now)? {
            Keys::Pressed => {}
            Keys::None => return Ok(()),
            Keys::End => {
                talk.up.source_ended(now);
                tell_end(talk);
                return Ok(());
            }
        }
        while let Some(event) = console.next_event() {
            match event {
                Event::Line(mut line)
                | Event::BehindEscape(mut line)
                | Event::Pasted(mut line)
                | Event::Aside(mut line) => {
                    console.typed(&line);
                    line.push('\n');
                    let before = self.typed.len();
                    match &mut self.crlf {
                        Some(crlf) => crlf.convert(line.as_bytes(), &mut self.typed),
                        None => self.typed.extend(line.as_bytes()),
                    }
                    talk.up.took(self.typed.len() - before);
                }
                Event::Complete => console.editor().insert("\t"),
                Event::End => {
                    console.stdin_mut().end();
                    talk.up.source_ended(now);
                    tell_end(talk);
                    return Ok(());
                }
                Event::Redraw | Event::Full | Event::Interrupt | Event::Suspend => {}
            }
        }
        Ok(())
    }
}

/// A person who pressed Ctrl-D is told what that means.
fn tell_end(talk: &Conversation) {
    let most = talk.quits_after();
    let most = most.map_or_else(String::new, |most| format!(", {most:?} at most"));
    let then = match talk.discards_what_comes() {
        true => String::from("this ends when the other side has all of it"),
        false => format!("what comes is shown until the other side ends{most} (Ctrl-C leaves)"),
    };
    log::info!(target: NOTICE, "you send no more; {then}");
}

impl<W: World> Way<'_, W>
where
    W::Stream: Stream,
{
    /// The connection took `count` bytes.
    fn gave(&mut self, count: usize) {
        self.talk.up.gave(count, self.now);
        if count > 0 {
            self.talk.carried();
        }
    }
}
