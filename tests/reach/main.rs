//! Getting there: the addresses of a name, raced.

#[path = "../support/mod.rs"]
mod support;

mod race;
