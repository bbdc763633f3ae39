//! The start of a target: until each of its checks has passed once, or its start period is over, one that fails has seen
//! a start and no failure.
//!
//! Invariant: an end of the process itself is never excused, and with it the start is over.
//! Invariant: what a failing check saw during the start is not counted, so it neither opens nor reopens the circuit.

use super::{HealthChange, MOMENT, TargetHealth};
use crate::{
    health::{Observation, Outcome},
    time::Monotonic,
};
use std::time::Duration;

impl TargetHealth {
    /// Its process, or the foreign service, was started just now. A failure that is raised stays so until its checks
    /// pass; with a `period` of zero they count at once.
    pub fn started(&mut self, period: Duration, now: Monotonic) -> Vec<HealthChange> {
        let mut changes = Vec::new();
        let has_period = !period.is_zero();
        self.start_ends = has_period.then(|| now + period);
        for check in self.checks.iter_mut().filter(|check| !check.is_exit()) {
            check.begin_start(has_period);
        }
        self.begin_moment(now);
        self.settle(&mut changes);
        changes
    }

    /// The daemon was held up for so long, and may have seen no start and no end in that time: it has as long again. On the
    /// clock that `now` is of, on which a suspension of the machine takes no time.
    pub fn held_up(&mut self, length: Duration, now: Monotonic) {
        self.start_ends = self.start_ends.map(|ends| ends + length);
        let settles_at = self.settles_at.map(|settles| settles + length);
        // Where the clock stood still with the machine, one that is over must not become a long one.
        self.settles_at = settles_at.map(|settles| settles.min(now + MOMENT));
    }

    /// Its process has ended as its config expects, however soon that was: that it had ended otherwise before is over, also
    /// where a daemon saw that which is gone.
    pub fn completed(&mut self) -> Vec<HealthChange> {
        self.settles_at = None;
        for exit in self.checks.iter_mut().filter(|check| check.is_exit()) {
            exit.last = Some(Outcome::Healthy);
            exit.count_success();
            exit.begin_trial();
        }
        self.ended()
    }

    /// Its process has ended, or is stopped on purpose: nothing starts any more.
    pub fn ended(&mut self) -> Vec<HealthChange> {
        let mut changes = Vec::new();
        self.break_off_moment();
        for check in &mut self.checks {
            check.starting = false;
        }
        self.settle(&mut changes);
        changes
    }

    /// A person keeps it stopped, so nobody looks at it: what was raised nobody sees any more, and what was seen says
    /// nothing of what is started next.
    pub fn kept_stopped(&mut self) -> Vec<HealthChange> {
        let mut changes: Vec<HealthChange> = Vec::new();
        for failure in self.failing() {
            let change = HealthChange::FailureUnseen {
                failure: failure.clone(),
            };
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
        self.settles_at = None;
        for check in &mut self.checks {
            check.forget();
        }
        self.close(&mut changes);
        self.settle(&mut changes);
        changes
    }

    /// Whether this is a failure of a check that the start excuses: the check has not passed since, and still has time.
    pub fn is_excused_by_start(&self, seen: &Observation, now: Monotonic) -> bool {
        let has_time = self.start_ends.is_some_and(|end| now < end);
        let excused = || self.sampled(seen).is_some_and(|check| check.starting);
        seen.outcome == Outcome::Failed && has_time && excused()
    }

    pub(super) fn end_start(&mut self, changes: &mut Vec<HealthChange>) {
        for check in self.checks.iter_mut().filter(|check| check.starting) {
            check.starting = false;
            changes.push(HealthChange::CheckLate {
                check: check.name.clone(),
            });
        }
        self.settle(changes);
    }
}
