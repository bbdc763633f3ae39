//! The order of what is due, and why something that is due may not start.

use super::{Conditions, Hold, QueueEntry};
use crate::{id::OperationId, name::TargetName, severity::Severity};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

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
pub(super) fn hold_of(
    entry: &QueueEntry,
    busy: &BTreeMap<TargetName, OperationId>,
    resting: &BTreeMap<TargetName, Resting>,
    conditions: &Conditions<'_>,
) -> Option<Hold> {
    let resting = resting.get(&entry.target);
    let gives_way =
        resting
            .and_then(BTreeSet::first)
            .is_none_or(|(Reverse(severity), operation)| {
                *operation == entry.operation || entry.severity > *severity
            });
    // Who asks by hand waits for nobody's rest.
    if busy.contains_key(&entry.target) || !(gives_way || entry.by_hand) {
        return Some(Hold::TargetBusy(entry.target.clone()));
    }
    if entry.by_hand {
        return None;
    }
    if conditions.host_paused {
        return Some(Hold::HostPaused);
    }
    if (conditions.is_paused)(&entry.target) {
        return Some(Hold::TargetPaused(entry.target.clone()));
    }
    let mut dependencies = entry.depends_on.iter();
    dependencies
        .find(|target| (conditions.is_failing)(target))
        .map(|target| Hold::Dependency(target.clone()))
}
