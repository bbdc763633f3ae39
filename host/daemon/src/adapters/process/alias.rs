//! Processes that carry the mark of another target than their own: their target was renamed while they ran, and nobody
//! can change the environment of a process.
//!
//! Invariant: an alias is of one start, not of a name. What a later target of the old name starts carries another mark, and
//! is that target's own.

use mainstay_domain::{name::TargetName, time::Timestamp};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// When a process was started, and how often its target was restarted before.
pub(super) type Start = (Timestamp, u32);

/// Whose each such start is, by the name in its mark; clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Aliases(Arc<Mutex<HashMap<(TargetName, Start), TargetName>>>);

impl Aliases {
    /// What was started then under this name is a process of `owner`.
    pub(super) fn set(&self, marked_as: &TargetName, start: Start, owner: &TargetName) {
        let key = (marked_as.clone(), start);
        let mut aliases = self.0.lock();
        // It may have been renamed back.
        if marked_as == owner {
            aliases.remove(&key);
        } else {
            aliases.insert(key, owner.clone());
        }
    }

    /// Whose it is, where that is another target than its mark names.
    pub(super) fn owner(&self, marked_as: &TargetName, start: Start) -> Option<TargetName> {
        let aliases = self.0.lock();
        if aliases.is_empty() {
            return None;
        }
        aliases.get(&(marked_as.clone(), start)).cloned()
    }

    /// Nothing of this target lives any more.
    pub(super) fn forget(&self, owner: &TargetName) {
        self.0.lock().retain(|_, of| *of != *owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> TargetName {
        TargetName::parse(text).unwrap()
    }

    #[test]
    fn one_start_has_another_owner_and_a_later_one_under_the_same_name_has_not() {
        let aliases = Aliases::default();
        let (first, later) = (
            (Timestamp::from_millis(1), 0),
            (Timestamp::from_millis(1), 1),
        );
        aliases.set(&name("old"), first, &name("new"));
        assert_eq!(aliases.owner(&name("old"), first), Some(name("new")));
        assert_eq!(aliases.owner(&name("old"), later), None);
        assert_eq!(aliases.owner(&name("new"), first), None);
        // Renamed once more, and back.
        aliases.set(&name("old"), first, &name("newer"));
        assert_eq!(aliases.owner(&name("old"), first), Some(name("newer")));
        aliases.set(&name("old"), first, &name("old"));
        assert_eq!(aliases.owner(&name("old"), first), None);
        aliases.set(&name("old"), first, &name("new"));
        aliases.forget(&name("old"));
        assert_eq!(aliases.owner(&name("old"), first), Some(name("new")));
        aliases.forget(&name("new"));
        assert_eq!(aliases.owner(&name("old"), first), None);
    }
}
