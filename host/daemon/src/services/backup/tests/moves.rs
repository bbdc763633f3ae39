//! Backups go to another tier.

use super::*;
use mainstay_domain::{
    event::{BackupMoved, EventData},
    name::TierName,
    spec::{TierPlaceSpec, TierRole, TierSpec},
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
