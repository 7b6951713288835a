//! A standard descriptor, read and written without ever blocking and without touching its flags.
//!
//! `O_NONBLOCK` belongs to the open file description, which the shell, the rest of the pipeline and
//! the two other standard descriptors share; a program that sets it there breaks its neighbours,
//! and one that is killed cannot put it back. So a terminal, pipe or FIFO is opened a second time
//! under its own name, which makes a description of our own (a terminal of another user, as after
//! `su`, as `/dev/tty`, if it controls our session); a socket takes a flag per call; a descriptor
//! that allows neither is asked by `poll(2)` each time and given no more than surely fits; and a
//! file is simply read and written, which is never for long.
//!
//! It promises: no call blocks (a file's excepted, and that of a terminal of another user without a
//! session of its own, if it is stopped in the very moment after it was asked), and descriptors 0, 1 and 2 are left exactly as
//! they were found, also by SIGKILL (but for the size of a pipe, see [`PIPE_SIZE`]).

use std::io;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::unix::SourceFd;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::net::RecvFlags;
use rustix::net::SendFlags;
use rustix::termios::isatty;
use rustix::termios::tcgetsid;
use rustix::termios::ttyname;

use crate::io::device::Device;
use crate::io::device::Kind;
use crate::io::job;
use crate::io::wait::until_ready;

/// Bytes that surely fit into a pipe that `poll(2)` calls writable: `PIPE_BUF`, see `pipe(7)`.
const GATED_WRITE: usize = 4096;

/// The size a pipe is given, in bytes: as much as Linux allows every user (`fs.pipe-max-size`). In
/// the usual 64 KiB the two ends of a busy pipe take turns waking each other; with 1 MiB three
/// times as much goes through. It stays with the pipe and does no harm.
pub const PIPE_SIZE: usize = 1024 * 1024;

/// The two directions a standard descriptor can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Standard input.
    In,
    /// Standard output and error.
    Out,
}

/// One of the three standard descriptors, or a file that was opened beside them. See the module's
/// documentation.
#[derive(Debug)]
pub struct Descriptor {
    kind: Kind,
    access: Access,
    /// How long a file was that is read, when it was taken.
    length: u64,
    /// The room that a read needs.
    least_read: usize,
}

#[derive(Debug)]
enum Access {
    /// Through a description of our own that has `O_NONBLOCK`.
    Own(OwnedFd),
    /// With a flag in each call.
    Flag(BorrowedFd<'static>),
    /// After asking `poll(2)`.
    Gate(BorrowedFd<'static>),
    /// As it is.
    Plain(BorrowedFd<'static>),
}

impl Descriptor {
    /// Finds out what `fd` is and how to use it without blocking.
    pub fn new(fd: BorrowedFd<'static>, direction: Direction) -> Descriptor {
        let kind = kind(fd);
        if kind == Kind::Pipe {
            widen(fd);
        }
        let access = match kind {
            Kind::Terminal | Kind::Pipe => match reopen(fd, kind, direction) {
                Some(own) => Access::Own(own),
                None => Access::Gate(fd),
            },
            Kind::Socket => Access::Flag(fd),
            Kind::Waiting => Access::Gate(fd),
            Kind::File => Access::Plain(fd),
        };
        let mut descriptor = Descriptor::of(kind, access);
        if matches!(direction, Direction::In) {
            descriptor.length = descriptor.size().unwrap_or(0);
            descriptor.least_read = least_read(fd, kind);
        }
        descriptor
    }

    fn of(kind: Kind, access: Access) -> Descriptor {
        Descriptor {
            kind,
            access,
            length: 0,
            least_read: 0,
        }
    }

    /// Opens a file to write at its end.
    ///
    /// # Errors
    /// The error of the system call; `ENXIO` for a FIFO without a reader, and for a socket.
    pub fn open(path: &Path) -> io::Result<Descriptor> {
        let mut flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND;
        flags |= OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let own = rustix::fs::open(path, flags, Mode::from_raw_mode(0o666))?;
        let kind = kind(own.as_fd());
        if kind == Kind::Pipe {
            widen(own.as_fd());
        }
        Ok(Descriptor::of(kind, Access::Own(own)))
    }

    /// The descriptor of that number, to be written to.
    ///
    /// To take one by its number is unsafe code, so it is copied out of ourselves (`pidfd_getfd(2)`, from
    /// Linux 5.6 on) or opened by the name that it has in `/dev/fd`, which a socket has not.
    ///
    /// # Errors
    /// There is none (`EBADF`), or it is not open for writing.
    pub fn adopt(number: u32) -> io::Result<Descriptor> {
        if !was_left_open(number) {
            return Err(rustix::io::Errno::BADF.into());
        }
        let Some(own) = copy_of_our_own(number)? else {
            let path = format!("/dev/fd/{number}");
            return Descriptor::open(Path::new(&path));
        };
        let mode = rustix::fs::fcntl_getfl(&own)? & OFlags::RWMODE;
        if mode == OFlags::RDONLY {
            return Err(rustix::io::Errno::BADF.into());
        }
        // It is open until the end, and is only once.
        let own: &'static OwnedFd = Box::leak(Box::new(own));
        Ok(Descriptor::new(own.as_fd(), Direction::Out))
    }

    /// Registers it. `Ok(false)`: it cannot be polled, and is always ready.
    ///
    /// # Errors
    /// Any other refusal of the system.
    pub fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<bool> {
        if self.kind == Kind::File {
            return Ok(false);
        }
        let fd = self.as_fd().as_raw_fd();
        match registry.register(&mut SourceFd(&fd), token, interest) {
            Ok(()) => Ok(true),
            // epoll_ctl(2): EPERM, "the target file does not support epoll".
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                if let Access::Gate(fd) | Access::Flag(fd) = self.access {
                    self.access = Access::Plain(fd);
                }
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether both are one terminal: the same device, or each the one that controls our session,
    /// which `/dev/tty` names too.
    pub fn is_same_terminal(&self, other: BorrowedFd<'_>) -> bool {
        if self.kind != Kind::Terminal || !isatty(other) {
            return false;
        }
        let device = |fd| rustix::fs::fstat(fd).map(|stat| stat.st_rdev);
        let (ours, theirs) = (self.as_fd(), other);
        let same = matches!((device(ours), device(theirs)), (Ok(a), Ok(b)) if a == b);
        same || (tcgetsid(ours).is_ok() && tcgetsid(theirs).is_ok())
    }

    /// Empties it, if it is a regular file.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn empty(&self) -> io::Result<()> {
        match self.size() {
            Some(_) => Ok(rustix::fs::ftruncate(self, 0)?),
            None => Ok(()),
        }
    }

    /// How long it is, if it is a regular file.
    fn size(&self) -> Option<u64> {
        let stat = rustix::fs::fstat(self).ok()?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        u64::try_from(stat.st_size).ok().filter(|_| is_file)
    }

    /// Waits until it takes bytes, or for `limit`.
    pub fn wait_writable(&self, limit: Duration) {
        let fd = self.as_fd();
        // Whatever it says, the next write will say it better.
        let _ = until_ready(&mut [PollFd::new(&fd, PollFlags::OUT)], limit);
    }
}

impl Device for Descriptor {
    fn kind(&self) -> Kind {
        self.kind
    }

    // `WouldBlock` also for a terminal that belongs to another job: reading it would stop this one
    // (SIGTTIN, credentials(7)).
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.kind == Kind::Terminal && job::is_elsewhere(self.as_fd()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = match &self.access {
            Access::Flag(fd) => rustix::net::recv(fd, buffer, RecvFlags::DONTWAIT)?.0,
            Access::Gate(fd) => {
                gate(*fd, PollFlags::IN)?;
                rustix::io::read(fd, buffer)?
            }
            Access::Own(_) | Access::Plain(_) => rustix::io::read(self.as_fd(), buffer)?,
        };
        Ok(count)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let count = match &self.access {
            // Without `NOSIGNAL`, which macOS does not have: every Rust program ignores SIGPIPE.
            Access::Flag(fd) => rustix::net::send(fd, bytes, SendFlags::DONTWAIT)?,
            Access::Gate(fd) => {
                gate(*fd, PollFlags::OUT)?;
                let surely = match self.kind {
                    Kind::Terminal => return write_each(*fd, bytes),
                    _ => bytes.len().min(GATED_WRITE),
                };
                rustix::io::write(fd, &bytes[..surely])?
            }
            Access::Own(_) | Access::Plain(_) => rustix::io::write(self.as_fd(), bytes)?,
        };
        Ok(count)
    }

    fn is_hung_up(&self) -> bool {
        let fd = self.as_fd();
        let mut fds = [PollFd::new(&fd, PollFlags::empty())];
        until_ready(&mut fds, Duration::ZERO).is_ok() && fds[0].revents().contains(PollFlags::HUP)
    }

    fn remaining(&self) -> Option<u64> {
        let size = self.size()?.max(self.length);
        let at = rustix::fs::tell(self.as_fd()).ok()?;
        Some(size.saturating_sub(at))
    }

    fn is_cut_short(&self) -> bool {
        let size = self.size().unwrap_or(0);
        let at = rustix::fs::tell(self.as_fd()).unwrap_or(0);
        // One that ends before its own size was not cut: a file of sysfs(5) is as long as a page.
        size < self.length && at < self.length
    }

    fn least_read(&self) -> usize {
        self.least_read
    }

    fn close(&mut self) {
        // Descriptor 1 itself stays taken, so that no file opened later is mistaken for it.
        if let Ok(nothing) = rustix::fs::open("/dev/null", OFlags::WRONLY, Mode::empty()) {
            let _ = rustix::stdio::dup2_stdout(nothing);
        }
        self.access = Access::Plain(rustix::stdio::stdout());
        self.kind = Kind::File;
    }
}

impl AsFd for Descriptor {
    /// The descriptor that is really used.
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.access {
            Access::Own(own) => own.as_fd(),
            Access::Flag(fd) | Access::Gate(fd) | Access::Plain(fd) => *fd,
        }
    }
}

/// A copy of the descriptor of that number; none if the system makes none.
#[cfg(target_os = "linux")]
fn copy_of_our_own(number: u32) -> io::Result<Option<OwnedFd>> {
    use rustix::process::PidfdFlags;
    use rustix::process::PidfdGetfdFlags;
    use rustix::process::getpid;
    use rustix::process::pidfd_getfd;
    use rustix::process::pidfd_open;

    let number = i32::try_from(number).map_err(|_| rustix::io::Errno::BADF)?;
    let ours = pidfd_open(getpid(), PidfdFlags::empty());
    match ours.and_then(|ours| pidfd_getfd(ours, number, PidfdGetfdFlags::empty())) {
        Ok(copy) => Ok(Some(copy)),
        Err(error @ rustix::io::Errno::BADF) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Whether the program that started us can have left that descriptor open: those that we open
/// ourselves are closed when a program is executed (`O_CLOEXEC`, proc_pid_fdinfo(5)). Without `/proc`
/// that is not known.
#[cfg(target_os = "linux")]
fn was_left_open(number: u32) -> bool {
    let folder = Path::new("/proc/self/fdinfo");
    let Ok(info) = std::fs::read_to_string(folder.join(number.to_string())) else {
        return !folder.exists();
    };
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_none_or(|flags| flags & OFlags::CLOEXEC.bits() == 0)
}

/// The same where the system does not tell.
#[cfg(not(target_os = "linux"))]
fn was_left_open(_: u32) -> bool {
    true
}

/// The same where the system cannot.
#[cfg(not(target_os = "linux"))]
fn copy_of_our_own(_: u32) -> io::Result<Option<OwnedFd>> {
    Ok(None)
}

/// Fails with `WouldBlock` where a call would block.
pub(super) fn gate(fd: BorrowedFd<'_>, wanted: PollFlags) -> io::Result<()> {
    let mut fds = [PollFd::new(&fd, wanted)];
    match until_ready(&mut fds, Duration::ZERO)? {
        // An error or a hang-up counts as ready: the call itself will tell.
        0 => Err(ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

/// Writes to a terminal that said that something fits. That is one byte: how much more there is room
/// for it does not tell.
fn write_each(terminal: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let mut count = 0;
    for byte in bytes.chunks(1).take(GATED_WRITE) {
        if count > 0 && gate(terminal, PollFlags::OUT).is_err() {
            break;
        }
        match rustix::io::write(terminal, byte) {
            Ok(written) => count += written,
            Err(error) if count == 0 => return Err(error.into()),
            // The next write will say it again.
            Err(_) => break,
        }
    }
    Ok(count)
}

fn kind(fd: BorrowedFd<'_>) -> Kind {
    if isatty(fd) {
        return Kind::Terminal;
    }
    match rustix::fs::fstat(fd).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Ok(FileType::Fifo) => Kind::Pipe,
        Ok(FileType::Socket) => Kind::Socket,
        // What has no name, as an eventfd, has no type either.
        Ok(FileType::CharacterDevice | FileType::Unknown) if can_be_waited_for(fd) => Kind::Waiting,
        _ => Kind::File,
    }
}

/// Whether a device tells when it is ready. epoll_ctl(2): EPERM, "the target file does not support epoll".
#[cfg(target_os = "linux")]
fn can_be_waited_for(fd: BorrowedFd<'_>) -> bool {
    use rustix::event::epoll;

    let poll = epoll::create(epoll::CreateFlags::CLOEXEC);
    poll.is_ok_and(|poll| {
        let data = epoll::EventData::new_u64(0);
        epoll::add(&poll, fd, data, epoll::EventFlags::IN).is_ok()
    })
}

/// The same where `/dev/null` is said to tell it.
#[cfg(not(target_os = "linux"))]
fn can_be_waited_for(_: BorrowedFd<'_>) -> bool {
    false
}

/// The room that a read of an input needs. A pipe may be in packet mode, which only its writer can know (pipe(2),
/// `O_DIRECT`); a socket may be one of messages, a file be read around the kernel's memory (open(2), the same), and a
/// device have records (`/dev/kmsg`).
fn least_read(fd: BorrowedFd<'_>, kind: Kind) -> usize {
    let is_in_pieces = match kind {
        Kind::Terminal => false,
        Kind::Pipe => return PACKET,
        Kind::Socket => {
            let kind = rustix::net::sockopt::socket_type(fd);
            kind.is_ok_and(|kind| kind != rustix::net::SocketType::STREAM)
        }
        Kind::Waiting => true,
        Kind::File => {
            let flags = rustix::fs::fcntl_getfl(fd);
            let stat = rustix::fs::fstat(fd);
            let file = stat.map(|stat| FileType::from_raw_mode(stat.st_mode));
            flags.is_ok_and(|flags| flags.intersects(UNBUFFERED))
                || file == Ok(FileType::CharacterDevice)
        }
    };
    match is_in_pieces {
        true => usize::MAX,
        false => 0,
    }
}

/// The longest packet of a pipe: `PIPE_BUF`.
const PACKET: usize = 4096;

/// `O_DIRECT`, where the system has it.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const UNBUFFERED: OFlags = OFlags::DIRECT;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const UNBUFFERED: OFlags = OFlags::empty();

/// Makes a pipe larger. That it may not be is no error: it works all the same.
fn widen(pipe: BorrowedFd<'_>) {
    #[cfg(target_os = "linux")]
    if rustix::pipe::fcntl_getpipe_size(pipe).is_ok_and(|size| size < PIPE_SIZE) {
        let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_SIZE);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = pipe;
}

/// A description of our own for what `fd` names; none if it has no name we may open.
fn reopen(fd: BorrowedFd<'_>, kind: Kind, direction: Direction) -> Option<OwnedFd> {
    let mode = match direction {
        Direction::In => OFlags::RDONLY,
        Direction::Out => OFlags::WRONLY,
    };
    let flags = mode | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match kind {
        Kind::Terminal => {
            let named = ttyname(fd, Vec::new()).ok();
            let own = named.and_then(|name| rustix::fs::open(name, flags, Mode::empty()).ok());
            return own.or_else(|| match job::is_controlled_by(fd) {
                true => rustix::fs::open("/dev/tty", flags, Mode::empty()).ok(),
                false => None,
            });
        }
        // Linux has a name for every descriptor. Elsewhere such a name is a mere duplicate.
        Kind::Pipe if cfg!(target_os = "linux") => {
            let name = format!("/proc/self/fd/{}", fd.as_raw_fd());
            rustix::fs::open(name, flags, Mode::empty())
        }
        _ => return None,
    }
    .ok()
}
