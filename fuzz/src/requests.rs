//! What participants of a chat type, line by line: who reads what of it.

use std::time::Duration;
use std::time::Instant;

use muxnc::engine::chat::Chat;
use muxnc::engine::chat::Composed;
use muxnc::engine::chat::Rules;
use muxnc::engine::chat::Speech;
use muxnc::engine::escape::Escaper;
use muxnc::engine::handover::Asking;
use muxnc::engine::lines::Lines;
use muxnc::engine::request::Request;
use muxnc::engine::request::request_among;
use muxnc::engine::room::Called;
use muxnc::engine::room::Label;
use muxnc::engine::room::Policy;
use muxnc::engine::room::Room;
use muxnc::engine::room::SlowPeer;
use muxnc::engine::screen::Surface;
use muxnc::engine::whom::Whom;

use super::is_safe;

/// How many are in the room, and lines of one input that they say.
const MEMBERS: u32 = 4;
const LINES: usize = 60;

/// The longest line, which is not cut.
const LONGEST: usize = 2000;

/// Everybody in the room, with what was not looked at yet of what each has read.
struct Class {
    room: Room,
    keys: Vec<usize>,
    now: Instant,
}

impl Class {
    fn new(mode: u8) -> Class {
        let bit = |n: u8| mode >> n & 1 == 1;
        let now = Instant::now();
        let mut room = Room::new(Policy {
            relay: true,
            slow: SlowPeer::Wait,
            stall_timeout: Duration::from_secs(10),
            surface: Surface::Stream,
            label: Label::Auto,
            color: false,
            bold: false,
            announced: u32::MAX,
        });
        let rules = Rules {
            open_messages: bit(0),
            ..Rules::of("host")
        };
        room.open_chat(Chat::new(rules, bit(1)));
        let mut class = Class {
            room,
            keys: Vec::new(),
            now,
        };
        for _ in 0..MEMBERS {
            let key = class.room.vacant_key();
            class.room.join(key, now);
            class.keys.push(key);
        }
        for key in class.keys.clone() {
            class.room.heard(key, b"hello\n", now);
        }
        if bit(2) {
            class.room.relay(false, now);
        }
        class.room.mute(class.keys[0], bit(3), now);
        class.read();
        class
    }

    /// What each reads, by lines, and what the operator does.
    fn read(&mut self) -> (Vec<Vec<String>>, Vec<String>) {
        let read = self.keys.clone().into_iter().map(|key| {
            let mut all = Vec::new();
            while self.room.owed(key) > 0 {
                let took = self.room.flush(key, self.now, |slices| {
                    slices.iter().for_each(|slice| all.extend(slice.iter()));
                    Ok(slices.iter().map(|slice| slice.len()).sum())
                });
                took.expect("nothing that fails");
            }
            lines(&all)
        });
        let read = read.collect();
        let mut shown = Vec::new();
        while !self.room.screen().is_empty() {
            let front = self.room.screen().front().to_vec();
            self.room.screen_mut().consume(front.len());
            shown.extend(front);
        }
        (read, lines(&shown))
    }

    fn name(&self, key: usize) -> String {
        let name = self.room.member(key).expect("a member").account.name();
        name.expect("a name").into()
    }
}

fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).expect("a chat is text");
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "{text:?} has no end"
    );
    let text = text.replace("\r\n", "\n");
    assert!(is_safe(&text), "it acts: {text:?}");
    text.lines().map(String::from).collect()
}

/// A line as the room takes it in.
fn composed(line: &[u8]) -> String {
    let (mut lines, mut escaper) = (Lines::default(), Escaper::default());
    let mut composed = Composed::default();
    composed.take_in(&mut lines, &mut escaper, Speech::Bytes(line));
    composed.lines().map(|line| line.text).collect()
}

/// What is asked for is answered to whoever asked; what is for one alone is read by that one alone, and whoever said
/// it is told so; all else that is said is read by all others, behind the name of whoever said it.
pub fn requests(data: &[u8]) {
    let Some((&mode, text)) = data.split_first() else {
        return;
    };
    let mut class = Class::new(mode);
    let said = text.split(|&byte| byte == b'\n').take(LINES);
    for (at, line) in said.enumerate() {
        let who = at % class.keys.len();
        let mut line = line[..line.len().min(LONGEST)].to_vec();
        line.push(b'\n');
        class.now += Duration::from_millis(1);
        say(&mut class, who, &line);
    }
}

fn say(class: &mut Class, who: usize, line: &[u8]) {
    let key = class.keys[who];
    let text = composed(line);
    let text = text.trim_end_matches('\n');
    let is_here = |whom: Whom<'_>| class.room.is_anybody(whom, Asking::Member, class.now);
    let asked = request_among(text, is_here);
    let before = class.name(key);
    let room = &class.room;
    let (is_muted, relays) = (
        room.members().any(|(k, m)| k == key && m.account.muted),
        room.policy().relay,
    );
    let to = match asked {
        Some(Request::Message { to, .. }) => class.room.called(to, Asking::Member, class.now),
        _ => Called::Nobody,
    };
    class.room.heard(key, line, class.now);
    let (mut read, shown) = class.read();
    let own = std::mem::take(&mut read[who]);
    let nobody_else = read.iter().all(Vec::is_empty);
    let is_silent = nobody_else && shown.is_empty();
    match asked {
        None | Some(Request::Me(_)) => {
            let said = match asked {
                Some(Request::Me(what)) => format!("<{before}> *{what}*"),
                _ => format!("<{before}> {text}"),
            };
            assert_eq!(own, Vec::<String>::new(), "{text:?}");
            let expected = if is_muted { vec![] } else { vec![said] };
            assert_eq!(shown, expected, "{text:?}");
            for (other, got) in read.iter().enumerate().filter(|(other, _)| *other != who) {
                match relays {
                    true => assert_eq!(*got, expected, "{text:?} for {other}"),
                    false => assert!(got.is_empty(), "{text:?} was relayed: {got:?}"),
                }
            }
        }
        Some(Request::Nick(_)) => {
            let name = class.name(key);
            let told = vec![format!("* {before} is now {name}")];
            if own == told {
                let others = read.iter().enumerate().filter(|(other, _)| *other != who);
                assert!(others.map(|(_, got)| got).all(|got| *got == told));
                assert_eq!(shown, told);
            } else {
                assert!(is_silent && name == before, "{read:?}, {shown:?}");
                expect_answer(&own, text);
            }
        }
        Some(Request::Message { text: words, .. }) => {
            expect_answer(&own, text);
            let is_meant = |key: &usize| to == Called::Member(*key);
            let other = class.keys.iter().position(is_meant);
            let private = format!("<{before}, to you alone> {words}");
            match other {
                Some(other) if other != who && relays && !is_muted => {
                    let name = class.name(class.keys[other]);
                    assert_eq!(read[other], vec![private], "{text:?}");
                    assert_eq!(own, vec![format!("* only {name} was told")]);
                    let open = format!("<{before}, to {name} alone> {words}");
                    let closed = format!("* {before} said something to {name} alone");
                    assert!(shown == [open] || shown == [closed], "{shown:?}");
                    read[other].clear();
                }
                _ if own == ["* only host was told"] => {
                    assert!(!is_muted && to == Called::Nobody);
                    assert_eq!(shown, vec![private]);
                }
                _ => assert!(shown.is_empty(), "{shown:?}"),
            }
            assert!(read.iter().all(Vec::is_empty), "{text:?}: {read:?}");
        }
        Some(_) => {
            assert!(is_silent, "{text:?}: {read:?}, {shown:?}");
            expect_answer(&own, text);
        }
    }
}

/// Whoever asks is answered, in lines that nobody could say.
fn expect_answer(own: &[String], asked: &str) {
    let is_answer = !own.is_empty() && own.iter().all(|line| line.starts_with("* "));
    assert!(is_answer, "{asked:?}: {own:?}");
}
