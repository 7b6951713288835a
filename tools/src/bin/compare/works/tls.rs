//! W12: members whose connections are encrypted: fan-out, what they cost that do nothing, and a class that
//! comes at once, or comes back.
//!
//! All speak TLS 1.3 with one cipher suite. Who comes was served when the line that it said came out of the
//! hub's stdout. Meanwhile a member that was there before says a line every few milliseconds, and waits until
//! that has come out.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::io::Read;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Interest;
use mio::Poll;
use mio::Token;
use mio::unix::pipe::Receiver;

use crate::subjects::Hub;
use crate::subjects::Role;
use crate::subjects::Subject;
use crate::subjects::TLS;
use crate::tls;
use crate::tls::Client;
use crate::tls::Connector;
use crate::works::Case;
use crate::works::Figures;
use crate::works::Plan;
use crate::works::fan_out;
use crate::works::idle;
use crate::works::told;

/// A line.
const LINE: usize = 8;

/// What the member says that was there before.
const MEANWHILE: &[u8; LINE] = b"-------\n";

/// How often it says that.
const PACE: Duration = Duration::from_millis(5);

/// How long it may take until all were served.
const DEADLINE: Duration = Duration::from_secs(60);

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// Fan-out, idle ones, and storms.
pub fn cases(plan: &Plan) -> Vec<Case> {
    let sizes = [
        (1, 64),
        (1, 65_536),
        (30, 64),
        (30, 65_536),
        (300, 64),
        (300, 65_536),
    ];
    let fan_out = sizes.map(|(n, line)| fan_out::case("W12", &TLS, Role::Tls, n, line));
    // ncat ends when there are more than 1018.
    let idle = idle::case("W12", &TLS, Role::Tls, plan.pick(1000, 300));
    let storm = |peers, returns: bool| Case {
        work: "W12",
        title: match returns {
            true => format!("{peers} come back at once"),
            false => format!("{peers} come at once"),
        },
        subjects: vec![Subject::Floor, Subject::Muxnc, Subject::Ncat],
        measure: Box::new(move |subject, plan| storm(subject, peers, returns, plan)),
    };
    let storms = [(300, false), (3000, false), (300, true), (3000, true)];
    let storms = storms.map(|(peers, returns)| storm(peers, returns));
    fan_out.into_iter().chain([idle]).chain(storms).collect()
}

/// A member that was there before, and says a line on a schedule.
struct Witness {
    member: Client,
    /// When the lines were due that were not printed.
    due: VecDeque<Instant>,
    next: Instant,
    longest: Duration,
}

impl Witness {
    fn new(hub: &mut Hub) -> Result<Witness, String> {
        let member = Connector::new(0).connect(hub.addr, usize::MAX);
        let member = member.map_err(told)?;
        hub.wait_at_rest()?;
        Ok(Witness {
            member,
            due: VecDeque::new(),
            next: Instant::now(),
            longest: Duration::ZERO,
        })
    }

    /// Says what is due.
    fn speak(&mut self) -> Result<(), String> {
        if Instant::now() >= self.next {
            self.member.say(MEANWHILE).map_err(told)?;
            self.due.push_back(self.next);
            self.next += PACE;
        }
        Ok(())
    }

    /// Whether lines of it were not printed.
    fn waits(&self) -> bool {
        !self.due.is_empty()
    }

    /// The first of its lines that were not printed was.
    fn heard(&mut self) {
        if let Some(due) = self.due.pop_front() {
            self.longest = self.longest.max(due.elapsed());
        }
    }
}

/// One of those who come.
struct Arriving {
    client: Client,
    greeted: bool,
    served: bool,
}

/// Those who come at once, and what a hub prints of them.
struct Storm<'s> {
    all: Vec<Arriving>,
    served: usize,
    stdout: &'s mut Receiver,
    printed: Vec<u8>,
    witness: &'s mut Witness,
}

impl Storm<'_> {
    /// Looks at what was printed, and says what is due. It is done before and after each step, since a step
    /// is the load's own time, for which nobody is to wait.
    fn look(&mut self, more: bool) -> Result<(), String> {
        let mut buffer = [0; 4096];
        while let Ok(count) = self.stdout.read(&mut buffer) {
            if count == 0 {
                return Err(format!("it ended after it served {}", self.served));
            }
            self.printed.extend_from_slice(&buffer[..count]);
        }
        let whole = self.printed.len() / LINE * LINE;
        for line in self.printed[..whole].chunks(LINE) {
            if line == MEANWHILE {
                self.witness.heard();
                continue;
            }
            let id = std::str::from_utf8(line).ok();
            let id = id.and_then(|line| line.trim().parse().ok());
            let Some(one) = id.and_then(|id: usize| self.all.get_mut(id)) else {
                return Err(format!("nobody sent {:?}", String::from_utf8_lossy(line)));
            };
            if std::mem::replace(&mut one.served, true) {
                return Err("a line was printed twice".to_owned());
            }
            self.served += 1;
        }
        self.printed.drain(..whole);
        match more {
            true => self.witness.speak(),
            false => Ok(()),
        }
    }
}

/// Everybody comes at once, and has been here before or not.
fn storm(subject: Subject, peers: usize, returns: bool, plan: &Plan) -> Result<Figures, String> {
    let mut hub = subject.hub(Role::Tls, &[], &plan.scratch)?;
    let mut stdout = Receiver::from(hub.process.stdout().ok_or("its stdout was taken")?);
    stdout.set_nonblocking(true).map_err(told)?;
    let mut witness = Witness::new(&mut hub)?;
    let connector = Connector::new(if returns { peers } else { 0 });
    if returns {
        come(&connector, peers, &hub, &mut stdout, &mut witness)?;
        hub.wait_at_rest()?;
        witness.next = Instant::now();
        witness.longest = Duration::ZERO;
    }
    let before = hub.cpu();
    let (time, back) = come(&connector, peers, &hub, &mut stdout, &mut witness)?;
    let used = hub.cpu() - before;
    let figures = Figures::new([
        ("CPU µs/peer", used * 1e6 / peers as f64),
        ("ms until all are served", time.as_secs_f64() * 1e3),
        (
            "ms that a member waits",
            witness.longest.as_secs_f64() * 1e3,
        ),
    ]);
    let stranger = returns && back < peers;
    Ok(figures.flawed(stranger, &format!("{back} of {peers} were known again")))
}

/// Returns how long it took until all were served, and how many were known again. Then all leave.
fn come(
    connector: &Connector,
    peers: usize,
    hub: &Hub,
    stdout: &mut Receiver,
    witness: &mut Witness,
) -> Result<(Duration, usize), String> {
    let mut poll = Poll::new().map_err(told)?;
    let mut events = Events::with_capacity(256);
    let both = Interest::READABLE | Interest::WRITABLE;
    let mut storm = Storm {
        all: Vec::with_capacity(peers),
        served: 0,
        stdout,
        printed: Vec::new(),
        witness,
    };
    let begin = Instant::now();
    for id in 0..peers {
        storm.look(true)?;
        let mut client = connector.begin(hub.addr, id).map_err(told)?;
        client.shake_hands().map_err(told)?;
        poll.registry()
            .register(&mut client.stream, Token(id), both)
            .map_err(told)?;
        storm.all.push(Arriving {
            client,
            greeted: false,
            served: false,
        });
    }
    let (mut wire, mut plain) = (vec![0; CHUNK], vec![0; CHUNK + tls::REST]);
    let mut back = 0;
    while storm.served < peers {
        if begin.elapsed() > DEADLINE {
            return Err(format!(
                "served {} of {peers} in {DEADLINE:?}",
                storm.served
            ));
        }
        // What is printed is looked at so often, and nobody waits for events of that.
        match poll.poll(&mut events, Some(Duration::from_millis(1))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(told(error)),
            _ => storm.look(true)?,
        }
        for event in &events {
            storm.look(true)?;
            let one = &mut storm.all[event.token().0];
            if one.greeted {
                // A ticket for the next time.
                while let Ok(1..) = one.client.read(&mut wire, &mut plain) {}
            } else if one.client.shake_hands().map_err(told)? {
                one.greeted = true;
                back += usize::from(one.client.has_come_back());
                let line = format!("{:07}\n", event.token().0);
                one.client.say(line.as_bytes()).map_err(told)?;
            }
        }
    }
    let time = begin.elapsed();
    while storm.witness.waits() {
        storm.look(false)?;
    }
    // Tickets that came after the last look.
    for one in &mut storm.all {
        while let Ok(1..) = one.client.read(&mut wire, &mut plain) {}
    }
    Ok((time, back))
}
