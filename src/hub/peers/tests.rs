use std::cell::Cell;
use std::cell::RefCell;
use std::io;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::fake;
use super::fake::POLICY;
use super::reading::CONVERSING;
use super::reading::LEAST;
use super::reading::LITTLE;
use super::reading::TURN;
use super::writing::SCOUTS;
use super::*;
use crate::engine::admit::Admission;
use crate::engine::admit::Lists;
use crate::engine::explain::Agreement;
use crate::engine::explain::Reading;
use crate::engine::explain::Witness;
use crate::engine::room::Room;
use crate::io::conn::Conn;
use crate::io::stream::Ahead;
use crate::io::stream::Beside;
use crate::io::stream::Handshake;
use crate::io::stream::Received;
use crate::io::stream::Refusal;
use crate::io::stream::Sent;
use crate::io::stream::Unread;
use crate::io::tcp_info::TcpInfo;

/// Who always has more to say. It takes everything, and counts.
#[derive(Default)]
struct Flood {
    /// What was read of it.
    read: Rc<Cell<usize>>,
    /// What each write gave it.
    written: Rc<RefCell<Vec<usize>>>,
    /// Its kernel acknowledges at once, as the loopback does.
    acknowledges: bool,
    /// Whether closing it breaks it, as often as that was set.
    breaks: Rc<RefCell<Vec<bool>>>,
}

impl Stream for Flood {
    fn shakes_hands(&self) -> bool {
        false
    }

    fn handshake(&mut self, _: &mut dyn Witness) -> Handshake {
        Handshake::Done
    }

    fn read(&mut self, buffer: &mut [u8]) -> Received {
        buffer.fill(b'\n');
        self.read.set(self.read.get() + buffer.len());
        Received::Bytes(buffer.len())
    }

    fn peek(&mut self, _: &mut [u8]) -> Ahead {
        Ahead::Bytes(0)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Sent {
        let count = slices.iter().map(|slice| slice.len()).sum();
        self.written.borrow_mut().push(count);
        Sent::Bytes(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn shutdown(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn hang_up(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        None
    }

    fn has_buffered_input(&self) -> bool {
        true
    }

    fn unread(&self) -> Unread {
        Unread::UNKNOWN
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
        true
    }

    fn has_closed(&self) -> bool {
        false
    }

    fn can_half_close(&self) -> bool {
        true
    }

    fn probe_soon(&mut self) {}

    fn break_on_close(&mut self, breaks: bool) {
        self.breaks.borrow_mut().push(breaks);
    }

    fn tcp_info(&self) -> Option<TcpInfo> {
        let written = self.written.borrow().iter().sum::<usize>() as u64;
        Some(TcpInfo {
            written,
            acknowledged: if self.acknowledges { written } else { 0 },
            in_flight: 0,
            probes: 0,
            last_answer: Duration::ZERO,
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

/// What each of so many is read in one turn.
fn read_in_a_turn(flooders: usize) -> Vec<usize> {
    let now = Instant::now();
    let mut peers: Peers<Flood> = Peers::new(Room::new(POLICY));
    let addr = SocketAddr::from(([127, 0, 0, 1], 1));
    let counts: Vec<Rc<Cell<usize>>> = (0..flooders).map(|_| Rc::default()).collect();
    for count in &counts {
        let flood = Flood {
            read: count.clone(),
            ..Flood::default()
        };
        let key = peers.arrive(Conn::new(flood, addr));
        peers.join(key, now);
    }
    let mut buffer = vec![0; CHUNK];
    let shown = peers.read(&mut buffer, now, |screen| {
        let shown = screen.front().len();
        screen.consume(shown);
        Ok::<_, ()>(())
    });
    assert_eq!(shown, Ok(()));
    counts.iter().map(|count| count.get()).collect()
}

#[test]
fn a_turn_takes_in_as_much_as_the_room_holds_of_all_together() {
    assert_eq!(read_in_a_turn(1), [CHUNK]);
    assert_eq!(read_in_a_turn(2), [CHUNK; 2]);
    assert_eq!(read_in_a_turn(8), [TURN / 8; 8]);
    // All are heard that had nothing to say before.
    assert_eq!(read_in_a_turn(100), [TURN / 100; 100]);
    assert!(
        read_in_a_turn(1000)
            .iter()
            .all(|&read| read == 0 || read == LITTLE)
    );
}

/// Many join who say the beginning of a line, and of whom an end would be read next. Returned are their keys.
fn holding(peers: &mut Peers<fake::Fake>, now: Instant) -> [usize; MANY] {
    let (wires, keys) = fake::join::<MANY>(peers, now);
    for (key, wire) in keys.into_iter().zip(wires) {
        peers.room.heard(key, &[b'x'; LINE], now);
        wire.ends.set(true);
    }
    keys
}

const MANY: usize = 64;
const LINE: usize = 60 * 1024;

/// Takes turns until nothing is held, each of which is to pass on something, and about as much as is read in one.
fn turns_to_pass_on(peers: &mut Peers<fake::Fake>, mut turn: impl FnMut(&mut Peers<fake::Fake>)) {
    let held = |peers: &Peers<fake::Fake>| -> usize {
        let keys = peers.member_keys();
        keys.map(|key| peers.room.held(key)).sum()
    };
    let mut before = held(peers);
    assert!(before >= MANY * LINE);
    while before > 0 {
        turn(peers);
        let after = held(peers);
        assert!((1..TURN + 2 * LINE).contains(&(before - after)));
        before = after;
    }
}

/// Each costs far more than reading it, and all the others wait for the end of the turn.
#[test]
fn lines_of_many_that_end_together_are_passed_on_in_several_turns() {
    let now = Instant::now();
    let mut peers = fake::peers();
    for key in holding(&mut peers, now) {
        peers.collect(key, fake::ended());
    }
    let mut buffer = vec![0; CHUNK];
    turns_to_pass_on(&mut peers, |peers| {
        let read = peers.read(&mut buffer, now, |screen| {
            while !screen.is_empty() {
                screen.consume(screen.front().len());
            }
            Ok::<_, ()>(())
        });
        assert_eq!(read, Ok(()));
    });
}

/// The same of those that are cut off, where nobody sees what they said.
#[test]
fn lines_of_many_that_leave_together_are_passed_on_in_several_turns() {
    let now = Instant::now();
    let mut peers = fake::peers();
    peers.room.screen_mut().close();
    for key in holding(&mut peers, now) {
        peers.queue_leave(key, DisconnectReason::Idle);
    }
    turns_to_pass_on(&mut peers, |peers| {
        assert!(peers.is_ready());
        peers.reap(now);
    });
    assert!(peers.conns.is_empty());
}

#[test]
fn less_of_one_that_floods_is_read_at_once_while_another_speaks() {
    let now = Instant::now();
    let mut peers: Peers<Flood> = Peers::new(Room::new(POLICY));
    let flood = Flood::default();
    let read = flood.read.clone();
    let key = peers.arrive(Conn::new(flood, SocketAddr::from(([127, 0, 0, 1], 1))));
    peers.join(key, now);
    let mut buffer = vec![0; CHUNK];
    let mut read_at = |peers: &mut Peers<Flood>, now| {
        let before = read.get();
        let shown = peers.read(&mut buffer, now, |_| Ok::<_, ()>(()));
        assert_eq!(shown, Ok(()));
        let shown = peers.room.screen().front().len();
        peers.room.screen_mut().consume(shown);
        read.get() - before
    };
    assert_eq!(read_at(&mut peers, now), CHUNK);
    peers.typed(b"one line\n", now);
    assert_eq!(read_at(&mut peers, now), LEAST);
    let next = now + Duration::from_millis(1);
    assert_eq!(read_at(&mut peers, next), CONVERSING);
    peers.typed(&[b'.'; CHUNK], next);
    assert_eq!(read_at(&mut peers, next), CONVERSING, "a file can wait");
    let later = now + Duration::from_secs(60);
    assert_eq!(read_at(&mut peers, later), CHUNK);
}

/// A turn that can show little reads one or two of them: those who go on and on wait for each other, and
/// whoever had nothing to say for hardly any of them.
#[test]
fn who_was_silent_is_read_before_those_who_go_on() {
    const FLOODERS: usize = 20;
    let now = Instant::now();
    let mut peers: Peers<Flood> = Peers::new(Room::new(POLICY));
    let addr = SocketAddr::from(([127, 0, 0, 1], 1));
    let join = |peers: &mut Peers<Flood>| {
        let flood = Flood::default();
        let read = flood.read.clone();
        let key = peers.arrive(Conn::new(flood, addr));
        peers.join(key, now);
        read
    };
    let turn = |peers: &mut Peers<Flood>| {
        let mut buffer = vec![0; CHUNK];
        let read = peers.read(&mut buffer, now, |_| Ok::<_, ()>(()));
        assert_eq!(read, Ok(()));
        let screen = peers.room.screen_mut();
        while !screen.is_empty() {
            let shown = screen.front().len();
            screen.consume(shown);
        }
    };
    let flooders: Vec<Rc<Cell<usize>>> = (0..FLOODERS).map(|_| join(&mut peers)).collect();
    (0..3 * FLOODERS).for_each(|_| turn(&mut peers));
    for round in 1..20 {
        let silent = join(&mut peers);
        let mut turns = 0;
        while silent.get() == 0 {
            turn(&mut peers);
            turns += 1;
        }
        assert!(turns <= 2, "{turns} turns in round {round}");
    }
    // Nor do those who come anew keep the others from being read.
    let before: Vec<usize> = flooders.iter().map(|read| read.get()).collect();
    for _ in 0..8 * FLOODERS {
        join(&mut peers);
        turn(&mut peers);
    }
    for (read, before) in flooders.iter().zip(before) {
        assert!(read.get() > before, "one is not read any more");
    }
}

/// What each of so many was given by each write, when the operator said a line on trial and then more.
fn written_on_trial(count: usize, acknowledges: bool) -> Vec<Vec<usize>> {
    let now = Instant::now();
    let mut peers: Peers<Flood> = Peers::new(Room::new(POLICY));
    let addr = SocketAddr::from(([127, 0, 0, 1], 1));
    let mut written = Vec::new();
    for _ in 0..count {
        let flood = Flood {
            acknowledges,
            ..Flood::default()
        };
        written.push(flood.written.clone());
        let key = peers.arrive(Conn::new(flood, addr));
        peers.join(key, now);
    }
    let now = now + MOMENT;
    peers.typed(b"first\n", now);
    peers.flush(now);
    // Whoever waits is flushed without an event.
    assert_eq!(!peers.owed.is_empty(), acknowledges);
    peers.typed(b"second\n", now);
    peers.flush(now);
    written
        .iter()
        .map(|written| written.borrow().clone())
        .collect()
}

/// The kernel of a peer near by has acknowledged the first word by the time that the write returns. Then
/// the others need not be handed so little.
#[test]
fn a_trial_that_is_over_at_once_costs_only_the_first_a_write() {
    let written = written_on_trial(10, true);
    assert_eq!(written[..SCOUTS], vec![vec![6, 7]; SCOUTS]);
    assert_eq!(written[SCOUTS..], vec![vec![13]; 10 - SCOUTS]);
}

/// Where no acknowledgement comes at once the others do not wait for it.
#[test]
fn a_trial_that_goes_on_holds_nobody_up() {
    assert_eq!(written_on_trial(10, false), vec![vec![6, 7]; 10]);
}

/// That a member which is promised something has got it is told to the kernel once, however often it is
/// flushed after that.
#[test]
fn a_promise_that_is_kept_is_told_once() {
    let now = Instant::now();
    let mut peers: Peers<Flood> = Peers::new(Room::new(POLICY));
    let flood = Flood {
        acknowledges: true,
        ..Flood::default()
    };
    let breaks = flood.breaks.clone();
    let key = peers.arrive(Conn::new(flood, SocketAddr::from(([127, 0, 0, 1], 1))));
    peers.join(key, now);
    peers.typed(b"the last word\n", now);
    peers.promise();
    assert_eq!(*breaks.borrow(), [true]);
    for _ in 0..3 {
        peers.queue_flush(key);
        peers.flush(now);
    }
    assert_eq!(*breaks.borrow(), [true, false]);
}

/// A flooder of which an event told that it ends.
fn ends(peers: &mut Peers<Flood>, now: Instant) -> usize {
    let addr = SocketAddr::from(([127, 0, 0, 1], 1));
    let key = peers.arrive(Conn::new(Flood::default(), addr));
    peers.join(key, now);
    peers.collect(key, fake::ended());
    key
}

fn read_once(peers: &mut Peers<Flood>, now: Instant) {
    let mut buffer = vec![0; CHUNK];
    let read = peers.read(&mut buffer, now, |_| Ok::<_, ()>(()));
    assert_eq!(read, Ok(()));
}

/// As long as it is read in each turn, its end will be read as well.
#[test]
fn who_is_read_on_is_not_judged_by_events() {
    let now = Instant::now();
    let mut peers: Peers<Flood> = Peers::new(Room::new(POLICY));
    let key = ends(&mut peers, now);
    read_once(&mut peers, now);
    peers.judge_unread(now);
    assert!(peers.is_here(key));
    // The screen is full now.
    read_once(&mut peers, now);
    read_once(&mut peers, now);
    peers.judge_unread(now);
    assert!(!peers.is_here(key));
}

/// Who comes is asked once more in the next turn: until then the other may be read to its end.
#[test]
fn who_is_read_on_makes_way_at_the_second_asking() {
    let now = Instant::now();
    let mut peers: Peers<Flood> = Peers::new(Room::new(POLICY));
    let key = ends(&mut peers, now);
    read_once(&mut peers, now);
    peers.judge_unread(now);
    let addr = SocketAddr::from(([127, 0, 0, 1], 2));
    let comes = peers.arrive(Conn::new(Flood::default(), addr));
    let admission = Admission::new(Lists::default(), Some(1), None);
    assert!(peers.ask_for_place(&admission, comes, false, now).is_err());
    assert!(peers.is_here(key));
    assert!(peers.ask_for_place(&admission, comes, true, now).is_ok());
    assert!(!peers.is_here(key));
}
