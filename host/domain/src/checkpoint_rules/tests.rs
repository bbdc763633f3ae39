use super::*;
use crate::{
    checkpoint::{Checkpoint, Rollback, RollbackStep},
    name::JobName,
    spec::Schedule,
};
use proptest::prelude::*;
use std::time::Duration;

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

fn at(millis: u64) -> Timestamp {
    // 1 January 2026, a whole multiple of a day.
    Timestamp::from_millis(1_767_225_600_000 + millis)
}

/// As it is where nothing is written [seed 003].
fn seeds() -> CheckpointSpec {
    CheckpointSpec {
        automatic: Schedule::Every(Duration::from_secs(15 * 60)),
        daily: Schedule::Every(Duration::from_secs(86_400)),
        keep: 50,
        max_age: Duration::from_secs(7 * 86_400),
        pause: None,
        check: None,
        resume: None,
    }
}

fn record(number: u64, kind: CheckpointKind, created_at: Timestamp) -> BackupRecord {
    let prefix = kind.backup_type().prefix();
    let id = BackupId::parse(&format!("{prefix}-01K00000000000000000{number:06}")).unwrap();
    BackupRecord {
        status: BackupStatus::Verified,
        checkpoint: Some(Checkpoint::new(kind, None)),
        ..BackupRecord::begun(
            id.clone(),
            JobName::parse("state").unwrap(),
            kind.backup_type(),
            created_at,
        )
    }
}

/// A job's days by its schedule: at each minute the due one is taken, and what is too much goes.
fn days_of(spec: &CheckpointSpec, days: u64, mut look: impl FnMut(u64, &[BackupRecord])) {
    let mut records: Vec<BackupRecord> = Vec::new();
    for minute in 0..days * DAY / MINUTE {
        let now = at(minute * MINUTE);
        if let Some(kind) = due(spec, &records, now).unwrap() {
            records.push(record(minute, kind, now));
        }
        let gone = excess(spec, &records, now);
        records.retain(|record| !gone.iter().any(|excess| excess.id == record.id));
        look(minute, &records);
    }
}

#[test]
fn seed_003_one_is_taken_every_quarter_and_one_a_day_is_the_daily_one() {
    let mut taken: BTreeMap<CheckpointKind, BTreeSet<u64>> = BTreeMap::new();
    days_of(&seeds(), 2, |_, records| {
        for record in records {
            let kind = record.checkpoint.as_ref().unwrap().kind;
            let of_kind = taken.entry(kind).or_default();
            of_kind.insert(record.created_at.since(at(0)).as_secs() / 60);
        }
    });
    assert_eq!(taken[&CheckpointKind::Daily], BTreeSet::from([0, 1440]));
    let quarters: BTreeSet<u64> = (1..192)
        .filter(|it| it % 96 != 0)
        .map(|it| it * 15)
        .collect();
    assert_eq!(taken[&CheckpointKind::Automatic], quarters);
}

#[test]
fn seed_003_there_are_never_more_than_fifty_and_none_is_older_than_a_week() {
    days_of(&seeds(), 9, |minute, records| {
        assert!(records.len() <= 50, "{} at {minute}", records.len());
        let now = at(minute * MINUTE);
        let too_old = records
            .iter()
            .find(|record| now.since(record.created_at) > seeds().max_age);
        assert_eq!(too_old, None, "at {minute}");
    });
}

#[test]
fn a_restart_moves_no_checkpoint_and_a_pause_gives_one() {
    let spec = seeds();
    let taken = vec![record(1, CheckpointKind::Daily, at(MINUTE))];
    for minutes in [2, 14] {
        assert_eq!(due(&spec, &taken, at(minutes * MINUTE)), Ok(None));
    }
    let next = next_due(&spec, &taken, at(2 * MINUTE));
    assert_eq!(next, Ok(at(15 * MINUTE)));
    let after_hours = due(&spec, &taken, at(300 * MINUTE));
    assert_eq!(after_hours, Ok(Some(CheckpointKind::Automatic)));
    let after_days = due(&spec, &taken, at(3 * DAY));
    assert_eq!(after_days, Ok(Some(CheckpointKind::Daily)));
}

#[test]
fn one_that_failed_is_due_again_and_one_from_the_future_holds_none_back() {
    let spec = seeds();
    let mut failed = record(1, CheckpointKind::Daily, at(0));
    failed.status = BackupStatus::Failed;
    assert_eq!(
        due(&spec, &[failed], at(MINUTE)),
        Ok(Some(CheckpointKind::Daily))
    );
    let future = record(2, CheckpointKind::Daily, at(300 * DAY));
    assert_eq!(
        due(&spec, &[future], at(MINUTE)),
        Ok(Some(CheckpointKind::Daily))
    );
}

#[test]
fn what_is_asked_for_by_people_covers_nothing_that_is_due() {
    let asked = [
        CheckpointKind::Manual,
        CheckpointKind::PreUpgrade,
        CheckpointKind::Emergency,
    ];
    for kind in asked {
        let records = [record(1, kind, at(0))];
        assert_eq!(
            due(&seeds(), &records, at(MINUTE)),
            Ok(Some(CheckpointKind::Daily)),
            "{kind}"
        );
    }
}

#[test]
fn an_upgrade_is_due_a_checkpoint_once_where_there_is_something_of_before() {
    let upgraded = at(DAY);
    let due = |records: &[BackupRecord]| is_due_for_upgrade(records, upgraded, at(DAY + MINUTE));
    let before = record(1, CheckpointKind::Daily, at(0));
    assert!(!due(&[]), "there was nothing before");
    let since = record(2, CheckpointKind::Daily, at(DAY));
    assert!(!due(std::slice::from_ref(&since)), "nor here");
    assert!(due(&[before.clone(), since]));
    let of_upgrade = |number, at| record(number, CheckpointKind::PreUpgrade, at);
    let earlier = of_upgrade(3, at(DAY - MINUTE));
    assert!(due(&[before.clone(), earlier]), "that was of another one");
    let taken = of_upgrade(4, upgraded);
    assert!(!due(&[before.clone(), taken.clone()]));
    let failed = BackupRecord {
        status: BackupStatus::Failed,
        ..taken
    };
    assert!(due(&[before.clone(), failed]), "it is taken again");
    assert!(!is_due_for_upgrade(&[before], upgraded, at(DAY - 1)));
}

#[test]
fn what_is_let_go_is_named_with_the_reason() {
    let spec = CheckpointSpec { keep: 2, ..seeds() };
    let records = [
        record(1, CheckpointKind::Automatic, at(0)),
        record(2, CheckpointKind::PreUpgrade, at(6 * DAY)),
        record(3, CheckpointKind::PreUpgrade, at(7 * DAY)),
        record(4, CheckpointKind::Automatic, at(8 * DAY)),
    ];
    let gone = excess(&spec, &records, at(8 * DAY));
    let gone: Vec<(&BackupId, &str)> = gone
        .iter()
        .map(|excess| (&excess.id, excess.reason.as_str()))
        .collect();
    assert_eq!(
        gone,
        [
            (&records[0].id, "a checkpoint older than 604800s"),
            (&records[1].id, "the oldest of more than 2 checkpoints"),
        ]
    );
}

#[test]
fn the_last_right_one_is_the_newest_of_any_kind_that_is_verified_and_not_from_the_future() {
    let mut records = vec![
        record(1, CheckpointKind::Daily, at(0)),
        record(2, CheckpointKind::Emergency, at(2 * MINUTE)),
        record(3, CheckpointKind::Automatic, at(3 * MINUTE)),
        record(4, CheckpointKind::Manual, at(DAY)),
        record(5, CheckpointKind::Manual, at(4 * MINUTE)),
    ];
    records[2].status = BackupStatus::Corrupted;
    records[4].checkpoint = None;
    assert_eq!(
        last_right(&records, at(5 * MINUTE)),
        Some(at(2 * MINUTE)),
        "one is corrupted, one comes from a wrong clock, and one is a backup"
    );
    assert_eq!(last_right(&records[2..3], at(DAY)), None);
}

fn kinds() -> impl Strategy<Value = CheckpointKind> {
    prop::sample::select(CheckpointKind::ALL.to_vec())
}

fn statuses() -> impl Strategy<Value = BackupStatus> {
    prop::sample::select(vec![
        BackupStatus::Verified,
        BackupStatus::Verified,
        BackupStatus::Corrupted,
        BackupStatus::InProgress,
        BackupStatus::Failed,
        BackupStatus::Expired,
    ])
}

proptest! {
    #[test]
    fn what_must_stay_stays_and_what_is_left_is_within_the_bounds_but_for_that(
        made in prop::collection::vec((kinds(), statuses(), 0_u64..12 * DAY, any::<bool>()), 0..80),
        keep in 1_u32..20,
    ) {
        let spec = CheckpointSpec { keep, ..seeds() };
        let now = at(10 * DAY);
        let records: Vec<BackupRecord> = (0..).zip(made).map(|(number, (kind, status, when, rolls))| {
            let mut record = record(number, kind, at(when));
            record.status = status;
            if rolls && number % 7 == 0 && let Some(checkpoint) = &mut record.checkpoint {
                checkpoint.rollback = Some(Rollback {
                    begun_at: now,
                    by: "root".to_owned(),
                    note: None,
                    step: RollbackStep::Placing,
                    saved: None,
                    error: None,
                });
            }
            record
        }).collect();
        let gone: BTreeSet<BackupId> = excess(&spec, &records, now).into_iter().map(|it| it.id).collect();
        let is_stored = |record: &&BackupRecord| matches!(
            record.status, BackupStatus::Verified | BackupStatus::Corrupted
        );
        let must_stay = |record: &BackupRecord| {
            let checkpoint = record.checkpoint.as_ref().unwrap();
            let is_newest = record.status == BackupStatus::Verified && !records.iter().any(|other| {
                other.status == BackupStatus::Verified
                    && other.checkpoint.as_ref().unwrap().kind == checkpoint.kind
                    && other.created_at <= now
                    && (other.created_at, &other.id) > (record.created_at, &record.id)
            });
            checkpoint.kind.is_never_pruned() || checkpoint.is_rolled_back_to()
                || record.created_at > now || is_newest
        };
        for record in &records {
            if gone.contains(&record.id) {
                prop_assert!(is_stored(&record) && !must_stay(record), "{:?}", record);
            }
        }
        let left: Vec<&BackupRecord> =
            records.iter().filter(is_stored).filter(|record| !gone.contains(&record.id)).collect();
        let optional: Vec<&&BackupRecord> = left.iter().filter(|record| !must_stay(record)).collect();
        prop_assert!(left.len() <= usize::try_from(keep).unwrap() || optional.is_empty());
        prop_assert!(optional.iter().all(|record| now.since(record.created_at) <= spec.max_age));
        // None goes while an older one stays that might go too.
        let youngest_gone = records.iter().filter(|record| gone.contains(&record.id)).map(|record| record.created_at).max();
        if let Some(youngest_gone) = youngest_gone {
            prop_assert!(optional.iter().all(|record| record.created_at >= youngest_gone));
        }
    }
}
