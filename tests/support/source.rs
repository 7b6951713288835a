//! A stdin that can break off in its midst: a connection, which a reset ends (tcp(7)).

use std::io::Write;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::Duration;

use socket2::SockRef;

use super::Server;
use super::connect;

/// Who sends such a stdin.
pub struct Source(TcpStream);

impl Source {
    /// One, and the stdin of the program that is to read it.
    pub fn new() -> (Source, OwnedFd) {
        let server = Server::new();
        let stdin = connect(server.port.parse().unwrap());
        (Source(server.accept()), stdin.into())
    }

    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }

    /// The next that is read of it is an error.
    pub fn break_off(self) {
        let at_once = Some(Duration::ZERO);
        SockRef::from(&self.0).set_linger(at_once).unwrap();
    }
}
