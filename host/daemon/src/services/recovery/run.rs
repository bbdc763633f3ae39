//! One operation, from its first attempt to its end: validate before, run the chain with retries, validate after.
//!
//! Invariant: cancelling takes effect between attempts and while waiting, never inside a handler's call: a call that
//! is dropped leaves an effect in doubt.

mod attempt;
mod look;

use super::{RecoveryPorts, about};
use attempt::Attempt;
use mainstay_domain::{
    event::{Event, EventKind},
    incident::Incident,
    journal::Change,
    operation::{Mode, Operation, OperationEvent},
    severity::Severity,
    spec::{RouteSpec, TargetSpec},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// For a target that is no longer configured.
const DEFAULT_RTO: Duration = Duration::from_secs(300);

/// An operation that runs.
pub(super) struct Run {
    pub(super) ports: RecoveryPorts,
    /// As it was when the operation began; absent where no route fits.
    pub(super) route: Option<RouteSpec>,
    pub(super) target: Option<TargetSpec>,
    pub(super) incident: Option<Incident>,
    pub(super) operation: Operation,
    pub(super) cancel: CancellationToken,
}

/// An operation that has ended, and what people should know where it did not help.
pub(super) struct Ended {
    pub(super) operation: Operation,
    /// The target was found healthy, before or after.
    pub(super) healthy: bool,
    pub(super) cooldown: Duration,
    /// The next steps for people, where the handler named some.
    pub(super) runbook: Vec<String>,
}

impl Run {
    /// A fault of the host in one operation ends that operation, and not the recovery of its target.
    pub(super) async fn end_in_any_case(self) -> Ended {
        let mut operation = self.operation.clone();
        let clock = self.ports.clock.clone();
        match tokio::spawn(self.finish()).await {
            Ok(ended) => ended,
            Err(error) => {
                let why = format!("it broke off: {error}; report this as a defect");
                tracing::error!(operation = %operation.id, why);
                operation.error = Some(why);
                let _ = operation.apply(OperationEvent::Interrupted, clock.now(), Duration::MAX);
                Ended {
                    operation,
                    healthy: false,
                    cooldown: Duration::ZERO,
                    runbook: Vec::new(),
                }
            }
        }
    }

    async fn finish(mut self) -> Ended {
        let cooldown = self
            .route
            .as_ref()
            .map_or(Duration::ZERO, |route| route.cooldown);
        let (mut healthy, runbook) = self.run().await;
        if !healthy && !self.operation.dry_run && !self.holds() {
            // Nobody else would see the end of what no check holds: asked for by hand, or over in this very moment.
            healthy = self.cancel.is_cancelled() || self.looks_healthy().await;
        }
        Ended {
            operation: self.operation,
            healthy,
            cooldown,
            runbook,
        }
    }

    async fn run(&mut self) -> (bool, Vec<String>) {
        let Some(route) = self.route.clone() else {
            self.end(
                OperationEvent::GaveUp,
                Some("no route fits it any more".to_owned()),
            );
            return (false, Vec::new());
        };
        if self.operation.mode == Mode::Automatic && self.looks_healthy().await {
            self.end(
                OperationEvent::Cancelled,
                Some("the target was healthy before the first attempt".to_owned()),
            );
            return (true, Vec::new());
        }
        loop {
            let is_first = self.operation.attempts == 0;
            self.step_to(
                OperationEvent::AttemptBegan,
                is_first.then_some(EventKind::OperationStarted),
                "began",
            );
            let attempt = self.operation.attempts;
            let error = match self.attempt(&route, attempt).await {
                Attempt::Done => {
                    self.step_to(
                        OperationEvent::HandlerFinished,
                        Some(EventKind::OperationValidating),
                        "is validated",
                    );
                    // A dry run changed nothing that the checks could see.
                    if self.operation.dry_run || self.validate().await {
                        self.end(OperationEvent::Verified, None);
                        return (!self.operation.dry_run, Vec::new());
                    }
                    "the handler was done, but the checks still fail".to_owned()
                }
                Attempt::Again(error) => error,
                Attempt::Hopeless(error, runbook) => {
                    self.end(OperationEvent::GaveUp, Some(error));
                    return (false, runbook);
                }
            };
            if self.cancel.is_cancelled() {
                return self.cancelled(attempt, &error);
            }
            let Some(delay) = route.strategy.delay_before(attempt.saturating_add(1)) else {
                self.end(OperationEvent::GaveUp, Some(error));
                return (false, Vec::new());
            };
            if !self.wait(delay, &error).await {
                return self.cancelled(attempt, &error);
            }
            if self.operation.mode == Mode::Automatic && self.looks_healthy().await {
                self.end(
                    OperationEvent::Cancelled,
                    Some(format!(
                        "the target was healthy after attempt {attempt}: {error}"
                    )),
                );
                return (true, Vec::new());
            }
        }
    }

    fn cancelled(&mut self, attempt: u32, error: &str) -> (bool, Vec<String>) {
        let why = format!("it ended after attempt {attempt}: {error}");
        self.end(OperationEvent::Cancelled, Some(why));
        (false, Vec::new())
    }

    /// Waits before the next attempt; false where it was cancelled meanwhile.
    async fn wait(&mut self, delay: Duration, error: &str) -> bool {
        let Operation {
            target,
            failure,
            attempts,
            ..
        } = &self.operation;
        let message = format!(
            "attempt {attempts} to recover {target} from {failure} failed, the next follows in {delay:?}: {error}"
        );
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        let data = serde_json::json!({ "attempt": attempts, "error": error, "delay_ms": delay_ms });
        self.write(
            EventKind::OperationRetrying,
            Severity::Medium,
            message,
            data,
        );
        tokio::select! { biased;
            () = self.cancel.cancelled() => false,
            () = tokio::time::sleep(delay) => true,
        }
    }

    /// Moves on, and says so where others should hear of it.
    fn step_to(&mut self, event: OperationEvent, kind: Option<EventKind>, what: &str) {
        let moved = self
            .operation
            .apply(event, self.ports.clock.now(), self.rto());
        debug_assert!(moved.is_ok(), "{moved:?}");
        match kind {
            None => drop(
                self.ports
                    .journal
                    .commit(vec![Change::Operation(self.operation.clone())]),
            ),
            Some(kind) => {
                let message = format!(
                    "recovery of {} from {} {what}",
                    self.operation.target, self.operation.failure
                );
                let data = serde_json::json!({ "attempt": self.operation.attempts });
                self.write(kind, self.operation.severity, message, data);
            }
        }
    }

    fn rto(&self) -> Duration {
        self.target
            .as_ref()
            .map_or(DEFAULT_RTO, |target| target.rto)
    }

    fn write(&self, kind: EventKind, severity: Severity, message: String, data: serde_json::Value) {
        let event = Event::new(kind, severity, self.ports.clock.now(), message).with_data(data);
        let changes = vec![
            Change::Operation(self.operation.clone()),
            about(&self.operation, event),
        ];
        drop(self.ports.journal.commit(changes));
    }

    /// The end state; the engine writes it, together with what becomes of the incident.
    fn end(&mut self, event: OperationEvent, error: Option<String>) {
        self.operation.error = error;
        let moved = self
            .operation
            .apply(event, self.ports.clock.now(), self.rto());
        debug_assert!(moved.is_ok(), "{moved:?}");
    }
}
