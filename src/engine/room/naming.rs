//! Naming: the members' names in a room, and finding a member by its name.
//!
//! In a chat every member has a name, and all are told of it; elsewhere a name is the operator's
//! word for a member.
//!
//! It promises: a member that is gone, or may be, does not keep a name from another that asks for
//! it; whoever asks whom a name means is told if that was another a moment ago.

use std::time::Instant;

use super::Room;
use crate::engine::handover::Asking;
use crate::engine::handover::Former;
use crate::engine::names::NameError;
use crate::engine::names::Owner;
use crate::engine::names::default_name;
use crate::engine::names::default_number;
use crate::engine::whom::Whom;

/// Whom a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Called {
    /// No member.
    Nobody,
    /// The member of this key.
    Member(usize),
    /// One that has it since a moment ago. The former owner may be meant, so nothing is to be done.
    HandedOver {
        /// The former owner.
        former: Former,
        /// That of the one that has it now.
        number: u32,
    },
}

impl From<Option<usize>> for Called {
    /// The member of this key, if any.
    fn from(key: Option<usize>) -> Called {
        key.map_or(Called::Nobody, Called::Member)
    }
}

impl Room {
    /// A member joined: in a chat it has a name. It learns that when it is announced, as everybody does.
    pub(super) fn name_by_number(&mut self, key: usize) {
        if self.is_chat() {
            let account = &mut self.members[key].account;
            account.set_name(self.names.join(key, account.number));
            self.announce_later(key);
        }
    }

    /// Calls a member by a name, as the operator wishes, unless another one has it or could be taken for it.
    ///
    /// # Errors
    /// Why it is not called so.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn name(&mut self, key: usize, name: &str, now: Instant) -> Result<(), NameError> {
        match self.rename(key, name, now) {
            Ok(()) | Err(NameError::Same) => {
                self.names.note_given(name);
                Ok(())
            }
            renamed => renamed,
        }
    }

    /// Calls a member by its number only.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn unname(&mut self, key: usize, now: Instant) {
        let account = &mut self.members[key].account;
        if self.chat.is_some() {
            let name = default_name(account.number);
            // No other member has this name; the member itself may have it already.
            let _ = self.rename(key, &name, now);
        } else if let Some(name) = account.take_name() {
            self.names.release(&name, account.number, now);
        }
    }

    /// Whom somebody means by a name, or by one that looks like it.
    pub fn called(&self, name: &str, asking: Asking, now: Instant) -> Called {
        let Some(key) = self.bearer(name) else {
            return Called::Nobody;
        };
        let number = self.members[key].account.number;
        match self.names.former(name, number, asking, now) {
            Some(former) => Called::HandedOver { former, number },
            None => Called::Member(key),
        }
    }

    /// Whether somebody may mean anybody by this: a member that is here, or that had the name a while ago, as the line may
    /// come late; or, if a member asks, the operator.
    pub fn is_anybody(&self, whom: Whom<'_>, asking: Asking, now: Instant) -> bool {
        let name = match whom {
            Whom::Number(number) | Whom::Label(number, _) => return self.find(number).is_some(),
            Whom::Name(name) => name,
        };
        match self.names.owner(name) {
            Some(Owner::Member(_)) => true,
            Some(Owner::Operator) => asking == Asking::Member,
            Some(Owner::Program) => false,
            None => self.names.is_kept(name, now) || self.was_default(name),
        }
    }

    /// Whether a member began with this name. No other ever gets it, so nothing is kept of its owner.
    fn was_default(&self, name: &str) -> bool {
        let number = default_number(name).map(|number| number.wrapping_sub(self.last_number));
        self.is_chat() && number.is_some_and(|nth| (1..=self.joined).contains(&nth))
    }

    /// Whether a member has a name now, or one that looks like it.
    pub fn has_name(&self, key: usize, name: &str) -> bool {
        self.bearer(name) == Some(key)
    }

    fn bearer(&self, name: &str) -> Option<usize> {
        match self.names.owner(name)? {
            Owner::Member(key) => Some(key),
            Owner::Program | Owner::Operator => None,
        }
    }

    /// Gives a member a name; in a chat everybody hears of it.
    pub(super) fn rename(&mut self, key: usize, new: &str, now: Instant) -> Result<(), NameError> {
        self.free_name(key, new, now);
        let account = &mut self.members[key].account;
        let new = (self.names).rename(key, account.number, account.name(), new, now)?;
        let old = account.set_name(new.clone());
        if !self.is_chat() {
            return Ok(());
        }
        let old = old.unwrap_or_default();
        let news = format!("{old} is now {new}");
        if self.members[key].is_announced {
            self.announce(format_args!("{news}"), true);
            return Ok(());
        }
        self.announce_join(key, now);
        // There the notice that it came told its number only.
        if !self.policy.surface.is_stream() {
            self.show_notice(format_args!("{news}"));
        }
        Ok(())
    }

    /// A member that is gone does not keep a name from one that asks for it: its last words are
    /// said under its number.
    fn free_name(&mut self, asking: usize, name: &str, now: Instant) {
        // Mostly all members are known to be here, and no look-up is needed.
        if self.here == self.members.len() {
            return;
        }
        if let Some(owner) = self.bearer(name)
            && owner != asking
            && !self.members[owner].presence.is_here()
        {
            self.unname(owner, now);
        }
    }
}
