//! Which processes belong together, for all who ask within a second of one look at `/proc`.
//!
//! Invariant: a look goes through every process of the machine, so many checks that are due together share one: what
//! they cost does not grow with their number times that of the processes.

use crate::adapters::process::{
    carriers::Carriers,
    stat::{self, ProcessStat},
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

/// A process that joined since counts a little later.
const FRESH: Duration = Duration::from_secs(1);

/// Which processes are measured as one with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kin {
    /// The group that it leads, and all that carries its mark: of a supervised child.
    Group,
    /// What it started, and what those did, whatever their groups are: of a foreign service.
    Descendants,
}

impl Kin {
    /// For people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Kin::Group => "its group",
            Kin::Descendants => "its descendants",
        }
    }
}

/// Processes by the leader of their group, or by their parent.
type Members = HashMap<u32, Vec<u32>>;

/// What one look at `/proc` saw.
#[derive(Debug, Default)]
struct Processes {
    all: HashSet<u32>,
    groups: Members,
    children: Members,
}

impl Processes {
    /// Whether it was there at the look. One that leads no group, for it has forked twice, was; and so was the group of a
    /// leader that has ended.
    fn knows(&self, pid: u32) -> bool {
        self.all.contains(&pid) || self.groups.contains_key(&pid)
    }

    fn of(&self, pid: u32, kin: Kin) -> Vec<u32> {
        if kin == Kin::Group {
            return self.groups.get(&pid).cloned().unwrap_or_default();
        }
        let (mut found, mut next) = (vec![pid], 0);
        while let Some(parent) = found.get(next).copied() {
            next += 1;
            for &child in self.children.get(&parent).into_iter().flatten() {
                // A number that was given out anew during the look could make a circle.
                if !found.contains(&child) {
                    found.push(child);
                }
            }
        }
        found
    }
}

#[derive(Default)]
pub(super) struct Groups(Mutex<Option<(Instant, Processes)>>, Carriers);

impl Groups {
    /// What the processes have that carry the mark of a target's process and are in no group of its own, by what `look`
    /// reads of one that is still the same; nothing where descendants are the kin, for those are known by their parents.
    /// One that leads no group, for it has forked twice, is among them itself. Blocks.
    pub(super) fn of_others<T>(
        &self,
        pid: u32,
        kin: Kin,
        look: impl Fn(u32, &ProcessStat) -> Option<T>,
    ) -> Vec<T> {
        if kin == Kin::Descendants {
            return Vec::new();
        }
        let others = self.1.outside_group(pid).into_iter();
        let seen = others.filter_map(|(pid, start_ticks)| {
            let stat = ProcessStat::read(pid).ok().flatten()?;
            // A number may belong to another process by now.
            look(pid, &stat).filter(|_| stat.start_ticks == start_ticks)
        });
        seen.collect()
    }

    /// A process and its kin, of its group only those in it; some may have ended since. Blocks.
    pub(super) fn members(&self, pid: u32, kin: Kin) -> Vec<u32> {
        self.members_at(pid, kin, Instant::now(), look)
    }

    fn members_at(
        &self,
        pid: u32,
        kin: Kin,
        now: Instant,
        look: impl FnOnce() -> Processes,
    ) -> Vec<u32> {
        // Held during the look: who comes meanwhile waits for it instead of looking too.
        let mut seen = self.0.lock();
        let fresh = seen.take().filter(|(at, processes)| {
            // One that was started since is one that the look cannot know.
            now.saturating_duration_since(*at) < FRESH && processes.knows(pid)
        });
        let (at, processes) = fresh.unwrap_or_else(|| (now, look()));
        let found = processes.of(pid, kin);
        *seen = Some((at, processes));
        found
    }
}

fn look() -> Processes {
    let mut processes = Processes::default();
    for pid in stat::all().unwrap_or_default() {
        if let Ok(Some(stat)) = ProcessStat::read(pid) {
            processes.all.insert(pid);
            processes.groups.entry(stat.group).or_default().push(pid);
            processes.children.entry(stat.parent).or_default().push(pid);
        }
    }
    processes
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
                Processes {
                    groups: members,
                    ..Processes::default()
                }
            };
            let now = start + Duration::from_millis(millis);
            groups.members_at(group, Kin::Group, now, look)
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
    fn a_process_that_leads_no_group_shares_a_look_too() {
        let (groups, start, looks) = (Groups::default(), Instant::now(), Cell::new(0));
        let members = |pid, kin| {
            let look = || {
                looks.set(looks.get() + 1);
                Processes {
                    all: [7, 8].into(),
                    groups: [(1, vec![7, 8])].into(),
                    ..Processes::default()
                }
            };
            groups.members_at(pid, kin, start, look)
        };
        for _ in 0..100 {
            assert_eq!(members(7, Kin::Group), [0; 0]);
            assert_eq!(members(8, Kin::Descendants), [8]);
        }
        assert_eq!(members(1, Kin::Group), [7, 8], "its leader has ended");
        assert_eq!(looks.get(), 1);
        assert_eq!(members(9, Kin::Group), [0; 0]);
        assert_eq!(looks.get(), 2, "it was not there");
    }

    #[test]
    fn this_very_process_is_in_its_group() {
        let own = ProcessStat::read(std::process::id()).unwrap().unwrap();
        assert!(
            Groups::default()
                .members(own.group, Kin::Group)
                .contains(&std::process::id())
        );
    }

    #[test]
    fn descendants_are_found_over_generations_and_whatever_a_torn_look_says() {
        let children = [(1, vec![2, 3]), (2, vec![4]), (4, vec![5, 2]), (9, vec![1])];
        let processes = Processes {
            children: children.into_iter().collect(),
            ..Processes::default()
        };
        assert_eq!(processes.of(1, Kin::Descendants), [1, 2, 3, 4, 5]);
        assert_eq!(processes.of(4, Kin::Descendants), [4, 5, 2]);
        assert_eq!(processes.of(3, Kin::Descendants), [3]);
    }

    #[test]
    fn this_very_process_descends_from_its_parent() {
        let own = ProcessStat::read(std::process::id()).unwrap().unwrap();
        let kin = Groups::default().members(own.parent, Kin::Descendants);
        assert_eq!(kin.first(), Some(&own.parent));
        assert!(kin.contains(&std::process::id()));
    }
}
