//! Whole stories of the driver and its machine, with a target that fails and recovers as it is told.

use super::*;
use crate::{
    ports::{Boxed, Clock, RecoverRequest, RecoveryControl},
    services::testing::{
        ManualClock, MemoryJournal,
        specs::{check, failure, name, route, spec, target},
        wait_until, within,
    },
};
use mainstay_domain::{
    breaker::CircuitState,
    call::{RecoveryFailure, Report},
    effect::EffectError,
    event::EventKind,
    health::{Evidence, Health, Observation, Outcome},
    id::{IncidentId, OperationId},
    incident::Incident,
    name::{FailureType, PluginName, TargetName},
    operation::{Mode, Operation, OperationState},
    pause::TimedPauses,
    policy::PolicyHistory,
    record::Change,
    recovery::{Call, Handled, NotHandled, Verb},
    severity::Severity,
    time::Timestamp,
};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use tokio::sync::Semaphore;

/// A target, and the handler that recovers it: each call waits for a permit and then takes the next answer.
struct Patient {
    fails: AtomicBool,
    /// Another failure of the target, which nobody here recovers.
    ails: AtomicBool,
    /// So many looks find its process not there yet.
    unborn: AtomicU32,
    calls: Semaphore,
    answers: Mutex<Vec<Answer>>,
}

/// What a call of the handler comes to.
#[derive(Clone, Copy)]
enum Answer {
    Heals,
    FailsForGood,
    BreaksOff,
}

impl Handlers for Patient {
    fn recover(&self, call: Call) -> Boxed<'_, Handled> {
        Box::pin(async move {
            self.calls.acquire().await.unwrap().forget();
            let answer = match call.request.dry_run {
                true => Answer::FailsForGood,
                false => self.answers.lock().remove(0),
            };
            let result = match answer {
                Answer::Heals => {
                    self.fails.store(false, SeqCst);
                    Ok(Report {
                        actions: vec!["healed".to_owned()],
                        data_loss: None,
                    })
                }
                Answer::FailsForGood => Err(NotHandled::Failed(RecoveryFailure::Permanent(
                    "no".to_owned(),
                ))),
                Answer::BreaksOff => panic!("as it was told"),
            };
            Handled {
                by: None,
                result,
                effects: call.effects,
                acted: true,
            }
        })
    }
}

impl Watch for Patient {
    fn check_now(&self, target: TargetName) -> Boxed<'_, Result<Vec<Observation>, EffectError>> {
        let is_unborn = self
            .unborn
            .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        if is_unborn.is_ok() {
            let error = EffectError::Unavailable("it is only being started".to_owned());
            return Box::pin(std::future::ready(Err(error)));
        }
        let looks = [("api", &self.fails), ("disk", &self.ails)];
        let seen = looks.map(|(check, fails)| Observation {
            target: target.clone(),
            check: mainstay_domain::name::CheckName::parse(check).unwrap(),
            outcome: match fails.load(SeqCst) {
                true => Outcome::Failed,
                false => Outcome::Healthy,
            },
            evidence: evidence(),
        });
        Box::pin(std::future::ready(Ok(seen.to_vec())))
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
        output: None,
        score: None,
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
        Self::after(ports::Recovered::default(), answers)
    }

    /// An engine that goes on with this.
    fn after(left: ports::Recovered, answers: &[Answer]) -> Self {
        let patient = Arc::new(Patient {
            fails: AtomicBool::new(true),
            ails: AtomicBool::new(false),
            unborn: AtomicU32::new(0),
            calls: Semaphore::new(0),
            answers: Mutex::new(answers.to_vec()),
        });
        let (journal, clock) = (MemoryJournal::new(), ManualClock::new());
        let checks = vec![check("api"), check("disk")];
        let mut spec = Spec::clone(&spec(vec![target("api", checks)]));
        spec.routes = vec![route("healer")];
        let (spec_sender, spec) = watch::channel(Arc::new(spec));
        let (findings, found) = mpsc::channel(16);
        let ports = RecoveryPorts {
            shared: Shared {
                journal: journal.clone(),
                clock: clock.clone(),
                spec,
            },
            watch: patient.clone(),
            handlers: patient.clone(),
            charter: Arc::new(|_: &std::path::Path| Ok(String::new())),
            inbox: SignalInbox::default(),
        };
        let (mut engine, operator) =
            RecoveryEngine::new(ports, found, IdSource::new(1), ChangedTargets::default());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            engine
                .resume(&left, TimedPauses::default(), PolicyHistory::default())
                .await;
            engine.run(stopped).await;
        });
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

    async fn pause(&self, paused: bool) {
        within(self.operator.pause(None, paused, "ann".into()))
            .await
            .unwrap();
    }

    /// Pauses the host and fails: the operation waits, so that these are the states of all.
    async fn fails_while_paused(&self, states: &[OperationState]) {
        self.pause(true).await;
        self.fails().await;
        self.until("it to wait", states).await;
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
        let unknown = OperationId::parse("op-01K0000000000000000000000A").unwrap();
        self.cancel(&unknown).await.unwrap_err();
    }

    /// Returns when no operation runs any more, whatever the journal says of it.
    async fn settles_in_memory(&self) {
        wait_until("no operation to be active", || {
            let active = self.operator.active(&name("api"));
            active.is_none_or(|one| one.operation.is_none())
        })
        .await;
    }

    async fn cancel(&self, id: &OperationId) -> Result<Operation, crate::ports::Refused> {
        let decision = crate::ports::Decision {
            id: id.clone(),
            revision: None,
            verb: Verb::Cancel,
            by: "ann".into(),
            reason: "known".to_owned(),
        };
        within(self.operator.decide(decision)).await
    }

    async fn recover(&self, dry_run: bool) -> OperationId {
        let request = RecoverRequest {
            target: name("api"),
            failure: failure("api-down"),
            dry_run,
            mode: Mode::Manual,
            by: "ann".into(),
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
    story.fails_while_paused(&[OperationState::Scheduled]).await;
    story.recover(false).await;
    story.pause(false).await;
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
    story.fails_while_paused(&[OperationState::Scheduled]).await;
    let id = story.operations()[0].id.clone();
    story.cancel(&id).await.unwrap();
    let written = story.journal.changes().into_iter().rev();
    let mut written = written.filter_map(|change| match change {
        Change::Incident(incident) => Some(incident.by_hand),
        _ => None,
    });
    assert_eq!(written.next(), Some(true), "for the next daemon to know");
    story.pause(false).await;
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
    story.fails_while_paused(&[OperationState::Scheduled]).await;
    story.spec.send_replace(spec(Vec::new()));
    story.until("it to end", &[OperationState::Cancelled]).await;
    wait_until("the incident to close", || {
        story.count(EventKind::IncidentClosed) == 1
    })
    .await;
}

#[tokio::test]
async fn what_is_found_of_a_target_that_was_just_added_is_recovered() {
    let story = Story::begin(&[]);
    let before = Arc::clone(&story.spec.borrow());
    story.fails_while_paused(&[OperationState::Scheduled]).await;
    story.spec.send_replace(spec(Vec::new()));
    story.until("it to end", &[OperationState::Cancelled]).await;
    story.pause(false).await;
    // Both before the engine has its turn: who found it has the config already.
    story.spec.send_replace(before);
    story.fails().await;
    let states = [OperationState::Cancelled, OperationState::InProgress];
    story.until("another to run", &states).await;
    assert_eq!(story.count(EventKind::IncidentClosed), 1);
    assert_eq!(story.count(EventKind::OperationEscalated), 0);
}

#[tokio::test]
async fn what_waited_for_a_missing_handler_when_the_daemon_ended_is_tried_by_the_next_at_once() {
    let (now, mut ids) = (ManualClock::new().now(), IdSource::new(7));
    let (api, down) = (name("api"), failure("api-down"));
    let mut incident = Incident::open(
        IncidentId::new(ids.next(now)),
        api.clone(),
        down.clone(),
        Severity::High,
        evidence(),
        now,
        0,
    );
    incident.missing = Some(PluginName::parse("healer").unwrap());
    incident.failures_in_a_row = 5;
    incident.tried_at = Some(now);
    let id = OperationId::new(ids.next(now));
    let mut operation = Operation::scheduled(id, api, down, Severity::High, Mode::Automatic, now);
    operation.incident = Some(incident.id.clone());
    operation.due = Some(now + Duration::from_secs(3600));
    let left = ports::Recovered {
        incidents: vec![incident],
        operations: vec![operation],
        ..ports::Recovered::default()
    };
    let story = Story::after(left, &[Answer::Heals]);
    story.patient.calls.add_permits(1);
    story
        .until("it to succeed", &[OperationState::Succeeded])
        .await;
}

#[tokio::test]
async fn a_dry_run_runs_beside_and_holds_nothing_back() {
    let story = Story::begin(&[Answer::Heals]);
    story.fails().await;
    story
        .until("it to run", &[OperationState::InProgress])
        .await;
    let id = story.recover(true).await;
    let states = [OperationState::InProgress, OperationState::InProgress];
    story.until("both to run", &states).await;
    story.cancel(&id).await.unwrap();
    story.patient.calls.add_permits(2);
    let states = [OperationState::Succeeded, OperationState::Cancelled];
    story.until("both to end", &states).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_breaks_off_is_an_attempt_that_failed() {
    let story = Story::begin(&[Answer::BreaksOff]);
    story.patient.calls.add_permits(1);
    story.fails().await;
    let states = [OperationState::Failed, OperationState::Scheduled];
    story.until("the next to wait", &states).await;
    let error = story.operations()[0].error.clone().unwrap();
    assert!(error.contains("report this as a defect"), "{error}");
}

#[tokio::test]
async fn another_failure_of_the_target_does_not_keep_this_one_from_being_verified() {
    let story = Story::begin(&[Answer::Heals]);
    story.patient.ails.store(true, SeqCst);
    story.patient.calls.add_permits(1);
    story.fails().await;
    story
        .until("it to succeed", &[OperationState::Succeeded])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_target_whose_process_is_only_being_started_is_waited_for() {
    let story = Story::begin(&[]);
    story.fails_while_paused(&[OperationState::Scheduled]).await;
    story.patient.unborn.store(5, SeqCst);
    story.patient.fails.store(false, SeqCst);
    story.clock.advance(Duration::from_secs(1));
    story.pause(false).await;
    wait_until("it to end", || {
        story.clock.advance(Duration::from_millis(1));
        story.operations()[0].state == OperationState::Cancelled
    })
    .await;
    assert_eq!(story.count(EventKind::IncidentClosed), 1);
    assert_eq!(story.operations()[0].attempts, 0, "no handler was called");
}

#[tokio::test]
async fn what_no_check_holds_is_over_when_its_operation_was_cancelled() {
    let story = Story::begin(&[Answer::FailsForGood, Answer::FailsForGood]);
    story.patient.fails.store(false, SeqCst);
    let id = story.recover(false).await;
    story
        .until("it to run", &[OperationState::InProgress])
        .await;
    // It is cancelled; what is answered is read from a journal that these stories do not have.
    drop(story.cancel(&id).await);
    story.patient.calls.add_permits(1);
    wait_until("the incident to close", || {
        story.count(EventKind::IncidentClosed) == 1
    })
    .await;

    let states = [OperationState::Cancelled, OperationState::Scheduled];
    story.fails_while_paused(&states).await;
    let id = story.operations()[1].id.clone();
    story.heals_by_itself().await;
    story.settled().await;
    story.cancel(&id).await.unwrap_err();
    assert_eq!(story.count(EventKind::IncidentClosed), 2);
}

#[tokio::test]
async fn a_failure_that_goes_during_a_dry_run_takes_what_waits_with_it() {
    let story = Story::begin(&[]);
    story.fails_while_paused(&[OperationState::Scheduled]).await;
    story.recover(true).await;
    let states = [OperationState::Scheduled, OperationState::InProgress];
    story.until("the dry run", &states).await;
    story.heals_by_itself().await;
    let states = [OperationState::Cancelled, OperationState::InProgress];
    story.until("what waited to end", &states).await;
    assert_eq!(story.count(EventKind::IncidentClosed), 1);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_the_journal_did_not_take_is_written_when_it_can_be() {
    let story = Story::begin(&[Answer::Heals]);
    story.fails().await;
    story
        .until("it to run", &[OperationState::InProgress])
        .await;
    story.journal.fill(true);
    story.patient.calls.add_permits(1);
    story.settles_in_memory().await;
    assert_eq!(story.operations()[0].state, OperationState::InProgress);
    story.journal.fill(false);
    story.until("its end", &[OperationState::Succeeded]).await;
    assert_eq!(story.count(EventKind::IncidentClosed), 1);
}

#[tokio::test]
async fn on_a_full_disk_a_decision_is_answered_and_a_recovery_begins() {
    let story = Story::begin(&[Answer::Heals]);
    story.fails_while_paused(&[OperationState::Scheduled]).await;
    story.journal.hold();
    let id = story.operations()[0].id.clone();
    story.cancel(&id).await.unwrap();
    story.patient.calls.add_permits(1);
    // What frees the disk may be what they want.
    story.recover(false).await;
    story.settles_in_memory().await;
    assert!(!story.patient.fails.load(SeqCst), "the handler was called");
}

#[tokio::test(start_paused = true)]
async fn while_the_journal_takes_no_more_commands_wait_and_none_is_lost() {
    let story = Story::begin(&[]);
    story.fails_while_paused(&[OperationState::Scheduled]).await;
    story.journal.fill(true);
    let id = story.operations()[0].id.clone();
    let cancelled = story.cancel(&id);
    let freed = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        story.journal.fill(false);
    };
    let (cancelled, ()) = tokio::join!(cancelled, freed);
    cancelled.unwrap();
    story.until("its end", &[OperationState::Cancelled]).await;
}
