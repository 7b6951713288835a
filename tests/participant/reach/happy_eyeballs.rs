//! A name with several addresses: some listen, some refuse, some say nothing.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::Domain;
use socket2::Socket;
use socket2::Type;

use crate::support::DEADLINE;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::expect_bytes;
use crate::support::installed;
use crate::support::left_out;
use crate::support::piped;
use crate::support::read_all;

/// A machine on which names have the addresses that a test wants.
struct Hosts {
    file: PathBuf,
    unshare: &'static str,
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

impl Hosts {
    /// `hosts(5)`. None where that is not permitted: the test is to be left out, which was said.
    #[track_caller]
    fn new(text: &str) -> Option<Hosts> {
        if !installed(&["unshare", "mount", "sh"]) {
            return None;
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("muxnc-hosts-{}-{number}", std::process::id());
        let mut hosts = Hosts {
            file: std::env::temp_dir().join(name),
            unshare: "",
        };
        fs::write(&hosts.file, text).unwrap();
        for unshare in ["-m", "-rm"] {
            hosts.unshare = unshare;
            let made = hosts.command("true", &[]).output();
            if made.is_ok_and(|made| made.status.success()) {
                return Some(hosts);
            }
        }
        left_out("a mount namespace, which is not permitted here");
        None
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        let file = self.file.to_str().unwrap();
        let mut all = vec![self.unshare, "sh", "-c", script, file, program];
        all.extend(args);
        piped("unshare", &all)
    }

    fn muxnc(&self, args: &[&str]) -> Process {
        Process::start(&mut self.command(MUXNC, args))
    }
}

/// What somebody who connects there meets, for as long as it lives.
struct Place {
    socket: Socket,
    /// Who fills the queue of one that answers nobody.
    _waiting: Vec<TcpStream>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Listening,
    Silent,
    Refusing,
}

impl Place {
    /// None if somebody else has the port.
    fn new(addr: SocketAddr, kind: Kind) -> Option<Place> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).unwrap();
        socket.bind(&addr.into()).ok()?;
        let mut waiting = Vec::new();
        match kind {
            Kind::Refusing => {}
            Kind::Listening => socket.listen(16).unwrap(),
            Kind::Silent => {
                socket.listen(0).unwrap();
                let limit = Duration::from_millis(300);
                while let Ok(stream) = TcpStream::connect_timeout(&addr, limit) {
                    waiting.push(stream);
                    assert!(waiting.len() < 64, "the queue is never full");
                }
            }
        }
        Some(Place {
            socket,
            _waiting: waiting,
        })
    }
}

/// Several addresses, and what one meets there on one port, which they have in common. None where
/// there is no IPv6.
fn places(wanted: &[(&str, Kind)]) -> Option<(String, Vec<Place>)> {
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    if !has_ipv6 && wanted.iter().any(|(ip, _)| ip.contains(':')) {
        left_out("IPv6");
        return None;
    }
    'again: for _ in 0..100 {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut places = Vec::new();
        for (ip, kind) in wanted {
            let ip: IpAddr = ip.parse().unwrap();
            match Place::new(SocketAddr::new(ip, port), *kind) {
                Some(place) => places.push(place),
                // Somebody else has it there.
                None => continue 'again,
            }
        }
        return Some((port.to_string(), places));
    }
    panic!("no port is free on all of {wanted:?}");
}

/// One of `places` takes a connection, which works both ways.
#[track_caller]
fn expect_talk(alice: &mut Process, place: &Place) {
    place.socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let accepted = place.socket.accept().expect("it is tried");
    let mut stream = TcpStream::from(accepted.0);
    stream.write_all(b"come in\n").unwrap();
    alice.stdout.wait_for("come in\n");
    alice.type_in("thank you\n");
    expect_bytes(&mut stream, "thank you\n");
    alice.end_input();
    assert_eq!(read_all(&mut stream), b"");
    drop(stream);
    alice.expect_status(0);
}

const TWO: &str = "127.0.0.1 place\n127.0.0.2 place\n";

#[test]
fn a_dead_address_does_not_hold_up_the_next_one() {
    let Some(hosts) = Hosts::new(TWO) else {
        return;
    };
    let wanted = [("127.0.0.1", Kind::Silent), ("127.0.0.2", Kind::Listening)];
    let (port, places) = places(&wanted).unwrap();
    // Were it waited for, the test would be over long before.
    let mut alice = hosts.muxnc(&["-v", "-w", "1h", "place", &port]);
    expect_talk(&mut alice, &places[1]);
    alice.stderr.wait_for(&format!(
        "muxnc: connect to 127.0.0.1:{port}: no answer yet, and 127.0.0.2:{port} did answer\n\
         muxnc: connected to 127.0.0.2:{port}\n"
    ));
}

#[test]
fn the_race_is_explained_with_who_was_beside_whom_and_who_lost() {
    let Some(hosts) = Hosts::new(TWO) else {
        return;
    };
    let wanted = [("127.0.0.1", Kind::Silent), ("127.0.0.2", Kind::Listening)];
    let (port, places) = places(&wanted).unwrap();
    let mut alice = hosts.muxnc(&["--explain", "-w", "1h", "place", &port]);
    expect_talk(&mut alice, &places[1]);
    let told = alice.stderr.text();
    let mut rest = &told[..];
    for text in [
        "muxnc: name: the system is asked for the addresses of place (/etc/hosts, DNS)\n",
        "muxnc: name: place has 2 addresses, found after ",
        "to be tried in this order: 127.0.0.1, 127.0.0.2\n",
        &format!(
            "muxnc: TCP: our kernel is asked for a connection to 127.0.0.1:{port}: it sends a SYN\n"
        ),
        &format!(
            "muxnc: TCP: no answer yet: a SYN goes to 127.0.0.2:{port}, too, beside the other"
        ),
        &format!("muxnc: TCP: SYN, SYN-ACK, ACK: the handshake with 127.0.0.2:{port} is over"),
        &format!(
            "muxnc: TCP: 127.0.0.1:{port} did not answer before 127.0.0.2:{port} did: it lost the race"
        ),
    ] {
        let (_, behind) = rest
            .split_once(text)
            .unwrap_or_else(|| panic!("{text:?}: {told}"));
        rest = behind;
    }
}

#[test]
fn the_first_that_answers_is_the_only_one_that_is_tried() {
    let Some(hosts) = Hosts::new(TWO) else {
        return;
    };
    let wanted = [
        ("127.0.0.1", Kind::Listening),
        ("127.0.0.2", Kind::Listening),
    ];
    let (port, places) = places(&wanted).unwrap();
    let mut alice = hosts.muxnc(&["place", &port]);
    expect_talk(&mut alice, &places[0]);
    let second = &places[1].socket;
    second.set_nonblocking(true).unwrap();
    assert!(second.accept().is_err(), "two connections were made");
}

#[test]
fn localhost_is_there_whichever_family_listens() {
    let Some(hosts) = Hosts::new("::1 localhost\n127.0.0.1 localhost\n") else {
        return;
    };
    for kinds in [
        [Kind::Listening, Kind::Refusing],
        [Kind::Refusing, Kind::Listening],
        [Kind::Listening, Kind::Silent],
        [Kind::Silent, Kind::Listening],
    ] {
        let Some((port, places)) = places(&[("::1", kinds[0]), ("127.0.0.1", kinds[1])]) else {
            return;
        };
        let mut alice = hosts.muxnc(&["-w", "1h", "localhost", &port]);
        let there = kinds.iter().position(|kind| *kind == Kind::Listening);
        expect_talk(&mut alice, &places[there.unwrap()]);
    }
}

#[test]
fn when_all_refuse_each_is_tried_and_told_with_v() {
    let all = "::1 place\n127.0.0.1 place\n127.0.0.2 place\n";
    let Some(hosts) = Hosts::new(all) else {
        return;
    };
    let wanted = ["::1", "127.0.0.1", "127.0.0.2"].map(|ip| (ip, Kind::Refusing));
    let Some((port, _places)) = places(&wanted) else {
        return;
    };
    let mut alice = hosts.muxnc(&["-w", "1h", "-v", "place", &port]);
    alice.expect_status(1);
    let told = alice.stderr.text();
    for addr in ["[::1]", "127.0.0.1", "127.0.0.2"] {
        let line = format!("muxnc: connect to {addr}:{port}: connection refused\n");
        assert_eq!(told.matches(&line).count(), 1, "{told}");
    }
    assert!(
        told.ends_with(
            "): connection refused\n  \
             Nothing listens on that port: is the other side started, is the port right?\n"
        ),
        "{told}"
    );
}

#[test]
fn of_several_failures_the_most_telling_is_told() {
    let Some(hosts) = Hosts::new(TWO) else {
        return;
    };
    for kinds in [
        [Kind::Silent, Kind::Refusing],
        [Kind::Refusing, Kind::Silent],
    ] {
        let refused = 1 + kinds
            .iter()
            .position(|kind| *kind == Kind::Refusing)
            .unwrap();
        let wanted = [("127.0.0.1", kinds[0]), ("127.0.0.2", kinds[1])];
        let (port, _places) = places(&wanted).unwrap();
        let mut alice = hosts.muxnc(&["-w", "600ms", "place", &port]);
        alice.expect_status(1);
        assert_eq!(
            alice.stderr.text(),
            format!(
                "muxnc: connect to place:{port} (127.0.0.{refused}:{port}): connection refused\n  \
                 Nothing listens on that port: is the other side started, is the port right? \
                 Its other addresses failed otherwise: -v tells how.\n"
            )
        );
    }
}

#[test]
fn the_limit_is_for_all_addresses_and_leaves_each_its_turn() {
    let Some(hosts) = Hosts::new(TWO) else {
        return;
    };
    let wanted = [("127.0.0.1", Kind::Silent), ("127.0.0.2", Kind::Silent)];
    let (port, _places) = places(&wanted).unwrap();
    let mut alice = hosts.muxnc(&["-v", "-w", "240ms", "place", &port]);
    alice.expect_status(1);
    let told = alice.stderr.text();
    for addr in ["127.0.0.1", "127.0.0.2"] {
        assert!(
            told.contains(&format!("muxnc: connect to {addr}:{port}: timed out\n")),
            "{told}"
        );
    }
    assert!(
        told.contains(&format!(
            "connect to place:{port} (127.0.0.1:{port}): timed out\n  Nobody answered: "
        )),
        "{told}"
    );
}
