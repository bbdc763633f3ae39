//! Differences to what this host cannot read.

use super::*;
use mainstay_domain::{archive::Encryption, spec::SealingSpec};

/// Nothing is ever due.
fn sealed(sealing: SealingSpec) -> JobSpec {
    JobSpec {
        full: None,
        incremental: None,
        sealing,
        ..job(None)
    }
}

#[tokio::test]
async fn what_is_encrypted_anew_is_in_the_catalog_and_where_some_is_not_a_full_backup_is_taken() {
    let fixture = Fixture::new().await;
    let to = sealed(SealingSpec {
        encryption: Encryption::Age {
            recipients: vec!["age1a".to_owned()],
        },
        ..SealingSpec::default()
    });
    fixture
        .spec
        .send_replace(spec_with(std::slice::from_ref(&to)));
    fixture.create(BackupType::Full).await.unwrap();
    let next = fixture.create(BackupType::Incremental).await.unwrap();
    let rekey = |dry_run| {
        within(
            fixture
                .service
                .rekey(to.name.clone(), dry_run, no_progress()),
        )
    };
    let would = rekey(true).await.unwrap();
    assert_eq!((would.sealed.len(), would.taken), (2, None));
    assert_eq!(record_of(&fixture.service, &next.id), next);
    let done = rekey(false).await.unwrap();
    assert_eq!(
        (done.sealed.len(), done.left.len(), done.taken),
        (2, 0, None)
    );
    let after = record_of(&fixture.service, &next.id);
    assert_ne!(after.stored_bytes, next.stored_bytes);

    fixture.store.damage(&next.id);
    let done = rekey(false).await.unwrap();
    assert_eq!((done.sealed.len(), done.left.len()), (1, 1));
    let taken = done.taken.unwrap();
    assert_eq!(
        (taken.backup_type, taken.status),
        (BackupType::Full, BackupStatus::Verified)
    );

    let plain = sealed(SealingSpec::default());
    fixture.spec.send_replace(spec_with(&[plain]));
    for dry_run in [true, false] {
        let refused = rekey(dry_run).await.unwrap_err().to_string();
        assert!(refused.contains("name recipients"), "{refused}");
    }
}

#[tokio::test]
async fn a_difference_to_what_nothing_here_opens_becomes_a_full_backup() {
    let fixture = Fixture::new().await;
    let plain = sealed(SealingSpec::default());
    fixture
        .spec
        .send_replace(spec_with(std::slice::from_ref(&plain)));
    fixture.create(BackupType::Full).await.unwrap();
    let locked = BackupStoreError::Locked("backup ful-1 is encrypted".to_owned());
    let untrusted = BackupStoreError::Untrusted {
        id: BackupId::parse("ful-01K0000000000000000000000D").unwrap(),
        what: "its manifest is signed by nobody".to_owned(),
    };
    for error in [locked.clone(), untrusted] {
        fixture.store.fail_next(error);
        let taken = fixture.create(BackupType::Incremental).await.unwrap();
        assert_eq!(taken.backup_type, BackupType::Full);
    }
    let records = fixture.service.list(None);
    let is_corrupted = |record: &BackupRecord| record.status == BackupStatus::Corrupted;
    assert!(!records.iter().any(is_corrupted));
    fixture.store.fail_next(locked);
    fixture.create(BackupType::Full).await.unwrap_err();

    let hidden = sealed(SealingSpec {
        encryption: Encryption::Age {
            recipients: vec!["age1a".to_owned()],
        },
        index: false,
        ..SealingSpec::default()
    });
    for (job, expected) in [(hidden, BackupType::Full), (plain, BackupType::Incremental)] {
        fixture.spec.send_replace(spec_with(&[job]));
        let taken = fixture.create(BackupType::Incremental).await.unwrap();
        assert_eq!(taken.backup_type, expected);
    }
}
