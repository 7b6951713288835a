//! The notice that a member left: what is told of it, and as what kind of news.
//!
//! It promises: each loss is told in one number: what was promised at the end, all else here.

use std::fmt;
use std::fmt::Write;
use std::time::Duration;

use super::DisconnectReason;
use crate::hub::news::Topic;
use crate::io::error::why;
use crate::io::stream::Unread;

/// What is told of a member that left.
#[derive(Debug)]
pub(super) struct Parting {
    pub(super) who: String,
    pub(super) why: DisconnectReason,
    /// Bytes that were said to it and not delivered.
    pub(super) undelivered: u64,
    /// Bytes that it lacks of what it was promised, if it was.
    pub(super) missing: Option<u64>,
    /// Bytes that it had said and nobody reads.
    pub(super) unread: Unread,
    pub(super) traffic: Traffic,
}

/// What was moved while it was there.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) stayed: Duration,
    pub(super) received: u64,
    pub(super) sent: u64,
    /// How many are here without it.
    pub(super) here: usize,
}

/// For how long a member may keep others waiting, and say and be told nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) stall: Duration,
    pub(super) idle: Duration,
}

impl Parting {
    /// Of which kind of news it is.
    pub(super) fn topic(&self) -> Topic {
        match self.why {
            _ if self.why.is_its_own() && self.unread != Unread::NOTHING => Topic::Unheard,
            DisconnectReason::Idle | DisconnectReason::Kicked(_) if self.loses_something() => {
                Topic::CutOff
            }
            DisconnectReason::Closed
            | DisconnectReason::Broke(_)
            | DisconnectReason::Idle
            | DisconnectReason::Returned => Topic::Left,
            DisconnectReason::Stalled | DisconnectReason::Slow | DisconnectReason::Behind => {
                Topic::CutOff
            }
            DisconnectReason::Kicked(_) => Topic::Kicked,
        }
    }

    /// The notice.
    pub(super) fn told(&self, limits: Limits) -> String {
        let mut told = format!("{} ", self.who);
        // Writing to a String cannot fail.
        let _ = self.tell_why(limits, &mut told);
        let _ = self.tell_losses(&mut told);
        if !self.why.is_its_own() || self.unread.bytes > 0 {
            told.push(';');
        }
        let _ = write!(told, " {}", self.traffic);
        told
    }

    fn tell_why(&self, limits: Limits, out: &mut String) -> fmt::Result {
        let Limits { stall, idle } = limits;
        match &self.why {
            DisconnectReason::Closed => write!(out, "left"),
            DisconnectReason::Broke(error) => write!(out, "left ({})", why(error)),
            DisconnectReason::Returned => {
                write!(out, "left, since it is back over another connection,")
            }
            DisconnectReason::Stalled => write!(
                out,
                "was cut off: it took nothing for {stall:?} while all waited for it"
            ),
            DisconnectReason::Slow => write!(
                out,
                "was cut off: it was too slow for the others, who waited {stall:?} for it"
            ),
            DisconnectReason::Behind => write!(out, "was cut off: it fell too far behind"),
            DisconnectReason::Idle => write!(
                out,
                "was disconnected: nothing was sent or received for {idle:?}"
            ),
            DisconnectReason::Kicked(kick) => write!(out, "was cut off {}", kick.told_to_us()),
        }
    }

    /// What was lost with it. How much it lacks of the whole is told at the end: one number for one loss.
    fn tell_losses(&self, out: &mut String) -> fmt::Result {
        match (self.missing, self.undelivered) {
            _ if self.why.is_its_own() || !self.lacks_something() => {}
            (Some(_), _) => write!(out, ", what it lacks is told at the end")?,
            (None, bytes) => write!(out, ", {bytes} bytes were not delivered")?,
        }
        match self.unread.bytes {
            0 => Ok(()),
            bytes if self.unread.may_be_more => {
                write!(out, ", at least {bytes} bytes it had said were not read")
            }
            bytes => write!(out, ", {bytes} bytes it had said were not read"),
        }
    }

    fn lacks_something(&self) -> bool {
        self.missing.unwrap_or(self.undelivered) > 0
    }

    fn loses_something(&self) -> bool {
        self.lacks_something() || self.unread.bytes > 0
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "after {:.1?}, {} bytes in, {} out, {} here",
            self.stayed, self.received, self.sent, self.here
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::peers::Kick;

    /// With `--quiet` only what is an error is told.
    #[test]
    fn what_is_lost_is_an_error_and_told_with_its_number() {
        let parting = |why, undelivered, unread| Parting {
            who: String::from("[1]"),
            why,
            undelivered,
            missing: None,
            unread: Unread::all(unread),
            traffic: Traffic {
                stayed: Duration::from_secs(1),
                received: 2,
                sent: 3,
                here: 4,
            },
        };
        let limits = Limits {
            stall: Duration::from_secs(5),
            idle: Duration::from_secs(6),
        };
        let kicked = || DisconnectReason::Kicked(Kick::by_us("loud"));
        let traffic = "after 1.0s, 2 bytes in, 3 out, 4 here";
        for (parting, topic, told) in [
            (
                parting(kicked(), 0, 0),
                Topic::Kicked,
                "[1] was cut off by you: loud; ",
            ),
            (
                parting(kicked(), 7, 8),
                Topic::CutOff,
                "[1] was cut off by you: loud, 7 bytes were not delivered, 8 bytes it had said were not read; ",
            ),
            (
                parting(DisconnectReason::Idle, 7, 0),
                Topic::CutOff,
                "[1] was disconnected: nothing was sent or received for 6s, 7 bytes were not delivered; ",
            ),
            (
                parting(DisconnectReason::Stalled, 7, 0),
                Topic::CutOff,
                "[1] was cut off: it took nothing for 5s while all waited for it, 7 bytes were not delivered; ",
            ),
            (
                parting(DisconnectReason::Closed, 7, 8),
                Topic::Unheard,
                "[1] left, 8 bytes it had said were not read; ",
            ),
            (
                parting(DisconnectReason::Closed, 7, 0),
                Topic::Left,
                "[1] left ",
            ),
        ] {
            assert_eq!(parting.topic(), topic, "{told}");
            assert_eq!(parting.told(limits), format!("{told}{traffic}"));
            let is_loss = matches!(topic, Topic::CutOff | Topic::Unheard);
            assert_eq!(topic.level() == log::Level::Error, is_loss, "{told}");
        }
    }
}
