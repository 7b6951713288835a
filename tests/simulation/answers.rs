//! What each member said, as it is collected in a folder, held against what was heard of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use muxnc::engine::answers::INDEX;
use muxnc::engine::answers::file_name;
use muxnc::engine::answers::number_of_row;

use super::folder::Folder;

/// See the module's documentation.
pub(crate) struct Answers {
    folder: Folder,
    /// What each said, by its number.
    said: BTreeMap<u32, Vec<u8>>,
}

impl Answers {
    pub(crate) fn new() -> Answers {
        Answers {
            folder: Folder::new("simulation"),
            said: BTreeMap::new(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// A member said something.
    pub(crate) fn heard(&mut self, number: u32, bytes: &[u8]) {
        self.said.entry(number).or_default().extend(bytes);
    }

    /// So many have joined, and all of them have left, however often they were lost and came back meanwhile: whoever
    /// said something has a file with all of it and nothing else, nobody else has one, and each has a row.
    pub(crate) fn check(&self, joined: u32) {
        let mut found = BTreeMap::new();
        for file in fs::read_dir(self.folder()).expect("the folder") {
            let file = file.expect("a file");
            let name = file.file_name().into_string().expect("a name");
            found.insert(name, fs::read(file.path()).expect("what is in it"));
        }
        let index = found.remove(INDEX).expect("an index");
        let named = |(&number, bytes): (&u32, &Vec<u8>)| (file_name(number, None), bytes.clone());
        let expected: BTreeMap<String, Vec<u8>> = self.said.iter().map(named).collect();
        let sizes = |files: &BTreeMap<String, Vec<u8>>| -> Vec<(String, usize)> {
            let sizes = files
                .iter()
                .map(|(name, bytes)| (name.clone(), bytes.len()));
            sizes.collect()
        };
        assert_eq!(sizes(&found), sizes(&expected), "who said how much");
        let others = found.iter().zip(&expected);
        let wrong = others.filter(|(found, expected)| found != expected);
        let wrong: Vec<&String> = wrong.map(|((name, _), _)| name).collect();
        assert!(wrong.is_empty(), "not what was said: {wrong:?}");
        let rows = String::from_utf8(index).expect("text");
        let mut rows: Vec<u32> = rows.lines().filter_map(number_of_row).collect();
        rows.sort_unstable();
        assert_eq!(rows, (1..=joined).collect::<Vec<u32>>(), "the index");
    }
}
