//! A conversation: the two flows of one connection, and what follows when either of them ends.
//!
//! ```text
//!                       stdin ends                 the other side ends
//!   both open ─────────────┬──────────────────────────────┬───────────────────
//!                          ▼                              ▼
//!               all is given: half-close       all is written: close stdout
//!               receive to the other's end     a pipe, a file: send it to its end
//!                          │                   a terminal: send what was entered
//!                          └───────────────┬──────────────┘
//!                                          ▼
//!                      both are over: look until ours is acknowledged
//!                                          │
//!               both delivered ► Done      │      ► Short: who is to blame,
//!                                          ▼        and how much is missing
//! ```
//!
//! The states are those of the two [flows](Flow); this file reads them together with what the user
//! asked for and answers what to do now ([`Act`]), when to ask again, or how it ended ([`End`]).
//! Nothing tells of an acknowledgement, so it is looked for, at growing distances and only while it
//! decides something.
//!
//! It promises: the end is [`End::Done`] only with the [`Proof`] of both flows; a user's limit may stand
//! in for the other side's end, never for a delivery; no time that it asks to be woken at has passed.

use std::time::Duration;
use std::time::Instant;

use super::flow::Flow;
use super::flow::Proof;

#[cfg(test)]
mod tests;

/// How long a silent stdin is waited for, after the other side ended its own, before it is said.
pub const STILL_OPEN: Duration = Duration::from_secs(5);

/// How long what was entered at a terminal may take to be acknowledged after the other side ended its
/// own, and what was sent with `-q` at least, counted from the end of stdin.
pub const LAST_WORDS: Duration = Duration::from_secs(2);

/// With `--send-only`: how long, when everything was acknowledged, the other side has to end its own.
/// Leaving at once would reset the connection if it was just sending something.
pub const LINGER: Duration = Duration::from_secs(2);

/// The first distance between two looks at the acknowledgement, and the longest.
pub const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_secs(1);

/// What we send comes from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// From nowhere: nothing is ever sent.
    None,
    /// From a person.
    Terminal,
    /// From a pipe, a file, a socket: anything that has an end of its own.
    Stream,
}

/// What the user asked for.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// What is sent.
    pub input: Input,
    /// It was accepted, not made: an input that was empty from the start says nothing, not even that.
    pub is_server: bool,
    /// The end of the input ends our side of the connection.
    pub half_close: bool,
    /// What comes is discarded.
    pub send_only: bool,
    /// Stop receiving that long after the end of the input.
    pub quit_after: Option<Duration>,
    /// End when nothing goes for so long.
    pub idle_timeout: Option<Duration>,
    /// The reader of the output can be shown its end before we end: a pipe, not a file.
    pub closes_output: bool,
}

/// Something to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// End our side of the connection: all that came from the input was given to it.
    HalfClose,
    /// Close the output, so that its reader sees that nothing more comes.
    CloseOutput,
    /// The other side ended its own while ours goes on: ask more often whether it is there.
    ProbeSoon,
    /// Say that the other side has ended its side, and the input is still open.
    SayStillOpen,
    /// Look what was acknowledged, and report it by [`Conversation::looked`].
    Look,
    /// Count what has come and was not read yet, and report it by [`Conversation::has_come`].
    CountUnread,
}

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything was delivered.
    Done(Proof),
    /// Something was not delivered, or it is not known whether it was; and which side is to blame.
    Short(Blame),
}

/// Why a conversation ended without everything delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The connection broke while being read: see the loss of what was received.
    Broken,
    /// The connection took no more: see the loss of what was sent.
    Unsendable,
    /// The other side ended its own and did not take what was entered in time.
    Closed,
    /// What was sent was not acknowledged, or what came was not shown, in the time of `-q`.
    Late,
    /// Nothing was sent, received or acknowledged for the time of `-i`.
    Idle,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Do this, and ask again.
    Do(Act),
    /// Nothing, until something happens or that time.
    Wait(Option<Instant>),
    /// It is over.
    End(End),
}

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The system does not report acknowledgements: what it took counts as delivered.
    Untold,
    /// It tells.
    Told {
        /// Bytes that it was given and that were not acknowledged.
        outstanding: u64,
        /// Bytes that were, since the connection was made, in the system's own count.
        acknowledged: u64,
        /// How long ago the other side answered anything.
        last_answer: Duration,
    },
}

/// When to look again.
#[derive(Debug, Clone, Copy)]
struct Looks {
    next: Instant,
    distance: Duration,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Conversation {
    terms: Terms,
    /// From the input to the connection.
    pub up: Flow,
    /// From the connection to the output.
    pub down: Flow,
    /// Bytes of a record that wait for the output.
    record: usize,
    half_closed: bool,
    output_closed: bool,
    probed: bool,
    said_open: bool,
    /// Only while an acknowledgement decides something.
    looks: Option<Looks>,
    looked_at: Option<Instant>,
    /// Bytes went over the connection since this was last asked, and when that was last so.
    carried: bool,
    active: Instant,
    /// What had been acknowledged at the last look, in the system's own count.
    seen: u64,
    /// How much is taken when all is that had come when a limit was over.
    wanted: Option<u64>,
    /// Our output kept the connection from being read then.
    was_held_up: bool,
}

impl Conversation {
    /// One that begins now.
    pub fn new(terms: Terms, now: Instant) -> Conversation {
        Conversation {
            up: match terms.input {
                Input::None => Flow::without_source(now),
                Input::Terminal | Input::Stream => Flow::to_connection(),
            },
            down: Flow::to_output(),
            terms,
            record: 0,
            half_closed: false,
            output_closed: false,
            probed: false,
            said_open: false,
            looks: None,
            looked_at: None,
            carried: false,
            active: now,
            seen: 0,
            wanted: None,
            was_held_up: false,
        }
    }

    /// Bytes went over the connection, in either direction.
    pub fn carried(&mut self) {
        self.carried = true;
    }

    /// So many bytes of a record wait for the output.
    pub fn record_waits(&mut self, bytes: usize) {
        self.record = bytes;
    }

    /// Whether what comes is for nobody.
    pub fn discards_what_comes(&self) -> bool {
        self.terms.send_only
    }

    /// How long what comes is waited for after the end of stdin, if not for ever.
    pub fn quits_after(&self) -> Option<Duration> {
        self.terms.quit_after
    }

    /// Whether the other side ended its own before a person at a terminal did.
    pub fn was_closed_first(&self) -> bool {
        self.terms.input == Input::Terminal && self.up.stopped_at().is_some()
    }

    /// Whether our output keeps the connection from being read.
    pub fn is_held_up(&self) -> bool {
        self.down.is_held_up() || self.record > 0
    }

    /// Takes note of what a look found.
    pub fn looked(&mut self, found: Look, now: Instant) {
        self.looked_at = Some(now);
        if let Some(looks) = &mut self.looks {
            looks.next = now + looks.distance;
            looks.distance = (2 * looks.distance).min(LAST_LOOK);
        }
        match found {
            Look::Untold => self.up.acknowledged_but(0, now),
            Look::Told {
                outstanding,
                acknowledged,
                last_answer,
            } => {
                self.up.acknowledged_but(outstanding, now);
                // What was acknowledged went over the connection as well.
                if acknowledged > self.seen
                    && let Some(answered) = now.checked_sub(last_answer)
                {
                    self.active = self.active.max(answered);
                }
                self.seen = self.seen.max(acknowledged);
            }
        }
    }

    /// So many bytes have come and were not read yet, whatever events told: if there are any, the connection is to be
    /// read. (If a layer between counts more than what it gives, the source falls silent before as much was taken.)
    pub fn has_come(&mut self, unread: u64) {
        self.wanted = Some(self.down.taken() + unread);
        if unread > 0 {
            self.down.source_stirs();
        }
    }

    /// What to do next. To be asked until the answer is no [`Act`] any more.
    pub fn next(&mut self, now: Instant) -> Next {
        self.take_note(now);
        if let Some(act) = self.act(now) {
            return Next::Do(act);
        }
        match self.end(now) {
            // The last look at what was acknowledged comes before any blame.
            Some(End::Short(_)) if self.up.missing() > 0 && self.looked_at != Some(now) => {
                Next::Do(Act::Look)
            }
            Some(end) => Next::End(end),
            None => {
                let wakes_at = self.deadline();
                debug_assert!(wakes_at.is_none_or(|at| at > now), "{self:?} at {now:?}");
                Next::Wait(wakes_at)
            }
        }
    }

    /// What the time and the two flows mean for each other.
    fn take_note(&mut self, now: Instant) {
        // A connection that our own output holds up is not idle.
        let over = self.idles_at().is_some_and(|at| at <= now);
        if std::mem::take(&mut self.carried) || (over && self.is_held_up()) {
            self.active = now;
        }
        // A person does not go on typing to a peer that is gone. But the kernel may hold lines that
        // were entered before: they are still read, one at a time (termios(3): a canonical read
        // gives one line), until there are no more.
        let has_more = self.up.silent_since().is_none();
        if self
            .stops_reading_at()
            .is_some_and(|at| !has_more || at <= now)
        {
            self.up.stop(now);
        }
        if self.is_limit_over(now) {
            if self.is_held_up() {
                self.was_held_up = true;
            } else if self.has_all_that_came() {
                self.down.stop(now);
            }
        }
        match (self.wants_acknowledgement(), self.looks) {
            (true, None) => {
                self.looks = Some(Looks {
                    next: now,
                    distance: FIRST_LOOK,
                });
            }
            (false, Some(_)) => self.looks = None,
            _ => {}
        }
    }

    fn act(&mut self, now: Instant) -> Option<Act> {
        if self.half_closes() && !std::mem::replace(&mut self.half_closed, true) {
            return Some(Act::HalfClose);
        }
        let is_counted = self.wanted.is_some();
        if !is_counted && !self.is_held_up() && self.is_limit_over(now) {
            return Some(Act::CountUnread);
        }
        let other_ended = self.down.ended_at().is_some();
        let goes_on = self.up.is_open() && self.terms.input != Input::Terminal;
        if other_ended && goes_on && !std::mem::replace(&mut self.probed, true) {
            return Some(Act::ProbeSoon);
        }
        if self.closes_output() && !std::mem::replace(&mut self.output_closed, true) {
            return Some(Act::CloseOutput);
        }
        if self.says_open_at().is_some_and(|at| at <= now) {
            self.said_open = true;
            return Some(Act::SayStillOpen);
        }
        self.looks
            .is_some_and(|looks| looks.next <= now)
            .then_some(Act::Look)
    }

    fn end(&self, now: Instant) -> Option<End> {
        let is_shown = self.down.owed() == 0 && self.record == 0;
        if self.down.loss().is_some() && is_shown {
            return Some(End::Short(Blame::Broken));
        }
        let passed = |limit: Option<Instant>| limit.is_some_and(|at| at <= now);
        if self.up.loss().is_some()
            && (self.down.is_over() && is_shown || passed(self.gives_up_at()))
        {
            return Some(End::Short(Blame::Unsendable));
        }
        if let (Some(up), Some(down)) = (self.up.delivered(), self.down.delivered())
            && is_shown
        {
            return Some(End::Done(Proof::of(up, down)));
        }
        if passed(self.last_words_until()) {
            return Some(End::Short(Blame::Closed));
        }
        if passed(self.late_at()) {
            return Some(End::Short(Blame::Late));
        }
        passed(self.idles_at()).then_some(End::Short(Blame::Idle))
    }

    /// The next of the times that mean something; none of them has passed when nothing is to be done.
    fn deadline(&self) -> Option<Instant> {
        [
            self.stops_receiving_at().filter(|_| !self.reads_to_stop()),
            self.gives_up_at(),
            self.last_words_until(),
            self.stops_reading_at(),
            self.late_at(),
            self.idles_at(),
            self.says_open_at(),
            self.looks.map(|looks| looks.next),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// A server whose input was empty from the start: it has said nothing, nor that it is done.
    fn is_silent(&self) -> bool {
        let empty = self.up.taken() == 0 && self.terms.input == Input::Stream;
        self.terms.is_server && empty && self.up.ended_at().is_some()
    }

    /// When the input ended, if the other side was told so.
    fn finished_at(&self) -> Option<Instant> {
        self.up.ended_at().filter(|_| !self.is_silent())
    }

    fn half_closes(&self) -> bool {
        let finished = self.finished_at().is_some() && self.up.is_given();
        self.terms.half_close && finished
    }

    fn closes_output(&self) -> bool {
        let shown = self.down.ended_at().is_some() && self.down.delivered().is_some();
        let is_typed = self.terms.input == Input::Terminal;
        self.terms.closes_output && !is_typed && shown && !self.up.is_over()
    }

    /// Whether everything was given, and whether it was acknowledged decides what follows.
    fn wants_acknowledgement(&self) -> bool {
        let decides = !self.down.is_open() || self.terms.send_only;
        decides && self.up.is_given() && !self.up.is_over()
    }

    /// When to say that the input is silent, and keeps us.
    fn says_open_at(&self) -> Option<Instant> {
        let silent = self.up.silent_since().filter(|_| !self.said_open)?;
        Some(silent.max(self.down.ended_at()?) + STILL_OPEN)
    }

    /// When a limit stands in for the other side's end. It does so only behind all that had come: what waits
    /// for nothing but our output is late ([`Conversation::late_at`]), and not given up in silence.
    fn stops_receiving_at(&self) -> Option<Instant> {
        let limits = [self.quits_at(), self.lingers_until()];
        let first = limits.into_iter().flatten().min()?;
        // Since nothing was read, the other side may hold back the rest.
        let later = self.late_at().filter(|_| self.was_held_up);
        Some(later.map_or(first, |later| later.max(first)))
    }

    fn is_limit_over(&self, now: Instant) -> bool {
        self.stops_receiving_at().is_some_and(|at| at <= now)
    }

    /// Whether all was taken that had come when a limit was over and that was counted, or the source fell silent since.
    /// What came later, of a source that does not pause, is not waited for.
    fn has_all_that_came(&self) -> bool {
        let is_silent = self.down.silent_since().is_some();
        let is_taken = |bytes| self.down.taken() >= bytes;
        self.terms.send_only
            || self
                .wanted
                .is_some_and(|bytes| is_silent || is_taken(bytes))
    }

    /// Whether a limit is over, and it is no time that ends the receiving but what is read.
    fn reads_to_stop(&self) -> bool {
        self.wanted.is_some() || (self.was_held_up && self.is_held_up())
    }

    /// `-q`: when to stop receiving.
    fn quits_at(&self) -> Option<Instant> {
        let quits_at = self.finished_at()? + self.terms.quit_after?;
        self.down.is_open().then_some(quits_at)
    }

    /// `-q`: when what is not acknowledged or shown by then is missing. So soon after the end of the
    /// input that the last of it could not be acknowledged, it is a little later.
    fn late_at(&self) -> Option<Instant> {
        Some(self.finished_at()? + self.terms.quit_after?.max(LAST_WORDS))
    }

    /// `--send-only`: when the other side has had its time to end.
    fn lingers_until(&self) -> Option<Instant> {
        let delivered = self.up.delivered().filter(|_| self.down.is_open())?;
        (self.terms.send_only && !self.is_silent()).then(|| delivered.since() + LINGER)
    }

    /// When the connection takes no more: how long what still comes is received.
    fn gives_up_at(&self) -> Option<Instant> {
        let since = self.up.loss()?.since;
        match self.terms.send_only {
            true => Some(since + LINGER),
            // `-q` counts from the end of the input, not from a write that failed before.
            false => Some(self.finished_at()?.max(since) + self.terms.quit_after?.max(LAST_WORDS)),
        }
    }

    /// Until when the other side, which has ended its own, may take what was entered.
    fn last_words_until(&self) -> Option<Instant> {
        let stopped = self.up.stopped_at().filter(|_| !self.up.is_over())?;
        Some(stopped + LAST_WORDS)
    }

    /// When lines of a terminal are not waited for any more, after the other side ended its own.
    fn stops_reading_at(&self) -> Option<Instant> {
        let ended = self.down.ended_at()?;
        let is_typed = self.terms.input == Input::Terminal && self.up.is_open();
        is_typed.then(|| ended + LAST_WORDS)
    }

    /// When the connection will have been idle for too long.
    fn idles_at(&self) -> Option<Instant> {
        Some(self.active + self.terms.idle_timeout?)
    }
}
