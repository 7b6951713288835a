//! The command lines of nearly everybody: `HOST PORT`, alone or behind one of the switches typed most.
//!
//! For each command line clap builds all the options there are, some hundred of 600 bytes, with their
//! texts: that took a third of the time until a hub listened (docs/PERFORMANCE.md). A line of one
//! switch and at most two words needs none of it.
//!
//! It promises: such a line means what clap takes it for, and is checked like any other; what the options are
//! that were not typed is their types' `Default`, also for clap.

use std::ffi::OsString;

use super::Args;

impl Args {
    /// What was typed, if it is such a line, the program's name first. None: ask clap.
    pub(super) fn of_common(line: &[OsString]) -> Option<Args> {
        let mut args = Args::default();
        let mut words = line.iter().skip(1).map(|word| word.to_str()).peekable();
        if let Some(switch) = words.peek().copied().flatten().and_then(|w| args.switch(w)) {
            *switch = true;
            words.next();
        }
        for word in words {
            args.place
                .push(word.filter(|w| !w.starts_with('-'))?.into());
        }
        (args.place.len() <= 2).then_some(args)
    }

    /// What that word switches on.
    fn switch(&mut self, word: &str) -> Option<&mut bool> {
        match word {
            "-l" => Some(&mut self.hub.listen),
            "-z" => Some(&mut self.bytes.zero),
            "-C" => Some(&mut self.bytes.crlf),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// What is typed most, and what is nearly that.
    #[test]
    fn a_common_line_means_what_clap_takes_it_for() {
        let lines = [
            ("-l 3000", true),
            ("-l 192.0.2.7 3000", true),
            ("-l", true),
            ("192.0.2.7 3000", true),
            ("-z 192.0.2.7 20-25", true),
            ("3000", true),
            ("", true),
            ("-C example.org 80", true),
            ("-l -l 3000", false),
            ("-l -z 3000", false),
            ("-l 3000 4000 5000", false),
            ("3000 -l", false),
            ("-lv 3000", false),
            ("-l -v 3000", false),
            ("-l --chat 3000", false),
            ("-h", false),
            ("--help", false),
            ("-l -- 3000", false),
            ("- 3000", false),
        ];
        for (line, is_common) in lines {
            let words = || std::iter::once("muxnc").chain(line.split_whitespace());
            let common = Args::of_common(&words().map(OsString::from).collect::<Vec<_>>());
            assert_eq!(common.is_some(), is_common, "{line}");
            if let Some(common) = common {
                let typed = Args::parse_from(words());
                assert_eq!(format!("{common:?}"), format!("{typed:?}"), "{line}");
            }
        }
    }
}
