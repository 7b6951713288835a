//! Files that no record is written to, because they are something else already.
//!
//! It promises: whatever names they have, a file is found by what it is (device and inode).

use std::fs;
use std::path::PathBuf;

use super::Wanted;
use crate::engine::answers::INDEX;
use crate::engine::answers::number_of_file;
use crate::io::file_id::FileId;

/// Why a file cannot be a record's, and what to do.
type Refusal = (&'static str, &'static str);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Files that this program reads: keys, certificates, lists.
    reads: Vec<PathBuf>,
    /// The folder of answers.
    answers: Option<PathBuf>,
}

impl Taken {
    pub(super) fn new(wanted: &Wanted) -> Taken {
        Taken {
            reads: wanted.reads.clone(),
            answers: wanted.collect.clone(),
        }
    }

    /// Why a file cannot be a record's, if `others` are those of other records.
    pub(super) fn refusal(&self, file: FileId, others: &[FileId]) -> Option<Refusal> {
        let is_at = |path: PathBuf| FileId::at(&path) == Some(file);
        if Some(file) == FileId::of(rustix::stdio::stdout()) {
            let hint = "To have the record on stdout, and nothing else, say -.";
            return Some(("it is the file that stdout is written to", hint));
        }
        let why = if Some(file) == FileId::of(rustix::stdio::stdin()) {
            "it is the file that stdin is read from"
        } else if others.contains(&file) {
            "it is the file of another record"
        } else if self.reads.iter().cloned().any(is_at) {
            "it is a file that is read, for another option"
        } else if self.files_of_answers().any(is_at) {
            "it is a file of --collect"
        } else {
            return None;
        };
        Some((why, "Each record needs a file of its own."))
    }

    fn files_of_answers(&self) -> impl Iterator<Item = PathBuf> {
        let folder = self
            .answers
            .iter()
            .filter_map(|path| fs::read_dir(path).ok());
        let files = folder.flatten().filter_map(Result::ok);
        let ours = files.filter(|file| {
            let name = file.file_name();
            let name = name.to_str().unwrap_or_default();
            name == INDEX || number_of_file(name).is_some()
        });
        ours.map(|file| file.path())
    }
}
