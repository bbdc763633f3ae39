//! When people are told of a failure that recovery has not ended, who takes it on, and when it is told once more.
//!
//! Invariant: times are counted from the first detection, and from when people were told, by the time that was lived, over
//! all daemons; each step is said once for each incident.
//! Invariant: what a person took on, or ended by hand, nobody is told of because of the time that it takes.

use super::{Case, CaseKey, InputTime, Outcome, Recovery, Refusal, Reply, Stage, words};
use crate::{
    actor::Actor,
    id::IncidentId,
    incident::{Acknowledgement, IncidentState},
    measure::length,
    text::counted,
    time::Monotonic,
};

/// What a person says who takes an incident on.
pub(super) struct TakenOn<'a> {
    pub(super) key: &'a CaseKey,
    pub(super) incident: &'a IncidentId,
    pub(super) by: &'a Actor,
    pub(super) reason: &'a str,
}

impl Recovery {
    /// Says when the next step of escalation is due by the clock, by the present config.
    pub(super) fn set_escalation(&self, case: &mut Case, at: InputTime) {
        let spec = &self.settings.spec().escalation;
        let incident = &case.incident;
        let escalation = &incident.escalation;
        let left = match escalation.told_at {
            _ if !self.settings.knows(&incident.target) => None,
            _ if escalation.acknowledged.is_some() || incident.by_hand => None,
            None if incident.state != IncidentState::Open => None,
            None => {
                let failed = self.failed_for(incident);
                spec.after.map(|after| after.saturating_sub(failed))
            }
            Some(_) if escalation.second_level_at.is_some() => None,
            Some(told_at) => {
                let told = self.timeline.lived_since(told_at);
                let after = spec.second_level_after;
                after.map(|after| after.saturating_sub(told))
            }
        };
        case.escalates = left.map(|left| at.monotonic + left);
    }

    /// Does the step that is due by the clock, where it still is.
    pub(super) fn escalate_due(&mut self, case: &mut Case, at: InputTime, out: &mut Outcome) {
        // A person may have decided meanwhile, and the clocks have gone on differently.
        self.set_escalation(case, at);
        let is_due = |due: Option<Monotonic>| due.is_some_and(|due| due <= at.monotonic);
        if !is_due(case.escalates) {
            return;
        }
        let Some(told_at) = case.incident.escalation.told_at else {
            let lasts = self.failed_for(&case.incident);
            let waits = match case.stage {
                Stage::AwaitingApproval(_) => "; it waits for a person",
                _ => "",
            };
            let message = format!(
                "{} is not recovered from {} after {}{waits}",
                case.incident.target,
                case.incident.failure,
                length(lasts)
            );
            self.tell_overdue(case, message, at, out);
            return;
        };
        case.incident.escalation.second_level_at = Some(at.now);
        self.set_escalation(case, at);
        let told = self.timeline.lived_since(told_at);
        let runbook = self.runbook(case);
        let operation = case.operation().cloned();
        let event =
            words::unacknowledged(&case.incident, operation.as_ref(), told, runbook, at.now);
        out.writes.push(event);
    }

    /// An attempt did not help, and another follows: people are told where that were enough of them.
    pub(super) fn escalate_by_attempts(
        &mut self,
        case: &mut Case,
        attempts: u32,
        at: InputTime,
        out: &mut Outcome,
    ) {
        let escalation = &case.incident.escalation;
        let is_known = escalation.told_at.is_some() || escalation.acknowledged.is_some();
        let enough = self.settings.spec().escalation.attempts;
        let is_due = enough.is_some_and(|enough| attempts >= enough);
        if !is_due || is_known || case.incident.state != IncidentState::Open {
            return;
        }
        let message = format!(
            "{} to recover {} from {} did not help; others follow",
            counted(attempts, "attempt"),
            case.incident.target,
            case.incident.failure
        );
        self.tell_overdue(case, message, at, out);
    }

    fn tell_overdue(&mut self, case: &mut Case, message: String, at: InputTime, out: &mut Outcome) {
        self.told(case, at);
        let runbook = self.runbook(case);
        if let Some(work) = case.work_mut()
            && work.operation.runbook.is_empty()
            && !runbook.is_empty()
        {
            work.revise(out, |operation| operation.runbook.clone_from(&runbook));
        }
        let open = self.timeline.lived_since(case.detected_at());
        let operation = case.operation().cloned();
        let event = words::overdue(
            &case.incident,
            operation.as_ref(),
            (message, open),
            runbook,
            at.now,
        );
        out.writes.push(event);
    }

    /// People are told of it: from the first time on it is waited for who takes it on.
    pub(super) fn told(&self, case: &mut Case, at: InputTime) {
        case.incident.escalation.told_at.get_or_insert(at.now);
        self.set_escalation(case, at);
    }

    /// What a person has to do about the failure of a case, by the present config.
    pub(super) fn runbook(&self, case: &Case) -> Vec<String> {
        let spec = &self.settings.spec().escalation;
        spec.runbook(&case.incident.failure)
    }

    /// A person takes an incident on.
    pub(super) fn acknowledge(
        &mut self,
        taken: &TakenOn<'_>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let id = taken.incident;
        let found = self.case(taken.key);
        let found = found.filter(|case| case.incident.id == *id);
        let Some(case) = found.filter(|case| case.is_failing()) else {
            // One that is open is listed so.
            let open = found.filter(|case| case.incident.state.is_open());
            let why = match open.and_then(|case| case.incident.relapse_until) {
                Some(until) => format!(
                    "{id} is healthy again, and over at {until} if it stays so: there is nothing to take on as long as it does not come \
                     back; `mainstay note {id}` writes down what you found"
                ),
                None => format!(
                    "{id} does not last any more, so nobody has to take it on; see mainstay incident show {id}"
                ),
            };
            return Err(Refusal::Conflict(why));
        };
        if let Some(before) = &case.incident.escalation.acknowledged {
            return Err(Refusal::Conflict(format!(
                "{id} was taken on by {} at {}; `mainstay note {id}` writes more down",
                before.by, before.at
            )));
        }
        self.with(taken.key, out, |machine, case, out| {
            case.incident.escalation.acknowledged = Some(Acknowledgement {
                by: taken.by.name.clone(),
                note: taken.by.note.clone(),
                reason: taken.reason.to_owned(),
                at: at.now,
            });
            machine.set_escalation(case, at);
            let event = words::acknowledged(&case.incident, taken.by, taken.reason, at.now);
            out.writes.push(event);
        });
        Ok(Reply::Done)
    }
}
