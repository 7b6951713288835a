//! Reading the stream in order: a consumer that is made anew whenever it may have forgotten something, and
//! that is asked for messages only while they are wanted.
//!
//! It promises: messages are given in the order of the stream, each once, and none is passed over that the
//! stream still has; no more than one request is outstanding, so no more is on its way than was asked for.

use std::time::Duration;
use std::time::Instant;

use crate::engine::bus::codec::Message;
use crate::engine::bus::jetstream;
use crate::engine::bus::jetstream::FORGOTTEN;
use crate::engine::bus::jetstream::IDLE;
use crate::engine::bus::jetstream::Place;
use crate::engine::bus::wire::Asked;
use crate::engine::bus::wire::Ticket;
use crate::engine::bus::wire::Wire;

/// Messages that are asked for at once.
const MESSAGES: u64 = 64;

/// Bytes that are asked for at once, if no message is longer.
const BYTES: usize = 1024 * 1024;

/// What a message counts for beside its payload: its subjects.
const BESIDE: u64 = 64 * 1024;

/// What was not answered so long is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was refused is asked again after that.
const PAUSE: Duration = Duration::from_secs(1);

/// A request of which nothing was heard so long is forgotten, and its consumer too.
const SILENCE: Duration = Duration::from_secs(3 * IDLE.as_secs());

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Reading {
    stream: String,
    /// A request must have room for the longest message that can be published, or none would come
    /// after it.
    bytes: usize,
    /// The first message that was not read.
    next: u64,
    consumer: Consumer,
}

#[derive(Debug)]
enum Consumer {
    /// Not before that.
    None(Option<Instant>),
    /// Asked for.
    Asked(Ticket, Instant),
    Made(Made),
}

#[derive(Debug)]
struct Made {
    name: String,
    /// How many messages it gave.
    count: u64,
    request: Option<Request>,
    /// When nothing was asked of it any more.
    idle: Instant,
}

#[derive(Debug)]
struct Request {
    ticket: Ticket,
    left: u64,
    heard: Instant,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing for the other parts.
    None,
    /// The consumer is there, and so many messages for it.
    Ready(u64),
    /// The stream is gone.
    NoStream,
}

impl Reading {
    /// Of that stream, from there on.
    pub(super) fn new(stream: String, next: u64) -> Reading {
        Reading {
            stream,
            bytes: BYTES,
            next,
            consumer: Consumer::None(None),
        }
    }

    /// The first message that was not read.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Goes on from there instead.
    pub(super) fn begin(&mut self, next: u64) {
        self.next = next;
        self.consumer = Consumer::None(None);
    }

    /// There is a connection, to a server that takes messages of that length.
    pub(super) fn connected(&mut self, max_payload: u64) {
        let longest = usize::try_from(max_payload + BESIDE).unwrap_or(BYTES);
        self.bytes = BYTES.max(longest);
        self.consumer = Consumer::None(None);
    }

    /// Asks for what is to be asked for.
    pub(super) fn turn(&mut self, wants: bool, wire: &mut Wire, now: Instant) {
        if let Consumer::Made(made) = &self.consumer {
            let is_dead = match &made.request {
                Some(request) => now >= request.heard + SILENCE,
                // It may be forgotten soon, or is.
                None => wants && now >= made.idle + FORGOTTEN / 2,
            };
            if is_dead {
                self.consumer = Consumer::None(None);
            }
        }
        match &mut self.consumer {
            Consumer::None(Some(until)) if now < *until => {}
            Consumer::Asked(_, since) if now < *since + PATIENCE => {}
            Consumer::None(_) | Consumer::Asked(..) => {
                let (subject, body) = jetstream::consumer(&self.stream, self.next);
                let ticket = wire.ask(Asked::Consumer, &subject, "", body.as_bytes());
                self.consumer = Consumer::Asked(ticket, now);
            }
            Consumer::Made(made) if wants && made.request.is_none() => {
                let (subject, body) =
                    jetstream::pull(&self.stream, &made.name, MESSAGES, self.bytes);
                let ticket = wire.ask(Asked::Pull, &subject, "", body.as_bytes());
                made.request = Some(Request {
                    ticket,
                    left: MESSAGES,
                    heard: now,
                });
            }
            Consumer::Made(_) => {}
        }
    }

    /// When [`Reading::turn`] has something to do that it has not now.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.consumer {
            Consumer::None(until) => *until,
            Consumer::Asked(_, since) => Some(*since + PATIENCE),
            Consumer::Made(made) => Some(made.request.as_ref()?.heard + SILENCE),
        }
    }

    /// An answer came to what was asked.
    pub(super) fn answered(
        &mut self,
        ticket: Ticket,
        message: &Message<'_>,
        now: Instant,
    ) -> Answer {
        match &mut self.consumer {
            Consumer::Asked(asked, _) if *asked == ticket => self.made(message, now),
            Consumer::Made(made) if made.request.as_ref().is_some_and(|r| r.ticket == ticket) => {
                match message.status() {
                    Some(100) => {
                        if let Some(request) = &mut made.request {
                            request.heard = now;
                        }
                    }
                    // It is over: there was nothing, the time was over, it was full.
                    Some(404 | 408) => made.end(now),
                    Some(409) if is_about_size(message) => made.end(now),
                    // The consumer is gone, or its server goes.
                    _ => self.consumer = Consumer::None(Some(now + PAUSE)),
                }
                Answer::None
            }
            _ => Answer::None,
        }
    }

    fn made(&mut self, message: &Message<'_>, now: Instant) -> Answer {
        self.consumer = Consumer::None(Some(now + PAUSE));
        let Ok(made) = serde_json::from_slice::<jetstream::Made>(message.payload) else {
            return Answer::None;
        };
        match made.error {
            Some(error) if error.err_code == jetstream::NO_STREAM => Answer::NoStream,
            None if is_token(&made.name) => {
                self.consumer = Consumer::Made(Made {
                    name: made.name,
                    count: 0,
                    request: None,
                    idle: now,
                });
                Answer::Ready(made.num_pending)
            }
            _ => Answer::None,
        }
    }

    /// A message of the stream came. Whether it is the next.
    pub(super) fn came(&mut self, place: &Place<'_>, now: Instant) -> bool {
        let Consumer::Made(made) = &mut self.consumer else {
            return false;
        };
        if made.name != place.consumer {
            return false;
        }
        if place.count != made.count + 1 || place.sequence < self.next {
            // One is missing on the way.
            self.consumer = Consumer::None(None);
            return false;
        }
        made.count = place.count;
        self.next = place.sequence.saturating_add(1);
        if let Some(request) = &mut made.request {
            request.heard = now;
            request.left -= 1;
            if request.left == 0 {
                made.end(now);
            }
        }
        true
    }
}

impl Made {
    fn end(&mut self, now: Instant) {
        self.request = None;
        self.idle = now;
    }
}

fn is_about_size(message: &Message<'_>) -> bool {
    let line = message.headers.split(|&byte| byte == b'\r').next();
    line.is_some_and(|line| line.ends_with(b"MaxBytes"))
}

/// What the server calls a consumer becomes part of a subject.
fn is_token(name: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || "_-".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(letter)
}
