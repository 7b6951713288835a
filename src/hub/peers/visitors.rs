//! Visitors: members that come from a browser, and what they are told beside their stream (docs/WEB.md).
//!
//! It promises: each has a token that nobody else can guess.

use sha2::Digest;
use sha2::Sha256;

use super::Peers;
use crate::engine::aside::Aside;
use crate::engine::aside::Hello;
use crate::io::device::Device;
use crate::io::stream::Stream;

/// What is known of all of them.
#[derive(Debug)]
pub(super) struct Visitors {
    secret: [u8; 32],
    epoch: String,
    /// Tokens that were given out.
    tokens: u64,
}

impl Visitors {
    fn new(secret: [u8; 32]) -> Visitors {
        let mut visitors = Visitors {
            secret,
            epoch: String::new(),
            tokens: 0,
        };
        visitors.epoch = visitors.token();
        visitors
    }

    /// One that was not given out before.
    fn token(&mut self) -> String {
        let number = self.tokens.to_be_bytes();
        self.tokens += 1;
        let digest = Sha256::new().chain_update(self.secret).chain_update(number);
        let digest = digest.finalize();
        digest[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl<S: Stream, D: Device> Peers<S, D> {
    /// Some may come from a browser: what makes their tokens is `secret`.
    pub fn expect_visitors(&mut self, secret: [u8; 32]) {
        self.visitors = Some(Box::new(Visitors::new(secret)));
    }

    /// A member has joined: it is told so, where its protocol has a word for it.
    pub(super) fn greet(&mut self, key: usize) {
        let Some(visitors) = &mut self.visitors else {
            return;
        };
        let Some(peer) = self.conns.get_mut(key) else {
            return;
        };
        let Some(beside) = peer.conn.beside() else {
            return;
        };
        let Some(member) = self.room.member(key) else {
            return;
        };
        let is_chat = self.room.is_chat();
        let token = visitors.token();
        let name = member.account.name.as_deref().filter(|_| is_chat);
        beside.say(&Aside::Hello(Hello {
            epoch: &visitors.epoch,
            token: &token,
            at: 0,
            resumed: false,
            missing: beside.returning().is_some(),
            number: member.account.number,
            name,
            is_chat,
            relays: self.room.policy().relay,
            here: self.room.here(),
        }));
    }
}
