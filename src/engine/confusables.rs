//! Confusables: what a text looks like, as Unicode Technical Standard 39, section 4 defines it.
//!
//! The table is that of the crate `unicode-security`, packed by `build.rs`: there each of some six
//! thousand characters has a pointer, which the start of a program must set, wherever it was loaded,
//! whether names are asked for or not (docs/PERFORMANCE.md).
//!
//! It promises: a skeleton is the one that the crate gives.

use unicode_normalization::UnicodeNormalization;

// `CONFUSABLES`, by character: where in `PROTOTYPES` what it looks like begins, and how long that is.
include!(concat!(env!("OUT_DIR"), "/confusables.rs"));

/// The skeleton of a text: two texts that can be taken for each other have the same.
pub(super) fn skeleton(text: &str) -> impl Iterator<Item = char> {
    text.nfd().flat_map(prototype).nfd()
}

/// What a character looks like: nothing, itself, or several others.
fn prototype(letter: char) -> impl Iterator<Item = char> {
    let found = CONFUSABLES.binary_search_by_key(&letter, |&(confusable, ..)| confusable);
    let (itself, others) = match found {
        Ok(at) => {
            let (_, start, length) = CONFUSABLES[at];
            let start = usize::from(start);
            (None, &PROTOTYPES[start..start + usize::from(length)])
        }
        Err(_) => (Some(letter), ""),
    };
    itself.into_iter().chain(others.chars())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of_the_crate(text: &str) -> Vec<char> {
        unicode_security::confusable_detection::skeleton(text).collect()
    }

    #[test]
    fn a_skeleton_is_the_one_of_the_crate() {
        let mut confusables = 0;
        for letter in '\0'..=char::MAX {
            let text = letter.to_string();
            let ours: Vec<char> = skeleton(&text).collect();
            assert_eq!(ours, of_the_crate(&text), "{letter:?}");
            confusables += usize::from(ours != [letter]);
        }
        assert!(confusables > 6000, "{confusables}");
    }

    proptest! {
        #[test]
        fn of_a_text_as_well(text in any::<String>()) {
            prop_assert_eq!(skeleton(&text).collect::<Vec<_>>(), of_the_crate(&text));
        }
    }
}
