//! A check that could not look, for the host's own reasons.
//!
//! Invariant: this changes what is shown as health alone; no count, no failure and no circuit.

use super::{HealthChange, TargetHealth};
use crate::name::CheckName;

impl TargetHealth {
    /// This check could not look for long. Until it has looked again the target is not shown as healthy; what is raised
    /// holds as before.
    pub fn lost_sight(&mut self, check: &CheckName) -> Vec<HealthChange> {
        self.show_unseen(check, true)
    }

    /// This check has looked, though what it saw counts as nothing: it is not blind any more, and what counted last is
    /// shown again.
    pub fn regained_sight(&mut self, check: &CheckName) -> Vec<HealthChange> {
        self.show_unseen(check, false)
    }

    fn show_unseen(&mut self, check: &CheckName, is_unseen: bool) -> Vec<HealthChange> {
        let mut changes = Vec::new();
        let sampled = self.checks.iter_mut().filter(|one| !one.is_exit());
        for one in sampled.filter(|one| one.name == *check) {
            one.is_unseen = is_unseen;
        }
        self.settle(&mut changes);
        changes
    }
}
