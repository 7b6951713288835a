//! A kick: which operator sends a member away, and why.
//!
//! It promises: what is told of it names the operator who did it, ours or that of another hub, and nothing
//! in it acts on a terminal.

use crate::engine::escape::push_escaped;

/// See the module's documentation.
#[derive(Debug, Clone)]
pub struct Kick {
    /// The other hub whose operator wants it. None: ours does.
    by: Option<String>,
    /// As it is shown; empty: none was given.
    reason: String,
}

impl Kick {
    /// Our operator does it.
    pub fn by_us(reason: &str) -> Kick {
        Kick {
            by: None,
            reason: shown(reason),
        }
    }

    /// The operator of another hub does it.
    pub fn by_hub(hub: &str, reason: &str) -> Kick {
        Kick {
            by: Some(hub.into()),
            reason: shown(reason),
        }
    }

    /// Why, as the member reads it; empty: it reads no reason.
    pub(super) fn told_to_it(&self) -> String {
        let reason = &self.reason;
        match &self.by {
            None => reason.clone(),
            Some(hub) if reason.is_empty() => format!("by {hub}"),
            Some(hub) => format!("{reason} (by {hub})"),
        }
    }

    /// By whom and why, as our operator reads it.
    pub(super) fn told_to_us(&self) -> String {
        self.told(self.by.as_deref().unwrap_or("you"))
    }

    /// By whom and why, as it is recorded.
    pub(super) fn recorded(&self) -> String {
        match &self.by {
            None => self.told("the operator"),
            Some(hub) => self.told(&format!("the operator of {hub}")),
        }
    }

    fn told(&self, who: &str) -> String {
        match &self.reason[..] {
            "" => format!("by {who}"),
            reason => format!("by {who}: {reason}"),
        }
    }
}

fn shown(reason: &str) -> String {
    let mut shown = String::new();
    let letters = reason.chars();
    letters.for_each(|letter| push_escaped(letter, &mut shown));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_whom_and_why_is_told() {
        for (kick, to_it, to_us, recorded) in [
            (Kick::by_us(""), "", "by you", "by the operator"),
            (
                Kick::by_us("too \x1bloud"),
                "too ^[loud",
                "by you: too ^[loud",
                "by the operator: too ^[loud",
            ),
            (
                Kick::by_hub("room1", ""),
                "by room1",
                "by room1",
                "by the operator of room1",
            ),
            (
                Kick::by_hub("room1", "spam\n"),
                "spam^J (by room1)",
                "by room1: spam^J",
                "by the operator of room1: spam^J",
            ),
        ] {
            assert_eq!(kick.told_to_it(), to_it);
            assert_eq!(kick.told_to_us(), to_us);
            assert_eq!(kick.recorded(), recorded);
        }
    }
}
