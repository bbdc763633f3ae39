//! Backups that are much smaller than the one before.

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
