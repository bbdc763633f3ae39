//! Delivers alerts from the durable outbox.
//!
//! Invariant: an alert leaves the outbox only when its alerter took it, refused it for good, or could not take it for
//! as long as `domain::alert` allows; each of these is an event.
//! Invariant: each alerter has one delivery under way at most, the oldest that is due, so that a slow alerter delays
//! no other and an alert that it cannot take delays none behind it.
//! Invariant: what one alerter is told about one thing it is told in the order in which it happened, so that the word
//! that it is over is never followed by the word that it began.
//! Invariant: an alerter has its next delivery only when the outcome of the one before is in the journal: while
//! nothing can be written, nothing is sent twice.

use crate::ports::{Alerters, Clock, Delivery, Journal, Records};
use mainstay_domain::{
    alert::{
        OutboxEntry, after_failure, after_giving_up, next_deliveries, retry_after, version_for,
    },
    event::{Event, EventKind},
    journal::Change,
    name::PluginName,
    severity::Severity,
    spec::Spec,
    time::Timestamp,
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::{broadcast::error::RecvError, watch},
    task::{Id, JoinSet},
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
        // Which alerter each task delivers for.
        let mut busy: HashMap<Id, PluginName> = HashMap::new();
        let mut deliveries: JoinSet<()> = JoinSet::new();
        loop {
            let rest = self.start_due(&mut busy, &mut deliveries, &stop).await;
            tokio::select! { biased;
                () = stop.cancelled() => break,
                Some(done) = deliveries.join_next_with_id(), if !deliveries.is_empty() => {
                    let id = done.map_or_else(|error| error.id(), |(id, ())| id);
                    busy.remove(&id);
                }
                // A new plugin may deliver what the one before could not.
                () = next_reason(&mut events) => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
        while deliveries.join_next().await.is_some() {}
    }

    /// Starts the oldest due delivery of each alerter that has none; how long until the next is due.
    async fn start_due(
        &self,
        busy: &mut HashMap<Id, PluginName>,
        deliveries: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) -> Duration {
        let Ok(outbox) = self.records.outbox().await else {
            return UNREADABLE;
        };
        let taken = busy.values().cloned().collect();
        let (due, rest) = next_deliveries(outbox, taken, self.clock.now());
        for entry in due {
            let alerter = entry.alerter.clone();
            let task = deliveries.spawn(self.deliver(entry, stop.clone()));
            busy.insert(task.id(), alerter);
        }
        rest.unwrap_or(IDLE)
    }

    fn deliver(
        &self,
        entry: OutboxEntry,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (journal, records, alerters, clock) = (
            Arc::clone(&self.journal),
            Arc::clone(&self.records),
            Arc::clone(&self.alerters),
            Arc::clone(&self.clock),
        );
        let version = version_for(&entry, &self.spec.borrow().alerts);
        async move {
            let attempt = entry.attempts.saturating_add(1);
            let (alerter, alert) = (entry.alerter.clone(), entry.alert.clone());
            let call = async move { alerters.deliver(alerter, version, alert, attempt).await };
            // A fault of the host in one delivery is a failed attempt: it waits for the next like every other.
            let delivery = tokio::spawn(call).await.unwrap_or_else(|error| {
                let why = format!("it broke off: {error}; report this as a defect");
                tracing::error!(alert = %entry.alert.id, why);
                Delivery::Delayed {
                    why,
                    not_before: None,
                }
            });
            let changes = outcome(&*records, entry, attempt, delivery, clock.now()).await;
            write(&*journal, changes, &stop).await;
        }
    }
}

/// Writes an outcome, trying until it is written: an entry that stayed as it was would be delivered again. `stop` ends
/// it after one more try; the next daemon then delivers again, and receivers deduplicate.
async fn write(journal: &dyn Journal, changes: Vec<Change>, stop: &CancellationToken) {
    let mut failures: u32 = 0;
    while let Err(error) = journal.commit(changes.clone()).await {
        tracing::error!(%error, "the outcome of a delivery is not in the journal");
        if stop.is_cancelled() {
            return;
        }
        failures = failures.saturating_add(1);
        tokio::select! { biased;
            () = stop.cancelled() => {}
            () = tokio::time::sleep(retry_after(failures)) => {}
        }
    }
}

/// Waits for an event after which an alert may be delivered that could not be before.
async fn next_reason(events: &mut tokio::sync::broadcast::Receiver<Arc<Event>>) {
    loop {
        match events.recv().await {
            Ok(event)
                if matches!(
                    event.kind,
                    EventKind::AlertQueued | EventKind::PluginServing
                ) =>
            {
                return;
            }
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// What is written after an attempt.
async fn outcome(
    records: &dyn Records,
    entry: OutboxEntry,
    attempt: u32,
    delivery: Delivery,
    now: Timestamp,
) -> Vec<Change> {
    let (alert, alerter) = (entry.alert.clone(), entry.alerter.clone());
    let event = |kind, severity, what: &str, detail: &str| {
        let message = format!(
            "{what}: {}{}{detail}",
            alert.title,
            if detail.is_empty() { "" } else { ": " }
        );
        let data = serde_json::json!({ "alert": alert.id, "alerter": alerter, "attempt": attempt, "detail": detail });
        let mut event = Event::new(kind, severity, now, message)
            .with_plugin(&alerter)
            .with_data(data);
        event.target.clone_from(&alert.target);
        event.operation.clone_from(&alert.operation);
        Change::Event(event)
    };
    let done = || Change::AlertDone(alert.id.clone(), alerter.clone());
    match delivery {
        Delivery::Delivered { by, reference } => {
            let what = format!("{by} delivered");
            vec![
                done(),
                event(
                    EventKind::AlertDelivered,
                    Severity::Low,
                    &what,
                    &reference.unwrap_or_default(),
                ),
            ]
        }
        Delivery::Refused(why) => {
            let what = format!("{alerter} refused for good");
            vec![
                done(),
                event(EventKind::AlertAbandoned, Severity::High, &what, &why),
            ]
        }
        Delivery::Delayed { why, not_before } => {
            match after_failure(entry, why.clone(), not_before, now) {
                Some(later) => {
                    let what =
                        format!("{alerter} could not deliver, next attempt at {}", later.due);
                    vec![
                        Change::Alert(later),
                        event(EventKind::AlertDelayed, Severity::Medium, &what, &why),
                    ]
                }
                None => {
                    let what = format!("{alerter} could not deliver, given up");
                    let event = event(EventKind::AlertAbandoned, Severity::High, &what, &why);
                    // Where the outbox cannot be read, what waited behind this is tried for longer.
                    let outbox = records.outbox().await.unwrap_or_default();
                    let next = after_giving_up(&alert, &alerter, outbox, now).map(Change::Alert);
                    [done(), event].into_iter().chain(next).collect()
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
