//! Records before they begin: their files are open, and are as they were.
//!
//! It promises: no record is written to a file that is something else already; and a program that
//! ends before its records begin, because it cannot listen or connect, has changed no file and
//! leaves none behind that it made.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;

use super::Files;
use super::Place;
use super::Records;
use super::Wanted;
use super::answers::Answers;
use super::sink::Sink;
use super::taken::Taken;
use crate::io::descriptor::Descriptor;
use crate::io::error::Error;

/// See the module's documentation.
pub struct Prepared {
    files: Files<Descriptor>,
    answers: Option<Answers>,
    /// The operator's name in a chat, if this is one.
    name: Option<String>,
    /// The files keep what they had.
    append: bool,
    taken: Taken,
    made: Made,
}

impl Prepared {
    /// Opens every file. None if none is wanted.
    ///
    /// # Errors
    /// A file cannot be opened, or is not for that record alone, or is a terminal, which must not
    /// get the bytes of others as they are.
    pub fn open(wanted: &Wanted) -> Result<Option<Prepared>, Error> {
        let mut made = Made::default();
        // A descriptor of the caller's comes first: what is opened here gets the numbers that are free.
        let (descriptor, events) = match &wanted.events {
            Some(Place::Descriptor(number)) => (Some(Sink::adopt(*number)?), None),
            Some(Place::File(path)) => (None, Some(path)),
            None => (None, None),
        };
        let mut open = |path: Option<&PathBuf>, has_lines: bool| match path {
            Some(path) => made.open(path, has_lines).map(Some),
            None => Ok(None),
        };
        let files = Files {
            raw: open(wanted.raw.as_ref(), false)?,
            dump: open(wanted.dump.as_ref(), true)?,
            transcript: open(wanted.transcript.as_ref(), true)?,
            events: open(events, true)?.or(descriptor),
        };
        let answers = wanted.collect.as_deref().map(Answers::open).transpose()?;
        if files.iter().next().is_none() && answers.is_none() {
            return Ok(None);
        }
        let taken = Taken::new(wanted);
        let mut others = Vec::new();
        for sink in files.iter() {
            let Some(file) = sink.file_id() else {
                continue;
            };
            if let Some((why, hint)) = taken.refusal(file, &others) {
                let doing = format!("open {}", sink.path.display());
                return Err(Error::new(doing, why).hint(hint));
            }
            others.push(file);
        }
        Ok(Some(Prepared {
            files,
            answers,
            name: wanted.name.clone(),
            append: wanted.append,
            taken,
            made,
        }))
    }

    /// They begin: each behind what is in its file, or in place of that.
    ///
    /// # Errors
    /// A file cannot be emptied.
    pub fn begin(self) -> Result<Records, Error> {
        let Prepared {
            mut files,
            answers,
            name,
            append,
            taken,
            mut made,
        } = self;
        let Files {
            raw,
            dump,
            transcript,
            events,
        } = &mut files;
        for sink in raw.iter_mut().chain(dump) {
            sink.begin(append)?;
        }
        for sink in transcript.iter_mut().chain(events) {
            sink.begin(true)?;
        }
        made.0.clear();
        Ok(Records::new(files, answers, name, taken))
    }

    /// Whether there is a record beside the answers.
    pub fn has_files(&self) -> bool {
        self.files.iter().next().is_some()
    }

    /// The folders of the regular files, in which they can be opened anew.
    pub fn folders(&self) -> Vec<PathBuf> {
        let files = self.files.iter().filter(|sink| sink.is_file());
        let folders = files.map(|sink| match sink.path.parent() {
            Some(folder) if folder != Path::new("") => folder.into(),
            _ => PathBuf::from("."),
        });
        folders.collect()
    }
}

/// The files that were made, which are removed unless they are written to.
#[derive(Debug, Default)]
struct Made(Vec<PathBuf>);

impl Made {
    /// Opens a file, and remembers it if there was none.
    fn open(&mut self, path: &Path, has_lines: bool) -> Result<Sink, Error> {
        // A link to nowhere is somebody's, whatever stands behind it.
        let is_new = fs::symlink_metadata(path).is_err_and(|e| e.kind() == ErrorKind::NotFound);
        let sink = Sink::open(path, has_lines)?;
        if is_new && sink.is_file() {
            self.0.push(path.into());
        }
        Ok(sink)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in &self.0 {
            // Another program may have written to it meanwhile.
            if fs::symlink_metadata(path).is_ok_and(|there| there.is_file() && there.len() == 0) {
                let _ = fs::remove_file(path);
            }
        }
    }
}
