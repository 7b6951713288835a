//! What the other side does, and what it got.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::plan::Server;
use crate::rule::A_LITTLE;
use crate::rule::ANSWER;
use crate::rule::MUCH;
use crate::stream::Stream;

/// Between two reads of whoever reads slowly: about 5 MB in a second.
pub(crate) const SLOWNESS: Duration = Duration::from_millis(12);

/// When whoever is late begins to read: less than -i and -q give.
const LATENESS: Duration = Duration::from_millis(800);

/// Bytes compared with those that were expected, as they come.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    expected: Arc<Vec<u8>>,
    pub(crate) count: usize,
    /// The first that was another one, or too many.
    pub(crate) wrong: Option<usize>,
}

impl Checked {
    pub(crate) fn new(expected: &Arc<Vec<u8>>) -> Checked {
        Checked {
            expected: expected.clone(),
            count: 0,
            wrong: None,
        }
    }

    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let end = self.count + bytes.len();
        let all = self.expected.len();
        let expected = &self.expected[self.count.min(all)..end.min(all)];
        if self.wrong.is_none() && expected != bytes {
            let differs = expected.iter().zip(bytes).position(|(a, b)| a != b);
            self.wrong = Some(self.count + differs.unwrap_or(expected.len()));
        }
        self.count = end;
    }
}

/// What the other side did.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) input: Checked,
    /// So many bytes were said, or given to the kernel at least.
    pub(crate) said: usize,
    /// What went wrong at last, if something did.
    pub(crate) error: Option<String>,
}

/// What both sides expect, and whether muxnc is gone.
pub(crate) struct Talk {
    pub(crate) input: Arc<Vec<u8>>,
    pub(crate) output: Arc<Vec<u8>>,
    pub(crate) over: Arc<AtomicBool>,
}

impl Talk {
    /// Does what this server does, to its end.
    pub(crate) fn serve(&self, server: Server, mut stream: Stream) -> Heard {
        let mut side = Side {
            heard: Heard {
                input: Checked::new(&self.input),
                said: 0,
                error: None,
            },
            talk: self,
        };
        match server {
            Server::ReadsAll => {
                side.read(&mut stream, usize::MAX, Duration::ZERO);
                side.say(&mut stream, ANSWER);
                stream.close();
            }
            Server::HalfSlow | Server::HalfLate | Server::HalfStays => {
                side.say(&mut stream, ANSWER);
                stream.end();
                if server == Server::HalfLate {
                    thread::sleep(LATENESS);
                }
                let pause = match server {
                    Server::HalfSlow => SLOWNESS,
                    _ => Duration::ZERO,
                };
                side.read(&mut stream, usize::MAX, pause);
                if server == Server::HalfStays {
                    side.wait_over();
                }
                stream.close();
            }
            Server::Resets => {
                side.read(&mut stream, A_LITTLE, Duration::ZERO);
                stream.reset();
            }
            Server::ClosesUnread => {
                side.say(&mut stream, ANSWER);
                if side.read(&mut stream, A_LITTLE, Duration::ZERO) {
                    stream.wait_unread();
                }
                stream.close();
            }
            Server::NeverReads => {
                side.wait_over();
                // Only to see what its kernel has.
                side.read(&mut stream, usize::MAX, Duration::ZERO);
                stream.close();
            }
            Server::SaysMuch => {
                side.say(&mut stream, MUCH);
                stream.close();
            }
            Server::Echoes => {
                let mut buffer = vec![0; 64 * 1024];
                while let Some(count) = side.hear(&mut stream, &mut buffer) {
                    if let Err(error) = stream.write_all(&buffer[..count]) {
                        side.heard.error = Some(format!("write: {error}"));
                        break;
                    }
                    side.heard.said += count;
                }
                stream.close();
            }
        }
        side.heard
    }
}

/// The other side while it is at it.
struct Side<'a> {
    heard: Heard,
    talk: &'a Talk,
}

impl Side<'_> {
    /// Reads something; nothing if there is nothing more.
    fn hear(&mut self, stream: &mut Stream, buffer: &mut [u8]) -> Option<usize> {
        match stream.read(buffer) {
            Ok(0) => None,
            Ok(count) => {
                self.heard.input.take(&buffer[..count]);
                Some(count)
            }
            Err(error) => {
                self.heard.error = Some(format!("read: {error}"));
                None
            }
        }
    }

    /// Reads to the end or so far; whether it came so far.
    fn read(&mut self, stream: &mut Stream, limit: usize, pause: Duration) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        while self.heard.input.count < limit {
            let most = buffer.len().min(limit - self.heard.input.count);
            if self.hear(stream, &mut buffer[..most]).is_none() {
                return false;
            }
            if !pause.is_zero() {
                thread::sleep(pause);
            }
        }
        true
    }

    /// Says so much.
    fn say(&mut self, stream: &mut Stream, count: usize) {
        for bytes in self.talk.output[..count].chunks(64 * 1024) {
            if let Err(error) = stream.write_all(bytes) {
                self.heard.error = Some(format!("write: {error}"));
                return;
            }
            self.heard.said += bytes.len();
        }
    }

    fn wait_over(&self) {
        while !self.talk.over.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
        }
    }
}
