//! The command line: what was typed, and what it means.
//!
//! The only file that knows clap. `Args` is what was typed; [`parse`] turns it into a [`Mode`],
//! in which nothing is left to be checked.
//!
//! It promises: a command line that makes no sense is explained and ends with status 2; nothing is
//! opened, looked up or sent before all of it made sense (service names excepted).

use std::ffi::OsString;
use std::time::Duration;

use clap::ArgAction;
use clap::CommandFactory;
use clap::Parser;
use clap::ValueEnum;
use clap::error::ErrorKind;

use crate::client::Settings;
use crate::client::Traffic;
use crate::engine::chat;
use crate::engine::command::MAX_NAME;
use crate::engine::room::Label;
use crate::engine::room::SlowPeer;
use crate::hub::HubConfig;
use crate::io::error::Error;
use crate::io::net;
use crate::io::net::Bind;
use crate::io::net::Family;
use crate::io::net::Lookup;
use crate::io::net::Remote;

/// How long to try to connect when `-w` does not say: as long as ncat does.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

const USAGE: &str = "\
       muxnc HOST PORT          connect: what you type goes there, what comes is shown
       muxnc -l [HOST] PORT     be the hub: everybody who connects sees what you type";

const EXAMPLES: &str = "\
Examples:
  muxnc -l 3000                 the class hub, for any number of participants
  muxnc 192.0.2.7 3000          a participant (nc, ncat, telnet and socat do as well)
  muxnc -C example.org 80       type an HTTP request by hand
  muxnc -l 3000 < lesson.pdf    send a file; it starts when the first one joins
  muxnc -l --once 3000 > file   receive one file, as nc -l does

At a terminal the line being typed is edited with the keys of a shell; Ctrl-C clears it, and ends
muxnc if there is none, Ctrl-D is the end of the input. The hub's operator has commands: /who /msg
/kick /name /mute /unmute /relay /stats /quit; /help explains them, //x says /x.

Times are 500ms, 2s, 1.5m, 1h; a plain number is seconds.
Exit status: 0 done, 1 the network or an input or output failed, 2 wrong usage.";

/// A netcat for many: raw TCP between one terminal and one peer, or a whole class.
#[derive(Debug, Parser)]
#[command(
    name = "muxnc",
    version,
    override_usage = USAGE.trim_start(),
    after_help = EXAMPLES,
    max_term_width = 100,
    args_override_self = true
)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch that was typed or not"
)]
struct Args {
    /// HOST to connect to (or to listen on) and PORT: a number, or a service's name
    #[arg(value_names = ["HOST", "PORT"], num_args = 0..=2, hide = true)]
    place: Vec<String>,

    /// Listen: be the hub, and serve everybody who connects
    #[arg(short, long, help_heading = "Hub")]
    listen: bool,

    /// Serve on after the end of stdin, and end nobody's stream
    #[arg(short, long, requires = "listen", help_heading = "Hub")]
    keep_open: bool,

    /// Serve one peer and end with it, as nc -l does
    #[arg(
        long,
        requires = "listen",
        conflicts_with_all = ["keep_open", "max_conns", "broker", "chat"],
        help_heading = "Hub"
    )]
    once: bool,

    /// Pass each peer's lines on to all the others
    ///
    /// Whole lines, never mixed; you see them all too, and everybody sees yours.
    #[arg(long, requires = "listen", help_heading = "Hub")]
    broker: bool,

    /// Be a chat: --broker, and who said it before every line
    ///
    /// Whoever comes, goes or takes a name is announced. Participants are user1, user2 and so on
    /// until they say /nick NAME (or you /name N NAME), and nobody can look like somebody else.
    /// What is said is text: control characters and the like are shown, as ^[.
    #[arg(
        long,
        requires = "listen",
        conflicts_with_all = ["raw_output", "label"],
        help_heading = "Hub"
    )]
    chat: bool,

    /// What you are called in a --chat
    #[arg(
        long,
        value_name = "NAME",
        requires = "chat",
        default_value = chat::HOST,
        value_parser = host_name,
        help_heading = "Hub"
    )]
    name: String,

    /// Let N peers in at most [default: as many as there are descriptors]
    #[arg(
        short,
        long,
        value_name = "N",
        requires = "listen",
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Hub"
    )]
    max_conns: Option<u32>,

    /// What to do about a peer that does not keep up
    #[arg(
        long,
        value_name = "POLICY",
        requires = "listen",
        default_value = "wait",
        help_heading = "Hub"
    )]
    slow_peer: SlowPeerArg,

    /// Cut off who holds the others up this long and takes nothing
    #[arg(
        long,
        value_name = "TIME",
        requires = "listen",
        default_value = "10s",
        value_parser = positive_duration,
        help_heading = "Hub"
    )]
    stall_timeout: Duration,

    /// Use IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6", help_heading = "Address")]
    ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6', help_heading = "Address")]
    ipv6: bool,

    /// Look nothing up: addresses and ports are numbers
    #[arg(short, long, help_heading = "Address")]
    nodns: bool,

    /// The port to come from; with -l, the port to listen on
    #[arg(
        short = 'p',
        long,
        value_name = "PORT",
        allow_hyphen_values = true,
        help_heading = "Address"
    )]
    source_port: Option<String>,

    /// The address to come from; with -l, the one to listen on
    #[arg(short, long, value_name = "HOST", help_heading = "Address")]
    source: Option<String>,

    /// Try to connect for this long, over all addresses [default: 10s]
    #[arg(
        short,
        long,
        value_name = "TIME",
        conflicts_with = "listen",
        value_parser = positive_duration,
        help_heading = "Time"
    )]
    wait: Option<Duration>,

    /// Leave this long after the end of stdin at the latest
    #[arg(short, value_name = "TIME", value_parser = duration, help_heading = "Time")]
    quit_after: Option<Duration>,

    /// Send CRLF for each end of line
    #[arg(short = 'C', long, help_heading = "Bytes")]
    crlf: bool,

    /// End our side of the connection at the end of stdin: the default
    #[arg(short = 'N', conflicts_with = "no_shutdown", help_heading = "Bytes")]
    shutdown: bool,

    /// Keep our side open after the end of stdin
    #[arg(long, help_heading = "Bytes")]
    no_shutdown: bool,

    /// Only send: what comes in is thrown away, and the end of stdin is the end
    #[arg(long, conflicts_with = "recv_only", help_heading = "Bytes")]
    send_only: bool,

    /// Only receive: stdin is not read
    #[arg(long, help_heading = "Bytes")]
    recv_only: bool,

    /// Say who said it: `auto` from the second participant on
    #[arg(
        long,
        value_name = "WHEN",
        requires = "listen",
        default_value = "auto",
        help_heading = "Terminal"
    )]
    label: When,

    /// Colour the labels: `auto` if stdout is a terminal and NO_COLOR is not set
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Terminal"
    )]
    color: When,

    /// Let the bytes of others do to the terminal what they will
    ///
    /// By default control characters and the like are shown, as ^[, not obeyed. A pipe or file
    /// always gets every byte unchanged.
    #[arg(long, help_heading = "Terminal")]
    raw_output: bool,

    /// Do not edit the line being typed: leave that to the terminal, as nc does
    #[arg(long, help_heading = "Terminal")]
    no_edit: bool,

    /// Say what begins with / like anything else
    #[arg(long, requires = "listen", help_heading = "Terminal")]
    no_commands: bool,

    /// Say on stderr what happens; twice or three times: in detail
    #[arg(short, long, action = ArgAction::Count, help_heading = "Messages")]
    verbose: u8,

    /// Say only what went wrong
    #[arg(long, conflicts_with = "verbose", help_heading = "Messages")]
    quiet: bool,

    /// Refused: see [`NO_PROGRAMS`].
    #[arg(
        short = 'e',
        short_alias = 'c',
        long = "exec",
        aliases = ["sh-exec", "lua-exec"],
        num_args = 0..,
        allow_hyphen_values = true,
        hide = true
    )]
    exec: Option<Vec<OsString>>,
}

const NO_PROGRAMS: &str = "muxnc never runs a program for the network: a class hub must not become \
                           a shell";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SlowPeerArg {
    /// Wait for it: nothing is lost (but see --stall-timeout)
    Wait,
    /// Cut it off: for live streams
    Disconnect,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// What to run.
#[derive(Debug, Clone)]
pub enum Mode {
    /// `-l`
    Hub(HubConfig),
    /// Everything else.
    Client {
        /// Whom to connect to.
        remote: Remote,
        /// How to serve the connection.
        settings: Settings,
    },
    /// `--help` or `--version`: a text for stdout.
    Text(String),
}

/// How much to say on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors.
    Quiet,
    /// Errors, warnings, and at a terminal who comes and goes.
    Normal,
    /// `-v`, `-vv`, `-vvv`.
    Verbose(u8),
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// It makes no sense.
pub fn parse(
    line: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<(Mode, Verbosity), Error> {
    let args = match Args::try_parse_from(line) {
        Ok(args) => args,
        Err(error) => return explain(&error).map(|text| (text, Verbosity::Normal)),
    };
    if args.exec.is_some() {
        return Err(Error::usage("-e, -c", NO_PROGRAMS));
    }
    let verbosity = match (args.quiet, args.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, times) => Verbosity::Verbose(times),
    };
    let mode = match args.listen {
        true => Mode::Hub(args.hub()?),
        false => args.client()?,
    };
    Ok((mode, verbosity))
}

/// The command line's definition, from which the manual and the shells' completions are generated.
pub fn command() -> clap::Command {
    Args::command()
}

/// clap's help as a mode, and its errors in our words.
fn explain(error: &clap::Error) -> Result<Mode, Error> {
    let text = error.to_string();
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return Ok(Mode::Text(text));
    }
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let what = text.split("\n\nUsage:").next().unwrap_or(text).trim_end();
    // The first line is the error; what follows are clap's tips.
    let (what, tips) = what.split_once('\n').unwrap_or((what, ""));
    let tips: Vec<&str> = tips
        .lines()
        .map(str::trim)
        // What clap says instead of ours.
        .filter(|tip| !tip.is_empty() && !tip.starts_with("For more information"))
        .collect();
    let told = Error::usage("usage", what);
    Err(match tips.is_empty() {
        true => told.hint("Try: muxnc --help"),
        false => told.hint(format!("{}\n  Try: muxnc --help", tips.join(" "))),
    })
}

impl Args {
    fn family(&self) -> Family {
        match (self.ipv4, self.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            _ => Family::Any,
        }
    }

    fn lookup(&self) -> Lookup {
        match self.nodns {
            true => Lookup::Numeric,
            false => Lookup::Names,
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            crlf: self.crlf,
            half_close: !self.no_shutdown,
            quit_after: self.quit_after,
            raw_output: self.raw_output,
            edit: !self.no_edit,
            traffic: match (self.send_only, self.recv_only) {
                (true, _) => Traffic::SendOnly,
                (_, true) => Traffic::ReceiveOnly,
                _ => Traffic::Both,
            },
        }
    }

    /// `-l P`, `-l -p P`, `-l HOST P`, `-l -s HOST -p P`.
    fn hub(&self) -> Result<HubConfig, Error> {
        let (host, port) = match (&self.place[..], &self.source_port) {
            ([], Some(port)) => (None, port),
            ([port], None) => (None, port),
            ([host], Some(port)) | ([host, port], None) => (Some(host), port),
            ([], None) => {
                return Err(Error::usage("usage", "which port to listen on is missing")
                    .hint("As in: muxnc -l 3000"));
            }
            _ => {
                return Err(Error::usage("usage", "two ports to listen on were given")
                    .hint("Either after the host or with -p."));
            }
        };
        if host.is_some() && self.source.is_some() {
            return Err(
                Error::usage("usage", "two addresses to listen on were given")
                    .hint("Either before the port or with -s."),
            );
        }
        let host = host.or(self.source.as_ref());
        if host.is_some_and(String::is_empty) {
            return Err(Error::usage("usage", "the address to listen on is missing")
                .hint("As in: muxnc -l 3000"));
        }
        Ok(HubConfig {
            bind: Bind {
                host: host.cloned(),
                port: net::port(port, self.lookup())?,
                family: self.family(),
                lookup: self.lookup(),
            },
            keep_open: self.keep_open,
            once: self.once,
            max_peers: self.max_conns.map(|max| max as usize),
            relay: self.broker || self.chat,
            chat: self.chat.then(|| self.name.clone()),
            slow: match self.slow_peer {
                SlowPeerArg::Wait => SlowPeer::Wait,
                SlowPeerArg::Disconnect => SlowPeer::Disconnect,
            },
            stall_timeout: self.stall_timeout,
            label: match self.label {
                When::Auto => Label::Auto,
                When::Always => Label::Always,
                When::Never => Label::Never,
            },
            color: match self.color {
                When::Auto => terminal_has_colors(),
                When::Always => true,
                When::Never => false,
            },
            commands: !self.no_commands,
            settings: self.settings(),
        })
    }

    fn client(&self) -> Result<Mode, Error> {
        let missing = |what: &str| {
            Error::usage("usage", format!("{what} missing"))
                .hint("As in: muxnc HOST PORT, or muxnc -l PORT to be the hub. Try: muxnc --help")
        };
        let (host, port) = match &self.place[..] {
            [] => return Err(missing("host and port are")),
            [host] => return Err(missing(&format!("the port to connect to on {host} is"))),
            [host, port, ..] => (host, port),
        };
        if host.is_empty() {
            return Err(missing("the host is"));
        }
        let to = net::port(port, self.lookup())?;
        if to == 0 {
            return Err(Error::usage("port '0'", "nothing can be reached there")
                .hint("A port to connect to is a number from 1 to 65535, or a service's name."));
        }
        let source_port = match &self.source_port {
            Some(port) => Some(net::port(port, self.lookup())?),
            None => None,
        };
        Ok(Mode::Client {
            remote: Remote {
                host: host.clone(),
                port: to,
                family: self.family(),
                lookup: self.lookup(),
                source: self.source.clone(),
                source_port,
                limit: self.wait.unwrap_or(CONNECT_LIMIT),
            },
            settings: self.settings(),
        })
    }
}

/// Whether a terminal may be given colours, unless asked otherwise (no-color.org).
fn terminal_has_colors() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    !set("NO_COLOR") && !dumb
}

/// A time as ncat reads it: `500ms`, `2s`, `1.5m`, `1h`; a plain number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
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

/// A name that no participant of a chat has.
fn host_name(text: &str) -> Result<String, String> {
    match chat::is_free_for_host(text) {
        true => Ok(text.into()),
        false => Err(format!(
            "a name is 1 to {MAX_NAME} letters, digits or any of - _ . with a letter among them, \
             and not user1 or the like"
        )),
    }
}

fn positive_duration(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|time| match time.is_zero() {
        true => Err(String::from("it must be longer than nothing")),
        false => Ok(time),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(line: &str) -> Result<Mode, Error> {
        let words = std::iter::once("muxnc").chain(line.split_whitespace());
        parse(words.collect::<Vec<_>>()).map(|(mode, _)| mode)
    }

    fn hub(line: &str) -> HubConfig {
        match mode(line) {
            Ok(Mode::Hub(config)) => config,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn every_spelling_of_listening() {
        for line in [
            "-l 3000",
            "-l -p 3000",
            "-lp 3000",
            "-lvnp 3000",
            "3000 -l",
            "-p 3000 -l",
        ] {
            let bind = hub(line).bind;
            assert_eq!((bind.host, bind.port), (None, 3000), "{line}");
        }
        for line in [
            "-l 127.0.0.1 3000",
            "127.0.0.1 3000 -l",
            "-l 127.0.0.1 -p 3000",
            "-l -s 127.0.0.1 3000",
            "--listen --source 127.0.0.1 --source-port 3000",
        ] {
            let bind = hub(line).bind;
            assert_eq!(
                (bind.host.as_deref(), bind.port),
                (Some("127.0.0.1"), 3000),
                "{line}"
            );
        }
        assert_eq!(hub("-l 0").bind.port, 0);
    }

    #[test]
    fn a_chat_relays_and_its_operator_has_a_name() {
        let chat = hub("-l --chat 3000");
        assert!(chat.relay);
        assert_eq!(chat.chat.as_deref(), Some("host"));
        let named = hub("-l 3000 --chat --broker --name Bob");
        assert_eq!(named.chat.as_deref(), Some("Bob"));
        assert_eq!(hub("-l 3000 --broker").chat, None);
    }

    #[test]
    fn options_may_follow_the_positionals() {
        let Ok(Mode::Client { remote, settings }) = mode("localhost 80 -w 1.5m -C -q 2 -4") else {
            panic!("not a client");
        };
        assert_eq!(remote.limit, Duration::from_secs(90));
        assert_eq!(remote.family, Family::V4);
        assert_eq!(settings.quit_after, Some(Duration::from_secs(2)));
        assert!(settings.crlf && settings.half_close);
    }

    #[test]
    fn nonsense_is_a_usage_error() {
        for line in [
            "",
            "localhost",
            "localhost 0",
            "localhost 0x",
            "localhost 99999",
            "localhost -5",
            "localhost -- -5",
            "localhost 80x",
            "localhost 80 81",
            "-l",
            "-l 80 -p 81 82",
            "-l 127.0.0.1 -s 127.0.0.1 80",
            "-l 80 -w 3",
            "-k localhost 80",
            "-l --once --broker 80",
            "-l -m 0 80",
            "-4 -6 localhost 80",
            "-w 0 localhost 80",
            "-w 5x localhost 80",
            "-l --stall-timeout 0 80",
            "--send-only --recv-only localhost 80",
            "--nonsense",
            "-e /bin/sh -l 80",
            "-l 80 -c sh",
            "-l 80 --sh-exec sh",
        ] {
            let error = mode(line).expect_err(line);
            assert!(error.is_usage(), "{line}: {error}");
        }
    }

    #[test]
    fn programs_are_refused_with_a_reason() {
        for line in [
            "-l 80 -e /bin/sh",
            "-l 80 -c sh",
            "localhost 80 --lua-exec x",
        ] {
            let error = mode(line).expect_err(line).to_string();
            assert!(error.contains("must not become a shell"), "{error}");
        }
    }

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
