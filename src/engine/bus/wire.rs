//! What is to be sent to the server, and the requests to it that are answered.
//!
//! ```text
//!   PUB $JS.API.STREAM.INFO.MUXNC_class  _INBOX.rAnd0m.stream.17  0
//!                                        │             what   which of them
//! ```
//!
//! It promises: an answer that comes late, to a request that was given up, is known as such by its number.

use std::str;

use crate::engine::bus::codec;

/// The subscription of the answers.
pub(super) const ANSWERS: u64 = 1;

/// The subscription of a class without a stream.
pub(super) const CLASS: u64 = 2;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// What the stream is.
    Stream,
    /// To make it.
    Make,
    /// The last message of our own name.
    Last,
    /// To make a consumer.
    Consumer,
    /// For messages.
    Pull,
    /// To take a message.
    Publish,
}

const ASKED: [(&str, Asked); 6] = [
    ("stream", Asked::Stream),
    ("make", Asked::Make),
    ("last", Asked::Last),
    ("consumer", Asked::Consumer),
    ("pull", Asked::Pull),
    ("publish", Asked::Publish),
];

/// Which request it was; a later one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(pub(super) u64);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Wire {
    out: Vec<u8>,
    written: usize,
    inbox: String,
    requests: u64,
}

impl Wire {
    /// With an inbox of that name, which cannot be guessed.
    pub(super) fn new(id: &str) -> Wire {
        Wire {
            out: Vec::new(),
            written: 0,
            inbox: format!("_INBOX.{id}"),
            requests: 0,
        }
    }

    /// What is to be sent.
    pub(super) fn output(&self) -> &[u8] {
        &self.out[self.written..]
    }

    /// So much of it was.
    pub(super) fn note_written(&mut self, bytes: usize) {
        self.written += bytes.min(self.output().len());
        if self.output().is_empty() {
            self.clear();
        }
    }

    /// The connection is gone, and what was to be sent on it.
    pub(super) fn clear(&mut self) {
        self.out.clear();
        self.written = 0;
    }

    /// For the callers that append to it.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        self.out.drain(..self.written);
        self.written = 0;
        &mut self.out
    }

    /// Subscribes to the answers.
    pub(super) fn subscribe(&mut self) {
        let all = format!("{}.>", self.inbox);
        codec::push_subscription(&all, ANSWERS, self.out());
    }

    /// Asks `subject`.
    pub(super) fn ask(&mut self, what: Asked, subject: &str, headers: &str, body: &[u8]) -> Ticket {
        self.requests += 1;
        let known = ASKED.iter().find(|(_, asked)| *asked == what);
        let word = known.map_or("", |(word, _)| word);
        let reply = format!("{}.{word}.{}", self.inbox, self.requests);
        codec::push_message(subject, &reply, headers, body, self.out());
        Ticket(self.requests)
    }

    /// What a message to that subject answers.
    pub(super) fn answered(&self, subject: &[u8]) -> Option<(Asked, Ticket)> {
        let rest = subject.strip_prefix(self.inbox.as_bytes())?;
        let (word, number) = str::from_utf8(rest)
            .ok()?
            .strip_prefix('.')?
            .split_once('.')?;
        let (_, asked) = ASKED.iter().find(|(known, _)| *known == word)?;
        Some((*asked, Ticket(number.parse().ok()?)))
    }
}
