//! What a terminal shows, and what is done with keys.

use clap::Args;
use clap::ValueEnum;

use crate::engine::room::Label;

/// The options of this group.
#[derive(Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "Terminal")]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch that was typed or not"
)]
pub(super) struct TerminalArgs {
    /// Say who said it: `auto` from the second participant on
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub(super) label: When,

    /// Colour the labels: `auto` if stdout is a terminal and NO_COLOR is not set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub(super) color: When,

    /// Let the bytes of others do to the terminal what they will
    ///
    /// By default control characters and the like are shown, as ^[, not obeyed. A pipe or file
    /// always gets every byte unchanged.
    #[arg(long)]
    pub(super) raw_output: bool,

    /// Do not edit the line being typed: leave that to the terminal, as nc does
    #[arg(long)]
    pub(super) no_edit: bool,

    /// Say what begins with / like anything else
    #[arg(long)]
    pub(super) no_commands: bool,
}

impl TerminalArgs {
    pub(super) fn label(&self) -> Label {
        match self.label {
            When::Auto => Label::Auto,
            When::Always => Label::Always,
            When::Never => Label::Never,
        }
    }

    /// Whether what is shown has colours.
    pub(super) fn color(&self) -> bool {
        match self.color {
            When::Auto => terminal_has_colors(),
            When::Always => true,
            When::Never => false,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum When {
    #[default]
    Auto,
    Always,
    Never,
}

/// Whether a terminal may be given colours, unless asked otherwise (no-color.org).
fn terminal_has_colors() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    !set("NO_COLOR") && !dumb
}
