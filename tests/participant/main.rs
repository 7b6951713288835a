//! The participant, and whatever else connects or is connected to: the real binary, and the other netcats.

#[path = "../support/mod.rs"]
mod support;

mod errors;
mod explain;
mod files;
mod interop;
mod netcat;
mod reach;
mod udp;
