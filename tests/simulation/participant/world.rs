//! A world that no kernel has, which does what a kernel's may do: one connection with its buffers,
//! acknowledgements, ends and resets; files, pipes, FIFOs and terminals; `sendfile` and `splice`.
//!
//! Bytes are a pattern over their position, so that one that is repeated, lost or out of order is seen
//! where it arrives.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::io::ErrorKind;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use muxnc::engine::explain::Agreement;
use muxnc::engine::explain::Reading;
use muxnc::engine::explain::Witness;
use muxnc::io::addr::Addr;
use muxnc::io::conn::Conn;
use muxnc::io::device::Device;
use muxnc::io::device::Kind;
use muxnc::io::output::Output;
use muxnc::io::readiness::Event;
use muxnc::io::readiness::Watch;
use muxnc::io::stdin::Stdin;
use muxnc::io::stream::Ahead;
use muxnc::io::stream::Beside;
use muxnc::io::stream::Handshake;
use muxnc::io::stream::Received;
use muxnc::io::stream::Refusal;
use muxnc::io::stream::Sent;
use muxnc::io::stream::Stream;
use muxnc::io::stream::Unread;
use muxnc::io::tcp_info::TcpInfo;
use muxnc::io::world::World;
use muxnc::io::zero_copy::Copied;

use crate::chance::Chance;

/// What a layer adds when its side ends.
const CLOSE_NOTIFY: u64 = 24;

/// The byte at a position of a stream.
pub(crate) fn pattern(at: u64, stream: u64) -> u8 {
    match at % 61 {
        60 => b'\n',
        _ => b'a' + ((at / 61 * 7 + at + stream * 11) % 26) as u8,
    }
}

/// What happens beside the participant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Happening {
    /// Somebody writes to stdin; ends it.
    Input(u64),
    InputEnd,
    /// The other side sends; ends its side; takes what was sent to it; closes; breaks off.
    Send(u64),
    Fin,
    Take(u64),
    Close,
    Reset,
    /// Whoever reads stdout takes some; leaves.
    Read(u64),
    Leave,
    /// So much was acknowledged.
    Ack(u64),
    /// From now on everything is taken at once.
    OpenTaps,
}

/// What the participant works with, and all of it is visible here.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) chance: Chance,
    pub(crate) now: Instant,
    /// Things to come, in their order.
    pub(crate) agenda: Vec<(Instant, Happening)>,
    pub(crate) moves: u64,
    // stdin
    pub(crate) in_kind: Kind,
    /// A FIFO that was opened without a writer tells of no end.
    pub(crate) in_mute: bool,
    pub(crate) in_there: u64,
    pub(crate) in_read: u64,
    pub(crate) in_ended: bool,
    pub(crate) in_end_read: bool,
    /// When that was, and how much the other side had sent before `-q` was over.
    pub(crate) in_end_read_at: Option<Instant>,
    pub(crate) quit_after: Option<Duration>,
    pub(crate) came_in_time: u64,
    pub(crate) in_event: bool,
    /// When something was last there to be read.
    pub(crate) in_last: Instant,
    // to the other side
    pub(crate) layered: bool,
    pub(crate) told: bool,
    pub(crate) sndbuf: u64,
    pub(crate) window: u64,
    pub(crate) delay: Duration,
    pub(crate) held: u64,
    pub(crate) wrote: u64,
    pub(crate) crossed: u64,
    pub(crate) acked: u64,
    pub(crate) last_ack: Instant,
    pub(crate) taken: u64,
    pub(crate) shut: Option<Instant>,
    pub(crate) wants_room: bool,
    pub(crate) closed: bool,
    pub(crate) reset: Option<Instant>,
    pub(crate) error: Option<ErrorKind>,
    pub(crate) write_failed: bool,
    /// The error was told, and that there was none when all had been written.
    pub(crate) error_told: bool,
    pub(crate) was_sound: bool,
    pub(crate) probed: bool,
    /// To close it is to break it.
    pub(crate) breaks: bool,
    // from the other side
    pub(crate) sent: u64,
    pub(crate) read: u64,
    pub(crate) fin: Option<Instant>,
    pub(crate) fin_read: Option<Instant>,
    pub(crate) conn_event: bool,
    /// When bytes last went over the connection.
    pub(crate) active: Instant,
    // stdout
    pub(crate) out_kind: Kind,
    pub(crate) out_room: u64,
    pub(crate) out_taken: u64,
    pub(crate) out_read: u64,
    pub(crate) out_left: bool,
    pub(crate) out_closed: bool,
    pub(crate) out_limit: Option<u64>,
    pub(crate) out_wants_room: bool,
    pub(crate) out_event: bool,
    pub(crate) taps: bool,
    /// What comes is thrown away.
    pub(crate) discards: bool,
}

impl Net {
    /// stdin was read to its end.
    fn read_end(&mut self) {
        self.in_end_read = true;
        self.in_end_read_at.get_or_insert(self.now);
    }

    pub(crate) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Input(count) if !self.in_ended => {
                self.in_there += count;
                self.in_last = self.now;
                self.in_event = true;
            }
            Happening::InputEnd => {
                self.in_ended = true;
                self.in_event |= !self.in_mute;
            }
            Happening::Send(count) if self.fin.is_none() && self.reset.is_none() => {
                self.sent += count;
                self.conn_event = true;
                let quits = self.in_end_read_at.zip(self.quit_after);
                if quits.is_none_or(|(at, after)| self.now < at + after) {
                    self.came_in_time = self.sent;
                }
            }
            Happening::Fin => self.end(),
            Happening::Take(count) => {
                self.taken += count.min(self.crossed - self.taken);
                self.cross();
            }
            Happening::Close => {
                self.end();
                self.closed = true;
                if self.crossed > self.taken {
                    self.break_off();
                }
            }
            Happening::Reset => self.break_off(),
            Happening::Read(count) => self.read_out(count),
            Happening::Leave => {
                self.out_left |= self.out_kind == Kind::Pipe;
                self.out_event = true;
            }
            Happening::Ack(count) if self.reset.is_none() => {
                self.acked += count;
                self.last_ack = self.now;
                if self.told {
                    self.active = self.now;
                }
                if self.wants_room {
                    self.wants_room = false;
                    self.conn_event = true;
                }
            }
            Happening::OpenTaps => {
                self.taps = true;
                self.read_out(u64::MAX);
                self.cross();
            }
            _ => {}
        }
    }

    fn end(&mut self) {
        if self.fin.is_none() && self.reset.is_none() {
            self.fin = Some(self.now);
            self.conn_event = true;
        }
    }

    fn break_off(&mut self) {
        if self.reset.is_none() {
            self.reset = Some(self.now);
            self.error = Some(match self.fin {
                Some(_) => ErrorKind::BrokenPipe,
                None => ErrorKind::ConnectionReset,
            });
            self.conn_event = true;
        }
    }

    fn read_out(&mut self, count: u64) {
        let count = count.min(self.out_taken - self.out_read);
        self.out_read += count;
        if count > 0 && self.out_wants_room {
            self.out_wants_room = false;
            self.out_event = true;
        }
    }

    /// What the kernel has goes to the other side, as far as there is room, and is acknowledged later.
    fn cross(&mut self) {
        if self.reset.is_some() {
            return;
        }
        if self.closed && self.wrote > self.crossed {
            let at = self.now + self.delay;
            self.schedule(at, Happening::Reset);
            return;
        }
        if self.taps {
            self.taken = self.crossed;
        }
        let count = (self.window - (self.crossed - self.taken)).min(self.wrote - self.crossed);
        if count > 0 {
            self.crossed += count;
            if self.taps {
                self.taken = self.crossed;
            }
            let at = self.now + self.delay;
            self.schedule(at, Happening::Ack(count));
            if self.taps {
                self.cross();
            }
        }
    }

    pub(crate) fn schedule(&mut self, at: Instant, happening: Happening) {
        let place = self.agenda.partition_point(|(time, _)| *time <= at);
        self.agenda.insert(place, (at, happening));
    }

    fn room(&self) -> u64 {
        self.sndbuf.saturating_sub(self.wrote - self.acked)
    }

    /// Takes so many bytes into the kernel, if there is room for them.
    fn take(&mut self, offered: u64) -> u64 {
        let mut count = offered.min(self.room());
        if count > 1 && self.chance.below(8) == 0 {
            // It was full, and is not any more.
            count = 1 + self.chance.below(count as usize) as u64;
            self.conn_event |= count < offered;
        }
        self.wants_room |= count < offered;
        if count > 0 {
            self.wrote += count;
            self.in_last = self.now;
            self.moves += 1;
            self.active = self.now;
            self.cross();
        }
        count
    }

    fn flush(&mut self) {
        let held = self.held;
        self.held -= match held {
            0 => 0,
            held => self.take(held),
        };
    }

    fn write_error(&mut self) -> Option<io::Error> {
        self.reset?;
        assert!(!self.write_failed, "written to after it broke");
        self.write_failed = true;
        Some(self.error.take().unwrap_or(ErrorKind::BrokenPipe).into())
    }

    pub(crate) fn conn_hints(&self) -> Event {
        let broken = self.reset.is_some();
        let ended = self.fin.is_some() || broken;
        Event {
            readable: self.sent > self.read || ended,
            writable: self.room() > 0 || broken,
            read_closed: ended,
            write_closed: broken,
            error: self.error.is_some(),
            urgent: false,
        }
    }

    /// Whether the other side, or for want of a word its kernel, has all of what was read from stdin.
    pub(crate) fn is_acknowledged(&self) -> bool {
        let confirmed = if self.told { self.acked } else { self.wrote };
        confirmed == self.in_read && self.held == 0
    }

    fn out_space(&self) -> u64 {
        match self.out_kind {
            Kind::File => u64::MAX,
            _ if self.taps => self.out_room,
            _ => self.out_room - (self.out_taken - self.out_read),
        }
    }
}

/// A handle to the world.
#[derive(Debug, Clone)]
pub(crate) struct Fake(pub(crate) Rc<RefCell<Net>>);

impl Stream for Fake {
    fn shakes_hands(&self) -> bool {
        false
    }

    fn handshake(&mut self, _: &mut dyn Witness) -> Handshake {
        Handshake::Done
    }

    fn read(&mut self, buffer: &mut [u8]) -> Received {
        let net = &mut *self.0.borrow_mut();
        let count = (net.sent - net.read).min(buffer.len() as u64);
        if count > 0 {
            for (i, byte) in buffer[..count as usize].iter_mut().enumerate() {
                *byte = pattern(net.read + i as u64, 1);
            }
            net.read += count;
            net.moves += 1;
            net.active = net.now;
            return Received::Bytes(count as usize);
        }
        if net.fin.is_some() {
            net.fin_read.get_or_insert(net.now);
            return Received::End;
        }
        match (net.error.take(), net.reset) {
            (Some(error), _) => Received::Failed(error.into()),
            (None, Some(_)) => Received::End,
            (None, None) => Received::Pending,
        }
    }

    fn peek(&mut self, _: &mut [u8]) -> Ahead {
        Ahead::Bytes(0)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Sent {
        let net = &mut *self.0.borrow_mut();
        assert!(net.shut.is_none(), "written to after its end");
        if let Some(error) = net.write_error() {
            return Sent::Failed(error);
        }
        let bytes: Vec<u8> = slices
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        assert!(!bytes.is_empty(), "written nothing");
        let at = net.wrote + net.held;
        for (i, byte) in bytes.iter().enumerate() {
            assert_eq!(
                *byte,
                pattern(at + i as u64, 0),
                "byte {} of stdin",
                at + i as u64
            );
        }
        let mut count = bytes.len() as u64;
        match net.layered {
            true if net.held > 0 => count = 0,
            true => {
                count = count.min(16 * 1024);
                net.held = count;
                net.moves += 1;
                net.flush();
                // It takes a record at a time, and is not full for that.
                net.conn_event |= net.held == 0;
            }
            false => count = net.take(count),
        }
        match count {
            0 => Sent::Full,
            count => Sent::Bytes(count as usize),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let net = &mut *self.0.borrow_mut();
        match net.write_error() {
            Some(error) => Err(error),
            None => {
                net.flush();
                Ok(())
            }
        }
    }

    fn shutdown(&mut self) -> io::Result<()> {
        let net = &mut *self.0.borrow_mut();
        assert!(net.shut.is_none(), "ended twice");
        assert_eq!(net.held, 0, "ended before all was written");
        if !net.layered {
            assert_eq!(net.wrote, net.in_read, "ended before all was written");
        }
        net.shut = Some(net.now);
        net.moves += 1;
        Ok(())
    }

    fn hang_up(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        let net = &mut *self.0.borrow_mut();
        let error = net.error.take();
        match error {
            Some(_) => net.error_told = true,
            None if net.error_told => {}
            None => net.was_sound |= net.in_end_read && net.wrote == net.in_read,
        }
        error.map(io::Error::from)
    }

    fn has_buffered_input(&self) -> bool {
        false
    }

    fn unread(&self) -> Unread {
        let net = self.0.borrow();
        Unread::all(net.sent - net.read)
    }

    fn has_pending_output(&self) -> bool {
        self.0.borrow().held > 0
    }

    fn authenticates_eof(&self) -> bool {
        false
    }

    fn is_wire(&self) -> bool {
        !self.0.borrow().layered
    }

    fn tells_hang_up(&self) -> bool {
        !self.0.borrow().told
    }

    fn has_closed(&self) -> bool {
        false
    }

    fn can_half_close(&self) -> bool {
        true
    }

    fn probe_soon(&mut self) {
        let net = &mut *self.0.borrow_mut();
        assert!(!net.probed && net.fin_read.is_some());
        net.probed = true;
    }

    fn break_on_close(&mut self, breaks: bool) {
        self.0.borrow_mut().breaks = breaks;
    }

    fn tcp_info(&self) -> Option<TcpInfo> {
        let net = self.0.borrow();
        let extra = if net.layered && net.shut.is_some() {
            CLOSE_NOTIFY
        } else {
            0
        };
        net.told.then(|| TcpInfo {
            written: net.wrote + extra,
            acknowledged: net.acked,
            in_flight: u32::from(net.crossed > net.acked),
            probes: 0,
            last_answer: net.now - net.last_ack,
        })
    }

    fn refuse(&mut self, refusal: &Refusal, witness: &mut dyn Witness) -> io::Result<()> {
        refusal.write_line(self, witness)
    }

    fn beside(&mut self) -> Option<&mut dyn Beside> {
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
}

/// Standard output and error, and input: a device is one of them.
#[derive(Debug)]
pub(crate) enum Fd {
    In(Fake),
    Out(Fake),
    /// Stderr, which takes everything.
    Err,
}

impl Device for Fd {
    fn kind(&self) -> Kind {
        match self {
            Fd::In(fake) => fake.0.borrow().in_kind,
            Fd::Out(fake) => fake.0.borrow().out_kind,
            Fd::Err => Kind::File,
        }
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Fd::In(fake) = self else {
            panic!("read from an output");
        };
        let net = &mut *fake.0.borrow_mut();
        assert!(!net.in_end_read, "read after its end");
        let mut count = (net.in_there - net.in_read).min(buffer.len() as u64);
        if net.in_kind == Kind::Terminal && count > 0 {
            // A line at a time.
            count = count.min(61 - net.in_read % 61);
        }
        if count == 0 {
            return match net.in_ended {
                true => {
                    net.read_end();
                    Ok(0)
                }
                false => Err(ErrorKind::WouldBlock.into()),
            };
        }
        for (i, byte) in buffer[..count as usize].iter_mut().enumerate() {
            *byte = pattern(net.in_read + i as u64, 0);
        }
        net.in_read += count;
        net.in_last = net.now;
        net.moves += 1;
        Ok(count as usize)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let fake = match self {
            Fd::Out(fake) => fake,
            Fd::Err => return Ok(bytes.len()),
            Fd::In(_) => panic!("write to an input"),
        };
        let net = &mut *fake.0.borrow_mut();
        assert!(!net.out_closed, "written to after it was closed");
        if net.out_left {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let mut count = net.out_space().min(bytes.len() as u64);
        // A pipe takes a few bytes whole or not at all (pipe(7)).
        if bytes.len() <= 4096 && count < bytes.len() as u64 {
            count = 0;
        }
        if let Some(limit) = net.out_limit {
            count = count.min(limit - net.out_taken);
            if count == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
        }
        if count == 0 {
            net.out_wants_room = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        for (i, byte) in bytes[..count as usize].iter().enumerate() {
            let at = net.out_taken + i as u64;
            assert_eq!(*byte, pattern(at, 1), "byte {at} for stdout");
        }
        net.out_taken += count;
        net.moves += 1;
        if net.taps {
            net.out_read = net.out_taken;
        }
        Ok(count as usize)
    }

    fn is_hung_up(&self) -> bool {
        false
    }

    fn remaining(&self) -> Option<u64> {
        match self {
            Fd::In(fake) => {
                let net = fake.0.borrow();
                (net.in_kind == Kind::File).then(|| net.in_there - net.in_read)
            }
            Fd::Out(_) | Fd::Err => None,
        }
    }

    fn close(&mut self) {
        let Fd::Out(fake) = self else {
            panic!("closed something else");
        };
        let net = &mut *fake.0.borrow_mut();
        assert!(net.out_kind != Kind::Terminal, "a terminal is closed");
        let shown = net.discards || net.out_taken == net.read;
        assert!(net.fin_read.is_some() && shown, "closed too early");
        net.out_closed = true;
    }
}

impl World for Fake {
    type Stream = Fake;
    type Device = Fd;
    type Listener = ();

    fn time_of_day(&mut self) -> Option<muxnc::engine::room::TimeOfDay> {
        None
    }

    fn register(&mut self, _: &mut Conn<Fake>, _: usize, _: Watch) -> io::Result<()> {
        Ok(())
    }

    fn await_room(&mut self, _: &mut Conn<Fake>, _: usize) -> io::Result<()> {
        panic!("a participant is told of room from the beginning");
    }

    fn accept(&mut self, (): &mut ()) -> io::Result<(Fake, Addr)> {
        Err(ErrorKind::WouldBlock.into())
    }

    fn send(&mut self, stdin: &mut Stdin<Fd>, conn: &mut Conn<Fake>) -> Copied {
        let net = &mut *self.0.borrow_mut();
        assert!(net.shut.is_none(), "sent to after its end");
        assert!(!net.layered, "a layer was passed by");
        match net.chance.below(40) {
            0 => return Copied::Bytes(0),
            1 => return Copied::Refused,
            _ => {}
        }
        assert_eq!(net.wrote, net.in_read, "a byte was passed over");
        if let Some(error) = net.write_error() {
            return Copied::SinkFailed(error);
        }
        let left = net.in_there - net.in_read;
        if left == 0 {
            net.read_end();
            stdin.end();
            return Copied::End;
        }
        match net.take(left.min(1 << 20)) {
            0 => {
                conn.block_write();
                Copied::SinkFull
            }
            count => {
                net.in_read += count;
                conn.sent(count as usize);
                Copied::Bytes(count as usize)
            }
        }
    }

    fn receive(&mut self, conn: &mut Conn<Fake>, stdout: &mut Output<Fd>) -> Copied {
        let net = &mut *self.0.borrow_mut();
        assert!(!net.layered && !net.out_closed);
        match net.chance.below(40) {
            0 => return Copied::Bytes(0),
            1 => return Copied::Refused,
            _ => {}
        }
        if net.out_left {
            return Copied::SinkFailed(ErrorKind::BrokenPipe.into());
        }
        // It asks for room first, also for an end (splice_file_to_pipe() in fs/splice.c).
        if net.out_space() == 0 && net.conn_hints().readable {
            net.out_wants_room = true;
            stdout.block();
            return Copied::SinkFull;
        }
        if net.sent == net.read {
            if net.fin.is_some() {
                net.fin_read.get_or_insert(net.now);
                conn.end();
                return Copied::End;
            }
            if let Some(error) = net.error.take() {
                return Copied::SourceFailed(error.into());
            }
            if net.reset.is_some() {
                conn.end();
                return Copied::End;
            }
            conn.block_read();
            return Copied::SourcePending;
        }
        let count = net.out_space().min(net.sent - net.read);
        assert_eq!(net.read, net.out_taken, "a byte was passed over");
        net.read += count;
        net.out_taken += count;
        net.moves += 1;
        net.active = net.now;
        if net.taps {
            net.out_read = net.out_taken;
        }
        Copied::Bytes(count as usize)
    }
}

/// Things to come that are due.
pub(crate) fn due(net: &mut Net) -> Vec<Happening> {
    let count = net.agenda.partition_point(|(at, _)| *at <= net.now);
    let due: VecDeque<_> = net.agenda.drain(..count).collect();
    due.into_iter().map(|(_, happening)| happening).collect()
}
