//! The origin of a line: how much of it a paste brought, and how much was typed.
//!
//! Keys that a slow line hands on together look like the beginning of a paste. By what is typed behind them it is known
//! that they are not.

/// Bytes of one line. See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pasted: usize,
    typed: usize,
    /// What was pasted has a blank in it, so that it may be a command with whom it is about.
    has_pasted_blank: bool,
}

impl Origin {
    /// Takes note of what is added.
    pub(super) fn add(&mut self, text: &str, is_pasted: bool) {
        match is_pasted {
            true => {
                self.pasted += text.len();
                self.has_pasted_blank |= text.contains(char::is_whitespace);
            }
            false => self.typed += text.len(),
        }
    }

    /// Whether what was pasted may be no more than the first keys of what was typed.
    pub(super) fn is_typed(&self) -> bool {
        self.typed >= self.pasted && !self.has_pasted_blank
    }
}
