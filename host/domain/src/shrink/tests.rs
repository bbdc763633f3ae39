use super::{accept, expected_mounts, stands_still};
use crate::{
    backup::{BackupRecord, BackupStatus, BackupType},
    backup_chain::newest_verified,
    id::BackupId,
    name::JobName,
    source_mount::SourceMount,
    time::Timestamp,
};
use proptest::prelude::*;

fn suspicion(
    records: &[BackupRecord],
    new: &BackupRecord,
    least_percent: f64,
) -> Option<super::Suspicion> {
    super::suspicion(records, new, Some(least_percent))
}

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
fn a_selection_is_not_measured_and_nothing_is_measured_against_it() {
    let snapshot = |number, documents| record(number, BackupType::Snapshot, documents, 0);
    let selection = |number, documents| BackupRecord {
        selection: true,
        ..snapshot(number, documents)
    };
    let whole = full(0, 100);
    let against = |before: BackupRecord, new: &BackupRecord| suspicion(&[before], new, 50.0);
    assert!(against(whole.clone(), &selection(1, 1)).is_none());
    assert!(against(whole, &snapshot(1, 1)).is_some());
    assert!(against(selection(0, 100), &full(1, 1)).is_none());
    // Not all directories were looked at.
    let mounts = [
        with_mounts(full(0, 100), &[("/srv/a", false), ("/srv/b", false)]),
        with_mounts(selection(1, 1), &[("/srv/a", false)]),
    ];
    assert_eq!(expected_mounts(&mounts), ["/srv/a", "/srv/b"]);
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

fn with_mounts(record: BackupRecord, mounts: &[(&str, bool)]) -> BackupRecord {
    let mounts = mounts.iter().map(|(path, vanished)| SourceMount {
        path: (*path).to_owned(),
        vanished: *vanished,
    });
    BackupRecord {
        mounts: mounts.collect(),
        ..record
    }
}

#[test]
fn one_that_lacks_what_was_mounted_is_suspicious_until_it_is_accepted_whatever_its_size() {
    let mut records = vec![
        with_mounts(full(0, 100), &[("/srv/a", false), ("/srv/b", false)]),
        // Recorded anew from what is stored: nothing is known of its mounts.
        full(1, 100),
    ];
    assert_eq!(expected_mounts(&records), ["/srv/a", "/srv/b"]);
    for (number, kind) in [(2, BackupType::Full), (3, BackupType::Incremental)] {
        let mut new = on(&records[1], record(number, kind, 1_000, 0));
        new = with_mounts(new, &[("/srv/a", true), ("/srv/b", false)]);
        let found = super::suspicion(&records, &new, None).unwrap();
        assert_eq!(
            (&found.before, found.of_bytes_alone),
            (&records[0].id, false)
        );
        assert!(
            found
                .why
                .starts_with("nothing is mounted any more at /srv/a, which"),
            "{}",
            found.why
        );
        new.suspicious = Some(found.why);
        records.push(new);
        // What is suspicious does not say what is to be mounted.
        assert_eq!(expected_mounts(&records), ["/srv/a", "/srv/b"]);
    }
    assert!(stands_still(&records).is_some());
    for change in accept(&records, &records[2].id.clone(), None) {
        let found = records.iter_mut().find(|record| record.id == change.id);
        *found.unwrap() = change;
    }
    assert!(suspects(&records).is_empty(), "{records:?}");
    assert_eq!(expected_mounts(&records), ["/srv/b"]);
}

#[test]
fn of_an_emergency_backup_and_of_what_was_not_mounted_before_nothing_is_said_and_many_are_counted()
{
    let names = ["/a", "/b", "/c", "/d", "/e"];
    let all = |vanished: bool| names.map(|name| (name, vanished));
    let before = with_mounts(full(0, 100), &all(false));
    let lacks = |kind| with_mounts(record(1, kind, 100, 0), &all(true));
    let says = |records: &[BackupRecord], new: &BackupRecord| {
        super::suspicion(records, new, None).map(|found| found.why)
    };
    let told = says(std::slice::from_ref(&before), &lacks(BackupType::Full)).unwrap();
    assert!(told.contains(" at /a, /b, /c and 2 more, which"), "{told}");
    for (records, new) in [
        (vec![before.clone()], lacks(BackupType::Emergency)),
        (vec![full(0, 100)], lacks(BackupType::Full)),
        (
            vec![with_mounts(full(0, 100), &all(true))],
            lacks(BackupType::Full),
        ),
        (
            vec![with_mounts(
                record(0, BackupType::Emergency, 100, 0),
                &all(false),
            )],
            lacks(BackupType::Full),
        ),
        (vec![before], with_mounts(full(1, 100), &[])),
    ] {
        assert_eq!(says(&records, &new), None);
    }
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
