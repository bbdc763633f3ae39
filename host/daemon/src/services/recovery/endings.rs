//! How incidents and operations that do not run end: closed, cancelled, or handed to people.

use super::{Key, RecoveryEngine, about};
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
    /// People have to act.
    pub(super) fn escalate(
        &mut self,
        key: &Key,
        operation: Option<&OperationId>,
        message: String,
        now: Timestamp,
    ) {
        let Some(incident) = self.state.incidents.get_mut(key) else {
            return;
        };
        if !incident.escalate() {
            return;
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
        let changes = vec![Change::Incident(incident.clone()), Change::Event(event)];
        self.write(changes);
    }

    /// A person ends this operation: its incident is in their hands. A dry run is none of it, and where no incident is
    /// open the next one is for the engine again. To be written before the end: a crash in between must not have the
    /// next daemon do what the person did not want.
    pub(super) fn leave_to_people(&mut self, key: &Key, dry_run: bool) {
        let incident = self.state.incidents.get_mut(key);
        if let Some(incident) = incident
            && !dry_run
        {
            incident.by_hand = true;
            let changed = Change::Incident(incident.clone());
            self.write(vec![changed]);
        }
    }

    /// Ends an operation that has not begun.
    pub(super) fn cancel_waiting(
        &mut self,
        id: &OperationId,
        event: OperationEvent,
        why: &str,
        now: Timestamp,
    ) -> Option<Operation> {
        self.state.queue.remove(id);
        let mut operation = self.state.waiting.remove(id)?;
        operation.error = Some(why.to_owned());
        let _ = operation.apply(event, now, Duration::MAX);
        let message = format!(
            "recovery of {} from {} cancelled: {why}",
            operation.target, operation.failure
        );
        let event = Event::new(EventKind::OperationCancelled, Severity::Low, now, message);
        self.write(vec![
            Change::Operation(operation.clone()),
            about(&operation, event),
        ]);
        Some(operation)
    }

    /// Closes an incident, if it is open.
    pub(super) fn close(&mut self, key: &Key, by: Option<&OperationId>, now: Timestamp) {
        let Some(mut incident) = self.state.incidents.remove(key) else {
            return;
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
        self.write(vec![Change::Incident(incident), Change::Event(event)]);
    }
}
