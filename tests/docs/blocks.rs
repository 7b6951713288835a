//! The fenced blocks of a document: what the reader is told to type, and what is shown.
//!
//! After the language a block of commands says what it belongs to, which nobody sees who reads the
//! rendered page: the name of a scenario, or `left out:` and why. Nothing else is taken.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// A block in which there is something to type.
pub(crate) struct Block {
    /// Which scenario it belongs to.
    pub(crate) scenario: String,
    /// What is to be typed, and what is shown after it.
    pub(crate) commands: Vec<Typed>,
}

#[derive(Clone)]
pub(crate) struct Typed {
    /// A command of a shell.
    pub(crate) command: String,
    /// The lines below it, in a block that shows a terminal.
    pub(crate) shown: Vec<String>,
}

/// The blocks of commands that are to be run. Panics about one that does not say how.
pub(crate) fn blocks(document: &str) -> Vec<Block> {
    let text = fs::read_to_string(path(document)).unwrap();
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else {
            continue;
        };
        let content: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line.trim_start())
            .take_while(|line| !line.starts_with("```"))
            .collect();
        let (language, scenario) = info.split_once(' ').unwrap_or((info, ""));
        let commands = match language {
            "sh" => commands(&content),
            "console" => session(&content),
            // What a program says, and files.
            "text" | "http" | "ini" | "toml" => continue,
            _ => panic!("{document}:{}: what is a block of '{language}'?", at + 1),
        };
        if let Some(reason) = scenario.strip_prefix("left out:") {
            assert!(reason.trim().len() > 10, "{document}:{}: why?", at + 1);
            continue;
        }
        assert!(!scenario.is_empty(), "{document}:{}: whose is it?", at + 1);
        assert!(!commands.is_empty(), "{document}:{}: empty", at + 1);
        blocks.push(Block {
            scenario: scenario.into(),
            commands,
        });
    }
    blocks
}

/// Where a document is.
pub(crate) fn path(document: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(document)
}

/// A command in each line that is not only a comment; a backslash at its end goes on.
fn commands(content: &[&str]) -> Vec<Typed> {
    let text = content.join("\n").replace("\\\n", "");
    let commands = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    commands
        .map(|command| Typed {
            command: command.into(),
            shown: Vec::new(),
        })
        .collect()
}

/// A command in each line that begins with a prompt, and what is shown after it.
fn session(content: &[&str]) -> Vec<Typed> {
    let mut typed: Vec<Typed> = Vec::new();
    for line in content {
        match (line.strip_prefix("$ "), typed.last_mut()) {
            (Some(command), _) => typed.push(Typed {
                command: command.into(),
                shown: Vec::new(),
            }),
            (None, Some(last)) => last.shown.push((*line).into()),
            (None, None) => panic!("a terminal without a prompt: {line}"),
        }
    }
    typed
}
