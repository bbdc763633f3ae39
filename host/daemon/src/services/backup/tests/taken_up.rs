//! What is stored is taken up at the start, and what waits for that.

use super::*;
use crate::services::backup::{due::LOOK_AGAIN, taken_up::BRIEFLY};
use mainstay_domain::checkpoint::{Checkpoint, CheckpointKind, Rollback, RollbackStep};

/// A service that begins with a backup in a journal, and a tier that does not answer.
async fn beside_a_silent_tier() -> Fixture {
    let before = Fixture::new().await;
    before.create(BackupType::Full).await.unwrap();
    restarted_beside_a_silent_tier(before).await
}

async fn restarted_beside_a_silent_tier(before: Fixture) -> Fixture {
    let Fixture {
        store,
        journal,
        clock,
        ..
    } = before;
    let mut spec = Spec::clone(&spec_with(&[job(None)]));
    let offsite = TierSpec {
        place: TierPlaceSpec::Directory("/mnt/backups".into()),
        role: TierRole::Network,
        bandwidth: Vec::new(),
    };
    spec.tiers
        .insert(TierName::parse("offsite").unwrap(), offsite);
    store.be_silent(true);
    let opened = Fixture::with_spec(store, journal, clock, Arc::new(spec), None);
    within(opened).await
}

/// So much time passes for who waits.
async fn passes(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_start_waits_for_no_tier_and_what_needs_backups_waits_until_they_are_looked_at() {
    let fixture = beside_a_silent_tier().await;
    assert_eq!(
        fixture.store.restores_ended(),
        2,
        "those are not waited with"
    );
    let sweeps = fixture.store.sweeps();
    let (running, stop) = fixture.start();
    wait_until("the tier to be asked", || fixture.store.is_asked()).await;
    let why = fixture.service.jobs()[0].waits.clone().unwrap();
    assert!(why.contains("tiers"), "{why}");
    let key = "op-1-1".to_owned();
    let asked = BackupControl::create(&fixture.service, job(None).name, BackupType::Full, key);
    let busy = within(asked).await.unwrap_err();
    assert!(busy.to_string().contains("busy"), "{busy}");
    let service = fixture.service.clone();
    let taking = tokio::spawn(async move {
        BackupOperator::create(&service, job(None).name, BackupType::Full, no_progress()).await
    });
    tokio::task::yield_now().await;
    assert!(!taking.is_finished());
    assert_eq!(fixture.store.taken(), 1, "that of before");

    fixture.store.be_silent(false);
    within(taking).await.unwrap().unwrap();
    assert_eq!(fixture.store.sweeps(), sweeps + 1);
    assert_eq!(fixture.service.jobs()[0].waits, None);
    stop.cancel();
    within(running).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_waits_for_a_silent_tier_is_told_where_the_host_stops() {
    let fixture = beside_a_silent_tier().await;
    let (running, stop) = fixture.start();
    wait_until("the tier to be asked", || fixture.store.is_asked()).await;
    let waiting = BackupOperator::create(
        &fixture.service,
        job(None).name,
        BackupType::Full,
        no_progress(),
    );
    stop.cancel();
    let told = within(waiting).await.unwrap_err();
    assert!(told.0.contains("is stopping"), "{}", told.0);
    fixture.store.be_silent(false);
    within(running).await.unwrap().unwrap();
    assert_eq!(fixture.store.taken(), 1);
}

#[tokio::test]
async fn a_rollback_that_was_cut_off_comes_before_what_waits_for_a_tier() {
    let before = Fixture::new().await;
    let mut record = before.create(BackupType::Full).await.unwrap();
    let mut checkpoint = Checkpoint::new(CheckpointKind::Manual, None);
    checkpoint.rollback = Some(Rollback {
        begun_at: before.service.now(),
        by: "root".to_owned(),
        note: None,
        step: RollbackStep::Staging,
        saved: None,
        error: None,
    });
    record.checkpoint = Some(checkpoint);
    let recorded = before.service.commit(vec![record], Vec::new());
    recorded.await.unwrap();
    let fixture = restarted_beside_a_silent_tier(before).await;
    let known = fixture.kinds().len();
    let (_running, _stop) = fixture.start();
    wait_until("the tier to be asked", || fixture.store.is_asked()).await;
    let service = fixture.service.clone();
    let taking = tokio::spawn(async move {
        BackupOperator::create(&service, job(None).name, BackupType::Full, no_progress()).await
    });
    tokio::task::yield_now().await;
    fixture.store.be_silent(false);
    within(taking).await.unwrap().unwrap();
    let kinds = fixture.kinds().split_off(known);
    let first = kinds
        .iter()
        .find(|kind| matches!(kind, EventKind::RollbackFailed | EventKind::BackupStarted));
    assert_eq!(first, Some(&EventKind::RollbackFailed), "{kinds:?}");
}

#[tokio::test]
async fn a_tier_that_is_silent_for_a_minute_is_told_and_so_is_what_is_too_old_meanwhile() {
    let fixture = beside_a_silent_tier().await;
    let count = |kind: EventKind| fixture.kinds().into_iter().filter(|it| *it == kind).count();
    let (running, stop) = fixture.start();
    wait_until("the tier to be asked", || fixture.store.is_asked()).await;
    let a_minute_later = async || {
        fixture.clock.advance(24 * HOUR);
        passes(LOOK_AGAIN).await;
    };
    a_minute_later().await;
    wait_until("that it waits", || count(EventKind::BackupWaiting) == 1).await;
    a_minute_later().await;
    wait_until("that it is old", || count(EventKind::BackupRpoMissed) == 1).await;
    assert_eq!(count(EventKind::BackupWaiting), 1, "it is told once");
    fixture.store.be_silent(false);
    stop.cancel();
    within(running).await.unwrap().unwrap();
}

#[tokio::test]
async fn no_recovery_hangs_for_a_silent_tier_and_nothing_is_restored_after_it() {
    let fixture = beside_a_silent_tier().await;
    let id = fixture.service.list(None)[0].id.to_string();
    let (running, stop) = fixture.start();
    wait_until("the tier to be asked", || fixture.store.is_asked()).await;
    let service = fixture.service.clone();
    let restoring =
        tokio::spawn(async move { BackupControl::restore(&service, job(None).name, id).await });
    let service = fixture.service.clone();
    let looking =
        tokio::spawn(async move { BackupControl::newest(&service, job(None).name, None).await });
    tokio::task::yield_now().await;
    passes(BRIEFLY).await;
    let refused = [
        within(restoring).await.unwrap().map(drop).unwrap_err(),
        within(looking).await.unwrap().map(drop).unwrap_err(),
    ];
    for error in refused {
        let is_passing = matches!(&error, EffectError::Unavailable(why) if why.contains("tiers"));
        assert!(is_passing, "{error}");
    }
    fixture.store.be_silent(false);
    let newest = BackupControl::newest(&fixture.service, job(None).name, None);
    assert!(within(newest).await.unwrap().is_some());
    assert_eq!(fixture.store.restores(), 0);
    stop.cancel();
    within(running).await.unwrap().unwrap();
}
