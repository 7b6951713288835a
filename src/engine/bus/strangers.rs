//! Messages to the class that are not a hub's: shown to the operator, seldom and as text.
//!
//! It promises: no more than one a [second](PAUSE), whatever comes; each is counted.

use std::time::Duration;
use std::time::Instant;

use crate::engine::escape::push_escaped;

/// One is shown so often.
const PAUSE: Duration = Duration::from_secs(1);

/// So much of it, in bytes.
const MAX_TEXT: usize = 1024;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    text: String,
    count: u64,
    shown: Option<Instant>,
}

impl Strangers {
    /// One published this.
    pub(super) fn heard(&mut self, bytes: &[u8]) {
        if self.count == 0 {
            self.text = printable(bytes);
        }
        self.count += 1;
    }

    /// When there is something to show.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.count {
            0 => None,
            _ => Some(self.shown? + PAUSE),
        }
    }

    /// Whether that is now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.count > 0 && self.deadline().is_none_or(|at| now >= at)
    }

    /// What the first published since the last time, and how many did.
    pub(super) fn take(&mut self, now: Instant) -> (&str, u64) {
        self.shown = Some(now);
        let count = std::mem::take(&mut self.count);
        (&self.text, count)
    }
}

/// The beginning of a stranger's message, on one line, made harmless for a terminal.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for letter in String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_TEXT)]).chars() {
        push_escaped(letter, &mut text);
    }
    let end = text
        .char_indices()
        .map(|(at, _)| at)
        .take_while(|&at| at <= MAX_TEXT)
        .last();
    if text.len() > MAX_TEXT {
        text.truncate(end.unwrap_or(0));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_is_shown_and_all_are_counted() {
        let (mut strangers, start) = (Strangers::default(), Instant::now());
        assert!(!strangers.is_due(start));
        strangers.heard(b"hi\n\x1b[2J\xff");
        assert!(strangers.is_due(start));
        assert_eq!(strangers.take(start), ("hi^J^[[2J\u{fffd}", 1));
        strangers.heard(b"second");
        strangers.heard(b"third");
        let later = strangers.deadline().unwrap();
        assert!(!strangers.is_due(later - Duration::from_millis(1)));
        assert!(strangers.is_due(later));
        assert_eq!(strangers.take(later), ("second", 2));
        assert_eq!(
            (strangers.is_due(later), strangers.deadline()),
            (false, None)
        );
    }

    #[test]
    fn what_is_shown_is_short() {
        for bytes in [
            &[0x1b; 5000][..],
            &[0xff; 5000],
            "é\u{202e}".repeat(5000).as_bytes(),
        ] {
            assert!((900..=MAX_TEXT).contains(&printable(bytes).len()));
        }
    }
}
