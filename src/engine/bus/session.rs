//! The connection to a server of NATS, from dialling to being let in, and whether it is alive.
//!
//! ```text
//!   away ─▶ dialling ─▶ greeting ──────────────▶ admitting ─▶ admitted
//!    ▲                   INFO │  TLS?      CONNECT, PING  PONG
//!    │                        └▶ securing ─────────┘
//!    └────────── whatever breaks: the next server, at once and then later and later ──
//! ```
//!
//! It promises: where TLS was asked for, nothing is said or heard without it but INFO.

use std::time::Duration;
use std::time::Instant;

use serde::Deserialize;
use serde_json::json;

use crate::engine::bus::address::Login;
use crate::engine::bus::address::Server;
use crate::engine::bus::codec;
use crate::engine::bus::fault::Fault;
use crate::engine::bus::outbox::MIN_PAYLOAD;
use crate::engine::bus::strangers::printable;
use crate::engine::bus::wire::Wire;

/// A server that says nothing so long is asked whether it is there; so long after that again, and then it is
/// not.
const SILENCE: Duration = Duration::from_secs(5);

/// How many such questions stay without an answer.
const QUESTIONS: u32 = 2;

/// How long a server may take to let us in.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waited before the second round through all servers, and twice as long before each further one.
const FIRST_DELAY: Duration = Duration::from_millis(250);

/// Waited at most.
const LAST_DELAY: Duration = Duration::from_secs(5);

/// No more servers than that are taken from INFO.
const MAX_SERVERS: usize = 64;

/// Servers of a cluster that keep what is said.
const REPLICAS: u32 = 3;

/// What is sent may wait so long, in bytes: a server that makes us say more takes nothing.
const MAX_OUTPUT: usize = 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Away { until: Instant },
    Dialling,
    Greeting { since: Instant },
    Securing,
    Admitting { since: Instant },
    Admitted,
}

/// What a server says of itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    headers: bool,
    /// The most that it takes at once.
    pub(super) max_payload: u64,
    /// It keeps streams itself.
    pub(super) jetstream: bool,
    tls_required: bool,
    tls_available: bool,
    connect_urls: Vec<String>,
    nonce: Option<String>,
    cluster: Option<String>,
}

impl Info {
    /// On how many servers a stream is to be kept: where one of three is lost, the other two have it.
    pub(super) fn replicas(&self) -> u32 {
        match self.cluster.is_some() && self.connect_urls.len() >= REPLICAS as usize {
            true => REPLICAS,
            false => 1,
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Session {
    servers: Vec<Server>,
    next: usize,
    login: Login,
    tls: bool,
    name: String,
    stage: Stage,
    info: Info,
    has_worked: bool,
    /// See [`Session::was_refused`].
    was_refused: bool,
    /// Connections that came to nothing, since one did not.
    failures: usize,
    /// When something came last, or was asked.
    heard: Instant,
    questions: u32,
    chance: u64,
}

impl Session {
    /// With the servers that were given. `chance` is any number, and another in each process.
    pub(super) fn new(
        servers: Vec<Server>,
        login: Login,
        tls: bool,
        name: String,
        chance: u64,
        now: Instant,
    ) -> Session {
        Session {
            servers,
            next: 0,
            login,
            tls,
            name,
            stage: Stage::Away { until: now },
            info: Info::default(),
            has_worked: false,
            was_refused: false,
            failures: 0,
            heard: now,
            questions: 0,
            chance,
        }
    }

    /// Those that were given, and those that they named.
    pub(super) fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// What the server says of itself.
    pub(super) fn info(&self) -> &Info {
        &self.info
    }

    /// Whether a connection ever did what it is for.
    pub(super) fn has_worked(&self) -> bool {
        self.has_worked
    }

    /// It is of no use, until somebody does something about it.
    pub(super) fn note_refusal(&mut self) {
        self.was_refused = true;
    }

    /// Whether that was so since a connection last did what it is for.
    pub(super) fn was_refused(&self) -> bool {
        self.was_refused
    }

    /// Whether each server was tried in vain since the last that let us in.
    pub(super) fn tried_all(&self) -> bool {
        self.failures >= self.servers.len()
    }

    /// The server that is to be dialled, if it is time.
    pub(super) fn dial(&mut self, now: Instant) -> Option<Server> {
        match self.stage {
            Stage::Away { until } if now >= until => {
                self.stage = Stage::Dialling;
                self.servers.get(self.next).cloned()
            }
            _ => None,
        }
    }

    /// It is connected.
    pub(super) fn connected(&mut self, now: Instant) {
        self.stage = Stage::Greeting { since: now };
        self.heard = now;
        self.questions = 0;
    }

    /// The connection is gone, or there was none.
    pub(super) fn lost(&mut self, now: Instant) {
        let round = self.failures / self.servers.len().max(1);
        let delay = match u32::try_from(round) {
            Ok(0) => Duration::ZERO,
            Ok(round @ 1..=10) => LAST_DELAY.min(FIRST_DELAY * (1 << (round - 1))),
            _ => LAST_DELAY,
        };
        // Not all hubs at once.
        let delay = delay.mul_f64(0.5 + self.chance() / 2.0);
        self.failures = self.failures.saturating_add(1);
        self.next = (self.next + 1) % self.servers.len().max(1);
        self.stage = Stage::Away { until: now + delay };
    }

    /// From 0 to 1 (splitmix64).
    fn chance(&mut self) -> f64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z >> 40) as f64 / f64::from(1_u32 << 24)
    }

    /// Whether the handshake of TLS is to be done now.
    pub(super) fn wants_tls(&self) -> bool {
        self.stage == Stage::Securing
    }

    /// It is done.
    pub(super) fn secured(&mut self, wire: &mut Wire, now: Instant) {
        if self.stage == Stage::Securing {
            self.introduce(wire, now);
        }
    }

    /// Something came.
    pub(super) fn note_heard(&mut self, now: Instant) {
        self.heard = now;
        self.questions = 0;
    }

    /// The server says what it is.
    ///
    /// # Errors
    /// It is none that can be used.
    pub(super) fn greeted(
        &mut self,
        json: &[u8],
        wire: &mut Wire,
        now: Instant,
    ) -> Result<(), Fault> {
        let Ok(info) = serde_json::from_slice::<Info>(json) else {
            return Err(Fault::cut("it does not speak NATS"));
        };
        self.add_servers(&info.connect_urls);
        self.info = info;
        if !matches!(self.stage, Stage::Greeting { .. }) {
            return Ok(());
        }
        if !self.info.headers {
            return Err(Fault::end(
                "the server takes no headers",
                "it must be version 2.2 or later",
            ));
        }
        if self.info.max_payload < MIN_PAYLOAD {
            return Err(Fault::end(
                "the server takes only short messages",
                "its max_payload must be 160 KiB or more",
            ));
        }
        if self.info.tls_required || self.tls {
            if !self.info.tls_required && !self.info.tls_available {
                return Err(Fault::end(
                    "the server offers no TLS",
                    "nats:// goes without",
                ));
            }
            self.stage = Stage::Securing;
        } else {
            self.introduce(wire, now);
        }
        Ok(())
    }

    fn add_servers(&mut self, urls: &[String]) {
        for url in urls {
            if self.servers.len() < MAX_SERVERS
                && let Some(server) = Server::parse(url)
                && !self.servers.contains(&server)
            {
                self.servers.push(server);
            }
        }
    }

    fn introduce(&mut self, wire: &mut Wire, now: Instant) {
        let mut who = json!({
            "verbose": false,
            "pedantic": false,
            "headers": true,
            "no_responders": true,
            "protocol": 1,
            "lang": "rust",
            "version": env!("CARGO_PKG_VERSION"),
            "name": self.name,
        });
        match &self.login {
            Login::None => {}
            Login::User { user, pass } => {
                who["user"] = json!(user);
                who["pass"] = json!(pass);
            }
            Login::Token(token) => who["auth_token"] = json!(token),
        }
        codec::push_connect(&who.to_string(), wire.out());
        wire.out().extend_from_slice(codec::PING);
        self.stage = Stage::Admitting { since: now };
    }

    /// The server answered a PING. True: so it let us in.
    pub(super) fn ponged(&mut self) -> bool {
        let is_admitted = matches!(self.stage, Stage::Admitting { .. });
        if is_admitted {
            self.stage = Stage::Admitted;
        }
        is_admitted
    }

    /// The connection does what it is for.
    pub(super) fn note_success(&mut self) {
        self.has_worked = true;
        self.was_refused = false;
        self.failures = 0;
    }

    /// The server says what is wrong.
    ///
    /// # Errors
    /// The connection is of no use.
    pub(super) fn refused(&self, why: &[u8]) -> Result<(), Fault> {
        let why = why.trim_ascii();
        let why = why.strip_prefix(b"'").unwrap_or(why);
        let why = printable(why.strip_suffix(b"'").unwrap_or(why));
        let lower = why.to_ascii_lowercase();
        let why = format!("the server says: {why}");
        let hint = if lower.contains("permission") {
            "the login must be allowed to publish and subscribe to muxnc.> , $JS.API.> and _INBOX.>"
        } else if lower.contains("authorization") && self.has_worked {
            "it let this hub in before: its login (--bus, MUXNC_BUS_AUTH) may be another now"
        } else if lower.contains("authorization") && self.info.nonce.is_some() {
            "--bus nats://USER:PASSWORD@HOST/CLASS, or nats://TOKEN@HOST/CLASS, or MUXNC_BUS_AUTH, % as %25; it may want \
             a key (nkey), which muxnc has not"
        } else if lower.contains("authorization") {
            "--bus nats://USER:PASSWORD@HOST/CLASS, or nats://TOKEN@HOST/CLASS, or what stands before the @ in \
             MUXNC_BUS_AUTH; a % is %25 in both"
        } else {
            return Err(Fault::Drop(why));
        };
        Err(Fault::end(&why, hint))
    }

    /// Time goes on.
    ///
    /// # Errors
    /// The server is dead.
    pub(super) fn turn(&mut self, wire: &mut Wire, now: Instant) -> Result<(), Fault> {
        if wire.output().len() > MAX_OUTPUT {
            return Err(Fault::cut("it takes nothing"));
        }
        match self.stage {
            Stage::Greeting { since } | Stage::Admitting { since } if now >= since + PATIENCE => {
                Err(Fault::cut("it does not answer"))
            }
            Stage::Admitted if now >= self.next_question() => {
                if self.questions == QUESTIONS {
                    return Err(Fault::cut("it does not answer any more"));
                }
                self.questions += 1;
                self.heard = now;
                wire.out().extend_from_slice(codec::PING);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn next_question(&self) -> Instant {
        self.heard + SILENCE
    }

    /// When [`Session::dial`] or [`Session::turn`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Away { until } => Some(until),
            Stage::Greeting { since } | Stage::Admitting { since } => Some(since + PATIENCE),
            Stage::Admitted => Some(self.next_question()),
            Stage::Dialling | Stage::Securing => None,
        }
    }
}
