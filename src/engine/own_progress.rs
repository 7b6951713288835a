//! How far a participant's own conversation is, as a line to be drawn again and again while bytes move.
//!
//! It promises: as that of a [transfer](super::progress), at most ten lines a second, and one when nothing
//! moves; where lines may be typed on the terminal where it
//! would be drawn, it is drawn for what is no conversation only.

use std::fmt::Write;
use std::time::Duration;
use std::time::Instant;

use super::progress::Meter;
use super::progress::Size;
use super::progress::TICK;

/// As many bytes are received before a person has typed the first line, and it is a transfer.
const TRANSFER: u64 = 64 * 1024;

/// What the row is drawn beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Nobody types lines.
    Nothing,
    /// Lines are typed on the terminal where it is drawn: on the row may be what was typed of one.
    Keyboard,
}

/// What a participant moved. See the module's documentation.
#[derive(Debug)]
pub struct OwnProgress {
    /// How much there is to send, if that is known.
    total: Option<u64>,
    beside: Beside,
    began: Instant,
    meter: Meter,
}

impl OwnProgress {
    /// A participant begins now; it has `total` bytes to send, if that is known.
    pub fn new(total: Option<u64>, beside: Beside, now: Instant) -> OwnProgress {
        OwnProgress {
            total,
            beside,
            began: now,
            meter: Meter::new(now),
        }
    }

    /// When a line is to be drawn after so many bytes were sent and received. None: it is drawn already.
    pub fn due(&self, sent: u64, received: u64) -> Option<Instant> {
        if self.beside == Beside::Keyboard && (sent > 0 || received < TRANSFER) {
            return None;
        }
        self.meter.due((sent + received, sent))
    }

    /// Whether a line was drawn.
    pub fn is_drawn(&self) -> bool {
        self.meter.is_drawn()
    }

    /// The line, for a terminal that has so many `columns`.
    pub fn line(&mut self, sent: u64, received: u64, columns: u16, now: Instant) -> String {
        let rate = self.meter.rate((sent + received, sent), now);
        let mut line = String::from("muxnc: ");
        // Writing to a String cannot fail.
        if sent > 0 {
            let _ = write!(line, "sent {}", Size(sent));
            if let Some(total) = self.total.filter(|&total| total > 0) {
                let percent = sent.min(total) * 100 / total;
                let _ = write!(line, " of {}, {percent}%", Size(total));
            }
        }
        if received > 0 || sent == 0 {
            let comma = if sent > 0 { ", " } else { "" };
            let _ = write!(line, "{comma}received {}", Size(received));
        }
        let time = clock(now.saturating_duration_since(self.began));
        let _ = write!(line, ", {}/s, {time}", Size(rate));
        // The last column stays free: a terminal might begin another line.
        line.truncate(usize::from(columns).saturating_sub(1));
        line
    }
}

/// What was moved all in all, in so much `time`. Of less than a moment a rate would say how long the
/// program took to start and to end, and nothing of the network.
pub fn sum(sent: u64, received: u64, time: Duration) -> String {
    let rate = match time < TICK {
        true => String::new(),
        false => {
            let rate = (sent + received) as f64 / time.as_secs_f64();
            format!(": {}/s", Size(rate as u64))
        }
    };
    format!("sent {sent} bytes, received {received} in {time:.1?}{rate}")
}

/// A time as a clock shows it: `0:07`, `12:34`, `1:00:00`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_what_moved_either_way() {
        let now = Instant::now();
        let mut progress = OwnProgress::new(None, Beside::Nothing, now);
        assert_eq!(progress.due(0, 0), None);
        assert_eq!(progress.due(0, 1), Some(now));
        assert!(!progress.is_drawn());
        let now = now + Duration::from_secs(2);
        assert_eq!(
            progress.line(0, 4 << 20, 80, now),
            "muxnc: received 4.0 MiB, 2.0 MiB/s, 0:02"
        );
        assert!(progress.is_drawn());
        let still = now + Duration::from_secs(1);
        assert_eq!(progress.due(0, 4 << 20), Some(still), "nothing moves");
        assert_eq!(
            progress.line(0, 4 << 20, 80, still),
            "muxnc: received 4.0 MiB, 0 bytes/s, 0:03"
        );
        assert_eq!(progress.due(0, 4 << 20), None, "that is told");
        assert!(progress.due(1, 4 << 20).is_some_and(|at| at > now));
        let mut progress = OwnProgress::new(Some(2048), Beside::Nothing, now);
        let now = now + Duration::from_secs(1);
        assert_eq!(
            progress.line(1024, 0, 80, now),
            "muxnc: sent 1.0 KiB of 2.0 KiB, 50%, 1.0 KiB/s, 0:01"
        );
        assert_eq!(
            progress.line(2048, 7, 48, now + Duration::from_secs(3600)),
            "muxnc: sent 2.0 KiB of 2.0 KiB, 100%, received "
                .chars()
                .take(47)
                .collect::<String>()
        );
    }

    #[test]
    fn a_conversation_is_no_transfer() {
        let now = Instant::now();
        let progress = OwnProgress::new(None, Beside::Keyboard, now);
        assert_eq!(progress.due(0, TRANSFER - 1), None);
        assert_eq!(progress.due(0, TRANSFER), Some(now));
        assert_eq!(progress.due(1, TRANSFER), None);
    }

    #[test]
    fn a_moment_has_no_rate() {
        for (time, told) in [
            (Duration::from_micros(120), "120.0µs"),
            (Duration::from_millis(99), "99.0ms"),
            (Duration::from_millis(100), "100.0ms: 40.0 KiB/s"),
            (Duration::from_secs(2), "2.0s: 2.0 KiB/s"),
        ] {
            let told = format!("sent 4000 bytes, received 96 in {told}");
            assert_eq!(sum(4000, 96, time), told);
        }
    }

    #[test]
    fn times_are_those_of_a_clock() {
        for (seconds, text) in [
            (0, "0:00"),
            (67, "1:07"),
            (3600, "1:00:00"),
            (36_061, "10:01:01"),
        ] {
            assert_eq!(clock(Duration::from_secs(seconds)), text);
        }
    }
}
