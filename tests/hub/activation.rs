//! A hub whose listening socket is passed by whoever starts it, as by a socket unit of systemd.

use std::io::Write;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::process::Command;

use crate::support;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::connect;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::listening_port;
use crate::support::piped;
use crate::support::reserved_port;
use rustix::process::Signal;
use socket2::SockRef;

/// A shell that runs a hub to which descriptor 3 was passed, with an empty input. These words of
/// shell come before it.
fn passing(fd: impl Into<OwnedFd>, words: &str, args: &str) -> Command {
    let script =
        format!("exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ {words} exec '{MUXNC}' {args}");
    let mut command = piped("sh", &["-c", &script]);
    command.stdin(fd.into());
    command
}

fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

#[track_caller]
fn expect_failure(command: &mut Command, status: i32, told: &str) {
    let mut hub = Process::start(command);
    hub.expect_status(status);
    assert_eq!(hub.stderr.text(), told);
}

#[test]
fn it_serves_the_socket_that_was_passed() {
    let listener = listener();
    let port = listener.local_addr().unwrap().port();
    // Whoever came before the hub was started waits for it.
    let mut early = connect(port);
    early.write_all(b"early\n").unwrap();
    let mut hub = Process::start(&mut passing(listener, "", "-l -v"));
    hub.stderr
        .wait_for(&format!("listening on 127.0.0.1:{port}\n"));
    hub.stdout.wait_for("early\n");
    let mut late = connect(port);
    late.write_all(b"late\n").unwrap();
    hub.stdout.wait_for("late\n");
    // There is no keyboard: it serves until it is told to end.
    hub.signal(Signal::TERM);
    assert_eq!(hub.wait().code(), None);
}

#[test]
fn the_socket_gets_the_options_of_our_own() {
    let listener = listener();
    let ours = listener.try_clone().unwrap();
    let ours = SockRef::from(&ours);
    assert!(!ours.keepalive().unwrap() && !ours.tcp_nodelay().unwrap());
    let hub = Process::start(&mut passing(listener, "", "-l -v"));
    hub.stderr.wait_for("listening on");
    assert!(ours.keepalive().unwrap() && ours.tcp_nodelay().unwrap());
    assert_eq!(ours.tcp_keepalive_time().unwrap().as_secs(), 60);
    if !installed(&["ss"]) {
        return;
    }
    let somaxconn = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let backlog = somaxconn.trim().parse::<u32>().unwrap().min(4096);
    let port = ours.local_addr().unwrap().as_socket().unwrap().port();
    let place = format!("sport = :{port}");
    let shown = piped("ss", &["-Hltn", &place]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    // State, Recv-Q, Send-Q: of a listener, the backlog.
    let queue = shown.split_whitespace().nth(2).unwrap();
    assert_eq!(queue, backlog.to_string(), "{shown}");
}

#[test]
fn a_socket_on_all_addresses_tells_who_can_join() {
    let listener = TcpListener::bind("[::]:0");
    let Ok(listener) = listener else {
        return support::left_out("IPv6");
    };
    let hub = Process::start(&mut passing(listener, "", "-l -v"));
    hub.stderr.wait_for("listening on [::]:");
    hub.stderr.wait_for(" (IPv4 and IPv6)\n");
}

#[test]
fn one_peer_can_be_served_with_it() {
    let listener = listener();
    let port = listener.local_addr().unwrap().port();
    let mut hub = Process::start(&mut passing(listener, "", "-l --once"));
    let mut alice = connect(port);
    alice.write_all(b"Hello\n").unwrap();
    hub.stdout.wait_for("Hello\n");
    drop(alice);
    hub.expect_status(0);
}

#[test]
fn a_place_given_as_well_is_a_usage_error() {
    for args in [
        "-l 3000",
        "-l -p 3000",
        "-l 127.0.0.1 3000",
        "-l -s 127.0.0.1",
    ] {
        expect_failure(
            &mut passing(listener(), "", args),
            2,
            "muxnc: usage: a socket was passed (LISTEN_FDS), and an address or port was given as \
             well\n  Leave out the one or the other.\n",
        );
    }
}

#[test]
fn what_a_hub_cannot_serve_is_told() {
    let hint = "  A hub serves one listening TCP socket: in the socket unit, ListenStream=PORT \
                once, and no Accept=yes.\n";
    let told = |why: &str| format!("muxnc: take the socket that was passed: {why}\n{hint}");

    let datagrams = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let why = "fd 3 is not a valid tcp socket";
    expect_failure(&mut passing(datagrams, "", "-l"), 1, &told(why));

    let file = std::fs::File::open("/dev/null").unwrap();
    expect_failure(
        &mut passing(file, "", "-l"),
        1,
        &told("fd 3 is not a socket"),
    );

    let listener = listener();
    let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let why = "it does not listen";
    expect_failure(&mut passing(connection, "", "-l"), 1, &told(why));

    let words = "LISTEN_FDS=2 LISTEN_FDNAMES=web:mail";
    let why = "there are 2 (web, mail)";
    expect_failure(&mut passing(listener, words, "-l"), 1, &told(why));
}

#[test]
fn what_was_passed_to_another_process_is_not_ours() {
    let mut hub = Process::start(&mut passing(listener(), "LISTEN_PID=1", "-l"));
    hub.expect_status(2);
    let told = format!(
        "muxnc: usage: which port to listen on is missing\n  LISTEN_FDS says that sockets were \
         passed, but to process '1' (LISTEN_PID), and this is {}.\n",
        hub.pid()
    );
    assert_eq!(hub.stderr.text(), told);

    // And is no reason not to listen on a port.
    let hub = Process::start(&mut passing(listener(), "LISTEN_PID=1", "-l 127.0.0.1 0"));
    connect(listening_port(&hub.stderr));
}

#[test]
fn systemd_can_start_it() {
    if !installed(&["systemd-socket-activate"]) {
        return;
    }
    // It sets SO_REUSEADDR, as the reservation does.
    let (_reserved, port) = reserved_port();
    let place = format!("127.0.0.1:{port}");
    let mut command = piped(
        "systemd-socket-activate",
        &["-l", &place, MUXNC, "-l", "-v"],
    );
    let mut service = Process::start(&mut command);
    service.stderr.wait_for("Listening on 127.0.0.1:");
    // The first to come starts the hub.
    let mut alice = connect(port);
    alice.write_all(b"Hello\n").unwrap();
    service.stdout.wait_for("Hello\n");
    service.stderr.wait_for("[1] 127.0.0.1:");
    service.type_in("World\n");
    expect_bytes(&mut alice, "World\n");
}
