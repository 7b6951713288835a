//! The clock on the wall: the time of day, for lines that say when something was.
//!
//! It promises: no wait or count uses it, since it can be set; it opens no file after it was made.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::engine::room::TimeOfDay;
#[cfg(feature = "web")]
use crate::engine::web::date::Date;

/// What HTTP calls the moment.
#[cfg(feature = "web")]
pub fn date() -> Date {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = i64::try_from(since_1970.map_or(0, |time| time.as_secs()));
    seconds.ok().and_then(Date::new).unwrap_or(Date::EPOCH)
}

/// The time as RFC 3339 has it, in UTC and read once in a turn.
#[derive(Debug, Default)]
pub struct Clock {
    time: String,
    is_read: bool,
}

impl Clock {
    /// The time of this turn.
    pub fn read(&mut self) -> &str {
        if !std::mem::replace(&mut self.is_read, true) {
            self.time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        }
        &self.time
    }

    /// The turn is over.
    pub fn end_turn(&mut self) {
        self.is_read = false;
    }
}

/// The time where we are.
#[derive(Debug, Clone)]
pub struct LocalClock(TimeZone);

impl LocalClock {
    /// That of the system's time zone, with all its changes to come: `TZ`, or `/etc/localtime`, or else UTC.
    pub fn open() -> LocalClock {
        LocalClock(TimeZone::system())
    }

    /// What it shows now.
    pub fn time(&self) -> TimeOfDay {
        let time = self.0.to_datetime(Timestamp::now());
        // It has no sign that counts.
        let [hour, minute, second] =
            [time.hour(), time.minute(), time.second()].map(i8::unsigned_abs);
        TimeOfDay {
            hour,
            minute,
            second,
        }
    }
}
