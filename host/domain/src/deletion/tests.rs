use super::*;
use crate::{
    checkpoint::{Checkpoint, CheckpointKind},
    retention::tests::record,
};
use proptest::prelude::*;
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_millis(100_000);

/// ful0 ← inc1 ← inc2, sna3, and the newest chain: ful4 ← dif5.
fn two_chains() -> Vec<BackupRecord> {
    let ful0 = record(0, BackupType::Full, None);
    let inc1 = record(1, BackupType::Incremental, Some(&ful0));
    let inc2 = record(2, BackupType::Incremental, Some(&inc1));
    let sna3 = record(3, BackupType::Snapshot, None);
    let ful4 = record(4, BackupType::Full, None);
    let dif5 = record(5, BackupType::Differential, Some(&ful4));
    vec![ful0, inc1, inc2, sna3, ful4, dif5]
}

fn limits(min_redundancy: u32, immutable_seconds: u64) -> RetentionLimits {
    RetentionLimits {
        min_redundancy,
        immutable_for: Duration::from_secs(immutable_seconds),
    }
}

/// Those that a person may delete.
fn deletable(records: &[BackupRecord], limits: RetentionLimits) -> Vec<usize> {
    (0..records.len())
        .filter(|at| check(records, &records[*at].id, limits, NOW).is_ok())
        .collect()
}

/// Why one may not be deleted.
#[track_caller]
fn refused(records: &[BackupRecord], at: usize) -> String {
    check(records, &records[at].id, limits(1, 0), NOW)
        .unwrap_err()
        .to_string()
}

#[test]
fn what_nothing_stands_on_and_is_not_of_the_newest_chain_may_go() {
    let mut records = two_chains();
    assert_eq!(deletable(&records, limits(1, 0)), [2, 3]);
    assert!(refused(&records, 0).contains("needs it"));
    assert!(refused(&records, 1).contains(&format!("{} needs it", records[2].id)));
    assert!(refused(&records, 4).contains("needs it") || refused(&records, 4).contains("newest"));
    assert!(refused(&records, 5).contains("it belongs to the newest verified chain"));
    assert_eq!(deletable(&records, limits(2, 0)), [3]);
    // The snapshot of second 3, and what is older.
    assert_eq!(deletable(&records, limits(1, 97)), [2, 3]);
    assert_eq!(deletable(&records, limits(1, 98)), [2]);

    records[2].status = BackupStatus::Expired;
    assert_eq!(deletable(&records, limits(1, 0)), [1, 3]);
    records[1].status = BackupStatus::Expired;
    assert_eq!(deletable(&records, limits(1, 0)), [0, 3]);
}

#[test]
fn what_is_held_unfinished_gone_or_was_never_there_is_refused_with_the_reason() {
    let mut records = two_chains();
    records[3].held = true;
    assert!(refused(&records, 3).contains("the operator holds it"));
    records[3].held = false;
    records[3].status = BackupStatus::InProgress;
    assert!(refused(&records, 3).contains("it is not finished"));
    records[3].status = BackupStatus::Failed;
    assert!(refused(&records, 3).contains("was not taken"));
    records[3].status = BackupStatus::Expired;
    let error = refused(&records, 3);
    assert!(error.contains("lies in the trash already") && error.contains("backup undelete sna-"));
    let unknown = record(9, BackupType::Full, None);
    let error = check(&records, &unknown.id, limits(1, 0), NOW).unwrap_err();
    assert!(error.to_string().contains("there is no backup ful-"));
}

#[test]
fn a_person_may_delete_a_checkpoint_and_what_is_corrupted() {
    let mut records = two_chains();
    records[3].checkpoint = Some(Checkpoint::new(CheckpointKind::Manual, None));
    records[5].status = BackupStatus::Corrupted;
    assert_eq!(deletable(&records, limits(1, 0)), [2, 3, 5]);
}

#[test]
fn while_one_is_suspicious_nothing_else_goes_and_it_is_no_newest_chain() {
    let mut records = two_chains();
    records[4].suspicious = Some("it has 1 document".to_owned());
    let error = refused(&records, 3);
    assert!(error.contains("stands still"), "{error}");
    // The differential is of the suspicious one.
    assert_eq!(deletable(&records, limits(1, 0)), [5]);
    records.remove(5);
    assert_eq!(deletable(&records, limits(1, 0)), [4]);
    // Where there is no other it is the newest.
    let alone = &records[4..];
    assert!(refused(alone, 0).contains("newest verified chain"));
    // So it is where what else there is was taken before a restore.
    let beside = [record(3, BackupType::Emergency, None), records[4].clone()];
    assert!(refused(&beside, 1).contains("newest verified chain"));
    // And where it is a part alone.
    let selection = BackupRecord {
        selection: true,
        ..record(3, BackupType::Snapshot, None)
    };
    let beside = [selection, records[4].clone()];
    assert!(refused(&beside, 1).contains("newest verified chain"));
}

#[test]
fn what_comes_back_brings_what_it_needs_of_what_lies_in_the_trash() {
    let mut records = two_chains();
    let back = |records: &[BackupRecord], at: usize| {
        let plan = plan_undelete(records, &records[at].id)?;
        let place = |one: &BackupRecord| records.iter().position(|it| it.id == one.id).unwrap();
        Ok::<Vec<usize>, UndeleteError>(plan.iter().map(place).collect())
    };
    let not_there = back(&records, 2).unwrap_err().to_string();
    assert!(not_there.contains("is not in the trash"), "{not_there}");
    records[2].status = BackupStatus::Expired;
    records[1].status = BackupStatus::Expired;
    assert_eq!(back(&records, 1).unwrap(), [1]);
    assert_eq!(back(&records, 2).unwrap(), [1, 2]);
    records[0].status = BackupStatus::Expired;
    assert_eq!(back(&records, 2).unwrap(), [0, 1, 2]);
    records[0].status = BackupStatus::Corrupted;
    assert_eq!(back(&records, 2).unwrap(), [1, 2]);
    records[0].status = BackupStatus::Failed;
    assert!(back(&records, 2).is_err());
    records.remove(0);
    let gone = back(&records, 1).unwrap_err().to_string();
    assert!(gone.contains("which is not there"), "{gone}");
}

proptest! {
    #[test]
    fn whatever_is_deleted_and_taken_back_what_stays_can_be_restored(
        steps in prop::collection::vec((any::<bool>(), 0..6_usize), 0..40),
        min_redundancy in 0..3_u32,
    ) {
        let mut records = two_chains();
        for (deletes, at) in steps {
            let id = records[at].id.clone();
            if deletes {
                if check(&records, &id, limits(min_redundancy, 0), NOW).is_ok() {
                    records[at].status = BackupStatus::Expired;
                }
            } else {
                for back in plan_undelete(&records, &id).unwrap_or_default() {
                    let record = records.iter_mut().find(|record| record.id == back.id).unwrap();
                    record.status = BackupStatus::Verified;
                }
            }
            let is_there = |id: &BackupId| {
                records.iter().any(|it| it.id == *id && it.status == BackupStatus::Verified)
            };
            for record in records.iter().filter(|record| record.status == BackupStatus::Verified) {
                prop_assert!(record.parent.iter().chain([&record.base]).all(is_there));
            }
            prop_assert!(is_there(&records[4].id) && is_there(&records[5].id));
        }
    }
}
