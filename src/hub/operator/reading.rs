//! Reading the operator: bytes as they come from a pipe or a file, lines from a terminal, keys at a
//! console.
//!
//! It promises: of a pipe or a file nothing is read that is not wanted but one chunk, so that an end is
//! known early; a console and a terminal are read while there is room for what waits; what comes at once is
//! no command, and what is for one alone is never said to everybody.

use std::time::Instant;

use super::Operator;
use super::State;
use crate::engine::command::Typed;
use crate::engine::command::is_private;
use crate::engine::command::understand;
use crate::engine::editor::Event;
use crate::hub::peers::CHUNK;
use crate::hub::peers::Peers;
use crate::hub::transfer::Transfer;
use crate::io::console::Console;
use crate::io::console::Keys;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::input::Input;
use crate::io::stdin::Stdin;
use crate::io::stream::Received;
use crate::io::stream::Stream;

/// Bytes read of an input that is not wanted yet, and of a terminal at once.
const AHEAD: usize = 64 * 1024;

/// What is answered to a message to one alone that came in a paste.
const NOT_SAID: &str = "a /msg that is pasted is neither obeyed nor said to everybody: type it";

/// What the keyboard sends for it.
const CTRL_D: u8 = 0x04;

/// What was read into a buffer.
#[derive(Debug, Default)]
struct Filled {
    count: usize,
    /// Nothing more waits to be read.
    is_all: bool,
}

impl<D: Device> Operator<D> {
    /// Whether something is there that would be read.
    pub(super) fn reads<S: Stream>(&self, peers: &Peers<S, D>, transfer: &Transfer) -> bool {
        if self.state != State::Open || !self.stdin().is_some_and(Stdin::is_ready) {
            return false;
        }
        match &self.input {
            Input::None => false,
            Input::Plain(_) if self.is_typed() => !self.waiting.is_full(),
            Input::Plain(_) => self.wants(peers, transfer).is_some(),
            Input::Console(_) => !self.waiting.is_full(),
        }
    }

    /// Reads what is there and wanted, and does what is commanded.
    ///
    /// # Errors
    /// The terminal is gone, or cannot be read.
    pub(super) fn read<S: Stream>(
        &mut self,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        refused: u64,
        buffer: &mut [u8],
        now: Instant,
    ) -> Result<(), Error> {
        match &self.input {
            Input::None => Ok(()),
            Input::Plain(_) if self.is_typed() => {
                self.read_lines(peers, transfer, refused, buffer, now)
            }
            Input::Plain(_) => self.read_bytes(peers, transfer, buffer, now),
            Input::Console(_) => self.read_keys(peers, transfer, refused, now),
        }
    }

    /// How many bytes of a pipe or a file are to be read, and whether they are said at once; those that
    /// nobody waits for are read so that the end is known.
    fn wants<S: Stream>(&self, peers: &Peers<S, D>, transfer: &Transfer) -> Option<(usize, bool)> {
        if !self.waiting.is_empty() {
            return None;
        }
        let budget = transfer.budget(peers);
        if budget > 0 && self.voice.pause().is_none() {
            return Some((budget.min(CHUNK), !self.voice.has_delay()));
        }
        let is_ahead = peers.room.is_empty() || transfer.is_waiting(peers);
        is_ahead.then_some((AHEAD, false))
    }

    /// Reads stdin into `buffer`: once, or as long as there is more.
    fn fill<S: Stream>(
        &mut self,
        buffer: &mut [u8],
        goes_on: bool,
        peers: &mut Peers<S, D>,
        now: Instant,
    ) -> Result<Filled, Error> {
        let mut filled = Filled::default();
        let Input::Plain(stdin) = &mut self.input else {
            return Ok(filled);
        };
        while stdin.is_ready() && filled.count < buffer.len() {
            match stdin.read(&mut buffer[filled.count..]) {
                Received::Bytes(count) => filled.count += count,
                Received::Yield => break,
                Received::Pending => filled.is_all = true,
                Received::End | Received::Truncated(_) => self.state = State::Ended,
                Received::Failed(_) if stdin.has_hung_up() => return Err(Error::hung_up()),
                Received::Failed(error) if stdin.kind() == Kind::Terminal => {
                    return Err(Error::system("read from the terminal", &error));
                }
                Received::Failed(error) => {
                    log::warn!("read from stdin: {}; serving without", why(&error));
                    self.state = State::Silent;
                    peers.say_no_more(now);
                }
            }
            if !goes_on {
                break;
            }
        }
        self.spoke |= filled.count > 0;
        Ok(filled)
    }

    fn read_bytes<S: Stream>(
        &mut self,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        buffer: &mut [u8],
        now: Instant,
    ) -> Result<(), Error> {
        let wanted = self.wants(peers, transfer);
        let Some((most, at_once)) = wanted.filter(|_| self.state == State::Open) else {
            return Ok(());
        };
        let filled = self.fill(&mut buffer[..most], false, peers, now)?;
        let bytes = &buffer[..filled.count];
        match at_once && !bytes.is_empty() {
            true => drop(self.voice.say(bytes, peers, now)),
            false => self.waiting.push(bytes),
        }
        Ok(())
    }

    /// Reads what was typed at a terminal whose lines the kernel edits, line by line. Lines that come
    /// at once are a paste, and no commands.
    fn read_lines<S: Stream>(
        &mut self,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        refused: u64,
        buffer: &mut [u8],
        now: Instant,
    ) -> Result<(), Error> {
        if self.state != State::Open || self.waiting.is_full() {
            return Ok(());
        }
        let filled = self.fill(&mut buffer[..AHEAD], true, peers, now)?;
        let has_ended = self.state == State::Ended;
        let arrived = self.cooked.take_in(&buffer[..filled.count], has_ended, now);
        if !arrived.text.is_empty() {
            self.echoed |= arrived.text.ends_with(b"\n");
            let is_typed = arrived.is_typed && !self.waiting.is_midline();
            let line = arrived.text.strip_suffix(b"\n").filter(|_| is_typed);
            match line.and_then(|line| std::str::from_utf8(line).ok()) {
                Some(line) => self.understand(line, peers, transfer, refused, now),
                None => self.say_bulk(&arrived.text),
            }
            self.tell_waiting(peers, transfer);
        }
        if filled.is_all {
            self.cooked.settle();
        }
        if has_ended {
            self.tell_end(peers);
        }
        Ok(())
    }

    /// Lets lines wait to be said that came at once, whole or not.
    fn say_bulk(&mut self, bytes: &[u8]) {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let text = std::str::from_utf8(line);
            let is_private = text.is_ok_and(|line| is_private(line.trim_end()));
            match is_private && self.manner.has_commands && !self.waiting.is_midline() {
                true => self.answer(NOT_SAID),
                false => self.waiting.push(line),
            }
        }
    }

    fn read_keys<S: Stream>(
        &mut self,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        refused: u64,
        now: Instant,
    ) -> Result<(), Error> {
        if self.waiting.is_full() || self.state != State::Open {
            return Ok(());
        }
        let Input::Console(console) = &mut self.input else {
            return Ok(());
        };
        match console.read(now)? {
            // Anything but another Ctrl-D says that the first was a mistake.
            Keys::Pressed if console.keys().iter().any(|&key| key != CTRL_D) => {
                self.asked_to_end = false;
            }
            Keys::Pressed => {}
            Keys::None => return Ok(()),
            Keys::End => {
                self.state = State::Ended;
                return Ok(());
            }
        }
        // Behind the end there is nothing.
        while self.state == State::Open
            && let Some(event) = self.console_mut().and_then(Console::next_event)
        {
            self.act(event, peers, transfer, refused, now);
        }
        self.tell_waiting(peers, transfer);
        Ok(())
    }

    fn act<S: Stream>(
        &mut self,
        event: Event,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        refused: u64,
        now: Instant,
    ) {
        match event {
            Event::Line(line) => {
                self.show_typed(&line);
                self.understand(&line, peers, transfer, refused, now);
            }
            Event::Pasted(line) => {
                self.show_typed(&line);
                match self.manner.has_commands && is_private(&line) {
                    true => self.answer(NOT_SAID),
                    false => self.say(&line),
                }
            }
            Event::Complete => self.complete(peers),
            Event::End => self.ask_to_end(peers),
            Event::Redraw | Event::Full => {}
        }
    }

    fn show_typed(&mut self, line: &str) {
        if let Some(console) = self.console_mut() {
            console.typed(line);
        }
    }

    fn understand<S: Stream>(
        &mut self,
        line: &str,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        refused: u64,
        now: Instant,
    ) {
        if !self.manner.has_commands {
            return self.say(line);
        }
        match understand(line) {
            Typed::Say(text) => self.say(text),
            Typed::Do(command) => {
                // What was typed before it comes before it.
                self.say_waiting(peers, transfer, now);
                self.obey(command, peers, refused, now);
            }
            Typed::Explain(why) => self.answer(&why),
        }
    }

    /// Lets a line wait to be said.
    fn say(&mut self, line: &str) {
        self.spoke = true;
        self.waiting.push_line(line);
    }

    /// Tells the operator that lines wait, if that is new.
    fn tell_waiting<S: Stream>(&mut self, peers: &Peers<S, D>, transfer: &Transfer) {
        let is_pasting = match self.console() {
            Some(console) => console.is_pasting(),
            None => self.cooked.is_pasting(),
        };
        let is_waiting = transfer.is_waiting(peers);
        if !self.waiting.is_to_be_told(is_pasting) || !(peers.room.is_empty() || is_waiting) {
            return;
        }
        let waiting = self.waiting.tell();
        self.answer(&match is_waiting {
            true => format!(
                "{}: {waiting} for the others to join",
                transfer.here(peers, 0)
            ),
            false => format!("nobody is here yet: {waiting} for the first to join"),
        });
    }
}
