//! Rule 5 on networks of all speeds: how late a line is, and who is cut off.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use super::BROKER;
use super::Class;
use super::text;

use muxnc::engine::chat::Chat;
use muxnc::engine::chat::Rules;
use muxnc::engine::room::Overdue;

/// Members of a broker that take so many bytes in a millisecond each, and read by it as a hub does.
struct Network {
    class: Class,
    /// Each member's bytes in a millisecond, and what it may still take of them.
    rates: BTreeMap<usize, (u64, u64)>,
    /// Those who always have more to say.
    flooders: Vec<usize>,
    /// What one says that types: when it began to wait, and to be read.
    typed: Option<Instant>,
    cut_off: Vec<(usize, Overdue)>,
    /// What those hear who are listened to.
    heard: BTreeMap<usize, Vec<u8>>,
    noise: Vec<u8>,
}

impl Network {
    fn new() -> Network {
        Network::of(Class::new(BROKER), &text(512 * 1024))
    }

    /// What those say who flood is that, again and again.
    fn of(class: Class, noise: &[u8]) -> Network {
        Network {
            class,
            rates: BTreeMap::new(),
            flooders: Vec::new(),
            typed: None,
            cut_off: Vec::new(),
            heard: BTreeMap::new(),
            noise: noise.iter().copied().cycle().take(512 * 1024).collect(),
        }
    }

    fn join(&mut self, rate: u64) -> usize {
        let key = self.class.join();
        self.rates.insert(key, (rate, 0));
        key
    }

    fn floods(&mut self, rate: u64) {
        let key = self.join(rate);
        self.flooders.push(key);
    }

    /// A millisecond passes, in which `ana` may have a line to say.
    fn turn(&mut self, ana: usize) {
        self.class.passes(Duration::from_millis(1));
        let mut keys = self.flooders.clone();
        keys.extend(self.typed.map(|_| ana));
        if self.class.room.take_release() {
            let room = &self.class.room;
            keys.sort_by_key(|&key| room.said_lately(key, self.class.now));
        }
        for key in keys {
            let room = &self.class.room;
            if !room.accepts_input() || !room.may_speak(key) {
                continue;
            }
            let Ok(most) = room.read_budget(key, self.class.now) else {
                continue;
            };
            if key != ana {
                let noise = &self.noise[..most.min(self.noise.len())];
                self.class.room.heard(key, noise, self.class.now);
            } else if let Some(typed) = self.typed.take() {
                let late = self.class.now - typed;
                self.class.heard(ana, format!("ana {}\n", late.as_millis()));
            }
        }
        let shown = self.class.room.screen().front().len();
        self.class.room.screen_mut().consume(shown);
        for (&key, (rate, left)) in &mut self.rates {
            *left = (*left + *rate).min(64 * *rate);
            while *left > 0 && self.class.room.owed(key) > 0 {
                let heard = &mut self.heard;
                let taken = self.class.room.flush(key, self.class.now, |slices| {
                    let mut taken = 0;
                    for slice in slices {
                        let count = slice.len().min(*left as usize - taken);
                        if let Some(heard) = heard.get_mut(&key) {
                            heard.extend_from_slice(&slice[..count]);
                        }
                        taken += count;
                    }
                    *left -= taken as u64;
                    Ok(taken)
                });
                taken.expect("nothing that could fail");
            }
        }
        for (key, why) in self.class.late() {
            self.class.leave(key);
            self.rates.remove(&key);
            self.flooders.retain(|&flooder| flooder != key);
            self.cut_off.push((key, why));
        }
    }
}

fn chat_class() -> Class {
    let mut class = Class::new(BROKER);
    class.room.open_chat(Chat::new(Rules::of("host"), false));
    class
}

#[test]
fn one_slow_reader_does_not_make_a_conversation_late() {
    one_slow_reader(Class::new(BROKER), &text(1000), 2, 60);
    one_slow_reader(Class::new(BROKER), b"x", 8, 14);
}

#[test]
fn one_slow_reader_does_not_make_a_chat_late() {
    one_slow_reader(chat_class(), b"\n", 3, 60);
}

#[test]
fn one_slow_reader_does_not_make_a_chat_late_whatever_a_byte_becomes() {
    for noise in [&b"\n"[..], b"\x01", b"\x1b[31m\n"] {
        one_slow_reader(chat_class(), noise, 8, 14);
    }
}

/// Some that flood and one that reads 12 kB in a second: what Ana says is at Bob's soon all the same.
fn one_slow_reader(class: Class, noise: &[u8], flooders: usize, seconds: usize) {
    let first = String::from_utf8_lossy(&noise[..noise.len().min(10)]);
    let is_chat = class.room.is_chat();
    let what = format!("{flooders} flood with {first:?}, chat: {is_chat}");
    let mut network = Network::of(class, noise);
    let (ana, bob) = (network.join(10_000), network.join(10_000));
    let slow = network.join(12);
    (0..flooders).for_each(|_| network.floods(10_000));
    network.heard.insert(bob, Vec::new());
    let (mut said, mut late) = (Vec::new(), Vec::new());
    for millisecond in 0..seconds * 1000 {
        if millisecond % 500 == 0 {
            network.typed.get_or_insert(network.class.now);
            said.push(network.class.now);
        }
        network.turn(ana);
        let heard = network.heard.get_mut(&bob).unwrap();
        let whole = memchr::memrchr(b'\n', heard).map_or(0, |end| end + 1);
        let heard: Vec<u8> = heard.drain(..whole).collect();
        // A line that does not end, of somebody else, may be before it.
        let end = |line: &[u8]| line[line.len().saturating_sub(10)..].to_vec();
        let lines = heard.split(|&byte| byte == b'\n').map(end);
        for _ in lines.filter(|end| end.windows(4).any(|word| word == b"ana ")) {
            late.push(network.class.now - said[late.len()]);
        }
    }
    assert_eq!(network.cut_off, [(slow, Overdue::Slow)], "{what}");
    late.sort_unstable();
    let (median, worst) = (late[late.len() / 2], late[late.len() - 1]);
    assert!(
        late.len() >= 2 * seconds - 1,
        "{what}: {} of {} lines",
        late.len(),
        said.len()
    );
    assert!(median <= Duration::from_millis(300), "{what}: {median:?}");
    assert!(worst <= Duration::from_secs(4), "{what}: {worst:?}");
}

/// Thirty on a slow network, none as fast as the other: nobody is cut off, whoever floods.
#[test]
fn a_slow_network_is_nobodys_fault() {
    for slowest in [70, 100] {
        let mut network = Network::new();
        // From 1 MB/s down to that many percent of it.
        let keys: Vec<usize> = (0..30)
            .map(|i| network.join(1000 - i * (100 - slowest) * 10 / 29))
            .collect();
        network.floods(1000);
        network.floods(1000);
        for _ in 0..30_000 {
            network.turn(keys[0]);
        }
        assert_eq!(network.cut_off, [], "the slowest at {slowest} %");
    }
}

/// Who takes more than 6 MB in a second is not cut off, however fast the others are: a hold that it causes
/// is over before anybody would notice. Who takes less than 4 is.
#[test]
fn nobody_is_cut_off_who_takes_much() {
    for rate in [4_000, 6_000, 20_000, 240_000] {
        let mut network = Network::new();
        let ana = network.join(1_000_000);
        let slowest = network.join(rate);
        network.floods(1_000_000);
        network.floods(1_000_000);
        for _ in 0..60_000 {
            network.turn(ana);
        }
        let expected = match rate <= 4_000 {
            true => vec![(slowest, Overdue::Slow)],
            false => vec![],
        };
        assert_eq!(network.cut_off, expected, "{rate} bytes in a millisecond");
    }
}
