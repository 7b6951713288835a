//! What is held of an unfinished line, in blocks.
//!
//! Thousands of lines grow beside each other and are given up in any order. If each were one piece of memory, it
//! would leave a hole behind whenever it grew, and between those that stay there would be holes of every size, each
//! too small for the next: as much again as what is held. A block fits where another was.
//!
//! It promises: what it takes is at most twice as much as it holds, and at most a block more.

/// Bytes of a block that is full. One that is not has a power of two, too.
const BLOCK: usize = 4096;

/// Bytes, held in blocks. See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// All but the last are full.
    blocks: Vec<Vec<u8>>,
}

impl Held {
    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        match self.blocks.split_last() {
            Some((last, full)) => full.len() * BLOCK + last.len(),
            None => 0,
        }
    }

    /// Bytes of memory that it takes, but for the list of its blocks (less than a hundredth of a long line).
    pub(super) fn memory(&self) -> usize {
        self.blocks.iter().map(Vec::capacity).sum()
    }

    /// Appends `bytes`.
    pub(super) fn extend(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.blocks.last().is_none_or(|last| last.len() == BLOCK) {
                // One at a time: most lines need one.
                self.blocks.reserve_exact(1);
                self.blocks.push(Vec::new());
            }
            let last = self.blocks.last_mut().expect("one was begun");
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - last.len()));
            let size = (last.len() + now.len()).next_power_of_two();
            last.reserve_exact(size - last.len());
            last.extend_from_slice(now);
            bytes = later;
        }
    }

    /// All from byte `from` on, in pieces of which none is empty.
    pub(super) fn pieces(&self, from: usize) -> impl Iterator<Item = &[u8]> {
        let mut skipped = from;
        self.blocks.iter().filter_map(move |block| {
            let (before, piece) = block.split_at(skipped.min(block.len()));
            skipped -= before.len();
            (!piece.is_empty()).then_some(piece)
        })
    }

    /// Forgets all. The memory is given back if it is more than `kept` bytes.
    pub(super) fn clear(&mut self, kept: usize) {
        match &mut self.blocks[..] {
            [first] if first.capacity() <= kept => first.clear(),
            _ => self.blocks = Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_was_appended_and_takes_little_more(
            lengths in prop::collection::vec(prop_oneof![0..20usize, 0..3000usize, 0..20_000usize], 0..12),
        ) {
            let (mut held, mut expected) = (Held::default(), Vec::new());
            for (length, byte) in lengths.into_iter().zip(0..) {
                let bytes = vec![byte; length];
                held.extend(&bytes);
                expected.extend(bytes);
                prop_assert_eq!(held.len(), expected.len());
                for from in [0, 1, expected.len() / 2, expected.len()] {
                    let from = from.min(expected.len());
                    let pieces: Vec<&[u8]> = held.pieces(from).collect();
                    prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
                    prop_assert_eq!(&pieces.concat()[..], &expected[from..]);
                }
                let most = expected.len() + expected.len().min(BLOCK);
                prop_assert!(held.memory() <= most, "{} for {}", held.memory(), expected.len());
            }
            held.clear(0);
            prop_assert_eq!((held.len(), held.memory()), (0, 0));
        }
    }
}
