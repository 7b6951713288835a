//! The world of a core: of which kinds the sockets, descriptors and copies inside the kernel are.
//!
//! The cores of the loops ([`crate::hub`], [`crate::client`]) hold every decision of a turn and touch
//! the world only through here. The program's world is [`Kernel`]; those of `tests/simulation` and
//! `tests/simulation/participant` are models, so that the simulations drive the very cores.
//!
//! It promises: no decision is made here.

use std::io;

use mio::Registry;
use mio::Token;

use crate::engine::room::TimeOfDay;
use crate::io::addr::Addr;
use crate::io::clock::LocalClock;
use crate::io::conn::Conn;
use crate::io::descriptor::Descriptor;
use crate::io::device::Device;
use crate::io::layer::Layer;
use crate::io::listener::Listener;
use crate::io::output::Output;
use crate::io::readiness::Watch;
use crate::io::stdin::Stdin;
use crate::io::stream::Stream;
use crate::io::zero_copy;
use crate::io::zero_copy::Copied;

/// See the module's documentation.
pub trait World {
    /// The stream under a connection.
    type Stream: Stream;
    /// The type of stdin, stdout and the files of records.
    type Device: Device;
    /// The type that connections come from.
    type Listener;

    /// Asks for the events of a connection: they come with its key.
    ///
    /// # Errors
    /// The error of the system call.
    fn register(
        &mut self,
        conn: &mut Conn<Self::Stream>,
        key: usize,
        watch: Watch,
    ) -> io::Result<()>;

    /// Asks for the events of one that was registered for its arrivals alone to tell of its room,
    /// too: at once, if there is some.
    ///
    /// # Errors
    /// The error of the system call.
    fn await_room(&mut self, conn: &mut Conn<Self::Stream>, key: usize) -> io::Result<()>;

    /// Takes a connection from a listener, if there is one.
    ///
    /// # Errors
    /// As `accept(2)`.
    fn accept(&mut self, listener: &mut Self::Listener) -> io::Result<(Self::Stream, Addr)>;

    /// Moves from a file to a connection inside the kernel.
    fn send(&mut self, stdin: &mut Stdin<Self::Device>, conn: &mut Conn<Self::Stream>) -> Copied;

    /// Moves from a connection to a pipe inside the kernel.
    fn receive(
        &mut self,
        conn: &mut Conn<Self::Stream>,
        stdout: &mut Output<Self::Device>,
    ) -> Copied;

    /// The time of day here, if it is to be shown.
    fn time_of_day(&mut self) -> Option<TimeOfDay>;
}

/// The real one. See [`World`].
#[derive(Debug)]
pub struct Kernel {
    registry: Registry,
    clock: Option<LocalClock>,
}

impl Kernel {
    /// The world whose events come to the poll of this registry.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn new(registry: &Registry) -> io::Result<Kernel> {
        Ok(Kernel {
            registry: registry.try_clone()?,
            clock: None,
        })
    }

    /// The same, with the time of day shown.
    pub fn with_clock(self, clock: Option<LocalClock>) -> Kernel {
        Kernel { clock, ..self }
    }
}

impl World for Kernel {
    type Stream = Layer;
    type Device = Descriptor;
    type Listener = Listener;

    fn register(&mut self, conn: &mut Conn, key: usize, watch: Watch) -> io::Result<()> {
        conn.register(&self.registry, Token(key), watch)
    }

    fn await_room(&mut self, conn: &mut Conn, key: usize) -> io::Result<()> {
        conn.await_room(&self.registry, Token(key))
    }

    fn accept(&mut self, listener: &mut Listener) -> io::Result<(Layer, Addr)> {
        listener.accept()
    }

    fn send(&mut self, stdin: &mut Stdin, conn: &mut Conn) -> Copied {
        zero_copy::send(stdin, conn)
    }

    fn receive(&mut self, conn: &mut Conn, stdout: &mut Output) -> Copied {
        zero_copy::receive(conn, stdout)
    }

    fn time_of_day(&mut self) -> Option<TimeOfDay> {
        self.clock.as_ref().map(LocalClock::time)
    }
}
