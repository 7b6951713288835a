//! The collected answers: bytes that could not be written yet, and the participants that give
//! answers.
//!
//! ```text
//!     ┌─────────────────────────┐ it comes back
//!     ▼                         │
//!   joined ─► said … said ─► left ─► gone for good: the file gets its name, the index its row
//!               │ a full disk
//!               ▼
//!             waits, tried again; beyond 1 MiB it is missing, and counted
//! ```
//!
//! It promises: bytes are in the file of the participant that said them, in order and as they were
//! sent, or are counted as missing in its row; a participant has one file and one row, however often
//! it came back, and one that said nothing has a row and no file; a file that cannot be written is
//! told of once, and does not stop the class.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use rustix::io::Errno;

use super::LIMIT;
use super::folder::Folder;
use super::retry::Retry;
use crate::engine::answers::Row;
use crate::engine::answers::file_name;
use crate::engine::record::Who;
use crate::io::error::Error;
use crate::io::error::why;

/// So many bytes a step that waits counts for, beside its own.
const STEP: usize = 256;

/// See the module's documentation.
pub(super) struct Answers {
    folder: Folder,
    authors: HashMap<u32, Author>,
    /// The steps to be done, in order, since something could not be written.
    steps: VecDeque<Step>,
    /// What they are to write.
    bytes: VecDeque<u8>,
    trouble: Option<Retry>,
    /// Bytes of answers, and rows of the index, that are not there and will not be.
    missing: u64,
    rows_missing: u64,
    /// How many of these bytes were told.
    told: u64,
    /// The operator was told that a file is not ours.
    has_told_of_file: bool,
}

/// What is known of a participant.
#[derive(Debug, Default)]
struct Author {
    joined: String,
    /// Bytes in its file.
    written: u64,
    missing: u64,
    /// Its row, since it left: it may come back.
    left: Option<Box<Row>>,
}

/// Something that is to be done.
#[derive(Debug)]
enum Step {
    /// So many bytes are for the file of that number.
    Said(u32, usize),
    /// A participant left for good.
    Left(Box<Row>),
    /// The index is to be written that.
    Note(Vec<u8>),
}

impl Answers {
    pub(super) fn open(path: &Path) -> Result<Answers, Error> {
        Ok(Answers {
            folder: Folder::open(path)?,
            authors: HashMap::new(),
            steps: VecDeque::new(),
            bytes: VecDeque::new(),
            trouble: None,
            missing: 0,
            rows_missing: 0,
            told: 0,
            has_told_of_file: false,
        })
    }

    /// Where they are.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The highest number of an earlier hub.
    pub(super) fn last(&self) -> u32 {
        self.folder.last()
    }

    /// Whether not all that was to be kept is.
    pub(super) fn has_failed(&self) -> bool {
        self.missing > 0 || self.rows_missing > 0
    }

    /// When to try again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.trouble.and_then(Retry::at)
    }

    /// A participant came, or came back.
    pub(super) fn joined(&mut self, number: u32, at: &str) {
        let author = self.authors.entry(number).or_default();
        if author.left.take().is_none() {
            author.joined = at.into();
        }
    }

    /// It said something.
    pub(super) fn said(&mut self, number: u32, bytes: &[u8]) {
        let written = match self.trouble {
            None => self.append(number, bytes),
            Some(_) => 0,
        };
        let rest = &bytes[written..];
        if rest.is_empty() {
            return;
        }
        if !self.has_room(rest.len()) {
            return self.lose(number, rest.len());
        }
        self.bytes.extend(rest);
        match self.steps.back_mut() {
            Some(Step::Said(last, len)) if *last == number => *len += rest.len(),
            _ => self.steps.push_back(Step::Said(number, rest.len())),
        }
    }

    /// It left, or the hub ends; so many bytes that it had said were not read, and are missing in its file.
    pub(super) fn left(&mut self, who: Who<'_>, unread: u64, at: &str) {
        let author = self.authors.entry(who.number).or_default();
        author.missing += unread;
        author.left = Some(Box::new(Row {
            number: who.number,
            name: who.name.map(String::from),
            addr: who.addr.to_string(),
            joined: author.joined.clone(),
            left: at.into(),
        }));
    }

    /// One that left will not come back.
    pub(super) fn gone(&mut self, number: u32) {
        let author = self.authors.get_mut(&number);
        let Some(row) = author.and_then(|author| author.left.take()) else {
            return;
        };
        if self.trouble.is_none() {
            self.steps.push_back(Step::Left(row));
            self.run();
        } else if self.has_room(0) {
            self.steps.push_back(Step::Left(row));
        } else {
            self.authors.remove(&number);
            self.rows_missing += 1;
        }
    }

    /// None of those that left will come back.
    pub(super) fn all_gone(&mut self) {
        let left = |(number, author): (&u32, &Author)| {
            let row = author.left.as_ref()?;
            Some((row.left.clone(), *number))
        };
        let mut left: Vec<(String, u32)> = self.authors.iter().filter_map(left).collect();
        left.sort_unstable();
        left.into_iter().for_each(|(_, number)| self.gone(number));
    }

    /// The turn is over: tries again what failed, if it is time.
    pub(super) fn flush(&mut self, now: Instant) {
        let Some(mut retry) = self.trouble else {
            return;
        };
        if retry.is_due(now) && self.run() {
            let missing = self.missing - std::mem::replace(&mut self.told, self.missing);
            self.trouble = None;
            return log::warn!(
                "collect in {}: it is written again, and {missing} bytes are missing",
                self.folder().display()
            );
        }
        if retry.at().is_some_and(|at| at <= now) {
            retry.put_off(now);
        }
        self.trouble = Some(retry);
    }

    /// The program is over.
    pub(super) fn finish(&mut self) {
        self.run();
        let waiting: usize = self.steps.iter().map(Step::bytes).sum();
        let rows = self.steps.iter().filter(|step| !step.is_said()).count() as u64;
        self.missing += waiting as u64;
        self.rows_missing += rows;
        let (bytes, rows) = (self.missing - self.told, self.rows_missing);
        let place = self.folder().display();
        if bytes > 0 {
            log::error!("{bytes} bytes of what was said are missing in {place}");
        }
        if rows > 0 {
            log::error!("{rows} rows of the index are missing in {place}");
        }
    }

    /// Whether so many bytes more may wait.
    fn has_room(&self, bytes: usize) -> bool {
        self.bytes.len() + self.steps.len() * STEP + bytes <= LIMIT
    }

    /// Bytes of a participant are not kept.
    fn lose(&mut self, number: u32, bytes: usize) {
        self.missing += bytes as u64;
        self.authors.entry(number).or_default().missing += bytes as u64;
    }

    /// Does what waits, as far as it can be done. Returns whether nothing waits any more.
    fn run(&mut self) -> bool {
        while let Some(step) = self.steps.pop_front() {
            match step {
                Step::Said(number, len) => {
                    // Bytes in two parts are written in two.
                    let (front, _) = self.bytes.as_slices();
                    let piece = front[..len.min(front.len())].to_vec();
                    let written = self.append(number, &piece);
                    self.bytes.drain(..written);
                    if written < len {
                        self.steps.push_front(Step::Said(number, len - written));
                    }
                    if written < piece.len() {
                        return false;
                    }
                }
                Step::Left(row) => {
                    let author = self.authors.remove(&row.number).unwrap_or_default();
                    let file = (author.written > 0)
                        .then(|| self.folder.name(row.number, row.name.as_deref()));
                    let mut text = String::new();
                    row.push(author.written, author.missing, file.as_deref(), &mut text);
                    self.steps.push_front(Step::Note(text.into_bytes()));
                }
                Step::Note(mut text) => match self.folder.note(&text) {
                    Ok(written) if written == text.len() => {}
                    noted => {
                        text.drain(..noted.unwrap_or(0));
                        self.steps.push_front(Step::Note(text));
                        if let Err(error) = noted {
                            self.fail("the index", error);
                            return false;
                        }
                    }
                },
            }
        }
        true
    }

    /// Appends to the file of a participant. Returns how much need not wait: less than all, if the disk is
    /// to blame, and all if the file is, which no other one has to wait for.
    fn append(&mut self, number: u32, bytes: &[u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            let author = self.authors.entry(number).or_default();
            let is_there = author.written > 0;
            match self.folder.append(number, is_there, &bytes[done..]) {
                Ok(written) => {
                    author.written += written as u64;
                    done += written;
                }
                Err(error) if is_of_all(error) => {
                    self.fail(&file_name(number, None), error);
                    return done;
                }
                Err(error) => {
                    self.lose(number, bytes.len() - done);
                    if !std::mem::replace(&mut self.has_told_of_file, true) {
                        log::warn!(
                            "write to {}: {}; what is for it is missing",
                            self.folder().join(file_name(number, None)).display(),
                            why(&error.into())
                        );
                    }
                    return bytes.len();
                }
            }
        }
        done
    }

    /// Something could not be written. That is said once; the participants should not suffer for
    /// it.
    fn fail(&mut self, file: &str, error: Errno) {
        if self.trouble.is_some() {
            return;
        }
        log::warn!(
            "collect in {}: {file}: {}; what is said waits, and it is tried again",
            self.folder().display(),
            why(&error.into())
        );
        self.trouble = Some(Retry::default());
    }
}

impl Step {
    /// How many bytes of answers it is to write.
    fn bytes(&self) -> usize {
        match self {
            Step::Said(_, len) => *len,
            Step::Left(_) | Step::Note(_) => 0,
        }
    }

    fn is_said(&self) -> bool {
        matches!(self, Step::Said(..))
    }
}

/// Whether it would be the same with every other file.
fn is_of_all(error: Errno) -> bool {
    let of_one = [
        Errno::ACCESS,
        Errno::EXIST,
        Errno::FBIG,
        Errno::ISDIR,
        Errno::LOOP,
        Errno::NXIO,
        Errno::PERM,
    ];
    !of_one.contains(&error)
}
