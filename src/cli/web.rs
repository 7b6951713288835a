//! Whether a hub serves browsers, and where.

use clap::Args;

#[cfg(feature = "web")]
use crate::engine::web::origin::host_of;
#[cfg(feature = "web")]
use crate::engine::web::ports::is_refused;
use crate::hub::WebConfig;
use crate::io::error::Error;
use crate::io::net;
use crate::io::net::Bind;
use crate::io::net::Family;
use crate::io::net::Lookup;

/// The options of this group.
#[derive(Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "Hub")]
pub(super) struct WebArgs {
    /// Let browsers join as well, at http://ADDRESS:PORT/
    ///
    /// A phone or a computer without nc opens that page and takes part like everybody else; on a terminal
    /// with room for it a QR code shows the way (later: /qr). Beside a PORT of its own for nc and the
    /// others, or without one. With --ssl the page is https://. Of a file on stdin the page is a download
    /// instead, without a room: with its size, its SHA-256 and parts (curl -C -), until the file went to those who
    /// joined and every download that runs then is over; without a PORT for them, until a signal. (With -k there is a
    /// room.)
    #[arg(long, value_name = "[HOST:]PORT", conflicts_with = "once")]
    pub(super) web: Option<String>,

    /// With --web, another name that the page may be opened by, as that of a proxy
    ///
    /// By default those are the addresses and the name of this machine, and localhost. Its scheme and its port do
    /// not matter: class.example.org is https://class.example.org:8443, too. May be given several times.
    #[arg(long, value_name = "NAME")]
    pub(super) web_origin: Vec<String>,
}

impl WebArgs {
    /// Where browsers are served, if they are.
    pub(super) fn config(
        &self,
        family: Family,
        lookup: Lookup,
    ) -> Result<Option<WebConfig>, Error> {
        let Some(place) = &self.web else {
            return Ok(None);
        };
        if cfg!(not(feature = "web")) {
            return Err(
                Error::usage("--web", "this muxnc was built without the web").hint(
                    "Build it with its default features: cargo install without \
                     --no-default-features",
                ),
            );
        }
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (Some(host), port),
            None => (None, &**place),
        };
        let bare = host.map(|host| {
            let inside = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            inside.unwrap_or(host)
        });
        let is_ambiguous = host.is_some_and(|host| host.contains(':') && !host.starts_with('['));
        if is_ambiguous || bare == Some("") {
            return Err(Error::usage(
                format!("--web {place}"),
                "that is neither a port nor an address and a port",
            )
            .hint("As in: --web 8080, --web 192.0.2.7:8080, --web '[2001:db8::7]:8080'"));
        }
        let port = net::port(port, lookup)?;
        if is_refused(port) {
            return Err(Error::usage(
                format!("--web {port}"),
                "browsers refuse to connect to that port, which another protocol has",
            )
            .hint("Choose another, as --web 8080 (https://fetch.spec.whatwg.org/#bad-port)."));
        }
        Ok(Some(WebConfig {
            bind: Bind {
                host: bare.map(String::from),
                port,
                family,
                lookup,
            },
            origins: self.origins()?,
        }))
    }

    /// The hosts of the names that the page may be opened by.
    fn origins(&self) -> Result<Vec<String>, Error> {
        let host = |name: &String| {
            host_of(name).ok_or_else(|| {
                Error::usage(
                    format!("--web-origin '{name}'"),
                    "no browser calls a host so",
                )
                .hint("As in: --web-origin class.example.org, once for each name.")
            })
        };
        self.web_origin.iter().map(host).collect()
    }
}

impl WebConfig {
    /// Whether browsers and the others can be served, each at a place of their own.
    pub(super) fn check_beside(&self, raw: &Bind) -> Result<(), Error> {
        let port = self.bind.port;
        let is_same_host =
            raw.host == self.bind.host || raw.host.is_none() || self.bind.host.is_none();
        match port != 0 && port == raw.port && is_same_host {
            true => Err(Error::usage(
                format!("--web {port}"),
                "this hub listens on that port for nc and the others",
            )
            .hint("Browsers need another one, as --web 8080.")),
            false => Ok(()),
        }
    }
}

#[cfg(not(feature = "web"))]
fn host_of(_: &str) -> Option<String> {
    None
}

#[cfg(not(feature = "web"))]
fn is_refused(_: u16) -> bool {
    false
}
