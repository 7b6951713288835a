//! What a hub is to do, as its command line said.
//!
//! It promises: nothing in it needs to be checked again.

use std::time::Duration;

use super::link::BusConfig;
use crate::client::Settings;
use crate::client::Traffic;
use crate::engine::chat;
use crate::engine::rate::Rate;
use crate::engine::room::Label;
use crate::engine::room::Policy;
use crate::engine::room::SlowPeer;
use crate::engine::screen::Surface;
use crate::io::access::Access;
use crate::io::listener::Place;
use crate::io::net::Bind;
use crate::io::terminal::Terminal;
use crate::io::tls;

/// What a hub is to do.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// Where it listens, if not for browsers only.
    pub place: Option<Place>,
    /// Where it listens for browsers, if it does.
    pub web: Option<WebConfig>,
    /// Whether and how to encrypt.
    pub tls: Option<tls::HubTls>,
    /// Serve on after the end of stdin, and half-close no member.
    pub keep_open: bool,
    /// Serve one peer and end with it.
    pub once: bool,
    /// Who may come.
    pub access: Access,
    /// Peers at most; none means as many as there are descriptors.
    pub max_peers: Option<usize>,
    /// Peers of one address at most.
    pub max_per_host: Option<usize>,
    /// Whether peers that are refused are told why.
    pub tells_refused: bool,
    /// Whether peers hear each other.
    pub relay: bool,
    /// Whether this is a chat, and of what kind.
    pub chat: Option<chat::Rules>,
    /// How many who come and go are announced in it one by one at once.
    pub announced: u32,
    /// Read nothing of stdin before so many are here.
    pub wait_for: Option<usize>,
    /// How many of the last lines a newcomer is given first.
    pub history: usize,
    /// What to do about a peer that does not keep up.
    pub slow: SlowPeer,
    /// How long a peer may hold the others up without progress.
    pub stall_timeout: Duration,
    /// What each peer may be read in a second.
    pub rate: Option<Rate>,
    /// Lines on a terminal and in a chat begin with the time.
    pub times: bool,
    /// When lines on a terminal begin with their speakers' labels, and whether in colour.
    pub label: Label,
    /// See `label`.
    pub color: bool,
    /// How it is joined with other hubs, if it is.
    pub bus: Option<Box<BusConfig>>,
    /// Whether a typed `/word` is a command.
    pub commands: bool,
    /// What it has in common with a participant.
    pub settings: Settings,
}

/// How a hub serves browsers.
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// Where.
    pub bind: Bind,
    /// Names that it may be called by, beside its own.
    pub origins: Vec<String>,
}

impl HubConfig {
    /// The rules of its room, whose screen is that.
    pub(super) fn policy(&self, surface: Surface) -> Policy {
        Policy {
            // Where nothing is sent to members, or what they say is thrown away, they do not hear each
            // other, either (`--recv-only` and `--send-only` of a broker mean the same to ncat).
            relay: self.relay && self.settings.traffic == Traffic::Both,
            slow: self.slow,
            stall_timeout: self.stall_timeout,
            surface,
            // People at other hubs speak, too: a label is needed from the start.
            label: match self.label {
                Label::Auto if self.bus.is_some() => Label::Always,
                label => label,
            },
            color: self.color,
            bold: Terminal::is_capable(),
            announced: self.announced,
        }
    }
}
