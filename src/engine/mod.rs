//! Floor 0: the engine. Pure decisions: bytes in, bytes out, and the time is an argument.
//!
//! Nothing here knows of mio, descriptors, sockets, clocks or logs (`tests/engine/layers.rs` sees to it),
//! so all of it is tested without any of them.

pub mod admit;
pub mod aligned;
pub mod answers;
pub mod aside;
pub mod brackets;
pub mod budget;
#[cfg(feature = "bus")]
pub mod bus;
pub mod chat;
pub mod command;
mod confusables;
pub mod conversation;
pub mod crlf;
pub mod dead_peer;
pub mod dialect;
pub mod digest;
pub mod editor;
pub mod escape;
pub mod explain;
pub mod flow;
pub mod fold;
pub mod handover;
pub mod handshakes;
pub mod happy_eyeballs;
pub mod idle;
pub mod journal;
pub mod limiter;
pub mod line_delay;
pub mod lines;
mod lookalike;
pub mod names;
pub mod own_progress;
pub mod ports;
pub mod private;
pub mod progress;
pub mod proxy;
pub mod rate;
pub mod record;
pub mod request;
pub mod room;
pub mod rows;
pub mod scan;
pub mod screen;
pub mod telnet;
pub mod typing;
pub mod udp;
#[cfg(feature = "web")]
pub mod web;
pub mod whom;
