//! A certificate that is known by its fingerprint: its key is what counts, whatever the rest of it says.

use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use rustls::sign::SingleCertAndKey;
use sha2::Digest;
use sha2::Sha256;

use crate::Certificates;
use crate::HOST;
use crate::KEY;
use crate::ask_and_answer;
use crate::refused;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::muxnc;
use crate::support::piped;
use crate::support::port_of;

/// The groups of its fingerprint that are enough, as the advice has them.
fn advised(told: &str) -> &str {
    let advice = told.split("--ssl-fingerprint ").nth(1);
    advice.expect(told).split_whitespace().next().unwrap()
}

/// `openssl x509 -req` makes it so, and neither rustls nor webpki reads it.
#[test]
fn one_of_version_1_is_called_so_and_believed_by_its_fingerprint() {
    let Some(made) = Certificates::new("tls-version-1") else {
        return;
    };
    made.openssl(&format!(
        "req {KEY} -keyout localhost.key -out localhost.csr -subj /CN=localhost"
    ));
    made.openssl(
        "x509 -req -in localhost.csr -CA authority.pem -CAkey authority.key -CAcreateserial \
         -days 2 -out localhost.pem",
    );
    let text = made.openssl("x509 -in localhost.pem -noout -text");
    assert!(text.contains("Version: 1 "), "{text}");
    let files = ["authority.pem", "localhost.pem", "localhost.key"];
    let [authority, cert, key] = files.map(|name| made.file(name));
    const VERSION: &str = "is of a version of X.509 before 3 (openssl x509 -req makes it so";
    for version in ["-tls1_2", "-tls1_3"] {
        let args = ["s_server", "-quiet", "-accept", "127.0.0.1:0", version];
        let files = ["-cert", &cert, "-key", &key];
        let mut server = Process::start(&mut piped("openssl", &[&args[..], &files].concat()));
        let port = port_of(&mut server).expect("openssl listens").to_string();
        // Also where it is trusted itself: it names no host.
        for trusted in [&authority, &cert] {
            let told = refused(&["--ssl-trustfile", trusted, "localhost", &port]);
            assert!(
                told.contains(&format!("its certificate {VERSION}")),
                "{told}"
            );
        }
        let told = refused(&["--ssl-trustfile", &authority, "localhost", &port]);
        let known = ["--ssl-fingerprint", advised(&told), "localhost", &port];
        let mut participant = muxnc(&known);
        ask_and_answer(&mut participant, &mut server);
    }
    let mut hub = piped(MUXNC, &["-l", "0", "--ssl-cert", &cert, "--ssl-key", &key]);
    let mut hub = Process::start(&mut hub);
    hub.expect_status(1);
    let told = hub.stderr.text();
    assert!(
        told.contains(&format!("a certificate in it {VERSION}")),
        "{told}"
    );
}

/// A certificate is no secret: who shows it must have its key.
#[test]
fn who_shows_the_certificate_without_its_key_is_refused() {
    let own = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    let other = rcgen::KeyPair::generate().unwrap();
    let other = PrivateKeyDer::try_from(other.serialize_der()).unwrap();
    let other = rustls::crypto::ring::sign::any_supported_type(&other).unwrap();
    let shown = CertifiedKey::new(vec![own.cert.der().clone()], other);
    let digest = Sha256::digest(own.cert.der());
    let known: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = ServerConfig::builder_with_protocol_versions(&[version])
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown.clone())));
        let listener = TcpListener::bind((HOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
            while tls.is_handshaking() && tls.complete_io(&mut socket).is_ok() {}
            // Until it has left.
            let _ = socket.read(&mut [0]);
        });
        let told = refused(&["--ssl-fingerprint", &known, HOST, &port]);
        assert!(told.contains("its certificate is not signed"), "{told}");
        // It has that fingerprint: who typed it has done so.
        assert!(!told.contains("--ssl-fingerprint"), "{told}");
        server.join().unwrap();
    }
}
