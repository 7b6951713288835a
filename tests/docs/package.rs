//! The packages: what a Debian package holds, and that its hub works when systemd starts it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::support;
use crate::support::Folder;
use crate::support::Process;
use crate::support::installed;
use crate::support::piped;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The files of the package, as they are installed.
const FILES: [(&str, &str); 9] = [
    ("-rwxr-xr-x", "/usr/bin/muxnc"),
    ("-rw-r--r--", "/usr/share/man/man1/muxnc.1.gz"),
    ("-rw-r--r--", "/usr/share/bash-completion/completions/muxnc"),
    ("-rw-r--r--", "/usr/share/zsh/vendor-completions/_muxnc"),
    ("-rw-r--r--", "/usr/share/doc/muxnc/README.md"),
    ("-rw-r--r--", "/usr/share/doc/muxnc/docs/GUIDE.md"),
    ("-rw-r--r--", "/usr/share/doc/muxnc/docs/COMING-FROM.md"),
    ("-rw-r--r--", "/usr/lib/systemd/system/muxnc.service"),
    ("-rw-r--r--", "/usr/lib/systemd/system/muxnc.socket"),
];

/// The package of the program under test, in place of a release's.
#[track_caller]
fn build(folder: &Folder) -> String {
    // Each strips the program into the same file.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let package = folder.path("muxnc.deb");
    let profile = match support::MUXNC.contains("/release/") {
        true => "release",
        false => "dev",
    };
    let mut command = piped(
        "cargo",
        &[
            "deb",
            "--no-build",
            "--fast",
            "--strip",
            "--profile",
            profile,
        ],
    );
    command.current_dir(ROOT).args(["--output", &package]);
    Process::start(&mut command).expect_status(0);
    package
}

#[test]
fn a_debian_package_holds_the_program_the_manual_the_completions_and_the_units() {
    if !installed(&["cargo-deb", "dpkg-deb"]) {
        return;
    }
    let folder = Folder::in_temp("package");
    let package = build(&folder);
    let listed = piped("dpkg-deb", &["-c", &package]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    for (mode, file) in FILES {
        let found = listed.lines().any(|line| {
            line.starts_with(mode) && line.ends_with(&format!(" .{file}")) && line.contains(" 0/0 ")
        });
        assert!(found, "no {mode} {file} in\n{listed}");
    }
    let field = |name: &str| {
        let shown = piped("dpkg-deb", &["-f", &package, name]).output().unwrap();
        String::from_utf8(shown.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(field("Version"), concat!(env!("CARGO_PKG_VERSION"), "-1"));
    assert!(
        field("Depends").starts_with("libc6 "),
        "{}",
        field("Depends")
    );
    // It runs from there.
    let unpacked = folder.path("unpacked");
    Process::start(&mut piped("dpkg-deb", &["-x", &package, &unpacked])).expect_status(0);
    let program = format!("{unpacked}/usr/bin/muxnc");
    Process::start(&mut piped(program, &["--version"])).expect_status(0);
}

/// What is loaded at every start, with Rust's unwinder linked in where the linker has it.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn the_program_loads_the_c_library_and_nothing_else() {
    if !installed(&["cc", "ldd"]) {
        return;
    }
    let said = |program: &str, args: &[&str]| {
        let output = piped(program, args).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let unwinder = said("cc", &["-print-file-name=libgcc_eh.a"]);
    if !unwinder.starts_with('/') {
        eprintln!("left out: the linker has no libgcc_eh.a");
        return;
    }
    let loaded = said("ldd", &[support::MUXNC]);
    let libraries: Vec<&str> = loaded
        .lines()
        .filter_map(|line| line.split_once(" => ")?.0.trim().split('.').next())
        .collect();
    // Until glibc 2.34 it was several.
    let of_glibc = ["libc", "libdl", "libm", "libpthread", "librt"];
    let others = libraries.iter().any(|name| !of_glibc.contains(name));
    assert!(libraries.contains(&"libc") && !others, "{loaded}");
}

#[test]
fn its_hub_works_as_a_service_with_every_restriction() {
    if !installed(&["cargo-deb", "dpkg", "systemctl", "man"]) {
        return;
    }
    let folder = Folder::in_temp("service");
    let package = build(&folder);
    let script = Path::new(ROOT).join("scripts/package-check");
    let mut check = Process::start(piped(script, &[&package]).env("TMPDIR", &folder.0));
    match check.wait().code() {
        Some(0) => {}
        // Root's privileges, and more than many a container has: no failure in CI either.
        Some(77) => eprintln!("left out: {}", check.stderr.text()),
        _ => panic!("{}", check.stderr.text()),
    }
}

#[test]
fn the_units_are_valid_and_hardened() {
    if !installed(&["systemd-analyze"]) {
        return;
    }
    let folder = Folder::in_temp("units");
    let source = |name: &str| fs::read_to_string(Path::new(ROOT).join("dist/systemd").join(name));
    let service = source("muxnc.service").unwrap();
    assert!(service.contains("\nExecStart=/usr/bin/muxnc -l "));
    // The program need not be installed for that.
    let service = service.replace("/usr/bin/muxnc", support::MUXNC);
    fs::write(folder.0.join("muxnc.service"), service).unwrap();
    fs::write(
        folder.0.join("muxnc.socket"),
        source("muxnc.socket").unwrap(),
    )
    .unwrap();
    let units = [folder.path("muxnc.service"), folder.path("muxnc.socket")];
    verify(&units);

    // Of 100: the lower, the fewer ways there are out of it.
    let security = ["security", "--offline=true", "--threshold=10", &units[0]];
    let mut command: Command = piped("systemd-analyze", &security);
    let checked = command.output().unwrap();
    let shown = String::from_utf8_lossy(&checked.stdout);
    let shown = shown.lines().last().unwrap_or_default();
    assert!(checked.status.success(), "{shown}");

    // The same where it is joined with others.
    let beside = folder.0.join("muxnc.service.d");
    fs::create_dir(&beside).unwrap();
    fs::write(beside.join("bus.conf"), source("bus.conf").unwrap()).unwrap();
    verify(&units);
}

fn verify(units: &[String; 2]) {
    let verify = ["verify", "--man=no", &units[0], &units[1]];
    let verified = piped("systemd-analyze", &verify).output().unwrap();
    let told = String::from_utf8_lossy(&verified.stderr);
    let ours: Vec<&str> = told.lines().filter(|line| line.contains("muxnc")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}
