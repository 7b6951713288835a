//! Faults: the signals by which the kernel tells a process that it cannot go on (SIGSEGV, SIGBUS,
//! SIGFPE, SIGILL), when somebody else sends them.
//!
//! No handler is set for these: after a real fault nothing safe could be done in one, and no safe
//! function sets it. They are blocked and read from a descriptor instead (`signalfd(2)`), which gets only
//! what was sent. A real fault ends the process all the same: the kernel does not let it be blocked
//! (`sigprocmask(2)`).
//!
//! It promises: one that was ignored when the program started stays so. Where there is no such
//! descriptor nothing happens here, and such a signal leaves a terminal as it is.

use std::io;

use mio::Registry;
use mio::Token;
use signal_hook::consts::SIGBUS;
use signal_hook::consts::SIGFPE;
use signal_hook::consts::SIGILL;
use signal_hook::consts::SIGSEGV;

/// The signals of faults.
pub(super) const FAULTS: [i32; 4] = [SIGBUS, SIGFPE, SIGILL, SIGSEGV];

/// The signals of faults as events. See the module's documentation.
pub(super) struct Faults(#[cfg(target_os = "linux")] nix::sys::signalfd::SignalFd);

#[cfg(target_os = "linux")]
impl Faults {
    /// Takes over those of these signals that are faults', until it is dropped.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn new(
        signals: impl Iterator<Item = i32>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Faults> {
        use std::os::fd::AsFd;
        use std::os::fd::AsRawFd;

        use mio::Interest;
        use mio::unix::SourceFd;
        use nix::sys::signal::SigSet;
        use nix::sys::signal::Signal;
        use nix::sys::signalfd::SfdFlags;
        use nix::sys::signalfd::SignalFd;

        let faults = signals.filter(|signal| FAULTS.contains(signal));
        let mask: SigSet = faults
            .filter_map(|fault| Signal::try_from(fault).ok())
            .collect();
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let sent = SignalFd::with_flags(&mask, flags)?;
        let descriptor = sent.as_fd().as_raw_fd();
        registry.register(&mut SourceFd(&descriptor), token, Interest::READABLE)?;
        mask.thread_block()?;
        Ok(Faults(sent))
    }

    /// One that was sent since the last call.
    pub(super) fn pending(&mut self) -> Option<i32> {
        let sent = self.0.read_signal().ok().flatten()?;
        i32::try_from(sent.ssi_signo).ok()
    }
}

#[cfg(target_os = "linux")]
impl Drop for Faults {
    /// They end the program at once again.
    fn drop(&mut self) {
        use nix::sys::signal::SigSet;
        use nix::sys::signal::Signal;

        let faults = FAULTS.into_iter();
        let mask: SigSet = faults
            .filter_map(|fault| Signal::try_from(fault).ok())
            .collect();
        // It fails for no set of real signals.
        let _ = mask.thread_unblock();
    }
}

#[cfg(not(target_os = "linux"))]
impl Faults {
    pub(super) fn new(
        _signals: impl Iterator<Item = i32>,
        _registry: &Registry,
        _token: Token,
    ) -> io::Result<Faults> {
        Ok(Faults())
    }

    pub(super) fn pending(&mut self) -> Option<i32> {
        None
    }
}
