//! Floor 1: the edges of the world. Sockets, descriptors, errno; no policy.

pub mod access;
pub mod addr;
pub mod confine;
pub mod conn;
pub mod console;
pub mod descriptor;
pub mod dial;
pub mod door;
pub mod error;
pub mod job;
pub mod listener;
pub mod net;
pub mod notices;
pub mod output;
pub mod proxy;
pub mod record;
pub mod signals;
pub mod stdin;
pub mod tcp_info;
pub mod terminal;
pub mod tls;
pub mod transport;
pub mod unix;
pub mod zero_copy;
