//! How long things may take, and how times are written.

use std::time::Duration;

use clap::Args;

/// The options of this group.
#[derive(Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "Time")]
pub(super) struct TimeArgs {
    /// Try to connect for this long, over all addresses [default: 10s]
    ///
    /// It bounds looking the name up, connecting and agreeing with a proxy or on TLS, all together.
    /// That is ncat's -w; nc's is --idle-timeout, too. With -u nothing connects, and it is nc's there:
    /// echo TEXT | muxnc -u -w 1 HOST PORT ends when nothing came for a second.
    #[arg(
        short,
        long,
        value_name = "TIME",
        allow_negative_numbers = true,
        value_parser = positive_duration
    )]
    pub(super) wait: Option<Duration>,

    /// End a connection over which nothing went for this long
    ///
    /// A hub disconnects that peer, and serves on. That is ncat's -i; nc's is --delay here.
    #[arg(short, long, value_name = "TIME", allow_negative_numbers = true, value_parser = positive_duration)]
    pub(super) idle_timeout: Option<Duration>,

    /// Wait this long after each line sent; stdin is not read meanwhile
    ///
    /// That is ncat's -d; nc's is --recv-only here.
    #[arg(short, long, value_name = "TIME", conflicts_with = "zero", allow_negative_numbers = true, value_parser = positive_duration)]
    pub(super) delay: Option<Duration>,

    /// Leave this long after the end of stdin at the latest
    ///
    /// A hub of which nobody has acknowledged a byte yet waits for the first that does, as nc waits for the first
    /// that comes: what was read is for somebody. One of TCP whose stdin was empty from the start has no
    /// keyboard, and serves until a signal (with --wait-for only where it is /dev/null).
    #[arg(
        short,
        value_name = "TIME",
        allow_negative_numbers = true,
        value_parser = duration
    )]
    pub(super) quit_after: Option<Duration>,
}

/// A time as ncat reads it: `500ms`, `2s`, `1.5m`, `1h`; a plain number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let units = [
        ("ms", 0.001),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
        ("", 1.0),
    ];
    let parsed = units.iter().find_map(|(unit, seconds)| {
        let number = text.strip_suffix(unit)?;
        let digits = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let number: f64 = number.parse().ok().filter(|_| digits)?;
        Duration::try_from_secs_f64(number * seconds).ok()
    });
    // A century is for ever, and can still be added to any point in time.
    parsed
        .filter(|time| time.as_secs() <= 100 * 366 * 24 * 3600)
        .ok_or_else(|| String::from("a time is a number with ms, s, m or h, as 500ms or 1.5m"))
}

pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|time| match time.is_zero() {
        true => Err(String::from("it must be longer than nothing")),
        false => Ok(time),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_ncat_reads_them() {
        let ms = |text| duration(text).map(|time| time.as_millis());
        assert_eq!(ms("500ms"), Ok(500));
        assert_eq!(ms("2s"), Ok(2000));
        assert_eq!(ms("1.5m"), Ok(90_000));
        assert_eq!(ms("1h"), Ok(3_600_000));
        assert_eq!(ms("7"), Ok(7000));
        assert_eq!(ms(".5"), Ok(500));
        for text in [
            "",
            "s",
            "-1",
            "1d",
            "1e3",
            "inf",
            "nan",
            "1 s",
            "99999999h",
            "1.2.3",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
