//! One attempt: the steps of the chain, each a call of its handler.

use super::Run;
use crate::ports::Handled;
use mainstay_domain::{
    call::{RecoverRequest, RecoveryFailure},
    spec::{RouteSpec, StepSpec},
};

/// How one attempt went.
pub(super) enum Attempt {
    /// Every step is done.
    Done,
    /// Another attempt may help.
    Again(String),
    /// No attempt will help; the steps that a person should take.
    Hopeless(String, Vec<String>),
}

impl Run {
    /// Runs the steps of the chain in order; after a step has failed only those that always run.
    pub(super) async fn attempt(&mut self, route: &RouteSpec, attempt: u32) -> Attempt {
        let mut outcome = Attempt::Done;
        for step in &route.chain {
            if !step.always && !matches!(outcome, Attempt::Done) {
                continue;
            }
            let next = self
                .call(step, attempt, route.strategy.max_attempts())
                .await;
            if matches!(outcome, Attempt::Done) {
                outcome = next;
            }
        }
        outcome
    }

    async fn call(&mut self, step: &StepSpec, attempt: u32, max_attempts: u32) -> Attempt {
        let request = self.request(step, attempt, max_attempts);
        let handlers = &self.ports.handlers;
        let Handled { by, result } = handlers
            .recover(
                step.handler.clone(),
                step.version.clone(),
                request,
                step.timeout,
            )
            .await;
        // Who asked may have timed out; what it asked for must not meet what the next call asks for.
        self.ports.under_way.settled(&self.operation.id).await;
        if let Some(by) = by {
            self.operation.handler = Some(by.name);
            self.operation.handler_version = Some(by.version);
            self.operation.handler_digest = Some(by.digest);
        }
        match result {
            Ok(report) => {
                self.operation.actions.extend(report.actions);
                self.operation
                    .actions
                    .extend(report.data_loss.map(|loss| format!("data loss: {loss}")));
                Attempt::Done
            }
            Err(RecoveryFailure::Retryable(why)) => {
                Attempt::Again(format!("{}: {why}", step.handler))
            }
            Err(RecoveryFailure::Permanent(why)) => {
                Attempt::Hopeless(format!("{}: {why}", step.handler), Vec::new())
            }
            Err(RecoveryFailure::NeedsOperator(steps)) => Attempt::Hopeless(
                format!("{} needs a person: {}", step.handler, steps.join("; ")),
                steps,
            ),
        }
    }

    fn request(&self, step: &StepSpec, attempt: u32, max_attempts: u32) -> RecoverRequest {
        let operation = &self.operation;
        let spent = self.ports.clock.now().since(operation.detected_at);
        RecoverRequest {
            operation: operation.id.clone(),
            incident: operation.incident.clone(),
            target: operation.target.clone(),
            failure: operation.failure.clone(),
            severity: operation.severity,
            recurrence: self
                .incident
                .as_ref()
                .map_or(0, |incident| incident.recurrence),
            attempt,
            max_attempts,
            phase: "normal".to_owned(),
            detected_at: operation.detected_at,
            remaining: Some(self.rto().saturating_sub(spent)),
            evidence: self
                .incident
                .as_ref()
                .map(|incident| incident.evidence.clone())
                .unwrap_or_default(),
            fencing: 1,
            dry_run: operation.dry_run,
            params: step.params.clone(),
        }
    }
}
