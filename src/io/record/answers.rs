//! The collected answers: bytes that could not be written yet, and the participants that give
//! answers.
//!
//! ```text
//!     ┌─────────────────────────┐ it comes back
//!     ▼                         │
//!   joined ─► said … said ─► left ─► gone for good: the file gets its name, the index its row
//!               │ a full disk            │ a full disk
//!               ▼                        ▼
//!             words wait, and are      the row waits until all words are written
//!             tried again; beyond      (of those whose words do not wait, up to 2048
//!             1 MiB they are missing   rows; beyond that they are missing)
//! ```
//!
//! It promises: bytes are in the file of the participant that said them, in order and as they were
//! sent, or are counted as missing in its row; what is missing is counted; bytes that wait are not lost because
//! somebody leaves, and nor is the row of whoever said them: a participant is known as long as it may come back
//! or something of it waits; a participant has one file and one row, however often it came back, and one that said
//! nothing has a row and no file; a file that cannot be written is told of once, and does not stop the class.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use rustix::io::Errno;

use super::LIMIT;
use super::folder::Folder;
use super::folder::Store;
use super::retry::Retry;
use crate::engine::answers::Row;
use crate::engine::answers::file_name;
use crate::engine::budget::Budget;
use crate::engine::record::Who;
use crate::io::error::Error;
use crate::io::error::why;

/// So many bytes a participant counts for whose words wait, beside them: what is known of it, and its row.
const SPEAKER: usize = 512;

/// From so many rows that wait on, only those of participants whose words wait are added.
const ROWS: usize = LIMIT / SPEAKER;

/// See the module's documentation.
pub(super) struct Answers<S = Folder> {
    folder: S,
    /// Those that are here, may come back, or of which something waits.
    authors: HashMap<u32, Author>,
    /// Whose words wait, since something could not be written.
    speakers: VecDeque<u32>,
    /// What their words are, and what they count for.
    held: Budget,
    /// Of those that left for good, in that order.
    rows: VecDeque<Box<Row>>,
    /// The rest of the row that is just being written.
    note: Vec<u8>,
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
    /// What is to be appended to it.
    waiting: Vec<u8>,
    /// Its row, since it left: it may come back.
    left: Option<Box<Row>>,
}

impl Answers {
    pub(super) fn open(path: &Path) -> Result<Answers, Error> {
        Ok(Answers::new(Folder::open(path)?))
    }

    /// The highest number of an earlier hub.
    pub(super) fn last(&self) -> u32 {
        self.folder.last()
    }
}

impl<S: Store> Answers<S> {
    fn new(folder: S) -> Answers<S> {
        Answers {
            folder,
            authors: HashMap::new(),
            speakers: VecDeque::new(),
            held: Budget::new(LIMIT, 0),
            rows: VecDeque::new(),
            note: Vec::new(),
            trouble: None,
            missing: 0,
            rows_missing: 0,
            told: 0,
            has_told_of_file: false,
        }
    }

    /// Where they are.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
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
        let author = self.authors.entry(number).or_default();
        let is_first = author.waiting.is_empty();
        let becomes = rest.len() + if is_first { SPEAKER } else { 0 };
        if becomes > self.held.left() {
            return self.lose(number, rest.len());
        }
        if is_first {
            self.speakers.push_back(number);
        }
        author.waiting.extend_from_slice(rest);
        self.held.draw(becomes);
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
        let Some(author) = self.authors.get_mut(&number) else {
            return;
        };
        let Some(row) = author.left.take() else {
            return;
        };
        if author.waiting.is_empty() && self.rows.len() >= ROWS {
            self.authors.remove(&number);
            self.rows_missing += 1;
            return;
        }
        self.rows.push_back(row);
        if self.trouble.is_none() {
            self.run();
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
                "collect in {}: it is written again, and {}",
                self.folder().display(),
                lacks(missing, "byte", "")
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
        let waiting: usize = self.authors.values().map(|a| a.waiting.len()).sum();
        self.missing += waiting as u64;
        self.rows_missing += self.rows.len() as u64 + u64::from(!self.note.is_empty());
        let (bytes, rows) = (self.missing - self.told, self.rows_missing);
        let place = self.folder().display();
        if bytes > 0 {
            log::error!("{} in {place}", lacks(bytes, "byte", "of what was said "));
        }
        if rows > 0 {
            log::error!("{} in {place}", lacks(rows, "row", "of the index "));
        }
    }

    /// Bytes of a participant are not kept.
    fn lose(&mut self, number: u32, bytes: usize) {
        self.missing += bytes as u64;
        self.authors.entry(number).or_default().missing += bytes as u64;
    }

    /// Writes what waits, as far as that can be done. Returns whether nothing waits any more.
    fn run(&mut self) -> bool {
        while let Some(&number) = self.speakers.front() {
            let author = self.authors.entry(number).or_default();
            let mut words = std::mem::take(&mut author.waiting);
            let written = self.append(number, &words);
            self.held.give_back(written);
            if written < words.len() {
                words.drain(..written);
                self.authors.entry(number).or_default().waiting = words;
                return false;
            }
            self.held.give_back(SPEAKER);
            self.speakers.pop_front();
        }
        // Whoever has a row here said nothing that waits: it can be forgotten.
        loop {
            while !self.note.is_empty() {
                match self.folder.note(&self.note) {
                    Ok(written) => drop(self.note.drain(..written)),
                    Err(error) => {
                        self.fail("the index", error);
                        return false;
                    }
                }
            }
            let Some(row) = self.rows.pop_front() else {
                return true;
            };
            let author = self.authors.remove(&row.number).unwrap_or_default();
            let is_there = author.written > 0;
            let file = is_there.then(|| self.folder.name(row.number, row.name.as_deref()));
            let mut text = String::new();
            row.push(author.written, author.missing, file.as_deref(), &mut text);
            self.note = text.into_bytes();
        }
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

/// Says that so many are missing.
fn lacks(count: u64, what: &str, of: &str) -> String {
    match count {
        1 => format!("1 {what} {of}is missing"),
        _ => format!("{count} {what}s {of}are missing"),
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

#[cfg(test)]
mod tests;
