//! The claim to a name on the bus: whether this hub has it, or another hub.
//!
//! ```text
//!   unsettled ─▶ waiting ─▶ asking ── our claim is read in the log, and the name was free ─▶ held
//!       │           ▲          └───── another held it: until its lease is over ──┐
//!       │           └────────────────────────────────────────────────────────────┘
//!       └─▶ listening, where nobody can tell who holds it ─▶ waiting
//! ```
//!
//! A connection that is lost makes it unsettled again: whoever held the name reads in the log what was said
//! meanwhile, to the end, and holds it still, or waits until the other that took it ends.
//!
//! The log decides: the hub whose message stands first in it has the name, and the other hub reads that
//! there. Without a log a hub can only listen: a hub that has the name would speak within that time.
//!
//! It promises: no line goes to the bus before this hub has the name, nor, with a log, before it has it again;
//! two hubs that begin at once never both have it.

use std::time::Duration;
use std::time::Instant;

use crate::engine::bus::envelope::Key;
use crate::engine::bus::lookup::Spoke;
use crate::engine::bus::outbox::HEARTBEAT;
use crate::engine::bus::roll::LEASE;

/// A hub that is there speaks by then.
const LISTEN: Duration = HEARTBEAT.saturating_add(Duration::from_secs(1));

/// Stamps of the log and our clock may differ so much while a lease is waited for.
const MARGIN: Duration = Duration::from_millis(200);

/// A claim that was not read in the log so long is made again.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Unsettled,
    Listening { until: Instant },
    Waiting { until: Instant },
    Asking { since: Instant },
    Held,
}

/// What was read of our name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// A message of ours, and the name was ours.
    Ours,
    /// A message of ours, but another holds the name so long.
    NotOurs(Duration),
    /// A message of another, who holds the name or, without a log, claims it.
    Another {
        /// Who.
        key: Key,
        /// It does not have it yet.
        claims: bool,
    },
    /// Its holder said farewell.
    Free,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    None,
    /// The name is ours, and was not before.
    Held,
    /// Another holds it, and is silent: it is waited for so long. Given once.
    Wait(Duration),
    /// Another has it, and this hub never had it.
    Taken,
    /// Another took it while this hub was away: it is waited for. Given once until it is had again.
    Lost,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Claim {
    own: Key,
    stage: Stage,
    /// The name was ours before.
    has_held: bool,
    has_log: bool,
    /// Without a log the others were told once that we are about to take it.
    is_announced: bool,
    /// It was told that another has the name.
    is_told: bool,
}

impl Claim {
    /// For the process with that key.
    pub(super) fn new(own: Key) -> Claim {
        Claim {
            own,
            stage: Stage::Unsettled,
            has_held: false,
            has_log: true,
            is_announced: false,
            is_told: false,
        }
    }

    /// There is a stream, and that is who spoke last in our name, which counts if it never was ours: else
    /// [`Claim::caught_up`] follows.
    pub(super) fn begin_with_log(&mut self, spoke: Spoke, now: Instant) {
        self.has_log = true;
        self.stage = match spoke {
            _ if self.has_held => Stage::Unsettled,
            Spoke::Stranger => Stage::Listening {
                until: now + LISTEN,
            },
            _ => Stage::Waiting { until: now },
        };
    }

    /// The log was read to its end on this connection. `other`: another holds the name so long.
    pub(super) fn caught_up(&mut self, other: Option<Duration>, now: Instant) -> Step {
        match (self.stage, other) {
            (Stage::Unsettled, None) if self.has_held => self.hold(),
            (Stage::Unsettled, Some(left)) if self.has_held => self.wait(left, now),
            _ => Step::None,
        }
    }

    /// There is none.
    pub(super) fn begin_without_log(&mut self, now: Instant) {
        self.has_log = false;
        if !self.is_held() {
            self.is_announced = false;
            let until = now + LISTEN;
            self.stage = Stage::Listening { until };
        }
    }

    /// The connection is gone.
    pub(super) fn interrupted(&mut self) {
        if self.has_log || !self.is_held() {
            self.stage = Stage::Unsettled;
        }
    }

    /// Whether the name is ours.
    pub(super) fn is_held(&self) -> bool {
        self.stage == Stage::Held
    }

    /// Whether something may be said in the name, be it only to claim it.
    pub(super) fn may_speak(&self) -> bool {
        !self.has_log || matches!(self.stage, Stage::Asking { .. } | Stage::Held)
    }

    /// Whether a claim is to be made now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        match self.stage {
            Stage::Listening { .. } if !self.has_log => !self.is_announced,
            Stage::Listening { until } | Stage::Waiting { until } => now >= until,
            Stage::Asking { since } => now >= since + PATIENCE,
            Stage::Unsettled | Stage::Held => false,
        }
    }

    /// It is made.
    pub(super) fn made(&mut self, now: Instant) {
        self.is_announced = true;
        if self.has_log {
            self.stage = Stage::Asking { since: now };
        }
    }

    /// Time goes on.
    pub(super) fn turn(&mut self, now: Instant) -> Step {
        match self.stage {
            Stage::Listening { until } if !self.has_log && now >= until => self.hold(),
            _ => Step::None,
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Listening { until } | Stage::Waiting { until } => Some(until),
            Stage::Asking { since } => Some(since + PATIENCE),
            Stage::Unsettled | Stage::Held => None,
        }
    }

    /// Something was read of our name.
    pub(super) fn heard(&mut self, news: News, now: Instant) -> Step {
        match (news, self.stage) {
            (_, Stage::Unsettled) => Step::None,
            // What is said without a log is not read back.
            (News::Ours | News::NotOurs(_), _) if !self.has_log => Step::None,
            (News::Ours, Stage::Held) => Step::None,
            (News::Ours, _) => self.hold(),
            (News::NotOurs(left), _) => self.wait(left, now),
            // It is read as a stranger's, and it will read that.
            (News::Another { .. }, Stage::Held) if !self.has_log => Step::None,
            // Both begin: without a log each must decide alike.
            (News::Another { key, claims: true }, _) if !self.has_log && self.own < key => {
                Step::None
            }
            (News::Another { .. }, _) if self.has_held => self.wait(LEASE, now),
            (News::Another { .. }, _) => Step::Taken,
            (News::Free, Stage::Waiting { .. }) => {
                self.stage = Stage::Waiting { until: now };
                Step::None
            }
            (News::Free, _) => Step::None,
        }
    }

    fn hold(&mut self) -> Step {
        self.stage = Stage::Held;
        self.has_held = true;
        self.is_told = false;
        Step::Held
    }

    /// Another holds it so long, if nothing more is heard of it.
    fn wait(&mut self, left: Duration, now: Instant) -> Step {
        let until = now + left + MARGIN;
        self.stage = Stage::Waiting { until };
        match std::mem::replace(&mut self.is_told, true) {
            true => Step::None,
            false if self.has_held => Step::Lost,
            false => Step::Wait(left),
        }
    }
}

#[cfg(test)]
mod tests;
