//! What only a hub does.

use std::fmt;
use std::fmt::Display;
use std::time::Duration;

use clap::Args;
use clap::ValueEnum;

use super::time::positive_duration;
use crate::engine::chat;
use crate::engine::chat::MAX_WELCOME;
use crate::engine::names;
use crate::engine::names::MAX_NAME;
use crate::engine::rate::Rate;
use crate::engine::room::SlowPeer;

/// The options of this group.
#[derive(Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "Hub")]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch that was typed or not"
)]
pub(super) struct HubArgs {
    /// Listen: be the hub, and serve everybody who connects
    #[arg(short, long)]
    pub(super) listen: bool,

    /// Serve on after the end of stdin, and do not end the peers' streams
    ///
    /// To serve one after the other, or many at once, as in nc and ncat, needs no option.
    #[arg(short, long)]
    pub(super) keep_open: bool,

    /// Serve one peer and end with it, as nc -l does
    #[arg(
        long,
        conflicts_with_all = ["keep_open", "max_conns", "max_per_host", "broker", "chat", "rate"]
    )]
    pub(super) once: bool,

    /// Pass each peer's lines on to all the others
    ///
    /// Whole lines, never mixed; you see them all too, and everybody sees yours.
    #[arg(long)]
    pub(super) broker: bool,

    /// Be a chat: --broker, and who said it before every line
    ///
    /// Comings, goings and new names are announced. Participants are user1, user2 and so on
    /// until they say /nick NAME (or you /name N NAME), and no name can look like another.
    /// They have /msg NAME TEXT, /me TEXT, /names and /help, too.
    /// What is said is text: control characters and the like are shown, as ^[.
    #[arg(
        long,
        conflicts_with_all = ["raw_output", "label"]
    )]
    pub(super) chat: bool,

    /// What you are called in a --chat
    #[arg(
        long,
        value_name = "NAME",
        default_value_t,
        value_parser = host_name
    )]
    pub(super) name: HostName,

    /// In a --chat, the first line that each newcomer reads, behind *
    ///
    /// Say in it what can be asked for: /help, /names, /nick NAME, /msg NAME TEXT, /me TEXT.
    #[arg(
        long,
        value_name = "TEXT",
        value_parser = welcome
    )]
    pub(super) welcome: Option<String>,

    /// In a --chat, show you what participants say to one alone by /msg
    ///
    /// Without it you see who said something to whom. (-o and -x keep what is received as it is.)
    #[arg(long)]
    pub(super) open_messages: bool,

    /// Begin lines on your screen with the time, and in a --chat everybody's: [09:11:33]
    ///
    /// It is the time where you are. Notices and what you type yourself have none. What is said by --history has the time when it was said. A pipe or file
    /// gets no times but those of a --chat; --transcript has them.
    #[arg(long, conflicts_with = "once")]
    pub(super) time: bool,

    /// Give each newcomer the last LINES lines first
    ///
    /// Of what everybody was sent: yours, and with --broker or --chat the others' too. Whole lines,
    /// 192 KiB of them at most.
    #[arg(
        long,
        value_name = "LINES",
        conflicts_with = "once",
        allow_negative_numbers = true,
        value_parser = count
    )]
    pub(super) history: Option<u32>,

    /// Read nothing of stdin before N peers are here
    ///
    /// So a file goes to all of them at once. How many are here, and then how far it is, is said
    /// at a terminal. Whoever comes when a file or a pipe has begun is refused. Who downloads the file by
    /// --web does not count.
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "once",
        allow_negative_numbers = true,
        value_parser = count
    )]
    pub(super) wait_for: Option<u32>,

    /// What to do about a peer that does not keep up
    #[arg(long, value_name = "POLICY", value_enum, default_value_t)]
    pub(super) slow_peer: SlowPeerArg,

    /// Cut off a participant that holds the others up this long and takes nothing
    ///
    /// What is typed or relayed waits this long for a member that takes something, but less than most
    /// of the others do; a file or a pipe waits for it to its end. What a program reads becomes known in
    /// steps of 64 KiB and more: who reads a file at less than some 15 kB/s needs a longer time.
    #[arg(
        long,
        value_name = "TIME",
        default_value_t,
        allow_negative_numbers = true,
        value_parser = stall_timeout
    )]
    pub(super) stall_timeout: StallTimeout,

    /// Read so many bytes in a second from each peer at most, as 500, 10k or 2M [default: no limit]
    ///
    /// A peer that sends more waits, and loses nothing; the bytes of one second may be saved up.
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = rate
    )]
    pub(super) rate: Option<Rate>,
}

impl HubArgs {
    /// Of what kind a chat is to be, if one is.
    pub(super) fn chat(&self) -> Option<chat::Rules> {
        self.chat.then(|| chat::Rules {
            host: self.name.0.clone(),
            welcome: self.welcome.clone(),
            open_messages: self.open_messages,
        })
    }

    pub(super) fn slow_peer(&self) -> SlowPeer {
        match self.slow_peer {
            SlowPeerArg::Wait => SlowPeer::Wait,
            SlowPeerArg::Disconnect => SlowPeer::Disconnect,
        }
    }
}

/// What the operator of a chat is called.
#[derive(Debug, Clone)]
pub(super) struct HostName(pub(super) String);

impl Default for HostName {
    fn default() -> HostName {
        HostName(names::HOST.into())
    }
}

impl Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long a member that takes nothing is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct StallTimeout(pub(super) Duration);

impl Default for StallTimeout {
    fn default() -> StallTimeout {
        StallTimeout(Duration::from_secs(10))
    }
}

impl Display for StallTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0.as_secs_f64())
    }
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum SlowPeerArg {
    /// Wait for it: nothing is lost (but see --stall-timeout)
    #[default]
    Wait,
    /// Cut it off at once if others are faster: for live streams
    Disconnect,
}

/// Bytes in a second: a number, in thousands with k, in millions with M.
fn rate(text: &str) -> Result<Rate, String> {
    let units = [("k", 1000), ("M", 1_000_000), ("", 1)];
    let bytes = units.iter().find_map(|(unit, factor)| {
        let number = text.strip_suffix(unit)?;
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        let number: u64 = number.parse().ok().filter(|_| digits)?;
        number.checked_mul(*factor)
    });
    match bytes {
        Some(bytes) if bytes > 0 => Ok(Rate::per_second(bytes)),
        _ => Err(String::from(
            "a rate is a number of bytes in a second, as 500, 10k (thousands) or 2M (millions)",
        )),
    }
}

/// How many, of which none makes no sense.
pub(super) fn count(text: &str) -> Result<u32, String> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse().ok().filter(|count| digits && *count > 0) {
        Some(count) => Ok(count),
        None => Err(String::from("a whole number from 1 on is wanted, as 30")),
    }
}

/// One of [`positive_duration`].
fn stall_timeout(text: &str) -> Result<StallTimeout, String> {
    positive_duration(text).map(StallTimeout)
}

/// A name that no participant of a chat has.
fn host_name(text: &str) -> Result<HostName, String> {
    match names::is_free_for_host(text) {
        true => Ok(HostName(text.into())),
        false => Err(format!(
            "a name is 1 to {MAX_NAME} letters, digits or any of - _ . with a letter among them, \
             and not user1 or the like"
        )),
    }
}

/// One line that is not long.
fn welcome(text: &str) -> Result<String, String> {
    match text.len() <= MAX_WELCOME && !text.is_empty() && !text.contains('\n') {
        true => Ok(text.into()),
        false => Err(format!(
            "a welcome is one line of at most {MAX_WELCOME} bytes"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_bytes_thousands_or_millions() {
        for (text, bytes) in [("1", 1), ("500", 500), ("10k", 10_000), ("2M", 2_000_000)] {
            assert_eq!(rate(text), Ok(Rate::per_second(bytes)));
        }
        for text in [
            "",
            "0",
            "0k",
            "k",
            "-1",
            "+1",
            "1.5k",
            "1 k",
            "1K",
            "99999999999999999999M",
        ] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
