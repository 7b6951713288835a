//! Browsers from outside (docs/WEB.md): the page, who is let in, what is said both ways, and how it ends;
//! with frames by hand, and an independent peer if it is installed.

#![cfg(feature = "web")]

mod asking;
mod autobahn;
mod downloads;
mod ends;
mod hostile;
mod peers;
mod returning;
mod talking;

#[path = "../support/mod.rs"]
mod support;

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::process::Stdio;

use support::MUXNC;
use support::Process;
use support::connect;
use support::piped;

/// The first bytes of frames.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// What one that said nothing is told when the input of the class ends.
const OVER: &str = r#"{"type":"over","heard":0,"hears":true}"#;

/// A hub that serves browsers, and others as well.
struct Hub {
    process: Process,
    port: u16,
    web: u16,
}

impl Hub {
    #[track_caller]
    fn start(args: &[&str]) -> Hub {
        Hub::start_with(Stdio::piped(), args)
    }

    /// The same with another standard input than an open pipe.
    #[track_caller]
    fn start_with(stdin: impl Into<Stdio>, args: &[&str]) -> Hub {
        let all = [&["-l", "0", "-v", "--web", "0"], args].concat();
        let hub = support::Hub::start_command(piped(MUXNC, &all).stdin(stdin));
        let support::Hub { process, port } = hub;
        let web = support::web_port(&process.stderr);
        Hub { process, port, web }
    }

    /// A browser that joined.
    #[track_caller]
    fn join(&self) -> Web {
        Web::join(self.web)
    }

    /// A plain participant that joined; nobody else may join meanwhile.
    #[track_caller]
    fn join_plain(&self) -> TcpStream {
        let stream = connect(self.port);
        let addr = stream.local_addr().unwrap();
        self.process.stderr.wait_for(&format!("{addr} joined"));
        stream
    }
}

/// Asks for something in HTTP, and reads the answer to its end.
#[track_caller]
fn ask(port: u16, request: &str) -> String {
    let mut stream = connect(port);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8(answer).expect("text")
}

/// The request of an upgrade, with other fields in place of some, or without those that are empty.
fn upgrade(port: u16, target: &str, changes: &[(&str, &str)]) -> String {
    let host = format!("127.0.0.1:{port}");
    let origin = format!("http://{host}");
    let mut fields = vec![
        ("Host", &*host),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
        ("Origin", &origin),
    ];
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        if !value.is_empty() {
            fields.push((name, value));
        }
    }
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    format!(
        "GET {target} HTTP/1.1\r\n{}\r\n",
        fields.collect::<String>()
    )
}

/// A WebSocket, as a browser has one.
struct Web<S = TcpStream> {
    stream: S,
    /// The first that it was told.
    hello: String,
    /// How many are here, as it was told last.
    here: Option<u64>,
}

impl Web {
    #[track_caller]
    fn join(port: u16) -> Web {
        Web::join_at(port, "/socket")
    }

    #[track_caller]
    fn join_at(port: u16, target: &str) -> Web {
        Web::over(connect(port), &upgrade(port, target, &[]))
    }

    /// One that is told something else than a hello first.
    #[track_caller]
    fn turned_away(port: u16, target: &str) -> Web {
        Web::upgraded(connect(port), &upgrade(port, target, &[]))
    }
}

impl<S: Read + Write> Web<S> {
    #[track_caller]
    fn over(stream: S, request: &str) -> Web<S> {
        let mut web = Web::upgraded(stream, request);
        let (first, hello) = web.frame();
        web.hello = String::from_utf8(hello).unwrap();
        assert_eq!(first, TEXT, "{}", web.hello);
        assert!(
            web.hello.starts_with(r#"{"type":"hello","epoch":""#),
            "{}",
            web.hello
        );
        web
    }

    #[track_caller]
    fn upgraded(mut stream: S, request: &str) -> Web<S> {
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            // A read that is interrupted is begun again.
            if let Err(error) = stream.read_exact(&mut byte) {
                panic!("{error} after {}", String::from_utf8_lossy(&head));
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(
            head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
            "{head}"
        );
        let accept = "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        assert!(head.contains(accept), "{head}");
        Web {
            stream,
            hello: String::new(),
            here: None,
        }
    }

    /// The first byte and the payload of the next frame, but for those that tell how many are here.
    #[track_caller]
    fn frame(&mut self) -> (u8, Vec<u8>) {
        loop {
            let frame = self.try_frame().expect("a frame");
            if !self.heard_here(&frame) {
                return frame;
            }
        }
    }

    /// Takes note of how many are here, if that frame tells it.
    fn heard_here(&mut self, (first, payload): &(u8, Vec<u8>)) -> bool {
        let text = String::from_utf8_lossy(payload);
        let count = text.strip_prefix(r#"{"type":"here","here":"#);
        let Some(count) = count.filter(|_| *first == TEXT) else {
            return false;
        };
        self.here = Some(count.trim_end_matches('}').parse().expect("a number"));
        true
    }

    /// Waits until it is told that so many are here.
    #[track_caller]
    fn expect_here(&mut self, count: u64) {
        while self.here != Some(count) {
            let frame = self.try_frame().expect("a frame");
            assert!(self.heard_here(&frame), "{frame:?}");
        }
    }

    fn try_frame(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let mut start = [0; 2];
        self.stream.read_exact(&mut start)?;
        let more = match start[1] {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mut number = [0; 8];
        self.stream.read_exact(&mut number[8 - more..])?;
        let length = match more {
            0 => u64::from(start[1]),
            _ => u64::from_be_bytes(number),
        };
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload)?;
        Ok((start[0], payload))
    }

    /// Sends a frame with that first byte.
    #[track_caller]
    fn send(&mut self, first: u8, payload: &[u8]) {
        self.stream.write_all(&masked(first, payload)).unwrap();
    }

    #[track_caller]
    fn say(&mut self, message: impl AsRef<[u8]>) {
        self.send(BINARY, message.as_ref());
    }

    /// Requires that this is said next, in whatever frames.
    #[track_caller]
    fn expect(&mut self, text: &str) {
        let mut said = String::new();
        while said.len() < text.len() {
            let (first, payload) = self.frame();
            assert_eq!(first, BINARY, "{}", String::from_utf8_lossy(&payload));
            said.push_str(std::str::from_utf8(&payload).expect("text"));
        }
        assert_eq!(said, text);
    }

    /// Requires that it is told this next, and the code of a close then.
    #[track_caller]
    fn expect_end(&mut self, why: &str, code: u16) {
        let (first, told) = self.frame();
        let told = String::from_utf8_lossy(&told).into_owned();
        assert_eq!((first, &*told), (TEXT, why));
        self.expect_close(code);
    }

    #[track_caller]
    fn expect_close(&mut self, code: u16) {
        let close = self.frame();
        assert_eq!(close, (CLOSE, code.to_be_bytes().to_vec()));
    }
}

/// A frame as a client sends it.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match (payload.len(), u16::try_from(payload.len())) {
        (len @ 0..=125, _) => frame.push(0x80 | len as u8),
        (_, Ok(len)) => {
            frame.push(0xfe);
            frame.extend(len.to_be_bytes());
        }
        (len, _) => {
            frame.push(0xff);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    let keys = mask.iter().cycle();
    frame.extend(payload.iter().zip(keys).map(|(byte, key)| byte ^ key));
    frame
}
