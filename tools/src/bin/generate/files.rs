//! What is generated: the paths in the repository, and what is to stand there.
//!
//! The page is written by hand (`muxnc.1.in`) but for its options, which come from clap, so that
//! no option can be there without its description, or be described and not be there. In the same
//! way the rooms of the house are those that the sources are.

use std::fs;
use std::path::Path;

use clap::Arg;
use clap::Command;
use clap::ValueHint;
use clap_complete::Shell;
use clap_mangen::Man;
use muxnc::engine::command::COMMANDS;
use muxnc::engine::request::REQUESTS;

const PAGE: &str = include_str!("muxnc.1.in");

/// In the page, the places of the options, of the operator's commands, and of what a participant of a chat
/// may ask for.
const OPTIONS: &str = ".\\\" OPTIONS\n";
const COMMAND_LIST: &str = ".\\\" COMMANDS\n";
const REQUEST_LIST: &str = ".\\\" REQUESTS\n";

const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";

/// In it, around the list of rooms.
const ROOMS: [&str; 2] = ["<!-- rooms: generated -->\n", "<!-- end of the rooms -->\n"];

const SHELLS: [(Shell, &str); 4] = [
    (Shell::Bash, "dist/completions/muxnc.bash"),
    (Shell::Fish, "dist/completions/muxnc.fish"),
    (Shell::PowerShell, "dist/completions/_muxnc.ps1"),
    (Shell::Zsh, "dist/completions/_muxnc"),
];

/// Every file with its content.
pub(crate) fn files() -> Vec<(&'static str, Vec<u8>)> {
    let completions = SHELLS.map(|(shell, path)| (path, completion(shell)));
    let mut files = vec![
        (ARCHITECTURE, architecture().into_bytes()),
        ("docs/muxnc.1", page().into_bytes()),
    ];
    files.extend(completions);
    files
}

fn completion(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut completed(), "muxnc", &mut script);
    script
}

/// The command line without what is hidden, which the generators would offer, and with what the
/// values are.
fn completed() -> Command {
    let whole = muxnc::cli::command();
    let visible = whole.get_arguments().filter(|arg| !arg.is_hide_set());
    let options = visible.map(|arg| match arg.get_action().takes_values() {
        true => arg.clone().value_hint(hint(arg)),
        false => arg.clone(),
    });
    let place = Arg::new("place")
        .help("HOST and PORT")
        .num_args(0..=2)
        .value_hint(ValueHint::Hostname);
    Command::new("muxnc")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(options)
        .arg(place)
}

/// What a value is, by its name.
fn hint(arg: &Arg) -> ValueHint {
    let name = arg.get_value_names().and_then(|names| names.first());
    match name.map(clap::builder::Str::as_str) {
        Some("FILE" | "PATH") => ValueHint::FilePath,
        Some("HOST" | "HOST[:PORT]") => ValueHint::Hostname,
        _ => ValueHint::Other,
    }
}

fn page() -> String {
    let (before, after) = PAGE.split_once(OPTIONS).expect("a place for the options");
    let notice = ".\\\" Generated from tools/src/bin/generate: change that, and run\n\
                  .\\\" cargo run --package muxnc-tools --bin generate\n";
    let command = muxnc::cli::command();
    let version = command.get_version().expect("a version");
    let before = before.replace("@VERSION@", version);
    let commands = COMMANDS.map(|(name, arguments, meaning)| {
        let name = format!("/{name}");
        entry(&name, arguments, meaning)
    });
    let requests = REQUESTS.map(|(request, meaning)| {
        let (name, arguments) = request.split_once(' ').unwrap_or((request, ""));
        entry(name, arguments, meaning)
    });
    let after = put(after, COMMAND_LIST, &commands.concat());
    let after = put(&after, REQUEST_LIST, &requests.concat());
    filled(&format!("{notice}{before}{}{after}", options()))
}

/// The page in lines of 80 bytes, which is what `mandoc -T lint` and many an editor want. Left as they
/// are: requests, what is shown as it stands, and what a paragraph hangs on.
fn filled(page: &str) -> String {
    let mut filled = String::new();
    let (mut as_it_stands, mut hangs) = (false, false);
    for line in page.lines() {
        let is_request = line.starts_with(['.', '\'']);
        as_it_stands = match line {
            ".nf" | ".EX" => true,
            ".fi" | ".EE" => false,
            _ => as_it_stands,
        };
        let mut rest = line;
        if !is_request && !as_it_stands && !hangs {
            while let Some(end) = end_of_line(rest) {
                filled += &rest[..end];
                filled.push('\n');
                rest = &rest[end + 1..];
            }
        }
        filled += rest;
        filled.push('\n');
        hangs = line == ".TP";
    }
    filled
}

/// The last blank at which a line may end, if it is too long. What begins the next one must be no
/// request, and an escaped blank is none.
fn end_of_line(line: &str) -> Option<usize> {
    const WIDTH: usize = 80;
    if line.len() <= WIDTH {
        return None;
    }
    let may_end = |at: &usize| {
        *at <= WIDTH
            && !line[..*at].ends_with('\\')
            && !line[at + 1..].starts_with(['.', '\'', ' '])
    };
    line.match_indices(' ').map(|(at, _)| at).rfind(may_end)
}

/// Puts a list where it belongs.
fn put(page: &str, place: &str, list: &str) -> String {
    let (before, after) = page.split_once(place).expect("a place for the list");
    format!("{before}{list}{after}")
}

/// What is typed, and what it does.
fn entry(name: &str, arguments: &str, meaning: &str) -> String {
    let typed = match arguments {
        "" => format!("\\fB{name}\\fP"),
        _ => format!("\\fB{name}\\fP \\fI{arguments}\\fP"),
    };
    let mut letters = meaning.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let meaning: String = first.into_iter().chain(letters).collect();
    let text = format!(".TP\n{typed}\n{meaning}.\n");
    text.replace('-', "\\-")
}

/// The options, with clap's sections as subsections of one.
fn options() -> String {
    let mut text = Vec::new();
    Man::new(muxnc::cli::command())
        .render_options_section(&mut text)
        .expect("a vector takes everything");
    let text = String::from_utf8(text).expect("roff is text");
    let text = text
        .replace("\n.br\n\n.br\n", "\n\n")
        .replace("\\fI<", "\\fI")
        .replace(">\\fR", "\\fR");
    let lines = text.lines().filter_map(|line| match line {
        // The page has defined it.
        _ if line.starts_with(".ie ") || line.starts_with(".el ") => None,
        // A paragraph that stays with its option.
        "" => Some(String::from(".sp")),
        ".SH OPTIONS" => Some(String::from(".SS General")),
        _ => Some(match line.strip_prefix(".SH ") {
            Some(heading) => format!(".SS {}", capitalized(heading)),
            None => line.into(),
        }),
    });
    let mut sections: Vec<String> = Vec::new();
    for line in lines {
        match (line.starts_with(".SS "), sections.last_mut()) {
            (false, Some(section)) => *section += &format!("{line}\n"),
            _ => sections.push(format!("{line}\n")),
        }
    }
    // What everybody knows comes last.
    sections.rotate_left(1);
    format!(".SH OPTIONS\n{}", sections.concat())
}

fn capitalized(heading: &str) -> String {
    let heading = heading.trim_matches('"').to_lowercase();
    let mut letters = heading.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let heading: String = first.into_iter().chain(letters).collect();
    match heading.contains(' ') {
        true => format!("\"{heading}\""),
        false => heading,
    }
}

/// The document as it is, with the rooms as they are.
fn architecture() -> String {
    let text = fs::read_to_string(root().join(ARCHITECTURE)).expect("the document");
    let (before, rest) = text.split_once(ROOMS[0]).expect("where the rooms begin");
    let (_, after) = rest.split_once(ROOMS[1]).expect("where the rooms end");
    let floors = [
        ("Floor 3: the user's words", "cli"),
        ("Floor 2: the loops", "hub"),
        ("", "client"),
        ("", "scan"),
        ("", "udp"),
        ("Floor 1: the edges of the world", "io"),
        ("Floor 0: the engine", "engine"),
    ];
    let mut list = String::new();
    for (heading, name) in floors {
        if !heading.is_empty() {
            list += &format!("\n### {heading}\n\n| | |\n|---|---|\n");
        }
        for (file, parts) in rooms(name) {
            let parts: Vec<String> = parts.iter().map(|part| link_to_part(&file, part)).collect();
            let parts = match parts.is_empty() {
                true => String::new(),
                false => format!(". Parts: {}", parts.join(", ")),
            };
            list += &format!(
                "| [`{file}`](../src/{file}) | {}{parts} |\n",
                promise(&file)
            );
        }
    }
    format!("{before}{}{list}\n{}{after}", ROOMS[0], ROOMS[1])
}

/// The repository, of which the tools are a folder.
pub(crate) fn root() -> &'static Path {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR"));
    tools.parent().expect("a folder is in another one")
}

/// The rooms of a floor: the module's own file and each one in its directory, with the files below that.
fn rooms(module: &str) -> Vec<(String, Vec<String>)> {
    let mut rooms: Vec<(String, Vec<String>)> = Vec::new();
    for file in sources(module) {
        let is_part = file.matches('/').count() > 1;
        match rooms.last_mut() {
            Some((_, parts)) if is_part => parts.push(file),
            _ => rooms.push((file, Vec::new())),
        }
    }
    rooms
}

/// A part of a room, called as it is called there.
fn link_to_part(room: &str, part: &str) -> String {
    let room = room.strip_suffix(".rs").expect("a source");
    let name = part.strip_prefix(room).expect("it is below the room");
    let name = name.trim_start_matches('/').trim_end_matches(".rs");
    format!("[{name}](../src/{part})")
}

/// The files of a module, the module's own first; unit tests in a file of their own left out.
fn sources(module: &str) -> Vec<String> {
    let mut found = Vec::new();
    let file = format!("{module}.rs");
    if root().join("src").join(&file).exists() {
        found.push(file);
    }
    let Ok(entries) = fs::read_dir(root().join("src").join(module)) else {
        return found;
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned()))
        .filter(|name| name != "tests")
        .collect();
    // A module in its own directory says what the directory is.
    names.sort_by_key(|name| (name != "mod", name.clone()));
    for name in names {
        found.extend(sources(&format!("{module}/{name}")));
    }
    found
}

/// The first sentence of what a file says of itself.
fn promise(file: &str) -> String {
    let text = fs::read_to_string(root().join("src").join(file)).expect("a source");
    let paragraph: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let paragraph = paragraph.join(" ");
    let sentence = paragraph.split(". ").next().unwrap_or_default();
    let sentence = sentence.trim_end_matches('.');
    // No links into rustdoc, and no end of a cell.
    sentence
        .replace("[`", "`")
        .replace("`]", "`")
        .replace('|', "\\|")
}
