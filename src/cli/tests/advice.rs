//! Advice is tried: the options and command lines that an error names are accepted, with `-l` and
//! without.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use clap::Arg;

use super::*;
use crate::cli::foreign;

/// A command line that is refused, and what it is told to use.
struct Advice {
    line: String,
    listen: bool,
    hint: String,
}

impl Advice {
    /// None if the command line is not refused.
    fn of(typed: &str, listen: bool) -> Option<Advice> {
        let line = match listen {
            true => format!("-l {typed} 3000"),
            false => format!("{typed} 192.0.2.7 80"),
        };
        let told = mode(&line).err()?.to_string();
        let (_, hint) = told.split_once("\n  ").unwrap_or_else(|| panic!("{told}"));
        let hint = hint.into();
        Some(Advice { line, listen, hint })
    }

    /// Every command line that it advises.
    fn lines(&self) -> Vec<String> {
        self.clauses()
            .filter_map(|clause| self.line(&clause))
            .collect()
    }

    /// Its parts that say one thing each. Parts about other programs are left out.
    fn clauses(&self) -> impl Iterator<Item = String> {
        const BOUNDS: [&str; 12] = [
            ". ", ".\n", "; ", ", ", ": ", " (", ")", " | ", " < ", " is ", " or ", "\n",
        ];
        const OTHERS: [&str; 9] = [
            "nc",
            "nc's",
            "ncat",
            "ncat's",
            "socat's",
            "nc.traditional's",
            "Mac's",
            "ss",
            "head",
        ];
        let mut text = format!("{}\n", self.hint);
        for bound in BOUNDS {
            text = text.replace(bound, "\0");
        }
        let clauses: Vec<String> = text.split('\0').map(String::from).collect();
        clauses
            .into_iter()
            .filter(|clause| !clause.split(' ').any(|word| OTHERS.contains(&word)))
    }

    /// The command line of a clause: one that it tells as a whole, or the one of its options.
    fn line(&self, clause: &str) -> Option<String> {
        let words: Vec<&str> = clause
            .split_whitespace()
            .map(|word| word.trim_matches('\''))
            .collect();
        if let Some(at) = words.iter().position(|word| *word == "muxnc") {
            let words = &words[at + 1..];
            let end = words
                .iter()
                .position(|word| ["PORT", "PATH", "%p"].contains(word));
            let words = &words[..end.map_or(words.len(), |end| end + 1)];
            let words: Vec<&str> = words.iter().map(|word| example(word)).collect();
            return (!words.is_empty()).then(|| words.join(" "));
        }
        if self.listen && words.contains(&"participant's") {
            return None;
        }
        let mut typed: Vec<String> = Vec::new();
        for (at, word) in words
            .iter()
            .enumerate()
            .filter(|(_, word)| word.starts_with('-'))
        {
            typed.push((*word).into());
            let Some(option) = option(word) else {
                // It is refused then.
                continue;
            };
            if option.get_action().takes_values() {
                let names = option.get_value_names().expect("it takes a value");
                typed.push(match words.get(at + 1) {
                    None | Some(&"here" | &"makes") => example(&names[0]).into(),
                    Some(value) => example(value).into(),
                });
            }
        }
        let has = |option| typed.iter().any(|word| word == option);
        let place = match (self.listen, has("-p")) {
            (true, true) => "",
            (true, false) => "3000",
            (false, _) => "192.0.2.7 80",
        };
        let listen = if self.listen && !has("-l") { "-l " } else { "" };
        (!typed.is_empty()).then(|| format!("{listen}{} {place}", typed.join(" ")))
    }
}

/// An option of ours as it is spelled.
fn option(spelling: &str) -> Option<&'static Arg> {
    static COMMAND: LazyLock<clap::Command> = LazyLock::new(command);
    let is_it = |arg: &&Arg| match spelling.strip_prefix("--") {
        Some(name) => arg
            .get_long_and_visible_aliases()
            .is_some_and(|all| all.contains(&name)),
        None => arg
            .get_short()
            .is_some_and(|c| spelling == format!("-{c}") || spelling == format!("-{c}{c}")),
    };
    COMMAND.get_arguments().find(is_it)
}

/// The command line that a reader of the advice types; a word in capitals is replaced by a value.
fn example(word: &str) -> &str {
    const SHA256: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    match word {
        "PORT" | "%p" => "3000",
        "HOST" | "%h" | "ADDRESS" | "HOST[:PORT]" => "192.0.2.7",
        "HOST:PORT" => "192.0.2.1:1080",
        "URL" => "nats://192.0.2.7/physics",
        "USER:PASS" => "ana:secret",
        "SHA256" => SHA256,
        "TIME" | "SECS" | "SECONDS" => "1s",
        "N" | "LINES" => "3",
        "BYTES" => "10k",
        "HOSTS" => "192.0.2.0/24",
        "TYPE" => "http",
        "WHO" => "local",
        "SIZE" => "1M",
        "[HOST:]PORT" => "8080",
        "json:FILE" => "json:file",
        word => word,
    }
}

/// Every spelling of an option, foreign ones and ours.
fn typed() -> Vec<String> {
    let mut all: Vec<String> = foreign::spellings().map(String::from).collect();
    for arg in command().get_arguments() {
        let spellings = [
            arg.get_short().map(|c| format!("-{c}")),
            arg.get_long().map(|l| format!("--{l}")),
        ];
        for spelling in spellings.into_iter().flatten() {
            if arg.get_action().takes_values() {
                let names = arg.get_value_names().expect("it takes a value");
                for value in [example(&names[0]), "nonsense", "192.0.2.1:1080", "-1", "--"] {
                    all.push(format!("{spelling} {value}"));
                }
            }
            all.push(spelling);
        }
    }
    for place in ["proxy:1080", "[2001:db8::1]:1080", "192.0.2.1"] {
        all.push(format!("-x {place}"));
        for scheme in [
            "http",
            "https",
            "socks",
            "socks4a",
            "socks5h",
            "tcp",
            "ana:secret@http",
        ] {
            all.push(format!("-x {scheme}://{place}"));
            all.push(format!("--proxy {scheme}://{place}"));
        }
    }
    all
}

#[test]
fn what_is_advised_instead_is_accepted() {
    let typed = typed();
    let advices = typed.iter().flat_map(|typed| {
        let both = [true, false].into_iter();
        both.filter_map(|listen| Advice::of(typed, listen))
    });
    let mut lines = BTreeMap::new();
    for advice in advices {
        for line in advice.lines() {
            lines.insert(line, (advice.line.clone(), advice.hint.clone()));
        }
    }
    assert!(lines.len() > 40, "{lines:#?}");
    let refused = lines.iter().filter_map(|(line, (typed, hint))| {
        let error = mode(line).err()?;
        Some(format!("{typed}\n  {hint}\n{line}: {error}\n"))
    });
    let refused: Vec<String> = refused.collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
