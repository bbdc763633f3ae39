//! Delivers alerts from the durable outbox.
//!
//! Invariant: an alert leaves the outbox only when its alerter took it, refused it for good, or could not take it for
//! as long as `domain::alert` allows; each of these is an event.
//! Invariant: each alerter has one delivery under way at most, the oldest that is due, so that a slow alerter delays
//! no other and an alert that it cannot take delays none behind it.

use crate::ports::{Alerters, Clock, Delivery, Journal, Records};
use mainstay_domain::{
    alert::{OutboxEntry, Retry, retry},
    event::{Event, EventKind},
    journal::Change,
    name::PluginName,
    severity::Severity,
    spec::Spec,
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{
    sync::{broadcast::error::RecvError, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// How long the service rests where nothing is due; a new alert wakes it.
const IDLE: Duration = Duration::from_secs(3600);
/// How long it waits before it reads an outbox again that could not be read.
const UNREADABLE: Duration = Duration::from_secs(5);

/// The service.
pub struct AlertService {
    /// Where outcomes are written.
    pub journal: Arc<dyn Journal>,
    /// Where the outbox is read.
    pub records: Arc<dyn Records>,
    /// Who delivers.
    pub alerters: Arc<dyn Alerters>,
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// For the versions that alert routes ask for.
    pub spec: watch::Receiver<Arc<Spec>>,
}

impl AlertService {
    /// Runs until it is stopped; deliveries under way are finished first.
    pub async fn run(self, stop: CancellationToken) {
        let mut events = self.journal.subscribe();
        let mut busy: BTreeSet<PluginName> = BTreeSet::new();
        let mut deliveries: JoinSet<PluginName> = JoinSet::new();
        loop {
            let rest = self.start_due(&mut busy, &mut deliveries).await;
            tokio::select! { biased;
                () = stop.cancelled() => break,
                Some(done) = deliveries.join_next(), if !deliveries.is_empty() => match done {
                    Ok(alerter) => { busy.remove(&alerter); }
                    // A delivery that panicked is tried again: its entry is still in the outbox.
                    Err(_) => busy.clear(),
                },
                // A new plugin may deliver what the one before could not.
                () = next_reason(&mut events) => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
        while deliveries.join_next().await.is_some() {}
    }

    /// Starts the oldest due delivery of each alerter that has none; how long until the next is due.
    async fn start_due(&self, busy: &mut BTreeSet<PluginName>, deliveries: &mut JoinSet<PluginName>) -> Duration {
        let Ok(outbox) = self.records.outbox().await else { return UNREADABLE };
        let now = self.clock.now();
        let mut rest = IDLE;
        for entry in outbox {
            if busy.contains(&entry.alerter) {
                continue;
            }
            if entry.due > now {
                rest = rest.min(entry.due.since(now));
            } else {
                busy.insert(entry.alerter.clone());
                deliveries.spawn(self.deliver(entry));
            }
        }
        rest
    }

    fn deliver(&self, mut entry: OutboxEntry) -> impl Future<Output = PluginName> + Send + 'static {
        let (journal, alerters, clock) = (Arc::clone(&self.journal), Arc::clone(&self.alerters), Arc::clone(&self.clock));
        let version = {
            let spec = self.spec.borrow();
            let route = spec.alerts.iter().find(|route| route.alerter == entry.alerter);
            route.map_or(semver::VersionReq::STAR, |route| route.version.clone())
        };
        async move {
            entry.attempts = entry.attempts.saturating_add(1);
            let delivery = alerters.deliver(entry.alerter.clone(), version, entry.alert.clone(), entry.attempts).await;
            let changes = outcome(&mut entry, delivery, clock.now());
            // Where this cannot be written the entry stays as it was, and is delivered again: receivers deduplicate.
            let _ = journal.commit(changes).await;
            entry.alerter
        }
    }
}

/// Waits for an event after which an alert may be delivered that could not be before.
async fn next_reason(events: &mut tokio::sync::broadcast::Receiver<Arc<Event>>) {
    loop {
        match events.recv().await {
            Ok(event) if matches!(event.kind, EventKind::AlertQueued | EventKind::PluginServing) => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// What is written after an attempt.
fn outcome(entry: &mut OutboxEntry, delivery: Delivery, now: mainstay_domain::time::Timestamp) -> Vec<Change> {
    let (id, alerter) = (entry.alert.id.clone(), entry.alerter.clone());
    let about = |kind, severity, message: String, data| {
        let mut event = Event::new(kind, severity, now, message).with_plugin(&alerter).with_data(data);
        event.target.clone_from(&entry.alert.target);
        event.operation.clone_from(&entry.alert.operation);
        Change::Event(event)
    };
    let facts = |more: serde_json::Value| serde_json::json!({ "alert": id, "attempt": entry.attempts, "detail": more });
    match delivery {
        Delivery::Delivered { by, reference } => {
            let message = format!("{by} delivered: {}", entry.alert.title);
            let event = about(EventKind::AlertDelivered, Severity::Low, message, facts(reference.into()));
            vec![Change::AlertDone(id.clone(), alerter.clone()), event]
        }
        Delivery::Refused(why) => {
            let message = format!("{alerter} refused for good: {}: {why}", entry.alert.title);
            let event = about(EventKind::AlertAbandoned, Severity::High, message, facts(why.into()));
            vec![Change::AlertDone(id.clone(), alerter.clone()), event]
        }
        Delivery::Delayed { why, not_before } => match retry(entry, not_before, now) {
            Retry::At(due) => {
                let message = format!("{alerter} could not deliver, next attempt at {due}: {}: {why}", entry.alert.title);
                let event = about(EventKind::AlertDelayed, Severity::Medium, message, facts(why.clone().into()));
                let later = OutboxEntry { due, last_error: Some(why), ..entry.clone() };
                vec![Change::Alert(later), event]
            }
            Retry::Abandon => {
                let message = format!("{alerter} could not deliver, given up: {}: {why}", entry.alert.title);
                let event = about(EventKind::AlertAbandoned, Severity::High, message, facts(why.into()));
                vec![Change::AlertDone(id.clone(), alerter.clone()), event]
            }
        },
    }
}
