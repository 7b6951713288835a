//! A question to the system's resolver, with a limit to how long its answer is waited for.
//!
//! `getaddrinfo(3)` asks whom `nsswitch.conf(5)` says (files, DNS, mDNS, a directory), and takes as
//! long as they do: minutes where name servers do not answer. It cannot be interrupted, and glibc's
//! `getaddrinfo_a(3)` is nothing but threads. So the question is asked in a thread of its own, before
//! the loop is there or beside it: that costs a thread for as long as it takes, and keeps every source of names that
//! the system has, where a resolver of ours would know files and DNS only. Addresses in numbers never
//! come here.
//!
//! It promises: the caller goes on when the time is over; a thread whose answer is not awaited any
//! more touches nothing of ours, and ends with its question or with the process.

use std::io;
use std::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Instant;

/// What came of a name.
pub(super) type Answer = io::Result<Vec<SocketAddr>>;

/// A name that is being looked up.
#[derive(Debug)]
pub(super) struct Question(Receiver<Answer>);

impl Question {
    /// Asks for the addresses of a host.
    ///
    /// # Errors
    /// There can be no thread.
    pub(super) fn ask(host: &str, port: u16) -> io::Result<Question> {
        let (tell, answer) = mpsc::channel();
        let host = String::from(host);
        thread::Builder::new()
            .name(String::from("resolver"))
            .spawn(move || {
                // The caller may not wait any more.
                let _ = tell.send(answer_now(&host, port));
            })?;
        Ok(Question(answer))
    }

    /// Waits for the answer: none if there was none by then.
    pub(super) fn wait(&self, until: Instant) -> Option<Answer> {
        let left = until.saturating_duration_since(Instant::now());
        self.0.recv_timeout(left).ok()
    }

    /// The answer, if it is there.
    pub(super) fn take(&self) -> Option<Answer> {
        self.0.try_recv().ok()
    }
}

/// The addresses of a host, however long that takes.
pub(super) fn answer_now(host: &str, port: u16) -> Answer {
    (host, port).to_socket_addrs().map(Iterator::collect)
}
