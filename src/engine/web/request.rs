//! A request: what a browser, or another client of HTTP/1.1 (RFC 9112), asks a hub for.
//!
//! It promises: a head of more than [`MAX_HEAD`] bytes or [`MAX_FIELDS`] lines is not read to its
//! end; a request that is not exactly as it has to be is refused with a sentence that says why.

use std::str;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use httparse::Status as Parsed;
use sha1::Digest;
use sha1::Sha1;

use super::answer::Methods;
use super::answer::Refusal;
use super::answer::Status;
use super::origin::Origins;
use super::target::Target;
use crate::engine::aside::Returning;

/// Bytes of a request's head.
pub const MAX_HEAD: usize = 8 * 1024;

/// Lines of fields in it.
pub const MAX_FIELDS: usize = 64;

/// Where the WebSocket is.
pub const SOCKET: &str = "/socket";

/// What a server shows that it understood (RFC 6455, section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The page.
    Page {
        /// What the hub is called in it, if it says so.
        host: Option<String>,
    },
    /// To join.
    Join(Join),
    /// Whether it would be let in.
    Probe,
}

/// A WebSocket that is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// `Sec-WebSocket-Accept`.
    pub accept: String,
    /// Where it goes on, if it was here before.
    pub returning: Option<Returning>,
}

/// The head of a request, taken apart.
pub(super) struct Head<'a> {
    pub(super) method: &'a str,
    pub(super) target: Target<'a>,
    /// Of HTTP/1: 1, or 0 in old ones.
    version: Option<u8>,
    /// What it calls the hub: missing in old ones only.
    host: Option<&'a str>,
    pub(super) fields: Fields<'a>,
}

impl<'a> Head<'a> {
    /// What it calls the hub, which may be called so; none in old ones only.
    ///
    /// # Errors
    /// The hub may not be called so.
    pub(super) fn check_host(&self, origins: &Origins<'_>) -> Result<Option<&'a str>, Refusal> {
        if let Some(host) = self.host {
            origins.check_host(host)?;
            if let Some(site) = self.target.site {
                origins.check_scheme(site.scheme, host)?;
            }
        }
        Ok(self.host)
    }
}

/// Reads the head of a request. None: it is not whole.
///
/// # Errors
/// It is no such request, or is refused.
pub(super) fn understand<T>(
    head: &[u8],
    understand: impl FnOnce(&Head<'_>) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(head).map_err(|error| match error {
        httparse::Error::TooManyHeaders => too_long(),
        _ => bad("this is not a request in HTTP/1.1"),
    })?;
    let length = match parsed {
        Parsed::Complete(length) if length <= MAX_HEAD => length,
        Parsed::Partial if head.len() < MAX_HEAD => return Ok(None),
        _ => return Err(too_long()),
    };
    if head.len() > length {
        return Err(bad("more was sent before the answer"));
    }
    let fields = Fields(request.headers);
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Err(bad("this is not a request in HTTP/1.1"));
    };
    let target = Target::of(target);
    let host = fields.one("host")?;
    if host.is_none() && request.version != Some(0) {
        return Err(bad("the field Host is missing"));
    }
    // What a URL says counts (RFC 9112, section 3.2.2).
    let host = target.site.map(|site| site.authority).or(host);
    let version = request.version;
    understand(&Head {
        method,
        target,
        version,
        host,
        fields,
    })
    .map(Some)
}

/// Whether a request, of which this is the head or its beginning, asks for the head of the answer only: also one that is
/// not as it has to be otherwise.
pub fn is_head(head: &[u8]) -> bool {
    // Empty lines before it mean nothing (RFC 9112, section 2.2).
    let start = head.iter().position(|byte| !b"\r\n".contains(byte));
    head[start.unwrap_or_default()..].starts_with(b"HEAD ")
}

/// Reads the head of a request. None: it is not whole.
///
/// # Errors
/// It is refused.
pub fn read(head: &[u8], origins: &Origins<'_>) -> Result<Option<Asked>, Refusal> {
    understand(head, |head| asked(head, origins))
}

fn asked(head: &Head<'_>, origins: &Origins<'_>) -> Result<Asked, Refusal> {
    match (head.target.path, head.method) {
        ("/", "GET" | "HEAD") => Ok(Asked::Page {
            host: head.check_host(origins)?.map(Into::into),
        }),
        (SOCKET, "GET") => {
            let host = head.check_host(origins)?;
            let host = host.ok_or(bad("the field Host is missing"))?;
            if let Some(origin) = head.fields.one("origin")? {
                origins.check_origin(origin, host)?;
            }
            join(head)
        }
        ("/", _) => Err(not_allowed(Methods::GetAndHead)),
        (SOCKET, _) => Err(not_allowed(Methods::Get)),
        _ => Err(Refusal::new(Status::NotFound, "there is nothing but /")),
    }
}

/// What `/socket` is asked for.
fn join(head: &Head<'_>) -> Result<Asked, Refusal> {
    let fields = &head.fields;
    let wants = |name, word| fields.has_word(name, word);
    if !wants("upgrade", "websocket") || head.version != Some(1) {
        return Ok(Asked::Probe);
    }
    if fields.one("sec-websocket-version")? != Some("13") {
        return Ok(Asked::Probe);
    }
    if !wants("connection", "upgrade") {
        return Err(bad("Connection does not say upgrade"));
    }
    if fields.one("content-length")?.is_some_and(|n| n != "0")
        || fields.one("transfer-encoding")?.is_some()
    {
        return Err(bad("more was sent before the answer"));
    }
    let key = fields.one("sec-websocket-key")?;
    let key = key.filter(|key| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16));
    let key = key.ok_or(bad("Sec-WebSocket-Key is not 16 bytes in base64"))?;
    Ok(Asked::Join(Join {
        accept: accept(key),
        returning: returning(head.target.query)?,
    }))
}

/// What shows that a key was understood.
fn accept(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    STANDARD.encode(digest)
}

/// Where a client wants to go on, if it says so.
fn returning(query: &str) -> Result<Option<Returning>, Refusal> {
    let mut values = [None; 3];
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let names = ["epoch", "token", "from"];
        let Some(index) = names.iter().position(|known| *known == name) else {
            continue;
        };
        let is_word =
            |text: &str| text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if values[index].is_some() || !is_word(value) {
            return Err(bad("epoch, token and from are not what a hello said"));
        }
        values[index] = Some(value);
    }
    match values {
        [None, None, None] => Ok(None),
        [Some(epoch), Some(token), Some(from)] => {
            let from = from.parse().map_err(|_| bad("from is not a number"))?;
            Ok(Some(Returning {
                epoch: epoch.into(),
                token: token.into(),
                from,
            }))
        }
        _ => Err(bad("one of epoch, token and from is missing")),
    }
}

fn bad(why: &'static str) -> Refusal {
    Refusal::new(Status::BadRequest, why)
}

pub(super) fn not_allowed(there_are: Methods) -> Refusal {
    let why = match there_are {
        Methods::Get => "only GET is understood here",
        Methods::GetAndHead => "only GET and HEAD are understood here",
    };
    Refusal::new(Status::MethodNotAllowed(there_are), why)
}

fn too_long() -> Refusal {
    Refusal::new(Status::TooLong, "the request is too long")
}

/// The fields of a request.
pub(super) struct Fields<'a>(&'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let of_name = move |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(name);
        self.0.iter().filter(of_name).map(|field| field.value)
    }

    /// The value of a field that there may be once.
    pub(super) fn one(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        let mut all = self.all(name);
        let first = all.next().map(|value| str::from_utf8(value).map(str::trim));
        match (first, all.next()) {
            (None, _) => Ok(None),
            (Some(Ok(value)), None) => Ok(Some(value)),
            _ => Err(bad("a field is there twice, or not text")),
        }
    }

    /// The values of a field whose value is a list, as one (RFC 9110, section 5.3). Bytes that are
    /// no text become U+FFFD, and so match nothing.
    pub(super) fn list(&self, name: &str) -> Option<String> {
        let all: Vec<_> = self.all(name).map(String::from_utf8_lossy).collect();
        (!all.is_empty()).then(|| all.join(",").trim().to_owned())
    }

    /// The value of a field that says nothing where it is there twice, or not text.
    pub(super) fn lone(&self, name: &str) -> Option<String> {
        self.one(name).ok().flatten().map(String::from)
    }

    /// Whether a list has that word (RFC 9110, section 5.6.1), in whatever letters.
    fn has_word(&self, name: &str, word: &str) -> bool {
        let mut words = self
            .all(name)
            .filter_map(|value| str::from_utf8(value).ok())
            .flat_map(|value| value.split(','));
        words.any(|one| one.trim().eq_ignore_ascii_case(word))
    }
}

#[cfg(test)]
mod tests;
