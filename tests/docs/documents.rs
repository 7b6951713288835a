//! All documents: each block of commands is run by a scenario, and each link leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::blocks::blocks;

/// The documents with commands, and the scenarios that run them: `Stage::new` of each is in the
/// document's module. A block of any other name is a command that is never run.
const SCENARIOS: [(&str, &[&str]); 4] = [
    (
        "README.md",
        &[
            "three", "demo", "exercise", "http", "chat", "tls", "web", "send", "receive", "collect",
        ],
    ),
    (
        "docs/GUIDE.md",
        &[
            "explain", "proxy", "download", "request", "health", "log", "unix", "free",
        ],
    ),
    ("docs/COMING-FROM.md", &["spellings", "refused"]),
    (
        "docs/TEACHING.md",
        &[
            "join", "wire", "half", "explain", "http", "server", "slow", "file", "test", "phone",
            "broker",
        ],
    ),
];

/// Whose links are looked at.
const DOCUMENTS: [&str; 14] = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/ARCHITECTURE.md",
    "docs/COMING-FROM.md",
    "docs/EVENTS.md",
    "docs/GUIDE.md",
    "docs/PERFORMANCE.md",
    "docs/RELEASING.md",
    "docs/RELIABILITY.md",
    "docs/SCALING.md",
    "docs/TEACHING.md",
    "docs/WEB.md",
];

#[test]
fn every_block_is_of_a_scenario_and_every_scenario_has_a_block() {
    for (document, scenarios) in SCENARIOS {
        let named: BTreeSet<String> = blocks(document).into_iter().map(|b| b.scenario).collect();
        let run: BTreeSet<String> = scenarios.iter().map(ToString::to_string).collect();
        assert_eq!(named, run, "{document}");
    }
}

#[test]
fn what_they_link_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in DOCUMENTS {
        let text = fs::read_to_string(root.join(document)).unwrap();
        let beside = root.join(document).parent().unwrap().to_owned();
        // Files are also named without a link.
        for span in text.split('`').skip(1).step_by(2) {
            let places = [
                "benches/", "dist/", "docs/", "scripts/", "src/", "tests/", "tools/",
            ];
            let is_file = places.iter().any(|place| span.starts_with(place)) && !span.contains(' ');
            assert!(!is_file || root.join(span).exists(), "{document}: `{span}`");
        }
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = match file {
                "" => root.join(document),
                _ => beside.join(file),
            };
            assert!(file.exists(), "{document}: {link}");
            if anchor.is_empty() {
                continue;
            }
            let text = fs::read_to_string(file).unwrap();
            let anchors = text.lines().filter(|line| line.starts_with('#'));
            let found = anchors.map(anchor_of).any(|found| found == anchor);
            assert!(found, "{document}: no heading for {link}");
        }
    }
}

/// How a heading is named in links.
fn anchor_of(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words
        .chars()
        .filter(|&c| c.is_alphanumeric() || c == ' ' || c == '-');
    kept.collect::<String>().replace(' ', "-")
}
