//! What is generated: the paths in the repository, and what is to stand there.
//!
//! The page is written by hand (`muxnc.1.in`) but for its options, which come from clap, so that
//! no option can be there without its description, or be described and not be there.

use clap_complete::Shell;
use clap_mangen::Man;

const PAGE: &str = include_str!("muxnc.1.in");

/// In the page, the place of the options.
const OPTIONS: &str = ".\\\" OPTIONS\n";

const SHELLS: [(Shell, &str); 4] = [
    (Shell::Bash, "dist/completions/muxnc.bash"),
    (Shell::Fish, "dist/completions/muxnc.fish"),
    (Shell::PowerShell, "dist/completions/_muxnc.ps1"),
    (Shell::Zsh, "dist/completions/_muxnc"),
];

/// Every file with its content.
pub(crate) fn files() -> Vec<(&'static str, Vec<u8>)> {
    let completions = SHELLS.map(|(shell, path)| (path, completion(shell)));
    let mut files = vec![("docs/muxnc.1", page().into_bytes())];
    files.extend(completions);
    files
}

fn completion(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut muxnc::cli::command(), "muxnc", &mut script);
    script
}

fn page() -> String {
    let (before, after) = PAGE.split_once(OPTIONS).expect("a place for the options");
    let notice = ".\\\" Generated from examples/manual: change that, and run\n\
                  .\\\" cargo run --example manual\n";
    let before = before.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    format!("{notice}{before}{}{after}", options())
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
