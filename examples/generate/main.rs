//! Writes what is generated: the manual page and the completions of the shells from the command
//! line's definition, and the list of rooms in docs/ARCHITECTURE.md from the sources.
//!
//! ```sh
//! cargo run --example generate
//! ```
//!
//! `tests/manual.rs` fails while a file is not what this would write.

mod files;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, content) in files::files() {
        let file = root.join(path);
        let directory = file.parent().unwrap_or(root);
        if let Err(error) = fs::create_dir_all(directory).and_then(|()| fs::write(&file, content)) {
            eprintln!("generate: write {}: {error}", file.display());
            return ExitCode::FAILURE;
        }
        println!("{path}");
    }
    ExitCode::SUCCESS
}
