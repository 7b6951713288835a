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
    MethodNotAllowed,
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

impl Status {
    fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::PartialContent => "206 Partial Content",
            Status::NotModified => "304 Not Modified",
            Status::BadRequest => "400 Bad Request",
            Status::Forbidden => "403 Forbidden",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
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
            Status::MethodNotAllowed => "Allow: GET, HEAD\r\n",
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

    /// As it is on the wire.
    pub fn answer(&self, now: Date) -> Vec<u8> {
        let body = format!("{}\n", self.why);
        answer(self.status, TEXT, "", body.as_bytes(), false, now)
    }

    /// Why, if that is news for the operator: a client that is not let in is news, and a client's
    /// mistake is not.
    pub fn into_news(self) -> Option<Cow<'static, str>> {
        (self.status == Status::Forbidden).then_some(self.why)
    }
}

/// What a sentence is.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// An answer with a body of that type, which is left out if it is `head_only`, and `fields`, each ended by CRLF.
pub fn answer(
    status: Status,
    content_type: &str,
    fields: &str,
    body: &[u8],
    head_only: bool,
    now: Date,
) -> Vec<u8> {
    let mut answer = head(status, content_type, fields, body.len() as u64, now).into_bytes();
    if !head_only {
        answer.extend_from_slice(body);
    }
    answer
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
