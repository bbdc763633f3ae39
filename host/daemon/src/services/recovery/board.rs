//! What recovery shows to others: a copy of which only what changed is renewed.

use crate::{
    ports::{Active, Rest},
    services::state::ChangedTargets,
};
use mainstay_domain::{
    name::TargetName,
    recovery::{Recovery, TargetSummary},
};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A copy of what is open, runs and is paused. Clones are the same board.
#[derive(Debug, Clone)]
pub struct RecoverySnapshot {
    copy: Arc<RwLock<Copy>>,
    changed: ChangedTargets,
}

#[derive(Debug, Default)]
struct Copy {
    active: BTreeMap<TargetName, Active>,
    paused_targets: BTreeSet<TargetName>,
    paused_host: bool,
}

impl RecoverySnapshot {
    pub(super) fn new(changed: ChangedTargets) -> Self {
        Self {
            copy: Arc::default(),
            changed,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Copy> {
        self.copy.read()
    }

    fn write(&self) -> RwLockWriteGuard<'_, Copy> {
        self.copy.write()
    }

    /// This is what is shown of a target from now on.
    pub(super) fn update(&self, target: &TargetName, summary: TargetSummary) {
        let active = (summary != TargetSummary::default()).then(|| Active {
            incident: summary.incident,
            operation: summary.operation,
            rests: summary.rests.map(|(until, why)| Rest { until, why }),
        });
        let mut copy = self.write();
        if copy.active.get(target) == active.as_ref() {
            return;
        }
        match active {
            Some(active) => drop(copy.active.insert(target.clone(), active)),
            None => drop(copy.active.remove(target)),
        }
        drop(copy);
        self.changed.note(target);
    }

    /// Takes up who is paused.
    pub(super) fn pause(&self, machine: &Recovery) {
        let host = machine.is_paused(None);
        let is_as_before = {
            let copy = self.read();
            copy.paused_host == host && copy.paused_targets == *machine.paused_targets()
        };
        if is_as_before {
            return;
        }
        let mut copy = self.write();
        copy.paused_host = host;
        let before = std::mem::replace(&mut copy.paused_targets, machine.paused_targets().clone());
        let now = copy.paused_targets.clone();
        drop(copy);
        for target in before.symmetric_difference(&now) {
            self.changed.note(target);
        }
    }

    /// What is open or runs of a target; none where nothing is.
    pub fn active(&self, target: &TargetName) -> Option<Active> {
        self.read().active.get(target).cloned()
    }

    /// Whether the host, or a target, is paused.
    pub fn is_paused(&self, target: Option<&TargetName>) -> bool {
        let copy = self.read();
        target.map_or(copy.paused_host, |target| {
            copy.paused_targets.contains(target)
        })
    }
}
