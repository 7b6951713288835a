//! The flags of descriptors 0, 1 and 2 belong to everybody who shares them.

use std::fs::File;
use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

use rustix::fs::OFlags;
use rustix::fs::fcntl_getfl;
use rustix::process::Signal;
use rustix::termios::tcgetattr;

use crate::stdio::expect_rest;
use crate::stdio::fifo;
use crate::support::Folder;
use crate::support::MUXNC;
use crate::support::Process;
use crate::support::Server;
use crate::support::connect_soon;
use crate::support::pty;
use crate::support::reserved_port;

/// Three descriptors whose descriptions the test shares with the program.
struct Streams {
    name: &'static str,
    fds: [OwnedFd; 3],
    /// What must stay open for them to work.
    _others: Vec<OwnedFd>,
}

fn every_kind(folder: &Folder) -> Vec<Streams> {
    let (stdin, keeps_stdin) = std::io::pipe().unwrap();
    let (keeps_stdout, stdout) = std::io::pipe().unwrap();
    let (keeps_stderr, stderr) = std::io::pipe().unwrap();
    let pipes = Streams {
        name: "pipes",
        fds: [stdin.into(), stdout.into(), stderr.into()],
        _others: vec![keeps_stdin.into(), keeps_stdout.into(), keeps_stderr.into()],
    };
    let three = |fd: OwnedFd| [fd.try_clone().unwrap(), fd.try_clone().unwrap(), fd];
    let (ours, theirs) = UnixStream::pair().unwrap();
    let socket = Streams {
        name: "a socket",
        fds: three(theirs.into()),
        _others: vec![ours.into()],
    };
    let (master, slave) = pty();
    let terminal = Streams {
        name: "a terminal",
        fds: three(slave),
        _others: vec![master.into()],
    };
    let [fifo_in, fifo_out] = ["fifo-in", "fifo-out"].map(|name| {
        let path = folder.0.join(name);
        fifo(&path);
        let both = OpenOptions::new().read(true).write(true).open(path);
        OwnedFd::from(both.unwrap())
    });
    let fifos = Streams {
        name: "FIFOs",
        fds: [fifo_in, fifo_out.try_clone().unwrap(), fifo_out],
        _others: vec![],
    };
    let out = OwnedFd::from(File::create(folder.0.join("out")).unwrap());
    let input = File::open(folder.0.join("out")).unwrap();
    let files = Streams {
        name: "files",
        fds: [input.into(), out.try_clone().unwrap(), out],
        _others: vec![],
    };
    vec![pipes, socket, terminal, fifos, files]
}

/// While it runs, after it was killed without a chance to clean up, and after a proper end.
#[test]
fn descriptors_are_left_as_they_were_found() {
    let folder = Folder::in_temp("flags");
    for Streams { name, fds, _others } in every_kind(&folder) {
        let flags = || fds.each_ref().map(|fd| fcntl_getfl(fd).unwrap());
        let modes = || tcgetattr(&fds[0]).map(|modes| format!("{modes:?}")).ok();
        let before = (flags(), modes());
        assert!(!before.0[0].contains(OFlags::NONBLOCK));
        for killed in [true, false] {
            let server = Server::new();
            let mut command = Command::new(MUXNC);
            command
                // A pipe is sent to its end, and here nobody will end it.
                .args(server.args(&["-vvv", "--no-edit", "-i", "2s"]))
                .stdin(fds[0].try_clone().unwrap())
                .stdout(fds[1].try_clone().unwrap())
                .stderr(fds[2].try_clone().unwrap());
            let mut participant = Process::start(&mut command);
            let stream = server.accept();

            let (_reserved, port) = reserved_port();
            let mut command = Command::new(MUXNC);
            command
                .args(["-l", &port.to_string(), "-vvv", "--no-edit"])
                .stdin(fds[0].try_clone().unwrap())
                .stdout(fds[1].try_clone().unwrap())
                .stderr(fds[2].try_clone().unwrap());
            let mut hub = Process::start(&mut command);
            let peer = connect_soon(port);

            // By then each has set itself up and looked for input.
            expect_rest(&hub);
            expect_rest(&participant);
            assert_eq!((flags(), modes()), before, "{name} in use");
            if killed {
                hub.signal(Signal::KILL);
                participant.signal(Signal::KILL);
                participant.wait();
            } else {
                drop(stream);
                participant.wait();
                hub.signal(Signal::TERM);
            }
            hub.wait();
            assert_eq!((flags(), modes()), before, "{name} after use");
            drop(peer);
        }
    }
}
