//! When an incident gets its next operation.
//!
//! Invariant: a delay depends only on the record of the incident and on the present route, so another daemon, or
//! another config, computes the same.

use super::{
    Case, CaseKey, IllegalMove, InputTime, Outcome, Recovery, Stage, Work, spacing, words,
};
use crate::{
    backoff::Backoff,
    event::AfterEscalation,
    id::OperationId,
    incident::Incident,
    operation::{Mode, Operation, OperationEvent},
    policy::GateReason,
    queue::QueueEntry,
    record::Change,
    spec::RouteSpec,
    time::{Monotonic, Timestamp},
};
use std::time::Duration;

/// After a round that did not help, the next waits for the cooldown and at least this, doubled each time up to
/// [`LONGEST_BACKOFF`].
const SHORTEST_BACKOFF: Duration = Duration::from_secs(1);
/// The longest such wait.
const LONGEST_BACKOFF: Duration = Duration::from_secs(3600);

impl Recovery {
    /// Gives an open incident its next automatic operation, or says why there is none.
    pub(super) fn schedule(
        &mut self,
        case: &mut Case,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let key = case.key();
        if self.is_left_to_people(&key) {
            case.stage = Stage::Unrouted;
            let message = words::left_to_people(&key);
            self.escalate(case, None, (message, AfterEscalation::People), at, out);
            return Ok(());
        }
        if let Some(breach) = self.breach_by(&key.target) {
            self.count_refusal(GateReason::Forbidden);
            case.stage = Stage::Unrouted;
            let message = words::forbidden(&key, &breach);
            self.escalate(case, None, (message, AfterEscalation::People), at, out);
            return Ok(());
        }
        let Some(route) = self.settings.route(&key, case.incident.severity).cloned() else {
            case.stage = Stage::Unrouted;
            let message = words::no_route_fits(&key);
            self.escalate(case, None, (message, AfterEscalation::Route), at, out);
            return Ok(());
        };
        if route.simulate {
            return self.plan_only(case, route, at, out);
        }
        if case.incident.attempts >= route.strategy.max_attempts() {
            self.count_failed_round(case, at, out);
        }
        let operation = self.new_operation(&case.incident, Mode::Automatic, at.now);
        let mut work = Work::on(&case.incident, operation);
        if route.strategy.awaits_approval() {
            return self.await_operator(case, work, at, out);
        }
        let delay = self.next_delay(&key, &case.incident, &route, at);
        work.operation.due = (!delay.is_zero()).then(|| at.now + delay);
        out.writes.push(Change::Operation(work.operation.clone()));
        out.writes.push(words::scheduled(&work.operation, at.now));
        let entry = self.entry(&work.operation, at.monotonic + delay);
        self.queue.push(entry);
        case.stage = Stage::Queued(work);
        Ok(())
    }

    /// Whether only a person recovers this failure, by the present config.
    pub(super) fn is_left_to_people(&self, key: &CaseKey) -> bool {
        let target = self.settings.target(&key.target);
        target.is_some_and(|target| target.leaves_to_people(&key.failure))
    }

    /// The failure came back after the last attempt of a round, so none of them helped.
    fn count_failed_round(&mut self, case: &mut Case, at: InputTime, out: &mut Outcome) {
        let attempts = case.incident.attempts;
        case.incident.end_round(attempts);
        let message = words::round_did_not_help(&case.incident, attempts);
        let then = self.after_round(case);
        self.escalate(case, None, (message, then), at, out);
    }

    /// How long the next operation waits.
    pub(super) fn next_delay(
        &self,
        key: &CaseKey,
        incident: &Incident,
        route: &RouteSpec,
        at: InputTime,
    ) -> Duration {
        let cooldown =
            self.cooldowns
                .until(&key.target, &key.failure, route.cooldown, at.now, |since| {
                    self.timeline.lived_since(since)
                });
        let after_success = cooldown.map_or(Duration::ZERO, |until| until.since(at.now));
        let next = incident.attempts.saturating_add(1);
        let relapse = spacing::delay_before(route, incident, next).unwrap_or_default();
        let rounds = match incident.attempts {
            // Within a round its own delays count.
            1.. => Duration::ZERO,
            0 => Backoff::doubled(
                route.cooldown.max(SHORTEST_BACKOFF),
                route.cooldown.max(LONGEST_BACKOFF),
            )
            .after(incident.failures_in_a_row),
        };
        let flapping = route.strategy.back_off(self.flap_excess(key, at.monotonic));
        let after_failures = relapse.max(rounds).max(flapping);
        // Counted from the end of the last operation; a clock that went back makes it no longer.
        let since = incident.tried_at.unwrap_or(incident.opened_at);
        let left = (since + after_failures).since(at.now).min(after_failures);
        let resting = self.all_rest(key, route, at.now);
        after_success.max(left).max(resting)
    }

    pub(super) fn new_operation(
        &mut self,
        incident: &Incident,
        mode: Mode,
        now: Timestamp,
    ) -> Operation {
        let id = OperationId::new(self.ids.next(now));
        let (target, failure) = (incident.target.clone(), incident.failure.clone());
        let detected_at = incident.opened_at;
        let mut operation =
            Operation::scheduled(id, target, failure, incident.severity, mode, detected_at);
        operation.incident = Some(incident.id.clone());
        operation.attempts = incident.attempts;
        operation.output = incident.output().map(str::to_owned);
        operation
    }

    pub(super) fn entry(&self, operation: &Operation, due: Monotonic) -> QueueEntry {
        let target = self.settings.target(&operation.target);
        let priority = target.map_or(u8::MAX, |target| target.priority);
        QueueEntry {
            operation: operation.id.clone(),
            target: operation.target.clone(),
            priority: operation.mode.priority(priority),
            severity: operation.severity,
            due,
            depends_on: target.map_or_else(Vec::new, |target| target.depends_on.clone()),
            // Nothing bounds the end that a person wants.
            is_manual: operation.mode != Mode::Automatic || operation.cancel_asked.is_some(),
        }
    }

    /// A handler says that a person has to do something first: the operation waits for them, with the steps.
    pub(super) fn request_operator(
        &mut self,
        case: &mut Case,
        mut work: Work,
        why: String,
        steps: Vec<String>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        if case.cleared_during_operation {
            // Nothing more would ever say that it is over.
            self.leave_queue(&mut work, why);
            case.stage = Stage::Queued(work);
            let how = case.end_without_operation();
            return self.close_unrecovered(case, how, at, out);
        }
        self.ask_operator(case, work, why, steps, at, out)
    }

    /// The same, whether or not the failure is over.
    pub(super) fn ask_operator(
        &mut self,
        case: &mut Case,
        mut work: Work,
        why: String,
        steps: Vec<String>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        self.leave_queue(&mut work, why);
        work.operation.steps = steps;
        self.await_operator(case, work, at, out)
    }

    /// It is nobody's turn any more, for this reason.
    fn leave_queue(&mut self, work: &mut Work, why: String) {
        self.queue
            .finished(&work.operation.target, &work.operation.id);
        work.operation.error = Some(why.clone());
        work.error = Some(why);
    }

    /// The operation waits for a person's decision.
    pub(super) fn await_operator(
        &mut self,
        case: &mut Case,
        mut work: Work,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        work.operation.runbook = self.runbook(case);
        self.ask_for_approval(&mut work, at);
        self.step(&mut work, OperationEvent::NeedsOperator, at, out)?;
        out.writes.push(words::awaits(&work.operation, at.now));
        case.stage = Stage::AwaitingApproval(work);
        Ok(())
    }
}
