//! The hub that is abused, and those who do it.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use socket2::SockRef;

use crate::DEADLINE;
use crate::Outcome;

/// The program beside this one.
pub(crate) fn muxnc() -> Outcome<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("muxnc"))
}

/// A hub, ended with this.
pub(crate) struct Hub {
    pub(crate) process: Child,
    pub(crate) port: u16,
    /// Of its certificate, with `--ssl`.
    pub(crate) fingerprint: String,
    /// What one witness said, as it was shown.
    pub(crate) shown: Receiver<Instant>,
    /// Where nobody reads it.
    _stdout: Option<ChildStdout>,
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Hub {
    pub(crate) fn start(args: &[&str]) -> Outcome<Hub> {
        let mut hub = Hub::start_unread(args)?;
        let stdout = hub._stdout.take().ok_or("no stdout")?;
        let (sender, shown) = mpsc::channel();
        hub.shown = shown;
        thread::spawn(move || {
            let mut stdout = BufReader::with_capacity(1 << 20, stdout);
            let mut line = Vec::new();
            while stdout.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                if line.ends_with(b"witness\n") {
                    let _ = sender.send(Instant::now());
                }
                line.clear();
            }
        });
        Ok(hub)
    }

    /// One whose stdout nobody reads.
    pub(crate) fn start_unread(args: &[&str]) -> Outcome<Hub> {
        let mut process = Command::new(muxnc()?)
            .args(["-l", "127.0.0.1", "0"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut told = BufReader::new(process.stderr.take().ok_or("no stderr")?);
        let mut line = String::new();
        told.read_line(&mut line)?;
        let port = port_told(&line)?;
        let mut fingerprint = String::new();
        if args.contains(&"--ssl") {
            told.read_line(&mut fingerprint)?;
            let (_, groups) = fingerprint.split_once(" is ").ok_or("no fingerprint")?;
            fingerprint = groups.split(" (").next().unwrap_or_default().into();
        }
        // What else it says are warnings, for whoever runs this.
        thread::spawn(move || std::io::copy(&mut told, &mut std::io::stderr()));
        Ok(Hub {
            port,
            fingerprint,
            shown: mpsc::channel().1,
            _stdout: process.stdout.take(),
            process,
        })
    }

    pub(crate) fn join(&self) -> Outcome<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(stream)
    }

    /// Lets a peer say a line, and returns how long it took to be shown.
    pub(crate) fn expect_from(&mut self, peer: &mut TcpStream) -> Outcome<Duration> {
        let start = Instant::now();
        peer.write_all(b"witness\n")?;
        let shown = self.shown.recv_timeout(DEADLINE)?;
        Ok(shown.saturating_duration_since(start))
    }

    /// The teacher and a witness talk beside so many that send `bytes` as often as they may.
    pub(crate) fn converse(
        &self,
        lines: usize,
        count: usize,
        bytes: &[u8],
    ) -> Outcome<(Latencies, Latencies)> {
        let witness = self.join()?;
        let (mut speaker, ear) = (witness.try_clone()?, witness);
        let stop = Arc::new(AtomicBool::new(false));
        let noise = pester(self, count, bytes.to_vec(), stop.clone())?;
        let (sender, heard) = mpsc::channel();
        thread::spawn(move || {
            let mut ear = BufReader::with_capacity(1 << 20, ear);
            let mut line = Vec::new();
            while ear.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                if line.ends_with(b"teacher\n") {
                    let _ = sender.send(Instant::now());
                }
                line.clear();
            }
        });
        let mut stdin = self.process.stdin.as_ref().ok_or("no stdin")?;
        let (mut from, mut to) = (Latencies::default(), Latencies::default());
        // The first line finds everything cold.
        for i in 0..=lines {
            let start = Instant::now();
            stdin.write_all(b"teacher\n")?;
            let there = heard.recv_timeout(DEADLINE)?.duration_since(start);
            let start = Instant::now();
            speaker.write_all(b"witness\n")?;
            let back = self.shown.recv_timeout(DEADLINE)?.duration_since(start);
            if i > 0 {
                from.0.push(there);
                to.0.push(back);
            }
            thread::sleep(Duration::from_millis(10));
        }
        stop.store(true, Ordering::Relaxed);
        noise.join().map_err(|_| "a pest panicked")?;
        Ok((from, to))
    }

    /// What a file of `/proc` says of it, in KiB.
    fn memory(&self, file: &str, field: &str) -> Outcome<u64> {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.process.id()))?;
        let line = text.lines().find(|line| line.starts_with(field));
        let value = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(value.ok_or("no such field")?.parse()?)
    }

    /// Memory of its own: not its program's, of which sixteen pages come at a time.
    pub(crate) fn own_kib(&self) -> Outcome<u64> {
        self.memory("smaps_rollup", "Anonymous:")
    }

    pub(crate) fn peak_mib(&self) -> Outcome<f64> {
        Ok(self.memory("status", "VmHWM:")? as f64 / 1024.0)
    }

    pub(crate) fn descriptors(&self) -> Outcome<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.process.id()))?.count())
    }
}

/// The port in the line that tells where a hub listens.
pub(crate) fn port_told(line: &str) -> Outcome<u16> {
    let port = line.trim().rsplit(':').next().unwrap_or_default();
    Ok(port.parse().map_err(|_| format!("no port in {line:?}"))?)
}

/// How late lines were.
#[derive(Default)]
pub(crate) struct Latencies(pub(crate) Vec<Duration>);

impl std::fmt::Display for Latencies {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |share: f64| {
            let i = ((sorted.len() - 1) as f64 * share).round() as usize;
            sorted[i].as_secs_f64() * 1000.0
        };
        write!(out, "{:.2}, {:.1}, {:.1}", at(0.5), at(0.99), at(1.0))
    }
}

/// Peers that send as often as they may, and read what they hear, all from one thread.
pub(crate) fn pester(
    hub: &Hub,
    count: usize,
    bytes: Vec<u8>,
    stop: Arc<AtomicBool>,
) -> Outcome<thread::JoinHandle<()>> {
    let mut peers = (0..count)
        .map(|_| hub.join())
        .collect::<Outcome<Vec<_>>>()?;
    for peer in &peers {
        peer.set_nonblocking(true)?;
    }
    Ok(thread::spawn(move || {
        let mut unwanted = vec![0; 256 * 1024];
        // Where in its bytes each is: its lines must stay lines.
        let mut places = vec![0; peers.len()];
        while !stop.load(Ordering::Relaxed) && !peers.is_empty() {
            let mut idle = true;
            for (peer, place) in peers.iter_mut().zip(&mut places) {
                if let Ok(count) = peer.write(&bytes[*place..]) {
                    *place = (*place + count) % bytes.len();
                    idle = false;
                }
                idle &= peer.read(&mut unwanted).is_err();
            }
            if idle {
                thread::sleep(Duration::from_micros(100));
            }
        }
    }))
}

pub(crate) fn reset(stream: TcpStream) {
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

pub(crate) fn wait(mut is_so: impl FnMut() -> Outcome<bool>) -> Outcome<()> {
    let end = Instant::now() + DEADLINE;
    while !is_so()? {
        if Instant::now() > end {
            return Err("waited in vain".into());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
