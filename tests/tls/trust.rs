//! Who is believed, and what is said about whom is not.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::thread;

use rustix::fs::CWD;
use rustix::fs::Mode;

use crate::Certificates;
use crate::Encrypted;
use crate::HOST;
use crate::KEY;
use crate::path;
use crate::refused;
use crate::support::Folder;
use crate::support::Hub;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::Terminal;
use crate::support::muxnc;
use crate::support::piped;
use crate::support::port_of;

#[test]
fn a_hub_that_nobody_vouches_for_is_trusted_by_what_its_error_says() {
    let secret = Encrypted::start(&[]);
    let told = refused(&["--ssl", HOST, &secret.port()]);
    assert!(told.contains("(self-signed)"), "{told}");
    assert!(told.contains("in a file: --ssl-trustfile FILE"), "{told}");
    assert!(told.lines().skip(1).all(|line| line.len() <= 80), "{told}");
    let advice = told.split("--ssl-fingerprint ").nth(1).expect(&told);
    let advised = advice.split_whitespace().next().unwrap();
    let enough = &secret.fingerprint[..5 * 5 - 1];
    assert_eq!(advised, enough.replace(' ', ":"));
    assert!(!secret.hub.process.stderr.text().contains("joined"));

    // Also as it is on the board, all of it or as much as is enough, and as openssl spells it.
    let digits = secret.fingerprint.replace(' ', "");
    let pairs: Vec<String> = (0..32)
        .map(|i| digits[2 * i..2 * i + 2].to_uppercase())
        .collect();
    let spelled = pairs.join(":");
    for (i, known) in [
        advised,
        &secret.fingerprint,
        enough,
        &digits[..20],
        &spelled,
    ]
    .into_iter()
    .enumerate()
    {
        let mut participant = muxnc(&["--ssl-fingerprint", known, HOST, &secret.port()]);
        participant.type_in(format!("hello {i}\n"));
        secret.hub.process.stdout.wait_for(&format!("hello {i}\n"));
    }
}

/// A shell hands one over (`<(...)`), and nothing is left in it for who reads it again.
#[test]
fn a_pipe_is_read_once_whatever_is_in_it() {
    let Some(made) = Certificates::new("tls-pipe") else {
        return;
    };
    made.vouch_for_itself("localhost");
    let files = ["localhost.pem", "localhost.key"].map(|name| made.file(name));
    let both = files.map(|file| fs::read_to_string(file).unwrap()).concat();
    let pipe = made.file("pipe");
    rustix::fs::mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
    let begin = |mut command: Command| {
        let (pipe, both) = (pipe.clone(), both.clone());
        let writer = thread::spawn(move || fs::write(pipe, both).unwrap());
        (Process::start(&mut command), writer)
    };

    let own = ["--ssl-cert", &pipe];
    let otherwise = made.file("otherwise");
    symlink(&pipe, &otherwise).unwrap();
    let spelled = ["--ssl-cert", &pipe, "--ssl-key", &otherwise];
    let verified = ["--ssl-verify", "--ssl-trustfile", &pipe];
    let bus = "nats://127.0.0.1:1/class";
    let joined = ["--bus", bus, "--bus-name", "one", "--bus-trustfile", &pipe];
    let mut hubs = vec![
        own.to_vec(),
        spelled.to_vec(),
        [&spelled[..], &verified].concat(),
    ];
    if cfg!(feature = "bus") {
        hubs.push([&own[..], &joined].concat());
    }
    for options in hubs {
        let (hub, writer) = begin(piped(MUXNC, &[&["-lv", HOST, "0"], &options[..]].concat()));
        hub.stderr.wait_for("listening on");
        writer.join().unwrap();
    }

    let hub = Encrypted::start(&[]);
    let port = hub.port();
    let known = ["--ssl-fingerprint", &hub.fingerprint, HOST, &port];
    let (mut participant, writer) = begin(piped(MUXNC, &[&own[..], &known].concat()));
    participant.type_in("hello\n");
    hub.hub.process.stdout.wait_for("hello\n");
    writer.join().unwrap();
}

/// Whoever connected meanwhile would wait, or be let down.
#[test]
fn a_file_that_cannot_be_read_is_told_before_anything_listens() {
    let file = "/nonexistent/file";
    let bus = "nats://127.0.0.1:1/class";
    let mut hubs = vec![
        vec!["--allowfile", file],
        vec!["--denyfile", file],
        vec!["--ssl-cert", file],
        vec!["--ssl", "--ssl-verify", "--ssl-trustfile", file],
    ];
    if cfg!(feature = "bus") {
        hubs.push(vec![
            "--bus",
            bus,
            "--bus-name",
            "one",
            "--bus-trustfile",
            file,
        ]);
    }
    for options in hubs {
        let mut hub = muxnc(&[&["-lv", HOST, "0"], &options[..]].concat());
        hub.expect_status(1);
        let told = hub.stderr.text();
        let why = format!("muxnc: read {file}: no such file or directory\n");
        assert_eq!(told, why, "{options:?}");
    }
}

#[test]
fn another_certificate_than_the_one_asked_for_is_refused() {
    let (secret, other) = (Encrypted::start(&[]), Encrypted::start(&[]));
    assert_ne!(secret.fingerprint, other.fingerprint);
    let told = refused(&[
        "--ssl-fingerprint",
        &other.fingerprint,
        HOST,
        &secret.port(),
    ]);
    assert!(told.contains("another fingerprint"), "{told}");
    assert!(
        told.contains(&format!("It is {}", secret.fingerprint)),
        "{told}"
    );
    // So it is if only the last digit of what is enough is another.
    let mut almost = secret.fingerprint[..5 * 5 - 1].to_owned();
    let last = almost.pop().unwrap();
    almost.push(if last == '0' { '1' } else { '0' });
    let told = refused(&["--ssl-fingerprint", &almost, HOST, &secret.port()]);
    assert!(told.contains("another fingerprint"), "{told}");
    for short in ["abc", &secret.fingerprint[..5 * 5 - 2]] {
        let mut wrong = muxnc(&["--ssl-fingerprint", short, HOST, "1"]);
        wrong.expect_status(2);
        assert!(wrong.stderr.text().contains("64 hexadecimal digits"));
    }
}

#[test]
fn the_hub_says_how_to_join_it() {
    let mut line = vec!["-l", HOST, "0", "--ssl"];
    let terminal = Terminal::muxnc(&line);
    let shown = terminal.screen.wait_until("the command to join", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        text.contains("to join:") && text.contains(" --ssl-fingerprint ") && text.ends_with('\n')
    });
    let shown = String::from_utf8_lossy(&shown).into_owned();
    // However narrow the terminal is, it is one row.
    let command = shown.split("muxnc --ssl").nth(1).expect(&shown);
    let command = format!("--ssl{}", command.lines().next().unwrap());
    line = command.split_whitespace().collect();
    let mut participant = muxnc(&line);
    participant.type_in("as it says\n");
    terminal.screen.wait_for("as it says");
}

#[test]
fn an_authority_vouches_for_a_name() {
    let Some(made) = Certificates::new("tls-authority") else {
        return;
    };
    made.sign("localhost", "-days 2");
    let (cert, key) = (made.file("localhost.pem"), made.file("localhost.key"));
    let hub = Hub::start(&["-v", "--ssl-cert", &cert, "--ssl-key", &key]);
    let (port, authority) = (hub.port.to_string(), made.file("authority.pem"));
    let trusting = ["--ssl-trustfile", &authority];

    let mut participant = muxnc(&[&trusting[..], &["localhost", &port]].concat());
    participant.type_in("by the name\n");
    hub.process.stdout.wait_for("by the name\n");
    let named = ["--ssl-servername", "localhost", "--ssl-verify", HOST, &port];
    let mut participant = muxnc(&[&trusting[..], &named].concat());
    participant.type_in("by another address\n");
    hub.process.stdout.wait_for("by another address\n");

    let told = refused(&[&trusting[..], &[HOST, &port]].concat());
    assert!(told.contains(&format!("not for {HOST}")), "{told}");
    assert!(told.contains("localhost"), "{told}");
    assert!(told.contains("--ssl-servername"), "{told}");
    let told = refused(&["--ssl", "localhost", &port]);
    assert!(
        told.contains("signed by nobody who is trusted here"),
        "{told}"
    );
}

#[test]
fn a_certificate_can_be_trusted_as_it_is() {
    let Some(made) = Certificates::new("tls-itself") else {
        return;
    };
    made.vouch_for_itself("localhost");
    made.vouch_for_itself("other");
    let (cert, key) = (made.file("localhost.pem"), made.file("localhost.key"));
    let hub = Hub::start(&["-v", "--ssl-cert", &cert, "--ssl-key", &key]);
    let port = hub.port.to_string();
    let mut participant = muxnc(&["--ssl-trustfile", &cert, "localhost", &port]);
    participant.type_in("hello\n");
    hub.process.stdout.wait_for("hello\n");
    // It vouches for its own name only.
    let told = refused(&["--ssl-trustfile", &cert, HOST, &port]);
    assert!(told.contains(&format!("not for {HOST}")), "{told}");
    let told = refused(&[
        "--ssl-trustfile",
        &made.file("other.pem"),
        "localhost",
        &port,
    ]);
    assert!(told.contains("(self-signed)"), "{told}");
}

#[test]
fn a_certificate_and_a_key_have_to_end() {
    let Some(made) = Certificates::new("tls-no-end") else {
        return;
    };
    made.vouch_for_itself("localhost");
    let cert = made.file("localhost.pem");
    for args in [
        &["-l", "0", "--ssl-cert", "/dev/zero"][..],
        &["-l", "0", "--ssl-cert", &cert, "--ssl-key", "/dev/zero"],
        &["--ssl-trustfile", "/dev/zero", HOST, "1"],
    ] {
        let told = refused(args);
        assert!(
            told.starts_with("muxnc: read /dev/zero: it has more than 16 MiB, "),
            "{args:?}: {told}"
        );
    }
}

#[test]
fn an_expired_certificate_is_called_so() {
    let folder = Folder::new("tls-expired");
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut about = rcgen::CertificateParams::new([]).unwrap();
    about.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = about.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(about, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut about = rcgen::CertificateParams::new([String::from("localhost")]).unwrap();
    about.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let old = about.signed_by(&key, &issuer).unwrap();
    let [cert, trusted] = ["cert.pem", "trusted.pem"].map(|name| path(&folder.0.join(name)));
    let both = [
        pem("CERTIFICATE", old.der()),
        pem("PRIVATE KEY", &key.serialize_der()),
    ];
    fs::write(&cert, both.concat()).unwrap();
    fs::write(&trusted, pem("CERTIFICATE", authority.der())).unwrap();
    let hub = Hub::start(&["--ssl-cert", &cert]);
    let port = hub.port.to_string();
    let told = refused(&["--ssl-trustfile", &trusted, "localhost", &port]);
    assert!(told.contains("has expired"), "{told}");
}

/// A certificate for `localhost`, and what signs with its key.
struct Made {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Made {
    /// Valid from the one year to the other, and an authority's or not; signed by itself or another.
    fn new(name: &str, years: [i32; 2], authority: bool, by: Option<&Made>) -> Made {
        Made::with(
            rcgen::KeyPair::generate().unwrap(),
            name,
            years,
            authority,
            by,
        )
    }

    /// The same with this key.
    fn with(
        key: rcgen::KeyPair,
        name: &str,
        years: [i32; 2],
        authority: bool,
        by: Option<&Made>,
    ) -> Made {
        let mut about = rcgen::CertificateParams::new([String::from("localhost")]).unwrap();
        about
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        about.is_ca = match authority {
            true => rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained),
            false => rcgen::IsCa::ExplicitNoCa,
        };
        [about.not_before, about.not_after] = years.map(|year| rcgen::date_time_ymd(year, 1, 1));
        let certificate = match by {
            Some(by) => about.signed_by(&key, &by.issuer).unwrap(),
            None => about.self_signed(&key).unwrap(),
        };
        let issuer = rcgen::Issuer::new(about, key);
        Made {
            certificate,
            issuer,
        }
    }

    /// With its key, or without.
    fn write(&self, file: &str, with_key: bool) {
        let mut text = pem("CERTIFICATE", self.certificate.der());
        if with_key {
            text += &pem("PRIVATE KEY", &self.issuer.key().serialize_der());
        }
        fs::write(file, text).unwrap();
    }
}

/// What a file lists counts within its dates, and signs for others only if it is an authority's.
#[test]
fn what_is_listed_is_not_believed_beyond_what_it_may_say() {
    const NOW: [i32; 2] = [2020, 4000];
    const PAST: [i32; 2] = [2000, 2020];
    const FUTURE: [i32; 2] = [3000, 4000];
    let folder = Folder::new("tls-listed");
    let [cert, trusted] = ["cert.pem", "trusted.pem"].map(|name| path(&folder.0.join(name)));
    let itself = |years, authority| (Made::new("it", years, authority, None), None);
    let signed = |years, authority| {
        let by = Made::new("signer", years, authority, None);
        (Made::new("it", NOW, false, Some(&by)), Some(by))
    };
    // An authority that has the name of another, and a key of another kind.
    let namesake = |name| {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        Some(Made::with(key, name, NOW, true, None))
    };
    for ((shown, by), told) in [
        (itself(NOW, false), ""),
        (itself(NOW, true), ""),
        (signed(NOW, true), ""),
        (itself(PAST, false), "its certificate has expired"),
        (itself(PAST, true), "its certificate has expired"),
        (itself(FUTURE, false), "its certificate is not valid yet"),
        // That another one of its name is trusted makes it nobody's.
        (
            (Made::new("it", NOW, false, None), namesake("it")),
            "signed by nobody but itself (self-signed)",
        ),
        (
            (signed(NOW, true).0, namesake("signer")),
            "is not signed by the one that it names",
        ),
        (
            (
                Made::new("it", NOW, true, None),
                Some(Made::new("it", NOW, true, None)),
            ),
            "signed by nobody but itself (self-signed)",
        ),
        (
            signed(PAST, true),
            "signed by a trusted one that has expired",
        ),
        (
            signed(FUTURE, true),
            "signed by a trusted one that is not valid yet",
        ),
        (
            signed(NOW, false),
            "signed by a trusted one that is no authority's",
        ),
    ] {
        shown.write(&cert, true);
        by.as_ref().unwrap_or(&shown).write(&trusted, false);
        let trusting = ["--ssl-trustfile", &trusted];

        // A hub's.
        let hub = Hub::start(&["-v", "--ssl-cert", &cert]);
        let port = hub.port.to_string();
        let args = [&trusting[..], &["localhost", &port]].concat();
        if told.is_empty() {
            let mut alice = muxnc(&args);
            alice.type_in("hello\n");
            hub.process.stdout.wait_for("hello\n");
        } else {
            let heard = refused(&args);
            assert!(heard.contains(told), "{told}: {heard}");
        }

        // A participant's.
        let hub = Encrypted::start(&[&trusting[..], &["--ssl-verify"]].concat());
        let mut alice = Process::start(&mut hub.participant(&["--ssl-cert", &cert]));
        if told.is_empty() {
            alice.type_in("hello\n");
            hub.hub.process.stdout.wait_for("hello\n");
        } else {
            hub.hub.process.stderr.wait_for(told);
            alice.expect_status(1);
        }
    }
}

/// muxnc is stricter than openssl, and says in what: in docs/GUIDE.md too.
#[test]
fn what_openssl_alone_believes_is_refused_with_the_reason() {
    let Some(made) = Certificates::new("tls-stricter") else {
        return;
    };
    let authority = made.file("authority.pem");
    const NAMED: &str = "-addext subjectAltName=DNS:localhost";
    for (extra, told) in [
        (
            format!("{NAMED} -addext basicConstraints=critical,CA:TRUE"),
            "its certificate is an authority's (CA:TRUE), and such a one is believed only if it is trusted",
        ),
        (
            format!("{NAMED} -addext basicConstraints=critical,CA:FALSE -sha512"),
            "its certificate is signed with ECDSA and SHA-512, which is not believed here",
        ),
        (
            String::from("-addext basicConstraints=critical,CA:FALSE"),
            "its certificate is not for localhost, and names no host",
        ),
    ] {
        made.openssl(&format!(
            "req -x509 -CA authority.pem -CAkey authority.key {KEY} -keyout localhost.key \
             -out localhost.pem -subj /CN=localhost {extra}"
        ));
        made.openssl(
            "verify -purpose sslserver -verify_hostname localhost -CAfile authority.pem localhost.pem",
        );
        let files = ["localhost.pem", "localhost.key"].map(|name| made.file(name));
        let hub = Hub::start(&["--ssl-cert", &files[0], "--ssl-key", &files[1]]);
        let port = hub.port.to_string();
        let heard = refused(&["--ssl-trustfile", &authority, "localhost", &port]);
        assert!(heard.contains(told), "{heard}");
        // What is advised helps: who has no name has no other one.
        let named = heard.contains("-addext subjectAltName=DNS:localhost, it has that name");
        assert_eq!(named, told.contains("names no host"), "{heard}");
        assert!(!heard.contains("--ssl-servername"), "{heard}");
        assert!(heard.contains("--ssl-fingerprint "), "{heard}");
    }
}

/// The other side cannot show its certificate to who does not know its kind of key, and tells no reason.
#[test]
fn a_key_of_an_unknown_kind_is_named_as_a_possible_reason() {
    let Some(made) = Certificates::new("tls-p521") else {
        return;
    };
    made.openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:secp521r1 -nodes -keyout localhost.key \
         -out localhost.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost",
    );
    let [cert, key] = ["localhost.pem", "localhost.key"].map(|name| made.file(name));
    let args = ["s_server", "-quiet", "-accept", "127.0.0.1:0"];
    let files = ["-cert", &cert, "-key", &key];
    let mut server = Process::start(&mut piped("openssl", &[&args[..], &files].concat()));
    let port = port_of(&mut server).expect("openssl listens").to_string();
    let told = refused(&["--ssl-trustfile", &cert, "localhost", &port]);
    assert!(
        told.contains("a kind of key that one of them does not know"),
        "{told}"
    );
}

/// Whom a certificate is for is told in plain words, however many they are and whatever they are called.
#[test]
fn a_certificate_for_somebody_else_is_told_with_whom_it_is_for() {
    let dns = |name: &str| rcgen::SanType::DnsName(name.try_into().unwrap());
    let ip = |ip: &str| rcgen::SanType::IpAddress(ip.parse().unwrap());
    let folder = Folder::new("tls-names");
    let [cert, trusted] = ["cert.pem", "trusted.pem"].map(|name| path(&folder.0.join(name)));
    let authority = Made::new("authority", [2020, 4000], true, None);
    authority.write(&trusted, false);
    let many: Vec<_> = (1..=7).map(|i| dns(&format!("{i}.example"))).collect();
    let long = "x".repeat(20_000);
    let shown = format!(", but for {}...", &long[..100]);
    // A name that a certificate cannot have, or nobody can ask for, is not advised.
    let asked = "  Or, if it has that other name: --ssl-servername NAME";
    let anew = "  Or, made anew with -addext subjectAltName=IP:127.0.0.1, it has that name.";
    for (names, told, advice) in [
        (vec![dns("a.example")], ", but for a.example", asked),
        (
            vec![dns("*.example"), dns("b.example")],
            ", but for *.example, b.example",
            asked,
        ),
        (vec![dns("*.example")], ", but for *.example", asked),
        (
            vec![ip("192.0.2.7"), ip("2001:db8::7")],
            ", but for 192.0.2.7, 2001:db8::7",
            asked,
        ),
        (
            vec![ip("192.0.2.7"), dns("a.example")],
            ", but for 192.0.2.7, a.example",
            asked,
        ),
        (
            many,
            ", but for 1.example, 2.example, 3.example, 4.example, 5.example and 2 more",
            asked,
        ),
        // A name that looks like the address is none.
        (vec![dns(HOST)], ", but for the DNS name 127.0.0.1", anew),
        (
            vec![dns(HOST), dns("a.example")],
            ", but for the DNS name 127.0.0.1, a.example",
            asked,
        ),
        (vec![], ", and names no host", anew),
        // What would clear the screen, or imitate a line of ours.
        (
            vec![dns("\x1b[2J\r\nmuxnc: all is well\x00")],
            r", but for \x1b[2J\r\nmuxnc: all is well\x00",
            anew,
        ),
        (vec![dns(&long)], &shown, anew),
    ] {
        let mut about = rcgen::CertificateParams::default();
        about.subject_alt_names = names;
        about.is_ca = rcgen::IsCa::ExplicitNoCa;
        let key = rcgen::KeyPair::generate().unwrap();
        let made = Made {
            certificate: about.signed_by(&key, &authority.issuer).unwrap(),
            issuer: rcgen::Issuer::new(about, key),
        };
        made.write(&cert, true);
        let hub = Hub::start(&["--ssl-cert", &cert]);
        let heard = refused(&["--ssl-trustfile", &trusted, HOST, &hub.port.to_string()]);
        let told = format!("its certificate is not for {HOST}{told}\n  ");
        assert!(heard.contains(&told), "{heard}");
        assert_eq!(heard.trim_end().lines().last(), Some(advice), "{heard}");
    }
}

/// RFC 7468. openssl would do it, and cannot make what has expired.
fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for (i, three) in der.chunks(3).enumerate() {
        let bits = three
            .iter()
            .fold(0, |bits, &byte| bits << 8 | u32::from(byte));
        let bits = bits << (8 * (3 - three.len()));
        for digit in 0..4 {
            let at = (bits >> (18 - 6 * digit)) & 63;
            text.push(match digit <= three.len() {
                true => char::from(DIGITS[at as usize]),
                false => '=',
            });
        }
        if i % 16 == 15 {
            text.push('\n');
        }
    }
    format!("{text}\n-----END {label}-----\n")
}

#[test]
fn participants_must_show_a_certificate_that_is_vouched_for() {
    let Some(made) = Certificates::new("tls-participants") else {
        return;
    };
    made.sign("ana", "-days 2");
    made.vouch_for_itself("eve");
    made.vouch_for_itself("bob");
    let good = made.file("good.pem");
    let all = ["authority.pem", "bob.pem"].map(|name| fs::read(made.file(name)).unwrap());
    fs::write(&good, all.concat()).unwrap();
    let secret = Encrypted::start(&["--ssl-verify", "--ssl-trustfile", &good]);
    for name in ["ana", "bob"] {
        let (cert, key) = (
            made.file(&format!("{name}.pem")),
            made.file(&format!("{name}.key")),
        );
        let mut participant = secret.join(&["--ssl-cert", &cert, "--ssl-key", &key]);
        participant.type_in(format!("it is {name}\n"));
        let heard = format!("it is {name}\n");
        secret.hub.process.stdout.wait_for(&heard);
    }
    let mut nobody = Process::start(&mut secret.participant(&[]));
    nobody.expect_status(1);
    let told = nobody.stderr.text();
    assert!(told.contains("wants to see a certificate"), "{told}");
    secret
        .hub
        .process
        .stderr
        .wait_for("it has shown no certificate");
    let (cert, key) = (made.file("eve.pem"), made.file("eve.key"));
    let mut eve =
        Process::start(&mut secret.participant(&["--ssl-cert", &cert, "--ssl-key", &key]));
    eve.expect_status(1);
    secret
        .hub
        .process
        .stderr
        .wait_for("signed by nobody but itself (self-signed)");
    assert_eq!(
        secret
            .hub
            .process
            .stderr
            .text()
            .matches(" joined, ")
            .count(),
        2
    );
}

#[test]
fn files_that_do_not_help_are_named() {
    let Some(made) = Certificates::new("tls-files") else {
        return;
    };
    made.vouch_for_itself("one");
    made.vouch_for_itself("two");
    made.openssl("pkey -in two.key -aes256 -passout pass:secret -out locked.key");
    let file = |name| made.file(name);
    fs::write(file("text"), "hello\n").unwrap();
    let both = ["one.pem", "one.key"].map(|name| fs::read(file(name)).unwrap());
    fs::write(file("both.pem"), both.concat()).unwrap();
    for (args, what) in [
        (vec!["--ssl-cert", "missing"], "no such file"),
        (vec!["--ssl-cert", "text"], "no certificate is in it"),
        (vec!["--ssl-cert", "one.pem"], "no private key is in it"),
        (
            vec!["--ssl-cert", "one.pem"],
            "in a file of its own: --ssl-key",
        ),
        (
            vec!["--ssl-cert", "one.pem", "--ssl-key", "two.key"],
            "does not belong to",
        ),
        (
            vec!["--ssl-cert", "two.pem", "--ssl-key", "locked.key"],
            "openssl pkey",
        ),
        (
            vec!["--ssl-verify", "--ssl-trustfile", "text"],
            "no certificate is in it",
        ),
    ] {
        let mut hub = piped(MUXNC, &["-l", "0"]);
        let mut hub = Process::start(hub.args(&args).current_dir(&made.0.0));
        hub.expect_status(1);
        let told = hub.stderr.text();
        assert!(told.contains(what), "{args:?}: {told}");
        assert!(!told.contains("listening"), "{args:?}: {told}");
    }
    // One file for both will do.
    Hub::start(&["--ssl-cert", &file("both.pem")]);
}

#[test]
fn to_verify_nothing_is_refused_with_a_reason() {
    let mut blind = muxnc(&["--ssl-no-verify", HOST, "1"]);
    blind.expect_status(2);
    assert!(blind.stderr.text().contains("--ssl-fingerprint"));
    for args in [&["--ssl-verify"][..], &["--ssl", "--ssl-trustfile", "x"]] {
        let mut hub = muxnc(&[&["-l", "0"], args].concat());
        hub.expect_status(2);
        let told = hub.stderr.text();
        assert!(told.contains("must show a certificate") || told.contains("show a certificate"));
    }
}
