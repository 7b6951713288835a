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
//!    └─► quit                                keyboard; or `--keep-open`
//! ```
//!
//! It promises: nothing is read before it is wanted but one chunk, so that an end is known early;
//! what is pasted or piped is never a command, and what is for one alone is never said to everybody; a
//! mistyped command is never said; the end waits until
//! what was said before it is known to be read by somebody.

mod commands;

use std::time::Duration;
use std::time::Instant;

use super::peers::CHUNK;
use super::peers::Peers;
use super::transfer::Transfer;
use crate::engine::brackets::Brackets;
use crate::engine::command::Typed;
use crate::engine::command::is_private;
use crate::engine::command::understand;
use crate::engine::crlf::Crlf;
use crate::engine::editor::Event;
use crate::engine::escape::Letters;
use crate::engine::fold::fold;
use crate::engine::line_delay::LineDelay;
use crate::engine::typing::Typing;
use crate::io::console::Console;
use crate::io::console::Keys;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::input::Input;
use crate::io::readiness;
use crate::io::stdin::Stdin;
use crate::io::stream::Received;
use crate::io::stream::Stream;

/// Bytes of typed lines that may wait until they are wanted; then no key is read.
const PENDING: usize = 1024 * 1024;

/// Bytes read of an input that is not wanted yet.
const AHEAD: usize = 64 * 1024;

/// What is answered to a message to one alone that came in a paste.
const NOT_SAID: &str = "a /msg that is pasted is neither obeyed nor said to everybody: type it";

/// What the keyboard sends for it.
const CTRL_D: u8 = 0x04;

/// How far the operator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing more will be read, and what is pending is still to be said.
    Ended,
    /// All was said, the line without an end included; it is waited for that somebody heard it.
    Said,
    /// Nothing was ever said, and there is no keyboard.
    Silent,
    /// The class was told that nothing follows.
    Finished(Instant),
    /// `/quit`
    Quit,
}

/// The operator. See the module's documentation.
pub(super) struct Operator<D> {
    input: Input<D>,
    state: State,
    crlf: Option<Crlf>,
    converted: Vec<u8>,
    /// What was read and not yet said; how many typed lines that is, and how many of them were told
    /// of.
    pending: Vec<u8>,
    pending_lines: usize,
    told_lines: usize,
    /// Of a terminal whose lines the kernel edits: a line is unfinished.
    is_midline: bool,
    brackets: Brackets,
    typing: Typing,
    /// What the operator is told, where there is no console.
    answers: Vec<String>,
    line_delay: Option<LineDelay>,
    /// Ctrl-D was pressed, and more would be lost than was asked for.
    asked_to_end: bool,
    /// Something was read.
    spoke: bool,
    /// A line was read that the terminal has shown as it was typed.
    echoed: bool,
    /// Whether a typed `/word` is a command.
    has_commands: bool,
    /// Whether the end of the input ends nothing.
    keeps_open: bool,
}

/// What the hub's options say of its operator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) crlf: bool,
    pub(super) line_delay: Option<Duration>,
    pub(super) has_commands: bool,
    pub(super) keeps_open: bool,
}

impl<D: Device> Operator<D> {
    pub(super) fn new(input: Input<D>, manner: Manner) -> Operator<D> {
        Operator {
            state: match input {
                Input::None => State::Silent,
                Input::Plain(_) | Input::Console(_) => State::Open,
            },
            input,
            crlf: manner.crlf.then(Crlf::default),
            converted: Vec::new(),
            pending: Vec::new(),
            pending_lines: 0,
            told_lines: 0,
            is_midline: false,
            brackets: Brackets::default(),
            typing: Typing::default(),
            answers: Vec::new(),
            line_delay: manner.line_delay.map(LineDelay::new),
            asked_to_end: false,
            spoke: false,
            echoed: false,
            has_commands: manner.has_commands,
            keeps_open: manner.keeps_open,
        }
    }

    /// Whether a line was read since the last call that the terminal has shown as it was typed.
    pub(super) fn take_echoed(&mut self) -> bool {
        std::mem::take(&mut self.echoed)
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
        Some(unread + self.pending.len() as u64)
    }

    /// Until when nothing is said.
    pub(super) fn pause(&self) -> Option<Instant> {
        self.line_delay.as_ref()?.until()
    }

    /// When the class was told that nothing follows.
    pub(super) fn finished(&self) -> Option<Instant> {
        match self.state {
            State::Finished(at) => Some(at),
            _ => None,
        }
    }

    pub(super) fn has_quit(&self) -> bool {
        self.state == State::Quit
    }

    /// Whether nothing was and will be said.
    pub(super) fn is_silent(&self) -> bool {
        self.state == State::Silent
    }

    /// Whether there is something to do at once.
    pub(super) fn is_ready<S: Stream>(&self, peers: &Peers<S, D>, transfer: &Transfer) -> bool {
        let wanted = transfer.budget(peers) > 0 && self.pause().is_none();
        let ready = self.stdin().is_some_and(Stdin::is_ready) && self.state == State::Open;
        let reads = match &self.input {
            Input::None => false,
            Input::Plain(_) if self.is_typed() => ready && self.pending.len() < PENDING,
            Input::Plain(_) => {
                ready && self.pending.is_empty() && (wanted || self.reads_ahead(peers, transfer))
            }
            Input::Console(_) => ready && self.pending.len() < PENDING,
        };
        (wanted && !self.pending.is_empty()) || reads || self.ends(peers)
    }

    /// Reads and says what is wanted, and does what is commanded.
    ///
    /// # Errors
    /// The terminal is gone, or cannot be read.
    pub(super) fn turn<S: Stream>(
        &mut self,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        refused: u64,
        buffer: &mut [u8],
        now: Instant,
    ) -> Result<(), Error> {
        if self.stdin().is_some_and(Stdin::has_hung_up) {
            return Err(Error::hung_up());
        }
        let pauses = match &mut self.line_delay {
            Some(delay) => delay.pauses(now),
            None => false,
        };
        match &self.input {
            Input::None => {}
            Input::Plain(_) if self.is_typed() => {
                self.read_lines(peers, transfer, refused, buffer, now)?;
            }
            Input::Plain(_) => self.read_plain(peers, transfer, pauses, buffer, now)?,
            Input::Console(_) => self.read_keys(peers, transfer, refused, now)?,
        }
        if !pauses {
            self.say_pending(peers, transfer, now);
        }
        if self.state == State::Ended && self.is_given_up(peers) {
            self.pending = Vec::new();
        }
        if self.state == State::Ended && self.pending.is_empty() {
            peers.typed_end(now);
            self.state = State::Said;
        }
        if self.ends(peers) {
            self.end(peers, now);
        }
        Ok(())
    }

    /// Whether an input that is not wanted yet is read all the same, so that its end is known.
    fn reads_ahead<S: Stream>(&self, peers: &Peers<S, D>, transfer: &Transfer) -> bool {
        peers.room.is_empty() || transfer.is_waiting(peers)
    }

    fn read_plain<S: Stream>(
        &mut self,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        pauses: bool,
        buffer: &mut [u8],
        now: Instant,
    ) -> Result<(), Error> {
        let budget = transfer.budget(peers);
        let ahead = self.reads_ahead(peers, transfer);
        let Input::Plain(stdin) = &mut self.input else {
            return Ok(());
        };
        if self.state != State::Open || !stdin.is_ready() || !self.pending.is_empty() {
            return Ok(());
        }
        let most = match (budget > 0 && !pauses, ahead) {
            (true, _) => budget.min(CHUNK),
            (false, true) => AHEAD,
            (false, false) => return Ok(()),
        };
        match stdin.read(&mut buffer[..most]) {
            Received::Bytes(count) => {
                self.spoke = true;
                let bytes = &buffer[..count];
                self.echoed |= stdin.kind() == Kind::Terminal && bytes.ends_with(b"\n");
                match budget > 0 && !pauses && self.line_delay.is_none() {
                    true => self.say_at_once(bytes, peers, now),
                    false => self.pending.extend_from_slice(bytes),
                }
            }
            Received::Yield | Received::Pending => {}
            Received::End | Received::Truncated(_) => self.state = State::Ended,
            Received::Failed(_) if stdin.has_hung_up() => return Err(Error::hung_up()),
            Received::Failed(error) => {
                log::warn!("read from stdin: {}; serving without", why(&error));
                self.state = State::Silent;
                peers.say_no_more(now);
            }
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
        if self.state != State::Open || self.pending.len() >= PENDING {
            return Ok(());
        }
        let Input::Plain(stdin) = &mut self.input else {
            return Ok(());
        };
        let (mut count, mut is_all) = (0, false);
        while stdin.is_ready() && count < AHEAD {
            match stdin.read(&mut buffer[count..AHEAD]) {
                Received::Bytes(more) => count += more,
                Received::Yield => break,
                Received::Pending => is_all = true,
                Received::End | Received::Truncated(_) => self.state = State::Ended,
                Received::Failed(_) if stdin.has_hung_up() => return Err(Error::hung_up()),
                Received::Failed(error) => {
                    return Err(Error::system("read from the terminal", &error));
                }
            }
        }
        let mut bytes = Vec::new();
        let is_pasted = self.brackets.take_out(&buffer[..count], &mut bytes);
        if self.state == State::Ended {
            self.brackets.finish(&mut bytes);
        }
        if !bytes.is_empty() {
            let in_bulk = self.typing.read(&bytes, is_pasted, now).in_bulk;
            let is_typed = !in_bulk && !is_pasted && !self.is_midline;
            self.spoke = true;
            self.echoed |= bytes.ends_with(b"\n");
            let line = bytes
                .strip_suffix(b"\n")
                .and_then(|line| std::str::from_utf8(line).ok());
            match line.filter(|_| is_typed) {
                Some(line) => self.understand(line, peers, transfer, refused, now),
                None => self.say_bulk(&bytes),
            }
            self.tell_waiting(peers, transfer);
        }
        if is_all {
            self.typing.settle();
        }
        if self.state == State::Ended {
            self.tell_end(peers);
        }
        Ok(())
    }

    /// Lets lines wait to be said that came at once, whole or not.
    fn say_bulk(&mut self, bytes: &[u8]) {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let is_private =
                std::str::from_utf8(line).is_ok_and(|line| is_private(line.trim_end()));
            if is_private && self.has_commands && !self.is_midline {
                self.answer(NOT_SAID);
                continue;
            }
            self.pending.extend(line);
            self.is_midline = !line.ends_with(b"\n");
            self.pending_lines += usize::from(!self.is_midline);
        }
    }

    fn say_at_once<S: Stream>(&mut self, bytes: &[u8], peers: &mut Peers<S, D>, now: Instant) {
        match &mut self.crlf {
            None => peers.typed(bytes, now),
            Some(crlf) => {
                self.converted.clear();
                crlf.convert(bytes, &mut self.converted);
                peers.typed(&self.converted, now);
            }
        }
    }

    /// Says what is pending, as much as is wanted; with a delay, one line of it.
    fn say_pending<S: Stream>(
        &mut self,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        now: Instant,
    ) {
        let budget = transfer.budget(peers);
        if self.pending.is_empty() || budget == 0 {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let mut count = pending.len().min(budget);
        if self.line_delay.is_some() {
            count = LineDelay::portion(&pending[..count]);
        }
        let bytes = &pending[..count];
        self.say_at_once(bytes, peers, now);
        if let Some(delay) = &mut self.line_delay {
            delay.sent(bytes, now);
        }
        let said = memchr::memchr_iter(b'\n', bytes).count();
        self.pending_lines = self.pending_lines.saturating_sub(said);
        self.told_lines = self.told_lines.min(self.pending_lines);
        self.pending = pending;
        self.pending.drain(..count);
    }

    /// Whether nobody will hear what nobody has heard. Who pressed Ctrl-D at a console was told so, and
    /// pressed it again. Where there is none it waits for whoever comes, and always with `--keep-open`,
    /// which nothing ends.
    fn is_given_up<S: Stream>(&self, peers: &Peers<S, D>) -> bool {
        self.console().is_some() && !self.keeps_open && peers.room.is_empty()
    }

    /// Whether the end of the input is to be told now, or as soon as what waits is given up.
    fn ends<S: Stream>(&self, peers: &Peers<S, D>) -> bool {
        match self.state {
            State::Ended => self.is_given_up(peers),
            State::Said => self.is_given_up(peers) || !peers.room.is_unheard(),
            _ => false,
        }
    }

    /// The input is over. One that was empty from the start only means that there is no keyboard;
    /// otherwise the class ends when everything is delivered.
    fn end<S: Stream>(&mut self, peers: &mut Peers<S, D>, now: Instant) {
        let is_typed = self.is_typed();
        peers.say_no_more(now);
        self.state = match !self.keeps_open && (self.spoke || is_typed) {
            true => State::Finished(now),
            false => State::Silent,
        };
        if let State::Finished(_) = self.state {
            self.tell_who_is_waited_for(peers);
        }
    }

    /// The input of a terminal without a console ended: what that means for what waits.
    fn tell_end<S: Stream>(&mut self, peers: &Peers<S, D>) {
        let waits = !self.pending.is_empty() || peers.room.is_unheard();
        if !self.keeps_open && peers.room.is_empty() && waits {
            self.answer("the first to join gets what waits; then the class ends (Ctrl-C: now)");
        }
    }

    fn tell_who_is_waited_for<S: Stream>(&mut self, peers: &Peers<S, D>) {
        log::info!("end of input: nobody else is let in");
        let here = peers.room.here();
        if here > 0 {
            let names: Vec<String> = peers
                .room
                .by_number()
                .iter()
                .take(10)
                .map(|(_, member)| match &member.account.name {
                    Some(name) => format!("[{}] {name}", member.account.number),
                    None => format!("[{}]", member.account.number),
                })
                .collect();
            let more = match here > names.len() {
                true => " …",
                false => "",
            };
            self.answer(&format!(
                "no more is said; waiting until {}{more} leave (Ctrl-C ends it now)",
                names.join(", ")
            ));
        }
    }

    fn read_keys<S: Stream>(
        &mut self,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        refused: u64,
        now: Instant,
    ) -> Result<(), Error> {
        if self.pending.len() >= PENDING || self.state != State::Open {
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
                match self.has_commands && is_private(&line) {
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
        if !self.has_commands {
            return self.say(line);
        }
        match understand(line) {
            Typed::Say(text) => self.say(text),
            Typed::Do(command) => {
                // What was typed before it comes before it.
                self.say_pending(peers, transfer, now);
                self.obey(command, peers, refused, now);
            }
            Typed::Explain(why) => self.answer(&why),
        }
    }

    /// Lets a line wait to be said.
    fn say(&mut self, line: &str) {
        self.spoke = true;
        self.pending.extend(line.as_bytes());
        self.pending.push(b'\n');
        self.pending_lines += 1;
    }

    /// Tells the operator that lines wait: each time where they are typed, and of a paste each time
    /// that there are twice as many.
    fn tell_waiting<S: Stream>(&mut self, peers: &Peers<S, D>, transfer: &Transfer) {
        let told = self.told_lines;
        let more = self.pending_lines.saturating_sub(told);
        let is_pasting = match self.console() {
            Some(console) => console.is_pasting(),
            None => self.typing.is_pasting(),
        };
        if more == 0 || (is_pasting && told > 0 && more < told) {
            return;
        }
        let is_waiting = transfer.is_waiting(peers);
        if peers.room.is_empty() || is_waiting {
            self.told_lines = self.pending_lines;
            let waiting = match self.pending_lines {
                1 => String::from("1 line waits"),
                lines => format!("{lines} lines wait"),
            };
            self.answer(&match is_waiting {
                true => format!(
                    "{}: {waiting} for the others to join",
                    transfer.here(peers, 0)
                ),
                false => format!("nobody is here yet: {waiting} for the first to join"),
            });
        }
    }

    /// Ctrl-D on an empty line: the end, if nobody would be cut off by mistake.
    fn ask_to_end<S: Stream>(&mut self, peers: &Peers<S, D>) {
        let here = peers.room.here();
        let waiting = self.pending_lines;
        let is_unheard = here == 0 && peers.room.is_unheard();
        if !self.asked_to_end && !self.keeps_open && (here > 0 || waiting > 0 || is_unheard) {
            self.asked_to_end = true;
            let lost = match (here, waiting) {
                (0, 0) => String::from("what was said was read by nobody"),
                (0, 1) => String::from("1 line was never said"),
                (0, lines) => format!("{lines} lines were never said"),
                (1, _) => String::from("1 participant is here"),
                (here, _) => format!("{here} participants are here"),
            };
            return self.answer(&format!("{lost}: Ctrl-D again ends the class"));
        }
        // It is the end when all that waits was said.
        self.state = State::Ended;
        if let Some(console) = self.console_mut() {
            console.stdin_mut().end();
        }
    }

    /// Tells the operator something, whatever the verbosity; at a keyboard, for elsewhere nobody asked.
    pub(super) fn answer(&mut self, text: &str) {
        let is_typed = self.is_typed();
        for line in text.lines() {
            // What was typed may be quoted in it.
            let mut shown = String::new();
            let mut letters = Letters::default();
            line.chars()
                .for_each(|letter| letters.push(letter, &mut shown));
            for row in fold(&shown) {
                match self.console_mut() {
                    Some(console) => console.notice(format!("muxnc: {row}\n").as_bytes()),
                    None if is_typed => self.answers.push(row.into()),
                    None => {}
                }
            }
        }
    }
}
