//! Who may connect to a hub.

use std::path::PathBuf;

use clap::Args;

use super::hub::count;
use crate::engine::admit::Word;
use crate::io::access;
use crate::io::access::Access;
use crate::io::access::List;
use crate::io::error::Error;
use crate::io::net::Lookup;

/// The options of this group.
#[derive(Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "Access")]
pub(super) struct AccessArgs {
    /// Let in only HOSTS: 192.0.2.7,198.51.100.0/24,2001:db8::/32,example.org
    ///
    /// Comma-separated addresses, prefixes, ranges as 192.0.2-3.*, and names, which are looked up
    /// once, at the start, each for 10 s at most. This and the three below may be given several times and add up;
    /// who is denied stays out though it is allowed, too.
    #[arg(long, value_name = "HOSTS")]
    allow: Vec<String>,

    /// Let in only the hosts in FILE: any number in a line; # begins a comment
    ///
    /// Where stdin is no terminal SIGHUP has it read again, as that of --denyfile; names in it that were not there
    /// at the start are not looked up then, and a file that cannot be understood changes nothing. A pipe is read at
    /// the start only.
    #[arg(long, value_name = "FILE")]
    allowfile: Vec<PathBuf>,

    /// Refuse HOSTS
    #[arg(long, value_name = "HOSTS")]
    deny: Vec<String>,

    /// Refuse the hosts in FILE
    #[arg(long, value_name = "FILE")]
    denyfile: Vec<PathBuf>,

    /// Let N peers in at most [default: as many as there are descriptors]
    ///
    /// That is ncat's -m; nc's, a least TTL, is not there.
    #[arg(
        short,
        long,
        value_name = "N",
        allow_negative_numbers = true,
        value_parser = count
    )]
    pub(super) max_conns: Option<u32>,

    /// Let in N peers of one address at most
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        value_parser = count
    )]
    pub(super) max_per_host: Option<u32>,
}

impl AccessArgs {
    /// The files that are read.
    pub(super) fn reads(&self) -> impl Iterator<Item = &PathBuf> {
        self.allowfile.iter().chain(&self.denyfile)
    }

    pub(super) fn access(&self, lookup: Lookup) -> Result<Access, Error> {
        let list = |hosts: &[String], files: &[PathBuf]| {
            Ok(List {
                words: words(hosts)?,
                files: files.into(),
            })
        };
        Ok(Access {
            allow: list(&self.allow, &self.allowfile)?,
            deny: list(&self.deny, &self.denyfile)?,
            lookup,
        })
    }
}

/// `a,b` and `c` are `a`, `b` and `c`; a comma too many does no harm, but no host at all may be
/// something that was forgotten.
fn words(lists: &[String]) -> Result<Vec<Word>, Error> {
    let mut words = Vec::new();
    for list in lists {
        let texts = list.split(',').map(str::trim);
        let known = words.len();
        for text in texts.filter(|text| !text.is_empty()) {
            words.push(access::word(text)?);
        }
        if words.len() == known {
            return Err(access::word("").expect_err("no text is no host"));
        }
    }
    Ok(words)
}
