//! The order of what is due, and why something that is due may not start.

use super::{Conditions, QueueEntry, RecoveryQueue};
use crate::{id::OperationId, name::TargetName, policy::Why, severity::Severity};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// Why an operation that is due is set aside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum StartBlock {
    /// The host is paused.
    HostPaused,
    /// Its target is paused.
    TargetPaused(TargetName),
    /// Its target has another operation.
    TargetBusy(TargetName),
    /// This target, which it depends on, is failing.
    Dependency(TargetName),
    /// The gate holds it back.
    Gate(Why),
}

/// The order of what is due.
pub(super) type Rank = (u8, Reverse<Severity>, OperationId);

/// Those of a target that rest, the most severe first.
pub(super) type Resting = BTreeSet<(Reverse<Severity>, OperationId)>;

pub(super) fn rank(entry: &QueueEntry) -> Rank {
    (
        entry.priority,
        Reverse(entry.severity),
        entry.operation.clone(),
    )
}

/// The first reason why an operation may not start.
pub(super) fn start_block_of(
    entry: &QueueEntry,
    busy: &BTreeMap<TargetName, OperationId>,
    resting: &BTreeMap<TargetName, Resting>,
    conditions: &Conditions<'_>,
) -> Option<StartBlock> {
    let resting = resting.get(&entry.target);
    let gives_way =
        resting
            .and_then(BTreeSet::first)
            .is_none_or(|(Reverse(severity), operation)| {
                *operation == entry.operation || entry.severity > *severity
            });
    // A manual operation does not wait for resting ones.
    if busy.contains_key(&entry.target) || !(gives_way || entry.is_manual) {
        return Some(StartBlock::TargetBusy(entry.target.clone()));
    }
    if entry.is_manual {
        return (conditions.held_back)(entry, busy).map(StartBlock::Gate);
    }
    if conditions.host_paused {
        return Some(StartBlock::HostPaused);
    }
    if (conditions.is_paused)(&entry.target) {
        return Some(StartBlock::TargetPaused(entry.target.clone()));
    }
    let mut dependencies = entry.depends_on.iter();
    let failing = dependencies
        .find(|target| (conditions.is_failing)(target))
        .map(|target| StartBlock::Dependency(target.clone()));
    failing.or_else(|| (conditions.held_back)(entry, busy).map(StartBlock::Gate))
}

impl RecoveryQueue {
    /// What the gate holds anything back for.
    pub fn gated(&self) -> &BTreeSet<Why> {
        &self.gated
    }

    /// What the gate holds back for this may begin, so many of them, the first in their order; they are checked when they
    /// are next.
    pub fn release_gated(&mut self, why: &Why, most: usize) {
        let block = StartBlock::Gate(why.clone());
        let mut first = Vec::new();
        if let Some(held) = self.blocked.get_mut(&block) {
            while first.len() < most
                && let Some((.., id)) = held.pop_first()
            {
                first.push(id);
            }
        }
        if self.blocked.get(&block).is_none_or(BTreeSet::is_empty) {
            self.blocked.remove(&block);
            self.gated.remove(why);
        }
        for id in first {
            self.make_ready(id);
        }
    }

    /// Whether something is due that nothing is known to hold back, but that as many run as may.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }
}
