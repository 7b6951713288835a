//! Exhaustion: descriptors or memory ran out, and when it is tried again.
//!
//! It promises: while no descriptor was freed, accepting is tried once in a second at most, so that
//! the hub never spins; the message comes once, until all that waited were let in.

use std::time::Duration;
use std::time::Instant;

/// How long to wait, if nothing is freed, before it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The same while peers may soon free something by themselves.
const SOON: Duration = Duration::from_millis(250);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Exhaustion(State);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is enough, as far as is known.
    #[default]
    Over,
    /// Nothing is tried until then.
    Held(Instant),
    /// Something was freed, or it is time: it is tried at once.
    Retrying,
}

/// What is done about it when it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// A peer made way.
    Freed,
    /// Some may make way soon.
    Soon,
    /// One has to leave.
    None,
}

impl Exhaustion {
    /// Whether nothing is to be tried now.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.0, State::Held(_))
    }

    /// When it is tried again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.0 {
            State::Held(until) => Some(until),
            State::Over | State::Retrying => None,
        }
    }

    /// Something ran out. Returns whether that is news.
    pub(super) fn begin(&mut self, remedy: Remedy, now: Instant) -> bool {
        let next = match remedy {
            Remedy::Freed => State::Retrying,
            Remedy::Soon => State::Held(now + SOON),
            Remedy::None => State::Held(now + RETRY),
        };
        std::mem::replace(&mut self.0, next) == State::Over
    }

    /// A descriptor was freed.
    pub(super) fn freed(&mut self) {
        if self.is_held() {
            self.0 = State::Retrying;
        }
    }

    /// Tries again if it is time.
    pub(super) fn look(&mut self, now: Instant) {
        if self.deadline().is_some_and(|until| until <= now) {
            self.0 = State::Retrying;
        }
    }

    /// All that waited were let in.
    pub(super) fn end(&mut self) {
        self.0 = State::Over;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_and_tried_again_when_it_may_help() {
        let now = Instant::now();
        let mut exhaustion = Exhaustion::default();
        assert!(exhaustion.begin(Remedy::None, now), "it is news");
        assert_eq!(exhaustion.deadline(), Some(now + RETRY));
        exhaustion.look(now + SOON);
        assert!(exhaustion.is_held());
        exhaustion.look(now + RETRY);
        assert!(!exhaustion.is_held());
        assert!(!exhaustion.begin(Remedy::Soon, now));
        assert_eq!(exhaustion.deadline(), Some(now + SOON));
        exhaustion.freed();
        assert!(!exhaustion.is_held());
        assert!(!exhaustion.begin(Remedy::Freed, now));
        assert!(!exhaustion.is_held(), "somebody made way");
        exhaustion.end();
        exhaustion.freed();
        assert!(exhaustion.begin(Remedy::Soon, now), "it is news again");
    }
}
