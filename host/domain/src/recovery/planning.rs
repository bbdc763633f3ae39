//! What is planned for the failures of routes that only simulate: for each once, in a dry run of which nobody waits for the
//! answer.
//!
//! Invariant: a plan that is still to be made is on record, or the daemon has made it: the next one makes what this one has
//! left.

use super::{
    Case, CaseKey, IllegalMove, InputTime, Outcome, Recovery, Refusal, Reply, Stage, Work,
    dry_run::CONCURRENT_DRY_RUNS,
    operator_decision::{OperatorDecision, answer, at_revision},
    recovered::INTERRUPTIONS,
    words,
};
use crate::{
    event::AfterEscalation,
    incident::{Incident, IncidentState},
    operation::{Mode, Operation, OperationEvent, OperationState},
    record::Change,
    spec::RouteSpec,
};
use std::sync::Arc;

/// So many dry runs while plans wait for the end of these: what a person asks for has room.
const WITH_OTHERS_WAITING: usize = CONCURRENT_DRY_RUNS - 1;
/// Why one is not made that has waited.
const NOT_WANTED: &str = "before its turn its failure was over, or was recovered otherwise";

impl Recovery {
    /// The route of a failure only simulates: it is left to people, who are told once, and see what would be done.
    pub(super) fn plan_only(
        &mut self,
        case: &mut Case,
        route: Arc<RouteSpec>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let is_news = case.incident.state == IncidentState::Open;
        case.stage = Stage::Unrouted;
        let told = (words::only_simulated(&case.key()), AfterEscalation::People);
        self.escalate(case, None, told, at, out);
        if !is_news {
            return Ok(());
        }
        let work = self.new_plan(&case.incident, at);
        let has_room = self.dry_runs.len() < CONCURRENT_DRY_RUNS && self.unplanned.is_empty();
        if !has_room || self.stopping {
            return self.plan_later(work, at, out);
        }
        out.writes.push(words::scheduled(&work.operation, at.now));
        self.plan(work, &case.incident, route, at, out)
    }

    /// Begins the plans that have waited for room, where they are wanted still.
    pub(super) fn plan_waiting(
        &mut self,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        while self.dry_runs.len() < WITH_OTHERS_WAITING && !self.stopping {
            let Some((key, mut work)) = self.unplanned.pop_first() else {
                return Ok(());
            };
            let incident = self.planned_for(&key);
            let route = incident.as_ref().and_then(|incident| {
                let route = self.settings.route(&key, incident.severity).cloned();
                route.filter(|route| route.simulate)
            });
            let (Some(incident), Some(route)) = (incident, route) else {
                self.cancel_operation(&mut work, OperationEvent::Cancelled, NOT_WANTED, at, out)?;
                continue;
            };
            work.operation.severity = incident.severity;
            self.plan(work, &incident, route, at, out)?;
        }
        Ok(())
    }

    fn plan(
        &mut self,
        work: Work,
        incident: &Incident,
        route: Arc<RouteSpec>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let dry_run = self.begin_planning(work, route, at, out)?;
        self.dry_run_step(dry_run, 0, Some(incident), at, out)
    }

    fn new_plan(&mut self, incident: &Incident, at: InputTime) -> Work {
        let mut operation = self.new_operation(incident, Mode::Automatic, at.now);
        operation.incident = None;
        operation.dry_run = true;
        Work::new(operation)
    }

    /// Puts on record that it is to be planned.
    fn plan_later(
        &mut self,
        work: Work,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        out.writes.push(Change::Operation(work.operation.clone()));
        out.writes.push(words::scheduled(&work.operation, at.now));
        self.await_room(work, at, out)
    }

    /// One that is on record waits. One that its failure had before is of an incident that is over.
    fn await_room(
        &mut self,
        work: Work,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let key = CaseKey::from(&work.operation);
        match self.unplanned.insert(key, work) {
            Some(mut before) => {
                let event = OperationEvent::Cancelled;
                self.cancel_operation(&mut before, event, NOT_WANTED, at, out)
            }
            None => Ok(()),
        }
    }

    /// The daemon before has not ended this plan: it is made where its failure is left to people still, but not for ever.
    pub(super) fn plan_recovered(
        &mut self,
        operation: Operation,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        if operation.state == OperationState::Scheduled {
            return self.await_room(Work::new(operation), at, out);
        }
        let interruptions = operation.interruptions.saturating_add(1);
        let goes_on = interruptions < INTERRUPTIONS;
        let wanted = goes_on && operation.cancel_asked.is_none();
        let incident = self.planned_for(&CaseKey::from(&operation));
        let why = match operation.cancel_asked.clone() {
            Some(asked) => asked,
            None if goes_on => {
                "the daemon ended while it ran; what holds is planned again".to_owned()
            }
            None => format!(
                "the daemon ended {INTERRUPTIONS} times while it ran; ask for it: \
                 `mainstay recover {} --failure {} --dry-run`",
                operation.target, operation.failure
            ),
        };
        let mut before = Work::new(operation);
        self.cancel_operation(&mut before, OperationEvent::Cancelled, &why, at, out)?;
        let Some(incident) = incident.filter(|_| wanted) else {
            return Ok(());
        };
        let mut work = self.new_plan(&incident, at);
        work.operation.interruptions = interruptions;
        self.plan_later(work, at, out)
    }

    /// The incident of this failure, where it holds and nothing is done by itself.
    fn planned_for(&self, key: &CaseKey) -> Option<Incident> {
        let case = self.case(key)?;
        let holds = matches!(case.stage, Stage::Unrouted) && case.incident.state.is_open();
        holds.then(|| Incident::clone(&case.incident))
    }

    /// A person does not want a plan that waits. None where this is none.
    pub(super) fn cancel_plan(
        &mut self,
        decision: &OperatorDecision<'_>,
        why: &str,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Option<Result<Reply, Refusal>>, IllegalMove> {
        let mut waiting = self.unplanned.iter();
        let found = waiting.find(|(_, work)| work.operation.id == *decision.id);
        let Some((key, work)) = found else {
            return Ok(None);
        };
        if let Err(refusal) = at_revision(decision, &work.operation) {
            return Ok(Some(Err(refusal)));
        }
        let key = key.clone();
        let Some(mut work) = self.unplanned.remove(&key) else {
            return Ok(None);
        };
        self.cancel_operation(&mut work, OperationEvent::Cancelled, why, at, out)?;
        Ok(Some(answer(decision.id, Some(work.operation))))
    }
}
