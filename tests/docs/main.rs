//! The documents' commands, run as they stand there.

#[path = "../support/mod.rs"]
mod support;

mod blocks;
mod coming_from;
mod documents;
mod guide;
mod readme;
mod shown;
mod stage;
mod teaching;
