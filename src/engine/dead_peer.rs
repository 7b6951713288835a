//! Dead peers: when a connection that answers nothing is given up.
//!
//! TCP tells of a peer that vanished without a word (a battery, a cable, a router) only after some
//! fifteen minutes, if bytes are on their way to it; keepalive asks only while none are. The limit
//! that TCP itself offers, `TCP_USER_TIMEOUT`, also ends a connection whose peer is merely asleep
//! with its window closed, though its kernel answers every probe (`docs/RELIABILITY.md` has the
//! measurement). So we check ourselves, [`EVERY`] so often and only while something that was sent
//! is unanswered: a peer that answers stays, for as long as it likes.
//!
//! It promises: nothing is checked while everything was answered; a peer that answered nothing at
//! [`CHECKS`] checks in a row is given up, 80 to 120 seconds after it was sent something.

use std::time::Duration;

/// How often to check.
pub const EVERY: Duration = Duration::from_secs(20);

/// Checks in a row at which nothing was answered, until a connection is given up. Retransmissions
/// double their distance, so an outage of up to 50 seconds is mended in time.
pub const CHECKS: u8 = 5;

/// What the kernel knows of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outstanding {
    /// Something was sent to the other side, data or a probe of its closed window, and it has not
    /// answered.
    pub unanswered: bool,
    /// Something waits to be sent.
    pub waiting: bool,
    /// How long ago anything was acknowledged by the other side, if only what it knew already.
    pub silent: Duration,
}

/// The checks of one connection.
#[derive(Debug, Default)]
pub struct DeadPeerTimer {
    armed: bool,
    missed: u8,
}

impl DeadPeerTimer {
    /// Something was sent.
    pub fn sent(&mut self) {
        self.armed = true;
    }

    /// Whether there is anything to check.
    pub fn is_armed(&self) -> bool {
        self.armed
    }

    /// Takes note of a check, [`EVERY`] after the last; `found` is none where the system does not
    /// tell. Returns whether to give the connection up.
    pub fn check(&mut self, found: Option<Outstanding>) -> bool {
        let Some(found) = found.filter(|found| found.unanswered || found.waiting) else {
            *self = DeadPeerTimer::default();
            return false;
        };
        // It answered at the very moment of the last check, or after it if the checks come late, as after
        // a stop of the whole program: then it is not silent since the first of them.
        let missed = |checks: u8| found.unanswered && found.silent > EVERY * u32::from(checks);
        self.missed = match self.missed + 1 {
            next if missed(next) => next,
            _ => u8::from(missed(1)),
        };
        self.missed >= CHECKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEAD: Option<Outstanding> = Some(Outstanding {
        unanswered: true,
        waiting: false,
        silent: Duration::from_secs(1000),
    });
    /// A closed window, between two probes of it.
    const ASLEEP: Option<Outstanding> = Some(Outstanding {
        unanswered: false,
        waiting: true,
        silent: Duration::from_secs(100),
    });
    const ANSWERED: Option<Outstanding> = Some(Outstanding {
        unanswered: true,
        waiting: true,
        silent: Duration::from_secs(3),
    });

    fn armed() -> DeadPeerTimer {
        let mut timer = DeadPeerTimer::default();
        assert!(!timer.is_armed());
        timer.sent();
        timer
    }

    #[test]
    fn who_answers_nothing_is_given_up_at_the_last_check() {
        let mut timer = armed();
        for _ in 1..CHECKS {
            assert!(!timer.check(DEAD) && timer.is_armed());
        }
        assert!(timer.check(DEAD));
    }

    #[test]
    fn who_answers_anything_begins_anew() {
        let at_the_last_check = DEAD.map(|found| Outstanding {
            silent: EVERY,
            ..found
        });
        for sign_of_life in [ASLEEP, ANSWERED, at_the_last_check] {
            let mut timer = armed();
            for _ in 0..10 {
                assert!((1..CHECKS).all(|_| !timer.check(DEAD)));
                assert!(!timer.check(sign_of_life) && timer.is_armed());
            }
        }
    }

    #[test]
    fn who_answered_between_two_late_checks_begins_anew() {
        let mut timer = armed();
        let late = |silent| DEAD.map(|found| Outstanding { silent, ..found });
        for _ in 0..10 {
            assert!(!timer.check(late(EVERY * 3 / 2)));
        }
        // From then on it answers nothing.
        for checks in 2..CHECKS {
            assert!(!timer.check(late(EVERY * u32::from(checks) + EVERY / 2)));
        }
        assert!(timer.check(late(EVERY * u32::from(CHECKS) + EVERY / 2)));
    }

    #[test]
    fn where_all_was_answered_or_nothing_is_told_it_ends() {
        let answered = DEAD.map(|found| Outstanding {
            unanswered: false,
            ..found
        });
        for end in [answered, None] {
            let mut timer = armed();
            assert!(!timer.check(DEAD) && !timer.check(end));
            assert!(!timer.is_armed());
        }
    }
}
