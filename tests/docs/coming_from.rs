//! docs/COMING-FROM.md: what is typed by those who know another netcat.

use std::collections::BTreeSet;
use std::fs;

use super::stage::Stage;

const COMING_FROM: &str = "docs/COMING-FROM.md";

#[test]
fn every_option_has_a_row_for_those_who_come_from_nc() {
    let text = fs::read_to_string(super::blocks::path(COMING_FROM)).unwrap();
    let section = text.split("\n## What is called how").nth(1).unwrap();
    let table = section.split("\n## ").next().unwrap();
    let mentioned: BTreeSet<&str> = table
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .collect();
    for option in muxnc::cli::command().get_arguments() {
        let long = option.get_long().map(|long| format!("--{long}"));
        let short = option.get_short().map(|short| format!("-{short}"));
        let names: Vec<String> = long.into_iter().chain(short).collect();
        if names.is_empty() || option.is_hide_set() || option.get_help_heading().is_none() {
            continue;
        }
        let found = names.iter().any(|name| mentioned.contains(name.as_str()));
        assert!(found, "{names:?} has no row in {COMING_FROM}");
    }
}

#[test]
fn the_spellings_of_nc_and_ncat() {
    let Some(stage) = Stage::new(COMING_FROM, "spellings", &[]) else {
        return;
    };
    let listens = ["muxnc -l -p", "muxnc -l 0.0.0.0", "muxnc -lvnp"].map(|begin| stage.next(begin));
    let join = stage.next("muxnc 192.0.2.7 3000 -v");
    for listen in listens {
        let bob = stage.sit("bob", &listen);
        bob.screen.wait_for("listening on");
        let mut alice = stage.start("alice", &join);
        alice.stderr.wait_for("connected to 192.0.2.7:3000");
        alice.type_in("Hello\n");
        bob.screen.wait_for("Hello");
        alice.end_input();
        drop(bob);
        stage.wait_not_listening(3000);
    }
}

#[test]
fn what_is_refused_and_what_to_use_instead() {
    let Some(stage) = Stage::new(COMING_FROM, "refused", &[]) else {
        return;
    };
    for begin in [
        "muxnc -X",
        "muxnc --sctp",
        "muxnc 127.0.0.1:80",
        "muxnc TCP:",
    ] {
        let typed = stage.next_shown(begin);
        let mut process = stage.start("alice", &typed.command);
        process.expect_status(2);
        let told = process.stderr.text();
        let told: Vec<&str> = told.lines().map(str::trim_start).collect();
        assert_eq!(told, typed.shown);
    }
}
