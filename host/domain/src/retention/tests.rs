use super::*;
use crate::{
    backup::Hold,
    checkpoint::{Checkpoint, CheckpointKind},
    name::JobName,
};
use proptest::prelude::*;

fn id(prefix: &str, number: usize) -> BackupId {
    BackupId::parse(&format!("{prefix}-01K0000000000000000000{number:04}")).unwrap()
}

/// A verified backup of the job `state`, taken in the second of its number.
pub(crate) fn record(
    number: usize,
    backup_type: BackupType,
    parent: Option<&BackupRecord>,
) -> BackupRecord {
    let own = id(backup_type.prefix(), number);
    BackupRecord {
        base: parent.map_or_else(|| own.clone(), |parent| parent.base.clone()),
        parent: parent.map(|parent| parent.id.clone()),
        status: BackupStatus::Verified,
        ..BackupRecord::begun(
            own,
            JobName::parse("state").unwrap(),
            backup_type,
            Timestamp::from_millis(number as u64 * 1000),
        )
    }
}

/// Two chains and a snapshot: ful0 ← inc1 ← inc2, ful3 ← dif4, sna5.
fn two_chains() -> Vec<BackupRecord> {
    let ful0 = record(0, BackupType::Full, None);
    let inc1 = record(1, BackupType::Incremental, Some(&ful0));
    let inc2 = record(2, BackupType::Incremental, Some(&inc1));
    let ful3 = record(3, BackupType::Full, None);
    let dif4 = record(4, BackupType::Differential, Some(&ful3));
    vec![
        ful0,
        inc1,
        inc2,
        ful3,
        dif4,
        record(5, BackupType::Snapshot, None),
    ]
}

fn verdict(record: &BackupRecord, keep: bool) -> Verdict {
    Verdict {
        id: record.id.to_string(),
        keep,
        reason: "too old".to_owned(),
        expires: None,
    }
}

const NOW: Timestamp = Timestamp::from_millis(100_000);

fn limits(min_redundancy: u32) -> RetentionLimits {
    RetentionLimits {
        min_redundancy,
        immutable_for: Duration::ZERO,
    }
}

/// What the guard lets go where the policy wants to let everything go but those at `keep`.
#[track_caller]
fn check(
    records: &[BackupRecord],
    keep: &[usize],
    min_redundancy: u32,
    expired: &[usize],
) -> Vec<Verdict> {
    let wishes: Vec<Verdict> = records
        .iter()
        .enumerate()
        .map(|(at, record)| verdict(record, keep.contains(&at)))
        .collect();
    let verdicts = guard(records, &wishes, limits(min_redundancy), NOW);
    let found: Vec<usize> = (0..records.len())
        .filter(|at| {
            verdicts
                .iter()
                .any(|v| v.id == records[*at].id.to_string() && !v.keep)
        })
        .collect();
    assert_eq!(found, expired, "{verdicts:#?}");
    verdicts
}

#[test]
fn the_newest_verified_chain_stays_and_a_snapshot_does_not_stand_in_for_it() {
    let verdicts = check(&two_chains(), &[], 1, &[0, 1, 2, 5]);
    assert_eq!(
        verdicts[3].reason,
        "kept by the host: it belongs to the newest verified chain (the policy: too old)"
    );
    assert_eq!(verdicts[0].reason, "too old");
    check(&two_chains(), &[], 2, &[5]);
    check(&two_chains(), &[], 3, &[]);
    check(&two_chains(), &[], 0, &[0, 1, 2, 5]);
}

#[test]
fn what_a_kept_backup_needs_stays() {
    let verdicts = check(&two_chains(), &[2], 1, &[5]);
    assert!(
        verdicts[1]
            .reason
            .contains(&format!("{} needs it", verdicts[2].id)),
        "{verdicts:#?}"
    );
    assert_eq!(
        verdicts[2].reason, "too old",
        "the policy's own keep has the policy's own reason"
    );
    check(&two_chains(), &[1], 1, &[2, 5]);
}

#[test]
fn a_corrupted_chain_is_not_the_newest_verified_one() {
    let mut records = two_chains();
    records[3].status = BackupStatus::Corrupted;
    check(&records, &[], 1, &[3, 4, 5]);
}

#[test]
fn an_incomplete_chain_does_not_stand_in_for_one_that_gives_everything() {
    let mut records = two_chains();
    records[3].incomplete = true;
    check(&records, &[], 1, &[0, 1, 2, 5]);
    records[4].incomplete = true;
    check(&records, &[], 1, &[3, 4, 5]);
    check(&records, &[], 2, &[5]);
    records[0].incomplete = true;
    records[1].incomplete = true;
    records[2].incomplete = true;
    check(&records, &[], 1, &[0, 1, 2, 5]);
}

#[test]
fn held_unfinished_and_future_backups_stay() {
    let mut records = two_chains();
    records[5].held = true;
    check(&records, &[], 1, &[0, 1, 2]);
    records[5].held = false;
    records[5].status = BackupStatus::InProgress;
    check(&records, &[], 1, &[0, 1, 2]);
    records[5].status = BackupStatus::Verified;
    records[5].created_at = NOW + std::time::Duration::from_secs(1);
    check(&records, &[], 1, &[0, 1, 2]);
}

#[test]
fn a_hold_says_why_and_ends_when_it_says() {
    let mut records = two_chains();
    let later = NOW + Duration::from_secs(1);
    records[5].held = true;
    records[5].hold = Some(Hold {
        by: "root".to_owned(),
        reason: Some("the audit".to_owned()),
        until: Some(later),
    });
    let verdicts = check(&records, &[], 1, &[0, 1, 2]);
    assert_eq!(
        verdicts[5].reason,
        format!(
            "kept by the host: the operator holds it until {later}: the audit (the policy: too old)"
        )
    );
    let still = records[5].clone().without_hold_that_is_over(NOW);
    assert_eq!(still, records[5]);
    records[5].hold.as_mut().unwrap().until = Some(NOW);
    check(&records, &[], 1, &[0, 1, 2, 5]);
    let over = records[5].clone().without_hold_that_is_over(NOW);
    assert_eq!((over.held, over.hold), (false, None));
}

#[test]
fn a_chain_from_the_future_does_not_stand_in_for_the_newest_verified_one() {
    let mut records = two_chains();
    records.push(record(6, BackupType::Full, None));
    check(&records, &[], 1, &[0, 1, 2, 3, 4, 5]);
    records[6].created_at = NOW + std::time::Duration::from_secs(1);
    check(&records, &[], 1, &[0, 1, 2, 5]);
}

#[test]
fn missing_double_unknown_and_contradicting_verdicts_keep() {
    let records = two_chains();
    assert!(
        guard(&records, &[], limits(1), NOW)
            .iter()
            .all(|verdict| verdict.keep)
    );
    let unknown = Verdict {
        id: "../../etc".to_owned(),
        ..verdict(&records[0], false)
    };
    assert_eq!(
        guard(&records, &[unknown], limits(1), NOW).len(),
        records.len()
    );
    for both in [[true, false], [false, true]] {
        let double = both.map(|keep| verdict(&records[5], keep));
        assert!(guard(&records, &double, limits(1), NOW)[5].keep);
    }
    let later = Verdict {
        expires: Some(NOW + std::time::Duration::from_secs(1)),
        ..verdict(&records[5], false)
    };
    assert!(guard(&records, &[later], limits(1), NOW)[5].keep);
}

/// Those of `two_chains` are of the seconds 0 to 5, and now is 100.
#[test]
fn what_is_younger_than_the_window_stays_and_what_it_needs_too() {
    let records = two_chains();
    let wishes: Vec<Verdict> = records.iter().map(|it| verdict(it, false)).collect();
    let check = |seconds: u64, expired: &[usize]| {
        let limits = RetentionLimits {
            min_redundancy: 1,
            immutable_for: Duration::from_secs(seconds),
        };
        let verdicts = guard(&records, &wishes, limits, NOW);
        let gone: Vec<usize> = (0..records.len())
            .filter(|at| !verdicts[*at].keep)
            .collect();
        assert_eq!(gone, expired, "{seconds}: {verdicts:#?}");
        verdicts
    };
    check(95, &[0, 1, 2, 5]);
    let verdicts = check(96, &[0, 1, 2]);
    assert_eq!(
        verdicts[5].reason,
        "kept by the host: it is immutable until 1970-01-01T00:01:41.000Z (immutable_for) (the policy: too old)"
    );
    // The incremental of second 2 stays, so what it starts from does.
    let verdicts = check(99, &[]);
    assert!(verdicts[0].reason.contains("needs it"), "{verdicts:#?}");
}

/// Times of the past, of now, of soon, and such as no clock shows.
fn odd_times() -> impl Strategy<Value = Timestamp> {
    let soon = NOW + Duration::from_millis(1);
    let odd = [0, 1, u64::MAX].map(Timestamp::from_millis);
    prop::sample::select(vec![odd[0], odd[1], NOW, soon, odd[2]])
}

/// What a policy or a person may write: nothing, what disturbs a terminal, and a megabyte.
fn odd_texts() -> impl Strategy<Value = String> {
    prop_oneof![
        200 => Just("too old".to_owned()),
        20 => Just(String::new()),
        20 => Just("\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\0\u{202e}".to_owned()),
        20 => Just("kept by the host: it is held".to_owned()),
        // Made only where it is drawn.
        1 => Just(()).prop_map(|()| "\u{1f4a9}".repeat(1 << 18)),
    ]
}

/// What of a backup is as it is by chance, beside its place in a chain.
fn with_luck(record: BackupRecord) -> impl Strategy<Value = BackupRecord> {
    let status = prop_oneof![
        12 => Just(BackupStatus::Verified),
        1 => Just(BackupStatus::Completed),
        2 => Just(BackupStatus::Corrupted),
        1 => Just(BackupStatus::Failed),
        1 => Just(BackupStatus::Pending),
        1 => Just(BackupStatus::InProgress),
        1 => Just(BackupStatus::Expired),
    ];
    let checkpoint =
        prop::option::weighted(0.1, prop::sample::select(CheckpointKind::ALL.to_vec()));
    let hold = (prop::option::of(odd_texts()), prop::option::of(odd_times()));
    let hold = prop::option::weighted(0.1, hold);
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.05));
    let late = prop_oneof![19 => Just(0_u64), 1 => 90..200_u64];
    (status, checkpoint, hold, flags, late).prop_map(
        move |(status, checkpoint, hold, (incomplete, is_suspicious), late)| BackupRecord {
            status,
            checkpoint: checkpoint.map(|kind| Checkpoint::new(kind, None)),
            held: hold.is_some(),
            hold: hold.map(|(reason, until)| Hold {
                by: "root".to_owned(),
                reason,
                until,
            }),
            incomplete,
            suspicious: is_suspicious.then(|| "it has 1 document".to_owned()),
            created_at: record.created_at + Duration::from_secs(late),
            ..record.clone()
        },
    )
}

fn catalogs() -> impl Strategy<Value = Vec<BackupRecord>> {
    let step = (0..5_usize, any::<prop::sample::Index>());
    prop::collection::vec(step, 0..24).prop_flat_map(|steps| {
        let mut records: Vec<BackupRecord> = Vec::new();
        for (number, (kind, parent)) in steps.into_iter().enumerate() {
            let backup_type = BackupType::ALL[kind];
            let parents: Vec<BackupRecord> = records
                .iter()
                .filter(|record| {
                    record.id.as_str().starts_with("ful") || !record.backup_type.stands_alone()
                })
                .cloned()
                .collect();
            let new = match (backup_type.stands_alone(), parents.is_empty()) {
                (true, _) => record(number, backup_type, None),
                (false, true) => record(number, BackupType::Full, None),
                (false, false) => record(number, backup_type, Some(parent.get(&parents))),
            };
            records.push(new);
        }
        records.into_iter().map(with_luck).collect::<Vec<_>>()
    })
}

/// What a policy says: of which backup, or of what is none, and what.
type Wish = (prop::sample::Index, bool, bool, String, Option<Timestamp>);

fn hostile_wishes() -> impl Strategy<Value = Vec<Wish>> {
    let wish = (
        any::<prop::sample::Index>(),
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.3),
        odd_texts(),
        prop::option::weighted(0.2, odd_times()),
    );
    prop::collection::vec(wish, 0..40)
}

/// Of what is no backup too.
fn verdicts_of(wishes: Vec<Wish>, records: &[BackupRecord]) -> Vec<Verdict> {
    let wishes = wishes.into_iter();
    let verdict = |(at, is_of_none, keep, reason, expires): Wish| Verdict {
        id: match records.is_empty() || is_of_none {
            true => format!("../../\u{1b}[2J{}", at.index(10)),
            false => at.get(records).id.to_string(),
        },
        keep,
        reason,
        expires,
    };
    wishes.map(verdict).collect()
}

proptest! {
    #[test]
    fn no_verdicts_break_a_chain(
        records in catalogs(),
        wishes in hostile_wishes(),
        min_redundancy in 0..4_u32,
        immutable_seconds in 80..100_u64,
    ) {
        let wishes = verdicts_of(wishes, &records);
        let limits = RetentionLimits { min_redundancy, immutable_for: Duration::from_secs(immutable_seconds) };
        let verdicts = guard(&records, &wishes, limits, NOW);
        let judged = records.iter().filter(|record| is_judged(record.status));
        prop_assert!(judged.map(|record| record.id.to_string()).eq(verdicts.iter().map(|verdict| verdict.id.clone())));
        let gone: BTreeSet<&str> = verdicts.iter().filter(|verdict| !verdict.keep).map(|verdict| verdict.id.as_str()).collect();
        for record in records.iter().filter(|record| is_judged(record.status) && !gone.contains(record.id.as_str())) {
            prop_assert!(record.parent.iter().chain([&record.base]).all(|needed| !gone.contains(needed.as_str())));
        }
        for record in records.iter().filter(|record| gone.contains(record.id.as_str())) {
            prop_assert!(!record.is_held_at(NOW) && record.checkpoint.is_none());
            prop_assert!(!matches!(record.status, BackupStatus::Pending | BackupStatus::InProgress));
            prop_assert!(record.created_at + limits.immutable_for <= NOW);
            let mut said = wishes.iter().filter(|wish| wish.id == record.id.as_str()).peekable();
            prop_assert!(said.peek().is_some());
            prop_assert!(said.all(|wish| !wish.keep));
        }
        let verified_full = |r: &&BackupRecord| r.backup_type == BackupType::Full && r.status == BackupStatus::Verified;
        let fulls = records.iter().filter(verified_full).count();
        let left = records.iter().filter(verified_full).filter(|r| !gone.contains(r.id.as_str())).count();
        prop_assert!(left >= fulls.min(min_redundancy.max(1) as usize));
        let usable = verified(&records);
        let gives_all = |r: &&BackupRecord| !r.incomplete && usable.contains(&r.id) && r.base.as_str().starts_with("ful");
        let mut complete = records.iter().filter(gives_all).peekable();
        prop_assert!(complete.peek().is_none() || complete.any(|r| !gone.contains(r.id.as_str())));
    }

    #[test]
    fn what_a_person_may_delete_nothing_needs(
        records in catalogs(),
        min_redundancy in 0..4_u32,
        immutable_seconds in 80..100_u64,
    ) {
        let limits = RetentionLimits { min_redundancy, immutable_for: Duration::from_secs(immutable_seconds) };
        for record in &records {
            if crate::deletion::check(&records, &record.id, limits, NOW).is_err() {
                continue;
            }
            let needs_it = |other: &BackupRecord| {
                other.id != record.id && other.parent.iter().chain([&other.base]).any(|id| *id == record.id)
            };
            prop_assert!(!records.iter().any(|other| is_judged(other.status) && needs_it(other)));
            prop_assert!(!record.is_held_at(NOW) && record.created_at + limits.immutable_for <= NOW);
        }
    }
}

#[test]
fn a_checkpoint_is_no_matter_of_the_policy() {
    let mut records = two_chains();
    let snapshot = records.last_mut().unwrap();
    let id = snapshot.id.clone();
    snapshot.checkpoint = Some(Checkpoint::new(CheckpointKind::Automatic, None));
    let mut wishes: Vec<Verdict> = records.iter().map(|it| verdict(it, false)).collect();
    let now = Timestamp::from_millis(1_000_000);
    for is_asked in [true, false] {
        if !is_asked {
            wishes.retain(|it| it.id != id.as_str());
        }
        let verdicts = guard(&records, &wishes, limits(1), now);
        let judged = verdicts.iter().find(|it| it.id == id.as_str()).unwrap();
        assert!(
            judged.keep && judged.reason.contains("checkpoint"),
            "{judged:?}"
        );
    }
}
