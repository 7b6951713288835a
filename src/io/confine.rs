//! Confinement: the rights that a process gives up for good when it has opened all it needs.
//!
//! A hub listens to strangers for hours with the rights of the user who started it. Linux can take
//! rights from it that it does not need, without any privilege (Landlock, `landlock(7)`): writing,
//! making or removing files, running programs, and reaching out over TCP. Descriptors that are
//! open, or are accepted, stay what they are. Reading is left: `/proc` is read for job control at
//! any time.
//!
//! It promises: as much of that as the kernel supports, which may be nothing; `-vv` says how much.
//! A hub that opens its records anew (SIGHUP) keeps the right to make files and write to them, in
//! their folders only; one that collects answers, the right to make, write and rename files in that
//! folder; one that is joined with other hubs, the right to connect.

use std::path::Path;

/// What is kept of it, in these folders and what is beneath them.
#[derive(Debug, Default, Clone)]
pub struct Kept<'a> {
    /// Files may be removed.
    pub removes: Option<&'a Path>,
    /// Files may be made and written.
    pub writes: Vec<&'a Path>,
    /// Files may be made, written, removed, and given other names in the same folder.
    pub renames: Option<&'a Path>,
    /// Others may be connected to over TCP.
    pub connects: bool,
}

/// Gives all of that up but what is to be `kept`.
#[cfg(target_os = "linux")]
pub fn confine(kept: &Kept<'_>) {
    match linux::confine(kept) {
        Ok(status) => log::debug!("no file is written and no program run any more: {status:?}"),
        Err(error) => log::debug!("not confined: {error}"),
    }
}

/// Nowhere but on Linux.
#[cfg(not(target_os = "linux"))]
pub fn confine(_: &Kept<'_>) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::OwnedFd;

    use landlock::ABI;
    use landlock::Access;
    use landlock::AccessFs;
    use landlock::AccessNet;
    use landlock::BitFlags;
    use landlock::PathBeneath;
    use landlock::Ruleset;
    use landlock::RulesetAttr;
    use landlock::RulesetCreatedAttr;
    use landlock::RulesetError;
    use landlock::RulesetStatus;
    use landlock::path_beneath_rules;
    use rustix::io::dup;
    use rustix::stdio::stderr;
    use rustix::stdio::stdin;
    use rustix::stdio::stdout;
    use rustix::termios::isatty;

    use super::Kept;
    use crate::io::job;

    /// The newest version of Landlock that this was written for. An older kernel does what it can.
    const VERSION: ABI = ABI::V5;

    pub(super) fn confine(kept: &Kept<'_>) -> Result<RulesetStatus, RulesetError> {
        let writing = AccessFs::WriteFile | AccessFs::MakeReg;
        let over_tcp = match kept.connects {
            true => AccessNet::BindTcp.into(),
            false => AccessNet::from_all(VERSION),
        };
        let confined = Ruleset::default()
            .handle_access(AccessFs::from_write(VERSION) | AccessFs::Execute)?
            .handle_access(over_tcp)?
            .create()?
            .add_rules(path_beneath_rules(kept.removes, AccessFs::RemoveFile))?
            .add_rules(path_beneath_rules(&kept.writes, writing))?
            .add_rules(path_beneath_rules(
                kept.renames,
                writing | AccessFs::RemoveFile,
            ))?
            .add_rules(terminals())?
            .add_rules(path_beneath_rules(controlling(), terminal_access()))?
            .restrict_self()?;
        Ok(confined.ruleset)
    }

    /// Our own terminal is opened anew, to be non-blocking for us alone, whenever it is written to,
    /// also under the name that every terminal has for its session (see [`crate::io::descriptor`]).
    fn terminals() -> impl Iterator<Item = Result<PathBeneath<OwnedFd>, RulesetError>> {
        let access = terminal_access();
        let ours = [dup(stdin()), dup(stdout()), dup(stderr())];
        let terminals = ours.into_iter().flatten().filter(|fd| isatty(fd));
        terminals.map(move |fd| Ok(PathBeneath::new(fd, access)))
    }

    /// The name that every terminal has for its session, if one of ours controls it.
    fn controlling() -> Option<&'static str> {
        let ours = [stdin(), stdout(), stderr()];
        ours.into_iter()
            .any(job::is_controlled_by)
            .then_some("/dev/tty")
    }

    fn terminal_access() -> BitFlags<AccessFs> {
        AccessFs::WriteFile | AccessFs::IoctlDev
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::net::TcpListener;
    use std::net::TcpStream;
    use std::process::Command;
    use std::thread;

    use landlock::RulesetStatus;

    use super::*;

    #[test]
    fn nothing_is_written_removed_run_or_connected_to_any_more() {
        let name = format!("muxnc-confine-{}", std::process::id());
        let [place, other, records, answers] = ["", "-other", "-records", "-answers"]
            .map(|end| std::env::temp_dir().join(format!("{name}{end}")));
        for dir in [&place, &other, &records, &answers] {
            fs::create_dir(dir).unwrap();
            fs::write(dir.join("there"), "something").unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        // A thread is confined alone.
        let status = thread::scope(|scope| {
            scope
                .spawn(|| {
                    let kept = Kept {
                        removes: Some(&place),
                        writes: vec![&records],
                        renames: Some(&answers),
                        connects: false,
                    };
                    let status = linux::confine(&kept).unwrap();
                    if status == RulesetStatus::NotEnforced {
                        return status;
                    }
                    let denied = |result: std::io::Result<()>| {
                        let error = result.expect_err("denied");
                        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
                    };
                    denied(fs::write(place.join("new"), ""));
                    denied(fs::write(place.join("there"), ""));
                    denied(fs::remove_file(other.join("there")));
                    denied(fs::create_dir(place.join("dir")));
                    denied(Command::new("true").spawn().map(drop));
                    if status == RulesetStatus::FullyEnforced {
                        denied(TcpStream::connect(addr).map(drop));
                        denied(TcpListener::bind("127.0.0.1:0").map(drop));
                    }
                    // Reading goes on, and files in the folder of `removes` may be removed.
                    assert_eq!(
                        fs::read_to_string(place.join("there")).unwrap(),
                        "something"
                    );
                    fs::remove_file(place.join("there")).unwrap();
                    // A record may be begun anew, and gone on with, and no more.
                    let append = |name| fs::File::options().append(true).create(true).open(name);
                    append(records.join("new")).unwrap();
                    append(records.join("there")).unwrap();
                    denied(fs::remove_file(records.join("there")));
                    denied(fs::rename(records.join("there"), records.join("then")));
                    denied(fs::create_dir(records.join("dir")));
                    // An answer may get a name, but not somewhere else.
                    append(answers.join("0001.txt")).unwrap();
                    fs::rename(answers.join("0001.txt"), answers.join("0001-Ana.txt")).unwrap();
                    let elsewhere = |dir: &Path| {
                        let error = fs::rename(answers.join("there"), dir.join("then"));
                        error.expect_err("denied");
                    };
                    elsewhere(&records);
                    elsewhere(&other);
                    denied(fs::create_dir(answers.join("dir")));
                    status
                })
                .join()
                .unwrap()
        });
        for dir in [&place, &other, &records, &answers] {
            fs::remove_dir_all(dir).unwrap();
        }
        if status == RulesetStatus::NotEnforced {
            eprintln!("left out: this kernel has no Landlock");
        }
    }
}
