//! The room's whole policy without a socket: who hears whom, who waits for whom and for how long.

mod accounts;
mod hearing;
mod history;
mod hold;
mod model;
mod network;
mod pace;
mod screen;

use std::time::Duration;
use std::time::Instant;

use muxnc::engine::journal::SEGMENT;
use muxnc::engine::room::Overdue;
use muxnc::engine::room::Policy;
use muxnc::engine::room::Room;
use muxnc::engine::room::SlowPeer;
use muxnc::engine::rows::LINE;
use muxnc::engine::rows::REST;

/// Whether it is no mark of where a label ends, which is for those who draw rows.
fn is_said(byte: &u8) -> bool {
    ![LINE, REST].contains(byte)
}

const T: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_nanos(1);
/// How long a hold is nobody's fault.
const GRACE: Duration = Duration::from_millis(100);
const SEG: u64 = SEGMENT as u64;

const QUIET: Policy = Policy {
    stall_timeout: T,
    ..Policy::PLAIN
};
const BROKER: Policy = Policy {
    relay: true,
    ..QUIET
};
const LIVE: Policy = Policy {
    slow: SlowPeer::Disconnect,
    ..QUIET
};

/// A room of members without connections, and the time it is there.
struct Class {
    room: Room,
    now: Instant,
}

impl Class {
    fn new(policy: Policy) -> Class {
        Class {
            room: Room::new(policy),
            now: Instant::now(),
        }
    }

    /// Lets a member in that is known to be there.
    fn join(&mut self) -> usize {
        let key = self.visit();
        self.room.acknowledged(key);
        key
    }

    /// Lets a member in of which nothing is known yet.
    fn visit(&mut self) -> usize {
        let key = self.room.vacant_key();
        self.room.join(key, self.now);
        key
    }

    fn leave(&mut self, key: usize) {
        self.room.leave(key, self.now);
    }

    fn typed(&mut self, bytes: impl AsRef<[u8]>) {
        self.room.typed(bytes.as_ref(), self.now);
    }

    /// The operator says that many bytes, in lines.
    fn types(&mut self, count: u64) {
        self.typed(text(count));
    }

    fn heard(&mut self, key: usize, bytes: impl AsRef<[u8]>) {
        self.room.heard(key, bytes.as_ref(), self.now);
    }

    /// What one flush gives to a member that takes at most `limit`.
    fn flush(&mut self, key: usize, limit: u64) -> Vec<u8> {
        let mut got = Vec::new();
        self.room
            .flush(key, self.now, |slices| {
                for slice in slices {
                    let count = slice.len().min(limit as usize - got.len());
                    got.extend_from_slice(&slice[..count]);
                }
                Ok(got.len())
            })
            .expect("nothing that could fail");
        got
    }

    /// Lets a member take exactly so many bytes.
    fn takes(&mut self, key: usize, mut count: u64) {
        while count > 0 {
            let got = self.flush(key, count).len() as u64;
            assert!(got > 0, "it is owed {count} bytes less");
            count -= got;
        }
    }

    /// Lets a member take all it is owed.
    fn reads(&mut self, key: usize) -> Vec<u8> {
        let mut got = Vec::new();
        while self.room.owed(key) > 0 {
            got.extend(self.flush(key, u64::MAX >> 1));
        }
        got
    }

    /// What stdout takes now.
    fn shown(&mut self) -> String {
        let mut shown = Vec::new();
        while !self.room.screen().is_empty() {
            let front = self.room.screen().front().to_vec();
            self.room.screen_mut().consume(front.len());
            shown.extend(front);
        }
        shown.retain(is_said);
        String::from_utf8(shown).expect("text")
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
    }

    fn overdue(&mut self) -> Vec<usize> {
        self.late().into_iter().map(|(key, _)| key).collect()
    }

    /// The same, and why.
    fn late(&mut self) -> Vec<(usize, Overdue)> {
        let mut late = Vec::new();
        self.room.overdue(self.now, &mut late);
        late
    }

    /// How long until somebody is to be asked for.
    fn deadline(&self) -> Option<Duration> {
        let deadline = self.room.deadline()?;
        Some(deadline.saturating_duration_since(self.now))
    }

    fn is_on_hold(&self) -> bool {
        !self.room.is_empty() && !self.room.wants_input()
    }
}

fn text(count: u64) -> Vec<u8> {
    (1..=count)
        .map(|i| match i % 80 == 0 || i == count {
            true => b'\n',
            false => b'x',
        })
        .collect()
}
