//! A network that can be cut: a relay between a browser and a hub.

use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

/// Leads from a port of its own to another of this machine, for as long as the test runs.
pub(crate) struct Wire {
    pub(crate) port: u16,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// Nobody gets through.
    is_cut: bool,
    /// Those that are open, by their numbers, which are never reused.
    open: Vec<(usize, TcpStream)>,
    made: usize,
    /// Of connections with smaller numbers everything is lost, and neither end is told, but for so many bytes
    /// to the far end.
    first_heard: usize,
    to_come: usize,
    /// Of connections with smaller numbers everything to the far end is lost, and nothing of the rest.
    first_understood: usize,
}

impl Wire {
    pub(crate) fn to(port: u16) -> Wire {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let wire = Wire {
            port: listener.local_addr().unwrap().port(),
            shared: Arc::default(),
        };
        let shared = Arc::clone(&wire.shared);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // Where nobody listens the browser finds nobody here either.
                if let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                    join(&near, &far, &shared);
                }
            }
        });
        wire
    }

    /// Cuts every connection, in the middle of whatever it carries; until it is mended there is no other.
    pub(crate) fn cut(&self) {
        let mut shared = self.shared.lock().unwrap();
        shared.is_cut = true;
        for (_, stream) in shared.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn mend(&self) {
        self.shared.lock().unwrap().is_cut = false;
    }

    /// From now on nothing gets through the connections that there are, and neither end is told.
    pub(crate) fn silence(&self) {
        self.silence_after(0);
    }

    /// The same when so many bytes more came to the far end.
    pub(crate) fn silence_after(&self, count: usize) {
        let mut shared = self.shared.lock().unwrap();
        shared.first_heard = shared.made;
        shared.to_come = count;
    }

    /// From now on the far end hears nothing more of the connections that there are, and is heard all the same.
    pub(crate) fn silence_one_way(&self) {
        let mut shared = self.shared.lock().unwrap();
        shared.first_understood = shared.made;
    }
}

fn join(near: &TcpStream, far: &TcpStream, shared: &Arc<Mutex<Shared>>) {
    let mut all = shared.lock().unwrap();
    if all.is_cut {
        return;
    }
    let number = all.made;
    all.made += 1;
    for (from, to, is_there) in [(near, far, true), (far, near, false)] {
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        all.open.push((number, to.try_clone().unwrap()));
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            carry(&from, &to, |count| {
                let mut shared = shared.lock().unwrap();
                if is_there && number < shared.first_understood {
                    return 0;
                }
                if number >= shared.first_heard {
                    return count;
                }
                let most = if is_there { shared.to_come } else { 0 };
                let come = count.min(most);
                shared.to_come -= come;
                come
            });
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}

/// Carries as many of the bytes that were read as come through.
fn carry(mut from: &TcpStream, mut to: &TcpStream, come: impl Fn(usize) -> usize) {
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..come(count)]).is_err() {
            return;
        }
    }
}
