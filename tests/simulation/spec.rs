//! What should happen, said as simply as possible: one plain buffer of what each peer is still to
//! be handed, one for the screen, and the unfinished line of each speaker.

use std::collections::VecDeque;

use muxnc::engine::lines::MAX_LINE;

/// What is known of one peer.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    /// What it is to be handed next.
    pub(crate) owed: VecDeque<u8>,
    /// It takes no more: what others say is not for it.
    pub(crate) deaf: bool,
    pub(crate) muted: bool,
    /// Where the shared stream was when this one was last owed nothing.
    pub(crate) caught_up: u64,
    line: Line,
}

/// An unfinished line, and how much of it is on the screen.
#[derive(Debug, Default)]
struct Line {
    held: Vec<u8>,
    shown: usize,
}

/// The whole hub as it should be.
#[derive(Debug, Default)]
pub(crate) struct Spec {
    pub(crate) relay: bool,
    pub(crate) chat: bool,
    /// By the order of their coming.
    pub(crate) peers: Vec<Peer>,
    /// Who is in the room.
    pub(crate) here: Vec<usize>,
    /// Bytes said to everybody.
    pub(crate) said: u64,
    /// What is to be shown next.
    pub(crate) screen: VecDeque<u8>,
    operator: Vec<u8>,
}

impl Spec {
    pub(crate) fn new(relay: bool, chat: bool) -> Spec {
        Spec {
            relay,
            chat,
            ..Spec::default()
        }
    }

    pub(crate) fn joined(&mut self) -> usize {
        let id = self.peers.len();
        self.peers.push(Peer {
            caught_up: self.said,
            ..Peer::default()
        });
        self.here.push(id);
        self.announce(&format!("user{} joined", id + 1));
        id
    }

    pub(crate) fn left(&mut self, id: usize) {
        self.ended(id);
        self.here.retain(|&other| other != id);
        self.announce(&format!("user{} left", id + 1));
        if let ([last], false) = (&self.here[..], self.chat) {
            // Alone: what it began to say need not wait for its end.
            self.peers[*last].line.show(&mut self.screen);
        }
    }

    /// A peer said `bytes`.
    pub(crate) fn heard(&mut self, id: usize, bytes: &[u8]) {
        if self.peers[id].muted {
            return;
        }
        if self.chat {
            for &byte in bytes {
                let held = &mut self.peers[id].line.held;
                if byte != b'\n' {
                    held.push(byte);
                }
                if byte == b'\n' || held.len() == MAX_LINE {
                    self.chat_line(id);
                }
            }
            return;
        }
        let line = &mut self.peers[id].line;
        line.held.extend(bytes);
        let whole = whole(&line.held);
        self.pass(id, whole);
        if self.here.len() == 1 {
            self.peers[id].line.show(&mut self.screen);
        }
    }

    /// A peer will say no more.
    pub(crate) fn ended(&mut self, id: usize) {
        let held = self.peers[id].line.held.len();
        match self.chat {
            true if held > 0 => self.chat_line(id),
            true => {}
            false => self.pass(id, held),
        }
    }

    /// To one peer alone.
    pub(crate) fn told(&mut self, id: usize, bytes: &[u8]) {
        self.peers[id].owed.extend(bytes);
    }

    pub(crate) fn muted(&mut self, id: usize, on: bool) {
        self.ended(id);
        self.peers[id].muted = on;
    }

    pub(crate) fn relayed(&mut self, on: bool) {
        self.typed_end();
        if self.relay != on {
            self.relay = on;
            self.announce(match on {
                true => "everybody hears each other again",
                false => "only host hears you now",
            });
        }
    }

    pub(crate) fn typed(&mut self, bytes: &[u8]) {
        self.operator.extend(bytes);
        if self.chat {
            let said = std::mem::take(&mut self.operator);
            let mut rest = &said[..];
            loop {
                let start = &rest[..rest.len().min(MAX_LINE)];
                match start.iter().position(|&byte| byte == b'\n') {
                    Some(end) => {
                        self.host_line(&rest[..end]);
                        rest = &rest[end + 1..];
                    }
                    None if start.len() == MAX_LINE => {
                        self.host_line(start);
                        rest = &rest[MAX_LINE..];
                    }
                    None => break,
                }
            }
            self.operator = rest.to_vec();
            return;
        }
        let whole = match self.relay {
            true => whole(&self.operator),
            false => self.operator.len(),
        };
        let bytes: Vec<u8> = self.operator.drain(..whole).collect();
        self.say(&bytes, None);
    }

    pub(crate) fn typed_end(&mut self) {
        let rest = std::mem::take(&mut self.operator);
        match self.chat {
            true if !rest.is_empty() => self.host_line(&rest),
            _ => self.say(&rest, None),
        }
    }

    /// So much of a peer's line goes to the screen, and if they hear each other, to the others.
    fn pass(&mut self, id: usize, count: usize) {
        if count == 0 {
            return;
        }
        let line = &mut self.peers[id].line;
        let shown = std::mem::take(&mut line.shown);
        let bytes: Vec<u8> = line.held.drain(..count).collect();
        self.screen.extend(&bytes[shown..]);
        if self.relay && self.here.len() > 1 {
            self.say(&bytes, Some(id));
        }
    }

    fn chat_line(&mut self, id: usize) {
        let held = std::mem::take(&mut self.peers[id].line.held);
        let mut text = format!("<user{}> ", id + 1).into_bytes();
        text.extend(held);
        text.push(b'\n');
        self.screen.extend(&text);
        if self.relay && self.here.len() > 1 {
            self.say(&text, Some(id));
        }
    }

    fn host_line(&mut self, line: &[u8]) {
        self.say(&[b"<host> ", line, b"\n"].concat(), None);
    }

    fn announce(&mut self, what: &str) {
        if self.chat {
            self.say(format!("* {what}\n").as_bytes(), None);
        }
    }

    /// Everybody here is to be handed it, but not its author.
    fn say(&mut self, bytes: &[u8], author: Option<usize>) {
        self.said += bytes.len() as u64;
        for &id in &self.here {
            let peer = &mut self.peers[id];
            if !peer.deaf && author != Some(id) {
                peer.owed.extend(bytes);
            }
            if peer.owed.is_empty() {
                peer.caught_up = self.said;
            }
        }
    }
}

impl Line {
    fn show(&mut self, screen: &mut VecDeque<u8>) {
        screen.extend(&self.held[self.shown..]);
        self.shown = self.held.len();
    }
}

/// How much of what is held is to be passed on: whole lines, or all if it has become too long.
fn whole(held: &[u8]) -> usize {
    let whole = memchr::memrchr(b'\n', held).map_or(0, |end| end + 1);
    match held.len() - whole < MAX_LINE {
        true => whole,
        false => held.len(),
    }
}
