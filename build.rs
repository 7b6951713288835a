//! How the program is linked, and from which commit: what only the machine that builds it knows; and the
//! table of `engine/confusables.rs`.
//!
//! It is linked against the C library and nothing else, where that can be had.
//! Rust's unwinder is in `libgcc_s.so`. To load it takes a tenth of the time until muxnc has sent its
//! first line, most of it in `cpuid` instructions of its constructor, each of which stops a
//! virtual machine (docs/PERFORMANCE.md). Every gcc brings the same code as `libgcc_eh.a`.
//!
//! It promises: a linker that cannot tell where that is changes nothing; sources without a commit are
//! built as well, and the same sources twice are the same program.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("confusables.rs"), confusables()).expect("cargo's directory is there");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    let is = |name, value| env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") && has_unwinder() {
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
    // Only a program that is given away is asked for it. In a debug build each commit would compile
    // all tests anew.
    if is("PROFILE", "release")
        && let Some(commit) = commit()
    {
        println!("cargo::rustc-env=MUXNC_COMMIT={commit}");
    }
}

/// Each character, in its decomposed form, that looks like others, and these in one text, of which a table
/// needs no pointers.
fn confusables() -> String {
    let (mut table, mut prototypes) = (String::new(), String::new());
    let mut count = 0;
    for letter in '\0'..=char::MAX {
        let text = letter.to_string();
        let looks: String = skeleton(&text).collect();
        if looks == text || !text.nfd().eq([letter]) {
            continue;
        }
        let start = prototypes.find(&looks).unwrap_or_else(|| {
            prototypes.push_str(&looks);
            prototypes.len() - looks.len()
        });
        let length = looks.len();
        writeln!(table, "    ({letter:?}, {start}, {length}),").expect("a string takes it");
        count += 1;
    }
    format!(
        "static CONFUSABLES: [(char, u16, u8); {count}] = [\n{table}];\n\
         static PROTOTYPES: &str = {prototypes:?};\n"
    )
}

/// The commit of the sources, in ten digits; none in an archive that does not name it.
fn commit() -> Option<String> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    let hash = match fs::read_to_string(root.join(".cargo_vcs_info.json")) {
        // `cargo package` has written it, also of sources that differ from the commit.
        Ok(package) if package.contains("\"dirty\": true") => return None,
        Ok(package) => {
            let (_, hash) = package.split_once("\"sha1\": \"")?;
            hash.into()
        }
        // Sources that lie in somebody else's repository are not of a commit of that.
        Err(_) if root.join(".git").exists() => {
            for moves in ["HEAD", "logs/HEAD"] {
                // Cargo would take a file that is not there for a changed one.
                if let Some(file) = git(&root, &["--git-path", moves])
                    && root.join(&file).exists()
                {
                    println!("cargo::rerun-if-changed={file}");
                }
            }
            git(&root, &["HEAD"])?
        }
        Err(_) => return None,
    };
    let digits = hash.get(..10)?;
    let is_hash = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hash.then(|| digits.into())
}

/// What `git rev-parse` says.
fn git(root: &Path, args: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    let said = command
        .arg("rev-parse")
        .args(args)
        .current_dir(root)
        .output();
    let said = said.ok().filter(|said| said.status.success())?;
    Some(String::from_utf8(said.stdout).ok()?.trim_end().into())
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
