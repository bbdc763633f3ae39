//! Whether everything that the machine keeps beside its cases agrees with them.

use super::{Attempt, Recovery, Stage};
use crate::id::OperationId;
use std::collections::BTreeSet;

impl Recovery {
    /// Checks the machine against its own invariants; looks at every case. For campaigns and tests.
    ///
    /// # Errors
    /// What is broken.
    pub fn audit(&self) -> Result<(), String> {
        let mut running = 0_usize;
        let (mut timers, mut operations, mut queued) = (0_usize, 0_usize, 0_usize);
        let mut objectives = 0_usize;
        let busy: BTreeSet<&OperationId> = self.queue.busy().map(|(_, id)| id).collect();
        for (key, case) in &self.cases {
            let broken = |what: &str| Err(format!("{key:?}: {what}: {case:?}"));
            if let Some(due) = case.wakes_at() {
                timers += 1;
                if !self.timers.contains(&(due, key.clone())) {
                    return broken("its timer is not kept");
                }
            }
            if let Some(due) = case.exceeds_at() {
                objectives += 1;
                if !self.objectives.contains(&(due, key.clone())) {
                    return broken("its objective is not kept");
                }
            }
            if let Some(id) = case.operation() {
                operations += 1;
                if self.operations.get(id) != Some(key) {
                    return broken("its operation is not known as its own");
                }
            }
            let is_open = case.incident.state.is_open();
            if case.operation().is_some() && !is_open {
                return broken("it is closed, and has an operation");
            }
            let entry = case.operation().and_then(|id| self.queue.get(id));
            match &case.stage {
                Stage::Queued(_) => {
                    queued += 1;
                    if entry.is_none() {
                        return broken("it waits in no queue");
                    }
                }
                Stage::Running(one) => {
                    let has_turn = busy.contains(&one.work.operation.id);
                    running += usize::from(has_turn);
                    if entry.is_some() {
                        return broken("it runs and waits");
                    }
                    if !has_turn && !matches!(one.attempt, Attempt::Validating(_)) {
                        return broken("it acts, and it is not its turn");
                    }
                    let is_calling = matches!(one.attempt, Attempt::Calling { .. });
                    if is_calling && case.wakes_at().is_some() {
                        return broken("it is called and has a timer");
                    }
                }
                Stage::Over => return broken("it is over, and kept"),
                Stage::RelapseWindow { .. }
                | Stage::Unrouted
                | Stage::HandedOver(_)
                | Stage::AwaitingApproval(_) => {
                    if entry.is_some() {
                        return broken("it waits without an operation that may start");
                    }
                }
            }
            if !self.settings.knows(&key.target) && !self.removed.contains(&key.target) {
                return broken("nobody remembers to close it with its target");
            }
            let known = self.failures.get(&key.target);
            if !known.is_some_and(|failures| failures.contains(&key.failure)) {
                return broken("its target does not know it");
            }
        }
        let is_needless =
            |target: &&_| self.settings.knows(target) || !self.failures.contains_key(*target);
        if let Some(target) = self.removed.iter().find(is_needless) {
            return Err(format!("{target} is remembered as removed for nothing"));
        }
        for (target, id) in self.queue.busy() {
            let case = self.operations.get(id).and_then(|key| self.case(key));
            if !case.is_some_and(|case| matches!(case.stage, Stage::Running(_))) {
                return Err(format!("{target} is kept busy by {id}: {case:?}"));
            }
        }
        let failing = self.cases.values().filter(|case| case.is_failing()).count();
        let counted: u32 = self.failing.values().sum();
        let pairs = [
            ("timers", timers, self.timers.len()),
            ("objectives", objectives, self.objectives.len()),
            ("operations", operations, self.operations.len()),
            ("queued", queued, self.queue.len()),
            ("running", running, self.queue.running()),
            ("failing", failing, counted as usize),
        ];
        match pairs.iter().find(|(_, cases, kept)| cases != kept) {
            Some((what, cases, kept)) => {
                Err(format!("{what}: {cases} of the cases, and {kept} kept"))
            }
            None => Ok(()),
        }
    }
}
