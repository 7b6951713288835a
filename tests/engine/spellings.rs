//! Every option of four netcats, by their manual pages: muxnc has it with the same meaning, or with
//! another one that its help names, or refuses it with words of its own.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support;
use crate::support::installed;
use muxnc::cli;

use Verdict::Elsewhere;
use Verdict::Refused;
use Verdict::Same;

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It means the same here.
    Same,
    /// What is typed makes sense in both meanings: ours is another's, and the help of the option
    /// says so.
    Elsewhere,
    /// It is refused, and what to use is told.
    Refused,
}

/// An option, what stands on the command line in its way, and what becomes of it.
type Row = (&'static str, &'static str, Verdict);

/// nc_openbsd(1), as in Debian.
const OPENBSD: &[Row] = &[
    ("-4", "-4 192.0.2.7 80", Same),
    ("-6", "-6 2001:db8::7 80", Same),
    ("-b", "-b 192.0.2.7 80", Refused),
    ("-C", "-C 192.0.2.7 80", Same),
    ("-D", "-D 192.0.2.7 80", Refused),
    ("-d", "-d 192.0.2.7 80", Refused),
    ("-F", "-F -x 192.0.2.1:1080 192.0.2.7 80", Refused),
    ("-h", "-h", Same),
    ("-I", "-I 65536 192.0.2.7 80", Refused),
    ("-i", "-i 1 192.0.2.7 80", Elsewhere),
    ("-k", "-k -l 3000", Same),
    ("-l", "-l 3000", Same),
    ("-M", "-M 3 192.0.2.7 80", Refused),
    ("-m", "-m 3 192.0.2.7 80", Refused),
    ("-m", "-m 3 -l 3000", Elsewhere),
    ("-N", "-N 192.0.2.7 80", Same),
    ("-n", "-n 192.0.2.7 80", Same),
    ("-O", "-O 65536 192.0.2.7 80", Refused),
    (
        "-P",
        "-P ana -x 192.0.2.1:3128 -X connect 192.0.2.7 80",
        Refused,
    ),
    ("-p", "-p 4000 192.0.2.7 80", Same),
    ("-q", "-q 1 192.0.2.7 80", Same),
    ("-q", "-q -1 192.0.2.7 80", Refused),
    ("-r", "-r 192.0.2.7 80", Refused),
    ("-S", "-S 192.0.2.7 80", Refused),
    ("-s", "-s 192.0.2.9 192.0.2.7 80", Same),
    ("-T", "-T lowdelay 192.0.2.7 80", Refused),
    ("-t", "-t 192.0.2.7 23", Same),
    ("-U", "-U /run/socket", Same),
    ("-u", "-u 192.0.2.7 53", Same),
    ("-V", "-V 1 192.0.2.7 80", Refused),
    ("-v", "-v 192.0.2.7 80", Same),
    ("-W", "-W 3 192.0.2.7 80", Refused),
    ("-w", "-w 3 192.0.2.7 80", Elsewhere),
    ("-w", "-l -w 3 3000", Refused),
    ("-X", "-X 4 -x 192.0.2.1:1080 192.0.2.7 80", Refused),
    ("-x", "-x 192.0.2.1:1080 192.0.2.7 80", Refused),
    ("-x", "-x 192.0.2.1 192.0.2.7 80", Refused),
    ("-x", "-x [2001:db8::1]:1080 192.0.2.7 80", Refused),
    ("-Z", "-Z 192.0.2.7 80", Refused),
    ("-z", "-z 192.0.2.7 80", Same),
    ("-z", "-z 192.0.2.7 20-30", Same),
];

/// nc.traditional(1), with what only its `-h` tells of (`-k`).
const TRADITIONAL: &[Row] = &[
    ("-b", "-b 192.0.2.7 80", Refused),
    ("-C", "-C 192.0.2.7 80", Same),
    ("-c", "-c sh 192.0.2.7 80", Refused),
    ("-e", "-l -p 3000 -e /bin/sh", Refused),
    ("-G", "-G 4 192.0.2.7 80", Refused),
    ("-g", "-g 192.0.2.1 192.0.2.7 80", Refused),
    ("-h", "-h", Same),
    ("-i", "-i 1 192.0.2.7 80", Elsewhere),
    ("-k", "-k 192.0.2.7 80", Refused),
    ("-l", "-l -p 3000", Same),
    ("-n", "-n 192.0.2.7 80", Same),
    ("-o", "-o file 192.0.2.7 80", Elsewhere),
    ("-p", "-p 4000 192.0.2.7 80", Same),
    ("-q", "-q 1 192.0.2.7 80", Same),
    ("-r", "-r 192.0.2.7 80", Refused),
    ("-s", "-s 192.0.2.9 192.0.2.7 80", Same),
    ("-T", "-T Minimize-Delay 192.0.2.7 80", Refused),
    ("-t", "-t 192.0.2.7 23", Same),
    ("-u", "-u 192.0.2.7 53", Same),
    ("-v", "-v 192.0.2.7 80", Same),
    ("-w", "-w 3 192.0.2.7 80", Elsewhere),
    ("-z", "-z 192.0.2.7 80", Same),
];

/// ncat(1).
const NCAT: &[Row] = &[
    ("-4", "-4 192.0.2.7 80", Same),
    ("-6", "-6 2001:db8::7 80", Same),
    ("-C", "--crlf 192.0.2.7 80", Same),
    ("-c", "--sh-exec sh -l 3000", Refused),
    ("-d", "--delay 1 192.0.2.7 80", Same),
    ("-e", "--exec /bin/sh -l 3000", Refused),
    ("-G", "-G 4 192.0.2.7 80", Refused),
    ("-g", "-g 192.0.2.1,192.0.2.2 192.0.2.7 80", Refused),
    ("-h", "--help", Same),
    ("-i", "--idle-timeout 1 192.0.2.7 80", Same),
    ("-k", "--keep-open --listen 3000", Same),
    ("-l", "--listen 3000", Same),
    ("-m", "-l --max-conns 3 3000", Same),
    ("-n", "--nodns 192.0.2.7 80", Same),
    ("-o", "--output file 192.0.2.7 80", Same),
    ("-p", "--source-port 4000 192.0.2.7 80", Same),
    ("-s", "--source 192.0.2.9 192.0.2.7 80", Same),
    ("-t", "--telnet 192.0.2.7 23", Same),
    ("-U", "--unixsock /run/socket", Same),
    ("-u", "--udp 192.0.2.7 53", Same),
    ("-v", "--verbose 192.0.2.7 80", Same),
    ("-w", "--wait 3 192.0.2.7 80", Same),
    ("-x", "--hex-dump file 192.0.2.7 80", Same),
    ("-z", "-z 192.0.2.7 80", Same),
    ("--allow", "-l --allow 192.0.2.0/24 3000", Same),
    ("--allowfile", "-l --allowfile file 3000", Same),
    (
        "--append-output",
        "-o file --append-output 192.0.2.7 80",
        Same,
    ),
    ("--broker", "-l --broker 3000", Same),
    ("--broker", "--broker 3000", Refused),
    ("--chat", "-l --chat 3000", Same),
    ("--chat", "--chat 3000", Refused),
    ("--deny", "-l --deny 192.0.2.0/24 3000", Same),
    ("--denyfile", "-l --denyfile file 3000", Same),
    ("--lua-exec", "-l --lua-exec file 3000", Refused),
    ("--no-shutdown", "--no-shutdown 192.0.2.7 80", Same),
    ("--proxy", "--proxy 192.0.2.1:3128 192.0.2.7 80", Same),
    (
        "--proxy-auth",
        "--proxy 192.0.2.1 --proxy-auth a:b 192.0.2.7 80",
        Same,
    ),
    (
        "--proxy-auth",
        "-l --proxy-type http --proxy-auth a:b 3000",
        Refused,
    ),
    (
        "--proxy-dns",
        "--proxy 192.0.2.1 --proxy-dns local 192.0.2.7 80",
        Same,
    ),
    (
        "--proxy-type",
        "--proxy 192.0.2.1 --proxy-type socks4 192.0.2.7 80",
        Same,
    ),
    ("--proxy-type", "-l --proxy-type http 3000", Refused),
    ("--recv-only", "--recv-only 192.0.2.7 80", Same),
    ("--sctp", "--sctp 192.0.2.7 80", Refused),
    ("--send-only", "--send-only 192.0.2.7 80", Same),
    ("--ssl", "--ssl 192.0.2.7 443", Same),
    ("--ssl-alpn", "--ssl --ssl-alpn h2 192.0.2.7 443", Same),
    ("--ssl-cert", "--ssl --ssl-cert file 192.0.2.7 443", Same),
    (
        "--ssl-ciphers",
        "--ssl --ssl-ciphers HIGH 192.0.2.7 443",
        Refused,
    ),
    (
        "--ssl-key",
        "--ssl --ssl-cert file --ssl-key file 192.0.2.7 443",
        Same,
    ),
    (
        "--ssl-servername",
        "--ssl-servername example.org 192.0.2.7 443",
        Same,
    ),
    (
        "--ssl-trustfile",
        "--ssl-verify --ssl-trustfile file 192.0.2.7 443",
        Same,
    ),
    ("--ssl-verify", "--ssl-verify 192.0.2.7 443", Same),
    ("--talk", "--talk -l 3000", Refused),
    ("--version", "--version", Same),
    ("--vsock", "--vsock 2 80", Refused),
];

/// socat(1): every one of its lines has two addresses, and is refused at the latest for them.
const SOCAT: &[Row] = &[
    ("-4", "-4 - TCP:192.0.2.7:80", Refused),
    ("-6", "-6 - TCP:192.0.2.7:80", Refused),
    ("-b", "-b1024 - TCP:192.0.2.7:80", Refused),
    ("-D", "-D - TCP:192.0.2.7:80", Refused),
    ("-d", "-d -d - TCP:192.0.2.7:80", Refused),
    ("-g", "-g - TCP:192.0.2.7:80", Refused),
    ("-h", "-h", Same),
    ("-?", "-?", Refused),
    ("-L", "-L/run/lock - TCP:192.0.2.7:80", Refused),
    ("-l", "-lf/tmp/log - TCP:192.0.2.7:80", Refused),
    ("-l", "-lm - TCP:192.0.2.7:80", Refused),
    ("-l", "-lpname - TCP:192.0.2.7:80", Refused),
    ("-l", "-ls - TCP:192.0.2.7:80", Refused),
    ("-l", "-lu - TCP:192.0.2.7:80", Refused),
    ("-l", "-ly - TCP:192.0.2.7:80", Refused),
    ("-R", "-R file - TCP:192.0.2.7:80", Refused),
    ("-r", "-r file - TCP:192.0.2.7:80", Refused),
    ("-s", "-s - TCP:192.0.2.7:80", Refused),
    ("-T", "-T5 - TCP:192.0.2.7:80", Refused),
    ("-t", "-t5 - TCP:192.0.2.7:80", Refused),
    ("-U", "-U - TCP:192.0.2.7:80", Refused),
    ("-u", "-u - TCP:192.0.2.7:80", Refused),
    ("-V", "-V", Same),
    ("-v", "-v - TCP-LISTEN:3000,fork", Refused),
    ("-W", "-W/run/lock - TCP:192.0.2.7:80", Refused),
    ("-x", "-x - TCP:192.0.2.7:80", Refused),
];

/// A netcat: its manual page, its options, and whose words name it in ours.
const NETCATS: [(&str, &[Row], &str); 4] = [
    ("nc_openbsd", OPENBSD, "nc's"),
    ("nc.traditional", TRADITIONAL, "nc"),
    ("ncat", NCAT, "ncat's"),
    ("socat", SOCAT, "socat's"),
];

/// What a command line comes to: what it is refused with, if it is.
fn refusal(line: &str) -> Option<String> {
    let words = ["muxnc"].into_iter().chain(line.split_whitespace());
    match cli::parse(words) {
        Ok(_) => None,
        Err(error) => {
            assert!(error.is_usage(), "{line}: {error}");
            Some(error.to_string())
        }
    }
}

/// All that the help says of an option.
fn help(option: &str) -> String {
    let command = cli::command();
    let letter = option.trim_start_matches('-');
    let arg = command
        .get_arguments()
        .find(|arg| arg.get_short().is_some_and(|c| letter == c.to_string()))
        .unwrap_or_else(|| panic!("{option} is not ours"));
    arg.get_long_help()
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[test]
fn every_option_means_the_same_or_is_explained() {
    for (page, rows, whose) in NETCATS {
        for (option, line, verdict) in rows {
            let told = refusal(line);
            let context = format!("{page} {line}: {told:?}");
            match verdict {
                Same => assert_eq!(told, None, "{context}"),
                Elsewhere => {
                    assert_eq!(told, None, "{context}");
                    assert!(help(option).contains(whose), "{context}");
                }
                Refused => {
                    let told = told.unwrap_or_else(|| panic!("{context}"));
                    assert!(!told.contains("unexpected argument"), "{context}");
                    let (_, hint) = told.split_once("\n  ").expect(&context);
                    assert!(!hint.starts_with("Try: muxnc --help"), "{context}");
                    // It fits a terminal, whatever the first line quotes.
                    let narrow = |line: &str| line.chars().count() < 100;
                    assert!(hint.lines().all(narrow), "{context}");
                }
            }
        }
    }
}

/// Those that these netcats have in other versions, or beside others only.
#[test]
fn options_of_other_versions_are_explained() {
    for (line, instead) in [
        ("-H SHA256:abc 192.0.2.7 80", "--ssl-fingerprint"),
        ("-K key.pem 192.0.2.7 80", "--ssl-key"),
        ("--statistics - TCP:192.0.2.7:80", "-v tells it"),
        ("-0 - TCP:example.org:80", "Leave it out"),
        ("-x proxy:3128 192.0.2.7 80", "--proxy proxy:3128"),
        ("-l -x proxy:8080 3000", "muxnc --proxy HOST:PORT HOST PORT"),
        (
            "-l -x http://proxy:8080 3000",
            "muxnc --proxy HOST:PORT HOST PORT",
        ),
        (
            "-lX connect -x proxy:8080 3000",
            "muxnc --proxy HOST:PORT HOST PORT",
        ),
        (
            "-x http://proxy:3128 example.org 80",
            "--proxy proxy:3128 --proxy-type http",
        ),
        (
            "-x socks5://proxy example.org 80",
            "--proxy proxy --proxy-type socks5",
        ),
        (
            "-x socks4://proxy example.org 80",
            "--proxy proxy --proxy-type socks4",
        ),
        (
            "--proxy socks4a://192.0.2.1 example.org 80",
            "--proxy 192.0.2.1 --proxy-type socks4",
        ),
        ("192.0.2.7 80:80", "Write: muxnc 192.0.2.7 80"),
        ("-l 192.0.2.7 80:80", "Write: muxnc -l 192.0.2.7 80"),
        ("-l TCP:3000", "Write: muxnc -l 3000"),
    ] {
        let told = refusal(line).unwrap_or_else(|| panic!("{line}"));
        assert!(told.contains(instead), "{line}: {told}");
    }
}

/// The options that a manual page describes: those with which a line begins, and those long ones that
/// have no letter.
fn described(page: &str) -> BTreeSet<String> {
    let shown = Command::new("man")
        .arg(page)
        .env("LC_ALL", "C.UTF-8")
        .env("MANWIDTH", "80")
        .env("MANPAGER", "cat")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let mut options = BTreeSet::new();
    for line in shown.lines().filter(|line| line.starts_with(' ')) {
        let word = line.split_whitespace().next().unwrap_or_default();
        let word = word.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '?');
        if let Some(long) = word.strip_prefix("--") {
            if !long.is_empty() {
                options.insert(format!("--{long}"));
            }
        } else if let Some(letter) = word.strip_prefix('-').and_then(|word| word.chars().next()) {
            options.insert(format!("-{letter}"));
        }
    }
    options
}

#[test]
fn no_option_of_a_manual_page_is_forgotten() {
    if !installed(&["man"]) {
        return;
    }
    for (page, rows, _) in NETCATS {
        let described = described(page);
        if described.is_empty() {
            // An image without manual pages.
            support::left_out(&format!("the manual page of {page}"));
            continue;
        }
        let known: BTreeSet<String> = rows.iter().map(|(option, _, _)| (*option).into()).collect();
        let forgotten: Vec<&String> = described.difference(&known).collect();
        assert!(forgotten.is_empty(), "{page}: {forgotten:?}");
    }
}
