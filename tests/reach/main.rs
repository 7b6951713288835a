//! Getting there: the addresses of a name, raced, and proxies.

#[path = "../support/mod.rs"]
mod support;

mod proxy;
mod race;
