//! Other programs on the other side.

use std::fs;

use crate::Certificates;
use crate::Encrypted;
use crate::HOST;
use crate::ask_and_answer;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Nginx;
use crate::support::Process;
use crate::support::installed;
use crate::support::listening;
use crate::support::muxnc;
use crate::support::piped;
use crate::support::port_of;

/// Types one line each way, and lets the hub end it.
#[track_caller]
fn talks(mut secret: Encrypted, mut peer: Process) {
    peer.type_in("from the peer\n");
    secret.hub.process.stdout.wait_for("from the peer\n");
    secret.hub.process.type_in("from the hub\n");
    peer.stdout.wait_for("from the hub\n");
    secret.hub.process.end_input();
    // Some leave only then.
    peer.end_input();
    peer.wait();
    secret.hub.process.expect_status(0);
}

#[test]
fn openssl_takes_part_in_each_version() {
    if !installed(&["openssl"]) {
        return;
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let secret = Encrypted::start(&[]);
        let place = format!("{HOST}:{}", secret.hub.port);
        let args = [
            "s_client",
            "-quiet",
            "-no_ign_eof",
            version,
            "-connect",
            &place,
        ];
        talks(secret, Process::start(&mut piped("openssl", &args)));
    }
}

/// Who has to show a certificate shows it each time.
#[test]
fn who_comes_back_is_known_again() {
    let Some(made) = Certificates::new("tls-back") else {
        return;
    };
    made.sign("pupil", "-days 2");
    let (authority, session) = (made.file("authority.pem"), made.file("session.pem"));
    let (cert, key) = (made.file("pupil.pem"), made.file("pupil.key"));
    let asked = ["--ssl-verify", "--ssl-trustfile", &authority];
    let shows = ["-cert", &cert, "-key", &key];
    for (asks, shown, version, again) in [
        (&[][..], &[][..], "TLSv1.3", "Reused"),
        (&[], &[], "TLSv1.2", "Reused"),
        (&asked, &shows, "TLSv1.3", "New"),
        (&asked, &shows, "TLSv1.2", "New"),
    ] {
        let mut secret = Encrypted::start(asks);
        let place = format!("{HOST}:{}", secret.hub.port);
        let option = format!(
            "-{}",
            version.to_lowercase().replace('.', "_").replace('v', "")
        );
        let come = |says: &str, extra: &[&str]| {
            let args = ["s_client", &option, "-connect", &place];
            let mut peer = piped("openssl", &[&args, shown, extra].concat());
            let mut peer = Process::start(&mut peer);
            peer.stdout.wait_for(says);
            peer.type_in("here\n");
            peer
        };
        let mut first = come(&format!("New, {version}, "), &["-sess_out", &session]);
        secret.hub.process.stdout.wait_for("here\n");
        // Behind a ticket, if there is one.
        secret.hub.process.type_in("there\n");
        first.stdout.wait_for("there\n");
        first.end_input();
        first.wait();
        let told = first.stdout.text();
        let may_return = told.contains("TLS session ticket:");
        assert_eq!(may_return, again == "Reused", "{version}: {told}");
        // With it, it may not say anything before it is known again.
        if may_return && version == "TLSv1.3" {
            assert!(told.contains("Max Early Data: 0"), "{told}");
        }
        let session = match again {
            "Reused" => &["-sess_in", &session][..],
            _ => &[],
        };
        let _again = come(&format!("{again}, {version}, "), session);
        secret.hub.process.stdout.wait_for("here\nhere\n");
    }
}

#[test]
fn keys_are_changed_in_the_middle() {
    if !installed(&["openssl"]) {
        return;
    }
    let mut secret = Encrypted::start(&[]);
    let place = format!("{HOST}:{}", secret.hub.port);
    let mut peer = Process::start(&mut piped("openssl", &["s_client", "-connect", &place]));
    peer.type_in("before\n");
    secret.hub.process.stdout.wait_for("before\n");
    // A command of s_client: change the keys of both directions.
    peer.type_in("K\n");
    peer.stderr.wait_for("KEYUPDATE");
    peer.type_in("after\n");
    secret.hub.process.stdout.wait_for("after\n");
    secret.hub.process.type_in("and back\n");
    peer.stdout.wait_for("and back\n");
}

#[test]
fn who_may_not_agree_anew_is_not_told_to_have_nothing_in_common() {
    if !installed(&["openssl"]) {
        return;
    }
    let secret = Encrypted::start(&[]);
    let place = format!("{HOST}:{}", secret.hub.port);
    let args = ["s_client", "-tls1_2", "-connect", &place];
    let mut peer = Process::start(&mut piped("openssl", &args));
    peer.type_in("before\n");
    secret.hub.process.stdout.wait_for("before\n");
    // A command of s_client: a handshake anew.
    peer.type_in("R\n");
    let why = "left (it broke off after TLS was agreed on (TLS alert 40), perhaps since it may not";
    secret.hub.process.stderr.wait_for(why);
}

#[test]
fn ncat_takes_part() {
    if !installed(&["ncat"]) {
        return;
    }
    let secret = Encrypted::start(&[]);
    let port = secret.port();
    talks(
        secret,
        Process::start(&mut piped("ncat", &["--ssl", HOST, &port])),
    );
}

#[test]
fn ncat_that_ends_tcp_and_not_tls_has_left() {
    if !installed(&["ncat"]) {
        return;
    }
    // It ends TCP's stream and not TLS's, as anybody in between could.
    let secret = Encrypted::start(&[]);
    let mut peer = Process::start(&mut piped("ncat", &["--ssl", HOST, &secret.port()]));
    peer.type_in("question\n");
    peer.end_input();
    secret.hub.process.stdout.wait_for("question\n");
    let told = secret.hub.process.stderr.wait_for("goodbye");
    assert!(told.contains(" left ("), "{told}");
}

#[test]
fn a_file_goes_to_and_comes_from_ncat() {
    let Some(made) = Certificates::new("tls-ncat").filter(|_| installed(&["ncat"])) else {
        return;
    };
    made.vouch_for_itself("localhost");
    let (cert, key) = (made.file("localhost.pem"), made.file("localhost.key"));
    let listen = [
        "-l",
        "--ssl",
        "--ssl-cert",
        &cert,
        "--ssl-key",
        &key,
        HOST,
        "0",
    ];
    let mut ncat = piped("ncat", &listen);
    let mut ncat = Process::start(ncat.stdin(fs::File::open(MUXNC).unwrap()));
    let port = port_of(&mut ncat).expect("ncat listens").to_string();
    let args = [
        "--ssl-trustfile",
        &cert,
        "--ssl-servername",
        "localhost",
        HOST,
        &port,
    ];
    let mut participant = muxnc(&[&["--no-shutdown"][..], &args].concat());
    participant.type_in("received with thanks\n");
    ncat.stdout.wait_for("received with thanks\n");
    // ncat never says goodbye, so this is no end that anybody vouches for.
    participant.expect_status(1);
    assert!(participant.stderr.text().contains("goodbye"));
    assert!(participant.stdout.wait_end() == fs::read(MUXNC).unwrap());
}

#[test]
fn openssl_serves() {
    let Some(made) = Certificates::new("tls-s-server") else {
        return;
    };
    made.vouch_for_itself("localhost");
    let (cert, key) = (made.file("localhost.pem"), made.file("localhost.key"));
    let args = [
        "s_server",
        "-quiet",
        "-accept",
        "127.0.0.1:0",
        "-cert",
        &cert,
        "-key",
        &key,
    ];
    let mut server = piped("openssl", &args);
    let mut server = Process::start(server.args(["-alpn", "first,second"]));
    let port = port_of(&mut server).expect("openssl listens").to_string();
    let mut participant = muxnc(&[
        "-v",
        "--ssl-trustfile",
        &cert,
        "--ssl-alpn",
        "other,second",
        "localhost",
        &port,
    ]);
    participant.stderr.wait_for(" for second;");
    ask_and_answer(&mut participant, &mut server);
}

#[test]
fn protocols_are_agreed_on_or_not_at_all() {
    if !installed(&["openssl"]) {
        return;
    }
    let secret = Encrypted::start(&["--ssl-alpn", "class/1,class/0"]);
    let mut participant = Process::start(&mut secret.participant(&["-v", "--ssl-alpn", "class/0"]));
    participant.stderr.wait_for(" for class/0;");
    participant.end_input();
    let mut other = Process::start(&mut secret.participant(&["--ssl-alpn", "http/1.1"]));
    other.expect_status(1);
    let told = other.stderr.text();
    assert!(told.contains("none of the application protocols"), "{told}");
    secret
        .hub
        .process
        .stderr
        .wait_for("none of the application protocols (ALPN)");
}

#[test]
fn curl_reads_what_a_hub_serves() {
    if !installed(&["curl"]) {
        return;
    }
    let mut hub = Encrypted::start(&["--once"]);
    let url = format!("https://{HOST}:{}/", hub.hub.port);
    let mut curl = Process::start(&mut piped("curl", &["-sS", "--insecure", &url]));
    hub.hub.process.stdout.wait_for("GET / HTTP/1.1\r\n");
    // Its length is told by its end, for which curl wants a proper goodbye.
    hub.hub
        .process
        .type_in("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nby hand\n");
    hub.hub.process.end_input();
    curl.expect_status(0);
    assert_eq!(curl.stdout.text(), "by hand\n");
    hub.hub.process.expect_status(0);
}

#[test]
fn nginx_is_asked_by_hand() {
    let Some(made) = Certificates::new("tls-nginx").filter(|_| installed(&["nginx"])) else {
        return;
    };
    made.vouch_for_itself("localhost");
    fs::write(made.file("page"), b"encrypted\n".repeat(100_000)).unwrap();
    let identity = "ssl_certificate localhost.pem; ssl_certificate_key localhost.key;";
    let nginx = Nginx::start(&made.0, "ssl", identity);
    let (cert, port) = (made.file("localhost.pem"), nginx.port.to_string());
    let trusting = ["--ssl-trustfile", &cert, "--ssl-servername", "localhost"];
    // Whoever says goodbye first gets the page and no goodbye.
    let options = ["-C", "--no-shutdown"];
    let mut participant = muxnc(&[&options, &trusting[..], &[HOST, &port]].concat());
    participant.type_in("GET /page HTTP/1.0\nHost: localhost\n\n");
    participant.end_input();
    participant.expect_status(0);
    let answer = participant.stdout.wait_end();
    let body = b"encrypted\n".repeat(100_000);
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(answer.ends_with(&body));
}

#[test]
fn a_chat_is_encrypted_too() {
    let secret = Encrypted::of(Hub::start(&["-v", "--ssl", "--chat"]));
    let ana = secret.join(&[]);
    let mut bob = secret.join(&[]);
    bob.type_in("hello\n");
    ana.stdout.wait_for("<user2> hello\n");
    secret.hub.process.stdout.wait_for("<user2> hello\n");
}

#[test]
fn it_goes_through_a_proxy_as_well() {
    if !installed(&["ncat"]) {
        return;
    }
    let mut secret = Encrypted::start(&[]);
    let mut proxy = piped("ncat", &["-lk", "--proxy-type", "http", HOST, "0"]);
    let mut proxy = Process::start(&mut proxy);
    let place = format!("{HOST}:{}", listening(&mut proxy));
    let mut ana = secret.join(&["--proxy", &place]);
    ana.type_in("from behind it\n");
    secret.hub.process.stdout.wait_for("from behind it\n");
    secret.hub.process.type_in("welcome\n");
    ana.stdout.wait_for("welcome\n");
}
