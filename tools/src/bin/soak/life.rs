//! What a peer does from its joining to its leaving, by chance.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use socket2::SockRef;

use crate::stream;
use crate::stream::Checker;

/// The kinds of lives.
const KINDS: [&str; 8] = [
    "speak",
    "listen",
    "file",
    "flood",
    "by bytes",
    "asleep",
    "vanish",
    "break off",
];

/// Numbers by chance (Marsaglia's xorshift), the same for the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn pause(&mut self, most: u64) {
        thread::sleep(Duration::from_millis(self.below(most)));
    }
}

/// Everybody who takes part.
pub struct Class {
    muxnc: PathBuf,
    port: u16,
    scratch: PathBuf,
    failure: Arc<Mutex<Option<String>>>,
    /// Speakers of whom the operator heard the last line.
    pub done: Arc<Mutex<HashSet<u64>>>,
    /// Lives that began, speakers that were done, lines that they heard.
    pub lives: AtomicU64,
    pub said: AtomicU64,
    pub heard: Arc<AtomicU64>,
    speakers: AtomicU64,
    kinds: [AtomicU64; KINDS.len()],
}

impl Class {
    pub fn new(
        muxnc: PathBuf,
        port: u16,
        scratch: PathBuf,
        failure: Arc<Mutex<Option<String>>>,
    ) -> Class {
        Class {
            muxnc,
            port,
            scratch,
            failure,
            done: Arc::default(),
            lives: AtomicU64::new(0),
            said: AtomicU64::new(0),
            heard: Arc::new(AtomicU64::new(0)),
            // The operator is 0.
            speakers: AtomicU64::new(1),
            kinds: Default::default(),
        }
    }

    /// One life after the other.
    pub fn live_until(&self, until: Instant, mut random: Random) {
        while Instant::now() < until && self.failure.lock().unwrap().is_none() {
            self.lives.fetch_add(1, Ordering::SeqCst);
            if let Err(error) = self.live(&mut random) {
                self.failure.lock().unwrap().get_or_insert(error);
            }
        }
    }

    /// How many lives of each kind there were.
    pub fn tally(&self) -> String {
        let counts = KINDS.iter().zip(&self.kinds);
        let counts = counts.map(|(kind, n)| format!("{kind} {}", n.load(Ordering::SeqCst)));
        counts.collect::<Vec<_>>().join(", ")
    }

    fn live(&self, random: &mut Random) -> Result<(), String> {
        let kind = random.below(KINDS.len() as u64) as usize;
        self.kinds[kind].fetch_add(1, Ordering::SeqCst);
        let speaker = self.speakers.fetch_add(1, Ordering::SeqCst);
        if KINDS[kind] == "file" {
            return self.send_file(speaker, random);
        }
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))
            .map_err(|error| format!("connect: {error}"))?;
        if KINDS[kind] == "vanish" {
            // Some with a reset, as if it had crashed.
            if random.below(2) == 0 {
                reset(stream);
            }
            return Ok(());
        }
        let stop = Arc::new(AtomicBool::new(false));
        let sleep = random.below(3) * u64::from(KINDS[kind] == "asleep");
        let ear = self.listen(&stream, sleep, stop.clone());
        let spoke = match KINDS[kind] {
            "speak" => self.speak(&mut stream, speaker, random, 40),
            "flood" => self.speak(&mut stream, speaker, random, 0),
            "by bytes" => spell(&mut stream, speaker, random).map(|()| self.done()),
            "break off" => {
                random.pause(1000);
                let fragment = vec![stream::FRAGMENT; 1 + random.below(5000) as usize];
                stream.write_all(&fragment)
            }
            _ => {
                random.pause(4000);
                Ok(())
            }
        };
        spoke.map_err(|error| format!("{speaker} was not heard: {error}"))?;
        if KINDS[kind] == "break off" {
            SockRef::from(&stream)
                .set_linger(Some(Duration::ZERO))
                .map_err(|error| error.to_string())?;
        } else {
            let _ = stream.shutdown(Shutdown::Write);
            random.pause(500);
        }
        // Whatever it was still being sent is lost with it, as it should be. (No shutdown for
        // reading: after it the kernel would not say that its window opened again.)
        stop.store(true, Ordering::SeqCst);
        drop(stream);
        ear.join().map_err(|_| String::from("an ear panicked"))?;
        Ok(())
    }

    /// Hears the others, after a sleep of so many seconds, until told to stop.
    fn listen(
        &self,
        stream: &TcpStream,
        sleep: u64,
        stop: Arc<AtomicBool>,
    ) -> thread::JoinHandle<()> {
        let (heard, failure) = (self.heard.clone(), self.failure.clone());
        let stream = stream.try_clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(sleep));
            let read = stream.map_err(|error| error.to_string());
            let read = read.and_then(|stream| {
                let until = Until { stream, stop };
                Checker::from_now_on().read(until, &heard, |_| ())
            });
            if let Err(error) = read {
                failure.lock().unwrap().get_or_insert(error);
            }
        })
    }

    fn speak(
        &self,
        stream: &mut TcpStream,
        speaker: u64,
        random: &mut Random,
        pause: u64,
    ) -> std::io::Result<()> {
        let lines = random.below(200);
        for number in 0..lines {
            stream.write_all(&stream::line(speaker, number))?;
            if pause > 0 {
                random.pause(pause);
            }
        }
        stream.write_all(&stream::end(speaker, lines))?;
        self.done();
        Ok(())
    }

    /// A participant sends a file and leaves.
    fn send_file(&self, speaker: u64, random: &mut Random) -> Result<(), String> {
        let fail = |error: std::io::Error| format!("send a file: {error}");
        let path = self.scratch.join(speaker.to_string());
        let lines = random.below(20_000);
        let mut file: Vec<u8> = (0..lines).flat_map(|n| stream::line(speaker, n)).collect();
        file.extend(stream::end(speaker, lines));
        fs::write(&path, file).map_err(fail)?;
        let mut participant = Command::new(&self.muxnc)
            .args(["127.0.0.1", &self.port.to_string()])
            .stdin(fs::File::open(&path).map_err(fail)?)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(fail)?;
        let (heard, stdout) = (self.heard.clone(), participant.stdout.take());
        let ear = thread::spawn(move || {
            Checker::from_now_on().read(stdout.expect("a pipe"), &heard, |_| ())
        });
        // It stays for as long as the hub does; when its file has arrived it may go.
        while !self.done.lock().unwrap().remove(&speaker) {
            thread::sleep(Duration::from_millis(20));
            if self.failure.lock().unwrap().is_some() {
                break;
            }
        }
        let ended = participant.try_wait().map_err(fail)?;
        let _ = participant.kill();
        participant.wait().map_err(fail)?;
        fs::remove_file(&path).map_err(fail)?;
        self.done();
        ear.join().map_err(|_| String::from("an ear panicked"))??;
        match ended {
            None => Ok(()),
            Some(status) => Err(format!("a participant ended by itself with {status}")),
        }
    }

    /// A speaker said its last line.
    fn done(&self) {
        self.said.fetch_add(1, Ordering::SeqCst);
    }
}

/// A stream that ends when somebody says so.
struct Until {
    stream: TcpStream,
    stop: Arc<AtomicBool>,
}

impl Read for Until {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stream
            .set_read_timeout(Some(Duration::from_millis(50)))?;
        while !self.stop.load(Ordering::SeqCst) {
            match self.stream.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
        Ok(0)
    }
}

/// A few lines, a byte at a time.
fn spell(stream: &mut TcpStream, speaker: u64, random: &mut Random) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let lines = 1 + random.below(5);
    let text = (0..lines).flat_map(|number| stream::line(speaker, number));
    for byte in text.chain(stream::end(speaker, lines)) {
        stream.write_all(&[byte])?;
        random.pause(5);
    }
    Ok(())
}

fn reset(stream: TcpStream) {
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}
