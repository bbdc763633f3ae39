//! Who has to approve, and what becomes of what nobody approves in time.

use super::{
    Case, CaseKey, IllegalMove, InputTime, Outcome, Recovery, Refusal, Stage, Work, words,
};
use crate::{
    actor::Actor,
    event::AfterEscalation,
    id::OperationId,
    incident::IncidentState,
    operation::{Approval, OperationEvent},
    text::list,
    time::Monotonic,
};
use std::time::Duration;

impl Recovery {
    /// An operation begins to wait for people.
    pub(super) fn ask_for_approval(&self, work: &mut Work, at: InputTime) {
        let policy = &self.settings.spec().policy;
        let asked = policy.approval_of(&work.operation.target);
        let needed = asked.needed.get();
        let is_said = needed > 1 || asked.expires.is_some();
        work.operation.approval = is_said.then(|| Approval {
            needed,
            given: Vec::new(),
            expires: asked.expires.map(|length| at.now + length),
        });
        work.expires = asked.expires.map(|length| at.monotonic + length);
    }

    /// When a wait for people ends that a daemon before began. A clock that went back makes it no longer than is configured.
    pub(super) fn approval_ends(&self, work: &Work, at: InputTime) -> Option<Monotonic> {
        let expires = work.operation.approval.as_ref()?.expires?;
        let policy = &self.settings.spec().policy;
        let asked = policy.approval_of(&work.operation.target);
        let longest = asked.expires.unwrap_or(Duration::MAX);
        Some(at.monotonic + expires.since(at.now).min(longest))
    }

    /// Whether they are of those who decide about this operation.
    pub(super) fn may_decide(&self, key: &CaseKey, by: &Actor) -> Result<(), Refusal> {
        let policy = &self.settings.spec().policy;
        let of = &policy.approval_of(&key.target).of;
        match of.is_empty() || of.contains(&by.name) {
            true => Ok(()),
            false => Err(Refusal::NotAllowed(format!(
                "{} is none of those who decide about the recovery of {}: {}",
                by.name,
                key.target,
                list(of, "nobody")
            ))),
        }
    }

    /// Whether they have not approved it before.
    pub(super) fn may_vote(
        &self,
        key: &CaseKey,
        id: &OperationId,
        by: &Actor,
    ) -> Result<(), Refusal> {
        let work = self.case(key).and_then(|case| case.work());
        let approval = work.and_then(|work| work.operation.approval.as_ref());
        match approval {
            Some(approval) if approval.has(by) => Err(Refusal::Conflict(format!(
                "{} has approved {id} before; {} more of other people have to",
                by.name,
                approval.missing()
            ))),
            _ => Ok(()),
        }
    }

    /// Nobody has decided in time: people are told, and it is left to them.
    pub(super) fn approval_expired(
        &mut self,
        case: &mut Case,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let Stage::AwaitingApproval(work) = &case.stage else {
            return Ok(());
        };
        let mut work = work.clone();
        let (target, failure) = (&case.incident.target, &case.incident.failure);
        let (message, missed, error) = match work.operation.doubt.as_deref() {
            Some(doubt) => {
                let missed = format!(
                    "nobody said in time whether effect {} of its recovery happened",
                    doubt.number
                );
                let message = format!(
                    "nobody said in time whether effect {} of the recovery of {target} from {failure} happened",
                    doubt.number
                );
                (message, missed.clone(), missed)
            }
            None => (
                format!("nobody approved the recovery of {target} from {failure} in time"),
                "nobody approved its recovery in time".to_owned(),
                "nobody approved it in time".to_owned(),
            ),
        };
        case.incident.handed_over = Some(missed);
        if self.has_always_behind(&work) {
            work.operation.escalated = true;
            let operation = self.end_doubt(case, work, &error, at, out)?;
            let told = (message, AfterEscalation::People);
            self.escalate(case, Some(&operation), told, at, out);
            return Ok(());
        }
        work.operation.error = Some(error);
        self.step(&mut work, OperationEvent::GaveUp, at, out)?;
        let again = case.incident.state == IncidentState::Escalated;
        out.writes
            .push(words::ended(&work.operation, false, again, at.now));
        let told = (message, AfterEscalation::People);
        self.escalate(case, Some(&work.operation), told, at, out);
        self.hand_over_to_operator(case, at, out);
        Ok(())
    }
}
