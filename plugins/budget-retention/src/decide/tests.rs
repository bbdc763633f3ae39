//! Tables over chains.

use super::*;
use mainstay_plugin_sdk::retention::BackupType;
use mainstay_plugin_sdk::testing::backup;

const NOW: Timestamp = 100 * DAY;

fn budget(bytes: u64) -> Budget {
    Budget {
        bytes: NonZeroU64::new(bytes).unwrap(),
    }
}

/// A full backup of so many days ago, and so many incremental ones on it; each takes 1,000 bytes.
fn chain(days_ago: u64, incrementals: u64) -> Vec<Backup> {
    let base = backup(
        &format!("ful-{days_ago}"),
        BackupType::Full,
        NOW - days_ago * DAY,
    );
    let mut chain = vec![base.clone()];
    for number in 1..=incrementals {
        let mut next = backup(
            &format!("inc-{days_ago}-{number}"),
            BackupType::Incremental,
            base.created_at + number,
        );
        next.base.clone_from(&base.id);
        next.parent = chain.last().map(|parent| parent.id.clone());
        chain.push(next);
    }
    chain
}

/// The chains that stay, by days; each stays or goes as a whole.
#[track_caller]
fn check(bytes: u64, backups: &[Backup], expected: &[u64]) -> Vec<Verdict> {
    let verdicts = budget(bytes).verdicts(backups, NOW);
    assert_eq!(verdicts.len(), backups.len());
    let is_kept = |id: &str| {
        let found = verdicts.iter().find(|verdict| verdict.id == id);
        found.unwrap().keep
    };
    for backup in backups {
        assert_eq!(is_kept(&backup.id), is_kept(&backup.base), "{}", backup.id);
    }
    let bases = backups.iter().filter(|backup| backup.id == backup.base);
    let kept: Vec<u64> = bases
        .filter(|base| is_kept(&base.id))
        .map(|base| (NOW - base.created_at) / DAY)
        .collect();
    assert_eq!(kept, expected, "{verdicts:?}");
    verdicts
}

#[test]
fn the_newest_chains_that_fit_are_kept_and_none_beyond_one_that_does_not() {
    let backups = [chain(1, 1), chain(2, 3), chain(3, 0), chain(4, 0)].concat();
    check(8_000, &backups, &[1, 2, 3, 4]);
    check(7_999, &backups, &[1, 2, 3]);
    check(6_999, &backups, &[1, 2]);
    // The third alone would fit.
    let verdicts = check(5_999, &backups, &[1]);
    let reason = |id: &str| {
        let found = verdicts.iter().find(|verdict| verdict.id == id);
        found.unwrap().reason.clone()
    };
    assert_eq!(
        reason("ful-1"),
        "2000 of 5999 bytes, with what is newer or held"
    );
    assert_eq!(
        reason("inc-2-3"),
        "with what is newer or held it takes 6000 bytes, more than 5999"
    );
    assert_eq!(
        reason("ful-3"),
        "a newer chain already goes beyond the 5999 bytes"
    );
}

#[test]
fn the_newest_chain_stays_though_it_alone_is_too_much() {
    let backups = [chain(1, 4), chain(2, 0)].concat();
    let verdicts = check(1, &backups, &[1]);
    assert!(verdicts[0].reason.contains("takes 5000 bytes, more than 1"));
}

#[test]
fn what_is_held_stays_and_takes_its_room() {
    let mut backups = [chain(1, 0), chain(2, 0), chain(3, 2)].concat();
    backups[3].held = true;
    check(6_000, &backups, &[1, 2, 3]);
    check(4_000, &backups, &[1, 3]);
    check(1, &backups, &[1, 3]);
}

#[test]
fn what_is_not_verified_is_waited_for_a_day_and_takes_no_room() {
    let mut backups = [chain(0, 0), chain(2, 0), chain(3, 0)].concat();
    backups[0].verified_at = None;
    check(2_000, &backups, &[0, 2, 3]);
    backups[0].created_at = NOW - DAY;
    check(2_000, &backups, &[2, 3]);
}

#[test]
fn no_budget_keeps_more_than_it_says_but_for_the_newest_chain() {
    let backups = [chain(1, 2), chain(2, 1), chain(3, 5), chain(4, 0)].concat();
    for bytes in 1..13_000 {
        let verdicts = budget(bytes).verdicts(&backups, NOW);
        let kept = verdicts.iter().filter(|verdict| verdict.keep).count() as u64 * 1_000;
        assert!(kept <= bytes.max(3_000), "{bytes}: {kept}");
        assert!(kept >= 3_000, "{bytes}: {kept}");
    }
}

#[test]
fn sizes_beyond_all_measure_and_no_backups_are_judged() {
    let mut backups = [chain(1, 1), chain(2, 0)].concat();
    for backup in &mut backups {
        backup.stored_bytes = u64::MAX;
    }
    check(5, &backups, &[1]);
    check(u64::MAX - 1, &backups, &[1]);
    check(5, &[], &[]);
}

#[test]
fn an_emergency_backup_is_no_newest_chain_and_does_not_displace_that_of_a_full_one() {
    let mut backups = chain(1, 1);
    backups.push(backup("eme-0", BackupType::Emergency, NOW - 1));
    backups.extend(chain(2, 0));
    let kept = |bytes: u64| -> Vec<(String, String)> {
        let verdicts = budget(bytes).verdicts(&backups, NOW);
        let kept = verdicts.into_iter().filter(|verdict| verdict.keep);
        kept.map(|verdict| (verdict.id, verdict.reason)).collect()
    };
    let ids = |bytes| -> Vec<String> { kept(bytes).into_iter().map(|(id, _)| id).collect() };
    assert_eq!(ids(1_000), ["ful-1", "inc-1-1"]);
    assert_eq!(ids(2_999), ["ful-1", "inc-1-1"]);
    assert_eq!(ids(3_000), ["eme-0", "ful-1", "inc-1-1"]);
    assert_eq!(ids(4_000), ["eme-0", "ful-1", "inc-1-1", "ful-2"]);
    assert_eq!(
        kept(3_000)[0].1,
        "3000 of 3000 bytes, with the newest full backup and what is newer or held"
    );
    // Where there is no other, it is the newest.
    let verdicts = budget(1).verdicts(&backups[2..3], NOW);
    assert!(verdicts[0].keep, "{verdicts:?}");
}
