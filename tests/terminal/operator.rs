//! What the operator of a hub can do at the edit line, and nobody else anywhere.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use muxnc::engine::typing::SAME_PASTE;
use rustix::process::Signal;

use crate::Seat;
use crate::Stream;
use crate::expect_rest;
use crate::in_time;
use crate::support::Folder;
use crate::support::MUXNC;
#[cfg(feature = "tls")]
use crate::support::Process;
use crate::support::Watched;
use crate::support::connect;
use crate::support::eventually;
use crate::support::expect_bytes;
#[cfg(feature = "tls")]
use crate::support::fingerprint_shown;
use crate::support::listening_port;
#[cfg(feature = "tls")]
use crate::support::piped;
use crate::support::read_all;
use crate::support::stay;
#[cfg(feature = "tls")]
use crate::support::wait_at_rest;
use crate::support::without_marks;

#[test]
fn lines_typed_before_anybody_is_there_reach_the_first_to_join() {
    let (mut seat, port) = Seat::hub(&[]);
    seat.press("good morning\r");
    let first = "muxnc: nobody is here yet: 1 line waits for the first to join";
    seat.expect(&["good morning", first, ""], 0);
    seat.press("class\rto");
    let second = "muxnc: nobody is here yet: 2 lines wait for the first to join";
    seat.expect(&["good morning", first, "class", second, "to"], 2);
    let mut peer = seat.join(port);
    expect_bytes(&mut peer, "good morning\nclass\n");
    stay();
    let mut late = seat.join(port);
    seat.press("day\r");
    expect_bytes(&mut peer, "today\n");
    expect_bytes(&mut late, "today\n");
}

/// Where a participant ended its side in the middle of a line, its row ends, and what the operator says is
/// the operator's.
#[test]
fn nothing_that_the_operator_says_stands_behind_a_label() {
    for args in [&[][..], &["--label", "always"]] {
        let (mut seat, port) = Seat::hub(args);
        let mut ana = seat.join(port);
        let mut bo = seat.join(port);
        ana.write_all(b"my answer is 42").unwrap();
        ana.shutdown(Shutdown::Write).unwrap();
        let answer = "[1] my answer is 42";
        seat.expect(&[answer, ""], 0);
        seat.press("Good, thanks\rNext");
        expect_bytes(&mut bo, "Good, thanks\n");
        seat.expect(&[answer, "Good, thanks", "Next"], 4);
    }
    // And where it may go on.
    let (mut seat, port) = Seat::hub(&["--label", "always"]);
    let mut ana = seat.join(port);
    ana.write_all(b"my answer").unwrap();
    seat.expect(&["[1] my answer"], 13);
    seat.press("Good\rNext");
    seat.expect(&["[1] my answer", "Good", "Next"], 4);
    ana.write_all(b" is 42\n").unwrap();
    seat.expect(&["[1] my answer", "Good", "[1] ...  is 42", "Next"], 4);
}

#[test]
fn who_tells_everybody() {
    let (mut seat, port) = Seat::hub(&[]);
    seat.press("/who\r");
    seat.expect(&["/who", "muxnc: nobody is here", ""], 0);
    let mut ana = seat.join(port);
    let bo = seat.join(port);
    ana.write_all(b"hello\n").unwrap();
    seat.wait_for("[1] hello");
    seat.press("ok\r");
    expect_bytes(&mut ana, "ok\n");
    seat.type_lines(&["/name 2 Bo", "/mute 2", "/who"]);
    let told = seat.wait_for("muted\r\n");
    let ana = ana.local_addr().unwrap();
    let bo = bo.local_addr().unwrap();
    let line = |start: &str| {
        let found = told.lines().find(|line| line.contains(start));
        found
            .unwrap_or_else(|| panic!("{start} in {told}"))
            .to_owned()
    };
    let first = line(&format!("muxnc: [1] {ana} for "));
    let counts = "s, 6 bytes in, 3 out, behind by 0";
    assert!(first.ends_with(counts), "{first}");
    let second = line(&format!("muxnc: [2] Bo {bo} for "));
    let counts = "s, 0 bytes in, 3 out, behind by 0, muted";
    assert!(second.ends_with(counts), "{second}");
}

#[test]
fn a_message_is_for_one_alone() {
    let (mut seat, port) = Seat::hub(&[]);
    let (mut one, mut two) = (seat.join(port), seat.join(port));
    seat.type_lines(&["/msg 2 just you", "msg 2 just you", "MSG #2: just you"]);
    seat.wait_for("muxnc: msg was not sent: /msg says it to one alone; a word before it");
    seat.wait_for("muxnc: MSG was not sent: /msg says it to one alone; a word before it");
    seat.pause();
    seat.press("\x1b[200~msg 2 just you\rand you\x1b[201~\r");
    seat.wait_for("muxnc: a /msg that is pasted is neither obeyed nor said to everybody: type it");
    seat.type_lines(&["all of you", "/msg 3 nobody", "/msg 2"]);
    expect_bytes(&mut one, "all of you\n");
    expect_bytes(&mut two, "just you\nall of you\n");
    seat.wait_for("muxnc: nobody here has number 3: /who lists everybody\r\n");
    seat.wait_for("muxnc: nothing was done: /msg WHO TEXT: ");
    let (mut seat, port) = Seat::hub(&["-C"]);
    let mut one = seat.join(port);
    seat.press("/msg 1 just you\r");
    expect_bytes(&mut one, "just you\r\n");
}

#[test]
fn who_is_kicked_is_gone_and_the_others_stay() {
    let (mut seat, port) = Seat::hub(&[]);
    let (mut one, mut two) = (seat.join(port), seat.join(port));
    seat.press("/kick 1 too \x16\x1bloud\r");
    let told = "muxnc: you were disconnected: too ^[loud\n";
    assert_eq!(read_all(&mut one), told.as_bytes());
    seat.press("stay\r");
    expect_bytes(&mut two, "stay\n");
    seat.process
        .stderr
        .wait_for("was cut off by you: too ^[loud; after ");
}

/// Kicks the first member. Returns how many bytes it is told were read of it, and `exactly` how many were not.
#[track_caller]
fn kick_unread(seat: &mut Seat, exactly: &str) -> (usize, usize) {
    seat.press("/kick 1\r");
    let told = seat.process.stderr.wait_for(" bytes in, ");
    let line = told.lines().last().unwrap();
    let number = |before: &str, after: &str| {
        let (_, rest) = line.split_once(before).expect(line);
        let (number, _) = rest.split_once(after).expect(line);
        number.parse::<usize>().expect(line)
    };
    let before = format!("cut off by you, {exactly}");
    let unread = number(&before, " bytes it had said were not read; after ");
    (number("s, ", " bytes in, "), unread)
}

/// What of its words was not read is told: here for the rate, in which it may say so much more.
#[test]
fn what_one_that_is_kicked_had_said_is_read_or_counted() {
    const SAID: usize = 20_000;
    let folder = Folder::new("kick-unread");
    let events = format!("json:{}", folder.path("events"));
    let (mut seat, port) = Seat::hub(&["--rate", "1k", "--events", &events]);
    let mut one = seat.join(port);
    one.write_all(&[b'x'; SAID]).unwrap();
    // Of what comes behind the command nobody tells.
    seat.wait_for("xx");
    let (read, unread) = kick_unread(&mut seat, "");
    assert_eq!(read + unread, SAID);
    let told = [
        format!("\"reason\":\"kicked\",\"received\":{read},"),
        format!(",\"unread\":{unread},"),
    ];
    eventually("the event tells that, too", || {
        let events = std::fs::read_to_string(folder.path("events")).unwrap_or_default();
        told.iter().all(|told| events.contains(told))
    });
}

/// What its kernel and ours still had is told when it had time to read why.
#[test]
fn what_one_that_is_kicked_did_not_take_is_counted() {
    const SAID: usize = 30_000;
    let folder = Folder::new("kick-untaken");
    let events = format!("json:{}", folder.path("events"));
    let (mut seat, port) = Seat::hub(&["--broker", "--events", &events]);
    let small = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    small.set_recv_buffer_size(4096).unwrap();
    let hub = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    small.connect(&hub.into()).unwrap();
    seat.process.stderr.wait_for(" joined, 1 here");
    let mut two = seat.join(port);
    two.write_all(&[b'x'; SAID]).unwrap();
    two.write_all(b"\n").unwrap();
    let events = || std::fs::read_to_string(folder.path("events")).unwrap_or_default();
    eventually("it is said", || events().contains("\"said\""));
    seat.pause();
    seat.press("/kick 1\r");
    let wanted = ["was cut off by you; ", " did not get the last ", " bytes\n"];
    let told = seat.process.stderr.wait_for_all(&wanted);
    let number = |before: &str, after: &str| {
        let (_, rest) = told.rsplit_once(before).expect(&told);
        let (number, _) = rest.split_once(after).expect(rest);
        number.parse::<usize>().expect(rest)
    };
    let out = number(" bytes in, ", " out");
    let lost = number("get the last ", " bytes");
    assert!(out > SAID && lost > SAID / 2, "{told}");
    // It may have taken some more since.
    let events = events();
    let (_, rest) = events
        .split_once("\"reason\":\"kicked\",\"received\":0,\"sent\":")
        .expect(&events);
    let sent = rest.split(',').next().unwrap().parse::<usize>().unwrap();
    assert!(sent <= out - lost, "{sent}: {told}");
}

/// The same of TLS, of whose records a part is opened and not read.
#[cfg(feature = "tls")]
#[test]
fn what_one_that_is_kicked_had_said_in_tls_is_counted() {
    const SAID: usize = 20_000;
    // A record of its own, each with what is around it.
    const AROUND: usize = 2 * 22;
    let (mut seat, port) = Seat::hub(&["--rate", "1k", "--ssl"]);
    let fingerprint = fingerprint_shown(&seat.process.stderr);
    let place = [
        "--ssl-fingerprint",
        &fingerprint,
        "127.0.0.1",
        &port.to_string(),
    ];
    let mut one = Process::start(&mut piped(MUXNC, &place));
    seat.process.stderr.wait_for(" joined, 1 here");
    one.type_in([b'x'; SAID]);
    wait_at_rest(&one);
    let (read, unread) = kick_unread(&mut seat, "at least ");
    assert!(
        (SAID / 2..SAID + AROUND).contains(&(read + unread)),
        "{read}, {unread}"
    );
}

#[test]
fn a_name_stands_behind_the_number_and_serves_as_it() {
    let (mut seat, port) = Seat::hub(&["--broker"]);
    let (mut one, mut two) = (seat.join(port), seat.join(port));
    seat.type_lines(&[
        "/name 1 José",
        "/name 2 JOSÉ",
        "/name 2 two words",
        "/name 2 漢字",
    ]);
    seat.wait_for("muxnc: [2] is not called JOSÉ: that is taken");
    seat.wait_for("muxnc: [2] is not called two words: 1 to 16 letters");
    one.write_all(b"hello\n").unwrap();
    seat.wait_for("[1 José] hello\r\n");
    two.write_all(b"hi\n").unwrap();
    seat.wait_for("[2 漢字] hi\r\n");
    seat.type_lines(&["/msg josé, well done", "/mute 漢字"]);
    expect_bytes(&mut one, "hi\nwell done\n");
    seat.wait_for("muxnc: [2 漢字] is neither shown nor relayed now\r\n");
    seat.type_lines(&["/unmute 漢字", "/msg Eve psst"]);
    seat.wait_for("muxnc: nobody here is called Eve: /who lists everybody\r\n");
    // A name that is taken away is free.
    seat.type_lines(&["/name José", "/name 漢字 José", "/kick [2 Joe]"]);
    seat.wait_for("muxnc: that is [2 José], and not Joe: nothing was done\r\n");
    seat.type_lines(&["/kick José loud"]);
    let addr = two.local_addr().unwrap();
    let told = format!("muxnc: [2] José {addr} was cut off by you: loud;");
    seat.process.stderr.wait_for(&told);
    expect_bytes(&mut two, "hello\n");
    one.write_all(b"still here\n").unwrap();
    seat.wait_for("[1] still here\r\n");
}

#[test]
fn who_is_muted_is_neither_shown_nor_relayed() {
    let (mut seat, port) = Seat::hub(&["--broker"]);
    let (mut one, mut two) = (seat.join(port), seat.join(port));
    seat.type_lines(&["/mute 1", "muted"]);
    expect_bytes(&mut two, "muted\n");
    one.write_all(b"nobody hears this\n").unwrap();
    // When its bytes are counted they were heard, and by nobody.
    eventually("its bytes are counted", || {
        seat.type_lines(&["/who"]);
        seat.screen.text().contains(" 18 bytes in, ")
    });
    seat.type_lines(&["/mute 1", "/unmute 2"]);
    seat.wait_for("was muted before\r\n");
    seat.wait_for("was not muted\r\n");
    seat.type_lines(&["/unmute 1", "unmuted"]);
    expect_bytes(&mut two, "unmuted\n");
    one.write_all(b"all hear this\n").unwrap();
    expect_bytes(&mut two, "all hear this\n");
    let shown = seat.wait_for("[1] all hear this\r\n");
    assert!(!shown.contains("nobody hears"));
}

#[test]
fn relaying_is_switched_on_and_off() {
    let (mut seat, port) = Seat::hub(&[]);
    let (mut one, mut two) = (seat.join(port), seat.join(port));
    for (word, relayed) in [("off", false), ("on", true), ("off", false)] {
        seat.type_lines(&[&format!("/relay {word}"), &format!("now {word}")]);
        expect_bytes(&mut one, format!("now {word}\n"));
        expect_bytes(&mut two, format!("now {word}\n"));
        one.write_all(format!("while {word}\n").as_bytes()).unwrap();
        seat.wait_for(&format!("[1] while {word}\r\n"));
        if relayed {
            expect_bytes(&mut two, format!("while {word}\n"));
        }
    }
    seat.press("bye\r");
    expect_bytes(&mut two, "bye\n");
    seat.wait_for("muxnc: participants hear each other now\r\n");
    seat.wait_for("muxnc: participants hear only you now\r\n");
}

#[test]
fn stats_and_help_tell() {
    let (mut seat, port) = Seat::hub(&["-m", "1"]);
    let mut one = seat.join(port);
    seat.press("hello\r");
    expect_bytes(&mut one, "hello\n");
    one.write_all(b"hi\n").unwrap();
    seat.wait_for("hi\r\n");
    seat.type_lines(&["/stats"]);
    seat.wait_for("muxnc: 1 here of 1 that joined, 6 bytes said to everybody, 3 bytes received");
    let mut refused = connect(port);
    assert_eq!(read_all(&mut refused), b"muxnc: full, 1 are here already\n");
    seat.type_lines(&["/stats"]);
    seat.wait_for("muxnc: 1 here of 1 that joined, 1 refused, 6 bytes said");
    seat.type_lines(&["/help"]);
    for command in [
        "/who", "/msg", "/kick", "/name", "/mute", "/unmute", "/relay", "/stats", "/help", "/quit",
    ] {
        seat.wait_for(&format!("muxnc: {command} "));
    }
}

/// What participants said of lines that they did not end is not lost with the hub.
#[test]
fn unfinished_lines_are_shown_at_the_end() {
    for args in [
        &[][..],
        &["--chat"],
        &["--no-edit"],
        &["--no-edit", "--label", "always"],
    ] {
        for how in ["/quit\r", "\x03"] {
            let (mut seat, port) = Seat::hub(args);
            let (mut ana, mut bo) = (seat.join(port), seat.join(port));
            ana.write_all(b"hello\nmy answer is 42").unwrap();
            bo.write_all(b"hello\nso is mine").unwrap();
            let is_chat = args.contains(&"--chat");
            for (number, name) in [(1, "<user1> "), (2, "<user2> ")] {
                let label = if is_chat {
                    name.into()
                } else {
                    format!("[{number}] ")
                };
                seat.wait_for(&format!("{label}hello\r\n"));
            }
            seat.press(how);
            seat.wait_for("so is mine");
            let shown = without_marks(&seat.screen.text());
            for said in ["my answer is 42", "so is mine"] {
                assert_eq!(shown.matches(said).count(), 1, "{args:?} {shown:?}");
            }
        }
    }
}

#[test]
fn quit_ends_the_hub() {
    let (mut seat, port) = Seat::hub(&["-k"]);
    let mut one = seat.join(port);
    seat.press("the end\r");
    expect_bytes(&mut one, "the end\n");
    seat.pause();
    seat.press("/quit\r");
    seat.process.expect_status(0);
    seat.expect_found();
}

#[test]
fn what_is_no_command_is_explained_and_not_sent() {
    let (mut seat, port) = Seat::hub(&[]);
    let mut one = seat.join(port);
    for keys in [
        "/mgs 1 secret\r",
        "/\x16\x1b[2J\r",
        " /msg 1 secret\r",
        "  /w 1 secret\r",
        "//etc/passwd\r",
    ] {
        let said = keys.ends_with("passwd\r");
        let last = if said { "nothing" } else { "was not sent" };
        let times = seat.screen.text().matches("was not sent").count();
        seat.pause();
        seat.press(keys);
        let seen = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            said || text.matches("was not sent").count() > times
        };
        seat.screen.wait_until(last, seen);
    }
    expect_bytes(&mut one, "/etc/passwd\n");
    seat.expect(
        &[
            "/mgs 1 secret",
            "muxnc: /mgs is no command, and was not sent: /help lists them; a word before it",
            "     : says it",
            "/^[[2J",
            "muxnc: /^[[2J is no command, and was not sent: /help lists them; // says it",
            " /msg 1 secret",
            "muxnc: /msg was not sent: a command has no blank before it; a word before it",
            "     : says it",
            "  /w 1 secret",
            "muxnc: /w is no command, and was not sent: /help lists them; // says it",
            "//etc/passwd",
            "",
        ],
        0,
    );
}

/// Typed it would not be said either: that is no advice.
#[test]
fn of_a_pasted_line_for_who_is_here_it_is_told_how_it_is_said() {
    for options in [&[][..], &["--no-edit"]] {
        let (mut seat, port) = Seat::hub(options);
        let one = seat.join(port);
        for paste in [
            "\x1b[200~halves:\r/1 is half\rsecond\r\x1b[201~",
            "\x1b[200~/1 is half\r\x1b[201~",
        ] {
            let before = seat.screen.bytes().len();
            seat.press(paste);
            let why = "muxnc: /1 was not sent: /msg says it to one alone; /";
            seat.screen.wait_until(why, |shown| {
                without_marks(&String::from_utf8_lossy(&shown[before..])).contains(why)
            });
            (0..4).for_each(|_| seat.pause());
            seat.press("\r");
            seat.pause();
        }
        assert!(!seat.screen.text().contains("type it\r"));
        seat.press("the end\r");
        let heard = Watched::new(one).wait_for("the end\n");
        let said: Vec<&str> = heard.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(said, ["halves:", "second", "the end"]);
    }
}

/// Also by a name with any sign behind it, typed behind a blank or pasted; who is not here has no such name.
#[test]
fn a_line_for_who_is_here_is_not_said() {
    let (mut seat, port) = Seat::hub(&[]);
    let mut ben = seat.join(port);
    seat.type_lines(&[
        "/name 1 Ben",
        " /Ben&Ana secret",
        " /Ben! secret",
        "\u{2044}1 secret",
        " /1! secret",
        " /1&2 secret",
        " /[1]! secret",
    ]);
    let times = |seat: &Seat| {
        seat.screen
            .text()
            .matches(" was not sent: /msg says it")
            .count()
    };
    eventually("it is told of each", || times(&seat) == 6);
    // By their form alone.
    seat.type_lines(&[" /room2/3! x", " /Ana@room2! x", " /@room2& x"]);
    seat.wait_for("/@room2& is no command");
    for (nth, line) in ["/Ben&Ana secret", "/1&2 secret", "/\u{ff11}! secret"]
        .iter()
        .enumerate()
    {
        seat.pause();
        seat.press(format!("\x1b[200~{line}\rtwo\x1b[201~\r"));
        eventually("it is told of the paste", || times(&seat) == 7 + nth);
    }
    seat.pause();
    seat.type_lines(&[" /Ben/Ana x", " /Bert&Ana x", "//Ben! x"]);
    seat.type_lines(&[" /1/2 of it", " /1+1 x", " /2! x", "//1! x"]);
    expect_bytes(
        &mut ben,
        " /Ben/Ana x\n /Bert&Ana x\n/Ben! x\n /1/2 of it\n /1+1 x\n /2! x\n/1! x\n",
    );
    seat.pause();
    seat.press("\x1b[200~/2nd thing\r/1. item\r/2. item\x1b[201~\r");
    expect_bytes(&mut ben, "/2nd thing\n/1. item\n/2. item\n");
}

#[test]
fn without_commands_every_line_is_sent() {
    let (mut seat, port) = Seat::hub(&["--no-commands"]);
    let mut one = seat.join(port);
    seat.press("/quit\r//x\r/w\t\r");
    expect_bytes(&mut one, "/quit\n//x\n/w\t\n");
}

#[test]
fn a_participant_has_no_commands() {
    let (mut seat, mut server) = Seat::participant(&[]);
    seat.press("/quit\r//x\r/w\t\r");
    expect_bytes(&mut server, "/quit\n//x\n/w\t\n");
}

#[test]
fn pasted_lines_are_never_commands() {
    let (mut seat, port) = Seat::hub(&[]);
    let mut one = seat.join(port);
    seat.press("\x1b[200~/quit\r//x\r/who\x1b[201~\r");
    expect_bytes(&mut one, "/quit\n//x\n/who\n");
    seat.type_lines(&["/who"]);
    seat.wait_for("bytes in");
}

#[test]
fn tab_completes_commands_and_peers() {
    let (mut seat, port) = Seat::hub(&[]);
    let mut one = seat.join(port);
    seat.press("/k\t");
    seat.expect(&["/kick "], 6);
    seat.press("\t");
    seat.expect(&["/kick 1 "], 8);
    let two = seat.join(port);
    seat.press("\x15");
    seat.type_lines(&["/name 2 Ana"]);
    seat.pause();
    seat.press("/msg a\t");
    seat.expect(&["/name 2 Ana", "/msg Ana "], 9);
    seat.press("\x15/msg 2\t");
    seat.expect(&["/name 2 Ana", "/msg 2 "], 7);
    seat.press("\x15/m\t");
    let several = ["/name 2 Ana", "muxnc: /msg  /mute", "/m"];
    seat.expect(&several, 2);
    // In a line that is said it is what it is.
    seat.press("\x15a\tb\r");
    expect_bytes(&mut one, "a\tb\n");
    drop(two);
}

#[test]
fn what_is_pasted_without_brackets_is_text() {
    let (mut seat, port) = Seat::hub(&[]);
    let mut one = seat.join(port);
    seat.press("/quit\r/who\r//x\r/kick 1");
    expect_bytes(&mut one, "/quit\n/who\n//x\n");
    seat.press("\r");
    expect_bytes(&mut one, "/kick 1\n");
    // More than one read takes, and line ends of two bytes.
    let lines: Vec<String> = (0..400).map(|i| format!("/kick 1 line {i}")).collect();
    seat.press(lines.join("\r\n") + "\r\n");
    expect_bytes(&mut one, lines.join("\n") + "\n");
    expect_rest(&seat.process);
    seat.type_lines(&["/who"]);
    seat.wait_for("bytes in, ");
}

/// Otherwise it looks as if it had been obeyed. A script that types too fast is told, too.
#[test]
fn of_commands_in_a_paste_it_is_told_once_that_they_are_said() {
    for options in [&[][..], &["--no-edit"]] {
        let (mut seat, port) = Seat::hub(options);
        let mut one = seat.join(port);
        let told = |seat: &Seat| seat.screen.text().matches("said, and not obeyed").count();
        // Of paths and of what is no command nothing is told.
        seat.press("/etc/passwd\r/mutes 1\r//who\r");
        expect_bytes(&mut one, "/etc/passwd\n/mutes 1\n//who\n");
        seat.pause();
        seat.press("/mute 1\r\r/who\r");
        expect_bytes(&mut one, "/mute 1\n\n/who\n");
        seat.wait_for("muxnc: /mute was pasted, or typed too fast: it is said, and not obeyed");
        expect_rest(&seat.process);
        assert_eq!(told(&seat), 1);
        // What comes within a second is one to it.
        thread::sleep(Duration::from_secs(1));
        seat.press("\x1b[200~one\r/stats\r/who\r\x1b[201~");
        seat.press(if options.is_empty() { "" } else { "\r" });
        expect_bytes(&mut one, "one\n/stats\n/who\n");
        seat.wait_for("muxnc: /stats was pasted");
        assert_eq!(told(&seat), 2);
    }
}

#[test]
fn a_paste_that_holds_its_own_end_is_text() {
    let (mut seat, port) = Seat::hub(&[]);
    let mut one = seat.join(port);
    for text in [
        "\x1b[200~a\n\x1b[201~/quit\n\x1b[201~",
        "\x1b[200~\x1b[201~/quit\nmore\n\x1b[201~",
        "\x1b[200~a\n\x1b[201~\n/msg 1 x\n/kick 1\n\x1b[201~",
    ] {
        seat.press(text);
        expect_rest(&seat.process);
    }
    expect_bytes(&mut one, "a\n/quit\n/quit\nmore\na\n\n/kick 1\n");
    seat.wait_for("muxnc: a /msg that is pasted is neither obeyed");
    seat.type_lines(&["/who"]);
    seat.wait_for("bytes in, ");
}

#[test]
fn a_paste_that_the_transport_cuts_is_text() {
    for options in [&[][..], &["--no-edit"]] {
        let line = [&[MUXNC, "-l", "0", "-v"], options].concat();
        for (before, said) in [("one\rtwo\r", "one\ntwo\n"), ("one\r", "one\n")] {
            let mut seat = in_time(|| {
                let mut seat = Seat::start("xterm", Stream::Pipe, &line);
                let port = listening_port(&seat.process.stderr);
                let mut one = seat.join(port);
                let begun = Instant::now();
                seat.press(before);
                expect_bytes(&mut one, said);
                seat.press("/quit\r");
                let mut rest = [0; 6];
                let count = one.read(&mut rest).unwrap();
                let is_soon = begun.elapsed() < SAME_PASTE;
                is_soon.then(|| {
                    assert_eq!(&rest[..count], b"/quit\n");
                    seat
                })
            });
            // A program that sends a line in one piece is as good as somebody who types it.
            seat.pause();
            seat.press("/quit\r");
            seat.process.expect_status(0);
        }
    }
}

#[test]
fn behind_the_end_nothing_is_said() {
    let (mut seat, port) = Seat::hub(&["-k"]);
    let mut one = seat.join(port);
    seat.press("before\r");
    expect_bytes(&mut one, "before\n");
    seat.pause();
    seat.press("\x04more\r");
    expect_rest(&seat.process);
    seat.process.signal(Signal::TERM);
    assert_eq!(read_all(&mut one), b"");
}

#[test]
fn what_looks_like_a_command_is_not_said() {
    let (mut seat, port) = Seat::hub(&[]);
    let mut one = seat.join(port);
    for (line, told) in [
        (
            "\u{ff0f}msg 1 s",
            "muxnc: \u{ff0f}msg was not sent: a command begins with a plain /",
        ),
        (
            "\u{2060}/msg 1 s",
            "muxnc: /msg was not sent: a command has nothing before it",
        ),
        (
            "\u{3000}/quit",
            "muxnc: /quit was not sent: a command has no blank before it",
        ),
    ] {
        seat.pause();
        seat.press(format!("{line}\r"));
        seat.wait_for(told);
    }
    seat.pause();
    seat.press("\x1b[200~all\n\u{2044}msg 1 secret\nof them\n\x1b[201~");
    expect_bytes(&mut one, "all\nof them\n");
    seat.wait_for("muxnc: a /msg that is pasted is neither obeyed");
}

#[test]
fn of_a_full_line_it_is_told_once() {
    let (mut seat, port) = Seat::hub(&[]);
    let one = seat.join(port);
    let mut keyboard = seat.keyboard.try_clone().unwrap();
    let keys = thread::spawn(move || keyboard.write_all(&vec![b'q'; 1_200_000]).unwrap());
    seat.wait_for("muxnc: that line is full\r\n");
    keys.join().unwrap();
    expect_rest(&seat.process);
    seat.press("\r");
    let mut said = String::new();
    BufReader::new(&one).read_line(&mut said).unwrap();
    assert!(said.len() > 1_000_000, "{}", said.len());
    let told = seat.screen.text().matches("that line is full").count();
    assert_eq!(told, 1);
}

#[test]
fn a_paste_does_not_end_a_command() {
    let (mut seat, port) = Seat::hub(&[]);
    let (mut one, mut two) = (seat.join(port), seat.join(port));
    seat.press("/msg 2 ");
    seat.expect(&["/msg 2 "], 7);
    seat.press("\x1b[200~a secret\rof three\r\nlines\x1b[201~");
    seat.expect(&["/msg 2 a secret of three lines"], 30);
    seat.pause();
    seat.press("\r");
    expect_bytes(&mut two, "a secret of three lines\n");
    // Pasted as a whole it is no command, and not for everybody either; nor is what names who is here.
    seat.pause();
    seat.press("\x1b[200~hello\r/msg 2 psst\r/2 psst\rall\r\x1b[201~");
    expect_bytes(&mut one, "hello\nall\n");
    expect_bytes(&mut two, "hello\nall\n");
    seat.wait_for(
        "muxnc: a /msg that is pasted is neither obeyed nor said to everybody: type it\r\n",
    );
    // At a participant no line is a command.
    let (mut seat, mut server) = Seat::participant(&[]);
    seat.press("/msg ");
    seat.expect(&["/msg "], 5);
    seat.press("\x1b[200~a\rb\r\x1b[201~");
    expect_bytes(&mut server, "/msg a\nb\n");
}

/// A hub that is held up reads both at once: the brackets tell where the paste begins.
#[test]
fn enter_ends_a_command_though_a_paste_comes_in_the_same_read() {
    let (mut seat, port) = Seat::hub(&[]);
    let (mut one, mut two) = (seat.join(port), seat.join(port));
    seat.press("/who");
    seat.expect(&["/who"], 4);
    seat.press("\r\x1b[200~all\rof it\r\x1b[201~");
    expect_bytes(&mut one, "all\nof it\n");
    seat.wait_for(", behind by ");
    seat.pause();
    seat.press("/msg 2 psst");
    seat.wait_for("/msg 2 psst");
    seat.press("\r\x1b[200~more\rof it\r\x1b[201~");
    expect_bytes(&mut two, "all\nof it\npsst\n");
    seat.wait_for("a paste with or behind a line for one alone is not said to everybody");
    seat.pause();
    seat.press("after\r");
    for peer in [&mut one, &mut two] {
        expect_bytes(peer, "after\n");
    }
}

/// Two pastes that a held-up hub reads at once, and the row on which the first of them, or what was typed,
/// ends: the brackets tell that the second is another.
#[test]
fn of_a_paste_with_a_message_behind_a_row_nothing_is_said() {
    for options in [&[][..], &["--no-edit"]] {
        for keys in [
            "\x1b[200~one\rtwo\x1b[201~\x1b[200~/msg 1 secret\rthree\r\x1b[201~",
            "\x1b[200~one\r \x1b[201~\x1b[200~/msg 1 secret\rthree\r\x1b[201~",
            "\x1b[200~one\r/\x1b[201~\x1b[200~msg 1 secret\rthree\r\x1b[201~",
            "\x1b[200~one\r/msg 1 \x1b[201~\x1b[200~secret\rthree\r\x1b[201~",
            "one\rx\x1b[200~/msg 1 secret\rthree\r\x1b[201~",
        ] {
            let (mut seat, port) = Seat::hub(options);
            let (_one, mut two) = (seat.join(port), seat.join(port));
            seat.press(keys);
            expect_bytes(&mut two, "one\n");
            seat.wait_for("is not said to everybody");
            // Without an edit line the next one is asked for again.
            for line in ["the end\r", "the end\r"] {
                (0..4).for_each(|_| seat.pause());
                seat.press(line);
            }
            expect_bytes(&mut two, "the end\n");
        }
    }
}

/// Its other lines may be for the same participant.
#[test]
fn of_a_paste_that_begins_with_a_message_nothing_is_said() {
    let told = "muxnc: a paste with or behind a line for one alone is not said to everybody";
    for options in [&[][..], &["--no-edit"], &["--no-edit", "--broker"]] {
        for paste in [
            "/msg 1 one\rtwo\rthree\r",
            "7msg 1 one\rtwo\rthree\r",
            // By the number of somebody who is here.
            "/1 one\rtwo\rthree\r",
            "\x1b[200~/1 one\rtwo\rthree\r\x1b[201~",
            "\x1b[200~/1 one\rtwo\rthree\x1b[201~",
            "\x1b[200~/msg 1 one\rtwo\rthree\r\x1b[201~",
            // Its last line is ended by Enter.
            "\x1b[200~/msg 1 one\rtwo\rthree\x1b[201~",
        ] {
            let (mut seat, port) = Seat::hub(options);
            let (mut one, mut two) = (seat.join(port), seat.join(port));
            if options.contains(&"--no-edit") {
                // A part of a line that is sent does not hide what it is.
                seat.press("hello \x04");
                seat.pause();
            }
            seat.press(paste);
            seat.wait_for(told);
            seat.pause();
            seat.press("\r");
            // The hub may read that late, and takes what comes directly behind it for a paste.
            (0..4).for_each(|_| seat.pause());
            seat.press("the end\r");
            for peer in [&mut one, &mut two] {
                let mut heard = Vec::new();
                while !heard.ends_with(b"the end\n") {
                    let mut byte = [0];
                    peer.read_exact(&mut byte).unwrap();
                    heard.extend(byte);
                }
                let heard = String::from_utf8(heard).unwrap();
                let is_of_it = |word| heard.contains(word);
                let said = ["one", "two", "three"].into_iter().any(is_of_it);
                assert!(!said, "{options:?}, {paste:?}: {heard:?}");
            }
        }
    }
}

/// The same directly behind a line that was typed, however that says for whom it is; with an edit line and without.
#[test]
fn of_a_paste_behind_a_typed_line_for_one_alone_nothing_is_said() {
    for options in [&[][..], &["--no-edit"]] {
        for line in [
            "/msg Ana a",
            "/mgs Ana a",
            "msg 1 a",
            "/2 a",
            "/Ana a",
            "/Ana& a",
            " /Ana& a",
            "\u{2044}1 a",
            "\x1b/1 a",
        ] {
            let others: &[&str] = match line {
                "/2 a" => &["secret\rlast", "\x1b[200~secret\rmore\r\x1b[201~"],
                _ => &[],
            };
            for paste in [&["secret\rmore\r"], others].concat() {
                in_time(|| {
                    let (mut seat, port) = Seat::hub(options);
                    let (mut one, two) = (seat.join(port), seat.join(port));
                    let heard = Watched::new(two);
                    seat.type_lines(&["/name 1 Ana"]);
                    seat.pause();
                    let keys = match line.strip_prefix('\x1b') {
                        Some(keys) => {
                            // Longer than the rest of a key may take.
                            seat.press("\x1b");
                            (0..3).for_each(|_| seat.pause());
                            keys
                        }
                        None => line,
                    };
                    let begun = Instant::now();
                    seat.press(format!("{keys}\r"));
                    match line {
                        "/msg Ana a" => expect_bytes(&mut one, "a\n"),
                        _ => _ = seat.wait_for("was not sent"),
                    }
                    seat.press(paste);
                    let is_said = || heard.text().contains("secret");
                    eventually("it is refused or said", || {
                        is_said() || seat.screen.text().contains("none of its lines was")
                    });
                    if begun.elapsed() >= SAME_PASTE && is_said() {
                        return None;
                    }
                    // The last row is ended, and the line behind it is another.
                    seat.pause();
                    seat.press("\r");
                    (0..4).for_each(|_| seat.pause());
                    seat.press("the end\r");
                    let heard = heard.wait_for("the end\n");
                    let is_of_it = |word| heard.contains(word);
                    let said = ["secret", "more", "last"].into_iter().any(is_of_it);
                    assert!(!said, "{options:?}, {line:?}, {paste:?}: {heard:?}");
                    Some(())
                });
            }
        }
    }
}

/// Whoever is used to let Tab write the rest of it does so behind a slip, too.
#[test]
fn tab_completes_half_a_message_behind_a_slip() {
    let (mut seat, port) = Seat::hub(&[]);
    let mut one = seat.join(port);
    for (half, told) in [
        (".ms", "muxnc: .msg was not sent: "),
        ("//ms", "muxnc: //msg was not sent: "),
        ("half/ms", "muxnc: half/msg was not sent: "),
        (".MS", "muxnc: .MSg was not sent: "),
        ("7ms", "muxnc: 7ms was not sent: "),
        (".m", "muxnc: .m was not sent: "),
    ] {
        seat.press(format!("{half}\t1 secret\r"));
        seat.wait_for(told);
        seat.pause();
    }
    seat.type_lines(&["5ms\tall"]);
    expect_bytes(&mut one, "5ms\tall\n");
}

#[test]
fn a_paste_behind_what_looks_like_a_command_is_not_said() {
    let (mut seat, port) = Seat::hub(&[]);
    let mut one = seat.join(port);
    for (beginning, told) in [
        (" /msg 1 ", "muxnc: /msg was not sent: "),
        (".msg 1 ", "muxnc: .msg was not sent: "),
        ("7msg 1 ", "muxnc: 7msg was not sent: "),
        ("half/msg 1 ", "muxnc: half/msg was not sent: "),
        ("//msg 1 ", "muxnc: //msg was not sent: "),
    ] {
        seat.pause();
        seat.press(beginning);
        seat.pause();
        seat.press("\x1b[200~a secret\rof three\rlines\r\x1b[201~");
        seat.wait_for(&format!("{beginning}a secret of three lines"));
        seat.pause();
        seat.press("\r");
        seat.wait_for(told);
    }
    seat.pause();
    seat.type_lines(&["all"]);
    expect_bytes(&mut one, "all\n");
}

#[test]
fn of_a_key_that_was_held_up_nothing_is_said_and_behind_an_esc_nothing_is_swallowed() {
    let (mut seat, port) = Seat::hub(&[]);
    let mut one = seat.join(port);
    let escape = |seat: &mut Seat| {
        seat.press("\x1b");
        // Longer than the rest of a key may take.
        (0..3).for_each(|_| seat.pause());
    };
    escape(&mut seat);
    seat.press("OP/kick 1\r");
    seat.wait_for("muxnc: /kick was not sent: a command has nothing before it");
    escape(&mut seat);
    seat.press("[Dear all\r");
    expect_bytes(&mut one, "[Dear all\n");
    escape(&mut seat);
    seat.press("/who\r");
    seat.wait_for("muxnc: [1] 127.0.0.1:");
    escape(&mut seat);
    seat.press("//who\r");
    expect_bytes(&mut one, "/who\n");
    seat.pause();
    seat.press("\x1b[200~\x1b[C/msg 1 secret\nof two lines\n\x1b[201~");
    seat.wait_for("muxnc: a paste with or behind a line for one alone is not said to everybody");
    seat.pause();
    seat.press("all\r");
    expect_bytes(&mut one, "all\n");
}

/// Where the kernel edits the line it is not known where a paste begins in it.
#[test]
fn a_paste_that_begins_with_a_command_is_not_said_where_the_kernel_edits() {
    let (mut seat, port) = Seat::hub(&["--no-edit"]);
    let (mut one, mut two) = (seat.join(port), seat.join(port));
    seat.press("/msg 2 ");
    seat.press("a secret\nof three\nlines");
    seat.wait_for("muxnc: a paste with or behind a line for one alone is not said to everybody");
    seat.pause();
    // The last of them stands in the kernel until Enter.
    seat.press("\n");
    seat.wait_for("muxnc: that was not said either");
    seat.pause();
    seat.press("\x1b[A/2 psst\n");
    seat.wait_for("/2 was not sent: a command has nothing before it");
    seat.type_lines(&["hello"]);
    expect_bytes(&mut one, "hello\n");
    expect_bytes(&mut two, "hello\n");
}

#[test]
fn commands_work_without_an_edit_line_too() {
    for (mut seat, port) in Seat::plain_hubs() {
        let mut one = seat.join(port);
        seat.press("/who\r");
        seat.wait_for("muxnc: [1] 127.0.0.1:");
        seat.pause();
        seat.press("/msg 1 psst\r");
        expect_bytes(&mut one, "psst\n");
        seat.pause();
        seat.press("hello\r");
        expect_bytes(&mut one, "hello\n");
        seat.pause();
        seat.press("/whoo\r");
        seat.wait_for("muxnc: /whoo is no command, and was not sent");
        seat.pause();
        seat.press("/quit\r/msg 1 secret\rtwo\r");
        expect_bytes(&mut one, "/quit\ntwo\n");
        seat.wait_for("muxnc: a /msg that is pasted is neither obeyed");
        expect_rest(&seat.process);
        // Brackets are no text, and what stands in them is.
        seat.pause();
        seat.press("\x1b[200~aaa\r/msg 1 secret\r/quit\rbbb\x1b[201~\r");
        expect_bytes(&mut one, "aaa\n/quit\nbbb\n");
        seat.pause();
        seat.press("\x1b[200~bbb\r/msg 1 secret\rccc\r\x1b[201~");
        expect_bytes(&mut one, "bbb\nccc\n");
        seat.pause();
        // One line, and Enter is pressed behind it.
        seat.press("\x1b[200~/quit\x1b[201~");
        seat.pause();
        seat.press("\r");
        seat.process.expect_status(0);
    }
}

#[test]
fn brackets_around_a_paste_are_said_to_nobody_also_without_commands() {
    let (mut seat, port) = Seat::hub(&["--no-edit", "--no-commands"]);
    let mut one = seat.join(port);
    seat.press("\x1b[200~/who\r\x1b[A\x1b[201~\r");
    expect_bytes(&mut one, "/who\n\x1b[A\n");
}

/// There nothing is for one alone, typed or pasted.
#[test]
fn without_commands_every_line_of_a_paste_is_said() {
    let (mut seat, port) = Seat::hub(&["--no-commands"]);
    let mut one = seat.join(port);
    seat.press("\x1b[200~/msg 1 one\rtwo\r\x1b[201~");
    expect_bytes(&mut one, "/msg 1 one\ntwo\n");
    seat.pause();
    seat.press("/msg 1 three\r");
    seat.press("\x1b[200~four\rfive\r\x1b[201~");
    expect_bytes(&mut one, "/msg 1 three\nfour\nfive\n");
}

#[test]
fn after_much_that_waits_commands_work_and_little_is_told() {
    let (mut seat, port) = Seat::hub(&[]);
    let text: String = (0..3000)
        .map(|i| format!("pasted line number {i:06}, of many\r"))
        .collect();
    assert!(text.len() > 100_000);
    let mut keyboard = seat.keyboard.try_clone().unwrap();
    let keys = format!("\x1b[200~{text}\x1b[201~");
    let paste = thread::spawn(move || keyboard.write_all(keys.as_bytes()).unwrap());
    seat.wait_for("pasted line number 002999, of many\r\n");
    paste.join().unwrap();
    expect_rest(&seat.process);
    seat.type_lines(&["/who"]);
    let told = seat.wait_for("muxnc: nobody is here\r\n");
    let notices = told.matches("wait for the first to join").count();
    assert!((1..20).contains(&notices), "{notices} notices");
    let mut one = seat.join(port);
    expect_bytes(&mut one, text.replace('\r', "\n"));
}

#[test]
fn tab_offers_what_a_command_takes() {
    let (mut seat, port) = Seat::hub(&[]);
    let one = seat.join(port);
    for (keys, completed) in [
        ("/MS\t", "/msg "),
        ("/MSG\t", "/msg "),
        ("/allow \t", "/allow all "),
        ("/unban \t", "/unban "),
        ("/who \t", "/who "),
        ("/ban \t", "/ban 1 "),
        ("/help ki\t", "/help kick "),
    ] {
        seat.press(format!("\x15{keys}"));
        seat.expect(&[completed], completed.len().try_into().unwrap());
    }
    drop(one);
    seat.press("\x15");
    seat.press("/relay \t");
    seat.expect(&["muxnc: on  off", "/relay "], 7);
    seat.press("of\t");
    seat.expect(&["muxnc: on  off", "/relay off "], 11);
}

#[test]
fn text_that_nobody_could_read_is_explained_once() {
    let (seat, port) = Seat::hub(&[]);
    let (mut old, mut wide) = (seat.join(port), seat.join(port));
    let mut progress = seat.join(port);
    progress.write_all(b"10 %\r20 %\r30 %").unwrap();
    progress.write_all(b"\r\n").unwrap();
    for _ in 0..3 {
        old.write_all(b"one\rtwo\r").unwrap();
        wide.write_all(b"h\0i\0\r\0\n\0").unwrap();
    }
    let told = |what: &str| seat.process.stderr.text().matches(what).count();
    seat.process.stderr.wait_for("ends its lines with CR alone");
    seat.process.stderr.wait_for("sends UTF-16");
    old.write_all(b"\n").unwrap();
    wide.write_all(b"x\n").unwrap();
    seat.wait_for("one^Mtwo^M");
    expect_rest(&seat.process);
    assert_eq!((told("CR alone"), told("UTF-16")), (1, 1));
}
