//! Keys: what a keyboard sends, bytes cut anywhere, as keys.
//!
//! It promises: nothing waits for a timer; of an unfinished character or sequence at most
//! [`MAX_HELD`] bytes are held; where the bytes are cut makes no difference, unless the rest [comes
//! late](Keys::late). Only whole sequences are swallowed: a sequence that broke off is typed as
//! text, so that no key is lost to the one before it. In pasted text no sequence is a key. Of what the
//! [kernel edited](Keys::edited) only what is surely a whole key is one: Backspace may have taken the end of
//! another, which is nothing then, and what follows was typed.

use std::borrow::Cow;

use super::key::Key;
use super::sequence::Sequence;
use super::sequence::is_surely_whole;
use super::sequence::sequence;
use crate::engine::lookalike::PRIVATE;
use crate::engine::lookalike::begins_message;

/// The most that is held of an unfinished sequence, in bytes.
const MAX_HELD: usize = 4096;

const REPLACEMENT: Key<'_> = Key::Text(Cow::Borrowed("\u{FFFD}"));
const PASTE_BEGINS: &[u8] = b"[200~";

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// After Ctrl-V.
    Literal,
    /// After Ctrl-V and Esc, which may be the beginning of a paste.
    LiteralEscape,
    /// After an Esc.
    Escape,
    Csi,
    /// The Linux console's function keys, `ESC [ [ A`.
    ConsoleFunction,
    /// What a mouse did, `ESC [ M` and three bytes (xterm's control sequences, "Normal tracking mode").
    Mouse,
    Ss3,
    /// The keypad of a VT52, `ESC ? j`.
    Vt52,
    /// A terminal's answer, up to BEL or `ESC \` (ECMA-48, 5.6: control strings).
    Answer,
    AnswerEscape,
}

/// Whether the kernel edited what comes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Edited {
    #[default]
    No,
    Yes,
    /// Only the beginning of the sequence that is held.
    Held,
}

/// The parser. See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Keys {
    state: State,
    /// An unfinished character ([`State::Ground`]), or what followed the Esc.
    held: Vec<u8>,
    /// The rest of what is held came late.
    is_late: bool,
    /// What followed an Esc was taken for text since it came late.
    broke_late: bool,
    pasting: bool,
    edited: Edited,
    /// The last key was a carriage return, so that a line feed behind it is the same end of a line.
    after_cr: bool,
    /// What Ctrl-C and Ctrl-Z send, where they are keys and no signals.
    interrupt: Option<u8>,
    suspend: Option<u8>,
}

impl Keys {
    /// The same with nothing held.
    pub(super) fn fresh(&self) -> Keys {
        Keys {
            interrupt: self.interrupt,
            suspend: self.suspend,
            edited: match self.edited {
                Edited::Yes => Edited::Yes,
                Edited::Held | Edited::No => Edited::No,
            },
            ..Keys::default()
        }
    }

    /// What interrupts, and what suspends, from now on: control characters.
    pub(super) fn set_signals(&mut self, interrupt: Option<u8>, suspend: Option<u8>) {
        self.interrupt = interrupt.filter(u8::is_ascii_control);
        self.suspend = suspend.filter(u8::is_ascii_control);
    }

    /// The next bytes do not complete a key that is held.
    pub(super) fn pause(&mut self) {
        self.after_cr &= self.pasting;
    }

    /// The next bytes come so late that they do not complete a key: an Esc that waits was pressed
    /// alone, and an opening bracket behind it with Alt. Only the marks of a paste are still
    /// recognized, since pasted text must not be taken for typed.
    pub(super) fn late(&mut self) {
        self.is_late = self.is_inside() && !self.pasting;
    }

    /// The kernel edited the next bytes, a byte at a time where Backspace was pressed; or it did not.
    pub(super) fn edited(&mut self, is_edited: bool) {
        self.edited = match (is_edited, self.edited) {
            (true, _) => Edited::Yes,
            (false, Edited::Yes | Edited::Held) if self.is_inside() => Edited::Held,
            (false, _) => Edited::No,
        };
    }

    /// Whether what was behind an Esc came late, and was taken for text, since that was last asked.
    pub(super) fn take_broke_late(&mut self) -> bool {
        std::mem::take(&mut self.broke_late)
    }

    /// Whether a sequence has begun.
    fn is_inside(&self) -> bool {
        !matches!(
            self.state,
            State::Ground | State::Literal | State::LiteralEscape
        )
    }

    /// Whether what comes is part of a paste.
    pub(super) fn is_pasting(&self) -> bool {
        self.pasting
    }

    /// Takes bytes off the front of `input` until they make a key; `None` when all are taken.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Key<'a>> {
        while let Some(&byte) = input.first() {
            let key = match self.state {
                _ if self.is_late => self.behind_late_escape(byte, input),
                _ if self.edited != Edited::No && !self.goes_on(input) => self.erased(input),
                State::Ground => self.ground(input),
                State::Literal => self.literal(byte, input),
                State::LiteralEscape => self.literal_escape(byte, input),
                State::Escape => self.escape(byte, input),
                State::Csi => self.csi(byte, input),
                State::ConsoleFunction if matches!(byte, b'A'..=b'E') => self.swallow(input),
                State::ConsoleFunction => self.break_off(),
                State::Mouse => self.mouse(byte, input),
                State::Ss3 => self.ss3(byte, input),
                State::Vt52 => self.vt52(byte, input),
                State::Answer => self.answer(byte, input),
                State::AnswerEscape => self.answer_escape(byte, input),
            };
            match key {
                // A key in a paste is none.
                Some(
                    Key::Text(_) | Key::Enter | Key::PasteEnd | Key::BreakPaste | Key::Suspend,
                ) => return key,
                Some(_) if self.pasting => {}
                Some(_) => return key,
                None => {}
            }
        }
        if self.state == State::LiteralEscape && self.held.is_empty() {
            return self.settle(Some(Key::Text("\x1b".into())));
        }
        None
    }

    /// Whether a sequence that the kernel may have edited goes on with what follows: not if that was surely typed
    /// behind the part of a key.
    fn goes_on(&self, input: &[u8]) -> bool {
        if self.pasting {
            return true;
        }
        let Some((&byte, behind)) = input.split_first() else {
            return true;
        };
        // A `/msg` or the slip of one begins with a sign or without.
        let is_message = || {
            let is_sign = !byte.is_ascii_alphanumeric();
            is_message_at(input) || (is_sign && is_message_at(behind))
        };
        match self.state {
            State::Escape => {
                matches!(
                    byte,
                    b'[' | b'O' | b']' | b'P' | b'_' | b'^' | b'X' | b'b' | b'd' | b'f'
                ) || byte.is_ascii_control()
            }
            State::Csi => {
                // These may belong to a key, and be typed: a final byte decides.
                let is_parameter = matches!(byte, b'0'..=b'9' | b';' | b':')
                    || (self.held == b"[" && matches!(byte, b'<'..=b'?' | b'['));
                // A tilde is no slip of a slash, and ends keys and the marks of a paste.
                let may_be_typed = || byte != b'~' && is_message();
                is_parameter || (is_surely_whole(&self.held[1..], byte) && !may_be_typed())
            }
            State::ConsoleFunction => matches!(byte, b'A'..=b'E'),
            State::Mouse => !is_message() && byte != b'/',
            State::Ss3 => matches!(byte, b'A'..=b'D' | b'F' | b'H' | b'P'..=b'S'),
            State::Vt52 => false,
            State::Ground
            | State::Literal
            | State::LiteralEscape
            | State::Answer
            | State::AnswerEscape => true,
        }
    }

    /// What is held is a part of a key, and nothing; but what stands directly before a `msg` may be the slip of a slash.
    fn erased(&mut self, input: &[u8]) -> Option<Key<'static>> {
        let sign = self.held.last().filter(|_| is_message_at(input));
        let sign = sign.map(|&sign| Key::Text(char::from(sign).to_string().into()));
        self.settle(sign)
    }

    fn ground<'a>(&mut self, input: &mut &'a [u8]) -> Option<Key<'a>> {
        let after_cr = std::mem::take(&mut self.after_cr);
        let run = input.iter().position(u8::is_ascii_control);
        let run = run.unwrap_or(input.len());
        if !self.held.is_empty() {
            return self.rest_of_char(run > 0, input);
        }
        if run > 0 {
            return self.text(run, input);
        }
        let byte = take(input);
        if self.interrupt == Some(byte) && !self.pasting {
            return Some(Key::Interrupt);
        }
        // Pressed, and not pasted: nothing is behind it.
        if self.suspend == Some(byte) && (!self.pasting || input.is_empty()) {
            return Some(Key::Suspend);
        }
        if self.pasting {
            return match byte {
                // Pressed, and not pasted: nothing is behind it.
                _ if self.interrupt == Some(byte) && input.is_empty() => {
                    self.pasting = false;
                    Some(Key::BreakPaste)
                }
                b'\n' if after_cr => None,
                // What ends a line, or a page, in another program, too: the words around it are not to become one.
                b'\n' | 0x0b | 0x0c => Some(Key::Enter),
                b'\r' => {
                    self.after_cr = true;
                    Some(Key::Enter)
                }
                b'\t' => Some(Key::Text("\t".into())),
                0x1b => self.go(State::Escape),
                _ => None,
            };
        }
        Some(match byte {
            0x01 => Key::Home,
            0x02 => Key::Left,
            0x04 => Key::DeleteOrEnd,
            0x05 => Key::End,
            0x06 => Key::Right,
            0x08 | 0x7f => Key::Backspace,
            b'\t' => Key::Tab,
            b'\n' if after_cr => return None,
            b'\n' => Key::Enter,
            b'\r' => {
                self.after_cr = true;
                Key::Enter
            }
            0x0b => Key::KillEnd,
            0x0c => Key::Redraw,
            0x0e => Key::Down,
            0x10 => Key::Up,
            0x14 => Key::Transpose,
            0x15 => Key::KillStart,
            0x16 => return self.go(State::Literal),
            0x17 => Key::KillField,
            0x19 => Key::Yank,
            0x1b => return self.go(State::Escape),
            _ => return None,
        })
    }

    /// The first `len` bytes of the input, none of them a control character.
    fn text<'a>(&mut self, len: usize, input: &mut &'a [u8]) -> Option<Key<'a>> {
        let (run, rest) = input.split_at(len);
        let (valid, invalid) = match run.utf8_chunks().next() {
            Some(chunk) => (chunk.valid(), chunk.invalid()),
            None => return None,
        };
        if !valid.is_empty() {
            *input = &input[valid.len()..];
            return Some(Key::Text(valid.into()));
        }
        let unfinished = invalid.len() == len
            && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
        if unfinished {
            self.held.extend_from_slice(invalid);
            *input = rest;
            return None;
        }
        *input = &input[invalid.len()..];
        Some(REPLACEMENT)
    }

    /// One more byte of a character whose beginning is held.
    fn rest_of_char<'a>(&mut self, more: bool, input: &mut &'a [u8]) -> Option<Key<'a>> {
        if !more {
            return self.settle(Some(REPLACEMENT));
        }
        self.held.push(input[0]);
        match std::str::from_utf8(&self.held) {
            Ok(char) => {
                let char = char.to_owned();
                take(input);
                self.settle(Some(Key::Text(char.into())))
            }
            Err(error) if error.error_len().is_none() => {
                take(input);
                None
            }
            // The byte is no part of it and stays for what it begins itself.
            Err(_) => self.settle(Some(REPLACEMENT)),
        }
    }

    fn literal<'a>(&mut self, byte: u8, input: &mut &'a [u8]) -> Option<Key<'a>> {
        if byte == 0x1b {
            take(input);
            return self.go(State::LiteralEscape);
        }
        if !byte.is_ascii_control() {
            return self.settle(None);
        }
        take(input);
        // A line has no line feed in it, and a carriage return is what one wants to quote.
        let byte = if byte == b'\n' { b'\r' } else { byte };
        self.settle(Some(Key::Text(char::from(byte).to_string().into())))
    }

    fn literal_escape<'a>(&mut self, byte: u8, input: &mut &'a [u8]) -> Option<Key<'a>> {
        if PASTE_BEGINS[self.held.len()] != byte {
            let text = format!("\x1b{}", String::from_utf8_lossy(&self.held));
            return self.settle(Some(Key::Text(text.into())));
        }
        self.hold(State::LiteralEscape, input);
        if self.held == PASTE_BEGINS {
            self.pasting = true;
            return self.settle(None);
        }
        None
    }

    /// A byte behind an Esc that was pressed alone, or what was held behind it.
    fn behind_late_escape<'a>(&mut self, byte: u8, input: &mut &'a [u8]) -> Option<Key<'a>> {
        if PASTE_BEGINS.starts_with(&self.held) && PASTE_BEGINS[self.held.len()] == byte {
            self.hold(State::Csi, input);
            self.pasting = self.held == PASTE_BEGINS;
            return match self.pasting {
                true => self.settle(None),
                false => None,
            };
        }
        self.broke_late = true;
        match self.held.is_empty() {
            true => self.settle(None),
            false => self.break_off(),
        }
    }

    fn escape<'a>(&mut self, byte: u8, input: &mut &'a [u8]) -> Option<Key<'a>> {
        let key = match byte {
            b'[' => return self.hold(State::Csi, input),
            b'O' => return self.hold(State::Ss3, input),
            b'?' => return self.hold(State::Vt52, input),
            b']' | b'P' | b'_' | b'^' | b'X' => return self.hold(State::Answer, input),
            0x1b => {
                take(input);
                return None;
            }
            // A letter of what is pasted stays.
            _ if self.pasting => return self.settle(None),
            b'b' => Key::WordLeft,
            b'f' => Key::WordRight,
            b'd' => Key::KillWordRight,
            0x08 | 0x7f => Key::KillWordLeft,
            _ => return self.settle(None),
        };
        take(input);
        self.settle(Some(key))
    }

    fn csi<'a>(&mut self, byte: u8, input: &mut &'a [u8]) -> Option<Key<'a>> {
        let params = &self.held[1..];
        match byte {
            b'[' if params.is_empty() => return self.hold(State::ConsoleFunction, input),
            b'M' if params.is_empty() && !self.pasting => return self.hold(State::Mouse, input),
            // A final byte only in rxvt's Shift-Home and the like.
            b'$' if !params.is_empty() && params.iter().all(u8::is_ascii_digit) => {}
            // In the answer whether a mode is set.
            b'$' if params.starts_with(b"?") => return self.hold(State::Csi, input),
            // No key's sequence has these: what is held was a part of one, or Alt and a bracket, and what follows is
            // typed.
            b' '..=b'/' => return self.break_off(),
            b'0'..=b'?' if self.held.len() < MAX_HELD => {
                return self.hold(State::Csi, input);
            }
            b'@'..=b'~' => {}
            _ => return self.break_off(),
        }
        match sequence(params, byte) {
            Sequence::Key(key) => {
                take(input);
                let is_text = matches!(key, Key::Text(_) | Key::Enter);
                self.settle(Some(key).filter(|_| !(is_text && self.pasting)))
            }
            Sequence::Paste => {
                self.pasting = true;
                self.swallow(input)
            }
            Sequence::PasteEnd if self.pasting => {
                self.pasting = false;
                take(input);
                self.settle(Some(Key::PasteEnd))
            }
            Sequence::PasteEnd | Sequence::Nothing => self.swallow(input),
        }
    }

    /// A byte of what a mouse did: a button and a place, all from the blank on, or NUL for a place that is too far away.
    fn mouse<'a>(&mut self, byte: u8, input: &mut &'a [u8]) -> Option<Key<'a>> {
        match byte {
            1..b' ' => self.break_off(),
            _ if self.held.len() < "[M12".len() => self.hold(State::Mouse, input),
            _ => self.swallow(input),
        }
    }

    fn ss3<'a>(&mut self, byte: u8, input: &mut &'a [u8]) -> Option<Key<'a>> {
        let key = match byte {
            b'A' => Some(Key::Up),
            b'B' => Some(Key::Down),
            b'C' => Some(Key::Right),
            b'D' => Some(Key::Left),
            b'F' => Some(Key::End),
            b'H' => Some(Key::Home),
            b'M' => Some(Key::Enter),
            b'P'..=b'S' => None,
            // Ctrl with an arrow in rxvt.
            b'a' | b'b' => None,
            b'c' => Some(Key::WordRight),
            b'd' => Some(Key::WordLeft),
            // The keypad, where a program left it in application mode (xterm's control sequences, VT220
            // style function keys).
            b'j'..=b'y' | b'X' | b' ' => Some(keypad(byte)),
            // With Shift, Alt or Ctrl, as Konsole and others tell it: `ESC O 2 P`.
            b'0'..=b'9' | b';' if self.held.len() < MAX_HELD => {
                return self.hold(State::Ss3, input);
            }
            b'E' | b'G' | b'I' => None,
            _ => return self.break_off(),
        };
        take(input);
        self.settle(key.filter(|_| !self.pasting))
    }

    /// A byte behind `ESC ?`.
    fn vt52<'a>(&mut self, byte: u8, input: &mut &'a [u8]) -> Option<Key<'a>> {
        let key = match byte {
            b'M' => Key::Enter,
            b'j'..=b'y' | b'X' => keypad(byte),
            _ => return self.break_off(),
        };
        take(input);
        self.settle(Some(key).filter(|_| !self.pasting))
    }

    fn answer<'a>(&mut self, byte: u8, input: &mut &'a [u8]) -> Option<Key<'a>> {
        match byte {
            0x07 => self.swallow(input),
            0x1b => {
                take(input);
                self.go(State::AnswerEscape)
            }
            _ if byte.is_ascii_control() || self.held.len() >= MAX_HELD => self.break_off(),
            _ => self.hold(State::Answer, input),
        }
    }

    fn answer_escape<'a>(&mut self, byte: u8, input: &mut &'a [u8]) -> Option<Key<'a>> {
        if byte == b'\\' {
            return self.swallow(input);
        }
        let key = self.break_off();
        self.state = State::Escape;
        key
    }

    /// Goes on in `state` with the next byte held.
    fn hold(&mut self, state: State, input: &mut &[u8]) -> Option<Key<'static>> {
        self.held.push(take(input));
        self.go(state)
    }

    fn go(&mut self, state: State) -> Option<Key<'static>> {
        self.state = state;
        None
    }

    /// The next byte ends a sequence that means nothing here.
    fn swallow(&mut self, input: &mut &[u8]) -> Option<Key<'static>> {
        take(input);
        self.settle(None)
    }

    /// Nothing is held any more.
    fn settle<'a>(&mut self, key: Option<Key<'a>>) -> Option<Key<'a>> {
        self.state = State::Ground;
        self.is_late = false;
        if self.edited == Edited::Held {
            self.edited = Edited::No;
        }
        self.held.clear();
        self.held.shrink_to(32);
        key
    }

    /// The held bytes are no sequence: they are text.
    fn break_off(&mut self) -> Option<Key<'static>> {
        let text = String::from_utf8_lossy(&self.held).into_owned();
        self.settle(Some(Key::Text(text.into())))
    }
}

/// Whether `msg` is there, or what looks like it, of which a letter has four bytes at most.
fn is_message_at(keys: &[u8]) -> bool {
    let head = &keys[..keys.len().min(PRIVATE.len() * 4)];
    begins_message(&String::from_utf8_lossy(head))
}

/// A key of the keypad: what is on it is behind its letter by as much as `*` is behind `j`.
fn keypad(letter: u8) -> Key<'static> {
    let on_it = match letter {
        b'X' => b'=',
        b' ' => b' ',
        letter => letter - (b'j' - b'*'),
    };
    Key::Text(char::from(on_it).to_string().into())
}

fn take(input: &mut &[u8]) -> u8 {
    let (&byte, rest) = input.split_first().expect("a byte was seen");
    *input = rest;
    byte
}
