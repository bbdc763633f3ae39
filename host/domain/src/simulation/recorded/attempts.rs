//! What the attempts of a recorded day came to, as rules for handlers.

use super::super::rule::{Answer, Rule};
use crate::{
    event::{Event, EventData, EventKind},
    id::OperationId,
    name::{FailureType, TargetName},
    route::RouteTable,
    severity::Severity,
    spec::Spec,
    time::Timestamp,
};
use std::{collections::BTreeMap, time::Duration};

/// What comes back so long after the success is still its doing.
const SLACK: Duration = Duration::from_secs(2);

/// The attempts of operations, and what came of them.
pub(super) struct Attempts<'a> {
    spec: &'a Spec,
    table: RouteTable,
    open: BTreeMap<OperationId, Attempt>,
    pub(super) rules: Vec<Rule>,
    pub(super) healed: Vec<Healed>,
}

/// One that is under way.
struct Attempt {
    number: u32,
    began: Timestamp,
    /// When its handlers were done.
    done: Option<Timestamp>,
    /// How many steps of its chain are called where each is done, and where the first fails.
    steps: (u32, u32),
}

/// From when to when a failure was ended by a handler.
pub(super) struct Healed {
    pub(super) target: TargetName,
    pub(super) failure: FailureType,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(spec: &'a Spec) -> Self {
        Self {
            spec,
            table: RouteTable::new(&spec.routes),
            open: BTreeMap::new(),
            rules: Vec::new(),
            healed: Vec::new(),
        }
    }

    pub(super) fn hear(&mut self, event: &Event) {
        let (Some(id), Some(target)) = (&event.operation, &event.target) else {
            return;
        };
        match &event.data {
            EventData::OperationStarted(facts) if !facts.about.dry_run => {
                let attempt = Attempt {
                    number: facts.attempt,
                    began: event.at,
                    done: None,
                    steps: self.steps_of(target, &facts.about.failure, event.severity),
                };
                self.open.insert(id.clone(), attempt);
            }
            EventData::OperationValidating(_) => {
                if let Some(attempt) = self.open.get_mut(id) {
                    attempt.done = Some(event.at);
                }
            }
            EventData::OperationRetrying(facts) => {
                let answer = Answer::Fails;
                let steps = self.open.get(id).map_or((1, 1), |attempt| attempt.steps);
                self.ended(
                    id,
                    target,
                    &facts.about.failure,
                    answer,
                    Some(facts.error.as_str()),
                    event.at,
                );
                let next = Attempt {
                    number: facts.attempt.saturating_add(1),
                    began: event.at + Duration::from_millis(facts.delay_ms),
                    done: None,
                    steps,
                };
                self.open.insert(id.clone(), next);
            }
            EventData::OperationAwaitingManual(facts) => {
                let why = facts.steps.join("; ");
                let answer = Answer::NeedsPerson;
                self.ended(
                    id,
                    target,
                    &facts.about.failure,
                    answer,
                    Some(why.as_str()),
                    event.at,
                );
            }
            EventData::OperationEnded(facts) => {
                let answer = match event.kind {
                    EventKind::OperationSucceeded => Answer::Succeeds,
                    _ => Answer::FailsForGood,
                };
                let why = facts.outcome.error.as_deref();
                self.ended(id, target, &facts.about.failure, answer, why, event.at);
            }
            EventData::OperationCancelled(_) => drop(self.open.remove(id)),
            _ => {}
        }
    }

    /// The attempt that is under way came to this. One whose handlers were done and which did not succeed did nothing.
    fn ended(
        &mut self,
        id: &OperationId,
        target: &TargetName,
        failure: &FailureType,
        answer: Answer,
        why: Option<&str>,
        at: Timestamp,
    ) {
        let Some(attempt) = self.open.remove(id) else {
            return;
        };
        if answer == Answer::Succeeds {
            self.healed.push(Healed {
                target: target.clone(),
                failure: failure.clone(),
                from: attempt.began,
                to: at + SLACK,
            });
        }
        let answer = match (attempt.done, answer) {
            (Some(_), Answer::Succeeds) => Answer::Succeeds,
            (Some(_), _) => Answer::DoesNothing,
            (None, answer) => answer,
        };
        let is_done = matches!(answer, Answer::Succeeds | Answer::DoesNothing);
        let (all, after_failure) = attempt.steps;
        let why = why.filter(|why| !is_done && !why.trim().is_empty());
        self.rules.push(Rule {
            handler: None,
            target: Some(target.clone()),
            failure: Some(failure.clone()),
            attempt: Some(attempt.number),
            answer,
            after: attempt.done.unwrap_or(at).since(attempt.began),
            times: Some(if is_done { all } else { after_failure }),
            why: why.map(|why| why.replace(['\n', '\r'], " ")),
        });
    }

    /// How many steps are called by the route that this failure gets today.
    fn steps_of(
        &self,
        target: &TargetName,
        failure: &FailureType,
        severity: Severity,
    ) -> (u32, u32) {
        let place = self.table.place(target, failure, severity);
        let route = place.and_then(|place| self.spec.routes.get(place));
        let Some(route) = route else {
            return (1, 1);
        };
        let count = |steps: usize| u32::try_from(steps).unwrap_or(u32::MAX).max(1);
        let always = route.chain.iter().skip(1).filter(|step| step.always);
        (count(route.chain.len()), count(always.count() + 1))
    }
}
