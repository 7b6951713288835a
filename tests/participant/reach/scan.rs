//! Several ports at once: `-z HOST 20-25,80`.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::support::MUXNC;
use crate::support::Namespace;
use crate::support::Process;
use crate::support::eventually;
use crate::support::installed;
use crate::support::left_out;
use crate::support::muxnc;
use crate::support::piped;
use crate::support::reserved_port;

const HOST: &str = "127.0.0.1";

/// A network in which these ports are listened on; what comes to those is dropped without a word.
struct Firewalled {
    namespace: Namespace,
    _listening: Vec<Process>,
}

impl Firewalled {
    /// None where that is not possible, which was said.
    fn new(open: &[&str], dropped: &str) -> Option<Firewalled> {
        if !installed(&["nft"]) {
            return None;
        }
        let namespace = Namespace::new()?;
        let rules = format!(
            "nft 'add table inet t; add chain inet t c {{ type filter hook input priority 0; }}; \
             add rule inet t c tcp dport {{ {dropped} }} drop'"
        );
        let made = namespace.piped("sh", &["-c", &rules]).output().unwrap();
        if !made.status.success() {
            left_out("nft's rules, which this kernel does not have");
            return None;
        }
        let listening = open.iter().map(|port| {
            let hub = Process::start(&mut namespace.piped(MUXNC, &["-lv", port]));
            hub.stderr.wait_for("listening on");
            hub
        });
        Some(Firewalled {
            _listening: listening.collect(),
            namespace,
        })
    }

    fn run(&self, program: &str, args: &[&str]) -> Process {
        Process::start(&mut self.namespace.piped(program, args))
    }
}

#[test]
fn what_is_open_is_listed_ascending_and_the_rest_in_a_sentence() {
    let Some(network) = Firewalled::new(&["22", "80", "7777"], "23,90-92") else {
        return;
    };
    let ports = "7776-7777,80,http,20-23,90-92,22";
    let mut probe = network.run(MUXNC, &["-zv", "-w", "500ms", HOST, ports]);
    probe.expect_status(0);
    assert_eq!(
        probe.stdout.text(),
        "22 ssh open\n80 http open\n7777 open\n"
    );
    assert_eq!(
        probe.stderr.text(),
        "muxnc: 127.0.0.1: 3 of 10 ports are open: 3 refused, 4 did not answer\n"
    );
    // With nothing looked up there are no names; without -v nothing is said.
    let mut probe = network.run(MUXNC, &["-znv", HOST, "21-22"]);
    probe.expect_status(0);
    assert_eq!(probe.stdout.text(), "22 open\n");
    let mut probe = network.run(MUXNC, &["-z", HOST, "21-22"]);
    probe.expect_status(0);
    assert_eq!(
        (probe.stdout.text(), probe.stderr.text()),
        Default::default()
    );
}

/// Those that drop what comes to them cost their time once and not each.
#[test]
fn ports_that_do_not_answer_are_waited_for_together() {
    let Some(network) = Firewalled::new(&["150"], "101-140") else {
        return;
    };
    let start = Instant::now();
    let mut probe = network.run(MUXNC, &["-zv", "-w", "1s", HOST, "101-150"]);
    probe.expect_status(0);
    let took = start.elapsed();
    assert_eq!(probe.stdout.text(), "150 open\n");
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let mut probe = network.run(MUXNC, &["-z", "-w", "500ms", HOST, "101-149"]);
    probe.expect_status(1);
    assert_eq!(
        probe.stderr.text(),
        "muxnc: look for open ports of 127.0.0.1: none of 49 ports is open: 9 refused, 40 did not \
         answer\n  -w TIME sets how long each of them is waited for.\n"
    );
}

/// nc and nmap find the same.
#[test]
fn other_scanners_find_the_same() {
    if !installed(&["nc.openbsd", "nmap"]) {
        return;
    }
    let Some(network) = Firewalled::new(&["22", "30", "35"], "33") else {
        return;
    };
    let mut probe = network.run(MUXNC, &["-znv", "-w", "1s", HOST, "20-40"]);
    probe.expect_status(0);
    assert_eq!(probe.stdout.text(), "22 open\n30 open\n35 open\n");
    let mut nc = network.run("nc.openbsd", &["-znv", "-w", "1", HOST, "20-40"]);
    nc.expect_status(0);
    let told = nc.stderr.text();
    let found = told.lines().filter(|line| line.contains("succeeded"));
    let found: Vec<&str> = found.map(|line| line.split(' ').nth(3).unwrap()).collect();
    assert_eq!(found, ["22", "30", "35"], "{told}");
    let mut nmap = network.run("nmap", &["-sT", "-Pn", "-n", "-p", "20-40", HOST]);
    nmap.expect_status(0);
    let told = nmap.stdout.text();
    let found = told.lines().filter(|line| line.contains("/tcp open"));
    let found: Vec<&str> = found.map(|line| line.split('/').next().unwrap()).collect();
    assert_eq!(found, ["22", "30", "35"], "{told}");
}

/// A script that fills in the ends of a range has an answer of the same form, whatever they are.
#[test]
fn a_list_of_one_port_is_answered_as_a_list() {
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let open = listener.local_addr().unwrap().port();
    let (_held, closed) = reserved_port();
    for port in [open, closed] {
        for ports in [format!("{port}-{port}"), format!("{port},{port}")] {
            let mut probe = muxnc(&["-znv", HOST, &ports]);
            let (status, shown, told) = match port == open {
                true => (0, format!("{port} open\n"), "the one port is open"),
                false => (1, String::new(), "the one port is not open: 1 refused"),
            };
            probe.expect_status(status);
            assert_eq!(probe.stdout.text(), shown);
            let said = probe.stderr.text();
            assert!(said.ends_with(&format!("127.0.0.1: {told}\n")), "{said}");
        }
    }
}

/// What a proxy says of a port counts as what it is: refused, not answered, or that something else is wrong.
#[test]
fn what_a_proxy_found_is_counted() {
    fn answers(stream: &mut TcpStream, kind: &str) -> std::io::Result<()> {
        let mut asked = [0; 256];
        if kind == "http" {
            let mut asked = String::new();
            BufReader::new(&*stream).read_line(&mut asked)?;
            let answer = match asked {
                asked if asked.contains(":81 ") => "502 Bad Gateway",
                asked if asked.contains(":82 ") => "504 Gateway Timeout",
                _ => "200 OK",
            };
            return write!(stream, "HTTP/1.1 {answer}\r\n\r\n");
        }
        let _ = stream.read(&mut asked)?;
        stream.write_all(b"\x05\x00")?;
        let count = stream.read(&mut asked)?;
        let reply = match asked[count - 1] {
            81 => 5,
            82 => 6,
            83 => 4,
            _ => 0,
        };
        stream.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0])
    }
    for (kind, ports, told) in [
        (
            "http",
            "80-82",
            "1 of 3 ports is open: 1 did not answer, 1 failed (the proxy refused: 502 Bad Gateway)",
        ),
        (
            "socks5",
            "80-83",
            "1 of 4 ports is open: 1 refused, 1 did not answer, 1 failed (the proxy refused: host is unreachable)",
        ),
    ] {
        let proxy = TcpListener::bind((HOST, 0)).unwrap();
        let place = proxy.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for stream in proxy.incoming() {
                // Whoever has enough may be gone.
                let _ = answers(&mut stream.unwrap(), kind);
            }
        });
        let args = ["--proxy-type", kind, "--proxy", &place, "-zvn", HOST, ports];
        let mut probe = muxnc(&args);
        probe.expect_status(0);
        assert_eq!(probe.stdout.text(), "80 open\n", "{kind}");
        let said = probe.stderr.text();
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn none_open_is_1_and_quiet_says_that_alone() {
    let (_held, port) = reserved_port();
    let (_other, second) = reserved_port();
    let ports = format!("{port},{second}");
    let mut probe = muxnc(&["-zv", HOST, &ports]);
    probe.expect_status(1);
    assert_eq!(probe.stdout.text(), "");
    assert_eq!(
        probe.stderr.text(),
        "muxnc: look for open ports of 127.0.0.1: none of 2 ports is open: 2 refused\n"
    );
    let mut probe = muxnc(&["-z", "--quiet", HOST, &ports]);
    probe.expect_status(1);
    assert_eq!(
        (probe.stdout.text(), probe.stderr.text()),
        Default::default()
    );
}

/// Who listens on one of a host's addresses only is found.
#[test]
fn every_port_is_looked_for_at_every_address() {
    let hosts = std::env::temp_dir().join(format!("muxnc-scan-hosts-{}", std::process::id()));
    std::fs::write(&hosts, "::1 both.example\n127.0.0.1 both.example\n").unwrap();
    let namespace = Namespace::with_hosts(&[], &hosts);
    let _ = std::fs::remove_file(&hosts);
    let Some(namespace) = namespace else {
        return;
    };
    let mut listening = Vec::new();
    for (host, port) in [("::1", "7001"), (HOST, "7002")] {
        let mut hub = Process::start(&mut namespace.piped(MUXNC, &["-lv", host, port]));
        eventually("it listens", || {
            assert!(hub.is_running(), "{}", hub.stderr.text());
            hub.stderr.text().contains("listening on")
        });
        listening.push(hub);
    }
    let args = ["-zvn", "::1", "7000-7003"];
    let mut probe = Process::start(&mut namespace.piped(MUXNC, &args));
    probe.expect_status(0);
    assert_eq!(probe.stdout.text(), "7001 open\n");
    let args = ["-zv", "both.example", "7002,7000-7001"];
    let mut probe = Process::start(&mut namespace.piped(MUXNC, &args));
    probe.expect_status(0);
    let told = probe.stdout.text();
    let ports: Vec<&str> = told.lines().map(|line| &line[..4]).collect();
    assert_eq!(ports, ["7001", "7002"], "{told}");
}

#[test]
fn few_descriptors_are_enough() {
    let (listener, (_held, other)) = (TcpListener::bind((HOST, 0)).unwrap(), reserved_port());
    let port = listener.local_addr().unwrap().port();
    let ports = format!("1-40,{port},{other}");
    let script = "ulimit -n \"$1\"; exec \"$0\" -znv 127.0.0.1 \"$2\"";
    let mut probe = Process::start(&mut piped("sh", &["-c", script, MUXNC, "10", &ports]));
    probe.expect_status(0);
    assert!(probe.stdout.text().ends_with(&format!("{port} open\n")));
    let mut probe = Process::start(&mut piped("sh", &["-c", script, MUXNC, "7", &ports]));
    probe.wait();
    let text = probe.stderr.text();
    assert!(!text.contains("panicked"), "{text}");
}

/// Who stops reading what is found stops it, as any filter.
#[test]
fn a_reader_that_has_enough_ends_it() {
    let mut probe = piped("sh", &["-c", "\"$0\" -zv 127.0.0.1 \"$1\" | true", MUXNC]);
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    probe.arg(format!("1-1000,{port}"));
    Process::start(&mut probe).expect_status(0);
}

#[test]
fn a_proxy_is_asked_for_each_of_them() {
    if !installed(&["microsocks", "tinyproxy"]) {
        return;
    }
    let open = TcpListener::bind((HOST, 0)).unwrap();
    let (_held, closed) = reserved_port();
    let open = open.local_addr().map(|addr| (open, addr.port())).unwrap();
    let ports = format!("{},{closed}", open.1);
    let config = std::env::temp_dir().join(format!("muxnc-scan-{}.conf", std::process::id()));
    for kind in ["socks5", "http"] {
        let (_reserved, port) = reserved_port();
        let listen = port.to_string();
        let text = format!("Port {port}\nListen 127.0.0.1\nTimeout 60\nBasicAuth ann secret\n");
        std::fs::write(&config, text).unwrap();
        let mut proxy = match kind {
            "http" => piped("tinyproxy", &["-d", "-c", config.to_str().unwrap()]),
            _ => piped("microsocks", &["-i", HOST, "-p", &listen]),
        };
        let mut proxy = Process::start(&mut proxy);
        eventually("the proxy listens", || {
            assert!(proxy.is_running(), "{}", proxy.stderr.text());
            TcpStream::connect((HOST, port)).is_ok()
        });
        let place = format!("{HOST}:{port}");
        let login = ["--proxy-auth", "ann:secret"];
        let args = [
            "--proxy-type",
            kind,
            "--proxy",
            &place,
            "-zvn",
            HOST,
            &ports,
        ];
        let args = match kind {
            "http" => [&login[..], &args].concat(),
            _ => args.to_vec(),
        };
        let mut probe = muxnc(&args);
        probe.expect_status(0);
        assert_eq!(probe.stdout.text(), format!("{} open\n", open.1), "{kind}");
        let told = probe.stderr.text();
        let known = match kind {
            "http" => "muxnc: 127.0.0.1: 1 of 2 ports is open: 1 failed (the proxy refused: ",
            _ => "muxnc: 127.0.0.1: 1 of 2 ports is open: 1 refused\n",
        };
        assert!(told.starts_with(known), "{told}");
        if kind == "http" {
            let mut probe = muxnc(&["--proxy", &place, "-z", HOST, &ports]);
            probe.expect_status(1);
            let told = probe.stderr.text();
            assert!(told.contains("wants a user name and a password"), "{told}");
        }
    }
    let _ = std::fs::remove_file(config);
}

#[test]
fn a_proxy_that_is_silent_or_not_there_is_told() {
    let silent = TcpListener::bind((HOST, 0)).unwrap();
    let place = silent.local_addr().unwrap().to_string();
    let mut probe = muxnc(&["--proxy", &place, "-z", "-w", "300ms", HOST, "80,81"]);
    probe.expect_status(1);
    let told = probe.stderr.text();
    assert!(told.contains("2 did not answer"), "{told}");
    let (_held, port) = reserved_port();
    let place = format!("{HOST}:{port}");
    let mut probe = muxnc(&["--proxy", &place, "-z", HOST, "80,81"]);
    probe.expect_status(1);
    let told = probe.stderr.text();
    let known = format!("muxnc: connect to proxy {place}: connection refused\n");
    assert!(told.starts_with(&known), "{told}");
}

/// What such a proxy says to one port is not what it says to all of them.
#[test]
fn a_proxy_may_make_sense_for_some_ports_only() {
    let proxy = TcpListener::bind((HOST, 0)).unwrap();
    let place = proxy.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in proxy.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = String::new();
            BufReader::new(&stream).read_line(&mut asked).unwrap();
            let answer = match asked.contains(":22 ") {
                true => "HTTP/1.1 200 OK\r\n\r\n",
                false if asked.contains(":81 ") => "what?\r\n\r\n",
                false => "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\n\r\n",
            };
            // Whoever has enough may be gone.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    for others in ["81", "82", "81,82", "20,81,82"] {
        let ports = format!("22,{others}");
        let mut probe = muxnc(&["--proxy", &place, "-zv", "-n", HOST, &ports]);
        probe.expect_status(0);
        assert_eq!(
            probe.stdout.text(),
            "22 open\n",
            "{ports}: {}",
            probe.stderr.text()
        );
        probe.stderr.wait_for(" failed (");
    }
    // Where none is open that is told as it is.
    let mut probe = muxnc(&["--proxy", &place, "-z", HOST, "82,83"]);
    probe.expect_status(1);
    probe
        .stderr
        .wait_for("--proxy-auth USER:PASS says who you are");
}
