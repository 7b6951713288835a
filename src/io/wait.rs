//! Waiting for descriptors where no loop does: while a connection is made, a proxy is asked or hands are
//! shaken, for the last bytes of stdout and stderr, and, for no time at all, whether a call would block.
//!
//! It promises: it returns when the limit is over at the latest. A signal ends it earlier, with `EINTR`.

use std::time::Duration;

use rustix::event::PollFd;
use rustix::event::Timespec;
use rustix::event::poll;
use rustix::io::Errno;

/// Waits until one of them is ready, or for `limit`. Returns how many are.
pub(super) fn until_ready(fds: &mut [PollFd<'_>], limit: Duration) -> Result<usize, Errno> {
    let limit = Timespec {
        tv_sec: limit.as_secs() as i64,
        tv_nsec: limit.subsec_nanos().into(),
    };
    poll(fds, Some(&limit))
}
