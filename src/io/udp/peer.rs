//! A peer of UDP: the address that a datagram came from, and the local address that it was sent to.
//!
//! A peer with a connected socket receives nothing that comes from another address, so a socket on all addresses has
//! to answer from the one that the peer has sent to (`IP_PKTINFO`, ip(7); `IPV6_RECVPKTINFO`, RFC 3542).
//! Without that the kernel takes the local address of its route to the peer.
//!
//! It promises: one system call per call; an answer leaves from the address that the datagram was sent to. If
//! that is an address of many hosts (broadcast, multicast), it leaves from one of this machine's, which the
//! kernel names or chooses.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;

use mio::net::UdpSocket;

use crate::engine::udp::Address;
use crate::io::addr::Addr;

/// The bytes of a header of UDP, and of one of IPv4 or IPv6 before it (RFC 768, RFC 791, RFC 8200).
const UDP: usize = 8;
const IPV4: usize = 20;
const IPV6: usize = 40;

/// See the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    addr: SocketAddr,
    /// Ours, if it is known.
    at: Option<IpAddr>,
}

impl Address for Peer {
    fn headers(&self) -> usize {
        match self.addr.ip().to_canonical() {
            IpAddr::V4(_) => UDP + IPV4,
            IpAddr::V6(_) => UDP + IPV6,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Addr::from(self.addr).fmt(f)
    }
}

impl From<SocketAddr> for Peer {
    fn from(addr: SocketAddr) -> Peer {
        Peer { addr, at: None }
    }
}

#[cfg(not(target_os = "linux"))]
impl Peer {
    /// Nothing has to be asked for.
    pub(super) fn ask(_: &socket2::Socket, _: SocketAddr) -> io::Result<()> {
        Ok(())
    }

    /// Reads one datagram: how long it is, and from whom.
    pub(super) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, Peer)> {
        let (len, addr) = socket.recv_from(buffer)?;
        Ok((len, addr.into()))
    }

    /// Sends one there.
    pub(super) fn send(&self, socket: &UdpSocket, datagram: &[u8]) -> io::Result<()> {
        socket.send_to(datagram, self.addr).map(drop)
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::IoSlice;
    use std::io::IoSliceMut;
    use std::net::Ipv4Addr;
    use std::net::Ipv6Addr;
    use std::os::fd::AsRawFd;

    use nix::libc;
    use nix::sys::socket::ControlMessage;
    use nix::sys::socket::ControlMessageOwned;
    use nix::sys::socket::MsgFlags;
    use nix::sys::socket::SockaddrStorage;
    use nix::sys::socket::recvmsg;
    use nix::sys::socket::sendmsg;
    use nix::sys::socket::setsockopt;
    use nix::sys::socket::sockopt;

    use super::*;

    impl Peer {
        /// Asks for the address that is spoken to, on a socket that is to be bound there.
        pub(in crate::io::udp) fn ask(
            socket: &socket2::Socket,
            bound: SocketAddr,
        ) -> io::Result<()> {
            // For what comes by IPv4 on a socket for both as well.
            setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
            if bound.is_ipv6() {
                setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
            }
            Ok(())
        }

        /// Reads one datagram: how long it is, and from whom.
        pub(in crate::io::udp) fn receive(
            socket: &UdpSocket,
            buffer: &mut [u8],
        ) -> io::Result<(usize, Peer)> {
            let mut control = nix::cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo);
            let mut slices = [IoSliceMut::new(buffer)];
            let received = recvmsg::<SockaddrStorage>(
                socket.as_raw_fd(),
                &mut slices,
                Some(&mut control),
                MsgFlags::empty(),
            )?;
            let addr = received.address.as_ref().and_then(inet);
            let addr = addr.ok_or(io::ErrorKind::InvalidData)?;
            let mut at = None;
            // What comes by IPv4 is told in both ways, and that of IPv4 names ours for a broadcast, too.
            for message in received.cmsgs()? {
                match message {
                    ControlMessageOwned::Ipv4PacketInfo(info) => {
                        let ip = Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr));
                        at = Some(IpAddr::V4(ip));
                    }
                    ControlMessageOwned::Ipv6PacketInfo(info) => {
                        let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                        let is_ours = ip.to_ipv4_mapped().is_none() && !ip.is_multicast();
                        at = at.or(is_ours.then_some(IpAddr::V6(ip)));
                    }
                    _ => {}
                }
            }
            Ok((received.bytes, Peer { addr, at }))
        }

        /// Sends one there.
        pub(in crate::io::udp) fn send(
            &self,
            socket: &UdpSocket,
            datagram: &[u8],
        ) -> io::Result<()> {
            let slices = [IoSlice::new(datagram)];
            let to = SockaddrStorage::from(self.addr);
            let call = |control: &[ControlMessage<'_>]| {
                let fd = socket.as_raw_fd();
                sendmsg(fd, &slices, control, MsgFlags::empty(), Some(&to))
            };
            match self.at {
                Some(IpAddr::V4(ip)) => {
                    call(&[ControlMessage::Ipv4PacketInfo(&libc::in_pktinfo {
                        ipi_ifindex: 0,
                        ipi_spec_dst: libc::in_addr {
                            s_addr: u32::from(ip).to_be(),
                        },
                        ipi_addr: libc::in_addr { s_addr: 0 },
                    })])
                }
                Some(IpAddr::V6(ip)) => {
                    call(&[ControlMessage::Ipv6PacketInfo(&libc::in6_pktinfo {
                        ipi6_addr: libc::in6_addr {
                            s6_addr: ip.octets(),
                        },
                        // A link's own address means something with its link only.
                        ipi6_ifindex: match self.addr {
                            SocketAddr::V6(addr) if ip.is_unicast_link_local() => addr.scope_id(),
                            _ => 0,
                        },
                    })])
                }
                None => call(&[]),
            }?;
            Ok(())
        }
    }

    fn inet(addr: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = addr
            .as_sockaddr_in()
            .map(|addr| SocketAddr::V4((*addr).into()));
        v4.or_else(|| {
            addr.as_sockaddr_in6()
                .map(|addr| SocketAddr::V6((*addr).into()))
        })
    }
}
