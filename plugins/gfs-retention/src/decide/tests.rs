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
