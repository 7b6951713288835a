//! A muxnc that was built without TLS. The doors are those of the rooms that are not there, and
//! nobody can go through them: the command line refuses, and no value of these types exists.

#![allow(missing_docs, reason = "see the rooms that these stand for")]
#![allow(clippy::missing_errors_doc, reason = "the same")]

use std::fmt;
use std::io;
use std::io::Read;
use std::io::Write;
use std::time::Instant;

use mio::Registry;
use mio::Token;

use super::ClientTls;
use super::Fingerprint;
use super::HubTls;
use super::Step;
use crate::io::addr::Addr;
use crate::io::conn::Stream;
use crate::io::error::Error;
use crate::io::transport::Transport;

#[derive(Debug)]
pub enum Session {}

#[derive(Debug)]
pub enum Acceptor {}

#[derive(Debug)]
pub enum Connector {}

#[derive(Debug)]
pub enum Handshakes {}

fn refusal() -> Error {
    Error::usage("--ssl", "this muxnc was built without TLS")
}

impl Session {
    pub fn transport(&self) -> &Transport {
        match *self {}
    }

    pub fn transport_mut(&mut self) -> &mut Transport {
        match *self {}
    }
}

impl fmt::Display for Session {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Read for Session {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl Write for Session {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}

impl Stream for Session {
    fn shutdown(&mut self) -> io::Result<()> {
        match *self {}
    }

    fn take_error(&mut self) -> Option<io::Error> {
        match *self {}
    }
}

impl Acceptor {
    pub fn new(_: &HubTls) -> Result<Acceptor, Error> {
        Err(refusal())
    }

    pub fn fingerprint(&self) -> Fingerprint {
        match *self {}
    }
}

impl Connector {
    pub fn new(_: &ClientTls, _: &str) -> Result<Connector, Error> {
        Err(refusal())
    }

    pub fn connect(&self, _: Transport, _: &Addr, _: Instant) -> Result<Session, Error> {
        match *self {}
    }
}

impl Handshakes {
    pub fn new(acceptor: Acceptor) -> Handshakes {
        match acceptor {}
    }

    pub fn begin(&mut self, _: Transport, _: impl Into<Addr>, _: &Registry, _: Instant) {
        match *self {}
    }

    pub fn collect(&mut self, _: Token) -> bool {
        match *self {}
    }

    pub fn is_ready(&self) -> bool {
        match *self {}
    }

    pub fn deadline(&self) -> Option<Instant> {
        match *self {}
    }

    pub fn clear(&mut self) {
        match *self {}
    }

    pub fn step(&mut self, _: &Registry, _: Instant) -> Option<Step> {
        match *self {}
    }
}
