//! What the engine does with a finding: open an incident or count its recurrence, and schedule an operation.

use super::{Key, RecoveryEngine, about};
use crate::ports::Finding;
use mainstay_domain::{
    event::{Event, EventKind},
    health::Evidence,
    id::{IncidentId, OperationId},
    incident::Incident,
    journal::Change,
    operation::{Mode, Operation, OperationEvent},
    severity::Severity,
    spec::RouteSpec,
    time::{Monotonic, Timestamp},
};
use std::time::Duration;

/// A failure that comes back within this time counts as a recurrence of the incident before.
const RECURRENCE_WINDOW: Duration = Duration::from_secs(3600);
/// After operations that did not help, the next automatic one waits for the cooldown and at least this, doubled each
/// time up to [`LONGEST_PAUSE`].
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// The longest such wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

impl RecoveryEngine {
    pub(super) async fn found(&mut self, finding: Finding) {
        match finding {
            Finding::Exited { .. } => {}
            Finding::Raised {
                target,
                failure,
                severity,
                evidence,
                detected_at,
            } => {
                self.raised((target, failure), severity, evidence, detected_at)
                    .await;
            }
            Finding::Cleared {
                target,
                failure,
                at,
            } => self.cleared(&(target, failure), at).await,
        }
    }

    async fn raised(&mut self, key: Key, severity: Severity, evidence: Evidence, at: Timestamp) {
        if let Some(incident) = self.state.incidents.get_mut(&key) {
            incident.persist(severity, evidence);
            let changed = Change::Incident(incident.clone());
            self.write(vec![changed]);
            self.set_cleared(&key, false);
        } else {
            self.count_open(&key, at);
            let incident = self.open_incident(&key, severity, evidence, at).await;
            self.state.incidents.insert(key.clone(), incident);
        }
        self.schedule_where_none_is(&key, at);
    }

    /// An open incident has one operation, but where a person took it into their own hands.
    pub(super) fn schedule_where_none_is(&mut self, key: &Key, at: Timestamp) {
        let is_wanted = !self.state.is_stopping
            && self
                .state
                .incidents
                .get(key)
                .is_some_and(|incident| !incident.by_hand);
        if is_wanted && !self.has_operation(key) {
            self.schedule(key, at);
        }
    }

    fn set_cleared(&mut self, key: &Key, is_cleared: bool) {
        let running = self.state.running.values_mut();
        for running in running.filter(|running| running.key == *key) {
            running.is_cleared = is_cleared;
        }
    }

    pub(super) async fn open_incident(
        &mut self,
        key: &Key,
        severity: Severity,
        evidence: Evidence,
        at: Timestamp,
    ) -> Incident {
        let (target, failure) = key.clone();
        let since = at - RECURRENCE_WINDOW;
        let recurrences = self
            .ports
            .records
            .recurrences(target.clone(), failure.clone(), since)
            .await;
        let id = IncidentId::new(self.ids.next(at));
        let message = format!("{target} has {failure}: {}", evidence.message);
        let incident = Incident::open(
            id,
            target,
            failure,
            severity,
            evidence,
            at,
            recurrences.unwrap_or_default(),
        );
        let data = serde_json::json!({ "incident": incident.id, "failure": incident.failure,
            "recurrence": incident.recurrence, "affected": incident.affected });
        let event = Event::new(EventKind::IncidentOpened, severity, at, message)
            .with_target(&key.0)
            .with_data(data);
        self.write(vec![
            Change::Incident(incident.clone()),
            Change::Event(event),
        ]);
        incident
    }

    /// One alert when a target begins to fail again and again; its operations are then spaced out.
    fn count_open(&mut self, key: &Key, at: Timestamp) {
        let (_, monotonic) = self.now();
        let detector = self.state.flapping.entry(key.0.clone()).or_default();
        if detector.opened(monotonic) {
            let message = format!(
                "{} fails again and again: its recoveries are spaced out as their strategy says",
                key.0
            );
            let event = Event::new(EventKind::CircuitFlapping, Severity::High, at, message)
                .with_target(&key.0);
            self.write(vec![Change::Event(event)]);
        }
    }

    pub(super) fn has_operation(&self, key: &Key) -> bool {
        self.state.waiting_for(key).next().is_some() || self.is_running(key)
    }

    fn is_running(&self, key: &Key) -> bool {
        self.state.running_for(key).is_some()
    }

    /// Schedules an automatic operation for an open incident, or says why there is none.
    pub(super) fn schedule(&mut self, key: &Key, detected_at: Timestamp) {
        let Some(incident) = self.state.incidents.get(key).cloned() else {
            return;
        };
        let operation = self.new_operation(&incident, Mode::Automatic, detected_at);
        let (now, monotonic) = self.now();
        let Some(route) = self.route_of(key, operation.severity) else {
            let message = format!(
                "no route fits {} of {}: nothing is done about it",
                key.1, key.0
            );
            let changes = self.escalate(key, None, message, now);
            self.write(changes);
            return;
        };
        if route.strategy.awaits_approval() {
            self.await_approval(operation, now);
            return;
        }
        let pause = self.pause_before(key, &route, now, monotonic);
        let message = match pause {
            Duration::ZERO => format!("recovery of {} from {} is scheduled", key.0, key.1),
            _ => format!(
                "recovery of {} from {} is scheduled at {}, after a pause",
                key.0,
                key.1,
                now + pause
            ),
        };
        let data =
            serde_json::json!({ "incident": incident.id, "failure": key.1, "due": now + pause });
        let event = Event::new(
            EventKind::OperationScheduled,
            incident.severity,
            now,
            message,
        )
        .with_data(data);
        self.write(vec![
            Change::Operation(operation.clone()),
            about(&operation, event),
        ]);
        self.enqueue(operation, monotonic + pause);
    }

    /// How long until the next automatic operation: the rest of the cooldown after a success; after operations that did
    /// not help the cooldown again, doubled for each; and the back-off of a target that fails again and again.
    fn pause_before(
        &self,
        key: &Key,
        route: &RouteSpec,
        now: Timestamp,
        monotonic: Monotonic,
    ) -> Duration {
        let cooldown = self
            .state
            .cooldowns
            .until(&key.0, &key.1, route.cooldown, now);
        let after_success = cooldown.map_or(Duration::ZERO, |until| until.since(now));
        let after_failures = match self.state.failures_in_a_row.get(key) {
            None | Some(0) => Duration::ZERO,
            Some(failures) => {
                let first = route.cooldown.max(SHORTEST_PAUSE);
                first
                    .saturating_mul(1 << failures.saturating_sub(1).min(16))
                    .min(LONGEST_PAUSE)
            }
        };
        let openings = self
            .state
            .flapping
            .get(&key.0)
            .map_or(0, |detector| detector.excess(monotonic));
        let flapping = route.strategy.back_off(openings);
        after_success.max(after_failures).max(flapping)
    }

    fn await_approval(&mut self, mut operation: Operation, now: Timestamp) {
        let _ = operation.apply(OperationEvent::NeedsPerson, now, Duration::MAX);
        let message = format!(
            "recovery of {} from {} waits for a person: mainstay approve {id}, or mainstay reject {id}",
            operation.target,
            operation.failure,
            id = operation.id
        );
        let event = Event::new(
            EventKind::OperationAwaitingManual,
            operation.severity,
            now,
            message,
        );
        self.write(vec![
            Change::Operation(operation.clone()),
            about(&operation, event),
        ]);
        self.state.waiting.insert(operation.id.clone(), operation);
    }

    pub(super) fn new_operation(
        &mut self,
        incident: &Incident,
        mode: Mode,
        detected_at: Timestamp,
    ) -> Operation {
        let id = OperationId::new(self.ids.next(self.ports.clock.now()));
        let (target, failure) = (incident.target.clone(), incident.failure.clone());
        let mut operation =
            Operation::scheduled(id, target, failure, incident.severity, mode, detected_at);
        operation.incident = Some(incident.id.clone());
        operation
    }

    /// The failure is gone by the checks. Where an operation runs, its own validation decides first.
    async fn cleared(&mut self, key: &Key, at: Timestamp) {
        if self.is_running(key) {
            self.set_cleared(key, true);
            return;
        }
        let changes = self.let_go(key, "the target became healthy by itself", at);
        let _ = self.conclude(changes).await;
    }

    /// What is no longer in the config cannot be looked at, so nothing could ever say that its failure is over.
    pub(super) async fn let_go_of_removed_targets(&mut self) {
        let now = self.ports.clock.now();
        let is_removed = |key: &&Key| !self.is_configured(&key.0) && !self.is_running(key);
        let removed: Vec<Key> = self
            .state
            .incidents
            .keys()
            .filter(is_removed)
            .cloned()
            .collect();
        let mut changes = Vec::new();
        for key in removed {
            changes.extend(self.let_go(&key, "the target is no longer configured", now));
        }
        let _ = self.conclude(changes).await;
    }
}
