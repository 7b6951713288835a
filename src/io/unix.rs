//! Unix sockets: their names, listening, connecting.
//!
//! It promises: what is no socket is never removed, nor a socket at which somebody listens, nor one
//! that is not ours; a path that we made goes with the listener.

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

use mio::net::UnixListener;
use mio::net::UnixStream;
use socket2::Domain;
use socket2::SockAddr;
use socket2::Socket;
use socket2::Type;

use crate::io::addr::Addr;
use crate::io::error::Error;

/// As for TCP.
const BACKLOG: i32 = 4096;

/// What a Unix socket is called.
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
    /// Removes its file, unless somebody put another one there.
    fn drop(&mut self) {
        if let (Name::Path(path), Some(file)) = (&self.name, self.file)
            && File::at(path).is_ok_and(|found| found == file)
            && let Err(error) = fs::remove_file(path)
        {
            log::warn!("remove {}: {error}", path.display());
        }
    }
}

/// Listens; a socket at which nobody listens any more is replaced. Who may connect is decided by
/// the file's mode, and so by the umask.
///
/// # Errors
/// The name is taken, not allowed, …
pub fn listen(name: &Name) -> Result<NamedListener, Error> {
    let told = |error| listen_error(name, &error);
    let address = name.address().map_err(told)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(told)?;
    socket.set_nonblocking(true).map_err(told)?;
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

/// Removes a socket at which nobody listens any more; anything else stays.
fn clear(path: &Path, address: &SockAddr) -> Result<(), &'static str> {
    let gone = |_| "it cannot be looked at";
    let metadata = fs::symlink_metadata(path).map_err(gone)?;
    if !metadata.file_type().is_socket() {
        return Err("there is something else of that name");
    }
    let found = File::at(path).map_err(gone)?;
    // A socket of another type is told that it is of another type, if anybody has this one, and who
    // has it hears nothing of that (unix(7), EPROTOTYPE).
    let asked =
        Socket::new(Domain::UNIX, Type::DGRAM, None).and_then(|socket| socket.connect(address));
    match asked {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
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
        Ok((stream, Addr::Unix(place)))
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

/// Who connected: an address is what whoever connects has none of.
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
/// Nobody listens there, or answers.
pub fn connect(name: &Name, limit: Duration) -> Result<(UnixStream, Addr), Error> {
    let told = |error| connect_error(name, &error);
    let address = name.address().map_err(told)?;
    let stream = reach(&address, limit).map_err(told)?;
    Ok((stream, Addr::Unix(format!("unix:{name}"))))
}

fn reach(address: &SockAddr, limit: Duration) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // For a place in the queue of whoever listens it waits as it does for sending (socket(7)).
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
            .hint("Nobody was let in in that time. (-w SECS sets how long to try.)"),
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
