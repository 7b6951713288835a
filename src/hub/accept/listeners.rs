//! The listeners: where connections are taken from.
//!
//! It promises: no system call for a listener that is known to have nothing; where several have
//! newcomers, they take turns; a closed listener's newcomers are refused by the kernel, unless other
//! processes have the socket open, too.

use std::io;
use std::io::ErrorKind;

use crate::io::addr::Addr;
use crate::io::readiness::Event;
use crate::io::readiness::Readiness;
use crate::io::stream::Stream;
use crate::io::world::World;

/// See the module's documentation.
pub(super) struct Listeners<L> {
    /// By their numbers; none in place of one that is closed.
    all: Vec<Option<Listening<L>>>,
    /// They are others' as well (sd_listen_fds(3)), so that they go on when ours are closed.
    is_shared: bool,
    /// The number of the listener for peers that want a file and do not join the room.
    downloads: Option<usize>,
    /// The number of the one whose turn it is.
    next: usize,
}

/// One listener.
struct Listening<L> {
    listener: L,
    ready: Readiness,
    /// Its connections are closed at once.
    turns_away: bool,
    /// Its connections shake hands, as was seen when the first came.
    shakes_hands: bool,
}

impl<L> Listening<L> {
    /// Whether it has a connection, as far as is known; `only_plain`: one that does not shake hands.
    fn is_ready(&self, only_plain: bool) -> bool {
        self.ready.is_readable() && !(only_plain && self.shakes_hands)
    }
}

/// What a listener gave.
pub(super) enum Accepted<S> {
    /// A connection, and where the other side is.
    Peer(S, Addr),
    /// One that is closed already, since no other peer is let in there.
    TurnedAway,
}

impl<L> Listeners<L> {
    pub(super) fn new(
        listeners: Vec<L>,
        is_shared: bool,
        downloads: Option<usize>,
    ) -> Listeners<L> {
        let listening = |listener| Listening {
            listener,
            ready: Readiness::BLOCKED,
            turns_away: false,
            shakes_hands: false,
        };
        Listeners {
            all: listeners.into_iter().map(listening).map(Some).collect(),
            is_shared,
            downloads,
            next: 0,
        }
    }

    /// Takes note of an event of the listener of that number.
    pub(super) fn collect(&mut self, number: usize, event: Event) {
        if let Some(Some(listening)) = self.all.get_mut(number) {
            listening.ready.collect(event);
        }
    }

    /// Any of them may have a connection of which no event has told yet.
    pub(super) fn expect(&mut self) {
        let all = self.all.iter_mut().flatten();
        all.for_each(|one| one.ready.expect_bytes());
    }

    /// Whether any has a connection, as far as is known; `only_plain`: one that does not shake hands.
    pub(super) fn is_ready(&self, only_plain: bool) -> bool {
        let mut all = self.all.iter().flatten();
        all.any(|one| one.is_ready(only_plain))
    }

    /// Takes one connection, from whichever has one; `only_plain`: that does not shake hands.
    ///
    /// # Errors
    /// As `accept(2)`, but for "none is there": `None`.
    pub(super) fn accept<W>(
        &mut self,
        world: &mut W,
        only_plain: bool,
    ) -> Option<io::Result<Accepted<W::Stream>>>
    where
        W: World<Listener = L>,
        W::Stream: Stream,
    {
        let count = self.all.len();
        for number in (self.next..count).chain(0..self.next) {
            let one = self.all[number].as_mut();
            let Some(one) = one.filter(|one| one.is_ready(only_plain)) else {
                continue;
            };
            let (mut stream, addr) = match world.accept(&mut one.listener) {
                Ok(accepted) => accepted,
                // From now on only a connection that arrives later makes an event (epoll(7),
                // edge-triggered): until here the listener has to count as ready.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    one.ready.read_blocked();
                    continue;
                }
                Err(error) => return Some(Err(error)),
            };
            self.next = (number + 1) % count;
            if one.turns_away {
                // As if no program listened there: an end would be one of an empty whole.
                stream.break_on_close(true);
                return Some(Ok(Accepted::TurnedAway));
            }
            one.shakes_hands = stream.shakes_hands();
            return Some(Ok(Accepted::Peer(stream, addr)));
        }
        None
    }

    /// The kernel refuses newcomers to the room from now on, and those that wait; from shared
    /// listeners they still have to be accepted, and reset.
    pub(super) fn close_room(&mut self) {
        for (number, one) in self.all.iter_mut().enumerate() {
            if self.downloads == Some(number) {
                continue;
            }
            match one {
                Some(listening) if self.is_shared => listening.turns_away = true,
                _ => *one = None,
            }
        }
    }

    /// It refuses peers that want a file.
    pub(super) fn close_downloads(&mut self) {
        if let Some(number) = self.downloads.take()
            && let Some(one) = self.all.get_mut(number)
        {
            *one = None;
        }
    }
}
