//! Jobs of a shell: stopped, in the background, brought back.

use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpStream;
use std::process::Command;

use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::process::Pid;
use rustix::process::Signal;

use crate::Seat;
use crate::Stream;
use crate::is_canonical;
use crate::support::Folder;
use crate::support::MUXNC;
use crate::support::Server;
use crate::support::connect;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::left_out;
use crate::support::listening_port;
use crate::support::pid_in;
use crate::support::stat;

/// A shell with a hub or a participant as a job.
struct Shell {
    seat: Seat,
    peer: TcpStream,
    pid: u32,
}

impl Shell {
    /// Starts it in the foreground or, with `&`, in the background.
    #[track_caller]
    fn start(listens: bool, background: bool) -> Shell {
        let mut shell = Shell::start_with(listens, "");
        if !background {
            shell.foreground();
            // It knows by a key that it has the terminal now.
            shell.seat.press("\r");
            expect_bytes(&mut shell.peer, "\n");
            shell.seat.wait_editing();
        }
        shell
    }

    /// Starts it in the background, with another option.
    #[track_caller]
    fn start_with(listens: bool, option: &str) -> Shell {
        let server = Server::new();
        let line = ["bash", "--norc", "--noprofile", "-i"];
        let mut seat = Seat::start("xterm", Stream::Terminal, &line);
        seat.wait_for("shell$ ");
        let args = match listens {
            true => String::from("-l 0 --label never"),
            false => format!("127.0.0.1 {}", server.port),
        };
        seat.press(format!("{MUXNC} {args} {option} & echo pid:$!';'\r"));
        let told = seat.screen.wait_until("its pid", |b| pid_in(b).is_some());
        let pid = pid_in(&told).unwrap();
        let peer = match listens {
            true => {
                let peer = connect(listening_port(&seat.screen));
                seat.wait_for(" joined, 1 here");
                peer
            }
            false => {
                let peer = server.accept();
                seat.wait_for("connected to ");
                peer
            }
        };
        Shell { seat, peer, pid }
    }

    #[track_caller]
    fn foreground(&mut self) {
        self.seat.press("fg\r");
        let pid = self.pid;
        eventually("it has the terminal", || {
            let fields = stat(pid);
            fields[0] != "T" && fields[2] == fields[5]
        });
    }

    /// Lets it run on in the background, after it was stopped.
    #[track_caller]
    fn background(&mut self) {
        self.seat.press("bg\r");
        let pid = self.pid;
        eventually("it runs", || stat(pid)[0] != "T");
        self.hear("in the background");
    }

    /// The same, with this typed on the row before.
    #[track_caller]
    fn background_behind(&mut self, typed: &str) {
        self.stop_behind(typed);
        self.background();
    }

    /// Stops it, with this typed on the row before.
    #[track_caller]
    fn stop_behind(&mut self, typed: &str) {
        self.seat.pause();
        self.seat.press(typed);
        self.seat.wait_for(typed);
        self.seat.press("\x1a");
        self.seat.wait_for("Stopped");
    }

    /// Expects that the edit line is there, with `rest` on it when `later` is pressed, and that `said` was said before
    /// what is on it then.
    #[track_caller]
    fn expect_typed_ahead(&mut self, later: &str, said: &str, rest: &str) {
        self.seat.wait_editing();
        self.seat.pause();
        self.seat.press(later);
        eventually("what was being typed is there again", || {
            let screen = self.seat.view(&self.seat.screen.bytes());
            let row = screen.rows(0, 80).nth(screen.cursor_position().0.into());
            row.unwrap().trim_end() == rest
        });
        self.seat.pause();
        self.seat.press("!\r");
        let blank = if rest == "hello" { " " } else { "" };
        expect_bytes(&mut self.peer, format!("{said}{rest}{blank}!\n"));
    }

    #[track_caller]
    fn wait_stopped(&self) {
        eventually("it stops", || stat(self.pid)[0] == "T");
    }

    #[track_caller]
    fn hear(&mut self, text: &str) {
        self.peer.write_all(format!("{text}\n").as_bytes()).unwrap();
        self.seat.wait_for(&format!("{text}\r\n"));
    }

    #[track_caller]
    fn say(&mut self, text: &str) {
        self.seat.press(format!("{text}\r"));
        expect_bytes(&mut self.peer, format!("{text}\n"));
    }
}

#[test]
fn stopped_and_brought_back_the_line_is_still_there() {
    for listens in [true, false] {
        let mut shell = Shell::start(listens, false);
        shell.seat.press("half");
        shell.seat.wait_for("half");
        shell.seat.press("\x1a");
        shell.seat.wait_for("Stopped");
        // The shell works as ever: it edits, so it sees its line as typed.
        shell.seat.press("echo shell works'!'\r");
        shell.seat.wait_for("shell works!\r\n");
        shell.peer.write_all(b"said meanwhile\n").unwrap();
        shell.foreground();
        shell.seat.wait_for("said meanwhile\r\n");
        shell.seat.wait_editing();
        shell.seat.press(" a line\r");
        expect_bytes(&mut shell.peer, "half a line\n");
        shell.hear("heard");
        shell.seat.press("\x03");
        shell.seat.screen.wait_until("the prompt", |bytes| {
            let shown = String::from_utf8_lossy(bytes);
            let (_, since) = shown.rsplit_once("heard\r\n").unwrap();
            since.contains("shell$ ")
        });
        shell.seat.press("stty -a; echo 'st:'$?';'\r");
        shell.seat.wait_for("st:0;");
        shell.seat.wait_for(" icanon ");
    }
}

#[test]
fn in_the_background_lines_appear_and_the_shell_has_the_terminal() {
    for listens in [true, false] {
        let mut shell = Shell::start(listens, false);
        shell.seat.press("\x1a");
        shell.seat.wait_for("Stopped");
        shell.background();
        shell.seat.press("echo shell works'!'\r");
        shell.seat.wait_for("shell works!\r\n");
        shell.hear("and still");
        assert_ne!(stat(shell.pid)[0], "T");
        shell.foreground();
        shell.say("first");
        // That one was shown by the kernel, and not once more.
        shell.hear("heard");
        let shown = shell.seat.screen.text();
        let (_, since) = shown.rsplit_once("fg\r\n").unwrap();
        assert_eq!(since.matches("first").count(), 1, "{since:?}");
        shell.seat.wait_editing();
        shell.say("second");
        shell.seat.press("typ");
        shell.hear("above");
        shell.seat.press("ing\r");
        expect_bytes(&mut shell.peer, "typing\n");
    }
}

#[test]
fn started_in_the_background_it_waits_for_the_terminal() {
    for listens in [true, false] {
        let mut shell = Shell::start(listens, true);
        shell
            .seat
            .press("echo 'cat has ''begun'; cat; echo 'cat has ''ended'\r");
        shell.seat.wait_for("cat has begun");
        for word in ["a", "b"] {
            shell.seat.press(format!("for cat, {word}\r"));
            shell
                .seat
                .wait_for(&format!("for cat, {word}\r\nfor cat, {word}\r\n"));
            shell.hear(&format!("peer says {word}"));
            assert_ne!(
                stat(shell.pid)[0],
                "T",
                "stopped by a line that is not for it"
            );
        }
        shell.seat.press("\x04");
        shell.seat.wait_for("cat has ended");
        shell.foreground();
        shell.say("for the class");
        shell.seat.wait_editing();
        shell.say("and more");
    }
}

/// Nobody asked it, so it could not put the modes back; but the shell did.
#[test]
fn stopped_by_force_and_brought_back_it_edits_again() {
    for listens in [true, false] {
        let mut shell = Shell::start(listens, false);
        shell.seat.press("half");
        shell.seat.wait_for("half");
        let pid = Pid::from_raw(shell.pid as i32).unwrap();
        rustix::process::kill_process(pid, Signal::STOP).unwrap();
        shell.wait_stopped();
        shell.seat.wait_for("Stopped");
        shell.foreground();
        shell.seat.wait_editing();
        shell.seat.press(" a line\r");
        expect_bytes(&mut shell.peer, "half a line\n");
        shell.seat.wait_for("half a line\r\n");

        // Then in the background, where it must not be stopped again by what it does at its end.
        rustix::process::kill_process(pid, Signal::STOP).unwrap();
        shell.wait_stopped();
        shell.background();
        let shown = shell.seat.screen.text();
        assert!(!shown.contains("\x1b[Jin the background"), "{shown:?}");
        rustix::process::kill_process(pid, Signal::TERM).unwrap();
        shell.seat.press("wait %1; echo 'st:'$?';'\r");
        shell.seat.wait_for("st:143;");
    }
}

/// Some shells set back the modes that a stopped job had (fish), so that these do not tell that a shell was there.
#[test]
fn stopped_by_force_what_was_typed_ahead_is_kept_apart_whatever_the_modes_are() {
    let mut shell = Shell::start(true, false);
    shell.seat.pause();
    shell.seat.press("hello ");
    shell.seat.wait_for("hello ");
    shell.seat.pause();
    let pid = Pid::from_raw(shell.pid as i32).unwrap();
    rustix::process::kill_process(pid, Signal::STOP).unwrap();
    shell.wait_stopped();
    shell.seat.wait_for("Stopped");
    let folder = Folder::new("modes");
    let gate = folder.path("gate");
    rustix::fs::mkfifoat(CWD, &gate, Mode::RWXU).unwrap();
    (shell.seat).press(format!("stty -icanon -echo -icrnl; cat {gate}; fg\r"));
    let mut gate = File::create(gate).unwrap();
    shell.seat.press("/msg 1 the answer\r");
    shell.seat.pause();
    gate.write_all(b"the gate opens\n").unwrap();
    drop(gate);
    shell.seat.wait_for("the gate opens");
    shell.expect_typed_ahead("", "the answer\n", "hello");
}

/// A shell that reads keys shows none before it reads them.
#[test]
fn what_was_typed_ahead_while_a_shell_read_keys_is_shown() {
    let mut shell = Shell::start(true, false);
    shell.stop_behind("");
    shell.seat.press("fg\rhello there\r");
    expect_bytes(&mut shell.peer, "hello there\n");
    shell.seat.wait_for("hello there\r\n");
}

/// As after `ssh -t host muxnc` or in a terminal of its own: stopped, it could never go on.
#[test]
fn without_a_shell_ctrl_z_does_nothing() {
    let (mut seat, port) = Seat::hub(&[]);
    let mut peer = seat.join(port);
    seat.press("\x1a");
    seat.press("still here\r");
    expect_bytes(&mut peer, "still here\n");
    // Nor is anything lost that was read at once with it.
    seat.pause();
    seat.press("hello \x1aworld\r");
    expect_bytes(&mut peer, "hello world\n");
    assert!(!is_canonical(&seat.tty));
}

#[test]
fn what_is_typed_around_ctrl_z_is_typed() {
    for listens in [true, false] {
        let mut shell = Shell::start(listens, false);
        shell.seat.press("before \x1aand behind");
        shell.seat.wait_for("Stopped");
        shell.foreground();
        shell.seat.wait_editing();
        shell.seat.wait_for("before and behind");
        shell.seat.press(" it\r");
        expect_bytes(&mut shell.peer, "before and behind it\n");
    }
    // What came with it may be pasted; but a command has the row for itself there, too.
    let mut shell = Shell::start(true, false);
    shell.seat.press("hello \x1a/msg 1 the answer\r");
    shell.seat.wait_for("Stopped");
    shell.foreground();
    shell.seat.wait_for("neither obeyed nor said");
    shell.expect_typed_ahead("", "", "hello");
}

/// As in a container that was given a terminal: our session and our process group, and those of
/// whoever started us, have no number there.
#[test]
fn beyond_a_pid_namespace_ctrl_z_does_nothing() {
    const FLAGS: [&str; 3] = ["--pid", "--fork", "--mount-proc"];
    if !installed(&["unshare"]) {
        return;
    }
    let permitted = |user: &[&str]| {
        let mut probe = Command::new("unshare");
        let done = probe.args(user).args(FLAGS).arg("true").output();
        done.is_ok_and(|done| done.status.success())
    };
    let Some(user) = [&[][..], &["-r"]].into_iter().find(|user| permitted(user)) else {
        left_out("a PID namespace, which is not permitted here");
        return;
    };
    let script = format!("{MUXNC} -l 0 -v --color never; echo ended");
    let line = [&["unshare"], user, &FLAGS, &["sh", "-c", &script]].concat();
    let mut seat = Seat::start("xterm", Stream::Pipe, &line);
    let port = listening_port(&seat.process.stderr);
    seat.wait_editing();
    let mut peer = seat.join(port);
    seat.press("\x1a");
    seat.press("still here\r");
    expect_bytes(&mut peer, "still here\n");
    assert!(!is_canonical(&seat.tty));
    seat.press("\x04\x04");
    drop(peer);
    seat.wait_for("ended");
}

/// Nobody tells a job that runs already that it has the terminal again; and what was being typed is
/// still being typed.
#[test]
fn from_the_background_the_edit_line_comes_back_by_itself() {
    for listens in [true, false] {
        let mut shell = Shell::start(listens, false);
        shell.background_behind("my half-typed line");
        shell.foreground();
        shell.seat.wait_editing();
        shell.seat.press("!\x1b[200~\r/quit\r\x1b[201~");
        expect_bytes(&mut shell.peer, "my half-typed line!\n/quit\n");
    }
}

/// What is typed before the edit line is there again: the row that it finds, what is pressed, what is told of that, what
/// is pressed then, what is said, and what is on the row at last.
const TYPED_AHEAD: [[&str; 6]; 11] = [
    [
        "half",
        "/quit\rmore\r",
        "/quit was pasted, or typed too fast",
        "",
        "/quit\nmore\n",
        "half",
    ],
    [
        "half",
        "/msg 1 secret\rsecond\rthird",
        "is not said to everybody",
        "\r",
        "",
        "half",
    ],
    ["half", "/who\r", " bytes in, ", "", "", "half"],
    [
        "half",
        " a line\r",
        "half a line\r\n",
        "",
        "half a line\n",
        "",
    ],
    [
        "/msg 1 the answer is ",
        "42\r",
        "is 42",
        "",
        "the answer is 42\n",
        "",
    ],
    [
        "hello ",
        "/msg 1 the",
        "/msg 1 the",
        " answer\r",
        "the answer\n",
        "hello",
    ],
    ["", "\x04", "Ctrl-D again ends the class", "", "", ""],
    ["half", "\x04", "", "", "", "half"],
    ["half", "\x03", "", "", "", "half"],
    ["", "lost\x03", "^C", "", "", ""],
    [
        "/msg 1 it is ",
        "-5",
        "it is -5",
        " deg\r",
        "it is -5 deg\n",
        "",
    ],
];

/// What comes before it has noticed that is judged as if it had: a paste is no command, Ctrl-D asks, and what was being
/// typed goes on, but has nothing to do with a command.
#[test]
fn from_the_background_what_comes_at_once_comes_to_the_edit_line() {
    for [kept, pressed, told, later, said, rest] in TYPED_AHEAD {
        let mut shell = Shell::start(true, false);
        // It has looked then, and does so again half a second later.
        shell.background_behind(kept);
        shell.seat.pause();
        shell.foreground();
        shell.seat.press(pressed);
        shell.seat.wait_for(told);
        shell.expect_typed_ahead(later, said, rest);
    }
}

/// While the shell was busy with something else, before `fg`.
#[test]
fn after_a_stop_what_was_typed_ahead_comes_to_the_edit_line() {
    // There a Ctrl-C is for what the shell does.
    let is_typed = |row: &&[&str; 6]| !row[1].contains('\x03');
    for [kept, pressed, told, later, said, rest] in TYPED_AHEAD.iter().filter(is_typed) {
        let mut shell = Shell::start(true, false);
        shell.stop_behind(kept);
        let folder = Folder::new("typed-ahead");
        let gate = folder.path("gate");
        rustix::fs::mkfifoat(CWD, &gate, Mode::RWXU).unwrap();
        shell.seat.press(format!("cat {gate}; fg\r"));
        let mut gate = File::create(gate).unwrap();
        shell.seat.press(pressed);
        shell.seat.pause();
        gate.write_all(b"the gate opens\n").unwrap();
        drop(gate);
        shell.seat.wait_for("the gate opens");
        shell.seat.wait_for(told);
        shell.expect_typed_ahead(later, said, rest);
    }
}

/// With a shell in between and without one, as after a debugger.
#[test]
fn nothing_is_glued_to_the_line_being_typed_after_a_stop() {
    for listens in [true, false] {
        for by_key in [true, false] {
            let mut shell = Shell::start(listens, false);
            shell.seat.press("my half-typed line");
            shell.seat.wait_for("my half-typed line");
            let pid = Pid::from_raw(shell.pid as i32).unwrap();
            match by_key {
                true => shell.seat.press("\x1a"),
                false => rustix::process::kill_process(pid, Signal::STOP).unwrap(),
            }
            shell.wait_stopped();
            shell.seat.wait_for("Stopped");
            shell.peer.write_all(b"said meanwhile\n").unwrap();
            shell.foreground();
            shell.seat.wait_for("said meanwhile\r\n");
            eventually("the two on rows of their own", || {
                let screen = shell.seat.view(&shell.seat.screen.bytes());
                let rows: Vec<String> = screen.rows(0, 80).collect();
                let last = usize::from(screen.cursor_position().0);
                rows[last] == "my half-typed line" && rows[last - 1] == "said meanwhile"
            });
        }
    }
}

/// The shell has written on the terminal meanwhile, so the row is not the one that the line began on.
#[test]
fn an_unfinished_line_goes_on_behind_its_label_after_a_stop_where_no_line_is_edited() {
    for listens in [true, false] {
        let mut shell = Shell::start_with(listens, "--no-edit");
        shell.foreground();
        shell.peer.write_all(b"the beginning").unwrap();
        shell.seat.wait_for("the beginning");
        shell.seat.press("\x1a");
        shell.wait_stopped();
        shell.seat.wait_for("Stopped");
        shell.foreground();
        shell.peer.write_all(b"[Ana] and the end\n").unwrap();
        eventually("the rest on a row of its own, marked", || {
            let screen = shell.seat.view(&shell.seat.screen.bytes());
            screen.rows(0, 80).any(|row| row == "... [Ana] and the end")
        });
    }
}

/// On its row are a shell's prompt and what is typed there, below it perhaps what an editor shows; and the
/// job that is brought back begins on an empty row.
#[test]
fn no_progress_is_drawn_while_another_job_has_the_terminal() {
    const ERASE: &str = "\x1b[K\x1b[J";
    let folder = Folder::new("background");
    let lesson = folder.path("lesson");
    File::create(&lesson).unwrap().set_len(1 << 32).unwrap();
    for listens in [true, false] {
        let server = Server::new();
        let line = ["bash", "--norc", "--noprofile", "-i"];
        let mut seat = Seat::start("xterm", Stream::Terminal, &line);
        seat.wait_for("shell$ ");
        let args = match listens {
            true => format!("-l 0 < {lesson}"),
            false => format!("127.0.0.1 {} < /dev/null > /dev/null", server.port),
        };
        seat.press(format!("{MUXNC} {args} & echo pid:$!';'\r"));
        let told = seat.screen.wait_until("its pid", |b| pid_in(b).is_some());
        let pid = pid_in(&told).unwrap();
        let peer = match listens {
            true => connect(listening_port(&seat.screen)),
            false => server.accept(),
        };
        let mut piece = vec![0; 1 << 20];
        let mut move_some = || match listens {
            true => (&peer).read_exact(&mut piece).unwrap(),
            false => (&peer).write_all(&piece).unwrap(),
        };
        let mut move_for_a_while = |seat: &Seat| {
            for _ in 0..20 {
                move_some();
                seat.pause();
            }
        };

        seat.press("echo one");
        move_for_a_while(&seat);
        seat.press(" line\r");
        seat.wait_for("\rone line\r\n");
        assert!(
            !seat.screen.text().contains(ERASE),
            "{:?}",
            seat.screen.text()
        );

        let has_terminal = || {
            let fields = stat(pid);
            fields[0] != "T" && fields[2] == fields[5]
        };
        seat.press("fg\r");
        eventually("it has the terminal", has_terminal);
        let drawn = |seat: &Seat| seat.screen.text().contains(ERASE);
        while !drawn(&seat) {
            move_for_a_while(&seat);
        }
        seat.press("\x1a");
        seat.wait_for("Stopped");
        seat.press("bg\r");
        eventually("it runs", || stat(pid)[0] != "T");
        let before = seat.screen.text().len();
        seat.press("echo another");
        move_for_a_while(&seat);
        seat.press("\r");
        seat.wait_for("\ranother\r\n");
        peer.shutdown(Shutdown::Both).unwrap();
        drop(peer);
        seat.press("wait %1; echo 'it ''ended'\r");
        seat.wait_for("it ended");
        let shown = seat.screen.text();
        assert!(!shown[before..].contains(ERASE), "{:?}", &shown[before..]);
    }
}
