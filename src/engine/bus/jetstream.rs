//! What JetStream is asked, and what it answers: subjects and JSON.
//!
//! It promises: an answer is read as it is, or not at all; what is not needed of it is not looked at, so that
//! servers which say more are understood too.

use std::str;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

/// Where requests go.
const API: &str = "$JS.API";

/// How long a stream that we make keeps a message, in hours.
pub(super) const MAX_AGE: u64 = 24;

/// How much a stream that we make keeps, in bytes.
pub(super) const MAX_BYTES: u64 = 1 << 30;

/// How long a server knows a repeat.
const DUPLICATES: Duration = Duration::from_secs(120);

/// A consumer of which nothing is asked so long is forgotten by the server.
pub(super) const FORGOTTEN: Duration = Duration::from_secs(60);

/// How long a request for messages stands.
const PULL: Duration = Duration::from_secs(30);

/// How often the server says that it still stands.
pub(super) const IDLE: Duration = Duration::from_secs(4);

/// A time by the stream's clock, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Stamp(pub u64);

impl Stamp {
    /// How long after `earlier` it is.
    pub(super) fn since(self, earlier: Stamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The stream of a class.
pub(super) fn stream(class: &str) -> String {
    format!("MUXNC_{class}")
}

/// The subject of a hub.
pub(super) fn subject(class: &str, hub: &str) -> String {
    format!("muxnc.{class}.{hub}")
}

/// Asks what a stream is.
pub(super) fn info(stream: &str) -> String {
    format!("{API}.STREAM.INFO.{stream}")
}

/// Asks to make the stream of a class, on so many servers.
pub(super) fn make(class: &str, replicas: u32) -> (String, String) {
    let stream = stream(class);
    let body = json!({
        "name": stream,
        "subjects": [format!("muxnc.{class}.>")],
        "retention": "limits",
        "max_consumers": -1,
        "max_msgs": -1,
        "max_bytes": MAX_BYTES,
        "max_age": nanos(Duration::from_secs(MAX_AGE * 60 * 60)),
        "discard": "old",
        "storage": "file",
        "num_replicas": replicas,
        "duplicate_window": nanos(DUPLICATES),
        "allow_direct": true,
    });
    (format!("{API}.STREAM.CREATE.{stream}"), body.to_string())
}

/// Asks for the last message to a subject.
pub(super) fn last(stream: &str, subject: &str) -> (String, String) {
    let body = json!({ "last_by_subj": subject });
    (format!("{API}.STREAM.MSG.GET.{stream}"), body.to_string())
}

/// Asks for a consumer that begins there.
pub(super) fn consumer(stream: &str, begin: u64) -> (String, String) {
    let body = json!({
        "stream_name": stream,
        "config": {
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": begin.max(1),
            "ack_policy": "none",
            "max_deliver": 1,
            "replay_policy": "instant",
            "inactive_threshold": nanos(FORGOTTEN),
            "mem_storage": true,
            "num_replicas": 1,
        },
    });
    (format!("{API}.CONSUMER.CREATE.{stream}"), body.to_string())
}

/// Asks a consumer for messages.
pub(super) fn pull(stream: &str, consumer: &str, messages: u64, bytes: usize) -> (String, String) {
    let body = json!({
        "batch": messages,
        "max_bytes": bytes,
        "expires": nanos(PULL),
        "idle_heartbeat": nanos(IDLE),
    });
    let subject = format!("{API}.CONSUMER.MSG.NEXT.{stream}.{consumer}");
    (subject, body.to_string())
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Why the server does not do it.
#[derive(Debug, Default, Clone, Deserialize)]
pub(super) struct Refusal {
    /// As in HTTP.
    #[serde(default)]
    pub(super) code: u32,
    /// Which it is.
    #[serde(default)]
    pub(super) err_code: u32,
    /// In words.
    #[serde(default)]
    pub(super) description: String,
}

/// There is no such stream.
pub(super) const NO_STREAM: u32 = 10_059;

/// The subjects are those of another stream.
pub(super) const OVERLAP: u32 = 10_065;

/// There is such a stream, made otherwise.
pub(super) const IN_USE: u32 = 10_058;

/// The server is no part of a cluster whose servers can keep a stream together.
pub(super) const NO_REPLICAS: u32 = 10_074;

/// The server has no JetStream, or the account may not use it.
pub(super) const NO_JETSTREAM: [u32; 2] = [10_039, 10_076];

/// What a stream is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Stream {
    /// Or why not.
    pub(super) error: Option<Refusal>,
    /// How it was made.
    #[serde(default)]
    pub(super) config: Config,
    /// What is in it.
    #[serde(default)]
    pub(super) state: State,
    /// When it was made.
    #[serde(default)]
    pub(super) created: String,
}

/// How a stream was made.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Config {
    /// What it keeps.
    #[serde(default)]
    pub(super) subjects: Vec<String>,
    /// Until when.
    #[serde(default)]
    pub(super) retention: String,
    /// How long a message may be, or no more than zero.
    #[serde(default)]
    pub(super) max_msg_size: i64,
    /// It does not say that it took a message.
    #[serde(default)]
    pub(super) no_ack: bool,
    /// It takes no more.
    #[serde(default)]
    pub(super) sealed: bool,
}

impl Config {
    /// Whether it keeps what any hub of the class says.
    pub(super) fn captures(&self, class: &str) -> bool {
        let captures = |pattern: &String| {
            let mut tokens = pattern.split('.');
            for word in ["muxnc", class] {
                match tokens.next() {
                    Some(">") => return true,
                    Some(token) if token == "*" || token == word => {}
                    _ => return false,
                }
            }
            matches!(tokens.next(), Some(">" | "*")) && tokens.next().is_none()
        };
        self.subjects.iter().any(captures)
    }
}

/// What is in a stream.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
pub(super) struct State {
    /// The number of the first message.
    #[serde(default)]
    pub(super) first_seq: u64,
    /// That of the last, there or not.
    #[serde(default)]
    pub(super) last_seq: u64,
}

/// A consumer that was made.
#[derive(Debug, Deserialize)]
pub(super) struct Made {
    /// Or why not.
    pub(super) error: Option<Refusal>,
    /// What the server calls it.
    #[serde(default)]
    pub(super) name: String,
    /// How many messages are there for it.
    #[serde(default)]
    pub(super) num_pending: u64,
}

/// A message was taken.
#[derive(Debug, Deserialize)]
pub(super) struct Taken {
    /// Or why not.
    pub(super) error: Option<Refusal>,
    /// Its number.
    pub(super) seq: Option<u64>,
}

/// The last message of a subject.
#[derive(Debug, Deserialize)]
pub(super) struct Last {
    /// Or why not.
    pub(super) error: Option<Refusal>,
    /// It.
    pub(super) message: Option<Kept>,
}

/// A message as it is kept.
#[derive(Debug, Deserialize)]
pub(super) struct Kept {
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
    #[serde(default)]
    time: String,
}

impl Kept {
    /// Its headers, its payload, and when it was taken.
    pub(super) fn open(&self) -> Option<(Vec<u8>, Vec<u8>, Stamp)> {
        let headers = STANDARD.decode(&self.hdrs).ok()?;
        let payload = STANDARD.decode(&self.data).ok()?;
        Some((headers, payload, stamp(&self.time)?))
    }
}

/// Reads `2026-11-27T06:41:13.425165594Z`.
fn stamp(text: &str) -> Option<Stamp> {
    let text = text.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut numbers = [0_u64; 6];
    let mut rest = whole;
    for (at, end) in ["-", "-", "T", ":", ":", ""].into_iter().enumerate() {
        let (digits, later) = match end {
            "" => (rest, ""),
            end => rest.split_once(end)?,
        };
        let is_short = (1..=4).contains(&digits.len());
        numbers[at] = digits.parse().ok().filter(|_| is_short)?;
        rest = later;
    }
    let [year, month, day, hour, minute, second] = numbers;
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March here, so that a leap day is the last of one.
    let (year, month) = match month {
        3.. => (year, month - 3),
        _ => (year - 1, month + 9),
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let since_1970 = days.checked_sub(719_468)?;
    let seconds = ((since_1970 * 24 + hour) * 60 + minute) * 60 + second;
    let digits = fraction.get(..fraction.len().min(9))?;
    let scale = 10_u64.pow(9 - u32::try_from(digits.len()).ok()?);
    let nanos = digits.parse::<u64>().ok()? * scale;
    seconds
        .checked_mul(1_000_000_000)?
        .checked_add(nanos)
        .map(Stamp)
}

/// What stands in the subject for the answer to a message of a stream:
/// `$JS.ACK.stream.consumer.delivered.sequence.count.timestamp.pending`, or with a domain and an account before
/// the stream and something by chance at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// Of whom it was asked.
    pub(super) consumer: &'a str,
    /// Which message of the stream it is.
    pub(super) sequence: u64,
    /// Which of the consumer.
    pub(super) count: u64,
    /// When the stream took it.
    pub(super) stamp: Stamp,
    /// How many follow.
    pub(super) pending: u64,
}

impl<'a> Place<'a> {
    /// Reads it.
    pub(super) fn parse(reply: &'a [u8]) -> Option<Place<'a>> {
        let rest = str::from_utf8(reply).ok()?.strip_prefix("$JS.ACK.")?;
        let mut tokens = [""; 10];
        let mut count = 0;
        for token in rest.split('.') {
            *tokens.get_mut(count)? = token;
            count += 1;
        }
        let tokens = match count {
            7 => &tokens[..7],
            9 | 10 => &tokens[2..9],
            _ => return None,
        };
        let number = |at: usize| tokens[at].parse().ok();
        Some(Place {
            consumer: tokens[1],
            sequence: number(3)?,
            count: number(4)?,
            stamp: Stamp(number(5)?),
            pending: number(6)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_what_date_says() {
        // date -u -d … +%s
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000_000),
            ("2026-11-27T06:41:13.425165594Z", 1_795_761_673_425_165_594),
            ("2026-11-27T06:41:50.4704826Z", 1_795_761_710_470_482_600),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000_000_000),
        ] {
            assert_eq!(stamp(text), Some(Stamp(expected)), "{text}");
        }
        for text in [
            "",
            "Z",
            "0001-01-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-1-1Z",
            "9-é",
        ] {
            assert_eq!(stamp(text), None, "{text}");
        }
    }

    #[test]
    fn a_place_is_read_in_both_forms() {
        let old = Place::parse(b"$JS.ACK.MUXNC_c.eph1.1.2.1.1795761673424580276.4").unwrap();
        assert_eq!(
            (old.consumer, old.sequence, old.count, old.pending),
            ("eph1", 2, 1, 4)
        );
        assert_eq!(old.stamp, Stamp(1_795_761_673_424_580_276));
        for new in [
            &b"$JS.ACK._.hash.MUXNC_c.eph1.1.2.1.1795761673424580276.4.rAnd"[..],
            b"$JS.ACK.hub.hash.MUXNC_c.eph1.1.2.1.1795761673424580276.4",
        ] {
            assert_eq!(Place::parse(new), Some(old));
        }
        for none in [
            "",
            "$JS.ACK.",
            "$JS.ACK.a.b.1.2.3.4",
            "$JS.ACK.a.b.1.x.3.4.5",
            "$JS.ACK.a.b.c.d.e.f.g.h.i.j.k",
        ] {
            assert_eq!(Place::parse(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn a_stream_captures_all_hubs_or_it_does_not() {
        let captures = |subjects: &[&str]| {
            let subjects = subjects.iter().map(ToString::to_string).collect();
            Config {
                subjects,
                ..Config::default()
            }
            .captures("c")
        };
        for all in [
            "muxnc.c.>",
            "muxnc.c.*",
            "muxnc.*.*",
            "muxnc.>",
            ">",
            "*.c.>",
        ] {
            assert!(captures(&["x", all]), "{all}");
        }
        for not in [
            "muxnc.d.>",
            "muxnc.c",
            "muxnc.c.room",
            "muxnc.*",
            "muxnc.c.*.*",
            "*",
            "",
        ] {
            assert!(!captures(&[not]), "{not}");
        }
    }
}
