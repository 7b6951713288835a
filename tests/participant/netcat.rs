//! What whoever knows nc and ncat relies on, from their manuals: each of the cases below is tried
//! with them, too, where they are installed, and they agree but where it says why not.

use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::support::DEADLINE;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::Watched;
use crate::support::accept;
use crate::support::connect;
use crate::support::eventually;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::listening;
use crate::support::muxnc;
use crate::support::piped;
use crate::support::read_all;
use crate::support::reserved_port;
use crate::support::reserved_port_at;
use crate::support::wait_end_known;
use crate::support::while_stopped;
use muxnc::hub::peers::MOMENT;
use rustix::process::Signal;

const HOST: &str = "127.0.0.1";

/// The netcats that are installed, and muxnc: whatever is said of all is said of these.
fn netcats() -> Vec<&'static str> {
    let mut all = vec![MUXNC];
    all.extend(["nc.openbsd", "ncat"].iter().filter(|nc| installed(&[nc])));
    all
}

/// Somebody who listens, and where.
fn server() -> (TcpListener, String) {
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

// -z

#[test]
fn z_connects_sends_nothing_and_leaves() {
    for nc in netcats() {
        let (listener, port) = server();
        let mut probe = Process::start(&mut piped(nc, &["-z", HOST, &port]));
        // It may be gone already.
        let _ = probe.stdin.as_mut().unwrap().write_all(b"never sent\n");
        assert_eq!(read_all(&mut accept(&listener)), b"", "{nc}");
        probe.expect_status(0);
        assert_eq!(probe.stdout.bytes(), b"", "{nc}");
        assert_eq!(probe.stderr.text(), "", "{nc}");
    }
}

#[test]
fn z_fails_where_nothing_listens() {
    let (_held, port) = reserved_port();
    for nc in netcats() {
        let mut probe = Process::start(&mut piped(nc, &["-z", HOST, &port.to_string()]));
        probe.expect_status(1);
        assert_eq!(probe.stdout.bytes(), b"", "{nc}");
        if nc == MUXNC {
            let text = probe.stderr.text();
            let said = format!("muxnc: connect to 127.0.0.1:{port}: connection refused\n");
            assert!(text.starts_with(&said), "{text}");
        }
    }
}

#[test]
fn z_says_with_v_that_something_listens() {
    let (_listener, port) = server();
    let mut probe = muxnc(&["-zv", HOST, &port]);
    probe.expect_status(0);
    assert_eq!(
        probe.stderr.text(),
        format!("muxnc: connected to 127.0.0.1:{port}\n")
    );
}

#[test]
fn z_respects_where_from_and_which_family() {
    let (listener, port) = server();
    let (_held, from) = reserved_port();
    let from = from.to_string();
    muxnc(&["-z", "-s", HOST, "-p", &from, HOST, &port]).expect_status(0);
    assert_eq!(
        accept(&listener).peer_addr().unwrap().port().to_string(),
        from
    );
    muxnc(&["-z", "-4", "localhost", &port]).expect_status(0);
    muxnc(&["-z", "-6", "localhost", &port]).expect_status(1);
    muxnc(&["-z", "-6", HOST, &port]).expect_status(2);
    muxnc(&["-z", "-n", "localhost", &port]).expect_status(2);
    if let Ok(six) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        let port = six.local_addr().unwrap().port().to_string();
        muxnc(&["-z", "-6", "::1", &port]).expect_status(0);
        muxnc(&["-z", "-4", "::1", &port]).expect_status(2);
    }
}

#[test]
fn z_gives_up_when_w_has_passed() {
    // Nobody accepts, and what the kernel would accept by itself is used up.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    socket.listen(0).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&addr, Duration::from_millis(200)) {
        waiting.push(stream);
    }
    let port = addr.port().to_string();
    let start = Instant::now();
    let mut probe = muxnc(&["-z", "-w", "300ms", HOST, &port]);
    probe.expect_status(1);
    assert!(start.elapsed() >= Duration::from_millis(300));
    let text = probe.stderr.text();
    assert!(text.contains(": timed out\n"), "{text}");
}

#[test]
fn z_that_makes_no_sense_is_told() {
    let mut range = muxnc(&["-z", HOST, "25-20"]);
    range.expect_status(2);
    assert_eq!(
        range.stderr.text(),
        "muxnc: ports '25-20': the range 25-20 ends before it begins\n  Write: 20-25\n"
    );
    let mut several = muxnc(&[HOST, "20-25"]);
    several.expect_status(2);
    let text = several.stderr.text();
    assert!(
        text.contains("-z looks: muxnc -z 127.0.0.1 20-25\n"),
        "{text}"
    );
    for (args, told) in [
        (
            &["-zv", HOST, "20:25"][..],
            "a range of ports is written with a hyphen\n  Write: muxnc -z 127.0.0.1 20-25\n",
        ),
        (
            &["-z", HOST, "20:25,80"],
            "a range of ports is written with a hyphen\n  Write: muxnc -z 127.0.0.1 20-25,80\n",
        ),
        (
            &[HOST, "20:25"],
            "one connection goes to one port\n  Whether they are open, -z looks: muxnc -z \
             127.0.0.1 20-25\n",
        ),
        (
            &["-z", HOST, "localhost:25"],
            "one port is wanted\n  Write: muxnc 127.0.0.1 25\n",
        ),
        (
            &["-l", HOST, "20:25"],
            "one port is wanted\n  Write: muxnc -l 127.0.0.1 25\n",
        ),
    ] {
        let mut refused = muxnc(args);
        refused.expect_status(2);
        let text = refused.stderr.text();
        assert!(text.ends_with(told), "{args:?}: {text}");
    }
    for args in [
        &["-z", HOST, "80,"][..],
        &["-z", HOST, "80,0"],
        &["-z", HOST, "1-70000"],
        &["-z", "-n", HOST, "80,http"],
        &["-z", "--ssl", HOST, "80,443"],
        &["-z", "--ssl", HOST, "80-80"],
        &["-z", "--explain", HOST, "80,443"],
        &["-z", "-l", "0"],
        &["-z", HOST],
        &["-z", HOST, "20", "25"],
        &["-z", HOST, "-20"],
        &["-z", HOST, "0"],
        &["-z", "--send-only", HOST, "20"],
        &["-z", "--sha256", HOST, "20"],
        &["-z", "--sha256", HOST, "20-21"],
        &["-z", "-o", "never-written", HOST, "20-21"],
        &["-z", "-x", "never-written", HOST, "20"],
        &["-z", "-d", "1", HOST, "20,21"],
    ] {
        muxnc(args).expect_status(2);
    }
}

// Exit statuses

#[test]
fn refused_is_1_and_nonsense_is_2() {
    let (_held, port) = reserved_port();
    for nc in netcats() {
        Process::start(&mut piped(nc, &[HOST, &port.to_string()])).expect_status(1);
        // nc knows only one kind of failure.
        let usage = if nc == "nc.openbsd" { 1 } else { 2 };
        Process::start(&mut piped(nc, &[HOST, "99999"])).expect_status(usage);
        Process::start(&mut piped(nc, &["-z", "-l", "9"])).expect_status(usage);
    }
}

// Where from

#[test]
fn p_and_s_say_where_a_connection_comes_from() {
    for nc in netcats() {
        let (listener, port) = server();
        // Not of every address: nc.openbsd binds without SO_REUSEADDR, so it could not have 127.0.0.2's.
        let (_held, from) = reserved_port_at(Ipv4Addr::LOCALHOST.into()).unwrap();
        let from_port = from.to_string();
        let args = ["-s", "127.0.0.2", "-p", &from_port, HOST, &port];
        let _nc = Process::start(&mut piped(nc, &args));
        let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), from));
        assert_eq!(accept(&listener).peer_addr().unwrap(), from, "{nc}");
    }
}

// -C

#[test]
fn c_makes_the_same_of_a_line_wherever_it_is_cut() {
    for nc in netcats() {
        if nc == "nc.openbsd" {
            // It forgets the CR that came with the last read, and doubles it.
            continue;
        }
        let (listener, port) = server();
        let mut process = Process::start(&mut piped(nc, &["-C", HOST, &port]));
        let mut stream = accept(&listener);
        for (typed, sent) in [
            ("a\r", "a\r"),
            ("\nb", "\nb"),
            ("\n", "\r\n"),
            ("\n\nc\r\n", "\r\n\r\nc\r\n"),
            ("\n", "\r\n"),
            ("\r", "\r"),
            ("\r\n", "\r\n"),
            ("d", "d"),
        ] {
            process.type_in(typed);
            // Only now the next is typed, so it is read on its own.
            expect_bytes(&mut stream, sent);
        }
    }
}

// The end of either direction, on either side

/// A netcat that ends its side with its stdin, connected to a stream: as the one who connects, and
/// as the one who listens.
fn connected(nc: &str, more: &[&str]) -> [(Process, TcpStream); 2] {
    let ends: &[&str] = if nc == "nc.openbsd" { &["-N"] } else { &[] };
    let (listener, port) = server();
    let mut caller = piped(nc, &[HOST, &port]);
    let caller = Process::start(caller.args(ends).args(more));
    let mut callee = match nc {
        MUXNC => piped(nc, &["-l", "--once", HOST, "0"]),
        _ => piped(nc, &["-l", HOST, "0"]),
    };
    let mut callee = Process::start(callee.args(ends).args(more));
    let stream = connect(listening(&mut callee));
    [(caller, accept(&listener)), (callee, stream)]
}

#[test]
fn after_the_end_of_stdin_what_the_other_side_says_is_still_received() {
    for nc in netcats() {
        for (mut process, mut stream) in connected(nc, &[]) {
            process.type_in("question");
            process.end_input();
            assert_eq!(read_all(&mut stream), b"question", "{nc}");
            stream.write_all(b"answer").unwrap();
            drop(stream);
            process.expect_status(0);
            assert_eq!(process.stdout.text(), "answer", "{nc}");
        }
    }
}

#[test]
fn after_the_other_sides_end_a_pipe_is_still_sent_to_its_end() {
    for nc in netcats() {
        let [caller, callee] = connected(nc, &[]);
        // The listener of ncat leaves as soon as the other side has ended.
        let callee = Some(callee).filter(|_| nc != "ncat");
        for (mut process, mut stream) in [Some(caller), callee].into_iter().flatten() {
            process.type_in("one\n");
            expect_bytes(&mut stream, "one\n");
            let mut stdin = process.stdin.take().unwrap();
            while_stopped(&process, || {
                stream.write_all(b"all").unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                stdin.write_all(b"two\n").unwrap();
            });
            drop(stdin);
            process.stdout.wait_for("all");
            assert_eq!(read_all(&mut stream), b"two\n", "{nc}");
            process.expect_status(0);
        }
    }
}

// --send-only, --recv-only

#[test]
fn send_only_throws_away_what_comes_on_either_side() {
    for nc in [MUXNC, "ncat"] {
        if nc == "ncat" && !installed(&["ncat"]) {
            continue;
        }
        for (mut process, mut stream) in connected(nc, &["--send-only"]) {
            stream.write_all(b"thrown away").unwrap();
            process.type_in("sent");
            process.end_input();
            let mut got = Vec::new();
            // ncat leaves what came unread, which resets the connection.
            let end = stream.read_to_end(&mut got);
            assert!(end.is_ok() || nc == "ncat");
            assert_eq!(got, b"sent", "{nc}");
            drop(stream);
            process.expect_status(0);
            assert_eq!(process.stdout.text(), "", "{nc}");
        }
    }
}

#[test]
fn recv_only_sends_nothing_and_ends_with_the_other_side() {
    for nc in [MUXNC, "ncat"] {
        if nc == "ncat" && !installed(&["ncat"]) {
            continue;
        }
        for (mut process, mut stream) in connected(nc, &["--recv-only"]) {
            let _ = process.stdin.as_mut().unwrap().write_all(b"never sent");
            stream.write_all(b"received").unwrap();
            process.stdout.wait_for("received");
            stream.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_all(&mut stream), b"", "{nc}");
            process.expect_status(0);
            assert_eq!(process.stdout.text(), "received", "{nc}");
        }
    }
}

#[test]
fn a_broker_that_only_receives_sends_nothing_not_even_what_others_say() {
    let mut hub = Hub::start(&["-v", "--broker", "--recv-only"]);
    let (mut one, mut two) = (hub.join_seen(), hub.join_seen());
    hub.process.type_in("never said\n");
    hub.process.end_input();
    one.write_all(b"from one\n").unwrap();
    hub.process.stdout.wait_for("from one\n");
    two.write_all(b"from two\n").unwrap();
    // What is relayed is written before the turn in which it was read shows it here.
    hub.process.stdout.wait_for("from two\n");
    for peer in [&one, &two] {
        peer.set_nonblocking(true).unwrap();
        let said = peer.peek(&mut [0]).expect_err("nothing was sent");
        assert_eq!(said.kind(), std::io::ErrorKind::WouldBlock);
    }
    assert!(hub.process.is_running());
}

#[test]
fn a_broker_that_only_sends_throws_away_what_members_say_and_ends_with_stdin() {
    let mut hub = Hub::start(&["-v", "--broker", "--send-only"]);
    let (mut one, mut two) = (hub.join_seen(), hub.join_seen());
    // More than the kernels hold: it is read.
    one.write_all(&[b'x'; 8 << 20]).unwrap();
    one.write_all(b"\nfrom one\n").unwrap();
    hub.process.type_in("from the hub\n");
    hub.process.end_input();
    expect_bytes(&mut one, "from the hub\n");
    assert_eq!(read_all(&mut two), b"from the hub\n");
    drop((one, two));
    hub.process.expect_status(0);
    assert_eq!(hub.process.stdout.text(), "");
}

// A place that was left is free for the next, as it is in ncat

#[test]
fn the_place_of_who_left_is_free_for_the_next() {
    for options in [&[][..], &["-k"], &["--broker"]] {
        let mut hub = Hub::start(&[&["-v", "-m", "1"], options].concat());
        for number in 1..=3 {
            let mut peer = hub.join_seen();
            peer.write_all(format!("from {number}\n").as_bytes())
                .unwrap();
            hub.process.stdout.wait_for(&format!("from {number}\n"));
            let addr = peer.local_addr().unwrap();
            drop(peer);
            let told = format!("[{number}] {addr} ended its side");
            hub.process.stderr.wait_for(&told);
        }
        assert!(hub.process.is_running());
    }
}

/// Whoever has closed its connection before another one connects has left the place to it, whatever the
/// hub had to read of it, and however many events come at once.
#[test]
fn a_place_is_free_as_soon_as_it_was_left() {
    let quota = ["-k", "--max-per-host", "1"];
    for options in [&["-m", "1"][..], &["-k", "-m", "1"], &quota] {
        let mut hub = Hub::start(options);
        let mut told = 0;
        for round in 0..12 {
            let mut peers: Vec<TcpStream> = Vec::new();
            let come_and_go = || {
                for number in 0..5 {
                    // All but the last leave; the more they said, the later their end is read.
                    for left in peers.drain(..) {
                        let port = left.local_addr().unwrap().port();
                        drop(left);
                        wait_end_known(port);
                    }
                    let mut peer = hub.join();
                    let count = if round % 2 == 0 { 1 } else { 20_000 };
                    peer.write_all(&b"x".repeat(count)).unwrap();
                    peer.write_all(format!(" {round}.{number}\n").as_bytes())
                        .unwrap();
                    peers.push(peer);
                }
            };
            // All at once, or as they come.
            match round % 3 {
                0 => while_stopped(&hub.process, come_and_go),
                _ => ({ come_and_go })(),
            }
            for number in 0..5 {
                told += 1;
                hub.process.stdout.wait_for(&format!(" {round}.{number}\n"));
            }
        }
        assert_eq!(hub.process.stdout.text().matches('\n').count(), told);
        assert!(hub.process.is_running());
    }
}

/// What ncat does with a hub of muxnc and with one of its own.
fn hubs_of_ncat() -> Vec<&'static str> {
    match installed(&["ncat"]) {
        true => vec![MUXNC, "ncat"],
        false => Vec::new(),
    }
}

/// A hub that says who comes, and its port.
fn hub_of(nc: &str, options: &[&str]) -> (Process, String) {
    let mut hub = piped(nc, &["-v", "-l"]);
    let mut hub = Process::start(hub.args(options).args([HOST, "0"]));
    let port = listening(&mut hub).to_string();
    (hub, port)
}

/// An ncat that joins a hub of that kind as the one of that number, and is in.
fn joined(nc: &str, hub: &Process, port: &str, number: usize) -> Process {
    let peer = Process::start(&mut piped("ncat", &[HOST, port]));
    let word = match nc {
        MUXNC => " joined",
        _ => "Connection from 127.0.0.1:",
    };
    eventually("it joined", || {
        hub.stderr.text().matches(word).count() >= number
    });
    peer
}

/// An ncat that says a line to a hub of that kind, and is heard. The hub of ncat may turn somebody
/// away who comes when it has not looked yet who left: there it is tried again.
fn says(hub: &Process, port: &str, line: &str, heard: &Watched) -> Process {
    let denied = || {
        let text = hub.stderr.text();
        text.matches("New connection denied").count()
    };
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        let before = denied();
        let mut peer = Process::start(&mut piped("ncat", &[HOST, port]));
        let _ = peer.stdin.as_mut().unwrap().write_all(line.as_bytes());
        eventually("it was heard, or turned away by ncat", || {
            heard.text().contains(line) || denied() > before
        });
        if heard.text().contains(line) {
            return peer;
        }
    }
    panic!("{line:?} was not heard");
}

#[test]
fn ncat_is_let_in_where_ncat_left_and_turned_away_before() {
    for nc in hubs_of_ncat() {
        for options in [["-k", "-m", "1"], ["--broker", "-m", "2"]] {
            let (hub, port) = hub_of(nc, &options);
            // A broker of ncat shows nothing itself, so somebody else listens to it.
            let listener = (options[0] == "--broker").then(|| joined(nc, &hub, &port, 1));
            let mut left = Vec::new();
            let heard = listener.as_ref().map_or(&hub.stdout, |peer| &peer.stdout);
            for number in 1..=4 {
                let mut peer = says(&hub, &port, &format!("from {number}\n"), heard);
                let mut refused = Process::start(&mut piped("ncat", &[HOST, &port]));
                refused.end_input();
                refused.wait();
                let told = refused.stdout.text();
                assert_eq!(told.starts_with("muxnc: "), nc == MUXNC, "{nc}: {told}");
                // To a hub of muxnc it may still listen then, until another wants its place.
                match number % 2 {
                    0 => peer.end_input(),
                    _ => peer.signal(Signal::INT),
                }
                if nc != MUXNC || number % 2 == 1 {
                    peer.wait();
                }
                left.push(peer);
            }
            let said: String = (1..=4).map(|number| format!("from {number}\n")).collect();
            assert_eq!(heard.text(), said, "{nc} {options:?}");
        }
    }
}

#[test]
fn ncat_hears_of_a_broker_that_only_sends_what_the_operator_says() {
    for nc in hubs_of_ncat() {
        let (mut hub, port) = hub_of(nc, &["--broker", "--send-only"]);
        let mut one = joined(nc, &hub, &port, 1);
        let mut two = joined(nc, &hub, &port, 2);
        one.type_in("from one\n");
        hub.type_in("from the hub\n");
        for peer in [&one, &two] {
            peer.stdout.wait_for("from the hub\n");
        }
        one.type_in("one again\n");
        one.end_input();
        two.end_input();
        hub.end_input();
        if nc == MUXNC {
            hub.expect_status(0);
        } else {
            // It reads nothing, not even ends, and serves on.
            hub.signal(Signal::INT);
            hub.wait();
        }
        for peer in [&mut one, &mut two] {
            peer.wait();
            assert_eq!(peer.stdout.text(), "from the hub\n", "{nc}");
        }
        assert_eq!(hub.stdout.text(), "", "{nc}");
    }
}

#[test]
fn ncat_hears_nothing_of_a_broker_that_only_receives() {
    for nc in hubs_of_ncat() {
        let (mut hub, port) = hub_of(nc, &["--broker", "--recv-only"]);
        let mut one = joined(nc, &hub, &port, 1);
        let mut two = joined(nc, &hub, &port, 2);
        let _ = hub.stdin.as_mut().unwrap().write_all(b"never said\n");
        one.type_in("from one\n");
        one.end_input();
        // It was read, and would have been passed on before.
        match nc {
            MUXNC => drop(hub.stdout.wait_for("from one\n")),
            _ => drop(one.wait()),
        }
        two.end_input();
        hub.signal(Signal::INT);
        hub.wait();
        for peer in [&mut one, &mut two] {
            peer.wait();
            assert_eq!(peer.stdout.text(), "", "{nc}");
        }
    }
}

// Urgent bytes (RFC 6093), as telnet sends for Ctrl-C: they are passed over

/// Sends `before`, an urgent byte, and `after`, which arrive as one.
fn send_urgently(stream: &mut TcpStream, before: &[u8], after: &[u8]) {
    stream.write_all(before).unwrap();
    let sent = socket2::SockRef::from(&*stream).send_out_of_band(b"!");
    assert_eq!(sent.unwrap(), 1);
    stream.write_all(after).unwrap();
}

#[test]
fn what_follows_an_urgent_byte_is_not_held_up() {
    for nc in netcats() {
        // muxnc has to look at what it records, and else lets the kernel move it to a pipe.
        for more in [&[][..], &["-o", "/dev/null"]] {
            if nc == "nc.openbsd" && !more.is_empty() {
                continue;
            }
            for (process, mut stream) in connected(nc, more) {
                while_stopped(&process, || {
                    send_urgently(&mut stream, b"before ", b"after\n");
                });
                process.stdout.wait_for("before after\n");
            }
        }
    }
}

/// Though no event has told of it when the input ends.
#[test]
fn what_came_before_the_end_of_the_input_is_shown_with_q_0() {
    let mut hub = Hub::start(&["--once", "-q", "0"]);
    hub.process.type_in("hi\n");
    let stdin = hub.process.stdin.take();
    let mut peer = while_stopped(&hub.process, || {
        let mut peer = hub.join();
        peer.write_all(b"hello\n").unwrap();
        drop(stdin);
        peer
    });
    assert_eq!(read_all(&mut peer), b"hi\n");
    hub.process.expect_status(0);
    assert_eq!(hub.process.stdout.text(), "hello\n");
}

#[test]
fn what_follows_an_urgent_byte_is_not_held_up_in_a_hub() {
    for options in [&[][..], &["--broker"]] {
        let hub = Hub::start(&[&["-v"], options].concat());
        let mut peer = hub.join_seen();
        while_stopped(&hub.process, || {
            send_urgently(&mut peer, b"before ", b"after\n");
        });
        hub.process.stdout.wait_for("before after\n");
    }
}

/// What nc, ncat and muxnc do with `-z`, and a connection that is closed when something has come.
fn port_checks() -> Vec<&'static str> {
    let mut all = netcats();
    all.push("unread");
    all
}

/// Tries a port. The kernel has acknowledged what came, if it was quick.
fn check_port(how: &str, port: u16) {
    if how == "unread" {
        let stream = connect(port);
        assert_eq!(stream.peek(&mut [0]).unwrap(), 1);
        return;
    }
    let mut probe = piped(how, &["-z", HOST, &port.to_string()]);
    let probe = probe.stdin(Stdio::null()).stderr(Stdio::null());
    assert!(probe.status().unwrap().success(), "{how}");
}

/// A machine that is busy may let a port check stay for longer than a moment, or the hub know of its end that late:
/// that is another try.
#[test]
fn a_port_check_takes_nothing_of_what_waits() {
    for how in port_checks() {
        for options in [&[][..], &["-k"], &["--broker"], &["--chat"]] {
            eventually("a port check was gone in a moment", || {
                let mut hub = Hub::start(&[&["-v"], options].concat());
                hub.process.type_in("first line\n");
                check_port(how, hub.port);
                let mut ana = hub.join();
                hub.process.type_in("second line\n");
                let first = next_line(&mut ana);
                let is_kept = first.ends_with("first line\n");
                let told = hub.process.stderr.wait_for(", 0 bytes in, ");
                let was_quick = || stayed(&told) < MOMENT;
                assert!(is_kept || !was_quick(), "{how} {options:?}: {told}");
                if is_kept {
                    assert!(next_line(&mut ana).ends_with("second line\n"));
                }
                is_kept
            });
        }
    }
}

/// How long the first that left was here, by what the hub tells (`left after 1.2ms, 0 bytes in`).
#[track_caller]
fn stayed(told: &str) -> Duration {
    let time = told
        .split_once(" after ")
        .and_then(|(_, rest)| rest.split_once(','));
    let time = time.expect("it tells that somebody left").0;
    let digits = time.trim_end_matches(char::is_alphabetic);
    let unit = match &time[digits.len()..] {
        "s" => 1.0,
        "ms" => 1e-3,
        "\u{b5}s" => 1e-6,
        unit => panic!("{unit:?} in {told}"),
    };
    Duration::from_secs_f64(digits.parse::<f64>().unwrap() * unit)
}

/// The next line but for a chat's announcements.
#[track_caller]
fn next_line(stream: &mut TcpStream) -> String {
    let mut got = String::new();
    while !got.ends_with('\n') {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "it ended after {got:?}");
        got.push(char::from(byte[0]));
        if got.ends_with('\n') && got.starts_with("* ") {
            got.clear();
        }
    }
    got
}
