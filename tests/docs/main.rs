//! The documents' commands, run as they stand there.

#[path = "../support/mod.rs"]
mod support;

mod blocks;
mod readme;
mod stage;
mod teaching;
