//! What holds alerts back: an open incident of what their target depends on.

use super::shared::Shared;
use crate::ports::{AlertHolds, RecoveryControl};
use mainstay_domain::{
    alert::{Alert, failing_dependency},
    name::TargetName,
};
use std::sync::Arc;

/// What holds alerts back.
pub struct Holds {
    /// The config has what depends on what.
    pub shared: Shared,
    /// Knows what is failing.
    pub recovery: Arc<dyn RecoveryControl>,
}

impl AlertHolds for Holds {
    fn why(&self, alert: &Alert) -> Option<String> {
        let target = alert.target.as_ref()?;
        let spec = Arc::clone(&self.shared.spec.borrow());
        let is_failing = |name: &TargetName| {
            let active = self.recovery.active(name);
            active.is_some_and(|active| active.incident.is_some())
        };
        let failing = failing_dependency(&spec, target, is_failing)?;
        Some(format!("{failing} is failing"))
    }
}
