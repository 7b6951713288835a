//! Unpredictable bytes, from the kernel (random(4)).

use std::fs::File;
use std::io;
use std::io::Read;

/// So many bytes of it.
///
/// # Errors
/// The error of the system call.
pub fn bytes<const COUNT: usize>() -> io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
