//! What is kept of what was said, and where.

use std::path::PathBuf;

use clap::Args;

use crate::io::error::Error;
use crate::io::record::Wanted;

/// The options of this group.
#[derive(Debug, Args)]
#[group(skip)]
#[command(next_help_heading = "Records")]
pub(super) struct RecordsArgs {
    /// Write what is received and sent to FILE, as it is
    ///
    /// With - as FILE, also in the options below, it goes to stdout, which then shows nothing else.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Write a hex dump of it to FILE, with time, direction and peer
    #[arg(short = 'x', long, value_name = "FILE")]
    hex_dump: Option<PathBuf>,

    /// Write who said what, came and went to FILE, line by line, after what is in it already
    ///
    /// Time, event, number, address, name and text, with a tab between them. What would act on a
    /// terminal or imitate another line is escaped, as \x1b, \t, \u{202e} and \\.
    #[arg(long, value_name = "FILE", requires = "listen")]
    transcript: Option<PathBuf>,

    /// Keep what is in the files of -o and -x already, too
    #[arg(long)]
    append_output: bool,
}

impl RecordsArgs {
    /// What is wanted; the operator may have a `name`.
    pub(super) fn wanted(&self, name: Option<&str>) -> Result<Wanted, Error> {
        let files = [&self.output, &self.hex_dump, &self.transcript];
        let stdouts = files
            .into_iter()
            .flatten()
            .filter(|file| file.as_os_str() == "-");
        if stdouts.count() > 1 {
            return Err(
                Error::usage("usage", "two records on stdout were asked for")
                    .hint("Give one of them a file."),
            );
        }
        Ok(Wanted {
            raw: self.output.clone(),
            dump: self.hex_dump.clone(),
            transcript: self.transcript.clone(),
            append: self.append_output,
            name: name.map(String::from),
        })
    }
}
