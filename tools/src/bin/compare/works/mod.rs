//! The works: each says which cases it has, who can do them, and how one is measured.
//!
//! In every figure less is better.

pub mod bulk;
pub mod bus;
pub mod crowd;
pub mod fan_out;
pub mod gather;
pub mod idle;
pub mod latency;
pub mod relay;
pub mod scaling;
pub mod slow;
pub mod start;
pub mod storm;
pub mod tls;
pub mod web;

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use crate::load::Ledger;
use crate::load::Load;
use crate::load::Pattern;
use crate::subjects::Hub;
use crate::subjects::Role;
use crate::subjects::Subject;

/// How long a hub may take to let everybody in, where that is not what is measured.
const PATIENCE: Duration = Duration::from_secs(10);

/// What holds for a whole run.
#[derive(Clone)]
pub struct Plan {
    /// Less work, for a first look.
    pub quick: bool,
    /// Where files may be put.
    pub scratch: PathBuf,
}

impl Plan {
    /// One of two amounts.
    pub fn pick<T>(&self, full: T, quick: T) -> T {
        match self.quick {
            true => quick,
            false => full,
        }
    }
}

/// What was measured once. The first figure is the one that counts.
#[derive(Default)]
pub struct Figures {
    /// Names, with units, and values.
    pub values: Vec<(&'static str, f64)>,
    /// What was wrong, if the figures hold nevertheless.
    pub flaw: Option<String>,
}

impl Figures {
    /// These figures, and no flaw.
    pub fn new(values: impl Into<Vec<(&'static str, f64)>>) -> Figures {
        Figures {
            values: values.into(),
            flaw: None,
        }
    }

    /// Notes what was wrong, if it was.
    pub fn flawed(mut self, wrong: bool, what: &str) -> Figures {
        if wrong {
            self.flaw = Some(what.to_owned());
        }
        self
    }
}

/// How a case is measured.
pub type Measure = Box<dyn Fn(Subject, &Plan) -> Result<Figures, String>>;

/// One row of the comparison.
pub struct Case {
    /// Which work it belongs to: an index into [`WORKS`].
    pub work: &'static str,
    /// What is particular about it.
    pub title: String,
    /// Who can do it at all.
    pub subjects: Vec<Subject>,
    /// Does it once.
    pub measure: Measure,
}

/// The works, each with its name and what it is.
pub const WORKS: [(&str, &str); 14] = [
    ("W1", "fan-out from stdin"),
    ("W2", "relay among 30 peers, 64 B lines"),
    ("W3", "latency of lines, 200 each second"),
    ("W4", "idle peers"),
    ("W5", "connection storm until everybody was served"),
    ("W6", "one of 30 peers never reads, 64 MiB"),
    ("W7", "bulk through the participant"),
    ("W8", "from start to first line delivered"),
    ("W9", "peers' 64 B lines to the hub's stdout"),
    ("W10", "members from browsers"),
    ("W11", "one class over several hubs"),
    ("W12", "members whose connections are encrypted"),
    ("W13", "where one processor ends, 64 B lines"),
    ("scaling", "how the cost grows"),
];

/// Every case of every work.
pub fn cases(plan: &Plan) -> Vec<Case> {
    let works: [fn(&Plan) -> Vec<Case>; 14] = [
        fan_out::cases,
        relay::cases,
        latency::cases,
        idle::cases,
        storm::cases,
        slow::cases,
        bulk::cases,
        start::cases,
        gather::cases,
        web::cases,
        bus::cases,
        tls::cases,
        crowd::cases,
        scaling::cases,
    ];
    works.iter().flat_map(|cases| cases(plan)).collect()
}

/// Bytes that are delivered in all, when the work is to move as much as possible.
pub fn volume(plan: &Plan) -> u64 {
    plan.pick(4_000_000_000, 600_000_000)
}

/// An error of the system as a text.
pub fn told(error: std::io::Error) -> String {
    error.to_string()
}

/// A hub, the peers that read what it fans out, and the one source of lines.
pub struct Room {
    /// The hub.
    pub hub: Hub,
    /// The peers and the source.
    pub load: Load,
    /// The stream that feeds the hub.
    pub source: usize,
    /// What is fed.
    pub sent: Rc<[Pattern]>,
    /// What each peer is to receive.
    pub received: Rc<[Pattern]>,
}

impl Room {
    /// Starts a hub and lets `peers` in, who expect nothing yet.
    ///
    /// # Errors
    /// The hub does not start or does not serve them all.
    pub fn fan_out(
        subject: Subject,
        role: Role,
        peers: usize,
        line: usize,
        extra: &[&str],
        plan: &Plan,
    ) -> Result<Room, String> {
        let mut hub = subject.hub(role, extra, &plan.scratch)?;
        let dialect = hub.dialect;
        let received: Rc<[Pattern]> = [dialect.received(0, line)].into();
        let mut load = Load::new().map_err(told)?;
        let begin = Instant::now();
        for id in 0..peers {
            if begin.elapsed() > PATIENCE {
                return Err(format!("let {id} of {peers} in, in {PATIENCE:?}"));
            }
            let stream = dialect.join(hub.addr, id)?;
            let mut ledger = Ledger::new(&received, 0).with_interlude(dialect.interlude());
            if dialect.is_web() {
                ledger = ledger.within_frames();
            }
            load.add(stream, Some(ledger)).map_err(told)?;
        }
        hub.wait_for_peers(peers)?;
        if role == Role::Tls {
            // It is a member only when its last word of the handshake was heard.
            hub.wait_at_rest()?;
        }
        let (source, dialect) = hub.source(peers)?;
        let sent: Rc<[Pattern]> = [dialect.sent(0, line)].into();
        let source = load.add(source, None).map_err(told)?;
        Ok(Room {
            hub,
            load,
            source,
            sent,
            received,
        })
    }

    /// Has `lines` more lines sent to everybody; [`Load::run`] does it.
    pub fn send(&mut self, lines: u64) {
        let total = lines * self.sent[0].line() as u64;
        self.load.feed(self.source, &self.sent, 0, total);
        self.load.expect(lines * self.received[0].line() as u64);
    }
}
