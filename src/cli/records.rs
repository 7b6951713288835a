//! What is kept of what was said, and where.

use std::path::PathBuf;

use clap::Args;

use super::proxy::Elsewhere;
use super::proxy::NO_PROXY;
use super::proxy::NO_PROXY_HINT;
use crate::io::error::Error;
use crate::io::record::Place;
use crate::io::record::Wanted;

/// The options of this group.
#[derive(Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "Records")]
pub(super) struct RecordsArgs {
    /// Write what is received and sent to FILE, as it is
    ///
    /// With - as FILE, also in the options below, it goes to stdout, which then shows nothing else.
    /// That is ncat's -o; nc.traditional's is -x here. A hub whose stdin is no terminal, and that is not
    /// for one participant alone (--once), opens the files anew at SIGHUP, so that they can be rotated.
    #[arg(short, long, value_name = "FILE", conflicts_with = "zero")]
    output: Option<PathBuf>,

    /// Write a hex dump of it to FILE, with time, direction and peer
    ///
    /// That is ncat's -x; nc's, a proxy, is --proxy here.
    #[arg(short = 'x', long, value_name = "FILE", conflicts_with = "zero")]
    hex_dump: Option<PathBuf>,

    /// Write who said what, came and went to FILE, line by line, after what is in it already
    ///
    /// Time, event, number, address, name and text, with a tab between them. What would act on a
    /// terminal or imitate another line is escaped, as \x1b, \t, \u{202e} and \\.
    #[arg(long, value_name = "FILE")]
    transcript: Option<PathBuf>,

    /// Write a line of JSON for each thing that happens to FILE, or to the descriptor N: json:fd:N
    ///
    /// For programs: who joined, said what, left and why, was refused, and when a transfer begins and ends,
    /// with who has how much of it. It goes on after what is in the file; - as FILE is stdout, which then shows
    /// nothing else. A file that is sent is not in it, nor in a transcript.
    /// docs/EVENTS.md tells what each line has.
    #[arg(long, value_name = "json:FILE", value_parser = events_place)]
    events: Option<Place>,

    /// Keep what each participant says in a file of its own in DIR, as DIR/0003-Ana.txt
    ///
    /// Every byte as it was sent; of a --chat what was said, but not what was asked for (/nick and the like;
    /// /me is said). The name is added when it leaves, if it has one, and a row to DIR/index.tsv: number, name,
    /// address, when it came and left, bytes, bytes that are missing, file. Who said nothing has no
    /// file. Nothing is overwritten: in a DIR with answers participants are numbered on from there.
    /// DIR is made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(super) collect: Option<PathBuf>,

    /// Keep what is in the files of -o and -x already, too
    #[arg(long)]
    append_output: bool,
}

impl RecordsArgs {
    /// What is wanted: by a hub's operator, if they `listen`, who may have a `name`. `reads` are the files that
    /// other options have read.
    pub(super) fn wanted(
        &self,
        name: Option<&str>,
        listen: bool,
        reads: Vec<PathBuf>,
    ) -> Result<Wanted, Error> {
        let events = match &self.events {
            Some(Place::File(file)) => Some(file.clone()),
            Some(Place::Descriptor(_)) | None => None,
        };
        let files = [&self.output, &self.hex_dump, &self.transcript, &events];
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
        let dump = self.hex_dump.as_ref().and_then(|file| file.to_str());
        if let Some(proxy) = dump.and_then(Elsewhere::parse) {
            let what = format!("-x {proxy}");
            let (told, instead) = match listen {
                true => (Error::usage(what, NO_PROXY), NO_PROXY_HINT.into()),
                false => (
                    Error::usage(what, "that is a proxy's place: nc's -x is --proxy here"),
                    proxy.advice(),
                ),
            };
            return Err(told.hint(match proxy.is_url() {
                true => instead,
                false => {
                    format!("{instead}\n  For a hex dump in a file of that name: -x ./{proxy}")
                }
            }));
        }
        Ok(Wanted {
            raw: self.output.clone(),
            dump: self.hex_dump.clone(),
            transcript: self.transcript.clone(),
            append: self.append_output,
            events: self.events.clone(),
            collect: self.collect.clone(),
            name: name.map(String::from),
            reads,
        })
    }
}

/// Where events go, and in which format, of which there is one.
fn events_place(text: &str) -> Result<Place, String> {
    let Some(place) = text.strip_prefix("json:").filter(|place| !place.is_empty()) else {
        let file = match text.split_once(':').map_or(text, |(_, file)| file) {
            "json" | "" => "FILE",
            file => file,
        };
        return Err(format!(
            "write json:{file}, or json:fd:3 for a descriptor, or json:- for stdout"
        ));
    };
    match place.strip_prefix("fd:") {
        None => Ok(Place::File(place.into())),
        Some("1") => Ok(Place::File("-".into())),
        Some(number) => match number.parse() {
            Ok(number @ 2..) => Ok(Place::Descriptor(number)),
            Ok(_) | Err(_) => Err(String::from(
                "a descriptor is a number from 1 on; for a file of that name: json:./fd:…",
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_go_to_a_file_or_a_descriptor() {
        let file = |name: &str| Ok(Place::File(name.into()));
        assert_eq!(events_place("json:a.json"), file("a.json"));
        assert_eq!(events_place("json:-"), file("-"));
        assert_eq!(events_place("json:fd:1"), file("-"));
        assert_eq!(events_place("json:./fd:3"), file("./fd:3"));
        assert_eq!(events_place("json:fd:3"), Ok(Place::Descriptor(3)));
        for text in [
            "json",
            "json:",
            "a.json",
            "",
            "xml:a",
            "json:fd:",
            "json:fd:0",
            "json:fd:x",
        ] {
            assert!(events_place(text).is_err(), "{text}");
        }
    }
}
