//! What is generated: what is committed of it is what the command line and the sources are.

use std::process::Command;

#[test]
fn what_is_committed_is_up_to_date() {
    let generate = env!("CARGO_BIN_EXE_generate");
    let checked = Command::new(generate).arg("--check").output().unwrap();
    let told = String::from_utf8_lossy(&checked.stderr);
    assert!(
        checked.status.success(),
        "{told}cargo run --package muxnc-tools --bin generate"
    );
}
