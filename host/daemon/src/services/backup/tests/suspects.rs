//! Backups that are much smaller than the one before, or lack what was mounted then.

use super::*;

#[tokio::test]
async fn bytes_are_not_compared_with_those_of_a_backup_of_another_format() {
    for (is_of_another, is_suspicious) in [(true, false), (false, true)] {
        let fixture = Fixture::new().await;
        let before = fixture.create(BackupType::Full).await.unwrap();
        if is_of_another {
            fixture.store.be_of_format_1(&before.id);
        }
        // Of as many documents as the next one, and of more bytes.
        let larger = BackupRecord {
            size_bytes: before.size_bytes * 10,
            ..before
        };
        let larger = Change::Backup(larger);
        fixture.journal.commit(vec![larger].into()).await.unwrap();
        fixture.clock.advance(Duration::from_secs(1));
        let guarded = JobSpec {
            shrink_guard: Some(50.0),
            ..job(None)
        };
        let Fixture {
            store,
            journal,
            clock,
            ..
        } = fixture;
        let fixture = Fixture::with(store, journal, clock, &[guarded]).await;
        let next = fixture.create(BackupType::Full).await.unwrap();
        assert_eq!(next.suspicious.is_some(), is_suspicious, "{next:?}");
    }
}

#[tokio::test]
async fn one_that_lacks_what_was_mounted_is_suspicious_without_a_guard_until_it_is_accepted() {
    let fixture = Fixture::new().await;
    fixture.store.mount("/srv/data", false);
    let whole = fixture.create(BackupType::Full).await.unwrap();
    assert!(whole.suspicious.is_none(), "{whole:?}");
    fixture.store.mount("/srv/data", true);
    fixture.clock.advance(Duration::from_secs(1));
    let empty = fixture.create(BackupType::Incremental).await.unwrap();
    assert_eq!(fixture.store.expected_mounts(), ["/srv/data"]);
    let why = empty.suspicious.as_deref().unwrap();
    assert!(
        why.contains("/srv/data") && why.contains(whole.id.as_str()),
        "{why}"
    );
    let told = fixture.journal.events();
    let told = told
        .iter()
        .find(|event| event.kind == EventKind::BackupSuspicious);
    assert!(told.is_some_and(|event| event.message.contains("backup accept")));

    let accepted = fixture.service.accept(empty.id.clone(), "root".into());
    within(accepted).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    let next = fixture.create(BackupType::Full).await.unwrap();
    assert_eq!(fixture.store.expected_mounts(), Vec::<String>::new());
    assert!(next.suspicious.is_none(), "{next:?}");
}
