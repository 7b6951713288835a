//! Handshakes under way: whose turn it is, whose time is over, and who makes way when there are too
//! many.
//!
//! A handshake costs its listener far more than the peer that begins it, so a flood of beginnings
//! must not push out a peer that is about to finish. Two things are known of a peer: its address, and
//! when it was last answered. (A byte of a message that is not whole proves nothing: it costs as much
//! to send one now and then for ever.)
//!
//! ```text
//!   come ─► waiting ─► begun ─► silent ─► ready (it said something) ─► awaited ─► ready ─► … ─► ended
//!                         ▲        │                                      │  ▲
//!                         │        └── may make way after SILENCE         │  └── answered: awaited anew
//!                    there is a place,                                    │
//!                    or another makes way                                 └── may make way after GRACE
//! ```
//!
//! Places are shared among addresses. A newcomer takes one at any time from an address that has more
//! than its own would have then, and from one that has no fewer than its own when that may make way. Where
//! none makes way it waits, which costs a descriptor and no more; and when too many wait, newcomers stay
//! in the listener's backlog. They make way for a newcomer that needs a descriptor, too.
//!
//! It promises: at most [`MOST`] are under way, each for [`LIMIT`] at most, and [`WAITING`] wait; nobody
//! waits for an address that has two more under way than its own; addresses take turns, and those of one
//! address in the order in which they said something; for one that waits and whose address has as many, a
//! peer that has said something which was not looked at yet never makes way, and one that was answered has
//! [`GRACE`] to go on.

use core::net::IpAddr;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// How long a handshake may take.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Handshakes at a time. Each takes some ten KiB; with the longest messages that TLS allows, all
/// together less than 100 MiB.
pub const MOST: usize = 1024;

/// How long a peer that was answered may take to go on, though others come: one round trip. So many
/// handshakes can be begun in a second as a processor can answer, though none is ended.
pub const GRACE: Duration = Duration::from_millis(500);

/// How long a peer may be silent, though others come: its first words are sent with the last packet of
/// the connection's own handshake.
pub const SILENCE: Duration = Duration::from_millis(250);

/// How many may wait for a place: as many as wait in a listener's backlog.
pub const WAITING: usize = 4096;

/// How many make way at a time where a descriptor is needed.
const BATCH: usize = MOST / 16;

/// The handshakes under way, by the keys of their connections, and those that wait for a place. See the module's
/// documentation.
#[derive(Debug, Default)]
pub struct Handshakes {
    places: BTreeMap<usize, Place>,
    /// The addresses that they are from.
    hosts: HashMap<Option<IpAddr>, Host>,
    /// How many wait.
    waiting: usize,
    /// In the order of their beginnings, and so of their deadlines. Some may have ended.
    begun: VecDeque<(Instant, usize)>,
    /// The addresses of those that have a turn, in the order of the addresses' turns. Of some all may have ended.
    ready: VecDeque<Option<IpAddr>>,
}

#[derive(Debug)]
struct Place {
    ip: Option<IpAddr>,
    began: Instant,
    /// When it was last answered, or began.
    since: Instant,
    has_spoken: bool,
    is_ready: bool,
}

/// An address of which somebody is here.
#[derive(Debug, Default)]
struct Host {
    /// How many of its connections are under way.
    begun: usize,
    /// Those that wait, the first first: when they came, and their keys.
    waiting: VecDeque<(Instant, usize)>,
    /// Those whose turn it is. Some may have ended.
    ready: VecDeque<usize>,
}

impl Host {
    fn is_empty(&self) -> bool {
        self.begun == 0 && self.waiting.is_empty()
    }
}

impl Place {
    /// Whether it need not be waited for while others want its place.
    fn may_make_way(&self, now: Instant) -> bool {
        !self.is_ready && self.until() <= now
    }

    /// Until when it is waited for though others want its place.
    fn until(&self) -> Instant {
        self.since + if self.has_spoken { GRACE } else { SILENCE }
    }
}

impl Handshakes {
    /// How many are under way.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether no other can wait.
    pub fn is_full(&self) -> bool {
        self.waiting >= WAITING
    }

    /// A connection from `ip`, if it has an address, has come; not to be called while it
    /// [is full](Handshakes::is_full). Returns those that make way for it, which are under way no longer.
    pub fn come(&mut self, key: usize, ip: Option<IpAddr>, now: Instant) -> Vec<usize> {
        let ip = ip.map(|ip| ip.to_canonical());
        let waiting = &mut self.hosts.entry(ip).or_default().waiting;
        waiting.push_back((now, key));
        self.waiting += 1;
        // Behind another of its address it does not begin before that one.
        match waiting.len() {
            1 => self.let_in(now),
            _ => Vec::new(),
        }
    }

    /// Lets those begin that wait and find a place. Returns those that make way for them.
    pub fn let_in(&mut self, now: Instant) -> Vec<usize> {
        let mut made_way = Vec::new();
        while let Some((share, ip)) = self.next_waiting() {
            if self.places.len() >= MOST {
                let makes_way = |place: &Place, theirs| {
                    theirs > share + 1 || (theirs >= share && place.may_make_way(now))
                };
                let Some(weakest) = self.weakest(makes_way, now) else {
                    break;
                };
                self.end(weakest);
                made_way.push(weakest);
            }
            self.begin_first(ip, now);
        }
        made_way
    }

    /// From which address the next is that begins: the one that has the fewest under way, or among several whose
    /// newcomer came first. Returns how many it has, too.
    fn next_waiting(&self) -> Option<(usize, Option<IpAddr>)> {
        let waiting = self.hosts.iter().filter_map(|(&ip, host)| {
            let &first = host.waiting.front()?;
            Some((host.begun, first, ip))
        });
        waiting.min().map(|(share, _, ip)| (share, ip))
    }

    /// The first that waits of an address begins. It has a turn, since it may have said something by now.
    fn begin_first(&mut self, ip: Option<IpAddr>, now: Instant) {
        if let Some(host) = self.hosts.get_mut(&ip)
            && let Some((_, key)) = host.waiting.pop_front()
        {
            host.begun += 1;
            self.waiting -= 1;
            let place = Place {
                ip,
                began: now,
                since: now,
                has_spoken: false,
                is_ready: false,
            };
            self.places.insert(key, place);
            self.begun.push_back((now, key));
            self.wake(key);
        }
    }

    /// Who makes way first of those for which the closure, which is told how many are from their address, says that
    /// they do: one of the address that has most; of these, one that need not be waited for before others, one that
    /// said nothing before one that did, and who was awaited the longest.
    fn weakest(&self, makes_way: impl Fn(&Place, usize) -> bool, now: Instant) -> Option<usize> {
        let under_way = self.places.iter().filter_map(|(&key, place)| {
            let theirs = self.hosts.get(&place.ip)?.begun;
            let is_awaited = !place.may_make_way(now);
            let order = (is_awaited, place.is_ready, place.has_spoken, place.since);
            makes_way(place, theirs).then_some((Reverse(theirs), order, key))
        });
        under_way.min().map(|(.., key)| key)
    }

    /// Something came from a peer: it has a turn, if it is under way.
    pub fn wake(&mut self, key: usize) {
        if let Some(place) = self.places.get_mut(&key)
            && !std::mem::replace(&mut place.is_ready, true)
            && let Some(host) = self.hosts.get_mut(&place.ip)
        {
            if host.ready.is_empty() {
                self.ready.push_back(place.ip);
            }
            host.ready.push_back(key);
        }
    }

    /// Whether any has a turn, or can begin.
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty() || (self.waiting > 0 && self.places.len() < MOST)
    }

    /// Whose turn it is.
    pub fn next_ready(&mut self) -> Option<usize> {
        while let Some(ip) = self.ready.pop_front() {
            let Some(host) = self.hosts.get_mut(&ip) else {
                continue;
            };
            let first = host.ready.pop_front();
            if !host.ready.is_empty() {
                self.ready.push_back(ip);
            }
            if let Some(key) = first
                && let Some(place) = self.places.get_mut(&key)
                && std::mem::take(&mut place.is_ready)
            {
                return Some(key);
            }
        }
        None
    }

    /// A peer said something that was not answered: it has to say more.
    pub fn heard(&mut self, key: usize) {
        if let Some(place) = self.places.get_mut(&key) {
            place.has_spoken = true;
        }
    }

    /// What a peer said was answered; it has to say more.
    pub fn answered(&mut self, key: usize, now: Instant) {
        self.heard(key);
        if let Some(place) = self.places.get_mut(&key) {
            place.since = now;
        }
    }

    /// A handshake is over, with success or not.
    pub fn end(&mut self, key: usize) {
        if let Some(place) = self.places.remove(&key)
            && let Some(host) = self.hosts.get_mut(&place.ip)
        {
            host.begun -= 1;
            if host.is_empty() {
                self.hosts.remove(&place.ip);
            }
        }
        self.forget_ended();
    }

    /// Takes out those for which the closure says so, of those under way and of those that wait. Returns which they were.
    pub fn end_those(&mut self, mut ends: impl FnMut(usize) -> bool) -> Vec<usize> {
        let keys = self.places.keys().copied();
        let mut ended: Vec<usize> = keys.filter(|&key| ends(key)).collect();
        ended.iter().for_each(|&key| self.end(key));
        for host in self.hosts.values_mut() {
            host.waiting.retain(|&(_, key)| {
                let ends = ends(key);
                ended.extend(ends.then_some(key));
                self.waiting -= usize::from(ends);
                !ends
            });
        }
        self.hosts.retain(|_, host| !host.is_empty());
        ended
    }

    /// When the time of the first of them is over, or one may make way for one that waits.
    pub fn deadline(&self) -> Option<Instant> {
        let late = self.begun.front().map(|(began, _)| *began + LIMIT);
        let way = self.next_waiting().and_then(|(share, _)| {
            let has_as_many = |place: &&Place| self.hosts[&place.ip].begun >= share;
            let awaited = self.places.values().filter(|place| !place.is_ready);
            awaited.filter(has_as_many).map(Place::until).min()
        });
        [late, way].into_iter().flatten().min()
    }

    /// Takes out one whose time is over.
    pub fn take_late(&mut self, now: Instant) -> Option<usize> {
        let &(began, key) = self.begun.front()?;
        if now < began + LIMIT {
            return None;
        }
        self.end(key);
        Some(key)
    }

    /// A descriptor is needed: takes out some of those that need not be waited for, at most a sixteenth of [`MOST`].
    /// Returns which they were.
    pub fn make_way(&mut self, now: Instant) -> Vec<usize> {
        let mut made_way = Vec::new();
        while made_way.len() < BATCH
            && let Some(key) = self.weakest(|place, _| place.may_make_way(now), now)
        {
            self.end(key);
            made_way.push(key);
        }
        made_way
    }

    /// Those that ended leave the queue of the deadlines when they come to its front, so that an end
    /// costs nothing; and all of them when they are more than those under way.
    fn forget_ended(&mut self) {
        let places = &self.places;
        let is_there =
            |&(began, key): &(Instant, usize)| places.get(&key).is_some_and(|p| p.began == began);
        while self.begun.front().is_some_and(|entry| !is_there(entry)) {
            self.begun.pop_front();
        }
        if self.begun.len() > 2 * places.len() + BATCH {
            self.begun.retain(is_there);
        }
    }
}

#[cfg(test)]
mod tests;
