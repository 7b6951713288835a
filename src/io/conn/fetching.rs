//! A connection over which a file is asked for: what is wanted, its answer, and the file's bytes.
//!
//! It promises: the bytes of a file follow the same rules of readiness as those of any other write.

use std::io::IoSlice;
use std::os::fd::BorrowedFd;

use super::Conn;
use crate::engine::explain::Observed;
use crate::engine::web::fetch::Wanted;
use crate::io::stream::Fetching;
use crate::io::stream::Handed;
use crate::io::stream::Stream;

impl<S: Stream> Conn<S> {
    fn fetching(&mut self) -> Option<&mut dyn Fetching> {
        self.stream.beside()?.fetching()
    }

    /// Whether it is for a file, and not for the room.
    pub fn is_for_a_file(&mut self) -> bool {
        self.fetching().is_some()
    }

    /// What of a file the other side wants: see [`Fetching::wanted`].
    pub fn wanted(&mut self) -> Option<&Wanted> {
        self.fetching()?.wanted()
    }

    /// Answers that: see [`Fetching::answer`].
    pub fn answer(&mut self, answer: &[u8]) {
        if let Some(fetching) = self.fetching() {
            fetching.answer(answer);
            let slices = [IoSlice::new(answer)];
            self.observe(Observed::Sent(&slices, answer.len()));
        }
        // The next write reports the error.
        let _ = self.flush();
    }

    /// Hands over bytes of a file inside the kernel: see [`Fetching::send`].
    pub fn send_file(&mut self, file: BorrowedFd<'_>, at: u64, most: usize) -> Handed {
        let Some(fetching) = self.fetching() else {
            return Handed::Refused;
        };
        let handed = fetching.send(file, at, most);
        match handed {
            Handed::Bytes(count) => self.sent(count),
            Handed::Full => self.ready.write_blocked(),
            Handed::Nothing | Handed::Refused | Handed::Failed(_) => {}
        }
        handed
    }
}
