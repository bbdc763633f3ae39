//! Stored backups are proven by the clock.

use super::*;
use mainstay_domain::spec::{ProofSchedules, Schedule};

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Nothing is ever due but proofs.
fn proven_job() -> JobSpec {
    JobSpec {
        full: None,
        incremental: None,
        rpo: None,
        proofs: ProofSchedules {
            verify: Some(Schedule::Every(WEEK)),
            sample: None,
            drill: Some(Schedule::Every(WEEK)),
        },
        ..job(None)
    }
}

/// Two fulls, of which nothing is due to be proven yet.
async fn two_fulls() -> (Fixture, Vec<BackupRecord>) {
    let fixture = Fixture::new().await;
    fixture.spec.send_replace(spec_with(&[proven_job()]));
    let mut records = Vec::new();
    for _ in 0..2 {
        records.push(fixture.create(BackupType::Full).await.unwrap());
        fixture.clock.advance(Duration::from_secs(1));
    }
    (fixture, records)
}

impl Fixture {
    fn count(&self, wanted: EventKind) -> usize {
        let kinds = self.kinds().into_iter();
        kinds.filter(|kind| *kind == wanted).count()
    }

    /// A week later, its proofs are looked at until nothing is due.
    async fn live_a_week(&self) {
        self.clock.advance(WEEK);
        self.prove_all().await;
    }

    async fn prove_all(&self) {
        loop {
            let now = self.service.now();
            let Some(proof) = self.service.due_proof(&proven_job(), now) else {
                return;
            };
            let name = job(None).name;
            drop(within(self.service.prove(&name, proof)).await);
        }
    }
}

#[tokio::test]
async fn every_stored_backup_is_read_back_and_the_newest_drilled_once_a_week_and_after_a_restart() {
    let (mut fixture, records) = two_fulls().await;
    fixture.prove_all().await;
    assert_eq!(fixture.count(EventKind::DrillPassed), 0, "not at once");
    let told = fixture.count(EventKind::BackupVerified);
    for weeks in 1..4 {
        fixture.live_a_week().await;
        assert_eq!(fixture.count(EventKind::DrillPassed), weeks);
        for record in &records {
            let found = record_of(&fixture.service, &record.id);
            assert_eq!(found.verified_at, Some(fixture.service.now()));
        }
        fixture = fixture.restarted().await;
        let before = fixture.journal.changes().len();
        fixture.prove_all().await;
        assert_eq!(fixture.journal.changes().len(), before, "once");
    }
    assert_eq!(fixture.count(EventKind::BackupVerified), told);
}

#[tokio::test]
async fn the_loop_proves_what_is_due_by_itself() {
    let (fixture, _) = two_fulls().await;
    fixture.clock.advance(WEEK);
    let (_running, _stop) = fixture.start();
    wait_until("the drill", || fixture.count(EventKind::DrillPassed) == 1).await;
    assert_eq!(fixture.count(EventKind::DrillFailed), 0);
}

#[tokio::test]
async fn damage_that_a_scheduled_look_finds_is_told_once() {
    let (fixture, records) = two_fulls().await;
    let told = fixture.count(EventKind::BackupVerified);
    fixture.store.damage(&records[0].id);
    for _ in 0..2 {
        fixture.live_a_week().await;
        assert_eq!(fixture.count(EventKind::BackupCorrupted), 1);
    }
    // That the others are right is not the end of it.
    assert_eq!(fixture.count(EventKind::BackupVerified), told);
    let kept = record_of(&fixture.service, &records[0].id);
    assert_eq!(kept.status, BackupStatus::Corrupted);
}

#[tokio::test]
async fn a_drill_that_the_end_of_the_daemon_breaks_off_wakes_nobody_and_is_caught_up() {
    let (fixture, _) = two_fulls().await;
    fixture.store.break_drill(BackupStoreError::Interrupted);
    fixture.live_a_week().await;
    let events = fixture.journal.events();
    let failed = events
        .iter()
        .find(|event| event.kind == EventKind::DrillFailed);
    assert_eq!(failed.unwrap().severity, Severity::Low);
    assert_eq!(fixture.count(EventKind::DrillPassed), 0);
    let fixture = fixture.restarted().await;
    fixture.prove_all().await;
    assert_eq!(fixture.count(EventKind::DrillPassed), 1);
}
