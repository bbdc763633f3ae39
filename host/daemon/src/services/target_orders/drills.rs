//! Drills: breaks a target on purpose, and tells how long its recovery took.
//!
//! Invariant: a break is written down, and on record, before it is done; so no daemon finds a target broken and does not know
//! why.
//! Invariant: what broke a target is undone at the end of its drill, whoever ends it, or somebody is told that it is not.
//! Invariant: a drill that was taken ends with an event, also where the daemon ends before it: the next one tells it.

mod breaks;

use super::Inner;
use crate::ports::{DrillRequest, Refused, TakenCommand};
use mainstay_domain::{
    drill::DrillEnd,
    drill_rules::{DrillState, may_drill},
    event::{Event, EventData, EventKind, NoteAdded, TargetDrilled},
    id::IncidentId,
    measure::length,
    orders::DrillOrder,
    severity::Severity,
    time::millis,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Instant,
};

/// The outcome of a drill that went as it should.
const DONE: &str = "done";

/// What was seen of a drill.
#[derive(Default)]
struct Seen {
    incident: Option<IncidentId>,
    noticed: Option<Duration>,
}

impl Inner {
    /// Breaks the target, where its config and its state allow it. When this returns it is broken.
    pub(super) async fn drill(
        self: Arc<Self>,
        request: DrillRequest,
    ) -> Result<TakenCommand, Refused> {
        let by = self.ports.secrets.conceal_note(request.by);
        let order = DrillOrder {
            target: request.target,
            failure: request.failure,
            method: request.method,
            by: by.name,
            note: by.note,
            at: self.ports.shared.clock.now(),
        };
        let policy = self.ports.recovery.policy(order.target.clone()).await;
        let asks = policy.is_ok_and(|policy| policy.set.ask == Some(true));
        self.may_drill(&order, asks)?;
        let written = order.clone();
        self.try_change_durably(|orders| match orders.drill(written) {
            true => Ok(()),
            false => Err(Refused(format!("a drill of {} is under way", order.target))),
        })
        .await?;
        let events = self.ports.shared.journal.subscribe();
        // By no clock that is set.
        let broken_at = Instant::now();
        if let Err(why) = self.break_it(&order).await {
            let end = self
                .undone(&order, format!("it could not be broken: {why}"))
                .await;
            self.forget(&order).await;
            self.tell_end(&order, &Seen::default(), None, end.clone())
                .await;
            return Err(Refused(format!("{}: {end}", order.target)));
        }
        let work = async move { self.follow_drill(order, events, broken_at).await };
        Ok(TakenCommand {
            dependents: Vec::new(),
            work: Box::pin(work),
        })
    }

    /// `asks`: a person set that each recovery of it is approved.
    fn may_drill(&self, order: &DrillOrder, asks: bool) -> Result<(), Refused> {
        let spec = Arc::clone(&self.ports.shared.spec.borrow());
        let name = &order.target;
        let target = spec
            .target(name)
            .ok_or_else(|| Self::refused_as_unknown(name))?;
        if let Some(held) = self.ports.targets.held(name) {
            return Err(Self::refused_as_held(name, &held));
        }
        let recovery = &self.ports.recovery;
        let process = self.ports.targets.status(name);
        let state = DrillState {
            is_paused: recovery.is_paused(None) || recovery.is_paused(Some(name)),
            is_failing: recovery.active(name).is_some(),
            runs: process.is_some_and(|process| process.pid.is_some()),
            is_drilled: self.orders.lock().is_drilled(name),
            asks,
            phase: recovery.phase(),
        };
        may_drill(&spec, target, &order.failure, order.method, state).map_err(Refused)
    }

    /// Waits for the recovery, and tells how it was.
    async fn follow_drill(
        &self,
        order: DrillOrder,
        mut events: Receiver<Arc<Event>>,
        broken_at: Instant,
    ) {
        let rto = {
            let spec = Arc::clone(&self.ports.shared.spec.borrow());
            spec.target(&order.target).map(|target| target.rto)
        };
        let rto = rto.unwrap_or_default();
        let deadline = Instant::now() + DrillEnd::patience(rto);
        let mut seen = Seen::default();
        let end = loop {
            let event = tokio::select! { biased;
                () = self.ends.cancelled() => break DrillEnd::CutOff,
                event = events.recv() => event,
                () = tokio::time::sleep_until(deadline) => break match seen.incident {
                    Some(_) => DrillEnd::NotRecovered,
                    None => DrillEnd::NotNoticed,
                },
            };
            match event {
                Ok(event) => {
                    if let Some(took) = self.hear(&order, &event, &mut seen, broken_at).await {
                        break DrillEnd::Healthy(took);
                    }
                }
                // What was missed may be the end.
                Err(RecvError::Lagged(_)) => {
                    let is_over = self.ports.recovery.active(&order.target).is_none();
                    if is_over && seen.incident.is_some() {
                        break DrillEnd::Healthy(broken_at.elapsed());
                    }
                }
                Err(RecvError::Closed) => break DrillEnd::CutOff,
            }
        };
        let outcome = self.undone(&order, end.outcome(rto)).await;
        self.forget(&order).await;
        self.tell_end(&order, &seen, Some((end, rto)), outcome)
            .await;
    }

    /// What an event says of a drill; how long it took, where it is over.
    async fn hear(
        &self,
        order: &DrillOrder,
        event: &Event,
        seen: &mut Seen,
        broken_at: Instant,
    ) -> Option<Duration> {
        if event.target.as_ref() != Some(&order.target) {
            return None;
        }
        let about = match &event.data {
            EventData::IncidentOpened(facts) => &facts.about,
            // It was recovered not long ago.
            EventData::IncidentReopened(facts) => &facts.about,
            // One that was reopened is closed later, when its recovery has lasted.
            EventData::OperationEnded(facts) => {
                let is_own =
                    facts.outcome.incident.is_some() && facts.outcome.incident == seen.incident;
                let is_healthy = event.kind == EventKind::OperationSucceeded && is_own;
                return is_healthy.then(|| broken_at.elapsed());
            }
            EventData::IncidentClosed(facts) => {
                let is_own = seen.incident.as_ref() == Some(&facts.about.incident);
                return is_own.then(|| broken_at.elapsed());
            }
            _ => return None,
        };
        if about.failure == order.failure && seen.incident.is_none() {
            seen.incident = Some(about.incident.clone());
            seen.noticed = Some(broken_at.elapsed());
            self.mark(order, &about.incident).await;
        }
        None
    }

    /// The incident of a drill says that it is one.
    async fn mark(&self, order: &DrillOrder, incident: &IncidentId) {
        let DrillOrder {
            target, by, note, ..
        } = order;
        let text = format!(
            "a drill: {by} has {target} broken on purpose, by {}",
            order.method
        );
        let message = format!("{by} notes about {incident}: {text}");
        let now = self.ports.shared.clock.now();
        let event = Event::new(EventKind::NoteAdded, Severity::Low, now, message)
            .with_target(target)
            .with_data(NoteAdded {
                incident: Some(incident.clone()),
                by: by.clone(),
                note: note.clone(),
                text,
            });
        self.tell(event, "that an incident is of a drill").await;
    }

    async fn forget(&self, order: &DrillOrder) {
        self.change(|orders| orders.end_drill(&order.target)).await;
    }

    /// Tells of the drills that the daemon before did not see the end of.
    pub(super) async fn end_cut_off_drills(&self) {
        for order in &self.cut_off {
            self.end_break(order).await;
            let outcome = self
                .undone(order, DrillEnd::CutOff.outcome(Duration::ZERO))
                .await;
            self.forget(order).await;
            self.tell_end(order, &Seen::default(), None, outcome).await;
        }
    }

    /// `end` is how it ended, and its objective; none where it was not broken, or where that is not known.
    async fn tell_end(
        &self,
        order: &DrillOrder,
        seen: &Seen,
        end: Option<(DrillEnd, Duration)>,
        outcome: String,
    ) {
        let (target, failure) = (&order.target, &order.failure);
        let spec = Arc::clone(&self.ports.shared.spec.borrow());
        let configured = spec.target(target).map(|target| target.rto);
        let rto = end.map_or(configured.unwrap_or_default(), |(_, rto)| rto);
        let recovered = match end {
            Some((DrillEnd::Healthy(took), _)) => Some(took),
            _ => None,
        };
        // What could not be undone is no success.
        let is_met = end.is_some_and(|(end, rto)| end.is_met(rto)) && outcome == DONE;
        let how = match recovered.filter(|_| is_met) {
            Some(took) => format!(
                "it was healthy again from {failure} after {}, within its objective of {}",
                length(took),
                length(rto)
            ),
            None => outcome.clone(),
        };
        let severity = match is_met {
            true => Severity::Low,
            false => Severity::Medium,
        };
        let now = self.ports.shared.clock.now();
        let message = format!("the drill of {target} is over: {how}");
        let event = Event::new(EventKind::TargetDrilled, severity, now, message)
            .with_target(target)
            .with_data(TargetDrilled {
                failure: failure.clone(),
                method: order.method,
                by: order.by.clone(),
                note: order.note.clone(),
                incident: seen.incident.clone(),
                rto_ms: millis(rto),
                noticed_ms: seen.noticed.map(millis),
                recovered_ms: recovered.map(millis),
                outcome,
            });
        self.tell(event, "what came of a drill").await;
    }
}
