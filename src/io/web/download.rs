//! One connection to a hub that offers a file: a request in HTTP, and its answer.
//!
//! ```text
//!   asking ─┬─► wants something ─► (the hub asks for a place) ─► answered ─► the file's bytes
//!           └─► refused
//! ```
//!
//! It promises: the bytes that are written follow the answer; of what comes only the request is
//! kept.

use std::borrow::Cow;
use std::io;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use super::asking::Asked;
use super::asking::Asking;
use super::asking::in_http;
use super::outgoing::Outgoing;
use super::site::Site;
use crate::engine::aside::Aside;
use crate::engine::aside::Returning;
use crate::engine::explain::Agreement;
use crate::engine::explain::Reading;
use crate::engine::explain::Witness;
use crate::engine::web::fetch;
use crate::engine::web::fetch::Wanted;
use crate::io::stream::Ahead;
use crate::io::stream::Beside;
use crate::io::stream::Fetching;
use crate::io::stream::Handed;
use crate::io::stream::Handshake;
use crate::io::stream::Received;
use crate::io::stream::Refusal;
use crate::io::stream::Sent;
use crate::io::stream::Stream;
use crate::io::stream::Unread;
use crate::io::tcp_info::TcpInfo;

/// See the module's documentation.
#[derive(Debug)]
pub struct Download<S> {
    under: S,
    site: Arc<Site>,
    local: SocketAddr,
    is_costly: bool,
    /// What was asked is asked by HEAD.
    is_head: bool,
    state: State,
    /// The answer, as far as it was not written.
    outgoing: Outgoing,
}

#[derive(Debug)]
enum State {
    Asking(Asking),
    Wants(Wanted),
    /// It has an answer, and why it was refused, if that is news.
    Answered(Option<Cow<'static, str>>),
}

impl<S: Stream> Download<S> {
    /// Over a connection to the address `local` of this machine.
    pub fn new(under: S, site: Arc<Site>, local: SocketAddr) -> Download<S> {
        Download {
            is_costly: under.shakes_hands(),
            under,
            site,
            local,
            is_head: false,
            state: State::Asking(Asking::default()),
            outgoing: Outgoing::default(),
        }
    }

    /// What it runs over.
    pub fn under(&self) -> &S {
        &self.under
    }

    /// The same, to register it.
    pub fn under_mut(&mut self) -> &mut S {
        &mut self.under
    }

    fn read_request(&mut self, witness: &mut dyn Witness) -> Handshake {
        let State::Asking(asking) = &mut self.state else {
            return Handshake::Pending;
        };
        let origins = self.site.origins(self.local);
        let understand = |head: &[u8]| fetch::read(head, &origins);
        let asked = asking.read_on(&mut self.under, witness, understand);
        self.is_head = asking.is_head();
        match asked {
            Asked::NotYet(step) => step,
            Asked::For(wanted) => {
                self.state = State::Wants(wanted);
                Handshake::Fetches
            }
            Asked::Refused(refusal) => {
                let answer = self.site.refuse(&refusal, self.local);
                self.outgoing.answer(answer, self.is_head, witness);
                self.state = State::Answered(refusal.into_news());
                self.go_on_answering()
            }
        }
    }

    fn go_on_answering(&mut self) -> Handshake {
        let unwritten = self.outgoing.unwritten();
        match self.outgoing.flush(&mut self.under) {
            Ok(false) if self.outgoing.unwritten() < unwritten => Handshake::Replied,
            Ok(false) => Handshake::Pending,
            Ok(true) => match &mut self.state {
                State::Answered(refused) => Handshake::Answered(refused.take()),
                State::Asking(_) | State::Wants(_) => Handshake::Pending,
            },
            Err(_) => Handshake::Left,
        }
    }
}

impl<S: Stream + AsFd> Stream for Download<S> {
    fn shakes_hands(&self) -> bool {
        true
    }

    fn handshake(&mut self, witness: &mut dyn Witness) -> Handshake {
        match self.state {
            State::Asking(_) => self.read_request(witness),
            State::Wants(_) => Handshake::Fetches,
            State::Answered(_) => self.go_on_answering(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Received {
        self.under.read(buffer)
    }

    fn peek(&mut self, _: &mut [u8]) -> Ahead {
        Ahead::Bytes(0)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Sent {
        match self.outgoing.flush(&mut self.under) {
            Ok(true) => self.under.write(slices),
            Ok(false) => Sent::Full,
            Err(error) => Sent::Failed(error),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.outgoing.flush(&mut self.under)?;
        self.under.flush()
    }

    fn shutdown(&mut self) -> io::Result<()> {
        self.under.shutdown()
    }

    fn hang_up(&mut self) -> io::Result<()> {
        self.under.hang_up()
    }

    fn take_error(&mut self) -> Option<io::Error> {
        self.under.take_error()
    }

    fn has_buffered_input(&self) -> bool {
        self.under.has_buffered_input()
    }

    fn unread(&self) -> Unread {
        self.under.unread()
    }

    fn has_pending_output(&self) -> bool {
        self.outgoing.is_pending() || self.under.has_pending_output()
    }

    fn authenticates_eof(&self) -> bool {
        self.under.authenticates_eof()
    }

    fn is_wire(&self) -> bool {
        self.under.is_wire()
    }

    fn tells_hang_up(&self) -> bool {
        self.under.tells_hang_up()
    }

    fn has_closed(&self) -> bool {
        self.under.has_closed()
    }

    fn can_half_close(&self) -> bool {
        self.under.can_half_close()
    }

    fn probe_soon(&mut self) {
        self.under.probe_soon();
    }

    fn break_on_close(&mut self, breaks: bool) {
        self.under.break_on_close(breaks);
    }

    fn tcp_info(&self) -> Option<TcpInfo> {
        self.under.tcp_info()
    }

    fn reading(&self) -> Option<Reading> {
        self.under.reading()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.under.local_addr()
    }

    fn agreements(&self) -> Vec<Agreement> {
        Vec::new()
    }

    fn refuse(&mut self, refusal: &Refusal, witness: &mut dyn Witness) -> io::Result<()> {
        let answer = self.site.refuse(&in_http(refusal), self.local);
        self.outgoing.answer(answer, self.is_head, witness);
        self.state = State::Answered(None);
        self.outgoing.flush(&mut self.under).map(drop)
    }

    fn beside(&mut self) -> Option<&mut dyn Beside> {
        Some(self)
    }
}

impl<S: Stream + AsFd> Fetching for Download<S> {
    fn wanted(&self) -> Option<&Wanted> {
        match &self.state {
            State::Wants(wanted) => Some(wanted),
            State::Asking(_) | State::Answered(_) => None,
        }
    }

    fn answer(&mut self, answer: &[u8]) {
        self.outgoing.push(answer);
        self.state = State::Answered(None);
    }

    #[cfg(target_os = "linux")]
    fn send(&mut self, file: BorrowedFd<'_>, at: u64, most: usize) -> Handed {
        use rustix::io::Errno;
        if !self.is_wire() || self.has_pending_output() {
            return Handed::Refused;
        }
        // With an offset of its own sendfile(2) leaves the file's position alone, so another reader
        // goes on where it was.
        let mut at = at;
        match rustix::fs::sendfile(self.under.as_fd(), file, Some(&mut at), most) {
            Ok(0) => Handed::Nothing,
            Ok(count) => Handed::Bytes(count),
            Err(Errno::AGAIN) => Handed::Full,
            Err(Errno::INTR) => Handed::Bytes(0),
            Err(error @ (Errno::PIPE | Errno::CONNRESET | Errno::TIMEDOUT)) => {
                Handed::Failed(error.into())
            }
            Err(_) => Handed::Refused,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn send(&mut self, _: BorrowedFd<'_>, _: u64, _: usize) -> Handed {
        Handed::Refused
    }
}

/// A client that downloads is in no room, and is told nothing of one.
impl<S: Stream + AsFd> Beside for Download<S> {
    fn is_costly(&self) -> bool {
        self.is_costly
    }

    fn fetching(&mut self) -> Option<&mut dyn Fetching> {
        Some(self)
    }

    fn welcome(&mut self, _: &mut dyn Witness) {}

    fn returning(&self) -> Option<&Returning> {
        None
    }

    fn has_told_why(&self) -> bool {
        false
    }

    fn ping(&mut self) {}

    fn say(&mut self, _: &Aside<'_>) {}
}
