//! What a hub tells the others: one message, signed.
//!
//! ```text
//!   {"v":1,"hub":"room2","key":"…","seq":42,"first":1001,"here":12,
//!    "pieces":[{"kind":"said","from":3,"name":"Ana","len":12},…]}       one line of JSON, LF
//!   hello class⏎                                                        what the pieces have of bytes
//! ```
//!
//! A key is made by each process for itself. The signature is over the subject and the payload, so
//! that a message of one hub cannot be sent again in the name of another.
//!
//! It does not say when it was signed. Who knows the key takes a message that is published again for the repeat
//! that it is, by its `seq`; who reads the key for the first time cannot know.
//!
//! It promises: what [`open`] gives is signed by the key that it names, is about the hub of its
//! subject, and holds together: each piece has its bytes, no line is longer than a line may be,
//! each name is one that a member can have. Nothing panics, whatever is published.

use std::fmt;
use std::str;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memchr;
use memchr::memchr_iter;
use ring::signature::ED25519;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair;
use ring::signature::UnparsedPublicKey;
use serde::Deserialize;
use serde::Serialize;

use crate::engine::lines::MAX_LINE;
use crate::engine::names::is_name;

/// The header with the signature.
pub const SIGNATURE: &str = "Muxnc-Signature";

/// The header by which a server knows a repeat.
pub const ID: &str = "Nats-Msg-Id";

/// The longest line of JSON.
const MAX_HEAD: usize = 64 * 1024;

/// Above the numbers that are ever reached, and far below those that a sum could not hold.
const MAX_NUMBER: u64 = 1 << 53;

/// The longest text of something that is asked.
pub const MAX_TEXT: usize = 4 * 1024;

/// What a name of a hub or of a class can be: one word of a subject.
pub fn is_word(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=32).contains(&text.len()) && text.bytes().all(letter)
}

/// The author of messages: the public key of a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// A key without its private half.
    #[cfg(test)]
    pub(super) fn from_number(number: usize) -> Key {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_le_bytes());
        Key(key)
    }

    fn parse(text: &str) -> Option<Key> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Key(bytes.try_into().ok()?))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The speaker: a member by its number, or the operator, who is 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Author {
    /// The number.
    pub number: u32,
    /// The name, if there is one.
    pub name: Option<String>,
}

/// Whom something is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// The member with that number.
    Number(u32),
    /// That of that name.
    Name(String),
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// To say this to it alone.
    Tell(String),
    /// To cut it off, and why; empty: no reason was given. (Older hubs read no reason.)
    Kick(String),
    /// Neither to show nor to relay what it says.
    Mute,
    /// To do so again.
    Unmute,
    /// Nothing: the answer to one of these, that there is no such member.
    Absent,
    /// Nothing: the answer to one of these, that the name was another's a moment ago.
    HandedOver,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Lines, or a piece of one that is too long.
    Said(Author, Vec<u8>),
    /// So many lines were dropped since they waited too long.
    Lost(Author, u64),
    /// Something is asked of a hub, and of that process alone.
    Ask {
        /// Whose it is.
        key: Key,
        /// About whom.
        whom: Whom,
        /// What.
        what: What,
    },
    /// The hub ends.
    Bye,
}

impl Piece {
    /// Whether something is to be done by another hub.
    pub fn is_demand(&self) -> bool {
        match self {
            Piece::Ask { what, .. } => !matches!(what, What::Absent | What::HandedOver),
            Piece::Said(..) | Piece::Lost(..) | Piece::Bye => false,
        }
    }

    /// How many lines it counts for.
    pub fn lines(&self) -> u64 {
        match self {
            Piece::Said(_, bytes) => count(bytes),
            Piece::Lost(_, lines) => *lines,
            _ => 0,
        }
    }
}

/// How many lines that are: one without its end is one.
pub fn count(bytes: &[u8]) -> u64 {
    let ends = memchr_iter(b'\n', bytes).count() as u64;
    ends + u64::from(bytes.last().is_some_and(|&byte| byte != b'\n'))
}

/// A message. See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Whose name it is in.
    pub hub: String,
    /// The key that signed it.
    pub key: Key,
    /// Counts the messages of the key, from 1.
    pub seq: u64,
    /// Counts the lines of the key: the number of the first in it.
    pub first: u64,
    /// How many members the hub has.
    pub here: u64,
    /// The hub does not have its name yet.
    pub claims: bool,
    /// What it tells.
    pub pieces: Vec<Piece>,
}

impl Envelope {
    /// How many lines it counts for.
    pub fn lines(&self) -> u64 {
        self.pieces.iter().map(Piece::lines).sum()
    }

    /// Whether it is the last of its hub.
    pub fn is_bye(&self) -> bool {
        self.pieces.contains(&Piece::Bye)
    }
}

/// The line of JSON.
#[derive(Serialize, Deserialize)]
struct Head {
    v: u64,
    hub: String,
    key: String,
    seq: u64,
    first: u64,
    here: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    claims: bool,
    #[serde(default)]
    pieces: Vec<Part>,
}

/// A piece in it: what its kind does not need is not there.
#[derive(Default, Serialize, Deserialize)]
struct Part {
    kind: String,
    #[serde(default, skip_serializing_if = "is_default")]
    from: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    len: usize,
    #[serde(default, skip_serializing_if = "is_default")]
    lines: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    key: String,
    #[serde(default, skip_serializing_if = "is_default")]
    what: String,
    #[serde(default, skip_serializing_if = "is_default")]
    text: String,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Part {
    fn of(piece: &Piece) -> Part {
        let part = |kind: &str, author: &Author| Part {
            kind: kind.into(),
            from: author.number,
            name: author.name.clone(),
            ..Part::default()
        };
        match piece {
            Piece::Said(author, bytes) => Part {
                len: bytes.len(),
                ..part("said", author)
            },
            Piece::Lost(author, lines) => Part {
                lines: *lines,
                ..part("lost", author)
            },
            Piece::Ask { key, whom, what } => {
                let author = match whom {
                    Whom::Number(number) => Author {
                        number: *number,
                        name: None,
                    },
                    Whom::Name(name) => Author {
                        number: 0,
                        name: Some(name.clone()),
                    },
                };
                let (what, text) = match what {
                    What::Tell(text) => ("tell", text.clone()),
                    What::Kick(reason) => ("kick", reason.clone()),
                    What::Mute => ("mute", String::new()),
                    What::Unmute => ("unmute", String::new()),
                    What::Absent => ("absent", String::new()),
                    What::HandedOver => ("handed", String::new()),
                };
                Part {
                    key: key.to_string(),
                    what: what.into(),
                    text,
                    ..part("ask", &author)
                }
            }
            Piece::Bye => part("bye", &Author::default()),
        }
    }

    /// Takes its bytes from `body`. None: it does not hold together. Of a kind that is not known nothing is
    /// taken but its bytes.
    fn into_piece(self, body: &mut &[u8]) -> Option<Option<Piece>> {
        let (bytes, rest) = body.split_at_checked(self.len)?;
        *body = rest;
        if self.lines > MAX_NUMBER || self.name.as_ref().is_some_and(|name| !is_name(name)) {
            return None;
        }
        let author = Author {
            number: self.from,
            name: self.name,
        };
        let piece = match &self.kind[..] {
            "said" => {
                let is_whole = !bytes.is_empty()
                    && bytes
                        .split(|&byte| byte == b'\n')
                        .all(|line| line.len() <= MAX_LINE);
                is_whole.then(|| Piece::Said(author, bytes.into()))?
            }
            "lost" => Piece::Lost(author, self.lines),
            "ask" => {
                let what = match &self.what[..] {
                    "tell" if self.text.len() <= MAX_TEXT => What::Tell(self.text),
                    "kick" if self.text.len() <= MAX_TEXT => What::Kick(self.text),
                    "mute" => What::Mute,
                    "unmute" => What::Unmute,
                    "absent" => What::Absent,
                    "handed" => What::HandedOver,
                    _ => return Some(None),
                };
                let whom = author.name.map_or(Whom::Number(author.number), Whom::Name);
                let key = Key::parse(&self.key)?;
                Piece::Ask { key, whom, what }
            }
            "bye" => Piece::Bye,
            _ => return Some(None),
        };
        Some(Some(piece))
    }
}

/// A message as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The bytes.
    pub payload: Vec<u8>,
    /// Each with its line feed.
    pub headers: String,
}

/// Signs what this process tells.
pub struct Signer {
    pair: Ed25519KeyPair,
    key: Key,
}

impl Signer {
    /// With a key made of 32 bytes by chance.
    pub fn new(seed: &[u8; 32]) -> Signer {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed has 32 bytes");
        let mut key = [0; 32];
        key.copy_from_slice(pair.public_key().as_ref());
        let key = Key(key);
        Signer { pair, key }
    }

    /// The key that others know it by.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Signs a message to `subject`, whose key must be [`Signer::key`].
    pub fn seal(&self, subject: &str, envelope: &Envelope) -> Sealed {
        let head = Head {
            v: 1,
            hub: envelope.hub.clone(),
            key: self.key.to_string(),
            seq: envelope.seq,
            first: envelope.first,
            here: envelope.here,
            claims: envelope.claims,
            pieces: envelope.pieces.iter().map(Part::of).collect(),
        };
        let mut payload = serde_json::to_vec(&head).expect("JSON of plain fields");
        payload.push(b'\n');
        for piece in &envelope.pieces {
            if let Piece::Said(_, bytes) = piece {
                payload.extend_from_slice(bytes);
            }
        }
        let signature = self.pair.sign(&signed(subject.as_bytes(), &payload));
        let signature = URL_SAFE_NO_PAD.encode(signature);
        // It cannot be known in advance, so no other publisher can make the server take ours for a
        // repeat.
        let id = &signature[..32];
        let headers = format!("{ID}: {id}\r\n{SIGNATURE}: {signature}\r\n");
        Sealed { payload, headers }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.key).finish()
    }
}

fn signed(subject: &[u8], payload: &[u8]) -> Vec<u8> {
    [subject, b"\n", payload].concat()
}

/// Takes a message to a hub of `class` apart. None: it is none, or not what it says.
pub fn open(
    class: &str,
    subject: &[u8],
    signature: Option<&str>,
    payload: &[u8],
) -> Option<Envelope> {
    let hub = str::from_utf8(subject)
        .ok()?
        .strip_prefix("muxnc.")?
        .strip_prefix(class)?;
    let hub = hub.strip_prefix('.').filter(|hub| is_word(hub))?;
    let end = memchr(b'\n', payload).filter(|&end| end <= MAX_HEAD)?;
    let (head, mut body) = (&payload[..end], &payload[end + 1..]);
    let signature = URL_SAFE_NO_PAD.decode(signature?).ok()?;
    let head: Head = serde_json::from_slice(head).ok()?;
    let key = Key::parse(&head.key)?;
    if head.v != 1 || head.hub != hub {
        return None;
    }
    if [head.seq, head.first, head.here]
        .iter()
        .any(|&number| number > MAX_NUMBER)
    {
        return None;
    }
    // Dearer than all before, so it is last.
    let public = UnparsedPublicKey::new(&ED25519, key.0);
    public.verify(&signed(subject, payload), &signature).ok()?;
    let mut pieces = Vec::new();
    for part in head.pieces {
        pieces.extend(part.into_piece(&mut body)?);
    }
    let envelope = Envelope {
        hub: head.hub,
        key,
        seq: head.seq,
        first: head.first,
        here: head.here,
        claims: head.claims,
        pieces,
    };
    let lines = envelope
        .pieces
        .iter()
        .try_fold(0_u64, |sum, piece| sum.checked_add(piece.lines()))?;
    (body.is_empty() && lines <= MAX_NUMBER).then_some(envelope)
}

#[cfg(test)]
mod tests;
