//! A stream for tests: it gives what it was given, and takes as much at a time as it is told.

use std::collections::VecDeque;
use std::io;
use std::io::IoSlice;
use std::net::SocketAddr;

use crate::engine::explain::Agreement;
use crate::engine::explain::Reading;
use crate::engine::explain::Witness;
use crate::io::stream::Ahead;
use crate::io::stream::Beside;
use crate::io::stream::Handshake;
use crate::io::stream::Received;
use crate::io::stream::Refusal;
use crate::io::stream::Sent;
use crate::io::stream::Stream;
use crate::io::stream::Unread;
use crate::io::tcp_info::TcpInfo;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// What comes, and how much of it a read gives at most; 0 means all.
    pub(super) input: VecDeque<u8>,
    pub(super) most: usize,
    /// Nothing will follow it.
    pub(super) has_ended: bool,
    /// What was written.
    pub(super) output: Vec<u8>,
    /// What each write takes at most, in turn; all of it when none is left.
    pub(super) takes: VecDeque<usize>,
    /// How many writes there were, and slices in the last of them.
    pub(super) writes: usize,
    pub(super) slices: usize,
    pub(super) is_shut: bool,
    /// Every write fails.
    pub(super) is_broken: bool,
}

impl Stream for Wire {
    fn shakes_hands(&self) -> bool {
        false
    }

    fn handshake(&mut self, _: &mut dyn Witness) -> Handshake {
        Handshake::Done
    }

    fn read(&mut self, buffer: &mut [u8]) -> Received {
        let most = if self.most == 0 {
            buffer.len()
        } else {
            self.most
        };
        let count = self.input.len().min(buffer.len()).min(most);
        if count == 0 {
            return match self.has_ended {
                true => Received::End,
                false => Received::Pending,
            };
        }
        for (to, from) in buffer.iter_mut().zip(self.input.drain(..count)) {
            *to = from;
        }
        Received::Bytes(count)
    }

    fn peek(&mut self, buffer: &mut [u8]) -> Ahead {
        let most = match self.most {
            0 => buffer.len(),
            most => most.min(buffer.len()),
        };
        for (to, from) in buffer[..most].iter_mut().zip(&self.input) {
            *to = *from;
        }
        Ahead::Bytes(most.min(self.input.len()))
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Sent {
        if self.is_broken {
            return Sent::Failed(io::ErrorKind::ConnectionReset.into());
        }
        self.writes += 1;
        self.slices = slices.len();
        let most = self.takes.pop_front().unwrap_or(usize::MAX);
        if most == 0 {
            return Sent::Full;
        }
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        let before = self.output.len();
        self.output.extend(bytes.take(most));
        Sent::Bytes(self.output.len() - before)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn shutdown(&mut self) -> io::Result<()> {
        self.is_shut = true;
        Ok(())
    }

    fn hang_up(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        None
    }

    fn has_buffered_input(&self) -> bool {
        false
    }

    fn unread(&self) -> Unread {
        Unread::all(self.input.len() as u64)
    }

    fn has_pending_output(&self) -> bool {
        false
    }

    fn authenticates_eof(&self) -> bool {
        false
    }

    fn is_wire(&self) -> bool {
        true
    }

    fn tells_hang_up(&self) -> bool {
        false
    }

    fn has_closed(&self) -> bool {
        false
    }

    fn can_half_close(&self) -> bool {
        true
    }

    fn probe_soon(&mut self) {}

    fn break_on_close(&mut self, _: bool) {}

    fn tcp_info(&self) -> Option<TcpInfo> {
        None
    }

    fn reading(&self) -> Option<Reading> {
        None
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn agreements(&self) -> Vec<Agreement> {
        Vec::new()
    }

    fn refuse(&mut self, _: &Refusal, _: &mut dyn Witness) -> io::Result<()> {
        Ok(())
    }

    fn beside(&mut self) -> Option<&mut dyn Beside> {
        None
    }
}

/// The frames in what a server wrote: the first byte and the payload of each. The last may be cut.
pub(super) fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, length, rest @ ..] = bytes {
        let (size, rest) = match *length {
            126 => (2, rest),
            127 => (8, rest),
            _ => (0, rest),
        };
        let (number, rest) = rest.split_at(size.min(rest.len()));
        let len = match size {
            0 => usize::from(*length),
            _ => number.iter().fold(0, |n, &byte| n << 8 | usize::from(byte)),
        };
        let (payload, rest) = rest.split_at(len.min(rest.len()));
        frames.push((*first, payload.to_vec()));
        bytes = rest;
    }
    frames
}

/// A frame as a client sends it.
pub(super) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len => {
            frame.push(0xff);
            frame.extend((len as u64).to_be_bytes());
            if let Ok(short) = u16::try_from(len) {
                frame.truncate(1);
                frame.push(0xfe);
                frame.extend(short.to_be_bytes());
            }
        }
    }
    frame.extend(mask);
    let keys = mask.iter().cycle();
    frame.extend(payload.iter().zip(keys).map(|(byte, key)| byte ^ key));
    frame
}
