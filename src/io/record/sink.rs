//! A sink of records: one file, what waits for it, and what is done when it cannot be written.
//!
//! It promises: a record is taken in whole or not at all, and in order, and none is missing where its
//! reader [is waited for](Sink::wait_for_reader); what is missing is counted, byte by byte; a file that
//! fails is told of once, and tried again more and more seldom.

use std::collections::VecDeque;
use std::fs;
use std::fs::File;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use mio::Registry;
use mio::Token;

use super::LIMIT;
use super::loss::Loss;
use super::loss::Missing;
use super::retry::Retry;
use crate::io::descriptor::Descriptor;
use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::error::Error;
use crate::io::error::why;
use crate::io::file_id::FileId;
use crate::io::output::LAST_WORDS;
use crate::io::output::Output;
use crate::io::readiness::Event;

/// Bytes of records that are written at once, though the turn is not over.
const MUCH: usize = 64 * 1024;

/// One file, and what waits for it.
pub(super) struct Sink<D = Descriptor> {
    pub(super) path: PathBuf,
    /// None: stdout, whose owner takes what waits.
    pub(super) output: Option<Output<D>>,
    pub(super) waiting: VecDeque<u8>,
    /// It could not be written.
    trouble: Option<Trouble>,
    /// What is missing.
    loss: Loss,
    /// What would be recorded waits for a reader that does not keep up: nothing is dropped.
    is_waited_for: bool,
    /// Each line of it stands alone: a line that broke off is not continued.
    has_lines: bool,
    /// What was written last is not the end of a line.
    is_midline: bool,
    /// Another program opened it: it has no name to be opened by.
    adopted: Option<u32>,
}

/// A file cannot be written.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    retry: Retry,
    /// The pipe has no reader: trying again does not help unless one comes.
    has_no_reader: bool,
    /// Bytes that were missing when it began.
    before: u64,
}

impl Sink {
    /// Opens a file, in which nothing is changed before it [begins](Sink::begin).
    pub(super) fn open(path: &Path, has_lines: bool) -> Result<Sink, Error> {
        let output = match path.as_os_str() == "-" {
            true => None,
            false => Some(open(path)?),
        };
        let sink = Sink::of(path.into(), output);
        Ok(Sink { has_lines, ..sink })
    }

    /// Takes a descriptor to write lines to, which the program that started us opened.
    pub(super) fn adopt(number: u32) -> Result<Sink, Error> {
        let doing = format!("write to descriptor {number}");
        let output = Output::adopt(number).map_err(|error| {
            Error::system(&*doing, &error)
                .hint("The shell opens one so: muxnc … 3> FILE, or 3>&1 > SAID | READER.")
        })?;
        let output = no_terminal(output, &doing)?;
        let sink = Sink::of(PathBuf::from(format!("descriptor {number}")), Some(output));
        Ok(Sink {
            has_lines: true,
            adopted: Some(number),
            ..sink
        })
    }

    fn of(path: PathBuf, output: Option<Output>) -> Sink {
        Sink {
            path,
            output,
            waiting: VecDeque::new(),
            trouble: None,
            loss: Loss::default(),
            is_waited_for: false,
            has_lines: false,
            is_midline: false,
            adopted: None,
        }
    }

    /// The record begins: behind what is in the file, or in place of it if it is not `appended` to.
    ///
    /// # Errors
    /// It cannot be emptied.
    pub(super) fn begin(&mut self, appended: bool) -> Result<(), Error> {
        if let Some(output) = self.output.as_ref().filter(|_| !appended) {
            let emptied = output.empty();
            return emptied
                .map_err(|error| Error::system(format!("empty {}", self.path.display()), &error));
        }
        self.end_torn();
        Ok(())
    }

    /// Which file or pipe it is, if it is one.
    pub(super) fn file_id(&self) -> Option<FileId> {
        self.output.as_ref().and_then(Output::file_id)
    }

    /// Ends the line of which a beginning is in the file, before anything that waits.
    fn end_torn(&mut self) {
        let is_torn = || match self.adopted {
            Some(number) => is_torn(Path::new(&format!("/dev/fd/{number}"))),
            None => is_torn(&self.path),
        };
        if self.has_lines && is_torn() {
            self.waiting.push_front(b'\n');
        }
    }

    /// Gives up the rest of a line of which a beginning is in the file, which is another from now on.
    fn drop_torn(&mut self) {
        if !self.is_midline || !self.has_lines {
            return;
        }
        let end = self.waiting.iter().position(|&byte| byte == b'\n');
        let rest = self.waiting.drain(..end.map_or(0, |lf| lf + 1)).count();
        self.is_midline = false;
        self.loss.add(Missing {
            bytes: rest as u64,
            lines: u64::from(rest > 0),
        });
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match &mut self.output {
            Some(output) => output.register(registry, token),
            None => Ok(()),
        }
    }

    /// Whether it is a regular file, which could be opened anew.
    pub(super) fn is_file(&self) -> bool {
        self.output.is_some()
            && self.adopted.is_none()
            && fs::metadata(&self.path).is_ok_and(|file| file.is_file())
    }

    /// Opens the file anew, if it is one that has a name, and nothing speaks against that of what it is now.
    /// Returns whether that could be done.
    pub(super) fn reopen(
        &mut self,
        refusal: impl FnOnce(FileId) -> Option<&'static str>,
    ) -> Option<bool> {
        // Under its name there may be no file any more, or something else.
        let is_other = fs::metadata(&self.path).is_ok_and(|there| !there.is_file());
        let is_file = self.output.as_ref().map(Output::kind) == Some(Kind::File);
        if !is_file || self.adopted.is_some() {
            return None;
        }
        if is_other {
            let name = self.path.display();
            log::warn!("{name} is no regular file any more; the old file is written on");
            return Some(false);
        }
        let there = FileId::at(&self.path).filter(|there| Some(*there) != self.file_id());
        if let Some(why) = there.and_then(refusal) {
            let name = self.path.display();
            log::warn!("open {name}: {why}; the old file is written on");
            return Some(false);
        }
        // The records until now belong to the old one.
        self.drain();
        match open(&self.path) {
            Ok(output) => {
                self.output = Some(output);
                self.drop_torn();
                self.end_torn();
            }
            Err(error) => {
                let text = error.to_string();
                let what = text.lines().next().unwrap_or_default();
                let why = match text.contains("permission denied") {
                    true => {
                        " (a hub that runs may make files only in the folders that were there at its \
                         start)"
                    }
                    false => "",
                };
                log::warn!("{what}{why}; the old file is written on");
                return Some(false);
            }
        }
        if let Some(trouble) = &mut self.trouble {
            trouble.retry = Retry::default();
        }
        self.try_again(Instant::now());
        Some(true)
    }

    /// Writes what waits at once, to `stdout` if it is for that.
    pub(super) fn write_first(&mut self, stdout: &mut Output) {
        if self.output.is_some() {
            self.drain();
            return;
        }
        // If that fails its owner will find the same error.
        let written = stdout.write(self.waiting.make_contiguous()).unwrap_or(0);
        self.waiting.drain(..written);
    }

    /// The program is over: writes what waits, and waits for a reader that does not keep up, but not long.
    pub(super) fn write_last(&mut self) {
        let end = Instant::now() + LAST_WORDS;
        while self.drain() && !self.waiting.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            let Some(output) = self.output.as_mut().filter(|_| !left.is_zero()) else {
                return;
            };
            output.wait(left);
        }
    }

    /// Nothing more is written: tells what is missing, all in all.
    pub(super) fn finish(&mut self) {
        let Some(output) = &self.output else {
            return;
        };
        let is_file = output.kind() == Kind::File;
        let rest = std::mem::take(&mut self.waiting);
        self.lose(&Vec::from(rest));
        let missing = self.loss.total();
        let name = self.path.display();
        if missing == Missing::default() {
            return;
        }
        match is_file || self.trouble.is_some() {
            true => log::error!("{missing} of the record are missing in {name}"),
            false => log::error!("{missing} of the record were not taken by the reader of {name}"),
        }
    }
}

impl<D: Device> Sink<D> {
    pub(super) fn collect(&mut self, event: Event) {
        self.output
            .iter_mut()
            .for_each(|output| output.collect(event));
    }

    /// What is to be recorded waits for its reader from now on, as long as it has one.
    pub(super) fn wait_for_reader(&mut self) {
        self.is_waited_for = true;
    }

    /// Bytes that its reader will take as soon as it can.
    pub(super) fn unread(&self) -> usize {
        match self.output.is_some() && self.trouble.is_none() {
            true => self.waiting.len(),
            false => 0,
        }
    }

    /// Whether so much waits for its reader that nothing more is to be recorded.
    pub(super) fn is_behind(&self) -> bool {
        self.unread() >= MUCH
    }

    /// Whether something is missing.
    pub(super) fn has_failed(&self) -> bool {
        self.loss.total() != Missing::default()
    }

    /// When to try again, or to tell that more is missing.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let Some(trouble) = self.trouble else {
            return self.loss.tells_at();
        };
        // Another reader can come to what has a name.
        if trouble.has_no_reader && self.adopted.is_some() {
            return None;
        }
        trouble.retry.at().filter(|_| !self.waiting.is_empty())
    }

    /// Takes in one record, whole or not at all.
    pub(super) fn write(&mut self, record: &[u8]) {
        if self.loss.is_open() {
            return self.lose(record);
        }
        // The owner of stdout takes care of the bytes that wait for it.
        let waits = self.output.is_none() || self.waiting.len() + record.len() < MUCH;
        if waits && self.trouble.is_none() {
            self.waiting.extend(record);
            return;
        }
        if self.trouble.is_none() {
            self.drain();
        }
        let is_waited_for = self.is_waited_for && self.trouble.is_none();
        if self.waiting.is_empty() && self.trouble.is_none() {
            // Large records are not copied first.
            let written = self.pass(record);
            if let Some(last) = written.checked_sub(1) {
                self.is_midline = record[last] != b'\n';
            }
            self.waiting.extend(&record[written..]);
        } else if is_waited_for || self.waiting.len() + record.len() <= LIMIT {
            self.waiting.extend(record);
        } else {
            self.lose(record);
            self.loss.open_gap();
        }
    }

    /// Bytes of the record are missing.
    fn lose(&mut self, record: &[u8]) {
        let lines = match self.has_lines {
            true => memchr::memchr_iter(b'\n', record).count(),
            false => 0,
        };
        self.loss.add(Missing {
            bytes: record.len() as u64,
            lines: lines as u64,
        });
    }

    /// Lets the record go on if something is missing in it and there is room again. Returns how many
    /// lines it is to be told of then.
    pub(super) fn end_gap(&mut self) -> Option<u64> {
        if !self.loss.has_gap() || self.trouble.is_some() {
            return None;
        }
        self.drain();
        let has_room = self.trouble.is_none() && self.waiting.len() < LIMIT / 2;
        let lines = has_room.then(|| self.loss.close_gap())?;
        (lines > 0).then_some(lines)
    }

    /// The turn is over: writes what waits, unless that failed a while ago.
    pub(super) fn flush(&mut self, now: Instant) {
        if self.trouble.is_none() {
            self.drain();
        }
        if let Some(trouble) = &mut self.trouble
            && trouble.retry.is_due(now)
        {
            self.try_again(now);
        }
        // Of trouble its end tells.
        if self.trouble.is_none()
            && let Some(missing) = self.loss.news(now)
        {
            log::warn!(
                "write to {}: its reader does not keep up; {missing} of the record are missing until now",
                self.path.display()
            );
        }
    }

    /// Tries once more what failed, if anything did.
    fn try_again(&mut self, now: Instant) {
        let Some(trouble) = self.trouble else {
            return;
        };
        if !self.drain() {
            let more = self.trouble.get_or_insert(trouble);
            more.retry.put_off(now);
            return;
        }
        self.trouble = None;
        self.loss.told();
        log::warn!(
            "write to {}: it is written again, and {} bytes of the record are missing",
            self.path.display(),
            self.loss.total().bytes - trouble.before
        );
    }

    /// Writes what waits, as much as is taken. Returns whether that is possible.
    fn drain(&mut self) -> bool {
        while !self.waiting.is_empty() {
            let (front, _) = self.waiting.as_slices();
            let Some(output) = self.output.as_mut().filter(|output| output.is_writable()) else {
                break;
            };
            match output.write(front) {
                Ok(count) => {
                    let mut written = self.waiting.drain(..count);
                    if let Some(last) = written.next_back() {
                        self.is_midline = last != b'\n';
                    }
                }
                Err(error) => {
                    self.fail(&error);
                    return false;
                }
            }
        }
        true
    }

    /// Writes what it takes of `record`. Returns how much that was.
    fn pass(&mut self, record: &[u8]) -> usize {
        let written = match &mut self.output {
            Some(output) => output.write(record),
            None => Ok(0),
        };
        written.unwrap_or_else(|error| {
            self.fail(&error);
            0
        })
    }

    /// It could not be written. That is said once; the participants should not suffer for it.
    fn fail(&mut self, error: &io::Error) {
        let has_no_reader = error.kind() == ErrorKind::BrokenPipe;
        if let Some(trouble) = &mut self.trouble {
            trouble.has_no_reader = has_no_reader;
            return;
        }
        log::warn!(
            "write to {}: {}; what is recorded waits, and it is tried again",
            self.path.display(),
            why(error)
        );
        self.trouble = Some(Trouble {
            retry: Retry::default(),
            has_no_reader,
            before: self.loss.total().bytes,
        });
    }
}

/// Whether the last line of a file has no end, as after a loss of power: an appended record would
/// be taken for a part of it.
pub(super) fn is_torn(path: &Path) -> bool {
    let last = || {
        // A file that is not regular must not be waited for, or read from.
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

fn open(path: &Path) -> Result<Output, Error> {
    let doing = || format!("open {}", path.display());
    let output = Output::open(path).map_err(|error| {
        let is_nobody = error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error());
        // Of a device, such as /dev/tty without a terminal, it says that there is none.
        let is_device = fs::metadata(path).is_ok_and(|there| there.file_type().is_char_device());
        if is_nobody && !is_device {
            return Error::new(doing(), "nobody reads it")
                .hint("It is a pipe or a socket: its reader must be there first.");
        }
        Error::system(doing(), &error).hint("A record was to be written there.")
    })?;
    no_terminal(output, &doing())
}

/// An output that is no terminal: the rows of one have an owner, and a record is no row.
fn no_terminal(output: Output, doing: &str) -> Result<Output, Error> {
    match output.kind() {
        Kind::Terminal => Err(Error::new(doing, "it is a terminal")
            .hint("What others send could act on it. To have the record on the screen, say -.")),
        _ => Ok(output),
    }
}
