//! The journal as every service sees it: what alerts an event calls for is written together with the event.
//!
//! Invariant: an alert is in the durable outbox if and only if its event is in the journal, for both are one transaction;
//! but one whose event the journal had no place for at first is sent from memory alone, and once, however often its event
//! is submitted again.
//! Invariant: alerts are handed on to be delivered in the order in which their events are written.
//! Invariant: every event is told in the log once, when it is submitted, in its own words; see `story`.
//! Invariant: who was told that something is wrong is told when it is over: what is open is known from the events of the
//! daemons before, and in memory from then on.

use super::{alerts::Arrival, story};
use crate::ports::{Batch, Commit, Journal};
use mainstay_domain::{
    alert::{AlertStatus, OpenAlerts, OutboxEntry},
    event::{AlertQueued, Event, EventKind},
    id::IdSource,
    name::TargetName,
    record::Change,
    spec::Spec,
};
use parking_lot::Mutex;
use std::{collections::HashSet, sync::Arc};
use tokio::sync::{broadcast, mpsc, watch};

/// A journal that adds the alerts.
pub struct Recorder {
    journal: Arc<dyn Journal>,
    spec: watch::Receiver<Arc<Spec>>,
    /// Held while a submission with alerts is handed on, so that they keep its order.
    alerts: Mutex<Alerts>,
    arrivals: mpsc::UnboundedSender<Arrival>,
}

/// What alerts are made with.
struct Alerts {
    ids: IdSource,
    open: OpenAlerts,
    /// The targets that are being drilled: what is told of them says so. A drill ends with its daemon.
    drilled: HashSet<TargetName>,
}

impl Alerts {
    /// Whether this event is of a target that is being drilled; the event that ends a drill is.
    fn is_of_drill(&mut self, event: &Event) -> bool {
        let Some(target) = &event.target else {
            return false;
        };
        match event.kind {
            EventKind::TargetBroken => {
                self.drilled.insert(target.clone());
                true
            }
            EventKind::TargetDrilled => {
                self.drilled.remove(target);
                true
            }
            _ => self.drilled.contains(target),
        }
    }
}

impl Recorder {
    /// Writes to `journal`, routes alerts by the newest config, and hands them on to `arrivals`. `open` is what
    /// people were told by the daemons before.
    pub fn new(
        journal: Arc<dyn Journal>,
        spec: watch::Receiver<Arc<Spec>>,
        ids: IdSource,
        open: OpenAlerts,
        arrivals: mpsc::UnboundedSender<Arrival>,
    ) -> Self {
        Self {
            journal,
            spec,
            alerts: Mutex::new(Alerts {
                ids,
                open,
                drilled: HashSet::new(),
            }),
            arrivals,
        }
    }
}

/// Whether another config is used since this event, which may not name any more what people were told of.
fn is_of_config(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::ConfigApplied | EventKind::HostStarted
    )
}

/// That an alert is in the outbox.
fn queued(entry: &OutboxEntry, event: &Event) -> Event {
    let resolves = entry.alert.status == AlertStatus::Resolved && is_of_config(event);
    let message = format!("alert for {} queued: {}", entry.alerter, entry.alert.title);
    let data = AlertQueued {
        alert: entry.alert.id.clone(),
        alerter: entry.alerter.clone(),
        resolves: resolves.then(|| entry.alert.dedup_key.clone()),
    };
    let mut queued = Event::new(EventKind::AlertQueued, event.severity, event.at, message)
        .with_plugin(&entry.alerter)
        .with_data(data);
    queued.target.clone_from(&event.target);
    queued.operation.clone_from(&event.operation);
    queued
}

impl Journal for Recorder {
    fn commit(&self, mut batch: Batch) -> Commit {
        let spec = Arc::clone(&self.spec.borrow());
        let mut alerts = self.alerts.lock();
        let mut entries = Vec::new();
        let mut added = Vec::new();
        let charter = spec.policy.charter.as_ref().map(|charter| charter.prefix());
        let events = batch.changes.iter().filter_map(|change| match change {
            Change::Event(event) => Some(event),
            _ => None,
        });
        let events: Vec<&Event> = events.collect();
        let of_drill = events.iter().map(|event| alerts.is_of_drill(event));
        let of_drill: Vec<bool> = of_drill.collect();
        let Alerts { ids, open, .. } = &mut *alerts;
        let told = open.alerts_for_all(&events, &spec.alerts, &spec.host.name, ids);
        for ((event, mut told), is_of_drill) in events.into_iter().zip(told).zip(of_drill) {
            if is_of_drill {
                told.iter_mut()
                    .for_each(|entry| entry.alert.mark_as_drill());
            }
            story::tell(event, charter);
            if is_of_config(event) {
                told.extend(open.taken_away(event, &spec, ids));
            }
            for entry in told {
                let queued = queued(&entry, event);
                story::tell(&queued, charter);
                added.extend([Change::Alert(entry.clone()), Change::Event(queued)]);
                entries.push(entry);
            }
        }
        if entries.is_empty() {
            drop(alerts);
            return self.journal.commit(batch);
        }
        batch.changes.extend(added);
        let fence = batch.fence;
        let committed = self.journal.commit(batch);
        // Answered after what was submitted before it, and of the same kind. An alert can wait for a few milliseconds, and
        // the recovery that it tells of, for which another fsync would be one more to wait for, cannot.
        let written = self.journal.commit(Batch {
            fence,
            ..Batch::soon(Vec::new())
        });
        // Where nobody delivers any more, the next daemon does.
        let _ = self.arrivals.send(Arrival { entries, written });
        committed
    }

    fn commit_again(&self, batch: Batch) -> Commit {
        // Its alerts were handed on when it was refused.
        self.journal.commit_again(batch)
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.journal.subscribe()
    }
}

#[cfg(test)]
mod tests;
