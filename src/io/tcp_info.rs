//! What the kernel knows of a TCP connection: what was sent to the other side and not acknowledged,
//! and when it last acknowledged anything. Asked of the kernel over a netlink socket
//! (`sock_diag(7)`), as ss does: no privilege is needed, and one question is two system calls.
//!
//! It promises: whatever goes wrong (no Linux, no `inet_diag`, not permitted) is told by `None`,
//! and said once with `-vv`; it never blocks.

use std::net::SocketAddr;

#[cfg(target_os = "linux")]
use rustix::io::Errno;

use crate::engine::dead_peer::Outstanding;

/// Queries the kernel. See the module's documentation.
#[derive(Debug)]
pub struct TcpInfo {
    /// None until it is first needed: most never are.
    #[cfg(target_os = "linux")]
    socket: Option<linux::Socket>,
    /// It was tried in vain.
    #[cfg(target_os = "linux")]
    refused: bool,
}

impl TcpInfo {
    /// Ready to ask, if it may.
    #[cfg(target_os = "linux")]
    pub fn new() -> TcpInfo {
        TcpInfo {
            socket: None,
            refused: false,
        }
    }

    /// What is known of the connection between these two addresses of this machine and the other.
    #[cfg(target_os = "linux")]
    pub fn query(&mut self, here: SocketAddr, there: SocketAddr) -> Option<Outstanding> {
        if self.refused {
            return None;
        }
        let asked = match &self.socket {
            Some(socket) => socket.ask(here, there),
            None => {
                linux::Socket::open().and_then(|socket| self.socket.insert(socket).ask(here, there))
            }
        };
        asked
            .inspect_err(|error| {
                refused(error);
                self.socket = None;
                // With a descriptor more it may go well next time.
                self.refused = ![Errno::MFILE, Errno::NFILE].contains(error);
            })
            .ok()
            .flatten()
    }

    /// Nowhere but on Linux.
    #[cfg(not(target_os = "linux"))]
    pub fn new() -> TcpInfo {
        TcpInfo {}
    }

    /// Nowhere but on Linux.
    #[cfg(not(target_os = "linux"))]
    pub fn query(&mut self, _: SocketAddr, _: SocketAddr) -> Option<Outstanding> {
        None
    }
}

impl Default for TcpInfo {
    fn default() -> TcpInfo {
        TcpInfo::new()
    }
}

#[cfg(target_os = "linux")]
fn refused(error: &Errno) {
    log::debug!("ask what was not acknowledged: {error}; keepalive must do");
}

/// The protocol: `linux/sock_diag.h`, `linux/inet_diag.h` and `struct tcp_info` of `linux/tcp.h`.
#[cfg(target_os = "linux")]
mod linux {
    use std::net::IpAddr;
    use std::net::SocketAddr;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::io::Errno;
    use rustix::net::AddressFamily;
    use rustix::net::RecvFlags;
    use rustix::net::SendFlags;
    use rustix::net::SocketFlags;
    use rustix::net::SocketType;
    use rustix::net::netlink;
    use rustix::net::netlink::SocketAddrNetlink;

    use crate::engine::dead_peer::Outstanding;

    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLMSG_ERROR: u16 = 2;
    const NLM_F_REQUEST: u16 = 1;
    const INET_DIAG_INFO: u16 = 2;
    const AF_INET: u8 = 2;
    const AF_INET6: u8 = 10;
    const IPPROTO_TCP: u8 = 6;
    const TCP_LISTEN: u8 = 10;

    /// Lengths of `nlmsghdr`, `inet_diag_req_v2` and `inet_diag_msg`.
    const HEADER: usize = 16;
    const REQUEST: usize = HEADER + 56;
    const MESSAGE: usize = HEADER + 72;

    #[derive(Debug)]
    pub(super) struct Socket(OwnedFd);

    impl Socket {
        pub(super) fn open() -> Result<Socket, Errno> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let protocol = Some(netlink::SOCK_DIAG);
            rustix::net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, protocol)
                .map(Socket)
        }

        pub(super) fn ask(
            &self,
            here: SocketAddr,
            there: SocketAddr,
        ) -> Result<Option<Outstanding>, Errno> {
            let kernel = SocketAddrNetlink::new(0, 0);
            rustix::net::sendto(&self.0, &request(here, there), SendFlags::empty(), &kernel)?;
            // The kernel has answered by the time it has taken the question.
            let mut reply = [0; 1024];
            let (len, _) = rustix::net::recv(&self.0, &mut reply, RecvFlags::DONTWAIT)?;
            let reply = &reply[..len];
            match u16_at(reply, 4) {
                Some(SOCK_DIAG_BY_FAMILY) => Ok(outstanding(reply)),
                Some(NLMSG_ERROR) => match -i32_at(reply, HEADER).unwrap_or(0) {
                    // That connection is gone.
                    2 => Ok(None),
                    errno => Err(Errno::from_raw_os_error(errno)),
                },
                _ => Ok(None),
            }
        }
    }

    fn request(here: SocketAddr, there: SocketAddr) -> [u8; REQUEST] {
        let mut request = [0; REQUEST];
        let mut put = |at: usize, bytes: &[u8]| {
            request[at..at + bytes.len()].copy_from_slice(bytes);
        };
        put(0, &(REQUEST as u32).to_ne_bytes());
        put(4, &SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        put(6, &NLM_F_REQUEST.to_ne_bytes());
        let family = match there.is_ipv4() {
            true => AF_INET,
            false => AF_INET6,
        };
        put(16, &[family, IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1)]);
        // In every state, and with any cookie.
        put(20, &[0xff; 4]);
        put(24, &here.port().to_be_bytes());
        put(26, &there.port().to_be_bytes());
        for (at, addr) in [(28, here), (44, there)] {
            match addr.ip() {
                IpAddr::V4(ip) => put(at, &ip.octets()),
                IpAddr::V6(ip) => put(at, &ip.octets()),
            }
        }
        if let SocketAddr::V6(there) = there {
            put(60, &there.scope_id().to_ne_bytes());
        }
        put(64, &[0xff; 8]);
        request
    }

    fn outstanding(reply: &[u8]) -> Option<Outstanding> {
        // Without a connection the kernel finds the listener.
        if *reply.get(HEADER + 1)? == TCP_LISTEN {
            return None;
        }
        let queued = u32_at(reply, HEADER + 60)?;
        let mut at = MESSAGE;
        loop {
            let len = usize::from(u16_at(reply, at)?);
            if u16_at(reply, at + 2)? == INET_DIAG_INFO {
                let info = reply.get(at + 4..at + len)?;
                let probes = *info.get(3)?;
                let unacked = u32_at(info, 24)?;
                let last_ack = u32_at(info, 56)?;
                return Some(Outstanding {
                    unanswered: unacked > 0 || probes > 0,
                    waiting: queued > 0,
                    silent: Duration::from_millis(last_ack.into()),
                });
            }
            // Attributes are aligned to four bytes; one of no length would be read for ever.
            at += len.max(4).next_multiple_of(4);
        }
    }

    fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
        Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
    }

    fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
        Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
    }

    fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
        Some(i32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Read;
    use std::io::Write;
    use std::net::TcpListener;
    use std::net::TcpStream;

    use super::*;

    /// A connection to ourselves, the side that connected first.
    fn connection(listen: &str) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(listen).unwrap();
        let mut addr = listener.local_addr().unwrap();
        if addr.ip().is_unspecified() {
            addr.set_ip([127, 0, 0, 1].into());
        }
        let here = TcpStream::connect(addr).unwrap();
        (here, listener.accept().unwrap().0)
    }

    fn query(stream: &TcpStream) -> Option<Outstanding> {
        TcpInfo::new().query(stream.local_addr().unwrap(), stream.peer_addr().unwrap())
    }

    #[test]
    fn what_was_read_is_answered_and_a_closed_window_is_waiting() {
        // A dual-stack listener's accepted side is IPv4 inside IPv6.
        for listen in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let (mut here, mut there) = connection(listen);
            there.write_all(b"hello").unwrap();
            here.read_exact(&mut [0; 5]).unwrap();
            for side in [&here, &there] {
                let found = query(side).expect(listen);
                assert!(!found.unanswered && !found.waiting, "{listen}: {found:?}");
                assert!(found.silent.as_secs() < 30, "{listen}: {found:?}");
            }
            there.set_nonblocking(true).unwrap();
            while there.write(&[0; 65536]).is_ok() {}
            let found = query(&there).expect(listen);
            assert!(found.waiting, "{listen}: {found:?}");
        }
    }

    #[test]
    fn of_who_is_gone_nothing_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (here, there) = (listener.local_addr().unwrap(), ([127, 0, 0, 1], 1).into());
        let mut tcp_info = TcpInfo::new();
        assert_eq!(tcp_info.query(here, there), None);
        assert!(tcp_info.socket.is_some());
    }
}
