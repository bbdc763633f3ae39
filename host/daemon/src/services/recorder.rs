//! The journal as every service sees it: what alerts an event calls for is written together with the event.
//!
//! Invariant: an alert is in the outbox if and only if its event is in the journal, for both are one transaction.

use crate::ports::{Commit, Journal};
use mainstay_domain::{
    alert::alerts_for,
    event::{Event, EventKind},
    id::IdSource,
    journal::Change,
    spec::Spec,
};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{broadcast, watch};

/// A journal that adds the alerts.
pub struct Recorder {
    journal: Arc<dyn Journal>,
    spec: watch::Receiver<Arc<Spec>>,
    ids: Mutex<IdSource>,
}

impl Recorder {
    /// Writes to `journal`, and routes alerts by the newest config.
    pub fn new(journal: Arc<dyn Journal>, spec: watch::Receiver<Arc<Spec>>, ids: IdSource) -> Self {
        Self {
            journal,
            spec,
            ids: Mutex::new(ids),
        }
    }

    fn alerts(&self, event: &Event) -> Vec<Change> {
        let spec = Arc::clone(&self.spec.borrow());
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = alerts_for(event, &spec.alerts, &spec.host.name, &mut ids);
        let changes = entries.into_iter().flat_map(|entry| {
            let message = format!("alert for {} queued: {}", entry.alerter, entry.alert.title);
            let mut queued = Event::new(EventKind::AlertQueued, event.severity, event.at, message)
                .with_plugin(&entry.alerter)
                .with_data(
                    serde_json::json!({ "alert": entry.alert.id, "alerter": entry.alerter }),
                );
            queued.target.clone_from(&event.target);
            queued.operation.clone_from(&event.operation);
            [Change::Alert(entry), Change::Event(queued)]
        });
        changes.collect()
    }
}

impl Journal for Recorder {
    fn commit(&self, mut changes: Vec<Change>) -> Commit {
        let events = changes.iter().filter_map(|change| match change {
            Change::Event(event) => Some(event),
            _ => None,
        });
        let alerts: Vec<Change> = events.flat_map(|event| self.alerts(event)).collect();
        changes.extend(alerts);
        self.journal.commit(changes)
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.journal.subscribe()
    }
}
