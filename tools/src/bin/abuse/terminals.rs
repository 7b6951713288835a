//! Abuse at a real terminal: rows that a peer forges, and a terminal that takes nothing.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::pty::OpenptFlags;
use rustix::termios::LocalModes;
use rustix::termios::Winsize;
use rustix::termios::tcgetattr;
use rustix::termios::tcsetwinsize;

use crate::DEADLINE;
use crate::Outcome;
use crate::forgery;
use crate::forgery::Seen;
use crate::hub::Latencies;
use crate::hub::muxnc;
use crate::hub::port_told;
use crate::hub::wait;

/// How long nothing is to appear until all is taken to be shown.
const STILL: Duration = Duration::from_millis(50);

/// Lines that are relayed while a terminal takes nothing.
const LINES: usize = 100;

/// A hub at a terminal, ended with this.
struct Seat {
    process: Child,
    port: u16,
    keyboard: File,
    tty: OwnedFd,
    /// What the hub wrote, as far as it was read.
    written: Arc<Mutex<Vec<u8>>>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Seat {
    /// A hub at a terminal of ours, or, run as nobody, at one that it may not open; it is its controlling one.
    fn start(args: &[&str], as_nobody: bool) -> Outcome<Seat> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let name = rustix::pty::ptsname(&master, Vec::new())?;
        let tty = File::options()
            .read(true)
            .write(true)
            .open(name.to_str()?)?;
        let size = Winsize {
            ws_row: forgery::ROWS,
            ws_col: forgery::COLUMNS,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size)?;
        let mut program = muxnc()?;
        let mut command = Command::new("setsid");
        command.arg("--ctty");
        if as_nobody {
            // Where it was built others may not be allowed to look.
            let copy = format!("muxnc-abuse-{}", std::process::id());
            let copy = std::env::temp_dir().join(copy);
            std::fs::copy(&program, &copy)?;
            program = copy;
            command.args([
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
            ]);
        }
        let mut process = command
            .arg(&program)
            .args(["-l", "127.0.0.1", "0", "--color", "never"])
            .args(args)
            .env("TERM", "xterm")
            .env("LC_ALL", "C.UTF-8")
            .stdin(tty.try_clone()?)
            .stdout(tty.try_clone()?)
            .stderr(Stdio::piped())
            .spawn()?;
        let mut told = BufReader::new(process.stderr.take().ok_or("no stderr")?);
        let mut line = String::new();
        told.read_line(&mut line)?;
        if as_nobody {
            std::fs::remove_file(program)?;
        }
        thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        Ok(Seat {
            port: port_told(&line)?,
            process,
            keyboard: master.into(),
            tty: tty.into(),
            written: Arc::default(),
        })
    }

    /// Reads what appears from now on.
    fn watch(&self) -> Outcome<()> {
        let (mut master, written) = (self.keyboard.try_clone()?, self.written.clone());
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = master.read(&mut buffer) {
                let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
                written.extend_from_slice(&buffer[..count]);
            }
        });
        Ok(())
    }

    /// What was written since there were so many bytes of it.
    fn since(&self, at: usize) -> Vec<u8> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written[at..].to_vec()
    }

    fn wait_for(&self, text: &str) -> Outcome<()> {
        let is_there = |bytes: &[u8]| memchr::memmem::find(bytes, text.as_bytes()).is_some();
        wait(|| Ok(is_there(&self.since(0))))
    }

    /// Waits until nothing more appears.
    fn wait_still(&self) -> Outcome<usize> {
        let (mut count, mut since) = (0, Instant::now());
        wait(|| {
            let now = self.since(0).len();
            if now != count {
                (count, since) = (now, Instant::now());
            }
            Ok(since.elapsed() >= STILL)
        })?;
        Ok(count)
    }

    fn press(&mut self, keys: &str) -> Outcome<()> {
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }

    fn join(&self) -> Outcome<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(stream)
    }
}

/// A peer says what looks as if another had said it, or the hub.
pub(crate) fn forge() -> Outcome<()> {
    println!(
        "\nRows that a peer forges at a terminal of {} columns:\n",
        forgery::COLUMNS
    );
    println!("| mode | attacks | rows | with its words | forged | the same, but not in bold |");
    println!("|---|---|---|---|---|---|");
    let mut forged = 0;
    for (name, args) in [
        ("no option", &[][..]),
        ("`--broker`", &["--broker"]),
        ("`--label always`", &["--label", "always"]),
        ("`--chat`", &["--chat"]),
    ] {
        let mut all = Seen::default();
        let attacks = forgery::attacks();
        for (attack, before) in &attacks {
            let seen = attacked(args, before)?;
            if seen.forged > 0 {
                eprintln!(
                    "abuse: {} rows were forged with {attack}, {args:?}",
                    seen.forged
                );
            }
            if seen.said == 0 {
                return Err(format!("nothing was shown of {attack}, {args:?}").into());
            }
            all += seen;
        }
        println!(
            "| {name} | {} | {} | {} | {} | {} |",
            attacks.len(),
            all.rows,
            all.said,
            all.forged,
            all.plain
        );
        forged += all.forged;
    }
    match forged {
        0 => Ok(()),
        _ => Err("a peer spoke as another".into()),
    }
}

/// What is seen of one attack.
fn attacked(args: &[&str], before: &[u8]) -> Outcome<Seen> {
    let mut seat = Seat::start(args, false)?;
    seat.watch()?;
    wait(|| {
        Ok(!tcgetattr(&seat.tty)?
            .local_modes
            .contains(LocalModes::ICANON))
    })?;
    let mut ana = seat.join()?;
    ana.write_all(b"/nick Ana\nI am Ana\n")?;
    seat.wait_for("I am Ana")?;
    let mut mallory = seat.join()?;
    mallory.write_all(b"I am not\n")?;
    seat.wait_for("I am not")?;
    if !args.contains(&"--chat") {
        // There a name is given by the operator.
        seat.press("/name 1 Ana\r")?;
    }
    ana.write_all(b"Which book?\n")?;
    seat.wait_for("Which book?")?;
    // They read what they are told.
    for peer in [&ana, &mallory] {
        let mut ear = peer.try_clone()?;
        thread::spawn(move || std::io::copy(&mut ear, &mut std::io::sink()));
    }
    let start = seat.wait_still()?;
    mallory.write_all(before)?;
    seat.wait_still()?;
    mallory.write_all(&forgery::rows())?;
    // Its line is interrupted, and goes on.
    mallory.write_all(before)?;
    seat.wait_still()?;
    ana.write_all(b"Page 12?\n")?;
    seat.wait_for("Page 12?")?;
    mallory.write_all(&forgery::rows())?;
    mallory.write_all(b"the end\n")?;
    seat.wait_for("the end")?;
    seat.wait_still()?;
    Ok(forgery::look(&seat.since(start)))
}

/// The terminal takes nothing: stopped by Ctrl-S, or another user's that nobody reads (after `su`), which
/// the hub cannot open so that a write never blocks.
pub(crate) fn stopped_terminals() -> Outcome<()> {
    stopped_terminal("its terminal is stopped (Ctrl-S)", false)?;
    let name = "nobody reads its terminal, which another user owns";
    match rustix::process::geteuid().is_root() {
        true => stopped_terminal(name, true),
        false => {
            eprintln!("abuse: left out, since only root can be another user: {name}");
            Ok(())
        }
    }
}

fn stopped_terminal(name: &str, as_nobody: bool) -> Outcome<()> {
    const FLOOD: usize = 1024;
    let mut seat = Seat::start(&["--broker"], as_nobody)?;
    let mut ana = seat.join()?;
    let bob = seat.join()?;
    let ear = ana.try_clone()?;
    thread::spawn(move || std::io::copy(&mut { ear }, &mut std::io::sink()));
    let (sender, heard) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::with_capacity(1 << 20, bob).split(b'\n') {
            if line.is_ok_and(|line| line == b"ana") {
                let _ = sender.send(Instant::now());
            }
        }
    });
    if !as_nobody {
        seat.watch()?;
        seat.press("\x13")?;
    }
    let line = [[b'w'; 1023].as_slice(), b"\n"].concat();
    for _ in 0..FLOOD {
        ana.write_all(&line)?;
    }
    let mut late = Latencies::default();
    for i in 0..=LINES {
        let said = Instant::now();
        ana.write_all(b"ana\n")?;
        let took = heard.recv_timeout(DEADLINE)?.duration_since(said);
        // The first comes behind the flood.
        if i > 0 {
            late.0.push(took);
        }
    }
    let start = Instant::now();
    let mut newcomer = seat.join()?;
    seat.press("page 12\r")?;
    let mut told = Vec::new();
    while !told.ends_with(b"page 12\n") {
        let mut byte = [0];
        newcomer.read_exact(&mut byte)?;
        told.extend(byte);
    }
    println!(
        "| {name}, after {FLOOD} KiB, `--broker` | {late} ms until another hears a line | a newcomer hears the \
         teacher after {:.1} ms |",
        start.elapsed().as_secs_f64() * 1000.0
    );
    Ok(())
}
