//! The claim to a name on the bus: whether this hub has it, or another hub.
//!
//! ```text
//!   unsettled ─▶ waiting ─▶ asking ── our claim is read in the log, and the name was free ─▶ held
//!       │           ▲          └───── another held it: until its lease is over ──┐
//!       │           └────────────────────────────────────────────────────────────┘
//!       └─▶ listening, where nobody can tell who holds it ─▶ waiting
//! ```
//!
//! The log decides: the hub whose message stands first in it has the name, and the other hub reads that
//! there. Without a log a hub can only listen: a hub that has the name would speak within that time.
//!
//! It promises: no line goes to the bus before this hub has the name; two hubs that begin at once never
//! both have it.

use std::time::Duration;
use std::time::Instant;

use crate::engine::bus::envelope::Key;
use crate::engine::bus::lookup::Spoke;
use crate::engine::bus::outbox::HEARTBEAT;

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
    /// Another has it.
    Taken,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Claim {
    own: Key,
    stage: Stage,
    has_log: bool,
    /// Without a log the others were told once that we are about to take it.
    is_announced: bool,
    is_wait_told: bool,
}

impl Claim {
    /// For the process with that key.
    pub(super) fn new(own: Key) -> Claim {
        Claim {
            own,
            stage: Stage::Unsettled,
            has_log: true,
            is_announced: false,
            is_wait_told: false,
        }
    }

    /// There is a stream, and that is who spoke last in our name.
    pub(super) fn begin_with_log(&mut self, spoke: Spoke, now: Instant) {
        self.has_log = true;
        if self.is_held() {
            return;
        }
        self.stage = match spoke {
            Spoke::Stranger => Stage::Listening {
                until: now + LISTEN,
            },
            _ => Stage::Waiting { until: now },
        };
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
        if !self.is_held() {
            self.stage = Stage::Unsettled;
        }
    }

    /// Whether the name is ours.
    pub(super) fn is_held(&self) -> bool {
        self.stage == Stage::Held
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
            Stage::Listening { until } if !self.has_log && now >= until => {
                self.stage = Stage::Held;
                Step::Held
            }
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
            (News::Ours, _) => {
                self.stage = Stage::Held;
                Step::Held
            }
            // It was away so long that another took it.
            (News::NotOurs(_), Stage::Held) => Step::Taken,
            (News::NotOurs(left), _) => {
                let until = now + left + MARGIN;
                self.stage = Stage::Waiting { until };
                match std::mem::replace(&mut self.is_wait_told, true) {
                    true => Step::None,
                    false => Step::Wait(left),
                }
            }
            // It is read as a stranger's, and it will read that.
            (News::Another { .. }, Stage::Held) => Step::None,
            // Both begin: without a log each must decide alike.
            (News::Another { key, claims: true }, _) if !self.has_log && self.own < key => {
                Step::None
            }
            (News::Another { .. }, _) => Step::Taken,
            (News::Free, Stage::Waiting { .. }) => {
                self.stage = Stage::Waiting { until: now };
                Step::None
            }
            (News::Free, _) => Step::None,
        }
    }
}

#[cfg(test)]
mod tests;
