//! UDP: one other side (`-u HOST PORT`), and whoever sends something (`-l -u PORT`), with real peers.

use std::net::UdpSocket;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;

use crate::support;
use crate::support::DEADLINE;
use crate::support::MUXNC;
use crate::support::Namespace;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::eventually;
use crate::support::installed;
use crate::support::listening_port;
use crate::support::muxnc;
use crate::support::pipe;
use crate::support::piped;
use crate::support::while_stopped;

const HOST: &str = "127.0.0.1";

/// A socket with a deadline, and its port.
fn socket() -> (UdpSocket, String) {
    let socket = UdpSocket::bind((HOST, 0)).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    (socket, port)
}

/// The next datagram that comes there.
#[track_caller]
fn next(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65536];
    let (len, from) = socket.recv_from(&mut buffer).expect("a datagram");
    socket.connect(from).unwrap();
    buffer.truncate(len);
    buffer
}

/// A hub, and a socket that talks to it.
fn hub(options: &[&str]) -> (Process, UdpSocket) {
    let hub = muxnc(&[&["-lvu"], options, &[HOST, "0"]].concat());
    let port = listening_port(&hub.stderr);
    let (socket, _) = socket();
    socket.connect((HOST, port)).unwrap();
    (hub, socket)
}

/// Their words are not read, but that is no silence of theirs.
#[test]
fn nobody_is_silent_while_stdout_is_stuck() {
    let (_reader, writer) = pipe();
    let (server, port) = socket();
    let mut command = piped(MUXNC, &["-u", "-i", "1s", HOST, &port]);
    let mut alice = Process::start(command.stdout(writer));
    drop(command);
    alice.type_in("hello\n");
    next(&server);
    // They come all the time, many more of them than it may hold.
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end && alice.is_running() {
        let _ = server.send(&[b'x'; 8000]);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(alice.is_running(), "{}", alice.stderr.text());
}

// One other side

#[test]
fn a_line_is_a_datagram_and_what_is_no_text_is_one() {
    let (server, port) = socket();
    let mut alice = muxnc(&["-u", HOST, &port]);
    alice.type_in("one\ntwo\n");
    assert_eq!(next(&server), b"one\n");
    assert_eq!(next(&server), b"two\n");
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x0acloudflare\x03com\0\0\x01\0\x01";
    alice.type_in(question);
    assert_eq!(next(&server), question);
    alice.type_in([&[b'x'; 1201][..], b"\n"].concat());
    assert_eq!(next(&server).len(), 1200);
    assert_eq!(next(&server), b"x\n");
    // Back, byte for byte, an empty one too, which is no end.
    server.send(b"").unwrap();
    let all: Vec<u8> = (0..=255).collect();
    server.send(&all).unwrap();
    alice.stdout.wait_until("all bytes", |got| got == all);
    assert!(alice.is_running());
}

/// Whoever writes a line in pieces has it sent as one; none is cut within a letter.
#[test]
fn a_line_that_comes_in_pieces_is_one_datagram() {
    let (server, port) = socket();
    let mut alice = muxnc(&["-u", HOST, &port]);
    for piece in [&b"hel"[..], b"lo w\xc3", b"\xb6rld", b"\nnext"] {
        alice.type_in(piece);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(next(&server), "hello w\u{f6}rld\n".as_bytes());
    alice.end_input();
    assert_eq!(next(&server), b"next");
    // What somebody asks without an end of the line waits for a while only.
    let (server, port) = socket();
    let mut alice = muxnc(&["-u", HOST, &port]);
    alice.type_in("no end");
    assert_eq!(next(&server), b"no end");
}

#[test]
fn c_sends_crlf_and_d_waits() {
    let (server, port) = socket();
    let mut alice = muxnc(&["-u", "-C", "-d", "300ms", HOST, &port]);
    alice.type_in("a\nb\n");
    assert_eq!(next(&server), b"a\r\n");
    let start = Instant::now();
    assert_eq!(next(&server), b"b\r\n");
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[test]
fn q_leaves_after_the_end_of_stdin_and_send_only_at_once() {
    let (server, port) = socket();
    let mut alice = muxnc(&["-u", "-q", "1s", HOST, &port]);
    alice.type_in("question\n");
    alice.end_input();
    assert_eq!(next(&server), b"question\n");
    server.send(b"answer\n").unwrap();
    alice.expect_status(0);
    assert_eq!(alice.stdout.text(), "answer\n");
    let (server, port) = socket();
    let mut alice = muxnc(&["-u", "--send-only", HOST, &port]);
    alice.type_in("said\n");
    alice.end_input();
    alice.expect_status(0);
    assert_eq!(next(&server), b"said\n");
    // nc's idiom: to one UDP port -w is the longest silence.
    let (server, port) = socket();
    let start = Instant::now();
    let mut alice = muxnc(&["-u", "-v", "-w", "1s", HOST, &port]);
    alice.type_in("said again\n");
    alice.end_input();
    assert_eq!(next(&server), b"said again\n");
    server.send(b"taken\n").unwrap();
    alice.expect_status(0);
    assert_eq!(alice.stdout.text(), "taken\n");
    assert!(start.elapsed() >= Duration::from_secs(1));
    let said = alice.stderr.text();
    assert!(!said.contains("until Ctrl-C"), "{said}");
    // Without any of these it stays.
    let mut alice = muxnc(&["-u", "-v", HOST, &port]);
    alice.end_input();
    alice
        .stderr
        .wait_for("stdin has ended; what comes is shown");
    assert!(alice.is_running());
}

#[test]
fn i_ends_a_silence() {
    let (server, port) = socket();
    let mut alice = muxnc(&["-u", "-i", "500ms", HOST, &port]);
    alice.type_in("hello\n");
    assert_eq!(next(&server), b"hello\n");
    alice.expect_status(1);
    let said = alice.stderr.text();
    assert!(said.contains("nothing came or went"), "{said}");
    muxnc(&["-u", "--recv-only", "-i", "100ms", HOST, &port]).expect_status(0);
}

/// The time of -q begins when there is somebody to whom something can be said.
#[test]
fn q_of_a_hub_begins_with_the_first_who_is_heard() {
    for said in ["", "who are you?\n"] {
        let (mut hub, ana) = hub(&["-q", "100ms"]);
        if !said.is_empty() {
            hub.type_in(said);
        }
        hub.end_input();
        std::thread::sleep(Duration::from_millis(500));
        assert!(hub.is_running());
        ana.send(b"Ana\n").unwrap();
        hub.expect_status(0);
        if !said.is_empty() {
            assert_eq!(next(&ana), said.as_bytes());
        }
        assert_eq!(hub.stdout.text(), "Ana\n");
    }
}

#[test]
fn that_nobody_listens_is_told() {
    let (server, port) = socket();
    drop(server);
    for args in [
        &["-u", HOST, &port][..],
        &["-u", "--send-only", HOST, &port],
    ] {
        let mut alice = muxnc(args);
        alice.type_in("anybody?\n");
        alice.end_input();
        alice.expect_status(1);
        assert_eq!(
            alice.stderr.text(),
            format!(
                "muxnc: talk to 127.0.0.1:{port} by UDP: connection refused\n  Nothing listens on that UDP \
                 port, as the machine there said (ICMP).\n"
            )
        );
    }
}

#[test]
fn a_reader_that_has_enough_ends_it() {
    let (server, port) = socket();
    let mut shell = piped(
        "sh",
        &[
            "-c",
            "\"$0\" -u -p \"$2\" 127.0.0.1 \"$1\" | head -c 1",
            MUXNC,
        ],
    );
    let (other, from) = socket();
    drop(other);
    let mut shell = Process::start(shell.args([&port, &from]));
    shell.type_in("hello\n");
    assert_eq!(next(&server), b"hello\n");
    let from: u16 = from.parse().unwrap();
    eventually("it ends", || {
        let _ = server.send_to(b"more\n", (HOST, from));
        !shell.is_running()
    });
    shell.expect_status(0);
}

/// What has no meaning with datagrams is refused, and what to do instead is said.
#[test]
fn what_makes_no_sense_is_told() {
    for (line, told) in [
        ("-u HOST 21-25", "start one for each"),
        ("-u HOST 53,53", "Write: muxnc -u HOST 53\n"),
        ("-u HOST:53", "Write them apart: muxnc -u HOST 53\n"),
        ("-l -u HOST:53", "Write them apart: muxnc -l -u HOST 53\n"),
        ("-u --dtls HOST 53", "ncat --udp --ssl speaks DTLS"),
        ("-l -u --name Ana 3000", "-u with --name: "),
        (
            "-l -u 1-5",
            "one hub listens on one port\n  For several, start one for each.\n",
        ),
        ("-l -u --once 3000", "muxnc -u HOST PORT\n"),
        ("-l -u --chat 3000", "Leave -u out"),
    ] {
        let mut muxnc = muxnc(&line.split(' ').collect::<Vec<_>>());
        muxnc.expect_status(2);
        let text = muxnc.stderr.text();
        assert!(text.contains(told), "{line}: {text}");
    }
}

// Whoever sends something

/// Where stdout and stderr are one file, the order is seen.
#[test]
fn who_is_heard_is_told_before_what_it_says() {
    let script = "exec \"$0\" -lvu 127.0.0.1 0 2>&1";
    let hub = Process::start(&mut piped("sh", &["-c", script, MUXNC]));
    let port = listening_port(&hub.stdout);
    for (number, text) in [(1, "the first"), (2, "the second")] {
        let (sender, _) = socket();
        sender.connect((HOST, port)).unwrap();
        sender.send(format!("{text}\n").as_bytes()).unwrap();
        hub.stdout.wait_for(text);
        let shown = hub.stdout.text();
        let told = format!("[{number}] {} is heard", sender.local_addr().unwrap());
        assert!(shown.find(&told) < shown.find(text), "{shown}");
        assert!(shown.contains(&told), "{shown}");
    }
}

#[test]
fn what_is_typed_goes_to_everybody_who_was_heard() {
    let (mut hub, ana) = hub(&[]);
    // What was typed before waits for the first.
    hub.type_in("first\n");
    ana.send(b"Hello, I am Ana\n").unwrap();
    assert_eq!(next(&ana), b"first\n");
    hub.stderr.wait_for("is heard, 1 here");
    let (ben, _) = socket();
    ben.connect(ana.peer_addr().unwrap()).unwrap();
    ben.send(b"And I am Ben\n").unwrap();
    hub.stderr.wait_for("is heard, 2 here");
    hub.type_in("to both\n");
    assert_eq!(next(&ana), b"to both\n");
    assert_eq!(next(&ben), b"to both\n");
    let shown = hub.stdout.wait_for("And I am Ben\n");
    assert_eq!(shown, "Hello, I am Ana\nAnd I am Ben\n");
}

/// To an address that has not shown that it receives goes three times what came from there at most, headers counted.
#[test]
fn a_forged_address_is_no_target() {
    let (mut hub, ana) = hub(&[]);
    // 33 bytes on the wire, and another 28: a burst is no answer.
    ana.send(b"12345").unwrap();
    ana.send(b"").unwrap();
    hub.stdout.wait_for("12345");
    hub.type_in("?".repeat(1000) + &"\n".repeat(41));
    hub.stderr
        .wait_for("1001 bytes did not go to [1] 127.0.0.1:");
    let told = format!("{}\n", "long".repeat(200));
    for _ in 0..6 {
        assert_eq!(next(&ana), b"\n");
    }
    ana.send(b"").unwrap();
    ana.send(b"again").unwrap();
    hub.stdout.wait_for("12345again");
    hub.type_in(&told);
    assert_eq!(next(&ana), told.as_bytes());
    let said = hub.stderr.text();
    assert_eq!(said.matches("did not go").count(), 1, "{said}");
}

/// Who has connected its socket to one of a machine's addresses hears what is said from there only.
#[test]
fn the_answer_comes_from_the_address_that_was_spoken_to() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let setup = "ip addr add fd00::1/128 dev lo && ip addr add fd00::2/128 dev lo";
    let made = namespace.piped("sh", &["-c", setup]).status().unwrap();
    for (family, hosts) in [
        (&["-4"][..], &["127.0.0.2", "127.0.0.1"][..]),
        (&["-6"], &["::1", "fd00::1", "fd00::2"]),
        (&[], &["127.0.0.2", "127.0.0.1", "::1", "fd00::2"]),
    ] {
        let args = [&["-lvu"], family, &["7000"]].concat();
        let mut hub = Process::start(&mut namespace.piped(MUXNC, &args));
        hub.stderr.wait_for("listening on");
        for host in hosts {
            if host.starts_with("fd") && !made.success() {
                continue;
            }
            for program in ["nc.openbsd", MUXNC] {
                if program != MUXNC && !installed(&[program]) {
                    continue;
                }
                let args = ["-u", host, "7000"];
                let mut ana = Process::start(&mut namespace.piped(program, &args));
                let said = format!("{program} to {host}\n");
                ana.type_in(&said);
                hub.stdout.wait_for(&said);
                hub.type_in(&said);
                ana.stdout.wait_for(&said);
            }
        }
    }
}

#[test]
fn whoever_is_silent_is_answered_no_more() {
    let (mut hub, ana) = hub(&["-i", "1s"]);
    ana.send(b"hello\n").unwrap();
    hub.stderr.wait_for("was silent for long, 0 here");
    // It waits for the next one.
    hub.type_in("later\n");
    let (ben, _) = socket();
    ben.connect(ana.peer_addr().unwrap()).unwrap();
    ben.send(b"hi\n").unwrap();
    assert_eq!(next(&ben), b"later\n");
    ana.set_nonblocking(true).unwrap();
    assert!(ana.recv(&mut [0; 10]).is_err());
}

/// On a stream not a byte is added, but between two who end no line.
#[test]
fn a_stream_has_what_came() {
    let (hub, ana) = hub(&[]);
    let (ben, _) = socket();
    ben.connect(ana.peer_addr().unwrap()).unwrap();
    let all: Vec<u8> = (0..=255).collect();
    ana.send(&all).unwrap();
    ana.send(b"more").unwrap();
    hub.stdout.wait_for("more");
    ben.send(b"42").unwrap();
    let expected = [&all[..], b"more\n42"].concat();
    hub.stdout
        .wait_until("all", |got| got.len() >= expected.len());
    assert_eq!(hub.stdout.bytes(), expected);
}

/// At a terminal each datagram is a line, with who sent it from the second on, and acts on nothing.
#[test]
fn a_terminal_has_labels_and_whole_lines() {
    let mut hub = Terminal::muxnc(&["-lu", HOST, "0"]);
    let port = listening_port(&hub.screen);
    let (ana, ben) = (socket().0, socket().0);
    ana.connect((HOST, port)).unwrap();
    ben.connect((HOST, port)).unwrap();
    ana.send(b"<13>no end").unwrap();
    hub.screen.wait_for("<13>no end");
    ana.send(b"next\x1b[2J").unwrap();
    hub.screen.wait_for("next^[[2J\r\n");
    ben.send(b"other\n").unwrap();
    hub.screen.wait_for("other");
    let screen = support::without_marks(&hub.screen.text());
    assert!(screen.contains("[2] other"), "{screen}");
    assert!(!screen.contains("no endnext"), "{screen}");
    hub.press("hi\r");
    assert_eq!(next(&ana), b"hi\n");
    assert_eq!(next(&ben), b"hi\n");
    // No command, and nothing for one alone, goes to everybody.
    for line in [
        "/msg 1 psst",
        "/msg 1 one\x04two",
        "/ms\x04g 1 psst",
        "/\x04msg 1 psst",
        "/who",
        ".msg 1 psst",
        "//who",
    ] {
        support::pause();
        hub.press(format!("{line}\r"));
    }
    assert_eq!(next(&ana), b"/who\n");
    hub.screen.wait_for("muxnc: a hub of UDP has no commands");
}

/// The same with an edit line; what is pasted is text, whatever it begins with, unless the first of it is for
/// one alone.
#[test]
fn no_command_goes_to_everybody() {
    let mut hub = Terminal::of_kind("xterm", MUXNC, &["-lu", HOST, "0"]);
    let port = listening_port(&hub.screen);
    let ana = socket().0;
    ana.connect((HOST, port)).unwrap();
    ana.send(b"one\n").unwrap();
    ana.send(b"two\n").unwrap();
    hub.screen.wait_for("two");
    let told = |hub: &Terminal| hub.screen.text().matches(" a hub of UDP").count();
    for line in ["/msg 1 psst", "/quit", "7msg 1 psst"] {
        let before = told(&hub);
        support::pause();
        hub.press(format!("{line}\r"));
        // What is pressed before the hub has read that would look like a paste.
        eventually("it is told", || told(&hub) > before);
    }
    support::pause();
    hub.press("//who\r");
    assert_eq!(next(&ana), b"/who\n");
    hub.screen.wait_for(" a hub of UDP has no commands");
    support::pause();
    hub.press("\x1b[200~/msg 1 psst\rand this\r\x1b[201~");
    hub.screen.wait_for("none of its lines was");
    support::pause();
    hub.press("\x1b[200~//x\r/msg 1 psst\r/etc/hosts\r\x1b[201~");
    assert_eq!(next(&ana), b"//x\n");
    assert_eq!(next(&ana), b"/etc/hosts\n");
}

/// Whoever does as it is told has sent the line, with an edit line and without.
#[test]
fn what_is_told_to_say_a_line_says_it() {
    for option in ["--quiet", "--no-edit"] {
        let mut hub = Terminal::of_kind("xterm", MUXNC, &["-lu", option, HOST, "0"]);
        let port = listening_port(&hub.screen);
        let ana = socket().0;
        ana.connect((HOST, port)).unwrap();
        // Who did not answer is sent a few times as much.
        ana.send(&[b'a'; 1000]).unwrap();
        hub.screen.wait_for("aaaa");
        for line in [
            "/who",
            "/whoo",
            "/2 x",
            " /shrug",
            "／who",
            "/quit",
            "/msg 1 x",
            ".msg 1 x",
            "／msg 1 x",
            "/mgs 1 x",
            "msg 1 x",
            " /msg 1 x",
        ] {
            let told = |screen: &str| {
                let screen = support::without_marks(screen);
                let lines = screen
                    .split("a hub of UDP has no commands")
                    .map(String::from);
                lines.skip(1).collect::<Vec<_>>()
            };
            let before = told(&hub.screen.text()).len();
            support::pause();
            hub.press(format!("{line}\r"));
            eventually("it is told as a whole", || {
                let told = told(&hub.screen.text());
                told.len() > before && told[before].contains("says it\r\n")
            });
            let advice = told(&hub.screen.text()).swap_remove(before);
            let again = match advice.contains("a word before it says it") {
                true => format!("she types {line}"),
                false => {
                    assert!(advice.contains("; // says it"), "{line}: {advice}");
                    format!("//{}", line.trim_start().trim_start_matches(['/', '／']))
                }
            };
            support::pause();
            hub.press(format!("{again}\r"));
            let expected = again.strip_prefix("//").map(|rest| format!("/{rest}"));
            let expected = expected.unwrap_or(again) + "\n";
            assert_eq!(
                next(&ana),
                expected.as_bytes(),
                "{option}: {line}: {advice}"
            );
        }
    }
}

/// Keys do what they do elsewhere while lines wait: for the first who is heard, or for the pause of `--delay`.
#[test]
fn keys_are_read_while_lines_wait() {
    let mut hub = Terminal::of_kind("xterm", MUXNC, &["-lu", HOST, "0"]);
    let port = listening_port(&hub.screen);
    hub.press("one\r");
    hub.screen.wait_for("nobody is here: 1 datagram waits");
    support::pause();
    hub.press("two\r");
    hub.screen.wait_for("nobody is here: 2 datagrams wait");
    support::pause();
    hub.press("not this");
    hub.screen.wait_for("not this");
    // It clears the line, and does not end muxnc.
    hub.press("\x03");
    support::pause();
    hub.press("three\r\x04");
    hub.screen.wait_for("stdin has ended");
    let ana = socket().0;
    ana.connect((HOST, port)).unwrap();
    ana.send(&[b'a'; 99]).unwrap();
    for line in ["one\n", "two\n", "three\n"] {
        assert_eq!(next(&ana), line.as_bytes());
    }

    let (other, port) = socket();
    let mut one = Terminal::of_kind("xterm", MUXNC, &["-u", "-d", "1h", HOST, &port]);
    one.screen.wait_for("sending to");
    one.press("first\r");
    assert_eq!(next(&other), b"first\n");
    one.press("second\r");
    support::pause();
    one.press("shown");
    one.screen.wait_for("shown");
}

/// Who floods a hub that is stopped, or whose stdout is stuck, loses what does not fit, and no more.
#[test]
fn a_stuck_stdout_stops_nobody() {
    // Nobody reads the pipe that it is.
    let (_stuck, stdout) = std::io::pipe().unwrap();
    let writer = stdout.try_clone().unwrap();
    let mut hub = piped(MUXNC, &["-lvu", "-q", "100ms", HOST, "0"]);
    let mut hub = Process::start(hub.stdout(stdout));
    let port = listening_port(&hub.stderr);
    let (ana, _) = socket();
    ana.connect((HOST, port)).unwrap();
    let burst = || (0..60).for_each(|_| drop(ana.send(&[b'x'; 1200])));
    // However slow the hub is: until the pipe is full, and then some that wait for it.
    eventually("the pipe is full", || {
        burst();
        let mut writable = [PollFd::new(&writer, PollFlags::OUT)];
        poll(&mut writable, Some(&Timespec::default())).unwrap() == 0
    });
    burst();
    hub.type_in("still here\n");
    assert_eq!(next(&ana), b"still here\n");
    // What came was not all shown.
    hub.end_input();
    hub.expect_status(1);
    hub.stderr.wait_for("stdout did not take the last ");
}

#[test]
fn many_addresses_are_told_of_in_sums() {
    let (hub, ana) = hub(&[]);
    let sockets: Vec<UdpSocket> = (0..60).map(|_| socket().0).collect();
    while_stopped(&hub, || {
        for socket in &sockets {
            socket.connect(ana.peer_addr().unwrap()).unwrap();
            socket.send(b"x\n").unwrap();
        }
    });
    hub.stderr.wait_for("more addresses were heard");
    let told = hub.stderr.text();
    assert!(told.matches(" is heard, ").count() < 30, "{told}");
}

// Real peers

#[test]
fn netcats_take_part_and_are_taken_part_in() {
    for (program, args) in [
        ("nc.openbsd", &["-u"][..]),
        ("ncat", &["-u"]),
        ("socat", &["-"]),
        (MUXNC, &["-u"]),
    ] {
        if program != MUXNC && !installed(&[program]) {
            continue;
        }
        let mut hub = muxnc(&["-lvu", HOST, "0"]);
        let port = listening_port(&hub.stderr).to_string();
        let place = format!("UDP:{HOST}:{port}");
        let args = match program {
            "socat" => [args, &[&*place]].concat(),
            _ => [args, &[HOST, &port]].concat(),
        };
        let mut ana = Process::start(&mut piped(program, &args));
        ana.type_in("Hello from a netcat\n");
        hub.stdout.wait_for("Hello from a netcat\n");
        hub.type_in("Hello back\n");
        ana.stdout.wait_for("Hello back\n");
    }
    if installed(&["nc.openbsd"]) {
        let (held, port) = socket();
        drop(held);
        let mut nc = Process::start(&mut piped("nc.openbsd", &["-lu", HOST, &port]));
        let table = || std::fs::read_to_string("/proc/net/udp").unwrap();
        let place = format!("0100007F:{:04X}", port.parse::<u16>().unwrap());
        eventually("nc listens", || table().contains(&place));
        let mut ana = muxnc(&["-u", HOST, &port]);
        ana.type_in("Hello\n");
        nc.stdout.wait_for("Hello\n");
        nc.type_in("back\n");
        ana.stdout.wait_for("back\n");
    }
}

/// A question to a name server, as a script asks it, and one line to a log.
#[test]
fn a_name_server_is_asked_and_a_log_is_kept() {
    if installed(&["python3"]) {
        let script = "import socket\n\
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 0))\n\
            print(s.getsockname()[1], flush=True)\n\
            q, a = s.recvfrom(512)\n\
            s.sendto(q[:2] + b'\\x81\\x80\\0\\x01\\0\\x01\\0\\0\\0\\0' + q[12:] + \
            b'\\xc0\\x0c\\0\\x01\\0\\x01\\0\\0\\0\\x3c\\0\\x04\\xc0\\0\\x02\\x07', a)\n";
        let server = Process::start(&mut piped("python3", &["-c", script]));
        let port = server.stdout.wait_for("\n").trim().to_owned();
        let mut ask = muxnc(&["-u", "-q", "1s", HOST, &port]);
        let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x0acloudflare\x03com\0\0\x01\0\x01";
        ask.type_in(question);
        ask.end_input();
        ask.expect_status(0);
        let answer = ask.stdout.bytes();
        assert!(answer.starts_with(b"\x12\x34\x81\x80"), "{answer:?}");
        assert!(answer.ends_with(&[192, 0, 2, 7]), "{answer:?}");
    }
    if installed(&["logger"]) {
        let (hub, _) = hub(&[]);
        let port = listening_port(&hub.stderr).to_string();
        let log = piped(
            "logger",
            &["-n", HOST, "-P", &port, "-d", "a line for the log"],
        )
        .output();
        assert!(log.unwrap().status.success());
        hub.stdout.wait_for("a line for the log");
        assert!(hub.stdout.text().starts_with("<13>"));
    }
}

#[test]
fn both_families_are_heard_by_default() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let hub = Process::start(&mut namespace.piped(MUXNC, &["-lvu", "7000"]));
    hub.stderr
        .wait_for("listening on [::]:7000 (UDP, IPv4 and IPv6)");
    for (number, host) in [HOST, "::1"].iter().enumerate() {
        let mut ana = Process::start(&mut namespace.piped(MUXNC, &["-u", host, "7000"]));
        ana.type_in("hello\n");
        let place = match number {
            0 => String::from("[1] 127.0.0.1:"),
            _ => String::from("[2] [::1]:"),
        };
        hub.stderr.wait_for(&place);
    }
    let mut second = Process::start(&mut namespace.piped(MUXNC, &["-lu", "7000"]));
    second.expect_status(1);
    assert!(second.stderr.text().contains("address already in use"));
}
