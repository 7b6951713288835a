//! What holds in a room whenever somebody came, went, ended its side or was heard of, in debug builds.
//!
//! It promises: whatever the room counts is counted anew from its members.

use super::Presence;
use super::Room;

impl Room {
    /// Who is here, who reads, who may speak and who is gone is as many as it is counted; those that may
    /// be gone are found by the order of their ends; what the unfinished lines take is what they draw.
    pub(super) fn check(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let (mut here, mut readers, mut speakers, mut gone) = (0, 0, 0, 0);
        let (mut unconfirmed, mut held) = (0, 0);
        for (key, member) in self.members.iter() {
            here += usize::from(member.presence.is_here());
            readers += usize::from(self.trial.counts(member));
            speakers += usize::from(!member.is_silent);
            gone += usize::from(member.presence == Presence::Gone);
            held += member.held();
            if let Presence::Unconfirmed(order) = member.presence {
                unconfirmed += 1;
                let found = self.unconfirmed.get(&order);
                assert_eq!(found, Some(&key), "one that may be gone is not found");
            }
        }
        assert_eq!(self.here, here, "those who are here are miscounted");
        assert_eq!(self.readers, readers, "those who read are miscounted");
        assert_eq!(
            self.speakers, speakers,
            "those who may speak are miscounted"
        );
        assert_eq!(self.gone, gone, "those who are gone are miscounted");
        assert_eq!(self.unconfirmed.len(), unconfirmed, "one is not forgotten");
        self.held.check(held);
    }
}
