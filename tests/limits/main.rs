//! What a hub takes of a machine at most, whatever its peers do: memory, work and descriptors, as
//! docs/RELIABILITY.md says.

#[cfg(feature = "tls")]
#[path = "../support/credulous.rs"]
mod credulous;
#[path = "../support/forgery.rs"]
mod forgery;
#[path = "../support/mod.rs"]
mod support;

mod abuse;
mod budget;
mod memory;
mod tls;
