//! Which processes belong to which group, for all who ask within a second of one look at `/proc`.
//!
//! Invariant: a look goes through every process of the machine, so many checks that are due together share one: what
//! they cost does not grow with their number times that of the processes.

use crate::adapters::process::stat::{self, ProcessStat};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// A process that joined its group since counts a little later.
const FRESH: Duration = Duration::from_secs(1);

/// The members of each group, by the number of its leader.
type Members = HashMap<u32, Vec<u32>>;

#[derive(Default)]
pub(super) struct Groups(Mutex<Option<(Instant, Members)>>);

impl Groups {
    /// The processes of a group; some may have ended since. Blocks.
    pub(super) fn members(&self, group: u32) -> Vec<u32> {
        self.members_at(group, Instant::now(), look)
    }

    fn members_at(&self, group: u32, now: Instant, look: impl FnOnce() -> Members) -> Vec<u32> {
        // Held during the look: who comes meanwhile waits for it instead of looking too.
        let mut seen = self.0.lock();
        let fresh = seen.take().filter(|(at, members)| {
            // One that was started since leads a group that the look cannot know.
            now.saturating_duration_since(*at) < FRESH && members.contains_key(&group)
        });
        let (at, members) = fresh.unwrap_or_else(|| (now, look()));
        let found = members.get(&group).cloned().unwrap_or_default();
        *seen = Some((at, members));
        found
    }
}

fn look() -> Members {
    let mut members = Members::new();
    for pid in stat::all() {
        if let Ok(Some(stat)) = ProcessStat::read(pid) {
            members.entry(stat.group).or_default().push(pid);
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn who_asks_within_a_second_of_a_look_shares_it_unless_it_cannot_know_the_group() {
        let (groups, start, looks) = (Groups::default(), Instant::now(), Cell::new(0));
        let members = |group, millis| {
            let look = || {
                looks.set(looks.get() + 1);
                let mut members: Members = (1..=1_000).map(|pid| (pid, vec![pid])).collect();
                if looks.get() > 2 {
                    members.insert(2_000, vec![2_000, 2_001]);
                }
                members
            };
            groups.members_at(group, start + Duration::from_millis(millis), look)
        };
        for group in 1..=1_000 {
            assert_eq!(members(group, 999), [group]);
        }
        assert_eq!(looks.get(), 1);
        assert_eq!(members(7, 1_999), [7]);
        assert_eq!(looks.get(), 2, "it was too old");
        assert_eq!(members(2_000, 1_999), [2_000, 2_001]);
        assert_eq!(looks.get(), 3, "it was started since");
    }

    #[test]
    fn this_very_process_is_in_its_group() {
        let own = ProcessStat::read(std::process::id()).unwrap().unwrap();
        assert!(
            Groups::default()
                .members(own.group)
                .contains(&std::process::id())
        );
    }
}
