//! Names that nobody looks up in time, and addresses that only one link has.

use std::fs;
use std::path::Path;
use std::time::Instant;

use muxnc::io::net::USUAL;

use crate::support::Folder;
use crate::support::MUXNC;
use crate::support::Namespace;
use crate::support::Process;
use crate::support::eventually;
use crate::support::installed;
use crate::support::listening_port;

/// A machine whose only name server takes questions and answers none, and is asked for longer than any
/// test lasts.
struct SilentNames {
    namespace: Namespace,
    server: Process,
    _files: Folder,
}

impl SilentNames {
    /// None where that is not permitted, which was said.
    #[track_caller]
    fn new() -> Option<SilentNames> {
        if !installed(&["mount", "sh", "socat"]) {
            return None;
        }
        let files = Folder::new("silent-names");
        let mut script = String::new();
        for (name, text) in [
            (
                "resolv.conf",
                "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n",
            ),
            ("nsswitch.conf", "hosts: files dns\nservices: files\n"),
        ] {
            let (ours, theirs) = (files.0.join(name), Path::new("/etc").join(name));
            fs::write(&ours, text).unwrap();
            if theirs.exists() {
                script += &format!("mount --bind '{}' {} && ", ours.display(), theirs.display());
            }
        }
        let namespace = Namespace::furnished(&script, true)?;
        let server = ["-u", "UDP4-RECV:53,bind=127.0.0.1", "STDOUT"];
        let mut server = Process::start(&mut namespace.piped("socat", &server));
        let sockets = format!("/proc/{}/net/udp", namespace.pid());
        eventually("the name server is there", || {
            assert!(server.is_running(), "{}", server.stderr.text());
            fs::read_to_string(&sockets)
                .unwrap()
                .contains("0100007F:0035 ")
        });
        Some(SilentNames {
            namespace,
            server,
            _files: files,
        })
    }
}

#[test]
fn a_name_server_that_never_answers_is_waited_for_as_long_as_was_said() {
    let Some(names) = SilentNames::new() else {
        return;
    };
    let hint = "\n  Is the network up, and its name server? A numeric address needs none. \
                (-w TIME sets how long to try.)\n";
    for (args, name) in [
        (&["nowhere.example", "80"][..], "nowhere.example"),
        (&["-z", "zero.example", "80"], "zero.example"),
        (
            &["--proxy", "proxy.example", "192.0.2.1", "80"],
            "proxy.example",
        ),
        (
            &[
                "--proxy",
                "127.0.0.1:9",
                "--proxy-dns",
                "local",
                "far.example",
                "80",
            ],
            "far.example",
        ),
        (
            &["-s", "source.example", "127.0.0.1", "80"],
            "source.example",
        ),
    ] {
        let all = [&["-w", "200ms"], args].concat();
        let mut alice = Process::start(&mut names.namespace.piped(MUXNC, &all));
        alice.expect_status(1);
        alice.stderr.wait_end();
        let told = alice.stderr.text();
        assert!(told.contains("no answer in time"), "{args:?}: {told}");
        if !args.contains(&"-s") && !args.contains(&"proxy.example") {
            assert_eq!(
                told,
                format!("muxnc: look up {name}: no answer in time{hint}")
            );
        }
        // It was asked, and not before the next one was.
        let label = name.split('.').next().unwrap();
        names.server.stdout.wait_until("it was asked", |asked| {
            crate::support::contains(asked, label.as_bytes())
        });
    }
}

/// As long as a participant does without `-w`, and not for minutes.
#[test]
fn a_hub_does_not_wait_for_ever_for_the_names_that_it_is_to_know() {
    let Some(names) = SilentNames::new() else {
        return;
    };
    let list = Folder::new("silent-list");
    let file = list.0.join("allow");
    fs::write(&file, "listed.example\n").unwrap();
    let file = file.to_str().unwrap();
    let hubs = [
        (&["-l", "--allow", "allowed.example", "0"][..], "allowed"),
        (&["-l", "--deny", "denied.example", "0"], "denied"),
        (&["-l", "--allowfile", file, "0"], "listed"),
        (&["-l", "bound.example", "0"], "bound"),
    ];
    let begun = Instant::now();
    let wanted = |name: &str| {
        format!(
            "look up {name}.example: no answer in time\n  \
             Is the network up, and its name server? A numeric address needs none.\n"
        )
    };
    let start = |args: &[&str]| Process::start(&mut names.namespace.piped(MUXNC, args));
    let mut quiet = start(&["-l", "--quiet", "--allow", "quiet.example", "0"]);
    let hubs = hubs.map(|(args, name)| (start(args), name));
    for (hub, name) in &hubs {
        // What is waited for is told in time, and not only at the end.
        let told = format!("muxnc: look up {name}.example: no answer yet; ");
        let told = hub.stderr.wait_for(&told);
        assert!(!told.contains("in time"), "{told}");
    }
    for (mut hub, name) in hubs {
        hub.expect_status(1);
        hub.stderr.wait_end();
        let told = hub.stderr.text();
        assert!(told.ends_with(&wanted(name)), "{told}");
    }
    quiet.expect_status(1);
    quiet.stderr.wait_end();
    assert_eq!(quiet.stderr.text(), format!("muxnc: {}", wanted("quiet")));
    assert!(begun.elapsed() >= USUAL, "too soon");
}

#[test]
fn a_participant_says_what_it_waits_for_too() {
    let Some(names) = SilentNames::new() else {
        return;
    };
    let args = ["-w", "90s", "nowhere.example", "80"];
    let alice = Process::start(&mut names.namespace.piped(MUXNC, &args));
    let told = "muxnc: look up nowhere.example: no answer yet; 8";
    alice.stderr.wait_for(told);
}

#[test]
fn where_the_proxy_can_look_a_name_up_too_it_does_when_we_cannot_in_time() {
    let Some(names) = SilentNames::new() else {
        return;
    };
    // All the time is gone then, so that the proxy is told to have been too late.
    let args = [
        "-w",
        "200ms",
        "--proxy",
        "127.0.0.1:9",
        "--proxy-dns",
        "both",
        "far.example",
        "80",
    ];
    let mut alice = Process::start(&mut names.namespace.piped(MUXNC, &args));
    alice.expect_status(1);
    alice.stderr.wait_end();
    let told = alice.stderr.text();
    let to = "muxnc: connect to proxy 127.0.0.1:9: ";
    assert!(told.starts_with(to), "{told}");
}

#[test]
fn an_address_of_one_link_has_the_name_of_its_interface() {
    // The kernel makes the routes of an address a moment after the address: that to its network, and that to itself.
    let script = "ip -6 address add fe80::1/64 dev lo nodad && \
                  until ip -6 route get fe80::1 oif lo | grep '^local'; do sleep 0.01; done && ";
    let Some(namespace) = Namespace::furnished(script, false) else {
        return;
    };
    let start = |args: &[&str]| Process::start(&mut namespace.piped(MUXNC, args));
    for host in ["fe80::1%lo", "fe80::1%1"] {
        let mut bob = start(&["-l", "--once", "-n", host, "0"]);
        let port = listening_port(&bob.stderr).to_string();
        let mut alice = start(&["-n", host, &port]);
        alice.type_in("hello\n");
        alice.end_input();
        bob.type_in("bye\n");
        bob.end_input();
        alice.expect_status(0);
        bob.expect_status(0);
        assert_eq!(bob.stdout.wait_end(), b"hello\n");
        assert_eq!(alice.stdout.wait_end(), b"bye\n");
    }
    for (args, told) in [
        (
            &["fe80::1", "9"][..],
            "muxnc: address fe80::1: every link has such addresses: which is meant is missing\n  \
             Add the interface that leads there, as in: fe80::1%lo\n",
        ),
        (
            &["-l", "fe80::1", "0"],
            "muxnc: address fe80::1: every link has such addresses: which is meant is missing\n  \
             Add the interface that leads there, as in: fe80::1%lo\n",
        ),
    ] {
        let mut lost = start(args);
        lost.expect_status(2);
        lost.stderr.wait_end();
        assert_eq!(lost.stderr.text(), told);
    }
    let mut lost = start(&["-n", "fe80::1%nowhere", "9"]);
    lost.expect_status(1);
    lost.stderr.wait_end();
    assert_eq!(
        lost.stderr.text(),
        "muxnc: look up fe80::1%nowhere: there is no interface 'nowhere'\n  \
         The interfaces of this machine: lo.\n"
    );
    // Told is the name, however it was typed, by TCP and by UDP.
    for host in ["fe80::1%lo", "fe80::1%1"] {
        for (args, told) in [
            (
                &["-v", "-l", "-n", host, "0"][..],
                "listening on [fe80::1%lo]:",
            ),
            (
                &["-v", "-lu", "-n", host, "0"],
                "listening on [fe80::1%lo]:",
            ),
            (
                &["-n", host, "9"],
                "connect to [fe80::1%lo]:9: connection refused",
            ),
            (
                &["-v", "-u", "-n", host, "9"],
                "sending to [fe80::1%lo]:9 (UDP",
            ),
        ] {
            start(args).stderr.wait_for(told);
        }
        let mut nobody = start(&["-u", "-n", host, "9"]);
        nobody.type_in("hello\n");
        let told = "talk to [fe80::1%lo]:9 by UDP: connection refused";
        nobody.stderr.wait_for(told);
    }
}
