//! Reading the operator: bytes as they come from a pipe or a file, lines from a terminal, keys at a
//! console.
//!
//! Input is first read ([`Operator::listen`]) and then interpreted
//! ([`Operator::understand_heard`]): peers that connected before it was typed are let in between
//! the two, and hear it.
//!
//! It promises: of a pipe or a file only one chunk is read before it is wanted, so that an end is
//! known early; a console and a terminal are read while there is room for what waits; lines that
//! come at once are no commands, and a private line is never said to everybody.

use std::borrow::Cow;
use std::time::Duration;
use std::time::Instant;

use super::Operator;
use super::State;
use super::cooked::Behind;
use crate::engine::admit::Admission;
use crate::engine::brackets::cut_before_paste;
use crate::engine::command::Typed;
use crate::engine::command::command_named;
use crate::engine::command::understand;
use crate::engine::command::understand_garbled;
use crate::engine::command::why_for_one;
use crate::engine::editor::Event;
use crate::engine::handover::Asking;
use crate::engine::private::is_private;
use crate::engine::private::is_seen;
use crate::engine::whom::Whom;
use crate::engine::whom::is_for_member;
use crate::hub::peers::CHUNK;
use crate::hub::peers::Peers;
use crate::hub::transfer::Transfer;
use crate::io::console::Console;
use crate::io::console::Keys;
use crate::io::device::Device;
use crate::io::error::Error;
use crate::io::input::Input;
use crate::io::stdin::Stdin;
use crate::io::stream::Received;
use crate::io::stream::Stream;

/// Bytes read of an input that is not wanted yet, and of a terminal at once.
const AHEAD: usize = 64 * 1024;

/// What is told of a paste is not told again for so long.
const ONE_PASTE: Duration = Duration::from_secs(1);

/// The answer to a `/msg` that came in a paste.
const NOT_SAID: &str = "a /msg that is pasted is neither obeyed nor said to everybody: type it";

/// The answer to lines that came with it, or behind one that was typed.
const ASIDE: &str =
    "a paste with or behind a line for one alone is not said to everybody: none of its lines was";

/// The answer to a line that may begin with the last row of such a paste.
const BEHIND_ASIDE: &str = "that was not said either, since it may begin with the rest of the paste: \
                            type it again if it does not";

/// The answer to a command with bytes that are no letters.
const GARBLED: &str =
    "that is not UTF-8, and was neither obeyed nor said to everybody: does the terminal send that?";

/// What the keyboard sends for it.
const CTRL_D: u8 = 0x04;

/// Input that was read in this turn and is not interpreted yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum Heard {
    /// Nothing.
    Nothing,
    /// So many bytes of a pipe or a file, at the beginning of the buffer.
    Bytes(usize),
    /// So many of a terminal whose lines the kernel edits; perhaps none and the end. `is_all`: nothing
    /// more waits to be read.
    Lines { count: usize, is_all: bool },
    /// Keys, which the console holds.
    Keys,
    /// It cannot be read any more.
    Failed,
}

impl<D: Device> Operator<D> {
    /// How many bytes are to be read now at most, if something is there and any are.
    pub(super) fn appetite<S: Stream>(
        &self,
        peers: &Peers<S, D>,
        transfer: &Transfer,
    ) -> Option<usize> {
        if self.state != State::Open || !self.stdin().is_some_and(Stdin::is_ready) {
            return None;
        }
        if self.is_typed() {
            return self.reads_keys().then_some(AHEAD);
        }
        if !self.waiting.is_empty() {
            return None;
        }
        // What is read of a message or a block, and may not be said yet, waits.
        let least = self.stdin().map_or(0, Stdin::least_read).min(CHUNK);
        let budget = transfer.budget(peers);
        if budget > 0 && self.voice.pause().is_none() {
            return Some(budget.min(CHUNK).max(least));
        }
        // Input that no member waits for is read so that its end is known.
        let is_ahead = peers.room.is_empty() || transfer.is_waiting(peers);
        is_ahead.then_some(AHEAD.max(least))
    }

    /// Reads what is there and wanted; bytes and lines into `buffer`.
    ///
    /// # Errors
    /// The terminal is gone, or cannot be read.
    pub(in crate::hub) fn listen<S: Stream>(
        &mut self,
        peers: &Peers<S, D>,
        transfer: &Transfer,
        buffer: &mut [u8],
        now: Instant,
    ) -> Result<Heard, Error> {
        if self.stdin().is_some_and(Stdin::has_hung_up) {
            return Err(Error::hung_up());
        }
        self.voice.pauses(now);
        let Some(most) = self.appetite(peers, transfer) else {
            return Ok(Heard::Nothing);
        };
        match &mut self.input {
            Input::None => Ok(Heard::Nothing),
            Input::Plain(_) => self.fill(&mut buffer[..most]),
            Input::Console(console) => {
                let keys = console.read(now)?;
                Ok(self.note_keys(keys))
            }
        }
    }

    /// Understands what was heard, and does what is commanded.
    pub(super) fn understand_heard<S: Stream>(
        &mut self,
        heard: Heard,
        buffer: &[u8],
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        admission: &mut Admission,
        now: Instant,
    ) {
        match heard {
            Heard::Nothing => {}
            Heard::Bytes(count) => self.take_bytes(&buffer[..count], peers, transfer, now),
            Heard::Lines { count, is_all } => {
                self.take_lines(&buffer[..count], peers, transfer, admission, now);
                if is_all {
                    self.cooked.settle();
                }
            }
            Heard::Keys => self.take_keys(peers, transfer, admission, now),
            Heard::Failed => self.break_off(peers, transfer, now),
        }
    }

    /// Reads stdin into `buffer`: once, or from a terminal as long as there is more.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<Heard, Error> {
        let is_typed = self.is_typed();
        let Input::Plain(stdin) = &mut self.input else {
            return Ok(Heard::Nothing);
        };
        let (mut count, mut is_all) = (0, false);
        while stdin.is_ready() && count < buffer.len() {
            match stdin.read(&mut buffer[count..]) {
                Received::Bytes(more) => count += more,
                Received::Yield => break,
                Received::Pending => is_all = true,
                Received::End | Received::Truncated(_) => self.state = State::Ended,
                Received::Failed(_) if stdin.has_hung_up() => return Err(Error::hung_up()),
                Received::Failed(error) if is_typed => {
                    return Err(Error::system("read from the terminal", &error));
                }
                Received::Failed(error) => {
                    self.failure = Some(error);
                    return Ok(Heard::Failed);
                }
            }
            if !is_typed {
                break;
            }
        }
        self.spoke |= count > 0;
        Ok(match (is_typed, count) {
            (true, count) => Heard::Lines { count, is_all },
            (false, 0) => Heard::Nothing,
            (false, count) => Heard::Bytes(count),
        })
    }

    /// Says at once what is wanted of these bytes, without a copy of it; the rest waits.
    fn take_bytes<S: Stream>(
        &mut self,
        bytes: &[u8],
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        now: Instant,
    ) {
        let budget = transfer.budget(peers).min(bytes.len());
        let said = match budget > 0 && self.voice.pause().is_none() {
            true => self.voice.say(&bytes[..budget], peers, now),
            false => 0,
        };
        self.waiting.push(&bytes[said..]);
    }

    /// Takes what was typed at a terminal whose lines the kernel edits, line by line. Lines that come at
    /// once are a paste, and no commands.
    fn take_lines<S: Stream>(
        &mut self,
        mut bytes: &[u8],
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        admission: &mut Admission,
        now: Instant,
    ) {
        while let Some(at) = cut_before_paste(bytes) {
            let (before, paste) = bytes.split_at(at);
            self.take_text(before, Behind::Text, peers, transfer, admission, now);
            bytes = paste;
        }
        let behind = match self.state == State::Ended {
            true => Behind::End,
            false => Behind::Later,
        };
        self.take_text(bytes, behind, peers, transfer, admission, now);
        if behind == Behind::End {
            self.tell_end(peers, transfer);
        }
    }

    /// The same of one text.
    fn take_text<S: Stream>(
        &mut self,
        bytes: &[u8],
        behind: Behind,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        admission: &mut Admission,
        now: Instant,
    ) {
        let has_commands = self.manner.has_commands;
        let has_ended = behind == Behind::End;
        let is_for_one = |line: &str| is_for_one(line, peers, now);
        let arrived = self
            .cooked
            .take_in(bytes, behind, has_commands, is_for_one, now);
        if !arrived.text.is_empty() {
            self.echoed = Some(arrived.text.ends_with(b"\n"));
            // Behind a part of a line that Ctrl-D sent the row looks like a new one, and is judged as one.
            let goes_on = self.waiting.is_midline();
            let text = typed_text(&arrived.text);
            let line = match text.strip_suffix('\n') {
                // Behind the last of it there is no end, but nothing follows.
                None if has_ended && !matches!(understand(&text), Typed::Say(_)) => Some(&*text),
                line => line,
            };
            let is_said =
                |line: &str| matches!(understand(line), Typed::Say(_)) && !is_for_one(line);
            match line.filter(|_| arrived.is_typed) {
                Some(line) if arrived.is_behind_rest && has_commands && is_said(line) => {
                    self.answer(BEHIND_ASIDE);
                }
                Some(line) if goes_on && is_said(line) => self.waiting.push(&arrived.text),
                Some(line) if matches!(text, Cow::Borrowed(_)) => {
                    self.understand(line, peers, transfer, admission, now);
                }
                Some(line) => self.understand_garbled(line, &arrived.text, is_for_one(line)),
                None if arrived.is_behind_rest && has_commands => {
                    self.answer(BEHIND_ASIDE);
                    let behind = memchr::memchr(b'\n', &arrived.text).map(|lf| lf + 1);
                    let behind = &arrived.text[behind.unwrap_or(arrived.text.len())..];
                    self.say_bulk(behind, peers, now);
                }
                None if arrived.is_aside && has_commands => {
                    self.tell_not_said(&text, peers, now);
                }
                None => self.say_bulk(&arrived.text, peers, now),
            }
            self.tell_waiting(peers, transfer);
        }
    }

    /// Takes a line whose bytes are no letters (a terminal that is not of UTF-8, half a letter that
    /// was erased): it is said as it came; but if it looks like a command, it is neither obeyed,
    /// since it may have meant another one, nor said; nor is it if it is for one alone.
    fn understand_garbled(&mut self, line: &str, bytes: &[u8], is_for_one: bool) {
        match understand_garbled(line) {
            Typed::Say(_) if is_for_one && self.manner.has_commands => {
                self.answer(&why_for_one(line));
            }
            Typed::Do(_) if self.manner.has_commands => self.answer(GARBLED),
            Typed::Explain(why) if self.manner.has_commands => self.answer(&why),
            _ => self.waiting.push(bytes),
        }
    }

    /// Lets lines wait to be said that came at once, whole or not.
    fn say_bulk<S: Stream>(&mut self, bytes: &[u8], peers: &Peers<S, D>, now: Instant) {
        let mut is_first = true;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let text = String::from_utf8_lossy(line);
            let text = text.trim_end();
            if self.is_pasted_text(text, peers, now) {
                self.waiting.push(line);
            } else if is_first {
                // The others may be for the same one, also what comes directly behind them.
                self.cooked.was_for_one();
                if line.len() < bytes.len() {
                    self.tell_aside(now);
                }
                return;
            }
            is_first &= !is_seen(text);
        }
    }

    /// What is pasted in the edit line with a line for one alone, or directly behind it, belongs to that.
    fn was_for_one(&mut self) {
        if let Some(console) = self.console_mut() {
            console.editor().was_for_one();
        }
    }

    /// Tells that nothing is said of a text that came at once, and of its first line why, if that is for one alone.
    fn tell_not_said<S: Stream>(&mut self, text: &str, peers: &Peers<S, D>, now: Instant) {
        let mut lines = text.lines().filter(|line| is_seen(line));
        let first = lines.next().unwrap_or_default().trim_end();
        let is_for_one = is_for_one(first, peers, now);
        if is_for_one {
            self.answer(&why_not_pasted(first));
        }
        if !is_for_one || lines.next().is_some() {
            self.tell_aside(now);
        }
    }

    /// Tells that nothing is said of a paste.
    fn tell_aside(&mut self, now: Instant) {
        if is_due(&mut self.told_aside, now) {
            self.answer(ASIDE);
        }
    }

    /// Whether a line that was pasted is to be said. If it would have been a command, the operator is told what
    /// becomes of it: of a private one each time, since that is lost.
    fn is_pasted_text<S: Stream>(&mut self, line: &str, peers: &Peers<S, D>, now: Instant) -> bool {
        if !self.manner.has_commands {
            return true;
        }
        if is_for_one(line, peers, now) {
            self.answer(&why_not_pasted(line));
            return false;
        }
        if let Some(name) = command_named(line)
            && is_due(&mut self.told_pasted, now)
        {
            self.answer(&format!(
                "/{name} was pasted, or typed too fast: it is said, and not obeyed"
            ));
        }
        true
    }

    /// Whether what is pressed at a console is read now, or will be when there is a key.
    pub(in crate::hub) fn reads_keys(&self) -> bool {
        self.state == State::Open && !self.waiting.is_full()
    }

    /// Takes note of which keys were pressed. Anything but another Ctrl-D says that the first was a
    /// mistake.
    fn note_keys(&mut self, keys: Keys) -> Heard {
        match keys {
            Keys::Pressed => {
                let pressed = self.console().map_or(&[][..], Console::keys);
                self.asked_to_end &= pressed.iter().all(|&key| key == CTRL_D);
                Heard::Keys
            }
            Keys::None => Heard::Nothing,
            Keys::End => {
                self.state = State::Ended;
                Heard::Nothing
            }
        }
    }

    fn take_keys<S: Stream>(
        &mut self,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        admission: &mut Admission,
        now: Instant,
    ) {
        // Behind the end there is nothing.
        while self.state == State::Open
            && let Some(event) = self.console_mut().and_then(Console::next_event)
        {
            self.act(event, peers, transfer, admission, now);
        }
        self.tell_waiting(peers, transfer);
    }

    fn act<S: Stream>(
        &mut self,
        event: Event,
        peers: &mut Peers<S, D>,
        transfer: &Transfer,
        admission: &mut Admission,
        now: Instant,
    ) {
        match event {
            Event::Line(line) => {
                self.show_typed(&line);
                if self.manner.has_commands && is_for_one(&line, peers, now) {
                    self.was_for_one();
                }
                self.understand(&line, peers, transfer, admission, now);
            }
            Event::BehindEscape(line) => {
                self.show_typed(&line);
                let is_for_one = |line: &str| is_for_one(line, peers, now);
                if self.manner.has_commands
                    && (is_for_one(&line) || is_for_one(&behind_escape(&line)))
                {
                    self.was_for_one();
                }
                match why_no_words(&line) {
                    Some(why) if self.manner.has_commands => self.answer(&why),
                    _ => self.understand(&line, peers, transfer, admission, now),
                }
            }
            Event::Pasted(line) => {
                self.show_typed(&line);
                match self.is_pasted_text(&line, peers, now) {
                    true => self.say(&line),
                    false => self.was_for_one(),
                }
            }
            Event::Aside(line) => {
                self.show_typed(&line);
                self.tell_aside(now);
            }
            Event::Complete => self.complete(peers),
            Event::End => self.ask_to_end(peers, transfer),
            Event::Redraw | Event::Full | Event::Interrupt | Event::Suspend => {}
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
        admission: &mut Admission,
        now: Instant,
    ) {
        if !self.manner.has_commands {
            return self.say(line);
        }
        match understand(line) {
            Typed::Say(_) if is_for_one(line, peers, now) => self.answer(&why_for_one(line)),
            Typed::Say(text) => self.say(text),
            Typed::Do(command) => {
                // Lines that were typed before it come before it, if they may be said now: it does not wait.
                self.say_waiting(peers, transfer, now);
                self.obey(command, peers, admission, now);
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
        self.answer(&match peers.other_hubs() {
            _ if is_waiting => format!(
                "{}: {waiting} for the others to join",
                transfer.here(peers, &[])
            ),
            None => format!("nobody is here yet: {waiting} for the first to join"),
            // What is said to a class waits for nobody.
            Some(0) => String::from(
                "nobody is here, and no other hub is there: only --history brings that to who comes",
            ),
            Some(_) => return,
        });
    }
}

/// What was typed as text: what is no UTF-8 as U+FFFD, but for the 8-bit controls, with which the keys of some
/// terminals begin (ECMA-48, 5.3).
fn typed_text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|&byte| match byte {
            0x80..=0x9f => char::from(byte),
            _ => char::REPLACEMENT_CHARACTER,
        }));
    }
    text.into()
}

/// Whether something is to be told that was `told` last then; it counts as told now.
fn is_due(told: &mut Option<Instant>, now: Instant) -> bool {
    let is_due = told.is_none_or(|last| now >= last + ONE_PASTE);
    if is_due {
        *told = Some(now);
    }
    is_due
}

/// Whether a line looks like a private one: like a `/msg`, or by the name or the number of a
/// member that is here.
fn is_for_one<S: Stream, D: Device>(line: &str, peers: &Peers<S, D>, now: Instant) -> bool {
    let is_anybody = |whom: Whom<'_>| peers.room.is_anybody(whom, Asking::Operator, now);
    is_private(line) || is_for_member(line, is_anybody)
}

/// Why a pasted line that is for one alone is neither obeyed nor said.
fn why_not_pasted(line: &str) -> Cow<'static, str> {
    match is_private(line) {
        true => NOT_SAID.into(),
        // Typed it is not said, either.
        false => why_for_one(line).into(),
    }
}

/// A line as it is if an Esc before it came late and was the beginning of a key.
fn behind_escape(line: &str) -> String {
    format!("\x1b{line}")
}

/// Why a line that came late behind an Esc is not said: with that before it, it begins with a key, and a command follows.
fn why_no_words(line: &str) -> Option<String> {
    let is_said = !line.starts_with('/') && matches!(understand(line), Typed::Say(_));
    match understand(&behind_escape(line)) {
        Typed::Explain(why) if is_said => Some(why),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As xterm sends them with 8-bit controls.
    #[test]
    fn keys_of_eight_bits_hide_no_command() {
        let is_said = |bytes: &[u8]| {
            let text = typed_text(bytes);
            matches!(text, Cow::Owned(_)) && matches!(understand_garbled(&text), Typed::Say(_))
        };
        for bytes in [
            &b"\x9b3~/kick 9 x"[..],
            b"\x9b3~ msg 1 psst",
            b"\x9b3msg 1 psst",
            b"\x9bD/kick 9 x",
            b"\x9bD msg 1 psst",
            b"\x8fP/kick 9 x",
            b"\x8fP msg 1 psst",
            b"\xff/kick 9 x",
        ] {
            assert!(!is_said(bytes), "{}", bytes.escape_ascii());
        }
        for bytes in [&b"\x93hello\x94"[..], b"\x9bDhello", b"caf\xe9", b"x\x9bDy"] {
            assert!(is_said(bytes), "{}", bytes.escape_ascii());
        }
    }
}
