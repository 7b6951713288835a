//! What is said here, on its way to the others: what waits, and the one message that is in flight.
//!
//! ```text
//!   said ─▶ the queue ─▶ a message ─▶ in flight, until the stream has it
//!             │ full: the oldest lines of who has the most there are dropped, counted by who said them
//!             └──▶ lost: told by the next message
//! ```
//!
//! What is demanded of another hub is no line: it does not wait, since who is called so may be another when it
//! gets there.
//!
//! Lines are counted as they become part of a message, those that were dropped too. What comes after a
//! message is sent when the stream has that one: so the stream has each in order, whatever breaks, and of a
//! message that is sent again only the first counts, which says the same lines.
//!
//! It promises: every line is in exactly one message, or counted as lost in exactly one, and in the order in
//! which its speaker said them; no more than the limit waits.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use crate::engine::bus::envelope::Author;
use crate::engine::bus::envelope::Envelope;
use crate::engine::bus::envelope::Piece;
use crate::engine::bus::envelope::Sealed;
use crate::engine::bus::envelope::Signer;
use crate::engine::bus::queue::MAX_BODY;
use crate::engine::bus::queue::OVERHEAD;
use crate::engine::bus::queue::Queue;
use crate::engine::bus::queue::Waiting;
use crate::engine::bus::queue::Whose;
use crate::engine::bus::wire::Ticket;
use crate::engine::lines::MAX_LINE;

/// The most bytes of JSON before them, about.
const MAX_HEAD: usize = 32 * 1024;

/// A server must take so much at once: the longest message, its headers included.
pub(super) const MIN_PAYLOAD: u64 = 160 * 1024;

/// So many bytes of one speaker may wait before it waits itself.
const MUCH: usize = 1024 * 1024;

/// Of one speaker no more may wait than one part in so many of what is left for all.
const PARTS: usize = 4;

/// A message that was not taken so long is sent again.
const PATIENCE: Duration = Duration::from_secs(5);

/// After so many times in vain something is wrong with the server.
const TRIES: u32 = 3;

/// The others are told so often that this hub is there.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(5);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Outbox {
    subject: String,
    hub: String,
    limit: usize,
    here: u64,
    queue: Queue,
    /// What this hub says last is to be told.
    says_bye: bool,
    /// By whom they were said. They are older than what is in the queue of each.
    lost: BTreeMap<Author, u64>,
    /// Demands that were taken back and may not be done. They were not told.
    withdrawn: u64,
    /// How many messages there were.
    seq: u64,
    /// How many lines are in them.
    counted: u64,
    flight: Option<Flight>,
    /// When a message was made last.
    spoke: Option<Instant>,
}

/// The message that is in flight.
#[derive(Debug)]
struct Flight {
    envelope: Envelope,
    sealed: Sealed,
    waiting: Waiting,
    sent: Option<Instant>,
    /// As which request it was sent first: an answer to an earlier one is about another message.
    first: Option<Ticket>,
    /// Since this connection.
    tries: u32,
    /// It was refused: not before this is it sent again.
    not_before: Option<Instant>,
}

/// It is not taken, again and again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InVain;

impl Outbox {
    /// For the hub of that name. No more than about `limit` bytes wait.
    pub(super) fn new(subject: String, hub: String, limit: usize) -> Outbox {
        Outbox {
            subject,
            hub,
            limit,
            here: 0,
            queue: Queue::default(),
            says_bye: false,
            lost: BTreeMap::new(),
            withdrawn: 0,
            seq: 0,
            counted: 0,
            flight: None,
            spoke: None,
        }
    }

    /// So many members are here.
    pub(super) fn set_here(&mut self, members: u64) {
        self.here = members;
    }

    /// Takes a speaker's words: whole lines, the last perhaps a piece of one that is too long.
    pub(super) fn say(&mut self, author: &Author, said: &[u8]) {
        for line in said.split_inclusive(|&byte| byte == b'\n') {
            // A longer one is none that a hub would take.
            for piece in line.chunks(MAX_LINE) {
                self.queue.push_line(author, piece);
            }
        }
        self.drop_oldest();
    }

    /// Takes something that is asked.
    pub(super) fn ask(&mut self, piece: Piece) {
        self.queue.push(piece);
    }

    /// This hub says nothing more.
    pub(super) fn bye(&mut self) {
        self.says_bye = true;
    }

    /// What is not a line goes like those, or the queue had no end.
    fn drop_oldest(&mut self) {
        while self.queue.waiting().bytes > self.limit
            && let Some(piece) = self.queue.drop_oldest()
        {
            self.withdrawn += u64::from(piece.is_demand());
            let lines = piece.lines();
            if let Piece::Said(author, _) = piece {
                *self.lost.entry(author).or_default() += lines;
            }
        }
    }

    /// The others hear nothing for now: takes back what is demanded of them. What is in flight may have got there.
    pub(super) fn withdraw(&mut self, signer: &Signer) {
        self.withdrawn += self.queue.withdraw().len() as u64;
        if let Some(flight) = &mut self.flight {
            let demands = flight
                .envelope
                .pieces
                .extract_if(.., |piece| piece.is_demand());
            let demands = demands.map(|piece| flight.waiting.remove(Waiting::of(&piece)));
            let count = demands.count() as u64;
            if count > 0 {
                self.withdrawn += count;
                flight.sealed = signer.seal(&self.subject, &flight.envelope);
            }
        }
    }

    /// How many demands were taken back since this was asked.
    pub(super) fn take_withdrawn(&mut self) -> u64 {
        std::mem::take(&mut self.withdrawn)
    }

    /// What waits and what is in flight.
    pub(super) fn waiting(&self) -> Waiting {
        let mut waiting = self.queue.waiting();
        waiting.lost = self.lost.values().sum();
        if let Some(flight) = &self.flight {
            waiting.add(flight.waiting);
        }
        waiting
    }

    /// How many bytes more of a speaker should wait here, or (None) of what is asked. As many may wait as a part of
    /// what is left of half of the buffer, and no more than [`MUCH`]: so more is left for those that say less (the
    /// dynamic thresholds of Choudhury and Hahne). Of the other half each has an equal part of an eighth, so that the
    /// buffer is not full however many speak. None at all, until half of that was told, so that what is read is
    /// not byte by byte.
    pub(super) fn room_for(&self, whose: Whose) -> usize {
        let left = (self.limit / 2).saturating_sub(self.queue.waiting().bytes);
        let equal = self.limit / 16 / (self.queue.lanes() + 1);
        let (most, waits) = (MUCH.min((left / PARTS).max(equal)), self.queue.len(whose));
        match waits * 2 > most {
            true => 0,
            false => most - waits,
        }
    }

    /// Whether the others have all there is to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.flight.is_none() && !self.has_news()
    }

    /// Whether nothing is in flight, so that a message can be made.
    pub(super) fn is_ready(&self) -> bool {
        self.flight.is_none()
    }

    /// Whether there is something to tell, be it only that this hub is there, if that is told at all.
    pub(super) fn is_due(&self, with_heartbeat: bool, now: Instant) -> bool {
        let is_silent = self.heartbeat().is_none_or(|at| now >= at);
        self.has_news() || (with_heartbeat && is_silent)
    }

    fn has_news(&self) -> bool {
        !self.queue.is_empty() || !self.lost.is_empty() || self.says_bye
    }

    /// When it is told again that this hub is there, if nothing else is.
    pub(super) fn heartbeat(&self) -> Option<Instant> {
        Some(self.spoke? + HEARTBEAT)
    }

    /// The others are to be told at once that this hub is there.
    pub(super) fn announce(&mut self) {
        self.spoke = None;
    }

    /// Makes the next message of what waits, and puts it in flight. Gives whose lines it tells to be lost.
    pub(super) fn make(&mut self, signer: &Signer, now: Instant) -> Vec<(Author, u64)> {
        let (pieces, waiting) = self.gather();
        let mut told = Vec::new();
        for piece in &pieces {
            if let Piece::Lost(author, lines) = piece {
                told.push((author.clone(), *lines));
            }
        }
        self.launch(pieces, waiting, false, signer, now);
        told
    }

    /// Makes a message that claims the name, and puts it in flight.
    pub(super) fn claim(&mut self, signer: &Signer, now: Instant) {
        self.launch(Vec::new(), Waiting::default(), true, signer, now);
    }

    fn launch(
        &mut self,
        pieces: Vec<Piece>,
        waiting: Waiting,
        claims: bool,
        signer: &Signer,
        now: Instant,
    ) {
        self.seq += 1;
        let envelope = Envelope {
            hub: self.hub.clone(),
            key: signer.key(),
            seq: self.seq,
            first: self.counted,
            here: self.here,
            claims,
            pieces,
        };
        self.counted += envelope.lines();
        self.spoke = Some(now);
        self.flight = Some(Flight {
            sealed: signer.seal(&self.subject, &envelope),
            envelope,
            waiting,
            sent: None,
            first: None,
            tries: 0,
            not_before: None,
        });
    }

    fn gather(&mut self) -> (Vec<Piece>, Waiting) {
        let (mut pieces, mut waiting) = (Vec::new(), Waiting::default());
        let (mut head, mut body) = (0, 0);
        let mut fits = |piece: &Piece| {
            head += head_len(piece);
            body += Waiting::of(piece).bytes - OVERHEAD;
            head <= MAX_HEAD && body <= MAX_BODY
        };
        while let Some((author, lines)) = self.lost.pop_first() {
            let piece = Piece::Lost(author, lines);
            if fits(&piece) {
                pieces.push(piece);
            } else if let Piece::Lost(author, lines) = piece {
                self.lost.insert(author, lines);
                break;
            }
        }
        // What was lost is older.
        if self.lost.is_empty() {
            let said = self.queue.take(&mut fits);
            said.iter()
                .for_each(|piece| waiting.add(Waiting::of(piece)));
            pieces.extend(said);
            if self.queue.is_empty() && self.says_bye && fits(&Piece::Bye) {
                self.says_bye = false;
                pieces.push(Piece::Bye);
            }
        }
        (pieces, waiting)
    }

    /// The message in flight, if it is to be sent, now or again.
    ///
    /// # Errors
    /// It was sent so often in vain that something is wrong.
    pub(super) fn send(&mut self, now: Instant) -> Result<Option<&Sealed>, InVain> {
        let Some(flight) = &mut self.flight else {
            return Ok(None);
        };
        if flight.due().is_some_and(|due| now < due) {
            return Ok(None);
        }
        if flight.tries == TRIES {
            return Err(InVain);
        }
        flight.tries += 1;
        flight.sent = Some(now);
        flight.not_before = None;
        Ok(Some(&flight.sealed))
    }

    /// It was sent as that request.
    pub(super) fn asked(&mut self, ticket: Ticket) {
        if let Some(flight) = &mut self.flight {
            flight.first.get_or_insert(ticket);
        }
    }

    /// Whether an answer to that request is about the message in flight. A message that was sent again is answered
    /// twice, the second time perhaps when the next one is in flight.
    pub(super) fn is_about_flight(&self, ticket: Ticket) -> bool {
        let first = self.flight.as_ref().and_then(|flight| flight.first);
        first.is_some_and(|first| ticket >= first)
    }

    /// The stream has it.
    pub(super) fn taken(&mut self) {
        self.flight = None;
    }

    /// The stream did not take it: it is sent again after a moment.
    pub(super) fn refused(&mut self, now: Instant) {
        if let Some(flight) = &mut self.flight {
            flight.not_before = Some(now + Duration::from_secs(1));
        }
    }

    /// The connection is gone: what is in flight is to be sent on the next.
    pub(super) fn interrupted(&mut self) {
        if let Some(flight) = &mut self.flight {
            (flight.sent, flight.tries, flight.not_before) = (None, 0, None);
        }
    }

    /// When what is in flight is sent again.
    pub(super) fn resend(&self) -> Option<Instant> {
        self.flight.as_ref()?.due()
    }
}

impl Flight {
    fn due(&self) -> Option<Instant> {
        self.not_before.or_else(|| Some(self.sent? + PATIENCE))
    }
}

/// About how long a piece is as JSON, and never less: a letter can be six of JSON.
fn head_len(piece: &Piece) -> usize {
    use crate::engine::bus::envelope::What;
    use crate::engine::bus::envelope::Whom;
    let name = |name: &Option<String>| name.as_ref().map_or(0, String::len);
    let text = match piece {
        Piece::Said(author, _) | Piece::Lost(author, _) => name(&author.name),
        Piece::Ask { whom, what, .. } => {
            let whom = match whom {
                Whom::Name(name) => name.len(),
                Whom::Number(_) => 0,
            };
            let what = match what {
                What::Tell(text) | What::Kick(text) => 6 * text.len(),
                _ => 0,
            };
            64 + whom + what
        }
        Piece::Bye => 0,
    };
    OVERHEAD + text
}

#[cfg(test)]
mod tests;
