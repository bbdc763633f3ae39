//! Delivers alerts from the durable outbox. The outbox is read once at start; after that, memory is authoritative.
//!
//! Length: what is held back, what is delivered, and what is written of each, side by side.
//!
//! Invariant: an alert joins the outbox when its event is durable, or where the journal takes nothing now, so that
//! alerts go out while the disk is full.
//! Invariant: an alert leaves the outbox when it is delivered, refused for good, older than `domain::alert` allows,
//! or pushed out because too many wait. Each of these is an event.
//! Invariant: several deliveries are under way, the most severe that are due, and of equals the oldest; to one alerter no
//! more than its `concurrency`. A slow alerter delays no other, and an alert that it cannot take delays none behind it:
//! what waits for its next attempt waits beside the others.
//! Invariant: one alerter gets the alerts about one thing in the order of their events, so "resolved" is never
//! followed by "fired".
//! Invariant: an alert that is held back before its first attempt leaves its place when nothing holds it back any more, or
//! is dropped where it is over by then; see `domain::alert::HeldAlerts`. Each is an event.
//! Invariant: what a route has told together waits for others once nothing holds it back, and stays in the durable outbox until
//! its group tells that it is over; see `domain::alert::AlertGroups`.
//! Invariant: it is written that an alert may have arrived before its first attempt begins, so that no later daemon holds it
//! back.
//! Invariant: what was delivered is not sent again while the daemon lives, whether the outcome can be written or not.

mod arrivals;
mod grouping;

pub use arrivals::{Arrival, Arrivals, arrivals};

use self::grouping::Groups;
use super::{alerter_watch::AlerterHealth, metrics::Numbers, shared::Shared};
use crate::ports::{AlertHolds, Alerters, Batch, Delivery};
use mainstay_domain::{
    alert::{
        AlertStatus, Arrived, HeldAlerts, Outbox, OutboxEntry, after_failure, retry_after,
        version_for,
    },
    event::{AlertDelivery, AlertHeld, Event, EventKind},
    id::{AlertId, IdSource},
    name::PluginName,
    record::Change,
    severity::Severity,
    time::Timestamp,
};
use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::broadcast::error::{RecvError, TryRecvError},
    task::{Id, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// How long the service rests at most; a new alert wakes it. What is due is so by the wall clock, which may be set.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The service.
pub struct AlertService {
    /// The journal is where outcomes are written; the config has the versions that alert routes ask for.
    pub shared: Shared,
    /// Alerts that the previous daemon left, oldest first.
    pub undelivered: Vec<OutboxEntry>,
    /// What comes.
    pub arrivals: Arrivals,
    /// Who delivers.
    pub alerters: Arc<dyn Alerters>,
    /// What holds alerts back.
    pub holds: Arc<dyn AlertHolds>,
    /// How many wait and are under way is counted there.
    pub numbers: Numbers,
    /// Whether the alerters deliver is told there.
    pub health: AlerterHealth,
    /// Where the identifiers of the alerts of groups come from.
    pub ids: IdSource,
    /// The members of groups whose end nothing will say any more, see `OpenAlerts::forgotten`.
    pub forgotten: Vec<(PluginName, String)>,
}

/// What a delivery works with.
#[derive(Clone)]
struct DeliveryContext {
    shared: Shared,
    outbox: Arc<Mutex<Outbox>>,
    alerters: Arc<dyn Alerters>,
    held: Arc<Mutex<HeldAlerts>>,
    holds: Arc<dyn AlertHolds>,
    health: AlerterHealth,
    groups: Arc<Mutex<Groups>>,
}

impl AlertService {
    /// Runs until it is stopped; deliveries under way are finished first.
    pub async fn run(self, stop: CancellationToken) {
        let Self {
            shared,
            undelivered,
            mut arrivals,
            alerters,
            holds,
            numbers,
            forgotten,
            health,
            ids,
        } = self;
        let mut events = shared.journal.subscribe();
        let context = DeliveryContext {
            shared,
            outbox: Arc::default(),
            alerters,
            held: Arc::default(),
            holds,
            health: health.clone(),
            groups: Arc::new(Mutex::new(Groups::new(ids))),
        };
        health.resume(&undelivered);
        // Of what is still held back it was told before.
        context.arrived(undelivered, false);
        context.forget(&forgotten);
        // What each task delivers, and by whom.
        let mut under_way: HashMap<Id, (AlertId, PluginName)> = HashMap::new();
        let mut deliveries: JoinSet<()> = JoinSet::new();
        loop {
            let gathered = context.tell_gathered();
            let rest = context.start_due(&mut under_way, &mut deliveries, &stop);
            let rest = gathered.map_or(rest, |next| rest.min(next));
            numbers.outbox(context.outbox().waiting(), under_way.len());
            health.wait(context.outbox().waiting_by_alerter());
            let rest = context.holds.pass().map_or(rest, |next| rest.min(next));
            tokio::select! { biased;
                () = stop.cancelled() => break,
                Some(done) = deliveries.join_next_with_id(), if !deliveries.is_empty() => {
                    let id = done.map_or_else(|error| error.id(), |(id, ())| id);
                    if let Some((alert, alerter)) = under_way.remove(&id) {
                        context.outbox().ended(&alert, &alerter);
                    }
                }
                // A new plugin may deliver what the one before could not. Before what arrives, which may be much: all that
                // is held back is gone through here, and not for each that arrives.
                () = wait_for_retry_trigger(&mut events) => context.release(),
                back = health.came_back() => context.retry_now(&back),
                entries = arrivals.next() => context.arrived(entries, true),
                () = tokio::time::sleep(rest) => context.release(),
            }
        }
        while deliveries.join_next().await.is_some() {}
    }
}

impl DeliveryContext {
    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock()
    }

    /// What waits for these alerters, which serve again, waits no more.
    fn retry_now(&self, alerters: &[PluginName]) {
        let now = self.shared.clock.now();
        let mut outbox = self.outbox();
        for alerter in alerters {
            outbox.retry_now(alerter, now);
        }
    }

    /// Takes alerts into the outbox, or to be told together, but for those that are held back or over.
    fn arrived(&self, entries: Vec<OutboxEntry>, is_news: bool) {
        let free = self.hold(entries, is_news);
        self.accept(free);
    }

    /// Those of these that nothing holds back.
    fn hold(&self, entries: Vec<OutboxEntry>, is_news: bool) -> Vec<OutboxEntry> {
        let now = self.shared.clock.now();
        let mut accepted = Vec::new();
        let mut changes = Vec::new();
        let mut why_held = self.holds.look();
        let mut held = self.held.lock();
        for entry in entries {
            if entry.part_of.is_some() {
                // Its group tells of it.
                accepted.push(entry);
                continue;
            }
            let why = match entry.alert.status == AlertStatus::Firing {
                true => why_held(&entry.alert),
                false => None,
            };
            match held.arrive(entry, why) {
                Arrived::Deliver(entries) => accepted.extend(entries),
                Arrived::Held(entry, why) if is_news => {
                    changes.push(event_of_held(&entry, EventKind::AlertHeld, now, why));
                }
                Arrived::Held(..) => {}
                Arrived::Over { untold, deliver } => {
                    for entry in untold {
                        let why = "it was over while it was held".to_owned();
                        let event = event_of_held(&entry, EventKind::AlertLapsed, now, why);
                        changes.extend([done(&entry), event]);
                    }
                    accepted.extend(deliver.map(|entry| *entry));
                }
            }
        }
        drop(held);
        if !changes.is_empty() {
            // Written in order; nothing waits for it.
            drop(self.shared.journal.commit(Batch::soon(changes)));
        }
        accepted
    }

    /// Lets go of what nothing holds back any more.
    fn release(&self) {
        let mut why_held = self.holds.look();
        let released = self.held.lock().release(|alert| why_held(alert).is_some());
        self.accept(released);
    }

    /// Takes into the outbox what is to be delivered.
    fn put(&self, entries: Vec<OutboxEntry>) {
        let dropped: Vec<OutboxEntry> = {
            let mut outbox = self.outbox();
            let added = entries.into_iter();
            added.filter_map(|entry| outbox.add(entry)).collect()
        };
        if dropped.is_empty() {
            return;
        }
        tracing::warn!(
            dropped = dropped.len(),
            "more than {} alerts wait; the oldest of the least severe are given up",
            Outbox::MOST
        );
        let now = self.shared.clock.now();
        let gone = dropped.iter().flat_map(|entry| {
            let what = format!("{}: too many alerts wait, given up", entry.alerter);
            let event = event_about(
                entry,
                EventKind::AlertAbandoned,
                Severity::High,
                now,
                &what,
                "",
            );
            [done(entry), event]
        });
        // Written in order; nothing waits for it.
        drop(
            self.shared
                .journal
                .commit(Batch::soon(gone.collect::<Vec<_>>())),
        );
    }

    /// Starts what may be delivered now; how long until the next is due.
    fn start_due(
        &self,
        under_way: &mut HashMap<Id, (AlertId, PluginName)>,
        deliveries: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) -> Duration {
        let spec = Arc::clone(&self.shared.spec.borrow());
        // More calls would only wait for their turn, while their time runs.
        let most = |alerter: &PluginName| {
            let limits = spec.plugins.get(alerter).map(|plugin| plugin.limits);
            let calls = limits.unwrap_or_default().concurrency;
            usize::try_from(calls).unwrap_or(usize::MAX).max(1)
        };
        let (due, rest) = self.outbox().due(most, self.shared.clock.now());
        for entry in due {
            let what = (entry.alert.id.clone(), entry.alerter.clone());
            let task = deliveries.spawn(self.clone().deliver(entry, stop.clone()));
            under_way.insert(task.id(), what);
        }
        rest.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN)
    }

    async fn deliver(self, mut entry: OutboxEntry, stop: CancellationToken) {
        if !entry.begun {
            // The next daemon is to know that it may have arrived. Where the journal takes nothing, it goes out all the same.
            entry.begun = true;
            let begun = vec![Change::Alert(entry.clone())];
            if let Err(error) = self.shared.journal.commit(begun.into()).await {
                tracing::warn!(%error, "that a delivery begins is not in the journal");
            }
        }
        let version = version_for(&entry, &self.shared.spec.borrow().alerts);
        let attempt = entry.attempts.saturating_add(1);
        let (alerters, alerter, alert) = (
            Arc::clone(&self.alerters),
            entry.alerter.clone(),
            entry.alert.clone(),
        );
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
        let now = self.shared.clock.now();
        self.health.ended(&entry.alerter, &delivery, now);
        let changes = outcome(&mut self.outbox(), entry, delivery, now);
        self.write(changes, &stop).await;
    }

    /// Writes an outcome, and retries while the journal is full: the next daemon delivers an alert again whose
    /// outcome is lost, and receivers deduplicate. After `stop` there is one more try.
    async fn write(&self, changes: Vec<Change>, stop: &CancellationToken) {
        let mut failures: u32 = 0;
        while let Err(error) = self.shared.journal.commit(changes.clone().into()).await {
            tracing::error!(%error, "the outcome of a delivery is not in the journal");
            if stop.is_cancelled() || !error.is_retryable() {
                return;
            }
            failures = failures.saturating_add(1);
            tokio::select! { biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(retry_after(failures)) => {}
            }
        }
    }
}

/// Waits for an event after which an alert may be delivered that could not be before: a plugin serves, or what held it
/// back is over.
async fn wait_for_retry_trigger(events: &mut tokio::sync::broadcast::Receiver<Arc<Event>>) {
    loop {
        match events.recv().await {
            Ok(event) if lets_go(event.kind) => {
                // Many come at once where much is over at once, and all that is held back is gone through only once.
                while !matches!(
                    events.try_recv(),
                    Err(TryRecvError::Empty | TryRecvError::Closed)
                ) {}
                return;
            }
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn lets_go(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::PluginServing
            | EventKind::CheckRecovered
            | EventKind::IncidentClosed
            | EventKind::OperationSucceeded
            | EventKind::OperationCancelled
            | EventKind::ConfigApplied
            | EventKind::SilenceEnded
    )
}

/// It is delivered or given up.
fn done(entry: &OutboxEntry) -> Change {
    Change::AlertDone(entry.alert.id.clone(), entry.alerter.clone())
}

/// That an alert is held back, told together with others, or that nobody is told of it any more.
fn event_of_held(entry: &OutboxEntry, kind: EventKind, now: Timestamp, why: String) -> Change {
    let (alert, alerter) = (&entry.alert, &entry.alerter);
    let verb = match kind {
        EventKind::AlertHeld => "held",
        EventKind::AlertGrouped => "told together with others",
        _ => "dropped",
    };
    let message = format!("alert for {alerter} {verb}: {why}: {}", alert.title);
    let data = AlertHeld {
        alert: alert.id.clone(),
        alerter: alerter.clone(),
        why,
    };
    let mut event = Event::new(kind, Severity::Low, now, message)
        .with_plugin(alerter)
        .with_data(data);
    event.target.clone_from(&alert.target);
    event.operation.clone_from(&alert.operation);
    Change::Event(event)
}

fn event_about(
    entry: &OutboxEntry,
    kind: EventKind,
    severity: Severity,
    now: Timestamp,
    what: &str,
    detail: &str,
) -> Change {
    let (alert, alerter) = (&entry.alert, &entry.alerter);
    let colon = if detail.is_empty() { "" } else { ": " };
    let message = format!("{what}: {}{colon}{detail}", alert.title);
    let data = AlertDelivery {
        alert: alert.id.clone(),
        alerter: alerter.clone(),
        attempt: entry.attempts.saturating_add(1),
        detail: detail.to_owned(),
        in_place_of: entry.in_place_of.clone(),
    };
    let mut event = Event::new(kind, severity, now, message)
        .with_plugin(alerter)
        .with_data(data);
    event.target.clone_from(&alert.target);
    event.operation.clone_from(&alert.operation);
    Change::Event(event)
}

/// What becomes of an entry after an attempt, in the outbox at once; and what is to be written of it.
fn outcome(
    outbox: &mut Outbox,
    entry: OutboxEntry,
    delivery: Delivery,
    now: Timestamp,
) -> Vec<Change> {
    let event = |kind, severity, what: &str, detail: &str| {
        event_about(&entry, kind, severity, now, what, detail)
    };
    let alerter = &entry.alerter;
    match delivery {
        Delivery::Delivered { by, reference } => {
            outbox.done(&entry.alert.id, alerter);
            let what = format!("{by} delivered");
            let reference = reference.unwrap_or_default();
            let event = event(EventKind::AlertDelivered, Severity::Low, &what, &reference);
            vec![done(&entry), event]
        }
        Delivery::Refused(why) => {
            outbox.done(&entry.alert.id, alerter);
            let what = format!("{alerter} refused for good");
            let event = event(EventKind::AlertAbandoned, Severity::High, &what, &why);
            vec![done(&entry), event]
        }
        Delivery::Delayed { why, not_before } => {
            match after_failure(entry.clone(), why.clone(), not_before, now) {
                Some(later) => {
                    outbox.change(later.clone());
                    let due = later.due;
                    let what = format!("{alerter} could not deliver, next attempt at {due}");
                    let event = event(EventKind::AlertDelayed, Severity::Medium, &what, &why);
                    vec![Change::Alert(later), event]
                }
                None => {
                    let next = outbox.after_giving_up(&entry.alert, alerter, now);
                    outbox.done(&entry.alert.id, alerter);
                    if let Some(next) = &next {
                        outbox.change(next.clone());
                    }
                    let what = format!("{alerter} could not deliver, given up");
                    let event = event(EventKind::AlertAbandoned, Severity::High, &what, &why);
                    let next = next.map(Change::Alert);
                    [done(&entry), event].into_iter().chain(next).collect()
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
