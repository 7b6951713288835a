//! When a participant is done: who ended what, what is still on its way, and which time is over.
//!
//! It promises: it ends with [`Status::Done`] only if everything arrived that was to arrive; any other
//! end is an error that says what is missing.

use std::io;
use std::io::ErrorKind;
use std::time::Instant;

use super::Client;
use super::LAST_INPUT;
use super::LINGER;
use super::Traffic;
use crate::engine::dead_peer;
use crate::io::console::Console;
use crate::io::device::Kind;
use crate::io::error::Error;
use crate::io::record::Records;
use crate::status::NOTICE;
use crate::status::Status;

/// How far the conversation is.
#[derive(Default)]
pub(super) struct ClientState {
    /// Something was read from stdin.
    pub(super) spoke: bool,
    /// Bytes sent and received.
    pub(super) sent: u64,
    pub(super) received: u64,
    /// Something was sent or received in this turn, and when that was last so.
    pub(super) moved: bool,
    pub(super) active: Option<Instant>,
    /// When our input ended, and when everything was sent after that.
    pub(super) finished: Option<Instant>,
    pub(super) all_sent: Option<Instant>,
    /// Since when stdin has been silent while only it keeps us here.
    pub(super) silent: Option<Instant>,
    /// Nobody reads stdout any more.
    pub(super) broken_pipe: bool,
    /// The connection takes no more, and why.
    pub(super) unsendable: Option<io::Error>,
    /// The connection broke while being read.
    pub(super) broken: Option<io::Error>,
}

impl Client {
    /// Gives the other side up if it vanished: see [`dead_peer`].
    pub(super) fn check_up(&mut self, now: Instant) {
        if self.checkup.is_some_and(|checkup| checkup <= now) {
            self.checkup = None;
            // What came before is read first.
            if self.conn.has_vanished() && !self.conn.is_readable() {
                self.state.broken = Some(ErrorKind::TimedOut.into());
            }
        }
        if self.conn.is_watched() {
            self.checkup.get_or_insert(now + dead_peer::EVERY);
        }
    }

    /// Decides whether we are done, and ends our side when stdin did.
    pub(super) fn outcome(&mut self, now: Instant) -> Result<Option<Status>, Error> {
        if self.state.broken_pipe {
            return Ok(Some(Status::BrokenPipe));
        }
        if self.state.finished.is_some() && self.has_sent_all() && self.state.all_sent.is_none() {
            self.state.all_sent = Some(now);
            if self.settings.half_close {
                self.conn.shutdown();
            }
        }
        // Whatever happened to the connection: first what the other side said.
        let written = self.console.as_ref().is_none_or(Console::is_written);
        let recorded = self.records.as_ref().map_or(0, Records::waiting_for_stdout) == 0;
        let shown = self.down.is_empty() && written && recorded;
        self.note_activity(shown, now);
        if shown {
            if let Some(error) = &self.state.broken {
                return Err(self.cut_short("receive from", error));
            }
            if self.conn.has_ended() {
                return self.closed(now);
            }
        }
        self.timed_out(now)
    }

    /// Takes note of whether the connection was idle in this turn. Where our own output holds it up,
    /// that is no idleness.
    pub(super) fn note_activity(&mut self, shown: bool, now: Instant) {
        let over = self.idles().is_none_or(|end| end <= now);
        let unread = self.conn.is_readable() && !self.stdout.is_writable();
        let first = self.state.active.is_none();
        if std::mem::take(&mut self.state.moved) || first || (over && (unread || !shown)) {
            self.state.active = Some(now);
        }
    }

    /// The other side sends no more, and all it sent is printed.
    pub(super) fn closed(&mut self, now: Instant) -> Result<Option<Status>, Error> {
        if let Some(error) = &self.state.unsendable {
            return Err(self.cut_short("send to", error));
        }
        let unfinished = self.stdin().is_some_and(|stdin| {
            let lasting = stdin.kind() != Kind::Terminal;
            lasting && !(stdin.has_ended() && self.has_sent_all())
        });
        if unfinished {
            // It may have closed only its own side: our input still goes to its end.
            let idle = self.has_sent_all() && self.pause().is_none();
            match self.state.silent {
                Some(since) if idle && now >= since + LAST_INPUT => {}
                None if idle => {
                    self.state.silent = Some(now);
                    return Ok(None);
                }
                _ => return self.timed_out(now),
            }
        }
        if self.stdin().is_some_and(|stdin| !stdin.has_ended()) {
            log::info!(target: NOTICE, "{} closed the connection", self.conn.addr());
        }
        Ok(Some(Status::Done))
    }

    /// The limits of time: the user's, and the one of `--send-only`.
    pub(super) fn timed_out(&self, now: Instant) -> Result<Option<Status>, Error> {
        if self.lingers().is_some_and(|end| now >= end) {
            return match &self.state.unsendable {
                Some(error) => Err(self.cut_short("send to", error)),
                None => Ok(Some(Status::Done)),
            };
        }
        if let Some(limit) = self.settings.idle_timeout
            && self.idles().is_some_and(|end| now >= end)
        {
            return Err(Error::new(
                format!("wait for {}", self.conn.addr()),
                format!("nothing was sent or received for {limit:?}"),
            )
            .hint("-i sets how long that may be."));
        }
        if self.quits().is_none_or(|end| now < end) {
            return Ok(None);
        }
        match self.up.waiting().len() + self.typed.len() {
            0 if self.has_sent_all() => {
                log::info!("leaving: -q has passed since the end of stdin");
                Ok(Some(Status::Done))
            }
            0 => Err(Error::new(
                format!("send to {}", self.conn.addr()),
                "the last of it was not taken in the time that -q gives",
            )),
            left => Err(Error::new(
                format!("send to {}", self.conn.addr()),
                format!("{left} bytes were not taken in the time that -q gives"),
            )),
        }
    }

    /// Whether the kernel has everything that was to be sent so far, or will never have it.
    pub(super) fn has_sent_all(&self) -> bool {
        let pending = self.conn.has_pending_output() && self.state.unsendable.is_none();
        self.up.is_empty() && self.typed.is_empty() && !pending
    }

    /// Whether the other side has everything that it will ever get.
    pub(super) fn is_complete(&self) -> bool {
        let silent = self
            .stdin()
            .is_none_or(|stdin| stdin.has_ended() || stdin.kind() == Kind::Terminal);
        silent && self.has_sent_all()
    }

    pub(super) fn cut_short(&self, doing: &str, error: &io::Error) -> Error {
        let told = Error::system(format!("{doing} {}", self.conn.addr()), error);
        if error.kind() == ErrorKind::TimedOut {
            return told
                .hint("The other side has not answered for a minute and more: is the network up?");
        }
        match &self.state.unsendable {
            Some(_) => told.hint("The other side closed before everything was sent."),
            None if error.kind() == ErrorKind::UnexpectedEof => told.hint(
                "Some programs never say it, or not to whoever ended its own side first \
                 (--no-shutdown does not); from any other, the end of what came may be missing.",
            ),
            None => told,
        }
    }

    pub(super) fn quits(&self) -> Option<Instant> {
        Some(self.state.finished? + self.settings.quit_after?)
    }

    /// Until when nothing is sent.
    pub(super) fn pause(&self) -> Option<Instant> {
        self.line_delay.as_ref()?.until()
    }

    /// When the connection was idle for too long. One that the other side closed has nothing more to
    /// give: then it is stdin that is waited for.
    pub(super) fn idles(&self) -> Option<Instant> {
        if self.state.silent.is_some() {
            return None;
        }
        Some(self.state.active? + self.settings.idle_timeout?)
    }

    pub(super) fn lingers(&self) -> Option<Instant> {
        match self.settings.traffic {
            Traffic::SendOnly => Some(self.state.all_sent? + LINGER),
            _ => None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let silent = self.state.silent.map(|since| since + LAST_INPUT);
        [
            self.quits(),
            self.lingers(),
            self.idles(),
            self.pause(),
            silent,
            self.checkup,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
