//! Every error a user can run into: its text, where it is told, and the exit status.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use socket2::Domain;
use socket2::Socket;
use socket2::Type;

use crate::support;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Namespace;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::copy_program;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::left_out;
use crate::support::listening_port;
use crate::support::muxnc;
use crate::support::piped;
use crate::support::reserved_port;
use crate::support::reserved_port_at;

const PORTS: &str = "  A port is a number from 1 to 65535, or the name of a service, as http.\n";
const EXEC: &str = "muxnc never runs a program for the network: a class hub must not become a \
                    shell\n  What a program prints can be piped in: PROGRAM | muxnc -l PORT.\n";

/// Runs a command without input to its end, which must have this status, this stderr and not a
/// byte on stdout.
#[track_caller]
fn expect_error(command: &mut Command, status: i32, stderr: &str) {
    let mut process = Process::start(command.stdin(Stdio::null()));
    process.expect_status(status);
    let told = String::from_utf8(process.stderr.wait_end()).unwrap();
    assert_eq!(told, stderr, "{command:?}");
    assert_eq!(process.stdout.wait_end(), b"", "{command:?}");
}

/// A command line that makes no sense.
#[track_caller]
fn expect_usage(args: &[&str], stderr: &str) {
    expect_error(&mut piped(MUXNC, args), 2, stderr);
}

#[test]
fn refused_says_that_nothing_listens_there() {
    let (_reserved, port) = reserved_port();
    let told = format!(
        "muxnc: connect to 127.0.0.1:{port}: connection refused\n  \
         Nothing listens on that port: is the other side started, is the port right?\n"
    );
    let port = port.to_string();
    for args in [
        &["127.0.0.1", &port][..],
        &["--quiet", "127.0.0.1", &port],
        &["-w", "1h", "127.0.0.1", &port],
    ] {
        expect_error(&mut piped(MUXNC, args), 1, &told);
    }
}

/// Calling from the port that is called, it reaches itself: TCP has no objection (RFC 9293, 3.5).
#[test]
fn a_call_that_reaches_only_itself_is_refused() {
    for (host, all) in [("127.0.0.1", "0.0.0.0"), ("::1", "::")] {
        let ip: IpAddr = host.parse().unwrap();
        if TcpListener::bind((ip, 0)).is_err() {
            continue;
        }
        // -p takes the port of every address, so somebody else's on 127.0.0.2 would be in its way.
        let (_reserved, number) = reserved_port_at(all.parse().unwrap()).unwrap();
        let addr = SocketAddr::new(ip, number);
        let port = number.to_string();
        let told = format!(
            "muxnc: connect to {addr}: connection refused\n  \
             Nothing listens on that port: is the other side started, is the port right?\n"
        );
        for args in [&["-z"][..], &[]] {
            let args = [args, &["-p", &port, host, &port]].concat();
            expect_error(&mut piped(MUXNC, &args), 1, &told);
            // Nothing of it is left, so that whoever is to be called can listen there.
            assert_eq!(connections_to_itself(number), "");
        }
    }
}

/// The connections from a port to the same one in the kernel's tables, where one stays for a minute after its end.
/// Others may be there, of a hub of another test that had that port.
fn connections_to_itself(port: u16) -> String {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let table = |path| std::fs::read_to_string(path).unwrap_or_default();
    let port = format!(":{port:04X}");
    let is_to_itself = |row: &&str| {
        let mut places = row.split_whitespace().skip(1).take(2);
        places.all(|place| place.ends_with(&port))
    };
    let tables = tables.map(table);
    let rows = tables.iter().flat_map(|table| table.lines());
    rows.filter(is_to_itself).collect()
}

/// The same where nobody asked for that port, and the system happens to choose it.
#[test]
fn a_port_that_the_system_chooses_does_not_answer_for_itself() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    if !namespace.sysctl("net.ipv4.ip_local_port_range", "'40000 40019'") {
        return left_out("a range of ports of its own, which is not permitted here");
    }
    let script =
        r#"for i in $(seq 100); do "$0" --quiet -z 127.0.0.1 40008 2>&- && exit 4; done; exit 0"#;
    let mut tries = Process::start(&mut namespace.piped("sh", &["-c", script, MUXNC]));
    // 4: it said once that somebody is there.
    tries.expect_status(0);
}

#[test]
fn a_name_is_told_with_the_address_it_has() {
    let (_reserved, port) = reserved_port();
    let port = port.to_string();
    let told = format!(
        "muxnc: connect to localhost:{port} (127.0.0.1:{port}): connection refused\n  \
         Nothing listens on that port: is the other side started, is the port right?\n"
    );
    expect_error(&mut piped(MUXNC, &["-4", "localhost", &port]), 1, &told);
}

#[test]
fn a_listener_that_takes_nobody_any_more_times_out() {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap().as_socket().unwrap();
    // Whoever is not accepted fills the queue; the next one gets no answer.
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&addr, Duration::from_millis(300)) {
        waiting.push(stream);
        assert!(
            waiting.len() < 64,
            "the queue of the listener is never full"
        );
    }
    let told = format!(
        "muxnc: connect to {addr}: timed out\n  Nobody answered: is the address right, is a \
         firewall in between? (-w TIME sets how long to try.)\n"
    );
    let port = addr.port().to_string();
    let args = ["-w", "300ms", "127.0.0.1", &port];
    expect_error(&mut piped(MUXNC, &args), 1, &told);
}

#[test]
fn an_address_without_a_way_to_it_says_so() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let told = "muxnc: connect to 192.0.2.1:80: network is unreachable\n  \
                There is no way to that address from here: is the network up?\n";
    let mut alice = namespace.piped(MUXNC, &["192.0.2.1", "80"]);
    expect_error(&mut alice, 1, told);
}

#[test]
fn an_address_of_this_network_that_nobody_has_says_so() {
    let script = "ip link add near type veth peer name far && ip link set far up && \
                  ip address add 192.0.2.1/24 dev near && ip link set near up && ";
    let Some(namespace) = Namespace::furnished(script, false) else {
        return;
    };
    let told = "muxnc: connect to 192.0.2.99:80: no route to host\n  \
                Nobody on this network has that address: is it right, is the machine on?\n";
    let mut alice = namespace.piped(MUXNC, &["192.0.2.99", "80"]);
    expect_error(&mut alice, 1, told);
    let args = ["--explain", "-w", "200ms", "192.0.2.99", "80"];
    let mut alice = namespace.piped(MUXNC, &args);
    let mut alice = Process::start(alice.stdin(Stdio::null()));
    alice.expect_status(1);
    alice.stderr.wait_for("(ARP), and no SYN could leave\n");
}

#[test]
fn a_host_that_nobody_knows_is_named() {
    // A label of more than 63 characters is in no name server, and none is asked.
    let host = format!("{}.example", "a".repeat(64));
    let told = format!(
        "muxnc: look up {host}: name or service not known\n  \
         Check the spelling, or use the numeric address.\n"
    );
    expect_error(&mut piped(MUXNC, &[&host, "80"]), 1, &told);
    expect_error(&mut piped(MUXNC, &["-l", &host, "0"]), 1, &told);
}

#[test]
fn without_a_name_server_a_name_is_told_too() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let mut alice = namespace.piped(MUXNC, &["nowhere.invalid", "80"]);
    let mut alice = Process::start(alice.stdin(Stdio::null()));
    alice.expect_status(1);
    alice.stderr.wait_end();
    let told = alice.stderr.text();
    assert!(
        told.starts_with("muxnc: look up nowhere.invalid: "),
        "{told}"
    );
    assert!(
        told.ends_with(
            "\n  Is the network up, and its name server? A numeric address needs none.\n"
        ),
        "{told}"
    );
}

#[test]
fn a_host_must_fit_what_was_asked_for() {
    for (args, told) in [
        (
            &["-6", "127.0.0.1", "80"][..],
            "muxnc: look up 127.0.0.1: not an address of that family\n  \
             -4 and -6 must fit the address.\n",
        ),
        (
            &["-4", "::1", "80"],
            "muxnc: look up ::1: not an address of that family\n  \
             -4 and -6 must fit the address.\n",
        ),
        (
            &["-l", "-4", "::1", "0"],
            "muxnc: look up ::1: not an address of that family\n  \
             -4 and -6 must fit the address.\n",
        ),
        (
            &["-n", "localhost", "80"],
            "muxnc: look up localhost: not a numeric address\n  \
             With -n nothing is looked up; leave it out to use a name.\n",
        ),
    ] {
        expect_usage(args, told);
    }
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let first = Hub::start(&["-v"]);
    let port = first.port.to_string();
    for (args, place) in [
        (&["-l", &port][..], format!("[::]:{port}")),
        (&["-l", "-4", &port], format!("0.0.0.0:{port}")),
        (&["-l", "127.0.0.1", &port], format!("127.0.0.1:{port}")),
        (&["-l", "--once", &port], format!("[::]:{port}")),
    ] {
        let told = format!(
            "muxnc: listen on {place}: address already in use\n  \
             Port {port} is already in use, by a program or by a connection that is not over yet: \
             stop it, wait, or choose another port. \
             To see which it is: ss -tanp 'sport = :{port}'\n"
        );
        // Where there is no IPv6, the first listens on the other.
        let told = match first.process.stderr.text().contains("0.0.0.0") {
            true => told.replace("[::]", "0.0.0.0"),
            false => told,
        };
        expect_error(&mut piped(MUXNC, args), 1, &told);
    }
    // The first has lost nobody to them.
    for _ in 0..8 {
        first.join_seen();
    }
}

/// A connection that goes out from the port, what is left of one, and a socket of UDP that is connected.
#[test]
fn the_command_that_is_told_shows_what_has_the_port() {
    if !installed(&["ss"]) {
        return;
    }
    let shown = |options: &[&str], port: u16, expected: &str| {
        let port = port.to_string();
        let mut hub = muxnc(&[options, &[&port]].concat());
        hub.expect_status(1);
        let told = hub.stderr.text();
        let (_, command) = told.split_once("To see which it is: ").expect(&told);
        let output = Command::new("sh").args(["-c", command]).output().unwrap();
        let listed = String::from_utf8(output.stdout).unwrap();
        let is_it = |line: &str| line.contains(expected) && line.contains(&format!(":{port} "));
        assert!(listed.lines().any(is_it), "{command}{listed}");
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let going = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut come, _) = listener.accept().unwrap();
    let port = going.local_addr().unwrap().port();
    shown(&["-l", "-4"], port, "ESTAB");
    drop(going);
    // Its end has come, so that ours is the last.
    assert_eq!(come.read(&mut [0]).unwrap(), 0);
    drop(come);
    shown(&["-l", "-4"], port, "TIME-WAIT");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(listener.local_addr().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    shown(&["-lu", "-4"], port, "ESTAB");
}

#[test]
fn a_port_is_not_shared_with_who_would_share_it() {
    let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    other.set_reuse_port(true).unwrap();
    other.set_reuse_address(true).unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    other.bind(&any.into()).unwrap();
    other.listen(8).unwrap();
    let addr = other.local_addr().unwrap().as_socket().unwrap();
    let port = addr.port().to_string();
    let mut second = muxnc(&["-l", "127.0.0.1", &port]);
    second.expect_status(1);
    second.stderr.wait_for(&format!(
        "muxnc: listen on {addr}: address already in use\n  Port {port} "
    ));
}

#[test]
fn what_is_no_port_is_no_port() {
    for (port, why) in [
        ("0x", "not a port"),
        ("99999", "out of range"),
        ("65536", "out of range"),
        ("99999999999999999999", "out of range"),
        ("80x", "not a port"),
        ("", "not a port"),
        (" 80", "not a port"),
        ("+80", "not a port"),
        ("80.0", "not a port"),
        ("no-such-service", "no such service"),
    ] {
        let told = format!("muxnc: port '{port}': {why}\n{PORTS}");
        expect_usage(&["127.0.0.1", port], &told);
        expect_usage(&["-l", port], &told);
        expect_usage(&["-l", "-p", port], &told);
        expect_usage(&["-l", "127.0.0.1", port], &told);
        expect_usage(&["-p", port, "127.0.0.1", "80"], &told);
    }
    let told = format!("muxnc: port '-5': not a port\n{PORTS}");
    expect_usage(&["127.0.0.1", "--", "-5"], &told);
    expect_usage(&["-l", "--", "-5"], &told);
    expect_usage(&["-l", "-p", "-5"], &told);
}

#[test]
fn port_0_cannot_be_connected_to() {
    expect_usage(
        &["127.0.0.1", "0"],
        "muxnc: port '0': nothing can be reached there\n  \
         A port to connect to is a number from 1 to 65535, or a service's name.\n",
    );
}

#[test]
fn a_negative_port_is_taken_for_an_option_and_refused() {
    for args in [&["127.0.0.1", "-5"][..], &["-l", "-5"]] {
        let mut wrong = muxnc(args);
        wrong.expect_status(2);
        wrong.stderr.wait_end();
        let told = wrong.stderr.text();
        assert!(
            told.starts_with("muxnc: -5: there is no such option\n  "),
            "{told}"
        );
    }
}

#[test]
fn each_tip_has_a_line() {
    expect_usage(
        &["--proxy-type", "socks9", "127.0.0.1", "80"],
        "muxnc: usage: invalid value 'socks9' for '--proxy-type <TYPE>'\n  \
         [possible values: http, socks4, socks5]\n  \
         tip: a similar value exists: 'socks5'\n  \
         Try: muxnc --help\n",
    );
}

#[test]
fn what_is_missing_is_named() {
    let try_this = "  As in: muxnc HOST PORT, or muxnc -l PORT to be the hub. Try: muxnc --help\n";
    for (args, what) in [
        (&[][..], "host and port are missing"),
        (&["-v"], "host and port are missing"),
        (&["-p", "3000"], "host and port are missing"),
        (
            &["127.0.0.1"],
            "the port to connect to on 127.0.0.1 is missing",
        ),
        (&["", "80"], "the host is missing"),
    ] {
        expect_usage(args, &format!("muxnc: usage: {what}\n{try_this}"));
    }
    expect_usage(
        &["-l"],
        "muxnc: usage: which port to listen on is missing\n  As in: muxnc -l 3000\n",
    );
    expect_usage(
        &["-l", "", "0"],
        "muxnc: usage: the address to listen on is missing\n  As in: muxnc -l 3000\n",
    );
}

#[test]
fn what_contradicts_itself_is_explained() {
    for (args, told) in [
        (
            &["-l", "-p", "3000", "127.0.0.1", "3001"][..],
            "muxnc: usage: two ports to listen on were given\n  Either after the host or with -p.\n",
        ),
        (
            &["-l", "127.0.0.1", "-s", "127.0.0.1", "3000"],
            "muxnc: usage: two addresses to listen on were given\n  \
             Either before the port or with -s.\n",
        ),
        (
            &["-w", "0", "127.0.0.1", "80"],
            "muxnc: usage: invalid value '0' for '--wait <TIME>': it must be longer than nothing\n  \
             Try: muxnc --help\n",
        ),
    ] {
        expect_usage(args, told);
    }
    for args in [
        &["-l", "-m", "0", "0"][..],
        &["-l", "--stall-timeout", "soon", "0"],
        &["a", "80", "81"],
    ] {
        let mut wrong = muxnc(args);
        wrong.expect_status(2);
        wrong.stderr.wait_end();
        let told = wrong.stderr.text();
        assert!(told.starts_with("muxnc: usage: "), "{args:?}: {told}");
        assert!(
            told.ends_with("\n  Try: muxnc --help\n"),
            "{args:?}: {told}"
        );
        let indented = told.lines().skip(1).all(|line| line.starts_with("  "));
        assert!(indented, "{args:?}: {told}");
        assert_eq!(wrong.stdout.wait_end(), b"", "{args:?}");
    }
}

#[test]
fn programs_are_never_run_for_the_network() {
    let marker = Folder::in_temp("ran");
    let run = format!("touch {}", marker.0.join("ran").display());
    for (spelling, args) in [
        ("-e", &["-l", "0", "-e", &run][..]),
        ("-c", &["-l", "0", "-c", &run]),
        ("-e", &["-l", "-e", &run, "0"]),
        ("-e", &["-lve", &run]),
        ("--exec", &["-l", "0", "--exec", &run]),
        ("--sh-exec", &["-l", "0", "--sh-exec", &run]),
        ("--lua-exec", &["-l", "0", "--lua-exec", &run]),
        ("-e", &["127.0.0.1", "80", "-e", &run]),
        ("-c", &["127.0.0.1", "80", "-c", &run]),
        ("-e", &["-l", "0", "-e"]),
        ("-c", &["-c"]),
    ] {
        let more = match spelling {
            "-c" => "  The -c of a Mac's nc, which ends lines with CR LF, is -C here.\n",
            _ => "",
        };
        expect_usage(args, &format!("muxnc: {spelling}: {EXEC}{more}"));
    }
    assert!(!marker.0.join("ran").exists());
}

#[test]
fn an_address_of_another_machine_cannot_be_bound() {
    let told = "muxnc: listen on 192.0.2.1:0: cannot assign requested address\n  \
                That is not an address of this machine: leave it out to listen on all of them.\n";
    expect_error(&mut piped(MUXNC, &["-l", "192.0.2.1", "0"]), 1, told);
    expect_error(&mut piped(MUXNC, &["-l", "-s", "192.0.2.1", "0"]), 1, told);
    let (_reserved, port) = reserved_port();
    let port = port.to_string();
    let told = format!(
        "muxnc: connect to 127.0.0.1:{port}: cannot assign requested address\n  \
         -s must be an address of this machine, of the same family.\n"
    );
    let args = ["-s", "192.0.2.1", "127.0.0.1", &port];
    expect_error(&mut piped(MUXNC, &args), 1, &told);
    // Nobody typed -4 or -6.
    for (source, host, to) in [
        ("::1", "127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "::1", "[::1]"),
    ] {
        let told = format!(
            "look up {source}: not an address of that family\n  \
             -s must be an address of this machine, of the same family.\n"
        );
        let by_tcp = format!("muxnc: connect to {to}:{port}: {told}");
        expect_error(&mut piped(MUXNC, &["-s", source, host, &port]), 1, &by_tcp);
        expect_usage(
            &["-u", "-s", source, host, &port],
            &format!("muxnc: {told}"),
        );
    }
    // What is told of several ports is one line.
    let told = "muxnc: look for open ports of 127.0.0.1: none of 2 ports is open: \
                2 failed (look up ::1: not an address of that family)\n";
    expect_error(
        &mut piped(MUXNC, &["-z", "-s", "::1", "127.0.0.1", "9,10"]),
        1,
        told,
    );
}

#[test]
fn a_privileged_port_is_for_the_administrator() {
    let Some(namespace) = Namespace::new().filter(|_| installed(&["setpriv"])) else {
        return;
    };
    // Whatever the machine allows: in this network it is as it is everywhere.
    if !namespace.sysctl("net.ipv4.ip_unprivileged_port_start", "1024") {
        return left_out("net.ipv4.ip_unprivileged_port_start to be set in a namespace");
    }
    // Anybody can reach a copy there, unlike a build in somebody's home.
    let folder = Folder::in_temp("privileged");
    let copy = folder.0.join("muxnc");
    copy_program(&copy);
    let copy = copy.to_str().unwrap();
    for (args, place) in [
        (&["-l", "80"][..], "[::]:80"),
        (&["-l", "-4", "80"], "0.0.0.0:80"),
        (&["-l", "127.0.0.1", "1023"], "127.0.0.1:1023"),
    ] {
        let told = format!(
            "muxnc: listen on {place}: permission denied\n  Ports below 1024 are for the \
             administrator: choose one from 1024 to 65535.\n"
        );
        expect_error(&mut namespace.piped_as_nobody(copy, args), 1, &told);
    }
    let mut allowed = Process::start(&mut namespace.piped_as_nobody(copy, &["-l", "-v", "1024"]));
    assert_eq!(listening_port(&allowed.stderr), 1024);
    assert!(allowed.is_running());
}

#[test]
fn without_ipv6_a_hub_listens_on_ipv4_and_minus_6_says_why_not() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    if !namespace.sysctl("net.ipv6.conf.all.disable_ipv6", "1") {
        return left_out("IPv6 to be switched off in a namespace");
    }
    let mut hub = Process::start(&mut namespace.piped(MUXNC, &["-l", "-v", "3000"]));
    hub.stderr.wait_for("muxnc: listening on 0.0.0.0:3000\n");
    let alice = Process::start(&mut namespace.piped(MUXNC, &["127.0.0.1", "3000"]));
    hub.type_in("Hello\n");
    alice.stdout.wait_for("Hello\n");
    let by_udp = Process::start(&mut namespace.piped(MUXNC, &["-l", "-u", "-v", "3000"]));
    by_udp
        .stderr
        .wait_for("muxnc: listening on 0.0.0.0:3000 (UDP)\n");
    for (args, place) in [
        (&["-l", "-6", "3001"][..], "[::]:3001"),
        (&["-l", "::1", "3001"], "[::1]:3001"),
        (&["-l", "-u", "-6", "3001"], "[::]:3001 by UDP"),
        (&["-l", "-u", "::1", "3001"], "[::1]:3001 by UDP"),
    ] {
        let told = format!(
            "muxnc: listen on {place}: address family not supported by protocol\n  \
             This machine has no IPv6: use -4.\n"
        );
        expect_error(&mut namespace.piped(MUXNC, args), 1, &told);
    }
}

/// Signals as a shell in the foreground hands them on, whatever started the tests.
fn with_signals(args: &[&str]) -> Command {
    let mut all = vec!["--default-signal=INT,TERM", MUXNC];
    all.extend(args);
    piped("env", &all)
}

#[test]
fn death_by_a_signal_is_seen_by_the_parent() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut hub = Hub::start_command(&mut with_signals(&["-l", "-v", "0"]));
        let _alice = hub.join_seen();
        hub.process.signal(signal);
        let status = hub.process.wait();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");

        let mut once = Hub::start_command(&mut with_signals(&["-l", "--once", "0"]));
        once.process.signal(signal);
        let status = once.process.wait();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");

        let bob = Hub::start(&["-v"]);
        let mut alice = Process::start(&mut with_signals(&["127.0.0.1", &bob.port.to_string()]));
        bob.process.stderr.wait_for(" joined");
        alice.type_in("Hello\n");
        bob.process.stdout.wait_for("Hello\n");
        alice.signal(signal);
        let status = alice.wait();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
    }
}

/// Rust's own handler of these two swallows the first that nothing but a person sends.
#[test]
fn the_first_signal_of_a_fault_ends_it_too() {
    for signal in [Signal::SEGV, Signal::BUS, Signal::FPE] {
        let bob = Hub::start(&["-v"]);
        let port = bob.port.to_string();
        let alice = muxnc(&["127.0.0.1", &port]);
        bob.process.stderr.wait_for(" joined");
        let once = Hub::start(&["--once"]);
        for mut process in [alice, once.process, bob.process] {
            support::wait_at_rest(&process);
            process.signal(signal);
            let status = process.wait();
            assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
        }
    }
}

/// Somebody may find that it listens, and send one, before it takes its first turn.
#[test]
fn the_signal_of_a_fault_ends_a_hub_from_the_moment_it_listens() {
    for signal in [Signal::SEGV, Signal::BUS, Signal::FPE, Signal::ILL] {
        for args in [&[][..], &["--once"]] {
            for _ in 0..20 {
                let (_reserved, port) = reserved_port();
                let place = ["-l", "-v", "127.0.0.1", &port.to_string()];
                let mut hub = Process::start(&mut piped(MUXNC, &[&place, args].concat()));
                let end = std::time::Instant::now() + support::DEADLINE;
                while TcpStream::connect(("127.0.0.1", port)).is_err() {
                    assert!(std::time::Instant::now() < end, "nobody listens");
                }
                hub.signal(signal);
                let status = hub.wait();
                let expected = Some(signal.as_raw());
                assert_eq!(status.signal(), expected, "{status}, {args:?}");
            }
        }
    }
}

/// The kernel protects the first process of a PID namespace from signals (a container without an
/// init). It cannot end by one, so it ends with the status that a shell would show.
#[test]
fn the_first_process_of_a_container_ends_by_a_signal_too() {
    if !installed(&["unshare"]) {
        return;
    }
    let flags = |user: &'static str| ["--pid", "--fork", "--kill-child", "--mount-proc", user];
    let Some(flags) = [flags("--mount"), flags("--map-root-user")]
        .into_iter()
        .find(|flags| {
            let made = piped("unshare", flags).arg("true").output();
            made.is_ok_and(|made| made.status.success())
        })
    else {
        return left_out("a PID namespace, which is not permitted here");
    };
    let bob = Hub::start(&["-v"]);
    let port = bob.port.to_string();
    let place = ["127.0.0.1", &port];
    let hub = ["-l", "127.0.0.1", "0"];
    for (words, told) in [(&hub[..], "listening on"), (&place, "connected to")] {
        let args = [&flags[..], &[MUXNC, "-v"], words].concat();
        for signal in [
            Signal::INT,
            Signal::TERM,
            Signal::HUP,
            Signal::QUIT,
            Signal::USR1,
            Signal::POWER,
        ] {
            let mut alone = Process::start(&mut piped("unshare", &args));
            alone.stderr.wait_for(told);
            let first = first_child(&alone);
            rustix::process::kill_process(first, signal).unwrap();
            alone.expect_status(128 + signal.as_raw());

            // With an edit line, once keys come one by one, and without.
            for (kind, ready) in [("xterm", "\x1b[?2004h"), ("dumb", told)] {
                let mut seat = Terminal::of_kind(kind, "unshare", &args);
                seat.screen.wait_for(ready);
                let first = first_child(&seat.process);
                rustix::process::kill_process(first, signal).unwrap();
                seat.process.expect_status(128 + signal.as_raw());
            }
        }
    }
}

/// The one child of a process.
#[track_caller]
fn first_child(parent: &Process) -> rustix::process::Pid {
    let pid = parent.pid();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let child = children.split_whitespace().next().expect("a child");
    rustix::process::Pid::from_raw(child.parse().unwrap()).unwrap()
}

#[test]
fn a_shell_sees_130_after_ctrl_c() {
    // A shell that traps the signal itself lives to tell, and its child gets the default back.
    let script = format!("trap : INT; {MUXNC} -l 0; echo status $?");
    let mut bob = Terminal::start("sh", &["-c", &script]);
    bob.screen.wait_for("muxnc: listening on ");
    bob.press("\x03");
    bob.screen.wait_for("status 130\r\n");
}

#[test]
fn a_shell_sees_143_after_sigterm() {
    let script = format!("{MUXNC} -l 0 </dev/null & echo pid $!.; wait $!; echo status $?");
    let shell = Process::start(&mut piped("sh", &["-c", &script]));
    listening_port(&shell.stderr);
    let told = shell.stdout.wait_for(".\n");
    let pid = told.trim_start_matches("pid ").trim_end_matches(".\n");
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    shell.stdout.wait_for("status 143\n");
}

#[test]
fn a_connection_that_breaks_is_an_error_of_the_network() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut alice = muxnc(&["127.0.0.1", &addr.port().to_string()]);
    let (mut server, _) = listener.accept().unwrap();
    alice.type_in("Hello\n");
    expect_bytes(&mut server, "Hello\n");
    let server = Socket::from(server);
    server.set_linger(Some(Duration::ZERO)).unwrap();
    drop(server);
    alice.expect_status(1);
    alice.stderr.wait_end();
    assert_eq!(
        alice.stderr.text(),
        format!(
            "muxnc: receive from {addr}: connection reset by peer\n  The other side broke off before \
             stdin had ended: it may not have taken the last of 6 bytes.\n"
        )
    );
}

#[test]
fn done_is_0_for_hub_and_participant() {
    let mut hub = Hub::start(&["-v"]);
    let mut alice = muxnc(&["127.0.0.1", &hub.port.to_string()]);
    hub.process.stderr.wait_for(" joined");
    hub.process.type_in("Hello\n");
    hub.process.end_input();
    alice.stdout.wait_for("Hello\n");
    alice.end_input();
    alice.expect_status(0);
    hub.process.expect_status(0);
    assert_eq!(alice.stderr.wait_end(), b"");
}

#[test]
fn errors_are_told_with_a_log_that_is_switched_off() {
    let (_reserved, port) = reserved_port();
    let port = port.to_string();
    let told = format!(
        "muxnc: connect to 127.0.0.1:{port}: connection refused\n  \
         Nothing listens on that port: is the other side started, is the port right?\n"
    );
    let mut alice = piped(MUXNC, &["127.0.0.1", &port]);
    expect_error(alice.env("RUST_LOG", "off"), 1, &told);
}

#[test]
fn words_that_other_programs_take_are_written_as_they_are_wanted() {
    for (args, told) in [
        (
            &["127.0.0.1:80"][..],
            "muxnc: '127.0.0.1:80': a host and a port are two words\n  \
             Write them apart: muxnc 127.0.0.1 80\n",
        ),
        (
            &["-l", "127.0.0.1:80"],
            "muxnc: '127.0.0.1:80': a host and a port are two words\n  \
             Write them apart: muxnc -l 127.0.0.1 80\n",
        ),
        (
            &["http://127.0.0.1/"],
            "muxnc: 'http://127.0.0.1/': a URL; a host and a port are wanted\n  \
             Write them apart: muxnc -C 127.0.0.1 80, and then type the request.\n",
        ),
        (
            &["-", "TCP:127.0.0.1:80"],
            "muxnc: 'TCP:127.0.0.1:80': that is how socat is told where to connect\n  \
             Write: muxnc 127.0.0.1 80\n",
        ),
        (
            &["-l", "-w", "1", "80"],
            "muxnc: -w with -l: a hub connects to nobody\n  \
             -i TIME disconnects whoever is silent that long, as -w ends a connected nc -l.\n",
        ),
        (
            &["-l", "--deny", "127.0.0.010", "0"],
            "muxnc: host '127.0.0.010': ambiguous: a number that begins with 0 may be octal\n  \
             A host is an address, a prefix as 192.0.2.0/24, a range as 192.0.2.1-99, or a name.\n",
        ),
        (
            &["--broker", "127.0.0.1", "80"],
            "muxnc: --broker: that is for a hub, which listens\n  \
             Add -l to be one: muxnc -l --broker PORT\n",
        ),
    ] {
        expect_usage(args, told);
    }
}

#[test]
fn the_place_of_a_proxy_is_not_taken_for_a_file() {
    let folder = Folder::in_temp("place");
    let mut alice = piped(MUXNC, &["-x", "127.0.0.1:1080", "127.0.0.1", "80"]);
    expect_error(
        alice.current_dir(&folder.0),
        2,
        "muxnc: -x 127.0.0.1:1080: that is a proxy's place: nc's -x is --proxy here\n  \
         Use --proxy 127.0.0.1:1080 --proxy-type socks5 (or socks4, or http: nc's -X 4 and -X \
         connect).\n  For a hex dump in a file of that name: -x ./127.0.0.1:1080\n",
    );
    // As curl's users say it, a password is not repeated.
    let url = "socks5://ana:secret@127.0.0.1:1080";
    let mut alice = piped(MUXNC, &["-x", url, "127.0.0.1", "80"]);
    expect_error(
        alice.current_dir(&folder.0),
        2,
        "muxnc: -x socks5://...@127.0.0.1:1080: that is a proxy's place: nc's -x is --proxy here\n  \
         Use --proxy 127.0.0.1:1080 --proxy-type socks5\n  \
         Who you are to it: --proxy-auth USER:PASS, or NCAT_PROXY_AUTH, which others cannot read.\n",
    );
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[test]
fn a_quiet_look_whether_something_listens_says_so_by_its_status() {
    let (_reserved, port) = reserved_port();
    let port = port.to_string();
    let mut probe = piped(MUXNC, &["--quiet", "-z", "127.0.0.1", &port]);
    expect_error(&mut probe, 1, "");
    // What makes no sense is told all the same.
    expect_usage(
        &["--quiet", "-z", "-4", "::1", &port],
        "muxnc: look up ::1: not an address of that family\n  \
         -4 and -6 must fit the address.\n",
    );
}

#[test]
fn the_help_begins_with_ten_lines_for_a_terminal() {
    let [summary, help] = ["-h", "--help"].map(|option| {
        let mut asked = muxnc(&[option]);
        asked.expect_status(0);
        String::from_utf8(asked.stdout.wait_end()).unwrap()
    });
    assert_eq!(summary.lines().count(), 10, "{summary}");
    assert!(summary.lines().all(|line| line.len() <= 80), "{summary}");
    assert!(help.starts_with(&summary), "{help}");
    assert!(help.contains("--stall-timeout <TIME>"), "{help}");
}

#[test]
fn help_and_version_are_no_errors() {
    for (args, text) in [
        (&["-h"][..], "muxnc 192.0.2.7 3000"),
        (&["--help"], "muxnc [OPTIONS] -l [HOST] PORT"),
        (&["-V"], concat!("muxnc ", env!("CARGO_PKG_VERSION"), "\n")),
    ] {
        let mut asked = muxnc(args);
        asked.expect_status(0);
        asked.stdout.wait_for(text);
        assert_eq!(asked.stderr.wait_end(), b"");
    }
}

#[test]
fn a_text_that_cannot_be_written_is_an_error() {
    for args in [
        &["-h"][..],
        &["--help"],
        &["-V"],
        &["--version"],
        &["--generate", "man"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let asked = Command::new(MUXNC).args(args).stdout(full).output();
        let asked = asked.unwrap();
        let told = String::from_utf8_lossy(&asked.stderr);
        let expected = "muxnc: write to stdout: no space left on device\n";
        assert_eq!(
            (asked.status.code(), &*told),
            (Some(1), expected),
            "{args:?}"
        );
    }
    // Whoever leaves a pager has seen enough.
    let (nobody, stdout) = std::io::pipe().unwrap();
    drop(nobody);
    let asked = Command::new(MUXNC).arg("--help").stdout(stdout).output();
    let asked = asked.unwrap();
    assert_eq!((asked.status.code(), &*asked.stderr), (Some(0), &b""[..]));
}

/// The slim build knows what it cannot do.
#[cfg(not(feature = "tls"))]
#[test]
fn without_tls_it_says_so() {
    for args in [&["--ssl", "localhost", "1"][..], &["-l", "--tls", "0"]] {
        expect_usage(
            args,
            "muxnc: --ssl: this muxnc was built without TLS\n  Build it with its default \
             features: cargo install without --no-default-features\n",
        );
    }
}

/// As above; no option is named that nobody gave.
#[cfg(all(feature = "bus", not(feature = "tls")))]
#[test]
fn without_tls_the_bus_says_so() {
    for (url, more, option) in [
        ("tls://127.0.0.1:1/class", &[][..], "--bus tls://"),
        (
            "nats://127.0.0.1:1/class",
            &["--bus-trustfile", "/dev/null"],
            "--bus-trustfile",
        ),
    ] {
        let told = format!(
            "muxnc: {option}: this muxnc was built without TLS\n  Build it with its default \
             features: cargo install without --no-default-features\n"
        );
        expect_usage(&[&["-l", "0", "--bus", url], more].concat(), &told);
    }
}

/// As above.
#[cfg(not(feature = "web"))]
#[test]
fn without_the_web_it_says_so() {
    expect_usage(
        &["-l", "--web", "0"],
        "muxnc: --web: this muxnc was built without the web\n  Build it with its default features: \
         cargo install without --no-default-features\n",
    );
}
