use super::*;
use crate::{backup_chain::newest_verified, name::JobName, time::Timestamp};
use proptest::prelude::*;

fn record(number: u64, backup_type: BackupType, documents: u64, tombstones: u64) -> BackupRecord {
    let text = format!("{}-01K0000000000000000000{number:04}", backup_type.prefix());
    let id = BackupId::parse(&text).unwrap();
    BackupRecord {
        status: BackupStatus::Verified,
        documents,
        tombstones,
        size_bytes: documents * 10,
        stored_bytes: documents,
        ..BackupRecord::begun(
            id,
            JobName::parse("state").unwrap(),
            backup_type,
            Timestamp::from_millis(number * 1_000),
        )
    }
}

fn full(number: u64, documents: u64) -> BackupRecord {
    record(number, BackupType::Full, documents, 0)
}

fn on(base: &BackupRecord, mut record: BackupRecord) -> BackupRecord {
    record.base = base.id.clone();
    record.parent = Some(base.id.clone());
    record
}

/// Takes them one after the other under a guard of 50 %.
fn taken(sizes: &[u64]) -> Vec<BackupRecord> {
    let mut records = Vec::new();
    for (number, size) in (0..).zip(sizes) {
        let mut new = full(number, *size);
        new.suspicious = suspicion(&records, &new, 50.0).map(|found| found.why);
        records.push(new);
    }
    records
}

fn suspects(records: &[BackupRecord]) -> Vec<usize> {
    let places = (0..records.len()).filter(|at| records[*at].suspicious.is_some());
    places.collect()
}

#[test]
fn one_that_is_much_smaller_is_suspicious_and_so_are_those_after_it_until_it_is_accepted() {
    assert!(suspects(&taken(&[100, 50, 25, 100])).is_empty());
    let mut records = taken(&[100, 49, 30, 10]);
    assert_eq!(suspects(&records), [1, 2, 3]);
    assert!(
        stands_still(&records)
            .unwrap()
            .contains("backup accept ful-")
    );
    let changed = accept(&records, &records[1].id.clone(), Some(50.0));
    for change in changed {
        let found = records.iter_mut().find(|record| record.id == change.id);
        *found.unwrap() = change;
    }
    // The third has more than half of what was accepted, the fourth less than half of the third.
    assert_eq!(suspects(&records), [3]);
    assert!(records[3].suspicious.as_ref().unwrap().contains("had 30"));
    let all = accept(&records, &records[3].id.clone(), None);
    assert_eq!(all.len(), 1);
}

#[test]
fn bytes_count_as_documents_do_and_an_emergency_backup_does_not() {
    let before = full(0, 100);
    let mut new = full(1, 100);
    new.size_bytes = 499;
    let found = suspicion(std::slice::from_ref(&before), &new, 50.0);
    let found = found.unwrap();
    assert_eq!(
        (found.before, found.of_bytes_alone),
        (before.id.clone(), true)
    );
    let both = suspicion(std::slice::from_ref(&before), &full(1, 49), 50.0);
    assert!(!both.unwrap().of_bytes_alone);
    new.size_bytes = 500;
    assert!(suspicion(std::slice::from_ref(&before), &new, 50.0).is_none());
    let emergency = record(1, BackupType::Emergency, 0, 0);
    assert!(suspicion(&[before], &emergency, 50.0).is_none());
    assert!(
        suspicion(
            &[record(0, BackupType::Emergency, 100, 0)],
            &full(1, 0),
            50.0
        )
        .is_none()
    );
}

#[test]
fn a_difference_is_suspicious_by_what_it_deletes_at_once() {
    let base = full(0, 100);
    let check = |kind, earlier: Option<u64>, tombstones, expected: bool| {
        let mut records = vec![base.clone()];
        records.extend(earlier.map(|deleted| on(&base, record(1, kind, 0, deleted))));
        let new = on(&base, record(2, kind, 1_000, tombstones));
        let found = suspicion(&records, &new, 50.0);
        assert_eq!(
            found.is_some(),
            expected,
            "{kind:?} {tombstones}: {found:?}"
        );
    };
    for kind in [BackupType::Incremental, BackupType::Differential] {
        check(kind, None, 50, false);
        check(kind, None, 51, true);
    }
    check(BackupType::Differential, Some(50), 60, false);
    check(BackupType::Differential, Some(50), 76, true);
    check(BackupType::Incremental, Some(50), 51, true);
}

#[test]
fn the_newest_is_the_newest_that_is_not_suspicious_nor_built_on_one_that_is() {
    let now = Timestamp::from_millis(1_000_000);
    let mut records = taken(&[100, 10]);
    let built_on = on(&records[1], record(2, BackupType::Incremental, 1, 0));
    records.push(built_on);
    let job = records[0].job.clone();
    let newest = |records: &[BackupRecord]| newest_verified(records, &job, None, now).cloned();
    assert_eq!(newest(&records), Some(records[0].clone()));
    records[1].suspicious = None;
    assert_eq!(newest(&records), Some(records[2].clone()));
}

proptest! {
    #[test]
    fn accepting_the_newest_leaves_nothing_suspicious_and_changes_nothing_else(
        sizes in prop::collection::vec(0..200_u64, 1..20),
    ) {
        let records = taken(&sizes);
        let newest = records.last().unwrap();
        let changed = accept(&records, &newest.id, Some(50.0));
        prop_assert_eq!(changed.len(), suspects(&records).len());
        for change in changed {
            let was = records.iter().find(|record| record.id == change.id).unwrap();
            prop_assert!(was.suspicious.is_some() && change.suspicious.is_none());
            prop_assert_eq!(BackupRecord { suspicious: None, ..was.clone() }, change);
        }
    }
}
