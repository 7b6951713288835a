//! Naming: the members' names in a room, and finding a member by its name.
//!
//! In a chat every member has a name, and all are told of it; elsewhere a name is the operator's
//! word for a member.
//!
//! It promises: a member that is gone, or may be, does not keep a name from another that asks for
//! it.

use std::time::Instant;

use super::Room;
use crate::engine::handover::Asking;
use crate::engine::names::NameError;
use crate::engine::names::Owner;
use crate::engine::names::default_name;

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

    /// The key of the member of that name, or of one that looks like it.
    pub fn find_by_name(&self, name: &str) -> Option<usize> {
        match self.names.owner(name)? {
            Owner::Member(key) => Some(key),
            Owner::Program | Owner::Operator => None,
        }
    }

    /// The number of another member that had this name until a moment ago, and may be meant by it.
    ///
    /// # Panics
    /// If there is no member of that key.
    pub fn former(&self, key: usize, name: &str, asking: Asking, now: Instant) -> Option<u32> {
        let number = self.members[key].account.number;
        self.names.former(name, number, asking, now)
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
        if let Some(owner) = self.find_by_name(name)
            && owner != asking
            && !self.members[owner].presence.is_here()
        {
            self.unname(owner, now);
        }
    }
}
