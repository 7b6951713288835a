//! Stamps: when something was said, before each line that tells it (`--time`).
//!
//! In a chat a stamp is in everybody's stream, before the name, and so in the history: a newcomer
//! reads when it was said. No participant's words can begin a line, so none can imitate a stamp.

use std::fmt::Write;

use super::Room;

/// A time of a day, where somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay {
    /// From 0 to 23.
    pub hour: u8,
    /// From 0 to 59.
    pub minute: u8,
    /// From 0 to 59, or 60.
    pub second: u8,
}

impl Room {
    /// From now on lines begin with that time, until it is told another one: to be called in each
    /// turn, and before the first member joins, or never.
    pub fn set_time(&mut self, now: TimeOfDay) {
        let TimeOfDay {
            hour,
            minute,
            second,
        } = now;
        self.stamp.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.stamp, "[{hour:02}:{minute:02}:{second:02}] ");
    }

    /// Whether every line of a member's stream begins with one.
    pub fn has_stamps(&self) -> bool {
        self.is_chat() && !self.stamp.is_empty()
    }
}
