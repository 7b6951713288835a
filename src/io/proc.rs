//! What the system tells of processes, `proc(5)`.
//!
//! It promises: a file takes two reads and no more, because muxnc reads some before its first output, and
//! each read makes the start slower.

use std::fs::File;
use std::io;
use std::io::Read;

/// More than `stat` and, but for hundreds of groups, `status` have.
const USUAL: usize = 4096;

/// The text of a file of `/proc`, such as `self/status`.
///
/// # Errors
///
/// There is no `/proc`, no such process, or it is not text.
pub fn read(name: &str) -> io::Result<String> {
    let file = File::open(format!("/proc/{name}"))?;
    let mut text = String::with_capacity(USUAL);
    // Such a file says that its size is 0. With that in mind `fs::read_to_string` begins with 32 bytes
    // and takes eight reads.
    file.take(u64::MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_to_the_end() {
        if !cfg!(target_os = "linux") {
            return;
        }
        assert!(read("self/status").unwrap().ends_with('\n'));
        // Longer than it expects.
        let maps = read("self/smaps").unwrap();
        assert!(maps.len() > 2 * USUAL && maps.contains("[stack]"));
        assert!(read("self/nothing").is_err());
    }
}
