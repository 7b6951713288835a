//! The stream of the class, looked for on each connection, and made where there is none.
//!
//! ```text
//!   STREAM.INFO ── found ──────────▶ MSG.GET (who spoke last in our name?) ─▶ found
//!      │   ▲ ├─ found, empty ───────────────────────────────────────────────▶ found
//!      │   │ └─ nobody answers, or the server
//!      │   │    has none and nothing comes ▶ no JetStream
//!      │   └─────────────┐
//!      └ not found ─▶ STREAM.CREATE
//! ```
//!
//! It promises: a stream that is there is used as it is, or refused with words if it could not do what it is
//! for; nothing is changed in it.

use std::time::Duration;
use std::time::Instant;

use serde::Deserialize;

use crate::engine::bus::codec::Message;
use crate::engine::bus::envelope;
use crate::engine::bus::envelope::Key;
use crate::engine::bus::fault::Fault;
use crate::engine::bus::jetstream;
use crate::engine::bus::jetstream::Refusal;
use crate::engine::bus::jetstream::Stamp;
use crate::engine::bus::outbox::MIN_PAYLOAD;
use crate::engine::bus::strangers::printable;
use crate::engine::bus::wire::Asked;
use crate::engine::bus::wire::Ticket;
use crate::engine::bus::wire::Wire;

/// What was not answered so long is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was refused is asked again after that.
const PAUSE: Duration = Duration::from_secs(1);

/// How often.
const TRIES: u32 = 5;

/// How often a server is asked that says of itself that it has no JetStream. It passes the question on, perhaps
/// to somebody who only listens.
const TRIES_ELSEWHERE: u32 = 2;

/// The stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The number of its first message.
    pub(super) first: u64,
    /// That of its last.
    pub(super) last: u64,
    /// When it was made, as it says: another one in its place says another time.
    pub(super) created: String,
    /// The last speaker in our name.
    pub(super) spoke: Spoke,
    /// We made it on one server, since the cluster did not make it on more.
    pub(super) is_alone: bool,
}

/// The last speaker in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoke {
    /// None, or one that said farewell.
    Nobody,
    /// The hub with this key, and when.
    Hub(Key, Stamp),
    /// One whose message cannot be understood.
    Stranger,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There is a stream.
    Stream(Found),
    /// There is no JetStream.
    None,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Lookup {
    class: String,
    subject: String,
    /// The server says that it keeps streams, or did before.
    must_be: bool,
    /// The last speaker need not be known.
    is_ours: bool,
    /// On how many servers the stream is made, if it has to be.
    replicas: u32,
    is_alone: bool,
    question: Option<Question>,
    found: Option<Found>,
}

#[derive(Debug, Clone, Copy)]
struct Question {
    what: Asked,
    ticket: Ticket,
    again: Instant,
    tries: u32,
    /// It was refused, or not understood: somebody is there.
    is_answered: bool,
}

impl Lookup {
    /// For that class, and our own subject in it.
    pub(super) fn new(class: &str, subject: &str) -> Lookup {
        Lookup {
            class: class.into(),
            subject: subject.into(),
            must_be: false,
            is_ours: false,
            replicas: 1,
            is_alone: false,
            question: None,
            found: None,
        }
    }

    /// Begins, on a new connection or since the stream is gone. `must_be`: this server keeps streams, and
    /// they are kept by so many `replicas`.
    pub(super) fn begin(
        &mut self,
        must_be: bool,
        is_ours: bool,
        replicas: u32,
        wire: &mut Wire,
        now: Instant,
    ) {
        self.must_be |= must_be;
        self.is_ours = is_ours;
        self.replicas = replicas;
        self.is_alone = false;
        self.found = None;
        self.ask(Asked::Stream, wire, now);
    }

    /// Whether it goes on.
    pub(super) fn is_going_on(&self) -> bool {
        self.question.is_some()
    }

    /// The connection is gone.
    pub(super) fn interrupted(&mut self) {
        self.question = None;
    }

    fn ask(&mut self, what: Asked, wire: &mut Wire, now: Instant) {
        let before = self.question.filter(|question| question.what == what);
        let tries = before.map_or(1, |question| question.tries + 1);
        let is_answered = before.is_some_and(|question| question.is_answered);
        let stream = jetstream::stream(&self.class);
        let (subject, body) = match what {
            Asked::Make => jetstream::make(&self.class, self.replicas),
            Asked::Last => jetstream::last(&stream, &self.subject),
            _ => (jetstream::info(&stream), String::new()),
        };
        let ticket = wire.ask(what, &subject, "", body.as_bytes());
        let again = now + PATIENCE;
        self.question = Some(Question {
            what,
            ticket,
            again,
            tries,
            is_answered,
        });
    }

    /// Time goes on. Returns what came of it, if that is known.
    ///
    /// # Errors
    /// There is no answer.
    pub(super) fn turn(&mut self, wire: &mut Wire, now: Instant) -> Result<Option<Outcome>, Fault> {
        let Some(question) = self.question.filter(|question| now >= question.again) else {
            return Ok(None);
        };
        let is_silent = question.what == Asked::Stream && !question.is_answered;
        if is_silent && !self.must_be && question.tries == TRIES_ELSEWHERE {
            return Ok(self.nobody(now));
        }
        if question.tries == TRIES {
            return Err(Fault::cut("its JetStream does not answer"));
        }
        self.ask(question.what, wire, now);
        Ok(None)
    }

    /// When it asks again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.question.map(|question| question.again)
    }

    /// An answer came.
    ///
    /// # Errors
    /// There is a stream, but it does not do.
    pub(super) fn answered(
        &mut self,
        ticket: Ticket,
        message: &Message<'_>,
        wire: &mut Wire,
        now: Instant,
    ) -> Result<Option<Outcome>, Fault> {
        let Some(question) = self.question.filter(|question| question.ticket == ticket) else {
            return Ok(None);
        };
        if message.status() == Some(503) {
            return Ok(self.nobody(now));
        }
        match question.what {
            Asked::Last => {
                let spoke = self.spoke(message);
                return Ok(self.settle(spoke));
            }
            Asked::Make => match self.understood::<jetstream::Stream>(message, now) {
                Some(made)
                    if made
                        .error
                        .as_ref()
                        .is_none_or(|error| error.err_code == jetstream::IN_USE) =>
                {
                    self.ask(Asked::Stream, wire, now);
                }
                Some(made) if self.is_too_many(&made) => {
                    self.replicas = 1;
                    self.is_alone = true;
                    self.question = None;
                    self.ask(Asked::Make, wire, now);
                }
                Some(made) => return self.not_made(&made.error.unwrap_or_default(), now),
                None => {}
            },
            _ => {
                let Some(stream) = self.understood::<jetstream::Stream>(message, now) else {
                    return Ok(None);
                };
                match &stream.error {
                    Some(error) if error.err_code == jetstream::NO_STREAM => {
                        self.ask(Asked::Make, wire, now);
                    }
                    Some(error) if jetstream::NO_JETSTREAM.contains(&error.err_code) => {
                        return Ok(self.nobody(now));
                    }
                    Some(error) => return self.not_made(error, now),
                    None => {
                        self.check(&stream)?;
                        self.found = Some(Found {
                            first: stream.state.first_seq.max(1),
                            last: stream.state.last_seq,
                            created: stream.created,
                            spoke: Spoke::Nobody,
                            is_alone: self.is_alone,
                        });
                        // Of a stream without a message it need not be asked; and nats-server 2.9 breaks down
                        // at that question while it makes the stream for another hub.
                        if self.is_ours || stream.state.last_seq == 0 {
                            return Ok(self.settle(Spoke::Nobody));
                        }
                        self.ask(Asked::Last, wire, now);
                    }
                }
            }
        }
        Ok(None)
    }

    fn settle(&mut self, spoke: Spoke) -> Option<Outcome> {
        self.question = None;
        self.must_be = true;
        let found = self.found.take()?;
        Some(Outcome::Stream(Found { spoke, ..found }))
    }

    /// Of a server that had streams it is a moment's trouble, such as an election.
    fn nobody(&mut self, now: Instant) -> Option<Outcome> {
        if self.must_be {
            self.pause(now);
            return None;
        }
        self.question = None;
        Some(Outcome::None)
    }

    fn pause(&mut self, now: Instant) {
        if let Some(question) = &mut self.question {
            question.again = now + PAUSE;
            question.is_answered = true;
        }
    }

    fn understood<T: for<'a> Deserialize<'a>>(
        &mut self,
        message: &Message<'_>,
        now: Instant,
    ) -> Option<T> {
        let answer = serde_json::from_slice(message.payload).ok();
        if answer.is_none() {
            self.pause(now);
        }
        answer
    }

    /// Whether the stream was not made since it was wanted on too many servers. A cluster that is just being
    /// started may say so for a moment.
    fn is_too_many(&self, made: &jetstream::Stream) -> bool {
        let code = made.error.as_ref().map_or(0, |error| error.err_code);
        let is_last_try = self
            .question
            .is_some_and(|question| question.tries == TRIES);
        let is_otherwise = code == jetstream::OVERLAP;
        self.replicas > 1 && !is_otherwise && (code == jetstream::NO_REPLICAS || is_last_try)
    }

    fn not_made(&mut self, error: &Refusal, now: Instant) -> Result<Option<Outcome>, Fault> {
        let stream = jetstream::stream(&self.class);
        let tries = self.question.map_or(0, |question| question.tries);
        // Two hubs that make the stream at once may be told so for the moment in which one does.
        if error.err_code == jetstream::OVERLAP && tries > 1 {
            let why = format!("another stream than {stream} keeps what this class says");
            return Err(Fault::end(
                &why,
                "--bus with another /CLASS, or remove that stream",
            ));
        }
        // Such as: no leader yet. What lasts is told when it was tried often enough.
        if tries == TRIES {
            let why = printable(error.description.as_bytes());
            return Err(Fault::Drop(format!(
                "it does not make the stream {stream}: {why}"
            )));
        }
        self.pause(now);
        Ok(None)
    }

    fn check(&self, stream: &jetstream::Stream) -> Result<(), Fault> {
        let (name, config) = (jetstream::stream(&self.class), &stream.config);
        let shortest = i64::try_from(MIN_PAYLOAD).unwrap_or(i64::MAX);
        let why = if !config.captures(&self.class) {
            format!("the stream {name} does not keep muxnc.{}.>", self.class)
        } else if config.retention != "limits" {
            format!("the stream {name} does not keep what was read")
        } else if config.no_ack {
            format!("the stream {name} does not say what it took")
        } else if config.sealed {
            format!("the stream {name} takes no more")
        } else if config.max_msg_size > 0 && config.max_msg_size < shortest {
            format!("the stream {name} takes only short messages")
        } else {
            return Ok(());
        };
        let hint = "remove it, and a hub makes one that does; or take another /CLASS";
        Err(Fault::end(&why, hint))
    }

    fn spoke(&self, message: &Message<'_>) -> Spoke {
        let Ok(last) = serde_json::from_slice::<jetstream::Last>(message.payload) else {
            return Spoke::Stranger;
        };
        // There is none, or it says that it cannot tell: then it is listened for.
        let Some(kept) = last.message else {
            let is_none = last.error.is_some_and(|error| error.code == 404);
            return if is_none {
                Spoke::Nobody
            } else {
                Spoke::Stranger
            };
        };
        let Some((headers, payload, stamp)) = kept.open() else {
            return Spoke::Stranger;
        };
        let parts = Message {
            subject: self.subject.as_bytes(),
            sid: 0,
            reply: b"",
            headers: &headers,
            payload: &payload,
            is_cut: false,
        };
        let signature = parts.header(envelope::SIGNATURE);
        match envelope::open(&self.class, parts.subject, signature, &payload) {
            None => Spoke::Stranger,
            Some(envelope) if envelope.is_bye() => Spoke::Nobody,
            // Another's: we listen for the holder of the name.
            Some(envelope) if envelope.claims => Spoke::Stranger,
            Some(envelope) => Spoke::Hub(envelope.key, stamp),
        }
    }
}
