//! Dialling beside a loop: from a name to a connection, without blocking.
//!
//! ```text
//!   asking ──────────► racing ──────► won
//!     │ the resolver's   │ the first that answers
//!     └──────────────────┴──────────► lost
//! ```
//!
//! It promises: no call of it waits; it is over [`USUAL`] after it began at the latest. An answer
//! of the resolver is no event: the loop looks for it every [`LOOKS`] while it waits for one.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;
use std::time::Instant;

use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::unix::SourceFd;

use super::question::Question;
use super::race::Race;
use super::race::Remote;
use super::race::Step;
use super::resolve::Family;
use super::resolve::Lookup;
use super::resolve::NO_ANSWER;
use super::resolve::USUAL;
use super::resolve::doing;
use super::resolve::known;
use super::resolve::sift;
use crate::engine::explain::Unexplained;
use crate::io::error::Error;
use crate::io::error::why;

/// How often it is looked whether a name was found.
const LOOKS: Duration = Duration::from_millis(20);

/// A connection that is being made. See the module's documentation.
#[derive(Debug)]
pub struct Dialling {
    remote: Remote,
    began: Instant,
    state: State,
    /// When to go on, if nothing happens before.
    deadline: Instant,
}

#[derive(Debug)]
enum State {
    New,
    Asking(Question),
    Racing(Box<Race>),
}

/// How far it is.
#[derive(Debug)]
pub enum Dialled<S> {
    /// Not yet.
    Pending,
    /// It is connected to that address.
    Done(S, SocketAddr),
    /// It could not be connected.
    Failed(Error),
}

impl Dialling {
    /// Dials a host, from whichever address of ours.
    pub fn new(host: &str, port: u16, now: Instant) -> Dialling {
        Dialling {
            remote: Remote {
                host: host.into(),
                port,
                family: Family::Any,
                lookup: Lookup::Names,
                source: None,
                source_port: None,
                limit: USUAL,
            },
            began: now,
            state: State::New,
            deadline: now,
        }
    }

    /// Goes on, as far as it can be gone on now. Events of its sockets come with `token`.
    pub fn step(&mut self, registry: &Registry, token: Token) -> Dialled<std::net::TcpStream> {
        match self.try_step(registry, token) {
            Ok(Some((stream, addr))) => Dialled::Done(stream, addr),
            Ok(None) => Dialled::Pending,
            Err(error) => Dialled::Failed(error),
        }
    }

    fn try_step(
        &mut self,
        registry: &Registry,
        token: Token,
    ) -> Result<Option<(std::net::TcpStream, SocketAddr)>, Error> {
        let end = self.began + USUAL;
        let Remote {
            host, port, family, ..
        } = &self.remote;
        if let State::New = self.state {
            match known(host, *port, *family, Lookup::Names) {
                Some(found) => self.race(found?),
                None => {
                    let question = Question::ask(host, *port)
                        .map_err(|error| Error::new(doing(host), why(&error)))?;
                    self.state = State::Asking(question);
                }
            }
        }
        if let State::Asking(question) = &self.state {
            let Remote { host, family, .. } = &self.remote;
            match question.take() {
                Some(answer) => self.race(sift(answer, host, *family)?),
                None if Instant::now() < end => {
                    self.deadline = end.min(Instant::now() + LOOKS);
                    return Ok(None);
                }
                None => return Err(Error::new(doing(host), NO_ANSWER)),
            }
        }
        let State::Racing(race) = &mut self.state else {
            return Ok(None);
        };
        match race.step(&mut Unexplained) {
            Step::Won(socket, addr) => {
                // The next owner registers it anew; a socket that was connected at once was not
                // registered yet.
                let _ = registry.deregister(&mut SourceFd(&socket.as_raw_fd()));
                Ok(Some((socket.into(), addr)))
            }
            Step::Wait(until) => {
                self.deadline = until;
                for socket in race.sockets() {
                    // One that is there already stays as it is.
                    let _ = registry.register(
                        &mut SourceFd(&socket.as_raw_fd()),
                        token,
                        Interest::WRITABLE,
                    );
                }
                Ok(None)
            }
            Step::Lost(error) => Err(error),
        }
    }

    fn race(&mut self, addrs: Vec<SocketAddr>) {
        let end = self.began + USUAL;
        let race = Race::new(self.remote.clone(), addrs, self.began, end);
        self.state = State::Racing(Box::new(race));
    }

    /// When to go on, if no event comes before.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use mio::Events;
    use mio::Poll;

    use super::*;

    /// Drives it as a loop does.
    fn dial(host: &str, port: u16) -> Result<SocketAddr, Error> {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let mut dialling = Dialling::new(host, port, Instant::now());
        loop {
            match dialling.step(poll.registry(), Token(7)) {
                Dialled::Done(stream, addr) => {
                    assert_eq!(stream.peer_addr().unwrap(), addr);
                    return Ok(addr);
                }
                Dialled::Failed(error) => return Err(error),
                Dialled::Pending => {}
            }
            let left = dialling
                .deadline()
                .saturating_duration_since(Instant::now());
            poll.poll(&mut events, Some(left)).unwrap();
            assert!(events.iter().all(|event| event.token() == Token(7)));
        }
    }

    #[test]
    fn numbers_and_names_are_reached_and_a_closed_port_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost"] {
            let addr = dial(host, port).unwrap();
            assert_eq!((addr.is_ipv4(), addr.port()), (true, port));
        }
        drop(listener);
        let refused = dial("127.0.0.1", port).unwrap_err().to_string();
        assert!(refused.contains("refused"), "{refused}");
        let nowhere = dial("nowhere.invalid", port).unwrap_err().to_string();
        assert!(nowhere.contains("look up nowhere.invalid"), "{nowhere}");
        assert!(dial("3000", port).is_err());
    }
}
