//! Whole stories of the engine, with a target that fails and recovers as it is told.

use super::*;
use crate::{
    ports::{Boxed, Handled, RecoverRequest, RecoveryControl, fakes::FakeWorld},
    services::testing::{
        ManualClock, MemoryJournal,
        specs::{failure, name, spec, target},
        wait_until, within,
    },
};
use mainstay_domain::{
    breaker::CircuitState,
    call::{self, RecoveryFailure, Report},
    effect::EffectError,
    event::EventKind,
    health::{Evidence, Health, Observation, Outcome},
    name::{FailureType, PluginName},
    operation::{Mode, OperationState},
    severity::Severity,
    spec::{StepSpec, Strategy},
};
use semver::VersionReq;
use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};
use tokio::sync::Semaphore;

/// A target, and the handler that recovers it: each call waits for a permit and then takes the next answer.
struct Patient {
    fails: AtomicBool,
    calls: Semaphore,
    answers: Mutex<Vec<Answer>>,
}

/// What a call of the handler comes to.
#[derive(Clone, Copy)]
enum Answer {
    Heals,
    FailsForGood,
}

impl Handlers for Patient {
    fn recover(
        &self,
        _: PluginName,
        _: VersionReq,
        request: call::RecoverRequest,
        _: Duration,
    ) -> Boxed<'_, Handled> {
        Box::pin(async move {
            self.calls.acquire().await.unwrap().forget();
            let answer = match request.dry_run {
                true => Answer::FailsForGood,
                false => self.answers.lock().unwrap().remove(0),
            };
            let result = match answer {
                Answer::Heals => {
                    self.fails.store(false, SeqCst);
                    Ok(Report {
                        actions: vec!["healed".to_owned()],
                        data_loss: None,
                    })
                }
                Answer::FailsForGood => Err(RecoveryFailure::Permanent("no".to_owned())),
            };
            Handled { by: None, result }
        })
    }
}

impl Watch for Patient {
    fn check_now(&self, target: TargetName) -> Boxed<'_, Result<Vec<Observation>, EffectError>> {
        let outcome = match self.fails.load(SeqCst) {
            true => Outcome::Failed,
            false => Outcome::Healthy,
        };
        let observation = Observation {
            target,
            check: mainstay_domain::name::CheckName::parse("tcp").unwrap(),
            outcome,
            evidence: evidence(),
        };
        Box::pin(std::future::ready(Ok(vec![observation])))
    }
    fn handler_acted(&self, _: &TargetName) {}
    fn is_failing(&self, _: &TargetName, _: &FailureType) -> bool {
        self.fails.load(SeqCst)
    }
    fn health(&self, _: &TargetName) -> Option<(Health, CircuitState)> {
        None
    }
    fn heartbeat(&self, _: &TargetName) -> bool {
        false
    }
}

fn evidence() -> Evidence {
    Evidence {
        check: "tcp".to_owned(),
        observed_at: Timestamp::from_millis(0),
        message: "refused".to_owned(),
        value: None,
    }
}

/// An engine that runs, with the target `api` and a route for everything.
struct Story {
    patient: Arc<Patient>,
    journal: Arc<MemoryJournal>,
    clock: Arc<ManualClock>,
    findings: mpsc::Sender<Finding>,
    operator: RecoveryHandle,
    spec: watch::Sender<Arc<Spec>>,
    stop: CancellationToken,
}

impl Story {
    fn begin(answers: &[Answer]) -> Self {
        let patient = Arc::new(Patient {
            fails: AtomicBool::new(true),
            calls: Semaphore::new(0),
            answers: Mutex::new(answers.to_vec()),
        });
        let (journal, clock) = (MemoryJournal::new(), ManualClock::new());
        let ports = RecoveryPorts {
            journal: journal.clone(),
            records: FakeWorld::new(16),
            clock: clock.clone(),
            watch: patient.clone(),
            handlers: patient.clone(),
            under_way: EffectsUnderWay::default(),
        };
        let mut spec = Spec::clone(&spec(vec![target("api", Vec::new())]));
        spec.routes = vec![RouteSpec {
            failure: None,
            target: None,
            severity: None,
            strategy: Strategy::Immediate { max_attempts: 1 },
            cooldown: Duration::ZERO,
            chain: vec![StepSpec {
                handler: PluginName::parse("healer").unwrap(),
                version: VersionReq::STAR,
                always: false,
                params: serde_json::json!({}),
                timeout: Duration::from_secs(20),
            }],
        }];
        let (spec_sender, spec) = watch::channel(Arc::new(spec));
        let (findings, found) = mpsc::channel(16);
        let (engine, operator) = RecoveryEngine::new(ports, spec, found, IdSource::new(1));
        let stop = CancellationToken::new();
        tokio::spawn(engine.run(stop.clone()));
        Self {
            patient,
            journal,
            clock,
            findings,
            operator,
            spec: spec_sender,
            stop,
        }
    }

    async fn fails(&self) {
        self.patient.fails.store(true, SeqCst);
        let finding = Finding::Raised {
            target: name("api"),
            failure: failure("api-down"),
            severity: Severity::High,
            evidence: evidence(),
            detected_at: Timestamp::from_millis(0),
        };
        self.findings.send(finding).await.unwrap();
    }

    async fn heals_by_itself(&self) {
        self.patient.fails.store(false, SeqCst);
        let finding = Finding::Cleared {
            target: name("api"),
            failure: failure("api-down"),
            at: Timestamp::from_millis(0),
        };
        self.findings.send(finding).await.unwrap();
    }

    /// Returns when everything that was found before is taken up: findings go before commands.
    async fn settled(&self) {
        let other = Some(name("api"));
        within(self.operator.pause(other, false, "ann".to_owned()))
            .await
            .unwrap();
    }

    async fn cancel(&self, id: &OperationId) -> Result<Operation, crate::ports::Refused> {
        let decision = crate::ports::Decision {
            id: id.clone(),
            verb: crate::ports::Verb::Cancel,
            by: "ann".to_owned(),
            reason: "known".to_owned(),
        };
        within(self.operator.decide(decision)).await
    }

    async fn recover(&self, dry_run: bool) -> OperationId {
        let request = RecoverRequest {
            target: name("api"),
            failure: failure("api-down"),
            dry_run,
            by: "ann".to_owned(),
        };
        within(self.operator.recover(request)).await.unwrap()
    }

    /// The newest state of each operation, in the order of their first.
    fn operations(&self) -> Vec<Operation> {
        let mut operations: Vec<Operation> = Vec::new();
        for change in self.journal.changes() {
            let Change::Operation(operation) = change else {
                continue;
            };
            match operations.iter_mut().find(|seen| seen.id == operation.id) {
                Some(seen) => *seen = operation,
                None => operations.push(operation),
            }
        }
        operations
    }

    async fn until(&self, what: &str, states: &[OperationState]) {
        wait_until(what, || {
            let operations = self.operations();
            let now: Vec<_> = operations.iter().map(|one| one.state).collect();
            now == states
        })
        .await;
    }

    fn count(&self, kind: EventKind) -> usize {
        let kinds = self.journal.kinds();
        kinds.iter().filter(|seen| **seen == kind).count()
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn what_is_still_seen_is_the_same_incident() {
    let story = Story::begin(&[Answer::Heals]);
    story.fails().await;
    story
        .until("it to run", &[OperationState::InProgress])
        .await;
    story.fails().await;
    story.settled().await;
    story.patient.calls.add_permits(1);
    story
        .until("it to succeed", &[OperationState::Succeeded])
        .await;
    assert_eq!(story.count(EventKind::IncidentOpened), 1);
    let incidents = story.journal.changes().into_iter();
    let evidence = incidents.filter_map(|change| match change {
        Change::Incident(incident) => Some(incident.evidence.len()),
        _ => None,
    });
    assert_eq!(evidence.max(), Some(2), "what was seen is kept");
}

#[tokio::test]
async fn a_failure_that_comes_during_a_dry_run_is_recovered_after_it() {
    let story = Story::begin(&[Answer::Heals]);
    story.recover(true).await;
    story
        .until("the dry run", &[OperationState::InProgress])
        .await;
    story.fails().await;
    story.patient.calls.add_permits(2);
    let ends = [OperationState::Failed, OperationState::Succeeded];
    story.until("both to end", &ends).await;
    assert!(story.operations()[0].dry_run);
    assert!(!story.operations()[1].dry_run);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_could_not_recover_is_tried_again_by_itself() {
    let story = Story::begin(&[Answer::FailsForGood, Answer::Heals]);
    story.recover(false).await;
    story
        .until("it to run", &[OperationState::InProgress])
        .await;
    story.patient.calls.add_permits(2);
    let rests = [OperationState::Failed, OperationState::Scheduled];
    story.until("the next to wait", &rests).await;
    story.clock.advance(Duration::from_secs(5));
    let ends = [OperationState::Failed, OperationState::Succeeded];
    story.until("both to end", &ends).await;
    let modes: Vec<_> = story.operations().iter().map(|one| one.mode).collect();
    assert_eq!(modes, [Mode::Manual, Mode::Automatic]);
}

#[tokio::test]
async fn what_a_person_cancelled_is_not_tried_again_until_it_was_over() {
    let story = Story::begin(&[]);
    let pause = |paused| story.operator.pause(None, paused, "ann".to_owned());
    within(pause(true)).await.unwrap();
    story.fails().await;
    story
        .until("it to wait", &[OperationState::Scheduled])
        .await;
    let id = story.operations()[0].id.clone();
    story.cancel(&id).await.unwrap();
    let written = story.journal.changes().into_iter().rev();
    let mut written = written.filter_map(|change| match change {
        Change::Incident(incident) => Some(incident.by_hand),
        _ => None,
    });
    assert_eq!(written.next(), Some(true), "for the next daemon to know");
    within(pause(false)).await.unwrap();
    story.fails().await;
    story.settled().await;
    story
        .until("nothing more", &[OperationState::Cancelled])
        .await;
    story.heals_by_itself().await;
    story.fails().await;
    let states = [OperationState::Cancelled, OperationState::InProgress];
    story.until("another to run", &states).await;
    assert_eq!(story.count(EventKind::IncidentOpened), 2);
    assert_eq!(story.count(EventKind::CircuitFlapping), 0);
}

#[tokio::test]
async fn one_steady_failure_is_no_flapping() {
    let story = Story::begin(&[Answer::Heals]);
    for _ in 0..20 {
        story.fails().await;
    }
    story.settled().await;
    assert_eq!(story.operations().len(), 1);
    assert_eq!(story.count(EventKind::CircuitFlapping), 0);
    assert_eq!(story.count(EventKind::IncidentOpened), 1);
}

#[tokio::test]
async fn a_cancelled_operation_of_a_target_that_healed_leaves_no_incident() {
    let story = Story::begin(&[Answer::FailsForGood]);
    story.fails().await;
    story
        .until("it to run", &[OperationState::InProgress])
        .await;
    story.heals_by_itself().await;
    story.settled().await;
    story.patient.calls.add_permits(1);
    story.until("it to end", &[OperationState::Failed]).await;
    wait_until("the incident to close", || {
        story.count(EventKind::IncidentClosed) == 1
    })
    .await;
    assert_eq!(story.operations().len(), 1);
}

#[tokio::test]
async fn what_is_no_longer_configured_is_let_go_of() {
    let story = Story::begin(&[]);
    within(story.operator.pause(None, true, "ann".to_owned()))
        .await
        .unwrap();
    story.fails().await;
    story
        .until("it to wait", &[OperationState::Scheduled])
        .await;
    story.spec.send_replace(spec(Vec::new()));
    story.until("it to end", &[OperationState::Cancelled]).await;
    wait_until("the incident to close", || {
        story.count(EventKind::IncidentClosed) == 1
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_dry_run_leaves_the_failure_to_the_engine() {
    let story = Story::begin(&[Answer::FailsForGood, Answer::Heals]);
    story.recover(false).await;
    story
        .until("it to run", &[OperationState::InProgress])
        .await;
    let id = story.recover(true).await;
    story.cancel(&id).await.unwrap();
    story.patient.calls.add_permits(2);
    let mut states = [
        OperationState::Failed,
        OperationState::Cancelled,
        OperationState::Scheduled,
    ];
    story.until("the next to wait", &states).await;
    story.clock.advance(Duration::from_secs(5));
    states[2] = OperationState::Succeeded;
    story.until("it to succeed", &states).await;
}
