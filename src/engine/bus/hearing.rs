//! What the server says: which of it is an answer, and to what, and which is said by a hub.
//!
//! ```text
//!   let in ─▶ lookup ─▶ the stream ─▶ what is past, from its end backwards ─▶ what is said now
//!                 └───▶ no stream: what is said now
//! ```
//!
//! It promises: what is past is read as far back as its lines are wanted, and before what is said now; who
//! holds our name is known before anything is said in it, on each connection.

use std::time::Instant;

use super::Bus;
use super::Farewell;
use super::Past;
use super::Way;
use super::claim::Step;
use super::codec;
use super::codec::Message;
use super::codec::Op;
use super::codec::Reader;
use super::event::Notice;
use super::fault::Fault;
use super::jetstream;
use super::jetstream::Place;
use super::jetstream::Stamp;
use super::lookup::Found;
use super::lookup::Outcome;
use super::lookup::Spoke;
use super::reading::Answer;
use super::strangers::printable;
use super::wire;
use super::wire::Asked;

/// At least so much of the stream is read at the start, to see who is there, in messages.
const LOOK_BACK: u64 = 256;

impl Bus {
    pub(super) fn read(&mut self, reader: &mut Reader, now: Instant) -> Result<(), Fault> {
        while let Some(op) = reader.read().map_err(|violation| Fault::cut(violation.0))? {
            match op {
                Op::Info(json) => {
                    self.session.greeted(json, &mut self.wire, now)?;
                    if self.session.wants_tls() && reader.has_rest() {
                        // A third party on the way could have put it there.
                        return Err(Fault::cut("it says something without TLS"));
                    }
                }
                Op::Message(message) => self.message(&message, now)?,
                Op::Ok => {}
                Op::Error(why) => self.session.refused(why)?,
                Op::Ping => self.wire.out().extend_from_slice(codec::PONG),
                Op::Pong if self.session.ponged() => self.admitted(now),
                Op::Pong if self.farewell == Farewell::Asked => self.farewell = Farewell::Heard,
                Op::Pong => {}
            }
        }
        Ok(())
    }

    fn admitted(&mut self, now: Instant) {
        if self.settings.at_most_once {
            self.settle_without_log(now);
            return;
        }
        self.wire.subscribe();
        self.look_up(self.session.info().jetstream, now);
    }

    fn message(&mut self, message: &Message<'_>, now: Instant) -> Result<(), Fault> {
        if message.sid == wire::CLASS {
            let stamp = now.saturating_duration_since(self.start).as_nanos();
            let stamp = Stamp(u64::try_from(stamp).unwrap_or(u64::MAX));
            return self.hear(message, stamp, now);
        }
        let Some((asked, ticket)) = self.wire.answered(message.subject) else {
            return match Place::parse(message.reply) {
                Some(place) if self.way == Way::Stream => self.placed(&place, message, now),
                _ => Ok(()),
            };
        };
        match asked {
            Asked::Stream | Asked::Make | Asked::Last => {
                let outcome = self.lookup.answered(ticket, message, &mut self.wire, now)?;
                self.looked_up(outcome, now)?;
            }
            Asked::Consumer | Asked::Pull => match self.reading.answered(ticket, message, now) {
                Answer::Ready(0) => {
                    self.end_past(now);
                    self.caught_up(now)?;
                }
                Answer::NoStream => self.look_again(now),
                Answer::Ready(_) | Answer::None => {}
            },
            Asked::Publish if self.outbox.is_about_flight(ticket) => self.published(message, now),
            Asked::Publish => {}
        }
        Ok(())
    }

    /// The stream is gone: it is made anew.
    fn look_again(&mut self, now: Instant) {
        if !self.lookup.is_going_on() {
            self.look_up(true, now);
        }
    }

    fn look_up(&mut self, must_be: bool, now: Instant) {
        let (is_ours, replicas) = (self.is_up, self.session.info().replicas());
        self.lookup
            .begin(must_be, is_ours, replicas, &mut self.wire, now);
    }

    fn published(&mut self, message: &Message<'_>, now: Instant) {
        if message.status() == Some(503) {
            // No stream keeps the lines of this class.
            self.outbox.refused(now);
            self.look_again(now);
            return;
        }
        match serde_json::from_slice::<jetstream::Taken>(message.payload) {
            Ok(taken) if taken.error.is_none() && taken.seq.is_some() => {
                self.outbox.taken();
                self.returned();
            }
            Ok(jetstream::Taken { error, .. }) => {
                let why = error.unwrap_or_default().description;
                self.refusal = format!(": {}", printable(why.as_bytes()));
                self.outbox.refused(now);
            }
            Err(_) => self.outbox.refused(now),
        }
    }

    pub(super) fn looked_up(
        &mut self,
        outcome: Option<Outcome>,
        now: Instant,
    ) -> Result<(), Fault> {
        match outcome {
            Some(Outcome::Stream(found)) => self.settle(found, now)?,
            Some(Outcome::None) => {
                if !std::mem::replace(&mut self.is_plain_told, true) {
                    self.notices.push_back(Notice::AtMostOnce);
                }
                self.settle_without_log(now);
            }
            None => {}
        }
        Ok(())
    }

    /// The stream is there.
    fn settle(&mut self, found: Found, now: Instant) -> Result<(), Fault> {
        if found.is_alone {
            self.notices.push_back(Notice::OneServer);
        }
        self.intake.set_log(true);
        self.claim.begin_with_log(found.spoke, now);
        self.reading.connected(self.session.info().max_payload);
        match &self.created {
            None => self.begin_past(found.clone(), LOOK_BACK.max(4 * self.settings.history), now),
            Some(created) if *created != found.created => self.reading.begin(found.first),
            // A server that broke down lost its end.
            Some(_) if self.reading.next() > found.last + 1 => self.reading.begin(found.last + 1),
            Some(_) => {}
        }
        self.created = Some(found.created);
        self.end = found.last;
        self.settled(Way::Stream);
        match self.reading.next() > self.end {
            true => self.caught_up(now),
            false => Ok(()),
        }
    }

    /// What was said until the connection was made is read: who holds our name is known.
    fn caught_up(&mut self, now: Instant) -> Result<(), Fault> {
        let step = self.claim.caught_up(self.intake.rival(), now);
        self.step(step, now)
    }

    fn settle_without_log(&mut self, now: Instant) {
        let all = jetstream::subject(&self.settings.class, ">");
        codec::push_subscription(&all, wire::CLASS, self.wire.out());
        self.intake.set_log(false);
        self.claim.begin_without_log(now);
        self.settled(Way::Plain);
    }

    fn settled(&mut self, way: Way) {
        self.way = way;
        self.refusal.clear();
        self.session.note_success();
        self.begin_to_speak();
    }

    /// There is a connection, or the name is ours.
    fn begin_to_speak(&mut self) {
        self.late = self.outbox.waiting().lines;
        match self.way {
            // It is back when it takes something.
            Way::Stream => self.outbox.announce(),
            Way::Plain | Way::None => self.returned(),
        }
    }

    /// The bus does what it is for, if it did not before.
    fn returned(&mut self) {
        if self.is_live() && self.away.take().is_some() && self.is_up {
            self.notices.push_back(Notice::Back(self.late));
        }
    }

    /// Reads so many of the last messages.
    fn begin_past(&mut self, found: Found, span: u64, now: Instant) {
        let begin = found
            .last
            .saturating_add(1)
            .saturating_sub(span)
            .max(found.first);
        self.reading.begin(begin);
        self.intake.begin_backlog(self.settings.history);
        let is_empty = begin > found.last;
        self.past = Some(Past { found, begin, span });
        if is_empty {
            self.end_past(now);
        }
    }

    /// What was there before this hub was read: further back, if more is wanted and there.
    fn end_past(&mut self, now: Instant) {
        let Some(Past { found, begin, span }) = self.past.take() else {
            return;
        };
        if self.intake.wanting() > 0 && begin > found.first {
            self.begin_past(found, span.saturating_mul(2), now);
            return;
        }
        let spoke = match found.spoke {
            Spoke::Hub(key, stamp) => Some((key, stamp)),
            Spoke::Nobody | Spoke::Stranger => None,
        };
        self.intake.end_backlog(spoke, now);
    }

    fn placed(
        &mut self,
        place: &Place<'_>,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<(), Fault> {
        if !self.reading.came(place, now) {
            return Ok(());
        }
        let is_past = |past: &Past| place.sequence <= past.found.last;
        if self.past.as_ref().is_some_and(|past| !is_past(past)) {
            self.end_past(now);
            if self.past.is_some() {
                // It comes again.
                return Ok(());
            }
        }
        self.hear(message, place.stamp, now)?;
        if self
            .past
            .as_ref()
            .is_some_and(|past| place.sequence == past.found.last)
            || place.pending == 0
        {
            self.end_past(now);
        }
        match place.sequence >= self.end || place.pending == 0 {
            true => self.caught_up(now),
            false => Ok(()),
        }
    }

    fn hear(&mut self, message: &Message<'_>, stamp: Stamp, now: Instant) -> Result<(), Fault> {
        match self.intake.hear(message, stamp, now) {
            Some(news) => {
                let step = self.claim.heard(news, now);
                self.step(step, now)
            }
            None => Ok(()),
        }
    }

    pub(super) fn step(&mut self, step: Step, now: Instant) -> Result<(), Fault> {
        match step {
            Step::None => {}
            // A claim does not say that the name was got: the next message does.
            Step::Held => {
                self.begin_to_speak();
                if !std::mem::replace(&mut self.is_up, true) {
                    self.away = None;
                    self.notices.push_back(Notice::Up);
                }
            }
            Step::Lost => {
                let hub = &self.settings.hub;
                let why = format!(
                    "another hub is called {hub} now (end it, or start this one with --bus-name)"
                );
                self.tell_away(why, true, now);
            }
            Step::Wait(left) => self.notices.push_back(Notice::NameHeld(left)),
            Step::Taken => {
                let why = format!("{} is taken by another hub", self.settings.hub);
                return Err(Fault::end(&why, "--bus-name with another name"));
            }
        }
        Ok(())
    }
}
