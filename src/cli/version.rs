//! What the program is: its version, the commit that it was built from, and the features it has.
//!
//! It promises: two builds of the same sources tell the same; so there is no date of a build in it.

/// What `-V` says.
pub(super) const SHORT: &str = concat!("muxnc ", env!("CARGO_PKG_VERSION"), "\n");

/// The features that a build may be without, and whether this one has them.
const FEATURES: [(&str, bool); 3] = [
    ("bus", cfg!(feature = "bus")),
    ("tls", cfg!(feature = "tls")),
    ("web", cfg!(feature = "web")),
];

/// What `--version` says: the same, the commit if `build.rs` knew it, and the features.
pub(super) fn long() -> String {
    let commit = option_env!("MUXNC_COMMIT").map(|commit| format!(" (commit {commit})"));
    let features = FEATURES.map(|(name, is_there)| match is_there {
        true => format!(" +{name}"),
        false => format!(" -{name}"),
    });
    let version = SHORT.trim_end();
    let commit = commit.unwrap_or_default();
    format!("{version}{commit}\nfeatures:{}\n", features.concat())
}
