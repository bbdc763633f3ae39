//! What the recovery engine shows to others: a copy that is renewed whenever something changed.

use crate::ports::Active;
use mainstay_domain::{
    id::{IncidentId, OperationId},
    name::TargetName,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
};

/// A copy of what is open, runs and is paused.
#[derive(Debug, Clone, Default)]
pub struct RecoveryBoard(Arc<RwLock<Shown>>);

#[derive(Debug, Default)]
struct Shown {
    active: BTreeMap<TargetName, Active>,
    paused_targets: BTreeSet<TargetName>,
    paused_host: bool,
}

impl RecoveryBoard {
    pub(super) fn show(
        &self,
        incidents: Vec<(TargetName, IncidentId)>,
        operations: Vec<(TargetName, OperationId)>,
        paused_targets: BTreeSet<TargetName>,
        paused_host: bool,
    ) {
        let mut active: BTreeMap<TargetName, Active> = BTreeMap::new();
        let entry = |target: &TargetName| Active {
            target: target.clone(),
            incident: None,
            operation: None,
        };
        for (target, incident) in incidents {
            let shown = active
                .entry(target.clone())
                .or_insert_with(|| entry(&target));
            shown.incident = shown.incident.take().max(Some(incident));
        }
        // Later ones win: those that run come after those that wait.
        for (target, operation) in operations {
            active
                .entry(target.clone())
                .or_insert_with(|| entry(&target))
                .operation = Some(operation);
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Shown {
            active,
            paused_targets,
            paused_host,
        };
    }

    /// What is open or runs, one entry a target.
    pub fn active(&self) -> Vec<Active> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .active
            .values()
            .cloned()
            .collect()
    }

    /// Whether the host, or a target, is paused.
    pub fn is_paused(&self, target: Option<&TargetName>) -> bool {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        target.map_or(shown.paused_host, |target| {
            shown.paused_targets.contains(target)
        })
    }
}
