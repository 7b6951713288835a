//! One that comes from a browser, as that sees it: what it asks for, the frames it sends, and what it makes of what
//! the hub writes. It knows the protocol from docs/WEB.md and RFC 6455, and none of the hub's code.

use std::collections::VecDeque;
use std::time::Instant;

use serde_json::Value;

use super::super::Chance;
use super::super::wire::Wire;

/// What the hub is called.
pub(crate) const HOST: &str = "192.0.2.7:8080";

/// The first bytes of frames, whole messages but for the last.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const FINAL: u8 = 0x80;

/// What it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Join,
    /// Whether it would be let in.
    Probe,
    /// Something that is answered so.
    Wrong(u16),
    /// Browsers connect in advance.
    Nothing,
}

/// What it was told first.
#[derive(Debug, Clone)]
pub(super) struct Hello {
    pub(super) token: String,
    pub(super) at: usize,
    pub(super) heard: usize,
    pub(super) resumed: bool,
    pub(super) missing: bool,
    pub(super) you: u32,
    pub(super) name: Option<String>,
    pub(super) here: usize,
}

/// See the module's documentation.
pub(super) struct Guest {
    pub(super) wire: usize,
    /// When it came.
    pub(super) came: Instant,
    pub(super) want: Want,
    /// With what token, and how many bytes, it asks to go on.
    pub(super) asked: Option<(String, usize)>,
    /// All that the hub wrote to it, and what was understood of it.
    pub(super) raw: Vec<u8>,
    reader: Reader,
    pub(super) hello: Option<Hello>,
    /// It was told that the class is over; the code of the close.
    pub(super) is_over: bool,
    pub(super) close: Option<u16>,
    /// It says nothing but goodbye, and that it is there.
    pub(super) is_quiet: bool,
    /// It said goodbye.
    pub(super) has_closed: bool,
    /// How much it had read when it gave that connection up and asked for another.
    pub(super) gave_up: Option<u64>,
    /// What each byte that it sent, and the hub has not read, is of what it says: a byte, and whether a line feed
    /// is to come behind it.
    meaning: VecDeque<(Option<u8>, bool)>,
    /// How much of its request the hub has not read.
    request: usize,
    pings: Vec<Vec<u8>>,
}

impl Guest {
    /// One whose request is on its way.
    pub(super) fn new(
        id: usize,
        want: Want,
        asked: Option<(String, usize)>,
        wire: &mut Wire,
    ) -> Guest {
        let mut guest = Guest {
            wire: id,
            came: wire.active,
            want,
            asked,
            raw: Vec::new(),
            reader: Reader::default(),
            hello: None,
            is_over: false,
            close: None,
            is_quiet: false,
            has_closed: false,
            gave_up: None,
            meaning: VecDeque::new(),
            request: 0,
            pings: Vec::new(),
        };
        let query = match &guest.asked {
            Some((token, from)) => format!("?epoch={EPOCH}&token={token}&from={from}"),
            None => String::new(),
        };
        let socket = format!("GET /socket{query} HTTP/1.1\r\nHost: {HOST}\r\n");
        let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let request = match want {
            Want::Join => format!("{socket}{upgrade}Origin: http://{HOST}\r\n\r\n"),
            Want::Probe => format!("{socket}\r\n"),
            Want::Wrong(403) => format!("{socket}{upgrade}Origin: http://example.org\r\n\r\n"),
            Want::Wrong(404) => format!("GET /other HTTP/1.1\r\nHost: {HOST}\r\n\r\n"),
            Want::Wrong(_) => String::from("HELLO\r\n\r\n"),
            Want::Nothing => String::new(),
        };
        guest.request = request.len();
        guest.sends(request.as_bytes(), wire);
        guest
    }

    /// Whether the hub knows all of what it asks for, and has answered nothing.
    pub(super) fn is_kept_waiting(&self) -> bool {
        self.want != Want::Nothing && self.request == 0 && self.raw.is_empty()
    }

    /// Sends bytes that say nothing to anybody.
    fn sends(&mut self, bytes: &[u8], wire: &mut Wire) {
        wire.under_way.extend(bytes);
        self.meaning.extend(bytes.iter().map(|_| (None, false)));
    }

    /// The hub has read so many bytes. Returns what is said by them.
    pub(super) fn is_heard(&mut self, count: usize) -> Vec<u8> {
        self.request = self.request.saturating_sub(count);
        let mut text = Vec::new();
        for (byte, then_feeds) in self.meaning.drain(..count) {
            text.extend(byte);
            text.extend(then_feeds.then_some(b'\n'));
        }
        text
    }

    /// Says something in one message of some frames, between which there may be pings.
    pub(super) fn says(&mut self, text: &str, wire: &mut Wire, chance: &mut Chance) {
        // Not all clients leave the line feed to the hub.
        let text = match chance.one_in(4) {
            true => format!("{text}\n"),
            false => text.into(),
        };
        let mut rest = text.as_bytes();
        let mut first = BINARY & !FINAL;
        loop {
            let count = match chance.one_in(3) {
                true => chance.below(rest.len() + 1),
                false => rest.len(),
            };
            let (piece, after) = rest.split_at(count);
            rest = after;
            let is_last = rest.is_empty();
            let opcode = if is_last { first | FINAL } else { first };
            let header = self.frame(opcode, piece, wire, chance);
            debug_assert!(header > 0);
            if is_last {
                if !text.ends_with('\n') {
                    self.meaning.back_mut().expect("a frame").1 = true;
                }
                return;
            }
            if chance.one_in(4) {
                self.pings(wire, chance);
            }
            first = 0;
        }
    }

    pub(super) fn pings(&mut self, wire: &mut Wire, chance: &mut Chance) {
        let payload = vec![b'p'; chance.below(126)];
        self.frame(PING, &payload, wire, chance);
        self.pings.push(payload);
    }

    /// Says goodbye, or answers it.
    pub(super) fn closes(&mut self, wire: &mut Wire, chance: &mut Chance) {
        self.frame(CLOSE, &1001_u16.to_be_bytes(), wire, chance);
        self.has_closed = true;
    }

    /// Whether it said goodbye, and the hub has read every word before.
    pub(super) fn says_only_goodbye(&self) -> bool {
        let is_word = |&(byte, then_feeds): &(Option<u8>, bool)| byte.is_some() || then_feeds;
        self.has_closed && !self.meaning.iter().any(is_word)
    }

    /// Its program or its machine ends: of what is under way only some arrives, and then an end.
    pub(super) fn is_cut(&mut self, wire: &mut Wire, chance: &mut Chance) {
        let lost = chance.below(wire.under_way.len() + 1);
        wire.under_way.truncate(wire.under_way.len() - lost);
        self.meaning.truncate(self.meaning.len() - lost);
        wire.end();
    }

    /// Sends one frame. Returns how long its header is.
    fn frame(&mut self, first: u8, payload: &[u8], wire: &mut Wire, chance: &mut Chance) -> usize {
        let mut header = vec![first];
        match (payload.len(), u16::try_from(payload.len())) {
            (len @ 0..=125, _) => header.push(0x80 | len as u8),
            (_, Ok(len)) => {
                header.push(0xfe);
                header.extend(len.to_be_bytes());
            }
            (len, _) => {
                header.push(0xff);
                header.extend((len as u64).to_be_bytes());
            }
        }
        let mask = (chance.next() as u32).to_be_bytes();
        header.extend(mask);
        let len = header.len();
        self.sends(&header, wire);
        let says = first & 0x0f < 8;
        for (byte, key) in payload.iter().zip(mask.iter().cycle()) {
            wire.under_way.push_back(byte ^ key);
            self.meaning.push_back((says.then_some(*byte), false));
        }
        len
    }

    /// The hub wrote so much. Returns what of it is the text of the class.
    pub(super) fn takes(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.raw.extend(bytes);
        let mut text = Vec::new();
        for told in self.reader.read(bytes) {
            // A ping is answered until the other side closed, too (RFC 6455, 5.5.2).
            assert!(
                self.close.is_none() || matches!(told, Told::Pong(_)),
                "{} is told {told:?} after a close",
                self.wire
            );
            match told {
                Told::Said(bytes) => {
                    assert!(self.hello.is_some() && !self.is_over, "{}", self.wire);
                    text.extend(bytes);
                }
                Told::Aside(json) => self.is_told(&json),
                Told::Pong(payload) => {
                    let is_asked = self.pings.contains(&payload);
                    assert!(is_asked, "{} is answered what it did not ask", self.wire);
                }
                Told::Ping => {}
                Told::Close(code) => self.close = Some(code),
            }
        }
        text
    }

    fn is_told(&mut self, json: &str) {
        let aside: Value = serde_json::from_str(json).expect(json);
        match (aside["type"].as_str(), &self.hello) {
            (Some("hello"), None) => {
                let number = |name: &str| aside[name].as_u64().expect(name) as usize;
                let is = |name: &str| aside[name].as_bool().expect(name);
                let text = |name: &str| aside[name].as_str().map(String::from);
                assert_eq!(text("epoch").as_deref(), Some(EPOCH));
                self.hello = Some(Hello {
                    token: text("token").expect("a token"),
                    at: number("at"),
                    heard: number("heard"),
                    resumed: is("resumed"),
                    missing: is("missing"),
                    you: number("you") as u32,
                    name: text("name"),
                    here: number("here"),
                });
            }
            (Some("over"), Some(_)) => self.is_over = true,
            // Others are to be ignored.
            (Some(_), Some(_)) => {}
            other => panic!("{} is told {other:?}", self.wire),
        }
    }

    /// Whether anything was written to it.
    pub(super) fn is_answered(&self) -> bool {
        !self.raw.is_empty()
    }

    /// The status of its answer.
    pub(super) fn status(&self) -> Option<u16> {
        let head = self.raw.strip_prefix(b"HTTP/1.1 ")?;
        std::str::from_utf8(head.get(..3)?).ok()?.parse().ok()
    }

    /// Whether it knows that it is let in, of so many bytes, and may say something.
    pub(super) fn is_open(&self, bytes: u64) -> bool {
        let is_let_in = self.raw[..bytes as usize]
            .windows(4)
            .any(|four| four == b"\r\n\r\n");
        self.status() == Some(101) && is_let_in && !self.has_closed
    }

    /// Whether the hub closed and waits for an answer to that.
    pub(super) fn is_told_to_close(&self) -> bool {
        self.close.is_some() && !self.has_closed
    }

    /// The token and the number of bytes that it knows when it has read so much.
    pub(super) fn knows(&self, bytes: u64) -> Option<(String, usize)> {
        let hello = self.hello.as_ref()?;
        let (mut is_known, mut from) = (false, hello.at);
        for told in Reader::default().read(&self.raw[..bytes as usize]) {
            match told {
                Told::Said(bytes) => from += bytes.len(),
                Told::Aside(_) => is_known = true,
                _ => {}
            }
        }
        is_known.then(|| (hello.token.clone(), from))
    }
}

/// The epoch of every hub here, which is made of its secret:
/// `printf '\7%.0s' {1..32}; printf '\0%.0s' {1..8}` through `sha256sum`, the first half.
const EPOCH: &str = "7c87c3b8f2da19fe841e74b9bbcbd510";

/// What the hub told.
#[derive(Debug)]
enum Told {
    Said(Vec<u8>),
    Aside(String),
    Ping,
    Pong(Vec<u8>),
    Close(u16),
}

/// Understands what a hub writes, however it is cut.
#[derive(Debug, Default)]
struct Reader {
    /// The head of the answer is over.
    is_open: bool,
    /// What is not a whole header, or not all of a control frame or an aside.
    held: Vec<u8>,
    /// Bytes of a binary frame that are still to come.
    left: usize,
}

impl Reader {
    fn read(&mut self, bytes: &[u8]) -> Vec<Told> {
        self.held.extend(bytes);
        let mut told = Vec::new();
        if !self.is_open {
            let end = self.held.windows(4).position(|four| four == b"\r\n\r\n");
            let Some(end) = end.filter(|_| self.held.starts_with(b"HTTP/1.1 101")) else {
                return told;
            };
            self.is_open = true;
            self.held.drain(..end + 4);
        }
        loop {
            if self.left > 0 && !self.held.is_empty() {
                let count = self.left.min(self.held.len());
                self.left -= count;
                told.push(Told::Said(self.held.drain(..count).collect()));
            }
            let [first, length, rest @ ..] = &self.held[..] else {
                return told;
            };
            if self.left > 0 {
                return told;
            }
            let size = match length {
                126 => 2,
                127 => 8,
                _ => 0,
            };
            if rest.len() < size {
                return told;
            }
            let (number, payload) = rest.split_at(size);
            let len = match size {
                0 => usize::from(*length),
                _ => number
                    .iter()
                    .fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
            };
            let (first, start) = (*first, 2 + size);
            if first == BINARY {
                self.held.drain(..start);
                self.left = len;
                continue;
            }
            if payload.len() < len {
                return told;
            }
            let payload = payload[..len].to_vec();
            self.held.drain(..start + len);
            told.push(match first {
                TEXT => Told::Aside(String::from_utf8(payload).expect("an aside is text")),
                PING => Told::Ping,
                PONG => Told::Pong(payload),
                CLOSE => Told::Close(u16::from_be_bytes([payload[0], payload[1]])),
                other => panic!("a frame begins with {other:x}"),
            });
        }
    }
}
