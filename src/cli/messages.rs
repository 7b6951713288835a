//! How much is said on stderr.

use clap::ArgAction;
use clap::Args;

/// The options of this group.
#[derive(Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "Messages")]
pub(super) struct MessagesArgs {
    /// Say on stderr what happens; twice or three times: in detail
    #[arg(short, long, action = ArgAction::Count)]
    pub(super) verbose: u8,

    /// Explain in plain words what happens on each connection, layer by layer, as it happens
    #[arg(long)]
    pub(super) explain: bool,

    /// Say only what went wrong
    #[arg(long, conflicts_with_all = ["verbose", "explain"])]
    pub(super) quiet: bool,
}

impl MessagesArgs {
    pub(super) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, times) => Verbosity::Verbose(times),
        }
    }
}

/// How much to say on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors.
    Quiet,
    /// Errors, warnings, and at a terminal who comes and goes.
    Normal,
    /// `-v`, `-vv`, `-vvv`.
    Verbose(u8),
}
