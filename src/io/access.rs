//! Access lists as they were given, and what they come to: files are read and names looked up once,
//! at the start.
//!
//! It promises: a list that cannot be understood as a whole is an error that names the file, the
//! line and the word, and nobody is let in by a list that was read in part.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;

use crate::engine::admit::Hosts;
use crate::engine::admit::Lists;
use crate::engine::admit::Word;
use crate::io::error::Error;
use crate::io::net;
use crate::io::net::Family;
use crate::io::net::Lookup;

/// What a list may hold, as a second line for who gave something else.
const HINT: &str = "A host is an address, a prefix as 192.0.2.0/24, a range as 192.0.2.1-99, or a \
                    name.";

/// Who may connect, as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The only ones who may, unless this is empty.
    pub allow: List,
    /// Those who may not.
    pub deny: List,
    /// Whether names are looked up.
    pub lookup: Lookup,
}

/// One list, of words and of files of words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// What was given on the command line.
    pub words: Vec<Word>,
    /// Files with more. In each a line is any number of hosts with blanks or commas between them;
    /// a `#` and what follows is a comment.
    pub files: Vec<PathBuf>,
}

impl Access {
    /// Reads the files and looks the names up.
    ///
    /// # Errors
    /// A file cannot be read or understood, or a name is not known.
    pub fn load(&self) -> Result<Lists, Error> {
        let given = !self.allow.words.is_empty() || !self.allow.files.is_empty();
        let allow = match given {
            true => Some(self.allow.load(self.lookup)?),
            false => None,
        };
        if allow.as_ref().is_some_and(Vec::is_empty) {
            log::warn!("nobody can come in: the lists of who is allowed are empty");
        }
        Ok(Lists {
            allow,
            deny: self.deny.load(self.lookup)?,
        })
    }
}

impl List {
    fn load(&self, lookup: Lookup) -> Result<Vec<Hosts>, Error> {
        let mut hosts = Vec::new();
        for word in &self.words {
            add(word, lookup, &mut hosts)?;
        }
        for file in &self.files {
            read(file, lookup, &mut hosts)?;
        }
        Ok(hosts)
    }
}

/// A word of the command line.
///
/// # Errors
/// It means nothing.
pub fn word(text: &str) -> Result<Word, Error> {
    Word::parse(text).map_err(|why| Error::usage(format!("host '{text}'"), why).hint(HINT))
}

fn add(word: &Word, lookup: Lookup, hosts: &mut Vec<Hosts>) -> Result<(), Error> {
    match word {
        Word::Hosts(known) => hosts.push(known.clone()),
        Word::Name(name, bits) => {
            for addr in net::resolve(name, 0, Family::Any, lookup, None)? {
                let prefix = Hosts::prefix(addr.ip().to_canonical(), *bits);
                let told = |why| Error::usage(format!("host '{name}' ({})", addr.ip()), why);
                hosts.push(prefix.map_err(told)?);
            }
        }
    }
    Ok(())
}

fn read(path: &Path, lookup: Lookup, hosts: &mut Vec<Hosts>) -> Result<(), Error> {
    let shown = path.display();
    let file = File::open(path).map_err(|e| Error::system(format!("read {shown}"), &e))?;
    for (i, line) in BufReader::new(file).lines().enumerate() {
        let place = || format!("{shown}, line {}", i + 1);
        let line = line.map_err(|e| Error::system(format!("read {}", place()), &e))?;
        let line = line.split('#').next().unwrap_or_default();
        let words = line.split(|c: char| c.is_whitespace() || c == ',');
        for text in words.filter(|text| !text.is_empty()) {
            word(text)
                .and_then(|word| add(&word, lookup, hosts))
                .map_err(|error| error.at(place()))?;
        }
    }
    Ok(())
}
