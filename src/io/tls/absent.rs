//! A muxnc that was built without TLS: the command line refuses what asks for it, and no value of these
//! types exists.

use std::convert::Infallible;
use std::fmt;
use std::time::Instant;

use super::ClientTls;
use super::Fingerprint;
use super::HubTls;
use crate::io::addr::Addr;
use crate::io::error::Error;
use crate::io::small_file::Files;
use crate::io::socket::Socket;

/// Would make sessions for those who come to a hub.
#[derive(Debug, Clone)]
pub enum Acceptor {}

/// Would make the session of a participant.
#[derive(Debug)]
pub enum Connector {}

/// Would be one TLS connection.
#[derive(Debug)]
pub struct Session(Infallible);

impl Session {
    /// What would be made of a session.
    pub fn never<T>(&self) -> T {
        match self.0 {}
    }
}

impl fmt::Display for Session {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

/// Told where a server of the bus asks for it: options that do were refused.
fn refusal() -> Error {
    Error::new("set up TLS", "this muxnc was built without it")
}

#[allow(missing_docs, reason = "see config.rs, which this stands for")]
#[allow(clippy::missing_errors_doc, reason = "the same")]
impl Acceptor {
    pub fn new(_: &HubTls, _: &mut Files) -> Result<Acceptor, Error> {
        Err(refusal())
    }

    pub fn fingerprint(&self) -> Fingerprint {
        match *self {}
    }

    pub fn accept(&self, _: Socket) -> Session {
        match *self {}
    }
}

#[allow(missing_docs, reason = "see config.rs, which this stands for")]
#[allow(clippy::missing_errors_doc, reason = "the same")]
impl Connector {
    pub fn new(_: &ClientTls, _: &str, _: &mut Files) -> Result<Connector, Error> {
        Err(refusal())
    }

    pub fn begin(&self, _: Socket, _: &str) -> Result<Session, Error> {
        match *self {}
    }

    pub fn connect(&self, _: Socket, _: &Addr, _: Instant) -> Result<Session, Error> {
        match *self {}
    }
}
