//! The listeners: where connections are taken from.
//!
//! It promises: nobody is asked who has nothing, as far as is known; who is closed refuses by itself
//! whoever comes, unless others have it open, too.

use std::io;
use std::io::ErrorKind;

use crate::io::addr::Addr;
use crate::io::readiness::Event;
use crate::io::readiness::Readiness;
use crate::io::world::World;

/// See the module's documentation.
pub(super) struct Listeners<L> {
    all: Vec<Listening<L>>,
    /// They are others' as well (sd_listen_fds(3)), so that they go on when ours are closed.
    is_shared: bool,
}

/// One listener.
struct Listening<L> {
    listener: L,
    ready: Readiness,
}

impl<L> Listeners<L> {
    pub(super) fn new(listeners: Vec<L>, is_shared: bool) -> Listeners<L> {
        let listening = |listener| Listening {
            listener,
            ready: Readiness::BLOCKED,
        };
        Listeners {
            all: listeners.into_iter().map(listening).collect(),
            is_shared,
        }
    }

    /// Takes note of an event of the listener of that number.
    pub(super) fn collect(&mut self, number: usize, event: Event) {
        if let Some(listening) = self.all.get_mut(number) {
            listening.ready.collect(event);
        }
    }

    /// Any of them may have a connection of which no event has told yet.
    pub(super) fn expect(&mut self) {
        self.all.iter_mut().for_each(|one| one.ready.expect_bytes());
    }

    /// Whether any has a connection, as far as is known.
    pub(super) fn is_ready(&self) -> bool {
        self.all.iter().any(|one| one.ready.is_readable())
    }

    /// Takes one connection, from whichever has one.
    ///
    /// # Errors
    /// As `accept(2)`, but for "none is there": `None`.
    pub(super) fn accept<W>(&mut self, world: &mut W) -> Option<io::Result<(W::Stream, Addr)>>
    where
        W: World<Listener = L>,
    {
        while let Some(ready) = self.all.iter_mut().find(|one| one.ready.is_readable()) {
            match world.accept(&mut ready.listener) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready.ready.read_blocked(),
                accepted => return Some(accepted),
            }
        }
        None
    }

    /// The kernel refuses whoever comes from now on, and those who wait; with shared ones they are still
    /// to be taken, and closed.
    pub(super) fn close(&mut self) {
        if !self.is_shared {
            self.all.clear();
        }
    }
}
