//! The vigil: when a connection that answers nothing is given up.
//!
//! TCP tells of a peer that vanished without a word (a battery, a cable, a router) only after some
//! fifteen minutes, if bytes are on their way to it; keepalive asks only while none are. The limit
//! that TCP itself offers, `TCP_USER_TIMEOUT`, also ends who is merely asleep with its window
//! closed, though it answers every probe (`docs/RELIABILITY.md` has the measurement). So we look
//! ourselves, [`EVERY`] so often and only while something that was sent is unanswered: whoever
//! answers anything stays, for as long as it likes.
//!
//! It promises: nothing is looked at while everything was answered; who answered nothing at
//! [`LOOKS`] looks in a row is given up, 80 to 120 seconds after it was sent something.

use std::time::Duration;

/// How often to look.
pub const EVERY: Duration = Duration::from_secs(20);

/// Looks in a row at which nothing was answered, until a connection is given up. Retransmissions
/// double their distance, so an outage of up to 50 seconds is mended in time.
pub const LOOKS: u8 = 5;

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

/// The watch kept over one connection.
#[derive(Debug, Default)]
pub struct Vigil {
    kept: bool,
    missed: u8,
}

impl Vigil {
    /// Something was sent.
    pub fn sent(&mut self) {
        self.kept = true;
    }

    /// Whether there is anything to look for.
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// Takes note of a look, [`EVERY`] after the last; `found` is none where the system does not
    /// tell. Returns whether to give the connection up.
    pub fn look(&mut self, found: Option<Outstanding>) -> bool {
        let Some(found) = found.filter(|found| found.unanswered || found.waiting) else {
            *self = Vigil::default();
            return false;
        };
        match found.unanswered && found.silent >= EVERY {
            true => self.missed += 1,
            false => self.missed = 0,
        }
        self.missed >= LOOKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEAD: Option<Outstanding> = Some(Outstanding {
        unanswered: true,
        waiting: false,
        silent: EVERY,
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

    fn kept() -> Vigil {
        let mut vigil = Vigil::default();
        assert!(!vigil.is_kept());
        vigil.sent();
        vigil
    }

    #[test]
    fn who_answers_nothing_is_given_up_at_the_last_look() {
        let mut vigil = kept();
        for _ in 1..LOOKS {
            assert!(!vigil.look(DEAD) && vigil.is_kept());
        }
        assert!(vigil.look(DEAD));
    }

    #[test]
    fn who_answers_anything_begins_anew() {
        for sign_of_life in [ASLEEP, ANSWERED] {
            let mut vigil = kept();
            for _ in 0..10 {
                assert!((1..LOOKS).all(|_| !vigil.look(DEAD)));
                assert!(!vigil.look(sign_of_life) && vigil.is_kept());
            }
        }
    }

    #[test]
    fn where_all_was_answered_or_nothing_is_told_it_ends() {
        let answered = DEAD.map(|found| Outstanding {
            unanswered: false,
            ..found
        });
        for end in [answered, None] {
            let mut vigil = kept();
            assert!(!vigil.look(DEAD) && !vigil.look(end));
            assert!(!vigil.is_kept());
        }
    }
}
