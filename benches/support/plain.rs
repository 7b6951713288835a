//! The baseline: the hub that is written first, with a thread for each peer and a lock around all
//! of them. It has no policy and no bound, and the slowest peer sets the pace for everybody.

use std::io;
use std::io::PipeReader;
use std::io::PipeWriter;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;

use socket2::Domain;
use socket2::Socket;
use socket2::Type;

use super::DEADLINE;
use super::Role;

/// Bytes read at once, from stdin and from a peer.
const CHUNK: usize = 256 * 1024;
const PIECE: usize = 16 * 1024;

/// As many as muxnc lets wait: fewer would wait for a second, since their SYN is dropped.
const BACKLOG: i32 = 4096;

/// Runs until it is dropped.
pub(crate) struct PlainHub {
    pub(crate) addr: SocketAddr,
    class: Arc<Class>,
    acceptor: Option<JoinHandle<()>>,
}

struct Class {
    peers: Mutex<Vec<Arc<TcpStream>>>,
    joined: Condvar,
    relay: bool,
    stdout: Option<PipeWriter>,
    ending: AtomicBool,
}

impl PlainHub {
    /// What it gathers comes out of the second pipe.
    pub(crate) fn start(role: Role) -> (PlainHub, ChildStdin, Option<ChildStdout>) {
        let listener = listen().expect("listen");
        let addr = listener.local_addr().expect("an address");
        let (stdin, input) = io::pipe().expect("make a pipe");
        let (output, stdout) = match role {
            Role::Gather => {
                let (output, stdout) = io::pipe().expect("make a pipe");
                (Some(output), Some(stdout))
            }
            Role::FanOut | Role::Tls | Role::Relay => (None, None),
        };
        let class = Arc::new(Class {
            peers: Mutex::default(),
            joined: Condvar::new(),
            relay: role == Role::Relay,
            stdout,
            ending: AtomicBool::new(false),
        });
        let everybody = Arc::clone(&class);
        thread::spawn(move || everybody.read_aloud(stdin));
        let everybody = Arc::clone(&class);
        let acceptor = thread::spawn(move || Class::accept(&everybody, &listener));
        let hub = PlainHub {
            addr,
            class,
            acceptor: Some(acceptor),
        };
        let stdout = output.map(|pipe| ChildStdout::from(OwnedFd::from(pipe)));
        (hub, ChildStdin::from(OwnedFd::from(input)), stdout)
    }

    pub(crate) fn wait_for_peers(&self, count: usize) {
        let peers = self.class.peers();
        let wait = self
            .class
            .joined
            .wait_timeout_while(peers, DEADLINE, |p| p.len() < count);
        let (peers, _) = wait.unwrap_or_else(PoisonError::into_inner);
        assert!(peers.len() >= count, "{} of {count} peers", peers.len());
    }
}

impl Drop for PlainHub {
    fn drop(&mut self) {
        self.class.ending.store(true, Ordering::Relaxed);
        // It looks when somebody comes.
        let _ = TcpStream::connect(self.addr);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for peer in self.class.peers().drain(..) {
            let _ = peer.shutdown(Shutdown::Both);
        }
    }
}

impl Class {
    fn peers(&self) -> MutexGuard<'_, Vec<Arc<TcpStream>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(class: &Arc<Class>, listener: &TcpListener) {
        for stream in listener.incoming().map_while(Result::ok) {
            if class.ending.load(Ordering::Relaxed) {
                return;
            }
            let _ = stream.set_nodelay(true);
            let stream = Arc::new(stream);
            class.peers().push(Arc::clone(&stream));
            class.joined.notify_all();
            let class = Arc::clone(class);
            let thread = thread::Builder::new().stack_size(128 * 1024);
            let started = thread.spawn(move || class.listen_to(&stream));
            started.expect("start a thread");
        }
    }

    /// stdin to everybody.
    fn read_aloud(&self, mut stdin: PipeReader) {
        let mut buffer = vec![0; CHUNK];
        while let Ok(count @ 1..) = stdin.read(&mut buffer) {
            for mut peer in self.peers().iter().map(Arc::as_ref) {
                let _ = peer.write_all(&buffer[..count]);
            }
        }
    }

    /// A peer's whole lines to the others or to stdout.
    fn listen_to(&self, own: &Arc<TcpStream>) {
        let mut lines = Vec::new();
        let mut buffer = [0; PIECE];
        while let Ok(count @ 1..) = own.as_ref().read(&mut buffer) {
            lines.extend_from_slice(&buffer[..count]);
            let Some(end) = lines.iter().rposition(|&byte| byte == b'\n') else {
                continue;
            };
            if let Some(mut stdout) = self.stdout.as_ref() {
                let _ = stdout.write_all(&lines[..=end]);
            }
            if self.relay {
                for peer in self.peers().iter().filter(|peer| !Arc::ptr_eq(peer, own)) {
                    let _ = peer.as_ref().write_all(&lines[..=end]);
                }
            }
            lines.drain(..=end);
        }
        self.peers().retain(|peer| !Arc::ptr_eq(peer, own));
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
