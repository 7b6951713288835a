//! Records of what is said: the files, and the wall clock that their lines begin with.
//!
//! What is recorded is collected here and written at the end of the turn, or as soon as it is
//! much. A regular file takes everything, which is never for long. A pipe takes what fits; what it
//! does not take waits, up to [`LIMIT`] bytes, and beyond that whole records are dropped and
//! counted, because a record must not stop a class.
//!
//! A line feed is one byte and its line in a transcript eighty, so what is recorded is counted by what
//! it becomes: [`TURN`] bytes in a turn, and no more is to be read than [fits](Records::fits).
//!
//! It promises: every file is opened before anything else happens, or nothing does; a file that
//! fails later is told of once, and everything else goes on without it; no call blocks (a regular
//! file's excepted).

use std::collections::VecDeque;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use mio::Registry;
use mio::Token;

use crate::engine::budget::Budget;
use crate::engine::budget::LEAST;
use crate::engine::record::Transcript;
use crate::engine::record::Way;
use crate::engine::record::Who;
use crate::engine::record::push_dump;
use crate::io::descriptor::Descriptor;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::output::Output;
use crate::io::readiness::Event;

/// Bytes of records that may wait for a file.
pub const LIMIT: usize = 1024 * 1024;

/// Bytes of records that are made in a turn: they take about a millisecond.
pub const TURN: usize = 512 * 1024;

/// Bytes of records that are written at once, though the turn is not over.
const MUCH: usize = 64 * 1024;

/// How long the end of the program waits for a pipe that is stuck.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Which records are kept, and where. `-` is stdout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// What was received and sent, as it was.
    pub raw: Option<PathBuf>,
    /// The same as a hex dump.
    pub dump: Option<PathBuf>,
    /// Who said what, and who came and went.
    pub transcript: Option<PathBuf>,
    /// The files keep what they had. That of the transcript always does.
    pub append: bool,
    /// What the operator is called.
    pub name: Option<String>,
}

/// All records that are kept. See the module's documentation.
pub struct Records<D = Descriptor> {
    raw: Option<Sink<D>>,
    dump: Option<Sink<D>>,
    transcript: Option<(Transcript, Sink<D>)>,
    name: Option<String>,
    clock: Clock,
    /// What was made of records in this turn.
    made: Budget,
    /// The text of one record; here so that its memory is reused.
    text: String,
}

/// The time as RFC 3339 has it, in UTC and read once in a turn.
#[derive(Default)]
struct Clock {
    time: String,
    is_read: bool,
}

impl Clock {
    fn read(&mut self) -> &str {
        if !std::mem::replace(&mut self.is_read, true) {
            self.time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        }
        &self.time
    }
}

impl Records {
    /// Opens every file. None if none is wanted.
    ///
    /// # Errors
    /// A file cannot be opened, or is a terminal, which must not get the bytes of others as they
    /// are.
    pub fn open(wanted: &Wanted) -> Result<Option<Records>, Error> {
        let open = |path: &Option<PathBuf>, append: bool| match path {
            Some(path) => Sink::open(path, append).map(Some),
            None => Ok(None),
        };
        let torn = wanted.transcript.as_deref().is_some_and(is_torn);
        let mut transcript = open(&wanted.transcript, true)?;
        if let Some(sink) = transcript.as_mut().filter(|_| torn) {
            sink.write(b"\n");
        }
        let records = Records {
            raw: open(&wanted.raw, wanted.append)?,
            dump: open(&wanted.dump, wanted.append)?,
            transcript: transcript.map(|sink| (Transcript::default(), sink)),
            name: wanted.name.clone(),
            clock: Clock::default(),
            made: Budget::new(TURN, 0),
            text: String::new(),
        };
        let none = records.raw.is_none() && records.dump.is_none() && records.transcript.is_none();
        Ok((!none).then_some(records))
    }

    /// Registers them for the news that they take bytes again.
    ///
    /// # Errors
    /// What the system says.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.sinks()
            .try_for_each(|sink| sink.register(registry, token))
    }

    /// The program is over: the same as a flush, and a pipe that is stuck is waited for, but not long.
    pub fn finish(&mut self) {
        self.sinks().for_each(Sink::finish);
    }
}

impl<D: Device> Records<D> {
    /// Takes note of an event, of whichever of them.
    pub fn collect(&mut self, event: Event) {
        self.sinks().for_each(|sink| sink.collect(event));
    }

    /// Whether a file could not be written, or not all of it.
    pub fn has_failed(&self) -> bool {
        let transcript = self.transcript.as_ref().map(|(_, sink)| sink);
        [self.raw.as_ref(), self.dump.as_ref(), transcript]
            .into_iter()
            .flatten()
            .any(|sink| sink.failed)
    }

    /// Whether one of them is for stdout.
    pub fn has_stdout(&self) -> bool {
        let transcript = self.transcript.as_ref().map(|(_, sink)| sink);
        [self.raw.as_ref(), self.dump.as_ref(), transcript]
            .into_iter()
            .flatten()
            .any(|sink| sink.output.is_none())
    }

    /// Whether no more is to be recorded in this turn.
    pub fn is_spent(&self) -> bool {
        self.made.is_spent()
    }

    /// How many bytes may be said, of which the records still fit into this turn, and into `left` bytes
    /// for stdout if one goes there. None: whoever speaks to everybody, who may use half of a turn.
    pub fn fits(&self, who: Option<Who<'_>>, left: usize) -> usize {
        let everybody = Who {
            number: 0,
            addr: &"*",
            name: self.name.as_deref(),
        };
        let speaker = who.unwrap_or(everybody);
        let left = match (who, self.has_stdout()) {
            (None, _) => self.made.left() / 2,
            (_, true) => self.made.left().min(left),
            (_, false) => self.made.left(),
        };
        let dumped = |bytes| speaker.dumped(bytes);
        let mut each = 0;
        let mut once = 0;
        if self.raw.is_some() {
            each += 1;
        }
        if self.dump.is_some() {
            each += dumped(1) - dumped(0);
            once += dumped(0);
        }
        if self.transcript.is_some() {
            each += speaker.transcribed();
        }
        (left.saturating_sub(once) / each.max(1)).max(LEAST)
    }

    /// Somebody joined.
    pub fn joined(&mut self, who: Who<'_>) {
        self.transcribe(|transcript, at, _, text| transcript.joined(at, who, text));
    }

    /// Somebody left, and why.
    pub fn left(&mut self, who: Who<'_>, why: &str) {
        self.transcribe(|transcript, at, _, text| transcript.left(at, who, why, text));
    }

    /// The other side of the connection said `bytes`.
    pub fn heard(&mut self, who: Who<'_>, bytes: &[u8]) {
        self.received(who, bytes);
        self.transcribe(|transcript, at, _, text| transcript.heard(at, who, bytes, text));
    }

    /// One of many said `bytes`, of which the lines follow when they are whole: [`Records::lines`].
    pub fn received(&mut self, who: Who<'_>, bytes: &[u8]) {
        self.pass(Way::From, Some(who), bytes);
    }

    /// One of many said whole lines, or a piece of a line of its own.
    pub fn lines(&mut self, who: Who<'_>, lines: &[u8]) {
        self.transcribe(|transcript, at, _, text| transcript.lines(at, who, lines, text));
    }

    /// One of many asked for something in a chat, in these words.
    pub fn asked(&mut self, who: Who<'_>, words: &[u8]) {
        self.transcribe(|transcript, at, _, text| transcript.asked(at, who, words, text));
    }

    /// Whether [`Records::lines`] are wanted.
    pub fn wants_lines(&self) -> bool {
        self.transcript.is_some()
    }

    /// The other side will say no more.
    pub fn finished(&mut self, who: Who<'_>) {
        self.transcribe(|transcript, at, _, text| transcript.finished(at, who, text));
    }

    /// `bytes` were said to everybody, or to `who` if there is nobody else.
    pub fn said(&mut self, who: Option<Who<'_>>, bytes: &[u8]) {
        self.pass(Way::To, who, bytes);
        self.transcribe(|transcript, at, name, text| transcript.said(at, name, who, bytes, text));
    }

    /// Nothing more will be said to them.
    pub fn said_all(&mut self, who: Option<Who<'_>>) {
        self.transcribe(|transcript, at, name, text| transcript.said_all(at, name, who, text));
    }

    /// Whole lines were said to one alone.
    pub fn told(&mut self, who: Who<'_>, lines: &[u8]) {
        self.pass(Way::To, Some(who), lines);
        self.transcribe(|transcript, at, _, text| transcript.told(at, who, lines, text));
    }

    /// The turn is over: what was recorded is written.
    pub fn flush(&mut self) {
        self.sinks().for_each(Sink::flush);
        self.clock.is_read = false;
        self.made.clear();
    }

    /// Hands out what is for stdout, all of it: whole lines each time.
    pub fn take_for_stdout(&mut self, mut take: impl FnMut(&[u8])) {
        for sink in self.sinks().filter(|sink| sink.output.is_none()) {
            take(sink.waiting.make_contiguous());
            sink.waiting.clear();
        }
    }

    /// Bytes that wait for stdout.
    pub fn waiting_for_stdout(&self) -> usize {
        let transcript = self.transcript.as_ref().map(|(_, sink)| sink);
        [self.raw.as_ref(), self.dump.as_ref(), transcript]
            .into_iter()
            .flatten()
            .filter(|sink| sink.output.is_none())
            .map(|sink| sink.waiting.len())
            .sum()
    }

    /// The records that need not know where lines end.
    fn pass(&mut self, way: Way, who: Option<Who<'_>>, bytes: &[u8]) {
        if let Some(raw) = &mut self.raw {
            self.made.draw(bytes.len());
            raw.write(bytes);
        }
        if let Some(dump) = self.dump.as_mut().filter(|_| !bytes.is_empty()) {
            self.text.clear();
            push_dump(self.clock.read(), way, who, bytes, &mut self.text);
            self.made.draw(self.text.len());
            dump.write(self.text.as_bytes());
            self.text.shrink_to(TURN);
        }
    }

    fn transcribe(&mut self, write: impl FnOnce(&mut Transcript, &str, Option<&str>, &mut String)) {
        if let Some((transcript, sink)) = &mut self.transcript {
            self.text.clear();
            write(
                transcript,
                self.clock.read(),
                self.name.as_deref(),
                &mut self.text,
            );
            self.made.draw(self.text.len());
            sink.write(self.text.as_bytes());
            self.text.shrink_to(TURN);
        }
    }

    fn sinks(&mut self) -> impl Iterator<Item = &mut Sink<D>> {
        let transcript = self.transcript.as_mut().map(|(_, sink)| sink);
        [self.raw.as_mut(), self.dump.as_mut(), transcript]
            .into_iter()
            .flatten()
    }
}

/// One file, and what waits for it.
struct Sink<D = Descriptor> {
    name: String,
    /// None: stdout, whose owner comes for what waits.
    output: Option<Output<D>>,
    waiting: VecDeque<u8>,
    /// Records that did not fit.
    dropped: u64,
    failed: bool,
}

impl Sink {
    fn open(path: &Path, appended: bool) -> Result<Sink, Error> {
        let output = match path.as_os_str() == "-" {
            true => None,
            false => Some(open(path, appended)?),
        };
        Ok(Sink {
            name: path.display().to_string(),
            output,
            waiting: VecDeque::new(),
            dropped: 0,
            failed: false,
        })
    }

    fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match &mut self.output {
            Some(output) => output.register(registry, token),
            None => Ok(()),
        }
    }

    fn finish(&mut self) {
        let end = Instant::now() + LAST_WORDS;
        loop {
            self.flush();
            let left = end.saturating_duration_since(Instant::now());
            let Some(output) = self.output.as_mut().filter(|_| !self.waiting.is_empty()) else {
                return;
            };
            if left.is_zero() {
                let left = self.waiting.len();
                log::warn!(
                    "{left} bytes of the record were not taken by the reader of {}",
                    self.name
                );
                self.failed = true;
                return;
            }
            output.wait(left);
        }
    }
}

impl<D: Device> Sink<D> {
    fn collect(&mut self, event: Event) {
        self.output
            .iter_mut()
            .for_each(|output| output.collect(event));
    }

    /// Takes in one record, whole or not at all.
    fn write(&mut self, record: &[u8]) {
        if self.failed || record.is_empty() {
            return;
        }
        // Whoever owns stdout looks after what waits for it.
        if self.output.is_none() || self.waiting.len() + record.len() < MUCH {
            self.waiting.extend(record);
            return;
        }
        self.flush();
        if self.waiting.is_empty() {
            // What is large is not copied first.
            let written = self.pass(record);
            self.waiting.extend(&record[written..]);
        } else if self.waiting.len() + record.len() > LIMIT {
            self.dropped += 1;
        } else {
            self.waiting.extend(record);
        }
    }

    fn flush(&mut self) {
        while !self.waiting.is_empty() {
            let (front, _) = self.waiting.as_slices();
            let Some(output) = self.output.as_mut().filter(|output| output.is_writable()) else {
                break;
            };
            match output.write(front) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) => return self.fail(&error),
            }
        }
        if self.dropped > 0 && self.waiting.len() < LIMIT / 2 {
            log::warn!(
                "{} pieces of the record did not fit into {}, whose reader did not keep up",
                std::mem::take(&mut self.dropped),
                self.name
            );
        }
    }

    /// Writes what it takes of `record`; all of it counts as taken if it failed.
    fn pass(&mut self, record: &[u8]) -> usize {
        let written = match &mut self.output {
            Some(output) => output.write(record),
            None => Ok(0),
        };
        written.unwrap_or_else(|error| {
            self.fail(&error);
            record.len()
        })
    }

    /// It is said once; nobody who is connected should suffer for it.
    fn fail(&mut self, error: &io::Error) {
        log::warn!(
            "write to {}: {}; nothing more is recorded there",
            self.name,
            why(error)
        );
        self.failed = true;
        self.waiting = VecDeque::new();
    }
}

/// Whether the last line of a file has no end, as after a loss of power: what is appended would be
/// taken for a part of it.
fn is_torn(path: &Path) -> bool {
    let last = || {
        // What is no regular file must not be waited for, or read from.
        if !fs::metadata(path).ok()?.is_file() {
            return None;
        }
        let mut file = File::open(path).ok()?;
        let mut last = [0];
        file.seek(SeekFrom::End(-1)).ok()?;
        file.read_exact(&mut last).ok()?;
        Some(last[0])
    };
    last().is_some_and(|last| last != b'\n')
}

fn open(path: &Path, appended: bool) -> Result<Output, Error> {
    let doing = || format!("open {}", path.display());
    let output = Output::open(path, appended).map_err(|error| {
        if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) {
            return Error::new(doing(), "nobody reads it")
                .hint("It is a pipe or a socket: its reader must be there first.");
        }
        Error::system(doing(), &error).hint("A record was to be written there.")
    })?;
    match output.kind() {
        Kind::Terminal => Err(Error::new(doing(), "it is a terminal")
            .hint("What others send could act on it. To have the record on the screen, say -.")),
        _ => Ok(output),
    }
}
