//! A connection: a stream, what is known of its readiness, and how far each of its directions is.
//!
//! A bit of [`Readiness`] leads to a read or a write, and that tells the truth.
//!
//! It promises: one system call per call, bounded by the buffer given; the last bytes before a
//! reset or a close are read before either is reported. The rules hold for any stream (`S`), so
//! they are tested over a model of one, without a kernel.

#[cfg(feature = "web")]
mod fetching;

use std::io;
use std::io::IoSlice;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use mio::Registry;
use mio::Token;

use crate::engine::dead_peer::DeadPeerTimer;
use crate::engine::explain::Observed;
use crate::engine::explain::Sentence;
use crate::engine::explain::Story;
use crate::engine::explain::Unexplained;
use crate::engine::explain::Witness;
use crate::io::addr::Addr;
use crate::io::layer::Layer;
use crate::io::net;
use crate::io::readiness::Event;
use crate::io::readiness::Readiness;
use crate::io::readiness::ShortRead;
use crate::io::readiness::Watch;
use crate::io::stream::Ahead;
use crate::io::stream::Beside;
use crate::io::stream::Handshake;
use crate::io::stream::Received;
use crate::io::stream::Refusal;
use crate::io::stream::Sent;
use crate::io::stream::Stream;
use crate::io::stream::Unread;
use crate::io::tcp_info::TcpInfo;

/// A connection. See the module's documentation.
#[derive(Debug)]
pub struct Conn<S = Layer> {
    stream: S,
    addr: Addr,
    ready: Readiness,
    /// The other side's end was read.
    ended: bool,
    /// Our own side was ended.
    shut: bool,
    /// Closing it breaks the connection.
    breaks: bool,
    dead_peer: DeadPeerTimer,
    /// Only where it is explained what happens.
    story: Option<Box<Story>>,
}

impl<S: AsFd> AsFd for Conn<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Conn {
    /// Asks for events.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn register(&mut self, registry: &Registry, token: Token, watch: Watch) -> io::Result<()> {
        self.stream.register(registry, token, watch)
    }

    /// Asks that the events tell of room, too: at once, if there is some.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn await_room(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.stream.await_room(registry, token)
    }

    /// Takes it out of the registry that it was registered with, so that another can watch it.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.stream.deregister(registry)
    }
}

impl<S: Stream> Conn<S> {
    /// A connection to `addr`, which must be non-blocking.
    pub fn new(stream: S, addr: impl Into<Addr>) -> Conn<S> {
        let mut ready = Readiness::CONNECTED;
        if stream.has_buffered_input() {
            ready = Readiness::UNKNOWN;
        }
        Conn {
            stream,
            addr: addr.into(),
            ready,
            ended: false,
            shut: false,
            breaks: false,
            dead_peer: DeadPeerTimer::default(),
            story: None,
        }
    }

    /// What carries it, for another connection over that.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// From now on it is explained what happens, as the next part of this story.
    pub fn explain(&mut self, story: Story) {
        self.story = Some(Box::new(story));
    }

    /// The same of one that was accepted just now.
    pub fn explain_accepted(&mut self) {
        let mut story = Story::default();
        story.observe(Observed::Accepted {
            local: self.stream.local_addr(),
            remote: self.addr.socket_addr(),
        });
        self.explain(story);
    }

    /// Whether it is explained what happens.
    pub fn is_explained(&self) -> bool {
        self.story.is_some()
    }

    /// Something about it happened elsewhere.
    pub fn observe(&mut self, what: Observed<'_>) {
        if let Some(story) = &mut self.story {
            story.observe(what);
        }
    }

    /// It is closed after this.
    pub fn observe_closing(&mut self) {
        if self.is_explained() {
            let (breaks, unread) = (self.breaks, self.unread().bytes);
            self.observe(Observed::Closing { breaks, unread });
        }
    }

    /// The sentences that are to be told now, after a look at the kernel's account if it may say
    /// more.
    pub fn tell(&mut self, now: Instant) -> Vec<Sentence> {
        let Some(story) = &mut self.story else {
            return Vec::new();
        };
        if story.wants_look(now) {
            match self.stream.reading() {
                Some(reading) => story.observe(Observed::Looked(reading, now)),
                None => story.observe(Observed::Unread),
            }
        }
        story.take(now)
    }

    /// When there is more to tell, if nothing happens before.
    pub fn tells_at(&self) -> Option<Instant> {
        self.story.as_ref()?.deadline()
    }

    /// Takes note of an event.
    pub fn collect(&mut self, event: impl Into<Event>) {
        self.ready.collect(event.into());
    }

    /// The other side's address.
    pub fn addr(&self) -> &Addr {
        &self.addr
    }

    /// Whether a read may find something.
    pub fn is_readable(&self) -> bool {
        self.ready.is_readable()
    }

    /// Whether a write may get somewhere.
    pub fn is_writable(&self) -> bool {
        self.ready.is_writable()
    }

    /// Lets it be read, though no event may have told that there is something.
    pub fn expect_bytes(&mut self) {
        self.ready.expect_bytes();
    }

    /// Lets it be read to its end, though no event may tell that there is something: for a
    /// connection that takes no more, of which something may still be unread.
    pub fn expect_end(&mut self) {
        self.ready.expect_end();
    }

    /// Whether the other side's end was read.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether our own side was ended.
    pub fn is_shut(&self) -> bool {
        self.shut
    }

    /// Whether the bytes here are the bytes on the wire: see [`Stream::is_wire`].
    pub fn is_wire(&self) -> bool {
        self.stream.is_wire()
    }

    /// Whether the kernel tells when the other end is closed altogether.
    pub fn tells_hang_up(&self) -> bool {
        self.stream.tells_hang_up()
    }

    /// Whether the other side can end what it sends and still read: see [`Stream::can_half_close`].
    pub fn can_half_close(&self) -> bool {
        self.stream.can_half_close()
    }

    /// Whether it told that, or the other side itself did.
    pub fn has_hung_up(&self) -> bool {
        self.stream.has_closed() || (self.stream.tells_hang_up() && self.ready.has_hung_up())
    }

    /// Why the connection broke after the end was read. Reading does not tell: after an end the
    /// kernel reports nothing but ends.
    pub fn take_error(&mut self) -> Option<io::Error> {
        let taken = self.stream.take_error();
        if let Some(error) = &taken {
            self.observe(Observed::Broke(error));
        }
        taken
    }

    /// Whether something has to be agreed on before anything is said.
    pub fn shakes_hands(&self) -> bool {
        self.stream.shakes_hands()
    }

    /// Whether an event announced an end or an error that was not read yet.
    pub fn is_closing(&self) -> bool {
        self.ready.is_closing()
    }

    /// Goes on with what has to be agreed on before anything is said.
    pub fn handshake(&mut self) -> Handshake {
        let (stream, mut unexplained) = (&mut self.stream, Unexplained);
        let step = stream.handshake(witness(&mut self.story, &mut unexplained));
        if let Handshake::Done | Handshake::Foreign = step
            && self.stream.has_buffered_input()
        {
            self.ready.expect_bytes();
        }
        if self.is_explained()
            && let Handshake::Done = step
        {
            for agreement in self.stream.agreements() {
                self.observe(Observed::Agreed(&agreement));
            }
        }
        step
    }

    /// What came and was not read, as far as is known: see [`Stream::unread`].
    pub fn unread(&self) -> Unread {
        self.stream.unread()
    }

    /// Asks more often whether the other side is there: see [`Stream::probe_soon`].
    pub fn probe_soon(&mut self) {
        self.stream.probe_soon();
        if !self.stream.tells_hang_up() {
            self.observe(Observed::Probes(net::PROBES_SOON));
        }
    }

    /// Reads once. After the end it may be called again, and [`Conn::take_error`] be asked whether
    /// a reset has come.
    pub fn read(&mut self, buffer: &mut [u8]) -> Received {
        let received = self.stream.read(buffer);
        match &received {
            Received::Bytes(count) => {
                let short = match self.stream.has_buffered_input() {
                    true => ShortRead::MoreMayFollow,
                    false => ShortRead::Drained,
                };
                self.ready.has_read(*count, buffer.len(), short);
            }
            Received::Yield => {}
            Received::Pending => self.ready.read_blocked(),
            Received::End | Received::Truncated(_) => self.end(),
            Received::Failed(_) => self.ready.read_ended(),
        }
        if let Some(story) = &mut self.story {
            match &received {
                Received::Bytes(count) => story.observe(Observed::Received(&buffer[..*count])),
                Received::End => story.observe(Observed::Ended),
                Received::Truncated(_) => story.observe(Observed::Truncated),
                Received::Failed(error) => story.observe(Observed::Broke(error)),
                Received::Yield | Received::Pending => {}
            }
        }
        received
    }

    /// Whether the other side may say goodbye by a word of its protocol, of which no event tells.
    pub fn may_say_goodbye(&self) -> bool {
        self.stream.authenticates_eof()
    }

    /// Whether it said that, and no word before it that was not read: see [`Stream::peek`].
    pub fn look_ahead(&mut self) -> Ahead {
        let ahead = self.stream.peek(&mut []);
        if let Ahead::Failed(error) = &ahead {
            self.observe(Observed::Broke(error));
        }
        ahead
    }

    /// Writes what fits of `slices` and returns how much that was. Less than everything means
    /// that the kernel is full, and an event will tell when it is not, if it is asked for.
    ///
    /// # Errors
    /// The connection broke.
    pub fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let sent = match self.stream.write(slices) {
            Sent::Failed(error) => Sent::Failed(self.cause(error)),
            sent => sent,
        };
        if let Some(story) = &mut self.story {
            match &sent {
                Sent::Bytes(count) => story.observe(Observed::Sent(slices, *count)),
                Sent::Failed(error) => story.observe(Observed::Broke(error)),
                Sent::Full => {}
            }
        }
        match sent {
            Sent::Bytes(count) => {
                self.ready.has_written(count, offered);
                self.block_behind_pending();
                self.sent(count);
                Ok(count)
            }
            Sent::Full => {
                self.ready.write_blocked();
                Ok(0)
            }
            Sent::Failed(error) => Err(error),
        }
    }

    /// Whether something that was written waits for [`Conn::flush`].
    pub fn has_pending_output(&self) -> bool {
        self.stream.has_pending_output()
    }

    /// Hands the kernel what waits for it, if it may take something.
    ///
    /// # Errors
    /// The connection broke.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.is_writable() || !self.stream.has_pending_output() {
            return Ok(());
        }
        if let Err(error) = self.stream.flush() {
            let error = self.cause(error);
            self.observe(Observed::Broke(&error));
            return Err(error);
        }
        self.dead_peer.sent();
        self.block_behind_pending();
        Ok(())
    }

    /// Why it broke, of which a write found `error`: what the stream knows of the other side says more than that
    /// nothing can be written any more.
    fn cause(&mut self, error: io::Error) -> io::Error {
        self.stream.take_error().unwrap_or(error)
    }

    /// The kernel's account of the connection. None: there is no such account.
    pub fn tcp_info(&self) -> Option<TcpInfo> {
        self.stream.tcp_info()
    }

    /// Whether something was written of which is not known that it was acknowledged.
    pub fn is_watched(&self) -> bool {
        self.dead_peer.is_armed()
    }

    /// Looks whether the other side answers, [`crate::engine::dead_peer::EVERY`] so often while
    /// something is watched. Returns whether it has vanished.
    pub fn has_vanished(&mut self) -> bool {
        if !self.is_watched() {
            return false;
        }
        let info = self.stream.tcp_info();
        let has_vanished = self.dead_peer.check(info.map(TcpInfo::outstanding));
        if has_vanished {
            self.observe(Observed::Vanished);
        }
        has_vanished
    }

    /// Tells the other side why it is not let in: see [`Stream::refuse`].
    ///
    /// # Errors
    /// The connection broke.
    pub fn refuse(&mut self, refusal: &Refusal) -> io::Result<()> {
        let (stream, mut unexplained) = (&mut self.stream, Unexplained);
        stream.refuse(refusal, witness(&mut self.story, &mut unexplained))?;
        self.dead_peer.sent();
        self.block_behind_pending();
        Ok(())
    }

    /// Tells the other side that it is let in, where its protocol has a word for that.
    pub fn welcome(&mut self) {
        let mut unexplained = Unexplained;
        if let Some(beside) = self.stream.beside() {
            beside.welcome(witness(&mut self.story, &mut unexplained));
        }
    }

    /// What can be said beside the stream: see [`Stream::beside`].
    pub fn beside(&mut self) -> Option<&mut dyn Beside> {
        self.stream.beside()
    }

    /// Whether its handshake costs more than a few words, so that one that comes to nothing is not begun: TLS.
    pub fn has_costly_handshake(&mut self) -> bool {
        self.beside().is_none_or(|beside| beside.is_costly())
    }

    /// Takes note that so much was written.
    pub fn sent(&mut self, count: usize) {
        if count > 0 {
            self.dead_peer.sent();
        }
    }

    /// Takes note, for a copy inside the kernel, that a read would find nothing now.
    pub fn block_read(&mut self) {
        self.ready.read_blocked();
    }

    /// Takes note, for a copy inside the kernel, that a write would get nowhere now.
    pub fn block_write(&mut self) {
        self.ready.write_blocked();
    }

    /// Takes note, for a copy inside the kernel, that the other side will send no more.
    pub fn end(&mut self) {
        self.ready.read_ended();
        self.ended = true;
    }

    /// Ends our side: everything written is delivered (see [`Conn::has_pending_output`]), then the
    /// other side reads an end. A failure on a connection that just broke is ignored; the next read
    /// reports it.
    pub fn shutdown(&mut self) {
        self.shut = true;
        // The end has to be acknowledged as well.
        self.dead_peer.sent();
        let _ = self.stream.shutdown();
        self.observe(Observed::Shut);
        self.block_behind_pending();
    }

    /// Ends both directions: see [`Stream::hang_up`]. A failure is ignored, as in [`Conn::shutdown`].
    pub fn hang_up(&mut self) {
        if !self.shut {
            self.shutdown();
        }
        let _ = self.stream.hang_up();
    }

    /// Before leaving, when everything was said: tells that this is the end, where a layer has a word
    /// for it (TLS's close_notify) and if the kernel takes it at once.
    pub fn close_notify(&mut self) {
        if !self.shut && !self.stream.has_pending_output() && self.stream.authenticates_eof() {
            self.shutdown();
        }
    }

    /// Whether closing breaks the connection from now on: see [`Stream::break_on_close`].
    pub fn break_on_close(&mut self, breaks: bool) {
        if self.breaks != breaks {
            self.breaks = breaks;
            self.stream.break_on_close(breaks);
        }
    }

    /// Whether closing breaks the connection.
    pub fn breaks_on_close(&self) -> bool {
        self.breaks
    }

    /// A layer that holds output back found the socket full.
    fn block_behind_pending(&mut self) {
        if self.stream.has_pending_output() {
            self.ready.write_blocked();
        }
    }
}

/// The witness of what happens: the story, if it is explained.
fn witness<'a>(
    story: &'a mut Option<Box<Story>>,
    unexplained: &'a mut Unexplained,
) -> &'a mut dyn Witness {
    match story {
        Some(story) => &mut **story,
        None => unexplained,
    }
}
