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

#[cfg(target_os = "linux")]
pub(super) use self::linux::Faults;
#[cfg(not(target_os = "linux"))]
pub(super) use self::other::Faults;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::AsFd;
    use std::os::fd::AsRawFd;

    use mio::Interest;
    use mio::Registry;
    use mio::Token;
    use mio::unix::SourceFd;
    use nix::sys::signal::SigSet;
    use nix::sys::signal::Signal;
    use nix::sys::signalfd::SfdFlags;
    use nix::sys::signalfd::SignalFd;

    const FAULTS: [Signal; 4] = [
        Signal::SIGBUS,
        Signal::SIGFPE,
        Signal::SIGILL,
        Signal::SIGSEGV,
    ];

    /// The signals of faults as events. See the module's documentation.
    pub(in crate::io::signals) struct Faults(SignalFd);

    impl Faults {
        /// A signal that is sent from now on waits until they are taken over.
        pub(in crate::io::signals) fn hold() {
            // It fails for no set of real signals.
            let _ = mask().thread_block();
        }

        /// Takes them over, until it is dropped.
        ///
        /// # Errors
        /// The error of the system call.
        pub(in crate::io::signals) fn new(registry: &Registry, token: Token) -> io::Result<Faults> {
            // Signals that are sent meanwhile have to be read, too.
            Faults::hold();
            let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
            let sent = SignalFd::with_flags(&mask(), flags)?;
            let descriptor = sent.as_fd().as_raw_fd();
            registry.register(&mut SourceFd(&descriptor), token, Interest::READABLE)?;
            Ok(Faults(sent))
        }

        /// A signal that was sent since the last call.
        pub(in crate::io::signals) fn pending(&mut self) -> Option<i32> {
            let sent = self.0.read_signal().ok().flatten()?;
            i32::try_from(sent.ssi_signo).ok()
        }
    }

    impl Drop for Faults {
        /// They end the program at once again.
        fn drop(&mut self) {
            // It fails for no set of real signals.
            let _ = mask().thread_unblock();
        }
    }

    fn mask() -> SigSet {
        FAULTS.into_iter().collect()
    }
}

/// No other system has such a descriptor.
#[cfg(not(target_os = "linux"))]
mod other {
    use std::io;

    use mio::Registry;
    use mio::Token;

    /// Nothing is taken over.
    pub(in crate::io::signals) struct Faults;

    impl Faults {
        pub(in crate::io::signals) fn hold() {}

        pub(in crate::io::signals) fn new(_: &Registry, _: Token) -> io::Result<Faults> {
            Ok(Faults)
        }

        pub(in crate::io::signals) fn pending(&mut self) -> Option<i32> {
            None
        }
    }
}
