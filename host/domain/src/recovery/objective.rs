//! The recovery time objective: that it is exceeded is said when it is, and once for each incident.
//!
//! Invariant: it is counted from the first detection, by the time that was lived, over all operations and all daemons; the
//! time in which the target was verified healthy, between a recovery and a relapse, is no part of it.
//! Invariant: only while the failure holds: what has recovered and may come back exceeds nothing meanwhile.

use super::{Case, InputTime, Outcome, Recovery, words};
use crate::incident::Incident;
use crate::time::Monotonic;
use std::time::Duration;

impl Recovery {
    /// How long a failure that holds has held since its first detection, without the time in which it was over.
    pub(super) fn failed_for(&self, incident: &Incident) -> Duration {
        let lived = self.timeline.lived_since(incident.opened_at);
        lived.saturating_sub(incident.calm())
    }

    /// The target was verified healthy since its last recovery, and is not left alone any more. For how long that was.
    pub(super) fn end_calm(&self, case: &mut Case, at: InputTime) -> Option<Duration> {
        let calm = self.timeline.lived_since(case.incident.tried_at?);
        case.incident.add_calm(calm);
        self.set_objective(case, at);
        Some(calm)
    }

    /// Says when the objective of this case ends, by the present config.
    pub(super) fn set_objective(&self, case: &mut Case, at: InputTime) {
        let rto = self.settings.rto(&case.incident.target);
        let lived = self.failed_for(&case.incident);
        // Of what the config has no more nothing is known that could be missed.
        let is_known = self.settings.knows(&case.incident.target);
        case.objective = is_known.then(|| at.monotonic + rto.saturating_sub(lived));
        self.set_escalation(case, at);
    }

    /// Says of each case whose objective has ended that it is exceeded, and does what its escalation asks for. Not while the
    /// daemon ends: the next one does.
    pub(super) fn exceed_due(&mut self, at: InputTime, out: &mut Outcome) {
        while !self.stopping
            && self
                .objectives
                .first()
                .is_some_and(|(due, _)| *due <= at.monotonic)
        {
            let Some((_, key)) = self.objectives.pop_first() else {
                return;
            };
            self.with(&key, out, |machine, case, out| {
                machine.exceed(case, at, out)
            });
        }
    }

    fn exceed(&mut self, case: &mut Case, at: InputTime, out: &mut Outcome) {
        let is_due = |due: Option<Monotonic>| due.is_some_and(|due| due <= at.monotonic);
        if is_due(case.objective) && case.incident.rto_exceeded_at.is_none() {
            self.exceed_objective(case, at, out);
        }
        if is_due(case.escalates) {
            self.escalate_due(case, at, out);
        }
    }

    fn exceed_objective(&mut self, case: &mut Case, at: InputTime, out: &mut Outcome) {
        let rto = self.settings.rto(&case.incident.target);
        let lived = self.failed_for(&case.incident);
        if lived < rto {
            // The clocks went on differently than it looked.
            self.set_objective(case, at);
            return;
        }
        case.incident.rto_exceeded_at = Some(at.now);
        out.writes.push(words::rto_exceeded(
            &case.incident,
            case.operation(),
            rto,
            lived,
            at.now,
        ));
    }
}
