//! What is generated from the command line's definition: the manual and the shells' completions.
//!
//! The program holds the files of the repository, so that a user who has only the program
//! (`cargo install`) can write them. To make them anew would need the generators in the program. The
//! start stays as fast: the kernel reads these pages of the program only when a text is asked for.
//!
//! It promises: the program prints the files that are committed (`tests/docs/manual.rs`), which are what
//! the generator makes (`tools/tests/generated.rs`).

use clap::ValueEnum;

/// One of them.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Generated {
    Man,
    CompleteBash,
    CompleteFish,
    CompletePowershell,
    CompleteZsh,
}

impl Generated {
    pub(super) fn text(self) -> &'static str {
        match self {
            Generated::Man => include_str!("../../docs/muxnc.1"),
            Generated::CompleteBash => include_str!("../../dist/completions/muxnc.bash"),
            Generated::CompleteFish => include_str!("../../dist/completions/muxnc.fish"),
            Generated::CompletePowershell => include_str!("../../dist/completions/_muxnc.ps1"),
            Generated::CompleteZsh => include_str!("../../dist/completions/_muxnc"),
        }
    }
}
