//! What a hub takes of a machine at most, whatever its peers do: memory, work and descriptors, as
//! docs/RELIABILITY.md says.

#[path = "../support/forgery.rs"]
mod forgery;
#[path = "../support/mod.rs"]
mod support;

mod abuse;
mod budget;
mod memory;
mod tls;
