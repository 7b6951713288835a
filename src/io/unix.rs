//! Unix sockets: their names, listening, connecting.
//!
//! It promises: a file that is no socket is never removed, nor a socket at which a program listens,
//! nor one that is not ours; of several programs that begin to listen at one path at once, one
//! succeeds; a path that we made goes with the listener.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use mio::net::UnixListener;
use mio::net::UnixStream;
use rustix::fs::FlockOperation;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::flock;
use socket2::Domain;
use socket2::SockAddr;
use socket2::Socket;
use socket2::Type;

use crate::io::addr::Addr;
use crate::io::error::Error;
use crate::io::net::BACKLOG;

/// The path of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// A path.
    Path(PathBuf),
    /// A name that is nowhere in the file system (`unix(7)`, abstract; only on Linux).
    Abstract(String),
}

impl Name {
    /// `@name` is an abstract one, where there are such; a file of that name is `./@name`.
    pub fn new(text: &str) -> Name {
        match text.strip_prefix('@') {
            Some(name) if cfg!(target_os = "linux") => Name::Abstract(name.into()),
            _ => Name::Path(text.into()),
        }
    }

    /// The folder its file is in, and removed from at the end.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Name::Path(path) => match path.parent() {
                Some(folder) if folder.as_os_str().is_empty() => Some(Path::new(".")),
                folder => folder,
            },
            Name::Abstract(_) => None,
        }
    }

    fn address(&self) -> io::Result<SockAddr> {
        match self {
            Name::Path(path) => SockAddr::unix(path),
            Name::Abstract(name) => SockAddr::unix(format!("\0{name}")),
        }
    }
}

/// As it is typed.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Path(path) => path.display().fmt(f),
            Name::Abstract(name) => write!(f, "@{name}"),
        }
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct NamedListener {
    listener: UnixListener,
    name: Name,
    /// None for an abstract name.
    file: Option<File>,
}

/// A socket's file, to be told from another one at the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct File {
    device: u64,
    inode: u64,
}

impl File {
    fn at(path: &Path) -> io::Result<File> {
        let found = fs::symlink_metadata(path)?;
        Ok(File {
            device: found.dev(),
            inode: found.ino(),
        })
    }
}

impl Drop for NamedListener {
    /// Removes its file, unless another program put its own there.
    fn drop(&mut self) {
        if let (Name::Path(path), Some(file)) = (&self.name, self.file)
            && File::at(path).is_ok_and(|found| found == file)
            && let Err(error) = fs::remove_file(path)
        {
            log::warn!("remove {}: {error}", path.display());
        }
    }
}

/// Listens; a socket at which no program listens any more is replaced. The file's mode, and so the
/// umask, decides who may connect (unix(7)).
///
/// # Errors
/// The name is taken, not allowed, …
pub fn listen(name: &Name) -> Result<NamedListener, Error> {
    let told = |error| listen_error(name, &error);
    let address = name.address().map_err(told)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(told)?;
    socket.set_nonblocking(true).map_err(told)?;
    let _turn = match name {
        Name::Path(path) => Turn::take(path).map_err(|why| taken(name, why))?,
        Name::Abstract(_) => None,
    };
    let mut bound = socket.bind(&address);
    if let (Err(error), Name::Path(path)) = (&bound, name)
        && error.kind() == ErrorKind::AddrInUse
    {
        clear(path, &address).map_err(|why| taken(name, why))?;
        bound = socket.bind(&address);
    }
    bound.map_err(told)?;
    let file = match name {
        Name::Path(path) => Some(File::at(path).map_err(told)?),
        Name::Abstract(_) => None,
    };
    let listener = NamedListener {
        listener: UnixListener::from_std(OwnedFd::from(socket).into()),
        name: name.clone(),
        file,
    };
    let socket = socket2::SockRef::from(&listener.listener);
    socket.listen(BACKLOG).map_err(told)?;
    Ok(listener)
}

/// The right to look at a path and to listen there, which one process has at a time: to see that no
/// program listens, to remove the file, and to put another there are three steps, between which
/// another process could listen.
///
/// It is a lock (`flock(2)`) on a file beside the path, which is there as long as the lock is. If
/// it is left behind, it is not locked: flock(2) ends with the process.
#[derive(Debug)]
struct Turn {
    path: PathBuf,
    file: fs::File,
}

impl Turn {
    /// Waits for it, but not for a process that was stopped while it had it. None where no such
    /// file can be made; then a socket cannot be made either, or does not take turns.
    fn take(path: &Path) -> Result<Option<Turn>, &'static str> {
        const LIMIT: Duration = Duration::from_secs(2);
        const PAUSE: Duration = Duration::from_millis(2);
        let Some(name) = path.file_name() else {
            return Ok(None);
        };
        let mut lock = OsString::from(".muxnc-");
        lock.push(name);
        lock.push(".lock");
        let lock = path.with_file_name(lock);
        let end = Instant::now() + LIMIT;
        loop {
            match Turn::try_take(&lock) {
                Ok(turn) => return Ok(Some(turn)),
                // It may be that of another user.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    if fs::symlink_metadata(&lock).is_err() {
                        return Ok(None);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return Ok(None),
            }
            if Instant::now() > end {
                return Err("address already in use");
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Fails with `WouldBlock` while another process has it.
    fn try_take(lock: &Path) -> io::Result<Turn> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let flags = flags | OFlags::NONBLOCK;
        let file = rustix::fs::open(lock, flags, Mode::from_raw_mode(0o666))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let file = fs::File::from(file);
        let ours = file.metadata()?;
        // The process that had it before may have removed it meanwhile.
        let there = File::at(lock).map_err(|_| ErrorKind::WouldBlock)?;
        let same = (there.device, there.inode) == (ours.dev(), ours.ino());
        // No process that takes turns ever writes to it.
        if !same || !ours.is_file() || ours.len() > 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(Turn {
            path: lock.to_owned(),
            file,
        })
    }
}

impl Drop for Turn {
    /// Removed before it is unlocked, so that it is never another process's file.
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            log::debug!("remove {}: {error}", self.path.display());
        }
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// Removes a socket at which no program listens any more; anything else stays.
fn clear(path: &Path, address: &SockAddr) -> Result<(), &'static str> {
    let gone = |_| "it cannot be looked at";
    let metadata = fs::symlink_metadata(path).map_err(gone)?;
    if !metadata.file_type().is_socket() {
        return Err("there is something else of that name");
    }
    let found = File::at(path).map_err(gone)?;
    // connect(2) with another type of socket fails with EPROTOTYPE if the path's socket is open
    // (unix(7)), and its owner does not notice.
    let asked =
        Socket::new(Domain::UNIX, Type::DGRAM, None).and_then(|socket| socket.connect(address));
    match asked {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
        // Whether anybody listens is not known.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err("it may not be connected to");
        }
        _ => return Err("address already in use"),
    }
    match File::at(path) {
        Ok(now) if now == found => fs::remove_file(path).map_err(|_| "it cannot be replaced"),
        _ => Err("address already in use"),
    }
}

impl NamedListener {
    /// Takes a connection, if there is one.
    ///
    /// # Errors
    /// As `accept(2)`.
    pub fn accept(&self) -> io::Result<(UnixStream, Addr)> {
        let (stream, _) = self.listener.accept()?;
        let place = match credentials(&stream) {
            Some(who) => format!("unix:{} ({who})", self.name),
            None => format!("unix:{}", self.name),
        };
        Ok((stream, Addr::unix(place)))
    }

    /// What the loop waits for.
    pub fn source(&mut self) -> &mut UnixListener {
        &mut self.listener
    }

    /// Where it listens.
    pub fn name(&self) -> &Name {
        &self.name
    }
}

/// The process and user that connected: a Unix socket that connects has no address.
#[cfg(target_os = "linux")]
fn credentials(stream: &UnixStream) -> Option<String> {
    use nix::sys::socket::getsockopt;
    use nix::sys::socket::sockopt::PeerCredentials;
    let found = getsockopt(stream, PeerCredentials).ok()?;
    let (pid, uid) = (found.pid(), found.uid());
    Some(match pid {
        // Of a process that our PID namespace does not have.
        0 => format!("uid {uid}"),
        pid => format!("pid {pid}, uid {uid}"),
    })
}

#[cfg(not(target_os = "linux"))]
fn credentials(_: &UnixStream) -> Option<String> {
    None
}

/// Connects, within `limit`. The stream is non-blocking.
///
/// # Errors
/// No program listens there, or answers.
pub fn connect(name: &Name, limit: Duration) -> Result<(UnixStream, Addr), Error> {
    let told = |error| connect_error(name, &error);
    let address = name.address().map_err(told)?;
    let stream = reach(&address, limit).map_err(told)?;
    Ok((stream, Addr::unix(format!("unix:{name}"))))
}

fn reach(address: &SockAddr, limit: Duration) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // connect(2) waits for a place in the listener's queue as long as SO_SNDTIMEO says (socket(7)).
    socket.set_write_timeout(Some(limit))?;
    while let Err(error) = socket.connect(address) {
        match error.kind() {
            ErrorKind::Interrupted => {}
            ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
            _ => return Err(error),
        }
    }
    socket.set_write_timeout(None)?;
    socket.set_nonblocking(true)?;
    Ok(UnixStream::from_std(OwnedFd::from(socket).into()))
}

fn taken(name: &Name, why: &str) -> Error {
    let hint = match why {
        "address already in use" => {
            "Another program listens there: stop it or choose another path."
        }
        _ => "Only a socket at which nobody listens is replaced: choose another path.",
    };
    Error::new(format!("listen on unix:{name}"), why).hint(hint)
}

fn listen_error(name: &Name, error: &io::Error) -> Error {
    let told = Error::system(format!("listen on unix:{name}"), error);
    match error.kind() {
        ErrorKind::AddrInUse => taken(name, "address already in use"),
        ErrorKind::NotFound => told.hint("The folder must be there already."),
        ErrorKind::PermissionDenied => told.hint("You may not create anything in that folder."),
        ErrorKind::InvalidInput => told.hint("A socket's path has at most 107 bytes."),
        _ => told,
    }
}

fn connect_error(name: &Name, error: &io::Error) -> Error {
    let doing = format!("connect to unix:{name}");
    let told = Error::system(&doing, error);
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::NotFound => {
            told.hint("Nothing listens there: is the other side started, is the path right?")
        }
        ErrorKind::PermissionDenied => {
            told.hint("The socket's mode says who may connect: ask whoever listens.")
        }
        ErrorKind::TimedOut => Error::new(doing, "timed out")
            .hint("Nobody was let in in that time. (-w TIME sets how long to try.)"),
        ErrorKind::InvalidInput => told.hint("A socket's path has at most 107 bytes."),
        _ => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths_or_abstract() {
        assert_eq!(Name::new("./@a"), Name::Path("./@a".into()));
        assert_eq!(Name::new("/tmp/a").to_string(), "/tmp/a");
        if cfg!(target_os = "linux") {
            assert_eq!(Name::new("@a"), Name::Abstract("a".into()));
            assert_eq!(Name::new("@a").to_string(), "@a");
        }
    }
}
