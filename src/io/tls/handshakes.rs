//! Those who came to a hub that speaks TLS, and have not agreed with it yet.
//!
//! It promises: nobody is waited for longer than [`LIMIT`], which is found without looking at
//! everybody; at most [`MOST`] are here, the oldest of whom makes way for one more; one step of
//! one handshake is done at a time, so that they hold nobody up; whoever does not speak TLS at all
//! is recognised by the first byte.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::time::Duration;
use std::time::Instant;

use mio::Registry;
use mio::Token;
use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::Acceptor;
use super::Session;
use super::Step;
use crate::io::addr::Addr;
use crate::io::conn::Conn;
use crate::io::error::why;
use crate::io::transport::Transport;
use crate::status::NOTICE;

/// How long a handshake may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Handshakes at a time. Each takes some ten KiB; with the longest messages that TLS allows, all
/// together less than 100 MiB.
const MOST: usize = 1024;

/// Tokens from here on belong to handshakes, one each, none twice.
const TOKENS: usize = usize::MAX / 2;

/// The first byte of a handshake (RFC 8446, 5.1: `handshake(22)`).
const HANDSHAKE: u8 = 22;

/// Handshakes that have not ended. See the module's documentation.
#[derive(Debug)]
pub struct Handshakes {
    acceptor: Acceptor,
    /// By number, so in the order they came, which is that of their deadlines.
    pending: BTreeMap<usize, Pending>,
    came: usize,
    /// Those for whom there is news.
    ready: VecDeque<usize>,
}

#[derive(Debug)]
struct Pending {
    session: Session,
    addr: Addr,
    end: Instant,
    /// Its first byte was seen.
    begun: bool,
    is_ready: bool,
}

impl Handshakes {
    /// None yet.
    pub fn new(acceptor: Acceptor) -> Handshakes {
        Handshakes {
            acceptor,
            pending: BTreeMap::new(),
            came: 0,
            ready: VecDeque::new(),
        }
    }

    /// Somebody was accepted.
    pub fn begin(
        &mut self,
        transport: Transport,
        addr: impl Into<Addr>,
        registry: &Registry,
        now: Instant,
    ) {
        let addr = addr.into();
        let begun = self.acceptor.session(transport);
        let begun = begun.and_then(|mut session| {
            let token = Token(TOKENS + self.came);
            session.transport_mut().register(registry, token)?;
            Ok(session)
        });
        let session = match begun {
            Ok(session) => session,
            Err(error) => {
                log::warn!("serve {addr}: {}", why(&error));
                return;
            }
        };
        if self.pending.len() == MOST
            && let Some((_, oldest)) = self.pending.pop_first()
        {
            give_up(
                &oldest.addr,
                "too many others came before it had agreed on TLS",
            );
        }
        let pending = Pending {
            session,
            addr,
            end: now + LIMIT,
            begun: false,
            is_ready: false,
        };
        self.pending.insert(self.came, pending);
        self.came += 1;
    }

    /// Takes note of an event. Returns whether it was for anybody here, now or before.
    pub fn collect(&mut self, token: Token) -> bool {
        let Some(number) = token.0.checked_sub(TOKENS) else {
            return false;
        };
        if let Some(pending) = self.pending.get_mut(&number)
            && !pending.is_ready
        {
            pending.is_ready = true;
            self.ready.push_back(number);
        }
        true
    }

    /// Whether [`Handshakes::step`] would get somewhere at once.
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When to call [`Handshakes::step`] although no event came.
    pub fn deadline(&self) -> Option<Instant> {
        let (_, oldest) = self.pending.first_key_value()?;
        Some(oldest.end)
    }

    /// Everybody is sent away.
    pub fn clear(&mut self) {
        self.pending.clear();
        self.ready.clear();
    }

    /// Goes on with one of them. None: nothing is to be done now.
    pub fn step(&mut self, registry: &Registry, now: Instant) -> Option<Step> {
        if let Some(oldest) = self.pending.first_entry()
            && oldest.get().end <= now
        {
            let late = oldest.remove();
            if !late.begun {
                return Some(Step::Plain(late.plain(registry)));
            }
            give_up(&late.addr, "it did not agree on TLS in time");
            return Some(Step::GivenUp);
        }
        let number = self.ready.pop_front()?;
        let Some(pending) = self.pending.get_mut(&number) else {
            // It had to make way.
            return Some(Step::Waits);
        };
        pending.is_ready = false;
        if !pending.begun {
            match pending.first_byte() {
                // Not to be read now: what comes meanwhile would not be its first byte later.
                Err(Errno::AGAIN) => return Some(Step::Waits),
                Ok(Some(byte)) if byte != HANDSHAKE => {
                    let stranger = self.pending.remove(&number)?;
                    return Some(Step::Plain(stranger.plain(registry)));
                }
                // What is wrong the handshake will tell.
                Ok(_) | Err(_) => pending.begun = true,
            }
        }
        match pending.session.handshake() {
            Ok(false) => Some(Step::Waits),
            Ok(true) => {
                let mut agreed = self.pending.remove(&number)?;
                // It joins under another token.
                let _ = agreed.session.transport_mut().deregister(registry);
                Some(Step::Agreed(Conn::new(agreed.session.into(), agreed.addr)))
            }
            Err(error) => {
                let failed = self.pending.remove(&number)?;
                give_up(&failed.addr, &why(&error));
                Some(Step::GivenUp)
            }
        }
    }
}

impl Pending {
    /// What it begins with; none if it has ended without a word.
    fn first_byte(&self) -> Result<Option<u8>, Errno> {
        let mut first = [0];
        let socket = self.session.transport().as_fd();
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let peek = || rustix::net::recv(socket, &mut first, flags);
        let (_, count) = rustix::io::retry_on_intr(peek)?;
        Ok((count > 0).then_some(first[0]))
    }

    /// As it was before there was any talk of TLS.
    fn plain(self, registry: &Registry) -> Conn {
        let mut transport = self.session.into_transport();
        let _ = transport.deregister(registry);
        Conn::new(transport, self.addr)
    }
}

fn give_up(addr: &Addr, why: &str) {
    log::info!(target: NOTICE, "{addr} did not join: {why}");
}
