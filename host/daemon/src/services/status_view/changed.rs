//! Which targets `status` has to be told anew.
//!
//! Invariant: a name is noted after what it stands for has changed, so that who takes the names and then looks sees
//! every change whose name it took.

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
