//! One connection from a browser: HTTP until it is let in, and WebSocket from then on.
//!
//! ```text
//!   asking ─┬─► to join ──► (the hub asks for a place) ─┬─► open ─► closed
//!           └─► answered: the page, or why not ◄────────┘
//! ```
//!
//! It promises: a read gives what was said, a line feed after each message; an end is told as one
//! only after the other side's close, and a client that ends without it was lost. At most
//! [`MAX_HEAD`](request::MAX_HEAD) bytes of input are kept, and a few hundred of what waits to be
//! said beside the stream.

use std::borrow::Cow;
use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::Arc;

use super::asking::Asked;
use super::asking::Asking;
use super::asking::in_http;
use super::outgoing::Outgoing;
use super::site::Site;
use crate::engine::aside::Aside;
use crate::engine::aside::Returning;
use crate::engine::explain::Agreement;
use crate::engine::explain::Observed;
use crate::engine::explain::Reading;
use crate::engine::explain::Witness;
use crate::engine::web::answer;
use crate::engine::web::answer::Answer;
use crate::engine::web::frame::Code;
use crate::engine::web::frame::Event;
use crate::engine::web::frame::MAX_CONTROL;
use crate::engine::web::frame::MAX_MESSAGE;
use crate::engine::web::frame::Reader;
use crate::engine::web::request;
use crate::engine::web::request::Join;
use crate::io::clock;
use crate::io::stream::Ahead;
use crate::io::stream::Beside;
use crate::io::stream::Fetching;
use crate::io::stream::Handshake;
use crate::io::stream::Received;
use crate::io::stream::Refusal;
use crate::io::stream::Sent;
use crate::io::stream::Stream;
use crate::io::stream::Unread;
use crate::io::tcp_info::TcpInfo;

/// Reads, or looks ahead, that find nothing but control frames, after which it is another's turn.
const IDLE_READS: usize = 4;

/// Bytes that are looked at at once for [control frames](Stream::peek).
const AHEAD: usize = 2 * (2 + 4 + MAX_CONTROL);

/// See the module's documentation.
#[derive(Debug)]
pub struct WebSocket<S> {
    under: S,
    site: Arc<Site>,
    local: SocketAddr,
    is_costly: bool,
    /// What was asked is asked by HEAD.
    is_head: bool,
    state: State,
    outgoing: Outgoing,
}

#[derive(Debug)]
enum State {
    /// What came of a request.
    Asking(Asking),
    /// It asks to be let in; without `Join` it only wants to know whether it would be.
    Asked(Option<Join>),
    /// It gets an answer and no more, and why, if it is refused.
    Answered(Option<Cow<'static, str>>),
    /// It is let in.
    Open(Box<Open>),
}

#[derive(Debug)]
struct Open {
    reader: Reader,
    returning: Option<Returning>,
    /// A message was said whose line feed had no room.
    owes_line_feed: bool,
    /// The last byte of the message so far is a line feed.
    at_line_end: bool,
    /// A read would find something though the socket has nothing.
    has_more: bool,
    /// How it ends, once all that was said before is read.
    end: Option<End>,
    /// The connection ended or failed without a close: it may come back, to a class that is not over.
    is_lost: bool,
    /// A close was sent, and before it why.
    has_closed: bool,
    /// Why was said, with which only the close follows.
    close_code: Option<Code>,
}

#[derive(Debug, Clone, Copy)]
enum End {
    /// The other side closed.
    Closed,
    /// It sent something that is not allowed.
    Violation(&'static str),
}

impl<S: Stream> WebSocket<S> {
    /// Over a connection to the address `local` of this machine.
    pub fn new(under: S, site: Arc<Site>, local: SocketAddr) -> WebSocket<S> {
        WebSocket {
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

    /// Answers a request.
    fn answer(
        &mut self,
        answer: Answer,
        refused: Option<Cow<'static, str>>,
        witness: &mut dyn Witness,
    ) {
        self.outgoing.answer(answer, self.is_head, witness);
        self.state = State::Answered(refused);
    }

    /// Reads on in a request until it is whole.
    fn read_request(&mut self, witness: &mut dyn Witness) -> Handshake {
        let State::Asking(asking) = &mut self.state else {
            return Handshake::Pending;
        };
        let origins = self.site.origins(self.local);
        let understand = |head: &[u8]| request::read(head, &origins);
        let asked = asking.read_on(&mut self.under, witness, understand);
        self.is_head = asking.is_head();
        match asked {
            Asked::NotYet(step) => step,
            Asked::For(request::Asked::Page { host }) => {
                let answer = self.site.page.answer(host.as_deref(), clock::date());
                self.answer(answer, None, witness);
                self.go_on_answering()
            }
            Asked::For(request::Asked::Join(join)) => {
                self.state = State::Asked(Some(join));
                Handshake::Done
            }
            Asked::For(request::Asked::Probe) => {
                self.state = State::Asked(None);
                Handshake::Asks
            }
            Asked::Refused(refusal) => {
                let answer = self.site.refuse(&refusal, self.local);
                self.answer(answer, refusal.into_news(), witness);
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
                _ => Handshake::Done,
            },
            Err(_) => Handshake::Left,
        }
    }

    /// Takes frames apart that were read into the first `count` bytes of `buffer`, from the place of the
    /// first byte that is said on. Returns how many bytes there are of what was said.
    fn hear(open: &mut Open, outgoing: &mut Outgoing, buffer: &mut [u8], count: usize) -> usize {
        let (mut at, mut said) = (0, 0);
        loop {
            match open.reader.read(&mut buffer[..count], &mut at) {
                Ok(None) => break,
                Ok(Some(Event::Piece {
                    at: piece,
                    is_binary: true,
                    ends,
                })) => {
                    // The header that came between left room for it.
                    if std::mem::take(&mut open.owes_line_feed) {
                        buffer[said] = b'\n';
                        said += 1;
                    }
                    if let Some(&last) = buffer[piece.clone()].last() {
                        open.at_line_end = last == b'\n';
                    }
                    let len = piece.len();
                    buffer.copy_within(piece, said);
                    said += len;
                    if ends {
                        open.owes_line_feed = !std::mem::take(&mut open.at_line_end);
                    }
                }
                Ok(Some(Event::Ping)) => outgoing.pong(open.reader.control()),
                // Control of the client's: there is none.
                Ok(Some(Event::Piece { .. } | Event::Pong)) => {}
                Ok(Some(Event::Close(code))) => {
                    if !std::mem::replace(&mut open.has_closed, true) {
                        outgoing.close(code);
                    }
                    open.end = Some(End::Closed);
                }
                Err(violation) => {
                    if !std::mem::replace(&mut open.has_closed, true) {
                        outgoing.close(Some(violation.code as u16));
                    }
                    open.end = Some(End::Violation(violation.why));
                }
            }
        }
        if open.owes_line_feed && said < buffer.len() {
            open.owes_line_feed = false;
            buffer[said] = b'\n';
            said += 1;
        }
        said
    }
}

impl Open {
    fn new(returning: Option<Returning>) -> Open {
        Open {
            reader: Reader::new(MAX_MESSAGE),
            returning,
            owes_line_feed: false,
            at_line_end: false,
            has_more: false,
            end: None,
            is_lost: false,
            has_closed: false,
            close_code: None,
        }
    }

    fn told_end(&self) -> Option<Received> {
        let violation = self.violation().map(Received::Failed);
        violation.or_else(|| self.end.map(|_| Received::End))
    }

    /// What the other side did that is not allowed.
    fn violation(&self) -> Option<io::Error> {
        match self.end? {
            End::Closed => None,
            End::Violation(why) => Some(io::Error::new(ErrorKind::InvalidData, why)),
        }
    }
}

/// What it is to the class that the connection ended so.
fn without_goodbye(ended: Received) -> Received {
    let lost = "the connection was lost, without WebSocket's goodbye";
    match ended {
        Received::End => Received::Truncated(io::Error::new(ErrorKind::UnexpectedEof, lost)),
        failed => failed,
    }
}

impl<S: Stream> Stream for WebSocket<S> {
    fn shakes_hands(&self) -> bool {
        true
    }

    fn handshake(&mut self, witness: &mut dyn Witness) -> Handshake {
        match self.state {
            State::Asking(_) => self.read_request(witness),
            State::Asked(None) => Handshake::Asks,
            State::Asked(Some(_)) | State::Open(_) => Handshake::Done,
            State::Answered(_) => self.go_on_answering(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Received {
        let State::Open(open) = &mut self.state else {
            // The client may still read the answer; what it sends is of no interest.
            return self.under.read(buffer);
        };
        open.has_more = true;
        if open.owes_line_feed && !buffer.is_empty() {
            open.owes_line_feed = false;
            buffer[0] = b'\n';
            return Received::Bytes(1);
        }
        for _ in 0..IDLE_READS {
            if let Some(end) = open.told_end() {
                return end;
            }
            let count = match self.under.read(buffer) {
                Received::Bytes(count) => count,
                Received::Pending => {
                    open.has_more = false;
                    return Received::Pending;
                }
                Received::Yield => return Received::Yield,
                ended => {
                    open.is_lost = true;
                    return without_goodbye(ended);
                }
            };
            let said = WebSocket::<S>::hear(open, &mut self.outgoing, buffer, count);
            if self.outgoing.is_pending() {
                // A failure to write is ignored: the next write or read reports it.
                let _ = self.outgoing.flush(&mut self.under);
            }
            if said > 0 {
                let is_full = count == buffer.len() || self.under.has_buffered_input();
                open.has_more = is_full || open.end.is_some() || open.owes_line_feed;
                return Received::Bytes(said);
            }
        }
        Received::Yield
    }

    /// Control frames are no words, and are taken: a ping is answered, and a goodbye is known.
    fn peek(&mut self, _: &mut [u8]) -> Ahead {
        let State::Open(open) = &mut self.state else {
            return Ahead::Bytes(0);
        };
        for _ in 0..IDLE_READS {
            if open.owes_line_feed {
                return Ahead::Bytes(0);
            }
            match open.end {
                Some(End::Closed) => return Ahead::End,
                Some(End::Violation(_)) => return Ahead::Bytes(0),
                None => {}
            }
            let mut next = [0; AHEAD];
            let count = match self.under.peek(&mut next) {
                Ahead::Bytes(count) => count,
                // Without a close frame it is lost.
                other => return other,
            };
            let control = open.reader.count_control(&mut next[..count]);
            if control == 0 {
                return Ahead::Bytes(0);
            }
            let count = match self.under.read(&mut next[..control]) {
                Received::Bytes(count) => count,
                Received::Yield => continue,
                Received::Pending => return Ahead::Bytes(0),
                Received::End => return Ahead::End,
                Received::Truncated(error) | Received::Failed(error) => {
                    return Ahead::Failed(error);
                }
            };
            WebSocket::<S>::hear(open, &mut self.outgoing, &mut next, count);
            open.has_more |= open.end.is_some();
            if self.outgoing.is_pending() {
                // A failure to write is ignored: the next write or read reports it.
                let _ = self.outgoing.flush(&mut self.under);
            }
        }
        Ahead::Yield
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Sent {
        match &self.state {
            State::Open(open) if !open.has_closed => self.outgoing.write(&mut self.under, slices),
            _ => Sent::Failed(ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.outgoing.flush(&mut self.under)?;
        self.under.flush()
    }

    /// Closes, for the reason that was said before; where none was, because the hub goes away. There is no end of one side
    /// only. To one that is lost nothing is said.
    fn shutdown(&mut self) -> io::Result<()> {
        let State::Open(open) = &mut self.state else {
            return self.under.shutdown();
        };
        let is_closed = open.has_closed && open.end.is_some() && !self.outgoing.is_pending();
        if open.is_lost || is_closed {
            // Nothing will be said either way: the server is to end the connection first, so that the
            // client's side has nothing to wait for (RFC 6455, 7.1.1).
            return self.under.shutdown();
        }
        if open.has_closed || self.outgoing.is_open() {
            return Ok(());
        }
        open.has_closed = true;
        let code = open.close_code.unwrap_or(Code::GoingAway);
        self.outgoing.close(Some(code as u16));
        self.outgoing.flush(&mut self.under).map(drop)
    }

    fn hang_up(&mut self) -> io::Result<()> {
        self.under.hang_up()
    }

    fn take_error(&mut self) -> Option<io::Error> {
        let violation = match &self.state {
            State::Open(open) => open.violation(),
            _ => None,
        };
        violation.or_else(|| self.under.take_error())
    }

    fn has_buffered_input(&self) -> bool {
        match &self.state {
            State::Open(open) => open.has_more,
            _ => self.under.has_buffered_input(),
        }
    }

    fn unread(&self) -> Unread {
        let here = match &self.state {
            State::Open(open) if open.owes_line_feed => Unread::UNKNOWN,
            // What comes behind its end says nothing.
            State::Open(open) if open.end.is_some() => return Unread::NOTHING,
            _ if self.has_buffered_input() => Unread::UNKNOWN,
            _ => Unread::NOTHING,
        };
        here.and(self.under.unread())
    }

    fn has_pending_output(&self) -> bool {
        self.outgoing.is_pending() || self.under.has_pending_output()
    }

    fn authenticates_eof(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    fn is_wire(&self) -> bool {
        false
    }

    fn tells_hang_up(&self) -> bool {
        self.under.tells_hang_up()
    }

    fn has_closed(&self) -> bool {
        matches!(&self.state, State::Open(open) if matches!(open.end, Some(End::Closed)))
    }

    fn can_half_close(&self) -> bool {
        false
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
        self.answer(answer, None, witness);
        self.outgoing.flush(&mut self.under).map(drop)
    }

    fn beside(&mut self) -> Option<&mut dyn Beside> {
        Some(self)
    }
}

impl<S: Stream> Beside for WebSocket<S> {
    fn is_costly(&self) -> bool {
        self.is_costly
    }

    fn welcome(&mut self, witness: &mut dyn Witness) {
        if let State::Asked(Some(join)) = &mut self.state {
            let answer = answer::upgrade(&join.accept);
            self.outgoing.push_told(&answer, witness);
            witness.observe(Observed::Agreed(&Agreement::WebSocket));
            self.state = State::Open(Box::new(Open::new(join.returning.take())));
        }
    }

    fn fetching(&mut self) -> Option<&mut dyn Fetching> {
        None
    }

    fn returning(&self) -> Option<&Returning> {
        match &self.state {
            State::Asked(join) => join.as_ref().and_then(|join| join.returning.as_ref()),
            State::Open(open) => open.returning.as_ref(),
            _ => None,
        }
    }

    fn has_told_why(&self) -> bool {
        matches!(&self.state, State::Open(open) if open.has_closed && !matches!(open.end, Some(End::Closed)))
    }

    fn ping(&mut self) {
        if matches!(&self.state, State::Open(open) if !open.has_closed) {
            self.outgoing.ping();
        }
    }

    fn say(&mut self, aside: &Aside<'_>) {
        let State::Open(open) = &mut self.state else {
            return;
        };
        if open.has_closed || open.close_code.is_some() {
            return;
        }
        let code = match aside {
            Aside::Hello(_) => return self.outgoing.push_text(&aside.to_string()),
            Aside::Here(count) => return self.outgoing.here(*count),
            Aside::Relay(on) => return self.outgoing.relay(*on),
            Aside::Heard(count) => return self.outgoing.heard(*count),
            Aside::Kicked(_) | Aside::Ended(_) => Code::Policy,
            Aside::Over(_) => Code::GoingAway,
        };
        open.close_code = Some(code);
        self.outgoing.push_last(&aside.to_string());
    }
}

#[cfg(test)]
mod tests;
