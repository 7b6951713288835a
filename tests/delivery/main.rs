//! Nothing is lost, and status 0 means so: long streams through the real binary, whatever the others
//! do, and the delivery matrix, every kind of stdin against every kind of everything else.
//!
//! `MUXNC_CASE=file,pipe,tcp,half-slow,none cargo test --test delivery matrix -- --nocapture` runs
//! one combination, with `*` for any value; `scripts/delivery-matrix` runs more of them than there
//! is time for here.

#[allow(
    dead_code,
    reason = "shared by test files, none of which uses all of it"
)]
#[path = "../support/chance.rs"]
mod chance;
#[path = "../support/mod.rs"]
mod support;

mod bulk;
mod ends;
mod hub;
mod matrix;
mod network;
mod peers;
mod plan;
mod report;
mod rule;
mod run;
mod server;
mod stream;
