//! Dates as HTTP has them (RFC 9110, section 5.6.7).

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// Days of 400 years, after which the calendar begins anew.
const ERA: i64 = 146_097;

/// `Sun, 06 Nov 1994 08:49:37 GMT`, of so many seconds since 1970 (UTC). None: it is no date of four
/// digits.
pub fn date(seconds: i64) -> Option<String> {
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // Years begin in March here, so that a leap day is the last of one: the first is that of year 0.
    let since_march = days + 719_468;
    let (era, day) = (since_march.div_euclid(ERA), since_march.rem_euclid(ERA));
    let of_era = (day - day / 1460 + day / 36_524 - day / (ERA - 1)) / 365;
    let of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + of_era + i64::from(month >= 10);
    let weekday = DAYS[days.rem_euclid(7) as usize];
    let name = MONTHS[((month + 2) % 12) as usize];
    let (hour, minute) = (second / 3600, second / 60 % 60);
    (0..=9999).contains(&year).then(|| {
        format!(
            "{weekday}, {of_month:02} {name} {year:04} {hour:02}:{minute:02}:{:02} GMT",
            second % 60
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(date(seconds).as_deref(), Some(expected));
        }
        assert_eq!(date(253_402_300_800), None);
        assert_eq!(date(i64::MAX / 2), None);
    }
}
