//! The origin of a line: whether a paste left it, or keys that a slow line handed on together, which look like the
//! beginning of a paste.

/// So many characters may be keys that came together. No command that changes anything is so short.
const FEW: usize = 3;

/// What a line consists of. See the module's documentation.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Origin {
    /// Characters that came at once.
    at_once: usize,
    /// Some of them were in the brackets of a paste.
    is_bracketed: bool,
    /// Some more were typed.
    is_typed_on: bool,
}

impl Origin {
    /// Takes note of a text that came at once, perhaps in brackets.
    pub(super) fn came_at_once(&mut self, text: &str, in_brackets: bool) {
        self.at_once += text.chars().count();
        self.is_bracketed |= in_brackets;
    }

    /// Takes note that something was typed.
    pub(super) fn was_typed(&mut self) {
        self.is_typed_on = true;
    }

    /// Whether what came at once may be no more than the first keys of what was typed.
    pub(super) fn is_typed(&self) -> bool {
        self.is_typed_on && !self.is_bracketed && self.at_once <= FEW
    }
}
