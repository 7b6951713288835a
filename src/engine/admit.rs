//! Who is let in: lists of hosts, and how many at a time.
//!
//! A list is a few words, each of which means some addresses, as in ncat: an address, a prefix
//! (`192.0.2.0/24`, `2001:db8::/32`), ranges of bytes (`192.0.2-3.*`), or the name of a host, which
//! floor 1 looks up. An IPv4 address and the IPv6 address that stands for it (RFC 4291, 2.5.5.2)
//! are one; else the families are apart, so that `::/0` is IPv6.
//!
//! The operator's commands are kept apart from the lists of the command line, so that SIGHUP can
//! read the lists again and leave the commands alone.
//!
//! It promises: an address that is asked about takes no memory unless it is let in.

use core::net::IpAddr;
use core::net::Ipv6Addr;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::ops::RangeInclusive;

/// Bits in front of an IPv4 address that stands among those of IPv6.
const MAPPED: u8 = 96;

/// What one word of a list means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Addresses.
    Hosts(Hosts),
    /// Whatever addresses a name has, each with so many of its bits.
    Name(String, Option<u8>),
}

/// Some addresses: the same ones are equal, however they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts(Set);

/// The form in which they are kept, one for each meaning: a range that is a prefix is kept as a
/// prefix, with no bits after it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Set {
    /// The addresses that begin with so many bits of this one.
    Prefix(u128, u8),
    /// Those of IPv4 with each byte in its range.
    Bytes([RangeInclusive<u8>; 4]),
}

impl Word {
    /// Reads a word.
    ///
    /// # Errors
    /// It means nothing, and why.
    pub fn parse(text: &str) -> Result<Word, &'static str> {
        let (host, bits) = match text.split_once('/') {
            None => (text, None),
            Some((host, bits)) => {
                let digits = bits.bytes().all(|b| b.is_ascii_digit());
                if digits && may_be_octal(bits) {
                    return Err(OCTAL);
                }
                let bits = bits.parse().ok().filter(|_| digits);
                (host, Some(bits.ok_or("a prefix is a number of bits")?))
            }
        };
        // An IPv6 scope does not matter here: a hub is on one machine.
        let unscoped = host.split('%').next().unwrap_or(host);
        if let Ok(ip) = unscoped.parse() {
            return Hosts::prefix(ip, bits).map(Word::Hosts);
        }
        if host.bytes().all(|b| b"0123456789.-*".contains(&b)) {
            if host.split(['.', '-']).any(may_be_octal) {
                return Err(OCTAL);
            }
            return match (bytes(host), bits) {
                (Some(bytes), None) => Ok(Word::Hosts(Hosts::ranges(bytes))),
                (Some(_), Some(_)) => Err("either ranges or a prefix"),
                // The system's lookup would find one: 127.1 is 127.0.0.1 to it.
                (None, _) => Err("not an address"),
            };
        }
        if is_number_elsewhere(host) {
            return Err("ambiguous: an address has four decimal numbers");
        }
        let letters = |c: char| c.is_alphanumeric() || "-._".contains(c);
        match !host.is_empty() && host.chars().all(letters) {
            true => Ok(Word::Name(host.into(), bits)),
            false => Err("not an address, and not the name of a host"),
        }
    }
}

impl Hosts {
    /// The addresses that begin with so many bits of `ip`; all of its bits if none are given.
    ///
    /// # Errors
    /// It has not that many bits.
    pub fn prefix(ip: IpAddr, bits: Option<u8>) -> Result<Hosts, &'static str> {
        let bits = match ip {
            IpAddr::V4(_) => match bits {
                Some(33..) => return Err("an IPv4 address has 32 bits"),
                bits => MAPPED + bits.unwrap_or(32),
            },
            IpAddr::V6(_) => match bits {
                Some(129..) => return Err("an IPv6 address has 128 bits"),
                bits => bits.unwrap_or(128),
            },
        };
        let rest = u128::MAX.checked_shr(bits.into()).unwrap_or(0);
        Ok(Hosts(Set::Prefix(number(ip) & !rest, bits)))
    }

    /// Those of IPv4 with each byte in its range.
    fn ranges(bytes: [RangeInclusive<u8>; 4]) -> Hosts {
        let first = IpAddr::from(bytes.each_ref().map(|range| *range.start()));
        (0..=32)
            .filter_map(|bits| Hosts::prefix(first, Some(bits)).ok())
            .find(|prefix| prefix.bytes().as_ref() == Some(&bytes))
            .unwrap_or(Hosts(Set::Bytes(bytes)))
    }

    /// Whether an address is one of them.
    pub fn has(&self, ip: IpAddr) -> bool {
        match (&self.0, ip.to_canonical()) {
            (Set::Prefix(_, ..MAPPED), IpAddr::V4(_)) => false,
            (Set::Prefix(prefix, bits), ip) => is_same(*prefix, number(ip), *bits),
            (Set::Bytes(ranges), IpAddr::V4(ip)) => {
                let mut bytes = ranges.iter().zip(ip.octets());
                bytes.all(|(range, byte)| range.contains(&byte))
            }
            (Set::Bytes(_), IpAddr::V6(_)) => false,
        }
    }

    /// Whether all addresses of others are among these.
    pub fn contain(&self, others: &Hosts) -> bool {
        match (&self.0, &others.0) {
            (Set::Prefix(one, bits), Set::Prefix(other, more)) => {
                bits <= more && is_same(*one, *other, *bits) && !self.is_apart(others)
            }
            _ => match (self.bytes(), others.bytes()) {
                (Some(these), Some(those)) => these.iter().zip(&those).all(|(these, those)| {
                    these.contains(those.start()) && these.contains(those.end())
                }),
                _ => false,
            },
        }
    }

    /// Whether some addresses of others are among these.
    pub fn meet(&self, others: &Hosts) -> bool {
        match (&self.0, &others.0) {
            (Set::Prefix(one, bits), Set::Prefix(other, more)) => {
                is_same(*one, *other, *bits.min(more)) && !self.is_apart(others)
            }
            _ => match (self.bytes(), others.bytes()) {
                (Some(these), Some(those)) => these.iter().zip(&those).all(|(these, those)| {
                    these.start() <= those.end() && those.start() <= these.end()
                }),
                _ => false,
            },
        }
    }

    /// Whether these are of IPv6 and the others of IPv4, or the other way round: a prefix that is wider than all of
    /// IPv4 has none of it.
    fn is_apart(&self, others: &Hosts) -> bool {
        let is_wide = |hosts: &Hosts| matches!(hosts.0, Set::Prefix(_, ..MAPPED));
        let is_ipv4 = |hosts: &Hosts| hosts.bytes().is_some();
        (is_wide(self) && is_ipv4(others)) || (is_ipv4(self) && is_wide(others))
    }

    /// Those of IPv4 as ranges of their bytes, if these are that.
    fn bytes(&self) -> Option<[RangeInclusive<u8>; 4]> {
        match &self.0 {
            Set::Bytes(ranges) => Some(ranges.clone()),
            Set::Prefix(prefix, bits) => {
                let bits = u32::from(bits.checked_sub(MAPPED)?);
                let rest = u32::MAX.checked_shr(bits).unwrap_or(0);
                let IpAddr::V4(ip) = IpAddr::V6(Ipv6Addr::from_bits(*prefix)).to_canonical() else {
                    return None;
                };
                let (from, to) = (ip.to_bits() & !rest, ip.to_bits() | rest);
                let (from, to) = (from.to_be_bytes(), to.to_be_bytes());
                Some(std::array::from_fn(|at| from[at]..=to[at]))
            }
        }
    }
}

/// Whether two addresses begin with the same bits, so many.
fn is_same(one: u128, other: u128, bits: u8) -> bool {
    let rest = 128 - u32::from(bits);
    (one ^ other).checked_shr(rest).unwrap_or(0) == 0
}

impl fmt::Display for Hosts {
    /// As it is written in a list.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Set::Prefix(prefix, bits) => {
                let ip = IpAddr::V6(Ipv6Addr::from_bits(*prefix));
                let (ip, all, bits) = match ip.to_canonical() {
                    IpAddr::V4(ip) if *bits >= MAPPED => (IpAddr::V4(ip), 32, bits - MAPPED),
                    _ => (ip, 128, *bits),
                };
                match bits == all {
                    true => write!(out, "{ip}"),
                    false => write!(out, "{ip}/{bits}"),
                }
            }
            Set::Bytes(ranges) => {
                for (at, range) in ranges.iter().enumerate() {
                    let dot = if at > 0 { "." } else { "" };
                    match (range.start(), range.end()) {
                        (0, 255) => write!(out, "{dot}*")?,
                        (from, to) if from == to => write!(out, "{dot}{from}")?,
                        (from, to) => write!(out, "{dot}{from}-{to}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

const OCTAL: &str = "ambiguous: a number that begins with 0 may be octal";

/// Whether some read a number as another one than is written: 010 as 8 (inet_aton(3)), and others as 10.
fn may_be_octal(number: &str) -> bool {
    number.len() > 1 && number.starts_with('0')
}

/// Whether it is no name of a host, since the system's lookup takes it for an address: as inet_aton(3) does, which
/// knows numbers in hexadecimal, and fewer than four of them.
fn is_number_elsewhere(host: &str) -> bool {
    let is_number = |part: &str| match part.strip_prefix("0x").or(part.strip_prefix("0X")) {
        Some(digits) => digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
        None => !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit()),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    host.split('.').all(is_number)
}

/// An address among those of IPv6.
fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// `192.0.2-3.*`: a number, a range that may be open, or anything, for each of four bytes.
fn bytes(text: &str) -> Option<[RangeInclusive<u8>; 4]> {
    let range = |text: &str| {
        let end = |text: &str, open: u8| match text {
            "" => Some(open),
            text => text.parse().ok(),
        };
        match (text, text.split_once('-')) {
            ("*", _) => Some(0..=255),
            (text, None) => text.parse().ok().map(|byte| byte..=byte),
            (_, Some((from, to))) => {
                let range = end(from, 0)?..=end(to, 255)?;
                (!range.is_empty()).then_some(range)
            }
        }
    };
    let ranges: Option<Vec<_>> = text.split('.').map(range).collect();
    ranges?.try_into().ok()
}

/// Lists of hosts. An address that is on none of them is let in if there is no list of allowed
/// ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists {
    /// The only ones who are let in.
    pub allow: Option<Vec<Hosts>>,
    /// The hosts that are not let in, whatever the other list says.
    pub deny: Vec<Hosts>,
}

/// The operator's commands about who is let in: a banned address stays out, whatever else is said;
/// while the hub is locked only those come in that [`Admission::allow`] named since; else, if any
/// address is allowed, only those.
#[derive(Debug, Default)]
pub struct Commanded {
    banned: Vec<Hosts>,
    allowed: Vec<Hosts>,
    /// Since it was locked: the only ones who are let in.
    lock: Option<Vec<Hosts>>,
}

/// The hosts that the hub lets in, except those that are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door<'a> {
    /// Everybody.
    Open,
    /// The hosts that a list or a command allows: the command allows these.
    Invited(&'a [Hosts]),
    /// It is locked, but for these.
    Locked(&'a [Hosts]),
}

/// Who is let in: it is asked about every connection.
#[derive(Debug)]
pub struct Admission {
    lists: Lists,
    commanded: Commanded,
    max: Option<usize>,
    max_per_host: Option<usize>,
}

/// Why a peer is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdmissionError {
    /// The lists say so.
    NotAllowed,
    /// The operator has locked the hub.
    Locked,
    /// The operator sent away who comes back.
    SentAway,
    /// So many are here.
    Full(usize),
    /// So many of that address are here.
    FullOfHost(usize),
}

impl AdmissionError {
    /// The line that a refused peer reads.
    pub fn line(self) -> String {
        match self {
            AdmissionError::NotAllowed => String::from("muxnc: your address is not allowed here\n"),
            AdmissionError::Locked => String::from("muxnc: nobody else is let in now\n"),
            AdmissionError::SentAway => String::from("muxnc: you were disconnected\n"),
            AdmissionError::Full(max) => format!("muxnc: full, {max} are here already\n"),
            AdmissionError::FullOfHost(max) => {
                format!("muxnc: full, {max} from your address are here already\n")
            }
        }
    }
}

impl AdmissionError {
    /// The same in a word for programs.
    pub fn code(self) -> &'static str {
        match self {
            AdmissionError::NotAllowed => "not_allowed",
            AdmissionError::Locked => "locked",
            AdmissionError::SentAway => "kicked",
            AdmissionError::Full(_) => "full",
            AdmissionError::FullOfHost(_) => "full_of_host",
        }
    }
}

impl fmt::Display for AdmissionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdmissionError::NotAllowed => write!(f, "the address is not allowed"),
            AdmissionError::Locked => write!(f, "nobody else is let in (/unlock)"),
            AdmissionError::SentAway => write!(f, "it comes back, and an operator cut it off"),
            AdmissionError::Full(max) => write!(f, "{max} are here already"),
            AdmissionError::FullOfHost(max) => {
                write!(f, "{max} from that address are here already")
            }
        }
    }
}

impl Admission {
    /// Lets in whom the lists admit, as many as `max` at a time, and `max_per_host` of one address.
    pub fn new(lists: Lists, max: Option<usize>, max_per_host: Option<usize>) -> Admission {
        Admission {
            lists,
            commanded: Commanded::default(),
            max,
            max_per_host,
        }
    }

    /// The lists of the command line were read again: the operator's commands stay.
    pub fn set_lists(&mut self, lists: Lists) {
        self.lists = lists;
    }

    /// Whom the hub lets in.
    pub fn door(&self) -> Door<'_> {
        let Commanded { allowed, lock, .. } = &self.commanded;
        match lock {
            Some(but) => Door::Locked(but),
            None if self.lists.allow.is_some() || !allowed.is_empty() => Door::Invited(allowed),
            None => Door::Open,
        }
    }

    /// The hosts that are refused by command.
    pub fn banned(&self) -> &[Hosts] {
        &self.commanded.banned
    }

    /// Whether any address is refused, by command or by the lists.
    pub fn has_refused(&self) -> bool {
        !self.commanded.banned.is_empty() || !self.lists.deny.is_empty()
    }

    /// The refused hosts, by command and by the lists, that share an address with these.
    pub fn refused(&self, hosts: &Hosts) -> Vec<&Hosts> {
        let all = self.commanded.banned.iter().chain(&self.lists.deny);
        all.filter(|refused| refused.meet(hosts)).collect()
    }

    /// These are not let in, whatever else is said.
    pub fn ban(&mut self, hosts: Hosts) {
        add(&mut self.commanded.banned, hosts);
    }

    /// A ban of these is taken back. Returns whether there was one.
    pub fn unban(&mut self, hosts: &Hosts) -> bool {
        let banned = &mut self.commanded.banned;
        let before = banned.len();
        banned.retain(|other| other != hosts);
        banned.len() < before
    }

    /// These are let in: if the hub is locked, in spite of that; if not, only allowed addresses are
    /// let in from now on.
    pub fn allow(&mut self, hosts: Hosts) {
        let Commanded { allowed, lock, .. } = &mut self.commanded;
        add(lock.as_mut().unwrap_or(allowed), hosts);
    }

    /// Takes back what was allowed by command: every address that is not refused is let in again,
    /// as far as the lists and the lock allow.
    pub fn allow_all(&mut self) {
        self.commanded.allowed.clear();
        self.commanded.lock.iter_mut().for_each(Vec::clear);
    }

    /// Locks the hub: no more are let in.
    pub fn lock(&mut self) {
        self.commanded.lock = Some(Vec::new());
    }

    /// It is as it was before it was locked.
    pub fn unlock(&mut self) {
        self.commanded.lock = None;
    }

    /// Whether the lists and the operator let an address in. The lists do not concern a peer
    /// without one (a Unix socket).
    ///
    /// # Errors
    /// No, and why.
    pub fn ask_lists(&self, ip: Option<IpAddr>) -> Result<(), AdmissionError> {
        self.ask_refused(ip)?;
        let on = |list: &[Hosts]| is_on(list, ip);
        match self.door() {
            Door::Locked(but) if on(but) => Ok(()),
            Door::Locked(_) => Err(AdmissionError::Locked),
            Door::Invited(allowed) => {
                let is_allowed = on(allowed) || self.lists.allow.as_deref().is_some_and(on);
                match is_allowed || ip.is_none() {
                    true => Ok(()),
                    false => Err(AdmissionError::NotAllowed),
                }
            }
            Door::Open => Ok(()),
        }
    }

    /// Whether an address is refused as such: also to one that was here and comes back.
    ///
    /// # Errors
    /// It is.
    pub fn ask_refused(&self, ip: Option<IpAddr>) -> Result<(), AdmissionError> {
        match is_on(&self.lists.deny, ip) || is_on(&self.commanded.banned, ip) {
            true => Err(AdmissionError::NotAllowed),
            false => Ok(()),
        }
    }

    /// Whether a newcomer from `ip` is let in while `here` are there, so many of them from `ip`.
    ///
    /// # Errors
    /// No, and why.
    pub fn ask(
        &self,
        ip: Option<IpAddr>,
        here: usize,
        from_there: usize,
    ) -> Result<(), AdmissionError> {
        self.ask_lists(ip)?;
        self.ask_numbers(here, from_there)
    }

    /// The same of one that was here and comes back: it is no newcomer, whom a lock or an invitation would
    /// concern.
    ///
    /// # Errors
    /// No, and why.
    pub fn ask_back(
        &self,
        ip: Option<IpAddr>,
        here: usize,
        from_there: usize,
    ) -> Result<(), AdmissionError> {
        self.ask_refused(ip)?;
        self.ask_numbers(here, from_there)
    }

    /// The same of one that comes back and that the operator had sent away.
    ///
    /// # Errors
    /// It is not let in; and why, if there is another reason.
    pub fn ask_sent_away(&self, ip: Option<IpAddr>) -> Result<(), AdmissionError> {
        self.ask_refused(ip)?;
        Err(AdmissionError::SentAway)
    }

    fn ask_numbers(&self, here: usize, from_there: usize) -> Result<(), AdmissionError> {
        match (self.max, self.max_per_host) {
            (Some(max), _) if here >= max => Err(AdmissionError::Full(max)),
            (_, Some(max)) if from_there >= max => Err(AdmissionError::FullOfHost(max)),
            _ => Ok(()),
        }
    }
}

fn is_on(list: &[Hosts], ip: Option<IpAddr>) -> bool {
    ip.is_some_and(|ip| list.iter().any(|hosts| hosts.has(ip)))
}

fn add(list: &mut Vec<Hosts>, hosts: Hosts) {
    if !list.contains(&hosts) {
        list.push(hosts);
    }
}

/// How many there are of each address.
#[derive(Debug, Default)]
pub struct Headcount(HashMap<IpAddr, usize>);

impl Headcount {
    /// A peer from `ip` was let in.
    pub fn joined(&mut self, ip: IpAddr) {
        *self.0.entry(ip.to_canonical()).or_default() += 1;
        self.check(ip);
    }

    /// A peer that was let in has left.
    pub fn left(&mut self, ip: IpAddr) {
        let Entry::Occupied(mut here) = self.0.entry(ip.to_canonical()) else {
            debug_assert!(false, "of those from {ip} more left than came");
            return;
        };
        match here.get() {
            0 | 1 => drop(here.remove()),
            _ => *here.get_mut() -= 1,
        }
        self.check(ip);
    }

    /// Checks, in debug builds, that an address takes memory only while a peer from it is here.
    fn check(&self, ip: IpAddr) {
        debug_assert!(
            self.0.get(&ip.to_canonical()) != Some(&0),
            "{ip} is kept for no peer"
        );
    }

    /// How many there are from `ip`.
    pub fn of(&self, ip: IpAddr) -> usize {
        self.0.get(&ip.to_canonical()).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
