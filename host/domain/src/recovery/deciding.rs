//! A plugin decides when a recovery is attempted again.
//!
//! Invariant: nobody waits for the plugin for ever: the next attempt is queued before it is asked, and follows by the
//! route's own strategy where no answer comes.
//! Invariant: there are no more attempts than that strategy allows; the plugin is asked before the last one at most.

use super::{
    Action, Case, Decide, IllegalMove, InputTime, Outcome, Recovery, Stage, Work, spacing, words,
};
use crate::{
    call::{AttemptRecord, NextStep, Situation},
    id::OperationId,
    incident::Incident,
    spec::RouteSpec,
    time::Timestamp,
};
use std::time::Duration;

/// How long an answer is waited for, at least: longer than the call of a plugin may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a strategy is asked about an operation, and what it said.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Deciding {
    /// When the present attempt began.
    began: Option<Timestamp>,
    /// Failed attempts, oldest first; of routes with such a plugin alone.
    tried: Vec<AttemptRecord>,
    decision: Decision,
}

#[derive(Debug, Clone, PartialEq, Default)]
enum Decision {
    /// The route's own strategy decides.
    #[default]
    Own,
    /// It was asked after the attempt with this number.
    Asked(u32),
    /// It said how long is waited.
    Waits(Duration),
}

impl Deciding {
    /// An attempt begins.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.began = Some(now);
        self.decision = Decision::Own;
    }

    /// The daemon before this one had chosen a wait, of which so much is left.
    pub(super) fn resume(&mut self, left: Duration) {
        self.decision = Decision::Waits(left);
    }

    /// What is waited after the failed attempt, where the route's own strategy has this wait.
    pub(super) fn wait(&self, route: &RouteSpec, own: Duration) -> Duration {
        match self.decision {
            _ if route.decider.is_none() => own,
            Decision::Own => own,
            Decision::Asked(_) => own.max(PATIENCE),
            Decision::Waits(wait) => wait,
        }
    }
}

impl Recovery {
    /// Asks the plugin that decides for the route, where it has one.
    pub(super) fn ask_strategy(
        &self,
        work: &mut Work,
        incident: &Incident,
        route: &RouteSpec,
        error: &str,
        at: InputTime,
    ) -> Option<Action> {
        let decider = route.decider.as_ref()?;
        let operation = &work.operation;
        let attempt = operation.attempts;
        let handler = operation.handler.as_ref();
        let version = operation.handler_version.as_ref();
        let deciding = &mut work.deciding;
        deciding.tried.push(AttemptRecord {
            number: attempt,
            began: deciding.began.unwrap_or(at.now),
            ended: at.now,
            handler: handler.map(ToString::to_string).unwrap_or_default(),
            version: version.map(ToString::to_string).unwrap_or_default(),
            error: error.to_owned(),
        });
        let excess = deciding
            .tried
            .len()
            .saturating_sub(Situation::MOST_ATTEMPTS);
        deciding.tried.drain(..excess);
        deciding.decision = Decision::Asked(attempt);
        let rto = self.settings.rto(&operation.target);
        let spent = self.failed_for(incident);
        Some(Action::Decide(Box::new(Decide {
            operation: operation.id.clone(),
            attempt,
            plugin: decider.plugin.clone(),
            version: decider.version.clone(),
            situation: Situation {
                target: operation.target.clone(),
                failure: operation.failure.clone(),
                severity: operation.severity,
                recurrence: incident.recurrence,
                phase: self.phase().as_str().to_owned(),
                now: at.now,
                detected_at: operation.detected_at,
                remaining: Some(rto.saturating_sub(spent)),
                attempts: deciding.tried.clone(),
                params: decider.params.clone(),
            },
        })))
    }

    /// A strategy answered.
    pub(super) fn decided(
        &mut self,
        id: &OperationId,
        attempt: u32,
        next: Result<NextStep, String>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        // It may be over meanwhile, or go on.
        let Some(key) = self.operations.get(id).cloned() else {
            return Ok(());
        };
        self.try_with(&key, out, |machine, case, out| {
            let Stage::Queued(work) = &mut case.stage else {
                return Ok(());
            };
            if work.deciding.decision != Decision::Asked(attempt) {
                return Ok(());
            }
            let error = work.error.clone().unwrap_or_default();
            let route = work.route.clone();
            let own = route.as_ref().and_then(|route| {
                let next = attempt.saturating_add(1);
                spacing::delay_before(route, &case.incident, next)
            });
            let own = own.unwrap_or_default();
            let (wait, error) = match next {
                Ok(NextStep::AttemptAfter(wait)) => {
                    let wait = wait.min(NextStep::LONGEST_WAIT);
                    work.deciding.decision = Decision::Waits(wait);
                    (wait, error)
                }
                Err(why) => {
                    work.deciding.decision = Decision::Own;
                    let own_decides = "its strategy gave no answer, so the route's own decides";
                    (own, format!("{error}; {own_decides}: {why}"))
                }
                Ok(NextStep::Escalate(why)) => {
                    let words = format!("{error}; its strategy asks for a person: {why}");
                    let steps = vec![
                        format!("see why it was not recovered: {why}"),
                        "approve this operation for another attempt, or reject it".to_owned(),
                    ];
                    let Some(work) = machine.take_queued(case, id) else {
                        return Ok(());
                    };
                    return machine.request_operator(case, work, words, steps, at, out);
                }
                Ok(NextStep::GiveUp(why)) => {
                    let why = format!("{error}; its strategy gives up: {why}");
                    let Some(work) = machine.take_queued(case, id) else {
                        return Ok(());
                    };
                    return machine.give_up(case, work, why, at, out);
                }
            };
            out.writes
                .push(words::retrying(&work.operation, &error, wait, at.now));
            let due = work.tried_at.unwrap_or(at.monotonic) + wait;
            machine.retime(work, due, at, out);
            Ok(())
        })
    }

    /// Takes out what rests, to be put into another stage.
    fn take_queued(&mut self, case: &mut Case, id: &OperationId) -> Option<Work> {
        match std::mem::replace(&mut case.stage, Stage::Over) {
            Stage::Queued(work) => {
                self.queue.remove(id);
                Some(work)
            }
            other => {
                case.stage = other;
                None
            }
        }
    }
}
