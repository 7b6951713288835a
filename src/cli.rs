//! The command line: what was typed, and what it means.
//!
//! The only module that knows clap. `Args` is what was typed, in a struct for each heading of the
//! help (and no `ArgGroup`, which clap would look through at every flag); [`parse`] turns it into a
//! [`Mode`], in which nothing is left to be checked.
//!
//! It promises: a command line that makes no sense is explained and ends with status 2, and so does
//! one in another netcat's words; nothing is opened, looked up or sent before all of it made sense
//! (service names excepted).

mod access;
mod address;
mod bus;
mod bytes;
mod common;
mod foreign;
mod generated;
mod hub;
mod messages;
mod misplaced;
mod one_word;
mod proxy;
mod records;
mod terminal;
mod time;
mod tls;
mod version;
mod web;

use std::borrow::Cow;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgAction;
use clap::CommandFactory;
use clap::FromArgMatches;
use clap::Parser;
use clap::error::ContextKind;
use clap::error::ContextValue;
use clap::error::ErrorKind;

use self::access::AccessArgs;
use self::address::AddressArgs;
use self::bus::BusArgs;
use self::bytes::BytesArgs;
use self::foreign::Foreign;
use self::foreign::namesake;
use self::generated::Generated;
use self::hub::HubArgs;
use self::messages::MessagesArgs;
pub use self::messages::Verbosity;
use self::one_word::OneWord;
use self::proxy::ProxyArgs;
use self::records::RecordsArgs;
use self::terminal::TerminalArgs;
use self::time::TimeArgs;
use self::tls::TlsArgs;
use self::web::WebArgs;
use crate::client::Settings;
use crate::client::Traffic;
use crate::engine::ports::Ports;
use crate::engine::ports::PortsError;
use crate::engine::room::CLASS;
use crate::hub::HubConfig;
use crate::io::dial::Target;
use crate::io::error::Error;
use crate::io::listener::Place;
use crate::io::net;
use crate::io::net::Bind;
use crate::io::net::Passed;
use crate::io::net::Remote;
use crate::io::net::is_port_alone;
use crate::io::net::port_as_address;
use crate::io::net::port_as_host;
use crate::io::proxy::Proxy;
use crate::io::tls::ClientTls;
use crate::io::unix::Name;
use crate::scan;
use crate::udp;

/// What `-h` says, and `--help` first.
const SUMMARY: &str = "\
A netcat for a whole class: raw TCP between one terminal and many.

  muxnc -l 3000            be the hub: everybody reads you, you read everybody
  muxnc 192.0.2.7 3000     take part; nc, ncat, telnet and socat do as well
  muxnc -C example.org 80  talk to any other server: here HTTP, typed by hand
  muxnc -l --chat 3000     a chat: everybody reads everybody, by name
  muxnc -l 3000 < FILE     send a file; --wait-for 30 begins when 30 are here
  muxnc -l --once 3000     serve one and end, as nc -l does; > FILE receives

-v tells what happens, Ctrl-C ends it. All options: muxnc --help, or man muxnc.";

const USAGE: &str = "\
       muxnc [OPTIONS] -l [HOST] PORT
       muxnc [OPTIONS] HOST PORT";

const NOTES: &str = "\
At a terminal the line being typed is edited with the keys of a shell; Ctrl-C clears it, and ends
muxnc if there is none, Ctrl-D is the end of the input. The hub's operator has commands, as /who,
/msg, /kick, /ban and /lock; /help explains them all, //x says /x. In a --chat participants have
some, too: /help.

Times are 500ms, 2s, 1.5m, 1h; a plain number is seconds.
Exit status: 0 done, 1 the network or an input or output failed, 2 wrong usage.";

/// What was typed.
#[derive(Debug, Default, Parser)]
#[group(skip)]
#[command(
    name = "muxnc",
    version,
    about = SUMMARY,
    long_about = None,
    override_usage = USAGE.trim_start(),
    after_help = NOTES,
    max_term_width = 100,
    args_override_self = true,
    disable_help_flag = true,
    disable_version_flag = true
)]
struct Args {
    /// HOST to connect to (or to listen on) and PORT: a number, or a service's name
    #[arg(value_names = ["HOST", "PORT"], num_args = 0.., hide = true)]
    place: Vec<String>,

    /// Say the most important in ten lines
    #[arg(short = 'h')]
    summary: bool,

    /// Say everything
    #[arg(long, action = ArgAction::HelpLong)]
    help: Option<bool>,

    /// Say which version this is
    #[arg(short = 'V')]
    short_version: bool,

    /// The same, with the commit it was built from and its features
    #[arg(long)]
    version: bool,

    /// Write the manual page, or a shell's completion, to stdout
    #[arg(long, value_name = "WHAT")]
    generate: Option<Generated>,

    #[command(flatten)]
    hub: HubArgs,

    #[command(flatten)]
    web: WebArgs,

    #[command(flatten)]
    bus: BusArgs,

    #[command(flatten)]
    access: AccessArgs,

    #[command(flatten)]
    address: AddressArgs,

    #[command(flatten)]
    proxy: ProxyArgs,

    #[command(flatten)]
    tls: TlsArgs,

    #[command(flatten)]
    time: TimeArgs,

    #[command(flatten)]
    bytes: BytesArgs,

    #[command(flatten)]
    records: RecordsArgs,

    #[command(flatten)]
    terminal: TerminalArgs,

    #[command(flatten)]
    messages: MessagesArgs,
}

/// What to run.
#[derive(Debug, Clone)]
pub enum Mode {
    /// `-l`
    Hub(HubConfig),
    /// `-z`: see whether something listens there.
    Probe {
        /// Whom to connect to.
        target: Target,
        /// Whether and how to encrypt.
        tls: Option<ClientTls>,
        /// The status alone says that nothing listens there: no message does.
        quiet: bool,
        /// Whether `--explain` tells step by step what happens.
        explain: bool,
    },
    /// `-z` with several ports.
    Scan(scan::Settings),
    /// `-u`: datagrams.
    Udp(udp::Settings),
    /// Take part, or talk to any other server: without `-l`, `-z` and `-u`.
    Client {
        /// Whom to connect to.
        target: Target,
        /// Whether and how to encrypt.
        tls: Option<ClientTls>,
        /// How to serve the connection.
        settings: Settings,
    },
    /// `--help`, `--version` or `--generate`: a text for stdout.
    Text(Cow<'static, str>),
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// The command line makes no sense: the error says why, and what to type instead.
pub fn parse(
    line: impl IntoIterator<Item = impl Into<OsString>>,
) -> Result<(Mode, Verbosity), Error> {
    let line: Vec<OsString> = line.into_iter().map(Into::into).collect();
    if let Some(args) = Args::of_common(&line) {
        args.check_place()?;
        return args.meant();
    }
    let mut command = command();
    let matches = match command.try_get_matches_from_mut(&line) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => return text(error.to_string()),
        Err(error) => return Err(explain(&error, &command, &line)),
    };
    let args = Args::from_arg_matches(&matches).map_err(|e| explain(&e, &command, &line))?;
    if args.summary {
        return text(format!("{SUMMARY}\n"));
    }
    if args.short_version {
        return match args.place.is_empty() {
            true => text(version::SHORT),
            false => Err(Foreign::of("-V")
                .map(|option| option.told("-V", args.hub.listen))
                .expect("it is there")),
        };
    }
    if args.version {
        return text(version::long());
    }
    if let Some(generated) = args.generate {
        return text(generated.text());
    }
    args.check_place()?;
    misplaced::check(&command, &matches)?;
    if let (Some(delay), Some((limit, option))) = (args.time.delay, args.silence())
        && delay >= limit
    {
        return Err(
            Error::usage(format!("-d, {option}"), "every line would be the last")
                .hint("The delay between lines must be shorter than the idle timeout."),
        );
    }
    if args.lacks_port()
        && let Some(told) = misplaced::swallowed(&command, &matches, args.hub.listen)
    {
        return Err(told);
    }
    args.meant()
}

/// A mode in which nothing is done but to write this text to stdout.
fn text(text: impl Into<Cow<'static, str>>) -> Result<(Mode, Verbosity), Error> {
    Ok((Mode::Text(text.into()), Verbosity::Normal))
}

/// The command line's definition, from which the manual and the shells' completions are generated.
pub fn command() -> clap::Command {
    Args::command()
}

/// What clap finds wrong with a command line, in our words. An option of another netcat comes first: its
/// user is told what muxnc has instead.
fn explain(error: &clap::Error, command: &clap::Command, line: &[OsString]) -> Error {
    let wrong = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(wrong)) => wrong,
        _ => "",
    };
    let words = line.iter().skip(1).filter_map(|word| word.to_str());
    let listen = has_switch(command, words.clone(), "--listen", 'l');
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(option) = Foreign::of(wrong)
    {
        return option.told(wrong, listen);
    }
    for word in words.clone() {
        if let Some(address) = OneWord::socat(word) {
            return address.told(word, listen, false);
        }
    }
    if error.kind() == ErrorKind::ArgumentConflict
        && let Some(told) = misplaced::together(error, command)
    {
        return told;
    }
    if error.kind() == ErrorKind::UnknownArgument && !wrong.is_empty() {
        let similar = match error.get(ContextKind::SuggestedArg) {
            Some(ContextValue::String(similar)) => format!("There is {similar}.\n  "),
            _ => String::new(),
        };
        return Error::usage(wrong, "there is no such option")
            .hint(format!("{similar}Try: muxnc --help"));
    }
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let what = text.split("\n\nUsage:").next().unwrap_or(text).trim_end();
    // The first line is the error; what follows are clap's tips, each in a line of its own.
    let (what, tips) = what.split_once('\n').unwrap_or((what, ""));
    let mut tips: Vec<&str> = tips
        .lines()
        .map(str::trim)
        // Left out: what clap says in place of our "Try: muxnc --help", and its tip about values that
        // look like an option.
        .filter(|tip| !tip.starts_with("For more information") && !tip.starts_with("tip: to pass"))
        .filter(|tip| !tip.is_empty())
        .collect();
    let meant = command.get_arguments().find(|arg| arg.to_string() == wrong);
    tips.extend(meant.and_then(|arg| namesake(arg.get_id().as_str())));
    let told = Error::usage("usage", what);
    match tips.is_empty() {
        true => told.hint("Try: muxnc --help"),
        false => told.hint(format!("{}\n  Try: muxnc --help", tips.join("\n  "))),
    }
}

/// Whether a switch was typed, by its long or its short name, on a command line that makes no sense
/// as a whole.
fn has_switch<'a>(
    command: &clap::Command,
    words: impl Iterator<Item = &'a str>,
    long: &str,
    short: char,
) -> bool {
    let is_switch = |letter: &char| {
        command
            .get_arguments()
            .any(|arg| arg.get_short() == Some(*letter) && !arg.get_action().takes_values())
    };
    words.take_while(|word| *word != "--").any(|word| {
        let letters = word.strip_prefix('-').unwrap_or_default();
        word == long || letters.chars().take_while(is_switch).any(|c| c == short)
    })
}

impl Args {
    /// What the arguments mean: what to run, and how much is said on stderr meanwhile.
    fn meant(&self) -> Result<(Mode, Verbosity), Error> {
        let mode = match (self.address.udp, self.hub.listen) {
            (true, _) => Mode::Udp(self.udp()?),
            (false, true) => Mode::Hub(self.hub()?),
            (false, false) => self.client()?,
        };
        Ok((mode, self.messages.verbosity()))
    }

    /// Checks that each word beside the options can be the host or the port for which it stands.
    fn check_place(&self) -> Result<(), Error> {
        if self.address.unixsock {
            return Ok(());
        }
        if let Some(source) = self.address.source.as_ref()
            && is_port_alone(source)
        {
            return Err(port_as_host(source));
        }
        for (at, word) in self.place.iter().enumerate() {
            match OneWord::parse(word) {
                Some(OneWord::HostPort(_, port)) if at == 1 => {
                    return Err(self.colon_in_port(word, port));
                }
                Some(one) => {
                    return Err(one.told(word, self.hub.listen, self.address.udp));
                }
                None => {}
            }
        }
        match &self.place[..] {
            [first, second]
                if is_port_alone(first)
                    && (is_host(second)
                        || second.starts_with(|c: char| c.is_alphanumeric())
                            && !second.contains(':')) =>
            {
                Err(self.ports_alone(first, second))
            }
            [_, _, third, ..] => Err(Error::usage(
                "usage",
                format!("a host and a port are two words, and '{third}' is one more"),
            )
            .hint("Whether several ports are open, -z looks: muxnc -z HOST 20-25,80\n  Try: muxnc --help")),
            _ => Ok(()),
        }
    }

    /// A word with a colon stands where a port is wanted: a range of ports, as other programs write
    /// it, or something before the port.
    fn colon_in_port(&self, word: &str, port: &str) -> Error {
        let host = &self.place[0];
        let what = format!("port '{word}'");
        let range = word.replace(':', "-");
        let is_range =
            Ports::parse(&range, str::parse::<u16>).is_ok_and(|ports| ports.only().is_none());
        match (is_range, self.bytes.zero, self.hub.listen) {
            (true, true, _) => Error::usage(what, "a range of ports is written with a hyphen")
                .hint(format!("Write: muxnc -z {host} {range}")),
            (true, false, false) => Error::usage(what, "one connection goes to one port").hint(
                format!("Whether they are open, -z looks: muxnc -z {host} {range}"),
            ),
            (_, _, listen) => {
                let listening = if listen { "-l " } else { "" };
                Error::usage(what, "one port is wanted")
                    .hint(format!("Write: muxnc {listening}{host} {port}"))
            }
        }
    }

    /// A number stands where a host is wanted.
    fn ports_alone(&self, first: &str, second: &str) -> Error {
        let listening = if self.hub.listen { "-l " } else { "" };
        let is_port = second.bytes().all(|b| b.is_ascii_digit());
        match (is_port, self.hub.listen) {
            (false, _) => Error::usage(format!("host '{first}'"), "a number alone is a port").hint(
                format!("The host comes first: muxnc {listening}{second} {first}"),
            ),
            (true, true) => Error::usage("usage", "two ports to listen on were given")
                .hint(format!("One hub has one. {}", port_as_address(first))),
            (true, false) => Error::usage("usage", "two ports and no host were given").hint(
                format!("As in: muxnc HOST {second}. {}", port_as_address(first)),
            ),
        }
    }

    /// Whether the port is missing. An option before it may have taken it for its own value.
    fn lacks_port(&self) -> bool {
        if self.address.unixsock {
            return false;
        }
        match (self.hub.listen, &self.place[..]) {
            (false, place) => place.len() < 2,
            (true, []) => {
                let is_given = self.address.source_port.is_some() || self.web.web.is_some();
                !is_given && net::passed() != Passed::ToUs
            }
            (true, [host]) => self.address.source_port.is_none() && is_host(host),
            (true, _) => false,
        }
    }

    fn settings(&self) -> Result<Settings, Error> {
        let name = self.hub.chat.then_some(&*self.hub.name.0);
        Ok(Settings {
            crlf: self.bytes.crlf,
            telnet: self.bytes.telnet,
            half_close: !self.bytes.no_shutdown,
            quit_after: self.time.quit_after,
            idle_timeout: self.time.idle_timeout,
            line_delay: self.time.delay,
            raw_output: self.terminal.raw_output,
            edit: !self.terminal.no_edit,
            explain: self.messages.explain,
            digest: self.bytes.sha256,
            traffic: self.bytes.traffic(),
            records: self.records.wanted(name, self.hub.listen, self.reads())?,
        })
    }

    /// The files that are read.
    fn reads(&self) -> Vec<PathBuf> {
        let (access, tls, bus) = (self.access.reads(), self.tls.reads(), self.bus.reads());
        access.chain(tls).chain(bus).cloned().collect()
    }

    fn hub(&self) -> Result<HubConfig, Error> {
        let (wait_for, max) = (self.hub.wait_for, self.access.max_conns);
        if let (Some(wait_for), Some(max)) = (wait_for, max)
            && wait_for > max
        {
            return Err(Error::usage(
                "usage",
                format!("--wait-for {wait_for} are never here with -m {max}"),
            ));
        }
        if self.records.collect.is_some() {
            self.check_collect()?;
        }
        let place = self.hub_place()?;
        let lookup = self.address.lookup();
        let web = self.web.config(self.address.family(), lookup)?;
        if let (Some(Place::Inet(bind)), Some(web)) = (&place, &web) {
            web.check_beside(bind)?;
        }
        Ok(HubConfig {
            place,
            web,
            tls: self.tls.hub()?,
            keep_open: self.hub.keep_open,
            once: self.hub.once,
            access: self.access.access(self.address.lookup())?,
            max_peers: self.access.max_conns.map(|max| max as usize),
            max_per_host: self.access.max_per_host.map(|max| max as usize),
            tells_refused: self.messages.verbosity() != Verbosity::Quiet,
            relay: self.hub.broker || self.hub.chat,
            chat: self.hub.chat(),
            wait_for: wait_for.map(|peers| peers as usize),
            history: self.hub.history.map_or(0, |lines| lines as usize),
            announced: CLASS,
            slow: self.hub.slow_peer(),
            stall_timeout: self.hub.stall_timeout.0,
            rate: self.hub.rate,
            times: self.hub.time,
            label: self.terminal.label(),
            color: self.terminal.color(),
            bus: self.bus.config()?.map(Box::new),
            commands: !self.terminal.no_commands,
            settings: self.settings()?,
        })
    }

    /// `-u HOST PORT`, `-l -u PORT`.
    fn udp(&self) -> Result<udp::Settings, Error> {
        let place = match self.hub.listen {
            true => match net::passed() {
                Passed::ToUs => {
                    return Err(Error::usage(
                        "-u",
                        "a socket was passed (LISTEN_FDS), of which only TCP's are taken",
                    )
                    .hint("Leave -u out, or start it without."));
                }
                passed => udp::Place::At(self.bind(passed)?),
            },
            false => udp::Place::To(self.route()?.0),
        };
        Ok(udp::Settings {
            place,
            crlf: self.bytes.crlf,
            quit_after: self.time.quit_after,
            idle_timeout: self.silence().map(|(limit, _)| limit),
            delay: self.time.delay,
            traffic: self.bytes.traffic(),
            raw_output: self.terminal.raw_output,
            edit: !self.terminal.no_edit,
            label: self.terminal.label(),
            color: self.terminal.color(),
        })
    }

    /// The longest silence, and the option that sets it. With `-u` nothing connects, so that `-w` cannot
    /// bound that: it means there what it means in nc, the longest silence.
    fn silence(&self) -> Option<(Duration, &'static str)> {
        let idle = self.time.idle_timeout.map(|limit| (limit, "-i"));
        let is_one = self.address.udp && !self.hub.listen;
        let wait = self.time.wait.filter(|_| is_one);
        idle.or(wait.map(|limit| (limit, "-w")))
    }

    /// Whether there is something for `--collect` to collect.
    fn check_collect(&self) -> Result<(), Error> {
        if self.hub.once {
            let told = Error::usage("--collect with --once", "one participant needs no folder");
            return Err(told.hint("Its words are on stdout: muxnc -l --once PORT > FILE"));
        }
        if self.bytes.traffic() == Traffic::SendOnly {
            let told = Error::usage("--collect with --send-only", "what is said is thrown away");
            return Err(told.hint("Leave --send-only out; --recv-only says nothing to anybody."));
        }
        Ok(())
    }

    /// Where the hub listens; None: for browsers only, which have a place of their own (`--web`).
    fn hub_place(&self) -> Result<Option<Place>, Error> {
        let passed = net::passed();
        if passed == Passed::ToUs {
            let nothing = self.place.is_empty()
                && self.address.source_port.is_none()
                && self.address.source.is_none();
            return match nothing && !self.address.unixsock {
                true => Ok(Some(Place::Passed)),
                false => Err(Error::usage(
                    "usage",
                    "a socket was passed (LISTEN_FDS), and an address or port was given as well",
                )
                .hint("Leave out the one or the other.")),
            };
        }
        let is_given = !self.place.is_empty()
            || self.address.source_port.is_some()
            || self.address.source.is_some();
        match self.address.unixsock {
            true => self.socket_name().map(|name| Some(Place::Unix(name))),
            false if self.web.web.is_some() && !is_given => Ok(None),
            false => self.bind(passed).map(|bind| Some(Place::Inet(bind))),
        }
    }

    /// `-l P`, `-l -p P`, `-l HOST P`, `-l -s HOST -p P`.
    fn bind(&self, passed: Passed) -> Result<Bind, Error> {
        let (host, port) = match (&self.place[..], &self.address.source_port) {
            ([], Some(port)) => (None, port),
            ([host], None) if is_host(host) => {
                let what = format!("which port to listen on at {host} is missing");
                return Err(
                    Error::usage("usage", what).hint(format!("As in: muxnc -l {host} 3000"))
                );
            }
            ([port], None) => (None, port),
            ([first], Some(second)) if is_port_alone(first) && is_port_alone(second) => {
                return Err(self.ports_alone(first, second));
            }
            ([host], Some(port)) | ([host, port], None) => (Some(host), port),
            ([], None) => {
                let told = Error::usage("usage", "which port to listen on is missing");
                return Err(match passed {
                    Passed::ToAnother(pid) => told.hint(format!(
                        "LISTEN_FDS says that sockets were passed, but to process '{pid}' \
                         (LISTEN_PID), and this is {}.",
                        std::process::id()
                    )),
                    _ => told.hint("As in: muxnc -l 3000"),
                });
            }
            _ => {
                return Err(Error::usage("usage", "two ports to listen on were given")
                    .hint("Either after the host or with -p."));
            }
        };
        if host.is_some() && self.address.source.is_some() {
            return Err(
                Error::usage("usage", "two addresses to listen on were given")
                    .hint("Either before the port or with -s."),
            );
        }
        let host = host.or(self.address.source.as_ref());
        if host.is_some_and(String::is_empty) {
            return Err(Error::usage("usage", "the address to listen on is missing")
                .hint("As in: muxnc -l 3000"));
        }
        if Ports::are_several(port) {
            return Err(
                Error::usage(format!("port '{port}'"), "one hub listens on one port")
                    .hint("For several, start one for each."),
            );
        }
        Ok(Bind {
            host: host.cloned(),
            port: net::port(port, self.address.lookup())?,
            family: self.address.family(),
            lookup: self.address.lookup(),
        })
    }

    /// `-U PATH`.
    fn socket_name(&self) -> Result<Name, Error> {
        match &self.place[..] {
            [path] if !path.is_empty() && path != "@" => Ok(Name::new(path)),
            [_, _, ..] => Err(Error::usage("usage", "a Unix socket has no port")
                .hint("As in: muxnc -U PATH, or muxnc -lU PATH to be the hub.")),
            _ => Err(Error::usage("usage", "the path of the socket is missing")
                .hint("As in: muxnc -U PATH, or muxnc -lU PATH to be the hub.")),
        }
    }

    fn client(&self) -> Result<Mode, Error> {
        if let Some(ports) = self.ports()? {
            return self.scan(ports);
        }
        let target = match self.address.unixsock {
            true => Target::Unix(self.socket_name()?, self.limit()),
            false => match self.route()? {
                (remote, Some(proxy)) => Target::Proxied(remote, proxy),
                (remote, None) => Target::Direct(remote),
            },
        };
        let tls = self.tls.client()?;
        Ok(match self.bytes.zero {
            true => Mode::Probe {
                target,
                tls,
                quiet: self.messages.verbosity() == Verbosity::Quiet,
                explain: self.messages.explain,
            },
            false => Mode::Client {
                target,
                tls,
                settings: self.settings()?,
            },
        })
    }

    /// The ports that `-z` looks at, if they are written as several. `80-80` is, too: a script that
    /// fills in both ends of a range gets the answer in one form, also where they are the same.
    fn ports(&self) -> Result<Option<Ports>, Error> {
        match &self.place[..] {
            [host, word] if self.bytes.zero && !self.address.unixsock && !host.is_empty() => {
                self.ports_of(word)
            }
            _ => Ok(None),
        }
    }

    /// The ports of a word that is written as several; None: it is one port.
    fn ports_of(&self, word: &str) -> Result<Option<Ports>, Error> {
        if !Ports::are_several(word) {
            return Ok(None);
        }
        let bad = |why: &str, hint: String| Error::usage(format!("ports '{word}'"), why).hint(hint);
        let lookup = self.address.lookup();
        let ports = Ports::parse(word, |port| net::port(port, lookup));
        ports.map(Some).map_err(|error| match error {
            PortsError::Nothing => bad(
                "one of them is missing",
                String::from("As in: 20-25,80,443,http"),
            ),
            PortsError::Descending(first, last) => bad(
                &format!("the range {first}-{last} ends before it begins"),
                format!("Write: {last}-{first}"),
            ),
            PortsError::Zero => nowhere("0"),
            PortsError::Port(error) => error,
        })
    }

    /// `-z HOST 20-25,80`.
    fn scan(&self, ports: Ports) -> Result<Mode, Error> {
        if self.tls.client()?.is_some() {
            return Err(Error::usage(
                "--ssl with several ports",
                "-z looks whether they take a connection",
            )
            .hint("Leave it out, or look at one port: then TLS is agreed on, too."));
        }
        if self.messages.explain {
            return Err(Error::usage(
                "--explain with several ports",
                "many things would happen at once",
            )
            .hint("Look at one port, or leave it out."));
        }
        let (remote, proxy) = self.route()?;
        let verbosity = self.messages.verbosity();
        Ok(Mode::Scan(scan::Settings {
            remote,
            proxy,
            ports,
            quiet: verbosity == Verbosity::Quiet,
            tells: matches!(verbosity, Verbosity::Verbose(_)),
        }))
    }

    /// How long to try to connect.
    fn limit(&self) -> Duration {
        self.time.wait.unwrap_or(net::USUAL)
    }

    /// Whom to connect to by TCP, and through which proxy, if through one.
    fn route(&self) -> Result<(Remote, Option<Proxy>), Error> {
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
        if !self.bytes.zero
            && let Some(ports) = self.ports_of(port)?
        {
            let what = format!("port '{port}'");
            return Err(match (ports.only(), self.address.udp) {
                (Some(only), udp) => {
                    let udp = if udp { "-u " } else { "" };
                    let told = Error::usage(what, "one port is written as one");
                    told.hint(format!("Write: muxnc {udp}{host} {only}"))
                }
                (None, true) => Error::usage(what, "what is typed goes to one UDP port").hint(
                    "For several, start one for each; which of them are open nothing tells for certain.",
                ),
                (None, false) => Error::usage(what, "one connection goes to one port").hint(
                    format!("Whether they are open, -z looks: muxnc -z {host} {port}"),
                ),
            });
        }
        // Which of several ports it is does not matter: a scan goes to each of them.
        let to = match self.ports_of(port)? {
            Some(ports) => ports.all()[0],
            None => net::port(port, self.address.lookup())?,
        };
        if to == 0 {
            return Err(nowhere(port));
        }
        let source_port = match &self.address.source_port {
            Some(port) => Some(net::port(port, self.address.lookup())?),
            None => None,
        };
        let remote = Remote {
            host: host.clone(),
            port: to,
            family: self.address.family(),
            lookup: self.address.lookup(),
            source: self.address.source.clone(),
            source_port,
            limit: self.limit(),
        };
        Ok((remote, self.proxy.proxy(self.address.lookup())?))
    }
}

/// Whether a word can be a host only, and no port.
fn is_host(word: &str) -> bool {
    word.parse::<IpAddr>().is_ok()
        || (word.contains('.')
            && word.contains(|c: char| c.is_ascii_alphabetic())
            && !word.contains(':'))
}

/// The error about a connection to port 0.
fn nowhere(port: &str) -> Error {
    Error::usage(format!("port '{port}'"), "nothing can be reached there")
        .hint("A port to connect to is a number from 1 to 65535, or a service's name.")
}

#[cfg(test)]
mod tests;
