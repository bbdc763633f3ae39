//! Which operation of a target has the turn.
//!
//! Invariant: one that has given way gets the turn back from the one that had it, so that nothing else begins between: it counts
//! as running on.

use super::{RecoveryQueue, StartBlock};
use crate::{id::OperationId, name::TargetName};
use std::collections::BTreeSet;

impl RecoveryQueue {
    /// This operation runs already, for it ran when the host ended: its target is busy.
    pub fn occupy(&mut self, operation: OperationId, target: TargetName) {
        if let Some(before) = self.busy.insert(target.clone(), operation) {
            self.onlooking.entry(target).or_default().insert(before);
        }
    }

    /// This operation of the target only looks on while another starts its process: that may start.
    pub fn give_way(&mut self, target: &TargetName, operation: &OperationId) {
        if self.busy.get(target) == Some(operation) {
            self.leave(target);
            let onlooking = self.onlooking.entry(target.clone()).or_default();
            onlooking.insert(operation.clone());
        }
    }

    /// An operation that runs lends its slot to another, or wants it back, also where all are taken by then.
    pub fn lend(&mut self, target: &TargetName, operation: &OperationId, lends: bool) {
        let runs = self.busy.get(target) == Some(operation);
        match lends && runs {
            true => drop(self.lent.insert(target.clone())),
            false if runs => drop(self.lent.remove(target)),
            false => {}
        }
    }

    /// This operation of the target has ended, or awaits a person: one that gave way has the turn again, or else another may
    /// start.
    pub fn finished(&mut self, target: &TargetName, operation: &OperationId) {
        if self.busy.get(target) != Some(operation) {
            if let Some(onlooking) = self.onlooking.get_mut(target) {
                onlooking.remove(operation);
            }
        } else if let Some(next) = self.next_onlooking(target) {
            self.lent.remove(target);
            self.busy.insert(target.clone(), next);
        } else {
            self.leave(target);
        }
        if self.onlooking.get(target).is_some_and(BTreeSet::is_empty) {
            self.onlooking.remove(target);
        }
    }

    fn next_onlooking(&mut self, target: &TargetName) -> Option<OperationId> {
        self.onlooking.get_mut(target)?.pop_first()
    }

    /// Nothing has the turn of the target.
    fn leave(&mut self, target: &TargetName) {
        self.busy.remove(target);
        self.lent.remove(target);
        self.release_block(&StartBlock::TargetBusy(target.clone()));
    }
}
