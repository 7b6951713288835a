//! Who is let in: what an operator commands, line by line, against lists of words that are judged bit by
//! bit.

use std::net::IpAddr;

use muxnc::engine::admit::Admission;
use muxnc::engine::admit::AdmissionError;
use muxnc::engine::admit::Hosts;
use muxnc::engine::admit::Lists;
use muxnc::engine::admit::Word;
use muxnc::engine::command::Banned;
use muxnc::engine::command::Command;
use muxnc::engine::command::Typed;
use muxnc::engine::command::understand;

use super::is_on;
use super::neighbours;

/// Lines of one input that are looked at, and addresses that are asked about after each.
const LINES: usize = 40;
const ADDRESSES: usize = 600;

/// What holds, as words.
#[derive(Debug, Default)]
struct Rule {
    allow: Option<Vec<String>>,
    deny: Vec<String>,
    banned: Vec<String>,
    allowed: Vec<String>,
    lock: Option<Vec<String>>,
}

impl Rule {
    fn ask(&self, ip: Option<IpAddr>) -> Result<(), AdmissionError> {
        let on = |list: &[String]| ip.is_some_and(|ip| list.iter().any(|word| is_on(word, ip)));
        if on(&self.deny) || on(&self.banned) {
            return Err(AdmissionError::NotAllowed);
        }
        if let Some(but) = &self.lock {
            return on(but).then_some(()).ok_or(AdmissionError::Locked);
        }
        let is_for_some = self.allow.is_some() || !self.allowed.is_empty();
        let is_allowed = on(&self.allowed) || self.allow.as_deref().is_some_and(on);
        match !is_for_some || is_allowed || ip.is_none() {
            true => Ok(()),
            false => Err(AdmissionError::NotAllowed),
        }
    }
}

/// Whatever is commanded in whatever order: one rule says who comes in. `--allow WORD` and `--deny WORD` are the lists
/// of the command line, read again.
pub fn moderation(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut ips: Vec<IpAddr> = text
        .split([' ', ',', '\n'])
        .flat_map(neighbours)
        .take(ADDRESSES)
        .collect();
    ips.sort_unstable();
    ips.dedup();
    let (mut rule, mut lists) = (Rule::default(), Lists::default());
    let mut admission = Admission::new(lists.clone(), None, None);
    for line in text.lines().take(LINES) {
        if let Some((option @ ("--allow" | "--deny"), word)) = line.split_once(' ') {
            if let Ok(Word::Hosts(hosts)) = Word::parse(word) {
                let words = match option {
                    "--allow" => {
                        lists.allow.get_or_insert_default().push(hosts);
                        rule.allow.get_or_insert_default()
                    }
                    _ => {
                        lists.deny.push(hosts);
                        &mut rule.deny
                    }
                };
                words.push(word.into());
                admission.set_lists(lists.clone());
            }
        } else if let Typed::Do(command) = understand(line) {
            obey(line, command, &mut admission, &mut rule);
        }
        assert_eq!(admission.ask_lists(None), rule.ask(None), "{line:?}");
        for &ip in &ips {
            assert_eq!(
                admission.ask_lists(Some(ip)),
                rule.ask(Some(ip)),
                "{ip} after {line:?} with {rule:?}"
            );
        }
    }
    for hosts in admission.banned() {
        for refused in admission.refused(hosts) {
            let (mut all, mut some) = (true, false);
            for ip in ips.iter().filter(|ip| hosts.has(**ip)) {
                all &= refused.has(*ip);
                some |= refused.has(*ip);
            }
            assert!(
                all || !refused.contain(hosts),
                "{refused} has not all of {hosts}"
            );
            assert!(
                refused.meet(hosts) || !some,
                "{refused} has some of {hosts}"
            );
        }
    }
}

fn obey(line: &str, command: Command<'_>, admission: &mut Admission, rule: &mut Rule) {
    match command {
        Command::Ban {
            from: Banned::Hosts(all),
            ..
        } => {
            for hosts in all {
                rule.banned.push(shown(&hosts));
                admission.ban(hosts);
            }
        }
        Command::Unban(all) => {
            expect_list(line, &all);
            for hosts in all {
                let before = rule.banned.len();
                rule.banned.retain(|word| *word != shown(&hosts));
                assert_eq!(admission.unban(&hosts), rule.banned.len() < before);
            }
        }
        Command::Allow(None) => {
            rule.allowed.clear();
            rule.lock.iter_mut().for_each(Vec::clear);
            admission.allow_all();
        }
        Command::Allow(Some(all)) => {
            expect_list(line, &all);
            for hosts in all {
                let words = rule.lock.as_mut().unwrap_or(&mut rule.allowed);
                words.push(shown(&hosts));
                admission.allow(hosts);
            }
        }
        Command::Lock(true) => {
            rule.lock = Some(Vec::new());
            admission.lock();
        }
        Command::Lock(false) => {
            rule.lock = None;
            admission.unlock();
        }
        _ => {}
    }
}

/// As it is told, which can be typed to mean the same again.
fn shown(hosts: &Hosts) -> String {
    let word = hosts.to_string();
    assert_eq!(Word::parse(&word), Ok(Word::Hosts(hosts.clone())));
    word
}

/// What was typed behind the command, with commas between, and nothing else.
fn expect_list(line: &str, all: &[Hosts]) {
    let (_, list) = line.split_once(' ').expect("a list");
    let words = list.split(',').map(str::trim);
    let words: Vec<_> = words
        .filter(|word| !word.is_empty())
        .map(Word::parse)
        .collect();
    let all: Vec<_> = all
        .iter()
        .cloned()
        .map(|hosts| Ok(Word::Hosts(hosts)))
        .collect();
    assert_eq!(words, all, "{line:?}");
}
