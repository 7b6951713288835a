//! Names: who is called what, and that no two of them can be taken for each other.
//!
//! It promises: at any time every name has one owner, and no two names look alike; a name is found in
//! the same time however many there are.

use std::collections::HashMap;
use std::fmt;

/// What the operator is called if not said otherwise.
pub const HOST: &str = "host";

/// Names that no participant may have, whatever the operator is called.
const RESERVED: [(&str, Owner); 2] = [(HOST, Owner::Operator), ("muxnc", Owner::Program)];

/// What a participant is called until it has a name is this and its number.
const DEFAULT: &str = "user";

/// The longest name, in characters.
pub const MAX_NAME: usize = 16;

/// Whose a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Nobody's, and nobody may have it.
    Program,
    /// The operator's.
    Operator,
    /// That of the member with that key.
    Member(usize),
}

/// Who is called what. See the module's documentation.
#[derive(Debug)]
pub struct Names {
    /// Whose the names are that were given or taken, by what [`fold`] makes of them.
    owners: HashMap<String, Owner>,
}

/// Why somebody cannot have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// It is not what a name may be.
    NoName,
    /// It is somebody else's, or looks like it.
    Taken,
    /// It would not be another name.
    Same,
    /// Nothing goes from participant to participant just now, so names do not either.
    Quiet,
}

impl fmt::Display for NameError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::NoName => {
                write!(out, "1 to {MAX_NAME} letters, digits, - _ . with a letter")
            }
            NameError::Taken => out.write_str("that is taken, or looks like another's name"),
            NameError::Same => out.write_str("that is the name already"),
            NameError::Quiet => out.write_str("names stay while nobody hears the others"),
        }
    }
}

impl Names {
    /// Those of a chat whose operator has this name, [`is_free_for_host`].
    pub fn of_chat(host: &str) -> Names {
        let reserved = RESERVED.map(|(name, owner)| (fold(name), owner));
        let mut owners = HashMap::from(reserved);
        owners.insert(fold(host), Owner::Operator);
        Names { owners }
    }

    /// The member with that key and number is called so until it has a name.
    pub fn join(&mut self, key: usize, number: u32) -> String {
        let name = default_name(number);
        self.owners.insert(fold(&name), Owner::Member(key));
        name
    }

    /// Whether the member with that key and number, which is called `old`, may be called `new`; from
    /// now on it is.
    ///
    /// # Errors
    /// Why it may not.
    pub fn rename(
        &mut self,
        key: usize,
        number: u32,
        old: &str,
        new: &str,
    ) -> Result<(), NameError> {
        if !has_letter(new) {
            return Err(NameError::NoName);
        }
        if old == new {
            return Err(NameError::Same);
        }
        let folded = fold(new);
        let own = Owner::Member(key);
        let is_others = self.owners.get(&folded).is_some_and(|&owner| owner != own);
        // Also one that is nobody's now will be.
        if is_others || (is_default(&folded) && new != default_name(number)) {
            return Err(NameError::Taken);
        }
        self.owners.remove(&fold(old));
        self.owners.insert(folded, own);
        Ok(())
    }

    /// The member of that name left: another one may have it.
    pub fn release(&mut self, name: &str) {
        self.owners.remove(&fold(name));
    }

    /// Whose a name is, or one that looks like it.
    pub fn owner(&self, name: &str) -> Option<Owner> {
        self.owners.get(&fold(name)).copied()
    }
}

/// What a participant is called until it has a name.
pub fn default_name(number: u32) -> String {
    format!("{DEFAULT}{number}")
}

/// Whether the operator may be called so: no participant is.
pub fn is_free_for_host(name: &str) -> bool {
    has_letter(name) && !is_default(&fold(name))
}

/// Whether this may be somebody's name: short, and nothing that could be taken for anything else.
pub fn is_name(name: &str) -> bool {
    let fits = (1..=MAX_NAME).contains(&name.chars().count());
    fits && name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Numbers mean participants to the operator, so a name is not one.
fn has_letter(name: &str) -> bool {
    is_name(name) && name.contains(|c: char| c.is_ascii_alphabetic())
}

/// Whether a folded name could be taken for one that participants have until they get another.
fn is_default(folded: &str) -> bool {
    let number = |letter| DIGITS.contains(&letter);
    folded
        .strip_prefix(&fold(DEFAULT))
        .is_some_and(|rest| rest.chars().all(number))
}

/// The letters that the digits are taken for, each for one that no other digit is: `Ana6` and `Ana8` are
/// two names.
const DIGITS: [char; 10] = ['o', 'l', 'z', 'e', 'a', 's', 'g', 't', 'b', 'q'];

/// What is left of a name when all that is easily overlooked is: two names that are the same then
/// are taken for each other.
fn fold(name: &str) -> String {
    let folded: String = name
        .chars()
        .filter(|&letter| !"-_.".contains(letter))
        .map(|letter| match letter.to_ascii_lowercase() {
            'i' => 'l',
            letter => match letter.to_digit(10) {
                Some(digit) => DIGITS[digit as usize],
                None => letter,
            },
        })
        .collect();
    folded.replace("rn", "m").replace("vv", "w")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_fits_a_terminal() {
        let name = "x".repeat(MAX_NAME);
        for refusal in [
            NameError::NoName,
            NameError::Taken,
            NameError::Same,
            NameError::Quiet,
        ] {
            let line = format!("* you are still {name}: {refusal}");
            assert!(line.len() <= 80, "{line}");
        }
    }

    #[test]
    fn nobody_can_look_like_somebody_else() {
        let mut names = Names::of_chat("Bob");
        assert_eq!(names.rename(1, 1, "user1", "Ana"), Ok(()));
        for taken in [
            "Ana", "ana", "ANA", "A-n-a", "Ana_",
            ".Ana", // the same but for what is overlooked
            "Bob", "bob", "B0b", "B.o.b", "host", "Host", "h0st",
            "muxnc", // not a participant
            "user", "user1", "user3", "User3", "user03", "user-3", "userl", "useriO", "user.10",
            "userz", "u5er8", "us3r4",
        ] {
            assert_eq!(
                names.rename(2, 2, "user2", taken),
                Err(NameError::Taken),
                "{taken}"
            );
        }
        let seventeen = "seventeen-letters";
        for wrong in [
            "",
            " ",
            "two words",
            seventeen,
            "\u{410}na",
            "An\u{e1}",
            "A<b>",
            "* x",
            "a\tb",
            "a:b",
            "7",
            "1.2",
            "-_.",
            "Ana<U+202E>",
            "^[[2J",
        ] {
            assert_eq!(
                names.rename(2, 2, "user2", wrong),
                Err(NameError::NoName),
                "{wrong}"
            );
        }
        for fine in ["Bea", "user2x", "x", "sixteen-letters_", "7of9", "joined"] {
            assert_eq!(
                Names::of_chat("Bob").rename(2, 2, "user2", fine),
                Ok(()),
                "{fine}"
            );
        }
    }

    #[test]
    fn look_alike_letters_are_the_same() {
        let mut names = Names::of_chat(HOST);
        for (name, other) in [
            ("Olli", "0LL1"),
            ("corn", "com"),
            ("swing", "svving"),
            ("Bob", "8ob"),
            ("Ana", "4na"),
            ("Eva", "3va"),
            ("Tess", "7e55"),
            ("Liz", "Li2"),
            ("Gus", "6us"),
        ] {
            assert_eq!(names.rename(1, 1, "user1", name), Ok(()));
            assert_eq!(
                names.rename(2, 2, "user2", other),
                Err(NameError::Taken),
                "{other}"
            );
            names.release(name);
        }
        // Numbers tell apart.
        for digit in 0..10 {
            let name = format!("student{digit}");
            assert_eq!(
                names.rename(
                    digit as usize + 1,
                    digit + 1,
                    &default_name(digit + 1),
                    &name
                ),
                Ok(())
            );
        }
    }

    #[test]
    fn a_name_that_is_given_up_is_free() {
        let mut names = Names::of_chat(HOST);
        assert_eq!(names.rename(1, 1, "user1", "Ana"), Ok(()));
        assert_eq!(names.rename(1, 1, "Ana", "Ana"), Err(NameError::Same));
        assert_eq!(
            names.rename(1, 1, "Ana", "ANA"),
            Ok(()),
            "one's own, written otherwise"
        );
        assert_eq!(names.rename(2, 2, "user2", "Ana"), Err(NameError::Taken));
        assert_eq!(
            names.rename(1, 1, "ANA", "user1"),
            Ok(()),
            "back to one's own default"
        );
        assert_eq!(names.rename(2, 2, "user2", "Ana"), Ok(()));
        names.release("Ana");
        assert_eq!(names.rename(3, 3, "user3", "Ana"), Ok(()), "it left");
        assert_eq!(names.rename(4, 4, "user4", "user4"), Err(NameError::Same));
    }

    #[test]
    fn the_operator_is_no_participant() {
        for name in ["host", "Bob", "mr.teacher", "user-x"] {
            assert!(is_free_for_host(name), "{name}");
        }
        for name in ["", "user1", "USER", "user-7", "two words", "12", "B\u{f6}b"] {
            assert!(!is_free_for_host(name), "{name}");
        }
    }
}
