//! The first moment of a supervised process: one that was started just now may end at once, and until then somebody else
//! may answer in its place.
//!
//! Invariant: nothing that fails of a supervised target is over, and no trial of it, before its process has run for a
//! [`MOMENT`]. That it fails again is known at once.

use super::{CheckCounter, CircuitState, HealthChange, TargetHealth};
use crate::time::Monotonic;
use std::time::Duration;

/// So long a process has to run before it is said that a failure is over.
pub const MOMENT: Duration = Duration::from_secs(1);

impl TargetHealth {
    /// Whether the supervised process was started so shortly ago that it says nothing yet.
    pub fn is_settling(&self, now: Monotonic) -> bool {
        self.settles_at.is_some_and(|settles| now < settles)
    }

    /// Its process runs from now on, or is known to from now on.
    pub(super) fn begin_moment(&mut self, now: Monotonic) {
        let is_supervised = self.checks.iter().any(CheckCounter::is_exit);
        self.settles_at = is_supervised.then(|| now + MOMENT);
    }

    /// Its first process has ended, and the one that it left is looked for, so long at most: until that is known nothing is
    /// over.
    pub fn forks(&mut self, within: Duration, now: Monotonic) -> Vec<HealthChange> {
        let mut changes = Vec::new();
        let is_supervised = self.checks.iter().any(CheckCounter::is_exit);
        self.settles_at = is_supervised.then(|| now + within + MOMENT);
        self.settle(&mut changes);
        changes
    }

    /// Its process runs, whoever started it: a moment that was waited for until then begins.
    pub fn runs(&mut self, now: Monotonic) {
        if self.is_settling(now) {
            self.begin_moment(now);
        }
    }

    /// Forgets a moment that is over.
    pub(super) fn pass_moment(&mut self, now: Monotonic) {
        self.settles_at = self.settles_at.filter(|_| self.is_settling(now));
    }

    /// Its process did not outlive its moment: what passed meanwhile proves nothing.
    pub(super) fn break_off_moment(&mut self) {
        if self.settles_at.take().is_some() {
            for check in &mut self.checks {
                check.successes = 0;
            }
        }
    }

    /// When its moment is over, where something waits for that.
    pub(super) fn awaits_moment(&self) -> Option<Monotonic> {
        let waits = self.circuit == CircuitState::HalfOpen
            || self.checks.iter().any(CheckCounter::is_tried);
        self.settles_at.filter(|_| waits)
    }
}
