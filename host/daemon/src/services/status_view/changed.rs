//! The targets whose rows `status` has to renew.
//!
//! Invariant: note a name after the change. Then whoever takes the names and looks afterwards sees every change.

use mainstay_domain::name::TargetName;
use parking_lot::Mutex;
use std::{collections::HashSet, sync::Arc};

/// Names of targets of which something that `status` shows has changed, until they are taken. Clones are the same set.
#[derive(Debug, Clone, Default)]
pub struct ChangedTargets(Arc<Mutex<HashSet<TargetName>>>);

impl ChangedTargets {
    /// Something of this target has changed.
    pub fn note(&self, target: &TargetName) {
        let mut names = self.0.lock();
        // Most are noted already where nobody asks for the status.
        if !names.contains(target) {
            names.insert(target.clone());
        }
    }

    /// What was noted since this was asked last.
    pub fn take(&self) -> HashSet<TargetName> {
        std::mem::take(&mut *self.0.lock())
    }
}
