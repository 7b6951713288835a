//! `--explain`: what is told of a connection is what happens on it, with nc, nginx, curl, openssl and
//! tcpdump on the other side.

mod capture;

use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::time::Duration;

use socket2::SockRef;

use crate::support::DEADLINE;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Nginx;
use crate::support::Process;
use crate::support::connect;
use crate::support::enough_of;
use crate::support::expect_bytes;
use crate::support::fingerprint_shown;
use crate::support::installed;
use crate::support::listening;
use crate::support::muxnc;
use crate::support::piped;
use crate::support::read_all;
use crate::support::reserved_port;
use crate::support::wait_at_rest;

const HOST: &str = "127.0.0.1";

/// A participant, and the other end of its connection.
#[track_caller]
fn pair(args: &[&str]) -> (Process, TcpStream) {
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let alice = muxnc(&[args, &[HOST, &port]].concat());
    let stream = listener.accept().unwrap().0;
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    (alice, stream)
}

#[test]
fn a_conversation_with_nc_is_told_step_by_step() {
    if !installed(&["nc"]) {
        return;
    }
    let mut nc = Process::start(&mut piped("nc", &["-N", "-l", HOST, "0"]));
    let port = listening(&mut nc).to_string();
    let mut alice = muxnc(&["--explain", HOST, &port]);
    alice.stderr.wait_for_all(&[
        "muxnc: IP: 127.0.0.1 is an IPv4 address: no name has to be looked up\n",
        &format!(
            "muxnc: TCP: our kernel is asked for a connection to {HOST}:{port}: it sends a SYN\n"
        ),
        &format!("muxnc: TCP: SYN, SYN-ACK, ACK: the handshake with {HOST}:{port} is over, "),
        &format!(" here, {HOST} port {port} there\n"),
        "muxnc: IP: both ends are on this machine: no packet leaves it (loopback)\n",
        "muxnc: TCP: the kernel measured a round trip of ",
    ]);
    alice.type_in("Hello\n");
    nc.stdout.wait_for("Hello\n");
    alice.stderr.wait_for_all(&[
        "muxnc: TCP: our first 6 bytes: the kernel sends them, and keeps them until an ACK comes\n",
        "muxnc: TCP: the ACK came, for all 6 bytes so far: ",
    ]);
    nc.type_in("Hi\n");
    alice
        .stderr
        .wait_for("muxnc: TCP: the first 3 bytes have come: ");
    nc.end_input();
    alice.stderr.wait_for_all(&[
        "muxnc: TCP: the other side sends no more: its FIN came. We may still send\n",
        "muxnc: TCP: our kernel calls this state CLOSE-WAIT",
    ]);
    alice
        .stderr
        .wait_for("muxnc: TCP: after 10 s of silence the kernel will ask");
    alice.end_input();
    alice.expect_status(0);
    alice.stderr.wait_for_all(&[
        "muxnc: program: stdin has ended: nothing more will be sent\n",
        "muxnc: TCP: we end our side, too: our FIN goes out behind our last byte\n",
        "muxnc: TCP: both sides have said their last: the connection is closed\n",
    ]);
}

#[test]
fn who_ends_first_sees_the_half_closed_connection_and_who_breaks_off() {
    let (mut alice, mut stream) = pair(&["--explain"]);
    alice.end_input();
    alice.stderr.wait_for_all(&[
        "stdin has ended",
        "we end our side: a FIN goes out behind our last byte. What comes is still read\n",
        "our FIN is acknowledged: half closed; our kernel calls this state FIN-WAIT-2\n",
    ]);
    stream.write_all(b"still here\n").unwrap();
    alice.stdout.wait_for("still here\n");
    drop(stream);
    alice.expect_status(0);
    alice.stderr.wait_for_all(&[
        "the other side's FIN came, too",
        "(TIME-WAIT)\n",
        "the connection is closed\n",
    ]);

    let (mut alice, stream) = pair(&["--explain"]);
    alice.stderr.wait_for("a round trip of");
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
    alice.expect_status(1);
    let told = alice.stderr.text();
    let broke =
        "muxnc: TCP: a RST came: the other side broke off; what was on its way may be lost\n";
    assert_eq!(told.matches(broke).count(), 1, "{told}");
}

#[test]
fn a_port_on_which_nothing_listens_and_a_look_whether_something_does() {
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut alice = muxnc(&["--explain", "-z", HOST, &port]);
    alice.expect_status(0);
    alice.stderr.wait_for_all(&[
        "SYN, SYN-ACK, ACK",
        "we close before the other side has ended",
    ]);
    let (_reserved, port) = reserved_port();
    let port = port.to_string();
    for option in [&[][..], &["-z"]] {
        let mut alice = muxnc(&[&["--explain", HOST, &port], option].concat());
        alice.expect_status(1);
        alice.stderr.wait_for_all(&[
            "it sends a SYN\n",
            "refused: a RST came back. ",
            "connection refused\n",
        ]);
    }
}

#[test]
fn who_waits_for_whom_is_told_of_a_participant_while_the_window_is_closed() {
    let (mut alice, mut stream) = pair(&["--explain"]);
    let mut stdin = alice.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let line = [b'x'; 64 * 1024];
        for _ in 0..256 {
            stdin.write_all(&line).unwrap();
        }
    });
    alice
        .stderr
        .wait_for("muxnc: TCP: the window is closed (win 0): their program does not read. ");
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut stream).len(), 16 * 1024 * 1024);
    writer.join().unwrap();
    drop(stream);
    alice.expect_status(0);
    alice
        .stderr
        .wait_for("muxnc: TCP: the window is open again after ");
}

#[test]
fn an_output_that_takes_nothing_is_why_the_other_side_waits() {
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = piped(MUXNC, &["--explain", HOST, &port]);
    let alice = Process::start(command.stdout(writer));
    let mut stream = listener.accept().unwrap().0;
    let flood = std::thread::spawn(move || while stream.write_all(&[b'x'; 65536]).is_ok() {});
    alice
        .stderr
        .wait_for("muxnc: program: stdout takes nothing now, so we do not read: ");
    drop(alice);
    drop(reader);
    flood.join().unwrap();
}

#[test]
fn http_typed_by_hand_is_explained_line_by_line_and_so_is_the_answer() {
    if !installed(&["nginx"]) {
        return;
    }
    let folder = Folder::new("explain-http");
    std::fs::write(folder.0.join("index.html"), "Hello").unwrap();
    let nginx = Nginx::start(&folder, "", "");
    let port = nginx.port.to_string();
    let mut alice = muxnc(&["--explain", "-C", HOST, &port]);
    alice.type_in("GET / HTTP/1.1\n");
    alice.stderr.wait_for(
        "muxnc: HTTP: we send a request line: the method GET (give me), the target /, the version \
         HTTP/1.1\n",
    );
    alice.type_in("Host: example.org\n");
    alice
        .stderr
        .wait_for("muxnc: HTTP: Host: example.org (which of the sites at this address is meant)\n");
    assert!(!alice.stderr.text().contains("an empty line"));
    alice.type_in("\n");
    alice.stderr.wait_for_all(&[
            "muxnc: HTTP: an empty line ends the request: now it is the server's turn\n",
            "muxnc: HTTP: the other side sends a status line: HTTP/1.1, 200 OK: done as you wish (2xx)\n",
            "muxnc: HTTP: Server: nginx",
            "muxnc: HTTP: Content-Length: 5 (how many bytes of body follow the empty line)\n",
            "muxnc: HTTP: an empty line ends the head; a body of 5 bytes follows\n",
        ],
    );
    alice.stdout.wait_for("Hello");

    // Without a Host, and with LF alone.
    let mut alice = muxnc(&["--explain", HOST, &port]);
    alice.type_in("GET / HTTP/1.1\n\n");
    alice.stderr.wait_for_all(&[
        "its line ends with LF alone, where HTTP wants CR LF (-C): many servers forgive it\n",
        "this request has no Host field, which HTTP/1.1 wants: a server has to refuse it (400)\n",
        "400 Bad Request: I did not understand the request",
    ]);
}

#[test]
fn a_hub_explains_each_member_by_its_number_and_name() {
    let mut hub = Hub::start(&["--explain", "-C"]);
    hub.process
        .stderr
        .wait_for("muxnc: TCP: our kernel listens on [::]:");
    let mut ana = hub.join();
    ana.write_all(b"Hello\n").unwrap();
    let port = ana.local_addr().unwrap().port();
    hub.process.stderr.wait_for_all(&[
        "muxnc: [1] TCP: our kernel shook hands by itself (SYN, SYN-ACK, ACK) before we accepted",
        &format!(
            "muxnc: [1] TCP: its four numbers: {HOST} port {} here, {HOST} port {port} there\n",
            hub.port
        ),
        "muxnc: [1] TCP: the kernel measured a round trip of ",
    ]);
    hub.process
        .stderr
        .wait_for("muxnc: [1] TCP: the first 6 bytes have come: ");
    let mut bob = hub.join();
    hub.process
        .stderr
        .wait_for("muxnc: [2] TCP: its four numbers: ");
    hub.process.type_in("Welcome\n");
    expect_bytes(&mut ana, "Welcome\r\n");
    expect_bytes(&mut bob, "Welcome\r\n");
    for member in 1..=2 {
        hub.process.stderr.wait_for_all(&[
            &format!("muxnc: [{member}] TCP: our first 9 bytes: "),
            &format!("muxnc: [{member}] TCP: the ACK came, for all 9 bytes so far: "),
        ]);
    }
    ana.shutdown(Shutdown::Write).unwrap();
    hub.process.stderr.wait_for_all(&[
        "muxnc: [1] TCP: the other side sends no more: its FIN came. We may still send\n",
        "muxnc: [1] TCP: our kernel calls this state CLOSE-WAIT",
    ]);
    SockRef::from(&bob)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(bob);
    hub.process
        .stderr
        .wait_for("muxnc: [2] TCP: a RST came: the other side broke off");
    hub.process.end_input();
    assert_eq!(read_all(&mut ana), b"");
    drop(ana);
    hub.process.expect_status(0);
    hub.process.stderr.wait_for_all(&[
        "muxnc: [1] TCP: we end our side, too: our FIN goes out behind our last byte\n",
        "muxnc: [1] TCP: both sides have said their last: the connection is closed\n",
    ]);
}

#[test]
fn a_name_stands_beside_the_number() {
    let mut hub = Hub::start(&["--explain", "--chat"]);
    let mut ana = hub.join();
    ana.write_all(b"/nick Ana\nhello\n").unwrap();
    hub.process.stdout.wait_for("hello\n");
    ana.shutdown(Shutdown::Write).unwrap();
    hub.process
        .stderr
        .wait_for("muxnc: [1 Ana] TCP: the other side sends no more: its FIN came");
    hub.process.end_input();
}

#[test]
fn what_a_browser_says_to_a_hub_and_the_operator_answers_is_explained() {
    if !installed(&["curl"]) {
        return;
    }
    let mut hub = Hub::start(&["--explain", "-C"]);
    let url = format!("http://{HOST}:{}/page?q=1", hub.port);
    let mut curl = Process::start(&mut piped("curl", &["-s", "-H", "X-Odd: 1", &url]));
    hub.process.stderr.wait_for_all(&[
        "muxnc: [1] HTTP: the other side sends a request line: the method GET (give me), the \
             target /page?q=1, the version HTTP/1.1\n",
        &format!("muxnc: [1] HTTP: Host: {HOST}:{} (", hub.port),
        "muxnc: [1] HTTP: User-Agent: curl/",
        "muxnc: [1] HTTP: and 1 other field: X-Odd\n",
        "muxnc: [1] HTTP: an empty line ends the request: now it is the server's turn\n",
    ]);
    hub.process
        .type_in("HTTP/1.1 200 OK\nContent-Length: 5\n\nHello");
    hub.process.stderr.wait_for_all(&[
        "muxnc: [1] HTTP: we send a status line: HTTP/1.1, 200 OK: ",
        "muxnc: [1] HTTP: Content-Length: 5 (",
        "muxnc: [1] HTTP: an empty line ends the head; a body of 5 bytes follows\n",
    ]);
    curl.expect_status(0);
    assert_eq!(curl.stdout.text(), "Hello");
}

#[test]
fn for_whom_everybody_waits_is_told() {
    let mut hub = Hub::start(&["--explain", "--stall-timeout", "1h"]);
    let mut fast = hub.join();
    hub.process
        .stderr
        .wait_for("muxnc: [1] TCP: its four numbers: ");
    let mut slow = hub.join();
    hub.process
        .stderr
        .wait_for("muxnc: [2] TCP: its four numbers: ");
    let reader = std::thread::spawn(move || read_all(&mut fast).len());
    let mut stdin = hub.process.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let line = [&[b'x'; 1023][..], b"\n"].concat().repeat(64);
        for _ in 0..256 {
            stdin.write_all(&line).unwrap();
        }
    });
    hub.process
        .stderr
        .wait_for("muxnc: [2] TCP: the window is closed (win 0): their program does not read. ");
    let told = hub
        .process
        .stderr
        .wait_for("muxnc: [2] program: everybody waits for it: ");
    // Later the machine may be too busy for the other one, too.
    assert!(!told.contains("[1] program: everybody waits"), "{told}");
    let mut rest = vec![0; 65536];
    let mut count = 0;
    while let Ok(read @ 1..) = slow.read(&mut rest) {
        count += read;
    }
    assert_eq!((count, reader.join().unwrap()), (16 << 20, 16 << 20));
    writer.join().unwrap();
    hub.process
        .stderr
        .wait_for("muxnc: [2] TCP: the window is open again after ");
    hub.process
        .stderr
        .wait_for("muxnc: [2] program: nobody waits for it any more, after ");
}

#[test]
fn once_goes_on_with_the_story_of_the_one_who_came() {
    let mut hub = Hub::start(&["--once", "--explain"]);
    let mut ana = connect(hub.port);
    ana.write_all(b"Hello\n").unwrap();
    hub.process.stdout.wait_for("Hello\n");
    hub.process.type_in("Hi\n");
    expect_bytes(&mut ana, "Hi\n");
    hub.process.end_input();
    assert_eq!(read_all(&mut ana), b"");
    drop(ana);
    hub.process.expect_status(0);
    hub.process.stderr.wait_for_all(&[
        "muxnc: TCP: our kernel shook hands by itself",
        "muxnc: TCP: the first 6 bytes have come: ",
        "muxnc: TCP: our first 3 bytes: ",
        "muxnc: TCP: both sides have said their last",
    ]);
}

#[test]
fn a_unix_socket_is_no_tcp() {
    let folder = Folder::new("explain-unix");
    let path = folder.0.join("socket");
    let path = path.to_str().unwrap();
    let mut hub = Process::start(&mut piped(MUXNC, &["-lU", "-v", "--explain", path]));
    hub.stderr.wait_for("listening on");
    let mut alice = muxnc(&["-U", "--explain", path]);
    alice.type_in("Hello\n");
    hub.stdout.wait_for("Hello\n");
    hub.stderr.wait_for_all(&[
        "muxnc: [1] Unix socket: somebody on this machine connected: no IP, no TCP, no port\n",
        "muxnc: [1] Unix socket: the first 6 bytes have come\n",
    ]);
    hub.type_in("Hi\n");
    alice.stdout.wait_for("Hi\n");
    hub.end_input();
    alice.end_input();
    alice.expect_status(0);
    hub.expect_status(0);
    for told in [alice.stderr.text(), hub.stderr.text()] {
        assert!(!told.contains(" TCP: ") && !told.contains("FIN"), "{told}");
    }
}

#[test]
fn a_proxy_is_where_our_own_tcp_ends() {
    if !installed(&["ncat"]) {
        return;
    }
    let hub = Hub::start(&[]);
    let mut proxy = piped("ncat", &["-lk", "--proxy-type", "http", HOST, "0"]);
    let mut proxy = Process::start(&mut proxy);
    let place = format!("{HOST}:{}", listening(&mut proxy));
    let port = hub.port.to_string();
    let mut alice = muxnc(&["--explain", "--proxy", &place, HOST, &port]);
    alice.type_in("Hello\n");
    hub.process.stdout.wait_for("Hello\n");
    alice.stderr.wait_for_all(&[
            &format!(
                "muxnc: TCP: our kernel is asked for a connection to {place}: it sends a SYN\n"
            ),
            &format!(
                "muxnc: proxy: TCP leads to the proxy {place}, which is asked (HTTP) to connect to {HOST}:{port}\n"
            ),
            &format!(
                "muxnc: proxy: it says that it has reached {HOST}:{port}: our TCP ends at the proxy"
            ),
            "muxnc: TCP: our first 6 bytes: ",
            "muxnc: TCP: the ACK came, for all 6 bytes so far: ",
        ],
    );
}

#[test]
#[cfg(feature = "tls")]
fn what_two_agreed_on_with_tls_is_told_at_both_ends() {
    if !installed(&["openssl"]) {
        return;
    }
    let mut hub = Hub::start(&["--explain", "--ssl"]);
    let fingerprint = fingerprint_shown(&hub.process.stderr);
    let fingerprint = enough_of(&fingerprint).replace(' ', ":");
    let port = hub.port.to_string();
    let mut alice = muxnc(&["--explain", "--ssl-fingerprint", &fingerprint, HOST, &port]);
    alice.type_in("Hello\n");
    hub.process.stdout.wait_for("Hello\n");
    alice.stderr.wait_for_all(&[
        "muxnc: TCP: SYN, SYN-ACK, ACK: ",
        "muxnc: TLS: the two agreed on TLS 1.3 and encrypt with ",
        &format!("has the fingerprint {fingerprint}…\n"),
        "muxnc: TLS: we believe that it is who we want: it has the fingerprint that you gave\n",
        "muxnc: TCP: our first 6 bytes, as TLS wraps them: ",
        " bytes with those of TLS so far: ",
    ]);
    hub.process.stderr.wait_for_all(&[
        "muxnc: [1] TCP: our kernel shook hands",
        "muxnc: [1] TLS: the two agreed on TLS 1.3",
    ]);
    let place = format!("{HOST}:{port}");
    let older = [
        "s_client",
        "-tls1_2",
        "-cipher",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "-connect",
        &place,
    ];
    let mut peer = Process::start(&mut piped("openssl", &older));
    hub.process.stderr.wait_for(
        "muxnc: [2] TLS: the two agreed on TLS 1.2 and encrypt with AES_128_GCM_SHA256: ",
    );
    // It says close_notify.
    peer.type_in("Q\n");
    hub.process
        .stderr
        .wait_for("muxnc: [2] TLS: the other side said that it sends no more (close_notify)\n");
    alice.end_input();
    alice
        .stderr
        .wait_for("muxnc: TLS: we say that we send no more (close_notify)");
    hub.process.end_input();
    alice.expect_status(0);
}

/// As a look whether the port is open does, and a program with nothing to say.
#[test]
#[cfg(feature = "tls")]
fn who_leaves_before_tls_is_agreed_on_is_told_to_have_ended_or_broken_off() {
    let hub = Hub::start(&["--explain", "--ssl"]);
    for said in [&b""[..], &[22, 3, 1, 2, 0, 1, 0]] {
        for (breaks, told) in [
            (
                false,
                &[
                    " TCP: the other side sends no more: its FIN came. ",
                    " TCP: we close the connection: our FIN goes out, too, and both directions have ended\n",
                ][..],
            ),
            (true, &[" TCP: a RST came: the other side broke off"]),
        ] {
            let mut stream = connect(hub.port);
            let addr = stream.local_addr().unwrap();
            stream.write_all(said).unwrap();
            // It has taken that, and waits for the rest.
            wait_at_rest(&hub.process);
            if breaks {
                SockRef::from(&stream)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
            }
            drop(stream);
            let told: Vec<String> = told.iter().map(|what| format!("{addr}{what}")).collect();
            let told: Vec<&str> = told.iter().map(String::as_str).collect();
            hub.process.stderr.wait_for_all(&told);
        }
    }
    let told = hub.process.stderr.text();
    assert!(!told.contains("a RST will answer"), "{told}");
}

#[test]
fn what_strangers_write_is_shown_and_never_obeyed() {
    let hub = Hub::start(&["--explain"]);
    let mut eve = hub.join();
    eve.write_all(
        b"GET /\x1b[2J HTTP/1.1\r\nServer: \x1b]0;x\x07\xc2\x9b\r\n\r\nGET /a HTTP/1.1\r\n",
    )
    .unwrap();
    eve.write_all(b"Server: a\x1b[2J\xe2\x80\xaeb\r\n\r\n")
        .unwrap();
    eve.shutdown(Shutdown::Write).unwrap();
    let told = hub.process.stderr.wait_for("its FIN came");
    assert!(
        !told.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']),
        "{told:?}"
    );
}

#[test]
fn without_the_option_nothing_is_told_and_the_account_is_not_looked_at() {
    if !installed(&["strace"]) {
        return;
    }
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut looks = Vec::new();
    for options in [&["-v"][..], &["-v", "--explain"]] {
        let strace = [
            "-qq",
            "-e",
            "trace=getsockopt",
            "-o",
            "/dev/fd/1",
            MUXNC,
            HOST,
            &port,
        ];
        let mut alice = Process::start(&mut piped("strace", &[&strace[..], options].concat()));
        let mut stream = listener.accept().unwrap().0;
        alice.type_in("Hello\n");
        expect_bytes(&mut stream, "Hello\n");
        stream.write_all(b"Hi\n").unwrap();
        alice.stdout.wait_for("Hi\n");
        let is_explained = options.contains(&"--explain");
        if is_explained {
            alice.stderr.wait_for("the ACK came");
        }
        let told = alice.stderr.text();
        assert_eq!(told.contains("TCP: "), is_explained, "{told}");
        looks.push(alice.stdout.text().matches("TCP_INFO").count());
        drop(stream);
        alice.end_input();
        alice.wait();
    }
    assert!(looks[0] == 0 && looks[1] >= 4, "{looks:?}");
}

#[test]
fn words_that_exclude_each_other() {
    let mut alice = muxnc(&["--explain", "--quiet", HOST, "1"]);
    alice.expect_status(2);
}
