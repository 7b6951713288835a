//! What an authority may vouch for: muxnc beside `openssl verify`, for many certificates made by
//! openssl.

use std::fs;

use crate::Certificates;
use crate::Encrypted;
use crate::support::Hub;
use crate::support::Process;
use crate::support::muxnc;
use crate::support::piped;

/// Who believes a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Both,
    Neither,
    /// muxnc is stricter.
    OpensslOnly,
}
use By::Both;
use By::Neither;
use By::OpensslOnly;

/// A chain: what makes each of its certificates differ from an ordinary one (extensions as openssl is
/// told of them, after a blank each), the trusted one first and the one that is shown last; and who
/// believes it when a hub shows it, and when a participant does.
type Case = (&'static [&'static str], By, By);

const UNKNOWN: &str = "1.2.3.4.5=critical,ASN1:NULL";

const CASES: &[Case] = &[
    (&["", ""], Both, Both),
    (&["", "", ""], Both, Both),
    (&["", "", "", ""], Both, Both),
    // How many may be in between.
    (
        &["basicConstraints=critical,CA:TRUE,pathlen:0", ""],
        Both,
        Both,
    ),
    (
        &["basicConstraints=critical,CA:TRUE,pathlen:0", "", ""],
        Neither,
        Neither,
    ),
    (
        &["basicConstraints=critical,CA:TRUE,pathlen:1", "", ""],
        Both,
        Both,
    ),
    (
        &["basicConstraints=critical,CA:TRUE,pathlen:1", "", "", ""],
        Neither,
        Neither,
    ),
    (
        &["", "basicConstraints=critical,CA:TRUE,pathlen:0", ""],
        Both,
        Both,
    ),
    (
        &["", "basicConstraints=critical,CA:TRUE,pathlen:0", "", ""],
        Neither,
        Neither,
    ),
    // Whether it may sign certificates.
    (&["basicConstraints=CA:FALSE", ""], Neither, Neither),
    (&["", "basicConstraints=CA:FALSE", ""], Neither, Neither),
    (
        &["keyUsage=critical,digitalSignature", ""],
        Neither,
        Neither,
    ),
    (&["keyUsage=digitalSignature,cRLSign", ""], Neither, Neither),
    (&["keyUsage=keyCertSign", ""], Both, Both),
    (
        &["", "keyUsage=critical,digitalSignature", ""],
        Neither,
        Neither,
    ),
    (&["", "keyUsage=cRLSign", ""], Neither, Neither),
    // What it may sign for.
    (&["extendedKeyUsage=serverAuth", ""], Both, Neither),
    (&["extendedKeyUsage=clientAuth", ""], Neither, Both),
    (
        &["extendedKeyUsage=critical,codeSigning", ""],
        Neither,
        Neither,
    ),
    (
        &["extendedKeyUsage=anyExtendedKeyUsage", ""],
        Neither,
        Neither,
    ),
    (&["", "extendedKeyUsage=clientAuth", ""], Neither, Both),
    (&["", "extendedKeyUsage=codeSigning", ""], Neither, Neither),
    (
        &["", "extendedKeyUsage=serverAuth,clientAuth", ""],
        Both,
        Both,
    ),
    // What must be understood.
    (&[UNKNOWN, ""], Neither, Neither),
    (&["1.2.3.4.5=ASN1:NULL", ""], Both, Both),
    (&["", UNKNOWN, ""], Neither, Neither),
    (
        &["policyConstraints=critical,requireExplicitPolicy:0", ""],
        OpensslOnly,
        OpensslOnly,
    ),
    (&["certificatePolicies=critical,1.2.3.4", ""], Both, Both),
    // For which names.
    (
        &["nameConstraints=critical,permitted;DNS:localhost", ""],
        Both,
        Both,
    ),
    (
        &["nameConstraints=permitted;DNS:example.org", ""],
        Neither,
        Neither,
    ),
    (
        &["nameConstraints=critical,excluded;DNS:localhost", ""],
        Neither,
        Neither,
    ),
    (
        &["", "nameConstraints=critical,permitted;DNS:example.org", ""],
        Neither,
        Neither,
    ),
    (
        &["nameConstraints=critical,permitted;DNS:example.org", "", ""],
        Neither,
        Neither,
    ),
    (
        &["nameConstraints=critical,permitted;email:example.org", ""],
        Both,
        Both,
    ),
    (
        &[
            "nameConstraints=critical,permitted;email:example.org",
            "subjectAltName=DNS:localhost,email:a@b.org",
        ],
        Neither,
        Neither,
    ),
    (
        &[
            "nameConstraints=critical,permitted;URI:.example.org",
            "subjectAltName=DNS:localhost,URI:http://a.b.org/",
        ],
        Neither,
        Neither,
    ),
    (
        &[
            "nameConstraints=critical,permitted;DNS:example.org",
            "-subj /CN=a.b.org subjectAltName=email:a@b.org",
        ],
        Neither,
        Neither,
    ),
    // What the one that is shown is for.
    (&["", "extendedKeyUsage=serverAuth"], Both, Neither),
    (&["", "extendedKeyUsage=clientAuth"], Neither, Both),
    (
        &["", "extendedKeyUsage=critical,emailProtection"],
        Neither,
        Neither,
    ),
    (&["", "keyUsage=critical,digitalSignature"], Both, Both),
    (&["", "keyUsage=keyEncipherment"], Both, Neither),
    (&["", "keyUsage=critical,nonRepudiation"], Neither, Neither),
    (&["", "nsCertType=client"], Neither, Both),
    (&["", "nsCertType=server"], Both, Neither),
    (&["", "nsCertType=objsign"], Neither, Neither),
    (
        &["", "basicConstraints=critical,CA:TRUE"],
        OpensslOnly,
        OpensslOnly,
    ),
    // Which key it says that it was signed with.
    (&["subjectKeyIdentifier=01:02:03", ""], Both, Both),
    (
        &["-again subjectKeyIdentifier=01:02:03", ""],
        Neither,
        Neither,
    ),
    // One that is trusted as it is.
    (&["basicConstraints=CA:FALSE"], Both, Both),
    (&["basicConstraints=critical,CA:TRUE"], Both, Both),
    (
        &["basicConstraints=CA:FALSE extendedKeyUsage=clientAuth"],
        Neither,
        Both,
    ),
    (
        &["basicConstraints=CA:FALSE keyUsage=keyEncipherment"],
        Both,
        Neither,
    ),
    (
        &["basicConstraints=CA:FALSE keyUsage=cRLSign"],
        Neither,
        Neither,
    ),
    (
        &["basicConstraints=CA:FALSE nsCertType=objsign"],
        Neither,
        Neither,
    ),
];

/// The chain of one case, as files: the trusted one, those in between, the one that is shown, that with
/// those in between, and its key.
struct Chain {
    trusted: String,
    between: String,
    shown: String,
    file: String,
    key: String,
}

impl Chain {
    fn new(made: &Certificates, case: usize, extensions: &[&str]) -> Chain {
        let name = |depth: usize| format!("c{case}-{depth}");
        for (depth, own) in extensions.iter().enumerate() {
            let is_last = depth + 1 == extensions.len();
            let mut line = format!("req -x509 -days 2 -out {}.pem", name(depth));
            line += match depth {
                0 => " -key first.key",
                _ if is_last => " -key last.key",
                depth if depth % 2 == 1 => " -key second.key",
                _ => " -key third.key",
            };
            if depth > 0 {
                let key = ["first.key", "second.key", "third.key"][match depth - 1 {
                    0 => 0,
                    depth if depth % 2 == 1 => 1,
                    _ => 2,
                }];
                line += &format!(" -CA {}.pem -CAkey {key}", name(depth - 1));
            }
            if !own.contains("-subj") {
                line += &format!(" -subj /CN={}", name(depth));
            }
            let words: Vec<&str> = own.split_whitespace().collect();
            if is_last && !own.contains("subjectAltName") {
                line += " -addext subjectAltName=DNS:localhost";
            }
            if is_last && depth > 0 && !own.contains("basicConstraints") {
                line += " -addext basicConstraints=critical,CA:FALSE";
            }
            for word in words {
                match word {
                    "-again" => {}
                    word if word.contains('=') && !word.starts_with('/') => {
                        line += &format!(" -addext {word}");
                    }
                    word => line += &format!(" {word}"),
                }
            }
            made.openssl(&line);
            // Signed with one, and another one of that name and key is trusted.
            if own.starts_with("-again") {
                let last = extensions.len() - 1;
                let plain = line.replace("-addext subjectKeyIdentifier=01:02:03", "");
                made.openssl(&plain);
                let below = format!(
                    "req -x509 -days 2 -out {}.pem -key last.key -CA {}.pem -CAkey first.key \
                     -subj /CN=below -addext subjectAltName=DNS:localhost \
                     -addext basicConstraints=critical,CA:FALSE",
                    name(last),
                    name(0)
                );
                made.openssl(&below);
                made.openssl(&line);
                break;
            }
        }
        let last = extensions.len() - 1;
        let read = |depth| fs::read(made.file(&format!("{}.pem", name(depth)))).unwrap();
        let between: Vec<u8> = (1..last).rev().flat_map(read).collect();
        let [between_file, file] =
            ["between", "chain"].map(|kind| made.file(&format!("c{case}.{kind}")));
        fs::write(&between_file, &between).unwrap();
        fs::write(&file, [read(last), between].concat()).unwrap();
        let pem = |depth| made.file(&format!("{}.pem", name(depth)));
        Chain {
            trusted: pem(0),
            between: between_file,
            shown: pem(last),
            file,
            key: made.file(if last == 0 { "first.key" } else { "last.key" }),
        }
    }

    /// Whether openssl believes it, for what it calls that purpose.
    fn is_believed_by_openssl(&self, purpose: &str) -> bool {
        let mut line = vec!["verify", "-purpose", purpose, "-partial_chain"];
        line.extend(["-no-CApath", "-no-CAstore", "-CAfile", &self.trusted]);
        if fs::metadata(&self.between).unwrap().len() > 0 {
            line.extend(["-untrusted", &self.between]);
        }
        line.push(&self.shown);
        piped("openssl", &line).output().unwrap().status.success()
    }

    fn is_believed_by_a_participant(&self) -> bool {
        let hub = Hub::start(&["-v", "--ssl-cert", &self.file, "--ssl-key", &self.key]);
        let port = hub.port.to_string();
        let participant = muxnc(&["--ssl-trustfile", &self.trusted, "localhost", &port]);
        let has_joined = || hub.process.stderr.text().contains(" joined, ");
        crate::support::eventually("it joins or refuses", || {
            has_joined() || participant.stderr.text().contains("its certificate ")
        });
        has_joined()
    }

    fn is_believed_by_a_hub(&self) -> bool {
        let hub = Encrypted::start(&["--ssl-verify", "--ssl-trustfile", &self.trusted]);
        let shown = ["--ssl-cert", &self.file, "--ssl-key", &self.key];
        let mut participant = Process::start(&mut hub.participant(&shown));
        let told = &hub.hub.process.stderr;
        crate::support::eventually("it joins or is refused", || {
            told.text().contains(" joined, ") || !participant.is_running()
        });
        told.text().contains(" joined, ")
    }
}

fn compare(part: usize, is_server: bool) {
    let kind = if is_server { "server" } else { "client" };
    let Some(made) = Certificates::new(&format!("tls-matrix-{kind}-{part}")) else {
        return;
    };
    for key in ["first", "second", "third", "last"] {
        made.openssl(&format!(
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out {key}.key"
        ));
    }
    let purpose = format!("ssl{kind}");
    let cases = CASES.iter().enumerate().filter(|(i, _)| i % 3 == part);
    for (i, &(extensions, server, client)) in cases {
        let chain = Chain::new(&made, i, extensions);
        let expected = if is_server { server } else { client };
        let believed = match is_server {
            true => chain.is_believed_by_a_participant(),
            false => chain.is_believed_by_a_hub(),
        };
        let by = match (chain.is_believed_by_openssl(&purpose), believed) {
            (true, true) => Both,
            (false, false) => Neither,
            (true, false) => OpensslOnly,
            (false, true) => panic!("muxnc alone believes {extensions:?} of a {kind}"),
        };
        assert_eq!(by, expected, "{extensions:?} of a {kind}");
    }
}

#[test]
fn what_openssl_refuses_of_a_hub_a_participant_refuses() {
    (0..3).for_each(|part| compare(part, true));
}

#[test]
fn what_openssl_refuses_of_a_participant_a_hub_refuses() {
    (0..3).for_each(|part| compare(part, false));
}
