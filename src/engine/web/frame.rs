//! Frames of WebSocket (RFC 6455, section 5): read from a client, and begun for one.
//!
//! ```text
//!   0x82 0xfe 0x01 0x2c   37 fa 21 3d   … 300 bytes, each with one of those four
//!   │    │    length      mask
//!   │    masked, the length follows
//!   the last of a message, binary
//! ```
//!
//! It promises: bytes are unmasked where they stand, and no more is kept of them than one header, one
//! control frame and what of a letter is not complete; a frame that is not allowed is refused with the
//! code that the RFC has for it as soon as that is known. Nothing panics, whatever comes.

use std::ops::Range;
use std::str;

/// The longest payload of a control frame (section 5.5).
pub const MAX_CONTROL: usize = 125;

/// The longest message that a hub takes, in bytes: as the longest line
/// ([`MAX_LINE`](crate::engine::lines::MAX_LINE)).
pub const MAX_MESSAGE: u64 = 64 * 1024;

/// The longest header of a frame that is masked: two bytes, eight of a length, four of a mask.
const MAX_READ: usize = 14;

/// The longest header of one that is not.
const MAX_WRITTEN: usize = 10;

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
/// The bit of the opcodes of control frames (section 5.5).
const CONTROL: u8 = 0x08;
const MASKED: u8 = 0x80;

/// What a frame is (section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// More of a message.
    Continuation = 0,
    /// The beginning of a message in UTF-8.
    Text = 1,
    /// The beginning of a message of bytes.
    Binary = 2,
    /// No more will come.
    Close = 8,
    /// Are you there?
    Ping = 9,
    /// I am.
    Pong = 10,
}

impl Opcode {
    fn of(bits: u8) -> Option<Opcode> {
        Some(match bits {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return None,
        })
    }

    fn is_control(self) -> bool {
        self as u8 & CONTROL != 0
    }
}

/// Why a connection is closed (section 7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The end of one side, or of the class.
    GoingAway = 1001,
    /// A frame that is not allowed.
    Protocol = 1002,
    /// Text that has to be UTF-8 is not.
    NotUtf8 = 1007,
    /// The hub sends the client away.
    Policy = 1008,
    /// A message that is too long.
    TooLong = 1009,
}

/// A whole frame of a server, or the beginning of one whose payload follows.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    bytes: [u8; MAX_WRITTEN],
    len: u8,
}

impl Header {
    /// That of a message in one frame, or of a control frame, with so many bytes of payload.
    pub fn new(opcode: Opcode, payload: u64) -> Header {
        let mut bytes = [0; MAX_WRITTEN];
        bytes[0] = FINAL | opcode as u8;
        let len = match (u8::try_from(payload), u16::try_from(payload)) {
            (Ok(short @ 0..=125), _) => {
                bytes[1] = short;
                2
            }
            (_, Ok(length)) => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
                4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..].copy_from_slice(&payload.to_be_bytes());
                10
            }
        };
        Header { bytes, len }
    }

    /// As it is on the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Appends a whole frame to `out`.
pub fn push(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(Header::new(opcode, payload.len() as u64).bytes());
    out.extend_from_slice(payload);
}

/// Appends a close frame to `out`, with why if that is said.
pub fn push_close(code: Option<u16>, out: &mut Vec<u8>) {
    let payload = code.map(u16::to_be_bytes);
    let payload = payload.as_ref().map_or(&[][..], |code| code);
    push(Opcode::Close, payload, out);
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Some bytes of a message.
    Piece {
        /// Where they are.
        at: Range<usize>,
        /// It is of bytes, and not of UTF-8.
        is_binary: bool,
        /// It ends with them, which may be none.
        ends: bool,
    },
    /// A ping whose payload is [`Reader::control`].
    Ping,
    /// A pong.
    Pong,
    /// The other side says no more, and why if it says so.
    Close(Option<u16>),
}

/// What is not allowed, and with which code that is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// How it is told to the other side.
    pub code: Code,
    /// How it is told here.
    pub why: &'static str,
}

const fn protocol(why: &'static str) -> Violation {
    Violation {
        code: Code::Protocol,
        why,
    }
}

const NOT_UTF8: Violation = Violation {
    code: Code::NotUtf8,
    why: "it sent text that is not UTF-8",
};

const TOO_LONG: Violation = Violation {
    code: Code::TooLong,
    why: "it sent a message that is too long",
};

/// What a client sends, taken apart. See the module's documentation.
#[derive(Debug, Clone)]
pub struct Reader {
    max_message: u64,
    /// What came of the next header.
    header: [u8; MAX_READ],
    header_len: usize,
    frame: Option<Frame>,
    message: Option<Message>,
    control: [u8; MAX_CONTROL],
    control_len: usize,
    is_over: bool,
}

/// The frame whose payload is being read.
#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: Opcode,
    is_final: bool,
    left: u64,
    mask: [u8; 4],
}

/// The message that is being read, which other frames may interrupt.
#[derive(Debug, Clone, Copy)]
struct Message {
    is_binary: bool,
    len: u64,
    utf8: Utf8,
}

impl Reader {
    /// For a connection on which nothing was said, and messages of so many bytes at most.
    pub fn new(max_message: u64) -> Reader {
        Reader {
            max_message,
            header: [0; MAX_READ],
            header_len: 0,
            frame: None,
            message: None,
            control: [0; MAX_CONTROL],
            control_len: 0,
            is_over: false,
        }
    }

    /// The payload of the last control frame.
    pub fn control(&self) -> &[u8] {
        &self.control[..self.control_len]
    }

    /// Whether a message has begun and not ended.
    pub fn is_in_message(&self) -> bool {
        self.message.is_some()
    }

    /// How many of these bytes, the next, are of control frames, whole or not, before any of a message and
    /// anything that is not allowed. They are not read, though they are unmasked.
    pub fn count_control(&self, bytes: &mut [u8]) -> usize {
        let mut reader = self.clone();
        let (mut at, mut count) = (0, 0);
        loop {
            match reader.read(bytes, &mut at) {
                Ok(Some(Event::Ping | Event::Pong | Event::Close(_))) => count = at,
                Ok(None) if reader.is_in_control() => return at,
                Ok(None | Some(Event::Piece { .. })) | Err(_) => return count,
            }
        }
    }

    /// Whether a control frame has begun and not ended.
    fn is_in_control(&self) -> bool {
        match self.frame {
            Some(frame) => frame.opcode.is_control(),
            None => self.header_len > 0 && self.header[0] & CONTROL != 0,
        }
    }

    /// Reads on in `bytes` from `at`, which it moves, to the next event. None: all of it was read. After a
    /// close or an error nothing is read any more.
    ///
    /// # Errors
    /// What came is not allowed.
    pub fn read(&mut self, bytes: &mut [u8], at: &mut usize) -> Result<Option<Event>, Violation> {
        loop {
            if self.is_over {
                *at = bytes.len();
                return Ok(None);
            }
            let step = match self.frame {
                None => self.read_header(bytes, at).map(|()| None),
                Some(frame) => self.read_payload(frame, bytes, at),
            };
            match step {
                Err(violation) => {
                    self.is_over = true;
                    return Err(violation);
                }
                Ok(Some(event)) => return Ok(Some(event)),
                // A frame without a payload is read without a byte more.
                Ok(None) if *at == bytes.len() && !self.is_due() => return Ok(None),
                Ok(None) => {}
            }
        }
    }

    /// Whether a frame is whole that was not given out.
    fn is_due(&self) -> bool {
        self.frame.is_some_and(|frame| frame.left == 0)
    }

    fn read_header(&mut self, bytes: &[u8], at: &mut usize) -> Result<(), Violation> {
        while let Some(&byte) = bytes.get(*at) {
            *at += 1;
            self.header[self.header_len] = byte;
            self.header_len += 1;
            let length = match (self.header_len, self.header[1] & !MASKED) {
                (1, _) => {
                    self.check_first(byte)?;
                    continue;
                }
                (2, _) if byte & MASKED == 0 => return Err(protocol("it sent a frame unmasked")),
                (2, 126..) if self.header[0] & CONTROL != 0 => {
                    return Err(protocol("it sent a control frame that is too long"));
                }
                (6, length @ 0..=125) => u64::from(length),
                (8, 126) => number(&self.header[2..4]),
                (14, 127) => number(&self.header[2..10]),
                _ => continue,
            };
            return self.begin(length);
        }
        Ok(())
    }

    fn check_first(&self, byte: u8) -> Result<(), Violation> {
        if byte & RESERVED != 0 {
            return Err(protocol("it set a reserved bit"));
        }
        let Some(opcode) = Opcode::of(byte & 0xf) else {
            return Err(protocol("it sent a frame of a kind that there is not"));
        };
        match opcode {
            _ if opcode.is_control() && byte & FINAL == 0 => {
                Err(protocol("it sent a control frame in pieces"))
            }
            Opcode::Continuation if self.message.is_none() => {
                Err(protocol("it went on with a message that had not begun"))
            }
            Opcode::Text | Opcode::Binary if self.message.is_some() => {
                Err(protocol("it began a message within another"))
            }
            _ => Ok(()),
        }
    }

    /// A header is whole.
    fn begin(&mut self, length: u64) -> Result<(), Violation> {
        let header_len = std::mem::take(&mut self.header_len);
        let shortest = match self.header[1] & !MASKED {
            126 => 126,
            127 => 1 << 16,
            _ => 0,
        };
        if length < shortest || length >> 63 != 0 {
            return Err(protocol("it wrote a length as it must not"));
        }
        let mut mask = [0; 4];
        mask.copy_from_slice(&self.header[header_len - 4..header_len]);
        let Some(opcode) = Opcode::of(self.header[0] & 0xf) else {
            return Err(protocol("it sent a frame of a kind that there is not"));
        };
        match opcode {
            Opcode::Text | Opcode::Binary => {
                self.message = Some(Message {
                    is_binary: opcode == Opcode::Binary,
                    len: 0,
                    utf8: Utf8::default(),
                });
            }
            _ => {}
        }
        if opcode.is_control() {
            self.control_len = 0;
        } else if let Some(message) = &mut self.message {
            message.len = message.len.saturating_add(length);
            if message.len > self.max_message {
                return Err(TOO_LONG);
            }
        }
        self.frame = Some(Frame {
            opcode,
            is_final: self.header[0] & FINAL != 0,
            left: length,
            mask,
        });
        Ok(())
    }

    fn read_payload(
        &mut self,
        mut frame: Frame,
        bytes: &mut [u8],
        at: &mut usize,
    ) -> Result<Option<Event>, Violation> {
        let rest = bytes.len() - *at;
        let count = usize::try_from(frame.left).map_or(rest, |left| rest.min(left));
        let piece = *at..*at + count;
        *at = piece.end;
        unmask(&mut bytes[piece.clone()], &mut frame.mask);
        frame.left -= count as u64;
        let is_whole = frame.left == 0;
        self.frame = (!is_whole).then_some(frame);
        if frame.opcode.is_control() {
            let end = self.control_len + count;
            self.control[self.control_len..end].copy_from_slice(&bytes[piece]);
            self.control_len = end;
            return match is_whole {
                true => self.control_event(frame.opcode).map(Some),
                false => Ok(None),
            };
        }
        let Some(message) = &mut self.message else {
            return Ok(None);
        };
        let (is_binary, ends) = (message.is_binary, is_whole && frame.is_final);
        let is_text = is_binary || message.utf8.goes_on(&bytes[piece.clone()]);
        if !is_text || (ends && !message.utf8.is_whole()) {
            return Err(NOT_UTF8);
        }
        if ends {
            self.message = None;
        }
        Ok((ends || count > 0).then_some(Event::Piece {
            at: piece,
            is_binary,
            ends,
        }))
    }

    fn control_event(&mut self, opcode: Opcode) -> Result<Event, Violation> {
        match opcode {
            Opcode::Ping => return Ok(Event::Ping),
            Opcode::Pong => return Ok(Event::Pong),
            _ => {}
        }
        let code = match self.control() {
            [] => None,
            [_] => return Err(protocol("it closed with half a code")),
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                // Section 7.4, and those that were registered since.
                if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                    return Err(protocol("it closed with a code that must not be sent"));
                }
                if str::from_utf8(reason).is_err() {
                    return Err(NOT_UTF8);
                }
                Some(code)
            }
        };
        self.is_over = true;
        Ok(Event::Close(code))
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte))
}

/// Takes the mask off (section 5.3), and turns it so that it fits what follows.
fn unmask(bytes: &mut [u8], mask: &mut [u8; 4]) {
    let word = u32::from_ne_bytes(*mask);
    let (words, rest) = bytes.as_chunks_mut::<4>();
    for four in words {
        *four = (u32::from_ne_bytes(*four) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(*mask) {
        *byte ^= key;
    }
    mask.rotate_left(rest.len());
}

/// Text that comes in pieces: the beginning of a letter that is not complete.
#[derive(Debug, Default, Clone, Copy)]
struct Utf8 {
    begun: [u8; 4],
    len: usize,
}

impl Utf8 {
    fn is_whole(&self) -> bool {
        self.len == 0
    }

    /// Whether the text may go on with `bytes`.
    fn goes_on(&mut self, mut bytes: &[u8]) -> bool {
        while self.len > 0
            && let Some((&byte, later)) = bytes.split_first()
        {
            bytes = later;
            self.begun[self.len] = byte;
            self.len += 1;
            match str::from_utf8(&self.begun[..self.len]) {
                Ok(_) => self.len = 0,
                // A letter has four bytes at most: here it is not the fourth.
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return false,
            }
        }
        let Err(error) = str::from_utf8(bytes) else {
            return true;
        };
        let begun = &bytes[error.valid_up_to()..];
        if error.error_len().is_some() {
            return false;
        }
        self.begun[..begun.len()].copy_from_slice(begun);
        self.len = begun.len();
        true
    }
}

#[cfg(test)]
mod tests;
