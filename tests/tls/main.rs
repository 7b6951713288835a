//! TLS from outside: who is believed, who joins, what arrives, and how it ends; with muxnc, openssl,
//! ncat, curl and nginx on the other side.

#![cfg(feature = "tls")]

mod authorities;
mod ends;
mod key;
mod peers;
mod strangers;
mod trust;

#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::Command;

use support::Folder;
use support::Hub;
use support::MUXNC;
use support::Process;
use support::fingerprint_shown;
use support::installed;
use support::muxnc;
use support::piped;

const HOST: &str = "127.0.0.1";

/// A hub with a certificate made for the occasion.
struct Encrypted {
    hub: Hub,
    fingerprint: String,
}

impl Encrypted {
    #[track_caller]
    fn start(args: &[&str]) -> Encrypted {
        Encrypted::of(Hub::start(&[&["-v", "--ssl"], args].concat()))
    }

    #[track_caller]
    fn of(hub: Hub) -> Encrypted {
        let fingerprint = fingerprint_shown(&hub.process.stderr);
        Encrypted { hub, fingerprint }
    }

    fn port(&self) -> String {
        self.hub.port.to_string()
    }

    /// The command of a participant that knows it.
    fn participant(&self, args: &[&str]) -> Command {
        let port = self.port();
        let place = ["--ssl-fingerprint", &self.fingerprint, HOST, &port];
        piped(MUXNC, &[args, &place].concat())
    }

    /// A participant that has joined; nobody else may join meanwhile.
    #[track_caller]
    fn join(&self, args: &[&str]) -> Process {
        let joined = || self.hub.process.stderr.text().matches(" joined, ").count();
        let before = joined();
        let mut participant = Process::start(&mut self.participant(args));
        support::eventually("the participant joins", || {
            let (told, hub) = (&participant.stderr, &self.hub.process.stderr);
            let (told, hub) = (told.text(), hub.text());
            assert!(participant.is_running(), "it left: {told}\nthe hub: {hub}");
            joined() > before
        });
        participant
    }
}

/// Certificates made by openssl: an authority, and those that it signed.
struct Certificates(Folder);

impl Certificates {
    /// None where there is no openssl: the test is to be left out, which was said.
    #[track_caller]
    fn new(name: &str) -> Option<Certificates> {
        if !installed(&["openssl"]) {
            return None;
        }
        let made = Certificates(Folder::new(name));
        made.openssl(&format!(
            "req -x509 {KEY} -keyout authority.key -out authority.pem -days 2 -subj /CN=authority"
        ));
        Some(made)
    }

    /// A certificate for a name that the authority signed, in NAME.pem, and its key in NAME.key.
    #[track_caller]
    fn sign(&self, name: &str, extra: &str) {
        self.openssl(&format!(
            "req -x509 -CA authority.pem -CAkey authority.key {KEY} -keyout {name}.key \
             -out {name}.pem -subj /CN={name} -addext subjectAltName=DNS:{name} \
             -addext basicConstraints=critical,CA:FALSE {extra}"
        ));
    }

    /// One that vouches for itself.
    #[track_caller]
    fn vouch_for_itself(&self, name: &str) {
        self.openssl(&format!(
            "req -x509 {KEY} -keyout {name}.key -out {name}.pem -days 2 -subj /CN={name} \
             -addext subjectAltName=DNS:{name}"
        ));
    }

    #[track_caller]
    fn openssl(&self, line: &str) -> String {
        let mut command = piped("openssl", &line.split_whitespace().collect::<Vec<_>>());
        let done = command.current_dir(&self.0.0).output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "openssl {line}: {told}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    fn file(&self, name: &str) -> String {
        path(&self.0.0.join(name))
    }
}

/// Keys that are quickly made.
const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// A participant asks a server of openssl, which answers, and ends: openssl answers its goodbye with its own, at
/// once.
#[track_caller]
fn ask_and_answer(participant: &mut Process, server: &mut Process) {
    participant.type_in("question\n");
    server.stdout.wait_for("question\n");
    server.type_in("answer\n");
    participant.stdout.wait_for("answer\n");
    participant.end_input();
    participant.expect_status(0);
}

fn path(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A participant that is expected to be refused: what it says.
#[track_caller]
fn refused(args: &[&str]) -> String {
    let mut participant = muxnc(args);
    participant.end_input();
    participant.expect_status(1);
    participant.stderr.text()
}
