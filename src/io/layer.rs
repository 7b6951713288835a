//! The layers of a connection: a socket as it is, what encrypts over one, and what browsers speak.
//!
//! ```text
//!   Conn ─► Layer::Plain(Socket)
//!        ├► Layer::Tls(Session) ─► Socket
//!        ├► Layer::Telnet(Telnet) ─► Socket
//!        ├► Layer::TelnetTls(Telnet) ─► Session ─► Socket
//!        ├► Layer::Web(WebSocket) ─► Socket
//!        ├► Layer::WebTls(WebSocket) ─► Session ─► Socket
//!        ├► Layer::Download(Download) ─► Socket
//!        └► Layer::DownloadTls(Download) ─► Session ─► Socket
//! ```
//!
//! It promises: every answer of [`Stream`] is given for each layer by name, so that a new one cannot
//! be taken for another.

use std::io;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use log::Level;
use mio::Registry;
use mio::Token;

use crate::engine::explain::Agreement;
use crate::engine::explain::Reading;
use crate::engine::explain::Witness;
use crate::io::readiness::Watch;
use crate::io::socket::Socket;
use crate::io::stream::Ahead;
use crate::io::stream::Beside;
use crate::io::stream::Handshake;
use crate::io::stream::Received;
use crate::io::stream::Refusal;
use crate::io::stream::Sent;
use crate::io::stream::Stream;
use crate::io::stream::Unread;
use crate::io::tcp_info::TcpInfo;
use crate::io::telnet::Telnet;
use crate::io::tls::Session;
#[cfg(feature = "web")]
use crate::io::web::Download;
#[cfg(feature = "web")]
use crate::io::web::Serves;
use crate::io::web::Site;
#[cfg(feature = "web")]
use crate::io::web::WebSocket;

/// What a connection runs over. See the module's documentation.
#[derive(Debug)]
pub enum Layer {
    /// The socket's own bytes.
    Plain(Socket),
    /// TLS over a socket.
    #[cfg(feature = "tls")]
    Tls(Box<Session>),
    /// Telnet's negotiation over a socket.
    Telnet(Box<Telnet<Socket>>),
    /// The same over TLS.
    #[cfg(feature = "tls")]
    TelnetTls(Box<Telnet<Session>>),
    /// WebSocket over a socket.
    #[cfg(feature = "web")]
    Web(Box<WebSocket<Socket>>),
    /// The same over TLS.
    #[cfg(all(feature = "web", feature = "tls"))]
    WebTls(Box<WebSocket<Session>>),
    /// HTTP over a socket, for a file.
    #[cfg(feature = "web")]
    Download(Box<Download<Socket>>),
    /// The same over TLS.
    #[cfg(all(feature = "web", feature = "tls"))]
    DownloadTls(Box<Download<Session>>),
}

/// Calls one method of whichever layer it is.
macro_rules! each {
    ($layer:expr, $stream:ident => $call:expr) => {
        match $layer {
            Layer::Plain($stream) => $call,
            #[cfg(feature = "tls")]
            Layer::Tls($stream) => $call,
            Layer::Telnet($stream) => $call,
            #[cfg(feature = "tls")]
            Layer::TelnetTls($stream) => $call,
            #[cfg(feature = "web")]
            Layer::Web($stream) => $call,
            #[cfg(all(feature = "web", feature = "tls"))]
            Layer::WebTls($stream) => $call,
            #[cfg(feature = "web")]
            Layer::Download($stream) => $call,
            #[cfg(all(feature = "web", feature = "tls"))]
            Layer::DownloadTls($stream) => $call,
        }
    };
}

impl Layer {
    /// Registers the socket at the bottom.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn register(&mut self, registry: &Registry, token: Token, watch: Watch) -> io::Result<()> {
        self.socket_mut().register(registry, token, watch)
    }

    /// Registers it anew, to be told of room, too.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn await_room(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.socket_mut().await_room(registry, token)
    }

    /// Takes the socket at the bottom out of the registry that it was registered with.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.socket_mut().deregister(registry)
    }

    /// The socket, if there is nothing over it.
    pub fn into_plain(self) -> Option<Socket> {
        match self {
            Layer::Plain(socket) => Some(socket),
            #[cfg(feature = "tls")]
            Layer::Tls(_) | Layer::TelnetTls(_) => None,
            Layer::Telnet(_) => None,
            #[cfg(feature = "web")]
            Layer::Web(_) | Layer::Download(_) => None,
            #[cfg(all(feature = "web", feature = "tls"))]
            Layer::WebTls(_) | Layer::DownloadTls(_) => None,
        }
    }

    /// The stream at the bottom.
    fn socket(&self) -> &Socket {
        match self {
            Layer::Plain(socket) => socket,
            #[cfg(feature = "tls")]
            Layer::Tls(session) => session.socket(),
            Layer::Telnet(telnet) => telnet.under(),
            #[cfg(feature = "tls")]
            Layer::TelnetTls(telnet) => telnet.under().socket(),
            #[cfg(feature = "web")]
            Layer::Web(web) => web.under(),
            #[cfg(all(feature = "web", feature = "tls"))]
            Layer::WebTls(web) => web.under().socket(),
            #[cfg(feature = "web")]
            Layer::Download(download) => download.under(),
            #[cfg(all(feature = "web", feature = "tls"))]
            Layer::DownloadTls(download) => download.under().socket(),
        }
    }

    fn socket_mut(&mut self) -> &mut Socket {
        match self {
            Layer::Plain(socket) => socket,
            #[cfg(feature = "tls")]
            Layer::Tls(session) => session.socket_mut(),
            Layer::Telnet(telnet) => telnet.under_mut(),
            #[cfg(feature = "tls")]
            Layer::TelnetTls(telnet) => telnet.under_mut().socket_mut(),
            #[cfg(feature = "web")]
            Layer::Web(web) => web.under_mut(),
            #[cfg(all(feature = "web", feature = "tls"))]
            Layer::WebTls(web) => web.under_mut().socket_mut(),
            #[cfg(feature = "web")]
            Layer::Download(download) => download.under_mut(),
            #[cfg(all(feature = "web", feature = "tls"))]
            Layer::DownloadTls(download) => download.under_mut().socket_mut(),
        }
    }

    /// The same without telnet's negotiation, which is answered (`-t`); that the other side breaks its rules is told
    /// that loud.
    pub fn for_telnet(self, loudness: Level) -> Layer {
        match self {
            Layer::Plain(socket) => Layer::Telnet(Box::new(Telnet::new(socket, loudness))),
            #[cfg(feature = "tls")]
            Layer::Tls(session) => Layer::TelnetTls(Box::new(Telnet::new(*session, loudness))),
            layer => layer,
        }
    }

    /// For browsers, with the address of this machine that they connected to.
    #[cfg(feature = "web")]
    pub fn for_web(self, site: &Arc<Site>, local: SocketAddr) -> Layer {
        let site = Arc::clone(site);
        match (self, site.serves()) {
            (Layer::Plain(socket), Serves::Room) => {
                Layer::Web(Box::new(WebSocket::new(socket, site, local)))
            }
            (Layer::Plain(socket), Serves::File) => {
                Layer::Download(Box::new(Download::new(socket, site, local)))
            }
            #[cfg(feature = "tls")]
            (Layer::Tls(session), Serves::Room) => {
                Layer::WebTls(Box::new(WebSocket::new(*session, site, local)))
            }
            #[cfg(feature = "tls")]
            (Layer::Tls(session), Serves::File) => {
                Layer::DownloadTls(Box::new(Download::new(*session, site, local)))
            }
            (web, _) => web,
        }
    }

    /// Without the web there is no site.
    #[cfg(not(feature = "web"))]
    pub fn for_web(self, site: &Arc<Site>, _: SocketAddr) -> Layer {
        match **site {}
    }
}

impl Stream for Layer {
    fn shakes_hands(&self) -> bool {
        each!(self, stream => stream.shakes_hands())
    }

    fn handshake(&mut self, witness: &mut dyn Witness) -> Handshake {
        each!(self, stream => stream.handshake(witness))
    }

    fn read(&mut self, buffer: &mut [u8]) -> Received {
        each!(self, stream => stream.read(buffer))
    }

    fn peek(&mut self, buffer: &mut [u8]) -> Ahead {
        each!(self, stream => stream.peek(buffer))
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Sent {
        each!(self, stream => stream.write(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        each!(self, stream => stream.flush())
    }

    fn shutdown(&mut self) -> io::Result<()> {
        each!(self, stream => stream.shutdown())
    }

    fn hang_up(&mut self) -> io::Result<()> {
        each!(self, stream => stream.hang_up())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        each!(self, stream => stream.take_error())
    }

    fn has_buffered_input(&self) -> bool {
        each!(self, stream => stream.has_buffered_input())
    }

    fn unread(&self) -> Unread {
        each!(self, stream => stream.unread())
    }

    fn has_pending_output(&self) -> bool {
        each!(self, stream => stream.has_pending_output())
    }

    fn authenticates_eof(&self) -> bool {
        each!(self, stream => stream.authenticates_eof())
    }

    fn is_wire(&self) -> bool {
        each!(self, stream => stream.is_wire())
    }

    fn tells_hang_up(&self) -> bool {
        each!(self, stream => stream.tells_hang_up())
    }

    fn has_closed(&self) -> bool {
        each!(self, stream => stream.has_closed())
    }

    fn can_half_close(&self) -> bool {
        each!(self, stream => stream.can_half_close())
    }

    fn probe_soon(&mut self) {
        each!(self, stream => stream.probe_soon());
    }

    fn break_on_close(&mut self, breaks: bool) {
        each!(self, stream => stream.break_on_close(breaks));
    }

    fn tcp_info(&self) -> Option<TcpInfo> {
        each!(self, stream => stream.tcp_info())
    }

    fn refuse(&mut self, refusal: &Refusal, witness: &mut dyn Witness) -> io::Result<()> {
        each!(self, stream => stream.refuse(refusal, witness))
    }

    fn beside(&mut self) -> Option<&mut dyn Beside> {
        each!(self, stream => stream.beside())
    }

    fn reading(&self) -> Option<Reading> {
        each!(self, stream => stream.reading())
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        each!(self, stream => stream.local_addr())
    }

    fn agreements(&self) -> Vec<Agreement> {
        each!(self, stream => stream.agreements())
    }
}

impl From<Socket> for Layer {
    fn from(socket: Socket) -> Layer {
        Layer::Plain(socket)
    }
}

#[cfg(feature = "tls")]
impl From<Session> for Layer {
    fn from(session: Session) -> Layer {
        Layer::Tls(Box::new(session))
    }
}

/// Without TLS there is no session.
#[cfg(not(feature = "tls"))]
impl From<Session> for Layer {
    fn from(session: Session) -> Layer {
        session.never()
    }
}

impl AsFd for Layer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}
