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
    let mut command = piped(Path::new(ROOT).join("scripts/package"), &[&package]);
    command.args(["--no-build", "--fast", "--strip", "--profile", profile]);
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
            line.starts_with(mode)
                && line.ends_with(&format!(" .{file}"))
                && line.contains(" root/root ")
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
    // debsums(1) finds what was changed.
    let shown = piped("dpkg-deb", &["-I", &package, "md5sums"])
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.lines().any(|line| line.ends_with("  usr/bin/muxnc")),
        "{shown}"
    );
    // It runs from there.
    let unpacked = folder.path("unpacked");
    Process::start(&mut piped("dpkg-deb", &["-x", &package, &unpacked])).expect_status(0);
    let program = format!("{unpacked}/usr/bin/muxnc");
    Process::start(&mut piped(program, &["--version"])).expect_status(0);
}

/// What Debian expects of a package: errors and warnings. Of the hints below these some are about
/// programs in C.
#[test]
fn lintian_finds_nothing_in_the_package() {
    if !installed(&["cargo-deb", "dpkg-deb", "lintian"]) {
        return;
    }
    let folder = Folder::in_temp("lintian");
    let package = build(&folder);
    let mut lintian = piped("lintian", &["--allow-root", "--fail-on", "error,warning"]);
    let checked = lintian.arg(&package).output().unwrap();
    let told = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && told.is_empty(), "{told}");
}

/// The version of the package is that of Cargo.toml, and its newest change is told of it.
#[test]
fn the_changelog_of_the_package_begins_with_the_version() {
    let changes = fs::read_to_string(Path::new(ROOT).join("dist/debian/changelog")).unwrap();
    let newest = concat!("muxnc (", env!("CARGO_PKG_VERSION"), "-1) ");
    assert!(changes.starts_with(newest), "{changes}");
}

/// Whoever finds muxnc on crates.io reads README first, with its pictures.
#[test]
fn the_crate_holds_what_readme_links_to() {
    let mut package = piped(
        "cargo",
        &["package", "--list", "--allow-dirty", "--offline"],
    );
    let listed = package.current_dir(ROOT).output().unwrap();
    let told = String::from_utf8_lossy(&listed.stderr);
    assert!(listed.status.success(), "{told}");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let links = readme.split("](").skip(1);
    let links = links.filter_map(|rest| rest.split([')', '#']).next());
    let ours: Vec<&str> = links
        .filter(|link| !link.is_empty() && !link.contains("://"))
        .collect();
    assert!(ours.contains(&"docs/class.svg"), "{ours:?}");
    for link in ours {
        let inside = format!("{}/", link.trim_end_matches('/'));
        let is_there = |file: &str| file == link || file.starts_with(&inside);
        assert!(listed.lines().any(is_there), "{link} is not in the crate");
    }
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
