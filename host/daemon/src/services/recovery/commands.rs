//! What the engine does at an operator's command.

use super::{RecoveryEngine, about, control::Command, state::key_of};
use crate::ports::{Decision, JournalError, RecoverRequest, Refused, Verb};
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
                    Verb::Approve => self.approve(&id, &by, &reason).await,
                    Verb::Reject => self.reject(&id, &by, &reason).await,
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
        let data = serde_json::json!({ "by": by });
        let event =
            Event::new(EventKind::OperationScheduled, severity, now, message).with_data(data);
        let changes = vec![
            Change::Operation(operation.clone()),
            about(&operation, event),
        ];
        self.write_at_once(changes).await;
        let id = operation.id.clone();
        self.enqueue(operation, monotonic);
        Ok(id)
    }

    /// What a person wants done is durable before it is answered. Where it cannot be, it is done all the same: it may be
    /// what frees the disk, and the next step of the operation writes the whole of it again.
    async fn write_at_once(&self, changes: Vec<Change>) {
        if let Err(error) = self.ports.journal.commit(changes).await {
            tracing::error!(%error, "an operation begins that is not in the journal yet");
        }
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

    async fn approve(
        &mut self,
        id: &OperationId,
        by: &str,
        reason: &str,
    ) -> Result<Operation, Refused> {
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
        let changes = vec![
            Change::Operation(operation.clone()),
            about(&operation, event),
        ];
        self.write_at_once(changes).await;
        self.enqueue(operation.clone(), monotonic);
        Ok(operation)
    }

    async fn reject(
        &mut self,
        id: &OperationId,
        by: &str,
        reason: &str,
    ) -> Result<Operation, Refused> {
        let key = key_of(&self.awaiting(id)?);
        let message = format!(
            "{by} rejected the recovery of {} from {}: {reason}",
            key.0, key.1
        );
        let now = self.ports.clock.now();
        let words = format!("rejected by {by}: {reason}");
        let (operation, mut changes) = self.end_by_person(id, OperationEvent::Rejected, &words)?;
        changes.extend(self.escalate(&key, Some(id), message, now));
        self.conclude_by_person(operation, changes).await
    }

    /// One that waits ends now. One that runs ends before its next attempt, for what a handler does is not cut off; it
    /// is answered as it is.
    async fn cancel(
        &mut self,
        id: &OperationId,
        by: &str,
        reason: &str,
    ) -> Result<Operation, Refused> {
        let words = format!("cancelled by {by}: {reason}");
        if let Some(running) = self.state.running.get_mut(id) {
            running.cancelled = Some(words);
            running.cancel.cancel();
            let (key, is_dry) = (running.key.clone(), running.is_dry);
            let changes = self.leave_to_people(&key, is_dry);
            let durable = self.conclude(changes).await;
            durable.map_err(|error| not_durable(id, &error))?;
            let known = self.ports.records.operation(id.clone()).await;
            let known = known.map_err(|error| Refused(error.to_string()))?;
            let known = known.map(|(operation, _)| operation);
            return known.ok_or_else(|| Refused(format!("{id} is not in the journal yet")));
        }
        let (operation, changes) = self.end_by_person(id, OperationEvent::Cancelled, &words)?;
        self.conclude_by_person(operation, changes).await
    }

    /// Ends an operation that waits as a person wants it: its incident is in their hands, or over where no check sees it.
    fn end_by_person(
        &mut self,
        id: &OperationId,
        event: OperationEvent,
        words: &str,
    ) -> Result<(Operation, Vec<Change>), Refused> {
        let now = self.ports.clock.now();
        let ended = self.cancel_waiting(id, event, words, now);
        let (operation, mut changes) = ended.ok_or_else(|| {
            Refused(format!(
                "{id} neither waits nor runs; see mainstay operation show {id}"
            ))
        })?;
        let key = key_of(&operation);
        let is_over = !operation.dry_run
            && !self.has_operation(&key)
            && !self.ports.watch.is_failing(&key.0, &key.1);
        changes.extend(match is_over {
            true => self.close(&key, None, now),
            false => self.leave_to_people(&key, operation.dry_run),
        });
        Ok((operation, changes))
    }

    /// Answers a person when their decision is durable. It holds in any case; one that is not durable yet is kept, and
    /// told.
    async fn conclude_by_person(
        &mut self,
        operation: Operation,
        changes: Vec<Change>,
    ) -> Result<Operation, Refused> {
        let durable = self.conclude(changes).await;
        durable.map_err(|error| not_durable(&operation.id, &error))?;
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

/// It was done, and cannot be written yet.
fn not_durable(id: &OperationId, error: &JournalError) -> Refused {
    Refused(format!(
        "{id} is ended as you asked, but the journal cannot be written yet: {error}; it is tried again, and a daemon that \
         ends before that forgets it"
    ))
}
