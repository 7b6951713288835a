//! The operator: what is read from stdin, and what is typed at a console.
//!
//! From a pipe or a file bytes are taken as they come, when they are wanted. At a terminal, edited by
//! us or by the kernel, there are lines, which wait here until they are wanted, and commands.
//!
//! ```text
//!   open ──────────► ended ──────────► said ──────────► finished
//!    │  no more can    │  all of it      │  somebody       the class is told that nothing
//!    │  be read        │  was said       │  heard it       follows
//!    │                 └─────────────────┴─► silent: it was empty from the start, there is no
//!    ├─► quit                                keyboard; or `--keep-open`
//!    └─► broken off: it cannot be read on, and the class was to read its end
//! ```
//!
//! It promises: only one chunk is read before it is wanted, so that an end is known early; pasted
//! or piped text is never a command, and a private line is never said to everybody; a mistyped
//! command is never said; the end waits until a member is known to read what was said before it; what
//! breaks off is not ended.

mod commands;
mod cooked;
mod ending;
mod moderation;
mod reading;
mod voice;
mod waiting;

use std::io;
use std::time::Duration;
use std::time::Instant;

use self::cooked::Cooked;
pub(super) use self::ending::waiting_until;
pub(super) use self::reading::Heard;
use self::voice::Voice;
use self::waiting::Waiting;
use super::peers::Peers;
use super::peers::Unsaid;
use super::transfer::Transfer;
use crate::engine::admit::Admission;
use crate::engine::escape::push_letters;
use crate::io::console::Console;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::input::Input;
use crate::io::readiness;
use crate::io::stdin::Stdin;
use crate::io::stream::Stream;

/// How far the operator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing more will be read, and what is pending is still to be said.
    Ended,
    /// All was said, the line without an end included; the operator waits until a member has heard
    /// it.
    Said,
    /// Nothing was ever said, and there is no keyboard.
    Silent,
    /// The class was told that nothing follows.
    Finished(Instant),
    /// `/quit`
    Quit,
    /// It cannot be read on, and its end would have been told to the class.
    BrokenOff,
}

/// The operator. See the module's documentation.
pub(super) struct Operator<D> {
    input: Input<D>,
    manner: Manner,
    state: State,
    /// What was read and is not said yet.
    waiting: Waiting,
    voice: Voice,
    /// Of a terminal whose lines the kernel edits.
    cooked: Cooked,
    /// What the operator is told, where there is no console.
    answers: Vec<String>,
    /// Ctrl-D was pressed, and more would be lost than was asked for.
    asked_to_end: bool,
    /// Something was read.
    spoke: bool,
    /// Why it cannot be read on.
    failure: Option<io::Error>,
    /// Something was read that the terminal has shown as it was typed: whether a line's end was the last of it.
    echoed: Option<bool>,
    /// When the paste was read last of which the operator was told that a command in it is none.
    told_pasted: Option<Instant>,
    /// The last line of a paste that was not said, since it began with one for one alone, came then.
    told_aside: Option<Instant>,
}

/// What the hub's options say of its operator.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) crlf: bool,
    pub(super) line_delay: Option<Duration>,
    /// Whether a typed `/word` is a command.
    pub(super) has_commands: bool,
    /// Whether the end of the input ends nothing.
    pub(super) keeps_open: bool,
    /// Where a browser joins, if one can.
    pub(super) page: Option<String>,
    /// How long the hub waits for those who are still here after the end of the input, if not for ever.
    pub(super) quit_after: Option<Duration>,
}

impl<D: Device> Operator<D> {
    pub(super) fn new(input: Input<D>, manner: Manner) -> Operator<D> {
        Operator {
            state: match input {
                Input::None => State::Silent,
                Input::Plain(_) | Input::Console(_) => State::Open,
            },
            input,
            waiting: Waiting::default(),
            voice: Voice::new(manner.crlf, manner.line_delay),
            manner,
            cooked: Cooked::default(),
            answers: Vec::new(),
            asked_to_end: false,
            spoke: false,
            failure: None,
            echoed: None,
            told_pasted: None,
            told_aside: None,
        }
    }

    /// Whether a line's end was the last of what was read since the last call and the terminal has shown as it
    /// was typed.
    pub(super) fn take_echoed(&mut self) -> Option<bool> {
        self.echoed.take()
    }

    /// What the operator is to be told, where there is no console.
    pub(super) fn take_answers(&mut self) -> Vec<String> {
        std::mem::take(&mut self.answers)
    }

    /// Takes note of an event of stdin.
    pub(super) fn collect(&mut self, event: readiness::Event) {
        self.input.collect(event);
    }

    pub(super) fn console(&self) -> Option<&Console<D>> {
        self.input.console()
    }

    pub(super) fn console_mut(&mut self) -> Option<&mut Console<D>> {
        self.input.console_mut()
    }

    pub(super) fn stdin(&self) -> Option<&Stdin<D>> {
        self.input.stdin()
    }

    /// Whether it is a keyboard.
    pub(super) fn is_typed(&self) -> bool {
        self.stdin()
            .is_some_and(|stdin| stdin.kind() == Kind::Terminal)
    }

    /// Bytes that are still to be said, of a regular file.
    pub(super) fn remaining(&self) -> Option<u64> {
        let unread = self.stdin()?.remaining()?;
        Some(unread + self.waiting.len() as u64)
    }

    /// The part of a transfer that was not said yet.
    pub(super) fn unsaid(&self) -> Unsaid {
        match (self.state, self.remaining()) {
            (State::Open | State::Ended | State::BrokenOff, Some(bytes)) if !self.manner.crlf => {
                Unsaid::Bytes(bytes)
            }
            (State::Open | State::Ended | State::BrokenOff, _) => Unsaid::Unknown,
            _ => Unsaid::Nothing,
        }
    }

    /// Until when nothing is said.
    pub(super) fn pause(&self) -> Option<Instant> {
        self.voice.pause()
    }

    /// When the class was told that no more will come.
    pub(super) fn finished(&self) -> Option<Instant> {
        match self.state {
            State::Finished(at) => Some(at),
            _ => None,
        }
    }

    pub(super) fn has_quit(&self) -> bool {
        self.state == State::Quit
    }

    /// Why the class does not read the end that it was to read, if that is so.
    pub(super) fn broken_off(&self) -> Option<&io::Error> {
        let failure = self.failure.as_ref();
        failure.filter(|_| self.state == State::BrokenOff)
    }

    /// What was typed and never said, in words.
    pub(super) fn never_said(&self) -> Option<String> {
        match (self.is_typed(), self.waiting.lines()) {
            (false, _) | (true, 0) => None,
            (true, 1) => Some("1 line was never said".into()),
            (true, lines) => Some(format!("{lines} lines were never said")),
        }
    }

    /// Whether nothing was and will be said.
    pub(super) fn is_silent(&self) -> bool {
        self.state == State::Silent
    }

    /// Whether there is something to do at once.
    pub(super) fn is_ready<S: Stream>(&self, peers: &Peers<S, D>, transfer: &Transfer) -> bool {
        let says = !self.waiting.is_empty() && self.pause().is_none() && transfer.budget(peers) > 0;
        says || self.appetite(peers, transfer).is_some() || self.ends(peers, transfer)
    }

    /// Does what is commanded in what was [heard](Operator::listen) (bytes and lines are at the beginning of
    /// `buffer`), and says what is wanted.
    pub(super) fn turn<S: Stream>(
        &mut self,
        heard: Heard,
        buffer: &[u8],
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        admission: &mut Admission,
        now: Instant,
    ) {
        self.understand_heard(heard, buffer, peers, transfer, admission, now);
        self.say_waiting(peers, transfer, now);
        if !peers.are_all_closing() {
            self.end_if_over(peers, transfer, now);
        }
    }

    /// Says what waits, as much as is wanted now.
    fn say_waiting<S: Stream>(
        &mut self,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        now: Instant,
    ) {
        let budget = transfer.budget(peers);
        if !self.waiting.is_empty() && budget > 0 && self.pause().is_none() {
            let count = self.voice.say(self.waiting.first(budget), peers, now);
            self.waiting.said(count);
        }
    }

    /// Tells the operator something, whatever the verbosity; only at a keyboard, since a script did
    /// not ask.
    pub(super) fn answer(&mut self, text: &str) {
        let is_typed = self.is_typed();
        for line in text.lines() {
            // What was typed may be quoted in it.
            let mut shown = String::new();
            push_letters(line, &mut shown);
            match self.console_mut() {
                Some(console) => console.notice(format!("muxnc: {shown}\n").as_bytes()),
                None if is_typed => self.answers.push(shown),
                None => {}
            }
        }
    }
}
