//! Where to connect to or listen, and from where.

use clap::Args;

use crate::io::net::Family;
use crate::io::net::Lookup;

/// The options of this group.
#[derive(Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "Address")]
pub(super) struct AddressArgs {
    /// Use IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6")]
    pub(super) ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6')]
    pub(super) ipv6: bool,

    /// Use a Unix socket: a PATH in place of HOST and PORT
    ///
    /// @NAME is an abstract one, which is in no folder (Linux). With -l the file's mode says who may
    /// connect, and so the umask; the file goes with the hub, and one at which nobody listens any
    /// more is replaced.
    #[arg(
        short = 'U',
        long,
        conflicts_with_all = [
            "ipv4", "ipv6", "source", "source_port", "proxy",
            "allow", "allowfile", "deny", "denyfile", "max_per_host",
        ]
    )]
    pub(super) unixsock: bool,

    /// Use UDP: with -l, show what anybody sends, and send what is typed to those who were heard
    ///
    /// A line is a datagram, cut at 1200 bytes; it waits for its rest for 2 seconds at most. What is no text (no
    /// UTF-8, or with a NUL) goes out as it is read.
    /// What is lost on the way is lost, and nothing tells that the other side is done: -q or -i ends it, or Ctrl-C.
    /// With -l, -i says how long whoever was heard is sent what is typed (10 minutes); who has not answered anything yet
    /// gets at most three times as much as it sent, headers counted. There is no relaying, no history, no transfer, no record and no TLS.
    #[arg(short, long)]
    pub(super) udp: bool,

    /// Look nothing up: addresses and ports are numbers
    ///
    /// An address of one link only has the name or the number of an interface, as fe80::1%eth0.
    #[arg(short, long)]
    pub(super) nodns: bool,

    /// The port to come from; with -l, the port to listen on
    #[arg(short = 'p', long, value_name = "PORT", allow_hyphen_values = true)]
    pub(super) source_port: Option<String>,

    /// The address to come from; with -l, the one to listen on
    #[arg(short, long, value_name = "HOST")]
    pub(super) source: Option<String>,
}

impl AddressArgs {
    pub(super) fn family(&self) -> Family {
        match (self.ipv4, self.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            _ => Family::Any,
        }
    }

    pub(super) fn lookup(&self) -> Lookup {
        match self.nodns {
            true => Lookup::Numeric,
            false => Lookup::Names,
        }
    }
}
