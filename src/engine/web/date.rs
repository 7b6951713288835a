//! Dates as HTTP has them (RFC 9110, section 5.6.7): one way in which they are told, and three in which they are
//! understood.
//!
//! It promises: a text that is no date of the calendar is not taken for one.

use std::fmt;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// Days of 400 years, after which the calendar begins anew.
const ERA: i64 = 146_097;

/// Days from the first of March of year 0 to 1970. Years begin in March here, so that a leap day is the last of one.
const TO_1970: i64 = 719_468;

/// A moment: seconds since 1970 (UTC), in a year of four digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(i64);

/// The same in words of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Calendar {
    year: i64,
    /// From 0 on.
    month: i64,
    /// From 1 on.
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Date {
    /// The first of 1970: that of a machine whose clock was never set.
    pub const EPOCH: Date = Date(0);

    /// That of so many seconds since 1970. None: its year is none of four digits.
    pub fn new(seconds: i64) -> Option<Date> {
        let year = calendar(seconds).year;
        (0..=9999).contains(&year).then_some(Date(seconds))
    }

    /// What a field says, in whichever of the three ways; `now` tells which century is meant by a year of two digits.
    pub fn parse(text: &str, now: Date) -> Option<Date> {
        let (weekday, rest) = text.trim_matches([' ', '\t']).split_once(' ')?;
        let date = match weekday.strip_suffix(',') {
            // Sun, 06 Nov 1994 08:49:37 GMT
            Some(weekday) if weekday.len() == 3 => {
                ending_with_gmt(weekday, rest, ' ', |year| number(year, 4))?
            }
            // Sunday, 06-Nov-94 08:49:37 GMT
            Some(weekday) => ending_with_gmt(weekday, rest, '-', |year| {
                let year = number(year, 2)?;
                // The last one with these digits that is not more than 50 years away.
                let last = calendar(now.0).year + 50;
                Some(last - (last - year).rem_euclid(100))
            })?,
            // Sun Nov  6 08:49:37 1994
            None if DAYS.contains(&weekday) => {
                let (month, rest) = rest.split_once(' ')?;
                let (day, rest) = rest.split_at_checked(2)?;
                let (time, year) = rest.strip_prefix(' ')?.split_once(' ')?;
                let day = match day.strip_prefix(' ') {
                    Some(digit) => number(digit, 1)?,
                    None => number(day, 2)?,
                };
                at(number(year, 4)?, month, day, time)?
            }
            None => return None,
        };
        let has_day = (1..=days_of_month(&date)).contains(&date.day);
        Date::new(seconds(&date)).filter(|_| has_day)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Date(seconds) = *self;
        let weekday = DAYS[seconds.div_euclid(DAY).rem_euclid(7) as usize];
        let of = calendar(seconds);
        let month = MONTHS[of.month as usize];
        write!(
            f,
            "{weekday}, {:02} {month} {:04} {:02}:{:02}:{:02} GMT",
            of.day, of.year, of.hour, of.minute, of.second
        )
    }
}

fn calendar(seconds: i64) -> Calendar {
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let since_march = days.saturating_add(TO_1970);
    let (era, day) = (since_march.div_euclid(ERA), since_march.rem_euclid(ERA));
    let of_era = (day - day / 1460 + day / 36_524 - day / (ERA - 1)) / 365;
    let of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
    let month = (5 * of_year + 2) / 153;
    Calendar {
        year: era * 400 + of_era + i64::from(month >= 10),
        month: (month + 2) % 12,
        day: of_year - (153 * month + 2) / 5 + 1,
        hour: second / 3600,
        minute: second / 60 % 60,
        second: second % 60,
    }
}

fn seconds(of: &Calendar) -> i64 {
    let year = of.year - i64::from(of.month < 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((of.month + 10) % 12) + 2) / 5 + of.day - 1;
    let days = era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - TO_1970;
    days * DAY + of.hour * 3600 + of.minute * 60 + of.second
}

fn days_of_month(of: &Calendar) -> i64 {
    let is_leap = of.year % 4 == 0 && (of.year % 100 != 0 || of.year % 400 == 0);
    match of.month {
        1 => 28 + i64::from(is_leap),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// What a date says behind the day of the week, in the two ways that end so.
fn ending_with_gmt(
    weekday: &str,
    rest: &str,
    between: char,
    year: impl Fn(&str) -> Option<i64>,
) -> Option<Calendar> {
    const WHOLE: [&str; 7] = [
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
        "Monday",
        "Tuesday",
        "Wednesday",
    ];
    if !DAYS.contains(&weekday) && !WHOLE.contains(&weekday) {
        return None;
    }
    let mut words = rest.strip_suffix(" GMT")?.splitn(3, between);
    let (day, month, rest) = (words.next()?, words.next()?, words.next()?);
    let (told, time) = rest.split_once(' ')?;
    at(year(told)?, month, number(day, 2)?, time)
}

fn at(year: i64, month: &str, day: i64, time: &str) -> Option<Calendar> {
    let month = MONTHS.iter().position(|name| *name == month)? as i64;
    let mut numbers = time.splitn(3, ':').map(|digits| number(digits, 2));
    let (hour, minute, second) = (numbers.next()??, numbers.next()??, numbers.next()??);
    // There are leap seconds.
    (hour < 24 && minute < 60 && second <= 60).then_some(Calendar {
        year,
        month,
        day,
        hour,
        minute,
        second,
    })
}

/// A number of just so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let is_one = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Date = Date(1_709_164_799);

    fn told(seconds: i64) -> Option<String> {
        Date::new(seconds).map(|date| date.to_string())
    }

    #[test]
    fn it_is_what_date_says() {
        // TZ=UTC LC_ALL=C date -d @… +'%a, %d %b %Y %H:%M:%S GMT'
        for (seconds, expected) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_709_164_799, "Wed, 28 Feb 2024 23:59:59 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(told(seconds).as_deref(), Some(expected));
            assert_eq!(Date::parse(expected, NOW), Some(Date(seconds)));
        }
        assert_eq!(told(253_402_300_800), None);
        assert_eq!(told(i64::MAX), None);
        assert_eq!(told(i64::MIN), None);
    }

    #[test]
    fn every_day_is_understood_as_it_is_told() {
        for day in -719_528..2_932_897 {
            let date = Date::new(day * DAY + day.rem_euclid(DAY)).expect("of four digits");
            assert_eq!(seconds(&calendar(date.0)), date.0);
            if day % 97 == 0 {
                assert_eq!(Date::parse(&date.to_string(), NOW), Some(date));
            }
        }
    }

    #[test]
    fn there_are_two_old_ways_to_tell_one() {
        for (text, expected) in [
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            (" Sun, 06 Nov 1994 08:49:37 GMT\t", 784_111_777),
            // No more than 50 years ahead of 2024.
            ("Wednesday, 28-Feb-74 00:00:00 GMT", 3_287_001_600),
            ("Friday, 28-Feb-75 00:00:00 GMT", 162_777_600),
            ("Wed, 31 Dec 2008 23:59:60 GMT", 1_230_768_000),
        ] {
            assert_eq!(Date::parse(text, NOW), Some(Date(expected)), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_not_taken_for_one() {
        for text in [
            "",
            "0",
            "784111777",
            "yesterday, or so",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Tue, 29 Feb 2100 00:00:00 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 06 Nov +994 08:49:37 GMT",
            "Son, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov  6 08:49:37 1994 GMT",
            "Sun Nov é 08:49:37 1994",
            "Sun Nov 6é 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(Date::parse(text, NOW), None, "{text}");
        }
    }
}
