//! The line delay: a pause after each line sent (`--delay`).
//!
//! It promises: the bytes stay what they are and in their order; bytes that are no whole line wait
//! only for the pause after the line before them.

use std::time::Duration;
use std::time::Instant;

/// Cuts what is to be sent into lines, and says when the next may go.
#[derive(Debug)]
pub struct LineDelay {
    time: Duration,
    until: Option<Instant>,
}

impl LineDelay {
    /// A pause of that length after each line.
    pub fn new(time: Duration) -> LineDelay {
        LineDelay { time, until: None }
    }

    /// Ends the pause if it is over. Returns whether one goes on: nothing is to be sent.
    pub fn pauses(&mut self, now: Instant) -> bool {
        self.until = self.until.filter(|until| now < *until);
        self.until.is_some()
    }

    /// How much of `bytes` may be sent when there is no pause: to the end of the first line.
    pub fn portion(bytes: &[u8]) -> usize {
        memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1)
    }

    /// Takes note of what was sent, at most one portion: the end of a line begins a pause.
    pub fn sent(&mut self, bytes: &[u8], now: Instant) {
        if bytes.ends_with(b"\n") {
            self.until = Some(now + self.time);
        }
    }

    /// Until when the pause goes on, as far as [`LineDelay::pauses`] knows.
    pub fn until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_followed_by_a_pause() {
        let time = Duration::from_secs(3);
        let start = Instant::now();
        let mut delay = LineDelay::new(time);
        let bytes = b"one\ntwo\nthr";
        assert!(!delay.pauses(start));
        assert_eq!(LineDelay::portion(bytes), 4);
        // A part of a line, then its end.
        delay.sent(&bytes[..2], start);
        assert!(!delay.pauses(start));
        delay.sent(&bytes[2..4], start);
        assert!(delay.pauses(start + time - Duration::from_nanos(1)));
        assert_eq!(delay.until(), Some(start + time));
        assert!(!delay.pauses(start + time));
        assert_eq!(delay.until(), None);
        assert_eq!(LineDelay::portion(&bytes[4..]), 4);
        assert_eq!(LineDelay::portion(&bytes[8..]), 3);
        delay.sent(&bytes[8..], start + time);
        assert!(!delay.pauses(start + time));
    }
}
