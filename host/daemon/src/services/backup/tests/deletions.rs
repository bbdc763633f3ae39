//! What people delete, and take out of the trash again.

use super::{
    retention::{prune, two_chains},
    *,
};
use crate::ports::{HoldRequest, TrashRequest, Undeleted};
use mainstay_domain::{actor::Actor, event::EventData};

fn request(id: &BackupId, dry_run: bool) -> TrashRequest {
    TrashRequest {
        id: id.clone(),
        dry_run,
        by: Actor::new("root", "ann"),
    }
}

async fn delete(fixture: &Fixture, id: &BackupId, dry_run: bool) -> Result<BackupRecord, String> {
    within(fixture.service.delete(request(id, dry_run)))
        .await
        .map_err(|error| error.0)
}

async fn undelete(fixture: &Fixture, id: &BackupId, dry_run: bool) -> Result<Undeleted, String> {
    let asked = request(id, dry_run);
    within(fixture.service.undelete(asked, no_progress()))
        .await
        .map_err(|error| error.0)
}

fn status(fixture: &Fixture, id: &BackupId) -> BackupStatus {
    record_of(&fixture.service, id).status
}

#[tokio::test]
async fn what_a_person_deletes_goes_to_the_trash_and_comes_back_with_what_it_needs() {
    let (fixture, records) = two_chains().await;
    let (full, added) = (&records[0].id, &records[1].id);
    let would = delete(&fixture, added, true).await.unwrap();
    assert_eq!(would.status, BackupStatus::Expired);
    assert_eq!(status(&fixture, added), BackupStatus::Verified);
    assert!(
        !fixture.store.has_in_trash(added),
        "a dry run changes nothing"
    );

    let needed = delete(&fixture, full, false).await.unwrap_err();
    assert!(needed.contains(&format!("{added} needs it")), "{needed}");
    let deleted = delete(&fixture, added, false).await.unwrap();
    assert_eq!(deleted.expires, Some(fixture.service.now() + 24 * HOUR));
    assert_eq!(deleted.reason.unwrap(), "root (who says: ann) deleted it");
    let again = delete(&fixture, added, false).await.unwrap_err();
    assert!(again.contains("lies in the trash already"), "{again}");
    delete(&fixture, full, false).await.unwrap();
    for id in [full, added] {
        assert_eq!(status(&fixture, id), BackupStatus::Expired);
        assert!(fixture.store.has_in_trash(id));
    }

    let would = undelete(&fixture, added, true).await.unwrap();
    assert_eq!(would.backups.len(), 2);
    assert!(
        fixture.store.has_in_trash(full),
        "a dry run changes nothing"
    );
    let back = undelete(&fixture, added, false).await.unwrap();
    let back: Vec<&BackupId> = back.backups.iter().map(|record| &record.id).collect();
    assert_eq!(back, [full, added], "what is needed comes first");
    for id in [full, added] {
        let record = record_of(&fixture.service, id);
        assert_eq!(record.status, BackupStatus::Verified);
        assert_eq!((record.expires, record.reason), (None, None));
        assert!(!fixture.store.has_in_trash(id));
    }
    let not_there = undelete(&fixture, added, false).await.unwrap_err();
    assert!(not_there.contains("is not in the trash"), "{not_there}");

    let told: Vec<(EventKind, BackupId)> = fixture
        .journal
        .events()
        .into_iter()
        .filter_map(|event| match &event.data {
            EventData::BackupTrashed(facts) => {
                assert_eq!(
                    (facts.by.as_str(), facts.note.as_deref()),
                    ("root", Some("ann"))
                );
                Some((event.kind, event.backup?))
            }
            EventData::BackupUndeleted(facts) => {
                assert_eq!(
                    (facts.by.as_str(), facts.note.as_deref()),
                    ("root", Some("ann"))
                );
                Some((event.kind, event.backup?))
            }
            _ => None,
        })
        .collect();
    let expected = [
        (EventKind::BackupTrashed, added),
        (EventKind::BackupTrashed, full),
        (EventKind::BackupUndeleted, full),
        (EventKind::BackupUndeleted, added),
    ];
    let expected = expected.map(|(kind, id)| (kind, id.clone()));
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_is_held_or_of_the_newest_chain_or_unknown_is_not_deleted() {
    let (fixture, records) = two_chains().await;
    let newest = delete(&fixture, &records[2].id, false).await.unwrap_err();
    assert!(newest.contains("newest verified chain"), "{newest}");
    let hold = HoldRequest {
        id: records[1].id.clone(),
        until: None,
        reason: Some("the audit".to_owned()),
        by: Actor::new("root", ""),
    };
    within(fixture.service.hold(hold)).await.unwrap();
    let held = delete(&fixture, &records[1].id, false).await.unwrap_err();
    assert!(held.contains("the operator holds it: the audit"), "{held}");
    let unknown = BackupId::parse("ful-01K0000000000000000000000Z").unwrap();
    for error in [
        delete(&fixture, &unknown, false).await.unwrap_err(),
        undelete(&fixture, &unknown, false).await.unwrap_err(),
    ] {
        assert!(error.contains("there is no backup ful-"), "{error}");
    }
    assert_eq!(fixture.types().len(), 3);
}

#[tokio::test]
async fn what_a_policy_let_go_comes_back_too_and_is_judged_again() {
    let (fixture, records) = two_chains().await;
    prune(&fixture, false).await.unwrap();
    let added = &records[1].id;
    let back = undelete(&fixture, added, false).await.unwrap();
    assert_eq!(back.backups.len(), 2);
    assert!(back.notes[0].contains("backup hold"), "{:?}", back.notes);
    assert_eq!(fixture.types().len(), 3);
    assert_eq!(prune(&fixture, true).await.unwrap().expired.len(), 2);
}

#[tokio::test]
async fn what_is_wrong_in_the_trash_comes_out_of_it_as_corrupted() {
    let (fixture, records) = two_chains().await;
    let added = &records[1].id;
    delete(&fixture, added, false).await.unwrap();
    fixture.store.damage(added);
    let error = undelete(&fixture, added, false).await.unwrap_err();
    assert!(error.contains("is out of the trash"), "{error}");
    assert_eq!(status(&fixture, added), BackupStatus::Corrupted);
    // A person may delete what is no good.
    delete(&fixture, added, false).await.unwrap();
}

#[tokio::test]
async fn what_is_gone_from_the_trash_does_not_come_back() {
    let (fixture, records) = two_chains().await;
    let (full, added) = (&records[0].id, &records[1].id);
    delete(&fixture, added, false).await.unwrap();
    delete(&fixture, full, false).await.unwrap();
    let gone = record_of(&fixture.service, full);
    let deleted = fixture.service.delete_for_good(vec![gone]).await;
    assert_eq!(deleted.unwrap(), 1);
    let error = undelete(&fixture, added, false).await.unwrap_err();
    assert!(error.contains("which is not there"), "{error}");
    assert_eq!(status(&fixture, added), BackupStatus::Expired);
}

#[tokio::test]
async fn where_there_is_no_room_for_a_trash_what_is_deleted_is_gone() {
    let (fixture, records) = two_chains().await;
    let added = &records[1].id;
    fixture.store.fill();
    let gone = delete(&fixture, added, false).await.unwrap();
    assert_eq!((gone.status, gone.expires), (BackupStatus::Expired, None));
    let error = undelete(&fixture, added, false).await.unwrap_err();
    assert!(error.contains("there is no backup"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_moved_to_the_trash_is_deleted_all_the_same_and_that_is_said() {
    let (fixture, records) = two_chains().await;
    let added = &records[1].id;
    let away = BackupStoreError::Unavailable("it is away".to_owned());
    fixture.store.fail_upkeep(away);
    let error = delete(&fixture, added, false).await.unwrap_err();
    assert!(error.contains("the next start moves it"), "{error}");
    assert_eq!(status(&fixture, added), BackupStatus::Expired);
}
