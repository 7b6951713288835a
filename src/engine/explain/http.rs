//! HTTP/1 recognized in what goes over a connection, line by line as it is typed or sent, in words.
//!
//! It promises: bytes that do not begin as HTTP are not kept; of a head at most [`HEAD`] bytes are;
//! of each direction [`MESSAGES`] messages are explained.

use std::fmt::Write;

use httparse::EMPTY_HEADER;
use httparse::Header;
use httparse::Request;
use httparse::Response;
use httparse::Status;

use super::Layer;
use super::Telling;
use super::counted;
use super::shown;

/// Bytes of a head that are kept to be understood.
const HEAD: usize = 8 * 1024;

/// Lines of a head.
const FIELDS: usize = 64;

/// Messages that are explained of each direction.
const MESSAGES: u32 = 10;

/// The methods (RFC 9110, 9.3; PATCH: RFC 5789), and what they want.
const METHODS: [(&str, &str); 9] = [
    ("GET", "give me"),
    ("HEAD", "give me the head only"),
    ("POST", "take this and do something with it"),
    ("PUT", "keep this"),
    ("DELETE", "delete it"),
    ("CONNECT", "be a proxy, and connect to"),
    ("OPTIONS", "tell what can be asked"),
    ("TRACE", "send back what you got"),
    ("PATCH", "change it so"),
];

/// Fields that are explained (RFC 9110; cookies: RFC 6265; connections: RFC 9112).
const KNOWN: [(&str, &str); 18] = [
    ("Host", "which of the sites at this address is meant"),
    ("User-Agent", "which program asks"),
    ("Accept", "which kinds of content are welcome"),
    ("Accept-Language", "which languages are welcome"),
    ("Accept-Encoding", "which compressions are welcome"),
    (
        "Connection",
        "whether the connection is used again afterwards",
    ),
    (
        "Content-Length",
        "how many bytes of body follow the empty line",
    ),
    ("Content-Type", "what kind of content the body is"),
    ("Transfer-Encoding", "how the body is wrapped"),
    ("Content-Encoding", "how the body is compressed"),
    ("Location", "where it is to be found instead"),
    ("Server", "which program answers"),
    ("Date", "when the answer was made"),
    ("Cookie", "what the server wanted to see again"),
    ("Set-Cookie", "what the server wants to see again each time"),
    (
        "Authorization",
        "who asks: without TLS everybody on the way can read it",
    ),
    ("Referer", "from which page one comes"),
    ("Upgrade", "to which other protocol to change"),
];

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From us.
    Out,
    /// To us.
    In,
}

impl Way {
    /// Which side speaks in that direction.
    fn speaker(self) -> &'static str {
        match self {
            Way::Out => "we send",
            Way::In => "the other side sends",
        }
    }
}

/// Both directions of a connection. See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Http {
    out: Reader,
    into: Reader,
    /// The last request wanted a head only.
    wants_head_only: bool,
}

impl Http {
    /// Follows what goes that way.
    pub(super) fn follow(&mut self, way: Way, bytes: &[u8], telling: &mut Telling) {
        let reader = match way {
            Way::Out => &mut self.out,
            Way::In => &mut self.into,
        };
        reader.follow(way, bytes, &mut self.wants_head_only, telling);
    }
}

#[cfg(test)]
impl Http {
    /// Bytes that are kept of heads.
    pub(super) fn kept(&self) -> usize {
        let kept = |reader: &Reader| match &reader.place {
            Place::Head(head) => head.bytes.len(),
            Place::Body(_) | Place::Off => 0,
        };
        kept(&self.out) + kept(&self.into)
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Reader {
    place: Place,
    /// Messages that began.
    messages: u32,
}

/// Where in a message it is.
#[derive(Debug)]
enum Place {
    Head(Head),
    /// So many bytes of a body follow.
    Body(u64),
    /// It is no HTTP, or not to be followed further.
    Off,
}

impl Default for Place {
    fn default() -> Place {
        Place::Head(Head::default())
    }
}

/// What came of a head, and how much of it was told.
#[derive(Debug, Default)]
struct Head {
    bytes: Vec<u8>,
    /// Where the last of its lines that were looked at ends.
    looked: usize,
    is_first_told: bool,
    fields_told: usize,
    others: Vec<String>,
}

/// What a head was found to be.
enum Found {
    /// More is to come.
    Unfinished,
    /// It ended there, and what follows it.
    Whole(usize, Place),
    /// It is none.
    Nonsense,
}

impl Reader {
    fn follow(
        &mut self,
        way: Way,
        mut bytes: &[u8],
        wants_head_only: &mut bool,
        telling: &mut Telling,
    ) {
        while !bytes.is_empty() {
            match &mut self.place {
                Place::Off => return,
                Place::Body(left) => {
                    let skipped = bytes
                        .len()
                        .min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= skipped as u64;
                    bytes = &bytes[skipped..];
                    if *left == 0 {
                        self.place = Place::default();
                    }
                }
                Place::Head(head) => {
                    let before = head.bytes.len();
                    let fits = bytes.len().min(HEAD - before);
                    head.bytes.extend_from_slice(&bytes[..fits]);
                    match head.look(way, wants_head_only, telling) {
                        Found::Unfinished if head.bytes.len() < HEAD => return,
                        Found::Unfinished | Found::Nonsense => self.place = Place::Off,
                        Found::Whole(end, next) => {
                            // Its last byte is one of those that came just now.
                            bytes = &bytes[end.saturating_sub(before).max(1)..];
                            self.messages += 1;
                            self.place = match self.messages < MESSAGES {
                                true => next,
                                false => Place::Off,
                            };
                        }
                    }
                }
            }
        }
    }
}

/// Whether bytes begin as a message does: one of the methods, or the version of an answer.
fn begins_as_http(bytes: &[u8]) -> bool {
    let starts = METHODS.iter().map(|(method, _)| *method).chain(["HTTP/1."]);
    let mut starts = starts.map(str::as_bytes);
    starts.any(|start| {
        let common = start.len().min(bytes.len());
        let rest = bytes.get(start.len()).copied();
        bytes[..common] == start[..common]
            && (start.ends_with(b".") || matches!(rest, None | Some(b' ')))
    })
}

impl Head {
    /// Tells of the lines that came since it was looked at last.
    fn look(&mut self, way: Way, wants_head_only: &mut bool, telling: &mut Telling) -> Found {
        // Empty lines before a request are ignored (RFC 9112, 2.2).
        let blank = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let start = self.bytes.iter().take_while(|byte| blank(byte)).count();
        let text = &self.bytes[start..];
        if text.is_empty() {
            return Found::Unfinished;
        }
        if !begins_as_http(text) {
            return Found::Nonsense;
        }
        let Some(last) = self.bytes.iter().rposition(|&byte| byte == b'\n') else {
            return Found::Unfinished;
        };
        if last < self.looked || last < start {
            return Found::Unfinished;
        }
        self.looked = last + 1;
        let bytes = std::mem::take(&mut self.bytes);
        let found = match bytes[start..].starts_with(b"HTTP/") {
            true => self.look_at_answer(&bytes, start, way, *wants_head_only, telling),
            false => self.look_at_request(&bytes, start, way, wants_head_only, telling),
        };
        self.bytes = bytes;
        found
    }

    fn look_at_request(
        &mut self,
        bytes: &[u8],
        start: usize,
        way: Way,
        wants_head_only: &mut bool,
        telling: &mut Telling,
    ) -> Found {
        let mut fields = [EMPTY_HEADER; FIELDS];
        let mut request = Request::new(&mut fields);
        let mut so_far = Vec::new();
        let end = match request.parse(&bytes[start..]) {
            Ok(Status::Complete(end)) => Some(start + end),
            Ok(Status::Partial) => {
                so_far = as_if_whole(&bytes[start..self.looked]);
                fields = [EMPTY_HEADER; FIELDS];
                request = Request::new(&mut fields);
                match request.parse(&so_far) {
                    Ok(Status::Complete(_)) => None,
                    Ok(Status::Partial) => return Found::Unfinished,
                    Err(error) => return self.nonsense("request", &bytes[start..], error, telling),
                }
            }
            Err(error) => return self.nonsense("request", &bytes[start..], error, telling),
        };
        let method = request.method.unwrap_or_default();
        let version = request.version.unwrap_or_default();
        if !self.is_first_told {
            self.is_first_told = true;
            let wish = METHODS.iter().find(|(known, _)| *known == method);
            let wish = wish.map_or("", |(_, wish)| wish);
            let path = shown(request.path.unwrap_or_default().as_bytes());
            telling.say(
                Layer::Http,
                format!(
                    "{} a request line: the method {method} ({wish}), the target {path}, the version \
                     HTTP/1.{version}",
                    way.speaker()
                ),
            );
            tell_line_ends(&bytes[start..self.looked], telling);
        }
        self.tell_fields(request.headers, telling);
        let Some(end) = end else {
            return Found::Unfinished;
        };
        self.tell_others(telling);
        let has_host = value(request.headers, "Host").is_some();
        if version == 1 && !has_host {
            telling.say(
                Layer::Http,
                "this request has no Host field, which HTTP/1.1 wants: a server has to refuse it (400)",
            );
        }
        *wants_head_only = method == "HEAD";
        let next = match length(request.headers) {
            Length::Told(length) => Place::Body(length),
            Length::Untold if method != "CONNECT" => Place::default(),
            Length::Untold | Length::Chunked | Length::Unclear => Place::Off,
        };
        telling.say(
            Layer::Http,
            match next {
                Place::Body(length) => format!(
                    "an empty line ends the head of the request; a body of {} follows",
                    counted(length, "byte")
                ),
                Place::Head(_) => {
                    String::from("an empty line ends the request: now it is the server's turn")
                }
                Place::Off => String::from("an empty line ends the head of the request"),
            },
        );
        drop(so_far);
        Found::Whole(end, skip_empty(next))
    }

    fn look_at_answer(
        &mut self,
        bytes: &[u8],
        start: usize,
        way: Way,
        wants_head_only: bool,
        telling: &mut Telling,
    ) -> Found {
        let mut fields = [EMPTY_HEADER; FIELDS];
        let mut answer = Response::new(&mut fields);
        let so_far;
        let end = match answer.parse(&bytes[start..]) {
            Ok(Status::Complete(end)) => Some(start + end),
            Ok(Status::Partial) => {
                so_far = as_if_whole(&bytes[start..self.looked]);
                fields = [EMPTY_HEADER; FIELDS];
                answer = Response::new(&mut fields);
                match answer.parse(&so_far) {
                    Ok(Status::Complete(_)) => None,
                    Ok(Status::Partial) => return Found::Unfinished,
                    Err(error) => return self.nonsense("answer", &bytes[start..], error, telling),
                }
            }
            Err(error) => return self.nonsense("answer", &bytes[start..], error, telling),
        };
        let code = answer.code.unwrap_or_default();
        if !self.is_first_told {
            self.is_first_told = true;
            let reason = shown(answer.reason.unwrap_or_default().as_bytes());
            telling.say(
                Layer::Http,
                format!(
                    "{} a status line: HTTP/1.{}, {code} {reason}: {}",
                    way.speaker(),
                    answer.version.unwrap_or_default(),
                    meaning(code)
                ),
            );
            tell_line_ends(&bytes[start..self.looked], telling);
        }
        self.tell_fields(answer.headers, telling);
        let Some(end) = end else {
            return Found::Unfinished;
        };
        self.tell_others(telling);
        // RFC 9112, 6.3.
        let has_no_body = wants_head_only || matches!(code, 100..200 | 204 | 304);
        let next = match length(answer.headers) {
            _ if code == 101 => Place::Off,
            _ if has_no_body => Place::default(),
            Length::Told(length) => Place::Body(length),
            Length::Untold | Length::Chunked | Length::Unclear => Place::Off,
        };
        let rest = match (&next, length(answer.headers)) {
            (Place::Body(length), _) => format!("a body of {} follows", counted(*length, "byte")),
            (Place::Head(_), _) => String::from("no body follows"),
            (Place::Off, Length::Chunked) => {
                String::from("the body follows in chunks, each behind its length")
            }
            (Place::Off, Length::Untold) if code != 101 => {
                String::from("the body follows, to the end of the connection (FIN)")
            }
            (Place::Off, _) => String::from("what follows is not explained"),
        };
        telling.say(Layer::Http, format!("an empty line ends the head; {rest}"));
        Found::Whole(end, skip_empty(next))
    }

    fn nonsense(
        &self,
        what: &str,
        bytes: &[u8],
        error: httparse::Error,
        telling: &mut Telling,
    ) -> Found {
        let line = bytes
            .split(|&byte| byte == b'\n')
            .next()
            .unwrap_or_default();
        // "GET well soon" is no request.
        let mut words = line.split(|&byte| byte == b' ').skip(1);
        let target = words.next().and_then(|word| word.first());
        let is_short = what == "request" && words.next().is_none();
        if !self.is_first_told && is_short && target == Some(&b'/') {
            telling.say(
                Layer::Http,
                "this looks like a request line, but lacks the version, as in: GET / HTTP/1.1",
            );
        } else if self.is_first_told || matches!(target, Some(b'/' | b'*' | b'h' | b'1'..=b'5')) {
            telling.say(
                Layer::Http,
                format!("this looks like an HTTP {what}, but is none: {error}"),
            );
        }
        Found::Nonsense
    }

    /// Tells of the fields that came since the last time.
    fn tell_fields(&mut self, fields: &[Header<'_>], telling: &mut Telling) {
        for field in fields.iter().skip(self.fields_told) {
            let is_it = |name: &str| name.eq_ignore_ascii_case(field.name);
            match KNOWN.iter().find(|(name, _)| is_it(name)) {
                Some((name, meaning)) => telling.say(
                    Layer::Http,
                    format!("{name}: {} ({meaning})", shown(field.value)),
                ),
                None => self.others.push(shown(field.name.as_bytes())),
            }
        }
        self.fields_told = fields.len().max(self.fields_told);
    }

    /// And of those that need no words.
    fn tell_others(&mut self, telling: &mut Telling) {
        let others = std::mem::take(&mut self.others);
        let Some((first, rest)) = others.split_first() else {
            return;
        };
        let mut text = format!(
            "and {}: {first}",
            counted(others.len() as u64, "other field")
        );
        for name in rest.iter().take(7) {
            // Writing to a String cannot fail.
            let _ = write!(text, ", {name}");
        }
        if rest.len() > 7 {
            text.push_str(", …");
        }
        telling.say(Layer::Http, text);
    }
}

/// A head as if it ended here.
fn as_if_whole(lines: &[u8]) -> Vec<u8> {
    [lines, b"\r\n"].concat()
}

/// A body of no bytes is none.
fn skip_empty(next: Place) -> Place {
    match next {
        Place::Body(0) => Place::default(),
        next => next,
    }
}

/// HTTP's lines end with CR LF (RFC 9112, 2.2).
fn tell_line_ends(lines: &[u8], telling: &mut Telling) {
    let first = lines.split(|&byte| byte == b'\n').next();
    if first.is_some_and(|line| !line.ends_with(b"\r")) {
        telling.say(
            Layer::Http,
            "its line ends with LF alone, where HTTP wants CR LF (-C): many servers forgive it",
        );
    }
}

fn value<'a>(fields: &[Header<'a>], name: &str) -> Option<&'a [u8]> {
    let found = fields
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case(name));
    found.map(|field| field.value)
}

/// What a head says of how long the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Told(u64),
    Chunked,
    Unclear,
    Untold,
}

fn length(fields: &[Header<'_>]) -> Length {
    if value(fields, "Transfer-Encoding").is_some() {
        return Length::Chunked;
    }
    match value(fields, "Content-Length") {
        None => Length::Untold,
        Some(text) => {
            let number = std::str::from_utf8(text)
                .ok()
                .and_then(|text| text.trim().parse().ok());
            number.map_or(Length::Unclear, Length::Told)
        }
    }
}

/// What a status code means (RFC 9110, 15).
fn meaning(code: u16) -> &'static str {
    match code / 100 {
        1 => "it is under way (1xx)",
        2 => "done as you wish (2xx)",
        3 if code == 304 => "you have it already (3xx)",
        3 => "look elsewhere (3xx)",
        4 => fault(code),
        5 => "the server is at fault (5xx)",
        _ => "a code that means nothing",
    }
}

/// What a request did wrong.
fn fault(code: u16) -> &'static str {
    match code {
        400 => "I did not understand the request, which is at fault (4xx)",
        401 => "say first who you are; the request is at fault (4xx)",
        403 => "you may not; the request is at fault (4xx)",
        404 => "there is no such thing here; the request is at fault (4xx)",
        405 => "not with this method; the request is at fault (4xx)",
        408 => "you were too slow; the request is at fault (4xx)",
        _ => "the request is at fault (4xx)",
    }
}
