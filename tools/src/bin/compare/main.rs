//! The same work through every netcat and server there is, one after the other.
//!
//! `scripts/compare` builds and runs this. What the works are is in [`works`]; who takes part, in
//! [`subjects`]; what everything is measured against, in [`floor`]. In each round every subject
//! does a case once, each round starting with another one, so that a machine that becomes slower
//! or faster meanwhile hits all alike.

#![allow(unreachable_pub, reason = "a program, in which nothing is reachable")]

#[cfg(target_os = "linux")]
mod bars;
#[cfg(target_os = "linux")]
mod contest;
#[cfg(target_os = "linux")]
mod dialect;
#[cfg(target_os = "linux")]
mod floor;
#[cfg(target_os = "linux")]
#[path = "../../../../benches/support/frames.rs"]
mod frames;
#[cfg(target_os = "linux")]
#[path = "../../../../benches/support/load.rs"]
mod load;
#[cfg(target_os = "linux")]
mod plot;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod subjects;
#[cfg(target_os = "linux")]
#[path = "../../../../benches/support/tls.rs"]
mod tls;
#[cfg(target_os = "linux")]
mod works;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    run::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("compare: processes are measured through /proc, which only Linux has");
    ExitCode::FAILURE
}
