//! The two ends of an operation's life outside its own run: what a new daemon makes of what the one before left, and
//! what follows when a run has ended.

use super::{Key, RecoveryEngine, about, run::Ended, state::key_of};
use crate::ports::Recovered;
use mainstay_domain::{
    cooldown::Cooldowns,
    event::{Event, EventKind},
    journal::Change,
    operation::{Operation, OperationEvent, OperationState},
    severity::Severity,
    time::Timestamp,
};
use std::time::Duration;

/// The error of an operation that a crash cut off.
const INTERRUPTED: &str =
    "interrupted: the daemon ended while it ran; its incident is taken up anew";

/// The error of one that had not begun.
const NOT_BEGUN: &str =
    "not begun: the daemon ended while it waited; its incident is taken up anew";

impl RecoveryEngine {
    /// Takes up what the daemon before left: open incidents, operations that await a person; what was cut off ends as
    /// failed, and its incident gets a new operation. When this returns, that is durable: whoever asks from then on sees
    /// no operation of an earlier daemon without an end.
    pub async fn take_up(&mut self, recovered: Recovered) {
        let now = self.ports.clock.now();
        self.state.paused_host = recovered.paused_host;
        self.state.paused_targets = recovered.paused_targets.into_iter().collect();
        self.state.cooldowns = Cooldowns::new(recovered.cooldowns, now);
        for incident in recovered.incidents {
            self.state.incidents.insert(
                (incident.target.clone(), incident.failure.clone()),
                incident,
            );
        }
        for operation in recovered.operations {
            if operation.state == OperationState::AwaitingManual {
                self.state.waiting.insert(operation.id.clone(), operation);
            } else {
                self.interrupted(operation, now);
            }
        }
        self.let_go_of_removed_targets().await;
        let open: Vec<_> = self.state.incidents.keys().cloned().collect();
        for key in open {
            self.let_go_of_what_nothing_sees(&key, now).await;
            self.schedule_where_none_is(&key, now);
        }
        self.show();
        // Nothing to write: it waits for all that was written before.
        if let Err(error) = self.ports.journal.commit(Vec::new()).await {
            tracing::error!(%error, "what the daemon before left is not taken up durably");
        }
    }

    /// Where people are to act, only the checks can say that it is over: what none of them sees any more would stay open
    /// for ever.
    async fn let_go_of_what_nothing_sees(&mut self, key: &Key, now: Timestamp) {
        let is_by_hand = self
            .state
            .incidents
            .get(key)
            .is_some_and(|open| open.by_hand);
        let is_left_to_people = is_by_hand || self.state.waiting_for(key).next().is_some();
        if is_left_to_people && !self.ports.watch.is_failing(&key.0, &key.1) {
            let changes = self.let_go(key, "no check sees this failure any more", now);
            let _ = self.conclude(changes).await;
        }
    }

    fn interrupted(&self, mut operation: Operation, now: Timestamp) {
        let (why, end, kind, severity) = match operation.state {
            OperationState::Scheduled => (
                NOT_BEGUN,
                OperationEvent::Cancelled,
                EventKind::OperationCancelled,
                Severity::Low,
            ),
            _ => (
                INTERRUPTED,
                OperationEvent::Interrupted,
                EventKind::OperationFailed,
                operation.severity,
            ),
        };
        operation.error = Some(why.to_owned());
        let _ = operation.apply(end, now, Duration::MAX);
        let message = format!(
            "recovery of {} from {} was {why}",
            operation.target, operation.failure
        );
        let event = Event::new(kind, severity, now, message);
        let event = event.with_data(serde_json::json!({ "interrupted": true }));
        self.write(vec![
            Change::Operation(operation.clone()),
            about(&operation, event),
        ]);
    }

    /// Writes the end of an operation together with what becomes of its incident, and waits until that is durable.
    pub(super) async fn ended(&mut self, ended: Ended) {
        let Ended {
            mut operation,
            healthy,
            cooldown,
            runbook,
        } = ended;
        let now = self.ports.clock.now();
        let key = key_of(&operation);
        let ran = self.state.running.remove(&operation.id);
        let is_cleared = ran.as_ref().is_some_and(|running| running.is_cleared);
        if operation.state == OperationState::Cancelled
            && let Some(words) = ran.and_then(|running| running.cancelled)
        {
            let before = operation.error.take().map(|error| format!("; {error}"));
            operation.error = Some(words + &before.unwrap_or_default());
        }
        self.state.queue.finished(&operation.target, &operation.id);
        self.ports.under_way.forget(&operation.id);
        let helped = operation.state == OperationState::Succeeded && !operation.dry_run;
        let mut changes = vec![
            Change::Operation(operation.clone()),
            about(&operation, end_event(&operation, now)),
        ];
        if helped {
            let until = self.state.cooldowns.start(&key.0, &key.1, cooldown, now);
            changes
                .extend(until.map(|until| Change::Cooldown(key.0.clone(), key.1.clone(), until)));
        }
        let did_not_help = matches!(
            operation.state,
            OperationState::Failed | OperationState::Partial
        );
        if healthy || is_cleared {
            changes.extend(self.close(&key, helped.then_some(&operation.id), now));
        } else if did_not_help && !operation.dry_run {
            *self.state.failures_in_a_row.entry(key.clone()).or_default() += 1;
            let steps = if runbook.is_empty() {
                String::new()
            } else {
                format!("; steps: {}", runbook.join("; "))
            };
            let message = format!("recovery of {} from {} did not help{steps}", key.0, key.1);
            changes.extend(self.escalate(&key, Some(&operation.id), message, now));
        }
        let _ = self.conclude(changes).await;
        self.let_go_of_removed_targets().await;
        // The failure holds, or came while this ran: it is tried again, each time after a longer pause.
        self.schedule_where_none_is(&key, now);
    }
}

fn end_event(operation: &Operation, now: Timestamp) -> Event {
    let (kind, severity, what) = match operation.state {
        OperationState::Succeeded => (EventKind::OperationSucceeded, Severity::Low, "succeeded"),
        OperationState::Partial => (
            EventKind::OperationPartial,
            operation.severity,
            "is partial",
        ),
        OperationState::Cancelled => (
            EventKind::OperationCancelled,
            Severity::Low,
            "was cancelled",
        ),
        _ => (EventKind::OperationFailed, operation.severity, "failed"),
    };
    // A success resolves what was fired with the failure's severity, so it is routed like it.
    let severity = if operation.state == OperationState::Succeeded {
        operation.severity
    } else {
        severity
    };
    let dry = if operation.dry_run {
        "dry run of the "
    } else {
        ""
    };
    let took = operation
        .recovery_ms
        .map_or(String::new(), |ms| format!(" after {ms} ms"));
    let error = operation
        .error
        .as_ref()
        .map_or(String::new(), |error| format!(": {error}"));
    let message = format!(
        "{dry}recovery of {} from {} {what}{took}{error}",
        operation.target, operation.failure
    );
    let data = serde_json::json!({
        "incident": operation.incident, "failure": operation.failure, "state": operation.state,
        "attempts": operation.attempts, "handler": operation.handler, "handler_version": operation.handler_version,
        "actions": operation.actions, "error": operation.error, "recovery_ms": operation.recovery_ms,
        "rto_exceeded": operation.rto_exceeded,
    });
    Event::new(kind, severity, now, message).with_data(data)
}
