//! The protocol of NATS as a client has it: what a server sends is taken apart, and what a client sends is
//! put together.
//!
//! ```text
//!   INFO {"server_id":…}                         MSG subject sid [reply] bytes
//!   PING   PONG   +OK   -ERR 'why'               HMSG subject sid [reply] header-bytes all-bytes
//! ```
//!
//! It promises: of a message that is longer than [`MAX_MESSAGE`] the beginning is given and the
//! rest is dropped as it comes, so what is held is bounded, whatever is published; only what a
//! *server* must not send is refused, since a publisher could otherwise cut off every hub that
//! reads. Nothing panics.

use std::io::Write;
use std::ops::Range;
use std::str;

use memchr::memchr;

/// The longest message that is given whole, headers included. The longest of another hub is shorter.
pub const MAX_MESSAGE: usize = 256 * 1024;

/// So much is given of one that is longer.
const KEPT: usize = 2 * 1024;

/// The longest line of the protocol: INFO may name many servers.
const MAX_LINE: usize = 64 * 1024;

/// The longest payload that a server can be told to take.
const MAX_PAYLOAD: usize = 64 * 1024 * 1024;

/// What a server sends.
#[derive(Debug, PartialEq, Eq)]
pub enum Op<'a> {
    /// What it is, as JSON.
    Info(&'a [u8]),
    /// Something that was published.
    Message(Message<'a>),
    /// It took what was sent.
    Ok,
    /// It did not, and why.
    Error(&'a [u8]),
    /// Are you there?
    Ping,
    /// I am.
    Pong,
}

/// What was published. All of it is the publisher's, the subject too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// To what.
    pub subject: &'a [u8],
    /// For which subscription of ours.
    pub sid: u64,
    /// Where an answer is waited for.
    pub reply: &'a [u8],
    /// With the line that they begin with, or empty.
    pub headers: &'a [u8],
    /// The bytes.
    pub payload: &'a [u8],
    /// It was too long, and only its beginning is here.
    pub is_cut: bool,
}

impl<'a> Message<'a> {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut lines = self.headers.split(|&byte| byte == b'\n').skip(1);
        lines.find_map(|line| {
            let colon = memchr(b':', line)?;
            let (found, value) = (&line[..colon], &line[colon + 1..]);
            let is_it = found.eq_ignore_ascii_case(name.as_bytes());
            is_it.then(|| str::from_utf8(value.trim_ascii()).ok())?
        })
    }

    /// What the server says in place of a message, such as 503: no responders.
    pub fn status(&self) -> Option<u16> {
        let line = self.headers.strip_prefix(b"NATS/1.0 ")?;
        let digits = line.get(..3)?;
        str::from_utf8(digits).ok()?.parse().ok()
    }
}

/// What a server must not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation(pub &'static str);

/// What a server sends, taken apart. See the module's documentation.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Up to here it was given out.
    at: usize,
    /// So much of the line that begins there has no end.
    searched: usize,
    /// So much of a message that was too long is still to come.
    skip: usize,
}

/// Where in the buffer the parts of a message are.
struct Found {
    line: Range<usize>,
    kind: Kind,
}

enum Kind {
    Line,
    Message {
        headers: Range<usize>,
        payload: Range<usize>,
        is_cut: bool,
    },
}

impl Reader {
    /// Takes what came.
    pub fn feed(&mut self, bytes: &[u8]) {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(&bytes[skipped..]);
    }

    /// Whether something came that was not given out.
    pub fn has_rest(&self) -> bool {
        self.at < self.buffer.len()
    }

    /// The next of what came. None: more has to come first.
    ///
    /// # Errors
    /// No server of NATS says that. Nothing more is to be read.
    pub fn read(&mut self) -> Result<Option<Op<'_>>, Violation> {
        let Some(found) = self.find()? else {
            return Ok(None);
        };
        let line = &self.buffer[found.line];
        if let Kind::Message {
            headers,
            payload,
            is_cut,
        } = found.kind
        {
            let head = Head::parse(line).ok_or(BAD_MESSAGE)?;
            return Ok(Some(Op::Message(Message {
                subject: head.subject,
                sid: head.sid,
                reply: head.reply,
                headers: &self.buffer[headers],
                payload: &self.buffer[payload],
                is_cut,
            })));
        }
        let (word, rest) = split_word(line);
        let op = match () {
            () if is(word, "INFO") => Op::Info(rest),
            () if is(word, "PING") => Op::Ping,
            () if is(word, "PONG") => Op::Pong,
            () if is(word, "+OK") => Op::Ok,
            () if is(word, "-ERR") => Op::Error(rest),
            () => return Err(Violation("it does not speak NATS")),
        };
        Ok(Some(op))
    }

    fn find(&mut self) -> Result<Option<Found>, Violation> {
        let rest = &self.buffer[self.at..];
        let Some(end) = memchr(b'\n', &rest[self.searched..]) else {
            self.searched = rest.len();
            return match rest.len() > MAX_LINE {
                true => Err(Violation("it sent a line that does not end")),
                false => Ok(None),
            };
        };
        let after = self.at + self.searched + end + 1;
        let line = self.at..after;
        let text = self.buffer[line.clone()].trim_ascii_end();
        let Some(head) = Head::of(text)? else {
            (self.at, self.searched) = (after, 0);
            let line = line.start..line.start + text.len();
            let kind = Kind::Line;
            return Ok(Some(Found { line, kind }));
        };
        let line = line.start..line.start + text.len();
        // The two bytes that end the payload are no part of it.
        let (came, whole) = (self.buffer.len() - after, head.all + 2);
        let is_cut = whole > MAX_MESSAGE;
        let needed = if is_cut { KEPT } else { whole };
        if came < needed {
            // The line was found: it is found again at once.
            self.searched = line.len();
            return Ok(None);
        }
        let kept = match is_cut {
            true => {
                let taken = came.min(whole);
                self.skip = whole - taken;
                self.at = after + taken;
                KEPT
            }
            false => {
                if !self.buffer[after + head.all..].starts_with(b"\r\n") {
                    return Err(BAD_MESSAGE);
                }
                self.at = after + whole;
                head.all
            }
        };
        self.searched = 0;
        let middle = after + head.headers.min(kept);
        let kind = Kind::Message {
            headers: after..middle,
            payload: middle..after + kept,
            is_cut,
        };
        Ok(Some(Found { line, kind }))
    }
}

const BAD_MESSAGE: Violation = Violation("it sent a message that is none");

/// The line before a message.
struct Head<'a> {
    subject: &'a [u8],
    sid: u64,
    reply: &'a [u8],
    headers: usize,
    /// Headers and payload.
    all: usize,
}

impl<'a> Head<'a> {
    /// None: it is another line.
    fn of(line: &[u8]) -> Result<Option<Head<'_>>, Violation> {
        let (word, _) = split_word(line);
        match is(word, "MSG") || is(word, "HMSG") {
            true => Head::parse(line).map(Some).ok_or(BAD_MESSAGE),
            false => Ok(None),
        }
    }

    fn parse(line: &'a [u8]) -> Option<Head<'a>> {
        let mut words = [&[][..]; 6];
        let mut count = 0;
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        for word in line.split(blank).filter(|word| !word.is_empty()) {
            *words.get_mut(count)? = word;
            count += 1;
        }
        let has_headers = is(words[0], "HMSG");
        let lengths = if has_headers { 2 } else { 1 };
        let reply = match count.checked_sub(lengths)? {
            3 => &[][..],
            4 => words[3],
            _ => return None,
        };
        let all = length(words[count - 1])?;
        let headers = match has_headers {
            true => length(words[count - 2])?,
            false => 0,
        };
        let head = Head {
            subject: words[1],
            sid: number(words[2])?,
            reply,
            headers,
            all,
        };
        (headers <= all).then_some(head)
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits)
        .ok()?
        .parse()
        .ok()
        .filter(|_| is_number)
}

fn length(digits: &[u8]) -> Option<usize> {
    let length = usize::try_from(number(digits)?).ok()?;
    (length <= MAX_PAYLOAD).then_some(length)
}

fn is(word: &[u8], known: &str) -> bool {
    word.eq_ignore_ascii_case(known.as_bytes())
}

/// The first word, and what follows it.
fn split_word(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    let (word, rest) = line.split_at(end.unwrap_or(line.len()));
    (word, rest.trim_ascii())
}

/// Are you there?
pub const PING: &[u8] = b"PING\r\n";

/// I am.
pub const PONG: &[u8] = b"PONG\r\n";

/// Appends who we are, which is JSON.
pub fn push_connect(json: &str, out: &mut Vec<u8>) {
    push(out, format_args!("CONNECT {json}\r\n"));
}

/// Appends a subscription.
pub fn push_subscription(subject: &str, sid: u64, out: &mut Vec<u8>) {
    push(out, format_args!("SUB {subject} {sid}\r\n"));
}

/// Appends something to be published, with headers (each with its line feed) or without, and where an answer
/// is waited for or nowhere.
pub fn push_message(subject: &str, reply: &str, headers: &str, payload: &[u8], out: &mut Vec<u8>) {
    let blank = if reply.is_empty() { "" } else { " " };
    let count = payload.len();
    if headers.is_empty() {
        push(out, format_args!("PUB {subject}{blank}{reply} {count}\r\n"));
    } else {
        let before = "NATS/1.0\r\n".len() + headers.len() + 2;
        let all = before + count;
        push(
            out,
            format_args!(
                "HPUB {subject}{blank}{reply} {before} {all}\r\nNATS/1.0\r\n{headers}\r\n"
            ),
        );
    }
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes everything");
}

#[cfg(test)]
mod tests;
