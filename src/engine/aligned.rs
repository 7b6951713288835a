//! Memory that the kernel copies into, and out of, at full speed.
//!
//! [`AlignedBuffer`] owns bytes that begin where a line of the processor's cache begins. It
//! promises that they stay there, however it is moved.
//!
//! Why that matters: the kernel copies with `rep movsb`, mostly from or to the beginning of a page.
//! Large blocks of glibc's `malloc` begin 16 bytes after that of a page, behind its own note of
//! their size. On AMD's Zen a copy to an address that lies, within a page, less than 32 bytes
//! after that which it comes from takes four to five times as long: the processor takes each load
//! for one of what was stored just before, of whose address it compares the last twelve bits only.
//! So a `read` into a block as `malloc` gives it, and a `send` from one that happens to end its
//! page, are slow, and which it is depends on what was allocated before. From or to a multiple of
//! 64 bytes none of them is.

use std::ops::Deref;
use std::ops::DerefMut;

/// An [`AlignedBuffer`] begins at a multiple of this: a line of the cache.
pub const ALIGNMENT: usize = 64;

/// How far into `bytes` the first multiple of [`ALIGNMENT`] is: less than [`ALIGNMENT`].
pub fn start_of(bytes: &[u8]) -> usize {
    // It may say `usize::MAX` for "not known", but never does where a program runs.
    bytes.as_ptr().align_offset(ALIGNMENT) % ALIGNMENT
}

/// Bytes, as many as were asked for, the first of them at a multiple of [`ALIGNMENT`]. The default
/// is empty and has no memory.
#[derive(Debug, Default)]
pub struct AlignedBuffer {
    /// Never changes its length, so that it never moves.
    bytes: Vec<u8>,
    start: usize,
}

impl AlignedBuffer {
    /// So many zeros. Fresh from the system, their pages cost nothing until they are used.
    pub fn zeroed(len: usize) -> AlignedBuffer {
        let mut bytes = vec![0; len + ALIGNMENT - 1];
        let start = start_of(&bytes);
        bytes.truncate(start + len);
        AlignedBuffer { bytes, start }
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_where_a_line_of_the_cache_does_and_stays_there() {
        // Small ones come from the heap, large ones from the system: both begin anywhere.
        let buffers: Vec<AlignedBuffer> = (0..200)
            .map(|number| AlignedBuffer::zeroed(number * 37))
            .chain([
                AlignedBuffer::zeroed(64 * 1024),
                AlignedBuffer::zeroed(512 * 1024),
            ])
            .collect();
        for (number, buffer) in buffers.iter().enumerate().take(200) {
            assert_eq!(buffer.len(), number * 37);
        }
        for mut buffer in buffers {
            assert_eq!(buffer.as_ptr() as usize % ALIGNMENT, 0);
            buffer.fill(7);
            assert!(buffer.iter().all(|&byte| byte == 7));
        }
        assert!(AlignedBuffer::default().is_empty());
    }
}
