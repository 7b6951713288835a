//! Moderation while a hub runs: who is refused, allowed and locked out by command, and what SIGHUP reads
//! again and opens anew.

use std::fs;
use std::io::Write;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::process::Signal;

use crate::support;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::Watched;
use crate::support::connect_from;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::listening_port;
use crate::support::piped;
use crate::support::pty;
use crate::support::read_all;

const NOT_ALLOWED: &str = "muxnc: your address is not allowed here\n";
const LOCKED: &str = "muxnc: nobody else is let in now\n";

/// A hub at a terminal, and its port.
fn bob(args: &[&str]) -> (Terminal, u16) {
    let bob = Terminal::of_kind("xterm-256color", MUXNC, &[&["-l", "0"], args].concat());
    let port = listening_port(&bob.screen);
    (bob, port)
}

/// Types a command at a terminal, as people do: not together with another.
fn command(bob: &mut Terminal, line: &str) {
    support::pause();
    bob.press(format!("{line}\r"));
    // It was read, so that the next one comes later.
    bob.screen.wait_until(line, |shown| {
        let shown = support::without_marks(&String::from_utf8_lossy(shown));
        shown.contains(&format!("{line}\r\n"))
    });
}

/// Requires that whoever comes from 127.0.0.`host` reads that and is closed.
#[track_caller]
fn refused(host: u8, port: u16, why: &str) {
    let mut stream = connect_from(host, port);
    assert_eq!(String::from_utf8_lossy(&read_all(&mut stream)), why);
}

#[test]
fn who_is_banned_is_cut_off_and_refused_until_that_is_taken_back() {
    let (mut bob, port) = bob(&[]);
    let mut two = connect_from(2, port);
    bob.screen.wait_for("joined, 1 here");
    let mut three = connect_from(3, port);
    bob.screen.wait_for("joined, 2 here");
    let mut again = connect_from(3, port);
    bob.screen.wait_for("joined, 3 here");
    command(&mut bob, "/name 1 Eve");
    command(&mut bob, "/ban eve loud");
    expect_bytes(&mut two, "muxnc: you were disconnected: loud\n");
    assert_eq!(read_all(&mut two), b"");
    bob.screen
        .wait_for("127.0.0.2 is refused now, 1 from there cut off: /unban 127.0.0.2");
    refused(2, port, NOT_ALLOWED);
    command(&mut bob, "/ban");
    bob.screen.wait_for("refused: 127.0.0.2");
    command(&mut bob, "hello");
    expect_bytes(&mut three, "hello\n");
    command(&mut bob, "/ban 127.0.0.3/32");
    bob.screen
        .wait_for("127.0.0.3 is refused now, 2 from there cut off");
    for stream in [&mut three, &mut again] {
        let got = read_all(stream);
        let got = String::from_utf8_lossy(&got);
        assert!(
            got.ends_with("muxnc: you were disconnected: banned\n"),
            "{got}"
        );
    }
    command(&mut bob, "/ban localhost");
    bob.screen.wait_for("nobody here is called localhost");
    command(&mut bob, "/unban localhost");
    bob.screen
        .wait_for("localhost is not looked up while the hub runs");
    command(&mut bob, "/unban 127.0.0.2");
    bob.screen.wait_for("127.0.0.2 is refused by /ban no more");
    let mut back = connect_from(2, port);
    bob.screen.wait_for("[4] 127.0.0.2:");
    command(&mut bob, "welcome");
    expect_bytes(&mut back, "welcome\n");
    refused(3, port, NOT_ALLOWED);
}

#[test]
fn who_is_kicked_reads_that_it_was_also_without_a_reason() {
    let (mut bob, port) = bob(&[]);
    let mut two = connect_from(2, port);
    bob.screen.wait_for("joined, 1 here");
    let mut three = connect_from(3, port);
    bob.screen.wait_for("joined, 2 here");
    for (line, stream, told) in [
        ("/kick 1", &mut two, "muxnc: you were disconnected\n"),
        (
            "/kick 2 go home",
            &mut three,
            "muxnc: you were disconnected: go home\n",
        ),
    ] {
        command(&mut bob, line);
        assert_eq!(String::from_utf8_lossy(&read_all(stream)), told);
    }
    // It may come back.
    let mut back = connect_from(2, port);
    bob.screen.wait_for("[3] 127.0.0.2:");
    command(&mut bob, "welcome");
    expect_bytes(&mut back, "welcome\n");
}

/// Whoever names several means each of them, and none as the reason for the other.
#[test]
fn a_command_for_one_does_nothing_to_several() {
    let (mut bob, port) = bob(&[]);
    let (one, two) = (connect_from(2, port), connect_from(3, port));
    bob.screen.wait_for("joined, 2 here");
    command(&mut bob, "/name 1 Ana");
    command(&mut bob, "/name 2 Ben");
    for (line, count) in [
        ("/kick Ana Ben", 1),
        ("/kick ana, ben", 2),
        ("/kick 1 [2]", 3),
        ("/kick [1 Ana] [2 Ben]", 4),
        ("/kick <Ana> <Ben>", 5),
        ("/ban Ana and Ben", 6),
    ] {
        command(&mut bob, line);
        bob.screen.wait_until(line, |shown| {
            let shown = String::from_utf8_lossy(shown);
            shown.matches("one at a time: that is no reason").count() == count
        });
    }
    command(&mut bob, "still here");
    for mut stream in [&one, &two] {
        expect_bytes(&mut stream, "still here\n");
    }
    // A reason may name somebody.
    command(&mut bob, "/kick Ana Ben knows");
    let told = read_all(&mut &one);
    assert_eq!(
        String::from_utf8_lossy(&told),
        "muxnc: you were disconnected: Ben knows\n"
    );
}

#[test]
fn a_locked_hub_keeps_who_is_here_and_lets_nobody_else_in() {
    let (mut bob, port) = bob(&["--chat"]);
    let one = Watched::new(connect_from(2, port));
    bob.screen.wait_for("joined, 1 here");
    command(&mut bob, "/lock");
    bob.screen.wait_for("nobody else is let in now");
    refused(3, port, LOCKED);
    bob.screen
        .wait_for("was refused: nobody else is let in (/unlock)");
    command(&mut bob, "still here?");
    let got = one.wait_for("<host> still here?\n");
    assert!(!got.contains("user2"), "{got}");
    command(&mut bob, "/unlock");
    bob.screen.wait_for("others are let in again");
    let two = Watched::new(connect_from(3, port));
    two.wait_for("* user2 joined\n");
}

#[test]
fn who_is_allowed_by_command_is_let_in_and_nobody_else() {
    let (mut bob, port) = bob(&[]);
    let mut one = connect_from(2, port);
    bob.screen.wait_for("joined, 1 here");
    command(&mut bob, "/allow 127.0.0.3");
    bob.screen
        .wait_for("127.0.0.3 is let in; only who is allowed comes in now; who is here stays");
    refused(4, port, NOT_ALLOWED);
    let three = connect_from(3, port);
    bob.screen.wait_for("joined, 2 here");
    command(&mut bob, "/ban");
    bob.screen.wait_for("allowed: 127.0.0.3");
    command(&mut bob, "/allow all");
    bob.screen.wait_for("others are let in again");
    let four = connect_from(4, port);
    bob.screen.wait_for("joined, 3 here");
    command(&mut bob, "hello");
    expect_bytes(&mut one, "hello\n");
    drop((three, four));
}

/// What is answered is so, whatever was commanded before: whom it names is let in or refused then.
#[test]
fn what_is_answered_about_who_is_let_in_is_so() {
    let (mut bob, port) = bob(&["--deny", "127.0.0.9"]);
    let mut say = |line: &str, answer: &str| {
        let before = bob.screen.text().len();
        command(&mut bob, line);
        bob.screen.wait_until(line, |shown| {
            String::from_utf8_lossy(shown)[before..].contains(answer)
        });
    };
    say(
        "/lock",
        "nobody else is let in now, except addresses that you /allow",
    );
    say(
        "/allow 127.0.0.7,127.0.0.8",
        "127.0.0.8 is let in; it is locked for all others",
    );
    refused(6, port, LOCKED);
    say(
        "/allow 127.0.0.9",
        "127.0.0.9 stays out: --deny has 127.0.0.9",
    );
    refused(9, port, NOT_ALLOWED);
    say("/ban 127.0.0.8", "127.0.0.8 is refused now");
    say(
        "/allow 127.0.0.8",
        "127.0.0.8 stays out until /unban 127.0.0.8",
    );
    refused(8, port, NOT_ALLOWED);
    // A network is told as what it is, whichever of its addresses was written.
    say(
        "/allow 127.0.0.7/24",
        "127.0.0.0/24 is let in but for 127.0.0.8, 127.0.0.9",
    );
    say("/ban 127.0.0.77/26", "127.0.0.64/26 is refused now");
    refused(66, port, NOT_ALLOWED);
    say(
        "/unban 127.0.0.64-127",
        "127.0.0.64/26 is refused by /ban no more",
    );
    say(
        "/allow all",
        "nobody else is let in: it is locked until /unlock",
    );
    refused(7, port, LOCKED);
    say(
        "/unlock",
        "others are let in again, wherever they come from, but for who is refused",
    );
    say(
        "/allow 127.0.0.6",
        "127.0.0.6 is let in; only who is allowed comes in now",
    );
    say("/lock", "nobody else is let in now");
    refused(6, port, LOCKED);
    say(
        "/unlock",
        "only who is allowed is let in; by /allow: 127.0.0.6",
    );
    refused(7, port, NOT_ALLOWED);
    say("/unban 127.0.0.8", "127.0.0.8 is refused by /ban no more");
    say(
        "/unban 127.0.0.9",
        "as such: /ban lists what it does; refused",
    );
    say("/ban 192.0.2.300", "192.0.2.300: not an address");
    let mut six = connect_from(6, port);
    say("/allow 127.0.0.7", "127.0.0.7 is let in");
    let mut seven = connect_from(7, port);
    bob.screen.wait_for("joined, 2 here");
    command(&mut bob, "hello");
    expect_bytes(&mut six, "hello\n");
    expect_bytes(&mut seven, "hello\n");
}

/// A hub without a keyboard.
fn service(args: &[&str]) -> Hub {
    let mut command = piped(MUXNC, &[&["-l", "0", "-v"], args].concat());
    Hub::start_command(command.stdin(Stdio::null()))
}

#[test]
fn sighup_has_the_lists_read_again() {
    let folder = Folder::new("lists");
    let denied = folder.0.join("denied");
    let name = denied.to_str().unwrap();
    fs::write(&denied, "\u{feff}localhost # as it is known at the start\n").unwrap();
    let hub = service(&["-4", "--denyfile", name]);
    let two = connect_from(2, hub.port);
    hub.wait_joined(&two);
    refused(1, hub.port, NOT_ALLOWED);
    fs::write(&denied, "127.0.0.2 localhost\n").unwrap();
    hub.process.signal(Signal::HUP);
    hub.process
        .stderr
        .wait_for("SIGHUP: the lists of hosts were read again");
    refused(2, hub.port, NOT_ALLOWED);
    refused(1, hub.port, NOT_ALLOWED);
    // Who is here stays.
    (&two).write_all(b"still here\n").unwrap();
    hub.process.stdout.wait_for("still here\n");
    // What cannot be understood as a whole changes nothing.
    for (text, why) in [
        ("127.0.0.3\n127.0.0.256\n", "line 2: host '127.0.0.256'"),
        (
            "127.0.0.3\nexample.org\n",
            "line 2: host 'example.org': it was in no list at the start, and is not looked up",
        ),
    ] {
        fs::write(&denied, text).unwrap();
        hub.process.signal(Signal::HUP);
        hub.process.stderr.wait_for(why);
    }
    fs::remove_file(&denied).unwrap();
    hub.process.signal(Signal::HUP);
    hub.process.stderr.wait_for("no such file or directory");
    if installed(&["mkfifo"]) {
        assert!(piped("mkfifo", &[name]).status().unwrap().success());
        hub.process.signal(Signal::HUP);
        hub.process.stderr.wait_for("it is no regular file");
        fs::remove_file(&denied).unwrap();
    }
    let stays = "the lists of hosts stay as they were\n";
    eventually("each is told", || {
        hub.process.stderr.text().matches(stays).count() >= 3
    });
    refused(2, hub.port, NOT_ALLOWED);
    let three = connect_from(3, hub.port);
    hub.wait_joined(&three);
    fs::write(&denied, "").unwrap();
    hub.process.signal(Signal::HUP);
    eventually("it is read", || {
        hub.process.stderr.text().matches("were read again").count() == 2
    });
    let again = connect_from(2, hub.port);
    hub.wait_joined(&again);
}

/// What a pipe gave at the start stays, and the other lists are read again.
#[test]
fn sighup_has_lists_read_again_beside_a_pipe() {
    let folder = Folder::new("lists-and-pipe");
    let (allowed, denied) = (folder.path("allowed"), folder.path("denied"));
    rustix::fs::mkfifoat(CWD, &allowed, Mode::RUSR | Mode::WUSR).unwrap();
    let begin = |args: &[&str]| {
        let pipe = allowed.clone();
        let writer = thread::spawn(move || fs::write(pipe, "127.0.0.1-2\n").unwrap());
        let hub = service(args);
        writer.join().unwrap();
        hub
    };
    fs::write(&denied, "127.0.0.2\n").unwrap();
    let hub = begin(&["--allowfile", &allowed, "--denyfile", &denied]);
    for (out, inside) in [(1, 2), (2, 1)] {
        let before = hub.process.stderr.text().len();
        fs::write(&denied, format!("127.0.0.{out}\n")).unwrap();
        hub.process.signal(Signal::HUP);
        let told = "SIGHUP: the lists of hosts that are regular files were read again\n";
        eventually("they are read again", || {
            hub.process.stderr.text()[before..].contains(told)
        });
        refused(out, hub.port, NOT_ALLOWED);
        hub.wait_joined(&connect_from(inside, hub.port));
        refused(3, hub.port, NOT_ALLOWED);
    }

    let hub = begin(&["--allowfile", &allowed]);
    hub.process.signal(Signal::HUP);
    hub.process
        .stderr
        .wait_for("SIGHUP: no list of hosts is a regular file that could be read again\n");
    hub.wait_joined(&connect_from(1, hub.port));
    refused(3, hub.port, NOT_ALLOWED);
}

#[test]
fn sighup_begins_records_anew_where_they_were() {
    let folder = Folder::new("rotation");
    let name = |name: &str| folder.0.join(name).to_str().unwrap().to_owned();
    let (minutes, raw, dump) = (name("minutes"), name("raw"), name("dump"));
    let mut hub = service(&["--transcript", &minutes, "-o", &raw, "-x", &dump]);
    let mut ana = hub.join_seen();
    ana.write_all(b"before\nand ").unwrap();
    eventually("it is written", || {
        fs::read(&raw).unwrap() == b"before\nand "
    });
    for file in [&minutes, &raw, &dump] {
        fs::rename(file, format!("{file}.1")).unwrap();
    }
    hub.process.signal(Signal::HUP);
    hub.process
        .stderr
        .wait_for("SIGHUP: the records were opened anew");
    ana.write_all(b"after\n").unwrap();
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    eventually("the new ones are written", || {
        read(&raw) == "after\n"
            && read(&minutes).contains("and after")
            && read(&dump).contains("after")
    });
    assert_eq!(read(&format!("{raw}.1")), "before\nand ");
    assert!(read(&format!("{minutes}.1")).contains("\tbefore\n"));
    assert!(!read(&minutes).contains("before"));
    // Without a new name the old file goes on, whatever -o did with it at the start.
    hub.process.signal(Signal::HUP);
    eventually("they are opened again", || {
        hub.process.stderr.text().matches("opened anew").count() == 2
    });
    ana.write_all(b"more\n").unwrap();
    eventually("it goes on", || read(&raw) == "after\nmore\n");
    // Where it cannot be opened, too, or is something else by now.
    fs::remove_file(&raw).unwrap();
    fs::create_dir(&raw).unwrap();
    hub.process.signal(Signal::HUP);
    hub.process
        .stderr
        .wait_for("raw is no regular file any more; the old file is written on\n");
    fs::remove_dir_all(&folder.0).unwrap();
    hub.process.signal(Signal::HUP);
    hub.process
        .stderr
        .wait_for("no such file or directory; the old file is written on\n");
    ana.write_all(b"on and on\n").unwrap();
    hub.process.stdout.wait_for("on and on\n");
    let told = hub.process.stderr.text();
    assert_eq!(
        told.matches("the other records were opened anew").count(),
        1
    );
    assert_eq!(
        told.matches("the records were opened anew").count(),
        2,
        "{told}"
    );
    hub.process.signal(Signal::TERM);
    hub.process.wait();
    fs::create_dir(&folder.0).unwrap();
}

#[test]
fn a_terminal_that_hangs_up_ends_a_hub_that_could_reload() {
    if !installed(&["setsid"]) {
        return;
    }
    let folder = Folder::new("hangup");
    let denied = folder.0.join("denied");
    fs::write(&denied, "192.0.2.1\n").unwrap();
    let (keyboard, tty) = pty();
    let script = "exec \"$0\" -l 0 -v --denyfile \"$1\" </dev/null";
    let mut command = Command::new("setsid");
    command
        .args([
            "--ctty",
            "sh",
            "-c",
            script,
            MUXNC,
            denied.to_str().unwrap(),
        ])
        .stdin(tty.try_clone().unwrap())
        .stdout(tty)
        .stderr(Stdio::piped());
    let mut process = Process::start(&mut command);
    drop(command);
    listening_port(&process.stderr);
    process.signal(Signal::HUP);
    process
        .stderr
        .wait_for("SIGHUP: the lists of hosts were read again");
    drop(keyboard);
    let status = process.wait();
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(status.signal(), Some(Signal::HUP.as_raw()), "{status}");
}
