//! Writes what is generated: the manual page and the completions of the shells from the command
//! line's definition, and the list of rooms in docs/ARCHITECTURE.md from the sources.
//!
//! ```sh
//! cargo run --package muxnc-tools --bin generate
//! cargo run --package muxnc-tools --bin generate -- --check    # writes nothing, says what is out of date
//! ```
//!
//! `tests/generated.rs` of this package fails while a file is not what this would write.

mod files;

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let act = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => write,
        ["--check"] => check,
        _ => {
            eprintln!("generate: nothing but --check can be asked for");
            return ExitCode::from(2);
        }
    };
    let mut status = ExitCode::SUCCESS;
    for (path, content) in files::files() {
        if let Err(error) = act(&files::root().join(path), &content) {
            eprintln!("generate: {path}: {error}");
            status = ExitCode::FAILURE;
        }
    }
    status
}

fn write(file: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(file, content)?;
    println!("{}", file.display());
    Ok(())
}

/// An error where the file is not what would be written.
fn check(file: &Path, content: &[u8]) -> io::Result<()> {
    match fs::read(file)? == content {
        true => Ok(()),
        false => Err(io::Error::other("out of date")),
    }
}
