//! What kinds of backup there are.

use serde::{Deserialize, Serialize};

/// What a stored backup is [seed 003].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupType {
    /// Everything.
    Full,
    /// What changed since the last backup of the chain, of any kind.
    Incremental,
    /// What changed since the last full backup.
    Differential,
    /// Everything, standing alone, asked for by an operator.
    Snapshot,
    /// Everything, standing alone, taken before something dangerous.
    Emergency,
}

impl BackupType {
    /// Every type.
    pub const ALL: [BackupType; 5] = [
        BackupType::Full,
        BackupType::Incremental,
        BackupType::Differential,
        BackupType::Snapshot,
        BackupType::Emergency,
    ];

    /// The word that operators write.
    pub fn as_str(self) -> &'static str {
        match self {
            BackupType::Full => "full",
            BackupType::Incremental => "incremental",
            BackupType::Differential => "differential",
            BackupType::Snapshot => "snapshot",
            BackupType::Emergency => "emergency",
        }
    }

    /// The first three letters of its identifiers.
    pub fn prefix(self) -> &'static str {
        self.as_str().get(..3).unwrap_or_default()
    }

    /// Whether it needs no other backup to be restored.
    pub fn stands_alone(self) -> bool {
        matches!(
            self,
            BackupType::Full | BackupType::Snapshot | BackupType::Emergency
        )
    }
}

impl std::fmt::Display for BackupType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
