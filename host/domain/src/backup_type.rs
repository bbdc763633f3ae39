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
    /// Everything, or the job's selection of it, standing alone, asked for by an operator.
    Snapshot,
    /// Everything, or the job's selection of it, standing alone, taken before something dangerous.
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

    /// The three letters that its identifiers begin with. No other kind of identifier has them: `inc` is an incident, so an
    /// incremental backup, which adds to those before it, is `add`.
    pub fn prefix(self) -> &'static str {
        match self {
            BackupType::Full => "ful",
            BackupType::Incremental => "add",
            BackupType::Differential => "dif",
            BackupType::Snapshot => "sna",
            BackupType::Emergency => "eme",
        }
    }

    /// What identifiers of this type began with before, where that was something else: such a backup keeps its name.
    pub fn former_prefix(self) -> Option<&'static str> {
        (self == BackupType::Incremental).then_some("inc")
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
