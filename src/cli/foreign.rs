//! Foreign spellings: options of other netcats, and the advice about each.
//!
//! Three tables. [`ABSENT`] are options of OpenBSD's nc (as in Debian), nc.traditional, ncat and socat
//! that muxnc does not have, by their manual pages; [`OF_A_HUB`] is what to use instead of some of them
//! where a participant's option is none of a hub's. [`NAMESAKES`] are options of muxnc that mean
//! something else in one of those: where clap or we refuse such an option, that is the likely reason.
//! `tests/engine/spellings.rs` holds them against the manual pages that are installed, and `tests/advice.rs` beside
//! this tries what they advise.

use super::proxy::NO_PROXY_HINT;
use crate::io::error::Error;

/// An option that other netcats have.
#[derive(Debug)]
pub(super) struct Foreign {
    /// All its spellings.
    spellings: &'static [&'static str],
    /// Why it is not there, and, where they differ, what it is elsewhere.
    why: &'static str,
    /// What to use instead.
    instead: &'static str,
}

impl Foreign {
    /// The option that is spelled so, with its dashes, if muxnc does not have it.
    pub(super) fn of(spelling: &str) -> Option<&'static Foreign> {
        ABSENT
            .iter()
            .find(|option| option.spellings.contains(&spelling))
    }

    /// The advice to the person who typed it: a hub's operator, if they `listen`.
    pub(super) fn told(&self, spelling: &str, listen: bool) -> Error {
        let of_a_hub = OF_A_HUB
            .iter()
            .find(|(option, _)| listen && self.spellings.contains(option));
        let instead = of_a_hub.map_or(self.instead, |(_, instead)| instead);
        Error::usage(spelling, self.why).hint(instead)
    }
}

/// All spellings that muxnc does not have.
#[cfg(test)]
pub(super) fn spellings() -> impl Iterator<Item = &'static str> {
    ABSENT.iter().flat_map(|option| option.spellings).copied()
}

/// What an option of muxnc means in other netcats, by its name in [`Args`](super::Args).
pub(super) fn namesake(id: &str) -> Option<&'static str> {
    NAMESAKES
        .iter()
        .find(|(option, _)| *option == id)
        .map(|(_, elsewhere)| *elsewhere)
}

const NO_PROGRAMS: &str =
    "muxnc never runs a program for the network: a class hub must not become a shell";

const ABSENT: &[Foreign] = &[
    Foreign {
        spellings: &["-b"],
        why: "nothing is broadcast to a network (in socat -b is a size)",
        instead: "muxnc -l PORT sends what you type to everybody who is connected.",
    },
    Foreign {
        spellings: &["-e", "--exec", "--sh-exec", "--lua-exec"],
        why: NO_PROGRAMS,
        instead: "What a program prints can be piped in: PROGRAM | muxnc -l PORT.",
    },
    Foreign {
        spellings: &["-c"],
        why: NO_PROGRAMS,
        instead: "What a program prints can be piped in: PROGRAM | muxnc -l PORT.\n  \
                  The -c of a Mac's nc, which ends lines with CR LF, is -C here.",
    },
    Foreign {
        spellings: &["-D"],
        why: "the kernel's debugging of a socket, and socat's list of descriptors, are not there",
        instead: "-vv tells what happens in detail; ss -ti, what the kernel knows of a connection.",
    },
    Foreign {
        spellings: &["-F"],
        why: "a connection is not handed on to another program",
        instead: "For ssh: ProxyCommand muxnc --proxy HOST:PORT %h %p, without ProxyUseFdpass.",
    },
    Foreign {
        spellings: &["-f", "-y"],
        why: "muxnc says everything on stderr (socat's -lf and -ly say where else)",
        instead: "2> FILE keeps what is said.",
    },
    Foreign {
        spellings: &["-g"],
        why: "packets are not routed by their source: routers drop such packets (RFC 7126)",
        instead: "Another way leads through a proxy: --proxy HOST:PORT.",
    },
    Foreign {
        spellings: &["-G"],
        why: "packets are not routed by their source (in a Mac's nc -G is how long to try)",
        instead: "-w TIME is how long to try to connect.\n  \
                  Another way leads through a proxy: --proxy HOST:PORT.",
    },
    Foreign {
        spellings: &["-H"],
        why: "in the nc of OpenBSD that is the hash of a certificate",
        instead: "Use --ssl --ssl-fingerprint SHA256.",
    },
    Foreign {
        spellings: &["-I", "-O"],
        why: "the kernel chooses the sizes of a connection's buffers",
        instead: "Their bounds are tcp_rmem and tcp_wmem: see tcp(7).",
    },
    Foreign {
        spellings: &["-K"],
        why: "in the nc of OpenBSD that is the key of a certificate",
        instead: "Use --ssl-cert FILE and --ssl-key FILE.",
    },
    Foreign {
        spellings: &["-L"],
        why: "there are no lock files",
        instead: "flock(1) runs a command under a lock: flock FILE muxnc -l PORT.",
    },
    Foreign {
        spellings: &["-M"],
        why: "packets leave with the TTL that the system gives them",
        instead: "ip_default_ttl is that: see ip(7).",
    },
    Foreign {
        spellings: &["-P"],
        why: "in nc that is who you are to a proxy",
        instead: "Use --proxy HOST:PORT --proxy-auth USER:PASS, or set NCAT_PROXY_AUTH, which others\n  \
                  cannot read.",
    },
    Foreign {
        spellings: &["-R"],
        why: "in socat that keeps what comes back in a file",
        instead: "-o FILE keeps what is received and sent, -x FILE as a hex dump.",
    },
    Foreign {
        spellings: &["-r"],
        why: "one port is connected to, and the system chooses the one to come from",
        instead: "-p PORT chooses that. socat's -r FILE is -o FILE here.",
    },
    Foreign {
        spellings: &["-S"],
        why: "segments are not signed with MD5 (RFC 2385)",
        instead: "--ssl encrypts a connection and verifies who is at its other end.",
    },
    Foreign {
        spellings: &["-T"],
        why: "the type of service cannot be chosen (in socat -T is a time)",
        instead: "A rule of the system can: see nft(8).\n  \
                  -i TIME ends a connection over which nothing goes.",
    },
    Foreign {
        spellings: &["-V"],
        why: "in nc that is a routing table; here it is --version, which takes no host and no port",
        instead: "ip vrf exec and ip netns exec run a command with another table: see ip-vrf(8).",
    },
    Foreign {
        spellings: &["-W"],
        why: "packets are not counted (in socat -W is a lock file)",
        instead: "-q TIME leaves that long after the end of stdin: time for an answer to it.\n  \
                  flock(1) runs a command under a lock.",
    },
    Foreign {
        spellings: &["-X"],
        why: "in nc that is what a proxy speaks",
        instead: "Use --proxy HOST:PORT --proxy-type http, socks4 or socks5 (nc's connect, 4, 5).",
    },
    Foreign {
        spellings: &["-Z"],
        why: "muxnc speaks TCP and UDP, not DCCP",
        instead: "nc -Z speaks it.",
    },
    Foreign {
        spellings: &["--statistics"],
        why: "in socat that tells at the end what was moved",
        instead: "-v tells it, with how long that took.",
    },
    Foreign {
        spellings: &["-0"],
        why: "in socat that is either of IPv4 and IPv6",
        instead: "Leave it out: that is the default; -4 or -6 is one of them.",
    },
    Foreign {
        spellings: &["-?"],
        why: "in socat that asks for help",
        instead: "Try: muxnc -h",
    },
    Foreign {
        spellings: &["--dtls"],
        why: "muxnc has TLS over TCP, and no DTLS",
        instead: "--ssl is TLS; ncat --udp --ssl speaks DTLS.",
    },
    Foreign {
        spellings: &["--sctp"],
        why: "muxnc speaks TCP and UDP, not SCTP",
        instead: "ncat --sctp speaks it.",
    },
    Foreign {
        spellings: &["--vsock"],
        why: "muxnc has TCP, UDP and Unix sockets, not those between a virtual machine and its host",
        instead: "ncat --vsock has them.",
    },
    Foreign {
        spellings: &["--talk"],
        why: "that is ncat's older name of a chat",
        instead: "Use: muxnc -l --chat PORT",
    },
    Foreign {
        spellings: &["--ssl-ciphers"],
        why: "the ciphers cannot be chosen",
        instead: "Leave it out: TLS 1.3 and 1.2 are spoken, with good ciphers and no others.",
    },
    Foreign {
        spellings: &["--ssl-no-verify", "--ssl-insecure", "--insecure"],
        why: "to encrypt for somebody unknown protects from nobody",
        instead: "Leave it out: who is not trusted is shown by a fingerprint, and trusted\n  \
                  with --ssl-fingerprint SHA256.",
    },
];

pub(super) const FINGERPRINT: &str = "Participants verify a hub: muxnc --ssl-fingerprint SHA256 HOST PORT\n  \
                           Of theirs a hub verifies certificates: --ssl-verify --ssl-trustfile FILE.";

/// What to use instead where `-l` is given, by one of the spellings.
const OF_A_HUB: &[(&str, &str)] = &[
    ("-g", NO_PROXY_HINT),
    ("-G", NO_PROXY_HINT),
    ("-H", FINGERPRINT),
    ("-P", NO_PROXY_HINT),
    ("-X", NO_PROXY_HINT),
    ("--ssl-no-verify", FINGERPRINT),
];

const NAMESAKES: &[(&str, &str)] = &[
    (
        "delay",
        "nc's -d, which leaves stdin alone, is --recv-only here; socat's is -v.",
    ),
    ("idle_timeout", "nc's -i, a time between lines, is -d here."),
    ("keep_open", "nc.traditional's -k, keepalive, is always on."),
    (
        "max_conns",
        "nc's -m, the least TTL of what comes in, is not there.",
    ),
    ("output", "nc.traditional's -o, a hex dump, is -x here."),
    (
        "quit_after",
        "nc's -q -1, to wait for ever, is the default.",
    ),
    (
        "source",
        "socat's -s, to go on after an error, is not there.",
    ),
    ("telnet", "socat's -t, a time, is -q here."),
    (
        "udp",
        "socat's -u, one direction, is --send-only or --recv-only here.",
    ),
    (
        "unixsock",
        "socat's -U, one direction, is --recv-only here.",
    ),
    (
        "hex_dump",
        "nc's -x, a proxy, is a participant's --proxy here.",
    ),
];

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Args;

    #[test]
    fn no_spelling_is_ours_or_there_twice() {
        let command = Args::command();
        let mut seen = std::collections::HashSet::new();
        for spelling in ABSENT.iter().flat_map(|option| option.spellings) {
            assert!(seen.insert(spelling), "{spelling} twice");
            let ours = command.get_arguments().any(|arg| {
                arg.get_short()
                    .is_some_and(|c| *spelling == format!("-{c}"))
                    || arg
                        .get_long()
                        .is_some_and(|l| *spelling == format!("--{l}"))
            });
            // Both: which of them it is, what follows says.
            assert!(!ours || *spelling == "-V", "{spelling} is ours");
        }
    }

    #[test]
    fn namesakes_are_options() {
        let command = Args::command();
        for (id, _) in NAMESAKES {
            assert!(
                command.get_arguments().any(|arg| arg.get_id() == id),
                "{id}"
            );
        }
    }
}
