//! Who has to approve an operation, and who has.
//!
//! Invariant: one person has one vote, by the name that the host itself knows of them.

use crate::{actor::Actor, time::Timestamp};
use serde::{Deserialize, Serialize};

/// The approval that an operation awaits, or was let run by. Serialised as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// So many people have to approve.
    pub needed: u32,
    /// Those who have, in order.
    pub given: Vec<Vote>,
    /// Where it is not approved before this, it is left to people; none: it waits.
    pub expires: Option<Timestamp>,
}

/// That somebody approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// Why, as they said it.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl Approval {
    /// One person, whenever.
    pub fn of_one() -> Self {
        Self {
            needed: 1,
            given: Vec::new(),
            expires: None,
        }
    }

    /// Whether they have approved.
    pub fn has(&self, by: &Actor) -> bool {
        self.given.iter().any(|vote| vote.by == by.name)
    }

    /// They approve, whoever has before.
    pub fn add(&mut self, by: &Actor, reason: &str, at: Timestamp) {
        if !self.has(by) {
            self.given.push(Vote {
                by: by.name.clone(),
                note: by.note.clone(),
                reason: reason.to_owned(),
                at,
            });
        }
    }

    /// How many people have still to approve.
    pub fn missing(&self) -> u32 {
        let given = u32::try_from(self.given.len()).unwrap_or(u32::MAX);
        self.needed.saturating_sub(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_one_vote_whatever_they_call_themselves() {
        let at = Timestamp::from_millis(1);
        let mut approval = Approval {
            needed: 2,
            ..Approval::of_one()
        };
        approval.add(&Actor::new("root", "ann"), "so", at);
        approval.add(&Actor::new("root", "ben"), "so", at);
        assert_eq!((approval.given.len(), approval.missing()), (1, 1));
        approval.add(&"door".into(), "too", at);
        approval.add(&"third".into(), "too", at);
        assert_eq!((approval.given.len(), approval.missing()), (3, 0));
    }
}
