//! UDP: whatever is typed and heard, however it is cut: a datagram is a line or whole letters of one, nothing is lost on
//! the way to one other side, nobody who has not shown that it receives gets more than three times its bytes, and
//! what is told is bounded.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use std::time::Instant;

use muxnc::engine::udp::Address;
use muxnc::engine::udp::Exchange;
use muxnc::engine::udp::Rules;
use muxnc::engine::udp::datagrams::MOST;

use super::Input;

/// An address of a few; odd ones have IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Addr(u8);

impl Address for Addr {
    fn headers(&self) -> usize {
        if self.0.is_multiple_of(2) { 28 } else { 48 }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is known of an address: bytes that came and went on the wire, and whether it has shown that it receives.
#[derive(Default)]
struct Known {
    came: usize,
    went: usize,
    receives: bool,
}

/// The first byte says with whom, and by which rules; then come steps.
pub fn udp(data: &[u8]) {
    let mut input = Input(data, 64 * 1024);
    let mode = input.byte();
    let bit = |n: u8| mode >> n & 1 == 1;
    let rules = Rules {
        delay: bit(1).then_some(Duration::from_millis(100)),
        ..Rules::default()
    };
    let start = Instant::now();
    let is_one = bit(0);
    let mut exchange = match is_one {
        true => Exchange::with_one(rules, start),
        false => Exchange::with_many(rules, start),
    };
    let mut now = start;
    let mut known = BTreeMap::<u8, Known>::new();
    let (mut fed, mut sent) = (Vec::new(), Vec::new());
    let (mut told, mut is_late) = (0, false);
    for _ in 0..300 {
        if input.0.is_empty() {
            break;
        }
        match input.byte() % 4 {
            0 if exchange.wants_input() => {
                let piece = input.piece();
                exchange.feed(&piece, now);
                fed.extend(piece);
            }
            0 => {}
            1 => {
                let (from, len) = (input.byte() % 8, usize::from(input.byte()) * 5);
                exchange.heard(Addr(from), len, now);
                let known = known.entry(from).or_default();
                known.receives |= known.went > 0 && len > 0;
                known.came += len + Addr(from).headers();
            }
            2 => {
                // The line that waits may have to wait no longer; nobody is forgotten.
                is_late = true;
                now += Duration::from_millis(u64::from(input.byte()) * 20);
                exchange.look(now);
            }
            _ => send(&mut exchange, now, &mut known, &mut sent),
        }
        while let Some(news) = exchange.take_news() {
            assert!(!news.to_string().is_empty());
            told += 1;
        }
    }
    let time = (now - start).as_millis() as usize;
    let most = 3 * (10 + time / 500 + time / 5000 + 2);
    assert!(told <= most, "{told} pieces of news in {time} ms");
    exchange.end(now);
    for _ in 0..fed.len() {
        now += Duration::from_millis(100);
        send(&mut exchange, now, &mut known, &mut sent);
    }
    if is_one {
        assert!(sent.concat() == fed, "not what was said");
    }
    let is_text = str::from_utf8(&fed).is_ok() && !fed.contains(&0);
    for datagram in sent.iter().filter(|_| is_text && !is_late) {
        let text = str::from_utf8(datagram).expect("whole letters");
        assert!(text.lines().count() == 1, "{text:?} is no line");
    }
}

/// Everything that goes now.
fn send(
    exchange: &mut Exchange<Addr>,
    now: Instant,
    known: &mut BTreeMap<u8, Known>,
    sent: &mut Vec<Vec<u8>>,
) {
    while exchange.begin(now) {
        while let Some((datagram, to)) = exchange.due() {
            assert!((1..=MOST).contains(&datagram.len()));
            if let Some(to) = to {
                let known = known.get_mut(&to.0).expect("who was heard");
                known.went += datagram.len() + to.headers();
                assert!(known.receives || known.went <= 3 * known.came, "too much");
            }
            sent.push(datagram.to_vec());
            exchange.went(now);
        }
    }
}
