//! Which recovery starts next.
//!
//! Order: due first, then priority (lower first), severity (higher first), age (older first). An operation that may
//! not start (target busy or paused, dependency failing) is set aside until that ends, and blocks no other.
//!
//! Invariant: one operation acts on a target at a time. An operation between two attempts stays in the queue: only a more
//! severe one of the same target may start meanwhile, and it takes no slot of the running ones. Nor does one that has
//! lent its own: its target stays busy. That of one which gives way, until another has started its process, does not; it has
//! the turn again when that one has ended or rests, before any other.
//! Invariant: a manual operation ignores pauses, dependencies and resting operations; it waits only while its target
//! is busy, and where the gate says so.
//! Invariant: a call costs O(log n), plus one visit to each operation that a block set aside when that block is
//! released. The caller says when, with [`RecoveryQueue::release_block`]; of what the gate holds back also how many, with
//! [`RecoveryQueue::release_gated`].

use crate::{id::OperationId, name::TargetName, policy::Why, severity::Severity, time::Monotonic};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    num::NonZeroUsize,
};

mod start_block;
#[cfg(test)]
mod tests;
mod turn;

pub use start_block::StartBlock;
use start_block::{Rank, Resting, rank, start_block_of};

/// An operation that waits for its start, or for its next attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// Which; older ones have lesser identifiers.
    pub operation: OperationId,
    /// What it recovers.
    pub target: TargetName,
    /// Lower is more urgent.
    pub priority: u8,
    /// How bad its failure is.
    pub severity: Severity,
    /// Not before this.
    pub due: Monotonic,
    /// Targets that must not be failing.
    pub depends_on: Vec<TargetName>,
    /// An operator asked for it, or approved it: pauses and failing dependencies do not block it.
    pub is_manual: bool,
}

/// What the start of an operation depends on, beside the queue.
pub struct Conditions<'a> {
    /// The host is paused.
    pub host_paused: bool,
    /// Whether a target is paused.
    pub is_paused: &'a dyn Fn(&TargetName) -> bool,
    /// Whether a target is failing.
    pub is_failing: &'a dyn Fn(&TargetName) -> bool,
    /// What the gate says of an operation, where these run: why it has to wait.
    pub held_back: &'a HeldBack<'a>,
    /// So many operations run at one time.
    pub max_running: NonZeroUsize,
    /// Also those that have lent their slot count.
    pub counts_lent: bool,
}

/// Why an operation has to wait where these run, by target.
pub type HeldBack<'a> = dyn Fn(&QueueEntry, &BTreeMap<TargetName, OperationId>) -> Option<Why> + 'a;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStart {
    /// This one starts: it is no longer in the queue, and its target is busy until [`RecoveryQueue::finished`] or
    /// [`RecoveryQueue::rest`].
    Start(OperationId),
    /// Nothing can start before this.
    WaitUntil(Monotonic),
    /// Nothing can start until something else changes.
    Idle,
}

/// Where an operation stands in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It waits for its time.
    Waiting,
    /// It is due, and starts as soon as there is room.
    Ready,
    /// It is due, and set aside.
    Blocked(StartBlock),
}

/// Every operation that waits, and the targets that are busy.
#[derive(Debug, Default)]
pub struct RecoveryQueue {
    entries: HashMap<OperationId, (QueueEntry, Place)>,
    waiting: BTreeSet<(Monotonic, OperationId)>,
    ready: BTreeSet<Rank>,
    blocked: BTreeMap<StartBlock, BTreeSet<Rank>>,
    /// What the gate holds some of these back for.
    gated: BTreeSet<Why>,
    /// The targets of which one waits for something else than before.
    moved: BTreeSet<TargetName>,
    /// What runs.
    busy: BTreeMap<TargetName, OperationId>,
    /// The targets among these whose operation has lent its slot.
    lent: BTreeSet<TargetName>,
    /// What runs and has given way to another of its target.
    onlooking: BTreeMap<TargetName, BTreeSet<OperationId>>,
    /// What rests between two attempts, and keeps the less severe out.
    resting: BTreeMap<TargetName, Resting>,
}

impl RecoveryQueue {
    /// Puts an operation in, or in again with other words.
    pub fn push(&mut self, entry: QueueEntry) {
        let before = self.take(&entry.operation);
        if before
            .is_some_and(|before| self.wake(&before.target, &before.operation, before.severity))
        {
            self.mark_resting(&entry);
        }
        self.waiting.insert((entry.due, entry.operation.clone()));
        self.entries
            .insert(entry.operation.clone(), (entry, Place::Waiting));
    }

    /// Takes an operation out; `None` where it is not, or no longer, in the queue.
    pub fn remove(&mut self, operation: &OperationId) -> Option<QueueEntry> {
        let entry = self.take(operation)?;
        if self.wake(&entry.target, operation, entry.severity) {
            self.release_block(&StartBlock::TargetBusy(entry.target.clone()));
        }
        Some(entry)
    }

    fn take(&mut self, operation: &OperationId) -> Option<QueueEntry> {
        let (entry, place) = self.entries.remove(operation)?;
        let id = operation.clone();
        match place {
            Place::Waiting => drop(self.waiting.remove(&(entry.due, id))),
            Place::Ready => drop(self.ready.remove(&rank(&entry))),
            Place::Blocked(block) => {
                if let Some(ranks) = self.blocked.get_mut(&block) {
                    ranks.remove(&rank(&entry));
                    if ranks.is_empty() {
                        self.blocked.remove(&block);
                    }
                }
            }
        }
        Some(entry)
    }

    fn mark_resting(&mut self, entry: &QueueEntry) {
        let resting = self.resting.entry(entry.target.clone()).or_default();
        resting.insert((Reverse(entry.severity), entry.operation.clone()));
    }

    /// It rests no more; whether it did.
    fn wake(&mut self, target: &TargetName, operation: &OperationId, severity: Severity) -> bool {
        let Some(resting) = self.resting.get_mut(target) else {
            return false;
        };
        let rested = resting.remove(&(Reverse(severity), operation.clone()));
        if resting.is_empty() {
            self.resting.remove(target);
        }
        rested
    }

    /// The entry of an operation that waits.
    pub fn get(&self, operation: &OperationId) -> Option<&QueueEntry> {
        self.entries.get(operation).map(|(entry, _)| entry)
    }

    /// What an operation that waits waits for.
    pub fn place(&self, operation: &OperationId) -> Option<&Place> {
        self.entries.get(operation).map(|(_, place)| place)
    }

    /// The targets whose operations wait for something else than when this was asked last.
    pub fn take_moved(&mut self) -> BTreeSet<TargetName> {
        std::mem::take(&mut self.moved)
    }

    /// What runs.
    pub fn busy(&self) -> impl Iterator<Item = (&TargetName, &OperationId)> + Clone {
        self.busy.iter()
    }

    /// How many wait.
    #[allow(
        clippy::len_without_is_empty,
        reason = "nobody asks whether none waits"
    )]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.busy.len()
    }

    /// An operation rests until its next attempt, which is due as the entry says.
    pub fn rest(&mut self, entry: QueueEntry) {
        self.finished(&entry.target, &entry.operation);
        self.mark_resting(&entry);
        self.push(entry);
    }

    /// A block may have ended: what it set aside is ready again, and is checked when it is next.
    pub fn release_block(&mut self, block: &StartBlock) {
        if let StartBlock::Gate(why) = block {
            self.gated.remove(why);
        }
        for (.., id) in self.blocked.remove(block).unwrap_or_default() {
            self.make_ready(id);
        }
    }

    /// What to do now. Ask again when one was put in, rests or has finished, when a reason is over, and at the time that
    /// the answer names.
    pub fn next(&mut self, conditions: &Conditions<'_>, now: Monotonic) -> NextStart {
        while self.waiting.first().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, id)) = self.waiting.pop_first() {
                self.make_ready(id);
            }
        }
        let counts = |queue: &Self| match conditions.counts_lent {
            true => queue.busy.len(),
            false => queue.busy.len().saturating_sub(queue.lent.len()),
        };
        while counts(&*self) < conditions.max_running.get() {
            let Some(first) = self.ready.pop_first() else {
                break;
            };
            let id = first.2.clone();
            let Some((entry, place)) = self.entries.get_mut(&id) else {
                continue;
            };
            match start_block_of(entry, &self.busy, &self.resting, conditions) {
                Some(block) => {
                    self.moved.insert(entry.target.clone());
                    *place = Place::Blocked(block.clone());
                    if let StartBlock::Gate(why) = &block {
                        self.gated.insert(why.clone());
                    }
                    self.blocked.entry(block).or_default().insert(first);
                }
                None => {
                    let (target, severity) = (entry.target.clone(), entry.severity);
                    self.entries.remove(&id);
                    self.wake(&target, &id, severity);
                    self.busy.insert(target, id.clone());
                    return NextStart::Start(id);
                }
            }
        }
        match self.waiting.first() {
            Some((due, _)) => NextStart::WaitUntil(*due),
            None => NextStart::Idle,
        }
    }

    /// When the next one that waits for its time is due.
    pub fn next_due(&self) -> Option<Monotonic> {
        self.waiting.first().map(|(due, _)| *due)
    }

    fn make_ready(&mut self, id: OperationId) {
        if let Some((entry, place)) = self.entries.get_mut(&id) {
            *place = Place::Ready;
            self.moved.insert(entry.target.clone());
            self.ready.insert(rank(entry));
        }
    }
}
