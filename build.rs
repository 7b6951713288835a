//! How the program is linked: against the C library and nothing else, where that can be had.
//!
//! Rust's unwinder is in `libgcc_s.so`. To load it takes a tenth of the time until muxnc has sent its
//! first line, most of it in `cpuid` instructions of its constructor, each of which stops a
//! virtual machine (docs/PERFORMANCE.md). Every gcc brings the same code as `libgcc_eh.a`.
//!
//! It promises: a linker that cannot tell where that is changes nothing.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    let is = |name, value| env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") && has_unwinder() {
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// Whether the linker that will be used finds the archive: gcc answers with its path, or with the
/// name alone.
fn has_unwinder() -> bool {
    let linker = match env::var_os("RUSTC_LINKER") {
        Some(linker) => linker,
        // Which one that is, is not ours to guess.
        None if flagged() || env::var_os("HOST") != env::var_os("TARGET") => return false,
        None => "cc".into(),
    };
    Command::new(linker)
        .arg("-print-file-name=libgcc_eh.a")
        .output()
        .ok()
        .and_then(|said| String::from_utf8(said.stdout).ok())
        .is_some_and(|path| Path::new(path.trim_end()).is_absolute())
}

/// Whether the compiler is told of a linker in a way that we are not.
fn flagged() -> bool {
    env::var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("linker"))
}
