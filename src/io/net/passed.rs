//! Listening sockets that the program which started us passes, as systemd does for a socket unit:
//! `sd_listen_fds(3)`.
//!
//! It promises: a passed socket is taken only if it is the one listening TCP socket that a hub can
//! serve, and then has the same options as one of our own.

use std::net::TcpListener;

use listenfd::ListenFd;
use socket2::SockRef;

use super::BACKLOG;
use super::set_options;
use crate::io::error::Error;

const HINT: &str = "A hub serves one listening TCP socket: in the socket unit, ListenStream=PORT \
                    once, and no Accept=yes.";

/// For whom the environment says that sockets are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passed {
    /// None were passed.
    Nothing,
    /// For this process.
    ToUs,
    /// For the process with this id, from which we inherited the environment.
    ToAnother(String),
}

/// Looks into the environment, and at nothing else.
pub fn passed() -> Passed {
    let value = |name| std::env::var(name).unwrap_or_default();
    if matches!(value("LISTEN_FDS").as_str(), "" | "0") {
        return Passed::Nothing;
    }
    match value("LISTEN_PID") {
        pid if pid == std::process::id().to_string() => Passed::ToUs,
        pid => Passed::ToAnother(pid),
    }
}

/// The socket that was passed, non-blocking, with the options and the backlog of one of ours.
/// To be called once, before anything is opened.
///
/// # Errors
/// There are several, or it is nothing that a hub can serve.
pub(super) fn take() -> Result<TcpListener, Error> {
    let bad = |why: &str| Error::new("take the socket that was passed", why).hint(HINT);
    let count = std::env::var("LISTEN_FDS").unwrap_or_default();
    if count != "1" {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names = match names.is_empty() {
            true => String::new(),
            false => format!(" ({})", names.replace(':', ", ")),
        };
        return Err(bad(&format!("there are {count}{names}")));
    }
    let listener = ListenFd::from_env()
        .take_tcp_listener(0)
        .map_err(|error| bad(&error.to_string()))?
        .ok_or_else(|| bad("there is none"))?;
    let socket = SockRef::from(&listener);
    if !listens(&listener) {
        return Err(bad("it does not listen"));
    }
    set_options(&socket)
        .and_then(|()| socket.set_nonblocking(true))
        .and_then(|()| socket.listen(BACKLOG))
        .map_err(|error| Error::system("take the socket that was passed", &error))?;
    Ok(listener)
}

/// Whether it listens, as far as the system tells.
#[cfg(not(target_vendor = "apple"))]
fn listens(socket: &TcpListener) -> bool {
    rustix::net::sockopt::socket_acceptconn(socket).unwrap_or(true)
}

/// On macOS only accepting would tell.
#[cfg(target_vendor = "apple")]
fn listens(_: &TcpListener) -> bool {
    true
}
