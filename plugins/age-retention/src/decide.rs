//! How long a backup is kept, by its type.
//!
//! Invariant: a held backup is kept.

use mainstay_plugin_sdk::calendar::DAY;
use mainstay_plugin_sdk::retention::{Backup, BackupType, Timestamp, Verdict};
use schemars::JsonSchema;
use serde::Deserialize;
use std::num::NonZeroU32;

/// Days that backups are kept, by type; each at least 1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DaysKept {
    /// Backups of every type that is not named here; by default each type has its own number.
    days: Option<NonZeroU32>,
    /// Full backups; 90 by default.
    full: Option<NonZeroU32>,
    /// Differential backups; 30 by default.
    differential: Option<NonZeroU32>,
    /// Incremental backups; 7 by default.
    incremental: Option<NonZeroU32>,
    /// Emergency backups; 180 by default.
    emergency: Option<NonZeroU32>,
    /// Snapshots; 7 by default.
    snapshot: Option<NonZeroU32>,
}

impl DaysKept {
    /// Keep until the backup is as old as its type's days.
    pub(crate) fn verdict(&self, backup: &Backup, now: Timestamp) -> Verdict {
        let (name, named, by_default) = match backup.type_ {
            BackupType::Full => ("full", self.full, 90),
            BackupType::Differential => ("differential", self.differential, 30),
            BackupType::Incremental => ("incremental", self.incremental, 7),
            BackupType::Emergency => ("emergency", self.emergency, 180),
            BackupType::Snapshot => ("snapshot", self.snapshot, 7),
        };
        let days = named.or(self.days).map_or(by_default, NonZeroU32::get);
        let expires = backup.created_at.saturating_add(u64::from(days) * DAY);
        let age = now.saturating_sub(backup.created_at) / DAY;
        let reason = format!("{name}, {age} d old, kept {days} d");
        let verdict = if backup.held {
            Verdict::keep(backup, format!("held by the operator; {reason}"))
        } else if now < expires {
            Verdict::keep(backup, reason)
        } else {
            Verdict::expire(backup, reason)
        };
        verdict.expires_at(expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::testing::backup;

    const CREATED: Timestamp = 1_000 * DAY + 5;

    #[test]
    fn the_types_days_are_the_seeds() {
        fn check(kind: BackupType, days: u64) {
            let backup = backup("b", kind, CREATED);
            let at = |now| DaysKept::default().verdict(&backup, now);
            let end = CREATED + days * DAY;
            assert!(at(end - 1).keep, "{kind:?}");
            assert!(!at(end).keep, "{kind:?}");
            assert_eq!(at(CREATED).expires, Some(end));
            assert_eq!(at(end).expires, Some(end));
        }
        check(BackupType::Full, 90);
        check(BackupType::Differential, 30);
        check(BackupType::Incremental, 7);
        check(BackupType::Emergency, 180);
        check(BackupType::Snapshot, 7);
    }

    #[test]
    fn one_number_is_that_of_every_type_that_is_not_named() {
        let kept = DaysKept {
            days: NonZeroU32::new(14),
            full: NonZeroU32::new(60),
            ..DaysKept::default()
        };
        for (kind, days) in [
            (BackupType::Full, 60),
            (BackupType::Differential, 14),
            (BackupType::Incremental, 14),
            (BackupType::Emergency, 14),
            (BackupType::Snapshot, 14),
        ] {
            let verdict = kept.verdict(&backup("b", kind, CREATED), CREATED);
            assert_eq!(verdict.expires, Some(CREATED + days * DAY), "{kind:?}");
        }
    }

    #[test]
    fn the_reason_says_type_age_and_limit() {
        let verdict = DaysKept::default().verdict(
            &backup("b", BackupType::Incremental, CREATED),
            CREATED + 8 * DAY,
        );
        assert_eq!(verdict.reason, "incremental, 8 d old, kept 7 d");
    }

    #[test]
    fn a_held_backup_is_kept_whatever_its_age() {
        let mut held = backup("b", BackupType::Snapshot, CREATED);
        held.held = true;
        assert!(
            DaysKept::default()
                .verdict(&held, CREATED + 9_000 * DAY)
                .keep
        );
    }

    #[test]
    fn a_backup_from_the_future_is_kept() {
        let future = backup("b", BackupType::Snapshot, CREATED);
        assert!(DaysKept::default().verdict(&future, 0).keep);
    }

    #[test]
    fn the_end_of_time_does_not_overflow() {
        let last = backup("b", BackupType::Full, Timestamp::MAX);
        assert_eq!(
            DaysKept::default().verdict(&last, 0).expires,
            Some(Timestamp::MAX)
        );
    }
}
