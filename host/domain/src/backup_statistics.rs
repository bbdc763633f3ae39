//! The backups of a catalog in numbers: all of them, and apart by their type and by where they are.

use crate::{
    backup::{BackupRecord, BackupStatus},
    backup_type::BackupType,
    time::Timestamp,
};
use std::collections::BTreeMap;

/// Some backups in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackupNumbers {
    /// How many there are in the catalog, whatever became of them.
    pub backups: u64,
    /// Those of them that were read back and found right.
    pub verified: u64,
    /// Bytes of the documents of those that are stored.
    pub size_bytes: u64,
    /// Bytes that they take.
    pub stored_bytes: u64,
    /// When the sources of the newest verified one were read; none where there is none.
    pub newest: Option<Timestamp>,
}

impl BackupNumbers {
    /// How much smaller they are stored than they were, in percent [seed 003]: `(1 - stored / size) * 100`. 0 where there is
    /// nothing; below 0 where what is stored is larger.
    ///
    /// ```
    /// use mainstay_domain::backup_statistics::BackupNumbers;
    /// let numbers = BackupNumbers {
    ///     size_bytes: 1_000,
    ///     stored_bytes: 250,
    ///     ..BackupNumbers::default()
    /// };
    /// assert_eq!(numbers.compression_ratio(), 75.0);
    /// assert_eq!(BackupNumbers::default().compression_ratio(), 0.0);
    /// ```
    pub fn compression_ratio(&self) -> f64 {
        match self.size_bytes {
            0 => 0.0,
            size => (1.0 - self.stored_bytes as f64 / size as f64) * 100.0,
        }
    }

    fn add(&mut self, backup: &BackupRecord) {
        self.backups += 1;
        if backup.status.is_stored() {
            self.size_bytes = self.size_bytes.saturating_add(backup.size_bytes);
            self.stored_bytes = self.stored_bytes.saturating_add(backup.stored_bytes);
        }
        if backup.status == BackupStatus::Verified {
            self.verified += 1;
            self.newest = self.newest.max(Some(backup.created_at));
        }
    }
}

/// What the backups of a catalog come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BackupStatistics {
    /// All of them.
    pub total: BackupNumbers,
    /// Those of each type that there are any of.
    pub by_type: BTreeMap<BackupType, BackupNumbers>,
    /// Those in each tier that has any.
    pub by_tier: BTreeMap<String, BackupNumbers>,
}

impl BackupStatistics {
    /// Those of these backups. Each is counted in the tier where its bytes really are.
    pub fn of<'a>(backups: impl IntoIterator<Item = &'a BackupRecord>) -> Self {
        let mut statistics = Self::default();
        for backup in backups {
            statistics.total.add(backup);
            let of_type = statistics.by_type.entry(backup.backup_type);
            of_type.or_default().add(backup);
            let in_tier = statistics.by_tier.entry(backup.tier.clone());
            in_tier.or_default().add(backup);
        }
        statistics
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::BackupId, name::JobName};

    fn backup(backup_type: BackupType, status: BackupStatus, at: u64) -> BackupRecord {
        let id = BackupId::parse("ful-01K0000000000000000000000C").unwrap();
        BackupRecord {
            status,
            documents: 1,
            size_bytes: 1_000,
            stored_bytes: 400,
            ..BackupRecord::begun(
                id.clone(),
                JobName::parse("state").unwrap(),
                backup_type,
                Timestamp::from_millis(at),
            )
        }
    }

    #[test]
    fn of_no_backups_all_numbers_are_zero() {
        let none = BackupStatistics::of([]);
        assert_eq!(none, BackupStatistics::default());
        assert_eq!(none.total.compression_ratio(), 0.0);
    }

    #[test]
    fn what_is_not_stored_is_counted_and_takes_no_bytes() {
        let all = [
            backup(BackupType::Full, BackupStatus::Verified, 5),
            backup(BackupType::Full, BackupStatus::Failed, 9),
            backup(BackupType::Full, BackupStatus::InProgress, 9),
            backup(BackupType::Incremental, BackupStatus::Verified, 7),
            backup(BackupType::Incremental, BackupStatus::Expired, 3),
            backup(BackupType::Incremental, BackupStatus::Corrupted, 8),
        ];
        let found = BackupStatistics::of(&all);
        let numbers = |backups, verified, size_bytes, stored_bytes, at| BackupNumbers {
            backups,
            verified,
            size_bytes,
            stored_bytes,
            newest: Some(Timestamp::from_millis(at)),
        };
        assert_eq!(found.total, numbers(6, 2, 4_000, 1_600, 7));
        assert_eq!(
            found.by_type[&BackupType::Full],
            numbers(3, 1, 1_000, 400, 5)
        );
        assert_eq!(
            found.by_type[&BackupType::Incremental],
            numbers(3, 1, 3_000, 1_200, 7)
        );
        assert_eq!(found.by_type.len(), 2);
        assert_eq!(found.by_tier["local"], found.total);
        assert!((found.total.compression_ratio() - 60.0).abs() < 1e-9);
    }

    #[test]
    fn each_backup_counts_where_its_bytes_are() {
        let mut far = backup(BackupType::Full, BackupStatus::Verified, 5);
        far.tier = "archive".to_owned();
        far.stored_bytes = 1_500;
        let all = [far, backup(BackupType::Full, BackupStatus::Verified, 6)];
        let found = BackupStatistics::of(&all);
        let tiers: Vec<&str> = found.by_tier.keys().map(String::as_str).collect();
        assert_eq!(tiers, ["archive", "local"]);
        assert_eq!(found.by_tier["archive"].compression_ratio(), -50.0);
        assert_eq!(found.total.stored_bytes, 1_900);
    }
}
