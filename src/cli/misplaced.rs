//! Misplaced options: those that make sense only beside another one, or only without it, and what
//! to do about it.
//!
//! What only a hub does is refused without `-l` by one rule, which holds for an option that comes
//! to those headings of the help without being named here.

use clap::Arg;
use clap::ArgMatches;
use clap::Command;
use clap::error::ContextKind;
use clap::error::ContextValue;
use clap::parser::ValueSource;

use super::foreign::FINGERPRINT;
use super::foreign::namesake;
use super::proxy::NO_PROXY;
use super::proxy::NO_PROXY_HINT;
use crate::io::error::Error;
use crate::io::net::is_port_alone;

/// Everything under these headings is a hub's alone.
const HUB_HEADINGS: [&str; 2] = ["Hub", "Access"];

/// And these.
const HUB_OPTIONS: [&str; 5] = ["transcript", "events", "collect", "label", "no_commands"];

/// What only a participant does: why not a hub, and what else.
const PARTICIPANT_OPTIONS: [(&str, &str, &str); 6] = [
    (
        "wait",
        "a hub connects to nobody",
        "-i TIME disconnects whoever is silent that long, as -w ends a connected nc -l.",
    ),
    (
        "zero",
        "a hub does not look whether something listens, it does",
        "ss -ltn shows which ports of this machine are listened on.",
    ),
    ("proxy", NO_PROXY, NO_PROXY_HINT),
    ("proxy_type", NO_PROXY, NO_PROXY_HINT),
    ("proxy_auth", NO_PROXY, NO_PROXY_HINT),
    ("proxy_dns", NO_PROXY, NO_PROXY_HINT),
];

/// What means something with datagrams.
const UDP_OPTIONS: [&str; 21] = [
    "listen",
    "udp",
    "keep_open",
    "crlf",
    "shutdown",
    "no_shutdown",
    "send_only",
    "recv_only",
    "ipv4",
    "ipv6",
    "nodns",
    "source_port",
    "source",
    "wait",
    "idle_timeout",
    "delay",
    "quit_after",
    "label",
    "color",
    "raw_output",
    "no_edit",
];

/// Why something else does not, by its name or its heading: the first that fits.
const NO_DATAGRAMS: [(&str, &str, &str); 11] = [
    (
        "zero",
        "an open UDP port answers nothing, and neither does one behind a firewall",
        "Leave -u out, or ask what listens there something that it answers.",
    ),
    (
        "once",
        "there is no connection that ends",
        "Leave --once out: -i TIME says how long whoever was heard is answered, and -q TIME ends it that long after \
         stdin. One other side alone has: muxnc -u HOST PORT",
    ),
    (
        "unixsock",
        "a Unix socket here is one of connections",
        "socat - UNIX-SENDTO:PATH sends datagrams to one.",
    ),
    (
        "telnet",
        "telnet is spoken over TCP",
        "Leave out the one or the other.",
    ),
    (
        "sha256",
        "what is lost on the way is in the digest of one side only",
        "Leave out the one or the other.",
    ),
    (
        "explain",
        "it tells of connections, and there is none",
        "-v tells who is heard; tcpdump shows the packets.",
    ),
    (
        "Proxy",
        "proxies pass on TCP",
        "Leave out the one or the other.",
    ),
    (
        "TLS",
        "TLS runs over TCP, and DTLS is not there",
        "Leave out the one or the other; openssl s_client -dtls speaks that.",
    ),
    (
        "Records",
        "records are of connections",
        "stdout has what comes: muxnc -lu PORT > FILE",
    ),
    (
        "Access",
        "whoever sends something is heard",
        "A firewall decides who may: see nft(8).",
    ),
    (
        "",
        "datagrams come from nobody who joins, and are only shown and answered",
        "Leave -u out: a hub of TCP has it.",
    ),
];

/// What means something beside another option only, and which.
const NEEDS: [(&str, &str); 13] = [
    ("name", "chat"),
    ("welcome", "chat"),
    ("open_messages", "chat"),
    ("web_origin", "web"),
    ("bus_name", "bus"),
    ("bus_buffer", "bus"),
    ("bus_at_most_once", "bus"),
    ("bus_trust", "bus"),
    ("bus_trustfile", "bus"),
    ("ssl_key", "ssl_cert"),
    ("proxy_type", "proxy"),
    ("proxy_auth", "proxy"),
    ("proxy_dns", "proxy"),
];

/// Why what cannot be typed together cannot, and what to do: by one of the two, the first that fits.
const APART: [(&str, &str, &str); 13] = [
    (
        "bus",
        "hubs that are joined hold a conversation of lines, which everybody hears",
        "Leave out the one or the other. A file goes to each room by itself: a hub each, the file on each.",
    ),
    (
        "once",
        "it serves one peer, and ends with it",
        "Without --once a hub serves one after the other, and many at once.",
    ),
    (
        "unixsock",
        "a Unix socket is on this machine only, and has neither addresses nor ports",
        "Leave out the one or the other.",
    ),
    (
        "quiet",
        "it says nothing but errors",
        "Leave out the one or the other.",
    ),
    (
        "zero",
        "it looks whether something listens, and moves no bytes",
        "Leave out the one or the other.",
    ),
    (
        "send_only",
        "together they would move nothing",
        "Without both, bytes go both ways; -z looks whether something listens.",
    ),
    (
        "no_shutdown",
        "the one ends our side after stdin, the other does not",
        "To end it is the default: leave out both.",
    ),
    (
        "ipv4",
        "each leaves out what the other asks for",
        "IPv4 and IPv6 both are the default: leave out both.",
    ),
    (
        "chat",
        "lines of a chat are text, and begin with who said them",
        "Leave out the one or the other.",
    ),
    (
        "ssl_trustfile",
        "the one believes a single certificate, the other all that a file vouches for",
        "Leave out the one or the other.",
    ),
    (
        "ssl_fingerprint",
        "by that a participant knows a hub",
        FINGERPRINT,
    ),
    (
        "ssl_servername",
        "a participant asks for that name, and a hub for none",
        FINGERPRINT,
    ),
    ("listen", "that is for a participant", "Leave it out."),
];

/// The error about two options that exclude each other.
pub(super) fn together(error: &clap::Error, command: &Command) -> Option<Error> {
    let spelled = |kind| match error.get(kind) {
        Some(ContextValue::String(arg)) => vec![arg.as_str()],
        Some(ContextValue::Strings(args)) => args.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    let find = |text: &str| command.get_arguments().find(|arg| arg.to_string() == text);
    let wrong = spelled(ContextKind::InvalidArg);
    let prior = spelled(ContextKind::PriorArg);
    let one = find(wrong.first()?)?;
    let other = find(prior.first()?)?;
    Some(apart(one, other))
}

/// The same about these two.
fn apart(one: &Arg, other: &Arg) -> Error {
    let is = |arg: &Arg, id: &str| arg.get_id() == id;
    let reason = APART.iter().find_map(|(id, why, instead)| {
        let about = [one, other].into_iter().find(|arg| is(arg, id))?;
        Some((about, *why, *instead))
    });
    let (about, why, instead) = reason.unwrap_or((one, "", "Leave out the one or the other."));
    let beside = if about.get_id() == one.get_id() {
        other
    } else {
        one
    };
    let mut hint = String::from(instead);
    for elsewhere in [about, beside]
        .iter()
        .filter_map(|arg| namesake(arg.get_id().as_str()))
    {
        hint += &format!("\n  {elsewhere}");
    }
    Error::usage(format!("{} with {}", shown(about), shown(beside)), why).hint(hint)
}

/// The error about a missing port where an option took a number for its value that may be the port.
pub(super) fn swallowed(command: &Command, matches: &ArgMatches, listen: bool) -> Option<Error> {
    let took = |arg: &Arg| {
        let id = arg.get_id().as_str();
        let is_typed = matches.value_source(id) == Some(ValueSource::CommandLine);
        // A number is hardly meant as the port where the option takes a file, hosts or a port of
        // its own.
        let may_take_it = match value_name(arg) {
            "FILE" => arg.get_short().is_some(),
            name => !matches!(name, "HOSTS" | "PORT" | "URL"),
        };
        if id == "place" || !is_typed || !may_take_it || !arg.get_action().takes_values() {
            return None;
        }
        let value = matches.get_raw(id)?.next_back()?.to_str()?;
        let at = matches.index_of(id);
        (is_port_alone(value) && value != "0").then_some((at, value))
    };
    let (_, value, arg) = command
        .get_arguments()
        .filter_map(|arg| took(arg).map(|(at, value)| (at, value, arg)))
        .max_by_key(|(at, _, _)| *at)?;
    let (what, place) = match listen {
        true => ("which port to listen on is missing", "-l "),
        false => ("host or port are missing", ""),
    };
    let host = if listen { "" } else { "HOST " };
    let mut hint = format!(
        "{value} was taken by {0}, as its {name}. With a port behind that: muxnc {place}{0} {value} {host}PORT",
        shown(arg),
        name = value_name(arg)
    );
    if let Some(elsewhere) = namesake(arg.get_id().as_str()) {
        hint += &format!("\n  {elsewhere}");
    }
    Some(Error::usage("usage", what).hint(hint))
}

/// Whether the options that were typed make sense beside each other, as far as that is no concern
/// of theirs alone.
///
/// # Errors
/// They do not.
pub(super) fn check(command: &Command, matches: &ArgMatches) -> Result<(), Error> {
    let is_typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let listen = is_typed("listen");
    let udp = is_typed("udp");
    let find = |id: &str| command.get_arguments().find(|arg| arg.get_id() == id);
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        if id == "listen" || !is_typed(id) {
            continue;
        }
        let needed = NEEDS.iter().find(|(needs, _)| *needs == id);
        let needed = needed.and_then(|(_, needed)| find(needed));
        let missing = needed.filter(|needed| !is_typed(needed.get_id().as_str()));
        match listen {
            false if is_hubs(arg) => return Err(without_listen(arg, missing)),
            true => {
                let only = PARTICIPANT_OPTIONS.iter().find(|(only, _, _)| *only == id);
                if let Some((_, why, instead)) = only {
                    let what = format!("{} with -l", shown(arg));
                    return Err(Error::usage(what, *why).hint(*instead));
                }
            }
            false => {}
        }
        if udp && is_no_datagrams(arg) {
            return Err(without_datagrams(arg));
        }
        if let Some(missing) = missing {
            let why = format!("that means nothing without {}", shown(missing));
            let hint = format!("Add {}.", with_value(missing));
            return Err(Error::usage(shown(arg), why).hint(hint));
        }
    }
    Ok(())
}

/// Whether an option means something to a hub only.
fn is_hubs(arg: &Arg) -> bool {
    let heading = arg.get_help_heading().unwrap_or_default();
    HUB_HEADINGS.contains(&heading) || HUB_OPTIONS.contains(&arg.get_id().as_str())
}

/// Whether an option says something of connections.
fn is_no_datagrams(arg: &Arg) -> bool {
    let heading = arg.get_help_heading().unwrap_or_default();
    let says_little = heading == "Messages" && !matches!(arg.get_id().as_str(), "explain");
    !heading.is_empty() && !says_little && !UDP_OPTIONS.contains(&arg.get_id().as_str())
}

fn without_datagrams(arg: &Arg) -> Error {
    let heading = arg.get_help_heading().unwrap_or_default();
    let (_, why, instead) = NO_DATAGRAMS
        .iter()
        .find(|(of, _, _)| [arg.get_id().as_str(), heading, ""].contains(of))
        .expect("the last one fits");
    Error::usage(format!("-u with {}", shown(arg)), *why).hint(*instead)
}

/// The error about an option of a hub's, with the other one that is missing beside it.
fn without_listen(arg: &Arg, missing: Option<&Arg>) -> Error {
    let missing = missing.map_or_else(String::new, |missing| format!("{} ", with_value(missing)));
    let option = with_value(arg);
    let mut hint = format!("Add -l to be one: muxnc -l {missing}{option} PORT");
    if let Some(elsewhere) = namesake(arg.get_id().as_str()) {
        hint += &format!("\n  {elsewhere}");
    }
    Error::usage(shown(arg), "that is for a hub, which listens").hint(hint)
}

/// What is to follow an option.
fn value_name(arg: &Arg) -> &str {
    let names = arg.get_value_names().unwrap_or_default();
    names.first().map_or("value", |name| name.as_str())
}

/// An option and what is to follow it.
fn with_value(arg: &Arg) -> String {
    match arg.get_value_names() {
        Some([name, ..]) if arg.get_action().takes_values() => format!("{} {name}", shown(arg)),
        _ => shown(arg),
    }
}

/// An option as it is typed most.
fn shown(arg: &Arg) -> String {
    match (arg.get_short(), arg.get_long()) {
        (Some(short), _) => format!("-{short}"),
        (None, Some(long)) => format!("--{long}"),
        (None, None) => arg.get_id().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command;

    #[test]
    fn whatever_needs_another_option_names_one() {
        let command = command();
        for (id, needed) in NEEDS {
            let is_there = |id: &str| command.get_arguments().any(|arg| arg.get_id() == id);
            // A feature has both.
            assert_eq!(is_there(id), is_there(needed), "{id}");
        }
    }

    #[test]
    fn whatever_excludes_something_has_a_reason() {
        let mut command = command();
        command.build();
        for one in command.get_arguments() {
            for other in command.get_arg_conflicts_with(one) {
                let told = apart(one, other).to_string();
                assert!(!told.contains(": \n"), "{told}");
            }
        }
    }
}
