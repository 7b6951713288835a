//! Floor 0: the engine. Pure decisions: bytes in, bytes out, and the time is an argument.
//!
//! Nothing here knows of mio, descriptors, sockets, clocks or logs (`tests/layers.rs` sees to it),
//! so all of it is tested without any of them.

pub mod admit;
pub mod chat;
pub mod command;
pub mod dead_peer;
pub mod delay;
pub mod editor;
pub mod idle;
pub mod journal;
pub mod lines;
pub mod newline;
pub mod progress;
pub mod proxy;
pub mod race;
pub mod rate;
pub mod record;
pub mod room;
pub mod screen;
pub mod visible;
