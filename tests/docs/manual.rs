//! The manual page, the completions and the help: they are complete, and what reads them takes them.
//! (That they are what the command line would have them be is tested with what generates them, in `tools/`.)

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::support::MUXNC;
use crate::support::installed;
use crate::support::muxnc;
use crate::support::piped;

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What a command prints; it must succeed and say nothing else.
#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stderr.is_empty(),
        "{command:?}: {}\n{stderr}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_page_has_every_section_and_every_option() {
    let page = fs::read_to_string(file("docs/muxnc.1")).unwrap();
    let sections: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix(".SH "))
        .collect();
    for section in [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "EXIT STATUS",
        "SIGNALS",
        "ENVIRONMENT",
        "EXAMPLES",
        "DIFFERENCES FROM NC",
        "REPORTING BUGS",
        "AUTHORS",
        "SEE ALSO",
    ] {
        assert!(sections.contains(&section), "no section {section}");
    }
    for option in muxnc::cli::command().get_arguments() {
        if let Some(long) = option.get_long().filter(|_| !option.is_hide_set()) {
            let bold = format!("\\fB\\-\\-{}\\fR", long.replace('-', "\\-"));
            assert!(page.contains(&bold), "--{long} is not in the page");
        }
    }
}

#[test]
fn the_page_is_good_roff() {
    if !installed(&["man"]) {
        return;
    }
    let page = file("docs/muxnc.1");
    let mut man = piped("man", &["--warnings=w", "-E", "UTF-8", "-l"]);
    // "standard input" is what groff calls the page.
    let shown = output(
        man.arg(&page)
            .env("LC_ALL", "C.UTF-8")
            .env("MANWIDTH", "80"),
    );
    assert!(shown.contains("-l, --listen"), "{shown}");
    // Nothing of roff is left to be seen.
    assert!(!shown.contains("\\f"), "{shown}");
    // What apropos(1) finds.
    let shown = output(piped("lexgrog", &[]).arg(&page));
    assert!(
        shown.contains("\"muxnc - a netcat for a whole class"),
        "{shown}"
    );
}

#[test]
fn nothing_in_the_page_is_to_be_improved() {
    if !installed(&["mandoc"]) {
        return;
    }
    let linted = piped("mandoc", &["-T", "lint"])
        .arg(file("docs/muxnc.1"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&linted.stdout);
    // That a page which SEE ALSO names is not installed here is nothing to improve.
    let told: Vec<&str> = told
        .lines()
        .filter(|line| !line.contains("referenced manual not found"))
        .collect();
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn bash_completes_options_and_their_values() {
    let script = format!(
        "source '{}'
         compopt() {{ :; }} # Readline's, and not there without it.
         complete_last() {{
             COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)) COMPREPLY=()
             _muxnc muxnc \"${{@: -1}}\" \"${{@: -2:1}}\"
             printf '%s\\n' \"${{COMPREPLY[*]}}\"
         }}
         complete_last muxnc --bro
         complete_last muxnc -l --slow-peer d
         complete_last muxnc --exe
         cd /etc && complete_last muxnc -p pas",
        file("dist/completions/muxnc.bash").display()
    );
    let shown = output(&mut piped("bash", &["-c", &script]));
    // What is hidden is not offered, and a port is no file.
    assert_eq!(shown, "--broker\ndisconnect\n\npas\n");
}

#[test]
fn fish_completes_options_and_their_values() {
    if !installed(&["fish"]) {
        return;
    }
    let script = format!(
        "source '{}'; complete -C 'muxnc --bro'; complete -C 'muxnc -l --slow-peer d'",
        file("dist/completions/muxnc.fish").display()
    );
    let home = std::env::temp_dir();
    let mut fish = piped("fish", &["--no-config", "-c", &script]);
    let shown = output(fish.env("HOME", home));
    assert!(shown.starts_with("--broker\t"), "{shown}");
    assert!(shown.contains("\ndisconnect\t"), "{shown}");
}

#[test]
fn zsh_takes_its_completion() {
    if !installed(&["zsh"]) {
        return;
    }
    let directory = file("dist/completions");
    let script = format!(
        "fpath=('{}' $fpath); autoload -Uz compinit; compinit -D -u; print ${{_comps[muxnc]}}; \
         autoload +X -Uz _muxnc",
        directory.display()
    );
    let shown = output(&mut piped("zsh", &["-f", "-c", &script]));
    assert_eq!(shown, "_muxnc\n");
}

#[test]
fn the_help_leads_with_the_commands_is_grouped_and_fits() {
    for option in ["-h", "--help"] {
        let mut help = muxnc(&[option]);
        help.expect_status(0);
        let help = help.stdout.text();
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{option}: too wide: {line}");
        }
        let mut commands = help.lines().filter(|line| line.starts_with("  muxnc "));
        for begin in ["-l 3000 ", "192.0.2.7 3000 ", "-C example.org 80 "] {
            let line = commands.next().unwrap_or_default();
            assert!(line.starts_with(&format!("  muxnc {begin}")), "{line}");
        }
    }
    for option in muxnc::cli::command().get_arguments() {
        // What everybody knows comes first.
        let known = ["summary", "help", "short_version", "version", "generate"];
        let known = known.contains(&option.get_id().as_str());
        let grouped = option.is_hide_set() || option.get_help_heading().is_some();
        assert!(grouped || known, "{} is in no group", option.get_id());
    }
}

#[test]
fn the_version_is_the_same_everywhere() {
    let page = fs::read_to_string(file("docs/muxnc.1")).unwrap();
    let title = page.lines().find(|line| line.starts_with(".TH ")).unwrap();
    let [short, long] = ["-V", "--version"].map(|option| output(&mut piped(MUXNC, &[option])));
    assert_eq!(short, concat!("muxnc ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(title.contains(short.trim()), "{title}");
    assert!(long.starts_with(short.trim()), "{long}");
    let features = long.lines().nth(1).unwrap_or_default();
    let features: Vec<&str> = features.split(' ').collect();
    let expected = ["features:", "+bus", "+tls", "+web"];
    assert!(
        cfg!(not(all(feature = "bus", feature = "tls", feature = "web"))) || features == expected,
        "{long}"
    );
}

#[test]
fn the_program_has_what_is_generated_in_it() {
    for (what, path) in [
        ("man", "docs/muxnc.1"),
        ("complete-bash", "dist/completions/muxnc.bash"),
        ("complete-fish", "dist/completions/muxnc.fish"),
        ("complete-powershell", "dist/completions/_muxnc.ps1"),
        ("complete-zsh", "dist/completions/_muxnc"),
    ] {
        let said = output(&mut piped(MUXNC, &["--generate", what]));
        assert!(said == fs::read_to_string(file(path)).unwrap(), "{path}");
    }
}
