//! Checks of a room whenever a member came, went, ended its side or was heard of, in debug builds.
//!
//! It promises: whatever the room counts is counted anew from its members.

use super::Presence;
use super::Room;

impl Room {
    /// The counts of members that are here, that read, that may speak and that are gone are right;
    /// the members that may be gone are in the order of their ends; the unfinished lines take what
    /// they have drawn from their budget.
    pub(super) fn check(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let (mut here, mut readers, mut speakers, mut gone) = (0, 0, 0, 0);
        let (mut unconfirmed, mut held) = (Vec::new(), 0);
        for (key, member) in self.members.iter() {
            here += usize::from(member.presence.is_here());
            readers += usize::from(self.trial.counts(member));
            speakers += usize::from(!member.is_silent);
            gone += usize::from(member.presence == Presence::Gone);
            held += member.held();
            if member.presence == Presence::Unconfirmed {
                unconfirmed.push(key);
            }
        }
        assert_eq!(self.here, here, "those who are here are miscounted");
        assert_eq!(self.readers, readers, "those who read are miscounted");
        assert_eq!(
            self.speakers, speakers,
            "those who may speak are miscounted"
        );
        assert_eq!(self.gone, gone, "those who are gone are miscounted");
        let mut found: Vec<usize> = self.unconfirmed.keys().collect();
        found.sort_unstable();
        assert_eq!(found, unconfirmed, "those who may be gone");
        self.held.check(held);
    }
}
