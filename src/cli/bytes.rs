//! What happens to the bytes, and which way they go.

use clap::Args;

use crate::client::Traffic;

/// The options of this group.
#[derive(Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "Bytes")]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch that was typed or not"
)]
pub(super) struct BytesArgs {
    /// Send CRLF for each end of line
    #[arg(short = 'C', long)]
    pub(super) crlf: bool,

    /// Hide telnet's negotiation, and answer it: no to everything
    ///
    /// For a server that speaks telnet, and for a hub to which telnets come: one in which Ctrl-C was pressed shows
    /// nothing more until the hub answers. The byte 0xFF, which is telnet's own, is doubled when it is said, and so is a
    /// NUL behind a carriage return.
    #[arg(short, long, conflicts_with = "zero")]
    pub(super) telnet: bool,

    /// End our side of the connection at the end of stdin: the default
    #[arg(short = 'N', conflicts_with = "no_shutdown")]
    pub(super) shutdown: bool,

    /// Keep our side open after the end of stdin
    #[arg(long)]
    pub(super) no_shutdown: bool,

    /// Only send: what comes in is thrown away, and the end of stdin is the end
    #[arg(long, conflicts_with = "recv_only")]
    pub(super) send_only: bool,

    /// Only receive: stdin is not read
    #[arg(long)]
    pub(super) recv_only: bool,

    /// Tell at the end the SHA-256 of what was sent and of what was received, as sha256sum makes it
    ///
    /// On stderr, with the number of bytes: the same on both sides if all of it arrived as it was sent.
    /// A hub tells it of what everybody was sent, and of what each peer said when it has left; with --chat and
    /// --broker a participant receives more than that, names and the others' lines, so that only what it sent can be
    /// compared. What ends by Ctrl-C tells it of what there was until then. Every byte has to be looked at for it,
    /// where else the kernel moves a file by itself (sendfile, splice).
    #[arg(long, conflicts_with = "zero")]
    pub(super) sha256: bool,

    /// Send and receive nothing: only see whether something listens there
    ///
    /// The exit status is 0 if a connection was made, else 1 with the reason (--quiet: without it), and -v
    /// says both. Of several ports, as 20-25,80,443,http, it is 0 if any of them is open; -v lists those on stdout,
    /// and says on stderr how many of the others refused or did not answer. So it does for a range of one, 80-80: it
    /// is how they are written that decides. They are looked at 128 at a time, and -w
    /// is the time of each, so that ports that do not answer cost little more than one of them.
    #[arg(short, conflicts_with_all = ["send_only", "recv_only"])]
    pub(super) zero: bool,
}

impl BytesArgs {
    pub(super) fn traffic(&self) -> Traffic {
        match (self.send_only, self.recv_only) {
            (true, _) => Traffic::SendOnly,
            (_, true) => Traffic::ReceiveOnly,
            _ => Traffic::Both,
        }
    }
}
