//! A digest: what bytes went one way, as one number that `sha256sum(1)` makes of them too.

use std::fmt;
use std::fmt::Write;

use sha2::Digest as _;
use sha2::Sha256;

/// The SHA-256 (FIPS 180-4) of all bytes so far, and how many they are.
#[derive(Debug, Clone, Default)]
pub struct Digest {
    hash: Sha256,
    count: u64,
}

impl Digest {
    /// These came next.
    pub fn add(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.count += bytes.len() as u64;
    }

    /// Whether nothing went that way.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The SHA-256.
    pub fn hash(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// How many bytes there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The same in words, where so many of the last bytes were not acknowledged.
    pub fn with_unacknowledged(&self, count: u64) -> String {
        let lacking = match count {
            0 => String::new(),
            1 => String::from(", of which 1 was not acknowledged"),
            _ => format!(", of which {count} were not acknowledged"),
        };
        format!(
            "{} bytes{lacking}, SHA-256 {}",
            self.count,
            hexadecimal(&self.hash())
        )
    }
}

/// A hash as `sha256sum` writes it.
pub fn hexadecimal(hash: &[u8]) -> String {
    let mut digits = String::new();
    for byte in hash {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_unacknowledged(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of FIPS 180-4, however it is cut.
    #[test]
    fn it_is_what_sha256sum_says() {
        let mut digest = Digest::default();
        assert!(digest.is_empty());
        digest.add(b"a");
        digest.add(b"");
        digest.add(b"bc");
        assert_eq!(
            digest.to_string(),
            "3 bytes, SHA-256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            digest.with_unacknowledged(2),
            digest
                .to_string()
                .replace("3 bytes", "3 bytes, of which 2 were not acknowledged")
        );
    }
}
