//! `--once`: what `nc -l` does. The first to come is served as a participant serves a connection,
//! and nobody else.
//!
//! With TLS the first is whoever has agreed on it first: who only connects keeps nobody out.

use std::io;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::Instant;

use mio::Events;
use mio::Poll;
use mio::net::TcpStream;

use super::EVENTS;
use super::LISTENER;
use super::peers::PLAIN_REFUSAL;
use crate::client;
use crate::client::Settings;
use crate::io::conn::Conn;
use crate::io::door::Arrival;
use crate::io::door::Door;
use crate::io::error::Error;
use crate::io::net;
use crate::io::notices::Notices;
use crate::io::notices::Stderr;
use crate::io::tls::Handshakes;
use crate::io::tls::Step;
use crate::status::Status;

pub(super) fn serve(
    listener: TcpListener,
    handshakes: Option<Handshakes>,
    settings: Settings,
    notices: &Notices,
) -> Result<Status, Error> {
    let mut stderr = Stderr::new(notices.clone());
    stderr.finish();
    let first = match handshakes {
        None => first(listener),
        Some(handshakes) => first_agreed(listener, handshakes, &mut stderr),
    };
    let conn = first.map_err(|error| Error::system("wait for a connection", &error))?;
    drop(stderr);
    client::serve(conn, settings, notices)
}

/// Whoever else comes is refused by the system: nobody listens any more.
fn first(listener: TcpListener) -> io::Result<Conn> {
    listener.set_nonblocking(false)?;
    let (stream, addr) = loop {
        match listener.accept() {
            Ok(accepted) => break accepted,
            Err(error) if net::is_exhausted(&error) => return Err(error),
            // accept(2): that one was gone before it was served.
            Err(error) => log::debug!("accept: {error}"),
        }
    };
    stream.set_nonblocking(true)?;
    Ok(Conn::new(TcpStream::from_std(stream).into(), addr))
}

fn first_agreed(
    listener: TcpListener,
    mut handshakes: Handshakes,
    stderr: &mut Stderr,
) -> io::Result<Conn> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(EVENTS);
    let mut door = Door::new(listener, poll.registry(), LISTENER)?;
    loop {
        let deadlines = [door.deadline(), handshakes.deadline()];
        let next = deadlines.into_iter().flatten().min();
        let timeout = next.map(|at| at.saturating_duration_since(Instant::now()));
        match poll.poll(&mut events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        let now = Instant::now();
        for event in &events {
            match event.token() {
                LISTENER => door.collect(),
                token => {
                    handshakes.collect(token);
                }
            }
        }
        loop {
            match door.accept(now) {
                Arrival::Peer(stream, addr) => {
                    handshakes.begin(stream, addr, poll.registry(), now);
                }
                Arrival::Failed => {}
                Arrival::Nobody | Arrival::Exhausted => break,
            }
        }
        while let Some(step) = handshakes.step(poll.registry(), now) {
            match step {
                Step::Agreed(conn) => return Ok(conn),
                Step::Plain(conn) => door.refuse(conn, PLAIN_REFUSAL, now),
                Step::GivenUp => door.someone_left(),
                Step::Waits => {}
            }
        }
        stderr.finish();
    }
}
