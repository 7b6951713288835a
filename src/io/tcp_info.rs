//! What the kernel knows of a TCP connection: what of the bytes sent was acknowledged, and when the
//! other side last answered anything (`TCP_INFO`, tcp(7); `struct tcp_info` of `linux/tcp.h`).
//!
//! One question is one system call of less than a microsecond; it needs no privilege and no socket
//! of its own, and is answered after a reset, too.
//!
//! It promises: it never blocks and never fails loudly; where the system does not tell (no Linux, one
//! before 4.19, no TCP socket) the answer is `None`.

use std::os::fd::AsFd;
use std::time::Duration;

#[cfg(target_os = "linux")]
use self::linux as system;
#[cfg(not(target_os = "linux"))]
use self::other as system;
use crate::engine::dead_peer::Outstanding;
use crate::engine::explain::Reading;

/// An answer of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpInfo {
    /// Bytes on the wire that the kernel was given since the connection was made, its ends not counted.
    pub written: u64,
    /// How many of those the other side acknowledged.
    pub acknowledged: u64,
    /// Segments sent and not acknowledged, that of our end included.
    pub in_flight: u32,
    /// Probes of a closed window, or of a silent connection, that were not answered.
    pub probes: u8,
    /// How long ago anything was acknowledged.
    pub last_answer: Duration,
}

impl TcpInfo {
    /// Asks about a socket. `connected`: it is the side that called connect(2), for which the kernel
    /// counts the SYN as one acknowledged byte.
    pub fn of(socket: impl AsFd, connected: bool) -> Option<TcpInfo> {
        system::ask(&socket, connected)
    }

    /// Asks about a socket for more, to explain it.
    pub fn reading(socket: impl AsFd, connected: bool) -> Option<Reading> {
        system::read(&socket, TcpInfo::of(&socket, connected)?)
    }

    /// Bytes that the other side has not acknowledged, sent or waiting to be.
    pub fn unacknowledged(self) -> u64 {
        self.written - self.acknowledged
    }

    /// What is on its way, for the look whether the other side answers
    /// ([`dead_peer`](crate::engine::dead_peer)).
    pub fn outstanding(self) -> Outstanding {
        Outstanding {
            unanswered: self.in_flight > 0 || self.probes > 0,
            waiting: self.unacknowledged() > 0 || self.in_flight > 0,
            silent: self.last_answer,
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::AsFd;
    use std::sync::OnceLock;
    use std::time::Duration;

    use nix::getsockopt_impl;
    use nix::libc;
    use nix::sockopt_impl;

    use super::TcpInfo;
    use crate::engine::explain::Phase;
    use crate::engine::explain::Reading;

    /// The beginning of the kernel's `struct tcp_info`, as of Linux 4.19. The kernel fills as much as
    /// there is room for.
    #[allow(
        unreachable_pub,
        reason = "the option that sockopt_impl makes is public, and names it"
    )]
    #[derive(Debug, Clone, Copy)]
    #[repr(C)]
    pub struct Info {
        state: u8,
        _congestion_and_retransmits: [u8; 2],
        probes: u8,
        _options: [u8; 4],
        _rto_and_ato: [u32; 2],
        snd_mss: u32,
        _rcv_mss: u32,
        unacked: u32,
        _sacked_to_last_data_recv: [u32; 7],
        last_ack_recv: u32,
        _pmtu_and_ssthresh: [u32; 2],
        rtt: u32,
        _rttvar_to_rcv_space: [u32; 7],
        total_retrans: u32,
        _pacing: [u64; 2],
        bytes_acked: u64,
        _bytes_received: u64,
        _segments: [u32; 2],
        notsent_bytes: u32,
        _min_rtt_and_data_segments: [u32; 3],
        _delivery_rate_to_sndbuf_limited: [u64; 4],
        _delivered: [u32; 2],
        bytes_sent: u64,
        bytes_retrans: u64,
    }

    const _: () = assert!(size_of::<Info>() == 216);

    /// The same, as of Linux 5.4.
    #[allow(
        unreachable_pub,
        reason = "the option that sockopt_impl makes is public, and names it"
    )]
    #[derive(Debug, Clone, Copy)]
    #[repr(C)]
    pub struct LongInfo {
        info: Info,
        _dsack_dups_to_ooopack: [u32; 3],
        snd_wnd: u32,
    }

    const _: () = assert!(size_of::<LongInfo>() == 232);

    sockopt_impl!(
        /// The kernel's account of a connection.
        Account,
        GetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_INFO,
        Info
    );

    sockopt_impl!(
        /// The same with more.
        LongAccount,
        GetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_INFO,
        LongInfo
    );

    pub(super) fn ask(socket: &impl AsFd, connected: bool) -> Option<TcpInfo> {
        let info = account(socket)?;
        let sent = info.bytes_sent.saturating_sub(info.bytes_retrans);
        // In FIN-WAIT-1, LAST-ACK and CLOSING (include/net/tcp_states.h) our end is the last of what was not sent.
        let has_end = matches!(info.state, 4 | 9 | 11) && info.notsent_bytes > 0;
        let written = sent + u64::from(info.notsent_bytes) - u64::from(has_end);
        let acknowledged = info.bytes_acked.saturating_sub(u64::from(connected));
        Some(TcpInfo {
            written,
            // Our end counts as one more, and is acknowledged after all else.
            acknowledged: acknowledged.min(written),
            in_flight: info.unacked,
            probes: info.probes,
            last_answer: Duration::from_millis(info.last_ack_recv.into()),
        })
    }

    fn account(socket: &impl AsFd) -> Option<Info> {
        if version() < (4, 19) {
            return None;
        }
        nix::sys::socket::getsockopt(socket, Account).ok()
    }

    /// What there is to explain, beside what `known` says.
    pub(super) fn read(socket: &impl AsFd, known: TcpInfo) -> Option<Reading> {
        let (info, window) = match version() >= (5, 4) {
            true => {
                let long = nix::sys::socket::getsockopt(socket, LongAccount).ok()?;
                (long.info, Some(long.snd_wnd))
            }
            false => (account(socket)?, None),
        };
        Some(Reading {
            // include/net/tcp_states.h
            phase: match info.state {
                1 => Phase::Established,
                5 => Phase::FinWait2,
                8 => Phase::CloseWait,
                _ => Phase::Other,
            },
            round_trip: Duration::from_micros(info.rtt.into()),
            segment: info.snd_mss,
            window,
            written: known.written,
            acknowledged: known.acknowledged,
            unsent: info.notsent_bytes,
            in_flight: known.in_flight,
            resent: info.total_retrans,
            probes: info.probes,
        })
    }

    /// The kernel's version, which says how long its account is: more must not be asked for.
    fn version() -> (u32, u32) {
        static VERSION: OnceLock<(u32, u32)> = OnceLock::new();
        *VERSION.get_or_init(|| {
            let release = rustix::system::uname();
            let release = release.release().to_string_lossy();
            let mut numbers = release
                .split(['.', '-'])
                .map_while(|part| part.parse().ok());
            (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
        })
    }
}

/// Of other systems' accounts none is read.
#[cfg(not(target_os = "linux"))]
mod other {
    use std::os::fd::AsFd;

    use super::TcpInfo;
    use crate::engine::explain::Reading;

    pub(super) fn ask(_: &impl AsFd, _: bool) -> Option<TcpInfo> {
        None
    }

    pub(super) fn read(_: &impl AsFd, _: TcpInfo) -> Option<Reading> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Read;
    use std::io::Write;
    use std::net::Shutdown;
    use std::net::TcpListener;
    use std::net::TcpStream;
    use std::time::Instant;

    use super::*;
    use crate::engine::explain::Phase;

    /// A connection to ourselves: the side that connected, and the one that accepted.
    fn connection(listen: &str) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(listen).unwrap();
        let mut addr = listener.local_addr().unwrap();
        if addr.ip().is_unspecified() {
            addr.set_ip([127, 0, 0, 1].into());
        }
        let here = TcpStream::connect(addr).unwrap();
        (here, listener.accept().unwrap().0)
    }

    /// Asks until the answer is as wanted.
    fn until(stream: &TcpStream, connected: bool, wanted: impl Fn(TcpInfo) -> bool) -> TcpInfo {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let info = TcpInfo::of(stream, connected).unwrap();
            if wanted(info) {
                return info;
            }
            assert!(Instant::now() < end, "{info:?}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_was_read_is_acknowledged_on_both_sides_to_the_byte() {
        // A dual-stack listener's accepted side is IPv4 inside IPv6.
        for listen in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let (mut here, mut there) = connection(listen);
            assert_eq!(TcpInfo::of(&here, true).unwrap().acknowledged, 0);
            here.write_all(b"hello").unwrap();
            there.read_exact(&mut [0; 5]).unwrap();
            there.write_all(b"hi").unwrap();
            here.read_exact(&mut [0; 2]).unwrap();
            let up = until(&here, true, |info| info.unacknowledged() == 0);
            let down = until(&there, false, |info| info.unacknowledged() == 0);
            assert_eq!((up.acknowledged, down.acknowledged), (5, 2), "{listen}");
            assert!(up.last_answer.as_secs() < 30, "{listen}: {up:?}");
        }
    }

    #[test]
    fn what_a_closed_window_holds_back_is_counted_also_after_a_reset() {
        let (mut here, there) = connection("127.0.0.1:0");
        here.set_nonblocking(true).unwrap();
        let mut written = 0;
        while let Ok(count) = here.write(&[0; 65536]) {
            written += count as u64;
        }
        let info = TcpInfo::of(&here, true).unwrap();
        assert!(
            info.unacknowledged() > 0 && info.outstanding().waiting,
            "{info:?}"
        );
        assert_eq!(info.written, written);
        // With all of it unread that is a reset (RFC 1122, 4.2.2.13).
        drop(there);
        let end = Instant::now() + Duration::from_secs(10);
        while here.take_error().unwrap().is_none() {
            assert!(Instant::now() < end, "no reset came");
            std::thread::yield_now();
        }
        let info = TcpInfo::of(&here, true).unwrap();
        assert!(info.unacknowledged() > 0, "{info:?}");
        assert_eq!(info.written, written);
    }

    #[test]
    fn an_end_is_no_byte_that_is_missing() {
        let (mut here, there) = connection("127.0.0.1:0");
        here.write_all(b"x").unwrap();
        here.shutdown(Shutdown::Write).unwrap();
        let info = until(&here, true, |info| info.in_flight == 0);
        assert_eq!((info.written, info.acknowledged), (1, 1), "{info:?}");
        drop(there);
        // Nor is one that waits behind what a closed window holds back.
        let (mut here, there) = connection("127.0.0.1:0");
        here.set_nonblocking(true).unwrap();
        let mut written = 0;
        while let Ok(count) = here.write(&[0; 65536]) {
            written += count as u64;
        }
        here.shutdown(Shutdown::Write).unwrap();
        assert_eq!(TcpInfo::of(&here, true).unwrap().written, written);
        drop(there);
    }

    #[test]
    fn what_is_explained_is_read_from_the_same_account() {
        let (mut here, there) = connection("127.0.0.1:0");
        let begun = TcpInfo::reading(&here, true).unwrap();
        assert_eq!(begun.phase, Phase::Established);
        assert!(
            !begun.round_trip.is_zero() && begun.segment > 500,
            "{begun:?}"
        );
        assert!(begun.window.is_none_or(|window| window > 0), "{begun:?}");
        here.set_nonblocking(true).unwrap();
        while here.write(&[0; 65536]).is_ok() {}
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let full = TcpInfo::reading(&here, true).unwrap();
            if full.unsent > 0 && full.window.is_none_or(|window| window == 0) {
                break;
            }
            assert!(Instant::now() < end, "{full:?}");
        }
        there.shutdown(Shutdown::Write).unwrap();
        while here.read(&mut [0; 1]).is_err() {}
        let half = TcpInfo::reading(&here, true).unwrap();
        assert_eq!(half.phase, Phase::CloseWait, "{half:?}");
    }

    #[test]
    fn what_is_no_tcp_socket_has_no_account() {
        let (here, _there) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(TcpInfo::of(&here, true), None);
    }
}
