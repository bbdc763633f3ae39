//! When stored backups go to another tier, as configured.

use crate::{backup::BackupType, name::TierName};
use std::time::Duration;

/// Where the full and differential backups of a job go when they are old. See [`crate::backup_moves`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveSpec {
    /// A tier of the config, or `local`.
    pub tier: TierName,
    /// A full one, so long after its sources were read; above zero, default 30 d [seed 003].
    pub full_after: Duration,
    /// A differential one; above zero, default 14 d [seed 003].
    pub differential_after: Duration,
}

impl ArchiveSpec {
    /// How old a backup of a type is when it goes there; none: it stays where it is.
    pub fn after(&self, backup_type: BackupType) -> Option<Duration> {
        match backup_type {
            BackupType::Full => Some(self.full_after),
            BackupType::Differential => Some(self.differential_after),
            BackupType::Incremental | BackupType::Snapshot | BackupType::Emergency => None,
        }
    }
}
