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
//! A file that cannot be written (a full disk) is tried again, after a second and then less and less often; what
//! is to be recorded meanwhile waits as for a pipe, and what does not fit is missing, and counted. So that a
//! log can be rotated, files can be [opened anew](Records::reopen).
//!
//! It promises: every file is opened before anything else happens, or nothing does; a file that
//! fails later is told of once, and again when it is written or how much is missing at the end, and everything
//! else goes on without it; no call blocks (a regular file's excepted).

mod answers;
mod folder;
mod retry;
mod sink;

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;
use std::time::SystemTime;

use mio::Registry;
use mio::Token;

use self::answers::Answers;
use self::sink::Sink;
use self::sink::is_torn;
use crate::engine::budget::Budget;
use crate::engine::budget::LEAST;
use crate::engine::record::Transcript;
use crate::engine::record::Way;
use crate::engine::record::Who;
use crate::engine::record::push_dump;
use crate::io::descriptor::Descriptor;
use crate::io::device::Device;
use crate::io::error::Error;
use crate::io::readiness::Event;

/// Bytes of records that may wait for a file.
pub const LIMIT: usize = 1024 * 1024;

/// Bytes of records that are made in a turn: they take about a millisecond.
pub const TURN: usize = 512 * 1024;

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
    /// The folder in which what each participant says has a file.
    pub collect: Option<PathBuf>,
    /// What the operator is called in a chat, if this is one.
    pub name: Option<String>,
}

/// All records that are kept. See the module's documentation.
pub struct Records<D = Descriptor> {
    raw: Option<Sink<D>>,
    dump: Option<Sink<D>>,
    transcript: Option<(Transcript, Sink<D>)>,
    answers: Option<Answers>,
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
            answers: wanted.collect.as_deref().map(Answers::open).transpose()?,
            name: wanted.name.clone(),
            clock: Clock::default(),
            made: Budget::new(TURN, 0),
            text: String::new(),
        };
        let is_wanted = records.all().next().is_some() || records.answers.is_some();
        Ok(is_wanted.then_some(records))
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
        self.answers.iter_mut().for_each(Answers::finish);
        self.sinks().for_each(Sink::finish);
    }

    /// Opens every regular file by its name once more, behind what is in it by now: somebody may have called
    /// the file otherwise that was written so far. Where that fails the old one is written on, and why is told.
    pub fn reopen(&mut self) {
        for sink in [self.raw.as_mut(), self.dump.as_mut()]
            .into_iter()
            .flatten()
        {
            sink.reopen();
        }
        if let Some((_, sink)) = &mut self.transcript {
            let torn = is_torn(Path::new(&sink.path));
            if sink.reopen() && torn {
                sink.write(b"\n");
            }
        }
    }
}

impl Records {
    /// The folders of the regular files, in which they can be opened anew.
    pub fn folders(&self) -> Vec<PathBuf> {
        let files = self.all().filter(|sink| sink.is_file());
        let folders = files.map(|sink| match sink.path.parent() {
            Some(folder) if folder != Path::new("") => folder.into(),
            _ => PathBuf::from("."),
        });
        folders.collect()
    }
}

impl<D: Device> Records<D> {
    /// Takes note of an event, of whichever of them.
    pub fn collect(&mut self, event: Event) {
        self.sinks().for_each(|sink| sink.collect(event));
    }

    /// Whether a file could not be written, or not all of it.
    pub fn has_failed(&self) -> bool {
        let answers = self.answers.as_ref();
        self.all().any(|sink| sink.failed) || answers.is_some_and(Answers::has_failed)
    }

    /// Where answers are collected.
    pub fn collects_in(&self) -> Option<&Path> {
        self.answers.as_ref().map(Answers::folder)
    }

    /// The highest number that an earlier hub gave there.
    pub fn last_number(&self) -> u32 {
        self.answers.as_ref().map_or(0, Answers::last)
    }

    /// Whether one of them is for stdout.
    pub fn has_stdout(&self) -> bool {
        self.all().any(|sink| sink.output.is_none())
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
        if self.answers.is_some() {
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
        if let Some(answers) = &mut self.answers {
            answers.joined(who.number, self.clock.read());
        }
        self.transcribe(|transcript, at, _, text| transcript.joined(at, who, text));
    }

    /// Somebody left, and why.
    pub fn left(&mut self, who: Who<'_>, why: &str) {
        self.ended(who);
        self.transcribe(|transcript, at, _, text| transcript.left(at, who, why, text));
    }

    /// No more will be heard of somebody who may be here still: the hub ends.
    pub fn ended(&mut self, who: Who<'_>) {
        if let Some(answers) = &mut self.answers {
            answers.left(who, self.clock.read());
        }
    }

    /// The other side of the connection said `bytes`.
    pub fn heard(&mut self, who: Who<'_>, bytes: &[u8]) {
        self.received(who, bytes);
        self.transcribe(|transcript, at, _, text| transcript.heard(at, who, bytes, text));
    }

    /// One of many said `bytes`, of which the lines follow when they are whole: [`Records::lines`].
    pub fn received(&mut self, who: Who<'_>, bytes: &[u8]) {
        self.pass(Way::From, Some(who), bytes);
        if !self.collects_lines() {
            self.collect_answer(who, bytes);
        }
    }

    /// One of many said whole lines, or a piece of a line of its own.
    pub fn lines(&mut self, who: Who<'_>, lines: &[u8]) {
        if self.collects_lines() {
            self.collect_answer(who, lines);
        }
        self.transcribe(|transcript, at, _, text| transcript.lines(at, who, lines, text));
    }

    /// One of many asked for something in a chat, in these words.
    pub fn asked(&mut self, who: Who<'_>, words: &[u8]) {
        self.transcribe(|transcript, at, _, text| transcript.asked(at, who, words, text));
    }

    /// Whether [`Records::lines`] are wanted.
    pub fn wants_lines(&self) -> bool {
        self.transcript.is_some() || (self.answers.is_some() && self.collects_lines())
    }

    /// Whether answers are the lines that were said, and not all that was received: what is asked for in a chat
    /// is no answer.
    fn collects_lines(&self) -> bool {
        self.name.is_some()
    }

    fn collect_answer(&mut self, who: Who<'_>, bytes: &[u8]) {
        if let Some(answers) = &mut self.answers {
            self.made.draw(bytes.len());
            answers.said(who.number, bytes);
        }
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

    /// When a file that could not be written is to be tried again.
    pub fn deadline(&self) -> Option<Instant> {
        let answers = self.answers.as_ref().and_then(Answers::deadline);
        self.all().filter_map(Sink::deadline).chain(answers).min()
    }

    /// The turn is over: what was recorded is written.
    pub fn flush(&mut self, now: Instant) {
        self.sinks().for_each(|sink| sink.flush(now));
        self.answers
            .iter_mut()
            .for_each(|answers| answers.flush(now));
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
        let for_stdout = self.all().filter(|sink| sink.output.is_none());
        for_stdout.map(|sink| sink.waiting.len()).sum()
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

    fn all(&self) -> impl Iterator<Item = &Sink<D>> {
        let transcript = self.transcript.as_ref().map(|(_, sink)| sink);
        [self.raw.as_ref(), self.dump.as_ref(), transcript]
            .into_iter()
            .flatten()
    }

    fn sinks(&mut self) -> impl Iterator<Item = &mut Sink<D>> {
        let transcript = self.transcript.as_mut().map(|(_, sink)| sink);
        [self.raw.as_mut(), self.dump.as_mut(), transcript]
            .into_iter()
            .flatten()
    }
}
