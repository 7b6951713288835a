//! Records of what is said: the files, and what is written to them.
//!
//! Records are collected here and written at the end of the turn, or as soon as there is much. A
//! write to a regular file takes everything, and never waits for long. A pipe takes what fits; the
//! rest waits, up to [`LIMIT`] bytes, and beyond that whole records are dropped and counted,
//! because a record must not stop a class: the operator is told at once, and the record itself where
//! it has a line for it. A conversation of two [waits for the readers](Records::wait_for_readers)
//! instead.
//!
//! A line feed is one byte and its line in a transcript fifty or more, so what is recorded is counted by what
//! it becomes: [`TURN`] bytes in a turn, and no more is to be read than [fits](Records::fits).
//!
//! A file that cannot be written (a full disk) is tried again, after a second and then less and
//! less often; the records of that time wait as for a pipe, and those that do not fit are missing,
//! and counted. So that a log can be rotated, files can be [opened anew](Records::reopen).
//!
//! It promises: every file is opened before anything else happens, or nothing does, and none is changed before the
//! records [begin](Prepared::begin); a file that fails later is told of once, and again when it is written or how
//! much is missing at the end, and everything else goes on without it; no call blocks (a regular file's
//! excepted).

mod answers;
mod folder;
mod loss;
mod prepared;
mod retry;
mod sink;
mod taken;

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use mio::Registry;
use mio::Token;

use self::answers::Answers;
pub use self::prepared::Prepared;
use self::sink::Sink;
use self::taken::Taken;
use crate::engine::budget::Budget;
use crate::engine::budget::LEAST;
use crate::engine::record::Entry;
use crate::engine::record::Leaving;
use crate::engine::record::Speaker;
use crate::engine::record::Speech;
use crate::engine::record::Way;
use crate::engine::record::Who;
use crate::engine::record::dump;
use crate::engine::record::events;
use crate::engine::record::head::Head;
use crate::engine::record::lines;
use crate::engine::record::transcript;
use crate::io::clock::Clock;
use crate::io::descriptor::Descriptor;
use crate::io::device::Device;
use crate::io::error::Error;
use crate::io::output::Output;
use crate::io::readiness::Event;

/// Bytes of records that may wait for a file.
pub const LIMIT: usize = 1024 * 1024;

/// Bytes of records that are made in a turn: they take about a millisecond.
pub const TURN: usize = 512 * 1024;

/// Which records are kept, and where. `-` is stdout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The bytes received and sent, as they were.
    pub raw: Option<PathBuf>,
    /// The same as a hex dump.
    pub dump: Option<PathBuf>,
    /// The transcript: who said what, and who came and went.
    pub transcript: Option<PathBuf>,
    /// The files keep what they had. That of the transcript always does.
    pub append: bool,
    /// The same and more for programs.
    pub events: Option<Place>,
    /// The folder in which what each participant says has a file.
    pub collect: Option<PathBuf>,
    /// The operator's name in a chat, if this is one.
    pub name: Option<String>,
    /// The files that are read, for other options.
    pub reads: Vec<PathBuf>,
}

/// Where a record goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// To a file; `-` is stdout.
    File(PathBuf),
    /// To a descriptor of that number, which is open.
    Descriptor(u32),
}

/// All records that are kept. See the module's documentation.
pub struct Records<D = Descriptor> {
    files: Files<D>,
    answers: Option<Answers>,
    name: Option<String>,
    taken: Taken,
    /// What we say to everybody is a file: no record for reading holds it once more.
    says_file: bool,
    /// The lines that are not ended.
    speech: Speech,
    clock: Clock,
    /// The bytes of records that were made in this turn.
    made: Budget,
    /// The texts of one record; here so that their memory is reused.
    text: String,
    json: Vec<u8>,
}

/// The files of records.
struct Files<D> {
    raw: Option<Sink<D>>,
    dump: Option<Sink<D>>,
    transcript: Option<Sink<D>>,
    events: Option<Sink<D>>,
}

impl<D> Files<D> {
    /// Those that were opened.
    fn iter(&self) -> impl Iterator<Item = &Sink<D>> {
        [&self.raw, &self.dump, &self.transcript, &self.events]
            .into_iter()
            .flatten()
    }

    /// The same, to work on.
    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Sink<D>> {
        let Files {
            raw,
            dump,
            transcript,
            events,
        } = self;
        [raw, dump, transcript, events].into_iter().flatten()
    }
}

impl Records {
    /// Registers them for the news that they take bytes again.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.files
            .iter_mut()
            .try_for_each(|sink| sink.register(registry, token))
    }

    /// Writes what was recorded before the loop began, to stdout, too, as far as it is taken at once. The
    /// rest waits.
    pub fn write_first(&mut self) {
        let mut stdout = Output::stdout();
        for sink in self.files.iter_mut() {
            sink.write_first(&mut stdout);
        }
    }

    /// The program is over: the same as a flush, and a pipe that is stuck is waited for, but not long.
    pub fn finish(&mut self) {
        self.answers.iter_mut().for_each(Answers::finish);
        self.files.iter_mut().for_each(Sink::write_last);
        if self.tell_gaps() {
            self.files.iter_mut().for_each(Sink::write_last);
        }
        self.files.iter_mut().for_each(Sink::finish);
    }

    /// Opens every regular file by its name once more, behind what is in it by now: the file that
    /// was written so far may have been renamed. Where that fails the old one is written on, and
    /// why is told. Returns how many were opened, and how many of them could not be.
    pub fn reopen(&mut self) -> (usize, usize) {
        let mut files: Vec<_> = self.files.iter().map(Sink::file_id).collect();
        let (mut opened, mut refused) = (0, 0);
        for (number, sink) in self.files.iter_mut().enumerate() {
            files[number] = None;
            let others: Vec<_> = files.iter().copied().flatten().collect();
            let refusal = |file| self.taken.refusal(file, &others).map(|(why, _)| why);
            match sink.reopen(refusal) {
                Some(true) => opened += 1,
                Some(false) => refused += 1,
                None => {}
            }
            files[number] = sink.file_id();
        }
        (opened, refused)
    }
}

impl<D: Device> Records<D> {
    fn new(
        files: Files<D>,
        answers: Option<Answers>,
        name: Option<String>,
        taken: Taken,
    ) -> Records<D> {
        Records {
            files,
            answers,
            name,
            taken,
            says_file: false,
            speech: Speech::default(),
            clock: Clock::default(),
            made: Budget::new(TURN, 0),
            text: String::new(),
            json: Vec::new(),
        }
    }

    /// Only what each participant says is kept, in that folder. For the simulation.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn collecting(folder: &Path) -> Result<Records<D>, Error> {
        let files = Files {
            raw: None,
            dump: None,
            transcript: None,
            events: None,
        };
        Ok(Records::new(
            files,
            Some(Answers::open(folder)?),
            None,
            Taken::default(),
        ))
    }

    /// Takes note of an event, of whichever of them.
    pub fn collect(&mut self, event: Event) {
        self.files.iter_mut().for_each(|sink| sink.collect(event));
    }

    /// Whether a file could not be written, or not all of it.
    pub fn has_failed(&self) -> bool {
        let answers = self.answers.as_ref();
        self.files.iter().any(Sink::has_failed) || answers.is_some_and(Answers::has_failed)
    }

    /// From now on nothing is dropped for a reader that does not keep up: the caller records nothing
    /// more while they are [behind](Records::is_behind).
    pub fn wait_for_readers(&mut self) {
        self.files.iter_mut().for_each(Sink::wait_for_reader);
    }

    /// Whether so much waits for a reader of a pipe that nothing more is to be recorded.
    pub fn is_behind(&self) -> bool {
        self.files.iter().any(Sink::is_behind)
    }

    /// Bytes that wait for readers of pipes.
    pub fn unread(&self) -> usize {
        self.files.iter().map(Sink::unread).sum()
    }

    /// Where answers are collected.
    pub fn collects_in(&self) -> Option<&Path> {
        self.answers.as_ref().map(Answers::folder)
    }

    /// What we say is a file that is sent: a transcript and events tell of it, and do not hold it.
    pub fn leave_out_file(&mut self) {
        self.says_file = true;
    }

    /// The highest number that an earlier hub gave there.
    pub fn last_number(&self) -> u32 {
        self.answers.as_ref().map_or(0, Answers::last)
    }

    /// Whether one of them is for stdout.
    pub fn has_stdout(&self) -> bool {
        self.head_on_stdout().is_some()
    }

    /// What the lines begin with of the one that is for stdout.
    pub fn head_on_stdout(&self) -> Option<Head> {
        let is_there = |sink: &Sink<D>| sink.output.is_none();
        let head = match self.files.raw.as_ref().is_some_and(is_there) {
            true => Head::Nothing,
            false => Head::Told,
        };
        self.files.iter().any(is_there).then_some(head)
    }

    /// Whether no more is to be recorded in this turn.
    pub fn is_spent(&self) -> bool {
        self.made.is_spent()
    }

    /// How many bytes may be said, of which the records still fit into this turn, and into `left`
    /// bytes for stdout if one goes there. None: the operator, whose words go to all, and who may
    /// use half of a turn.
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
        let dumped = |bytes| dump::most(speaker, bytes);
        let mut each = 0;
        let mut once = 0;
        let files = &self.files;
        if files.raw.is_some() {
            each += 1;
        }
        if self.answers.is_some() {
            each += 1;
        }
        if files.dump.is_some() {
            each += dumped(1) - dumped(0);
            once += dumped(0);
        }
        let is_left_out = who.is_none() && self.says_file;
        if files.transcript.is_some() && !is_left_out {
            each += transcript::most(speaker);
        }
        if files.events.is_some() && !is_left_out {
            each += events::most(speaker);
        }
        (left.saturating_sub(once) / each.max(1)).max(LEAST)
    }

    /// A peer joined.
    pub fn joined(&mut self, who: Who<'_>) {
        if let Some(answers) = &mut self.answers {
            answers.joined(who.number, self.clock.read());
        }
        self.enter(|_, _, enter| enter(Entry::Joined(who)));
    }

    /// A peer left, and why. It may come back, with the same number, as long as it is not [gone](Records::gone).
    pub fn left(&mut self, who: Who<'_>, leaving: Leaving<'_>) {
        self.answered(who, leaving.unread);
        self.enter(|speech, _, enter| {
            speech.finished(who, enter);
            enter(Entry::Left(who, leaving));
        });
    }

    /// The peer with that number left for good: it will not be here again.
    pub fn gone(&mut self, number: u32) {
        if let Some(answers) = &mut self.answers {
            answers.gone(number);
        }
    }

    /// The hub ends: none of those that left will be here again.
    pub fn all_gone(&mut self) {
        self.answers.iter_mut().for_each(Answers::all_gone);
    }

    /// The hub ends while a peer is still here. (The transcript says no `left` of it.)
    pub fn ended(&mut self, who: Who<'_>, leaving: Leaving<'_>) {
        self.answered(who, leaving.unread);
        let transcript = self.files.transcript.take();
        self.note(Entry::Left(who, leaving));
        self.files.transcript = transcript;
    }

    /// Whether [`Records::ended`] is wanted.
    pub fn wants_ends(&self) -> bool {
        self.answers.is_some() || self.files.events.is_some()
    }

    /// A peer will say nothing more that is read, though it may have said so many bytes.
    fn answered(&mut self, who: Who<'_>, unread: u64) {
        if let Some(answers) = &mut self.answers {
            answers.left(who, unread, self.clock.read());
        }
    }

    /// The other side of the connection said `bytes`.
    pub fn heard(&mut self, who: Who<'_>, bytes: &[u8]) {
        self.received(who, bytes);
        self.enter(|speech, _, enter| speech.heard(who, bytes, enter));
    }

    /// A member said `bytes`; their lines follow when they are whole: [`Records::lines`].
    pub fn received(&mut self, who: Who<'_>, bytes: &[u8]) {
        self.pass(Way::From, Some(who), bytes);
        if !self.collects_lines() {
            self.collect_answer(who, bytes);
        }
    }

    /// A member said whole lines, or a piece of a line.
    pub fn lines(&mut self, who: Who<'_>, said: &[u8]) {
        if self.collects_lines() {
            self.collect_answer(who, said);
        }
        self.enter(|_, _, enter| lines(Speaker::Peer(who), said, enter));
    }

    /// A member of the hub of that name, or its operator, said a line.
    pub fn remote(&mut self, hub: &str, who: Option<Who<'_>>, said: &[u8]) {
        self.enter(|_, _, enter| lines(Speaker::Hub(hub, who), said, enter));
    }

    /// The operator of the hub of that name said whole lines to one alone here.
    pub fn remote_told(&mut self, hub: &str, who: Who<'_>, said: &[u8]) {
        self.enter(|_, _, enter| lines(Speaker::HubAlone(hub, who), said, enter));
    }

    /// Our operator said whole lines to one alone at another hub.
    pub fn told_remote(&mut self, who: Who<'_>, said: &[u8]) {
        self.enter(|_, name, enter| lines(Speaker::Us(name, Some(who)), said, enter));
    }

    /// A member sent a request in a chat, in these words.
    pub fn asked(&mut self, who: Who<'_>, words: &[u8]) {
        self.enter(|_, _, enter| enter(Entry::Asked(who, words)));
    }

    /// Whether [`Records::lines`] are wanted.
    pub fn wants_lines(&self) -> bool {
        let has_entries = self.files.transcript.is_some() || self.files.events.is_some();
        has_entries || (self.answers.is_some() && self.collects_lines())
    }

    /// Whether answers are the lines that were said, and not all that was received: a request in a
    /// chat is no answer.
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
        self.enter(|speech, _, enter| speech.finished(who, enter));
    }

    /// `bytes` were said to all, or to `who` if there is no other peer.
    pub fn said(&mut self, who: Option<Who<'_>>, bytes: &[u8]) {
        self.pass(Way::To, who, bytes);
        if !self.says_file {
            self.enter(|speech, name, enter| speech.said(Speaker::Us(name, who), bytes, enter));
        }
    }

    /// Nothing more will be said to them.
    pub fn said_all(&mut self, who: Option<Who<'_>>) {
        self.enter(|speech, name, enter| speech.said_all(Speaker::Us(name, who), enter));
    }

    /// Whole lines were said to one alone.
    pub fn told(&mut self, who: Who<'_>, said: &[u8]) {
        self.pass(Way::To, Some(who), said);
        self.enter(|_, name, enter| lines(Speaker::Us(name, Some(who)), said, enter));
    }

    /// Something else happened that is told as it is.
    pub fn note(&mut self, entry: Entry<'_>) {
        self.enter(|_, _, enter| enter(entry));
    }

    /// When a file that could not be written is to be tried again.
    pub fn deadline(&self) -> Option<Instant> {
        let answers = self.answers.as_ref().and_then(Answers::deadline);
        self.files
            .iter()
            .filter_map(Sink::deadline)
            .chain(answers)
            .min()
    }

    /// The turn is over: writes its records.
    pub fn flush(&mut self, now: Instant) {
        self.files.iter_mut().for_each(|sink| sink.flush(now));
        self.answers
            .iter_mut()
            .for_each(|answers| answers.flush(now));
        if self.tell_gaps() {
            self.files.iter_mut().for_each(|sink| sink.flush(now));
        }
        self.clock.end_turn();
        self.made.clear();
    }

    /// Hands out what is for stdout, all of it: whole lines each time.
    pub fn take_for_stdout(&mut self, mut take: impl FnMut(&[u8])) {
        for sink in self.files.iter_mut().filter(|sink| sink.output.is_none()) {
            take(sink.waiting.make_contiguous());
            sink.waiting.clear();
        }
    }

    /// Bytes that wait for stdout.
    pub fn waiting_for_stdout(&self) -> usize {
        let for_stdout = self.files.iter().filter(|sink| sink.output.is_none());
        for_stdout.map(|sink| sink.waiting.len()).sum()
    }

    /// Tells in the records that have a line for it how many are missing there, where they can go on.
    /// Returns whether one was told.
    fn tell_gaps(&mut self) -> bool {
        let lost = |sink: &mut Option<Sink<D>>| sink.as_mut().and_then(Sink::end_gap);
        let transcript = lost(&mut self.files.transcript);
        let events = lost(&mut self.files.events);
        let dump = lost(&mut self.files.dump);
        if let (Some(rows), Some(sink)) = (dump, &mut self.files.dump) {
            self.text.clear();
            dump::push_gap(self.clock.read(), rows, &mut self.text);
            sink.write(self.text.as_bytes());
        }
        if let (Some(lines), Some(sink)) = (transcript, &mut self.files.transcript) {
            self.text.clear();
            transcript::push(self.clock.read(), Entry::Lost(lines), &mut self.text);
            sink.write(self.text.as_bytes());
        }
        if let (Some(lines), Some(sink)) = (events, &mut self.files.events) {
            self.json.clear();
            events::push(self.clock.read(), Entry::Lost(lines), &mut self.json);
            sink.write(&self.json);
        }
        transcript.is_some() || events.is_some() || dump.is_some()
    }

    /// The records that need not know where lines end.
    fn pass(&mut self, way: Way, who: Option<Who<'_>>, bytes: &[u8]) {
        if let Some(raw) = &mut self.files.raw {
            self.made.draw(bytes.len());
            raw.end_gap();
            raw.write(bytes);
        }
        if self.files.dump.is_some() && !bytes.is_empty() {
            self.tell_gaps();
        }
        if let Some(dump) = self.files.dump.as_mut().filter(|_| !bytes.is_empty()) {
            self.text.clear();
            dump::push(self.clock.read(), way, who, bytes, &mut self.text);
            self.made.draw(self.text.len());
            dump.write(self.text.as_bytes());
            self.text.shrink_to(TURN);
        }
    }

    /// The records that are made of entries. `make` is told what we are called.
    fn enter(&mut self, make: impl FnOnce(&mut Speech, Option<&str>, &mut dyn FnMut(Entry<'_>))) {
        if self.files.transcript.is_none() && self.files.events.is_none() {
            return;
        }
        self.tell_gaps();
        let files = &mut self.files;
        let at = self.clock.read();
        let (text, json) = (&mut self.text, &mut self.json);
        text.clear();
        json.clear();
        make(&mut self.speech, self.name.as_deref(), &mut |entry| {
            if files.transcript.is_some() {
                transcript::push(at, entry, text);
            }
            if files.events.is_some() {
                events::push(at, entry, json);
            }
        });
        for (sink, text) in [
            (&mut files.transcript, text.as_bytes()),
            (&mut files.events, json),
        ] {
            if let Some(sink) = sink.as_mut().filter(|_| !text.is_empty()) {
                self.made.draw(text.len());
                sink.write(text);
            }
        }
        text.shrink_to(TURN);
        json.shrink_to(TURN);
    }
}
