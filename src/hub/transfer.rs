//! A transfer to all at once: waiting until everybody is here, and how far it is.
//!
//! It promises: nothing of stdin is read before as many are here as were asked for; what begins
//! goes on, whoever leaves; and whoever comes when a file or a pipe has begun is told so instead of
//! getting a part of it.

use std::time::Instant;

use super::Hub;
use crate::engine::progress::Size;
use crate::engine::progress::TransferProgress;
use crate::io::descriptor::Kind;
use crate::io::notices::Stderr;
use crate::io::stdin::Stdin;
use crate::io::terminal::Terminal;
use crate::status::NOTICE;

/// How far the transfer is.
#[derive(Default)]
pub(super) struct Transfer {
    /// How many must be here before it begins, if it has not.
    awaited: Option<usize>,
    /// Somebody was waited for.
    waited: bool,
    /// Only where there is a terminal to draw it on.
    progress: Option<TransferProgress>,
    began: Option<Instant>,
    /// Those who were here then.
    receivers: usize,
}

impl Transfer {
    /// One that begins when so many are here, if any number is given.
    pub(super) fn new(awaited: Option<usize>) -> Transfer {
        Transfer {
            awaited,
            waited: awaited.is_some(),
            ..Transfer::default()
        }
    }

    /// Whether it has not begun.
    pub(super) fn is_waiting(&self) -> bool {
        self.awaited.is_some()
    }
}

impl Hub {
    /// Whether what the operator says may go out.
    pub(super) fn wants_input(&self) -> bool {
        !self.transfer.is_waiting() && self.peers.room.wants_input()
    }

    /// How many are here, in words.
    pub(super) fn here(&self) -> String {
        let here = self.peers.room.len();
        match self.transfer.awaited {
            Some(awaited) => format!("{here} of {awaited} here"),
            None => format!("{here} here"),
        }
    }

    /// Whether somebody who comes now would get only a part: of a file or a pipe that everybody was
    /// waited for with. What is typed is not a whole.
    pub(super) fn is_too_late(&self) -> bool {
        let streams = |stdin: &Stdin| stdin.kind() != Kind::Terminal && !stdin.has_ended();
        self.transfer.waited
            && !self.transfer.is_waiting()
            && self.stdin.as_ref().is_some_and(streams)
    }

    /// Somebody came: perhaps the last who was waited for.
    pub(super) fn begin_if_complete(&mut self, now: Instant) {
        let here = self.peers.room.len();
        if self.transfer.awaited.is_none_or(|awaited| here < awaited) {
            return;
        }
        log::info!(target: NOTICE, "all {here} are here: it begins");
        self.transfer.awaited = None;
        self.transfer.began = Some(now);
        self.transfer.receivers = here;
        let Some(stdin) = &self.stdin else {
            return;
        };
        let wanted = log::log_enabled!(target: NOTICE, log::Level::Info);
        let is_typed = stdin.kind() == Kind::Terminal;
        if wanted && !is_typed && self.stderr.is_capable_terminal() {
            self.transfer.progress = Some(TransferProgress::new(stdin.remaining(), now));
        }
    }

    /// What was moved: by it we know whether there is something new to be drawn.
    fn moved(&self) -> (u64, u64) {
        (self.peers.said, self.peers.room.retained())
    }

    /// When the line that tells how far it is is to be drawn next, if something moved.
    pub(super) fn draws(&self) -> Option<Instant> {
        self.transfer.progress.as_ref()?.due(self.moved())
    }

    /// Draws that line, if it is time. It is never drawn over the beginning of a line of a peer.
    pub(super) fn draw(&mut self, now: Instant) {
        if self.draws().is_none_or(|at| now < at) {
            return;
        }
        let state = self.moved();
        let room = &self.peers.room;
        if let Some(progress) = &mut self.transfer.progress {
            let line = progress.line(state, room.slowest(), Terminal::columns_of_stderr(), now);
            if !room.screen().is_midline() || self.stdout.kind() != Kind::Terminal {
                self.stderr.draw(&line);
            }
        }
    }

    /// Says what was moved, all in all.
    pub(super) fn sum_up(&mut self, now: Instant) {
        self.stderr.erase();
        let said = self.peers.said;
        let since = self.transfer.began.unwrap_or(self.began);
        let time = now.saturating_duration_since(since);
        let rate = Size((said as f64 / time.as_secs_f64().max(0.001)) as u64);
        let received = self.peers.received();
        match self.transfer.began {
            Some(_) => log::info!(
                target: NOTICE,
                "sent {said} bytes to {}, received {received} in {time:.1?}: {rate}/s",
                self.transfer.receivers
            ),
            None => log::info!(
                "sent {said} bytes to everybody, received {received} in {time:.1?}: {rate}/s"
            ),
        }
    }
}

/// Makes way on stderr for what is shown on the same terminal.
pub(super) fn make_way(stderr: &mut Stderr) {
    if stderr.erase() {
        stderr.flush();
    }
}
