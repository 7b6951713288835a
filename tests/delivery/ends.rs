//! Every kind of stdin and stdout, and who is at the other end of it.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::fs::OFlags;

use crate::plan::Stdin;
use crate::plan::Stdout;
use crate::rule::A_LITTLE;
use crate::server::Checked;
use crate::server::SLOWNESS;
use crate::support::pty;

/// How long a pipe is silent that pauses: longer than any guess that it has ended, and shorter than
/// -i.
const PAUSE: Duration = Duration::from_millis(700);

/// A stdin, and what keeps it open.
pub(crate) struct Source {
    /// None if it is to be closed.
    pub(crate) stdin: Option<Stdio>,
    /// A terminal's other end: without it the terminal would hang up.
    _keyboard: Option<File>,
}

impl Source {
    fn of(stdin: impl Into<Stdio>) -> Source {
        Source {
            stdin: Some(stdin.into()),
            _keyboard: None,
        }
    }

    /// One that gives these bytes; `folder` is the case's own. Whoever writes ends by itself when
    /// nobody reads any more.
    pub(crate) fn new(kind: Stdin, bytes: &Arc<Vec<u8>>, folder: &Path) -> Source {
        match kind {
            Stdin::File => {
                let path = folder.join("stdin");
                std::fs::write(&path, &**bytes).unwrap();
                Source::of(File::open(&path).unwrap())
            }
            Stdin::Pipe | Stdin::Pausing | Stdin::Empty => {
                let (reader, writer) = std::io::pipe().unwrap();
                let pauses = kind == Stdin::Pausing;
                feed(writer, bytes, pauses.then_some(PAUSE));
                Source::of(reader)
            }
            Stdin::Fifo => {
                let (reader, first) = fifo(folder);
                let (bytes, path) = (bytes.clone(), folder.join("fifo"));
                thread::spawn(move || {
                    let mut writer = first;
                    for half in bytes.chunks(bytes.len().div_ceil(2)) {
                        if writer.write_all(half).is_err() {
                            return;
                        }
                        // The next one is there before this one leaves. If muxnc is gone, it is not
                        // waited for.
                        let mut next = OpenOptions::new();
                        next.write(true)
                            .custom_flags(OFlags::NONBLOCK.bits() as i32);
                        let Ok(next) = next.open(&path) else { return };
                        rustix::fs::fcntl_setfl(&next, OFlags::empty()).unwrap();
                        writer = next;
                    }
                });
                Source::of(reader)
            }
            Stdin::FifoLeft => {
                let (reader, mut writer) = fifo(folder);
                writer.write_all(bytes).unwrap();
                Source::of(reader)
            }
            Stdin::Null => Source::of(Stdio::null()),
            Stdin::Closed => Source {
                stdin: None,
                _keyboard: None,
            },
            Stdin::Socket => {
                let (theirs, ours) = UnixStream::pair().unwrap();
                feed(ours, bytes, None);
                Source::of(OwnedFd::from(theirs))
            }
            Stdin::Typed | Stdin::Sitting => {
                let (mut keyboard, tty) = pty();
                keyboard.write_all(bytes).unwrap();
                if kind == Stdin::Typed {
                    keyboard.write_all(b"\x04").unwrap();
                }
                Source {
                    stdin: Some(tty.into()),
                    _keyboard: Some(keyboard),
                }
            }
        }
    }
}

/// Both ends of a FIFO, opened in the order that no open waits in.
fn fifo(folder: &Path) -> (File, File) {
    let path = folder.join("fifo");
    rustix::fs::mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    let mut options = OpenOptions::new();
    options.custom_flags(OFlags::NONBLOCK.bits() as i32);
    let reader = options.read(true).open(&path).unwrap();
    // muxnc gets it as a shell opens it.
    rustix::fs::fcntl_setfl(&reader, OFlags::empty()).unwrap();
    (reader, OpenOptions::new().write(true).open(&path).unwrap())
}

/// Writes the bytes in a thread of its own, and ends; with a pause before the first of them and in
/// the middle.
pub(crate) fn feed(
    mut writer: impl Write + Send + 'static,
    bytes: &Arc<Vec<u8>>,
    pause: Option<Duration>,
) {
    if bytes.is_empty() {
        return;
    }
    let bytes = bytes.clone();
    thread::spawn(move || {
        for half in bytes.chunks(bytes.len().div_ceil(2)) {
            if let Some(pause) = pause {
                thread::sleep(pause);
            }
            // Nobody need want it: what came is compared elsewhere.
            if writer.write_all(half).is_err() {
                return;
            }
        }
    });
}

/// A stdout, and what will be known of it.
pub(crate) struct Sink {
    /// None if it is to be closed.
    pub(crate) stdout: Option<Stdio>,
    shown: Shown,
}

enum Shown {
    Unknown,
    File(File, Checked),
    Pipe(JoinHandle<Checked>),
}

impl Sink {
    /// One on which these bytes are expected.
    pub(crate) fn new(kind: Stdout, expected: &Arc<Vec<u8>>, folder: &Path) -> Sink {
        let checked = Checked::new(expected);
        let (stdout, shown) = match kind {
            Stdout::Pipe | Stdout::Slow | Stdout::Early => {
                let (reader, writer) = std::io::pipe().unwrap();
                let reader = thread::spawn(move || read(kind, reader, checked));
                (Some(writer.into()), Shown::Pipe(reader))
            }
            Stdout::Gone => (Some(std::io::pipe().unwrap().1.into()), Shown::Unknown),
            Stdout::File => {
                let path = folder.join("stdout");
                let file = File::create(&path).unwrap();
                let shown = Shown::File(File::open(&path).unwrap(), checked);
                (Some(file.into()), shown)
            }
            Stdout::Null => (Some(Stdio::null()), Shown::Unknown),
            Stdout::Closed => (None, Shown::Unknown),
            Stdout::Full => {
                let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
                (Some(full.into()), Shown::Unknown)
            }
        };
        Sink { stdout, shown }
    }

    /// What was written, when muxnc is gone.
    pub(crate) fn finish(self) -> Option<Checked> {
        match self.shown {
            Shown::Unknown => None,
            Shown::File(mut file, mut checked) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).unwrap();
                checked.take(&bytes);
                Some(checked)
            }
            Shown::Pipe(reader) => Some(reader.join().unwrap()),
        }
    }
}

fn read(kind: Stdout, mut pipe: impl Read, mut checked: Checked) -> Checked {
    let mut buffer = vec![0; 64 * 1024];
    while kind != Stdout::Early || checked.count < A_LITTLE {
        let most = match kind {
            Stdout::Early => A_LITTLE - checked.count,
            _ => buffer.len(),
        };
        match pipe.read(&mut buffer[..most]) {
            Ok(count) if count > 0 => checked.take(&buffer[..count]),
            _ => break,
        }
        if kind == Stdout::Slow {
            thread::sleep(SLOWNESS);
        }
    }
    checked
}
