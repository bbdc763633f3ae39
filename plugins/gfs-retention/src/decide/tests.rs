//! Tables over the calendar.

use super::*;
use mainstay_plugin_sdk::retention::BackupType;
use mainstay_plugin_sdk::testing::backup;

const HOUR: Timestamp = 3_600_000;
/// Thursday, 29 February 2024, noon.
const NOW: Timestamp = 1_709_208_000_000;

fn counts(last: u32, hourly: u32, daily: u32, weekly: u32, monthly: u32, yearly: u32) -> Counts {
    Counts(RawCounts {
        last,
        hourly,
        daily,
        weekly,
        monthly,
        yearly,
        ..RawCounts::default()
    })
}

/// Backups by name and age in hours.
fn backups(ages: &[(&str, u64)]) -> Vec<Backup> {
    ages.iter()
        .map(|(name, age)| backup(name, BackupType::Full, NOW - age * HOUR))
        .collect()
}

/// What is kept, newest first, as `name: reason`.
fn kept(counts: &Counts, backups: &[Backup]) -> Vec<String> {
    let verdicts = counts.verdicts(backups, NOW);
    assert_eq!(verdicts.len(), backups.len());
    verdicts
        .iter()
        .filter(|verdict| verdict.keep)
        .map(|verdict| format!("{}: {}", verdict.id, verdict.reason))
        .collect()
}

#[test]
fn of_each_period_the_newest_is_kept_and_says_its_place() {
    let check = |counts: Counts, ages: &[(&str, u64)], expected: &[&str]| {
        assert_eq!(kept(&counts, &backups(ages)), expected, "{counts:?}");
    };
    let hours = [("a", 0), ("b", 1), ("c", 2), ("d", 3)];
    check(
        counts(2, 0, 0, 0, 0, 0),
        &hours,
        &["a: last 1 of 2", "b: last 2 of 2"],
    );
    check(
        counts(1, 2, 0, 0, 0, 0),
        &hours,
        &["a: last 1 of 1, hourly 1 of 2", "b: hourly 2 of 2"],
    );
    // 12:00 today and 23:00, 22:00 yesterday; then a day without a backup, which does not count.
    let days = [("today", 0), ("late", 13), ("later", 14), ("before", 72)];
    check(
        counts(0, 0, 3, 0, 0, 0),
        &days,
        &[
            "today: daily 1 of 3",
            "late: daily 2 of 3",
            "before: daily 3 of 3",
        ],
    );
    // Monday of this week, Sunday before, and the Monday before that.
    let weeks = [
        ("monday", 72),
        ("sunday", 96),
        ("last-monday", 240),
        ("earlier", 264),
    ];
    check(
        counts(0, 0, 0, 3, 0, 0),
        &weeks,
        &[
            "monday: weekly 1 of 3",
            "sunday: weekly 2 of 3",
            "earlier: weekly 3 of 3",
        ],
    );
    // 1 February, 31 January, 31 December, 31 December a year earlier.
    let months = [
        ("feb", 28 * 24),
        ("jan", 29 * 24),
        ("dec", 60 * 24),
        ("dec-22", 425 * 24),
    ];
    check(
        counts(0, 0, 0, 0, 2, 3),
        &months,
        &[
            "feb: monthly 1 of 2, yearly 1 of 3",
            "jan: monthly 2 of 2",
            "dec: yearly 2 of 3",
            "dec-22: yearly 3 of 3",
        ],
    );
}

#[test]
fn the_order_in_which_backups_are_given_does_not_matter() {
    let mut given = backups(&[("a", 0), ("b", 1), ("c", 30), ("d", 800)]);
    let forward = Counts::default().verdicts(&given, NOW);
    given.reverse();
    assert_eq!(Counts::default().verdicts(&given, NOW), forward);
}

#[test]
fn an_unverified_backup_stands_for_no_period() {
    let mut given = backups(&[("new", 1), ("good", 2), ("old", 30)]);
    given[0].verified_at = None;
    given[2].verified_at = None;
    assert_eq!(
        kept(&counts(1, 0, 0, 0, 0, 0), &given),
        ["new: not verified yet", "good: last 1 of 1"]
    );
}

#[test]
fn a_held_backup_is_kept_beside_the_others() {
    let mut given = backups(&[("a", 0), ("b", 1), ("c", 2)]);
    given[2].held = true;
    assert_eq!(
        kept(&counts(1, 0, 0, 0, 0, 0), &given),
        ["a: last 1 of 1", "c: held by the operator"]
    );
}

#[test]
fn whatever_is_counted_the_newest_verified_backup_is_kept() {
    let given = backups(&[("newest", 5), ("b", 6), ("c", 900)]);
    for place in 0..6 {
        let mut only = [0; 6];
        only[place] = 1;
        let [last, hourly, daily, weekly, monthly, yearly] = only;
        let counts = counts(last, hourly, daily, weekly, monthly, yearly);
        assert!(
            kept(&counts, &given)[0].starts_with("newest: "),
            "{counts:?}"
        );
    }
}

#[test]
fn what_is_taken_beside_the_schedule_takes_no_place_of_a_period() {
    // A file was broken, and restored an hour ago: the emergency backup holds what was broken.
    let mut given = backups(&[("ful-night", 9), ("ful-before", 33)]);
    given.push(backup("eme-broken", BackupType::Emergency, NOW - HOUR));
    given.push(backup("sna-asked", BackupType::Snapshot, NOW - 2 * HOUR));
    let expected = [
        "eme-broken: emergency 1 of 3",
        "sna-asked: snapshot 1 of 3",
        "ful-night: last 1 of 1, daily 1 of 7",
        "ful-before: daily 2 of 7",
    ];
    assert_eq!(kept(&counts(1, 0, 7, 0, 0, 0), &given), expected);
}

#[test]
fn of_emergency_backups_and_snapshots_the_newest_are_kept_whatever_their_periods() {
    for (kind, name) in [
        (BackupType::Emergency, "emergency"),
        (BackupType::Snapshot, "snapshot"),
    ] {
        let taken = |(place, id): (u64, &&str)| backup(id, kind, NOW - place * HOUR);
        let mut given: Vec<Backup> = (0..).zip(&["a", "b", "c", "d", "e"]).map(taken).collect();
        // What is not known to be good takes no place, and a person may hold one for longer.
        given[1].verified_at = None;
        given[4].held = true;
        let counts = Counts(RawCounts {
            emergency: 2,
            snapshot: 2,
            ..RawCounts::default()
        });
        let expected = [
            format!("a: {name} 1 of 2"),
            "b: not verified yet".to_owned(),
            format!("c: {name} 2 of 2"),
            "e: held by the operator".to_owned(),
        ];
        assert_eq!(kept(&counts, &given), expected);
        let verdicts = counts.verdicts(&given, NOW);
        assert_eq!(
            verdicts[3].reason,
            format!("{name}, not among the newest 2 of these, and stands for no period")
        );
    }
}
