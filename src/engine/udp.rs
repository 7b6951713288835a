//! A conversation by UDP: which datagrams go where, when it ends, and what the operator is told.
//!
//! ```text
//!   stdin ─► feed ─► Datagrams ─► begin: one of them, and to whom ─► due ─► went ──┐
//!                                            ▲                    ▲             │
//!   heard ─────────────────────────────► Senders                 └── more to ◄──┘
//! ```
//!
//! The sockets, stdin and what is shown are [`crate::udp`]'s; it asks here, and does.
//!
//! It promises: each datagram that is due goes out once to each other end, in the order in which it
//! was read; messages that senders can cause are bounded in time (see
//! [`Limiter`](crate::engine::limiter::Limiter)).

pub mod datagrams;
mod news;
pub mod senders;

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use self::datagrams::Datagrams;
pub use self::news::News;
use self::news::Newsroom;
pub use self::news::Weight;
pub use self::senders::Address;
use self::senders::Heard;
use self::senders::Senders;
use super::command::Typed;
use super::command::how_said;
use super::command::understand;
use super::crlf::Crlf;
use super::private::is_private;

/// The options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// With one other side: the longest silence. Else: how long a sender is answered.
    pub silence: Option<Duration>,
    /// It is over that long after the end of stdin.
    pub quit_after: Option<Duration>,
    /// After each datagram nothing is sent for that long.
    pub delay: Option<Duration>,
    /// A bare LF becomes CRLF.
    pub crlf: bool,
    /// Only one direction is used.
    pub sends_only: bool,
    /// Only the other one is.
    pub receives_only: bool,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it was to.
    Over,
    /// By a silence that was too long, before stdin ended.
    Silence,
}

/// Bytes of typed lines that may wait to go out; then no key is read.
pub const BACKLOG: usize = 64 * 1024;

/// How long a sender is answered, by default.
pub const REMEMBERED: Duration = Duration::from_secs(600);

/// The answer to a typed line that a hub would take for a command, or for a private line, or to the rest of one.
pub const NO_COMMANDS: &str = "a hub of UDP has no commands: that was not sent";

/// The part of a typed or pasted line that goes to all senders: a hub of UDP has no commands, and a private line goes
/// to none. Pasted lines are text, whatever they begin with.
///
/// # Errors
/// Nothing is sent of it: what is told of that, and how it is sent.
pub fn for_everybody(line: &[u8], is_pasted: bool) -> Result<&[u8], String> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    let said = match is_pasted {
        true => (!is_private(text)).then_some(line),
        false => match understand(text) {
            Typed::Say(_) if line.starts_with(b"//") => Some(&line[1..]),
            Typed::Say(_) => Some(line),
            Typed::Do(_) | Typed::Explain(_) => None,
        },
    };
    said.ok_or_else(|| match how_said(text) {
        "" => format!("{NO_COMMANDS}; it may be for one alone"),
        how => format!("{NO_COMMANDS}{how}"),
    })
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Exchange<A> {
    rules: Rules,
    others: Others<A>,
    datagrams: Datagrams,
    crlf: Option<Crlf>,
    outgoing: Option<Outgoing<A>>,
    /// When stdin ended and, among many, when the first of them was heard, if that was later.
    ended: Option<Instant>,
    /// Until when nothing is sent.
    pause: Option<Instant>,
    /// When something went or came last.
    active: Instant,
    newsroom: Newsroom<A>,
}

/// The other ends.
#[derive(Debug)]
enum Others<A> {
    One,
    Many(Box<Senders<A>>),
}

/// A datagram that goes out, and to whom it has not gone yet.
#[derive(Debug)]
struct Outgoing<A> {
    datagram: Vec<u8>,
    to: VecDeque<Option<A>>,
}

impl<A: Address> Exchange<A> {
    /// One with one other side.
    pub fn with_one(rules: Rules, now: Instant) -> Exchange<A> {
        Exchange::new(rules, Others::One, now)
    }

    /// A conversation with all senders that are heard.
    pub fn with_many(rules: Rules, now: Instant) -> Exchange<A> {
        let senders = Senders::new(rules.silence.unwrap_or(REMEMBERED));
        Exchange::new(rules, Others::Many(Box::new(senders)), now)
    }

    fn new(rules: Rules, others: Others<A>, now: Instant) -> Exchange<A> {
        Exchange {
            rules,
            others,
            datagrams: Datagrams::default(),
            crlf: rules.crlf.then(Crlf::default),
            outgoing: None,
            ended: None,
            pause: None,
            active: now,
            newsroom: Newsroom::default(),
        }
    }

    /// A datagram of so many bytes came from there: by which number its sender is known, or 0 for one of a crowd.
    pub fn heard(&mut self, from: A, len: usize, now: Instant) -> u32 {
        self.active = now;
        let Others::Many(senders) = &mut self.others else {
            return 1;
        };
        match senders.heard(from, len, now) {
            Heard::Known(number) => number,
            Heard::New(number, forgotten) => {
                let here = senders.len();
                if senders.ever() == 1 {
                    self.ended = self.ended.map(|_| now);
                }
                self.newsroom.came(number, from, here, forgotten, now);
                number
            }
            Heard::Crowd => 0,
        }
    }

    /// Something came that our own output keeps from being heard: meanwhile nobody counts as silent.
    pub fn excuse(&mut self, now: Instant) {
        self.active = now;
        if let Others::Many(senders) = &mut self.others {
            senders.excuse(now);
        }
    }

    /// What a read of stdin gave.
    pub fn feed(&mut self, read: &[u8], now: Instant) {
        let Some(crlf) = &mut self.crlf else {
            return self.datagrams.feed(read, now);
        };
        let mut converted = Vec::with_capacity(read.len() + 64);
        crlf.convert(read, &mut converted);
        self.datagrams.feed(&converted, now);
    }

    /// The bytes that were read are all for now: Ctrl-D within a line says so (termios(3), VEOF).
    pub fn finish(&mut self) {
        self.datagrams.finish();
    }

    /// Stdin has ended.
    pub fn end(&mut self, now: Instant) {
        self.datagrams.finish();
        self.ended = Some(now);
    }

    /// Does what is due by the time.
    pub fn look(&mut self, now: Instant) {
        self.datagrams.look(now);
        if let Others::Many(senders) = &mut self.others {
            while let Some((number, addr)) = senders.expired(now) {
                self.newsroom.fell_silent(number, addr, senders.len(), now);
            }
        }
        self.newsroom.look(now);
    }

    /// Begins with the next datagram, if no other is on its way and it may go now. Whether one is.
    pub fn begin(&mut self, now: Instant) -> bool {
        if self.outgoing.is_some() {
            return true;
        }
        if !self.can_send(now) {
            return false;
        }
        let Some(datagram) = self.datagrams.take() else {
            return false;
        };
        let to = match &mut self.others {
            Others::One => VecDeque::from([None]),
            Others::Many(senders) => {
                let reach = senders.reach(datagram.len());
                if let Some(left_out) = reach.left_out {
                    self.newsroom.left_out(datagram.len(), left_out, now);
                }
                reach.to.into_iter().map(Some).collect()
            }
        };
        self.pause = self.rules.delay.map(|delay| now + delay);
        self.outgoing = Some(Outgoing { datagram, to });
        true
    }

    /// What is to be sent next of what has begun, and to whom, if not to the one other side.
    pub fn due(&mut self) -> Option<(&[u8], Option<A>)> {
        if self.outgoing.as_ref()?.to.is_empty() {
            self.outgoing = None;
        }
        let outgoing = self.outgoing.as_ref()?;
        Some((&outgoing.datagram, *outgoing.to.front()?))
    }

    /// The datagram that was due went out.
    pub fn went(&mut self, now: Instant) {
        self.active = now;
        let to = self.next().flatten();
        if let (Others::Many(senders), Some(to)) = (&mut self.others, to) {
            senders.went(&to);
        }
    }

    /// The datagram that was due to one of many senders did not go, and will not.
    pub fn failed(&mut self, why: String, now: Instant) {
        if let Some(to) = self.next().flatten() {
            self.newsroom.failed(to, why, now);
        }
    }

    fn next(&mut self) -> Option<Option<A>> {
        self.outgoing.as_mut()?.to.pop_front()
    }

    /// The next thing that is worth telling.
    pub fn take_news(&mut self) -> Option<News<A>> {
        self.newsroom.take()
    }

    /// Whether more than one was ever heard.
    pub fn has_several(&self) -> bool {
        matches!(&self.others, Others::Many(senders) if senders.ever() > 1)
    }

    /// Whether more of stdin is wanted: what it gives can go out at once.
    pub fn wants_input(&self) -> bool {
        self.ended.is_none() && self.outgoing.is_none() && self.datagrams.is_empty()
    }

    /// Whether keys are wanted. A key is more than a byte to be sent (it edits a line, ends the program), so that
    /// keys are read also while lines wait to go out, up to [`BACKLOG`] bytes of them.
    pub fn wants_keys(&self) -> bool {
        self.ended.is_none() && self.datagrams.bytes() < BACKLOG
    }

    /// How many datagrams wait for somebody to send them to.
    pub fn waiting_for_somebody(&self) -> usize {
        match self.is_alone() {
            true => self.datagrams.len(),
            false => 0,
        }
    }

    /// Whether there is something to send, an address to send it to, and no pause.
    pub fn can_send(&self, now: Instant) -> bool {
        self.outgoing.is_some() || self.has_more() && self.pause.is_none_or(|until| now >= until)
    }

    fn has_more(&self) -> bool {
        !self.datagrams.is_empty() && !self.is_alone()
    }

    fn is_all_sent(&self) -> bool {
        self.outgoing.is_none() && !self.has_more()
    }

    /// Whether there is no sender yet, so that input waits for the first.
    fn is_alone(&self) -> bool {
        matches!(&self.others, Others::Many(senders) if senders.is_empty())
    }

    /// When to [`Exchange::look`], to send or to ask for the ending, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        let silence = match &self.others {
            Others::One => self.rules.silence.map(|limit| self.active + limit),
            Others::Many(senders) => senders.deadline(),
        };
        let times = [
            silence,
            self.newsroom.deadline(),
            self.datagrams.deadline(),
            self.pause.filter(|_| self.has_more()),
            self.over_at().filter(|_| self.is_all_sent()),
        ];
        times.into_iter().flatten().min()
    }

    /// Whether nobody was ever heard.
    fn waits_for_first(&self) -> bool {
        matches!(&self.others, Others::Many(senders) if senders.ever() == 0)
    }

    /// When it is over, if all is sent by then and nothing else happens: what was read is for the first who
    /// is heard, and waits for that.
    fn over_at(&self) -> Option<Instant> {
        let ended = self.ended.filter(|_| !self.waits_for_first())?;
        let none = self.rules.sends_only.then_some(Duration::ZERO);
        self.rules.quit_after.or(none).map(|time| ended + time)
    }

    /// Whether it is over, and how.
    pub fn ending(&self, now: Instant) -> Option<Ending> {
        if matches!(self.others, Others::One)
            && let Some(limit) = self.rules.silence
            && now >= self.active + limit
        {
            return Some(match self.ended.is_some() || self.rules.receives_only {
                true => Ending::Over,
                false => Ending::Silence,
            });
        }
        let is_over = self.is_all_sent() && self.over_at().is_some_and(|at| now >= at);
        is_over.then_some(Ending::Over)
    }
}

#[cfg(test)]
mod tests;
