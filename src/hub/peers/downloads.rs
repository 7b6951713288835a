//! Downloads: peers that want the file that is offered beside the room, or instead of one (docs/WEB.md).
//!
//! ```text
//!   arriving ─► downloading ─► it has all: lingering ─► closed
//!                    └───────► closed before that, by it or by us
//! ```
//!
//! It promises: a peer that downloads is no member, takes no place in the room and does not hold
//! the others up; each gets one [piece](PIECE) in a turn, and so does the digest until it is known;
//! the hub does not wake up for the digest after that.

mod download;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use std::time::Instant;

use self::download::Download;
use self::download::Outcome;
use self::download::PIECE;
use self::download::Step;
use super::Peers;
use super::Stage;
use crate::engine::admit::Admission;
use crate::engine::admit::AdmissionError;
use crate::engine::record::Entry;
use crate::engine::record::Fetched;
use crate::engine::web::offer::Answer;
use crate::engine::web::offer::Offer;
use crate::hub::news::Topic;
use crate::io::clock;
use crate::io::conn::Conn;
use crate::io::device::Device;
use crate::io::stream::Stream;
use crate::io::web::Offered;

/// So many downloads that the hub waits for, or that were cut off, are named.
const NAMED: usize = 20;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Downloads {
    file: Offered,
    offer: Offer,
    /// How long one may take nothing.
    limit: Duration,
    running: BTreeMap<usize, Download>,
    /// The downloads in the order of their turns.
    ready: Vec<usize>,
    /// When to look whose deadline has come: not after the first of them.
    looks_at: Option<Instant>,
    /// The hub ends with the last of those that are running.
    are_last: bool,
    /// A line for each of those that were to have all of it and have not.
    short: Vec<String>,
}

impl Downloads {
    fn new(file: Offered, limit: Duration) -> Downloads {
        Downloads {
            offer: Offer::new(file.name(), file.start(), file.stamp()),
            file,
            limit,
            running: BTreeMap::new(),
            ready: Vec::new(),
            looks_at: None,
            are_last: false,
            short: Vec::new(),
        }
    }

    /// Something happened on a connection.
    pub(super) fn wake(&mut self, key: usize) {
        if let Some(download) = self.running.get_mut(&key)
            && !std::mem::replace(&mut download.is_ready, true)
        {
            self.ready.push(key);
        }
    }

    /// Whether there is something to do at once.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty() || self.offer.unsummed().is_some()
    }

    /// When there is something to do although nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.looks_at
    }

    /// One begins.
    fn begin(&mut self, key: usize, download: Download) {
        self.look_at(download.deadline(self.limit));
        self.running.insert(key, download);
        self.ready.push(key);
    }

    fn look_at(&mut self, at: Instant) {
        self.looks_at = Some(self.looks_at.map_or(at, |before| before.min(at)));
    }

    /// Wakes those whose deadline has come.
    fn look(&mut self, now: Instant) {
        if self.looks_at.is_none_or(|at| now < at) {
            return;
        }
        let deadlines = self.running.iter();
        let deadlines = deadlines.map(|(&key, one)| (one.deadline(self.limit), key));
        let (due, later): (Vec<_>, Vec<_>) = deadlines.partition(|&(at, _)| at <= now);
        self.looks_at = later.into_iter().map(|(at, _)| at).min();
        due.into_iter().for_each(|(_, key)| self.wake(key));
    }

    /// Adds a piece to the digest.
    fn sum(&mut self, buffer: &mut [u8]) {
        let Some(unsummed) = self.offer.unsummed() else {
            return;
        };
        let left = unsummed.end - unsummed.start;
        let most = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        // A file that cannot be read is treated as missing.
        let read = self.file.read_at(&mut buffer[..most], unsummed.start);
        let file = &self.file;
        self.offer
            .add(&buffer[..read.unwrap_or(0)], || file.stamp_now());
    }

    /// How many are running, of that address if one is given.
    fn count<S>(&self, peers: &slab::Slab<super::Peer<S>>, ip: Option<IpAddr>) -> usize
    where
        S: Stream,
    {
        let Some(ip) = ip.map(|ip| ip.to_canonical()) else {
            return self.running.len();
        };
        let keys = self.running.keys();
        let theirs = keys.filter_map(|&key| peers.get(key)?.conn.addr().ip());
        theirs.filter(|theirs| theirs.to_canonical() == ip).count()
    }
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// Offers this file; a download that takes nothing for so long is cut off.
    pub fn offer(&mut self, file: Offered, limit: Duration) {
        self.downloads = Some(Box::new(Downloads::new(file, limit)));
    }

    /// Whether a peer that arrives came for a file.
    pub(in crate::hub) fn is_for_a_file(&mut self, key: usize) -> bool {
        self.arriving_mut(key).is_some_and(Conn::is_for_a_file)
    }

    /// The answer to a peer that asks for something of the file.
    fn answer_to(&mut self, key: usize) -> Option<Answer> {
        let downloads = self.downloads.as_ref()?;
        let now = downloads.file.stamp_now();
        let now = now.unwrap_or(downloads.file.stamp());
        let peer = self.conns.get_mut(key)?;
        Some(
            downloads
                .offer
                .answer(peer.conn.wanted()?, now, clock::date()),
        )
    }

    /// Answers to a peer that wants something of the file but its bytes. Returns whether it was one.
    pub(in crate::hub) fn answer_at_once(&mut self, key: usize) -> bool {
        let answer = self.answer_to(key);
        let Some(answer) = answer.filter(|answer| answer.body.is_empty()) else {
            return false;
        };
        if let Some(conn) = self.arriving_mut(key) {
            conn.answer(&answer.bytes);
        }
        true
    }

    /// Lets a peer download, if so many at a time may.
    ///
    /// # Errors
    /// They may not, and why.
    pub(in crate::hub) fn ask_to_download(
        &mut self,
        key: usize,
        admission: &Admission,
        now: Instant,
    ) -> Result<(), AdmissionError> {
        let ip = self.arriving_mut(key).and_then(|conn| conn.addr().ip());
        if let Some(downloads) = &self.downloads {
            let running = downloads.count(&self.conns, None);
            let of_host = downloads.count(&self.conns, ip);
            admission.ask(ip, running, of_host)?;
        }
        let answer = self.answer_to(key);
        if let (Some(answer), Some(peer)) = (answer, self.conns.get_mut(key))
            && let Some(downloads) = &mut self.downloads
        {
            peer.stage = Stage::Downloading;
            peer.conn.answer(&answer.bytes);
            downloads.begin(key, Download::new(answer.body, now));
        }
        Ok(())
    }

    /// A piece for each that can take one, and for the digest; with a buffer.
    pub(in crate::hub) fn serve_downloads(&mut self, buffer: &mut [u8], now: Instant) {
        let Some(downloads) = &mut self.downloads else {
            return;
        };
        downloads.sum(buffer);
        downloads.look(now);
        let mut over = Vec::new();
        for key in std::mem::take(&mut downloads.ready) {
            let (Some(download), Some(peer)) =
                (downloads.running.get_mut(&key), self.conns.get_mut(key))
            else {
                continue;
            };
            download.is_ready = false;
            let (file, limit) = (&downloads.file, downloads.limit);
            let step = download.step(&mut peer.conn, file, limit, buffer, now);
            let deadline = download.deadline(limit);
            match step {
                Step::Again => downloads.wake(key),
                Step::Waits => {}
                Step::Over(outcome) => over.push((key, outcome)),
            }
            downloads.look_at(deadline);
        }
        for (key, outcome) in over {
            self.end_download(key, &outcome, now);
        }
        if let Some(downloads) = &mut self.downloads
            && downloads.running.is_empty()
        {
            downloads.looks_at = None;
        }
    }

    /// A download is over: tells of it, and closes its connection.
    fn end_download(&mut self, key: usize, outcome: &Outcome, now: Instant) {
        let Some(downloads) = &mut self.downloads else {
            return;
        };
        let (Some(download), Some(peer)) =
            (downloads.running.remove(&key), self.conns.get_mut(key))
        else {
            return;
        };
        let is_whole = matches!(outcome, Outcome::Whole);
        let (name, wanted) = (downloads.offer.name().to_string(), download.wanted());
        let taken = match is_whole {
            true => wanted,
            false => download.taken(&peer.conn),
        };
        let addr = peer.conn.addr().clone();
        if downloads.are_last && !is_whole {
            let lacks = wanted - taken;
            let line = format!("{addr} did not get the last {lacks} of {wanted} bytes of {name}");
            downloads.short.push(line);
        }
        // Bytes as they are offered, not as they stand in the file.
        let from = download.asked().start - downloads.file.start();
        let part = match wanted == downloads.offer.size() {
            true => name.clone(),
            false => format!("bytes {from}-{} of {name}", from + wanted - 1),
        };
        let limit = downloads.limit;
        // What it has not taken by now must not come later, when it was told of as not taken.
        peer.conn.break_on_close(!is_whole);
        match is_whole && !peer.conn.has_ended() {
            // It reads that it has all before the connection is closed.
            true => self.let_read_why(key, now),
            false => self.forget(key),
        }
        let fetched = Fetched {
            name: &name,
            from,
            wanted,
            taken,
            code: outcome.code(),
            words: &outcome.to_string(),
        };
        self.record(|records| records.note(Entry::Fetched(&addr, fetched)));
        let time = match now.saturating_duration_since(download.began) {
            // A turn has one time.
            Duration::ZERO => String::from("at once"),
            time => format!("after {time:.1?}"),
        };
        let topic = match outcome {
            // It is named when all have ended.
            Outcome::Ended => return,
            outcome if outcome.is_cut() => Topic::DownloadCut,
            _ => Topic::Downloaded,
        };
        let Some(permit) = self.news.ask(topic, now) else {
            return;
        };
        let took = format!("{addr} took {taken} of {wanted} bytes of {name}");
        match outcome {
            Outcome::Whole => permit.say(format_args!(
                "{addr} downloaded {part} whole: {wanted} bytes {time}"
            )),
            Outcome::Closed => permit.say(format_args!("{took} and left {time}")),
            Outcome::Stalled => permit.say(format_args!(
                "{took} and was cut off: it took nothing for {limit:?}"
            )),
            Outcome::Shorter => permit.say(format_args!(
                "{took} and was cut off: the file is shorter than it was"
            )),
            Outcome::Broke(_) | Outcome::Unreadable(_) | Outcome::Ended => {
                permit.say(format_args!("{took} {time}: {outcome}"));
            }
        }
    }

    /// No other download may begin, and the hub ends with the last that runs. Returns a line that
    /// names them, if there are any.
    pub(in crate::hub) fn await_downloads(&mut self) -> Option<String> {
        let downloads = self.downloads.as_mut()?;
        downloads.are_last = true;
        let (running, name) = (&downloads.running, downloads.offer.name());
        let mut who: Vec<String> = Vec::new();
        for (key, download) in running.iter().take(NAMED) {
            let conn = &self.conns.get(*key)?.conn;
            let (wanted, addr) = (download.wanted(), conn.addr());
            let lacks = wanted - download.taken(conn);
            who.push(format!("{addr} ({lacks} of {wanted} bytes are left)"));
        }
        if running.len() > NAMED {
            who.push(format!("{} more", running.len() - NAMED));
        }
        (!who.is_empty()).then(|| {
            let who = who.join(", ");
            format!("waiting until {name} is downloaded by {who} (Ctrl-C ends it now)")
        })
    }

    /// Whether any download runs.
    pub(in crate::hub) fn are_downloading(&self) -> bool {
        let downloads = self.downloads.as_ref();
        downloads.is_some_and(|downloads| !downloads.running.is_empty())
    }

    /// The hub ends: running downloads do not get the rest. Returns a line for each of the last, which ran when nothing
    /// else was left to do or run now, that did not get all, and one for more than are named.
    pub(in crate::hub) fn end_downloads(&mut self, now: Instant) -> Vec<String> {
        let Some(downloads) = &mut self.downloads else {
            return Vec::new();
        };
        downloads.are_last = true;
        let mut ended = Vec::new();
        for (&key, download) in &downloads.running {
            // One that has all of it since it was last looked at has all of it.
            let conn = self.conns.get(key).map(|peer| &peer.conn);
            let is_whole = conn.is_some_and(|conn| download.is_acknowledged(conn));
            let outcome = match is_whole {
                true => Outcome::Whole,
                false => Outcome::Ended,
            };
            ended.push((key, outcome));
        }
        for (key, outcome) in ended {
            self.end_download(key, &outcome, now);
        }
        let short = self
            .downloads
            .as_mut()
            .map(|downloads| &mut downloads.short);
        let mut lines = short.map(std::mem::take).unwrap_or_default();
        if lines.len() > NAMED {
            let more = lines.split_off(NAMED).len();
            lines.push(format!("{more} more did not get everything"));
        }
        lines
    }
}
