//! Unix sockets: with each other, with the other netcats, and what becomes of their files.

use std::fs;
use std::fs::Permissions;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;

use rustix::fs::FlockOperation;
use rustix::fs::flock;
use rustix::process::Signal;

use crate::support::DEADLINE;
use crate::support::Folder;
use crate::support::MUXNC;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::copy_program;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::left_out;
use crate::support::muxnc;
use crate::support::pipe;
use crate::support::piped;
use crate::support::read_all;
use crate::support::wait_at_rest;

/// A hub on a Unix socket, which listens.
#[track_caller]
fn hub(args: &[&str]) -> Process {
    let bob = Process::start(piped(MUXNC, &["-v", "-l"]).args(args));
    bob.stderr.wait_for("listening on unix:");
    bob
}

/// Joins with deadlines on everything.
#[track_caller]
fn join(path: &str) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

fn exists(path: &str) -> bool {
    Path::new(path).symlink_metadata().is_ok()
}

#[test]
fn a_hub_and_its_participants() {
    let folder = Folder::in_temp("unix");
    let path = folder.path("bob");
    let mut bob = hub(&["-U", &path]);
    bob.stderr.wait_for(&format!("to join: nc -U {path}\n"));
    let mut alice = muxnc(&["-v", "-U", &path]);
    alice
        .stderr
        .wait_for(&format!("connected to unix:{path}\n"));
    let uid = rustix::process::getuid();
    let joined = format!(
        "[1] unix:{path} (pid {}, uid {uid}) joined, 1 here\n",
        alice.pid()
    );
    bob.stderr.wait_for(&joined);
    alice.type_in("hello\n");
    bob.stdout.wait_for("hello\n");
    bob.type_in("world\n");
    alice.stdout.wait_for("world\n");
    alice.end_input();
    bob.stderr.wait_for("ended its side");
    bob.type_in("still there?\n");
    alice.stdout.wait_for("still there?\n");
    bob.end_input();
    alice.expect_status(0);
    bob.expect_status(0);
    assert!(!exists(&path), "the file goes with the hub");
}

#[test]
fn everybody_hears_everybody_in_a_chat() {
    let folder = Folder::in_temp("unix");
    let path = folder.path("chat");
    let _bob = hub(&["--chat", "--unixsock", &path]);
    let mut ann = join(&path);
    expect_bytes(&mut ann, "");
    let mut ben = muxnc(&["-U", &path]);
    ben.type_in("hello\n");
    let mut heard = String::new();
    while !heard.contains("<user2> hello\n") {
        let mut byte = [0];
        Read::read_exact(&mut ann, &mut byte).expect("what Ben said");
        heard.push(char::from(byte[0]));
    }
    ann.write_all(b"hi\n").unwrap();
    ben.stdout.wait_for("<user1> hi\n");
}

#[test]
fn the_umask_says_who_may_connect() {
    let folder = Folder::in_temp("unix");
    for (mask, mode) in [("077", 0o700), ("000", 0o777)] {
        let path = folder.path(mask);
        let script = "umask \"$0\" && exec \"$@\"";
        let args = ["-c", script, mask, MUXNC, "-v", "-lU", &path];
        let bob = Process::start(&mut piped("sh", &args));
        bob.stderr.wait_for("listening on unix:");
        let found = fs::metadata(&path).unwrap();
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o777, mode);
    }
}

#[test]
fn a_socket_that_may_not_be_connected_to_is_not_said_to_be_in_use() {
    if !installed(&["setpriv"]) {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return left_out("to be another user, which is for root");
    }
    let folder = Folder::in_temp("unix-other");
    let (copy, path) = (folder.0.join("muxnc"), folder.path("bob"));
    copy_program(&copy);
    drop(UnixListener::bind(&path).unwrap());
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let words = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let words = [&words[..], &[copy.to_str().unwrap(), "-lU", &path]].concat();
    let mut hub = Process::start(&mut piped("setpriv", &words));
    hub.expect_status(1);
    assert_eq!(
        hub.stderr.text(),
        format!(
            "muxnc: listen on unix:{path}: it may not be connected to\n  \
             Only a socket at which nobody listens is replaced: choose another path.\n"
        )
    );
}

#[test]
fn only_a_socket_at_which_nobody_listens_is_replaced() {
    let folder = Folder::in_temp("unix");
    let path = folder.path("bob");
    let mut first = hub(&["-U", &path]);
    let mut second = muxnc(&["-lU", &path]);
    second.expect_status(1);
    assert_eq!(
        second.stderr.text(),
        format!(
            "muxnc: listen on unix:{path}: address already in use\n  \
             Another program listens there: stop it or choose another path.\n"
        )
    );
    let mut alice = join(&path);
    first.type_in("still here\n");
    expect_bytes(&mut alice, "still here\n");
    first.stderr.wait_for("[1] ");
    let told = first.stderr.text();
    assert_eq!(
        told.matches("joined").count(),
        1,
        "asking is not joining: {told}"
    );
    first.signal(Signal::KILL);
    first.wait();
    assert!(exists(&path), "nobody could remove it");
    let mut third = hub(&["-U", &path]);
    let mut alice = join(&path);
    third.type_in("replaced\n");
    expect_bytes(&mut alice, "replaced\n");
}

/// Each sees the file of one who was killed, and would put its own in its place.
#[test]
fn of_many_who_begin_at_once_one_listens() {
    let folder = Folder::in_temp("unix");
    for round in 0..20 {
        let path = folder.path(&format!("bob{round}"));
        drop(UnixListener::bind(&path).unwrap());
        let mut hubs: Vec<Process> = (0..6).map(|_| muxnc(&["-v", "-lU", &path])).collect();
        let mut listen = 0;
        for hub in &mut hubs {
            let told = hub.stderr.wait_until("whether it listens", |bytes| {
                bytes.ends_with(b"\n") && bytes.starts_with(b"muxnc: listen")
            });
            match String::from_utf8(told)
                .unwrap()
                .contains("listening on unix:")
            {
                true => listen += 1,
                false => hub.expect_status(1),
            }
        }
        assert_eq!(listen, 1, "in round {round}");
        join(&path);
        drop(hubs);
    }
    let left = fs::read_dir(&folder.0).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        left.iter()
            .all(|name| name.to_str().unwrap().starts_with("bob")),
        "{left:?}"
    );
}

/// Whoever takes its turn is waited for, what it left behind by a kill is no obstacle.
#[test]
fn who_is_about_to_listen_is_waited_for() {
    let folder = Folder::in_temp("unix");
    let path = folder.path("bob");
    drop(UnixListener::bind(&path).unwrap());
    let inode = || fs::symlink_metadata(&path).unwrap().ino();
    let before = inode();
    let lock = fs::File::create(folder.path(".muxnc-bob.lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let mut late = muxnc(&["-lU", &path]);
    late.expect_status(1);
    assert!(late.stderr.text().contains("address already in use"));
    assert_eq!(inode(), before, "it was not its turn");
    drop(lock);
    let bob = hub(&["-U", &path]);
    assert!(!exists(&folder.path(".muxnc-bob.lock")));
    join(&path);
    drop(bob);
}

#[test]
fn one_who_is_too_busy_to_answer_is_not_replaced() {
    let folder = Folder::in_temp("unix");
    let path = folder.path("busy");
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    let addr = socket2::SockAddr::unix(&path).unwrap();
    socket.bind(&addr).unwrap();
    socket.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let next = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let next = next.unwrap();
        next.set_nonblocking(true).unwrap();
        match next.connect(&addr) {
            Ok(()) => waiting.push(next),
            Err(_) => break,
        }
        assert!(waiting.len() < 64, "the queue is never full");
    }
    let mut bob = muxnc(&["-lU", &path]);
    bob.expect_status(1);
    assert!(bob.stderr.text().contains("address already in use"));
    assert!(exists(&path));
    let mut alice = muxnc(&["-w", "300ms", "-U", &path]);
    alice.expect_status(1);
    let told = alice.stderr.text();
    assert!(
        told.starts_with(&format!("muxnc: connect to unix:{path}: timed out\n")),
        "{told}"
    );
}

#[test]
fn what_is_no_socket_stays() {
    let folder = Folder::in_temp("unix");
    let (file, link, dir) = (folder.path("file"), folder.path("link"), folder.path("dir"));
    fs::write(&file, "precious").unwrap();
    fs::create_dir(&dir).unwrap();
    let socket = folder.path("socket");
    drop(UnixListener::bind(&socket).unwrap());
    std::os::unix::fs::symlink(&socket, &link).unwrap();
    for path in [&file, &dir, &link] {
        let mut bob = muxnc(&["-lU", path]);
        bob.expect_status(1);
        assert_eq!(
            bob.stderr.text(),
            format!(
                "muxnc: listen on unix:{path}: there is something else of that name\n  \
                 Only a socket at which nobody listens is replaced: choose another path.\n"
            )
        );
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(exists(&socket) && exists(&dir));
}

#[test]
fn a_signal_removes_the_file_and_is_what_ends_it() {
    let folder = Folder::in_temp("unix");
    for (once, signal) in [
        (false, Signal::TERM),
        (false, Signal::INT),
        (false, Signal::HUP),
        (true, Signal::TERM),
        (true, Signal::INT),
    ] {
        let path = folder.path("bob");
        let mut bob = match once {
            true => hub(&["--once", "-U", &path]),
            false => hub(&["-U", &path]),
        };
        bob.signal(signal);
        assert_eq!(bob.wait().signal(), Some(signal.as_raw()), "{once}");
        assert!(!exists(&path), "{once}, {signal:?}");
    }
}

#[test]
fn at_a_terminal_ctrl_c_removes_it_too() {
    let folder = Folder::in_temp("unix");
    for args in [&["-lU"][..], &["--once", "-lU"], &["--no-edit", "-lU"]] {
        let path = folder.path("bob");
        let all: Vec<&str> = args.iter().copied().chain([path.as_str()]).collect();
        let mut bob = Terminal::muxnc(&all);
        bob.screen.wait_for("listening on unix:");
        eventually("it listens", || exists(&path));
        bob.press("\x03");
        assert_eq!(bob.process.wait().signal(), Some(2), "{args:?}");
        assert!(!exists(&path), "{args:?}");
    }
}

#[test]
fn once_serves_one_and_still_ends_by_a_signal() {
    let folder = Folder::in_temp("unix");
    let path = folder.path("bob");
    let mut bob = hub(&["--once", "-U", &path]);
    let mut alice = join(&path);
    alice.write_all(b"hello\n").unwrap();
    bob.stdout.wait_for("hello\n");
    assert!(!exists(&path), "nobody else is let in");
    bob.signal(Signal::TERM);
    assert_eq!(bob.wait().signal(), Some(15));
    // At a terminal, which has signals of its own.
    let mut bob = Terminal::of_kind("xterm", MUXNC, &["--once", "-lU", &path]);
    bob.screen.wait_for("listening on unix:");
    let mut alice = join(&path);
    alice.write_all(b"hello\n").unwrap();
    bob.screen.wait_for("hello");
    bob.press("typing");
    bob.screen.wait_for("typing");
    bob.press("\x03");
    bob.screen.wait_until("the line is cleared", |bytes| {
        let shown = String::from_utf8_lossy(bytes);
        shown.rsplit_once("typing").unwrap().1.contains('\r')
    });
    bob.press("sent\r");
    expect_bytes(&mut alice, "sent\n");
    bob.press("\x03");
    assert_eq!(bob.process.wait().signal(), Some(2));
}

#[test]
fn somebody_elses_file_stays() {
    let folder = Folder::in_temp("unix");
    let path = folder.path("bob");
    let mut first = hub(&["-U", &path]);
    fs::remove_file(&path).unwrap();
    let mut second = hub(&["-U", &path]);
    first.signal(Signal::TERM);
    first.wait();
    let mut alice = join(&path);
    second.type_in("mine\n");
    expect_bytes(&mut alice, "mine\n");
}

#[test]
fn an_abstract_name_is_in_no_folder() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let name = format!("@muxnc-test-{}", std::process::id());
    let mut bob = hub(&["-U", &name]);
    bob.stderr.wait_for(&format!("to join: muxnc -U {name}\n"));
    let mut alice = muxnc(&["-U", &name]);
    alice.type_in("hello\n");
    bob.stdout.wait_for("hello\n");
    bob.type_in("world\n");
    alice.stdout.wait_for("world\n");
    assert!(!exists(&name));
    let mut second = muxnc(&["-lU", &name]);
    second.expect_status(1);
    assert!(second.stderr.text().contains("address already in use"));
}

#[test]
fn who_is_not_there_is_told() {
    let folder = Folder::in_temp("unix");
    let stale = folder.path("stale");
    drop(UnixListener::bind(&stale).unwrap());
    let nobody = "Nothing listens there: is the other side started, is the path right?";
    let long = folder.path(&"x".repeat(200));
    let bytes = "A socket's path has at most 107 bytes.";
    for (path, why, hint) in [
        (stale, "connection refused", nobody),
        (folder.path("none"), "no such file or directory", nobody),
        (long.clone(), "", bytes),
    ] {
        let mut alice = muxnc(&["-U", &path]);
        alice.expect_status(1);
        let told = alice.stderr.text();
        assert!(
            told.starts_with(&format!("muxnc: connect to unix:{path}: {why}")),
            "{told}"
        );
        assert!(told.ends_with(&format!("\n  {hint}\n")), "{told}");
    }
    for (path, hint) in [
        (folder.path("none/bob"), "The folder must be there already."),
        (long, bytes),
    ] {
        let mut bob = muxnc(&["-lU", &path]);
        bob.expect_status(1);
        let told = bob.stderr.text();
        assert!(
            told.starts_with(&format!("muxnc: listen on unix:{path}: ")),
            "{told}"
        );
        assert!(told.ends_with(&format!("\n  {hint}\n")), "{told}");
    }
}

#[test]
fn much_goes_through_unchanged_both_ways() {
    const LEN: u64 = 20_000_000;
    let folder = Folder::in_temp("unix");
    let (path, file) = (folder.path("bob"), folder.path("file"));
    let pattern = Pattern::bytes();
    pattern
        .write(&mut fs::File::create(&file).unwrap(), LEN)
        .unwrap();
    // From a file and into a pipe the kernel moves it, else it is read and written.
    let (mut down, writer) = pipe();
    let mut bob = piped(MUXNC, &["-v", "-l", "--once", "-U", &path]);
    let mut bob = Process::start(bob.stdin(fs::File::open(&file).unwrap()).stdout(writer));
    bob.stderr.wait_for("listening on unix:");
    let mut stream = join(&path);
    let mut reader = stream.try_clone().unwrap();
    let sent = pattern.clone();
    let writing = std::thread::spawn(move || {
        sent.write(&mut stream, LEN).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let received = pattern.clone();
    let reading = std::thread::spawn(move || received.read(&mut reader, u64::MAX));
    assert_eq!(pattern.read(&mut down, LEN), LEN);
    assert_eq!(reading.join().unwrap(), LEN);
    writing.join().unwrap();
    bob.expect_status(0);
    // To several, by the hub.
    let mut bob = piped(MUXNC, &["-v", "-lU", &path]);
    let mut bob = Process::start(bob.stdin(Stdio::piped()).stdout(Stdio::null()));
    bob.stderr.wait_for("listening on unix:");
    let peers = [join(&path), join(&path)];
    bob.stderr.wait_for("2 here");
    let readers = peers.map(|mut peer| {
        let pattern = pattern.clone();
        std::thread::spawn(move || pattern.read(&mut peer, u64::MAX))
    });
    pattern.write(bob.stdin.as_mut().unwrap(), LEN).unwrap();
    bob.end_input();
    for reader in readers {
        assert_eq!(reader.join().unwrap(), LEN);
    }
    bob.expect_status(0);
}

#[test]
fn the_other_netcats_join() {
    let folder = Folder::in_temp("unix");
    let path = folder.path("bob");
    let socat = format!("UNIX-CONNECT:{path}");
    for (program, args) in [
        ("nc", &["-NU", &path][..]),
        ("ncat", &["-U", &path]),
        ("socat", &["-", &socat]),
    ] {
        // Of the two that are called nc, only one knows -U.
        let real = if program == "nc" {
            "nc.openbsd"
        } else {
            program
        };
        if !installed(&[real]) {
            continue;
        }
        let mut bob = hub(&["-U", &path]);
        let mut alice = Process::start(&mut piped(real, args));
        alice.type_in("hello\n");
        bob.stdout.wait_for("hello\n");
        bob.type_in("world\n");
        alice.stdout.wait_for("world\n");
        alice.end_input();
        bob.end_input();
        alice.expect_status(0);
        bob.expect_status(0);
    }
}

#[test]
fn the_other_netcats_listen() {
    let folder = Folder::in_temp("unix");
    for program in ["nc.openbsd", "ncat", "socat"] {
        if !installed(&[program]) {
            continue;
        }
        let path = folder.path(program);
        let socat = format!("UNIX-LISTEN:{path}");
        let args: &[&str] = match program {
            "socat" => &[&socat, "-"],
            _ => &["-lU", &path],
        };
        let mut bob = Process::start(&mut piped(program, args));
        eventually("it listens", || exists(&path));
        // The file is there a moment before it listens.
        let mut alice = loop {
            let mut alice = muxnc(&["-v", "-U", &path]);
            eventually("it connects or not", || {
                alice.stderr.text().contains('\n') || !alice.is_running()
            });
            if alice.stderr.text().contains("connected to") {
                break alice;
            }
        };
        alice.type_in("hello\n");
        bob.stdout.wait_for("hello\n");
        bob.type_in("world\n");
        alice.stdout.wait_for("world\n");
        bob.end_input();
        alice.end_input();
        alice.expect_status(0);
        assert_eq!(alice.stdout.bytes(), b"world\n");
    }
}

#[test]
fn a_reader_of_the_standard_library_agrees() {
    let folder = Folder::in_temp("unix");
    let path = folder.path("std");
    let listener = UnixListener::bind(&path).unwrap();
    let mut alice = muxnc(&["-U", &path]);
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    alice.type_in("all of it");
    alice.end_input();
    assert_eq!(read_all(&mut stream), b"all of it");
    stream.write_all(b"and back").unwrap();
    drop(stream);
    alice.expect_status(0);
    assert_eq!(alice.stdout.bytes(), b"and back");
}

/// A Unix socket tells what was sent and not what was taken: the words say so.
#[test]
fn who_closes_with_something_unread_is_named_with_the_bytes_that_were_sent() {
    let folder = Folder::in_temp("unix");
    let path = folder.path("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let mut participant = muxnc(&["-U", &path]);
    let (mut stream, _) = listener.accept().unwrap();
    participant.type_in("x".repeat(5000));
    let mut some = [0; 1000];
    Read::read_exact(&mut stream, &mut some).unwrap();
    // All of it is there, and stdin goes on.
    eventually("the rest", || {
        rustix::io::ioctl_fionread(&stream).is_ok_and(|left| left == 4000)
    });
    drop(stream);
    participant.expect_status(1);
    let told = participant.stderr.text();
    assert!(told.contains("the last of 5000 bytes"), "{told}");
}

#[test]
fn who_closes_while_nobody_may_be_heard_makes_room_for_the_next() {
    let folder = Folder::in_temp("unix");
    let path = folder.path("hub");
    let (mut stdout, writer) = pipe();
    let args = ["-v", "-l", "-m", "2", "-U", &path];
    let mut bob = Process::start(piped(MUXNC, &args).stdout(writer));
    bob.stderr.wait_for("listening on unix:");
    bob.type_in("good morning\n");
    let mut flooder = join(&path);
    bob.stderr.wait_for("[1] ");
    flooder.set_nonblocking(true).unwrap();
    let mut flood = 0;
    loop {
        while let Ok(count) = flooder.write(&[b'x'; 65536]) {
            flood += count;
        }
        wait_at_rest(&bob);
        match flooder.write(b"x") {
            Ok(count) => flood += count,
            Err(_) => break,
        }
    }
    for i in 2..8 {
        let mut peer = join(&path);
        bob.stderr.wait_for(&format!("[{i}] "));
        peer.write_all(b"who hears me?\n").unwrap();
    }
    let told = bob.stderr.text();
    assert!(!told.contains("refused"), "{told}");
    flooder.set_nonblocking(false).unwrap();
    drop(flooder);
    bob.end_input();
    let mut shown = Vec::new();
    stdout.read_to_end(&mut shown).unwrap();
    bob.expect_status(0);
    assert_eq!(shown.iter().filter(|byte| **byte == b'x').count(), flood);
    let words = String::from_utf8_lossy(&shown);
    assert_eq!(words.matches("who hears me?\n").count(), 6);
}
