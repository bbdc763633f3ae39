//! Backups go to another tier.

use super::*;
use mainstay_domain::{
    event::{BackupMoved, EventData},
    name::TierName,
    spec::{ArchiveSpec, TierPlaceSpec, TierRole, TierSpec},
};

fn tier(name: &str) -> TierName {
    TierName::parse(name).unwrap()
}

/// A config with these jobs and a tier `cold`.
fn with_cold(jobs: &[JobSpec]) -> Arc<Spec> {
    let mut spec = Spec::clone(&spec_with(jobs));
    let cold = TierSpec {
        place: TierPlaceSpec::Directory("/mnt/cold".into()),
        role: TierRole::Archive,
        bandwidth: Vec::new(),
    };
    spec.tiers.insert(tier("cold"), cold);
    Arc::new(spec)
}

impl Fixture {
    async fn move_to(&self, id: &BackupId, name: &str) -> Result<BackupRecord, String> {
        let by = "root".into();
        within(self.service.move_to(id.clone(), tier(name), by))
            .await
            .map_err(|error| error.0)
    }

    /// What was told of moves.
    fn moves(&self) -> Vec<BackupMoved> {
        let events = self.journal.events().into_iter();
        let facts = events.filter_map(|event| match event.data {
            EventData::BackupMoved(facts) => Some(facts),
            _ => None,
        });
        facts.collect()
    }
}

#[tokio::test]
async fn a_person_moves_a_backup_and_its_record_says_where_it_is() {
    let fixture = Fixture::new().await;
    fixture.spec.send_replace(with_cold(&[job(None)]));
    let full = fixture.create(BackupType::Full).await.unwrap();
    for _ in 0..2 {
        let moved = fixture.move_to(&full.id, "cold").await.unwrap();
        assert_eq!(moved.tier, "cold");
    }
    let told = BackupMoved {
        from: tier("local"),
        tier: tier("cold"),
        by: Some("root".to_owned()),
        note: None,
    };
    assert_eq!(fixture.moves(), [told], "it was there already");
    assert_eq!(fixture.store.moves().len(), 2, "what is left is looked for");
    let fixture = fixture.restarted().await;
    assert_eq!(record_of(&fixture.service, &full.id).tier, "cold");
    // A difference to it is taken as ever.
    let next = fixture.create(BackupType::Incremental).await.unwrap();
    assert_eq!(next.base, full.id);
}

#[tokio::test]
async fn the_catalog_that_is_made_anew_says_where_a_backup_is_now() {
    let fixture = Fixture::new().await;
    fixture.spec.send_replace(with_cold(&[job(None)]));
    let full = fixture.create(BackupType::Full).await.unwrap();
    fixture.move_to(&full.id, "cold").await.unwrap();
    let fixture = Fixture::with(
        fixture.store,
        MemoryJournal::new(),
        fixture.clock,
        &[job(None)],
    )
    .await;
    assert_eq!(record_of(&fixture.service, &full.id).tier, "cold");
}

#[tokio::test]
async fn what_cannot_be_moved_stays_where_it_is_and_the_answer_says_why() {
    let fixture = Fixture::new().await;
    fixture.spec.send_replace(with_cold(&[job(None)]));
    let full = fixture.create(BackupType::Full).await.unwrap();
    let why = fixture.move_to(&full.id, "none").await.unwrap_err();
    assert_eq!(
        why,
        "there is no tier `none` in the config; its tiers are: cold, local"
    );
    fixture
        .store
        .refuse(&tier("cold"), "/mnt/cold is not there");
    let why = fixture.move_to(&full.id, "cold").await.unwrap_err();
    assert_eq!(why, "/mnt/cold is not there");
    assert_eq!(record_of(&fixture.service, &full.id).tier, "local");
    fixture.store.refuse_nothing();
    fixture.store.damage(&full.id);
    let why = fixture.move_to(&full.id, "cold").await.unwrap_err();
    assert!(why.contains("a bit was flipped"), "{why}");
    let found = record_of(&fixture.service, &full.id);
    assert_eq!(
        (found.status, found.tier.as_str()),
        (BackupStatus::Corrupted, "local")
    );
    let why = fixture.move_to(&full.id, "cold").await.unwrap_err();
    assert!(why.contains("is corrupted, and cannot be moved"), "{why}");
    assert!(fixture.moves().is_empty());
}

const DAY: Duration = Duration::from_secs(86_400);

/// Nothing is ever due but moves.
fn archived_job() -> JobSpec {
    JobSpec {
        full: None,
        incremental: None,
        rpo: None,
        archive: Some(ArchiveSpec {
            tier: tier("cold"),
            full_after: 30 * DAY,
            differential_after: 14 * DAY,
        }),
        ..job(None)
    }
}

/// A full and a differential, of which nothing has the age yet.
async fn archived() -> (Fixture, [BackupRecord; 2]) {
    let fixture = Fixture::new().await;
    fixture.spec.send_replace(with_cold(&[archived_job()]));
    let full = fixture.create(BackupType::Full).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    let differential = fixture.create(BackupType::Differential).await.unwrap();
    (fixture, [full, differential])
}

impl Fixture {
    /// Moves until nothing is due; how many moves were tried.
    async fn move_all(&self) -> usize {
        let mut tried = 0;
        while let Some((record, tier)) = self.service.due_move(&archived_job(), self.service.now())
        {
            tried += 1;
            within(self.service.archive(record, &tier)).await;
        }
        tried
    }

    fn fell_over(&self) -> Vec<String> {
        let events = self.journal.events().into_iter();
        let told = events.filter(|event| event.kind == EventKind::BackupFellOver);
        told.map(|event| event.message).collect()
    }
}

#[tokio::test]
async fn what_has_the_age_for_another_tier_goes_there_and_stays_over_a_restart() {
    let (fixture, [full, differential]) = archived().await;
    assert_eq!(fixture.move_all().await, 0, "not at once");
    fixture.clock.advance(14 * DAY);
    assert_eq!(fixture.move_all().await, 1);
    fixture.clock.advance(16 * DAY);
    assert_eq!(fixture.move_all().await, 1);
    let cold = tier("cold");
    let expected = [(differential.id, cold.clone()), (full.id, cold)];
    assert_eq!(fixture.store.moves(), expected);
    assert!(fixture.moves().iter().all(|moved| moved.by.is_none()));
    let fixture = fixture.restarted().await;
    fixture.spec.send_replace(with_cold(&[archived_job()]));
    assert_eq!(fixture.move_all().await, 0);
    let records = fixture.service.list(None);
    assert!(
        records.iter().all(|record| record.tier == "cold"),
        "{records:?}"
    );
}

#[tokio::test]
async fn the_loop_moves_what_is_due_by_itself() {
    let (fixture, _) = archived().await;
    fixture.clock.advance(30 * DAY);
    let (_running, _stop) = fixture.start();
    wait_until("both moves", || fixture.moves().len() == 2).await;
}

#[tokio::test]
async fn a_held_backup_stays_until_it_is_released() {
    let (fixture, [full, _]) = archived().await;
    let request = crate::ports::HoldRequest {
        id: full.id.clone(),
        until: None,
        reason: None,
        by: "root".into(),
    };
    within(fixture.service.hold(request)).await.unwrap();
    fixture.clock.advance(30 * DAY);
    assert_eq!(fixture.move_all().await, 1, "the other");
    within(fixture.service.release(full.id.clone(), "root".into()))
        .await
        .unwrap();
    // Looked at again in a minute.
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(fixture.move_all().await, 1);
}

#[tokio::test]
async fn a_tier_that_takes_nothing_is_told_once_and_tried_again_with_growing_waits() {
    let (fixture, _) = archived().await;
    fixture.clock.advance(30 * DAY);
    fixture
        .store
        .refuse(&tier("cold"), "/mnt/cold is not there");
    assert_eq!(fixture.move_all().await, 2, "each once");
    assert_eq!(fixture.move_all().await, 0);
    for (wait, tried) in [(59, 0), (1, 2), (60, 0), (60, 2)] {
        fixture.clock.advance(Duration::from_secs(wait));
        assert_eq!(fixture.move_all().await, tried, "{wait}");
    }
    let told = fixture.fell_over();
    assert_eq!(told.len(), 1, "{told:?}");
    let says = "is in the tier local, and was not moved to the tier cold: /mnt/cold is not there";
    assert!(told[0].ends_with(says), "{told:?}");
    fixture.store.refuse_nothing();
    fixture.clock.advance(Duration::from_secs(3600));
    assert_eq!(fixture.move_all().await, 2);
    assert_eq!(fixture.moves().len(), 2);
}

#[tokio::test]
async fn a_backup_that_is_wrong_keeps_no_other_back() {
    let (fixture, [full, differential]) = archived().await;
    fixture.clock.advance(14 * DAY);
    fixture.store.damage(&differential.id);
    assert_eq!(fixture.move_all().await, 1);
    let found = record_of(&fixture.service, &differential.id);
    assert_eq!(found.status, BackupStatus::Corrupted);
    assert_eq!(fixture.fell_over(), Vec::<String>::new());
    fixture.clock.advance(16 * DAY);
    assert_eq!(fixture.move_all().await, 1);
    assert_eq!(fixture.store.moves(), [(full.id, tier("cold"))]);
}
