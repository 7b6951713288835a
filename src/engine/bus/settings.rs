//! What the bus is told at the start.

use crate::engine::bus::address::Login;
use crate::engine::bus::address::Server;

/// What the bus is told at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which class it is: [`is_word`](super::is_word).
    pub class: String,
    /// What this hub is called: [`is_word`](super::is_word).
    pub hub: String,
    /// One or more.
    pub servers: Vec<Server>,
    /// Who we are.
    pub login: Login,
    /// Never without TLS.
    pub tls: bool,
    /// So many bytes wait for the bus while it is away, about.
    pub buffer: usize,
    /// Without a log, even if there could be one.
    pub at_most_once: bool,
    /// So many lines that were said before this hub began are given.
    pub history: u64,
}
