//! Downloads: the same core with a file to hand out, and the real layer of HTTP over the wires of the model.
//!
//! Whoever comes wants the file, what it still lacks of it, or something else; its connection is slow, stands still, is
//! cut anywhere or vanishes, and it comes back with a range from the byte on that it has. Beside them one receives the
//! transfer, so that the hub may end while others download. Each byte that anybody is handed is held against the file,
//! each answer against the request, and each that the hub cut off or named against what it had acknowledged.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io::Seek;
use std::io::SeekFrom;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use muxnc::engine::room::SlowPeer;
use muxnc::hub::core::Core;
use muxnc::hub::core::Turn;
use muxnc::io::web::Offered;
use muxnc::status::Status;

use super::Chance;
use super::Mode;
use super::folder::Folder;
use super::terms::Terms;
use super::terms::host;
use super::web::Link;
use super::web::guest::HOST;
use super::wire::Wire;
use super::world::Did;
use super::world::Handle;
use super::world::Model;
use super::world::Net;

/// The file, of which the first bytes were read by somebody else.
const LEN: usize = 100_000;
const NAME: &str = "lesson.pdf";

/// So many are named by the hub.
const NAMED: usize = 20;

/// After so long an answered connection is closed at the latest, and somebody who found no place is refused.
const SOON: Duration = Duration::from_secs(12);

fn contents() -> &'static [u8] {
    static CONTENTS: OnceLock<Vec<u8>> = OnceLock::new();
    CONTENTS.get_or_init(|| {
        (0..LEN)
            .map(|at| (at % 251) as u8 ^ (at >> 8) as u8)
            .collect()
    })
}

/// The file on a disk, from there on.
pub(crate) fn offered(start: u64) -> Offered {
    static FILE: OnceLock<File> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        // It stays when its folder is removed.
        let folder = Folder::new("simulated-downloads");
        let path = folder.path(NAME);
        fs::write(&path, contents()).expect("a file");
        File::open(path).expect("a file")
    });
    let mut file = file.try_clone().expect("a descriptor");
    file.seek(SeekFrom::Start(start)).expect("a place");
    Offered::new(file.into(), Some(NAME.into())).expect("a file")
}

/// What a request is for, and how it has to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Want {
    /// These bytes of what is offered, which are all there are.
    Whole(Range<usize>),
    /// These, which are not.
    Part(Range<usize>),
    /// Something else, of which no byte of the file is a part.
    Other(u16),
    /// Browsers connect in advance.
    Nothing,
}

/// One connection, as whoever made it sees it.
struct Visit {
    want: Want,
    /// All that the hub wrote to it, and how long the head of its answer is.
    raw: Vec<u8>,
    head: Option<usize>,
    /// How many bytes of the file it had acknowledged, and since when it was no more.
    acknowledged: (usize, Instant),
    /// The hub has closed it.
    is_closed: bool,
    /// The hub was ending, and waited for it.
    is_waited_for: bool,
}

impl Visit {
    /// The bytes of the file that it was answered, as far as it is known that it is.
    fn range(&self) -> Option<&Range<usize>> {
        match &self.want {
            Want::Whole(range) | Want::Part(range) if self.status() != Some(503) => Some(range),
            _ => None,
        }
    }

    fn status(&self) -> Option<u16> {
        self.head?;
        std::str::from_utf8(&self.raw[9..12]).ok()?.parse().ok()
    }

    fn field(&self, name: &str) -> Option<&str> {
        let head = std::str::from_utf8(&self.raw[..self.head?]).expect("text");
        let (_, value) = head.split_once(&format!("\r\n{name}: "))?;
        Some(value.split_once("\r\n").expect("a line").0)
    }

    /// How many bytes of the body are among the first so many.
    fn body(&self, raw: u64) -> usize {
        let head = self.head.unwrap_or(usize::MAX);
        (raw as usize).saturating_sub(head)
    }

    /// Whether it was answered with bytes of the file, and the hub has not closed it.
    fn downloads(&self) -> bool {
        self.head.is_some() && self.range().is_some() && !self.is_closed
    }

    fn is_whole(&self, wire: &Wire) -> bool {
        let wanted = self.range().map_or(0, Range::len);
        self.body(wire.acked) == wanted && wire.acked == wire.written
    }
}

/// Somebody who wants the file and does not give up: how much of it they have.
#[derive(Debug, Default)]
struct Person {
    has: usize,
    /// The connection over which more of it comes.
    visit: Option<usize>,
}

/// What a schedule came to.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) whole: usize,
    pub(crate) resumed: usize,
    pub(crate) cut: usize,
    pub(crate) full: usize,
    pub(crate) named: usize,
    pub(crate) bytes: usize,
}

impl Ended {
    pub(crate) fn add(&mut self, other: &Ended) {
        self.whole += other.whole;
        self.resumed += other.resumed;
        self.cut += other.cut;
        self.full += other.full;
        self.named += other.named;
        self.bytes += other.bytes;
    }
}

pub(crate) struct Shop {
    core: Core<Model<Link>>,
    net: Handle,
    terms: Terms,
    /// What is offered.
    file: &'static [u8],
    tag: Option<String>,
    visits: BTreeMap<usize, Visit>,
    people: Vec<Person>,
    /// Who receives the transfer, and how much of it.
    receiver: Option<usize>,
    received: usize,
    until: Option<Instant>,
    exit: Option<Status>,
    /// How many downloaded before this turn, and of each host.
    ran: BTreeMap<Option<IpAddr>, usize>,
    /// Nobody else may come for the file.
    is_last: bool,
    /// What has to be named at the end, if those who were waited for did not get all.
    short: Vec<String>,
    ended: Ended,
}

impl Shop {
    /// Runs one schedule to its end.
    pub(crate) fn run(seed: u64) -> Ended {
        let mut shop = Shop::new(seed);
        let steps = 30 + shop.below(200);
        for _ in 0..steps {
            for _ in 0..shop.below(6) {
                shop.happen();
            }
            for _ in 0..shop.below(4) {
                if shop.exit.is_none() && (shop.has_work() || shop.below(20) == 0) {
                    shop.turn();
                }
            }
        }
        shop.settle();
        shop.finish();
        shop.net.borrow_mut().is_over = true;
        shop.ended
    }

    fn new(seed: u64) -> Shop {
        let mut chance = Chance(seed);
        let size = *chance.pick(&[1, 50, 3000, 40_000, LEN]);
        let start = LEN - size;
        let mode = Mode {
            relay: false,
            chat: false,
            slow: SlowPeer::Wait,
            is_whole: true,
        };
        let terms = Terms::downloads(mode, start as u64, &mut chance);
        let now = Instant::now();
        let net = Net::new(chance, now, terms.stdin, true);
        net.borrow_mut().is_calm = true;
        let file = &contents()[start..];
        net.borrow_mut().stdin.there.extend(file);
        Shop {
            core: terms.open(mode, &net, now),
            net,
            terms,
            file,
            tag: None,
            visits: BTreeMap::new(),
            people: Vec::new(),
            receiver: None,
            received: 0,
            until: None,
            exit: None,
            ran: BTreeMap::new(),
            is_last: false,
            short: Vec::new(),
            ended: Ended::default(),
        }
    }

    fn turn(&mut self) {
        self.ran = self.running(|visit, _| visit.downloads());
        self.net.borrow_mut().now += Duration::from_micros(1);
        let sources = self.net.borrow_mut().take_events();
        for (source, event) in sources {
            self.core.collect(source, event);
        }
        let now = self.now();
        match self.core.turn(now).expect("a turn") {
            Turn::Wait(until) => self.until = until,
            Turn::Exit(status) => self.exit = Some(status),
            Turn::HandOver(_) => panic!("handed over"),
        }
        self.replay();
        self.look();
        if self.exit.is_some() {
            // Those that are open are closed with the core.
            let visits = self.visits.iter();
            let open = visits.filter(|(_, visit)| !visit.is_closed);
            let open: Vec<usize> = open.map(|(&id, _)| id).collect();
            open.into_iter().for_each(|id| self.is_dropped(id));
        }
    }

    /// How many there are, in all and of each host.
    fn running(&self, is: impl Fn(&Visit, &Wire) -> bool) -> BTreeMap<Option<IpAddr>, usize> {
        let net = self.net.borrow();
        let mut running = BTreeMap::new();
        for (&id, visit) in &self.visits {
            let wire = &net.wires[id];
            if is(visit, wire) {
                *running.entry(None).or_default() += 1;
                *running.entry(Some(wire.ip)).or_default() += 1;
            }
        }
        running
    }

    /// What the core did in a turn.
    fn replay(&mut self) {
        let log = std::mem::take(&mut self.net.borrow_mut().log);
        for did in log {
            match did {
                Did::Handed(id, bytes) if Some(id) == self.receiver => {
                    let (from, to) = (self.received, self.received + bytes.len());
                    assert!(
                        self.file[from..to] == bytes,
                        "the receiver is handed others"
                    );
                    self.received = to;
                }
                Did::Handed(id, bytes) => self.is_handed(id, &bytes),
                Did::Shut(id) => self.is_shut(id),
                Did::Dropped(id) => self.is_dropped(id),
                // Who downloads now is waited for.
                Did::ClosedListener => {
                    self.is_last = true;
                    for visit in self.visits.values_mut() {
                        visit.is_waited_for = visit.downloads();
                    }
                }
                _ => {}
            }
        }
    }

    fn is_handed(&mut self, id: usize, bytes: &[u8]) {
        let visit = self.visits.get_mut(&id).expect("a visit");
        let before = visit.raw.len();
        visit.raw.extend(bytes);
        if visit.head.is_none() {
            let end = visit.raw.windows(4).position(|four| four == b"\r\n\r\n");
            let Some(end) = end else {
                return;
            };
            visit.head = Some(end + 4);
            self.is_answered(id);
        }
        let visit = &self.visits[&id];
        let head = visit.head.expect("it has one");
        let Some(range) = visit.range() else {
            return;
        };
        let from = range.start + before.saturating_sub(head);
        let body = &visit.raw[before.max(head)..];
        assert!(from + body.len() <= range.end, "{id} is handed too much");
        assert!(
            self.file[from..from + body.len()] == *body,
            "{id} is handed other bytes from {from} on"
        );
        self.ended.bytes += body.len();
    }

    /// An answer is that to the request.
    fn is_answered(&mut self, id: usize) {
        let visit = &self.visits[&id];
        let status = visit.status().expect("a status");
        let size = self.file.len();
        let length = |len: usize| Some(len.to_string());
        let told = visit.field("Content-Length").map(String::from);
        match &visit.want {
            Want::Whole(_) | Want::Part(_) if status == 503 => {
                let ip = self.net.borrow().wires[id].ip;
                let now = self.running(|visit, _| visit.downloads());
                let is_full = |most: Option<usize>, whose| {
                    let count = |running: &BTreeMap<_, _>| running.get(&whose).copied();
                    let count = count(&self.ran).max(count(&now)).unwrap_or(0);
                    most.is_some_and(|most| count >= most)
                };
                assert!(
                    is_full(self.terms.max, None) || is_full(self.terms.max_per_host, Some(ip)),
                    "{id} is refused, and there was a place"
                );
                self.ended.full += 1;
                return;
            }
            Want::Whole(range) => {
                assert_eq!((status, told), (200, length(range.len())), "{id}");
            }
            Want::Part(range) => {
                assert_eq!((status, told), (206, length(range.len())), "{id}");
                let (first, last) = (range.start, range.end - 1);
                let expected = format!("bytes {first}-{last}/{size}");
                assert_eq!(visit.field("Content-Range"), Some(&*expected), "{id}");
            }
            Want::Other(expected) => assert_eq!(status, *expected, "{id}"),
            Want::Nothing => panic!("{id} is answered {status} and asked nothing"),
        }
        if let Some(tag) = visit.field("ETag") {
            let known = self.tag.get_or_insert(tag.into());
            assert_eq!(*known, tag, "the file was not changed");
        }
    }

    /// Our side ends behind the last byte that was asked for.
    fn is_shut(&self, id: usize) {
        let Some(visit) = self.visits.get(&id).filter(|visit| visit.head.is_some()) else {
            return;
        };
        if let Some(range) = visit.range() {
            let written = self.net.borrow().wires[id].written;
            assert_eq!(
                visit.body(written),
                range.len(),
                "{id} was ended before its end"
            );
        }
    }

    /// The hub closed a connection: for a reason, if it is one of a download.
    fn is_dropped(&mut self, id: usize) {
        let now = self.now();
        let net = self.net.clone();
        let net = net.borrow();
        let (wire, Some(visit)) = (&net.wires[id], self.visits.get_mut(&id)) else {
            return;
        };
        visit.is_closed = true;
        let Some(range) = visit.range().filter(|_| visit.head.is_some()) else {
            return;
        };
        if visit.is_whole(wire) {
            self.ended.whole += 1;
            return;
        }
        let is_gone = wire.is_over() || wire.write_failed;
        let stands = now - visit.acknowledged.1;
        let is_stalled = stands >= self.terms.stall_timeout;
        let has_quit = self.exit.is_some();
        assert!(
            is_gone || is_stalled || has_quit,
            "{id} was cut off for nothing, {stands:?} after it took something: {wire:?}"
        );
        self.ended.cut += 1;
        // What it had not taken does not come later, when it was told of as missing.
        assert!(wire.breaks, "{id} may get more than is told: {wire:?}");
        if visit.is_waited_for {
            // Bytes that are under way count as not taken, those of the head among them.
            let (wanted, out) = (range.len(), (wire.written - wire.acked) as usize);
            let lacks = wanted - visit.body(wire.written).saturating_sub(out);
            let ip = wire.ip;
            self.short.push(format!(
                "{ip}:{id} did not get the last {lacks} of {wanted} bytes of {NAME}\n"
            ));
        }
    }

    /// What is so after a turn.
    fn look(&self) {
        let running = self
            .running(|visit, wire| visit.downloads() && !wire.is_over() && !visit.is_whole(wire));
        for (whose, count) in running {
            let most = match whose {
                None => self.terms.max,
                Some(_) => self.terms.max_per_host,
            };
            let most = most.unwrap_or(usize::MAX);
            assert!(
                count <= most,
                "{count} of {whose:?} download, and {most} may"
            );
        }
        let room = self.core.room();
        assert!(
            room.here() <= usize::from(self.receiver.is_some()),
            "who downloads is here"
        );
    }

    /// Something happens in the world.
    fn happen(&mut self) {
        let live: Vec<usize> = {
            let net = self.net.borrow();
            let wires = net.wires.iter().enumerate();
            let live = wires.filter(|(_, wire)| !wire.dropped);
            live.map(|(id, _)| id).collect()
        };
        let what = self.below(100);
        if live.is_empty() || (what < 10 && live.len() < 8) {
            return self.come();
        }
        let id = live[self.below(live.len())];
        let file = self.file.len();
        let net = &mut *self.net.borrow_mut();
        let now = net.now;
        let (wire, chance) = (&mut net.wires[id], &mut net.chance);
        match what {
            10..30 => wire.arrive(chance.up_to(600)),
            30..70 => {
                wire.ack(chance.up_to(2 * file + 400) as u64, now);
                wire.take(chance.up_to(2 * file + 400) as u64, now);
            }
            70..88 => {
                let most = *chance.pick(&[1, 100, 4000, 11_000]);
                net.now += Duration::from_millis(chance.below(most + 1) as u64);
            }
            // Cut within the request, too: what is under way then never arrives.
            88..91 => {
                let kept = chance.below(wire.under_way.len() + 1);
                wire.under_way.truncate(kept);
                wire.end();
            }
            91 | 92 => wire.reset(),
            93 => wire.close(),
            94 => wire.end(),
            95 if chance.one_in(3) => wire.vanish(now),
            // The transfer, of what a download need not have read yet.
            96 if self.receiver.is_some() && chance.one_in(5) => net.stdin.fails = true,
            _ => {}
        }
        if let Some(visit) = self.visits.get_mut(&id) {
            let acknowledged = visit.body(net.wires[id].acked);
            if acknowledged > visit.acknowledged.0 {
                visit.acknowledged = (acknowledged, now);
            }
        }
    }

    /// Somebody comes: to receive the transfer, for what they lack of the file, or for something else.
    fn come(&mut self) {
        if !self.net.borrow().listens {
            return;
        }
        if self.receiver.is_none() && self.below(8) == 0 {
            self.receiver = Some(self.connect(None));
            return;
        }
        let size = self.file.len();
        let lacks: Vec<usize> = (0..self.people.len())
            .filter(|&person| self.people[person].visit.is_none() && self.people[person].has < size)
            .collect();
        let what = self.below(16);
        let person = match lacks.first() {
            Some(&person) => Some(person),
            None if what < 8 => {
                self.people.push(Person::default());
                Some(self.people.len() - 1)
            }
            None => None,
        };
        let tag = self.tag.clone().unwrap_or_else(|| "\"none\"".into());
        let knows = self.tag.is_some();
        let (method, target, fields, want) = match (person, what) {
            (Some(person), _) if self.people[person].has == 0 => {
                ("GET", "/file", String::new(), Want::Whole(0..size))
            }
            (Some(person), _) => {
                let from = self.people[person].has;
                let fields = format!("Range: bytes={from}-\r\nIf-Range: {tag}\r\n");
                ("GET", "/file", fields, Want::Part(from..size))
            }
            (None, 8) => {
                let fields = format!("If-None-Match: \"x\", {tag}\r\nRange: bytes=0-\r\n");
                let is_same = Want::Other(304);
                (
                    "GET",
                    "/file",
                    fields,
                    if knows { is_same } else { Want::Part(0..size) },
                )
            }
            (None, 9) => (
                "GET",
                "/file",
                "If-Match: \"x\"\r\n".into(),
                Want::Other(412),
            ),
            (None, 10) => {
                let fields = format!("Range: bytes={size}-\r\n");
                ("GET", "/file", fields, Want::Other(416))
            }
            (None, 11) => {
                let fields = "Range: bytes=0-0\r\nIf-Range: \"x\"\r\n".into();
                ("GET", "/file", fields, Want::Whole(0..size))
            }
            (None, 12) => (
                "HEAD",
                "/file",
                "Range: bytes=0-\r\n".into(),
                Want::Other(200),
            ),
            (None, 13) => ("GET", "/socket", String::new(), Want::Other(503)),
            (None, 14) => ("GET", "/", String::new(), Want::Other(200)),
            _ => ("", "", String::new(), Want::Nothing),
        };
        let site = match self.below(3) {
            0 => format!("http://{HOST}"),
            _ => String::new(),
        };
        let request = format!("{method} {site}{target} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n");
        let request = (want != Want::Nothing).then_some(request);
        let id = self.connect(Some(request.unwrap_or_default()));
        let now = self.now();
        self.visits.insert(
            id,
            Visit {
                want,
                raw: Vec::new(),
                head: None,
                acknowledged: (0, now),
                is_closed: false,
                is_waited_for: false,
            },
        );
        if let Some(person) = person {
            let person = &mut self.people[person];
            self.ended.resumed += usize::from(person.has > 0);
            person.visit = Some(id);
        }
    }

    /// Connects, to ask that or to receive the transfer.
    fn connect(&mut self, request: Option<String>) -> usize {
        let net = &mut *self.net.borrow_mut();
        let ip = host(&mut net.chance);
        let capacity = 1000 + net.chance.up_to(2 * self.file.len());
        let mut wire = Wire::new(ip, capacity as u64, net.now, &mut net.chance);
        wire.window = wire.window.max(1000);
        match request {
            Some(request) => {
                wire.is_web = true;
                wire.is_download = true;
                wire.under_way.extend(request.bytes());
            }
            None => wire.is_steady = true,
        }
        net.connect(wire);
        net.wires.len() - 1
    }

    /// Whoever's connection is over has what they read, and may come again.
    fn give_up(&mut self, also_alive: bool) {
        let net = self.net.borrow();
        for person in &mut self.people {
            let Some(id) = person.visit else {
                continue;
            };
            let (visit, wire) = (&self.visits[&id], &net.wires[id]);
            if !also_alive && !wire.dropped && !wire.is_over() && !wire.vanished {
                continue;
            }
            if visit.range().is_some() && visit.head.is_some() {
                person.has += visit.body(wire.taken);
            }
            person.visit = None;
        }
    }

    fn has_work(&self) -> bool {
        let net = self.net.borrow();
        net.has_event() || self.until.is_some_and(|at| at <= net.now)
    }

    /// Turns until nothing happens any more, while the network brings everything there.
    fn run_until_quiet(&mut self) {
        for _ in 0..20_000 {
            if self.exit.is_some() {
                return;
            }
            {
                let net = &mut *self.net.borrow_mut();
                net.stdout.drain(usize::MAX / 2);
                for (id, wire) in net.wires.iter_mut().enumerate() {
                    if wire.dropped {
                        continue;
                    }
                    wire.arrive(usize::MAX);
                    for _ in 0..2 {
                        wire.ack(u64::MAX, net.now);
                        wire.take(u64::MAX, net.now);
                    }
                    if let Some(visit) = self.visits.get_mut(&id) {
                        let acknowledged = visit.body(wire.acked);
                        if acknowledged > visit.acknowledged.0 {
                            visit.acknowledged = (acknowledged, net.now);
                        }
                    }
                }
            }
            if !self.has_work() {
                match self.until {
                    Some(until) if until < self.now() + SOON => {
                        self.net.borrow_mut().now = until;
                    }
                    _ => return,
                }
            }
            self.turn();
        }
        let (until, now) = (self.until.map(|at| at - self.now()), self.now());
        let net = self.net.borrow();
        let open = net
            .wires
            .iter()
            .enumerate()
            .filter(|(_, wire)| !wire.dropped);
        let stands = |id: usize| self.visits.get(&id).map(|visit| now - visit.acknowledged.1);
        let open: Vec<_> = open.map(|(id, wire)| (id, stands(id), wire)).collect();
        panic!("it never comes to rest, and waits for {until:?}: {open:?}");
    }

    /// Everything arrives, and whoever lacks something comes until they have it.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.run_until_quiet();
            if self.exit.is_some() || self.is_last {
                return;
            }
            self.give_up(false);
            let size = self.file.len();
            if self.people.iter().all(|person| person.has == size) {
                break;
            }
            for _ in 0..3 {
                self.come();
            }
        }
        let lacks = self
            .people
            .iter()
            .filter(|person| person.has < self.file.len());
        let lacks: Vec<_> = lacks.collect();
        assert!(lacks.is_empty(), "not everybody has the file: {lacks:?}");
        let downloads = self.running(|visit, wire| visit.downloads() && !wire.vanished);
        assert_eq!(downloads.get(&None), None, "some still download");
    }

    /// The hub ends: with its transfer, if somebody receives that, or by a signal.
    fn finish(&mut self) {
        if let Some(receiver) = self.receiver
            && self.exit.is_none()
        {
            self.net.borrow_mut().wires[receiver].end();
            self.run_until_quiet();
        }
        let status = self.exit;
        let is_over = self
            .net
            .borrow()
            .wires
            .iter()
            .any(|wire| wire.key.is_some());
        let ended = status.unwrap_or(Status::Killed(15));
        let _ = self.core.finish(Ok(ended), self.now());
        let net = self.net.borrow();
        let stderr = String::from_utf8_lossy(&net.stderr).into_owned();
        let Some(status) = status else {
            return;
        };
        assert!(is_over, "nobody came: {stderr}");
        self.ended.named += self.short.len();
        let named: BTreeSet<&str> = stderr
            .split_inclusive('\n')
            .filter_map(|line| line.strip_prefix("muxnc: "))
            .filter(|line| line.contains(" did not get the last ") && line.contains(NAME))
            .collect();
        let short: BTreeSet<&str> = self.short.iter().map(String::as_str).collect();
        assert!(named.is_subset(&short), "{named:?} of {short:?}: {stderr}");
        assert_eq!(named.len(), short.len().min(NAMED), "{stderr}");
        let is_broken = net.stdin.has_failed;
        assert_eq!(is_broken, stderr.contains("read from stdin: "), "{stderr}");
        if !short.is_empty() || is_broken {
            assert!(matches!(status, Status::Failed), "{status:?}: {stderr}");
        }
    }

    fn now(&self) -> Instant {
        self.net.borrow().now
    }

    fn below(&self, bound: usize) -> usize {
        self.net.borrow_mut().chance.below(bound)
    }
}
