//! What a class wants and no netcat has: a history for who comes late, and one file for all at once.

use std::io::Write;
use std::process::Stdio;

use crate::support;
use crate::support::Hub;
use crate::support::Pattern;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::piped;
use crate::support::stay;

/// A netcat that is to hear what the hub says, its input left open.
fn listener(hub: &Hub, program: &str, args: &[&str]) -> Process {
    let port = hub.port.to_string();
    let args = [args, &["127.0.0.1", &port]].concat();
    Process::start(piped(program, &args).stderr(Stdio::null()))
}

#[test]
fn a_latecomer_of_any_kind_gets_the_last_lines_and_then_the_present() {
    if !installed(&["nc", "ncat"]) {
        return;
    }
    let mut hub = Hub::start(&["-v", "--history", "2"]);
    let mut early = hub.join_seen();
    hub.process.type_in("one\ntwo\nthree\n");
    expect_bytes(&mut early, "one\ntwo\nthree\n");
    stay();
    let latecomers = [
        listener(&hub, "nc", &[]),
        listener(&hub, "ncat", &[]),
        listener(&hub, support::MUXNC, &[]),
    ];
    for late in &latecomers {
        late.stdout.wait_for("two\nthree\n");
    }
    hub.process.type_in("four\n");
    for late in latecomers {
        late.stdout.wait_for("four\n");
        assert_eq!(late.stdout.text(), "two\nthree\nfour\n");
    }
    expect_bytes(&mut early, "four\n");
}

#[test]
fn the_first_gets_what_was_typed_early_once_and_the_room_remembers_when_it_is_empty() {
    let mut hub = Hub::start(&["-v", "-k", "--history", "10"]);
    hub.process.type_in("early\n");
    let mut first = hub.join_seen();
    expect_bytes(&mut first, "early\n");
    hub.process.type_in("more\n");
    expect_bytes(&mut first, "more\n");
    drop(first);
    hub.process.stderr.wait_for("ended its side");
    hub.process.type_in("nobody may have read this\n");
    hub.process.stderr.wait_for(" left");
    let mut second = hub.join_seen();
    expect_bytes(&mut second, "early\nmore\nnobody may have read this\n");
    hub.process.type_in("now\n");
    expect_bytes(&mut second, "now\n");
}

#[test]
fn a_chats_history_has_the_names_of_then() {
    let mut hub = Hub::start(&["-v", "--chat", "--history", "3"]);
    let mut ana = hub.join_seen();
    expect_bytes(&mut ana, "* user1 joined\n");
    ana.write_all(b"alone\n/nick Ana\n").unwrap();
    expect_bytes(&mut ana, "* user1 is now Ana\n");
    hub.process.type_in("hello\n");
    expect_bytes(&mut ana, "<host> hello\n");
    let mut late = hub.join_seen();
    // Who came and went and was called what is no part of what was said.
    expect_bytes(&mut late, "<user1> alone\n<host> hello\n* user2 joined\n");
    expect_bytes(&mut ana, "* user2 joined\n");
}

// --wait-for: one file to all at once.

/// A netcat that writes what it receives to a file, by the shell.
fn receiver(port: u16, program: &str, file: &str) -> Process {
    let script = format!("exec {program} 127.0.0.1 {port} > {file}");
    let mut command = piped("sh", &["-c", &script]);
    Process::start(command.stdin(Stdio::null()))
}

#[test]
fn a_file_goes_to_all_at_once_whoever_leaves() {
    if !installed(&["nc", "ncat", "socat"]) {
        return;
    }
    const LEN: u64 = 20_000_000;
    const PEERS: usize = 8;
    let folder = std::env::temp_dir().join(format!("muxnc-class-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let image = folder.join("image");
    let pattern = Pattern::bytes();
    pattern
        .write(&mut std::fs::File::create(&image).unwrap(), LEN)
        .unwrap();
    let mut command = piped(support::MUXNC, &["-l", "0", "-v", "--wait-for", "8"]);
    let mut hub = Hub::start_command(command.stdin(std::fs::File::open(&image).unwrap()));
    let programs = [
        "nc",
        "ncat --recv-only",
        support::MUXNC,
        "nc",
        "ncat",
        "nc",
        "nc",
    ];
    let files: Vec<String> = (0..programs.len())
        .map(|i| folder.join(i.to_string()).to_str().unwrap().to_owned())
        .collect();
    let mut receivers: Vec<Process> = programs
        .iter()
        .zip(&files)
        .map(|(program, file)| receiver(hub.port, program, file))
        .collect();
    hub.process.stderr.wait_for(", 7 of 8 here");
    assert!(!hub.process.stderr.text().contains("it begins"));
    assert!(
        files
            .iter()
            .all(|file| std::fs::metadata(file).unwrap().len() == 0)
    );
    // One who is counted, and breaks off when it has begun.
    let mut deserter = hub.join_seen();
    hub.process
        .stderr
        .wait_for(&format!("all {PEERS} are here: it begins"));
    // More than a trial: it has begun for good.
    let mut some = [0; 5000];
    std::io::Read::read_exact(&mut deserter, &mut some).unwrap();
    pattern.expect(0, &some);
    drop(deserter);
    for receiver in &mut receivers {
        receiver.expect_status(0);
    }
    // It is named, with what it did not get, and the status says that it is not everybody.
    hub.process.expect_status(1);
    let deserted = hub.process.stderr.text();
    assert!(deserted.contains(" did not get the last "), "{deserted}");
    for file in &files {
        let got = std::fs::read(file).unwrap();
        assert_eq!(got.len() as u64, LEN, "{file}");
        pattern.expect(0, &got);
    }
    let said = hub.process.stderr.text();
    assert!(
        said.contains(&format!(
            "sent {LEN} bytes to {}, received 0 in ",
            PEERS - 1
        )),
        "{said}"
    );
    // Each has a line: who has all of it, and who has how much.
    let whole = format!(" has all of the {LEN} bytes\n");
    assert_eq!(said.matches(&whole).count(), PEERS - 1, "{said}");
    assert!(said.contains(&format!(" of {LEN} bytes\n")), "{said}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// What a receiver lacks is told of the whole file, also of what was not read of it yet, and also where Ctrl-C ends
/// it.
#[test]
fn what_is_missing_of_a_file_is_told_of_the_whole() {
    const LEN: u64 = 100_000_000;
    let folder = support::Folder::new("class-whole");
    let path = folder.0.join("image");
    std::fs::File::create(&path).unwrap().set_len(LEN).unwrap();
    for interrupted in [true, false] {
        let mut hub = piped(support::MUXNC, &["-l", "0", "-v", "--wait-for", "2"]);
        let mut hub = Hub::start_command(hub.stdin(std::fs::File::open(&path).unwrap()));
        let mut peers = [hub.join_seen(), hub.join_seen()];
        for peer in &mut peers {
            let mut some = [0; 5000];
            std::io::Read::read_exact(peer, &mut some).unwrap();
        }
        match interrupted {
            true => hub.process.signal(rustix::process::Signal::INT),
            false => drop(peers),
        }
        hub.process.wait();
        let told = String::from_utf8(hub.process.stderr.wait_end()).unwrap();
        for number in ["[1] ", "[2] "] {
            let line = told
                .lines()
                .find(|line| line.contains(number) && line.contains(" did not get the last "));
            let line = line.unwrap_or_else(|| panic!("{number}: {told}"));
            let (_, missing) = line.split_once(" did not get the last ").unwrap();
            let missing = missing
                .strip_suffix(&format!(" of {LEN} bytes"))
                .expect(&told);
            let missing: u64 = missing.parse().unwrap();
            // No more than that fits anywhere on the way.
            assert!((LEN / 2..LEN - 5000 + 1).contains(&missing), "{told}");
        }
    }
}

#[test]
fn who_leaves_before_it_begins_is_waited_for_again() {
    let mut hub = Hub::start(&["-v", "--wait-for", "2"]);
    hub.process.type_in("now\n");
    let first = hub.join_seen();
    hub.process.stderr.wait_for("1 of 2 here");
    // A reset is noticed at once.
    socket2::SockRef::from(&first)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(first);
    hub.process.stderr.wait_for(" left (connection reset");
    let mut second = hub.join_seen();
    assert!(!hub.process.stderr.text().contains("begins"));
    let mut third = hub.join_seen();
    expect_bytes(&mut second, "now\n");
    expect_bytes(&mut third, "now\n");
    drop(second);
    hub.process.type_in("more\n");
    expect_bytes(&mut third, "more\n");
}

#[test]
fn who_comes_too_late_for_a_whole_gets_nothing_of_it() {
    let mut hub = Hub::start(&["-v", "--wait-for", "1"]);
    let mut first = hub.join_seen();
    hub.process.type_in("half of it, ");
    expect_bytes(&mut first, "half of it, ");
    let addr = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, hub.port));
    eventually("nobody listens any more", || {
        let late = std::net::TcpStream::connect(addr);
        late.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    });
    hub.process.type_in("and the rest");
    hub.process.end_input();
    expect_bytes(&mut first, "and the rest");
    assert_eq!(support::read_all(&mut first), b"");
    drop(first);
    hub.process.expect_status(0);
}

#[test]
fn what_is_typed_waits_for_all_and_late_comers_are_welcome() {
    let args = ["-l", "0", "--wait-for", "2"];
    let mut bob = Terminal::of_kind("xterm", support::MUXNC, &args);
    let port = support::listening_port(&bob.screen);
    let mut first = support::connect(port);
    bob.screen.wait_for("1 of 2 here");
    bob.press("good morning\r");
    bob.screen
        .wait_for("1 of 2 here: 1 line waits for the others to join");
    let mut second = support::connect(port);
    expect_bytes(&mut first, "good morning\n");
    expect_bytes(&mut second, "good morning\n");
    stay();
    let mut third = support::connect(port);
    bob.screen.wait_for("3 here");
    bob.press("and you\r");
    expect_bytes(&mut third, "and you\n");
    assert!(!bob.screen.text().contains("bytes/s"), "nothing to draw");
}

/// A hub that sends a pipe, whose stderr (and stdout) are a terminal.
struct Sender {
    hub: Process,
    screen: support::Watched,
    port: u16,
}

impl Sender {
    fn start(kind: &str, stdout_too: bool, args: &[&str]) -> Sender {
        let (master, slave) = support::pty();
        let args = [&["-l", "0", "--wait-for", "1"], args].concat();
        let mut command = piped(support::MUXNC, &args);
        command.env("TERM", kind).stderr(slave.try_clone().unwrap());
        if stdout_too {
            command.stdout(slave);
        }
        let hub = Process::start(&mut command);
        let screen = support::Watched::new(master);
        let port = support::listening_port(&screen);
        Sender { hub, screen, port }
    }

    /// What is on the screen, row by row.
    fn rows(&self) -> Vec<String> {
        let mut parser = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 100);
        parser.process(&self.screen.bytes());
        let rows = parser.screen().contents();
        rows.lines().map(str::to_owned).collect()
    }
}

#[test]
fn how_far_it_is_is_one_row_among_the_notices() {
    let mut sender = Sender::start("xterm", true, &[]);
    let mut peer = support::connect(sender.port);
    sender.screen.wait_for("it begins");
    sender.hub.type_in([b'x'; 5000]);
    sender.screen.wait_for(" 4.9 KiB, ");
    expect_bytes(&mut peer, [b'x'; 5000]);
    peer.write_all(b"thank you\n").unwrap();
    sender.screen.wait_for("thank you");
    sender.hub.type_in([b'x'; 5000]);
    sender.screen.wait_for(" 9.8 KiB, ");
    expect_bytes(&mut peer, [b'x'; 5000]);
    // So much that the row shows it: one that says the same as before may still be drawn anew.
    sender.hub.type_in([b'x'; 1000]);
    eventually("the row is below all that was said", || {
        let rows = sender.rows();
        let last = rows.last().unwrap();
        last.starts_with("muxnc: 10.7 KiB, ") && last.ends_with("/s")
    });
    let rows = sender.rows();
    let transfers = rows.iter().filter(|row| row.ends_with("/s")).count();
    assert_eq!(transfers, 1, "{rows:#?}");
    assert!(rows.contains(&"thank you".to_owned()), "{rows:#?}");
    support::wait_at_rest(&sender.hub);
    let switches = sender.hub.context_switches();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(
        sender.hub.context_switches(),
        switches,
        "it wakes for nothing"
    );
    sender.hub.end_input();
    assert_eq!(support::read_all(&mut peer), [b'x'; 1000]);
    drop(peer);
    sender.hub.expect_status(0);
    eventually("the sum stands where the row was", || {
        let rows = sender.rows();
        let last = rows.last().unwrap();
        last.starts_with("muxnc: sent 11000 bytes to 1, received 10 in ")
            && !rows.iter().any(|row| row.starts_with("muxnc: 10.7 KiB"))
    });
}

#[test]
fn how_far_a_file_is_and_who_is_behind() {
    let file = std::env::temp_dir().join(format!("muxnc-progress-{}", std::process::id()));
    const LEN: u64 = 40 * 1024 * 1024;
    std::fs::File::create(&file).unwrap().set_len(LEN).unwrap();
    let (master, slave) = support::pty();
    let args = ["-l", "0", "--wait-for", "2"];
    let mut command = piped(support::MUXNC, &args);
    command.env("TERM", "xterm").stderr(slave);
    let mut hub = Process::start(command.stdin(std::fs::File::open(&file).unwrap()));
    let screen = support::Watched::new(master);
    let port = support::listening_port(&screen);
    let mut slow = support::connect(port);
    screen.wait_for("[1]");
    let mut fast = support::connect(port);
    let reader = std::thread::spawn(move || support::read_all(&mut fast).len() as u64);
    // The slow one reads nothing yet.
    screen.wait_for(" of 40.0 MiB, ");
    screen.wait_for(", [1] is behind by ");
    assert_eq!(support::read_all(&mut slow).len() as u64, LEN);
    assert_eq!(reader.join().unwrap(), LEN);
    drop(slow);
    screen.wait_for(&format!(
        "muxnc:\x1b[0m sent {LEN} bytes to 2, received 0 in "
    ));
    hub.expect_status(0);
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_file_is_told_of_though_nobody_was_to_be_waited_for() {
    let folder = support::Folder::new("progress-plain");
    let file = folder.0.join("file");
    std::fs::write(&file, vec![b'x'; 40 * 1024 * 1024]).unwrap();
    let start = || {
        let (master, slave) = support::pty();
        let mut command = piped(support::MUXNC, &["-l", "0"]);
        command.env("TERM", "xterm").stderr(slave);
        let hub = Process::start(command.stdin(std::fs::File::open(&file).unwrap()));
        let screen = support::Watched::new(master);
        let port = support::listening_port(&screen);
        (hub, screen, port)
    };
    // It has everything, and stays.
    let (hub, screen, port) = start();
    let mut peer = support::connect(port);
    assert_eq!(support::read_all(&mut peer).len(), 40 * 1024 * 1024);
    screen.wait_for(" of 40.0 MiB, 100%");
    screen.wait_for("everybody has all of it; waiting until [1] leaves (Ctrl-C ends it now)");
    hub.signal(rustix::process::Signal::INT);
    screen.wait_for(" has all of the 41943040 bytes");
    screen.wait_for(" sent 41943040 bytes to 1, received 0 in ");
    // It has read a part when the operator ends it.
    let (hub, screen, port) = start();
    let mut peer = support::connect(port);
    expect_bytes(&mut peer, [b'x'; 5000]);
    screen.wait_for(" of 40.0 MiB, ");
    hub.signal(rustix::process::Signal::INT);
    screen.wait_for(" did not get the last ");
    screen.wait_for(" bytes, but not all of them, received 0 in ");
}

#[test]
fn nothing_is_drawn_where_nobody_asked_or_looks() {
    for (kind, quiet) in [("dumb", false), ("xterm", true)] {
        let (master, slave) = support::pty();
        let (socket, port) = support::reserved_port();
        let port_text = port.to_string();
        let mut args = vec!["-l", "127.0.0.1", &port_text, "--wait-for", "1"];
        if quiet {
            args.push("--quiet");
        }
        let mut command = piped(support::MUXNC, &args);
        let mut hub = Process::start(command.env("TERM", kind).stderr(slave));
        drop(command);
        let screen = support::Watched::new(master);
        let mut peer = None;
        eventually("it listens", || {
            let addr = std::net::SocketAddr::from(([127, 0, 0, 1], port));
            peer = std::net::TcpStream::connect(addr).ok();
            peer.is_some()
        });
        let mut peer = peer.unwrap();
        hub.type_in([b'x'; 5000]);
        hub.end_input();
        assert_eq!(support::read_all(&mut peer).len(), 5000);
        drop((peer, socket));
        hub.expect_status(0);
        let said = String::from_utf8(screen.wait_end()).unwrap();
        assert!(!said.contains("KiB, ") && !said.contains('\x1b'), "{said}");
        assert_eq!(said.is_empty(), quiet, "{said}");
    }
}

#[test]
fn a_participant_sums_up_what_it_moved() {
    let mut hub = Hub::start(&["-v"]);
    let port = hub.port.to_string();
    let mut participant = support::muxnc(&["-v", "127.0.0.1", &port]);
    participant.type_in("hello\n");
    hub.process.stdout.wait_for("hello\n");
    hub.process.type_in("hi\n");
    participant.stdout.wait_for("hi\n");
    participant.end_input();
    hub.process.end_input();
    participant.expect_status(0);
    hub.process.expect_status(0);
    participant
        .stderr
        .wait_for("muxnc: sent 6 bytes, received 3 in ");
    hub.process
        .stderr
        .wait_for("muxnc: sent 3 bytes to everybody, received 6 in ");
}
