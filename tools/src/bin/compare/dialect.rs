//! What the publish-and-subscribe servers want to hear, where one message is one line; and WebSocket.
//!
//! Lines of one length make messages of one length, so that what a subscriber receives is a
//! pattern as well, and is checked byte by byte like everybody else's.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Duration;

use crate::frames;
use crate::load::Pattern;
use crate::load::Stream;
use crate::tls::Connector;

/// How a server is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// Lines are just sent.
    Plain,
    /// RESP: PUBLISH and SUBSCRIBE.
    Redis,
    /// PUB and SUB.
    Nats,
    /// MQTT 3.1.1 with quality of service 0.
    Mqtt,
    /// Lines in the messages of a WebSocket.
    Web,
    /// What NATS says, in the messages of a WebSocket.
    WebNats,
    /// Lines, encrypted.
    Tls,
}

impl Dialect {
    /// What a subscriber says first.
    pub fn subscribe(self, id: usize) -> Vec<u8> {
        match self {
            Dialect::Plain | Dialect::Web | Dialect::Tls => Vec::new(),
            Dialect::WebNats => frames::masked(&Dialect::Nats.subscribe(id)),
            Dialect::Redis => b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n".to_vec(),
            Dialect::Nats => [NATS_HELLO, b"SUB c 1\r\nPING\r\n"].concat(),
            Dialect::Mqtt => {
                let mut bytes = self.publish(id);
                // SUBSCRIBE, packet 1, topic "c", quality of service 0.
                bytes.extend_from_slice(&[0x82, 6, 0, 1, 0, 1, b'c', 0]);
                bytes
            }
        }
    }

    /// What a publisher says first.
    pub fn publish(self, id: usize) -> Vec<u8> {
        match self {
            Dialect::Plain | Dialect::Web | Dialect::Tls => Vec::new(),
            Dialect::WebNats => frames::masked(&Dialect::Nats.publish(id)),
            Dialect::Redis => b"*1\r\n$4\r\nPING\r\n".to_vec(),
            Dialect::Nats => [NATS_HELLO, b"PING\r\n"].concat(),
            Dialect::Mqtt => {
                let id = format!("p{id:07}");
                // CONNECT, protocol level 4, a clean session, no keep-alive.
                let mut bytes = vec![0x10, 10 + 2 + id.len() as u8];
                bytes.extend_from_slice(&[0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0]);
                bytes.extend_from_slice(&[0, id.len() as u8]);
                bytes.extend_from_slice(id.as_bytes());
                bytes
            }
        }
    }

    /// Whether the answer to [`Dialect::subscribe`] or [`Dialect::publish`] is complete.
    pub fn is_welcome(self, answer: &[u8], subscribes: bool) -> bool {
        match self {
            Dialect::Plain | Dialect::Web | Dialect::Tls => true,
            Dialect::Redis if subscribes => answer.ends_with(b"c\r\n:1\r\n"),
            Dialect::Redis => answer.ends_with(b"+PONG\r\n"),
            Dialect::Nats | Dialect::WebNats => answer.ends_with(b"PONG\r\n"),
            // CONNACK, and SUBACK.
            Dialect::Mqtt => answer.len() == if subscribes { 9 } else { 4 },
        }
    }

    /// Lines as a publisher sends them.
    pub fn sent(self, origin: usize, line: usize) -> Pattern {
        let (head, tail) = match self {
            Dialect::Plain | Dialect::Web | Dialect::Tls => (Vec::new(), &b""[..]),
            Dialect::Redis => (
                format!("*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n${line}\r\n").into_bytes(),
                &b"\r\n"[..],
            ),
            Dialect::Nats | Dialect::WebNats => {
                (format!("PUB c {line}\r\n").into_bytes(), &b"\r\n"[..])
            }
            Dialect::Mqtt => (mqtt_head(line), &b""[..]),
        };
        Pattern::framed(origin, line, &head, tail)
    }

    /// Lines as a subscriber receives them.
    pub fn received(self, origin: usize, line: usize) -> Pattern {
        let (head, tail) = match self {
            Dialect::Plain | Dialect::Web | Dialect::Tls => (Vec::new(), &b""[..]),
            Dialect::Redis => (
                format!("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n${line}\r\n").into_bytes(),
                &b"\r\n"[..],
            ),
            Dialect::Nats | Dialect::WebNats => {
                (format!("MSG c 1 {line}\r\n").into_bytes(), &b"\r\n"[..])
            }
            Dialect::Mqtt => (mqtt_head(line), &b""[..]),
        };
        Pattern::framed(origin, line, &head, tail)
    }

    /// What a server may say between two messages.
    pub fn interlude(self) -> &'static [u8] {
        match self {
            Dialect::Nats | Dialect::WebNats => b"PING\r\n",
            _ => b"",
        }
    }

    /// Whether it is spoken in the messages of a WebSocket.
    pub fn is_web(self) -> bool {
        matches!(self, Dialect::Web | Dialect::WebNats)
    }

    /// Connects, waits to be welcome, and receives.
    ///
    /// # Errors
    /// It cannot connect, or is not welcome in time.
    pub fn join(self, addr: SocketAddr, id: usize) -> Result<Stream, String> {
        if self == Dialect::Tls {
            let client = Connector::new(0).connect(addr, id);
            let client = client.map_err(|error| format!("peer {id} cannot connect: {error}"))?;
            return Ok(Stream::Tls(Box::new(client)));
        }
        Stream::tcp(self.connect(addr, id, true)?).map_err(|error| error.to_string())
    }

    /// Connects and waits to be welcome.
    ///
    /// # Errors
    /// It cannot connect, or is not welcome in time.
    pub fn connect(
        self,
        addr: SocketAddr,
        id: usize,
        subscribes: bool,
    ) -> Result<TcpStream, String> {
        let fail = |error: std::io::Error| format!("peer {id} cannot connect: {error}");
        let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5)).map_err(fail)?;
        stream.set_nodelay(true).map_err(fail)?;
        if self.is_web() {
            frames::ask(&mut stream, "/socket").map_err(fail)?;
            frames::answer(&mut stream).map_err(fail)?;
        }
        if matches!(self, Dialect::Plain | Dialect::Web | Dialect::Tls) {
            return Ok(stream);
        }
        let hello = match subscribes {
            true => self.subscribe(id),
            false => self.publish(id),
        };
        stream.write_all(&hello).map_err(fail)?;
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .map_err(fail)?;
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while !self.is_welcome(&answer, subscribes) {
            match stream.read(&mut buffer) {
                Ok(0) => return Err(format!("peer {id} was closed on")),
                Ok(count) => answer.extend_from_slice(&buffer[..count]),
                Err(error) => return Err(fail(error)),
            }
        }
        Ok(stream)
    }
}

const NATS_HELLO: &[u8] = b"CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":true}\r\n";

/// PUBLISH to topic "c" with quality of service 0.
fn mqtt_head(line: usize) -> Vec<u8> {
    let mut head = vec![0x30];
    let mut left = line + 3;
    loop {
        let low = (left % 128) as u8;
        left /= 128;
        head.push(if left > 0 { low | 128 } else { low });
        if left == 0 {
            break;
        }
    }
    head.extend_from_slice(&[0, 1, b'c']);
    head
}
