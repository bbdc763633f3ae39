//! How incidents and operations that do not run end: closed, cancelled, or handed to people. What is to be written of it
//! is given back, so that what belongs together is written together.

use super::{Key, RecoveryEngine, about};
use crate::ports::JournalError;
use mainstay_domain::{
    event::{Event, EventKind},
    id::OperationId,
    journal::Change,
    operation::{Operation, OperationEvent},
    severity::Severity,
    time::Timestamp,
};
use std::time::Duration;

impl RecoveryEngine {
    /// Writes an end. What the journal does not take, on a full disk, is kept and written in its order as soon as it does:
    /// nothing later would write it again.
    ///
    /// # Errors
    /// It is not durable yet.
    pub(super) async fn conclude(&mut self, changes: Vec<Change>) -> Result<(), JournalError> {
        if !changes.is_empty() {
            self.state.unwritten.push_back(changes);
        }
        self.write_kept().await
    }

    pub(super) async fn write_kept(&mut self) -> Result<(), JournalError> {
        while let Some(changes) = self.state.unwritten.front() {
            if let Err(error) = self.ports.journal.commit(changes.clone()).await {
                tracing::error!(%error, "the end of an operation or incident is not in the journal yet; it is kept and tried again");
                return Err(error);
            }
            self.state.unwritten.pop_front();
        }
        Ok(())
    }

    /// People have to act.
    pub(super) fn escalate(
        &mut self,
        key: &Key,
        operation: Option<&OperationId>,
        message: String,
        now: Timestamp,
    ) -> Vec<Change> {
        let Some(incident) = self.state.incidents.get_mut(key) else {
            return Vec::new();
        };
        if !incident.escalate() {
            return Vec::new();
        }
        let mut event = Event::new(
            EventKind::OperationEscalated,
            incident.severity,
            now,
            message,
        )
        .with_target(&key.0);
        event.operation = operation.cloned();
        event.data = serde_json::json!({ "incident": incident.id, "failure": key.1 });
        vec![Change::Incident(incident.clone()), Change::Event(event)]
    }

    /// A person ends this operation: its incident is in their hands. A dry run is none of it, and where no incident is
    /// open the next one is for the engine again.
    pub(super) fn leave_to_people(&mut self, key: &Key, dry_run: bool) -> Vec<Change> {
        match self.state.incidents.get_mut(key) {
            Some(incident) if !dry_run => {
                incident.by_hand = true;
                vec![Change::Incident(incident.clone())]
            }
            _ => Vec::new(),
        }
    }

    /// Ends an operation that has not begun.
    pub(super) fn cancel_waiting(
        &mut self,
        id: &OperationId,
        event: OperationEvent,
        why: &str,
        now: Timestamp,
    ) -> Option<(Operation, Vec<Change>)> {
        self.state.queue.remove(id);
        let mut operation = self.state.waiting.remove(id)?;
        operation.error = Some(why.to_owned());
        let _ = operation.apply(event, now, Duration::MAX);
        let message = format!(
            "recovery of {} from {} cancelled: {why}",
            operation.target, operation.failure
        );
        let event = Event::new(EventKind::OperationCancelled, Severity::Low, now, message);
        let changes = vec![
            Change::Operation(operation.clone()),
            about(&operation, event),
        ];
        Some((operation, changes))
    }

    /// Closes an incident that nobody recovered, and ends its operations that have not begun.
    pub(super) fn let_go(&mut self, key: &Key, why: &str, at: Timestamp) -> Vec<Change> {
        let waiting = self.state.waiting_for(key);
        let waiting: Vec<OperationId> = waiting.map(|operation| operation.id.clone()).collect();
        let cancelled = waiting
            .iter()
            .filter_map(|id| self.cancel_waiting(id, OperationEvent::Cancelled, why, at));
        let mut changes: Vec<Change> = cancelled.flat_map(|(_, changes)| changes).collect();
        changes.extend(self.close(key, None, at));
        changes
    }

    /// Closes an incident, if it is open.
    pub(super) fn close(
        &mut self,
        key: &Key,
        by: Option<&OperationId>,
        now: Timestamp,
    ) -> Vec<Change> {
        let Some(mut incident) = self.state.incidents.remove(key) else {
            return Vec::new();
        };
        incident.close(by.is_some(), now);
        self.state.failures_in_a_row.remove(key);
        let how = match by {
            Some(_) => "recovered",
            None if !self.is_configured(&key.0) => "is no longer configured, which lets go of it",
            None => "became healthy by itself",
        };
        let open_ms = u64::try_from(now.since(incident.opened_at).as_millis()).unwrap_or(u64::MAX);
        let message = format!("{} {how} from {} after {open_ms} ms", key.0, key.1);
        let data =
            serde_json::json!({ "incident": incident.id, "failure": key.1, "open_ms": open_ms });
        let mut event = Event::new(EventKind::IncidentClosed, incident.severity, now, message)
            .with_target(&key.0);
        event.operation = by.cloned();
        event.data = data;
        vec![Change::Incident(incident), Change::Event(event)]
    }
}
