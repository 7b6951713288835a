//! A download: how far it is, and how it ends.
//!
//! ```text
//!   handing over ─► all is handed over, our side is ended ─► all is acknowledged: whole
//!     │      │                    │
//!     │      └────────────────────┴─► closed, broke, or took nothing for too long
//!     └─► the file has less ─► what was handed over is acknowledged, or is not for a while: cut
//! ```
//!
//! It promises: a step hands over a bounded number of bytes, read at a place of its own; a byte counts as
//! taken when the other side acknowledged it, where the system tells; of a download that ends since the
//! file has less, what is on its way at that moment is waited for, but not for long.

use std::fmt;
use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::ops::Range;
use std::os::fd::AsFd;
use std::time::Duration;
use std::time::Instant;

use crate::io::conn::Conn;
use crate::io::error::why;
use crate::io::stream::Handed;
use crate::io::stream::Received;
use crate::io::stream::Stream;
use crate::io::tcp_info::TcpInfo;
use crate::io::web::Offered;

/// Bytes handed over, or added to the digest, in a turn: a disk may have to be waited for.
pub(super) const PIECE: usize = 256 * 1024;

/// Bytes read at a time of what is of no interest.
const UNREAD: usize = 4096;

/// The first look whether all was acknowledged, of which no event tells, and how far they come to lie apart.
const FIRST: Duration = Duration::from_millis(1);
const FARTHEST: Duration = Duration::from_millis(64);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Download {
    /// Bytes of the file: those that were asked for, and the next of them.
    asked: Range<u64>,
    at: u64,
    pub(super) began: Instant,
    /// How many bytes the connection had been handed when the last of them was, if the system tells.
    end: Option<u64>,
    /// The kernel hands the file over by itself, as far as is known.
    is_direct: bool,
    /// What it had taken when that was last asked for, and when.
    taken: u64,
    since: Instant,
    /// When to look next whether all was acknowledged, and how long before that.
    look: Option<(Instant, Duration)>,
    /// Why it gets no more, while what it was handed is on its way.
    cut: Option<Outcome>,
    /// Its key is among those whose turn it is.
    pub(super) is_ready: bool,
}

/// What a step came to.
#[derive(Debug)]
pub(super) enum Step {
    /// There is more to do at once.
    Again,
    /// An event will tell, or [`Download::deadline`] comes.
    Waits,
    Over(Outcome),
}

/// How a download ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The other side has all of it.
    Whole,
    /// It closed its connection.
    Closed,
    /// Its connection broke.
    Broke(io::Error),
    /// It took nothing for too long.
    Stalled,
    /// The file is shorter than it was.
    Shorter,
    /// The file cannot be read.
    Unreadable(io::Error),
    /// The hub ended.
    Ended,
}

impl Outcome {
    /// The same in a word for programs.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Outcome::Whole => "whole",
            Outcome::Closed => "closed",
            Outcome::Broke(_) => "broke",
            Outcome::Stalled => "stalled",
            Outcome::Shorter => "shorter",
            Outcome::Unreadable(_) => "unreadable",
            Outcome::Ended => "ended",
        }
    }

    /// Whether the hub ended it before all was handed over.
    pub(super) fn is_cut(&self) -> bool {
        matches!(
            self,
            Outcome::Stalled | Outcome::Shorter | Outcome::Unreadable(_)
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Whole => f.write_str("whole"),
            Outcome::Closed => f.write_str("closed"),
            Outcome::Broke(error) => f.write_str(&why(error)),
            Outcome::Stalled => f.write_str("cut off: took nothing"),
            Outcome::Shorter => f.write_str("cut off: the file is shorter than it was"),
            Outcome::Unreadable(error) => {
                write!(f, "cut off: the file cannot be read: {}", why(error))
            }
            Outcome::Ended => f.write_str("the hub ended"),
        }
    }
}

impl From<io::Error> for Outcome {
    fn from(error: io::Error) -> Outcome {
        match error.kind() {
            // As for a member: a program that ends while it is sent something closes its socket
            // with unread bytes, which the kernel answers with a reset.
            ErrorKind::BrokenPipe => Outcome::Closed,
            _ => Outcome::Broke(error),
        }
    }
}

impl Download {
    /// One of these bytes of the file, which begins now.
    pub(super) fn new(asked: Range<u64>, now: Instant) -> Download {
        Download {
            at: asked.start,
            asked,
            began: now,
            end: None,
            is_direct: true,
            taken: 0,
            since: now,
            look: None,
            cut: None,
            is_ready: true,
        }
    }

    /// How many bytes were asked for.
    pub(super) fn wanted(&self) -> u64 {
        self.asked.end - self.asked.start
    }

    /// The first and the last of them, in the file.
    pub(super) fn asked(&self) -> &Range<u64> {
        &self.asked
    }

    /// How many of them the other side acknowledged. Encrypted ones count as they are on the wire, so that
    /// it may have a few more; where the system does not tell, those that it was handed.
    pub(super) fn taken<S: Stream>(&self, conn: &Conn<S>) -> u64 {
        let out = conn.tcp_info().map_or(0, TcpInfo::unacknowledged);
        let out = out.max(u64::from(conn.has_pending_output()));
        (self.at - self.asked.start).saturating_sub(out)
    }

    /// When there is something to do although nothing happens, where it may take nothing for so long.
    pub(super) fn deadline(&self, limit: Duration) -> Instant {
        let look = self.look.map(|(at, _)| at);
        let stall = self.since + limit;
        look.map_or(stall, |look| look.min(stall))
    }

    /// One step, with a buffer.
    pub(super) fn step<S: Stream>(
        &mut self,
        conn: &mut Conn<S>,
        file: &Offered,
        limit: Duration,
        buffer: &mut [u8],
        now: Instant,
    ) -> Step {
        match self.go_on(conn, file, buffer, now) {
            Ok(()) => {}
            Err(outcome @ (Outcome::Shorter | Outcome::Unreadable(_))) => {
                self.cut = Some(outcome);
                self.look = Some((now, FIRST));
            }
            Err(outcome) => {
                return Step::Over(match self.is_acknowledged(conn) {
                    true => Outcome::Whole,
                    false => self.cut.take().unwrap_or(outcome),
                });
            }
        }
        if let Some(cut) = self.cut.take() {
            if !self.may_come_yet(conn, now) {
                return Step::Over(cut);
            }
            self.cut = Some(cut);
            self.look_again(now);
            return match conn.is_readable() {
                true => Step::Again,
                false => Step::Waits,
            };
        }
        if conn.is_shut() {
            // Where the system does not report acknowledgements, the client's end counts as one.
            if self.is_acknowledged(conn) || (conn.tcp_info().is_none() && conn.has_ended()) {
                return Step::Over(Outcome::Whole);
            }
            self.look_again(now);
        }
        if self.is_stalled(conn, limit, now) {
            return Step::Over(Outcome::Stalled);
        }
        match self.can_go_on(conn) || conn.is_readable() {
            true => Step::Again,
            false => Step::Waits,
        }
    }

    fn go_on<S: Stream>(
        &mut self,
        conn: &mut Conn<S>,
        file: &Offered,
        buffer: &mut [u8],
        now: Instant,
    ) -> Result<(), Outcome> {
        // The bytes that come are of no interest, but a reset is.
        if conn.is_readable()
            && let Received::Failed(error) = conn.read(&mut buffer[..UNREAD])
        {
            return Err(error.into());
        }
        if conn.has_ended()
            && let Some(error) = conn.take_error()
        {
            return Err(error.into());
        }
        conn.flush()?;
        if self.can_go_on(conn) {
            self.hand_over(conn, file, buffer)?;
        }
        if self.at == self.asked.end && !conn.is_shut() && !conn.has_pending_output() {
            self.end = conn.tcp_info().map(|info| info.written);
            conn.shutdown();
            self.look = Some((now, FIRST));
        }
        Ok(())
    }

    /// Whether it can be handed more at once.
    fn can_go_on<S: Stream>(&self, conn: &Conn<S>) -> bool {
        self.at < self.asked.end && self.cut.is_none() && conn.is_writable()
    }

    fn hand_over<S: Stream>(
        &mut self,
        conn: &mut Conn<S>,
        file: &Offered,
        buffer: &mut [u8],
    ) -> Result<(), Outcome> {
        let left = self.asked.end - self.at;
        let most = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        // `--explain` has to see the bytes.
        let is_direct = self.is_direct && conn.is_wire() && !conn.is_explained();
        if is_direct && !conn.has_pending_output() {
            match conn.send_file(file.as_fd(), self.at, most) {
                Handed::Bytes(count) => self.at += count as u64,
                Handed::Full => {}
                Handed::Nothing => return Err(Outcome::Shorter),
                Handed::Refused => self.is_direct = false,
                Handed::Failed(error) => return Err(error.into()),
            }
            return Ok(());
        }
        let count = file
            .read_at(&mut buffer[..most], self.at)
            .map_err(Outcome::Unreadable)?;
        if count == 0 {
            return Err(Outcome::Shorter);
        }
        self.at += conn.write(&[IoSlice::new(&buffer[..count])])? as u64;
        Ok(())
    }

    /// Whether all was handed over, and acknowledged.
    pub(super) fn is_acknowledged<S: Stream>(&self, conn: &Conn<S>) -> bool {
        // A client that has all may be gone before the goodbye of TLS comes, which nobody acknowledges then.
        let info = conn.tcp_info().zip(self.end);
        info.is_some_and(|(info, end)| info.acknowledged >= end)
    }

    /// Whether what it was handed is not acknowledged yet, and was not waited for long.
    fn may_come_yet<S: Stream>(&self, conn: &Conn<S>, now: Instant) -> bool {
        let info = conn.tcp_info();
        let is_out = info.is_some_and(|info| info.unacknowledged() > 0);
        let is_late = (self.look).is_some_and(|(at, pause)| at <= now && pause == FARTHEST);
        (is_out || conn.has_pending_output()) && !is_late
    }

    fn look_again(&mut self, now: Instant) {
        if let Some((at, pause)) = self.look
            && at <= now
        {
            self.look = Some((now + pause, (pause * 2).min(FARTHEST)));
        }
    }

    /// Whether it took nothing for so long, though its kernel has all that fits.
    fn is_stalled<S: Stream>(&mut self, conn: &Conn<S>, limit: Duration, now: Instant) -> bool {
        if now < self.since + limit {
            return false;
        }
        let before = self.taken;
        self.taken = self.taken(conn);
        self.since = now;
        self.taken <= before && !self.can_go_on(conn)
    }
}
