//! Whether a hub is joined with others, and how.

use std::path::PathBuf;

use clap::Args;

use crate::hub::BusConfig;
use crate::io::error::Error;

/// What is not to be on a command line, where everybody on this machine can read it.
#[cfg(feature = "bus")]
const AUTH_VARIABLE: &str = "MUXNC_BUS_AUTH";

/// The options of this group.
#[derive(Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "Hub")]
pub(super) struct BusArgs {
    /// Be one class with the other hubs that have this URL: nats://HOST[:PORT]/CLASS
    ///
    /// What you say goes to everybody at every hub; what participants say, to every operator, and with --broker
    /// or --chat to everybody. HOST runs nats-server, with -js so that no line is lost when a network or a server
    /// fails. tls:// is encrypted, and verified; several servers have commas between them. USER:PASSWORD@ or
    /// TOKEN@ may stand before HOST, but everybody on this machine can read a command line: the variable
    /// MUXNC_BUS_AUTH has the same without the @. Without the bus the class here goes on, and the others get its
    /// lines later.
    #[arg(
        long,
        value_name = "URL",
        conflicts_with_all = ["once", "wait_for", "send_only", "recv_only", "raw_output", "slow_peer"]
    )]
    pub(super) bus: Option<String>,

    /// What this hub is called on the --bus [default: the name of this machine]
    ///
    /// Its participants are Ana@NAME or NAME/3 to the others. No other hub of the class can have it meanwhile.
    #[arg(long, value_name = "NAME")]
    bus_name: Option<String>,

    /// Keep lines of so many bytes for the --bus while it is away, as 500k or 64M [default: 64M]
    ///
    /// When more wait, the oldest lines of whoever said the most are dropped, and every hub is told how many lines of whom are missing.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    bus_buffer: Option<usize>,

    /// Lose lines on the --bus rather than keep them there
    ///
    /// What is lost is counted and told, as with a server without -js.
    #[arg(long)]
    bus_at_most_once: bool,

    /// Let the operators of other hubs cut off and mute participants here
    #[arg(long)]
    bus_trust: bool,

    /// Believe the certificates in this PEM file, instead of the system's, of a tls:// server
    #[arg(long, value_name = "FILE")]
    bus_trustfile: Option<PathBuf>,
}

impl BusArgs {
    /// The files that are read.
    pub(super) fn reads(&self) -> impl Iterator<Item = &PathBuf> {
        self.bus_trustfile.iter()
    }

    /// How it is joined with others, if it is.
    #[cfg(feature = "bus")]
    pub(super) fn config(&self) -> Result<Option<BusConfig>, Error> {
        use crate::engine::bus::Login;
        use crate::engine::bus::Url;
        use crate::engine::bus::is_word;
        use crate::io::tls::Trust;

        use super::tls::require;

        /// Bytes that wait for the bus by default.
        const BUFFER: usize = 64_000_000;

        let Some(bus) = &self.bus else {
            return Ok(None);
        };
        // What is typed may have a password in it.
        let mut url = Url::parse(bus).map_err(|why| {
            Error::usage("--bus", why).hint("As in: --bus nats://192.0.2.7/physics")
        })?;
        if url.tls {
            require("--bus tls://")?;
        }
        if url.login == Login::None
            && let Ok(auth) = std::env::var(AUTH_VARIABLE)
        {
            url.login = Login::parse(&auth).map_err(|why| {
                Error::usage(AUTH_VARIABLE, why).hint("As in: MUXNC_BUS_AUTH=ana:secret")
            })?;
        }
        let name = match &self.bus_name {
            Some(name) => name.clone(),
            None => {
                let all = rustix::system::uname();
                let name = all.nodename().to_string_lossy();
                name.split('.').next().unwrap_or_default().into()
            }
        };
        if !is_word(&name) {
            return Err(Error::usage(
                format!("--bus-name '{name}'"),
                "a name is 1 to 32 of A-Z a-z 0-9 _ -",
            )
            .hint("As in: --bus-name room2"));
        }
        let trust = match &self.bus_trustfile {
            Some(file) => {
                require("--bus-trustfile")?;
                Trust::File(file.clone())
            }
            None => Trust::System,
        };
        Ok(Some(BusConfig {
            url,
            name,
            buffer: self.bus_buffer.unwrap_or(BUFFER),
            at_most_once: self.bus_at_most_once,
            trusts: self.bus_trust,
            trust,
        }))
    }

    /// It cannot be.
    #[cfg(not(feature = "bus"))]
    pub(super) fn config(&self) -> Result<Option<BusConfig>, Error> {
        match &self.bus {
            None => Ok(None),
            Some(_) => Err(
                Error::usage("--bus", "this muxnc was built without the bus").hint(
                    "Build it with its default features: cargo install without \
                     --no-default-features",
                ),
            ),
        }
    }
}

/// Bytes: a number, in thousands with k, in millions with M.
fn size(text: &str) -> Result<usize, String> {
    let units = [("k", 1000), ("M", 1_000_000), ("", 1)];
    let bytes = units.iter().find_map(|(unit, factor)| {
        let number = text.strip_suffix(unit)?;
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        let number: usize = number.parse().ok().filter(|_| digits)?;
        number.checked_mul(*factor)
    });
    match bytes {
        // One line that is as long as a line can be has to fit.
        Some(bytes) if bytes >= 128_000 => Ok(bytes),
        _ => Err(String::from(
            "a buffer is a number of bytes, as 500k (thousands) or 64M (millions), 128k at least",
        )),
    }
}
