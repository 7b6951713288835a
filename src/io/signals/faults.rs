//! Faults: the signals by which the kernel tells a process that it cannot go on (SIGSEGV, SIGBUS,
//! SIGFPE, SIGILL), when another process sends them.
//!
//! No handler is set for these: after a real fault nothing safe could be done in one, and no safe
//! function sets it. They are blocked and read from a descriptor instead (`signalfd(2)`), which gets only
//! what was sent. A real fault ends the process all the same: the kernel does not let it be blocked
//! (`sigprocmask(2)`).
//!
//! Blocked they must be in any case: at the first SIGSEGV or SIGBUS that is not for its stack, Rust's own
//! handler of these only gives up, and expects the fault to happen again; one that was sent does not.
//!
//! It promises: nothing is read but what was sent, ignored or not, also before there was a descriptor if
//! they were [held](Faults::hold) then. Where there is no such descriptor nothing happens here, and such a
//! signal leaves a terminal as it is.

use std::io;

use mio::Registry;
use mio::Token;
use signal_hook::consts::SIGBUS;
use signal_hook::consts::SIGFPE;
use signal_hook::consts::SIGILL;
use signal_hook::consts::SIGSEGV;

/// The signals of faults.
const FAULTS: [i32; 4] = [SIGBUS, SIGFPE, SIGILL, SIGSEGV];

/// The signals of faults as events. See the module's documentation.
pub(super) struct Faults(#[cfg(target_os = "linux")] nix::sys::signalfd::SignalFd);

#[cfg(target_os = "linux")]
impl Faults {
    /// A signal that is sent from now on waits until they are taken over.
    pub(super) fn hold() {
        // It fails for no set of real signals.
        let _ = Faults::mask().thread_block();
    }

    /// Takes them over, until it is dropped.
    ///
    /// # Errors
    /// The error of the system call.
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Faults> {
        use std::os::fd::AsFd;
        use std::os::fd::AsRawFd;

        use mio::Interest;
        use mio::unix::SourceFd;
        use nix::sys::signalfd::SfdFlags;
        use nix::sys::signalfd::SignalFd;

        // Signals that are sent meanwhile have to be read, too.
        Faults::hold();
        let mask = Faults::mask();
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let sent = SignalFd::with_flags(&mask, flags)?;
        let descriptor = sent.as_fd().as_raw_fd();
        registry.register(&mut SourceFd(&descriptor), token, Interest::READABLE)?;
        Ok(Faults(sent))
    }

    fn mask() -> nix::sys::signal::SigSet {
        let faults = FAULTS.into_iter();
        let fault = |fault| nix::sys::signal::Signal::try_from(fault).ok();
        faults.filter_map(fault).collect()
    }

    /// A signal that was sent since the last call.
    pub(super) fn pending(&mut self) -> Option<i32> {
        let sent = self.0.read_signal().ok().flatten()?;
        i32::try_from(sent.ssi_signo).ok()
    }
}

#[cfg(target_os = "linux")]
impl Drop for Faults {
    /// They end the program at once again.
    fn drop(&mut self) {
        // It fails for no set of real signals.
        let _ = Faults::mask().thread_unblock();
    }
}

#[cfg(not(target_os = "linux"))]
impl Faults {
    pub(super) fn hold() {}

    pub(super) fn new(_registry: &Registry, _token: Token) -> io::Result<Faults> {
        Ok(Faults())
    }

    pub(super) fn pending(&mut self) -> Option<i32> {
        None
    }
}
