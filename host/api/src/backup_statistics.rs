//! What the backups of the catalog come to, in numbers.

use mainstay_domain::backup_statistics;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Some backups in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackupNumbers {
    /// How many there are in the catalog, whatever became of them.
    pub backups: u64,
    /// Those of them that were read back and found right.
    pub verified: u64,
    /// Bytes of the documents of those that are stored.
    pub size_bytes: u64,
    /// Bytes that they take.
    pub stored_bytes: u64,
    /// How much smaller they are stored than they were, in percent: 0 where there is nothing, below 0 where what is stored is
    /// larger.
    pub compression_ratio: f64,
    /// When the sources of the newest verified one were read; null where there is none.
    #[schemars(extend("format" = "date-time"))]
    pub newest: Option<String>,
}

impl From<&backup_statistics::BackupNumbers> for BackupNumbers {
    fn from(numbers: &backup_statistics::BackupNumbers) -> Self {
        Self {
            backups: numbers.backups,
            verified: numbers.verified,
            size_bytes: numbers.size_bytes,
            stored_bytes: numbers.stored_bytes,
            compression_ratio: numbers.compression_ratio(),
            newest: numbers.newest.map(String::from),
        }
    }
}

/// What the backups of the catalog come to, those in the trash included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackupStats {
    /// All of them.
    pub total: BackupNumbers,
    /// Those of each type that there are any of, by its word.
    pub by_type: BTreeMap<String, BackupNumbers>,
    /// Those in each tier that has any, by its name.
    pub by_tier: BTreeMap<String, BackupNumbers>,
}

impl From<&backup_statistics::BackupStatistics> for BackupStats {
    fn from(statistics: &backup_statistics::BackupStatistics) -> Self {
        let by_type = statistics.by_type.iter();
        let by_tier = statistics.by_tier.iter();
        Self {
            total: BackupNumbers::from(&statistics.total),
            by_type: by_type
                .map(|(of, numbers)| (of.to_string(), BackupNumbers::from(numbers)))
                .collect(),
            by_tier: by_tier
                .map(|(tier, numbers)| (tier.clone(), BackupNumbers::from(numbers)))
                .collect(),
        }
    }
}
