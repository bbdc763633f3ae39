//! Which recovery starts next.
//!
//! Due ones first; of those the lower priority number, then the older. One that may not start yet, for its target is
//! busy or paused or what it depends on is failing, is set aside until that is over, and stands in nobody's way.
//!
//! Invariant: one operation a target at a time; a further one is kept until that has ended.
//! Invariant: what is asked for by hand waits for neither a pause nor a dependency, but for its target.
//! Invariant: each call costs O(log n) and a look at each distinct reason for which something is set aside, however
//! many are set aside for it.

use crate::{id::OperationId, name::TargetName, time::Monotonic};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    num::NonZeroUsize,
};

#[cfg(test)]
mod tests;

/// An operation that waits for its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// Which; older ones have lesser identifiers.
    pub operation: OperationId,
    /// What it recovers.
    pub target: TargetName,
    /// Lower is more urgent.
    pub priority: u8,
    /// Not before this.
    pub due: Monotonic,
    /// Targets that must not be failing.
    pub depends_on: Vec<TargetName>,
    /// An operator asked for it, or approved it: a pause and a failing dependency do not hold it.
    pub by_hand: bool,
}

/// What the start of an operation depends on, beside the queue.
pub struct Conditions<'a> {
    /// The host is paused.
    pub host_paused: bool,
    /// Whether a target is paused.
    pub is_paused: &'a dyn Fn(&TargetName) -> bool,
    /// Whether a target is failing.
    pub is_failing: &'a dyn Fn(&TargetName) -> bool,
    /// So many operations run at one time.
    pub max_running: NonZeroUsize,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This one starts: it is no longer in the queue, and its target is busy until [`RecoveryQueue::finished`].
    Start(OperationId),
    /// Nothing can start before this.
    WaitUntil(Monotonic),
    /// Nothing can start until something else changes.
    Idle,
}

/// Why an operation that is due is set aside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Hold {
    HostPaused,
    TargetPaused(TargetName),
    TargetBusy(TargetName),
    Dependency(TargetName),
}

#[derive(Debug, Clone)]
enum Place {
    Waiting,
    Ready,
    Held(Hold),
}

/// Every operation that is scheduled, and the targets that are busy.
#[derive(Debug, Default)]
pub struct RecoveryQueue {
    entries: HashMap<OperationId, (QueueEntry, Place)>,
    waiting: BTreeSet<(Monotonic, OperationId)>,
    ready: BTreeSet<(u8, OperationId)>,
    held: BTreeMap<Hold, BTreeSet<OperationId>>,
    busy: BTreeSet<TargetName>,
}

impl RecoveryQueue {
    /// Puts an operation in, or in again with other words.
    pub fn push(&mut self, entry: QueueEntry) {
        self.remove(&entry.operation);
        self.waiting.insert((entry.due, entry.operation.clone()));
        self.entries
            .insert(entry.operation.clone(), (entry, Place::Waiting));
    }

    /// Takes an operation out; `None` where it is not, or no longer, in the queue.
    pub fn remove(&mut self, operation: &OperationId) -> Option<QueueEntry> {
        let (entry, place) = self.entries.remove(operation)?;
        let id = operation.clone();
        match place {
            Place::Waiting => drop(self.waiting.remove(&(entry.due, id))),
            Place::Ready => drop(self.ready.remove(&(entry.priority, id))),
            Place::Held(hold) => {
                if let Some(ids) = self.held.get_mut(&hold) {
                    ids.remove(operation);
                    if ids.is_empty() {
                        self.held.remove(&hold);
                    }
                }
            }
        }
        Some(entry)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.busy.len()
    }

    /// The operation of this target has ended, or awaits a person: another may start.
    pub fn finished(&mut self, target: &TargetName) {
        self.busy.remove(target);
    }

    /// What to do now. Ask again when one was put in or has finished, when a pause or a failure began or ended, and at
    /// the time that the answer names.
    pub fn next(&mut self, conditions: &Conditions<'_>, now: Monotonic) -> Decision {
        if self.busy.len() >= conditions.max_running.get() {
            return Decision::Idle;
        }
        self.take_up_due(now);
        self.take_up_held(conditions);
        while let Some((_, id)) = self.ready.pop_first() {
            let Some((entry, place)) = self.entries.get_mut(&id) else {
                continue;
            };
            match hold_of(entry, &self.busy, conditions) {
                Some(hold) => {
                    *place = Place::Held(hold.clone());
                    self.held.entry(hold).or_default().insert(id);
                }
                None => {
                    self.busy.insert(entry.target.clone());
                    self.entries.remove(&id);
                    return Decision::Start(id);
                }
            }
        }
        match self.waiting.first() {
            Some((due, _)) => Decision::WaitUntil(*due),
            None => Decision::Idle,
        }
    }

    fn take_up_due(&mut self, now: Monotonic) {
        while self.waiting.first().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, id)) = self.waiting.pop_first() {
                make_ready(id, &mut self.entries, &mut self.ready);
            }
        }
    }

    fn take_up_held(&mut self, conditions: &Conditions<'_>) {
        let over =
            |hold: &Hold, _: &mut BTreeSet<OperationId>| !holds(hold, &self.busy, conditions);
        for (_, ids) in self.held.extract_if(.., over) {
            for id in ids {
                make_ready(id, &mut self.entries, &mut self.ready);
            }
        }
    }
}

fn make_ready(
    id: OperationId,
    entries: &mut HashMap<OperationId, (QueueEntry, Place)>,
    ready: &mut BTreeSet<(u8, OperationId)>,
) {
    if let Some((entry, place)) = entries.get_mut(&id) {
        *place = Place::Ready;
        ready.insert((entry.priority, id));
    }
}

/// The first reason why an operation may not start.
fn hold_of(
    entry: &QueueEntry,
    busy: &BTreeSet<TargetName>,
    conditions: &Conditions<'_>,
) -> Option<Hold> {
    let target = || entry.target.clone();
    let own = [
        Hold::HostPaused,
        Hold::TargetPaused(target()),
        Hold::TargetBusy(target()),
    ];
    let dependencies = entry.depends_on.iter().cloned().map(Hold::Dependency);
    own.into_iter().chain(dependencies).find(|hold| {
        let heeded = !entry.by_hand || matches!(hold, Hold::TargetBusy(_));
        heeded && holds(hold, busy, conditions)
    })
}

fn holds(hold: &Hold, busy: &BTreeSet<TargetName>, conditions: &Conditions<'_>) -> bool {
    match hold {
        Hold::HostPaused => conditions.host_paused,
        Hold::TargetPaused(target) => (conditions.is_paused)(target),
        Hold::TargetBusy(target) => busy.contains(target),
        Hold::Dependency(target) => (conditions.is_failing)(target),
    }
}
