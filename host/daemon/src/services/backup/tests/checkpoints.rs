//! Checkpoints as they fall due and are let go, and rollbacks as they go well, fail and are cut off.

use super::*;
use crate::ports::CheckpointRequest;
use mainstay_domain::{
    actor::Actor,
    checkpoint::{Checkpoint, CheckpointKind, Rollback, RollbackStep},
    name::CommandName,
    spec::{CheckpointSpec, CommandSpec, Schedule},
};

fn command(name: &str) -> CommandName {
    CommandName::parse(name).unwrap()
}

/// Nothing is ever due but checkpoints.
fn checked_job() -> JobSpec {
    JobSpec {
        full: None,
        incremental: None,
        rpo: None,
        checkpoints: Some(CheckpointSpec {
            automatic: Schedule::Every(QUARTER),
            daily: Schedule::Every(24 * HOUR),
            keep: 2,
            max_age: 7 * 24 * HOUR,
            pause: Some(command("pause")),
            check: Some(command("check")),
            resume: Some(command("resume")),
        }),
        ..job(None)
    }
}

/// The config with this job, and its commands, which may or may not be run again.
fn spec_of(job: JobSpec, idempotent: bool) -> Arc<Spec> {
    let mut spec = Spec::clone(&spec_with(&[job]));
    for name in ["pause", "check", "resume"] {
        let of_command = CommandSpec {
            run: vec![name.to_owned()],
            placeholders: Vec::new(),
            cwd: "/".into(),
            env: Default::default(),
            user: None,
            timeout: HOUR,
            idempotent,
        };
        spec.commands.insert(command(name), of_command);
    }
    Arc::new(spec)
}

async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.spec.send_replace(spec_of(checked_job(), false));
    fixture
}

async fn take(fixture: &Fixture, kind: CheckpointKind) -> BackupId {
    let request = CheckpointRequest {
        job: job(None).name,
        kind,
        name: None,
        by: Actor::from("root"),
    };
    let taken = within(fixture.service.take_checkpoint(request, no_progress()));
    let id = taken.await.unwrap().id;
    fixture.clock.advance(Duration::from_secs(1));
    id
}

async fn roll_back(fixture: &Fixture, id: &BackupId) -> Result<(), String> {
    let by = Actor::from("root");
    let rolled = within(fixture.service.roll_back(id.clone(), by, no_progress()));
    rolled.await.map(drop).map_err(|error| error.0)
}

fn rollback_of(fixture: &Fixture, id: &BackupId) -> Rollback {
    let record = record_of(&fixture.service, id);
    record.checkpoint.unwrap().rollback.unwrap()
}

fn told(fixture: &Fixture, kind: EventKind) -> Vec<String> {
    let events = fixture.journal.events().into_iter();
    let of_kind = events.filter(|event| event.kind == kind);
    of_kind.map(|event| event.message).collect()
}

#[tokio::test]
async fn checkpoints_are_taken_when_they_are_due_and_go_when_they_are_too_many() {
    let fixture = fixture().await;
    let (_running, _stop) = fixture.start();
    let taken = || fixture.store.taken();
    wait_until("the daily one", || taken() == 1).await;
    for count in 2..6 {
        fixture.clock.advance(QUARTER);
        fixture.service.core.wake.notify_one();
        wait_until("an automatic one", || {
            taken() == count && told(&fixture, EventKind::CheckpointTaken).len() == count as usize
        })
        .await;
    }
    wait_until("that too many go", || {
        told(&fixture, EventKind::BackupExpired).len() == 3
    })
    .await;
    // The daily one is the newest of its kind.
    let kinds: Vec<CheckpointKind> = fixture
        .service
        .list(None)
        .into_iter()
        .filter(|record| record.status == BackupStatus::Verified)
        .filter_map(|record| Some(record.checkpoint?.kind))
        .collect();
    assert_eq!(kinds, [CheckpointKind::Automatic, CheckpointKind::Daily]);
    let jobs = fixture.service.jobs();
    let (last, next) = (jobs[0].last_checkpoint, jobs[0].next_checkpoint);
    let (last, next) = last.zip(next).unwrap();
    assert!(next > last, "{last} {next}");
    assert!(next.since(last) <= QUARTER, "{last} {next}");
}

#[tokio::test]
async fn no_policy_is_asked_about_checkpoints_as_long_as_the_job_keeps_any() {
    let fixture = Fixture::new().await;
    let judged_job = JobSpec {
        retention: Some(super::retention::policy(1)),
        ..checked_job()
    };
    fixture
        .spec
        .send_replace(spec_of(judged_job.clone(), false));
    let full = fixture.create(BackupType::Full).await.unwrap();
    let checkpoint = take(&fixture, CheckpointKind::Automatic).await;
    let verdicts = super::retention::prune(&fixture, true).await.unwrap();
    assert_eq!(
        fixture.judge.asked_about().pop(),
        Some(vec![full.id.to_string()])
    );
    let of_checkpoint = verdicts.verdicts.iter();
    let of_checkpoint = of_checkpoint
        .filter(|verdict| verdict.id == checkpoint.as_str())
        .map(|verdict| (verdict.keep, verdict.reason.as_str()));
    assert_eq!(
        of_checkpoint.collect::<Vec<_>>(),
        [(
            true,
            "kept by the host: it is a checkpoint, which goes by the job's `checkpoints` alone"
        )]
    );
    // Nothing else lets go of it then.
    let without = JobSpec {
        checkpoints: None,
        ..judged_job
    };
    fixture.spec.send_replace(spec_of(without, false));
    super::retention::prune(&fixture, true).await.unwrap();
    let asked = fixture.judge.asked_about().pop().unwrap();
    assert!(asked.contains(&checkpoint.to_string()), "{asked:?}");
}

#[tokio::test]
async fn an_upgraded_program_takes_one_before_all_else_and_only_once() {
    let mut fixture = fixture().await;
    take(&fixture, CheckpointKind::Manual).await;
    let upgraded = fixture.service.now();
    let kinds = ["manual", "pre-upgrade", "daily", "automatic"];
    // The first daemon of this version, and the next.
    for count in [3, 4] {
        let Fixture {
            store,
            journal,
            clock,
            ..
        } = fixture;
        let jobs = [checked_job()];
        fixture = Fixture::upgraded(store, journal, clock, &jobs, Some(upgraded)).await;
        fixture.spec.send_replace(spec_of(checked_job(), false));
        let (running, stop) = fixture.start();
        wait_until("those that are due", || {
            told(&fixture, EventKind::CheckpointTaken).len() >= count
        })
        .await;
        stop.cancel();
        within(running).await.unwrap().unwrap();
        let taken = told(&fixture, EventKind::CheckpointTaken);
        let words = taken.iter().filter_map(|message| message.split(' ').next());
        assert_eq!(words.collect::<Vec<_>>(), kinds[..count]);
        fixture.clock.advance(QUARTER);
    }
}

#[tokio::test]
async fn a_rollback_that_succeeds_saves_restores_asks_and_resumes_in_that_order() {
    let fixture = fixture().await;
    let id = take(&fixture, CheckpointKind::Manual).await;
    roll_back(&fixture, &id).await.unwrap();
    assert_eq!(fixture.commands.ran(), ["pause", "check", "resume"]);
    assert_eq!(fixture.store.placed(), std::slice::from_ref(&id));
    let steps = ["taken", "taken", "staged", "placed"];
    assert_eq!(fixture.store.steps(), steps);
    let rollback = rollback_of(&fixture, &id);
    assert_eq!(rollback.step, RollbackStep::Succeeded);
    let saved = record_of(&fixture.service, &rollback.saved.unwrap());
    assert_eq!(saved.backup_type, BackupType::Emergency);
    assert_eq!(saved.checkpoint.unwrap().kind, CheckpointKind::Emergency);
    assert_eq!(told(&fixture, EventKind::RollbackSucceeded).len(), 1);
    assert_eq!(told(&fixture, EventKind::RollbackFailed), [""; 0]);
}

#[tokio::test]
async fn a_rollback_that_is_found_wrong_puts_the_state_of_before_back_and_resumes_nothing() {
    let fixture = fixture().await;
    let id = take(&fixture, CheckpointKind::Manual).await;
    fixture.commands.fail("check");
    let refused = roll_back(&fixture, &id).await.unwrap_err();
    assert_eq!(fixture.commands.ran(), ["pause", "check"]);
    let rollback = rollback_of(&fixture, &id);
    assert_eq!(rollback.step, RollbackStep::Failed);
    let saved = rollback.saved.unwrap();
    assert_eq!(fixture.store.placed(), [id, saved]);
    assert!(
        refused.contains("`check` ended with exit code 1"),
        "{refused}"
    );
    assert!(refused.contains("was put back"), "{refused}");
    assert_eq!(told(&fixture, EventKind::RollbackFailed), [refused]);

    let by = Actor::from("root");
    within(fixture.service.resume_rolled_back(job(None).name, by))
        .await
        .unwrap();
    assert_eq!(fixture.commands.ran(), ["pause", "check", "resume"]);
    assert_eq!(told(&fixture, EventKind::RollbackResumed).len(), 1);
}

#[tokio::test]
async fn nothing_is_replaced_where_it_cannot_be_paused_saved_or_staged() {
    let fixture = fixture().await;
    let id = take(&fixture, CheckpointKind::Manual).await;
    let check = async |says: &str, ran: &[&str]| {
        let before = fixture.commands.ran().len();
        let refused = roll_back(&fixture, &id).await.unwrap_err();
        assert!(refused.contains(says), "{refused}");
        assert!(refused.contains("nothing was changed"), "{refused}");
        assert_eq!(fixture.commands.ran()[before..], *ran);
        assert_eq!(rollback_of(&fixture, &id).step, RollbackStep::Failed);
        assert_eq!(fixture.store.restores(), 0);
    };
    fixture.commands.fail("pause");
    check("`pause` ended with exit code 1", &["pause"]).await;
    fixture.commands.mend();
    let full = BackupStoreError::Unavailable("the disk is full".to_owned());
    fixture.store.fail_next(full);
    check("the disk is full", &["pause"]).await;
    fixture.store.damage(&id);
    check("a bit was flipped", &["pause"]).await;
    let again = roll_back(&fixture, &id).await.unwrap_err();
    assert!(again.contains("corrupted"), "{again}");
    assert_eq!(told(&fixture, EventKind::RollbackStarted).len(), 3);
}

#[tokio::test]
async fn what_cannot_be_put_in_place_is_followed_by_what_was_there_before_where_that_can_be() {
    let fixture = fixture().await;
    let id = take(&fixture, CheckpointKind::Manual).await;
    fixture.store.fail_to_place(1);
    let refused = roll_back(&fixture, &id).await.unwrap_err();
    assert!(refused.contains("was put back"), "{refused}");
    let rollback = rollback_of(&fixture, &id);
    assert_eq!(fixture.store.placed(), [rollback.saved.unwrap()]);
    fixture.store.fail_to_place(2);
    let refused = roll_back(&fixture, &id).await.unwrap_err();
    assert!(refused.contains("could not be put back"), "{refused}");
    assert_eq!(rollback_of(&fixture, &id).step, RollbackStep::Stranded);
    assert!(!fixture.commands.ran().contains(&"resume".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_resumed_is_told_and_stays_rolled_back() {
    let fixture = fixture().await;
    let id = take(&fixture, CheckpointKind::Manual).await;
    fixture.commands.fail("resume");
    let refused = roll_back(&fixture, &id).await.unwrap_err();
    assert!(refused.contains("not known to be resumed"), "{refused}");
    assert_eq!(rollback_of(&fixture, &id).step, RollbackStep::Unresumed);
    assert_eq!(fixture.store.placed(), [id]);
}

#[tokio::test]
async fn a_rollback_that_the_daemons_end_cut_off_is_ended_by_the_next_daemon() {
    use RollbackStep as Step;
    // Where it was cut off; how it ends, whether the state of before is put back, and what runs.
    let table: [(Step, Step, bool, &[&str]); 8] = [
        (Step::Pausing, Step::Failed, false, &[]),
        (Step::Saving, Step::Failed, false, &[]),
        (Step::Staging, Step::Failed, false, &[]),
        (Step::Placing, Step::Failed, true, &[]),
        (Step::Checking, Step::Failed, true, &[]),
        (Step::PuttingBack, Step::Failed, true, &[]),
        (Step::Resuming, Step::Succeeded, false, &["resume"]),
        // What is not idempotent is not run twice.
        (Step::Resuming, Step::Unresumed, false, &[]),
    ];
    for (cut_off, ends, is_put_back, runs) in table {
        let fixture = fixture().await;
        let id = take(&fixture, CheckpointKind::Manual).await;
        let saved = take(&fixture, CheckpointKind::Emergency).await;
        let rollback = Rollback {
            begun_at: fixture.service.now(),
            by: "root".to_owned(),
            note: None,
            step: cut_off,
            saved: Some(saved.clone()),
            error: None,
        };
        let recorded = fixture.service.record_rollback(&id, rollback, Vec::new());
        recorded.await.unwrap();
        let next = fixture.restarted().await;
        let spec = spec_of(checked_job(), ends == Step::Succeeded);
        next.spec.send_replace(spec);
        let (_running, _stop) = next.start();
        let told_as = match ends {
            Step::Succeeded => EventKind::RollbackSucceeded,
            _ => EventKind::RollbackFailed,
        };
        wait_until("its end", || told(&next, told_as).len() == 1).await;
        assert_eq!(rollback_of(&next, &id).step, ends, "{cut_off:?}");
        let expected = if is_put_back { vec![saved] } else { Vec::new() };
        assert_eq!(next.store.placed(), expected, "{cut_off:?}");
        assert_eq!(next.commands.ran(), runs, "{cut_off:?}");
    }
}

#[tokio::test]
async fn a_rollback_that_makes_no_sense_is_refused_before_anything_is_begun() {
    let fixture = fixture().await;
    let full = fixture.create(BackupType::Full).await.unwrap();
    let refused = roll_back(&fixture, &full.id).await.unwrap_err();
    assert!(refused.contains("is no checkpoint"), "{refused}");
    let id = take(&fixture, CheckpointKind::PreUpgrade).await;
    fixture.spec.send_replace(spec_with(&[job(None)]));
    let refused = roll_back(&fixture, &id).await.unwrap_err();
    assert!(refused.contains("keeps no checkpoints"), "{refused}");
    assert_eq!(fixture.commands.ran(), [""; 0]);
    assert_eq!(told(&fixture, EventKind::RollbackStarted), [""; 0]);
}

#[tokio::test]
async fn a_rollback_that_could_not_be_put_in_place_is_refused_before_anything_is_paused() {
    let fixture = fixture().await;
    let id = take(&fixture, CheckpointKind::Manual).await;
    let why = BackupStoreError::Unavailable("/data is immutable".to_owned());
    fixture.store.be_in_the_way(why);
    let refused = roll_back(&fixture, &id).await.unwrap_err();
    assert!(refused.contains("is immutable"), "{refused}");
    assert_eq!(fixture.commands.ran(), [""; 0]);
    assert_eq!(told(&fixture, EventKind::RollbackStarted), [""; 0]);
}

#[tokio::test]
async fn a_checkpoint_that_was_stored_before_a_kill_is_one_after_it() {
    let fixture = fixture().await;
    let id = take(&fixture, CheckpointKind::Daily).await;
    let mut record = record_of(&fixture.service, &id);
    record.status = BackupStatus::InProgress;
    fixture
        .service
        .commit(vec![record], Vec::new())
        .await
        .unwrap();
    let next = fixture.restarted().await;
    let record = record_of(&next.service, &id);
    assert_eq!(record.status, BackupStatus::Verified);
    let kind = CheckpointKind::Daily;
    assert_eq!(record.checkpoint, Some(Checkpoint::new(kind, None)));
}
