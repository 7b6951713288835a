//! W10: members from browsers: fan-out, what they cost that do nothing, and a class that comes back.
//!
//! Who comes back was lost while others spoke, and is served when it has everything that was said
//! meanwhile.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use crate::frames;
use crate::frames::Frames;
use crate::load::DEADLINE;
use crate::load::Load;
use crate::subjects::Hub;
use crate::subjects::Role;
use crate::subjects::Subject;
use crate::subjects::WEB;
use crate::works::Case;
use crate::works::Figures;
use crate::works::Plan;
use crate::works::fan_out;
use crate::works::idle;
use crate::works::told;

/// A line of those that are said while somebody is lost.
const LINE: usize = 64;

/// How many such lines: less than a hub keeps for them.
const LINES: u64 = 500;

/// Fan-out, idle ones, and a thousand that come back.
pub fn cases(plan: &Plan) -> Vec<Case> {
    let sizes = [(300, 64), (300, 65_536), (1000, 64), (1000, 65_536)];
    let fan_out = sizes.map(|(n, line)| fan_out::case("W10", &WEB, Role::Web, n, line));
    let idle = idle::case("W10", &WEB[1..], Role::Web, plan.pick(10_000, 3000));
    let peers = plan.pick(1000, 300);
    let back = Case {
        work: "W10",
        title: format!("{peers} come back at once"),
        subjects: vec![Subject::Muxnc],
        measure: Box::new(move |subject, plan| come_back(subject, peers, plan)),
    };
    fan_out.into_iter().chain([idle, back]).collect()
}

/// A member from a browser, as far as its place in the stream.
struct Member {
    stream: TcpStream,
    frames: Frames,
    hello: String,
    /// Bytes of the stream that it has.
    at: u64,
}

impl Member {
    /// Asks to join, or to go on; what comes back is read later.
    fn ask(hub: &Hub, query: &str) -> Result<TcpStream, String> {
        let mut stream = TcpStream::connect(hub.addr).map_err(told)?;
        stream.set_read_timeout(Some(DEADLINE)).map_err(told)?;
        frames::ask(&mut stream, &format!("/socket{query}")).map_err(told)?;
        Ok(stream)
    }

    /// Reads the answer, and the hello behind it.
    fn welcome(mut stream: TcpStream) -> Result<Member, String> {
        frames::answer(&mut stream).map_err(told)?;
        // It is the first frame, of less than 64 KiB.
        let mut head = [0; 2];
        stream.read_exact(&mut head).map_err(told)?;
        let mut len = u16::from(head[1]);
        if len == 126 {
            let mut long = [0; 2];
            stream.read_exact(&mut long).map_err(told)?;
            len = u16::from_be_bytes(long);
        }
        let mut hello = vec![0; usize::from(len)];
        stream.read_exact(&mut hello).map_err(told)?;
        let hello = String::from_utf8_lossy(&hello).into_owned();
        Ok(Member {
            stream,
            frames: Frames::default(),
            hello,
            at: 0,
        })
    }

    /// A text or a number of its hello.
    fn said(&self, name: &str) -> &str {
        let behind = self.hello.split_once(&format!("\"{name}\":"));
        let value = behind.map_or("", |(_, rest)| rest);
        let end = value.find([',', '}']).unwrap_or(value.len());
        value[..end].trim_matches('"')
    }

    /// What it asks with to go on where it is.
    fn place(&self) -> String {
        let (epoch, token, at) = (self.said("epoch"), self.said("token"), self.at);
        format!("?epoch={epoch}&token={token}&from={at}")
    }

    /// Reads until it has so many bytes of the stream.
    fn read_to(&mut self, at: u64) -> Result<(), String> {
        let mut buffer = [0; 64 * 1024];
        while self.at < at {
            let count = self.stream.read(&mut buffer).map_err(told)?;
            if count == 0 {
                return Err(format!("closed at {} of {at}", self.at));
            }
            let mut bytes = &buffer[..count];
            while !bytes.is_empty() {
                self.at += self.frames.next(&mut bytes).len() as u64;
            }
        }
        match self.at == at {
            true => Ok(()),
            false => Err(format!("{} bytes where {at} were said", self.at)),
        }
    }
}

/// Everybody but one is lost, lines are said, and all are back at once.
fn come_back(subject: Subject, peers: usize, plan: &Plan) -> Result<Figures, String> {
    let mut hub = subject.hub(Role::Web, &[], &plan.scratch)?;
    let idle = hub.process.descriptors();
    let join = || Member::welcome(Member::ask(&hub, "")?);
    let mut stays = join()?;
    let members: Vec<Member> = (0..peers).map(|_| join()).collect::<Result<_, _>>()?;
    let places: Vec<String> = members.iter().map(Member::place).collect();
    drop(members);
    let limit = Duration::from_secs(10);
    hub.process
        .wait_until("they were missed", limit, |it| it.descriptors() <= idle + 1)?;

    let (stdin, dialect) = hub.source(0)?;
    let lines = dialect.sent(0, LINE);
    let (mut load, total) = (Load::new().map_err(told)?, LINES * LINE as u64);
    let stdin = load.add(stdin, None).map_err(told)?;
    load.feed(stdin, &[lines].into(), 0, total);
    load.push(Duration::ZERO)?;
    stays.read_to(total)?;

    let (before, begin) = (hub.process.cpu(), Instant::now());
    let asked = places.iter().map(|place| Member::ask(&hub, place));
    let asked: Vec<TcpStream> = asked.collect::<Result<_, _>>()?;
    for stream in asked {
        let mut back = Member::welcome(stream)?;
        if back.said("resumed") != "true" {
            return Err(format!("it may not go on: {}", back.hello));
        }
        back.read_to(total)?;
    }
    let time = begin.elapsed().as_secs_f64();
    let used = hub.process.cpu() - before;
    Ok(Figures::new([
        ("CPU µs/peer", used * 1e6 / peers as f64),
        ("ms until all are served", time * 1e3),
    ]))
}
