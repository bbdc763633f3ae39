//! Indexes over the cases, so that no input has to visit all of them.
//!
//! Invariant: they agree with the cases after every input; [`Recovery::audit`] checks it.

use super::{Case, CaseKey, IllegalMove, Outcome, Recovery, Stage};
use crate::{
    id::OperationId,
    name::{FailureType, PluginName, TargetName},
    queue::StartBlock,
    record::Change,
    time::Monotonic,
};

impl Recovery {
    pub(super) fn case(&self, key: &CaseKey) -> Option<&Case> {
        self.cases.get(key).map(|case| &**case)
    }

    /// Takes a case out, changes it, puts it back and updates the indexes. None if there is no such case.
    pub(super) fn with<T>(
        &mut self,
        key: &CaseKey,
        out: &mut Outcome,
        change: impl FnOnce(&mut Self, &mut Case, &mut Outcome) -> T,
    ) -> Option<T> {
        // Neither is copied: among very many cases they are in no cache of the processor.
        let (key, mut case) = self.cases.remove_entry(key)?;
        let before = IndexEntry {
            writes: out.writes.len(),
            ..IndexEntry::of(&case)
        };
        let result = change(self, &mut case, out);
        self.put(key, case, &before, out);
        Some(result)
    }

    /// Like [`Recovery::with`], for changes that can fail.
    pub(super) fn try_with(
        &mut self,
        key: &CaseKey,
        out: &mut Outcome,
        change: impl FnOnce(&mut Self, &mut Case, &mut Outcome) -> Result<(), IllegalMove>,
    ) -> Result<(), IllegalMove> {
        self.with(key, out, change).unwrap_or(Ok(()))
    }

    /// Stores a case: writes its incident if it changed, and updates the indexes from `before`.
    pub(super) fn put(
        &mut self,
        key: CaseKey,
        mut case: Box<Case>,
        before: &IndexEntry,
        out: &mut Outcome,
    ) {
        if let Some(incident) = case.incident.take_change() {
            // Before whatever refers to it.
            out.writes.insert(before.writes, Change::Incident(incident));
        }
        let after = IndexEntry::of(&case);
        if before.wakes_at != after.wakes_at {
            before
                .wakes_at
                .map(|due| self.timers.remove(&(due, key.clone())));
            after
                .wakes_at
                .map(|due| self.timers.insert((due, key.clone())));
        }
        if before.exceeds_at != after.exceeds_at {
            before
                .exceeds_at
                .map(|due| self.objectives.remove(&(due, key.clone())));
            after
                .exceeds_at
                .map(|due| self.objectives.insert((due, key.clone())));
        }
        if before.operation != after.operation {
            before
                .operation
                .as_ref()
                .map(|id| self.operations.remove(id));
            after
                .operation
                .clone()
                .map(|id| self.operations.insert(id, key.clone()));
        }
        if before.missing != after.missing {
            if let Some(handler) = &before.missing
                && let Some(keys) = self.missing.get_mut(handler)
            {
                keys.remove(&key);
                if keys.is_empty() {
                    self.missing.remove(handler);
                }
            }
            if let Some(handler) = after.missing.clone() {
                self.missing.entry(handler).or_default().insert(key.clone());
            }
        }
        if before.is_failing != after.is_failing {
            self.count_failing(&key.target, after.is_failing);
        }
        if before.is_indexed != after.is_indexed {
            let failures = self.failures.entry(key.target.clone()).or_default();
            match after.is_indexed {
                true => failures.insert(key.failure.clone()),
                false => failures.remove(&key.failure),
            };
            if failures.is_empty() {
                self.failures.remove(&key.target);
            }
        }
        self.changed.insert(key.target.clone());
        if after.is_indexed {
            self.cases.insert(key, case);
        }
    }

    fn count_failing(&mut self, target: &TargetName, one_more: bool) {
        let count = self.failing.entry(target.clone()).or_default();
        *count = match one_more {
            true => count.saturating_add(1),
            false => count.saturating_sub(1),
        };
        if *count == 0 {
            self.failing.remove(target);
            self.queue
                .release_block(&StartBlock::Dependency(target.clone()));
        }
    }

    /// The cases of a target.
    pub(super) fn keys_of(&self, target: &TargetName) -> Vec<CaseKey> {
        let failures = self.failures.get(target).into_iter().flatten();
        let key = |failure: &FailureType| CaseKey {
            target: target.clone(),
            failure: failure.clone(),
        };
        failures.map(key).collect()
    }
}

/// What the indexes say of a case.
#[derive(Default)]
pub(super) struct IndexEntry {
    /// How many writes there were before it was changed.
    writes: usize,
    is_indexed: bool,
    is_failing: bool,
    wakes_at: Option<Monotonic>,
    exceeds_at: Option<Monotonic>,
    operation: Option<OperationId>,
    missing: Option<PluginName>,
}

impl IndexEntry {
    /// A case that is not there yet.
    pub(super) fn absent(out: &Outcome) -> Self {
        Self {
            writes: out.writes.len(),
            ..Self::default()
        }
    }

    fn of(case: &Case) -> Self {
        match case.stage {
            Stage::Over => Self::default(),
            _ => Self {
                writes: 0,
                is_indexed: true,
                is_failing: case.is_failing(),
                wakes_at: case.wakes_at(),
                exceeds_at: case.exceeds_at(),
                operation: case.operation().cloned(),
                missing: case.incident.missing.clone(),
            },
        }
    }
}
