//! A stream of the world: a wire as it is, or the real layer over it.

use std::io;
use std::io::IoSlice;
use std::net::SocketAddr;

use muxnc::engine::aside::Aside;
use muxnc::engine::aside::Returning;
use muxnc::engine::explain::Agreement;
use muxnc::engine::explain::Reading;
use muxnc::engine::explain::Witness;
use muxnc::io::stream::Ahead;
use muxnc::io::stream::Beside;
use muxnc::io::stream::Fetching;
use muxnc::io::stream::Handshake;
use muxnc::io::stream::Received;
use muxnc::io::stream::Refusal;
use muxnc::io::stream::Sent;
use muxnc::io::stream::Stream;
use muxnc::io::stream::Unread;
use muxnc::io::tcp_info::TcpInfo;

use super::super::world::Did;
use super::super::world::Fake;
use super::Link;

/// Calls one method of whichever stream it is.
macro_rules! each {
    ($link:expr, $stream:ident => $call:expr) => {
        match $link {
            Link::Plain($stream) => $call,
            Link::Web($stream) => $call,
            Link::Download($stream) => $call,
        }
    };
}

impl Stream for Link {
    fn shakes_hands(&self) -> bool {
        each!(self, stream => stream.shakes_hands())
    }

    fn handshake(&mut self, witness: &mut dyn Witness) -> Handshake {
        each!(self, stream => stream.handshake(witness))
    }

    fn read(&mut self, buffer: &mut [u8]) -> Received {
        each!(self, stream => stream.read(buffer))
    }

    fn peek(&mut self, buffer: &mut [u8]) -> Ahead {
        each!(self, stream => stream.peek(buffer))
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Sent {
        each!(self, stream => stream.write(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        each!(self, stream => stream.flush())
    }

    fn shutdown(&mut self) -> io::Result<()> {
        each!(self, stream => stream.shutdown())
    }

    fn hang_up(&mut self) -> io::Result<()> {
        each!(self, stream => stream.hang_up())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        each!(self, stream => stream.take_error())
    }

    fn has_buffered_input(&self) -> bool {
        each!(self, stream => stream.has_buffered_input())
    }

    fn unread(&self) -> Unread {
        each!(self, stream => stream.unread())
    }

    fn has_pending_output(&self) -> bool {
        each!(self, stream => stream.has_pending_output())
    }

    fn authenticates_eof(&self) -> bool {
        each!(self, stream => stream.authenticates_eof())
    }

    fn is_wire(&self) -> bool {
        each!(self, stream => stream.is_wire())
    }

    fn tells_hang_up(&self) -> bool {
        each!(self, stream => stream.tells_hang_up())
    }

    fn has_closed(&self) -> bool {
        each!(self, stream => stream.has_closed())
    }

    fn can_half_close(&self) -> bool {
        each!(self, stream => stream.can_half_close())
    }

    fn probe_soon(&mut self) {
        each!(self, stream => stream.probe_soon());
    }

    fn break_on_close(&mut self, breaks: bool) {
        each!(self, stream => stream.break_on_close(breaks));
    }

    fn tcp_info(&self) -> Option<TcpInfo> {
        each!(self, stream => stream.tcp_info())
    }

    fn refuse(&mut self, refusal: &Refusal, witness: &mut dyn Witness) -> io::Result<()> {
        each!(self, stream => stream.refuse(refusal, witness))
    }

    fn beside(&mut self) -> Option<&mut dyn Beside> {
        match self {
            Link::Plain(_) => None,
            Link::Web(_) => Some(self),
            Link::Download(download) => download.beside(),
        }
    }

    fn reading(&self) -> Option<Reading> {
        each!(self, stream => stream.reading())
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        each!(self, stream => stream.local_addr())
    }

    fn agreements(&self) -> Vec<Agreement> {
        each!(self, stream => stream.agreements())
    }
}

/// What is beside the stream of one that has such a thing.
fn beside(link: &mut Link) -> &mut dyn Beside {
    each!(link, stream => stream.beside()).expect("it has one")
}

impl Beside for Link {
    fn is_costly(&self) -> bool {
        false
    }

    fn fetching(&mut self) -> Option<&mut dyn Fetching> {
        None
    }

    fn welcome(&mut self, witness: &mut dyn Witness) {
        beside(self).welcome(witness);
    }

    fn returning(&self) -> Option<&Returning> {
        match self {
            Link::Plain(_) | Link::Download(_) => None,
            Link::Web(web) => web.returning(),
        }
    }

    fn has_told_why(&self) -> bool {
        match self {
            Link::Plain(_) | Link::Download(_) => false,
            Link::Web(web) => web.has_told_why(),
        }
    }

    fn ping(&mut self) {
        beside(self).ping();
    }

    fn say(&mut self, aside: &Aside<'_>) {
        beside(self).say(aside);
        // It has left, though nothing of that may have been written.
        if let Link::Web(web) = self
            && let Aside::Ended(_) = aside
        {
            let Fake { id, net } = web.under();
            net.borrow_mut().log.push(Did::Replaced(*id));
        }
    }
}
