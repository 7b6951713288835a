//! An answer: what a hub says in HTTP/1.1.
//!
//! It promises: every answer but an upgrade closes the connection, says when it was made and how long it is, and lets
//! no browser guess what it is or keep it.

use std::borrow::Cow;

use super::date::Date;

/// How a request ends (RFC 9110, section 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 200
    Ok,
    /// 206
    PartialContent,
    /// 304
    NotModified,
    /// 400
    BadRequest,
    /// 403
    Forbidden,
    /// 404
    NotFound,
    /// 405
    MethodNotAllowed(Methods),
    /// 412
    PreconditionFailed,
    /// 416
    RangeNotSatisfiable,
    /// 421
    Misdirected,
    /// 426
    UpgradeRequired,
    /// 431
    TooLong,
    /// 503
    Unavailable,
}

/// What may be asked of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Methods {
    /// An upgrade by GET, of which there is no head alone.
    Get,
    /// Something to read.
    GetAndHead,
}

impl Status {
    fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::PartialContent => "206 Partial Content",
            Status::NotModified => "304 Not Modified",
            Status::BadRequest => "400 Bad Request",
            Status::Forbidden => "403 Forbidden",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed(_) => "405 Method Not Allowed",
            Status::PreconditionFailed => "412 Precondition Failed",
            Status::RangeNotSatisfiable => "416 Range Not Satisfiable",
            Status::Misdirected => "421 Misdirected Request",
            Status::UpgradeRequired => "426 Upgrade Required",
            Status::TooLong => "431 Request Header Fields Too Large",
            Status::Unavailable => "503 Service Unavailable",
        }
    }

    /// What else goes with it.
    fn fields(self) -> &'static str {
        match self {
            Status::MethodNotAllowed(Methods::Get) => "Allow: GET\r\n",
            Status::MethodNotAllowed(Methods::GetAndHead) => "Allow: GET, HEAD\r\n",
            // RFC 6455, section 4.4; the connection is closed all the same.
            Status::UpgradeRequired => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            Status::Unavailable => "Retry-After: 5\r\n",
            _ => "",
        }
    }
}

/// Why a request gets nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of answer it is.
    pub status: Status,
    /// A sentence for a person.
    pub why: Cow<'static, str>,
}

impl Refusal {
    /// With a sentence.
    pub fn new(status: Status, why: impl Into<Cow<'static, str>>) -> Refusal {
        let why = why.into();
        Refusal { status, why }
    }

    /// What is answered.
    pub fn answer(&self, now: Date) -> Answer {
        let body = format!("{}\n", self.why);
        answer(self.status, TEXT, "", body.into_bytes(), now)
    }

    /// Why, if that is news for the operator: a client that is not let in is news, and a client's
    /// mistake is not.
    pub fn into_news(self) -> Option<Cow<'static, str>> {
        (self.status == Status::Forbidden).then_some(self.why)
    }
}

/// What a sentence is.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// What is answered to GET. How much of that is sent depends on the method, whatever the answer is: so only
/// [`Answer::bytes`] gives it out.
#[derive(Debug)]
pub struct Answer {
    head: String,
    body: Cow<'static, [u8]>,
}

impl Answer {
    /// As it is on the wire: without the body to HEAD (RFC 9110, section 9.3.2).
    pub fn bytes(self, is_head: bool) -> Vec<u8> {
        let mut bytes = self.head.into_bytes();
        if !is_head {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// An answer with a body of that type, and `fields`, each ended by CRLF.
pub fn answer(
    status: Status,
    content_type: &str,
    fields: &str,
    body: impl Into<Cow<'static, [u8]>>,
    now: Date,
) -> Answer {
    let body = body.into();
    Answer {
        head: head(status, content_type, fields, body.len() as u64, now),
        body,
    }
}

/// The head of an answer whose body has that length, with `fields`, each ended by CRLF.
pub fn head(status: Status, content_type: &str, fields: &str, length: u64, now: Date) -> String {
    let content = format!("Content-Type: {content_type}\r\nContent-Length: {length}\r\n");
    bare(status, &format!("{content}{fields}"), now)
}

/// The head of an answer that has no body by what it means, and no length of one.
pub fn bare(status: Status, fields: &str, now: Date) -> String {
    format!(
        "HTTP/1.1 {}\r\n\
         Date: {now}\r\n\
         Cache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\n\
         {}{fields}\
         Connection: close\r\n\
         \r\n",
        status.line(),
        status.fields(),
    )
}

/// The answer that opens a WebSocket.
pub fn upgrade(accept: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\
         \r\n"
    )
    .into_bytes()
}
