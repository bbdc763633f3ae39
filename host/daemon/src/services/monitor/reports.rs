//! Failures that are reported, beside those that checks see.
//!
//! Invariant: what is reported holds until it is taken back, whatever the checks see; and what the checks see goes on
//! to hold when it is.

use super::{Core, Monitor};
use crate::ports::{Finding, Reports};
use mainstay_domain::{
    health::Evidence,
    name::{FailureType, TargetName},
    severity::Severity,
};
use std::collections::HashSet;

impl Reports for Monitor {
    fn reported(
        &self,
        target: &TargetName,
        failure: &FailureType,
        severity: Severity,
        evidence: Evidence,
    ) {
        let core = &self.core;
        let Some(monitored) = core.get(target) else {
            return;
        };
        // Held, so that the engine hears of one target in order.
        let state = monitored.lock();
        core.reported
            .lock()
            .entry(target.clone())
            .or_default()
            .insert(failure.clone());
        core.finding_sender.send(Finding::Raised {
            target: target.clone(),
            failure: failure.clone(),
            severity,
            detected_at: evidence.observed_at,
            evidence,
        });
        drop(state);
        core.changed.note(target);
    }

    fn taken_back(&self, target: &TargetName, failure: &FailureType, is_over: bool) {
        let core = &self.core;
        let Some(monitored) = core.get(target) else {
            return;
        };
        let state = monitored.lock();
        let mut reported = core.reported.lock();
        let was_reported = reported.get_mut(target);
        if !was_reported.is_some_and(|reported| reported.remove(failure)) {
            return;
        }
        drop(reported);
        if !state.health.is_failing(failure) {
            let (target, failure) = (target.clone(), failure.clone());
            core.finding_sender.send(match is_over {
                true => Finding::Cleared {
                    target,
                    failure,
                    at: core.clock.now(),
                },
                false => Finding::Unseen {
                    target,
                    failure,
                    stopped: None,
                },
            });
        }
        drop(state);
        core.changed.note(target);
    }
}

impl Core {
    pub(super) fn is_reported(&self, target: &TargetName, failure: &FailureType) -> bool {
        let reported = self.reported.lock();
        let of_target = reported.get(target);
        of_target.is_some_and(|of_target| of_target.contains(failure))
    }

    /// Whether anything is reported of it.
    pub(super) fn has_report(&self, target: &TargetName) -> bool {
        let reported = self.reported.lock();
        let of_target = reported.get(target);
        of_target.is_some_and(|of_target| !of_target.is_empty())
    }

    /// The targets of which [`Core::has_report`] is true.
    pub(super) fn all_reported(&self) -> HashSet<TargetName> {
        let reported = self.reported.lock();
        let held = reported.iter().filter(|(_, held)| !held.is_empty());
        held.map(|(target, _)| target.clone()).collect()
    }

    /// Whether it says that a failure has ended that is reported to hold.
    pub(super) fn is_contradicted(&self, finding: &Finding) -> bool {
        match finding {
            Finding::Cleared {
                target, failure, ..
            }
            | Finding::Unseen {
                target, failure, ..
            } => self.is_reported(target, failure),
            Finding::Exited { .. } | Finding::Raised { .. } => false,
        }
    }
}
