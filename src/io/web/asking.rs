//! Asking: reading a request in HTTP until it is whole, and telling a refusal in HTTP.
//!
//! It promises: at most [`MAX_HEAD`] bytes of it are kept.

use std::io::ErrorKind;

use crate::engine::admit::AdmissionError;
use crate::engine::explain::Observed;
use crate::engine::explain::Witness;
use crate::engine::web::answer;
use crate::engine::web::answer::Status;
use crate::engine::web::request::MAX_HEAD;
use crate::engine::web::request::is_head;
use crate::io::stream::Handshake;
use crate::io::stream::Received;
use crate::io::stream::Refusal;
use crate::io::stream::Stream;

/// A request as far as it has come. See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Asking {
    head: Vec<u8>,
    /// What the stream below agreed on was told.
    has_agreed: bool,
}

/// The result of reading on.
#[derive(Debug)]
pub(super) enum Asked<T> {
    /// It is whole, and this is wanted.
    For(T),
    /// It is refused.
    Refused(answer::Refusal),
    /// It is not whole, and what that means.
    NotYet(Handshake),
}

impl Asking {
    /// Whether only the head of the answer is asked for.
    pub(super) fn is_head(&self) -> bool {
        is_head(&self.head)
    }

    /// Reads on over a stream whose own handshake comes first, until the request is `understood`.
    pub(super) fn read_on<T>(
        &mut self,
        under: &mut impl Stream,
        witness: &mut dyn Witness,
        understand: impl Fn(&[u8]) -> Result<Option<T>, answer::Refusal>,
    ) -> Asked<T> {
        match under.handshake(witness) {
            Handshake::Done => {}
            Handshake::Failed(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Asked::NotYet(Handshake::Left);
            }
            other => return Asked::NotYet(other),
        }
        let Asking { head, has_agreed } = self;
        if !std::mem::replace(has_agreed, true) && witness.is_interested() {
            for agreement in under.agreements() {
                witness.observe(Observed::Agreed(&agreement));
            }
        }
        let mut buffer = [0; 1024];
        loop {
            let most = buffer.len().min(MAX_HEAD + 1 - head.len());
            let count = match under.read(&mut buffer[..most]) {
                Received::Bytes(count) => count,
                Received::Pending if head.is_empty() => return Asked::NotYet(Handshake::Silent),
                Received::Pending => return Asked::NotYet(Handshake::Pending),
                Received::Yield => return Asked::NotYet(Handshake::Begun),
                // A browser connects in advance, and needs nothing.
                end => {
                    match &end {
                        Received::Truncated(_) => witness.observe(Observed::Truncated),
                        Received::Failed(error) => witness.observe(Observed::Broke(error)),
                        _ => witness.observe(Observed::Ended),
                    }
                    return Asked::NotYet(Handshake::Left);
                }
            };
            // A byte at a time, it is not looked at from its beginning for each.
            let is_first = head.is_empty();
            head.extend_from_slice(&buffer[..count]);
            witness.observe(Observed::Received(&buffer[..count]));
            let is_line = buffer[..count].contains(&b'\n');
            if !is_first && !is_line && head.len() < MAX_HEAD {
                continue;
            }
            match understand(head) {
                Ok(None) => {}
                Ok(Some(wanted)) => return Asked::For(wanted),
                Err(refusal) => return Asked::Refused(refusal),
            }
        }
    }
}

/// How that is told in HTTP.
pub(super) fn in_http(refusal: &Refusal) -> answer::Refusal {
    let line = refusal.line();
    let sentence = line.strip_prefix("muxnc: ").unwrap_or(&line).trim_end();
    let status = match refusal {
        Refusal::Admission(
            AdmissionError::NotAllowed | AdmissionError::Locked | AdmissionError::SentAway,
        ) => Status::Forbidden,
        Refusal::Admission(AdmissionError::Full(_) | AdmissionError::FullOfHost(_)) => {
            Status::Unavailable
        }
        Refusal::NoTls => {
            return answer::Refusal::new(Status::BadRequest, "this hub is encrypted");
        }
        Refusal::NoUpgrade => Status::UpgradeRequired,
    };
    answer::Refusal::new(status, sentence.to_string())
}
