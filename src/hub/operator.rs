//! The operator's side of the hub: what is read from stdin, and what is typed at a console.
//!
//! From a pipe, a file or a plain terminal bytes are taken as they come, when somebody is there to
//! hear them. At a console there are lines, which wait here until they are wanted, and commands.
//!
//! It promises: nothing is read before it is wanted, or it is kept; what is pasted or piped is
//! never a command; a mistyped command is never said.

mod commands;

use std::time::Duration;
use std::time::Instant;

use super::Hub;
use crate::engine::command::Typed;
use crate::engine::command::understand;
use crate::engine::crlf::Crlf;
use crate::engine::editor::Event;
use crate::engine::escape::push_escaped;
use crate::engine::line_delay::LineDelay;
use crate::io::console::KEYS;
use crate::io::console::Keys;
use crate::io::descriptor::Kind;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::stdin::Input;
use crate::io::stdin::Stdin;
use crate::io::tls::Handshakes;

/// Bytes of typed lines that may wait until they are wanted; then no key is read.
const PENDING: usize = 64 * 1024;

/// What the keyboard sends for it.
const CTRL_D: u8 = 0x04;

/// How far the operator's input is.
#[derive(Default)]
pub(super) struct Operator {
    crlf: Crlf,
    converted: Vec<u8>,
    /// What was typed at a console, or with a line delay read, and not yet said; and how many lines
    /// of a console that is.
    pending: Vec<u8>,
    pending_lines: usize,
    line_delay: Option<LineDelay>,
    /// Nothing more will be read, and what is pending is still to be said.
    ending: bool,
    /// Ctrl-D was pressed, and more would be lost than was asked for.
    asked_to_end: bool,
    /// Something was read.
    spoke: bool,
    /// It ended, and with it, when everything is delivered, every peer's stream.
    pub(super) finished: Option<Instant>,
    /// With `--send-only`: when everything was delivered after that.
    pub(super) delivered: Option<Instant>,
    /// `/quit`
    pub(super) quit: bool,
}

impl Operator {
    /// An operator who pauses so long after each line.
    pub(super) fn new(line_delay: Option<Duration>) -> Operator {
        Operator {
            line_delay: line_delay.map(LineDelay::new),
            ..Operator::default()
        }
    }

    /// Until when nothing is said.
    pub(super) fn pause(&self) -> Option<Instant> {
        self.line_delay.as_ref()?.until()
    }
}

impl Hub {
    /// Whether the operator's input can be worked on at once.
    pub(super) fn operator_is_ready(&self) -> bool {
        let wanted = self.wants_input() && self.operator.pause().is_none();
        let ready = self.stdin.as_ref().is_some_and(Stdin::is_ready);
        let pending = &self.operator.pending;
        let says = wanted && !pending.is_empty();
        let reads = match self.console {
            None => ready && wanted,
            Some(_) => ready && pending.len() < PENDING,
        };
        says || reads || (self.operator.ending && self.peers.room.is_empty())
    }

    /// A chunk of stdin to everybody, if anybody is there to hear it and nobody is too far behind.
    pub(super) fn hear_operator(&mut self, now: Instant) -> Result<(), Error> {
        if self.stdin.as_ref().is_some_and(Stdin::is_gone) {
            return Err(Error::hung_up());
        }
        let pauses = match &mut self.operator.line_delay {
            Some(delay) => delay.pauses(now),
            None => false,
        };
        if self.console.is_some() {
            self.hear_keys(now)?;
        } else if !pauses && self.operator.pending.is_empty() && self.wants_input() {
            self.hear_stdin(now)?;
        }
        if !pauses {
            self.say_pending(now);
        }
        self.end_pending(now);
        Ok(())
    }

    fn hear_stdin(&mut self, now: Instant) -> Result<(), Error> {
        let Some(stdin) = self.stdin.as_mut().filter(|stdin| stdin.is_ready()) else {
            return Ok(());
        };
        match stdin.read(&mut self.buffer) {
            Input::Bytes(count) => {
                self.operator.spoke = true;
                let bytes = &self.buffer[..count];
                if self.operator.line_delay.is_some() {
                    self.operator.pending.extend(bytes);
                } else if self.config.settings.crlf {
                    self.operator.converted.clear();
                    self.operator
                        .crlf
                        .convert(bytes, &mut self.operator.converted);
                    self.peers.typed(&self.operator.converted, now);
                } else {
                    self.peers.typed(bytes, now);
                }
            }
            Input::Nothing => {}
            Input::End => self.finish_input(now),
            Input::Gone => return Err(Error::hung_up()),
            Input::Failed(error) => {
                log::warn!("read from stdin: {}; serving without", why(&error));
            }
        }
        Ok(())
    }

    /// stdin has ended. An input that was empty from the start only means that there is no
    /// keyboard; otherwise the class ends when everything is delivered.
    fn finish_input(&mut self, now: Instant) {
        self.peers.typed_end(now);
        let keyboard =
            self.operator.spoke || self.stdin.as_ref().map(Stdin::kind) == Some(Kind::Terminal);
        if !self.config.keep_open && keyboard {
            log::info!("end of input: nobody else is let in");
            self.operator.finished = Some(now);
            self.door.close();
            if self.config.settings.half_close {
                self.peers.half_close_all();
            }
            self.entry.handshakes.iter_mut().for_each(Handshakes::clear);
        }
        self.peers.queue_flush_all();
    }

    /// Keys pressed at the console.
    fn hear_keys(&mut self, now: Instant) -> Result<(), Error> {
        let Some(stdin) = self.stdin.as_mut().filter(|stdin| stdin.is_ready()) else {
            return Ok(());
        };
        let Some(console) = &mut self.console else {
            return Ok(());
        };
        if self.operator.pending.len() >= PENDING {
            return Ok(());
        }
        let mut keys = [0; KEYS];
        let mut keys = match console.read(stdin, &mut keys)? {
            Keys::Pressed(count) => &keys[..count],
            Keys::None => return Ok(()),
            Keys::End => {
                self.end_input(now);
                return Ok(());
            }
        };
        if keys.iter().any(|&key| key != CTRL_D) {
            self.operator.asked_to_end = false;
        }
        while let Some(event) = self.console.as_mut().and_then(|c| c.next(&mut keys)) {
            self.act(event, now);
        }
        Ok(())
    }

    fn act(&mut self, event: Event, now: Instant) {
        let Some(console) = &mut self.console else {
            return;
        };
        match event {
            Event::Line(line) => {
                console.typed(&line);
                self.understand(&line, now);
            }
            Event::Pasted(line) => {
                console.typed(&line);
                self.say(&line);
            }
            Event::Complete => self.complete(),
            Event::End => self.ask_to_end(now),
            Event::Redraw | Event::Full => {}
        }
    }

    fn understand(&mut self, line: &str, now: Instant) {
        if !self.config.commands {
            return self.say(line);
        }
        match understand(line) {
            Typed::Say(text) => self.say(text),
            Typed::Do(command) => {
                // What was typed before it comes before it.
                self.say_pending(now);
                self.obey(command, now);
            }
            Typed::Explain(why) => self.answer(&why),
        }
    }

    /// Lets a line wait to be said.
    fn say(&mut self, line: &str) {
        self.operator.spoke = true;
        self.operator.pending.extend(line.as_bytes());
        self.operator.pending.push(b'\n');
        self.operator.pending_lines += 1;
        if self.peers.room.is_empty() || self.transfer.is_waiting() {
            let waiting = match self.operator.pending_lines {
                1 => String::from("1 line waits"),
                lines => format!("{lines} lines wait"),
            };
            self.answer(&match self.transfer.is_waiting() {
                true => format!("{}: {waiting} for the others to join", self.here()),
                false => format!("nobody is here yet: {waiting} for the first to join"),
            });
        }
    }

    /// Says what waits, if it is wanted; with a line delay, one line of it.
    fn say_pending(&mut self, now: Instant) {
        if !self.operator.pending.is_empty() && self.wants_input() {
            let operator = &mut self.operator;
            let count = match operator.line_delay {
                Some(_) => LineDelay::portion(&operator.pending),
                None => operator.pending.len(),
            };
            let bytes = &operator.pending[..count];
            if self.config.settings.crlf {
                operator.converted.clear();
                operator.crlf.convert(bytes, &mut operator.converted);
                self.peers.typed(&operator.converted, now);
            } else {
                self.peers.typed(bytes, now);
            }
            if let Some(delay) = &mut operator.line_delay {
                delay.sent(bytes, now);
            }
            operator.pending.drain(..count);
            operator.pending_lines = match operator.pending.is_empty() {
                true => 0,
                false => operator.pending_lines.saturating_sub(1),
            };
        }
    }

    /// Ends the input of which the end was put off, if nothing of it is left that anybody hears.
    fn end_pending(&mut self, now: Instant) {
        let said = self.operator.pending.is_empty() || self.peers.room.is_empty();
        if self.operator.ending && said {
            self.operator.ending = false;
            self.finish_input(now);
        }
    }

    /// Ctrl-D on an empty line: the end, if nobody would be cut off by mistake.
    fn ask_to_end(&mut self, now: Instant) {
        let here = self.peers.room.len();
        let waiting = self.operator.pending_lines;
        if !self.operator.asked_to_end && !self.config.keep_open && (here > 0 || waiting > 0) {
            self.operator.asked_to_end = true;
            let lost = match (here, waiting) {
                (0, 1) => String::from("1 line was never said"),
                (0, lines) => format!("{lines} lines were never said"),
                (1, _) => String::from("1 participant is here"),
                (here, _) => format!("{here} participants are here"),
            };
            return self.answer(&format!("{lost}: Ctrl-D again ends the class"));
        }
        self.end_input(now);
    }

    /// The keyboard will not be read any more.
    fn end_input(&mut self, now: Instant) {
        if let Some(stdin) = &mut self.stdin {
            stdin.end();
        }
        // It is the end when all that waits was said.
        self.operator.ending = true;
        self.end_pending(now);
    }

    /// Tells the operator something, whatever the verbosity.
    fn answer(&mut self, text: &str) {
        if let Some(console) = &mut self.console {
            for line in text.lines() {
                let mut shown = String::from("muxnc: ");
                // What was typed may be quoted in it.
                line.chars()
                    .for_each(|letter| push_escaped(letter, &mut shown));
                shown.push('\n');
                console.notice(shown.as_bytes());
            }
        }
    }
}
