//! What `recover` runs for a person: the operation that waits already, or a new one.
//!
//! Invariant: of one failure of one target there is one operation at a time, whoever asks.

use super::{Key, RecoveryEngine};
use crate::ports::Refused;
use mainstay_domain::{
    health::Evidence,
    id::OperationId,
    operation::{Mode, Operation, OperationState},
    severity::Severity,
    time::Timestamp,
};

impl RecoveryEngine {
    /// The operation that a person wants. One that waits for its time, or for the end of a pause, waits no longer.
    pub(super) async fn by_hand(
        &mut self,
        key: &Key,
        severity: Severity,
        by: &str,
        now: Timestamp,
    ) -> Result<Operation, Refused> {
        let (target, failure) = key;
        if let Some(waiting) = self.state.waiting_for(key).next() {
            let id = &waiting.id;
            return match (waiting.state, waiting.mode) {
                (OperationState::Scheduled, Mode::Automatic) => Ok(Operation {
                    mode: Mode::Manual,
                    ..waiting.clone()
                }),
                (OperationState::AwaitingManual, _) => Err(Refused(format!(
                    "the recovery of {target} from {failure} waits for a person: mainstay approve {id}"
                ))),
                _ => Err(recovered_already(key, id)),
            };
        }
        if let Some(id) = self.state.running_for(key) {
            return Err(recovered_already(key, id));
        }
        let incident = match self.state.incidents.get(key) {
            Some(incident) => incident.clone(),
            None => {
                let evidence = Evidence {
                    check: "operator".to_owned(),
                    observed_at: now,
                    message: format!("{by} asked for it"),
                    value: None,
                };
                let incident = self.open_incident(key, severity, evidence, now).await;
                self.state.incidents.insert(key.clone(), incident.clone());
                incident
            }
        };
        Ok(self.new_operation(&incident, Mode::Manual, now))
    }

    /// Refuses what no route fits, before anything is opened for it.
    pub(super) fn must_have_route(&self, key: &Key, severity: Severity) -> Result<(), Refused> {
        let (target, failure) = key;
        match self.route_of(key, severity) {
            Some(_) => Ok(()),
            None => Err(Refused(format!(
                "no route fits {failure} of {target}; add a [[route]] with failure = \"{failure}\""
            ))),
        }
    }
}

fn recovered_already((target, failure): &Key, id: &OperationId) -> Refused {
    Refused(format!(
        "{target} is being recovered from {failure} already: {id}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ports::{Boxed, Handled, Handlers, Recovered, fakes::FakeWorld},
        services::{
            effects::EffectsUnderWay,
            recovery::RecoveryPorts,
            testing::specs::{failure, name, spec, target},
        },
    };
    use mainstay_domain::{
        call,
        id::IdSource,
        name::PluginName,
        operation::OperationEvent,
        spec::{RouteSpec, Strategy},
    };
    use semver::VersionReq;
    use std::{sync::Arc, time::Duration};
    use tokio::sync::{mpsc, watch};

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    struct NoHandlers;

    impl Handlers for NoHandlers {
        fn recover(
            &self,
            _: PluginName,
            _: VersionReq,
            _: call::RecoverRequest,
            _: Duration,
        ) -> Boxed<'_, Handled> {
            Box::pin(std::future::pending())
        }
    }

    /// An engine with a route for `api` and `down`, and an automatic operation that waits, or whatever `event` makes of it.
    fn engine(event: Option<OperationEvent>) -> (RecoveryEngine, Key, OperationId) {
        let world = FakeWorld::new(16);
        let ports = RecoveryPorts {
            journal: world.clone(),
            records: world.clone(),
            clock: world.clone(),
            watch: world,
            handlers: Arc::new(NoHandlers),
            under_way: EffectsUnderWay::default(),
        };
        let mut spec = (*spec(vec![target("api", Vec::new())])).clone();
        spec.routes = vec![RouteSpec {
            failure: Some(failure("down")),
            target: None,
            severity: Some(Severity::High),
            strategy: Strategy::Immediate { max_attempts: 1 },
            cooldown: Duration::ZERO,
            relapse_window: Duration::ZERO,
            chain: Vec::new(),
        }];
        let (_, spec) = watch::channel(Arc::new(spec));
        let (_, findings) = mpsc::channel(1);
        let (mut engine, _) = RecoveryEngine::new(ports, spec, findings, IdSource::new(1));
        let key = (name("api"), failure("down"));
        let id = OperationId::new(engine.ids.next(NOW));
        let (target, failure) = key.clone();
        let mut waiting = Operation::scheduled(
            id.clone(),
            target,
            failure,
            Severity::High,
            Mode::Automatic,
            NOW,
        );
        if let Some(event) = event {
            waiting.apply(event, NOW, Duration::MAX).unwrap();
        }
        engine.state.waiting.insert(id.clone(), waiting);
        (engine, key, id)
    }

    #[tokio::test]
    async fn a_person_takes_over_what_waits_for_its_time() {
        let (mut engine, key, id) = engine(None);
        let taken = engine.by_hand(&key, Severity::High, "anna", NOW).await;
        let taken = taken.unwrap();
        assert_eq!((taken.id, taken.mode), (id, Mode::Manual));
        assert!(engine.state.incidents.is_empty(), "it has its incident");
    }

    #[tokio::test]
    async fn what_waits_for_a_person_is_to_be_approved() {
        let (mut engine, key, id) = engine(Some(OperationEvent::NeedsPerson));
        let refused = engine.by_hand(&key, Severity::High, "anna", NOW).await;
        let words = refused.unwrap_err().to_string();
        assert!(words.contains(&format!("mainstay approve {id}")), "{words}");
    }

    #[tokio::test]
    async fn another_failure_gets_an_operation_and_an_incident_of_its_own() {
        let (mut engine, key, id) = engine(None);
        let other = (key.0, failure("slow"));
        let new = engine.by_hand(&other, Severity::High, "anna", NOW).await;
        let new = new.unwrap();
        assert_ne!(new.id, id);
        assert_eq!(
            new.incident,
            Some(engine.state.incidents[&other].id.clone())
        );
    }

    #[tokio::test]
    async fn the_next_daemon_leaves_to_people_what_this_one_did() {
        for by_hand in [false, true] {
            let (mut engine, key, _) = engine(None);
            engine.state.waiting.clear();
            let evidence = Evidence {
                check: "ping".to_owned(),
                observed_at: NOW,
                message: "no answer".to_owned(),
                value: None,
            };
            let mut incident = engine
                .open_incident(&key, Severity::High, evidence, NOW)
                .await;
            incident.by_hand = by_hand;
            engine
                .take_up(Recovered {
                    incidents: vec![incident],
                    ..Recovered::default()
                })
                .await;
            assert_eq!(engine.has_operation(&key), !by_hand);
        }
    }

    #[test]
    fn only_what_a_route_fits_is_begun() {
        let (engine, key, _) = engine(None);
        assert!(engine.must_have_route(&key, Severity::High).is_ok());
        assert!(engine.must_have_route(&key, Severity::Medium).is_err());
    }
}
