//! Misplaced options: those that make sense only beside another one, or only without it, and what
//! to do about it.
//!
//! What only a hub does is refused without `-l` by one rule, which holds for an option that comes
//! to those headings of the help without being named here.

use clap::Arg;
use clap::ArgMatches;
use clap::Command;
use clap::parser::ValueSource;

use super::foreign::namesake;
use super::proxy::NO_PROXY;
use super::proxy::NO_PROXY_HINT;
use crate::io::error::Error;

/// Everything under these headings is a hub's alone.
const HUB_HEADINGS: [&str; 2] = ["Hub", "Access"];

/// And these.
const HUB_OPTIONS: [&str; 5] = ["transcript", "events", "collect", "label", "no_commands"];

/// What only a participant does: why not a hub, and what else.
const PARTICIPANT_OPTIONS: [(&str, &str, &str); 6] = [
    (
        "wait",
        "a hub connects to nobody",
        "-i TIME disconnects whoever is silent that long; nc ignores -w beside -l.",
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

/// What says more of the proxy.
const PROXY_OPTIONS: [&str; 3] = ["proxy_type", "proxy_auth", "proxy_dns"];

/// Whether the options that were typed make sense beside each other, as far as that is no concern
/// of theirs alone.
///
/// # Errors
/// They do not.
pub(super) fn check(command: &Command, matches: &ArgMatches) -> Result<(), Error> {
    let is_typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let listen = is_typed("listen");
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        if id == "listen" || !is_typed(id) {
            continue;
        }
        match listen {
            false if is_hubs(arg) => return Err(without_listen(arg)),
            true => {
                let only = PARTICIPANT_OPTIONS.iter().find(|(only, _, _)| *only == id);
                if let Some((_, why, instead)) = only {
                    let what = format!("{} with -l", shown(arg));
                    return Err(Error::usage(what, *why).hint(*instead));
                }
            }
            false => {}
        }
        if PROXY_OPTIONS.contains(&id) && !is_typed("proxy") {
            return Err(Error::usage(shown(arg), "which proxy is meant is missing")
                .hint("Add --proxy HOST:PORT."));
        }
    }
    Ok(())
}

/// Whether an option means something to a hub only.
fn is_hubs(arg: &Arg) -> bool {
    let heading = arg.get_help_heading().unwrap_or_default();
    HUB_HEADINGS.contains(&heading) || HUB_OPTIONS.contains(&arg.get_id().as_str())
}

fn without_listen(arg: &Arg) -> Error {
    let mut hint = format!("Add -l to be one: muxnc -l {} PORT", with_value(arg));
    if let Some(elsewhere) = namesake(arg.get_id().as_str()) {
        hint += &format!("\n  {elsewhere}");
    }
    Error::usage(shown(arg), "that is for a hub, which listens").hint(hint)
}

/// What somebody is told who typed an option that means nothing without another one, to listen or not.
pub(super) fn without(missing: &Arg, listen: bool) -> Error {
    let to_listen = match !listen && is_hubs(missing) {
        true => "-l ",
        false => "",
    };
    Error::usage(shown(missing), "what was typed means nothing without it")
        .hint(format!("Add {to_listen}{}.", with_value(missing)))
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
