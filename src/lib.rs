//! muxnc: a netcat for many. One single-threaded mio loop connects a whole classroom to one
//! terminal.
//!
//! ```text
//!  floor 3   cli ─────────────── the user's words: options become a configuration
//!  floor 2   hub client scan udp the loops, the only owners of a Poll
//!  floor 1   io ──────────────── the edges of the world: sockets, descriptors, errno
//!  floor 0   engine ──────────── pure decisions: no sockets, no clock, no log
//!
//!  The way of a line, from the operator to a peer and back:
//!
//!  stdin ─► room.typed ─► journal ─► room.flush ─► socket
//!                            ▲ (--broker)
//!  stdout ◄─ screen ◄─ lines ┴ room.heard ◄─ socket
//! ```
//!
//! Imports go down only. The program is [`cli::parse`] and then [`hub::run`], [`client::run`],
//! [`scan::run`] or [`udp::run`];
//! the library exists so that benches and tests link the very code that runs.
//!
//! ```
//! use muxnc::engine::journal::Journal;
//!
//! // Everybody's stream is one log, and each peer a place in it.
//! let mut journal = Journal::new();
//! let mut alice = journal.join();
//! journal.append(b"Hello\n");
//! assert_eq!(journal.owed(&alice), 6);
//! journal.advance(&mut alice, 6);
//! assert_eq!(journal.owed(&alice), 0);
//! ```

pub mod cli;
pub mod client;
pub mod engine;
pub mod hub;
pub mod io;
pub mod scan;
pub mod status;
pub mod udp;
