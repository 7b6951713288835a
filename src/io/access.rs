//! Access lists as they were given, and what they come to: files are read and names looked up once,
//! at the start; regular files may be read again while the hub runs, and names are not looked up then.
//!
//! It promises: a list that cannot be understood as a whole is an error that names the file, the
//! line and the word, and no address is let in by a list that was read in part; reading a list
//! again waits only for a disk.

use std::collections::HashMap;
use std::io::BufRead;
use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;

use crate::engine::admit::Hosts;
use crate::engine::admit::Lists;
use crate::engine::admit::Word;
use crate::io::error::Error;
use crate::io::net;
use crate::io::net::Family;
use crate::io::net::Lookup;
use crate::io::net::Patience;
use crate::io::small_file;
use crate::io::small_file::Files;

/// The words that a list may hold, as a second line of the error about another one.
const HINT: &str = "A host is an address, a prefix as 192.0.2.0/24, a range as 192.0.2.1-99, or a \
                    name.";

/// The lists of who may connect, as they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The only hosts that may, unless this is empty.
    pub allow: List,
    /// The hosts that may not.
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
    /// Whether there are files that could be read again.
    pub fn has_files(&self) -> bool {
        !self.allow.files.is_empty() || !self.deny.files.is_empty()
    }

    /// What the lists come to.
    fn load(&self, book: &mut dyn AddressBook) -> Result<Lists, Error> {
        let given = !self.allow.words.is_empty() || !self.allow.files.is_empty();
        let allow = match given {
            true => Some(self.allow.load(book)?),
            false => None,
        };
        if allow.as_ref().is_some_and(Vec::is_empty) {
            log::warn!("nobody can come in: the lists of who is allowed are empty");
        }
        Ok(Lists {
            allow,
            deny: self.deny.load(book)?,
        })
    }
}

/// Access lists that can be read again.
#[derive(Debug)]
pub struct Guard {
    access: Access,
    known: Known,
}

/// What files there are to be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// All of them.
    All,
    /// Those that are regular files.
    Regular,
    /// None is a regular file.
    None,
}

impl Guard {
    /// Reads the files, as far as they are not among `files`, and looks the names up.
    ///
    /// # Errors
    /// A file cannot be read or understood, or a name is not known.
    pub fn open(access: Access, files: &mut Files) -> Result<(Guard, Lists), Error> {
        let mut lookup = Lookups {
            files,
            lookup: access.lookup,
            known: Known::default(),
        };
        let lists = access.load(&mut lookup)?;
        let known = lookup.known;
        Ok((Guard { access, known }, lists))
    }

    /// Whether there are files to be read again.
    pub fn has_files(&self) -> bool {
        self.access.has_files()
    }

    /// What files there are to be read again.
    pub fn again(&self) -> Again {
        let Access { allow, deny, .. } = &self.access;
        let mut files = allow.files.iter().chain(&deny.files);
        let once = &self.known.once;
        match (once.is_empty(), files.all(|file| once.contains_key(file))) {
            (true, _) => Again::All,
            (_, false) => Again::Regular,
            (_, true) => Again::None,
        }
    }

    /// Reads the files again that were regular ones at the start; a name has the addresses that it had then.
    ///
    /// # Errors
    /// Such a file is no regular one any more, is too long, or cannot be read or understood, or a name is in it
    /// that was in none at the start.
    pub fn reload(&self) -> Result<Lists, Error> {
        self.access.load(&mut &self.known)
    }
}

/// Where the addresses of names come from.
trait AddressBook {
    /// The addresses of a host.
    fn find(&mut self, name: &str) -> Result<Vec<IpAddr>, Error>;

    /// A file of a list.
    fn read(&mut self, path: &Path) -> Result<Vec<u8>, Error>;
}

/// Looks names up and reads files, and remembers what is known then only.
struct Lookups<'a> {
    files: &'a mut Files,
    lookup: Lookup,
    known: Known,
}

impl AddressBook for Lookups<'_> {
    fn find(&mut self, name: &str) -> Result<Vec<IpAddr>, Error> {
        let found = net::resolve(name, 0, Family::Any, self.lookup, Patience::Usual)?;
        let found: Vec<IpAddr> = found.iter().map(|addr| addr.ip().to_canonical()).collect();
        self.known.names.insert(name.into(), found.clone());
        Ok(found)
    }

    fn read(&mut self, path: &Path) -> Result<Vec<u8>, Error> {
        let is_regular = path.is_file();
        let bytes = self.files.read(path)?.to_vec();
        if !is_regular {
            self.known.once.insert(path.into(), bytes.clone());
        }
        Ok(bytes)
    }
}

/// What is known since the start.
#[derive(Debug, Default)]
struct Known {
    /// What names were found to be.
    names: HashMap<String, Vec<IpAddr>>,
    /// What was in files that are not regular: a pipe is empty by now.
    once: HashMap<PathBuf, Vec<u8>>,
}

impl AddressBook for &Known {
    fn find(&mut self, name: &str) -> Result<Vec<IpAddr>, Error> {
        self.names.get(name).cloned().ok_or_else(|| {
            Error::new(
                format!("host '{name}'"),
                "it was in no list at the start, and is not looked up while the hub runs",
            )
            .hint("Give its address.")
        })
    }

    fn read(&mut self, path: &Path) -> Result<Vec<u8>, Error> {
        match self.once.get(path) {
            Some(bytes) => Ok(bytes.clone()),
            None => small_file::read_again(path),
        }
    }
}

impl List {
    fn load(&self, book: &mut dyn AddressBook) -> Result<Vec<Hosts>, Error> {
        let mut hosts = Vec::new();
        for word in &self.words {
            add(word, book, &mut hosts)?;
        }
        for file in &self.files {
            read(file, book, &mut hosts)?;
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

fn add(word: &Word, book: &mut dyn AddressBook, hosts: &mut Vec<Hosts>) -> Result<(), Error> {
    match word {
        Word::Hosts(known) => hosts.push(known.clone()),
        Word::Name(name, bits) => {
            for ip in book.find(name)? {
                let told = |why| Error::usage(format!("host '{name}' ({ip})"), why);
                hosts.push(Hosts::prefix(ip, *bits).map_err(told)?);
            }
        }
    }
    Ok(())
}

fn read(path: &Path, book: &mut dyn AddressBook, hosts: &mut Vec<Hosts>) -> Result<(), Error> {
    let shown = path.display();
    for (i, line) in book.read(path)?.lines().enumerate() {
        let place = || format!("{shown}, line {}", i + 1);
        let line = line.map_err(|e| Error::system(format!("read {}", place()), &e))?;
        // As editors of Windows begin a file.
        let line = match i {
            0 => line.strip_prefix('\u{feff}').unwrap_or(&line),
            _ => &line,
        };
        let line = line.split('#').next().unwrap_or_default();
        let words = line.split(|c: char| c.is_whitespace() || c == ',');
        for text in words.filter(|text| !text.is_empty()) {
            word(text)
                .and_then(|word| add(&word, book, hosts))
                .map_err(|error| error.at(place()))?;
        }
    }
    Ok(())
}
