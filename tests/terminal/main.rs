//! A capable terminal: what is on its screen and where its cursor is, while somebody types and
//! others speak; what strangers' bytes can do to it; how it is left.
//!
//! The screens are those of a terminal emulator that is fed what the program wrote.

#[path = "../support/chance.rs"]
mod chance;
#[path = "../support/mod.rs"]
mod support;

mod crowded;
mod edit;
mod ends;
mod jobs;
mod notices;
mod operator;
mod plain;
mod resize;
mod stdio;
mod strangers;
mod tmux;

use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::process::Stdio;

use rustix::termios::LocalModes;
use rustix::termios::Winsize;
use rustix::termios::tcgetattr;
use rustix::termios::tcsetwinsize;

use support::MUXNC;
use support::Process;
use support::Server;
use support::Watched;
use support::connect;
use support::eventually;
use support::listening_port;
use support::pause;
use support::pty;
use support::stat;
use support::without_marks;

const ROWS: u16 = 24;
const COLUMNS: u16 = 80;

/// Somebody at a terminal with a program in it.
struct Seat {
    process: Process,
    /// What was written to the terminal.
    screen: Watched,
    keyboard: File,
    tty: OwnedFd,
    /// Its modes before the program began.
    found: String,
    /// Its sizes, and how many bytes had been written when it got each.
    sizes: Vec<(usize, u16, u16)>,
}

impl Seat {
    /// Starts a program in a terminal of this kind, which is its controlling one. stderr is a
    /// pipe, for what is said there has addresses and times in it; or the terminal too.
    #[track_caller]
    fn start(kind: &str, stderr: Stream, line: &[&str]) -> Seat {
        let (keyboard, tty) = pty();
        set_size(&keyboard, ROWS, COLUMNS);
        let found = modes(&tty);
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .args(line)
            .env_remove("RUST_LOG")
            .env_remove("NO_COLOR")
            .env_remove("TMUX")
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", kind)
            .env("PS1", "shell$ ")
            .stdin(tty.try_clone().unwrap())
            .stdout(tty.try_clone().unwrap())
            .stderr(match stderr {
                Stream::Pipe => Stdio::piped(),
                Stream::Terminal => tty.try_clone().unwrap().into(),
            });
        let process = Process::start(&mut command);
        Seat {
            process,
            screen: Watched::new(keyboard.try_clone().unwrap()),
            keyboard,
            tty,
            found,
            sizes: vec![(0, ROWS, COLUMNS)],
        }
    }

    /// A hub without colours, and its port; it is ready for keys.
    #[track_caller]
    fn hub(args: &[&str]) -> (Seat, u16) {
        Seat::hub_at("xterm", args)
    }

    /// The same in a terminal of this kind.
    #[track_caller]
    fn hub_at(kind: &str, args: &[&str]) -> (Seat, u16) {
        let line = [&[MUXNC, "-l", "0", "-v", "--color", "never"], args].concat();
        let seat = Seat::start(kind, Stream::Pipe, &line);
        let port = listening_port(&seat.process.stderr);
        if kind == "xterm" && !args.contains(&"--no-edit") {
            seat.wait_editing();
        }
        (seat, port)
    }

    /// A hub in each kind of terminal in which the kernel edits the line (termios(3), canonical
    /// mode): one whose cursor cannot be moved, and one in which `--no-edit` leaves it where it is.
    fn plain_hubs() -> impl Iterator<Item = (Seat, u16)> {
        [("dumb", &[][..]), ("xterm", &["--no-edit"])]
            .into_iter()
            .map(|(kind, args)| Seat::hub_at(kind, args))
    }

    /// A participant, and the server's side of its connection; it is ready for keys.
    #[track_caller]
    fn participant(args: &[&str]) -> (Seat, TcpStream) {
        let server = Server::new();
        let line = [&[MUXNC, "127.0.0.1", &server.port], args].concat();
        let seat = Seat::start("xterm", Stream::Pipe, &line);
        let stream = server.accept();
        seat.wait_editing();
        (seat, stream)
    }

    /// Joins a hub started with [`Seat::hub`].
    #[track_caller]
    fn join(&self, port: u16) -> TcpStream {
        let stream = connect(port);
        let addr = stream.local_addr().unwrap();
        self.process.stderr.wait_for(&format!("{addr} joined"));
        stream
    }

    /// Waits until this text was written, whatever marks it; returns all that was.
    #[track_caller]
    fn wait_for(&self, text: &str) -> String {
        let plain = |bytes: &[u8]| without_marks(&String::from_utf8_lossy(bytes));
        let shown = self
            .screen
            .wait_until(text, |bytes| plain(bytes).contains(text));
        plain(&shown)
    }

    #[track_caller]
    fn press(&mut self, keys: impl AsRef<[u8]>) {
        self.keyboard.write_all(keys.as_ref()).expect("press keys");
    }

    /// Clears the screen by Ctrl-L, and waits until it was: what is to stand there may have stood there before.
    #[track_caller]
    fn clear(&mut self) {
        let before = self.screen.bytes().len();
        self.press("\x0c");
        self.screen.wait_until("a cleared screen", |bytes| {
            support::contains(&bytes[before..], b"\x1b[H\x1b[2J")
        });
    }

    /// Waits for as long as somebody needs for a few keys: what comes sooner behind a line was pasted. First until the
    /// process is at rest: as long as it runs it may not have seen that nothing was behind the line before.
    #[track_caller]
    fn pause(&self) {
        eventually("it is at rest", || stat(self.process.pid())[0] != "R");
        pause();
    }

    /// Types these lines one after the other, as somebody does: each when the one before it is there.
    #[track_caller]
    fn type_lines(&mut self, lines: &[&str]) {
        for line in lines {
            let before = self.screen.text().len();
            self.pause();
            self.press(format!("{line}\r"));
            self.screen.wait_until(line, |bytes| {
                let since = String::from_utf8_lossy(&bytes[before.min(bytes.len())..]).into_owned();
                without_marks(&since).contains(&format!("{line}\r\n"))
            });
        }
    }

    /// Waits until keys come one by one.
    #[track_caller]
    fn wait_editing(&self) {
        eventually("the edit line", || !is_canonical(&self.tty));
    }

    /// Requires that the terminal is as it was found.
    #[track_caller]
    fn expect_found(&self) {
        assert_eq!(modes(&self.tty), self.found);
        // What it wrote last may still be on its way to us.
        self.screen.wait_until("the usual pastes", |bytes| {
            !self.view(bytes).bracketed_paste()
        });
    }

    /// The screen after `bytes` were written to it.
    fn view(&self, bytes: &[u8]) -> vt100::Screen {
        let mut screen = vt100::Parser::new(cells(ROWS), cells(COLUMNS), 0);
        let mut written = 0;
        for &(at, rows, columns) in &self.sizes {
            let at = at.min(bytes.len());
            screen.process(&bytes[written..at]);
            screen.screen_mut().set_size(cells(rows), cells(columns));
            written = at;
        }
        screen.process(&bytes[written..]);
        screen.screen().clone()
    }

    /// Waits until these rows are on the screen, and nothing else, and the cursor is in this
    /// column of the last.
    #[track_caller]
    fn expect(&self, rows: &[&str], column: u16) {
        let wanted = (rows.join("\n"), (rows.len() as u16 - 1, column));
        let seen = |bytes: &[u8]| {
            let screen = self.view(bytes);
            let text: Vec<String> = screen.rows(0, screen.size().1.get()).collect();
            let text = text.join("\n");
            (
                text.trim_end_matches('\n').to_owned(),
                screen.cursor_position(),
            )
        };
        // An empty row of input at the end is no text, but the cursor is in it.
        let wanted = (wanted.0.trim_end_matches('\n').to_owned(), wanted.1);
        let what = format!("the screen {wanted:#?}");
        self.screen.wait_until(&what, |bytes| seen(bytes) == wanted);
    }

    /// Changes the size of the terminal.
    fn resize(&mut self, rows: u16, columns: u16) {
        self.sizes.push((self.screen.bytes().len(), rows, columns));
        set_size(&self.keyboard, rows, columns);
    }
}

#[derive(Debug, Clone, Copy)]
enum Stream {
    Pipe,
    Terminal,
}

/// The same thing at a hub, with one peer, and at a participant.
#[track_caller]
fn at_both(test: impl Fn(Seat, TcpStream)) {
    let (seat, port) = Seat::hub(&[]);
    let peer = seat.join(port);
    test(seat, peer);
    let (seat, server) = Seat::participant(&[]);
    test(seat, server);
}

/// Tries something that is only so if it happens soon, until it did: on a busy machine it may not.
#[track_caller]
fn in_time<T>(mut trial: impl FnMut() -> Option<T>) -> T {
    (0..20)
        .find_map(|_| trial())
        .expect("this machine is too slow to type")
}

fn set_size(master: &File, rows: u16, columns: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(master, size).unwrap();
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

fn modes(tty: &OwnedFd) -> String {
    format!("{:?}", tcgetattr(tty).unwrap())
}

fn is_canonical(tty: &OwnedFd) -> bool {
    let modes = tcgetattr(tty).unwrap().local_modes;
    modes.contains(LocalModes::ICANON)
}

/// Requires that the program comes to rest: no CPU time, and not one wake-up, for a while.
#[track_caller]
fn expect_rest(process: &Process) {
    let used = || std::fs::read_to_string(format!("/proc/{}/schedstat", process.pid())).unwrap();
    let mut before = used();
    eventually("it rests", || {
        // Nothing is to happen in that time.
        std::thread::sleep(std::time::Duration::from_millis(300));
        let now = used();
        std::mem::replace(&mut before, now.clone()) == now
    });
}
