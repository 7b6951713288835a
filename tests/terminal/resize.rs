//! A window that gets another size, in the terminal that tells of it late: tmux breaks rows anew at once, and
//! tells a program of the last of several sizes up to a quarter of a second after.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::chance::Chance;
use crate::support::connect;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::tmux::Tmux;

/// A line that is longer than most windows here.
const TYPED: &str = "the quick brown fox jumps over the lazy dog and then some more words to pass the \
                     right edge of it";

/// About as fast as a window follows a mouse.
const PACE: Duration = Duration::from_millis(25);

/// A hub in tmux at which a long line is being typed, and somebody who speaks.
struct Class {
    tmux: Tmux,
    peer: TcpStream,
    said: usize,
}

impl Class {
    #[track_caller]
    fn start() -> Class {
        let tmux = Tmux::start(&["--label", "always"]);
        tmux.resize(80, 20);
        let peer = connect(tmux.hub_port());
        tmux.wait_for("joined");
        tmux.run(&["send-keys", "-l", TYPED]);
        tmux.wait_for("right edge of it");
        Class {
            tmux,
            peer,
            said: 0,
        }
    }

    fn say(&mut self) {
        self.peer
            .write_all(format!("<{}>\n", self.said).as_bytes())
            .unwrap();
        self.said += 1;
    }

    /// Requires that each line that was said is there once, and what was typed is sent whole.
    #[track_caller]
    fn expect_all(&mut self) {
        // Until tmux told of the last size.
        thread::sleep(10 * PACE);
        self.say();
        self.tmux.resize(120, 20);
        let text = self.tmux.wait_for(&format!("<{}>", self.said - 1));
        for number in 0..self.said {
            let count = text.matches(&format!("[1] <{number}>")).count();
            assert_eq!(count, 1, "line {number} in\n{text}");
        }
        self.tmux.run(&["send-keys", "Enter"]);
        expect_bytes(&mut self.peer, format!("{TYPED}\n"));
    }
}

#[test]
fn no_line_is_lost_in_fast_resizes() {
    if !installed(&["tmux"]) {
        return;
    }
    let resizes = [
        Some((30, 6)),
        Some((120, 20)),
        None,
        Some((41, 30)),
        Some((30, 6)),
    ];
    for _ in 0..2 {
        let mut class = Class::start();
        class.say();
        class.say();
        for resize in resizes {
            match resize {
                Some((columns, rows)) => class.tmux.resize(columns, rows),
                None => class.say(),
            }
            thread::sleep(PACE);
        }
        class.expect_all();
    }
    for seed in 1..3 {
        println!("seed {seed}");
        let mut chance = Chance(seed);
        let mut class = Class::start();
        for _ in 0..40 {
            match chance.below(3) {
                0 => class.say(),
                _ => {
                    let (columns, rows) = (20 + chance.below(110), 3 + chance.below(30));
                    class.tmux.resize(columns as u16, rows as u16);
                }
            }
            thread::sleep(PACE);
        }
        class.expect_all();
    }
}

#[test]
fn a_narrower_window_keeps_no_copy_of_the_line() {
    if !installed(&["tmux"]) {
        return;
    }
    let mut class = Class::start();
    class.tmux.resize(120, 20);
    class.tmux.wait_for(TYPED);
    class.tmux.resize(40, 20);
    class.say();
    class.tmux.wait_for("<0>");
    // It is drawn as wide as the window was until tmux tells of its width.
    eventually("the end of the line alone", || {
        let text = class.tmux.text();
        text.contains("right edge of it") && !text.contains("quick brown")
    });
    class.expect_all();
}
