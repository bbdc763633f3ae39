//! What the daemon before had seen, and people were told by it.
//!
//! Invariant: what it left open has an end here, whatever happened while no daemon was there.

use super::Monitor;
use mainstay_domain::{
    incident::Incident,
    name::{CheckName, TargetName},
};

impl Monitor {
    /// Resumes failures that were open when the previous daemon ended, so that their end is reported. Call it before
    /// the first check.
    pub fn resume(&self, incidents: &[Incident]) {
        for open in incidents {
            if let Some(monitored) = self.core.get(&open.target) {
                monitored.lock().health.resume(&open.failure);
                self.core.changed.note(&open.target);
            }
        }
    }

    /// People were told by the previous daemon that these checks fail or warn, and not that they do not any more. Call it
    /// before the first check.
    pub fn resume_told(&self, checks: &[(TargetName, CheckName)]) {
        for (target, check) in checks {
            if let Some(monitored) = self.core.get(target) {
                monitored.lock().health.resume_told(check);
            }
        }
    }

    /// People were told by the previous daemon that it is blind, and not that it sees again.
    pub fn resume_blindness(&self) {
        let now = self.core.clock.monotonic();
        self.core.blindness.lock().resume(now);
    }
}
