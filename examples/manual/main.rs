//! Writes what is generated from the command line's definition: the manual page and the
//! completions of the shells.
//!
//! ```sh
//! cargo run --example manual
//! ```
//!
//! `tests/manual.rs` fails while a file is not what this would write.

mod generate;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, content) in generate::files() {
        let file = root.join(path);
        let directory = file.parent().unwrap_or(root);
        if let Err(error) = fs::create_dir_all(directory).and_then(|()| fs::write(&file, content)) {
            eprintln!("manual: write {}: {error}", file.display());
            return ExitCode::FAILURE;
        }
        println!("{path}");
    }
    ExitCode::SUCCESS
}
