//! Whom the operator lets in: a command, and what holds after it.

use std::net::IpAddr;

use super::Chance;

/// Whom the operator lets in, by the last number of the address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rule {
    banned: Vec<u8>,
    allowed: Vec<u8>,
    lock: Option<Vec<u8>>,
}

impl Rule {
    pub(crate) fn lets_in(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else {
            panic!("a host without a number");
        };
        let host = ip.octets()[3];
        let is_let_in = match &self.lock {
            Some(but) => but.contains(&host),
            None => self.allowed.is_empty() || self.allowed.contains(&host),
        };
        is_let_in && !self.banned.contains(&host)
    }

    /// A command, and what holds after it.
    pub(crate) fn change(
        &self,
        chance: &mut Chance,
        is_free: impl Fn(u8) -> bool,
    ) -> (String, Rule) {
        let mut rule = self.clone();
        let host = 1 + chance.below(3) as u8;
        let command = match chance.below(8) {
            0 => {
                rule.lock = Some(Vec::new());
                String::from("/lock")
            }
            1 | 2 => {
                rule.lock = None;
                String::from("/unlock")
            }
            3 => {
                rule.lock.as_mut().unwrap_or(&mut rule.allowed).push(host);
                format!("/allow 192.0.2.{host}")
            }
            4 => {
                rule.allowed.clear();
                rule.lock.iter_mut().for_each(Vec::clear);
                String::from("/allow all")
            }
            5 if is_free(host) => {
                rule.banned.push(host);
                format!("/ban 192.0.2.{host} go away")
            }
            _ => {
                rule.banned.retain(|&banned| banned != host);
                format!("/unban 192.0.2.{host}")
            }
        };
        (command + "\n", rule)
    }
}
