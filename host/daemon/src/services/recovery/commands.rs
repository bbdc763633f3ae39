//! What the engine does at an operator's command.

use super::{RecoveryEngine, about, control::Command, state::key_of};
use crate::ports::{Decision, RecoverRequest, Refused, Verb};
use mainstay_domain::{
    event::{Event, EventKind},
    failure,
    id::OperationId,
    journal::Change,
    name::TargetName,
    operation::{Mode, Operation, OperationEvent, OperationState},
    severity::Severity,
};
use std::time::Duration;

impl RecoveryEngine {
    pub(super) async fn command(&mut self, command: Command) {
        match command {
            Command::Recover(request, answer) => {
                let _ = answer.send(self.recover(request).await);
            }
            Command::Decide(decision, answer) => {
                let Decision {
                    id,
                    verb,
                    by,
                    reason,
                } = decision;
                let decided = match verb {
                    Verb::Approve => self.approve(&id, &by, &reason),
                    Verb::Reject => self.reject(&id, &by, &reason),
                    Verb::Cancel => self.cancel(&id, &by, &reason).await,
                };
                let _ = answer.send(decided);
            }
            Command::Pause {
                target,
                paused,
                by,
                answer,
            } => {
                let _ = answer.send(self.pause(target, paused, &by).await);
            }
        }
    }

    async fn recover(&mut self, request: RecoverRequest) -> Result<OperationId, Refused> {
        let RecoverRequest {
            target,
            failure,
            dry_run,
            by,
        } = request;
        self.must_exist(&target)?;
        let key = (target, failure);
        let (now, monotonic) = self.now();
        let default = failure::default_severity(&key.1);
        let open = self.state.incidents.get(&key);
        let severity = open.map_or(default, |incident| incident.severity.max(default));
        self.must_have_route(&key, severity)?;
        let mut operation = if dry_run {
            let id = OperationId::new(self.ids.next(now));
            let (target, failure) = key.clone();
            let mut operation =
                Operation::scheduled(id, target, failure, severity, Mode::Manual, now);
            operation.dry_run = true;
            operation
        } else {
            self.by_hand(&key, severity, &by, now).await?
        };
        operation.severity = severity.max(operation.severity);
        let (target, failure) = key;
        let what = if dry_run {
            "a dry run of the recovery"
        } else {
            "recovery"
        };
        let message = format!("{what} of {target} from {failure} was asked for by {by}");
        let data = serde_json::json!({ "by": by, "failure": failure, "dry_run": dry_run });
        let event =
            Event::new(EventKind::OperationScheduled, severity, now, message).with_data(data);
        self.write(vec![
            Change::Operation(operation.clone()),
            about(&operation, event),
        ]);
        let id = operation.id.clone();
        self.enqueue(operation, monotonic, true);
        Ok(id)
    }

    fn must_exist(&self, target: &TargetName) -> Result<(), Refused> {
        if self.is_configured(target) {
            return Ok(());
        }
        let spec = self.spec.borrow();
        let known: Vec<&str> = spec
            .targets
            .iter()
            .map(|known| known.name.as_str())
            .collect();
        Err(Refused(format!(
            "there is no target `{target}`; there are: {}",
            known.join(", ")
        )))
    }

    fn awaiting(&self, id: &OperationId) -> Result<Operation, Refused> {
        match self.state.waiting.get(id) {
            Some(operation) if operation.state == OperationState::AwaitingManual => {
                Ok(operation.clone())
            }
            _ => Err(Refused(format!(
                "{id} does not wait for a person; see mainstay operation show {id}"
            ))),
        }
    }

    fn approve(&mut self, id: &OperationId, by: &str, reason: &str) -> Result<Operation, Refused> {
        let mut operation = self.awaiting(id)?;
        let (now, monotonic) = self.now();
        operation
            .apply(OperationEvent::Approved, now, Duration::MAX)
            .map_err(|error| Refused(error.to_string()))?;
        let message = format!(
            "{by} approved the recovery of {} from {}: {reason}",
            operation.target, operation.failure
        );
        let event = Event::new(
            EventKind::OperationApproved,
            operation.severity,
            now,
            message,
        );
        let event = event.with_data(serde_json::json!({ "by": by, "reason": reason }));
        self.write(vec![
            Change::Operation(operation.clone()),
            about(&operation, event),
        ]);
        self.enqueue(operation.clone(), monotonic, true);
        Ok(operation)
    }

    fn reject(&mut self, id: &OperationId, by: &str, reason: &str) -> Result<Operation, Refused> {
        let waiting = self.awaiting(id)?;
        let now = self.ports.clock.now();
        self.leave_to_people(&key_of(&waiting), waiting.dry_run);
        let ended = self.cancel_waiting(
            id,
            OperationEvent::Rejected,
            &format!("rejected by {by}: {reason}"),
            now,
        );
        let operation = ended.ok_or_else(|| Refused(format!("{id} ended meanwhile")))?;
        let key = key_of(&operation);
        self.escalate(
            &key,
            Some(id),
            format!(
                "{by} rejected the recovery of {} from {}: {reason}",
                key.0, key.1
            ),
            now,
        );
        Ok(operation)
    }

    /// One that waits ends now. One that runs ends before its next attempt, for what a handler does is not cut off; it
    /// is answered as it is.
    async fn cancel(
        &mut self,
        id: &OperationId,
        by: &str,
        reason: &str,
    ) -> Result<Operation, Refused> {
        let now = self.ports.clock.now();
        let words = format!("cancelled by {by}: {reason}");
        if let Some(waiting) = self.state.waiting.get(id).cloned() {
            self.leave_to_people(&key_of(&waiting), waiting.dry_run);
            let ended = self.cancel_waiting(id, OperationEvent::Cancelled, &words, now);
            return Ok(ended.unwrap_or(waiting));
        }
        let Some(running) = self.state.running.get_mut(id) else {
            return Err(Refused(format!(
                "{id} neither waits nor runs; see mainstay operation show {id}"
            )));
        };
        running.cancelled = Some(words);
        running.cancel.cancel();
        let (key, is_dry) = (running.key.clone(), running.is_dry);
        self.leave_to_people(&key, is_dry);
        let known = self.ports.records.operation(id.clone()).await;
        let known = known.map_err(|error| Refused(error.to_string()))?;
        let (operation, _) =
            known.ok_or_else(|| Refused(format!("{id} is not in the journal yet")))?;
        Ok(operation)
    }

    async fn pause(
        &mut self,
        target: Option<TargetName>,
        paused: bool,
        by: &str,
    ) -> Result<(), Refused> {
        if let Some(target) = &target {
            self.must_exist(target)?;
        }
        let what = target
            .as_ref()
            .map_or("the host".to_owned(), ToString::to_string);
        let (kind, verb) = if paused {
            (EventKind::HostPaused, "paused")
        } else {
            (EventKind::HostResumed, "resumed")
        };
        let mut event = Event::new(
            kind,
            Severity::Low,
            self.ports.clock.now(),
            format!("{by} {verb} {what}"),
        );
        event.target.clone_from(&target);
        let event = event.with_data(serde_json::json!({ "by": by }));
        let durable = self.ports.journal.commit(vec![
            Change::Paused(target.clone(), paused),
            Change::Event(event),
        ]);
        durable.await.map_err(|error| Refused(error.to_string()))?;
        match target {
            None => self.state.paused_host = paused,
            Some(target) if paused => {
                self.state.paused_targets.insert(target);
            }
            Some(target) => {
                self.state.paused_targets.remove(&target);
            }
        }
        Ok(())
    }
}
