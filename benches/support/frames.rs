//! WebSocket (RFC 6455) as the load speaks it: the upgrade, and what servers put around the payload.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;

/// Opcodes of what is no payload of a stream: text messages, and from there on control frames.
const TEXT: u8 = 1;
const CONTROL: u8 = 8;

/// Asks for an upgrade.
///
/// # Errors
/// What the system says.
pub(crate) fn ask(stream: &mut TcpStream, target: &str) -> io::Result<()> {
    let host = stream.peer_addr()?;
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes())
}

/// Reads the answer to that, and not a byte more.
///
/// # Errors
/// It was refused, or what the system says.
pub(crate) fn answer(stream: &mut TcpStream) -> io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    match head.starts_with(b"HTTP/1.1 101 ") {
        true => Ok(()),
        false => Err(io::Error::other(
            String::from_utf8_lossy(&head).into_owned(),
        )),
    }
}

/// A binary message of a client, with a mask of zeros.
pub(crate) fn masked(payload: &[u8]) -> Vec<u8> {
    let mut frame = head(payload.len() as u64).as_bytes().to_vec();
    frame[1] |= 0x80;
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// The head of a frame.
#[derive(Clone, Copy, Default)]
pub(crate) struct Head {
    bytes: [u8; 10],
    len: u8,
}

impl Head {
    /// Its two, four or ten bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// So many bytes were sent, the first of them its own.
    pub(crate) fn sent(&mut self, count: usize) {
        let count = count.min(self.as_bytes().len());
        self.bytes.copy_within(count.., 0);
        self.len -= count as u8;
    }

    /// How long it is by its first bytes.
    fn wanted(&self) -> u8 {
        match (self.len, self.bytes[1]) {
            (0 | 1, _) => 2,
            (_, 126) => 4,
            (_, 127) => 10,
            _ => 2,
        }
    }

    fn payload(&self) -> u64 {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte));
        match self.len {
            2 => u64::from(self.bytes[1]),
            len => number(&self.bytes[2..usize::from(len)]),
        }
    }
}

/// The head of a binary message that is not masked.
pub(crate) fn head(payload: u64) -> Head {
    let mut bytes = [0; 10];
    bytes[0] = 0x82;
    let len = match payload {
        0..126 => {
            bytes[1] = payload as u8;
            2
        }
        126..0x1_0000 => {
            bytes[1] = 126;
            bytes[2..4].copy_from_slice(&(payload as u16).to_be_bytes());
            4
        }
        _ => {
            bytes[1] = 127;
            bytes[2..].copy_from_slice(&payload.to_be_bytes());
            10
        }
    };
    Head { bytes, len }
}

/// What a server sends: the payload of its binary messages without what is around it.
#[derive(Default)]
pub(crate) struct Frames {
    head: Head,
    /// Bytes of the payload of this frame that have not come.
    left: u64,
}

impl Frames {
    /// Takes some of `bytes` and returns what of these is payload of the stream, if anything.
    pub(crate) fn next<'b>(&mut self, bytes: &mut &'b [u8]) -> &'b [u8] {
        while self.left == 0 {
            let Some((&byte, rest)) = bytes.split_first() else {
                return &[];
            };
            if self.head.len == self.head.wanted() {
                self.head.len = 0;
            }
            self.head.bytes[usize::from(self.head.len)] = byte;
            self.head.len += 1;
            *bytes = rest;
            if self.head.len == self.head.wanted() {
                self.left = self.head.payload();
            }
        }
        let count = bytes
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let (payload, rest) = bytes.split_at(count);
        *bytes = rest;
        self.left -= count as u64;
        match self.head.bytes[0] & 0xf {
            TEXT | CONTROL.. => &[],
            _ => payload,
        }
    }
}
