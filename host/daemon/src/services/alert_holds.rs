//! What holds alerts back: a silence, or an open incident of what their target depends on.

use super::{shared::Shared, silences::SilenceService};
use crate::ports::{AlertHolds, RecoveryControl};
use mainstay_domain::{
    alert::{Alert, failing_dependency},
    name::TargetName,
};
use std::{sync::Arc, time::Duration};

/// What holds alerts back.
pub struct Holds {
    /// The config has what depends on what.
    pub shared: Shared,
    /// Knows what is failing.
    pub recovery: Arc<dyn RecoveryControl>,
    /// What people do not want to hear of for a while.
    pub silences: Arc<SilenceService>,
}

impl AlertHolds for Holds {
    fn why(&self, alert: &Alert) -> Option<String> {
        if let Some(why) = self.silences.why(alert) {
            return Some(why);
        }
        let target = alert.target.as_ref()?;
        let spec = Arc::clone(&self.shared.spec.borrow());
        let is_failing = |name: &TargetName| {
            let active = self.recovery.active(name);
            active.is_some_and(|active| active.incident.is_some())
        };
        let failing = failing_dependency(&spec, target, is_failing)?;
        Some(format!("{failing} is failing"))
    }

    fn pass(&self) -> Option<Duration> {
        self.silences.pass()
    }
}
